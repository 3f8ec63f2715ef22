/* The HTTP side alone, with a handler of the test's own: hostile heads, limits, deadlines, waiting
 * for tickets, stopping. Every case goes through TLS on 127.0.0.1. */
#include "client.h"
#include "own_identity.h"

#include "base/clock.h"
#include "serve/http.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MS INT64_C(1000000)
/* Growth that counts as none; the sanitizer keeps freed memory for a while. */
#if defined(__SANITIZE_ADDRESS__)
#define FLAT_BYTES (400u << 20)
#else
#define FLAT_BYTES (16u << 20)
#endif
#define LONG_BYTES 500000u  /* a few of them fill a socket */
#define RECORD_BYTES 10000u /* too long to leave with its head in one record */
#define GET "GET / HTTP/1.1\r\nhost: a\r\n\r\n"
#define HELD "GET /held HTTP/1.1\r\nhost: a\r\n\r\n"

/* ---- the server under test ---- */

static struct {
    struct own_identity own;
    struct http_server *server;
    uint16_t port;
    atomic_uint handled, smuggled, refused, done;
    atomic_ullong tickets, durable, failed;
    atomic_uint asked, hastened; /* how often */
    bool hastens;                /* and settles everything with it */
    int event_fd[64];
    unsigned event_count;
} it;

static void
handle(void *ctx, struct http_exchange *x)
{
    (void)ctx;
    (void)atomic_fetch_add(&it.handled, 1);
    x->status = 200;
    if (strcmp(x->path, "/smuggled") == 0) {
        (void)atomic_fetch_add(&it.smuggled, 1);
    }
    if (strcmp(x->path, "/held") == 0) {
        x->ticket = atomic_fetch_add(&it.tickets, 1) + 1;
    }
    http_set_header(x, "steward-test", "yes");
    for (size_t i = 0; strcmp(x->path, "/long") == 0 && i < LONG_BYTES; i++) {
        buf_put_u8(&x->answer, ' ');
    }
    if (strcmp(x->path, "/record") == 0) {
        memset(buf_extend(&x->answer, RECORD_BYTES), ' ', RECORD_BYTES);
    }
    buf_printf(&x->answer, "{\"path\":\"%s\",\"query\":\"%s\",\"body\":%zu,\"address\":\"%s\"}",
               x->path, x->query, x->body.len, x->address);
}

static void
refused(void *ctx, struct http_exchange *x, const char *reason)
{
    (void)ctx;
    assert_true(x->status >= 400);
    assert_non_null(reason);
    (void)atomic_fetch_add(&it.refused, 1);
}

static enum http_fate
fate(void *ctx, uint64_t ticket)
{
    (void)ctx;
    (void)atomic_fetch_add(&it.asked, 1);
    if (ticket <= atomic_load(&it.failed)) {
        return HTTP_FAILED;
    }
    return ticket <= atomic_load(&it.durable) ? HTTP_DURABLE : HTTP_WAITING;
}

static struct status
subscribe(void *ctx, int event_fd)
{
    (void)ctx;
    it.event_fd[it.event_count++] = event_fd;
    return OK;
}

static void
done(void *ctx, struct http_exchange *x)
{
    (void)ctx;
    (void)x;
    (void)atomic_fetch_add(&it.done, 1);
}

static void
settle(atomic_ullong *mark)
{
    const uint64_t one = 1;
    atomic_store(mark, atomic_load(&it.tickets));
    for (unsigned i = 0; i < it.event_count; i++) {
        assert_int_equal(write(it.event_fd[i], &one, sizeof one), sizeof one);
    }
}

static void
hasten(void *ctx)
{
    (void)ctx;
    (void)atomic_fetch_add(&it.hastened, 1);
    if (it.hastens) {
        settle(&it.durable);
    }
}

/* Until a counter has reached n. */
static void
await(atomic_uint *counter, unsigned n)
{
    const int64_t until = clock_mono_ns() + 20 * NS_PER_S;
    while (atomic_load(counter) < n && clock_mono_ns() < until) {
        const struct timespec pause = {.tv_nsec = MS};
        (void)nanosleep(&pause, NULL);
    }
    assert_true(atomic_load(counter) >= n);
}

static struct http_options
options(void)
{
    return (struct http_options){
        .address = "127.0.0.1",
        .identity = it.own.identity,
        .loops = 2,
        .limits = {.header_bytes = 16384,
                   .header_count = 64,
                   .body_bytes = 100000,
                   .handshake_ns = 30 * NS_PER_S,
                   .header_ns = 30 * NS_PER_S,
                   .body_ns = 30 * NS_PER_S,
                   .request_ns = 30 * NS_PER_S,
                   .idle_ns = 30 * NS_PER_S,
                   .connections = 128,
                   .connections_per_address = 128},
        .arena_bytes = 1 << 20,
    };
}

static void
start(const struct http_options *o)
{
    const struct http_handler h = {.handle = handle,
                                   .refused = refused,
                                   .fate = fate,
                                   .hasten = hasten,
                                   .subscribe = subscribe,
                                   .done = done};
    struct diag diag = {0};
    atomic_store(&it.handled, 0);
    atomic_store(&it.smuggled, 0);
    atomic_store(&it.refused, 0);
    atomic_store(&it.done, 0);
    atomic_store(&it.tickets, 0);
    atomic_store(&it.durable, 0);
    atomic_store(&it.failed, 0);
    atomic_store(&it.asked, 0);
    atomic_store(&it.hastened, 0);
    it.event_count = 0;
    assert_ok(http_start(o, &h, &diag, &it.server));
    it.port = http_port(it.server, 0);
}

static void
stop(int64_t grace_ns)
{
    http_stop(it.server, grace_ns);
    it.server = NULL;
}

static void
start_default(void)
{
    const struct http_options o = options();
    start(&o);
}

static void
assert_alive(void)
{
    struct reply r;
    assert_int_equal(client_ask(it.port, GET, &r), 200);
    reply_done(&r);
}

