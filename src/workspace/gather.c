#include "workspace/gather.h"

#include "data/cohort.h"
#include "data/table_build.h"
#include "num/quantile.h"
#include "report/bias_document.h"
#include "report/document.h"
#include "workspace/answers.h"
#include "workspace/decisions.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FEATURE_INTERVALS 10u

void
gathered_done(struct gathered *g)
{
    for (uint32_t i = 0; g->made != NULL && i < g->feature_count; i++) {
        free(g->made[i]);
    }
    for (uint32_t i = 0; i < g->factor_count; i++) {
        plain_codes_done(&g->codes[i]);
    }
    for (uint32_t i = 0; g->read_levels != NULL && i < g->model->features.count; i++) {
        free(g->read_levels[i]);
    }
    free(g->read_levels);
    free(g->made);
    free(g->read);
    free(g->features);
    free(g->codes);
    free(g->factors);
    free(g->y);
    free(g->truth_class);
    free(g->classes);
    label_classes_done(&g->more);
    free(g->truth);
    free(g->row_number);
    free(g->x);
    free(g->score);
    free(g->decision);
    js_freep(&g->thresholds);
    js_freep(&g->bias);
    js_freep(&g->without_groups);
    js_freep(&g->remarks);
    table_free(g->table);
    model_free(g->model);
}

static struct status
remark(struct gathered *g, const char *format, const char *name)
{
    DEFER(buf_done) struct buf b;
    buf_init(&b, 1u << 16);
    buf_printf(&b, format, name);
    TRY(buf_status(&b));
    CHECK(json_array_append_new(g->remarks, json_string(buf_str(&b))) == 0, MEMORY);
    return OK;
}

/* Nothing of no row. */
static struct status
remark_count(struct gathered *g, const char *format, uint64_t rows)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)rows);
    return rows == 0 ? OK : remark(g, format, text);
}

static bool
has_levels(const struct column *c)
{
    return c->type == COLUMN_CATEGORY || c->type == COLUMN_BOOLEAN;
}

/* ---- which rows ---- */

static struct status score_rows(struct gathered *g, unsigned threads, struct diag *diag);

/* What the model answers for every row of the dataset, for a condition that asks for it. */
struct answers {
    struct gathered all; /* only what score_rows makes; model and table are another's */
    unsigned threads;
    struct column prediction, score;
    struct outcome outcome;
};

static void
answers_done(struct answers *a)
{
    outcome_done(&a->outcome);
    column_done(&a->prediction);
    a->all.model = NULL;
    a->all.table = NULL;
    gathered_done(&a->all);
}

static struct status
tell_answers(void *ctx, struct diag *diag, struct outcome *o)
{
    struct answers *a = ctx;
    a->all.remarks = json_array(); /* they are made again of the rows that are assessed */
    CHECK(a->all.remarks != NULL, MEMORY);
    TRY(score_rows(&a->all, a->threads, diag));
    TRY(answers_column(a->all.model, a->all.score, a->all.decision, o->table->rows,
                       &a->prediction));
    a->score = (struct column){.type = COLUMN_FLOAT, .f = a->all.score};
    o->prediction = &a->prediction;
    o->score = model_file_is_binary(a->all.model->file) ? &a->score : NULL;
    return OK;
}

/* A row of the part for which the condition has no answer is counted. */
static struct status
select_cohort(struct gathered *g, const struct gather_options *o, struct diag *diag,
              uint8_t *selected)
{
    if (o->cohort == NULL) {
        return OK;
    }
    DEFER(memory_freep) uint8_t *in = calloc((size_t)g->table->rows + 1, 1);
    DEFER(answers_done)
    struct answers a = {.all = {.model = g->model, .table = g->table}, .threads = o->threads};
    uint64_t unknown = 0;
    CHECK(in != NULL, MEMORY);
    a.outcome = (struct outcome){.table = g->table,
                                 .label = table_column(g->table, g->model->label),
                                 .positive = g->model->positive,
                                 .numeric = model_file_task(g->model->file) == MODEL_NUMBER,
                                 .tell = tell_answers,
                                 .ctx = &a};
    TRY(cohort_select(g->table, &a.outcome, o->cohort, diag, in, &unknown));
    for (size_t i = 0; i < (size_t)g->table->rows; i++) {
        selected[i] &= in[i];
    }
    return remark_count(g,
                        "for %s rows of the dataset the cohort's condition has no answer, since a "
                        "value is missing: they are not in the cohort",
                        unknown);
}

