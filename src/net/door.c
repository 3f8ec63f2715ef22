/* One request: check the rules, resolve or take the pin, check the addresses, give libcurl the
 * addresses (CURLOPT_RESOLVE), and check once more where each socket is opened, since that is the
 * one place that every connection of libcurl passes. */
#include "net/door_parts.h"

#include "base/clock.h"
#include "base/secret.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>

#define PIN_NS (60 * NS_PER_S)
#define MOST_CONNECT_MS 30000
#define MOST_HEADER_BYTES 65536u /* of an answer's head */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static CURLcode started;

static void
start_curl(void)
{
    (void)unsetenv("SSLKEYLOGFILE"); /* libcurl would write the keys of its sessions there */
    started = curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* ---- the door ---- */

struct status
door_new(struct egress *rules, const struct door_hook *hook, struct door **ret_door)
{
    struct door *d = calloc(1, sizeof *d);
    (void)pthread_once(&once, start_curl);
    if (d != NULL) {
        d->pin = calloc(DOOR_MOST_PINS, sizeof *d->pin);
    }
    if (d == NULL || d->pin == NULL || rules == NULL || started != CURLE_OK) {
        egress_free(rules);
        if (d != NULL) {
            free(d->pin);
        }
        free(d);
        FAIL(MEMORY);
    }
    d->rules = rules;
    d->hook = hook == NULL ? (struct door_hook){0} : *hook;
    (void)pthread_rwlock_init(&d->rules_lock, NULL);
    (void)pthread_mutex_init(&d->lock, NULL);
    *ret_door = d;
    return OK;
}

static void
drop_idle(struct door *d)
{
    for (size_t i = 0; i < d->idles; i++) {
        curl_easy_cleanup(d->idle[i].handle);
    }
    d->idles = 0;
}

void
door_free(struct door *d)
{
    if (d == NULL) {
        return;
    }
    drop_idle(d);
    egress_free(d->rules);
    (void)pthread_rwlock_destroy(&d->rules_lock);
    (void)pthread_mutex_destroy(&d->lock);
    free(d->pin);
    free(d);
}

void
door_set_rules(struct door *d, struct egress *rules)
{
    (void)pthread_rwlock_wrlock(&d->rules_lock);
    struct egress *before = d->rules;
    d->rules = rules;
    d->generation++;
    (void)pthread_rwlock_unlock(&d->rules_lock);
    egress_free(before);
    (void)pthread_mutex_lock(&d->lock);
    drop_idle(d);
    (void)pthread_mutex_unlock(&d->lock);
}

static bool
allows(const struct passage *p, const struct sockaddr *address, uint64_t *ret_generation)
{
    struct door *d = p->door;
    (void)pthread_rwlock_rdlock(&d->rules_lock);
    const bool yes = egress_allows(d->rules, p->request->purpose, &p->url, address);
    *ret_generation = d->generation;
    (void)pthread_rwlock_unlock(&d->rules_lock);
    return yes;
}

/* ---- telling ---- */

static void
tell(const struct passage *p, enum door_outcome outcome, const char *address, const char *reason)
{
    const struct door_hook *h = &p->door->hook;
    if (h->told != NULL) {
        h->told(h->ctx, &(struct door_event){p->request->purpose, p->url.host, p->url.port, outcome,
                                             address, reason});
    }
}

struct status
door_refuse(const struct passage *p, const char *address, const char *reason, struct diag *diag)
{
    DEFER(buf_done) struct buf origin;
    buf_init(&origin, URL_MOST_TEXT);
    url_put_origin(&p->url, &origin);
    tell(p, DOOR_REFUSED, address, reason);
    diag_set(diag, "%s: %s", buf_str(&origin), reason);
    FAIL(DENIED);
}

/* ---- where to ---- */

static bool
take_pin(struct passage *p)
{
    struct door *d = p->door;
    bool found = false;
    (void)pthread_mutex_lock(&d->lock);
    for (size_t i = 0; i < DOOR_MOST_PINS && !found; i++) {
        const struct pin *known = &d->pin[i];
        found = known->until_ns > clock_mono_ns() && known->port == p->url.port &&
                strcmp(known->host, p->url.host) == 0;
        if (found) {
            p->pin = *known;
        }
    }
    (void)pthread_mutex_unlock(&d->lock);
    return found;
}

static void
keep_pin(struct passage *p)
{
    struct door *d = p->door;
    p->pin.until_ns = clock_mono_ns() + PIN_NS;
    (void)pthread_mutex_lock(&d->lock);
    d->pin[d->next_pin++ % DOOR_MOST_PINS] = p->pin;
    (void)pthread_mutex_unlock(&d->lock);
}

/* What cannot be reached is looked up anew the next time. */
static void
forget_pin(const struct passage *p)
{
    struct door *d = p->door;
    (void)pthread_mutex_lock(&d->lock);
    for (size_t i = 0; i < DOOR_MOST_PINS; i++) {
        if (d->pin[i].port == p->url.port && strcmp(d->pin[i].host, p->url.host) == 0) {
            d->pin[i].until_ns = 0;
        }
    }
    (void)pthread_mutex_unlock(&d->lock);
}

static struct status
find_addresses(struct passage *p, struct diag *diag)
{
    if (p->url.numeric) {
        p->pin = (struct pin){.port = p->url.port, .count = 1, .address = {p->url.address}};
        return OK;
    }
    if (take_pin(p)) {
        return OK;
    }
    const int64_t left = p->until_ns - clock_mono_ns();
    (void)strcpy(p->pin.host, p->url.host);
    p->pin.port = p->url.port;
    const struct status s = resolve_name(p->url.host, p->url.port, left > 0 ? left : 0, diag,
                                         p->pin.address, &p->pin.count);
    if (!status_ok(s)) {
        tell(p, DOOR_FAILED, "", diag == NULL ? "the name is not resolved" : diag->text);
        return s;
    }
    keep_pin(p);
    return OK;
}

static struct status
check_addresses(struct passage *p, struct diag *diag)
{
    for (size_t i = 0; i < p->pin.count; i++) {
        char address[ADDRESS_TEXT_MAX], reason[256];
        const struct sockaddr *a =
            (const struct sockaddr *)(const void *)&p->pin.address[i].storage;
        if (allows(p, a, &p->generation)) {
            continue;
        }
        address_put_text(a, address);
        (void)snprintf(reason, sizeof reason,
                       "the name has the address %s, which is private or not where network.egress "
                       "says it is; add \"at %s\" to its line if that is meant",
                       address, address);
        return door_refuse(p, address, reason, diag);
    }
    return OK;
}

struct status
door_find_way(struct passage *p, struct diag *diag)
{
    if (!allows(p, NULL, &p->generation)) {
        char reason[512];
        (void)snprintf(reason, sizeof reason,
                       "no line of network.egress allows it; \"%s %s %u%s\" would",
                       p->request->purpose, p->url.host, p->url.port, p->url.https ? "" : " http");
        return door_refuse(p, "", reason, diag);
    }
    TRY(find_addresses(p, diag));
    return check_addresses(p, diag);
}

/* ---- what libcurl asks ---- */

bool
door_is_pinned(const struct passage *p, const struct sockaddr *address)
{
    char asked[ADDRESS_TEXT_MAX], pinned[ADDRESS_TEXT_MAX];
    address_put_text(address, asked);
    for (size_t i = 0; i < p->pin.count; i++) {
        address_put_text((const struct sockaddr *)(const void *)&p->pin.address[i].storage, pinned);
        if (strcmp(asked, pinned) == 0 && address_port(address) == p->pin.port) {
            return true;
        }
    }
    return false;
}

static curl_socket_t
open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *a)
{
    struct passage *p = user;
    if (purpose != CURLSOCKTYPE_IPCXN || !door_is_pinned(p, &a->addr)) {
        p->strayed = true;
        return CURL_SOCKET_BAD;
    }
    return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

static size_t
take_body(char *bytes, size_t size, size_t n, void *user)
{
    struct passage *p = user;
    buf_put(&p->answer->body, view_of(bytes, size * n));
    return status_ok(buf_status(&p->answer->body)) ? size * n : 0;
}

static size_t
take_head(char *bytes, size_t size, size_t n, void *user)
{
    struct passage *p = user;
    (void)bytes;
    p->head_bytes += size * n;
    return p->head_bytes <= MOST_HEADER_BYTES ? size * n : 0;
}

/* Called at least once a second: are the rules still those? */
static int
look_up(void *user, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t e)
{
    struct passage *p = user;
    (void)a, (void)b, (void)c, (void)e;
    if (p->generation == p->door->generation) {
        return 0;
    }
    for (size_t i = 0; i < p->pin.count; i++) {
        p->revoked = p->revoked ||
                     !allows(p, (const struct sockaddr *)(const void *)&p->pin.address[i].storage,
                             &p->generation);
    }
    return p->revoked ? 1 : 0;
}

/* ---- handles ---- */

static CURL *
take_handle(struct door *d, const char *purpose)
{
    CURL *h = NULL;
    (void)pthread_mutex_lock(&d->lock);
    for (size_t i = d->idles; i > 0 && h == NULL; i--) {
        if (strcmp(d->idle[i - 1].purpose, purpose) == 0) {
            h = d->idle[i - 1].handle;
            d->idle[i - 1] = d->idle[--d->idles];
        }
    }
    (void)pthread_mutex_unlock(&d->lock);
    return h == NULL ? curl_easy_init() : h;
}

static void
give_handle(struct passage *p)
{
    struct door *d = p->door;
    curl_easy_reset(p->handle); /* forgets the request; its connections stay */
    (void)pthread_mutex_lock(&d->lock);
    if (d->idles < DOOR_MOST_IDLE && p->generation == d->generation) {
        for (size_t i = 0; egress_purposes[i] != NULL; i++) {
            if (strcmp(egress_purposes[i], p->request->purpose) == 0) {
                d->idle[d->idles++] = (struct idle){p->handle, egress_purposes[i]};
                p->handle = NULL;
                break;
            }
        }
    }
    (void)pthread_mutex_unlock(&d->lock);
}

static struct status
append(struct curl_slist **list, const char *text)
{
    struct curl_slist *longer = curl_slist_append(*list, text);
    CHECK(longer != NULL, MEMORY);
    *list = longer;
    return OK;
}

static struct status
make_headers(struct passage *p, struct diag *diag)
{
    const struct door_request *q = p->request;
    TRY(append(&p->headers, "Expect:")); /* no 100-continue to wait for */
    for (size_t i = 0; i < q->headers; i++) {
        DEFER(buf_wipe) struct buf line;
        buf_init(&line, 16384);
        for (size_t k = 0; k < q->header[i].value.len; k++) {
            const uint8_t c = q->header[i].value.ptr[k];
            if (c < 0x20 || c >= 0x7f) {
                diag_set(diag, "%s: a value of printable letters is needed", q->header[i].name);
                FAIL(INPUT);
            }
        }
        buf_printf(&line, "%s: ", q->header[i].name);
        buf_put(&line, q->header[i].value);
        TRY(buf_status(&line));
        TRY(append(&p->headers, buf_str(&line)));
    }
    return OK;
}

/* "+" is not set: the pin stays for as long as the handle asks that name, and is replaced. */
static struct status
make_pins(struct passage *p)
{
    DEFER(buf_done) struct buf line;
    buf_init(&line, 4096);
    if (p->url.numeric) {
        return OK;
    }
    buf_printf(&line, "%s:%u:", p->url.host, p->url.port);
    for (size_t i = 0; i < p->pin.count; i++) {
        char address[ADDRESS_TEXT_MAX];
        const struct sockaddr *a =
            (const struct sockaddr *)(const void *)&p->pin.address[i].storage;
        address_put_text(a, address);
        buf_printf(&line, a->sa_family == AF_INET6 ? "%s[%s]" : "%s%s", i == 0 ? "" : ",", address);
    }
    TRY(buf_status(&line));
    return append(&p->pins, buf_str(&line));
}

#define SET(OPTION, VALUE) e = e != CURLE_OK ? e : curl_easy_setopt(h, OPTION, VALUE)

static CURLcode
set_policy(CURL *h, struct passage *p)
{
    const int64_t left = (p->until_ns - clock_mono_ns()) / 1000000;
    const long ms = (long)(left < 1 ? 1 : left);
    CURLcode e = curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, p->url.https ? "https" : "http");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROXY, ""); /* and with that nothing of http_proxy and its like */
    SET(CURLOPT_NOPROXY, "*");
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_PATH_AS_IS, 1L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_CONNECTTIMEOUT_MS, ms < MOST_CONNECT_MS ? ms : (long)MOST_CONNECT_MS);
    SET(CURLOPT_TIMEOUT_MS, ms);
    SET(CURLOPT_USERAGENT, "steward/" STEWARD_VERSION);
    SET(CURLOPT_RESOLVE, p->pins);
    SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
    SET(CURLOPT_OPENSOCKETDATA, p);
    SET(CURLOPT_XFERINFOFUNCTION, look_up);
    SET(CURLOPT_XFERINFODATA, p);
    SET(CURLOPT_NOPROGRESS, 0L);
    SET(CURLOPT_ERRORBUFFER, p->said);
    SET(CURLOPT_HEADERFUNCTION, take_head);
    SET(CURLOPT_HEADERDATA, p);
    SET(CURLOPT_WRITEFUNCTION, take_body);
    SET(CURLOPT_WRITEDATA, p);
    return e;
}

