/* Issuers that answer what they should not, under the program: redirects to the addresses at which
 * machines of a cloud tell their credentials, and key sets that are not taken. In a network of the
 * test's own, in which somebody listens at 169.254.169.254. */
#include "room.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "govern/audit.h"
#include "net/address.h"
#include "testing/space.h"
#include "workspace/certificate.h"

#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define METADATA "169.254.169.254"
#define SET_MAX ((size_t)8 << 20)

static struct {
    bool possible;
    struct room room;
    char *ca;
    int fd, metadata[2]; /* listeners: the issuers', and those of ports 80 and 443 */
    uint16_t port;
    pthread_t thread;
    _Atomic bool stopping;
    gnutls_certificate_credentials_t own;
} it;

/* ---- what the issuers say ---- */

static void
put_many(struct buf *b, size_t n, const char *key)
{
    buf_put_str(b, "{\"keys\":[");
    for (size_t i = 0; i < n; i++) {
        buf_put_str(b, i == 0 ? "" : ",");
        buf_put_str(b, key);
    }
    buf_put_str(b, "]}");
}

static const struct issuer {
    const char *name;
    const char *moved;          /* where discovery redirects to; NULL: it is answered */
    const char *at;             /* jwks_uri; NULL: beside it */
    size_t count;               /* of keys; 0: set */
    const char *key, *set;      /* of the key set */
    const char *first, *second; /* what the entry says */
    bool tried;                 /* with a token: few, since who fails often waits */
} issuers[] = {
    {"moved", "https://" METADATA "/latest/meta-data/", .first = "answered 302", .tried = true},
    {"plain", "http://" METADATA "/latest/meta-data/", .first = "answered 302"},
    {"mapped", "https://[::ffff:" METADATA "]/", .first = "answered 302"},
    {"hex", "http://[::ffff:a9fe:a9fe]/", .first = "answered 302"},
    {"pointed", .at = "https://" METADATA "/latest/", .first = METADATA, .second = "no line"},
    {"pointed6", .at = "https://[::ffff:" METADATA "]/", .first = "no line"},
    {"user", .at = "https://127.0.0.1@" METADATA "/", .first = "no place"},
    {"million", .count = 1000000, .key = "{}", .first = "longer than 262144 bytes"},
    {"many", .count = 65, .key = "{}", .first = "a key set of 65 keys; at most 64 are taken",
     .tried = true},
    {"half", .set = "{\"keys\":[{\"kty\":\"EC\",", .first = "line 1"},
    {"list", .set = "[]", .first = "a key set is an object with \"keys\""},
    {"secret", .count = 1, .key = "{\"kty\":\"oct\",\"k\":\"AAAA\",\"alg\":\"HS256\"}",
     .first = "no public key for signatures", .tried = true},
    {"point", .count = 1,
     .key = "{\"kty\":\"EC\",\"crv\":\"P-256\",\"alg\":\"ES256\",\"x\":\"AA\","
            "\"y\":\"AA\"}",
     .first = "key 1 of the set"},
};

#define ISSUERS (sizeof issuers / sizeof *issuers)

static void
put_answer(struct buf *out, const struct issuer *i, bool discovery)
{
    DEFER(buf_done) struct buf body;
    buf_init(&body, SET_MAX);
    if (discovery && i->moved != NULL) {
        buf_printf(out, "HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n",
                   i->moved);
        return;
    }
    if (discovery) {
        buf_printf(&body, "{\"issuer\":\"https://127.0.0.1:%u/%s\",\"jwks_uri\":\"", it.port,
                   i->name);
        buf_printf(&body, i->at == NULL ? "https://127.0.0.1:%u/%s/jwks" : "", it.port, i->name);
        buf_printf(&body, "%s\"}", i->at == NULL ? "" : i->at);
    } else if (i->count > 0) {
        put_many(&body, i->count, i->key);
    } else {
        buf_put_str(&body, i->set);
    }
    buf_printf(out, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
               body.len);
    buf_put(out, buf_view(&body));
}

static void
answer(const char *request, struct buf *out)
{
    char path[256] = "", name[64] = "";
    (void)sscanf(request, "GET %255s", path);
    (void)sscanf(path, "/%63[a-z0-9]", name);
    for (size_t i = 0; i < ISSUERS; i++) {
        if (strcmp(issuers[i].name, name) == 0) {
            put_answer(out, &issuers[i], strstr(path, "/.well-known/") != NULL);
        }
    }
}

/* ---- their server ---- */

