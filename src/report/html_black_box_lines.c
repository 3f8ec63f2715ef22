/* Charts of a feature's profile or effect: lines with bands for numbers, dots with intervals for
 * categories. */
#include "report/html_black_box_parts.h"

#include "report/html_parts.h"
#include "report/html_svg.h"

#include <math.h>
#include <stdio.h>

#define CHARTS 24u
#define CURVES_DRAWN 60u
#define LEVELS_DRAWN 24u
#define LEFT 52.0
#define RIGHT 462.0
#define TOP 10.0
#define BOTTOM 190.0
#define LEVEL_ROW 26

struct line {
    const json_t *feature, *at, *value, *low, *high, *curves;
    size_t n;
    double x0, x1, y0, y1; /* ranges */
};

static double
number_at(const json_t *list, size_t i)
{
    const json_t *v = json_array_get(list, i);
    return json_is_number(v) ? json_number_value(v) : (double)NAN;
}

static void
widen(struct line *l, double v)
{
    if (!isnan(v)) {
        l->y0 = fmin(l->y0, v);
        l->y1 = fmax(l->y1, v);
    }
}

/* A curve as the difference from its first point, beside the mean at that point. */
static double
centred(const struct line *l, const json_t *curve, size_t i)
{
    return number_at(curve, i) - number_at(curve, 0) + number_at(l->value, 0);
}

static const json_t *
curve_of(const struct line *l, size_t c)
{
    return json_array_get(json_object_get(json_array_get(l->curves, c), "outputs"), 0);
}

static size_t
curves_drawn(const struct line *l)
{
    const size_t n = json_array_size(l->curves);
    return n < CURVES_DRAWN ? n : CURVES_DRAWN;
}

static struct line
line_of(const json_t *feature)
{
    const json_t *o = json_array_get(json_object_get(feature, "outputs"), 0);
    const json_t *mean = json_object_get(o, "mean");
    struct line l = {.feature = feature,
                     .at = json_object_get(feature, "at"),
                     .value = mean != NULL ? mean : json_object_get(o, "effect"),
                     .low = json_object_get(o, "low"),
                     .high = json_object_get(o, "high"),
                     .curves = json_object_get(feature, "curves"),
                     .y0 = (double)INFINITY,
                     .y1 = -(double)INFINITY};
    l.n = json_array_size(l.value);
    l.x0 = number_at(l.at, 0);
    l.x1 = l.n > 0 ? number_at(l.at, l.n - 1) : l.x0;
    for (size_t i = 0; i < l.n; i++) {
        widen(&l, number_at(l.value, i));
        widen(&l, number_at(l.low, i));
        widen(&l, number_at(l.high, i));
        for (size_t c = 0; c < curves_drawn(&l); c++) {
            widen(&l, centred(&l, curve_of(&l, c), i));
        }
    }
    return l;
}

static double
x_of(const struct line *l, size_t i)
{
    const double v = number_at(l->at, i);
    return l->x1 > l->x0 ? LEFT + (v - l->x0) / (l->x1 - l->x0) * (RIGHT - LEFT) : LEFT;
}

static double
y_of(const struct line *l, double v)
{
    return l->y1 > l->y0 ? BOTTOM - (v - l->y0) / (l->y1 - l->y0) * (BOTTOM - TOP)
                         : (TOP + BOTTOM) / 2;
}

static void
put_axis(const struct line *l, struct buf *b)
{
    char text[32];
    for (int k = 0; k <= 4; k++) {
        const double v = l->y0 + (l->y1 - l->y0) * k / 4;
        (void)snprintf(text, sizeof text, "%.3g", v);
        svg_line(b, "g", LEFT, y_of(l, v), RIGHT, y_of(l, v));
        svg_label(b, LEFT - 5, y_of(l, v) + 4, "end", "s", 9, text);
    }
    for (int k = 0; k <= 2; k++) {
        const double v = l->x0 + (l->x1 - l->x0) * k / 2;
        (void)snprintf(text, sizeof text, "%.4g", v);
        svg_label(b, LEFT + (RIGHT - LEFT) * k / 2, BOTTOM + 18,
                  k == 0   ? "start"
                  : k == 1 ? "middle"
                           : "end",
                  "s", 12, text);
    }
}

static void
put_band(const struct line *l, struct buf *b)
{
    bool whole = l->n > 1;
    for (size_t i = 0; i < l->n; i++) {
        whole = whole && !isnan(number_at(l->low, i)) && !isnan(number_at(l->high, i));
    }
    if (!whole) {
        return;
    }
    buf_put_str(b, "<path class=\"b\" fill-opacity=\".18\" d=\"");
    for (size_t i = 0; i < 2 * l->n; i++) {
        const size_t k = i < l->n ? i : 2 * l->n - 1 - i;
        const double v = number_at(i < l->n ? l->high : l->low, k);
        buf_printf(b, "%s%.1f %.1f", i == 0 ? "M" : "L", x_of(l, k), y_of(l, v));
    }
    buf_put_str(b, "Z\"/>");
}

static void
put_curves(const struct line *l, struct buf *b)
{
    for (size_t c = 0; c < curves_drawn(l); c++) {
        buf_put_str(b, "<path class=\"link\" d=\"");
        for (size_t i = 0; i < l->n; i++) {
            buf_printf(b, "%s%.1f %.1f", i == 0 ? "M" : "L", x_of(l, i),
                       y_of(l, centred(l, curve_of(l, c), i)));
        }
        buf_put_str(b, "\"/>");
    }
}

