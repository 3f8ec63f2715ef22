#include "workspace/remover.h"

#include "assess/mitigate.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT "steward-remover-1"
#define KEYS 6u
#define JSON_MAX (16u << 20)
#define NAMES_SHOWN 4u

void
remover_done(struct remover *r)
{
    feature_list_done(&r->by);
    free(r->mean);
    free(r->feature);
    free(r->w);
}

static uint32_t
terms_of(const struct feature *f)
{
    return f->level_count == 0 ? 1 : f->level_count - 1;
}

static bool
is_number(const struct feature *f)
{
    return f->type == COLUMN_FLOAT || f->type == COLUMN_INTEGER;
}

static struct status
refuse(struct diag *diag, const char *why)
{
    diag_set(diag, "correlation remover: %s", why);
    FAIL(INPUT);
}

/* ---- in the manifest ---- */

static struct status
append(json_t *list, json_t *item)
{
    CHECK(json_array_append_new(list, item) == 0, MEMORY);
    return OK;
}

static struct status
put_weights(const struct remover *r, json_t *means, json_t *weights)
{
    for (uint32_t k = 0; k < r->terms; k++) {
        json_t *row = json_array();
        TRY(append(means, js_real(r->mean[k])));
        TRY(append(weights, row));
        for (uint32_t f = 0; f < r->features; f++) {
            TRY(append(row, js_real(r->w[(size_t)k * r->features + f])));
        }
    }
    return OK;
}

struct status
remover_to_json(const struct remover *r, const struct feature_list *read, json_t **ret_json)
{
    DEFER(js_freep) json_t *o = json_object();
    DEFER(buf_done) struct buf text;
    json_t *columns = NULL, *means = json_array(), *names = json_array(), *weights = json_array();
    buf_init(&text, JSON_MAX);
    CHECK(o != NULL, MEMORY);
    TRY(js_set(o, "format", json_string(FORMAT)));
    TRY(js_set(o, "alpha", js_real(r->alpha)));
    TRY(js_set(o, "means", means));
    TRY(js_set(o, "features", names));
    TRY(js_set(o, "weights", weights));
    TRY(feature_list_to_json(&r->by, &text));
    TRY(js_parse(buf_view(&text), "columns", NULL, &columns));
    TRY(js_set(o, "columns", columns));
    for (uint32_t f = 0; f < r->features; f++) {
        TRY(append(names, json_string(read->items[r->feature[f]].name)));
    }
    TRY(put_weights(r, means, weights));
    *ret_json = MOVE(o);
    return OK;
}

/* The place of a name; l->count when it has none. */
static uint32_t
place_of(const struct feature_list *l, const char *name)
{
    uint32_t i = 0;
    while (i < l->count && strcmp(l->items[i].name, name) != 0) {
        i++;
    }
    return i;
}

static struct status
check_columns(const struct feature_list *read, const char *label, struct diag *diag,
              struct remover *r)
{
    if (r->by.count == 0 || r->by.count > REMOVER_MAX_COLUMNS) {
        return refuse(diag, "from 1 to 4 sensitive columns are needed");
    }
    for (uint32_t i = 0; i < r->by.count; i++) {
        const struct feature *f = &r->by.items[i];
        if (place_of(read, f->name) < read->count ||
            (label != NULL && strcmp(f->name, label) == 0)) {
            return refuse(diag, "a sensitive column is one that the model reads or predicts");
        }
        if (f->type == COLUMN_TIME || f->code != NULL || (!is_number(f) && f->level_count == 0)) {
            return refuse(diag, "a sensitive column is of numbers or has levels");
        }
        r->terms += terms_of(f) > REMOVER_MAX_TERMS ? REMOVER_MAX_TERMS + 1 : terms_of(f);
    }
    return r->terms > 0 && r->terms <= REMOVER_MAX_TERMS
               ? OK
               : refuse(diag, r->terms == 0
                                  ? "the sensitive columns have one level each in the training "
                                    "rows: there is nothing to tell groups by; name others"
                                  : "the sensitive columns have more than 65 levels together: "
                                    "name fewer of them, or bring their values together into "
                                    "fewer before \"dataset add\"");
}

