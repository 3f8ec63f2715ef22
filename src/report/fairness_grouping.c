#include "report/fairness_parts.h"

#include "assess/group_auc.h"
#include "assess/group_macro.h"
#include "base/threads.h"
#include "num/poisson_bootstrap.h"

#include <math.h>

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
        const bool in = at >= 0 && cell_counts(w, c, g->stratum);
        g->of_cell[c] = in ? number[at] - 1 : -1;
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

/* AUC of each group and of all rows of the stratum. */
static struct status
put_auc(const struct fairness_work *w, struct fairness_grouping *g)
{
    const size_t rows = w->in->rows;
    DEFER(memory_freep) int32_t *group = calloc(rows + 1, sizeof *group);
    DEFER(memory_freep) int32_t *all = calloc(rows + 1, sizeof *all);
    CHECK(group != NULL && all != NULL, MEMORY);
    for (size_t i = 0; i < rows; i++) {
        const bool whole = w->y[i] <= 1 && w->decision[i] <= 1 && !isnan(w->in->predicted[i]);
        group[i] = whole ? g->of_cell[w->cell[i]] : -1;
        all[i] = whole && cell_counts(w, w->cell[i], g->stratum) ? 0 : -1;
    }
    TRY(group_auc(w->order, w->in->predicted, w->y, group, rows, g->groups, g->tally));
    return group_auc(w->order, w->in->predicted, w->y, all, rows, 1, &g->overall);
}

/* Counts by label and prediction of each group, and of all rows of the stratum (the last). */
static struct status
put_macros(const struct fairness_work *w, struct fairness_grouping *g)
{
    const struct fairness_input *in = w->in;
    const size_t k = in->class_count, table = k * k, tables = (size_t)g->groups + 1;
    if (tables * table > MACRO_COUNTS) {
        return fairness_remark(w, "means over classes are left out for %u groups of %zu classes",
                               g->groups, k);
    }
    DEFER(memory_freep) double *count = calloc(2 * tables * table, sizeof *count);
    CHECK(count != NULL, MEMORY);
    double *count2 = count + tables * table;
    for (size_t i = 0; i < in->rows; i++) {
        const double weight = in->weight == NULL ? 1 : in->weight[i];
        if (w->y[i] > 1 || !cell_counts(w, w->cell[i], g->stratum)) {
            continue;
        }
        const size_t at = (size_t)in->y_class[i] * k + (size_t)in->decision_class[i];
        const int32_t group = g->of_cell[w->cell[i]];
        count[g->groups * table + at] += weight;
        count2[g->groups * table + at] += weight * weight;
        if (group >= 0) {
            count[(size_t)group * table + at] += weight;
            count2[(size_t)group * table + at] += weight * weight;
        }
    }
    for (uint32_t i = 0; i <= g->groups; i++) {
        group_macro(count + i * table, count2 + i * table, (uint32_t)k,
                    i == g->groups ? &g->overall : &g->tally[i]);
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
    CHECK(g->tally != NULL, MEMORY);
    sum_cells(w, g, w->tally, g->tally, &g->overall);
    for (uint32_t i = 0; i < g->groups; i++) {
        group_tally_add(&g->grouped, &g->tally[i]);
        group_tally_forget(&g->tally[i]);
    }
    group_tally_forget(&g->overall);
    if (w->of_classes) {
        TRY(put_macros(w, g));
    }
    if (w->order != NULL) {
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
    struct group_tally *cells, *groups; /* of each turn of a wave */
    double *sums;
};

static void
draw_chunk(void *ctx, size_t turn)
{
    const struct drawing *d = ctx;
    const uint32_t n = d->w->cells, first = d->first + (uint32_t)turn * d->chunk;
    const uint32_t left = d->w->replicates - first, count = left < d->chunk ? left : d->chunk;
    struct group_tally *cells = d->cells + turn * d->chunk * n, overall;
    struct group_tally *groups = d->groups + turn * d->largest;
    memset(cells, 0, (size_t)count * n * sizeof *cells);
    group_tally_replicates(&d->rows, d->w->in->seed, first, count, n, cells,
                           d->sums + turn * group_replicates_room(d->chunk, n));
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
    double *sums = calloc(wave * group_replicates_room(d.chunk, w->cells), sizeof *sums);
    CHECK(cells != NULL && groups != NULL && sums != NULL, MEMORY);
    d.cells = cells;
    d.groups = groups;
    d.sums = sums;
    d.rows = (struct group_rows){in->rows,      w->y,       w->decision, in->value,
                                 in->predicted, in->weight, w->cell,     w->centre};
    for (; d.first < w->replicates; d.first += wave * d.chunk) {
        const uint32_t left = w->replicates - d.first, turns = (left + d.chunk - 1) / d.chunk;
        threads_for(turns < wave ? turns : wave, in->threads, draw_chunk, &d);
    }
    return OK;
}

struct status
fairness_replicate(const struct fairness_work *w, struct fairness_grouping *list, size_t n)
{
    for (size_t k = 0; k < n && w->replicates > 0; k++) {
        TRY(group_replicates_new(&list[k].set, w->replicates, &list[k].replicates));
        if (!w->by_rows) {
            TRY(group_replicates_draw(list[k].replicates, w->in->seed, list[k].stream,
                                      w->in->threads));
        }
    }
    return w->by_rows && w->replicates > 0 ? replicate_by_rows(w, list, n) : OK;
}
