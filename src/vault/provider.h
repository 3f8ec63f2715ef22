/* provider: the key providers by name, and which of them a workspace has. One owns what its table
 * (struct vault_provider) borrows.
 *
 * A target says where a key is: "passphrase"; a URI of RFC 7512 (vault/pkcs11.h); or the https URL
 * of a key of a transit service (vault/transit.h). The credential is the passphrase, the token's
 * PIN, or the service's token. */
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
/* The name that stands in dir/workspace.json: "passphrase", "pkcs11", "transit". */
struct status provider_name(const char *dir, struct diag *diag, char ret_name[static 16]);

#endif
