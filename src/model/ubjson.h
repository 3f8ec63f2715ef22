/* ubjson: Universal Binary JSON (draft 12) as XGBoost writes it, into jansson's values. Untrusted
 * bytes: every length is checked against what is left, nesting against JS_MAX_DEPTH; memory is at
 * most a fixed multiple of the input. */
#ifndef STEWARD_MODEL_UBJSON_H
#define STEWARD_MODEL_UBJSON_H

#include "base/json.h"

struct status ubjson_parse(struct view bytes, struct diag *diag, json_t **ret_value);

#endif
