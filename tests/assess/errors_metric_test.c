#include "testing/testing.h"

#include "assess/calibration.h"
#include "assess/errors.h"
#include "assess/errors_metric.h"
#include "num/rng.h"

#include <math.h>
#include <stdlib.h>

#define ROWS_MAX 2000u

struct data {
    uint32_t label[ROWS_MAX], decision[ROWS_MAX];
    double truth[ROWS_MAX], prediction[ROWS_MAX], score[ROWS_MAX], error[ROWS_MAX];
    uint8_t y[ROWS_MAX];
};

static struct errors_outcome
decisions(const struct data *d, size_t rows, uint32_t classes)
{
    return (struct errors_outcome){.kind = classes == 2 ? ERRORS_BINARY : ERRORS_CLASSES,
                                   .rows = rows,
                                   .classes = classes,
                                   .label = d->label,
                                   .decision = d->decision};
}

static size_t
read_numbers(const json_t *o, const char *key, double *ret)
{
    size_t i = 0;
    json_t *item = NULL;
    json_array_foreach(json_object_get(o, key), i, item)
    {
        assert_true(i < ROWS_MAX);
        ret[i] = json_number_value(item);
    }
    return i;
}

static size_t
read_codes(const json_t *o, const char *key, uint32_t *ret)
{
    static double x[ROWS_MAX];
    const size_t n = read_numbers(o, key, x);
    for (size_t i = 0; i < n; i++) {
        ret[i] = (uint32_t)x[i];
    }
    return n;
}

static json_t *
vectors(void)
{
    DEFER(memory_freep) char *path = testing_source("tests/assess/data/errors.json");
    return testing_read_json(path);
}

/* ---- misuse and limits ---- */

static void
a_figure_without_a_denominator_is_not_a_number(void **state)
{
    (void)state;
    static struct data d;
    struct errors_value v[ERRORS_METRICS];
    struct errors_outcome o = decisions(&d, 3, 2); /* three true negatives */
    assert_ok(errors_metrics_of(&o, NULL, 3, 0.95, v));
    assert_near(v[ERRORS_ACCURACY].value, 1, 0);
    assert_true(isnan(v[ERRORS_PRECISION].value) && isnan(v[ERRORS_RECALL].value));
    assert_true(isnan(v[ERRORS_F1].value) && isnan(v[ERRORS_FNR].value));
    assert_near(v[ERRORS_FPR].value, 0, 0);
    assert_true(isnan(v[ERRORS_MAE].value));
    assert_ok(errors_metrics_of(&o, NULL, 0, 0.95, v));
    assert_true(isnan(v[ERRORS_RATE].value) && isnan(v[ERRORS_MACRO_F1].value));
    o = (struct errors_outcome){
        .kind = ERRORS_NUMERIC, .rows = 2, .truth = d.truth, .prediction = d.prediction};
    d.prediction[0] = d.prediction[1] = 3;
    assert_ok(errors_metrics_of(&o, NULL, 2, 0.95, v));
    assert_true(isnan(v[ERRORS_R2].value)); /* the truth does not vary */
    assert_near(v[ERRORS_MAE].value, 3, 0);
    assert_ok(errors_metrics_of(&o, NULL, 1, 0.95, v));
    assert_true(isnan(v[ERRORS_MAE].ci.high)); /* one row has no spread */
    assert_ok(errors_metrics_of(&o, NULL, 0, 0.95, v));
    assert_true(isnan(v[ERRORS_MAE].value) && isnan(v[ERRORS_MEDIAN_AE].value));
}

static void
a_metric_of_another_kind_is_not_known(void **state)
{
    (void)state;
    enum errors_metric m = ERRORS_RATE;
    assert_false(errors_metric_from_word("mean_squared_error", ERRORS_BINARY, &m));
    assert_false(errors_metric_from_word("recall_score", ERRORS_CLASSES, &m));
    assert_false(errors_metric_from_word("recal_score", ERRORS_BINARY, &m));
    assert_true(errors_metric_from_word("recall_score", ERRORS_BINARY, &m));
    assert_int_equal(m, ERRORS_RECALL);
}

