/* assessment_parts: what the document's writers share. Not for other folders. */
#ifndef STEWARD_REPORT_ASSESSMENT_PARTS_H
#define STEWARD_REPORT_ASSESSMENT_PARTS_H

#include "num/interval.h"
#include "report/assessment.h"

json_t *assessment_interval(struct interval ci);
/* The decimal that a person reads: the shortest that is the same number to the model, which reads
 * single precision. */
void assessment_put_number(struct buf *b, double v);
bool assessment_decided(const struct assessment_input *in, size_t row); /* positive */
/* Says where the work stands. */
void assessment_tell(const struct assessment_input *in, const char *stage, double share);
/* Adds "explanation", with the slices of "errors" that hold as its cohorts. */
struct status assessment_put_explanation(const struct assessment_input *in, struct diag *diag,
                                         json_t *d);

#endif
