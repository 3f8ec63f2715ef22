/* erasure: a person's data made unreadable by destroying their key, in every version of a dataset
 * and every copy of it. docs/spec/subjects.md. */
#ifndef STEWARD_WORKSPACE_ERASURE_H
#define STEWARD_WORKSPACE_ERASURE_H

#include "base/json.h"
#include "workspace/workspace.h"

#define ERASURE_ACTION "dataset.erase"
#define ERASURE_MOST 50000u /* persons at once */

/* Erases the persons with those values in the subject column. What a cut (crash, full disk) left
 * unfinished is finished by the same call. ret_answer, the caller's to json_decref: {"dataset",
 * "erased", "already", "unknown" (counts), "rows", "versions": [{"version", "rows"}], "subjects":
 * [{"subject": keyed hash, "state": "erased", "already" or "unknown", "rows"}], in the order of
 * values, "models", "assessments": what may still hold traces}. STATUS_NOT_FOUND when the dataset
 * has none of them; then nothing has been done. No value of a person is kept or logged. */
struct status erasure_run(struct workspace *w, const char *dataset, const struct view *values,
                          size_t count, struct diag *diag, json_t **ret_answer);
/* The same of persons by their keyed hashes, each once, as the log names them: those who are erased
 * here or not in the dataset are passed over, unsaid. *ret_erased: how many had a key until now. */
struct status erasure_again(struct workspace *w, const char *dataset, const struct digest *subjects,
                            size_t count, struct diag *diag, uint64_t *ret_erased);

#endif
