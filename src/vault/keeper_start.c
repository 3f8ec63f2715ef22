#include "vault/keeper.h"

#include "base/file.h"
#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUT_OF_THE_WAY 10
#define PROGRAM "steward-keeper"

/* ---- its process ---- */

/* In the child, between fork and exec: async-signal-safe calls only. Nothing but the three standard
 * descriptors and the sockets goes along. */
__attribute__((noreturn)) static void
become(const char *program, int fd, int holder)
{
    char *const argv[] = {(char *)(uintptr_t)program, NULL};
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    const int own = fcntl(fd, F_DUPFD, OUT_OF_THE_WAY);
    const int other = holder == 0 ? 0 : fcntl(holder, F_DUPFD, OUT_OF_THE_WAY);
    if (own >= 0 && other >= 0 && dup2(own, KEEPER_FD) >= 0 &&
        (holder == 0 || dup2(other, KEEPER_HOLDER_FD) >= 0) &&
        close_range(holder == 0 ? KEEPER_HOLDER_FD : KEEPER_HOLDER_FD + 1, ~0u, 0) == 0) {
        (void)execve(program, argv, environ);
    }
    _exit(127);
}

static struct status
launch(const char *program, int holder, struct diag *diag, pid_t *ret_pid, int *ret_fd)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        FAIL_OS(errno);
    }
    const pid_t pid = fork();
    if (pid == 0) {
        become(program, ends[1], holder);
    }
    const int err = errno;
    (void)close(ends[1]);
    if (pid < 0) {
        (void)close(ends[0]);
        return file_refuse_os(program, err, diag);
    }
    *ret_pid = pid;
    *ret_fd = ends[0];
    return OK;
}

/* ---- what it is told first ---- */

static struct status
set_up(int fd, const struct keeper_options *o, struct diag *diag)
{
    const struct secret none = {0}, *passphrase = o->passphrase == NULL ? &none : o->passphrase;
    DEFER(secret_done) struct secret room = {0};
    TRY(secret_new(sizeof(struct keeper_setup), &room));
    struct keeper_setup *setup = (struct keeper_setup *)(void *)room.ptr;
    char *whole = realpath(o->dir, NULL);
    if (whole == NULL || strlen(whole) >= sizeof setup->dir ||
        passphrase->len > sizeof setup->passphrase) {
        free(whole);
        diag_set(diag, "%s: cannot be told to the keeper: too long, or gone", o->dir);
        FAIL(INPUT);
    }
    setup->version = KEEPER_VERSION;
    setup->passphrase_len = (uint32_t)passphrase->len;
    setup->has_holder = o->holder != 0;
    setup->check_ns = o->check_ns;
    setup->unreachable_ns = o->unreachable_ns;
    memcpy(setup->dir, whole, strlen(whole));
    if (passphrase->len > 0) {
        memcpy(setup->passphrase, passphrase->ptr, passphrase->len);
    }
    free(whole);
    /* A program that is not there ends before it reads: the answer tells. */
    (void)!send(fd, setup, sizeof *setup, MSG_NOSIGNAL);
    return OK;
}

/* It answers the first message when the vault is open, or with the reason why it is not. */
static struct status
await(int fd, const char *program, struct diag *diag)
{
    struct keeper_reply r;
    if (recv(fd, &r, sizeof r, 0) != (ssize_t)sizeof r || r.version != KEEPER_VERSION ||
        r.code >= STATUS_CODES || r.length > sizeof r.bytes) {
        diag_set(diag, "%s: did not start; is it installed with this steward?", program);
        FAIL(IO);
    }
    if (r.code != STATUS_OK) {
        diag_set(diag, "%.*s", (int)r.length, (const char *)r.bytes);
        return (struct status){STATUS_HERE, r.code, r.os};
    }
    return OK;
}

struct status
keeper_start(const struct keeper_options *o, struct diag *diag, pid_t *ret_pid,
             struct keeper_client **ret_client)
{
    DEFER(file_freep) char *found = o->program == NULL ? file_program(PROGRAM) : strdup(o->program);
    pid_t pid = 0;
    int fd = -1;
    CHECK(found != NULL, MEMORY);
    TRY(launch(found, o->holder, diag, &pid, &fd));
    struct status s = set_up(fd, o, diag);
    if (status_ok(s)) {
        s = await(fd, found, diag);
    }
    if (status_ok(s)) {
        s = keeper_client_new(fd, diag, ret_client);
    } else {
        (void)close(fd);
    }
    if (!status_ok(s)) {
        (void)waitpid(pid, NULL, 0); /* its socket is closed, so it ends */
        return s;
    }
    *ret_pid = pid;
    return OK;
}
