/* Charts of the model's mistakes: the error tree and the heat map. */
#include "report/html_parts.h"
#include "report/html_svg.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define NODE_WIDTH 190
#define NODE_STEP 226 /* from one depth to the next */
#define LEAF_STEP 54
#define FEW 20 /* rows: a cell with fewer is shown faintly */

static json_int_t
child(const json_t *node, const char *side)
{
    return json_integer_value(json_object_get(node, side));
}

static int
count_leaves(const json_t *tree, json_int_t k)
{
    const json_t *n = json_array_get(tree, (size_t)k);
    return child(n, "left") < 0
               ? 1
               : count_leaves(tree, child(n, "left")) + count_leaves(tree, child(n, "right"));
}

struct drawing {
    const json_t *tree;
    json_int_t worst;
    double top_rate;
    double next_y;      /* of the next leaf */
    const char *metric; /* shown in the nodes; "": the error rate */
    struct buf *b;
};

/* "12.3 % wrong (34 of 277)", or "recall_score 0.81 (277 rows)". */
static void
put_figure(const struct drawing *d, const json_t *n, char *ret_text, size_t size)
{
    const json_t *m = json_object_get(json_object_get(n, "metrics"), d->metric);
    if (*d->metric == '\0' || strcmp(d->metric, "error_rate") == 0) {
        (void)snprintf(ret_text, size, "%.1f %% wrong (%.0f of %.0f)",
                       100 * document_number(n, "error_rate"), document_number(n, "errors"),
                       document_number(n, "rows"));
    } else {
        (void)snprintf(ret_text, size, "%s %.3g (%.0f)", d->metric, document_number(m, "value"),
                       document_number(n, "rows"));
    }
}

static void
put_link(struct buf *b, double x, double y, double to_y)
{
    const double bend = (NODE_STEP - NODE_WIDTH) / 2.0, from = x + NODE_WIDTH;
    buf_printf(b, "<path class=\"link\" d=\"M%.1f %.1fC%.1f %.1f %.1f %.1f %.1f %.1f\"/>", from, y,
               from + bend, y, from + bend, to_y, x + NODE_STEP, to_y);
}

static void
put_node(const struct drawing *d, json_int_t k, double x, double y)
{
    const json_t *n = json_array_get(d->tree, (size_t)k);
    const double rate = document_number(n, "error_rate");
    char text[96];
    svg_rect(d->b, "box", x, y - 22, NODE_WIDTH, 44, 1);
    svg_rect(d->b, "heat", x, y - 22, NODE_WIDTH, 44,
             d->top_rate > 0 ? 0.6 * rate / d->top_rate : 0);
    if (k == d->worst) {
        svg_rect(d->b, "worst", x, y - 22, NODE_WIDTH, 44, 1);
    }
    svg_label(d->b, x + 9, y - 5, "start", "", 27, k == 0 ? "all rows" : document_text(n, "step"));
    put_figure(d, n, text, sizeof text);
    svg_label(d->b, x + 9, y + 13, "start", "t", 40, text);
}

/* Left to right: depth is x, leaves go down. Returns the node's y. */
static double
draw_node(struct drawing *d, json_int_t k)
{
    const json_t *n = json_array_get(d->tree, (size_t)k);
    const double x = 2 + NODE_STEP * document_number(n, "depth");
    double y = d->next_y;
    if (child(n, "left") < 0) {
        d->next_y += LEAF_STEP;
    } else {
        const double a = draw_node(d, child(n, "left")), c = draw_node(d, child(n, "right"));
        y = (a + c) / 2;
        put_link(d->b, x, y, a);
        put_link(d->b, x, y, c);
    }
    put_node(d, k, x, y);
    return y;
}

