/* The clock of an incident report. */
#include "testing/testing.h"

#include "base/clock.h"
#include "govern/incident.h"

#define HOUR (INT64_C(3600) * NS_PER_S)

static int64_t
at(const char *time)
{
    int64_t ns = 0;
    assert_ok(clock_from_rfc3339(view_str(time), &ns));
    return ns;
}

static const struct incident_rule *
rule(const char *name)
{
    const struct incident_rule *r = NULL;
    assert_ok(incident_rule_find(name, NULL, &r));
    return r;
}

/* Days and hours as the articles have them. */
static void
deadlines_are_those_of_the_laws(void **state)
{
    (void)state;
    static const struct {
        const char *rule;
        int64_t hours;
    } cases[] = {{"gdpr-33", 72},
                 {"ai-act-73", 15 * 24},
                 {"ai-act-73-death", 10 * 24},
                 {"ai-act-73-widespread", 2 * 24},
                 {"hipaa-404", 60 * 24}};
    size_t n = 0;
    (void)incident_rules(&n);
    assert_int_equal(n, sizeof cases / sizeof *cases);
    for (size_t i = 0; i < n; i++) {
        assert_true(rule(cases[i].rule)->within_ns == cases[i].hours * HOUR);
    }
}

static void
the_clock_runs_to_the_last_moment_and_stops_with_the_report(void **state)
{
    (void)state;
    const struct incident_rule *r = rule("gdpr-33");
    const int64_t aware = at("2026-02-27T10:00:00Z"), due = at("2026-03-02T10:00:00Z");
    int64_t left = 0;
    assert_int_equal(incident_clock_of(r, aware, 0, aware, &left), INCIDENT_RUNNING);
    assert_true(left == 72 * HOUR);
    assert_int_equal(incident_clock_of(r, aware, 0, due, &left), INCIDENT_RUNNING);
    assert_true(left == 0);
    assert_int_equal(incident_clock_of(r, aware, 0, due + 1, &left), INCIDENT_OVERDUE);
    assert_true(left == -1);
    assert_int_equal(incident_clock_of(r, aware, due, due + 9 * HOUR, &left), INCIDENT_IN_TIME);
    assert_int_equal(incident_clock_of(r, aware, due + HOUR, due + 9 * HOUR, &left), INCIDENT_LATE);
    assert_true(left == -HOUR);
}

static void
an_unknown_rule_names_those_there_are(void **state)
{
    (void)state;
    const struct incident_rule *r = NULL;
    struct diag diag = {0};
    assert_status(incident_rule_find("gdpr-34", &diag, &r), INPUT);
    assert_says(&diag, "there are gdpr-33, ai-act-73");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deadlines_are_those_of_the_laws),
        cmocka_unit_test(the_clock_runs_to_the_last_moment_and_stops_with_the_report),
        cmocka_unit_test(an_unknown_rule_names_those_there_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
