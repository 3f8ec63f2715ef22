/* thresholds: a model's decisions by group: its signed manifest gives each level of one sensitive
 * column a threshold of its own (docs/spec/bundle.md). The forest does not read that column. */
#ifndef STEWARD_WORKSPACE_THRESHOLDS_H
#define STEWARD_WORKSPACE_THRESHOLDS_H

#include "assess/mitigate.h"
#include "base/json.h"
#include "data/matrix.h"

struct thresholds {
    struct feature_list by; /* empty: one threshold for all; else the column, which has levels */
    double *at;             /* levels: positive when the probability is at least this; in [0,1] */
};

void thresholds_done(struct thresholds *t);
/* What a manifest keeps under "thresholds". otherwise: for rows without a group. */
struct status thresholds_to_json(const struct thresholds *t, double otherwise, json_t **ret_json);
/* INPUT with a sentence for whatever is not exactly that: another format, a key more or less, no
 * level, a threshold for each level or not, one outside 0..1, a column that the model reads or
 * predicts. */
struct status thresholds_from_json(const json_t *o, const struct feature_list *read,
                                   const char *label, struct diag *diag,
                                   struct thresholds *ret_thresholds, double *ret_otherwise);

/* ---- choosing them ---- */

struct thresholds_wish {
    const char *column; /* a category or boolean that is neither label nor read by the model */
    struct threshold_options options; /* assess/mitigate.h; flip is refused */
};

/* The best deterministic rules for the rows of t with used[row] != 0, a label (y[row] of 0 or 1)
 * and a group; score[t->rows] is read there only, and in [0,1]. Levels that none of these rows has
 * get no threshold. *ret_note: how well, and how well chance between thresholds would do: what the
 * manifest keeps under "mitigation". INPUT with a sentence: no such column, one that is not of
 * levels, a group without both outcomes, fewer than 2 groups or over MITIGATE_MAX_GROUPS. */
struct status thresholds_choose(const struct thresholds_wish *wish, const struct table *t,
                                const uint8_t *used, const uint8_t *y, const double *score,
                                struct diag *diag, struct thresholds *ret_thresholds,
                                json_t **ret_note);

#endif
