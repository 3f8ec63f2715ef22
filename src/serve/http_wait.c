/* Requests that wait for their ticket, on the loop's list. */
#include "serve/http_loop.h"

#define GATHERING_NS (NS_PER_S / 1000)

bool
http_settled(const struct request *r)
{
    const struct http_handler *h = &r->conn->loop->server->handler;
    return r->x.ticket == 0 || h->fate(h->ctx, r->x.ticket) != HTTP_WAITING;
}

void
http_wait(struct request *r)
{
    struct http_loop *loop = r->conn->loop;
    r->waits = true;
    r->next = NULL;
    r->prev = loop->waiting_last;
    if (r->prev != NULL) {
        r->prev->next = r;
    } else {
        loop->waiting = r;
    }
    loop->waiting_last = r;
}

void
http_release(struct request *r)
{
    struct http_loop *loop = r->conn->loop;
    if (r->prev != NULL) {
        r->prev->next = r->next;
    } else {
        loop->waiting = r->next;
    }
    if (r->next != NULL) {
        r->next->prev = r->prev;
    } else {
        loop->waiting_last = r->prev;
    }
    r->prev = r->next = NULL;
    r->waits = false;
}

void
http_hasten(struct http_loop *loop)
{
    const struct http_handler *h = &loop->server->handler;
    loop->gathering_ns = 0;
    if (h->hasten != NULL) {
        h->hasten(h->ctx);
    }
}

void
http_note_ticket(const struct request *r)
{
    struct http_loop *loop = r->conn->loop;
    if (r->x.ticket == 0) {
        return;
    }
    if (loop->gathering_ns == 0) {
        loop->gathering_ns = loop->now_ns;
    } else if (loop->now_ns - loop->gathering_ns > GATHERING_NS) {
        http_hasten(loop);
    }
}

/* In their order; what a connection asks next is read in its own turn. */
void
http_answer_settled(struct http_loop *loop)
{
    struct request *next = NULL;
    loop->now_ns = clock_mono_ns();
    for (struct request *r = loop->waiting; r != NULL; r = next) {
        next = r->next;
        if (http_settled(r)) {
            http_request_answer(r);
        }
    }
}
