#include "cli/cohort_rows.h"

#include "assess/metric.h"
#include "base/text.h"
#include "cli/workspace_files.h"
#include "data/cohort.h"
#include "report/document.h"
#include "workspace/gather.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_BYTES 120u

void
cohort_rows_done(struct cohort_rows *r)
{
    for (size_t i = 0; i < r->word_count; i++) {
        free(r->words[i]);
    }
    table_free(r->table);
    table_free(r->rest);
    buf_done(&r->predicate);
    js_freep(&r->remarks);
}

/* ---- what options are when they were not given ---- */

static struct status
suppose(struct cli *c, struct cohort_rows *r, const char *option, const char *value)
{
    CHECK(r->word_count < CLI_MAX_REPEATS, LIMIT);
    char *word = strdup(value);
    CHECK(word != NULL, MEMORY);
    r->words[r->word_count++] = word;
    return cli_suppose(c, option, word);
}

static bool
has_option(const struct cli *c, const char *name)
{
    const struct cli_option *o = c->verb->options;
    while (o->name != NULL && strcmp(o->name, name) != 0) {
        o++;
    }
    return o->name != NULL;
}

static struct status
suppose_label(struct cli *c, struct cohort_rows *r, const char *label, const char *positive)
{
    if (label == NULL || cli_value(c, "label") != NULL) {
        return OK;
    }
    TRY(suppose(c, r, "label", label));
    return positive == NULL || cli_value(c, "positive") != NULL
               ? OK
               : suppose(c, r, "positive", positive);
}

static struct status
suppose_roles(struct cli *c, struct cohort_rows *r)
{
    const struct table *t = r->table;
    const struct column *label = table_label(t);
    TRY(suppose_label(c, r, label == NULL ? NULL : label->name, t->positive));
    if (!has_option(c, "sensitive") || cli_value(c, "sensitive") != NULL) {
        return OK;
    }
    for (uint32_t i = 0; i < t->column_count; i++) {
        if (t->columns[i].role == ROLE_SENSITIVE) {
            TRY(suppose(c, r, "sensitive", t->columns[i].name));
        }
    }
    return OK;
}

/* ---- what a model decides ---- */

static struct status
check_deciding(struct cli *c, const char *model)
{
    static const char *const others[] = {"prediction", "score", "threshold"};
    if (!cli_is_of_workspace(model)) {
        diag_set(
            &c->diag,
            "--model %.200s: one of the workspace, workspace:NAME; what a file's model answers "
            "is written by steward predict",
            model);
        FAIL(INPUT);
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (cli_is_given(c, others[i])) {
            diag_set(&c->diag, "--%s and --model: one of them says what was decided", others[i]);
            FAIL(INPUT);
        }
    }
    return OK;
}

/* The model decides between two values: a third would be a mistake whatever it decides. */
static struct status
check_label(struct cli *c, const struct table *t, const struct model *m)
{
    const struct column *label = NULL;
    DEFER(buf_done) struct buf text;
    buf_init(&text, 1u << 20);
    TRY(table_need_column(t, "--label", cli_value(c, "label"), &c->diag, &label));
    for (uint64_t i = 0; i < t->rows; i++) {
        buf_reset(&text);
        column_put_text(label, i, &text);
        TRY(buf_status(&text));
        if (!column_is_null(label, i) && !text_is_same_value(buf_str(&text), m->positive) &&
            !text_is_same_value(buf_str(&text), m->negative)) {
            diag_set(&c->diag,
                     "label \"%.60s\": row %llu has \"%.40s\"; model %s decides between \"%.40s\" "
                     "and \"%.40s\"",
                     label->name, (unsigned long long)i + 1, buf_str(&text), m->name, m->positive,
                     m->negative);
            FAIL(INPUT);
        }
    }
    return OK;
}

static struct status
name_column(struct column *col, const struct model *m, const char *what)
{
    char name[NAME_BYTES];
    (void)snprintf(name, sizeof name, "%s of %s@%llu", what, m->name,
                   (unsigned long long)m->version);
    col->name = strdup(name);
    col->role = ROLE_IGNORED;
    CHECK(col->name != NULL, MEMORY);
    return OK;
}

/* Spelled as the label is. */
static struct status
put_decisions(const struct gathered *g, uint64_t rows, struct column *col)
{
    const struct model *m = g->model;
    const bool positive_first = strcmp(m->positive, m->negative) < 0;
    const char *const levels[] = {positive_first ? m->positive : m->negative,
                                  positive_first ? m->negative : m->positive};
    col->type = COLUMN_CATEGORY;
    col->code = calloc((size_t)rows + 1, sizeof *col->code);
    col->levels = calloc(2, sizeof *col->levels);
    CHECK(col->code != NULL && col->levels != NULL, MEMORY);
    for (col->level_count = 0; col->level_count < 2; col->level_count++) {
        col->levels[col->level_count] = strdup(levels[col->level_count]);
        CHECK(col->levels[col->level_count] != NULL, MEMORY);
    }
    for (uint64_t i = 0; i < rows; i++) {
        col->code[i] = (g->decision[i] != 0) != positive_first;
    }
    return name_column(col, m, "decision");
}

