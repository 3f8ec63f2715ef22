/* libsteward's analyses for programs that have their own data: arrays in, numbers or a JSON text
 * out, no files, no network, no workspace.
 *
 * Rules as in steward.h: 0 or a code, which *error (may be NULL) explains in a sentence; results
 * last, untouched on failure but for arrays of attributions, which may then be filled in part;
 * texts in UTF-8, released with sw_text_free. Arrays are borrowed for the call. Zeroed options are
 * the defaults. Results do not depend on the number of threads. The JSON documents are those that
 * `steward assess`, `explain`, `fairness`, `errors`, `bias` and `mitigate` print with --json:
 * docs/spec/assessment.md, assessment-explain.md, assessment-fairness.md, assessment-errors.md,
 * assessment-bias.md and mitigation.md. */
#ifndef STEWARD_ASSESS_H
#define STEWARD_ASSESS_H

#include <steward/steward.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- columns ---- */

/* A column of categories: code[rows] into levels, -1 missing. */
struct sw_factor {
    const char *name;
    const int32_t *code;
    const char *const *levels;
    uint32_t level_count;
    int ordered; /* 1: the levels are numbers or intervals, in order (sw_bias) */
};

/* A column of finite numbers, NaN missing; with levels the numbers are codes of categories. */
struct sw_feature {
    const char *name;
    const double *value;
    const char *const *levels; /* NULL: numbers */
    uint32_t level_count;
};

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
 * probability those of several classes are exact where the features in which a row differs from the
 * background are at most 11, else drawn, always the same way, 32 times each pair. */
SW_API int sw_predictor_interactions(const struct sw_predictor *predictor, const float *x,
                                     size_t rows, const struct sw_explain_options *options,
                                     double *ret_pairs, double *ret_expected,
                                     struct sw_error *error);

/* Conditions that hold for some of the rows: in[rows], 0 or 1. */
struct sw_cohort {
    const char *name;
    const uint8_t *in;
};

struct sw_views_options {
    struct sw_explain_options explain; /* how; column and columns are not taken: group afterwards */
    /* Names and levels of the model's features, in its order, values unused; NULL: the file's
     * names, or "f0" and on. */
    const struct sw_feature *read;
    const struct sw_cohort *cohorts; /* each compared with the rest of the rows; at most 16 */
    uint32_t cohort_count;
    const uint32_t *dependence; /* features whose values attributions are shown against; NULL: the
                                   largest 6 */
    uint32_t dependence_count;
    const size_t *local; /* rows that are shown side by side, from 0; at most 32 */
    uint32_t local_count;
    int interactions; /* 1: the largest pairs, too: as records */
};

/* The views of all rows' attributions: global, by cohort, dependence, rows side by side, pairs.
 * Rows that a linear model has no value for are counted and left out. options may be NULL. */
SW_API int sw_predictor_views(const struct sw_predictor *predictor, const float *x, size_t rows,
                              const struct sw_views_options *options, char **ret_json,
                              struct sw_error *error);

struct sw_certify_options {
    uint32_t feature;    /* the sensitive one */
    const float *values; /* that it is changed to, in turn; NaN is missing: 2 to 64 */
    uint32_t value_count;
    double margin; /* decided positive from this margin on; of a logistic model 0 is 1/2 */
    int even;      /* 0: every other feature distributed as in the rows; 1: evenly over its range */
    size_t boxes;  /* looked at, at most 1048576; 0: 100000 */
};

struct sw_certificate {
    double lower, upper; /* the share of the input space lies between, both ends included */
    int exact;           /* 1: they differ by rounding alone */
    int read;            /* 0: no tree splits on the feature */
    size_t boxes;        /* looked at */
    uint64_t rows, rows_flipped;
};

/* On which share of the input space, and for how many of the rows, does changing the sensitive
 * feature alone change the decision? Of tree ensembles of one output. */
SW_API int sw_predictor_certify(const struct sw_predictor *predictor, const float *x, size_t rows,
                                const struct sw_certify_options *options,
                                struct sw_certificate *ret_certificate, struct sw_error *error);

/* Any model of which only the answers are known. */
struct sw_black_box {
    /* ret_answer[rows * outputs] of x[rows * features]; 0, or another number: it failed. Called
     * from several threads at once unless `threads` is 1. */
    int (*predict)(void *context, const double *x, size_t rows, double *ret_answer);
    void *context;
    size_t features, outputs;
    size_t batch; /* rows of one call at most; 0: 4096 */
};

