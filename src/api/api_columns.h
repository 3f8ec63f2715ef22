/* api_columns: what a caller gives of columns and decisions, checked. Not for other folders. */
#ifndef STEWARD_API_COLUMNS_H
#define STEWARD_API_COLUMNS_H

#include "api/api_parts.h"
#include "report/assessment.h"

#include <steward/assess.h>

/* All fail with INPUT and a sentence. */
struct status api_need_text(const char *text, const char *what, struct diag *diag); /* UTF-8 */
struct status api_need_texts(const char *const *levels, uint32_t level_count, const char *what,
                             struct diag *diag);
struct status api_check_draws(uint32_t draws, const char *what, struct diag *diag);
struct status api_check_level(double level, struct diag *diag);
/* most: classes that the analysis takes. */
struct status api_check_decisions(const struct sw_decisions *d, uint32_t most, struct diag *diag);
/* The same where there is only what was true. */
struct status api_check_truth(const struct sw_decisions *d, uint32_t most, struct diag *diag);
struct status api_check_factor(const struct sw_factor *f, size_t rows, struct diag *diag);
struct status api_check_factors(const struct sw_factor *factors, uint32_t n, size_t rows,
                                struct diag *diag);
struct status api_check_feature(const struct sw_feature *f, size_t rows, struct diag *diag);
/* Whether the row has both what was true and what was said. */
bool api_is_whole(const struct sw_decisions *d, size_t row);
/* As the analyses take them. *ret_factors: the caller's to free, also of none. MEMORY. */
struct status api_take_factors(const struct sw_factor *factors, uint32_t n, size_t rows,
                               struct diag *diag, struct assessment_factor **ret_factors);
struct status api_bias_document(const struct sw_bias_options *o, struct diag *diag,
                                json_t **ret_document);
uint32_t api_or_default(uint32_t value, uint32_t fallback); /* of 0 */

#endif
