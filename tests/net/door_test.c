/* The door over real sockets of this machine. With names, a name server and other addresses:
 * door_names_test.c. */
#include "net/fake.h"

#include "net/door.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the door told. */
struct record {
    unsigned refused, connected, failed;
    char last[512], address[64];
};

static void
record(void *ctx, const struct door_event *e)
{
    struct record *r = ctx;
    r->refused += e->outcome == DOOR_REFUSED;
    r->connected += e->outcome == DOOR_CONNECTED;
    r->failed += e->outcome == DOOR_FAILED;
    (void)snprintf(r->last, sizeof r->last, "%s %s %u %s", e->purpose, e->host, e->port, e->reason);
    (void)snprintf(r->address, sizeof r->address, "%s", e->address);
}

static struct egress *
rules(const char *const *lines)
{
    struct egress *e = egress_new();
    for (; *lines != NULL; lines++) {
        assert_ok(egress_add(e, view_str(*lines), NULL));
    }
    return e;
}

static const char *const loopback[] = {"black-box 127.0.0.0/8 1-65535 http",
                                       "jwks localhost 1-65535 http at 127.0.0.0/8,::1", NULL};

static struct door *
door_of(const char *const *lines, struct record *r)
{
    const struct door_hook hook = {record, r};
    struct door *d = NULL;
    assert_ok(door_new(rules(lines), &hook, &d));
    return d;
}

/* What the server says: "/N" redirects to to[N]; anything else is answered "yes". */
struct play {
    const char *to[10];
    int status;
    bool silent, long_head;
    _Atomic unsigned asked;
    char head[4096]; /* of the last request */
};

static void
answer(void *ctx, const struct fake_request *q, struct buf *out)
{
    struct play *p = ctx;
    (void)snprintf(p->head, sizeof p->head, "%s", q->head);
    p->asked++;
    const int n = q->path[1] >= '0' && q->path[1] <= '9' ? q->path[1] - '0' : -1;
    if (p->silent) {
        return;
    }
    if (p->long_head) {
        buf_put_str(out, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n");
        for (unsigned i = 0; i < 10000; i++) {
            buf_printf(out, "X-Filler-%u: aaaaaaaaaa\r\n", i);
        }
        buf_put_str(out, "\r\n");
    } else if (n >= 0) {
        char fields[512];
        (void)snprintf(fields, sizeof fields, "Location: %s\r\n", p->to[n]);
        fake_put(out, p->status == 0 ? 302 : p->status, fields, "");
    } else {
        fake_put(out, 200, "Retry-After: 7\r\n", "yes");
    }
}

static struct door_request
request(const char *url)
{
    return (struct door_request){.purpose = "black-box",
                                 .url = url,
                                 .redirects = 3,
                                 .timeout_ns = (int64_t)20 * 1000000000,
                                 .max_bytes = 1000};
}

static struct status
fetch(struct door *d, const struct door_request *q, struct diag *diag, unsigned *ret_status)
{
    DEFER(door_answer_done) struct door_answer a = {0};
    *diag = (struct diag){0};
    const struct status s = door_fetch(d, q, diag, &a);
    *ret_status = a.status;
    return s;
}

static void
put_url(const struct fake *f, const char *path, char ret_url[static 128])
{
    (void)snprintf(ret_url, 128, "http://127.0.0.1:%u%s", fake_port(f), path);
}

/* ---- misuse ---- */

static void
refuses_what_no_line_allows_and_tells_which_would(void **state)
{
    (void)state;
    static const struct {
        const char *purpose, *url, *says;
    } cases[] = {
        {"black-box", "https://example.com/", "\"black-box example.com 443\" would"},
        {"black-box", "http://example.com/", "\"black-box example.com 80 http\" would"},
        {"jwks", "https://127.0.0.1:8443/", "\"jwks 127.0.0.1 8443\" would"},
        {"black-box", "http://169.254.169.254/latest/meta-data/", "\"black-box 169.254.169.254"},
        {"black-box", "https://[fd00:ec2::254]/", "\"black-box fd00:ec2::254 443\""},
        {"black-box", "https://[::ffff:169.254.169.254]/", "no line of network.egress"},
        {"black-box", "https://[64:ff9b::7f00:1]/", "no line of network.egress"},
        {"black-box", "https://127.0.0.1.example.com/", "no line of network.egress"},
        {"nothing", "https://127.0.0.1/", "no line of network.egress"},
    };
    struct record r = {0};
    DEFER(door_freep) struct door *d = door_of(loopback, &r);
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct door_request q = request(cases[i].url);
        struct diag diag;
        unsigned status = 0;
        q.purpose = cases[i].purpose;
        assert_status(fetch(d, &q, &diag, &status), DENIED);
        assert_says(&diag, cases[i].says);
        assert_int_equal(r.refused, i + 1);
    }
    assert_int_equal(r.connected + r.failed, 0);
}

