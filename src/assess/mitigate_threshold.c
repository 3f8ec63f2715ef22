/* Thresholds by group. Each threshold of a group is a point (x, y): the rate that the constraint is
 * about, and the objective; choosing between two thresholds at random gives every point on the line
 * between theirs, so what a group can reach is the upper convex hull of its points. */
#include "assess/mitigate_parts.h"

#include <math.h>
#include <stdlib.h>

static const char *const constraint_words[THRESHOLD_CONSTRAINTS] = {
    [THRESHOLD_DEMOGRAPHIC_PARITY] = "demographic_parity",
    [THRESHOLD_TPR_PARITY] = "true_positive_rate_parity",
    [THRESHOLD_FPR_PARITY] = "false_positive_rate_parity",
    [THRESHOLD_TNR_PARITY] = "true_negative_rate_parity",
    [THRESHOLD_FNR_PARITY] = "false_negative_rate_parity",
    [THRESHOLD_EQUALIZED_ODDS] = "equalized_odds",
};

static const char *const objective_words[THRESHOLD_OBJECTIVES] = {
    [THRESHOLD_ACCURACY] = "accuracy_score",
    [THRESHOLD_BALANCED_ACCURACY] = "balanced_accuracy_score",
    [THRESHOLD_SELECTION_RATE] = "selection_rate",
    [THRESHOLD_TPR] = "true_positive_rate",
    [THRESHOLD_TNR] = "true_negative_rate",
};

const char *
threshold_constraint_word(enum threshold_constraint c)
{
    ASSERT((unsigned)c < THRESHOLD_CONSTRAINTS);
    return constraint_words[c];
}

const char *
threshold_objective_word(enum threshold_objective o)
{
    ASSERT((unsigned)o < THRESHOLD_OBJECTIVES);
    return objective_words[o];
}

struct status
threshold_constraint_from_word(const char *word, enum threshold_constraint *ret_c)
{
    for (unsigned i = 0; i < THRESHOLD_CONSTRAINTS; i++) {
        if (strcmp(constraint_words[i], word) == 0) {
            *ret_c = (enum threshold_constraint)i;
            return OK;
        }
    }
    FAIL(INPUT);
}

struct status
threshold_objective_from_word(const char *word, enum threshold_objective *ret_o)
{
    for (unsigned i = 0; i < THRESHOLD_OBJECTIVES; i++) {
        if (strcmp(objective_words[i], word) == 0) {
            *ret_o = (enum threshold_objective)i;
            return OK;
        }
    }
    FAIL(INPUT);
}

bool
threshold_objective_fits(enum threshold_constraint c, enum threshold_objective o)
{
    return c != THRESHOLD_EQUALIZED_ODDS || o <= THRESHOLD_BALANCED_ACCURACY;
}

/* ---- points and hulls ---- */

void
threshold_curves_free(struct threshold_curves *c)
{
    for (uint32_t g = 0; c != NULL && g < c->groups; g++) {
        free(c->curve[g].points);
        free(c->curve[g].hull);
    }
    if (c != NULL) {
        free(c->curve);
    }
    free(c);
}

static double
selection_rate(double tpr, double fpr, double base)
{
    return base * tpr + (1 - base) * fpr;
}

double
threshold_constrained(enum threshold_constraint c, double tpr, double fpr, double base)
{
    switch (c) {
    case THRESHOLD_DEMOGRAPHIC_PARITY:
        return selection_rate(tpr, fpr, base);
    case THRESHOLD_TPR_PARITY:
        return tpr;
    case THRESHOLD_TNR_PARITY:
        return 1 - fpr;
    case THRESHOLD_FNR_PARITY:
        return 1 - tpr;
    default:
        return fpr;
    }
}

double
threshold_value(enum threshold_objective o, double tpr, double fpr, double base)
{
    switch (o) {
    case THRESHOLD_ACCURACY:
        return base * tpr + (1 - base) * (1 - fpr);
    case THRESHOLD_BALANCED_ACCURACY:
        return (tpr + 1 - fpr) / 2;
    case THRESHOLD_SELECTION_RATE:
        return selection_rate(tpr, fpr, base);
    case THRESHOLD_TPR:
        return tpr;
    default:
        return 1 - fpr;
    }
}

