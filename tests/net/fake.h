/* fake: an HTTP server on 127.0.0.1 that answers what it is told to, right or wrong: the hostile
 * side of a client's tests. One connection after the other, one request each. */
#ifndef STEWARD_TESTS_NET_FAKE_H
#define STEWARD_TESTS_NET_FAKE_H

#include "testing/testing.h"

struct fake;

struct fake_request {
    const char *method; /* "GET", "POST" */
    const char *path;
    const char *head; /* whole, with the request line */
    const char *body;
};

/* Writes the whole answer, head and body, to `out`; an empty one: the connection stays open in
 * silence until the client goes. */
struct fake *fake_start(void (*answer)(void *ctx, const struct fake_request *q, struct buf *out),
                        void *ctx);
/* The same at another address of this machine; port 0: any. */
struct fake *fake_start_at(const char *address, uint16_t port,
                           void (*answer)(void *ctx, const struct fake_request *q, struct buf *out),
                           void *ctx);
uint16_t fake_port(const struct fake *f);
void fake_stop(struct fake *f);
/* An answer of that status with that body. */
void fake_put(struct buf *out, int status, const char *fields, const char *body);

#endif
