/* xgboost_document: the bytes of an XGBoost model file, JSON or UBJSON, as jansson's values.
 * Untrusted: size, nesting (JS_MAX_DEPTH) and the number of values are limited, so that memory is
 * too. NaN and infinities, which XGBoost writes where a number has no meaning (the threshold of a
 * categorical split), become null. */
#ifndef STEWARD_MODEL_XGBOOST_DOCUMENT_H
#define STEWARD_MODEL_XGBOOST_DOCUMENT_H

#include "base/json.h"

/* The format is told from the first two bytes. */
struct status xgboost_document_read(struct view bytes, struct diag *diag, json_t **ret_document);

#endif
