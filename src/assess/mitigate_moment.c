#include "assess/mitigate_moment.h"

#include <math.h>
#include <string.h>

/* Which rows, and what of them. */
static const struct {
    const char *word;
    uint32_t events;
    int label;   /* of the rows of a single event; -1: both */
    bool errors; /* the rate is of wrong decisions */
} kinds[MOMENT_CONSTRAINTS] = {
    [MOMENT_DEMOGRAPHIC_PARITY] = {"demographic_parity", 1, -1, false},
    [MOMENT_EQUALIZED_ODDS] = {"equalized_odds", 2, -1, false},
    [MOMENT_TRUE_POSITIVE_RATE_PARITY] = {"true_positive_rate_parity", 1, 1, false},
    [MOMENT_FALSE_POSITIVE_RATE_PARITY] = {"false_positive_rate_parity", 1, 0, false},
    [MOMENT_ERROR_RATE_PARITY] = {"error_rate_parity", 1, -1, true},
    [MOMENT_BOUNDED_GROUP_LOSS] = {"bounded_group_loss", 1, -1, true},
};

const char *
moment_constraint_word(enum moment_constraint c)
{
    ASSERT((unsigned)c < MOMENT_CONSTRAINTS);
    return kinds[c].word;
}

struct status
moment_constraint_from_word(const char *word, enum moment_constraint *ret_constraint)
{
    for (unsigned i = 0; i < MOMENT_CONSTRAINTS; i++) {
        if (strcmp(kinds[i].word, word) == 0) {
            *ret_constraint = (enum moment_constraint)i;
            return OK;
        }
    }
    FAIL(INPUT);
}

static const char *const losses[MOMENT_LOSSES] = {"zero_one", "square", "absolute"};

const char *
moment_loss_word(enum moment_loss loss)
{
    ASSERT((unsigned)loss < MOMENT_LOSSES);
    return losses[loss];
}

struct status
moment_loss_from_word(const char *word, enum moment_loss *ret_loss)
{
    for (unsigned i = 0; i < MOMENT_LOSSES; i++) {
        if (strcmp(losses[i], word) == 0) {
            *ret_loss = (enum moment_loss)i;
            return OK;
        }
    }
    FAIL(INPUT);
}

/* ---- the rows ---- */

/* False: the row is of no event. */
static bool
event_of(const struct moment *m, float y, uint32_t *ret_event)
{
    const int label = kinds[m->constraint].label;
    *ret_event = m->events > 1 && y > 0;
    return label < 0 || label == (y > 0);
}

/* NULL: nothing is wrong. */
static const char *
wrong_loss(const struct moment_bounds *b)
{
    if (b->ratio != 0) {
        return "a ratio bound does not go with bounded_group_loss, which compares no groups";
    }
    if (b->numbers && !(b->loss > 0 && isfinite(b->loss))) {
        return "bounded_group_loss needs a loss bound over 0, the mean loss that no group may "
               "exceed: of the square loss in the label's unit squared, else in its unit";
    }
    if (b->numbers && !(isfinite(b->low) && isfinite(b->high) && b->low <= b->high)) {
        return "a range to clip to, of two finite numbers, the lower one first: out of range";
    }
    if (!b->numbers && b->kind != MOMENT_ZERO_ONE_LOSS) {
        return "the square and the absolute loss are of numbers: decisions between two classes "
               "have the zero_one loss";
    }
    return b->numbers || (b->loss > 0 && b->loss < 1)
               ? NULL
               : "bounded_group_loss needs a loss bound, the error rate that no group may exceed, "
                 "between 0 and 1";
}

static const char *
wrong_parity(const struct moment_bounds *b)
{
    return b->numbers ? "this constraint compares decisions between two classes; of numbers the "
                        "exponentiated gradient has bounded_group_loss"
           : !(b->ratio >= 0 && b->ratio <= 1) ? "a ratio bound over 0, at most 1: out of range"
           : !(b->slack >= 0 && b->slack < 1)
               ? "a slack of the ratio bound from 0, under 1: out of range"
           : !(b->difference >= 0 && b->difference < 1)
               ? "a difference bound from 0, under 1: out of range"
               : NULL;
}

