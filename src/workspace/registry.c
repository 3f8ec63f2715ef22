#include "workspace/registry.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ID_MAX 96
#define RECORD_MAX (4u << 20)

static void
format_id(const char *name, uint64_t version, char ret_id[static ID_MAX])
{
    (void)snprintf(ret_id, ID_MAX, "%s/%010llu", name, (unsigned long long)version);
}

/* id "name/0000000001" -> its parts. */
static struct status
parse_id(const char *id, char ret_name[static 64], uint64_t *ret_version)
{
    const char *slash = strchr(id, '/');
    CHECK(slash != NULL && slash - id < 64, INTEGRITY);
    uint64_t version = 0;
    CHECK(status_ok(text_to_u64(view_str(slash + 1), &version)), INTEGRITY);
    (void)snprintf(ret_name, 64, "%.*s", (int)(slash - id), id);
    *ret_version = version;
    return OK;
}

struct status
registry_check_name(const char *kind, const char *name, struct diag *diag)
{
    if (!text_is_name(name)) {
        diag_set(diag,
                 "%s name \"%s\": a name is 1 to 63 of a-z, 0-9, '.', '_', '-', starting with a "
                 "letter or digit",
                 kind, name);
        FAIL(INPUT);
    }
    return OK;
}

struct status
registry_record_new(const char *name, uint64_t version, const struct digest *digest,
                    json_t **ret_record)
{
    DEFER(js_freep) json_t *o = json_object();
    CHECK(o != NULL, MEMORY);
    DEFER(buf_done) struct buf hex;
    DEFER(buf_done) struct buf time;
    buf_init(&hex, 128);
    buf_init(&time, 64);
    digest_put_hex(&hex, digest);
    clock_put_rfc3339(&time, clock_wall_ns());
    TRY(js_set(o, "name", json_string(name)));
    TRY(js_set(o, "version", json_integer((json_int_t)version)));
    TRY(js_set(o, "sha256", json_string(buf_str(&hex))));
    TRY(js_set(o, "created", json_string(buf_str(&time))));
    *ret_record = MOVE(o);
    return OK;
}

struct status
registry_check_digest(const json_t *record, const struct digest *found, struct diag *diag)
{
    const char *expected = NULL;
    TRY(js_need_string(record, "sha256", diag, &expected));
    DEFER(buf_done) struct buf hex;
    buf_init(&hex, 128);
    digest_put_hex(&hex, found);
    if (strcmp(expected, buf_str(&hex)) != 0) {
        diag_set(diag,
                 "the sealed object is not the one that was recorded: its SHA-256 is %s, the "
                 "record's %s",
                 buf_str(&hex), expected);
        FAIL(INTEGRITY);
    }
    return OK;
}

struct each_state {
    struct status (*each)(void *ctx, const char *name, uint64_t version, const json_t *record);
    void *ctx;
};

static struct status
each_record(void *ctx, const char *id, struct view value)
{
    const struct each_state *s = ctx;
    char name[64];
    uint64_t version = 0;
    DEFER(js_freep) json_t *record = NULL;
    TRY(parse_id(id, name, &version));
    TRY(js_parse(value, NULL, NULL, &record));
    return s->each(s->ctx, name, version, record);
}

struct status
registry_each(struct workspace *w, const char *collection,
              struct status (*each)(void *ctx, const char *name, uint64_t version,
                                    const json_t *record),
              void *ctx)
{
    struct each_state s = {each, ctx};
    return store_each(w->store, collection, each_record, &s, NULL);
}

struct newest_state {
    const char *name;
    uint64_t version;
};

static struct status
note_newest(void *ctx, const char *name, uint64_t version, const json_t *record)
{
    (void)record;
    struct newest_state *s = ctx;
    if (strcmp(name, s->name) == 0 && version > s->version) {
        s->version = version;
    }
    return OK;
}

struct status
registry_newest(struct workspace *w, const char *collection, const char *name,
                uint64_t *ret_version)
{
    struct newest_state s = {.name = name};
    TRY(registry_each(w, collection, note_newest, &s));
    *ret_version = s.version;
    return OK;
}

