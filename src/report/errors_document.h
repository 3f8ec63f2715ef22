/* errors_document: where a model fails, as one JSON object (docs/spec/assessment-errors.md): its
 * metrics, confusion, calibration, the features that tell of mistakes, the error tree, the heat
 * map, the worst slices with what luck would find, cohorts against the rest, and the worst
 * predictions. Every tree node, bin and slice has the condition that --cohort takes. Pure: arrays
 * in, JSON out.
 */
#ifndef STEWARD_REPORT_ERRORS_DOCUMENT_H
#define STEWARD_REPORT_ERRORS_DOCUMENT_H

#include "assess/errors.h"
#include "assess/errors_metric.h"
#include "report/assessment.h"

#define ERRORS_FORMAT "steward-errors-1"
#define ERRORS_NO_FEATURE UINT32_MAX

struct errors_cohort {
    const char *name;   /* or NULL */
    const char *cohort; /* its condition */
    const uint8_t *in;  /* rows: 1 where it holds */
};

struct errors_input {
    struct errors_outcome outcome;
    const char *const *classes; /* names, outcome.classes of them; NULL when numeric */
    const double *score;        /* rows, or NULL: probability of class 1, when binary */
    const double *truth_score;  /* rows, or NULL: probability of the true one of several classes */
    const uint64_t *row_number; /* rows: in the file, the first is 1 */
    const char *label, *prediction, *score_name; /* columns */
    uint64_t rows_read;                          /* with those that were left out */
    const struct assessment_feature *features;
    uint32_t feature_count;
    const struct errors_cohort *cohorts;
    uint32_t cohort_count;
    /* how */
    enum errors_metric metric; /* that the tree shows */
    double level;              /* of intervals */
    uint32_t bins;             /* of numeric features: at most ERRORS_MAX_BINS */
    enum errors_cut cut;
    struct errors_tree_options tree;
    uint32_t map[2]; /* features; ERRORS_NO_FEATURE: those that tell most; the second equal to the
                      * first: a map of one */
    uint32_t slices, slice_level;
    double alpha;
    uint64_t slice_rows; /* least rows of a slice */
    uint32_t permutations;
    uint64_t seed;
    uint32_t worst; /* predictions */
    unsigned threads;
    json_t *remarks; /* sentences, array: what the caller left out or took for something */
};

struct status errors_document(const struct errors_input *in, struct diag *diag,
                              json_t **ret_document);

#endif
