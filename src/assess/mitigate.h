/* mitigate: making decisions or data fairer: weights for training, thresholds by group, features
 * without linear trace of the sensitive columns. Arrays in, numbers out. */
#ifndef STEWARD_ASSESS_MITIGATE_H
#define STEWARD_ASSESS_MITIGATE_H

#include "assess/group_tally.h"
#include "base/status.h"
#include "num/counted.h"
#include "num/interval.h"

#define MITIGATE_MAX_GROUPS 64u

/* ---- reweighing (Kamiran and Calders, Knowledge and Information Systems 33, 2012) ---- */

/* count[groups * classes] by group and outcome. ret_weight[groups * classes]: P(group) P(outcome) /
 * P(group, outcome), which makes the two independent in the weighted data; 0 where there is no such
 * row. The weights of all rows sum to their number. *ret_empty: groups with rows that lack an
 * outcome which occurs, in which case independence is out of reach. classes: at least 2. */
void reweigh(const uint64_t *count, uint32_t groups, uint32_t classes, double *ret_weight,
             uint32_t *ret_empty);

/* ---- correlation remover (Fairlearn's) ---- */

/* z[rows * features] row-major becomes z - alpha (s - mean s) w, w the least-squares regression of
 * z's columns on the centred columns of s[rows * sensitive]. A column of s that others explain
 * (to 1e-10 of its variance) is left out; *ret_rank: how many were not. alpha in [0,1]. Values must
 * be finite: INPUT names the column ("z" or "s") and row. MEMORY. */
struct status correlation_remove(double *z, size_t rows, size_t features, const double *s,
                                 size_t sensitive, double alpha, struct diag *diag,
                                 size_t *ret_rank);
struct correlation_rows { /* one part, such as a machine's */
    const double *z, *s;
    size_t rows;
};
/* The same as numbers to keep, for rows that come later: ret_mean[sensitive] of s, and ret_w
 * [sensitive * features], row-major; 0 in the rows of columns that are left out. However the rows
 * are split and ordered, the same to the bit. */
struct status correlation_fit(const struct correlation_rows *part, size_t parts, size_t features,
                              size_t sensitive, struct diag *diag, double *ret_mean, double *ret_w,
                              size_t *ret_rank);

/* ---- thresholds by group (Hardt, Price and Srebro, NIPS 2016; Fairlearn's ThresholdOptimizer) */

enum threshold_constraint {
    THRESHOLD_DEMOGRAPHIC_PARITY, /* the same selection rate */
    THRESHOLD_TPR_PARITY,
    THRESHOLD_FPR_PARITY,
    THRESHOLD_TNR_PARITY,
    THRESHOLD_FNR_PARITY,
    THRESHOLD_EQUALIZED_ODDS, /* the same TPR and the same FPR */
    THRESHOLD_CONSTRAINTS
};

enum threshold_objective { /* mean over groups by their rows; equalized odds: over all rows */
                           THRESHOLD_ACCURACY,
                           THRESHOLD_BALANCED_ACCURACY,
                           THRESHOLD_SELECTION_RATE, /* not with equalized odds, nor the next two */
                           THRESHOLD_TPR,
                           THRESHOLD_TNR,
                           THRESHOLD_OBJECTIVES
};

const char *threshold_constraint_word(enum threshold_constraint c); /* "demographic_parity", ... */
const char *threshold_objective_word(enum threshold_objective o);   /* "accuracy_score", ... */
struct status threshold_constraint_from_word(const char *word, enum threshold_constraint *ret_c);
struct status threshold_objective_from_word(const char *word, enum threshold_objective *ret_o);
bool threshold_objective_fits(enum threshold_constraint c, enum threshold_objective o);

/* Positive when score > at, or, turned, when score < at. Infinite: nobody, or everybody. */
struct threshold {
    double at;
    bool turned;
};

/* A group's rule: with probability `ignore` positive by a coin that falls so with probability
 * `constant`; otherwise by threshold[0] with probability p[0], by threshold[1] with p[1] = 1 -
 * p[0]. A deterministic rule has ignore 0 and p[0] 1. */
struct threshold_rule {
    struct threshold threshold[2];
    double p[2];
    double ignore, constant;
    double selection_rate, tpr, fpr; /* expected, on these rows */
    uint64_t rows, positives;
};

