#include "testing/testing.h"

#include "assess/bias.h"
#include "num/poisson_bootstrap.h"
#include "num/rng.h"

#include <math.h>
#include <string.h>

#define CELLS_MAX 512u
#define REPLICATES 400u

static const struct bias_options plain = {.level = 0.95};
static const struct bias_options drawn = {.level = 0.95, .replicates = REPLICATES, .seed = 7};

static struct bias_facet
facet_of(const uint64_t *count, uint32_t strata, uint32_t groups, uint32_t d,
         const struct bias_options *o, uint64_t cells[static CELLS_MAX])
{
    DEFER(bias_facets_done) struct bias_facets facets = {0};
    struct bias_facet f;
    assert_ok(bias_facets_init(count, strata, groups, o, &facets));
    bias_facet_finish(&facets, d, cells, &f);
    return f;
}

static size_t
counts_of(const json_t *array, uint64_t *ret_count)
{
    size_t i = 0;
    json_t *v = NULL;
    assert_true(json_array_size(array) <= CELLS_MAX);
    json_array_foreach((json_t *)(uintptr_t)array, i, v)
    {
        ret_count[i] = (uint64_t)json_integer_value(v);
    }
    return i;
}

static double
number(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    assert_true(json_is_number(v));
    return json_number_value(v);
}

static json_t *
vectors(const char *key)
{
    DEFER(memory_freep) char *path = testing_source("tests/assess/data/bias.json");
    DEFER(js_freep) json_t *all = testing_read_json(path);
    return json_incref(json_object_get(all, key));
}

/* ---- limits ---- */

static void
a_side_without_rows_has_no_metric(void **state)
{
    (void)state;
    const uint64_t count[4] = {30, 20, 0, 0};
    uint64_t cells[CELLS_MAX];
    for (uint32_t d = 0; d < 2; d++) {
        const struct bias_facet f = facet_of(count, 1, 2, d, &drawn, cells);
        for (unsigned m = 0; m < BIAS_METRICS; m++) {
            assert_true(isnan(f.metric[m].value) && isnan(f.metric[m].ci.low));
        }
        assert_true(isnan(f.p_value));
    }
}

static void
an_outcome_that_never_changes_is_no_difference_and_no_conditional_disparity(void **state)
{
    (void)state;
    const uint64_t count[4] = {0, 20, 0, 5};
    uint64_t cells[CELLS_MAX];
    const struct bias_facet f = facet_of(count, 1, 2, 1, &drawn, cells);
    assert_near(f.metric[BIAS_DPL].value, 0, 0);
    assert_near(f.metric[BIAS_KL].value, 0, 0);
    assert_near(f.metric[BIAS_CI].value, 0.6, 1e-15);
    assert_true(isnan(f.metric[BIAS_CDDL].value) && isnan(f.metric[BIAS_CDDL].ci.low));
    assert_true(isnan(f.p_value));
}

/* Clarify drops the class: KL = -0.347, TVD = 0.25, for P_a = (1/2, 1/2) and P_d = (1, 0). */
static void
a_class_that_one_side_lacks_counts(void **state)
{
    (void)state;
    const uint64_t count[4] = {50, 50, 80, 0};
    uint64_t cells[CELLS_MAX];
    const struct bias_facet f = facet_of(count, 1, 2, 1, &drawn, cells);
    assert_true(isinf(f.metric[BIAS_KL].value) && f.metric[BIAS_KL].value > 0);
    assert_near(f.metric[BIAS_TVD].value, 0.5, 1e-15);
    assert_near(f.metric[BIAS_KS].value, 0.5, 1e-15);
    assert_near(f.metric[BIAS_LP].value, sqrt(0.5), 1e-15);
    const double js = (0.5 * log(0.5 / 0.75) + 0.5 * log(0.5 / 0.25) + log(1 / 0.75)) / 2;
    assert_near(f.metric[BIAS_JS].value, js, 1e-15);
    const struct bias_facet other = facet_of(count, 1, 2, 0, &drawn, cells);
    assert_near(other.metric[BIAS_KL].value, log(2), 1e-15);
}

