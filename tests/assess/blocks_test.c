/* What an analysis keeps of rows, added in blocks of any size, split over any number of parts,
 * empty ones too, and merged in any order, of rows in any order: the same as of all rows at once,
 * to the bit. */
#include "assess/blocks.h"

#include "assess/calibration.h"
#include "assess/errors.h"
#include "assess/errors_metric.h"
#include "assess/explain_summary.h"
#include "assess/group_auc.h"
#include "assess/group_tally.h"
#include "assess/performance.h"
#include "assess/residuals.h"
#include "assess/slices.h"
#include "num/order.h"
#include "num/poisson_bootstrap.h"
#include "num/whole.h"

/* ---- values ---- */

static void *
counted_start(const void *known)
{
    (void)known;
    return calloc(1, sizeof(struct counted));
}

static void
scores_add(void *state, const struct rows *r, size_t at, size_t n)
{
    assert_ok(counted_add(state, r->score + at, n, 1));
}

static void
numbers_add(void *state, const struct rows *r, size_t at, size_t n)
{
    assert_ok(counted_add(state, r->number + at, n, 1));
}

static void
categories_add(void *state, const struct rows *r, size_t at, size_t n)
{
    assert_ok(counted_add(state, r->category + at, n, 1));
}

static void
losses_add(void *state, const struct rows *r, size_t at, size_t n)
{
    assert_ok(counted_add(state, r->loss + at, n, 1));
}

static void
counted_join(void *state, const void *other)
{
    assert_ok(counted_merge(state, other));
}

static void
counted_end(void *state)
{
    counted_done(state);
    free(state);
}

static const struct pass scores = {counted_start, scores_add, counted_join, counted_end},
                         numbers = {counted_start, numbers_add, counted_join, counted_end},
                         categories = {counted_start, categories_add, counted_join, counted_end},
                         losses = {counted_start, losses_add, counted_join, counted_end};

static struct errors_axis
axis_of(const struct pass *values, uint32_t level_count, uint32_t bins, enum errors_cut cut,
        const struct rows *r, const struct plan *p)
{
    struct errors_axis axis;
    struct counted *c = run(values, NULL, r, p);
    assert_ok(counted_settle(c));
    assert_ok(errors_axis_of(c, level_count, bins, cut, &axis));
    counted_end(c);
    return axis;
}

/* ---- calibration ---- */

struct calibration_known {
    uint32_t bins;
    const struct counted *scores;
};

static void *
calibration_start(const void *known)
{
    const struct calibration_known *k = known;
    struct calibration_state *s = calloc(1, sizeof *s);
    assert_ok(calibration_begin(k->bins, k->scores, s));
    return s;
}

static void
calibration_take(void *state, const struct rows *r, size_t at, size_t n)
{
    assert_ok(calibration_add(state, r->y + at, r->score + at, n));
}

static void
calibration_join(void *state, const void *other)
{
    calibration_merge(state, other);
}

static void
calibration_says(const struct rows *r, const struct plan *p, struct buf *said)
{
    static const struct pass pass = {calibration_start, calibration_take, calibration_join, free};
    struct counted *known = run(&scores, NULL, r, p);
    assert_ok(counted_settle(known));
    for (uint32_t bins = 1; bins <= 10; bins += 3) {
        for (int even = 0; even < 2; even++) {
            const struct calibration_known k = {bins, even != 0 ? NULL : known};
            DEFER(memory_freep) struct calibration_state *s = run(&pass, &k, r, p);
            struct calibration c;
            assert_ok(calibration_finish(s, 0.95, 1, &c));
            say(said, &c, sizeof c);
        }
    }
    counted_end(known);
}

static void
calibration_merges(void **state)
{
    (void)state;
    assert_same_for_every_plan(calibration_says);
}

/* ---- performance ---- */

static void *
performance_start(const void *known)
{
    (void)known;
    struct performance_state *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->threshold = 0.25;
    return s;
}

static void
performance_take(void *state, const struct rows *r, size_t at, size_t n)
{
    assert_ok(performance_add(state, r->y + at, r->score + at, NULL, n));
}

static void
performance_join(void *state, const void *other)
{
    assert_ok(performance_merge(state, other));
}

static void
performance_end(void *state)
{
    performance_done(state);
    free(state);
}

