/* log: durable audit entries a second from 64 submitters, each waiting for its own, against the
 * plainest program that does group commit: 64 threads append to one buffer under a lock, and
 * whoever finds no leader writes what there is and calls fdatasync for all.
 *
 * Floor: an entry is 400 bytes written once and a 64th of an fdatasync, which is what bounds both;
 * ours hashes each entry twice besides (chain and leaf: 14 SHA-256 blocks), and writes it a second
 * time into its tile. */
#include "comparisons.h"

#include "base/file.h"
#include "govern/audit.h"
#include "vault/vault.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SUBMITTERS 64u
#define ENTRY_BYTES 400u
#define SECONDS 1.5
#define ROUNDS 5u
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
    uint64_t appended; /* to ours */
};

struct crowd {
    struct work *w;
    bool ours;
    atomic_bool stop, failed;
    atomic_uint number;
    atomic_ullong entries;
};

static struct status
append(struct work *w, bool ours, struct view entry)
{
    return ours ? audit_append(w->audit, entry, NULL) : peer_append(w->peer, entry);
}

static void
make_entry(unsigned submitter, char ret_entry[static ENTRY_BYTES + 1])
{
    const int n = snprintf(ret_entry, ENTRY_BYTES + 1, "{\"v\":1,\"principal\":\"%u\",\"fill\":\"",
                           submitter);
    memset(ret_entry + n, 'x', ENTRY_BYTES - (size_t)n - 2);
    memcpy(ret_entry + ENTRY_BYTES - 2, "\"}", 3);
}

static void *
submit(void *arg)
{
    struct crowd *crowd = arg;
    char entry[ENTRY_BYTES + 1];
    unsigned long long n = 0;
    make_entry(atomic_fetch_add(&crowd->number, 1), entry);
    while (!atomic_load(&crowd->stop) && !atomic_load(&crowd->failed)) {
        if (!status_ok(append(crowd->w, crowd->ours, view_of(entry, ENTRY_BYTES)))) {
            atomic_store(&crowd->failed, true);
        } else {
            n++;
        }
    }
    (void)atomic_fetch_add(&crowd->entries, n);
    return NULL;
}

static struct status
run_crowd(struct work *w, bool ours, double *ret_figure)
{
    struct crowd crowd = {.w = w, .ours = ours};
    pthread_t threads[SUBMITTERS];
    unsigned started = 0;
    const double from = bench_now();
    while (started < SUBMITTERS && pthread_create(&threads[started], NULL, submit, &crowd) == 0) {
        started++;
    }
    (void)usleep((useconds_t)(SECONDS * 1e6));
    atomic_store(&crowd.stop, true);
    for (unsigned i = 0; i < started; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    *ret_figure = (double)atomic_load(&crowd.entries) / (bench_now() - from);
    w->appended += ours ? atomic_load(&crowd.entries) : 0;
    CHECK(started == SUBMITTERS, MEMORY);
    CHECK(!atomic_load(&crowd.failed), IO);
    return OK;
}

static struct status
append_ours(void *ctx, double *ret_figure)
{
    return run_crowd(ctx, true, ret_figure);
}

static struct status
append_peer(void *ctx, double *ret_figure)
{
    return run_crowd(ctx, false, ret_figure);
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
check_log(struct work *w, const char *dir)
{
    struct audit_fault fault = {{0}};
    struct audit_report report;
    TRY(audit_close(MOVE(w->audit), w->c->diag));
    if (!status_ok(audit_verify(dir, NULL, &fault, &report))) {
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

struct status
bench_log(const struct bench_context *c)
{
    DEFER(work_done) struct work w = {.c = c};
    DEFER(file_freep) char *dir = file_join(c->work, "audit");
    char where[200];
    (void)snprintf(where, sizeof where,
                   "%u submitters, entries of %u bytes, each waits until its own is on disk (%s)",
                   SUBMITTERS, ENTRY_BYTES, bench_file_system(c->work));
    struct bench_result x = {.name = "log_append",
                             .unit = "entries/s",
                             .peer_name = "appending with a leader's fdatasync, nothing else",
                             .where = where};
    TRY(open_ours(&w, dir));
    TRY(open_peer(&w));
    TRY(bench_rounds(ROUNDS, append_ours, append_peer, &w, &x));
    TRY(check_log(&w, dir));
    return bench_add(c->report, &x);
}
