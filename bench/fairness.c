/* fairness, bootstrap: group metrics of two sensitive columns and their intersection, against
 * Fairlearn's MetricFrame and against one pass over the same bytes.
 *
 * Floor of a row: two codes of 4 bytes, label and decision: 10 bytes read once, which the row
 * fairness_pass measures in the same run; and one increment of a counter in the first-level cache.
 * Everything else is of the cells; intervals of decisions need no replicates. Of a replicate of the
 * means: the row's weight, a hash, and additions to its cell's sums. */
#include "comparisons.h"
#include "process.h"

#include "assess/group_auc.h"
#include "assess/group_gap.h"
#include "base/file.h"
#include "num/rng.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROWS ((size_t)10000000)
#define BOOTSTRAP_ROWS ((size_t)1000000)
#define PEER_ROWS ((size_t)1000000)
/* Of comparisons in which the peer would take more than ten minutes. */
#define PEER_FEW_ROWS ((size_t)200000)
#define LEVELS_A 5u
#define LEVELS_B 2u
#define REPLICATES 1000u
#define PEER_REPLICATES 1u
#define TURNS 3u
#define PEER "Fairlearn 0.15.0 MetricFrame"
#define PINS "requirements-fairlearn.txt"
#define DECISIONS ((1u << GROUP_ROC_AUC) - 1)
/* That have replicates, as Fairlearn has them. */
#define MEANS                                                                                      \
    (1u << GROUP_LOG_LOSS | 1u << GROUP_MEAN_PREDICTION | 1u << GROUP_MAE | 1u << GROUP_MSE |      \
     1u << GROUP_RMSE)
#define CHUNK 16u /* replicates at a time */
#define SCORES                                                                                     \
    (1u << GROUP_ROC_AUC | 1u << GROUP_LOG_LOSS |                                                  \
     (((1u << GROUP_METRICS) - 1) & ~((1u << GROUP_MEAN_PREDICTION) - 1)))

static const struct {
    uint32_t mask, groups;
} groupings[3] = {{1, LEVELS_A}, {2, LEVELS_B}, {3, LEVELS_A *LEVELS_B}};

struct work {
    const struct bench_context *c;
    int32_t *a, *b;
    uint8_t *y, *decision;
    double *score;
    uint32_t *cell;
    size_t rows; /* of a turn of ours */
    size_t peer_rows;
    struct group_gaps gaps[3];
    char *file;
    const char *kind;
    double peer_difference[3][GROUP_METRICS];
    uint64_t sum;
};

static void
work_done(struct work *w)
{
    free(w->a);
    free(w->b);
    free(w->y);
    free(w->decision);
    free(w->score);
    free(w->cell);
    free(w->file);
}

static struct status
make_rows(struct work *w)
{
    struct rng r;
    rng_init(&r, 1, "bench.fairness");
    w->a = malloc(ROWS * sizeof *w->a);
    w->b = malloc(ROWS * sizeof *w->b);
    w->y = malloc(ROWS);
    w->decision = malloc(ROWS);
    w->score = malloc(ROWS * sizeof *w->score);
    w->cell = malloc(ROWS * sizeof *w->cell);
    w->file = file_join(w->c->memory, "fairness.rows");
    CHECK(w->a != NULL && w->b != NULL && w->y != NULL && w->decision != NULL, MEMORY);
    CHECK(w->score != NULL && w->cell != NULL && w->file != NULL, MEMORY);
    for (size_t i = 0; i < ROWS; i++) {
        const double u = rng_unit(&r);
        w->a[i] = (int32_t)(u * u * LEVELS_A);
        w->b[i] = rng_unit(&r) < 0.45;
        w->score[i] = rng_unit(&r);
        w->decision[i] = w->score[i] >= 0.5 + 0.03 * w->a[i];
        w->y[i] = rng_unit(&r) < 0.2 + 0.5 * w->score[i] + 0.05 * w->b[i];
    }
    return OK;
}

/* ---- ours ---- */

static struct group_columns
columns_of(const struct work *w)
{
    return (struct group_columns){2, {w->a, w->b}, {LEVELS_A, LEVELS_B}};
}

