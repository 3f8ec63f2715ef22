/* Publications that cannot keep up, and logs whose tiles have a file each. */
#include "fixture.h"

#include "base/clock.h"
#include "base/file.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LONG_ENTRY 65000u
#define BEHIND (32u << 20) /* what may wait before entries do */
#define PATIENCE_NS (300 * 1000 * 1000)
#define WAIT_NS (60 * NS_PER_S)

static uint64_t
submit_long(struct audit *a)
{
    static char entry[LONG_ENTRY];
    uint64_t ticket = 0;
    memset(entry, 'x', sizeof entry);
    assert_ok(audit_submit(a, view_of(entry, sizeof entry), &ticket));
    return ticket;
}

static enum audit_fate
await(const struct audit *a, uint64_t ticket, int64_t wait_ns)
{
    const struct timespec shortly = {.tv_nsec = 100 * 1000};
    const int64_t end = clock_mono_ns() + wait_ns;
    while (audit_fate(a, ticket) == AUDIT_WAITING && clock_mono_ns() < end) {
        (void)nanosleep(&shortly, NULL);
    }
    return audit_fate(a, ticket);
}

/* Nobody else can open the file until it is closed. */
static int
hold(const char *dir, const char *name)
{
    DEFER(file_freep) char *path = file_join(dir, name);
    const int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_SETLEASE, F_WRLCK), 0);
    return fd;
}

/* They are late, and none is refused: not before the journal's own limit. */
static void
entries_wait_for_a_publisher_that_is_far_behind(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    uint64_t n = 0, last = 0;
    fixture_append(dir, 0, 1);
    struct audit *a = fixture_open(dir, 0);
    const int held = hold(dir, "tree/entries");
    do {
        last = submit_long(a);
        n++;
    } while (n < 4 * BEHIND / LONG_ENTRY && await(a, last, PATIENCE_NS) == AUDIT_DURABLE);
    assert_int_equal(audit_fate(a, last), AUDIT_WAITING);
    assert_true(n * LONG_ENTRY > BEHIND);
    assert_true((n - 2) * LONG_ENTRY < BEHIND);
    assert_int_equal(close(held), 0);
    assert_int_equal(await(a, last, WAIT_NS), AUDIT_DURABLE);
    assert_ok(audit_close(a, NULL));
    fixture_verify(dir, n + 1, 0);
}

static void
entries_do_not_wait_for_a_publisher_that_fails(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(file_freep) char *tree = file_join(dir, "tree");
    const uint64_t most = BEHIND / LONG_ENTRY + 50;
    struct audit *a = fixture_open(dir, 0);
    fixture_overwrite(dir, "tree", view_str("in the way"));
    for (uint64_t i = 0; i < most; i++) {
        assert_int_equal(await(a, submit_long(a), WAIT_NS), AUDIT_DURABLE);
    }
    assert_false(status_ok(audit_health(a)));
    assert_int_equal(unlink(tree), 0);
    assert_ok(audit_close(a, NULL)); /* which publishes */
    fixture_verify(dir, most, 0);
}

static void
goes_on_with_a_log_that_has_a_file_for_each_tile(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(file_freep) char *tree = file_join(dir, "tree");
    DEFER(file_freep) char *tiles = file_join(dir, "tile");
    fixture_append(dir, 0, 300);
    fixture_own_files(dir);
    fixture_verify(dir, 300, 0);
    fixture_append(dir, 300, 600);
    assert_true(file_exists(tree));
    fixture_verify(dir, 600, 0);
    testing_remove(tiles); /* is not needed any more */
    fixture_verify(dir, 600, 0);
    fixture_append(dir, 600, 601);
    fixture_verify(dir, 601, 0);
}

static void
a_copy_is_brought_up_to_date(void **state)
{
    (void)state;
    static const char *const same[] = {"tile/0/000", "tile/entries/000"};
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(testing_dirp) char *copy = testing_dir();
    DEFER(testing_dirp) char *fresh = testing_dir();
    DEFER(buf_done) struct buf proof;
    uint64_t copied = 0;
    buf_init(&proof, 1u << 20);
    fixture_append(dir, 0, 260);
    assert_ok(audit_copy(dir, copy, NULL, &copied));
    assert_ok(audit_copy(dir, fresh, NULL, &copied));
    for (size_t i = 0; i < 2; i++) {
        fixture_overwrite(copy, same[i], view_str("is left as it is"));
    }
    fixture_append(dir, 260, 520);
    assert_ok(audit_copy(dir, copy, NULL, &copied));
    assert_int_equal(copied, 520);
    fixture_verify(fresh, 260, 0); /* as whoever has a copy does */
    for (size_t i = 0; i < 2; i++) {
        DEFER(buf_done) struct buf bytes;
        DEFER(file_freep) char *path = file_join(copy, same[i]);
        testing_read(path, &bytes);
        assert_true(view_equal_str(buf_view(&bytes), "is left as it is"));
    }
    assert_ok(audit_prove(copy, 519, NULL, &proof, NULL));
    assert_ok(audit_prove(copy, 300, NULL, &proof, NULL)); /* in one that was partial */
}

