/* `steward explain` of a model of trees: attributions of every row, from the trees themselves. */
#include "assess/explain.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/explain_background.h"
#include "cli/plain_files.h"
#include "data/cohort.h"
#include "num/quantile.h"
#include "report/document.h"
#include "report/explain_document.h"
#include "report/html.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define BLOCK_CELLS ((size_t)1 << 21) /* of attributions in memory at a time */
#define BINNED_ROWS 100000u           /* that the bins' edges are made from, evenly spaced */
#define COHORTS_MAX 16u
#define LOCAL_MAX 32u
#define COLUMNS_MAX 100000u /* of a file of contributions */
#define DIGITS_FAST 9
#define DIGITS_RECORD 17
#define PERSONAL_MODE 0600 /* rows that are shown are persons' */

struct trees {
    struct cli *c;
    const char *model_path, *data_path;
    bool record, pairs;
    unsigned threads;
    struct model_file *model;
    struct table *table;
    struct plain_rows *rows;
    json_t *remarks;
    struct explain_background background;
    struct explainer *explainer; /* without a background */
    struct explain_summary *summary;
    struct bins *bins;
    struct explain_feature *feature;
    char (*output_name)[16];
    const char **output;
    double *base;
    /* what is asked for */
    const char *cohort[COHORTS_MAX];
    char *cohort_memory;
    uint8_t *in_cohort; /* cohorts * rows */
    size_t cohorts;
    struct explain_local local[LOCAL_MAX];
    size_t locals;
    float *local_x;
    double *local_phi; /* then margins, predictions */
    uint32_t *chosen;
    size_t chosen_count;
    /* a block of rows */
    size_t block;
    float *x;
    double *phi, *matrix;
    struct plain_csv csv;
    bool writes;
    struct cli_progress progress;
};

static void
trees_done(struct trees *t)
{
    plain_csv_done(&t->csv);
    free(t->x);
    free(t->phi);
    free(t->matrix);
    free(t->local_x);
    free(t->local_phi);
    free(t->chosen);
    free(t->cohort_memory);
    free(t->in_cohort);
    free(t->feature);
    free(t->output_name);
    free(t->output);
    free(t->base);
    free(t->bins);
    explain_summary_free(t->summary);
    explainer_free(t->explainer);
    explain_background_done(&t->background);
    plain_rows_free(t->rows);
    table_free(t->table);
    model_file_free(t->model);
    js_freep(&t->remarks);
}

/* ---- what is asked for ---- */

static struct status
open_files(struct trees *t)
{
    struct cli *c = t->c;
    DEFER(cli_import_done) struct cli_import import = {0};
    t->model_path = cli_value(c, "model");
    t->data_path = cli_value(c, "data");
    if (t->model_path == NULL || t->data_path == NULL) {
        diag_set(&c->diag, "explain: --%s FILE is needed",
                 t->model_path == NULL ? "model" : "data");
        FAIL(INPUT);
    }
    TRY(explain_background_asked(c, &t->background));
    TRY(cli_threads(c, &t->threads));
    TRY(cli_import_options(c, &import));
    TRY(plain_model(t->model_path, &c->diag, &t->model));
    if (t->model->forest == NULL || (t->background.path == NULL && !t->model->forest->has_cover)) {
        diag_set(&c->diag, "%.300s: %s; ask it as a black box with --method kernel", t->model_path,
                 t->model->forest == NULL ? "not a model of trees"
                                          : "the file does not tell how many training rows went "
                                            "each way, which attributions without "
                                            "--background rest on");
        FAIL(INPUT);
    }
    TRY(cli_read_table(c, t->data_path, &import.options, &t->table));
    return plain_rows_new(t->table, t->model, t->data_path, t->remarks, &c->diag, &t->rows);
}

