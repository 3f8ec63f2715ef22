/* Who has taken a program over asks what starts the holders of keys for whatever he likes. */
#include "testing/testing.h"

#include "base/sandbox.h"
#include "vault/starter.h"
#include "vault/transit.h"
#include "vault/transit_ask.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HERE "transit:https://127.0.0.1:"
#define KEY "/transit/steward"
#define TOKEN "a token"

/* Two services of this machine: one that the command named, and the intruder's. */
static struct {
    int own, other;
    char own_uri[128], other_uri[128], own_rule[64], other_rule[64];
} it;

static int
listener(char *ret_uri, char *ret_rule)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof at;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (bind(fd, (const struct sockaddr *)&at, n) != 0 || listen(fd, 8) != 0 ||
        getsockname(fd, (struct sockaddr *)&at, &n) != 0) {
        return -1;
    }
    (void)snprintf(ret_uri, 128, HERE "%u" KEY, (unsigned)ntohs(at.sin_port));
    (void)snprintf(ret_rule, 64, "transit 127.0.0.1 %u\n", (unsigned)ntohs(at.sin_port));
    return fd;
}

static int
set_up(void **state)
{
    (void)state;
    it.own = listener(it.own_uri, it.own_rule);
    it.other = listener(it.other_uri, it.other_rule);
    return it.own >= 0 && it.other >= 0 ? 0 : -1;
}

static int
tear_down(void **state)
{
    (void)state;
    (void)close(it.own);
    (void)close(it.other);
    return 0;
}

/* Whoever has come is sent away. */
static bool
came(int fd)
{
    const int who = accept(fd, NULL, NULL);
    (void)close(who);
    return who >= 0;
}

static void
write_letter(const char *uri, const char *rules, const char *token, struct secret *ret_letter)
{
    DEFER(secret_done) struct secret with = {0};
    if (*token != '\0') {
        assert_ok(secret_from(view_str(token), &with));
    }
    assert_ok(transit_write_letter(uri, view_str(rules), &with, ret_letter));
}

/* As a verb does it: what it begins with, then the filter, then the question, and an act. */
static int32_t
ask(const char *target, const char *uri, const char *rules)
{
    const struct starter_means means = {.transit = &transit_kind};
    const struct secret key = {(uint8_t[VAULT_KEY_BYTES]){1}, VAULT_KEY_BYTES};
    struct secret begins = {0}, letter = {0};
    struct diag diag = {0};
    struct provider *p = NULL;
    struct holder_wrapped wrapped;
    write_letter(it.own_uri, it.own_rule, "", &begins);
    write_letter(uri, rules, TOKEN, &letter);
    const struct starter_target foreseen = {it.own_uri, &begins};
    if (!status_ok(starter_begin(&means, &foreseen, 1, NULL)) ||
        !status_ok(sandbox_calls(SANDBOX_VERB, NULL))) {
        return STATUS_CODES;
    }
    const struct provider_means asked = {.credential = &letter};
    struct status s = provider_new(target, &asked, &diag, &p);
    s = status_ok(s) ? holder_wrap(provider_holder(p), &key, &diag, &wrapped) : s;
    provider_free(p);
    starter_end();
    return s.code;
}

/* How it ends, and who was asked meanwhile. */
struct end {
    int code;
    bool own, other;
};

static struct end
end_of(const char *target, const char *uri, const char *rules)
{
    const struct timespec pause = {.tv_nsec = 1000 * 1000};
    struct end end = {0};
    int ended = -1;
    const pid_t pid = fork();
    if (pid == 0) {
        _exit(ask(target, uri, rules));
    }
    for (pid_t gone = 0; gone == 0; (void)nanosleep(&pause, NULL)) {
        gone = waitpid(pid, &ended, WNOHANG);
        end.own = came(it.own) || end.own;
        end.other = came(it.other) || end.other;
    }
    assert_true(WIFEXITED(ended));
    end.code = WEXITSTATUS(ended);
    return end;
}

/* The service of this test hangs up on whoever asks it: all that counts is who is asked. */
static void
only_who_was_named_at_the_beginning_is_asked(void **state)
{
    (void)state;
    char file[192], rules[192];
    (void)snprintf(file, sizeof file, "%s?token-file=/etc/passwd", it.own_uri);
    (void)snprintf(rules, sizeof rules, "%s%s", it.own_rule, it.other_rule);
    const struct {
        const char *target, *uri, *rules;
    } others[] = {
        {it.own_uri, it.other_uri, it.other_rule},   /* the same key of another service */
        {it.own_uri, it.other_uri, rules},           /* also where the rules begin right */
        {it.own_uri, it.own_uri, rules},             /* rules that let more */
        {it.own_uri, it.own_uri, it.other_rule},     /* and others */
        {it.own_uri, file, it.own_rule},             /* a file for a token */
        {it.other_uri, it.other_uri, it.other_rule}, /* another target */
        {it.other_uri, it.own_uri, it.own_rule},
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        const struct end end = end_of(others[i].target, others[i].uri, others[i].rules);
        if (end.code != STATUS_DENIED || end.own || end.other) {
            fail_msg("row %zu: %d, asked %d %d", i, end.code, end.own, end.other);
        }
    }
    /* So that this test can fail. */
    const struct end end = end_of(it.own_uri, it.own_uri, it.own_rule);
    assert_int_equal(end.code, STATUS_IO);
    assert_true(end.own && !end.other);
}

static const char token[] = "pkcs11:token=steward;object=own?module-path=/usr/lib/own.so";

static void
starts_holders_for_what_was_named_at_the_beginning_alone(void **state)
{
    const char *const others[] = {
        "pkcs11:token=steward;object=own?module-path=/tmp/own.so",
        "pkcs11:token=steward;object=other?module-path=/usr/lib/own.so",
        it.own_uri,
        "",
    };
    (void)state;
    char target[PROVIDER_TARGET_MAX];
    int holder = -1;
    DEFER(secret_done) struct secret pin = {0};
    const struct starter_means means = {0};
    const struct starter_target foreseen = {token, NULL};
    assert_ok(secret_from(view_str("1234"), &pin));
    assert_ok(starter_begin(&means, &foreseen, 1, NULL));
    assert_true(starter_is_there());
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct diag diag = {0};
        assert_status(starter_ask(others[i], &pin, &diag, target, &holder), DENIED);
        assert_says(&diag, "another holder of keys is asked for than the command began with");
    }
    assert_int_equal(holder, -1);
    assert_ok(starter_ask(token, &pin, NULL, target, &holder)); /* its module is loaded later */
    assert_int_equal(close(holder), 0);
    starter_end();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_holders_for_what_was_named_at_the_beginning_alone),
        cmocka_unit_test(only_who_was_named_at_the_beginning_is_asked),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
