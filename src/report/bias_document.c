#include "report/bias_parts.h"

#include "num/cross.h"
#include "num/fdr.h"
#include "report/document.h"

#include <math.h>

#define CELLS_MAX ((size_t)1 << 24)
#define DRAWS_MAX 4e7 /* of the bootstrap of one factor's facets, over cells that have rows */
#define REPLICATES_LEAST 100u

json_t *
bias_number(double v)
{
    return isinf(v) ? json_string(v > 0 ? "Infinity" : "-Infinity") : js_real(v);
}

json_t *
bias_interval(struct interval ci)
{
    return json_pack("[o, o]", bias_number(ci.low), bias_number(ci.high));
}

json_t *
bias_rate(uint64_t x, uint64_t n, double level)
{
    const double value = n == 0 ? NAN : (double)x / (double)n;
    struct interval ci = interval_wilson((double)x, (double)n, level);
    if (n == 0) {
        ci = (struct interval){NAN, NAN};
    }
    return json_pack("{s:o, s:I, s:I, s:o}", "value", js_real(value), "x", (json_int_t)x, "n",
                     (json_int_t)n, "ci", bias_interval(ci));
}

json_t *
bias_value_json(const struct bias_value *v)
{
    return json_pack("{s:o, s:o}", "value", bias_number(v->value), "ci", bias_interval(v->ci));
}

struct status
bias_adjust_p(json_t *const *objects, size_t n)
{
    DEFER(memory_freep) double *p = calloc(n + 1, sizeof *p);
    DEFER(memory_freep) size_t *order = calloc(n + 1, sizeof *order);
    CHECK(p != NULL && order != NULL, MEMORY);
    for (size_t i = 0; i < n; i++) {
        p[i] = document_number(objects[i], "p_value");
    }
    fdr_adjust(FDR_BENJAMINI_HOCHBERG, p, n, order, p);
    for (size_t i = 0; i < n; i++) {
        TRY(js_set(objects[i], "p_adjusted", js_real(p[i])));
    }
    return OK;
}

bool
bias_judged(const struct bias_factor *f, uint32_t group)
{
    return f->rows_of[group] >= f->in->min_group;
}

/* ---- counting ---- */

static void
factor_done(struct bias_factor *f)
{
    free(f->rows_of);
    free(f->count);
    free(f->classes);
}

/* -1 and each class to missing, negative, positive. */
static struct status
outcome_map(const struct bias_input *in, int32_t **ret_map)
{
    int32_t *map = calloc(in->label.levels + (size_t)1, sizeof *map);
    CHECK(map != NULL, MEMORY);
    map[0] = -1;
    map[in->positive + 1] = 1;
    *ret_map = map;
    return OK;
}

/* A missing value is the last stratum. */
static struct status
stratum_map(const struct bias_column *c, int32_t **ret_map)
{
    int32_t *map = calloc(c->levels + (size_t)1, sizeof *map);
    CHECK(map != NULL, MEMORY);
    map[0] = (int32_t)c->levels;
    for (uint32_t i = 0; i < c->levels; i++) {
        map[i + 1] = (int32_t)i;
    }
    *ret_map = map;
    return OK;
}

static struct status
count_outcomes(struct bias_factor *f)
{
    const struct bias_input *in = f->in;
    DEFER(memory_freep) int32_t *outcome = NULL;
    DEFER(memory_freep) int32_t *stratum = NULL;
    uint64_t missing = 0;
    TRY(outcome_map(in, &outcome));
    struct cross_column columns[3] = {
        {.codes = f->column->codes, .levels = f->column->levels},
        {.codes = in->label.codes, .map = outcome, .levels = 2},
    };
    if (in->strata == NULL) {
        return cross_count(columns, 2, in->rows, in->threads, f->count, &missing);
    }
    TRY(stratum_map(in->strata, &stratum));
    columns[2] = columns[1];
    columns[1] = columns[0];
    columns[0] =
        (struct cross_column){.codes = in->strata->codes, .map = stratum, .levels = f->strata};
    return cross_count(columns, 3, in->rows, in->threads, f->count, &missing);
}

