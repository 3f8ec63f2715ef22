#include "cli/cli.h"

#include "base/file.h"
#include "base/json.h"
#include "workspace/dataset_subjects.h"
#include "workspace/datasets.h"

#define LIST_MAX 1024
#define JSON_MAX (256u << 20)

static struct status
print_added(struct cli *c, const struct dataset_info *info)
{
    if (c->json) {
        DEFER(buf_done) struct buf hex;
        buf_init(&hex, 128);
        digest_put_hex(&hex, &info->digest);
        DEFER(js_freep)
        json_t *o = json_pack("{s:s, s:I, s:I, s:i, s:s}", "name", info->name, "version",
                              (json_int_t)info->version, "rows", (json_int_t)info->rows, "columns",
                              (int)info->columns, "sha256", buf_str(&hex));
        CHECK(o != NULL, MEMORY);
        return cli_print_json(o);
    }
    cli_say("added dataset %s version %llu: %llu rows, %u columns, sealed", info->name,
            (unsigned long long)info->version, (unsigned long long)info->rows, info->columns);
    return OK;
}

struct status
cli_dataset_add(struct cli *c)
{
    static const char *sensitive[LIST_MAX];
    DEFER(cli_import_done) struct cli_import import = {0};
    struct import_options *o = &import.options;
    TRY(cli_import_options(c, &import));
    o->label = cli_value(c, "label");
    o->positive = cli_value(c, "positive");
    o->subject = cli_value(c, "subject");
    o->sensitive = sensitive;
    o->sensitive_as_features = cli_flag(c, "sensitive-as-features");
    DEFER(file_freep) char *memory = NULL;
    TRY(cli_list(c, "sensitive", sensitive, LIST_MAX, &o->sensitive_count, &memory));
    DEFER(workspace_closep) struct workspace *w = NULL;
    struct dataset_info info;
    struct cli_progress progress;
    TRY(cli_open(c, &w));
    cli_progress_start(&progress, "importing");
    cli_progress_show(&progress, "importing %.100s", c->operand[1]);
    const struct status added = dataset_add(w, c->operand[0], c->operand[1], o, &c->diag, &info);
    cli_progress_stop(&progress);
    TRY(added);
    return print_added(c, &info);
}

struct status
cli_dataset_list(struct cli *c)
{
    DEFER(workspace_closep) struct workspace *w = NULL;
    DEFER(buf_done) struct buf text;
    buf_init(&text, JSON_MAX);
    TRY(cli_open(c, &w));
    TRY(dataset_put_list(w, &text));
    return cli_print_list(
        c, buf_view(&text),
        "name:NAME version:VERSION rows:ROWS columns:COLUMNS created:CREATED source:SOURCE");
}

/* What --as may not see: no levels, no count of missing values. */
static struct status
mask(struct cli *c, struct workspace *w, const char *name, json_t *columns)
{
    const size_t n = json_array_size(columns);
    const char **names = calloc(n + 1, sizeof *names);
    bool *visible = calloc(n + 1, sizeof *visible);
    struct status s = names == NULL || visible == NULL ? FAILURE(MEMORY) : OK;
    for (size_t i = 0; status_ok(s) && i < n; i++) {
        names[i] = json_string_value(json_object_get(json_array_get(columns, i), "name"));
    }
    if (status_ok(s)) {
        s = cli_visible(c, w, name, names, n, visible);
    }
    for (size_t i = 0; status_ok(s) && i < n; i++) {
        json_t *column = json_array_get(columns, i);
        if (!visible[i]) {
            (void)json_object_del(column, "levels");
            (void)json_object_set_new(column, "nulls", json_null());
            (void)json_object_set_new(column, "masked", json_true());
        }
    }
    free(names);
    free(visible);
    return s;
}

/* "subjects" of the record: what there is to say of the dataset's persons, when it has some. */
static struct status
add_subjects(struct cli *c, struct workspace *w, const char *name, json_t *record)
{
    bool exist = false;
    json_t *subjects = NULL;
    TRY(dataset_subjects_exist(w, name, &exist));
    if (!exist) {
        return OK;
    }
    TRY(dataset_subjects_describe(w, name, &c->diag, &subjects));
    return js_set(record, "subjects", subjects);
}

static void
print_subjects(const json_t *record)
{
    const json_t *s = json_object_get(record, "subjects");
    char version[24];
    (void)snprintf(version, sizeof version, "%lld",
                   (long long)json_integer_value(json_object_get(record, "version")));
    if (s != NULL) {
        cli_say("persons of all versions: %lld, of them erased %lld; rows of this version that "
                "were erased: %lld",
                (long long)json_integer_value(json_object_get(s, "persons")),
                (long long)json_integer_value(json_object_get(s, "erased")),
                (long long)json_integer_value(
                    json_object_get(json_object_get(s, "rows_erased"), version)));
    }
}

struct status
cli_dataset_show(struct cli *c)
{
    char name[64];
    uint64_t version = 0;
    DEFER(workspace_closep) struct workspace *w = NULL;
    DEFER(js_freep) json_t *record = NULL;
    TRY(cli_name_version(c, c->operand[0], name, &version));
    TRY(cli_open(c, &w));
    TRY(dataset_describe(w, name, version, &c->diag, &record));
    TRY(add_subjects(c, w, name, record));
    TRY(mask(c, w, name, json_object_get(json_object_get(record, "schema"), "columns")));
    if (c->json) {
        return cli_print_json(record);
    }
    cli_say("%s version %lld: %lld rows, from %s", name,
            (long long)json_integer_value(json_object_get(record, "version")),
            (long long)json_integer_value(json_object_get(record, "rows")),
            json_string_value(json_object_get(record, "source")));
    print_subjects(record);
    cli_print_table(json_object_get(json_object_get(record, "schema"), "columns"),
                    "name:COLUMN type:TYPE role:ROLE nulls:MISSING");
    return OK;
}
