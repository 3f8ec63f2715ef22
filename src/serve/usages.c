#include "serve/usages.h"

#include "base/random.h"
#include "base/text.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SUBSCRIBERS 64u
#define READERS 3u
#define READERS_OF_ONE 2u /* of one principal; one of READERS is left for the others */
#define TURNS 16u         /* of principals, that are remembered */
#define NEVER INT64_MAX

struct question {
    uint64_t number; /* 0: the place is free */
    enum { WAITS, RUNS, READY } is;
    unsigned calls;   /* that wait for it */
    bool stays;       /* somebody was told its number */
    bool taken;       /* and has had the answer */
    bool forgotten;   /* while it runs */
    atomic_bool cut;  /* while it runs */
    int64_t asked_ns; /* last */
    char asker[USAGES_TEXT_MAX];
    char turn[USAGES_TEXT_MAX]; /* once it runs: the principal whose turn it was */
    struct usages_asked asked;
    struct status status;
    struct diag diag;
    struct buf answer;
};

/* A call that waits. */
struct wait {
    uint64_t ticket; /* 0: the place is free */
    struct question *question;
    char asker[USAGES_TEXT_MAX];
    int64_t until_ns;
    bool over; /* and that was told */
};

/* When a principal last had a turn. */
struct turn {
    uint64_t number; /* 0: the place is free */
    char principal[USAGES_TEXT_MAX];
};

struct usages {
    const char *log_dir;
    struct quotas *quotas;
    int64_t kept_ns;
    pthread_t thread[READERS + 1]; /* the last one keeps the time */
    size_t threads;
    pthread_mutex_t lock; /* of all below, but for a running question's own */
    pthread_cond_t wake;
    bool end;
    uint64_t last_question, last_ticket, last_turn;
    struct turn turns[2][TURNS]; /* [1]: of questions about quotas */
    struct question place[USAGES_MOST];
    struct wait wait[USAGES_CALLS];
    int subscriber[SUBSCRIBERS];
    size_t subscribers;
};

/* ---- answering ---- */

static const char *
some(const char *text)
{
    return *text == '\0' ? NULL : text;
}

static struct status
answer(const struct usages *u, struct question *q)
{
    DEFER(usage_freep) struct usage *read = NULL;
    DEFER(js_freep) json_t *o = NULL;
    struct usage_question asked = {.since = some(q->asked.since),
                                   .until = some(q->asked.until),
                                   .principal = some(q->asked.principal),
                                   .model = some(q->asked.model)};
    if (q->asked.quotas) {
        TRY(quotas_json(u->quotas, clock_wall_ns(), &o));
        return js_put(&q->answer, o);
    }
    memcpy(asked.by, q->asked.by, sizeof asked.by);
    TRY(usage_read(u->log_dir, &asked, clock_wall_ns(), &q->cut, &q->diag, &read));
    TRY(usage_json(read, &o));
    return js_put(&q->answer, o);
}

static void
release(struct question *q)
{
    buf_done(&q->answer);
    *q = (struct question){.number = 0};
}

/* Nobody is interested any more. */
static void
drop(struct question *q)
{
    if (q->is == RUNS) {
        q->forgotten = true;
        atomic_store(&q->cut, true);
    } else {
        release(q);
    }
}

/* ---- turns ---- */

/* That of the principal, or else the one longest ago, which gives way: those who had one since
 * somebody who waits are remembered for longer than he is, and come after him. */
static struct turn *
find_turn(struct turn turns[static TURNS], const char *principal)
{
    struct turn *oldest = &turns[0];
    for (size_t i = 0; i < TURNS; i++) {
        if (turns[i].number > 0 && strcmp(turns[i].principal, principal) == 0) {
            return &turns[i];
        }
        oldest = turns[i].number < oldest->number ? &turns[i] : oldest;
    }
    return oldest;
}

static uint64_t
last_turn_of(struct turn turns[static TURNS], const char *principal)
{
    const struct turn *t = find_turn(turns, principal);
    return strcmp(t->principal, principal) == 0 ? t->number : 0;
}