/* The predictor's answers as those of a black box, features as floats. The predictor stays the
 * caller's, and must outlive it. */
SW_API struct sw_black_box sw_predictor_box(const struct sw_predictor *predictor);

enum sw_shapley {
    SW_KERNEL = 0,     /* weighted least squares, coalitions in pairs (arXiv 2012.01536) */
    SW_PERMUTATION = 1 /* orders, each with its reverse (arXiv 2104.12199) */
};

struct sw_black_box_options {
    enum sw_shapley method;
    const double *background; /* background_rows * features: at least one row */
    size_t background_rows;
    size_t evaluations; /* coalitions valued for a row at most; 0: 2048 and two a feature,
                           at least what the method needs */
    uint64_t seed;
    unsigned threads; /* 0: one per core */
};

/* ret_phi[rows * outputs * features], and of each its standard error, of drawing coalitions:
 * ret_error, of the same shape, 0 where all coalitions were valued. ret_expected[outputs]. Values
 * and expected sum to the answer. */
SW_API int sw_black_box_explain(const struct sw_black_box *box, const double *x, size_t rows,
                                const struct sw_black_box_options *options, double *ret_phi,
                                double *ret_error, double *ret_expected, struct sw_error *error);

enum sw_study {
    SW_PARTIAL_DEPENDENCE = 0, /* the mean answer when a feature is set to each of its values */
    SW_ICE,                    /* and that of single rows */
    SW_ALE,                    /* accumulated local effects (arXiv 1612.08468) */
    SW_PERMUTATION_IMPORTANCE, /* how much worse a metric gets when a feature is shuffled */
    SW_SURROGATE               /* a small tree that imitates the answers, with its fidelity */
};

struct sw_study_options {
    enum sw_study study;
    const struct sw_feature *features; /* all that the box reads, in its order */
    size_t rows;                       /* of them: what is asked about */
    const char *const *outputs;        /* names, box->outputs of them; NULL: "0", "1", ... */
    const uint32_t *chosen;            /* features that dependence, ICE and ALE follow; NULL: all */
    uint32_t chosen_count;
    uint32_t points; /* values of a feature, or steps of ALE, 2 to 1000; 0: 20 */
    uint32_t curves; /* ICE: rows drawn, at most 1000; 0: 50 */
    const double *y; /* importance: what was true of each row; classes by number */
    /* accuracy, balanced_accuracy, precision, recall, f1, precision_macro, recall_macro, f1_macro,
     * log_loss, roc_auc, average_precision, brier_score, rmse, mse, mae, mape,
     * median_absolute_error, max_error, r2 or explained_variance */
    const char *metric;
    uint32_t repeats; /* shuffles of each feature, 2 to 1000; 0: 10 */
    uint32_t output;  /* surrogate: the one that is imitated */
    uint32_t leaves;  /* surrogate: at most, 2 to 64; 0: 8 */
    uint32_t depth;   /* surrogate: at most 16; 0: 4 */
    double floor;     /* surrogate: R2 on rows held out, under which it is refused; 0: 0.8 */
    int probability;  /* 1: the answers are probabilities, decided at 1/2 */
    double level;     /* of intervals; 0: 0.95 */
    uint64_t seed;
    unsigned threads; /* 0: one per core */
};

SW_API int sw_black_box_study(const struct sw_black_box *box,
                              const struct sw_study_options *options, char **ret_json,
                              struct sw_error *error);

/* ---- decisions ---- */

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

/* ---- fairer decisions ---- */

/* Weights for training under which outcome and group are independent (Kamiran and Calders 2012):
 * ret_weight[rows], 1 of a row without outcome or group. *ret_empty (may be NULL): groups that lack
 * an outcome, for which there is no such weight. */
SW_API int sw_reweigh(const struct sw_factor *outcome, const struct sw_factor *group, size_t rows,
                      double *ret_weight, uint32_t *ret_empty, struct sw_error *error);

struct sw_thresholds_options {
    /* demographic_parity, true_positive_rate_parity, false_positive_rate_parity,
     * true_negative_rate_parity, false_negative_rate_parity or equalized_odds; NULL: the first */
    const char *constraint;
    /* accuracy_score, balanced_accuracy_score, selection_rate, true_positive_rate or
     * true_negative_rate; NULL: the first */
    const char *objective;
    double tolerance; /* that the rates may differ by; 0: 0.01 */
    uint32_t grid;    /* rates tried: 0, 1/grid, ..., 1; 0: wherever the optimum can lie */
    int flip;         /* 1: also thresholds under which one is positive */
    double before;    /* the threshold that decides now; 0: 1/2 */
};

