#include "base/threads.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MOST_THREADS 256u

struct job {
    void (*work)(void *ctx, size_t block);
    void *ctx;
    size_t blocks;
    _Atomic size_t next;
};

unsigned
threads_cores(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        const int n = CPU_COUNT(&set);
        return n > 0 ? (unsigned)n : 1;
    }
    const long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (unsigned)n : 1;
}

static void *
run(void *arg)
{
    struct job *job = arg;
    for (;;) {
        const size_t block = atomic_fetch_add(&job->next, 1);
        if (block >= job->blocks) {
            return NULL;
        }
        job->work(job->ctx, block);
    }
}

void
threads_for(size_t blocks, unsigned threads, void (*work)(void *ctx, size_t block), void *ctx)
{
    struct job job = {.work = work, .ctx = ctx, .blocks = blocks};
    unsigned want = threads == 0 ? threads_cores() : threads;
    want = want > MOST_THREADS ? MOST_THREADS : want;
    want = blocks < want ? (unsigned)blocks : want;
    pthread_t helper[MOST_THREADS];
    unsigned started = 0;
    while (started + 1 < want && pthread_create(&helper[started], NULL, run, &job) == 0) {
        started++;
    }
    (void)run(&job); /* the caller works too, and alone when no thread could be started */
    for (unsigned i = 0; i < started; i++) {
        (void)pthread_join(helper[i], NULL);
    }
}

void
threads_wait_while(_Atomic uint32_t *word, uint32_t seen)
{
    (void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
}

void
threads_wake_all(_Atomic uint32_t *word)
{
    (void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}
