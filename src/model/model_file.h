/* model_file: whatever model a file holds, behind one face: a tree ensemble or a linear model, its
 * format told from the bytes. Models are untrusted input; see forest.h and linear.h. */
#ifndef STEWARD_MODEL_MODEL_FILE_H
#define STEWARD_MODEL_MODEL_FILE_H

#include "base/arena.h"
#include "model/forest.h"
#include "model/linear.h"
#include "model/predictor.h"

struct model_file {
    const char *format;    /* "xgboost", "lightgbm", "onnx", "linear" */
    const char *objective; /* as in the file */
    enum forest_link link;
    uint32_t features;
    uint32_t outputs;                   /* 1, or the number of classes */
    const char *const *feature_names;   /* features, or NULL: the file names none */
    uint8_t *categorical;               /* features: 1 where it is split by category numbers */
    const char *const *output_names;    /* outputs, or NULL: the classes' labels */
    const char *const *two_classes;     /* of one output: labels of 0 and 1, or NULL */
    const struct forest_levels *levels; /* features, or NULL: names of its categories, if told */
    struct forest *forest;              /* one of these two, the other is NULL */
    struct linear *linear;
    struct predictor *predictor; /* of the forest */
    struct arena *told;          /* NULL, or names that are not the file's */
    struct arena *told_outputs;  /* likewise */
};

struct status model_file_load(struct view bytes, struct diag *diag, struct model_file **ret_model);
/* What it answers: one probability, one score a class, one number, or several numbers. */
enum model_task { MODEL_BINARY, MODEL_CLASSES, MODEL_NUMBER, MODEL_NUMBERS };
enum model_task model_file_task(const struct model_file *m);
bool model_file_is_binary(const struct model_file *m);
void model_file_free(struct model_file *m);
DEFINE_FREEP(model_file_free, struct model_file)
/* Names of the features, and of categories where count > 0, instead of the file's; copied. MEMORY.
 */
struct status model_file_tell(struct model_file *m, const char *const *names,
                              const struct forest_levels *levels);
/* Names of the outputs, likewise. */
struct status model_file_tell_outputs(struct model_file *m, const char *const *names);
/* As forest_margin and forest_link_apply. */
void model_file_margin(const struct model_file *m, const float *x, size_t rows, unsigned threads,
                       double *ret_margin);
void model_file_link_apply(const struct model_file *m, double *margin, size_t rows);

#endif