static size_t
running_of(const struct usages *u, bool quotas, const char *principal)
{
    size_t n = 0;
    for (size_t i = 0; i < USAGES_MOST; i++) {
        const struct question *q = &u->place[i];
        n += q->number > 0 && q->is == RUNS && q->asked.quotas == quotas &&
             strcmp(q->turn, principal) == 0;
    }
    return n;
}

struct candidate {
    struct question *question; /* NULL: none */
    const char *principal;     /* who waits for it */
    uint64_t last_turn;        /* of that one */
};

/* Who had no turn for longest comes first; of one principal's, the one that was asked first. */
static void
consider(struct usages *u, struct question *q, const char *principal, struct candidate *best)
{
    const uint64_t last = last_turn_of(u->turns[q->asked.quotas], principal);
    const bool sooner = best->question == NULL || last < best->last_turn ||
                        (last == best->last_turn && q->number < best->question->number);
    if (sooner && running_of(u, q->asked.quotas, principal) < READERS_OF_ONE) {
        *best = (struct candidate){.question = q, .principal = principal, .last_turn = last};
    }
}

static bool
waits(const struct question *q, bool quotas)
{
    return q->number > 0 && q->is == WAITS && q->asked.quotas == quotas;
}

/* The next one to be answered; that is its principal's turn. NULL: none. A question is its asker's,
 * and of each call that waits for it. */
static struct question *
next(struct usages *u, bool quotas)
{
    struct candidate best = {.question = NULL};
    for (size_t i = 0; i < USAGES_MOST; i++) {
        if (waits(&u->place[i], quotas)) {
            consider(u, &u->place[i], u->place[i].asker, &best);
        }
    }
    for (size_t i = 0; i < USAGES_CALLS; i++) {
        if (u->wait[i].ticket > 0 && waits(u->wait[i].question, quotas)) {
            consider(u, u->wait[i].question, u->wait[i].asker, &best);
        }
    }
    if (best.question != NULL) {
        struct turn *t = find_turn(u->turns[quotas], best.principal);
        text_copy(best.question->turn, sizeof best.question->turn, best.principal);
        text_copy(t->principal, sizeof t->principal, best.principal);
        t->number = ++u->last_turn;
    }
    return best.question;
}

/* ---- reading ---- */

static void
tell(const struct usages *u)
{
    const uint64_t one = 1;
    for (size_t i = 0; i < u->subscribers; i++) {
        const ssize_t ignored = write(u->subscriber[i], &one, sizeof one);
        (void)ignored;
    }
}

/* The lock is held but while a question is answered. */
static void
take_turn(struct usages *u, struct question *q)
{
    q->is = RUNS;
    (void)pthread_mutex_unlock(&u->lock);
    const struct status s = answer(u, q);
    (void)pthread_mutex_lock(&u->lock);
    q->status = s;
    q->is = READY;
    q->asked_ns = clock_mono_ns();
    if (q->forgotten) {
        release(q);
    }
    (void)pthread_cond_broadcast(&u->wake);
    tell(u);
}

static void *
read_log(void *ctx)
{
    struct usages *u = ctx;
    (void)pthread_mutex_lock(&u->lock);
    while (!u->end) {
        struct question *q = next(u, false);
        if (q == NULL) {
            (void)pthread_cond_wait(&u->wake, &u->lock);
        } else {
            take_turn(u, q);
        }
    }
    (void)pthread_mutex_unlock(&u->lock);
    return NULL;
}

/* ---- the time ---- */

static bool
is_alone(const struct question *q)
{
    return q->number > 0 && q->calls == 0 && !q->forgotten;
}

