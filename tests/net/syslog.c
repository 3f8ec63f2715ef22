#include "net/syslog.h"

#include "workspace/certificate.h"

#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct syslog {
    int fd;
    uint16_t port;
    pthread_t thread;
    atomic_bool stopping;
    gnutls_certificate_credentials_t own;
    size_t takes;
    bool dies;
    pthread_mutex_t lock; /* of what follows */
    int open;             /* the connection; -1: none */
    unsigned connections;
    struct buf got[SYSLOG_CONNECTIONS];
};

static void
take_all(struct syslog *s, gnutls_session_t tls, struct buf *got, size_t most)
{
    char bytes[4096];
    while (got->len < most) {
        const size_t left = most - got->len;
        const ssize_t n = gnutls_record_recv(tls, bytes, left < sizeof bytes ? left : sizeof bytes);
        if (n <= 0 && n != GNUTLS_E_AGAIN && n != GNUTLS_E_INTERRUPTED) {
            return;
        }
        (void)pthread_mutex_lock(&s->lock);
        buf_put(got, view_of(bytes, n > 0 ? (size_t)n : 0));
        (void)pthread_mutex_unlock(&s->lock);
    }
}

static void
set_open(struct syslog *s, int fd)
{
    (void)pthread_mutex_lock(&s->lock);
    s->open = fd;
    (void)pthread_mutex_unlock(&s->lock);
}

/* Who does not believe the certificate says so when the handshake is done: such a connection brings
 * nothing, and does not count. */
static bool
serve_one(struct syslog *s, int fd)
{
    gnutls_session_t tls;
    struct buf *got = &s->got[s->connections];
    const size_t most = s->takes > 0 ? s->takes : SIZE_MAX;
    (void)gnutls_init(&tls, GNUTLS_SERVER);
    (void)gnutls_set_default_priority(tls);
    (void)gnutls_credentials_set(tls, GNUTLS_CRD_CERTIFICATE, s->own);
    gnutls_transport_set_int(tls, fd);
    if (gnutls_handshake(tls) == 0) {
        take_all(s, tls, got, most);
    }
    gnutls_deinit(tls);
    (void)pthread_mutex_lock(&s->lock);
    const bool brought = got->len > 0;
    s->connections += brought && s->connections + 1 < SYSLOG_CONNECTIONS;
    (void)pthread_mutex_unlock(&s->lock);
    s->takes = brought ? 0 : s->takes;
    return !(brought && s->dies && got->len >= most);
}

static void *
receive(void *arg)
{
    struct syslog *s = arg;
    bool lives = true;
    while (lives && !atomic_load(&s->stopping)) {
        const int fd = accept(s->fd, NULL, NULL);
        if (fd < 0) {
            break;
        }
        set_open(s, fd);
        lives = serve_one(s, fd);
        set_open(s, -1);
        (void)close(fd);
    }
    (void)close(s->fd);
    return NULL;
}

struct syslog *
syslog_new(const char *ca_path)
{
    static const char *const hosts[] = {"localhost", "127.0.0.1"};
    struct syslog *s = calloc(1, sizeof *s);
    struct diag diag = {0};
    DEFER(buf_done) struct buf cert;
    DEFER(buf_done) struct buf key;
    assert_non_null(s);
    buf_init(&cert, 1u << 16);
    buf_init(&key, 1u << 16);
    assert_ok(certificate_make(hosts, 2, &diag, &cert, &key));
    testing_write(ca_path, buf_view(&cert));
    const gnutls_datum_t c = {cert.ptr, (unsigned)cert.len}, k = {key.ptr, (unsigned)key.len};
    assert_int_equal(gnutls_certificate_allocate_credentials(&s->own), 0);
    assert_int_equal(gnutls_certificate_set_x509_key_mem(s->own, &c, &k, GNUTLS_X509_FMT_PEM), 0);
    (void)pthread_mutex_init(&s->lock, NULL);
    for (size_t i = 0; i < SYSLOG_CONNECTIONS; i++) {
        buf_init(&s->got[i], 64u << 20);
    }
    s->open = -1;
    return s;
}

void
syslog_free(struct syslog *s)
{
    gnutls_certificate_free_credentials(s->own);
    for (size_t i = 0; i < SYSLOG_CONNECTIONS; i++) {
        buf_done(&s->got[i]);
    }
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}

void
syslog_start(struct syslog *s, size_t takes, bool dies)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                            .sin_port = htons(s->port)};
    socklen_t n = sizeof a;
    const int yes = 1;
    s->takes = takes;
    s->dies = dies;
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    assert_int_equal(bind(s->fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(s->fd, 4), 0);
    assert_int_equal(getsockname(s->fd, (struct sockaddr *)&a, &n), 0);
    s->port = ntohs(a.sin_port);
    atomic_store(&s->stopping, false);
    assert_int_equal(pthread_create(&s->thread, NULL, receive, s), 0);
}

void
syslog_stop(struct syslog *s)
{
    atomic_store(&s->stopping, true);
    (void)pthread_mutex_lock(&s->lock);
    (void)shutdown(s->fd, SHUT_RDWR);
    if (s->open >= 0) {
        (void)shutdown(s->open, SHUT_RDWR);
    }
    (void)pthread_mutex_unlock(&s->lock);
    assert_int_equal(pthread_join(s->thread, NULL), 0);
}

uint16_t
syslog_port(const struct syslog *s)
{
    return s->port;
}

unsigned
syslog_connections(struct syslog *s)
{
    (void)pthread_mutex_lock(&s->lock);
    const unsigned n = s->connections + (s->got[s->connections].len > 0);
    (void)pthread_mutex_unlock(&s->lock);
    return n;
}

size_t
syslog_read(struct syslog *s, unsigned connection, int64_t *ret_index, size_t most)
{
    size_t n = 0;
    DEFER(buf_done) struct buf got;
    buf_init(&got, 64u << 20);
    (void)pthread_mutex_lock(&s->lock);
    buf_put(&got, buf_view(&s->got[connection]));
    (void)pthread_mutex_unlock(&s->lock);
    const char *at = (const char *)got.ptr, *end = at + got.len;
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

int64_t
syslog_whole(struct syslog *s)
{
    static int64_t index[1u << 16];
    int64_t next = 0;
    const unsigned connections = syslog_connections(s);
    for (unsigned c = 0; c < connections; c++) {
        const size_t n = syslog_read(s, c, index, 1u << 16);
        assert_true(n == 0 || index[0] <= next);
        for (size_t i = 1; i < n; i++) {
            assert_int_equal(index[i], index[i - 1] + 1);
        }
        next = n > 0 && index[n - 1] + 1 > next ? index[n - 1] + 1 : next;
    }
    return next;
}
