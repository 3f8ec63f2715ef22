#include "testing/testing.h"

#include "assess/cut.h"
#include "assess/errors.h"
#include "num/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ROWS 1500u
#define FEATURES 4u

struct data {
    double value[FEATURES][ROWS];
    double error[ROWS]; /* 0 or 1 */
    struct errors_feature feature[FEATURES];
};

/* Two number columns (the second of few values), a category of three, a number with missing ones.
 * About 5 % errors; 60 % where the first is over 0.8 and the category is 2. */
static void
make_data(uint64_t seed, bool planted, struct data *d)
{
    struct rng g;
    rng_init(&g, seed, "errors");
    for (size_t i = 0; i < ROWS; i++) {
        d->value[0][i] = rng_unit(&g);
        d->value[1][i] = (double)rng_below(&g, 4);
        d->value[2][i] = (double)rng_below(&g, 3);
        d->value[3][i] = rng_below(&g, 5) == 0 ? NAN : rng_normal(&g);
        const bool bad = planted && d->value[0][i] > 0.8 && (int)d->value[2][i] == 2;
        d->error[i] = rng_unit(&g) < (bad ? 0.6 : 0.05);
    }
    for (size_t k = 0; k < FEATURES; k++) {
        d->feature[k] = (struct errors_feature){d->value[k], k == 2 ? 3 : 0};
    }
}

/* The node's rule, told independently of the grower. */
static bool
takes_left(const struct data *d, const struct errors_node *n, size_t row)
{
    const double v = d->value[n->feature][row];
    if (isnan(v)) {
        return n->missing_left;
    }
    return n->category >= 0 ? v == (double)n->category : v <= n->threshold;
}

static uint32_t
leaf_of(const struct data *d, const struct errors_tree *t, size_t row)
{
    uint32_t k = 0;
    while (t->node[k].left >= 0) {
        const struct errors_node *n = &t->node[k];
        k = (uint32_t)(takes_left(d, n, row) ? n->left : n->right);
    }
    return k;
}

/* Rows and errors counted again along the splits equal the ones in the nodes. */
static void
check_tree(const struct data *d, const struct errors_tree *t, uint32_t max_depth, uint64_t min_rows)
{
    uint64_t rows[ERRORS_MAX_NODES] = {0};
    double errors[ERRORS_MAX_NODES] = {0};
    for (size_t i = 0; i < ROWS; i++) {
        const uint32_t leaf = leaf_of(d, t, i);
        rows[leaf]++;
        errors[leaf] += d->error[i];
    }
    uint64_t leaf_rows = 0;
    double coverage = 0;
    for (uint32_t k = t->nodes; k-- > 0;) {
        const struct errors_node *n = &t->node[k];
        if (n->left >= 0) {
            rows[k] = rows[n->left] + rows[n->right];
            errors[k] = errors[n->left] + errors[n->right];
            assert_int_equal(t->node[n->left].parent, k);
            assert_int_equal(t->node[n->right].depth, n->depth + 1);
        } else {
            leaf_rows += n->rows;
            coverage += n->coverage;
            assert_true(k == 0 || n->rows >= min_rows);
        }
        assert_int_equal(n->rows, rows[k]);
        assert_near(n->errors, errors[k], 0);
        assert_true(n->depth <= max_depth);
        assert_true(n->ci.low <= n->error_rate && n->error_rate <= n->ci.high);
    }
    assert_int_equal(leaf_rows, ROWS);
    assert_near(coverage, 1, 1e-12);
}

static struct errors_tree_options
options(uint32_t depth, uint32_t min_rows)
{
    return (struct errors_tree_options){depth, UINT32_MAX, min_rows};
}

static struct errors_tree *
grow(const struct data *d, uint32_t depth, uint32_t min_rows)
{
    struct errors_tree *t = calloc(1, sizeof *t);
    assert_non_null(t);
    const struct errors_tree_options o = options(depth, min_rows);
    assert_ok(errors_tree_grow(d->feature, FEATURES, d->error, ROWS, &o, t));
    return t;
}