double
threshold_base(const struct threshold_curve *c)
{
    return (double)c->positives / (double)c->rows;
}

static void
add_point(const struct threshold_options *o, struct threshold_curve *c, double at, bool turned,
          double tp, double fp)
{
    const double base = threshold_base(c), negatives = (double)(c->rows - c->positives);
    struct threshold_point *p = &c->points[c->count];
    p->tpr = tp / (double)c->positives;
    p->fpr = fp / negatives;
    p->x = threshold_constrained(o->constraint, p->tpr, p->fpr, base);
    p->y = o->constraint == THRESHOLD_EQUALIZED_ODDS
               ? p->tpr
               : threshold_value(o->objective, p->tpr, p->fpr, base);
    p->threshold = (struct threshold){at, turned};
    p->order = c->count++;
}

static int
by_x_then_y(const void *a, const void *b)
{
    const struct threshold_point *p = a, *q = b;
    if (p->x != q->x) {
        return p->x < q->x ? -1 : 1;
    }
    if (p->y != q->y) {
        return p->y < q->y ? -1 : 1;
    }
    return (p->order > q->order) - (p->order < q->order);
}

/* A value between two neighbours, also where their mean overflows or is one of them. */
static double
between(double high, double low)
{
    const double middle = low + (high - low) / 2;
    return middle < high ? middle : low;
}

/* The next lower score of either label; false when there is none. at[2]: past those taken. */
static bool
next_score(const struct counted *of, const size_t *at, double *ret_score)
{
    *ret_score = -INFINITY;
    for (size_t y = 0; y < 2; y++) {
        if (at[y] > 0) {
            *ret_score = fmax(*ret_score, of[y].at[at[y] - 1].value);
        }
    }
    return at[0] + at[1] > 0;
}

/* of[2]: the scores of either label. */
static void
add_points(const struct threshold_options *o, const struct counted *of, struct threshold_curve *c)
{
    const double positives = (double)c->positives, negatives = (double)(c->rows - c->positives);
    double taken[2] = {0, 0}, at = INFINITY, score = 0;
    size_t left[2] = {of[0].n, of[1].n};
    for (;;) {
        add_point(o, c, at, false, taken[1], taken[0]);
        if (o->flip) {
            add_point(o, c, at, true, positives - taken[1], negatives - taken[0]);
        }
        if (!next_score(of, left, &score)) {
            break;
        }
        for (size_t y = 0; y < 2; y++) {
            if (left[y] > 0 && of[y].at[left[y] - 1].value >= score) {
                taken[y] += (double)counted_times(&of[y], --left[y]);
            }
        }
        double lower = 0;
        at = next_score(of, left, &lower) ? between(score, lower) : (double)-INFINITY;
    }
    qsort(c->points, c->count, sizeof *c->points, by_x_then_y);
}

/* Andrew's monotone chain (1979), the upper half. */
static void
find_hull(struct threshold_curve *c)
{
    for (uint32_t i = 0; i < c->count; i++) {
        const struct threshold_point *p2 = &c->points[i];
        while (c->corners >= 2) {
            const struct threshold_point *p1 = &c->points[c->hull[c->corners - 1]];
            const struct threshold_point *p0 = &c->points[c->hull[c->corners - 2]];
            if ((p1->y - p0->y) * (p2->x - p0->x) > (p2->y - p0->y) * (p1->x - p0->x)) {
                break;
            }
            c->corners--;
        }
        c->hull[c->corners++] = i;
    }
}

static struct status
make_curve(const struct threshold_options *o, const struct counted *of, uint32_t g,
           struct diag *diag, struct threshold_curve *c)
{
    c->positives = counted_rows(&of[1]);
    c->rows = counted_rows(&of[0]) + c->positives;
    if (c->positives == 0 || c->positives == c->rows) {
        diag_set(diag,
                 "group %u: both labels are needed among its %llu rows, and %s is positive: bring "
                 "the group together with another, or leave its rows out (an empty value of the "
                 "sensitive column is in no group)",
                 g, (unsigned long long)c->rows, c->positives == 0 ? "none" : "every one");
        FAIL(INPUT);
    }
    const size_t most = (of[0].n + of[1].n + 1) * (o->flip ? 2 : 1);
    c->points = calloc(most, sizeof *c->points);
    c->hull = calloc(most, sizeof *c->hull);
    CHECK(c->points != NULL && c->hull != NULL, MEMORY);
    add_points(o, of, c);
    find_hull(c);
    return OK;
}

