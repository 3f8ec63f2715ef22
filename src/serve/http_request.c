/* The way of one request through libmicrohttpd's callbacks: target, head (gate), body, handler,
 * answer, done. */
#include "serve/http_loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPARE_REQUESTS 64u
#define SPARE_BODY_BYTES (256u << 10)

static struct request *
request_of(const struct http_exchange *x)
{
    return (struct request *)(uintptr_t)x;
}

const char *
http_header(const struct http_exchange *x, const char *name)
{
    const struct request *r = request_of(x);
    return MHD_lookup_connection_value(r->conn->mhd, MHD_HEADER_KIND, name);
}

void
http_set_header(struct http_exchange *x, const char *name, const char *value)
{
    struct request *r = request_of(x);
    unsigned at = 0;
    while (at < r->header_count && strcmp(r->headers[at].name, name) != 0) {
        at++;
    }
    ASSERT(at < HTTP_ANSWER_HEADERS);
    const char *kept_name = arena_strdup(x->arena, view_str(name));
    const char *kept_value = arena_strdup(x->arena, view_str(value));
    if (kept_name != NULL && kept_value != NULL) {
        r->headers[at].name = kept_name;
        r->headers[at].value = kept_value;
        r->header_count += at == r->header_count;
    }
}

static struct request *
request_new(struct http_loop *loop)
{
    struct request *r = loop->spare;
    if (r != NULL) {
        loop->spare = r->next;
        loop->spares--;
        return r;
    }
    r = calloc(1, sizeof *r);
    if (r == NULL || (r->x.arena = arena_new(loop->server->options.arena_bytes)) == NULL) {
        free(r);
        return NULL;
    }
    buf_init(&r->body, loop->server->options.limits.body_bytes);
    buf_init(&r->x.answer, SIZE_MAX / 2);
    return r;
}

void
http_request_free(struct request *r)
{
    buf_done(&r->body);
    buf_done(&r->x.answer);
    arena_free(r->x.arena);
    free(r);
}

/* Keeps arena and buffers for the next request on this loop, unless they have grown large. */
static void
request_recycle(struct http_loop *loop, struct request *r)
{
    const bool large = r->body.cap > SPARE_BODY_BYTES || r->x.answer.cap > SPARE_BODY_BYTES ||
                       arena_used(r->x.arena) > SPARE_BODY_BYTES;
    if (large || loop->spares >= SPARE_REQUESTS) {
        http_request_free(r);
        return;
    }
    arena_reset(r->x.arena);
    buf_reset(&r->body);
    buf_reset(&r->x.answer);
    struct request fresh = {.body = r->body, .next = loop->spare};
    fresh.x.arena = r->x.arena;
    fresh.x.answer = r->x.answer;
    *r = fresh;
    loop->spare = r;
    loop->spares++;
}

static void
conn_enter(struct conn *c, enum phase phase)
{
    if (c->phase != PHASE_DEAD) {
        c->phase = phase;
        c->since_ns = clock_mono_ns();
    }
}

static struct conn *
conn_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info == NULL ? NULL : info->socket_context;
}

void *
http_on_target(void *cls, const char *target, struct MHD_Connection *mhd)
{
    struct http_loop *loop = cls;
    struct conn *c = conn_of(mhd);
    struct request *r = c == NULL ? NULL : request_new(loop);
    if (r == NULL) {
        return NULL;
    }
    r->conn = c;
    r->x.scratch = loop->scratch;
    c->request = r;
    c->fresh = false;
    loop->stirred = true;
    conn_enter(c, PHASE_HEAD);
    loop->active++;
    r->target_len = target == NULL ? 0 : strlen(target);
    r->target = r->target_len > GATE_TARGET_BYTES
                    ? NULL
                    : arena_strdup(r->x.arena, view_of(target, r->target_len));
    r->x.arrived_ns = c->since_ns;
    r->x.method = r->x.path = r->x.query = "";
    memcpy(r->x.address, c->address, sizeof r->x.address);
    if (!http_tls_expired(c)) { /* else nobody's call, until the sweep ends the connection */
        memcpy(r->x.client_identity, c->client_identity, sizeof r->x.client_identity);
    }
    r->x.peer = c->peer;
    r->x.listener = c->listener;
    return r;
}