static struct status
factor_count(struct bias_factor *f)
{
    const struct bias_input *in = f->in;
    const uint32_t groups = f->column->levels, classes = in->label.levels;
    f->strata = in->strata == NULL ? 1 : in->strata->levels + 1;
    f->rows_of = calloc(groups, sizeof *f->rows_of);
    f->count = calloc((size_t)f->strata * groups * 2, sizeof *f->count);
    f->classes = calloc((size_t)groups * classes, sizeof *f->classes);
    CHECK(f->rows_of != NULL && f->count != NULL && f->classes != NULL, MEMORY);
    const struct cross_column columns[2] = {
        {.codes = f->column->codes, .levels = groups},
        {.codes = in->label.codes, .levels = classes},
    };
    uint64_t either = 0;
    TRY(cross_count(columns, 1, in->rows, in->threads, f->rows_of, &f->without_group));
    TRY(cross_count(columns, 2, in->rows, in->threads, f->classes, &either));
    f->without_label = either - f->without_group;
    return count_outcomes(f);
}

/* ---- a factor's groups ---- */

static struct status
put_metrics(const struct bias_factor *f, const struct bias_facet *facet, json_t *o)
{
    json_t *metrics = json_object();
    TRY(js_set(o, "metrics", metrics));
    for (unsigned m = 0; m < BIAS_METRICS; m++) {
        if (m != BIAS_CDDL || f->in->strata != NULL) {
            TRY(js_set(metrics, bias_metric_word(m), bias_value_json(&facet->metric[m])));
        }
    }
    TRY(js_set(o, "p_value", js_real(facet->p_value)));
    return js_set(o, "least_expected", bias_number(facet->least_expected));
}

/* With more than two classes: the divergences over all of them. */
static struct status
put_all_classes(const struct bias_factor *f, uint32_t g, json_t *o)
{
    const uint32_t classes = f->in->label.levels;
    if (classes <= 2) {
        return OK;
    }
    DEFER(memory_freep) uint64_t *rest = calloc(classes, sizeof *rest);
    CHECK(rest != NULL, MEMORY);
    for (uint32_t k = 0; k < f->column->levels; k++) {
        for (uint32_t y = 0; y < classes && k != g; y++) {
            rest[y] += f->classes[(size_t)k * classes + y];
        }
    }
    double value[BIAS_METRICS];
    bias_divergences(rest, f->classes + (size_t)g * classes, classes, value);
    json_t *all = json_object();
    TRY(js_set(o, "all_classes", all));
    for (unsigned m = BIAS_KL; m <= BIAS_KS; m++) {
        TRY(js_set(all, bias_metric_word(m), bias_number(value[m])));
    }
    return OK;
}

static struct status
put_balance(const struct bias_balance *b, json_t *o)
{
    json_t *balance = json_pack(
        "{s:o, s:o, s:o, s:o, s:o}", "pointwise_mutual_information",
        bias_number(b->pointwise_mutual_information), "sorensen_dice_coefficient",
        js_real(b->sorensen_dice), "jaccard_index", js_real(b->jaccard), "kendall_rank_correlation",
        js_real(b->kendall_tau_b), "log_likelihood_ratio", bias_number(b->log_likelihood_ratio));
    return js_set(o, "balance", balance);
}

static struct status
put_adjusted(const struct bias_factor *f, const uint64_t *cells, json_t *o)
{
    if (f->in->strata == NULL) {
        return OK;
    }
    struct bias_adjusted a;
    bias_adjust(cells, f->strata, f->in->level, &a);
    json_t *v = json_pack(
        "{s:I, s:I, s:o, s:o, s:o, s:o, s:b}", "strata", (json_int_t)a.strata, "rows_left_out",
        (json_int_t)a.left_out, "difference", js_real(a.difference), "ci", bias_interval(a.ci),
        "statistic", js_real(a.statistic), "p_value", js_real(a.p_value), "reversed", a.reversed);
    return js_set(o, "adjusted", v);
}

