/* train: gradient-boosted trees through libxgboost, with the parameters kept. The same seed gives
 * the same model for any number of threads. */
#ifndef STEWARD_MODEL_TRAIN_H
#define STEWARD_MODEL_TRAIN_H

#include "base/bytes.h"

#define TRAIN_MAX_DEPTH 32u
#define TRAIN_MAX_THREADS 1024u

struct train_options {
    /* "binary:logistic", "multi:softprob", "reg:squarederror", "reg:absoluteerror" or
     * "count:poisson". */
    const char *objective;
    uint32_t classes;  /* for multi */
    double base_score; /* where the sum of the trees starts, as an answer */
    uint32_t rounds;   /* trees (per class) */
    uint32_t max_depth;
    double learning_rate;
    double subsample;
    double min_child_weight;
    double lambda;
    uint64_t seed;
    unsigned threads;                   /* at most; 0: one per core */
    const char *const *feature_names;   /* features */
    const uint8_t *feature_is_category; /* features; NULL: none */
    /* called after each round on the calling thread; may be NULL */
    void (*progress)(void *ctx, uint32_t round, uint32_t rounds);
    void *progress_ctx;
};

void train_defaults(struct train_options *ret_options);
/* What is kept beside the model: {"library", "library_version", "rounds", "parameters"}; with the
 * parameters, as XGBoost names them, any XGBoost of that version trains the same trees. */
struct status train_params_json(const struct train_options *o, struct buf *ret_json);
/* x[rows*features] row-major, NaN missing, categories as numbers from 0; y[rows]; weight[rows] or
 * NULL. Appends the model file (XGBoost's UBJSON), which forest_load reads. INPUT with a sentence
 * for options out of range, labels that do not fit the objective or are all the same, infinite
 * values, and a feature that has no value at all. */
struct status train_xgboost(const float *x, size_t rows, size_t features, const float *y,
                            const float *weight, const struct train_options *o, struct diag *diag,
                            struct buf *ret_model);

#endif
