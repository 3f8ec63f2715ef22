/* `audit tail`: the newest entries, and each that comes, once and in order, until it is stopped. */
#include "cli/run.h"

#include "govern/fixture.h"

#include "base/clock.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WAIT_NS (120 * NS_PER_S)

static const char *
log_of(struct room *m, uint64_t entries)
{
    static char dir[600];
    (void)snprintf(dir, sizeof dir, "%s/log", m->dir);
    fixture_append(dir, 0, entries);
    return dir;
}

/* One line an entry, from that one on; how many. */
static uint64_t
assert_lines(const char *text, uint64_t from)
{
    uint64_t n = 0;
    for (const char *end = strchr(text, '\n'); end != NULL; end = strchr(text, '\n')) {
        DEFER(js_freep) json_t *o = NULL;
        DEFER(buf_done) struct buf entry;
        DEFER(buf_done) struct buf want;
        buf_init(&entry, 4096);
        buf_init(&want, 4096);
        assert_ok(js_parse(view_of(text, (size_t)(end - text)), "line", NULL, &o));
        assert_int_equal(json_integer_value(json_object_get(o, "index")), from + n);
        fixture_entry(from + n, &want);
        json_t *is = NULL;
        assert_ok(js_parse(buf_view(&want), "entry", NULL, &is));
        assert_true(json_equal(json_object_get(o, "entry"), is));
        json_decref(is);
        text = end + 1;
        n++;
    }
    return n;
}

static void
shows_the_newest_entries(void **state)
{
    struct room *m = *state;
    const char *dir = log_of(m, 25);
    RUN(m, 0, "audit", "tail", dir, "--json");
    assert_int_equal(assert_lines(buf_str(&m->r.out), 15), 10);
    RUN(m, 0, "audit", "tail", dir, "--last", "3", "--json");
    assert_int_equal(assert_lines(buf_str(&m->r.out), 22), 3);
    RUN(m, 0, "audit", "tail", dir, "--last", "100", "--json");
    assert_int_equal(assert_lines(buf_str(&m->r.out), 0), 25);
    RUN(m, 0, "audit", "tail", dir, "--last", "0");
    assert_int_equal(m->r.out.len, 0);
    RUN(m, 0, "audit", "tail", dir, "--last", "1");
    OUT_HAS(m, "24");
    assert_null(strstr(buf_str(&m->r.out), "23 "));
    RUN(m, 2, "audit", "tail", dir, "--last", "-1");
    RUN(m, 2, "audit", "tail", dir, "--last", "100001");
}

static void
refuses_what_is_no_log_or_was_changed(void **state)
{
    struct room *m = *state;
    const char *dir = log_of(m, 5);
    RUN(m, 4, "audit", "tail", in(m, "nowhere"));
    DEFER(file_freep) char *checkpoint = file_join(dir, "checkpoint");
    DEFER(buf_done) struct buf note;
    testing_read(checkpoint, &note);
    note.ptr[note.len - 3] = note.ptr[note.len - 3] == 'A' ? 'B' : 'A';
    testing_write(checkpoint, buf_view(&note));
    RUN(m, 6, "audit", "tail", dir);
    ERR_HAS(m, "checkpoint");
}

/* ---- following ---- */

static void
await_lines(const char *path, uint64_t from, uint64_t lines)
{
    const int64_t until = clock_mono_ns() + WAIT_NS;
    uint64_t n = 0;
    while (n < lines && clock_mono_ns() < until) {
        const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
        DEFER(buf_done) struct buf text;
        testing_read(path, &text);
        n = assert_lines(buf_str(&text), from);
        (void)nanosleep(&pause, NULL);
    }
    assert_int_equal(n, lines);
}

static void
follows_each_entry_once_and_in_order(void **state)
{
    struct room *m = *state;
    const char *dir = log_of(m, 300);
    DEFER(file_freep) char *out = file_join(m->dir, "out");
    char *const argv[] = {(char *)(uintptr_t)testing_binary(),
                          (char *)(uintptr_t) "audit",
                          (char *)(uintptr_t) "tail",
                          (char *)(uintptr_t)dir,
                          (char *)(uintptr_t) "--last",
                          (char *)(uintptr_t) "2",
                          (char *)(uintptr_t) "--follow",
                          (char *)(uintptr_t) "--json",
                          NULL};
    const pid_t pid = testing_start(argv, out);
    await_lines(out, 298, 2);
    /* What is durable and under no checkpoint yet comes, too; then what closes several bundles. */
    struct audit *a = fixture_open(dir, 0);
    DEFER(buf_done) struct buf entry;
    buf_init(&entry, 4096);
    fixture_entry(300, &entry);
    assert_ok(audit_append(a, buf_view(&entry), NULL));
    await_lines(out, 298, 3);
    assert_ok(audit_close(a, NULL));
    fixture_append(dir, 301, 1000);
    fixture_append(dir, 1000, 1001);
    await_lines(out, 298, 703);
    assert_int_equal(testing_stop(pid), 0);
    await_lines(out, 298, 703); /* nothing twice at its end */
}

static void
ends_with_its_reader(void **state)
{
    struct room *m = *state;
    const char *dir = log_of(m, 3);
    DEFER(file_freep) char *out = file_join(m->dir, "out");
    char *const argv[] = {
        (char *)(uintptr_t) "/bin/sh",
        (char *)(uintptr_t) "-c",
        (char *)(uintptr_t) "\"$0\" audit tail \"$1\" --follow --json | head -n 1",
        (char *)(uintptr_t)testing_binary(),
        (char *)(uintptr_t)dir,
        NULL};
    const pid_t pid = testing_start(argv, out);
    await_lines(out, 0, 1);
    /* With the next entry it sees that nobody reads: the pipeline ends by itself. */
    const int64_t until = clock_mono_ns() + WAIT_NS;
    int status = 0;
    uint64_t i = 3;
    while (waitpid(pid, &status, WNOHANG) == 0) {
        assert_true(clock_mono_ns() < until);
        fixture_append(dir, i, i + 1);
        i++;
    }
    assert_true(WIFEXITED(status));
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        BARE(shows_the_newest_entries),
        BARE(refuses_what_is_no_log_or_was_changed),
        BARE(follows_each_entry_once_and_in_order),
        BARE(ends_with_its_reader),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