static void
serve(int fd)
{
    char request[4096];
    gnutls_session_t tls;
    DEFER(buf_done) struct buf out;
    buf_init(&out, SET_MAX + 4096);
    assert_int_equal(gnutls_init(&tls, GNUTLS_SERVER | GNUTLS_NO_SIGNAL), 0);
    (void)gnutls_set_default_priority(tls);
    (void)gnutls_credentials_set(tls, GNUTLS_CRD_CERTIFICATE, it.own);
    gnutls_transport_set_int(tls, fd);
    int rc = GNUTLS_E_AGAIN;
    while (rc < 0 && gnutls_error_is_fatal(rc) == 0) {
        rc = gnutls_handshake(tls);
    }
    const ssize_t n = rc == 0 ? gnutls_record_recv(tls, request, sizeof request - 1) : 0;
    if (n > 0) {
        request[n] = '\0';
        answer(request, &out);
        for (size_t at = 0; at < out.len;) {
            const ssize_t put = gnutls_record_send(tls, out.ptr + at, out.len - at);
            at = put > 0 ? at + (size_t)put : out.len;
        }
        (void)gnutls_bye(tls, GNUTLS_SHUT_WR);
    }
    gnutls_deinit(tls);
}

static void *
run(void *arg)
{
    (void)arg;
    while (!it.stopping) {
        const int fd = accept(it.fd, NULL, NULL);
        if (fd >= 0 && !it.stopping) {
            serve(fd);
        }
        (void)close(fd);
    }
    return NULL;
}

static int
listen_at(const char *address, uint16_t port)
{
    struct address a;
    assert_ok(address_parse(view_str(address), port, &a));
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a.storage, a.len), 0);
    assert_int_equal(listen(fd, 64), 0);
    return fd;
}

static void
start_issuers(void)
{
    static const char *const hosts[] = {"127.0.0.1"};
    struct sockaddr_in a;
    socklen_t n = sizeof a;
    DEFER(buf_done) struct buf cert;
    DEFER(buf_done) struct buf key;
    buf_init(&cert, 1 << 16);
    buf_init(&key, 1 << 16);
    assert_ok(certificate_make(hosts, 1, NULL, &cert, &key));
    it.ca = file_join(it.room.root, "ca.pem");
    testing_write(it.ca, buf_view(&cert));
    const gnutls_datum_t c = {cert.ptr, (unsigned)cert.len}, k = {key.ptr, (unsigned)key.len};
    assert_int_equal(gnutls_certificate_allocate_credentials(&it.own), 0);
    assert_int_equal(gnutls_certificate_set_x509_key_mem(it.own, &c, &k, GNUTLS_X509_FMT_PEM), 0);
    it.fd = listen_at("127.0.0.1", 0);
    assert_int_equal(getsockname(it.fd, (struct sockaddr *)&a, &n), 0);
    it.port = ntohs(a.sin_port);
    assert_int_equal(pthread_create(&it.thread, NULL, run, NULL), 0);
}

static int
set_up(void **state)
{
    (void)state;
    if (!it.possible) {
        return 0;
    }
    space_take(METADATA);
    it.metadata[0] = listen_at(METADATA, 80);
    it.metadata[1] = listen_at(METADATA, 443);
    room_init(&it.room);
    (void)setenv("STEWARD_PASSPHRASE", "correct horse battery staple", 1);
    /* No jwks: the first reload lets it. */
    room_make(&it.room, "passphrase", "network:\n  egress: []\n");
    start_issuers();
    room_start(&it.room);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    if (!it.possible) {
        return 0;
    }
    it.stopping = true;
    (void)shutdown(it.fd, SHUT_RDWR);
    assert_int_equal(pthread_join(it.thread, NULL), 0);
    gnutls_certificate_free_credentials(it.own);
    free(it.ca);
    return room_done(&it.room);
}

/* ---- the entries ---- */

struct seen {
    const char *resource;
    unsigned count;
    char reason[600];
};

static struct status
look(void *ctx, uint64_t index, struct view entry)
{
    struct seen *s = ctx;
    DEFER(js_freep) json_t *o = NULL;
    (void)index;
    TRY(js_parse(entry, "entry", NULL, &o));
    const char *action = json_string_value(json_object_get(o, "action")),
               *resource = json_string_value(json_object_get(o, "resource"));
    if (action != NULL && resource != NULL && strcmp(action, "issuer.keys") == 0 &&
        strcmp(resource, s->resource) == 0) {
        assert_string_equal(json_string_value(json_object_get(o, "decision")), "deny");
        (void)snprintf(s->reason, sizeof s->reason, "%s",
                       json_string_value(json_object_get(o, "reason")));
        s->count++;
    }
    return OK;
}

