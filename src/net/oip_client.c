#include "net/oip_client.h"

#include "base/clock.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#define MOST_REQUEST ((size_t)256 << 20)
#define MOST_URL 2048u

struct oip_client {
    char *url, *infer_url;
    char *ca_file;
    struct curl_slist *headers;
    int64_t timeout_ns;
    size_t max_answer_bytes;
    _Atomic size_t rows; /* of one request; halved when refused */
    struct oip_metadata metadata;
    struct oip_binding binding;
    pthread_mutex_t lock; /* of the idle connections */
    CURL **idle;
    size_t idles, idle_room;
    _Atomic uint64_t requests, sent_rows;
};

/* ---- the address ---- */

static bool
is_this_machine(const char *host)
{
    struct in_addr four;
    return strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
           (inet_pton(AF_INET, host, &four) == 1 && ntohl(four.s_addr) >> 24 == 127);
}

static bool
url_part_is_absent(CURLU *u, CURLUPart part)
{
    char *text = NULL;
    const bool absent = curl_url_get(u, part, &text, 0) != CURLUE_OK;
    curl_free(text);
    return absent;
}

/* Why an address is refused; NULL: it is good. */
static const char *
fault_of_url(CURLU *u, const char *endpoint)
{
    char *scheme = NULL, *host = NULL, *path = NULL;
    const char *fault = NULL;
    if (strlen(endpoint) > MOST_URL || curl_url_set(u, CURLUPART_URL, endpoint, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_PATH, &path, 0) != CURLUE_OK) {
        fault = "not a URL such as https://host/v2/models/NAME";
    } else if (strcmp(scheme, "https") != 0 &&
               !(strcmp(scheme, "http") == 0 && is_this_machine(host))) {
        fault = "https is needed; http only to this machine (127.0.0.1, localhost)";
    } else if (!url_part_is_absent(u, CURLUPART_USER) ||
               !url_part_is_absent(u, CURLUPART_PASSWORD) ||
               !url_part_is_absent(u, CURLUPART_QUERY) ||
               !url_part_is_absent(u, CURLUPART_FRAGMENT)) {
        fault = "a user, a query or a fragment has no place in it; the key comes from a file";
    } else {
        const char *model = strstr(path, "/v2/models/");
        const size_t n = model == NULL ? 0 : strlen(model);
        const bool whole = n > 11 && model[n - 1] != '/' && model[11] != '/';
        fault = whole && strcmp(model + n - (n > 6 ? 6 : n), "/infer") != 0
                    ? NULL
                    : "its path must be /v2/models/NAME, or that with /versions/V";
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(path);
    return fault;
}

static struct status
check_url(const char *endpoint, struct diag *diag)
{
    CURLU *u = curl_url();
    CHECK(u != NULL, MEMORY);
    const char *fault = fault_of_url(u, endpoint);
    curl_url_cleanup(u);
    if (fault != NULL) {
        diag_set(diag, "endpoint %.200s: %s", endpoint, fault);
        FAIL(INPUT);
    }
    return OK;
}

/* ---- connections ---- */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static CURLcode started;

static void
start_curl(void)
{
    started = curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* Everything that is the same for each request of the client. False when an option is not taken. */
static bool
set_options(CURL *h, const struct oip_client *c)
{
    const long ms = (long)(c->timeout_ns / 1000000);
    CURLcode e = curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "https,http");
#define SET(OPTION, VALUE) e = e != CURLE_OK ? e : curl_easy_setopt(h, OPTION, VALUE)
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROXY, ""); /* and with that nothing of http_proxy and its like */
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_DNS_CACHE_TIMEOUT, -1L);
    SET(CURLOPT_CONNECTTIMEOUT_MS, ms < 10000 ? ms : 10000L);
    SET(CURLOPT_TIMEOUT_MS, ms);
    SET(CURLOPT_HTTPHEADER, c->headers);
    SET(CURLOPT_USERAGENT, "steward/" STEWARD_VERSION);
    if (c->ca_file != NULL) { /* these authorities and no others */
        SET(CURLOPT_CAPATH, NULL);
        SET(CURLOPT_CAINFO, c->ca_file);
    }
#undef SET
    return e == CURLE_OK;
}

