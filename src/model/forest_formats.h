/* forest_formats: the loaders behind forest_load, one for each format. Not for other folders. */
#ifndef STEWARD_MODEL_FOREST_FORMATS_H
#define STEWARD_MODEL_FOREST_FORMATS_H

#include "model/forest.h"

/* XGBoost's JSON and UBJSON. */
struct status forest_load_xgboost(struct view bytes, struct diag *diag, struct forest **ret_forest);
/* LightGBM's text, which begins with the line "tree". */
struct status forest_load_lightgbm(struct view bytes, struct diag *diag,
                                   struct forest **ret_forest);
/* ONNX. */
struct status forest_load_onnx(struct view bytes, struct diag *diag, struct forest **ret_forest);

#endif
