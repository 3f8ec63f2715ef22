/* Who is there, who is missing, and what is missing of whom. */
#include "report/bias_parts.h"

#include "num/cross.h"
#include "num/tail.h"
#include "report/document.h"

#include <math.h>

#define GROUPS_LISTED 24u /* of a column's missing values; with more, the extremes alone */

/* ---- a distribution against a reference ---- */

struct shares {
    uint32_t k;
    uint64_t *count;
    double *reference;
    const char **names;
    uint64_t *draw;
    double *values;
};

static void
shares_done(struct shares *s)
{
    free(s->count);
    free(s->reference);
    free(s->names);
    free(s->draw);
    free(s->values);
}

static struct status
shares_init(const struct bias_factor *f, uint32_t k, struct shares *s)
{
    s->k = k;
    s->count = calloc(k, sizeof *s->count);
    s->reference = calloc(k, sizeof *s->reference);
    s->names = calloc(k, sizeof *s->names);
    s->draw = calloc(k, sizeof *s->draw);
    s->values = calloc((size_t)BIAS_DISTANCES * f->in->replicates + 1, sizeof *s->values);
    CHECK(s->count != NULL && s->reference != NULL && s->names != NULL && s->draw != NULL &&
              s->values != NULL,
          MEMORY);
    for (uint32_t g = 0; g < f->column->levels; g++) {
        s->count[g] = f->rows_of[g];
        s->names[g] = f->column->names[g];
        s->reference[g] = 1.0 / k;
    }
    return OK;
}

static struct status
put_distances(const struct bias_factor *f, const struct shares *s, const char *reference, json_t *o)
{
    const struct bias_options options = {f->in->level, f->in->replicates, f->in->seed};
    struct bias_distribution d;
    bias_distribution_of(s->count, s->reference, s->k, f->column->ordered, &options, s->draw,
                         s->values, &d);
    TRY(js_set(o, "reference", json_string(reference)));
    for (unsigned m = 0; m < BIAS_DISTANCES; m++) {
        TRY(js_set(o, bias_distance_word(m), bias_value_json(&d.distance[m])));
    }
    TRY(js_set(o, "wasserstein_ground", json_string(f->column->ordered ? "order" : "discrete")));
    TRY(js_set(o, "chi_square_statistic", bias_number(d.chi_square)));
    TRY(js_set(o, "df", js_real(d.df)));
    return js_set(o, "p_value", js_real(d.p_value));
}

static struct status
refuse(struct diag *diag, const struct bias_factor *f, const char *group, const char *what)
{
    diag_set(diag, "reference for \"%.60s\", \"%.60s\": %s", f->column->name, group, what);
    FAIL(INPUT);
}

static uint32_t
group_named(const struct bias_factor *f, const char *name)
{
    uint32_t g = 0;
    while (g < f->column->levels && strcmp(f->column->names[g], name) != 0) {
        g++;
    }
    return g;
}

/* Fills the shares from the user's reference; its groups that no row has come last. */
static struct status
read_reference(const struct bias_factor *f, const json_t *given, struct diag *diag,
               struct shares *s, double *ret_total)
{
    const char *name = NULL;
    json_t *v = NULL;
    double total = 0;
    uint32_t absent = f->column->levels;
    for (uint32_t g = 0; g < f->column->levels; g++) {
        if (json_object_get(given, f->column->names[g]) == NULL) {
            return refuse(diag, f, f->column->names[g],
                          "the data has such rows; give it a share, 0 when none is expected");
        }
    }
    json_object_foreach((json_t *)(uintptr_t)given, name, v)
    {
        if (!json_is_number(v) || !(json_number_value(v) >= 0)) {
            return refuse(diag, f, name, "a share or count from 0 is needed");
        }
        const uint32_t g = group_named(f, name), at = g < f->column->levels ? g : absent++;
        s->names[at] = name;
        s->reference[at] = json_number_value(v);
        total += s->reference[at];
    }
    if (!(total > 0) || !isfinite(total)) {
        return refuse(diag, f, "*", "its shares add to nothing");
    }
    for (uint32_t i = 0; i < s->k; i++) {
        s->reference[i] /= total;
    }
    *ret_total = total;
    return OK;
}