/* ---- the label ---- */

/* Of the whole table; one of the three, by what the model answers. */
struct labels {
    uint8_t *y;      /* 0, 1, 2 missing */
    uint32_t *class; /* or LABEL_MISSING */
    double *value;   /* NaN missing */
};

static void
labels_done(struct labels *l)
{
    free(l->y);
    free(l->class);
    free(l->value);
}

static bool
is_labelled(const struct labels *l, size_t row)
{
    return l->y != NULL       ? l->y[row] <= 1
           : l->class != NULL ? l->class[row] != LABEL_MISSING
                              : isfinite(l->value[row]);
}

/* The model's classes, and then those that only the label has. */
static struct status
name_classes(struct gathered *g, const struct column *label, struct diag *diag)
{
    const struct model_file *m = g->model->file;
    if (m->output_names == NULL) {
        diag_set(diag,
                 "model %s: its %u classes have no names; add it again with --classes, or with "
                 "--data and a dataset whose label has as many",
                 g->model->name, m->outputs);
        FAIL(INPUT);
    }
    TRY(label_classes_of(g->table, label, diag, &g->more));
    g->classes = calloc((size_t)m->outputs + g->more.count + 1, sizeof *g->classes);
    CHECK(g->classes != NULL, MEMORY);
    for (uint32_t k = 0; k < m->outputs; k++) {
        g->classes[g->class_count++] = m->output_names[k];
    }
    for (uint32_t k = 0; k < g->more.count; k++) {
        bool known = false;
        for (uint32_t j = 0; j < m->outputs; j++) {
            known |= strcmp(g->more.names[k], m->output_names[j]) == 0;
        }
        if (!known) {
            g->classes[g->class_count++] = g->more.names[k];
        }
    }
    return OK;
}

static struct status
label_as_known(struct gathered *g, const struct column *label, struct diag *diag, struct labels *l)
{
    const size_t rows = (size_t)g->table->rows;
    l->class = calloc(rows + 1, sizeof *l->class);
    CHECK(l->class != NULL, MEMORY);
    TRY(name_classes(g, label, diag));
    TRY(label_as_classes(g->table, label, g->classes, g->class_count, diag, l->class));
    if (g->class_count == g->model->file->outputs + g->more.count) {
        diag_set(diag, "label \"%.60s\" of dataset %s has none of the classes of model %s",
                 label->name, g->info.name, g->model->name);
        FAIL(INPUT);
    }
    return OK;
}

/* Fails with a sentence when the label cannot be read as what the model answers in the *whole*
 * table: a cohort with one class only is a finding, not an error. */
static struct status
label_whole(struct gathered *g, struct diag *diag, struct labels *l)
{
    const struct model *m = g->model;
    const size_t rows = (size_t)g->table->rows;
    const struct column *label = m->label == NULL ? NULL : table_column(g->table, m->label);
    if (m->label == NULL) {
        diag_set(diag,
                 "model %s does not say which column it predicts; add it again with --label COLUMN",
                 m->name);
        FAIL(INPUT);
    }
    if (label == NULL || label->role != ROLE_LABEL) {
        diag_set(diag, "dataset %s has no label column \"%s\", which model %s predicts",
                 g->info.name, m->label, m->name);
        FAIL(INPUT);
    }
    switch (model_file_task(m->file)) {
    case MODEL_BINARY:
        l->y = calloc(rows + 1, 1);
        CHECK(l->y != NULL, MEMORY);
        return table_binary_label(g->table, diag, l->y);
    case MODEL_CLASSES:
        return label_as_known(g, label, diag, l);
    case MODEL_NUMBER:
        l->value = calloc(rows + 1, sizeof *l->value);
        CHECK(l->value != NULL, MEMORY);
        return label_as_numbers(g->table, label, diag, l->value);
    default:
        diag_set(diag,
                 "model %s: objective %s answers with %u numbers; an assessment needs one number, "
                 "or classes",
                 m->name, m->file->objective, m->file->outputs);
        FAIL(UNSUPPORTED);
    }
}

