/* An answer on its way out: its head is written once, and head and body leave in as few records as
 * they fit in. Where the socket takes no more, epoll tells when there is room, and the next request
 * is not read before: a client that asks much before it reads loses nothing and takes no memory. */
#include "serve/http_loop.h"

#include "base/text.h"

#include <string.h>
#include <time.h>

static const struct {
    unsigned status;
    const char *phrase;
} phrases[] = {
    {200, "OK"},
    {303, "See Other"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {505, "HTTP Version Not Supported"},
};

static const char *
phrase_of(unsigned status)
{
    for (size_t i = 0; i < sizeof phrases / sizeof *phrases; i++) {
        if (phrases[i].status == status) {
            return phrases[i].phrase;
        }
    }
    return "";
}

/* ---- the head ---- */

/* RFC 9110, 5.6.7, at most a tenth of a second old. */
static const char *
date(struct http_loop *loop)
{
    static const char days[] = "SunMonTueWedThuFriSat",
                      months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    if (loop->dated_ns == 0 || loop->now_ns - loop->dated_ns > NS_PER_S / 10) {
        const time_t now = (time_t)(clock_wall_ns() / NS_PER_S);
        struct tm t = {0};
        char form[HTTP_DATE_BYTES];
        (void)gmtime_r(&now, &t);
        /* Days and months in English, whatever the locale. */
        memcpy(form, "xxx, %d xxx %Y %H:%M:%S GMT", 28);
        memcpy(form, days + 3 * t.tm_wday, 3);
        memcpy(form + 8, months + 3 * t.tm_mon, 3);
        (void)strftime(loop->date, sizeof loop->date, form, &t);
        loop->dated_ns = loop->now_ns;
    }
    return loop->date;
}

static void
put_field(struct buf *b, const char *name, const char *value)
{
    buf_put_str(b, name);
    buf_put_str(b, ": ");
    buf_put_str(b, value);
    buf_put_str(b, "\r\n");
}

static void
put_head(struct request *r, bool closes)
{
    struct buf *b = &r->head;
    const struct http_exchange *x = &r->x;
    buf_put_str(b, "HTTP/1.1 ");
    text_put_u64(b, x->status);
    buf_put_str(b, " ");
    buf_put_str(b, phrase_of(x->status));
    buf_put_str(b, "\r\n");
    put_field(b, "date", date(r->conn->loop));
    put_field(b, "content-type", x->content_type == NULL ? "application/json" : x->content_type);
    buf_put_str(b, "content-length: ");
    text_put_u64(b, x->answer.len);
    buf_put_str(b, "\r\n");
    for (unsigned i = 0; i < r->header_count; i++) {
        put_field(b, r->headers[i].name, r->headers[i].value);
    }
    if (closes) {
        put_field(b, "connection", "close");
    }
    buf_put_str(b, "\r\n");
}

/* ---- sending ---- */

static size_t
length_of(const struct request *r)
{
    return r->head.len + (strcmp(r->x.method, "HEAD") == 0 ? 0 : r->x.answer.len);
}

/* What goes into the next record: from the head and what follows it, or from the body alone. */
static struct view
next_part(const struct request *r)
{
    const size_t left = length_of(r) - r->sent,
                 n = left < HTTP_RECORD_BYTES ? left : HTTP_RECORD_BYTES;
    if (r->sent >= r->head.len) {
        return view_of(r->x.answer.ptr + (r->sent - r->head.len), n);
    }
    uint8_t *out = r->conn->loop->out;
    const size_t of_head = r->head.len - r->sent < n ? r->head.len - r->sent : n;
    memcpy(out, r->head.ptr + r->sent, of_head);
    if (n > of_head) {
        memcpy(out + of_head, r->x.answer.ptr, n - of_head);
    }
    return view_of(out, n);
}

static void
finish(struct conn *c)
{
    const bool close = c->request->close;
    http_request_done(c->request);
    if (close) {
        http_conn_end(c);
        return;
    }
    http_conn_enter(c, PHASE_IDLE);
    if (c->in.len > 0 || http_transport_has_more(c)) {
        http_conn_schedule(c);
    }
}

bool
http_answer_go_on(struct conn *c)
{
    struct request *r = c->request;
    while (c->flushing || r->sent < length_of(r)) {
        const struct view part = c->flushing ? view_str("") : next_part(r);
        const ssize_t sent = http_transport_send(c, part.ptr, part.len);
        if (sent < 0 && !c->flushing) {
            http_conn_shut(c);
        }
        if (sent < 0) {
            return false;
        }
        r->sent += r->interim ? 0 : (size_t)sent;
        r->interim = false;
    }
    finish(c);
    return true;
}

void
http_answer_send(struct request *r)
{
    struct conn *c = r->conn;
    r->close =
        r->close || atomic_load_explicit(&c->loop->server->stopping, memory_order_relaxed) != 0;
    put_head(r, r->close);
    http_conn_enter(c, PHASE_SEND);
    if (!status_ok(buf_status(&r->head))) {
        http_conn_shut(c);
    } else {
        (void)http_answer_go_on(c);
    }
}

/* Where the socket has no room for so little, it goes out before the answer. */
void
http_answer_continue(struct conn *c)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    const ssize_t sent = http_transport_send(c, (const uint8_t *)text, sizeof text - 1);
    c->request->interim = c->flushing;
    if (sent < 0 && !c->flushing) {
        http_conn_shut(c);
    }
}
