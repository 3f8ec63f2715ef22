/* xgboost_categories: names of categories, which XGBoost writes from 3.1 on beside the trees:
 * "cats": {"enc": [{"offsets": [0, 3, 5], "values": [121, 101, 115, 110, 111]}, {"type": 15,
 * "values": [30, 7, 10]}, ...]}, for each feature the bytes of its texts, or its whole numbers, in
 * the order of the category numbers; empty for a feature of numbers. */
#ifndef STEWARD_MODEL_XGBOOST_CATEGORIES_H
#define STEWARD_MODEL_XGBOOST_CATEGORIES_H

#include "base/json.h"
#include "model/forest_build.h"

/* Sets f->levels when the file tells any. Texts with a byte past ASCII are not told: XGBoost 3.2
 * takes their length in letters for that in bytes, so that they and the texts after them are cut in
 * the wrong places. */
struct status xgboost_read_categories(struct forest_build *b, const json_t *model,
                                      struct diag *diag);

#endif
