/* assessment: the one document that an assessment is (docs/spec/assessment.md), as JSON: the
 * performance, and the documents of the other modules as its members. The report (report/html.h) is
 * drawn from this JSON alone. Pure: arrays in, JSON out. */
#ifndef STEWARD_REPORT_ASSESSMENT_H
#define STEWARD_REPORT_ASSESSMENT_H

#include "base/json.h"
#include "model/model_file.h"

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

/* How much is looked for; assessment_defaults fills it. */
struct assessment_settings {
    double level;        /* of the intervals: 0.95 */
    double fdr;          /* what an adjusted p must not exceed to be called a finding: 0.05 */
    uint32_t min_group;  /* groups smaller than this are shown, not judged: 30 */
    uint32_t replicates; /* of the bootstrap: 1000; 0: none */
    uint32_t slices;     /* worst ones to find: 10; 0: none */
    uint64_t seed;       /* 1 */
    bool adverse;        /* the positive answer is bad for the person */
};

void assessment_defaults(struct assessment_settings *ret_settings);

/* share: of the whole work, from 0 to 1. */
typedef void assessment_progress(void *ctx, const char *stage, double share);

struct assessment_input {
    /* what was assessed; all strings required */
    const char *model, *model_digest_hex, *dataset, *dataset_digest_hex;
    const char *selection; /* "test", "all, cohort: ..." */
    uint64_t model_version, dataset_version;
    int64_t created_ns;
    const char *label; /* "deny" */
    const char *positive,
        *negative; /* "yes", "no"; binary, as threshold, y, decision, thresholds */
    double threshold;
    size_t rows;
    const uint64_t *row_number;  /* rows: its number in the dataset, the first is 1 */
    uint64_t rows_dropped;       /* without a label */
    const uint8_t *y;            /* rows: 0/1 */
    const uint32_t *truth_class; /* of several classes: rows, below class_count */
    const char *const *classes;  /* names: the file's outputs, then what else the label has */
    uint32_t class_count;
    const double *truth;      /* of numbers: rows, finite */
    const double *score;      /* rows * file->outputs: probability of positive, of each class, or
                                 the number, which is finite */
    const uint8_t *decision;  /* rows: 0/1; NULL: score >= threshold */
    const json_t *thresholds; /* by group, as the document tells them; NULL: one for all */
    const float *x;           /* rows * file->features: what the model read */
    const struct model_file *file;
    /* How the model reads: its features' names and levels, in its order; values unused. */
    const struct assessment_feature *read;
    /* Columns in which mistakes are looked for. */
    const struct assessment_feature *features;
    uint32_t feature_count;
    const struct assessment_factor *factors;
    uint32_t factor_count;
    const json_t *without_groups; /* sensitive columns that make none, as the document has them; NULL: none */
    const json_t *bias; /* bias document of these rows (report/bias_document.h); NULL: none */
    json_t *remarks;    /* sentences, array, borrowed: what is left out, and why */
    struct assessment_settings settings;
    unsigned threads;
    /* ret_in[rows]: where a slice's condition holds. NULL: no cohort is explained. */
    struct status (*select)(void *ctx, const char *cohort, struct diag *diag, uint8_t *ret_in);
    void *select_ctx;
    assessment_progress *progress; /* may be NULL */
    void *progress_ctx;
};

/* Shares of the work before and after what assessment_run does, for whoever makes "bias". */
#define ASSESSMENT_BIAS_SHARE 0.2

/* UNSUPPORTED with a sentence for a model of several numbers; LIMIT, INPUT as the modules. */
struct status assessment_run(const struct assessment_input *in, struct diag *diag,
                             json_t **ret_document);

#endif
