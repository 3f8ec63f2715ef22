#include "net/broker.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_BROKERS 3u
#define PRODUCE 0 /* the request's number in Kafka's protocol */
#define PARTITIONS 4

enum op { OP_TOPIC, OP_DOWN, OP_REFUSE, OP_READ };

struct question {
    enum op op;
    int32_t number, count, leader;
    int16_t error[BROKER_ERRORS];
    char topic[64];
};

struct broker {
    pid_t pid;
    int fd;
    unsigned count;
    char host[MOST_BROKERS][32];
};

static bool
move_all(int fd, void *bytes, size_t n, bool in)
{
    for (size_t done = 0; done < n;) {
        const ssize_t got = in ? read(fd, (char *)bytes + done, n - done)
                               : write(fd, (char *)bytes + done, n - done);
        if (got <= 0) {
            return false;
        }
        done += (size_t)got;
    }
    return true;
}

/* ---- in the process ---- */

static void
need(bool good)
{
    if (!good) {
        (void)fputs("the mock cluster does not do what is asked\n", stderr);
        _exit(1);
    }
}

static rd_kafka_t *
client(rd_kafka_type_t type, const char *const *settings)
{
    char why[256] = "";
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    for (; settings[0] != NULL; settings += 2) {
        need(rd_kafka_conf_set(conf, settings[0], settings[1], why, sizeof why) ==
             RD_KAFKA_CONF_OK);
    }
    rd_kafka_t *rk = rd_kafka_new(type, conf, why, sizeof why);
    need(rk != NULL);
    return rk;
}

static void
copy_header(const rd_kafka_headers_t *list, const char *name, char *to, size_t size)
{
    const void *value = NULL;
    size_t n = 0;
    if (list != NULL && rd_kafka_header_get_last(list, name, &value, &n) == 0 && n < size) {
        memcpy(to, value, n);
        to[n] = '\0';
    }
}

static void
send_message(int fd, const rd_kafka_message_t *m)
{
    struct broker_message one = {.index = -1, .partition = m->partition};
    char index[32] = "";
    rd_kafka_headers_t *headers = NULL;
    (void)rd_kafka_message_headers(m, &headers);
    copy_header(headers, "steward-index", index, sizeof index);
    copy_header(headers, "steward-log", one.log, sizeof one.log);
    one.index = *index == '\0' ? -1 : strtoll(index, NULL, 10);
    need(m->key_len < sizeof one.key);
    memcpy(one.key, m->key, m->key_len);
    need(move_all(fd, &one, sizeof one, false));
}

/* Each partition to its end; a record of partition -1 ends the list. */
static void
read_topic(int fd, const char *bootstraps, const char *topic)
{
    const char *const settings[] = {"bootstrap.servers",    bootstraps, "group.id", "test",
                                    "enable.partition.eof", "true",     NULL};
    rd_kafka_t *rk = client(RD_KAFKA_CONSUMER, settings);
    rd_kafka_topic_partition_list_t *all = rd_kafka_topic_partition_list_new(PARTITIONS);
    int ends = 0, partitions = 0;
    const struct rd_kafka_metadata *about = NULL;
    rd_kafka_topic_t *t = rd_kafka_topic_new(rk, topic, NULL);
    need(rd_kafka_metadata(rk, 0, t, &about, 20000) == 0 && about->topic_cnt == 1);
    partitions = about->topics[0].partition_cnt;
    for (int32_t p = 0; p < partitions; p++) {
        rd_kafka_topic_partition_list_add(all, topic, p)->offset = RD_KAFKA_OFFSET_BEGINNING;
    }
    need(rd_kafka_assign(rk, all) == 0);
    while (ends < partitions) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(rk, 1000);
        if (m != NULL && m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            ends++;
        } else if (m != NULL && m->err == 0) {
            send_message(fd, m);
        }
        if (m != NULL) {
            rd_kafka_message_destroy(m);
        }
    }
    struct broker_message last = {.partition = -1};
    need(move_all(fd, &last, sizeof last, false));
    rd_kafka_metadata_destroy(about);
    rd_kafka_topic_destroy(t);
    rd_kafka_topic_partition_list_destroy(all);
    (void)rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
}

