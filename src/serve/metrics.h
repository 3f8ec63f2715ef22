/* metrics: counters for Prometheus (text format 0.0.4). Lock-free; read while written. */
#ifndef STEWARD_SERVE_METRICS_H
#define STEWARD_SERVE_METRICS_H

#include "base/bytes.h"
#include "protect/access.h"

#include <stdatomic.h>

#define METRICS_BUCKETS 12u
#define METRICS_STATUSES 600u

struct metrics {
    _Atomic uint64_t by_status[METRICS_STATUSES]; /* calls by HTTP status */
    _Atomic uint64_t infer_calls, infer_rows;
    _Atomic uint64_t bucket[METRICS_BUCKETS + 1]; /* of duration; the last: over all bounds */
    _Atomic uint64_t duration_ns;
    _Atomic uint64_t denied[2]; /* connections, by listener: data, management */
};

struct metrics_gauges {
    uint64_t audit_entries, audit_failed;
    unsigned models_ready;
    int64_t uptime_ns;
};

void metrics_note(struct metrics *m, unsigned status, int64_t duration_ns, bool infer,
                  uint64_t rows);
void metrics_put(const struct metrics *m, const struct metrics_gauges *g, struct buf *ret_text);

#endif
