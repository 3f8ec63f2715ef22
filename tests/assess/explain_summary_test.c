#include "testing/testing.h"

#include "assess/explain_summary.h"
#include "num/rng.h"

#include <math.h>

enum { ROWS = 500, FEATURES = 3, OUTPUTS = 2, WIDTH = FEATURES * OUTPUTS };

struct rows {
    float x[ROWS * FEATURES];
    double phi[ROWS * WIDTH];
    uint8_t first[ROWS], none[ROWS];
    struct bins bins[FEATURES];
};

static struct rows *
rows_new(void)
{
    struct rows *r = calloc(1, sizeof *r);
    struct rng g;
    double v[ROWS];
    assert_non_null(r);
    rng_init(&g, 1, "summary");
    for (size_t i = 0; i < ROWS; i++) {
        for (size_t f = 0; f < FEATURES; f++) {
            r->x[i * FEATURES + f] = rng_below(&g, 7) == 0 ? NAN : (float)rng_normal(&g);
        }
        r->x[i * FEATURES] = (float)rng_below(&g, 4);
        for (size_t k = 0; k < WIDTH; k++) {
            r->phi[i * WIDTH + k] = rng_normal(&g);
        }
        r->first[i] = i < 200;
    }
    for (size_t f = 0; f < FEATURES; f++) {
        for (size_t i = 0; i < ROWS; i++) {
            v[i] = (double)r->x[i * FEATURES + f];
        }
        assert_ok(bins_make(v, ROWS, EXPLAIN_BINS, &r->bins[f]));
    }
    return r;
}

static void
refuses_more_cells_than_are_allowed(void **state)
{
    (void)state;
    const struct bins bins[1] = {0};
    struct explain_summary *s = NULL;
    assert_status(explain_summary_new(1, EXPLAIN_SUMMARY_CELLS, 0, bins, false, &s), LIMIT);
    assert_status(explain_summary_new(1, 3000, 0, NULL, true, &s), LIMIT);
    assert_null(s);
}

static void
sums_are_those_of_the_rows_in_any_blocks(void **state)
{
    (void)state;
    DEFER(memory_freep) struct rows *r = rows_new();
    DEFER(explain_summary_freep) struct explain_summary *whole = NULL;
    DEFER(explain_summary_freep) struct explain_summary *parts = NULL;
    assert_ok(explain_summary_new(OUTPUTS, FEATURES, 2, r->bins, false, &whole));
    assert_ok(explain_summary_new(OUTPUTS, FEATURES, 2, r->bins, false, &parts));
    explain_summary_add(whole, r->x, r->phi, (const uint8_t *const[]){r->first, r->none}, ROWS);
    for (size_t left = ROWS; left > 0; left -= 100) { /* the last rows first */
        const size_t at = left - 100;
        explain_summary_add(parts, r->x + at * FEATURES, r->phi + at * WIDTH,
                            (const uint8_t *const[]){r->first + at, r->none + at}, 100);
    }
    assert_int_equal(whole->group[0].rows, ROWS);
    assert_int_equal(whole->group[1].rows, 200);
    assert_int_equal(whole->group[2].rows, 0);
    for (size_t k = 0; k < WIDTH; k++) {
        double absolute = 0, with_sign = 0, cohort = 0;
        for (size_t i = 0; i < ROWS; i++) {
            absolute += fabs(r->phi[i * WIDTH + k]);
            with_sign += r->phi[i * WIDTH + k];
            cohort += i < 200 ? fabs(r->phi[i * WIDTH + k]) : 0;
        }
        assert_near(sum_value(&whole->group[0].absolute[k]), absolute, 1e-10);
        assert_near(sum_value(&whole->group[0].with_sign[k]), with_sign, 1e-10);
        assert_near(sum_value(&whole->group[1].absolute[k]), cohort, 1e-10);
        assert_true(sum_value(&parts->group[0].absolute[k]) ==
                    sum_value(&whole->group[0].absolute[k]));
    }
    assert_memory_equal(whole->bin, parts->bin, WIDTH * (EXPLAIN_BINS + 1) * sizeof *whole->bin);
}