static struct status
put_record(struct workspace *w, const char *collection, const char *id, struct view value,
           const struct registry_also *also, const struct workspace_act *act, struct diag *diag)
{
    TRY(workspace_begin(w, diag));
    struct status put = store_put(w->store, collection, id, value, 0, diag);
    if (status_ok(put) && also != NULL) {
        put = store_put(w->store, also->collection, also->id, also->value, STORE_ANY, diag);
    }
    return workspace_settle(w, put, act, diag);
}

struct status
registry_put(struct workspace *w, const char *collection, const char *name, uint64_t version,
             const json_t *record, const struct workspace_act *act, struct diag *diag)
{
    return registry_put_with(w, collection, name, version, record, NULL, act, diag);
}

struct status
registry_put_with(struct workspace *w, const char *collection, const char *name, uint64_t version,
                  const json_t *record, const struct registry_also *also,
                  const struct workspace_act *act, struct diag *diag)
{
    char id[ID_MAX];
    format_id(name, version, id);
    DEFER(buf_done) struct buf value;
    buf_init(&value, RECORD_MAX);
    struct status s = js_put(&value, record);
    if (status_ok(s)) {
        s = put_record(w, collection, id, buf_view(&value), also, act, diag);
    }
    if (!status_ok(s)) {
        DEFER(file_freep) char *object = workspace_object_path(w, collection, name, version);
        (void)unlink(object);
    }
    return s;
}

static struct status
add_name(void *ctx, const char *name, uint64_t version, const json_t *record)
{
    (void)record;
    struct buf *names = ctx;
    if (version == 1) {
        buf_printf(names, "%s%s", names->len == 0 ? "" : ", ", name);
    }
    return OK;
}

/* "no dataset "lendin" in this workspace; there is: lending" */
static struct status
tell_unknown(struct workspace *w, const char *collection, const char *name, uint64_t version,
             struct diag *diag)
{
    DEFER(buf_done) struct buf names;
    buf_init(&names, 400); /* a list that does not fit is cut: it is a hint */
    TRY(registry_each(w, collection, add_name, &names));
    if (version != 0) {
        diag_set(diag, "%s \"%s\" has no version %llu", collection, name,
                 (unsigned long long)version);
    } else if (names.len == 0) {
        diag_set(diag, "no %s \"%s\"; there is none in this workspace yet", collection, name);
    } else {
        diag_set(diag, "no %s \"%s\"; there is: %s", collection, name, buf_str(&names));
    }
    FAIL(NOT_FOUND);
}

struct status
registry_get(struct workspace *w, const char *collection, const char *name, uint64_t version,
             struct diag *diag, json_t **ret_record)
{
    uint64_t newest = 0;
    TRY(registry_newest(w, collection, name, &newest));
    if (newest == 0 || version > newest) {
        return tell_unknown(w, collection, name, newest == 0 ? 0 : version, diag);
    }
    char id[ID_MAX];
    format_id(name, version == 0 ? newest : version, id);
    DEFER(buf_done) struct buf value;
    buf_init(&value, RECORD_MAX);
    const struct status got = store_get(w->store, collection, id, diag, &value, NULL);
    if (got.code == STATUS_NOT_FOUND) {
        return tell_unknown(w, collection, name, version, diag);
    }
    TRY(got);
    return js_parse(buf_view(&value), id, diag, ret_record);
}

static struct status
append_record(void *ctx, const char *name, uint64_t version, const json_t *record)
{
    (void)name, (void)version;
    json_t *copy = json_deep_copy(record);
    CHECK(copy != NULL && json_array_append_new(ctx, copy) == 0, MEMORY);
    return OK;
}

struct status
registry_put_list(struct workspace *w, const char *collection, struct buf *ret_json)
{
    DEFER(js_freep) json_t *list = json_array();
    CHECK(list != NULL, MEMORY);
    TRY(registry_each(w, collection, append_record, list));
    return js_put_pretty(ret_json, list);
}
