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

struct scored {
    double score;
    uint8_t y;
};

static int
highest_first(const void *a, const void *b)
{
    const struct scored *x = a, *y = b;
    return (x->score < y->score) - (x->score > y->score);
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

static void
add_points(const struct threshold_options *o, const struct scored *rows, struct threshold_curve *c)
{
    double tp = 0, fp = 0, at = INFINITY;
    const double positives = (double)c->positives, negatives = (double)(c->rows - c->positives);
    for (size_t i = 0;;) {
        add_point(o, c, at, false, tp, fp);
        if (o->flip) {
            add_point(o, c, at, true, positives - tp, negatives - fp);
        }
        if (i == c->rows) {
            break;
        }
        const double score = rows[i].score;
        for (; i < c->rows && rows[i].score == score; i++) {
            *(rows[i].y != 0 ? &tp : &fp) += 1;
        }
        at = i == c->rows ? (double)-INFINITY : between(score, rows[i].score);
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
make_curve(const struct threshold_options *o, struct scored *rows, uint32_t g, struct diag *diag,
           struct threshold_curve *c)
{
    for (size_t i = 0; i < c->rows; i++) {
        c->positives += rows[i].y != 0;
    }
    if (c->positives == 0 || c->positives == c->rows) {
        diag_set(diag,
                 "group %u: both labels are needed among its %llu rows, and %s is positive: bring "
                 "the group together with another, or leave its rows out (an empty value of the "
                 "sensitive column is in no group)",
                 g, (unsigned long long)c->rows, c->positives == 0 ? "none" : "every one");
        FAIL(INPUT);
    }
    const size_t most = ((size_t)c->rows + 1) * (o->flip ? 2 : 1);
    c->points = calloc(most, sizeof *c->points);
    c->hull = calloc(most, sizeof *c->hull);
    CHECK(c->points != NULL && c->hull != NULL, MEMORY);
    qsort(rows, c->rows, sizeof *rows, highest_first);
    add_points(o, rows, c);
    find_hull(c);
    return OK;
}

static struct status
check_rows(const double *score, const int32_t *group, size_t rows, uint32_t groups,
           const struct threshold_options *o, struct diag *diag)
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
    for (size_t i = 0; i < rows; i++) {
        if (group[i] >= 0 && isnan(score[i])) {
            diag_set(diag, "row %zu: no score", i + 1);
            FAIL(INPUT);
        }
    }
    return OK;
}

/* Rows by group, in *ret_sorted: those of g from starts[g + 1] to starts[g + 2]. */
static struct status
sort_by_group(const double *score, const uint8_t *y, const int32_t *group, size_t rows,
              uint32_t groups, size_t *starts, struct scored **ret_sorted)
{
    struct scored *sorted = calloc(rows + 1, sizeof *sorted);
    CHECK(sorted != NULL, MEMORY);
    *ret_sorted = sorted;
    for (size_t i = 0; i < rows; i++) {
        starts[group[i] + 1] += group[i] >= 0;
    }
    for (uint32_t g = 0; g < groups; g++) {
        starts[g + 1] += starts[g];
    }
    starts[groups + 1] = starts[groups];
    for (size_t i = rows; i-- > 0;) { /* backwards: the ends become the starts */
        if (group[i] >= 0) {
            sorted[--starts[group[i] + 1]] = (struct scored){score[i], y[i]};
        }
    }
    return OK;
}

struct status
threshold_curves_new(const double *score, const uint8_t *y, const int32_t *group, size_t rows,
                     uint32_t groups, const struct threshold_options *o, struct diag *diag,
                     struct threshold_curves **ret_curves)
{
    TRY(check_rows(score, group, rows, groups, o, diag));
    DEFER(threshold_curves_freep) struct threshold_curves *c = calloc(1, sizeof *c);
    DEFER(memory_freep) struct scored *sorted = NULL;
    size_t starts[MITIGATE_MAX_GROUPS + 2] = {0};
    CHECK(c != NULL, MEMORY);
    c->o = *o;
    c->curve = calloc(groups, sizeof *c->curve);
    CHECK(c->curve != NULL, MEMORY);
    c->groups = groups;
    TRY(sort_by_group(score, y, group, rows, groups, starts, &sorted));
    for (uint32_t g = 0; g < groups; g++) {
        c->curve[g].rows = starts[g + 2] - starts[g + 1];
        TRY(make_curve(o, sorted + starts[g + 1], g, diag, &c->curve[g]));
        c->rows += c->curve[g].rows;
        c->positives += c->curve[g].positives;
    }
    *ret_curves = MOVE(c);
    return OK;
}
