/* log: the audit log beside what bounds it.
 *
 * log_append: durable entries a second with 64 requests in flight, as the gateway's event loops
 * have them (each loop queues what it has, asks for it, sleeps on its eventfd, and looks at its own
 * tickets), against the plainest program that does group commit: 64 threads append to one buffer
 * under a lock, and whoever finds no leader writes what there is and calls fdatasync for all.
 * Floor: an entry is 400 bytes written once and a 64th of an fdatasync, which bounds both, and of
 * one over zeros for ours, which takes half the time; ours hashes each entry twice besides (chain
 * and leaf: 14 SHA-256 blocks), writes zeros where it will stand, and writes it again into its
 * tile.
 *
 * log_receipt: from the moment an entry is durable, when its answer leaves, until its receipt is
 * there, against twenty times an fdatasync of as many bytes. Floor: what a checkpoint needs on disk
 * one after the other: the entry and its hash, the checkpoint and its folder: four syncs, and one
 * file to be made.
 *
 * log_verify: the whole of a log of a million entries, against SHA-256 of the same bytes by
 * `openssl speed`. Floor: 7 blocks for an entry of 400 bytes are what the peer counts; ours hashes
 * 2 more for its node in the tree: 7/9. */
#include "comparisons.h"
#include "process.h"

#include "base/file.h"
#include "govern/audit.h"
#include "vault/vault.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define SUBMITTERS 64u
#define ENTRY_BYTES 400u
#define SECONDS 1.5
#define ROUNDS 5u
#define RECEIPTS 20u /* a round */
#define SYNCS 20.0
#define VERIFIED UINT64_C(1000000)
#define WAIT_MS 60000
#define ENTRIES_MAX ((size_t)SUBMITTERS * ENTRY_BYTES)

/* ---- the peer ---- */

struct peer_log {
    int fd;
    pthread_mutex_t lock;
    pthread_cond_t moved;
    uint8_t filling[ENTRIES_MAX], writing[ENTRIES_MAX];
    size_t filled;
    uint64_t submitted, durable;
    bool leading, failed;
};

/* Locked on entry and on return; not while it writes. */
static void
peer_lead(struct peer_log *l)
{
    const size_t n = l->filled;
    const uint64_t upto = l->submitted;
    memcpy(l->writing, l->filling, n);
    l->filled = 0;
    l->leading = true;
    (void)pthread_mutex_unlock(&l->lock);
    const bool failed = write(l->fd, l->writing, n) != (ssize_t)n || fdatasync(l->fd) != 0;
    (void)pthread_mutex_lock(&l->lock);
    l->leading = false;
    l->failed = l->failed || failed;
    l->durable = upto;
    (void)pthread_cond_broadcast(&l->moved);
}

/* At most one entry of each submitter is in the buffer, so that it always has room. */
static struct status
peer_append(struct peer_log *l, struct view entry)
{
    (void)pthread_mutex_lock(&l->lock);
    memcpy(l->filling + l->filled, entry.ptr, entry.len);
    l->filled += entry.len;
    const uint64_t mine = ++l->submitted;
    while (l->durable < mine) {
        if (l->leading) {
            (void)pthread_cond_wait(&l->moved, &l->lock);
        } else {
            peer_lead(l);
        }
    }
    const bool failed = l->failed;
    (void)pthread_mutex_unlock(&l->lock);
    CHECK(!failed, IO);
    return OK;
}

/* ---- submitters ---- */

struct work {
    const struct bench_context *c;
    struct vault *vault;
    struct audit *audit;
    struct peer_log *peer;
    const char *dir;   /* of ours */
    uint64_t appended; /* to it */
};

struct crowd {
    struct work *w;
    uint64_t most; /* entries; 0: until it is stopped */
    atomic_bool stop, failed;
    atomic_uint number;
    atomic_ullong entries;
};

static void
make_entry(unsigned submitter, char ret_entry[static ENTRY_BYTES + 1])
{
    const int n = snprintf(ret_entry, ENTRY_BYTES + 1, "{\"v\":1,\"principal\":\"%u\",\"fill\":\"",
                           submitter);
    memset(ret_entry + n, 'x', ENTRY_BYTES - (size_t)n - 2);
    memcpy(ret_entry + ENTRY_BYTES - 2, "\"}", 3);
}

