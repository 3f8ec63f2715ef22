/* A key that is withdrawn from under a running server: models are dropped and calls to them refused
 * with the reason, each in the log, until the key is back. */
#include "client.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/secret.h"
#include "govern/audit.h"
#include "serve/live.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PASSPHRASE "correct horse battery staple"
#define INFER "/v2/models/loans/infer"
#define BODY                                                                                       \
    "{\"inputs\":[{\"name\":\"income\",\"datatype\":\"INT64\",\"shape\":[1],\"data\":[30]}]}"
#define WAIT_NS (60 * NS_PER_S)

static struct {
    char *root, *dir, *log;
    char caller[128], watcher[128];
    pid_t pid;
    uint16_t port;
} it;

static void
issue_key(char *name, char *role, char ret_key[static 128])
{
    assert_steward("principal", "add", name, "--role", role);
    testing_issue_key(name, ret_key);
}

static void
rest(void)
{
    const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
    (void)nanosleep(&pause, NULL);
}

static void
start_server(void)
{
    DEFER(file_freep) char *port_file = file_join(it.root, "port");
    char *const argv[] = {(char *)(uintptr_t)testing_binary(),
                          (char *)(uintptr_t) "serve",
                          (char *)(uintptr_t) "--listen",
                          (char *)(uintptr_t) "127.0.0.1:0",
                          (char *)(uintptr_t) "--port-file",
                          port_file,
                          NULL};
    const int64_t until = clock_mono_ns() + WAIT_NS;
    it.pid = testing_start(argv, it.log);
    while (!file_exists(port_file) && clock_mono_ns() < until) {
        rest();
    }
    struct buf text;
    testing_read(port_file, &text);
    it.port = (uint16_t)strtoul(buf_str(&text), NULL, 10);
    buf_done(&text);
}

static int
set_up(void **state)
{
    (void)state;
    it.root = testing_dir();
    it.dir = file_join(it.root, "ws");
    it.log = file_join(it.root, "serve.log");
    DEFER(file_freep) char *csv = file_join(it.root, "loans.csv");
    DEFER(file_freep) char *config = file_join(it.dir, "steward.yaml");
    DEFER(buf_done) struct buf rows;
    buf_init(&rows, 1 << 16);
    buf_put_str(&rows, "income,paid\n");
    for (int i = 0; i < 200; i++) {
        buf_printf(&rows, "%d,%s\n", i, i % 2 == 0 ? "yes" : "no");
    }
    testing_write(csv, buf_view(&rows));
    (void)signal(SIGPIPE, SIG_IGN);
    (void)setenv("STEWARD_WORKSPACE", it.dir, 1);
    (void)setenv("STEWARD_PASSPHRASE", PASSPHRASE, 1);
    assert_steward("init", it.dir);
    assert_steward("dataset", "add", "loans", csv, "--label", "paid", "--positive", "yes");
    assert_steward("model", "train", "loans", "--data", "loans", "--rounds", "3");
    issue_key("desk", "caller", it.caller);
    issue_key("watcher", "operator", it.watcher);
    testing_write(config, view_str("keys:\n  check: 1s\n"));
    start_server();
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    const int ended = testing_stop(it.pid);
    testing_dirp(&it.root);
    free(it.dir);
    free(it.log);
    return ended;
}

/* ---- asking ---- */

static unsigned
ask(const char *method, const char *path, const char *key, struct reply *ret_reply)
{
    char text[2048], field[160] = "";
    const char *body = strcmp(method, "POST") == 0 ? BODY : "";
    if (key != NULL) {
        (void)snprintf(field, sizeof field, "authorization: Bearer %s\r\n", key);
    }
    (void)snprintf(text, sizeof text,
                   "%s %s HTTP/1.1\r\nhost: localhost\r\n%scontent-length: %zu\r\n\r\n%s", method,
                   path, field, strlen(body), body);
    return client_ask(it.port, text, ret_reply);
}

static void
answers(const char *method, const char *path, const char *key, unsigned status, const char *says)
{
    struct reply r;
    assert_int_equal(ask(method, path, key, &r), status);
    assert_text_has(buf_str(&r.body), says);
    reply_done(&r);
}

/* Until a call is answered with that status. Never another one than these two. */
static void
await_status(unsigned before, unsigned after, struct reply *ret_reply)
{
    const int64_t until = clock_mono_ns() + WAIT_NS;
    unsigned status = ask("POST", INFER, it.caller, ret_reply);
    while (status == before && clock_mono_ns() < until) {
        reply_done(ret_reply);
        rest();
        status = ask("POST", INFER, it.caller, ret_reply);
    }
    assert_int_equal(status, after);
}

/* ---- what the log has ---- */

struct seen {
    const char *id; /* of a call */
    unsigned suspended, resumed, refused;
};

static bool
is_text(const json_t *o, const char *key, const char *text)
{
    const char *has = json_string_value(json_object_get(o, key));
    return has != NULL && text != NULL && strcmp(has, text) == 0;
}

static struct status
look_at(void *ctx, uint64_t index, struct view entry)
{
    struct seen *s = ctx;
    DEFER(js_freep) json_t *o = NULL;
    (void)index;
    TRY(js_parse(entry, "entry", NULL, &o));
    s->suspended += is_text(o, "action", "key.suspend");
    s->resumed += is_text(o, "action", "key.resume");
    if (is_text(o, "id", s->id)) {
        const char *reason = json_string_value(json_object_get(o, "reason"));
        assert_non_null(reason);
        assert_text_has(reason, "not served since ");
        assert_true(is_text(o, "decision", "deny"));
        assert_int_equal(json_integer_value(json_object_get(o, "http_status")), 503);
        s->refused++;
    }
    return OK;
}

