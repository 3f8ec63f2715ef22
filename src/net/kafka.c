#include "net/kafka.h"

#include "base/clock.h"
#include "base/text.h"

#include <errno.h>
#include <librdkafka/rdkafka.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POLL_MS 50
#define QUEUED "16384"     /* messages at most */
#define QUEUED_KIB "65536" /* and so many bytes of them */
#define CONNECT_NS (10 * NS_PER_S)

struct kafka {
    struct kafka_options o;
    rd_kafka_t *rk;
    uint64_t put, delivered; /* delivered: of the thread that polls, which is the caller's */
    bool failed;             /* one message was not, and why: */
    char why[256];
    pthread_mutex_t lock; /* of what librdkafka's threads say: */
    bool refused;
    char said[320];
};

static void
say(struct kafka *k, bool refused, const char *text)
{
    (void)pthread_mutex_lock(&k->lock);
    if (refused || !k->refused) { /* what follows from a refusal says less */
        text_copy(k->said, sizeof k->said, text);
    }
    k->refused = k->refused || refused;
    (void)pthread_mutex_unlock(&k->lock);
}

/* ---- what librdkafka asks ---- */

struct way {
    struct door_request request;
    char url[URL_MOST_TEXT];
};

static bool
make_way(const struct kafka *k, const char *host, const char *port, struct way *ret_way)
{
    const char *form = strchr(host, ':') != NULL && *host != '[' ? "%s://[%s]:%s" : "%s://%s:%s";
    struct way *w = ret_way;
    const int n = snprintf(w->url, sizeof w->url, form, k->o.plain ? "http" : "https", host, port);
    w->request = (struct door_request){
        .purpose = k->o.purpose, .url = w->url, .timeout_ns = CONNECT_NS, .max_bytes = 1};
    return n > 0 && (size_t)n < sizeof w->url;
}

static void
free_found(struct addrinfo *list)
{
    while (list != NULL) {
        struct addrinfo *next = list->ai_next;
        free(list);
        list = next;
    }
}

/* The list with the address before it; NULL when memory is out. */
static struct addrinfo *
prepend(const struct address *a, struct addrinfo *list)
{
    struct found {
        struct addrinfo info;
        struct sockaddr_storage storage;
    } *f = calloc(1, sizeof *f);
    if (f == NULL) {
        free_found(list);
        return NULL;
    }
    f->storage = a->storage;
    f->info = (struct addrinfo){.ai_family = a->storage.ss_family,
                                .ai_socktype = SOCK_STREAM,
                                .ai_protocol = IPPROTO_TCP,
                                .ai_addrlen = a->storage.ss_family == AF_INET6
                                                  ? sizeof(struct sockaddr_in6)
                                                  : sizeof(struct sockaddr_in),
                                .ai_addr = (struct sockaddr *)(void *)&f->storage,
                                .ai_next = list};
    return &f->info;
}

static int
resolve(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **res,
        void *opaque)
{
    struct kafka *k = opaque;
    struct address address[DOOR_MOST_ADDRESSES];
    struct diag diag = {0};
    struct way w;
    size_t n = 0;
    (void)hints;
    if (node == NULL) {
        free_found(*res);
        return 0;
    }
    const bool made = make_way(k, node, service, &w);
    const struct status s =
        made ? door_way(k->o.door, &w.request, &diag, address, &n) : FAILURE(INPUT);
    if (!status_ok(s)) {
        say(k, s.code == STATUS_DENIED, diag.text);
        return EAI_FAIL;
    }
    *res = NULL;
    for (size_t i = n; i > 0; i--) {
        *res = prepend(&address[i - 1], *res);
    }
    return *res == NULL ? EAI_MEMORY : 0;
}

