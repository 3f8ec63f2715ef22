/* errors_parts: the error tree and the heat map as JSON, each node and bin with the condition that
 * --cohort takes. Shared by the assessment and by the errors document. Not for other folders. */
#ifndef STEWARD_REPORT_ERRORS_PARTS_H
#define STEWARD_REPORT_ERRORS_PARTS_H

#include "assess/errors.h"
#include "report/errors_document.h"

struct errors_columns {
    const struct assessment_feature *item; /* borrowed */
    uint32_t count;
    size_t rows;
    bool *missing; /* of each: has missing values */
};

void errors_columns_done(struct errors_columns *c);
struct status errors_columns_of(const struct assessment_feature *features, uint32_t count,
                                size_t rows, struct errors_columns *ret_columns);
/* An integer where it is one. */
json_t *errors_number(double v);
/* Adds "tree" and "worst". */
struct status errors_put_tree(const struct errors_columns *columns, const struct errors_tree *t,
                              json_t *errors);
/* What a person calls a bin, and its condition. */
void errors_put_bin(const struct assessment_feature *f, const struct errors_axis *a, uint32_t bin,
                    struct buf *label, struct buf *cohort);
/* Adds "map". fy: ERRORS_NO_FEATURE for a map of one feature. */
struct status errors_put_map(const struct errors_columns *columns, uint32_t fx, uint32_t fy,
                             const double *loss, uint32_t bins, enum errors_cut cut,
                             json_t *errors);

#endif