static void
put_numbers_chart(const struct line *l, const char *title, struct buf *b)
{
    svg_open(b, 470, (int)BOTTOM + 26, false, title);
    put_axis(l, b);
    put_curves(l, b);
    put_band(l, b);
    buf_put_str(b, "<path class=\"bl\" d=\"");
    for (size_t i = 0; i < l->n; i++) {
        buf_printf(b, "%s%.1f %.1f", i == 0 ? "M" : "L", x_of(l, i),
                   y_of(l, number_at(l->value, i)));
    }
    buf_put_str(b, "\"/>");
    for (size_t i = 0; i < l->n; i++) { /* where it was asked */
        svg_line(b, "a", x_of(l, i), BOTTOM, x_of(l, i), BOTTOM + 4);
    }
    svg_close(b);
}

static void
put_levels_chart(const struct line *l, const char *title, struct buf *b)
{
    const size_t n = l->n < LEVELS_DRAWN ? l->n : LEVELS_DRAWN;
    const double scale = 220 / (l->y1 > l->y0 ? l->y1 - l->y0 : 1);
    svg_open(b, 470, (int)n * LEVEL_ROW + 4, false, title);
    for (size_t i = 0; i < n; i++) {
        char text[32];
        const double y = 14 + LEVEL_ROW * (double)i, v = number_at(l->value, i);
        const double low = number_at(l->low, i), high = number_at(l->high, i);
        (void)snprintf(text, sizeof text, "%.4g", v);
        svg_label(b, 150, y + 4, "end", "", 20, json_string_value(json_array_get(l->at, i)));
        if (!isnan(low) && !isnan(high)) {
            svg_line(b, "ci", 165 + (low - l->y0) * scale, y, 165 + (high - l->y0) * scale, y);
        }
        svg_dot(b, "b", 165 + (v - l->y0) * scale, y, 5);
        svg_label(b, 466, y + 4, "end", "s", 12, text);
    }
    svg_close(b);
    if (l->n > n) {
        buf_printf(b, "<p class=\"soft small\">The first %zu of %zu categories.</p>", n, l->n);
    }
}

static void
put_table(const struct line *l, struct buf *b)
{
    buf_put_str(b, "<details><summary>Numbers</summary><table><thead><tr><th>at</th><th>answer"
                   "</th><th>from</th><th>to</th></tr></thead><tbody>");
    for (size_t i = 0; i < l->n && i < 100; i++) {
        const json_t *at = json_array_get(l->at, i);
        buf_put_str(b, "<tr><th>");
        if (json_is_string(at)) {
            html_put(b, json_string_value(at));
        } else {
            buf_printf(b, "%.6g", json_number_value(at));
        }
        buf_printf(b, "</th><td>%.5g</td>", number_at(l->value, i));
        for (int end = 0; end < 2; end++) {
            const double v = number_at(end == 0 ? l->low : l->high, i);
            buf_printf(b, isnan(v) ? "<td>&ndash;</td>" : "<td>%.5g</td>", v);
        }
        buf_put_str(b, "</tr>");
    }
    buf_put_str(b, "</tbody></table></details>");
}

static void
put_chart(const json_t *feature, struct buf *b)
{
    const struct line l = line_of(feature);
    char title[160];
    (void)snprintf(title, sizeof title, "The model's answer along %.100s",
                   document_text(feature, "feature"));
    buf_put_str(b, "<div class=\"card\"><h4>");
    html_put(b, document_text(feature, "feature"));
    buf_put_str(b, "</h4>");
    if (l.n < 2) {
        buf_put_str(b, "<p class=\"soft\">One value: nothing to follow.</p></div>");
        return;
    }
    if (json_is_string(json_array_get(l.at, 0))) {
        put_levels_chart(&l, title, b);
    } else {
        put_numbers_chart(&l, title, b);
    }
    if (document_number(feature, "missing") > 0) {
        buf_printf(b, "<p class=\"soft small\">%.0f rows have no value here.</p>",
                   document_number(feature, "missing"));
    }
    if (document_text(feature, "order")[0] == 'a' && json_is_string(json_array_get(l.at, 0))) {
        buf_printf(b, "<p class=\"soft small\">Order of the categories: %s.</p>",
                   document_text(feature, "order"));
    }
    put_table(&l, b);
    buf_put_str(b, "</div>");
}

/* How far the mean or effect goes up and down: what is drawn first. */
static double
reach(const json_t *feature)
{
    const struct line l = line_of(feature);
    double low = (double)INFINITY, high = -(double)INFINITY;
    for (size_t i = 0; i < l.n; i++) {
        low = fmin(low, number_at(l.value, i));
        high = fmax(high, number_at(l.value, i));
    }
    return high > low ? high - low : 0;
}

struct status
html_black_box_lines(const json_t *document, struct buf *b)
{
    const json_t *profiles = json_object_get(document, "profiles");
    const json_t *list = profiles != NULL ? profiles : json_object_get(document, "effects");
    const size_t n = json_array_size(list);
    DEFER(memory_freep) double *size = calloc(n + 1, sizeof *size);
    CHECK(size != NULL, MEMORY);
    for (size_t i = 0; i < n; i++) {
        size[i] = reach(json_array_get(list, i));
    }
    buf_put_str(b, "<div class=\"two\">");
    for (size_t k = 0; k < n && k < CHARTS; k++) {
        size_t best = 0;
        for (size_t i = 1; i < n; i++) {
            best = size[i] > size[best] ? i : best;
        }
        size[best] = -1;
        put_chart(json_array_get(list, best), b);
    }
    buf_put_str(b, "</div>");
    if (n > CHARTS) {
        buf_printf(b,
                   "<p class=\"soft small\">The %u of %zu features that move the answer most; the "
                   "JSON has all.</p>",
                   CHARTS, n);
    }
    return OK;
}
