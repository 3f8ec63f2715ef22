/* `steward explain` of a model of trees or a linear one: attributions of every row, from the model
 * itself. */
#include "cli/explain_exact.h"
#include "assess/attribution.h"
#include "assess/shapley.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/cohort_rows.h"
#include "cli/explain_background.h"
#include "cli/explain_groups.h"
#include "cli/explain_outcome.h"
#include "cli/explain_tell.h"
#include "cli/plain_files.h"
#include "cli/workspace_files.h"
#include "data/cohort.h"
#include "report/document.h"
#include "report/explain_document.h"
#include "report/html.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define BLOCK_CELLS ((size_t)1 << 21) /* of attributions in memory at a time */
#define BLOCK_COALITIONS 32u          /* rows: each is work enough */
#define COHORTS_MAX 16u
#define LOCAL_MAX 32u
#define COLUMNS_MAX 100000u /* of a file of contributions */
#define DIGITS_FAST 9
#define DIGITS_RECORD 17
#define PERSONAL_MODE 0600 /* rows that are shown are persons' */

struct exact {
    struct cli *c;
    const char *model_path, *data_path;
    bool record, pairs;
    unsigned threads;
    struct model_file *model;
    struct remover remover;
    struct table *table;
    struct plain_rows *rows;
    json_t *remarks;
    struct explain_background background;
    struct attribution *attribution;
    uint64_t without, infinite; /* rows that have no margin; whose answer is infinite */
    struct explain_summary *summary;
    struct bins *bins;
    struct explain_groups groups;
    uint32_t columns; /* that are shown: the features, or what they are grouped to */
    struct explain_feature *column;
    char (*output_name)[16];
    const char **output;
    double *base;
    /* what is asked for */
    const char *cohort[COHORTS_MAX];
    char *cohort_memory;
    struct buf text[COHORTS_MAX]; /* of each its condition */
    const char *predicate[COHORTS_MAX];
    uint8_t *in_cohort; /* cohorts * rows */
    size_t cohorts;
    struct explain_local local[LOCAL_MAX];
    size_t locals;
    float *local_x;
    double *local_phi;   /* then margins, predictions */
    double *local_error; /* of features that are not grouped; NULL: exact */
    uint32_t *chosen;
    size_t chosen_count;
    /* a block of rows: of the features, and of the columns, which may be the same */
    size_t block;
    float *x, *value;
    double *phi, *matrix, *sum, *sum_matrix;
    double *error; /* of phi; NULL: exact */
    struct plain_csv csv;
    bool writes;
    struct cli_progress progress;
};

static void
exact_done(struct exact *e)
{
    plain_csv_done(&e->csv);
    if (e->groups.columns != NULL) {
        free(e->value);
        free(e->sum);
        free(e->sum_matrix);
    }
    free(e->x);
    free(e->phi);
    free(e->error);
    free(e->matrix);
    free(e->local_x);
    free(e->local_phi);
    free(e->local_error);
    free(e->chosen);
    free(e->cohort_memory);
    for (size_t i = 0; i < COHORTS_MAX; i++) {
        buf_done(&e->text[i]);
    }
    free(e->in_cohort);
    free(e->column);
    free(e->output_name);
    free(e->output);
    free(e->base);
    free(e->bins);
    explain_summary_free(e->summary);
    attribution_free(e->attribution);
    explain_background_done(&e->background);
    explain_groups_done(&e->groups);
    plain_rows_free(e->rows);
    table_free(e->table);
    model_file_free(e->model);
    remover_done(&e->remover);
    js_freep(&e->remarks);
}

/* ---- what is asked for ---- */

static struct status
check_model(const struct exact *e)
{
    const bool trees = e->model->forest != NULL;
    if (e->background.path == NULL && !attribution_needs_no_background(e->model)) {
        diag_set(&e->c->diag,
                 "%.300s: the file does not tell %s, which attributions without --background rest "
                 "on: give --background FILE, training rows, or ask it as a black box with "
                 "--method kernel",
                 e->model_path,
                 trees ? "how many training rows went each way" : "the features' means (\"mean\")");
        FAIL(INPUT);
    }
    return OK;
}

