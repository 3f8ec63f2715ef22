/* Questions about usage that take longer than a request may: a file of the log that cannot be
 * opened for a while (there is a lease on it) makes them as long as a test needs. */
#include "room.h"

#include "base/clock.h"
#include "base/file.h"
#include "serve/usages.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_NS (120 * NS_PER_S)
#define REQUEST "limits:\n  request: 8s\n" /* a call waits for half of it */

static struct room it;
static char inspector[128], second[128];
static char *log_dir, *gate, *away;
static int held; /* what lies in the place of the gate, that nobody can open yet */

static uint64_t
covered(void)
{
    DEFER(file_freep) char *path = file_join(log_dir, "checkpoint");
    DEFER(buf_done) struct buf note;
    testing_read(path, &note);
    const char *line = strchr(buf_str(&note), '\n');
    assert_non_null(line);
    return strtoull(line + 1, NULL, 10);
}

static int
set_up(void **state)
{
    (void)state;
    (void)setenv("STEWARD_PASSPHRASE", "correct horse battery staple", 1);
    room_init(&it);
    room_make(&it, "passphrase", REQUEST "audit:\n  publish: 50ms\n");
    assert_steward("principal", "add", "inspector", "--role", "auditor");
    assert_steward("principal", "add", "second", "--role", "auditor");
    testing_issue_key("inspector", inspector);
    testing_issue_key("second", second);
    log_dir = file_join(it.dir, "audit");
    gate = file_join(log_dir, "tree/ends");
    away = file_join(it.root, "ends");
    (void)signal(SIGIO, SIG_IGN); /* tells that a lease is to end */
    room_start(&it);
    const int64_t end = clock_mono_ns() + WAIT_NS;
    while (covered() < 256 && clock_mono_ns() < end) {
        room_call_with_rows(&it);
    }
    assert_true(file_exists(gate));
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    free(log_dir);
    free(gate);
    free(away);
    return room_done(&it);
}

/* ---- the gate ---- */

static void
lay(void)
{
    DEFER(buf_done) struct buf bytes;
    testing_read(away, &bytes);
    testing_write(gate, buf_view(&bytes));
    held = open(gate, O_RDWR | O_CLOEXEC);
    assert_true(held >= 0);
    assert_int_equal(fcntl(held, F_SETLEASE, F_WRLCK), 0);
}

static void
hold_up(void)
{
    assert_int_equal(rename(gate, away), 0);
    lay();
}

static void
await_reader(void)
{
    const struct timespec pause = {.tv_nsec = 2 * 1000 * 1000};
    const int64_t end = clock_mono_ns() + WAIT_NS / 4;
    while (fcntl(held, F_GETLEASE) == F_WRLCK && clock_mono_ns() < end) {
        (void)nanosleep(&pause, NULL);
    }
    assert_int_not_equal(fcntl(held, F_GETLEASE), F_WRLCK);
}

/* Once one waits for it: those who wait read `bytes`, whoever comes later the file. */
static void
let_go(struct view bytes)
{
    await_reader();
    assert_int_equal(ftruncate(held, 0), 0);
    assert_ok(file_write_all(held, bytes, "held", NULL));
    assert_int_equal(rename(away, gate), 0);
    assert_int_equal(close(held), 0); /* and the lease with it */
}

static void
let_it_be_read(void)
{
    DEFER(buf_done) struct buf bytes;
    testing_read(away, &bytes);
    let_go(buf_view(&bytes));
}

/* ---- asking the server ---- */

/* 202, and where the answer will be. */
static void
goes_on(const char *path, const char *key, char ret_question[static 256])
{
    struct reply r;
    char wait[256];
    assert_int_equal(room_get(&it, path, key, &r), 202);
    reply_header(&r, "location", ret_question);
    reply_header(&r, "retry-after", wait);
    assert_string_equal(wait, "1");
    assert_text_has(ret_question, "/v2/usage/questions/");
    assert_text_has(buf_str(&r.body), ret_question);
    reply_done(&r);
}

