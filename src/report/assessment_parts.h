/* assessment_parts: what the document's writers share. Not for other folders. */
#ifndef STEWARD_REPORT_ASSESSMENT_PARTS_H
#define STEWARD_REPORT_ASSESSMENT_PARTS_H

#include "num/interval.h"
#include "report/assessment.h"

json_t *assessment_interval(struct interval ci);
/* The decimal that a person reads: the shortest that is the same number to the model, which reads
 * single precision. */
void assessment_put_number(struct buf *b, double v);

/* What was assessed, and what the model answers as the modules take it. */
struct assessed {
    const struct assessment_input *in;
    enum model_task task;
    const char *const *classes; /* names of two or several; NULL of numbers */
    const char *two[2];
    uint32_t class_count;
    uint32_t *label, *decision; /* rows, below class_count; of two the positive is 1 */
    uint8_t *positive;          /* rows: decided positive; binary */
    bool probabilities;         /* every score is from 0 to 1 */
};

/* A sentence among the document's remarks. */
struct status assessment_remark(json_t *d, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Says where the work stands. */
void assessment_tell(const struct assessment_input *in, const char *stage, double share);
/* Adds "explanation", with the slices of "errors" that hold as its cohorts. */
struct status assessment_put_explanation(const struct assessed *a, struct diag *diag, json_t *d);
/* Adds "performance". */
struct status assessment_put_performance(const struct assessed *a, json_t *d);

#endif