/* Thresholds by group (Hardt, Price and Srebro 2016; Fairlearn's ThresholdOptimizer), the best that
 * say yes or no and the best that draw, and what each costs. decisions: SW_BINARY with scores, of
 * which label and score are read. group: 2 to 64 levels. ret_decision[rows]: by the one threshold;
 * ret_chance[rows]: of a positive decision by the rules that draw; NaN of a row without group or
 * score; either may be NULL. */
SW_API int sw_thresholds(const struct sw_decisions *decisions, const struct sw_factor *group,
                         const struct sw_thresholds_options *options, double *ret_decision,
                         double *ret_chance, char **ret_json, struct sw_error *error);

/* ret_z[rows * features]: z without what is linear in the columns of s[rows * sensitive], alpha of
 * it (0 to 1); row by row, all finite. */
SW_API int sw_remove_correlation(const double *z, size_t rows, size_t features, const double *s,
                                 size_t sensitive, double alpha, double *ret_z,
                                 struct sw_error *error);

struct sw_gradient_options {
    const float *x; /* rows * features, row by row, NaN missing */
    const float *y; /* rows: 0 or 1, or with `numbers` any number */
    size_t rows, features;
    int numbers; /* 1: trees that answer numbers, under bounded_group_loss */
    /* demographic_parity, equalized_odds, true_positive_rate_parity, false_positive_rate_parity,
     * error_rate_parity or bounded_group_loss; NULL: the first, or of numbers the last */
    const char *constraint;
    const char *loss;     /* bounded group loss: square, absolute or zero_one; NULL: the first, of
                             two classes the last */
    double loss_bound;    /* bounded group loss: over 0 */
    double ratio_bound;   /* of the other constraints; 0: differences are bounded */
    double eps;           /* that a group's rate may differ by; 0: 0.01 */
    uint32_t iterations;  /* at most 200; 0: 50 */
    uint32_t trees;       /* 0: 100 */
    uint32_t depth;       /* 0: 4 */
    double learning_rate; /* 0: 0.1 */
    uint64_t seed;
    unsigned threads;
};

struct sw_gradient_result {
    uint32_t iterations;
    double error, violation, gap; /* of the model that is kept, on these rows */
    double mixture_error, mixture_violation, mixture_gap; /* of all of them, drawn from */
    int met;                                              /* the kept one is within the bound */
};

/* Exponentiated gradient (Agarwal et al., ICML 2018; of numbers 2019) over gradient-boosted trees.
 * ret_model: an XGBoost model file, which sw_predictor_load reads; released with sw_text_free. */
SW_API int sw_exponentiated_gradient(const struct sw_gradient_options *options,
                                     const struct sw_factor *group, char **ret_model,
                                     size_t *ret_length, struct sw_gradient_result *ret_result,
                                     struct sw_error *error);

/* ---- all of it ---- */

struct sw_assessment_options {
    const char *model, *data;          /* what they are called; NULL: "model", "data" */
    const char *label;                 /* NULL: "label" */
    const char *positive, *negative;   /* of two classes; NULL: "1", "0" */
    double threshold;                  /* of two classes; 0: 1/2 */
    const struct sw_feature *read;     /* as of sw_views_options */
    const struct sw_feature *features; /* columns in which mistakes are looked for, with values */
    uint32_t feature_count;
    const struct sw_factor *sensitive; /* may be NULL */
    uint32_t sensitive_count;
    const struct sw_bias_options *bias; /* of the same rows; NULL: none */
    int adverse;                        /* as of sw_decisions */
    uint32_t min_group;                 /* 0: 30 */
    double level;                       /* 0: 0.95 */
    uint32_t replicates;                /* 0: 1000 */
    uint32_t slices;                    /* 0: 10 */
    uint64_t seed;
    unsigned threads;
};

/* What `steward assess` finds: performance, fairness, where it fails, explanations, bias. x as of
 * sw_predictor_margin; truth: label, label_class and classes, or value, by what the model answers;
 * rows without are left out. */
SW_API int sw_predictor_assess(const struct sw_predictor *predictor, const float *x,
                               const struct sw_decisions *truth,
                               const struct sw_assessment_options *options, char **ret_json,
                               struct sw_error *error);

#ifdef __cplusplus
}
#endif
#endif
