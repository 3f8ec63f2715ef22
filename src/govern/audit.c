/* Two threads of our own. The committer takes what is queued as one batch, appends it under the
 * file lock with one fdatasync and wakes those who wait; while it syncs, the next batch gathers,
 * and goes on gathering until somebody asks for it: a batch costs much more than an entry.
 * The publisher writes tiles and signs a checkpoint when it is time; the long part of that, the
 * tiles, holds no lock, so that no call waits for it. */
#include "govern/audit.h"

#include "base/clock.h"
#include "base/threads.h"
#include "govern/ledger.h"
#include "govern/runs.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PUBLISH_NS_DEFAULT NS_PER_S
#define QUEUE_MAX_DEFAULT 65536u
#define QUEUE_BYTES (128u << 20)
#define PUBLISH_BYTES (8u << 20) /* published early when this much waits */
#define BEHIND_BYTES (32u << 20) /* when this much waits, entries wait for the publisher */
#define GATHERS_MAX 512          /* then what came meanwhile is left to the next publication */
#define SUBSCRIBERS_MAX 64u
#define LOST_MAX 256u
#define RETRY_NS NS_PER_S

/* Tickets of a batch that failed. */
struct lost {
    uint64_t from, upto;
};

/* How the newest attempt went, and why the newest that failed did. */
struct outcome {
    bool failing;
    struct status why;
    struct diag diag;
};

struct audit {
    pthread_mutex_t ledger_lock; /* before `lock` where both are held */
    struct ledger *ledger;
    pthread_t committer, publisher;
    pthread_mutex_t lock; /* all below, down to the atomics */
    pthread_cond_t work, pending;
    struct buf queue; /* u32be length, entry */
    uint64_t queued, queue_max;
    uint64_t next_ticket;
    bool hasty;  /* what is queued is asked for */
    bool behind; /* so much is to be published that the next batch waits for that */
    bool stopping, committed_all;
    int64_t publish_ns;
    int64_t publish_due; /* steady time; 0: nothing waits */
    int64_t rest_due;    /* the same: when memory is given back unless something waits; 0: never */
    struct outcome committed, published;
    uint64_t dropped;           /* entries of failed batches that no entry tells of yet */
    int64_t retry_due;          /* steady time; when `dropped`: of the next attempt to tell */
    struct lost lost[LOST_MAX]; /* oldest first; those of tickets up to lost_before are forgotten */
    size_t lost_count;
    uint64_t lost_before;
    struct runs runs;
    uint64_t wanted; /* a checkpoint over so many entries is asked for; 0: none */
    int subscriber[SUBSCRIBERS_MAX];
    size_t subscribers;
    _Atomic uint64_t durable, failed, size, covered; /* the last: by a checkpoint */
    atomic_bool unpublished;                         /* the newest publication failed */
    _Atomic uint32_t settled; /* changes with each batch; what audit_append waits on */
};

static struct timespec
at_ns(int64_t mono_ns)
{
    return (struct timespec){.tv_sec = mono_ns / NS_PER_S, .tv_nsec = mono_ns % NS_PER_S};
}

static void
keep_outcome(struct outcome *o, struct status s, const struct diag *diag)
{
    o->failing = !status_ok(s);
    if (o->failing) {
        o->why = s;
        o->diag = *diag;
    }
}

/* ---- the ledger, one thread at a time ---- */

static struct status
enter(struct audit *a, struct diag *diag)
{
    (void)pthread_mutex_lock(&a->ledger_lock);
    struct status s = ledger_lock(a->ledger);
    if (!status_ok(s)) {
        (void)pthread_mutex_unlock(&a->ledger_lock);
        return s;
    }
    s = ledger_sync(a->ledger, diag);
    if (!status_ok(s)) {
        ledger_unlock(a->ledger);
        (void)pthread_mutex_unlock(&a->ledger_lock);
    }
    return s;
}

static void
note_covered(struct audit *a, uint64_t covered)
{
    if (covered > atomic_load(&a->covered)) {
        atomic_store(&a->unpublished, false); /* before whoever waits sees that it works again */
        atomic_store(&a->covered, covered);
    }
}

static void
note_size(struct audit *a)
{
    atomic_store(&a->size, ledger_size(a->ledger));
    note_covered(a, ledger_size(a->ledger) - ledger_pending(a->ledger));
}

