/* What `audit verify` says of a whole log that has seen troubles: a clock set back, a crash, a full
 * disk. */
#include "cli/run.h"

#include "govern/fixture.h"

#include "base/clock.h"

static void
append(struct audit *a, int64_t at_s, const char *action)
{
    DEFER(buf_done) struct buf entry;
    buf_init(&entry, 4096);
    audit_event_put(&(struct audit_event){.time_ns = (1760000000 + at_s) * NS_PER_S,
                                          .action = action,
                                          .allow = true},
                    &entry);
    assert_ok(audit_append(a, buf_view(&entry), NULL));
}

static void
says_nothing_of_troubles_that_were_not_there(void **state)
{
    struct room *m = *state;
    fixture_append(m->dir, 0, 5);
    RUN(m, 0, "audit", "verify", m->dir);
    OUT_HAS(m, "verified: 5 entries");
    assert_null(strstr(buf_str(&m->r.out), "note:"));
    RUN(m, 0, "audit", "verify", m->dir, "--json");
    DEFER(js_freep) json_t *o = out_json(m);
    assert_int_equal(json_integer_value(json_object_get(o, "clock_back")), 0);
    assert_true(json_is_null(json_object_get(o, "first_clock_back")));
}

static void
names_the_first_entry_after_a_clock_was_set_back(void **state)
{
    struct room *m = *state;
    struct audit *a = fixture_open(m->dir, 0);
    static const int64_t at_s[] = {100, 110, 50, 51, 20};
    for (size_t i = 0; i < sizeof at_s / sizeof *at_s; i++) {
        append(a, at_s[i], "test");
    }
    assert_ok(audit_close(a, NULL));
    RUN(m, 0, "audit", "verify", m->dir);
    OUT_HAS(m, "verified: 5 entries");
    OUT_HAS(m, "  note: clock set back: 2; the first: entry 2\n"
               "    It ended more than a second before the entry before it did.\n");
    RUN(m, 0, "audit", "verify", m->dir, "--json");
    DEFER(js_freep) json_t *o = out_json(m);
    assert_int_equal(json_integer_value(json_object_get(o, "clock_back")), 2);
    assert_int_equal(json_integer_value(json_object_get(o, "first_clock_back")), 2);
}

static void
tells_what_a_crash_and_a_full_disk_left(void **state)
{
    struct room *m = *state;
    fixture_append(m->dir, 0, 3);
    DEFER(buf_done) struct buf journal;
    testing_read(in(m, "journal"), &journal);
    buf_put_str(&journal, "a write that a crash cut short");
    testing_write(in(m, "journal"), buf_view(&journal));
    struct audit *a = fixture_open(m->dir, 0);
    append(a, 1, AUDIT_GAP);
    assert_ok(audit_close(a, NULL));
    RUN(m, 0, "audit", "verify", m->dir);
    OUT_HAS(m, "  note: audit.repair: 1\n    A crash left a write unfinished");
    OUT_HAS(m, "  note: audit.gap: 1\n    Entries could not be written");
    RUN(m, 0, "audit", "show", m->dir);
    OUT_HAS(m, "the last write was unfinished: 30 bytes moved to journal.cut-3, SHA-256 ");
    RUN(m, 0, "audit", "verify", m->dir, "--json");
    DEFER(js_freep) json_t *o = out_json(m);
    assert_int_equal(json_integer_value(json_object_get(o, "repairs")), 1);
    assert_int_equal(json_integer_value(json_object_get(o, "gaps")), 1);
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        BARE(says_nothing_of_troubles_that_were_not_there),
        BARE(names_the_first_entry_after_a_clock_was_set_back),
        BARE(tells_what_a_crash_and_a_full_disk_left),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
