/* What takes rows in parts, and passes nothing between them but what merges: split and ordered
 * anyhow, the same to the bit. */
#include "assess/blocks.h"

#include "assess/ale.h"
#include "assess/flip_test.h"
#include "assess/mitigate.h"
#include "assess/permutation_importance.h"
#include "assess/profile.h"
#include "assess/surrogate.h"
#include "num/counted.h"

enum { COLUMNS = 4 };

/* ---- the surrogate tree ---- */

/* Rows and answers of each part, one after the other. */
struct surrogate_shared {
    double x[ROWS * COLUMNS], answer[ROWS];
    struct surrogate_rows part[PARTS];
};

/* Columns: numbers with missing values, a category, few numbers, many numbers. */
static void
share_answers(const struct rows *r, const struct plan *p, bool few, struct surrogate_shared *s)
{
    size_t n = 0;
    for (size_t k = 0; k < p->parts; k++) {
        const size_t first = n;
        for (size_t b = 0; b < p->blocks; b++) {
            for (size_t i = p->begin[b]; p->owner[b] == k && i < p->begin[b + 1]; i++, n++) {
                const double row[] = {few ? floor(4 * r->number[i]) : r->number[i], r->category[i],
                                      floor(4 * r->score[i]), few ? 1 : r->prediction[i]};
                memcpy(s->x + n * COLUMNS, row, sizeof row);
                s->answer[n] = few ? row[2] : r->truth[i];
            }
        }
        s->part[k] = (struct surrogate_rows){s->x + first * COLUMNS, s->answer + first, n - first};
    }
}

static void
say_surrogate(struct buf *said, const struct surrogate *s)
{
    for (size_t i = 0; i < s->nodes; i++) {
        const struct surrogate_node *n = &s->node[i];
        const double of_node[] = {(double)n->feature, n->threshold,    n->missing_left,
                                  n->missing_seen,    (double)n->left, (double)n->right,
                                  n->value,           (double)n->rows};
        say(said, of_node, sizeof of_node);
        if (n->level_left != NULL) {
            say(said, n->level_left, LEVELS);
        }
    }
    const double all[] = {s->fidelity, s->agreement, s->spread, (double)s->grown_on,
                          (double)s->measured_on};
    say(said, all, sizeof all);
}

static void
surrogates_say(const struct rows *r, const struct plan *p, struct buf *said)
{
    static const struct plan at_once = {.parts = 1, .blocks = 1, .begin = {0, ROWS}};
    static const uint32_t levels[] = {0, LEVELS, 0, 0};
    DEFER(memory_freep) struct surrogate_shared *s = calloc(1, sizeof *s);
    assert_non_null(s);
    for (int k = 0; k < 4; k++) {
        const struct surrogate_options o = {.level_count = levels,
                                            .leaves = k == 0 ? 40 : 6,
                                            .depth = k == 0 ? 9 : 3,
                                            .least = 3,
                                            .held_out = k == 3 ? 0 : 0.3,
                                            .floor = -(double)INFINITY,
                                            .threshold = 1e4,
                                            .seed = 7,
                                            .threads = 1 + (unsigned)k};
        DEFER(surrogate_done) struct surrogate tree = {0};
        share_answers(r, p == NULL ? &at_once : p, k == 2, s);
        assert_ok(
            surrogate_grow_parts(s->part, p == NULL ? 1 : p->parts, COLUMNS, &o, NULL, &tree));
        assert_true(tree.leaves > 2 && tree.grown_on < ROWS + (k == 3));
        say_surrogate(said, &tree);
    }
}

static void
surrogates_merge(void **state)
{
    (void)state;
    assert_same_for_every_plan(surrogates_say);
}

/* ---- profiles and accumulated local effects ---- */

/* Two answers: of numbers, of the category. */
static struct status
answer(void *ctx, const double *x, size_t rows, struct diag *diag, double *ret_score)
{
    (void)ctx;
    (void)diag;
    for (size_t i = 0; i < rows; i++) {
        const double *row = x + i * COLUMNS;
        const double a = isnan(row[0]) ? 0.3 : row[0], b = isnan(row[1]) ? -1 : row[1];
        ret_score[2 * i] = sin(a) * row[2] + 1e-3 * row[3];
        ret_score[2 * i + 1] = a * (b - 3) * (b - 3);
    }
    return OK;
}

static const struct black_box answering = {answer, NULL, COLUMNS, 2, 64};

enum { POINTS = 7 };