static void
a_copy_goes_nowhere_where_another_log_is(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(testing_dirp) char *copy = testing_dir();
    DEFER(testing_dirp) char *older = testing_dir();
    struct diag diag = {0};
    uint64_t copied = 0;
    fixture_append(dir, 0, 3);
    fixture_append(older, 0, 2);
    assert_status(audit_copy(dir, dir, &diag, &copied), EXISTS);
    assert_says(&diag, "it is a log, not the copy of one");
    assert_ok(audit_copy(dir, copy, NULL, &copied));
    assert_status(audit_copy(older, copy, &diag, &copied), INTEGRITY);
    assert_says(&diag, "it has 3 entries, the log has 2");
    fixture_overwrite(copy, "vkey", view_str("of/another+00000000+AAAA\n"));
    assert_status(audit_copy(dir, copy, &diag, &copied), EXISTS);
    assert_says(&diag, "it is the copy of another log");
}

/* Its end would be where the next one is written. */
static void
a_wrong_end_of_the_last_bundle_stops_a_writer(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(file_freep) char *ends = file_join(dir, "tree/ends");
    DEFER(buf_done) struct buf bytes;
    const struct audit_options o = {.signer = fixture_signer()};
    struct audit *a = NULL;
    struct diag diag = {0};
    fixture_append(dir, 0, 256);
    testing_read(ends, &bytes);
    bytes.ptr[6] ^= 1;
    testing_write(ends, buf_view(&bytes));
    assert_status(audit_open(dir, &o, &diag, &a), INTEGRITY);
    assert_says(&diag, "tree/ends byte 0 says");
    bytes.ptr[6] ^= 3;
    testing_write(ends, buf_view(&bytes));
    assert_status(audit_open(dir, &o, &diag, &a), INTEGRITY);
    bytes.ptr[6] ^= 2;
    testing_write(ends, buf_view(&bytes));
    fixture_append(dir, 256, 258);
    fixture_verify(dir, 258, 0);
    assert_int_equal(unlink(ends), 0);
    assert_status(audit_open(dir, &o, &diag, &a), INTEGRITY);
    assert_says(&diag, "tree/ends: byte 0: the file is missing");
}

/* Nothing is signed over a hole. */
static void
a_tree_that_was_cut_under_a_writer_stops_it(void **state)
{
    (void)state;
    static const char *const files[] = {"tree/hashes.0", "tree/entries"};
    for (size_t i = 0; i < 2; i++) {
        DEFER(testing_dirp) char *dir = testing_dir();
        DEFER(file_freep) char *path = file_join(dir, files[i]);
        DEFER(buf_done) struct buf bytes;
        struct diag diag = {0};
        fixture_append(dir, 0, 5);
        testing_read(path, &bytes);
        struct audit *a = fixture_open(dir, 0);
        assert_ok(audit_append(a, view_str("{}"), NULL));
        assert_int_equal(truncate(path, 10), 0);
        assert_status(audit_publish(a, &diag), INTEGRITY);
        assert_says(&diag, "byte 10: the file was cut short");
        assert_int_equal(unlink(path), 0);
        assert_false(status_ok(audit_publish(a, &diag)));
        assert_false(file_exists(path));
        testing_write(path, buf_view(&bytes));
        assert_ok(audit_publish(a, NULL));
        assert_ok(audit_close(a, NULL));
        fixture_verify(dir, 6, 0);
    }
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(entries_wait_for_a_publisher_that_is_far_behind),
        cmocka_unit_test(entries_do_not_wait_for_a_publisher_that_fails),
        cmocka_unit_test(goes_on_with_a_log_that_has_a_file_for_each_tile),
        cmocka_unit_test(a_copy_is_brought_up_to_date),
        cmocka_unit_test(a_copy_goes_nowhere_where_another_log_is),
        cmocka_unit_test(a_wrong_end_of_the_last_bundle_stops_a_writer),
        cmocka_unit_test(a_tree_that_was_cut_under_a_writer_stops_it),
    };
    (void)signal(SIGIO, SIG_IGN); /* tells that a lease is to end */
    fixture_in_memory();
    return cmocka_run_group_tests(cases, NULL, NULL);
}