static struct status
name_all(struct trees *t)
{
    const struct model_file *m = t->model;
    t->feature = calloc((size_t)m->features + 1, sizeof *t->feature);
    t->output_name = calloc(m->outputs, sizeof *t->output_name);
    t->output = calloc(m->outputs, sizeof *t->output);
    t->base = calloc(m->outputs, sizeof *t->base);
    CHECK(t->feature != NULL && t->output_name != NULL && t->output != NULL, MEMORY);
    CHECK(t->base != NULL, MEMORY);
    for (uint32_t f = 0; f < m->features; f++) {
        t->feature[f].name = plain_rows_column(t->rows, f)->name;
        if (m->levels != NULL && m->levels[f].count > 0) {
            t->feature[f].levels = m->levels[f].names;
            t->feature[f].level_count = m->levels[f].count;
        }
    }
    for (uint32_t k = 0; k < m->outputs; k++) {
        (void)snprintf(t->output_name[k], sizeof *t->output_name, "%u", k);
        t->output[k] = m->outputs > 1              ? t->output_name[k]
                       : t->background.probability ? "probability"
                                                   : "margin";
    }
    return OK;
}

static struct status
take_cohorts(struct trees *t)
{
    TRY(cli_list(t->c, "cohort", t->cohort, COHORTS_MAX, &t->cohorts, &t->cohort_memory));
    t->in_cohort = calloc(t->cohorts * t->table->rows + 1, 1);
    CHECK(t->in_cohort != NULL, MEMORY);
    for (size_t i = 0; i < t->cohorts; i++) {
        TRY(cohort_select(t->table, t->cohort[i], &t->c->diag, t->in_cohort + i * t->table->rows));
    }
    return OK;
}

/* --row, by number, the first is 1. */
static struct status
take_locals(struct trees *t)
{
    const size_t features = t->model->features, outputs = t->model->outputs;
    const size_t numbers = outputs * (features + 2);
    const char *given[LOCAL_MAX];
    DEFER(memory_freep) char *memory = NULL;
    TRY(cli_list(t->c, "row", given, LOCAL_MAX, &t->locals, &memory));
    t->local_x = calloc(t->locals * features + 1, sizeof *t->local_x);
    t->local_phi = calloc(t->locals * numbers + 1, sizeof *t->local_phi);
    CHECK(t->local_x != NULL && t->local_phi != NULL, MEMORY);
    for (size_t i = 0; i < t->locals; i++) {
        uint64_t row = 0;
        if (!status_ok(text_to_u64(view_str(given[i]), &row)) || row < 1 || row > t->table->rows) {
            diag_set(&t->c->diag, "--row %.40s: a row of the data, from 1 to %llu", given[i],
                     (unsigned long long)t->table->rows);
            FAIL(INPUT);
        }
        float *x = t->local_x + i * features;
        double *phi = t->local_phi + i * numbers, *margin = phi + outputs * features;
        plain_rows_fill(t->rows, row - 1, 1, x);
        model_file_margin(t->model, x, 1, 1, margin);
        memcpy(margin + outputs, margin, outputs * sizeof *margin);
        model_file_link_apply(t->model, margin + outputs, 1);
        t->local[i] = (struct explain_local){
            .row = row, .x = x, .phi = phi, .margin = margin, .prediction = margin + outputs};
    }
    return OK;
}

/* --features: those whose dependence is wanted. */
static struct status
take_features(struct trees *t)
{
    const size_t features = t->model->features;
    const char *given[CLI_MAX_REPEATS];
    DEFER(memory_freep) char *memory = NULL;
    TRY(cli_list(t->c, "features", given, CLI_MAX_REPEATS, &t->chosen_count, &memory));
    t->chosen = calloc(t->chosen_count + 1, sizeof *t->chosen);
    DEFER(memory_freep) const char **known = calloc(features + 1, sizeof *known);
    CHECK(t->chosen != NULL && known != NULL, MEMORY);
    for (size_t f = 0; f < features; f++) {
        known[f] = t->feature[f].name;
    }
    for (size_t i = 0; i < t->chosen_count; i++) {
        uint32_t f = 0;
        while (f < features && strcmp(known[f], given[i]) != 0) {
            f++;
        }
        if (f == features) {
            const char *near = text_nearest(given[i], known, features);
            diag_set(&t->c->diag, "--features: the model reads no \"%.100s\"%s%.100s%s", given[i],
                     near == NULL ? "" : "; did you mean \"", near == NULL ? "" : near,
                     near == NULL ? "" : "\"?");
            FAIL(INPUT);
        }
        t->chosen[i] = f;
    }
    return OK;
}

/* ---- making ready ---- */

