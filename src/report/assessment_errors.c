#include "report/assessment_parts.h"

#include "assess/errors.h"
#include "base/text.h"
#include "report/predicate.h"

#include <math.h>
#include <stdlib.h>

#define TREE_DEPTH 3u
#define TREE_LEAF 20u
#define MAP_BINS 6u
#define PREDICATE_MAX (1u << 20)

/* What leads from a node to one of its children. */
struct condition {
    const struct assessment_feature *feature;
    const struct errors_node *node;
    bool left;
    bool with_missing; /* there are missing values, and they go this way */
};

static struct condition
condition_of(const struct assessment_input *in, const struct errors_node *p, bool left)
{
    struct condition c = {.feature = &in->features[p->feature], .node = p, .left = left};
    for (size_t i = 0; i < in->rows && left == p->missing_left && !c.with_missing; i++) {
        c.with_missing = isnan(c.feature->value[i]);
    }
    return c;
}

/* As a cohort's SQL. */
static void
put_sql(const struct condition *c, struct buf *b)
{
    const struct assessment_feature *f = c->feature;
    buf_put_str(b, c->with_missing ? "(" : "");
    predicate_put_name(b, f->name);
    if (c->node->category >= 0) {
        buf_put_str(b, c->left ? " = " : " <> ");
        predicate_put_text(b, f->levels[c->node->category]);
    } else {
        buf_put_str(b, c->left ? " <= " : " > ");
        text_put_f64(b, c->node->threshold);
    }
    if (c->with_missing) {
        buf_put_str(b, " or ");
        predicate_put_name(b, f->name);
        buf_put_str(b, " is null)");
    }
}

/* As a person says it. */
static void
put_words(const struct condition *c, struct buf *b)
{
    buf_put_str(b, c->feature->name);
    if (c->node->category >= 0) {
        buf_printf(b, " is %s\"%s\"", c->left ? "" : "not ", c->feature->levels[c->node->category]);
    } else {
        buf_put_str(b, c->left ? " is at most " : " is over ");
        text_put_f64(b, c->node->threshold);
    }
    buf_put_str(b, c->with_missing ? " or missing" : "");
}

static void
put_path(const struct assessment_input *in, const struct errors_tree *t, uint32_t node,
         struct buf *sql, struct buf *words)
{
    const int32_t parent = t->node[node].parent;
    if (parent < 0) {
        return;
    }
    put_path(in, t, (uint32_t)parent, sql, words);
    buf_put_str(sql, sql->len > 0 ? " and " : "");
    buf_put_str(words, words->len > 0 ? " and " : "");
    const struct condition c =
        condition_of(in, &t->node[parent], t->node[parent].left == (int32_t)node);
    put_sql(&c, sql);
    put_words(&c, words);
}

static struct status
put_node(const struct assessment_input *in, const struct errors_tree *t, uint32_t k, json_t *nodes)
{
    const struct errors_node *n = &t->node[k];
    DEFER(buf_done) struct buf cohort;
    DEFER(buf_done) struct buf words;
    DEFER(buf_done) struct buf step;
    buf_init(&cohort, PREDICATE_MAX);
    buf_init(&words, PREDICATE_MAX);
    buf_init(&step, PREDICATE_MAX);
    put_path(in, t, k, &cohort, &words);
    if (n->parent >= 0) {
        const struct errors_node *p = &t->node[n->parent];
        const struct condition c = condition_of(in, p, p->left == (int32_t)k);
        put_words(&c, &step);
    }
    TRY(buf_status(&cohort));
    TRY(buf_status(&words));
    json_t *o = json_pack("{s:i, s:i, s:i, s:i, s:s, s:s, s:s, s:I, s:I, s:o, s:o, s:o}", "parent",
                          (int)n->parent, "left", (int)n->left, "right", (int)n->right, "depth",
                          (int)n->depth, "cohort", buf_str(&cohort), "words", buf_str(&words),
                          "step", buf_str(&step), "rows", (json_int_t)n->rows, "errors",
                          (json_int_t)n->errors, "error_rate", js_real(n->error_rate), "ci",
                          assessment_interval(n->ci), "coverage", js_real(n->coverage));
    CHECK(o != NULL && json_array_append_new(nodes, o) == 0, MEMORY);
    return OK;
}

static struct status
put_tree(const struct assessment_input *in, const struct errors_feature *features,
         const uint8_t *error, json_t *errors)
{
    DEFER(memory_freep) struct errors_tree *t = calloc(1, sizeof *t);
    CHECK(t != NULL, MEMORY);
    TRY(errors_tree_grow(features, in->forest->features, error, in->rows, TREE_DEPTH, TREE_LEAF,
                         t));
    json_t *nodes = json_array();
    TRY(js_set(errors, "tree", nodes));
    for (uint32_t k = 0; k < t->nodes; k++) {
        TRY(put_node(in, t, k, nodes));
    }
    return js_set(errors, "worst", json_integer(errors_worst_leaf(t)));
}