/* Under the lock. */
static void
set_behind(struct audit *a, bool behind)
{
    if (a->behind && !behind) {
        (void)pthread_cond_signal(&a->work);
    }
    a->behind = behind;
}

/* When the next publication is due follows from what is pending now. */
static void
leave(struct audit *a)
{
    const uint64_t bytes = ledger_pending_bytes(a->ledger);
    const bool waits = ledger_pending(a->ledger) > 0, many = bytes > PUBLISH_BYTES;
    note_size(a);
    ledger_unlock(a->ledger);
    (void)pthread_mutex_lock(&a->lock);
    set_behind(a, bytes > BEHIND_BYTES && !a->published.failing);
    const int64_t wait = many && !a->published.failing ? 0 : a->publish_ns;
    const int64_t due = clock_mono_ns() + wait;
    if (!waits) {
        a->publish_due = 0;
    } else if (a->publish_due == 0 || due < a->publish_due) {
        a->publish_due = due;
        (void)pthread_cond_signal(&a->pending);
    }
    (void)pthread_mutex_unlock(&a->lock);
    (void)pthread_mutex_unlock(&a->ledger_lock);
}

/* ---- the committer ---- */

static void
announce(struct audit *a)
{
    const uint64_t one = 1;
    (void)atomic_fetch_add(&a->settled, 1);
    threads_wake_all(&a->settled);
    for (size_t i = 0; i < a->subscribers; i++) {
        const ssize_t ignored = write(a->subscriber[i], &one, sizeof one);
        (void)ignored; /* a full counter wakes as well */
    }
}

static struct status
append_batch(struct audit *a, struct view records, uint64_t count, struct diag *diag,
             uint64_t *ret_first)
{
    TRY(enter(a, diag));
    *ret_first = ledger_size(a->ledger);
    const struct status s = ledger_append(a->ledger, records, count, diag);
    leave(a);
    return s;
}

/* Before `failed` moves on, so that a ticket under it is found here. */
static void
keep_lost(struct audit *a, uint64_t from, uint64_t upto)
{
    if (a->lost_count > 0 && a->lost[a->lost_count - 1].upto + 1 == from) {
        a->lost[a->lost_count - 1].upto = upto;
        return;
    }
    if (a->lost_count == LOST_MAX) {
        a->lost_before = a->lost[0].upto;
        memmove(a->lost, a->lost + 1, (LOST_MAX - 1) * sizeof *a->lost);
        a->lost_count--;
    }
    a->lost[a->lost_count++] = (struct lost){from, upto};
}

/* One batch: queue out, append, tickets forward. Called with the lock held; releases it meanwhile.
 */
static void
commit(struct audit *a, struct buf *batch)
{
    struct diag diag = {0};
    const struct buf swap = *batch;
    *batch = a->queue;
    a->queue = swap;
    const uint64_t count = a->queued, upto = a->next_ticket - 1;
    uint64_t first = 0;
    a->queued = 0;
    a->hasty = false;
    (void)pthread_mutex_unlock(&a->lock);
    const struct status s = append_batch(a, buf_view(batch), count, &diag, &first);
    buf_reset(batch);
    (void)pthread_mutex_lock(&a->lock);
    keep_outcome(&a->committed, s, &diag);
    if (status_ok(s)) {
        runs_add(&a->runs, upto - count + 1, upto, first);
        atomic_store(&a->durable, upto);
    } else {
        keep_lost(a, upto - count + 1, upto);
        a->dropped += count;
        a->retry_due = clock_mono_ns() + RETRY_NS;
        atomic_store(&a->failed, upto);
    }
    announce(a);
}

/* The log tells of its own gap; and whoever waits for it to be healthy sees that it is, without an
 * entry of anybody. Called with the lock held; releases it meanwhile. */
static void
tell_gap(struct audit *a, struct buf *batch)
{
    struct diag diag = {0};
    char reason[1024];
    DEFER(buf_done) struct buf entry;
    buf_init(&entry, AUDIT_MAX_ENTRY);
    const uint64_t dropped = a->dropped;
    uint64_t first = 0;
    (void)snprintf(reason, sizeof reason,
                   "entries refused since they could not be written: %llu; %s",
                   (unsigned long long)dropped, a->committed.diag.text);
    (void)pthread_mutex_unlock(&a->lock);
    audit_event_put(&(struct audit_event){.time_ns = clock_wall_ns(),
                                          .action = AUDIT_GAP,
                                          .resource = "audit/journal",
                                          .allow = true,
                                          .reason = reason},
                    &entry);
    buf_put_u32be(batch, (uint32_t)entry.len);
    buf_put(batch, buf_view(&entry));
    struct status s = buf_status(&entry);
    s = status_ok(s) ? buf_status(batch) : s;
    s = status_ok(s) ? append_batch(a, buf_view(batch), 1, &diag, &first) : s;
    buf_reset(batch);
    (void)pthread_mutex_lock(&a->lock);
    keep_outcome(&a->committed, s, &diag);
    a->dropped -= status_ok(s) ? dropped : 0;
    a->retry_due = clock_mono_ns() + RETRY_NS;
}

