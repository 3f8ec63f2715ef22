/* infer, call_tls: one-row calls to the real `steward serve` (TLS, key, roles, prediction, an entry
 * on disk before each answer) against nginx answering a constant of the same length over TLS. The
 * same client (wrk) loads both, in turn: server on one processor, client on the other.
 *
 * Floor: a call costs what nginx's does (one read, one record opened, one sealed, one write), and
 * besides parsing 800 bytes of JSON, four SHA-256 of about a kilobyte in all (key, request, answer,
 * entry), 100 x 4 node visits, and a share of an fdatasync: with 64 calls in flight, as many
 * entries as came during the last one.
 *
 * call_tls is the same with everything on that a call may meet: network rules besides. It reads the
 * processor time of each stage from /metrics, and goes on to a million calls to see what memory
 * becomes. */
#include "comparisons.h"
#include "process.h"

#include "base/file.h"
#include "base/json.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS "64"
#define SECONDS "3"
#define ROUNDS 5u
#define START_MS 20000
#define REST_S 3
#define TEXT_MAX (1u << 20)
#define SIDES 2
#define STAGES 16u
#define MILLION UINT64_C(1000000)
#define RUNS_MAX 100u
#define GATEWAY_MOST (64.0 * (1 << 20)) /* resident bytes, as promised */

/* Processor seconds by stage since the server started. */
struct shares {
    char name[STAGES][32];
    double seconds[STAGES];
    size_t n;
    double calls;
};

enum side { OURS, PEER };

struct load {
    double rate, p50_ms, p99_ms;
};

struct work {
    const struct bench_context *c;
    bool all; /* call_tls */
    char *workspace, *passphrase, *key, *watch_key, *body, *port_file;
    char *log[SIDES];
    char url[SIDES][64];
    pid_t pid[SIDES];
    double start_peak; /* ours, bytes */
    uint64_t calls;    /* answered by ours */
    char peer_name[64];
    struct bench_samples rate[SIDES], p50[SIDES], p99[SIDES];
};

static void
work_done(struct work *w)
{
    process_stop(&w->pid[OURS]);
    process_stop(&w->pid[PEER]);
    free(w->workspace);
    free(w->passphrase);
    free(w->key);
    free(w->watch_key);
    free(w->body);
    free(w->port_file);
    free(w->log[OURS]);
    free(w->log[PEER]);
}

/* argv wants char *, and changes none. */
#define ARG(TEXT) ((char *)(uintptr_t)(TEXT))

/* ---- our side ---- */

static struct status
steward(const struct work *w, char *const words[], struct buf *ret_out)
{
    return process_steward(w->c, w->passphrase, words, ret_out);
}

static struct status
write_text(const struct work *w, const char *path, const char *text)
{
    return file_replace(path, view_str(text), 0600, w->c->diag);
}

/* The demo's model. */
static struct status
make_workspace(const struct work *w)
{
    DEFER(file_freep) char *data = file_join(w->c->source, "examples/lending/hmda.csv");
    DEFER(buf_done) struct buf said;
    char *const words[][16] = {
        {ARG("init"), w->workspace},
        {ARG("dataset"), ARG("add"), ARG("lending"), data, ARG("--label"), ARG("deny"),
         ARG("--positive"), ARG("yes"), ARG("--sensitive"), ARG("afam,single")},
        {ARG("model"), ARG("train"), ARG("mortgage"), ARG("--data"), ARG("lending"), ARG("--split"),
         ARG("0.7"), ARG("--seed"), ARG("7")},
        {ARG("principal"), ARG("add"), ARG("loan-desk"), ARG("--role"), ARG("caller")},
        {ARG("api-key"), ARG("issue"), ARG("loan-desk")},
    };
    char *const watcher[][8] = {
        {ARG("principal"), ARG("add"), ARG("watcher"), ARG("--role"), ARG("operator")},
        {ARG("api-key"), ARG("issue"), ARG("watcher")},
    };
    buf_init(&said, TEXT_MAX);
    TRY(write_text(w, w->passphrase, "bench passphrase\n"));
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        buf_reset(&said);
        TRY(steward(w, words[i], &said));
    }
    TRY(write_text(w, w->key, buf_str(&said))); /* the last one prints the key, nothing else */
    for (size_t i = 0; i < sizeof watcher / sizeof *watcher; i++) {
        buf_reset(&said);
        TRY(steward(w, watcher[i], &said));
    }
    return write_text(w, w->watch_key, buf_str(&said));
}