static struct status
put_probabilities(struct gathered *g, struct column *col)
{
    col->type = COLUMN_FLOAT;
    col->f = MOVE(g->score);
    return name_column(col, g->model, "probability");
}

/* ---- several classes, and numbers ---- */

static int
compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A table's levels are sorted; the classes are in the model's order. */
static struct status
take_levels(const struct model_file *m, struct column *col, uint32_t *ret_code)
{
    DEFER(memory_freep) const char **sorted = calloc((size_t)m->outputs + 1, sizeof *sorted);
    col->levels = calloc((size_t)m->outputs + 1, sizeof *col->levels);
    CHECK(sorted != NULL && col->levels != NULL, MEMORY);
    memcpy(sorted, m->output_names, m->outputs * sizeof *sorted);
    qsort(sorted, m->outputs, sizeof *sorted, compare_texts);
    for (uint32_t k = 0; k < m->outputs; k++) {
        col->levels[k] = strdup(sorted[k]);
        CHECK(col->levels[k] != NULL, MEMORY);
        col->level_count = k + 1;
        for (uint32_t j = 0; j < m->outputs; j++) {
            ret_code[j] = strcmp(m->output_names[j], sorted[k]) == 0 ? k : ret_code[j];
        }
    }
    return OK;
}

/* The class with the highest score, of equal ones the first. */
static struct status
put_classes(const struct gathered *g, uint64_t rows, struct column *col)
{
    const struct model_file *m = g->model->file;
    DEFER(memory_freep) uint32_t *code = calloc((size_t)m->outputs + 1, sizeof *code);
    col->type = COLUMN_CATEGORY;
    col->code = calloc((size_t)rows + 1, sizeof *col->code);
    CHECK(code != NULL && col->code != NULL, MEMORY);
    TRY(take_levels(m, col, code));
    for (uint64_t i = 0; i < rows; i++) {
        col->code[i] = (int32_t)code[metric_class_of(g->score + i * m->outputs, m->outputs)];
    }
    return name_column(col, g->model, "class");
}

static struct status
put_numbers(struct gathered *g, struct column *col)
{
    col->type = COLUMN_FLOAT;
    col->f = MOVE(g->score);
    return name_column(col, g->model, "prediction");
}

static struct status
put_answers(struct gathered *g, uint64_t rows, struct column *col)
{
    switch (model_file_task(g->model->file)) {
    case MODEL_BINARY:
        TRY(put_decisions(g, rows, &col[0]));
        return put_probabilities(g, &col[1]);
    case MODEL_CLASSES:
        return put_classes(g, rows, col);
    default:
        return put_numbers(g, col);
    }
}

/* The gathered table with what is answered: a decision and its probability, a class, or a number.
 */
static struct status
widen(struct gathered *g, struct table **ret_table)
{
    struct table *t = g->table;
    const uint32_t n = t->column_count;
    const uint32_t added = model_file_is_binary(g->model->file) ? 2 : 1;
    DEFER(table_freep) struct table *wide = table_new(t->rows, n + added);
    CHECK(wide != NULL, MEMORY);
    memcpy(wide->columns, t->columns, n * sizeof *t->columns);
    wide->positive = MOVE(t->positive);
    t->column_count = 0;
    TRY(put_answers(g, wide->rows, &wide->columns[n]));
    *ret_table = MOVE(wide);
    return OK;
}

static struct status
add_decisions(struct cli *c, const char *model, struct cohort_rows *r)
{
    unsigned threads = 0;
    struct model *m = NULL;
    DEFER(gathered_done) struct gathered g = {0};
    TRY(cli_threads(c, &threads));
    TRY(cli_load_model(c, model, &m));
    TRY(gather_decisions(m, MOVE(r->table), threads, &c->diag, &g));
    TRY(suppose_label(c, r, m->label, m->positive));
    const enum model_task task = model_file_task(m->file);
    if (task == MODEL_BINARY) {
        TRY(check_label(c, g.table, m));
    }
    const uint32_t n = g.table->column_count;
    TRY(widen(&g, &r->table));
    r->remarks = MOVE(g.remarks);
    TRY(suppose(c, r, "prediction", r->table->columns[n].name));
    if (task == MODEL_BINARY) {
        return suppose(c, r, "score", r->table->columns[n + 1].name);
    }
    return cli_value(c, "task") != NULL
               ? OK
               : suppose(c, r, "task", task == MODEL_CLASSES ? "classes" : "numeric");
}

bool
cohort_rows_may_tell_columns(const struct cli *c)
{
    return cli_is_of_workspace(cli_value(c, "data")) || cli_value(c, "model") != NULL;
}

