/* The process that asks a key's holder, and holders that hang, crash, refuse and lie. */
#include "testing/testing.h"

#include "base/file.h"
#include "base/sandbox.h"
#include "vault/holder.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED true
#else
#define SANITIZED false
#endif

/* What the holder does is what the first byte of what it unwraps says. */
enum trick {
    HONEST = 'h',
    SLEEP = 's',
    CRASH = 'c',
    REFUSE = 'r',
    ENVIOUS = 'e',
    PROGRAM = 'p',
    TRACE = 't',
    SPACE = 'n',
    NETWORK = 'w',
    LOCAL = 'l',
    MEMORY = 'm'
};

/* Two ends in one process: TIPC and others have such, too. */
static struct status
use_pairs(void)
{
    int ends[2];
    for (int family = 0; family <= AF_MAX; family++) {
        for (int type = SOCK_STREAM; type <= SOCK_PACKET; type++) {
            CHECK(family == AF_UNIX || (socketpair(family, type, 0, ends) < 0 && errno == EPERM),
                  DENIED);
        }
    }
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, IO);
    (void)close(ends[0]);
    (void)close(ends[1]);
    return OK;
}

/* To a daemon of this machine; nothing that leaves it, and not to be connected to. */
static struct status
use_local_sockets(void)
{
    for (int family = 0; family <= AF_MAX; family++) {
        for (int type = SOCK_STREAM; type <= SOCK_PACKET; type++) {
            CHECK(family == AF_UNIX || (socket(family, type, 0) < 0 && errno == EPERM), DENIED);
        }
    }
    DEFER(file_closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0, IO);
    CHECK(listen(fd, 1) < 0 && errno == EPERM, DENIED);
    return use_pairs();
}

/* Connections of its own a driver may need: to a daemon, to a machine. Not to be connected to. */
static struct status
use_network(void)
{
    static const int refused[] = {AF_PACKET, AF_ALG, AF_VSOCK, AF_BLUETOOTH, AF_MAX + 1};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        CHECK(socket(refused[i], SOCK_STREAM, 0) < 0 && errno == EPERM, DENIED);
    }
    CHECK(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP) < 0 && errno == EPERM, DENIED);
    DEFER(file_closep) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    DEFER(file_closep) int local = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0 && local >= 0, IO);
    CHECK(listen(fd, 1) < 0 && errno == EPERM, DENIED);
    return use_pairs();
}

static struct status
look_at_memory(struct diag *diag)
{
    struct rlimit core, locked;
    DEFER(buf_done) struct buf text;
    buf_init(&text, 1 << 16);
    CHECK(getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0, DENIED);
    CHECK(prctl(PR_GET_DUMPABLE) == 0 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1, DENIED);
    CHECK(getrlimit(RLIMIT_MEMLOCK, &locked) == 0, IO);
    TRY(file_read("/proc/self/status", 1 << 16, diag, &text));
    const char *at = strstr(buf_str(&text), "VmLck:");
    /* The sanitizer's mlock does nothing. */
    const bool can = locked.rlim_cur > 1 << 16 && !SANITIZED;
    CHECK(at != NULL && (!can || strtol(at + strlen("VmLck:"), NULL, 10) > 0), DENIED);
    return OK;
}

static struct status
wrap(const void *ctx, const uint8_t key[static VAULT_KEY_BYTES], struct diag *diag,
     struct holder_wrapped *ret_wrapped)
{
    (void)diag;
    const uint8_t *with = ctx;
    ret_wrapped->len = 1 + VAULT_KEY_BYTES;
    ret_wrapped->bytes[0] = HONEST;
    for (size_t i = 0; i < VAULT_KEY_BYTES; i++) {
        ret_wrapped->bytes[1 + i] = key[i] ^ *with;
    }
    return OK;
}

static struct status
unwrap(const void *ctx, const struct holder_wrapped *w, struct diag *diag,
       uint8_t ret_key[static VAULT_KEY_BYTES])
{
    const uint8_t *with = ctx;
    switch (w->bytes[0]) {
    case SLEEP:
        for (;;) {
            (void)pause();
        }
    case CRASH:
        abort();
    case REFUSE:
        diag_set(diag, "wrong secret");
        FAIL(AUTH);
    case ENVIOUS: /* descriptors of who started the process */
        for (int fd = 4; fd < 64; fd++) {
            CHECK(fcntl(fd, F_GETFD) < 0, DENIED);
        }
        break;
    case PROGRAM:
        (void)execl("/bin/true", "true", (char *)NULL);
        FAIL(DENIED);
    case TRACE:
        (void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        FAIL(DENIED);
    case SPACE:
        (void)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL);
        FAIL(DENIED);
    case NETWORK:
        TRY(use_network());
        break;
    case LOCAL:
        TRY(use_local_sockets());
        break;
    case MEMORY:
        TRY(look_at_memory(diag));
        break;
    default:
        break;
    }
    for (size_t i = 0; i < VAULT_KEY_BYTES; i++) {
        ret_key[i] = w->bytes[1 + i] ^ *with;
    }
    return OK;
}

