/* The way of one request: head (gate), body, handler, answer, done. */
#include "serve/http_loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SPARE_REQUESTS 64u
#define SPARE_BYTES (256u << 10)

static struct request *
request_of(const struct http_exchange *x)
{
    return (struct request *)(uintptr_t)x;
}

static const char *
field_value(const struct request *r, const char *name)
{
    const size_t n = strlen(name);
    for (size_t i = 0; i < r->field_count; i++) {
        const struct gate_field *f = &r->fields[i];
        if (f->name.len == n && strncasecmp((const char *)f->name.ptr, name, n) == 0) {
            return (const char *)f->value.ptr;
        }
    }
    return NULL;
}

const char *
http_header(const struct http_exchange *x, const char *name)
{
    return field_value(request_of(x), name);
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

/* ---- its beginning and its end ---- */

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
    buf_init(&r->head, SIZE_MAX / 2);
    buf_init(&r->x.answer, SIZE_MAX / 2);
    return r;
}

void
http_request_free(struct request *r)
{
    buf_done(&r->body);
    buf_done(&r->head);
    buf_done(&r->x.answer);
    arena_free(r->x.arena);
    free(r);
}

/* Keeps arena and buffers for the next request on this loop, unless they have grown large. */
static void
recycle(struct http_loop *loop, struct request *r)
{
    const bool large = r->body.cap > SPARE_BYTES || r->x.answer.cap > SPARE_BYTES ||
                       arena_used(r->x.arena) > SPARE_BYTES;
    if (large || loop->spares >= SPARE_REQUESTS) {
        http_request_free(r);
        return;
    }
    arena_reset(r->x.arena);
    buf_reset(&r->body);
    buf_reset(&r->head);
    buf_reset(&r->x.answer);
    struct request fresh = {.body = r->body, .head = r->head, .next = loop->spare};
    fresh.x.arena = r->x.arena;
    fresh.x.answer = r->x.answer;
    *r = fresh;
    loop->spare = r;
    loop->spares++;
}

static struct request *
begin(struct conn *c)
{
    struct http_loop *loop = c->loop;
    struct request *r = request_new(loop);
    if (r == NULL) {
        return NULL;
    }
    r->conn = c;
    r->x.arrived_ns = c->phase == PHASE_HEAD ? c->since_ns : loop->now_ns;
    r->x.scratch = loop->scratch;
    r->x.method = r->x.path = r->x.query = "";
    memcpy(r->x.address, c->address, sizeof r->x.address);
    if (!http_tls_expired(c)) { /* else nobody's call, until the sweep ends the connection */
        memcpy(r->x.client_identity, c->client_identity, sizeof r->x.client_identity);
        memcpy(r->x.client_fingerprint, c->client_fingerprint, sizeof r->x.client_fingerprint);
    }
    r->x.peer = c->peer;
    r->x.listener = c->listener;
    c->request = r;
    c->fresh = false;
    loop->active++;
    return r;
}

void
http_request_done(struct request *r)
{
    struct conn *c = r->conn;
    const struct http_handler *h = &c->loop->server->handler;
    if (r->waits) {
        http_release(r);
    }
    if (r->called && h->done != NULL) {
        h->done(h->ctx, &r->x);
    }
    c->request = NULL;
    c->loop->active--;
    recycle(c->loop, r);
}

/* ---- its answer ---- */

