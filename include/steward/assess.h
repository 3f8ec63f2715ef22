/* libsteward's analyses for programs that have their own data: arrays in, numbers or a JSON text
 * out, no files, no network, no workspace.
 *
 * Rules as in steward.h: 0 or a code, which *error (may be NULL) explains in a sentence; results
 * last, untouched on failure; texts in UTF-8, released with sw_text_free. Arrays are borrowed for
 * the call. Zeroed options are the defaults. Results do not depend on the number of threads. The
 * JSON documents are those that `steward fairness`, `errors` and `bias` print with --json:
 * docs/spec/assessment-fairness.md, assessment-errors.md and assessment-bias.md. */
#ifndef STEWARD_ASSESS_H
#define STEWARD_ASSESS_H

#include <steward/steward.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- models ---- */

struct sw_predictor;

/* bytes: an XGBoost (JSON, UBJSON), LightGBM (text) or ONNX-ML (TreeEnsemble) model file, or a
 * linear or logistic model in the JSON of docs/spec/linear-model.md. Untrusted: SW_INPUT names the
 * tree and the node that is wrong. */
SW_API int sw_predictor_load(const void *bytes, size_t length, struct sw_predictor **ret_predictor,
                             struct sw_error *error);
SW_API void sw_predictor_free(struct sw_predictor *predictor); /* NULL: nothing */
SW_API size_t sw_predictor_features(const struct sw_predictor *predictor);
SW_API size_t sw_predictor_outputs(const struct sw_predictor *predictor); /* 1, or the classes */
/* Owned by the predictor; NULL when the file names none. */
SW_API const char *sw_predictor_feature(const struct sw_predictor *predictor, size_t index);

/* x[rows * features] row by row, NaN missing, categories as numbers. ret_margin[rows * outputs]:
 * the sum of the leaves, or of the terms, and the base, before any link; NaN of a row that a linear
 * model has no value for. */
SW_API int sw_predictor_margin(const struct sw_predictor *predictor, const float *x, size_t rows,
                               unsigned threads, double *ret_margin, struct sw_error *error);
/* The same after the link: probabilities, or numbers. */
SW_API int sw_predictor_predict(const struct sw_predictor *predictor, const float *x, size_t rows,
                                unsigned threads, double *ret_answer, struct sw_error *error);

enum sw_precision {
    SW_FAST = 0,  /* error at most 2e-6 of the row's largest attribution */
    SW_RECORD = 1 /* 1e-12 of it: for what is kept when a decision about a person is explained */
};

struct sw_explain_options {
    enum sw_precision precision;
    unsigned threads; /* 0: one per core */
    /* Interventional values against these rows, background[background_rows * features]; NULL: by
     * the paths of the trees (Lundberg et al., arXiv 1802.03888), or from the means that a linear
     * model's file tells. */
    const float *background;
    size_t background_rows;
    /* 1: of the answer (the probability), with a background. Of several classes by coalitions of
     * features: exact where the features that vary are few (11), else drawn, always the same way;
     * sw_black_box_explain also tells the errors of what is drawn. */
    int probability;
    /* Values of the raw columns that features were encoded from: column[features], each below
     * columns. A column's value is the sum of its features'. NULL: of the features. */
    const uint32_t *column;
    uint32_t columns;
};

/* SHAP values, exact: ret_phi[rows * outputs * features], or with options->column [rows * outputs *
 * columns]; ret_expected[outputs]. For each row and output the values and the expected one sum to
 * the margin (or probability). options may be NULL. */
SW_API int sw_predictor_explain(const struct sw_predictor *predictor, const float *x, size_t rows,
                                const struct sw_explain_options *options, double *ret_phi,
                                double *ret_expected, struct sw_error *error);
/* SHAP interaction values, as records: ret_pairs[rows * outputs * features * features], or with
 * options->column [rows * outputs * columns * columns]; ret_expected[outputs]. A line sums to the
 * value of its feature. options may be NULL: by the paths of the trees, or the means of a linear
 * model. Of a linear model those of two features are 0, but for several classes on probability. On
 * probability several classes have them where the features in which a row differs from the
 * background are at most 11; of more SW_INPUT says so, and on the margin there are all. */
SW_API int sw_predictor_interactions(const struct sw_predictor *predictor, const float *x,
                                     size_t rows, const struct sw_explain_options *options,
                                     double *ret_pairs, double *ret_expected,
                                     struct sw_error *error);

