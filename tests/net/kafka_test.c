/* The producer of one topic against a cluster: order, keys, errors of every kind, and where it may
 * connect. */
#include "net/broker.h"
#include "net/tls_front.h"

#include "base/clock.h"
#include "net/kafka.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOG "logs.example/a"
#define TIMEOUT_NS (20 * NS_PER_S)

/* Errors of Kafka's protocol, by its numbers. */
#define NOT_LEADER 6
#define REQUEST_TIMED_OUT 7
#define MESSAGE_TOO_LARGE 10
#define NOT_ENOUGH_REPLICAS 19
#define NOT_ENOUGH_REPLICAS_AFTER_APPEND 20
#define TOPIC_AUTHORIZATION_FAILED 29

static struct broker *cluster;
static struct door *door; /* of the test that runs */

static struct door *
door_for(const char *rule)
{
    struct egress *e = egress_new();
    struct door *d = NULL;
    assert_non_null(e);
    assert_true(*rule == '\0' || status_ok(egress_add(e, view_str(rule), NULL)));
    assert_ok(door_new(e, NULL, &d));
    return d;
}

static struct kafka *
producer(const char *brokers, const char *topic, int64_t timeout_ns)
{
    struct kafka *k = NULL;
    struct diag diag = {0};
    const struct kafka_options o = {.door = door,
                                    .purpose = "export",
                                    .brokers = brokers,
                                    .topic = topic,
                                    .plain = true,
                                    .timeout_ns = timeout_ns};
    assert_ok(kafka_open(&o, &diag, &k));
    return k;
}

static struct status
put(struct kafka *k, const char *log, int from, int to, struct diag *diag)
{
    for (int i = from; i < to; i++) {
        char index[16], value[64];
        (void)snprintf(index, sizeof index, "%d", i);
        (void)snprintf(value, sizeof value, "{\"index\":%d}", i);
        const struct kafka_message m = {.key = view_str(log),
                                        .value = view_str(value),
                                        .header = {{"steward-index", index}, {"steward-log", log}}};
        TRY(kafka_put(k, &m, diag));
    }
    return kafka_settle(k, diag);
}

/* The topic has 0 to count - 1 of that log, in order, in one partition: duplicates are what was
 * there before. How many messages it has of it. */
static size_t
assert_in_order(const char *topic, const char *log, int64_t count)
{
    struct broker_message *m = NULL;
    int64_t next = 0;
    int32_t partition = -1;
    size_t of_it = 0;
    const size_t n = broker_read(cluster, topic, &m);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(m[i].log, log) != 0) {
            continue;
        }
        of_it++;
        assert_string_equal(m[i].key, log);
        assert_true(partition == -1 || partition == m[i].partition);
        partition = m[i].partition;
        assert_true(m[i].index >= 0 && m[i].index <= next); /* none is passed over */
        next = m[i].index == next ? next + 1 : next;
    }
    free(m);
    assert_int_equal(next, count);
    return of_it;
}

static int
open_door(void **state)
{
    (void)state;
    door = door_for("export 127.0.0.1 1-65535 http");
    return 0;
}

static int
close_door(void **state)
{
    (void)state;
    door_free(door);
    return 0;
}

/* ---- the tests ---- */

static void
each_log_is_in_one_partition_in_order(void **state)
{
    (void)state;
    struct diag diag = {0};
    broker_topic(cluster, "order", 4, 1);
    struct kafka *k = producer(broker_host(cluster, 1), "order", TIMEOUT_NS);
    assert_ok(put(k, LOG, 0, 700, &diag));
    assert_ok(put(k, "logs.example/b", 0, 20, &diag));
    assert_ok(put(k, LOG, 700, 1000, &diag));
    kafka_close(k);
    assert_int_equal(assert_in_order("order", LOG, 1000), 1000); /* and none twice */
    assert_int_equal(assert_in_order("order", "logs.example/b", 20), 20);
}

static void
errors_that_pass_are_waited_out(void **state)
{
    (void)state;
    static const int16_t passing[] = {NOT_ENOUGH_REPLICAS, REQUEST_TIMED_OUT, NOT_LEADER,
                                      NOT_ENOUGH_REPLICAS_AFTER_APPEND};
    struct diag diag = {0};
    broker_topic(cluster, "passing", 1, 1);
    struct kafka *k = producer(broker_host(cluster, 1), "passing", TIMEOUT_NS);
    assert_ok(put(k, LOG, 0, 10, &diag));
    broker_refuse(cluster, passing, sizeof passing / sizeof *passing);
    assert_ok(put(k, LOG, 10, 60, &diag));
    kafka_close(k);
    (void)assert_in_order("passing", LOG, 60);
}

