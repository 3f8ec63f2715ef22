/* A key that is withdrawn from under a running server: models are dropped and calls to them refused
 * with the reason, each in the log, until the key is back. */
#include "room.h"

#include "base/file.h"
#include "base/secret.h"
#include "serve/live.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define PASSPHRASE "correct horse battery staple"

static struct room it;

static int
set_up(void **state)
{
    (void)state;
    (void)setenv("STEWARD_PASSPHRASE", PASSPHRASE, 1);
    room_init(&it);
    room_make(&it, "passphrase", "keys:\n  check: 1s\n");
    room_start(&it);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    return room_done(&it);
}

/* ---- the tests ---- */

/* Calls are answered while it is made; what it restores is another workspace. */
static void
a_backup_is_made_under_a_server_and_never_restored_over_it(void **state)
{
    (void)state;
    DEFER(file_freep) char *backup = file_join(it.root, "backup");
    DEFER(file_freep) char *copy = file_join(it.root, "copy");
    DEFER(file_freep) char *copied_log = file_join(it.root, "copy/audit");
    DEFER(file_freep) char *said = file_join(it.root, "backup.log");
    DEFER(file_freep) char *seen = file_join(it.root, "copy.seen");
    char *const argv[] = {(char *)(uintptr_t)testing_binary(), (char *)(uintptr_t) "backup",
                          (char *)(uintptr_t) "create", backup, NULL};
    struct testing_run r;
    int ended = -1;
    const pid_t pid = testing_start(argv, said);
    do {
        room_answers(&it, "POST", ROOM_INFER, it.caller, 200, "\"outputs\"");
    } while (waitpid(pid, &ended, WNOHANG) == 0);
    assert_int_equal(ended, 0);
    assert_steward("backup", "verify", backup);
    testing_steward(&r, "backup", "restore", backup, it.dir, NULL);
    assert_int_equal(r.exit_code, 5);
    assert_text_has(buf_str(&r.err), "not empty");
    testing_run_done(&r);
    assert_steward("backup", "restore", backup, copy);
    /* Its log went on by itself: to who has seen the one, the other is a fork. */
    assert_steward("audit", "verify", copied_log, "--state", seen);
    assert_steward("audit", "verify");
    room_answers(&it, "POST", ROOM_INFER, it.caller, 200, "\"outputs\"");
}

static void
a_revoked_key_stops_calls_to_models_and_a_restored_one_lets_them_in(void **state)
{
    (void)state;
    struct reply r;
    char value[256], id[256];
    room_answers(&it, "POST", ROOM_INFER, it.caller, 200, "\"outputs\"");
    room_answers(&it, "GET", "/v2/health/ready", NULL, 200, "true");
    assert_steward("key", "revoke", "--reason", "the laptop was stolen");
    room_await(&it, 200, 503, &r);
    const bool knows_us = room_says(&r, "{\"error\":\"not served since 20") &&
                          room_says(&r, "Z: the key was revoked: the laptop was stolen\"}");
    reply_header(&r, "retry-after", value);
    assert_string_equal(value, "1");
    reply_header(&r, "steward-call-id", id);
    reply_done(&r);
    room_answers_known(&it, "GET", "/v2/models/loans", it.caller, 503, "the laptop was stolen");
    room_answers_known(&it, "GET", "/v2/models/loans/ready", it.caller, 503,
                       "the laptop was stolen");
    room_answers_known(&it, "GET", "/v2/models/nosuch", it.caller, 503, "the laptop was stolen");
    room_answers(&it, "GET", "/v2/models/loans", NULL, 401, "a valid key is needed");
    room_answers(&it, "GET", "/v2/health/ready", NULL, 503,
                 "the workspace's key may not be used now");
    room_answers(&it, "GET", "/v2/health/live", NULL, 200, "true");
    room_answers_known(&it, "GET", "/metrics", it.watcher, 200, "steward_models_ready 0\n");
    struct room_seen s = room_entries(&it, knows_us ? id : NULL);
    assert_int_equal(s.suspended, 1);
    assert_int_equal(s.resumed, 0);
    assert_int_equal(s.refused, knows_us);
    assert_steward("key", "restore");
    room_await(&it, 503, 200, &r);
    reply_done(&r);
    room_answers(&it, "GET", "/v2/health/ready", NULL, 200, "true");
    s = room_entries(&it, id);
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
    room_await(&it, 200, 503, &r);
    room_says(&r, "the key is not to be had: ");
    assert_null(strstr(buf_str(&r.body), it.dir)); /* a caller learns of no path */
    reply_done(&r);
    assert_int_equal(rename(away, key), 0);
    room_await(&it, 503, 200, &r);
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
    room_await(&it, 200, 503, &r);
    room_says(&r, "wrong passphrase");
    reply_done(&r);
    (void)setenv("STEWARD_PASSPHRASE", "another passphrase", 1);
    assert_steward("key", "rewrap", "--new-passphrase-file", before);
    (void)setenv("STEWARD_PASSPHRASE", PASSPHRASE, 1);
    room_await(&it, 503, 200, &r);
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
        cmocka_unit_test(a_backup_is_made_under_a_server_and_never_restored_over_it),
        cmocka_unit_test(a_revoked_key_stops_calls_to_models_and_a_restored_one_lets_them_in),
        cmocka_unit_test(a_key_that_is_gone_for_a_while_is_served_again_when_it_is_back),
        cmocka_unit_test(another_passphrase_takes_the_key_from_a_server_that_has_the_one_before),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
