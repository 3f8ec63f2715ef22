/* answers: what a model answered for the rows of a table, as a column of it: the caller's to
 * release, as a table's, and to name. */
#ifndef STEWARD_WORKSPACE_ANSWERS_H
#define STEWARD_WORKSPACE_ANSWERS_H

#include "workspace/models.h"

/* score[rows * outputs]: of a regression the answers; decision[rows]: of a binary classifier 1
 * where positive, else unused. A decision and the likeliest of several classes are spelled as the
 * label is. */
struct status answers_column(const struct model *m, const double *score, const uint8_t *decision,
                             uint64_t rows, struct column *ret_column);
/* The class with the highest score, of equal ones the first; names[count] in the scores' order. */
struct status answers_classes(const char *const *names, uint32_t count, const double *score,
                              uint64_t rows, struct column *ret_column);

#endif