static void
wait_until(struct audit *a, pthread_cond_t *what, int64_t due)
{
    if (due == 0) {
        (void)pthread_cond_wait(what, &a->lock);
    } else {
        const struct timespec t = at_ns(due);
        (void)pthread_cond_timedwait(what, &a->lock, &t);
    }
}

static void *
run_committer(void *arg)
{
    struct audit *a = arg;
    struct buf batch;
    buf_init(&batch, QUEUE_BYTES);
    (void)pthread_mutex_lock(&a->lock);
    while (a->queued > 0 || !a->stopping) {
        if (a->queued > 0 && (a->stopping || (a->hasty && !a->behind))) {
            commit(a, &batch);
        } else if (a->dropped > 0 && clock_mono_ns() >= a->retry_due) {
            tell_gap(a, &batch);
        } else {
            wait_until(a, &a->work, a->dropped > 0 ? a->retry_due : 0);
        }
    }
    if (a->dropped > 0) {
        tell_gap(a, &batch);
    }
    a->committed_all = true;
    (void)pthread_cond_signal(&a->pending);
    (void)pthread_mutex_unlock(&a->lock);
    buf_done(&batch);
    return NULL;
}

/* ---- the publisher ---- */

static struct status
gather(struct audit *a, struct growth *g, bool *ret_more, struct diag *diag)
{
    TRY(enter(a, diag));
    const struct status s = ledger_gather(a->ledger, g, ret_more);
    leave(a);
    return s;
}

/* Whoever waits for a checkpoint has it as soon as it is signed: it does not need the journal. */
static void
tell_covered(struct audit *a, uint64_t covered)
{
    note_covered(a, covered);
    (void)pthread_mutex_lock(&a->lock);
    if (a->wanted > 0 && a->wanted <= covered) {
        a->wanted = 0;
        announce(a);
    }
    if (a->wanted == 0) {
        a->publish_due = 0; /* what was due is done: leave says when the next is */
    }
    (void)pthread_mutex_unlock(&a->lock);
}

static struct status
adopt(struct audit *a, struct growth *g, struct diag *diag)
{
    uint64_t covered = 0;
    TRY(enter(a, diag));
    struct status s = ledger_sign(a->ledger, g, diag, &covered);
    if (status_ok(s) && covered > 0) {
        tell_covered(a, covered);
        s = ledger_shorten(a->ledger, g, diag);
    }
    leave(a);
    return s;
}

static struct status
publish(struct audit *a, struct diag *diag)
{
    DEFER(growth_freep) struct growth *g = growth_new(a->ledger);
    CHECK(g != NULL, MEMORY);
    bool more = true;
    for (int left = GATHERS_MAX; left > 0 && more; left--) {
        TRY(gather(a, g, &more, diag));
        TRY(growth_write(g, !more || left == 1, diag));
    }
    return adopt(a, g, diag);
}

/* Whether no checkpoint covers some of the first `upto` entries yet. */
static struct status
uncovered(struct audit *a, uint64_t upto, struct diag *diag, bool *ret_any)
{
    TRY(enter(a, diag));
    *ret_any = ledger_size(a->ledger) - ledger_pending(a->ledger) < upto;
    leave(a);
    return OK;
}

/* A publication may leave some for the next one, or be overtaken by another's. */
struct status
audit_publish(struct audit *a, struct diag *diag)
{
    bool any = true;
    TRY(uncovered(a, 0, diag, &any)); /* takes in what others wrote */
    const uint64_t upto = audit_size(a);
    TRY(uncovered(a, upto, diag, &any));
    for (int i = 0; i < GATHERS_MAX && any; i++) {
        TRY(publish(a, diag));
        TRY(uncovered(a, upto, diag, &any));
    }
    CHECK(!any, BUSY);
    return OK;
}