/* With rules: a thousand blocks that are not this machine's, and the one that is. */
static void
put_config(const struct work *w, struct buf *b)
{
    buf_put_str(b, "server:\n  loops: 1\n");
    if (!w->all) {
        return;
    }
    buf_put_str(b, "network:\n  data_allow:\n    - 127.0.0.0/8\n");
    for (unsigned i = 0; i < 1000; i++) {
        buf_printf(b, "    - 10.%u.%u.0/24\n", i / 250, i % 250);
    }
    buf_put_str(b, "  data_deny:\n    - 10.1.0.0/16\n    - 2001:db8::/32\n");
}

static struct status
wait_until(const struct work *w, enum side side, bool (*ready)(const struct work *w))
{
    for (int ms = 0; ms < START_MS; ms += 20) {
        const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
        if (!process_alive(w->pid[side])) {
            break;
        }
        if (ready(w)) {
            return OK;
        }
        (void)nanosleep(&pause, NULL);
    }
    DEFER(buf_done) struct buf said;
    buf_init(&said, TEXT_MAX);
    TRY(file_read(w->log[side], TEXT_MAX, w->c->diag, &said));
    diag_set(w->c->diag, "%s did not start: %.500s", side == OURS ? "steward" : "nginx",
             buf_str(&said));
    FAIL(IO);
}

static bool
port_is_written(const struct work *w)
{
    return file_exists(w->port_file);
}

static struct status
start_ours(struct work *w)
{
    DEFER(file_freep) char *config = file_join(w->c->work, "steward.yaml");
    DEFER(buf_done) struct buf port;
    DEFER(buf_done) struct buf text;
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
    buf_init(&text, TEXT_MAX);
    put_config(w, &text);
    TRY(buf_status(&text));
    TRY(write_text(w, config, buf_str(&text)));
    TRY(process_start(argv, process_cpu(0), w->log[OURS], w->c->diag, &w->pid[OURS]));
    TRY(wait_until(w, OURS, port_is_written));
    TRY(file_read(w->port_file, 64, w->c->diag, &port));
    (void)snprintf(w->url[OURS], sizeof w->url[OURS], "https://127.0.0.1:%d", atoi(buf_str(&port)));
    w->start_peak = process_peak(w->pid[OURS]);
    process_peak_reset(w->pid[OURS]);
    return OK;
}

/* ---- the peer ---- */

/* Free when we ask; nginx cannot be told to take any. */
static uint16_t
free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    uint16_t port = 0;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&a, n) == 0 &&
        getsockname(fd, (struct sockaddr *)&a, &n) == 0) {
        port = ntohs(a.sin_port);
    }
    (void)close(fd);
    return port;
}

/* One request to our server with that key; body: a file, or NULL. */
static struct status
ask_ours(const struct work *w, const char *key_file, const char *path, const char *body,
         struct buf *ret_text)
{
    DEFER(buf_done) struct buf key;
    char header[256], url[128], data[512];
    buf_init(&key, 256);
    TRY(file_read(key_file, 256, w->c->diag, &key));
    (void)snprintf(header, sizeof header, "Authorization: Bearer %.*s",
                   (int)strcspn(buf_str(&key), "\n"), buf_str(&key));
    (void)snprintf(url, sizeof url, "%s%s", w->url[OURS], path);
    (void)snprintf(data, sizeof data, "@%s", body == NULL ? "" : body);
    char *argv[] = {ARG("curl"),
                    ARG("-sSfk"),
                    ARG("--noproxy"),
                    ARG("*"),
                    ARG("-H"),
                    header,
                    url,
                    body == NULL ? NULL : ARG("--data-binary"),
                    data,
                    NULL};
    return process_run(argv, PROCESS_ANY_CPU, w->c->diag, ret_text);
}

