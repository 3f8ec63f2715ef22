/* group_auc: the area under the ROC curve of each group, exactly (ties count half), with the
 * standard error of DeLong, DeLong and Clarke-Pearson (1988) from placements. One sort of all rows;
 * then one pass for each way to group them. */
#ifndef STEWARD_ASSESS_GROUP_AUC_H
#define STEWARD_ASSESS_GROUP_AUC_H

#include "assess/group_tally.h"

/* ret_order[rows]: row numbers by ascending score, ties by row. Scores are not NaN. 32 bytes a row
 * of workspace. STATUS_MEMORY. */
struct status group_auc_order(const double *score, size_t rows, uint32_t *ret_order);
/* group[row]: 0..groups-1, or negative: no part. Sets auc and auc_se of tally[groups]: NaN with one
 * class; the error NaN below two rows of a class. y: 0, 1, else no part. */
struct status group_auc(const uint32_t *order, const double *score, const uint8_t *y,
                        const int32_t *group, size_t rows, uint32_t groups,
                        struct group_tally *tally);

#endif
