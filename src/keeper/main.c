/* steward-keeper: the process that holds a workspace's keys while it is served. `steward serve`
 * starts it with one end of a socket as descriptor 3; it ends when the other end is closed. It is
 * linked with base, net and vault only. */
#include "base/apart.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "base/secret.h"
#include "vault/keeper.h"
#include "vault/provider.h"
#include "vault/rotation.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DENIALS_TOLD 100u /* then a line says so, and no more */

static bool
send_reply(const struct keeper_reply *r)
{
    return send(KEEPER_FD, r, sizeof *r, MSG_NOSIGNAL) == (ssize_t)sizeof *r;
}

/* ---- the first message ---- */

static struct status
read_setup(struct secret *room)
{
    TRY(secret_new(sizeof(struct keeper_setup), room));
    struct keeper_setup *setup = (struct keeper_setup *)(void *)room->ptr;
    CHECK(recv(KEEPER_FD, setup, sizeof *setup, MSG_TRUNC) == (ssize_t)sizeof *setup, INPUT);
    CHECK(setup->version == KEEPER_VERSION && setup->passphrase_len <= sizeof setup->passphrase &&
              setup->check_ns >= 0 && setup->unreachable_ns >= 0 && setup->has_holder <= 1 &&
              memchr(setup->dir, 0, sizeof setup->dir) != NULL,
          INPUT);
    return OK;
}

/* The provider serves the vault, which follows what is done to the workspace's key. */
static struct status
open_vault(const struct keeper_setup *setup, struct diag *diag, struct provider **ret_provider,
           struct vault **ret_vault)
{
    char keys[KEEPER_DIR_MAX + 8];
    DEFER(secret_done) struct secret passphrase = {0};
    (void)snprintf(keys, sizeof keys, "%s/keys", setup->dir);
    if (setup->passphrase_len > 0) {
        TRY(secret_from(view_of(setup->passphrase, setup->passphrase_len), &passphrase));
    }
    const struct provider_means means = {.credential = &passphrase,
                                         .holder = setup->has_holder == 1 ? KEEPER_HOLDER_FD : 0};
    TRY(provider_open(keys, &means, diag, ret_provider));
    TRY(vault_open(keys, provider_table(*ret_provider), diag, ret_vault));
    vault_hold(*ret_vault, provider_table(*ret_provider));
    vault_set_patience(*ret_vault, setup->unreachable_ns);
    return OK;
}

/* ---- is the key still there? ---- */

/* What the gateway cannot tell, since it is served all the same: that nobody could be asked. */
static void
tell_check(struct status s, const struct diag *diag)
{
    static enum status_code told = STATUS_OK;
    if ((enum status_code)s.code != told) {
        told = (enum status_code)s.code;
        log_event(status_ok(s) ? LOG_INFO : LOG_WARN, "keeper.key", "usable=%s reason=\"%s\"",
                  status_ok(s) ? "yes" : status_word(s.code), diag->text);
    }
}

struct checker {
    struct keeper *keeper;
    int64_t every_ns;
};

/* On a thread of its own: a holder that is slow to answer holds up no handshake. */
__attribute__((noreturn)) static void *
check(void *ctx)
{
    const struct checker c = *(const struct checker *)ctx;
    for (;;) {
        struct diag diag = {0};
        struct status s = OK;
        int64_t left = 0;
        if (keeper_check(c.keeper, c.every_ns, clock_mono_ns(), &diag, &s, &left)) {
            tell_check(s, &diag);
        }
        const struct timespec pause = {left / NS_PER_S, left % NS_PER_S};
        (void)nanosleep(&pause, NULL);
    }
}

static struct status
start_checker(struct checker *c)
{
    pthread_t thread;
    if (c->every_ns > 0) {
        const int rc = pthread_create(&thread, NULL, check, c);
        if (rc != 0) {
            FAIL_OS(rc);
        }
        (void)pthread_detach(thread);
    }
    return OK;
}

/* ---- start ---- */

/* From here on: a file of tls/, keys/ or audit/ is read now and then, and nothing else. Landlock
 * holds for this thread and those that it starts, the list of calls has no room for a new one. */
