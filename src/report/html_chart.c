#include "report/html_parts.h"

#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LABEL_MAX 34u

const char *
html_text(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text == NULL ? "" : text;
}

double
html_number(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    return json_is_number(v) ? json_number_value(v) : (double)NAN;
}

double
html_end(const json_t *o, const char *key, size_t i)
{
    const json_t *v = json_array_get(json_object_get(o, key), i);
    return json_is_number(v) ? json_number_value(v) : (double)NAN;
}

void
html_put(struct buf *b, const char *text)
{
    text_put_html(b, text);
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

/* ---- small parts ---- */

static void
open_svg(struct buf *b, int width, int height, const char *title)
{
    buf_printf(b, "<svg viewBox=\"0 0 %d %d\" role=\"img\" style=\"max-width:%dpx\"><title>", width,
               height, width);
    html_put(b, title);
    buf_put_str(b, "</title>");
}

static void
close_svg(struct buf *b)
{
    buf_put_str(b, "</svg>");
}

/* A label cut to what fits, on a character's border. */
static void
put_label(struct buf *b, double x, double y, const char *anchor, const char *class,
          const char *text)
{
    char cut[LABEL_MAX * 4 + 8];
    size_t n = 0, letters = 0;
    while (text[n] != '\0' && n < sizeof cut - 8) {
        letters += (text[n] & 0xc0) != 0x80;
        if (letters > LABEL_MAX) {
            break;
        }
        n++;
    }
    memcpy(cut, text, n);
    (void)strcpy(cut + n, text[n] == '\0' ? "" : "\xe2\x80\xa6");
    buf_printf(b, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" class=\"%s\">", x, y, anchor,
               class);
    html_put(b, cut);
    buf_put_str(b, "</text>");
}

static void
put_line(struct buf *b, const char *class, double x1, double y1, double x2, double y2)
{
    buf_printf(b, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>", class, x1,
               y1, x2, y2);
}

static void
put_rect(struct buf *b, const char *class, double x, double y, double w, double h, double opacity)
{
    buf_printf(b,
               "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"2\" "
               "fill-opacity=\"%.2f\"/>",
               class, x, y, w < 0 ? 0 : w, h, opacity);
}

/* A round step that makes at most five ticks up to `most`. */
static double
tick_step(double most)
{
    const double raw = most / 5, power = pow(10, floor(log10(raw > 0 ? raw : 1)));
    const double m = raw / power;
    return power * (m <= 1 ? 1 : m <= 2 ? 2 : m <= 5 ? 5 : 10);
}

/* ---- rates by group ---- */

static double
largest_rate(const json_t *factor, const char *metric)
{
    double most = 0.05;
    size_t i = 0;
    json_t *g = NULL;
    json_array_foreach(json_object_get(factor, "groups"), i, g)
    {
        const json_t *r = json_object_get(json_object_get(g, "metrics"), metric);
        const double high = html_end(r, "ci", 1);
        if (html_number(r, "n") > 0 && high > most) {
            most = high;
        }
    }
    return most > 1 ? 1 : most;
}

static void
put_rate_row(const json_t *g, const char *metric, double x0, double scale, double y, struct buf *b)
{
    const json_t *r = json_object_get(json_object_get(g, "metrics"), metric);
    const bool judged = json_is_true(json_object_get(g, "judged"));
    const double v = html_number(r, "value");
    char text[96];
    put_label(b, x0 - 10, y + 4, "end", judged ? "" : "s", html_text(g, "group"));
    if (!isfinite(v)) {
        put_label(b, x0 + 6, y + 4, "start", "s", "no rows");
        return;
    }
    const double low = html_end(r, "ci", 0), high = html_end(r, "ci", 1);
    put_line(b, judged ? "ci" : "ci2", x0 + low * scale, y, x0 + fmin(high * scale, scale * 1.0),
             y);
    buf_printf(b, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"5.5\"/>", judged ? "b" : "weak",
               x0 + v * scale, y);
    (void)snprintf(text, sizeof text, "%.1f %%  (%.0f of %.0f)%s", 100 * v, html_number(r, "x"),
                   html_number(r, "n"), judged ? "" : ", few");
    put_label(b, 640, y + 4, "start", "s", text);
}

void
html_chart_rates(const json_t *factor, const char *metric, struct buf *b)
{
    const json_t *groups = json_object_get(factor, "groups");
    const size_t n = json_array_size(groups) > 24 ? 24 : json_array_size(groups);
    const double x0 = 210, width = 400, most = largest_rate(factor, metric), scale = width / most;
    const int height = (int)n * 30 + 34;
    char title[200];
    (void)snprintf(title, sizeof title, "%s by %.100s, with 95 percent intervals", metric,
                   html_text(factor, "factor"));
    open_svg(b, 820, height, title);
    const double step = tick_step(most);
    for (double t = 0; t <= most * 1.0001; t += step) {
        char text[32];
        (void)snprintf(text, sizeof text, "%.3g %%", 100 * t);
        put_line(b, "g", x0 + t * scale, 4, x0 + t * scale, height - 24);
        put_label(b, x0 + t * scale, height - 8, "middle", "s", text);
    }
    for (size_t i = 0; i < n; i++) {
        put_rate_row(json_array_get(groups, i), metric, x0, scale, 20 + 30 * (double)i, b);
    }
    close_svg(b);
}

/* ---- performance ---- */

static void
put_square(struct buf *b, const char *x_title, const char *y_title)
{
    for (int i = 0; i <= 4; i++) {
        char text[16];
        (void)snprintf(text, sizeof text, "%.2g", i / 4.0);
        put_line(b, "g", 50 + 75.0 * i, 10, 50 + 75.0 * i, 310);
        put_line(b, "g", 50, 310 - 75.0 * i, 350, 310 - 75.0 * i);
        put_label(b, 50 + 75.0 * i, 328, "middle", "s", text);
        put_label(b, 43, 314 - 75.0 * i, "end", "s", text);
    }
    put_label(b, 200, 350, "middle", "s", x_title);
    buf_put_str(
        b, "<text transform=\"translate(13 160) rotate(-90)\" text-anchor=\"middle\" class=\"s\">");
    html_put(b, y_title);
    buf_put_str(b, "</text>");
    put_line(b, "d", 50, 310, 350, 10);
}

void
html_chart_roc(const json_t *performance, struct buf *b)
{
    size_t i = 0;
    json_t *point = NULL;
    open_svg(b, 365, 360, "ROC curve: true positive rate against false positive rate");
    put_square(b, "false positive rate", "true positive rate");
    buf_put_str(b, "<path class=\"bl\" d=\"");
    json_array_foreach(json_object_get(performance, "roc"), i, point)
    {
        buf_printf(b, "%s%.1f %.1f", i == 0 ? "M" : "L",
                   50 + 300 * json_number_value(json_array_get(point, 0)),
                   310 - 300 * json_number_value(json_array_get(point, 1)));
    }
    buf_put_str(b, "\"/>");
    close_svg(b);
}

void
html_chart_calibration(const json_t *performance, struct buf *b)
{
    size_t i = 0;
    json_t *bin = NULL;
    open_svg(b, 365, 360,
             "Calibration: observed share against mean predicted probability, with 95 percent "
             "intervals");
    put_square(b, "mean predicted probability", "observed share");
    json_array_foreach(json_object_get(performance, "calibration"), i, bin)
    {
        const double x = 50 + 300 * html_number(bin, "mean_score");
        put_line(b, "ci", x, 310 - 300 * html_end(bin, "ci", 0), x,
                 310 - 300 * html_end(bin, "ci", 1));
        buf_printf(b, "<circle class=\"b\" cx=\"%.1f\" cy=\"%.1f\" r=\"4.5\"/>", x,
                   310 - 300 * html_number(bin, "observed"));
    }
    close_svg(b);
}

/* ---- explanation ---- */

#define BARS 12u

struct bar {
    const json_t *item;
    double size;
    size_t place;
};

static int
compare_bars(const void *a, const void *b)
{
    const struct bar *x = a, *y = b;
    const int c = (y->size > x->size) - (y->size < x->size);
    return c != 0 ? c : (x->place > y->place) - (x->place < y->place);
}

/* Items by size, largest first; the caller frees. */
static struct bar *
sort_bars(const json_t *items, const char *key, size_t *ret_n)
{
    const size_t n = json_array_size(items);
    struct bar *bars = calloc(n + 1, sizeof *bars);
    *ret_n = bars == NULL ? 0 : n;
    for (size_t i = 0; i < *ret_n; i++) {
        const json_t *item = json_array_get(items, i);
        bars[i] = (struct bar){item, fabs(html_number(item, key)), i};
    }
    if (*ret_n > 1) {
        qsort(bars, *ret_n, sizeof *bars, compare_bars);
    }
    return bars;
}

void
html_chart_importance(const json_t *explanation, struct buf *b)
{
    size_t n = 0;
    struct bar *bars = sort_bars(json_object_get(explanation, "features"), "mean_abs", &n);
    const size_t shown = n > BARS ? BARS : n;
    const double most = n > 0 && bars[0].size > 0 ? bars[0].size : 1;
    open_svg(b, 820, (int)shown * 28 + 10,
             "Mean absolute attribution of each feature, largest first");
    for (size_t i = 0; i < shown; i++) {
        char text[32];
        const double y = 6 + 28 * (double)i;
        (void)snprintf(text, sizeof text, "%.3f", bars[i].size);
        put_label(b, 200, y + 15, "end", "", html_text(bars[i].item, "feature"));
        put_rect(b, "b", 210, y, 520 * bars[i].size / most, 20, 1);
        put_label(b, 218 + 520 * bars[i].size / most, y + 15, "start", "s", text);
    }
    close_svg(b);
    if (n > shown) {
        buf_printf(
            b, "<p class=\"soft small\">and %zu further features with smaller attributions.</p>",
            n - shown);
    }
    free(bars);
}

struct span {
    double low, scale;
};

static double
x_at(const struct span *s, double v)
{
    return 330 + (v - s->low) * s->scale;
}

/* All the stops of the waterfall lie in the span. */
static struct span
waterfall_span(const struct bar *bars, size_t shown, double expected, double margin)
{
    double at = expected, low = fmin(expected, margin), high = fmax(expected, margin);
    for (size_t i = 0; i < shown; i++) {
        at += html_number(bars[i].item, "phi");
        low = fmin(low, at);
        high = fmax(high, at);
    }
    const double room = high - low > 0 ? (high - low) * 0.08 : 1;
    return (struct span){low - room, 400 / (high - low + 2 * room)};
}

static void
put_step(const struct span *s, double from, double to, double y, const char *name, struct buf *b)
{
    char text[32];
    const double x1 = x_at(s, fmin(from, to)), x2 = x_at(s, fmax(from, to));
    (void)snprintf(text, sizeof text, "%+.2f", to - from);
    put_label(b, 318, y + 15, "end", "", name);
    put_rect(b, to > from ? "r" : "b", x1, y, fmax(x2 - x1, 1), 20, 1);
    put_label(b, 742, y + 15, "start", "s", text);
}

static void
put_stop(const struct span *s, double v, double y, const char *name, struct buf *b)
{
    char text[64];
    (void)snprintf(text, sizeof text, "%.2f (p = %.1f %%)", v, 100 / (1 + exp(-v)));
    put_label(b, 318, y + 15, "end", "s", name);
    put_line(b, "a", x_at(s, v), y - 2, x_at(s, v), y + 22);
    put_label(b, x_at(s, v) + 6, y + 15, "start", "s", text);
}

void
html_chart_waterfall(const json_t *explanation, struct buf *b)
{
    const json_t *example = json_object_get(explanation, "example");
    const double expected = html_number(explanation, "expected"),
                 margin = html_number(example, "margin");
    size_t n = 0;
    struct bar *bars = sort_bars(json_object_get(example, "attributions"), "phi", &n);
    const size_t shown = n > BARS ? BARS : n;
    const struct span s = waterfall_span(bars, shown, expected, margin);
    double at = expected, y = 34;
    open_svg(b, 820, (int)shown * 26 + 66 + (n > shown ? 26 : 0),
             "How each feature moves this row's score");
    put_stop(&s, expected, 6, "average", b);
    for (size_t i = 0; i < shown; i++, y += 26) {
        DEFER(buf_done) struct buf name;
        buf_init(&name, 4096);
        const double phi = html_number(bars[i].item, "phi");
        buf_printf(&name, "%.60s = %.60s", html_text(bars[i].item, "feature"),
                   html_text(bars[i].item, "value"));
        put_step(&s, at, at + phi, y, buf_str(&name), b);
        at += phi;
    }
    if (n > shown) {
        put_step(&s, at, margin, y, "all other features", b);
        y += 26;
    }
    put_stop(&s, margin, y, "this row", b);
    close_svg(b);
    free(bars);
}

/* ---- failure cohorts ---- */

static int
count_leaves(const json_t *tree, json_int_t k)
{
    const json_t *n = json_array_get(tree, (size_t)k);
    const json_int_t left = json_integer_value(json_object_get(n, "left"));
    return left < 0 ? 1
                    : count_leaves(tree, left) +
                          count_leaves(tree, json_integer_value(json_object_get(n, "right")));
}

struct drawing {
    const json_t *tree;
    json_int_t worst;
    double top_rate;
    double next_y; /* of the next leaf */
    struct buf *b;
};

/* Left to right: depth is x, leaves go down. Returns the node's y. */
static double
draw_node(struct drawing *d, json_int_t k)
{
    const json_t *n = json_array_get(d->tree, (size_t)k);
    const json_int_t left = json_integer_value(json_object_get(n, "left"));
    const double x = 4 + 214 * html_number(n, "depth");
    double y = 0;
    if (left < 0) {
        y = d->next_y;
        d->next_y += 58;
    } else {
        const double a = draw_node(d, left),
                     c = draw_node(d, json_integer_value(json_object_get(n, "right")));
        y = (a + c) / 2;
        buf_printf(d->b,
                   "<path class=\"link\" d=\"M%.1f %.1fC%.1f %.1f %.1f %.1f %.1f %.1fM%.1f "
                   "%.1fC%.1f %.1f %.1f %.1f %.1f %.1f\"/>",
                   x + 178, y, x + 198, y, x + 194, a, x + 214, a, x + 178, y, x + 198, y, x + 194,
                   c, x + 214, c);
    }
    const double rate = html_number(n, "error_rate");
    char text[96];
    put_rect(d->b, "box", x, y - 22, 178, 44, 1);
    put_rect(d->b, "heat", x, y - 22, 178, 44, d->top_rate > 0 ? 0.55 * rate / d->top_rate : 0);
    if (k == d->worst) {
        buf_printf(
            d->b,
            "<rect class=\"worst\" x=\"%.1f\" y=\"%.1f\" width=\"178\" height=\"44\" rx=\"2\"/>", x,
            y - 22);
    }
    put_label(d->b, x + 8, y - 5, "start", "", k == 0 ? "all rows" : html_text(n, "step"));
    (void)snprintf(text, sizeof text, "%.1f %% wrong (%.0f of %.0f)", 100 * rate,
                   html_number(n, "errors"), html_number(n, "rows"));
    put_label(d->b, x + 8, y + 13, "start", "s", text);
    return y;
}

void
html_chart_tree(const json_t *errors, struct buf *b)
{
    const json_t *tree = json_object_get(errors, "tree");
    struct drawing d = {.tree = tree,
                        .worst = json_integer_value(json_object_get(errors, "worst")),
                        .next_y = 28,
                        .b = b};
    size_t i = 0;
    json_t *n = NULL;
    double depth = 0;
    json_array_foreach((json_t *)(uintptr_t)tree, i, n)
    {
        d.top_rate = fmax(d.top_rate, html_number(n, "error_rate"));
        depth = fmax(depth, html_number(n, "depth"));
    }
    if (json_array_size(tree) == 0) {
        return;
    }
    open_svg(b, (int)(4 + 214 * depth + 182), count_leaves(tree, 0) * 58 + 4,
             "Error tree: where the model is wrong more often");
    (void)draw_node(&d, 0);
    close_svg(b);
}

static double
map_top(const json_t *cells)
{
    double top = 0;
    size_t y = 0, x = 0;
    json_t *line = NULL, *c = NULL;
    json_array_foreach((json_t *)(uintptr_t)cells, y, line)
    {
        json_array_foreach(line, x, c)
        {
            const double rows = json_number_value(json_array_get(c, 0)),
                         wrong = json_number_value(json_array_get(c, 1));
            top = rows > 0 ? fmax(top, wrong / rows) : top;
        }
    }
    return top;
}

static void
put_cell(const json_t *c, double x, double y, double w, double top, struct buf *b)
{
    const double rows = json_number_value(json_array_get(c, 0)),
                 wrong = json_number_value(json_array_get(c, 1));
    char text[32];
    put_rect(b, "box", x, y, w - 3, 39, 1);
    if (!(rows > 0)) {
        return;
    }
    put_rect(b, "heat", x, y, w - 3, 39, top > 0 ? 0.75 * wrong / rows / top : 0);
    (void)snprintf(text, sizeof text, "%.0f %%", 100 * wrong / rows);
    put_label(b, x + w / 2 - 1, y + 17, "middle", "", text);
    (void)snprintf(text, sizeof text, "of %.0f", rows);
    put_label(b, x + w / 2 - 1, y + 32, "middle", "s", text);
}

void
html_chart_map(const json_t *errors, struct buf *b)
{
    const json_t *map = json_object_get(errors, "map"), *cells = json_object_get(map, "cells");
    const json_t *xs = json_object_get(json_object_get(map, "x"), "bins"),
                 *ys = json_object_get(json_object_get(map, "y"), "bins");
    const size_t nx = json_array_size(xs), ny = json_array_size(ys);
    if (nx == 0 || ny == 0) {
        return;
    }
    const double w = fmin(110, 620 / (double)nx), top = map_top(cells);
    open_svg(b, 190 + (int)(w * (double)nx) + 6, (int)ny * 42 + 60, "Error rate by two features");
    for (size_t y = 0; y < ny; y++) {
        put_label(b, 180, 26 + 42 * (double)y, "end", "s",
                  html_text(json_array_get(ys, y), "label"));
        for (size_t x = 0; x < nx; x++) {
            put_cell(json_array_get(json_array_get(cells, y), x), 190 + w * (double)x,
                     2 + 42 * (double)y, w, top, b);
        }
    }
    for (size_t x = 0; x < nx; x++) {
        put_label(b, 190 + w * ((double)x + 0.5), 42 * (double)ny + 18, "middle", "s",
                  html_text(json_array_get(xs, x), "label"));
    }
    put_label(b, 190 + w * (double)nx / 2, 42 * (double)ny + 44, "middle", "",
              html_text(json_object_get(map, "x"), "feature"));
    put_label(b, 4, 42 * (double)ny + 44, "start", "",
              html_text(json_object_get(map, "y"), "feature"));
    close_svg(b);
}
