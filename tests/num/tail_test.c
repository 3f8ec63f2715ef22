#include "testing/testing.h"

#include "num/tail.h"

#include <math.h>

static void
what_is_no_argument_has_no_tail(void **state)
{
    (void)state;
    assert_true(isnan(tail_chi_square(NAN, 1)) && isnan(tail_chi_square(1, 0)));
    assert_true(isnan(tail_chi_square(1, -2)) && isnan(tail_chi_square(1, NAN)));
    assert_true(isnan(tail_student(NAN, 3)) && isnan(tail_student(1, 0)));
    assert_near(tail_chi_square(INFINITY, 4), 0, 0);
    assert_near(tail_chi_square(0, 4), 1, 0);
    assert_near(tail_chi_square(-1, 4), 1, 0);
    assert_near(tail_student(INFINITY, 4), 0, 0);
    assert_near(tail_student(-INFINITY, 4), 0, 0);
    assert_near(tail_student(0, 4), 1, 0);
}

static void
agrees_with(const json_t *rows, double (*tail)(double, double))
{
    size_t i = 0;
    json_t *row = NULL;
    json_array_foreach((json_t *)(uintptr_t)rows, i, row)
    {
        const double x = json_number_value(json_array_get(row, 0));
        const double df = json_number_value(json_array_get(row, 1));
        const double p = json_number_value(json_array_get(row, 2));
        assert_near(tail(x, df) / p, 1, 1e-9);
    }
    assert_true(i > 20);
}

static void
tails_agree_with_scipy(void **state)
{
    (void)state;
    DEFER(memory_freep) char *path = testing_source("tests/assess/data/bias.json");
    DEFER(js_freep) json_t *all = testing_read_json(path);
    const json_t *tails = json_object_get(all, "tails");
    agrees_with(json_object_get(tails, "chi_square"), tail_chi_square);
    agrees_with(json_object_get(tails, "student"), tail_student);
}

/* Two degrees of freedom: exp(-x/2); one of Student's: the Cauchy distribution. */
static void
closed_forms_hold(void **state)
{
    (void)state;
    for (double x = 0.01; x < 1300; x *= 1.3) {
        assert_near(tail_chi_square(x, 2) / exp(-x / 2), 1, 1e-11);
        assert_near(tail_student(x, 1) / (2 / M_PI * atan(1 / x)), 1, 1e-11);
        assert_near(tail_student(-x, 7), tail_student(x, 7), 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_argument_has_no_tail),
        cmocka_unit_test(tails_agree_with_scipy),
        cmocka_unit_test(closed_forms_hold),
    };
    return cmocka_run_group_tests_name("num/tail", tests, NULL, NULL);
}
