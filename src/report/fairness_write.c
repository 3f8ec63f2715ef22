/* An analysis as JSON: groups, gaps, strata, with p-values adjusted over all of them. */
#include "assess/flip_test.h"
#include "num/fdr.h"
#include "report/fairness_parts.h"

#include <math.h>

/* ---- small things ---- */

json_t *
fairness_number(double value, struct interval ci)
{
    return json_pack("{s:o, s:[o, o]}", "value", js_real(value), "ci", js_real(ci.low),
                     js_real(ci.high));
}

void
fairness_family_done(struct fairness_family *f)
{
    free(f->p);
    free(f->where);
}

struct status
fairness_family_add(struct fairness_family *f, double p, json_t *where)
{
    if (f->n == f->room) {
        const size_t room = f->room == 0 ? 256 : 2 * f->room;
        double *more = realloc(f->p, room * sizeof *more);
        CHECK(more != NULL, MEMORY);
        f->p = more;
        json_t **places = realloc(f->where, room * sizeof *places);
        CHECK(places != NULL, MEMORY);
        f->where = places;
        f->room = room;
    }
    f->p[f->n] = p;
    f->where[f->n++] = where;
    return js_set(where, "p", js_real(p));
}

struct status
fairness_family_adjust(struct fairness_family *f)
{
    DEFER(memory_freep) size_t *order = calloc(f->n + 1, sizeof *order);
    CHECK(order != NULL, MEMORY);
    fdr_adjust(FDR_BENJAMINI_HOCHBERG, f->p, f->n, order, f->p);
    for (size_t i = 0; i < f->n; i++) {
        TRY(js_set(f->where[i], "p_adjusted", js_real(f->p[i])));
    }
    return OK;
}

/* ---- a grouping as JSON ---- */

struct writing {
    const struct fairness_work *w;
    struct fairness_family *groups, *gaps;
};

static struct status
put_metrics(const struct fairness_work *w, const struct group_tally *t, json_t *o)
{
    json_t *metrics = json_object();
    TRY(js_set(o, "metrics", metrics));
    for (unsigned m = 0; m < GROUP_METRICS; m++) {
        if ((w->metrics >> m & 1) != 0) {
            const struct group_estimate e =
                group_metric_estimate((enum group_metric)m, t, w->centre, w->in->level);
            json_t *x = fairness_number(e.value, e.ci);
            TRY(js_set(metrics, group_metric_word((enum group_metric)m), x));
            if (!isnan(e.n)) {
                TRY(js_set(x, "x", js_real(e.x)));
                TRY(js_set(x, "n", js_real(e.n)));
            }
        }
    }
    return OK;
}

static struct status
put_counts(const struct fairness_work *w, const struct group_tally *t, json_t *o)
{
    TRY(js_set(o, "n", json_integer((json_int_t)t->rows)));
    TRY(js_set(o, "count", json_integer((json_int_t)t->rows))); /* Fairlearn's name for it */
    if (w->y == NULL || w->of_classes) {
        return OK;
    }
    return js_set(o, w->in->weight == NULL ? "counts" : "weighted_counts",
                  json_pack("{s:o, s:o, s:o, s:o}", "tp", js_real(t->count[GROUP_TP]), "fp",
                            js_real(t->count[GROUP_FP]), "tn", js_real(t->count[GROUP_TN]), "fn",
                            js_real(t->count[GROUP_FN])));
}

/* Of everyone who has a group, those who are not in this one. */
static struct group_tally
rest_of(const struct fairness_grouping *g, uint32_t i)
{
    struct group_tally rest = group_tally_less(&g->grouped, &g->tally[i]);
    const struct group_tally *alone = &g->rest[i];
    rest.auc = alone->auc;
    rest.auc_se = alone->auc_se;
    rest.auc_n = alone->auc_n;
    memcpy(rest.macro, alone->macro, sizeof rest.macro);
    memcpy(rest.macro_se, alone->macro_se, sizeof rest.macro_se);
    memcpy(rest.macro_n, alone->macro_n, sizeof rest.macro_n);
    return rest;
}

