/* models: the registry: versioned, sealed, signed models with their manifest (docs/spec/bundle.md).
 */
#ifndef STEWARD_WORKSPACE_MODELS_H
#define STEWARD_WORKSPACE_MODELS_H

#include "data/matrix.h"
#include "model/model_file.h"
#include "model/train.h"
#include "workspace/datasets.h"
#include "workspace/remover.h"
#include "workspace/thresholds.h"

/* A model as loaded: seal opened, signature and digest verified, model file checked. Immutable; any
 * thread may read it. What was added from a file (model_add) has no dataset and parameters that it
 * was trained with, and if it is no binary classifier perhaps no label. */
struct model {
    char name[64];
    uint64_t version;
    struct digest digest; /* of the bundle: manifest, signature and model file */
    struct feature_list features;
    struct model_file *file;
    struct remover remover; /* what stands before the file, if anything */
    char *label;            /* column */
    char *positive;         /* positive level, as people read it */
    char *negative;
    double threshold; /* decision: probability >= threshold; by group: of rows without one */
    struct thresholds thresholds; /* of the groups, when decisions are by group */
    char *dataset;                /* trained on: name, version, digest, split */
    uint64_t dataset_version;
    struct digest dataset_digest;
    double split; /* share of training rows */
    uint64_t split_seed;
    int64_t created_ns;
    char *params_json; /* training parameters as used */
};

/* Not trained here. */
bool model_is_added(const struct model *m);
/* STATUS_INPUT with a sentence for such a model. */
struct status model_need_training(const struct model *m, struct diag *diag);

struct mitigation;

struct model_train_options {
    const char *dataset;
    uint64_t dataset_version;   /* 0: newest */
    double split;               /* (0,1]: share of rows to train on */
    uint64_t seed;              /* of the split; the training's own is train.seed */
    struct train_options train; /* objective NULL: by the label's kind; classes, base: likewise */
    const struct mitigation *mitigation; /* workspace/mitigation.h; NULL: none */
};

struct status model_train(struct workspace *w, const char *name,
                          const struct model_train_options *o, struct diag *diag,
                          struct model **ret_model);
/* A model file of another library as the next version of a name. */
struct model_add_options {
    struct view file;
    const char *file_name;    /* as the manifest tells it */
    const char *dataset;      /* whose columns the model is to read; NULL: not checked */
    uint64_t dataset_version; /* 0: newest */
    /* NULL: the dataset's label, the file's classes, or "1" and "0". */
    const char *label, *positive, *negative;
    const char *const *classes; /* of the outputs, in their order; none: the file's */
    size_t class_count;
    double threshold;
};
struct status model_add(struct workspace *w, const char *name, const struct model_add_options *o,
                        struct diag *diag, struct model **ret_model);
/* How that model was trained, not of an added one: the same options give the same model. Borrows
 * its dataset's name. */
struct status model_training(const struct model *m, struct diag *diag,
                             struct model_train_options *ret_options);
/* version 0: newest. */
struct status model_load(struct workspace *w, const char *name, uint64_t version, struct diag *diag,
                         struct model **ret_model);
void model_free(struct model *m);
DEFINE_FREEP(model_free, struct model)
/* The record with its manifest; the caller's to json_decref. */
struct status model_describe(struct workspace *w, const char *name, uint64_t version,
                             struct diag *diag, json_t **ret_record);
struct status model_put_list(struct workspace *w, struct buf *ret_json);
/* Each (name, newest version) in the registry. */
struct status model_each(struct workspace *w,
                         struct status (*each)(void *ctx, const char *name, uint64_t version),
                         void *ctx);
/* The columns that a call must send beside the features: those of the remover, then the one that
 * decisions are by group of, unless it is among them. */
uint32_t model_besides(const struct model *m);
const struct feature *model_beside(const struct model *m, uint32_t i);
/* What stands before and after the model file, of rows that were sent: x[rows * features] becomes
 * what it reads, ret_group[rows] the levels that model_decide takes (NULL: all have one
 * threshold). beside[rows * model_besides]: as the lists of model_beside number them. */
void model_prepare(const struct model *m, const float *beside, size_t rows, float *x,
                   float *ret_group);
/* ret_x[t->rows * features]: what the model file reads of the rows of a table. *ret_missing: rows
 * of which the remover misses a column. Categories that are not known are read as missing, with a
 * sentence in `remarks`, or INPUT where those are NULL; and INPUT as matrix_from_table. */
struct status model_matrix(const struct model *m, const struct table *t, json_t *remarks,
                           struct diag *diag, float *ret_x, uint64_t *ret_missing);
/* Probability of the positive class (or the value, or class probabilities) of rows as model_matrix
 * and model_prepare make them: ret_out[rows * outputs]. */
void model_predict(const struct model *m, const float *x, size_t rows, unsigned threads,
                   double *ret_out);
/* The column that decides beside the probability; NULL: none, one threshold for all. */
const struct feature *model_group(const struct model *m);
/* What is decided of a row that the model file reads as x[features] and answers with p, a binary
 * classifier's. level: of that column; NaN: the row has none, and the one threshold decides. */
struct decision model_decide(const struct model *m, float level, const float *x, double p);
/* The next version of old's name: the same model file, thresholds or chances by group chosen on the
 * rows that it was trained on (workspace/thresholds.h). */
struct status model_set_thresholds(struct workspace *w, const struct model *old,
                                   const struct thresholds_wish *wish, unsigned threads,
                                   struct diag *diag, struct model **ret_model);
enum model_part { PART_ALL, PART_TRAIN, PART_TEST };
const char *model_part_word(enum model_part part); /* "all", "train", "test" */
/* STATUS_INPUT when it is none of those words. */
struct status model_part_from_word(const char *word, enum model_part *ret_part);
/* t: the table of data. ret_selected[data->rows]: 1 where the row is in that part of the model's
 * split. Fails with a sentence when a part is asked for of a table that the model was not trained
 * on. */
struct status model_select(const struct model *m, const struct dataset_info *data,
                           const struct table *t, enum model_part part, struct diag *diag,
                           uint8_t *ret_selected);
/* That part of a dataset as a table of its own; the read is audited, since it leaves the workspace.
 * m may be NULL for PART_ALL. Its `erased` is that of the whole dataset. */
struct status model_export(struct workspace *w, const struct model *m, const char *dataset,
                           uint64_t version, enum model_part part, struct diag *diag,
                           struct table **ret_table);

#endif
