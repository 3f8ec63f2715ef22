/* A server whose key is in a token: taken out, put back, a wrong PIN, a driver that fails. Against
 * SoftHSM2; skipped where it is not installed. */
#include "room.h"

#include "base/clock.h"
#include "base/file.h"
#include "govern/audit.h"
#include "testing/softhsm.h"

#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct room it;

static int
set_up(void **state)
{
    (void)state;
    room_init(&it);
    if (softhsm_is_there()) {
        softhsm_make(it.root);
        (void)setenv("STEWARD_PKCS11_PIN", SOFTHSM_PIN, 1);
        room_make(&it, SOFTHSM_URI("object=gcm"), "keys:\n  check: 1s\n  unreachable: 2s\n");
        room_start(&it);
    }
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    return room_done(&it);
}

#define NEEDS_TOKEN                                                                                \
    (void)state;                                                                                   \
    if (!softhsm_is_there()) {                                                                     \
        skip();                                                                                    \
    }

/* ---- the tests ---- */

/* The one before had the token out for a moment. */
static void
await_service(void)
{
    struct reply r;
    room_await(&it, 503, 200, &r);
    reply_done(&r);
}

static void
a_token_taken_out_stops_calls_to_models_and_put_back_lets_them_in(void **state)
{
    struct reply r;
    NEEDS_TOKEN
    await_service();
    const struct room_seen before = room_entries(&it, NULL);
    softhsm_pull(it.root);
    room_await(&it, 200, 503, &r);
    /* Why depends on what the token was asked when it went: no such token, no such key, ... */
    room_says(&r, "the key is not to be had: ");
    assert_null(strstr(buf_str(&r.body), it.root)); /* a caller learns of no path */
    assert_null(strstr(buf_str(&r.body), SOFTHSM_PIN));
    char id[256];
    reply_header(&r, "steward-call-id", id);
    reply_done(&r);
    room_answers(&it, "GET", "/v2/health/ready", NULL, 503, "may not be used now");
    room_answers(&it, "GET", "/v2/health/live", NULL, 200, "true");
    struct room_seen s = room_entries(&it, id);
    assert_int_equal(s.suspended, before.suspended + 1);
    assert_int_equal(s.refused, 1);
    softhsm_put_back(it.root);
    room_await(&it, 503, 200, &r);
    reply_done(&r);
    s = room_entries(&it, id);
    assert_int_equal(s.resumed, before.resumed + 1);
    assert_steward("audit", "verify");
}

/* What the system shows of a process to its own user. */
static void
shows_no_pin(pid_t pid)
{
    struct buf text;
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%ld/environ", (long)pid);
    testing_read(path, &text);
    assert_true(text.len > 0);
    assert_non_null(memmem(text.ptr, text.len, "STEWARD_PKCS11_PIN=", 19));
    assert_null(memmem(text.ptr, text.len, "_PIN=" SOFTHSM_PIN, 5 + strlen(SOFTHSM_PIN)));
    buf_done(&text);
}

/* The keeper has no PIN and makes no process; what has it is waited for by the server. */
static void
one_process_has_the_token_and_none_is_left_behind(void **state)
{
    pid_t token = 0, keeper = 0, act = 0;
    NEEDS_TOKEN
    assert_int_equal(room_children(&it, it.pid, "steward-token", &token), 1);
    assert_int_equal(room_children(&it, it.pid, "steward-keeper", &keeper), 1);
    assert_int_equal(room_children(&it, keeper, "steward-token", &act), 0);
    shows_no_pin(it.pid);
    shows_no_pin(keeper);
    shows_no_pin(token);
    assert_true(room_children(&it, token, "steward-token", &act) <= 1);
    assert_int_equal(testing_stop(it.pid), 0);
    it.pid = 0;
    char gone[64];
    room_field(token, "State", gone);
    assert_string_equal(gone, "");
    room_start(&it);
    room_answers(&it, "POST", ROOM_INFER, it.caller, 200, "\"outputs\"");
}

struct sought {
    const char *effect, *what, *why;
    bool found;
};