static struct status
keep_labels(struct gathered *g, const struct labels *l, const uint64_t *keep, size_t n)
{
    g->y = calloc(n + 1, sizeof *g->y);
    g->truth_class = calloc(n + 1, sizeof *g->truth_class);
    g->truth = calloc(n + 1, sizeof *g->truth);
    CHECK(g->y != NULL && g->truth_class != NULL && g->truth != NULL, MEMORY);
    for (size_t i = 0; i < n; i++) {
        g->y[i] = l->y != NULL ? l->y[keep[i]] : 0;
        g->truth_class[i] = l->class != NULL ? l->class[keep[i]] : 0;
        g->truth[i] = l->value != NULL ? l->value[keep[i]] : 0;
    }
    return OK;
}

static struct status
keep_rows(struct gathered *g, const uint8_t *selected, const struct labels *l, struct diag *diag)
{
    const size_t rows = (size_t)g->table->rows;
    DEFER(memory_freep) uint64_t *keep = calloc(rows + 1, sizeof *keep);
    CHECK(keep != NULL, MEMORY);
    size_t n = 0;
    uint64_t infinite = 0;
    for (size_t i = 0; i < rows; i++) {
        const bool labelled = is_labelled(l, i);
        infinite += selected[i] != 0 && l->value != NULL && isinf(l->value[i]);
        g->dropped += selected[i] != 0 && !labelled;
        keep[n] = i;
        n += selected[i] != 0 && labelled;
    }
    if (n == 0) {
        diag_set(diag,
                 "no row to assess: the part and cohort that were asked for hold no labelled row");
        FAIL(INPUT);
    }
    TRY(keep_labels(g, l, keep, n));
    TRY(remark_count(g, "%s of the rows without a label have an infinite one", infinite));
    TRY(remark_count(g,
                     "%s rows of the dataset are of persons who were erased: they cannot be read "
                     "and are in no number",
                     g->table->erased));
    DEFER(memory_freep) uint64_t *numbers = calloc(n + 1, sizeof *numbers);
    CHECK(numbers != NULL, MEMORY);
    for (size_t i = 0; i < n; i++) {
        numbers[i] = table_row_number(g->table, keep[i]);
    }
    if (n < rows) {
        struct table *chosen = NULL;
        TRY(table_select(g->table, keep, n, &chosen));
        table_free(g->table);
        g->table = chosen;
    }
    g->row_number = MOVE(numbers);
    return OK;
}

static struct status
choose_rows(struct gathered *g, const struct gather_options *o, struct diag *diag)
{
    DEFER(memory_freep) uint8_t *selected = calloc((size_t)g->table->rows + 1, 1);
    DEFER(labels_done) struct labels labels = {0};
    CHECK(selected != NULL, MEMORY);
    TRY(label_whole(g, diag, &labels));
    TRY(model_select(g->model, &g->info, g->table, o->part, diag, selected));
    TRY(select_cohort(g, o, diag, selected));
    return keep_rows(g, selected, &labels, diag);
}

/* ---- who the people are ---- */

/* The table is ours: the columns that were asked for are as good as the dataset's own. */
static struct status
take_for_sensitive(struct gathered *g, const struct gather_options *o, struct diag *diag)
{
    for (size_t k = 0; k < o->sensitive_count; k++) {
        const struct column *c = NULL;
        TRY(table_need_column(g->table, "sensitive", o->sensitive[k], diag, &c));
        if (c->role != ROLE_LABEL) {
            g->table->columns[c - g->table->columns].role = ROLE_SENSITIVE;
        }
    }
    return OK;
}

