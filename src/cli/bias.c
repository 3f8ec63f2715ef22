#include "cli/cli.h"

#include "assess/bins.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/cohort_rows.h"
#include "cli/data_options.h"
#include "cli/facet_options.h"
#include "cli/plain_files.h"
#include "cli/workspace_files.h"
#include "data/import.h"
#include "num/interval.h"
#include "report/bias_document.h"
#include "report/document.h"
#include "report/html.h"
#include "workspace/plain_codes.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define FEATURE_INTERVALS 10u
#define REPLICATES 1000u
#define REFERENCE_MAX ((size_t)1 << 20)
#define FILE_MODE 0644

const struct cli_option cli_bias_options[] = {
    {"data", "FILE",
     "the rows: .csv .tsv .csv.gz .parquet .json .jsonl .ndjson; or " CLI_OF_WORKSPACE
     ", whose roles tell label and sensitive columns",
     NULL, CLI_ONCE, "@table"},
    {"label", "COLUMN", "the outcome", NULL, CLI_ONCE, NULL},
    {"model", "MODEL",
     "workspace:NAME[@VERSION], by whose split and cohorts --data's part and --cohort are named",
     NULL, CLI_ONCE, NULL},
    CLI_COHORT_OPTION,
    {"positive", "VALUE",
     "the label's positive value, or \">NUMBER\" (inferred for yes/no, true/false, 0/1)", NULL,
     CLI_ONCE, NULL},
    {"sensitive", "COLUMNS", "sensitive columns, separated by commas", NULL, CLI_COMMAS, NULL},
    {"strata", "COLUMN", "compare labels also among rows with the same value of COLUMN", NULL,
     CLI_ONCE, NULL},
    {"reference", "FILE",
     "shares to compare the groups with: JSON {\"sex\": {\"f\": 0.51, \"m\": 0.49}}, or CSV with "
     "the "
     "columns column, group, share",
     NULL, CLI_ONCE, "@file"},
    {"clarify", "FILE", "write the label metrics as SageMaker Clarify's analysis.json", NULL,
     CLI_ONCE, "@made"},
    {"report", "FILE", "write the report (HTML) to FILE", NULL, CLI_ONCE, "@made"},
    CLI_FACET_OPTIONS,
    {"min-group", "N", "smaller groups are shown, not judged", "30", CLI_ONCE, NULL},
    {"level", "SHARE", "confidence level of the intervals", "0.95", CLI_ONCE, NULL},
    {"fdr", "SHARE", "false-discovery rate: what an adjusted p must be under", "0.05", CLI_ONCE,
     NULL},
    {"seed", "N", "of the bootstrap", "1", CLI_ONCE, NULL},
    CLI_DATA_FILE_OPTIONS,
    {"threads", "N", "0: one per core (default: analysis.threads of the configuration)", NULL,
     CLI_ONCE, NULL},
    {0},
};

/* One run: the table, its columns as codes, and what is asked of them. */
struct run {
    struct cli *c;
    const struct table *t;
    struct plain_codes label, strata;
    struct plain_codes *sensitive, *other;
    struct bias_column *columns; /* strata first when there are, then sensitive, then other */
    size_t sensitives, others;
    struct bias_input in;
};

static void
run_done(struct run *r)
{
    for (size_t i = 0; r->sensitive != NULL && i < r->sensitives; i++) {
        plain_codes_done(&r->sensitive[i]);
    }
    for (size_t i = 0; r->other != NULL && i < r->others; i++) {
        plain_codes_done(&r->other[i]);
    }
    plain_codes_done(&r->label);
    plain_codes_done(&r->strata);
    free(r->sensitive);
    free(r->other);
    free(r->columns);
}

static struct bias_column
column_of(const struct plain_codes *p)
{
    return (struct bias_column){p->name, p->codes, p->names, p->levels, p->ordered};
}

/* ---- options ---- */

static struct status
number_between(struct cli *c, const char *option, double low, double high, double *ret_value)
{
    TRY(cli_f64(c, option, ret_value));
    if (!(*ret_value > low && *ret_value < high)) {
        diag_set(&c->diag, "--%s %s: a number between %g and %g", option, cli_value(c, option), low,
                 high);
        FAIL(INPUT);
    }
    return OK;
}

/* ---- the label ---- */

static bool
names_level(const struct plain_codes *label, uint32_t level, const char *word)
{
    return label->ordered ? text_is_same_value(label->names[level], word)
                          : strcmp(label->names[level], word) == 0;
}

static struct status
refuse_positive(struct run *r, const char *what)
{
    DEFER(buf_done) struct buf list;
    buf_init(&list, 400);
    for (uint32_t i = 0; i < r->label.levels && i < 8; i++) {
        buf_printf(&list, "%s\"%.40s\"", i == 0 ? "" : ", ", r->label.names[i]);
    }
    diag_set(&r->c->diag, "label \"%s\": %s; its values: %s%s", r->label.name, what, buf_str(&list),
             r->label.levels > 8 ? ", ..." : "");
    FAIL(INPUT);
}

