/* provider: the key providers by name, and which of them a workspace has. One owns what its table
 * (struct vault_provider) borrows.
 *
 * A target says where a key is: "passphrase" is the one that there is. The credential is what opens
 * it: the passphrase. */
#ifndef STEWARD_VAULT_PROVIDER_H
#define STEWARD_VAULT_PROVIDER_H

#include "base/json.h"
#include "vault/vault.h"

#define PROVIDER_TARGET_MAX 1024u

struct provider;

/* What holds the keys in dir (keys/). credential is copied. */
struct status provider_open(const char *dir, const struct secret *credential, struct diag *diag,
                            struct provider **ret_provider);
/* For new wraps. STATUS_INPUT with a sentence when target is none of these. */
struct status provider_new(const char *target, const struct secret *credential, struct diag *diag,
                           struct provider **ret_provider);
void provider_free(struct provider *p);
DEFINE_FREEP(provider_free, struct provider)
/* Borrowed until provider_free. */
const struct vault_provider *provider_table(const struct provider *p);
/* The target, in words for people: never the credential. */
const char *provider_target(const struct provider *p);

#endif
