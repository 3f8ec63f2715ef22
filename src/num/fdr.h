/* fdr: p-values adjusted for having asked many questions at once. A question is answered with "yes"
 * where its adjusted p is at most q; then at most a share q of the answers is expected to be false.
 * Benjamini and Hochberg (J. R. Statist. Soc. B 57, 1995), which holds for independent and for
 * positively dependent questions; Benjamini and Yekutieli (Ann. Statist. 29, 2001), which holds for
 * any dependence and costs a factor of the n-th harmonic number. */
#ifndef STEWARD_NUM_FDR_H
#define STEWARD_NUM_FDR_H

#include <stddef.h>

enum fdr_method { FDR_BENJAMINI_HOCHBERG, FDR_BENJAMINI_YEKUTIELI };

/* p[n] in [0,1], or NaN: not asked, does not count, and stays NaN. order[n]: workspace.
 * ret_adjusted may be p. As statsmodels multipletests("fdr_bh", "fdr_by") and R's p.adjust. */
void fdr_adjust(enum fdr_method method, const double *p, size_t n, size_t *order,
                double *ret_adjusted);

#endif
