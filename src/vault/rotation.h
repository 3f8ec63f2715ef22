/* rotation: what is done to the workspace's key itself: a new generation, re-wrapping, another
 * provider, withdrawing it. Of a vault whose keys are in this process (vault_open) and that holds
 * its provider (vault_hold); else STATUS_UNSUPPORTED. The caller keeps changes of the workspace
 * apart (workspace_lock): workspace/keys.h does all of it in order.
 *
 * A rotation: vault_advance (from now on all is wrapped under the new generation, and what is under
 * the older one still opens); re-wrap everything; vault_forget_older. It can be cut off anywhere
 * and gone on with: re-wrapping what is done already does nothing. */
#ifndef STEWARD_VAULT_ROTATION_H
#define STEWARD_VAULT_ROTATION_H

#include "vault/vault.h"

#define VAULT_GENERATIONS 4u /* at once */
#define VAULT_FILE_MAX (1u << 20)

struct vault_generation {
    uint32_t number;
    int64_t made_ns;
};

/* As vault_open, also when the key has been revoked: for `steward key list` and `restore`. */
struct status vault_open_revoked(const char *dir, const struct vault_provider *p, struct diag *diag,
                                 struct vault **ret_vault);
/* Lets v follow what other processes do to keys/workspace.json. p->ctx is borrowed until
 * vault_free. Before any thread uses v. */
void vault_hold(struct vault *v, const struct vault_provider *p);

/* How long v may go on after a check has begun that its provider has not answered, nor a later one;
 * without this: for ever. Before any thread uses v. */
void vault_set_patience(struct vault *v, int64_t unreachable_ns);

/* Newest first; returns how many. */
size_t vault_generations(const struct vault *v,
                         struct vault_generation ret_all[static VAULT_GENERATIONS]);
/* Appends the reason of vault_set_revoked, "" when not revoked. */
struct status vault_revoked(const struct vault *v, struct buf *ret_reason);

/* STATUS_EXISTS while there are older generations. */
struct status vault_advance(struct vault *v, struct diag *diag);
/* Destroys the older generations: what is still wrapped under them is lost. */
struct status vault_forget_older(struct vault *v, struct diag *diag);
/* Wraps the workspace key by p from now on; p->ctx is borrowed until vault_free. The same provider
 * with its key's newest version, or the same passphrase under a new salt, is a change, too. */
struct status vault_set_provider(struct vault *v, const struct vault_provider *p,
                                 struct diag *diag);
/* "": no longer revoked. */
struct status vault_set_revoked(struct vault *v, const char *reason, struct diag *diag);

/* Whether a data key is wrapped under another generation than the newest. */
bool vault_is_older(const struct vault *v, const uint8_t wrapped[static VAULT_WRAPPED_BYTES]);
/* Wraps it under the newest, in place; nothing changes when it is already. */
struct status vault_rewrap(const struct vault *v, const char *purpose,
                           const uint8_t bound[static VAULT_BOUND_BYTES],
                           uint8_t wrapped[static VAULT_WRAPPED_BYTES], bool *ret_changed);
/* The same of a record's. */
struct status vault_rewrap_record(const struct vault *v, const char *purpose, struct view context,
                                  uint8_t *sealed, size_t len, bool *ret_changed);
/* The same of a file that is one record, replaced at once when it changes. */
struct status vault_rewrap_file(const struct vault *v, const char *path, const char *purpose,
                                const char *context, struct diag *diag);
/* The same of the files in keys/. */
struct status vault_rewrap_roots(struct vault *v, struct diag *diag);

/* Asks the provider for the key, now. When it says that it is not to be had (any failure but IO,
 * BUSY, MEMORY, LIMIT: those mean that it could not be asked), or the key is revoked, v is
 * withdrawn, until a later check succeeds; so it is when it could not be asked for as long as
 * vault_set_patience says. One thread at a time; others may use v meanwhile. */
struct status vault_check(struct vault *v, struct diag *diag);

#endif
