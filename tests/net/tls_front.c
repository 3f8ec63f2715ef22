#include "net/tls_front.h"

#include "workspace/certificate.h"

#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST 32u

struct tls_front {
    int fd;
    uint16_t port, behind;
    pthread_t thread, of[MOST];
    unsigned begun;
    atomic_bool stopping;
    atomic_uint connections;
    gnutls_certificate_credentials_t own;
};

struct passage {
    struct tls_front *front;
    int fd;
};

static int
connect_behind(uint16_t port)
{
    const struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)connect(fd, (const struct sockaddr *)&a, sizeof a);
    return fd;
}

static bool
read_all(int fd, uint8_t *to, size_t n)
{
    for (size_t done = 0; done < n;) {
        const ssize_t got = read(fd, to + done, n - done);
        if (got <= 0) {
            return false;
        }
        done += (size_t)got;
    }
    return true;
}

/* Where an answer says "127.0.0.1" and the broker's port, it says the front's. */
static void
rename_broker(const struct tls_front *f, uint8_t *frame, size_t n)
{
    static const char host[] = "127.0.0.1";
    const uint8_t old[4] = {0, 0, (uint8_t)(f->behind >> 8), (uint8_t)f->behind};
    const uint8_t new[4] = {0, 0, (uint8_t)(f->port >> 8), (uint8_t)f->port};
    for (size_t i = 0; i + 13 <= n; i++) {
        if (memcmp(frame + i, host, 9) == 0 && memcmp(frame + i + 9, old, 4) == 0) {
            memcpy(frame + i + 9, new, 4);
        }
    }
}

static bool
send_frame(const struct tls_front *f, int behind, gnutls_session_t tls)
{
    uint8_t head[4];
    if (!read_all(behind, head, 4)) {
        return false;
    }
    const size_t n = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
    uint8_t *frame = malloc(4 + n);
    bool good = frame != NULL && read_all(behind, frame + 4, n);
    if (good) {
        memcpy(frame, head, 4);
        rename_broker(f, frame + 4, n);
        for (size_t done = 0; good && done < 4 + n;) {
            const ssize_t put = gnutls_record_send(tls, frame + done, 4 + n - done);
            good = put > 0;
            done += good ? (size_t)put : 0;
        }
    }
    free(frame);
    return good;
}

static bool
take_some(int behind, gnutls_session_t tls)
{
    uint8_t bytes[4096];
    const ssize_t n = gnutls_record_recv(tls, bytes, sizeof bytes);
    return n > 0 && write(behind, bytes, (size_t)n) == n;
}

static void
pass(struct tls_front *f, int fd, gnutls_session_t tls)
{
    const int behind = connect_behind(f->behind);
    struct pollfd p[2] = {{.fd = fd, .events = POLLIN}, {.fd = behind, .events = POLLIN}};
    bool on = true;
    while (on && !atomic_load(&f->stopping)) {
        const bool waits = gnutls_record_check_pending(tls) > 0;
        if (!waits && poll(p, 2, 100) <= 0) {
            continue;
        }
        if (waits || p[0].revents != 0) {
            on = take_some(behind, tls);
        }
        if (on && !waits && p[1].revents != 0) {
            on = send_frame(f, behind, tls);
        }
    }
    (void)close(behind);
}

static void *
serve_one(void *arg)
{
    struct passage *q = arg;
    gnutls_session_t tls;
    (void)gnutls_init(&tls, GNUTLS_SERVER);
    (void)gnutls_set_default_priority(tls);
    (void)gnutls_credentials_set(tls, GNUTLS_CRD_CERTIFICATE, q->front->own);
    gnutls_transport_set_int(tls, q->fd);
    if (gnutls_handshake(tls) == 0) {
        (void)atomic_fetch_add(&q->front->connections, 1);
        pass(q->front, q->fd, tls);
    }
    gnutls_deinit(tls);
    (void)close(q->fd);
    free(q);
    return NULL;
}

static void *
serve(void *arg)
{
    struct tls_front *f = arg;
    for (;;) {
        const int fd = accept(f->fd, NULL, NULL);
        if (fd < 0 || atomic_load(&f->stopping) || f->begun == MOST) {
            (void)close(fd);
            return NULL;
        }
        struct passage *q = malloc(sizeof *q);
        *q = (struct passage){f, fd};
        (void)pthread_create(&f->of[f->begun++], NULL, serve_one, q);
    }
}

struct tls_front *
tls_front_start(uint16_t port, struct buf *ret_ca)
{
    static const char *const hosts[] = {"127.0.0.1"};
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    struct diag diag = {0};
    struct tls_front *f = calloc(1, sizeof *f);
    DEFER(buf_done) struct buf key;
    assert_non_null(f);
    buf_init(ret_ca, 1u << 16);
    buf_init(&key, 1u << 16);
    assert_ok(certificate_make(hosts, 1, &diag, ret_ca, &key));
    const gnutls_datum_t c = {ret_ca->ptr, (unsigned)ret_ca->len}, k = {key.ptr, (unsigned)key.len};
    assert_int_equal(gnutls_certificate_allocate_credentials(&f->own), 0);
    assert_int_equal(gnutls_certificate_set_x509_key_mem(f->own, &c, &k, GNUTLS_X509_FMT_PEM), 0);
    f->behind = port;
    f->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(f->fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(f->fd, 8), 0);
    assert_int_equal(getsockname(f->fd, (struct sockaddr *)&a, &n), 0);
    f->port = ntohs(a.sin_port);
    assert_int_equal(pthread_create(&f->thread, NULL, serve, f), 0);
    return f;
}

uint16_t
tls_front_port(const struct tls_front *f)
{
    return f->port;
}

unsigned
tls_front_connections(const struct tls_front *f)
{
    return atomic_load(&f->connections);
}

void
tls_front_stop(struct tls_front *f)
{
    atomic_store(&f->stopping, true);
    (void)shutdown(f->fd, SHUT_RDWR);
    assert_int_equal(pthread_join(f->thread, NULL), 0);
    for (unsigned i = 0; i < f->begun; i++) {
        assert_int_equal(pthread_join(f->of[i], NULL), 0);
    }
    (void)close(f->fd);
    gnutls_certificate_free_credentials(f->own);
    free(f);
}
