#include "client.h"

#include "base/clock.h"
#include "base/file.h"
#include "govern/audit.h"
#include "net/address.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

int
client_socket(uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    const int on = 1;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)(void *)&to, sizeof to) != 0) {
        (void)close(fd);
        return -1;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static bool
shake_hands(int fd, const char *priorities, struct view certificate, struct view key,
            struct client *ret_client)
{
    const gnutls_datum_t cert_text = {(unsigned char *)(uintptr_t)certificate.ptr,
                                      (unsigned)certificate.len};
    const gnutls_datum_t key_text = {(unsigned char *)(uintptr_t)key.ptr, (unsigned)key.len};
    struct client c = {.fd = fd};
    buf_init(&c.in, 64u << 20);
    assert_int_equal(gnutls_init(&c.tls, GNUTLS_CLIENT | GNUTLS_NO_SIGNAL), 0);
    assert_int_equal(gnutls_certificate_allocate_credentials(&c.trust), 0);
    if (certificate.len > 0) {
        assert_int_equal(gnutls_certificate_set_x509_key_mem(c.trust, &cert_text, &key_text,
                                                             GNUTLS_X509_FMT_PEM),
                         0);
    }
    assert_int_equal(priorities == NULL ? gnutls_set_default_priority(c.tls)
                                        : gnutls_priority_set_direct(c.tls, priorities, NULL),
                     0);
    (void)gnutls_credentials_set(c.tls, GNUTLS_CRD_CERTIFICATE, c.trust);
    bool open = false;
    if (c.fd >= 0) {
        gnutls_transport_set_int(c.tls, c.fd);
        gnutls_handshake_set_timeout(c.tls, CLIENT_WAIT_MS);
        int rc = GNUTLS_E_AGAIN;
        while (rc < 0 && gnutls_error_is_fatal(rc) == 0) {
            rc = gnutls_handshake(c.tls);
        }
        open = rc == 0;
        (void)fcntl(c.fd, F_SETFL, O_NONBLOCK);
    }
    *ret_client = c;
    return open;
}

bool
client_open(uint16_t port, const char *priorities, struct client *ret_client)
{
    return shake_hands(client_socket(port), priorities, view_str(""), view_str(""), ret_client);
}

bool
client_open_as(uint16_t port, struct view certificate, struct view key, struct client *ret_client)
{
    return shake_hands(client_socket(port), NULL, certificate, key, ret_client);
}

bool
client_open_between(const char *from, const char *to, uint16_t port, struct client *ret_client)
{
    struct address a, b;
    assert_ok(address_parse(view_str(from), 0, &a));
    assert_ok(address_parse(view_str(to), port, &b));
    int fd = socket(a.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(fd, (struct sockaddr *)(void *)&a.storage, a.len) != 0 ||
        connect(fd, (struct sockaddr *)(void *)&b.storage, b.len) != 0) {
        (void)close(fd);
        fd = -1;
    }
    return shake_hands(fd, NULL, view_str(""), view_str(""), ret_client);
}

void
client_close(struct client *c)
{
    if (c->tls != NULL) {
        gnutls_deinit(c->tls);
        gnutls_certificate_free_credentials(c->trust);
    }
    if (c->fd >= 0) {
        (void)close(c->fd);
    }
    buf_done(&c->in);
    *c = (struct client){.fd = -1};
}

bool
client_send(struct client *c, struct view bytes)
{
    while (bytes.len > 0) {
        const size_t part = bytes.len > 16384 ? 16384 : bytes.len;
        const ssize_t n = gnutls_record_send(c->tls, bytes.ptr, part);
        struct pollfd p = {.fd = c->fd, .events = POLLOUT};
        if (n < 0 && (gnutls_error_is_fatal((int)n) != 0 || poll(&p, 1, CLIENT_WAIT_MS) != 1)) {
            return false;
        }
        if (n > 0) {
            bytes = view_of(bytes.ptr + n, bytes.len - (size_t)n);
        }
    }
    return true;
}

bool
client_send_text(struct client *c, const char *text)
{
    return client_send(c, view_str(text));
}

/* 1: bytes came; 0: the connection ended; -1: the time is over. */
static int
read_more(struct client *c, int ms)
{
    uint8_t part[16384];
    struct pollfd p = {.fd = c->fd, .events = POLLIN};
    const int64_t until = clock_mono_ns() + (int64_t)ms * 1000000;
    for (;;) {
        const int64_t left = (until - clock_mono_ns()) / 1000000;
        if (gnutls_record_check_pending(c->tls) == 0 &&
            (left <= 0 || poll(&p, 1, (int)left) == 0)) {
            return -1;
        }
        const ssize_t n = gnutls_record_recv(c->tls, part, sizeof part);
        if (n > 0) {
            buf_put(&c->in, view_of(part, (size_t)n));
            return 1;
        }
        if (n == 0 || gnutls_error_is_fatal((int)n) != 0) {
            return 0;
        }
    }
}

bool
client_ended(struct client *c, int ms)
{
    const int64_t until = clock_mono_ns() + (int64_t)ms * 1000000;
    int got = 1;
    while (got == 1) {
        const int64_t left = (until - clock_mono_ns()) / 1000000;
        got = left <= 0 ? -1 : read_more(c, (int)left);
    }
    return got == 0;
}

void
reply_header(const struct reply *r, const char *name, char ret_value[static 256])
{
    const size_t n = strlen(name);
    ret_value[0] = '\0';
    for (const char *at = strstr(r->head, "\r\n"); at != NULL; at = strstr(at, "\r\n")) {
        at += 2;
        if (strncasecmp(at, name, n) == 0 && at[n] == ':') {
            (void)snprintf(ret_value, 256, "%.*s", (int)strcspn(at + n + 2, "\r"), at + n + 2);
            return;
        }
    }
}

static void
drop(struct buf *b, size_t n)
{
    memmove(b->ptr, b->ptr + n, b->len - n);
    b->len -= n;
    b->ptr[b->len] = 0;
}

void
client_take(struct client *c, struct reply *ret_reply)
{
    char value[256];
    const char *end = NULL;
    *ret_reply = (struct reply){0};
    buf_init(&ret_reply->body, 64u << 20);
    while ((end = c->in.len == 0 ? NULL : strstr(buf_str(&c->in), "\r\n\r\n")) == NULL) {
        if (read_more(c, CLIENT_WAIT_MS) != 1) {
            return;
        }
    }
    const size_t head = (size_t)(end - buf_str(&c->in)) + 4;
    assert_true(head < sizeof ret_reply->head);
    memcpy(ret_reply->head, c->in.ptr, head);
    reply_header(ret_reply, "content-length", value);
    const size_t length = strtoul(value, NULL, 10);
    while (c->in.len < head + length) {
        if (read_more(c, CLIENT_WAIT_MS) != 1) {
            return;
        }
    }
    buf_put(&ret_reply->body, view_of(c->in.ptr + head, length));
    drop(&c->in, head + length);
    ret_reply->status = (unsigned)strtoul(ret_reply->head + strlen("HTTP/1.1 "), NULL, 10);
    reply_header(ret_reply, "connection", value);
    ret_reply->closes = strcasecmp(value, "close") == 0;
    if (ret_reply->status == 100) {
        reply_done(ret_reply);
        client_take(c, ret_reply);
    }
}

void
reply_done(struct reply *r)
{
    buf_done(&r->body);
}

unsigned
client_ask(uint16_t port, const char *text, struct reply *ret_reply)
{
    struct client c;
    assert_true(client_open(port, NULL, &c));
    (void)client_send_text(&c, text);
    client_take(&c, ret_reply);
    client_close(&c);
    return ret_reply->status;
}

/* ---- the log ---- */

#define RECENT 2000u /* entries: most that are looked for are among them */

struct search {
    const char *id;
    json_t *found;
};

static struct status
look_at(void *ctx, uint64_t index, struct view entry)
{
    (void)index;
    struct search *s = ctx;
    json_t *o = NULL;
    TRY(js_parse(entry, "entry", NULL, &o));
    const char *id = json_string_value(json_object_get(o, "id"));
    if (id != NULL && strcmp(id, s->id) == 0) {
        assert_null(s->found); /* once */
        s->found = o;
    } else {
        json_decref(o);
    }
    return OK;
}

json_t *
entry_of(const struct reply *r, const char *dir)
{
    char id[256];
    struct diag diag = {0};
    DEFER(file_freep) char *audit = file_join(dir, "audit");
    reply_header(r, "steward-call-id", id);
    assert_int_equal(strlen(id), 32);
    struct search s = {.id = id};
    uint64_t count = 0;
    assert_ok(audit_count(audit, &count, &diag));
    const uint64_t recent = count > RECENT ? count - RECENT : 0;
    assert_ok(audit_each(audit, recent, UINT64_MAX, look_at, &s, &diag));
    if (s.found == NULL) {
        assert_ok(audit_each(audit, 0, recent, look_at, &s, &diag));
    }
    assert_non_null(s.found);
    assert_int_equal(json_integer_value(json_object_get(s.found, "http_status")), r->status);
    return s.found;
}