/* Our answer to the request, which becomes nginx's constant. */
static struct status
our_answer(const struct work *w, struct buf *ret_text)
{
    TRY(ask_ours(w, w->key, "/v2/models/mortgage/infer", w->body, ret_text));
    if (memchr(ret_text->ptr, '\'', ret_text->len) != NULL ||
        memchr(ret_text->ptr, '$', ret_text->len) != NULL) {
        diag_set(w->c->diag, "the answer cannot stand in nginx's configuration: %s",
                 buf_str(ret_text));
        FAIL(UNSUPPORTED);
    }
    return OK;
}

static struct status
make_certificate(const struct work *w)
{
    DEFER(file_freep) char *key = file_join(w->c->work, "peer-key.pem");
    DEFER(file_freep) char *cert = file_join(w->c->work, "peer-cert.pem");
    DEFER(buf_done) struct buf said;
    char *argv[] = {ARG("openssl"),
                    ARG("req"),
                    ARG("-x509"),
                    ARG("-newkey"),
                    ARG("ec"),
                    ARG("-pkeyopt"),
                    ARG("ec_paramgen_curve:prime256v1"),
                    ARG("-nodes"),
                    ARG("-keyout"),
                    key,
                    ARG("-out"),
                    cert,
                    ARG("-subj"),
                    ARG("/CN=localhost"),
                    ARG("-days"),
                    ARG("2"),
                    NULL};
    buf_init(&said, TEXT_MAX);
    return process_run(argv, PROCESS_ANY_CPU, w->c->diag, &said);
}

/* One worker, nothing logged, no limit on requests of a connection: its best. */
static struct status
write_peer_config(const struct work *w, const char *path, uint16_t port, struct view answer)
{
    DEFER(buf_done) struct buf b;
    const char *dir = w->c->work;
    buf_init(&b, TEXT_MAX);
    buf_printf(&b,
               "daemon off; worker_processes 1; pid %s/nginx.pid; error_log %s;\n"
               "events { worker_connections 512; }\n"
               "http {\n"
               "  access_log off; keepalive_requests 1000000000; default_type application/json;\n",
               dir, w->log[PEER]);
    static const char *const temporary[] = {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"};
    for (size_t i = 0; i < sizeof temporary / sizeof *temporary; i++) {
        buf_printf(&b, "  %s_temp_path %s/nginx-%s;\n", temporary[i], dir, temporary[i]);
    }
    buf_printf(&b,
               "  server {\n"
               "    listen 127.0.0.1:%u ssl; ssl_protocols TLSv1.3;\n"
               "    ssl_certificate %s/peer-cert.pem; ssl_certificate_key %s/peer-key.pem;\n"
               "    location / { return 200 '",
               port, dir, dir);
    buf_put(&b, answer);
    buf_put_str(&b, "'; }\n  }\n}\n");
    TRY(buf_status(&b));
    return file_replace(path, buf_view(&b), 0600, w->c->diag);
}

static bool
peer_listens(const struct work *w)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    a.sin_port = htons((uint16_t)atoi(strrchr(w->url[PEER], ':') + 1));
    const bool listens = fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) == 0;
    (void)close(fd);
    return listens;
}