static struct status
tell_without_groups(struct gathered *g, const struct column *c)
{
    DEFER(buf_done) struct buf text;
    buf_init(&text, 1u << 16);
    TRY(document_add_without_groups(g->without_groups, c->name,
                                    c->type == COLUMN_TEXT ? "is free text"
                                                           : "has no value in any row"));
    document_put_without_groups(
        json_array_get(g->without_groups, json_array_size(g->without_groups) - 1), &text);
    TRY(buf_status(&text));
    return remark(g, "%s", buf_str(&text));
}

static struct status
gather_factors(struct gathered *g, const struct gather_options *o, struct diag *diag)
{
    const size_t room = (size_t)g->table->column_count + 1;
    g->factors = calloc(room, sizeof *g->factors);
    g->codes = calloc(room, sizeof *g->codes);
    CHECK(g->factors != NULL && g->codes != NULL, MEMORY);
    for (uint32_t i = 0; i < g->table->column_count; i++) {
        const struct column *c = &g->table->columns[i];
        if (c->role != ROLE_SENSITIVE) {
            continue;
        }
        if (c->type == COLUMN_TEXT || c->nulls == g->table->rows) {
            TRY(tell_without_groups(g, c));
            continue;
        }
        struct plain_codes *p = &g->codes[g->factor_count];
        struct assessment_factor *f = &g->factors[g->factor_count++];
        bool by_edges = false;
        TRY(facets_codes(o->facets, g->table, c, diag, p, &by_edges));
        *f = (struct assessment_factor){p->name, p->codes, p->names, p->levels};
        if (p->cut) {
            TRY(remark(g,
                       by_edges ? "sensitive column \"%.100s\" is cut as --intervals says"
                                : "sensitive column \"%.100s\" is cut into intervals of about as "
                                  "many rows",
                       c->name));
        }
    }
    return facets_check(o->facets, g->codes, g->factor_count, diag);
}

/* ---- bias in the data ---- */

/* Sensitive columns, then all others but the label. */
struct coded {
    struct plain_codes *other;
    uint32_t others;
    struct plain_codes cut; /* of a label of numbers */
    int32_t *code;          /* of classes */
    const char *two[2];
    struct bias_column label;
    uint32_t positive;
    struct bias_column *columns;
};

static void
coded_done(struct coded *c)
{
    for (uint32_t i = 0; c->other != NULL && i < c->others; i++) {
        plain_codes_done(&c->other[i]);
    }
    plain_codes_done(&c->cut);
    free(c->other);
    free(c->code);
    free(c->columns);
}

static struct bias_column
column_of(const struct plain_codes *p)
{
    return (struct bias_column){p->name, p->codes, p->names, p->levels, p->ordered};
}

static struct status
code_columns(const struct gathered *g, struct coded *k)
{
    const size_t room = (size_t)g->table->column_count + 1;
    k->other = calloc(room, sizeof *k->other);
    k->columns = calloc(room, sizeof *k->columns);
    CHECK(k->other != NULL && k->columns != NULL, MEMORY);
    for (uint32_t i = 0; i < g->factor_count; i++) {
        k->columns[i] = column_of(&g->codes[i]);
    }
    for (uint32_t i = 0; i < g->table->column_count; i++) {
        const struct column *c = &g->table->columns[i];
        if (c->role == ROLE_FEATURE || c->role == ROLE_TIME) {
            struct plain_codes *p = &k->other[k->others++];
            TRY(plain_codes_of(g->table, c, FEATURE_INTERVALS, p));
            k->columns[g->factor_count + k->others - 1] = column_of(p);
        }
    }
    return OK;
}

/* ---- the label, for bias ---- */

/* The most frequent class stands for the positive one. */
static struct status
code_classes(struct gathered *g, struct coded *k)
{
    const size_t rows = (size_t)g->table->rows;
    DEFER(memory_freep) uint64_t *count = calloc((size_t)g->class_count + 1, sizeof *count);
    k->code = calloc(rows + 1, sizeof *k->code);
    CHECK(count != NULL && k->code != NULL, MEMORY);
    for (size_t i = 0; i < rows; i++) {
        k->code[i] = (int32_t)g->truth_class[i];
        count[g->truth_class[i]]++;
    }
    for (uint32_t c = 1; c < g->class_count; c++) {
        k->positive = count[c] > count[k->positive] ? c : k->positive;
    }
    k->label = (struct bias_column){
        .name = g->model->label, .codes = k->code, .names = g->classes, .levels = g->class_count};
    return remark(g,
                  "bias in the data: the positive class is the most frequent one, \"%.200s\", "
                  "as a label of several classes has none of its own",
                  g->classes[k->positive]);
}

