#include "vault/starter.h"

#include "base/sandbox.h"
#include "base/text.h"
#include "vault/transit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAME "steward-starter"
#define STARTER_FD 3
#define MOST 8u /* holders that one verb may come to need: of old, of new, of a backup */

static struct {
    pid_t pid; /* 0: there is none */
    int fd;
    bool any; /* target may be asked for; else these */
    char target[MOST][PROVIDER_TARGET_MAX];
    size_t targets;
} it;

/* Both ends are one program: as they lie in memory. */
struct question {
    char target[PROVIDER_TARGET_MAX];
    uint32_t len;
    uint8_t credential[TRANSIT_LETTER_MAX];
};
struct answer {
    int32_t code, os;
    char target[PROVIDER_TARGET_MAX];
    struct diag diag;
};

/* A message, and with it a descriptor. */
union passed {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
};

/* ---- the process ---- */

/* fd -1: without one. */
static void
say(const struct answer *a, int fd)
{
    struct iovec part = {(void *)(uintptr_t)a, sizeof *a};
    union passed with = {0};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd >= 0) {
        m.msg_control = with.bytes;
        m.msg_controllen = sizeof with.bytes;
        with.header.cmsg_level = SOL_SOCKET;
        with.header.cmsg_type = SCM_RIGHTS;
        with.header.cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(&with.header), &fd, sizeof fd);
    }
    (void)!sendmsg(STARTER_FD, &m, MSG_NOSIGNAL);
}

/* What is asked for was known before the program that asks read anything of others. */
static bool
is_foreseen(const char *target)
{
    bool is = it.any;
    for (size_t i = 0; i < it.targets; i++) {
        is = is || strcmp(it.target[i], target) == 0;
    }
    return is;
}

static struct status
start(struct question *q, const struct holder_kind *transit, struct diag *diag,
      struct provider **ret_provider)
{
    DEFER(secret_done) struct secret credential = {0};
    CHECK(q->len <= sizeof q->credential && memchr(q->target, '\0', sizeof q->target) != NULL,
          INPUT);
    if (!is_foreseen(q->target)) {
        diag_set(diag, "another holder of keys is asked for than the command began with");
        FAIL(DENIED);
    }
    if (q->len > 0) {
        TRY(secret_from(view_of(q->credential, q->len), &credential));
    }
    const struct provider_means means = {.credential = &credential, .transit = transit};
    return provider_new(q->target, &means, diag, ret_provider);
}

static void
answer(struct question *q, const struct holder_kind *transit, struct provider **ret_provider)
{
    struct answer a = {0};
    const struct status s = start(q, transit, &a.diag, ret_provider);
    secret_wipe(q, sizeof *q);
    a.code = s.code;
    a.os = s.os;
    struct holder *h = status_ok(s) ? provider_holder(*ret_provider) : NULL;
    text_copy(a.target, sizeof a.target, h == NULL ? "" : provider_target(*ret_provider));
    say(&a, h == NULL ? -1 : holder_fd(h));
    if (h != NULL) {
        holder_let_go(h);
    }
}

/* Until the other end is closed; then all that it started, whose ends are closed as well, end. */
static void
serve(const struct holder_kind *transit)
{
    DEFER(secret_done) struct secret room = {0};
    struct provider *started[MOST] = {0};
    if (!status_ok(secret_new(sizeof(struct question), &room))) {
        return;
    }
    for (size_t n = 0; n < MOST && recv(STARTER_FD, room.ptr, room.len, 0) == (ssize_t)room.len;
         n++) {
        answer((struct question *)(void *)room.ptr, transit, &started[n]);
    }
    (void)close(STARTER_FD);
    for (size_t i = 0; i < MOST; i++) {
        provider_free(started[i]);
    }
}

/* Nothing but the standard error and the socket comes along. */
static bool
leave_behind(int fd)
{
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) {
        (void)signal(ignored[i], SIG_IGN); /* who made us decides when it ends */
    }
    (void)prctl(PR_SET_NAME, NAME);
    sandbox_wipe_environment();
    return null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(null, STDOUT_FILENO) >= 0 &&
           (fd == STARTER_FD || dup2(fd, STARTER_FD) >= 0) &&
           close_range(STARTER_FD + 1, ~0u, 0) == 0;
}