static struct status
find_positive(struct run *r, const char *word)
{
    for (uint32_t i = 0; word != NULL && i < r->label.levels; i++) {
        if (names_level(&r->label, i, word)) {
            r->in.positive = i;
            return OK;
        }
    }
    if (word != NULL) {
        return refuse_positive(r, "no value is the one of --positive");
    }
    const bool zero_one = r->label.levels == 2 && strcmp(r->label.names[0], "0") == 0 &&
                          strcmp(r->label.names[1], "1") == 0;
    const struct column *c = table_column(r->t, r->label.name);
    if (!zero_one && c->type != COLUMN_BOOLEAN) {
        return refuse_positive(r, "say which value is the positive one with --positive VALUE");
    }
    r->in.positive = 1;
    return OK;
}

/* "> 0.5" */
static struct status
take_label(struct run *r)
{
    const char *name = NULL, *word = cli_value(r->c, "positive");
    const struct column *c = NULL;
    double at = 0;
    TRY(cli_need(r->c, "label", "COLUMN", &name));
    TRY(table_need_column(r->t, "--label", name, &r->c->diag, &c));
    const bool number = c->type == COLUMN_FLOAT || c->type == COLUMN_INTEGER;
    if (word != NULL && *word == '>' && number) {
        if (!status_ok(text_to_f64(view_str(word + 1 + strspn(word + 1, " ")), &at))) {
            diag_set(&r->c->diag, "--positive \"%s\": write \">NUMBER\"", word);
            FAIL(INPUT);
        }
        r->in.positive = 1;
        return plain_codes_cut(r->t, c, at, &r->label);
    }
    TRY(plain_codes_of(r->t, c, BINS_MOST, &r->label));
    if (r->label.levels == 0 || r->label.cut) {
        diag_set(&r->c->diag, "label \"%s\": %s", name,
                 r->label.cut ? "a number with many values: say from where it is positive, as in "
                                "--positive \">30\""
                              : "free text, or no value at all: it is no label");
        FAIL(INPUT);
    }
    return find_positive(r, word);
}

/* ---- the other columns ---- */

static struct status
take_sensitive(struct run *r)
{
    const char *names[CLI_MAX_REPEATS], *first = NULL;
    DEFER(memory_freep) char *memory = NULL;
    size_t n = 0;
    struct facets facets;
    TRY(cli_need(r->c, "sensitive", "COLUMNS", &first));
    TRY(cli_list(r->c, "sensitive", names, CLI_MAX_REPEATS, &n, &memory));
    TRY(cli_facets(r->c, &facets));
    r->sensitive = calloc(n, sizeof *r->sensitive);
    CHECK(r->sensitive != NULL, MEMORY);
    for (size_t i = 0; i < n; i++) {
        const struct column *c = NULL;
        bool by_edges = false;
        TRY(table_need_column(r->t, "--sensitive", names[i], &r->c->diag, &c));
        r->sensitives++;
        TRY(facets_codes(&facets, r->t, c, &r->c->diag, &r->sensitive[i], &by_edges));
    }
    return facets_check(&facets, r->sensitive, r->sensitives, &r->c->diag);
}

static struct status
take_strata(struct run *r)
{
    const char *name = cli_value(r->c, "strata");
    const struct column *c = NULL;
    if (name == NULL) {
        return OK;
    }
    TRY(table_need_column(r->t, "--strata", name, &r->c->diag, &c));
    return plain_codes_of(r->t, c, FEATURE_INTERVALS, &r->strata);
}

static bool
is_sensitive(const struct run *r, const char *name)
{
    bool is = false;
    for (size_t i = 0; i < r->sensitives; i++) {
        is |= r->sensitive[i].name == name;
    }
    return is;
}

static struct status
take_others(struct run *r)
{
    r->other = calloc(r->t->column_count + (size_t)1, sizeof *r->other);
    r->columns = calloc(r->t->column_count + r->sensitives + 1, sizeof *r->columns);
    CHECK(r->other != NULL && r->columns != NULL, MEMORY);
    for (uint32_t i = 0; i < r->t->column_count; i++) {
        const struct column *c = &r->t->columns[i];
        if (c->name != r->label.name && !is_sensitive(r, c->name)) {
            r->others++;
            TRY(plain_codes_of(r->t, c, FEATURE_INTERVALS, &r->other[r->others - 1]));
        }
    }
    return OK;
}

/* ---- the reference ---- */

