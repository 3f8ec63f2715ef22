/* cohort: an SQL predicate over one table ("age > 40 and sex = 'F'"), evaluated by DuckDB against
 * that table only. The predicate is one boolean expression: no statement, subquery, function that
 * reads anything but its arguments, file, setting or other table is reachable; there is no way from
 * a cohort to the file system. A row for which it is null is not in the cohort. */
#ifndef STEWARD_DATA_COHORT_H
#define STEWARD_DATA_COHORT_H

#include "data/outcome.h"

#define COHORT_MAX_BYTES 4096u

/* ret_in[rows]: 1 where the predicate holds, else 0. ret_unknown, if given: rows of these for which
 * it is neither true nor false, since a value that it asks for is missing. outcome: what the
 * predicate may name beside the columns of t, or NULL. */
struct status cohort_select(const struct table *t, struct outcome *outcome, const char *predicate,
                            struct diag *diag, uint8_t *ret_in, uint64_t *ret_unknown);

#endif