/* Cut at the median of the rows: over it is positive. */
static struct status
cut_label(struct gathered *g, struct coded *k)
{
    const size_t rows = (size_t)g->table->rows;
    const struct column *label = table_column(g->table, g->model->label);
    DEFER(memory_freep) double *sorted = calloc(rows + 1, sizeof *sorted);
    CHECK(sorted != NULL, MEMORY);
    memcpy(sorted, g->truth, rows * sizeof *sorted);
    const double median = quantile_sorted(sorted, quantile_sort(sorted, rows), 0.5);
    if (label->type == COLUMN_BOOLEAN) {
        TRY(plain_codes_of(g->table, label, FEATURE_INTERVALS, &k->cut));
    } else {
        TRY(plain_codes_cut(g->table, label, median, &k->cut));
    }
    k->label = column_of(&k->cut);
    k->positive = k->label.levels - 1;
    return remark(g,
                  "bias in the data: the label is a number and is cut at its median; positive is "
                  "%.200s",
                  k->cut.names[k->positive]);
}

static struct status
code_two(struct gathered *g, struct coded *k)
{
    const size_t rows = (size_t)g->table->rows;
    k->code = calloc(rows + 1, sizeof *k->code);
    CHECK(k->code != NULL, MEMORY);
    for (size_t i = 0; i < rows; i++) {
        k->code[i] = g->y[i];
    }
    k->two[0] = g->model->negative;
    k->two[1] = g->model->positive;
    k->positive = 1;
    k->label = (struct bias_column){
        .name = g->model->label, .codes = k->code, .names = k->two, .levels = 2};
    return OK;
}

static struct status
code_label(struct gathered *g, struct coded *k)
{
    switch (model_file_task(g->model->file)) {
    case MODEL_BINARY:
        return code_two(g, k);
    case MODEL_CLASSES:
        return code_classes(g, k);
    default:
        return cut_label(g, k);
    }
}

static struct status
gather_bias(struct gathered *g, const struct gather_options *o)
{
    DEFER(coded_done) struct coded k = {0};
    struct diag why = {0};
    if (g->factor_count == 0) {
        return OK;
    }
    TRY(code_label(g, &k));
    TRY(code_columns(g, &k));
    const struct bias_input in = {
        .rows = (size_t)g->table->rows,
        .label = k.label,
        .positive = k.positive,
        .sensitive = k.columns,
        .sensitives = g->factor_count,
        .columns = k.columns,
        .column_count = g->factor_count + (size_t)k.others,
        .level = o->settings->level,
        .fdr = o->settings->fdr,
        .replicates = o->settings->replicates,
        .min_group = o->settings->min_group,
        .seed = o->settings->seed,
        .threads = o->threads,
    };
    const struct status s = bias_document(&in, &why, &g->bias);
    if (s.code != STATUS_INPUT && s.code != STATUS_LIMIT) {
        return s;
    }
    return remark(g, "bias in the data could not be looked for: %.400s", why.text);
}

/* ---- what the model reads ---- */

static uint64_t
row_number(const struct gathered *g, uint64_t i)
{
    return g->row_number == NULL ? table_row_number(g->table, i) : g->row_number[i];
}

/* Only of a linear model: a value is missing that it has none to read instead. */
static struct status
check_scores(const struct gathered *g, struct diag *diag)
{
    uint64_t none = 0, first = 0;
    for (uint64_t i = 0; i < g->table->rows; i++) {
        const bool lacks = isnan(g->score[i * g->model->file->outputs]) != 0;
        first = none == 0 && lacks ? row_number(g, i) : first;
        none += lacks;
    }
    if (none > 0) {
        diag_set(diag,
                 "%llu of %llu rows, the first is row %llu, miss a value for which the model file "
                 "has none to read instead (\"missing\"): the model has no answer for them; add "
                 "such values to the file, or assess a cohort without these rows",
                 (unsigned long long)none, (unsigned long long)g->table->rows,
                 (unsigned long long)first);
        FAIL(INPUT);
    }
    return OK;
}

