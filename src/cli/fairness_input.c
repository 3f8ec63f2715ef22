#include "cli/fairness_input.h"

#include "assess/bins.h"
#include "base/text.h"
#include "cli/facet_options.h"
#include "cli/plain_files.h"
#include "data/import.h"
#include "num/quantile.h"
#include "workspace/plain_codes.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void
fairness_arrays_done(struct fairness_arrays *a)
{
    for (size_t i = 0; i < a->code_count; i++) {
        plain_codes_done(&a->codes[i]);
    }
    for (uint32_t i = 0; a->classes != NULL && i < a->class_count; i++) {
        free(a->classes[i]);
    }
    free(a->codes);
    free(a->classes);
    free(a->y);
    free(a->decision);
    free(a->value);
    free(a->predicted);
    free(a->weight);
    free(a->features);
    free(a->y_class);
    free(a->decision_class);
    free(a->positive);
    json_decref(a->notes);
}

static bool
is_number(const struct column *c)
{
    return c->type == COLUMN_FLOAT || c->type == COLUMN_INTEGER;
}

static struct status
need_column(struct cli *c, const struct table *t, const char *option, const struct column **ret)
{
    char place[32];
    (void)snprintf(place, sizeof place, "--%s", option);
    return table_need_column(t, place, cli_value(c, option), &c->diag, ret);
}

static struct status
read_numbers(struct cli *c, const struct table *t, const char *option, double **ret_values)
{
    const struct column *col = NULL;
    TRY(need_column(c, t, option, &col));
    if (!is_number(col) && col->type != COLUMN_BOOLEAN && col->nulls < t->rows) {
        diag_set(&c->diag, "--%s: column \"%s\" is not of numbers", option, col->name);
        FAIL(INPUT);
    }
    double *v = calloc(t->rows + 1, sizeof *v);
    CHECK(v != NULL, MEMORY);
    *ret_values = v;
    for (uint64_t i = 0; i < t->rows; i++) {
        v[i] = is_number(col) || col->type == COLUMN_BOOLEAN ? column_number(col, i) : (double)NAN;
    }
    return OK;
}

/* ---- classes: label and prediction share their names ---- */

static struct status
class_number(struct fairness_arrays *a, const char *name, int32_t *ret_class)
{
    for (uint32_t i = 0; i < a->class_count; i++) {
        if (strcmp(a->classes[i], name) == 0) {
            *ret_class = (int32_t)i;
            return OK;
        }
    }
    a->classes[a->class_count] = strdup(name);
    CHECK(a->classes[a->class_count] != NULL, MEMORY);
    *ret_class = (int32_t)a->class_count++;
    return OK;
}

static struct status
read_classes(struct cli *c, const struct table *t, const char *option, struct fairness_arrays *a,
             int32_t **ret_codes)
{
    const struct column *col = NULL;
    DEFER(plain_codes_done) struct plain_codes p = {0};
    int32_t number[IMPORT_MAX_LEVELS];
    TRY(need_column(c, t, option, &col));
    TRY(plain_codes_of(t, col, BINS_MOST, &p));
    if (p.cut || p.levels > IMPORT_MAX_LEVELS || (p.levels == 0 && col->nulls < t->rows)) {
        diag_set(&c->diag, "--%s: column \"%s\" has too many values for classes%s", option,
                 col->name,
                 is_number(col) && strcmp(option, "prediction") == 0
                     ? "; a probability is given with --score"
                     : "");
        FAIL(INPUT);
    }
    for (uint32_t i = 0; i < p.levels; i++) {
        TRY(class_number(a, p.names[i], &number[i]));
    }
    *ret_codes = calloc(t->rows + 1, sizeof **ret_codes);
    CHECK(*ret_codes != NULL, MEMORY);
    for (uint64_t i = 0; i < t->rows; i++) {
        (*ret_codes)[i] = p.codes[i] < 0 ? -1 : number[p.codes[i]];
    }
    return OK;
}