/* A failed one is tried again when the next is due. Called with the lock held; releases it
 * meanwhile. */
static void
publish_now(struct audit *a)
{
    struct diag diag = {0};
    a->publish_due = clock_mono_ns() + a->publish_ns;
    (void)pthread_mutex_unlock(&a->lock);
    const struct status s = publish(a, &diag);
    (void)pthread_mutex_lock(&a->lock);
    a->rest_due = clock_mono_ns() + a->publish_ns;
    keep_outcome(&a->published, s, &diag);
    atomic_store(&a->unpublished, !status_ok(s));
    if (!status_ok(s)) {
        a->publish_due = clock_mono_ns() + a->publish_ns;
        set_behind(a, false); /* until the journal's own limit, calls go on */
    } else if (a->wanted > atomic_load(&a->covered)) {
        a->publish_due = clock_mono_ns();
        return; /* it came while this one was under way */
    }
    if (a->wanted > 0) {
        a->wanted = 0;
        announce(a);
    }
}

/* Called with the lock held; releases it meanwhile. */
static void
rest(struct audit *a)
{
    a->rest_due = 0;
    (void)pthread_mutex_unlock(&a->lock);
    (void)pthread_mutex_lock(&a->ledger_lock);
    ledger_rest(a->ledger);
    (void)pthread_mutex_unlock(&a->ledger_lock);
    (void)pthread_mutex_lock(&a->lock);
}

static void *
run_publisher(void *arg)
{
    struct audit *a = arg;
    (void)pthread_mutex_lock(&a->lock);
    while (!a->committed_all) {
        const int64_t due = a->publish_due != 0 ? a->publish_due : a->rest_due;
        if (due == 0 || clock_mono_ns() < due) {
            wait_until(a, &a->pending, due);
        } else if (a->publish_due != 0) {
            publish_now(a);
        } else {
            rest(a);
        }
    }
    /* One may leave some for the next. What another process goes on writing is that one's to
     * publish: following it would hold up who closes. */
    const uint64_t upto = audit_size(a);
    for (int left = GATHERS_MAX; left > 0 && a->publish_due != 0; left--) {
        publish_now(a);
        if (a->published.failing || atomic_load(&a->covered) >= upto) {
            break;
        }
    }
    (void)pthread_mutex_unlock(&a->lock);
    return NULL;
}

/* ---- open and close ---- */

static void
audit_free(struct audit *a)
{
    ledger_free(a->ledger);
    buf_done(&a->queue);
    (void)pthread_mutex_destroy(&a->ledger_lock);
    (void)pthread_mutex_destroy(&a->lock);
    (void)pthread_cond_destroy(&a->work);
    (void)pthread_cond_destroy(&a->pending);
    free(a);
}

static void
init_locks(struct audit *a)
{
    pthread_condattr_t steady;
    ASSERT(pthread_condattr_init(&steady) == 0 &&
           pthread_condattr_setclock(&steady, CLOCK_MONOTONIC) == 0);
    ASSERT(pthread_mutex_init(&a->ledger_lock, NULL) == 0 &&
           pthread_mutex_init(&a->lock, NULL) == 0);
    ASSERT(pthread_cond_init(&a->work, &steady) == 0 &&
           pthread_cond_init(&a->pending, &steady) == 0);
    (void)pthread_condattr_destroy(&steady);
}

static void
stop(struct audit *a)
{
    (void)pthread_mutex_lock(&a->lock);
    a->stopping = true;
    (void)pthread_cond_signal(&a->work);
    (void)pthread_mutex_unlock(&a->lock);
    (void)pthread_join(a->committer, NULL);
}

/* The threads take no signals: they are the main thread's. */
static struct status
start_threads(struct audit *a)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)sigdelset(&all, SIGSYS); /* a refused system call is told */
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&a->committer, NULL, run_committer, a);
    if (rc == 0) {
        rc = pthread_create(&a->publisher, NULL, run_publisher, a);
        if (rc != 0) {
            stop(a);
        }
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc == 0 ? OK : (struct status){STATUS_HERE, STATUS_IO, rc};
}