static struct status
check_bounds(enum moment_constraint constraint, const struct moment_bounds *b, struct diag *diag)
{
    const char *wrong = constraint == MOMENT_BOUNDED_GROUP_LOSS ? wrong_loss(b) : wrong_parity(b);
    if (wrong != NULL) {
        diag_set(diag, "%s", wrong);
        FAIL(INPUT);
    }
    return OK;
}

static struct status
check_shares(const struct moment *m, struct diag *diag)
{
    const int label = kinds[m->constraint].label;
    for (uint32_t e = 0; e < m->events; e++) {
        const int of = m->events > 1 ? (int)e : label;
        for (uint32_t k = 0; k < m->groups; k++) {
            if (m->share[e][k] == 0) {
                diag_set(diag, "group %u: no rows%s to train on", k,
                         of < 0    ? ""
                         : of == 0 ? " with the negative label"
                                   : " with the positive label");
                FAIL(INPUT);
            }
        }
    }
    return OK;
}

/* ---- the losses of numbers ---- */

double
moment_clip(const struct moment *m, double v)
{
    return fmin(fmax(v, m->low), m->high);
}

double
moment_loss_of(const struct moment *m, double y, double answer)
{
    const double far = moment_clip(m, y) - moment_clip(m, answer);
    return (m->kind == MOMENT_SQUARE_LOSS ? far * far : fabs(far)) / m->unit;
}

static void
set_range(struct moment *m, const struct moment_bounds *b, const float *y, size_t rows)
{
    m->low = b->low;
    m->high = b->high;
    if (b->kind == MOMENT_ZERO_ONE_LOSS) {
        m->low = 0;
        m->high = 1;
    } else if (b->low >= b->high) {
        m->low = INFINITY;
        m->high = -INFINITY;
        for (size_t i = 0; i < rows; i++) {
            m->low = fmin(m->low, (double)y[i]);
            m->high = fmax(m->high, (double)y[i]);
        }
    }
}

static struct status
set_unit(struct moment *m, const float *y, size_t rows, struct diag *diag)
{
    double mean = 0, loss = 0;
    for (size_t i = 0; i < rows; i++) {
        mean += moment_clip(m, (double)y[i]) / (double)rows;
    }
    for (size_t i = 0; i < rows; i++) {
        loss += moment_loss_of(m, (double)y[i], mean) / (double)rows;
    }
    /* What rounding leaves of a mean is no loss. */
    if (!(loss > 1e-12 * (m->kind == MOMENT_SQUARE_LOSS ? mean * mean : fabs(mean)))) {
        diag_set(diag,
                 "between %g and %g the label is the same in all %zu rows: there is no loss "
                 "to bound",
                 m->low, m->high, rows);
        FAIL(INPUT);
    }
    m->unit = loss;
    m->bound /= loss;
    return OK;
}

struct status
moment_init(struct moment *ret_moment, enum moment_constraint constraint,
            const struct moment_bounds *bounds, const float *y, const int32_t *group, size_t rows,
            uint32_t groups, struct diag *diag)
{
    ASSERT((unsigned)constraint < MOMENT_CONSTRAINTS);
    const bool loss = constraint == MOMENT_BOUNDED_GROUP_LOSS, ratio = bounds->ratio > 0;
    struct moment m = {.constraint = constraint,
                       .groups = groups,
                       .events = kinds[constraint].events,
                       .sides = loss ? 1 : MOMENT_SIDES,
                       .ratio = ratio ? bounds->ratio : 1,
                       .bound = loss    ? bounds->loss
                                : ratio ? bounds->slack
                                        : bounds->difference,
                       .numbers = bounds->numbers,
                       .kind = bounds->kind,
                       .unit = 1};
    if (groups < 2 || groups > MOMENT_MAX_GROUPS) {
        diag_set(diag, "%u groups: from 2 to %u", groups, MOMENT_MAX_GROUPS);
        FAIL(INPUT);
    }
    TRY(check_bounds(constraint, bounds, diag));
    for (size_t i = 0; i < rows; i++) {
        uint32_t e = 0;
        ASSERT(group[i] >= 0 && (uint32_t)group[i] < groups);
        if (event_of(&m, y[i], &e)) {
            m.share[e][group[i]] += 1 / (double)rows;
            m.all[e] += 1 / (double)rows;
        }
    }
    TRY(check_shares(&m, diag));
    if (m.numbers) {
        set_range(&m, bounds, y, rows);
        TRY(set_unit(&m, y, rows, diag));
    }
    *ret_moment = m;
    return OK;
}

