/* html_fairness: the fairness document (report/fairness_document.h) as a section of a page, and as
 * a page of its own. Bounded: the groups that are drawn are HTML_GROUPS, the groupings
 * HTML_FAIRNESS_GROUPINGS; what is left out is told. */
#ifndef STEWARD_REPORT_HTML_FAIRNESS_H
#define STEWARD_REPORT_HTML_FAIRNESS_H

#include "base/json.h"

#define HTML_FAIRNESS_GROUPINGS 40u

struct status html_fairness(const json_t *document, struct buf *b);
struct status html_fairness_page(const json_t *document, struct buf *ret_html);

#endif