/* The answer there is what the command line tells; of how many entries it was counted. */
static int64_t
assert_same(const char *path, const char *key, char *until)
{
    struct reply r;
    struct testing_run run;
    json_t *api = NULL, *line = NULL;
    assert_int_equal(room_get(&it, path, key, &r), 200);
    testing_steward(&run, "usage", "--json", "--by", "principal,day", "--until", until, NULL);
    assert_int_equal(run.exit_code, 0);
    assert_ok(js_parse(buf_view(&r.body), "answer", NULL, &api));
    assert_ok(js_parse(buf_view(&run.out), "stdout", NULL, &line));
    assert_true(json_array_size(json_object_get(api, "groups")) > 0);
    const int64_t entries = room_take_as_of(api);
    assert_true(entries < room_take_as_of(line));
    assert_true(json_equal(api, line));
    json_decref(api);
    json_decref(line);
    testing_run_done(&run);
    reply_done(&r);
    return entries;
}

static void
what_takes_longer_than_a_request_goes_on(void **state)
{
    (void)state;
    char first[256], other[256], path[256], until[40];
    DEFER(buf_done) struct buf now;
    buf_init(&now, 64);
    clock_put_rfc3339(&now, clock_wall_ns() + 1);
    (void)snprintf(until, sizeof until, "%s", buf_str(&now));
    (void)snprintf(path, sizeof path, "/v2/usage?by=principal,day&until=%s", until);
    const int64_t length = room_log_length();
    hold_up();
    goes_on(path, inspector, first);
    goes_on(path, second, other); /* who asks the same has the same */
    assert_string_equal(first, other);
    room_answers(&it, "GET", "/v2/usage/quotas", inspector, 200, "\"quotas\"");
    room_call_with_rows(&it);
    goes_on(first, second, other);
    assert_string_equal(first, other);
    let_it_be_read();
    /* It says that it is as of when its reading began, to who joined it later, too. */
    assert_int_equal(assert_same(first, inspector, until), length);
    assert_int_equal(assert_same(first, second, until), length);
    assert_int_equal(assert_same(first, inspector, until), length); /* as often as it is asked */
    assert_true(assert_same(path, inspector, until) >= length + 8);
}

/* One principal has its share of the places, and is told so; another one finds some. */
static void
who_asks_for_more_than_a_share_is_refused(void **state)
{
    (void)state;
    struct client c[USAGES_OF_ONE];
    struct reply r;
    char question[USAGES_OF_ONE][256], other[256], wait[256], path[64];
    static const char says[] = "4 questions of this principal about usage wait, are read, or have";
    hold_up();
    for (size_t i = 0; i < USAGES_OF_ONE; i++) {
        DEFER(buf_done) struct buf ask;
        buf_init(&ask, 1 << 16);
        (void)snprintf(path, sizeof path, "/v2/usage?since=%zud", 30 + i);
        room_put_request(&ask, "GET", path, inspector, "");
        assert_true(client_open(it.port, NULL, &c[i]));
        assert_true(client_send(&c[i], buf_view(&ask)));
    }
    for (size_t i = 0; i < USAGES_OF_ONE; i++) {
        client_take(&c[i], &r);
        assert_int_equal(r.status, 202);
        reply_header(&r, "location", question[i]);
        reply_done(&r);
        client_close(&c[i]);
    }
    assert_int_equal(room_get(&it, "/v2/usage?since=40d", inspector, &r), 429);
    reply_header(&r, "retry-after", wait);
    assert_string_equal(wait, "5");
    assert_text_has(buf_str(&r.body), says);
    reply_done(&r);
    room_answers(&it, "GET", "/v2/usage/quotas", inspector, 429, says);
    room_answers(&it, "GET", "/v2/usage/quotas", second, 200, "\"quotas\"");
    goes_on("/v2/usage?since=40d", second, other);
    let_go(view_of(NULL, 0));
    for (size_t i = 0; i < USAGES_OF_ONE; i++) {
        const unsigned status = room_get(&it, question[i], inspector, &r);
        assert_true(status == 200 || status == 503); /* of those that found nothing there */
        reply_done(&r);
    }
    room_answers(&it, "GET", "/v2/usage?since=40d", inspector, 200, "\"as_of\":{\"entries\":");
    assert_true(room_asks(&it, other, second) != 202);
}