/* Splits the target into path and query, on the arena. */
static void
set_target(struct request *r)
{
    if (r->target == NULL) {
        return;
    }
    const char *mark = strchr(r->target, '?');
    r->x.path = r->target;
    if (mark != NULL) {
        const char *path = arena_strdup(r->x.arena, view_of(r->target, (size_t)(mark - r->target)));
        r->x.path = path == NULL ? "" : path;
        r->x.query = mark + 1;
    }
}

struct field_list {
    struct gate_field fields[GATE_FIELDS_MAX];
    size_t count;
};

static enum MHD_Result
collect_field(void *cls, enum MHD_ValueKind kind, const char *key, size_t key_size,
              const char *value, size_t value_size)
{
    (void)kind;
    struct field_list *list = cls;
    if (list->count < GATE_FIELDS_MAX) {
        list->fields[list->count].name = view_of(key, key_size);
        list->fields[list->count].value =
            view_of(value == NULL ? "" : value, value == NULL ? 0 : value_size);
    }
    list->count++;
    return MHD_YES;
}

/* Between two fields the old parser leaves CR and LF as two NULs, perhaps after blanks. Anything
 * else was hidden from it: a NUL inside a value, or a line that ended with a bare LF. */
static bool
is_line_end(const uint8_t *from, const uint8_t *to)
{
    return to - from == 2 && from[0] == 0 && from[1] == 0;
}

/* Libraries before 1.0 parse C strings in their read buffer, so what follows a NUL is invisible to
 * the gate, and folded lines are copied elsewhere. The head still lies there whole, from the method
 * on: walk it. */
static bool
is_head_plain(struct MHD_Connection *mhd, const char *method, const char *url, size_t target_len,
              const char *version, const struct field_list *list)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    if (info == NULL) {
        return false;
    }
    const uint8_t *at = (const uint8_t *)method;
    const uint8_t *end = at + info->header_size;
    if ((const uint8_t *)url != at + strlen(method) + 1 || version != url + target_len + 1) {
        return false;
    }
    at = (const uint8_t *)version + strlen(version);
    for (size_t i = 0; i < list->count; i++) {
        const struct gate_field *f = &list->fields[i];
        if (f->name.ptr < at || f->value.ptr < f->name.ptr || f->value.ptr + f->value.len > end ||
            !is_line_end(at, f->name.ptr)) {
            return false;
        }
        at = f->value.ptr + f->value.len;
    }
    return end - at == 4 && is_line_end(at, at + 2) && is_line_end(at + 2, end);
}