static void
performance_says(const struct rows *r, const struct plan *p, struct buf *said)
{
    static const struct pass pass = {performance_start, performance_take, performance_join,
                                     performance_end};
    struct performance_state *s = run(&pass, NULL, r, p);
    struct performance found;
    memset(&found, 0, sizeof found);
    assert_ok(performance_finish(s, 0.95, &found));
    say(said, &found.counts, sizeof found.counts);
    say(said,
        (const double[]){found.f1, found.roc_auc, found.average_precision, found.log_loss,
                         found.brier, found.roc_auc_ci.low, found.roc_auc_ci.high},
        7 * sizeof(double));
    say(said, found.bin, found.bins * sizeof *found.bin);
    say(said, found.curve, sizeof found.curve);
    performance_end(s);
}

static void
performance_merges(void **state)
{
    (void)state;
    assert_same_for_every_plan(performance_says);
}

/* ---- residuals ---- */

static void *
values_begin(const void *known)
{
    (void)known;
    return calloc(1, sizeof(struct residuals_values));
}

static void
values_add(void *state, const struct rows *r, size_t at, size_t n)
{
    assert_ok(residuals_values_add(state, r->truth + at, r->prediction + at, n));
}

static void
values_merge(void *state, const void *other)
{
    assert_ok(residuals_values_merge(state, other));
}

static void
values_end(void *state)
{
    residuals_values_done(state);
    free(state);
}

static void *
steps_begin(const void *known)
{
    struct residuals_steps *s = calloc(1, sizeof *s);
    assert_non_null(s);
    residuals_begin(known, s);
    return s;
}

static void
steps_add(void *state, const struct rows *r, size_t at, size_t n)
{
    residuals_add(state, r->truth + at, r->prediction + at, n);
}

static void
steps_merge(void *state, const void *other)
{
    residuals_merge(state, other);
}

static void
residuals_say(const struct rows *r, const struct plan *p, struct buf *said)
{
    static const struct pass first = {values_begin, values_add, values_merge, values_end},
                             second = {steps_begin, steps_add, steps_merge, free};
    struct residuals_values *v = run(&first, NULL, r, p);
    assert_ok(residuals_values_settle(v));
    DEFER(memory_freep) struct residuals_steps *s = run(&second, v, r, p);
    struct residuals found, at_once;
    residuals_finish(v, s, 0.95, &found);
    say(said, &found, sizeof found);
    assert_ok(residuals_of(r->truth, r->prediction, ROWS, 0.95, &at_once));
    assert_memory_equal(&at_once, &found, sizeof found);
    values_end(v);
}

static void
residuals_merge_exactly(void **state)
{
    (void)state;
    assert_same_for_every_plan(residuals_say);
}

/* ---- groups ---- */

#define CELLS 5u

struct groups_known {
    unsigned shape; /* bits: weights, numeric outcome, decisions alone */
    struct group_range range[CELLS];
    struct group_rows like;
};

/* The rows from at on; columns are the caller's. */
static struct group_rows
group_rows_from(const struct rows *r, unsigned shape, size_t at, size_t n, uint32_t *cell,
                double *weight)
{
    for (size_t i = 0; i < n; i++) {
        cell[i] = (uint32_t)floor(r->score[at + i] * CELLS) % CELLS;
        weight[i] = r->cohort[at + i] == 0 ? r->loss[at + i] / 7 : 0;
    }
    const bool numeric = (shape & 2) != 0, alone = (shape & 4) != 0;
    return (struct group_rows){.rows = n,
                               .y = numeric ? NULL : r->y + at,
                               .decision = numeric ? NULL : r->cohort + at,
                               .value = numeric ? r->truth + at : NULL,
                               .prediction = numeric ? r->prediction + at
                                             : alone ? NULL
                                                     : r->score + at,
                               .weight = (shape & 1) != 0 ? weight : NULL,
                               .cell = cell,
                               .centre = numeric ? 4567.8 : 0};
}

static void *
range_start(const void *known)
{
    struct groups_known *k = calloc(1, sizeof *k);
    assert_non_null(k);
    k->shape = *(const unsigned *)known;
    return k;
}

static void
range_take(void *state, const struct rows *r, size_t at, size_t n)
{
    struct groups_known *k = state;
    uint32_t cell[ROWS];
    double weight[ROWS];
    const struct group_rows rows = group_rows_from(r, k->shape, at, n, cell, weight);
    group_range_add(k->range, &rows, 0, n);
}

static void
range_join(void *state, const void *other)
{
    const struct groups_known *from = other;
    for (size_t c = 0; c < CELLS; c++) {
        group_range_merge(&((struct groups_known *)state)->range[c], &from->range[c]);
    }
}

struct groups_state {
    unsigned shape;
    struct group_sums sums;
};

static void *
groups_start(const void *known)
{
    const struct groups_known *k = known;
    struct groups_state *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->shape = k->shape;
    assert_ok(group_sums_begin(k->range, &k->like, CELLS, &s->sums));
    return s;
}