/* The other side of a score: decided positive from the threshold on. */
static struct status
decide_by_score(struct cli *c, const struct table *t, struct fairness_arrays *a)
{
    double threshold = 0;
    TRY(cli_f64(c, "threshold", &threshold));
    a->decision = calloc(t->rows + 1, 1);
    CHECK(a->decision != NULL, MEMORY);
    for (uint64_t i = 0; i < t->rows; i++) {
        a->decision[i] = isnan(a->predicted[i]) ? 2 : a->predicted[i] >= threshold;
    }
    return plain_remark(a->notes, "decided positive where %s is %g or more", cli_value(c, "score"),
                        threshold);
}

static struct status
refuse_classes(struct cli *c, const struct fairness_arrays *a, const char *what)
{
    DEFER(buf_done) struct buf list;
    buf_init(&list, 400);
    for (uint32_t i = 0; i < a->class_count && i < 6; i++) {
        buf_printf(&list, "%s\"%.40s\"", i == 0 ? "" : ", ", a->classes[i]);
    }
    diag_set(&c->diag, "label \"%s\": %s; values of label and prediction: %s%s",
             cli_value(c, "label"), what, buf_str(&list), a->class_count > 6 ? ", ..." : "");
    FAIL(INPUT);
}

static struct status
find_positive(struct cli *c, const struct fairness_arrays *a, int32_t *ret_class)
{
    const char *word = cli_value(c, "positive");
    for (uint32_t i = 0; i < a->class_count; i++) {
        if (word != NULL ? text_is_same_value(a->classes[i], word)
                         : text_means_yes(a->classes[i])) {
            *ret_class = (int32_t)i;
            return OK;
        }
    }
    return refuse_classes(c, a,
                          word == NULL ? "say which value is the positive one with --positive VALUE"
                                       : "no value is the one of --positive");
}

static struct status
make_binary(struct cli *c, const struct table *t, struct fairness_arrays *a)
{
    int32_t positive = -1;
    TRY(find_positive(c, a, &positive));
    a->y = calloc(t->rows + 1, 1);
    CHECK(a->y != NULL, MEMORY);
    for (uint64_t i = 0; i < t->rows; i++) {
        a->y[i] = a->y_class[i] < 0 ? 2 : a->y_class[i] == positive;
    }
    if (a->decision == NULL) {
        a->decision = calloc(t->rows + 1, 1);
        CHECK(a->decision != NULL, MEMORY);
        for (uint64_t i = 0; i < t->rows; i++) {
            a->decision[i] = a->decision_class[i] < 0 ? 2 : a->decision_class[i] == positive;
        }
    }
    CHECK(asprintf(&a->positive, "%s = %s", a->in.label, a->classes[positive]) > 0, MEMORY);
    return OK;
}

static struct status
read_binary_or_classes(struct cli *c, const struct table *t, const char *task,
                       struct fairness_arrays *a)
{
    const char *positive = cli_value(c, "positive");
    a->classes = calloc(2 * IMPORT_MAX_LEVELS + 1, sizeof *a->classes);
    CHECK(a->classes != NULL, MEMORY);
    TRY(read_classes(c, t, "label", a, &a->y_class));
    const uint32_t of_label = a->class_count;
    if (cli_value(c, "prediction") != NULL) {
        TRY(read_classes(c, t, "prediction", a, &a->decision_class));
    } else {
        TRY(decide_by_score(c, t, a));
    }
    const bool two = a->class_count <= 2;
    const bool binary = task != NULL ? strcmp(task, "binary") == 0 : two || positive != NULL;
    if (two || binary) {
        a->in.task = FAIRNESS_BINARY;
        if (!two && positive == NULL) {
            return refuse_classes(c, a, "more than two values");
        }
        if (!two && of_label <= 2) {
            return refuse_classes(c, a, "label and prediction are spelled differently");
        }
        if (!two) {
            TRY(plain_remark(a->notes, "the %u values other than %s are one: not %s",
                             a->class_count - 1, positive, positive));
        }
        return make_binary(c, t, a);
    }
    a->in.task = FAIRNESS_CLASSES;
    if (cli_value(c, "score") != NULL) {
        diag_set(&c->diag, "--score: for a label with two values, or with --positive");
        FAIL(INPUT);
    }
    return OK;
}