static struct status
open_files(struct exact *e)
{
    struct cli *c = e->c;
    DEFER(cli_import_done) struct cli_import import = {0};
    e->model_path = cli_value(c, "model");
    e->data_path = cli_value(c, "data");
    if (e->model_path == NULL || e->data_path == NULL) {
        diag_set(&c->diag, "explain: --%s FILE is needed",
                 e->model_path == NULL ? "model" : "data");
        FAIL(INPUT);
    }
    TRY(explain_background_asked(c, &e->background));
    TRY(cli_threads(c, &e->threads));
    TRY(cli_import_options(c, &import));
    TRY(cli_read_model(c, e->model_path, &e->model, &e->remover));
    TRY(check_model(e));
    TRY(cli_read_rows(c, e->data_path, &import.options, &e->table));
    return plain_rows_new(e->table, e->model, &e->remover, e->data_path, e->remarks, &c->diag,
                          &e->rows);
}

/* ---- columns that are shown ---- */

/* Which columns are one-hot is seen in all rows. */
static struct status
look_at_rows(struct exact *e)
{
    const size_t block = 4096, features = e->model->features;
    DEFER(memory_freep) float *x = calloc(block * features, sizeof *x);
    CHECK(x != NULL, MEMORY);
    for (uint64_t first = 0; first < e->table->rows; first += block) {
        const uint64_t left = e->table->rows - first;
        const size_t rows = left < block ? (size_t)left : block;
        plain_rows_fill(e->rows, first, rows, x);
        explain_columns_look(e->groups.columns, x, rows);
    }
    return OK;
}

static void
show_feature(const struct exact *e, uint32_t f, const char *name, struct explain_feature *column)
{
    const struct model_file *m = e->model;
    *column = (struct explain_feature){.name = name};
    if (m->levels != NULL && m->levels[f].count > 0) {
        column->levels = m->levels[f].names;
        column->level_count = m->levels[f].count;
    }
}

static void
show_column(const struct exact *e, uint32_t k, struct explain_feature *column)
{
    const struct explain_columns *c = e->groups.columns;
    if (c->members[k] == 1) {
        show_feature(e, c->first[k], e->groups.name[k], column);
        return;
    }
    *column = (struct explain_feature){.name = e->groups.name[k], .several = c->one_hot[k] == 0};
    if (!column->several) {
        column->levels = explain_groups_levels(&e->groups, k);
        column->level_count = c->members[k] + 1;
    }
}

static struct status
name_columns(struct exact *e)
{
    const uint32_t features = e->model->features;
    DEFER(memory_freep) const char **name = calloc((size_t)features + 1, sizeof *name);
    e->column = calloc((size_t)features + 1, sizeof *e->column);
    CHECK(name != NULL && e->column != NULL, MEMORY);
    for (uint32_t f = 0; f < features; f++) {
        name[f] = plain_rows_column(e->rows, f)->name;
        show_feature(e, f, name[f], &e->column[f]);
    }
    e->columns = features;
    TRY(explain_groups_take(e->c, name, features, &e->groups));
    if (e->groups.columns == NULL) {
        return OK;
    }
    e->columns = e->groups.columns->columns;
    TRY(look_at_rows(e));
    for (uint32_t k = 0; k < e->columns; k++) {
        show_column(e, k, &e->column[k]);
    }
    return OK;
}

static struct status
name_outputs(struct exact *e)
{
    const struct model_file *m = e->model;
    e->output_name = calloc(m->outputs, sizeof *e->output_name);
    e->output = calloc(m->outputs, sizeof *e->output);
    e->base = calloc(m->outputs, sizeof *e->base);
    CHECK(e->output_name != NULL && e->output != NULL && e->base != NULL, MEMORY);
    for (uint32_t k = 0; k < m->outputs; k++) {
        (void)snprintf(e->output_name[k], sizeof *e->output_name, "%u", k);
        e->output[k] = m->outputs > 1 && m->output_names != NULL ? m->output_names[k]
                       : m->outputs > 1                          ? e->output_name[k]
                       : e->background.probability               ? "probability"
                                                                 : "margin";
    }
    return OK;
}

static void
values_of(const struct exact *e, const float *x, size_t rows, float *ret_value)
{
    if (e->groups.columns != NULL) {
        explain_columns_values(e->groups.columns, x, rows, ret_value);
    } else {
        memcpy(ret_value, x, rows * e->columns * sizeof *ret_value);
    }
}

