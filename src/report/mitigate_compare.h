/* mitigate_compare: an old and a new version of a model, side by side: the figures of their two
 * assessments (docs/spec/mitigation.md), as JSON, and as a page. */
#ifndef STEWARD_REPORT_MITIGATE_COMPARE_H
#define STEWARD_REPORT_MITIGATE_COMPARE_H

#include "base/json.h"

/* note: "mitigation" of the new version's manifest, which tells the figure that the groups are
 * shown by; before, after: assessment documents of the same rows. ret_comparison: an array of
 * blocks, of all rows, then of each grouping. What a figure is not defined for is null. */
struct status mitigate_compare(const json_t *note, const json_t *before, const json_t *after,
                               json_t **ret_comparison);
/* What the training itself reached: whether one answer keeps the bound, and what the least loss was
 * if not; sentences, appended. Nothing of a method that has no bound. */
void mitigate_put_reached(const json_t *note, struct buf *ret_text);
/* result: {"model", "before", "after", "comparison"}. remarks: array of sentences. */
struct status html_mitigated_page(const json_t *result, const json_t *remarks,
                                  struct buf *ret_html);

#endif
