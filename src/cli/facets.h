/* facets: the values of a sensitive or control column as groups, as the options --intervals
 * COLUMN=A,B (a column of numbers is cut there) and --facet COLUMN=V,W (these values together are
 * one group, held against all others: Clarify's facet of several values) say; both may be repeated.
 * Without them as workspace/plain_codes.h does it. */
#ifndef STEWARD_CLI_FACETS_H
#define STEWARD_CLI_FACETS_H

#include "cli/cli.h"
#include "workspace/plain_codes.h"

/* Of the column, cut into at most `bins` intervals where it is a number of many values and nothing
 * else is said; ret_by_edges: by --intervals. INPUT with a sentence. Release with plain_codes_done,
 * also after a failure. */
struct status facets_codes(struct cli *c, const struct table *t, const struct column *column,
                           uint32_t bins, struct plain_codes *ret_codes, bool *ret_by_edges);
/* INPUT where one of the options names a column that is none of codes[n]. */
struct status facets_check(struct cli *c, const struct plain_codes *codes, size_t n);

#endif
