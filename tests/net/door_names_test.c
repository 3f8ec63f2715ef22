/* The door where names are asked for: a network of the test's own, with a name server that answers
 * what an attacker's would, and other addresses than this machine's own. */
#include "net/fake.h"

#include "base/file.h"
#include "net/door.h"
#include "testing/space.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PUBLIC4 "93.184.216.34" /* of the space: nobody's out there */
#define PUBLIC6 "2606:2800:220:1::1"
#define INNER "10.9.0.1"

/* ---- a name server ---- */

/* Each name's answers: the first time the first one is given, then the second, the last again and
 * again. Addresses with commas; "" for none; NULL: no word at all. */
static const struct {
    const char *name, *answer[3];
} zone[] = {
    {"good.example", {PUBLIC4}},
    {"six.example", {PUBLIC6}},
    {"rebind.example", {PUBLIC4, "127.0.0.1", "127.0.0.1"}},
    {"loop.example", {"127.0.0.1"}},
    {"both.example", {PUBLIC4 ",10.9.0.1"}},
    {"meta.example", {"169.254.169.254"}},
    {"mapped.example", {"::ffff:127.0.0.1"}},
    {"nat.example", {"64:ff9b::7f00:1"}},
    {"sixfour.example", {"2002:7f00:1::1"}},
    {"zero.example", {"0.0.0.0"}},
    {"local.example", {"fe80::1"}},
    {"inner.example", {INNER}},
    {"none.example", {""}},
    {"silent.example", {NULL}},
};

#define NAMES (sizeof zone / sizeof *zone)

static struct {
    bool possible;
    int dns;
    pthread_t thread;
    _Atomic bool stopping;
    _Atomic unsigned asked[NAMES]; /* for A; AAAA is asked beside it */
} it;

static void
put_record(struct buf *b, const struct address *a)
{
    const bool v6 = a->storage.ss_family == AF_INET6;
    buf_put_u16be(b, 0xc00c); /* the question's name */
    buf_put_u16be(b, v6 ? 28 : 1);
    buf_put_u16be(b, 1);
    buf_put_u32be(b, 0); /* not to be kept */
    buf_put_u16be(b, v6 ? 16 : 4);
    buf_put(b,
            v6 ? view_of(&((const struct sockaddr_in6 *)(const void *)&a->storage)->sin6_addr, 16)
               : view_of(&((const struct sockaddr_in *)(const void *)&a->storage)->sin_addr, 4));
}

/* Records of that type, counted into *ret_count. */
static void
put_answers(const char *list, uint16_t type, struct buf *b, uint16_t *ret_count)
{
    while (*list != '\0') {
        struct address a;
        const size_t n = strcspn(list, ",");
        assert_ok(address_parse(view_of(list, n), 0, &a));
        if ((a.storage.ss_family == AF_INET6 ? 28 : 1) == type) {
            put_record(b, &a);
            ++*ret_count;
        }
        list += n + (list[n] == ',');
    }
}

static const char *
answer_of(const char *name, uint16_t type)
{
    for (size_t i = 0; i < NAMES; i++) {
        if (strcmp(zone[i].name, name) == 0) {
            const unsigned n = type == 1 ? it.asked[i]++ : it.asked[i];
            const unsigned at = n < 2 ? n : 2;
            return zone[i].answer[at] == NULL ? zone[i].answer[0] : zone[i].answer[at];
        }
    }
    return "";
}

