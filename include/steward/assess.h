/* libsteward's analyses for programs that have their own data: arrays in, numbers or a JSON text
 * out, no files, no network, no workspace.
 *
 * Rules as in steward.h: 0 or a code, which *error (may be NULL) explains in a sentence; results
 * last, untouched on failure; texts in UTF-8, released with sw_text_free. Arrays are borrowed for
 * the call. Zeroed options are the defaults. Results do not depend on the number of threads. The
 * JSON documents are those that `steward fairness` and `steward errors` print with --json:
 * docs/spec/assessment-fairness.md and assessment-errors.md. */
#ifndef STEWARD_ASSESS_H
#define STEWARD_ASSESS_H

#include <steward/steward.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- tree ensembles ---- */

struct sw_forest;

/* bytes: an XGBoost (JSON, UBJSON), LightGBM (text) or ONNX-ML (TreeEnsemble) model file.
 * Untrusted: SW_INPUT names the tree and the node that is wrong. */
SW_API int sw_forest_load(const void *bytes, size_t length, struct sw_forest **ret_forest,
                          struct sw_error *error);
SW_API void sw_forest_free(struct sw_forest *forest); /* NULL: nothing */
SW_API size_t sw_forest_features(const struct sw_forest *forest);
SW_API size_t sw_forest_outputs(const struct sw_forest *forest); /* 1, or the number of classes */
/* Owned by the forest; NULL when the file names none. */
SW_API const char *sw_forest_feature(const struct sw_forest *forest, size_t index);

/* x[rows * features] row by row, NaN missing, categories as numbers. ret_margin[rows * outputs]:
 * the sum of the leaves and the base, before any link. */
SW_API int sw_forest_margin(const struct sw_forest *forest, const float *x, size_t rows,
                            unsigned threads, double *ret_margin, struct sw_error *error);

enum sw_precision {
    SW_FAST = 0,  /* error at most 2e-6 of the row's largest attribution */
    SW_RECORD = 1 /* 1e-12 of it: for what is kept when a decision about a person is explained */
};

struct sw_explain_options {
    enum sw_precision precision;
    unsigned threads; /* 0: one per core */
    /* Interventional values against these rows, background[background_rows * features]; NULL: by
     * the paths of the trees (Lundberg et al., arXiv 1802.03888). */
    const float *background;
    size_t background_rows;
    int probability; /* 1: of the probability; binary logistic models, with a background */
    /* Values of the raw columns that features were encoded from: column[features], each below
     * columns. A column's value is the sum of its features'. NULL: of the features. */
    const uint32_t *column;
    uint32_t columns;
};

/* SHAP values, exact: ret_phi[rows * outputs * features], or with options->column [rows * outputs *
 * columns]; ret_expected[outputs]. For each row and output the values and the expected one sum to
 * the margin (or probability). options may be NULL. */
SW_API int sw_forest_explain(const struct sw_forest *forest, const float *x, size_t rows,
                             const struct sw_explain_options *options, double *ret_phi,
                             double *ret_expected, struct sw_error *error);
/* ret_pairs[rows * outputs * features * features]: SHAP interaction values, of records. */
SW_API int sw_forest_interactions(const struct sw_forest *forest, const float *x, size_t rows,
                                  unsigned threads, double *ret_pairs, struct sw_error *error);

/* ---- decisions ---- */

/* A column of categories: code[rows] into levels, -1 missing. */
struct sw_factor {
    const char *name;
    const int32_t *code;
    const char *const *levels;
    uint32_t level_count;
};

/* A column of numbers, NaN missing; with levels the numbers are codes of categories. */
struct sw_feature {
    const char *name;
    const double *value;
    const char *const *levels; /* NULL: numbers */
    uint32_t level_count;
};

/* Binary decisions about rows. */
struct sw_decisions {
    size_t rows;
    const uint8_t *label;    /* 0, 1; 2: missing */
    const uint8_t *decision; /* the same */
    const double *score;     /* probability of 1, or NULL */
    int adverse; /* 1: decision 1 is bad for the person, so that the four-fifths rule is about 0 */
};

struct sw_fairness_options {
    const struct sw_factor *sensitive; /* at least one */
    uint32_t sensitive_count;
    const struct sw_factor *control; /* compared within their groups; may be NULL */
    uint32_t control_count;
    uint32_t min_group;  /* smaller groups are shown, not judged; 0: 30 */
    double level;        /* of intervals; 0: 0.95 */
    uint32_t replicates; /* of the bootstrap, at most 100000; 0: 1000 */
    uint64_t seed;
    unsigned threads;
};

/* Every group metric of Fairlearn and Clarify with its interval, differences and ratios, adjusted
 * p-values and a sentence each. */
SW_API int sw_fairness(const struct sw_decisions *decisions,
                       const struct sw_fairness_options *options, char **ret_json,
                       struct sw_error *error);

struct sw_errors_options {
    const struct sw_feature *features; /* at least one */
    uint32_t feature_count;
    uint32_t slices;       /* of the worst ones; 0: 10 */
    uint32_t slice_level;  /* conditions of a slice at most, 1 to 4; 0: 2 */
    uint32_t permutations; /* that slices are held against, at most 100000; 0: 199 */
    uint64_t seed;
    unsigned threads;
};

/* Where the decisions are wrong: error tree, heat map, the exact worst slices with what luck alone
 * would find, calibration, worst predictions. */
SW_API int sw_errors(const struct sw_decisions *decisions, const struct sw_errors_options *options,
                     char **ret_json, struct sw_error *error);

#ifdef __cplusplus
}
#endif
#endif
