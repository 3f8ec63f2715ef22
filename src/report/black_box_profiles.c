/* Profiles, accumulated local effects and the surrogate tree of a black box, as JSON. */
#include "assess/ale.h"
#include "assess/profile.h"
#include "assess/surrogate.h"
#include "num/rng.h"
#include "report/black_box_parts.h"

#include <math.h>

#define SURROGATE_HELD_OUT 0.3
#define SURROGATE_SHARE 5u /* a leaf has at least a fifth of an even share of the rows */

static struct status
put_points(const struct black_box_feature *f, const double *at, size_t n, json_t *o)
{
    json_t *list = json_array();
    TRY(js_set(o, "feature", json_string(f->name)));
    TRY(js_set(o, "kind", json_string(f->levels != NULL ? "category" : "number")));
    TRY(js_set(o, "at", list));
    for (size_t i = 0; i < n; i++) {
        CHECK(json_array_append_new(list, black_box_point(f, at[i])) == 0, MEMORY);
    }
    return OK;
}

/* Each output's line under `key`, with its band. */
static struct status
put_lines(const struct black_box_input *in, const char *key, const double *value,
          const double *error, size_t points, json_t *o)
{
    json_t *outputs = json_array();
    TRY(js_set(o, "outputs", outputs));
    for (size_t k = 0; k < in->box->outputs; k++) {
        json_t *one = json_object();
        CHECK(json_array_append_new(outputs, one) == 0, MEMORY);
        TRY(js_set(one, "output", json_string(in->outputs[k])));
        TRY(js_set(one, key, black_box_numbers(value + k * points, points)));
        TRY(black_box_put_band(one, value + k * points, error + k * points, points, in->level));
    }
    return OK;
}

/* ---- partial dependence and ICE ---- */

/* Rows whose curves are kept: drawn, in their order. */
static struct status
draw_curves(const struct black_box_input *in, size_t *ret_curve, size_t *ret_n)
{
    const size_t n = in->method != BLACK_BOX_ICE ? 0
                     : in->rows < in->curves     ? in->rows
                                                 : in->curves;
    DEFER(memory_freep) size_t *row = calloc(in->rows, sizeof *row);
    struct rng r;
    size_t kept = 0;
    CHECK(row != NULL, MEMORY);
    rng_init(&r, in->seed, "ice");
    for (size_t i = 0; i < in->rows; i++) { /* selection sampling: Knuth 3.4.2, algorithm S */
        if (rng_below(&r, in->rows - i) < n - kept) {
            ret_curve[kept++] = i;
        }
    }
    *ret_n = n;
    return OK;
}

static struct status
put_curves(const struct black_box_input *in, const size_t *row, size_t curves, size_t points,
           const double *value, json_t *o)
{
    json_t *list = json_array();
    TRY(js_set(o, "curves", list));
    for (size_t c = 0; c < curves; c++) {
        json_t *one = json_object(), *outputs = json_array();
        CHECK(json_array_append_new(list, one) == 0, MEMORY);
        TRY(js_set(one, "row", json_integer((json_int_t)in->row_number[row[c]])));
        TRY(js_set(one, "outputs", outputs));
        for (size_t k = 0; k < in->box->outputs; k++) {
            const double *line = value + (k * curves + c) * points;
            CHECK(json_array_append_new(outputs, black_box_numbers(line, points)) == 0, MEMORY);
        }
    }
    return OK;
}

