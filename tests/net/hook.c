#include "net/hook.h"

#include "workspace/certificate.h"

#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_MAX (1u << 20)

struct hook {
    int fd;
    uint16_t port;
    pthread_t thread;
    atomic_bool stopping;
    gnutls_certificate_credentials_t own;
    pthread_mutex_t lock; /* of what follows */
    int open;             /* the connection; -1: none */
    unsigned status, times;
    size_t refused, taken;
    struct hook_message message[HOOK_MESSAGES];
};

/* ---- a request ---- */

/* Where the value of a field begins; NULL: there is none. */
static const char *
field(const char *head, const char *name)
{
    const size_t n = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line != NULL; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, n) == 0 && strncmp(line + 2 + n, ": ", 2) == 0) {
            return line + 2 + n + 2;
        }
    }
    return NULL;
}

static void
copy_field(const char *head, const char *name, char *to, size_t size)
{
    const char *value = field(head, name);
    (void)snprintf(to, size, "%.*s", value == NULL ? 0 : (int)strcspn(value, "\r"),
                   value == NULL ? "" : value);
}

/* Whether all of it is there: head, and as many bytes as the head says. */
static bool
is_whole(const struct buf *got, const char **ret_body)
{
    const char *end = got->len == 0 ? NULL : strstr((const char *)got->ptr, "\r\n\r\n");
    const char *length = end == NULL ? NULL : field((const char *)got->ptr, "content-length");
    *ret_body = end == NULL ? NULL : end + 4;
    return length != NULL &&
           (size_t)((const char *)got->ptr + got->len - *ret_body) >= strtoul(length, NULL, 10);
}

static bool
take_request(gnutls_session_t tls, struct buf *got, const char **ret_body)
{
    char bytes[4096];
    while (!is_whole(got, ret_body)) {
        const ssize_t n = gnutls_record_recv(tls, bytes, sizeof bytes);
        if (n <= 0 && n != GNUTLS_E_AGAIN && n != GNUTLS_E_INTERRUPTED) {
            return false;
        }
        buf_put(got, view_of(bytes, n > 0 ? (size_t)n : 0));
    }
    return true;
}

static void
keep(struct hook *h, const char *head, const char *body)
{
    struct hook_message *m = &h->message[h->taken];
    assert_true(h->taken < HOOK_MESSAGES);
    (void)snprintf(m->line, sizeof m->line, "%.*s", (int)strcspn(head, "\r"), head);
    copy_field(head, "webhook-id", m->id, sizeof m->id);
    copy_field(head, "webhook-timestamp", m->time, sizeof m->time);
    copy_field(head, "webhook-signature", m->signature, sizeof m->signature);
    copy_field(head, "content-type", m->type, sizeof m->type);
    buf_init(&m->body, REQUEST_MAX);
    buf_put(&m->body, view_of(body, strtoul(field(head, "content-length"), NULL, 10)));
}

/* What it is answered with; a message counts once its answer is decided. */
static unsigned
decide(struct hook *h, const char *head, const char *body)
{
    unsigned status = 204;
    (void)pthread_mutex_lock(&h->lock);
    if (h->times > 0) {
        h->times--;
        h->refused++;
        status = h->status;
    } else {
        keep(h, head, body);
        h->taken++;
    }
    (void)pthread_mutex_unlock(&h->lock);
    return status;
}

static void
serve_one(struct hook *h, int fd)
{
    gnutls_session_t tls;
    char answer[128];
    const char *body = NULL;
    DEFER(buf_done) struct buf got;
    buf_init(&got, REQUEST_MAX);
    (void)gnutls_init(&tls, GNUTLS_SERVER);
    (void)gnutls_set_default_priority(tls);
    (void)gnutls_credentials_set(tls, GNUTLS_CRD_CERTIFICATE, h->own);
    gnutls_transport_set_int(tls, fd);
    if (gnutls_handshake(tls) == 0 && take_request(tls, &got, &body)) {
        const unsigned status = decide(h, (const char *)got.ptr, body);
        (void)snprintf(answer, sizeof answer,
                       "HTTP/1.1 %u Said\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
                       status);
        if (status != HOOK_BREAKS) {
            (void)gnutls_record_send(tls, answer, strlen(answer));
            (void)gnutls_bye(tls, GNUTLS_SHUT_WR);
        }
    }
    gnutls_deinit(tls);
}

