/* How sure the figures of thresholds by group are. */
#include "assess/group_gap.h"
#include "assess/mitigate_parts.h"
#include "num/order.h"

#include <math.h>
#include <stdlib.h>

/* Of the row's place in the order of group, outcome and score. */
static uint32_t
fold_of(uint64_t place)
{
    return (uint32_t)(order_hash(0, place) % THRESHOLD_FOLDS);
}

static struct group_tally
tally_of(double rows, double tp, double fp, double positives)
{
    struct group_tally t = {.rows = (uint64_t)rows};
    group_tally_forget(&t);
    t.count[GROUP_TP] = tp;
    t.count[GROUP_FP] = fp;
    t.count[GROUP_FN] = fmax(0, positives - tp);
    t.count[GROUP_TN] = fmax(0, rows - positives - fp);
    memcpy(t.count2, t.count, sizeof t.count);
    return t;
}

struct group_tally
threshold_tally(const struct threshold_rule *r)
{
    const double rows = (double)r->rows, positives = (double)r->positives;
    return tally_of(rows, r->tpr * positives, r->fpr * (rows - positives), positives);
}

static enum group_metric
metric_of(enum threshold_objective o)
{
    static const enum group_metric metrics[THRESHOLD_OBJECTIVES] = {
        [THRESHOLD_ACCURACY] = GROUP_ACCURACY,
        [THRESHOLD_BALANCED_ACCURACY] = GROUP_BALANCED_ACCURACY,
        [THRESHOLD_SELECTION_RATE] = GROUP_SELECTION_RATE,
        [THRESHOLD_TPR] = GROUP_TPR,
        [THRESHOLD_TNR] = GROUP_TNR,
    };
    return metrics[o];
}

/* Mean over independent groups by their rows: MOVER. */
static struct threshold_figure
mean_over(enum group_metric m, const struct group_tally *group, uint32_t groups, double level)
{
    struct threshold_figure f = {0};
    double rows = 0, down = 0, up = 0;
    for (uint32_t g = 0; g < groups; g++) {
        rows += (double)group[g].rows;
    }
    for (uint32_t g = 0; g < groups; g++) {
        const struct group_estimate e = group_metric_estimate(m, &group[g], 0, level);
        const double share = (double)group[g].rows / rows;
        f.value += share * e.value;
        down = hypot(down, share * (e.value - e.ci.low));
        up = hypot(up, share * (e.ci.high - e.value));
    }
    f.ci = (struct interval){fmax(0, f.value - down), fmin(1, f.value + up)};
    return f;
}

static struct threshold_figure
figure_of(const struct group_number *x)
{
    return (struct threshold_figure){x->value, x->ci};
}

static enum group_metric
constrained_metric(enum threshold_constraint c)
{
    return c == THRESHOLD_DEMOGRAPHIC_PARITY                        ? GROUP_SELECTION_RATE
           : c == THRESHOLD_TPR_PARITY || c == THRESHOLD_FNR_PARITY ? GROUP_TPR
                                                                    : GROUP_FPR;
}

struct status
threshold_rate(const struct threshold_options *o, const struct group_tally *group, uint32_t groups,
               double level, struct threshold_rating *ret_rating)
{
    struct group_tally all = {0};
    struct group_gaps gaps;
    for (uint32_t g = 0; g < groups; g++) {
        group_tally_add(&all, &group[g]);
    }
    const uint32_t metrics = 1u << GROUP_TPR | 1u << GROUP_FPR | 1u << GROUP_SELECTION_RATE;
    const struct group_set set = {groups, group, &all, metrics, 0, level};
    const bool odds = o->constraint == THRESHOLD_EQUALIZED_ODDS;
    const enum group_metric goal = metric_of(o->objective);
    TRY(group_gaps_of(&set, NULL, &gaps));
    const struct group_number *gap =
        odds ? &gaps.odds.difference_worst
             : &gaps.gap[constrained_metric(o->constraint)].spread[SPREAD_DIFFERENCE];
    const struct group_estimate right = group_metric_estimate(GROUP_ACCURACY, &all, 0, level),
                                whole = group_metric_estimate(goal, &all, 0, level);
    *ret_rating = (struct threshold_rating){
        .gap = figure_of(gap),
        .accuracy = {right.value, right.ci},
        .objective = odds ? (struct threshold_figure){whole.value, whole.ci}
                          : mean_over(goal, group, groups, level)};
    return OK;
}

/* ---- on rows that did not choose ---- */