/* Workspace of a factor's facets, and the replicates that its size allows. */
struct facet_room {
    struct bias_facets facets;
    uint64_t *cells, *pooled; /* strata * 4; groups * 2 */
};

static void
facet_room_done(struct facet_room *r)
{
    free(r->cells);
    free(r->pooled);
    bias_facets_done(&r->facets);
}

static struct status
facet_room_init(const struct bias_factor *f, struct facet_room *r)
{
    const double each = fmax(1, (double)bias_facets_drawn(f->count, f->strata, f->column->levels));
    const double want = f->in->replicates;
    const double most = fmin(want, fmax(DRAWS_MAX / each, REPLICATES_LEAST));
    const struct bias_options o = {f->in->level, (uint32_t)most, f->in->seed};
    r->cells = calloc((size_t)f->strata * 4, sizeof *r->cells);
    r->pooled = calloc((size_t)f->column->levels * 2, sizeof *r->pooled);
    CHECK(r->cells != NULL && r->pooled != NULL, MEMORY);
    TRY(bias_facets_init(f->count, f->strata, f->column->levels, &o, &r->facets));
    for (size_t s = 0; s < f->strata; s++) {
        for (size_t k = 0; k < (size_t)f->column->levels * 2; k++) {
            r->pooled[k] += f->count[s * f->column->levels * 2 + k];
        }
    }
    return OK;
}

static struct status
put_group(const struct bias_factor *f, struct facet_room *r, uint32_t g, json_t *groups)
{
    const uint64_t n = f->rows_of[g], all = (uint64_t)f->in->rows - f->without_group;
    struct bias_facet facet;
    struct bias_balance balance;
    bias_facet_finish(&r->facets, g, r->cells, &facet);
    bias_balance_of(r->pooled, f->column->levels, g, f->in->level, &balance);
    json_t *o =
        json_pack("{s:s, s:I, s:b, s:o, s:o}", "group", f->column->names[g], "n", (json_int_t)n,
                  "judged", bias_judged(f, g), "share", bias_rate(n, all, f->in->level),
                  "positive_rate", bias_rate(facet.positive_d, facet.n_d, f->in->level));
    CHECK(o != NULL && json_array_append_new(groups, o) == 0, MEMORY);
    TRY(put_metrics(f, &facet, o));
    TRY(put_all_classes(f, g, o));
    TRY(put_balance(&balance, o));
    return put_adjusted(f, r->cells, o);
}

/* ---- pairs of groups ---- */

static double
gap_of(const json_t *groups, size_t a, size_t b, const char *key)
{
    const json_t *x = json_object_get(json_array_get(groups, a), "balance");
    const json_t *y = json_object_get(json_array_get(groups, b), "balance");
    return document_number(x, key) - document_number(y, key);
}

/* All pairs of judged groups, by numbers alone: with many groups there are too many for JSON. */
struct pairs {
    size_t n;
    struct pair {
        uint32_t a, b;
        struct bias_pair of;
    } * pair;
    double *p_adjusted;
    size_t *order; /* the widest difference first */
};

static void
pairs_done(struct pairs *p)
{
    free(p->pair);
    free(p->p_adjusted);
    free(p->order);
}

static int
widest_first(const void *a, const void *b, void *ctx)
{
    const struct pairs *p = ctx;
    const size_t i = *(const size_t *)a, k = *(const size_t *)b;
    const double u = p->pair[i].of.statistical_parity, v = p->pair[k].of.statistical_parity;
    const double x = isnan(u) ? -1 : fabs(u), y = isnan(v) ? -1 : fabs(v);
    return x < y ? 1 : x > y ? -1 : (i > k) - (i < k);
}

