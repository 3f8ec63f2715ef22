#include "net/oip_client.h"

#include "base/clock.h"
#include "base/text.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#define MOST_REQUEST ((size_t)256 << 20)
#define MOST_KEY 900u

struct oip_client {
    char *url, *infer_url;
    char *ca_file;
    struct secret key;
    struct door *door; /* borrowed */
    int64_t timeout_ns;
    size_t max_answer_bytes;
    _Atomic size_t rows; /* of one request; halved when refused */
    struct oip_metadata metadata;
    struct oip_binding binding;
    _Atomic uint64_t requests, sent_rows;
};

/* ---- the address ---- */

static struct status
check_url(const char *endpoint, struct diag *diag)
{
    struct url u;
    TRY(url_parse(view_str(endpoint), diag, &u));
    const char *model = strstr(u.target, "/v2/models/");
    const size_t n = model == NULL ? 0 : strlen(model);
    const bool whole = n > 11 && model[n - 1] != '/' && model[11] != '/';
    if (strchr(u.target, '?') != NULL || !whole ||
        strcmp(model + n - (n > 6 ? 6 : n), "/infer") == 0) {
        diag_set(diag,
                 "endpoint %.200s: its path must be /v2/models/NAME, or that with /versions/V, and "
                 "no query",
                 endpoint);
        FAIL(INPUT);
    }
    return OK;
}

/* ---- one exchange ---- */

static struct status
refusal(const struct oip_client *c, const struct door_answer *a, struct diag *diag)
{
    char text[200];
    oip_error_text(buf_view(&a->body), text);
    diag_set(diag, "%s: answered %u%s%s%s", c->url, a->status,
             a->status / 100 == 3 ? " (a redirect is not followed)" : "",
             text[0] != '\0' ? ": " : "", text);
    switch (a->status) {
    case 400:
    case 422:
        FAIL(INPUT);
    case 401:
        FAIL(AUTH);
    case 403:
        FAIL(DENIED);
    case 404:
        FAIL(NOT_FOUND);
    case 413:
        FAIL(LIMIT);
    case 429:
    case 503:
        FAIL(BUSY);
    default:
        FAIL_OS(EPROTO);
    }
}

static struct status
exchange_once(struct oip_client *c, const char *url, const struct buf *body, struct diag *diag,
              struct door_answer *a)
{
    DEFER(buf_wipe) struct buf bearer;
    buf_init(&bearer, MOST_KEY + 16);
    buf_put_str(&bearer, "Bearer ");
    buf_put(&bearer, secret_view(&c->key));
    TRY(buf_status(&bearer));
    const struct door_header headers[] = {{"Content-Type", view_str("application/json")},
                                          {"Authorization", buf_view(&bearer)}};
    const struct door_request q = {.purpose = "black-box",
                                   .url = url,
                                   .header = headers,
                                   .headers = c->key.len > 0 ? 2 : 1,
                                   .body = body == NULL ? (struct view){0} : buf_view(body),
                                   .ca_file = c->ca_file,
                                   .timeout_ns = c->timeout_ns,
                                   .max_bytes = c->max_answer_bytes};
    door_answer_done(a);
    const struct status s = door_fetch(c->door, &q, diag, a);
    c->requests++;
    TRY(s);
    return a->status == 200 ? OK : refusal(c, a, diag);
}

/* a->body: the caller's to release. */
static struct status
exchange(struct oip_client *c, const char *url, const struct buf *body, struct diag *diag,
         struct door_answer *a)
{
    for (unsigned attempt = 1;; attempt++) {
        const struct status s = exchange_once(c, url, body, diag, a);
        if (s.code != STATUS_BUSY || attempt == OIP_TRIES || a->retry_after_s > OIP_MOST_WAIT_S) {
            return s;
        }
        const struct timespec wait = {.tv_sec = a->retry_after_s};
        (void)nanosleep(&wait, NULL);
    }
}

/* ---- the client ---- */

static struct status
check_key(const struct secret *key, struct diag *diag)
{
    bool printable = key == NULL || (key->len > 0 && key->len <= MOST_KEY);
    for (size_t i = 0; key != NULL && i < key->len; i++) {
        printable = printable && key->ptr[i] > 0x20 && key->ptr[i] < 0x7f;
    }
    if (!printable) {
        diag_set(diag, "the endpoint's key must be one word of printable characters");
        FAIL(INPUT);
    }
    return OK;
}

