/* store: control state as records (collection, id) -> bytes with a revision; SQLite behind it
 * (PostgreSQL later, behind the same interface). Knows no domain. Values are sealed with the vault
 * and bound to collection, id and revision, so the file shows names and sizes only and a changed
 * value is refused. Several processes may have it open. Thread-safe. */
#ifndef STEWARD_STORE_STORE_H
#define STEWARD_STORE_STORE_H

#include "vault/vault.h"

struct store;

struct status store_open(const char *path, const struct vault *v, struct diag *diag,
                         struct store **ret_store);
void store_free(struct store *s);
DEFINE_FREEP(store_free, struct store)
/* STATUS_NOT_FOUND when absent. ret_revision may be NULL. */
struct status store_get(struct store *s, const char *collection, const char *id,
                        struct buf *ret_value, uint64_t *ret_revision);
/* expect: 0 = must not exist (STATUS_EXISTS), n = must be at revision n (STATUS_BUSY), STORE_ANY =
 * either. */
#define STORE_ANY UINT64_MAX
struct status store_put(struct store *s, const char *collection, const char *id, struct view value,
                        uint64_t expect);
struct status store_delete(struct store *s, const char *collection, const char *id);
/* Calls each(ctx, id, value) in id order; a failing each stops it. */
struct status store_each(struct store *s, const char *collection,
                         struct status (*each)(void *ctx, const char *id, struct view value),
                         void *ctx);
/* Changes when any process has committed since: cheap, for caches. */
uint64_t store_change(struct store *s);
/* Several puts as one: between begin and commit (same thread). */
struct status store_begin(struct store *s);
struct status store_commit(struct store *s);
void store_rollback(struct store *s);

#endif