/* The server learns of it within a moment. */
static void
await_refusal(const char *path, const char *key)
{
    const int64_t end = clock_mono_ns() + WAIT_NS;
    for (unsigned status = 200; status != 401;) {
        struct reply r;
        status = room_get(&it, path, key, &r);
        reply_done(&r);
        assert_true((status == 200 || status == 401) && clock_mono_ns() < end);
    }
}

static void
the_right_is_looked_at_whenever_it_is_asked_for(void **state)
{
    (void)state;
    char question[256], path[300];
    hold_up();
    goes_on("/v2/usage", second, question);
    room_answers(&it, "GET", question, NULL, 401, "a valid key is needed");
    room_answers(&it, "GET", question, it.caller, 403, "not allowed: usage.read on usage");
    let_it_be_read();
    room_answers(&it, "GET", question, second, 200, "\"groups\":[{");
    room_answers(&it, "GET", question, it.caller, 403, "not allowed: usage.read on usage");
    room_answers(&it, "GET", question, inspector, 200, "\"groups\":[{");
    assert_steward("principal", "remove", "second");
    await_refusal(question, second);
    (void)snprintf(path, sizeof path, "%s?by=day", question);
    room_answers(&it, "GET", path, inspector, 400, "this path takes no parameters");
    room_answers(&it, "GET", "/v2/usage/questions/1", inspector, 404, "there is no such question");
    room_answers(&it, "GET", "/v2/usage/questions/0", inspector, 404, "there is no such question");
    room_answers(&it, "GET", "/v2/usage/questions/x", inspector, 404, "there is no such path");
}

static void
a_server_that_stops_waits_for_no_answer(void **state)
{
    (void)state;
    char question[256];
    struct client c;
    struct reply r;
    int ended = 0;
    DEFER(buf_done) struct buf ask;
    buf_init(&ask, 1 << 16);
    hold_up();
    goes_on("/v2/usage?by=day", inspector, question);
    room_put_request(&ask, "GET", question, inspector, "");
    assert_true(client_open(it.port, NULL, &c));
    assert_true(client_send(&c, buf_view(&ask)));
    const struct timespec pause = {.tv_nsec = 500 * 1000 * 1000};
    (void)nanosleep(&pause, NULL);
    const int64_t begun = clock_mono_ns();
    assert_int_equal(kill(it.pid, SIGTERM), 0);
    client_take(&c, &r);
    assert_int_equal(r.status, 503);
    assert_text_has(buf_str(&r.body), "the question is not answered: the server stops");
    assert_true(clock_mono_ns() - begun < 3 * NS_PER_S);
    reply_done(&r);
    client_close(&c);
    let_it_be_read();
    assert_int_equal(waitpid(it.pid, &ended, 0), it.pid);
    assert_true(WIFEXITED(ended) && WEXITSTATUS(ended) == 0);
    room_start(&it);
    room_answers(&it, "GET", question, inspector, 404, "there is no such question");
}

/* ---- without a server ---- */

static struct usages_asked
asked_since(const char *since)
{
    struct usages_asked a = {.by = {[USAGE_DAY] = true}};
    (void)snprintf(a.since, sizeof a.since, "%s", since);
    return a;
}

static void
await(struct usages *u, uint64_t ticket, int event_fd)
{
    struct pollfd p = {.fd = event_fd, .events = POLLIN};
    uint64_t count = 0;
    while (!usages_ready(u, ticket)) {
        assert_int_equal(poll(&p, 1, (int)(WAIT_NS / 1000000)), 1);
        assert_int_equal(read(event_fd, &count, sizeof count), sizeof count);
    }
}