/* ---- the server ---- */

static void
set_open(struct hook *h, int fd)
{
    (void)pthread_mutex_lock(&h->lock);
    h->open = fd;
    (void)pthread_mutex_unlock(&h->lock);
}

static void *
receive(void *arg)
{
    struct hook *h = arg;
    while (!atomic_load(&h->stopping)) {
        const int fd = accept(h->fd, NULL, NULL);
        if (fd < 0) {
            break;
        }
        set_open(h, fd);
        serve_one(h, fd);
        set_open(h, -1);
        (void)close(fd);
    }
    (void)close(h->fd);
    return NULL;
}

struct hook *
hook_new(const char *ca_path)
{
    static const char *const hosts[] = {"localhost", "127.0.0.1"};
    struct hook *h = calloc(1, sizeof *h);
    struct diag diag = {0};
    DEFER(buf_done) struct buf cert;
    DEFER(buf_done) struct buf key;
    assert_non_null(h);
    buf_init(&cert, 1u << 16);
    buf_init(&key, 1u << 16);
    assert_ok(certificate_make(hosts, 2, &diag, &cert, &key));
    testing_write(ca_path, buf_view(&cert));
    const gnutls_datum_t c = {cert.ptr, (unsigned)cert.len}, k = {key.ptr, (unsigned)key.len};
    assert_int_equal(gnutls_certificate_allocate_credentials(&h->own), 0);
    assert_int_equal(gnutls_certificate_set_x509_key_mem(h->own, &c, &k, GNUTLS_X509_FMT_PEM), 0);
    (void)pthread_mutex_init(&h->lock, NULL);
    h->open = -1;
    return h;
}

void
hook_free(struct hook *h)
{
    gnutls_certificate_free_credentials(h->own);
    for (size_t i = 0; i < h->taken; i++) {
        buf_done(&h->message[i].body);
    }
    (void)pthread_mutex_destroy(&h->lock);
    free(h);
}

void
hook_start(struct hook *h)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                            .sin_port = htons(h->port)};
    socklen_t n = sizeof a;
    const int yes = 1;
    h->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)setsockopt(h->fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    assert_int_equal(bind(h->fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(h->fd, 8), 0);
    assert_int_equal(getsockname(h->fd, (struct sockaddr *)&a, &n), 0);
    h->port = ntohs(a.sin_port);
    atomic_store(&h->stopping, false);
    assert_int_equal(pthread_create(&h->thread, NULL, receive, h), 0);
}

void
hook_stop(struct hook *h)
{
    atomic_store(&h->stopping, true);
    (void)pthread_mutex_lock(&h->lock);
    (void)shutdown(h->fd, SHUT_RDWR);
    if (h->open >= 0) {
        (void)shutdown(h->open, SHUT_RDWR);
    }
    (void)pthread_mutex_unlock(&h->lock);
    assert_int_equal(pthread_join(h->thread, NULL), 0);
}

uint16_t
hook_port(const struct hook *h)
{
    return h->port;
}

void
hook_answer(struct hook *h, unsigned status, unsigned times)
{
    (void)pthread_mutex_lock(&h->lock);
    h->status = status;
    h->times = times;
    (void)pthread_mutex_unlock(&h->lock);
}

size_t
hook_refused(struct hook *h)
{
    (void)pthread_mutex_lock(&h->lock);
    const size_t n = h->refused;
    (void)pthread_mutex_unlock(&h->lock);
    return n;
}

size_t
hook_taken(struct hook *h)
{
    (void)pthread_mutex_lock(&h->lock);
    const size_t n = h->taken;
    (void)pthread_mutex_unlock(&h->lock);
    return n;
}

const struct hook_message *
hook_message(struct hook *h, size_t i)
{
    assert_true(i < hook_taken(h));
    return &h->message[i];
}
