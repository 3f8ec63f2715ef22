/* dataset_subjects: the persons of a dataset with a subject column: their keys (vault/subjects.h)
 * and what the store says of them, which counts: who was erased is erased whatever the list of keys
 * says. One list for all versions of a name. docs/spec/subjects.md. Part of workspace. */
#ifndef STEWARD_WORKSPACE_DATASET_SUBJECTS_H
#define STEWARD_WORKSPACE_DATASET_SUBJECTS_H

#include "base/json.h"
#include "data/table.h"
#include "vault/subjects.h"
#include "workspace/workspace.h"

#define DATASET_SUBJECTS_COLLECTION "subjects"
#define DATASET_SUBJECTS_RECORD_MAX (4u << 20)

struct dataset_subjects {
    struct workspace *w;
    char name[64];
    struct subjects *keys;
    uint32_t slots;   /* that count */
    uint8_t *erased;  /* slots of them, 1: erased */
    uint32_t gone;    /* how many of those */
    json_t *rows;     /* {"1": rows of version 1 that were erased} */
    uint64_t version; /* whose rows are sealed or opened */
};

void dataset_subjects_done(struct dataset_subjects *s);
/* What the store says of a name's persons; false: its datasets have no subject column. */
struct status dataset_subjects_exist(struct workspace *w, const char *name, bool *ret_exist);
/* Of that name, told in the log; STATUS_INTEGRITY when list and store do not fit. */
struct status dataset_subjects_open(struct workspace *w, const char *name, struct diag *diag,
                                    struct dataset_subjects *ret);
/* The same under workspace_lock, for changes: what should be destroyed already is destroyed now.
 * anew: of a name that has none yet. */
struct status dataset_subjects_change(struct workspace *w, const char *name, bool anew,
                                      struct diag *diag, struct dataset_subjects *ret);
/* The bytes that are sealed as that version. New persons get keys, which are on disk then. INPUT
 * with their rows when somebody in t was erased. */
struct status dataset_subjects_encode(struct dataset_subjects *s, uint64_t version,
                                      const struct table *t, struct diag *diag,
                                      struct buf *ret_bytes);
struct status dataset_subjects_decode(struct dataset_subjects *s, uint64_t version,
                                      struct view bytes, struct diag *diag,
                                      struct table **ret_table);
/* The store's record of s, as it is to be. */
struct status dataset_subjects_put(const struct dataset_subjects *s, struct buf *ret_record);
/* Keyed hash of a person of that dataset. */
struct status dataset_subjects_hash(struct workspace *w, const char *name, struct view subject,
                                    struct digest *ret_hash);
/* {"persons", "erased", "rows_erased": {"1": n}} */
struct status dataset_subjects_describe(struct workspace *w, const char *name, struct diag *diag,
                                        json_t **ret_object);

/* Of every list, under workspace_lock: what should be destroyed is destroyed, keys and store fit,
 * every key opens; each (may be NULL) is called with both paths in the workspace. *ret_persons: who
 * has a key. */
struct status dataset_subjects_check_all(struct workspace *w,
                                         struct status (*each)(void *ctx, const char *path),
                                         void *ctx, struct diag *diag, uint64_t *ret_persons);
/* "<workspace>/subjects/<name>", malloc'd: what a list's paths begin with. */
char *dataset_subjects_base(const struct workspace *w, const char *name);

#endif
