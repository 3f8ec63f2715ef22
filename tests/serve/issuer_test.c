/* Issuers under the program, over HTTPS: one that changes its keys, and those that answer what they
 * should not: redirects to the addresses at which machines of a cloud tell their credentials, and
 * key sets that are not taken. In a network of the test's own, in which somebody listens at
 * 169.254.169.254. */
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
#include <openssl/bn.h>
#include <openssl/evp.h>
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

/* The one that is right: what it signs with, now and after a change; what it was asked for. */
static struct {
    EVP_PKEY *key[2];
    struct buf set[2];
    _Atomic unsigned now, fetched;
    _Atomic int64_t fetched_ns[2]; /* first and second */
} good;

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
put_body(struct buf *out, const struct buf *body)
{
    buf_printf(out, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
               body->len);
    buf_put(out, buf_view(body));
}

/* at: jwks_uri; NULL: beside it. */
static void
put_discovery(struct buf *body, const char *name, const char *at)
{
    buf_printf(body, "{\"issuer\":\"https://127.0.0.1:%u/%s\",\"jwks_uri\":\"", it.port, name);
    if (at == NULL) {
        buf_printf(body, "https://127.0.0.1:%u/%s/jwks\"}", it.port, name);
    } else {
        buf_printf(body, "%s\"}", at);
    }
}

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
        put_discovery(&body, i->name, i->at);
    } else if (i->count > 0) {
        put_many(&body, i->count, i->key);
    } else {
        buf_put_str(&body, i->set);
    }
    put_body(out, &body);
}

static void
put_good_answer(struct buf *out, bool discovery)
{
    DEFER(buf_done) struct buf body;
    buf_init(&body, 4096);
    if (discovery) {
        put_discovery(&body, "good", NULL);
        put_body(out, &body);
        return;
    }
    const unsigned n = good.fetched;
    if (n < 2) {
        good.fetched_ns[n] = clock_mono_ns();
    }
    put_body(out, &good.set[good.now]);
    good.fetched = n + 1;
}