static CURL *
take_connection(struct oip_client *c)
{
    CURL *h = NULL;
    (void)pthread_mutex_lock(&c->lock);
    if (c->idles > 0) {
        h = c->idle[--c->idles];
    }
    (void)pthread_mutex_unlock(&c->lock);
    if (h != NULL) {
        return h;
    }
    h = curl_easy_init();
    if (h != NULL && !set_options(h, c)) {
        curl_easy_cleanup(h);
        return NULL;
    }
    return h;
}

static void
give_connection(struct oip_client *c, CURL *h)
{
    (void)pthread_mutex_lock(&c->lock);
    if (c->idles == c->idle_room) {
        const size_t room = c->idle_room * 2 + 4;
        CURL **more = realloc(c->idle, room * sizeof(CURL *));
        if (more != NULL) {
            c->idle = more;
            c->idle_room = room;
        }
    }
    if (c->idles < c->idle_room) {
        c->idle[c->idles++] = h;
        h = NULL;
    }
    (void)pthread_mutex_unlock(&c->lock);
    curl_easy_cleanup(h);
}

/* ---- one exchange ---- */

struct answer {
    long status;
    long retry_after; /* seconds; 0: not said */
    struct buf body;
};

static size_t
take_bytes(char *bytes, size_t size, size_t n, void *user)
{
    struct answer *a = user;
    buf_put(&a->body, view_of(bytes, size * n));
    return status_ok(buf_status(&a->body)) ? size * n : 0;
}

static struct status
transport_failure(const struct oip_client *c, CURLcode e, const struct answer *a, const char *said,
                  struct diag *diag)
{
    if (a->body.failed == STATUS_LIMIT) {
        diag_set(diag, "%s: its answer is longer than %zu bytes", c->url, c->max_answer_bytes);
        FAIL(LIMIT);
    }
    diag_set(diag, "%s: %s", c->url, said[0] != '\0' ? said : curl_easy_strerror(e));
    if (e == CURLE_PEER_FAILED_VERIFICATION || e == CURLE_SSL_CACERT_BADFILE) {
        FAIL(AUTH);
    }
    FAIL_OS(e == CURLE_OPERATION_TIMEDOUT ? ETIMEDOUT : EIO);
}

/* GET, or POST of `body`. */
static struct status
perform(const struct oip_client *c, CURL *h, const char *url, const struct buf *body,
        struct diag *diag, struct answer *a)
{
    char said[CURL_ERROR_SIZE] = "";
    curl_off_t wait = 0;
    (void)curl_easy_setopt(h, CURLOPT_ERRORBUFFER, said);
    (void)curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, take_bytes);
    (void)curl_easy_setopt(h, CURLOPT_WRITEDATA, a);
    CURLcode e = curl_easy_setopt(h, CURLOPT_URL, url);
    if (body == NULL) {
        e = e != CURLE_OK ? e : curl_easy_setopt(h, CURLOPT_HTTPGET, 1L);
    } else {
        e = e != CURLE_OK ? e : curl_easy_setopt(h, CURLOPT_POST, 1L);
        e = e != CURLE_OK ? e
                          : curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->len);
        e = e != CURLE_OK ? e : curl_easy_setopt(h, CURLOPT_POSTFIELDS, buf_str(body));
    }
    e = e != CURLE_OK ? e : curl_easy_perform(h);
    (void)curl_easy_setopt(h, CURLOPT_ERRORBUFFER, NULL);
    if (e != CURLE_OK) {
        return transport_failure(c, e, a, said, diag);
    }
    (void)curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &a->status);
    (void)curl_easy_getinfo(h, CURLINFO_RETRY_AFTER, &wait);
    a->retry_after = (long)wait;
    return OK;
}

