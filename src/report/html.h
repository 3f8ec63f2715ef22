/* html: the assessment report: one self-contained HTML file with inline SVG and CSS, no script
 * needed, no network, its size bounded by features and groups, not rows. Drawn from the assessment
 * document alone. */
#ifndef STEWARD_REPORT_HTML_H
#define STEWARD_REPORT_HTML_H

#include "base/json.h"

#define HTML_MAX_BYTES (8u << 20)

struct status html_report(const json_t *document, struct diag *diag, struct buf *ret_html);

/* The errors document (report/errors_document.h) as a section, and as a page of its own. */
struct status html_errors(const json_t *document, struct buf *b);
/* Its metrics, confusion and calibration, which the section leaves to another. */
struct status html_errors_figures(const json_t *document, struct buf *b);
struct status html_errors_page(const json_t *document, struct buf *ret_html);

#endif