static struct group_rows
rows_of(const struct work *w)
{
    return (struct group_rows){.rows = w->rows,
                               .y = w->y,
                               .decision = w->decision,
                               .prediction = w->score,
                               .cell = w->cell};
}

/* Groups of grouping k out of the cells' tallies. */
static void
sum_groups(const struct group_columns *c, const struct group_tally *cells, size_t k,
           struct group_tally *groups, struct group_tally *all)
{
    memset(groups, 0, groupings[k].groups * sizeof *groups);
    memset(all, 0, sizeof *all);
    for (uint32_t i = 0; i < group_cells(c); i++) {
        const int64_t g = group_of_cell(c, i, groupings[k].mask);
        if (g >= 0) {
            group_tally_add(&groups[g], &cells[i]);
            group_tally_add(all, &cells[i]);
        }
    }
}

static struct status
count_cells(struct work *w, struct group_tally *cells)
{
    const struct group_columns c = columns_of(w);
    uint64_t slots[(LEVELS_A + 1) * (LEVELS_B + 1) * GROUP_SLOTS] = {0};
    TRY(group_count(&c, w->y, w->decision, w->rows, 1, slots));
    for (uint32_t i = 0; i < group_cells(&c); i++) {
        cells[i] = group_tally_of_slots(slots + (size_t)i * GROUP_SLOTS);
    }
    return OK;
}

static struct status
gaps_of_counts(struct work *w)
{
    const struct group_columns c = columns_of(w);
    struct group_tally cells[(LEVELS_A + 1) * (LEVELS_B + 1)], all;
    struct group_tally groups[LEVELS_A * LEVELS_B];
    TRY(count_cells(w, cells));
    for (size_t k = 0; k < 3; k++) {
        sum_groups(&c, cells, k, groups, &all);
        const struct group_set set = {groupings[k].groups, groups, &all, DECISIONS, 0, 0.95};
        TRY(group_gaps_of(&set, NULL, &w->gaps[k]));
    }
    return OK;
}

static struct status
decisions_ours(void *ctx, double *ret_figure)
{
    struct work *w = ctx;
    const double from = bench_cpu_now();
    TRY(gaps_of_counts(w));
    *ret_figure = (double)w->rows / (bench_cpu_now() - from);
    return OK;
}

/* A grouping's groups, of all rows and of replicates, which refer to them. */
struct drawn {
    struct group_tally groups[LEVELS_A * LEVELS_B], all;
    struct group_set set;
    struct group_replicates *replicates;
};

static void drawn_done(struct drawn (*d)[3])
{
    for (size_t k = 0; k < 3; k++) {
        group_replicates_free((*d)[k].replicates);
    }
}

static struct status
draw_all(const struct group_columns *c, const struct group_rows *rows, struct drawn *drawn)
{
    enum { CELLS = (LEVELS_A + 1) * (LEVELS_B + 1) };
    struct group_tally groups[LEVELS_A * LEVELS_B], all;
    DEFER(memory_freep) struct group_tally *cells = calloc(CHUNK * CELLS, sizeof *cells);
    struct group_range range[CELLS] = {0};
    CHECK(cells != NULL, MEMORY);
    group_range_add(range, rows, 0, rows->rows);
    for (uint32_t first = 0; first < REPLICATES; first += CHUNK) {
        const uint32_t n = REPLICATES - first < CHUNK ? REPLICATES - first : CHUNK;
        memset(cells, 0, n * CELLS * sizeof *cells);
        DEFER(group_draws_done) struct group_draws draws = {0};
        TRY(group_draws_begin(range, rows, CELLS, 1, first, n, &draws));
        group_draws_add(&draws, rows, 0, rows->rows, 0);
        group_draws_finish(&draws, cells);
        for (uint32_t i = 0; i < n; i++) {
            for (size_t k = 0; k < 3; k++) {
                sum_groups(c, cells + (size_t)i * CELLS, k, groups, &all);
                group_replicates_add(drawn[k].replicates, first + i, groups, &all);
            }
        }
    }
    return OK;
}

