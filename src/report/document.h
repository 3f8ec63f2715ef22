/* document: reading an assessment document (docs/spec/assessment.md), where anything may be absent.
 */
#ifndef STEWARD_REPORT_DOCUMENT_H
#define STEWARD_REPORT_DOCUMENT_H

#include "assess/explain_columns.h"
#include "base/json.h"
#include "model/model_file.h"

#define DOCUMENT_FORMATS "steward-assessment-" /* and a number */
#define DOCUMENT_FORMAT "steward-assessment-3"

/* What an assessed model answers, "task": "binary", "classes" or "numeric". */
const char *document_task_word(enum model_task task);
enum model_task document_task(const json_t *document); /* MODEL_BINARY when absent */

const char *document_text(const json_t *o, const char *key);     /* "" when absent */
double document_number(const json_t *o, const char *key);        /* NaN when absent or null */
double document_end(const json_t *o, const char *key, size_t i); /* i-th number of an array */

/* Of a grouping's "groups" the one of that name; NULL when there is none. */
const json_t *document_group(const json_t *grouping, const char *name);

/* A json array's items by one of their numbers. */
struct document_ranked {
    const json_t *item;
    double size;
    size_t place;
};

enum document_order { DOCUMENT_LARGEST, DOCUMENT_FARTHEST_FROM_ZERO };

/* ret_ranked: array_size items, the caller's to free; size is the number or its magnitude, the
 * highest first, ties in the array's order. */
struct status document_rank(const json_t *items, const char *key, enum document_order order,
                            struct document_ranked **ret_ranked);
/* Of one group of such a model: "12.5 %, 40 % from 0.31 on, 100 % from 0.52 on". */
void document_put_chances(const json_t *group, struct buf *ret_text);
/* From which probability on an assessment's model decides positive, by group where it is so, or
 * with which chance: "at a probability of 0.5 and over". */
void document_put_thresholds(const json_t *document, struct buf *ret_text);

/* Appends {"column", "reason"} to a document's "without_groups": a sensitive column that makes no
 * groups. reason: what follows the column's name, "has no value in any row". */
struct status document_add_without_groups(json_t *list, const char *column, const char *reason);
/* Such an item's sentence. */
void document_put_without_groups(const json_t *item, struct buf *ret_text);

/* Sets "groups": [{"column", "features": [...]}], the columns of several features. */
struct status document_put_groups(json_t *document, const struct explain_columns *columns,
                                  const char *const *names, const char *const *features);

#endif