/* Its answer, waited for; the question's own status. */
static struct status
answer_of(struct usages *u, uint64_t question, int event_fd)
{
    uint64_t ticket = 0, number = 0;
    struct diag diag = {0};
    DEFER(buf_done) struct buf json;
    buf_init(&json, 1 << 20);
    assert_ok(usages_ask_again(u, question, "one", INT64_MAX, &diag, &ticket));
    await(u, ticket, event_fd);
    const struct status s = usages_take(u, ticket, &diag, &json, &number);
    assert_int_equal(number, 0);
    assert_true(!status_ok(s) || strstr(buf_str(&json), "\"groups\":[{") != NULL);
    return s;
}

/* The question of a call that is not waited for. */
static uint64_t
number_of(struct usages *u, uint64_t ticket)
{
    uint64_t number = 0, none = 0;
    struct diag diag = {0};
    DEFER(buf_done) struct buf json;
    buf_init(&json, 1 << 20);
    assert_true(usages_ready(u, ticket)); /* its time is over */
    assert_status(usages_take(u, ticket, &diag, &json, &number), BUSY);
    assert_true(number > 0);
    assert_status(usages_take(u, ticket, &diag, &json, &none), NOT_FOUND);
    return number;
}

static void
places_are_for_several_who_ask(void **state)
{
    (void)state;
    struct usages *u = NULL;
    uint64_t ticket[USAGES_MOST + 1], number[USAGES_MOST], more = 0;
    struct diag diag = {0};
    struct usages_asked a[USAGES_MOST + 1];
    const int fd = eventfd(0, EFD_CLOEXEC);
    hold_up();
    assert_ok(usages_start(log_dir, NULL, WAIT_NS, &u));
    assert_ok(usages_subscribe(u, fd));
    for (size_t i = 0; i <= USAGES_MOST; i++) {
        char since[32];
        (void)snprintf(since, sizeof since, "%zud", 10 + i);
        a[i] = asked_since(since);
    }
    for (size_t i = 0; i < USAGES_OF_ONE; i++) {
        assert_ok(usages_ask(u, &a[i], "one", 0, &diag, &ticket[i]));
    }
    assert_status(usages_ask(u, &a[USAGES_OF_ONE], "one", 0, &diag, &more), LIMIT);
    assert_says(&diag, "one principal has no more places");
    for (size_t i = USAGES_OF_ONE; i < USAGES_MOST; i++) {
        assert_ok(usages_ask(u, &a[i], "another", 0, &diag, &ticket[i]));
    }
    assert_status(usages_ask(u, &a[USAGES_MOST], "third", 0, &diag, &more), BUSY);
    assert_status(usages_ask_again(u, 1, "third", 0, &diag, &more), NOT_FOUND);
    /* A call that joins one takes no place; several may. */
    assert_ok(usages_ask(u, &a[USAGES_MOST - 1], "third", 0, &diag, &more));
    number[USAGES_MOST - 1] = number_of(u, ticket[USAGES_MOST - 1]);
    assert_int_equal(number_of(u, more), number[USAGES_MOST - 1]);
    /* Who leaves, before anybody was told to come back, takes the question with him. */
    usages_forget(u, ticket[USAGES_MOST - 2]);
    usages_forget(u, ticket[USAGES_MOST - 2]);
    assert_ok(usages_ask(u, &a[USAGES_MOST], "third", 0, &diag, &ticket[USAGES_MOST - 2]));
    for (size_t i = 0; i < USAGES_MOST - 1; i++) {
        number[i] = number_of(u, ticket[i]);
    }
    /* Three find nothing there; what waited behind them reads the log. */
    size_t held_up = 0;
    let_go(view_of(NULL, 0));
    for (size_t i = 0; i < USAGES_MOST; i++) {
        const struct status s = answer_of(u, number[i], fd);
        assert_true(status_ok(s) || s.code == STATUS_INTEGRITY);
        held_up += !status_ok(s);
    }
    assert_true(held_up >= 1 && held_up <= 3);
    /* What was taken gives way to others; and none does while somebody waits. */
    assert_ok(usages_ask_again(u, number[3], "one", INT64_MAX, &diag, &ticket[0]));
    for (size_t i = 0; i < USAGES_OF_ONE; i++) {
        assert_ok(usages_ask(u, &a[i], "one", INT64_MAX, &diag, &more));
    }
    usages_forget(u, ticket[0]);
    assert_ok(answer_of(u, number[3], fd));
    assert_status(usages_ask_again(u, number[2], "one", 0, &diag, &more), NOT_FOUND);
    usages_unsubscribe(u, fd);
    usages_stop(u);
    (void)close(fd);
}