void
http_request_refuse(struct request *r, unsigned status, const char *reason)
{
    const struct http_handler *h = &r->conn->loop->server->handler;
    http_conn_enter(r->conn, PHASE_CALL);
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

void
http_request_answer(struct request *r)
{
    struct conn *c = r->conn;
    if (!r->late && !http_settled(r)) {
        if (c->hangup) {
            http_conn_shut(c); /* nobody is there who could read it */
        } else {
            http_wait(r);
        }
        return;
    }
    if (r->waits) {
        http_release(r);
    }
    if (!http_request_settle(r)) {
        http_request_answer(r);
    } else if (r->x.status == 0) {
        http_conn_shut(c);
    } else {
        http_answer_send(r);
    }
}

/* ---- its body ---- */

static void
call_handler(struct request *r, struct view body)
{
    struct http_loop *loop = r->conn->loop;
    const struct http_handler *h = &loop->server->handler;
    http_conn_enter(r->conn, PHASE_CALL);
    r->x.body = body;
    r->progress = REQUEST_DECIDED;
    r->called = true;
    h->handle(h->ctx, &r->x);
    http_note_ticket(r);
    r->x.body = (struct view){0};
    r->fields = NULL;
    r->field_count = 0;
    arena_reset(loop->scratch);
    http_request_answer(r);
}

static void
consume(struct conn *c, size_t n)
{
    c->in.ptr += n;
    c->in.len -= n;
}

static bool
step_length(struct conn *c)
{
    struct request *r = c->request;
    const uint64_t left = r->length - r->body.len;
    const size_t n = c->in.len < left ? c->in.len : (size_t)left;
    buf_put(&r->body, view_of(c->in.ptr, n));
    consume(c, n);
    if (!status_ok(buf_status(&r->body))) {
        http_conn_shut(c); /* no memory: the gate has looked at the length */
        return true;
    }
    if (n == left) {
        call_handler(r, buf_view(&r->body));
    }
    return n == left;
}

static bool
step_chunks(struct conn *c)
{
    struct request *r = c->request;
    struct view bytes = view_of(c->in.ptr, c->in.len);
    const enum http_found found = http_chunks_take(&r->chunks, &bytes, &r->body);
    consume(c, c->in.len - bytes.len);
    if (!status_ok(buf_status(&r->body))) {
        http_request_refuse(r, 413, "the request body is too large");
        http_request_answer(r);
        return true;
    }
    if (found == HTTP_BAD) {
        http_request_refuse(r, 400, "the chunks of the request body are not well-formed");
        http_request_answer(r);
    } else if (found == HTTP_WHOLE) {
        call_handler(r, buf_view(&r->body));
    }
    return found != HTTP_PART;
}

/* Does the handler want the body? A short one is read in any case. */
static bool
wants_body(struct request *r, const struct gate_verdict *verdict)
{
    const struct http_handler *h = &r->conn->loop->server->handler;
    if (h->head == NULL || (!verdict->chunked && verdict->length <= HTTP_BODY_UNASKED)) {
        return true;
    }
    http_conn_enter(r->conn, PHASE_CALL);
    if (h->head(h->ctx, &r->x)) {
        return true;
    }
    http_note_ticket(r);
    r->progress = REQUEST_DECIDED;
    r->called = true;
    r->close = true;
    return false;
}

/* The head goes where it can wait for the body. */
static bool
keep_head(struct request *r, struct view head)
{
    uint8_t *bytes = arena_alloc(r->x.arena, head.len, 1);
    struct gate_field *fields = arena_alloc(r->x.arena, r->field_count + 1, sizeof *fields);
    if (bytes == NULL || fields == NULL) {
        return false;
    }
    memcpy(bytes, head.ptr, head.len);
    for (size_t i = 0; i < r->field_count; i++) {
        const struct gate_field *f = &r->fields[i];
        fields[i].name = view_of(bytes + (f->name.ptr - head.ptr), f->name.len);
        fields[i].value = view_of(bytes + (f->value.ptr - head.ptr), f->value.len);
    }
    r->fields = fields;
    return true;
}

static void
await_body(struct request *r, struct view head)
{
    struct conn *c = r->conn;
    const char *expected = field_value(r, "expect");
    if (!keep_head(r, head)) {
        http_conn_shut(c);
        return;
    }
    r->progress = REQUEST_BODY;
    http_conn_enter(c, PHASE_BODY);
    if (r->length > 0 && r->length <= SPARE_BYTES) {
        buf_reserve(&r->body, (size_t)r->length);
    }
    if (expected != NULL && c->in.len == 0 && strcasecmp(expected, "100-continue") == 0) {
        http_answer_continue(c);
    }
}

/* ---- its head ---- */

static const char *
method_of(struct request *r, struct view method)
{
    static const char *const common[] = {"POST", "GET"};
    for (size_t i = 0; i < sizeof common / sizeof *common; i++) {
        if (view_equal_str(method, common[i])) {
            return common[i];
        }
    }
    const char *kept =
        arena_strdup(r->x.arena, view_of(method.ptr, method.len < 32 ? method.len : 32));
    return kept == NULL ? "" : kept;
}

/* Splits the target into path and query, on the arena. */
static void
set_target(struct request *r, struct view target)
{
    char *path = target.len > GATE_TARGET_BYTES ? NULL : arena_strdup(r->x.arena, target);
    if (path == NULL) {
        return;
    }
    char *mark = strchr(path, '?');
    if (mark != NULL) {
        *mark = '\0';
        r->x.query = mark + 1;
    }
    r->x.path = path;
}

static void
set_line(struct request *r, const struct gate_head *head)
{
    r->x.method = method_of(r, head->method);
    set_target(r, head->target);
}

static bool
has_word(const char *list, const char *word)
{
    const size_t n = strlen(word);
    while (*list != '\0') {
        list += strspn(list, ", \t");
        const size_t len = strcspn(list, ", \t");
        if (len == n && strncasecmp(list, word, n) == 0) {
            return true;
        }
        list += len;
    }
    return false;
}

static bool
says_close(const struct request *r, const struct gate_head *head)
{
    bool close = view_equal_str(head->version, "HTTP/1.0");
    for (size_t i = 0; i < r->field_count; i++) {
        const struct gate_field *f = &r->fields[i];
        close = close || (f->name.len == 10 &&
                          strncasecmp((const char *)f->name.ptr, "connection", 10) == 0 &&
                          has_word((const char *)f->value.ptr, "close"));
    }
    return close;
}

/* Values become C strings: behind each stands a blank or the end of its line. */
static void
take_fields(struct request *r, const struct gate_head *head)
{
    r->fields = head->fields;
    r->field_count = head->count;
    for (size_t i = 0; i < head->count; i++) {
        const struct view v = head->fields[i].value;
        ((uint8_t *)(uintptr_t)v.ptr)[v.len] = '\0';
    }
}

static struct gate_verdict
check_head(struct request *r, struct view bytes, struct gate_head *ret_head)
{
    const struct http_limits *l = &r->conn->loop->server->options.limits;
    const size_t count_max = l->header_count < GATE_FIELDS_MAX ? l->header_count : GATE_FIELDS_MAX;
    const struct gate_limits limits = {l->header_bytes, count_max, GATE_TARGET_BYTES, l->body_bytes,
                                       true};
    struct gate_verdict verdict = {.status = 400, .reason = "the request head is not plain lines"};
    const bool plain = http_head_split(bytes, r->conn->loop->fields, GATE_FIELDS_MAX, ret_head);
    set_line(r, ret_head);
    if (plain) {
        gate_check(ret_head, &limits, &verdict);
    }
    return verdict;
}

/* A head is whole; what follows it stands in c->in. */
static void
on_head(struct request *r, struct view bytes)
{
    struct conn *c = r->conn;
    struct gate_head head;
    const struct gate_verdict verdict = check_head(r, bytes, &head);
    if (verdict.status != 0) {
        http_request_refuse(r, verdict.status, verdict.reason);
        http_request_answer(r);
        return;
    }
    take_fields(r, &head);
    r->close = says_close(r, &head);
    r->chunked = verdict.chunked;
    r->length = verdict.length;
    if (!wants_body(r, &verdict)) {
        http_request_answer(r);
    } else if (!r->chunked && c->in.len >= r->length) {
        const struct view body = view_of(c->in.ptr, (size_t)r->length);
        consume(c, body.len);
        call_handler(r, body);
    } else {
        await_body(r, bytes);
    }
}

/* What could not be read, or is too long, is refused all the same. */
static void
refuse_head(struct conn *c, unsigned status, const char *reason)
{
    struct request *r = begin(c);
    if (r == NULL) {
        http_conn_shut(c);
        return;
    }
    c->in.len = 0;
    http_request_refuse(r, status, reason);
    http_request_answer(r);
}

static bool
step_head(struct conn *c)
{
    size_t length = 0;
    while (c->in.len >= 2 && c->scanned == 0 && memcmp(c->in.ptr, "\r\n", 2) == 0) {
        consume(c, 2); /* RFC 9112, 2.2: some send one after a body */
    }
    const struct view bytes = view_of(c->in.ptr, c->in.len);
    switch (http_head_find(bytes, &c->scanned, &length)) {
    case HTTP_BAD:
        refuse_head(c, 400, "the request head is not plain lines");
        return true;
    case HTTP_WHOLE:
        break;
    case HTTP_PART:
        if (bytes.len > c->loop->server->options.limits.header_bytes) {
            refuse_head(c, 431, "the request head is too large");
            return true;
        }
        if (bytes.len > 0 && c->phase == PHASE_IDLE) {
            http_conn_enter(c, PHASE_HEAD);
        }
        return false;
    }
    c->scanned = 0;
    struct request *r = begin(c);
    if (r == NULL) {
        http_conn_shut(c);
        return true;
    }
    consume(c, length);
    on_head(r, view_of(bytes.ptr, length));
    return true;
}

bool
http_request_step(struct conn *c)
{
    if (c->phase != PHASE_BODY) {
        return step_head(c);
    }
    return c->request->chunked ? step_chunks(c) : step_length(c);
}

/* Whoever has sent a whole request line has asked for something. */
static void
refuse_unfinished(struct conn *c)
{
    struct gate_head head;
    const uint8_t *lf =
        c->scanned == 0 || c->in.len == 0 ? NULL : memchr(c->in.ptr, '\n', c->in.len);
    struct request *r = lf == NULL ? NULL : begin(c);
    if (r != NULL) {
        const struct view line = view_of(c->in.ptr, (size_t)(lf + 1 - c->in.ptr));
        (void)http_head_split(line, c->loop->fields, 0, &head);
        set_line(r, &head);
        http_request_refuse(r, 400, "the request head was not accepted or not finished");
    }
}

void
http_request_abandon(struct conn *c)
{
    struct request *r = c->request;
    c->loop->now_ns = clock_mono_ns();
    if (r == NULL) {
        refuse_unfinished(c);
    } else if (r->progress == REQUEST_BODY) {
        http_request_refuse(r, 400, "the request body was not finished");
    }
    if (c->request != NULL) {
        http_request_done(c->request);
    }
}