static struct status
start_peer(struct work *w)
{
    DEFER(buf_done) struct buf answer;
    DEFER(file_freep) char *config = file_join(w->c->work, "nginx.conf");
    char *argv[] = {ARG("nginx"), ARG("-e"), w->log[PEER], ARG("-c"), config, NULL};
    const uint16_t port = free_port();
    buf_init(&answer, TEXT_MAX);
    TRY(our_answer(w, &answer));
    TRY(make_certificate(w));
    TRY(write_peer_config(w, config, port, buf_view(&answer)));
    (void)snprintf(w->url[PEER], sizeof w->url[PEER], "https://127.0.0.1:%u", port);
    TRY(process_start(argv, process_cpu(0), w->log[PEER], w->c->diag, &w->pid[PEER]));
    TRY(wait_until(w, PEER, peer_listens));
    process_peak_reset(w->pid[PEER]);
    return OK;
}

/* ---- the load ---- */

static struct status
read_load(const struct work *w, const char *text, struct load *ret_load, double *ret_requests)
{
    double requests = 0, us = 0, p50 = 0, p99 = 0, failures = 0;
    const char *line = strstr(text, "\nbench ");
    if (line == NULL ||
        sscanf(line, "\nbench %lf %lf %lf %lf %lf", &requests, &us, &p50, &p99, &failures) != 5) {
        diag_set(w->c->diag, "wrk said: %.400s", text);
        FAIL(IO);
    }
    if (failures > 0 || requests < 1) {
        diag_set(w->c->diag, "%.0f of %.0f requests failed", failures, requests);
        FAIL(IO);
    }
    *ret_load = (struct load){requests / (us / 1e6), p50 / 1e3, p99 / 1e3};
    *ret_requests = requests;
    return OK;
}

static struct status
run_load(struct work *w, enum side side, bool counted)
{
    char url[128];
    double requests = 0;
    struct load load = {0};
    DEFER(buf_done) struct buf said;
    DEFER(file_freep) char *script = file_join(w->c->source, "bench/infer.lua");
    (void)snprintf(url, sizeof url, "%s/v2/models/mortgage/infer", w->url[side]);
    char *argv[] = {
        ARG("wrk"), ARG("-t1"), ARG("-c" CONNECTIONS), ARG("-d" SECONDS), ARG("-s"), script,
        url,        NULL};
    buf_init(&said, TEXT_MAX);
    TRY(process_run(argv, process_cpu(1), w->c->diag, &said));
    TRY(read_load(w, buf_str(&said), &load, &requests));
    w->calls += side == OURS ? (uint64_t)requests : 0;
    if (counted) {
        bench_sample(&w->rate[side], load.rate);
        bench_sample(&w->p50[side], load.p50_ms);
        bench_sample(&w->p99[side], load.p99_ms);
    }
    return OK;
}

static struct status
run_rounds(struct work *w)
{
    TRY(run_load(w, OURS, false));
    TRY(run_load(w, PEER, false));
    for (unsigned i = 0; i < ROUNDS; i++) {
        const enum side first = i % 2 == 0 ? OURS : PEER;
        TRY(run_load(w, first, true));
        TRY(run_load(w, first == OURS ? PEER : OURS, true));
    }
    return OK;
}

/* ---- stages and memory ---- */

static struct status
read_shares(const struct work *w, struct shares *ret_shares)
{
    static const char mark[] = "\nsteward_call_cpu_seconds_total{stage=\"";
    static const char calls[] = "\nsteward_infer_calls_total ";
    DEFER(buf_done) struct buf text;
    struct shares s = {0};
    buf_init(&text, TEXT_MAX);
    TRY(ask_ours(w, w->watch_key, "/metrics", NULL, &text));
    for (const char *at = strstr(buf_str(&text), mark); at != NULL && s.n < STAGES;
         at = strstr(at + 1, mark)) {
        const char *name = at + sizeof mark - 1;
        const int n = (int)strcspn(name, "\"");
        (void)snprintf(s.name[s.n], sizeof s.name[s.n], "%.*s", n, name);
        s.seconds[s.n++] = strtod(name + n + 3, NULL);
    }
    const char *count = strstr(buf_str(&text), calls);
    s.calls = count == NULL ? 0 : strtod(count + sizeof calls - 1, NULL);
    if (s.n == 0 || s.calls < 1) {
        diag_set(w->c->diag, "/metrics has no processor time of stages, or no calls");
        FAIL(IO);
    }
    *ret_shares = s;
    return OK;
}