static void
groups_take(void *state, const struct rows *r, size_t at, size_t n)
{
    struct groups_state *s = state;
    uint32_t cell[ROWS];
    double weight[ROWS];
    const struct group_rows rows = group_rows_from(r, s->shape, at, n, cell, weight);
    group_sums_add(&s->sums, &rows, 0, n);
}

static void
groups_join(void *state, const void *other)
{
    const struct groups_state *from = other;
    group_sums_merge(&((struct groups_state *)state)->sums, &from->sums);
}

static void
groups_end(void *state)
{
    struct groups_state *s = state;
    group_sums_done(&s->sums);
    free(s);
}

/* A sum of the sizes of what a moment adds up, or more. */
static double
size_of(const double moment[static GROUP_MOMENTS], size_t m)
{
    switch (m) {
    case MOMENT_P:
        return moment[MOMENT_1] + moment[MOMENT_PP];
    case MOMENT_Y:
        return moment[MOMENT_1] + moment[MOMENT_Y2];
    case MOMENT_Y3:
        return moment[MOMENT_Y2] + moment[MOMENT_Y4];
    case MOMENT_E2Y:
        return moment[MOMENT_E2] + moment[MOMENT_E2Y2];
    case MOMENT_E4Y:
        return moment[MOMENT_E4] * 1e4;
    default:
        return moment[m];
    }
}

/* Not far from the plain sums, in the sizes of what is added. */
static void
assert_near_plain(const struct rows *r, unsigned shape, const struct group_tally *found)
{
    uint32_t cell[ROWS];
    double weight[ROWS];
    struct group_tally plain[CELLS] = {0};
    const struct group_rows rows = group_rows_from(r, shape, 0, ROWS, cell, weight);
    group_tally_rows(&rows, 0, ROWS, plain);
    for (uint32_t c = 0; c < CELLS; c++) {
        assert_int_equal(found[c].rows, plain[c].rows);
        for (size_t o = 0; o < GROUP_OUTCOMES; o++) {
            assert_near(found[c].count[o], plain[c].count[o], 1e-12 * plain[c].count[o]);
            assert_near(found[c].count2[o], plain[c].count2[o], 1e-12 * plain[c].count2[o]);
        }
        for (size_t m = 0; m < GROUP_MOMENTS; m++) {
            assert_near(found[c].moment[m], plain[c].moment[m],
                        1e-12 * size_of(plain[c].moment, m));
            assert_near(found[c].moment2[m], plain[c].moment2[m],
                        1e-12 * size_of(plain[c].moment2, m));
        }
    }
}

static void
groups_say(const struct rows *r, const struct plan *p, struct buf *said)
{
    static const struct pass ranges = {range_start, range_take, range_join, free},
                             pass = {groups_start, groups_take, groups_join, groups_end};
    static const unsigned shapes[] = {0, 1, 2, 3, 5};
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
        DEFER(memory_freep) struct groups_known *known = run(&ranges, &shapes[k], r, p);
        uint32_t cell[ROWS];
        double weight[ROWS];
        known->like = group_rows_from(r, shapes[k], 0, ROWS, cell, weight);
        struct groups_state *s = run(&pass, known, r, p);
        struct group_tally found[CELLS] = {0}, at_once[CELLS] = {0};
        group_sums_finish(&s->sums, found);
        groups_end(s);
        say(said, found, sizeof found);
        assert_ok(group_tally_all(&known->like, CELLS, 2, at_once));
        assert_memory_equal(found, at_once, sizeof found);
        assert_near_plain(r, shapes[k], found);
    }
}

/* ---- replicates of a bootstrap ---- */

enum { DRAWS = 6 };

struct draws_state {
    const struct groups_known *known;
    struct group_draws draws;
};

static void *
draws_start(const void *known)
{
    struct draws_state *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->known = known;
    assert_ok(group_draws_begin(s->known->range, &s->known->like, CELLS, 11, 3, DRAWS, &s->draws));
    return s;
}

static void
draws_take(void *state, const struct rows *r, size_t at, size_t n)
{
    struct draws_state *s = state;
    uint32_t cell[ROWS];
    double weight[ROWS];
    const struct group_rows rows = group_rows_from(r, s->known->shape, at, n, cell, weight);
    for (size_t i = 0; i < n; i++) {
        group_draws_add(&s->draws, &rows, i, 1, r->index[at + i]);
    }
}

static void
draws_join(void *state, const void *other)
{
    const struct draws_state *o = other;
    group_draws_merge(&((struct draws_state *)state)->draws, &o->draws);
}

