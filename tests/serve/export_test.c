/* The log's events from a running server to receivers of syslog over TLS: one that takes half and
 * dies, a server that is killed, a change of the configuration, and one that takes a way out
 * away. The tests build on one another. */
#include "net/syslog.h"
#include "room.h"

#include "base/clock.h"
#include "base/file.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PASSPHRASE "correct horse battery staple"
#define WAIT_NS (120 * NS_PER_S)

static struct room it;
static struct syslog *siem, *lake;
static char ca[2][512];

static void
rest(void)
{
    const struct timespec pause = {.tv_nsec = 200 * 1000 * 1000};
    (void)nanosleep(&pause, NULL);
}

static void
configure(const char *receivers, const char *rules)
{
    DEFER(file_freep) char *file = file_join(it.dir, "steward.yaml");
    DEFER(buf_done) struct buf yaml;
    buf_init(&yaml, 1 << 16);
    buf_printf(&yaml, "audit:\n  publish: 50ms\n  export: [%s]\nnetwork:\n  egress: [%s]\n",
               receivers, rules);
    testing_write(file, buf_view(&yaml));
}

static const char *
line_of(const char *name, size_t which, const struct syslog *s)
{
    static char line[2][700];
    (void)snprintf(line[which], sizeof line[which], "\"%s syslog://127.0.0.1:%u jsonl ca-file=%s\"",
                   name, syslog_port(s), ca[which]);
    return line[which];
}

static void
call(unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        room_answers(&it, "POST", ROOM_INFER, it.caller, 200, "\"outputs\"");
    }
}

static unsigned
health(void)
{
    return room_asks(&it, "/v2/health/export", it.watcher);
}

static void
await_health(unsigned status)
{
    const int64_t until = clock_mono_ns() + WAIT_NS;
    while (health() != status && clock_mono_ns() < until) {
        rest();
    }
    assert_int_equal(health(), status);
}

/* Until the receiver has the log's first entries up to now, without a gap; nothing is asked of the
 * server, which would write another one. */
static void
await_whole(struct syslog *s, int64_t entries)
{
    const int64_t until = clock_mono_ns() + WAIT_NS;
    while (syslog_whole(s) < entries && clock_mono_ns() < until) {
        rest();
    }
    assert_true(syslog_whole(s) >= entries);
}

static void
await_line(const char *action, const char *text)
{
    const int64_t until = clock_mono_ns() + WAIT_NS;
    struct testing_run r = {0};
    do {
        testing_run_done(&r);
        rest();
        testing_steward(&r, "audit", "show", "--action", action, NULL);
    } while (strstr(buf_str(&r.out), text) == NULL && clock_mono_ns() < until);
    assert_text_has(buf_str(&r.out), text);
    testing_run_done(&r);
}

static uint64_t
metric(const char *name, const char *receiver)
{
    struct reply r;
    char request[512], line[128];
    (void)snprintf(request, sizeof request,
                   "GET /metrics HTTP/1.1\r\nhost: a\r\nauthorization: Bearer %s\r\n\r\n",
                   it.watcher);
    (void)snprintf(line, sizeof line, "\n%s{receiver=\"%s\"} ", name, receiver);
    assert_int_equal(client_ask(it.port, request, &r), 200);
    const char *at = strstr(buf_str(&r.body), line);
    assert_non_null(at);
    const uint64_t value = strtoull(at + strlen(line), NULL, 10);
    reply_done(&r);
    return value;
}

/* Until it is at least that. */
static void
await_metric(const char *name, const char *receiver, uint64_t least)
{
    const int64_t until = clock_mono_ns() + WAIT_NS;
    while (metric(name, receiver) < least && clock_mono_ns() < until) {
        rest();
    }
    assert_true(metric(name, receiver) >= least);
}

static int
set_up(void **state)
{
    (void)state;
    (void)setenv("STEWARD_PASSPHRASE", PASSPHRASE, 1);
    room_init(&it);
    room_make(&it, "passphrase", "");
    (void)snprintf(ca[0], sizeof ca[0], "%s/siem.pem", it.root);
    (void)snprintf(ca[1], sizeof ca[1], "%s/lake.pem", it.root);
    siem = syslog_new(ca[0]);
    lake = syslog_new(ca[1]);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    syslog_free(siem);
    syslog_free(lake);
    return room_done(&it);
}

/* ---- the tests ---- */

