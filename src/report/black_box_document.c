#include "report/black_box_document.h"

#include "assess/permutation_importance.h"
#include "assess/shapley.h"
#include "num/moments.h"
#include "num/normal.h"
#include "report/black_box_parts.h"
#include "report/document.h"

#include <math.h>

static const struct {
    const char *word;
    struct status (*put)(const struct black_box_input *in, struct diag *diag, json_t *document);
} methods[BLACK_BOX_METHODS] = {
    [BLACK_BOX_KERNEL] = {"kernel", black_box_put_attributions},
    [BLACK_BOX_PERMUTATION] = {"permutation", black_box_put_attributions},
    [BLACK_BOX_PARTIAL_DEPENDENCE] = {"partial-dependence", black_box_put_profiles},
    [BLACK_BOX_ICE] = {"ice", black_box_put_profiles},
    [BLACK_BOX_ALE] = {"ale", black_box_put_effects},
    [BLACK_BOX_IMPORTANCE] = {"permutation-importance", black_box_put_importance},
    [BLACK_BOX_SURROGATE] = {"surrogate", black_box_put_surrogate},
};

const char *
black_box_method_word(enum black_box_method m)
{
    return methods[m].word;
}

bool
black_box_method_from_word(const char *word, enum black_box_method *ret_method)
{
    for (unsigned i = 0; i < BLACK_BOX_METHODS; i++) {
        if (strcmp(methods[i].word, word) == 0) {
            *ret_method = (enum black_box_method)i;
            return true;
        }
    }
    return false;
}

/* ---- shared ---- */

