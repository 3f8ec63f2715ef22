/* html_parts: what the report's sources share: escaping, and the charts as inline SVG. Not for
 * other folders. All charts use CSS classes, so that light, dark and print differ in the style
 * sheet alone. */
#ifndef STEWARD_REPORT_HTML_PARTS_H
#define STEWARD_REPORT_HTML_PARTS_H

#include "report/document.h"

#define HTML_GROUPS 24u /* of one factor that are drawn */

extern const char html_style[];

/* A page: its head, up to a <header> and a <nav>; where its sections begin; its end. */
void html_open(const char *title, struct buf *b);
void html_main(struct buf *b);
void html_close(struct buf *b);
/* A section's begin and title, which are ours: not escaped. */
void html_section(const char *id, const char *title, struct buf *b);
/* A section of the cohort that a page of fairness or bias is of, and the rest; without one,
 * nothing. */
void html_cohort(const json_t *document, struct buf *b);
/* "What the numbers mean", one click away: n pairs of a term and what it means, not escaped. */
void html_definitions(const char *const (*definitions)[2], size_t n, struct buf *b);
/* Escaped; control characters and the ones that turn the direction of writing become U+FFFD, since
 * a column's name could otherwise reorder the text around it. */
void html_put(struct buf *b, const char *text);
/* The names of a grouping's columns: "sex and race". */
void html_put_columns(struct buf *b, const json_t *columns);
/* Each line of the text by put (html_put, html_put_prose), with `between` where one ends. */
void html_put_lines(struct buf *b, const char *text, void (*put)(struct buf *b, const char *line),
                    const char *between);
void html_put_prose(struct buf *b, const char *text); /* and keeps "a = b" and "5 %" on one line */
void html_put_percent(struct buf *b, double share, int digits); /* "12.3 %"; an en dash for NaN */

/* The groups of a factor that are drawn: all in their order, or the HTML_GROUPS largest.
 * ret_groups: ret_n borrowed items, at most HTML_GROUPS. */
struct status html_groups(const json_t *factor, const json_t *ret_groups[static HTML_GROUPS],
                          size_t *ret_n);

/* "deny = yes", of the label's "positive" or "negative"; the column where it has no such two. */
void html_answer(const json_t *document, const char *which, struct buf *b);
struct status html_performance(const json_t *document, struct buf *b); /* the section */
/* A card with the table of truth by decision, of the errors document. */
void html_errors_confusion(const json_t *errors, struct buf *b);

/* Mean truth by prediction, and how residuals are spread, of the performance of numbers. */
void html_chart_steps(const json_t *performance, struct buf *b);
void html_chart_residuals(const json_t *performance, struct buf *b);
void html_chart_roc(const json_t *performance, struct buf *b);
void html_chart_calibration(const json_t *performance, struct buf *b);
/* What "ece", "ece_ci" and "ece_noise" of a calibration say, as a paragraph. */
void html_calibration_error(const json_t *calibration, struct buf *b);
/* Horizontal bars of mean |phi|, at most 12, largest first; the others are told. */
struct status html_chart_importance(const json_t *explanation, struct buf *b);
/* From the expected margin to a row's, one step a feature: of "local" of the explain document
 * (report/explain_document.h), the output of that place. */
struct status html_chart_waterfall(const json_t *explanation, const json_t *local, size_t output,
                                   struct buf *b);
void html_chart_tree(const json_t *errors, struct buf *b);
void html_chart_map(const json_t *errors, struct buf *b);

#endif