static void
divergences_are_never_negative_and_vanish_only_between_equals(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 3, "bias");
    for (unsigned i = 0; i < 20000; i++) {
        uint64_t a[5], d[5], na = 0, nd = 0;
        double v[BIAS_METRICS];
        const uint32_t k = 2 + (uint32_t)rng_below(&r, 4);
        bool same = true;
        for (uint32_t y = 0; y < k; y++) {
            a[y] = rng_below(&r, 4);
            d[y] = rng_below(&r, 4);
            na += a[y];
            nd += d[y];
        }
        bias_divergences(a, d, k, v);
        for (uint32_t y = 0; y < k; y++) {
            same &= a[y] * nd == d[y] * na;
        }
        for (unsigned m = BIAS_KL; m <= BIAS_KS; m++) {
            assert_true(na == 0 || nd == 0 ? isnan(v[m]) : same ? v[m] < 1e-15 : v[m] > 1e-9);
        }
        if (na > 0 && nd > 0) {
            assert_true(v[BIAS_JS] <= log(2) + 1e-15 && v[BIAS_TVD] <= 1 + 1e-15);
            /* Pinsker's inequality, and the norms' order. */
            assert_true(v[BIAS_KL] >= 2 * v[BIAS_TVD] * v[BIAS_TVD] - 1e-12);
            assert_true(v[BIAS_KS] <= v[BIAS_LP] + 1e-15);
            assert_true(v[BIAS_LP] <= 2 * v[BIAS_TVD] + 1e-15);
        }
    }
}

static void
nothing_to_compare_within_strata_is_told(void **state)
{
    (void)state;
    /* Each stratum has one side only. */
    const uint64_t cells[8] = {10, 5, 0, 0, 0, 0, 7, 3};
    struct bias_adjusted a;
    bias_adjust(cells, 2, 0.95, &a);
    assert_int_equal(a.strata, 0);
    assert_int_equal(a.left_out, 25);
    assert_true(isnan(a.difference) && isnan(a.ci.low) && isnan(a.p_value));
    assert_near(a.crude, 5.0 / 15 - 3.0 / 10, 1e-15);
    assert_false(a.reversed);
}

static void
balance_without_rows_or_positives_is_undefined_or_infinite(void **state)
{
    (void)state;
    const uint64_t count[6] = {10, 0, 5, 5, 0, 0};
    struct bias_balance b;
    bias_balance_of(count, 3, 0, 0.95, &b);
    assert_true(isinf(b.pointwise_mutual_information) && b.pointwise_mutual_information < 0);
    assert_near(b.sorensen_dice, 0, 0);
    bias_balance_of(count, 3, 2, 0.95, &b);
    assert_true(isnan(b.positive_rate) && isnan(b.pointwise_mutual_information));
    assert_true(isnan(b.kendall_tau_b) && isnan(b.log_likelihood_ratio));
    struct bias_pair p;
    bias_pair_of(10, 0, 10, 0, 0.95, &p);
    assert_near(p.statistical_parity, 0, 0);
    assert_true(isnan(p.t) && isnan(p.p_value));
    bias_pair_of(0, 0, 10, 3, 0.95, &p);
    assert_true(isnan(p.statistical_parity) && isnan(p.ci.low));
}

static void
a_group_outside_the_reference_makes_the_fit_impossible(void **state)
{
    (void)state;
    const uint64_t count[3] = {10, 10, 1};
    const double reference[3] = {0.5, 0.5, 0};
    static double values[BIAS_DISTANCES * REPLICATES];
    uint64_t draw[3];
    struct bias_distribution d;
    bias_distribution_of(count, reference, 3, false, &drawn, draw, values, &d);
    assert_true(isinf(d.distance[BIAS_KL_DIVERGENCE].value) && isinf(d.chi_square));
    assert_near(d.p_value, 0, 0);
    assert_near(d.distance[BIAS_TOTAL_VARIATION].value, 1.0 / 21, 1e-15);
    assert_near(d.distance[BIAS_WASSERSTEIN].value, 1.0 / 21, 1e-15);
    const uint64_t nobody[3] = {0, 0, 0};
    bias_distribution_of(nobody, reference, 3, false, &plain, draw, values, &d);
    assert_true(isnan(d.distance[BIAS_KL_DIVERGENCE].value) && isnan(d.p_value));
}

static void
empty_combinations_are_left_out_or_make_inequality_whole(void **state)
{
    (void)state;
    const uint64_t count[4] = {5, 5, 0, 5};
    struct bias_aggregate a;
    bias_aggregate_of(count, 4, false, &a);
    assert_near(a.atkinson, 0, 1e-15);
    assert_near(a.theil_t, 0, 1e-15);
    bias_aggregate_of(count, 4, true, &a);
    assert_near(a.atkinson, 1, 0);
    assert_true(isinf(a.theil_l));
    assert_near(a.theil_t, log(4.0 / 3), 1e-15);
    const uint64_t none[2] = {0, 0};
    bias_aggregate_of(none, 2, true, &a);
    assert_true(isnan(a.atkinson) && isnan(a.theil_l) && isnan(a.theil_t));
}

/* ---- other implementations ---- */

