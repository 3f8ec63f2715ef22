/* workspace: an encrypted home directory and everything in it: vault, store, access, audit log,
 * objects. The one object that the server and the command line stand on; what they can do, this can
 * do.
 *
 * Layout (docs/spec/workspace.md): steward.yaml, keys/, tls/cert.pem + tls/key.sealed, state.db,
 * objects/, audit/, change.lock, serve.lock. */
#ifndef STEWARD_WORKSPACE_WORKSPACE_H
#define STEWARD_WORKSPACE_WORKSPACE_H

#include "govern/audit.h"
#include "protect/access.h"
#include "store/store.h"
#include "vault/keeper.h"
#include "vault/vault.h"

#define WORKSPACE_USER_MAX 64

#define WORKSPACE_REASON_MAX 64

struct provider;

/* workspace/key_use.h has it. */
struct key_uses {
    uint64_t *told;
    size_t count, room;
};

struct workspace {
    char *dir;
    struct provider *provider; /* of the workspace key */
    struct vault *vault;
    struct store *store;
    struct keeper_client *keeper; /* the vault's; NULL: the keys are in this process */
    struct tls_keys *tls;         /* NULL until they are used, or with a keeper */
    struct access *access;
    struct audit *audit;
    json_t *before; /* policies.h: what did not comply when the change began */
    /* What policies do beside a change, and find by it; NULL: nobody is told. */
    void (*tell)(void *ctx, bool drifted, const char *sentence);
    void *tell_ctx;
    char origin[VAULT_NAME_MAX];        /* the log's name: vault_name */
    char principal[WORKSPACE_USER_MAX]; /* who acts on the command line: "local:<user>" */
    char reason[WORKSPACE_REASON_MAX];  /* what for: the verb */
    struct key_uses uses;
};

struct workspace_init_options {
    const char *provider;            /* a target of vault/provider.h; NULL: passphrase */
    const struct secret *passphrase; /* or what else opens the key (vault/provider.h) */
    /* Names and addresses for the TLS certificate; NULL: localhost, 127.0.0.1, ::1. */
    const char *const *hosts;
    size_t host_count;
    struct view config; /* becomes steward.yaml */
    /* Asked before the workspace appears; true: nothing is left, STATUS_BUSY. May be NULL. */
    bool (*interrupted)(void);
};

/* dir must be absent or empty. Makes keys, certificate (EC P-256, self-signed, 397 days), store,
 * log with its first entry. All of it appears at once (made beside dir, then renamed), or nothing
 * does. */
struct status workspace_init(const char *dir, const struct workspace_init_options *o,
                             struct diag *diag);
struct workspace_open_options {
    const struct secret *passphrase; /* or what else opens the key */
    struct keeper_client *keeper;    /* in place of the passphrase; taken over, also on failure */
    int64_t audit_publish_ns;        /* 0: audit.h's default */
    const char *principal;           /* who acts; NULL: workspace_user */
    const char *reason; /* what for, as entries about keys say it: the verb; NULL: "library" */
    bool told;          /* the act's own entry tells that the workspace was opened */
    bool even_revoked;  /* for what is done about a revoked key */
    const char *keys;   /* the folder in dir that the keys are in; NULL: "keys". No workspace yet */
};
/* "local:<user>", who has started this process. The first time asks the system's list of users, and
 * that may be over a socket: before those are given up. */
void workspace_user(char ret_user[static WORKSPACE_USER_MAX]);
/* Writes an entry that the workspace's key is used, unless `told`; fails when it cannot. */
struct status workspace_open(const char *dir, const struct workspace_open_options *o,
                             struct diag *diag, struct workspace **ret_workspace);
void workspace_close(struct workspace *w); /* publishes the log */
DEFINE_FREEP(workspace_close, struct workspace)
/* STATUS_NOT_FOUND with a sentence when dir is no workspace; needs no passphrase. */
struct status workspace_check(const char *dir, struct diag *diag);
/* Held by whoever changes objects or registry, so that two changes never take one version. Release:
 * file_closep. */
struct status workspace_lock(const struct workspace *w, struct diag *diag, int *ret_fd);
/* Seals bytes as the object of that kind, name and version, under workspace_lock; removes first
 * what killed writers left beside it. */
struct status workspace_seal(const struct workspace *w, const char *kind, const char *name,
                             uint64_t version, struct view bytes, struct diag *diag);

/* An administrative act, written to the audit log and waited for. */
struct workspace_act {
    const char *action;          /* "dataset.write" */
    const char *resource;        /* "datasets/lending" */
    const char *reason;          /* what was done, or why it was refused */
    uint64_t version;            /* of the model; 0: none */
    const struct digest *digest; /* of the model */
    const struct audit_alert *alert; /* NULL: it is none */
    bool refused;
};
struct status workspace_audit(struct workspace *w, const struct workspace_act *act,
                              struct diag *diag);
/* And which entry of the log it became. */
struct status workspace_audit_at(struct workspace *w, const struct workspace_act *act,
                                 struct diag *diag, uint64_t *ret_index);
/* The same without waiting: what became of it, audit_fate says after a later workspace_audit. */
struct status workspace_audit_queue(struct workspace *w, const struct workspace_act *act,
                                    uint64_t *ret_ticket);
/* Gives s back; what failed is in the log before, too, if it still takes entries. */
struct status workspace_tell_failure(struct workspace *w, const char *action, const char *resource,
                                     struct status s, const struct diag *diag);
/* Every change of the store begins with workspace_begin, and ends with one of the three below,
 * where the policies see it (workspace/policies.h): STATUS_DENIED, and the refused act in the log,
 * where one denies it. */
struct status workspace_begin(struct workspace *w, struct diag *diag);
/* The act is in the log before the change takes effect, and a failure of either leaves the change
 * undone. */
struct status workspace_commit(struct workspace *w, const struct workspace_act *act,
                               struct diag *diag);
/* The same when `done` is OK; else the change is undone, and done given back. */
struct status workspace_settle(struct workspace *w, struct status done,
                               const struct workspace_act *act, struct diag *diag);
/* As workspace_settle, of what takes a right away: not undone when the log cannot take it. */
struct status workspace_take_away(struct workspace *w, struct status done,
                                  const struct workspace_act *act, struct diag *diag);
/* Path of an object file, malloc'd: objects/<kind>/<name>/<version>.sealed */
char *workspace_object_path(const struct workspace *w, const char *kind, const char *name,
                            uint64_t version);
/* Another certificate (and those that signed it) and its key, in PEM: sealed, recorded, and in
 * place for whoever asks next. Does not check that they belong together. */
struct status workspace_set_tls(struct workspace *w, struct view chain, struct view key,
                                const char *reason, struct diag *diag);
/* The TLS key's data key under the newest generation (vault/rotation.h). */
struct status workspace_rewrap_tls(const struct workspace *w, struct diag *diag);
/* TLS, as it is now: the certificate and those that signed it, in PEM, and who signs with its key;
 * the signer serves until the workspace is closed. */
struct status workspace_tls(struct workspace *w, struct diag *diag, struct buf *ret_chain,
                            struct tls_signer *ret_signer);

#endif