static void
refuses_urls_and_headers_that_are_none(void **state)
{
    (void)state;
    struct record r = {0};
    DEFER(door_freep) struct door *d = door_of(loopback, &r);
    struct diag diag;
    unsigned status = 0;
    struct door_request q = request("http://good.example@127.0.0.1/");
    assert_status(fetch(d, &q, &diag, &status), INPUT);
    q.url = "http://0x7f.1/";
    assert_status(fetch(d, &q, &diag, &status), INPUT);
    const struct door_header split = {"X-Token", view_str("a\r\nHost: evil")};
    q = request("http://127.0.0.1:1/");
    q.header = &split;
    q.headers = 1;
    assert_status(fetch(d, &q, &diag, &status), INPUT);
    assert_says(&diag, "X-Token");
}

/* Longer than a sentence may be: what is cut off must not be what hides it. */
static void
a_secret_target_stands_in_no_sentence(void **state)
{
    (void)state;
    char path[1400], url[1500];
    struct play p = {0};
    struct record r = {0};
    struct fake *f = fake_start(answer, &p);
    DEFER(door_freep) struct door *d = door_of(loopback, &r);
    struct diag diag;
    unsigned status = 0;
    memset(path, 's', sizeof path);
    path[0] = '/';
    path[sizeof path - 1] = '\0';
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u%s", fake_port(f), path);
    struct door_request q = request(url);
    q.max_bytes = 1;
    assert_status(fetch(d, &q, &diag, &status), LIMIT);
    assert_says(&diag, "/ssss");
    q.secret_target = true;
    assert_status(fetch(d, &q, &diag, &status), LIMIT);
    assert_says(&diag, "http://127.0.0.1:");
    assert_says(&diag, ": its answer is longer than 1 bytes");
    assert_null(strstr(diag.text, "/ssss"));
    fake_stop(f);
    assert_status(fetch(d, &q, &diag, &status), IO);
    assert_null(strstr(diag.text, "/ssss"));
    assert_null(strstr(r.last, "/ssss"));
}

/* ---- redirects ---- */

