#include "serve/usages.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SUBSCRIBERS 64u

struct question {
    uint64_t number; /* 0: the place is free */
    enum { WAITS, RUNS, READY } is;
    bool forgotten; /* while it runs */
    struct usages_asked asked;
    struct status status;
    struct diag diag;
    struct buf answer;
};

struct usages {
    const char *log_dir;
    struct quotas *quotas;
    pthread_t thread;
    pthread_mutex_t lock; /* of all below, but for the running question's own */
    pthread_cond_t wake;
    bool end;
    atomic_bool cut; /* the one that runs */
    uint64_t last;
    struct question place[USAGES_MOST];
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
    TRY(usage_read(u->log_dir, &asked, clock_wall_ns(), &u->cut, &q->diag, &read));
    TRY(usage_json(read, &o));
    return js_put(&q->answer, o);
}

static void
release(struct question *q)
{
    buf_done(&q->answer);
    *q = (struct question){.number = 0};
}

/* The one that has waited longest. */
static struct question *
next(struct usages *u)
{
    struct question *first = NULL;
    for (size_t i = 0; i < USAGES_MOST; i++) {
        struct question *q = &u->place[i];
        if (q->number > 0 && q->is == WAITS && (first == NULL || q->number < first->number)) {
            first = q;
        }
    }
    return first;
}

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
    atomic_store(&u->cut, u->end);
    (void)pthread_mutex_unlock(&u->lock);
    q->status = answer(u, q);
    (void)pthread_mutex_lock(&u->lock);
    q->is = READY;
    if (q->forgotten) {
        release(q);
    }
    tell(u);
}

static void *
run(void *ctx)
{
    struct usages *u = ctx;
    (void)pthread_mutex_lock(&u->lock);
    while (!u->end) {
        struct question *q = next(u);
        if (q == NULL) {
            (void)pthread_cond_wait(&u->wake, &u->lock);
        } else {
            take_turn(u, q);
        }
    }
    (void)pthread_mutex_unlock(&u->lock);
    return NULL;
}

struct status
usages_start(const char *log_dir, struct quotas *quotas, struct usages **ret_usages)
{
    struct usages *u = calloc(1, sizeof *u);
    CHECK(u != NULL, MEMORY);
    u->log_dir = log_dir;
    u->quotas = quotas;
    if (pthread_mutex_init(&u->lock, NULL) != 0 || pthread_cond_init(&u->wake, NULL) != 0 ||
        pthread_create(&u->thread, NULL, run, u) != 0) {
        free(u);
        FAIL(MEMORY);
    }
    *ret_usages = u;
    return OK;
}

void
usages_stop(struct usages *u)
{
    if (u == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&u->lock);
    u->end = true;
    atomic_store(&u->cut, true);
    (void)pthread_cond_signal(&u->wake);
    (void)pthread_mutex_unlock(&u->lock);
    (void)pthread_join(u->thread, NULL);
    for (size_t i = 0; i < USAGES_MOST; i++) {
        release(&u->place[i]);
    }
    (void)pthread_cond_destroy(&u->wake);
    (void)pthread_mutex_destroy(&u->lock);
    free(u);
}

/* ---- asking ---- */

/* number 0: a free place. */
static struct question *
find(struct usages *u, uint64_t number)
{
    for (size_t i = 0; i < USAGES_MOST; i++) {
        if (u->place[i].number == number) {
            return &u->place[i];
        }
    }
    return NULL;
}

struct status
usages_ask(struct usages *u, const struct usages_asked *asked, uint64_t *ret_number)
{
    (void)pthread_mutex_lock(&u->lock);
    struct question *q = find(u, 0);
    if (q != NULL) {
        q->number = *ret_number = ++u->last;
        q->is = WAITS;
        q->asked = *asked;
        buf_init(&q->answer, SIZE_MAX / 2);
        (void)pthread_cond_signal(&u->wake);
    }
    (void)pthread_mutex_unlock(&u->lock);
    CHECK(q != NULL, BUSY);
    return OK;
}

bool
usages_ready(struct usages *u, uint64_t number)
{
    (void)pthread_mutex_lock(&u->lock);
    const struct question *q = find(u, number);
    const bool ready = q == NULL || q->is == READY;
    (void)pthread_mutex_unlock(&u->lock);
    return ready;
}

struct status
usages_take(struct usages *u, uint64_t number, struct diag *diag, struct buf *ret_json)
{
    struct status s = FAILURE(NOT_FOUND);
    (void)pthread_mutex_lock(&u->lock);
    struct question *q = find(u, number);
    if (q != NULL && q->is == READY) {
        s = q->status;
        *diag = q->diag;
        if (status_ok(s)) {
            buf_put(ret_json, buf_view(&q->answer));
            s = buf_status(ret_json);
        }
        release(q);
    }
    (void)pthread_mutex_unlock(&u->lock);
    return s;
}

void
usages_forget(struct usages *u, uint64_t number)
{
    (void)pthread_mutex_lock(&u->lock);
    struct question *q = find(u, number);
    if (q != NULL && q->is == RUNS) {
        q->forgotten = true;
        atomic_store(&u->cut, true);
    } else if (q != NULL) {
        release(q);
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