static void
do_as_told(int fd, rd_kafka_mock_cluster_t *cluster, const struct question *q)
{
    rd_kafka_resp_err_t errors[BROKER_ERRORS];
    char done = 1;
    switch (q->op) {
    case OP_TOPIC:
        need(rd_kafka_mock_topic_create(cluster, q->topic, q->count, 1) == 0);
        for (int32_t p = 0; p < q->count; p++) {
            need(rd_kafka_mock_partition_set_leader(cluster, q->topic, p, q->leader) == 0);
        }
        break;
    case OP_DOWN:
        need((q->count != 0 ? rd_kafka_mock_broker_set_down(cluster, q->number)
                            : rd_kafka_mock_broker_set_up(cluster, q->number)) == 0);
        break;
    case OP_REFUSE:
        for (int32_t i = 0; i < q->count; i++) {
            errors[i] = (rd_kafka_resp_err_t)q->error[i];
        }
        rd_kafka_mock_push_request_errors_array(cluster, PRODUCE, (size_t)q->count, errors);
        break;
    case OP_READ:
        read_topic(fd, rd_kafka_mock_cluster_bootstraps(cluster), q->topic);
        return;
    }
    need(move_all(fd, &done, 1, false));
}

_Noreturn static void
live(int fd, unsigned count)
{
    struct question q;
    char hosts[MOST_BROKERS * 32] = "";
    static const char *const none[] = {"log_level", "0", NULL};
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    rd_kafka_t *rk = client(RD_KAFKA_PRODUCER, none);
    rd_kafka_mock_cluster_t *cluster = rd_kafka_mock_cluster_new(rk, (int)count);
    need(cluster != NULL);
    (void)snprintf(hosts, sizeof hosts, "%s", rd_kafka_mock_cluster_bootstraps(cluster));
    need(move_all(fd, hosts, sizeof hosts, false));
    while (move_all(fd, &q, sizeof q, true)) {
        do_as_told(fd, cluster, &q);
    }
    _exit(0);
}

/* ---- the test's side ---- */

struct broker *
broker_start(unsigned brokers)
{
    struct broker *b = calloc(1, sizeof *b);
    char hosts[MOST_BROKERS * 32];
    int ends[2];
    assert_non_null(b);
    assert_true(brokers <= MOST_BROKERS);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    b->count = brokers;
    b->pid = fork();
    assert_true(b->pid >= 0);
    if (b->pid == 0) {
        (void)close(ends[0]);
        live(ends[1], brokers);
    }
    (void)close(ends[1]);
    b->fd = ends[0];
    assert_true(move_all(b->fd, hosts, sizeof hosts, true));
    char *at = hosts;
    for (unsigned i = 0; i < brokers; i++) {
        const size_t n = strcspn(at, ",");
        (void)snprintf(b->host[i], sizeof b->host[i], "%.*s", (int)n, at);
        at += n + 1;
    }
    return b;
}

void
broker_stop(struct broker *b)
{
    (void)close(b->fd);
    assert_int_equal(waitpid(b->pid, NULL, 0), b->pid);
    free(b);
}

const char *
broker_host(const struct broker *b, unsigned number)
{
    return b->host[number - 1];
}

uint16_t
broker_port(const struct broker *b, unsigned number)
{
    return (uint16_t)strtoul(strrchr(b->host[number - 1], ':') + 1, NULL, 10);
}

static void
ask(struct broker *b, struct question *q)
{
    char done = 0;
    assert_true(move_all(b->fd, q, sizeof *q, false));
    assert_true(move_all(b->fd, &done, 1, true));
}

void
broker_topic(struct broker *b, const char *topic, unsigned partitions, unsigned leader)
{
    struct question q = {.op = OP_TOPIC, .count = (int32_t)partitions, .leader = (int32_t)leader};
    (void)snprintf(q.topic, sizeof q.topic, "%s", topic);
    ask(b, &q);
}

void
broker_down(struct broker *b, unsigned number, bool down)
{
    struct question q = {.op = OP_DOWN, .number = (int32_t)number, .count = down};
    ask(b, &q);
}

void
broker_refuse(struct broker *b, const int16_t *error, size_t count)
{
    struct question q = {.op = OP_REFUSE, .count = (int32_t)count};
    assert_true(count <= BROKER_ERRORS);
    memcpy(q.error, error, count * sizeof *error);
    ask(b, &q);
}

size_t
broker_read(struct broker *b, const char *topic, struct broker_message **ret_messages)
{
    struct question q = {.op = OP_READ};
    size_t n = 0, room = 0;
    struct broker_message one, *list = NULL;
    (void)snprintf(q.topic, sizeof q.topic, "%s", topic);
    assert_true(move_all(b->fd, &q, sizeof q, false));
    for (;;) {
        assert_true(move_all(b->fd, &one, sizeof one, true));
        if (one.partition < 0) {
            break;
        }
        if (n == room) {
            room = room == 0 ? 1024 : 2 * room;
            list = realloc(list, room * sizeof *list);
            assert_non_null(list);
        }
        list[n++] = one;
    }
    *ret_messages = list;
    return n;
}