struct status
audit_open(const char *dir, const struct audit_options *o, struct diag *diag,
           struct audit **ret_audit)
{
    struct audit *a = calloc(1, sizeof *a);
    CHECK(a != NULL, MEMORY);
    init_locks(a);
    buf_init(&a->queue, QUEUE_BYTES);
    a->publish_ns = o->publish_ns > 0 ? o->publish_ns : PUBLISH_NS_DEFAULT;
    a->queue_max = o->queue_max > 0 ? o->queue_max : QUEUE_MAX_DEFAULT;
    a->next_ticket = 1;
    struct status s = ledger_open(dir, &o->signer, diag, &a->ledger);
    if (status_ok(s)) {
        note_size(a);
        a->publish_due = ledger_pending(a->ledger) > 0 ? clock_mono_ns() + a->publish_ns : 0;
        s = start_threads(a);
    } else {
        diag_prefix(diag, "audit log %s", dir);
    }
    if (!status_ok(s)) {
        audit_free(a);
        return s;
    }
    *ret_audit = a;
    return OK;
}

/* Under the lock. NULL: all is well. */
static const struct outcome *
failing(const struct audit *a)
{
    return a->committed.failing ? &a->committed : a->published.failing ? &a->published : NULL;
}

struct status
audit_close(struct audit *a, struct diag *diag)
{
    stop(a);
    (void)pthread_join(a->publisher, NULL);
    const struct outcome *bad = failing(a);
    const struct status s = bad == NULL ? OK : bad->why;
    if (bad != NULL && diag != NULL) {
        *diag = bad->diag;
        diag_prefix(diag, "audit log");
    }
    audit_free(a);
    return s;
}

/* ---- entries ---- */

/* Under the lock. */
static void
ask(struct audit *a)
{
    if (a->queued > 0 && !a->hasty) {
        a->hasty = true;
        (void)pthread_cond_signal(&a->work);
    }
}

static struct status
enqueue(struct audit *a, struct view entry, bool hasty, uint64_t *ret_ticket)
{
    CHECK(entry.len > 0 && entry.len <= AUDIT_MAX_ENTRY, LIMIT);
    (void)pthread_mutex_lock(&a->lock);
    struct status s = a->queued >= a->queue_max || a->stopping ? FAILURE(BUSY) : OK;
    const size_t before = a->queue.len;
    if (status_ok(s)) {
        buf_put_u32be(&a->queue, (uint32_t)entry.len);
        buf_put(&a->queue, entry);
        s = buf_status(&a->queue);
    }
    if (status_ok(s)) {
        a->queued++;
        *ret_ticket = a->next_ticket++;
    } else if (a->queue.failed != 0) {
        a->queue.len = before; /* what fitted of this entry goes out again */
        a->queue.failed = 0;
        s = FAILURE(BUSY);
    }
    if (hasty) {
        ask(a);
    }
    (void)pthread_mutex_unlock(&a->lock);
    return s;
}

struct status
audit_queue(struct audit *a, struct view entry, uint64_t *ret_ticket)
{
    return enqueue(a, entry, false, ret_ticket);
}

struct status
audit_submit(struct audit *a, struct view entry, uint64_t *ret_ticket)
{
    return enqueue(a, entry, true, ret_ticket);
}

void
audit_hasten(struct audit *a)
{
    (void)pthread_mutex_lock(&a->lock);
    ask(a);
    (void)pthread_mutex_unlock(&a->lock);
}

/* Under the lock. What is forgotten counts as failed: no response leaves on a guess. */
static bool
is_lost(const struct audit *a, uint64_t ticket)
{
    if (ticket <= a->lost_before) {
        return true;
    }
    for (size_t i = a->lost_count; i-- > 0 && a->lost[i].upto >= ticket;) {
        if (a->lost[i].from <= ticket) {
            return true;
        }
    }
    return false;
}

enum audit_fate
audit_fate(const struct audit *a, uint64_t ticket)
{
    struct audit *mutable = (struct audit *)(uintptr_t)a;
    /* In this order: whoever sees a later batch durable sees that an earlier one has failed. */
    const uint64_t durable = atomic_load(&a->durable);
    const uint64_t failed = atomic_load(&a->failed);
    if (ticket > durable && ticket > failed) {
        return AUDIT_WAITING;
    }
    if (ticket > failed) {
        return AUDIT_DURABLE;
    }
    (void)pthread_mutex_lock(&mutable->lock);
    const bool lost = is_lost(a, ticket);
    (void)pthread_mutex_unlock(&mutable->lock);
    return lost ? AUDIT_FAILED : AUDIT_DURABLE;
}