static struct seen
entries(const char *id)
{
    struct seen s = {.id = id};
    struct diag diag = {0};
    DEFER(file_freep) char *audit = file_join(it.dir, "audit");
    assert_ok(audit_each(audit, 0, UINT64_MAX, look_at, &s, &diag));
    return s;
}

/* ---- the tests ---- */

static void
a_revoked_key_stops_calls_to_models_and_a_restored_one_lets_them_in(void **state)
{
    (void)state;
    struct reply r;
    char value[256], id[256];
    answers("POST", INFER, it.caller, 200, "\"outputs\"");
    answers("GET", "/v2/health/ready", NULL, 200, "true");
    assert_steward("key", "revoke", "--reason", "the laptop was stolen");
    await_status(200, 503, &r);
    assert_text_has(buf_str(&r.body), "{\"error\":\"not served since 20");
    assert_text_has(buf_str(&r.body), "Z: the key was revoked: the laptop was stolen\"}");
    reply_header(&r, "retry-after", value);
    assert_string_equal(value, "1");
    reply_header(&r, "steward-call-id", id);
    reply_done(&r);
    answers("GET", "/v2/models/loans", it.caller, 503, "the laptop was stolen");
    answers("GET", "/v2/models/loans/ready", it.caller, 503, "the laptop was stolen");
    answers("GET", "/v2/models/nosuch", it.caller, 503, "the laptop was stolen");
    answers("GET", "/v2/models/loans", NULL, 401, "a valid key is needed");
    answers("GET", "/v2/health/ready", NULL, 503, "the workspace's key may not be used now");
    answers("GET", "/v2/health/live", NULL, 200, "true");
    answers("GET", "/metrics", it.watcher, 200, "steward_models_ready 0\n");
    struct seen s = entries(id);
    assert_int_equal(s.suspended, 1);
    assert_int_equal(s.resumed, 0);
    assert_int_equal(s.refused, 1);
    assert_steward("key", "restore");
    await_status(503, 200, &r);
    reply_done(&r);
    answers("GET", "/v2/health/ready", NULL, 200, "true");
    s = entries(id);
    assert_int_equal(s.suspended, 1);
    assert_int_equal(s.resumed, 1);
    assert_steward("audit", "verify"); /* what was refused meanwhile was signed for */
}

static void
a_key_that_is_gone_for_a_while_is_served_again_when_it_is_back(void **state)
{
    (void)state;
    DEFER(file_freep) char *key = file_join(it.dir, "keys/workspace.json");
    DEFER(file_freep) char *away = file_join(it.root, "workspace.json");
    struct reply r;
    assert_int_equal(rename(key, away), 0);
    await_status(200, 503, &r);
    assert_text_has(buf_str(&r.body), "the key is not to be had: ");
    assert_null(strstr(buf_str(&r.body), it.dir)); /* a caller learns of no path */
    reply_done(&r);
    assert_int_equal(rename(away, key), 0);
    await_status(503, 200, &r);
    reply_done(&r);
    struct buf text;
    testing_read(it.log, &text);
    assert_null(strstr(buf_str(&text), "sandbox: system call"));
    assert_text_has(buf_str(&text), "keeper.key");
    buf_done(&text);
}

static void
another_passphrase_takes_the_key_from_a_server_that_has_the_one_before(void **state)
{
    (void)state;
    DEFER(file_freep) char *file = file_join(it.root, "new");
    DEFER(file_freep) char *before = file_join(it.root, "before");
    struct reply r;
    testing_write(file, view_str("another passphrase\n"));
    testing_write(before, view_str(PASSPHRASE "\n"));
    assert_steward("key", "rewrap", "--new-passphrase-file", file);
    await_status(200, 503, &r);
    assert_text_has(buf_str(&r.body), "wrong passphrase");
    reply_done(&r);
    (void)setenv("STEWARD_PASSPHRASE", "another passphrase", 1);
    assert_steward("key", "rewrap", "--new-passphrase-file", before);
    (void)setenv("STEWARD_PASSPHRASE", PASSPHRASE, 1);
    await_status(503, 200, &r);
    reply_done(&r);
}

/* The models of a workspace, without a server. */
static void
a_model_in_use_is_dropped_when_it_is_given_back(void **state)
{
    (void)state;
    struct workspace *w = NULL;
    struct live *live = NULL;
    const struct model *used = NULL, *other = NULL;
    struct diag diag = {0};
    DEFER(secret_done) struct secret passphrase = {0};
    assert_ok(secret_from(view_str(PASSPHRASE), &passphrase));
    const struct workspace_open_options o = {.passphrase = &passphrase};
    assert_ok(workspace_open(it.dir, &o, &diag, &w));
    assert_ok(live_open(w, &live));
    assert_ok(live_take(live, "loans", 0, &used));
    live_suspend(live);
    assert_int_equal(live_count(live), 0);
    assert_false(live_ready(live));
    assert_status(live_take(live, "loans", 0, &other), DENIED);
    assert_int_equal(used->version, 1); /* the sanitizers see a model that is gone */
    live_resume(live);
    assert_true(live_ready(live));
    assert_ok(live_take(live, "loans", 0, &other));
    assert_ptr_not_equal(used, other);
    live_give_back(live, used);
    live_suspend(live);
    live_give_back(live, other);
    live_resume(live);
    assert_int_equal(live_count(live), 1);
    live_free(live);
    workspace_close(w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_in_use_is_dropped_when_it_is_given_back),
        cmocka_unit_test(a_revoked_key_stops_calls_to_models_and_a_restored_one_lets_them_in),
        cmocka_unit_test(a_key_that_is_gone_for_a_while_is_served_again_when_it_is_back),
        cmocka_unit_test(another_passphrase_takes_the_key_from_a_server_that_has_the_one_before),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
