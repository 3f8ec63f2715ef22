/* The plain text of a capture: one line of JSON with the lengths of the bodies, then both. */
#include "workspace/captures.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "vault/seal.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KIND "capture"
#define ENDING ".sealed"

void
capture_put_id(const struct capture_id *id, char ret_text[static CAPTURE_ID_MAX])
{
    (void)snprintf(ret_text, CAPTURE_ID_MAX, "%s/%llu", id->model, (unsigned long long)id->at);
}

struct status
capture_parse_id(const char *text, struct diag *diag, struct capture_id *ret_id)
{
    struct capture_id id = {.at = 0};
    const char *slash = strchr(text, '/');
    const size_t n = slash == NULL ? 0 : (size_t)(slash - text);
    if (slash == NULL || !text_copy_view(id.model, sizeof id.model, view_of(text, n)) ||
        !text_is_name(id.model) || !status_ok(text_to_u64(view_str(slash + 1), &id.at))) {
        diag_set(diag,
                 "\"%.80s\": a capture is named MODEL/NUMBER, as its entry and steward "
                 "capture list have it",
                 text);
        FAIL(INPUT);
    }
    *ret_id = id;
    return OK;
}

/* ---- writing ---- */

static struct status
put_plain(const struct capture_id *id, const struct capture_of *of, struct buf *b)
{
    buf_put_str(b, "{\"v\":1,\"call\":");
    js_put_string(b, view_str(of->call));
    buf_put_str(b, ",\"time\":\"");
    clock_put_rfc3339(b, (int64_t)id->at);
    buf_put_str(b, "\",\"model\":");
    js_put_string(b, view_str(id->model));
    buf_printf(b, ",\"model_version\":%llu,\"http_status\":%u",
               (unsigned long long)of->model_version, of->status);
    if (of->principal != NULL) {
        buf_put_str(b, ",\"principal\":");
        js_put_string(b, view_str(of->principal));
    }
    buf_printf(b, ",\"request_bytes\":%zu,\"response_bytes\":%zu}\n", of->request.len,
               of->response.len);
    buf_put(b, of->request);
    buf_put(b, of->response);
    return buf_status(b);
}

struct status
capture_write(const struct workspace *w, const struct capture_id *id, const struct capture_of *of,
              struct diag *diag)
{
    DEFER(buf_wipe) struct buf plain;
    DEFER(file_freep) char *path = workspace_object_path(w, KIND, id->model, id->at);
    buf_init(&plain, CAPTURE_MAX);
    TRY(put_plain(id, of, &plain));
    return seal_file_unsynced(w->vault, path, (struct seal_id){KIND, id->model, id->at},
                              buf_view(&plain), diag);
}

/* ---- reading ---- */

void
capture_read_done(struct capture_read *r)
{
    json_decref(r->head);
    buf_wipe(&r->bytes);
}

static struct status
part(struct capture_read *r, const char *path, struct diag *diag)
{
    int64_t request = 0, response = 0;
    const uint8_t *end = memchr(r->bytes.ptr, '\n', r->bytes.len);
    const size_t head = end == NULL ? 0 : (size_t)(end - r->bytes.ptr);
    TRY(js_parse(view_of(r->bytes.ptr, head), path, diag, &r->head));
    TRY(js_need_i64(r->head, "request_bytes", diag, &request));
    TRY(js_need_i64(r->head, "response_bytes", diag, &response));
    const uint64_t bodies = r->bytes.len - head - 1;
    if (request < 0 || response < 0 || (uint64_t)request > bodies ||
        (uint64_t)response != bodies - (uint64_t)request) {
        diag_set(diag, "%s: the lengths of its bodies are not those of the object", path);
        FAIL(INTEGRITY);
    }
    r->request = view_of(r->bytes.ptr + head + 1, (size_t)request);
    r->response = view_of(r->request.ptr + request, (size_t)response);
    return OK;
}

struct status
capture_open(const struct workspace *w, const struct capture_id *id, struct diag *diag,
             struct capture_read *ret_read)
{
    DEFER(file_freep) char *path = workspace_object_path(w, KIND, id->model, id->at);
    buf_init(&ret_read->bytes, CAPTURE_MAX);
    TRY(seal_open_file(w->vault, path, (struct seal_id){KIND, id->model, id->at}, CAPTURE_MAX, diag,
                       &ret_read->bytes));
    return part(ret_read, path, diag);
}

/* ---- what lies there ---- */

typedef struct status (*entry_step)(void *ctx, const char *folder, const char *name);