static struct status
compare_pairs(const struct bias_factor *f, const uint64_t *pooled, struct pairs *p)
{
    const size_t groups = f->column->levels, most = groups * (groups - 1) / 2;
    p->pair = calloc(most + 1, sizeof *p->pair);
    p->p_adjusted = calloc(most + 1, sizeof *p->p_adjusted);
    p->order = calloc(most + 1, sizeof *p->order);
    CHECK(p->pair != NULL && p->p_adjusted != NULL && p->order != NULL, MEMORY);
    for (uint32_t a = 0; a < groups; a++) {
        for (uint32_t b = a + 1; b < groups; b++) {
            if (bias_judged(f, a) && bias_judged(f, b)) {
                const uint64_t *x = pooled + (size_t)a * 2, *y = pooled + (size_t)b * 2;
                struct pair *to = &p->pair[p->n];
                to->a = a;
                to->b = b;
                bias_pair_of(x[0] + x[1], x[1], y[0] + y[1], y[1], f->in->level, &to->of);
                p->p_adjusted[p->n++] = to->of.p_value;
            }
        }
    }
    fdr_adjust(FDR_BENJAMINI_HOCHBERG, p->p_adjusted, p->n, p->order, p->p_adjusted);
    for (size_t i = 0; i < p->n; i++) {
        p->order[i] = i;
    }
    qsort_r(p->order, p->n, sizeof *p->order, widest_first, p);
    return OK;
}

static struct status
put_pair(const struct bias_factor *f, const json_t *groups, const struct pair *p, double p_adjusted,
         json_t *pairs)
{
    static const char *const gaps[] = {"pointwise_mutual_information", "sorensen_dice_coefficient",
                                       "jaccard_index", "kendall_rank_correlation",
                                       "log_likelihood_ratio"};
    json_t *o =
        json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "a", f->column->names[p->a], "b",
                  f->column->names[p->b], "statistical_parity", js_real(p->of.statistical_parity),
                  "ci", bias_interval(p->of.ci), "t_test", js_real(p->of.t), "df",
                  js_real(p->of.df), "p_value", js_real(p->of.p_value));
    CHECK(o != NULL && json_array_append_new(pairs, o) == 0, MEMORY);
    for (size_t k = 0; k < sizeof gaps / sizeof *gaps; k++) {
        TRY(js_set(o, gaps[k], js_real(gap_of(groups, p->a, p->b, gaps[k]))));
    }
    return js_set(o, "p_adjusted", js_real(p_adjusted));
}

/* Keeps the widest differences; the p-values are adjusted over all pairs before. */
static struct status
put_pairs(const struct bias_factor *f, const uint64_t *pooled, const json_t *groups, json_t *o)
{
    DEFER(pairs_done) struct pairs p = {0};
    json_t *kept = json_array();
    TRY(js_set(o, "pairs", kept));
    TRY(compare_pairs(f, pooled, &p));
    for (size_t i = 0; i < p.n && i < BIAS_PAIRS_SHOWN; i++) {
        const size_t k = p.order[i];
        TRY(put_pair(f, groups, &p.pair[k], p.p_adjusted[k], kept));
    }
    return js_set(o, "pairs_compared", json_integer((json_int_t)p.n));
}

/* p-values of groups that are judged; the others' are not asked. */
static struct status
adjust_groups(const json_t *groups)
{
    const size_t n = json_array_size(groups);
    DEFER(memory_freep) json_t **items = calloc(2 * n + 1, sizeof(json_t *));
    size_t asked = 0;
    CHECK(items != NULL, MEMORY);
    for (size_t i = 0; i < n; i++) {
        json_t *g = json_array_get(groups, i), *adjusted = json_object_get(g, "adjusted");
        TRY(js_set(g, "p_adjusted", json_null()));
        if (adjusted != NULL) {
            TRY(js_set(adjusted, "p_adjusted", json_null()));
        }
        if (json_is_true(json_object_get(g, "judged"))) {
            items[asked++] = g;
        }
        if (json_is_true(json_object_get(g, "judged")) && adjusted != NULL) {
            items[asked++] = adjusted;
        }
    }
    return bias_adjust_p(items, asked);
}

static void
tell(const struct bias_input *in, const char *stage)
{
    if (in->progress != NULL) {
        in->progress(in->progress_ctx, stage);
    }
}

