/* thresholds: a model's decisions by group: its signed manifest gives each level of one sensitive
 * column a threshold of its own, or chances between which is drawn (docs/spec/bundle.md). The model
 * file does not read that column. */
#ifndef STEWARD_WORKSPACE_THRESHOLDS_H
#define STEWARD_WORKSPACE_THRESHOLDS_H

#include "assess/mitigate.h"
#include "base/digest.h"
#include "base/json.h"
#include "data/matrix.h"

#define THRESHOLDS_SEED_BYTES 32u

/* How often a group's rows are decided positive: chance[0] of those with a probability under low,
 * chance[1] from low on, chance[2] from high on. 0 <= low <= high <= 1; chances in [0,1] that do
 * not fall. */
struct thresholds_chances {
    double low, high, chance[3];
};

/* By the levels of one column: `at`, or `drawn`. */
struct thresholds {
    struct feature_list by; /* empty: one threshold for all; else the column, which has levels */
    double *at;             /* positive when the probability is at least this; in [0,1] */
    struct thresholds_chances *drawn;
    uint8_t seed[THRESHOLDS_SEED_BYTES]; /* of the draws, a secret; its key is made from it */
    struct hmac_key key;
};

struct decision {
    bool positive;
    bool drawn;    /* chance is neither 0 nor 1 */
    double chance; /* of being positive */
};

void thresholds_done(struct thresholds *t);
/* Of a row of that level which the model reads as x[features] and answers with p. The same row has
 * the same answer, which nobody tells without the seed: the draw is an HMAC-SHA256 of x and the
 * level. */
struct decision thresholds_decide(const struct thresholds *t, uint32_t level, const float *x,
                                  uint32_t features, double p);
/* What a manifest keeps under "thresholds". otherwise: for rows without a group. */
struct status thresholds_to_json(const struct thresholds *t, double otherwise, json_t **ret_json);
/* A group's chances, as they stand there and in an assessment. */
struct status thresholds_chances_to_json(const struct thresholds_chances *c, const char *group,
                                         json_t **ret_json);
/* The seed in it becomes its SHA-256: for what is shown or kept outside of the bundle. */
struct status thresholds_hide_seed(json_t *o);
/* INPUT with a sentence for whatever is not exactly that: another format, a key more or less, no
 * level, not one threshold or one group's chances for each level, a number outside 0..1, low over
 * high, chances that fall, no seed, a column that the model reads or predicts. */
struct status thresholds_from_json(const json_t *o, const struct feature_list *read,
                                   const char *label, struct diag *diag,
                                   struct thresholds *ret_thresholds, double *ret_otherwise);

/* ---- choosing them ---- */

struct thresholds_wish {
    const char *column; /* a category or boolean that is neither label nor read by the model */
    struct threshold_options options; /* assess/mitigate.h; flip is refused */
    bool drawn;                       /* the best rules of chance, with a seed of their own */
};

/* The best rules, deterministic or of chance, for the rows of t with used[row] != 0, a label
 * (y[row] of 0 or 1) and a group; score[t->rows] is read there only, and in [0,1]. Levels that none
 * of these rows has get none. *ret_note: how well, and how well the other kind would do: what the
 * manifest keeps under "mitigation". INPUT with a sentence: no such column, one that is not of
 * levels, a group without both outcomes, fewer than 2 groups or over MITIGATE_MAX_GROUPS. */
struct status thresholds_choose(const struct thresholds_wish *wish, const struct table *t,
                                const uint8_t *used, const uint8_t *y, const double *score,
                                struct diag *diag, struct thresholds *ret_thresholds,
                                json_t **ret_note);

#endif