/* ---- rates and gammas ---- */

struct moment_rates
moment_rates_of(const struct moment *m, const float *y, const int32_t *group, size_t rows,
                const double *chance, double times)
{
    struct moment_rates r = {0};
    const double n = (double)rows;
    for (size_t i = 0; i < rows; i++) {
        const double p = chance[i] * times, wrong = !m->numbers && y[i] > 0 ? 1 - p : p;
        const double value = kinds[m->constraint].errors ? wrong : p;
        uint32_t e = 0;
        r.error += wrong / n;
        if (event_of(m, y[i], &e)) {
            r.rate[e][group[i]] += value / (n * m->share[e][group[i]]);
            r.all[e] += value / (n * m->all[e]);
        }
    }
    return r;
}

size_t
moment_count(const struct moment *m)
{
    return (size_t)m->events * m->groups * m->sides;
}

size_t
moment_index(const struct moment *m, uint32_t event, uint32_t group, uint32_t side)
{
    return ((size_t)event * m->groups + group) * m->sides + side;
}

/* A gamma is own x the group's rate + all x that of all. */
struct weights {
    double own, all;
};

static struct weights
weights_of(const struct moment *m, uint32_t side)
{
    if (m->constraint == MOMENT_BOUNDED_GROUP_LOSS) {
        return (struct weights){1, 0};
    }
    return side == 0 ? (struct weights){m->ratio, -1} : (struct weights){-1, m->ratio};
}

double
moment_gamma(const struct moment *m, const struct moment_rates *r, uint32_t event, uint32_t group,
             uint32_t side)
{
    const struct weights w = weights_of(m, side);
    return w.own * r->rate[event][group] + w.all * r->all[event];
}

/* Of a row of this event and group: what one more of its rate's numerator costs. */
static double
cost_of(const struct moment *m, const double *price, uint32_t event, uint32_t group)
{
    double own = 0, all = 0;
    for (uint32_t s = 0; s < m->sides; s++) {
        const struct weights w = weights_of(m, s);
        own += w.own * price[moment_index(m, event, group, s)];
        for (uint32_t k = 0; k < m->groups; k++) {
            all += w.all * price[moment_index(m, event, k, s)];
        }
    }
    return own / m->share[event][group] + all / m->all[event];
}

void
moment_worth(const struct moment *m, const double *price, const float *y, const int32_t *group,
             size_t rows, double *ret_worth)
{
    double cost[MOMENT_EVENTS][MOMENT_MAX_GROUPS];
    for (uint32_t e = 0; e < m->events; e++) {
        for (uint32_t k = 0; k < m->groups; k++) {
            cost[e][k] = cost_of(m, price, e, k);
        }
    }
    for (size_t i = 0; i < rows; i++) {
        const double right = y[i] > 0 && !m->numbers ? 1 : -1;
        uint32_t e = 0;
        ret_worth[i] = right;
        if (event_of(m, y[i], &e)) {
            ret_worth[i] -= (kinds[m->constraint].errors ? -right : 1) * cost[e][group[i]];
        }
        ret_worth[i] = m->numbers ? -ret_worth[i] : ret_worth[i];
    }
}