static struct status
put_factor(const struct bias_input *in, const struct bias_column *column, struct diag *diag,
           json_t *factors)
{
    DEFER(factor_done) struct bias_factor f = {.in = in, .column = column};
    DEFER(facet_room_done) struct facet_room room = {0};
    tell(in, column->name);
    TRY(factor_count(&f));
    TRY(facet_room_init(&f, &room));
    json_t *groups = json_array();
    json_t *o =
        json_pack("{s:s, s:I, s:I, s:I, s:o}", "factor", column->name, "rows_without_group",
                  (json_int_t)f.without_group, "rows_without_label", (json_int_t)f.without_label,
                  "replicates", (json_int_t)room.facets.o.replicates, "groups", groups);
    CHECK(o != NULL && json_array_append_new(factors, o) == 0, MEMORY);
    for (uint32_t g = 0; g < column->levels; g++) {
        TRY(put_group(&f, &room, g, groups));
    }
    TRY(adjust_groups(groups));
    TRY(put_pairs(&f, room.pooled, groups, o));
    TRY(bias_put_strata(&f, o));
    TRY(bias_put_distribution(&f, diag, o));
    TRY(bias_put_missingness(&f, o));
    return bias_put_proxies(&f, o);
}

/* ---- all sensitive columns together ---- */

static json_t *
aggregate_json(const uint64_t *count, size_t cells, bool all)
{
    struct bias_aggregate a;
    bias_aggregate_of(count, cells, all, &a);
    return json_pack("{s:o, s:o, s:o}", "atkinson_index", js_real(a.atkinson), "theil_l_index",
                     bias_number(a.theil_l), "theil_t_index", js_real(a.theil_t));
}

static struct status
put_combinations(const struct bias_input *in, json_t *d)
{
    struct cross_column columns[CROSS_MAX_COLUMNS];
    uint64_t missing = 0;
    const size_t n = in->sensitives < CROSS_MAX_COLUMNS ? in->sensitives : CROSS_MAX_COLUMNS;
    for (size_t i = 0; i < n; i++) {
        columns[i] = (struct cross_column){.codes = in->sensitive[i].codes,
                                           .levels = in->sensitive[i].levels};
    }
    const size_t cells = n == 0 ? 0 : cross_cells(columns, (uint32_t)n, CELLS_MAX);
    if (cells == 0) {
        return js_set(d, "combinations", json_null());
    }
    DEFER(memory_freep) uint64_t *count = calloc(cells, sizeof *count);
    CHECK(count != NULL, MEMORY);
    TRY(cross_count(columns, (uint32_t)n, in->rows, in->threads, count, &missing));
    size_t occupied = 0;
    for (size_t i = 0; i < cells; i++) {
        occupied += count[i] > 0;
    }
    json_t *names = json_array();
    for (size_t i = 0; i < n; i++) {
        CHECK(json_array_append_new(names, json_string(in->sensitive[i].name)) == 0, MEMORY);
    }
    return js_set(d, "combinations",
                  json_pack("{s:o, s:I, s:I, s:I, s:o, s:o}", "factors", names, "cells",
                            (json_int_t)cells, "occupied", (json_int_t)occupied,
                            "rows_without_group", (json_int_t)missing, "occupied_cells",
                            aggregate_json(count, cells, false), "all_cells",
                            aggregate_json(count, cells, true)));
}

/* ---- the whole ---- */

static struct status
put_label(const struct bias_input *in, struct diag *diag, json_t *d)
{
    const struct cross_column column = {.codes = in->label.codes, .levels = in->label.levels};
    DEFER(memory_freep) uint64_t *count = calloc(in->label.levels + (size_t)1, sizeof *count);
    uint64_t missing = 0, known = 0;
    json_t *classes = json_array();
    CHECK(count != NULL && classes != NULL, MEMORY);
    json_t *label = json_pack("{s:s, s:s, s:o}", "column", in->label.name, "positive",
                              in->label.names[in->positive], "classes", classes);
    TRY(js_set(d, "label", label));
    TRY(cross_count(&column, 1, in->rows, in->threads, count, &missing));
    for (uint32_t y = 0; y < in->label.levels; y++) {
        known += count[y];
        CHECK(json_array_append_new(classes, json_pack("{s:s, s:I}", "value", in->label.names[y],
                                                       "n", (json_int_t)count[y])) == 0,
              MEMORY);
    }
    if (known == 0 || count[in->positive] == 0 || count[in->positive] == known) {
        diag_set(diag, "label \"%s\": %s", in->label.name,
                 known == 0                ? "every value is missing"
                 : count[in->positive] > 0 ? "every row has the positive value"
                                           : "no row has the positive value");
        FAIL(INPUT);
    }
    return js_set(d, "rows_without_label", json_integer((json_int_t)missing));
}