static void
calibration_refuses_what_is_no_probability(void **state)
{
    (void)state;
    static struct data d;
    static struct calibration c;
    const double bad[] = {-0.01, 1.01, NAN};
    for (size_t i = 0; i < 3; i++) {
        d.score[4] = bad[i];
        assert_status(calibration_of(d.y, d.score, 10, 8, true, 0.95, 1, &c), INPUT);
    }
    d.score[4] = 0;
    assert_status(calibration_of(d.y, d.score, 0, 8, true, 0.95, 1, &c), INPUT);
    assert_status(calibration_of(d.y, d.score, 10, 0, true, 0.95, 1, &c), LIMIT);
    assert_status(calibration_of(d.y, d.score, 10, CALIBRATION_MAX_BINS + 1, true, 0.95, 1, &c),
                  LIMIT);
    d.y[3] = 2;
    assert_status(calibration_of(d.y, d.score, 10, 8, true, 0.95, 1, &c), INPUT);
}

/* ---- what Microsoft's error analysis has wrong ---- */

/* Its rates unpack scikit-learn's (TN, FP, FN, TP) as (TP, FP, FN, TN) and give 0.5, 0.333 and 0.6
 * here. */
static void
rates_are_of_the_right_rows(void **state)
{
    (void)state;
    static struct data d = {.label = {1, 1, 0, 0, 0}, .decision = {1, 0, 0, 0, 1}};
    struct errors_value v[ERRORS_METRICS];
    const struct errors_outcome o = decisions(&d, 5, 2);
    assert_ok(errors_metrics_of(&o, NULL, 5, 0.95, v));
    assert_near(v[ERRORS_FPR].value, 1.0 / 3, 1e-15);
    assert_near(v[ERRORS_FNR].value, 0.5, 0);
    assert_near(v[ERRORS_SELECTION_RATE].value, 0.4, 0);
}

/* Its root calls metric(prediction, truth), which exchanges precision and recall; its scorecard's
 * matrix exchanges false positives and negatives. */
static void
truth_comes_first(void **state)
{
    (void)state;
    static struct data d = {.label = {1, 1, 1, 0, 0}, .decision = {1, 0, 0, 0, 0}};
    struct errors_value v[ERRORS_METRICS];
    uint64_t counts[4] = {0};
    const struct errors_outcome o = decisions(&d, 5, 2);
    assert_ok(errors_metrics_of(&o, NULL, 5, 0.95, v));
    assert_near(v[ERRORS_PRECISION].value, 1, 0);
    assert_near(v[ERRORS_RECALL].value, 1.0 / 3, 1e-15);
    errors_confusion(&o, NULL, 5, counts);
    assert_int_equal(counts[0 * 2 + 1], 0); /* false positives */
    assert_int_equal(counts[1 * 2 + 0], 2); /* false negatives */
}

/* Its tree for numbers grows on the signed difference, whose mean over these rows is 0. */
static void
errors_in_both_directions_do_not_cancel_out(void **state)
{
    (void)state;
    static struct data d;
    static double x[200], loss[200];
    static struct errors_tree t;
    for (size_t i = 0; i < 200; i++) {
        x[i] = (double)(i % 2);
        d.truth[i] = 10;
        d.prediction[i] = i % 2 == 0 ? 10.1 : i % 4 == 1 ? 15 : 5;
    }
    const struct errors_outcome o = {
        .kind = ERRORS_NUMERIC, .rows = 200, .truth = d.truth, .prediction = d.prediction};
    const struct errors_feature f = {x, 0};
    const struct errors_tree_options options = {1, 2, 20};
    errors_loss(&o, loss);
    assert_ok(errors_tree_grow(&f, 1, loss, 200, &options, &t));
    assert_int_equal(t.nodes, 3);
    assert_near(t.node[2].error_rate, 5, 1e-12);
    assert_near(t.node[2].coverage, 500 / 510.0, 1e-9);
}

/* ---- scikit-learn ---- */

static void
check_metrics(const struct errors_outcome *o, const json_t *expected)
{
    struct errors_value v[ERRORS_METRICS];
    const char *word = NULL;
    json_t *value = NULL;
    assert_ok(errors_metrics_of(o, NULL, o->rows, 0.95, v));
    json_object_foreach(json_object_get(expected, "metrics"), word, value)
    {
        enum errors_metric m = ERRORS_METRICS;
        assert_true(errors_metric_from_word(word, o->kind, &m));
        assert_near(v[m].value, json_number_value(value), 1e-9 * fmax(1, fabs(v[m].value)));
        assert_true(isnan(v[m].ci.low) ||
                    (v[m].ci.low <= v[m].value && v[m].value <= v[m].ci.high));
    }
    if (o->kind == ERRORS_NUMERIC) {
        return;
    }
    uint64_t counts[16] = {0};
    errors_confusion(o, NULL, o->rows, counts);
    for (size_t i = 0; i < (size_t)o->classes * o->classes; i++) {
        assert_int_equal(
            counts[i], json_integer_value(json_array_get(json_object_get(expected, "counts"), i)));
    }
}