/* ---- the task ---- */

struct status
fairness_is_numeric(struct cli *c, const struct table *t, bool *ret_numeric)
{
    const char *task = cli_value(c, "task");
    const struct column *label = NULL;
    TRY(need_column(c, t, "label", &label));
    *ret_numeric = false;
    if (task != NULL) {
        *ret_numeric = strcmp(task, "numeric") == 0;
        return OK;
    }
    double first = NAN, second = NAN;
    for (uint64_t i = 0; is_number(label) && i < t->rows && !*ret_numeric; i++) {
        const double v = column_number(label, i);
        if (isnan(v) || v == first || v == second) {
            continue;
        }
        *ret_numeric = !isnan(first) && !isnan(second);
        *(isnan(first) ? &first : &second) = v;
    }
    return OK;
}

static struct status
read_outcome(struct cli *c, const struct table *t, struct fairness_arrays *a)
{
    const char *task = cli_value(c, "task");
    bool numeric = false;
    TRY(fairness_is_numeric(c, t, &numeric));
    if (cli_value(c, "score") != NULL) {
        TRY(read_numbers(c, t, "score", &a->predicted));
    }
    if (!numeric) {
        return read_binary_or_classes(c, t, task, a);
    }
    if (cli_value(c, "prediction") == NULL || cli_value(c, "score") != NULL) {
        diag_set(&c->diag, "a numeric label has a --prediction and no --score");
        FAIL(INPUT);
    }
    a->in.task = FAIRNESS_NUMERIC;
    TRY(read_numbers(c, t, "label", &a->value));
    TRY(read_numbers(c, t, "prediction", &a->predicted));
    return task != NULL ? OK
                        : plain_remark(a->notes,
                                       "label \"%s\" has many values: its metrics are those of "
                                       "numbers (--task classes for classes)",
                                       cli_value(c, "label"));
}

/* ---- sensitive and control columns ---- */

static struct status
read_factor(struct cli *c, const struct table *t, const char *option, const char *name,
            const struct facets *facets, struct fairness_arrays *a)
{
    const struct column *col = NULL;
    bool by_edges = false;
    char place[32];
    (void)snprintf(place, sizeof place, "--%s", option);
    TRY(table_need_column(t, place, name, &c->diag, &col));
    if (a->code_count == FAIRNESS_COLUMNS_MAX) {
        diag_set(&c->diag, "more than %u sensitive and control columns", FAIRNESS_COLUMNS_MAX);
        FAIL(LIMIT);
    }
    struct plain_codes *p = &a->codes[a->code_count++];
    TRY(facets_codes(facets, t, col, &c->diag, p, &by_edges));
    if (p->levels == 0 && col->nulls < t->rows) {
        diag_set(&c->diag,
                 "%s: column \"%s\" has more than %u values: bring them together into groups",
                 place, name, IMPORT_MAX_LEVELS);
        FAIL(INPUT);
    }
    a->factors[a->code_count - 1] =
        (struct assessment_factor){col->name, p->codes, p->names, p->levels};
    return !p->cut
               ? OK
               : plain_remark(a->notes, "column \"%s\" is cut into %u intervals%s", name, p->levels,
                              by_edges ? " as --intervals says" : " of about as many rows each");
}

static struct status
read_factors(struct cli *c, const struct table *t, const char *option, const struct facets *facets,
             struct fairness_arrays *a, uint32_t *ret_count)
{
    const char *names[CLI_MAX_REPEATS];
    DEFER(memory_freep) char *memory = NULL;
    size_t n = 0;
    TRY(cli_list(c, option, names, CLI_MAX_REPEATS, &n, &memory));
    for (size_t i = 0; i < n; i++) {
        TRY(read_factor(c, t, option, names[i], facets, a));
    }
    *ret_count = (uint32_t)n;
    return OK;
}

