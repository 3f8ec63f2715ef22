/* group_overall: how far a group is from all rows, of which it is a part.
 *
 * A rate of all rows is the mean of the group's and the rest's by their shares of its denominator,
 * so that group - all = (1 - share) (group - rest), of two independent rates: MOVER (Newcombe's
 * method 10 of one rate), in which 0 of n has a spread, as it has not in a bootstrap. The ratio:
 * the ratios r for which the interval of group - r all holds 0. Balanced accuracy is the sum of two
 * such rates, each with its own share. The shares are taken as they are: the interval is of the
 * distance in a population of groups of these sizes. */
#ifndef STEWARD_ASSESS_GROUP_OVERALL_H
#define STEWARD_ASSESS_GROUP_OVERALL_H

#include "assess/group_metric.h"

/* m: of decisions. Values are NaN where the group or all rows have none. */
struct group_contrast group_overall(enum group_metric m, const struct group_tally *group,
                                    const struct group_tally *all, double level);

#endif
