/* remover: the correlation remover before a model (Fairlearn's; assess/mitigate.h): its signed
 * manifest gives what is subtracted from the numbers that the model reads, so that they are
 * uncorrelated with sensitive columns, which the model file does not read (docs/spec/bundle.md). */
#ifndef STEWARD_WORKSPACE_REMOVER_H
#define STEWARD_WORKSPACE_REMOVER_H

#include "base/json.h"
#include "data/matrix.h"

#define REMOVER_MAX_COLUMNS 4u
#define REMOVER_MAX_TERMS 64u

/* x - alpha sum_k (s_k - mean_k) w_k of each feature in `feature`. The s_k, terms: a number itself;
 * of a column with levels one that is 1 for the second level, one for the third, and so on, else 0.
 * A missing value counts as the mean of its terms. Immutable; any thread may read it. */
struct remover {
    struct feature_list by; /* sensitive columns; empty: nothing is removed, no more is read */
    double alpha;           /* in [0,1] */
    double *mean;           /* terms */
    uint32_t terms;
    uint32_t *feature; /* place among the features that the model reads */
    uint32_t features;
    double *w; /* terms * features, row-major */
};

void remover_done(struct remover *r);
/* What a manifest keeps under "remover". read: the features that the model reads. */
struct status remover_to_json(const struct remover *r, const struct feature_list *read,
                              json_t **ret_json);
/* INPUT with a sentence for whatever is not exactly that: another format, a key more or less, a
 * column that the model reads or predicts, a feature that it does not read or that is no number, a
 * number that is missing or not finite. label may be NULL. */
struct status remover_from_json(const json_t *o, const struct feature_list *read, const char *label,
                                struct diag *diag, struct remover *ret_remover);
/* x[rows * width] as the model is to read it; s[rows * stride]: by.count of each row as
 * matrix_from_table makes them: NaN missing, levels by their number. Missing features stay so. */
void remover_apply(const struct remover *r, const float *s, uint32_t stride, size_t rows,
                   uint32_t width, float *x);
/* The sensitive columns of all rows of a table, on malloc; the rows with one missing. INPUT as
 * matrix_from_table. */
struct status remover_read(const struct remover *r, const struct table *t, json_t *remarks,
                           struct diag *diag, float **ret_s, uint64_t *ret_missing);
/* What it does, in words; names: of the features that the model reads. */
void remover_describe(const struct remover *r, const char *const *names, uint64_t missing,
                      struct buf *ret_text);

/* ---- fitting one ---- */

struct remover_wish {
    const char *const *columns; /* neither text nor times nor the label */
    size_t count;
    double alpha;
};

/* The features without those columns, which a model with a remover does not read. */
struct status remover_leave_out(const struct remover_wish *wish, struct feature_list *features);
/* On the rows of t with used[row] != 0, whose features x[rows * read->count] holds in that order,
 * and changes them. Numbers that miss nothing there change, nothing else. *ret_note: what the
 * manifest keeps under "mitigation". INPUT with a sentence: no such column, one of another type,
 * more than REMOVER_MAX_COLUMNS or REMOVER_MAX_TERMS, columns that do not vary, no feature to
 * change. */
struct status remover_fit(const struct remover_wish *wish, const struct table *t,
                          const uint8_t *used, const struct feature_list *read, float *x,
                          size_t rows, struct diag *diag, struct remover *ret_remover,
                          json_t **ret_note);

#endif