static struct status
read_number(const json_t *value, struct diag *diag, double *ret_value)
{
    const double v = json_number_value(value);
    /* Within floats nothing that is computed from them is past a double. */
    if (!json_is_number(value) || !(fabs(v) <= (double)FLT_MAX)) {
        return refuse(diag, "means and weights are finite numbers");
    }
    *ret_value = v;
    return OK;
}

static struct status
read_features(const json_t *names, const struct feature_list *read, struct diag *diag,
              struct remover *r)
{
    const size_t n = json_array_size(names);
    if (n == 0 || n > read->count) {
        return refuse(diag, "it changes from 1 to all of the features");
    }
    r->feature = calloc(n, sizeof *r->feature);
    CHECK(r->feature != NULL, MEMORY);
    for (size_t i = 0; i < n; i++) {
        const char *name = json_string_value(json_array_get(names, i));
        const uint32_t at = name == NULL ? read->count : place_of(read, name);
        if (at == read->count || !is_number(&read->items[at])) {
            return refuse(diag, "what it changes are numbers that the model reads");
        }
        if (i > 0 && at <= r->feature[i - 1]) {
            return refuse(diag, "what it changes stands in the model's order, once");
        }
        r->feature[i] = at;
    }
    r->features = (uint32_t)n;
    return OK;
}

static struct status
read_weights(const json_t *means, const json_t *weights, struct diag *diag, struct remover *r)
{
    if (json_array_size(means) != r->terms || json_array_size(weights) != r->terms) {
        return refuse(diag, "there must be a mean and weights for each number and level but the "
                            "first");
    }
    r->mean = calloc(r->terms, sizeof *r->mean);
    r->w = calloc((size_t)r->terms * r->features, sizeof *r->w);
    CHECK(r->mean != NULL && r->w != NULL, MEMORY);
    for (uint32_t k = 0; k < r->terms; k++) {
        const json_t *row = json_array_get(weights, k);
        TRY(read_number(json_array_get(means, k), diag, &r->mean[k]));
        if (json_array_size(row) != r->features) {
            return refuse(diag, "there must be a weight for each feature that it changes");
        }
        for (uint32_t f = 0; f < r->features; f++) {
            TRY(read_number(json_array_get(row, f), diag, &r->w[(size_t)k * r->features + f]));
        }
    }
    return OK;
}

struct status
remover_from_json(const json_t *o, const struct feature_list *read, const char *label,
                  struct diag *diag, struct remover *ret_remover)
{
    const char *format = NULL;
    json_t *columns = NULL, *means = NULL, *names = NULL, *weights = NULL;
    DEFER(remover_done) struct remover r = {0};
    DEFER(buf_done) struct buf text;
    buf_init(&text, JSON_MAX);
    TRY(js_need_string(o, "format", diag, &format));
    if (strcmp(format, FORMAT) != 0 || json_object_size(o) != KEYS) {
        return refuse(diag, "not of the format that this program knows, " FORMAT);
    }
    TRY(js_need_array(o, "columns", diag, &columns));
    TRY(js_need_array(o, "means", diag, &means));
    TRY(js_need_array(o, "features", diag, &names));
    TRY(js_need_array(o, "weights", diag, &weights));
    TRY(js_need_f64(o, "alpha", diag, &r.alpha));
    if (!(r.alpha >= 0 && r.alpha <= 1)) {
        return refuse(diag, "alpha is a number from 0 to 1");
    }
    TRY(js_put(&text, columns));
    TRY(feature_list_from_json(buf_view(&text), diag, &r.by));
    TRY(check_columns(read, label, diag, &r));
    TRY(read_features(names, read, diag, &r));
    TRY(read_weights(means, weights, diag, &r));
    *ret_remover = r;
    r = (struct remover){0};
    return OK;
}

/* ---- applying it ---- */

