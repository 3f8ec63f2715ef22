/* journal_file: the journal as a writer has it: what it holds after the header is in memory too,
 * valid and durable. Every call is made under the log's file lock. */
#ifndef STEWARD_GOVERN_JOURNAL_FILE_H
#define STEWARD_GOVERN_JOURNAL_FILE_H

#include "govern/journal.h"

#include <sys/types.h>

struct journal_file {
    char *path;
    int fd;
    dev_t device;
    ino_t inode;
    uint64_t count;      /* records */
    struct digest chain; /* hash of the last one, or of the header */
    struct buf records;  /* the bytes after the header */
    bool padded;         /* the file may end with zeros, */
    off_t length;        /* and is so long with them */
};

void journal_file_init(struct journal_file *j, const char *dir);
void journal_file_done(struct journal_file *j);

/* Opens the file and reads it whole; the memory is then that of an empty journal with this header.
 */
struct status journal_file_load(struct journal_file *j, struct diag *diag,
                                struct journal_header *ret_header, struct buf *ret_records);
/* Is the path still the file that we have open? */
bool journal_file_same(const struct journal_file *j);
/* What others wrote behind what we know; less than we know is STATUS_INTEGRITY. */
struct status journal_file_tail(struct journal_file *j, struct diag *diag, struct buf *ret_records);
/* Takes valid records (all of `bytes` up to scan->end) in, and makes sure that they are durable:
 * their writer may have died before its own sync. */
struct status journal_file_accept(struct journal_file *j, struct view bytes,
                                  const struct journal_scan *scan, struct diag *diag);
/* Cuts the file to what we know. */
struct status journal_file_cut(struct journal_file *j, struct diag *diag);
/* One batch of `count` entries, each u32be length + bytes: one write, one fdatasync. On failure
 * nothing of it is in the file; *ret_lost tells that even the cut failed, and only load may go on.
 */
struct status journal_file_append(struct journal_file *j, struct view entries, uint64_t count,
                                  struct diag *diag, bool *ret_lost);
/* A new journal takes the place of this one in one rename: it begins after `base` entries with that
 * root, and holds these records (of this one, or none). ret_old: the old one's descriptor, which is
 * the caller's to close: the last to close it waits for its blocks to be given back. */
struct status journal_file_restart(struct journal_file *j, uint64_t base, const struct digest *root,
                                   struct view records, struct diag *diag, int *ret_old);
/* Nothing is written for a while: gives back the memory that an empty journal has kept. */
void journal_file_rest(struct journal_file *j);

#endif