/* id: HOST:PORT, as the broker was named. */
static int
dial(int fd, const struct sockaddr *to, int len, const char *id, void *opaque)
{
    struct kafka *k = opaque;
    struct diag diag = {0};
    struct way w;
    char host[URL_MOST_HOST + 1];
    const char *colon = strrchr(id, ':');
    if (colon == NULL || (size_t)(colon - id) >= sizeof host) {
        return EACCES;
    }
    (void)snprintf(host, sizeof host, "%.*s", (int)(colon - id), id);
    if (!make_way(k, host, colon + 1, &w)) {
        return EACCES;
    }
    const int e = door_dial(k->o.door, &w.request, fd, to, (socklen_t)len, &diag);
    if (e == EACCES) {
        say(k, true, diag.text);
    }
    return e == EINPROGRESS ? 0 : e; /* it waits for the rest itself */
}

static void
report(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
    struct kafka *k = opaque;
    (void)rk;
    if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        k->delivered++;
    } else if (!k->failed) {
        k->failed = true;
        text_copy(k->why, sizeof k->why, rd_kafka_err2str(m->err));
    }
}

static void
error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    (void)rk, (void)code;
    say(opaque, false, reason);
}

static void
quiet(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    (void)rk, (void)level, (void)facility, (void)text;
}

/* ---- its settings ---- */

static struct status
set(rd_kafka_conf_t *conf, const char *key, const char *value, struct diag *diag)
{
    char why[256] = "";
    if (rd_kafka_conf_set(conf, key, value, why, sizeof why) != RD_KAFKA_CONF_OK) {
        diag_set(diag, "%s: %s", key, why);
        FAIL(INPUT);
    }
    return OK;
}

static struct status
set_tls(rd_kafka_conf_t *conf, const struct kafka_options *o, struct diag *diag)
{
    DEFER(buf_done) struct buf pem;
    buf_init(&pem, 1u << 20);
    TRY(set(conf, "security.protocol", o->plain ? "plaintext" : "ssl", diag));
    if (o->plain || o->ca_pem.len == 0) {
        return OK;
    }
    buf_put(&pem, o->ca_pem);
    TRY(buf_status(&pem));
    return set(conf, "ssl.ca.pem", buf_str(&pem), diag);
}

static struct status
set_all(rd_kafka_conf_t *conf, const struct kafka_options *o, struct diag *diag)
{
    char timeout[24];
    static const char *const fixed[][2] = {
        {"client.id", "steward"},
        {"enable.idempotence", "true"},
        {"enable.gapless.guarantee", "true"},
        {"max.in.flight", "1"},     /* nothing is on its way behind one that fails */
        {"partitioner", "murmur2"}, /* as other clients place a key */
        {"queue.buffering.max.messages", QUEUED},
        {"queue.buffering.max.kbytes", QUEUED_KIB},
        {"reconnect.backoff.max.ms", "1000"},
        {"topic.metadata.refresh.interval.ms", "30000"},
        {"log.connection.close", "false"},
    };
    (void)snprintf(timeout, sizeof timeout, "%lld", (long long)(o->timeout_ns / 1000000));
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) {
        TRY(set(conf, fixed[i][0], fixed[i][1], diag));
    }
    TRY(set(conf, "bootstrap.servers", o->brokers, diag));
    TRY(set(conf, "message.timeout.ms", timeout, diag));
    return set_tls(conf, o, diag);
}

static struct status
start(struct kafka *k, struct diag *diag)
{
    char why[256] = "";
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    CHECK(conf != NULL, MEMORY);
    const struct status s = set_all(conf, &k->o, diag);
    if (!status_ok(s)) {
        rd_kafka_conf_destroy(conf);
        return s;
    }
    rd_kafka_conf_set_opaque(conf, k);
    rd_kafka_conf_set_resolve_cb(conf, resolve);
    rd_kafka_conf_set_connect_cb(conf, dial);
    rd_kafka_conf_set_dr_msg_cb(conf, report);
    rd_kafka_conf_set_error_cb(conf, error);
    rd_kafka_conf_set_log_cb(conf, quiet);
    k->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    if (k->rk == NULL) {
        rd_kafka_conf_destroy(conf);
        diag_set(diag, "%s: %s", k->o.brokers, why);
        FAIL(INPUT);
    }
    return OK;
}