static struct status
put_profile(const struct black_box_input *in, size_t feature, const size_t *curve, size_t curves,
            struct diag *diag, json_t *o)
{
    const struct black_box_feature *f = &in->features[feature];
    const bool levels = f->levels != NULL;
    const size_t most = levels ? BLACK_BOX_LEVELS_MOST : in->points;
    const size_t cells = most * in->box->outputs;
    size_t points = 0;
    bool all = false;
    DEFER(memory_freep) double *grid = calloc(most, sizeof *grid);
    DEFER(memory_freep) double *mean = calloc(2 * cells, sizeof *mean);
    DEFER(memory_freep) double *lines = calloc(curves * cells + 1, sizeof *lines);
    DEFER(counted_done) struct counted values = {0};
    CHECK(grid != NULL && mean != NULL && lines != NULL, MEMORY);
    TRY(counted_add(&values, in->x + feature, in->rows, in->box->features));
    TRY(counted_settle(&values));
    profile_grid(&values, most, grid, &points, &all);
    if (levels && !all) {
        diag_set(diag, "column \"%.60s\" has more than %u categories: leave it out with --features",
                 f->name, BLACK_BOX_LEVELS_MOST);
        FAIL(LIMIT);
    }
    const struct black_box_rows all_rows = {in->x, in->rows};
    const struct profile_input p = {&all_rows, 1,     feature, grid,
                                    points,    curve, curves,  in->threads};
    if (points > 0) {
        TRY(profile_feature(in->box, &p, diag, mean, mean + cells, lines));
    }
    TRY(put_points(f, grid, points, o));
    TRY(js_set(o, "all_values", json_boolean(all)));
    TRY(js_set(o, "missing", json_integer((json_int_t)values.missing)));
    TRY(put_lines(in, "mean", mean, mean + cells, points, o));
    return curves == 0 ? OK : put_curves(in, curve, curves, points, lines, o);
}

struct status
black_box_put_profiles(const struct black_box_input *in, struct diag *diag, json_t *document)
{
    json_t *list = json_array();
    size_t curves = 0;
    DEFER(memory_freep) size_t *curve = calloc(in->curves + 1, sizeof *curve);
    TRY(js_set(document, "profiles", list));
    CHECK(curve != NULL, MEMORY);
    TRY(draw_curves(in, curve, &curves));
    for (size_t i = 0; i < in->chosen_count; i++) {
        json_t *o = json_object();
        CHECK(json_array_append_new(list, o) == 0, MEMORY);
        TRY(put_profile(in, in->chosen[i], curve, curves, diag, o));
        if (in->progress != NULL) {
            in->progress(in->ctx, i + 1, in->chosen_count);
        }
    }
    return OK;
}

/* ---- accumulated local effects ---- */

static struct status
order_levels(const struct black_box_input *in, size_t feature, size_t *ret_order,
             const char **ret_word)
{
    const size_t features = in->box->features, levels = in->features[feature].level_count;
    DEFER(memory_freep) uint32_t *count = calloc(features, sizeof *count);
    CHECK(count != NULL, MEMORY);
    for (size_t l = 0; l < levels; l++) {
        ret_order[l] = l;
    }
    for (size_t f = 0; f < features; f++) {
        count[f] = in->features[f].levels == NULL ? 0 : in->features[f].level_count;
    }
    *ret_word = "as listed";
    if (levels > 2 && levels <= BLACK_BOX_LEVELS_ORDERED) {
        *ret_word = "alike in the other columns";
        const struct black_box_rows all = {in->x, in->rows};
        return ale_order(&all, 1, features, feature, count, ret_order);
    }
    return OK;
}

static struct status
put_effect(const struct black_box_input *in, size_t feature, struct diag *diag, json_t *o)
{
    const struct black_box_feature *f = &in->features[feature];
    const size_t levels = f->levels == NULL ? 0 : f->level_count;
    const char *word = "ascending";
    DEFER(memory_freep) size_t *order = calloc(levels + 1, sizeof *order);
    DEFER(ale_done) struct ale a = {0};
    CHECK(order != NULL, MEMORY);
    if (levels > BLACK_BOX_LEVELS_MOST) {
        diag_set(diag, "column \"%.60s\" has more than %u categories: leave it out with --features",
                 f->name, BLACK_BOX_LEVELS_MOST);
        FAIL(LIMIT);
    }
    if (levels > 0) {
        TRY(order_levels(in, feature, order, &word));
    }
    const struct black_box_rows all_rows = {in->x, in->rows};
    const struct ale_input p = {
        &all_rows, 1, feature, in->points, levels > 0 ? order : NULL, levels, in->threads};
    TRY(ale_feature(in->box, &p, diag, &a));
    json_t *count = json_array();
    TRY(put_points(f, a.at, a.points, o));
    TRY(js_set(o, "order", json_string(word)));
    TRY(js_set(o, "rows", json_integer((json_int_t)a.rows)));
    TRY(js_set(o, "missing", json_integer((json_int_t)a.missing)));
    TRY(js_set(o, "count", count));
    for (size_t i = 0; i < a.points; i++) {
        CHECK(json_array_append_new(count, json_integer((json_int_t)a.count[i])) == 0, MEMORY);
    }
    return put_lines(in, "effect", a.effect, a.error, a.points, o);
}