static void
draws_end(void *state)
{
    group_draws_done(&((struct draws_state *)state)->draws);
    free(state);
}

/* Not far from rows that are there as often as they were drawn, in the sizes of what is added. */
static void
assert_near_repeated(const struct rows *r, const struct groups_known *known, uint32_t draw,
                     const struct group_tally *found)
{
    uint32_t cell[ROWS];
    double weight[ROWS], repeated[ROWS];
    uint8_t times[ROWS];
    struct group_tally plain[CELLS] = {0}, all[CELLS] = {0};
    struct group_rows rows = group_rows_from(r, known->shape, 0, ROWS, cell, weight);
    group_tally_rows(&rows, 0, ROWS, all);
    poisson_bootstrap_weights(11, 3 + draw, 0, ROWS, times);
    for (size_t i = 0; i < ROWS; i++) {
        repeated[i] = (rows.weight == NULL ? 1 : rows.weight[i]) * times[r->index[i]];
    }
    rows.weight = repeated;
    group_tally_rows(&rows, 0, ROWS, plain);
    for (uint32_t c = 0; c < CELLS; c++) {
        for (size_t o = 0; o < GROUP_OUTCOMES; o++) {
            assert_near(found[c].count[o], plain[c].count[o], 1e-8 * (1 + plain[c].count[o]));
        }
        assert_near(found[c].moment[MOMENT_E2], plain[c].moment[MOMENT_E2],
                    1e-6 * all[c].moment[MOMENT_E2]);
    }
}

static void
draws_say(const struct rows *r, const struct plan *p, struct buf *said)
{
    static const struct pass ranges = {range_start, range_take, range_join, free},
                             pass = {draws_start, draws_take, draws_join, draws_end};
    static const unsigned shapes[] = {0, 1, 2, 3, 5};
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
        DEFER(memory_freep) struct groups_known *known = run(&ranges, &shapes[k], r, p);
        uint32_t cell[ROWS];
        double weight[ROWS];
        known->like = group_rows_from(r, shapes[k], 0, ROWS, cell, weight);
        struct draws_state *s = run(&pass, known, r, p);
        struct group_tally found[DRAWS * CELLS] = {0};
        group_draws_finish(&s->draws, found);
        draws_end(s);
        say(said, found, sizeof found);
        for (uint32_t d = 0; d < DRAWS; d++) {
            assert_near_repeated(r, known, d, found + (size_t)d * CELLS);
        }
    }
}

static void
replicates_of_groups_merge(void **state)
{
    (void)state;
    assert_same_for_every_plan(draws_say);
}

static void
tallies_of_groups_merge(void **state)
{
    (void)state;
    assert_same_for_every_plan(groups_say);
}

/* ---- explanations ---- */

static void *
summary_begin(const void *known)
{
    struct explain_summary *s = NULL;
    assert_ok(explain_summary_new(OUTPUTS, FEATURES, 1, known, true, &s));
    return s;
}

static void
summary_add(void *state, const struct rows *r, size_t at, size_t n)
{
    explain_summary_add(state, r->x + at * FEATURES, r->phi + at * WIDTH,
                        (const uint8_t *const[]){r->cohort + at}, n);
    explain_summary_add_pairs(state, r->pairs + at * WIDTH * FEATURES, n);
}

static void
summary_merge(void *state, const void *other)
{
    explain_summary_merge(state, other);
}

static void
summary_end(void *state)
{
    explain_summary_free(state);
}

static void
summary_says(const struct rows *r, const struct plan *p, struct buf *said)
{
    static const struct pass pass = {summary_begin, summary_add, summary_merge, summary_end};
    struct bins bins[FEATURES];
    double v[ROWS];
    for (size_t f = 0; f < FEATURES; f++) {
        for (size_t i = 0; i < ROWS; i++) {
            v[i] = (double)r->x[i * FEATURES + f];
        }
        assert_ok(bins_make(v, ROWS, EXPLAIN_BINS, &bins[f]));
    }
    struct explain_summary *s = run(&pass, bins, r, p);
    for (size_t g = 0; g < 2; g++) {
        say(said, &s->group[g].rows, sizeof s->group[g].rows);
        say(said, s->group[g].absolute, 2 * WIDTH * sizeof(struct sum));
    }
    say(said, s->bin, WIDTH * (EXPLAIN_BINS + 1) * sizeof *s->bin);
    say(said, s->pairs, WIDTH * FEATURES * sizeof *s->pairs);
    explain_summary_free(s);
}

static void
summaries_of_explanations_merge(void **state)
{
    (void)state;
    assert_same_for_every_plan(summary_says);
}

