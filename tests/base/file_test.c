/* Files, locks, clocks, digests, threads, status. */
#include "testing/testing.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/text.h"
#include "base/threads.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- file ---- */

static unsigned
entries(const char *dir)
{
    DIR *d = opendir(dir);
    assert_non_null(d);
    unsigned n = 0;
    for (const struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        n += e->d_name[0] != '.';
    }
    (void)closedir(d);
    return n;
}

static void
assert_holds(const char *path, const char *text)
{
    DEFER(buf_done) struct buf b;
    testing_read(path, &b);
    assert_string_equal(buf_str(&b), text);
}

static void
refuses_to_read_what_is_absent_or_too_long(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(file_freep) char *path = file_join(dir, "a");
    DEFER(buf_done) struct buf b;
    struct diag diag = {0};
    buf_init(&b, 100);
    assert_status(file_read(path, 10, &diag, &b), NOT_FOUND);
    assert_says(&diag, path);
    assert_says(&diag, "No such file or directory");
    testing_write(path, view_str("0123456789"));
    assert_ok(file_read(path, 10, &diag, &b));
    assert_string_equal(buf_str(&b), "0123456789");
    buf_reset(&b);
    assert_status(file_read(path, 9, &diag, &b), LIMIT);
    assert_says(&diag, "longer than 9 bytes");
    buf_reset(&b);
    assert_status(file_read("/dev/zero", 50, &diag, &b), LIMIT); /* has no size to tell */
    buf_reset(&b);
    assert_status(file_read(dir, 10, &diag, &b), IO);
}

static void
a_replacement_is_whole_or_not_at_all(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(file_freep) char *path = file_join(dir, "a");
    struct diag diag = {0};
    assert_ok(file_replace(path, view_str("old"), 0640, &diag));
    assert_ok(file_replace(path, view_str("new"), 0600, &diag));
    assert_holds(path, "new");
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(entries(dir), 1);
    DEFER(file_freep) char *nowhere = file_join(dir, "no/such/a");
    assert_status(file_replace(nowhere, view_str("x"), 0600, &diag), NOT_FOUND);
    assert_says(&diag, nowhere);
    DEFER(file_freep) char *folder = file_join(dir, "folder");
    assert_ok(file_mkdirs(folder, 0700, &diag));
    assert_status(file_replace(folder, view_str("x"), 0600, &diag), IO);
    assert_int_equal(entries(dir), 2); /* and no temporary file */
}

static void
a_draft_is_not_seen_before_it_is_kept(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(file_freep) char *path = file_join(dir, "a");
    struct diag diag = {0};
    struct file_draft d = {0};
    file_draft_done(&d); /* holds nothing */
    assert_ok(file_replace(path, view_str("old"), 0600, &diag));
    assert_ok(file_draft_open(path, 0640, &diag, &d));
    assert_ok(file_write_all(d.fd, view_str("ne"), path, &diag));
    assert_holds(path, "old");
    file_draft_done(&d);
    assert_holds(path, "old");
    assert_int_equal(entries(dir), 1); /* the abandoned one is gone */
    assert_ok(file_draft_open(path, 0640, &diag, &d));
    assert_ok(file_write_all(d.fd, view_str("ne"), path, &diag));
    assert_ok(file_write_all(d.fd, view_str("w"), path, &diag));
    assert_ok(file_draft_keep(&d, &diag));
    file_draft_done(&d);
    assert_holds(path, "new");
    assert_int_equal(entries(dir), 1);
    assert_status(file_draft_open("/no/such/a", 0600, &diag, &d), NOT_FOUND);
    assert_says(&diag, "/no/such/a");
}

/* /dev/null, a pipe: it is written to, not replaced. */
static void
a_draft_of_a_device_is_the_device(void **state)
{
    (void)state;
    struct diag diag = {0};
    DEFER(file_draft_done) struct file_draft d = {0};
    assert_ok(file_draft_open("/dev/null", 0600, &diag, &d));
    assert_ok(file_write_all(d.fd, view_str("x"), "/dev/null", &diag));
    assert_ok(file_draft_keep(&d, &diag));
    struct stat st;
    assert_int_equal(stat("/dev/null", &st), 0);
    assert_true(S_ISCHR(st.st_mode));
}

