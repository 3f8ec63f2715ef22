/* keys: what is done to a workspace's key as a whole: rotated, re-wrapped, given to another
 * provider, revoked, restored. Each is an entry of the audit log. docs/spec/keys.md. */
#ifndef STEWARD_WORKSPACE_KEYS_H
#define STEWARD_WORKSPACE_KEYS_H

#include "base/json.h"
#include "vault/provider.h"
#include "workspace/workspace.h"

struct keys_result {
    uint32_t generation;       /* newest */
    uint64_t records, objects; /* re-wrapped now; what was done before a cut is not counted */
    bool resumed;              /* an unfinished rotation was gone on with */
};

/* Called after each step; may be NULL. */
struct keys_progress {
    void (*step)(void *ctx, const char *what);
    void *ctx;
};

/* A new generation of the workspace key; every data key re-wrapped under it; the older one
 * destroyed. No data is touched, servers go on. What a cut (crash, full disk) left unfinished is
 * gone on with, without another generation. Holds workspace_lock. */
struct status keys_rotate(struct workspace *w, const struct keys_progress *p, struct diag *diag,
                          struct keys_result *ret_result);
/* Finishes a rotation if one is unfinished; then wraps the workspace key anew: by the provider that
 * it has (under its key's newest version), or by `to`, whose provider w keeps on success. */
struct status keys_rewrap(struct workspace *w, struct provider **to, const struct keys_progress *p,
                          struct diag *diag, struct keys_result *ret_result);
/* Until keys_restore nothing of the workspace opens; a server that runs learns of it when it looks.
 * reason: 1 to 200 bytes of UTF-8 without control characters. */
struct status keys_revoke(struct workspace *w, const char *reason, struct diag *diag);
struct status keys_restore(struct workspace *w, struct diag *diag);
/* {"provider", "target", "generations": [{"generation", "made", "state"}], "revoked"?,
 * "signing_key"} */
struct status keys_describe(struct workspace *w, json_t **ret_object);

#endif