/* The terms of one row's value, less their means. */
static void
centre(const struct feature *f, float value, const double *mean, double *ret_terms)
{
    for (uint32_t k = 0; k < terms_of(f); k++) {
        const double s = f->level_count == 0 ? (double)value : value == (float)(k + 1);
        ret_terms[k] = isnan(value) ? 0 : s - mean[k];
    }
}

static float
as_float(double v)
{
    return v > (double)FLT_MAX ? FLT_MAX : v < -(double)FLT_MAX ? -FLT_MAX : (float)v;
}

static void
change_row(const struct remover *r, const double *s, float *x)
{
    for (uint32_t f = 0; f < r->features; f++) {
        double sum = 0;
        for (uint32_t k = 0; k < r->terms; k++) {
            sum += s[k] * r->w[(size_t)k * r->features + f];
        }
        float *to = &x[r->feature[f]];
        *to = isnan(*to) ? NAN : as_float((double)*to - r->alpha * sum);
    }
}

void
remover_apply(const struct remover *r, const float *s, uint32_t stride, size_t rows, uint32_t width,
              float *x)
{
    double term[REMOVER_MAX_TERMS];
    for (size_t i = 0; i < rows && r->by.count > 0; i++) {
        for (uint32_t j = 0, k = 0; j < r->by.count; k += terms_of(&r->by.items[j++])) {
            centre(&r->by.items[j], s[i * stride + j], r->mean + k, term + k);
        }
        change_row(r, term, x + i * width);
    }
}

struct status
remover_read(const struct remover *r, const struct table *t, json_t *remarks, struct diag *diag,
             float **ret_s, uint64_t *ret_missing)
{
    const size_t rows = (size_t)t->rows, n = r->by.count;
    uint64_t missing = 0;
    DEFER(memory_freep) float *s = calloc(rows * n + 1, sizeof *s);
    CHECK(s != NULL, MEMORY);
    const struct status read = matrix_from_table(t, &r->by, remarks, diag, s);
    if (!status_ok(read)) {
        diag_prefix(diag, "the correlation remover before the model needs the sensitive columns");
        return read;
    }
    for (size_t i = 0; i < rows; i++) {
        bool none = false;
        for (size_t j = 0; j < n; j++) {
            none |= isnan(s[i * n + j]);
        }
        missing += none;
    }
    *ret_s = MOVE(s);
    *ret_missing = missing;
    return OK;
}

void
remover_describe(const struct remover *r, const char *const *names, uint64_t missing,
                 struct buf *ret_text)
{
    buf_put_str(ret_text, "a correlation remover changes ");
    for (uint32_t f = 0; f < r->features && f < NAMES_SHOWN; f++) {
        buf_printf(ret_text, "%s\"%.60s\"", f == 0 ? "" : ", ", names[r->feature[f]]);
    }
    if (r->features > NAMES_SHOWN) {
        buf_printf(ret_text, " and %u more", r->features - NAMES_SHOWN);
    }
    buf_put_str(ret_text, " by ");
    for (uint32_t j = 0; j < r->by.count; j++) {
        buf_printf(ret_text, "%s\"%.60s\"", j == 0 ? "" : ", ", r->by.items[j].name);
    }
    buf_printf(ret_text,
               " (alpha %g) before the model reads them: what explains its answers are the "
               "changed values",
               r->alpha);
    if (missing > 0) {
        buf_printf(ret_text, "; rows of which such a column is missing (%llu) count as the mean",
                   (unsigned long long)missing);
    }
}

/* ---- fitting one ---- */

struct status
remover_leave_out(const struct remover_wish *wish, struct feature_list *features)
{
    struct feature_list kept = {0}, out = {0};
    kept.items = calloc((size_t)features->count + 1, sizeof *kept.items);
    out.items = calloc((size_t)features->count + 1, sizeof *out.items);
    if (kept.items == NULL || out.items == NULL) {
        free(kept.items);
        free(out.items);
        FAIL(MEMORY);
    }
    for (uint32_t i = 0; i < features->count; i++) {
        bool named = false;
        for (size_t k = 0; k < wish->count; k++) {
            named |= strcmp(features->items[i].name, wish->columns[k]) == 0;
        }
        struct feature_list *to = named ? &out : &kept;
        to->items[to->count++] = features->items[i];
    }
    feature_list_done(&out);
    free(features->items);
    *features = kept;
    return OK;
}

