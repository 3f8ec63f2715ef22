#include "testing/testing.h"

#include "assess/performance.h"
#include "num/rng.h"

#include <math.h>
#include <string.h>

#define ROWS_MAX 1000u

static void
refuses_what_is_no_probability_and_no_label(void **state)
{
    (void)state;
    const double bad[] = {-0.1, 1.0000001, NAN, INFINITY};
    struct performance p = {.rows = 77};
    uint8_t y[2] = {0, 1};
    for (size_t i = 0; i < 4; i++) {
        const double score[2] = {0.5, bad[i]};
        assert_status(performance_binary(y, score, 2, 0.5, 0.95, &p), INPUT);
    }
    const double score[2] = {0.1, 0.9};
    assert_status(performance_binary(y, score, 0, 0.5, 0.95, &p), INPUT);
    assert_status(performance_binary(y, score, 2, NAN, 0.95, &p), INPUT);
    y[0] = 2;
    assert_status(performance_binary(y, score, 2, 0.5, 0.95, &p), INPUT);
    assert_int_equal(p.rows, 77);
}

static void
one_class_has_no_ranking(void **state)
{
    (void)state;
    const uint8_t y[3] = {0, 0, 0};
    const double score[3] = {0.1, 0.6, 0.3};
    struct performance p;
    assert_ok(performance_binary(y, score, 3, 0.5, 0.95, &p));
    assert_true(isnan(p.roc_auc) && isnan(p.average_precision) && isnan(p.recall.value));
    assert_near(p.roc_auc_ci.low, 0, 0);
    assert_near(p.roc_auc_ci.high, 1, 0);
    assert_true(isnan(p.curve[50].tpr));
    assert_near(p.accuracy.value, 2.0 / 3.0, 1e-15);
    assert_near(p.f1, 0, 0);
}

static void
one_positive_has_an_auc_without_an_interval(void **state)
{
    (void)state;
    const uint8_t y[3] = {0, 1, 0};
    const double score[3] = {0.1, 0.6, 0.7};
    struct performance p;
    assert_ok(performance_binary(y, score, 3, 0.5, 0.95, &p));
    assert_near(p.roc_auc, 0.5, 0);
    assert_near(p.roc_auc_ci.low, 0, 0);
    assert_near(p.roc_auc_ci.high, 1, 0);
}

static void
the_threshold_itself_decides_positive(void **state)
{
    (void)state;
    const uint8_t y[2] = {0, 1};
    const double score[2] = {0.3, 0.3};
    struct performance p;
    assert_ok(performance_binary(y, score, 2, 0.3, 0.95, &p));
    assert_int_equal(p.counts.tp, 1);
    assert_int_equal(p.counts.fp, 1);
    assert_near(p.roc_auc, 0.5, 0);
}

static void
losses_of_certain_mistakes_are_finite(void **state)
{
    (void)state;
    const uint8_t y[2] = {0, 1};
    const double score[2] = {1.0, 0.0};
    struct performance p;
    assert_ok(performance_binary(y, score, 2, 0.5, 0.95, &p));
    assert_true(isfinite(p.log_loss) && p.log_loss > 30);
    assert_near(p.brier, 1, 0);
    assert_near(p.roc_auc, 0, 0);
}

/* ---- laws ---- */

static void
random_scores(uint64_t seed, size_t rows, uint8_t *y, double *score)
{
    struct rng g;
    rng_init(&g, seed, "performance");
    for (size_t i = 0; i < rows; i++) {
        y[i] = rng_below(&g, 3) == 0;
        score[i] = floor(20 * rng_unit(&g)) / 20;
    }
}

static void
the_auc_is_the_share_of_pairs_in_order(void **state)
{
    (void)state;
    uint8_t y[ROWS_MAX];
    double score[ROWS_MAX], pairs = 0, in_order = 0;
    struct performance p;
    random_scores(1, ROWS_MAX, y, score);
    for (size_t i = 0; i < ROWS_MAX; i++) {
        for (size_t k = 0; k < ROWS_MAX; k++) {
            if (y[i] == 1 && y[k] == 0) {
                pairs++;
                in_order += score[i] > score[k] ? 1 : score[i] < score[k] ? 0 : 0.5;
            }
        }
    }
    assert_ok(performance_binary(y, score, ROWS_MAX, 0.5, 0.95, &p));
    assert_near(p.roc_auc, in_order / pairs, 1e-14);
}