static struct status
remark_remover(struct gathered *g, uint64_t missing)
{
    DEFER(buf_done) struct buf text;
    buf_init(&text, 1u << 16);
    if (g->model->remover.by.count == 0) {
        return OK;
    }
    const struct feature_list *l = &g->model->features;
    DEFER(memory_freep) const char **names = calloc((size_t)l->count + 1, sizeof *names);
    CHECK(names != NULL, MEMORY);
    for (uint32_t i = 0; i < l->count; i++) {
        names[i] = l->items[i].name;
    }
    remover_describe(&g->model->remover, names, missing, &text);
    TRY(buf_status(&text));
    return remark(g, "%s", buf_str(&text));
}

static struct status
score_rows(struct gathered *g, unsigned threads, struct diag *diag)
{
    const size_t rows = (size_t)g->table->rows, width = g->model->features.count;
    size_t cells = 0, answers = 0;
    uint64_t missing = 0;
    CHECK(!__builtin_mul_overflow(rows, width, &cells) &&
              !__builtin_mul_overflow(rows, (size_t)g->model->file->outputs, &answers),
          LIMIT);
    g->x = calloc(cells + 1, sizeof *g->x);
    g->score = calloc(answers + 1, sizeof *g->score);
    g->decision = calloc(rows + 1, 1);
    CHECK(g->x != NULL && g->score != NULL && g->decision != NULL, MEMORY);
    TRY(model_matrix(g->model, g->table, g->remarks, diag, g->x, &missing));
    TRY(remark_remover(g, missing));
    model_predict(g->model, g->x, rows, threads, g->score);
    TRY(check_scores(g, diag));
    return !model_file_is_binary(g->model->file)
               ? OK
               : decisions_make(g->model, g->table, g->x, g->score, diag, g->decision,
                                &g->thresholds);
}

static struct status
order_levels(const struct feature *f, const char ***ret_levels)
{
    const char **levels = calloc((size_t)f->level_count + 1, sizeof *levels);
    CHECK(levels != NULL, MEMORY);
    for (uint32_t k = 0; k < f->level_count; k++) {
        levels[f->code[k]] = f->levels[k];
    }
    *ret_levels = levels;
    return OK;
}

static struct status
gather_read(struct gathered *g)
{
    const struct feature_list *l = &g->model->features;
    g->read = calloc((size_t)l->count + 1, sizeof *g->read);
    g->read_levels = calloc((size_t)l->count + 1, sizeof *g->read_levels);
    CHECK(g->read != NULL && g->read_levels != NULL, MEMORY);
    for (uint32_t i = 0; i < l->count; i++) {
        const struct feature *f = &l->items[i];
        if (f->code != NULL) {
            TRY(order_levels(f, &g->read_levels[i]));
        }
        const char *const *levels =
            f->code != NULL ? g->read_levels[i] : (const char *const *)f->levels;
        g->read[i] = (struct assessment_feature){.name = f->name,
                                                 .levels = f->level_count > 0 ? levels : NULL,
                                                 .level_count = f->level_count};
    }
    return OK;
}

/* Numbers are used where they are: the table is ours. */
static struct status
values_of(struct column *c, uint64_t rows, double **ret_made, const double **ret_values)
{
    *ret_made = NULL;
    if (c->type == COLUMN_FLOAT) {
        for (uint64_t i = 0; c->null != NULL && i < rows; i++) {
            c->f[i] = c->null[i] != 0 ? NAN : c->f[i];
        }
        *ret_values = c->f;
        return OK;
    }
    double *v = calloc((size_t)rows + 1, sizeof *v);
    CHECK(v != NULL, MEMORY);
    for (uint64_t i = 0; i < rows; i++) {
        v[i] = column_number(c, i);
    }
    *ret_made = v;
    *ret_values = v;
    return OK;
}