static struct status
read_features(struct cli *c, const struct table *t, struct fairness_arrays *a)
{
    const char *names[CLI_MAX_REPEATS];
    DEFER(memory_freep) char *memory = NULL;
    size_t n = 0;
    TRY(cli_list(c, "features", names, CLI_MAX_REPEATS, &n, &memory));
    if (n == 0) {
        return OK;
    }
    if (a->in.task == FAIRNESS_NUMERIC) {
        diag_set(&c->diag, "--features: the flip test is of decisions, not of numbers");
        FAIL(INPUT);
    }
    a->features = calloc((size_t)t->rows * n + 1, sizeof *a->features);
    CHECK(a->features != NULL, MEMORY);
    for (size_t k = 0; k < n; k++) {
        const struct column *col = NULL;
        TRY(table_need_column(t, "--features", names[k], &c->diag, &col));
        if (!is_number(col) && col->type != COLUMN_BOOLEAN) {
            diag_set(&c->diag, "--features: column \"%s\" is not of numbers", names[k]);
            FAIL(INPUT);
        }
        for (uint64_t i = 0; i < t->rows; i++) {
            a->features[i * n + k] = column_number(col, i);
        }
    }
    a->in.features = a->features;
    a->in.feature_count = (uint32_t)n;
    return OK;
}

/* The prediction may be the label: who decided is then measured, not a model. */
static struct status
check_parts(struct cli *c)
{
    static const char *const parts[][5] = {{"label", "score", "weight", "sensitive"},
                                           {"prediction", "score", "weight", "sensitive"},
                                           {"sensitive", "control"},
                                           {"label", "features"},
                                           {"prediction", "features"},
                                           {"score", "features"}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        TRY(cli_distinct(c, parts[i]));
    }
    return OK;
}

static struct status
remark_own_truth(const struct fairness_input *in, json_t *notes)
{
    return strcmp(in->prediction, in->label) != 0
               ? OK
               : plain_remark(
                     notes,
                     "\"%s\" is the label and the prediction: no row can be a mistake; what "
                     "is decided is compared, and nothing else tells anything",
                     in->label);
}

struct status
fairness_arrays_read(struct cli *c, const struct table *t, struct fairness_arrays *a)
{
    struct fairness_input *in = &a->in;
    struct facets facets;
    TRY(check_parts(c));
    a->notes = json_array();
    a->codes = calloc(FAIRNESS_COLUMNS_MAX, sizeof *a->codes);
    CHECK(a->notes != NULL && a->codes != NULL, MEMORY);
    in->label = cli_value(c, "label");
    in->score = cli_value(c, "score");
    in->prediction = cli_value(c, "prediction") != NULL ? cli_value(c, "prediction") : in->score;
    TRY(read_outcome(c, t, a));
    TRY(cli_facets(c, &facets));
    TRY(read_factors(c, t, "sensitive", &facets, a, &in->sensitive_count));
    TRY(read_factors(c, t, "control", &facets, a, &in->control_count));
    TRY(facets_check(&facets, a->codes, a->code_count, &c->diag));
    if (cli_value(c, "weight") != NULL) {
        TRY(read_numbers(c, t, "weight", &a->weight));
    }
    TRY(read_features(c, t, a));
    in->rows = (size_t)t->rows;
    in->sensitive = a->factors;
    in->control = a->factors + in->sensitive_count;
    in->y = a->y;
    in->decision = a->decision;
    in->value = a->value;
    in->predicted = a->predicted;
    in->weight = a->weight;
    in->weight_name = cli_value(c, "weight");
    in->y_class = a->y_class;
    in->decision_class = a->decision_class;
    in->classes = (const char *const *)a->classes;
    in->class_count = a->class_count;
    in->positive = a->positive;
    TRY(remark_own_truth(in, a->notes));
    return in->task != FAIRNESS_BINARY || cli_flag(c, "adverse")
               ? OK
               : plain_remark(
                     a->notes,
                     "the four-fifths rule takes %s for the good outcome; if it is bad for "
                     "the person, say --adverse",
                     in->positive);
}