static struct status
gaps_of_replicates(struct work *w)
{
    const struct group_columns c = columns_of(w);
    struct group_tally cells[(LEVELS_A + 1) * (LEVELS_B + 1)] = {0};
    DEFER(drawn_done) struct drawn drawn[3] = {0};
    group_cell_of(&c, 0, w->rows, w->cell);
    const struct group_rows r = rows_of(w);
    TRY(group_tally_all(&r, group_cells(&c), 1, cells));
    for (size_t k = 0; k < 3; k++) {
        struct drawn *d = &drawn[k];
        sum_groups(&c, cells, k, d->groups, &d->all);
        d->set = (struct group_set){groupings[k].groups, d->groups, &d->all, MEANS, 0, 0.95};
        TRY(group_replicates_new(&d->set, REPLICATES, &d->replicates));
    }
    TRY(draw_all(&c, &r, drawn));
    for (size_t k = 0; k < 3; k++) {
        TRY(group_gaps_of(&drawn[k].set, drawn[k].replicates, &w->gaps[k]));
    }
    return OK;
}

static struct status
bootstrap_ours(void *ctx, double *ret_figure)
{
    struct work *w = ctx;
    const double from = bench_cpu_now();
    TRY(gaps_of_replicates(w));
    *ret_figure = REPLICATES / (bench_cpu_now() - from);
    return OK;
}

/* AUC of a grouping's groups and of all rows. */
static struct status
put_auc(const struct work *w, const struct group_rows *sorted, size_t k, int32_t *group,
        struct group_tally *groups, struct group_tally *all)
{
    const struct group_columns c = columns_of(w);
    for (size_t i = 0; i < w->rows; i++) {
        group[i] = (int32_t)group_of_cell(&c, sorted->cell[i], groupings[k].mask);
    }
    const struct group_auc_rows r = {
        .rows = w->rows, .score = sorted->prediction, .y = sorted->y, .group = group};
    return group_auc(&r, groupings[k].groups, groups, all);
}

static struct status
scores_ours(void *ctx, double *ret_figure)
{
    struct work *w = ctx;
    const struct group_columns c = columns_of(w);
    struct group_tally cells[(LEVELS_A + 1) * (LEVELS_B + 1)] = {0}, all;
    struct group_tally groups[LEVELS_A * LEVELS_B];
    const double from = bench_cpu_now();
    DEFER(memory_freep) uint32_t *order = malloc(w->rows * sizeof *order);
    DEFER(memory_freep) int32_t *group = malloc(w->rows * sizeof *group);
    CHECK(order != NULL && group != NULL, MEMORY);
    group_cell_of(&c, 0, w->rows, w->cell);
    const struct group_rows r = rows_of(w);
    TRY(group_tally_all(&r, group_cells(&c), 1, cells));
    TRY(group_rows_order(&r, order));
    DEFER(group_rows_done) struct group_rows sorted = {0};
    TRY(group_rows_sorted(&r, order, &sorted));
    for (size_t k = 0; k < 3; k++) {
        sum_groups(&c, cells, k, groups, &all);
        TRY(put_auc(w, &sorted, k, group, groups, &all));
        const struct group_set set = {groupings[k].groups, groups, &all, SCORES, 0, 0.95};
        TRY(group_gaps_of(&set, NULL, &w->gaps[k]));
    }
    *ret_figure = (double)w->rows / (bench_cpu_now() - from);
    return OK;
}

/* ---- one pass ---- */

static uint64_t
sum_words(const void *p, size_t bytes)
{
    const uint64_t *v = p;
    uint64_t s[8] = {0};
    for (size_t i = 0; i + 8 <= bytes / sizeof *v; i += 8) {
        for (size_t k = 0; k < 8; k++) {
            s[k] += v[i + k];
        }
    }
    return s[0] + s[1] + s[2] + s[3] + s[4] + s[5] + s[6] + s[7];
}

static struct status
one_pass(void *ctx, double *ret_figure)
{
    struct work *w = ctx;
    const double from = bench_cpu_now();
    w->sum += sum_words(w->a, w->rows * sizeof *w->a) + sum_words(w->b, w->rows * sizeof *w->b) +
              sum_words(w->y, w->rows) + sum_words(w->decision, w->rows);
    *ret_figure = (double)w->rows / (bench_cpu_now() - from);
    return OK;
}

/* ---- the peer ---- */

