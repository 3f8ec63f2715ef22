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

/* ---- the rows ---- */

/* False: the row is of no event. */
static bool
event_of(const struct moment *m, float y, uint32_t *ret_event)
{
    const int label = kinds[m->constraint].label;
    *ret_event = m->events > 1 && y > 0;
    return label < 0 || label == (y > 0);
}

static struct status
check_bounds(enum moment_constraint constraint, const struct moment_bounds *b, struct diag *diag)
{
    const char *wrong = NULL;
    const bool loss = constraint == MOMENT_BOUNDED_GROUP_LOSS;
    if (loss && b->ratio != 0) {
        wrong = "a ratio bound does not go with bounded_group_loss, which compares no groups";
    } else if (loss && !(b->loss > 0 && b->loss < 1)) {
        wrong = "bounded_group_loss needs a loss bound, the error rate that no group may exceed, "
                "between 0 and 1";
    } else if (!loss && !(b->ratio >= 0 && b->ratio <= 1)) {
        wrong = "a ratio bound over 0, at most 1: out of range";
    } else if (!loss && !(b->slack >= 0 && b->slack < 1)) {
        wrong = "a slack of the ratio bound from 0, under 1: out of range";
    } else if (!loss && !(b->difference >= 0 && b->difference < 1)) {
        wrong = "a difference bound from 0, under 1: out of range";
    }
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
                                        : bounds->difference};
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
        const double p = chance[i] * times, wrong = y[i] > 0 ? 1 - p : p;
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
        const double right = y[i] > 0 ? 1 : -1;
        uint32_t e = 0;
        ret_worth[i] = right;
        if (event_of(m, y[i], &e)) {
            ret_worth[i] -= (kinds[m->constraint].errors ? -right : 1) * cost[e][group[i]];
        }
    }
}