static void
a_redirect_is_a_question_of_its_own(void **state)
{
    (void)state;
    static const struct {
        const char *to;
        int32_t code;
        const char *says;
    } cases[] = {
        {"http://169.254.169.254/latest/meta-data/iam/", STATUS_DENIED, "169.254.169.254"},
        {"//169.254.169.254/latest/", STATUS_DENIED, "169.254.169.254"},
        {"http://[::ffff:169.254.169.254]/", STATUS_DENIED, "no line"},
        {"http://[fe80::1]/", STATUS_DENIED, "no line"},
        {"http://metadata.google.internal/", STATUS_DENIED, "no line"},
        {"http://localhost:1/", STATUS_DENIED, "no line"},        /* for another purpose */
        {"http://2852039166/", STATUS_DENIED, "169.254.169.254"}, /* libcurl writes it out */
        {"http://0xa9.0xfe.0xa9.0xfe/", STATUS_DENIED, "169.254.169.254"},
        {"http://127.0.0.1@169.254.169.254/", STATUS_INPUT, "no place"},
        {"http://127.0.0.1#@169.254.169.254/", STATUS_INPUT, "fragment"},
        {"file:///etc/passwd", STATUS_INPUT, "begin with"},
        {"gopher://127.0.0.1:6379/_x", STATUS_INPUT, "begin with"},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        char url[128];
        struct play p = {.to = {cases[i].to}};
        struct record r = {0};
        struct fake *f = fake_start(answer, &p);
        DEFER(door_freep) struct door *d = door_of(loopback, &r);
        struct diag diag;
        unsigned status = 0;
        put_url(f, "/0", url);
        const struct door_request q = request(url);
        const struct status s = fetch(d, &q, &diag, &status);
        if (s.code != cases[i].code) {
            print_error("%s: %s\n", cases[i].to, diag.text);
        }
        assert_int_equal(s.code, cases[i].code);
        assert_says(&diag, cases[i].says);
        assert_int_equal(r.connected, 1);
        assert_int_equal(p.asked, 1);
        fake_stop(f);
    }
}

static void
an_allowed_redirect_is_followed_without_what_was_sent_to_the_first(void **state)
{
    (void)state;
    char url[128], other[128], same[128];
    struct record r = {0};
    struct play second = {.to = {NULL}}, first = {.to = {other, same, "/3", "/yes"}};
    struct fake *g = fake_start(answer, &second), *f = fake_start(answer, &first);
    DEFER(door_freep) struct door *d = door_of(loopback, &r);
    const struct door_header secret = {"X-Vault-Token", view_str("hvs.secret")};
    struct diag diag;
    unsigned status = 0;
    put_url(g, "/elsewhere?a=b", other);
    put_url(f, "/2", same);
    put_url(f, "/0", url);
    struct door_request q = request(url);
    q.header = &secret;
    q.headers = 1;
    assert_ok(fetch(d, &q, &diag, &status));
    assert_int_equal(status, 200);
    assert_text_has(first.head, "X-Vault-Token: hvs.secret\r\n");
    assert_text_has(second.head, "GET /elsewhere?a=b HTTP/1.1");
    assert_null(strstr(second.head, "hvs"));
    put_url(f, "/1", url); /* 1, 2, 3, yes: three redirects of the same origin */
    q.url = url;
    assert_ok(fetch(d, &q, &diag, &status));
    assert_int_equal(status, 200);
    assert_text_has(first.head, "GET /yes HTTP/1.1");
    assert_text_has(first.head, "hvs.secret");
    q.redirects = 2; /* one less: the last answer is what came */
    assert_ok(fetch(d, &q, &diag, &status));
    assert_int_equal(status, 302);
    q.body = view_str("{}"); /* what is sent is not sent on */
    assert_ok(fetch(d, &q, &diag, &status));
    assert_int_equal(status, 302);
    fake_stop(f);
    fake_stop(g);
}

/* ---- limits ---- */

static void
an_answer_has_a_greatest_size_and_a_time(void **state)
{
    (void)state;
    char url[128];
    struct play p = {.to = {NULL}};
    struct record r = {0};
    struct fake *f = fake_start(answer, &p);
    DEFER(door_freep) struct door *d = door_of(loopback, &r);
    struct diag diag;
    unsigned status = 0;
    put_url(f, "/", url);
    struct door_request q = request(url);
    q.max_bytes = 2;
    assert_status(fetch(d, &q, &diag, &status), LIMIT);
    assert_says(&diag, "longer than 2 bytes");
    q.max_bytes = 3;
    assert_ok(fetch(d, &q, &diag, &status));
    p.long_head = true;
    assert_status(fetch(d, &q, &diag, &status), IO);
    p.silent = true;
    q.timeout_ns = 100 * 1000000;
    const struct status s = fetch(d, &q, &diag, &status);
    assert_int_equal(s.code, STATUS_IO);
    assert_int_equal(s.os, ETIMEDOUT);
    fake_stop(f);
    assert_status(fetch(d, &q, &diag, &status), IO); /* nobody there */
    assert_int_equal(r.refused, 0);
    assert_int_equal(r.failed, 3); /* head, silence, nobody: an answer that is too long is none */
}