static void
calls_that_wait_are_of_several(void **state)
{
    (void)state;
    struct usages *u = NULL;
    struct diag diag = {0};
    uint64_t ticket[USAGES_CALLS_OF_ONE], more = 0, number = 0;
    const struct usages_asked a = asked_since("9d"), b = asked_since("8d");
    hold_up();
    assert_ok(usages_start(log_dir, NULL, WAIT_NS, &u));
    assert_ok(usages_ask(u, &a, "one", 0, &diag, &ticket[0]));
    number = number_of(u, ticket[0]);
    for (size_t i = 0; i < USAGES_CALLS_OF_ONE; i++) {
        assert_ok(usages_ask_again(u, number, "one", INT64_MAX, &diag, &ticket[i]));
    }
    assert_status(usages_ask_again(u, number, "one", INT64_MAX, &diag, &more), LIMIT);
    assert_says(&diag, "32 calls of this principal wait for answers about usage");
    assert_status(usages_ask(u, &b, "one", INT64_MAX, &diag, &more), LIMIT);
    assert_ok(usages_ask_again(u, number, "another", INT64_MAX, &diag, &more));
    usages_forget(u, ticket[0]);
    assert_ok(usages_ask(u, &b, "one", INT64_MAX, &diag, &more));
    let_go(view_of(NULL, 0));
    usages_stop(u);
}

/* ---- turns ---- */

/* Waits until a reader has come to the gate, and lays another one in its place: that reader waits
 * until what is returned is closed, and the next one until it is caught, too. */
static int catch (void)
{
    await_reader();
    const int reader = held;
    assert_int_equal(unlink(gate), 0);
    lay();
    return reader;
}

struct asking {
    const char *principal;
    uint64_t number;
};

static struct asking
ask_as(struct usages *u, const char *principal, const char *since)
{
    uint64_t ticket = 0;
    struct diag diag = {0};
    const struct usages_asked a = asked_since(since);
    assert_ok(usages_ask(u, &a, principal, 0, &diag, &ticket));
    return (struct asking){.principal = principal, .number = number_of(u, ticket)};
}

static bool
is_answered(struct usages *u, const struct asking *a)
{
    uint64_t ticket = 0, number = 0;
    struct diag diag = {0};
    DEFER(buf_done) struct buf json;
    buf_init(&json, 1 << 20);
    assert_ok(usages_ask_again(u, a->number, a->principal, 0, &diag, &ticket));
    const struct status s = usages_take(u, ticket, &diag, &json, &number);
    assert_true(s.code == STATUS_BUSY || s.code == STATUS_INTEGRITY);
    return s.code != STATUS_BUSY;
}

/* Lets a reader go, which finds nothing there; that was the question's. */
static void
ends(struct usages *u, int reader, const struct asking *a)
{
    const int64_t end = clock_mono_ns() + WAIT_NS / 4;
    assert_false(is_answered(u, a));
    assert_int_equal(ftruncate(reader, 0), 0);
    assert_int_equal(close(reader), 0);
    while (!is_answered(u, a)) {
        assert_true(clock_mono_ns() < end);
    }
}

static void
end_with_the_gate_open(struct usages *u)
{
    assert_int_equal(rename(away, gate), 0);
    assert_int_equal(close(held), 0);
    usages_stop(u);
}

/* Two readers, each with a question of the principal "one", at the gate. */
static struct usages *
hold_two(struct asking ret_one[static 2], int ret_reader[static 2])
{
    struct usages *u = NULL;
    hold_up();
    assert_ok(usages_start(log_dir, NULL, WAIT_NS, &u));
    ret_one[0] = ask_as(u, "one", "10d");
    ret_reader[0] = catch ();
    ret_one[1] = ask_as(u, "one", "11d");
    ret_reader[1] = catch ();
    return u;
}

