/* errors_document_parts: what the errors document's writers share. Not for other folders. */
#ifndef STEWARD_REPORT_ERRORS_DOCUMENT_PARTS_H
#define STEWARD_REPORT_ERRORS_DOCUMENT_PARTS_H

#include "assess/calibration.h"
#include "report/errors_document.h"
#include "report/errors_parts.h"

struct errors_work {
    const struct errors_input *in;
    struct errors_columns columns;
    struct errors_feature *features;
    double *loss; /* rows */
    uint32_t *order;
    struct errors_mutual *mutual;
};

/* Adds "metrics" of these rows; row NULL: all. */
struct status errors_put_metrics(const struct errors_input *in, const uint32_t *row, size_t n,
                                 json_t *o);
/* Sets o[key]: a calibration with its bins. */
struct status errors_put_curve(const struct calibration *c, const char *key, json_t *o);
/* Adds "slices". */
struct status errors_put_slices(const struct errors_work *w, json_t *d);

#endif