static size_t
binned_rows(const struct trees *t)
{
    return t->table->rows < BINNED_ROWS ? (size_t)t->table->rows : BINNED_ROWS;
}

static struct status
make_bins(struct trees *t)
{
    const size_t features = t->model->features, rows = binned_rows(t);
    if ((size_t)t->model->outputs * features * (EXPLAIN_BINS + 1) > EXPLAIN_SUMMARY_CELLS) {
        return plain_remark(t->remarks, "too many features and outputs for views of dependence");
    }
    t->bins = calloc(features + 1, sizeof *t->bins);
    DEFER(memory_freep) float *x = calloc(rows * features + 1, sizeof *x);
    DEFER(memory_freep) double *v = calloc(rows + 1, sizeof *v);
    CHECK(t->bins != NULL && x != NULL && v != NULL, MEMORY);
    for (size_t i = 0; i < rows; i++) {
        plain_rows_fill(t->rows, i * t->table->rows / rows, 1, x + i * features);
    }
    for (size_t f = 0; f < features; f++) {
        for (size_t i = 0; i < rows; i++) {
            v[i] = (double)x[i * features + f];
        }
        bins_make(v, quantile_sort(v, rows), EXPLAIN_BINS, &t->bins[f]);
    }
    if (rows < t->table->rows) {
        TRY(plain_remark(t->remarks,
                         "the edges of the bins of the dependence views are quantiles of %zu of "
                         "%llu rows, evenly spaced; all rows are in the bins",
                         rows, (unsigned long long)t->table->rows));
    }
    return OK;
}

static struct status
make_explainer(struct trees *t)
{
    const struct model_file *m = t->model;
    struct explainer_options o;
    explain_expected(m->forest, t->base);
    explainer_defaults(&o);
    o.precision = t->record ? EXPLAIN_RECORD : EXPLAIN_FAST;
    o.expected_rows = t->table->rows;
    o.pairs = t->pairs;
    const struct status s = explainer_new(m->forest, &o, &t->explainer);
    if (s.code == STATUS_LIMIT || s.code == STATUS_UNSUPPORTED) {
        diag_set(&t->c->diag, "--interactions: the model splits on too many features for that");
        FAIL(INPUT);
    }
    return s;
}

static struct status
make_background(struct trees *t)
{
    TRY(explain_background_load(t->c, t->model, t->record, t->threads, t->table->rows, t->remarks,
                                &t->background));
    interventional_expected(t->background.explainer, t->base);
    return OK;
}

static struct status
make_summary(struct trees *t)
{
    const struct model_file *m = t->model;
    const struct status kept = explain_summary_new(m->outputs, m->features, (uint32_t)t->cohorts,
                                                   t->bins, t->pairs, &t->summary);
    if (kept.code == STATUS_LIMIT) {
        diag_set(&t->c->diag, "--interactions: %u features and %u outputs are too many pairs",
                 m->features, m->outputs);
        FAIL(INPUT);
    }
    return kept;
}

static struct status
make_block(struct trees *t)
{
    const size_t features = t->model->features, width = features * t->model->outputs;
    const size_t numbers = t->pairs ? width * features : width;
    const size_t fit = BLOCK_CELLS / (numbers + 1) + 1;
    t->block = fit < t->table->rows ? fit : (size_t)t->table->rows;
    t->x = calloc(t->block * features + 1, sizeof *t->x);
    t->phi = calloc(t->block * width + 1, sizeof *t->phi);
    t->matrix = t->pairs ? calloc(t->block * numbers + 1, sizeof *t->matrix) : NULL;
    CHECK(t->x != NULL && t->phi != NULL && (t->matrix != NULL || !t->pairs), MEMORY);
    return OK;
}

/* ---- contributions ---- */

static void
put_name(struct trees *t, uint32_t output, const char *a, const char *b)
{
    char name[700];
    (void)snprintf(name, sizeof name, "%s%s%s%s%s", t->model->outputs == 1 ? "" : t->output[output],
                   t->model->outputs == 1 ? "" : ":", a, b == NULL ? "" : " x ",
                   b == NULL ? "" : b);
    plain_csv_text(&t->csv, name);
}

