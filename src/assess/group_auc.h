/* group_auc: the area under the ROC curve of each group, exactly (ties count half), with the
 * standard error of DeLong, DeLong and Clarke-Pearson (1988) from placements; with weights the
 * weighted share of ordered pairs, and the variance of its linearisation. Weights are summed in
 * whole numbers (num/whole.h), so that neither order nor split of the rows changes a digit. */
#ifndef STEWARD_ASSESS_GROUP_AUC_H
#define STEWARD_ASSESS_GROUP_AUC_H

#include "assess/group_tally.h"

/* Rows by ascending score, which is not NaN (group_rows_sorted). y: 0, 1, else no part. weight: of
 * independent rows, NULL: 1 each, 0: no part. group: 0..groups-1; GROUP_AUC_ALL_ONLY: a row of no
 * group; GROUP_AUC_NO_PART. */
#define GROUP_AUC_ALL_ONLY (-1)
#define GROUP_AUC_NO_PART (-2)
struct group_auc_rows {
    size_t rows;
    const double *score;
    const uint8_t *y;
    const double *weight;
    const int32_t *group;
};
/* Sets auc, auc_se, auc_cov (with the area of all rows that have a part) and auc_n (the smaller
 * class's rows: its variance is at most that of a proportion of so many, van Dantzig 1951) of
 * tally[groups] and of overall: NaN with one class; the error NaN below two rows of a class. */
struct status group_auc(const struct group_auc_rows *r, uint32_t groups, struct group_tally *tally,
                        struct group_tally *overall);

/* The same to the bit from blocks of rows in any order, in states that merge. What is known of all
 * rows comes first: a pass of its own. Zeroed: of no row. */
struct group_auc_range {
    uint64_t rows;
    double weight; /* the largest */
};
void group_auc_range_add(struct group_auc_range *g, const struct group_auc_rows *r);
void group_auc_range_merge(struct group_auc_range *g, const struct group_auc_range *other);

struct group_auc_run;
struct group_auc_state { /* 40 bytes for each distinct score, group and outcome */
    struct group_auc_run *run;
    size_t n, settled, room;
    int shift, square_shift;
};
void group_auc_begin(const struct group_auc_range *known, struct group_auc_state *ret_state);
void group_auc_done(struct group_auc_state *s);
/* STATUS_MEMORY: the state is of no use then. So for the next. */
struct status group_auc_add(struct group_auc_state *s, const struct group_auc_rows *r);
struct status group_auc_merge(struct group_auc_state *s, const struct group_auc_state *other);
struct status group_auc_finish(struct group_auc_state *s, uint32_t groups,
                               struct group_tally *tally, struct group_tally *overall);

#endif