static void
a_full_disk_keeps_the_old_file(void **state)
{
    (void)state;
    testing_need_small_disk();
    DEFER(testing_dirp) char *dir = testing_dir();
    assert_true(testing_small_disk(dir, 64 << 10));
    DEFER(file_freep) char *path = file_join(dir, "a");
    struct diag diag = {0};
    assert_ok(file_replace(path, view_str("old"), 0600, &diag));
    uint8_t *large = calloc(1, 1u << 20);
    assert_non_null(large);
    const struct status s = file_replace(path, view_of(large, 1u << 20), 0600, &diag);
    free(large);
    assert_int_equal(s.code, STATUS_IO);
    assert_int_equal(s.os, ENOSPC);
    assert_says(&diag, path);
    assert_says(&diag, "No space left on device");
    assert_holds(path, "old");
    assert_int_equal(entries(dir), 1);
    testing_small_disk_done(dir);
}

static void
makes_folders_like_mkdir_p(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(file_freep) char *deep = file_join(dir, "a//b/c/");
    DEFER(file_freep) char *file = file_join(dir, "a/file");
    DEFER(file_freep) char *below = file_join(dir, "a/file/x");
    struct diag diag = {0};
    assert_ok(file_mkdirs(deep, 0700, &diag));
    assert_ok(file_mkdirs(deep, 0700, &diag));
    assert_true(file_exists(deep));
    assert_ok(file_mkdirs("/", 0700, &diag));
    testing_write(file, view_str("x"));
    assert_status(file_mkdirs(below, 0700, &diag), NOT_FOUND);
    assert_says(&diag, "Not a directory");
    assert_status(file_mkdirs("", 0700, &diag), NOT_FOUND);
}

static void
a_lock_is_held_by_one(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(file_freep) char *path = file_join(dir, "lock");
    DEFER(file_closep) int second = -1;
    int fd = -1;
    struct diag diag = {0};
    assert_ok(file_lock(path, false, &diag, &fd));
    assert_status(file_lock(path, false, &diag, &second), BUSY);
    assert_says(&diag, "lock: held by another process");
    assert_int_equal(second, -1);
    const pid_t child = fork(); /* nor by another process */
    assert_true(child >= 0);
    if (child == 0) {
        int mine = -1;
        (void)close(fd);
        _exit(file_lock(path, false, NULL, &mine).code);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), STATUS_BUSY);
    file_closep(&fd);
    assert_ok(file_lock(path, false, &diag, &second));
    DEFER(file_freep) char *link = file_join(dir, "link");
    assert_int_equal(symlink(path, link), 0);
    int followed = -1;
    assert_status(file_lock(link, false, &diag, &followed), IO); /* a link is not followed */
}

static void
a_write_to_a_full_device_says_so(void **state)
{
    (void)state;
    struct diag diag = {0};
    FILE *full = fopen("/dev/full", "w");
    assert_non_null(full);
    const struct status s = file_write_all(fileno(full), view_str("x"), "/dev/full", &diag);
    (void)fclose(full);
    assert_int_equal(s.os, ENOSPC);
    assert_says(&diag, "/dev/full: No space left on device");
}

/* ---- clock ---- */

static void
refuses_times_that_are_not_rfc3339(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "2026-11-23",
        "2026-11-23T10:20:30",
        "2026-11-23T10:20:30+00:00",
        "2026-11-23 10:20:30Z",
        "2026-11-23t10:20:30z",
        "2026-13-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2026-11-23T24:00:00Z",
        "2026-11-23T10:60:00Z",
        "2026-11-23T10:20:60Z",
        "2026-11-23T10:20:30.Z",
        "2026-11-23T10:20:30.1234567890Z",
        "2026-11-23T10:20:30Zx",
        "2026-11-23T10:20:30Z ",
        " 2026-11-23T10:20:30Z",
        "26-11-23T10:20:30Z",
        "1600-01-01T00:00:00Z",
        "9999-01-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "2026-1a-01T00:00:00Z",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t ns = 77;
        if (status_ok(clock_from_rfc3339(view_str(bad[i]), &ns))) {
            print_error("%s was taken\n", bad[i]);
        }
        assert_true(ns == 77);
    }
}