/* What is over by now; the time at which something will be next. */
static int64_t
end_what_is_over(struct usages *u, int64_t now)
{
    int64_t soonest = NEVER;
    bool any = false;
    for (size_t i = 0; i < USAGES_CALLS; i++) {
        struct wait *w = &u->wait[i];
        if (w->ticket == 0 || w->over) {
            continue;
        }
        w->over = now >= w->until_ns;
        any = any || w->over;
        soonest = !w->over && w->until_ns < soonest ? w->until_ns : soonest;
    }
    for (size_t i = 0; i < USAGES_MOST; i++) {
        struct question *q = &u->place[i];
        if (is_alone(q) && now - q->asked_ns >= u->kept_ns) {
            drop(q);
        } else if (is_alone(q)) {
            soonest = q->asked_ns + u->kept_ns < soonest ? q->asked_ns + u->kept_ns : soonest;
        }
    }
    if (any) {
        tell(u);
    }
    return soonest;
}

static void
rest_until(struct usages *u, int64_t ns)
{
    const struct timespec until = {.tv_sec = (time_t)(ns / NS_PER_S),
                                   .tv_nsec = (long)(ns % NS_PER_S)};
    if (ns == NEVER) {
        (void)pthread_cond_wait(&u->wake, &u->lock);
    } else {
        (void)pthread_cond_timedwait(&u->wake, &u->lock, &until);
    }
}

static void *
keep_time(void *ctx)
{
    struct usages *u = ctx;
    (void)pthread_mutex_lock(&u->lock);
    while (!u->end) {
        const int64_t soonest = end_what_is_over(u, clock_mono_ns());
        struct question *q = next(u, true);
        if (q != NULL) {
            take_turn(u, q);
        } else {
            rest_until(u, soonest);
        }
    }
    (void)pthread_mutex_unlock(&u->lock);
    return NULL;
}

/* ---- start and end ---- */

static bool
make_lock(struct usages *u)
{
    pthread_condattr_t steady;
    (void)pthread_condattr_init(&steady);
    (void)pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    const bool made =
        pthread_mutex_init(&u->lock, NULL) == 0 && pthread_cond_init(&u->wake, &steady) == 0;
    (void)pthread_condattr_destroy(&steady);
    return made;
}

/* Numbers of another run of the server are none of this one: they begin somewhere. */
static uint64_t
random_start(void)
{
    uint64_t n = 0;
    random_bytes(&n, sizeof n);
    return n >> 4;
}

struct status
usages_start(const char *log_dir, struct quotas *quotas, int64_t kept_ns,
             struct usages **ret_usages)
{
    struct usages *u = calloc(1, sizeof *u);
    CHECK(u != NULL, MEMORY);
    u->log_dir = log_dir;
    u->quotas = quotas;
    u->kept_ns = kept_ns;
    u->last_question = random_start();
    if (!make_lock(u)) {
        free(u);
        FAIL(MEMORY);
    }
    for (bool made = true; made && u->threads <= READERS;) {
        made = pthread_create(&u->thread[u->threads], NULL,
                              u->threads < READERS ? read_log : keep_time, u) == 0;
        u->threads += made;
    }
    if (u->threads <= READERS) {
        usages_stop(u);
        FAIL(MEMORY);
    }
    *ret_usages = u;
    return OK;
}

void
usages_end(struct usages *u)
{
    (void)pthread_mutex_lock(&u->lock);
    u->end = true;
    for (size_t i = 0; i < USAGES_MOST; i++) {
        atomic_store(&u->place[i].cut, true);
    }
    (void)pthread_cond_broadcast(&u->wake);
    tell(u);
    (void)pthread_mutex_unlock(&u->lock);
}

void
usages_stop(struct usages *u)
{
    if (u == NULL) {
        return;
    }
    usages_end(u);
    for (size_t i = 0; i < u->threads; i++) {
        (void)pthread_join(u->thread[i], NULL);
    }
    for (size_t i = 0; i < USAGES_MOST; i++) {
        release(&u->place[i]);
    }
    (void)pthread_cond_destroy(&u->wake);
    (void)pthread_mutex_destroy(&u->lock);
    free(u);
}

/* ---- asking ---- */

static struct wait *
find_wait(struct usages *u, uint64_t ticket)
{
    for (size_t i = 0; i < USAGES_CALLS; i++) {
        if (u->wait[i].ticket == ticket) {
            return &u->wait[i];
        }
    }
    return NULL;
}

