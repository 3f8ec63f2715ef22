/* ubjson_write: a document as XGBoost would write it in UBJSON, for tests; null becomes NaN. */
#ifndef STEWARD_TESTS_MODEL_UBJSON_WRITE_H
#define STEWARD_TESTS_MODEL_UBJSON_WRITE_H

#include "base/json.h"

void ubjson_write(const json_t *document, struct buf *ret_bytes);

#endif