/* ---- rows and columns that are asked for ---- */

static struct status
take_cohort(struct exact *e, size_t i, struct outcome *outcome)
{
    uint64_t unknown = 0;
    buf_init(&e->text[i], COHORT_MAX_BYTES + 1);
    TRY(cli_resolve_cohort(e->c, e->model_path, e->cohort[i], &e->text[i]));
    e->predicate[i] = buf_str(&e->text[i]);
    TRY(cohort_select(e->table, outcome, e->predicate[i], &e->c->diag,
                      e->in_cohort + i * e->table->rows, &unknown));
    return cohort_rows_remark(e->remarks, e->cohort[i], e->predicate[i], unknown);
}

static struct status
take_cohorts(struct exact *e)
{
    DEFER(explain_outcome_done)
    struct explain_outcome answers = {.c = e->c,
                                      .path = e->model_path,
                                      .model = e->model,
                                      .rows = e->rows,
                                      .classes = e->output,
                                      .threads = e->threads};
    TRY(cli_list(e->c, "cohort", e->cohort, COHORTS_MAX, &e->cohorts, &e->cohort_memory));
    e->in_cohort = calloc(e->cohorts * e->table->rows + 1, 1);
    CHECK(e->in_cohort != NULL, MEMORY);
    explain_outcome_begin(&answers, e->table);
    for (size_t i = 0; i < e->cohorts; i++) {
        TRY(take_cohort(e, i, &answers.outcome));
    }
    return OK;
}

static void
fill_local(struct exact *e, uint64_t row, float *scratch, size_t i)
{
    const size_t outputs = e->model->outputs, width = outputs * e->columns;
    float *x = e->local_x + i * e->columns;
    double *phi = e->local_phi + i * (width + 2 * outputs), *margin = phi + width;
    plain_rows_fill(e->rows, row - 1, 1, scratch);
    values_of(e, scratch, 1, x);
    model_file_margin(e->model, scratch, 1, 1, margin);
    memcpy(margin + outputs, margin, outputs * sizeof *margin);
    model_file_link_apply(e->model, margin + outputs, 1);
    e->local[i] = (struct explain_local){
        .row = row, .x = x, .phi = phi, .margin = margin, .prediction = margin + outputs};
}

/* --row, by number, the first is 1. */
static struct status
take_locals(struct exact *e)
{
    const size_t numbers = e->model->outputs * ((size_t)e->columns + 2);
    const char *given[LOCAL_MAX];
    uint64_t row[LOCAL_MAX];
    DEFER(memory_freep) char *memory = NULL;
    DEFER(memory_freep) float *scratch = calloc((size_t)e->model->features + 1, sizeof *scratch);
    TRY(cli_list(e->c, "row", given, LOCAL_MAX, &e->locals, &memory));
    e->local_x = calloc(e->locals * e->columns + 1, sizeof *e->local_x);
    e->local_phi = calloc(e->locals * numbers + 1, sizeof *e->local_phi);
    CHECK(scratch != NULL && e->local_x != NULL && e->local_phi != NULL, MEMORY);
    for (size_t i = 0; i < e->locals; i++) {
        if (!status_ok(text_to_u64(view_str(given[i]), &row[i])) || row[i] < 1 ||
            row[i] > e->table->rows) {
            diag_set(&e->c->diag, "--row %.40s: a row of the data, from 1 to %llu", given[i],
                     (unsigned long long)e->table->rows);
            FAIL(INPUT);
        }
        fill_local(e, row[i], scratch, i);
    }
    return explain_outcome_draws(e->c, e->model_path, e->table, e->rows, row, e->locals,
                                 e->remarks);
}

/* A feature that is part of a column has no view of its own. */
static const char *
column_of_feature(const struct exact *e, const char *name)
{
    const struct explain_columns *c = e->groups.columns;
    for (uint32_t f = 0; c != NULL && f < c->features; f++) {
        if (strcmp(e->groups.feature[f], name) == 0) {
            return e->groups.name[c->column[f]];
        }
    }
    return NULL;
}

