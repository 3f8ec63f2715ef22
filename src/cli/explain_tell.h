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
struct status explain_tell_drawn(const struct attribution *a, json_t *remarks);
/* The sentence of a failure of attribution_new, or attribution_rows. */
struct status explain_tell_failure(struct cli *c, const struct explain_background *b, bool pairs,
                                   struct status s);

#endif
