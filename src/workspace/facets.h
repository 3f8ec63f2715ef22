/* facets: the values of a sensitive or control column as groups, as a person asks for them:
 * intervals "COLUMN=A,B" (a column of numbers is cut there), facets "COLUMN=V,W" (these values
 * together are one group, held against all others: Clarify's facet of several values), quantiles
 * for the other numbers. */
#ifndef STEWARD_WORKSPACE_FACETS_H
#define STEWARD_WORKSPACE_FACETS_H

#include "workspace/plain_codes.h"

#define FACETS_MAX 64u      /* texts of each kind */
#define FACETS_INTERVALS 4u /* that numbers are cut into where nothing is said */

/* Borrows the texts. */
struct facets {
    const char *interval[FACETS_MAX]; /* of the same column the last one holds */
    const char *facet[FACETS_MAX];
    size_t intervals, facets;
    uint32_t bins; /* at most so many intervals of about as many rows, of a number of many values */
};

/* Of the column; ret_by_edges: cut by intervals. INPUT with a sentence. Release with
 * plain_codes_done, also after a failure. */
struct status facets_codes(const struct facets *f, const struct table *t,
                           const struct column *column, struct diag *diag,
                           struct plain_codes *ret_codes, bool *ret_by_edges);
/* INPUT where one of the texts names a column that is none of codes[n]. */
struct status facets_check(const struct facets *f, const struct plain_codes *codes, size_t n,
                           struct diag *diag);

#endif