/* ---- what it does ---- */

static void
a_name_is_asked_for_its_addresses_and_the_answer_told(void **state)
{
    (void)state;
    char url[128];
    struct play p = {.to = {NULL}};
    struct record r = {0};
    struct fake *f = fake_start(answer, &p);
    DEFER(door_freep) struct door *d = door_of(loopback, &r);
    DEFER(door_answer_done) struct door_answer a = {0};
    struct diag diag = {0};
    (void)snprintf(url, sizeof url, "http://localhost:%u/keys?v=1", fake_port(f));
    struct door_request q = request(url);
    q.purpose = "jwks";
    (void)setenv("http_proxy", "http://127.0.0.1:1", 1);
    (void)setenv("ALL_PROXY", "socks5h://127.0.0.1:1", 1);
    assert_ok(door_fetch(d, &q, &diag, &a));
    (void)unsetenv("http_proxy");
    (void)unsetenv("ALL_PROXY");
    assert_int_equal(a.status, 200);
    assert_int_equal(a.retry_after_s, 7);
    assert_true(view_equal_str(buf_view(&a.body), "yes"));
    assert_text_has(p.head, "GET /keys?v=1 HTTP/1.1\r\n");
    assert_int_equal(r.connected, 1);
    assert_string_equal(r.address, "127.0.0.1");
    fake_stop(f);
}

struct asking {
    struct door *door;
    const char *url;
    struct status status;
    struct diag diag;
};

static void *
ask(void *arg)
{
    struct asking *a = arg;
    const struct door_request q = request(a->url);
    unsigned status = 0;
    a->status = fetch(a->door, &q, &a->diag, &status);
    return NULL;
}

static void
changed_rules_hold_at_once_and_end_what_they_no_longer_allow(void **state)
{
    (void)state;
    static const char *const none[] = {NULL};
    char url[128];
    struct play p = {.silent = true};
    struct record r = {0};
    struct fake *f = fake_start(answer, &p);
    DEFER(door_freep) struct door *d = door_of(loopback, &r);
    put_url(f, "/", url);
    struct asking a = {.door = d, .url = url};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, ask, &a), 0);
    while (p.asked == 0) {
        (void)sched_yield();
    }
    door_set_rules(d, rules(none));
    (void)pthread_join(thread, NULL);
    assert_int_equal(a.status.code, STATUS_DENIED);
    assert_says(&a.diag, "network.egress changed");
    ask(&a);
    assert_int_equal(a.status.code, STATUS_DENIED);
    assert_says(&a.diag, "no line");
    assert_int_equal(p.asked, 1);
    p.silent = false;
    door_set_rules(d, rules(loopback));
    ask(&a);
    assert_int_equal(a.status.code, STATUS_OK);
    fake_stop(f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_no_line_allows_and_tells_which_would),
        cmocka_unit_test(refuses_urls_and_headers_that_are_none),
        cmocka_unit_test(a_secret_target_stands_in_no_sentence),
        cmocka_unit_test(a_redirect_is_a_question_of_its_own),
        cmocka_unit_test(an_allowed_redirect_is_followed_without_what_was_sent_to_the_first),
        cmocka_unit_test(an_answer_has_a_greatest_size_and_a_time),
        cmocka_unit_test(a_name_is_asked_for_its_addresses_and_the_answer_told),
        cmocka_unit_test(changed_rules_hold_at_once_and_end_what_they_no_longer_allow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
