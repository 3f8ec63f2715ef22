/* mitigate_moment: the constraints of the exponentiated gradient, as Fairlearn 0.15 defines them
 * (fairlearn.reductions: UtilityParity and its kinds; BoundedGroupLoss with its three losses).
 *
 * A rate is that of a group among the rows of one event (all; a label): of decisions for, or of
 * wrong decisions; of numbers the mean loss, in a unit that starts as the loss of answering every
 * row with the mean label, so that one step and one eps are right for labels of any unit. A
 * constraint is broken by its gamma less its bound, where gamma is, of group g, too high: ratio x
 * rate of g - rate of all; too low: ratio x rate of all - rate of g; bounded group loss: the rate
 * of g. */
#ifndef STEWARD_ASSESS_MITIGATE_MOMENT_H
#define STEWARD_ASSESS_MITIGATE_MOMENT_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MOMENT_MAX_GROUPS 64u
#define MOMENT_EVENTS 2u
#define MOMENT_SIDES 2u /* a rate may be too high, or too low */
#define MOMENT_MAX (MOMENT_SIDES * MOMENT_EVENTS * MOMENT_MAX_GROUPS)

enum moment_constraint {
    MOMENT_DEMOGRAPHIC_PARITY,
    MOMENT_EQUALIZED_ODDS,
    MOMENT_TRUE_POSITIVE_RATE_PARITY,
    MOMENT_FALSE_POSITIVE_RATE_PARITY,
    MOMENT_ERROR_RATE_PARITY,
    MOMENT_BOUNDED_GROUP_LOSS,
    MOMENT_CONSTRAINTS
};

enum moment_loss { /* of bounded group loss, of a label and an answer clipped to low..high */
                   MOMENT_ZERO_ONE_LOSS, /* the share decided wrongly; of numbers the distance
                                            within 0..1 */
                   MOMENT_SQUARE_LOSS,
                   MOMENT_ABSOLUTE_LOSS,
                   MOMENT_LOSSES
};

struct moment_bounds {
    double difference; /* Fairlearn's difference_bound; 0 to 1 */
    double ratio;      /* over 0: instead of it, ratio_bound, to 1 */
    double slack;      /* ratio_bound_slack: added to either side; 0 to 1 */
    double loss;       /* bounded group loss: upper_bound; over 0; of two classes under 1 */
    bool numbers;      /* y is of numbers, which only bounded group loss is for */
    enum moment_loss kind;
    double low, high; /* of numbers: what is clipped to; both 0: the least and greatest y */
};

struct moment {
    enum moment_constraint constraint;
    uint32_t groups, events, sides;
    double ratio, bound; /* ratio 1: differences */
    bool numbers;
    enum moment_loss kind;
    double low, high, unit; /* unit: a loss of 1; 1 of two classes */
    double share[MOMENT_EVENTS][MOMENT_MAX_GROUPS], all[MOMENT_EVENTS]; /* of the rows */
};

struct moment_rates {
    double error, rate[MOMENT_EVENTS][MOMENT_MAX_GROUPS], all[MOMENT_EVENTS];
};

const char *moment_constraint_word(enum moment_constraint c); /* "error_rate_parity" */
/* INPUT for a word that is none. */
struct status moment_constraint_from_word(const char *word, enum moment_constraint *ret_constraint);
const char *moment_loss_word(enum moment_loss loss); /* "square" */
struct status moment_loss_from_word(const char *word, enum moment_loss *ret_loss);
/* y[rows]: 0 or 1, or a number; group[rows]: 0..groups-1. INPUT with a sentence: bounds out of
 * range, a ratio of bounded group loss, a constraint or loss that is not for such labels, too few
 * or many groups, a group without a row of an event, numbers that are all the same once clipped. */
struct status moment_init(struct moment *ret_moment, enum moment_constraint constraint,
                          const struct moment_bounds *bounds, const float *y, const int32_t *group,
                          size_t rows, uint32_t groups, struct diag *diag);
/* Of a number: the label or the answer as the loss sees it. The loss, in the moment's unit. */
double moment_clip(const struct moment *m, double v);
double moment_loss_of(const struct moment *m, double y, double answer);
/* Of the chances times x chance[i] that row i is decided for; of numbers those are the losses. */
struct moment_rates moment_rates_of(const struct moment *m, const float *y, const int32_t *group,
                                    size_t rows, const double *chance, double times);
/* Number of constraints, and which one is which, by event, then group, then too high and low. */
size_t moment_count(const struct moment *m);
size_t moment_index(const struct moment *m, uint32_t event, uint32_t group, uint32_t side);
double moment_gamma(const struct moment *m, const struct moment_rates *r, uint32_t event,
                    uint32_t group, uint32_t side);
/* ret_worth[rows]: what deciding row i for is worth, of error and of the constraints at their
 * price[moment_count]: Fairlearn's signed weights, the objective's among them. Of numbers: the
 * weight of the row's loss. */
void moment_worth(const struct moment *m, const double *price, const float *y, const int32_t *group,
                  size_t rows, double *ret_worth);

#endif
