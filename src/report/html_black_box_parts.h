/* html_black_box_parts: what the sources of the black-box section share. */
#ifndef STEWARD_REPORT_HTML_BLACK_BOX_PARTS_H
#define STEWARD_REPORT_HTML_BLACK_BOX_PARTS_H

#include "report/document.h"

/* Profiles and effects: one chart a feature, the ones that move the answer most first, each with
 * its numbers in a table. */
struct status html_black_box_lines(const json_t *document, struct buf *b);

#endif
