#include "report/explain_document.h"

#include "report/document.h"

#include <math.h>

static json_t *
mean_of(double sum, uint64_t rows)
{
    return js_real(rows == 0 ? NAN : sum / (double)rows);
}

static struct status
append(json_t *list, json_t *item)
{
    CHECK(item != NULL && json_array_append_new(list, item) == 0, MEMORY);
    return OK;
}

/* A member that is an array, to be filled. */
static struct status
new_list(json_t *o, const char *key, json_t **ret_list)
{
    *ret_list = json_array();
    return js_set(o, key, *ret_list);
}

/* ---- all rows ---- */

static struct status
put_outputs(const struct explain_input *in, json_t *d)
{
    const struct explain_summary *s = in->summary;
    const struct explain_group *all = &s->group[0];
    json_t *outputs, *features;
    TRY(new_list(d, "outputs", &outputs));
    for (uint32_t o = 0; o < s->outputs; o++) {
        json_t *output =
            json_pack("{s:s, s:o}", "output", in->outputs[o], "base", js_real(in->base[o]));
        TRY(append(outputs, output));
        TRY(new_list(output, "features", &features));
        for (uint32_t f = 0; f < s->features; f++) {
            const size_t cell = (size_t)o * s->features + f;
            TRY(append(features,
                       json_pack("{s:s, s:o, s:o}", "feature", in->features[f].name, "mean_abs",
                                 mean_of(sum_value(&all->absolute[cell]), all->rows), "mean",
                                 mean_of(sum_value(&all->with_sign[cell]), all->rows))));
        }
    }
    return OK;
}

/* ---- cohorts ---- */

static struct status
put_cohort_features(const struct explain_input *in, uint32_t cohort, uint32_t o, json_t *list)
{
    const struct explain_summary *s = in->summary;
    const struct explain_group *all = &s->group[0], *g = &s->group[cohort + 1];
    const uint64_t rest = all->rows - g->rows;
    for (uint32_t f = 0; f < s->features; f++) {
        const size_t cell = (size_t)o * s->features + f;
        TRY(append(
            list,
            json_pack(
                "{s:s, s:o, s:o, s:o, s:o}", "feature", in->features[f].name, "mean_abs",
                mean_of(sum_value(&g->absolute[cell]), g->rows), "rest_mean_abs",
                mean_of(sum_value(&all->absolute[cell]) - sum_value(&g->absolute[cell]), rest),
                "mean", mean_of(sum_value(&g->with_sign[cell]), g->rows), "rest_mean",
                mean_of(sum_value(&all->with_sign[cell]) - sum_value(&g->with_sign[cell]), rest))));
    }
    return OK;
}

static struct status
put_cohorts(const struct explain_input *in, json_t *d)
{
    const struct explain_summary *s = in->summary;
    json_t *cohorts, *outputs, *features;
    TRY(new_list(d, "cohorts", &cohorts));
    for (uint32_t c = 0; c < s->cohorts; c++) {
        const uint64_t rows = s->group[c + 1].rows;
        json_t *cohort =
            json_pack("{s:s, s:s, s:I, s:I}", "cohort", in->cohorts[c], "predicate",
                      in->predicates == NULL ? in->cohorts[c] : in->predicates[c], "rows",
                      (json_int_t)rows, "rest_rows", (json_int_t)(s->group[0].rows - rows));
        TRY(append(cohorts, cohort));
        TRY(new_list(cohort, "outputs", &outputs));
        for (uint32_t o = 0; o < s->outputs; o++) {
            json_t *output = json_pack("{s:s}", "output", in->outputs[o]);
            TRY(append(outputs, output));
            TRY(new_list(output, "features", &features));
            TRY(put_cohort_features(in, c, o, features));
        }
    }
    return OK;
}

/* ---- dependence ---- */