void
html_chart_tree(const json_t *errors, struct buf *b)
{
    const json_t *tree = json_object_get(errors, "tree");
    struct drawing d = {.tree = tree,
                        .worst = child(errors, "worst"),
                        .next_y = 26,
                        .metric = document_text(errors, "metric"),
                        .b = b};
    size_t i = 0;
    json_t *n = NULL;
    double depth = 0;
    json_array_foreach((json_t *)(uintptr_t)tree, i, n)
    {
        d.top_rate = fmax(d.top_rate, document_number(n, "error_rate"));
        depth = fmax(depth, document_number(n, "depth"));
    }
    if (json_array_size(tree) == 0) {
        return;
    }
    svg_open(b, (int)(NODE_STEP * depth) + NODE_WIDTH + 4, count_leaves(tree, 0) * LEAF_STEP + 2,
             depth > 1, "Error tree: where the model is wrong more often");
    (void)draw_node(&d, 0);
    svg_close(b);
}

/* ---- heat map ---- */

#define CELL_HEIGHT 42.0
#define MAP_LEFT 138.0

/* The highest rate among the cells with rows enough. */
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
            top = rows >= FEW ? fmax(top, wrong / rows) : top;
        }
    }
    return top;
}

static void
put_cell(const json_t *c, double x, double y, double w, double top, bool share, struct buf *b)
{
    const double rows = json_number_value(json_array_get(c, 0)),
                 wrong = json_number_value(json_array_get(c, 1));
    char text[32];
    svg_rect(b, "box", x, y, w - 3, CELL_HEIGHT - 3, 1);
    if (!(rows > 0)) {
        return;
    }
    const bool few = rows < FEW;
    if (!few && top > 0) {
        svg_rect(b, "heat", x, y, w - 3, CELL_HEIGHT - 3, 0.75 * wrong / rows / top);
    }
    (void)snprintf(text, sizeof text, share ? "%.0f %%" : "%.3g", (share ? 100 : 1) * wrong / rows);
    svg_label(b, x + w / 2 - 1, y + 17, "middle", few ? "s" : "", 12, text);
    (void)snprintf(text, sizeof text, "of %.0f", rows);
    svg_label(b, x + w / 2 - 1, y + 32, "middle", few ? "s" : "t", 12, text);
}

static void
put_axes(const json_t *map, size_t nx, size_t ny, double w, struct buf *b)
{
    const json_t *x = json_object_get(map, "x"), *y = json_object_get(map, "y");
    const double bottom = CELL_HEIGHT * (double)ny;
    const size_t letters = (size_t)(w / 7);
    for (size_t i = 0; i < ny; i++) {
        svg_label(b, MAP_LEFT - 10, 24 + CELL_HEIGHT * (double)i, "end", "s", 15,
                  document_text(json_array_get(json_object_get(y, "bins"), i), "label"));
    }
    for (size_t i = 0; i < nx; i++) {
        svg_label(b, MAP_LEFT + w * ((double)i + 0.5), bottom + 18, "middle", "s", letters,
                  document_text(json_array_get(json_object_get(x, "bins"), i), "label"));
    }
    svg_label(b, MAP_LEFT + w * (double)nx / 2, bottom + 42, "middle", "", 60,
              document_text(x, "feature"));
    buf_printf(b, "<g transform=\"translate(13 %.1f) rotate(-90)\">", bottom / 2);
    svg_label(b, 0, 0, "middle", "", (size_t)(bottom / 8), document_text(y, "feature"));
    buf_put_str(b, "</g>");
}

void
html_chart_map(const json_t *errors, struct buf *b)
{
    const json_t *map = json_object_get(errors, "map"), *cells = json_object_get(map, "cells");
    const size_t ny = json_array_size(cells), nx = json_array_size(json_array_get(cells, 0));
    if (nx == 0 || ny == 0) {
        return;
    }
    const bool share = strcmp(document_text(errors, "task"), "numeric") != 0;
    const double w = fmax(64, fmin(104, 640 / (double)nx)), top = map_top(cells);
    svg_open(b, (int)(MAP_LEFT + w * (double)nx) + 4, (int)(CELL_HEIGHT * (double)ny) + 52, nx > 3,
             "Error rate by two features");
    for (size_t y = 0; y < ny; y++) {
        for (size_t x = 0; x < nx; x++) {
            put_cell(json_array_get(json_array_get(cells, y), x), MAP_LEFT + w * (double)x,
                     1 + CELL_HEIGHT * (double)y, w, top, share, b);
        }
    }
    put_axes(map, nx, ny, w, b);
    svg_close(b);
}