static CURLcode
set_request(CURL *h, struct passage *p, const char *url)
{
    const struct door_request *q = p->request;
    CURLcode e = curl_easy_setopt(h, CURLOPT_URL, url);
    SET(CURLOPT_HTTPHEADER, p->headers);
    if (q->ca_file != NULL) { /* these authorities and no others */
        SET(CURLOPT_CAPATH, NULL);
        SET(CURLOPT_CAINFO, q->ca_file);
    }
    if (q->client_cert != NULL) {
        SET(CURLOPT_SSLCERT, q->client_cert);
        SET(CURLOPT_SSLKEY, q->client_key);
    }
    if (q->body.ptr != NULL) {
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->body.len);
        SET(CURLOPT_POSTFIELDS, (const char *)q->body.ptr);
    }
    if (q->method != NULL) {
        SET(CURLOPT_CUSTOMREQUEST, q->method);
    }
    return e;
}

#undef SET

/* ---- one exchange ---- */

static struct status
failure(struct passage *p, CURLcode e, const char *url, struct diag *diag)
{
    DEFER(buf_done) struct buf origin;
    buf_init(&origin, URL_MOST_TEXT);
    url_put_origin(&p->url, &origin);
    url = p->request->secret_target ? buf_str(&origin) : url;
    if (p->strayed) {
        return door_refuse(p, "", "libcurl asked for an address that was not checked", diag);
    }
    if (p->revoked) {
        return door_refuse(p, "", "network.egress changed and no longer allows it", diag);
    }
    if (p->answer->body.failed == STATUS_LIMIT) {
        diag_set(diag, "%s: its answer is longer than %zu bytes", url, p->request->max_bytes);
        FAIL(LIMIT);
    }
    const char *reason = p->said[0] != '\0' ? p->said : curl_easy_strerror(e);
    forget_pin(p);
    tell(p, DOOR_FAILED, "", reason);
    diag_set(diag, "%s: %s", url, reason);
    if (e == CURLE_PEER_FAILED_VERIFICATION || e == CURLE_SSL_CACERT_BADFILE ||
        e == CURLE_SSL_CERTPROBLEM) {
        FAIL(AUTH);
    }
    FAIL_OS(e == CURLE_OPERATION_TIMEDOUT ? ETIMEDOUT : EIO);
}