/* Score test of a share: chi-square with one degree of freedom. */
static double
share_p(double x, double n, double q)
{
    if (n == 0) {
        return NAN;
    }
    if (q <= 0 || q >= 1) {
        return x == n * q ? NAN : 0;
    }
    const double gap = x - n * q;
    return tail_chi_square(gap * gap / (n * q * (1 - q)), 1);
}

static struct status
put_gaps(const struct bias_factor *f, const struct shares *s, json_t *o)
{
    json_t *groups = json_array();
    DEFER(memory_freep) json_t **items = calloc(s->k + (size_t)1, sizeof(json_t *));
    double n = 0;
    CHECK(items != NULL, MEMORY);
    TRY(js_set(o, "groups", groups));
    for (uint32_t i = 0; i < s->k; i++) {
        n += (double)s->count[i];
    }
    for (uint32_t i = 0; i < s->k; i++) {
        const double x = (double)s->count[i], q = s->reference[i], p = x / n;
        const struct interval ci = interval_wilson(x, n, f->in->level);
        items[i] =
            json_pack("{s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "group", s->names[i], "n",
                      (json_int_t)s->count[i], "share", js_real(p), "ci", bias_interval(ci),
                      "reference", js_real(q), "difference", js_real(p - q), "ratio",
                      bias_number(q > 0 ? p / q : NAN), "p_value", js_real(share_p(x, n, q)));
        CHECK(items[i] != NULL && json_array_append_new(groups, items[i]) == 0, MEMORY);
    }
    return bias_adjust_p(items, s->k);
}

static struct status
put_representation(const struct bias_factor *f, const json_t *given, struct diag *diag, json_t *o)
{
    DEFER(shares_done) struct shares s = {0};
    uint32_t absent = 0;
    const char *name = NULL;
    json_t *v = NULL;
    double total = 0;
    if (!json_is_object(given)) {
        return refuse(diag, f, "*", "an object of groups and their shares is needed");
    }
    json_object_foreach((json_t *)(uintptr_t)given, name, v)
    {
        absent += group_named(f, name) == f->column->levels;
    }
    TRY(shares_init(f, f->column->levels + absent, &s));
    TRY(read_reference(f, given, diag, &s, &total));
    json_t *r = json_object();
    TRY(js_set(o, "representation", r));
    TRY(put_distances(f, &s, "given", r));
    TRY(js_set(r, "reference_total", js_real(total)));
    return put_gaps(f, &s, r);
}

struct status
bias_put_distribution(const struct bias_factor *f, struct diag *diag, json_t *o)
{
    DEFER(shares_done) struct shares s = {0};
    TRY(shares_init(f, f->column->levels, &s));
    json_t *d = json_object();
    TRY(js_set(o, "distribution", d));
    TRY(put_distances(f, &s, "uniform", d));
    const json_t *given = json_object_get(f->in->reference, f->column->name);
    return given == NULL ? OK : put_representation(f, given, diag, o);
}

/* ---- missing values ---- */

static struct status
count_missing(const struct bias_factor *f, const struct bias_column *c, uint64_t *ret_count)
{
    DEFER(memory_freep) int32_t *map = calloc((size_t)c->levels + 2, sizeof *map);
    CHECK(map != NULL, MEMORY);
    map[0] = 1; /* all others stay 0: there */
    const struct cross_column columns[2] = {
        {.codes = f->column->codes, .levels = f->column->levels},
        {.codes = c->codes, .map = map, .levels = 2},
    };
    uint64_t without_group = 0;
    return cross_count(columns, 2, f->in->rows, f->in->threads, ret_count, &without_group);
}

static double
missing_rate(const uint64_t *count, uint32_t g)
{
    return (double)count[(size_t)g * 2 + 1] /
           ((double)count[(size_t)g * 2] + (double)count[(size_t)g * 2 + 1]);
}