static void
every_row_is_in_one_bin_of_each_feature(void **state)
{
    (void)state;
    DEFER(memory_freep) struct rows *r = rows_new();
    DEFER(explain_summary_freep) struct explain_summary *s = NULL;
    assert_ok(explain_summary_new(OUTPUTS, FEATURES, 0, r->bins, false, &s));
    explain_summary_add(s, r->x, r->phi, NULL, ROWS);
    for (size_t cell = 0; cell < WIDTH; cell++) {
        uint64_t rows = 0, missing = 0;
        double sum = 0;
        for (size_t b = 0; b <= EXPLAIN_BINS; b++) {
            const struct explain_bin *bin = &s->bin[cell * (EXPLAIN_BINS + 1) + b];
            rows += bin->rows;
            sum += sum_value(&bin->sum);
            assert_true(bin->rows == 0 ||
                        (bin->least <= sum_value(&bin->sum) / (double)bin->rows + 1e-12 &&
                         sum_value(&bin->sum) / (double)bin->rows <= bin->most + 1e-12));
        }
        for (size_t i = 0; i < ROWS; i++) {
            missing += isnan(r->x[i * FEATURES + cell % FEATURES]) ? 1 : 0;
        }
        assert_int_equal(rows, ROWS);
        assert_int_equal(s->bin[cell * (EXPLAIN_BINS + 1) + EXPLAIN_MISSING].rows, missing);
        assert_near(sum, sum_value(&s->group[0].with_sign[cell]), 1e-10);
    }
    assert_int_equal(r->bins[0].count, 4); /* a bin a value */
}

static void
pairs_count_both_halves(void **state)
{
    (void)state;
    const double matrix[2 * 9] = {1, 2, -3, 2, 5, 0, -3, 0, 9, 1, -4, 3, -4, 5, 0, 3, 0, 9};
    DEFER(explain_summary_freep) struct explain_summary *s = NULL;
    assert_ok(explain_summary_new(1, 3, 0, NULL, true, &s));
    explain_summary_add_pairs(s, matrix, 2);
    assert_true(sum_value(&s->pairs[1]) == 12 && sum_value(&s->pairs[2]) == 12 &&
                sum_value(&s->pairs[5]) == 0);
    assert_true(sum_value(&s->pairs[0]) == 0 && sum_value(&s->pairs[3]) == 0);
}

/* ---- bins of columns that come in blocks ---- */

enum { TALL = 5000, WIDE = 19 };

static struct status
fill_tall(const void *ctx, size_t first, size_t n, float *ret_value)
{
    memcpy(ret_value, (const float *)ctx + first * WIDE, n * WIDE * sizeof *ret_value);
    return OK;
}

static struct status
fill_nothing(const void *ctx, size_t first, size_t n, float *ret_value)
{
    (void)ctx;
    (void)ret_value;
    return first + n < TALL ? OK : FAILURE(MEMORY);
}

static void
bins_of_columns_are_those_of_each_alone(void **state)
{
    (void)state;
    DEFER(memory_freep) float *x = calloc((size_t)TALL * WIDE, sizeof *x);
    DEFER(memory_freep) double *v = calloc(TALL, sizeof *v);
    struct bins got[WIDE] = {0}, one = {0};
    struct rng g;
    assert_true(x != NULL && v != NULL);
    rng_init(&g, 3, "bins");
    for (size_t i = 0; i < (size_t)TALL * WIDE; i++) {
        x[i] = rng_below(&g, 7) == 0 ? NAN
               : i % WIDE == 4       ? NAN
               : i % WIDE % 3 == 0   ? (float)rng_below(&g, 12)
                                     : (float)rng_normal(&g);
    }
    for (unsigned threads = 1; threads < 4; threads++) {
        const struct bins_source s = {fill_tall, x, TALL, WIDE};
        assert_ok(bins_make_columns(&s, EXPLAIN_BINS, threads, got));
        for (size_t k = 0; k < WIDE; k++) {
            for (size_t i = 0; i < TALL; i++) {
                v[i] = (double)x[i * WIDE + k];
            }
            assert_ok(bins_make(v, TALL, EXPLAIN_BINS, &one));
            assert_int_equal(got[k].count, one.count);
            assert_memory_equal(got[k].cut, one.cut, sizeof one.cut);
            assert_memory_equal(got[k].most, one.most, sizeof one.most);
        }
    }
    const struct bins_source broken = {fill_nothing, NULL, TALL, WIDE};
    assert_status(bins_make_columns(&broken, EXPLAIN_BINS, 2, got), MEMORY);
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(refuses_more_cells_than_are_allowed),
        cmocka_unit_test(sums_are_those_of_the_rows_in_any_blocks),
        cmocka_unit_test(every_row_is_in_one_bin_of_each_feature),
        cmocka_unit_test(pairs_count_both_halves),
        cmocka_unit_test(bins_of_columns_are_those_of_each_alone),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