/* What a call took between the two, by stage. */
static void
put_shares(const struct shares *from, const struct shares *to, struct buf *b)
{
    const double calls = to->calls - from->calls;
    double all = 0;
    for (size_t i = 0; i < to->n; i++) {
        all += to->seconds[i] - from->seconds[i];
    }
    buf_printf(b, "a call takes %.1f us of processor time:", all / calls * 1e6);
    for (size_t i = 0; i < to->n; i++) {
        buf_printf(b, "%s %s %.1f %%", i == 0 ? "" : ",", to->name[i],
                   100 * (to->seconds[i] - from->seconds[i]) / all);
    }
}

/* Every call that was answered is in the log, and the log is whole. */
static struct status
check_log(const struct work *w)
{
    DEFER(buf_done) struct buf said;
    DEFER(js_freep) json_t *report = NULL;
    int64_t entries = 0;
    char *argv[] = {ARG(w->c->steward), ARG("audit"), ARG("verify"), ARG("--json"), NULL};
    buf_init(&said, TEXT_MAX);
    TRY(process_run(argv, PROCESS_ANY_CPU, w->c->diag, &said));
    TRY(js_parse(buf_view(&said), "audit verify", w->c->diag, &report));
    TRY(js_need_i64(report, "entries", w->c->diag, &entries));
    if ((uint64_t)entries < w->calls) {
        diag_set(w->c->diag, "%llu calls were answered, the log has %lld entries",
                 (unsigned long long)w->calls, (long long)entries);
        FAIL(INTEGRITY);
    }
    return OK;
}

/* ---- the rows ---- */

#define LOADED                                                                                     \
    CONNECTIONS " connections kept alive, " SECONDS                                                \
                " s a round, one-row body; one event loop here, "                                  \
                "one worker there; TLS 1.3, P-256"

static struct status
add(const struct work *w, const char *name, const char *unit,
    const struct bench_samples side[SIDES], const char *where)
{
    const bool rate = strcmp(unit, "requests/s") == 0;
    const struct bench_result x = {.name = name,
                                   .unit = unit,
                                   .peer_name = w->peer_name,
                                   .where = where,
                                   .less_is_better = !rate,
                                   .ours = side[OURS],
                                   .peer = side[PEER]};
    return bench_add(w->c->report, &x);
}

static struct status
add_memory(const struct work *w)
{
    struct bench_samples peak[SIDES] = {0};
    char where[240];
    for (int side = 0; side < SIDES; side++) {
        bench_sample(&peak[side], process_peak(w->pid[side]) / (1 << 20));
    }
    (void)snprintf(
        where, sizeof where,
        "peak resident memory (VmHWM) of all its processes under that load; before it, "
        "starting took ours %.0f MiB, of which scrypt 128 (it opens the workspace's key)",
        w->start_peak / (1 << 20));
    return add(w, "infer_peak_memory", "MiB", peak, where);
}

static struct status
add_bound(const struct work *w, const char *name, double ours, double peer, const char *peer_name,
          const char *where)
{
    struct bench_result x = {.name = name,
                             .unit = "MiB",
                             .peer_name = peer_name,
                             .where = where,
                             .less_is_better = true};
    bench_sample(&x.ours, ours / (1 << 20));
    bench_sample(&x.peer, peer / (1 << 20));
    return bench_add(w->c->report, &x);
}

