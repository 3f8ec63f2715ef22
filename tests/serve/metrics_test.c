#include "testing/testing.h"

#include "base/clock.h"
#include "serve/metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {"light", "heavy", "never"};

static double
cpu_of(const struct metrics *m, const struct metrics_gauges *g, const char *stage)
{
    char line[128];
    DEFER(buf_done) struct buf text;
    buf_init(&text, 1 << 20);
    metrics_put(m, g, &text);
    assert_ok(buf_status(&text));
    (void)snprintf(line, sizeof line, "\nsteward_call_cpu_seconds_total{stage=\"%s\"} ", stage);
    const char *at = strstr(buf_str(&text), line);
    assert_non_null(at);
    return atof(at + strlen(line));
}

static struct metrics_gauges
gauges(int64_t loops_ns, int64_t process_ns)
{
    return (struct metrics_gauges){
        .stage = names, .stages = 3, .loops_ns = loops_ns, .process_ns = process_ns};
}

static void
shares_without_a_call_or_with_less_than_their_sum_are_not_negative(void **state)
{
    (void)state;
    static struct metrics m;
    const struct metrics_gauges g = gauges(5, 3);
    assert_near(cpu_of(&m, &g, "light"), 0, 0);
    assert_near(cpu_of(&m, &g, "other"), 0, 0);
    m.stage_ns[1] = 1000000;
    assert_near(cpu_of(&m, &g, "heavy"), 0.001 * METRICS_EACH, 1e-9);
    assert_near(cpu_of(&m, &g, "transport"), 0, 0);
}

/* Work that cannot be left out. */
static uint64_t
work(uint64_t seed, unsigned rounds)
{
    volatile uint64_t kept = seed;
    for (unsigned i = 0; i < rounds; i++) {
        kept = kept * UINT64_C(6364136223846793005) + 1;
    }
    return kept;
}

static void
stages_get_the_processor_time_that_they_took_and_the_rest_is_told(void **state)
{
    (void)state;
    static struct metrics m;
    const int64_t before = clock_thread_ns();
    for (unsigned i = 0; i < 20 * METRICS_EACH; i++) {
        struct metrics_lap lap;
        metrics_lap_begin(&lap);
        assert_int_equal(lap.measured, i % METRICS_EACH == METRICS_EACH - 1);
        (void)work(i, 2000);
        metrics_lap(&m, &lap, 0);
        (void)work(i, 40000);
        metrics_lap(&m, &lap, 1);
    }
    const int64_t took = clock_thread_ns() - before;
    const struct metrics_gauges g = gauges(2 * took, 3 * took);
    const double light = cpu_of(&m, &g, "light"), heavy = cpu_of(&m, &g, "heavy");
    assert_true(heavy > 5 * light);
    assert_near(cpu_of(&m, &g, "never"), 0, 0);
    /* Twenty of 1220 calls stand for all: together about what the thread took. */
    assert_true((light + heavy) * 1e9 > 0.5 * (double)took &&
                (light + heavy) * 1e9 < 2 * (double)took);
    assert_near(cpu_of(&m, &g, "transport"), 2 * (double)took / 1e9 - light - heavy, 1e-5);
    assert_near(cpu_of(&m, &g, "other"), (double)took / 1e9, 1e-5);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_without_a_call_or_with_less_than_their_sum_are_not_negative),
        cmocka_unit_test(stages_get_the_processor_time_that_they_took_and_the_rest_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