static bool
is_same(const struct usages_asked *a, const struct usages_asked *b)
{
    return a->quotas == b->quotas && memcmp(a->by, b->by, sizeof a->by) == 0 &&
           strcmp(a->since, b->since) == 0 && strcmp(a->until, b->until) == 0 &&
           strcmp(a->principal, b->principal) == 0 && strcmp(a->model, b->model) == 0;
}

/* Who has just made a call finds it counted: not what is read since before, unless that takes so
 * long that nobody could have it otherwise. */
static bool
may_join(const struct question *q, const struct usages_asked *asked)
{
    return q->number > 0 && !q->forgotten && (q->is == WAITS || (q->is == RUNS && q->stays)) &&
           is_same(&q->asked, asked);
}

/* Of the answers that somebody has had, the one asked for longest ago gives way. */
static struct question *
free_place(struct usages *u)
{
    struct question *oldest = NULL;
    for (size_t i = 0; i < USAGES_MOST; i++) {
        struct question *q = &u->place[i];
        if (q->number == 0) {
            return q;
        }
        if (q->is == READY && q->taken && is_alone(q) &&
            (oldest == NULL || q->asked_ns < oldest->asked_ns)) {
            oldest = q;
        }
    }
    if (oldest != NULL) {
        release(oldest);
    }
    return oldest;
}

/* The same question where it may be joined, or else a place for it. */
static struct status
find_question(struct usages *u, const struct usages_asked *asked, const char *asker,
              struct diag *diag, struct question **ret_question)
{
    size_t own = 0;
    for (size_t i = 0; i < USAGES_MOST; i++) {
        struct question *q = &u->place[i];
        if (may_join(q, asked)) {
            *ret_question = q;
            return OK;
        }
        own += q->number > 0 && !q->taken && strcmp(q->asker, asker) == 0;
    }
    if (own >= USAGES_OF_ONE) {
        diag_set(diag,
                 "%u questions of this principal about usage wait, are read, or have an answer "
                 "that nobody has fetched; one principal has no more places",
                 USAGES_OF_ONE);
        FAIL(LIMIT);
    }
    struct question *q = free_place(u);
    CHECK(q != NULL, BUSY);
    q->number = ++u->last_question;
    q->is = WAITS;
    q->asked = *asked;
    text_copy(q->asker, sizeof q->asker, asker);
    buf_init(&q->answer, SIZE_MAX / 2);
    *ret_question = q;
    return OK;
}

/* A free one. */
static struct status
find_place(struct usages *u, const char *asker, struct diag *diag, struct wait **ret_wait)
{
    size_t own = 0;
    for (size_t i = 0; i < USAGES_CALLS; i++) {
        own += u->wait[i].ticket > 0 && strcmp(u->wait[i].asker, asker) == 0;
    }
    if (own >= USAGES_CALLS_OF_ONE) {
        diag_set(diag,
                 "%u calls of this principal wait for answers about usage; one principal has no "
                 "more places",
                 USAGES_CALLS_OF_ONE);
        FAIL(LIMIT);
    }
    *ret_wait = u->end ? NULL : find_wait(u, 0);
    CHECK(*ret_wait != NULL, BUSY);
    return OK;
}

/* w: a free one. */
static uint64_t
begin_wait(struct usages *u, struct wait *w, struct question *q, const char *asker,
           int64_t until_ns)
{
    *w = (struct wait){.ticket = ++u->last_ticket, .question = q, .until_ns = until_ns};
    text_copy(w->asker, sizeof w->asker, asker);
    q->calls++;
    q->asked_ns = clock_mono_ns();
    (void)pthread_cond_broadcast(&u->wake);
    return w->ticket;
}