static struct status
refuse_feature(struct exact *e, const char *name, const char *const *known)
{
    const char *whole = column_of_feature(e, name), *near = text_nearest(name, known, e->columns);
    if (whole != NULL) {
        diag_set(&e->c->diag, "--features: \"%.100s\" is part of \"%.100s\", which is shown", name,
                 whole);
    } else {
        diag_set(&e->c->diag, "--features: the model reads no \"%.100s\"%s%.100s%s", name,
                 near == NULL ? "" : "; did you mean \"", near == NULL ? "" : near,
                 near == NULL ? "" : "\"?");
    }
    FAIL(INPUT);
}

static struct status
need_single_value(struct exact *e, uint32_t k)
{
    if (e->column[k].several) {
        diag_set(&e->c->diag,
                 "--features: \"%.100s\" is of %u columns that are not one-hot (in each row one of "
                 "them 1, the others 0): it has no single value that its attribution could be "
                 "shown against; leave it out, or show its columns without --group",
                 e->column[k].name, e->groups.columns->members[k]);
        FAIL(INPUT);
    }
    return OK;
}

/* --features: those whose dependence is wanted. */
static struct status
take_features(struct exact *e)
{
    const char *given[CLI_MAX_REPEATS];
    DEFER(memory_freep) char *memory = NULL;
    TRY(cli_list(e->c, "features", given, CLI_MAX_REPEATS, &e->chosen_count, &memory));
    e->chosen = calloc(e->chosen_count + 1, sizeof *e->chosen);
    DEFER(memory_freep) const char **known = calloc((size_t)e->columns + 1, sizeof *known);
    CHECK(e->chosen != NULL && known != NULL, MEMORY);
    for (uint32_t k = 0; k < e->columns; k++) {
        known[k] = e->column[k].name;
    }
    for (size_t i = 0; i < e->chosen_count; i++) {
        uint32_t k = 0;
        while (k < e->columns && strcmp(known[k], given[i]) != 0) {
            k++;
        }
        if (k == e->columns) {
            return refuse_feature(e, given[i], known);
        }
        TRY(need_single_value(e, k));
        e->chosen[i] = k;
    }
    return OK;
}

/* ---- making ready ---- */

static struct status
fill_values(const void *ctx, size_t first, size_t n, float *ret_value)
{
    const struct exact *e = ctx;
    if (e->groups.columns == NULL) {
        plain_rows_fill(e->rows, first, n, ret_value);
        return OK;
    }
    DEFER(memory_freep) float *x = calloc(n * e->model->features + 1, sizeof *x);
    CHECK(x != NULL, MEMORY);
    plain_rows_fill(e->rows, first, n, x);
    values_of(e, x, n, ret_value);
    return OK;
}

static struct status
make_bins(struct exact *e)
{
    const struct bins_source source = {fill_values, e, (size_t)e->table->rows, e->columns};
    if ((size_t)e->model->outputs * e->columns * (EXPLAIN_BINS + 1) > EXPLAIN_SUMMARY_CELLS) {
        return plain_remark(e->remarks, "too many features and outputs for views of dependence");
    }
    e->bins = calloc((size_t)e->columns + 1, sizeof *e->bins);
    CHECK(e->bins != NULL, MEMORY);
    return bins_make_columns(&source, EXPLAIN_BINS, e->threads, e->bins);
}

static struct status
make_attribution(struct exact *e)
{
    uint64_t evaluations = 0, seed = 0;
    if (e->background.path != NULL) {
        TRY(explain_background_load(e->c, e->model, &e->remover, e->remarks, &e->background));
    }
    TRY(cli_whole(e->c, "evaluations", 0, SHAPLEY_MOST, &evaluations));
    TRY(cli_u64(e->c, "seed", &seed));
    const struct attribution_options o = {.precision = e->record ? EXPLAIN_RECORD : EXPLAIN_FAST,
                                          .background = e->background.x,
                                          .background_rows = e->background.rows,
                                          .probability = e->background.probability,
                                          .pairs = e->pairs,
                                          .expected_rows = e->table->rows,
                                          .evaluations = (size_t)evaluations,
                                          .seed = seed,
                                          .threads = e->threads};
    const struct status s = attribution_new(e->model, &o, &e->attribution);
    if (!status_ok(s)) {
        return explain_tell_failure(e->c, &e->background, e->pairs, s);
    }
    attribution_expected(e->attribution, e->base);
    TRY(explain_tell_expected(e->c, &e->background, e->base, e->model->outputs));
    return explain_tell_made(e->attribution, &e->background, e->remarks);
}

