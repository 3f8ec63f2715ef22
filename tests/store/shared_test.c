/* One store in several processes and threads at once. */
#include "testing/testing.h"

#include "fixture.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs f in another process, which opens its own store: SQLite's handles do not survive a fork. */
static pid_t
in_another_process(int (*f)(int ready, int go), int *ret_ready, int *ret_go)
{
    int ready[2], go[2];
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    assert_int_equal(pipe2(go, O_CLOEXEC), 0);
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)close(ready[0]);
        (void)close(go[1]);
        _exit(f(ready[1], go[0]));
    }
    (void)close(ready[1]);
    (void)close(go[0]);
    *ret_ready = ready[0];
    *ret_go = go[1];
    return pid;
}

static void
assert_ended_well(pid_t pid, int ready, int go)
{
    int status = 0;
    (void)close(ready);
    (void)close(go);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static int
hold_the_store(int ready, int go)
{
    struct store *s = NULL;
    char c = 0;
    if (!status_ok(store_open(path, vault, NULL, &s)) || !status_ok(store_begin(s, NULL)) ||
        !status_ok(put(s, "c", "held", "1", 0)) || write(ready, "r", 1) != 1) {
        return 1;
    }
    /* Until the other end is closed or told. */
    const ssize_t n = read(go, &c, 1);
    const bool good = n >= 0 && status_ok(store_commit(s, NULL));
    store_free(s);
    return good ? 0 : 1;
}

static void
is_busy_while_another_process_writes_and_reads_on(void **state)
{
    (void)state;
    struct store *s = open_store();
    int ready = -1, go = -1;
    char c = 0;
    struct diag diag = {0};
    assert_ok(put(s, "c", "a", "1", 0));
    const pid_t pid = in_another_process(hold_the_store, &ready, &go);
    assert_int_equal(read(ready, &c, 1), 1);
    assert_value(s, "c", "a", "1", 1);
    assert_absent(s, "c", "held"); /* not committed yet */
    store_free(open_store());      /* another reader does not wait either */
    assert_status(store_put(s, "c", "b", view_str("1"), 0, &diag), BUSY);
    assert_says(&diag, "state.db: held by another process; try again later");
    assert_value(s, "c", "a", "1", 1);
    assert_ended_well(pid, ready, go);
    assert_value(s, "c", "held", "1", 1);
    assert_ok(put(s, "c", "b", "1", 0));
    store_free(s);
}

static void *
let_go(void *fd)
{
    (void)usleep(100000);
    assert_int_equal(write(*(int *)fd, "g", 1), 1);
    return NULL;
}

static void
waits_for_another_process_that_is_soon_done(void **state)
{
    (void)state;
    struct store *s = open_store();
    int ready = -1, go = -1;
    char c = 0;
    pthread_t thread;
    const pid_t pid = in_another_process(hold_the_store, &ready, &go);
    assert_int_equal(read(ready, &c, 1), 1);
    assert_int_equal(pthread_create(&thread, NULL, let_go, &go), 0);
    assert_ok(put(s, "c", "b", "1", 0));
    assert_value(s, "c", "held", "1", 1);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_ended_well(pid, ready, go);
    store_free(s);
}

#define ADDS 50

/* Adds one to a counter, as callers do: read, put at that revision, again when another was faster.
 */
static bool
add_one(struct store *s)
{
    for (;;) {
        DEFER(buf_done) struct buf value;
        uint64_t revision = 0;
        char next[24];
        buf_init(&value, 100);
        if (!status_ok(store_get(s, "c", "counter", NULL, &value, &revision))) {
            return false;
        }
        (void)snprintf(next, sizeof next, "%d", atoi(buf_str(&value)) + 1);
        const struct status done = put(s, "c", "counter", next, revision);
        if (done.code != STATUS_BUSY) {
            return status_ok(done);
        }
    }
}

static int
count_up(int ready, int go)
{
    struct store *s = NULL;
    bool good = status_ok(store_open(path, vault, NULL, &s));
    (void)ready, (void)go;
    for (int i = 0; good && i < ADDS; i++) {
        good = add_one(s);
    }
    store_free(s);
    return good ? 0 : 1;
}

static void
loses_no_change_of_two_processes(void **state)
{
    (void)state;
    struct store *s = open_store();
    int ready[2], go[2];
    pid_t pid[2];
    assert_ok(put(s, "c", "counter", "0", 0));
    for (int i = 0; i < 2; i++) {
        pid[i] = in_another_process(count_up, &ready[i], &go[i]);
    }
    for (int i = 0; i < 2; i++) {
        assert_ended_well(pid[i], ready[i], go[i]);
    }
    assert_value(s, "c", "counter", "100", 1 + 2 * ADDS);
    store_free(s);
}

static int
open_the_new_file(int ready, int go)
{
    struct store *s = NULL;
    char c = 0;
    (void)ready;
    const bool good = read(go, &c, 1) == 1 && status_ok(store_open(path, vault, NULL, &s));
    store_free(s);
    return good ? 0 : 1;
}

static void
make_the_file_in_four_processes(void)
{
    int ready[4], go[4];
    pid_t pid[4];
    for (int i = 0; i < 4; i++) {
        pid[i] = in_another_process(open_the_new_file, &ready[i], &go[i]);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(write(go[i], "g", 1), 1);
    }
    for (int i = 0; i < 4; i++) {
        assert_ended_well(pid[i], ready[i], go[i]);
    }
    store_free(open_store());
}

/* Again and again: how the four meet is chance. */
static void
lets_several_processes_make_the_file_at_once(void **state)
{
    (void)state;
    for (int i = 0; i < 25; i++) {
        make_the_file_in_four_processes();
        assert_int_equal(unlink(path), 0);
    }
}

static void *
add_in_a_thread(void *s)
{
    for (int i = 0; i < ADDS; i++) {
        if (!add_one(s)) {
            return NULL;
        }
    }
    return s;
}

static void
loses_no_change_of_two_threads(void **state)
{
    (void)state;
    struct store *s = open_store();
    pthread_t thread[2];
    assert_ok(put(s, "c", "counter", "0", 0));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&thread[i], NULL, add_in_a_thread, s), 0);
    }
    for (int i = 0; i < 2; i++) {
        void *good = NULL;
        assert_int_equal(pthread_join(thread[i], &good), 0);
        assert_non_null(good);
    }
    assert_value(s, "c", "counter", "100", 1 + 2 * ADDS);
    store_free(s);
}

#define TEST(F) cmocka_unit_test_setup_teardown(F, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest cases[] = {
        TEST(is_busy_while_another_process_writes_and_reads_on),
        TEST(waits_for_another_process_that_is_soon_done),
        TEST(loses_no_change_of_two_processes),
        TEST(loses_no_change_of_two_threads),
        TEST(lets_several_processes_make_the_file_at_once),
    };
    return cmocka_run_group_tests(cases, make_keys, remove_keys);
}
