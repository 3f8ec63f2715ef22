#include "report/html_svg.h"

#include "report/html_parts.h"

#include <math.h>
#include <string.h>

void
svg_open(struct buf *b, int width, int height, bool wide, const char *title)
{
    buf_printf(b, "<svg viewBox=\"0 0 %d %d\" role=\"img\" style=\"max-width:%dpx\"%s><title>",
               width, height, width, wide ? " class=\"wide\"" : "");
    html_put(b, title);
    buf_put_str(b, "</title>");
}

void
svg_close(struct buf *b)
{
    buf_put_str(b, "</svg>");
}

/* Bytes of the first `letters` characters of UTF-8. */
static size_t
bytes_of(const char *text, size_t letters)
{
    size_t n = 0, seen = 0;
    for (; text[n] != '\0'; n++) {
        seen += (text[n] & 0xc0) != 0x80;
        if (seen > letters) {
            break;
        }
    }
    return n;
}

void
svg_label(struct buf *b, double x, double y, const char *anchor, const char *class, size_t letters,
          const char *text)
{
    const size_t n = bytes_of(text, letters);
    buf_printf(b, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" class=\"%s\">", x, y, anchor,
               class);
    if (text[n] == '\0') {
        html_put(b, text);
    } else {
        DEFER(buf_done) struct buf cut;
        buf_init(&cut, letters * 4 + 8);
        buf_put(&cut, view_of(text, bytes_of(text, letters - 1)));
        html_put(b, buf_str(&cut));
        buf_put_str(b, "\xe2\x80\xa6<title>");
        html_put(b, text);
        buf_put_str(b, "</title>");
    }
    buf_put_str(b, "</text>");
}

void
svg_line(struct buf *b, const char *class, double x1, double y1, double x2, double y2)
{
    buf_printf(b, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>", class, x1,
               y1, x2, y2);
}

void
svg_rect(struct buf *b, const char *class, double x, double y, double w, double h, double opacity)
{
    buf_printf(b,
               "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"3\" "
               "fill-opacity=\"%.2f\"/>",
               class, x, y, w < 0 ? 0 : w, h, opacity);
}

void
svg_dot(struct buf *b, const char *class, double x, double y, double r)
{
    buf_printf(b, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"/>", class, x, y, r);
}

double
svg_tick_step(double most)
{
    const double raw = most / 5, power = pow(10, floor(log10(raw > 0 ? raw : 1)));
    const double m = raw / power;
    return power * (m <= 1 ? 1 : m <= 2 ? 2 : m <= 5 ? 5 : 10);
}