static void
metrics_are_those_of_scikit_learn(void **state)
{
    (void)state;
    static struct data d;
    DEFER(js_freep) json_t *all = vectors();
    size_t i = 0;
    json_t *c = NULL;
    json_array_foreach(json_object_get(all, "binary"), i, c)
    {
        const size_t n = read_codes(c, "label", d.label);
        assert_int_equal(read_codes(c, "decision", d.decision), n);
        const struct errors_outcome o = decisions(&d, n, 2);
        check_metrics(&o, c);
    }
    json_array_foreach(json_object_get(all, "classes"), i, c)
    {
        const size_t n = read_codes(c, "label", d.label);
        assert_int_equal(read_codes(c, "decision", d.decision), n);
        const struct errors_outcome o = decisions(&d, n, 4);
        check_metrics(&o, c);
    }
    json_array_foreach(json_object_get(all, "numbers"), i, c)
    {
        const size_t n = read_numbers(c, "truth", d.truth);
        assert_int_equal(read_numbers(c, "prediction", d.prediction), n);
        const struct errors_outcome o = {
            .kind = ERRORS_NUMERIC, .rows = n, .truth = d.truth, .prediction = d.prediction};
        check_metrics(&o, c);
    }
}

static void
check_curve(const struct data *d, size_t n, bool equal_width, const json_t *expected)
{
    static struct calibration c;
    const json_t *observed = json_object_get(expected, "observed"),
                 *mean = json_object_get(expected, "mean");
    assert_ok(calibration_of(d->y, d->score, n, 8, equal_width, 0.95, 1, &c));
    assert_int_equal(c.bins, json_array_size(observed));
    uint64_t rows = 0;
    for (uint32_t b = 0; b < c.bins; b++) {
        assert_near(c.bin[b].observed, json_number_value(json_array_get(observed, b)), 1e-12);
        assert_near(c.bin[b].mean_score, json_number_value(json_array_get(mean, b)), 1e-12);
        rows += c.bin[b].rows;
    }
    assert_int_equal(rows, n);
}

static void
calibration_curves_are_those_of_scikit_learn(void **state)
{
    (void)state;
    static struct data d;
    DEFER(js_freep) json_t *all = vectors();
    size_t i = 0;
    json_t *c = NULL;
    json_array_foreach(json_object_get(all, "binary"), i, c)
    {
        const size_t n = read_numbers(c, "score", d.score);
        (void)read_codes(c, "label", d.label);
        for (size_t k = 0; k < n; k++) {
            d.y[k] = (uint8_t)d.label[k];
        }
        const json_t *curves = json_object_get(c, "calibration");
        check_curve(&d, n, true, json_object_get(curves, "uniform"));
        check_curve(&d, n, false, json_object_get(curves, "quantile"));
    }
}

static void
mutual_information_is_that_of_scikit_learn(void **state)
{
    (void)state;
    static struct data d;
    DEFER(js_freep) json_t *all = vectors();
    size_t i = 0;
    json_t *c = NULL;
    json_array_foreach(json_object_get(all, "mutual"), i, c)
    {
        struct errors_mutual m;
        const size_t n = read_numbers(c, "x", d.truth);
        (void)read_numbers(c, "error", d.error);
        const struct errors_feature f = {d.truth, 0};
        assert_ok(errors_mutual_of(&f, 1, d.error, n, &m));
        assert_near(m.mutual_information,
                    json_number_value(json_object_get(c, "mutual_information")), 1e-12);
        assert_true(m.corrected < m.mutual_information && m.p < 1);
    }
}

/* ---- laws ---- */

/* Without any relation the plug-in value is not 0, which the correction takes off on the average,
 * and one feature in twenty passes the noise level. */