static struct status
put_versus_rest(const struct writing *x, const struct group_tally *t,
                const struct group_tally *rest, json_t *o)
{
    const struct fairness_work *w = x->w;
    json_t *versus = json_object();
    TRY(js_set(o, "versus_rest", versus));
    for (unsigned k = 0; k < GROUP_METRICS; k++) {
        const enum group_metric m = (enum group_metric)k;
        if ((w->metrics >> k & 1) == 0) {
            continue;
        }
        const struct group_estimate a = group_metric_estimate(m, t, w->centre, w->in->level),
                                    b = group_metric_estimate(m, rest, w->centre, w->in->level);
        const struct group_contrast c = group_contrast_of(m, &a, &b);
        json_t *n =
            json_pack("{s:o, s:o}", "difference", fairness_number(c.difference, c.difference_ci),
                      "ratio", fairness_number(c.ratio, c.ratio_ci));
        TRY(js_set(versus, group_metric_word(m), n));
        TRY(fairness_family_add(x->groups, group_contrast_p(m, t, rest, w->centre), n));
    }
    return OK;
}

/* Beside a number that does not exist, where smclarify has 0 or infinity. */
static struct status
put_quotients(const struct fairness_work *w, const struct group_tally *t, json_t *o)
{
    json_t *quotients = json_object();
    if (w->y == NULL || w->of_classes) {
        json_decref(quotients);
        return OK;
    }
    TRY(js_set(o, "quotients", quotients));
    for (unsigned k = 0; k < FACET_QUOTIENTS; k++) {
        const enum facet_quotient q = (enum facet_quotient)k;
        const struct facet_number x = facet_quotient(t, q, w->in->level);
        json_t *n = fairness_number(x.value, x.ci);
        TRY(js_set(quotients, facet_quotient_word(q), n));
        double over = 0, under = 0;
        facet_quotient_counts(t, q, &over, &under);
        if (!(under > 0)) {
            TRY(js_set(n, "remark",
                       json_string(over > 0 ? "infinite: its lower count is 0"
                                            : "undefined: both counts are 0")));
        }
    }
    return OK;
}

static struct status
put_facets(const struct fairness_work *w, const struct group_tally *t,
           const struct group_tally *rest, json_t *o)
{
    struct facet_number n[FACET_METRICS];
    json_t *clarify = json_object();
    TRY(js_set(o, "clarify", clarify));
    facet_compare(t, rest, w->in->level, n);
    for (unsigned m = 0; m < FACET_METRICS; m++) {
        json_t *x = fairness_number(n[m].value, n[m].ci);
        TRY(js_set(clarify, facet_metric_word((enum facet_metric)m), x));
        if (isnan(n[m].value)) {
            TRY(js_set(x, "remark",
                       json_string("the group or all others have no rows to divide by")));
        }
    }
    return OK;
}

/* Conditional demographic disparity over the strata of the control columns. */
static struct status
put_cddpl(const struct fairness_work *w, const struct fairness_grouping *g, uint32_t group,
          json_t *o)
{
    const uint32_t control = ((1u << w->columns.count) - 1) & ~((1u << w->in->sensitive_count) - 1);
    uint64_t strata = 1;
    for (uint32_t k = w->in->sensitive_count; k < w->columns.count; k++) {
        strata *= w->columns.levels[k];
    }
    DEFER(memory_freep) struct facet_stratum *s = calloc(strata, sizeof *s);
    CHECK(s != NULL, MEMORY);
    for (uint32_t c = 0; c < w->cells; c++) {
        const int64_t at = group_of_cell(&w->columns, c, control);
        if (at < 0 || g->of_cell[c] < 0) {
            continue;
        }
        const double *n = w->tally[c].count;
        const double accepted = n[GROUP_TP] + n[GROUP_FP], rejected = n[GROUP_TN] + n[GROUP_FN];
        s[at].accepted += accepted;
        s[at].rejected += rejected;
        s[at].d_accepted += g->of_cell[c] == (int32_t)group ? accepted : 0;
        s[at].d_rejected += g->of_cell[c] == (int32_t)group ? rejected : 0;
    }
    size_t one_sided = 0;
    const struct facet_number x = facet_cddpl(s, strata, w->in->level, &one_sided);
    json_t *n = fairness_number(x.value, x.ci);
    TRY(js_set(json_object_get(o, "clarify"), "CDDPL", n));
    return js_set(n, "one_sided_strata", json_integer((json_int_t)one_sided));
}

