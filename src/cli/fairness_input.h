/* fairness_input: the arrays that report/fairness_document.h reads, out of a table and the options
 * of `steward fairness`. */
#ifndef STEWARD_CLI_FAIRNESS_INPUT_H
#define STEWARD_CLI_FAIRNESS_INPUT_H

#include "cli/cli.h"
#include "data/table.h"
#include "report/fairness_document.h"

struct plain_codes;

struct fairness_arrays {
    struct fairness_input in;
    struct assessment_factor factors[FAIRNESS_COLUMNS_MAX]; /* sensitive, then control */
    struct plain_codes *codes;                              /* of them */
    size_t code_count;
    uint8_t *y, *decision;
    double *value, *predicted, *weight, *features;
    int32_t *y_class, *decision_class;
    char **classes;
    uint32_t class_count;
    char *positive; /* "deny = yes" */
    json_t *notes;  /* sentences: what was inferred, binned */
};

void fairness_arrays_done(struct fairness_arrays *a); /* zeroed is fine */
/* Whether label and prediction are numbers: as --task says, or else with more values than two. */
struct status fairness_is_numeric(struct cli *c, const struct table *t, bool *ret_numeric);
struct status fairness_arrays_read(struct cli *c, const struct table *t, struct fairness_arrays *a);

#endif
