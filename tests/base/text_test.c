#include "testing/testing.h"

#include "base/text.h"

static void
refuses_all_but_the_whole_number(void **state)
{
    (void)state;
    int64_t value = 77;
    assert_status(text_to_i64(view_str(""), &value), INPUT);
    assert_status(text_to_i64(view_str("1 "), &value), INPUT);
    assert_status(text_to_i64(view_str("9223372036854775808"), &value), INPUT);
    assert_int_equal(value, 77);
    assert_ok(text_to_i64(view_str("-9223372036854775808"), &value));
    assert_true(value == INT64_MIN);
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(refuses_all_but_the_whole_number),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