static void
times_come_back_to_the_microsecond(void **state)
{
    (void)state;
    static const struct {
        int64_t ns;
        const char *text;
    } known[] = {
        {0, "1970-01-01T00:00:00.000000Z"},
        {INT64_C(1782210030123456000), "2026-06-23T10:20:30.123456Z"},
        {-1000, "1969-12-31T23:59:59.999999Z"},
        {INT64_C(951825599999999000), "2000-02-29T11:59:59.999999Z"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        DEFER(buf_done) struct buf b;
        buf_init(&b, 64);
        clock_put_rfc3339(&b, known[i].ns);
        assert_string_equal(buf_str(&b), known[i].text);
    }
    for (int64_t ns = -INT64_C(9000000000000000000); ns < INT64_C(9000000000000000000);
         ns += INT64_C(7654321987654321)) {
        DEFER(buf_done) struct buf b;
        int64_t back = 0;
        buf_init(&b, 64);
        clock_put_rfc3339(&b, ns);
        assert_ok(clock_from_rfc3339(buf_view(&b), &back));
        assert_true(back <= ns && ns - back < 1000);
    }
    for (int day = 0; day < 584 * 372; day++) { /* of months of 31 days */
        const int year = 1678 + day / 372, month = 1 + day % 372 / 31, of_month = 1 + day % 31;
        struct tm tm = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = of_month};
        const int64_t expected = (int64_t)timegm(&tm) * NS_PER_S;
        char text[32];
        int64_t ns = 0;
        (void)snprintf(text, sizeof text, "%04d-%02d-%02dT00:00:00Z", year, month, of_month);
        assert_int_equal(status_ok(clock_from_rfc3339(view_str(text), &ns)),
                         tm.tm_mday == of_month);
        assert_true(tm.tm_mday != of_month || ns == expected);
    }
    int64_t a = 0, b = 0;
    assert_ok(clock_from_rfc3339(view_str("2026-11-23T10:20:30.000000001Z"), &a));
    assert_ok(clock_from_rfc3339(view_str("2026-11-23T10:20:30Z"), &b));
    assert_true(a == b + 1);
    const int64_t before = clock_mono_ns();
    assert_true(clock_mono_ns() >= before);
}

/* ---- digest ---- */

static void
digest_is(const struct digest *d, const char *hex)
{
    DEFER(buf_done) struct buf b;
    buf_init(&b, 64);
    digest_put_hex(&b, d);
    assert_string_equal(buf_str(&b), hex);
}

