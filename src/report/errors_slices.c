/* The worst slices of the errors document. */
#include "assess/slices.h"
#include "report/assessment_parts.h"
#include "report/errors_document_parts.h"

#include <math.h>
#include <stdlib.h>

#define TEXT_MAX (1u << 20)
#define PAIR_BYTES ((size_t)64 << 20)
#define HOLDS 0.05 /* q up to which a slice is said to hold */

/* A feature's bins, as the slices see them. Categories have all their levels. */
struct sliced {
    struct errors_axis *axis;
    uint32_t *code; /* rows, of one feature */
};

static void
sliced_done(struct sliced *s)
{
    free(s->axis);
    free(s->code);
}

static uint32_t
level_of(const struct errors_work *w, const struct sliced *s, uint32_t f, size_t row)
{
    const struct errors_feature *x = &w->features[f];
    const double v = x->value[row];
    if (x->level_count > 0) {
        return isnan(v) ? x->level_count : (uint32_t)v;
    }
    return errors_axis_bin(&s->axis[f], v);
}

static struct status
fill_table(const struct errors_work *w, struct sliced *s, struct slices_table *t)
{
    for (uint32_t f = 0; f < w->columns.count; f++) {
        struct errors_axis *a = &s->axis[f];
        TRY(errors_axis_cut(&w->features[f], w->columns.rows, w->in->bins, w->in->cut, a));
        a->bins = a->is_category ? w->features[f].level_count : a->bins;
        for (size_t i = 0; i < w->columns.rows; i++) {
            s->code[i] = level_of(w, s, f, i);
        }
        TRY(slices_table_add(t, s->code, a->bins + 1));
    }
    return OK;
}

static struct status
put_conditions(const struct errors_work *w, const struct sliced *s, const struct slice *slice,
               json_t *o)
{
    DEFER(buf_done) struct buf cohort;
    DEFER(buf_done) struct buf words;
    buf_init(&cohort, TEXT_MAX);
    buf_init(&words, TEXT_MAX);
    for (uint32_t c = 0; c < slice->conditions; c++) {
        const uint32_t f = slice->condition[c].feature;
        const struct assessment_feature *x = &w->columns.item[f];
        buf_put_str(&cohort, c > 0 ? " and " : "");
        buf_put_str(&words, c > 0 ? ", " : "");
        buf_put_str(&words, x->name);
        buf_put_str(&words, ": ");
        errors_put_bin(x, &s->axis[f], slice->condition[c].level, &words, &cohort);
    }
    TRY(buf_status(&cohort));
    TRY(buf_status(&words));
    TRY(js_set(o, "words", json_string(buf_str(&words))));
    return js_set(o, "cohort", json_string(buf_str(&cohort)));
}

static bool
is_in(const struct errors_work *w, const struct sliced *s, const struct slice *slice, size_t row)
{
    for (uint32_t c = 0; c < slice->conditions; c++) {
        const struct slices_condition *k = &slice->condition[c];
        if (level_of(w, s, k->feature, row) != k->level) {
            return false;
        }
    }
    return true;
}

static struct status
put_slice_metrics(const struct errors_work *w, const struct sliced *s, const struct slice *slice,
                  json_t *o)
{
    DEFER(memory_freep) uint32_t *row = calloc(slice->rows + 1, sizeof *row);
    CHECK(row != NULL, MEMORY);
    size_t n = 0;
    for (size_t i = 0; i < w->columns.rows; i++) {
        if (is_in(w, s, slice, i)) {
            ASSERT(n < slice->rows);
            row[n++] = (uint32_t)i;
        }
    }
    return errors_put_metrics(w->in, row, n, o);
}

static struct status
put_slice(const struct errors_work *w, const struct sliced *s, const struct slices_result *r,
          uint32_t k, json_t *list)
{
    const struct slice *x = &r->slice[k];
    json_t *o = json_pack(
        "{s:o, s:i, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b}", "name",
        json_sprintf("slice-%u", k + 1), "conditions", (int)x->conditions, "rows",
        (json_int_t)x->rows, "mistakes", (json_int_t)x->mistakes, "errors", errors_number(x->error),
        "score", js_real(x->score), "error_rate", js_real(x->mean), "rest_error_rate",
        js_real(x->rest_mean), "coverage", js_real(x->coverage), "ci", assessment_interval(x->ci),
        "ci_all", assessment_interval(x->ci_all), "p", js_real(x->p), "p_bonferroni",
        js_real(x->p_bonferroni), "p_permutation", js_real(x->p_permutation), "q", js_real(x->q),
        "holds", x->q <= HOLDS);
    CHECK(o != NULL && json_array_append_new(list, o) == 0, MEMORY);
    TRY(put_conditions(w, s, x, o));
    return put_slice_metrics(w, s, x, o);
}

static struct status
put_result(const struct errors_work *w, const struct sliced *s, const struct slices_result *r,
           json_t *d)
{
    const struct errors_input *in = w->in;
    json_t *list = json_array(), *counted = json_array();
    json_t *o =
        json_pack("{s:o, s:i, s:I, s:I, s:o, s:o, s:i, s:o}", "alpha", js_real(in->alpha), "level",
                  (int)in->slice_level, "min_rows", (json_int_t)in->slice_rows, "conditions",
                  (json_int_t)r->basic, "candidates", errors_number(r->candidates), "counted",
                  counted, "permutations", (int)r->permutations, "found", list);
    TRY(js_set(d, "slices", o));
    for (uint32_t l = 0; l < in->slice_level; l++) {
        json_t *n = json_integer((json_int_t)r->counted[l]);
        CHECK(json_array_append_new(counted, n) == 0, MEMORY);
    }
    for (uint32_t k = 0; k < r->found; k++) {
        TRY(put_slice(w, s, r, k, list));
    }
    return OK;
}

struct status
errors_put_slices(const struct errors_work *w, json_t *d)
{
    const struct errors_input *in = w->in;
    const struct slices_options o = {.alpha = in->alpha,
                                     .level = in->slice_level,
                                     .found = in->slices,
                                     .permutations = in->permutations,
                                     .seed = in->seed,
                                     .confidence = in->level,
                                     .threads = in->threads,
                                     .pair_bytes = PAIR_BYTES};
    if (in->slices == 0 || w->columns.count == 0) {
        return OK;
    }
    DEFER(slices_table_freep) struct slices_table *t = NULL;
    DEFER(sliced_done) struct sliced s = {0};
    DEFER(memory_freep) struct slices_result *r = calloc(1, sizeof *r);
    s.axis = calloc(w->columns.count, sizeof *s.axis);
    s.code = calloc(w->columns.rows + 1, sizeof *s.code);
    CHECK(r != NULL && s.axis != NULL && s.code != NULL, MEMORY);
    TRY(slices_table_new(w->columns.rows, w->columns.count, in->slice_rows, &t));
    TRY(fill_table(w, &s, t));
    TRY(slices_find(t, w->loss, &o, r));
    return put_result(w, &s, r, d);
}
