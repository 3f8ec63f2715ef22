/* getaddrinfo has no time limit of ours, so it runs in a thread that may outlive the call: job and
 * answer belong to both, and the last one out frees them. */
#include "net/resolve.h"

#include "base/clock.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

struct job {
    pthread_mutex_t lock;
    pthread_cond_t ended;
    unsigned holders;
    bool done;
    int error; /* EAI_ */
    char host[256], port[8];
    size_t count;
    struct address address[RESOLVE_MOST];
};

static void
let_go(struct job *j)
{
    (void)pthread_mutex_lock(&j->lock);
    const unsigned left = --j->holders;
    (void)pthread_mutex_unlock(&j->lock);
    if (left == 0) {
        (void)pthread_cond_destroy(&j->ended);
        (void)pthread_mutex_destroy(&j->lock);
        free(j);
    }
}

static void
keep_answers(struct job *j, const struct addrinfo *list)
{
    for (; list != NULL && j->count < RESOLVE_MOST; list = list->ai_next) {
        struct address *a = &j->address[j->count];
        if (list->ai_addrlen <= sizeof a->storage) {
            memcpy(&a->storage, list->ai_addr, list->ai_addrlen);
            a->len = list->ai_addrlen;
            j->count++;
        }
    }
}

static void *
run(void *arg)
{
    struct job *j = arg;
    struct addrinfo *list = NULL;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    const int error = getaddrinfo(j->host, j->port, &hints, &list);
    (void)pthread_mutex_lock(&j->lock);
    j->error = error;
    if (error == 0) {
        keep_answers(j, list);
        freeaddrinfo(list);
    }
    j->done = true;
    (void)pthread_cond_signal(&j->ended);
    (void)pthread_mutex_unlock(&j->lock);
    let_go(j);
    return NULL;
}

static struct job *
job_new(const char *host, uint16_t port)
{
    struct job *j = calloc(1, sizeof *j);
    pthread_condattr_t clock;
    if (j == NULL || strlen(host) >= sizeof j->host) {
        free(j);
        return NULL;
    }
    (void)pthread_condattr_init(&clock);
    (void)pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&j->lock, NULL);
    (void)pthread_cond_init(&j->ended, &clock);
    (void)pthread_condattr_destroy(&clock);
    j->holders = 2;
    (void)strcpy(j->host, host);
    (void)snprintf(j->port, sizeof j->port, "%u", port);
    return j;
}

/* Takes the answer when it comes in time. */
static struct status
wait_for(struct job *j, int64_t timeout_ns, struct diag *diag, struct address *ret_address,
         size_t *ret_count)
{
    const int64_t until = clock_mono_ns() + timeout_ns;
    const struct timespec at = {.tv_sec = until / NS_PER_S, .tv_nsec = until % NS_PER_S};
    int waited = 0;
    (void)pthread_mutex_lock(&j->lock);
    while (!j->done && waited == 0) {
        waited = pthread_cond_timedwait(&j->ended, &j->lock, &at);
    }
    const bool done = j->done;
    const int error = j->error;
    if (done && error == 0) {
        memcpy(ret_address, j->address, j->count * sizeof *ret_address);
        *ret_count = j->count;
    }
    (void)pthread_mutex_unlock(&j->lock);
    if (!done) {
        diag_set(diag, "%s: the name's addresses did not come in time", j->host);
        FAIL_OS(ETIMEDOUT);
    }
    if (error != 0 || *ret_count == 0) {
        diag_set(diag, "%s: %s", j->host, error != 0 ? gai_strerror(error) : "has no address");
        FAIL_OS(EHOSTUNREACH);
    }
    return OK;
}

struct status
resolve_name(const char *host, uint16_t port, int64_t timeout_ns, struct diag *diag,
             struct address ret_address[static RESOLVE_MOST], size_t *ret_count)
{
    struct job *j = job_new(host, port);
    pthread_t thread;
    CHECK(j != NULL, MEMORY);
    if (pthread_create(&thread, NULL, run, j) != 0) {
        j->holders = 1;
        let_go(j);
        FAIL(MEMORY);
    }
    (void)pthread_detach(thread);
    *ret_count = 0;
    const struct status s = wait_for(j, timeout_ns, diag, ret_address, ret_count);
    let_go(j);
    return s;
}