static struct gate_verdict
check_head(struct request *r, const char *url, const char *method, const char *version)
{
    const struct http_server *s = r->conn->loop->server;
    const struct http_limits *l = &s->options.limits;
    const bool sound = s->library >= HTTP_MHD_SOUND;
    struct field_list list;
    list.count = 0;
    MHD_get_connection_values_n(r->conn->mhd, MHD_HEADER_KIND, collect_field, &list);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(r->conn->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    const size_t count_max = l->header_count < GATE_FIELDS_MAX ? l->header_count : GATE_FIELDS_MAX;
    const char *target = r->target == NULL ? "" : r->target;
    const struct gate_head head = {
        .method = view_str(method),
        .target = view_of(target, r->target == NULL ? r->target_len : strlen(target)),
        .version = view_str(version),
        .fields = list.fields,
        .count = list.count,
        .bytes = info == NULL ? 0 : info->header_size,
    };
    const struct gate_limits limits = {l->header_bytes, count_max, GATE_TARGET_BYTES, l->body_bytes,
                                       sound};
    struct gate_verdict verdict;
    gate_check(&head, &limits, &verdict);
    if (verdict.status == 0 && s->library < HTTP_MHD_STRICT &&
        !is_head_plain(r->conn->mhd, method, url, r->target_len, version, &list)) {
        verdict =
            (struct gate_verdict){.status = 400, .reason = "the request head is not plain lines"};
    }
    return verdict;
}

void
http_request_refuse(struct request *r, unsigned status, const char *reason)
{
    const struct http_handler *h = &r->conn->loop->server->handler;
    r->progress = REQUEST_DECIDED;
    r->called = true;
    r->close = true;
    r->x.status = status;
    r->x.content_type = "application/json";
    buf_reset(&r->x.answer);
    buf_printf(&r->x.answer, "{\"error\":\"%s\"}", reason);
    if (h->refused != NULL) {
        h->refused(h->ctx, &r->x, reason);
        http_note_ticket(r);
    }
}

static enum MHD_Result
queue_answer(struct request *r)
{
    struct http_exchange *x = &r->x;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(x->answer.len, x->answer.ptr, MHD_RESPMEM_PERSISTENT);
    if (response == NULL) {
        return MHD_NO;
    }
    const char *type = x->content_type == NULL ? "application/json" : x->content_type;
    bool ok = MHD_add_response_header(response, "content-type", type) == MHD_YES;
    for (unsigned i = 0; i < r->header_count; i++) {
        ok = ok &&
             MHD_add_response_header(response, r->headers[i].name, r->headers[i].value) == MHD_YES;
    }
    const bool closes = r->close || atomic_load_explicit(&r->conn->loop->server->stopping,
                                                         memory_order_relaxed) != 0;
    if (closes) {
        ok = ok && MHD_add_response_header(response, "connection", "close") == MHD_YES;
    }
    r->progress = REQUEST_QUEUED;
    conn_enter(r->conn, PHASE_SEND);
    const size_t length = strcmp(x->method, "HEAD") == 0 ? 0 : x->answer.len;
    http_transport_answer(r->conn, length, r->persistent && !closes);
    const enum MHD_Result result =
        ok ? MHD_queue_response(r->conn->mhd, x->status, response) : MHD_NO;
    MHD_destroy_response(response);
    return result;
}

bool
http_request_settle(struct request *r)
{
    const struct http_handler *h = &r->conn->loop->server->handler;
    struct http_exchange *x = &r->x;
    const bool failed = x->ticket != 0 && h->fate(h->ctx, x->ticket) == HTTP_FAILED;
    if (!failed && !r->late && x->ticket != 0 && h->settled != NULL && !h->settled(h->ctx, x)) {
        http_note_ticket(r);
        return false;
    }
    if (x->status == 0 || (!failed && !r->late && status_ok(buf_status(&x->answer)))) {
        return true;
    }
    x->status = 503;
    x->content_type = "application/json";
    buf_reset(&x->answer);
    if (h->failed != NULL) {
        h->failed(h->ctx, x);
    } else {
        buf_put_str(&x->answer, "{\"error\":\"the call could not be recorded\"}");
    }
    return true;
}

/* The answer is decided: out with it, or wait for its ticket. last: the request was read whole. */
static enum MHD_Result
answer(struct request *r, bool last)
{
    if (r->gone) {
        return MHD_NO;
    }
    if (!r->late && !http_settled(r)) {
        if (r->conn->hangup) {
            return MHD_NO;
        }
        (last ? http_wait_asked : http_wait)(r);
        return MHD_YES;
    }
    if (r->waits) {
        http_release(r);
    }
    r->conn->loop->stirred = true;
    if (!http_request_settle(r)) {
        return answer(r, last);
    }
    return r->x.status == 0 ? MHD_NO : queue_answer(r);
}

/* Does the handler want the body? A short one is read in any case. */
static bool
wants_body(struct request *r, const struct gate_verdict *verdict)
{
    const struct http_handler *h = &r->conn->loop->server->handler;
    if (h->head == NULL || (!verdict->chunked && verdict->length <= HTTP_BODY_UNASKED)) {
        return true;
    }
    conn_enter(r->conn, PHASE_CALL);
    if (h->head(h->ctx, &r->x)) {
        return true;
    }
    http_note_ticket(r);
    r->progress = REQUEST_DECIDED;
    r->called = true;
    r->close = true;
    return false;
}

static enum MHD_Result
on_head(struct request *r, const char *url, const char *method, const char *version)
{
    const char *kept = arena_strdup(r->x.arena, view_of(method, strnlen(method, 32)));
    r->x.method = kept == NULL ? "" : kept;
    set_target(r);
    r->persistent = strcmp(version, "HTTP/1.1") == 0 && http_header(&r->x, "connection") == NULL;
    const struct gate_verdict verdict = check_head(r, url, method, version);
    if (verdict.status != 0) {
        conn_enter(r->conn, PHASE_CALL);
        http_request_refuse(r, verdict.status, verdict.reason);
        return answer(r, false);
    }
    if (!wants_body(r, &verdict)) {
        return answer(r, false);
    }
    r->progress = REQUEST_BODY;
    conn_enter(r->conn, PHASE_BODY);
    if (r->body.cap == 0) {
        const struct buf empty = r->body;
        r->body = r->conn->loop->body;
        r->conn->loop->body = empty;
    }
    if (verdict.length > 0 && verdict.length <= SPARE_BODY_BYTES) {
        buf_reserve(&r->body, (size_t)verdict.length);
    }
    return MHD_YES;
}

/* The library cannot take an answer in the middle of a body: a chunked one that grew too large is
 * answered past it. */
static enum MHD_Result
on_body(struct request *r, const char *upload, size_t *upload_size)
{
    const size_t n = *upload_size;
    *upload_size = 0;
    if (r->progress != REQUEST_BODY) {
        return MHD_YES;
    }
    buf_put(&r->body, view_of(upload, n));
    if (!status_ok(buf_status(&r->body))) {
        r->raw = true;
        conn_enter(r->conn, PHASE_CALL);
        http_request_refuse(r, 413, "the request body is too large");
        http_wait(r);
    }
    return MHD_YES;
}

/* What waits for its ticket, or to be sent, needs the body no more: the next call takes it, as it
 * lies in the processor's cache. */
static void
give_back_body(struct request *r)
{
    struct buf *spare = &r->conn->loop->body;
    if (spare->cap == 0 && r->body.cap <= SPARE_BODY_BYTES) {
        buf_reset(&r->body);
        const struct buf empty = *spare;
        *spare = r->body;
        r->body = empty;
    }
}

static void
call_handler(struct request *r)
{
    const struct http_handler *h = &r->conn->loop->server->handler;
    conn_enter(r->conn, PHASE_CALL);
    r->x.body = buf_view(&r->body);
    r->progress = REQUEST_DECIDED;
    r->called = true;
    h->handle(h->ctx, &r->x);
    http_note_ticket(r);
    r->x.body = (struct view){0};
    arena_reset(r->conn->loop->scratch);
    give_back_body(r);
}

enum MHD_Result
http_on_request(void *cls, struct MHD_Connection *mhd, const char *url, const char *method,
                const char *version, const char *upload, size_t *upload_size, void **slot)
{
    (void)mhd;
    struct http_loop *loop = cls;
    struct request *r = *slot;
    if (r == NULL || r->conn->phase == PHASE_DEAD || loop->closing) {
        return MHD_NO;
    }
    if (r->progress == REQUEST_LINE || *upload_size > 0) {
        loop->stirred = true;
    }
    if (r->progress == REQUEST_LINE) {
        return on_head(r, url, method, version);
    }
    if (*upload_size > 0) {
        return on_body(r, upload, upload_size);
    }
    if (r->progress == REQUEST_BODY) {
        call_handler(r);
    }
    return answer(r, true);
}

/* What the library answered by itself to a head that it could not read; 400 where it did not. */
static unsigned
library_status(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_HTTP_STATUS);
    return info == NULL || info->http_status == 0 ? 400 : info->http_status;
}

void
http_on_completed(void *cls, struct MHD_Connection *mhd, void **slot,
                  enum MHD_RequestTerminationCode why)
{
    (void)why;
    struct http_loop *loop = cls;
    struct request *r = *slot;
    *slot = NULL;
    if (r == NULL) {
        return;
    }
    const struct http_handler *h = &loop->server->handler;
    loop->stirred = true;
    if (r->waits) {
        http_release(r);
    }
    http_transport_flush(r->conn);
    if (r->progress == REQUEST_LINE) {
        set_target(r);
        http_request_refuse(r, library_status(mhd),
                            "the request head was not accepted or not finished");
    } else if (r->progress == REQUEST_BODY) {
        http_request_refuse(r, 400, "the request body was not finished");
    }
    if (r->called && h->done != NULL) {
        h->done(h->ctx, &r->x);
    }
    conn_enter(r->conn, PHASE_IDLE);
    r->conn->request = NULL;
    loop->active--;
    request_recycle(loop, r);
}