static struct status
shut_in(const void *ctx, struct diag *diag)
{
    (void)ctx;
    return sandbox_driver(false, diag);
}

static struct status
shut_in_with_network(const void *ctx, struct diag *diag)
{
    (void)ctx;
    return sandbox_driver(true, diag);
}

static const struct holder_kind kind = {.process = "steward-test",
                                        .called = "the test",
                                        .patience_s = 1,
                                        .refused = "refused before",
                                        .confine = shut_in,
                                        .wrap = wrap,
                                        .unwrap = unwrap};
static const struct holder_kind networked = {.process = "steward-test",
                                             .called = "the test",
                                             .patience_s = 1,
                                             .confine = shut_in_with_network,
                                             .wrap = wrap,
                                             .unwrap = unwrap};

/* What is XORed with becomes zero, once; then no more. */
static struct status
renew(void *ctx, struct diag *diag)
{
    uint8_t *with = ctx;
    if (*with == 0) {
        diag_set(diag, "renewed before");
        FAIL(AUTH);
    }
    *with = 0;
    return OK;
}

/* Until what it was given is another. */
static struct status
unwrap_renewed(const void *ctx, const struct holder_wrapped *w, struct diag *diag,
               uint8_t ret_key[static VAULT_KEY_BYTES])
{
    const uint8_t *with = ctx;
    while (*with != 0) {
        (void)pause();
    }
    CHECK(fcntl(4, F_GETFD) < 0, DENIED); /* no act answers for it */
    return unwrap(ctx, w, diag, ret_key);
}

static const struct holder_kind renewable = {.process = "steward-test",
                                             .called = "the test",
                                             .patience_s = 60,
                                             .confine = shut_in,
                                             .wrap = wrap,
                                             .unwrap = unwrap_renewed,
                                             .renew = renew};

static struct holder *
start(void)
{
    struct holder *h = NULL;
    struct diag diag = {0};
    uint8_t with = 0x5a;
    assert_ok(holder_start(&kind, &with, &diag, &h));
    with = 0; /* it has its own */
    return h;
}

static struct status
attempt(struct holder *h, enum trick trick, struct diag *diag)
{
    DEFER(secret_done) struct secret key = {0};
    struct holder_wrapped w = {.len = 1 + VAULT_KEY_BYTES, .bytes = {(uint8_t)trick}};
    return holder_unwrap(h, &w, diag, &key);
}

/* ---- the tests ---- */

static void
gives_back_what_it_wrapped(void **state)
{
    DEFER(holder_freep) struct holder *h = start();
    DEFER(secret_done) struct secret key = {0};
    DEFER(secret_done) struct secret again = {0};
    struct holder_wrapped w;
    struct diag diag = {0};
    (void)state;
    assert_ok(secret_new(VAULT_KEY_BYTES, &key));
    memset(key.ptr, 7, key.len);
    assert_ok(holder_wrap(h, &key, &diag, &w));
    assert_int_equal(w.bytes[1], 7 ^ 0x5a);
    assert_ok(holder_unwrap(h, &w, &diag, &again));
    assert_memory_equal(again.ptr, key.ptr, VAULT_KEY_BYTES);
}

static void
ends_an_act_that_hangs_or_crashes_and_goes_on(void **state)
{
    DEFER(holder_freep) struct holder *h = start();
    struct diag diag = {0};
    (void)state;
    assert_status(attempt(h, SLEEP, &diag), BUSY);
    assert_says(&diag, "the test did not answer within 1 s");
    assert_status(attempt(h, CRASH, &diag), IO);
    assert_says(&diag, "the test's code crashed");
    assert_ok(attempt(h, HONEST, &diag));
}

static void
tries_a_refused_credential_once(void **state)
{
    DEFER(holder_freep) struct holder *h = start();
    struct diag diag = {0};
    (void)state;
    assert_status(attempt(h, REFUSE, &diag), AUTH);
    assert_says(&diag, "wrong secret");
    assert_status(attempt(h, HONEST, &diag), AUTH);
    assert_says(&diag, "refused before");
}

static void
takes_nothing_along_but_its_socket(void **state)
{
    struct diag diag = {0};
    int others[2];
    (void)state;
    assert_int_equal(pipe(others), 0); /* without O_CLOEXEC */
    DEFER(holder_freep) struct holder *h = start();
    assert_ok(attempt(h, ENVIOUS, &diag));
    assert_int_equal(close(others[0]), 0);
    assert_int_equal(close(others[1]), 0);
}

static void
runs_no_program_and_traces_nobody_and_makes_no_space(void **state)
{
    static const enum trick tricks[] = {PROGRAM, TRACE, SPACE};
    DEFER(holder_freep) struct holder *h = start();
    (void)state;
    for (size_t i = 0; i < sizeof tricks / sizeof *tricks; i++) {
        struct diag diag = {0};
        assert_status(attempt(h, tricks[i], &diag), IO);
        assert_says(&diag, "the test's code crashed");
    }
    assert_ok(attempt(h, HONEST, NULL));
}

