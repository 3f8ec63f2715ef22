#include "workspace/workspace.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "vault/provider.h"
#include "vault/rotation.h"
#include "vault/seal.h"
#include "vault/transit_ask.h"
#include "workspace/certificate.h"
#include "workspace/key_use.h"
#include "workspace/place.h"
#include "workspace/policies.h"
#include "workspace/unopened.h"

#include <dirent.h>
#include <pthread.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TLS_MAX_BYTES (64u << 10)

/* ---- making one ---- */

static struct status
write_tls(const char *dir, const struct vault *v, struct view chain, struct view key,
          struct diag *diag)
{
    DEFER(buf_done) struct buf sealed;
    buf_init(&sealed, TLS_MAX_BYTES);
    TRY(vault_seal_record(v, TLS_KEY_PURPOSE, view_str(TLS_KEY_CONTEXT), key, &sealed));
    DEFER(file_freep) char *tls = file_join(dir, "tls");
    DEFER(file_freep) char *cert_path = file_join(tls, "cert.pem");
    DEFER(file_freep) char *key_path = file_join(tls, "key.sealed");
    TRY(file_mkdirs(tls, 0700, diag));
    TRY(file_replace(key_path, buf_view(&sealed), 0600, diag));
    return file_replace(cert_path, chain, 0644, diag);
}

static struct status
make_tls(const char *dir, const struct vault *v, const struct workspace_init_options *o,
         struct diag *diag)
{
    static const char *const local[] = {"localhost", "127.0.0.1", "::1"};
    DEFER(buf_done) struct buf cert;
    DEFER(buf_wipe) struct buf key;
    buf_init(&cert, TLS_MAX_BYTES);
    buf_init(&key, TLS_MAX_BYTES);
    TRY(o->hosts == NULL ? certificate_make(local, 3, diag, &cert, &key)
                         : certificate_make(o->hosts, o->host_count, diag, &cert, &key));
    return write_tls(dir, v, buf_view(&cert), buf_view(&key), diag);
}

static struct status
make_store(const char *dir, const struct vault *v, struct diag *diag)
{
    DEFER(file_freep) char *state = file_join(dir, "state.db");
    struct store *s = NULL;
    TRY(store_open(state, v, diag, &s));
    store_free(s);
    return OK;
}

static struct status
make_in(const char *dir, const struct workspace_init_options *o, struct diag *diag)
{
    DEFER(file_freep) char *keys = file_join(dir, "keys");
    DEFER(file_freep) char *config = file_join(dir, "steward.yaml");
    DEFER(provider_freep) struct provider *provider = NULL;
    DEFER(vault_freep) struct vault *vault = NULL;
    const struct provider_means means = {.credential = o->passphrase, .transit = &transit_kind};
    TRY(provider_new(o->provider == NULL ? "passphrase" : o->provider, &means, diag, &provider));
    TRY(file_mkdirs(keys, 0700, diag));
    TRY(vault_create(keys, provider_table(provider), diag, &vault));
    TRY(make_tls(dir, vault, o, diag));
    TRY(make_store(dir, vault, diag));
    TRY(file_replace(config, o->config, 0644, diag));
    DEFER(workspace_closep) struct workspace *w = NULL;
    const struct workspace_open_options open = {.passphrase = o->passphrase, .told = true};
    TRY(workspace_open(dir, &open, diag, &w));
    const struct workspace_act act = {
        .action = "workspace.init", .resource = "workspace", .reason = "workspace made"};
    return workspace_audit(w, &act, diag);
}

struct status
workspace_init(const char *dir, const struct workspace_init_options *o, struct diag *diag)
{
    DEFER(file_freep) char *place = NULL;
    DEFER(place_remove) char *made = NULL;
    TRY(place_choose(dir, diag, &place));
    TRY(place_beside(place, diag, &made));
    TRY(make_in(made, o, diag));
    if (o->interrupted != NULL && o->interrupted()) {
        diag_set(diag, "%s: interrupted; nothing was made", dir);
        FAIL(BUSY);
    }
    return place_take(&made, place, diag);
}

/* ---- opening one ---- */

