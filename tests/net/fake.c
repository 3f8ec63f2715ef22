#include "net/fake.h"

#include "net/address.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST_REQUEST ((size_t)8 << 20)

struct fake {
    int fd;
    struct address address;
    pthread_t thread;
    void (*answer)(void *ctx, const struct fake_request *q, struct buf *out);
    void *ctx;
    _Atomic bool stopping;
};

/* Length of the request when it is whole, else 0. */
static size_t
whole(const struct buf *in)
{
    const char *end = strstr(buf_str(in), "\r\n\r\n");
    if (end == NULL) {
        return 0;
    }
    const size_t head = (size_t)(end - buf_str(in)) + 4;
    const char *length = strcasestr(buf_str(in), "\r\ncontent-length:");
    const size_t body = length == NULL || length > end ? 0 : (size_t)atol(length + 17);
    return in->len >= head + body ? head + body : 0;
}

static bool
read_request(int fd, struct buf *in)
{
    while (whole(in) == 0) {
        uint8_t *room = buf_reserve(in, 65536);
        const ssize_t n = room == NULL ? -1 : recv(fd, room, 65536, 0);
        if (n <= 0) {
            return false;
        }
        (void)buf_extend(in, (size_t)n);
    }
    return true;
}

static void
serve(struct fake *f, int fd)
{
    char method[16] = "", path[512] = "", byte;
    DEFER(buf_done) struct buf in;
    DEFER(buf_done) struct buf out;
    buf_init(&in, MOST_REQUEST);
    buf_init(&out, MOST_REQUEST);
    if (!read_request(fd, &in)) {
        return;
    }
    (void)sscanf(buf_str(&in), "%15s %511s", method, path);
    const struct fake_request q = {method, path, buf_str(&in),
                                   strstr(buf_str(&in), "\r\n\r\n") + 4};
    f->answer(f->ctx, &q, &out);
    if (out.len > 0) {
        (void)send(fd, out.ptr, out.len, MSG_NOSIGNAL);
    } else {
        (void)recv(fd, &byte, 1, 0); /* until the client has had enough */
    }
}

static void *
run(void *arg)
{
    struct fake *f = arg;
    while (!f->stopping) {
        const int fd = accept(f->fd, NULL, NULL);
        if (fd >= 0) {
            if (!f->stopping) {
                serve(f, fd);
            }
            (void)close(fd);
        }
    }
    return NULL;
}

struct fake *
fake_start_at(const char *address, uint16_t port,
              void (*answer)(void *ctx, const struct fake_request *q, struct buf *out), void *ctx)
{
    struct fake *f = calloc(1, sizeof *f);
    assert_non_null(f);
    assert_ok(address_parse(view_str(address), port, &f->address));
    struct sockaddr *a = (struct sockaddr *)(void *)&f->address.storage;
    f->answer = answer;
    f->ctx = ctx;
    f->fd = socket(a->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(f->fd >= 0 && bind(f->fd, a, f->address.len) == 0 && listen(f->fd, 64) == 0 &&
                getsockname(f->fd, a, &f->address.len) == 0);
    assert_int_equal(pthread_create(&f->thread, NULL, run, f), 0);
    return f;
}

struct fake *
fake_start(void (*answer)(void *ctx, const struct fake_request *q, struct buf *out), void *ctx)
{
    return fake_start_at("127.0.0.1", 0, answer, ctx);
}

uint16_t
fake_port(const struct fake *f)
{
    return address_port((const struct sockaddr *)(const void *)&f->address.storage);
}

void
fake_stop(struct fake *f)
{
    const struct sockaddr *a = (const struct sockaddr *)(const void *)&f->address.storage;
    f->stopping = true;
    const int fd = socket(a->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0); /* wakes accept */
    (void)connect(fd, a, f->address.len);
    (void)pthread_join(f->thread, NULL);
    (void)close(fd);
    (void)close(f->fd);
    free(f);
}

void
fake_put(struct buf *out, int status, const char *fields, const char *body)
{
    buf_printf(out, "HTTP/1.1 %d Whatever\r\nConnection: close\r\nContent-Length: %zu\r\n%s\r\n%s",
               status, strlen(body), fields, body);
}
