/* linear: linear and generalised linear models (linear, logistic, multinomial, Poisson regression)
 * in the JSON of docs/spec/linear-model.md. Untrusted: every list's length and every number is
 * checked. */
#ifndef STEWARD_MODEL_LINEAR_H
#define STEWARD_MODEL_LINEAR_H

#include "base/bytes.h"
#include "model/link.h"

#define LINEAR_MAX_FEATURES 65536u
#define LINEAR_MAX_OUTPUTS 1024u
#define LINEAR_MAX_VALUE                                                                           \
    1e45 /* of a number's size; a scale is at least its inverse: no margin,                        \
            attribution or square of one is infinite then */
#define LINEAR_MAX_BYTES ((size_t)1 << 28)

struct linear {
    uint32_t features;
    uint32_t outputs; /* 1, or the number of classes or targets */
    enum forest_link link;
    const char *const *feature_names;
    const char *const *output_names; /* outputs, or NULL */
    const char *const *two_classes;  /* of a binary model: labels of 0 and 1, or NULL */
    const double *intercept;         /* outputs */
    const double *coefficient;       /* outputs * features, of the standardised feature */
    const double *mean;              /* features */
    bool has_mean;                   /* told by the file: of the rows it was trained on */
    const double *scale;             /* features; never 0 */
    const double *missing;           /* features: read for a NaN; NaN: there is no such value */
};

/* True for JSON whose "format" is "steward-linear": told from its first bytes. */
bool linear_recognise(struct view bytes);
struct status linear_load(struct view bytes, struct diag *diag, struct linear **ret_linear);
void linear_free(struct linear *m);
DEFINE_FREEP(linear_free, struct linear)
/* ret_margin[rows * outputs] = intercept + sum of coefficient * (x - mean) / scale, summed in
 * double in the order of the features. x row-major [rows * features]; a missing value that the
 * model has no value for makes the row's margins NaN. threads: 0 = one per core. */
void linear_margin(const struct linear *m, const float *x, size_t rows, unsigned threads,
                   double *ret_margin);

#endif
