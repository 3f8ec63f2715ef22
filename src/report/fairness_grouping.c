#include "report/fairness_parts.h"

#include "assess/group_auc.h"
#include "assess/group_macro.h"
#include "base/threads.h"
#include "num/poisson_bootstrap.h"

#include <math.h>
#include <stdatomic.h>

#define MACRO_COUNTS ((size_t)1 << 24)
#define REPLICA_MEMORY ((size_t)256 << 20)

/* ---- names ---- */

static const struct assessment_factor *
factor_of(const struct fairness_work *w, uint32_t k)
{
    const struct fairness_input *in = w->in;
    return k < in->sensitive_count ? &in->sensitive[k] : &in->control[k - in->sensitive_count];
}

/* The levels that a mixed-radix number over the columns of mask stands for. */
static void
put_levels(const struct fairness_work *w, uint32_t mask, int64_t level, bool with_names,
           struct buf *b)
{
    uint32_t digit[GROUP_COLUMNS_MAX] = {0};
    bool first = true;
    for (uint32_t k = w->columns.count; k-- > 0;) {
        if ((mask >> k & 1) != 0) {
            digit[k] = (uint32_t)(level % w->columns.levels[k]);
            level /= w->columns.levels[k];
        }
    }
    for (uint32_t k = 0; k < w->columns.count; k++) {
        if ((mask >> k & 1) != 0) {
            const struct assessment_factor *f = factor_of(w, k);
            buf_put_str(b, first ? "" : ", ");
            if (with_names) {
                buf_put_str(b, f->name);
                buf_put_str(b, " = ");
            }
            buf_put_str(b, f->levels[digit[k]]);
            first = false;
        }
    }
}

void
fairness_put_named(const struct fairness_work *w, uint32_t mask, int64_t level, struct buf *b)
{
    put_levels(w, mask, level, true, b);
}

void
fairness_put_group(const struct fairness_work *w, uint32_t mask, int64_t level, struct buf *b)
{
    put_levels(w, mask, level, (mask & (mask - 1)) != 0, b);
}

static uint32_t
control_mask(const struct fairness_work *w)
{
    return ((1u << w->columns.count) - 1) & ~((1u << w->in->sensitive_count) - 1);
}

void
fairness_put_stratum(const struct fairness_work *w, int64_t stratum, struct buf *b)
{
    put_levels(w, control_mask(w), stratum, true, b);
}

/* ---- groups ---- */

void
fairness_grouping_done(struct fairness_grouping *g)
{
    free(g->level);
    free(g->tally);
    free(g->rest);
    free(g->of_cell);
    free(g->judged_at);
    free(g->judged_tally);
    group_replicates_free(g->replicates);
}

static bool
cell_counts(const struct fairness_work *w, uint32_t cell, int64_t stratum)
{
    return stratum < 0 || group_of_cell(&w->columns, cell, control_mask(w)) == stratum;
}

static uint64_t
levels_of(const struct fairness_work *w, uint32_t mask)
{
    uint64_t n = 1;
    for (uint32_t k = 0; k < w->columns.count; k++) {
        n *= (mask >> k & 1) != 0 ? w->columns.levels[k] : 1;
    }
    return n;
}

/* Groups with rows, numbered in the order of their levels. */
static struct status
number_groups(const struct fairness_work *w, struct fairness_grouping *g)
{
    const uint64_t levels = levels_of(w, g->mask);
    DEFER(memory_freep) int32_t *number = calloc(levels + 1, sizeof *number);
    g->of_cell = calloc(w->cells, sizeof *g->of_cell);
    CHECK(number != NULL && g->of_cell != NULL, MEMORY);
    for (uint32_t c = 0; c < w->cells; c++) {
        const int64_t at = group_of_cell(&w->columns, c, g->mask);
        if (at >= 0 && w->tally[c].rows > 0 && cell_counts(w, c, g->stratum)) {
            number[at] = 1;
        }
    }
    g->level = calloc(levels + 1, sizeof *g->level);
    CHECK(g->level != NULL, MEMORY);
    for (uint64_t i = 0; i < levels; i++) {
        if (number[i] != 0) {
            g->level[g->groups] = (int64_t)i;
            number[i] = (int32_t)++g->groups;
        }
    }
    for (uint32_t c = 0; c < w->cells; c++) {
        const int64_t at = group_of_cell(&w->columns, c, g->mask);
        g->of_cell[c] = -1;
        if (at >= 0 && cell_counts(w, c, g->stratum)) {
            g->of_cell[c] = number[at] - 1;
        }
    }
    return OK;
}