static json_t *
bin_json(const struct explain_input *in, uint32_t feature, uint32_t bin,
         const struct explain_bin *b)
{
    const struct bins *bins = &in->summary->bins[feature];
    const struct explain_feature *f = &in->features[feature];
    const double rows = (double)b->rows, mean = sum_value(&b->sum) / rows;
    json_t *o =
        json_pack("{s:I, s:o, s:o, s:o, s:o}", "rows", (json_int_t)b->rows, "mean", js_real(mean),
                  "sd", js_real(sqrt(fmax(sum_value(&b->squares) / rows - mean * mean, 0))),
                  "least", js_real(b->least), "most", js_real(b->most));
    if (o == NULL || bin == EXPLAIN_MISSING) {
        return o;
    }
    const double low = bins->least[bin], high = bins->most[bin];
    const bool named = f->levels != NULL && low == high && low >= 0 && low < f->level_count;
    const int failed =
        named ? json_object_set_new(o, "category", json_string(f->levels[(uint32_t)low]))
              : json_object_set_new(o, "from", js_real(low)) |
                    json_object_set_new(o, "to", js_real(high));
    if (failed != 0) {
        json_decref(o);
        return NULL;
    }
    return o;
}

static struct status
put_dependence_of(const struct explain_input *in, uint32_t feature, json_t *list)
{
    const struct explain_summary *s = in->summary;
    json_t *outputs, *bins;
    json_t *o = json_pack("{s:s}", "feature", in->features[feature].name);
    TRY(append(list, o));
    TRY(new_list(o, "outputs", &outputs));
    for (uint32_t k = 0; k < s->outputs; k++) {
        const struct explain_bin *b =
            s->bin + ((size_t)k * s->features + feature) * (EXPLAIN_BINS + 1);
        json_t *output = json_pack("{s:s}", "output", in->outputs[k]);
        TRY(append(outputs, output));
        TRY(new_list(output, "bins", &bins));
        for (uint32_t i = 0; i < EXPLAIN_BINS; i++) {
            TRY(b[i].rows > 0 ? append(bins, bin_json(in, feature, i, &b[i])) : OK);
        }
        if (b[EXPLAIN_MISSING].rows > 0) {
            TRY(js_set(output, "missing",
                       bin_json(in, feature, EXPLAIN_MISSING, &b[EXPLAIN_MISSING])));
        }
    }
    return OK;
}

/* The not yet `taken` feature that attributes most over all outputs; features when none is left. */
static uint32_t
largest_feature(const struct explain_input *in, const bool *taken)
{
    const struct explain_summary *s = in->summary;
    uint32_t best = s->features;
    double most = 0;
    for (uint32_t f = 0; f < s->features; f++) {
        double sum = 0;
        for (uint32_t o = 0; o < s->outputs; o++) {
            sum += sum_value(&s->group[0].absolute[(size_t)o * s->features + f]);
        }
        if (!taken[f] && !in->features[f].several && sum > most) {
            best = f;
            most = sum;
        }
    }
    return best;
}

static struct status
put_dependence(const struct explain_input *in, json_t *d)
{
    const struct explain_summary *s = in->summary;
    json_t *list;
    TRY(new_list(d, "dependence", &list));
    if (s->bin == NULL) {
        return OK;
    }
    DEFER(memory_freep) bool *taken = calloc((size_t)s->features + 1, sizeof *taken);
    CHECK(taken != NULL, MEMORY);
    for (size_t i = 0; i < in->chosen_count; i++) {
        TRY(put_dependence_of(in, in->chosen[i], list));
    }
    for (size_t i = 0; in->chosen_count == 0 && i < EXPLAIN_DEPENDENCE; i++) {
        const uint32_t f = largest_feature(in, taken);
        if (f < s->features) {
            taken[f] = true;
            TRY(put_dependence_of(in, f, list));
        }
    }
    return OK;
}

/* ---- rows ---- */

static json_t *
value_json(const struct explain_feature *f, float v)
{
    const bool named = f->levels != NULL && v >= 0 && (double)v < f->level_count;
    return named ? json_string(f->levels[(uint32_t)v]) : js_real((double)v);
}

static struct status
put_numbers(json_t *o, const char *key, const double *v, size_t n)
{
    json_t *list;
    TRY(new_list(o, key, &list));
    for (size_t i = 0; i < n; i++) {
        TRY(append(list, js_real(v[i])));
    }
    return OK;
}

