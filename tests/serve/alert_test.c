/* Alerts from a running server to a webhook: what drifts is told, signed, in order, and once the
 * receiver is back, whoever was killed meanwhile. The tests build on one another. */
#include "net/hook.h"
#include "room.h"

#include "base/clock.h"
#include "base/file.h"
#include "govern/audit.h"
#include "serve/webhook_sink.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PASSPHRASE "correct horse battery staple"
#define SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define WAIT_NS (120 * NS_PER_S)
#define PATH_OF_PAGE "/in/e8f1c2"

static struct room it;
static struct hook *page, *late;
static char ca[2][512], secret[512];

static void
rest(void)
{
    const struct timespec pause = {.tv_nsec = 50 * 1000 * 1000};
    (void)nanosleep(&pause, NULL);
}

static const char *
line_of(const char *name, size_t which, const struct hook *h)
{
    static char line[2][1700];
    (void)snprintf(line[which], sizeof line[which],
                   "\"%s https://127.0.0.1:%u" PATH_OF_PAGE " ca-file=%s secret-file=%s\"", name,
                   hook_port(h), ca[which], secret);
    return line[which];
}

static void
configure(const char *receivers, const char *quotas)
{
    DEFER(file_freep) char *file = file_join(it.dir, "steward.yaml");
    DEFER(buf_done) struct buf yaml;
    buf_init(&yaml, 1 << 16);
    buf_printf(&yaml,
               "audit:\n  publish: 50ms\n  export: [%s]\nlimits:\n  quotas: [%s]\n"
               "network:\n  egress: [\"alert 127.0.0.1 1-65535\"]\n",
               receivers, quotas);
    testing_write(file, buf_view(&yaml));
}

#define QUOTA "fair 100000 calls/day"

static void
await_line(const char *action, const char *text)
{
    const int64_t until = clock_mono_ns() + WAIT_NS;
    struct testing_run r = {0};
    do {
        testing_run_done(&r);
        rest();
        testing_steward(&r, "audit", "show", "--action", action, NULL);
    } while (strstr(buf_str(&r.out), text) == NULL && clock_mono_ns() < until);
    assert_text_has(buf_str(&r.out), text);
    testing_run_done(&r);
}

static void
await_taken(struct hook *h, size_t n)
{
    const int64_t until = clock_mono_ns() + WAIT_NS;
    while (hook_taken(h) < n && clock_mono_ns() < until) {
        rest();
    }
    assert_true(hook_taken(h) >= n);
}

static void
await_health(const char *of, unsigned status)
{
    char path[64];
    unsigned is = 0;
    const int64_t until = clock_mono_ns() + WAIT_NS;
    (void)snprintf(path, sizeof path, "/v2/health/%s", of);
    do {
        rest();
        is = room_asks(&it, path, it.watcher);
    } while (is != status && clock_mono_ns() < until);
    assert_int_equal(is, status);
}

static void
assert_metric(const char *line)
{
    struct reply r;
    char request[512];
    (void)snprintf(request, sizeof request,
                   "GET /metrics HTTP/1.1\r\nhost: a\r\nauthorization: Bearer %s\r\n\r\n",
                   it.watcher);
    assert_int_equal(client_ask(it.port, request, &r), 200);
    assert_text_has(buf_str(&r.body), line);
    reply_done(&r);
}

/* ---- what the log has ---- */

struct logged {
    uint64_t index[HOOK_MESSAGES];
    struct digest digest[HOOK_MESSAGES];
    size_t count;
};

static struct status
note_alert(void *ctx, uint64_t index, struct view entry)
{
    struct logged *l = ctx;
    if (audit_event_is_alert(entry)) {
        assert_true(l->count < HOOK_MESSAGES);
        l->index[l->count] = index;
        digest_of(entry, &l->digest[l->count++]);
    }
    return OK;
}

static size_t
alerts(struct logged *l)
{
    struct diag diag = {0};
    DEFER(file_freep) char *log = file_join(it.dir, "audit");
    l->count = 0;
    assert_ok(audit_each(log, 0, UINT64_MAX, note_alert, l, &diag));
    return l->count;
}

/* The message is that entry of the log, byte by byte, and signed. */
static void
assert_is(const struct hook_message *m, const struct logged *l, size_t i)
{
    char id[32];
    struct diag diag = {0};
    struct digest digest;
    struct hmac_key key;
    DEFER(js_freep) json_t *event = NULL;
    DEFER(buf_done) struct buf signature;
    buf_init(&signature, 128);
    assert_ok(js_parse(buf_view(&m->body), "body", &diag, &event));
    (void)snprintf(id, sizeof id, "%llu", (unsigned long long)l->index[i]);
    assert_string_equal(json_string_value(json_object_get(event, "id")), id);
    const char *data = strstr(buf_str(&m->body), ",\"data\":") + strlen(",\"data\":");
    digest_of(view_of(data, strlen(data) - 1), &digest);
    assert_memory_equal(digest.bytes, l->digest[i].bytes, sizeof digest.bytes);
    assert_ok(webhook_secret(view_str(SECRET), &diag, &key));
    webhook_sign(&key, m->id, m->time, buf_view(&m->body), &signature);
    assert_string_equal(m->signature, buf_str(&signature));
    assert_text_has(m->id, id);
}

