#include "workspace/records.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "workspace/registry.h"

#include <stdio.h>

#define COLLECTION_MAX 80
#define RESOURCE_MAX 160
#define RECORD_MAX (2u << 20)

struct status
records_check_text(const char *what, const char *text, struct diag *diag)
{
    if (text == NULL || *text == '\0' || strlen(text) > RECORD_TEXT_MAX ||
        !text_is_utf8(view_str(text))) {
        diag_set(diag, "%s is a text of 1 byte to %u KiB", what, RECORD_TEXT_MAX >> 10);
        FAIL(INPUT);
    }
    return OK;
}

static void
collection_of(const char *kind, char ret_collection[static COLLECTION_MAX])
{
    (void)snprintf(ret_collection, COLLECTION_MAX, "record-%.63s", kind);
}

static struct status
add_head(const struct workspace *w, const char *kind, const char *name, uint64_t version,
         json_t *record)
{
    DEFER(buf_done) struct buf time;
    buf_init(&time, 64);
    clock_put_rfc3339(&time, clock_wall_ns());
    TRY(js_set(record, "kind", json_string(kind)));
    TRY(js_set(record, "name", json_string(name)));
    TRY(js_set(record, "version", json_integer((json_int_t)version)));
    TRY(js_set(record, "time", json_string(buf_str(&time))));
    return js_set(record, "by", json_string(w->principal));
}

/* "version 3: WHAT; sha256 HEX": of the record as it is in the store. */
static struct status
put_reason(const json_t *record, uint64_t version, const char *what, struct buf *ret_reason)
{
    struct digest digest;
    DEFER(buf_done) struct buf text;
    buf_init(&text, RECORD_MAX);
    TRY(js_put(&text, record));
    digest_of(buf_view(&text), &digest);
    buf_printf(ret_reason, "version %llu: %.300s; sha256 ", (unsigned long long)version, what);
    digest_put_hex(ret_reason, &digest);
    return buf_status(ret_reason);
}

struct status
records_put(struct workspace *w, const char *kind, const char *name, json_t *members,
            const char *reason, struct diag *diag, json_t **ret_record)
{
    char collection[COLLECTION_MAX], resource[RESOURCE_MAX];
    uint64_t version = 0;
    DEFER(js_freep) json_t *record = members;
    DEFER(file_closep) int lock = -1;
    DEFER(buf_done) struct buf why;
    buf_init(&why, 1024);
    CHECK(record != NULL, MEMORY);
    TRY(registry_check_name(kind, name, diag));
    TRY(workspace_lock(w, diag, &lock));
    collection_of(kind, collection);
    TRY(registry_newest(w, collection, name, &version));
    version++;
    TRY(add_head(w, kind, name, version, record));
    TRY(put_reason(record, version, reason, &why));
    (void)snprintf(resource, sizeof resource, "records/%.63s/%.63s", kind, name);
    const struct workspace_act act = {
        .action = "record.write", .resource = resource, .reason = buf_str(&why)};
    TRY(registry_put(w, collection, name, version, record, &act, diag));
    *ret_record = MOVE(record);
    return OK;
}

struct status
records_get(struct workspace *w, const char *kind, const char *name, uint64_t version,
            struct diag *diag, json_t **ret_record)
{
    char collection[COLLECTION_MAX];
    uint64_t newest = 0;
    collection_of(kind, collection);
    TRY(registry_newest(w, collection, name, &newest));
    if (newest == 0 || version > newest) {
        diag_set(diag,
                 newest == 0 ? "there is no record %.63s of %.63s yet"
                             : "record %.63s of %.63s has no such version",
                 kind, name);
        FAIL(NOT_FOUND);
    }
    return registry_get(w, collection, name, version, diag, ret_record);
}

struct status
records_each(struct workspace *w, const char *kind,
             struct status (*each)(void *ctx, const char *name, uint64_t version,
                                   const json_t *record),
             void *ctx)
{
    char collection[COLLECTION_MAX];
    collection_of(kind, collection);
    return registry_each(w, collection, each, ctx);
}
