#include "workspace/datasets.h"

#include "base/file.h"
#include "base/text.h"
#include "data/subject_table.h"
#include "workspace/dataset_subjects.h"
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

/* Of a dataset whose persons may be erased: levels are what people have, and stay in its rows. */
static struct status
leave_out_values(const struct table *t, json_t *schema)
{
    const json_t *columns = json_object_get(schema, "columns");
    for (size_t i = 0; table_subject(t) != NULL && i < json_array_size(columns); i++) {
        json_t *c = json_array_get(columns, i);
        if (t->columns[i].type == COLUMN_CATEGORY) {
            CHECK(json_object_del(c, "levels") == 0 || t->columns[i].level_count == 0, MEMORY);
        }
    }
    return OK;
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
    TRY(leave_out_values(t, columns));
    TRY(js_set(o, "rows", json_integer((json_int_t)info->rows)));
    TRY(js_set(o, "columns", json_integer((json_int_t)info->columns)));
    TRY(js_set(o, "source", json_string(text_is_utf8(view_str(path)) ? base_name(path) : "?")));
    *ret_record = MOVE(o);
    return OK;
}

/* What is to be sealed as one version, and what the store is told with it. */
struct version {
    struct dataset_info info;
    struct buf bytes;
    struct dataset_subjects subjects;
    struct buf subjects_record; /* empty: no subject column */
};

static void
version_done(struct version *v)
{
    buf_wipe(&v->bytes);
    buf_done(&v->subjects_record);
    dataset_subjects_done(&v->subjects);
}

/* All versions of a name have persons, or none: what one version keeps open of a person, an erasure
 * could not reach. */
static struct status
check_alike(struct workspace *w, const char *name, bool persons, bool *ret_anew, struct diag *diag)
{
    uint64_t newest = 0;
    bool exist = false;
    TRY(registry_newest(w, COLLECTION, name, &newest));
    TRY(dataset_subjects_exist(w, name, &exist));
    if (newest > 0 && exist != persons) {
        diag_set(diag,
                 "dataset %s: its versions are %s a subject column: erasing a person has to reach "
                 "all of them; use another name",
                 name, exist ? "with" : "without");
        FAIL(INPUT);
    }
    *ret_anew = !exist;
    return OK;
}

static struct status
encode(struct workspace *w, const struct table *t, struct version *v, struct diag *diag)
{
    const bool persons = table_subject(t) != NULL;
    bool anew = false;
    buf_init(&v->bytes, TABLE_MAX);
    buf_init(&v->subjects_record, DATASET_SUBJECTS_RECORD_MAX);
    TRY(check_alike(w, v->info.name, persons, &anew, diag));
    if (!persons) {
        return table_encode(t, &v->bytes);
    }
    TRY(dataset_subjects_change(w, v->info.name, anew, diag, &v->subjects));
    TRY(dataset_subjects_encode(&v->subjects, v->info.version, t, diag, &v->bytes));
    return dataset_subjects_put(&v->subjects, &v->subjects_record);
}

static struct status
record(struct workspace *w, const char *path, const struct table *t, const struct version *v,
       struct diag *diag)
{
    const struct dataset_info *info = &v->info;
    DEFER(js_freep) json_t *made = NULL;
    DEFER(buf_done) struct buf hex;
    buf_init(&hex, 128);
    TRY(make_record(info, t, path, &made));
    digest_put_hex(&hex, &info->digest);
    char resource[80], reason[192];
    (void)snprintf(resource, sizeof resource, "datasets/%s", info->name);
    (void)snprintf(reason, sizeof reason, "dataset added: version %llu, sha256 %s",
                   (unsigned long long)info->version, buf_str(&hex));
    const struct workspace_act act = {
        .action = "dataset.write", .resource = resource, .reason = reason};
    const struct registry_also also = {DATASET_SUBJECTS_COLLECTION, info->name,
                                       buf_view(&v->subjects_record)};
    return registry_put_with(w, COLLECTION, info->name, info->version, made,
                             v->subjects_record.len > 0 ? &also : NULL, &act, diag);
}