static struct status
put_rates(const struct bias_factor *f, const uint64_t *count, json_t *o)
{
    if (f->column->levels > GROUPS_LISTED) {
        return OK;
    }
    json_t *groups = json_array();
    TRY(js_set(o, "groups", groups));
    for (uint32_t g = 0; g < f->column->levels; g++) {
        const uint64_t x = count[(size_t)g * 2 + 1], n = count[(size_t)g * 2] + x;
        const struct interval ci = interval_wilson((double)x, (double)n, f->in->level);
        json_t *r =
            json_pack("{s:s, s:I, s:I, s:o, s:o}", "group", f->column->names[g], "missing",
                      (json_int_t)x, "n", (json_int_t)n, "rate",
                      js_real(n == 0 ? NAN : missing_rate(count, g)), "ci", bias_interval(ci));
        CHECK(json_array_append_new(groups, r) == 0, MEMORY);
    }
    return OK;
}

/* Judged groups alone. */
static struct status
put_missing_gap(const struct bias_factor *f, const uint64_t *count, json_t *o)
{
    const uint32_t none = f->column->levels;
    uint32_t high = none, low = none, kept = 0;
    double df = 0, least = 0;
    DEFER(memory_freep) uint64_t *judged = calloc((size_t)f->column->levels * 2, sizeof *judged);
    CHECK(judged != NULL, MEMORY);
    for (uint32_t g = 0; g < f->column->levels; g++) {
        if (bias_judged(f, g)) {
            high = high == none || missing_rate(count, g) > missing_rate(count, high) ? g : high;
            low = low == none || missing_rate(count, g) < missing_rate(count, low) ? g : low;
            memcpy(judged + (size_t)kept++ * 2, count + (size_t)g * 2, 2 * sizeof *judged);
        }
    }
    if (kept < 2) {
        return js_set(o, "p_value", json_null());
    }
    const uint64_t *h = count + (size_t)high * 2, *l = count + (size_t)low * 2;
    const struct interval ci =
        interval_newcombe((double)h[1], (double)h[0] + (double)h[1], (double)l[1],
                          (double)l[0] + (double)l[1], f->in->level);
    TRY(js_set(o, "high", json_string(f->column->names[high])));
    TRY(js_set(o, "low", json_string(f->column->names[low])));
    TRY(js_set(o, "difference", js_real(missing_rate(count, high) - missing_rate(count, low))));
    TRY(js_set(o, "ci", bias_interval(ci)));
    const double statistic = cross_chi_square(judged, kept, 2, &df, &least);
    return js_set(o, "p_value", js_real(tail_chi_square(statistic, df)));
}

static struct status
put_missing(const struct bias_factor *f, const struct bias_column *c, json_t *columns)
{
    DEFER(memory_freep) uint64_t *count = calloc((size_t)f->column->levels * 2, sizeof *count);
    uint64_t missing = 0;
    CHECK(count != NULL, MEMORY);
    TRY(count_missing(f, c, count));
    for (uint32_t g = 0; g < f->column->levels; g++) {
        missing += count[(size_t)g * 2 + 1];
    }
    if (missing == 0) {
        return OK;
    }
    json_t *o = json_pack("{s:s, s:I}", "column", c->name, "missing", (json_int_t)missing);
    CHECK(o != NULL && json_array_append_new(columns, o) == 0, MEMORY);
    TRY(put_missing_gap(f, count, o));
    return put_rates(f, count, o);
}

struct status
bias_put_missingness(const struct bias_factor *f, json_t *o)
{
    const struct bias_input *in = f->in;
    json_t *columns = json_array();
    TRY(js_set(o, "missingness", columns));
    TRY(put_missing(f, &in->label, columns));
    for (size_t i = 0; i < in->column_count; i++) {
        if (strcmp(in->columns[i].name, f->column->name) != 0) {
            TRY(put_missing(f, &in->columns[i], columns));
        }
    }
    const size_t n = json_array_size(columns);
    DEFER(memory_freep) json_t **items = calloc(n + 1, sizeof(json_t *));
    CHECK(items != NULL, MEMORY);
    for (size_t i = 0; i < n; i++) {
        items[i] = json_array_get(columns, i);
    }
    return bias_adjust_p(items, n);
}
