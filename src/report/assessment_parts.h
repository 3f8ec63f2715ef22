/* assessment_parts: what the document's writers share. Not for other folders. */
#ifndef STEWARD_REPORT_ASSESSMENT_PARTS_H
#define STEWARD_REPORT_ASSESSMENT_PARTS_H

#include "num/interval.h"
#include "report/assessment.h"

json_t *assessment_interval(struct interval ci);
/* The decimal that a person reads: the shortest that is the same number to the model, which reads
 * single precision. */
void assessment_put_number(struct buf *b, double v);
/* Adds "errors". decision[rows]: 0 or 1. */
struct status assessment_put_errors(const struct assessment_input *in, const uint8_t *decision,
                                    json_t *d);

#endif