static void
a_receiver_that_takes_half_and_dies_misses_nothing(void **state)
{
    (void)state;
    syslog_start(siem, 3000, true);
    configure(line_of("siem", 0, siem), "\"export 127.0.0.1 1-65535\"");
    room_start(&it);
    await_health(503);
    await_line("export.configure", "exports/siem");
    await_line("export.send", "deny");
    call(30); /* which wait for no receiver */
    assert_int_equal(metric("steward_export_up", "siem"), 0);
    await_metric("steward_export_entries_behind", "siem", 30);
    assert_true(metric("steward_export_failures_total", "siem") > 0);
    assert_int_equal(metric("steward_export_entries_total", "siem"), 0);
    syslog_stop(siem);
    assert_int_equal(syslog_connections(siem), 1);
    assert_true(syslog_whole(siem) < 30); /* half of it */
    syslog_start(siem, 0, false);
    await_whole(siem, room_log_length());
    await_health(200);
    await_line("export.send", "it takes them again");
    await_metric("steward_export_entries_total", "siem", 30);
    assert_true(metric("steward_export_seconds_behind", "siem") < 60);
}

static void
a_server_that_is_killed_goes_on_where_it_stood(void **state)
{
    (void)state;
    int ended = 0;
    call(10);
    await_whole(siem, room_log_length());
    assert_int_equal(kill(it.pid, SIGKILL), 0);
    assert_int_equal(waitpid(it.pid, &ended, 0), it.pid);
    room_start(&it);
    call(10);
    await_whole(siem, room_log_length());
    /* And not from the beginning. */
    int64_t first = 0;
    const unsigned last = syslog_connections(siem) - 1;
    assert_true(syslog_read(siem, last, &first, 1) == 1 && first > 0);
}

static void
a_changed_list_holds_at_once(void **state)
{
    (void)state;
    char both[1500];
    syslog_start(lake, 0, false);
    (void)snprintf(both, sizeof both, "%s, %s", line_of("siem", 0, siem), line_of("lake", 1, lake));
    configure(both, "\"export 127.0.0.1 1-65535\"");
    assert_int_equal(kill(it.pid, SIGHUP), 0);
    await_line("export.configure", "exports/lake");
    await_whole(lake, room_log_length());
    await_whole(siem, room_log_length());
    /* One that is wrong changes nothing. */
    configure("\"lake kafka://127.0.0.1:1\"", "");
    assert_int_equal(kill(it.pid, SIGHUP), 0);
    await_line("network.configure", "the configuration is wrong");
    call(5);
    await_whole(lake, room_log_length());
    configure(line_of("lake", 1, lake), "\"export 127.0.0.1 1-65535\"");
    assert_int_equal(kill(it.pid, SIGHUP), 0);
    await_line("export.configure", "sending has ended");
    call(5);
    await_whole(lake, room_log_length());
    await_health(200);
    assert_true(syslog_whole(siem) < syslog_whole(lake));
}

static void
a_way_out_that_is_taken_away_is_taken_at_once(void **state)
{
    (void)state;
    configure(line_of("lake", 1, lake), "");
    assert_int_equal(kill(it.pid, SIGHUP), 0);
    await_line("export.send", "no line of network.egress allows it");
    await_health(503);
    const int64_t had = syslog_whole(lake);
    call(5);
    configure(line_of("lake", 1, lake), "\"export 127.0.0.1 1-65535\"");
    assert_int_equal(kill(it.pid, SIGHUP), 0);
    await_health(200);
    await_whole(lake, room_log_length());
    assert_true(syslog_whole(lake) > had);
}

static void
two_do_not_move_one_position(void **state)
{
    (void)state;
    struct testing_run r;
    DEFER(file_freep) char *out = file_join(it.root, "out");
    testing_steward(&r, "audit", "export", "--destination", "lake", "--output", out, NULL);
    assert_int_equal(r.exit_code, 5);
    assert_text_has(buf_str(&r.err), "another process sends to it");
    testing_run_done(&r);
}

static void
a_server_that_ends_says_how_far_it_came(void **state)
{
    (void)state;
    assert_int_equal(testing_stop(it.pid), 0);
    it.pid = 0;
    await_line("export.configure", "sending has ended");
    syslog_stop(siem);
    syslog_stop(lake);
    DEFER(buf_done) struct buf said;
    testing_read(it.log, &said);
    assert_null(strstr(buf_str(&said), "sandbox: system call"));
    assert_true(room_log_length() > 0); /* and the log verifies */
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(a_receiver_that_takes_half_and_dies_misses_nothing),
        cmocka_unit_test(a_server_that_is_killed_goes_on_where_it_stood),
        cmocka_unit_test(a_changed_list_holds_at_once),
        cmocka_unit_test(a_way_out_that_is_taken_away_is_taken_at_once),
        cmocka_unit_test(two_do_not_move_one_position),
        cmocka_unit_test(a_server_that_ends_says_how_far_it_came),
    };
    return cmocka_run_group_tests(cases, set_up, tear_down);
}
