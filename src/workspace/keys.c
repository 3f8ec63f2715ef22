/* The order of a rotation, each step durable before the next: (1) the log says that it begins;
 * (2) keys/workspace.json has the new generation, by one rename; (3) every data key is re-wrapped:
 * keys/, tls/, the store, the objects; what others write meanwhile is under the new generation
 * already, since they look at the file before they wrap, in the store's transaction or under
 * workspace_lock; (4) the file forgets the older one, by one rename; (5) the log says that it is
 * done. After a cut in (3) both generations open. */
#include "workspace/keys.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "vault/rotation.h"
#include "vault/seal.h"
#include "vault/subjects.h"
#include "workspace/dataset_subjects.h"
#include "workspace/policies.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define REASON_MAX 200u

static void
step(const struct keys_progress *p, const char *what)
{
    if (p != NULL && p->step != NULL) {
        p->step(p->ctx, what);
    }
}

static struct status
audit(struct workspace *w, const char *action, const char *reason, struct diag *diag)
{
    const struct workspace_act act = {
        .action = action, .resource = "keys/workspace", .reason = reason};
    return workspace_audit(w, &act, diag);
}

/* The policies see the workspace as it will be. Takes fields. */
static struct status
foresee(struct workspace *w, const char *action, json_t *fields, struct diag *diag)
{
    const struct workspace_act act = {.action = action, .resource = "keys/workspace"};
    DEFER(js_freep) json_t *o = fields;
    CHECK(o != NULL, MEMORY);
    return policies_foresee(w, "workspace", "workspace", o, &act, diag);
}

static struct status
foresee_generation(struct workspace *w, struct diag *diag)
{
    struct vault_generation all[VAULT_GENERATIONS];
    if (vault_generations(w->vault, all) > 1) {
        return OK; /* what was begun is finished */
    }
    return foresee(w, "key.rotate",
                   json_pack("{s:I, s:o}", "key.generation", (json_int_t)all[0].number + 1,
                             "key.made", js_time(clock_wall_ns())),
                   diag);
}

/* ---- objects ---- */

struct walk {
    struct workspace *w;
    const struct keys_progress *progress;
    struct keys_result *result;
    const char *kind, *name;
};

typedef struct status (*entry_step)(struct walk *k, const char *path, const char *name,
                                    struct diag *diag);

/* Each entry of a folder that is there, but those that begin with a dot. */
static struct status
each_entry(struct walk *k, const char *folder, entry_step f, struct diag *diag)
{
    DIR *d = opendir(folder);
    if (d == NULL) {
        const int err = errno;
        if (err == ENOENT) {
            return OK;
        }
        return file_refuse_os(folder, err, diag);
    }
    struct status s = OK;
    for (const struct dirent *e = readdir(d); e != NULL && status_ok(s); e = readdir(d)) {
        if (e->d_name[0] != '.') {
            DEFER(file_freep) char *path = file_join(folder, e->d_name);
            s = f(k, path, e->d_name, diag);
        }
    }
    (void)closedir(d);
    return s;
}

/* "<version>.sealed"; what else lies there (a killed writer's draft) is no object. */
static struct status
rewrap_version(struct walk *k, const char *path, const char *name, struct diag *diag)
{
    uint64_t version = 0;
    bool changed = false;
    const char *dot = strchr(name, '.');
    if (dot == NULL || strcmp(dot, ".sealed") != 0 ||
        !status_ok(text_to_u64(view_of(name, (size_t)(dot - name)), &version))) {
        return OK;
    }
    const struct seal_id id = {k->kind, k->name, version};
    const struct status s = seal_rewrap(k->w->vault, path, id, diag, &changed);
    if (s.code == STATUS_NOT_FOUND) {
        return OK; /* destroyed meanwhile: a capture whose time is over */
    }
    TRY(s);
    k->result->objects += changed;
    step(k->progress, path);
    return OK;
}

static struct status
rewrap_name(struct walk *k, const char *path, const char *name, struct diag *diag)
{
    k->name = name;
    return each_entry(k, path, rewrap_version, diag);
}

static struct status
rewrap_kind(struct walk *k, const char *path, const char *name, struct diag *diag)
{
    k->kind = name;
    return each_entry(k, path, rewrap_name, diag);
}