static void
refuses_a_tree_that_is_too_deep_and_bins_that_are_too_many(void **state)
{
    (void)state;
    static struct data d;
    static struct errors_tree t;
    static struct errors_map m;
    make_data(1, false, &d);
    struct errors_tree_options o = options(ERRORS_MAX_DEPTH + 1, 20);
    assert_status(errors_tree_grow(d.feature, FEATURES, d.error, ROWS, &o, &t), LIMIT);
    o = (struct errors_tree_options){3, 0, 20};
    assert_status(errors_tree_grow(d.feature, FEATURES, d.error, ROWS, &o, &t), LIMIT);
    o = options(3, 20);
    d.error[7] = NAN;
    assert_status(errors_tree_grow(d.feature, FEATURES, d.error, ROWS, &o, &t), INPUT);
    d.error[7] = -1;
    assert_status(errors_tree_grow(d.feature, FEATURES, d.error, ROWS, &o, &t), INPUT);
    d.error[7] = 0;
    assert_status(
        errors_map_fill(&d.feature[0], &d.feature[1], d.error, ROWS, 0, ERRORS_EQUAL_COUNT, &m),
        LIMIT);
    assert_status(errors_map_fill(&d.feature[0], &d.feature[1], d.error, ROWS, ERRORS_MAX_BINS + 1,
                                  ERRORS_EQUAL_COUNT, &m),
                  LIMIT);
}

static void
no_rows_no_features_or_no_errors_make_one_node(void **state)
{
    (void)state;
    static struct data d;
    static struct errors_tree t;
    make_data(2, false, &d);
    const struct errors_tree_options o = options(3, 20);
    assert_ok(errors_tree_grow(d.feature, FEATURES, d.error, 0, &o, &t));
    assert_int_equal(t.nodes, 1);
    assert_near(t.node[0].error_rate, 0, 0);
    assert_int_equal(errors_worst_leaf(&t), -1);
    assert_ok(errors_tree_grow(d.feature, 0, d.error, ROWS, &o, &t));
    assert_int_equal(t.nodes, 1);
    assert_int_equal(errors_worst_leaf(&t), 0);
    memset(d.error, 0, sizeof d.error);
    assert_ok(errors_tree_grow(d.feature, FEATURES, d.error, ROWS, &o, &t));
    assert_int_equal(t.nodes, 1);
    assert_int_equal(errors_worst_leaf(&t), -1);
}

static void
no_leaf_is_smaller_than_asked_for(void **state)
{
    (void)state;
    static struct data d;
    make_data(3, true, &d);
    const uint32_t least[] = {1, 20, 300, 1000, 1001};
    for (size_t i = 0; i < 5; i++) {
        struct errors_tree *t = grow(&d, 3, least[i]);
        check_tree(&d, t, 3, least[i]);
        assert_true(least[i] < 1001 || t->nodes == 1);
        free(t);
    }
}

static void
the_leaves_part_the_rows_and_the_counts_add_up(void **state)
{
    (void)state;
    static struct data d;
    for (uint64_t seed = 10; seed < 30; seed++) {
        make_data(seed, seed % 2 == 0, &d);
        const uint32_t depth = (uint32_t)(1 + seed % ERRORS_MAX_DEPTH);
        struct errors_tree *t = grow(&d, depth, 20);
        check_tree(&d, t, depth, 20);
        free(t);
    }
}