static void
sum_cells(const struct fairness_work *w, const struct fairness_grouping *g,
          const struct group_tally *cells, struct group_tally *ret_groups,
          struct group_tally *ret_overall)
{
    memset(ret_groups, 0, g->groups * sizeof *ret_groups);
    memset(ret_overall, 0, sizeof *ret_overall);
    for (uint32_t c = 0; c < w->cells; c++) {
        if (cells[c].rows > 0 && cell_counts(w, c, g->stratum)) {
            group_tally_add(ret_overall, &cells[c]);
            if (g->of_cell[c] >= 0) {
                group_tally_add(&ret_groups[g->of_cell[c]], &cells[c]);
            }
        }
    }
}

/* ---- what does not add ---- */

static bool
row_is_ranked(const struct fairness_work *w, size_t i)
{
    const struct group_rows *r = &w->sorted;
    return r->y[i] <= 1 && r->decision[i] <= 1 && !isnan(r->prediction[i]);
}

/* The others' area is worked out for each group: a pass over all rows. With two groups it is the
 * other's. */
static struct status
put_auc_of_rest(const struct fairness_work *w, struct fairness_grouping *g,
                struct group_auc_rows *rows, const int32_t *group, int32_t *other)
{
    struct group_tally one = {0}, all = {0};
    if ((double)rows->rows * g->groups > FAIRNESS_REST_ROWS) {
        return fairness_remark(w,
                               "roc_auc_score of %u groups is not held against their others': "
                               "that would take %.3g rows, over %.3g",
                               g->groups, (double)rows->rows * g->groups, FAIRNESS_REST_ROWS);
    }
    rows->group = other;
    for (uint32_t k = 0; k < g->groups; k++) {
        if (g->groups == 2) {
            all = g->tally[1 - k];
        } else if (g->tally[k].rows >= w->in->min_group) {
            for (size_t i = 0; i < rows->rows; i++) {
                const bool part = group[i] >= 0 && group[i] != (int32_t)k;
                other[i] = part ? 0 : GROUP_AUC_NO_PART;
            }
            TRY(group_auc(rows, 1, &one, &all));
        }
        g->rest[k].auc = all.auc;
        g->rest[k].auc_se = all.auc_se;
        g->rest[k].auc_n = all.auc_n;
    }
    return OK;
}

/* AUC of each group, of its others, and of all rows of the stratum. */
static struct status
put_auc(const struct fairness_work *w, struct fairness_grouping *g)
{
    const struct group_rows *r = &w->sorted;
    DEFER(memory_freep) int32_t *group = calloc(r->rows + 1, sizeof *group);
    DEFER(memory_freep) int32_t *other = calloc(r->rows + 1, sizeof *other);
    CHECK(group != NULL && other != NULL, MEMORY);
    for (size_t i = 0; i < r->rows; i++) {
        const bool part = row_is_ranked(w, i) && cell_counts(w, r->cell[i], g->stratum);
        group[i] = part ? g->of_cell[r->cell[i]] : GROUP_AUC_NO_PART;
    }
    struct group_auc_rows rows = {
        .rows = r->rows, .score = r->prediction, .y = r->y, .weight = r->weight, .group = group};
    TRY(group_auc(&rows, g->groups, g->tally, &g->overall));
    return g->groups > 1 ? put_auc_of_rest(w, g, &rows, group, other) : OK;
}

/* Tables of weights and of their squares, by label and prediction: of each group, of all that have
 * one, and of all rows of the stratum. */
struct tables {
    uint32_t groups, classes;
    double *count, *count2;
};

static void
tables_add(struct tables *t, int64_t table, size_t at, double weight)
{
    const size_t place = (size_t)table * t->classes * t->classes + at;
    t->count[place] += weight;
    t->count2[place] += weight * weight;
}

