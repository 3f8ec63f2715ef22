/* html_svg: the marks that the charts are made of. Not for other folders. Lengths in SVG user
 * units; text is 13 units high. */
#ifndef STEWARD_REPORT_HTML_SVG_H
#define STEWARD_REPORT_HTML_SVG_H

#include "base/bytes.h"

/* Scales down to the column, not up; `wide` ones keep a readable size and scroll sideways. */
void svg_open(struct buf *b, int width, int height, bool wide, const char *title);
void svg_close(struct buf *b);
/* At most `letters` of the text; a longer one is cut and whole in its tooltip. */
void svg_label(struct buf *b, double x, double y, const char *anchor, const char *class,
               size_t letters, const char *text);
void svg_line(struct buf *b, const char *class, double x1, double y1, double x2, double y2);
void svg_rect(struct buf *b, const char *class, double x, double y, double w, double h,
              double opacity);
void svg_dot(struct buf *b, const char *class, double x, double y, double r);
/* A round step that makes at most five ticks up to `most`. */
double svg_tick_step(double most);

#endif