static struct status
reference_from_csv(struct cli *c, const char *path, json_t *ret_reference)
{
    DEFER(table_freep) struct table *t = NULL;
    const struct import_options options = {.missing_only = true};
    const struct column *column = NULL, *group = NULL, *share = NULL;
    TRY(import_file(path, &options, &c->diag, &t));
    TRY(table_need_column(t, path, "column", &c->diag, &column));
    TRY(table_need_column(t, path, "group", &c->diag, &group));
    TRY(table_need_column(t, path, "share", &c->diag, &share));
    if (share->type != COLUMN_FLOAT && share->type != COLUMN_INTEGER) {
        diag_set(&c->diag, "%s: column \"share\" is not of numbers", path);
        FAIL(INPUT);
    }
    for (uint64_t i = 0; i < t->rows; i++) {
        DEFER(buf_done) struct buf key;
        DEFER(buf_done) struct buf name;
        buf_init(&key, 1u << 16);
        buf_init(&name, 1u << 16);
        column_put_text(column, i, &key);
        column_put_text(group, i, &name);
        TRY(buf_status(&key));
        TRY(buf_status(&name));
        json_t *of = json_object_get(ret_reference, buf_str(&key));
        if (of == NULL) {
            of = json_object();
            TRY(js_set(ret_reference, buf_str(&key), of));
        }
        TRY(js_set(of, buf_str(&name), js_real(column_number(share, i))));
    }
    return OK;
}

static struct status
take_reference(struct run *r, json_t **ret_reference)
{
    const char *path = cli_value(r->c, "reference"), *name = NULL;
    const size_t n = path == NULL ? 0 : strlen(path);
    json_t *v = NULL;
    if (path == NULL) {
        return OK;
    }
    if (n > 5 && strcmp(path + n - 5, ".json") == 0) {
        DEFER(buf_done) struct buf text;
        buf_init(&text, REFERENCE_MAX);
        TRY(file_read(path, REFERENCE_MAX, &r->c->diag, &text));
        TRY(js_parse(buf_view(&text), path, &r->c->diag, ret_reference));
    } else {
        *ret_reference = json_object();
        CHECK(*ret_reference != NULL, MEMORY);
        TRY(reference_from_csv(r->c, path, *ret_reference));
    }
    json_object_foreach(*ret_reference, name, v)
    {
        bool known = false;
        for (size_t i = 0; i < r->sensitives; i++) {
            known |= strcmp(r->sensitive[i].name, name) == 0;
        }
        if (!known) {
            diag_set(&r->c->diag, "%s: \"%s\" is not one of the --sensitive columns", path, name);
            FAIL(INPUT);
        }
    }
    if (!json_is_object(*ret_reference)) {
        diag_set(&r->c->diag, "%s: an object of columns, groups and their shares is needed", path);
        FAIL(INPUT);
    }
    return OK;
}

/* ---- what is printed ---- */

static void
print_left_out(const json_t *factor)
{
    const json_t *list = json_object_get(factor, "columns_left_out");
    DEFER(buf_done) struct buf names;
    size_t i = 0;
    json_t *name = NULL;
    buf_init(&names, 1u << 20);
    json_array_foreach((json_t *)(uintptr_t)list, i, name)
    {
        buf_printf(&names, "%s\"%s\"", i == 0 ? "" : ", ", json_string_value(name));
    }
    if (names.len > 0) {
        cli_say("Note: not looked at as proxies, being free text or of too many different values: "
                "%s.",
                buf_str(&names));
    }
}

static void
print_factor(const json_t *d, const json_t *factor)
{
    size_t i = 0;
    json_t *g = NULL;
    const json_t *label = json_object_get(d, "label");
    cli_say("%s: %.0f rows, %.0f without a group, %.0f without a label",
            document_text(factor, "factor"), document_number(d, "rows"),
            document_number(factor, "rows_without_group"),
            document_number(factor, "rows_without_label"));
    cli_say("  %-24s %-24s %s = %s", "group", "share of the rows", document_text(label, "column"),
            document_text(label, "positive"));
    json_array_foreach(json_object_get(factor, "groups"), i, g)
    {
        const double share = document_number(json_object_get(g, "share"), "value");
        const double rate = document_number(json_object_get(g, "positive_rate"), "value");
        char name[32];
        (void)snprintf(name, sizeof name, "%.24s", document_text(g, "group"));
        (void)fputs("  ", stdout);
        cli_put_clean(stdout, name);
        (void)printf("%*s%5.1f %% ", (int)(25 - strlen(name)), "", 100 * share);
        cli_put_bar(stdout, share, 15);
        if (isnan(rate)) {
            (void)printf("      -\n");
            continue;
        }
        (void)printf("  %5.1f %% ", 100 * rate);
        cli_put_bar(stdout, rate, 15);
        (void)printf("%s\n", json_is_true(json_object_get(g, "judged")) ? "" : " few");
    }
    print_left_out(factor);
}