static struct status
make_summary(struct exact *e)
{
    const struct model_file *m = e->model;
    const struct status kept = explain_summary_new(m->outputs, e->columns, (uint32_t)e->cohorts,
                                                   e->bins, e->pairs, &e->summary);
    if (kept.code == STATUS_LIMIT) {
        diag_set(&e->c->diag, "--interactions: %u features and %u outputs are too many pairs",
                 e->columns, m->outputs);
        FAIL(INPUT);
    }
    return kept;
}

/* Where nothing is grouped, columns are the features themselves. */
static struct status
make_sums(struct exact *e)
{
    const size_t cells = e->block * e->columns, width = cells * e->model->outputs;
    if (e->groups.columns == NULL) {
        e->value = e->x;
        e->sum = e->phi;
        e->sum_matrix = e->matrix;
        return OK;
    }
    e->value = calloc(cells + 1, sizeof *e->value);
    e->sum = calloc(width + 1, sizeof *e->sum);
    e->sum_matrix = e->pairs ? calloc(width * e->columns + 1, sizeof *e->sum_matrix) : NULL;
    CHECK(e->value != NULL && e->sum != NULL && (e->sum_matrix != NULL || !e->pairs), MEMORY);
    return OK;
}

static struct status
make_block(struct exact *e)
{
    const size_t features = e->model->features, width = features * e->model->outputs;
    const size_t numbers = e->pairs ? width * features : width;
    const bool slow = attribution_tell(e->attribution).coalitions;
    const size_t fit = slow ? BLOCK_COALITIONS : BLOCK_CELLS / (numbers + 1) + 1;
    e->block = fit < e->table->rows ? fit : (size_t)e->table->rows;
    e->x = calloc(e->block * features + 1, sizeof *e->x);
    e->phi = calloc(e->block * width + 1, sizeof *e->phi);
    e->matrix = e->pairs ? calloc(e->block * numbers + 1, sizeof *e->matrix) : NULL;
    e->error = slow ? calloc(e->block * width + 1, sizeof *e->error) : NULL;
    CHECK(e->error != NULL || !slow, MEMORY);
    CHECK(e->x != NULL && e->phi != NULL && (e->matrix != NULL || !e->pairs), MEMORY);
    if (slow && e->groups.columns == NULL && !e->pairs) {
        e->local_error = calloc(e->locals * width + 1, sizeof *e->local_error);
        CHECK(e->local_error != NULL, MEMORY);
    }
    return make_sums(e);
}

/* ---- contributions ---- */

static void
put_name(struct exact *e, uint32_t output, const char *a, const char *b)
{
    char name[700];
    (void)snprintf(name, sizeof name, "%s%s%s%s%s", e->model->outputs == 1 ? "" : e->output[output],
                   e->model->outputs == 1 ? "" : ":", a, b == NULL ? "" : " x ",
                   b == NULL ? "" : b);
    plain_csv_text(&e->csv, name);
}

static struct status
open_csv(struct exact *e)
{
    const struct model_file *m = e->model;
    const double columns =
        (double)m->outputs * (e->columns + 1.0) * (e->pairs ? e->columns / 2.0 + 1.0 : 1.0);
    e->writes = cli_value(e->c, "output") != NULL;
    if (!e->writes) {
        return OK;
    }
    if (columns > COLUMNS_MAX) {
        diag_set(&e->c->diag, "--output: %.0f columns; %u at most", columns, COLUMNS_MAX);
        FAIL(INPUT);
    }
    TRY(plain_csv_open(cli_value(e->c, "output"), e->record ? DIGITS_RECORD : DIGITS_FAST,
                       &e->c->diag, &e->csv));
    for (uint32_t k = 0; k < m->outputs; k++) {
        for (uint32_t a = 0; a < e->columns; a++) {
            put_name(e, k, e->column[a].name, NULL);
            for (uint32_t b = a + 1; e->pairs && b < e->columns; b++) {
                put_name(e, k, e->column[a].name, e->column[b].name);
            }
        }
        put_name(e, k, "base", NULL);
    }
    plain_csv_end_row(&e->csv);
    return OK;
}

