/* access: principals, groups, roles, grants, credentials, and the decision who may do what. Default
 * deny; deny beats allow. A role is actions on resource patterns, under conditions, with rights on
 * columns and outputs; a grant gives (or denies) a principal or a group one role on a resource
 * pattern. Resources are paths: "models/mortgage", "datasets/lending", "audit",
 * "principals/loan-desk", "metrics". Patterns: '*' is one whole segment, '**' the rest, also none.
 * docs/spec/access.md. */
#ifndef STEWARD_PROTECT_ACCESS_H
#define STEWARD_PROTECT_ACCESS_H

#include "base/json.h"
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
    ACCESS_CAPTURE_READ, /* what calls asked and were answered */
    ACCESS_USAGE_READ,   /* who called how much, and what quotas leave */
    ACCESS_ACTIONS
};

const char *access_action_word(enum access_action a); /* "model.infer" */
/* STATUS_INPUT with the nearest word, or all of them. */
struct status access_action_from_word(const char *word, struct diag *diag,
                                      enum access_action *ret_action);

/* What of a prediction is told; each holds what stands before it. */
enum access_output {
    ACCESS_OUTPUT_NONE,    /* that the call was taken */
    ACCESS_OUTPUT_CLASS,   /* the decision */
    ACCESS_OUTPUT_ROUNDED, /* the probability, rounded */
    ACCESS_OUTPUT_FULL
};
const char *access_output_word(enum access_output o); /* "none", "class", "rounded", "full" */

struct access;
struct status access_open(struct store *s, const struct vault *v, struct access **ret_access);
void access_free(struct access *a);
DEFINE_FREEP(access_free, struct access)

/* ---- administration (access_admin.c, access_key_admin.c, access_policy.c) ---- */

/* resource NULL: "**". when: conditions as an object (docs/spec/access.md), NULL: none. */
struct status access_principal_add(struct access *a, const char *name, const char *role,
                                   const char *resource, int64_t now_ns, struct diag *diag);
/* allow=false adds a deny: none of the role's actions on resource, whatever else is granted. */
struct status access_grant_add(struct access *a, const char *principal, const char *role,
                               const char *resource, bool allow, struct diag *diag);
struct status access_grant_add_when(struct access *a, const char *principal, const char *role,
                                    const char *resource, bool allow, const json_t *when,
                                    struct diag *diag);
/* A grant that is loud: until then, with the reason in every decision that rests on it alone. A
 * denial still beats it. */
struct status access_emergency_grant(struct access *a, const char *principal, const char *role,
                                     const char *resource, const char *reason, int64_t until_ns,
                                     struct diag *diag);
/* Those that are over go, too. */
struct status access_emergency_end(struct access *a, const char *principal, struct diag *diag,
                                   size_t *ret_ended);
/* Its keys and what was linked to it go with it, and it leaves its groups. */
struct status access_principal_remove(struct access *a, const char *name, struct diag *diag);
/* "sw_<id:10>_<secret:32 base62><checksum:6>": only an HMAC of it is kept. expires_ns absolute. */
#define ACCESS_KEY_TEXT_MAX 64
struct status access_key_issue(struct access *a, const char *principal, int64_t now_ns,
                               int64_t expires_ns, char ret_key[static ACCESS_KEY_TEXT_MAX],
                               struct diag *diag);
/* A new key for the same principal; the old one holds until the overlap is over, so that both may
 * be used meanwhile. Times are absolute. STATUS_INPUT when the old one holds no more. */
struct access_rotation {
    int64_t now_ns, overlap_ns, expires_ns;
};
struct status access_key_rotate(struct access *a, const char *key_id,
                                const struct access_rotation *r,
                                char ret_key[static ACCESS_KEY_TEXT_MAX], struct diag *diag);
/* Earlier than it would have ended. */
struct status access_key_expire(struct access *a, const char *key_id, int64_t at_ns,
                                struct diag *diag);
/* Writes down when keys were last used, where that is an hour newer than what is written: one
 * transaction, called every minute or so, never on the way of a call. */
#define ACCESS_USE_NS (INT64_C(3600) * 1000000000)
struct status access_keys_note_uses(struct access *a, struct diag *diag);
struct status access_key_revoke(struct access *a, const char *key_id, struct diag *diag);
/* JSON arrays for the CLI: principals with roles; keys with id, principal, issued, expires, revoked
 * (never the key); roles, built-in ones first; groups. */