/* A folder that is gone has none. */
static struct status
each_name(const char *folder, entry_step step, void *ctx, struct diag *diag)
{
    DIR *d = opendir(folder);
    struct status s = OK;
    if (d == NULL) {
        const int err = errno;
        return err == ENOENT ? OK : file_refuse_os(folder, err, diag);
    }
    for (const struct dirent *e = readdir(d); e != NULL && status_ok(s); e = readdir(d)) {
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) {
            s = step(ctx, folder, e->d_name);
        }
    }
    (void)closedir(d);
    return s;
}

static char *
folder_of(const char *dir, const char *model)
{
    DEFER(file_freep) char *all = file_join(dir, CAPTURES_FOLDER);
    return file_join(all, model);
}

static bool
read_name(const char *name, uint64_t *ret_at)
{
    const size_t n = strlen(name), ending = sizeof ENDING - 1;
    return n > ending && strcmp(name + n - ending, ENDING) == 0 &&
           status_ok(text_to_u64(view_of(name, n - ending), ret_at));
}

struct status
capture_destroy(const char *dir, const struct capture_id *id, struct diag *diag)
{
    char name[48];
    DEFER(file_freep) char *folder = folder_of(dir, id->model);
    (void)snprintf(name, sizeof name, "%llu" ENDING, (unsigned long long)id->at);
    DEFER(file_freep) char *path = file_join(folder, name);
    return seal_destroy(path, diag);
}

struct listing {
    const char *dir, *model;
    struct status (*each)(void *ctx, const struct capture_id *id, uint64_t bytes);
    void *ctx;
    struct diag *diag;
};

static struct status
list_one(void *ctx, const char *folder, const char *name)
{
    const struct listing *l = ctx;
    struct capture_id id = {.at = 0};
    struct stat st = {0};
    DEFER(file_freep) char *path = file_join(folder, name);
    text_copy(id.model, sizeof id.model, l->model);
    if (!read_name(name, &id.at) || stat(path, &st) != 0) {
        return OK; /* another's file, or one that is gone meanwhile */
    }
    return l->each(l->ctx, &id, (uint64_t)st.st_size);
}

static struct status
list_model(void *ctx, const char *model)
{
    struct listing *l = ctx;
    DEFER(file_freep) char *folder = folder_of(l->dir, model);
    l->model = model;
    return each_name(folder, list_one, l, l->diag);
}

struct models {
    struct status (*each)(void *ctx, const char *model);
    void *ctx;
};

static struct status
one_model(void *ctx, const char *folder, const char *name)
{
    const struct models *m = ctx;
    (void)folder;
    return text_is_name(name) ? m->each(m->ctx, name) : OK;
}

struct status
captures_models(const char *dir, struct status (*each)(void *ctx, const char *model), void *ctx,
                struct diag *diag)
{
    DEFER(file_freep) char *all = file_join(dir, CAPTURES_FOLDER);
    struct models m = {each, ctx};
    return each_name(all, one_model, &m, diag);
}

struct status
captures_each(const char *dir, const char *model,
              struct status (*each)(void *ctx, const struct capture_id *id, uint64_t bytes),
              void *ctx, struct diag *diag)
{
    struct listing l = {.dir = dir, .each = each, .ctx = ctx, .diag = diag};
    return model == NULL ? captures_models(dir, list_model, &l, diag) : list_model(&l, model);
}

/* ---- retention ---- */

struct expiry {
    int64_t before_ns;
    size_t most, count;
    struct diag *diag;
};

/* A draft is a writer's that has ended: there is one server, whose writers take no second. */
static bool
is_left_over(const char *path, const char *name, int64_t before_ns)
{
    struct stat st = {0};
    const bool draft = strstr(name, ENDING ".tmp-") != NULL || name[0] == '.';
    return draft && stat(path, &st) == 0 && st.st_mtim.tv_sec < before_ns / NS_PER_S;
}

#define DRAFT_NS (60 * NS_PER_S)

static struct status
expire_one(void *ctx, const char *folder, const char *name)
{
    struct expiry *x = ctx;
    uint64_t at = 0;
    DEFER(file_freep) char *path = file_join(folder, name);
    const bool over = read_name(name, &at) && at < (uint64_t)x->before_ns;
    if (x->count >= x->most || (!over && !is_left_over(path, name, clock_wall_ns() - DRAFT_NS))) {
        return OK;
    }
    const struct status s = seal_destroy(path, x->diag);
    x->count += status_ok(s) && over;
    return s.code == STATUS_NOT_FOUND ? OK : s;
}

struct status
captures_expire(const char *dir, const char *model, int64_t before_ns, size_t most,
                struct diag *diag, size_t *ret_count)
{
    DEFER(file_freep) char *folder = folder_of(dir, model);
    struct expiry x = {.before_ns = before_ns, .most = most, .diag = diag};
    const struct status s = each_name(folder, expire_one, &x, diag);
    *ret_count = x.count;
    return s;
}
