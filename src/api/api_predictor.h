/* api_predictor: a loaded model, for the sources of libsteward that look into it. Not for other
 * folders. */
#ifndef STEWARD_API_PREDICTOR_H
#define STEWARD_API_PREDICTOR_H

#include "api/api_parts.h"
#include "assess/attribution.h"
#include "base/digest.h"
#include "model/model_file.h"

#include <steward/assess.h>

struct sw_predictor {
    struct model_file *file;
    struct digest digest; /* of its bytes */
};

struct status api_need_rows(const struct sw_predictor *predictor, const float *x, size_t rows,
                            const void *result, struct diag *diag);
/* The explainer of rows, or of pairs, with the sentence of what it lacks. *ret_by borrows the
 * background. */
struct status api_explainer(const struct sw_predictor *predictor,
                            const struct sw_explain_options *o, size_t rows, bool pairs,
                            struct diag *diag, struct attribution **ret_by);
/* ret_pairs[rows * outputs * features * features]. */
struct status api_pairs(const struct attribution *by, const float *x, size_t rows, unsigned threads,
                        struct diag *diag, double *ret_pairs);
/* Names and levels of the features, read's where it is not NULL; ret_feature[features], borrowing;
 * those that have no name get one of *ret_names, the caller's to free. */
struct status api_name_features(const struct sw_predictor *predictor, const struct sw_feature *read,
                                struct diag *diag, struct sw_feature *ret_feature,
                                char **ret_names);

#endif