/* With pairs: a column's own effect, then what it and each later column have together. */
static void
put_row(struct exact *e, size_t i)
{
    const size_t columns = e->columns, outputs = e->model->outputs;
    for (size_t k = 0; k < outputs; k++) {
        const size_t cell = (i * outputs + k) * columns;
        for (size_t a = 0; a < columns; a++) {
            const double *line = e->pairs ? e->sum_matrix + (cell + a) * columns : NULL;
            plain_csv_number(&e->csv, e->pairs ? line[a] : e->sum[cell + a]);
            for (size_t b = a + 1; e->pairs && b < columns; b++) {
                plain_csv_number(&e->csv, 2.0 * line[b]);
            }
        }
        plain_csv_number(&e->csv, e->base[k]);
    }
    plain_csv_end_row(&e->csv);
}

/* A feature's attribution is its line of the matrix. */
static void
sum_lines(struct exact *e, size_t rows)
{
    const size_t features = e->model->features;
    for (size_t i = 0; i < rows * e->model->outputs * features; i++) {
        e->phi[i] = 0.0;
        for (size_t b = 0; b < features; b++) {
            e->phi[i] += e->matrix[i * features + b];
        }
    }
}

static void
sum_columns(struct exact *e, size_t rows)
{
    const size_t n = rows * e->model->outputs;
    if (e->groups.columns == NULL) {
        return;
    }
    explain_columns_values(e->groups.columns, e->x, rows, e->value);
    explain_columns_sum(e->groups.columns, e->phi, n, e->sum);
    if (e->pairs) {
        explain_columns_sum_pairs(e->groups.columns, e->matrix, n, e->sum_matrix);
    }
}

static void
keep_locals(struct exact *e, uint64_t first, size_t rows)
{
    const size_t width = (size_t)e->columns * e->model->outputs;
    for (size_t i = 0; i < e->locals; i++) {
        const uint64_t row = e->local[i].row - 1;
        if (row >= first && row - first < rows) {
            double *to = e->local_phi + i * (width + 2 * (size_t)e->model->outputs);
            memcpy(to, e->sum + (row - first) * width, width * sizeof *to);
            if (e->local_error != NULL) {
                memcpy(e->local_error + i * width, e->error + (row - first) * width,
                       width * sizeof *to);
                e->local[i].error = e->local_error + i * width;
            }
        }
    }
}

static struct status
attribute(struct exact *e, size_t rows)
{
    if (e->pairs) {
        const struct status s =
            attribution_pairs(e->attribution, e->x, rows, e->threads, e->matrix);
        sum_lines(e, rows);
        return explain_tell_pairs(e->c, e->attribution, s);
    }
    const struct status s =
        attribution_rows(e->attribution, e->x, rows, e->threads, e->phi, e->error);
    if (s.code == STATUS_INPUT) {
        diag_set(&e->c->diag,
                 "--evaluations %s: too few for the features that vary in a row: 4 of "
                 "each are needed",
                 cli_value(e->c, "evaluations"));
    }
    return s;
}

static bool
misses_value(const struct exact *e, size_t row)
{
    const size_t features = e->model->features;
    size_t k = 0;
    while (k < features && !isnan(e->x[row * features + k])) {
        k++;
    }
    return k < features;
}

/* Rows that have no margin, or an infinite answer, have no attributions: they are in no view, and
 * counted. */
static void
summarise(struct exact *e, uint64_t first, size_t rows)
{
    const size_t width = (size_t)e->columns * e->model->outputs;
    const uint8_t *cohort[COHORTS_MAX + 1];
    for (size_t i = 0, end = 0; i < rows; i = end + 1) {
        for (end = i; end < rows && !isnan(e->sum[end * width]); end++) {
        }
        for (size_t k = 0; k < e->cohorts; k++) {
            cohort[k] = e->in_cohort + k * e->table->rows + first + i;
        }
        explain_summary_add(e->summary, e->value + i * e->columns, e->sum + i * width, cohort,
                            end - i);
        if (e->pairs) {
            explain_summary_add_pairs(e->summary, e->sum_matrix + i * width * e->columns, end - i);
        }
        if (end < rows) {
            const bool misses = misses_value(e, end);
            e->without += misses;
            e->infinite += !misses;
        }
    }
}

