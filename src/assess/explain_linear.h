/* explain_linear: exact SHAP of a linear model: an unknown feature has the value that it has in a
 * background row, whatever the known ones are (interventional; shap's LinearExplainer with an
 * independent masker). On the margin the attribution of feature j is
 *     w_j (x_j - E[x_j]),  w_j = coefficient_j / scale_j,
 * E the background's mean or the one that the file tells; there are no interactions. Of what the
 * model answers: the mean over the background rows b of w_j (x_j - b_j) g(m(x), m(b)), g the link's
 * mean slope (link_slope.h), as for trees. Law, for each row and output: sum of phi + expected =
 * margin, or answer. All in doubles. */
#ifndef STEWARD_ASSESS_EXPLAIN_LINEAR_H
#define STEWARD_ASSESS_EXPLAIN_LINEAR_H

#include "base/status.h"
#include "model/linear.h"

struct explain_linear;

/* background[rows * features], borrowed for the call; NULL: the means of the file, which it must
 * have (m->has_mean), on the margin. Borrows the model. Rows of the background that have no margin
 * (a missing value that the model has none for) are left out. STATUS_INPUT: none is left;
 * STATUS_UNSUPPORTED: answers of a softmax. MEMORY. */
struct status explain_linear_new(const struct linear *m, const float *background, size_t rows,
                                 bool probability, struct explain_linear **ret_explainer);
void explain_linear_free(struct explain_linear *e);
DEFINE_FREEP(explain_linear_free, struct explain_linear)
/* Rows of the background that were left out. */
size_t explain_linear_left_out(const struct explain_linear *e);
/* Nodes of the interpolation of g and its error over the largest g, the worst output's; 0 and 0
 * where nothing is interpolated. */
size_t explain_linear_nodes(const struct explain_linear *e, double *ret_error);
/* Mean margin, or answer, of the background: ret_expected[outputs]. */
void explain_linear_expected(const struct explain_linear *e, double *ret_expected);
/* ret_phi[rows * outputs * features]; all NaN of a row that has no margin. The same digits for any
 * number of threads. */
void explain_linear_rows(const struct explain_linear *e, const float *x, size_t rows,
                         unsigned threads, double *ret_phi);

#endif