static void
say_profile(const struct black_box_rows *part, size_t parts, size_t feature, struct buf *said)
{
    DEFER(counted_done) struct counted values = {0};
    double grid[POINTS], mean[2 * POINTS], error[2 * POINTS];
    size_t points = 0;
    bool all = false;
    for (size_t p = 0; p < parts; p++) {
        DEFER(counted_done) struct counted own = {0};
        assert_ok(counted_add(&own, part[p].x + feature, part[p].rows, COLUMNS));
        assert_ok(counted_merge(&values, &own));
    }
    assert_ok(counted_settle(&values));
    profile_grid(&values, POINTS, grid, &points, &all);
    assert_true(points > 2);
    const struct profile_input in = {part, parts, feature, grid, points, NULL, 0, 2};
    assert_ok(profile_feature(&answering, &in, NULL, mean, error, NULL));
    say(said, grid, points * sizeof *grid);
    say(said, mean, 2 * points * sizeof *mean);
    say(said, error, 2 * points * sizeof *error);
}

static void
say_effect(const struct black_box_rows *part, size_t parts, size_t feature, struct buf *said)
{
    static const uint32_t levels[] = {0, LEVELS, 0, 0};
    size_t order[LEVELS];
    DEFER(ale_done) struct ale a = {0};
    assert_ok(ale_order(part, parts, COLUMNS, 1, levels, order));
    const struct ale_input in = {part,   parts, feature, POINTS, feature == 1 ? order : NULL,
                                 LEVELS, 2};
    assert_ok(ale_feature(&answering, &in, NULL, &a));
    assert_true(a.points > 2);
    say(said, order, sizeof order);
    say(said, a.at, a.points * sizeof *a.at);
    say(said, a.count, a.points * sizeof *a.count);
    say(said, a.effect, 2 * a.points * sizeof *a.effect);
    say(said, a.error, 2 * a.points * sizeof *a.error);
}

static void
profiles_say(const struct rows *r, const struct plan *p, struct buf *said)
{
    static const struct plan at_once = {.parts = 1, .blocks = 1, .begin = {0, ROWS}};
    DEFER(memory_freep) struct surrogate_shared *s = calloc(1, sizeof *s);
    struct black_box_rows part[PARTS];
    const size_t parts = p == NULL ? 1 : p->parts;
    assert_non_null(s);
    share_answers(r, p == NULL ? &at_once : p, false, s);
    for (size_t k = 0; k < parts; k++) {
        part[k] = (struct black_box_rows){s->part[k].x, s->part[k].rows};
    }
    for (size_t f = 0; f < COLUMNS; f++) {
        say_profile(part, parts, f, said);
        say_effect(part, parts, f, said);
    }
}

static void
profiles_and_effects_merge(void **state)
{
    (void)state;
    assert_same_for_every_plan(profiles_say);
}

/* ---- permutation importance ---- */

static struct status
first_answer(void *ctx, const double *x, size_t rows, struct diag *diag, double *ret_score)
{
    double both[2 * ROWS];
    TRY(answer(ctx, x, rows, diag, both));
    for (size_t i = 0; i < rows; i++) {
        ret_score[i] = both[2 * i];
    }
    return OK;
}

static void
importances_say(const struct rows *r, const struct plan *p, struct buf *said)
{
    static const struct plan at_once = {.parts = 1, .blocks = 1, .begin = {0, ROWS}};
    static const char *const names[] = {"rmse", "median_absolute_error"};
    const struct black_box box = {first_answer, NULL, COLUMNS, 1, 64};
    DEFER(memory_freep) struct surrogate_shared *s = calloc(1, sizeof *s);
    struct permutation_rows part[PARTS];
    assert_non_null(s);
    share_answers(r, p == NULL ? &at_once : p, false, s);
    for (size_t k = 0; k < PARTS; k++) {
        part[k] = (struct permutation_rows){s->part[k].x, s->part[k].answer, s->part[k].rows};
    }
    for (size_t k = 0; k < 2; k++) {
        struct permutation_importance of[COLUMNS];
        double baseline = 0;
        const struct permutation_input in = {
            part, p == NULL ? 1 : p->parts, metric_find(names[k]), 3, 0.95, 5, 2};
        assert_ok(permutation_importance(&box, &in, NULL, &baseline, of));
        assert_true(of[2].mean > 0 && of[1].mean == 0);
        say(said, &baseline, sizeof baseline);
        say(said, of, sizeof of);
    }
}

static void
importances_merge(void **state)
{
    (void)state;
    assert_same_for_every_plan(importances_say);
}

/* ---- what makes decisions fairer, and the flip test ---- */

/* The rows of a part, one after the other. */
struct scored_part {
    double score[ROWS], z[2 * ROWS], s[2 * ROWS];
    uint8_t y[ROWS];
    int32_t group[ROWS];
    size_t rows;
};