static void
principals_take_turns(void **state)
{
    (void)state;
    struct asking one[USAGES_OF_ONE], another[2], third[2];
    int reader[3];
    struct usages *u = hold_two(one, reader);
    one[2] = ask_as(u, "one", "12d");
    one[3] = ask_as(u, "one", "13d");
    another[0] = ask_as(u, "another", "14d");
    reader[2] = catch (); /* there is one for who has none */
    another[1] = ask_as(u, "another", "15d");
    third[0] = ask_as(u, "third", "16d");
    third[1] = ask_as(u, "third", "17d");
    /* One at a time is read on the first reader; the other two are held. */
    ends(u, reader[0], &one[0]);
    const struct asking *const order[] = {&third[0], &one[2], &another[1], &third[1], &one[3]};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        reader[0] = catch ();
        ends(u, reader[0], order[i]);
    }
    ends(u, reader[1], &one[1]);
    ends(u, reader[2], &another[0]);
    end_with_the_gate_open(u);
}

/* A question that another principal waits for, too, is read in the turn of either. */
static void
who_joins_a_question_waits_for_no_turn_of_its_asker(void **state)
{
    (void)state;
    struct asking one[3];
    struct diag diag = {0};
    uint64_t ticket = 0;
    int reader[3];
    const struct usages_asked last = asked_since("12d");
    struct usages *u = hold_two(one, reader);
    one[2] = ask_as(u, "one", "12d");
    assert_ok(usages_ask(u, &last, "another", INT64_MAX, &diag, &ticket));
    reader[2] = catch ();
    ends(u, reader[2], &one[2]);
    assert_true(usages_ready(u, ticket));
    ends(u, reader[0], &one[0]);
    ends(u, reader[1], &one[1]);
    end_with_the_gate_open(u);
}

/* ---- what is left alone ---- */

static void
what_nobody_asks_for_is_forgotten(void **state)
{
    (void)state;
    struct usages *u = NULL;
    uint64_t ticket = 0, number = 0;
    struct diag diag = {0};
    const struct usages_asked a = asked_since("9d");
    const int fd = eventfd(0, EFD_CLOEXEC);
    hold_up();
    assert_ok(usages_start(log_dir, NULL, 50 * 1000 * 1000, &u));
    assert_ok(usages_subscribe(u, fd));
    assert_ok(usages_ask(u, &a, "one", clock_mono_ns() + NS_PER_S / 20, &diag, &ticket));
    await(u, ticket, fd); /* told when its time is over, though nothing else happens */
    number = number_of(u, ticket);
    /* While a call waits for it, it is not alone. */
    assert_ok(usages_ask_again(u, number, "one", clock_mono_ns() + NS_PER_S / 2, &diag, &ticket));
    await(u, ticket, fd);
    assert_int_equal(number_of(u, ticket), number);
    const int64_t end = clock_mono_ns() + WAIT_NS;
    struct status s = OK;
    while (s.code != STATUS_NOT_FOUND && clock_mono_ns() < end) {
        const struct timespec pause = {.tv_nsec = 200 * 1000 * 1000};
        (void)nanosleep(&pause, NULL);
        s = usages_ask_again(u, number, "one", 0, &diag, &ticket);
        usages_forget(u, status_ok(s) ? ticket : 0);
    }
    assert_status(s, NOT_FOUND);
    let_it_be_read();
    usages_unsubscribe(u, fd);
    usages_stop(u);
    (void)close(fd);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_takes_longer_than_a_request_goes_on),
        cmocka_unit_test(who_asks_for_more_than_a_share_is_refused),
        cmocka_unit_test(the_right_is_looked_at_whenever_it_is_asked_for),
        cmocka_unit_test(places_are_for_several_who_ask),
        cmocka_unit_test(calls_that_wait_are_of_several),
        cmocka_unit_test(principals_take_turns),
        cmocka_unit_test(who_joins_a_question_waits_for_no_turn_of_its_asker),
        cmocka_unit_test(what_nobody_asks_for_is_forgotten),
        cmocka_unit_test(a_server_that_stops_waits_for_no_answer),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