static struct status
write_part(int fd, const void *p, size_t bytes, const struct work *w)
{
    return file_write_all(fd, view_of(p, bytes), w->file, w->c->diag);
}

static struct status
write_peer_rows(const struct work *w)
{
    const size_t n = w->peer_rows;
    DEFER(file_closep) int fd = open(w->file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(fd >= 0, IO);
    TRY(write_part(fd, w->a, n * sizeof *w->a, w));
    TRY(write_part(fd, w->b, n * sizeof *w->b, w));
    TRY(write_part(fd, w->y, n, w));
    TRY(write_part(fd, w->decision, n, w));
    return write_part(fd, w->score, n * sizeof *w->score, w);
}

static int
metric_named(const char *name)
{
    for (unsigned m = 0; m < GROUP_METRICS; m++) {
        if (strcmp(group_metric_word((enum group_metric)m), name) == 0) {
            return (int)m;
        }
    }
    return -1;
}

static struct status
run_peer(struct work *w, unsigned replicates, double *ret_seconds)
{
    char rows[24], boot[24], name[64];
    (void)snprintf(rows, sizeof rows, "%zu", w->peer_rows);
    (void)snprintf(boot, sizeof boot, "%u", replicates);
    char *argv[] = {
        "fairness.py", w->file, rows, (char *)(uintptr_t)w->kind, replicates > 0 ? boot : NULL,
        NULL};
    DEFER(buf_done) struct buf out;
    buf_init(&out, 1u << 20);
    TRY(process_run_peer(w->c, PINS, argv, PROCESS_ANY_CPU, &out));
    const char *at = buf_str(&out);
    char *end = NULL;
    *ret_seconds = strtod(at, &end);
    unsigned seen[GROUP_METRICS] = {0};
    double v = 0;
    int n = 0;
    for (at = end; sscanf(at, " %63s %lf%n", name, &v, &n) == 2; at += n) {
        const int m = metric_named(name);
        if (m >= 0 && seen[m] < 3) {
            w->peer_difference[seen[m]++][m] = v;
        }
    }
    return OK;
}

static struct status
peer_rows(void *ctx, double *ret_figure)
{
    struct work *w = ctx;
    double seconds = 0;
    TRY(run_peer(w, 0, &seconds));
    *ret_figure = (double)w->peer_rows / seconds;
    return OK;
}

/* What the replicates add to the frames without any, as if of as many rows as ours. */
static struct status
peer_bootstrap(void *ctx, double *ret_figure)
{
    struct work *w = ctx;
    double without = 0, with = 0;
    TRY(run_peer(w, 0, &without));
    TRY(run_peer(w, PEER_REPLICATES, &with));
    const double scale = (double)w->rows / (double)w->peer_rows;
    *ret_figure = PEER_REPLICATES / ((with - without) * scale);
    return OK;
}

/* A comparison of different answers would be none: on the peer's rows ours must be the peer's. */
static struct status
check_same(struct work *w, bench_side *ours, unsigned metrics)
{
    double ignored = 0;
    w->rows = w->peer_rows;
    TRY(ours(w, &ignored));
    for (size_t k = 0; k < 3; k++) {
        for (unsigned m = 0; m < GROUP_METRICS; m++) {
            const double d = w->gaps[k].gap[m].spread[SPREAD_DIFFERENCE].value;
            const bool theirs = m <= GROUP_F1 || m == GROUP_LOG_LOSS || m == GROUP_ROC_AUC ||
                                (m >= GROUP_MEAN_PREDICTION && m <= GROUP_R2);
            if ((metrics >> m & 1) != 0 && theirs && !(fabs(d - w->peer_difference[k][m]) < 1e-9)) {
                diag_set(w->c->diag, "%s of grouping %zu: difference %.12g here and %.12g there",
                         group_metric_word((enum group_metric)m), k, d, w->peer_difference[k][m]);
                FAIL(INTEGRITY);
            }
        }
    }
    return OK;
}

static struct status
seconds_of(struct work *w, bench_side *ours, size_t rows, double *ret_seconds)
{
    const size_t all = w->rows;
    double ignored = 0;
    const double from = bench_cpu_now();
    w->rows = rows;
    const struct status s = ours(w, &ignored);
    w->rows = all;
    *ret_seconds = bench_cpu_now() - from;
    return s;
}

/* How many times as long all rows take as half of them: medians. */
static struct status
growth(struct work *w, bench_side *ours, double *ret_growth)
{
    struct bench_samples half = {.n = 0}, all = {.n = 0};
    for (unsigned i = 0; i < TURNS; i++) {
        double seconds = 0;
        TRY(seconds_of(w, ours, w->rows / 2, &seconds));
        bench_sample(&half, seconds);
        TRY(seconds_of(w, ours, w->rows, &seconds));
        bench_sample(&all, seconds);
    }
    *ret_growth = bench_median(&all) / bench_median(&half);
    return OK;
}

/* The peer takes minutes: one turn of it, between those of ours. */
static struct status
compare(struct work *w, const char *name, const char *kind, bench_side *ours, bench_side *peer,
        const char *unit, const char *what)
{
    char where[480];
    struct bench_result x = {.name = name, .unit = unit, .peer_name = PEER, .where = where};
    double figure = 0, times = 0;
    w->kind = kind;
    TRY(write_peer_rows(w));
    TRY(growth(w, ours, &times));
    (void)snprintf(where, sizeof where, "%s; ours takes %.2f times as long as for half the rows",
                   what, times);
    for (unsigned i = 0; i < 2 * TURNS; i++) {
        if (i == TURNS) {
            double of_peer = 0;
            const struct status s = peer(w, &of_peer);
            if (s.code == STATUS_UNSUPPORTED) {
                return bench_leave_out(w->c->report, name, w->c->diag->text);
            }
            TRY(s);
            bench_sample(&x.peer, of_peer);
        }
        TRY(ours(w, &figure));
        bench_sample(&x.ours, figure);
    }
    return bench_add(w->c->report, &x);
}

static struct status
compare_pass(struct work *w)
{
    struct bench_result x = {.name = "fairness_pass",
                             .unit = "rows/s",
                             .peer_name = "one pass that adds up the same bytes",
                             .where = "as fairness; the pass is the floor, so the ratio is under "
                                      "1: 0.33 is three times the floor"};
    w->rows = ROWS;
    TRY(bench_rounds(9, decisions_ours, one_pass, w, &x));
    return bench_add(w->c->report, &x);
}

struct status
bench_fairness(const struct bench_context *c)
{
    DEFER(work_done) struct work w = {.c = c, .rows = ROWS, .peer_rows = PEER_ROWS};
    TRY(make_rows(&w));
    TRY(compare_pass(&w));
    TRY(compare(&w, "fairness", "decisions", decisions_ours, peer_rows, "rows/s",
                "11 metrics of Fairlearn (ours: 15) for columns of 5 and 2 levels and their "
                "intersection, all aggregations; 10M rows, the peer 1M; one thread, CPU time"));
    if (w.peer_difference[0][GROUP_TPR] != 0) {
        TRY(check_same(&w, decisions_ours, DECISIONS));
    }
    w.rows = ROWS;
    w.peer_rows = PEER_FEW_ROWS;
    TRY(compare(&w, "fairness_scores", "scores", scores_ours, peer_rows, "rows/s",
                "7 metrics of scores (ours: 9, and an error for each), AUC by an exact sort; as "
                "fairness, but the peer 200,000 rows"));
    if (w.peer_difference[0][GROUP_LOG_LOSS] != 0) {
        TRY(check_same(&w, scores_ours, SCORES));
    }
    return OK;
}

struct status
bench_bootstrap(const struct bench_context *c)
{
    DEFER(work_done)
    struct work w = {.c = c, .rows = BOOTSTRAP_ROWS, .peer_rows = PEER_FEW_ROWS};
    TRY(make_rows(&w));
    return compare(&w, "bootstrap", "bootstrap", bootstrap_ours, peer_bootstrap, "replicates/s",
                   "log loss, mean prediction, mean absolute, squared and root squared error, for "
                   "the groups of fairness, 1M rows; ours 1,000 replicates of all rows and the "
                   "intervals, the peer one less the frames without, on 200,000 rows, its time "
                   "taken five times; one thread, CPU time");
}