/* ---- errors ---- */

struct axes {
    struct errors_axis x, y, loss;
    bool pair; /* the category, too, or instead */
};

static void *
map_begin(const void *known)
{
    const struct axes *a = known;
    struct errors_map_state *s = calloc(1, sizeof *s);
    assert_non_null(s);
    errors_map_begin(&a->x, a->pair ? &a->y : NULL, s);
    return s;
}

static void
map_add(void *state, const struct rows *r, size_t at, size_t n)
{
    struct errors_map_state *s = state;
    errors_map_add(s, r->number + at, s->pair ? r->category + at : NULL, r->loss + at, n);
}

static void
map_merge(void *state, const void *other)
{
    errors_map_merge(state, other);
}

static void
maps_say(const struct rows *r, const struct plan *p, struct buf *said)
{
    static const struct pass pass = {map_begin, map_add, map_merge, free};
    static struct errors_map map;
    for (int k = 0; k < 4; k++) {
        const enum errors_cut cut = k % 2 == 0 ? ERRORS_EQUAL_COUNT : ERRORS_EQUAL_WIDTH;
        const struct axes a = {.x = axis_of(&numbers, 0, 8, cut, r, p),
                               .y = axis_of(&categories, LEVELS, 8, cut, r, p),
                               .pair = k < 2};
        struct errors_map_state *s = run(&pass, &a, r, p);
        errors_map_finish(s, &map);
        say(said, &map, sizeof map);
        free(s);
    }
}

static void
maps_merge(void **state)
{
    (void)state;
    assert_same_for_every_plan(maps_say);
}

static void *
joint_begin(const void *known)
{
    const struct axes *a = known;
    struct errors_joint *j = calloc(1, sizeof *j);
    assert_non_null(j);
    assert_ok(errors_joint_begin(a->pair ? &a->y : &a->x, a->pair ? LEVELS : 0, &a->loss, j));
    return j;
}

static void
joint_add(void *state, const struct rows *r, size_t at, size_t n)
{
    struct errors_joint *j = state;
    errors_joint_add(j, (j->levels > 0 ? r->category : r->number) + at, r->loss + at, n);
}

static void
joint_merge(void *state, const void *other)
{
    errors_joint_merge(state, other);
}

static void
joint_end(void *state)
{
    errors_joint_done(state);
    free(state);
}

static void
mutual_says(const struct rows *r, const struct plan *p, struct buf *said)
{
    static const struct pass pass = {joint_begin, joint_add, joint_merge, joint_end};
    for (int k = 0; k < 2; k++) {
        const struct axes a = {
            .x = axis_of(&numbers, 0, ERRORS_MAX_BINS, ERRORS_EQUAL_COUNT, r, p),
            .y = axis_of(&categories, LEVELS, ERRORS_MAX_BINS, ERRORS_EQUAL_COUNT, r, p),
            .loss = axis_of(&losses, 0, ERRORS_LOSS_BINS, ERRORS_EQUAL_COUNT, r, p),
            .pair = k == 1};
        struct errors_joint *j = run(&pass, &a, r, p);
        struct errors_mutual m;
        assert_ok(errors_joint_finish(j, &m));
        say(said, &m, sizeof m);
        joint_end(j);
        const struct errors_feature f = {k == 1 ? r->category : r->number, k == 1 ? LEVELS : 0};
        struct errors_mutual at_once;
        assert_ok(errors_mutual_of(&f, 1, r->loss, ROWS, &at_once));
        assert_memory_equal(&at_once, &m, sizeof m);
    }
}

static void
mutual_information_merges(void **state)
{
    (void)state;
    assert_same_for_every_plan(mutual_says);
}

struct metric_known {
    enum errors_kind kind;
    double centre;
};

static void *
metric_begin(const void *known)
{
    const struct metric_known *k = known;
    struct errors_metric_state *s = calloc(1, sizeof *s);
    assert_non_null(s);
    assert_ok(errors_metric_begin(k->kind, k->kind == ERRORS_BINARY ? 2 : CLASSES, k->centre, s));
    return s;
}

static void
metric_add(void *state, const struct rows *r, size_t at, size_t n)
{
    struct errors_metric_state *s = state;
    uint32_t row[ROWS];
    const struct errors_outcome o = {.kind = s->kind,
                                     .rows = ROWS,
                                     .classes = s->classes,
                                     .label = r->label,
                                     .decision = r->decision,
                                     .truth = r->truth,
                                     .prediction = r->prediction};
    for (size_t i = 0; i < n; i++) {
        row[i] = (uint32_t)(at + i);
    }
    assert_ok(errors_metric_add(s, &o, row, n));
}