static void
finds_the_cohort_that_was_planted(void **state)
{
    (void)state;
    static struct data d;
    for (uint64_t seed = 40; seed < 45; seed++) {
        make_data(seed, true, &d);
        struct errors_tree *t = grow(&d, 3, 20);
        const int32_t worst = errors_worst_leaf(t);
        assert_true(worst > 0);
        uint64_t planted = 0, caught = 0;
        for (size_t i = 0; i < ROWS; i++) {
            const bool bad = d.value[0][i] > 0.8 && (int)d.value[2][i] == 2;
            planted += bad;
            caught += bad && leaf_of(&d, t, i) == (uint32_t)worst;
        }
        assert_true(t->node[worst].error_rate > 0.5);
        assert_true((double)t->node[worst].rows < 1.1 * (double)planted);
        assert_true(caught > 0);
        uint32_t order[FEATURES];
        struct errors_mutual m[FEATURES];
        assert_ok(errors_mutual_of(d.feature, FEATURES, d.error, ROWS, m));
        errors_mutual_order(m, FEATURES, order);
        assert_true((order[0] == 0 && order[1] == 2) || (order[0] == 2 && order[1] == 0));
        assert_true(m[order[1]].p < 1e-4 && m[order[2]].p > 1e-3);
        assert_true(m[order[1]].mutual_information > m[order[1]].noise);
        free(t);
    }
}

#define RARE_ROWS 20000u

/* The mutual information of a category of `levels`, some of them rarer than others, with errors of
 * a tenth of the rows; half of those of category 0 are wrong when it tells. */
static struct errors_mutual
mutual_of_rare(uint64_t seed, uint32_t levels, bool tells)
{
    static double value[RARE_ROWS], error[RARE_ROWS];
    struct errors_mutual m;
    struct rng g;
    rng_init(&g, seed, "rare");
    for (size_t i = 0; i < RARE_ROWS; i++) {
        const double u = rng_unit(&g),
                     v = tells && rng_below(&g, 20) == 0 ? 0 : floor(u * u * levels);
        value[i] = v;
        error[i] = rng_unit(&g) < (tells && v == 0 ? 0.5 : 0.1);
    }
    const struct errors_feature f = {value, levels};
    assert_ok(errors_mutual_of(&f, 1, error, RARE_ROWS, &m));
    return m;
}

/* The chi-square of a table whose cells are all but empty is no test: of 5,000 categories that tell
 * nothing it called each one a finding. */
static void
rare_categories_tell_no_more_than_they_know(void **state)
{
    static const uint32_t levels[] = {40, 100, 1000, 5000, RARE_ROWS};
    (void)state;
    for (size_t k = 0; k < sizeof levels / sizeof *levels; k++) {
        unsigned low = 0, high = 0, over = 0;
        double corrected = 0;
        for (uint64_t seed = 1; seed <= 200; seed++) {
            const struct errors_mutual m = mutual_of_rare(seed, levels[k], false);
            low += m.p < 0.05;
            high += m.p > 0.5;
            over += m.p < 1 && m.mutual_information > m.noise && m.pooled == 0;
            corrected += m.corrected / 200;
            assert_true((m.pooled > 0) == (levels[k] > 100));
        }
        /* 200 draws of 0.05, and of 0.5: four standard deviations. Alone, a category more or less
         * rare makes G somewhat too large. */
        assert_in_range(low, levels[k] > 1000 ? 0 : 1, 24);
        assert_in_range(high, 70, 200);
        assert_true(levels[k] > 64 || over == low);
        assert_true(corrected < 0.001);
    }
    const struct errors_mutual found = mutual_of_rare(1, 5000, true);
    assert_true(found.pooled > 4000 && found.p < 1e-9 && found.corrected > 0.01);
}

/* The first split's gain is the largest there is, by trying every one. */
static double
best_gain(const struct data *d, size_t min_rows)
{
    double best = 0, errors = 0;
    for (size_t i = 0; i < ROWS; i++) {
        errors += d->error[i];
    }
    for (size_t k = 0; k < FEATURES; k++) {
        for (size_t at = 0; at < ROWS; at++) {
            for (int missing_left = 0; missing_left < 2; missing_left++) {
                double n = 0, e = 0;
                for (size_t i = 0; i < ROWS; i++) {
                    const double v = d->value[k][i], cut = d->value[k][at];
                    const bool left = isnan(v) ? missing_left != 0 : k == 2 ? v == cut : v <= cut;
                    n += left;
                    e += left ? d->error[i] : 0;
                }
                const double rest = ROWS - n, wrong = errors - e;
                if (n >= (double)min_rows && rest >= (double)min_rows) {
                    const double gain = 2 *
                                        (errors * (ROWS - errors) / ROWS - e * (n - e) / n -
                                         wrong * (rest - wrong) / rest) /
                                        ROWS;
                    best = fmax(best, gain);
                }
            }
        }
    }
    return best;
}