/* "NAME.key", of a list of persons' keys. */
static struct status
rewrap_subjects(struct walk *k, const char *path, const char *name, struct diag *diag)
{
    char of[64];
    const size_t n = strlen(name);
    if (n < 5 || n - 4 >= sizeof of || strcmp(name + n - 4, ".key") != 0) {
        return OK;
    }
    text_copy(of, n - 3, name);
    DEFER(file_freep) char *base = dataset_subjects_base(k->w, of);
    TRY(subjects_rewrap(k->w->vault, base, of, diag));
    step(k->progress, path);
    return OK;
}

/* ---- rotation ---- */

static struct status
rewrap_all(struct workspace *w, const struct keys_progress *p, struct diag *diag,
           struct keys_result *r)
{
    DEFER(file_freep) char *objects = file_join(w->dir, "objects");
    DEFER(file_freep) char *subjects = file_join(w->dir, "subjects");
    struct walk k = {.w = w, .progress = p, .result = r};
    TRY(vault_rewrap_roots(w->vault, diag));
    TRY(workspace_rewrap_tls(w, diag));
    step(p, "keys");
    TRY(store_rewrap(w->store, diag, &r->records));
    step(p, "store");
    TRY(each_entry(&k, subjects, rewrap_subjects, diag));
    return each_entry(&k, objects, rewrap_kind, diag);
}

static void
note_newest(const struct workspace *w, struct keys_result *r, size_t *ret_count)
{
    struct vault_generation all[VAULT_GENERATIONS];
    *ret_count = vault_generations(w->vault, all);
    r->generation = all[0].number;
}

static struct status
finish(struct workspace *w, const struct keys_progress *p, struct diag *diag, struct keys_result *r)
{
    size_t count = 0;
    char reason[160];
    TRY(rewrap_all(w, p, diag, r));
    TRY(vault_forget_older(w->vault, diag));
    step(p, "older generation destroyed");
    note_newest(w, r, &count);
    (void)snprintf(reason, sizeof reason,
                   "generation %u holds everything; %llu records and %llu objects re-wrapped; the "
                   "generation before is destroyed",
                   r->generation, (unsigned long long)r->records, (unsigned long long)r->objects);
    return audit(w, "key.rotate", reason, diag);
}

static struct status
rotate_locked(struct workspace *w, const struct keys_progress *p, struct diag *diag,
              struct keys_result *r)
{
    size_t count = 0;
    note_newest(w, r, &count);
    r->resumed = count > 1;
    TRY(audit(w, "key.rotate", r->resumed ? "rotation goes on" : "rotation begins", diag));
    step(p, "begun");
    if (!r->resumed) {
        TRY(vault_advance(w->vault, diag));
        step(p, "new generation");
    }
    return finish(w, p, diag, r);
}

struct status
keys_rotate(struct workspace *w, const struct keys_progress *p, struct diag *diag,
            struct keys_result *ret_result)
{
    DEFER(file_closep) int lock = -1;
    struct keys_result r = {0};
    TRY(workspace_lock(w, diag, &lock));
    TRY(foresee_generation(w, diag));
    TRY(workspace_tell_failure(w, "key.rotate", "keys/workspace", rotate_locked(w, p, diag, &r),
                               diag));
    *ret_result = r;
    return OK;
}

static struct status
rewrap_locked(struct workspace *w, struct provider **to, const struct keys_progress *p,
              struct diag *diag, struct keys_result *r)
{
    size_t count = 0;
    char reason[PROVIDER_TARGET_MAX + 64];
    note_newest(w, r, &count);
    r->resumed = count > 1;
    if (r->resumed) {
        TRY(finish(w, p, diag, r));
    }
    (void)snprintf(reason, sizeof reason, "the workspace key is wrapped anew by %s",
                   provider_target(*to == NULL ? w->provider : *to));
    TRY(audit(w, "key.rewrap", reason, diag));
    step(p, "begun");
    TRY(vault_set_provider(w->vault, provider_table(*to == NULL ? w->provider : *to), diag));
    if (*to != NULL) {
        provider_free(w->provider);
        w->provider = MOVE(*to);
    }
    step(p, "wrapped");
    return OK;
}