static void
fill_tables(const struct fairness_work *w, const struct fairness_grouping *g, struct tables *t)
{
    const struct fairness_input *in = w->in;
    for (size_t k = 0; k < in->rows; k++) {
        const size_t i = w->order == NULL ? k : w->order[k];
        const double weight = in->weight == NULL ? 1 : in->weight[i];
        if (w->y[i] > 1 || !cell_counts(w, w->cell[i], g->stratum)) {
            continue;
        }
        const size_t at = (size_t)in->y_class[i] * t->classes + (size_t)in->decision_class[i];
        const int32_t group = g->of_cell[w->cell[i]];
        tables_add(t, (int64_t)t->groups + 1, at, weight);
        if (group >= 0) {
            tables_add(t, group, at, weight);
            tables_add(t, t->groups, at, weight);
        }
    }
}

static struct status
put_macros(const struct fairness_work *w, struct fairness_grouping *g)
{
    const size_t k = w->in->class_count, table = k * k, tables = (size_t)g->groups + 2;
    if (tables * table > MACRO_COUNTS) {
        return fairness_remark(w, "means over classes are left out for %u groups of %zu classes",
                               g->groups, k);
    }
    DEFER(memory_freep) double *room = calloc(2 * (tables + 1) * table, sizeof *room);
    CHECK(room != NULL, MEMORY);
    struct tables t = {g->groups, (uint32_t)k, room, room + tables * table};
    fill_tables(w, g, &t);
    const double *all = t.count + (tables - 1) * table, *all2 = t.count2 + (tables - 1) * table;
    const double *grouped = t.count + (tables - 2) * table,
                 *grouped2 = t.count2 + (tables - 2) * table;
    double *rest = room + 2 * tables * table, *rest2 = rest + table;
    group_macro(all, all2, all, t.classes, &g->overall);
    for (uint32_t i = 0; i < g->groups; i++) {
        const double *n = t.count + i * table, *n2 = t.count2 + i * table;
        group_macro(n, n2, all, t.classes, &g->tally[i]);
        for (size_t c = 0; c < table; c++) {
            rest[c] = fmax(0, grouped[c] - n[c]);
            rest2[c] = fmax(0, grouped2[c] - n2[c]);
        }
        group_macro(rest, rest2, all, t.classes, &g->rest[i]);
    }
    return OK;
}

static struct status
judge(const struct fairness_work *w, struct fairness_grouping *g)
{
    g->judged_at = calloc((size_t)g->groups + 1, sizeof *g->judged_at);
    g->judged_tally = calloc((size_t)g->groups + 1, sizeof *g->judged_tally);
    CHECK(g->judged_at != NULL && g->judged_tally != NULL, MEMORY);
    for (uint32_t i = 0; i < g->groups; i++) {
        if (g->tally[i].rows >= w->in->min_group) {
            g->judged_at[g->judged] = i;
            g->judged_tally[g->judged++] = g->tally[i];
        }
    }
    g->set = (struct group_set){g->judged,  g->judged_tally, &g->overall,
                                w->metrics, w->centre,       w->in->level};
    return OK;
}

struct status
fairness_grouping_make(const struct fairness_work *w, uint32_t mask, int64_t stratum,
                       struct fairness_grouping *g)
{
    g->mask = mask;
    g->stratum = stratum;
    TRY(number_groups(w, g));
    g->tally = calloc((size_t)g->groups + 1, sizeof *g->tally);
    g->rest = calloc((size_t)g->groups + 1, sizeof *g->rest);
    CHECK(g->tally != NULL && g->rest != NULL, MEMORY);
    sum_cells(w, g, w->tally, g->tally, &g->overall);
    for (uint32_t i = 0; i < g->groups; i++) {
        group_tally_add(&g->grouped, &g->tally[i]);
        group_tally_forget(&g->tally[i]);
        group_tally_forget(&g->rest[i]);
    }
    group_tally_forget(&g->overall);
    if (w->of_classes) {
        TRY(put_macros(w, g));
    }
    if (w->ranked) {
        TRY(put_auc(w, g));
    }
    return judge(w, g);
}

/* ---- replicates by rows ---- */

#define CHUNK 16u /* replicates of a thread's turn */