static void
the_first_split_is_the_best_of_all(void **state)
{
    (void)state;
    static struct data d;
    make_data(50, true, &d);
    struct errors_tree *t = grow(&d, 1, 20);
    const struct errors_node *n = t->node;
    const double drop = n[0].errors * (ROWS - n[0].errors) / ROWS -
                        n[1].errors * (1 - n[1].error_rate) - n[2].errors * (1 - n[2].error_rate);
    assert_near(2 * drop / ROWS, best_gain(&d, 20), 1e-12);
    free(t);
}

/* Losses that are not 0 and 1: the split leaves the least variance within, by trying every one. */
static void
the_first_split_of_numbers_explains_most_of_their_variance(void **state)
{
    (void)state;
    static struct data d;
    struct rng g;
    make_data(54, true, &d);
    rng_init(&g, 54, "losses");
    double all = 0, best = 0;
    for (size_t i = 0; i < ROWS; i++) {
        d.error[i] = 1000 * (d.error[i] + 0.2) * rng_unit(&g);
        all += d.error[i];
    }
    for (size_t k = 0; k < FEATURES; k++) {
        for (size_t at = 0; at < 2 * ROWS; at++) {
            double n = 0, e = 0;
            for (size_t i = 0; i < ROWS; i++) {
                const double v = d.value[k][i], cut = d.value[k][at / 2];
                const bool left = isnan(v) ? at % 2 == 0 : k == 2 ? v == cut : v <= cut;
                n += left;
                e += left ? d.error[i] : 0;
            }
            if (n >= 20 && ROWS - n >= 20) {
                best = fmax(best, e * e / n + (all - e) * (all - e) / (ROWS - n));
            }
        }
    }
    struct errors_tree *t = grow(&d, 1, 20);
    const struct errors_node *l = &t->node[1], *r = &t->node[2];
    assert_near((l->errors * l->error_rate + r->errors * r->error_rate) / best, 1, 1e-12);
    assert_true(isnan(l->ci.low));
    assert_near(t->node[0].error_rate, all / ROWS, 1e-9);
    free(t);
}

static void
a_limit_of_leaves_keeps_the_splits_that_explain_most(void **state)
{
    (void)state;
    static struct data d;
    make_data(55, true, &d);
    struct errors_tree *all = grow(&d, 4, 20);
    uint32_t leaves = (all->nodes + 1) / 2;
    assert_true(leaves > 5);
    for (uint32_t most = 1; most <= leaves; most++) {
        static struct errors_tree t;
        const struct errors_tree_options o = {4, most, 20};
        assert_ok(errors_tree_grow(d.feature, FEATURES, d.error, ROWS, &o, &t));
        check_tree(&d, &t, 4, 20);
        assert_true((t.nodes + 1) / 2 <= most);
        assert_true(most < 2 || t.node[0].feature == all->node[0].feature);
    }
    free(all);
}

static void
rows_end_in_the_leaf_that_their_values_lead_to(void **state)
{
    (void)state;
    static struct data d;
    static uint16_t leaf[ROWS];
    make_data(56, true, &d);
    struct errors_tree *t = grow(&d, 4, 20);
    errors_tree_leaves(t, d.feature, ROWS, leaf);
    for (size_t i = 0; i < ROWS; i++) {
        assert_int_equal(leaf[i], leaf_of(&d, t, i));
    }
    free(t);
}

static void
missing_values_may_be_the_cohort(void **state)
{
    (void)state;
    static struct data d;
    make_data(51, false, &d);
    for (size_t i = 0; i < ROWS; i++) {
        d.error[i] = isnan(d.value[3][i]) || d.value[3][i] > 0;
    }
    struct errors_tree *t = grow(&d, 1, 20);
    check_tree(&d, t, 1, 20);
    assert_int_equal(t->node[0].feature, 3);
    assert_false(t->node[0].missing_left);
    assert_near(t->node[t->node[0].right].error_rate, 1, 0);
    assert_int_equal(t->node[t->node[0].left].errors, 0);
    free(t);
}

