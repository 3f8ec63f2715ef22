/* Counts beside a log: with what came since they are what the whole log gives, whatever happened
 * to the file, and whoever was killed while it was made. */
#include "fixture.h"

#include "base/clock.h"
#include "base/file.h"
#include "govern/quota.h"
#include "testing/cut.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FEW 300u

/* ---- a log of counted calls ---- */

static void
put_line(struct buf *b, const char *of, enum quota_span span, int64_t wall_ns)
{
    char window[QUOTA_WINDOW_MAX];
    quota_window(span, wall_ns, window);
    buf_printf(b, "%s %s\n", of, window);
}

/* An hour further every ten calls, and now and then the clock stands a day back. */
static void
put_call(uint64_t i, struct buf *ret_entry)
{
    char who[16];
    DEFER(buf_done) struct buf quotas;
    buf_init(&quotas, 1024);
    const int64_t now = INT64_C(1772366400) * NS_PER_S + (int64_t)(i / 10) * 3600 * NS_PER_S -
                        (i % 37 == 5 ? 86400 * NS_PER_S : 0);
    (void)snprintf(who, sizeof who, "p%u", (unsigned)(i * 2654435761u >> 7) % 5);
    put_line(&quotas, "fair rows/day/each", QUOTA_DAY, now);
    put_line(&quotas, "all calls/hour", QUOTA_HOUR, now);
    audit_event_put(&(struct audit_event){.time_ns = now,
                                          .id = "0123456789abcdef",
                                          .principal = who,
                                          .action = "model.infer",
                                          .resource = "models/loans",
                                          .allow = true,
                                          .http_status = 200,
                                          .reason = "role caller",
                                          .rows = i % 9,
                                          .quotas = i % 3 == 2 ? NULL : buf_str(&quotas)},
                    ret_entry);
}

static void
append_event(const char *dir, const struct audit_event *e)
{
    struct audit *a = fixture_open(dir, 0);
    DEFER(buf_done) struct buf entry;
    buf_init(&entry, AUDIT_MAX_ENTRY);
    audit_event_put(e, &entry);
    assert_ok(audit_append(a, buf_view(&entry), NULL));
    assert_ok(audit_close(a, NULL));
}

static void
fill(const char *dir, uint64_t from, uint64_t to)
{
    struct audit *a = fixture_open(dir, 0);
    for (uint64_t i = from; i < to; i++) {
        uint64_t ticket = 0;
        DEFER(buf_done) struct buf entry;
        buf_init(&entry, AUDIT_MAX_ENTRY);
        put_call(i, &entry);
        assert_ok(audit_submit(a, buf_view(&entry), &ticket));
    }
    assert_ok(audit_close(a, NULL));
}

/* ---- the oracle: every entry, from the first on ---- */

static struct status
add(void *ctx, uint64_t index, struct view entry)
{
    (void)index;
    return quota_book_add(ctx, entry);
}

static void
put_whole(const char *dir, uint64_t to, struct buf *ret_bytes)
{
    static const struct digest none = {{0}};
    DEFER(quota_book_freep) struct quota_book *b = quota_book_new();
    assert_ok(audit_each(dir, 0, to, add, b, NULL));
    assert_ok(quota_kept_put(b, to, &none, ret_bytes));
}

static void
assert_whole(const char *dir, const struct quota_book *b, uint64_t entries)
{
    static const struct digest none = {{0}};
    DEFER(buf_done) struct buf is;
    DEFER(buf_done) struct buf whole;
    buf_init(&is, 1 << 20);
    buf_init(&whole, 1 << 20);
    assert_int_equal(quota_book_entries(b), entries);
    assert_ok(quota_kept_put(b, entries, &none, &is));
    put_whole(dir, entries, &whole);
    assert_true(view_equal(buf_view(&is), buf_view(&whole)));
}

static void
reads(const char *dir, uint64_t from)
{
    uint64_t count = 0, read_from = 0;
    struct diag diag = {0};
    DEFER(quota_book_freep) struct quota_book *b = NULL;
    assert_ok(audit_count(dir, &count, NULL));
    assert_ok(quota_book_read(dir, &diag, &b, &read_from));
    assert_int_equal(read_from, from);
    assert_whole(dir, b, count);
}

/* ---- keeping ---- */

static struct audit_event
kept_event(const char *reason)
{
    return (struct audit_event){.time_ns = INT64_C(1772366400) * NS_PER_S,
                                .id = "0",
                                .action = QUOTA_KEPT_ACTION,
                                .resource = "limits/quotas",
                                .allow = true,
                                .reason = reason};
}

static char said[256];

static struct status
tell(void *ctx, const char *reason, struct diag *diag)
{
    const struct audit_event e = kept_event(reason);
    (void)diag;
    (void)snprintf(said, sizeof said, "%s", reason);
    append_event(ctx, &e);
    return OK;
}

