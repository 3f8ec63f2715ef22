#include "cli/cli.h"

#include "base/file.h"
#include "base/json.h"
#include "workspace/datasets.h"

#include <stdlib.h>
#include <string.h>

#define LIST_MAX 1024
#define JSON_MAX (256u << 20)

/* "column=word" in place: cuts at the last '='. */
static struct status
cut_pair(struct cli *c, const char *option, const char *text, const char **ret_word)
{
    char *equals = strrchr((char *)(uintptr_t)text, '=');
    if (equals == NULL || equals == text || equals[1] == '\0') {
        diag_set(&c->diag, "--%s %s: write COLUMN=%s", option, text,
                 option[0] == 'r' ? "ROLE" : "TYPE");
        FAIL(INPUT);
    }
    *equals = '\0';
    *ret_word = equals + 1;
    return OK;
}

static struct status
read_roles(struct cli *c, const char **texts, size_t n, struct import_override *ret)
{
    for (size_t i = 0; i < n; i++) {
        const char *word = NULL;
        TRY(cut_pair(c, "role", texts[i], &word));
        ret[i] = (struct import_override){.column = texts[i], .has_role = true};
        if (!status_ok(column_role_from_word(word, &ret[i].role))) {
            diag_set(
                &c->diag,
                "--role %s=%s: a role is feature, label, sensitive, identifier, ignored or time",
                texts[i], word);
            FAIL(INPUT);
        }
    }
    return OK;
}

static struct status
read_types(struct cli *c, const char **texts, size_t n, struct import_override *ret)
{
    for (size_t i = 0; i < n; i++) {
        const char *word = NULL;
        TRY(cut_pair(c, "type", texts[i], &word));
        ret[i] = (struct import_override){.column = texts[i], .has_type = true};
        if (!status_ok(column_type_from_word(word, &ret[i].type))) {
            diag_set(&c->diag,
                     "--type %s=%s: a type is float, integer, category, boolean, time or text",
                     texts[i], word);
            FAIL(INPUT);
        }
    }
    return OK;
}

static struct status
read_delimiter(struct cli *c, char *ret_delimiter)
{
    const char *text = cli_value(c, "delimiter");
    if (text == NULL) {
        *ret_delimiter = 0;
        return OK;
    }
    const char *tab = strcmp(text, "\\t") == 0 || strcmp(text, "tab") == 0 ? "\t" : text;
    if (strlen(tab) != 1) {
        diag_set(&c->diag, "--delimiter %s: one character, or \"tab\"", text);
        FAIL(INPUT);
    }
    *ret_delimiter = *tab;
    return OK;
}

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
    static const char *sensitive[LIST_MAX], *roles[LIST_MAX], *types[LIST_MAX], *missing[LIST_MAX];
    static struct import_override overrides[2 * LIST_MAX];
    size_t n_roles = 0, n_types = 0;
    struct import_options o = {.label = cli_value(c, "label"),
                               .positive = cli_value(c, "positive"),
                               .sensitive = sensitive,
                               .sensitive_as_features = cli_flag(c, "sensitive-as-features"),
                               .overrides = overrides,
                               .missing = missing,
                               .missing_only = cli_flag(c, "missing-only")};
    DEFER(file_freep) char *m1 = NULL;
    DEFER(file_freep) char *m2 = NULL;
    DEFER(file_freep) char *m3 = NULL;
    DEFER(file_freep) char *m4 = NULL;
    TRY(cli_list(c, "sensitive", sensitive, LIST_MAX, &o.sensitive_count, &m1));
    TRY(cli_list(c, "role", roles, LIST_MAX, &n_roles, &m2));
    TRY(cli_list(c, "type", types, LIST_MAX, &n_types, &m3));
    TRY(cli_list(c, "missing", missing, LIST_MAX, &o.missing_count, &m4));
    TRY(read_roles(c, roles, n_roles, overrides));
    TRY(read_types(c, types, n_types, overrides + n_roles));
    TRY(read_delimiter(c, &o.delimiter));
    o.override_count = n_roles + n_types;
    DEFER(workspace_closep) struct workspace *w = NULL;
    struct dataset_info info;
    struct cli_progress progress;
    TRY(cli_open(c, &w));
    cli_progress_start(&progress, "importing");
    cli_progress_show(&progress, "importing %.100s", c->operand[1]);
    const struct status added = dataset_add(w, c->operand[0], c->operand[1], &o, &c->diag, &info);
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
    if (c->json) {
        return cli_print_json(record);
    }
    cli_say("%s version %lld: %lld rows, from %s", name,
            (long long)json_integer_value(json_object_get(record, "version")),
            (long long)json_integer_value(json_object_get(record, "rows")),
            json_string_value(json_object_get(record, "source")));
    cli_print_table(json_object_get(json_object_get(record, "schema"), "columns"),
                    "name:COLUMN type:TYPE role:ROLE nulls:MISSING");
    return OK;
}