static void
takes_infinite_and_equal_values(void **state)
{
    (void)state;
    static struct data d;
    make_data(52, false, &d);
    for (size_t i = 0; i < ROWS; i++) {
        d.value[0][i] = i % 3 == 0 ? -INFINITY : i % 3 == 1 ? 5 : INFINITY;
        d.value[1][i] = 7;
        d.error[i] = i % 3 == 0;
    }
    struct errors_tree *t = grow(&d, 3, 20);
    check_tree(&d, t, 3, 20);
    assert_int_equal(t->nodes, 3);
    assert_near(t->node[1].error_rate, 1, 0);
    free(t);
    static struct errors_map m;
    assert_ok(
        errors_map_fill(&d.feature[0], &d.feature[1], d.error, ROWS, 6, ERRORS_EQUAL_COUNT, &m));
    assert_int_equal(m.x.bins, 3);
    assert_int_equal(m.y.bins, 1);
}

static void
the_same_rows_give_the_same_tree(void **state)
{
    (void)state;
    static struct data d;
    make_data(53, true, &d);
    struct errors_tree *a = grow(&d, 5, 20), *b = grow(&d, 5, 20);
    assert_int_equal(a->nodes, b->nodes);
    assert_memory_equal(a->node, b->node, a->nodes * sizeof *a->node);
    free(a);
    free(b);
}

/* ---- heat map ---- */

static uint32_t
bin_of(const struct errors_axis *a, double v)
{
    if (isnan(v)) {
        return a->bins;
    }
    for (uint32_t b = 0; b < a->bins && !a->is_category; b++) {
        if ((b == 0 || v >= a->edge[b - 1]) && (b + 1 == a->bins || v < a->edge[b])) {
            assert_true(a->low[b] <= v && v <= a->high[b]);
            return b;
        }
    }
    return (uint32_t)v < a->bins ? (uint32_t)v : a->bins - 1;
}

static void
the_cells_hold_every_row_once(void **state)
{
    (void)state;
    static struct data d;
    static struct errors_map m;
    make_data(60, true, &d);
    for (uint32_t fx = 0; fx < FEATURES; fx++) {
        for (uint32_t fy = 0; fy < FEATURES; fy++) {
            assert_ok(errors_map_fill(&d.feature[fx], &d.feature[fy], d.error, ROWS, 6,
                                      ERRORS_EQUAL_COUNT, &m));
            struct errors_cell count[(ERRORS_MAX_BINS + 1) * (ERRORS_MAX_BINS + 1)] = {0};
            for (size_t i = 0; i < ROWS; i++) {
                struct errors_cell *c =
                    &count[bin_of(&m.y, d.value[fy][i]) * (ERRORS_MAX_BINS + 1) +
                           bin_of(&m.x, d.value[fx][i])];
                c->rows++;
                c->errors += d.error[i];
            }
            for (size_t k = 0; k < sizeof count / sizeof *count; k++) {
                assert_int_equal(count[k].rows, m.cell[k].rows);
                assert_int_equal(count[k].errors, m.cell[k].errors);
            }
        }
    }
}

static void
bins_have_about_as_many_rows_each_and_few_values_a_bin_each(void **state)
{
    (void)state;
    static struct data d;
    static struct errors_map m;
    make_data(61, false, &d);
    assert_ok(
        errors_map_fill(&d.feature[0], &d.feature[1], d.error, ROWS, 6, ERRORS_EQUAL_COUNT, &m));
    assert_int_equal(m.x.bins, 6);
    assert_int_equal(m.y.bins, 4);
    for (uint32_t x = 0; x < 6; x++) {
        uint64_t rows = 0;
        for (uint32_t y = 0; y < 4; y++) {
            rows += m.cell[y * (ERRORS_MAX_BINS + 1) + x].rows;
        }
        assert_true(rows >= ROWS / 6 - 1 && rows <= ROWS / 6 + 1);
    }
    for (uint32_t y = 0; y < 4; y++) {
        assert_near(m.y.low[y], y, 0);
        assert_near(m.y.high[y], y, 0);
    }
    assert_false(m.x.has_missing);
    assert_ok(
        errors_map_fill(&d.feature[3], &d.feature[2], d.error, ROWS, 6, ERRORS_EQUAL_COUNT, &m));
    assert_true(m.x.has_missing && m.y.is_category);
}