static struct status
name_peer(struct work *w)
{
    DEFER(buf_done) struct buf said;
    char *argv[] = {ARG("sh"), ARG("-c"), ARG("nginx -v 2>&1 | sed 's,.*nginx/,,'"), NULL};
    buf_init(&said, TEXT_MAX);
    TRY(process_run(argv, PROCESS_ANY_CPU, w->c->diag, &said));
    (void)snprintf(w->peer_name, sizeof w->peer_name, "nginx %.*s, a constant over TLS",
                   (int)strcspn(buf_str(&said), " \n"), buf_str(&said));
    return OK;
}

static struct status
compare(struct work *w)
{
    TRY(run_rounds(w));
    TRY(add(w, "infer_requests", "requests/s", w->rate, LOADED));
    TRY(add(w, "infer_p50", "ms", w->p50, LOADED));
    TRY(add(w, "infer_p99", "ms", w->p99, LOADED));
    return add_memory(w);
}

/* Resident bytes once nothing waits to be published: under load they follow what came in the last
 * second. */
static double
resident_at_rest(const struct work *w)
{
    const struct timespec pause = {.tv_sec = REST_S};
    (void)nanosleep(&pause, NULL);
    return process_resident(w->pid[OURS]);
}

/* What the gateway holds after a million calls, beside what it held after the first rounds. */
static struct status
compare_all(struct work *w)
{
    struct shares from, to;
    DEFER(buf_done) struct buf where;
    buf_init(&where, 1024);
    TRY(run_load(w, OURS, false));
    TRY(read_shares(w, &from));
    TRY(run_rounds(w));
    TRY(read_shares(w, &to));
    put_shares(&from, &to, &where);
    buf_put_str(&where, "; " LOADED "; a thousand allowed blocks");
    TRY(add(w, "call_tls", "requests/s", w->rate, buf_str(&where)));
    const double before = resident_at_rest(w);
    const uint64_t early = w->calls;
    for (unsigned i = 0; w->calls < early + MILLION && i < RUNS_MAX; i++) {
        TRY(run_load(w, OURS, false));
    }
    const double loaded = process_resident(w->pid[OURS]), after = resident_at_rest(w);
    buf_reset(&where);
    buf_printf(&where,
               "VmRSS of the process that reads the network, the demo's model, after %llu "
               "calls",
               (unsigned long long)w->calls);
    TRY(add_bound(w, "call_tls_resident", loaded, GATEWAY_MOST, "64 MiB", buf_str(&where)));
    buf_printf(&where, " and 3 s of rest, beside what it was so after the first %llu",
               (unsigned long long)early);
    return add_bound(w, "call_tls_growth", after, before, "itself, before", buf_str(&where));
}

static struct status
run(struct work *w)
{
    if (setenv("STEWARD_WORKSPACE", w->workspace, 1) != 0 ||
        setenv("XDG_STATE_HOME", w->c->work, 1) != 0 || setenv("BENCH_KEY", w->key, 1) != 0 ||
        setenv("BENCH_BODY", w->body, 1) != 0) {
        FAIL(MEMORY);
    }
    TRY(name_peer(w));
    TRY(make_workspace(w));
    TRY(start_ours(w));
    TRY(start_peer(w));
    TRY(w->all ? compare_all(w) : compare(w));
    process_stop(&w->pid[OURS]);
    return check_log(w);
}

static struct status
bench(const struct bench_context *c, bool all)
{
    DEFER(work_done)
    struct work w = {.c = c,
                     .all = all,
                     .workspace = file_join(c->work, all ? "workspace-all" : "workspace"),
                     .passphrase = file_join(c->work, "passphrase"),
                     .key = file_join(c->work, "key"),
                     .watch_key = file_join(c->work, "watch-key"),
                     .body = file_join(c->source, "bench/infer.json"),
                     .port_file = file_join(c->work, all ? "port-all" : "port"),
                     .log = {file_join(c->work, "steward.log"), file_join(c->work, "nginx.log")}};
    return run(&w);
}

struct status
bench_infer(const struct bench_context *c)
{
    return bench(c, false);
}

struct status
bench_call_tls(const struct bench_context *c)
{
    return bench(c, true);
}