static void
the_bins_hold_every_row_once_and_equal_scores_together(void **state)
{
    (void)state;
    uint8_t y[ROWS_MAX];
    double score[ROWS_MAX], before = -1;
    struct performance p;
    random_scores(2, ROWS_MAX, y, score);
    assert_ok(performance_binary(y, score, ROWS_MAX, 0.5, 0.95, &p));
    uint64_t rows = 0;
    double positives = 0;
    for (uint32_t b = 0; b < p.bins; b++) {
        rows += p.bin[b].n;
        positives += p.bin[b].observed * (double)p.bin[b].n;
        assert_true(p.bin[b].mean_score > before);
        before = p.bin[b].mean_score;
    }
    assert_int_equal(rows, ROWS_MAX);
    assert_near(positives, (double)p.positives, 1e-9);
    for (size_t i = 0; i < ROWS_MAX; i++) {
        score[i] = 0.25;
    }
    assert_ok(performance_binary(y, score, ROWS_MAX, 0.5, 0.95, &p));
    assert_int_equal(p.bins, 1);
    assert_int_equal(p.bin[0].n, ROWS_MAX);
}

static void
the_order_of_the_rows_changes_no_digit_of_the_ranking(void **state)
{
    (void)state;
    uint8_t y[ROWS_MAX], y2[ROWS_MAX];
    double score[ROWS_MAX], score2[ROWS_MAX];
    struct performance p, q;
    random_scores(3, ROWS_MAX, y, score);
    for (size_t i = 0; i < ROWS_MAX; i++) {
        y2[i] = y[ROWS_MAX - 1 - i];
        score2[i] = score[ROWS_MAX - 1 - i];
    }
    assert_ok(performance_binary(y, score, ROWS_MAX, 0.5, 0.95, &p));
    assert_ok(performance_binary(y2, score2, ROWS_MAX, 0.5, 0.95, &q));
    assert_memory_equal(&p.roc_auc, &q.roc_auc, sizeof p.roc_auc);
    assert_memory_equal(&p.roc_auc_ci, &q.roc_auc_ci, sizeof p.roc_auc_ci);
    assert_memory_equal(p.curve, q.curve, sizeof p.curve);
    assert_near(p.log_loss, q.log_loss, 1e-15);
    assert_near(p.brier, q.brier, 1e-15);
}

/* ---- against scikit-learn, SciPy and the package confidenceinterval ---- */

static double
at(const json_t *o, const char *key)
{
    assert_true(json_is_number(json_object_get(o, key)));
    return json_number_value(json_object_get(o, key));
}

static double
pair(const json_t *a, size_t i, size_t k)
{
    return json_number_value(json_array_get(json_array_get(a, i), k));
}

/* Height of their ROC, whose points come by rising FPR with the top of each, at `fpr`. */
static double
height(const json_t *roc, double fpr)
{
    size_t i = 0;
    while (i + 1 < json_array_size(roc) && pair(roc, i + 1, 0) <= fpr + 1e-12) {
        i++;
    }
    if (i + 1 == json_array_size(roc) || pair(roc, i, 0) >= fpr - 1e-12) {
        return pair(roc, i, 1);
    }
    /* The piece starts at the top of point i and ends at the foot of point i + 1: compared only
     * where both are the same, so that it is one line. */
    return NAN;
}

static void
check_curve(const json_t *roc, const struct performance *p)
{
    size_t compared = 0;
    for (size_t i = 0; i < PERFORMANCE_CURVE; i++) {
        const double theirs = height(roc, p->curve[i].fpr);
        assert_near(p->curve[i].fpr, (double)i / (PERFORMANCE_CURVE - 1), 1e-15);
        assert_true(i == 0 || p->curve[i].tpr >= p->curve[i - 1].tpr);
        if (!isnan(theirs)) {
            assert_near(p->curve[i].tpr, theirs, 1e-9);
            compared++;
        }
    }
    assert_true(compared >= 2);
    assert_near(p->curve[PERFORMANCE_CURVE - 1].tpr, 1, 1e-15);
}

static void
check_calibration(const json_t *calibration, const struct performance *p)
{
    assert_int_equal(p->bins, json_array_size(calibration));
    for (uint32_t b = 0; b < p->bins; b++) {
        assert_near(p->bin[b].mean_score, pair(calibration, b, 0), 1e-12);
        assert_near(p->bin[b].observed, pair(calibration, b, 1), 1e-12);
    }
}