static void
metric_merge(void *state, const void *other)
{
    assert_ok(errors_metric_merge(state, other));
}

static void
metric_end(void *state)
{
    errors_metric_done(state);
    free(state);
}

static void *
moments_start(const void *known)
{
    (void)known;
    return calloc(1, sizeof(struct moments));
}

static void
truths_add(void *state, const struct rows *r, size_t at, size_t n)
{
    for (size_t i = at; i < at + n; i++) {
        moments_add(state, r->truth[i]);
    }
}

static void
moments_join(void *state, const void *other)
{
    moments_merge(state, other);
}

static void
metrics_say(const struct rows *r, const struct plan *p, struct buf *said)
{
    static const struct pass truths = {moments_start, truths_add, moments_join, free},
                             pass = {metric_begin, metric_add, metric_merge, metric_end};
    DEFER(memory_freep) struct moments *truth = run(&truths, NULL, r, p);
    const enum errors_kind kinds[] = {ERRORS_CLASSES, ERRORS_NUMERIC};
    for (size_t k = 0; k < 2; k++) {
        const struct metric_known known = {kinds[k], moments_mean(truth)};
        struct errors_value v[ERRORS_METRICS];
        struct errors_metric_state *s = run(&pass, &known, r, p);
        assert_ok(errors_metric_finish(s, 0.95, v));
        say(said, v, sizeof v);
        metric_end(s);
    }
}

static void
metrics_of_errors_merge(void **state)
{
    (void)state;
    assert_same_for_every_plan(metrics_say);
}

/* ---- the error tree ---- */

enum { TREE_FEATURES = 4 };

/* Rows of each part, one after the other. */
struct shared_rows {
    double value[TREE_FEATURES][ROWS], loss[ROWS];
    struct errors_feature feature[PARTS][TREE_FEATURES];
    struct errors_rows part[PARTS];
};

static void
share_out(const struct rows *r, const struct plan *p, bool binary, struct shared_rows *s)
{
    size_t n = 0;
    for (size_t k = 0; k < p->parts; k++) {
        const size_t first = n;
        for (size_t b = 0; b < p->blocks; b++) {
            for (size_t i = p->begin[b]; p->owner[b] == k && i < p->begin[b + 1]; i++, n++) {
                s->value[0][n] = r->number[i];
                s->value[1][n] = r->category[i];
                s->value[2][n] = floor(4 * r->score[i]);
                s->value[3][n] = r->prediction[i];
                s->loss[n] = !binary ? r->loss[i] : r->number[i] > 0.4 || r->y[i] == 1 ? 1 : 0;
            }
        }
        for (size_t f = 0; f < TREE_FEATURES; f++) {
            s->feature[k][f] = (struct errors_feature){s->value[f] + first, f == 1 ? LEVELS : 0};
        }
        s->part[k] = (struct errors_rows){s->feature[k], s->loss + first, n - first};
    }
}

static void
say_tree(struct buf *said, const struct errors_tree *t)
{
    for (uint32_t k = 0; k < t->nodes; k++) {
        const struct errors_node *n = &t->node[k];
        const double of_node[] = {n->parent,    n->left,       n->right,        n->feature,
                                  n->threshold, n->category,   n->missing_left, (double)n->rows,
                                  n->errors,    n->error_rate, n->coverage};
        say(said, of_node, sizeof of_node);
    }
}

static void
trees_say(const struct rows *r, const struct plan *p, struct buf *said)
{
    static const struct plan at_once = {.parts = 1, .blocks = 1, .begin = {0, ROWS}};
    static const struct errors_tree_options options[] = {{4, 31, 5}, {8, 200, 1}, {3, 3, 20}};
    DEFER(memory_freep) struct shared_rows *s = calloc(1, sizeof *s);
    DEFER(memory_freep) struct errors_tree *t = calloc(1, sizeof *t);
    assert_true(s != NULL && t != NULL);
    for (size_t k = 0; k < 2 * (sizeof options / sizeof *options); k++) {
        share_out(r, p == NULL ? &at_once : p, k % 2 == 0, s);
        assert_ok(errors_tree_grow_parts(s->part, p == NULL ? 1 : p->parts, TREE_FEATURES,
                                         &options[k / 2], t));
        assert_true(t->nodes > 2);
        say_tree(said, t);
    }
}

static void
error_trees_merge(void **state)
{
    (void)state;
    assert_same_for_every_plan(trees_say);
}

/* ---- areas of groups ---- */

enum { AREAS = 5 };