static struct status
open_csv(struct trees *t)
{
    const struct model_file *m = t->model;
    const double columns =
        (double)m->outputs * (m->features + 1.0) * (t->pairs ? m->features / 2.0 + 1.0 : 1.0);
    t->writes = cli_value(t->c, "output") != NULL;
    if (!t->writes) {
        return OK;
    }
    if (columns > COLUMNS_MAX) {
        diag_set(&t->c->diag, "--output: %.0f columns; %u at most", columns, COLUMNS_MAX);
        FAIL(INPUT);
    }
    TRY(plain_csv_open(cli_value(t->c, "output"), t->record ? DIGITS_RECORD : DIGITS_FAST,
                       &t->c->diag, &t->csv));
    for (uint32_t k = 0; k < m->outputs; k++) {
        for (uint32_t a = 0; a < m->features; a++) {
            put_name(t, k, t->feature[a].name, NULL);
            for (uint32_t b = a + 1; t->pairs && b < m->features; b++) {
                put_name(t, k, t->feature[a].name, t->feature[b].name);
            }
        }
        put_name(t, k, "base", NULL);
    }
    plain_csv_end_row(&t->csv);
    return OK;
}

/* With pairs: a feature's own effect, then what it and each later feature have together. */
static void
put_row(struct trees *t, size_t i)
{
    const size_t features = t->model->features, outputs = t->model->outputs;
    for (size_t k = 0; k < outputs; k++) {
        const size_t cell = (i * outputs + k) * features;
        for (size_t a = 0; a < features; a++) {
            const double *line = t->pairs ? t->matrix + (cell + a) * features : NULL;
            plain_csv_number(&t->csv, t->pairs ? line[a] : t->phi[cell + a]);
            for (size_t b = a + 1; t->pairs && b < features; b++) {
                plain_csv_number(&t->csv, 2.0 * line[b]);
            }
        }
        plain_csv_number(&t->csv, t->base[k]);
    }
    plain_csv_end_row(&t->csv);
}

/* A feature's attribution is its line of the matrix. */
static void
sum_lines(struct trees *t, size_t rows)
{
    const size_t features = t->model->features;
    for (size_t i = 0; i < rows * t->model->outputs * features; i++) {
        t->phi[i] = 0.0;
        for (size_t b = 0; b < features; b++) {
            t->phi[i] += t->matrix[i * features + b];
        }
    }
}

static void
keep_locals(struct trees *t, uint64_t first, size_t rows)
{
    const size_t width = (size_t)t->model->features * t->model->outputs;
    for (size_t i = 0; i < t->locals; i++) {
        const uint64_t row = t->local[i].row - 1;
        if (row >= first && row - first < rows) {
            double *to = t->local_phi + i * (width + 2 * (size_t)t->model->outputs);
            memcpy(to, t->phi + (row - first) * width, width * sizeof *to);
        }
    }
}

static struct status
explain_block(struct trees *t, uint64_t first, size_t rows)
{
    const uint8_t *cohort[COHORTS_MAX + 1];
    plain_rows_fill(t->rows, first, rows, t->x);
    if (t->pairs) {
        TRY(explainer_pairs(t->explainer, t->x, rows, t->threads, t->matrix));
        sum_lines(t, rows);
        explain_summary_add_pairs(t->summary, t->matrix, rows);
    } else if (t->background.path != NULL) {
        TRY(interventional_rows(t->background.explainer, t->x, rows, t->threads, t->phi));
    } else {
        TRY(explainer_rows(t->explainer, t->x, rows, t->threads, t->phi));
    }
    for (size_t k = 0; k < t->cohorts; k++) {
        cohort[k] = t->in_cohort + k * t->table->rows + first;
    }
    explain_summary_add(t->summary, t->x, t->phi, cohort, rows);
    keep_locals(t, first, rows);
    for (size_t i = 0; t->writes && i < rows; i++) {
        put_row(t, i);
    }
    return OK;
}

static struct status
explain_all(struct trees *t)
{
    for (uint64_t first = 0; first < t->table->rows; first += t->block) {
        const uint64_t left = t->table->rows - first;
        TRY(explain_block(t, first, left < t->block ? (size_t)left : t->block));
        cli_progress_show(&t->progress, "explaining: %llu of %llu rows",
                          (unsigned long long)(t->table->rows - left + t->block),
                          (unsigned long long)t->table->rows);
    }
    return t->writes ? plain_csv_keep(&t->csv) : OK;
}

