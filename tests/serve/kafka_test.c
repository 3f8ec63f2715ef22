/* The log's events from a running server to a topic of Kafka, and by the verb: brokers that refuse,
 * that go and come back, a server that is killed meanwhile. The tests build on one another. */
#include "net/broker.h"
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

#define WAIT_NS (120 * NS_PER_S)
#define TOPIC "steward"
#define MESSAGE_TOO_LARGE 10
#define NOT_ENOUGH_REPLICAS 19

static struct room it;
static struct broker *cluster;
static char to[128];

static void
rest(void)
{
    const struct timespec pause = {.tv_nsec = 200 * 1000 * 1000};
    (void)nanosleep(&pause, NULL);
}

static void
call(unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        room_answers(&it, "POST", ROOM_INFER, it.caller, 200, "\"outputs\"");
    }
}

/* How many entries the topic has from the first on, in one partition, in order; none is passed
 * over. */
static int64_t
whole(const char *topic, size_t *ret_messages)
{
    struct broker_message *m = NULL;
    int64_t next = 0;
    *ret_messages = broker_read(cluster, topic, &m);
    for (size_t i = 0; i < *ret_messages; i++) {
        assert_int_equal(m[i].partition, m[0].partition);
        assert_string_equal(m[i].key, m[i].log);
        assert_true(m[i].index >= 0 && m[i].index <= next);
        next += m[i].index == next;
    }
    free(m);
    return next;
}

static void
await_whole(int64_t least)
{
    const int64_t until = clock_mono_ns() + WAIT_NS;
    size_t messages = 0;
    int64_t has = whole(TOPIC, &messages);
    while (has < least && clock_mono_ns() < until) {
        rest();
        has = whole(TOPIC, &messages);
    }
    assert_true(has >= least);
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

static int
set_up(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf yaml;
    cluster = broker_start(1); /* before there are threads */
    broker_topic(cluster, TOPIC, 3, 1);
    broker_topic(cluster, "second", 1, 1);
    (void)setenv("STEWARD_PASSPHRASE", "correct horse battery staple", 1);
    room_init(&it);
    room_make(&it, "passphrase", "");
    buf_init(&yaml, 1 << 16);
    (void)snprintf(to, sizeof to, "kafka-plain://%s/", broker_host(cluster, 1));
    buf_printf(&yaml,
               "audit:\n  publish: 50ms\n  export: [lake %s" TOPIC "]\n"
               "network:\n  egress: [export 127.0.0.1 %u http]\n",
               to, broker_port(cluster, 1));
    DEFER(file_freep) char *file = file_join(it.dir, "steward.yaml");
    testing_write(file, buf_view(&yaml));
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    const int ended = room_done(&it);
    broker_stop(cluster);
    return ended;
}

/* ---- the tests ---- */

static void
entries_are_in_the_topic_in_order(void **state)
{
    (void)state;
    room_start(&it);
    call(30);
    await_whole(room_log_length());
    await_line("export.configure", "exports/lake");
}

static void
a_broker_that_refuses_is_told_and_gets_all_of_it_later(void **state)
{
    (void)state;
    static const int16_t errors[] = {NOT_ENOUGH_REPLICAS, MESSAGE_TOO_LARGE};
    broker_refuse(cluster, errors, 2);
    call(5);
    await_line("export.send", "topic " TOPIC);
    await_whole(room_log_length());
    await_line("export.send", "it takes them again");
}

static void
nothing_is_missed_while_the_broker_is_gone_and_the_server_is_killed(void **state)
{
    (void)state;
    int ended = 0;
    broker_down(cluster, 1, true);
    call(20);
    assert_int_equal(kill(it.pid, SIGKILL), 0);
    assert_int_equal(waitpid(it.pid, &ended, 0), it.pid);
    room_start(&it);
    call(20);
    broker_down(cluster, 1, false);
    await_whole(room_log_length());
}

static void
the_verb_sends_once_and_goes_on(void **state)
{
    (void)state;
    size_t first = 0, second = 0;
    char topic[160];
    assert_int_equal(testing_stop(it.pid), 0);
    it.pid = 0;
    (void)snprintf(topic, sizeof topic, "%ssecond", to);
    assert_steward("audit", "export", "--to", topic, "--destination", "second");
    const int64_t had = whole("second", &first);
    assert_int_equal(had, (int64_t)first);
    assert_true(first > 70);
    assert_steward("audit", "export", "--to", topic, "--destination", "second");
    const int64_t has = whole("second", &second);
    assert_int_equal(has, (int64_t)second); /* none twice */
    assert_true(second > first);            /* the entries that it connects */
    struct testing_run r;
    testing_steward(&r, "audit", "export", "--to", "kafka://127.0.0.1:1/a", NULL);
    assert_int_equal(r.exit_code, 3);
    assert_text_has(buf_str(&r.err), "no line of network.egress allows it");
    testing_run_done(&r);
    testing_steward(&r, "audit", "export", "--to", "kafka://127.0.0.1:1", NULL);
    assert_int_equal(r.exit_code, 2);
    assert_text_has(buf_str(&r.err), "a slash and the topic");
    testing_run_done(&r);
    DEFER(buf_done) struct buf said;
    testing_read(it.log, &said);
    assert_null(strstr(buf_str(&said), "sandbox: system call"));
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(entries_are_in_the_topic_in_order),
        cmocka_unit_test(a_broker_that_refuses_is_told_and_gets_all_of_it_later),
        cmocka_unit_test(nothing_is_missed_while_the_broker_is_gone_and_the_server_is_killed),
        cmocka_unit_test(the_verb_sends_once_and_goes_on),
    };
    return cmocka_run_group_tests(cases, set_up, tear_down);
}
