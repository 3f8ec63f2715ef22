/* explain: exact path-dependent TreeSHAP in double. Lundberg et al., "Consistent individualized
 * feature attribution for tree ensembles" (arXiv 1802.03888), algorithm 2; the plain reference,
 * O(trees * leaves * depth^2) a row. Law: sum of phi + expected = margin, to 1e-9. */
#ifndef STEWARD_ASSESS_EXPLAIN_H
#define STEWARD_ASSESS_EXPLAIN_H

#include "model/forest.h"

/* Expected margin per output (base + cover-weighted mean of each tree): ret_expected[outputs]. */
void explain_expected(const struct forest *f, double *ret_expected);
/* Bytes of scratch that explain_row_ref needs for this forest. */
size_t explain_scratch_bytes(const struct forest *f);
/* phi of one row: ret_phi[outputs * features]. scratch: explain_scratch_bytes, aligned for double.
 */
void explain_row_ref(const struct forest *f, const float *x, void *scratch, double *ret_phi);
/* All rows, threaded by fixed blocks: ret_phi[rows * outputs * features]; returns memory failure
 * only. */
struct status explain_rows(const struct forest *f, const float *x, size_t rows, unsigned threads,
                           double *ret_phi);
/* Mean |phi| per (output, feature) over rows without keeping them: ret_mean[outputs * features];
 * same digits for any number of threads. Also mean phi when ret_signed is not NULL. */
struct status explain_global(const struct forest *f, const float *x, size_t rows, unsigned threads,
                             double *ret_mean, double *ret_signed);

#endif
