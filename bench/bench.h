/* bench: what every comparison shares: rounds of ours and the peer in turn, medians and their
 * spread, one table and one JSON document. A comparison is a function in bench/NAME.c and a row in
 * main.c's table; it samples both sides in the same rounds and adds one result for each row. */
#ifndef STEWARD_BENCH_H
#define STEWARD_BENCH_H

#include "base/bytes.h"

#define BENCH_ROUNDS_MAX 32u

/* Figures of one side, one a round. */
struct bench_samples {
    double at[BENCH_ROUNDS_MAX];
    size_t n;
};

/* Texts are borrowed until bench_add returns. */
struct bench_result {
    const char *name;      /* "predict_rows" */
    const char *unit;      /* "rows/s" */
    const char *peer_name; /* "XGBoost 1.7.4, inplace predict" */
    const char *where;     /* the conditions, in a line */
    bool less_is_better;   /* times and memory: the ratio is peer / ours instead of ours / peer */
    struct bench_samples ours, peer;
};

struct bench_report;

/* What a comparison is given. Paths are absolute. */
struct bench_context {
    struct bench_report *report;
    struct diag *diag;
    const char *source;  /* the source tree */
    const char *steward; /* the program */
    const char *work;    /* a fresh folder on the build's file system, removed at the end */
    const char *memory;  /* a fresh folder on tmpfs, removed at the end */
};

double bench_now(void); /* seconds, never backwards */
/* Seconds of processor time that this process has used, its own and the system's for it: for work
 * of one thread that waits for nothing, so that a busy machine does not decide. */
double bench_cpu_now(void);
/* The same without the system's part, as `openssl speed` counts. */
double bench_user_now(void);
void bench_sample(struct bench_samples *s, double value);
/* Of an even count, the mean of the middle two; 0 of none. */
double bench_median(const struct bench_samples *s);
/* Both sides have samples: aborts otherwise. STATUS_MEMORY. */
struct status bench_add(struct bench_report *r, const struct bench_result *x);
/* A comparison that could not be made here, and why; the report says so. */
struct status bench_leave_out(struct bench_report *r, const char *name, const char *why);
/* Calls ours(ctx) and peer(ctx) in turn, `rounds` times after one call of each that is not counted;
 * which one begins alternates. Each sets *ret_figure. */
typedef struct status bench_side(void *ctx, double *ret_figure);
struct status bench_rounds(unsigned rounds, bench_side *ours, bench_side *peer, void *ctx,
                           struct bench_result *x);
/* Printed on stderr while it runs. */
void bench_progress(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Name of the file system that holds path: "ext4", "tmpfs", or its number. */
const char *bench_file_system(const char *path);

#endif