bool
audit_index(const struct audit *a, uint64_t ticket, uint64_t *ret_index)
{
    struct audit *mutable = (struct audit *)(uintptr_t)a;
    if (runs_find_newest(&a->runs, ticket, ret_index)) {
        return true;
    }
    (void)pthread_mutex_lock(&mutable->lock);
    const bool found = runs_find(&a->runs, ticket, ret_index);
    (void)pthread_mutex_unlock(&mutable->lock);
    return found;
}

void
audit_cover(struct audit *a, uint64_t size)
{
    (void)pthread_mutex_lock(&a->lock);
    if (size > a->wanted && size > atomic_load(&a->covered) && size <= atomic_load(&a->size)) {
        a->wanted = size;
        a->publish_due = clock_mono_ns();
        (void)pthread_cond_signal(&a->pending);
    }
    (void)pthread_mutex_unlock(&a->lock);
}

uint64_t
audit_published(const struct audit *a)
{
    return atomic_load(&a->covered);
}

enum audit_fate
audit_covered(const struct audit *a, uint64_t size)
{
    if (atomic_load(&a->covered) >= size) {
        return AUDIT_DURABLE;
    }
    return atomic_load(&a->unpublished) ? AUDIT_FAILED : AUDIT_WAITING;
}

uint64_t
audit_size(const struct audit *a)
{
    return atomic_load(&a->size);
}

struct status
audit_health(const struct audit *a)
{
    struct audit *mutable = (struct audit *)(uintptr_t)a;
    (void)pthread_mutex_lock(&mutable->lock);
    const struct outcome *bad = failing(a);
    const struct status s = bad == NULL ? OK : bad->why;
    (void)pthread_mutex_unlock(&mutable->lock);
    return s;
}

struct status
audit_subscribe(struct audit *a, int event_fd)
{
    (void)pthread_mutex_lock(&a->lock);
    const bool room = a->subscribers < SUBSCRIBERS_MAX;
    if (room) {
        a->subscriber[a->subscribers++] = event_fd;
    }
    (void)pthread_mutex_unlock(&a->lock);
    CHECK(room, LIMIT);
    return OK;
}

void
audit_unsubscribe(struct audit *a, int event_fd)
{
    (void)pthread_mutex_lock(&a->lock);
    for (size_t i = 0; i < a->subscribers; i++) {
        if (a->subscriber[i] == event_fd) {
            a->subscriber[i] = a->subscriber[--a->subscribers];
            break;
        }
    }
    (void)pthread_mutex_unlock(&a->lock);
}

/* No lock is taken on waking: with many waiters, the next batch would wait for each of them. */
static enum audit_fate
wait_for_fate(struct audit *a, uint64_t ticket)
{
    for (;;) {
        const uint32_t seen = atomic_load(&a->settled);
        const enum audit_fate fate = audit_fate(a, ticket);
        if (fate != AUDIT_WAITING) {
            return fate;
        }
        threads_wait_while(&a->settled, seen);
    }
}

static struct status
append(struct audit *a, struct view entry, struct diag *diag, uint64_t *ret_ticket)
{
    const struct status queued = audit_submit(a, entry, ret_ticket);
    if (!status_ok(queued)) {
        diag_set(diag, "audit log: %s",
                 queued.code == STATUS_LIMIT ? "an entry must have 1 to 65535 bytes"
                                             : "too many entries wait to be written; try again");
        return queued;
    }
    if (wait_for_fate(a, *ret_ticket) == AUDIT_DURABLE) {
        return OK;
    }
    (void)pthread_mutex_lock(&a->lock);
    /* A later batch may have succeeded since: then why this one failed is not known any more. */
    const struct status s = status_ok(a->committed.why) ? FAILURE(IO) : a->committed.why;
    if (diag != NULL) {
        *diag = a->committed.diag;
        diag_prefix(diag, "audit log");
    }
    (void)pthread_mutex_unlock(&a->lock);
    return s;
}

struct status
audit_append(struct audit *a, struct view entry, struct diag *diag)
{
    uint64_t ticket = 0;
    return append(a, entry, diag, &ticket);
}

struct status
audit_append_at(struct audit *a, struct view entry, struct diag *diag, uint64_t *ret_index)
{
    uint64_t ticket = 0;
    TRY(append(a, entry, diag, &ticket));
    return audit_index(a, ticket, ret_index) ? OK : FAILURE(BUSY);
}