/* Everything that was raised or cleared from `first` on came, in the log's order; what came twice
 * came as it was. */
static void
assert_all_came(struct hook *h, size_t first)
{
    static struct logged l;
    const size_t n = alerts(&l);
    const int64_t until = clock_mono_ns() + WAIT_NS;
    size_t next = first;
    for (size_t k = 0; next < n; k++) {
        while (hook_taken(h) <= k && clock_mono_ns() < until) {
            rest();
        }
        const struct hook_message *m = hook_message(h, k);
        char id[32];
        (void)snprintf(id, sizeof id, "-%llu", (unsigned long long)l.index[next]);
        const char *end = strrchr(m->id, '-');
        assert_non_null(end);
        if (strcmp(end, id) == 0) {
            assert_is(m, &l, next++);
        } else { /* one that came before */
            assert_true(strtoull(end + 1, NULL, 10) < l.index[next]);
        }
    }
}

static int
set_up(void **state)
{
    (void)state;
    (void)setenv("STEWARD_PASSPHRASE", PASSPHRASE, 1);
    room_init(&it);
    room_make(&it, "passphrase", "");
    (void)snprintf(ca[0], sizeof ca[0], "%s/page.pem", it.root);
    (void)snprintf(ca[1], sizeof ca[1], "%s/late.pem", it.root);
    (void)snprintf(secret, sizeof secret, "%s/secret", it.root);
    testing_write(secret, view_str(SECRET "\n"));
    assert_int_equal(chmod(secret, 0600), 0);
    page = hook_new(ca[0]);
    late = hook_new(ca[1]);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    hook_free(page);
    hook_free(late);
    return room_done(&it);
}

/* ---- the tests ---- */

static size_t early; /* alerts before there was a receiver */

static void
what_was_raised_before_is_nobodys(void **state)
{
    (void)state;
    static struct logged l;
    assert_steward("policy", "assign", "grants-bounded");
    assert_steward("policy", "assign", "endpoint-quota");
    early = alerts(&l);
    assert_int_equal(early, 0); /* the first look is no drift */
    assert_steward("principal", "add", "old", "--role", "caller");
    early = alerts(&l);
    assert_int_equal(early, 1);
    hook_start(page);
    configure(line_of("page", 0, page), QUOTA);
    room_start(&it);
    await_line("export.configure", "exports/page");
    await_health("export", 200);
    await_health("alerts", 503); /* it is still open */
    assert_int_equal(hook_taken(page), 0);
}

static void
drift_is_told_and_signed(void **state)
{
    (void)state;
    static struct logged l;
    assert_steward("principal", "add", "bob", "--role", "caller");
    await_taken(page, 1);
    assert_int_equal(alerts(&l), early + 1);
    const struct hook_message *m = hook_message(page, 0);
    assert_is(m, &l, early);
    assert_string_equal(m->line, "POST " PATH_OF_PAGE " HTTP/1.1");
    assert_string_equal(m->type, "application/cloudevents+json; charset=utf-8");
    DEFER(js_freep) json_t *event = NULL;
    assert_ok(js_parse(buf_view(&m->body), "body", NULL, &event));
    static const char *const members[][2] = {{"specversion", "1.0"},
                                             {"type", "steward.alert.raise"},
                                             {"subject", "policies/grants-bounded"},
                                             {"datacontenttype", "application/json"}};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        assert_string_equal(json_string_value(json_object_get(event, members[i][0])),
                            members[i][1]);
    }
    const json_t *alert = json_object_get(json_object_get(event, "data"), "alert");
    assert_string_equal(json_string_value(json_object_get(alert, "subject")),
                        "grant/bob/caller/**");
    assert_string_equal(json_string_value(json_object_get(alert, "severity")), "low");
    assert_metric("\nsteward_export_entries_behind{receiver=\"page\"} ");
}

static void
a_receiver_that_refuses_is_asked_again_in_order(void **state)
{
    (void)state;
    hook_answer(page, 500, 2);
    assert_steward("principal", "remove", "bob");
    assert_steward("principal", "add", "eve", "--role", "caller");
    await_health("export", 503);
    await_line("export.send", "it answers 500");
    assert_all_came(page, early);
    await_health("export", 200);
    assert_int_equal(hook_refused(page), 2);
    hook_answer(page, HOOK_BREAKS, 1);
    assert_steward("principal", "remove", "eve");
    assert_all_came(page, early);
    assert_int_equal(hook_refused(page), 3);
}

static void
nothing_is_lost_over_a_kill(void **state)
{
    (void)state;
    int ended = 0;
    hook_stop(page);
    assert_steward("principal", "add", "bob", "--role", "caller");
    assert_steward("principal", "add", "eve", "--role", "caller");
    assert_int_equal(kill(it.pid, SIGKILL), 0);
    assert_int_equal(waitpid(it.pid, &ended, 0), it.pid);
    assert_steward("principal", "remove", "bob"); /* while no server runs */
    room_start(&it);
    hook_start(page);
    assert_all_came(page, early);
    assert_steward("principal", "remove", "eve");
    assert_all_came(page, early);
    await_health("export", 200);
}

