/* TLS handshakes that stand still, come in pieces, or are under way when the server stops. */
#include "client.h"
#include "own_identity.h"

#include "base/clock.h"
#include "serve/http.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MS INT64_C(1000000)
#define GET "GET / HTTP/1.1\r\nhost: a\r\n\r\n"
#define STALLED 8
/* Growth that counts as none; the sanitizer keeps freed memory for a while. */
#if defined(__SANITIZE_ADDRESS__)
#define FLAT_BYTES (400u << 20)
#else
#define FLAT_BYTES (16u << 20)
#endif

static struct {
    struct own_identity own;
    struct http_server *server;
    uint16_t port;
} it;

static void
handle(void *ctx, struct http_exchange *x)
{
    (void)ctx;
    x->status = 200;
    buf_put_str(&x->answer, "{}");
}

static enum http_fate
fate(void *ctx, uint64_t ticket)
{
    (void)ctx, (void)ticket;
    return HTTP_DURABLE;
}

static void
start(int64_t handshake_ns)
{
    const struct http_handler h = {.handle = handle, .fate = fate};
    const struct http_options o = {
        .address = "127.0.0.1",
        .identity = it.own.identity,
        .loops = 1,
        .limits = {.header_bytes = 16384,
                   .header_count = 64,
                   .body_bytes = 100000,
                   .handshake_ns = handshake_ns,
                   .header_ns = 30 * NS_PER_S,
                   .body_ns = 30 * NS_PER_S,
                   .request_ns = 30 * NS_PER_S,
                   .idle_ns = 30 * NS_PER_S,
                   .connections = 128,
                   .connections_per_address = 128},
        .arena_bytes = 1 << 20,
    };
    struct diag diag = {0};
    assert_ok(http_start(&o, &h, &diag, &it.server));
    it.port = http_port(it.server, 0);
}

static void
stop(int64_t grace_ns)
{
    http_stop(it.server, grace_ns);
    it.server = NULL;
}

static void
assert_alive(void)
{
    struct reply r;
    assert_int_equal(client_ask(it.port, GET, &r), 200);
    reply_done(&r);
}

static void
await_input(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, CLIENT_WAIT_MS), 1);
}

/* ---- clients ---- */

/* The beginning of a record that says it will be longer. */
static int
stall_at_once(void)
{
    static const uint8_t hello[] = {0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc};
    const int fd = client_socket(it.port);
    assert_true(fd >= 0);
    assert_int_equal(send(fd, hello, sizeof hello, 0), sizeof hello);
    return fd;
}

static ssize_t
push_bytes(gnutls_transport_ptr_t p, const void *data, size_t n)
{
    const int fd = (int)(intptr_t)p;
    for (size_t i = 0; i < n; i++) {
        if (send(fd, (const uint8_t *)data + i, 1, 0) != 1) {
            return -1;
        }
    }
    return (ssize_t)n;
}

static ssize_t
pull(gnutls_transport_ptr_t p, void *data, size_t n)
{
    return recv((int)(intptr_t)p, data, n, 0);
}

static ssize_t
pull_nothing(gnutls_transport_ptr_t p, void *data, size_t n)
{
    (void)p, (void)data, (void)n;
    errno = EAGAIN;
    return -1;
}

/* A client that sends each byte by itself and has not begun its handshake. */
static void
client_in_pieces(struct client *ret_client)
{
    struct client c = {.fd = client_socket(it.port)};
    assert_true(c.fd >= 0);
    buf_init(&c.in, 1 << 20);
    assert_int_equal(gnutls_init(&c.tls, GNUTLS_CLIENT | GNUTLS_NO_SIGNAL | GNUTLS_NONBLOCK), 0);
    assert_int_equal(gnutls_certificate_allocate_credentials(&c.trust), 0);
    assert_int_equal(gnutls_set_default_priority(c.tls), 0);
    (void)gnutls_credentials_set(c.tls, GNUTLS_CRD_CERTIFICATE, c.trust);
    gnutls_transport_set_int(c.tls, c.fd);
    gnutls_transport_set_push_function(c.tls, push_bytes);
    gnutls_transport_set_ptr(c.tls, (gnutls_transport_ptr_t)(intptr_t)c.fd);
    (void)fcntl(c.fd, F_SETFL, O_NONBLOCK);
    *ret_client = c;
}

