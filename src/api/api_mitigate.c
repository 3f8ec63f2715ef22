/* Fairer decisions, include/steward/assess.h: weights, thresholds by group, features without linear
 * trace of a sensitive column, and trees trained under a constraint. What a caller gives is checked
 * here, the rest is done by assess/ and report/. */
#include "api/api_columns.h"

#include "assess/mitigate.h"
#include "assess/mitigate_gradient.h"
#include "report/mitigate_document.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MODEL_MAX ((size_t)1 << 30)
#define OUTCOMES_MAX 1024u
#define GRID_MAX 100000u
#define TOLERANCE 0.01
#define BEFORE 0.5
#define EPS 0.01
#define ITERATIONS 50u
#define ETA 2 /* Fairlearn's step */

static struct status
check_groups(const struct sw_factor *group, size_t rows, struct diag *diag)
{
    TRY(api_need(group, "group", diag));
    TRY(api_check_factor(group, rows, diag));
    if (group->level_count < 2 || group->level_count > MITIGATE_MAX_GROUPS) {
        diag_set(diag, "%.100s: %u groups; from 2 to %u are needed", group->name,
                 group->level_count, MITIGATE_MAX_GROUPS);
        FAIL(INPUT);
    }
    return OK;
}

/* ---- weights ---- */

static struct status
weigh(const struct sw_factor *outcome, const struct sw_factor *group, size_t rows,
      struct diag *diag, double *ret_weight, uint32_t *ret_empty)
{
    uint32_t empty = 0;
    TRY(check_groups(group, rows, diag));
    TRY(api_need(outcome, "outcome", diag));
    TRY(api_check_factor(outcome, rows, diag));
    TRY(api_need(ret_weight, "ret_weight", diag));
    const uint32_t classes = outcome->level_count;
    if (classes < 2 || classes > OUTCOMES_MAX) {
        diag_set(diag, "%.100s: %u outcomes; from 2 to %u are needed", outcome->name, classes,
                 OUTCOMES_MAX);
        FAIL(INPUT);
    }
    const size_t cells = (size_t)group->level_count * classes;
    DEFER(memory_freep) uint64_t *count = calloc(cells, sizeof *count);
    DEFER(memory_freep) double *weight = calloc(cells, sizeof *weight);
    CHECK(count != NULL && weight != NULL, MEMORY);
    for (size_t i = 0; i < rows; i++) {
        if (group->code[i] >= 0 && outcome->code[i] >= 0) {
            count[(size_t)group->code[i] * classes + (size_t)outcome->code[i]]++;
        }
    }
    reweigh(count, group->level_count, classes, weight, &empty);
    for (size_t i = 0; i < rows; i++) {
        const bool whole = group->code[i] >= 0 && outcome->code[i] >= 0;
        ret_weight[i] =
            whole ? weight[(size_t)group->code[i] * classes + (size_t)outcome->code[i]] : 1;
    }
    if (ret_empty != NULL) {
        *ret_empty = empty;
    }
    return OK;
}

int
sw_reweigh(const struct sw_factor *outcome, const struct sw_factor *group, size_t rows,
           double *ret_weight, uint32_t *ret_empty, struct sw_error *error)
{
    struct diag diag = {0};
    return api_result(weigh(outcome, group, rows, &diag, ret_weight, ret_empty), &diag, error);
}

/* ---- thresholds by group ---- */

static struct status
read_words(const struct sw_thresholds_options *o, struct diag *diag,
           struct threshold_options *ret_options)
{
    const char *constraint = o->constraint == NULL ? "demographic_parity" : o->constraint;
    const char *objective = o->objective == NULL ? "accuracy_score" : o->objective;
    if (!status_ok(threshold_constraint_from_word(constraint, &ret_options->constraint)) ||
        !status_ok(threshold_objective_from_word(objective, &ret_options->objective))) {
        diag_set(diag, "constraint \"%.60s\", objective \"%.60s\": not both known", constraint,
                 objective);
        FAIL(INPUT);
    }
    if (!(o->tolerance >= 0 && o->tolerance <= 1) || o->grid > GRID_MAX) {
        diag_set(diag, "tolerance: from 0 to 1; grid: at most %u", GRID_MAX);
        FAIL(INPUT);
    }
    ret_options->tolerance = o->tolerance == 0 ? TOLERANCE : o->tolerance;
    ret_options->grid = o->grid;
    ret_options->flip = o->flip != 0;
    return OK;
}

