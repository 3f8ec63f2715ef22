/* errors_input: a table of scored rows as the arrays that report/errors_document.h takes: which
 * kind of outcome it is, the classes by their spelling, the rows that have both label and
 * prediction, the features, and cohorts by their conditions. */
#ifndef STEWARD_CLI_ERRORS_INPUT_H
#define STEWARD_CLI_ERRORS_INPUT_H

#include "data/table.h"
#include "report/errors_document.h"

#define ERRORS_MAX_COHORTS 64u

struct errors_request {
    const char *path;                       /* of the data, for sentences */
    const char *label, *prediction, *score; /* columns; prediction or score, or both */
    const char *positive, *kind;            /* NULL: found out */
    double threshold;                       /* of the score, where there is no prediction */
    const char *within, *within_name;       /* a condition, or NULL; its name, or NULL */
    const char *const *features;            /* names; none: all other columns */
    size_t feature_count;
    const char *const *cohorts;      /* conditions */
    const char *const *cohort_names; /* of each, or NULL */
    size_t cohort_count;
};

/* What errors_input borrows. Zeroed before; released with errors_data_done, also after a failure.
 */
struct errors_data {
    uint32_t *keep; /* rows of the table that are looked at */
    size_t rows;
    uint32_t *label, *decision;
    double *truth, *prediction, *score;
    uint64_t *row_number;
    char **classes;
    uint32_t class_count;
    struct assessment_feature *features; /* their values are ours */
    uint32_t feature_count;
    struct errors_cohort cohorts[ERRORS_MAX_COHORTS];
    uint32_t cohort_count;
};

void errors_data_done(struct errors_data *d);
/* Fills the subject of in (outcome, classes, score, row numbers, names, features, cohorts); remarks
 * are added to in->remarks. Borrows t and q. INPUT with a sentence. */
struct status errors_data_take(const struct table *t, const struct errors_request *q,
                               struct diag *diag, struct errors_data *d, struct errors_input *in);

#endif
