/* The process that asks a key's holder, and holders that hang, crash, refuse and lie. */
#include "testing/testing.h"

#include "vault/holder.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the holder does is what the first byte of what it unwraps says. */
enum trick { HONEST = 'h', SLEEP = 's', CRASH = 'c', REFUSE = 'r', ENVIOUS = 'e' };

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
    default:
        break;
    }
    for (size_t i = 0; i < VAULT_KEY_BYTES; i++) {
        ret_key[i] = w->bytes[1 + i] ^ *with;
    }
    return OK;
}

static const struct holder_kind kind = {.process = "steward-test",
                                        .called = "the test",
                                        .patience_s = 1,
                                        .refused = "refused before",
                                        .wrap = wrap,
                                        .unwrap = unwrap};

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
        cmocka_unit_test(says_that_the_process_has_gone),
        cmocka_unit_test(believes_no_answer),
        cmocka_unit_test(takes_nothing_along_but_its_socket),
        cmocka_unit_test(ends_with_who_asks_also_in_the_middle),
        cmocka_unit_test(gives_back_what_it_wrapped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