/* Its hello is out and the server's flight has come; it goes no further. */
static void
stall_in_the_middle(struct client *ret_client)
{
    client_in_pieces(ret_client);
    gnutls_transport_set_pull_function(ret_client->tls, pull_nothing);
    assert_int_equal(gnutls_handshake(ret_client->tls), GNUTLS_E_AGAIN);
    await_input(ret_client->fd);
    gnutls_transport_set_pull_function(ret_client->tls, pull);
}

static void
finish_handshake(struct client *c)
{
    int rc = GNUTLS_E_AGAIN;
    while ((rc = gnutls_handshake(c->tls)) == GNUTLS_E_AGAIN) {
        await_input(c->fd);
    }
    assert_int_equal(rc, 0);
}

struct crowd {
    int at_once[STALLED];
    struct client middle[STALLED];
};

static void
stall(struct crowd *crowd)
{
    for (int i = 0; i < STALLED; i++) {
        crowd->at_once[i] = stall_at_once();
        stall_in_the_middle(&crowd->middle[i]);
    }
}

static void
leave(struct crowd *crowd)
{
    for (int i = 0; i < STALLED; i++) {
        (void)close(crowd->at_once[i]);
        client_close(&crowd->middle[i]);
    }
}

/* ---- cases ---- */

static void
assert_ended(int fd)
{
    uint8_t byte = 0;
    ssize_t n = 0;
    do {
        await_input(fd);
        n = recv(fd, &byte, 1, 0);
    } while (n > 0);
    (void)close(fd);
}

static void
ends_a_handshake_that_stands_still(void **state)
{
    (void)state;
    start(300 * MS);
    const int64_t began = clock_mono_ns();
    struct client middle;
    const int silent = client_socket(it.port);
    const int fd = stall_at_once();
    stall_in_the_middle(&middle);
    assert_ended(silent);
    assert_ended(fd);
    assert_true(client_ended(&middle, CLIENT_WAIT_MS));
    assert_true(clock_mono_ns() - began >= 300 * MS);
    client_close(&middle);
    assert_alive();
    stop(0);
}

static int64_t
cpu_ns(void)
{
    struct timespec t;
    assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t), 0);
    return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

/* A loop that spun would take the whole window, or what a busy machine leaves it. */
static void
spends_nothing_on_handshakes_that_stand_still(void **state)
{
    (void)state;
    const struct timespec window = {.tv_nsec = 500 * MS};
    struct crowd crowd;
    start(30 * NS_PER_S);
    stall(&crowd);
    assert_alive();
    const int64_t before = cpu_ns();
    (void)nanosleep(&window, NULL);
    assert_true(cpu_ns() - before < 20 * MS);
    leave(&crowd);
    stop(0);
}

static void
goes_on_with_a_handshake_whenever_more_of_it_comes(void **state)
{
    (void)state;
    struct crowd crowd;
    struct reply r;
    start(30 * NS_PER_S);
    stall(&crowd);
    for (int i = 0; i < STALLED; i++) {
        finish_handshake(&crowd.middle[i]);
        for (int j = 0; j < 3; j++) {
            assert_true(client_send_text(&crowd.middle[i], GET));
            client_take(&crowd.middle[i], &r);
            assert_int_equal(r.status, 200);
            reply_done(&r);
        }
    }
    leave(&crowd);
    assert_alive();
    stop(0);
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

/* With calls answered, connections idle and handshakes under way; without grace and with. */
static void
stops_in_time_and_in_flat_memory_whatever_handshakes_are_under_way(void **state)
{
    (void)state;
    const size_t before = resident_bytes();
    for (int round = 0; round < 10; round++) {
        struct crowd crowd;
        struct client idle;
        struct reply r;
        start(30 * NS_PER_S);
        assert_true(client_open(it.port, NULL, &idle));
        assert_true(client_send_text(&idle, GET));
        client_take(&idle, &r);
        assert_int_equal(r.status, 200);
        reply_done(&r);
        stall(&crowd);
        const int64_t began = clock_mono_ns();
        stop(round % 2 * 10 * NS_PER_S);
        assert_true(clock_mono_ns() - began < 9 * NS_PER_S);
        leave(&crowd);
        client_close(&idle);
    }
    assert_true(resident_bytes() < before + FLAT_BYTES);
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
        cmocka_unit_test(ends_a_handshake_that_stands_still),
        cmocka_unit_test(spends_nothing_on_handshakes_that_stand_still),
        cmocka_unit_test(goes_on_with_a_handshake_whenever_more_of_it_comes),
        cmocka_unit_test(stops_in_time_and_in_flat_memory_whatever_handshakes_are_under_way),
    };
    return cmocka_run_group_tests_name("serve/handshake", tests, set_up, tear_down);
}