static void
unrelated_features_stay_under_the_noise_level(void **state)
{
    (void)state;
    enum { TABLES = 400, ROWS = 500 };
    static struct data d;
    struct rng g;
    rng_init(&g, 3, "mutual");
    unsigned over = 0, small = 0;
    double plain = 0, noise = 0;
    for (unsigned t = 0; t < TABLES; t++) {
        struct errors_mutual m;
        for (size_t i = 0; i < ROWS; i++) {
            d.truth[i] = rng_below(&g, 10) == 0 ? NAN : rng_normal(&g);
            d.error[i] = rng_unit(&g) < 0.2;
        }
        const struct errors_feature f = {d.truth, 0};
        assert_ok(errors_mutual_of(&f, 1, d.error, ROWS, &m));
        over += m.mutual_information > m.noise;
        small += m.p < 0.05;
        plain += m.mutual_information / TABLES;
        noise = m.noise;
    }
    assert_true(over >= 8 && over <= 40); /* 20 expected */
    assert_int_equal(over, small);
    assert_near(plain, 16.0 / (2 * ROWS), 0.003); /* (17 - 1) (2 - 1) / 2 n */
    assert_true(noise > plain);
}

/* The interval holds the true error of calibration: 0 where the label follows the score, and where
 * it does not, what is known from the making. */
static void
intervals_of_the_calibration_error_hold_it(void **state)
{
    (void)state;
    enum { TABLES = 300, ROWS = 2000 };
    static struct data d;
    static struct calibration c;
    struct rng g;
    rng_init(&g, 4, "calibration");
    unsigned held[2] = {0};
    double ece = 0, noise = 0;
    for (unsigned t = 0; t < TABLES; t++) {
        const bool off = t % 2 == 1;
        for (size_t i = 0; i < ROWS; i++) {
            d.score[i] = 0.3 + 0.4 * rng_unit(&g);
            d.y[i] = rng_unit(&g) < d.score[i] + (off ? 0.1 : 0);
        }
        assert_ok(calibration_of(d.y, d.score, ROWS, 10, false, 0.95, t, &c));
        const double truth = off ? 0.1 : 0;
        held[off] += c.ece_ci.low <= truth && truth <= c.ece_ci.high;
        ece += off ? 0 : c.ece / (TABLES / 2);
        noise = c.ece_noise;
    }
    assert_true(held[1] >= 133); /* 95 % of 150 is 142.5 */
    assert_true(held[0] >= 133);
    assert_near(ece / noise, 1, 0.1);
}

static void
rows_of_a_list_count_as_those_rows_alone(void **state)
{
    (void)state;
    static struct data d, part;
    static uint32_t row[ROWS_MAX];
    struct rng g;
    rng_init(&g, 5, "rows");
    size_t n = 0;
    for (size_t i = 0; i < 600; i++) {
        d.label[i] = (uint32_t)rng_below(&g, 4);
        d.decision[i] = (uint32_t)rng_below(&g, 4);
        if (rng_below(&g, 3) == 0) {
            part.label[n] = d.label[i];
            part.decision[n] = d.decision[i];
            row[n++] = (uint32_t)i;
        }
    }
    struct errors_value a[ERRORS_METRICS], b[ERRORS_METRICS];
    const struct errors_outcome of_all = decisions(&d, 600, 4), of_part = decisions(&part, n, 4);
    assert_ok(errors_metrics_of(&of_all, row, n, 0.95, a));
    assert_ok(errors_metrics_of(&of_part, NULL, n, 0.95, b));
    for (int m = 0; m < ERRORS_METRICS; m++) {
        assert_near(a[m].value, b[m].value, 0);
    }
}

/* ---- coverage ---- */

static double
cover(const struct errors_value *v, double truth)
{
    return v->ci.low <= truth && truth <= v->ci.high;
}

static void
intervals_of_averages_over_classes_cover(void **state)
{
    (void)state;
    enum { TIMES = 1000, N = 200 };
    static const double share[9] = {0.3, 0.08, 0.02, 0.05, 0.2, 0.05, 0.02, 0.06, 0.22};
    static struct data d;
    struct errors_value v[ERRORS_METRICS];
    struct rng g;
    double truth[3] = {0}, hit[3] = {0};
    rng_init(&g, 61, "coverage");
    for (int k = 0; k < 3; k++) {
        const double is = share[3 * k] + share[3 * k + 1] + share[3 * k + 2],
                     said = share[k] + share[3 + k] + share[6 + k], both = share[4 * k];
        truth[0] += both / said / 3;
        truth[1] += both / is / 3;
        truth[2] += 2 * both / (is + said) / 3;
    }
    for (int i = 0; i < TIMES; i++) {
        for (int n = 0; n < N; n++) {
            double u = rng_unit(&g);
            uint32_t k = 0;
            while (k < 8 && u >= share[k]) {
                u -= share[k++];
            }
            d.label[n] = k / 3;
            d.decision[n] = k % 3;
        }
        const struct errors_outcome o = decisions(&d, N, 3);
        assert_ok(errors_metrics_of(&o, NULL, N, 0.95, v));
        for (int a = 0; a < 3; a++) {
            hit[a] += cover(&v[ERRORS_MACRO_PRECISION + a], truth[a]);
        }
    }
    for (int a = 0; a < 3; a++) {
        assert_near(hit[a] / TIMES, 0.95, 4 * sqrt(0.95 * 0.05 / TIMES));
    }
}