/* Any model of which only the answers are known. */
struct sw_black_box {
    /* ret_answer[rows * outputs] of x[rows * features]; 0, or another number: it failed. Called
     * from several threads at once unless `threads` is 1. */
    int (*predict)(void *context, const double *x, size_t rows, double *ret_answer);
    void *context;
    size_t features, outputs;
    size_t batch; /* rows of one call at most; 0: 4096 */
};

enum sw_shapley {
    SW_KERNEL = 0,     /* weighted least squares, coalitions in pairs (arXiv 2012.01536) */
    SW_PERMUTATION = 1 /* orders, each with its reverse (arXiv 2104.12199) */
};

struct sw_black_box_options {
    enum sw_shapley method;
    const double *background; /* background_rows * features: at least one row */
    size_t background_rows;
    size_t evaluations; /* coalitions valued for a row at most; 0: 2048 and two a feature */
    uint64_t seed;
    unsigned threads; /* 0: one per core */
};

/* ret_phi[rows * outputs * features], and of each its standard error, of drawing coalitions:
 * ret_error, of the same shape, 0 where all coalitions were valued. ret_expected[outputs]. Values
 * and expected sum to the answer. */
SW_API int sw_black_box_explain(const struct sw_black_box *box, const double *x, size_t rows,
                                const struct sw_black_box_options *options, double *ret_phi,
                                double *ret_error, double *ret_expected, struct sw_error *error);

/* ---- decisions ---- */

/* A column of categories: code[rows] into levels, -1 missing. */
struct sw_factor {
    const char *name;
    const int32_t *code;
    const char *const *levels;
    uint32_t level_count;
    int ordered; /* 1: the levels are numbers or intervals, in order (sw_bias) */
};

/* A column of numbers, NaN missing; with levels the numbers are codes of categories. */
struct sw_feature {
    const char *name;
    const double *value;
    const char *const *levels; /* NULL: numbers */
    uint32_t level_count;
};

enum sw_kind { SW_BINARY = 0, SW_CLASSES = 1, SW_NUMBERS = 2 };

/* What was true of each row, and what was decided or said. */
struct sw_decisions {
    enum sw_kind kind;
    size_t rows;
    /* SW_BINARY */
    const uint8_t *label;    /* 0, 1; 2: missing */
    const uint8_t *decision; /* the same */
    const double *score;     /* probability of 1, or NULL */
    int adverse; /* 1: decision 1 is bad for the person, so that the four-fifths rule is about 0 */
    /* SW_CLASSES: codes below class_count, -1 missing */
    const int32_t *label_class, *decision_class;
    const char *const *classes;
    uint32_t class_count;
    /* SW_NUMBERS: NaN missing */
    const double *value, *predicted;
};

struct sw_fairness_options {
    const struct sw_factor *sensitive; /* at least one */
    uint32_t sensitive_count;
    const struct sw_factor *control; /* compared within their groups; may be NULL */
    uint32_t control_count;
    const double *weight; /* rows, 0 and more; NULL: 1 each */
    uint32_t min_group;   /* smaller groups are shown, not judged; 0: 30 */
    double level;         /* of intervals; 0: 0.95 */
    uint32_t replicates;  /* of the bootstrap, at most 100000; 0: 1000 */
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

struct sw_bias_options {
    size_t rows;
    struct sw_factor label;
    uint32_t positive;                 /* level of the label */
    const struct sw_factor *sensitive; /* at least one */
    uint32_t sensitive_count;
    const struct sw_factor *strata; /* compared within its levels; NULL: none */
    const struct sw_factor *others; /* columns looked at as proxies; may be NULL */
    uint32_t other_count;
    uint32_t min_group;  /* 0: 30 */
    double level;        /* of intervals; 0: 0.95 */
    uint32_t replicates; /* of the bootstrap, at most 100000; 0: 1000 */
    uint64_t seed;
    unsigned threads;
};

/* What is uneven in the data, before any model: Clarify's pre-training metrics and the measures of
 * data balance, label bias within strata, proxies, and missing values by group. */
SW_API int sw_bias(const struct sw_bias_options *options, char **ret_json, struct sw_error *error);

#ifdef __cplusplus
}
#endif
#endif
