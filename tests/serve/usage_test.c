/* Usage by the management API: what the command line tells of the same log, for who may, asked in
 * one way only. */
#include "room.h"

#include "base/clock.h"
#include "base/file.h"
#include "serve/usages.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define WAIT_MS 120000

static struct room it;
static char inspector[128];
static char *log_dir;
static char until[40]; /* after all calls of the first test */

static int
set_up(void **state)
{
    (void)state;
    (void)setenv("STEWARD_PASSPHRASE", "correct horse battery staple", 1);
    room_init(&it);
    room_make(&it, "passphrase", "audit:\n  publish: 50ms\n");
    assert_steward("principal", "add", "inspector", "--role", "auditor");
    testing_issue_key("inspector", inspector);
    log_dir = file_join(it.dir, "audit");
    room_start(&it);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    free(log_dir);
    return room_done(&it);
}

/* ---- asking ---- */

/* What the API answers to that query; what the command line prints with those options. */
static void
assert_same(const char *query, char *const *options)
{
    struct reply r;
    struct testing_run run;
    char path[256];
    char *argv[16] = {(char *)(uintptr_t)testing_binary(), (char *)(uintptr_t) "usage",
                      (char *)(uintptr_t) "--json"};
    json_t *api = NULL, *line = NULL;
    for (size_t i = 0; options[i] != NULL; i++) {
        argv[3 + i] = options[i];
    }
    (void)snprintf(path, sizeof path, "/v2/usage?%suntil=%s", query, until);
    assert_int_equal(room_get(&it, path, inspector, &r), 200);
    assert_ok(js_parse(buf_view(&r.body), "answer", NULL, &api));
    testing_run(argv, &run);
    assert_int_equal(run.exit_code, 0);
    assert_ok(js_parse(buf_view(&run.out), "stdout", NULL, &line));
    assert_true(json_array_size(json_object_get(api, "groups")) > 0);
    assert_int_equal(room_take_as_of(line),
                     room_take_as_of(api) + 1); /* the question's own entry */
    if (!json_equal(api, line)) {
        print_error("%s\n%s\n", buf_str(&r.body), buf_str(&run.out));
    }
    assert_true(json_equal(api, line));
    json_decref(api);
    json_decref(line);
    testing_run_done(&run);
    reply_done(&r);
}

static char *
text(const char *constant)
{
    return (char *)(uintptr_t)constant;
}

static void
tells_what_the_command_line_tells(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf now;
    buf_init(&now, 64);
    for (int i = 0; i < 4; i++) {
        room_call_with_rows(&it);
    }
    room_answers(&it, "POST", ROOM_INFER, it.watcher, 403, "not allowed");
    room_answers(&it, "GET", "/v2/models/none", it.caller, 404, "no such model");
    clock_put_rfc3339(&now, clock_wall_ns() + 1);
    (void)snprintf(until, sizeof until, "%s", buf_str(&now));
    assert_same("", (char *[]){text("--until"), until, NULL});
    assert_same("by=day&", (char *[]){text("--by"), text("day"), text("--until"), until, NULL});
    assert_same("by=version,principal,model&since=1d&",
                (char *[]){text("--by"), text("principal,model,version"), text("--since"),
                           text("1d"), text("--until"), until, NULL});
    assert_same("principal=de%73k&",
                (char *[]){text("--principal"), text("desk"), text("--until"), until, NULL});
    assert_same("model=loans&by=principal&",
                (char *[]){text("--model"), text("loans"), text("--by"), text("principal"),
                           text("--until"), until, NULL});
    room_answers(&it, "GET", "/v2/usage?model=loans&by=version&principal=desk", inspector, 200,
                 "\"calls\":4,\"errors\":0");
    room_answers(&it, "GET", "/v2/usage?model=loans&by=version&principal=desk", inspector, 200,
                 "\"refused\":0,\"rows\":12,");
    room_answers(&it, "GET", "/v2/usage?principal=nobody", inspector, 200,
                 "\"groups\":[],\"unreadable\":0}");
}