/* The median of |N(0, 1)| is 0.6745; R2 is 1 - 1 / 5. */
static void
intervals_of_medians_means_and_r2_cover(void **state)
{
    (void)state;
    enum { TIMES = 1000 };
    static const size_t sizes[3] = {12, 90, 1200};
    static struct data d;
    struct errors_value v[ERRORS_METRICS];
    struct rng g;
    rng_init(&g, 62, "coverage");
    for (int s = 0; s < 3; s++) {
        double median = 0, mean = 0, r2 = 0;
        for (int i = 0; i < TIMES; i++) {
            for (size_t n = 0; n < sizes[s]; n++) {
                d.truth[n] = rng_normal(&g) * sqrt(5);
                d.prediction[n] = d.truth[n] + rng_normal(&g);
            }
            const struct errors_outcome o = {.kind = ERRORS_NUMERIC,
                                             .rows = sizes[s],
                                             .truth = d.truth,
                                             .prediction = d.prediction};
            assert_ok(errors_metrics_of(&o, NULL, sizes[s], 0.95, v));
            median += cover(&v[ERRORS_MEDIAN_AE], 0.674489750196);
            mean += cover(&v[ERRORS_MEAN_ERROR], 0);
            r2 += cover(&v[ERRORS_R2], 0.8);
        }
        const double error = 4 * sqrt(0.95 * 0.05 / TIMES);
        assert_true(median / TIMES >= 0.95 - error);
        assert_near(mean / TIMES, 0.95, error);
        assert_true(s == 0 || fabs(r2 / TIMES - 0.95) <= error + 0.01);
    }
}

static void
five_values_have_no_interval_of_their_median(void **state)
{
    (void)state;
    static struct data d = {.prediction = {1, 2, 3, 4, 5, 6}};
    struct errors_value v[ERRORS_METRICS];
    struct errors_outcome o = {
        .kind = ERRORS_NUMERIC, .rows = 5, .truth = d.truth, .prediction = d.prediction};
    assert_ok(errors_metrics_of(&o, NULL, 5, 0.95, v));
    assert_true(isnan(v[ERRORS_MEDIAN_AE].ci.low)); /* all on one side: 2/32 */
    o.rows = 6;
    assert_ok(errors_metrics_of(&o, NULL, 6, 0.95, v));
    assert_near(v[ERRORS_MEDIAN_AE].ci.low, 1, 0); /* 2/64 */
    assert_near(v[ERRORS_MEDIAN_AE].ci.high, 6, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_figure_without_a_denominator_is_not_a_number),
        cmocka_unit_test(a_metric_of_another_kind_is_not_known),
        cmocka_unit_test(calibration_refuses_what_is_no_probability),
        cmocka_unit_test(five_values_have_no_interval_of_their_median),
        cmocka_unit_test(intervals_of_averages_over_classes_cover),
        cmocka_unit_test(intervals_of_medians_means_and_r2_cover),
        cmocka_unit_test(rates_are_of_the_right_rows),
        cmocka_unit_test(truth_comes_first),
        cmocka_unit_test(errors_in_both_directions_do_not_cancel_out),
        cmocka_unit_test(metrics_are_those_of_scikit_learn),
        cmocka_unit_test(calibration_curves_are_those_of_scikit_learn),
        cmocka_unit_test(mutual_information_is_that_of_scikit_learn),
        cmocka_unit_test(unrelated_features_stay_under_the_noise_level),
        cmocka_unit_test(intervals_of_the_calibration_error_hold_it),
        cmocka_unit_test(rows_of_a_list_count_as_those_rows_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
