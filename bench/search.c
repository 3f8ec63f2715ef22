/* log_search: the entries of one principal, 10 of a million, by the index, against reading every
 * entry of the same log. Floor: a bundle of 256 entries for each that is found, and what no segment
 * covers (16,960 of a million). What was read is in the line of conditions. */
#include "comparisons.h"

#include "base/clock.h"
#include "base/file.h"
#include "govern/search.h"

#include <openssl/evp.h>
#include <stdio.h>

#define ENTRIES UINT64_C(1000000)
#define RARE 100000u
#define ROUNDS 3u

struct work {
    const char *dir;
    struct query q;
    struct diag *diag;
    struct search_stats ours, peer;
};

static EVP_PKEY *
key_of(void)
{
    static const uint8_t seed[32] = {7};
    return EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, sizeof seed);
}

static struct status
sign(void *ctx, struct view message, uint8_t ret_signature[static 64])
{
    (void)ctx;
    EVP_PKEY *key = key_of();
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    size_t n = 64;
    const bool done = key != NULL && c != NULL &&
                      EVP_DigestSignInit(c, NULL, NULL, NULL, key) == 1 &&
                      EVP_DigestSign(c, ret_signature, &n, message.ptr, message.len) == 1;
    EVP_MD_CTX_free(c);
    EVP_PKEY_free(key);
    CHECK(done, IO);
    return OK;
}

static void
put_entry(uint64_t i, struct buf *b)
{
    char id[40], principal[24];
    static const struct digest d = {{1}};
    (void)snprintf(id, sizeof id, "%032llx", (unsigned long long)i);
    (void)snprintf(principal, sizeof principal, i % RARE == 17 ? "rare" : "desk-%llu",
                   (unsigned long long)(i % 1000));
    buf_reset(b);
    audit_event_put(&(struct audit_event){.time_ns = 1760000000 * NS_PER_S + (int64_t)i * 1000000,
                                          .id = id,
                                          .principal = principal,
                                          .authenticated_by = "api-key 0123456789",
                                          .action = "model.infer",
                                          .resource = "models/mortgage",
                                          .model = "mortgage",
                                          .model_version = 3,
                                          .allow = i % 50 != 0,
                                          .rule = "role caller on models/mortgage",
                                          .http_status = i % 50 != 0 ? 200 : 403,
                                          .address = "10.0.0.1",
                                          .request = &d,
                                          .response = &d,
                                          .duration_ns = 20000,
                                          .rows = 1},
                    b);
}

static struct status
write_log(struct audit *a, struct diag *diag)
{
    uint64_t ticket = 0;
    DEFER(buf_done) struct buf entry;
    buf_init(&entry, AUDIT_MAX_ENTRY);
    for (uint64_t i = 0; i < ENTRIES; i++) {
        put_entry(i, &entry);
        TRY(i % 10000 == 9999 ? audit_append(a, buf_view(&entry), diag)
                              : audit_queue(a, buf_view(&entry), &ticket));
        TRY(i % 100000 == 99999 ? audit_publish(a, diag) : OK);
    }
    return audit_publish(a, diag);
}

static struct status
make_log(const char *dir, struct diag *diag)
{
    struct audit *a = NULL;
    struct search_index_report r;
    struct audit_options o = {.signer = {.origin = "steward/bench", .sign = sign}};
    EVP_PKEY *key = key_of();
    size_t n = sizeof o.signer.public_key;
    const bool good = key != NULL && EVP_PKEY_get_raw_public_key(key, o.signer.public_key, &n) == 1;
    EVP_PKEY_free(key);
    CHECK(good, IO);
    TRY(audit_open(dir, &o, diag, &a));
    const struct status written = write_log(a, diag);
    const struct status closed = audit_close(a, diag);
    TRY(written);
    TRY(closed);
    const double from = bench_now();
    TRY(search_index(dir, false, diag, &r));
    bench_progress("log_search: %llu entries are indexed in %.1f s\n",
                   (unsigned long long)r.covered, bench_now() - from);
    return OK;
}

static struct status
count(void *ctx, uint64_t index, struct view entry)
{
    (void)ctx, (void)index, (void)entry;
    return OK;
}

static struct status
search(struct work *w, bool scan, struct search_stats *stats, double *ret_figure)
{
    const struct search_options o = {.scan = scan};
    const double from = bench_now();
    TRY(search_run(w->dir, &w->q, &o, count, w, w->diag, stats));
    *ret_figure = (bench_now() - from) * 1000;
    if (stats->found != ENTRIES / RARE) {
        diag_set(w->diag, "%llu entries were found, %llu are there",
                 (unsigned long long)stats->found, (unsigned long long)(ENTRIES / RARE));
        FAIL(INTEGRITY);
    }
    return OK;
}

static struct status
search_indexed(void *ctx, double *ret_figure)
{
    struct work *w = ctx;
    return search(w, false, &w->ours, ret_figure);
}

static struct status
search_all(void *ctx, double *ret_figure)
{
    struct work *w = ctx;
    return search(w, true, &w->peer, ret_figure);
}

static void
work_done(struct work *w)
{
    query_done(&w->q);
}

struct status
bench_search(const struct bench_context *c)
{
    DEFER(file_freep) char *dir = file_join(c->work, "searched");
    DEFER(work_done) struct work w = {.dir = dir, .diag = c->diag};
    char where[240];
    struct bench_result x = {.name = "log_search",
                             .unit = "ms",
                             .peer_name = "reading every entry of the same log",
                             .where = where,
                             .less_is_better = true};
    TRY(make_log(dir, c->diag));
    TRY(query_parse(view_str("principal=rare"), 0, c->diag, &w.q));
    TRY(bench_rounds(ROUNDS, search_indexed, search_all, &w, &x));
    (void)snprintf(where, sizeof where,
                   "10 entries of 1,000,000 by principal; read: %.1f MB and %llu entries, peer "
                   "%.1f MB and %llu (%s)",
                   (double)w.ours.bytes / 1e6, (unsigned long long)w.ours.looked_at,
                   (double)w.peer.bytes / 1e6, (unsigned long long)w.peer.looked_at,
                   bench_file_system(c->work));
    return bench_add(c->report, &x);
}
