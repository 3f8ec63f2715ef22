/* contributions: what each feature added to a score, as outputs of an answer: exact SHAP of the
 * model file on its margin, in the precision of records (assess/attribution.h). The features are
 * as the model file reads them, behind a remover. docs/serving.md has the form. */
#ifndef STEWARD_SERVE_CONTRIBUTIONS_H
#define STEWARD_SERVE_CONTRIBUTIONS_H

#include "assess/attribution.h"
#include "serve/infer.h"

/* True when the model file tells enough for it. */
bool contributions_possible(const struct model *m);
struct status contributions_new(const struct model *m, struct attribution **ret_attribution);
/* Three outputs, with a comma between: contributions, contributions.base, contributions.features.
 * visible[features]: the others are summed into one, "masked". STATUS_LIMIT when they do not fit
 * the arena; STATUS_MEMORY. */
struct status contributions_put(const struct model *m, const struct attribution *a,
                                const struct infer_request *q, const bool *visible,
                                struct arena *arena, struct buf *ret_json);

#endif
