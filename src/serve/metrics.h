/* metrics: counters for Prometheus (text format 0.0.4). Lock-free; read while written. */
#ifndef STEWARD_SERVE_METRICS_H
#define STEWARD_SERVE_METRICS_H

#include "base/bytes.h"
#include "protect/access.h"

#include <stdatomic.h>

#define METRICS_BUCKETS 12u
#define METRICS_STATUSES 600u
#define METRICS_STAGES 12u
#define METRICS_LOG_READS 5u
#define METRICS_LISTENERS 3u /* data, management, console */
#define METRICS_EACH 61u     /* of a thread's calls, one is measured, and stands for as many */

struct metrics {
    _Atomic uint64_t by_status[METRICS_STATUSES]; /* calls by HTTP status */
    _Atomic uint64_t infer_calls, infer_rows;
    _Atomic uint64_t bucket[METRICS_BUCKETS + 1]; /* of duration; the last: over all bounds */
    _Atomic uint64_t duration_ns;
    _Atomic uint64_t log_reads[METRICS_LOG_READS]; /* of the audit log, by kind */
    _Atomic uint64_t denied[METRICS_LISTENERS];    /* connections, by listener */
    _Atomic uint64_t stage_ns[METRICS_STAGES];     /* processor time, of the calls measured */
};

/* The processor time of a call's stages, on the thread that runs them. */
struct metrics_lap {
    bool measured;
    int64_t at_ns;
};
void metrics_lap_begin(struct metrics_lap *ret_lap);
void metrics_lap(struct metrics *m, struct metrics_lap *lap, size_t stage); /* that one has ended */

struct metrics_gauges {
    uint64_t audit_entries, audit_failed;
    unsigned models_ready;
    int64_t uptime_ns;
    const char *const *stage; /* names */
    size_t stages;
    int64_t loops_ns, process_ns; /* processor time of all event loops, of the process */
};

void metrics_note(struct metrics *m, unsigned status, int64_t duration_ns, bool infer,
                  uint64_t rows);
size_t metrics_bucket(int64_t duration_ns); /* its place in a histogram of durations */
void metrics_put_head(const char *name, const char *type, const char *help, struct buf *ret_text);
/* [METRICS_BUCKETS + 1]; labels without braces, "": none. */
void metrics_put_histogram(const char *name, const char *labels, const _Atomic uint64_t *bucket,
                           const _Atomic uint64_t *duration_ns, struct buf *ret_text);
void metrics_put(const struct metrics *m, const struct metrics_gauges *g, struct buf *ret_text);

#endif