static void
put_numeric_bin(const struct assessment_feature *f, const struct errors_axis *a, uint32_t bin,
                struct buf *label, struct buf *cohort)
{
    const bool first = bin == 0, last = bin + 1 == a->bins;
    if (first && last) {
        buf_put_str(label, "any");
        predicate_put_name(cohort, f->name);
        buf_put_str(cohort, " is not null");
        return;
    }
    if (!first) {
        predicate_put_name(cohort, f->name);
        buf_put_str(cohort, " >= ");
        text_put_f64(cohort, a->edge[bin - 1]);
        buf_put_str(cohort, last ? "" : " and ");
    }
    if (!last) {
        predicate_put_name(cohort, f->name);
        buf_put_str(cohort, " < ");
        text_put_f64(cohort, a->edge[bin]);
    }
    if (a->low[bin] >= a->high[bin]) {
        assessment_put_number(label, a->low[bin]);
    } else if (first) {
        buf_put_str(label, "under ");
        text_put_f64(label, a->edge[bin]);
    } else {
        text_put_f64(label, a->edge[bin - 1]);
        buf_put_str(label, last ? " and over" : "\xe2\x80\x93");
        if (!last) {
            text_put_f64(label, a->edge[bin]);
        }
    }
}

static void
put_category_bin(const struct assessment_feature *f, const struct errors_axis *a, uint32_t bin,
                 struct buf *label, struct buf *cohort)
{
    const bool others = bin + 1 == a->bins && f->level_count > a->bins;
    buf_put_str(label, others ? "others" : f->levels[bin]);
    predicate_put_name(cohort, f->name);
    buf_put_str(cohort, others ? " not in (" : " = ");
    for (uint32_t i = others ? 0 : bin; i < bin + !others; i++) {
        buf_put_str(cohort, others && i > 0 ? ", " : "");
        predicate_put_text(cohort, f->levels[i]);
    }
    buf_put_str(cohort, others ? ")" : "");
}

static struct status
put_bin(const struct assessment_feature *f, const struct errors_axis *a, uint32_t bin, json_t *bins)
{
    DEFER(buf_done) struct buf label;
    DEFER(buf_done) struct buf cohort;
    buf_init(&label, PREDICATE_MAX);
    buf_init(&cohort, PREDICATE_MAX);
    if (bin == a->bins) {
        buf_put_str(&label, "missing");
        predicate_put_name(&cohort, f->name);
        buf_put_str(&cohort, " is null");
    } else if (a->is_category) {
        put_category_bin(f, a, bin, &label, &cohort);
    } else {
        put_numeric_bin(f, a, bin, &label, &cohort);
    }
    TRY(buf_status(&label));
    TRY(buf_status(&cohort));
    json_t *o = json_pack("{s:s, s:s}", "label", buf_str(&label), "cohort", buf_str(&cohort));
    CHECK(o != NULL && json_array_append_new(bins, o) == 0, MEMORY);
    return OK;
}

static struct status
put_axis(const struct assessment_feature *f, const struct errors_axis *a, const char *key,
         json_t *map)
{
    json_t *bins = json_array();
    TRY(js_set(map, key, json_pack("{s:s, s:o}", "feature", f->name, "bins", bins)));
    for (uint32_t i = 0; i < a->bins + a->has_missing; i++) {
        TRY(put_bin(f, a, i, bins));
    }
    return OK;
}

static struct status
put_map(const struct assessment_input *in, const struct errors_feature *features,
        const uint8_t *error, json_t *errors)
{
    const uint32_t width = in->forest->features;
    DEFER(memory_freep) uint32_t *order = calloc((size_t)width + 1, sizeof *order);
    DEFER(memory_freep) struct errors_map *m = calloc(1, sizeof *m);
    CHECK(order != NULL && m != NULL, MEMORY);
    if (width < 2) {
        return OK;
    }
    TRY(errors_rank(features, width, error, in->rows, TREE_LEAF, order, NULL));
    const uint32_t fx = order[0], fy = order[1];
    TRY(errors_map_fill(&features[fx], &features[fy], error, in->rows, MAP_BINS, m));
    json_t *cells = json_array(), *o = json_object();
    TRY(js_set(errors, "map", o));
    TRY(put_axis(&in->features[fx], &m->x, "x", o));
    TRY(put_axis(&in->features[fy], &m->y, "y", o));
    TRY(js_set(o, "cells", cells));
    for (uint32_t y = 0; y < m->y.bins + m->y.has_missing; y++) {
        json_t *line = json_array();
        CHECK(line != NULL && json_array_append_new(cells, line) == 0, MEMORY);
        for (uint32_t x = 0; x < m->x.bins + m->x.has_missing; x++) {
            const struct errors_cell *c = &m->cell[y * (ERRORS_MAX_BINS + 1) + x];
            json_t *cell = json_pack("[I, I, o]", (json_int_t)c->rows, (json_int_t)c->errors,
                                     assessment_interval(c->ci));
            CHECK(json_array_append_new(line, cell) == 0, MEMORY);
        }
    }
    return OK;
}

struct status
assessment_put_errors(const struct assessment_input *in, const uint8_t *decision, json_t *d)
{
    const uint32_t width = in->forest->features;
    DEFER(memory_freep)
    struct errors_feature *features = calloc((size_t)width + 1, sizeof *features);
    DEFER(memory_freep) uint8_t *error = calloc(in->rows + 1, 1);
    CHECK(features != NULL && error != NULL, MEMORY);
    for (uint32_t i = 0; i < width; i++) {
        features[i] = (struct errors_feature){in->features[i].value, in->features[i].level_count};
    }
    for (size_t i = 0; i < in->rows; i++) {
        error[i] = decision[i] != in->y[i];
    }
    json_t *o = json_object();
    TRY(js_set(d, "errors", o));
    TRY(js_set(o, "max_depth", json_integer(TREE_DEPTH)));
    TRY(js_set(o, "min_rows", json_integer(TREE_LEAF)));
    TRY(put_tree(in, features, error, o));
    return put_map(in, features, error, o);
}
