/* bundle: a model as it is sealed: manifest (JSON), the workspace's Ed25519 signature over it, and
 * the model file, whose SHA-256 the manifest holds. docs/spec/bundle.md has the layout. */
#ifndef STEWARD_WORKSPACE_BUNDLE_H
#define STEWARD_WORKSPACE_BUNDLE_H

#include "base/json.h"
#include "vault/vault.h"

/* Adds "model_sha256" to the manifest, signs, appends the bundle. */
struct status bundle_put(const struct vault *v, json_t *manifest, struct view model,
                         struct buf *ret_bundle);
/* Verifies signature and digest; STATUS_INTEGRITY with the reason. ret_model borrows from bytes. */
struct status bundle_open(const uint8_t public_key[static VAULT_PUBLIC_BYTES], struct view bytes,
                          struct diag *diag, json_t **ret_manifest, struct view *ret_model);

#endif
