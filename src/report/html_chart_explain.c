/* Charts of attributions: over all rows, and of one. */
#include "report/assessment_parts.h"
#include "report/html_parts.h"
#include "report/html_svg.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define BARS 12u
#define ROW 27
#define SMALL 0.02 /* of the largest: told in words, not drawn */

static size_t
count_drawn(const struct document_ranked *r, size_t n)
{
    size_t drawn = 0;
    while (drawn < n && drawn < BARS && r[drawn].size > SMALL * r[0].size) {
        drawn++;
    }
    return drawn;
}

static void
put_others(const struct document_ranked *r, size_t drawn, size_t n, struct buf *b)
{
    if (drawn == n) {
        return;
    }
    buf_put_str(b, "<p class=\"soft small\">Hardly or not used: ");
    for (size_t i = drawn; i < n && i < drawn + BARS; i++) {
        buf_put_str(b, i == drawn ? "" : ", ");
        html_put(b, document_text(r[i].item, "feature"));
    }
    if (n > drawn + BARS) {
        buf_printf(b, " and %zu more", n - drawn - BARS);
    }
    buf_put_str(b, ".</p>");
}

struct status
html_chart_importance(const json_t *explanation, struct buf *b)
{
    const json_t *features = json_object_get(explanation, "features");
    DEFER(memory_freep) struct document_ranked *r = NULL;
    TRY(document_rank(features, "mean_abs", DOCUMENT_FARTHEST_FROM_ZERO, &r));
    const size_t n = json_array_size(features), drawn = count_drawn(r, n);
    svg_open(b, 470, (int)drawn * ROW + 4, false,
             "Mean size of each feature's attribution, largest first");
    for (size_t i = 0; i < drawn; i++) {
        char text[32];
        const double y = 2 + ROW * (double)i, width = 250 * r[i].size / r[0].size;
        (void)snprintf(text, sizeof text, "%.2f", r[i].size);
        svg_label(b, 150, y + 15, "end", "", 20, document_text(r[i].item, "feature"));
        svg_rect(b, "b", 160, y, width, 20, 1);
        svg_label(b, 168 + width, y + 15, "start", "s", 12, text);
    }
    svg_close(b);
    put_others(r, drawn, n, b);
    return OK;
}

/* ---- one row ---- */

struct span {
    double low, scale;
};

static double
x_at(const struct span *s, double v)
{
    return 208 + (v - s->low) * s->scale;
}

/* All the stops of the waterfall lie in the span. */
static struct span
waterfall_span(const struct document_ranked *r, size_t drawn, double expected, double margin)
{
    double at = expected, low = fmin(expected, margin), high = fmax(expected, margin);
    for (size_t i = 0; i < drawn; i++) {
        at += document_number(r[i].item, "phi");
        low = fmin(low, at);
        high = fmax(high, at);
    }
    return (struct span){low, 200 / (high > low ? high - low : 1)};
}

static void
put_step(const struct span *s, double from, double to, double y, const char *name, struct buf *b)
{
    char text[32];
    const double x1 = x_at(s, fmin(from, to)), x2 = x_at(s, fmax(from, to));
    (void)snprintf(text, sizeof text, "%s%.2f", to < from ? "\xe2\x88\x92" : "+", fabs(to - from));
    svg_label(b, 198, y + 15, "end", "", 27, name);
    svg_rect(b, to > from ? "r" : "b", x1, y, fmax(x2 - x1, 1.5), 20, 1);
    svg_line(b, "g", x_at(s, to), y + 20, x_at(s, to), y + ROW);
    svg_label(b, 466, y + 15, "end", "s", 12, text);
}

static void
put_stop(const struct span *s, double v, double y, const char *name, struct buf *b)
{
    char text[64];
    svg_label(b, 198, y + 15, "end", "s", 27, name);
    svg_line(b, "a", x_at(s, v), y, x_at(s, v), y + 22);
    (void)snprintf(text, sizeof text, "%s%.2f", v < 0 ? "\xe2\x88\x92" : "", fabs(v));
    const bool right = x_at(s, v) > 320;
    svg_label(b, x_at(s, v) + (right ? -7 : 7), y + 15, right ? "end" : "start", "s", 32, text);
}

/* "pirat = 0.66" */
static void
put_feature_value(const json_t *feature, const json_t *value, struct buf *b)
{
    buf_printf(b, "%s = ", document_text(feature, "feature"));
    if (json_is_string(value)) {
        buf_put_str(b, json_string_value(value));
    } else if (json_is_number(value)) {
        assessment_put_number(b, json_number_value(value));
    } else {
        buf_put_str(b, "missing");
    }
}

/* [{"step": "pirat = 0.66", "phi": 2.69}, ...], in the model's order. */
static struct status
steps_of(const json_t *explanation, const json_t *local, size_t k, json_t **ret_steps)
{
    const json_t *output = json_array_get(json_object_get(explanation, "outputs"), k);
    const json_t *own = json_array_get(json_object_get(local, "outputs"), k);
    DEFER(js_freep) json_t *list = json_array();
    size_t i = 0;
    json_t *feature = NULL;
    CHECK(list != NULL, MEMORY);
    json_array_foreach(json_object_get(output, "features"), i, feature)
    {
        DEFER(buf_done) struct buf name;
        buf_init(&name, 1u << 20);
        put_feature_value(feature, json_array_get(json_object_get(local, "values"), i), &name);
        TRY(buf_status(&name));
        json_t *o = json_pack("{s:s, s:o}", "step", buf_str(&name), "phi",
                              js_real(document_end(own, "phi", i)));
        CHECK(o != NULL && json_array_append_new(list, o) == 0, MEMORY);
    }
    *ret_steps = MOVE(list);
    return OK;
}

struct status
html_chart_waterfall(const json_t *explanation, const json_t *local, size_t k, struct buf *b)
{
    const json_t *output = json_array_get(json_object_get(explanation, "outputs"), k);
    const double expected = document_number(output, "base");
    double reached = expected;
    DEFER(js_freep) json_t *items = NULL;
    DEFER(memory_freep) struct document_ranked *r = NULL;
    TRY(steps_of(explanation, local, k, &items));
    TRY(document_rank(items, "phi", DOCUMENT_FARTHEST_FROM_ZERO, &r));
    const size_t n = json_array_size(items), drawn = count_drawn(r, n);
    for (size_t i = 0; i < n; i++) {
        reached += document_number(r[i].item, "phi");
    }
    const struct span s = waterfall_span(r, drawn, expected, reached);
    double at = expected, y = 2 + ROW;
    svg_open(b, 470, (int)(drawn + (n > drawn) + 2) * ROW + 4, false,
             "How each feature moves this row from what is expected");
    put_stop(&s, expected, 2, "expected", b);
    for (size_t i = 0; i < drawn; i++, y += ROW) {
        const double phi = document_number(r[i].item, "phi");
        put_step(&s, at, at + phi, y, document_text(r[i].item, "step"), b);
        at += phi;
    }
    if (n > drawn) {
        char text[48];
        (void)snprintf(text, sizeof text, "%zu others", n - drawn);
        put_step(&s, at, reached, y, text, b);
        y += ROW;
    }
    put_stop(&s, reached, y, "this row", b);
    svg_close(b);
    return OK;
}