static size_t
resident_bytes(void)
{
    size_t pages = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%zu %zu", &pages, &resident), 2);
    (void)fclose(f);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

/* ---- misuse ---- */

static void
refuses_to_start_where_it_cannot(void **state)
{
    (void)state;
    const struct http_handler h = {.handle = handle, .fate = fate};
    struct http_server *none = NULL;
    struct diag diag = {0};
    struct http_options o = options();
    o.address = "localhost";
    assert_status(http_start(&o, &h, &diag, &none), INPUT);
    assert_says(&diag, "listen address \"localhost\": write an IPv4 or IPv6 address");
    start_default();
    o = options();
    o.port = it.port;
    assert_status(http_start(&o, &h, &diag, &none), BUSY);
    assert_says(&diag, "in use by another program");
    assert_null(none);
    stop(0);
}

/* ---- hostile heads ---- */

struct hostile {
    const char *name;
    struct view bytes;
    unsigned status;
};

#define HOSTILE(NAME, TEXT, STATUS)                                                                \
    {                                                                                              \
        NAME, {(const uint8_t *)(TEXT), sizeof(TEXT) - 1}, STATUS                                  \
    }
/* What follows the head: were it read as a request of its own, the handler would see it. */
#define SMUGGLED "GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n"
#define POST(FIELDS) "POST / HTTP/1.1\r\nhost: a\r\n" FIELDS "\r\n" SMUGGLED

static const struct hostile hostile[] = {
    HOSTILE("both framings", POST("content-length: 5\r\ntransfer-encoding: chunked\r\n"), 400),
    HOSTILE("both framings, other order",
            POST("transfer-encoding: chunked\r\ncontent-length: 5\r\n"), 400),
    HOSTILE("two lengths", POST("content-length: 0\r\ncontent-length: 37\r\n"), 400),
    HOSTILE("the same length twice", POST("content-length: 0\r\ncontent-length: 0\r\n"), 400),
    HOSTILE("a space before the colon", POST("content-length : 0\r\n"), 400),
    HOSTILE("a length with a sign", POST("content-length: +0\r\n"), 400),
    HOSTILE("a negative length", POST("content-length: -1\r\n"), 400),
    HOSTILE("a length in hexadecimal", POST("content-length: 0x10\r\n"), 400),
    HOSTILE("a length list", POST("content-length: 0, 0\r\n"), 400),
    HOSTILE("a length of 2^63", POST("content-length: 9223372036854775808\r\n"), 400),
    HOSTILE("an unknown coding", POST("transfer-encoding: xchunked\r\n"), 400),
    HOSTILE("chunked twice", POST("transfer-encoding: chunked, chunked\r\n"), 400),
    HOSTILE("two codings", POST("transfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n"), 400),
    HOSTILE("chunked on HTTP/1.0",
            "POST / HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n" SMUGGLED,
            400),
    HOSTILE("a folded line", "GET / HTTP/1.1\r\nhost: a\r\nx: 1\r\n 2\r\n\r\n" SMUGGLED, 400),
    HOSTILE("a folded length", POST("content-length:\r\n 0\r\n"), 400),
    HOSTILE("bare LF in the head", "GET / HTTP/1.1\r\nhost: a\nx: 1\r\n\r\n" SMUGGLED, 400),
    HOSTILE("bare CR in a value", "GET / HTTP/1.1\r\nhost: a\r\nx: 1\r2\r\n\r\n" SMUGGLED, 400),
    HOSTILE("NUL in a name", "GET / HTTP/1.1\r\nhost: a\r\nx\0y: 1\r\n\r\n" SMUGGLED, 400),
    HOSTILE("NUL in a value", "GET / HTTP/1.1\r\nhost: a\r\nx: 1\0002\r\n\r\n" SMUGGLED, 400),
    HOSTILE("a length behind a NUL", POST("x: 1\0\r\ncontent-length: 37\r\n"), 400),
    HOSTILE("a control character", "GET / HTTP/1.1\r\nhost: a\r\nx: \x01\r\n\r\n" SMUGGLED, 400),
    HOSTILE("an empty name", "GET / HTTP/1.1\r\nhost: a\r\n: 1\r\n\r\n" SMUGGLED, 400),
    HOSTILE("a line without a colon", "GET / HTTP/1.1\r\nhost: a\r\nx\r\n\r\n" SMUGGLED, 400),
    HOSTILE("no Host", "GET / HTTP/1.1\r\nx: 1\r\n\r\n" SMUGGLED, 400),
    HOSTILE("two Hosts", "GET / HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n" SMUGGLED, 400),
    HOSTILE("an empty Host", "GET / HTTP/1.1\r\nhost:\r\n\r\n" SMUGGLED, 400),
    HOSTILE("absolute form", "GET http://a/ HTTP/1.1\r\nhost: a\r\n\r\n" SMUGGLED, 400),
    HOSTILE("authority form", "CONNECT a:443 HTTP/1.1\r\nhost: a\r\n\r\n" SMUGGLED, 501),
    HOSTILE("authority form of GET", "GET a:443 HTTP/1.1\r\nhost: a\r\n\r\n" SMUGGLED, 400),
    HOSTILE("asterisk form", "OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n" SMUGGLED, 400),
    HOSTILE("two slashes", "GET //v2 HTTP/1.1\r\nhost: a\r\n\r\n" SMUGGLED, 400),
    HOSTILE("a step up", "GET /v2/../x HTTP/1.1\r\nhost: a\r\n\r\n" SMUGGLED, 400),
    HOSTILE("bytes over 127 in the target", "GET /\xc3\xa4 HTTP/1.1\r\nhost: a\r\n\r\n" SMUGGLED,
            400),
    HOSTILE("an unknown method", "BREW / HTTP/1.1\r\nhost: a\r\n\r\n" SMUGGLED, 501),
    HOSTILE("another version", "GET / HTTP/1.7\r\nhost: a\r\n\r\n" SMUGGLED, 505),
};

/* Cases that the library may close, or answer itself and otherwise, without us; nothing may come
 * through all the same. */
static const struct hostile closed[] = {
    HOSTILE("a length of 2^64 and 5", POST("content-length: 18446744073709551621\r\n"), 400),
    HOSTILE("NUL in the target", "GET /\0x HTTP/1.1\r\nhost: a\r\n\r\n" SMUGGLED, 400),
    HOSTILE("bare LF everywhere", "GET / HTTP/1.1\nhost: a\n\n" SMUGGLED, 400),
    HOSTILE("no version", "GET /\r\nhost: a\r\n\r\n" SMUGGLED, 400),
    HOSTILE("a space in the target", "GET / x HTTP/1.1\r\nhost: a\r\n\r\n" SMUGGLED, 400),
    HOSTILE("no HTTP", "\x16\x03\x01\x00\x05hello\r\n\r\n" SMUGGLED, 400),
    HOSTILE("HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
};

static void
attack(const struct hostile *h, bool may_close)
{
    struct client c;
    struct reply r;
    assert_true(client_open(it.port, NULL, &c));
    (void)client_send(&c, h->bytes);
    client_take(&c, &r);
    if (r.status != h->status && !(may_close && (r.status == 0 || r.status >= 400))) {
        print_error("%s: answered %u, not %u\n", h->name, r.status, h->status);
        fail();
    }
    if (r.status != 0) {
        assert_true(r.closes);
        assert_true(client_ended(&c, 20000));
        assert_true(c.in.len == 0 || strstr(r.head, "steward-test") == NULL);
    }
    reply_done(&r);
    client_close(&c);
    if (atomic_load(&it.smuggled) != 0 || atomic_load(&it.handled) != 0) {
        print_error("%s: a request came through\n", h->name);
        fail();
    }
}

static void
refuses_every_hostile_head_and_closes(void **state)
{
    (void)state;
    start_default();
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        attack(&hostile[i], false);
    }
    assert_true(atomic_load(&it.refused) >= sizeof hostile / sizeof *hostile);
    for (size_t i = 0; i < sizeof closed / sizeof *closed; i++) {
        attack(&closed[i], true);
    }
    assert_alive();
    stop(0);
}

static void
takes_a_body_in_chunks(void **state)
{
    (void)state;
    struct reply r;
    start_default();
    const unsigned status =
        client_ask(it.port,
                   "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
                   "5\r\nabcde\r\n0\r\ntrailer: 1\r\n\r\n",
                   &r);
    assert_int_equal(status, 200);
    assert_text_has(buf_str(&r.body), "\"body\":5");
    reply_done(&r);
    stop(0);
}

#define CHUNKED "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"

/* Nothing that follows is read as a request. */
static void
refuses_chunks_that_are_none_or_too_many(void **state)
{
    (void)state;
    static const struct hostile cases[] = {
        HOSTILE("a bare LF", CHUNKED "5\nabcde\r\n0\r\n\r\n" SMUGGLED, 400),
        HOSTILE("a size with a blank", CHUNKED "5 \r\nabcde\r\n0\r\n\r\n" SMUGGLED, 400),
        HOSTILE("a chunk longer than its size", CHUNKED "2\r\nabc\r\n0\r\n\r\n" SMUGGLED, 400),
        HOSTILE("a size of 2^64", CHUNKED "10000000000000000\r\n" SMUGGLED, 400),
    };
    struct client c;
    struct reply r;
    DEFER(buf_done) struct buf text;
    start_default();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        attack(&cases[i], false);
    }
    buf_init(&text, 1 << 20);
    buf_put_str(&text, CHUNKED);
    for (int i = 0; i < 11; i++) { /* 110,000 bytes; 100,000 are allowed */
        buf_printf(&text, "2710\r\n%010000d\r\n", 0);
    }
    assert_true(client_open(it.port, NULL, &c));
    (void)client_send(&c, buf_view(&text));
    client_take(&c, &r);
    assert_int_equal(r.status, 413);
    assert_true(r.closes);
    reply_done(&r);
    client_close(&c);
    assert_int_equal(atomic_load(&it.handled), 0);
    stop(0);
}