static struct status
check_scored(const struct sw_decisions *d, struct diag *diag)
{
    TRY(api_need(d, "decisions", diag));
    if (d->kind != SW_BINARY) {
        diag_set(diag, "kind: thresholds are of SW_BINARY");
        FAIL(INPUT);
    }
    TRY(api_need(d->score, "score", diag));
    for (size_t i = 0; i < d->rows; i++) {
        if (!isnan(d->score[i]) && !(d->score[i] >= 0 && d->score[i] <= 1)) {
            diag_set(diag, "score, row %zu: %g is no probability", i, d->score[i]);
            FAIL(INPUT);
        }
    }
    return api_check_truth(d, 2, diag);
}

/* The kernel knows groups by number. */
static void
decide(const struct mitigate_input *in, const struct threshold_rule *rule, double *ret_decision)
{
    for (size_t i = 0; ret_decision != NULL && i < in->rows; i++) {
        const bool known = in->group[i] >= 0 && !isnan(in->score[i]);
        ret_decision[i] = known ? threshold_decide(&rule[in->group[i]], in->score[i]) : (double)NAN;
    }
}

static struct status
thresholds(const struct sw_decisions *d, const struct sw_factor *group,
           const struct sw_thresholds_options *options, struct diag *diag, double *ret_decision,
           double *ret_chance, char **ret_json)
{
    const struct sw_thresholds_options o =
        options == NULL ? (struct sw_thresholds_options){0} : *options;
    struct threshold_rule fixed[MITIGATE_MAX_GROUPS], drawn[MITIGATE_MAX_GROUPS];
    DEFER(js_freep) json_t *document = NULL;
    TRY(check_scored(d, diag));
    TRY(check_groups(group, d->rows, diag));
    TRY(api_need(ret_json, "ret_json", diag));
    struct mitigate_input in = {.rows = d->rows,
                                .score = d->score,
                                .y = d->label,
                                .group = group->code,
                                .names = group->levels,
                                .groups = group->level_count,
                                .label = "label",
                                .positive = "1",
                                .sensitive = group->name,
                                .before = o.before == 0 ? BEFORE : o.before};
    TRY(read_words(&o, diag, &in.options));
    TRY(mitigate_document(&in, diag, fixed, drawn, &document));
    TRY(api_text(document, ret_json));
    decide(&in, fixed, ret_decision);
    decide(&in, drawn, ret_chance);
    return OK;
}

int
sw_thresholds(const struct sw_decisions *decisions, const struct sw_factor *group,
              const struct sw_thresholds_options *options, double *ret_decision, double *ret_chance,
              char **ret_json, struct sw_error *error)
{
    struct diag diag = {0};
    return api_result(
        thresholds(decisions, group, options, &diag, ret_decision, ret_chance, ret_json), &diag,
        error);
}

/* ---- correlation remover ---- */

static struct status
remove_correlation(const double *z, size_t rows, size_t features, const double *s, size_t sensitive,
                   double alpha, struct diag *diag, double *ret_z)
{
    size_t rank = 0;
    TRY(api_need(z, "z", diag));
    TRY(api_need(s, "s", diag));
    TRY(api_need(ret_z, "ret_z", diag));
    if (!(alpha >= 0 && alpha <= 1) || rows == 0 || features == 0 || sensitive == 0) {
        diag_set(diag, "alpha is from 0 to 1; rows, features and sensitive columns at least one");
        FAIL(INPUT);
    }
    DEFER(memory_freep) double *made = calloc(rows * features, sizeof *made);
    CHECK(made != NULL, MEMORY);
    memcpy(made, z, rows * features * sizeof *made);
    TRY(correlation_remove(made, rows, features, s, sensitive, alpha, diag, &rank));
    if (rank == 0) {
        diag_set(diag, "s: no column varies, so there is nothing to remove");
        FAIL(INPUT);
    }
    memcpy(ret_z, made, rows * features * sizeof *made);
    return OK;
}

int
sw_remove_correlation(const double *z, size_t rows, size_t features, const double *s,
                      size_t sensitive, double alpha, double *ret_z, struct sw_error *error)
{
    struct diag diag = {0};
    return api_result(remove_correlation(z, rows, features, s, sensitive, alpha, &diag, ret_z),
                      &diag, error);
}

/* ---- exponentiated gradient ---- */

