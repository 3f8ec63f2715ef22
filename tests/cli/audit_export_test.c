/* audit export through the program: to a file that was cut off, and to a receiver of syslog over
 * TLS (GnuTLS, a certificate made here) that takes half of a batch and goes away. */
#include "cli/run.h"

#include "base/text.h"
#include "workspace/certificate.h"

#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

static struct {
    int fd;
    uint16_t port;
    pthread_t thread;
    _Atomic bool stopping;
    gnutls_certificate_credentials_t own;
    size_t takes; /* bytes of the first connection, then it is closed */
    unsigned connections;
    struct buf got[8]; /* of each connection */
} it;

static void
take_all(gnutls_session_t tls, struct buf *got, size_t most)
{
    char bytes[4096];
    while (got->len < most) {
        const size_t left = most - got->len;
        const ssize_t n = gnutls_record_recv(tls, bytes, left < sizeof bytes ? left : sizeof bytes);
        if (n <= 0 && n != GNUTLS_E_AGAIN && n != GNUTLS_E_INTERRUPTED) {
            return;
        }
        buf_put(got, view_of(bytes, n > 0 ? (size_t)n : 0));
    }
}

static void *
receive(void *arg)
{
    (void)arg;
    for (;;) {
        const int fd = accept(it.fd, NULL, NULL);
        if (fd < 0 || atomic_load(&it.stopping)) {
            close(fd);
            return NULL;
        }
        gnutls_session_t tls;
        struct buf *got = &it.got[it.connections % 8];
        buf_init(got, 64u << 20);
        (void)gnutls_init(&tls, GNUTLS_SERVER);
        (void)gnutls_set_default_priority(tls);
        (void)gnutls_credentials_set(tls, GNUTLS_CRD_CERTIFICATE, it.own);
        gnutls_transport_set_int(tls, fd);
        if (gnutls_handshake(tls) == 0) {
            take_all(tls, got, it.connections == 0 && it.takes > 0 ? it.takes : SIZE_MAX);
        }
        /* Who does not believe the certificate says so when the handshake is done. */
        if (got->len > 0) {
            it.connections++;
        } else {
            buf_done(got);
        }
        gnutls_deinit(tls);
        close(fd);
    }
}

static void
start_receiver(struct room *m)
{
    static const char *const hosts[] = {"localhost", "127.0.0.1"};
    struct diag diag = {0};
    DEFER(buf_done) struct buf cert;
    DEFER(buf_done) struct buf key;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    buf_init(&cert, 1u << 16);
    buf_init(&key, 1u << 16);
    assert_ok(certificate_make(hosts, 2, &diag, &cert, &key));
    testing_write(in(m, "ca.pem"), buf_view(&cert));
    const gnutls_datum_t c = {cert.ptr, (unsigned)cert.len},
                         k = {(unsigned char *)(uintptr_t)key.ptr, (unsigned)key.len};
    assert_int_equal(gnutls_certificate_allocate_credentials(&it.own), 0);
    assert_int_equal(gnutls_certificate_set_x509_key_mem(it.own, &c, &k, GNUTLS_X509_FMT_PEM), 0);
    it.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(it.fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(it.fd, 4), 0);
    assert_int_equal(getsockname(it.fd, (struct sockaddr *)&a, &n), 0);
    it.port = ntohs(a.sin_port);
    atomic_store(&it.stopping, false);
    assert_int_equal(pthread_create(&it.thread, NULL, receive, NULL), 0);
}

static void
stop_receiver(void)
{
    atomic_store(&it.stopping, true);
    (void)shutdown(it.fd, SHUT_RDWR);
    assert_int_equal(pthread_join(it.thread, NULL), 0);
    close(it.fd);
    gnutls_certificate_free_credentials(it.own);
}

/* The whole messages of a connection: their indices in turn, by their own counts. */
static size_t
read_frames(const struct buf *got, json_int_t *ret_index, size_t most)
{
    size_t n = 0;
    const char *at = (const char *)got->ptr, *end = at + got->len;
    while (at < end && n < most) {
        char *behind = NULL;
        const unsigned long length = strtoul(at, &behind, 10);
        if (behind + 1 + length > end) {
            break;
        }
        assert_int_equal(*behind, ' ');
        const char *line = memchr(behind, '{', length);
        assert_non_null(line);
        assert_memory_equal(behind + 1, "<1", 2);
        DEFER(js_freep) json_t *o = NULL;
        assert_ok(js_parse(view_of(line, length - (size_t)(line - behind - 1)), "event", NULL, &o));
        ret_index[n++] = json_integer_value(json_object_get(o, "index"));
        at = behind + 1 + length;
    }
    return n;
}

