/* models_parts: what the sources of the model registry share. */
#ifndef STEWARD_WORKSPACE_MODELS_PARTS_H
#define STEWARD_WORKSPACE_MODELS_PARTS_H

#include "base/json.h"
#include "workspace/models.h"

/* The manifest, which has all but its version, and the file as the next version of that name:
 * bundled, sealed, read back as a server would, recorded, audited. */
struct status models_register(struct workspace *w, const char *name, json_t *manifest,
                              struct view file, const char *reason, struct diag *diag,
                              struct model **ret_model);
/* The other of two values, as far as the label's column (or NULL) tells it. */
const char *models_other_level(const struct column *label, const char *positive);
/* "classes": what the outputs are the scores of, in their order. */
struct status models_put_classes(const char *const *names, uint32_t count, json_t *manifest);

#endif