json_t *
black_box_numbers(const double *v, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        if (json_array_append_new(list, js_real(v[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

json_t *
black_box_point(const struct black_box_feature *f, double at)
{
    const bool level = f->levels != NULL && at >= 0 && at < f->level_count;
    return level ? json_string(f->levels[(size_t)at]) : js_real(at);
}

struct status
black_box_put_band(json_t *o, const double *value, const double *error, size_t n, double level)
{
    const double z = normal_quantile((1 + level) / 2);
    json_t *low = json_array(), *high = json_array();
    TRY(js_set(o, "low", low));
    TRY(js_set(o, "high", high));
    for (size_t i = 0; i < n; i++) {
        CHECK(json_array_append_new(low, js_real(value[i] - z * error[i])) == 0, MEMORY);
        CHECK(json_array_append_new(high, js_real(value[i] + z * error[i])) == 0, MEMORY);
    }
    return OK;
}

/* ---- attributions ---- */

struct attributions {
    const struct black_box_input *in;
    size_t columns;
    double *base, *phi, *error, *score;
    struct moments *size, *value; /* outputs * columns: |phi| and phi over the rows */
    double largest_error, largest_residual;
    uint64_t evaluations, exact_rows;
};

static void
attributions_done(struct attributions *a)
{
    free(a->base);
    free(a->phi);
    free(a->error);
    free(a->score);
    free(a->size);
    free(a->value);
}

static size_t
columns_of(const struct black_box_input *in)
{
    return in->columns == NULL ? in->box->features : in->columns->columns;
}

static const char *
column_name(const struct black_box_input *in, size_t k)
{
    return in->columns == NULL ? in->features[k].name : in->column_names[k];
}

static struct status
put_row(const struct attributions *a, size_t row, const struct shapley_told *told, json_t *list)
{
    const struct black_box_input *in = a->in;
    json_t *o = json_object(), *outputs = json_array();
    CHECK(json_array_append_new(list, o) == 0, MEMORY);
    TRY(js_set(o, "row", json_integer((json_int_t)in->row_number[row])));
    TRY(js_set(o, "exact", json_boolean(told->exact)));
    TRY(js_set(o, "features_that_vary", json_integer((json_int_t)told->players)));
    TRY(js_set(o, "evaluations", json_integer((json_int_t)told->evaluations)));
    TRY(js_set(o, "outputs", outputs));
    for (size_t k = 0; k < in->box->outputs; k++) {
        json_t *one = json_object();
        CHECK(json_array_append_new(outputs, one) == 0, MEMORY);
        TRY(js_set(one, "prediction", js_real(a->score[k])));
        TRY(js_set(one, "phi", black_box_numbers(a->phi + k * a->columns, a->columns)));
        TRY(js_set(one, "standard_error",
                   black_box_numbers(a->error + k * a->columns, a->columns)));
    }
    return OK;
}

static struct status
explain_row(struct attributions *a, size_t row, struct diag *diag, struct shapley_told *told)
{
    const struct black_box_input *in = a->in;
    const size_t cells = in->box->outputs * a->columns;
    const struct shapley_options o = {
        .method = in->method == BLACK_BOX_KERNEL ? SHAPLEY_KERNEL : SHAPLEY_PERMUTATION,
        .evaluations = in->evaluations,
        .seed = in->seed,
        .row = in->row_number[row],
        .threads = in->threads,
        .column = in->columns == NULL ? NULL : in->columns->column,
        .columns = a->columns};
    const double *x = in->x + row * in->box->features;
    TRY(shapley_row(in->box, x, in->background, in->background_rows, a->base, &o, diag, a->phi,
                    a->error, told));
    for (size_t k = 0; k < in->box->outputs; k++) {
        a->score[k] = a->base[k];
    }
    for (size_t i = 0; i < cells; i++) {
        a->score[i / a->columns] += a->phi[i];
        moments_add(&a->size[i], fabs(a->phi[i]));
        moments_add(&a->value[i], a->phi[i]);
        a->largest_error = fmax(a->largest_error, a->error[i]);
    }
    a->evaluations += told->evaluations;
    a->exact_rows += told->exact;
    a->largest_residual = fmax(a->largest_residual, told->residual);
    return OK;
}

/* The interval of a mean size over the rows, which is not below nothing. */
static struct status
put_size_band(json_t *o, const struct moments *m, double level)
{
    const double half = normal_quantile((1 + level) / 2) * moments_error(m);
    const double mean = moments_mean(m);
    const double ends[] = {isnan(half) ? half : fmax(mean - half, 0), mean + half};
    return js_set(o, "ci", black_box_numbers(ends, 2));
}

static struct status
put_summary(const struct attributions *a, json_t *o)
{
    const struct black_box_input *in = a->in;
    json_t *list = json_array();
    TRY(js_set(o, "base", black_box_numbers(a->base, in->box->outputs)));
    TRY(js_set(o, "exact_rows", json_integer((json_int_t)a->exact_rows)));
    TRY(js_set(o, "evaluations", json_integer((json_int_t)a->evaluations)));
    TRY(js_set(o, "largest_standard_error", js_real(a->largest_error)));
    TRY(js_set(o, "largest_residual", js_real(a->largest_residual)));
    TRY(js_set(o, "features", list));
    for (size_t f = 0; f < a->columns; f++) {
        json_t *one = json_object(), *outputs = json_array();
        CHECK(json_array_append_new(list, one) == 0, MEMORY);
        TRY(js_set(one, "feature", json_string(column_name(in, f))));
        TRY(js_set(one, "mean_abs", js_real(moments_mean(&a->size[f])))); /* of the first output */
        TRY(js_set(one, "outputs", outputs));
        for (size_t k = 0; k < in->box->outputs; k++) {
            const struct moments *size = &a->size[k * a->columns + f];
            json_t *v = json_object();
            CHECK(json_array_append_new(outputs, v) == 0, MEMORY);
            TRY(js_set(v, "mean_abs", js_real(moments_mean(size))));
            TRY(js_set(v, "mean", js_real(moments_mean(&a->value[k * a->columns + f]))));
            TRY(put_size_band(v, size, in->level));
        }
    }
    return OK;
}

static struct status
attributions_make(struct attributions *a)
{
    const size_t outputs = a->in->box->outputs, cells = outputs * a->columns;
    a->base = calloc(outputs, sizeof *a->base);
    a->score = calloc(outputs, sizeof *a->score);
    a->phi = calloc(cells, sizeof *a->phi);
    a->error = calloc(cells, sizeof *a->error);
    a->size = calloc(cells, sizeof *a->size);
    a->value = calloc(cells, sizeof *a->value);
    CHECK(a->base != NULL && a->score != NULL && a->phi != NULL && a->error != NULL &&
              a->size != NULL && a->value != NULL,
          MEMORY);
    return OK;
}

struct status
black_box_put_attributions(const struct black_box_input *in, struct diag *diag, json_t *document)
{
    DEFER(attributions_done) struct attributions a = {.in = in, .columns = columns_of(in)};
    json_t *o = json_object(), *list = json_array();
    TRY(js_set(document, "attributions", o));
    TRY(js_set(o, "rows", list));
    TRY(attributions_make(&a));
    TRY(shapley_base(in->box, in->background, in->background_rows, in->threads, diag, a.base));
    for (size_t row = 0; row < in->rows; row++) {
        struct shapley_told told;
        TRY(explain_row(&a, row, diag, &told));
        if (row < BLACK_BOX_ROWS_LISTED) {
            TRY(put_row(&a, row, &told, list));
        }
        if (in->row != NULL) {
            in->row(in->ctx, row, a.base, a.phi, a.error);
        }
        if (in->progress != NULL) {
            in->progress(in->ctx, row + 1, in->rows);
        }
    }
    return put_summary(&a, o);
}

/* ---- permutation importance ---- */

struct status
black_box_put_importance(const struct black_box_input *in, struct diag *diag, json_t *document)
{
    const size_t features = in->box->features;
    DEFER(memory_freep) struct permutation_importance *p = calloc(features, sizeof *p);
    json_t *o = json_object(), *list = json_array();
    double baseline = 0;
    TRY(js_set(document, "permutation_importance", o));
    TRY(js_set(o, "features", list));
    CHECK(p != NULL, MEMORY);
    const struct permutation_rows rows = {in->x, in->y, in->rows};
    const struct permutation_input q = {&rows,     1,        in->metric, in->repeats,
                                        in->level, in->seed, in->threads};
    TRY(permutation_importance(in->box, &q, diag, &baseline, p));
    TRY(js_set(o, "metric", json_string(in->metric->name)));
    TRY(js_set(o, "larger_is_better", json_boolean(in->metric->larger_is_better)));
    TRY(js_set(o, "baseline", js_real(baseline)));
    TRY(js_set(o, "repeats", json_integer((json_int_t)in->repeats)));
    for (size_t f = 0; f < features; f++) {
        json_t *one = json_object();
        const double ends[] = {p[f].interval.low, p[f].interval.high};
        CHECK(json_array_append_new(list, one) == 0, MEMORY);
        TRY(js_set(one, "feature", json_string(in->features[f].name)));
        TRY(js_set(one, "importance", js_real(p[f].mean)));
        TRY(js_set(one, "sd", js_real(p[f].sd)));
        TRY(js_set(one, "ci", black_box_numbers(ends, 2)));
    }
    return OK;
}

/* ---- the whole ---- */

static bool
explains_rows(enum black_box_method m)
{
    return m == BLACK_BOX_KERNEL || m == BLACK_BOX_PERMUTATION;
}

static struct status
put_head(const struct black_box_input *in, json_t *d)
{
    json_t *features = json_array(), *outputs = json_array();
    TRY(js_set(d, "format", json_string(BLACK_BOX_FORMAT)));
    TRY(js_set(d, "method", json_string(methods[in->method].word)));
    TRY(js_set(d, "model", json_string(in->model)));
    TRY(js_set(d, "rows", json_integer((json_int_t)in->rows)));
    TRY(js_set(d, "rows_in_data", json_integer((json_int_t)in->rows_in_data)));
    if (explains_rows(in->method)) {
        TRY(js_set(d, "background_rows", json_integer((json_int_t)in->background_rows)));
        TRY(js_set(d, "background_of", json_integer((json_int_t)in->background_of)));
    }
    TRY(js_set(d, "level", js_real(in->level)));
    TRY(js_set(d, "seed", json_integer((json_int_t)in->seed)));
    TRY(js_set(d, "features", features));
    TRY(js_set(d, "outputs", outputs));
    if (in->columns != NULL) {
        TRY(document_put_groups(d, in->columns, in->column_names, in->feature_names));
    }
    for (size_t i = 0; i < columns_of(in); i++) {
        CHECK(json_array_append_new(features, json_string(column_name(in, i))) == 0, MEMORY);
    }
    for (size_t i = 0; i < in->box->outputs; i++) {
        CHECK(json_array_append_new(outputs, json_string(in->outputs[i])) == 0, MEMORY);
    }
    return OK;
}

struct status
black_box_document(const struct black_box_input *in, struct diag *diag, json_t **ret_document)
{
    DEFER(js_freep) json_t *d = json_object();
    CHECK(d != NULL, MEMORY);
    TRY(put_head(in, d));
    TRY(methods[in->method].put(in, diag, d));
    TRY(js_set(d, "remarks",
               in->remarks == NULL ? json_array() : json_incref((json_t *)in->remarks)));
    *ret_document = MOVE(d);
    return OK;
}