static struct status
check_gradient(const struct sw_gradient_options *o, const struct sw_factor *group,
               struct diag *diag)
{
    TRY(api_need(o, "options", diag));
    TRY(api_need(o->x, "x", diag));
    TRY(api_need(o->y, "y", diag));
    TRY(check_groups(group, o->rows, diag));
    if (o->rows == 0 || o->features == 0) {
        diag_set(diag, "rows and features: at least one");
        FAIL(INPUT);
    }
    for (size_t i = 0; i < o->rows; i++) {
        if (group->code[i] < 0 || !isfinite(o->y[i])) {
            diag_set(diag, "row %zu: no label, or no group: leave it out", i);
            FAIL(INPUT);
        }
        if (!o->numbers && o->y[i] != 0 && o->y[i] != 1) {
            diag_set(diag, "row %zu: a label of two classes is 0 or 1", i);
            FAIL(INPUT);
        }
    }
    return OK;
}

static struct status
gradient_words(const struct sw_gradient_options *o, struct diag *diag,
               struct gradient_options *ret_options)
{
    const bool numbers = o->numbers != 0;
    const char *constraint = o->constraint != NULL ? o->constraint
                             : numbers             ? "bounded_group_loss"
                                                   : "demographic_parity";
    const char *loss = o->loss != NULL ? o->loss : numbers ? "square" : "zero_one";
    if (!status_ok(moment_constraint_from_word(constraint, &ret_options->constraint)) ||
        !status_ok(moment_loss_from_word(loss, &ret_options->loss))) {
        diag_set(diag, "constraint \"%.60s\", loss \"%.60s\": not both known", constraint, loss);
        FAIL(INPUT);
    }
    if (numbers && ret_options->constraint != MOMENT_BOUNDED_GROUP_LOSS) {
        diag_set(diag, "constraint: of numbers, bounded_group_loss");
        FAIL(INPUT);
    }
    return OK;
}

static double
mean_of(const float *y, size_t rows)
{
    double sum = 0;
    for (size_t i = 0; i < rows; i++) {
        sum += (double)y[i];
    }
    return sum / (double)rows;
}

static void
fill_training(const struct sw_gradient_options *o, struct gradient_options *g)
{
    g->loss_bound = o->loss_bound;
    g->ratio_bound = o->ratio_bound;
    g->eps = o->eps == 0 ? EPS : o->eps;
    g->iterations = api_or_default(o->iterations, ITERATIONS);
    g->eta = ETA;
    train_defaults(&g->train);
    g->train.rounds = api_or_default(o->trees, g->train.rounds);
    g->train.max_depth = api_or_default(o->depth, g->train.max_depth);
    g->train.learning_rate = o->learning_rate == 0 ? g->train.learning_rate : o->learning_rate;
    g->train.seed = o->seed;
    g->train.threads = o->threads;
    if (o->numbers) {
        g->train.objective = gradient_objective("reg:squarederror", g->loss);
        g->train.base_score = mean_of(o->y, o->rows);
    }
}

static struct status
gradient(const struct sw_gradient_options *o, const struct sw_factor *group, struct diag *diag,
         char **ret_model, size_t *ret_length, struct sw_gradient_result *ret_result)
{
    struct gradient_options g = {0};
    DEFER(memory_freep) struct gradient_result *r = calloc(1, sizeof *r);
    DEFER(buf_done) struct buf model;
    buf_init(&model, MODEL_MAX);
    CHECK(r != NULL, MEMORY);
    TRY(check_gradient(o, group, diag));
    TRY(api_need(ret_model, "ret_model", diag));
    TRY(api_need(ret_length, "ret_length", diag));
    TRY(api_need(ret_result, "ret_result", diag));
    TRY(gradient_words(o, diag, &g));
    fill_training(o, &g);
    TRY(gradient_mitigate(o->x, o->rows, o->features, o->y, group->code, group->level_count, &g,
                          diag, &model, r));
    const struct gradient_answer *kept = &r->answer[r->chosen], *all = &r->mixture;
    *ret_result = (struct sw_gradient_result){.iterations = r->iterations,
                                              .error = kept->error,
                                              .violation = kept->violation,
                                              .gap = kept->gap,
                                              .mixture_error = all->error,
                                              .mixture_violation = all->violation,
                                              .mixture_gap = all->gap,
                                              .met = r->met};
    *ret_length = model.len;
    *ret_model = (char *)MOVE(model.ptr);
    return OK;
}

int
sw_exponentiated_gradient(const struct sw_gradient_options *options, const struct sw_factor *group,
                          char **ret_model, size_t *ret_length,
                          struct sw_gradient_result *ret_result, struct sw_error *error)
{
    struct diag diag = {0};
    return api_result(gradient(options, group, &diag, ret_model, ret_length, ret_result), &diag,
                      error);
}