/* Rows of a block as they are: in no order. */
struct area_rows {
    double score[ROWS], weight[ROWS];
    uint8_t y[ROWS];
    int32_t group[ROWS];
};

static struct group_auc_rows
area_rows(const struct rows *r, size_t at, size_t n, bool weighted, struct area_rows *a)
{
    for (size_t i = 0; i < n; i++) {
        const double w = fabs(r->loss[at + i]);
        a->score[i] = floor(50 * r->score[at + i]);
        a->weight[i] = r->cohort[at + i] != 0 && w < 50 ? 0 : w;
        a->y[i] = isnan(r->number[at + i]) ? 7 : r->y[at + i];
        a->group[i] = (int32_t)(r->label[at + i] % AREAS) - (r->decision[at + i] == 2);
        a->group[i] -= r->cohort[at + i] != 0 && r->decision[at + i] == 2;
    }
    return (struct group_auc_rows){n, a->score, a->y, weighted ? a->weight : NULL, a->group};
}

struct area_known {
    bool weighted;
    struct group_auc_range range;
};

struct area_state {
    const struct area_known *known;
    struct group_auc_range range;
    struct group_auc_state auc;
};

static void *
area_begin(const void *known)
{
    struct area_state *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->known = known;
    group_auc_begin(&s->known->range, &s->auc);
    return s;
}

static void
area_range(void *state, const struct rows *r, size_t at, size_t n)
{
    static struct area_rows a;
    struct area_state *s = state;
    const struct group_auc_rows rows = area_rows(r, at, n, s->known->weighted, &a);
    group_auc_range_add(&s->range, &rows);
}

static void
area_add(void *state, const struct rows *r, size_t at, size_t n)
{
    static struct area_rows a;
    struct area_state *s = state;
    const struct group_auc_rows rows = area_rows(r, at, n, s->known->weighted, &a);
    assert_ok(group_auc_add(&s->auc, &rows));
}

static void
area_range_merge(void *state, const void *other)
{
    const struct area_state *o = other;
    group_auc_range_merge(&((struct area_state *)state)->range, &o->range);
}

static void
area_merge(void *state, const void *other)
{
    const struct area_state *o = other;
    assert_ok(group_auc_merge(&((struct area_state *)state)->auc, &o->auc));
}

static void
area_end(void *state)
{
    group_auc_done(&((struct area_state *)state)->auc);
    free(state);
}

/* Also held against the walk over rows that are sorted. */
static void
area_at_once(const struct rows *r, bool weighted, struct buf *said)
{
    DEFER(memory_freep) struct area_rows *a = calloc(2, sizeof *a);
    uint32_t order[ROWS];
    assert_non_null(a);
    struct group_auc_rows rows = area_rows(r, 0, ROWS, weighted, a);
    for (uint32_t i = 0; i < ROWS; i++) {
        order[i] = i;
    }
    assert_ok(order_by(a->score, ROWS, order));
    for (size_t i = 0; i < ROWS; i++) {
        a[1].score[i] = a->score[order[i]];
        a[1].weight[i] = a->weight[order[i]];
        a[1].y[i] = a->y[order[i]];
        a[1].group[i] = a->group[order[i]];
    }
    rows = (struct group_auc_rows){ROWS, a[1].score, a[1].y, weighted ? a[1].weight : NULL,
                                   a[1].group};
    struct group_tally tally[AREAS] = {0}, all = {0};
    assert_ok(group_auc(&rows, AREAS, tally, &all));
    say(said, tally, sizeof tally);
    say(said, &all, sizeof all);
}

static void
areas_say(const struct rows *r, const struct plan *p, struct buf *said)
{
    static const struct pass ranges = {area_begin, area_range, area_range_merge, area_end};
    static const struct pass areas = {area_begin, area_add, area_merge, area_end};
    for (int k = 0; k < 2; k++) {
        DEFER(buf_done) struct buf mine, sorted;
        struct area_known known = {.weighted = k == 1};
        struct area_state *s = run(&ranges, &known, r, p);
        known.range = s->range;
        area_end(s);
        struct group_tally tally[AREAS] = {0}, all = {0};
        s = run(&areas, &known, r, p);
        assert_ok(group_auc_finish(&s->auc, AREAS, tally, &all));
        area_end(s);
        assert_true(all.auc > 0.5 && all.auc_se > 0 && tally[1].auc_cov > 0);
        buf_init(&mine, 1 << 20);
        buf_init(&sorted, 1 << 20);
        say(&mine, tally, sizeof tally);
        say(&mine, &all, sizeof all);
        area_at_once(r, k == 1, &sorted);
        assert_true(view_equal(buf_view(&mine), buf_view(&sorted)));
        buf_put(said, buf_view(&mine));
    }
}