/* The flip test needs the rows: the group of each by its cell. */
static struct status
put_flip(const struct fairness_work *w, const struct fairness_grouping *g, uint32_t group,
         json_t *clarify)
{
    const struct fairness_input *in = w->in;
    DEFER(memory_freep) int32_t *of_row = calloc(in->rows + 1, sizeof *of_row);
    CHECK(of_row != NULL, MEMORY);
    for (size_t i = 0; i < in->rows; i++) {
        of_row[i] = w->y[i] <= 1 ? g->of_cell[w->cell[i]] : -1;
    }
    const struct flip_test_part all = {in->rows, in->features, w->decision, of_row};
    const struct flip_test_rows r = {&all, 1, in->feature_count, true};
    struct flip_test_result f;
    if (flip_test_pairs(&r, (int32_t)group) > FAIRNESS_FLIP_PAIRS) {
        return fairness_remark(w,
                               "FT of one group is left out: it would compare %.3g pairs of "
                               "rows, over %.3g",
                               flip_test_pairs(&r, (int32_t)group), FAIRNESS_FLIP_PAIRS);
    }
    TRY(flip_test_run(&r, (int32_t)group, in->level, in->threads, &f));
    json_t *n = fairness_number(f.value, f.ci);
    TRY(js_set(clarify, "FT", n));
    TRY(js_set(n, "flipped_to_negative", json_integer((json_int_t)f.positive)));
    TRY(js_set(n, "flipped_to_positive", json_integer((json_int_t)f.negative)));
    return js_set(n, "rows_left_out", json_integer((json_int_t)f.left_out));
}

static struct status
put_group(const struct writing *x, const struct fairness_grouping *g, uint32_t i, json_t *list)
{
    const struct fairness_work *w = x->w;
    DEFER(buf_done) struct buf name;
    buf_init(&name, 1u << 16);
    fairness_put_group(w, g->mask, g->level[i], &name);
    const bool judged = g->tally[i].rows >= w->in->min_group;
    json_t *o = json_pack("{s:s, s:b}", "group", buf_str(&name), "judged", judged);
    CHECK(o != NULL && json_array_append_new(list, o) == 0, MEMORY);
    TRY(put_counts(w, &g->tally[i], o));
    TRY(put_metrics(w, &g->tally[i], o));
    TRY(put_quotients(w, &g->tally[i], o));
    if (!judged || g->groups < 2) {
        return OK;
    }
    const struct group_tally rest = rest_of(g, i);
    TRY(put_versus_rest(x, &g->tally[i], &rest, o));
    if (w->y == NULL || w->of_classes) {
        return OK;
    }
    TRY(put_facets(w, &g->tally[i], &rest, o));
    if (w->in->features != NULL && g->stratum < 0) {
        TRY(put_flip(w, g, i, json_object_get(o, "clarify")));
    }
    return g->stratum < 0 && w->in->control_count > 0 ? put_cddpl(w, g, i, o) : OK;
}

static int
larger_first(const void *a, const void *b, void *ctx)
{
    const struct fairness_grouping *g = ctx;
    const uint32_t i = *(const uint32_t *)a, k = *(const uint32_t *)b;
    if (g->tally[i].rows != g->tally[k].rows) {
        return g->tally[i].rows < g->tally[k].rows ? 1 : -1;
    }
    return (i > k) - (i < k);
}

static int
in_order(const void *a, const void *b)
{
    const uint32_t i = *(const uint32_t *)a, k = *(const uint32_t *)b;
    return (i > k) - (i < k);
}

/* All groups, or the largest of too many. */
static struct status
put_groups(const struct writing *x, struct fairness_grouping *g, json_t *o)
{
    json_t *list = json_array();
    TRY(js_set(o, "groups", list));
    DEFER(memory_freep) uint32_t *which = calloc((size_t)g->groups + 1, sizeof *which);
    CHECK(which != NULL, MEMORY);
    for (uint32_t i = 0; i < g->groups; i++) {
        which[i] = i;
    }
    uint32_t n = g->groups;
    if (n > FAIRNESS_GROUPS_LISTED) {
        qsort_r(which, n, sizeof *which, larger_first, g);
        n = FAIRNESS_GROUPS_LISTED;
        qsort(which, n, sizeof *which, in_order);
    }
    for (uint32_t i = 0; i < n; i++) {
        TRY(put_group(x, g, which[i], list));
    }
    return js_set(o, "groups_not_listed", json_integer((json_int_t)(g->groups - n)));
}