/* A thread of the peer's. */
static void *
submit(void *arg)
{
    struct crowd *crowd = arg;
    char entry[ENTRY_BYTES + 1];
    unsigned long long n = 0;
    make_entry(atomic_fetch_add(&crowd->number, 1), entry);
    while (!atomic_load(&crowd->stop) && !atomic_load(&crowd->failed)) {
        if (!status_ok(peer_append(crowd->w->peer, view_of(entry, ENTRY_BYTES)))) {
            atomic_store(&crowd->failed, true);
        } else {
            n++;
        }
    }
    (void)atomic_fetch_add(&crowd->entries, n);
    return NULL;
}

/* One event loop of ours and the requests that it has in flight. */
struct loop {
    struct audit *audit;
    int fd;
    unsigned count;
    uint64_t ticket[SUBMITTERS]; /* 0: none in flight */
    char entry[ENTRY_BYTES + 1];
};

static struct status
fill(struct loop *l)
{
    for (unsigned i = 0; i < l->count; i++) {
        if (l->ticket[i] == 0) {
            TRY(audit_queue(l->audit, view_of(l->entry, ENTRY_BYTES), &l->ticket[i]));
        }
    }
    audit_hasten(l->audit);
    return OK;
}

/* Sleeps until tickets advance; how many of its own are settled. */
static struct status
reap(struct loop *l, unsigned long long *entries)
{
    struct pollfd p = {.fd = l->fd, .events = POLLIN};
    uint64_t count = 0;
    CHECK(poll(&p, 1, WAIT_MS) == 1 && read(l->fd, &count, sizeof count) == sizeof count, IO);
    for (unsigned i = 0; i < l->count; i++) {
        const enum audit_fate fate =
            l->ticket[i] == 0 ? AUDIT_WAITING : audit_fate(l->audit, l->ticket[i]);
        CHECK(fate != AUDIT_FAILED, IO);
        if (fate == AUDIT_DURABLE) {
            l->ticket[i] = 0;
            ++*entries;
        }
    }
    return OK;
}

static bool
in_flight(const struct loop *l)
{
    for (unsigned i = 0; i < l->count; i++) {
        if (l->ticket[i] != 0) {
            return true;
        }
    }
    return false;
}

static struct status
run_loop(struct crowd *crowd, struct loop *l, unsigned long long *entries)
{
    while (!atomic_load(&crowd->stop) && (crowd->most == 0 || *entries < crowd->most)) {
        TRY(fill(l));
        TRY(reap(l, entries));
    }
    while (in_flight(l)) {
        TRY(reap(l, entries));
    }
    return OK;
}

static void *
loop(void *arg)
{
    struct crowd *crowd = arg;
    unsigned long long entries = 0;
    struct loop l = {.audit = crowd->w->audit, .count = SUBMITTERS};
    l.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    make_entry(atomic_fetch_add(&crowd->number, 1), l.entry);
    if (l.fd < 0 || !status_ok(audit_subscribe(l.audit, l.fd)) ||
        !status_ok(run_loop(crowd, &l, &entries))) {
        atomic_store(&crowd->failed, true);
    }
    audit_unsubscribe(l.audit, l.fd);
    file_closep(&l.fd);
    (void)atomic_fetch_add(&crowd->entries, entries);
    return NULL;
}

