/* Requests that wait for their ticket: on the loop's list, and either suspended or asked about by
 * the library in each of its turns. */
#include "serve/http_loop.h"

#define ASKED_MAX 16 /* turns after which a request that waits is suspended */
#define GATHERING_NS (NS_PER_S / 1000)

bool
http_settled(const struct request *r)
{
    const struct http_handler *h = &r->conn->loop->server->handler;
    return !r->conn->stuck && (r->x.ticket == 0 || h->fate(h->ctx, r->x.ticket) != HTTP_WAITING);
}

static void
enlist(struct request *r)
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

static void
suspend(struct request *r)
{
    r->suspended = true;
    MHD_suspend_connection(r->conn->mhd);
}

void
http_wait(struct request *r)
{
    enlist(r);
    suspend(r);
    if (http_settled(r)) {
        http_loop_wake(r->conn->loop); /* it needs no ticket, and is answered past the library */
    }
}

/* Suspending and resuming take the connection out of the library's epoll set and back: asking some
 * times costs less. */
void
http_wait_asked(struct request *r)
{
    struct http_loop *loop = r->conn->loop;
    if (!r->waits) {
        enlist(r);
        r->asked_since = loop->turns;
        loop->asked++;
    } else if (!r->suspended && loop->turns - r->asked_since > ASKED_MAX) {
        loop->asked--;
        suspend(r);
    }
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
    loop->run = true;
    if (r->raw && !r->gone) {
        http_answer_raw(r);
    }
    if (r->suspended) {
        r->suspended = false;
        MHD_resume_connection(r->conn->mhd);
    } else {
        loop->asked--;
    }
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
        loop->gathering_ns = r->conn->since_ns;
    } else if (r->conn->since_ns - loop->gathering_ns > GATHERING_NS) {
        http_hasten(loop);
    }
}

void
http_release_settled(struct http_loop *loop)
{
    struct request *next = NULL;
    for (struct request *r = loop->waiting; r != NULL; r = next) {
        next = r->next;
        if (http_settled(r)) {
            http_release(r);
        }
    }
}