static json_t *
spread_json(const struct group_number *x)
{
    static const char *const how[] = {[GROUP_NO_INTERVAL] = "none",
                                      [GROUP_ANALYTIC] = "analytic",
                                      [GROUP_BOOTSTRAP] = "bootstrap"};
    json_t *o = fairness_number(x->value, x->ci);
    return o == NULL || json_object_set_new(o, "interval", json_string(how[x->how])) != 0 ? NULL
                                                                                          : o;
}

static struct status
put_gap(const struct writing *x, const struct fairness_grouping *g, enum group_metric m,
        const struct group_gap *gap, json_t *gaps)
{
    static const char *const keys[GROUP_SPREADS] = {
        "difference",       "ratio",     "difference_to_overall",
        "ratio_to_overall", "group_min", "group_max"};
    DEFER(buf_done) struct buf high;
    DEFER(buf_done) struct buf low;
    buf_init(&high, 1u << 16);
    buf_init(&low, 1u << 16);
    json_t *o = json_object();
    TRY(js_set(gaps, group_metric_word(m), o));
    for (unsigned k = 0; k < GROUP_SPREADS; k++) {
        TRY(js_set(o, keys[k], spread_json(&gap->spread[k])));
    }
    if (gap->groups > 0) {
        fairness_put_group(x->w, g->mask, g->level[g->judged_at[gap->high]], &high);
        fairness_put_group(x->w, g->mask, g->level[g->judged_at[gap->low]], &low);
        TRY(js_set(o, "high", json_string(buf_str(&high))));
        TRY(js_set(o, "low", json_string(buf_str(&low))));
    }
    TRY(js_set(o, "high_index", json_integer(gap->groups > 0 ? (json_int_t)gap->high : -1)));
    TRY(js_set(o, "low_index", json_integer(gap->groups > 0 ? (json_int_t)gap->low : -1)));
    TRY(js_set(o, "undefined", json_integer(gap->undefined)));
    return fairness_family_add(x->gaps, gap->p, o);
}

static struct status
put_odds(const struct group_gaps *gaps, json_t *o)
{
    const struct {
        const char *key;
        const struct group_number *number;
    } rows[] = {
        {"demographic_parity_difference",
         &gaps->gap[GROUP_SELECTION_RATE].spread[SPREAD_DIFFERENCE]},
        {"demographic_parity_ratio", &gaps->gap[GROUP_SELECTION_RATE].spread[SPREAD_RATIO]},
        {"equalized_odds_difference", &gaps->odds.difference_worst},
        {"equalized_odds_ratio", &gaps->odds.ratio_worst},
        {"equalized_odds_difference_mean", &gaps->odds.difference_mean},
        {"equalized_odds_ratio_mean", &gaps->odds.ratio_mean},
        {"equalized_odds_difference_to_overall", &gaps->odds_to_overall.difference_worst},
        {"equalized_odds_ratio_to_overall", &gaps->odds_to_overall.ratio_worst},
        {"equalized_odds_difference_mean_to_overall", &gaps->odds_to_overall.difference_mean},
        {"equalized_odds_ratio_mean_to_overall", &gaps->odds_to_overall.ratio_mean},
        {"equal_opportunity_difference", &gaps->gap[GROUP_TPR].spread[SPREAD_DIFFERENCE]},
        {"equal_opportunity_ratio", &gaps->gap[GROUP_TPR].spread[SPREAD_RATIO]},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        TRY(js_set(o, rows[i].key, spread_json(rows[i].number)));
    }
    return OK;
}

static struct status
put_columns(const struct fairness_work *w, uint32_t mask, json_t *o)
{
    json_t *columns = json_array();
    TRY(js_set(o, "columns", columns));
    for (uint32_t k = 0; k < w->in->sensitive_count; k++) {
        if ((mask >> k & 1) != 0) {
            json_t *name = json_string(w->in->sensitive[k].name);
            CHECK(json_array_append_new(columns, name) == 0, MEMORY);
        }
    }
    return OK;
}