static bool
has_values(const struct bias_input *in, const struct bias_column *c)
{
    for (size_t i = 0; c->levels == 0 && i < in->rows; i++) {
        if (c->codes[i] >= 0) {
            return true;
        }
    }
    return c->levels > 0;
}

/* ret_with[in->sensitives]: those of the sensitive columns that have values; the others are told.
 */
static struct status
put_without_groups(const struct bias_input *in, json_t *d, struct bias_column *ret_with,
                   size_t *ret_count)
{
    json_t *list = json_array();
    TRY(js_set(d, "without_groups", list));
    *ret_count = 0;
    for (size_t i = 0; i < in->sensitives; i++) {
        const struct bias_column *c = &in->sensitive[i];
        if (has_values(in, c)) {
            ret_with[(*ret_count)++] = *c;
        } else {
            TRY(document_add_without_groups(list, c->name, "has no value in any row"));
        }
    }
    return OK;
}

static const char *
no_levels(const struct bias_input *in, const struct bias_column *c)
{
    return has_values(in, c)
               ? "too many different values, or free text: bring them together into groups"
               : "no value in any row";
}

static struct status
check(const struct bias_input *in, size_t named, struct diag *diag)
{
    if (named == 0) {
        diag_set(diag, "no sensitive column is named: there is nothing to compare");
        FAIL(INPUT);
    }
    for (size_t i = 0; i < in->sensitives; i++) {
        const struct bias_column *c = &in->sensitive[i];
        if (c->levels == 0 || c->levels > BIAS_MAX_GROUPS) {
            diag_set(diag, "sensitive column \"%s\": %s", c->name,
                     c->levels == 0 ? no_levels(in, c) : "more than 1024 groups");
            FAIL(INPUT);
        }
    }
    if (in->strata != NULL && (in->strata->levels == 0 || in->strata->levels > BIAS_MAX_STRATA)) {
        diag_set(diag, "strata column \"%s\": %s", in->strata->name,
                 in->strata->levels == 0 ? no_levels(in, in->strata) : "more than 1024 strata");
        FAIL(INPUT);
    }
    return OK;
}

struct status
bias_document(const struct bias_input *in, struct diag *diag, json_t **ret_document)
{
    DEFER(js_freep)
    json_t *d =
        json_pack("{s:s, s:I, s:o, s:o, s:I, s:I}", "format", BIAS_FORMAT, "rows",
                  (json_int_t)in->rows, "level", js_real(in->level), "fdr", js_real(in->fdr),
                  "min_group", (json_int_t)in->min_group, "seed", (json_int_t)in->seed);
    DEFER(memory_freep)
    struct bias_column *sensitive = calloc(in->sensitives + 1, sizeof *sensitive);
    CHECK(d != NULL && sensitive != NULL, MEMORY);
    struct bias_input with = *in;
    with.sensitive = sensitive;
    TRY(put_without_groups(in, d, sensitive, &with.sensitives));
    TRY(check(&with, in->sensitives, diag));
    TRY(put_label(in, diag, d));
    TRY(js_set(d, "strata", in->strata == NULL ? json_null() : json_string(in->strata->name)));
    json_t *factors = json_array();
    TRY(js_set(d, "factors", factors));
    for (size_t i = 0; i < with.sensitives; i++) {
        TRY(put_factor(&with, &with.sensitive[i], diag, factors));
    }
    TRY(put_combinations(&with, d));
    TRY(bias_put_findings(d));
    *ret_document = MOVE(d);
    return OK;
}
