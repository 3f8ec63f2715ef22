/* Deadlines: a sweep over the loop's connections, a few times in the shortest one. They are not of
 * idle time only, so that a client that sends a byte a second is closed as well. */
#include "serve/http_loop.h"

#define LINGER_NS NS_PER_S

static int64_t
phase_limit(const struct conn *c)
{
    const struct http_limits *l = &c->loop->server->options.limits;
    switch (c->phase) {
    case PHASE_HANDSHAKE:
        return l->handshake_ns;
    case PHASE_IDLE:
        return c->fresh ? l->header_ns : l->idle_ns;
    case PHASE_HEAD:
        return l->header_ns;
    case PHASE_BODY:
        return l->body_ns;
    case PHASE_LINGER:
        return LINGER_NS;
    case PHASE_CALL:
    case PHASE_SEND:
    case PHASE_DEAD:
        break;
    }
    return l->request_ns;
}

static bool
is_late(const struct conn *c, int64_t now_ns)
{
    const struct http_limits *l = &c->loop->server->options.limits;
    return now_ns - c->since_ns > phase_limit(c) ||
           (c->request != NULL && now_ns - c->request->x.arrived_ns > l->request_ns);
}

static void
on_late(struct conn *c)
{
    struct request *r = c->request;
    if (c->phase == PHASE_BODY) {
        http_request_refuse(r, 408, "the request body took too long");
        http_request_answer(r);
    } else if (c->phase == PHASE_CALL && r->waits) {
        r->late = true;
        http_request_answer(r);
    } else if (c->phase == PHASE_IDLE) {
        http_conn_end(c);
    } else {
        http_conn_shut(c);
    }
}

void
http_sweep(struct http_loop *loop, int64_t now_ns)
{
    loop->swept_ns = loop->now_ns = now_ns;
    const bool stopping = atomic_load(&loop->server->stopping) != 0;
    struct conn *next = NULL;
    for (struct conn *c = loop->conns; c != NULL; c = next) {
        next = c->next;
        if (c->phase != PHASE_DEAD &&
            (is_late(c, now_ns) || (c->phase <= PHASE_IDLE && (stopping || http_tls_expired(c))))) {
            on_late(c);
        }
    }
}