/* A client that waits for leave to send its body gets it, once the head is let through. */
static void
lets_a_client_go_on_that_asks_before_it_sends(void **state)
{
    (void)state;
    struct client c;
    struct reply r;
    start_default();
    assert_true(client_open(it.port, NULL, &c));
    assert_true(client_send_text(&c, "POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\n"
                                     "content-length: 3\r\n\r\n"));
    while (c.in.len == 0 || strstr(buf_str(&c.in), "\r\n\r\n") == NULL) {
        assert_false(client_ended(&c, 5));
    }
    assert_string_equal(buf_str(&c.in), "HTTP/1.1 100 Continue\r\n\r\n");
    assert_int_equal(atomic_load(&it.handled), 0);
    assert_true(client_send_text(&c, "abc" GET));
    for (int i = 0; i < 2; i++) { /* the body's, and what is asked behind it */
        client_take(&c, &r);
        assert_int_equal(r.status, 200);
        assert_false(r.closes);
        reply_done(&r);
    }
    client_close(&c);
    assert_int_equal(client_ask(it.port, "GET / HTTP/1.0\r\nhost: a\r\n\r\n", &r), 200);
    assert_true(r.closes);
    reply_done(&r);
    stop(0);
}

/* Sends `head`, then the same bytes until the server has had enough. */
static void
flood(const char *head, size_t megabytes)
{
    static uint8_t part[65536];
    struct client c;
    memset(part, 'a', sizeof part);
    assert_true(client_open(it.port, NULL, &c));
    bool open = client_send_text(&c, head);
    for (size_t i = 0; open && i < megabytes * 16; i++) {
        open = client_send(&c, view_of(part, sizeof part));
    }
    assert_false(open);
    client_close(&c);
}