static struct status
explain_block(struct exact *e, uint64_t first, size_t rows)
{
    plain_rows_fill(e->rows, first, rows, e->x);
    TRY(attribute(e, rows));
    sum_columns(e, rows);
    summarise(e, first, rows);
    keep_locals(e, first, rows);
    for (size_t i = 0; e->writes && i < rows; i++) {
        put_row(e, i);
    }
    return OK;
}

static struct status
explain_all(struct exact *e)
{
    for (uint64_t first = 0; first < e->table->rows; first += e->block) {
        const uint64_t left = e->table->rows - first;
        TRY(explain_block(e, first, left < e->block ? (size_t)left : e->block));
        cli_progress_show(&e->progress, "explaining: %llu of %llu rows",
                          (unsigned long long)(e->table->rows - left + e->block),
                          (unsigned long long)e->table->rows);
    }
    TRY(explain_tell_left_out(e->without, e->infinite, e->table->rows, e->remarks));
    TRY(explain_tell_drawn(e->attribution, e->pairs, e->remarks));
    return e->writes ? plain_csv_keep(&e->csv) : OK;
}

/* ---- results ---- */

static struct status
make_document(struct exact *e, json_t **ret_document)
{
    const struct attribution_told told = attribution_tell(e->attribution);
    const struct explain_input in = {.model = e->model_path,
                                     .coalitions = told.coalitions,
                                     .exact_rows = told.exact_rows,
                                     .drawn_rows = told.drawn_rows,
                                     .evaluations = told.evaluations,
                                     .largest_error = told.largest_error,
                                     .method = attribution_method(e->attribution),
                                     .record = e->record || e->pairs || told.coalitions ||
                                               e->model->linear != NULL,
                                     .background = e->background.path,
                                     .background_rows = e->background.rows,
                                     .probability = e->background.probability,
                                     .features = e->column,
                                     .columns = e->groups.columns,
                                     .feature_names = e->groups.feature,
                                     .column_names = e->groups.name,
                                     .outputs = e->output,
                                     .base = e->base,
                                     .summary = e->summary,
                                     .cohorts = e->cohort,
                                     .predicates = e->predicate,
                                     .chosen = e->chosen,
                                     .chosen_count = e->chosen_count,
                                     .local = e->local,
                                     .local_count = e->locals,
                                     .remarks = e->remarks};
    return explain_document(&in, ret_document);
}

static struct status
show(struct exact *e)
{
    struct cli *c = e->c;
    const char *report = cli_value(c, "report"), *output = cli_value(c, "output");
    DEFER(js_freep) json_t *d = NULL;
    TRY(make_document(e, &d));
    if (report != NULL) {
        DEFER(buf_done) struct buf html;
        buf_init(&html, HTML_MAX_BYTES);
        TRY(html_explain_page(d, &html));
        TRY(file_replace(report, buf_view(&html), PERSONAL_MODE, &c->diag));
    }
    if (c->json) {
        return cli_print_json(d);
    }
    plain_print_remarks(e->remarks);
    if (output == NULL || strcmp(output, "-") != 0) {
        cli_print_explanation(d, e->chosen_count > 0);
    }
    return OK;
}

struct status
cli_explain_exact(struct cli *c)
{
    DEFER(exact_done) struct exact e = {.c = c};
    e.record = cli_flag(c, "record");
    e.pairs = cli_flag(c, "interactions");
    e.remarks = json_array();
    CHECK(e.remarks != NULL, MEMORY);
    TRY(open_files(&e));
    TRY(name_columns(&e));
    TRY(name_outputs(&e));
    TRY(take_cohorts(&e));
    TRY(take_locals(&e));
    TRY(take_features(&e));
    TRY(make_bins(&e));
    TRY(make_attribution(&e));
    TRY(make_summary(&e));
    TRY(make_block(&e));
    TRY(open_csv(&e));
    cli_progress_start(&e.progress, "explaining");
    const struct status s = explain_all(&e);
    cli_progress_stop(&e.progress);
    TRY(s);
    return show(&e);
}
