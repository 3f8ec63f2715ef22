/* access: principals, roles, grants, API keys, and the decision who may do what. Default deny; deny
 * beats allow. Roles are a table of actions; a grant gives (or denies) a principal one role on a
 * resource pattern. Resources are paths: "models/mortgage", "datasets/lending", "audit",
 * "principals/loan-desk", "metrics". Patterns: '*' is one whole segment, '**' the rest, also none.
 * docs/spec/access.md. */
#ifndef STEWARD_PROTECT_ACCESS_H
#define STEWARD_PROTECT_ACCESS_H

#include "store/store.h"

/* Actions, one word each in access_roles.c's table. */
enum access_action {
    ACCESS_WORKSPACE_CONFIGURE,
    ACCESS_DATASET_READ,
    ACCESS_DATASET_WRITE,
    ACCESS_MODEL_READ,  /* metadata */
    ACCESS_MODEL_WRITE, /* train, register */
    ACCESS_MODEL_INFER,
    ACCESS_MODEL_ASSESS,
    ACCESS_PRINCIPAL_READ,
    ACCESS_PRINCIPAL_WRITE,
    ACCESS_KEY_ISSUE,
    ACCESS_KEY_REVOKE,
    ACCESS_AUDIT_READ,
    ACCESS_METRICS_READ,
    ACCESS_SERVER_OPERATE,
    ACCESS_ACTIONS
};

const char *access_action_word(enum access_action a); /* "model.infer" */
struct access_role {
    const char *name;
    const char *about;
};
/* admin, data-scientist, operator, caller, auditor */
const struct access_role *access_roles(size_t *ret_count);

struct access;
struct status access_open(struct store *s, const struct vault *v, struct access **ret_access);
void access_free(struct access *a);
DEFINE_FREEP(access_free, struct access)

/* Administration. resource NULL: "**". */
struct status access_principal_add(struct access *a, const char *name, const char *role,
                                   const char *resource, int64_t now_ns, struct diag *diag);
/* allow=false adds a deny: none of the role's actions on resource, whatever else is granted. */
struct status access_grant_add(struct access *a, const char *principal, const char *role,
                               const char *resource, bool allow, struct diag *diag);
/* Its keys die with it. */
struct status access_principal_remove(struct access *a, const char *name, struct diag *diag);
/* "sw_<id:10>_<secret:32 base62><checksum:6>": only an HMAC of it is kept. expires_ns absolute. */
#define ACCESS_KEY_TEXT_MAX 64
struct status access_key_issue(struct access *a, const char *principal, int64_t now_ns,
                               int64_t expires_ns, char ret_key[static ACCESS_KEY_TEXT_MAX],
                               struct diag *diag);
struct status access_key_revoke(struct access *a, const char *key_id, struct diag *diag);
/* JSON arrays for the CLI: principals with roles; keys with id, principal, issued, expires, revoked
 * (never the key). */
struct status access_put_principals(struct access *a, struct buf *ret_json);
struct status access_put_keys(struct access *a, struct buf *ret_json);

/* The hot path: thread-safe, from a cache that is reloaded when the store changed (checked at most
 * every 250 ms). ret_principal: name, at most 64 bytes. STATUS_AUTH: malformed, unknown, expired or
 * revoked, all alike to the caller; ret_reason says which, for the log ("key expired"). */
struct status access_authenticate(struct access *a, struct view key, int64_t now_ns,
                                  char ret_principal[static 64], const char **ret_reason);
struct access_decision {
    bool allow;
    char rule[160]; /* "role caller on models/mortgage", "default deny" */
};
void access_decide(struct access *a, const char *principal, enum access_action action,
                   const char *resource, struct access_decision *ret_decision);

#endif
