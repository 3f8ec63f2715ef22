#include "serve/metrics.h"

#include "base/clock.h"

#include <pthread.h>

/* Upper bounds in microseconds. */
static const uint64_t bounds_us[METRICS_BUCKETS] = {
    100, 250, 500, 1000, 2500, 5000, 10000, 25000, 100000, 500000, 2000000, 10000000};

size_t
metrics_bucket(int64_t duration_ns)
{
    size_t k = 0;
    while (k < METRICS_BUCKETS && duration_ns > (int64_t)bounds_us[k] * 1000) {
        k++;
    }
    return k;
}

void
metrics_note(struct metrics *m, unsigned status, int64_t duration_ns, bool infer, uint64_t rows)
{
    (void)atomic_fetch_add_explicit(&m->by_status[status < METRICS_STATUSES ? status : 0], 1,
                                    memory_order_relaxed);
    (void)atomic_fetch_add_explicit(&m->bucket[metrics_bucket(duration_ns)], 1,
                                    memory_order_relaxed);
    (void)atomic_fetch_add_explicit(&m->duration_ns, duration_ns > 0 ? (uint64_t)duration_ns : 0,
                                    memory_order_relaxed);
    if (infer) {
        (void)atomic_fetch_add_explicit(&m->infer_calls, 1, memory_order_relaxed);
        (void)atomic_fetch_add_explicit(&m->infer_rows, rows, memory_order_relaxed);
    }
}

