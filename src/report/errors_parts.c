#include "report/errors_parts.h"

#include "base/text.h"
#include "report/assessment_parts.h"
#include "report/predicate.h"

#include <math.h>
#include <stdlib.h>

#define PREDICATE_MAX (1u << 20)

json_t *
errors_number(double v)
{
    return v <= 0x1p53 && v >= 0 && floor(v) >= v ? json_integer((json_int_t)v) : js_real(v);
}

void
errors_columns_done(struct errors_columns *c)
{
    free(c->missing);
}

struct status
errors_columns_of(const struct assessment_feature *features, uint32_t count, size_t rows,
                  struct errors_columns *ret_columns)
{
    bool *missing = calloc((size_t)count + 1, sizeof *missing);
    CHECK(missing != NULL, MEMORY);
    for (uint32_t f = 0; f < count; f++) {
        for (size_t i = 0; i < rows && !missing[f]; i++) {
            missing[f] = isnan(features[f].value[i]);
        }
    }
    *ret_columns = (struct errors_columns){features, count, rows, missing};
    return OK;
}

/* ---- the tree ---- */

/* What leads from a node to one of its children. */
struct condition {
    const struct assessment_feature *feature;
    const struct errors_node *node;
    bool left;
    bool with_missing; /* there are missing values, and they go this way */
};

static struct condition
condition_of(const struct errors_columns *columns, const struct errors_node *p, bool left)
{
    return (struct condition){.feature = &columns->item[p->feature],
                              .node = p,
                              .left = left,
                              .with_missing =
                                  columns->missing[p->feature] && left == p->missing_left};
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
put_path(const struct errors_columns *columns, const struct errors_tree *t, uint32_t node,
         struct buf *sql, struct buf *words)
{
    const int32_t parent = t->node[node].parent;
    if (parent < 0) {
        return;
    }
    put_path(columns, t, (uint32_t)parent, sql, words);
    buf_put_str(sql, sql->len > 0 ? " and " : "");
    buf_put_str(words, words->len > 0 ? " and " : "");
    const struct condition c =
        condition_of(columns, &t->node[parent], t->node[parent].left == (int32_t)node);
    put_sql(&c, sql);
    put_words(&c, words);
}

static struct status
put_node(const struct errors_columns *columns, const struct errors_tree *t, uint32_t k,
         json_t **ret_node)
{
    const struct errors_node *n = &t->node[k];
    DEFER(buf_done) struct buf cohort;
    DEFER(buf_done) struct buf words;
    DEFER(buf_done) struct buf step;
    buf_init(&cohort, PREDICATE_MAX);
    buf_init(&words, PREDICATE_MAX);
    buf_init(&step, PREDICATE_MAX);
    put_path(columns, t, k, &cohort, &words);
    if (n->parent >= 0) {
        const struct errors_node *p = &t->node[n->parent];
        const struct condition c = condition_of(columns, p, p->left == (int32_t)k);
        put_words(&c, &step);
    }
    TRY(buf_status(&cohort));
    TRY(buf_status(&words));
    json_t *o =
        json_pack("{s:o, s:i, s:i, s:i, s:i, s:s, s:s, s:s, s:I, s:o, s:o, s:o, s:o}", "name",
                  json_sprintf("node-%u", k), "parent", (int)n->parent, "left", (int)n->left,
                  "right", (int)n->right, "depth", (int)n->depth, "cohort", buf_str(&cohort),
                  "words", buf_str(&words), "step", buf_str(&step), "rows", (json_int_t)n->rows,
                  "errors", errors_number(n->errors), "error_rate", js_real(n->error_rate), "ci",
                  assessment_interval(n->ci), "coverage", js_real(n->coverage));
    CHECK(o != NULL, MEMORY);
    *ret_node = o;
    return OK;
}

struct status
errors_put_tree(const struct errors_columns *columns, const struct errors_tree *t, json_t *errors)
{
    json_t *nodes = json_array();
    TRY(js_set(errors, "tree", nodes));
    for (uint32_t k = 0; k < t->nodes; k++) {
        json_t *node = NULL;
        TRY(put_node(columns, t, k, &node));
        CHECK(json_array_append_new(nodes, node) == 0, MEMORY);
    }
    return js_set(errors, "worst", json_integer(errors_worst_leaf(t)));
}

/* ---- bins ---- */

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

void
errors_put_bin(const struct assessment_feature *f, const struct errors_axis *a, uint32_t bin,
               struct buf *label, struct buf *cohort)
{
    if (bin == a->bins) {
        buf_put_str(label, "missing");
        predicate_put_name(cohort, f->name);
        buf_put_str(cohort, " is null");
    } else if (a->is_category) {
        put_category_bin(f, a, bin, label, cohort);
    } else {
        put_numeric_bin(f, a, bin, label, cohort);
    }
}

static struct status
put_bin(const struct assessment_feature *f, const struct errors_axis *a, uint32_t bin, json_t *bins)
{
    DEFER(buf_done) struct buf label;
    DEFER(buf_done) struct buf cohort;
    buf_init(&label, PREDICATE_MAX);
    buf_init(&cohort, PREDICATE_MAX);
    errors_put_bin(f, a, bin, &label, &cohort);
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
put_cells(const struct errors_map *m, json_t *cells)
{
    for (uint32_t y = 0; y < m->y.bins + m->y.has_missing; y++) {
        json_t *line = json_array();
        CHECK(line != NULL && json_array_append_new(cells, line) == 0, MEMORY);
        for (uint32_t x = 0; x < m->x.bins + m->x.has_missing; x++) {
            const struct errors_cell *c = &m->cell[y * (ERRORS_MAX_BINS + 1) + x];
            json_t *cell = json_pack("[I, o, o]", (json_int_t)c->rows, errors_number(c->errors),
                                     assessment_interval(c->ci));
            CHECK(json_array_append_new(line, cell) == 0, MEMORY);
        }
    }
    return OK;
}

struct status
errors_put_map(const struct errors_columns *columns, uint32_t fx, uint32_t fy, const double *loss,
               uint32_t bins, enum errors_cut cut, json_t *errors)
{
    const bool pair = fy != ERRORS_NO_FEATURE;
    const struct assessment_feature *x = &columns->item[fx], *y = pair ? &columns->item[fy] : NULL;
    const struct errors_feature of_x = {x->value, x->level_count};
    const struct errors_feature of_y =
        pair ? (struct errors_feature){y->value, y->level_count} : (struct errors_feature){0};
    DEFER(memory_freep) struct errors_map *m = calloc(1, sizeof *m);
    CHECK(m != NULL, MEMORY);
    TRY(errors_map_fill(&of_x, pair ? &of_y : NULL, loss, columns->rows, bins, cut, m));
    json_t *cells = json_array(), *o = json_object();
    TRY(js_set(errors, "map", o));
    TRY(put_axis(x, &m->x, "x", o));
    if (pair) {
        TRY(put_axis(y, &m->y, "y", o));
    } else {
        TRY(js_set(o, "y",
                   json_pack("{s:s, s:[{s:s, s:s}]}", "feature", "", "bins", "label", "all",
                             "cohort", "")));
    }
    TRY(js_set(o, "cells", cells));
    return put_cells(m, cells);
}