static struct status
put_grouping(const struct writing *x, struct fairness_grouping *g, json_t *o)
{
    struct group_gaps gaps;
    json_t *list = json_object();
    TRY(put_columns(x->w, g->mask, o));
    TRY(js_set(o, "count", json_integer((json_int_t)g->overall.rows)));
    TRY(js_set(o, "rows_without_group",
               json_integer((json_int_t)(g->overall.rows - g->grouped.rows))));
    TRY(js_set(o, "groups_judged", json_integer(g->judged)));
    TRY(put_groups(x, g, o));
    TRY(js_set(o, "gaps", list));
    if (g->judged == 0) {
        return OK;
    }
    TRY(group_gaps_of(&g->set, g->replicates, &gaps));
    for (unsigned m = 0; m < GROUP_METRICS; m++) {
        if ((x->w->metrics >> m & 1) != 0) {
            TRY(put_gap(x, g, (enum group_metric)m, &gaps.gap[m], list));
        }
    }
    return x->w->y == NULL || x->w->of_classes ? OK : put_odds(&gaps, o);
}

/* ---- what follows the adjustment ---- */

static struct status
put_sentences(const struct fairness_work *w, const struct fairness_grouping *g, json_t *o)
{
    json_t *gaps = json_object_get(o, "gaps");
    for (unsigned k = 0; k < GROUP_METRICS; k++) {
        const enum group_metric m = (enum group_metric)k;
        json_t *gap = json_object_get(gaps, group_metric_word(m));
        const json_int_t high = json_integer_value(json_object_get(gap, "high_index"));
        const json_int_t low = json_integer_value(json_object_get(gap, "low_index"));
        if (gap != NULL && high >= 0 && high != low) {
            const struct group_estimate a =
                group_metric_estimate(m, &g->judged_tally[high], w->centre, w->in->level);
            const struct group_estimate b =
                group_metric_estimate(m, &g->judged_tally[low], w->centre, w->in->level);
            DEFER(buf_done) struct buf upper;
            DEFER(buf_done) struct buf lower;
            buf_init(&upper, 1u << 16);
            buf_init(&lower, 1u << 16);
            fairness_put_named(w, g->mask, g->level[g->judged_at[high]], &upper);
            fairness_put_named(w, g->mask, g->level[g->judged_at[low]], &lower);
            TRY(fairness_put_sentence(w, g, m, &a, &b, buf_str(&upper), buf_str(&lower), gap));
        }
        (void)json_object_del(gap, "high_index");
        (void)json_object_del(gap, "low_index");
    }
    return OK;
}

/* ---- one analysis ---- */

static uint32_t
bits(uint32_t mask)
{
    return (uint32_t)__builtin_popcount(mask);
}

/* All subsets of up to four sensitive columns; of more, each, each pair, and all together. */
static bool
wanted_mask(const struct fairness_work *w, uint32_t mask)
{
    const uint32_t n = w->in->sensitive_count;
    return n <= 4 || bits(mask) <= 2 || bits(mask) == n;
}

uint32_t
fairness_strata(const struct fairness_work *w)
{
    uint64_t strata = w->in->control_count == 0 ? 0 : 1;
    for (uint32_t k = w->in->sensitive_count; k < w->columns.count; k++) {
        strata *= w->columns.levels[k];
    }
    return (uint32_t)(strata > UINT32_MAX ? UINT32_MAX : strata);
}

struct groupings {
    size_t n;
    struct fairness_grouping *list;
};

static void
groupings_done(struct groupings *g)
{
    for (size_t i = 0; i < g->n; i++) {
        fairness_grouping_done(&g->list[i]);
    }
    free(g->list);
}

static struct status
make_groupings(struct fairness_work *w, struct groupings *all)
{
    const uint32_t most = 1u << w->in->sensitive_count, strata = fairness_strata(w);
    all->list = calloc((size_t)most * ((size_t)strata + 1), sizeof *all->list);
    CHECK(all->list != NULL, MEMORY);
    for (int64_t stratum = -1; stratum < (int64_t)strata; stratum++) {
        for (uint32_t size = 1; size <= w->in->sensitive_count; size++) {
            for (uint32_t mask = 1; mask < most; mask++) {
                if (bits(mask) == size && wanted_mask(w, mask)) {
                    struct fairness_grouping *g = &all->list[all->n++];
                    TRY(fairness_grouping_make(w, mask, stratum, g));
                }
            }
        }
    }
    return OK;
}