static struct status
shut_in(const char *dir, struct checker *checker, struct diag *diag)
{
    char tls[KEEPER_DIR_MAX + 8], keys[KEEPER_DIR_MAX + 8], audit[KEEPER_DIR_MAX + 8];
    struct sandbox_told told = {0};
    (void)snprintf(tls, sizeof tls, "%s/tls", dir);
    (void)snprintf(keys, sizeof keys, "%s/keys", dir);
    (void)snprintf(audit, sizeof audit, "%s/audit", dir);
    const struct sandbox_path paths[] = {
        {tls, SANDBOX_READ}, {keys, SANDBOX_READ}, {audit, SANDBOX_READ}};
    TRY(sandbox_files(paths, sizeof paths / sizeof *paths, false, diag, &told));
    TRY(start_checker(checker));
    return sandbox_calls(SANDBOX_KEEPER, diag);
}

static struct status
start(struct diag *diag, struct provider **ret_provider, struct vault **ret_vault,
      struct keeper **ret_keeper)
{
    static struct checker checker;
    DEFER(secret_done) struct secret room = {0};
    DEFER(vault_freep) struct vault *v = NULL;
    TRY(read_setup(&room));
    const struct keeper_setup *setup = (const struct keeper_setup *)(const void *)room.ptr;
    TRY(open_vault(setup, diag, ret_provider, &v));
    DEFER(keeper_freep) struct keeper *k = keeper_new(v, setup->dir);
    CHECK(k != NULL, MEMORY);
    checker = (struct checker){k, setup->check_ns};
    *ret_keeper = MOVE(k); /* from here on until the process ends */
    *ret_vault = MOVE(v);
    return shut_in(setup->dir, &checker, diag);
}

static void
tell_start(struct status s, const struct diag *diag)
{
    struct keeper_reply r = {.version = KEEPER_VERSION, .code = (uint16_t)s.code, .os = s.os};
    char text[KEEPER_REPLY_BYTES] = "";
    if (!status_ok(s)) {
        diag_describe(diag, s, text, sizeof text);
    }
    r.length = (uint32_t)strlen(text);
    memcpy(r.bytes, text, r.length);
    (void)!send_reply(&r);
}

/* ---- the rest of its life ---- */

static void
tell_denied(const struct keeper_request *q)
{
    static unsigned denials;
    if (++denials <= DENIALS_TOLD) {
        log_event(LOG_WARN, "keeper.denied", "operation=%s purpose=%.*s%s",
                  keeper_operation_name(q->operation), (int)sizeof q->purpose, q->purpose,
                  denials == DENIALS_TOLD ? "; further ones are not told" : "");
    }
}

/* Until the other end closes; a message of another size than ours is from nobody who may talk. */
static int
serve(struct keeper *k)
{
    struct keeper_request q;
    struct keeper_reply r;
    for (;;) {
        const ssize_t n = recv(KEEPER_FD, &q, sizeof q, MSG_TRUNC);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n != (ssize_t)sizeof q) {
            return n == 0 ? 0 : 1;
        }
        keeper_answer(k, &q, &r);
        if (r.code == STATUS_DENIED) {
            tell_denied(&q);
        }
        const bool sent = send_reply(&r);
        secret_wipe(&q, sizeof q);
        secret_wipe(&r, sizeof r);
        if (!sent) {
            return 0;
        }
    }
}

int
main(void)
{
    struct stat st;
    struct diag diag = {0};
    if (fstat(KEEPER_FD, &st) != 0 || !S_ISSOCK(st.st_mode)) {
        (void)fputs("steward-keeper: started by \"steward serve\", not by hand\n", stderr);
        return 2;
    }
    secret_shield_process();
    /* Who starts us sends SIGTERM and the terminal's signals to all its processes: they end the
     * gateway, whose last checkpoint still needs a signature; its socket then ends us. */
    apart_ignore_signals();
    DEFER(provider_freep) struct provider *p = NULL;
    DEFER(vault_freep) struct vault *v = NULL;
    DEFER(keeper_freep) struct keeper *k = NULL;
    const struct status started = start(&diag, &p, &v, &k);
    tell_start(started, &diag);
    const int code = status_ok(started) ? serve(k) : 1;
    if (code != 0 && status_ok(started)) {
        log_event(LOG_ERROR, "keeper.ended", "a message that is none");
    }
    _exit(code); /* with the thread that looks, whatever it waits for */
}
