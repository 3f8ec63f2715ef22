/* steward mitigate MODEL, of a model that is no binary classifier: whom the old and the new version
 * serve how well. */
#include "cli/mitigate.h"

#include "assess/metric.h"
#include "data/label.h"
#include "report/document.h"
#include "report/fairness_document.h"
#include "workspace/gather.h"
#include "workspace/mitigation.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define INTERVALS 4u
#define GROUPS_PRINTED 20u

/* What the model says of the rows, and what is true. */
struct answers {
    struct gathered g;
    double *value;                     /* of numbers */
    int32_t *y_class, *decision_class; /* of classes */
    struct plain_codes codes[MITIGATION_MAX_COLUMNS];
    struct assessment_factor factor[MITIGATION_MAX_COLUMNS];
};

static void
answers_done(struct answers *a)
{
    gathered_done(&a->g);
    free(a->value);
    free(a->y_class);
    free(a->decision_class);
    for (size_t k = 0; k < MITIGATION_MAX_COLUMNS; k++) {
        plain_codes_done(&a->codes[k]);
    }
}

static struct status
answer_rows(struct cli *c, struct workspace *w, const struct model *m, unsigned threads,
            struct answers *a)
{
    struct dataset_info info;
    struct model *loaded = NULL;
    DEFER(table_freep) struct table *whole = NULL;
    DEFER(table_freep) struct table *chosen = NULL;
    DEFER(memory_freep) uint8_t *selected = NULL;
    TRY(dataset_load(w, m->dataset, m->dataset_version, &c->diag, &whole, &info));
    selected = calloc((size_t)whole->rows + 1, 1);
    CHECK(selected != NULL, MEMORY);
    TRY(model_select(m, &info, m->split < 1 ? PART_TEST : PART_ALL, &c->diag, selected));
    TRY(table_select_marked(whole, selected, 1, &chosen));
    TRY(model_load(w, m->name, m->version, &c->diag, &loaded));
    return gather_decisions(loaded, MOVE(chosen), threads, &c->diag, &a->g);
}

static struct status
read_numbers(struct cli *c, const struct column *label, struct answers *a,
             struct fairness_input *in)
{
    a->value = calloc(in->rows + 1, sizeof *a->value);
    CHECK(a->value != NULL, MEMORY);
    TRY(label_as_numbers(a->g.table, label, &c->diag, a->value));
    in->task = FAIRNESS_NUMERIC;
    in->value = a->value;
    in->predicted = a->g.score;
    return OK;
}

static struct status
read_classes(struct cli *c, const struct column *label, struct answers *a,
             struct fairness_input *in)
{
    const struct model_file *m = a->g.model->file;
    DEFER(memory_freep) uint32_t *class = calloc(in->rows + 1, sizeof *class);
    a->y_class = calloc(in->rows + 1, sizeof *a->y_class);
    a->decision_class = calloc(in->rows + 1, sizeof *a->decision_class);
    CHECK(class != NULL && a->y_class != NULL && a->decision_class != NULL, MEMORY);
    TRY(label_as_classes(a->g.table, label, m->output_names, m->outputs, &c->diag, class));
    for (size_t i = 0; i < in->rows; i++) {
        a->y_class[i] = class[i] < m->outputs ? (int32_t) class[i] : -1;
        a->decision_class[i] = (int32_t)metric_class_of(a->g.score + i * m->outputs, m->outputs);
    }
    in->task = FAIRNESS_CLASSES;
    in->y_class = a->y_class;
    in->decision_class = a->decision_class;
    in->classes = m->output_names;
    in->class_count = m->outputs;
    return OK;
}