static struct status
put_stratum(const struct writing *x, const struct fairness_grouping *first, json_t *strata,
            json_t **ret_list)
{
    DEFER(buf_done) struct buf name;
    buf_init(&name, 1u << 16);
    fairness_put_stratum(x->w, first->stratum, &name);
    json_t *o = json_pack("{s:s}", "stratum", buf_str(&name));
    CHECK(o != NULL && json_array_append_new(strata, o) == 0, MEMORY);
    TRY(put_counts(x->w, &first->overall, o));
    TRY(put_metrics(x->w, &first->overall, o));
    TRY(put_quotients(x->w, &first->overall, o));
    *ret_list = json_array();
    return js_set(o, "groupings", *ret_list);
}

/* Said once for all rows: strata and classes have groups_judged. */
static struct status
remark_on_few(const struct fairness_work *w, const struct fairness_grouping *g)
{
    DEFER(buf_done) struct buf name;
    buf_init(&name, 1u << 16);
    const bool told = w->in->task == FAIRNESS_CLASSES && !w->of_classes;
    if (told || g->stratum >= 0 || g->groups == 0 || g->judged > 1) {
        return OK;
    }
    for (uint32_t k = 0; k < w->in->sensitive_count; k++) {
        if ((g->mask >> k & 1) != 0) {
            buf_put_str(&name, name.len > 0 ? " and " : "");
            buf_put_str(&name, w->in->sensitive[k].name);
        }
    }
    return fairness_remark(w, "%s: %s of %u rows or more: nothing to compare", buf_str(&name),
                           g->judged == 0 ? "no group" : "only one group", w->in->min_group);
}

static struct status
put_groupings(const struct writing *x, struct groupings *all, json_t *o, json_t **where)
{
    json_t *list = json_array(), *strata = NULL;
    int64_t stratum = -1;
    TRY(js_set(o, "groupings", list));
    if (x->w->in->control_count > 0) {
        strata = json_array();
        TRY(js_set(o, "conditional", strata));
    }
    for (size_t i = 0; i < all->n; i++) {
        struct fairness_grouping *g = &all->list[i];
        if (g->stratum != stratum) {
            stratum = g->stratum;
            list = NULL;
            if (g->overall.rows > 0) {
                TRY(put_stratum(x, g, strata, &list));
            }
        }
        if (list != NULL) {
            where[i] = json_object();
            CHECK(where[i] != NULL && json_array_append_new(list, where[i]) == 0, MEMORY);
            TRY(put_grouping(x, g, where[i]));
            TRY(remark_on_few(x->w, g));
        }
    }
    return OK;
}

static struct status
put_overall(const struct fairness_work *w, const struct group_tally *all, json_t *o)
{
    json_t *overall = json_object();
    TRY(js_set(o, "overall", overall));
    TRY(put_counts(w, all, overall));
    TRY(put_metrics(w, all, overall));
    TRY(put_quotients(w, all, overall));
    if (w->y == NULL || w->of_classes) {
        return OK;
    }
    const struct facet_number ge = facet_entropy(all, w->in->level);
    return js_set(overall, "GE", fairness_number(ge.value, ge.ci));
}

struct status
fairness_analyse(struct fairness_work *w, json_t *o)
{
    DEFER(groupings_done) struct groupings all = {0};
    DEFER(fairness_family_done) struct fairness_family of_groups = {0};
    DEFER(fairness_family_done) struct fairness_family of_gaps = {0};
    const struct writing x = {w, &of_groups, &of_gaps};
    TRY(make_groupings(w, &all));
    TRY(fairness_replicate(w, all.list, all.n));
    DEFER(memory_freep) json_t **where = calloc(all.n + 1, sizeof *where);
    CHECK(where != NULL, MEMORY);
    TRY(put_overall(w, &all.list[0].overall, o));
    TRY(put_groupings(&x, &all, o, where));
    TRY(fairness_family_adjust(&of_groups));
    TRY(fairness_family_adjust(&of_gaps));
    for (size_t i = 0; i < all.n; i++) {
        if (where[i] != NULL) {
            TRY(put_sentences(w, &all.list[i], where[i]));
        }
    }
    return OK;
}