/* ---- results ---- */

#define LINES 20u
#define BAR 24

static void
print_name(const char *name, int width)
{
    size_t bytes = 0;
    int letters = 0;
    while (name[bytes] != '\0' && letters < width) {
        bytes++;
        while (((unsigned char)name[bytes] & 0xc0) == 0x80) {
            bytes++;
        }
        letters++;
    }
    char text[160];
    (void)snprintf(text, sizeof text, "%.*s", (int)bytes, name);
    (void)fputs("  ", stdout);
    cli_put_clean(stdout, text);
    (void)printf("%*s", width - letters, "");
}

static void
print_features(const json_t *features, const char *rest)
{
    DEFER(memory_freep) struct document_ranked *r = NULL;
    if (!status_ok(document_rank(features, "mean_abs", DOCUMENT_LARGEST, &r))) {
        return;
    }
    const size_t n = json_array_size(features);
    (void)printf("  %-24s %11s %*s %11s\n", "feature", "mean |phi|", BAR, "",
                 rest == NULL ? "mean phi" : "of the rest");
    for (size_t i = 0; i < n && i < LINES; i++) {
        print_name(document_text(r[i].item, "feature"), 24);
        (void)printf(" %11.4g ", r[i].size);
        cli_put_bar(stdout, r[0].size > 0 ? r[i].size / r[0].size : 0, BAR);
        (void)printf(" %11.4g\n", document_number(r[i].item, rest == NULL ? "mean" : rest));
    }
    if (n > LINES) {
        cli_say("and %zu more: --json has all", n - LINES);
    }
}

static const json_t *
output_of(const json_t *rows, size_t row, size_t output)
{
    return json_array_get(json_object_get(json_array_get(rows, row), "outputs"), output);
}

static void
put_value(const json_t *v)
{
    if (json_is_string(v)) {
        print_name(json_string_value(v), 10);
    } else if (json_is_number(v)) {
        (void)printf(" %11.4g", json_number_value(v));
    } else {
        (void)printf(" %11s", "missing");
    }
}

/* Of rows first to last: what the output is, as "margin" and "prediction". */
static void
print_sums(const json_t *rows, size_t first, size_t last, size_t output, const char *key)
{
    (void)printf("  %-24s", key);
    for (size_t i = first; i < last; i++) {
        (void)printf(" %11s %11.4g", "", document_number(output_of(rows, i, output), key));
    }
    (void)fputc('\n', stdout);
}

/* Value and attribution of --row's rows, the features that count most over all rows first. */
static void
print_rows(const json_t *rows, size_t first, size_t last, size_t output,
           const struct document_ranked *r, size_t features)
{
    (void)printf("\n  %-24s", "feature");
    for (size_t i = first; i < last; i++) {
        (void)printf("  row %6.0f %11s", document_number(json_array_get(rows, i), "row"), "phi");
    }
    (void)fputc('\n', stdout);
    for (size_t f = 0; f < features && f < LINES; f++) {
        print_name(document_text(r[f].item, "feature"), 24);
        for (size_t i = first; i < last; i++) {
            const json_t *row = json_array_get(rows, i);
            put_value(json_array_get(json_object_get(row, "values"), r[f].place));
            (void)printf(" %11.4g",
                         json_number_value(json_array_get(
                             json_object_get(output_of(rows, i, output), "phi"), r[f].place)));
        }
        (void)fputc('\n', stdout);
    }
    print_sums(rows, first, last, output, "margin");
    print_sums(rows, first, last, output, "prediction");
}

#define ABREAST 2u /* rows in 80 columns */