static void
allow(struct room *m, const char *rules)
{
    DEFER(buf_done) struct buf text;
    buf_init(&text, 1u << 16);
    buf_printf(&text, "network:\n  egress: [%s]\n", rules);
    testing_write(in(m, "w/steward.yaml"), buf_view(&text));
}

static void
a_receiver_that_goes_away_gets_all_of_it_again_in_order(void **state)
{
    struct room *m = *state;
    char to[64], rule[64], ca[600];
    json_int_t index[256];
    for (int i = 0; i < 12; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "desk-%d", i);
        RUN(m, 0, "principal", "add", name, "--role", "caller");
    }
    it.takes = 2500;
    start_receiver(m);
    (void)snprintf(to, sizeof to, "127.0.0.1:%u", it.port);
    (void)snprintf(rule, sizeof rule, "\"export 127.0.0.1 %u\"", it.port);
    (void)snprintf(ca, sizeof ca, "%s", in(m, "ca.pem"));
    /* Not without a rule; nothing is sent, and nothing counts as sent. */
    allow(m, "");
    RUN(m, 3, "audit", "export", "--to", to, "--ca", ca, "--destination", "siem");
    ERR_HAS(m, "no line of network.egress allows it");
    allow(m, rule);
    /* Its certificate is of nobody whom the system trusts. */
    RUN(m, 3, "audit", "export", "--to", to, "--destination", "siem");
    assert_int_equal(it.connections, 0);
    /* Half of it is taken: the run fails, and nothing of it counts. */
    RUN(m, 1, "audit", "export", "--to", to, "--ca", ca, "--destination", "siem");
    ERR_HAS(m, "127.0.0.1");
    assert_false(file_exists(in(m, "w/audit/export/siem")));
    RUN(m, 0, "audit", "export", "--to", to, "--ca", ca, "--destination", "siem");
    assert_true(file_exists(in(m, "w/audit/export/siem")));
    stop_receiver();
    assert_int_equal(it.connections, 2);
    const size_t half = read_frames(&it.got[0], index, 256);
    assert_true(half > 0 && half < 12);
    for (size_t i = 0; i < half; i++) {
        assert_int_equal(index[i], i);
    }
    const size_t all = read_frames(&it.got[1], index, 256);
    assert_true(all > 24);
    for (size_t i = 0; i < all; i++) {
        assert_int_equal(index[i], i);
    }
    buf_done(&it.got[0]);
    buf_done(&it.got[1]);
}

static void
a_file_that_was_cut_off_goes_on_whole(void **state)
{
    struct room *m = *state;
    char out[600];
    DEFER(buf_done) struct buf first;
    DEFER(buf_done) struct buf cut;
    DEFER(buf_done) struct buf again;
    buf_init(&cut, 1u << 20);
    (void)snprintf(out, sizeof out, "%s", in(m, "events"));
    RUN(m, 2, "audit", "export", "--destination", "siem");
    ERR_HAS(m, "--destination needs --output FILE or --to");
    RUN(m, 0, "audit", "export", "--destination", "siem", "--output", out);
    testing_read(out, &first);
    buf_put(&cut, buf_view(&first));
    buf_put_str(&cut, "{\"index\":2,\"lo"); /* as a run that was killed leaves it */
    testing_write(out, buf_view(&cut));
    RUN(m, 0, "principal", "add", "later", "--role", "caller");
    RUN(m, 0, "audit", "export", "--destination", "siem", "--output", out);
    testing_read(out, &again);
    assert_memory_equal(again.ptr, first.ptr, first.len);
    json_int_t next = 0;
    for (const char *at = buf_str(&again); *at != '\0'; at = strchr(at, '\n') + 1) {
        DEFER(js_freep) json_t *o = NULL;
        assert_ok(js_parse(text_first_line(view_str(at)), "event", NULL, &o));
        assert_int_equal(json_integer_value(json_object_get(o, "index")), next++);
    }
    assert_true(next > 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_file_that_was_cut_off_goes_on_whole, room_with_workspace,
                                        room_done),
        cmocka_unit_test_setup_teardown(a_receiver_that_goes_away_gets_all_of_it_again_in_order,
                                        room_with_workspace, room_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
