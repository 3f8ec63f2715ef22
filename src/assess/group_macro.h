/* group_macro: metrics of several classes as means over the classes: of precision over those that
 * are predicted, of recall over those that occur (balanced accuracy), of F1 over those that do
 * either. scikit-learn's average="macro", which takes a class without predictions for precision 0;
 * here it has none. */
#ifndef STEWARD_ASSESS_GROUP_MACRO_H
#define STEWARD_ASSESS_GROUP_MACRO_H

#include "assess/group_tally.h"

#define GROUP_CLASSES_MAX 32u /* that groups are compared by */
#define GROUP_MACRO_CLASSES 256u

/* count[classes * classes]: weights by label, then prediction; count2: of their squares; all: the
 * weights of all rows, these among them. Sets macro, macro_se, macro_cov (with the figure of all)
 * and macro_n: the delta method for functions of Poisson counts of degree 0, the sum of count2
 * times the slopes. */
void group_macro(const double *count, const double *count2, const double *all, uint32_t classes,
                 struct group_tally *ret_tally);

#endif