/* The first that is refused for good ends it: no one behind is delivered, until a new producer puts
 * all of it again. */
static void
what_is_refused_for_good_leaves_no_gap(void **state)
{
    (void)state;
    static const int16_t lasting[] = {MESSAGE_TOO_LARGE, TOPIC_AUTHORIZATION_FAILED};
    struct diag diag = {0};
    broker_topic(cluster, "lasting", 1, 1);
    for (size_t i = 0; i < sizeof lasting / sizeof *lasting; i++) {
        struct kafka *k = producer(broker_host(cluster, 1), "lasting", TIMEOUT_NS);
        if (i == 0) {
            assert_ok(put(k, LOG, 0, 5, &diag));
        }
        broker_refuse(cluster, &lasting[i], 1);
        assert_status(put(k, LOG, 5, 100, &diag), IO);
        assert_says(&diag, "topic lasting: ");
        assert_status(put(k, LOG, 100, 101, &diag), IO); /* it has ended */
        kafka_close(k);
        struct broker_message *m = NULL;
        const size_t n = broker_read(cluster, "lasting", &m);
        free(m);
        assert_int_equal(n, 5);
    }
    struct kafka *k = producer(broker_host(cluster, 1), "lasting", TIMEOUT_NS);
    assert_ok(put(k, LOG, 5, 100, &diag));
    kafka_close(k);
    assert_int_equal(assert_in_order("lasting", LOG, 100), 100);
}

static void
a_broker_that_is_gone_is_told_in_time_and_misses_nothing(void **state)
{
    (void)state;
    struct diag diag = {0};
    broker_topic(cluster, "gone", 1, 1);
    struct kafka *k = producer(broker_host(cluster, 1), "gone", 2 * NS_PER_S);
    assert_ok(put(k, LOG, 0, 10, &diag));
    broker_down(cluster, 1, true);
    broker_down(cluster, 2, true);
    assert_status(put(k, LOG, 10, 50, &diag), IO);
    assert_says(&diag, "127.0.0.1");
    kafka_close(k);
    broker_down(cluster, 1, false);
    broker_down(cluster, 2, false);
    k = producer(broker_host(cluster, 1), "gone", TIMEOUT_NS);
    assert_ok(put(k, LOG, 10, 50, &diag));
    kafka_close(k);
    (void)assert_in_order("gone", LOG, 50);
}

/* In the middle of a batch, and back before its time is over: the same producer goes on, and
 * nothing is there twice. */
static void *
go_and_come_back(void *arg)
{
    (void)arg;
    broker_down(cluster, 1, true);
    broker_down(cluster, 1, false);
    return NULL;
}

static void
a_broker_that_comes_back_in_time_is_gone_on_with(void **state)
{
    (void)state;
    struct diag diag = {0};
    pthread_t thread;
    broker_topic(cluster, "back", 1, 1);
    struct kafka *k = producer(broker_host(cluster, 1), "back", TIMEOUT_NS);
    assert_ok(put(k, LOG, 0, 10, &diag));
    assert_int_equal(pthread_create(&thread, NULL, go_and_come_back, NULL), 0);
    assert_ok(put(k, LOG, 10, 3000, &diag));
    assert_int_equal(pthread_join(thread, NULL), 0);
    kafka_close(k);
    (void)assert_in_order("back", LOG, 3000);
}

static void
no_rule_no_connection(void **state)
{
    (void)state;
    struct diag diag = {0};
    static const char *const rules[] = {"", "export 127.0.0.1 1-65535", /* TLS only */
                                        "witness 127.0.0.1 1-65535 http",
                                        "export 127.0.0.1 1 http"};
    broker_topic(cluster, "rules", 1, 1);
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        door_free(door);
        door = door_for(rules[i]);
        struct kafka *k = producer(broker_host(cluster, 1), "rules", TIMEOUT_NS);
        assert_status(put(k, LOG, 0, 1, &diag), DENIED);
        assert_says(&diag, "no line of network.egress allows it");
        kafka_close(k);
    }
    struct broker_message *m = NULL;
    assert_int_equal(broker_read(cluster, "rules", &m), 0);
    free(m);
}