static struct status
name_column(const struct remover_wish *wish, size_t i, const struct table *t, struct diag *diag,
            struct feature *f)
{
    const struct column *c = NULL;
    TRY(table_need_column(t, "sensitive", wish->columns[i], diag, &c));
    if (c->role == ROLE_LABEL) {
        diag_set(diag, "\"%s\" is the label, which no call can send", c->name);
        FAIL(INPUT);
    }
    if (c->type == COLUMN_TEXT || c->type == COLUMN_TIME) {
        diag_set(diag,
                 "sensitive column \"%s\" is of type %s: the remover reads numbers, categories and "
                 "truth values",
                 c->name, column_type_word(c->type));
        FAIL(INPUT);
    }
    for (size_t k = 0; k < i; k++) {
        if (strcmp(wish->columns[k], c->name) == 0) {
            diag_set(diag, "sensitive column \"%s\" is named twice", c->name);
            FAIL(INPUT);
        }
    }
    return feature_from_column(c, f);
}

static struct status
name_columns(const struct remover_wish *wish, const struct table *t, struct diag *diag,
             struct remover *r)
{
    if (wish->count == 0 || wish->count > REMOVER_MAX_COLUMNS) {
        return refuse(diag, "from 1 to 4 sensitive columns are needed");
    }
    r->by.items = calloc(wish->count, sizeof *r->by.items);
    CHECK(r->by.items != NULL, MEMORY);
    for (size_t i = 0; i < wish->count; i++) {
        r->by.count = (uint32_t)i + 1;
        TRY(name_column(wish, i, t, diag, &r->by.items[i]));
    }
    return OK;
}

/* Numbers that no row misses. */
static struct status
choose_features(const struct feature_list *read, const float *x, size_t rows, struct diag *diag,
                struct remover *r)
{
    r->feature = calloc((size_t)read->count + 1, sizeof *r->feature);
    CHECK(r->feature != NULL, MEMORY);
    for (uint32_t f = 0; f < read->count; f++) {
        bool whole = is_number(&read->items[f]);
        for (size_t i = 0; whole && i < rows; i++) {
            whole = !isnan(x[i * read->count + f]);
        }
        if (whole) {
            r->feature[r->features++] = f;
        }
    }
    return r->features > 0 ? OK
                           : refuse(diag, "no feature is of numbers and has a value in every "
                                          "training row: there is nothing that it could change");
}

/* The sensitive columns of the rows in use. */
static struct status
take_sensitive(const struct remover *r, const struct table *t, const uint8_t *used,
               struct diag *diag, float **ret_s, uint64_t *ret_missing)
{
    const size_t n = r->by.count;
    size_t at = 0;
    uint64_t missing = 0;
    TRY(remover_read(r, t, NULL, diag, ret_s, &missing));
    *ret_missing = 0;
    for (size_t i = 0; i < (size_t)t->rows; i++) {
        if (used[i] == 0) {
            continue;
        }
        bool none = false;
        for (size_t j = 0; j < n; j++) {
            (*ret_s)[at * n + j] = (*ret_s)[i * n + j];
            none |= isnan((*ret_s)[at * n + j]);
        }
        *ret_missing += none;
        at++;
    }
    return OK;
}

/* Means of the values that are there. */
static void
find_means(const struct remover *r, const float *s, size_t rows)
{
    static const double zero[REMOVER_MAX_TERMS];
    double term[REMOVER_MAX_TERMS];
    for (uint32_t j = 0, k = 0; j < r->by.count; k += terms_of(&r->by.items[j++])) {
        const struct feature *f = &r->by.items[j];
        uint64_t there = 0;
        for (size_t i = 0; i < rows; i++) {
            const float v = s[i * r->by.count + j];
            centre(f, v, zero, term);
            there += isnan(v) ? 0 : 1;
            for (uint32_t a = 0; a < terms_of(f); a++) {
                r->mean[k + a] += term[a];
            }
        }
        for (uint32_t a = 0; a < terms_of(f) && there > 0; a++) {
            r->mean[k + a] /= (double)there;
        }
    }
}

