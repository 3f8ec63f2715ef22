/* A server whose key a transit service holds (testing/transit.h): what the service refuses, what it
 * does not answer, and who has its token. */
#include "room.h"

#include "base/file.h"
#include "testing/transit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct room it;
static struct transit_service *service;
static char *uri, line[64];

#define CONFIG_MAX 1400

/* by: a line of network.egress. */
static void
put_config(const char *from, const char *by, char ret_config[static CONFIG_MAX])
{
    (void)snprintf(ret_config, CONFIG_MAX,
                   "keys:\n  check: 1s\n  unreachable: 2s\n  transit: %s\n"
                   "network:\n  egress:\n    - %s\n",
                   from, by);
}

static int
set_up(void **state)
{
    (void)state;
    char config[CONFIG_MAX];
    room_init(&it);
    service = transit_service_start(it.root);
    uri = transit_service_uri(service, it.root, "");
    (void)snprintf(line, sizeof line, "transit 127.0.0.1 %u", service->port);
    put_config(uri, line, config);
    (void)setenv("STEWARD_TRANSIT_TOKEN", TRANSIT_TOKEN, 1);
    room_make(&it, uri, config);
    room_start(&it);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    const int ended = room_done(&it);
    transit_service_stop(service);
    free(uri);
    return ended;
}

static void
awaits(unsigned before, unsigned after, const char *says)
{
    struct reply r;
    room_await(&it, before, after, &r);
    room_says(&r, says);
    assert_null(strstr(buf_str(&r.body), TRANSIT_TOKEN));
    assert_null(strstr(buf_str(&r.body), it.root)); /* a caller learns of no path */
    reply_done(&r);
}

/* ---- the service's word ---- */