static struct status
run_crowd(struct crowd *crowd, unsigned count, void *(*run)(void *), double *ret_figure)
{
    pthread_t threads[SUBMITTERS];
    unsigned started = 0;
    const double from = bench_now();
    while (started < count && pthread_create(&threads[started], NULL, run, crowd) == 0) {
        started++;
    }
    if (crowd->most == 0) {
        (void)usleep((useconds_t)(SECONDS * 1e6));
        atomic_store(&crowd->stop, true);
    }
    for (unsigned i = 0; i < started; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    *ret_figure = (double)atomic_load(&crowd->entries) / (bench_now() - from);
    CHECK(started == count, MEMORY);
    CHECK(!atomic_load(&crowd->failed), IO);
    return OK;
}

static struct status
append_entries(struct work *w, uint64_t most, double *ret_figure)
{
    struct crowd crowd = {.w = w, .most = most};
    const struct status s = run_crowd(&crowd, 1, loop, ret_figure);
    w->appended += atomic_load(&crowd.entries);
    return s;
}

static struct status
append_ours(void *ctx, double *ret_figure)
{
    return append_entries(ctx, 0, ret_figure);
}

static struct status
append_peer(void *ctx, double *ret_figure)
{
    struct crowd crowd = {.w = ctx};
    return run_crowd(&crowd, SUBMITTERS, submit, ret_figure);
}

/* ---- receipts ---- */

static struct status
wait_for_cover(struct loop *l, uint64_t size)
{
    struct pollfd p = {.fd = l->fd, .events = POLLIN};
    uint64_t count = 0;
    audit_cover(l->audit, size);
    while (audit_covered(l->audit, size) == AUDIT_WAITING) {
        CHECK(poll(&p, 1, WAIT_MS) == 1 && read(l->fd, &count, sizeof count) == sizeof count, IO);
    }
    CHECK(audit_covered(l->audit, size) == AUDIT_DURABLE, IO);
    return OK;
}

/* Milliseconds from the response to the receipt. */
static struct status
one_receipt(const struct work *w, struct loop *l, double *ret_ms)
{
    DEFER(buf_done) struct buf proof;
    unsigned long long settled = 0;
    uint64_t index = 0;
    buf_init(&proof, 1u << 20);
    TRY(fill(l));
    const uint64_t ticket = l->ticket[0];
    while (settled == 0) {
        TRY(reap(l, &settled));
    }
    const double from = bench_now();
    CHECK(audit_index(l->audit, ticket, &index), INTEGRITY);
    TRY(wait_for_cover(l, index + 1));
    TRY(audit_prove(w->dir, index, NULL, &proof, w->c->diag));
    *ret_ms = (bench_now() - from) * 1e3;
    return OK;
}

static struct status
receipts(void *ctx, double *ret_figure)
{
    struct work *w = ctx;
    struct loop l = {.audit = w->audit, .count = 1};
    DEFER(file_closep) int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct bench_samples each = {0};
    l.fd = fd;
    make_entry(0, l.entry);
    TRY(audit_subscribe(w->audit, fd));
    struct status s = OK;
    for (unsigned i = 0; i < RECEIPTS && status_ok(s); i++) {
        double ms = 0;
        s = one_receipt(w, &l, &ms);
        bench_sample(&each, ms);
        w->appended += status_ok(s);
    }
    audit_unsubscribe(w->audit, fd);
    *ret_figure = bench_median(&each);
    return s;
}

static struct status
twenty_syncs(void *ctx, double *ret_figure)
{
    const struct work *w = ctx;
    char entry[ENTRY_BYTES + 1];
    struct bench_samples each = {0};
    make_entry(0, entry);
    for (unsigned i = 0; i < RECEIPTS; i++) {
        const double from = bench_now();
        CHECK(write(w->peer->fd, entry, ENTRY_BYTES) == ENTRY_BYTES && fdatasync(w->peer->fd) == 0,
              IO);
        bench_sample(&each, (bench_now() - from) * 1e3);
    }
    *ret_figure = SYNCS * bench_median(&each);
    return OK;
}

/* ---- verifying ---- */

static struct status
verify_all(void *ctx, double *ret_figure)
{
    const struct work *w = ctx;
    struct audit_fault fault = {{0}};
    struct audit_report report;
    const double from = bench_cpu_now();
    if (!status_ok(audit_verify(w->dir, NULL, &fault, &report))) {
        diag_set(w->c->diag, "the log does not verify after the run: %s", fault.text);
        FAIL(INTEGRITY);
    }
    *ret_figure = (double)report.entries * ENTRY_BYTES / 1e6 / (bench_cpu_now() - from);
    return OK;
}

static struct status
hash_all(void *ctx, double *ret_figure)
{
    const struct work *w = ctx;
    char bytes[16];
    (void)snprintf(bytes, sizeof bytes, "%u", ENTRY_BYTES);
    return process_openssl_speed(w->c, "sha256", bytes, false, ret_figure);
}

/* ---- both logs ---- */

static void
work_done(struct work *w)
{
    if (w->audit != NULL) {
        const struct status s = audit_close(w->audit, NULL);
        (void)s;
    }
    vault_free(w->vault);
    if (w->peer != NULL) {
        file_closep(&w->peer->fd);
        free(w->peer);
    }
}

static struct status
sign(void *ctx, struct view message, uint8_t ret_signature[static 64])
{
    return vault_sign(ctx, VAULT_SIGN_CHECKPOINT, message, ret_signature);
}

static struct status
open_ours(struct work *w, const char *dir)
{
    struct diag *diag = w->c->diag;
    DEFER(secret_done) struct secret passphrase = {0};
    DEFER(file_freep) char *keys = file_join(w->c->memory, "log-keys");
    TRY(secret_from(view_str("bench passphrase"), &passphrase));
    const struct vault_provider p = vault_passphrase_provider(&passphrase);
    TRY(file_mkdirs(keys, 0700, diag));
    TRY(vault_create(keys, &p, diag, &w->vault));
    struct audit_options o = {.signer = {.origin = "steward/bench", .sign = sign, .ctx = w->vault}};
    vault_public_key(w->vault, o.signer.public_key);
    return audit_open(dir, &o, diag, &w->audit);
}

static struct status
open_peer(struct work *w)
{
    DEFER(file_freep) char *path = file_join(w->c->work, "peer.log");
    w->peer = calloc(1, sizeof *w->peer);
    CHECK(w->peer != NULL, MEMORY);
    (void)pthread_mutex_init(&w->peer->lock, NULL);
    (void)pthread_cond_init(&w->peer->moved, NULL);
    w->peer->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (w->peer->fd < 0) {
        FAIL_OS(errno);
    }
    return OK;
}

/* What was counted is in the log, and the log is whole. */
static struct status
check_log(struct work *w)
{
    struct audit_fault fault = {{0}};
    struct audit_report report;
    TRY(audit_close(MOVE(w->audit), w->c->diag));
    if (!status_ok(audit_verify(w->dir, NULL, &fault, &report))) {
        diag_set(w->c->diag, "the log does not verify after the run: %s", fault.text);
        FAIL(INTEGRITY);
    }
    if (report.entries + report.pending != w->appended) {
        diag_set(w->c->diag, "%llu entries were acknowledged, the log has %llu",
                 (unsigned long long)w->appended,
                 (unsigned long long)(report.entries + report.pending));
        FAIL(INTEGRITY);
    }
    return OK;
}

static struct status
compare_appending(struct work *w)
{
    char where[240];
    (void)snprintf(where, sizeof where,
                   "%u in flight, entries of %u bytes, each answered when its own is on disk; one "
                   "event loop here, %u threads there (%s)",
                   SUBMITTERS, ENTRY_BYTES, SUBMITTERS, bench_file_system(w->c->work));
    struct bench_result x = {.name = "log_append",
                             .unit = "entries/s",
                             .peer_name = "appending with a leader's fdatasync, nothing else",
                             .where = where};
    TRY(bench_rounds(ROUNDS, append_ours, append_peer, w, &x));
    return bench_add(w->c->report, &x);
}

static struct status
compare_receipts(struct work *w)
{
    char where[240];
    (void)snprintf(where, sizeof where,
                   "from a durable entry to its receipt, a checkpoint signed for it: median of %u "
                   "a round, nobody else asks (%s)",
                   RECEIPTS, bench_file_system(w->c->work));
    struct bench_result x = {.name = "log_receipt",
                             .unit = "ms",
                             .peer_name = "20 x fdatasync of 400 bytes",
                             .where = where,
                             .less_is_better = true};
    TRY(bench_rounds(ROUNDS, receipts, twenty_syncs, w, &x));
    return bench_add(w->c->report, &x);
}

static struct status
compare_verifying(struct work *w)
{
    char where[240];
    (void)snprintf(where, sizeof where,
                   "all of a log of %llu entries of %u bytes, read from files; one thread, "
                   "processor time (user and system here, user there)",
                   (unsigned long long)w->appended, ENTRY_BYTES);
    struct bench_result x = {.name = "log_verify",
                             .unit = "MB/s",
                             .peer_name = "openssl speed sha256, blocks of 400 bytes",
                             .where = where};
    TRY(bench_rounds(3, verify_all, hash_all, w, &x));
    return bench_add(w->c->report, &x);
}

struct status
bench_log(const struct bench_context *c)
{
    DEFER(work_done) struct work w = {.c = c};
    DEFER(file_freep) char *dir = file_join(c->work, "audit");
    double rate = 0;
    w.dir = dir;
    TRY(open_ours(&w, dir));
    TRY(open_peer(&w));
    TRY(compare_appending(&w));
    TRY(compare_receipts(&w));
    if (w.appended < VERIFIED) {
        TRY(append_entries(&w, VERIFIED - w.appended + SUBMITTERS, &rate));
    }
    TRY(check_log(&w));
    return compare_verifying(&w);
}
