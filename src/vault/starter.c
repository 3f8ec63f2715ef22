#include "vault/starter.h"

#include "base/passed.h"
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

/* A process for each, since they give up different things, and so do those that they start. */
enum family { OF_TRANSIT, OF_TOKENS, FAMILIES };

static struct {
    struct starter {
        pid_t pid; /* 0: there is none */
        int fd;
    } of[FAMILIES];
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

/* ---- the process ---- */

static enum family
family_of(const char *target)
{
    return provider_asks(target) == PROVIDER_LETTER ? OF_TRANSIT : OF_TOKENS;
}

static struct status
refuse_unforeseen(struct diag *diag)
{
    diag_set(diag, "another holder of keys is asked for than the command began with");
    FAIL(DENIED);
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
start(struct question *q, enum family family, const struct starter_means *m, struct diag *diag,
      struct provider **ret_provider)
{
    DEFER(secret_done) struct secret credential = {0};
    CHECK(q->len <= sizeof q->credential && memchr(q->target, '\0', sizeof q->target) != NULL,
          INPUT);
    if (!is_foreseen(q->target) || family_of(q->target) != family) {
        return refuse_unforeseen(diag);
    }
    if (q->len > 0) {
        TRY(secret_from(view_of(q->credential, q->len), &credential));
    }
    const struct provider_means means = {
        .credential = &credential, .token_network = m->token_network, .transit = m->transit};
    return provider_new(q->target, &means, diag, ret_provider);
}

static void
answer(struct question *q, enum family family, const struct starter_means *m,
       struct provider **ret_provider)
{
    struct answer a = {0};
    const struct status s = start(q, family, m, &a.diag, ret_provider);
    secret_wipe(q, sizeof *q);
    a.code = s.code;
    a.os = s.os;
    struct holder *h = status_ok(s) ? provider_holder(*ret_provider) : NULL;
    text_copy(a.target, sizeof a.target, h == NULL ? "" : provider_target(*ret_provider));
    (void)status_ok(passed_put(STARTER_FD, &a, sizeof a, h == NULL ? -1 : holder_fd(h)));
    if (h != NULL) {
        holder_let_go(h);
    }
}

/* Until the other end is closed; then all that it started, whose ends are closed as well, end. */
static void
serve(enum family family, const struct starter_means *m)
{
    DEFER(secret_done) struct secret room = {0};
    struct provider *started[MOST] = {0};
    if (!status_ok(secret_new(sizeof(struct question), &room))) {
        return;
    }
    for (size_t n = 0; n < MOST && recv(STARTER_FD, room.ptr, room.len, 0) == (ssize_t)room.len;
         n++) {
        answer((struct question *)(void *)room.ptr, family, m, &started[n]);
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

/* A list holds for what is started, too: a token's driver needs what nobody knows. */
static struct status
confine(enum family family, const struct starter_means *m)
{
    return family == OF_TRANSIT ? sandbox_calls(SANDBOX_HOUSE, NULL)
                                : sandbox_driver(m->token_network, NULL);
}

__attribute__((noreturn)) static void
become(int fd, enum family family, const struct starter_means *m)
{
    memset(it.of, 0, sizeof it.of); /* the other one is not this one's to ask */
    if (leave_behind(fd) && status_ok(confine(family, m))) {
        serve(family, m);
    }
    _exit(0);
}

/* ---- this end ---- */

static struct status
begin(enum family family, const struct starter_means *m, struct diag *diag)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        FAIL_OS(errno);
    }
    const pid_t pid = fork();
    if (pid == 0) {
        become(ends[1], family, m);
    }
    const int err = errno;
    (void)close(ends[1]);
    if (pid < 0) {
        (void)close(ends[0]);
        diag_set(diag, "the process that starts those of tokens and transit services: %s",
                 strerror(err));
        FAIL_OS(err);
    }
    it.of[family] = (struct starter){pid, ends[0]};
    return OK;
}

struct status
starter_begin(const struct starter_means *m, const char *const *targets, size_t n,
              struct diag *diag)
{
    ASSERT(!starter_is_there());
    CHECK(n <= MOST, LIMIT);
    it.any = targets == NULL;
    bool needed[FAMILIES] = {it.any, it.any};
    for (it.targets = 0; it.targets < n; it.targets++) {
        text_copy(it.target[it.targets], PROVIDER_TARGET_MAX, targets[it.targets]);
        needed[family_of(targets[it.targets])] = true;
    }
    for (enum family f = 0; f < FAMILIES; f++) {
        TRY(needed[f] ? begin(f, m, diag) : OK);
    }
    return OK;
}

bool
starter_is_there(void)
{
    return it.of[OF_TRANSIT].pid != 0 || it.of[OF_TOKENS].pid != 0;
}

static struct status
put(int fd, const char *target, const struct secret *credential)
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
    CHECK(send(fd, q, sizeof *q, MSG_NOSIGNAL) == (ssize_t)sizeof *q, IO);
    return OK;
}

struct status
starter_ask(const char *target, const struct secret *credential, struct diag *diag,
            char ret_target[static PROVIDER_TARGET_MAX], int *ret_holder)
{
    const struct starter *starter = &it.of[family_of(target)];
    struct answer a = {0};
    int fd = -1;
    if (starter->pid == 0) {
        return refuse_unforeseen(diag);
    }
    struct status s = put(starter->fd, target, credential);
    s = status_ok(s) ? passed_take(starter->fd, &a, sizeof a, &fd) : s;
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
    for (enum family f = 0; f < FAMILIES; f++) {
        struct starter *s = &it.of[f];
        if (s->pid != 0) {
            (void)close(s->fd);
            while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR) {
            }
            *s = (struct starter){0};
        }
    }
}