static void
read_answer(struct passage *p)
{
    long status = 0, opened = 0;
    curl_off_t wait = 0;
    const char *address = NULL;
    (void)curl_easy_getinfo(p->handle, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(p->handle, CURLINFO_RETRY_AFTER, &wait);
    (void)curl_easy_getinfo(p->handle, CURLINFO_NUM_CONNECTS, &opened);
    (void)curl_easy_getinfo(p->handle, CURLINFO_PRIMARY_IP, &address);
    p->answer->status = (unsigned)status;
    p->answer->retry_after_s = wait;
    if (opened > 0) {
        tell(p, DOOR_CONNECTED, address == NULL ? "" : address, "");
    }
}

static struct status
exchange(struct passage *p, struct diag *diag)
{
    DEFER(buf_done) struct buf url;
    buf_init(&url, URL_MOST_TEXT);
    url_put(&p->url, &url);
    TRY(buf_status(&url));
    TRY(make_headers(p, diag));
    TRY(make_pins(p));
    p->handle = take_handle(p->door, p->request->purpose);
    CHECK(p->handle != NULL, MEMORY);
    CURLcode e = set_policy(p->handle, p);
    e = e != CURLE_OK ? e : set_request(p->handle, p, buf_str(&url));
    e = e != CURLE_OK ? e : curl_easy_perform(p->handle);
    if (e != CURLE_OK) {
        return failure(p, e, buf_str(&url), diag);
    }
    read_answer(p);
    return OK;
}

/* Where the answer points to, as it is written: "" when nowhere. */
static struct status
read_redirect(struct passage *p, struct diag *diag, struct url *ret_url)
{
    const char *to = NULL;
    (void)curl_easy_getinfo(p->handle, CURLINFO_REDIRECT_URL, &to);
    if (to == NULL) {
        diag_set(diag, "%s: answered %u without saying where to", p->url.host, p->answer->status);
        FAIL_OS(EPROTO);
    }
    TRY(url_parse(view_str(to), diag, ret_url));
    if (p->url.https && !ret_url->https) {
        return door_refuse(p, "", "it redirects from https to http", diag);
    }
    return OK;
}

static void
passage_done(struct passage *p)
{
    for (struct curl_slist *l = p->headers; l != NULL; l = l->next) {
        secret_wipe(l->data, strlen(l->data));
    }
    curl_easy_cleanup(p->handle);
    curl_slist_free_all(p->headers);
    curl_slist_free_all(p->pins);
}

/* One hop: fills the answer, and where it redirects to when that is asked for. */
static struct status
hop(struct door *d, const struct door_request *q, const struct url *u, int64_t until_ns,
    struct diag *diag, struct door_answer *a, bool may_follow, struct url *ret_next)
{
    DEFER(passage_done)
    struct passage p = {.door = d, .request = q, .url = *u, .until_ns = until_ns, .answer = a};
    TRY(door_find_way(&p, diag));
    TRY(exchange(&p, diag));
    *ret_next = *u;
    const unsigned s = a->status;
    if (may_follow && (s == 301 || s == 302 || s == 303 || s == 307 || s == 308)) {
        TRY(read_redirect(&p, diag, ret_next));
    }
    give_handle(&p);
    return OK;
}

static bool
same_origin(const struct url *a, const struct url *b)
{
    return a->https == b->https && a->port == b->port && strcmp(a->host, b->host) == 0;
}

void
door_answer_done(struct door_answer *a)
{
    buf_done(&a->body);
}

struct status
door_fetch(struct door *d, const struct door_request *q, struct diag *diag,
           struct door_answer *ret_answer)
{
    ASSERT(q->timeout_ns > 0 && q->max_bytes > 0 && q->redirects <= DOOR_MOST_REDIRECTS);
    const int64_t until_ns = clock_mono_ns() + q->timeout_ns;
    struct door_request asked = *q;
    struct url from, to;
    *ret_answer = (struct door_answer){0};
    TRY(url_parse(view_str(q->url), diag, &to));
    for (unsigned left = q->body.ptr == NULL ? q->redirects : 0;; left--) {
        from = to;
        buf_done(&ret_answer->body);
        buf_init(&ret_answer->body, q->max_bytes);
        TRY(hop(d, &asked, &from, until_ns, diag, ret_answer, left > 0, &to));
        if (same_origin(&from, &to) && strcmp(from.target, to.target) == 0) {
            return OK;
        }
        asked.headers = same_origin(&from, &to) ? asked.headers : 0;
    }
}

/* ---- streams ---- */

#define POLL_MS 20

struct door_stream {
    struct passage p;
    struct door_request request;
    struct door_answer answer;
    curl_socket_t fd;
};

void
door_stream_close(struct door_stream *s)
{
    if (s != NULL) {
        passage_done(&s->p);
        free(s);
    }
}

static struct status
connect_stream(struct door_stream *s, const char *url, struct diag *diag)
{
    struct passage *p = &s->p;
    TRY(door_find_way(p, diag));
    TRY(make_pins(p));
    p->handle = curl_easy_init();
    CHECK(p->handle != NULL, MEMORY);
    CURLcode e = set_policy(p->handle, p);
    e = e != CURLE_OK ? e : set_request(p->handle, p, url);
    e = e != CURLE_OK ? e : curl_easy_setopt(p->handle, CURLOPT_SSL_ENABLE_ALPN, 0L);
    e = e != CURLE_OK ? e : curl_easy_setopt(p->handle, CURLOPT_CONNECT_ONLY, 1L);
    e = e != CURLE_OK ? e : curl_easy_perform(p->handle);
    e = e != CURLE_OK ? e : curl_easy_getinfo(p->handle, CURLINFO_ACTIVESOCKET, &s->fd);
    if (e != CURLE_OK) {
        return failure(p, e, url, diag);
    }
    read_answer(p);
    return OK;
}

struct status
door_stream_open(struct door *d, const struct door_request *q, struct diag *diag,
                 struct door_stream **ret_stream)
{
    DEFER(door_stream_closep) struct door_stream *s = calloc(1, sizeof *s);
    CHECK(s != NULL, MEMORY);
    ASSERT(q->timeout_ns > 0);
    s->request = *q;
    s->p = (struct passage){.door = d,
                            .request = &s->request,
                            .answer = &s->answer,
                            .until_ns = clock_mono_ns() + q->timeout_ns};
    TRY(url_parse(view_str(q->url), diag, &s->p.url));
    TRY(connect_stream(s, q->url, diag));
    *ret_stream = MOVE(s);
    return OK;
}

static struct status
lost(struct door_stream *s, const char *why, int os, struct diag *diag)
{
    tell(&s->p, DOOR_FAILED, "", why);
    diag_set(diag, "%s:%u: %s", s->p.url.host, s->p.url.port, why);
    FAIL_OS(os);
}

/* Whether the rules still let it and the other side is still there. */
static struct status
look_alive(struct door_stream *s, struct diag *diag)
{
    char ignored[4096];
    size_t n = 0;
    CURLcode e = CURLE_OK;
    if (look_up(&s->p, 0, 0, 0, 0) != 0) {
        return door_refuse(&s->p, "", "network.egress changed and no longer allows it", diag);
    }
    while ((e = curl_easy_recv(s->p.handle, ignored, sizeof ignored, &n)) == CURLE_OK && n > 0) {
    }
    return e == CURLE_AGAIN ? OK : lost(s, "the other side has closed the connection", EPIPE, diag);
}

struct status
door_stream_send(struct door_stream *s, struct view bytes, struct diag *diag)
{
    int64_t until_ns = clock_mono_ns() + s->request.timeout_ns;
    for (size_t at = 0; at < bytes.len;) {
        size_t n = 0;
        TRY(look_alive(s, diag));
        const CURLcode e = curl_easy_send(s->p.handle, bytes.ptr + at, bytes.len - at, &n);
        at += e == CURLE_OK ? n : 0;
        if (e == CURLE_OK) {
            until_ns = clock_mono_ns() + s->request.timeout_ns;
        } else if (e != CURLE_AGAIN) {
            return lost(s, "the connection is broken", EPIPE, diag);
        } else if (clock_mono_ns() > until_ns) {
            return lost(s, "it takes nothing any more", ETIMEDOUT, diag);
        } else {
            struct pollfd wait = {.fd = s->fd, .events = POLLOUT};
            (void)poll(&wait, 1, POLL_MS);
        }
    }
    return OK;
}

struct status
door_stream_settle(struct door_stream *s, int64_t open_ns, struct diag *diag)
{
    const int64_t until_ns = clock_mono_ns() + s->request.timeout_ns + open_ns;
    int64_t since_ns = 0;
    for (;;) {
        int left = 0;
        TRY(look_alive(s, diag));
        if (ioctl(s->fd, SIOCOUTQ, &left) != 0) {
            return lost(s, "the connection is broken", errno, diag);
        }
        const int64_t now = clock_mono_ns();
        since_ns = left > 0 ? 0 : since_ns == 0 ? now : since_ns;
        if (since_ns != 0 && now - since_ns >= open_ns) {
            return OK;
        }
        if (now > until_ns) {
            return lost(s, "it takes nothing any more", ETIMEDOUT, diag);
        }
        struct pollfd wait = {.fd = s->fd, .events = POLLIN};
        (void)poll(&wait, 1, POLL_MS);
    }
}