static struct seen
entries_of(const char *name)
{
    static char resource[96];
    struct seen s = {.resource = resource};
    struct diag diag = {0};
    DEFER(file_freep) char *audit = file_join(it.room.dir, "audit");
    (void)snprintf(resource, sizeof resource, "issuers/%s", name);
    assert_ok(audit_each(audit, 0, UINT64_MAX, look, &s, &diag));
    return s;
}

static struct seen
await_entry(const char *name, unsigned count)
{
    struct seen s = entries_of(name);
    for (unsigned i = 0; i < 6000 && s.count < count; i++) {
        const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
        (void)nanosleep(&pause, NULL);
        s = entries_of(name);
    }
    assert_true(s.count >= count);
    return s;
}

/* A token that says it is of that issuer; nothing more is right about it. */
static void
is_not_let_in(const char *name)
{
    char payload[512], token[1024];
    DEFER(buf_done) struct buf first;
    DEFER(buf_done) struct buf second;
    buf_init(&first, 1024);
    buf_init(&second, 1024);
    (void)snprintf(payload, sizeof payload,
                   "{\"iss\":\"https://127.0.0.1:%u/%s\",\"aud\":\"steward\",\"sub\":\"ann\","
                   "\"exp\":%lld}",
                   it.port, name, (long long)(clock_wall_ns() / NS_PER_S + 600));
    text_put_base64(&first, view_str("{\"alg\":\"ES256\",\"kid\":\"a\"}"));
    text_put_base64(&second, view_str(payload));
    for (size_t i = 0; i < second.len; i++) {
        second.ptr[i] = second.ptr[i] == '=' ? '\0' : second.ptr[i];
    }
    (void)snprintf(token, sizeof token, "%s.%s.AAAA", strtok((char *)first.ptr, "="),
                   (char *)second.ptr);
    room_answers(&it.room, "GET", "/v2", token, 401, "");
}

static bool
nobody_came(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 0;
}

/* ---- the tests ---- */

#define NEEDS_SPACE()                                                                              \
    if (!it.possible) {                                                                            \
        print_message("skipped: a network namespace cannot be made here\n");                       \
        skip();                                                                                    \
    }

static void
add(const char *name)
{
    char url[96];
    (void)snprintf(url, sizeof url, "https://127.0.0.1:%u/%s", it.port, name);
    assert_steward("issuer", "add", (char *)(uintptr_t)name, "--url", url, "--audience", "steward",
                   "--algorithm", "ES256", "--discover", "--ca", it.ca);
}

/* Where no line lets keys be fetched, that is the entry; a line that is added holds at once. */
static void
a_line_that_is_added_under_a_server_lets_keys_be_fetched(void **state)
{
    (void)state;
    NEEDS_SPACE();
    DEFER(file_freep) char *file = file_join(it.room.dir, "steward.yaml");
    add("barred");
    const struct seen before = await_entry("barred", 1);
    assert_text_has(before.reason, "no line of network.egress allows it");
    testing_write(file, view_str("network:\n  egress:\n    - jwks 127.0.0.0/8 1-65535\n"));
    assert_int_equal(kill(it.room.pid, SIGHUP), 0);
    const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
    struct buf log;
    bool said = false;
    for (unsigned i = 0; i < 3000 && !said; i++) {
        testing_read(it.room.log, &log);
        said = strstr(buf_str(&log), "network.changed") != NULL;
        assert_null(strstr(buf_str(&log), "key=network.egress"));
        buf_done(&log);
        (void)nanosleep(&pause, NULL);
    }
    assert_true(said);
}

/* No redirect is followed and no address is connected to that no line allows; no key set is taken
 * that has too many keys, is none, or is for other signatures. Each is an entry, and nobody is let
 * in. */
static void
each_answer_that_is_not_taken_is_an_entry_and_lets_nobody_in(void **state)
{
    (void)state;
    NEEDS_SPACE();
    for (size_t i = 0; i < ISSUERS; i++) {
        const struct issuer *of = &issuers[i];
        add(of->name);
        const struct seen s = await_entry(of->name, 1);
        assert_text_has(s.reason, "keys fetched are not taken: ");
        assert_text_has(s.reason, of->first);
        assert_text_has(s.reason, of->second == NULL ? "" : of->second);
        if (of->tried) {
            is_not_let_in(of->name);
        }
        assert_steward("issuer", "remove", (char *)(uintptr_t)of->name);
    }
    assert_true(nobody_came(it.metadata[0]));
    assert_true(nobody_came(it.metadata[1]));
    assert_steward("audit", "verify");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_that_is_added_under_a_server_lets_keys_be_fetched),
        cmocka_unit_test(each_answer_that_is_not_taken_is_an_entry_and_lets_nobody_in),
    };
    it.possible = space_enter(); /* before there is a thread */
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
