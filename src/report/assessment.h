/* assessment: the one document that an assessment is (docs/spec/assessment.md), as JSON, from the
 * numbers of assess/. The report (report/html.h) is drawn from this JSON alone. Pure: arrays in,
 * JSON out. */
#ifndef STEWARD_REPORT_ASSESSMENT_H
#define STEWARD_REPORT_ASSESSMENT_H

#include "base/json.h"
#include "model/forest.h"

struct assessment_feature {
    const char *name;
    const double *value;       /* rows, NaN missing; category and boolean: code */
    const char *const *levels; /* NULL: numeric */
    uint32_t level_count;
};

struct assessment_factor { /* a sensitive column */
    const char *name;
    const int32_t *code; /* rows, -1 missing */
    const char *const *levels;
    uint32_t level_count;
};

struct assessment_input {
    /* what was assessed; all strings required */
    const char *model, *model_digest_hex, *dataset, *dataset_digest_hex;
    const char *selection; /* "test", "all, cohort: ..." */
    uint64_t model_version, dataset_version;
    int64_t created_ns;
    const char *label, *positive, *negative; /* "deny", "yes", "no" */
    double threshold;
    double level; /* of the intervals, 0.95 */
    size_t rows;
    const uint64_t *row_number; /* rows: its number in the dataset, the first is 1 */
    uint64_t rows_dropped;      /* without a label */
    const uint8_t *y;           /* rows: 0/1 */
    const double *score;        /* rows: probability of positive */
    const float *x;             /* rows * forest->features: what the model read */
    const struct forest *forest;
    /* The model's features, forest->features of them, in its order. */
    const struct assessment_feature *features;
    const struct assessment_factor *factors;
    uint32_t factor_count;
    uint32_t min_group; /* groups smaller than this are shown, not judged: 30 */
    unsigned threads;
    void (*progress)(void *ctx, const char *stage); /* may be NULL */
    void *progress_ctx;
};

struct status assessment_run(const struct assessment_input *in, struct diag *diag,
                             json_t **ret_document);

#endif