static void
ends_heads_without_end_in_flat_memory(void **state)
{
    (void)state;
    start_default();
    assert_alive();
    const size_t before = resident_bytes();
    flood("GET / HTTP/1.1\r\nhost: a\r\nx: ", 100);
    flood("GET /", 100);
    flood("", 100);
    flood("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5;", 100);
    assert_true(resident_bytes() < before + FLAT_BYTES);
    assert_alive();
    stop(0);
}

/* ---- limits ---- */

static void
ask_sized(size_t value_bytes, unsigned fields, unsigned expected)
{
    DEFER(buf_done) struct buf text;
    struct reply r;
    buf_init(&text, 1 << 20);
    buf_put_str(&text, "GET / HTTP/1.1\r\nhost: a\r\n");
    for (unsigned i = 0; i < fields; i++) {
        buf_printf(&text, "x%u: ", i);
        for (size_t k = 0; k < value_bytes; k++) {
            buf_put_u8(&text, 'v');
        }
        buf_put_str(&text, "\r\n");
    }
    buf_put_str(&text, "\r\n");
    assert_int_equal(client_ask(it.port, buf_str(&text), &r), expected);
    reply_done(&r);
}

/* The library's memory for a connection is made for a head as long, and with as many fields, as the
 * limits allow: a body comes through beside it. */
static void
takes_a_body_beside_the_largest_head(void **state)
{
    (void)state;
    enum { FIELDS = 64, HEAD = 16384, BODY = 5000 };
    DEFER(buf_done) struct buf text;
    struct reply r;
    start_default();
    buf_init(&text, 1 << 20);
    buf_printf(&text, "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n", BODY);
    for (unsigned i = 0; i < FIELDS - 2; i++) {
        const size_t left = HEAD - 2 - text.len, fields = FIELDS - 2 - i;
        const int n = (int)(left / fields) - 7; /* "x00: " and the end of the line */
        buf_printf(&text, "x%02u: %0*d\r\n", i, n, 0);
    }
    buf_put_str(&text, "\r\n");
    assert_int_equal(text.len, HEAD);
    buf_printf(&text, "%0*d", BODY, 0);
    assert_int_equal(client_ask(it.port, buf_str(&text), &r), 200);
    reply_done(&r);
    stop(0);
}

static void
limits_the_head_by_bytes_and_by_fields(void **state)
{
    (void)state;
    start_default();
    ask_sized(16000, 1, 200);
    ask_sized(16400, 1, 431);
    ask_sized(30000, 1, 431);
    ask_sized(1, 63, 200); /* with host: 64 */
    ask_sized(1, 64, 431);
    ask_sized(1, 300, 431);
    stop(0);
}

static void
limits_the_body_before_it_is_read(void **state)
{
    (void)state;
    struct client c;
    struct reply r;
    DEFER(buf_done) struct buf text;
    start_default();
    buf_init(&text, 1 << 20);
    buf_put_str(&text, "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100000\r\n\r\n");
    memset(buf_extend(&text, 100000), 'b', 100000);
    assert_true(client_open(it.port, NULL, &c));
    assert_true(client_send(&c, buf_view(&text)));
    client_take(&c, &r);
    assert_int_equal(r.status, 200);
    assert_text_has(buf_str(&r.body), "\"body\":100000");
    reply_done(&r);
    /* The same connection; not one byte of this body is sent. */
    assert_true(
        client_send_text(&c, "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100001\r\n\r\n"));
    client_take(&c, &r);
    assert_int_equal(r.status, 413);
    assert_text_has(buf_str(&r.body), "{\"error\":\"the request body is too large\"}");
    assert_true(r.closes);
    reply_done(&r);
    client_close(&c);
    assert_int_equal(client_ask(it.port,
                                "POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\n"
                                "content-length: 999999\r\n\r\n",
                                &r),
                     413);
    reply_done(&r);
    stop(0);
}

static void
limits_connections_of_one_address_and_in_all(void **state)
{
    (void)state;
    struct client c[4], more;
    struct http_options o = options();
    o.limits.connections_per_address = 4;
    for (int round = 0; round < 2; round++) {
        start(&o);
        for (int i = 0; i < 4; i++) {
            assert_true(client_open(it.port, NULL, &c[i]));
        }
        assert_false(client_open(it.port, NULL, &more));
        client_close(&more);
        assert_true(
            client_send_text(&c[0], "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"));
        assert_true(client_ended(&c[0], 20000));
        client_close(&c[0]);
        const int64_t until = clock_mono_ns() + 20 * NS_PER_S;
        while (!client_open(it.port, NULL, &more) && clock_mono_ns() < until) {
            client_close(&more);
        }
        assert_true(client_send_text(&more, GET));
        client_close(&more);
        for (int i = 1; i < 4; i++) {
            client_close(&c[i]);
        }
        stop(0);
        o.limits.connections_per_address = 128; /* and now in all */
        o.limits.connections = 4;
    }
}

