/* peer: XGBoost itself, through its C API: trains what a test asks for, writes it in either format,
 * and predicts. Its answers are the truth for ours. */
#ifndef STEWARD_TESTS_MODEL_PEER_H
#define STEWARD_TESTS_MODEL_PEER_H

#include "base/bytes.h"

struct rows {
    size_t count, features;
    float *x; /* count * features; NaN missing */
    float *y; /* count */
};

/* Rows made from a seed: feature 0 a category below 20, feature 1 with a tenth missing, feature 2 a
 * small whole number (so thresholds are met exactly), the others uniform. y: 0 or 1. */
void rows_make(struct rows *r, size_t count, size_t features, uint64_t seed);
void rows_done(struct rows *r);

struct peer;
/* parameters: name, value, ..., NULL. Feature 0 is categorical when `categories`. Fails the test
 * when XGBoost says no. */
struct peer *peer_train(const struct rows *r, bool categories, unsigned rounds,
                        const char *const parameters[]);
void peer_free(struct peer *p);
DEFINE_FREEP(peer_free, struct peer)
/* format: "json" or "ubj". */
void peer_save(struct peer *p, const char *format, struct buf *ret_bytes);
/* Margins (margin) or answers of every tree: ret_out[count * outputs]. */
void peer_predict(struct peer *p, const struct rows *r, bool margin, size_t outputs,
                  float *ret_out);

#endif
