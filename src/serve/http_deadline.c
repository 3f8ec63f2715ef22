/* Deadlines of our own: the library's timeout is idle time only, so a client that sends a byte a
 * second would never be closed. A sweep over the loop's connections, a few times in the shortest
 * deadline. */
#include "serve/http_loop.h"

#include <gnutls/gnutls.h>
#include <stdio.h>

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

void
http_answer_raw(struct request *r)
{
    DEFER(buf_done) struct buf head;
    struct conn *c = r->conn;
    (void)http_request_settle(r); /* refused, or late: no ticket follows */
    buf_init(&head, 4096);
    if (r->x.status == 0) {
        http_conn_shut(c);
        return;
    }
    buf_printf(&head, "HTTP/1.1 %u %s\r\ncontent-type: application/json\r\ncontent-length: %zu\r\n",
               r->x.status, MHD_get_reason_phrase_for(r->x.status), r->x.answer.len);
    for (unsigned i = 0; i < r->header_count; i++) {
        buf_printf(&head, "%s: %s\r\n", r->headers[i].name, r->headers[i].value);
    }
    buf_put_str(&head, "connection: close\r\n\r\n");
    buf_put(&head, buf_view(&r->x.answer));
    r->progress = REQUEST_QUEUED;
    if (status_ok(buf_status(&head)) && gnutls_record_send(c->tls, head.ptr, head.len) > 0) {
        gnutls_bye(c->tls, GNUTLS_SHUT_WR);
    }
    http_conn_shut(c);
}

static void
on_late(struct conn *c)
{
    struct request *r = c->request;
    if (c->phase == PHASE_BODY && r != NULL && r->progress == REQUEST_BODY) {
        r->raw = true;
        c->phase = PHASE_CALL;
        http_request_refuse(r, 408, "the request body took too long");
        http_wait(r);
    } else if (c->phase == PHASE_CALL && r != NULL && r->waits && !c->stuck) {
        r->late = true;
        http_release(r);
    } else {
        if (c->phase == PHASE_IDLE) {
            gnutls_bye(c->tls, GNUTLS_SHUT_WR);
        }
        http_conn_shut(c);
    }
}

void
http_sweep(struct http_loop *loop, int64_t now_ns)
{
    loop->swept_ns = now_ns;
    const bool stopping = atomic_load(&loop->server->stopping) != 0;
    struct conn *next = NULL;
    for (struct conn *c = loop->conns; c != NULL; c = next) {
        next = c->next;
        if (c->phase == PHASE_DEAD) {
            continue;
        }
        if (is_late(c, now_ns) || (c->phase <= PHASE_IDLE && (stopping || http_tls_expired(c)))) {
            on_late(c);
        }
    }
}
