/* train: gradient-boosted trees through libxgboost, with the parameters kept. Deterministic for a
 * seed (one thread or many: tree_method=hist or exact as stated in the parameters that are
 * returned). */
#ifndef STEWARD_MODEL_TRAIN_H
#define STEWARD_MODEL_TRAIN_H

#include "base/bytes.h"

struct train_options {
    const char
        *objective;   /* "binary:logistic", "multi:softprob", "reg:squarederror", "count:poisson" */
    uint32_t classes; /* for multi */
    uint32_t rounds;  /* trees (per class) */
    uint32_t max_depth;
    double learning_rate;
    double subsample;
    double min_child_weight;
    double lambda;
    uint64_t seed;
    unsigned threads;                   /* 0: one per core */
    const char *const *feature_names;   /* features */
    const uint8_t *feature_is_category; /* features; NULL: none */
    /* called after each round on the calling thread; may be NULL */
    void (*progress)(void *ctx, uint32_t round, uint32_t rounds);
    void *progress_ctx;
};

/* What is kept beside the model: options as used, library version. */
void train_defaults(struct train_options *ret_options);
struct status train_params_json(const struct train_options *o, struct buf *ret_json);
/* x[rows*features] row-major, NaN missing; y[rows]; weight[rows] or NULL. Returns the model file in
 * XGBoost's UBJSON where the library writes it, otherwise JSON: what forest_load reads. */
struct status train_xgboost(const float *x, size_t rows, size_t features, const float *y,
                            const float *weight, const struct train_options *o, struct diag *diag,
                            struct buf *ret_model);

#endif
