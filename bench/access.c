/* access: what the decision costs of a call, with 10,000 grants. The real `steward serve` under
 * load (wrk); its own /metrics tell the processor time of each stage of a call, measured in the
 * same calls: ours is the share of the stage that decides (authorise), the bound is 2 %. The caller
 * is in ten groups of a hundred, so a thousand of the grants are its own. */
#include "comparisons.h"
#include "process.h"

#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 5u
#define GROUPS 100
#define GRANTS_EACH 100
#define OF_CALLER 10
#define BOUND 2.0
#define START_MS 20000
#define TEXT_MAX (4u << 20)

struct work {
    const struct bench_context *c;
    char *workspace, *passphrase, *key, *watcher, *body, *port_file, *log;
    char url[64];
    pid_t pid;
    struct bench_samples share, bound, sign_in;
};

static void
work_done(struct work *w)
{
    process_stop(&w->pid);
    free(w->workspace);
    free(w->passphrase);
    free(w->key);
    free(w->watcher);
    free(w->body);
    free(w->port_file);
    free(w->log);
}

/* argv wants char *, and changes none. */
#define ARG(TEXT) ((char *)(uintptr_t)(TEXT))

static struct status
steward(const struct work *w, char *const words[], struct buf *ret_out)
{
    return process_steward(w->c, w->passphrase, words, ret_out);
}

/* Each grant is on a model of its own, but for one of each group, which is on the model that is
 * called. */
static struct status
write_grants(const struct work *w, const char *path)
{
    DEFER(buf_done) struct buf yaml;
    buf_init(&yaml, TEXT_MAX);
    buf_put_str(&yaml, "groups:\n");
    for (int g = 0; g < GROUPS; g++) {
        buf_printf(&yaml, "- {name: g-%d%s}\n", g, g < OF_CALLER ? ", members: [loan-desk]" : "");
    }
    buf_put_str(&yaml, "grants:\n");
    for (int g = 0; g < GROUPS; g++) {
        for (int i = 0; i < GRANTS_EACH; i++) {
            char name[32] = "mortgage";
            if (i > 0) {
                (void)snprintf(name, sizeof name, "m-%d-%d", g, i);
            }
            buf_printf(&yaml, "- {to: 'group:g-%d', role: caller, resource: models/%s}\n", g, name);
        }
    }
    TRY(buf_status(&yaml));
    return file_replace(path, buf_view(&yaml), 0600, w->c->diag);
}

static struct status
make_workspace(const struct work *w)
{
    DEFER(file_freep) char *data = file_join(w->c->source, "examples/lending/hmda.csv");
    DEFER(file_freep) char *grants = file_join(w->c->work, "access-grants.yaml");
    DEFER(buf_done) struct buf said;
    const struct {
        char *words[14];
        const char *into; /* what it prints */
    } runs[] = {
        {{ARG("init"), w->workspace}, NULL},
        {{ARG("dataset"), ARG("add"), ARG("lending"), data, ARG("--label"), ARG("deny"),
          ARG("--positive"), ARG("yes"), ARG("--sensitive"), ARG("afam,single")},
         NULL},
        {{ARG("model"), ARG("train"), ARG("mortgage"), ARG("--data"), ARG("lending"),
          ARG("--split"), ARG("0.7"), ARG("--seed"), ARG("7")},
         NULL},
        {{ARG("principal"), ARG("add"), ARG("loan-desk"), ARG("--role"), ARG("auditor")}, NULL},
        {{ARG("principal"), ARG("add"), ARG("watcher"), ARG("--role"), ARG("operator")}, NULL},
        {{ARG("role"), ARG("import"), ARG("--yet-to-come"), grants}, NULL},
        {{ARG("api-key"), ARG("issue"), ARG("watcher")}, w->watcher},
        {{ARG("api-key"), ARG("issue"), ARG("loan-desk")}, w->key},
    };
    buf_init(&said, TEXT_MAX);
    TRY(file_replace(w->passphrase, view_str("bench passphrase\n"), 0600, w->c->diag));
    TRY(write_grants(w, grants));
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        buf_reset(&said);
        TRY(steward(w, runs[i].words, &said));
        if (runs[i].into != NULL) {
            TRY(file_replace(runs[i].into, buf_view(&said), 0600, w->c->diag));
        }
    }
    return OK;
}

static struct status
start(struct work *w)
{
    DEFER(file_freep) char *config = file_join(w->c->work, "access.yaml");
    DEFER(buf_done) struct buf port;
    char *argv[] = {ARG(w->c->steward),
                    ARG("serve"),
                    ARG("--listen"),
                    ARG("127.0.0.1:0"),
                    ARG("--port-file"),
                    w->port_file,
                    ARG("--config"),
                    config,
                    ARG("--passphrase-file"),
                    w->passphrase,
                    NULL};
    buf_init(&port, 64);
    TRY(file_replace(config, view_str("server:\n  loops: 1\n"), 0600, w->c->diag));
    TRY(process_start(argv, process_cpu(0), w->log, w->c->diag, &w->pid));
    for (int ms = 0; ms < START_MS && process_alive(w->pid) && port.len == 0; ms += 20) {
        const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
        (void)nanosleep(&pause, NULL);
        if (file_exists(w->port_file)) {
            TRY(file_read(w->port_file, 64, w->c->diag, &port));
        }
    }
    if (port.len == 0) {
        diag_set(w->c->diag, "steward did not start; see %s", w->log);
        FAIL(IO);
    }
    (void)snprintf(w->url, sizeof w->url, "https://127.0.0.1:%d", atoi(buf_str(&port)));
    return OK;
}