struct status access_put_principals(struct access *a, struct buf *ret_json);
struct status access_put_keys(struct access *a, struct buf *ret_json);
struct status access_put_roles(struct access *a, struct buf *ret_json);
struct status access_put_groups(struct access *a, struct buf *ret_json);
/* STATUS_INPUT unless it is a resource pattern (or a resource). */
struct status access_pattern_check(const char *pattern, struct diag *diag);
/* STATUS_EXISTS with whom it is granted to. */
struct status access_role_remove(struct access *a, const char *name, struct diag *diag);
struct status access_group_remove(struct access *a, const char *name, struct diag *diag);

/* ---- the hot path: thread-safe, from a snapshot that is reloaded when the store changed (checked
 * at most every 250 ms) ---- */

#define ACCESS_NAME_MAX 64u
#define ACCESS_GROUPS_MAX 16u /* of one token */

/* Who calls. */
struct access_caller {
    char principal[ACCESS_NAME_MAX]; /* "" : nobody */
    char groups[ACCESS_GROUPS_MAX][ACCESS_NAME_MAX];
    size_t group_count; /* that a token adds to those of the store */
};

/* What is presented. */
struct access_credential {
    const char *bearer;      /* an API key or a token; NULL: none */
    const char *certificate; /* identity of a verified client certificate; "" or NULL: none */
    const char *fingerprint; /* of that certificate: its SHA-256 in hexadecimal; may be NULL */
    const char *key_id; /* where there is no bearer: of a key that was right when a session began */
    uint64_t peer;      /* the address as a number: for those who fail */
    int64_t now_ns;     /* clock_wall_ns */
};
#define ACCESS_PROOF_MAX 288u
struct access_sign_in {
    struct access_caller caller; /* principal "" unless OK */
    /* How, for the log: "api-key ID", "token ISSUER KID", "certificate SHA256"; "" unless OK. */
    char proof[ACCESS_PROOF_MAX];
    const char *reason;     /* when it failed, for the log: "key expired" */
    unsigned retry_after_s; /* with LIMIT and BUSY */
    bool certificate;       /* one came that is not linked to somebody else */
};
/* A bearer alone counts where there is one; else the certificate. STATUS_AUTH: malformed, unknown,
 * expired or revoked, all alike to the caller. STATUS_LIMIT: too many failures, wait
 * (access_slow.h). STATUS_BUSY: the keys that a token is verified with are being fetched. */
struct status access_authenticate(struct access *a, const struct access_credential *c,
                                  struct access_sign_in *ret_sign_in);

struct access_request {
    const struct access_caller *caller;
    enum access_action action;
    const char *resource;
    int64_t now_ns;      /* clock_wall_ns */
    const char *address; /* numeric, of the peer; "" or NULL: this machine's command line */
    bool certificate;    /* access_sign_in's */
    const char *purpose; /* as stated; "" or NULL: none */
};
/* One that may be stated: 1 to 128 printable ASCII characters, no blank at either end. */
bool access_purpose_ok(const char *text);
#define ACCESS_VERSION_MAX 33u
struct access_decision {
    bool allow;
    bool denied;    /* by a rule, or since nothing can be read; not by default */
    char rule[160]; /* "role caller on models/mortgage", "default deny" */
    /* Of all roles, grants and groups that were in force: 32 hex digits; "" when unreadable. */
    char version[ACCESS_VERSION_MAX];
    /* When allowed: */
    enum access_output output;
    uint8_t digits;
    bool explanations;
    bool break_glass; /* allowed, or more is shown, by an emergency's grant alone */
};
void access_decide(struct access *a, const struct access_request *q,
                   struct access_decision *ret_decision);
/* Whether it is of that group, by the store or its token. */
bool access_in_group(struct access *a, const struct access_caller *caller, const char *group);
/* Whether a grant of that role lets this request be made, its own or a group's. */
bool access_by_role(struct access *a, const struct access_request *q, const char *role);
/* Of an allowed request: ret_visible[i] = whether the values of columns[i] are seen unmasked. */
void access_columns(struct access *a, const struct access_request *q, const char *const *columns,
                    size_t n, bool *ret_visible);
/* Decision and every rule of the caller that has the action, with why it holds or does not:
 * {allow, rule, output, ..., considered: [{of, rule, effect, holds, why}]}. */
struct status access_explain(struct access *a, const struct access_request *q, json_t **ret_object);

#endif
