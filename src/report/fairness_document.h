/* fairness_document: what `steward fairness` finds, as one JSON object
 * (docs/spec/assessment-fairness.md), from arrays. Pure. */
#ifndef STEWARD_REPORT_FAIRNESS_DOCUMENT_H
#define STEWARD_REPORT_FAIRNESS_DOCUMENT_H

#include "assess/group_macro.h"
#include "report/assessment.h"

#define FAIRNESS_COLUMNS_MAX 12u /* sensitive and control together */
#define FAIRNESS_GROUPS_LISTED 400u
#define FAIRNESS_CLASSES_MAX GROUP_CLASSES_MAX
#define FAIRNESS_FLIP_PAIRS 1e10        /* of rows whose distance a flip test works out */
#define FAIRNESS_ROW_DRAWS 2000000000.0 /* rows times replicates of a bootstrap by rows */
#define FAIRNESS_REPLICATES_LEAST 200u
#define FAIRNESS_REST_ROWS 1e9 /* rows times groups of the areas of a group's others */

enum fairness_task { FAIRNESS_BINARY, FAIRNESS_CLASSES, FAIRNESS_NUMERIC };

struct fairness_input {
    enum fairness_task task;
    const char *label, *prediction; /* names of columns */
    const char *score;              /* NULL: none */
    const char *positive;           /* binary: as a person reads it; else NULL */
    size_t rows;
    const uint8_t *y, *decision;     /* binary: 0, 1, 2 missing */
    const double *value, *predicted; /* numeric: both; binary: predicted is the score, or NULL */
    const int32_t *y_class, *decision_class; /* classes: -1 missing */
    const char *const *classes;
    uint32_t class_count;
    const double *features; /* rows * feature_count, for the flip test; NULL: none */
    uint32_t feature_count;
    const double *weight;    /* NULL: 1 each */
    const char *weight_name; /* its column; NULL: "weight" */
    const struct assessment_factor *sensitive, *control;
    uint32_t sensitive_count, control_count;
    bool adverse;       /* the positive value is bad for the person: the four-fifths rule is about
                           the others */
    uint32_t min_group; /* groups with fewer rows are shown, not judged */
    double level;
    double q;            /* false-discovery rate */
    uint32_t replicates; /* 0: no bootstrap */
    uint64_t seed;
    unsigned threads;
};

/* INPUT with a sentence: a score outside 0 to 1, a negative weight, no row that is whole, no group.
 */
struct status fairness_document(const struct fairness_input *in, struct diag *diag,
                                json_t **ret_document);

#endif
