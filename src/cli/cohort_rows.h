/* cohort_rows: the rows that fairness, bias and errors look at: of a file or of a dataset of the
 * workspace, with what a model of the workspace decides for them, of a cohort and of the rest. */
#ifndef STEWARD_CLI_COHORT_ROWS_H
#define STEWARD_CLI_COHORT_ROWS_H

#include "cli/cli.h"
#include "data/table.h"

/* Zeroed before; holds what options are supposed to be: released when no option is asked for. */
struct cohort_rows {
    struct table *table; /* of the cohort, or all */
    struct table *rest;  /* NULL: no cohort, or there are no other rows */
    const char *cohort;  /* as given, or NULL */
    struct buf predicate;
    uint64_t unknown; /* rows of the rest for which the predicate has no answer */
    json_t *remarks;  /* sentences about the model's decisions */
    char *words[CLI_MAX_REPEATS];
    size_t word_count;
};

void cohort_rows_done(struct cohort_rows *r);
/* Whether --data or --model are of the workspace or decide, so that columns that were not given may
 * be told by cohort_rows_read. */
bool cohort_rows_may_tell_columns(const struct cli *c);
/* A remark when a condition has no answer for some rows. name: as given. */
struct status cohort_rows_remark(json_t *remarks, const char *name, const char *predicate,
                                 uint64_t unknown);
/* Reads --data; from then on options that were not given (--label, --positive, --sensitive) are
 * those of the dataset's roles or the model's. With `decides` --model adds its decisions and
 * probabilities as two columns, which --prediction and --score then name; of several classes the
 * likeliest, of a regression the number, which --prediction names. Both reads of the
 * workspace are audited. */
struct status cohort_rows_read(struct cli *c, bool decides, struct cohort_rows *r);
/* Parts the rows by --cohort; numeric: the label is a number. INPUT when the cohort has none. */
struct status cohort_rows_part(struct cli *c, struct cohort_rows *r, bool numeric);

/* A document of some rows. */
typedef struct status cohort_document(void *ctx, const struct table *t, json_t **ret_document);
/* The document of the rows; with a cohort also "cohort" {cohort, predicate, rows, rest_rows,
 * rest_unknown, remark} and "rest": the document of the others, null where there is none, which
 * remark tells. */
struct status cohort_rows_document(struct cli *c, const struct cohort_rows *r,
                                   cohort_document *make, void *ctx, json_t **ret_document);
/* Prints such a document, its rest below it. */
void cohort_rows_print(const json_t *document, void (*print)(const json_t *document));

#endif