struct threshold_plan {
    double objective;            /* expected */
    double gap;                  /* greatest difference of the constrained rate between groups */
    double accuracy;             /* over all rows */
    struct threshold_rule *rule; /* groups, the caller's */
};

struct threshold_options {
    enum threshold_constraint constraint;
    enum threshold_objective objective;
    /* Rates at which the optimum is looked for: 0, 1/grid, ..., 1 (Fairlearn: 1000). 0: wherever it
     * can lie, so that it is exact. */
    uint32_t grid;
    bool flip;        /* also thresholds under which one is positive */
    double tolerance; /* that the constrained rates may differ by; 0 for equalized odds at random */
};

/* All that thresholds are found by: each group's scores, by label. Added in blocks and merged, the
 * same in any order and any split of the rows. Zeroed: of none. */
struct threshold_scores {
    struct counted of[MITIGATE_MAX_GROUPS][2];
    uint64_t rows; /* added, those in no group too */
};

void threshold_scores_done(struct threshold_scores *s);
/* score[rows]: larger is more positive; y[rows]: 0 or 1; group[rows]: below MITIGATE_MAX_GROUPS, or
 * -1: left out. INPUT with a sentence: a score that is NaN (its row, in the order added). MEMORY.
 */
struct status threshold_scores_add(struct threshold_scores *s, const double *score,
                                   const uint8_t *y, const int32_t *group, size_t rows,
                                   struct diag *diag);
/* The same as adding the other's rows. MEMORY. */
struct status threshold_scores_merge(struct threshold_scores *s,
                                     const struct threshold_scores *other);

/* The groups' tradeoff curves, made once for several plans. */
struct threshold_curves;
/* INPUT with a sentence: a group without both labels (its number), no rows, too many groups, an
 * objective that does not fit. */
struct status threshold_curves_of(struct threshold_scores *s, uint32_t groups,
                                  const struct threshold_options *o, struct diag *diag,
                                  struct threshold_curves **ret_curves);
/* The same of rows that are at hand. */
struct status threshold_curves_new(const double *score, const uint8_t *y, const int32_t *group,
                                   size_t rows, uint32_t groups, const struct threshold_options *o,
                                   struct diag *diag, struct threshold_curves **ret_curves);
void threshold_curves_free(struct threshold_curves *c);
DEFINE_FREEP(threshold_curves_free, struct threshold_curves)
/* The best randomised rules. plan->rule is the caller's, groups of them. */
struct status threshold_randomised(const struct threshold_curves *c, double tolerance,
                                   struct threshold_plan *plan);
/* The best rules of one threshold each whose rates differ by at most `tolerance`: exact, except
 * that for equalized odds at most THRESHOLD_EO_POINTS thresholds a group, evenly spread in their
 * rank, are tried (the first and the last are always among them). *ret_tried: the most of a group.
 */
#define THRESHOLD_EO_POINTS 256u
struct status threshold_deterministic(const struct threshold_curves *c, double tolerance,
                                      struct threshold_plan *plan, size_t *ret_tried);
/* The chance of a positive decision. */
double threshold_decide(const struct threshold_rule *r, double score);

/* What a rule is expected to do to its group's rows, as counts. */
struct group_tally threshold_tally(const struct threshold_rule *r);

struct threshold_figure {
    double value;
    struct interval ci;
};
struct threshold_rating {
    struct threshold_figure objective, gap, accuracy;
};
/* Of the groups' counts: the gap as in group_gap.h, the accuracy by Wilson, the objective by MOVER
 * on the groups' own intervals. They are about the rules as given: rules chosen on the same rows
 * look better than they are. STATUS_MEMORY. */
struct status threshold_rate(const struct threshold_options *o, const struct group_tally *group,
                             uint32_t groups, double level, struct threshold_rating *ret_rating);
/* Of the deterministic rules at o->tolerance as they come out on rows that did not choose them: the
 * rows fall at random into THRESHOLD_FOLDS folds, and each fold is decided by the rules that are
 * best for the others. Which fold is a function of the rows as a set. NaN where a group would lack
 * a label. */
#define THRESHOLD_FOLDS 5u
struct status threshold_cross_fit(struct threshold_scores *s, uint32_t groups,
                                  const struct threshold_options *o, double level,
                                  struct threshold_rating *ret_rating);

#endif