/* The examples of FIPS 180-2, appendix B, and the empty message. */
static void
digests_are_sha256(void **state)
{
    (void)state;
    struct digest d;
    digest_of((struct view){0}, &d);
    digest_is(&d, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    digest_of(view_str("abc"), &d);
    digest_is(&d, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    digest_of(view_str("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"), &d);
    digest_is(&d, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    uint8_t *million = malloc(1000000);
    assert_non_null(million);
    memset(million, 'a', 1000000);
    digest_of(view_of(million, 1000000), &d);
    free(million);
    digest_is(&d, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    struct digest whole;
    digest_of(view_of("\0abcdef", 7), &whole);
    digest_prefixed(0, view_str("abc"), view_str("def"), &d);
    assert_memory_equal(d.bytes, whole.bytes, DIGEST_BYTES);
    digest_prefixed(0, view_str("abcdef"), (struct view){0}, &d);
    assert_memory_equal(d.bytes, whole.bytes, DIGEST_BYTES);
    digest_prefixed(1, view_str("abcdef"), (struct view){0}, &d);
    assert_memory_not_equal(d.bytes, whole.bytes, DIGEST_BYTES);
}

/* RFC 4231, test cases 2 and 6: a short key, and one longer than a block. */
static void
macs_are_those_of_the_rfc(void **state)
{
    (void)state;
    static const struct {
        const char *key, *message, *mac;
        size_t times;
    } cases[] = {
        {"Jefe", "what do ya want for nothing?",
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", 1},
        {"\xaa", "Test Using Larger Than Block-Size Key - Hash Key First",
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54", 131},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        DEFER(buf_done) struct buf key;
        struct hmac_key kept;
        struct digest mac;
        buf_init(&key, 200);
        for (size_t k = 0; k < cases[i].times; k++) {
            buf_put_str(&key, cases[i].key);
        }
        hmac_key_of(buf_view(&key), &kept);
        hmac_of(&kept, view_str(cases[i].message), &mac);
        digest_is(&mac, cases[i].mac);
    }
}

/* ---- threads ---- */

struct work {
    unsigned runs[1000];
    double part[1000];
};

static void
one_block(void *ctx, size_t block)
{
    struct work *w = ctx;
    w->runs[block]++;
    for (unsigned i = 1; i < 100; i++) {
        w->part[block] += 1.0 / (double)(block * 100 + i);
    }
}

static void
any_number_of_threads_gives_the_same_digits(void **state)
{
    (void)state;
    static const unsigned threads[] = {1, 2, 3, 7, 0, 64, 1000};
    double first = 0;
    for (size_t k = 0; k < sizeof threads / sizeof *threads; k++) {
        struct work *w = calloc(1, sizeof *w);
        assert_non_null(w);
        threads_for(1000, threads[k], one_block, w);
        double sum = 0;
        for (unsigned i = 0; i < 1000; i++) {
            assert_int_equal(w->runs[i], 1);
            sum += w->part[i];
        }
        free(w);
        first = k == 0 ? sum : first;
        assert_true(memcmp(&sum, &first, sizeof sum) == 0);
    }
    threads_for(0, 4, one_block, NULL);
    assert_true(threads_cores() >= 1);
}

/* ---- status and diag ---- */

static struct status
fails_with(int err)
{
    FAIL_OS(err);
}

static struct status
passes_on(int err, int *reached)
{
    TRY(fails_with(err));
    *reached = 1;
    return OK;
}

static void
a_status_says_where_and_what(void **state)
{
    (void)state;
    char text[200];
    int reached = 0;
    const struct status s = passes_on(ENOSPC, &reached);
    assert_int_equal(reached, 0);
    assert_int_equal(s.os, ENOSPC);
    assert_text_has(s.where, "file_test.c:");
    diag_describe(NULL, s, text, sizeof text);
    assert_text_has(text, "the operating system refused: No space left on device");
    struct diag diag = {0};
    diag_set(&diag, "line %d", 3);
    diag_prefix(&diag, "%s", "a.csv");
    diag_describe(&diag, s, text, sizeof text);
    assert_string_equal(text, "a.csv: line 3");
    diag_describe(&diag, s, text, 6);
    assert_string_equal(text, "a.csv");
    for (int32_t code = 0; code < STATUS_CODES; code++) {
        assert_true(strlen(status_word(code)) > 1);
    }
    assert_string_equal(status_word(STATUS_CODES), "unknown");
    assert_string_equal(status_word(-1), "unknown");
}

static void
a_sentence_never_passes_its_room(void **state)
{
    (void)state;
    char long_text[2000];
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    struct diag diag = {0};
    diag_set(&diag, "%s", long_text);
    assert_int_equal(strlen(diag.text), sizeof diag.text - 1);
    diag_prefix(&diag, "place");
    assert_says(&diag, "place: xxx");
    assert_int_equal(strlen(diag.text), sizeof diag.text - 1);
    diag_prefix(&diag, "%s", long_text);
    assert_int_equal(strlen(diag.text), sizeof diag.text - 1);
    struct diag empty = {0};
    diag_prefix(&empty, "place"); /* nothing to stand before */
    assert_string_equal(empty.text, "");
    diag_set(NULL, "nobody listens");
    diag_prefix(NULL, "nobody");
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(refuses_to_read_what_is_absent_or_too_long),
        cmocka_unit_test(a_replacement_is_whole_or_not_at_all),
        cmocka_unit_test(a_draft_is_not_seen_before_it_is_kept),
        cmocka_unit_test(a_draft_of_a_device_is_the_device),
        cmocka_unit_test(a_full_disk_keeps_the_old_file),
        cmocka_unit_test(makes_folders_like_mkdir_p),
        cmocka_unit_test(a_lock_is_held_by_one),
        cmocka_unit_test(a_write_to_a_full_device_says_so),
        cmocka_unit_test(refuses_times_that_are_not_rfc3339),
        cmocka_unit_test(times_come_back_to_the_microsecond),
        cmocka_unit_test(digests_are_sha256),
        cmocka_unit_test(macs_are_those_of_the_rfc),
        cmocka_unit_test(any_number_of_threads_gives_the_same_digits),
        cmocka_unit_test(a_status_says_where_and_what),
        cmocka_unit_test(a_sentence_never_passes_its_room),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
