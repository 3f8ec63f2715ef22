#include "report.h"

#include "base/clock.h"
#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <time.h>

#define RESULTS_MAX 64u
#define TEXT_MAX 400u

struct kept {
    struct bench_result x;
    char name[64], unit[32], peer_name[TEXT_MAX], where[TEXT_MAX];
};

struct bench_report {
    size_t n, left_out;
    struct kept results[RESULTS_MAX];
    struct {
        char name[64], why[TEXT_MAX];
    } without[RESULTS_MAX];
};

double
bench_now(void)
{
    return (double)clock_mono_ns() / (double)NS_PER_S;
}

double
bench_cpu_now(void)
{
    struct timespec t = {0};
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / (double)NS_PER_S;
}

double
bench_user_now(void)
{
    struct rusage u = {0};
    (void)getrusage(RUSAGE_SELF, &u);
    return (double)u.ru_utime.tv_sec + (double)u.ru_utime.tv_usec / 1e6;
}

void
bench_progress(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)fputs("bench: ", stderr);
    (void)vfprintf(stderr, format, args);
    (void)fputc('\n', stderr);
    va_end(args);
}

const char *
bench_file_system(const char *path)
{
    static const struct {
        unsigned long magic;
        const char *name;
    } known[] = {{0xef53, "ext4"},      {0x01021994, "tmpfs"},     {0x58465342, "xfs"},
                 {0x9123683e, "btrfs"}, {0x794c7630, "overlayfs"}, {0x2fc12fc1, "zfs"}};
    static char number[24];
    struct statfs s;
    if (statfs(path, &s) != 0) {
        return "an unknown file system";
    }
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if ((unsigned long)s.f_type == known[i].magic) {
            return known[i].name;
        }
    }
    (void)snprintf(number, sizeof number, "type %lx", (unsigned long)s.f_type);
    return number;
}

/* ---- samples ---- */

void
bench_sample(struct bench_samples *s, double value)
{
    ASSERT(s->n < BENCH_ROUNDS_MAX);
    s->at[s->n++] = value;
}

static int
compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static struct bench_samples
sorted(const struct bench_samples *s)
{
    struct bench_samples copy = *s;
    qsort(copy.at, copy.n, sizeof *copy.at, compare);
    return copy;
}

double
bench_median(const struct bench_samples *s)
{
    const struct bench_samples o = sorted(s);
    if (o.n == 0) {
        return 0;
    }
    return (o.at[(o.n - 1) / 2] + o.at[o.n / 2]) / 2;
}

struct status
bench_rounds(unsigned rounds, bench_side *ours, bench_side *peer, void *ctx, struct bench_result *x)
{
    double figure[2] = {0};
    TRY(ours(ctx, &figure[0]));
    TRY(peer(ctx, &figure[1]));
    for (unsigned i = 0; i < rounds; i++) {
        const bool peer_first = i % 2 == 1;
        TRY((peer_first ? peer : ours)(ctx, &figure[peer_first]));
        TRY((peer_first ? ours : peer)(ctx, &figure[!peer_first]));
        bench_sample(&x->ours, figure[0]);
        bench_sample(&x->peer, figure[1]);
    }
    return OK;
}

/* ---- the report ---- */

struct bench_report *
bench_report_new(void)
{
    return calloc(1, sizeof(struct bench_report));
}

void
bench_report_free(struct bench_report *r)
{
    free(r);
}

static double
ratio(const struct bench_result *x)
{
    const double ours = bench_median(&x->ours), peer = bench_median(&x->peer);
    return x->less_is_better ? peer / ours : ours / peer;
}

struct status
bench_add(struct bench_report *r, const struct bench_result *x)
{
    ASSERT(x->ours.n > 0 && x->peer.n > 0);
    CHECK(r->n < RESULTS_MAX, MEMORY);
    struct kept *k = &r->results[r->n++];
    k->x = *x;
    (void)snprintf(k->name, sizeof k->name, "%s", x->name);
    (void)snprintf(k->unit, sizeof k->unit, "%s", x->unit);
    (void)snprintf(k->peer_name, sizeof k->peer_name, "%s", x->peer_name);
    (void)snprintf(k->where, sizeof k->where, "%s", x->where);
    bench_progress("%s: ratio %.2f", k->name, ratio(&k->x));
    return OK;
}

