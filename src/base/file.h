/* file: whole files, atomic replacement, locks. All paths are opened with O_CLOEXEC. A diag names
 * the path. */
#ifndef STEWARD_BASE_FILE_H
#define STEWARD_BASE_FILE_H

#include "base/secret.h"

/* What the system said of that path: a failure with errno and a sentence; file_refuse makes a
 * missing file STATUS_NOT_FOUND. */
struct status file_refuse_os(const char *path, int err, struct diag *diag);
struct status file_refuse(const char *path, int err, struct diag *diag);
/* Reads at most max bytes; a longer file is STATUS_LIMIT, a missing one STATUS_NOT_FOUND. */
struct status file_read(const char *path, size_t max, struct diag *diag, struct buf *ret_bytes);
/* What a person keeps in a file's first line; called: "the passphrase", for sentences. STATUS_INPUT
 * when others than its owner and group may read it, anybody else may write it, or it is empty;
 * STATUS_LIMIT when the file has more than max bytes. */
struct status file_read_secret(const char *path, size_t max, const char *called, struct diag *diag,
                               struct secret *ret_secret);
/* tmp file beside it, write, fsync, rename, fsync of the directory: readers see the old or the new,
 * never a part; on failure the old is untouched and the tmp file is gone. */
struct status file_replace(const char *path, struct view bytes, unsigned mode, struct diag *diag);
/* The same in pieces: a file that nobody sees before it is kept. Write to fd, then keep; done
 * removes what was not kept. What is there already and no regular file (a pipe, a terminal) is
 * written to at once. Zeroed, it holds nothing. */
struct file_draft {
    int fd;
    char *path, *tmp; /* tmp NULL: path itself is written */
    bool elsewhere;   /* base/outputs made it, and puts it in its place */
};
/* A new file of exactly that mode, whatever the umask: who is confined may change no modes. -1 with
 * errno. */
int file_make(const char *path, unsigned mode);
/* Where a process begins with a standard descriptor closed: it reads nothing, and to write to it is
 * still refused. What is opened later is none of the three. */
void file_fill_standard(void);
/* A pipe, a device, or what standard output or error is: it is written, nothing takes its place. */
bool file_is_written_at_once(const char *path);
struct status file_draft_open(const char *path, unsigned mode, struct diag *diag,
                              struct file_draft *ret_draft);
struct status file_draft_keep(struct file_draft *d, struct diag *diag);
void file_draft_done(struct file_draft *d);
/* write(2) until all is out. FAIL_OS(ENOSPC) and friends with path in the diag. */
struct status file_write_all(int fd, struct view bytes, const char *path, struct diag *diag);
/* The same at a place of the file, with pwrite(2). */
struct status file_write_at(int fd, struct view bytes, uint64_t at, const char *path,
                            struct diag *diag);
struct status file_sync_dir(const char *path, struct diag *diag);
/* Sends bytes of a file that were just written to disk, a part at a time: another file's sync
 * meanwhile waits for a part and not for all. Makes nothing durable; but a failure is one of the
 * file's, and no later sync of another descriptor tells it again. */
struct status file_trickle(int fd, uint64_t at, uint64_t length, const char *path,
                           struct diag *diag);
struct status file_mkdirs(const char *path, unsigned mode, struct diag *diag); /* like mkdir -p */
/* A file of these bytes that is in memory alone, and never written again: for libraries that take
 * paths only. It is there for as long as the process. */
struct status file_memory(const char *name, struct view bytes, struct diag *diag,
                          char ret_path[static 32]);
bool file_exists(const char *path);
bool file_is_folder(const char *path); /* or a link to one */
/* Exclusive flock on path (made if absent). wait=false: STATUS_BUSY when held by another. Released
 * by close(fd). */
struct status file_lock(const char *path, bool wait, struct diag *diag, int *ret_fd);
/* Whether somebody holds it now; for a moment, whoever asks may stand in the way of who takes it.
 */
bool file_is_locked(const char *path);
void file_closep(int *fd); /* for DEFER; ignores -1 */
/* dir + "/" + name into a malloc'd string; aborts when memory is out. */
char *file_join(const char *dir, const char *name);
void file_freep(char **text); /* for DEFER on malloc'd strings */
/* The folder that path stands in, by its name alone; the nearest one that is there, of it and those
 * above. Malloc'd. */
char *file_parent(const char *path);
char *file_ancestor(const char *path);
/* Another of Steward's programs: beside the one that runs, or in ../libexec/steward/. Malloc'd;
 * NULL where /proc is missing. */
char *file_program(const char *name);

#endif
