/* Adjusted p-values: the paper's own example, statsmodels 0.14.6's answers, and the laws. */
#include "testing/testing.h"

#include "num/fdr.h"

#include <math.h>

#define N 15u

/* Benjamini and Hochberg (1995), section 4.1. */
static const double paper[N] = {0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344,
                                0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000};

static void
nothing_asked_gives_nothing(void **state)
{
    (void)state;
    double p[2] = {NAN, NAN};
    size_t order[2];
    fdr_adjust(FDR_BENJAMINI_HOCHBERG, p, 0, order, p);
    fdr_adjust(FDR_BENJAMINI_YEKUTIELI, p, 2, order, p);
    assert_true(isnan(p[0]) && isnan(p[1]));
}

static void
what_was_not_asked_does_not_count(void **state)
{
    (void)state;
    const double p[4] = {0.02, NAN, 0.01, NAN};
    double q[4];
    size_t order[4];
    fdr_adjust(FDR_BENJAMINI_HOCHBERG, p, 4, order, q);
    assert_near(q[0], 0.02, 1e-15);
    assert_near(q[2], 0.02, 1e-15);
    assert_true(isnan(q[1]) && isnan(q[3]));
}

static void
one_question_is_not_adjusted(void **state)
{
    (void)state;
    double p = 0.03;
    size_t order;
    fdr_adjust(FDR_BENJAMINI_YEKUTIELI, &p, 1, &order, &p);
    assert_near(p, 0.03, 0);
}

static void
rejects_the_four_of_the_papers_example(void **state)
{
    (void)state;
    double q[N];
    size_t order[N];
    fdr_adjust(FDR_BENJAMINI_HOCHBERG, paper, N, order, q);
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(q[i] <= 0.05, i < 4);
        assert_true(q[i] >= paper[i] && (i == 0 || q[i] >= q[i - 1]));
    }
    /* statsmodels.stats.multitest.multipletests(p, method="fdr_bh" and "fdr_by") */
    assert_near(q[2], 0.0095, 1e-14);
    assert_near(q[5], 0.0638571428571429, 1e-14);
    assert_near(q[9], 0.4860000000000000, 1e-14);
    fdr_adjust(FDR_BENJAMINI_YEKUTIELI, paper, N, order, q);
    assert_near(q[0], 0.0049773434898434, 1e-14);
    assert_near(q[3], 0.1182119078837829, 1e-14);
}

static void
the_order_of_questions_changes_nothing(void **state)
{
    (void)state;
    double p[N], q[N], straight[N];
    size_t order[N];
    fdr_adjust(FDR_BENJAMINI_HOCHBERG, paper, N, order, straight);
    for (size_t i = 0; i < N; i++) {
        p[i] = paper[(i * 7 + 3) % N];
    }
    fdr_adjust(FDR_BENJAMINI_HOCHBERG, p, N, order, q);
    for (size_t i = 0; i < N; i++) {
        assert_near(q[i], straight[(i * 7 + 3) % N], 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_asked_gives_nothing),
        cmocka_unit_test(what_was_not_asked_does_not_count),
        cmocka_unit_test(one_question_is_not_adjusted),
        cmocka_unit_test(rejects_the_four_of_the_papers_example),
        cmocka_unit_test(the_order_of_questions_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