struct status
bench_leave_out(struct bench_report *r, const char *name, const char *why)
{
    CHECK(r->left_out < RESULTS_MAX, MEMORY);
    const size_t i = r->left_out++;
    (void)snprintf(r->without[i].name, sizeof r->without[i].name, "%s", name);
    (void)snprintf(r->without[i].why, sizeof r->without[i].why, "%s", why);
    bench_progress("%s: left out: %s", r->without[i].name, r->without[i].why);
    return OK;
}

/* Four digits and a suffix: 1234567 -> "1.235M". */
static void
shorten(double v, char ret_text[static 24])
{
    static const char suffix[] = {'\0', 'k', 'M', 'G'};
    size_t i = 0;
    while (v >= 10000 && i + 1 < sizeof suffix) {
        v /= 1000;
        i++;
    }
    (void)snprintf(ret_text, 24, "%.4g%c", v, suffix[i]);
}

static void
put_spread(const struct bench_samples *s, struct buf *b)
{
    const struct bench_samples o = sorted(s);
    char low[24], high[24];
    shorten(o.at[0], low);
    shorten(o.at[o.n - 1], high);
    buf_printf(b, "%s to %s", low, high);
}

static void
put_row(const struct kept *k, struct buf *b)
{
    char ours[24], peer[24];
    shorten(bench_median(&k->x.ours), ours);
    shorten(bench_median(&k->x.peer), peer);
    buf_printf(b, "%-22s %10s %10s  %-12s %6.2f   %s\n", k->name, ours, peer, k->unit, ratio(&k->x),
               k->peer_name);
    buf_put_str(b, "    ours ");
    put_spread(&k->x.ours, b);
    buf_put_str(b, ", peer ");
    put_spread(&k->x.peer, b);
    buf_printf(b, ", %zu round%s%s\n    %s\n", k->x.ours.n, k->x.ours.n == 1 ? "" : "s",
               k->x.less_is_better ? ", less is better" : "", k->where);
}

void
bench_report_put_text(const struct bench_report *r, struct buf *b)
{
    buf_put_str(b, "Medians of rounds that took turns in this run. A ratio over 1 means that "
                   "Steward is better,\nunder 1 that the peer is: ours / peer, and peer / ours "
                   "where less is better.\n\n");
    buf_printf(b, "%-22s %10s %10s  %-12s %6s   %s\n", "name", "ours", "peer", "unit", "ratio",
               "peer");
    for (size_t i = 0; i < r->n; i++) {
        put_row(&r->results[i], b);
    }
    for (size_t i = 0; i < r->left_out; i++) {
        buf_printf(b, "%-22s left out: %s\n", r->without[i].name, r->without[i].why);
    }
}

struct status
bench_report_put_json(const struct bench_report *r, struct buf *b)
{
    DEFER(js_freep) json_t *list = json_array();
    CHECK(list != NULL, MEMORY);
    for (size_t i = 0; i < r->n; i++) {
        const struct kept *k = &r->results[i];
        json_t *row =
            json_pack("{s:s, s:s, s:o, s:o, s:s, s:o}", "name", k->name, "unit", k->unit, "ours",
                      js_real(bench_median(&k->x.ours)), "peer", js_real(bench_median(&k->x.peer)),
                      "peer_name", k->peer_name, "ratio", js_real(ratio(&k->x)));
        CHECK(row != NULL && json_array_append_new(list, row) == 0, MEMORY);
    }
    for (size_t i = 0; i < r->left_out; i++) {
        json_t *row =
            json_pack("{s:s, s:s}", "name", r->without[i].name, "left_out", r->without[i].why);
        CHECK(row != NULL && json_array_append_new(list, row) == 0, MEMORY);
    }
    TRY(js_put_pretty(b, list));
    buf_put_str(b, "\n");
    return buf_status(b);
}