static void
print_locals(const json_t *d)
{
    const json_t *rows = json_object_get(d, "local");
    const size_t n = json_array_size(rows);
    size_t k = 0;
    json_t *o = NULL;
    json_array_foreach(json_object_get(d, "outputs"), k, o)
    {
        const json_t *features = json_object_get(o, "features");
        DEFER(memory_freep) struct document_ranked *r = NULL;
        if (n == 0 || !status_ok(document_rank(features, "mean_abs", DOCUMENT_LARGEST, &r))) {
            return;
        }
        (void)printf("\nrows side by side: %s, expected %.6g\n", document_text(o, "output"),
                     document_number(o, "base"));
        for (size_t i = 0; i < n; i += ABREAST) {
            print_rows(rows, i, i + ABREAST < n ? i + ABREAST : n, k, r, json_array_size(features));
        }
    }
}

static void
print_document(const json_t *d)
{
    size_t i, k;
    json_t *o, *c;
    json_array_foreach(json_object_get(d, "outputs"), i, o)
    {
        (void)printf("%s of %.0f rows, expected %.6g\n", document_text(o, "output"),
                     document_number(d, "rows"), document_number(o, "base"));
        print_features(json_object_get(o, "features"), NULL);
    }
    json_array_foreach(json_object_get(d, "cohorts"), k, c)
    {
        (void)fputs("\ncohort ", stdout);
        cli_put_clean(stdout, document_text(c, "cohort"));
        (void)printf(": %.0f rows, the rest %.0f\n", document_number(c, "rows"),
                     document_number(c, "rest_rows"));
        o = json_array_get(json_object_get(c, "outputs"), 0);
        print_features(json_object_get(o, "features"), "rest_mean_abs");
    }
    o = json_array_get(json_object_get(d, "interactions"), 0);
    json_array_foreach(json_object_get(o, "pairs"), i, c)
    {
        const json_t *names = json_object_get(c, "features");
        (void)printf("%s", i == 0 ? "\npairs, mean |both halves|\n" : "");
        print_name(json_string_value(json_array_get(names, 0)), 24);
        print_name(json_string_value(json_array_get(names, 1)), 24);
        (void)printf(" %11.4g\n", document_number(c, "mean_abs"));
    }
    print_locals(d);
}

static struct status
make_document(struct trees *t, json_t **ret_document)
{
    const struct explain_input in = {.model = t->model_path,
                                     .record = t->record || t->pairs,
                                     .background = t->background.path,
                                     .background_rows = t->background.rows,
                                     .probability = t->background.probability,
                                     .features = t->feature,
                                     .outputs = t->output,
                                     .base = t->base,
                                     .summary = t->summary,
                                     .cohorts = t->cohort,
                                     .chosen = t->chosen,
                                     .chosen_count = t->chosen_count,
                                     .binned_rows = binned_rows(t),
                                     .local = t->local,
                                     .local_count = t->locals,
                                     .remarks = t->remarks};
    return explain_document(&in, ret_document);
}

static struct status
show(struct trees *t)
{
    struct cli *c = t->c;
    const char *report = cli_value(c, "report"), *output = cli_value(c, "output");
    DEFER(js_freep) json_t *d = NULL;
    TRY(make_document(t, &d));
    if (report != NULL) {
        DEFER(buf_done) struct buf html;
        buf_init(&html, HTML_MAX_BYTES);
        TRY(html_explain_page(d, &html));
        TRY(file_replace(report, buf_view(&html), PERSONAL_MODE, &c->diag));
    }
    if (c->json) {
        return cli_print_json(d);
    }
    plain_print_remarks(t->remarks);
    if (output == NULL || strcmp(output, "-") != 0) {
        print_document(d);
    }
    return OK;
}

struct status
cli_explain_trees(struct cli *c)
{
    DEFER(trees_done) struct trees t = {.c = c};
    t.record = cli_flag(c, "record");
    t.pairs = cli_flag(c, "interactions");
    t.remarks = json_array();
    CHECK(t.remarks != NULL, MEMORY);
    TRY(open_files(&t));
    TRY(name_all(&t));
    TRY(take_cohorts(&t));
    TRY(take_locals(&t));
    TRY(take_features(&t));
    TRY(make_bins(&t));
    TRY(t.background.path != NULL ? make_background(&t) : make_explainer(&t));
    TRY(make_summary(&t));
    TRY(make_block(&t));
    TRY(open_csv(&t));
    cli_progress_start(&t.progress, "explaining");
    const struct status s = explain_all(&t);
    cli_progress_stop(&t.progress);
    TRY(s);
    return show(&t);
}