/* ---- the scores ---- */

void
threshold_scores_done(struct threshold_scores *s)
{
    for (size_t g = 0; g < MITIGATE_MAX_GROUPS; g++) {
        counted_done(&s->of[g][0]);
        counted_done(&s->of[g][1]);
    }
}

struct status
threshold_scores_add(struct threshold_scores *s, const double *score, const uint8_t *y,
                     const int32_t *group, size_t rows, struct diag *diag)
{
    for (size_t i = 0; i < rows; i++) {
        s->rows++;
        if (group[i] < 0) {
            continue;
        }
        ASSERT((uint32_t)group[i] < MITIGATE_MAX_GROUPS);
        if (isnan(score[i])) {
            diag_set(diag, "row %llu: no score", (unsigned long long)s->rows);
            FAIL(INPUT);
        }
        TRY(counted_add(&s->of[group[i]][y[i] != 0], &score[i], 1, 1));
    }
    return OK;
}

struct status
threshold_scores_merge(struct threshold_scores *s, const struct threshold_scores *other)
{
    for (size_t g = 0; g < MITIGATE_MAX_GROUPS; g++) {
        TRY(counted_merge(&s->of[g][0], &other->of[g][0]));
        TRY(counted_merge(&s->of[g][1], &other->of[g][1]));
    }
    s->rows += other->rows;
    return OK;
}

struct status
threshold_scores_settle(struct threshold_scores *s)
{
    for (size_t g = 0; g < MITIGATE_MAX_GROUPS; g++) {
        TRY(counted_settle(&s->of[g][0]));
        TRY(counted_settle(&s->of[g][1]));
    }
    return OK;
}

/* ---- the curves ---- */

static struct status
check_options(uint32_t groups, const struct threshold_options *o, struct diag *diag)
{
    if (groups == 0 || groups > MITIGATE_MAX_GROUPS) {
        diag_set(diag, "%u groups: from 1 to %u", groups, MITIGATE_MAX_GROUPS);
        FAIL(INPUT);
    }
    if (!threshold_objective_fits(o->constraint, o->objective)) {
        diag_set(diag, "%s does not go with %s", threshold_objective_word(o->objective),
                 threshold_constraint_word(o->constraint));
        FAIL(INPUT);
    }
    return OK;
}

struct status
threshold_curves_of(struct threshold_scores *s, uint32_t groups, const struct threshold_options *o,
                    struct diag *diag, struct threshold_curves **ret_curves)
{
    TRY(check_options(groups, o, diag));
    DEFER(threshold_curves_freep) struct threshold_curves *c = calloc(1, sizeof *c);
    CHECK(c != NULL, MEMORY);
    c->o = *o;
    c->curve = calloc(groups, sizeof *c->curve);
    CHECK(c->curve != NULL, MEMORY);
    c->groups = groups;
    TRY(threshold_scores_settle(s));
    for (uint32_t g = 0; g < groups; g++) {
        TRY(make_curve(o, s->of[g], g, diag, &c->curve[g]));
        c->rows += c->curve[g].rows;
        c->positives += c->curve[g].positives;
    }
    *ret_curves = MOVE(c);
    return OK;
}

struct status
threshold_curves_new(const double *score, const uint8_t *y, const int32_t *group, size_t rows,
                     uint32_t groups, const struct threshold_options *o, struct diag *diag,
                     struct threshold_curves **ret_curves)
{
    DEFER(threshold_scores_done) struct threshold_scores s = {0};
    TRY(check_options(groups, o, diag));
    TRY(threshold_scores_add(&s, score, y, group, rows, diag));
    return threshold_curves_of(&s, groups, o, diag, ret_curves);
}
