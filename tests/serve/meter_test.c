/* How many refusals an address may cause. */
#include "testing/testing.h"

#include "base/clock.h"
#include "serve/meter.h"

#define START (1000 * NS_PER_S)

static void
no_limit_is_no_limit(void **state)
{
    (void)state;
    struct meter *m = meter_new(0);
    assert_non_null(m);
    for (int i = 0; i < 100000; i++) {
        assert_int_equal(meter_take(m, 7, START), METER_ROOM);
    }
    meter_free(m);
    meter_free(NULL);
}

static void
takes_as_many_at_once_as_in_a_minute_and_says_which_is_the_last(void **state)
{
    (void)state;
    struct meter *m = meter_new(600);
    for (int i = 0; i < 599; i++) {
        assert_int_equal(meter_take(m, 7, START), METER_ROOM);
    }
    assert_int_equal(meter_take(m, 7, START), METER_LAST);
    for (int i = 0; i < 1000; i++) { /* those that find no room take none */
        assert_int_equal(meter_take(m, 7, START), METER_FULL);
    }
    assert_int_equal(meter_take(m, 7, START + NS_PER_S / 10), METER_LAST);
    assert_int_equal(meter_take(m, 7, START + NS_PER_S / 10), METER_FULL);
    for (int i = 0; i < 599; i++) { /* after a minute all is as before */
        assert_int_equal(meter_take(m, 7, START + 61 * NS_PER_S), METER_ROOM);
    }
    meter_free(m);
}

/* Never more than the burst and what runs out meanwhile, however it is spread. */
static void
holds_over_an_hour(void **state)
{
    (void)state;
    struct meter *m = meter_new(60);
    unsigned taken = 0;
    for (int64_t ms = 0; ms < 3600 * 1000; ms += 10) {
        taken += meter_take(m, 7, START + ms * 1000000) != METER_FULL;
    }
    assert_true(taken <= 60 + 3600);
    assert_true(taken >= 3600);
    meter_free(m);
}

static void
one_address_leaves_the_others_their_room(void **state)
{
    (void)state;
    struct meter *m = meter_new(10);
    for (int i = 0; i < 1000; i++) {
        (void)meter_take(m, 7, START);
    }
    unsigned without = 0; /* who shares its place by chance: one of 16,384 */
    for (uint64_t peer = 1000; peer < 2000; peer++) {
        without += meter_take(m, peer, START) == METER_FULL;
    }
    assert_true(without < 20);
    meter_free(m);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_limit_is_no_limit),
        cmocka_unit_test(takes_as_many_at_once_as_in_a_minute_and_says_which_is_the_last),
        cmocka_unit_test(holds_over_an_hour),
        cmocka_unit_test(one_address_leaves_the_others_their_room),
    };
    return cmocka_run_group_tests_name("serve/meter", tests, NULL, NULL);
}