static void
more_categories_than_bins_end_in_others(void **state)
{
    (void)state;
    static struct data d;
    static struct errors_map m;
    make_data(62, false, &d);
    for (size_t i = 0; i < ROWS; i++) {
        d.value[2][i] = (double)(i % 40);
    }
    d.feature[2].level_count = 40;
    assert_ok(
        errors_map_fill(&d.feature[2], &d.feature[1], d.error, ROWS, 6, ERRORS_EQUAL_COUNT, &m));
    assert_int_equal(m.x.bins, ERRORS_MAX_BINS);
    uint64_t rows = 0, others = 0;
    for (size_t i = 0; i < ROWS; i++) {
        others += i % 40 >= ERRORS_MAX_BINS - 1;
    }
    for (uint32_t y = 0; y < m.y.bins; y++) {
        rows += m.cell[y * (ERRORS_MAX_BINS + 1) + ERRORS_MAX_BINS - 1].rows;
    }
    assert_int_equal(rows, others);
}

static void
bins_of_equal_width_are_as_wide_and_hold_the_ends(void **state)
{
    (void)state;
    static struct data d;
    static struct errors_map m;
    make_data(63, true, &d);
    for (size_t i = 0; i < ROWS; i++) {
        d.value[0][i] = i == 0 ? -INFINITY : i == 1 ? INFINITY : (double)i * (double)i;
    }
    const double low = 4, high = (ROWS - 1.0) * (ROWS - 1.0), width = (high - low) / 8;
    assert_ok(errors_map_fill(&d.feature[0], NULL, d.error, ROWS, 8, ERRORS_EQUAL_WIDTH, &m));
    assert_int_equal(m.x.bins, 8);
    assert_int_equal(m.y.bins, 1);
    uint64_t rows = 0;
    for (uint32_t b = 0; b < 8; b++) {
        assert_true(b == 7 || fabs(m.x.edge[b] - (low + width * (b + 1))) <= width / 1000);
        rows += m.cell[b].rows;
    }
    assert_int_equal(rows, ROWS);
    assert_true(m.x.low[0] < low && m.x.high[7] > high);
    assert_true(m.cell[0].rows > m.cell[7].rows);
    /* Few values have a bin each, as with equal counts. */
    assert_ok(errors_map_fill(&d.feature[1], NULL, d.error, ROWS, 8, ERRORS_EQUAL_WIDTH, &m));
    assert_int_equal(m.x.bins, 4);
}

static void
losses_that_are_not_zero_and_one_have_the_interval_of_a_mean(void **state)
{
    (void)state;
    static struct data d;
    static struct errors_map m;
    make_data(64, true, &d);
    d.error[3] = 0.5;
    assert_ok(errors_map_fill(&d.feature[0], NULL, d.error, ROWS, 8, ERRORS_EQUAL_COUNT, &m));
    const struct errors_cell *c = &m.cell[0];
    const double mean = c->errors / (double)c->rows;
    const struct interval rate = interval_wilson(c->errors, (double)c->rows, 0.95);
    assert_near((c->ci.low + c->ci.high) / 2, mean, 1e-12); /* Wilson's is not even */
    assert_true(fabs(c->ci.high - rate.high) > 1e-6);
}

/* ---- cuts ---- */

