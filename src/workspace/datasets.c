#include "workspace/datasets.h"

#include "base/file.h"
#include "base/text.h"
#include "workspace/key_use.h"
#include "workspace/registry.h"

#include <stdio.h>
#include <string.h>

#define COLLECTION "dataset"
#define TABLE_MAX ((size_t)16 << 30)
#define SCHEMA_MAX (64u << 20)

/* The file's own name: where it lay on this machine is nobody's business later. */
static const char *
base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

static struct status
make_record(const struct dataset_info *info, const struct table *t, const char *path,
            json_t **ret_record)
{
    DEFER(js_freep) json_t *o = NULL;
    TRY(registry_record_new(info->name, info->version, &info->digest, &o));
    DEFER(buf_done) struct buf schema;
    buf_init(&schema, SCHEMA_MAX);
    TRY(table_put_schema(t, &schema));
    json_t *columns = NULL;
    TRY(js_parse(buf_view(&schema), "schema", NULL, &columns));
    TRY(js_set(o, "schema", columns));
    TRY(js_set(o, "rows", json_integer((json_int_t)info->rows)));
    TRY(js_set(o, "columns", json_integer((json_int_t)info->columns)));
    TRY(js_set(o, "source", json_string(text_is_utf8(view_str(path)) ? base_name(path) : "?")));
    *ret_record = MOVE(o);
    return OK;
}

/* The object first, then the record: a crash between leaves a file that nothing names, and the next
 * version's seal replaces it. */
static struct status
keep(struct workspace *w, const char *path, const struct table *t, struct dataset_info *info,
     struct diag *diag)
{
    DEFER(buf_wipe) struct buf bytes;
    buf_init(&bytes, TABLE_MAX);
    TRY(table_encode(t, &bytes));
    digest_of(buf_view(&bytes), &info->digest);
    DEFER(file_closep) int lock = -1;
    TRY(workspace_lock(w, diag, &lock));
    TRY(registry_newest(w, COLLECTION, info->name, &info->version));
    info->version++;
    TRY(workspace_seal(w, COLLECTION, info->name, info->version, buf_view(&bytes), diag));
    DEFER(js_freep) json_t *record = NULL;
    TRY(make_record(info, t, path, &record));
    DEFER(buf_done) struct buf hex;
    buf_init(&hex, 128);
    digest_put_hex(&hex, &info->digest);
    char resource[80], reason[192];
    (void)snprintf(resource, sizeof resource, "datasets/%s", info->name);
    (void)snprintf(reason, sizeof reason, "dataset added: version %llu, sha256 %s",
                   (unsigned long long)info->version, buf_str(&hex));
    const struct workspace_act act = {
        .action = "dataset.write", .resource = resource, .reason = reason};
    return registry_put(w, COLLECTION, info->name, info->version, record, &act, diag);
}

struct status
dataset_add(struct workspace *w, const char *name, const char *path, const struct import_options *o,
            struct diag *diag, struct dataset_info *ret_info)
{
    TRY(registry_check_name(COLLECTION, name, diag));
    DEFER(table_freep) struct table *t = NULL;
    TRY(import_file(path, o, diag, &t));
    struct dataset_info info = {.rows = t->rows, .columns = t->column_count};
    (void)snprintf(info.name, sizeof info.name, "%s", name);
    TRY(keep(w, path, t, &info, diag));
    *ret_info = info;
    return OK;
}

struct status
dataset_load(struct workspace *w, const char *name, uint64_t version, struct diag *diag,
             struct table **ret_table, struct dataset_info *ret_info)
{
    DEFER(js_freep) json_t *record = NULL;
    int64_t number = 0;
    TRY(registry_get(w, COLLECTION, name, version, diag, &record));
    TRY(js_need_i64(record, "version", diag, &number));
    struct dataset_info info = {.version = (uint64_t)number};
    (void)snprintf(info.name, sizeof info.name, "%s", name);
    DEFER(buf_wipe) struct buf bytes;
    buf_init(&bytes, TABLE_MAX);
    const struct seal_id id = {COLLECTION, name, info.version};
    TRY(key_use_read(w, id, TABLE_MAX, diag, &bytes));
    digest_of(buf_view(&bytes), &info.digest);
    TRY(registry_check_digest(record, &info.digest, diag));
    DEFER(table_freep) struct table *t = NULL;
    TRY(table_decode(buf_view(&bytes), diag, &t));
    info.rows = t->rows;
    info.columns = t->column_count;
    *ret_table = MOVE(t);
    *ret_info = info;
    return OK;
}

struct status
dataset_describe(struct workspace *w, const char *name, uint64_t version, struct diag *diag,
                 json_t **ret_record)
{
    return registry_get(w, COLLECTION, name, version, diag, ret_record);
}

struct status
dataset_put_list(struct workspace *w, struct buf *ret_json)
{
    return registry_put_list(w, COLLECTION, ret_json);
}
