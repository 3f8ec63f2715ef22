/* ubjson: Universal Binary JSON (draft 12) as XGBoost writes it, into jansson's values. Untrusted
 * bytes: every length is checked against what is left, nesting against JS_MAX_DEPTH, and the number
 * of values is limited. NaN and infinities become null. */
#ifndef STEWARD_MODEL_UBJSON_H
#define STEWARD_MODEL_UBJSON_H

#include "base/json.h"

/* What a container and an object's member count, beside their own values: a value takes about 40
 * bytes of memory, an empty container some 600. */
#define UBJSON_CONTAINER_VALUES 16u
#define UBJSON_MEMBER_VALUES 4u

/* LIMIT when there are more than max_values. diag: "UBJSON byte 17: ...". */
struct status ubjson_parse(struct view bytes, size_t max_values, struct diag *diag,
                           json_t **ret_value);

#endif
