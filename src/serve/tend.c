#include "serve/tend.h"

#include "base/clock.h"
#include "base/log.h"

#include <pthread.h>

#define NOTE_EVERY_S 60

struct tend {
    struct access *access;
    struct fetcher *fetcher;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop;
};

static struct status
get(void *ctx, const char *url, const char *ca_file, size_t max, struct diag *diag,
    struct buf *ret_body)
{
    const struct tend *t = ctx;
    return fetcher_get(t->fetcher, url, ca_file, max, diag, ret_body);
}

static void
told(void *ctx, const char *issuer, struct status s, const char *sentence)
{
    (void)ctx;
    if (status_ok(s)) {
        log_event(LOG_INFO, "issuer.keys", "issuer=%s", issuer);
    } else {
        log_event(LOG_WARN, "issuer.keys", "issuer=%s reason=\"%s\"", issuer, sentence);
    }
}

static void
note_uses(const struct tend *t)
{
    struct diag diag = {0};
    const struct status s = access_keys_note_uses(t->access, &diag);
    if (!status_ok(s)) {
        char text[sizeof diag.text];
        diag_describe(&diag, s, text, sizeof text);
        log_event(LOG_WARN, "api-key.uses", "reason=\"%s\"", text);
    }
}

/* A second, or less when it is to stop. */
static bool
pause_a_second(struct tend *t)
{
    struct timespec until;
    (void)pthread_mutex_lock(&t->lock);
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += 1;
    while (!t->stop && pthread_cond_timedwait(&t->wake, &t->lock, &until) == 0) {
    }
    const bool stop = t->stop;
    (void)pthread_mutex_unlock(&t->lock);
    return !stop;
}

static void *
run(void *ctx)
{
    struct tend *t = ctx;
    const struct access_fetcher f = {.get = get, .ctx = t, .told = told};
    unsigned seconds = 0;
    do {
        if (t->fetcher != NULL) {
            access_issuers_refresh(t->access, &f, clock_mono_ns());
        }
        if (++seconds % NOTE_EVERY_S == 0) {
            note_uses(t);
        }
    } while (pause_a_second(t));
    note_uses(t);
    return NULL;
}

struct status
tend_start(struct access *a, struct fetcher *fetcher, struct tend **ret_tend)
{
    pthread_condattr_t steady;
    struct tend *t = calloc(1, sizeof *t);
    CHECK(t != NULL, MEMORY);
    t->access = a;
    t->fetcher = fetcher;
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
    *ret_tend = t;
    return OK;
}

void
tend_stop(struct tend *t)
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
