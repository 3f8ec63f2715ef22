/* Charts of performance, and the escaping that all share. */
#include "report/html_parts.h"

#include "base/text.h"
#include "report/html_svg.h"

#include <math.h>
#include <stdio.h>

/* " = " and " %" hold together: a line does not end before them. */
static bool
holds(const char *text, const uint8_t *t)
{
    const bool around = t[0] == ' ' && (t[1] == '=' || t[1] == '%');
    return around || (t[0] == ' ' && (const char *)t > text + 1 && t[-1] == '=' && t[-2] == ' ');
}

void
html_put(struct buf *b, const char *text)
{
    text_put_html(b, text);
}

void
html_put_columns(struct buf *b, const json_t *columns)
{
    size_t i = 0;
    json_t *name = NULL;
    json_array_foreach((json_t *)(uintptr_t)columns, i, name)
    {
        buf_put_str(b, i == 0 ? "" : " and ");
        html_put(b, json_string_value(name));
    }
}

void
html_put_prose(struct buf *b, const char *text)
{
    DEFER(buf_done) struct buf kept;
    buf_init(&kept, 4u << 20);
    for (const uint8_t *t = (const uint8_t *)text; *t != '\0'; t++) {
        if (holds(text, t)) {
            buf_put_str(&kept, "\xc2\xa0");
        } else {
            buf_put_u8(&kept, *t);
        }
    }
    text_put_html(b, buf_str(&kept));
    b->failed = b->failed != 0 ? b->failed : kept.failed;
}

void
html_put_lines(struct buf *b, const char *text, void (*put)(struct buf *b, const char *line),
               const char *between)
{
    DEFER(buf_done) struct buf line;
    buf_init(&line, strlen(text) + 1);
    while (*text != '\0') {
        const size_t n = strcspn(text, "\n");
        buf_reset(&line);
        buf_put(&line, view_of(text, n));
        put(b, buf_str(&line));
        buf_put_str(b, text[n] == '\n' ? between : "");
        text += n + (text[n] == '\n');
    }
}

void
html_put_percent(struct buf *b, double share, int digits)
{
    if (isfinite(share)) {
        buf_printf(b, "%.*f&thinsp;%%", digits, 100 * share);
    } else {
        buf_put_str(b, "&ndash;");
    }
}

/* ---- groups ---- */

struct status
html_groups(const json_t *factor, const json_t *ret_groups[static HTML_GROUPS], size_t *ret_n)
{
    const json_t *all = json_object_get(factor, "groups");
    const size_t n = json_array_size(all);
    DEFER(memory_freep) struct document_ranked *r = NULL;
    TRY(document_rank(all, "n", DOCUMENT_FARTHEST_FROM_ZERO, &r));
    *ret_n = n < HTML_GROUPS ? n : HTML_GROUPS;
    for (size_t i = 0; i < *ret_n; i++) {
        ret_groups[i] = n > HTML_GROUPS ? r[i].item : json_array_get(all, i);
    }
    return OK;
}

/* ---- performance ---- */

static void
put_square(struct buf *b, const char *x_title, const char *y_title)
{
    for (int i = 0; i <= 4; i++) {
        char text[16];
        (void)snprintf(text, sizeof text, "%.2g", i / 4.0);
        svg_line(b, "g", 50 + 75.0 * i, 10, 50 + 75.0 * i, 310);
        svg_line(b, "g", 50, 310 - 75.0 * i, 350, 310 - 75.0 * i);
        svg_label(b, 50 + 75.0 * i, 328, "middle", "s", 8, text);
        svg_label(b, 43, 314 - 75.0 * i, "end", "s", 8, text);
    }
    svg_label(b, 200, 350, "middle", "s", 60, x_title);
    buf_put_str(
        b, "<text transform=\"translate(13 160) rotate(-90)\" text-anchor=\"middle\" class=\"s\">");
    html_put(b, y_title);
    buf_put_str(b, "</text>");
    svg_line(b, "d", 50, 310, 350, 10);
}

void
html_chart_roc(const json_t *performance, struct buf *b)
{
    size_t i = 0;
    json_t *point = NULL;
    svg_open(b, 365, 360, false, "ROC curve: true positive rate against false positive rate");
    put_square(b, "false positive rate", "true positive rate");
    buf_put_str(b, "<path class=\"bl\" d=\"M50 310");
    json_array_foreach(json_object_get(performance, "roc"), i, point)
    {
        buf_printf(b, "L%.1f %.1f", 50 + 300 * json_number_value(json_array_get(point, 0)),
                   310 - 300 * json_number_value(json_array_get(point, 1)));
    }
    buf_put_str(b, "\"/>");
    svg_close(b);
}

void
html_calibration_error(const json_t *calibration, struct buf *b)
{
    buf_printf(b,
               "<p class=\"soft small\">Expected calibration error %.4f (%.4f to %.4f); of a "
               "perfectly calibrated model chance alone would make %.4f.</p>",
               document_number(calibration, "ece"), document_end(calibration, "ece_ci", 0),
               document_end(calibration, "ece_ci", 1), document_number(calibration, "ece_noise"));
}

