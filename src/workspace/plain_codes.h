/* plain_codes: a table's column as codes with names, whatever its type, for analyses of groups:
 * categories and truth values by level, numbers and times by value where there are few, otherwise
 * by intervals of about as many rows each. */
#ifndef STEWARD_WORKSPACE_PLAIN_CODES_H
#define STEWARD_WORKSPACE_PLAIN_CODES_H

#include "data/table.h"

struct plain_codes {
    const char *name; /* the column's */
    int32_t *codes;   /* rows: 0..levels-1, -1 missing */
    const char **names;
    uint32_t levels; /* 0: text, or no value at all; codes are then 0 or -1 */
    bool ordered;    /* intervals or numbers, ascending */
    bool cut;        /* intervals: some levels are several values */
    void *memory;    /* of the names */
    char *joined;    /* of those of facets */
};

/* intervals: at most this many (<= BINS_MOST); a number with at most as many values keeps them. The
 * table must live on. Release with plain_codes_done, also after a failure. */
struct status plain_codes_of(const struct table *t, const struct column *c, uint32_t intervals,
                             struct plain_codes *ret_codes);
/* Two levels, "<= 0.5" and "> 0.5", of a column of numbers. */
struct status plain_codes_cut(const struct table *t, const struct column *c, double at,
                              struct plain_codes *ret_codes);
/* Of a column of numbers: "< 30", "30 to < 60", ">= 60" of the n > 0 edges, which ascend. */
struct status plain_codes_by_edges(const struct table *t, const struct column *c,
                                   const double *edges, size_t n, struct plain_codes *ret_codes);
/* The levels i with the same facet[i] of 1..facets become one, named by all of them, in the first
 * one's place; 0 stays as it is. Once. */
struct status plain_codes_join(const struct table *t, const uint32_t *facet, uint32_t facets,
                               struct plain_codes *p);
void plain_codes_done(struct plain_codes *p); /* zeroed is fine */

#endif