static void
connects_and_does_not_listen(void **state)
{
    DEFER(holder_freep) struct holder *h = NULL;
    const uint8_t with = 0x5a;
    (void)state;
    assert_ok(holder_start(&networked, (void *)(uintptr_t)&with, NULL, &h));
    assert_ok(attempt(h, NETWORK, NULL));
}

static void
has_no_socket_that_leaves_the_machine(void **state)
{
    DEFER(holder_freep) struct holder *h = start();
    (void)state;
    assert_ok(attempt(h, LOCAL, NULL));
}

static void
leaves_no_core_and_locks_its_memory(void **state)
{
    DEFER(holder_freep) struct holder *h = start();
    (void)state;
    assert_ok(attempt(h, MEMORY, NULL));
}

static void
ends_with_who_asks_also_in_the_middle(void **state)
{
    struct holder *h = start();
    const pid_t pid = holder_pid(h);
    struct diag diag = {0};
    (void)state;
    assert_ok(attempt(h, HONEST, &diag));
    const int spare = dup(holder_fd(h));
    holder_let_go(h);
    struct holder *other = holder_over(&kind, spare); /* as the keeper has it */
    assert_non_null(other);
    assert_ok(attempt(other, HONEST, &diag));
    holder_free(other);
    holder_free(h); /* waits for it */
    assert_int_equal(kill(pid, 0), -1);
}

static void *
ask_aside(void *ctx)
{
    struct holder *h = ctx;
    struct diag diag = {0};
    return status_ok(attempt(h, HONEST, &diag)) ? h : NULL;
}

/* Also while an act is under way, which begins again with it; and by who asks nothing any more. */
static void
what_it_was_given_is_renewed_under_an_act(void **state)
{
    struct holder *h = NULL;
    struct diag diag = {0};
    uint8_t with = 0x5a;
    pthread_t thread;
    void *good = NULL;
    (void)state;
    assert_ok(holder_start(&renewable, &with, &diag, &h));
    struct holder *asks = holder_over(&renewable, dup(holder_fd(h)));
    holder_let_go(h);
    assert_status(holder_renew(asks, &diag), UNSUPPORTED); /* another started it */
    assert_int_equal(pthread_create(&thread, NULL, ask_aside, asks), 0);
    assert_ok(holder_renew(h, &diag)); /* before or under the act: it ends only with this */
    assert_int_equal(pthread_join(thread, &good), 0);
    assert_ptr_equal(good, asks);
    assert_status(holder_renew(h, &diag), AUTH);
    assert_says(&diag, "renewed before");
    assert_ok(attempt(asks, HONEST, &diag));
    holder_free(asks);
    holder_free(h);
    DEFER(holder_freep) struct holder *plain = start();
    assert_status(holder_renew(plain, &diag), UNSUPPORTED);
}

static void
says_that_the_process_has_gone(void **state)
{
    DEFER(holder_freep) struct holder *h = start();
    struct diag diag = {0};
    (void)state;
    assert_int_equal(kill(holder_pid(h), SIGKILL), 0);
    assert_status(attempt(h, HONEST, &diag), IO);
    assert_says(&diag, "has ended; start again");
}

/* Who was taken over answers what it likes. */
static void
believes_no_answer(void **state)
{
    static const size_t sizes[] = {0, 1, 64, 1000, 1600, 4096, 100000};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        DEFER(buf_done) struct buf bytes;
        struct diag diag = {0};
        int ends[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
        DEFER(holder_freep) struct holder *h = holder_over(&kind, ends[0]);
        buf_init(&bytes, 1 << 20);
        memset(buf_extend(&bytes, sizes[i] + 1), 0xff, sizes[i] + 1);
        assert_true(send(ends[1], bytes.ptr, sizes[i], MSG_NOSIGNAL) >= 0);
        assert_status(attempt(h, HONEST, &diag), IO);
        assert_int_equal(close(ends[1]), 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_an_act_that_hangs_or_crashes_and_goes_on),
        cmocka_unit_test(tries_a_refused_credential_once),
        cmocka_unit_test(what_it_was_given_is_renewed_under_an_act),
        cmocka_unit_test(says_that_the_process_has_gone),
        cmocka_unit_test(believes_no_answer),
        cmocka_unit_test(takes_nothing_along_but_its_socket),
        cmocka_unit_test(runs_no_program_and_traces_nobody_and_makes_no_space),
        cmocka_unit_test(connects_and_does_not_listen),
        cmocka_unit_test(has_no_socket_that_leaves_the_machine),
        cmocka_unit_test(leaves_no_core_and_locks_its_memory),
        cmocka_unit_test(ends_with_who_asks_also_in_the_middle),
        cmocka_unit_test(gives_back_what_it_wrapped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