/* ---- the figures ---- */

static struct status
read_metrics(const struct work *w, struct buf *ret_text)
{
    char url[128], header[256];
    DEFER(buf_done) struct buf key;
    buf_init(&key, 256);
    TRY(file_read(w->watcher, 256, w->c->diag, &key));
    (void)snprintf(header, sizeof header, "Authorization: Bearer %.*s",
                   (int)strcspn(buf_str(&key), "\n"), buf_str(&key));
    (void)snprintf(url, sizeof url, "%s/metrics", w->url);
    char *argv[] = {ARG("curl"), ARG("-sSfk"), ARG("--noproxy"), ARG("*"), ARG("-H"), header,
                    url,         NULL};
    return process_run(argv, PROCESS_ANY_CPU, w->c->diag, ret_text);
}

/* Seconds of one stage; the sum of all with stage NULL. */
static double
seconds(const char *metrics, const char *stage)
{
    static const char name[] = "steward_call_cpu_seconds_total{stage=\"";
    double sum = 0;
    for (const char *at = strstr(metrics, name); at != NULL; at = strstr(at + 1, name)) {
        const char *word = at + sizeof name - 1;
        const size_t n = strcspn(word, "\"");
        if (stage == NULL || (strlen(stage) == n && strncmp(word, stage, n) == 0)) {
            sum += strtod(word + n + 2, NULL);
        }
    }
    return sum;
}

static struct status
load(const struct work *w)
{
    char url[128];
    DEFER(buf_done) struct buf said;
    DEFER(file_freep) char *script = file_join(w->c->source, "bench/infer.lua");
    (void)snprintf(url, sizeof url, "%s/v2/models/mortgage/infer", w->url);
    char *argv[] = {ARG("wrk"), ARG("-t1"), ARG("-c64"), ARG("-d3"), ARG("-s"), script, url, NULL};
    double requests = 0, us = 0, p50 = 0, p99 = 0, failures = 1;
    buf_init(&said, TEXT_MAX);
    TRY(process_run(argv, process_cpu(1), w->c->diag, &said));
    const char *line = strstr(buf_str(&said), "\nbench ");
    if (line == NULL ||
        sscanf(line, "\nbench %lf %lf %lf %lf %lf", &requests, &us, &p50, &p99, &failures) != 5 ||
        failures > 0 || requests < 1) {
        diag_set(w->c->diag, "requests failed, or wrk said: %.400s", buf_str(&said));
        FAIL(IO);
    }
    return OK;
}

static struct status
run_round(struct work *w, bool counted)
{
    DEFER(buf_done) struct buf before;
    DEFER(buf_done) struct buf after;
    buf_init(&before, TEXT_MAX);
    buf_init(&after, TEXT_MAX);
    TRY(read_metrics(w, &before));
    TRY(load(w));
    TRY(read_metrics(w, &after));
    const char *a = buf_str(&before), *b = buf_str(&after);
    const double all = seconds(b, NULL) - seconds(a, NULL);
    if (!(all > 0)) {
        diag_set(w->c->diag, "/metrics tell no processor time of stages");
        FAIL(IO);
    }
    if (counted) {
        bench_sample(&w->share, 100 * (seconds(b, "authorise") - seconds(a, "authorise")) / all);
        bench_sample(&w->sign_in,
                     100 * (seconds(b, "authenticate") - seconds(a, "authenticate")) / all);
        bench_sample(&w->bound, BOUND);
    }
    return OK;
}

static struct status
run(struct work *w)
{
    TRY(make_workspace(w));
    TRY(start(w));
    TRY(setenv("BENCH_BODY", w->body, 1) == 0 ? OK : FAILURE(MEMORY));
    TRY(setenv("BENCH_KEY", w->key, 1) == 0 ? OK : FAILURE(MEMORY));
    TRY(run_round(w, false));
    for (unsigned i = 0; i < ROUNDS; i++) {
        TRY(run_round(w, true));
    }
    char where[240];
    (void)snprintf(where, sizeof where,
                   "%d grants, %d of the caller's ten groups; 64 connections, TLS, one loop; share "
                   "of the calls' processor time; who it is (authenticate) takes %.2f %% besides",
                   GROUPS * GRANTS_EACH, OF_CALLER * GRANTS_EACH, bench_median(&w->sign_in));
    const struct bench_result result = {.name = "access_share",
                                        .unit = "% of a call",
                                        .peer_name = "the bound",
                                        .where = where,
                                        .less_is_better = true,
                                        .ours = w->share,
                                        .peer = w->bound};
    return bench_add(w->c->report, &result);
}

struct status
bench_access(const struct bench_context *c)
{
    DEFER(work_done)
    struct work w = {.c = c,
                     .workspace = file_join(c->work, "access-workspace"),
                     .passphrase = file_join(c->work, "access-passphrase"),
                     .key = file_join(c->work, "access-key"),
                     .watcher = file_join(c->work, "access-watcher"),
                     .body = file_join(c->source, "bench/infer.json"),
                     .port_file = file_join(c->work, "access-port"),
                     .log = file_join(c->work, "access-log")};
    (void)setenv("STEWARD_WORKSPACE", w.workspace, 1);
    return run(&w);
}
