/* fixture: what the log's tests share: a signing key of their own, logs to play with, and every
 * file of one. */
#ifndef STEWARD_TESTS_GOVERN_FIXTURE_H
#define STEWARD_TESTS_GOVERN_FIXTURE_H

#include "testing/testing.h"

#include "govern/audit.h"
#include "govern/merkle.h"

#define FIXTURE_ORIGIN "log.example/test"

/* Puts test folders into memory where there is such a place: what is tested does not depend on the
 * disk, and syncing a busy one takes most of the time. */
void fixture_in_memory(void);
/* Ed25519 from a fixed seed; the same in every process. */
struct audit_signer fixture_signer(void);
/* A signer with another key, of the same name. */
struct audit_signer fixture_other_signer(void);
/* {"v":1,"time":...,"id":"entry-<i>"}: times a second apart. */
void fixture_entry(uint64_t i, struct buf *ret_entry);
/* The number of such an entry. */
uint64_t fixture_entry_number(struct view entry);
/* Publishing happens at close only, unless publish_ns is given. */
struct audit *fixture_open(const char *dir, int64_t publish_ns);
/* Appends entries [from, to) in any batches, and closes (which publishes). */
void fixture_append(const char *dir, uint64_t from, uint64_t to);
/* A log whose checkpoint covers `published` entries and whose journal holds `pending` more. */
void fixture_log(const char *dir, uint64_t published, uint64_t pending);

/* Leaves so many zeros behind the journal's records, which changes nothing that it says. */
void fixture_pad(const char *dir, size_t zeros);

/* Sign, shorten. The caller holds the lock. */
struct ledger;
struct growth;
struct status fixture_adopt(struct ledger *l, struct growth *g, struct diag *diag);
/* Gather and write before. */
struct status fixture_publish(struct ledger *l, struct diag *diag);
/* One batch of one entry. The caller holds the lock. */
struct status fixture_ledger_append(struct ledger *l, uint64_t i, struct diag *diag);

/* Makes of the log a folder with a file for each tile, and none of the tree. */
void fixture_own_files(const char *dir);

/* Asserts that the log verifies, and how many entries it has: under the checkpoint, pending. */
void fixture_verify(const char *dir, uint64_t entries, uint64_t pending);
/* Every regular file under dir, as paths relative to it; sorted. */
struct fixture_files {
    char *path[256];
    size_t n;
};
void fixture_files(const char *dir, struct fixture_files *ret_files);
void fixture_files_done(struct fixture_files *f);
/* Overwrites in place, so that nothing but the bytes changes. */
void fixture_overwrite(const char *dir, const char *name, struct view bytes);

/* RFC 6962 section 2.1, word by word: the oracle. */
void fixture_mth(const struct digest *leaves, size_t n, struct digest *ret_root);

#endif