static struct status
gather_feature(struct gathered *g, struct column *c)
{
    struct assessment_feature *f = &g->features[g->feature_count];
    TRY(values_of(c, g->table->rows, &g->made[g->feature_count], &f->value));
    f->name = c->name;
    f->levels = has_levels(c) ? (const char *const *)c->levels : NULL;
    f->level_count = has_levels(c) ? c->level_count : 0;
    g->feature_count++;
    return OK;
}

/* Mistakes are looked for in what the model reads and in who the people are. */
static struct status
gather_features(struct gathered *g)
{
    const size_t room = (size_t)g->table->column_count + 1;
    g->features = calloc(room, sizeof *g->features);
    g->made = calloc(room, sizeof *g->made);
    CHECK(g->features != NULL && g->made != NULL, MEMORY);
    for (uint32_t i = 0; i < g->table->column_count; i++) {
        struct column *c = &g->table->columns[i];
        bool read = false;
        for (uint32_t k = 0; k < g->model->features.count; k++) {
            read |= strcmp(g->model->features.items[k].name, c->name) == 0;
        }
        if (!read && c->role != ROLE_SENSITIVE) {
            continue;
        }
        if (c->type == COLUMN_TIME) {
            TRY(remark(g, "column \"%.100s\" is of times: it is not looked at for mistakes",
                       c->name));
        } else if (c->type != COLUMN_TEXT && c->nulls == g->table->rows) {
            TRY(remark(g,
                       "column \"%.100s\" has no value in any row: it is not looked at for "
                       "mistakes",
                       c->name));
        } else if (c->type != COLUMN_TEXT) {
            TRY(gather_feature(g, c));
        }
    }
    return OK;
}

/* ---- the whole ---- */

/* Means of it would not exist. */
static struct status
check_finite(const struct gathered *g, struct diag *diag)
{
    const bool numbers = model_file_task(g->model->file) == MODEL_NUMBER;
    for (uint64_t i = 0; numbers && i < g->table->rows; i++) {
        if (isinf(g->score[i])) {
            diag_set(diag,
                     "row %llu: model %s answers with an infinite number; assess a cohort without "
                     "such rows",
                     (unsigned long long)g->row_number[i], g->model->name);
            FAIL(INPUT);
        }
    }
    return OK;
}

struct status
gather(struct workspace *w, const struct gather_options *o, struct diag *diag, struct gathered *g)
{
    g->remarks = json_array();
    g->without_groups = json_array();
    CHECK(g->remarks != NULL && g->without_groups != NULL, MEMORY);
    TRY(model_load(w, o->model, o->model_version, diag, &g->model));
    TRY(dataset_load(w, o->dataset, o->dataset_version, diag, &g->table, &g->info));
    TRY(take_for_sensitive(g, o, diag));
    TRY(choose_rows(g, o, diag));
    TRY(gather_factors(g, o, diag));
    if (o->progress != NULL) {
        o->progress(o->progress_ctx, "bias in the data", 0.05);
    }
    TRY(gather_bias(g, o));
    TRY(score_rows(g, o->threads, diag));
    TRY(check_finite(g, diag));
    TRY(gather_read(g));
    return gather_features(g);
}

struct status
gather_decisions(struct model *m, struct table *t, unsigned threads, struct diag *diag,
                 struct gathered *g)
{
    g->model = m;
    g->table = t;
    g->remarks = json_array();
    g->row_number = calloc((size_t)t->rows + 1, sizeof *g->row_number);
    CHECK(g->remarks != NULL && g->row_number != NULL, MEMORY);
    for (uint64_t i = 0; i < t->rows; i++) {
        g->row_number[i] = table_row_number(t, i);
    }
    if (model_file_task(m->file) == MODEL_NUMBERS) {
        diag_set(diag, "model %s: objective %s answers with %u numbers, which are no decision",
                 m->name, m->file->objective, m->file->outputs);
        FAIL(UNSUPPORTED);
    }
    return score_rows(g, threads, diag);
}