static struct status
refusal(const struct oip_client *c, const struct answer *a, struct diag *diag)
{
    char text[200];
    oip_error_text(buf_view(&a->body), text);
    diag_set(diag, "%s: answered %ld%s%s%s", c->url, a->status,
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
              struct answer *a)
{
    buf_done(&a->body);
    buf_init(&a->body, c->max_answer_bytes);
    CURL *h = take_connection(c);
    CHECK(h != NULL, MEMORY);
    const struct status s = perform(c, h, url, body, diag, a);
    if (status_ok(s)) {
        give_connection(c, h);
    } else {
        curl_easy_cleanup(h);
    }
    c->requests++;
    TRY(s);
    return a->status == 200 ? OK : refusal(c, a, diag);
}

/* a->body: the caller's to release. */
static struct status
exchange(struct oip_client *c, const char *url, const struct buf *body, struct diag *diag,
         struct answer *a)
{
    for (unsigned attempt = 1;; attempt++) {
        const struct status s = exchange_once(c, url, body, diag, a);
        if (s.code != STATUS_BUSY || attempt == OIP_TRIES || a->retry_after > OIP_MOST_WAIT_S) {
            return s;
        }
        const struct timespec wait = {.tv_sec = a->retry_after};
        (void)nanosleep(&wait, NULL);
    }
}

static void
answer_done(struct answer *a)
{
    buf_done(&a->body);
}

/* ---- the client ---- */

static struct status
make_headers(struct oip_client *c, const struct oip_options *o)
{
    struct curl_slist *list = curl_slist_append(NULL, "Content-Type: application/json");
    c->headers = list;
    CHECK(list != NULL, MEMORY);
    CHECK(curl_slist_append(list, "Expect:") != NULL, MEMORY); /* no 100-continue to wait for */
    if (o->key != NULL) {
        char line[1024];
        const int n = snprintf(line, sizeof line, "Authorization: Bearer %.*s", (int)o->key->len,
                               (const char *)o->key->ptr);
        CHECK(n > 0 && n < (int)sizeof line, INPUT);
        const bool kept = curl_slist_append(list, line) != NULL;
        secret_wipe(line, sizeof line);
        CHECK(kept, MEMORY);
    }
    return OK;
}

static struct status
check_key(const struct secret *key, struct diag *diag)
{
    bool printable = key == NULL || (key->len > 0 && key->len < 900);
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
    DEFER(answer_done) struct answer a = {0};
    TRY(exchange(c, c->url, NULL, diag, &a));
    return oip_metadata_parse(buf_view(&a.body), diag, &c->metadata);
}

struct status
oip_open(const struct oip_options *o, struct diag *diag, struct oip_client **ret_client)
{
    ASSERT(o->rows > 0 && o->timeout_ns > 0 && o->max_answer_bytes > 0);
    (void)pthread_once(&once, start_curl);
    CHECK(started == CURLE_OK, MEMORY);
    TRY(check_url(o->endpoint, diag));
    TRY(check_key(o->key, diag));
    DEFER(oip_closep) struct oip_client *c = calloc(1, sizeof *c);
    CHECK(c != NULL, MEMORY);
    (void)pthread_mutex_init(&c->lock, NULL);
    c->timeout_ns = o->timeout_ns;
    c->max_answer_bytes = o->max_answer_bytes;
    c->rows = o->rows;
    c->url = strdup(o->endpoint);
    c->ca_file = o->ca_file == NULL ? NULL : strdup(o->ca_file);
    const bool named = asprintf(&c->infer_url, "%s/infer", o->endpoint) > 0;
    CHECK(named && c->url != NULL && (o->ca_file == NULL || c->ca_file != NULL), MEMORY);
    TRY(make_headers(c, o));
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
    for (size_t i = 0; i < c->idles; i++) {
        curl_easy_cleanup(c->idle[i]);
    }
    for (struct curl_slist *l = c->headers; l != NULL; l = l->next) {
        secret_wipe(l->data, strlen(l->data));
    }
    curl_slist_free_all(c->headers);
    oip_metadata_done(&c->metadata);
    (void)pthread_mutex_destroy(&c->lock);
    free(c->idle);
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
ask(struct oip_client *c, const double *x, size_t rows, struct diag *diag, struct answer *a)
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
    DEFER(answer_done) struct answer a = {0};
    TRY(oip_bind(&c->metadata, columns, n, output, diag, &c->binding));
    TRY(ask(c, x, 1, diag, &a));
    return oip_answer_width(&c->binding, buf_view(&a.body), 1, diag, &c->binding.width);
}

static struct status
predict_batch(struct oip_client *c, const double *x, size_t rows, struct diag *diag,
              double *ret_score)
{
    DEFER(answer_done) struct answer a = {0};
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
