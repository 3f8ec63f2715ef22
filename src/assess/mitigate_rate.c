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

/* How a fold's rows are shared among groups, labels and scores: held[run] of the run-th distinct
 * score in that order. */
struct fit {
    const struct threshold_scores *all;
    uint32_t groups;
    size_t runs;
    uint32_t *held;                       /* THRESHOLD_FOLDS * runs */
    double count[MITIGATE_MAX_GROUPS][4]; /* rows, tp, fp, positives */
};

/* Rows in the order of group, label and score: a function of the rows as a set. */
static struct status
deal_folds(struct fit *f)
{
    uint64_t place = 0;
    for (uint32_t g = 0; g < f->groups; g++) {
        f->runs += f->all->of[g][0].n + f->all->of[g][1].n;
    }
    f->held = calloc(THRESHOLD_FOLDS * f->runs + 1, sizeof *f->held);
    CHECK(f->held != NULL, MEMORY);
    for (size_t k = 0, run = 0; k < 2 * (size_t)f->groups; k++) {
        const struct counted *c = &f->all->of[k / 2][k % 2];
        for (size_t i = 0; i < c->n; i++, run++) {
            for (const uint64_t end = place + counted_times(c, i); place < end; place++) {
                f->held[fold_of((size_t)place) * f->runs + run]++;
            }
        }
    }
    return OK;
}

/* The scores without those of the fold. */
static struct status
leave_out(const struct fit *f, uint32_t fold, struct threshold_scores *ret_scores)
{
    const uint32_t *held = f->held + fold * f->runs;
    for (size_t k = 0; k < 2 * (size_t)f->groups; k++) {
        const struct counted *from = &f->all->of[k / 2][k % 2];
        struct counted *to = &ret_scores->of[k / 2][k % 2];
        uint64_t upto = 0;
        to->at = calloc(from->n + 1, sizeof *to->at);
        CHECK(to->at != NULL, MEMORY);
        for (size_t i = 0; i < from->n; i++, held++) {
            const uint64_t left = counted_times(from, i) - *held;
            if (left > 0) {
                upto += left;
                to->at[to->n++] = (struct counted_value){from->at[i].value, upto};
            }
        }
    }
    return OK;
}

static void
count_held(struct fit *f, uint32_t fold, const struct threshold_rule *rule)
{
    const uint32_t *held = f->held + fold * f->runs;
    for (size_t k = 0; k < 2 * (size_t)f->groups; k++) {
        const struct counted *c = &f->all->of[k / 2][k % 2];
        double *n = f->count[k / 2];
        for (size_t i = 0; i < c->n; i++, held++) {
            n[0] += *held;
            n[k % 2 == 1 ? 1 : 2] += *held * threshold_decide(&rule[k / 2], c->at[i].value);
            n[3] += k % 2 == 1 ? *held : 0;
        }
    }
}

static bool
all_labels(const struct threshold_scores *s, uint32_t groups)
{
    bool all = true;
    for (uint32_t g = 0; g < groups; g++) {
        all = all && s->of[g][0].n > 0 && s->of[g][1].n > 0;
    }
    return all;
}

static struct status
fit_fold(struct fit *f, const struct threshold_options *o, uint32_t fold, bool *ret_fits)
{
    DEFER(threshold_scores_done) struct threshold_scores training = {0};
    DEFER(threshold_curves_freep) struct threshold_curves *curves = NULL;
    struct threshold_rule rule[MITIGATE_MAX_GROUPS];
    struct threshold_plan plan = {.rule = rule};
    struct diag unused = {0};
    size_t tried = 0;
    TRY(leave_out(f, fold, &training));
    *ret_fits = all_labels(&training, f->groups);
    if (!*ret_fits) {
        return OK;
    }
    TRY(threshold_curves_of(&training, f->groups, o, &unused, &curves));
    TRY(threshold_deterministic(curves, o->tolerance, &plan, &tried));
    count_held(f, fold, rule);
    return OK;
}

static struct status
fit_folds(struct fit *f, const struct threshold_options *o, double level,
          struct threshold_rating *ret_rating)
{
    struct group_tally tally[MITIGATE_MAX_GROUPS];
    TRY(deal_folds(f));
    for (uint32_t k = 0; k < THRESHOLD_FOLDS; k++) {
        bool fits = false;
        TRY(fit_fold(f, o, k, &fits));
        if (!fits) {
            return OK;
        }
    }
    for (uint32_t g = 0; g < f->groups; g++) {
        const double *n = f->count[g];
        tally[g] = tally_of(n[0], n[1], n[2], n[3]);
    }
    return threshold_rate(o, tally, f->groups, level, ret_rating);
}

struct status
threshold_cross_fit(struct threshold_scores *s, uint32_t groups, const struct threshold_options *o,
                    double level, struct threshold_rating *ret_rating)
{
    static const struct threshold_figure none = {NAN, {NAN, NAN}};
    struct fit f = {.all = s, .groups = groups};
    CHECK(groups > 0 && groups <= MITIGATE_MAX_GROUPS, LIMIT);
    TRY(threshold_scores_settle(s));
    *ret_rating = (struct threshold_rating){none, none, none};
    const struct status done = fit_folds(&f, o, level, ret_rating);
    free(f.held);
    return done;
}