void
metrics_put_head(const char *name, const char *type, const char *help, struct buf *ret_text)
{
    buf_printf(ret_text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void
metrics_put_histogram(const char *name, const char *labels, const _Atomic uint64_t *bucket,
                      const _Atomic uint64_t *duration_ns, struct buf *ret_text)
{
    const char *comma = *labels == '\0' ? "" : ",", *open = *labels == '\0' ? "" : "{";
    const char *close = *labels == '\0' ? "" : "}";
    uint64_t total = 0;
    for (size_t k = 0; k < METRICS_BUCKETS; k++) {
        total += atomic_load(&bucket[k]);
        buf_printf(ret_text, "%s_bucket{%s%sle=\"%g\"} %llu\n", name, labels, comma,
                   (double)bounds_us[k] / 1e6, (unsigned long long)total);
    }
    total += atomic_load(&bucket[METRICS_BUCKETS]);
    buf_printf(ret_text, "%s_bucket{%s%sle=\"+Inf\"} %llu\n", name, labels, comma,
               (unsigned long long)total);
    buf_printf(ret_text, "%s_sum%s%s%s %.9f\n", name, open, labels, close,
               (double)atomic_load(duration_ns) / 1e9);
    buf_printf(ret_text, "%s_count%s%s%s %llu\n", name, open, labels, close,
               (unsigned long long)total);
}

/* ---- processor time of stages ---- */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int64_t clock_cost_ns; /* what reading the clock takes by itself */

static void
learn_clock_cost(void)
{
    clock_cost_ns = NS_PER_S;
    for (unsigned i = 0; i < 64; i++) {
        const int64_t before = clock_thread_ns(), cost = clock_thread_ns() - before;
        clock_cost_ns = cost < clock_cost_ns ? cost : clock_cost_ns;
    }
}

void
metrics_lap_begin(struct metrics_lap *ret_lap)
{
    static _Thread_local unsigned calls;
    *ret_lap = (struct metrics_lap){.measured = ++calls % METRICS_EACH == 0};
    if (ret_lap->measured) {
        (void)pthread_once(&once, learn_clock_cost);
        ret_lap->at_ns = clock_thread_ns();
    }
}

void
metrics_lap(struct metrics *m, struct metrics_lap *lap, size_t stage)
{
    if (lap->measured) {
        const int64_t now = clock_thread_ns(), took = now - lap->at_ns - clock_cost_ns;
        lap->at_ns = now;
        (void)atomic_fetch_add_explicit(&m->stage_ns[stage], took > 0 ? (uint64_t)took : 0,
                                        memory_order_relaxed);
    }
}

static void
put_stage(const char *name, int64_t ns, struct buf *b)
{
    buf_printf(b, "steward_call_cpu_seconds_total{stage=\"%s\"} %.6f\n", name,
               ns > 0 ? (double)ns / 1e9 : 0.0);
}

/* What no stage has is the loops' own work; what no loop has is other threads'. */
static void
put_stages(const struct metrics *m, const struct metrics_gauges *g, struct buf *b)
{
    int64_t stages = 0;
    metrics_put_head(
        "steward_call_cpu_seconds_total", "counter",
        "Processor time by stage of a call, from one call in 61 of each event loop; transport: "
        "the rest of the event loops (TLS, HTTP, sockets); other: the rest of the process (the "
        "log's writer).",
        b);
    for (size_t i = 0; i < g->stages; i++) {
        const int64_t ns = (int64_t)(atomic_load(&m->stage_ns[i]) * METRICS_EACH);
        put_stage(g->stage[i], ns, b);
        stages += ns;
    }
    put_stage("transport", g->loops_ns - stages, b);
    put_stage("other", g->process_ns - g->loops_ns, b);
}

static void
put_log_reads(const struct metrics *m, struct buf *b)
{
    static const char *const kinds[METRICS_LOG_READS] = {"none", "checkpoint", "tiles", "entries",
                                                         "receipts"};
    metrics_put_head(
        "steward_audit_reads_total", "counter",
        "Allowed reads of the audit log; one a minute of a principal and kind is an entry.", b);
    for (unsigned i = 1; i < METRICS_LOG_READS; i++) {
        buf_printf(b, "steward_audit_reads_total{kind=\"%s\"} %llu\n", kinds[i],
                   (unsigned long long)atomic_load(&m->log_reads[i]));
    }
}

void
metrics_put(const struct metrics *m, const struct metrics_gauges *g, struct buf *ret_text)
{
    metrics_put_head("steward_calls_total", "counter", "Calls answered, by HTTP status.", ret_text);
    for (unsigned s = 0; s < METRICS_STATUSES; s++) {
        const uint64_t n = atomic_load_explicit(&m->by_status[s], memory_order_relaxed);
        if (n > 0) {
            buf_printf(ret_text, "steward_calls_total{status=\"%u\"} %llu\n", s,
                       (unsigned long long)n);
        }
    }
    metrics_put_head("steward_call_duration_seconds", "histogram",
                     "Time from a call's head until its answer was sent.", ret_text);
    metrics_put_histogram("steward_call_duration_seconds", "", m->bucket, &m->duration_ns,
                          ret_text);
    metrics_put_head("steward_infer_calls_total", "counter",
                     "Inference calls that were answered with predictions.", ret_text);
    buf_printf(ret_text, "steward_infer_calls_total %llu\n",
               (unsigned long long)atomic_load(&m->infer_calls));
    metrics_put_head("steward_infer_rows_total", "counter", "Rows predicted.", ret_text);
    buf_printf(ret_text, "steward_infer_rows_total %llu\n",
               (unsigned long long)atomic_load(&m->infer_rows));
    metrics_put_head("steward_connections_denied_total", "counter",
                     "Connections of addresses that may not connect to that listener.", ret_text);
    static const char *const listeners[METRICS_LISTENERS] = {"data", "management", "console"};
    for (unsigned i = 0; i < METRICS_LISTENERS; i++) {
        buf_printf(ret_text, "steward_connections_denied_total{listener=\"%s\"} %llu\n",
                   listeners[i], (unsigned long long)atomic_load(&m->denied[i]));
    }
    put_stages(m, g, ret_text);
    metrics_put_head("steward_audit_entries", "gauge", "Durable entries of the audit log.",
                     ret_text);
    buf_printf(ret_text, "steward_audit_entries %llu\n", (unsigned long long)g->audit_entries);
    metrics_put_head("steward_audit_failing", "gauge",
                     "1 while the audit log cannot be written (calls are then refused).", ret_text);
    buf_printf(ret_text, "steward_audit_failing %llu\n", (unsigned long long)g->audit_failed);
    put_log_reads(m, ret_text);
    metrics_put_head("steward_models_ready", "gauge", "Models that are loaded and verified.",
                     ret_text);
    buf_printf(ret_text, "steward_models_ready %u\n", g->models_ready);
    metrics_put_head("steward_uptime_seconds", "gauge", "Time since the server started.", ret_text);
    buf_printf(ret_text, "steward_uptime_seconds %.3f\n", (double)g->uptime_ns / 1e9);
}