struct status
kafka_open(const struct kafka_options *o, struct diag *diag, struct kafka **ret_kafka)
{
    DEFER(kafka_closep) struct kafka *k = calloc(1, sizeof *k);
    CHECK(k != NULL, MEMORY);
    k->o = *o;
    (void)pthread_mutex_init(&k->lock, NULL);
    TRY(start(k, diag));
    *ret_kafka = MOVE(k);
    return OK;
}

void
kafka_close(struct kafka *k)
{
    if (k == NULL) {
        return;
    }
    if (k->rk != NULL) {
        (void)rd_kafka_purge(k->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT |
                                        RD_KAFKA_PURGE_F_NON_BLOCKING);
        rd_kafka_destroy(k->rk);
    }
    (void)pthread_mutex_destroy(&k->lock);
    free(k);
}

/* ---- messages ---- */

static struct status
ended(struct kafka *k, const char *why, struct diag *diag)
{
    (void)pthread_mutex_lock(&k->lock);
    const bool refused = k->refused;
    diag_set(diag, "%s: topic %s: %s%s%s", k->o.brokers, k->o.topic, refused ? k->said : why,
             refused || *k->said == '\0' ? "" : "; ", refused ? "" : k->said);
    (void)pthread_mutex_unlock(&k->lock);
    k->failed = true;
    if (refused) {
        FAIL(DENIED);
    }
    FAIL(IO);
}

/* What was reported meanwhile. */
static struct status
look(struct kafka *k, int ms, struct diag *diag)
{
    char fatal[256] = "";
    (void)rd_kafka_poll(k->rk, ms);
    if (rd_kafka_fatal_error(k->rk, fatal, sizeof fatal) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return ended(k, fatal, diag);
    }
    (void)pthread_mutex_lock(&k->lock);
    const bool refused = k->refused;
    (void)pthread_mutex_unlock(&k->lock);
    return k->failed || refused ? ended(k, k->why, diag) : OK;
}

static rd_kafka_resp_err_t
produce(struct kafka *k, const struct kafka_message *m)
{
    const struct kafka_header *a = &m->header[0], *b = &m->header[1];
    return rd_kafka_producev(k->rk, RD_KAFKA_V_TOPIC(k->o.topic),
                             RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                             RD_KAFKA_V_KEY((void *)(uintptr_t)m->key.ptr, m->key.len),
                             RD_KAFKA_V_VALUE((void *)(uintptr_t)m->value.ptr, m->value.len),
                             RD_KAFKA_V_HEADER(a->name, a->value, -1),
                             RD_KAFKA_V_HEADER(b->name, b->value, -1), RD_KAFKA_V_END);
}

struct status
kafka_put(struct kafka *k, const struct kafka_message *m, struct diag *diag)
{
    const int64_t until_ns = clock_mono_ns() + 2 * k->o.timeout_ns;
    rd_kafka_resp_err_t e = produce(k, m);
    while (e == RD_KAFKA_RESP_ERR__QUEUE_FULL && clock_mono_ns() < until_ns) {
        TRY(look(k, POLL_MS, diag));
        e = produce(k, m);
    }
    if (e != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return ended(k, rd_kafka_err2str(e), diag);
    }
    k->put++;
    return look(k, 0, diag);
}

struct status
kafka_settle(struct kafka *k, struct diag *diag)
{
    /* Each message ends in time by itself; this is for a library that forgets one. */
    const int64_t until_ns = clock_mono_ns() + 2 * k->o.timeout_ns;
    while (k->delivered < k->put) {
        TRY(look(k, POLL_MS, diag));
        if (clock_mono_ns() > until_ns) {
            return ended(k, "no answer in time", diag);
        }
    }
    return OK;
}
