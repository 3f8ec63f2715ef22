#include "vault/starter.h"

#include "base/apart.h"
#include "base/passed.h"
#include "base/sandbox.h"
#include "base/text.h"
#include "vault/transit.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAME "steward-starter"
#define MOST 8u /* holders that one verb may come to need: of old, of new, of a backup */

/* A process for each, since they give up different things, and so do those that they start. */
enum family { OF_TRANSIT, OF_TOKENS, FAMILIES };

static struct {
    struct starter {
        pid_t pid; /* 0: there is none */
        int fd;
    } of[FAMILIES];
    struct foreseen {
        char target[PROVIDER_TARGET_MAX];
        struct secret letter; /* how the credential begins */
    } foreseen[MOST];
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
    diag_set(diag,
             "another holder of keys is asked for than the command began with; if steward.yaml or "
             "STEWARD_TRANSIT was changed meanwhile, start again");
    FAIL(DENIED);
}

/* What is asked for, and where, was known before the program that asks read anything of others. */
static bool
is_foreseen(const struct question *q)
{
    const struct view credential = view_of(q->credential, q->len);
    for (size_t i = 0; i < it.targets; i++) {
        const struct foreseen *f = &it.foreseen[i];
        if (strcmp(f->target, q->target) == 0 && credential.len >= f->letter.len &&
            view_equal(view_of(credential.ptr, f->letter.len), secret_view(&f->letter))) {
            return true;
        }
    }
    return false;
}

static struct status
start(struct question *q, enum family family, const struct starter_means *m, struct diag *diag,
      struct provider **ret_provider)
{
    DEFER(secret_done) struct secret credential = {0};
    CHECK(q->len <= sizeof q->credential && memchr(q->target, '\0', sizeof q->target) != NULL,
          INPUT);
    if (!is_foreseen(q) || family_of(q->target) != family) {
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
    (void)status_ok(passed_put(APART_FD, &a, sizeof a, h == NULL ? -1 : holder_fd(h)));
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
    for (size_t n = 0; n < MOST && recv(APART_FD, room.ptr, room.len, 0) == (ssize_t)room.len;
         n++) {
        answer((struct question *)(void *)room.ptr, family, m, &started[n]);
    }
    (void)close(APART_FD);
    for (size_t i = 0; i < MOST; i++) {
        provider_free(started[i]);
    }
}

/* A list holds for what is started, too: a token's driver needs what nobody knows. */
static struct status
confine(enum family family, const struct starter_means *m)
{
    return family == OF_TRANSIT ? sandbox_calls(SANDBOX_HOUSE, NULL)
                                : sandbox_driver(m->token_network, NULL);
}

struct life {
    enum family family;
    const struct starter_means *means;
};

static void
live(int fd, void *ctx)
{
    const struct life *l = ctx;
    memset(it.of, 0, sizeof it.of); /* the other one is not this one's to ask */
    if (apart_leave(NAME, fd) && status_ok(confine(l->family, l->means))) {
        serve(l->family, l->means);
    }
}

/* ---- this end ---- */

static struct status
begin(enum family family, const struct starter_means *m, struct diag *diag)
{
    struct life l = {family, m};
    struct starter *s = &it.of[family];
    return apart_fork(SOCK_SEQPACKET,
                      "the process that starts those of tokens and transit services", live, &l,
                      diag, &s->pid, &s->fd);
}

/* A transit service without a letter would be asked wherever the one says that is to come. */
static struct status
foresee(const struct starter_target *t)
{
    struct foreseen *f = &it.foreseen[it.targets++];
    text_copy(f->target, sizeof f->target, t->target);
    const bool has = t->letter != NULL && t->letter->len > 0;
    ASSERT(has || family_of(t->target) == OF_TOKENS);
    return has ? secret_from(secret_view(t->letter), &f->letter) : OK;
}

struct status
starter_begin(const struct starter_means *m, const struct starter_target *targets, size_t n,
              struct diag *diag)
{
    ASSERT(!starter_is_there() && it.targets == 0);
    CHECK(n <= MOST, LIMIT);
    bool needed[FAMILIES] = {false};
    for (size_t i = 0; i < n; i++) {
        needed[family_of(targets[i].target)] = true;
        TRY(foresee(&targets[i]));
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
    for (; it.targets > 0; it.targets--) {
        secret_done(&it.foreseen[it.targets - 1].letter);
    }
}
