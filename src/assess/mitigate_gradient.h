/* mitigate_gradient: exponentiated gradient (Agarwal, Beygelzimer, Dudik, Langford and Wallach, "A
 * reductions approach to fair classification", ICML 2018, algorithm 1; of numbers with bounded
 * group loss: Agarwal, Dudik and Wu, "Fair regression", ICML 2019) over gradient-boosted trees: a
 * game between a booster, which answers each set of prices with the best trees for rows weighted by
 * them, and the prices of the constraints, which rise where they are broken.
 *
 * The theorem is about the mixture of all answers, drawn from at random. What is kept to be
 * deployed is one of them, the best single one, since a decision about a person that a coin makes
 * is hard to explain; both are reported. */
#ifndef STEWARD_ASSESS_MITIGATE_GRADIENT_H
#define STEWARD_ASSESS_MITIGATE_GRADIENT_H

#include "assess/mitigate_moment.h"
#include "model/train.h"

#define GRADIENT_MAX_ITERATIONS 200u
#define GRADIENT_MAX_GROUPS MOMENT_MAX_GROUPS

struct gradient_options {
    enum moment_constraint constraint;
    double eps; /* over 0: that a group's rate may differ from that of all; prices add to 1 / eps */
    double ratio_bound, ratio_bound_slack, loss_bound; /* struct moment_bounds; 0: none */
    enum moment_loss loss;                             /* bounded group loss */
    double low, high;                                  /* of numbers: struct moment_bounds */
    uint32_t iterations;                               /* at most; Fairlearn: 50 */
    double eta; /* step, times eps but for bounded group loss; Fairlearn: 2 */
    /* binary:logistic; of numbers what fits the loss: gradient_objective */
    struct train_options train;
};

struct gradient_answer { /* of the booster, on the training rows */
    double error;        /* share of rows decided wrongly; of numbers the mean loss, in its unit */
    double violation;    /* greatest gamma (mitigate_moment.h), at least 0: met up to the bound;
                            bounded group loss: the greatest loss of a group */
    double gap;          /* greatest difference of the rate between two groups */
    double ratio;        /* least over greatest rate of a group; 1 where all are 0 */
    bool constant;       /* the best answer to these prices was the same for all: no trees */
};

struct gradient_result {
    uint32_t iterations;
    struct gradient_answer answer[GRADIENT_MAX_ITERATIONS];
    /* All of them, equally often; of numbers without the first, to no prices, where that breaks a
     * bound. Where it breaks none it is the best there is, and the game ends with it. */
    struct gradient_answer mixture;
    /* The mixture's Lagrangian under the worst prices minus the best lower bound of the game's
     * value that an answer gave. As far as the booster's answers are best, the mixture's error is
     * within twice that of the best one's, its violation at most the bound + (1 + 2 game_gap) eps
     * (theorem 1 with B = 1 / eps), if any answer keeps to the bound. */
    double game_gap;
    uint32_t chosen; /* the answer kept: least error among those within the bound, else least
                        violation */
    bool met;        /* it is within the bound */
};

/* What a booster of numbers learns: "reg:absoluteerror" for the absolute and the zero-one loss,
 * for the square loss `objective` itself if its answers are means, else "reg:squarederror". */
const char *gradient_objective(const char *objective, enum moment_loss loss);

/* x, y, features as train_xgboost's; group[rows]: 0..groups-1. Labels of numbers are clipped to
 * the loss's range before the booster learns them. Appends the chosen answer's model file. INPUT
 * with a sentence: as moment_init, options out of range, no answer with trees. threads as
 * train's. */
struct status gradient_mitigate(const float *x, size_t rows, size_t features, const float *y,
                                const int32_t *group, uint32_t groups,
                                const struct gradient_options *o, struct diag *diag,
                                struct buf *ret_model, struct gradient_result *ret_result);

#endif