static void
what_the_service_refuses_stops_calls_and_given_again_they_go_on(void **state)
{
    static const struct {
        size_t at;
        const char *says;
    } refusals[] = {
        {offsetof(struct transit_service, revoked), "does not let the token do this"},
        {offsetof(struct transit_service, deleted), "no such key"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        _Atomic bool *refusal = (_Atomic bool *)(void *)((char *)service + refusals[i].at);
        const struct room_seen before = room_entries(&it, NULL);
        *refusal = true;
        awaits(200, 503, refusals[i].says);
        room_answers(&it, "GET", "/v2/health/ready", NULL, 503, "may not be used now");
        room_answers(&it, "GET", "/v2/health/live", NULL, 200, "true");
        *refusal = false;
        awaits(503, 200, "\"outputs\"");
        const struct room_seen after = room_entries(&it, NULL);
        /* Once; or again, where a loaded machine kept a question waiting for unreachable. */
        assert_true(after.suspended > before.suspended);
        assert_int_equal(after.resumed - before.resumed, after.suspended - before.suspended);
    }
    assert_steward("audit", "verify");
}

static void
a_version_that_may_not_decrypt_any_more_stops_calls_until_the_key_is_wrapped_anew(void **state)
{
    (void)state;
    service->version = service->least = 2;
    awaits(200, 503, "min_decryption_version");
    service->least = 1;
    assert_steward("key", "rewrap");
    service->least = 2;
    awaits(503, 200, "\"outputs\"");
}

/* ---- no word ---- */

static void
an_answer_that_is_none_stops_calls_after_its_time_only(void **state)
{
    (void)state;
    const unsigned asked = service->asked;
    service->trouble = TRANSIT_PAGE_502;
    while (service->asked < asked + 3) { /* three looks: half a second and more */
        room_answers(&it, "POST", ROOM_INFER, it.caller, 200, "\"outputs\"");
    }
    awaits(200, 503, "the transit service failed (HTTP 502)");
    service->trouble = TRANSIT_WELL;
    awaits(503, 200, "\"outputs\"");
    service->trouble = TRANSIT_SILENT;
    awaits(200, 503, "the key is not to be had");
    room_answers(&it, "GET", "/v2/health/live", NULL, 200, "true");
    service->trouble = TRANSIT_WELL;
    awaits(503, 200, "\"outputs\"");
    const struct room_seen before = room_entries(&it, NULL);
    service->trouble = TRANSIT_METADATA; /* a redirect is no answer, and is not followed */
    awaits(200, 503, "the key is not to be had");
    service->trouble = TRANSIT_WELL;
    awaits(503, 200, "\"outputs\"");
    service->trouble = TRANSIT_OTHER; /* a key that it did not wrap */
    awaits(200, 503, "the key is not to be had");
    service->trouble = TRANSIT_WELL;
    awaits(503, 200, "\"outputs\"");
    const struct room_seen after = room_entries(&it, NULL);
    assert_true(after.suspended > before.suspended);
    assert_int_equal(service->strayed, 0);
    assert_true(after.suspended >= 4); /* each trouble has its entry */
}

static void
a_rotation_under_a_running_server_is_followed(void **state)
{
    (void)state;
    assert_steward("key", "rotate");
    room_answers(&it, "POST", ROOM_INFER, it.caller, 200, "\"outputs\"");
    room_answers(&it, "GET", "/v2/health/ready", NULL, 200, "");
}

/* ---- the configuration, under a running server ---- */

/* Until the newest entry about it says that, which none before did. */
static void
reload(const char *from, const char *by, const char *says)
{
    char config[CONFIG_MAX];
    bool said = false;
    DEFER(file_freep) char *file = file_join(it.dir, "steward.yaml");
    put_config(from, by, config);
    testing_write(file, view_str(config));
    assert_int_equal(kill(it.pid, SIGHUP), 0);
    for (unsigned i = 0; i < 600 && !said; i++) {
        const struct timespec pause = {.tv_nsec = 100 * 1000 * 1000};
        DEFER(testing_run_done) struct testing_run r = {0};
        testing_steward(&r, "audit", "show", "--action", "network.configure", "--last", "1", NULL);
        said = strstr(buf_str(&r.out), says) != NULL;
        (void)nanosleep(&pause, NULL);
    }
    assert_true(said);
}

static void
a_changed_rule_or_address_holds_at_once_and_another_key_is_refused(void **state)
{
    char elsewhere[600], other[600], rule[96], says[96];
    (void)state;
    (void)snprintf(elsewhere, sizeof elsewhere,
                   "transit:https://localhost:%u/team/transit/steward?ca-file=%s/ca.pem",
                   service->port, it.root);
    (void)snprintf(other, sizeof other,
                   "transit:https://localhost:%u/team/transit/another?ca-file=%s/ca.pem",
                   service->port, it.root);
    (void)snprintf(rule, sizeof rule, "transit localhost %u at 127.0.0.0/8,::1", service->port);
    (void)snprintf(says, sizeof says, "the key's holder is asked at localhost:%u", service->port);
    room_answers(&it, "POST", ROOM_INFER, it.caller, 200, "\"outputs\"");
    reload(uri, "jwks a.example 443", "egress 1, the key's holder is asked at 127.0.0.1");
    const unsigned tokens = service->tokens;
    awaits(200, 503, "network.egress");
    assert_int_equal(service->tokens, tokens); /* nobody was asked any more */
    reload(elsewhere, rule, says);
    awaits(503, 200, "\"outputs\"");
    reload(other, rule, "names another one");
    reload("none", rule, "set STEWARD_TRANSIT, or keys.transit");
    const unsigned asked = service->asked;
    while (service->asked < asked + 3) { /* as before, under the address of before */
        room_answers(&it, "POST", ROOM_INFER, it.caller, 200, "\"outputs\"");
    }
    reload(uri, line, "asked at 127.0.0.1");
    room_answers(&it, "POST", ROOM_INFER, it.caller, 200, "\"outputs\"");
    assert_steward("audit", "verify");
}

/* ---- the token ---- */

static void
shows_no_token(pid_t pid, const char *file)
{
    struct buf text;
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%ld/%s", (long)pid, file);
    testing_read(path, &text);
    assert_true(text.len > 0);
    assert_null(memmem(text.ptr, text.len, TRANSIT_TOKEN, strlen(TRANSIT_TOKEN)));
    buf_done(&text);
}

/* The keeper asks nobody and has no token; what has it shows it to nobody and dumps no core. */
static void
one_process_has_the_token_and_no_log_file_environment_or_core(void **state)
{
    pid_t asks = 0, keeper = 0, none = 0;
    struct buf text;
    (void)state;
    assert_int_equal(room_children(&it, it.pid, "steward-transit", &asks), 1);
    assert_int_equal(room_children(&it, it.pid, "steward-keeper", &keeper), 1);
    assert_int_equal(room_children(&it, keeper, "steward-transit", &none), 0);
    const pid_t all[] = {it.pid, keeper, asks};
    for (size_t i = 0; i < 3; i++) {
        char limits[64];
        shows_no_token(all[i], "environ");
        shows_no_token(all[i], "cmdline");
        (void)snprintf(limits, sizeof limits, "/proc/%ld/limits", (long)all[i]);
        testing_read(limits, &text);
        const char *core = strstr(buf_str(&text), "Max core file size");
        assert_non_null(core);
        assert_int_equal(strtoul(core + 18, NULL, 10), 0);
        buf_done(&text);
    }
    testing_read(it.log, &text);
    assert_null(strstr(buf_str(&text), TRANSIT_TOKEN));
    assert_null(strstr(buf_str(&text), "sandbox: system call"));
    buf_done(&text);
    DEFER(testing_run_done) struct testing_run r = {0};
    char *const grep[] = {(char *)(uintptr_t) "/bin/grep",
                          (char *)(uintptr_t) "-rF",
                          (char *)(uintptr_t) "-e",
                          (char *)(uintptr_t)TRANSIT_TOKEN,
                          it.dir,
                          NULL};
    testing_run(grep, &r);
    assert_int_equal(r.exit_code, 1); /* in no file of the workspace */
}

/* The keeper, which holds all keys, is linked with nothing that speaks to the network. */
static void
the_keeper_has_no_client_of_the_network_in_it(void **state)
{
    pid_t keeper = 0;
    struct buf text;
    char path[64];
    (void)state;
    assert_int_equal(room_children(&it, it.pid, "steward-keeper", &keeper), 1);
    (void)snprintf(path, sizeof path, "/proc/%ld/maps", (long)keeper);
    testing_read(path, &text);
    assert_non_null(strstr(buf_str(&text), "libcrypto"));
    assert_null(strstr(buf_str(&text), "libcurl"));
    buf_done(&text);
}

/* ---- starting ---- */

static void
no_server_starts_where_the_service_refuses_or_nobody_may_be_asked(void **state)
{
    DEFER(testing_run_done) struct testing_run refused = {0};
    DEFER(testing_run_done) struct testing_run unnamed = {0};
    DEFER(file_freep) char *other = file_join(it.root, "other.yaml");
    (void)state;
    service->revoked = true;
    testing_steward(&refused, "serve", "--listen", "127.0.0.1:0", NULL);
    service->revoked = false;
    assert_int_equal(refused.exit_code, 3);
    assert_text_has(buf_str(&refused.err), "does not let the token do this");
    testing_write(other, view_str("keys:\n  check: 1s\n"));
    testing_steward(&unnamed, "serve", "--listen", "127.0.0.1:0", "--config", other, NULL);
    assert_int_equal(unnamed.exit_code, 3);
    assert_text_has(buf_str(&unnamed.err), "keys.transit");
    DEFER(testing_run_done) struct testing_run log = {0};
    testing_steward(&log, "audit", "show", "--action", "key.use", "--last", "10", NULL);
    assert_int_equal(log.exit_code, 0);
    assert_text_has(buf_str(&log.out), "not opened for=\"serve\"");
    assert_text_has(buf_str(&log.out), "does not let the token do this");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_service_refuses_stops_calls_and_given_again_they_go_on),
        cmocka_unit_test(
            a_version_that_may_not_decrypt_any_more_stops_calls_until_the_key_is_wrapped_anew),
        cmocka_unit_test(an_answer_that_is_none_stops_calls_after_its_time_only),
        cmocka_unit_test(a_rotation_under_a_running_server_is_followed),
        cmocka_unit_test(a_changed_rule_or_address_holds_at_once_and_another_key_is_refused),
        cmocka_unit_test(one_process_has_the_token_and_no_log_file_environment_or_core),
        cmocka_unit_test(the_keeper_has_no_client_of_the_network_in_it),
        /* Last: the server that runs is refused meanwhile, too. */
        cmocka_unit_test(no_server_starts_where_the_service_refuses_or_nobody_may_be_asked),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