struct status
usages_ask(struct usages *u, const struct usages_asked *asked, const char *asker, int64_t until_ns,
           struct diag *diag, uint64_t *ret_ticket)
{
    struct wait *w = NULL;
    struct question *q = NULL;
    (void)pthread_mutex_lock(&u->lock);
    struct status s = find_place(u, asker, diag, &w);
    if (status_ok(s)) {
        s = find_question(u, asked, asker, diag, &q);
    }
    if (status_ok(s)) {
        *ret_ticket = begin_wait(u, w, q, asker, until_ns);
    }
    (void)pthread_mutex_unlock(&u->lock);
    return s;
}

struct status
usages_ask_again(struct usages *u, uint64_t question, const char *asker, int64_t until_ns,
                 struct diag *diag, uint64_t *ret_ticket)
{
    struct wait *w = NULL;
    struct status s = FAILURE(NOT_FOUND);
    (void)pthread_mutex_lock(&u->lock);
    for (size_t i = 0; i < USAGES_MOST && question > 0; i++) {
        struct question *q = &u->place[i];
        if (q->number == question && q->stays && !q->forgotten) {
            s = find_place(u, asker, diag, &w);
            *ret_ticket = status_ok(s) ? begin_wait(u, w, q, asker, until_ns) : *ret_ticket;
        }
    }
    (void)pthread_mutex_unlock(&u->lock);
    return s;
}

bool
usages_ready(struct usages *u, uint64_t ticket)
{
    (void)pthread_mutex_lock(&u->lock);
    const struct wait *w = find_wait(u, ticket);
    const bool ready =
        w == NULL || u->end || w->question->is == READY || clock_mono_ns() >= w->until_ns;
    (void)pthread_mutex_unlock(&u->lock);
    return ready;
}

static void
end_wait(struct wait *w)
{
    struct question *q = w->question;
    w->ticket = 0;
    q->calls--;
    q->asked_ns = clock_mono_ns();
    if (q->calls == 0 && !q->stays) {
        drop(q);
    }
}

static struct status
take(struct question *q, struct diag *diag, struct buf *ret_json)
{
    *diag = q->diag;
    q->taken = true;
    TRY(q->status);
    buf_put(ret_json, buf_view(&q->answer));
    return buf_status(ret_json);
}

struct status
usages_take(struct usages *u, uint64_t ticket, struct diag *diag, struct buf *ret_json,
            uint64_t *ret_question)
{
    struct status s = FAILURE(NOT_FOUND);
    *ret_question = 0;
    (void)pthread_mutex_lock(&u->lock);
    struct wait *w = ticket == 0 ? NULL : find_wait(u, ticket);
    if (w != NULL && w->question->is == READY) {
        s = take(w->question, diag, ret_json);
    } else if (w != NULL) {
        s = FAILURE(BUSY);
        w->question->stays = !w->question->asked.quotas && !u->end;
        *ret_question = w->question->stays ? w->question->number : 0;
    }
    if (w != NULL) {
        end_wait(w);
    }
    (void)pthread_mutex_unlock(&u->lock);
    return s;
}

void
usages_forget(struct usages *u, uint64_t ticket)
{
    (void)pthread_mutex_lock(&u->lock);
    struct wait *w = ticket == 0 ? NULL : find_wait(u, ticket);
    if (w != NULL) {
        end_wait(w);
    }
    (void)pthread_mutex_unlock(&u->lock);
}

struct status
usages_subscribe(struct usages *u, int event_fd)
{
    (void)pthread_mutex_lock(&u->lock);
    const bool room = u->subscribers < SUBSCRIBERS;
    if (room) {
        u->subscriber[u->subscribers++] = event_fd;
    }
    (void)pthread_mutex_unlock(&u->lock);
    CHECK(room, LIMIT);
    return OK;
}

void
usages_unsubscribe(struct usages *u, int event_fd)
{
    (void)pthread_mutex_lock(&u->lock);
    for (size_t i = 0; i < u->subscribers; i++) {
        if (u->subscriber[i] == event_fd) {
            u->subscriber[i] = u->subscriber[--u->subscribers];
            break;
        }
    }
    (void)pthread_mutex_unlock(&u->lock);
}