static struct status
put_local(const struct explain_input *in, json_t *d)
{
    const struct explain_summary *s = in->summary;
    json_t *list, *values, *outputs;
    TRY(new_list(d, "local", &list));
    for (size_t i = 0; i < in->local_count; i++) {
        const struct explain_local *l = &in->local[i];
        json_t *o = json_pack("{s:I}", "row", (json_int_t)l->row);
        TRY(append(list, o));
        TRY(new_list(o, "values", &values));
        for (uint32_t f = 0; f < s->features; f++) {
            TRY(append(values, value_json(&in->features[f], l->x[f])));
        }
        TRY(new_list(o, "outputs", &outputs));
        for (uint32_t k = 0; k < s->outputs; k++) {
            json_t *output =
                json_pack("{s:s, s:o, s:o}", "output", in->outputs[k], "margin",
                          js_real(l->margin[k]), "prediction", js_real(l->prediction[k]));
            TRY(append(outputs, output));
            TRY(put_numbers(output, "phi", l->phi + (size_t)k * s->features, s->features));
            if (l->error != NULL) {
                TRY(put_numbers(output, "standard_error", l->error + (size_t)k * s->features,
                                s->features));
            }
        }
    }
    return OK;
}

/* ---- pairs ---- */

struct pair {
    uint32_t a, b;
    double size;
};

/* Keeps the EXPLAIN_PAIRS largest, in order. */
static void
offer(struct pair *best, size_t *n, struct pair p)
{
    size_t at = *n;
    while (at > 0 && best[at - 1].size < p.size) {
        at--;
    }
    if (at == EXPLAIN_PAIRS || p.size <= 0) {
        return;
    }
    *n += *n < EXPLAIN_PAIRS;
    memmove(best + at + 1, best + at, (*n - at - 1) * sizeof *best);
    best[at] = p;
}

static struct status
put_pairs(const struct explain_input *in, json_t *d)
{
    const struct explain_summary *s = in->summary;
    const size_t features = s->features;
    json_t *outputs, *list;
    if (s->pairs == NULL) {
        return OK;
    }
    TRY(new_list(d, "interactions", &outputs));
    for (uint32_t o = 0; o < s->outputs; o++) {
        struct pair best[EXPLAIN_PAIRS + 1];
        size_t n = 0;
        for (uint32_t a = 0; a < s->features; a++) {
            for (uint32_t b = a + 1; b < s->features; b++) {
                offer(best, &n,
                      (struct pair){a, b, sum_value(&s->pairs[(o * features + a) * features + b])});
            }
        }
        json_t *output = json_pack("{s:s}", "output", in->outputs[o]);
        TRY(append(outputs, output));
        TRY(new_list(output, "pairs", &list));
        for (size_t i = 0; i < n; i++) {
            TRY(append(list, json_pack("{s:[s, s], s:o}", "features", in->features[best[i].a].name,
                                       in->features[best[i].b].name, "mean_abs",
                                       mean_of(best[i].size, s->group[0].rows))));
        }
    }
    return OK;
}

struct status
explain_document(const struct explain_input *in, json_t **ret_document)
{
    DEFER(js_freep)
    json_t *d = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:I}", "format", EXPLAIN_FORMAT, "model", in->model, "method",
        in->method, "precision", in->record ? "record" : "fast", "scale",
        in->probability ? "probability" : "margin", "rows", (json_int_t)in->summary->group[0].rows);
    CHECK(d != NULL, MEMORY);
    if (in->background != NULL) {
        TRY(js_set(d, "background", json_string(in->background)));
        TRY(js_set(d, "background_rows", json_integer((json_int_t)in->background_rows)));
    }
    if (in->coalitions) {
        TRY(js_set(d, "coalitions",
                   json_pack("{s:I, s:I, s:I, s:o}", "exact_rows", (json_int_t)in->exact_rows,
                             "drawn_rows", (json_int_t)in->drawn_rows, "evaluations",
                             (json_int_t)in->evaluations, "largest_standard_error",
                             js_real(in->largest_error))));
    }
    if (in->columns != NULL) {
        TRY(document_put_groups(d, in->columns, in->column_names, in->feature_names));
    }
    TRY(put_outputs(in, d));
    TRY(put_cohorts(in, d));
    TRY(put_dependence(in, d));
    TRY(put_local(in, d));
    TRY(put_pairs(in, d));
    TRY(js_set(d, "remarks", json_deep_copy(in->remarks)));
    *ret_document = MOVE(d);
    return OK;
}
