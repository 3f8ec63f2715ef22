/* assessments: a model analysed on a dataset: the document of docs/spec/assessment.md, sealed and
 * recorded. */
#ifndef STEWARD_WORKSPACE_ASSESSMENTS_H
#define STEWARD_WORKSPACE_ASSESSMENTS_H

#include "report/assessment.h"
#include "workspace/facets.h"
#include "workspace/models.h"

struct assess_options {
    const char *model;
    uint64_t model_version; /* 0: newest */
    const char *dataset;
    uint64_t dataset_version; /* 0: newest */
    enum model_part part;
    /* SQL predicate (data/cohort.h), or the name of a slice or tree node of an earlier assessment
     * of the model: "slice-1" of its newest, "node-3@7" of the seventh; NULL: every row */
    const char *cohort;
    const char *const *sensitive; /* columns that are sensitive beside the dataset's own */
    size_t sensitive_count;
    struct facets facets; /* how sensitive columns make groups */
    struct assessment_settings settings;
    unsigned threads;              /* 0: one per core */
    assessment_progress *progress; /* may be NULL */
    void *progress_ctx;
};

/* The whole dataset, with assessment_defaults. */
void assess_defaults(struct assess_options *ret_options);

/* Runs, seals as object "assessment/<model>/<n>", records and audits. ret_document: the caller's to
 * json_decref. */
struct status assessment_make(struct workspace *w, const struct assess_options *o,
                              struct diag *diag, json_t **ret_document);
/* ret_predicate: what such a name of a cohort stands for, or the text itself, which is a predicate
 * then. */
struct status assessment_cohort(struct workspace *w, const char *model, const char *cohort,
                                struct diag *diag, struct buf *ret_predicate);
/* Whether the text is such a name, as no predicate is. */
bool assessment_names_cohort(const char *text);
/* version 0: the newest of that model. As it was kept: documents of earlier formats, too. */
struct status assessment_load(struct workspace *w, const char *model, uint64_t version,
                              struct diag *diag, json_t **ret_document);

#endif