/* The object first, then the record: a crash between leaves a file that nothing names, and the next
 * version's seal replaces it. */
static struct status
keep(struct workspace *w, const char *path, const struct table *t, struct dataset_info *info,
     struct diag *diag)
{
    DEFER(version_done) struct version v = {.info = *info};
    DEFER(file_closep) int lock = -1;
    TRY(workspace_lock(w, diag, &lock));
    TRY(registry_newest(w, COLLECTION, info->name, &v.info.version));
    v.info.version++;
    TRY(encode(w, t, &v, diag));
    digest_of(buf_view(&v.bytes), &v.info.digest);
    TRY(workspace_seal(w, COLLECTION, info->name, v.info.version, buf_view(&v.bytes), diag));
    TRY(record(w, path, t, &v, diag));
    *info = v.info;
    return OK;
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

/* Opened and compared with its record. */
static struct status
open_version(struct workspace *w, const char *name, uint64_t version, struct diag *diag,
             struct dataset_info *ret_info, struct buf *ret_bytes)
{
    DEFER(js_freep) json_t *record = NULL;
    int64_t number = 0;
    buf_init(ret_bytes, TABLE_MAX);
    TRY(registry_get(w, COLLECTION, name, version, diag, &record));
    TRY(js_need_i64(record, "version", diag, &number));
    *ret_info = (struct dataset_info){.version = (uint64_t)number};
    (void)snprintf(ret_info->name, sizeof ret_info->name, "%s", name);
    const struct seal_id id = {COLLECTION, name, ret_info->version};
    TRY(key_use_read(w, id, TABLE_MAX, diag, ret_bytes));
    digest_of(buf_view(ret_bytes), &ret_info->digest);
    return registry_check_digest(record, &ret_info->digest, diag);
}

struct status
dataset_open_bytes(struct workspace *w, const char *name, uint64_t version, struct diag *diag,
                   struct buf *ret_bytes)
{
    struct dataset_info info;
    return open_version(w, name, version, diag, &info, ret_bytes);
}

static struct status
decode_with_keys(struct workspace *w, const struct dataset_info *info, struct view bytes,
                 struct diag *diag, struct table **ret_table)
{
    DEFER(dataset_subjects_done) struct dataset_subjects subjects = {0};
    TRY(dataset_subjects_open(w, info->name, diag, &subjects));
    return dataset_subjects_decode(&subjects, info->version, bytes, diag, ret_table);
}

/* Somebody may have been erased between reading the store and reading their key: then the store
 * says so by now. */
static struct status
decode_persons(struct workspace *w, const struct dataset_info *info, struct view bytes,
               struct diag *diag, struct table **ret_table)
{
    DEFER(table_freep) struct table *t = NULL;
    struct status decoded = decode_with_keys(w, info, bytes, diag, &t);
    if (decoded.code == STATUS_INTEGRITY) {
        decoded = decode_with_keys(w, info, bytes, diag, &t);
    }
    TRY(decoded);
    if (t->rows == 0 && t->erased > 0) {
        diag_set(diag, "dataset %s version %llu: all %llu rows are of persons who were erased",
                 info->name, (unsigned long long)info->version, (unsigned long long)t->erased);
        FAIL(INPUT);
    }
    *ret_table = MOVE(t);
    return OK;
}

struct status
dataset_load(struct workspace *w, const char *name, uint64_t version, struct diag *diag,
             struct table **ret_table, struct dataset_info *ret_info)
{
    DEFER(buf_wipe) struct buf bytes = {0};
    DEFER(table_freep) struct table *t = NULL;
    struct dataset_info info;
    TRY(open_version(w, name, version, diag, &info, &bytes));
    TRY(subject_table_is(buf_view(&bytes)) ? decode_persons(w, &info, buf_view(&bytes), diag, &t)
                                           : table_decode(buf_view(&bytes), diag, &t));
    info.rows = t->rows;
    info.erased_rows = t->erased;
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