struct status
keys_rewrap(struct workspace *w, struct provider **to, const struct keys_progress *p,
            struct diag *diag, struct keys_result *ret_result)
{
    DEFER(file_closep) int lock = -1;
    struct keys_result r = {0};
    TRY(workspace_lock(w, diag, &lock));
    TRY(*to == NULL ? OK
                    : foresee(w, "key.rewrap",
                              json_pack("{s:s}", "key.provider", provider_table(*to)->name), diag));
    TRY(workspace_tell_failure(w, "key.rewrap", "keys/workspace", rewrap_locked(w, to, p, diag, &r),
                               diag));
    *ret_result = r;
    return OK;
}

/* ---- revocation ---- */

static bool
is_reason(const char *text)
{
    const size_t n = strlen(text);
    bool printable = n > 0 && n <= REASON_MAX && text_is_utf8(view_of(text, n));
    for (const char *p = text; *p != '\0'; p++) {
        printable = printable && (unsigned char)*p >= 0x20 && *p != 0x7f;
    }
    return printable;
}

static struct status
set_revoked(struct workspace *w, const char *action, const char *kept, const char *told,
            struct diag *diag)
{
    DEFER(file_closep) int lock = -1;
    TRY(workspace_lock(w, diag, &lock));
    TRY(audit(w, action, told, diag)); /* first: it must not happen unsaid */
    return workspace_tell_failure(w, action, "keys/workspace",
                                  vault_set_revoked(w->vault, kept, diag), diag);
}

struct status
keys_revoke(struct workspace *w, const char *reason, struct diag *diag)
{
    if (!is_reason(reason)) {
        diag_set(diag, "a reason is 1 to %u bytes of text", REASON_MAX);
        FAIL(INPUT);
    }
    TRY(foresee(w, "key.revoke", json_pack("{s:b}", "key.revoked", 1), diag));
    return set_revoked(w, "key.revoke", reason, reason, diag);
}

struct status
keys_restore(struct workspace *w, struct diag *diag)
{
    DEFER(buf_done) struct buf reason;
    buf_init(&reason, 1024);
    TRY(vault_revoked(w->vault, &reason));
    if (reason.len == 0) {
        diag_set(diag, "the key is not revoked");
        FAIL(INPUT);
    }
    TRY(foresee(w, "key.restore", json_pack("{s:b}", "key.revoked", 0), diag));
    return set_revoked(w, "key.restore", "", "the key may be used again", diag);
}

/* ---- list ---- */

static json_t *
describe_generations(const struct workspace *w)
{
    struct vault_generation all[VAULT_GENERATIONS];
    const size_t n = vault_generations(w->vault, all);
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        DEFER(buf_done) struct buf made;
        buf_init(&made, 64);
        clock_put_rfc3339(&made, all[i].made_ns);
        (void)json_array_append_new(
            list, json_pack("{s:I, s:s, s:s}", "generation", (json_int_t)all[i].number, "made",
                            buf_str(&made), "state",
                            i == 0 ? "newest" : "older: finish with steward key rewrap"));
    }
    return list;
}

struct status
keys_describe(struct workspace *w, json_t **ret_object)
{
    DEFER(js_freep) json_t *o = json_object();
    DEFER(buf_done) struct buf reason;
    DEFER(buf_done) struct buf key;
    uint8_t public_key[VAULT_PUBLIC_BYTES];
    buf_init(&reason, 1024);
    buf_init(&key, 128);
    vault_public_key(w->vault, public_key);
    text_put_base64(&key, view_of(public_key, sizeof public_key));
    TRY(vault_revoked(w->vault, &reason));
    TRY(js_set(o, "provider", json_string(provider_table(w->provider)->name)));
    TRY(js_set(o, "target", json_string(provider_target(w->provider))));
    TRY(js_set(o, "generations", describe_generations(w)));
    TRY(js_set(o, "signing_key", json_string(buf_str(&key))));
    if (reason.len > 0) {
        TRY(js_set(o, "revoked", json_string(buf_str(&reason))));
    }
    *ret_object = MOVE(o);
    return OK;
}