static void
answer(const char *request, struct buf *out)
{
    char path[256] = "", name[64] = "";
    (void)sscanf(request, "GET %255s", path);
    (void)sscanf(path, "/%63[a-z0-9]", name);
    if (strcmp(name, "good") == 0) {
        put_good_answer(out, strstr(path, "/.well-known/") != NULL);
    }
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

/* ---- tokens ---- */

static void
put_base64url(struct buf *to, struct view bytes)
{
    DEFER(buf_done) struct buf text;
    buf_init(&text, 8192);
    text_put_base64(&text, bytes);
    for (size_t i = 0; i < text.len && text.ptr[i] != '='; i++) {
        const uint8_t c = text.ptr[i];
        buf_put_u8(to, c == '+' ? '-' : c == '/' ? '_' : c);
    }
}

/* What is signed of a token: of that issuer, for ten minutes. */
static void
put_claims(struct buf *to, const char *head, const char *issuer, const char *subject)
{
    char payload[512];
    (void)snprintf(payload, sizeof payload,
                   "{\"iss\":\"https://127.0.0.1:%u/%s\",\"aud\":\"steward\",\"sub\":\"%s\","
                   "\"exp\":%lld}",
                   it.port, issuer, subject, (long long)(clock_wall_ns() / NS_PER_S + 600));
    put_base64url(to, view_str(head));
    buf_put_str(to, ".");
    put_base64url(to, view_str(payload));
}

/* A token that says it is of that issuer; nothing more is right about it. */
static void
is_not_let_in(const char *name)
{
    DEFER(buf_done) struct buf token;
    buf_init(&token, 2048);
    put_claims(&token, "{\"alg\":\"ES256\",\"kid\":\"a\"}", name, "ann");
    buf_put_str(&token, ".AAAA");
    room_answers(&it.room, "GET", "/v2", buf_str(&token), 401, "");
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
        print_message("# skipped: a network namespace cannot be made here\n");                     \
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

/* ---- one that is right ---- */

static void
put_number(struct buf *to, const EVP_PKEY *key, const char *name)
{
    uint8_t bytes[512];
    BIGNUM *n = NULL;
    assert_int_equal(EVP_PKEY_get_bn_param(key, name, &n), 1);
    put_base64url(to, view_of(bytes, (size_t)BN_bn2bin(n, bytes)));
    BN_free(n);
}

static void
make_keys(void)
{
    for (size_t i = 0; i < 2; i++) {
        struct buf *set = &good.set[i];
        good.key[i] = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
        assert_non_null(good.key[i]);
        buf_init(set, 4096);
        buf_printf(set,
                   "{\"keys\":[{\"kty\":\"RSA\",\"use\":\"sig\",\"alg\":\"RS256\",\"kid\":"
                   "\"k%zu\",\"n\":\"",
                   i);
        put_number(set, good.key[i], "n");
        buf_put_str(set, "\",\"e\":\"");
        put_number(set, good.key[i], "e");
        buf_put_str(set, "\"}]}");
        assert_ok(buf_status(set));
    }
}

/* Signed with OpenSSL. kid: as the token says; with: which key in fact. */
static void
sign_token(const char *kid, size_t with, const char *subject, struct buf *ret_token)
{
    char head[64];
    uint8_t signature[256];
    size_t n = sizeof signature;
    buf_init(ret_token, 4096);
    (void)snprintf(head, sizeof head, "{\"alg\":\"RS256\",\"kid\":\"%s\"}", kid);
    put_claims(ret_token, head, "good", subject);
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(c, NULL, EVP_sha256(), NULL, good.key[with]), 1);
    assert_int_equal(EVP_DigestSign(c, signature, &n, ret_token->ptr, ret_token->len), 1);
    EVP_MD_CTX_free(c);
    buf_put_str(ret_token, ".");
    put_base64url(ret_token, view_of(signature, n));
    assert_ok(buf_status(ret_token));
}

static unsigned
status_of(const struct buf *token)
{
    static const char body[] =
        "{\"inputs\":[{\"name\":\"income\",\"datatype\":\"INT64\",\"shape\":[1],\"data\":[30]}]}";
    char request[6000];
    struct reply r;
    (void)snprintf(request, sizeof request,
                   "POST " ROOM_INFER " HTTP/1.1\r\nhost: a\r\nauthorization: Bearer %s\r\n"
                   "content-length: %zu\r\n\r\n%s",
                   buf_str(token), sizeof body - 1, body);
    const unsigned status = client_ask(it.room.port, request, &r);
    reply_done(&r);
    return status;
}

/* Until it is answered so. Seldom asked: an address that fails thirty times is told to wait. */
static void
await_status(const struct buf *token, unsigned status)
{
    const struct timespec pause = {.tv_sec = 5};
    const int64_t until = clock_mono_ns() + 300 * NS_PER_S;
    unsigned told = status_of(token);
    while (told != status && clock_mono_ns() < until) {
        (void)nanosleep(&pause, NULL);
        told = status_of(token);
    }
    assert_int_equal(told, status);
}

/* Keys found by discovery; a key that the issuer makes anew is known once the minute is over in
 * which it is asked no more, however many tokens name keys that are not there; the one before is
 * none any more, also for a token that was taken with it. */
static void
keys_are_found_and_followed_and_asked_for_once_a_minute(void **state)
{
    (void)state;
    NEEDS_SPACE();
    DEFER(buf_done) struct buf first;
    DEFER(buf_done) struct buf second;
    DEFER(buf_done) struct buf forged;
    DEFER(buf_done) struct buf other;
    DEFER(buf_done) struct buf nobody;
    char url[96];
    make_keys();
    (void)snprintf(url, sizeof url, "https://127.0.0.1:%u/good", it.port);
    assert_steward("issuer", "add", "good", "--url", url, "--audience", "steward", "--algorithm",
                   "RS256", "--discover", "--ca", it.ca);
    assert_steward("principal", "link", "desk", "--token", "good:ann");
    sign_token("k0", 0, "ann", &first);
    sign_token("k1", 1, "ann", &second);
    sign_token("k0", 1, "ann", &forged);
    sign_token("k9", 1, "ann", &other);
    sign_token("k0", 0, "eve", &nobody);
    await_status(&first, 200);
    assert_int_equal(good.fetched, 1);
    assert_int_equal(status_of(&forged), 401);
    assert_int_equal(status_of(&nobody), 403); /* linked to nobody, in no group */
    good.now = 1;
    assert_int_equal(status_of(&other), 401);
    assert_int_equal(status_of(&first), 200); /* as long as nothing else is known */
    await_status(&second, 200);
    assert_int_equal(good.fetched, 2);
    assert_true(good.fetched_ns[1] - good.fetched_ns[0] > 40 * NS_PER_S); /* 60, and some late */
    assert_int_not_equal(status_of(&first), 200);
    assert_int_equal(status_of(&second), 200);
    assert_int_not_equal(status_of(&other), 200);
    assert_int_equal(good.fetched, 2);
    assert_steward("issuer", "remove", "good");
    assert_steward("audit", "verify");
    for (size_t i = 0; i < 2; i++) {
        EVP_PKEY_free(good.key[i]);
        buf_done(&good.set[i]);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_that_is_added_under_a_server_lets_keys_be_fetched),
        cmocka_unit_test(keys_are_found_and_followed_and_asked_for_once_a_minute),
        cmocka_unit_test(each_answer_that_is_not_taken_is_an_entry_and_lets_nobody_in),
    };
    it.possible = space_enter(); /* before there is a thread */
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