struct status
cohort_rows_read(struct cli *c, bool decides, struct cohort_rows *r)
{
    const char *data = cli_value(c, "data"), *model = cli_value(c, "model");
    DEFER(cli_import_done) struct cli_import import = {0};
    if (decides && model != NULL) {
        TRY(check_deciding(c, model));
    }
    TRY(cli_import_options(c, &import));
    TRY(cli_read_rows(c, data, &import.options, &r->table));
    if (cli_is_of_workspace(data)) {
        TRY(suppose_roles(c, r));
    }
    return decides && model != NULL ? add_decisions(c, model, r) : OK;
}

/* ---- cohort and rest ---- */

/* NULL when there are none. */
static struct status
select_rows(const struct table *t, const uint8_t *in, uint8_t wanted, struct table **ret_table)
{
    DEFER(table_freep) struct table *chosen = NULL;
    TRY(table_select_marked(t, in, wanted, &chosen));
    *ret_table = chosen->rows == 0 ? NULL : MOVE(chosen);
    return OK;
}

struct status
cohort_rows_part(struct cli *c, struct cohort_rows *r)
{
    r->cohort = cli_value(c, "cohort");
    if (r->cohort == NULL) {
        return OK;
    }
    DEFER(table_freep) struct table *whole = MOVE(r->table);
    DEFER(memory_freep) uint8_t *in = calloc((size_t)whole->rows + 1, 1);
    CHECK(in != NULL, MEMORY);
    buf_init(&r->predicate, COHORT_MAX_BYTES + 1);
    TRY(cli_resolve_cohort(c, cli_value(c, "model"), r->cohort, &r->predicate));
    TRY(cohort_select(whole, buf_str(&r->predicate), &c->diag, in, &r->unknown));
    TRY(select_rows(whole, in, 1, &r->table));
    if (r->table == NULL) {
        diag_set(&c->diag, "--cohort %.200s: none of the %llu rows is in it", r->cohort,
                 (unsigned long long)whole->rows);
        FAIL(INPUT);
    }
    return select_rows(whole, in, 0, &r->rest);
}

/* ---- documents ---- */

/* That the rest cannot be looked at, having one class perhaps, is a finding. */
static struct status
make_rest(struct cli *c, const struct cohort_rows *r, cohort_document *make, void *ctx,
          json_t *cohort, json_t *document)
{
    DEFER(js_freep) json_t *rest = NULL;
    const char *why = r->rest == NULL ? "the cohort is all rows" : NULL;
    const struct status s = r->rest == NULL ? OK : make(ctx, r->rest, &rest);
    if (s.code == STATUS_INPUT || s.code == STATUS_LIMIT) {
        why = c->diag.text;
    } else {
        TRY(s);
    }
    TRY(js_set(cohort, "remark", why == NULL ? json_null() : js_sentence(why)));
    c->diag = (struct diag){0};
    return js_set(document, "rest", rest == NULL ? json_null() : MOVE(rest));
}

struct status
cohort_rows_document(struct cli *c, const struct cohort_rows *r, cohort_document *make, void *ctx,
                     json_t **ret_document)
{
    DEFER(js_freep) json_t *d = NULL;
    TRY(make(ctx, r->table, &d));
    if (r->cohort != NULL) {
        json_t *cohort = json_pack("{s:s, s:s, s:I, s:I, s:I}", "cohort", r->cohort, "predicate",
                                   buf_str(&r->predicate), "rows", (json_int_t)r->table->rows,
                                   "rest_rows", (json_int_t)(r->rest == NULL ? 0 : r->rest->rows),
                                   "rest_unknown", (json_int_t)r->unknown);
        TRY(js_set(d, "cohort", cohort));
        TRY(make_rest(c, r, make, ctx, cohort, d));
    }
    *ret_document = MOVE(d);
    return OK;
}

void
cohort_rows_print(const json_t *document, void (*print)(const json_t *document))
{
    const json_t *cohort = json_object_get(document, "cohort"),
                 *rest = json_object_get(document, "rest");
    if (cohort == NULL) {
        print(document);
        return;
    }
    const char *name = document_text(cohort, "cohort"),
               *predicate = document_text(cohort, "predicate");
    const bool named = strcmp(name, predicate) != 0;
    cli_say("The cohort, %.0f of %.0f rows, where %s%s%s%s:", document_number(cohort, "rows"),
            document_number(cohort, "rows") + document_number(cohort, "rest_rows"), predicate,
            named ? " (" : "", named ? name : "", named ? ")" : "");
    print(document);
    if (json_is_object(rest)) {
        (void)fputc('\n', stdout);
        const double unknown = document_number(cohort, "rest_unknown");
        if (unknown > 0) {
            cli_say("The rest, %.0f rows, %.0f of them with no answer to the condition, since a "
                    "value is missing:",
                    document_number(cohort, "rest_rows"), unknown);
        } else {
            cli_say("The rest, %.0f rows:", document_number(cohort, "rest_rows"));
        }
        print(rest);
    } else {
        (void)fputc('\n', stdout);
        cli_say("The rest, %.0f rows, is not shown: %s", document_number(cohort, "rest_rows"),
                document_text(cohort, "remark"));
    }
}