static struct status
find_weights(const struct feature_list *read, const float *s, const float *x, size_t rows,
             struct diag *diag, struct remover *r)
{
    size_t rank = 0, cells = 0;
    double centred[REMOVER_MAX_TERMS]; /* their means, which rounding leaves */
    CHECK(!__builtin_mul_overflow(rows, (size_t)r->features, &cells), LIMIT);
    DEFER(memory_freep) double *z = calloc(cells + 1, sizeof *z);
    DEFER(memory_freep) double *terms = calloc(rows * r->terms + 1, sizeof *terms);
    r->mean = calloc(r->terms, sizeof *r->mean);
    r->w = calloc((size_t)r->terms * r->features, sizeof *r->w);
    CHECK(z != NULL && terms != NULL && r->mean != NULL && r->w != NULL, MEMORY);
    find_means(r, s, rows);
    for (size_t i = 0; i < rows; i++) {
        for (uint32_t j = 0, k = 0; j < r->by.count; k += terms_of(&r->by.items[j++])) {
            centre(&r->by.items[j], s[i * r->by.count + j], r->mean + k, terms + i * r->terms + k);
        }
        for (uint32_t f = 0; f < r->features; f++) {
            z[i * r->features + f] = (double)x[i * read->count + r->feature[f]];
        }
    }
    const struct correlation_rows all = {z, terms, rows};
    TRY(correlation_fit(&all, 1, r->features, r->terms, diag, centred, r->w, &rank));
    return rank > 0 ? OK
                    : refuse(diag, "the sensitive columns have the same value in every training "
                                   "row: there is nothing to remove");
}

static struct status
make_note(const struct remover_wish *wish, const struct remover *r, const struct feature_list *read,
          uint64_t missing, json_t **ret_note)
{
    json_t *names = json_array(), *left = json_array();
    DEFER(js_freep)
    json_t *o =
        json_pack("{s:s, s:o, s:o, s:I, s:I, s:o}", "method", "correlation-remover", "sensitive",
                  names, "alpha", js_real(r->alpha), "features_changed", (json_int_t)r->features,
                  "rows_without_group", (json_int_t)missing, "features_left", left);
    CHECK(o != NULL, MEMORY);
    for (size_t i = 0; i < wish->count; i++) {
        TRY(append(names, json_string(wish->columns[i])));
    }
    for (uint32_t f = 0, k = 0; f < read->count; f++) {
        if (k < r->features && r->feature[k] == f) {
            k++;
        } else {
            TRY(append(left, json_string(read->items[f].name)));
        }
    }
    *ret_note = MOVE(o);
    return OK;
}

struct status
remover_fit(const struct remover_wish *wish, const struct table *t, const uint8_t *used,
            const struct feature_list *read, float *x, size_t rows, struct diag *diag,
            struct remover *ret_remover, json_t **ret_note)
{
    DEFER(remover_done) struct remover r = {.alpha = wish->alpha};
    DEFER(memory_freep) float *s = NULL;
    DEFER(js_freep) json_t *note = NULL;
    uint64_t missing = 0;
    if (!(wish->alpha >= 0 && wish->alpha <= 1)) {
        return refuse(diag, "alpha is a number from 0 to 1");
    }
    TRY(name_columns(wish, t, diag, &r));
    TRY(check_columns(read, NULL, diag, &r));
    TRY(choose_features(read, x, rows, diag, &r));
    TRY(take_sensitive(&r, t, used, diag, &s, &missing));
    TRY(find_weights(read, s, x, rows, diag, &r));
    remover_apply(&r, s, r.by.count, rows, read->count, x);
    TRY(make_note(wish, &r, read, missing, &note));
    *ret_remover = r;
    *ret_note = MOVE(note);
    r = (struct remover){0};
    return OK;
}