static struct status
sign(void *ctx, struct view message, uint8_t ret_signature[static 64])
{
    return vault_sign(ctx, VAULT_SIGN_CHECKPOINT, message, ret_signature);
}

static char user_name[WORKSPACE_USER_MAX];

static void
look_up_user(void)
{
    const struct passwd *user = getpwuid(geteuid());
    if (user != NULL) {
        (void)snprintf(user_name, sizeof user_name, "local:%s", user->pw_name);
    } else {
        (void)snprintf(user_name, sizeof user_name, "local:%u", (unsigned)geteuid());
    }
}

void
workspace_user(char ret_user[static WORKSPACE_USER_MAX])
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, look_up_user);
    text_copy(ret_user, WORKSPACE_USER_MAX, user_name);
}

static struct status
open_audit(struct workspace *w, int64_t publish_ns, struct diag *diag)
{
    struct audit_options o = {.publish_ns = publish_ns};
    vault_public_key(w->vault, o.signer.public_key);
    vault_name(w->vault, w->origin);
    o.signer.origin = w->origin;
    o.signer.sign = sign;
    o.signer.ctx = w->vault;
    DEFER(file_freep) char *dir = file_join(w->dir, "audit");
    TRY(file_mkdirs(dir, 0700, diag));
    return audit_open(dir, &o, diag, &w->audit);
}

struct status
workspace_check(const char *dir, struct diag *diag)
{
    DEFER(file_freep) char *key = file_join(dir, "keys/workspace.json");
    if (!file_exists(key)) {
        diag_set(diag,
                 "%s: not a workspace; \"steward init %s\" makes one, --workspace names another",
                 dir, dir);
        FAIL(NOT_FOUND);
    }
    return OK;
}

/* A workspace has had its store since it was made. An absent or emptied one must not be made anew:
 * principals and versions would begin again as if nothing had been. */
static struct status
check_store(const char *path, struct diag *diag)
{
    struct stat st;
    if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0) {
        return OK;
    }
    diag_set(diag, "%s: missing or empty; restore it from a backup", path);
    FAIL(INTEGRITY);
}

static struct status
open_vault(struct workspace *w, const struct workspace_open_options *o, struct diag *diag)
{
    if (o->keeper != NULL) {
        w->keeper = o->keeper;
        return keeper_client_vault(o->keeper, &w->vault);
    }
    DEFER(file_freep) char *keys = file_join(w->dir, o->keys == NULL ? "keys" : o->keys);
    if (o->keys == NULL) {
        TRY(workspace_check(w->dir, diag));
    }
    const struct provider_means means = {.credential = o->passphrase, .transit = &transit_kind};
    TRY(provider_open(keys, &means, diag, &w->provider));
    TRY((o->even_revoked ? vault_open_revoked : vault_open)(keys, provider_table(w->provider), diag,
                                                            &w->vault));
    vault_hold(w->vault, provider_table(w->provider));
    return OK;
}

/* With a keeper whoever started that has told; a folder of keys apart is of no workspace yet. */
static struct status
open_vault_or_tell(struct workspace *w, const struct workspace_open_options *o, struct diag *diag)
{
    const struct status s = open_vault(w, o, diag);
    return o->keeper != NULL || o->keys != NULL
               ? s
               : workspace_tell_unopened(w->dir, w->principal, w->reason, s, diag);
}

/* A keeper is taken over by the vault first of all. */
static struct status
open_all(struct workspace *w, const struct workspace_open_options *o, struct diag *diag)
{
    DEFER(file_freep) char *state = file_join(w->dir, "state.db");
    TRY(open_vault_or_tell(w, o, diag));
    TRY(check_store(state, diag));
    TRY(store_open(state, w->vault, diag, &w->store));
    TRY(access_open(w->store, w->vault, &w->access));
    return open_audit(w, o->audit_publish_ns, diag);
}

/* What it wraps: records of the store, the signing key, the root of keyed hashes, data keys. */
static struct status
tell_opened(struct workspace *w, struct diag *diag)
{
    struct vault_generation all[VAULT_GENERATIONS];
    const bool here = w->keeper == NULL && vault_generations(w->vault, all) > 0;
    const struct key_use use = {.resource = "keys/workspace",
                                .act = "open",
                                .key = "workspace",
                                .generation = here ? all[0].number : 0,
                                .purpose = "workspace"};
    return key_use_tell(w, &use, diag);
}