static void
take_part(const struct rows *r, const struct plan *p, size_t part, struct scored_part *to)
{
    to->rows = 0;
    for (size_t b = 0; b < p->blocks; b++) {
        for (size_t i = p->begin[b]; p->owner[b] == part && i < p->begin[b + 1]; i++) {
            const size_t n = to->rows++;
            to->score[n] = r->score[i];
            to->y[n] = r->y[i];
            to->group[n] = (int32_t)r->label[i] - 1; /* the first label: no group */
            to->z[2 * n] = r->truth[i];
            to->z[2 * n + 1] = r->loss[i];
            to->s[2 * n] = r->prediction[i];
            to->s[2 * n + 1] = r->prediction[i] + 1e3 * r->score[i];
        }
    }
}

static void
say_thresholds(const struct scored_part *part, size_t parts, struct buf *said)
{
    DEFER(threshold_scores_done) struct threshold_scores all = {0};
    for (size_t p = parts; p-- > 0;) {
        DEFER(threshold_scores_done) struct threshold_scores own = {0};
        assert_ok(threshold_scores_add(&own, part[p].score, part[p].y, part[p].group, part[p].rows,
                                       NULL));
        assert_ok(threshold_scores_merge(&all, &own));
    }
    assert_int_equal(all.rows, ROWS);
    for (int c = 0; c < THRESHOLD_CONSTRAINTS; c++) {
        DEFER(threshold_curves_freep) struct threshold_curves *curves = NULL;
        const struct threshold_options o = {
            .constraint = (enum threshold_constraint)c, .flip = c % 2 == 1, .tolerance = 0.02};
        struct threshold_rule rule[CLASSES - 1] = {0};
        struct threshold_plan plan = {.rule = rule};
        struct threshold_rating held;
        size_t tried = 0;
        assert_ok(threshold_curves_of(&all, CLASSES - 1, &o, NULL, &curves));
        assert_ok(threshold_deterministic(curves, o.tolerance, &plan, &tried));
        say(said, rule, sizeof rule);
        assert_ok(
            threshold_randomised(curves, c == THRESHOLD_EQUALIZED_ODDS ? 0 : o.tolerance, &plan));
        say(said, rule, sizeof rule);
        assert_ok(threshold_cross_fit(&all, CLASSES - 1, &o, 0.95, &held));
        assert_true(held.accuracy.value > 0.5);
        say(said, &held, sizeof held);
    }
}

static void
say_remover(const struct scored_part *part, size_t parts, struct buf *said)
{
    struct correlation_rows rows[PARTS];
    double mean[2], w[4];
    size_t rank = 0;
    for (size_t p = 0; p < parts; p++) {
        rows[p] = (struct correlation_rows){part[p].z, part[p].s, part[p].rows};
    }
    assert_ok(correlation_fit(rows, parts, 2, 2, NULL, mean, w, &rank));
    assert_int_equal(rank, 2);
    say(said, mean, sizeof mean);
    say(said, w, sizeof w);
}

/* Few values, so that many are equally near. */
static void
say_flips(struct scored_part *part, size_t parts, struct buf *said)
{
    struct flip_test_part rows[PARTS];
    for (size_t p = 0; p < parts; p++) {
        for (size_t i = 0; i < part[p].rows; i++) {
            part[p].z[2 * i] = floor(2 * part[p].score[i]);
            part[p].z[2 * i + 1] =
                part[p].z[2 * i + 1] > 2e3 ? (double)NAN : (double)(part[p].group[i] % 2);
        }
        rows[p] = (struct flip_test_part){part[p].rows, part[p].z, part[p].y, part[p].group};
    }
    for (int facet = 0; facet < 2; facet++) {
        const struct flip_test_rows r = {rows, parts, 2, true};
        struct flip_test_result f;
        assert_ok(flip_test_run(&r, facet, 0.95, 2, &f));
        assert_true(f.rows > 50 && f.left_out > 0 && f.positive > 0);
        say(said, &f, sizeof f);
    }
}

static void
mitigation_says(const struct rows *r, const struct plan *p, struct buf *said)
{
    static const struct plan at_once = {.parts = 1, .blocks = 1, .begin = {0, ROWS}};
    DEFER(memory_freep) struct scored_part *part = calloc(PARTS, sizeof *part);
    const size_t parts = p == NULL ? 1 : p->parts;
    assert_non_null(part);
    for (size_t k = 0; k < parts; k++) {
        take_part(r, p == NULL ? &at_once : p, k, &part[k]);
    }
    say_thresholds(part, parts, said);
    say_remover(part, parts, said);
    say_flips(part, parts, said);
}

static void
mitigation_and_flips_merge(void **state)
{
    (void)state;
    assert_same_for_every_plan(mitigation_says);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(surrogates_merge),
        cmocka_unit_test(profiles_and_effects_merge),
        cmocka_unit_test(importances_merge),
        cmocka_unit_test(mitigation_and_flips_merge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