static void
what_the_server_itself_finds_is_told(void **state)
{
    (void)state;
    static struct logged l;
    assert_steward("principal", "remove", "old");
    await_health("alerts", 200);
    assert_int_equal(room_asks(&it, "/v2/health/alerts", NULL), 401); /* not for strangers */
    assert_int_equal(room_asks(&it, "/v2/health/alerts", it.caller), 403);
    const size_t before = alerts(&l);
    configure(line_of("page", 0, page), "");
    assert_int_equal(kill(it.pid, SIGHUP), 0);
    await_health("alerts", 503);
    assert_metric("\nsteward_alerts_open{policy=\"endpoint-quota\",assignment=\"endpoint-quota\","
                  "severity=\"low\"} 1\n");
    assert_metric("\nsteward_alerts_total{policy=\"endpoint-quota\",assignment=\"endpoint-quota\","
                  "severity=\"low\"} 1\n");
    configure(line_of("page", 0, page), QUOTA);
    assert_int_equal(kill(it.pid, SIGHUP), 0);
    await_health("alerts", 200);
    assert_metric("\nsteward_alerts_open{policy=\"endpoint-quota\",assignment=\"endpoint-quota\","
                  "severity=\"low\"} 0\n");
    assert_all_came(page, early);
    assert_int_equal(alerts(&l), before + 2);
}

/* It has the file's word, and the server its own: no alert comes and goes between the two. */
static void
a_look_beside_the_server_leaves_the_configuration_to_it(void **state)
{
    (void)state;
    static struct logged l;
    DEFER(file_freep) char *other = file_join(it.root, "other.yaml");
    struct testing_run r = {0};
    const size_t before = alerts(&l);
    testing_write(other, view_str("audit:\n  publish: 1s\n")); /* no quota */
    testing_steward(&r, "policy", "check", "--config", other, NULL);
    assert_int_equal(r.exit_code, 7);
    assert_text_has(buf_str(&r.out), "endpoint-quota: non-compliant: endpoint/loans");
    testing_run_done(&r);
    assert_int_equal(alerts(&l), before);
}

static void
a_receiver_that_is_new_begins_with_what_is_new(void **state)
{
    (void)state;
    static struct logged l;
    char both[4000];
    hook_start(late);
    const size_t before = alerts(&l);
    (void)snprintf(both, sizeof both, "%s, %s", line_of("page", 0, page), line_of("late", 1, late));
    configure(both, QUOTA);
    assert_int_equal(kill(it.pid, SIGHUP), 0);
    await_line("export.configure", "exports/late");
    assert_steward("principal", "add", "bob", "--role", "caller");
    assert_all_came(late, before);
    assert_all_came(page, early);
    assert_int_equal(hook_taken(late), 1);
}

static void
a_secret_that_is_none_sends_nothing_and_shows_nothing(void **state)
{
    (void)state;
    testing_write(secret, view_str("hunter2\n"));
    assert_int_equal(kill(it.pid, SIGHUP), 0);
    await_line("export.send", "24 to 64 bytes in base64");
    assert_steward("principal", "remove", "bob");
    testing_write(secret, view_str(SECRET "\n"));
    assert_int_equal(kill(it.pid, SIGHUP), 0);
    assert_all_came(late, alerts(&(struct logged){0}) - 2);
    assert_all_came(page, early);
}

static void
neither_secret_nor_path_is_in_a_log(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf said;
    struct testing_run r = {0};
    assert_int_equal(testing_stop(it.pid), 0);
    it.pid = 0;
    hook_stop(page);
    hook_stop(late);
    testing_read(it.log, &said);
    assert_null(strstr(buf_str(&said), "sandbox: system call"));
    testing_steward(&r, "audit", "export", NULL);
    assert_int_equal(r.exit_code, 0);
    static const char *const hidden[] = {"e8f1c2", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "hunter2"};
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++) {
        assert_null(strstr(buf_str(&said), hidden[i]));
        assert_null(strstr(buf_str(&r.out), hidden[i]));
    }
    assert_text_has(buf_str(&r.out), "exports/page");
    testing_run_done(&r);
    assert_true(room_log_length() > 0); /* and the log verifies */
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(what_was_raised_before_is_nobodys),
        cmocka_unit_test(drift_is_told_and_signed),
        cmocka_unit_test(a_receiver_that_refuses_is_asked_again_in_order),
        cmocka_unit_test(nothing_is_lost_over_a_kill),
        cmocka_unit_test(what_the_server_itself_finds_is_told),
        cmocka_unit_test(a_look_beside_the_server_leaves_the_configuration_to_it),
        cmocka_unit_test(a_receiver_that_is_new_begins_with_what_is_new),
        cmocka_unit_test(a_secret_that_is_none_sends_nothing_and_shows_nothing),
        cmocka_unit_test(neither_secret_nor_path_is_in_a_log),
    };
    return cmocka_run_group_tests(cases, set_up, tear_down);
}