static void
check_case(const json_t *c)
{
    const char *labels = json_string_value(json_object_get(c, "y"));
    const json_t *scores = json_object_get(c, "score");
    const size_t rows = json_array_size(scores);
    uint8_t y[ROWS_MAX];
    double score[ROWS_MAX];
    struct performance p;
    assert_true(rows > 0 && rows <= ROWS_MAX && strlen(labels) == rows);
    for (size_t i = 0; i < rows; i++) {
        y[i] = labels[i] == '1';
        score[i] = json_number_value(json_array_get(scores, i));
    }
    assert_ok(performance_binary(y, score, rows, at(c, "threshold"), 0.95, &p));
    assert_near(p.accuracy.value, at(c, "accuracy"), 1e-14);
    assert_near(p.precision.value, at(c, "precision"), 1e-14);
    assert_near(p.recall.value, at(c, "recall"), 1e-14);
    assert_near(p.f1, at(c, "f1"), 1e-14);
    assert_near(p.roc_auc, at(c, "roc_auc"), 1e-13);
    assert_near(p.average_precision, at(c, "average_precision"), 1e-13);
    assert_near(p.log_loss, at(c, "log_loss"), 1e-12);
    assert_near(p.brier, at(c, "brier"), 1e-13);
    const json_t *ci = json_object_get(c, "roc_auc_ci");
    assert_near(p.roc_auc_ci.low, json_number_value(json_array_get(ci, 0)), 1e-12);
    assert_near(p.roc_auc_ci.high, json_number_value(json_array_get(ci, 1)), 1e-12);
    /* Theirs is in single precision. */
    const double half = 1.959963984540054 * sqrt(at(c, "peer_auc_variance"));
    assert_near(p.roc_auc_ci.low, p.roc_auc - half, 1e-6);
    check_curve(json_object_get(c, "roc"), &p);
    if (json_object_get(c, "calibration") != NULL) {
        check_calibration(json_object_get(c, "calibration"), &p);
    }
}

static void
equals_scikit_learn_and_delong(void **state)
{
    (void)state;
    char *path = testing_source("tests/assess/data/performance.json");
    DEFER(js_freep) json_t *document = testing_read_json(path);
    free(path);
    const json_t *cases = json_object_get(document, "cases");
    assert_int_equal(json_array_size(cases), 3);
    for (size_t i = 0; i < json_array_size(cases); i++) {
        check_case(json_array_get(cases, i));
    }
}

/* ---- several classes ---- */

static void
a_class_the_model_does_not_know_has_probability_zero(void **state)
{
    (void)state;
    const double score[] = {0.7, 0.2, 0.1, 0.3, 0.4, 0.3, 0.25, 0.25, 0.5, 1, 0, 0};
    const uint32_t label[] = {0, 1, 2, 3};
    double log_loss = 0, brier = 0;
    performance_class_losses(label, score, 3, 3, &log_loss, &brier);
    assert_near(log_loss, -(log(0.7) + log(0.4) + log(0.5)) / 3, 1e-15);
    assert_near(brier, (0.09 + 0.04 + 0.01 + 0.09 + 0.36 + 0.09 + 0.0625 + 0.0625 + 0.25) / 3,
                1e-15);
    performance_class_losses(label + 3, score + 9, 1, 3, &log_loss, &brier);
    assert_near(log_loss, 52 * M_LN2, 1e-12);
    assert_near(brier, 2, 0);
}

/* Of two classes it is the binary log loss, and twice the binary score. */
static void
two_classes_have_the_losses_of_a_binary_classifier(void **state)
{
    (void)state;
    double score[200], both[400], log_loss = 0, brier = 0;
    uint8_t y[200];
    uint32_t label[200];
    struct performance p;
    struct rng g;
    rng_init(&g, 9, "losses");
    for (size_t i = 0; i < 200; i++) {
        score[i] = rng_unit(&g);
        label[i] = y[i] = rng_unit(&g) < score[i];
        both[2 * i] = 1 - score[i];
        both[2 * i + 1] = score[i];
    }
    assert_ok(performance_binary(y, score, 200, 0.5, 0.95, &p));
    performance_class_losses(label, both, 200, 2, &log_loss, &brier);
    assert_near(log_loss, p.log_loss, 1e-12);
    assert_near(brier, 2 * p.brier, 1e-12);
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(refuses_what_is_no_probability_and_no_label),
        cmocka_unit_test(one_class_has_no_ranking),
        cmocka_unit_test(one_positive_has_an_auc_without_an_interval),
        cmocka_unit_test(the_threshold_itself_decides_positive),
        cmocka_unit_test(losses_of_certain_mistakes_are_finite),
        cmocka_unit_test(the_auc_is_the_share_of_pairs_in_order),
        cmocka_unit_test(the_bins_hold_every_row_once_and_equal_scores_together),
        cmocka_unit_test(the_order_of_the_rows_changes_no_digit_of_the_ranking),
        cmocka_unit_test(equals_scikit_learn_and_delong),
        cmocka_unit_test(a_class_the_model_does_not_know_has_probability_zero),
        cmocka_unit_test(two_classes_have_the_losses_of_a_binary_classifier),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