static struct status
fetch_metadata(struct oip_client *c, struct diag *diag)
{
    DEFER(door_answer_done) struct door_answer a = {0};
    TRY(exchange(c, c->url, NULL, diag, &a));
    return oip_metadata_parse(buf_view(&a.body), diag, &c->metadata);
}

struct status
oip_open(const struct oip_options *o, struct diag *diag, struct oip_client **ret_client)
{
    ASSERT(o->rows > 0 && o->timeout_ns > 0 && o->max_answer_bytes > 0);
    TRY(check_url(o->endpoint, diag));
    TRY(check_key(o->key, diag));
    DEFER(oip_closep) struct oip_client *c = calloc(1, sizeof *c);
    CHECK(c != NULL, MEMORY);
    c->door = o->door;
    c->timeout_ns = o->timeout_ns;
    c->max_answer_bytes = o->max_answer_bytes;
    c->rows = o->rows;
    c->url = strdup(o->endpoint);
    c->ca_file = o->ca_file == NULL ? NULL : strdup(o->ca_file);
    const bool named = asprintf(&c->infer_url, "%s/infer", o->endpoint) > 0;
    CHECK(named && c->url != NULL && (o->ca_file == NULL || c->ca_file != NULL), MEMORY);
    if (o->key != NULL) {
        TRY(secret_from(secret_view(o->key), &c->key));
    }
    TRY(fetch_metadata(c, diag));
    *ret_client = MOVE(c);
    return OK;
}

void
oip_close(struct oip_client *c)
{
    if (c == NULL) {
        return;
    }
    secret_done(&c->key);
    oip_metadata_done(&c->metadata);
    free(c->url);
    free(c->infer_url);
    free(c->ca_file);
    free(c);
}

const struct oip_metadata *
oip_metadata(const struct oip_client *c)
{
    return &c->metadata;
}

size_t
oip_width(const struct oip_client *c)
{
    return c->binding.width;
}

void
oip_told(struct oip_client *c, uint64_t *ret_requests, uint64_t *ret_rows)
{
    *ret_requests = c->requests;
    *ret_rows = c->sent_rows;
}

/* ---- asking ---- */

static struct status
ask(struct oip_client *c, const double *x, size_t rows, struct diag *diag, struct door_answer *a)
{
    DEFER(buf_done) struct buf body;
    buf_init(&body, MOST_REQUEST);
    TRY(oip_put_request(&c->binding, x, rows, diag, &body));
    TRY(exchange(c, c->infer_url, &body, diag, a));
    c->sent_rows += rows;
    return OK;
}

struct status
oip_use(struct oip_client *c, const struct oip_column *columns, size_t n, const char *output,
        const double *x, struct diag *diag)
{
    DEFER(door_answer_done) struct door_answer a = {0};
    TRY(oip_bind(&c->metadata, columns, n, output, diag, &c->binding));
    TRY(ask(c, x, 1, diag, &a));
    return oip_answer_width(&c->binding, buf_view(&a.body), 1, diag, &c->binding.width);
}

static struct status
predict_batch(struct oip_client *c, const double *x, size_t rows, struct diag *diag,
              double *ret_score)
{
    DEFER(door_answer_done) struct door_answer a = {0};
    TRY(ask(c, x, rows, diag, &a));
    return oip_answer_parse(&c->binding, buf_view(&a.body), rows, diag, ret_score);
}

struct status
oip_predict(struct oip_client *c, const double *x, size_t rows, struct diag *diag,
            double *ret_score)
{
    ASSERT(c->binding.width > 0);
    size_t n = 0;
    for (size_t at = 0; at < rows; at += n) {
        const size_t most = c->rows;
        n = rows - at < most ? rows - at : most;
        const struct status s = predict_batch(c, x + at * c->binding.columns, n, diag,
                                              ret_score + at * c->binding.width);
        if (s.code == STATUS_LIMIT && n > 1) { /* refused as too large, or its answer is */
            c->rows = (n + 1) / 2;
            n = 0;
            if (diag != NULL) {
                diag->text[0] = '\0';
            }
            continue;
        }
        TRY(s);
    }
    return OK;
}