static void
answer_query(const uint8_t *q, size_t n, const struct sockaddr_in *to)
{
    char name[256] = "";
    size_t at = 12, len = 0;
    uint16_t count = 0;
    DEFER(buf_done) struct buf records;
    DEFER(buf_done) struct buf out;
    buf_init(&records, 4096);
    buf_init(&out, 4096);
    while (at < n && q[at] != 0 && len + q[at] + 2 < sizeof name) {
        memcpy(name + len, q + at + 1, q[at]);
        len += q[at];
        name[len++] = '.';
        at += q[at] + 1u;
    }
    name[len > 0 ? len - 1 : 0] = '\0';
    const uint16_t type = (uint16_t)(q[at + 1] << 8 | q[at + 2]);
    const char *answer = answer_of(name, type);
    if (answer == NULL) {
        return;
    }
    put_answers(answer, type, &records, &count);
    buf_put(&out, view_of(q, 2));
    buf_put_u16be(&out, 0x8580);
    buf_put_u16be(&out, 1);
    buf_put_u16be(&out, count);
    buf_put_u32be(&out, 0);
    buf_put(&out, view_of(q + 12, at + 5 - 12));
    buf_put(&out, buf_view(&records));
    (void)sendto(it.dns, out.ptr, out.len, 0, (const struct sockaddr *)to, sizeof *to);
}

static void *
serve_names(void *arg)
{
    (void)arg;
    while (!it.stopping) {
        uint8_t q[512];
        struct sockaddr_in from;
        socklen_t n = sizeof from;
        const ssize_t got = recvfrom(it.dns, q, sizeof q, 0, (struct sockaddr *)&from, &n);
        if (got > 16) {
            answer_query(q, (size_t)got, &from);
        }
    }
    return NULL;
}

static int
set_up(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *root = testing_dir();
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(53)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    it.possible = space_enter() && space_name_server(root);
    if (!it.possible) {
        return 0;
    }
    space_take(PUBLIC4);
    space_take(PUBLIC6);
    space_take(INNER);
    it.dns = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(it.dns, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(pthread_create(&it.thread, NULL, serve_names, NULL), 0);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    if (it.possible) {
        struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(53)};
        a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        it.stopping = true;
        const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0); /* wakes recvfrom */
        (void)sendto(fd, "", 1, 0, (struct sockaddr *)&a, sizeof a);
        (void)pthread_join(it.thread, NULL);
        (void)close(fd);
        (void)close(it.dns);
    }
    return 0;
}

#define NEEDS_SPACE()                                                                              \
    if (!it.possible) {                                                                            \
        print_message("# skipped: a network namespace cannot be made here\n");                     \
        skip();                                                                                    \
    }

/* ---- the door ---- */

static void
answer(void *ctx, const struct fake_request *q, struct buf *out)
{
    _Atomic unsigned *asked = ctx;
    (void)q;
    ++*asked;
    fake_put(out, 200, "", "yes");
}

static struct door *
door_of(const char *line)
{
    struct egress *e = egress_new();
    struct door *d = NULL;
    assert_ok(egress_add(e, view_str(line), NULL));
    assert_ok(door_new(e, NULL, &d));
    return d;
}

static struct status
fetch(struct door *d, const char *name, uint16_t port, int64_t timeout_ns, struct diag *diag)
{
    char url[256];
    DEFER(door_answer_done) struct door_answer a = {0};
    (void)snprintf(url, sizeof url, "http://%s:%u/", name, port);
    const struct door_request q = {
        .purpose = "black-box", .url = url, .timeout_ns = timeout_ns, .max_bytes = 1000};
    *diag = (struct diag){0};
    const struct status s = door_fetch(d, &q, diag, &a);
    assert_true(!status_ok(s) || a.status == 200);
    return s;
}

#define SECONDS(N) ((int64_t)(N)*1000000000)

/* Nobody is reached, though somebody listens on that port of 127.0.0.1 and of every other address.
 */