/* The cluster says where its brokers are; that is no rule. */
static void
a_broker_that_the_cluster_names_needs_a_rule(void **state)
{
    (void)state;
    struct diag diag = {0};
    char rule[64];
    broker_topic(cluster, "named", 1, 2);
    (void)snprintf(rule, sizeof rule, "export 127.0.0.1 %u http", broker_port(cluster, 1));
    door_free(door);
    door = door_for(rule);
    struct kafka *k = producer(broker_host(cluster, 1), "named", TIMEOUT_NS);
    assert_status(put(k, LOG, 0, 1, &diag), DENIED);
    assert_says(&diag, "no line of network.egress allows it");
    kafka_close(k);
}

/* The certificate is verified against the given authorities, its name and its rule. */
static void
over_tls_a_broker_is_whom_its_authorities_say(void **state)
{
    (void)state;
    struct diag diag = {0};
    char host[64], name[64];
    DEFER(buf_done) struct buf ca;
    broker_topic(cluster, "tls", 1, 1);
    struct tls_front *f = tls_front_start(broker_port(cluster, 1), &ca);
    (void)snprintf(host, sizeof host, "127.0.0.1:%u", tls_front_port(f));
    (void)snprintf(name, sizeof name, "localhost:%u", tls_front_port(f));
    door_free(door);
    door = door_for("export 127.0.0.1 1-65535");
    struct kafka_options o = {.door = door,
                              .purpose = "export",
                              .brokers = host,
                              .topic = "tls",
                              .timeout_ns = 3 * NS_PER_S};
    struct kafka *k = NULL;
    assert_ok(kafka_open(&o, &diag, &k)); /* the system's authorities do not know it */
    assert_status(put(k, LOG, 0, 1, &diag), IO);
    assert_says(&diag, "certificate verify failed");
    kafka_close(MOVE(k));
    door_free(door);
    door = door_for("export localhost 1-65535 at 127.0.0.0/8,::1");
    o.door = door;
    o.ca_pem = buf_view(&ca);
    o.brokers = name; /* which the certificate does not have */
    assert_ok(kafka_open(&o, &diag, &k));
    assert_status(put(k, LOG, 0, 1, &diag), IO);
    assert_says(&diag, "certificate verify failed");
    kafka_close(MOVE(k));
    door_free(door);
    door = door_for("export 127.0.0.1 1-65535");
    o.door = door;
    o.brokers = host;
    o.timeout_ns = TIMEOUT_NS;
    assert_ok(kafka_open(&o, &diag, &k));
    assert_ok(put(k, LOG, 0, 300, &diag));
    kafka_close(k);
    assert_true(tls_front_connections(f) > 0);
    assert_int_equal(assert_in_order("tls", LOG, 300), 300);
    tls_front_stop(f);
}

static void
what_is_no_broker_is_refused(void **state)
{
    (void)state;
    struct diag diag = {0};
    struct kafka *k = NULL;
    const struct kafka_options o = {.door = door,
                                    .purpose = "export",
                                    .brokers = "127.0.0.1:1",
                                    .topic = "t",
                                    .ca_pem = view_str("no certificate"),
                                    .timeout_ns = NS_PER_S};
    assert_status(kafka_open(&o, &diag, &k), INPUT);
    assert_null(k);
}

static int
start_cluster(void **state)
{
    (void)state;
    (void)signal(SIGPIPE, SIG_IGN);
    cluster = broker_start(2);
    return 0;
}

static int
stop_cluster(void **state)
{
    (void)state;
    broker_stop(cluster);
    return 0;
}

#define WITH_DOOR(TEST) cmocka_unit_test_setup_teardown(TEST, open_door, close_door)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DOOR(each_log_is_in_one_partition_in_order),
        WITH_DOOR(errors_that_pass_are_waited_out),
        WITH_DOOR(what_is_refused_for_good_leaves_no_gap),
        WITH_DOOR(a_broker_that_is_gone_is_told_in_time_and_misses_nothing),
        WITH_DOOR(a_broker_that_comes_back_in_time_is_gone_on_with),
        WITH_DOOR(no_rule_no_connection),
        WITH_DOOR(a_broker_that_the_cluster_names_needs_a_rule),
        WITH_DOOR(over_tls_a_broker_is_whom_its_authorities_say),
        WITH_DOOR(what_is_no_broker_is_refused),
    };
    return cmocka_run_group_tests(tests, start_cluster, stop_cluster);
}
