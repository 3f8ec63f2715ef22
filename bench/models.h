/* models: the two models that the comparisons of prediction and explanation share, and libxgboost
 * as their peer. Seeded synthetic data: 30 features, 8.3 % missing, a binary label that follows a
 * few features and their products, so that trees grow full. */
#ifndef STEWARD_BENCH_MODELS_H
#define STEWARD_BENCH_MODELS_H

#include "bench.h"
#include "model/forest.h"

#include <xgboost/c_api.h>

#define MODELS_FEATURES 30u
#define MODELS_MAX_BYTES ((size_t)64 << 20)

enum models_kind {
    MODELS_A, /* 100 trees of depth 6 */
    MODELS_B, /* 500 trees of depth 8 */
};

struct models_one {
    struct buf bytes;      /* XGBoost's UBJSON */
    struct forest *forest; /* ours of it */
    BoosterHandle booster; /* the peer's, one thread */
    char what[80];         /* "100 trees of depth 6, 6284 leaves" */
};

/* Rows first.. of the endless sequence that both the training and the measured rows are taken from:
 * ret_x[rows * MODELS_FEATURES]; ret_y[rows], NULL: none. */
void models_rows(size_t first, size_t rows, float *ret_x, float *ret_y);
/* Trains on rows 0 to 99,999. All cores; seconds for (a), a minute for (b). */
struct status models_train(enum models_kind kind, struct diag *diag, struct buf *ret_bytes);
/* Trains and loads on both sides. MEMORY, IO. */
struct status models_make(enum models_kind kind, struct diag *diag, struct models_one *ret_model);
struct status models_load_peer(struct models_one *m, struct diag *diag); /* of its bytes */
void models_done(struct models_one *m); /* for DEFER, after = {0} */

enum models_ask {
    MODELS_MARGIN,        /* a number a row, in place */
    MODELS_MARGIN_MATRIX, /* the same, from a matrix that is made outside the time */
    MODELS_CONTRIBUTIONS, /* features + 1 numbers a row, path-dependent SHAP */
    MODELS_INTERACTIONS,  /* (features + 1)^2 numbers a row */
};

/* libxgboost's answer. *ret_values is its memory, until its next answer. *ret_seconds: processor
 * time of the call alone. IO with its own words. */
struct status models_peer(const struct models_one *m, enum models_ask ask, const float *x,
                          size_t rows, struct diag *diag, const float **ret_values,
                          double *ret_seconds);
/* The margins of single rows in place, one call a row, each row in the same place and the request's
 * text made once: ret_margin[rows]; *ret_seconds is of all of them. */
struct status models_peer_single(const struct models_one *m, const float *x, size_t rows,
                                 struct diag *diag, float *ret_margin, double *ret_seconds);
/* "XGBoost 1.7.4" */
void models_peer_name(char ret_name[static 32]);

#endif