static void
a_name_that_leads_inward_is_refused(void **state)
{
    (void)state;
    NEEDS_SPACE();
    static const struct {
        const char *name, *says;
    } cases[] = {{"loop.example", "127.0.0.1"},       {"both.example", "10.9.0.1"},
                 {"meta.example", "169.254.169.254"}, {"mapped.example", "::ffff:127.0.0.1"},
                 {"nat.example", "64:ff9b::7f00:1"},  {"sixfour.example", "2002:7f00:1::1"},
                 {"zero.example", "0.0.0.0"},         {"local.example", "fe80::1"},
                 {"inner.example", "10.9.0.1"}};
    _Atomic unsigned asked = 0;
    struct fake *f = fake_start_at("::", 0, answer, &asked);
    DEFER(door_freep) struct door *d = door_of("black-box * 1-65535 http");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct diag diag;
        const struct status s = fetch(d, cases[i].name, fake_port(f), SECONDS(10), &diag);
        if (s.code != STATUS_DENIED) {
            print_error("%s: %s\n", cases[i].name, diag.text);
        }
        assert_int_equal(s.code, STATUS_DENIED);
        assert_says(&diag, cases[i].says);
    }
    assert_int_equal(asked, 0);
    struct diag diag;
    assert_ok(fetch(d, "good.example", fake_port(f), SECONDS(10), &diag));
    assert_ok(fetch(d, "six.example", fake_port(f), SECONDS(10), &diag));
    assert_int_equal(asked, 2);
    fake_stop(f);
}

/* First public, then 127.0.0.1: the second answer is not even asked for, and when it is, by a door
 * that has not resolved the name before, it is refused. */
static void
what_a_name_says_later_is_checked_too(void **state)
{
    (void)state;
    NEEDS_SPACE();
    struct diag diag;
    _Atomic unsigned outside = 0, inside = 0;
    struct fake *out = fake_start_at(PUBLIC4, 0, answer, &outside);
    const uint16_t port = fake_port(out);
    struct fake *in = fake_start_at("127.0.0.1", port, answer, &inside);
    DEFER(door_freep) struct door *d = door_of("black-box rebind.example 1-65535 http");
    for (unsigned i = 0; i < 5; i++) {
        assert_ok(fetch(d, "rebind.example", port, SECONDS(10), &diag));
    }
    DEFER(door_freep) struct door *e = door_of("black-box rebind.example 1-65535 http");
    assert_status(fetch(e, "rebind.example", port, SECONDS(10), &diag), DENIED);
    assert_says(&diag, "the name has the address 127.0.0.1");
    assert_int_equal(outside, 5);
    assert_int_equal(inside, 0);
    fake_stop(in);
    fake_stop(out);
    assert_status(fetch(d, "rebind.example", port, SECONDS(10), &diag), IO); /* forgets the pin */
    assert_status(fetch(d, "rebind.example", port, SECONDS(10), &diag), DENIED);
}

static void
a_name_within_is_reached_where_its_line_says(void **state)
{
    (void)state;
    NEEDS_SPACE();
    struct diag diag;
    _Atomic unsigned asked = 0;
    struct fake *f = fake_start_at(INNER, 0, answer, &asked);
    DEFER(door_freep)
    struct door *d = door_of("black-box inner.example 1-65535 http at 10.9.0.0/16");
    assert_ok(fetch(d, "inner.example", fake_port(f), SECONDS(10), &diag));
    assert_status(fetch(d, "good.example", fake_port(f), SECONDS(10), &diag), DENIED);
    assert_int_equal(asked, 1);
    fake_stop(f);
    DEFER(door_freep)
    struct door *e = door_of("black-box both.example 1-65535 http at 10.9.0.0/16");
    assert_status(fetch(e, "both.example", 1, SECONDS(10), &diag), DENIED);
    assert_says(&diag, PUBLIC4); /* every address, not one of them */
}

static void
a_name_without_an_answer_ends_in_time(void **state)
{
    (void)state;
    NEEDS_SPACE();
    struct diag diag;
    DEFER(door_freep) struct door *d = door_of("black-box * 1-65535 http");
    assert_status(fetch(d, "none.example", 1, SECONDS(10), &diag), IO);
    assert_says(&diag, "none.example");
    const struct status s = fetch(d, "silent.example", 1, SECONDS(1) / 5, &diag);
    assert_int_equal(s.code, STATUS_IO);
    assert_int_equal(s.os, ETIMEDOUT);
    assert_says(&diag, "did not come in time");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_that_leads_inward_is_refused),
        cmocka_unit_test(what_a_name_says_later_is_checked_too),
        cmocka_unit_test(a_name_within_is_reached_where_its_line_says),
        cmocka_unit_test(a_name_without_an_answer_ends_in_time),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
