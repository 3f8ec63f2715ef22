/* libsteward: the workspace, its datasets, models, assessments and audit log, for C programs.
 *
 * Every function that can fail returns 0, or the code that it also puts into *error with a sentence
 * for people; error may be NULL. Results come last, are called ret_*, and are untouched on failure.
 * Strings are UTF-8. A workspace is for one thread at a time; a model may be read by many. */
#ifndef STEWARD_STEWARD_H
#define STEWARD_STEWARD_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define SW_API __attribute__((visibility("default")))
#else
#define SW_API
#endif

enum sw_code {
    SW_OK = 0,
    SW_INPUT = 1,       /* what the caller gave is wrong: the text says where and what is right */
    SW_AUTH = 2,        /* wrong passphrase */
    SW_DENIED = 3,      /* not allowed */
    SW_NOT_FOUND = 4,   /* no such thing */
    SW_EXISTS = 5,      /* there already */
    SW_INTEGRITY = 6,   /* bytes are not what was written */
    SW_LIMIT = 7,       /* a named limit was passed */
    SW_IO = 8,          /* the operating system said no */
    SW_BUSY = 9,        /* held by another; try again */
    SW_MEMORY = 10,     /* allocation failed */
    SW_UNSUPPORTED = 11 /* not something this build does */
};

struct sw_error {
    int code;
    char text[768];
};

SW_API const char *sw_version(void); /* "0.1.0" */

/* Frees what a function gave as text. */
SW_API void sw_text_free(char *text);

/* ---- workspace ---- */

struct sw_workspace;

/* dir must be absent or empty; all of the workspace appears in it, or nothing. */
SW_API int sw_workspace_init(const char *dir, const char *passphrase, struct sw_error *error);
SW_API int sw_workspace_open(const char *dir, const char *passphrase,
                             struct sw_workspace **ret_workspace, struct sw_error *error);
SW_API void sw_workspace_close(struct sw_workspace *workspace); /* NULL: nothing */

/* ---- datasets ---- */

struct sw_dataset_options {
    const char *label;            /* column to predict; NULL: none */
    const char *positive;         /* its positive value; NULL: inferred */
    const char *const *sensitive; /* columns */
    size_t sensitive_count;
};

/* Imports path (CSV, Parquet, JSON by its ending) as the next version of name. options may be NULL.
 */
SW_API int sw_dataset_add(struct sw_workspace *workspace, const char *name, const char *path,
                          const struct sw_dataset_options *options, uint64_t *ret_version,
                          struct sw_error *error);

/* ---- models ---- */

struct sw_train_options {
    const char *dataset;
    uint64_t dataset_version; /* 0: newest */
    double split;             /* share of rows to train on; 0: 0.7 */
    uint64_t seed;
    uint32_t rounds;      /* 0: 100 */
    uint32_t depth;       /* 0: 4 */
    double learning_rate; /* 0: 0.1 */
    uint32_t threads;     /* 0: one per core; the model does not depend on it */
    /* "binary:logistic", "multi:softprob", "reg:squarederror", "count:poisson"; NULL: by the label
     */
    const char *objective;
};

/* Trained, sealed, signed, registered as the next version of name. */
SW_API int sw_model_train(struct sw_workspace *workspace, const char *name,
                          const struct sw_train_options *options, uint64_t *ret_version,
                          struct sw_error *error);

struct sw_model;

/* version 0: newest. Seal, signature and digest are verified. Outlives the workspace; release with
 * sw_model_free. */
SW_API int sw_model_load(struct sw_workspace *workspace, const char *name, uint64_t version,
                         struct sw_model **ret_model, struct sw_error *error);
SW_API void sw_model_free(struct sw_model *model); /* NULL: nothing */
SW_API uint64_t sw_model_version(const struct sw_model *model);
SW_API size_t sw_model_features(const struct sw_model *model);
/* Name of feature `index`, owned by the model; NULL when there is none. */
SW_API const char *sw_model_feature(const struct sw_model *model, size_t index);
/* x[rows * features], row by row: numbers as they are, booleans and categories as the index of
 * their level, NaN for missing. ret_probability[rows], of the positive class. SW_UNSUPPORTED for a
 * model of several outputs, or with a correlation remover before it. */
SW_API int sw_model_predict(const struct sw_model *model, const float *x, size_t rows,
                            double *ret_probability, struct sw_error *error);

/* ---- assessment ---- */

/* part: "all", "train" or "test" of the model's split; cohort: an SQL predicate over the dataset's
 * columns, "slice-1" or "node-3" of the model's newest assessment, or NULL. ret_json: the
 * assessment document; release with sw_text_free. */
SW_API int sw_assess(struct sw_workspace *workspace, const char *model, uint64_t model_version,
                     const char *dataset, uint64_t dataset_version, const char *part,
                     const char *cohort, char **ret_json, struct sw_error *error);

/* ---- audit log ---- */

/* audit_dir: a workspace's audit/ or a copy of it. vkey: the log's public key; NULL takes the one
 * beside the log. SW_INTEGRITY names the first bad byte. */
SW_API int sw_audit_verify(const char *audit_dir, const char *vkey, uint64_t *ret_entries,
                           struct sw_error *error);

#ifdef __cplusplus
}
#endif
#endif