struct drawing {
    const struct fairness_work *w;
    struct fairness_grouping *list;
    size_t n;
    uint32_t first, largest, chunk;
    struct group_rows rows;
    const struct group_range *range;
    struct group_tally *cells, *groups; /* of each turn of a wave */
    atomic_bool failed;
};

static struct status
draw_cells(const struct drawing *d, uint32_t first, uint32_t n, struct group_tally *ret_cells)
{
    DEFER(group_draws_done) struct group_draws draws = {0};
    TRY(group_draws_begin(d->range, &d->rows, d->w->cells, d->w->in->seed, first, n, &draws));
    group_draws_add(&draws, &d->rows, 0, d->rows.rows, 0);
    memset(ret_cells, 0, (size_t)n * d->w->cells * sizeof *ret_cells);
    group_draws_finish(&draws, ret_cells);
    return OK;
}

static void
draw_chunk(void *ctx, size_t turn)
{
    struct drawing *d = ctx;
    const uint32_t n = d->w->cells, first = d->first + (uint32_t)turn * d->chunk;
    const uint32_t left = d->w->replicates - first, count = left < d->chunk ? left : d->chunk;
    struct group_tally *cells = d->cells + turn * d->chunk * n, overall;
    struct group_tally *groups = d->groups + turn * d->largest;
    if (!status_ok(draw_cells(d, first, count, cells))) {
        atomic_store(&d->failed, true);
        return;
    }
    for (uint32_t k = 0; k < count; k++) {
        for (size_t i = 0; i < d->n; i++) {
            struct fairness_grouping *g = &d->list[i];
            sum_cells(d->w, g, cells + (size_t)k * n, groups, &overall);
            for (uint32_t j = 0; j < g->judged; j++) {
                groups[j] = groups[g->judged_at[j]]; /* judged_at ascends */
            }
            group_replicates_add(g->replicates, first + k, groups, &overall);
        }
    }
}

/* Fewer replicates at a time where there are many cells: their tallies are a workspace. */
static uint32_t
chunk_of(const struct fairness_work *w)
{
    const uint32_t fit = (uint32_t)(REPLICA_MEMORY / (sizeof(struct group_tally) * w->cells));
    return fit < 1 ? 1 : fit < CHUNK ? fit : CHUNK;
}

static struct status
replicate_by_rows(const struct fairness_work *w, struct fairness_grouping *list, size_t n)
{
    const struct fairness_input *in = w->in;
    const uint32_t wave = in->threads == 0 ? threads_cores() : in->threads;
    struct drawing d = {.w = w, .list = list, .n = n, .largest = 1, .chunk = chunk_of(w)};
    for (size_t k = 0; k < n; k++) {
        d.largest = list[k].groups > d.largest ? list[k].groups : d.largest;
    }
    const size_t tallies = (size_t)wave * d.chunk * w->cells;
    DEFER(memory_freep) struct group_tally *cells = calloc(tallies, sizeof *cells);
    DEFER(memory_freep)
    struct group_tally *groups = calloc((size_t)wave * d.largest, sizeof *groups);
    DEFER(memory_freep)
    struct group_range *range = calloc((size_t)w->cells + 1, sizeof *range);
    CHECK(cells != NULL && groups != NULL && range != NULL, MEMORY);
    d.cells = cells;
    d.groups = groups;
    d.range = range;
    d.rows = w->sorted;
    group_range_add(range, &d.rows, 0, d.rows.rows);
    for (; d.first < w->replicates; d.first += wave * d.chunk) {
        const uint32_t left = w->replicates - d.first, turns = (left + d.chunk - 1) / d.chunk;
        threads_for(turns < wave ? turns : wave, in->threads, draw_chunk, &d);
    }
    CHECK(!atomic_load(&d.failed), MEMORY);
    return OK;
}

struct status
fairness_replicate(const struct fairness_work *w, struct fairness_grouping *list, size_t n)
{
    for (size_t k = 0; k < n && w->replicates > 0; k++) {
        TRY(group_replicates_new(&list[k].set, w->replicates, &list[k].replicates));
    }
    return w->replicates > 0 ? replicate_by_rows(w, list, n) : OK;
}