static struct status
look_for(void *ctx, uint64_t index, struct view entry)
{
    struct sought *r = ctx;
    (void)index;
    r->found = r->found || (memmem(entry.ptr, entry.len, r->effect, strlen(r->effect)) != NULL &&
                            memmem(entry.ptr, entry.len, r->what, strlen(r->what)) != NULL &&
                            memmem(entry.ptr, entry.len, r->why, strlen(r->why)) != NULL);
    return OK;
}

static void
log_has_one(const char *effect, const char *what, const char *why)
{
    DEFER(file_freep) char *log = file_join(it.dir, "audit");
    struct sought r = {effect, what, why, false};
    assert_ok(audit_each(log, 0, UINT64_MAX, look_for, &r, NULL));
    assert_true(r.found);
}

/* A refusal of the workspace's key is in the log, where the server that runs writes as well. */
static void
log_says(const char *what, const char *why)
{
    log_has_one("\"deny\"", what, why);
}

static void
log_has(const char *what, const char *why)
{
    log_has_one("\"allow\"", what, why);
}

static void
no_server_starts_with_a_wrong_pin_or_without_its_token(void **state)
{
    DEFER(testing_run_done) struct testing_run r = {0};
    DEFER(testing_run_done) struct testing_run out = {0};
    NEEDS_TOKEN(void) setenv("STEWARD_PKCS11_PIN", "9999", 1);
    testing_steward(&r, "serve", "--listen", "127.0.0.1:0", NULL);
    (void)setenv("STEWARD_PKCS11_PIN", SOFTHSM_PIN, 1);
    assert_text_has(buf_str(&r.err), "wrong PIN");
    assert_int_equal(r.exit_code, 3);
    log_says("not opened for=\\\"serve\\\": ", "wrong PIN");
    softhsm_pull(it.root);
    testing_steward(&out, "serve", "--listen", "127.0.0.1:0", NULL);
    softhsm_put_back(it.root);
    assert_int_not_equal(out.exit_code, 0);
    assert_text_has(buf_str(&out.err), "no such token");
    log_says("not opened for=\\\"serve\\\": ", "no such token");
}

/* Killed from outside: nobody can be asked any more, which holds calls up once that has lasted. */
static void
a_holder_that_cannot_be_asked_stops_calls_after_its_time(void **state)
{
    pid_t token = 0;
    struct reply r;
    NEEDS_TOKEN
    assert_int_equal(room_children(&it, it.pid, "steward-token", &token), 1);
    assert_int_equal(kill(token, SIGKILL), 0);
    room_await(&it, 200, 503, &r);
    room_says(&r, "the process that asks the token has ended");
    reply_done(&r);
    assert_int_equal(testing_stop(it.pid), 0);
    it.pid = 0;
    room_start(&it);
    room_answers(&it, "POST", ROOM_INFER, it.caller, 200, "\"outputs\"");
    struct buf text;
    testing_read(it.log, &text);
    assert_null(strstr(buf_str(&text), "sandbox: system call"));
    buf_done(&text);
}

/* Where the driver hangs, nobody waits for it but the keeper's second thread. */
static void
a_driver_that_crashes_or_hangs_stops_calls_after_its_time(void **state)
{
    DEFER(file_freep) char *trouble = file_join(it.root, "trouble");
    struct reply r;
    NEEDS_TOKEN
    assert_int_equal(testing_stop(it.pid), 0);
    (void)setenv("STEWARD_PKCS11_MODULE", getenv("STEWARD_TEST_DRIVER"), 1);
    (void)setenv("STEWARD_TEST_TROUBLE", trouble, 1);
    room_start(&it);
    await_service();
    testing_write(trouble, view_str("crash"));
    room_await(&it, 200, 503, &r);
    room_says(&r, "the token's code crashed");
    reply_done(&r);
    assert_int_equal(unlink(trouble), 0);
    await_service();
    testing_write(trouble, view_str("hang"));
    room_await(&it, 200, 503, &r);
    room_says(&r, "its holder does not answer");
    reply_done(&r);
    room_answers(&it, "GET", "/v2/health/live", NULL, 200, "true");
    const int64_t since = clock_mono_ns();
    assert_int_equal(testing_stop(it.pid), 0);
    assert_true(clock_mono_ns() - since < 20 * NS_PER_S); /* less than the driver is waited for */
    it.pid = 0;
    (void)unsetenv("STEWARD_PKCS11_MODULE");
}

/* ---- a driver that connects ---- */

