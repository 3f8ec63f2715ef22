/* models_parts: what the sources of the model registry share. */
#ifndef STEWARD_WORKSPACE_MODELS_PARTS_H
#define STEWARD_WORKSPACE_MODELS_PARTS_H

#include "base/json.h"
#include "workspace/models.h"

#define MODELS_COLLECTION "model"
#define MODELS_BUNDLE_MAX ((size_t)4 << 30)
#define MODELS_JSON_MAX (16u << 20)

/* The manifest, which has all but its version, and the file as the next version of that name:
 * bundled, sealed, read back as a server would, recorded, audited. */
struct status models_register(struct workspace *w, const char *name, json_t *manifest,
                              struct view file, const char *reason, struct diag *diag,
                              struct model **ret_model);
/* The other of two values, as far as the label's column (or NULL) tells it. */
const char *models_other_level(const struct column *label, const char *positive);
/* "classes": what the outputs are the scores of, in their order. */
struct status models_put_classes(const char *const *names, uint32_t count, json_t *manifest);
/* Takes the workspace's lock, and says which version of that name is the next. */
struct status models_next_version(struct workspace *w, const char *name, struct diag *diag,
                                  int *ret_lock, uint64_t *ret_version);
/* What models_register does under that lock; the manifest has its version. */
struct status models_register_bundle(struct workspace *w, const char *name, uint64_t version,
                                     json_t *manifest, struct view file, const char *reason,
                                     struct diag *diag, struct model **ret_model);
/* The version that a record is of, and its bundle, opened but not checked. */
struct status models_read_bundle(struct workspace *w, const char *name, uint64_t version,
                                 struct diag *diag, json_t **ret_record, uint64_t *ret_version,
                                 struct buf *ret_bytes);

/* As model_matrix, of a model that is only being made. */
struct status models_matrix(const struct feature_list *features, const struct remover *r,
                            const struct table *t, json_t *remarks, struct diag *diag, float *ret_x,
                            uint64_t *ret_missing);
/* Whether the column that decides has levels, should the remover read it, too. */
bool model_group_fits(const struct model *m);

#endif