static void
print_document(const json_t *d)
{
    size_t i = 0;
    json_t *v = NULL;
    json_array_foreach(json_object_get(d, "factors"), i, v)
    {
        print_factor(d, v);
        (void)fputc('\n', stdout);
    }
    json_array_foreach(json_object_get(d, "without_groups"), i, v)
    {
        DEFER(buf_done) struct buf text;
        buf_init(&text, 1u << 16);
        document_put_without_groups(v, &text);
        cli_say("Note: %s.", buf_str(&text));
    }
    json_array_foreach(json_object_get(d, "findings"), i, v)
    {
        (void)fputs("- ", stdout);
        cli_put_wrapped(stdout, document_text(v, "text"), 2, 2);
    }
}

static struct status
write_json(struct cli *c, const json_t *value, const char *path)
{
    DEFER(buf_done) struct buf json;
    buf_init(&json, 64u << 20);
    TRY(js_put_pretty(&json, value));
    buf_put_str(&json, "\n");
    TRY(buf_status(&json));
    return file_replace(path, buf_view(&json), FILE_MODE, &c->diag);
}

static struct status
write_results(struct cli *c, const json_t *document)
{
    const char *clarify = cli_value(c, "clarify"), *report = cli_value(c, "report");
    if (clarify != NULL) {
        DEFER(js_freep) json_t *analysis = NULL;
        TRY(bias_clarify(document, &analysis));
        TRY(write_json(c, analysis, clarify));
    }
    if (report != NULL) {
        DEFER(buf_done) struct buf html;
        buf_init(&html, HTML_MAX_BYTES);
        TRY(html_bias_page(document, &html));
        TRY(file_replace(report, buf_view(&html), FILE_MODE, &c->diag));
    }
    if (c->json) {
        return cli_print_json(document);
    }
    cohort_rows_print(document, print_document);
    return OK;
}

/* ---- the verb ---- */

static void
show_stage(void *ctx, const char *stage)
{
    cli_progress_show(ctx, "looking at %s", stage);
}

static struct status
take_options(struct run *r)
{
    uint64_t min_group = 0;
    TRY(number_between(r->c, "level", 0, 1, &r->in.level));
    TRY(number_between(r->c, "fdr", 0, 1, &r->in.fdr));
    TRY(cli_whole(r->c, "min-group", 1, UINT32_MAX, &min_group));
    TRY(cli_u64(r->c, "seed", &r->in.seed));
    r->in.min_group = (uint32_t)min_group;
    r->in.replicates = REPLICATES;
    return cli_threads(r->c, &r->in.threads);
}

/* Strata and sensitive columns are looked at as proxies of the other sensitive ones, too. */
static void
fill_input(struct run *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->sensitives; i++) {
        r->columns[n++] = column_of(&r->sensitive[i]);
    }
    for (size_t i = 0; i < r->others; i++) {
        r->columns[n++] = column_of(&r->other[i]);
    }
    r->in.rows = (size_t)r->t->rows;
    r->in.label = column_of(&r->label);
    r->in.sensitive = r->columns;
    r->in.sensitives = r->sensitives;
    r->in.columns = r->columns;
    r->in.column_count = n;
}

static struct status
examine(struct run *r, json_t **ret_document)
{
    static const char *const parts[] = {"label", "sensitive", "strata", NULL};
    DEFER(js_freep) json_t *reference = NULL;
    struct cli_progress progress;
    TRY(cli_distinct(r->c, parts));
    TRY(take_label(r));
    TRY(take_sensitive(r));
    TRY(take_strata(r));
    TRY(take_others(r));
    TRY(take_reference(r, &reference));
    fill_input(r);
    const struct bias_column strata = column_of(&r->strata);
    r->in.strata = r->strata.codes == NULL ? NULL : &strata;
    r->in.reference = reference;
    r->in.progress = show_stage;
    r->in.progress_ctx = &progress;
    cli_progress_start(&progress, "looking at the data");
    const struct status s = bias_document(&r->in, &r->c->diag, ret_document);
    cli_progress_stop(&progress);
    return s;
}

static struct status
make_document(void *ctx, const struct table *t, json_t **ret_document)
{
    DEFER(run_done) struct run r = {.c = ctx, .t = t};
    TRY(take_options(&r));
    return examine(&r, ret_document);
}

struct status
cli_bias(struct cli *c)
{
    const char *path = NULL;
    struct run options = {.c = c};
    DEFER(cohort_rows_done) struct cohort_rows rows = {0};
    DEFER(js_freep) json_t *document = NULL;
    TRY(cli_need(c, "data", "FILE", &path));
    TRY(take_options(&options));
    TRY(cohort_rows_read(c, false, &rows));
    TRY(cohort_rows_part(c, &rows, false));
    TRY(cohort_rows_document(c, &rows, make_document, c, &document));
    return write_results(c, document);
}
