/* explain_tell: what `steward explain` tells a person of how attributions are got, or why they
 * cannot be. */
#ifndef STEWARD_CLI_EXPLAIN_TELL_H
#define STEWARD_CLI_EXPLAIN_TELL_H

#include "assess/attribution.h"
#include "cli/explain_background.h"

/* Remarks of an attribution that is made. */
struct status explain_tell_made(const struct attribution *a, const struct explain_background *b,
                                json_t *remarks);
/* Remarks of rows that are explained: what was drawn, and its error. */
struct status explain_tell_drawn(const struct attribution *a, bool pairs, json_t *remarks);
/* INPUT where the background's answers have no mean: base[outputs] is not finite. */
struct status explain_tell_expected(struct cli *c, const struct explain_background *b,
                                    const double *base, size_t outputs);
/* Remarks of rows that no view has: that have no margin, or an infinite answer. */
struct status explain_tell_left_out(uint64_t without, uint64_t infinite, uint64_t rows,
                                    json_t *remarks);
/* The sentence of a failure of attribution_pairs. */
struct status explain_tell_pairs(struct cli *c, const struct attribution *a, struct status s);
/* The sentence of a failure of attribution_new, or attribution_rows. */
struct status explain_tell_failure(struct cli *c, const struct explain_background *b, bool pairs,
                                   struct status s);

#endif
