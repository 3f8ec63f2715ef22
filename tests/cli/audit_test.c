/* What `audit verify` says of a whole log that has seen troubles: a clock set back, a crash, a full
 * disk. */
#include "cli/run.h"

#include "govern/fixture.h"

#include "base/clock.h"

#include <sys/stat.h>
#include <unistd.h>

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

/* ---- what is kept between verifications ---- */

static void
state_path(struct room *m, char ret_path[static 600])
{
    (void)snprintf(ret_path, 600, "%s/kept.json", m->dir);
}

#define VERIFY(M, CODE, ...) RUN(M, CODE, "audit", "verify", log, "--state", state, ##__VA_ARGS__)

static void
goes_on_from_what_was_seen_and_says_what_it_covered(void **state_)
{
    struct room *m = *state_;
    char state[600], log[600];
    state_path(m, state);
    (void)snprintf(log, sizeof log, "%s/log", m->dir);
    fixture_append(log, 0, 300);
    VERIFY(m, 0);
    OUT_HAS(m, "verified: 300 entries");
    OUT_HAS(m, "covered: every entry and hash was read");
    fixture_append(log, 300, 310);
    VERIFY(m, 0);
    OUT_HAS(m, "verified: 310 entries");
    OUT_HAS(m, "covered: entries from 256 on were read");
    OUT_HAS(m, "it goes on from the 300 entries that were verified before");
    VERIFY(m, 0, "--json");
    DEFER(js_freep) json_t *o = out_json(m);
    const json_t *before = json_object_get(o, "before");
    assert_int_equal(json_integer_value(json_object_get(o, "from")), 256);
    assert_true(json_is_true(json_object_get(o, "kept")));
    assert_int_equal(json_integer_value(json_object_get(before, "entries")), 310);
    VERIFY(m, 0, "--full");
    OUT_HAS(m, "covered: every entry and hash was read");
    OUT_HAS(m, "it goes on from the 310 entries");
}

static void
refuses_a_log_that_was_rolled_back_since(void **state_)
{
    struct room *m = *state_;
    char state[600], log[600], old[600];
    state_path(m, state);
    (void)snprintf(log, sizeof log, "%s/log", m->dir);
    (void)snprintf(old, sizeof old, "%s/old", m->dir);
    fixture_append(log, 0, 5);
    assert_int_equal(mkdir(old, 0700), 0);
    testing_copy_dir(log, old);
    fixture_append(log, 5, 9);
    VERIFY(m, 0);
    RUN(m, 6, "audit", "verify", old, "--state", state);
    OUT_HAS(m,
            "NOT verified: checkpoint: byte 0: the log was rolled back: it has 5 entries, and 9");
    OUT_HAS(m, "audit verify --full names the first byte");
    RUN(m, 6, "audit", "verify", old, "--state", state, "--full");
    RUN(m, 0, "audit", "verify", old, "--state", in(m, "another.json"));
    VERIFY(m, 0); /* what was seen is still known */
    OUT_HAS(m, "it goes on from the 9 entries");
}

static void
takes_no_state_that_others_could_have_written(void **state_)
{
    struct room *m = *state_;
    char state[600], log[600];
    state_path(m, state);
    (void)snprintf(log, sizeof log, "%s/log", m->dir);
    fixture_append(log, 0, 3);
    VERIFY(m, 0);
    assert_int_equal(chmod(state, 0666), 0);
    VERIFY(m, 2);
    ERR_HAS(m, "kept.json: it must be a regular file that only its owner");
    assert_int_equal(chmod(state, 0600), 0);
    DEFER(buf_done) struct buf text;
    testing_read(state, &text);
    const struct view whole = buf_view(&text);
    for (size_t cut = 0; cut < whole.len; cut += 37) {
        testing_write(state, view_of(whole.ptr, cut));
        VERIFY(m, 2);
        ERR_HAS(m, "kept.json: not what audit verify has kept of this log");
        ERR_HAS(m, "remove it");
    }
    uint8_t *root = memmem(text.ptr, text.len, "\\n3\\n", 5);
    assert_non_null(root);
    root[5] ^= 1; /* of the checkpoint, which is signed */
    testing_write(state, whole);
    VERIFY(m, 2);
    ERR_HAS(m, "the signature does not verify");
    assert_int_equal(unlink(state), 0);
    VERIFY(m, 0);
}

/* Where nothing can be kept, verifying is as good as it was. */
static void
verifies_where_nothing_can_be_kept(void **state_)
{
    struct room *m = *state_;
    char log[600];
    (void)snprintf(log, sizeof log, "%s/log", m->dir);
    fixture_append(log, 0, 3);
    RUN(m, 0, "audit", "verify", log, "--state", in(m, "nowhere/kept.json"));
    ERR_HAS(m, "verified, but not kept for the next time: ");
    testing_write(in(m, "file"), view_str("x"));
    (void)setenv("XDG_STATE_HOME", in(m, "file"), 1);
    RUN(m, 0, "audit", "verify", log, "--json");
    DEFER(js_freep) json_t *o = out_json(m);
    assert_true(json_is_false(json_object_get(o, "kept")));
    (void)setenv("XDG_STATE_HOME", in(m, "state"), 1);
    RUN(m, 0, "audit", "verify", log);
    RUN(m, 0, "audit", "verify", log);
    OUT_HAS(m, "it goes on from the 3 entries");
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        BARE(says_nothing_of_troubles_that_were_not_there),
        BARE(names_the_first_entry_after_a_clock_was_set_back),
        BARE(tells_what_a_crash_and_a_full_disk_left),
        BARE(goes_on_from_what_was_seen_and_says_what_it_covered),
        BARE(refuses_a_log_that_was_rolled_back_since),
        BARE(takes_no_state_that_others_could_have_written),
        BARE(verifies_where_nothing_can_be_kept),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
