/* black_box_parts: what the sources of the black-box document share. */
#ifndef STEWARD_REPORT_BLACK_BOX_PARTS_H
#define STEWARD_REPORT_BLACK_BOX_PARTS_H

#include "report/black_box_document.h"

struct status black_box_put_attributions(const struct black_box_input *in, struct diag *diag,
                                         json_t *document);
struct status black_box_put_profiles(const struct black_box_input *in, struct diag *diag,
                                     json_t *document);
struct status black_box_put_effects(const struct black_box_input *in, struct diag *diag,
                                    json_t *document);
struct status black_box_put_importance(const struct black_box_input *in, struct diag *diag,
                                       json_t *document);
struct status black_box_put_surrogate(const struct black_box_input *in, struct diag *diag,
                                      json_t *document);
/* An array of n numbers, null for NaN. NULL when memory is out. */
json_t *black_box_numbers(const double *v, size_t n);
/* A point of a feature: its number, or its level's name. */
json_t *black_box_point(const struct black_box_feature *f, double at);
/* Sets key of o to the ends of value -+ z error: "low" and "high" arrays of n. */
struct status black_box_put_band(json_t *o, const double *value, const double *error, size_t n,
                                 double level);

#endif