/* Of 127.0.0.1, and its port. */
static int
listen_here(uint16_t *ret_port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    *ret_port = ntohs(at.sin_port);
    return fd;
}

static unsigned
took(int listener)
{
    unsigned n = 0;
    for (int fd = accept(listener, NULL, NULL); fd >= 0; fd = accept(listener, NULL, NULL)) {
        (void)close(fd);
        n++;
    }
    return n;
}

static void
configure_network(const char *word)
{
    DEFER(file_freep) char *file = file_join(it.dir, "steward.yaml");
    DEFER(buf_done) struct buf text;
    buf_init(&text, 4096);
    buf_put_str(&text, "keys:\n  check: 1s\n  unreachable: 2s\n");
    if (*word != '\0') {
        buf_printf(&text, "  token_network: %s\n", word);
    }
    testing_write(file, buf_view(&text));
}

static void
a_verb_is_refused(const char *why)
{
    DEFER(testing_run_done) struct testing_run r = {0};
    testing_steward(&r, "model", "list", NULL);
    assert_int_not_equal(r.exit_code, 0);
    assert_text_has(buf_str(&r.err), why);
}

/* As the drivers of network HSMs do. It would go past network.egress, so somebody must have said
 * that it may; then that is said whenever it is so. */
static void
a_driver_that_connects_is_let_where_the_configuration_says_so(void **state)
{
    DEFER(file_freep) char *trouble = file_join(it.root, "trouble");
    DEFER(testing_run_done) struct testing_run no = {0};
    DEFER(testing_run_done) struct testing_run yes = {0};
    char what[32];
    struct buf said;
    uint16_t port = 0;
    NEEDS_TOKEN
    const int listener = listen_here(&port);
    (void)snprintf(what, sizeof what, "connect %u", port);
    testing_write(trouble, view_str(what));
    (void)setenv("STEWARD_PKCS11_MODULE", getenv("STEWARD_TEST_DRIVER"), 1);
    (void)setenv("STEWARD_TEST_TROUBLE", trouble, 1);

    configure_network("");
    a_verb_is_refused("system call 41 refused");
    testing_steward(&no, "serve", "--listen", "127.0.0.1:0", NULL);
    assert_int_not_equal(no.exit_code, 0);
    assert_int_equal(took(listener), 0);

    configure_network("open");
    (void)setenv("STEWARD_TOKEN_NETWORK", "closed", 1); /* who runs it has the last word */
    a_verb_is_refused("gives no list of functions");
    (void)unsetenv("STEWARD_TOKEN_NETWORK");
    assert_int_equal(took(listener), 0);
    testing_steward(&yes, "model", "list", NULL);
    assert_int_equal(yes.exit_code, 0);
    assert_text_has(buf_str(&yes.err), "the token's driver may connect anywhere");
    assert_true(took(listener) > 0);

    room_start(&it);
    room_answers(&it, "POST", ROOM_INFER, it.caller, 200, "\"outputs\"");
    assert_true(took(listener) > 0);
    assert_int_equal(testing_stop(it.pid), 0);
    testing_read(it.log, &said); /* whole, now: what it says at its start may come after a call */
    assert_text_has(buf_str(&said), "token_network=open");
    assert_text_has(buf_str(&said), "token.network");
    buf_done(&said);
    log_has("server.operate", "may connect anywhere, past network.egress");

    assert_int_equal(unlink(trouble), 0);
    configure_network("closed");
    room_start(&it);
    testing_read(it.log, &said);
    assert_text_has(buf_str(&said), "token_network=closed");
    buf_done(&said);
    assert_int_equal(testing_stop(it.pid), 0);
    it.pid = 0;
    (void)close(listener);
    (void)unsetenv("STEWARD_PKCS11_MODULE");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_server_starts_with_a_wrong_pin_or_without_its_token),
        cmocka_unit_test(a_token_taken_out_stops_calls_to_models_and_put_back_lets_them_in),
        cmocka_unit_test(one_process_has_the_token_and_none_is_left_behind),
        cmocka_unit_test(a_holder_that_cannot_be_asked_stops_calls_after_its_time),
        cmocka_unit_test(a_driver_that_crashes_or_hangs_stops_calls_after_its_time),
        cmocka_unit_test(a_driver_that_connects_is_let_where_the_configuration_says_so),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
