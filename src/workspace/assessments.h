/* assessments: a model analysed on a dataset: the document of docs/spec/assessment.md, sealed and
 * recorded. */
#ifndef STEWARD_WORKSPACE_ASSESSMENTS_H
#define STEWARD_WORKSPACE_ASSESSMENTS_H

#include "workspace/models.h"

#include <jansson.h>

struct assess_options {
    const char *model;
    uint64_t model_version; /* 0: newest */
    const char *dataset;
    uint64_t dataset_version; /* 0: newest */
    enum model_part part;
    const char *cohort; /* SQL predicate (data/cohort.h); NULL: every row */
    unsigned threads;   /* 0: one per core */
    void (*progress)(void *ctx, const char *stage); /* may be NULL */
    void *progress_ctx;
};

/* Runs, seals as object "assessment/<model>/<n>", records and audits. ret_document: the caller's to
 * json_decref. */
struct status assessment_make(struct workspace *w, const struct assess_options *o,
                              struct diag *diag, json_t **ret_document);
/* version 0: the newest of that model. */
struct status assessment_load(struct workspace *w, const char *model, uint64_t version,
                              struct diag *diag, json_t **ret_document);

#endif
