/* store: control state as records (collection, id) -> bytes with a revision; SQLite behind it
 * (PostgreSQL later, behind the same interface). Knows no domain. Values are sealed with the vault
 * and bound to collection, id and revision, so the file shows names and sizes only and a changed
 * value is refused (an older row put back is not: docs/spec/store.md). Several processes may have
 * it open. Thread-safe. */
#ifndef STEWARD_STORE_STORE_H
#define STEWARD_STORE_STORE_H

#include "vault/vault.h"

struct store;

/* Makes the file when there is none. STATUS_INTEGRITY when it is damaged or not ours,
 * STATUS_UNSUPPORTED when a newer steward wrote it. v is borrowed until store_free. */
struct status store_open(const char *path, const struct vault *v, struct diag *diag,
                         struct store **ret_store);
void store_free(struct store *s);
DEFINE_FREEP(store_free, struct store)
/* A diag gets a sentence for what is the store's own trouble (damage, full disk, busy), not for
 * NOT_FOUND and EXISTS, which the caller names better. collection and id: 1 to 255 bytes of UTF-8
 * without control characters (STATUS_INPUT from put; nothing else is ever found). */
/* STATUS_NOT_FOUND when absent, STATUS_INTEGRITY when changed. ret_revision may be NULL. */
struct status store_get(struct store *s, const char *collection, const char *id, struct diag *diag,
                        struct buf *ret_value, uint64_t *ret_revision);
/* expect: 0 = must not exist (STATUS_EXISTS), n = must be at revision n (STATUS_BUSY), STORE_ANY =
 * either. */
#define STORE_ANY UINT64_MAX
struct status store_put(struct store *s, const char *collection, const char *id, struct view value,
                        uint64_t expect, struct diag *diag);
struct status store_delete(struct store *s, const char *collection, const char *id,
                           struct diag *diag);
/* Calls each(ctx, id, value) in id order; a failing each stops it. */
struct status store_each(struct store *s, const char *collection,
                         struct status (*each)(void *ctx, const char *id, struct view value),
                         void *ctx, struct diag *diag);
/* Changes when any process has committed since: cheap, for caches. Another number each time when
 * the file cannot be read. */
uint64_t store_change(struct store *s);
/* Appends the whole file as it is at one moment (a database that store_open takes), while others
 * read and write. STATUS_LIMIT when it is longer than ret_file takes. */
struct status store_copy(struct store *s, struct diag *diag, struct buf *ret_file);
/* Opens every record. STATUS_INTEGRITY with the first that was changed. */
struct status store_verify(struct store *s, struct diag *diag);
/* Wraps every record's data key under the workspace key's newest generation (vault/rotation.h),
 * some hundred at a time, so that others get their turn; values and revisions stay. It can be cut
 * off and gone on with. Adds to *ret_changed how many were. */
struct status store_rewrap(struct store *s, struct diag *diag, uint64_t *ret_changed);
/* Several puts and deletes as one, by one thread; others wait. A begin inside a begin joins it; a
 * rollback inside makes the outer commit fail. A failed commit has rolled back. STATUS_BUSY after
 * 5 s when another process holds the store. A put or delete that fails inside has done nothing; the
 * transaction may go on unless the system failed, which the commit then says. */
struct status store_begin(struct store *s, struct diag *diag);
struct status store_commit(struct store *s, struct diag *diag);
void store_rollback(struct store *s);

#endif