static void
says_as_of_how_many_entries_it_was_counted(void **state)
{
    (void)state;
    const int64_t length = room_log_length(), now = clock_wall_ns();
    for (int i = 0; i < 2; i++) {
        struct reply r;
        json_t *o = NULL;
        int64_t time = 0;
        assert_int_equal(room_get(&it, "/v2/usage?model=loans", inspector, &r), 200);
        assert_ok(js_parse(buf_view(&r.body), "answer", NULL, &o));
        const json_t *as_of = json_object_get(o, "as_of");
        assert_ok(
            clock_from_rfc3339(view_str(json_string_value(json_object_get(as_of, "time"))), &time));
        assert_true(time / 1000 >= now / 1000 && time <= clock_wall_ns());
        assert_int_equal(room_take_as_of(o), length + i); /* those of the questions before */
        json_decref(o);
        reply_done(&r);
    }
}

static void
is_for_who_has_a_right_to_it(void **state)
{
    (void)state;
    room_answers(&it, "GET", "/v2/usage", NULL, 401, "a valid key is needed");
    room_answers(&it, "GET", "/v2/usage", "sw_nonsense", 401, "a valid key is needed");
    room_answers(&it, "GET", "/v2/usage", it.caller, 403, "not allowed: usage.read on usage");
    room_answers(&it, "GET", "/v2/usage?by=nothing", it.watcher, 403,
                 "not allowed: usage.read on usage");
    struct testing_run r;
    testing_steward(&r, "audit", "search", "action=usage.read decision=deny principal=watcher",
                    "--json", NULL);
    assert_int_equal(r.exit_code, 0);
    assert_text_has(buf_str(&r.out), "usage.read");
    testing_run_done(&r);
    room_answers(&it, "POST", "/v2/usage", inspector, 405, "method");
}

static void
what_is_not_asked_in_its_form_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *query, *says;
    } rows[] = {
        {"until=now", "until: a time is 2026-11-23"},
        {"since=", ""}, /* as if it were not there */
        {"since=2026-13-01", "since: a time is"},
        {"by=house", "by \\\"house\\\": there are principal, model, version and day"},
        {"by=day,,model", "by \\\"\\\": there are"},
        {"by=day&by=model", "by: it stands here once"},
        {"principal=%zz", "principal: it stands here once"},
        {"principal=%00", "principal: it stands here once"},
        {"principal=a%", "principal: it stands here once"},
        {"Model=loans", "there is no parameter \\\"Model\\\"; there are by, since"},
        {"model=loans&", ""},
        {"model=loans&&by=day", "there is no parameter \\\"\\\""},
        {"limit=5", "there is no parameter \\\"limit\\\""},
        {"a\"<b=1", "there is no parameter \\\"a?<b\\\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "/v2/usage?%s", rows[i].query);
        room_answers(&it, "GET", path, inspector, *rows[i].says == '\0' ? 200 : 400, rows[i].says);
    }
    char path[600] = "/v2/usage?model=";
    memset(path + strlen(path), 'm', 300);
    room_answers(&it, "GET", path, inspector, 400,
                 "model: it stands here once, in at most 255 characters");
}

/* ---- several at once ---- */

static void
who_leaves_keeps_nobody_waiting(void **state)
{
    (void)state;
    struct client c[3 * USAGES_MOST];
    const size_t n = sizeof c / sizeof *c;
    unsigned good = 0;
    DEFER(buf_done) struct buf ask;
    buf_init(&ask, 1 << 16);
    room_put_request(&ask, "GET", "/v2/usage", inspector, "");
    for (size_t i = 0; i < n; i++) {
        assert_true(client_open(it.port, NULL, &c[i]));
        assert_true(client_send(&c[i], buf_view(&ask)));
    }
    for (size_t i = 0; i < n; i += 2) {
        client_close(&c[i]);
    }
    for (size_t i = 1; i < n; i += 2) {
        struct reply r;
        client_take(&c[i], &r);
        assert_true(r.status == 200 || r.status == 429);
        if (r.status == 429) {
            char wait[256];
            reply_header(&r, "retry-after", wait);
            assert_string_equal(wait, "5");
        }
        good += r.status == 200;
        reply_done(&r);
        client_close(&c[i]);
    }
    assert_true(good > 0);
    /* Every place is free again: those who left have taken none with them. */
    const int64_t end = clock_mono_ns() + (int64_t)WAIT_MS * 1000000;
    for (unsigned free_ones = 0; free_ones < USAGES_MOST;) {
        struct reply r;
        free_ones = room_get(&it, "/v2/usage", inspector, &r) == 200 ? free_ones + 1 : 0;
        reply_done(&r);
        assert_true(clock_mono_ns() < end);
    }
}