struct status
workspace_open(const char *dir, const struct workspace_open_options *o, struct diag *diag,
               struct workspace **ret_workspace)
{
    DEFER(workspace_closep) struct workspace *w = calloc(1, sizeof *w);
    char *kept = strdup(dir);
    if (w == NULL || kept == NULL) {
        keeper_client_free(o->keeper);
        free(kept);
        FAIL(MEMORY);
    }
    w->dir = kept;
    if (o->principal == NULL) {
        workspace_user(w->principal);
    } else {
        (void)snprintf(w->principal, sizeof w->principal, "%s", o->principal);
    }
    text_copy(w->reason, sizeof w->reason, o->reason == NULL ? "library" : o->reason);
    TRY(open_all(w, o, diag));
    TRY(o->told ? OK : tell_opened(w, diag));
    *ret_workspace = MOVE(w);
    return OK;
}

void
workspace_close(struct workspace *w)
{
    if (w == NULL) {
        return;
    }
    if (w->audit != NULL) {
        /* What is acknowledged is durable already; a checkpoint that cannot be published now is
         * made at the next open. */
        const struct status ignored = audit_close(w->audit, NULL);
        (void)ignored;
    }
    policies_forget(w);
    access_free(w->access);
    store_free(w->store);
    tls_keys_free(w->tls);
    vault_free(w->vault);
    provider_free(w->provider);
    key_uses_done(&w->uses);
    free(w->dir);
    free(w);
}

struct status
workspace_lock(const struct workspace *w, struct diag *diag, int *ret_fd)
{
    DEFER(file_freep) char *path = file_join(w->dir, "change.lock");
    return file_lock(path, true, diag, ret_fd);
}

/* ---- what everybody needs of it ---- */

/* "models/NAME" -> NAME. */
static const char *
model_of(const struct workspace_act *act)
{
    return strncmp(act->resource, "models/", 7) == 0 ? act->resource + 7 : NULL;
}

static struct status
put_entry(const struct workspace *w, const struct workspace_act *act, struct buf *ret_entry)
{
    const struct audit_event event = {
        .time_ns = clock_wall_ns(),
        .principal = w->principal,
        .authenticated_by = "command-line",
        .action = act->action,
        .resource = act->resource,
        .model = model_of(act),
        .model_version = act->version,
        .model_digest = act->digest,
        .allow = !act->refused,
        .reason = act->reason,
        .alert = act->alert,
    };
    buf_init(ret_entry, AUDIT_MAX_ENTRY);
    audit_event_put(&event, ret_entry);
    return buf_status(ret_entry);
}

struct status
workspace_audit(struct workspace *w, const struct workspace_act *act, struct diag *diag)
{
    DEFER(buf_done) struct buf entry = {0};
    TRY(put_entry(w, act, &entry));
    return audit_append(w->audit, buf_view(&entry), diag);
}

struct status
workspace_audit_at(struct workspace *w, const struct workspace_act *act, struct diag *diag,
                   uint64_t *ret_index)
{
    DEFER(buf_done) struct buf entry = {0};
    TRY(put_entry(w, act, &entry));
    return audit_append_at(w->audit, buf_view(&entry), diag, ret_index);
}

struct status
workspace_audit_queue(struct workspace *w, const struct workspace_act *act, uint64_t *ret_ticket)
{
    DEFER(buf_done) struct buf entry = {0};
    TRY(put_entry(w, act, &entry));
    return audit_queue(w->audit, buf_view(&entry), ret_ticket);
}

struct status
workspace_tell_failure(struct workspace *w, const char *action, const char *resource,
                       struct status s, const struct diag *diag)
{
    if (!status_ok(s)) {
        char why[512];
        diag_describe(diag, s, why, sizeof why);
        const struct workspace_act act = {
            .action = action, .resource = resource, .reason = why, .refused = true};
        const struct status ignored = workspace_audit(w, &act, NULL);
        (void)ignored;
    }
    return s;
}