struct status
black_box_put_effects(const struct black_box_input *in, struct diag *diag, json_t *document)
{
    json_t *list = json_array();
    TRY(js_set(document, "effects", list));
    for (size_t i = 0; i < in->chosen_count; i++) {
        json_t *o = json_object();
        CHECK(json_array_append_new(list, o) == 0, MEMORY);
        TRY(put_effect(in, in->chosen[i], diag, o));
        if (in->progress != NULL) {
            in->progress(in->ctx, i + 1, in->chosen_count);
        }
    }
    return OK;
}

/* ---- the surrogate ---- */

static struct status
put_levels(const struct black_box_feature *f, const struct surrogate_node *n, json_t *o)
{
    json_t *list = json_array();
    TRY(js_set(o, "categories", list));
    for (uint32_t l = 0; l < f->level_count; l++) {
        if (n->level_left[l] != 0) {
            CHECK(json_array_append_new(list, json_string(f->levels[l])) == 0, MEMORY);
        }
    }
    return OK;
}

static struct status
put_node(const struct black_box_input *in, const struct surrogate *s, size_t at, json_t *list)
{
    const struct surrogate_node *n = &s->node[at];
    json_t *o = json_object();
    CHECK(json_array_append_new(list, o) == 0, MEMORY);
    TRY(js_set(o, "id", json_integer((json_int_t)at)));
    TRY(js_set(o, "rows", json_integer((json_int_t)n->rows)));
    TRY(js_set(o, "value", js_real(n->value)));
    if (n->left == 0) {
        return OK;
    }
    const struct black_box_feature *f = &in->features[n->feature];
    TRY(js_set(o, "feature", json_string(f->name)));
    if (n->level_left != NULL) {
        TRY(put_levels(f, n, o));
    } else {
        TRY(js_set(o, "at_most", js_real(n->threshold)));
    }
    TRY(js_set(o, "missing",
               json_string(!n->missing_seen  ? "not seen"
                           : n->missing_left ? "yes"
                                             : "no")));
    TRY(js_set(o, "yes", json_integer((json_int_t)n->left)));
    return js_set(o, "no", json_integer((json_int_t)n->right));
}

struct status
black_box_put_surrogate(const struct black_box_input *in, struct diag *diag, json_t *document)
{
    const size_t features = in->box->features;
    DEFER(memory_freep) uint32_t *count = calloc(features, sizeof *count);
    DEFER(surrogate_done) struct surrogate s = {0};
    json_t *o = json_object(), *list = json_array();
    TRY(js_set(document, "surrogate", o));
    TRY(js_set(o, "nodes", list));
    CHECK(count != NULL, MEMORY);
    for (size_t f = 0; f < features; f++) {
        count[f] = in->features[f].levels == NULL ? 0 : in->features[f].level_count;
    }
    const size_t least = in->rows / SURROGATE_SHARE / in->leaves;
    const struct surrogate_options how = {.level_count = count,
                                          .leaves = in->leaves,
                                          .depth = in->depth,
                                          .least = least > 5 ? least : 5,
                                          .held_out = SURROGATE_HELD_OUT,
                                          .floor = in->floor,
                                          .threshold = in->probability ? 0.5 : (double)NAN,
                                          .seed = in->seed,
                                          .threads = in->threads};
    TRY(surrogate_grow(in->box, in->x, in->rows, in->output, &how, diag, &s));
    TRY(js_set(o, "output", json_string(in->outputs[in->output])));
    TRY(js_set(o, "fidelity_r2", js_real(s.fidelity)));
    TRY(js_set(o, "same_decisions", js_real(s.agreement)));
    TRY(js_set(o, "floor", js_real(in->floor)));
    TRY(js_set(o, "refused", json_boolean(s.refused)));
    TRY(js_set(o, "answers_sd", js_real(s.spread)));
    TRY(js_set(o, "grown_on", json_integer((json_int_t)s.grown_on)));
    TRY(js_set(o, "measured_on", json_integer((json_int_t)s.measured_on)));
    TRY(js_set(o, "leaves", json_integer((json_int_t)s.leaves)));
    for (size_t i = 0; i < s.nodes; i++) {
        TRY(put_node(in, &s, i, list));
    }
    return OK;
}