static void
await(struct usages *u, uint64_t ticket, int event_fd)
{
    struct pollfd p = {.fd = event_fd, .events = POLLIN};
    uint64_t count = 0;
    while (!usages_ready(u, ticket)) {
        assert_int_equal(poll(&p, 1, WAIT_MS), 1);
        assert_int_equal(read(event_fd, &count, sizeof count), sizeof count);
    }
}

static void
a_place_is_taken_until_its_answer_is(void **state)
{
    (void)state;
    static const struct usages_asked all = {.by = {[USAGE_DAY] = true}}, wrong = {.since = "soon"};
    struct usages *u = NULL;
    struct diag diag = {0};
    uint64_t first = 0, second = 0, question = 0;
    DEFER(buf_done) struct buf json;
    buf_init(&json, 1 << 20);
    const int fd = eventfd(0, EFD_CLOEXEC);
    assert_ok(usages_start(log_dir, NULL, USAGES_KEPT_NS, &u));
    assert_ok(usages_subscribe(u, fd));
    assert_ok(usages_ask(u, &wrong, "one", INT64_MAX, &diag, &first));
    assert_ok(usages_ask(u, &all, "one", INT64_MAX, &diag, &second));
    await(u, first, fd);
    await(u, second, fd);
    assert_status(usages_take(u, first, &diag, &json, &question), INPUT);
    assert_says(&diag, "since: a time is");
    assert_status(usages_take(u, first, &diag, &json, &question), NOT_FOUND);
    assert_ok(usages_take(u, second, &diag, &json, &question));
    assert_int_equal(question, 0);
    assert_text_has(buf_str(&json), "\"groups\":[{");
    /* Nobody was told to come back: every place is free again. */
    for (size_t i = 0; i < USAGES_OF_ONE; i++) {
        assert_ok(usages_ask(u, &all, "one", INT64_MAX, &diag, &first));
        await(u, first, fd); /* what is read already is not joined */
    }
    assert_status(usages_ask(u, &all, "one", INT64_MAX, &diag, &first), LIMIT);
    assert_says(&diag, "4 questions of this principal about usage wait, are read, or have");
    assert_ok(usages_ask(u, &all, "another", INT64_MAX, &diag, &first));
    usages_unsubscribe(u, fd);
    usages_stop(u); /* with answers that nobody took */
    (void)close(fd);
}

/* ---- a log that does not fit ---- */

/* Entries under the checkpoint: its second line. */
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

/* Flips a bit of the first entry of the first full bundle. */
static void
change_entry(const char *bundle)
{
    DEFER(buf_done) struct buf bytes;
    testing_read(bundle, &bytes);
    bytes.ptr[40] ^= 1;
    testing_write(bundle, buf_view(&bytes));
}

static void
nothing_is_told_of_entries_that_were_changed(void **state)
{
    (void)state;
    DEFER(file_freep) char *bundle = file_join(log_dir, "tree/entries");
    const int64_t end = clock_mono_ns() + (int64_t)WAIT_MS * 1000000;
    while (covered() < 256 && clock_mono_ns() < end) {
        room_call_with_rows(&it);
    }
    room_answers(&it, "GET", "/v2/usage?by=day", inspector, 200, "\"groups\":[{");
    change_entry(bundle);
    room_answers(&it, "GET", "/v2/usage?by=day", inspector, 503, "the log cannot be read now");
    room_call_with_rows(&it); /* calls to models go on */
    change_entry(bundle);
    room_answers(&it, "GET", "/v2/usage?by=day", inspector, 200, "\"groups\":[{");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_what_the_command_line_tells),
        cmocka_unit_test(says_as_of_how_many_entries_it_was_counted),
        cmocka_unit_test(is_for_who_has_a_right_to_it),
        cmocka_unit_test(what_is_not_asked_in_its_form_is_refused),
        cmocka_unit_test(who_leaves_keeps_nobody_waiting),
        cmocka_unit_test(a_place_is_taken_until_its_answer_is),
        cmocka_unit_test(nothing_is_told_of_entries_that_were_changed),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