void
html_chart_calibration(const json_t *performance, struct buf *b)
{
    size_t i = 0;
    json_t *bin = NULL;
    svg_open(b, 365, 360, false,
             "Calibration: observed share against mean predicted probability, with 95 percent "
             "intervals");
    put_square(b, "mean predicted probability", "observed share");
    json_array_foreach(json_object_get(performance, "calibration"), i, bin)
    {
        const double x = 50 + 300 * document_number(bin, "mean_score");
        svg_line(b, "ci", x, 310 - 300 * document_end(bin, "ci", 0), x,
                 310 - 300 * document_end(bin, "ci", 1));
        svg_dot(b, "b", x, 310 - 300 * document_number(bin, "observed"), 4.5);
    }
    svg_close(b);
}

/* ---- numbers ---- */

/* Both axes alike, over all that is drawn. */
struct square {
    double low, high;
};

static double
share_of(const struct square *s, double v)
{
    return (v - s->low) / (s->high > s->low ? s->high - s->low : 1);
}

static struct square
square_of(const json_t *steps)
{
    struct square s = {INFINITY, -INFINITY};
    for (size_t i = 0; i < json_array_size(steps); i++) {
        const json_t *k = json_array_get(steps, i);
        const double low = document_end(k, "ci", 0), high = document_end(k, "ci", 1),
                     values[] = {document_number(k, "mean_prediction"),
                                 document_number(k, "mean_truth"), low, high};
        for (size_t j = 0; j < sizeof values / sizeof *values; j++) {
            s.low = isfinite(values[j]) ? fmin(s.low, values[j]) : s.low;
            s.high = isfinite(values[j]) ? fmax(s.high, values[j]) : s.high;
        }
    }
    return isfinite(s.low) ? s : (struct square){0, 1};
}

static void
put_number_square(struct buf *b, const struct square *s)
{
    for (int i = 0; i <= 4; i++) {
        char text[24];
        const double at = s->low + (s->high - s->low) * i / 4;
        (void)snprintf(text, sizeof text, "%s%.3g", at < 0 ? "\xe2\x88\x92" : "", fabs(at));
        svg_line(b, "g", 60 + 75.0 * i, 10, 60 + 75.0 * i, 310);
        svg_line(b, "g", 60, 310 - 75.0 * i, 360, 310 - 75.0 * i);
        svg_label(b, 60 + 75.0 * i, 328, "middle", "s", 12, text);
        svg_label(b, 53, 314 - 75.0 * i, "end", "s", 12, text);
    }
    svg_label(b, 210, 350, "middle", "s", 60, "mean prediction");
    buf_put_str(b, "<text transform=\"translate(13 160) rotate(-90)\" text-anchor=\"middle\" "
                   "class=\"s\">mean truth</text>");
    svg_line(b, "d", 60, 310, 360, 10);
}

void
html_chart_steps(const json_t *performance, struct buf *b)
{
    const json_t *steps = json_object_get(performance, "by_prediction");
    const struct square s = square_of(steps);
    svg_open(b, 385, 360, false,
             "Mean truth against mean prediction, in bins of about as many rows, with intervals");
    put_number_square(b, &s);
    for (size_t i = 0; i < json_array_size(steps); i++) {
        const json_t *k = json_array_get(steps, i);
        const double x = 60 + 300 * share_of(&s, document_number(k, "mean_prediction")),
                     low = document_end(k, "ci", 0), high = document_end(k, "ci", 1);
        if (isfinite(low) && isfinite(high)) {
            svg_line(b, "ci", x, 310 - 300 * share_of(&s, low), x, 310 - 300 * share_of(&s, high));
        }
        svg_dot(b, "b", x, 310 - 300 * share_of(&s, document_number(k, "mean_truth")), 4.5);
    }
    svg_close(b);
}

/* Bars as high as their rows; the ends' are as wide as the others and say how far they reach. */
void
html_chart_residuals(const json_t *performance, struct buf *b)
{
    const json_t *bins = json_object_get(json_object_get(performance, "residuals"), "bins");
    const size_t n = json_array_size(bins);
    double most = 1;
    for (size_t i = 0; i < n; i++) {
        most = fmax(most, document_number(json_array_get(bins, i), "rows"));
    }
    svg_open(b, 470, 300, false, "Rows by residual, prediction less truth");
    svg_line(b, "a", 10, 260, 460, 260);
    for (size_t i = 0; i < n; i++) {
        const json_t *k = json_array_get(bins, i);
        const double width = 450.0 / (double)n, x = 10 + width * (double)i,
                     height = 240 * document_number(k, "rows") / most;
        const bool above = document_number(k, "from") >= 0;
        char text[32];
        svg_rect(b, above ? "r" : "b", x + 1, 260 - height, width - 2, height, 1);
        if (i % 5 == 0 || i + 1 == n) {
            const double at = document_number(k, i + 1 == n ? "to" : "from");
            (void)snprintf(text, sizeof text, "%s%.3g", at < 0 ? "\xe2\x88\x92" : "", fabs(at));
            svg_label(b, i + 1 == n ? 460 : x, 280,
                      i + 1 == n ? "end"
                      : i == 0   ? "start"
                                 : "middle",
                      "s", 12, text);
        }
    }
    svg_label(b, 235, 297, "middle", "s", 60, "prediction less truth");
    svg_close(b);
}
