/* seal: an object of 64 MiB sealed into a file on tmpfs, and read back.
 *
 * seal and open: against what OpenSSL says of its own AES-256-GCM over blocks of 16 KiB; both count
 * the program's own processor time, as `openssl speed` does. Floor: every
 * byte is enciphered once, which is all that the peer does; whatever else is copied is ours to
 * lose.
 *
 * seal_file: against the same bytes written plain, with the system's time: a new file's pages are
 * allocated, cleared and copied into, once, by both. Floor: that and the enciphering. */
#include "comparisons.h"
#include "process.h"

#include "base/file.h"
#include "num/rng.h"
#include "vault/seal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#define BYTES ((size_t)64 << 20)
#define REPEATS 4u /* in a round: processor time comes in steps of the timer */
#define ROUNDS 5u

struct work {
    const struct bench_context *c;
    struct vault *vault;
    char *path;
    struct buf plain;
    struct buf back;
};

static void
work_done(struct work *w)
{
    vault_free(w->vault);
    free(w->path);
    buf_done(&w->plain);
    buf_done(&w->back);
}

static const struct seal_id id = {"dataset", "bench", 1};

static struct status
make_plain(struct work *w)
{
    struct rng r;
    rng_init(&r, 1, "bench.seal");
    buf_init(&w->plain, BYTES);
    buf_init(&w->back, BYTES);
    (void)buf_reserve(&w->plain, BYTES);
    for (size_t i = 0; i < BYTES / 8; i++) {
        buf_put_u64le(&w->plain, rng_u64(&r));
    }
    return buf_status(&w->plain);
}

static struct status
make_vault(struct work *w)
{
    DEFER(secret_done) struct secret passphrase = {0};
    DEFER(file_freep) char *dir = file_join(w->c->memory, "keys");
    TRY(secret_from(view_str("bench passphrase"), &passphrase));
    const struct vault_provider p = vault_passphrase_provider(&passphrase);
    TRY(file_mkdirs(dir, 0700, w->c->diag));
    return vault_create(dir, &p, w->c->diag, &w->vault);
}

/* MB/s of what one round does. */
static double
rate(double from, double now)
{
    return (double)(BYTES * REPEATS) / 1e6 / (now - from);
}

static struct status
seal(void *ctx, double (*clock)(void), double *ret_figure)
{
    const struct work *w = ctx;
    const double from = clock();
    for (unsigned i = 0; i < REPEATS; i++) {
        TRY(seal_file(w->vault, w->path, id, buf_view(&w->plain), w->c->diag));
    }
    *ret_figure = rate(from, clock());
    return OK;
}

static struct status
seal_user(void *ctx, double *ret_figure)
{
    return seal(ctx, bench_user_now, ret_figure);
}

static struct status
seal_cpu(void *ctx, double *ret_figure)
{
    return seal(ctx, bench_cpu_now, ret_figure);
}

static struct status
peer_write(void *ctx, double *ret_figure)
{
    const struct work *w = ctx;
    const double from = bench_cpu_now();
    for (unsigned i = 0; i < REPEATS; i++) {
        TRY(file_replace(w->path, buf_view(&w->plain), 0600, w->c->diag));
    }
    *ret_figure = rate(from, bench_cpu_now());
    return OK;
}

static struct status
unseal_user(void *ctx, double *ret_figure)
{
    struct work *w = ctx;
    const double from = bench_user_now();
    for (unsigned i = 0; i < REPEATS; i++) {
        buf_reset(&w->back);
        TRY(seal_open_file(w->vault, w->path, id, BYTES, w->c->diag, &w->back));
    }
    *ret_figure = rate(from, bench_user_now());
    CHECK(view_equal(buf_view(&w->back), buf_view(&w->plain)), INTEGRITY);
    return OK;
}

static struct status
peer_seal(void *ctx, double *ret_figure)
{
    const struct work *w = ctx;
    return process_openssl_speed(w->c, "aes-256-gcm", "16384", false, ret_figure);
}

static struct status
peer_unseal(void *ctx, double *ret_figure)
{
    const struct work *w = ctx;
    return process_openssl_speed(w->c, "aes-256-gcm", "16384", true, ret_figure);
}

static struct status
compare_with_openssl(struct work *w)
{
    char peer[96];
    (void)snprintf(peer, sizeof peer, "openssl speed %s, AES-256-GCM, 16 KiB",
                   OpenSSL_version(OPENSSL_FULL_VERSION_STRING));
    struct bench_result sealing = {.name = "seal",
                                   .unit = "MB/s",
                                   .peer_name = peer,
                                   .where = "an object of 64 MiB, one core, user processor time; "
                                            "MB are 10^6 bytes"};
    struct bench_result opening = sealing;
    opening.name = "open";
    TRY(bench_rounds(ROUNDS, seal_user, peer_seal, w, &sealing));
    TRY(bench_add(w->c->report, &sealing));
    TRY(bench_rounds(ROUNDS, unseal_user, peer_unseal, w, &opening));
    return bench_add(w->c->report, &opening);
}

static struct status
compare_with_writing(struct work *w)
{
    char where[160];
    (void)snprintf(where, sizeof where,
                   "the same object into a new file on %s, synced and renamed; one core, user and "
                   "system processor time",
                   bench_file_system(w->c->memory));
    struct bench_result x = {.name = "seal_file",
                             .unit = "MB/s",
                             .peer_name = "writing the bytes as they are",
                             .where = where};
    TRY(bench_rounds(ROUNDS, seal_cpu, peer_write, w, &x));
    return bench_add(w->c->report, &x);
}

struct status
bench_seal(const struct bench_context *c)
{
    DEFER(work_done) struct work w = {.c = c, .path = file_join(c->memory, "object")};
    TRY(make_plain(&w));
    TRY(make_vault(&w));
    TRY(compare_with_openssl(&w));
    return compare_with_writing(&w);
}
