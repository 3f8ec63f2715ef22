/* predictor: a forest compiled for prediction, made once per model. Exact: every margin has the
 * digits of forest_margin_ref, since sums are doubles in the order of the trees whichever way a
 * leaf is found.
 *
 * Trees of depth up to 8 are padded to perfect ones. Batches: a tile of 64 rows becomes columns of
 * 8-bit ranks (model/ranks.h); every node of a tree is compared for 32 rows an instruction and the
 * leaves' numbers are blended upwards by those answers, so that no step waits for the one before
 * (AVX2, where the processor has it). Single rows: eight trees are walked side by side without
 * branches. Deeper trees are walked eight at a time, by rows in a batch and by trees in a row. */
#ifndef STEWARD_MODEL_PREDICTOR_H
#define STEWARD_MODEL_PREDICTOR_H

#include "model/forest.h"

struct predictor;

/* Borrows the forest, which must outlive it. Takes some 24 bytes a node of the padded trees.
 * MEMORY.
 */
struct status predictor_new(const struct forest *f, struct predictor **ret_predictor);
void predictor_free(struct predictor *p);
DEFINE_FREEP(predictor_free, struct predictor)
/* ret_margin[rows * outputs]; x row-major [rows * features], NaN missing. threads: 0 = one per
 * core. The same digits for any number of threads and rows at once. Any thread may call it. */
void predictor_margin(const struct predictor *p, const float *x, size_t rows, unsigned threads,
                      double *ret_margin);
/* The same as if the processor had no AVX2. */
void predictor_margin_portable(const struct predictor *p, const float *x, size_t rows,
                               unsigned threads, double *ret_margin);

#endif