static void
facets_agree_with_clarify_scipy_and_statsmodels(void **state)
{
    (void)state;
    DEFER(js_freep) json_t *all = vectors("facets");
    size_t i = 0;
    json_t *v = NULL;
    json_array_foreach(all, i, v)
    {
        uint64_t count[CELLS_MAX], cells[CELLS_MAX];
        const uint32_t strata = (uint32_t)number(v, "strata"),
                       groups = (uint32_t)number(v, "groups");
        (void)counts_of(json_object_get(v, "count"), count);
        const struct bias_facet f =
            facet_of(count, strata, groups, (uint32_t)number(v, "d"), &drawn, cells);
        for (unsigned m = 0; m < BIAS_METRICS; m++) {
            const char *word = bias_metric_word(m);
            const double value = f.metric[m].value;
            assert_near(value, number(json_object_get(v, "metrics"), word), 1e-13);
            assert_string_equal(bias_metric_title(m), json_string_value(json_object_get(
                                                          json_object_get(v, "titles"), word)));
            /* JS and KL of the bootstrap lean upwards near zero: their low end may pass the value.
             */
            assert_true(f.metric[m].ci.low <= value || m == BIAS_KL || m == BIAS_JS);
            assert_true(f.metric[m].ci.high >= value);
        }
        assert_near(f.p_value / number(v, "p_value"), 1, 1e-9);
        struct bias_adjusted a;
        bias_adjust(cells, strata, 0.95, &a);
        assert_near(a.statistic, number(v, "cmh"), 1e-9);
        assert_near(a.p_value, number(v, "cmh_p"), 1e-14); /* theirs is 1 - cdf */
        assert_near(a.difference, number(v, "difference"), 1e-13);
        assert_near(a.ci.low, number(v, "low"), 1e-12);
        assert_near(a.ci.high, number(v, "high"), 1e-12);
    }
    assert_true(i >= 11);
}

/* Microsoft's Sorensen-Dice lacks the factor 2 and its t is not Student's; scikit-learn's F1 and
 * SciPy's Welch test say what they are. */
static void
balance_agrees_with_scikit_learn_and_scipy(void **state)
{
    (void)state;
    DEFER(js_freep) json_t *all = vectors("balance");
    size_t i = 0, k = 0;
    json_t *v = NULL, *e = NULL;
    json_array_foreach(all, i, v)
    {
        uint64_t count[CELLS_MAX];
        (void)counts_of(json_object_get(v, "count"), count);
        json_array_foreach(json_object_get(v, "each"), k, e)
        {
            struct bias_balance b;
            bias_balance_of(count, (uint32_t)number(v, "groups"), (uint32_t)k, 0.95, &b);
            assert_near(b.positive_rate, number(e, "positive_rate"), 1e-14);
            assert_near(b.pointwise_mutual_information, number(e, "pmi"), 1e-13);
            assert_near(b.sorensen_dice, number(e, "dice"), 1e-14);
            assert_near(b.jaccard, number(e, "jaccard"), 1e-14);
            assert_near(b.kendall_tau_b, number(e, "tau"), 1e-13);
            assert_near(b.log_likelihood_ratio, number(e, "llr"), 1e-13);
        }
        json_array_foreach(json_object_get(v, "pairs"), k, e)
        {
            const size_t a = (size_t)number(e, "a") * 2, b = (size_t)number(e, "b") * 2;
            struct bias_pair p;
            bias_pair_of(count[a] + count[a + 1], count[a + 1], count[b] + count[b + 1],
                         count[b + 1], 0.95, &p);
            assert_near(p.t, number(e, "t"), 1e-11);
            assert_near(p.df, number(e, "df"), 1e-8);
            assert_near(p.p_value / number(e, "p"), 1, 1e-9);
            assert_true(p.ci.low <= p.statistical_parity && p.statistical_parity <= p.ci.high);
        }
    }
    assert_int_equal(i, 2);
}

static void
distances_agree_with_scipy(void **state)
{
    (void)state;
    DEFER(js_freep) json_t *all = vectors("distributions");
    size_t i = 0, j = 0;
    json_t *v = NULL, *q = NULL;
    json_array_foreach(all, i, v)
    {
        uint64_t count[CELLS_MAX], draw[CELLS_MAX];
        double reference[CELLS_MAX];
        const uint32_t k = (uint32_t)counts_of(json_object_get(v, "count"), count);
        json_array_foreach(json_object_get(v, "reference"), j, q)
        {
            reference[j] = json_number_value(q);
        }
        for (unsigned ordered = 0; ordered < 2; ordered++) {
            struct bias_distribution d;
            bias_distribution_of(count, reference, k, ordered == 1, &plain, draw, NULL, &d);
            for (unsigned m = 0; m < BIAS_DISTANCES; m++) {
                const char *key = m != BIAS_WASSERSTEIN ? bias_distance_word(m)
                                  : ordered == 1        ? "wasserstein_ordered"
                                                        : "total_variation_distance";
                assert_near(d.distance[m].value, number(v, key), 1e-13);
            }
            assert_near(d.chi_square, number(v, "chi_square"), 1e-9);
            assert_near(d.p_value / number(v, "p_value"), 1, 1e-8);
        }
    }
    assert_int_equal(i, 6);
}