static void
areas_of_groups_merge(void **state)
{
    (void)state;
    assert_same_for_every_plan(areas_say);
}

/* ---- slices ---- */

enum { SLICED = 4 };

struct sliced_rows {
    uint32_t code[SLICED][ROWS];
    double loss[ROWS];
    struct slices_rows part[SLICED][PARTS];
};

static void
share_codes(const struct rows *r, const struct plan *p, bool binary, struct sliced_rows *s)
{
    size_t n = 0;
    for (size_t k = 0; k < p->parts; k++) {
        const size_t first = n;
        for (size_t b = 0; b < p->blocks; b++) {
            for (size_t i = p->begin[b]; p->owner[b] == k && i < p->begin[b + 1]; i++, n++) {
                s->code[0][n] = r->label[i];
                s->code[1][n] = isnan(r->category[i]) ? LEVELS : (uint32_t)r->category[i];
                s->code[2][n] = (uint32_t)(4 * r->score[i]);
                s->code[3][n] = r->decision[i];
                s->loss[n] = !binary ? r->loss[i] * (1 + 4 * (r->label[i] == 1))
                             : r->label[i] == 2 || r->y[i] == 1 ? 1
                                                                : 0;
            }
        }
        for (size_t f = 0; f < SLICED; f++) {
            s->part[f][k] = (struct slices_rows){s->code[f] + first, n - first};
        }
    }
}

static void
say_slices(struct buf *said, const struct slices_result *r)
{
    for (uint32_t k = 0; k < r->found; k++) {
        const struct slice *s = &r->slice[k];
        const double of_slice[] = {(double)s->rows,
                                   (double)s->mistakes,
                                   s->error,
                                   s->error_max,
                                   s->score,
                                   s->mean,
                                   s->rest_mean,
                                   s->coverage,
                                   s->ci.low,
                                   s->ci.high,
                                   s->ci_all.low,
                                   s->ci_all.high,
                                   s->p,
                                   s->p_bonferroni,
                                   s->p_permutation,
                                   s->q};
        say(said, of_slice, sizeof of_slice);
        say(said, s->condition, s->conditions * sizeof *s->condition);
    }
    const double all[] = {(double)r->mistakes, r->error,      r->mean,
                          (double)r->basic,    r->candidates, r->permutations};
    say(said, all, sizeof all);
    say(said, r->counted, sizeof r->counted);
}

static void
slices_say(const struct rows *r, const struct plan *p, struct buf *said)
{
    static const struct plan at_once = {.parts = 1, .blocks = 1, .begin = {0, ROWS}};
    DEFER(memory_freep) struct sliced_rows *s = calloc(1, sizeof *s);
    DEFER(memory_freep) struct slices_result *found = calloc(1, sizeof *found);
    assert_true(s != NULL && found != NULL);
    for (uint32_t k = 0; k < 4; k++) {
        const struct slices_options o = {.alpha = 0.95,
                                         .level = 2 + k / 2,
                                         .found = 8,
                                         .permutations = 20,
                                         .seed = 3,
                                         .confidence = 0.95,
                                         .threads = 1 + k,
                                         .pair_bytes = 1 << 20};
        DEFER(slices_table_freep) struct slices_table *t = NULL;
        share_codes(r, p == NULL ? &at_once : p, k % 2 == 0, s);
        assert_ok(slices_table_new(ROWS, SLICED, 5, &t));
        for (size_t f = 0; f < SLICED; f++) {
            assert_ok(slices_table_add_parts(t, s->part[f], p == NULL ? 1 : p->parts, LEVELS + 1));
        }
        assert_ok(slices_find(t, s->loss, &o, found));
        assert_true(found->found > 0);
        say_slices(said, found);
    }
}

static void
slices_are_the_same(void **state)
{
    (void)state;
    assert_same_for_every_plan(slices_say);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calibration_merges),
        cmocka_unit_test(performance_merges),
        cmocka_unit_test(residuals_merge_exactly),
        cmocka_unit_test(tallies_of_groups_merge),
        cmocka_unit_test(replicates_of_groups_merge),
        cmocka_unit_test(summaries_of_explanations_merge),
        cmocka_unit_test(maps_merge),
        cmocka_unit_test(mutual_information_merges),
        cmocka_unit_test(metrics_of_errors_merge),
        cmocka_unit_test(error_trees_merge),
        cmocka_unit_test(areas_of_groups_merge),
        cmocka_unit_test(slices_are_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