static struct status
keep_book(const struct quota_book *b, const char *dir)
{
    struct diag diag = {0};
    return quota_book_keep(b, dir, tell, (void *)(uintptr_t)dir, &diag);
}

/* How many entries were counted. */
static uint64_t
keep(const char *dir)
{
    uint64_t from = 0;
    DEFER(quota_book_freep) struct quota_book *b = NULL;
    assert_ok(quota_book_read(dir, NULL, &b, &from));
    assert_ok(keep_book(b, dir));
    return quota_book_entries(b);
}

static void
counts_kept_and_what_came_since_are_the_whole_log(void **state)
{
    (void)state;
    uint64_t from = 1;
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(quota_book_freep) struct quota_book *b = NULL;
    fill(dir, 0, 3000);
    reads(dir, 0);
    assert_int_equal(keep(dir), 3000);
    reads(dir, 3000);
    fill(dir, 3000, 3700);
    reads(dir, 3000);
    assert_ok(quota_book_read(dir, NULL, &b, &from));
    DEFER(quota_book_freep) struct quota_book *copy = quota_book_copy(b);
    const uint64_t count = quota_book_entries(b);
    fill(dir, 3700, 4000);
    assert_ok(quota_book_follow(b, dir, count + 120, NULL));
    assert_whole(dir, b, count + 120);
    assert_ok(quota_book_follow(b, dir, count + 120, NULL)); /* nothing twice */
    assert_whole(dir, b, count + 120);
    assert_whole(dir, copy, count);
    assert_int_equal(keep(dir), 4001);
    reads(dir, 4001);
}

static void
read_file(const char *dir, struct buf *ret_bytes)
{
    DEFER(file_freep) char *path = file_join(dir, QUOTA_KEPT_FILE);
    testing_read(path, ret_bytes);
}

static void
write_file(const char *dir, struct view bytes)
{
    DEFER(file_freep) char *path = file_join(dir, QUOTA_KEPT_FILE);
    testing_write(path, bytes);
}

static void
an_older_file_is_read_on_from(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(buf_done) struct buf old;
    fill(dir, 0, FEW);
    assert_int_equal(keep(dir), FEW);
    read_file(dir, &old);
    fill(dir, FEW, 2 * FEW);
    assert_int_equal(keep(dir), 2 * FEW + 1);
    reads(dir, 2 * FEW + 1);
    write_file(dir, buf_view(&old));
    reads(dir, FEW);
}

static void
a_file_that_was_changed_is_not_believed(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(buf_done) struct buf good;
    fill(dir, 0, FEW);
    (void)keep(dir);
    read_file(dir, &good);
    for (size_t i = 0; i < good.len; i++) {
        good.ptr[i] = (uint8_t)(good.ptr[i] ^ 1u << i % 8);
        write_file(dir, buf_view(&good));
        reads(dir, 0);
        good.ptr[i] = (uint8_t)(good.ptr[i] ^ 1u << i % 8);
        write_file(dir, view_of(good.ptr, i));
        reads(dir, 0);
    }
    buf_put_u8(&good, 0);
    write_file(dir, buf_view(&good));
    reads(dir, 0);
    good.len--;
    write_file(dir, buf_view(&good));
    reads(dir, FEW);
}

/* Whoever can have entries written has not this action; and who had it would need a digest. */
static void
no_other_entry_names_a_file(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(quota_book_freep) struct quota_book *none = quota_book_new();
    char text[600];
    fill(dir, 0, FEW);
    quota_book_reach(none, FEW);
    /* The counts of nothing, in a file that is told of nowhere but in other entries. */
    DEFER(testing_dirp) char *aside = testing_dir();
    testing_copy_dir(dir, aside);
    assert_ok(keep_book(none, aside));
    DEFER(buf_done) struct buf forged;
    read_file(aside, &forged);
    write_file(dir, buf_view(&forged));
    reads(dir, 0);
    (void)snprintf(text, sizeof text, "\"action\":\"" QUOTA_KEPT_ACTION "\",\"reason\":\"%s\"",
                   said);
    struct audit_event e = kept_event("counts of the first 300 entries kept; sha256=00");
    append_event(dir, &e);
    e.purpose = said;
    e.resource = text;
    append_event(dir, &e);
    e = kept_event(said);
    e.action = "model.infer";
    e.purpose = text;
    append_event(dir, &e);
    reads(dir, 0);
}