__attribute__((noreturn)) static void
become(int fd, const struct holder_kind *transit)
{
    if (leave_behind(fd) && status_ok(sandbox_driver(NULL))) {
        serve(transit);
    }
    _exit(0);
}

/* ---- this end ---- */

struct status
starter_begin(const struct holder_kind *transit, const char *const *targets, size_t n,
              struct diag *diag)
{
    int ends[2];
    ASSERT(it.pid == 0);
    CHECK(n <= MOST, LIMIT);
    it.any = targets == NULL;
    for (it.targets = 0; it.targets < n; it.targets++) {
        text_copy(it.target[it.targets], PROVIDER_TARGET_MAX, targets[it.targets]);
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        FAIL_OS(errno);
    }
    const pid_t pid = fork();
    if (pid == 0) {
        become(ends[1], transit);
    }
    const int err = errno;
    (void)close(ends[1]);
    if (pid < 0) {
        (void)close(ends[0]);
        diag_set(diag, "the process that starts those of tokens and transit services: %s",
                 strerror(err));
        FAIL_OS(err);
    }
    it.pid = pid;
    it.fd = ends[0];
    return OK;
}

bool
starter_is_there(void)
{
    return it.pid != 0;
}

static struct status
put(const char *target, const struct secret *credential)
{
    DEFER(secret_done) struct secret room = {0};
    CHECK(credential->len <= TRANSIT_LETTER_MAX, LIMIT);
    TRY(secret_new(sizeof(struct question), &room));
    struct question *q = (struct question *)(void *)room.ptr;
    text_copy(q->target, sizeof q->target, target);
    q->len = (uint32_t)credential->len;
    if (q->len > 0) {
        memcpy(q->credential, credential->ptr, q->len);
    }
    CHECK(send(it.fd, q, sizeof *q, MSG_NOSIGNAL) == (ssize_t)sizeof *q, IO);
    return OK;
}

/* *ret_fd: -1 when none came with it. */
static struct status
hear(struct answer *ret_answer, int *ret_fd)
{
    struct iovec part = {ret_answer, sizeof *ret_answer};
    union passed with = {0};
    struct msghdr m = {.msg_iov = &part,
                       .msg_iovlen = 1,
                       .msg_control = with.bytes,
                       .msg_controllen = sizeof with.bytes};
    ssize_t n = 0;
    do {
        n = recvmsg(it.fd, &m, MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    const struct cmsghdr *h = n < 0 ? NULL : CMSG_FIRSTHDR(&m);
    *ret_fd = -1;
    if (h != NULL && h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS) {
        memcpy(ret_fd, CMSG_DATA(h), sizeof *ret_fd);
    }
    CHECK(n == (ssize_t)sizeof *ret_answer, IO);
    return OK;
}

struct status
starter_ask(const char *target, const struct secret *credential, struct diag *diag,
            char ret_target[static PROVIDER_TARGET_MAX], int *ret_holder)
{
    struct answer a = {0};
    int fd = -1;
    struct status s = put(target, credential);
    s = status_ok(s) ? hear(&a, &fd) : s;
    if (!status_ok(s)) {
        diag_set(diag, "the process that starts those of tokens and transit services has ended; "
                       "start again");
        return s;
    }
    if (a.code != STATUS_OK) {
        diag_set(diag, "%s", a.diag.text);
        return (struct status){STATUS_HERE, a.code, a.os};
    }
    CHECK(fd >= 0, IO);
    text_copy(ret_target, PROVIDER_TARGET_MAX, a.target);
    *ret_holder = fd;
    return OK;
}

void
starter_end(void)
{
    if (it.pid != 0) {
        (void)close(it.fd);
        while (waitpid(it.pid, NULL, 0) < 0 && errno == EINTR) {
        }
        it.pid = 0;
    }
}