/* ---- laws ---- */

/* Berkeley's admissions of 1973 (Bickel et al., Science 187, 1975), the six largest departments:
 * women are admitted less often over all, and not so within departments. */
static void
simpsons_paradox_is_seen(void **state)
{
    (void)state;
    /* men refused, men admitted, women refused, women admitted */
    const uint64_t cells[24] = {313, 512, 19,  89,  207, 353, 8,   17, 205, 120, 391, 202,
                                279, 138, 244, 131, 138, 53,  299, 94, 351, 22,  317, 24};
    struct bias_adjusted a;
    bias_adjust(cells, 6, 0.95, &a);
    assert_near(a.crude, 1198.0 / 2691 - 557.0 / 1835, 1e-12);
    assert_true(a.difference < 0 && a.reversed);
    assert_int_equal(a.strata, 6);
    assert_near(a.statistic, 1.5246,
                5e-4); /* R's mantelhaen.test(UCBAdmissions, correct = FALSE) */
}

static void
the_order_of_groups_and_strata_changes_nothing(void **state)
{
    (void)state;
    const uint64_t count[12] = {10, 4, 20, 9, 7, 7, 3, 8, 30, 2, 5, 6};
    uint64_t turned[12], cells[CELLS_MAX];
    for (size_t s = 0; s < 2; s++) {
        for (size_t g = 0; g < 3; g++) {
            memcpy(turned + ((1 - s) * 3 + (2 - g)) * 2, count + (s * 3 + g) * 2,
                   2 * sizeof *count);
        }
    }
    for (uint32_t d = 0; d < 3; d++) {
        const struct bias_facet f = facet_of(count, 2, 3, d, &plain, cells);
        const struct bias_facet t = facet_of(turned, 2, 3, 2 - d, &plain, cells);
        for (unsigned m = 0; m < BIAS_METRICS; m++) {
            assert_near(f.metric[m].value, t.metric[m].value, 1e-15);
        }
    }
}

/* The bootstrap's 95 % interval of JS covers the truth about that often, away from zero. */
static void
intervals_cover_as_often_as_they_say(void **state)
{
    (void)state;
    const double p[4] = {0.40, 0.20, 0.15, 0.25};
    const double q[2] = {0.2 / 0.6, 0.25 / 0.4};
    double truth[BIAS_METRICS];
    const uint64_t exact[4] = {40, 20, 15, 25};
    bias_divergences(exact, exact + 2, 2, truth);
    truth[BIAS_DPL] = q[0] - q[1];
    unsigned covered[BIAS_METRICS] = {0};
    const unsigned tries = 400;
    for (unsigned t = 0; t < tries; t++) {
        uint64_t count[4], cells[CELLS_MAX];
        for (unsigned k = 0; k < 4; k++) {
            count[k] = poisson_bootstrap_count(99, t, k, (uint64_t)(p[k] * 800));
        }
        const struct bias_facet f = facet_of(count, 1, 2, 1, &drawn, cells);
        for (unsigned m = BIAS_DPL; m <= BIAS_KS; m++) {
            covered[m] += f.metric[m].ci.low <= truth[m] && truth[m] <= f.metric[m].ci.high;
        }
    }
    for (unsigned m = BIAS_DPL; m <= BIAS_KS; m++) {
        /* 380 of 400 expected, standard deviation 4.4. */
        assert_true(covered[m] >= 362 && covered[m] <= 396);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_side_without_rows_has_no_metric),
        cmocka_unit_test(
            an_outcome_that_never_changes_is_no_difference_and_no_conditional_disparity),
        cmocka_unit_test(a_class_that_one_side_lacks_counts),
        cmocka_unit_test(divergences_are_never_negative_and_vanish_only_between_equals),
        cmocka_unit_test(nothing_to_compare_within_strata_is_told),
        cmocka_unit_test(balance_without_rows_or_positives_is_undefined_or_infinite),
        cmocka_unit_test(a_group_outside_the_reference_makes_the_fit_impossible),
        cmocka_unit_test(empty_combinations_are_left_out_or_make_inequality_whole),
        cmocka_unit_test(facets_agree_with_clarify_scipy_and_statsmodels),
        cmocka_unit_test(balance_agrees_with_scikit_learn_and_scipy),
        cmocka_unit_test(distances_agree_with_scipy),
        cmocka_unit_test(simpsons_paradox_is_seen),
        cmocka_unit_test(the_order_of_groups_and_strata_changes_nothing),
        cmocka_unit_test(intervals_cover_as_often_as_they_say),
    };
    return cmocka_run_group_tests_name("assess/bias", tests, NULL, NULL);
}
