/* sample: rows, a model trained on them, and all that an assessment of them reads; made from a
 * seed, for the tests of this folder. */
#ifndef STEWARD_TESTS_REPORT_SAMPLE_H
#define STEWARD_TESTS_REPORT_SAMPLE_H

#include "report/assessment.h"

#define SAMPLE_FEATURES 4u
#define SAMPLE_FACTORS_MAX 5u

/* What things are called; the order of levels is bytewise, as in a table. */
struct sample_names {
    const char
        *feature[SAMPLE_FEATURES]; /* number with missing, whole number, category, category */
    const char *purpose[3];        /* levels of the third, which has missing values */
    const char *insured[2];
    const char
        *factor[2]; /* three levels, the last one of about one row in 200; two with missing */
    const char *group[3];
    const char *sex[2];
    const char *label, *positive, *negative, *model, *dataset;
};

extern const struct sample_names sample_plain;

struct sample {
    const struct sample_names *names;
    size_t rows;
    double *value[SAMPLE_FEATURES];
    int32_t *code[2];
    float *x;
    uint8_t *y;
    uint32_t
        *truth_class; /* of sample_classes: 0, 1, 2, and in a few rows 3, unknown to the model */
    double *truth;    /* of sample_numbers */
    double *score;    /* rows * outputs */
    uint64_t *row_number;
    struct model_file *file;
    struct assessment_feature features[SAMPLE_FEATURES];
    struct assessment_factor factors[SAMPLE_FACTORS_MAX];
    json_t *remarks, *without_groups;
    struct assessment_input in;
};

void sample_make(const struct sample_names *names, size_t rows, struct sample *ret_sample);
/* The same rows with a model of three classes, and one of numbers. */
void sample_classes(size_t rows, struct sample *ret_sample);
void sample_numbers(size_t rows, struct sample *ret_sample);
void sample_done(struct sample *s);
/* The assessment of the sample; the caller releases it. */
json_t *sample_assess(const struct sample *s);
/* The feature columns as CSV, every name and text quoted. */
void sample_put_csv(const struct sample *s, struct buf *ret_csv);

#endif