static void
a_file_of_another_log_is_not_believed(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(testing_dirp) char *other = testing_dir();
    DEFER(testing_dirp) char *before = testing_dir();
    DEFER(buf_done) struct buf file;
    fill(dir, 0, FEW - 1);
    testing_copy_dir(dir, before);
    fill(dir, FEW - 1, FEW);
    fill(other, 1, FEW + 1);
    (void)keep(dir);
    read_file(dir, &file);
    /* Even with the entry that names it: its root is another. */
    const struct audit_event e = kept_event(said);
    append_event(other, &e);
    write_file(other, buf_view(&file));
    reads(other, 0);
    /* An older state of the log was put back: it is shorter than what is counted, and gives what it
     * has. */
    write_file(before, buf_view(&file));
    reads(before, 0);
    fill(before, 1000, 1000 + FEW);
    reads(before, 0);
}

static void
what_no_checkpoint_covers_is_not_kept(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(quota_book_freep) struct quota_book *b = NULL;
    uint64_t from = 0;
    fixture_log(dir, 5, 3);
    assert_ok(quota_book_read(dir, NULL, &b, &from));
    assert_int_equal(quota_book_entries(b), 8);
    assert_status(keep_book(b, dir), BUSY);
}

/* ---- killed, and on a full disk ---- */

static struct status
tell_within(void *ctx, const char *reason, struct diag *diag)
{
    const struct audit_event e = kept_event(reason);
    DEFER(buf_done) struct buf entry;
    buf_init(&entry, AUDIT_MAX_ENTRY);
    audit_event_put(&e, &entry);
    return audit_append(ctx, buf_view(&entry), diag);
}

static void
keep_in_one_go(void *ctx)
{
    uint64_t from = 0;
    struct quota_book *b = NULL;
    struct audit *a = fixture_open(ctx, 0);
    const bool read = status_ok(quota_book_read(ctx, NULL, &b, &from));
    (void)raise(SIGUSR1);
    const bool kept = read && status_ok(quota_book_keep(b, ctx, tell_within, a, NULL));
    _exit(kept && status_ok(audit_close(a, NULL)) ? 0 : 1);
}

static void
whoever_keeps_them_may_be_killed_anywhere(void **state)
{
    (void)state;
    bool traced = true, killed = true;
    unsigned n = 1, newer = 0, older = 0;
    DEFER(testing_dirp) char *made = testing_dir();
    DEFER(testing_dirp) char *dir = testing_dir();
    fill(made, 0, FEW);
    assert_int_equal(keep(made), FEW);
    fill(made, FEW, FEW + 50);
    for (; killed && traced; n++) {
        testing_copy_dir(made, dir);
        killed = testing_cut_before(n, keep_in_one_go, dir, &traced);
        if (!traced) {
            break;
        }
        struct audit *a = fixture_open(dir, 0); /* the next start */
        assert_ok(audit_close(a, NULL));
        uint64_t from = 0, count = 0;
        DEFER(quota_book_freep) struct quota_book *b = NULL;
        assert_ok(audit_count(dir, &count, NULL));
        assert_ok(quota_book_read(dir, NULL, &b, &from));
        assert_whole(dir, b, count);
        /* Never the whole log: the older one stands until the newer one does. */
        assert_true(from == FEW || from == FEW + 51);
        older += from == FEW;
        newer += from == FEW + 51;
    }
    if (!traced) {
        skip();
    }
    assert_true(older > 3 && newer > 0);
}

static void
on_a_full_disk_the_older_one_stays(void **state)
{
    (void)state;
    testing_need_small_disk();
    DEFER(testing_dirp) char *dir = testing_dir();
    assert_true(testing_small_disk(dir, 4 << 20));
    fill(dir, 0, FEW);
    assert_int_equal(keep(dir), FEW);
    fill(dir, FEW, FEW + 50);
    uint64_t from = 0;
    struct quota_book *b = NULL;
    assert_ok(quota_book_read(dir, NULL, &b, &from));
    struct audit *a = fixture_open(dir, 0);
    testing_leave_free(dir, 0);
    struct diag diag = {0};
    assert_false(status_ok(quota_book_keep(b, dir, tell_within, a, &diag)));
    quota_book_free(b);
    DEFER(file_freep) char *filler = file_join(dir, "filler");
    assert_int_equal(unlink(filler), 0);
    (void)audit_close(a, NULL);
    reads(dir, FEW);
    testing_small_disk_done(dir);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_kept_and_what_came_since_are_the_whole_log),
        cmocka_unit_test(an_older_file_is_read_on_from),
        cmocka_unit_test(a_file_that_was_changed_is_not_believed),
        cmocka_unit_test(no_other_entry_names_a_file),
        cmocka_unit_test(a_file_of_another_log_is_not_believed),
        cmocka_unit_test(what_no_checkpoint_covers_is_not_kept),
        cmocka_unit_test(whoever_keeps_them_may_be_killed_anywhere),
        cmocka_unit_test(on_a_full_disk_the_older_one_stays),
    };
    fixture_in_memory();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
