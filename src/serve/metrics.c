#include "serve/metrics.h"

/* Upper bounds in microseconds. */
static const uint64_t bounds_us[METRICS_BUCKETS] = {
    100, 250, 500, 1000, 2500, 5000, 10000, 25000, 100000, 500000, 2000000, 10000000};

void
metrics_note(struct metrics *m, unsigned status, int64_t duration_ns, bool infer, uint64_t rows)
{
    const uint64_t us = duration_ns > 0 ? (uint64_t)duration_ns / 1000 : 0;
    size_t k = 0;
    while (k < METRICS_BUCKETS && us > bounds_us[k]) {
        k++;
    }
    (void)atomic_fetch_add_explicit(&m->by_status[status < METRICS_STATUSES ? status : 0], 1,
                                    memory_order_relaxed);
    (void)atomic_fetch_add_explicit(&m->bucket[k], 1, memory_order_relaxed);
    (void)atomic_fetch_add_explicit(&m->duration_ns, us * 1000, memory_order_relaxed);
    if (infer) {
        (void)atomic_fetch_add_explicit(&m->infer_calls, 1, memory_order_relaxed);
        (void)atomic_fetch_add_explicit(&m->infer_rows, rows, memory_order_relaxed);
    }
}

static void
put_head(struct buf *b, const char *name, const char *type, const char *help)
{
    buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void
put_durations(const struct metrics *m, struct buf *b)
{
    uint64_t total = 0;
    put_head(b, "steward_call_duration_seconds", "histogram",
             "Time from a call's head until its answer was sent.");
    for (size_t k = 0; k < METRICS_BUCKETS; k++) {
        total += atomic_load(&m->bucket[k]);
        buf_printf(b, "steward_call_duration_seconds_bucket{le=\"%g\"} %llu\n",
                   (double)bounds_us[k] / 1e6, (unsigned long long)total);
    }
    total += atomic_load(&m->bucket[METRICS_BUCKETS]);
    buf_printf(b, "steward_call_duration_seconds_bucket{le=\"+Inf\"} %llu\n",
               (unsigned long long)total);
    buf_printf(b, "steward_call_duration_seconds_sum %.9f\n",
               (double)atomic_load(&m->duration_ns) / 1e9);
    buf_printf(b, "steward_call_duration_seconds_count %llu\n", (unsigned long long)total);
}

void
metrics_put(const struct metrics *m, const struct metrics_gauges *g, struct buf *ret_text)
{
    put_head(ret_text, "steward_calls_total", "counter", "Calls answered, by HTTP status.");
    for (unsigned s = 0; s < METRICS_STATUSES; s++) {
        const uint64_t n = atomic_load_explicit(&m->by_status[s], memory_order_relaxed);
        if (n > 0) {
            buf_printf(ret_text, "steward_calls_total{status=\"%u\"} %llu\n", s,
                       (unsigned long long)n);
        }
    }
    put_durations(m, ret_text);
    put_head(ret_text, "steward_infer_calls_total", "counter",
             "Inference calls that were answered with predictions.");
    buf_printf(ret_text, "steward_infer_calls_total %llu\n",
               (unsigned long long)atomic_load(&m->infer_calls));
    put_head(ret_text, "steward_infer_rows_total", "counter", "Rows predicted.");
    buf_printf(ret_text, "steward_infer_rows_total %llu\n",
               (unsigned long long)atomic_load(&m->infer_rows));
    put_head(ret_text, "steward_connections_denied_total", "counter",
             "Connections of addresses that may not connect to that listener.");
    for (unsigned i = 0; i < 2; i++) {
        buf_printf(ret_text, "steward_connections_denied_total{listener=\"%s\"} %llu\n",
                   i == 0 ? "data" : "management", (unsigned long long)atomic_load(&m->denied[i]));
    }
    put_head(ret_text, "steward_audit_entries", "gauge", "Durable entries of the audit log.");
    buf_printf(ret_text, "steward_audit_entries %llu\n", (unsigned long long)g->audit_entries);
    put_head(ret_text, "steward_audit_failing", "gauge",
             "1 while the audit log cannot be written (calls are then refused).");
    buf_printf(ret_text, "steward_audit_failing %llu\n", (unsigned long long)g->audit_failed);
    put_head(ret_text, "steward_models_ready", "gauge", "Models that are loaded and verified.");
    buf_printf(ret_text, "steward_models_ready %u\n", g->models_ready);
    put_head(ret_text, "steward_uptime_seconds", "gauge", "Time since the server started.");
    buf_printf(ret_text, "steward_uptime_seconds %.3f\n", (double)g->uptime_ns / 1e9);
}