static void
a_cut_is_the_shortest_decimal_between_two_values(void **state)
{
    (void)state;
    static const struct {
        double low, high;
        bool take_low;
        double cut;
    } cases[] = {
        {4, 5, true, 4},
        {1, 2, true, 1},
        {1, 2, false, 2},
        {0.36, 0.373, true, 0.37},
        {-3, 4, true, 0},
        {0, 1, true, 0},
        {0.366499996185, 0.36650002, true, 0.3665},
        {-5, -4, true, -5},
        {12345, 12355, true, 12350},
        {1e-7, 3e-7, true, 2e-7},
        {1e15, 3e15, false, 2e15},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_near(cut_between(cases[i].low, cases[i].high, cases[i].take_low), cases[i].cut, 0);
    }
}

static void
a_cut_parts_any_two_values(void **state)
{
    (void)state;
    struct rng g;
    rng_init(&g, 70, "cut");
    for (int i = 0; i < 100000; i++) {
        double low = 0, high = 0;
        const uint64_t a = rng_u64(&g), b = i % 2 == 0 ? a + rng_below(&g, 3) + 1 : rng_u64(&g);
        memcpy(&low, &a, sizeof low);
        memcpy(&high, &b, sizeof high);
        if (isnan(low) || isnan(high) || low == high) {
            continue;
        }
        const double l = fmin(low, high), h = fmax(low, high);
        const double cut = cut_between(l, h, true), other = cut_between(l, h, false);
        assert_true(l <= cut && cut < h);
        assert_true(l < other && other <= h);
    }
}

/* Of the losses 1, 2 and 4.5 the mean is 2.5; t with two degrees of freedom is 4.30265. */
static void
a_cell_of_numbers_has_students_interval_and_one_row_none(void **state)
{
    (void)state;
    static struct errors_map m;
    const double value[4] = {0, 0, 0, 1}, loss[4] = {1, 2, 4.5, 3};
    const struct errors_feature f = {value, 2};
    assert_ok(errors_map_fill(&f, NULL, loss, 4, 8, ERRORS_EQUAL_COUNT, &m));
    const double half = 4.302652729911 * sqrt((1.5 * 1.5 + 0.25 + 4) / 2 / 3);
    assert_near(m.cell[0].ci.high, 2.5 + half, 1e-5);
    assert_near(m.cell[0].ci.low, 0, 0); /* errors are not negative */
    assert_int_equal(m.cell[1].rows, 1);
    assert_true(isnan(m.cell[1].ci.low) && isnan(m.cell[1].ci.high));
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(rare_categories_tell_no_more_than_they_know),
        cmocka_unit_test(refuses_a_tree_that_is_too_deep_and_bins_that_are_too_many),
        cmocka_unit_test(no_rows_no_features_or_no_errors_make_one_node),
        cmocka_unit_test(a_cell_of_numbers_has_students_interval_and_one_row_none),
        cmocka_unit_test(no_leaf_is_smaller_than_asked_for),
        cmocka_unit_test(the_leaves_part_the_rows_and_the_counts_add_up),
        cmocka_unit_test(finds_the_cohort_that_was_planted),
        cmocka_unit_test(the_first_split_is_the_best_of_all),
        cmocka_unit_test(the_first_split_of_numbers_explains_most_of_their_variance),
        cmocka_unit_test(a_limit_of_leaves_keeps_the_splits_that_explain_most),
        cmocka_unit_test(rows_end_in_the_leaf_that_their_values_lead_to),
        cmocka_unit_test(missing_values_may_be_the_cohort),
        cmocka_unit_test(takes_infinite_and_equal_values),
        cmocka_unit_test(the_same_rows_give_the_same_tree),
        cmocka_unit_test(the_cells_hold_every_row_once),
        cmocka_unit_test(bins_have_about_as_many_rows_each_and_few_values_a_bin_each),
        cmocka_unit_test(more_categories_than_bins_end_in_others),
        cmocka_unit_test(bins_of_equal_width_are_as_wide_and_hold_the_ends),
        cmocka_unit_test(losses_that_are_not_zero_and_one_have_the_interval_of_a_mean),
        cmocka_unit_test(a_cut_is_the_shortest_decimal_between_two_values),
        cmocka_unit_test(a_cut_parts_any_two_values),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