static void
outlives_running_out_of_descriptors(void **state)
{
    (void)state;
    enum { SOCKETS = 40 };
    int fd[SOCKETS];
    struct rlimit was, low;
    struct sockaddr_storage to;
    socklen_t n = sizeof to;
    struct http_options o = options();
    o.loops = 1; /* another one's accept may snatch the spare descriptor: then they wait instead */
    start(&o);
    const int probe = client_socket(it.port);
    assert_int_equal(getpeername(probe, (struct sockaddr *)(void *)&to, &n), 0);
    (void)close(probe);
    for (int i = 0; i < SOCKETS; i++) {
        fd[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(fd[i] >= 0);
    }
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
    low = was;
    low.rlim_cur = (rlim_t)fd[SOCKETS - 1] + 4;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    for (int i = 0; i < SOCKETS; i++) {
        assert_int_equal(connect(fd[i], (struct sockaddr *)(void *)&to, n), 0);
    }
    /* Those past the limit are dropped, not left waiting: their ends are seen. */
    unsigned dropped = 0;
    for (int i = SOCKETS - 8; i < SOCKETS; i++) {
        char byte = 0;
        const struct timeval wait = {.tv_sec = 20};
        (void)setsockopt(fd[i], SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
        dropped += recv(fd[i], &byte, 1, 0) == 0;
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
    for (int i = 0; i < SOCKETS; i++) {
        (void)close(fd[i]);
    }
    assert_true(dropped > 0);
    assert_alive();
    stop(0);
}

/* ---- deadlines ---- */

static struct http_options
impatient(void)
{
    struct http_options o = options();
    o.limits.handshake_ns = o.limits.header_ns = o.limits.body_ns = 300 * MS;
    o.limits.idle_ns = 300 * MS;
    return o;
}

/* Sends a byte every 20 ms until the server ends it; the bytes never finish anything. */
static bool
drip(struct client *c)
{
    const int64_t until = clock_mono_ns() + 20 * NS_PER_S;
    while (clock_mono_ns() < until) {
        if (!client_send_text(c, "x") || client_ended(c, 20)) {
            return true;
        }
    }
    return false;
}

static void
ends_a_handshake_that_drips(void **state)
{
    (void)state;
    const struct http_options o = impatient();
    static const uint8_t hello[] = {0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3};
    start(&o);
    const int fd = client_socket(it.port);
    const int silent = client_socket(it.port);
    const struct timeval wait = {.tv_sec = 20};
    assert_int_equal(write(fd, hello, sizeof hello), sizeof hello);
    ssize_t n = 1;
    const int64_t until = clock_mono_ns() + 20 * NS_PER_S;
    while (n > 0 && clock_mono_ns() < until) {
        const struct timespec pause = {.tv_nsec = 20 * MS};
        (void)nanosleep(&pause, NULL);
        n = send(fd, "x", 1, MSG_NOSIGNAL);
    }
    assert_true(n < 0);
    char byte = 0;
    (void)setsockopt(silent, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    assert_true(recv(silent, &byte, 1, 0) == 0);
    (void)close(fd);
    (void)close(silent);
    assert_alive();
    stop(0);
}

static void
ends_heads_that_drip_and_connections_that_idle(void **state)
{
    (void)state;
    static const char *const starts[] = {"G", "GET / HTTP/1.1\r\nhost: a\r\nx: ", GET "GET / HT"};
    const struct http_options o = impatient();
    struct client c;
    start(&o);
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        assert_true(client_open(it.port, NULL, &c));
        assert_true(client_send_text(&c, starts[i]));
        assert_true(drip(&c));
        client_close(&c);
    }
    assert_true(client_open(it.port, NULL, &c));
    assert_true(client_ended(&c, 20000));
    client_close(&c);
    assert_true(client_open(it.port, NULL, &c));
    assert_true(client_send_text(&c, GET));
    assert_true(client_ended(&c, 20000));
    assert_text_has(buf_str(&c.in), "HTTP/1.1 200");
    client_close(&c);
    stop(0);
}

static void
answers_408_to_a_body_that_drips(void **state)
{
    (void)state;
    const struct http_options o = impatient();
    struct client c;
    start(&o);
    assert_true(client_open(it.port, NULL, &c));
    assert_true(
        client_send_text(&c, "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 50000\r\n\r\n"));
    assert_true(drip(&c));
    assert_text_has(buf_str(&c.in), "HTTP/1.1 408 ");
    assert_text_has(buf_str(&c.in), "{\"error\":\"the request body took too long\"}");
    client_close(&c);
    await(&it.done, 1);
    assert_int_equal(atomic_load(&it.handled), 0);
    assert_int_equal(atomic_load(&it.refused), 1);
    stop(0);
}

static void
answers_503_when_a_call_waits_past_its_deadline(void **state)
{
    (void)state;
    struct http_options o = options();
    struct reply r;
    o.limits.request_ns = 300 * MS;
    start(&o);
    assert_int_equal(client_ask(it.port, HELD, &r), 503);
    reply_done(&r);
    stop(0);
}

static void
ends_a_client_that_does_not_read(void **state)
{
    (void)state;
    struct http_options o = options();
    struct client c;
    o.limits.request_ns = o.limits.idle_ns = 500 * MS;
    start(&o);
    assert_true(client_open(it.port, NULL, &c));
    const int small = 4096;
    (void)setsockopt(c.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    /* Pipelines without reading until the server stops taking, and then is cut off. */
    const size_t before = resident_bytes();
    bool open = true;
    for (int i = 0; open && i < 2000000; i++) {
        open = client_send_text(&c, GET);
    }
    assert_false(open);
    assert_true(resident_bytes() < before + FLAT_BYTES);
    client_close(&c);
    assert_alive();
    stop(0);
}

/* ---- TLS ---- */

static void
speaks_tls_1_2_and_1_3_only(void **state)
{
    (void)state;
    static const struct {
        const char *priorities;
        bool accepted;
        gnutls_protocol_t version;
    } cases[] = {
        {"NORMAL:-VERS-ALL:+VERS-TLS1.3", true, GNUTLS_TLS1_3},
        {"NORMAL:-VERS-ALL:+VERS-TLS1.2", true, GNUTLS_TLS1_2},
        {"LEGACY:-VERS-ALL:+VERS-TLS1.1:%COMPAT", false, GNUTLS_TLS1_1},
        {"LEGACY:-VERS-ALL:+VERS-TLS1.0:%COMPAT", false, GNUTLS_TLS1_0},
        {"NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+RSA", false, GNUTLS_TLS1_2},
        {"NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+AES-128-CBC", false, GNUTLS_TLS1_2},
    };
    start_default();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct client c;
        const bool open = client_open(it.port, cases[i].priorities, &c);
        if (open != cases[i].accepted) {
            print_error("%s: %s\n", cases[i].priorities, open ? "accepted" : "refused");
            fail();
        }
        if (open) {
            assert_int_equal(gnutls_protocol_get_version(c.tls), cases[i].version);
        }
        client_close(&c);
    }
    /* Plain HTTP on the TLS port gets no HTTP answer. */
    const int fd = client_socket(it.port);
    char text[64] = "";
    assert_int_equal(write(fd, GET, strlen(GET)), strlen(GET));
    const ssize_t n = recv(fd, text, sizeof text - 1, 0);
    assert_true(n <= 0 || strncmp(text, "HTTP", 4) != 0);
    (void)close(fd);
    stop(0);
}

/* ---- plain use ---- */

static void
answers_in_order_on_one_connection(void **state)
{
    (void)state;
    struct client c;
    struct reply r;
    char value[256];
    start_default();
    assert_true(client_open(it.port, NULL, &c));
    for (int i = 0; i < 50; i++) {
        char text[128];
        (void)snprintf(text, sizeof text,
                       "POST /p%d?q=%d HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc", i, i);
        assert_true(client_send_text(&c, text));
    }
    for (int i = 0; i < 50; i++) {
        char text[128];
        client_take(&c, &r);
        assert_int_equal(r.status, 200);
        (void)snprintf(
            text, sizeof text,
            "{\"path\":\"/p%d\",\"query\":\"q=%d\",\"body\":3,\"address\":\"127.0.0.1\"}", i, i);
        assert_string_equal(buf_str(&r.body), text);
        reply_header(&r, "steward-test", value);
        assert_string_equal(value, "yes");
        reply_header(&r, "content-type", value);
        assert_string_equal(value, "application/json");
        assert_false(r.closes);
        reply_done(&r);
    }
    /* Blanks around a value are no offence. */
    assert_true(client_send_text(&c, "GET / HTTP/1.1\r\nhost:  a \t\r\nx:\r\n\r\n"));
    client_take(&c, &r);
    assert_int_equal(r.status, 200);
    reply_done(&r);
    client_close(&c);
    stop(0);
}

/* The socket fills with answers: the next ones wait, in order, and none is lost. Short ones go out
 * with their heads in one record, long ones do not. */
static void
answers_all_to_a_client_that_asks_much_before_it_reads(void **state)
{
    (void)state;
    enum { ASKED = 600 };
    struct client c;
    struct reply r;
    DEFER(buf_done) struct buf asked;
    buf_init(&asked, 1 << 20);
    start_default();
    assert_true(client_open(it.port, NULL, &c));
    for (int i = 0; i < ASKED; i++) {
        buf_printf(&asked, "GET /%s?%d HTTP/1.1\r\nhost: a\r\n\r\n", i % 16 == 7 ? "long" : "p", i);
    }
    assert_true(client_send(&c, buf_view(&asked)));
    const struct timespec pause = {.tv_nsec = 200 * MS};
    (void)nanosleep(&pause, NULL);
    assert_true(atomic_load(&it.handled) < ASKED); /* else the socket was never full */
    for (int i = 0; i < ASKED; i++) {
        char query[64];
        client_take(&c, &r);
        assert_int_equal(r.status, 200);
        (void)snprintf(query, sizeof query, "\"query\":\"%d\"", i);
        assert_non_null(strstr(buf_str(&r.body), query));
        assert_true((r.body.len > LONG_BYTES) == (i % 16 == 7));
        reply_done(&r);
    }
    client_close(&c);
    stop(0);
}

static void
cork(const struct client *c, int on)
{
    assert_int_equal(setsockopt(c->fd, IPPROTO_TCP, TCP_CORK, &on, sizeof on), 0);
}

/* What one has sent beyond its first request, which waits, is read with it, into a buffer that the
 * others need as well. */
static void
keeps_what_was_read_ahead_while_others_ask(void **state)
{
    (void)state;
    enum { CLIENTS = 4 };
    struct client c[CLIENTS];
    struct reply r;
    struct http_options o = options();
    o.loops = 1;
    start(&o);
    for (unsigned i = 0; i < CLIENTS; i++) {
        assert_true(client_open(it.port, NULL, &c[i]));
        cork(&c[i], 1);
        assert_true(client_send_text(&c[i], HELD));
        assert_true(client_send_text(&c[i], "POST /a HTTP/1.1\r\nhost: a\r\n"));
        assert_true(client_send_text(&c[i], "content-length: 3\r\n\r\nabc" GET));
        cork(&c[i], 0);
        await(&it.handled, i + 1);
    }
    assert_alive();
    settle(&it.durable);
    for (unsigned i = 0; i < CLIENTS - 1; i++) { /* the last is closed with it unread */
        static const char *const paths[] = {"/held", "/a", "/"};
        for (int k = 0; k < 3; k++) {
            char path[32];
            client_take(&c[i], &r);
            assert_int_equal(r.status, 200);
            (void)snprintf(path, sizeof path, "{\"path\":\"%s\"", paths[k]);
            assert_non_null(strstr(buf_str(&r.body), path));
            reply_done(&r);
        }
        client_close(&c[i]);
    }
    client_close(&c[CLIENTS - 1]);
    assert_alive();
    stop(0);
}

/* In one packet: GnuTLS says after the update that there is nothing more to read. */
static void
answers_what_comes_with_a_key_update(void **state)
{
    (void)state;
    struct client c;
    struct reply r;
    start_default();
    assert_true(client_open(it.port, "NORMAL:-VERS-ALL:+VERS-TLS1.3", &c));
    for (int i = 0; i < 6; i++) {
        for (int on = 1; on >= 0; on--) {
            cork(&c, on);
            if (on != 0) {
                assert_int_equal(gnutls_session_key_update(c.tls, i % 2 == 0 ? GNUTLS_KU_PEER : 0),
                                 0);
                assert_true(client_send_text(&c, GET));
            }
        }
        client_take(&c, &r);
        assert_int_equal(r.status, 200);
        reply_done(&r);
    }
    client_close(&c);
    stop(0);
}

/* A head alone has nothing that it could wait for. */
static void
answers_heads_at_once(void **state)
{
    (void)state;
    struct client c;
    start_default();
    assert_true(client_open(it.port, NULL, &c));
    const int64_t before = clock_mono_ns();
    for (int i = 0; i < 20; i++) {
        assert_true(client_send_text(&c, "HEAD / HTTP/1.1\r\nhost: a\r\n\r\n"));
        while (c.in.len < 4 || memcmp(c.in.ptr + c.in.len - 4, "\r\n\r\n", 4) != 0) {
            assert_false(client_ended(&c, 5));
            assert_true(clock_mono_ns() < before + 20 * NS_PER_S);
        }
        buf_reset(&c.in);
    }
    client_close(&c);
    stop(0);
}

/* The server's socket of this client: it runs in this process. */
static int
other_end(const struct client *c)
{
    struct sockaddr_in own = {0}, peer;
    socklen_t n = sizeof own;
    assert_int_equal(getsockname(c->fd, (struct sockaddr *)&own, &n), 0);
    for (int fd = 3; fd < 1024; fd++) {
        n = sizeof peer;
        if (getpeername(fd, (struct sockaddr *)&peer, &n) == 0 && peer.sin_port == own.sin_port) {
            return fd;
        }
    }
    fail_msg("the server has no socket for port %u", ntohs(own.sin_port));
    return -1;
}

static unsigned
count_in(const struct buf *b, const char *text)
{
    unsigned n = 0;
    for (const char *at = buf_str(b); (at = strstr(at, text)) != NULL; at += strlen(text)) {
        n++;
    }
    return n;
}

/* The head of a long body waits for it, except when there will be none: then nothing would see to
 * it that a full socket takes it later. */
static void
answers_all_heads_of_a_client_that_reads_late(void **state)
{
    (void)state;
    enum { ASKED = 1000 };
    const int little = 4096;
    struct client c;
    DEFER(buf_done) struct buf asked;
    buf_init(&asked, 1 << 20);
    start_default();
    assert_true(client_open(it.port, NULL, &c));
    assert_int_equal(setsockopt(c.fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof little), 0);
    assert_int_equal(setsockopt(other_end(&c), SOL_SOCKET, SO_SNDBUF, &little, sizeof little), 0);
    for (int i = 0; i < ASKED; i++) {
        buf_put_str(&asked, "HEAD /record HTTP/1.1\r\nhost: a\r\n\r\n");
    }
    assert_true(client_send(&c, buf_view(&asked)));
    await(&it.handled, 10);
    const struct timespec pause = {.tv_nsec = 100 * MS};
    (void)nanosleep(&pause, NULL);
    assert_true(atomic_load(&it.handled) < ASKED); /* else the socket was never full */
    const int64_t until = clock_mono_ns() + 20 * NS_PER_S;
    while (count_in(&c.in, "\r\n\r\n") < ASKED && clock_mono_ns() < until) {
        assert_false(client_ended(&c, 5));
    }
    assert_int_equal(count_in(&c.in, "HTTP/1.1 200 OK\r\n"), ASKED);
    client_close(&c);
    stop(0);
}

static void
keeps_memory_flat_over_many_requests(void **state)
{
    (void)state;
    struct client c;
    struct reply r;
    start_default();
    assert_true(client_open(it.port, NULL, &c));
    size_t before = 0;
    for (int i = 0; i < 3000; i++) {
        before = i == 500 ? resident_bytes() : before;
        assert_true(client_send_text(&c, GET));
        client_take(&c, &r);
        assert_int_equal(r.status, 200);
        reply_done(&r);
    }
    assert_true(resident_bytes() < before + FLAT_BYTES);
    client_close(&c);
    stop(0);
    assert_int_equal(atomic_load(&it.done), 3000);
}

/* ---- tickets ---- */

static void
holds_an_answer_until_its_ticket_is_settled(void **state)
{
    (void)state;
    struct client c;
    struct reply r;
    start_default();
    assert_true(client_open(it.port, NULL, &c));
    assert_true(client_send_text(&c, HELD));
    await(&it.handled, 1);
    assert_false(client_ended(&c, 100));
    assert_int_equal(c.in.len, 0); /* nothing has left */
    settle(&it.durable);
    client_take(&c, &r);
    assert_int_equal(r.status, 200);
    reply_done(&r);
    assert_true(client_send_text(&c, HELD));
    await(&it.handled, 2);
    settle(&it.failed);
    client_take(&c, &r);
    assert_int_equal(r.status, 503);
    assert_string_equal(buf_str(&r.body), "{\"error\":\"the call could not be recorded\"}");
    reply_done(&r);
    client_close(&c);
    stop(0);
}

/* Nobody else settles tickets here. */
static void
asks_for_what_gathers_before_it_sleeps(void **state)
{
    (void)state;
    struct client c;
    struct reply r;
    it.hastens = true;
    start_default();
    assert_true(client_open(it.port, NULL, &c));
    for (unsigned i = 1; i <= 20; i++) {
        assert_true(client_send_text(&c, i % 2 == 0 ? HELD : HELD HELD HELD));
        for (int k = i % 2 == 0 ? 1 : 3; k > 0; k--) {
            client_take(&c, &r);
            assert_int_equal(r.status, 200);
            reply_done(&r);
        }
    }
    assert_in_range(atomic_load(&it.hastened), 1, 40);
    client_close(&c);
    stop(0);
    it.hastens = false;
}

/* The library repeats its last call of a request that waits, and always says that it has something
 * to do: the loop must see that it has not. */
static void
sleeps_while_calls_wait(void **state)
{
    (void)state;
    enum { CLIENTS = 4, CALLS = 300 };
    struct client c[CLIENTS];
    struct reply r;
    struct http_options o = options();
    o.loops = 1;
    start(&o);
    for (unsigned i = 0; i < CLIENTS; i++) {
        assert_true(client_open(it.port, NULL, &c[i]));
        assert_true(client_send_text(&c[i], HELD));
        await(&it.handled, i + 1);
        assert_false(client_ended(&c[i], 20));
        assert_true(i > 0 || atomic_load(&it.asked) < 10);
    }
    struct client other;
    assert_true(client_open(it.port, NULL, &other));
    for (int i = 0; i < CALLS; i++) {
        assert_true(client_send_text(&other, GET));
        client_take(&other, &r);
        assert_int_equal(r.status, 200);
        reply_done(&r);
    }
    assert_true(atomic_load(&it.asked) < CALLS); /* they are suspended by now */
    client_close(&other);
    for (unsigned i = 0; i < CLIENTS; i++) {
        assert_int_equal(c[i].in.len, 0);
    }
    settle(&it.durable);
    for (unsigned i = 0; i < CLIENTS; i++) {
        client_take(&c[i], &r);
        assert_int_equal(r.status, 200);
        reply_done(&r);
        client_close(&c[i]);
    }
    stop(0);
}

static void
lets_go_of_a_call_whose_client_left(void **state)
{
    (void)state;
    struct client c;
    start_default();
    for (unsigned i = 1; i <= 2; i++) {
        assert_true(client_open(it.port, NULL, &c));
        assert_true(client_send_text(&c, HELD));
        await(&it.handled, i);
        if (i == 1) {
            client_close(&c);
        } else {
            assert_int_equal(shutdown(c.fd, SHUT_WR), 0); /* half-closed */
        }
        await(&it.done, i);
        if (i == 2) {
            assert_true(client_ended(&c, 20000));
            client_close(&c);
        }
    }
    assert_alive();
    stop(0);
}

/* ---- stopping ---- */

static void *
stop_in_thread(void *arg)
{
    http_stop(it.server, *(const int64_t *)arg);
    return NULL;
}

static void
finishes_calls_in_flight_when_it_stops(void **state)
{
    (void)state;
    int64_t grace = 20 * NS_PER_S;
    struct client c, idle;
    struct reply r;
    pthread_t thread;
    start_default();
    assert_true(client_open(it.port, NULL, &idle));
    assert_true(client_open(it.port, NULL, &c));
    assert_true(client_send_text(&c, HELD));
    await(&it.handled, 1);
    assert_int_equal(pthread_create(&thread, NULL, stop_in_thread, &grace), 0);
    assert_true(client_ended(&idle, 20000)); /* the stop is under way */
    settle(&it.durable);
    client_take(&c, &r);
    assert_int_equal(r.status, 200);
    assert_true(r.closes);
    reply_done(&r);
    assert_int_equal(pthread_join(thread, NULL), 0);
    it.server = NULL;
    client_close(&c);
    client_close(&idle);
    assert_int_equal(client_socket(it.port), -1);
}

/* Calls that still wait when the grace is over are let go; those that stand behind them on their
 * connections must not begin to wait anew, or the library aborts. */
static void
stops_in_time_whatever_waits(void **state)
{
    (void)state;
    enum { CLIENTS = 16 };
    struct client c[CLIENTS];
    for (int round = 0; round < 5; round++) {
        start_default();
        for (int i = 0; i < CLIENTS; i++) {
            assert_true(client_open(it.port, NULL, &c[i]));
            assert_true(client_send_text(&c[i], HELD HELD HELD HELD));
        }
        await(&it.handled, CLIENTS);
        /* Fresh ones while it stops. */
        struct client late;
        assert_true(client_open(it.port, NULL, &late));
        assert_true(client_send_text(&late, HELD "GET / HTT"));
        stop(round * 10 * MS);
        assert_true(atomic_load(&it.done) >= CLIENTS);
        client_close(&late);
        for (int i = 0; i < CLIENTS; i++) {
            client_close(&c[i]);
        }
    }
}

static int
set_up(void **state)
{
    (void)state;
    (void)signal(SIGPIPE, SIG_IGN);
    own_identity_make(&it.own);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    own_identity_done(&it.own);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_to_start_where_it_cannot),
        cmocka_unit_test(refuses_every_hostile_head_and_closes),
        cmocka_unit_test(takes_a_body_in_chunks),
        cmocka_unit_test(refuses_chunks_that_are_none_or_too_many),
        cmocka_unit_test(lets_a_client_go_on_that_asks_before_it_sends),
        cmocka_unit_test(ends_heads_without_end_in_flat_memory),
        cmocka_unit_test(takes_a_body_beside_the_largest_head),
        cmocka_unit_test(limits_the_head_by_bytes_and_by_fields),
        cmocka_unit_test(limits_the_body_before_it_is_read),
        cmocka_unit_test(limits_connections_of_one_address_and_in_all),
        cmocka_unit_test(outlives_running_out_of_descriptors),
        cmocka_unit_test(ends_a_handshake_that_drips),
        cmocka_unit_test(ends_heads_that_drip_and_connections_that_idle),
        cmocka_unit_test(answers_408_to_a_body_that_drips),
        cmocka_unit_test(answers_503_when_a_call_waits_past_its_deadline),
        cmocka_unit_test(ends_a_client_that_does_not_read),
        cmocka_unit_test(speaks_tls_1_2_and_1_3_only),
        cmocka_unit_test(answers_in_order_on_one_connection),
        cmocka_unit_test(answers_all_to_a_client_that_asks_much_before_it_reads),
        cmocka_unit_test(keeps_what_was_read_ahead_while_others_ask),
        cmocka_unit_test(answers_what_comes_with_a_key_update),
        cmocka_unit_test(answers_heads_at_once),
        cmocka_unit_test(answers_all_heads_of_a_client_that_reads_late),
        cmocka_unit_test(keeps_memory_flat_over_many_requests),
        cmocka_unit_test(holds_an_answer_until_its_ticket_is_settled),
        cmocka_unit_test(asks_for_what_gathers_before_it_sleeps),
        cmocka_unit_test(sleeps_while_calls_wait),
        cmocka_unit_test(lets_go_of_a_call_whose_client_left),
        cmocka_unit_test(finishes_calls_in_flight_when_it_stops),
        cmocka_unit_test(stops_in_time_whatever_waits),
    };
    return cmocka_run_group_tests_name("serve/http", tests, set_up, tear_down);
}
