/* gather: everything that an assessment reads, from the workspace: the chosen rows of a dataset,
 * the model, its scores, the columns as arrays and codes. */
#ifndef STEWARD_WORKSPACE_GATHER_H
#define STEWARD_WORKSPACE_GATHER_H

#include "data/label.h"
#include "report/assessment.h"
#include "workspace/facets.h"
#include "workspace/models.h"

struct gathered {
    struct model *model;
    struct table *table; /* the chosen rows only; numbers are NaN where null */
    struct dataset_info info;
    uint64_t dropped;      /* chosen, but without a label */
    uint64_t *row_number;  /* of each chosen row in the dataset, the first is 1 */
    uint8_t *y;            /* binary: 0 or 1 */
    uint32_t *truth_class; /* of several classes: below class_count */
    const char **classes;  /* the model's, then the label's others; borrowed from `more`, too */
    struct label_classes more;
    uint32_t class_count;
    double *truth; /* of numbers: finite */
    float *x;
    double *score;
    uint8_t *decision;
    json_t *thresholds;                  /* by group, or NULL */
    struct assessment_feature *read;     /* as the model reads them, in its order; no values */
    const char ***read_levels;           /* of each, by code; NULL where levels are in order */
    struct assessment_feature *features; /* in which mistakes are looked for */
    double **made;                       /* of each feature: its values, or NULL when borrowed */
    uint32_t feature_count;
    struct plain_codes *codes; /* of the sensitive columns */
    struct assessment_factor *factors;
    uint32_t factor_count;
    json_t *without_groups; /* sensitive columns that make none, as the document has them */
    json_t *bias;           /* or NULL */
    json_t *remarks;        /* sentences */
};

struct gather_options {
    const char *model, *dataset;
    uint64_t model_version, dataset_version; /* 0: newest */
    enum model_part part;
    const char *cohort;           /* predicate, or NULL */
    const char *const *sensitive; /* columns that are sensitive beside the dataset's own */
    size_t sensitive_count;
    const struct facets *facets;
    const struct assessment_settings *settings;
    unsigned threads;
    assessment_progress *progress;
    void *progress_ctx;
};

struct status gather(struct workspace *w, const struct gather_options *o, struct diag *diag,
                     struct gathered *ret_gathered);
/* Only what the model answers for every row of a table: score[rows * outputs], of a binary
 * classifier decision and thresholds, remarks. Takes m and t, also when it fails. */
struct status gather_decisions(struct model *m, struct table *t, unsigned threads,
                               struct diag *diag, struct gathered *ret_gathered);
void gathered_done(struct gathered *g);

#endif