struct status
mitigate_fairness(struct cli *c, struct workspace *w, const struct model *m,
                  const char *const *sensitive, size_t count, unsigned threads,
                  json_t **ret_document)
{
    DEFER(answers_done) struct answers a = {0};
    DEFER(js_freep) json_t *d = NULL;
    const struct column *label = NULL;
    struct assessment_settings settings;
    TRY(answer_rows(c, w, m, threads, &a));
    assessment_defaults(&settings);
    struct fairness_input in = {.label = m->label,
                                .prediction = "prediction",
                                .rows = (size_t)a.g.table->rows,
                                .sensitive = a.factor,
                                .sensitive_count = (uint32_t)count,
                                .min_group = settings.min_group,
                                .level = settings.level,
                                .q = settings.fdr,
                                .replicates = settings.replicates,
                                .seed = settings.seed,
                                .threads = threads};
    TRY(table_need_column(a.g.table, "label", m->label, &c->diag, &label));
    TRY(model_file_task(m->file) == MODEL_NUMBER ? read_numbers(c, label, &a, &in)
                                                 : read_classes(c, label, &a, &in));
    for (size_t k = 0; k < count; k++) {
        const struct column *col = NULL;
        struct plain_codes *p = &a.codes[k];
        TRY(table_need_column(a.g.table, "sensitive", sensitive[k], &c->diag, &col));
        TRY(plain_codes_of(a.g.table, col, INTERVALS, p));
        a.factor[k] = (struct assessment_factor){p->name, p->codes, p->names, p->levels};
    }
    TRY(fairness_document(&in, &c->diag, &d));
    CHECK(json_array_extend(json_object_get(d, "remarks"), a.g.remarks) == 0, MEMORY);
    *ret_document = MOVE(d);
    return OK;
}

/* ---- what is printed ---- */

static double
metric_of(const json_t *o, const char *metric)
{
    return document_number(json_object_get(json_object_get(o, "metrics"), metric), "value");
}

/* What is not defined, as r2 of a label that does not vary, is "-". */
static void
put_figure(double v)
{
    if (isnan(v)) {
        (void)printf(" %12s", "-");
    } else {
        (void)printf(" %12.5g", v);
    }
}

static void
print_pair(const char *name, double was, double is)
{
    (void)fputs("  ", stdout);
    cli_put_name(stdout, name, 38);
    put_figure(was);
    put_figure(is);
    (void)fputc('\n', stdout);
}

static void
print_grouping(const json_t *was, const json_t *is, const char *metric)
{
    size_t i = 0;
    json_t *g = NULL, *name = NULL;
    (void)printf("%s by ", metric);
    json_array_foreach(json_object_get(is, "columns"), i, name)
    {
        (void)fputs(i == 0 ? "" : " and ", stdout);
        cli_put_clean(stdout, json_string_value(name));
    }
    (void)fputc('\n', stdout);
    json_array_foreach(json_object_get(is, "groups"), i, g)
    {
        if (i < GROUPS_PRINTED) {
            print_pair(document_text(g, "group"),
                       metric_of(json_array_get(json_object_get(was, "groups"), i), metric),
                       metric_of(g, metric));
        }
    }
    if (i > GROUPS_PRINTED) {
        (void)printf("and %zu groups more; --json has them\n", i - GROUPS_PRINTED);
    }
}

void
mitigate_fairness_print(const struct model *old, const struct model *new, const json_t *before,
                        const json_t *after)
{
    static const char *const told[][3] = {
        {"root_mean_squared_error", "mean_absolute_error", "r2_score"},
        {"accuracy_score", "recall_macro", "f1_macro"}};
    const bool classes = json_object_get(after, "classes") != NULL;
    const json_t *groupings = json_object_get(after, "groupings");
    size_t i = 0;
    json_t *g = NULL;
    cli_say("%s version %llu, made from version %llu; fairness of both, %.0f rows", new->name,
            (unsigned long long)new->version, (unsigned long long)old->version,
            document_number(after, "rows_assessed"));
    (void)printf("  %-38s %12s %12s\n", "", "before", "after");
    for (size_t k = 0; k < 3; k++) {
        print_pair(told[classes][k],
                   metric_of(json_object_get(before, "overall"), told[classes][k]),
                   metric_of(json_object_get(after, "overall"), told[classes][k]));
    }
    json_array_foreach((json_t *)(uintptr_t)groupings, i, g)
    {
        print_grouping(json_array_get(json_object_get(before, "groupings"), i), g,
                       told[classes][0]);
    }
}
