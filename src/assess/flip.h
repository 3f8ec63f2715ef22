/* flip: a fairness certificate of a tree ensemble: on which share of the input space does changing
 * the sensitive feature alone change the decision? Verification of that share by boxes, with bounds
 * that hold whenever it stops, in the spirit of BoxQTE (arXiv 2512.16386, 2025).
 *
 * The space is the product of the features other than the sensitive one, each with a measure taken
 * from rows: their own distribution (independently for each feature), or an even one over the range
 * they cover. The ensemble is constant on boxes between its thresholds, so the share is a finite
 * sum. Boxes are split largest first; in each, for each value of the sensitive feature, the margin
 * lies between the sums of the least and of the greatest leaf that every tree can reach. Adding
 * doubles in the order of the trees is monotone, so the bounds hold for the model's own rounded
 * sums. */
#ifndef STEWARD_ASSESS_FLIP_H
#define STEWARD_ASSESS_FLIP_H

#include "model/forest.h"

#define FLIP_MAX_VALUES 64u   /* of the sensitive feature */
#define FLIP_MAX_CATEGORY 62u /* greatest category that a split lists */
#define FLIP_MAX_BOXES ((size_t)1 << 20)

enum flip_measure {
    FLIP_EMPIRICAL, /* shares of the rows, a missing value being one more */
    FLIP_EVEN /* even between the least and the greatest value; categories alike; none missing */
};

struct flip_options {
    uint32_t feature;     /* the sensitive one */
    const float *values;  /* that it is set to, in turn; NaN is missing */
    uint32_t value_count; /* 2 to FLIP_MAX_VALUES */
    double margin;        /* decided positive from this margin on */
    enum flip_measure measure;
    size_t boxes; /* most that are looked at, 1 to FLIP_MAX_BOXES */
};

struct flip_result {
    double lower, upper;    /* the share lies between, both ends included */
    size_t boxes;           /* looked at */
    bool exact;             /* no box was left: lower and upper differ by rounding alone */
    bool read;              /* some tree reads the feature */
    uint64_t rows, flipped; /* of x: exactly */
};

/* x[rows * f->features] row-major. INPUT with a sentence: no rows, options out of range, a feature
 * without a finite value under FLIP_EVEN; UNSUPPORTED: several outputs, categories over
 * FLIP_MAX_CATEGORY, a feature split both by threshold and by category, or (LightGBM's) with zero
 * taken for missing. MEMORY. */
struct status flip_certificate(const struct forest *f, const float *x, size_t rows,
                               const struct flip_options *o, struct diag *diag,
                               struct flip_result *ret_result);

#endif
