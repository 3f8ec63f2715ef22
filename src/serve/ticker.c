#include "serve/ticker.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct ticker {
    void (*tick)(void *ctx);
    void *ctx;
    int64_t every_ns;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop;
};

/* every_ns, or less when it is to stop. */
static bool
rest(struct ticker *t)
{
    struct timespec until;
    (void)pthread_mutex_lock(&t->lock);
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    const int64_t ns = until.tv_nsec + t->every_ns;
    until.tv_sec += (time_t)(ns / NS_PER_S);
    until.tv_nsec = (long)(ns % NS_PER_S);
    while (!t->stop && pthread_cond_timedwait(&t->wake, &t->lock, &until) == 0) {
    }
    const bool stop = t->stop;
    (void)pthread_mutex_unlock(&t->lock);
    return !stop;
}

static void *
run(void *ctx)
{
    struct ticker *t = ctx;
    do {
        t->tick(t->ctx);
    } while (rest(t));
    return NULL;
}

struct status
ticker_start(int64_t every_ns, void (*tick)(void *ctx), void *ctx, struct ticker **ret_ticker)
{
    pthread_condattr_t steady;
    struct ticker *t = calloc(1, sizeof *t);
    CHECK(t != NULL, MEMORY);
    t->every_ns = every_ns;
    t->tick = tick;
    t->ctx = ctx;
    (void)pthread_condattr_init(&steady);
    (void)pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    const bool made = pthread_mutex_init(&t->lock, NULL) == 0 &&
                      pthread_cond_init(&t->wake, &steady) == 0 &&
                      pthread_create(&t->thread, NULL, run, t) == 0;
    (void)pthread_condattr_destroy(&steady);
    if (!made) {
        free(t);
        FAIL(MEMORY);
    }
    *ret_ticker = t;
    return OK;
}

void
ticker_stop(struct ticker *t)
{
    if (t == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&t->lock);
    t->stop = true;
    (void)pthread_cond_signal(&t->wake);
    (void)pthread_mutex_unlock(&t->lock);
    (void)pthread_join(t->thread, NULL);
    (void)pthread_cond_destroy(&t->wake);
    (void)pthread_mutex_destroy(&t->lock);
    free(t);
}