struct fit {
    const double *score;
    const uint8_t *y;
    const int32_t *group;
    size_t rows;
    uint32_t groups;
    uint8_t *fold;     /* rows */
    int32_t *training; /* rows: group, or -1 in the fold that is held back */
    double *count;     /* groups * 4: rows, tp, fp, positives */
};

static void
fit_done(struct fit *f)
{
    free(f->fold);
    free(f->training);
    free(f->count);
}

/* A function of the rows as a set: equal rows may change places. */
static struct status
deal_folds(struct fit *f)
{
    DEFER(memory_freep) uint32_t *order = calloc(f->rows + 1, sizeof *order);
    DEFER(memory_freep) double *key = calloc(f->rows + 1, sizeof *key);
    CHECK(order != NULL && key != NULL, MEMORY);
    for (size_t i = 0; i < f->rows; i++) {
        order[i] = (uint32_t)i;
        key[i] = f->group[i] < 0 ? -1 : 2 * (double)f->group[i] + f->y[i];
    }
    TRY(order_by(f->score, f->rows, order));
    TRY(order_by(key, f->rows, order));
    for (size_t i = 0, place = 0; i < f->rows; i++) {
        f->fold[order[i]] = (uint8_t)fold_of(place);
        place += f->group[order[i]] >= 0;
    }
    return OK;
}

static void
count_held(const struct fit *f, uint32_t fold, const struct threshold_rule *rule)
{
    for (size_t i = 0; i < f->rows; i++) {
        if (f->group[i] >= 0 && f->fold[i] == fold) {
            double *n = f->count + 4 * (size_t)f->group[i];
            const double chosen = threshold_decide(&rule[f->group[i]], f->score[i]);
            n[0]++;
            n[f->y[i] == 1 ? 1 : 2] += chosen;
            n[3] += f->y[i];
        }
    }
}

static bool
all_labels(const struct fit *f)
{
    double n[MITIGATE_MAX_GROUPS][2] = {{0}};
    bool all = true;
    for (size_t i = 0; i < f->rows; i++) {
        if (f->training[i] >= 0) {
            n[f->training[i]][f->y[i]]++;
        }
    }
    for (uint32_t g = 0; g < f->groups; g++) {
        all = all && n[g][0] > 0 && n[g][1] > 0;
    }
    return all;
}

static struct status
fit_fold(const struct fit *f, const struct threshold_options *o, uint32_t fold, bool *ret_fits)
{
    DEFER(threshold_curves_freep) struct threshold_curves *curves = NULL;
    struct threshold_rule rule[MITIGATE_MAX_GROUPS];
    struct threshold_plan plan = {.rule = rule};
    struct diag unused = {0};
    size_t tried = 0;
    for (size_t i = 0; i < f->rows; i++) {
        f->training[i] = f->fold[i] == fold ? -1 : f->group[i];
    }
    *ret_fits = all_labels(f);
    if (!*ret_fits) {
        return OK;
    }
    TRY(threshold_curves_new(f->score, f->y, f->training, f->rows, f->groups, o, &unused, &curves));
    TRY(threshold_deterministic(curves, o->tolerance, &plan, &tried));
    count_held(f, fold, rule);
    return OK;
}

struct status
threshold_cross_fit(const double *score, const uint8_t *y, const int32_t *group, size_t rows,
                    uint32_t groups, const struct threshold_options *o, double level,
                    struct threshold_rating *ret_rating)
{
    static const struct threshold_figure none = {NAN, {NAN, NAN}};
    DEFER(fit_done) struct fit f = {score, y, group, rows, groups, NULL, NULL, NULL};
    struct group_tally tally[MITIGATE_MAX_GROUPS];
    CHECK(groups > 0 && groups <= MITIGATE_MAX_GROUPS, LIMIT);
    f.fold = calloc(rows + 1, sizeof *f.fold);
    f.training = calloc(rows + 1, sizeof *f.training);
    f.count = calloc(4 * (size_t)groups, sizeof *f.count);
    CHECK(f.fold != NULL && f.training != NULL && f.count != NULL, MEMORY);
    TRY(deal_folds(&f));
    *ret_rating = (struct threshold_rating){none, none, none};
    for (uint32_t k = 0; k < THRESHOLD_FOLDS; k++) {
        bool fits = false;
        TRY(fit_fold(&f, o, k, &fits));
        if (!fits) {
            return OK;
        }
    }
    for (uint32_t g = 0; g < groups; g++) {
        const double *n = f.count + 4 * (size_t)g;
        tally[g] = tally_of(n[0], n[1], n[2], n[3]);
    }
    return threshold_rate(o, tally, groups, level, ret_rating);
}