char *
workspace_object_path(const struct workspace *w, const char *kind, const char *name,
                      uint64_t version)
{
    char *path = NULL;
    ASSERT(asprintf(&path, "%s/objects/%s/%s/%llu.sealed", w->dir, kind, name,
                    (unsigned long long)version) > 0);
    return path;
}

#define LEFTOVER ".sealed.tmp-"

static bool
is_leftover(const char *name)
{
    const char *tail = strstr(name, LEFTOVER);
    return tail != NULL && strlen(tail) == sizeof LEFTOVER - 1 + 16;
}

/* "<version>.sealed.tmp-<16 hex digits>" (seal_file). Nobody else writes here: the caller has the
 * lock. What cannot be removed stays; it is never read. */
static void
remove_leftovers(const struct workspace *w, const char *kind, const char *name)
{
    DEFER(file_freep) char *objects = file_join(w->dir, "objects");
    DEFER(file_freep) char *of_kind = file_join(objects, kind);
    DEFER(file_freep) char *folder = file_join(of_kind, name);
    DIR *d = opendir(folder);
    const struct dirent *e = NULL;
    while (d != NULL && (e = readdir(d)) != NULL) {
        if (is_leftover(e->d_name)) {
            (void)unlinkat(dirfd(d), e->d_name, 0);
        }
    }
    if (d != NULL) {
        (void)closedir(d);
    }
}

struct status
workspace_seal(const struct workspace *w, const char *kind, const char *name, uint64_t version,
               struct view bytes, struct diag *diag)
{
    DEFER(file_freep) char *object = workspace_object_path(w, kind, name, version);
    const struct seal_id id = {kind, name, version};
    remove_leftovers(w, kind, name);
    return seal_file(w->vault, object, id, bytes, diag);
}

static struct status
foresee_tls(struct workspace *w, struct view chain, const struct workspace_act *act,
            struct diag *diag)
{
    int64_t ends_ns = 0;
    DEFER(buf_done) struct buf ends;
    buf_init(&ends, 64);
    TRY(certificate_expires(chain, &ends_ns));
    clock_put_rfc3339(&ends, ends_ns);
    DEFER(js_freep) json_t *fields = json_pack("{s:s}", "certificate.expires", buf_str(&ends));
    CHECK(fields != NULL, MEMORY);
    return policies_foresee(w, "workspace", "workspace", fields, act, diag);
}

struct status
workspace_set_tls(struct workspace *w, struct view chain, struct view key, const char *reason,
                  struct diag *diag)
{
    DEFER(file_closep) int lock = -1;
    const struct workspace_act act = {
        .action = "tls.configure", .resource = "tls", .reason = reason};
    TRY(workspace_lock(w, diag, &lock));
    TRY(foresee_tls(w, chain, &act, diag));
    TRY(workspace_audit(w, &act, diag));
    return write_tls(w->dir, w->vault, chain, key, diag);
}

struct status
workspace_rewrap_tls(const struct workspace *w, struct diag *diag)
{
    DEFER(file_freep) char *path = file_join(w->dir, TLS_KEY_CONTEXT);
    return vault_rewrap_file(w->vault, path, TLS_KEY_PURPOSE, TLS_KEY_CONTEXT, diag);
}

static struct status
load_key(struct workspace *w, struct diag *diag, struct tls_signer *ret_signer)
{
    struct tls_key_info info;
    if (w->keeper != NULL) {
        return keeper_client_tls(w->keeper, diag, ret_signer);
    }
    if (w->tls == NULL) {
        w->tls = tls_keys_new();
        CHECK(w->tls != NULL, MEMORY);
    }
    TRY(tls_keys_load(w->tls, w->vault, w->dir, diag, &info));
    *ret_signer = tls_keys_signer(w->tls, &info);
    return OK;
}

struct status
workspace_tls(struct workspace *w, struct diag *diag, struct buf *ret_chain,
              struct tls_signer *ret_signer)
{
    DEFER(file_freep) char *path = file_join(w->dir, "tls/cert.pem");
    const struct key_use use = {.resource = "tls", .act = "open", .key = "tls", .purpose = "tls"};
    TRY(file_read(path, TLS_MAX_BYTES, diag, ret_chain));
    TRY(key_use_tell(w, &use, diag));
    return load_key(w, diag, ret_signer);
}
