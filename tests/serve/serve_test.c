/* The whole server over a real workspace: the protocol, the log behind every answer, failing
 * closed, load, and the program itself. */
#include "client.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/secret.h"
#include "serve/infer.h"
#include "serve/server.h"
#include "testing/schema.h"
#include "workspace/decisions.h"
#include "workspace/models.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PASSPHRASE "correct horse battery staple"
#define INFER "/v2/models/loans/infer"
#define MAX_ROWS 50
#if defined(__SANITIZE_ADDRESS__)
#define LOAD_SECONDS 10
#else
#define LOAD_SECONDS 30
#endif
#define LOAD_CLIENTS 64

static struct {
    char *root, *dir;
    char caller[128], inspector[128], watcher[128];
    struct workspace *workspace;
    struct server *server;
    struct model *model;
    uint16_t port;
} it;

/* ---- the workspace ---- */

static void
issue_key(char *name, char *role, char ret_key[static 128])
{
    assert_steward("principal", "add", name, "--role", role);
    testing_issue_key(name, ret_key);
}

static void
write_table(const char *path)
{
    static const char *const regions[] = {"north", "south", "west"};
    DEFER(buf_done) struct buf csv;
    buf_init(&csv, 1 << 20);
    buf_put_str(&csv, "age,income,region,owner,sex,paid\n");
    for (int i = 0; i < 300; i++) {
        const int age = 20 + i * 7 % 50, income = 900 + i * 131 % 4000;
        buf_printf(&csv, "%d,%d.5,%s,%s,%c,%s\n", age, income, regions[i % 3],
                   i % 4 == 0 ? "yes" : "no", age % 2 == 0 ? 'f' : 'm',
                   income + age * 20 + i % 3 * 300 > 3200 ? "yes" : "no");
    }
    testing_write(path, buf_view(&csv));
}

static void
open_workspace(const char *dir, struct workspace **ret_workspace)
{
    DEFER(secret_done) struct secret passphrase = {0};
    struct diag diag = {0};
    assert_ok(secret_from(view_str(PASSPHRASE), &passphrase));
    const struct workspace_open_options o = {.passphrase = &passphrase};
    assert_ok(workspace_open(dir, &o, &diag, ret_workspace));
}

static struct server_options
options(void)
{
    const int64_t s = NS_PER_S;
    return (struct server_options){
        .http = {.address = "127.0.0.1",
                 .loops = 2,
                 .limits = {16384, 64, 1 << 20, 60 * s, 60 * s, 60 * s, 60 * s, 60 * s, 256, 256},
                 .arena_bytes = 8 << 20},
        .max_rows = MAX_ROWS,
        .grace_ns = 10 * s};
}

static int
set_up(void **state)
{
    (void)state;
    struct diag diag = {0};
    (void)signal(SIGPIPE, SIG_IGN);
    it.root = testing_dir();
    it.dir = file_join(it.root, "ws");
    DEFER(file_freep) char *csv = file_join(it.root, "loans.csv");
    write_table(csv);
    (void)setenv("STEWARD_WORKSPACE", it.dir, 1);
    (void)setenv("STEWARD_PASSPHRASE", PASSPHRASE, 1);
    assert_steward("init", it.dir);
    assert_steward("dataset", "add", "loans", csv, "--label", "paid", "--positive", "yes",
                   "--sensitive", "sex");
    assert_steward("model", "train", "loans", "--data", "loans");
    issue_key("desk", "caller", it.caller);
    issue_key("inspector", "auditor", it.inspector);
    issue_key("watcher", "operator", it.watcher);
    open_workspace(it.dir, &it.workspace);
    assert_ok(model_load(it.workspace, "loans", 0, &diag, &it.model));
    const struct server_options o = options();
    assert_ok(server_start(it.workspace, &o, &diag, &it.server));
    it.port = server_port(it.server, SERVER_DATA);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    DEFER(file_freep) char *audit = file_join(it.dir, "audit");
    DEFER(js_freep) json_t *actions = json_object();
    model_free(it.model);
    server_stop(it.server);
    workspace_close(it.workspace);
    assert_true(schema_check_log(audit, actions) > 0);
    static const char *const told[] = {"workspace.init", "dataset.write",   "model.write",
                                       "model.infer",    "principal.write", "key.issue",
                                       "key.use",        "http.unknown",    "metrics.read"};
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
        assert_non_null(json_object_get(actions, told[i]));
    }
    testing_dirp(&it.root);
    free(it.dir);
    return 0;
}

/* ---- asking ---- */

static void
put_request(struct buf *b, const char *method, const char *path, const char *key, const char *body)
{
    buf_printf(b, "%s %s HTTP/1.1\r\nhost: localhost\r\n", method, path);
    if (key != NULL) {
        buf_printf(b, "authorization: Bearer %s\r\n", key);
    }
    if (body != NULL) {
        buf_printf(b, "content-length: %zu\r\n", strlen(body));
    }
    buf_printf(b, "\r\n%s", body == NULL ? "" : body);
}

static unsigned
ask_at(uint16_t port, const char *method, const char *path, const char *key, const char *body,
       struct reply *ret_reply)
{
    DEFER(buf_done) struct buf text;
    buf_init(&text, 4 << 20);
    put_request(&text, method, path, key, body);
    return client_ask(port, buf_str(&text), ret_reply);
}

struct ask {
    const char *method, *path, *key, *body;
    unsigned status;
    const char *says; /* in the body */
};

/* Who was recognised, the entry says how; and what was decided, by which rule of which rules. */
static void
check_who_and_why(const json_t *entry, const char *key)
{
    const bool known = json_object_get(entry, "principal") != NULL;
    const char *rule = json_string_value(json_object_get(entry, "rule"));
    char proof[64] = "";
    if (known) {
        (void)snprintf(proof, sizeof proof, "api-key %.10s", key + 3);
        assert_string_equal(json_string_value(json_object_get(entry, "authenticated_by")), proof);
    } else {
        assert_null(json_object_get(entry, "authenticated_by"));
    }
    if (json_integer_value(json_object_get(entry, "http_status")) == 403) {
        assert_string_equal(rule, "default deny");
    }
    assert_true((rule == NULL) == (json_object_get(entry, "rules_version") == NULL));
}

/* Asks, compares, and reads the entry behind the answer. */
static void
check(const struct ask *a)
{
    struct reply r;
    const unsigned status = ask_at(it.port, a->method, a->path, a->key, a->body, &r);
    if (status != a->status) {
        print_error("%s %s: answered %u: %s\n", a->method, a->path, status, buf_str(&r.body));
    }
    assert_int_equal(status, a->status);
    assert_text_has(buf_str(&r.body), a->says);
    json_t *entry = entry_of(&r, it.dir);
    if (status != 200) {
        assert_text_has(buf_str(&r.body), "{\"error\":\"");
        assert_string_equal(json_string_value(json_object_get(entry, "decision")), "deny");
    }
    check_who_and_why(entry, a->key);
    json_decref(entry);
    reply_done(&r);
}

/* ---- refusals, each in the log ---- */

#define ROW                                                                                        \
    "{\"name\":\"age\",\"datatype\":\"INT64\",\"shape\":[1],\"data\":[30]},"                       \
    "{\"name\":\"income\",\"datatype\":\"FP64\",\"shape\":[1],\"data\":[1200.5]},"                 \
    "{\"name\":\"region\",\"datatype\":\"BYTES\",\"shape\":[1],\"data\":[\"south\"]},"             \
    "{\"name\":\"owner\",\"datatype\":\"BYTES\",\"shape\":[1],\"data\":[\"yes\"]}"
#define BODY "{\"inputs\":[" ROW "]}"

static void
refuses_and_records_each_refusal(void **state)
{
    (void)state;
    const struct ask asks[] = {
        {"POST", INFER, NULL, BODY, 401, "Authorization: Bearer KEY"},
        {"POST", INFER, "sw_nonsense", BODY, 401, "a valid key is needed"},
        {"GET", "/v2", NULL, NULL, 401, "a valid key is needed"},
        {"GET", "/metrics", NULL, NULL, 401, "a valid key is needed"},
        {"POST", INFER, it.inspector, BODY, 403, "not allowed: model.infer on models/loans"},
        {"GET", "/metrics", it.caller, NULL, 403, "not allowed: metrics.read on metrics"},
        {"POST", "/v2/models/nosuch/infer", it.caller, BODY, 404, "no such model or version"},
        {"POST", "/v2/models/loans/versions/2/infer", it.caller, BODY, 404, "no such model"},
        {"GET", "/v2/models/loans/versions/0", it.caller, NULL, 404, "no such path"},
        {"GET", "/v2/models/loans/versions/99999999999999999999", it.caller, NULL, 404, "no such"},
        {"GET", "/v2/models/Loans..", it.caller, NULL, 404, "no such path"},
        {"GET", "/nothing", it.caller, NULL, 404, "there is no such path"},
        {"GET", "/%41\"quoted", NULL, NULL, 404, "there is no such path"},
        {"GET", INFER, it.caller, NULL, 405, "not asked with that method"},
        {"DELETE", "/v2", it.caller, NULL, 405, "not asked with that method"},
        {"POST", INFER, it.caller, "", 400, "body line 1 column "},
        {"POST", INFER, it.caller, "{", 400, "body line 1 column "},
        {"POST", INFER, it.caller, "[]", 400, "JSON object with \\\"inputs\\\""},
        {"POST", INFER, it.caller, "{\"inputs\":7}", 400, "inputs"},
        {"POST", "//v2", it.caller, BODY, 400, "absolute path in normal form"},
    };
    for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) {
        check(&asks[i]);
    }
}

static void
says_which_method_and_how_to_authenticate(void **state)
{
    (void)state;
    struct reply r;
    char value[256];
    assert_int_equal(ask_at(it.port, "GET", INFER, it.caller, NULL, &r), 405);
    reply_header(&r, "allow", value);
    assert_string_equal(value, "POST");
    reply_done(&r);
    assert_int_equal(ask_at(it.port, "POST", INFER, NULL, BODY, &r), 401);
    reply_header(&r, "www-authenticate", value);
    assert_string_equal(value, "Bearer realm=\"steward\"");
    reply_header(&r, "cache-control", value);
    assert_string_equal(value, "no-store");
    reply_done(&r);
}

static void
limits_rows_and_body(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf body;
    buf_init(&body, 4 << 20);
    buf_put_str(&body,
                "{\"inputs\":[{\"name\":\"age\",\"datatype\":\"INT64\",\"shape\":[51],\"data\":[");
    for (int i = 0; i < 51; i++) {
        buf_put_str(&body, i == 0 ? "1" : ",1");
    }
    buf_put_str(&body, "]}]}");
    check(&(struct ask){"POST", INFER, it.caller, buf_str(&body), 413,
                        "51 rows; a call may have 50"});
    buf_reset(&body);
    memset(buf_extend(&body, (1 << 20) + 1), ' ', (1 << 20) + 1);
    check(&(struct ask){"POST", INFER, it.caller, buf_str(&body), 413,
                        "the request body is too large"});
}

/* The head of a call whose body would be long, and no byte of the body: what stands in the answer
 * was decided without it. */
static void
check_head_alone(const char *path, const char *method, const char *key, unsigned status,
                 const char *says)
{
    DEFER(buf_done) struct buf head;
    struct reply r;
    buf_init(&head, 4096);
    buf_printf(&head, "%s %s HTTP/1.1\r\nhost: localhost\r\ncontent-length: 600000\r\n", method,
               path);
    if (key != NULL) {
        buf_printf(&head, "authorization: Bearer %s\r\n", key);
    }
    buf_put_str(&head, "\r\n");
    assert_int_equal(client_ask(it.port, buf_str(&head), &r), status);
    assert_text_has(buf_str(&r.body), says);
    assert_true(r.closes);
    if (status != 413) { /* health has no entries */
        DEFER(js_freep) json_t *entry = entry_of(&r, it.dir);
        assert_null(json_object_get(entry, "request_sha256"));
        assert_string_equal(json_string_value(json_object_get(entry, "decision")), "deny");
    }
    reply_done(&r);
}

static void
keeps_no_long_body_of_who_may_not_send_it(void **state)
{
    (void)state;
    check_head_alone(INFER, "POST", NULL, 401, "a valid key is needed");
    check_head_alone(INFER, "POST", "sw_nonsense", 401, "a valid key is needed");
    check_head_alone(INFER, "POST", it.inspector, 403, "not allowed: model.infer");
    check_head_alone("/nothing", "POST", NULL, 404, "there is no such path");
    check_head_alone("/v2/health/live", "GET", NULL, 413, "takes no body");
    DEFER(buf_done) struct buf body; /* who may is heard out */
    buf_init(&body, 1 << 20);
    memset(buf_extend(&body, 600000), ' ', 600000);
    buf_put_str(&body, BODY);
    check(&(struct ask){"POST", INFER, it.caller, buf_str(&body), 200, "\"outputs\":["});
}

/* One byte of text may be sixteen of memory: told from the text alone, before it is looked at. */
static void
refuses_a_body_whose_values_do_not_fit_the_memory_of_a_call(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf body;
    buf_init(&body, 1 << 20);
    buf_put_str(&body, "{\"inputs\":[");
    for (int i = 0; i < 600000; i++) {
        buf_put_u8(&body, ',');
    }
    check(&(struct ask){"POST", INFER, it.caller, buf_str(&body), 413,
                        "body its values would take more memory than a call may have"});
}

/* ---- the protocol ---- */

static void
tells_health_and_metadata(void **state)
{
    (void)state;
    struct reply r;
    assert_int_equal(ask_at(it.port, "GET", "/v2/health/live", NULL, NULL, &r), 200);
    assert_string_equal(buf_str(&r.body), "{\"live\":true}");
    reply_done(&r);
    assert_int_equal(ask_at(it.port, "GET", "/v2/health/ready", NULL, NULL, &r), 200);
    assert_string_equal(buf_str(&r.body), "{\"ready\":true}");
    reply_done(&r);
    const struct ask asks[] = {
        {"GET", "/v2", it.caller, NULL, 200, "{\"name\":\"steward\",\"version\":\""},
        {"GET", "/v2/models/loans", it.caller, NULL, 200,
         "{\"name\":\"loans\",\"versions\":[\"1\"],\"platform\":\"steward_forest\",\"inputs\":[{"
         "\"name\":\"age\",\"datatype\":\"INT64\",\"shape\":[-1]},{\"name\":\"income\","
         "\"datatype\":"
         "\"FP64\",\"shape\":[-1]},{\"name\":\"region\",\"datatype\":\"BYTES\",\"shape\":[-1]},"},
        {"GET", "/v2/models/loans/versions/1", it.caller, NULL, 200,
         "\"outputs\":[{\"name\":\"probability\",\"datatype\":\"FP64\",\"shape\":[-1]},{\"name\":"
         "\"decision\",\"datatype\":\"BYTES\",\"shape\":[-1]},{\"name\":\"contributions\","
         "\"datatype\":\"FP64\",\"shape\":[-1,-1]}]}"},
        {"GET", "/v2/models/loans/ready", it.caller, NULL, 200, "\"ready\":true"},
        {"GET", "/v2/models/loans/versions/1/ready", it.caller, NULL, 200, "\"ready\":true"},
        {"POST", "/v2/models/loans/versions/1/infer", it.caller, BODY, 200,
         "{\"model_name\":\"loans\",\"model_version\":\"1\",\"outputs\":[{\"name\":\"probability\","
         "\"datatype\":\"FP64\",\"shape\":[1],\"data\":["},
    };
    for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) {
        check(&asks[i]);
    }
}

/* Rows as one matrix, missing values among them; what must come out is model_predict's. */
static void
predicts_as_the_library_does(void **state)
{
    (void)state;
    enum { ROWS = MAX_ROWS };
    const uint32_t width = it.model->features.count;
    float *x = calloc((size_t)ROWS * width, sizeof *x);
    double out[ROWS];
    DEFER(buf_done) struct buf body;
    assert_non_null(x);
    buf_init(&body, 1 << 20);
    buf_printf(&body,
               "{\"id\":\"m\",\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP64\",\"shape\":[%d,%u],"
               "\"data\":[",
               ROWS, width);
    for (size_t i = 0; i < (size_t)ROWS * width; i++) {
        const uint32_t levels = it.model->features.items[i % width].level_count;
        const bool missing = i % 11 == 3;
        const double v = levels > 0 ? (double)(i / width % levels) : (double)(i * 37 % 4096) / 2;
        x[i] = missing ? __builtin_nanf("") : (float)v;
        buf_put_str(&body, i == 0 ? "" : ",");
        if (missing) {
            buf_put_str(&body, "null");
        } else if (it.model->features.items[i % width].type == COLUMN_INTEGER) {
            x[i] = (float)(long)v;
            buf_printf(&body, "%ld", (long)v);
        } else {
            buf_printf(&body, "%g", v);
        }
    }
    buf_put_str(&body, "]}]}");
    model_predict(it.model, x, ROWS, 1, out);
    free(x);
    struct reply r;
    json_t *o = NULL;
    assert_int_equal(ask_at(it.port, "POST", INFER, it.caller, buf_str(&body), &r), 200);
    assert_ok(js_parse(buf_view(&r.body), NULL, NULL, &o));
    assert_string_equal(json_string_value(json_object_get(o, "id")), "m");
    const json_t *outputs = json_object_get(o, "outputs");
    const json_t *p = json_object_get(json_array_get(outputs, 0), "data");
    const json_t *d = json_object_get(json_array_get(outputs, 1), "data");
    assert_int_equal(json_array_size(p), ROWS);
    assert_int_equal(json_array_size(d), ROWS);
    for (size_t i = 0; i < ROWS; i++) {
        assert_true(json_number_value(json_array_get(p, i)) == out[i]); /* to the last bit */
        assert_string_equal(json_string_value(json_array_get(d, i)),
                            out[i] >= it.model->threshold ? "yes" : "no");
    }
    json_decref(o);
    json_t *entry = entry_of(&r, it.dir);
    assert_int_equal(json_integer_value(json_object_get(entry, "rows")), ROWS);
    assert_string_equal(json_string_value(json_object_get(entry, "principal")), "desk");
    json_decref(entry);
    reply_done(&r);
}

static void
counts_calls_for_prometheus(void **state)
{
    (void)state;
    struct client c;
    struct reply r;
    DEFER(buf_done) struct buf text;
    buf_init(&text, 1 << 16);
    put_request(&text, "POST", INFER, it.caller, BODY);
    put_request(&text, "GET", "/metrics", it.watcher, NULL);
    assert_true(client_open(it.port, NULL, &c));
    assert_true(client_send(&c, buf_view(&text)));
    client_take(&c, &r);
    assert_int_equal(r.status, 200);
    reply_done(&r);
    client_take(&c, &r);
    assert_int_equal(r.status, 200);
    static const char *const lines[] = {
        "# TYPE steward_calls_total counter\nsteward_calls_total{status=\"200\"} ",
        "# TYPE steward_call_duration_seconds histogram\n",
        "steward_call_duration_seconds_bucket{le=\"+Inf\"} ",
        "\nsteward_infer_calls_total ",
        "\nsteward_infer_rows_total ",
        "\nsteward_inference_request_success_total{model=\"loans\",version=\"1\","
        "principal=\"desk\"} ",
        "\nsteward_inference_request_duration_seconds_count{model=\"loans\",version=\"1\","
        "principal=\"desk\"} ",
        "\nsteward_inference_series_folded_total 0\n",
        "\nsteward_call_cpu_seconds_total{stage=\"authenticate\"} ",
        "\nsteward_call_cpu_seconds_total{stage=\"record\"} ",
        "\nsteward_call_cpu_seconds_total{stage=\"transport\"} ",
        "\nsteward_call_cpu_seconds_total{stage=\"other\"} ",
        "\nsteward_audit_failing 0\n",
        "\nsteward_models_ready 1\n"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        assert_text_has(buf_str(&r.body), lines[i]);
    }
    assert_null(strstr(buf_str(&r.body), "steward_infer_calls_total 0\n"));
    assert_null(strstr(buf_str(&r.body), "nosuch")); /* a model that was asked for and is none */
    reply_done(&r);
    client_close(&c);
}

/* ---- load ---- */

struct worker {
    pthread_t thread;
    char (*ids)[33];
    size_t count, cap, failed;
};

static atomic_int load_over;

static void *
work(void *arg)
{
    struct worker *w = arg;
    struct client c;
    struct reply r;
    char id[256];
    DEFER(buf_done) struct buf text;
    buf_init(&text, 1 << 16);
    put_request(&text, "POST", INFER, it.caller, BODY);
    bool open = client_open(it.port, NULL, &c);
    while (open && atomic_load(&load_over) == 0 && w->count < w->cap) {
        open = client_send(&c, buf_view(&text));
        client_take(&c, &r);
        reply_header(&r, "steward-call-id", id);
        w->failed += r.status != 200 || strlen(id) != 32;
        (void)snprintf(w->ids[w->count++], 33, "%.32s", id);
        reply_done(&r);
    }
    w->failed += !open || c.in.len != 0;
    client_close(&c);
    return NULL;
}

static int
by_text(const void *a, const void *b)
{
    return memcmp(a, b, 33);
}

struct collected {
    char (*ids)[33];
    size_t count, cap;
};

static struct status
collect(void *ctx, uint64_t index, struct view entry)
{
    (void)index;
    struct collected *all = ctx;
    json_t *o = NULL;
    TRY(js_parse(entry, "entry", NULL, &o));
    assert_true(all->count < all->cap);
    (void)snprintf(all->ids[all->count++], 33, "%s", json_string_value(json_object_get(o, "id")));
    json_decref(o);
    return OK;
}

static void
answers_each_call_once_and_logs_exactly_those(void **state)
{
    (void)state;
    enum { PER_CLIENT = 20000 };
    static struct worker workers[LOAD_CLIENTS];
    DEFER(file_freep) char *audit = file_join(it.dir, "audit");
    struct diag diag = {0};
    uint64_t before = 0, after = 0;
    assert_ok(audit_count(audit, &before, &diag));
    for (size_t i = 0; i < LOAD_CLIENTS; i++) {
        workers[i] = (struct worker){.ids = calloc(PER_CLIENT, 33), .cap = PER_CLIENT};
        assert_non_null(workers[i].ids);
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    const struct timespec span = {.tv_sec = LOAD_SECONDS};
    (void)nanosleep(&span, NULL);
    atomic_store(&load_over, 1);
    struct collected sent = {0}, logged = {0};
    for (size_t i = 0; i < LOAD_CLIENTS; i++) {
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
        assert_int_equal(workers[i].failed, 0);
        assert_true(workers[i].count > 0);
        sent.cap += workers[i].count;
    }
    assert_ok(audit_count(audit, &after, &diag));
    assert_int_equal(after - before, sent.cap);
    sent.ids = calloc(sent.cap, 33);
    logged.cap = sent.cap;
    logged.ids = calloc(logged.cap, 33);
    for (size_t i = 0; i < LOAD_CLIENTS; i++) {
        memcpy(sent.ids[sent.count], workers[i].ids[0], workers[i].count * 33);
        sent.count += workers[i].count;
        free(workers[i].ids);
    }
    assert_ok(audit_each(audit, before, after, collect, &logged, &diag));
    assert_int_equal(logged.count, sent.count);
    qsort(sent.ids, sent.count, 33, by_text);
    qsort(logged.ids, logged.count, 33, by_text);
    for (size_t i = 0; i < sent.count; i++) {
        assert_string_equal(sent.ids[i], logged.ids[i]);
        assert_true(i == 0 || strcmp(sent.ids[i], sent.ids[i - 1]) != 0);
    }
    print_message("# %zu calls by %d clients in %d s\n", sent.count, LOAD_CLIENTS, LOAD_SECONDS);
    free(sent.ids);
    free(logged.ids);
}

/* ---- models that come while it serves ---- */

/* A server sees what was registered within a second, and loads it. */
static void
await_version(unsigned version)
{
    struct reply r;
    char path[64];
    unsigned status = 0;
    const int64_t until = clock_mono_ns() + 120 * NS_PER_S;
    (void)snprintf(path, sizeof path, "/v2/models/loans/versions/%u", version);
    while (status != 200 && clock_mono_ns() < until) {
        status = ask_at(it.port, "GET", path, it.caller, NULL, &r);
        reply_done(&r);
    }
    assert_int_equal(status, 200);
}

static void
takes_a_new_version_in_and_keeps_the_old_one(void **state)
{
    (void)state;
    struct reply r;
    const int64_t until = clock_mono_ns() + 120 * NS_PER_S;
    assert_steward("model", "train", "loans", "--data", "loans", "--rounds", "3");
    bool fresh = false;
    while (!fresh && clock_mono_ns() < until) {
        assert_int_equal(ask_at(it.port, "POST", INFER, it.caller, BODY, &r), 200);
        fresh = strstr(buf_str(&r.body), "\"model_version\":\"2\"") != NULL;
        reply_done(&r);
    }
    assert_true(fresh);
    check(&(struct ask){"POST", "/v2/models/loans/versions/1/infer", it.caller, BODY, 200,
                        "\"model_version\":\"1\""});
    check(&(struct ask){"POST", "/v2/models/loans/versions/2/infer", it.caller, BODY, 200,
                        "\"model_version\":\"2\""});
    check(&(struct ask){"POST", "/v2/models/loans/versions/3/infer", it.caller, BODY, 404,
                        "no such model or version"});
}

/* ---- thresholds by group ---- */

#define GROUPED(SEX)                                                                               \
    "{\"inputs\":[{\"name\":\"sex\",\"datatype\":\"BYTES\",\"shape\":[2],\"data\":[" SEX           \
    "]},{\"name\":\"x\",\"datatype\":\"FP64\",\"shape\":[2,4],\"data\":[%d,%d.5,%d,0,%d,%d.5,%d,"  \
    "0]}]}"

/* Ages, incomes and regions are tried until two people of one probability are decided apart. */
static bool
decided_apart(const struct model *m, char *ret_body, size_t size, const char **ret_decisions)
{
    const double f = m->thresholds.at[0], male = m->thresholds.at[1];
    for (int i = 0; i < 20000; i++) {
        const int age = 20 + i % 50, income = 900 + i * 131 % 4000, region = i % 3;
        const float x[] = {(float)age, (float)income + 0.5f, (float)region, 0};
        double p = 0;
        model_predict(m, x, 1, 1, &p);
        if ((p >= f) != (p >= male)) {
            (void)snprintf(ret_body, size, GROUPED("\"f\",\"m\""), age, income, region, age, income,
                           region);
            *ret_decisions = p >= f ? "\"data\":[\"yes\",\"no\"]" : "\"data\":[\"no\",\"yes\"]";
            return true;
        }
    }
    return false;
}

static void
a_version_with_thresholds_by_group_needs_the_group_and_decides_by_it(void **state)
{
    (void)state;
    struct diag diag = {0};
    char body[512];
    const char *decisions = NULL;
    DEFER(model_freep) struct model *m = NULL;
    assert_steward("mitigate", "loans@1", "--method", "threshold", "--sensitive", "sex");
    assert_ok(model_load(it.workspace, "loans", 0, &diag, &m));
    assert_int_equal(m->version, 3);
    await_version(3);
    assert_true(decided_apart(m, body, sizeof body, &decisions));
    const struct ask asks[] = {
        {"GET", "/v2/models/loans/versions/3", it.caller, NULL, 200,
         ",{\"name\":\"sex\",\"datatype\":\"BYTES\",\"shape\":[-1]}],\"outputs\":["},
        {"POST", "/v2/models/loans/versions/3/infer", it.caller, BODY, 400,
         "input \\\"sex\\\" is missing: the model decides by it"},
        {"POST", "/v2/models/loans/versions/3/infer", it.caller, body, 200, decisions},
        {"POST", "/v2/models/loans/versions/1/infer", it.caller, body, 400,
         "the model has no such feature"},
        {"POST", "/v2/models/loans/versions/1/infer", it.caller, BODY, 200, "\"decision\""},
    };
    for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) {
        check(&asks[i]);
    }
}

/* ---- a correlation remover ---- */

/* The first rows of the dataset as a call sends them, and what the model answers off line. */
static void
ask_off_line(const struct model *m, struct buf *ret_body, double *ret_out)
{
    struct diag diag = {0};
    struct dataset_info info;
    uint64_t first[MAX_ROWS], missing = 0;
    DEFER(table_freep) struct table *whole = NULL;
    DEFER(table_freep) struct table *t = NULL;
    float x[MAX_ROWS * 4];
    assert_int_equal(m->features.count, 4);
    assert_ok(dataset_load(it.workspace, "loans", 1, &diag, &whole, &info));
    for (uint64_t i = 0; i < MAX_ROWS; i++) {
        first[i] = i;
    }
    assert_ok(table_select(whole, first, MAX_ROWS, &t));
    assert_ok(infer_put_request(m, t, &diag, ret_body));
    assert_ok(model_matrix(m, t, NULL, &diag, x, &missing));
    model_predict(m, x, MAX_ROWS, 1, ret_out);
}

static void
a_version_behind_a_remover_answers_as_off_line(void **state)
{
    (void)state;
    struct diag diag = {0};
    struct reply r;
    double out[MAX_ROWS], old[MAX_ROWS];
    DEFER(model_freep) struct model *m = NULL;
    DEFER(buf_done) struct buf body;
    DEFER(buf_done) struct buf plain;
    DEFER(js_freep) json_t *o = NULL;
    buf_init(&body, 1 << 20);
    buf_init(&plain, 1 << 20);
    assert_steward("mitigate", "loans@1", "--method", "correlation-remover", "--sensitive", "sex");
    assert_ok(model_load(it.workspace, "loans", 0, &diag, &m));
    assert_int_equal(m->version, 4);
    await_version(4);
    ask_off_line(m, &body, out);
    ask_off_line(it.model, &plain, old);
    assert_memory_not_equal(out, old, sizeof out);
    const struct ask asks[] = {
        {"GET", "/v2/models/loans/versions/4", it.caller, NULL, 200,
         ",{\"name\":\"sex\",\"datatype\":\"BYTES\",\"shape\":[-1]}],\"outputs\":["},
        {"POST", "/v2/models/loans/versions/4/infer", it.caller, BODY, 400,
         "input \\\"sex\\\" is missing: the model changes features by it"},
        {"POST", "/v2/models/loans/versions/1/infer", it.caller, buf_str(&plain), 200,
         "\"decision\""},
    };
    for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) {
        check(&asks[i]);
    }
    assert_int_equal(
        ask_at(it.port, "POST", "/v2/models/loans/versions/4/infer", it.caller, buf_str(&body), &r),
        200);
    assert_ok(js_parse(buf_view(&r.body), NULL, NULL, &o));
    const json_t *p = json_object_get(json_array_get(json_object_get(o, "outputs"), 0), "data");
    assert_int_equal(json_array_size(p), MAX_ROWS);
    for (size_t i = 0; i < MAX_ROWS; i++) {
        assert_true(json_number_value(json_array_get(p, i)) == out[i]); /* to the last bit */
    }
    reply_done(&r);
}

/* ---- decisions that are drawn ---- */

/* What the version decides of each row of the table, by library: t->rows, on malloc. */
static struct decision *
decide_off_line(const struct model *m, const struct table *t)
{
    struct diag diag = {0};
    uint64_t missing = 0;
    const size_t rows = (size_t)t->rows;
    DEFER(memory_freep) float *x = calloc(rows * 4, sizeof *x);
    DEFER(memory_freep) double *p = calloc(rows, sizeof *p);
    struct decision *decision = calloc(rows, sizeof *decision);
    assert_ok(model_matrix(m, t, NULL, &diag, x, &missing));
    model_predict(m, x, rows, 1, p);
    for (size_t i = 0; i < rows; i++) {
        assert_ok(decisions_of_row(m, t, i, x + i * 4, p[i], &diag, &decision[i]));
    }
    return decision;
}

/* The first rows that are drawn, and the last ones. Returns how many are. */
static size_t
choose_rows(const struct table *t, const struct decision *decision, uint64_t *ret_row)
{
    size_t drawn = 0;
    for (uint64_t i = 0; i < t->rows && drawn < MAX_ROWS; i++) {
        if (decision[i].drawn) {
            ret_row[drawn++] = i;
        }
    }
    for (size_t i = drawn; i < MAX_ROWS; i++) {
        ret_row[i] = t->rows - 1 - i;
    }
    return drawn;
}

static void
is_answered(const struct reply *r, const struct model *m, const struct decision *decision,
            const uint64_t *row)
{
    DEFER(js_freep) json_t *o = NULL;
    assert_ok(js_parse(buf_view(&r->body), NULL, NULL, &o));
    const json_t *outputs = json_object_get(o, "outputs"),
                 *decided = json_object_get(json_array_get(outputs, 1), "data"),
                 *chance = json_object_get(json_array_get(outputs, 2), "data");
    for (size_t i = 0; i < MAX_ROWS; i++) {
        const struct decision *d = &decision[row[i]];
        assert_string_equal(json_string_value(json_array_get(decided, i)),
                            d->positive ? m->positive : m->negative);
        assert_true(json_number_value(json_array_get(chance, i)) == d->chance);
    }
}

static void
a_version_that_draws_decides_as_off_line_each_time(void **state)
{
    (void)state;
    struct diag diag = {0};
    struct dataset_info info;
    struct reply r;
    uint64_t row[MAX_ROWS];
    DEFER(model_freep) struct model *m = NULL;
    DEFER(table_freep) struct table *whole = NULL;
    DEFER(table_freep) struct table *t = NULL;
    DEFER(buf_done) struct buf body;
    buf_init(&body, 1 << 20);
    assert_steward("mitigate", "loans@1", "--method", "threshold", "--sensitive", "sex",
                   "--randomised", "--tolerance", "0");
    assert_ok(model_load(it.workspace, "loans", 0, &diag, &m));
    assert_int_equal(m->version, 5);
    await_version(5);
    assert_ok(dataset_load(it.workspace, "loans", 1, &diag, &whole, &info));
    DEFER(memory_freep) struct decision *decision = decide_off_line(m, whole);
    assert_true(choose_rows(whole, decision, row) > 0);
    assert_ok(table_select(whole, row, MAX_ROWS, &t));
    assert_ok(infer_put_request(m, t, &diag, &body));
    for (int again = 0; again < 2; again++) {
        assert_int_equal(ask_at(it.port, "POST", "/v2/models/loans/versions/5/infer", it.caller,
                                buf_str(&body), &r),
                         200);
        is_answered(&r, m, decision, row);
        reply_done(&r);
    }
}

/* ---- one server a workspace, one program a port ---- */

static void
refuses_a_second_server_and_a_port_in_use(void **state)
{
    (void)state;
    struct testing_run r;
    char listen[64];
    testing_steward(&r, "serve", "--listen", "127.0.0.1:0", NULL);
    assert_int_equal(r.exit_code, 5);
    assert_text_has(buf_str(&r.err), ": another server has this workspace; stop it first");
    testing_run_done(&r);
    DEFER(testing_dirp) char *root = testing_dir();
    DEFER(file_freep) char *other = file_join(root, "other");
    assert_steward("init", other);
    (void)snprintf(listen, sizeof listen, "127.0.0.1:%u", it.port);
    testing_steward(&r, "serve", "--workspace", other, "--listen", listen, NULL);
    assert_int_equal(r.exit_code, 5);
    assert_text_has(buf_str(&r.err), ": in use by another program");
    testing_run_done(&r);
}

/* ---- the program ---- */

static uint16_t
wait_for_port(const char *path)
{
    const int64_t until = clock_mono_ns() + 60 * NS_PER_S;
    while (!file_exists(path) && clock_mono_ns() < until) {
        const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
        (void)nanosleep(&pause, NULL);
    }
    struct buf text;
    testing_read(path, &text);
    const uint16_t port = (uint16_t)strtoul(buf_str(&text), NULL, 10);
    buf_done(&text);
    return port;
}

/* A copy of the workspace under a program of its own. */
static pid_t
start_program(const char *dir, const char *port_file, const char *log, uint16_t *ret_port)
{
    char *const argv[] = {(char *)(uintptr_t)testing_binary(),
                          (char *)(uintptr_t) "serve",
                          (char *)(uintptr_t) "--workspace",
                          (char *)(uintptr_t)dir,
                          (char *)(uintptr_t) "--listen",
                          (char *)(uintptr_t) "127.0.0.1:0",
                          (char *)(uintptr_t) "--port-file",
                          (char *)(uintptr_t)port_file,
                          NULL};
    const pid_t pid = testing_start(argv, log);
    *ret_port = wait_for_port(port_file);
    return pid;
}

/* A start that fails ends, whatever it has started by then; nobody waits for anybody. */
static void
ends_with_a_sentence_when_it_cannot_start(void **state)
{
    (void)state;
    int status = 0;
    pid_t ended = 0;
    DEFER(testing_dirp) char *root = testing_dir();
    DEFER(file_freep) char *port_file = file_join(root, "port");
    DEFER(file_freep) char *log = file_join(root, "log");
    DEFER(buf_done) struct buf said;
    char *const argv[] = {(char *)(uintptr_t)testing_binary(),
                          (char *)(uintptr_t) "serve",
                          (char *)(uintptr_t) "--workspace",
                          it.dir,
                          (char *)(uintptr_t) "--listen",
                          (char *)(uintptr_t) "127.0.0.1:0",
                          (char *)(uintptr_t) "--port-file",
                          port_file,
                          NULL};
    const pid_t pid = testing_start(argv, log);
    const int64_t until = clock_mono_ns() + 120 * NS_PER_S;
    while ((ended = waitpid(pid, &status, WNOHANG)) == 0 && clock_mono_ns() < until) {
        const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
        (void)nanosleep(&pause, NULL);
    }
    if (ended == 0) {
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, &status, 0);
    }
    assert_int_equal(ended, pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 5);
    testing_read(log, &said);
    assert_text_has(buf_str(&said), "another server has this workspace");
    assert_false(file_exists(port_file));
}

/* Once all is published, so that no file comes or goes under the copying. */
static void
copy_workspace(const char *to)
{
    struct testing_run r;
    char *const argv[] = {(char *)(uintptr_t) "cp", (char *)(uintptr_t) "-a",
                          (char *)(uintptr_t) "-T", it.dir,
                          (char *)(uintptr_t)to,    NULL};
    assert_ok(audit_publish(it.workspace->audit, NULL));
    testing_run(argv, &r);
    assert_int_equal(r.exit_code, 0);
    testing_run_done(&r);
}

/* To who has seen the log of the first one, what a copy's goes on with is a fork. */
static void
verify_copy(const char *dir)
{
    DEFER(file_freep) char *seen = file_join(dir, "audit.seen");
    assert_steward("audit", "verify", "--workspace", dir, "--state", seen);
}

/* What the system shows of the process to its own user. */
static void
has_no_core_and_no_passphrase(pid_t pid)
{
    static const char *const files[] = {"environ", "cmdline"};
    struct buf text;
    char path[64];
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        (void)snprintf(path, sizeof path, "/proc/%ld/%s", (long)pid, files[i]);
        testing_read(path, &text);
        assert_true(text.len > 0);
        assert_null(memmem(text.ptr, text.len, PASSPHRASE, strlen(PASSPHRASE)));
        buf_done(&text);
    }
    (void)snprintf(path, sizeof path, "/proc/%ld/limits", (long)pid);
    testing_read(path, &text);
    unsigned soft = 1, hard = 1;
    const char *line = strstr(buf_str(&text), "Max core file size");
    assert_non_null(line);
    assert_int_equal(sscanf(line, "Max core file size %u %u", &soft, &hard), 2);
    assert_int_equal(soft, 0);
    assert_int_equal(hard, 0);
    buf_done(&text);
}

struct key_count {
    const char *resource;
    unsigned found;
};

static struct status
count_key(void *ctx, uint64_t index, struct view entry)
{
    (void)index;
    struct key_count *k = ctx;
    DEFER(js_freep) json_t *o = NULL;
    assert_ok(js_parse(entry, "entry", NULL, &o));
    const char *reason = json_string_value(json_object_get(o, "reason"));
    k->found += strcmp(json_string_value(json_object_get(o, "action")), "key.use") == 0 &&
                strcmp(json_string_value(json_object_get(o, "resource")), k->resource) == 0 &&
                strstr(reason, " for=\"serve\"") != NULL;
    return OK;
}

/* How often a server told that it opened that. */
static unsigned
keys_opened(const char *dir, const char *resource)
{
    struct key_count k = {.resource = resource};
    DEFER(file_freep) char *audit = file_join(dir, "audit");
    assert_ok(audit_each(audit, 0, UINT64_MAX, count_key, &k, NULL));
    return k.found;
}

/* A few calls of every kind, connections left open and half sent, then SIGTERM: it ends in order.
 */
static void
ends_in_order_after_a_few_requests(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *root = testing_dir();
    DEFER(file_freep) char *dir = file_join(root, "ws"), *log = file_join(root, "log");
    copy_workspace(dir);
    static const char *const opened[] = {"keys/workspace", "tls", "models/loans"};
    unsigned before[sizeof opened / sizeof *opened];
    for (size_t i = 0; i < sizeof opened / sizeof *opened; i++) {
        before[i] = keys_opened(dir, opened[i]);
    }
    for (int round = 0; round < 3; round++) {
        char name[16];
        (void)snprintf(name, sizeof name, "port%d", round);
        DEFER(file_freep) char *port_file = file_join(root, name);
        struct client open[3];
        struct reply r;
        uint16_t port = 0;
        const pid_t pid = start_program(dir, port_file, log, &port);
        has_no_core_and_no_passphrase(pid);
        assert_int_equal(ask_at(port, "POST", INFER, it.caller, BODY, &r), 200);
        json_decref(entry_of(&r, dir));
        reply_done(&r);
        assert_int_equal(ask_at(port, "POST", INFER, NULL, BODY, &r), 401);
        reply_done(&r);
        assert_int_equal(ask_at(port, "POST", "//", NULL, "x", &r), 400);
        reply_done(&r);
        for (int i = 0; i < 3; i++) {
            assert_true(client_open(port, NULL, &open[i]));
        }
        assert_true(client_send_text(&open[1], "GET /v2 HTTP/1.1\r\nho"));
        assert_true(client_send_text(&open[2], "GET /v2/health/live HTTP/1.1\r\nhost: a\r\n\r\n"));
        assert_int_equal(testing_stop(pid), 0);
        for (int i = 0; i < 3; i++) {
            client_close(&open[i]);
        }
        for (size_t i = 0; i < sizeof opened / sizeof *opened; i++) {
            assert_int_equal(keys_opened(dir, opened[i]), ++before[i]);
        }
    }
    struct buf text;
    testing_read(log, &text);
    assert_text_has(buf_str(&text), "serve.stopped");
    assert_text_has(buf_str(&text), "gnutls=");
    buf_done(&text);
    verify_copy(dir);
}

/* ---- strangers ---- */

static struct status
count_refusals(void *ctx, uint64_t index, struct view entry)
{
    (void)index;
    unsigned *counts = ctx;
    DEFER(js_freep) json_t *o = NULL;
    TRY(js_parse(entry, "entry", NULL, &o));
    const char *reason = json_string_value(json_object_get(o, "reason"));
    if (json_integer_value(json_object_get(o, "http_status")) == 401) {
        counts[0]++;
        counts[1] += reason != NULL && strstr(reason, "; further ones are dropped") != NULL;
    }
    return OK;
}

/* Without a key the log grows by so many entries a minute and no more; a key has room all the same.
 */
static void
drops_what_strangers_send_beyond_their_room(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *root = testing_dir();
    DEFER(file_freep)
    char *dir = file_join(root, "ws"), *log = file_join(root, "log"),
         *port_file = file_join(root, "port"), *config = file_join(dir, "steward.yaml"),
         *audit = file_join(dir, "audit");
    copy_workspace(dir);
    testing_write(config, view_str("limits:\n  refusals_per_minute: 2\n"));
    struct reply r;
    struct diag diag = {0};
    uint16_t port = 0;
    unsigned before[2] = {0}, after[2] = {0}, dropped = 0;
    assert_ok(audit_each(audit, 0, UINT64_MAX, count_refusals, before, &diag));
    const pid_t pid = start_program(dir, port_file, log, &port);
    for (int i = 0; i < 30; i++) {
        const unsigned status = ask_at(port, "POST", INFER, NULL, BODY, &r);
        assert_true(status == 401 || status == 0);
        dropped += status == 0;
        reply_done(&r);
    }
    assert_true(dropped > 0);
    assert_int_equal(ask_at(port, "POST", INFER, it.caller, BODY, &r), 200);
    reply_done(&r);
    assert_int_equal(ask_at(port, "GET", "/metrics", it.watcher, NULL, &r), 200);
    assert_text_has(buf_str(&r.body), "steward_calls_total{status=\"0\"}");
    reply_done(&r);
    assert_int_equal(testing_stop(pid), 0);
    assert_ok(audit_each(audit, 0, UINT64_MAX, count_refusals, after, &diag));
    assert_int_equal(after[0] - before[0], 30 - dropped);
    assert_true(after[1] > before[1]);
    struct buf text;
    testing_read(log, &text);
    assert_text_has(buf_str(&text), "refusals.dropped address=127.0.0.1; more than 2 a minute");
    buf_done(&text);
}

/* ---- a full disk ---- */

static void
fails_closed_while_the_log_cannot_be_written(void **state)
{
    (void)state;
    testing_need_small_disk();
    DEFER(testing_dirp) char *root = testing_dir();
    DEFER(file_freep)
    char *disk = file_join(root, "disk"), *port_file = file_join(root, "port"),
         *log = file_join(root, "log"), *dir = file_join(disk, "ws"),
         *filler = file_join(disk, "filler");
    assert_int_equal(mkdir(disk, 0700), 0);
    assert_true(testing_small_disk(disk, 64 << 20));
    copy_workspace(dir);
    uint16_t port = 0;
    struct reply r;
    const pid_t pid = start_program(dir, port_file, log, &port);
    assert_int_equal(ask_at(port, "POST", INFER, it.caller, BODY, &r), 200);
    reply_done(&r);
    DEFER(buf_done) struct buf zeros;
    buf_init(&zeros, 1 << 20);
    memset(buf_extend(&zeros, 4096), 0, 4096);
    FILE *f = fopen(filler, "w");
    assert_non_null(f);
    while (fwrite(zeros.ptr, 1, 4096, f) == 4096 && fflush(f) == 0) {
    }
    (void)fclose(f);
    unsigned status = 200;
    for (int i = 0; i < 400 && status == 200; i++) { /* the journal has room of its own */
        status = ask_at(port, "POST", INFER, it.caller, BODY, &r);
        if (status == 503) {
            assert_text_has(buf_str(&r.body), "{\"error\":\"the call could not be recorded");
            assert_null(strstr(buf_str(&r.body), "outputs"));
        }
        reply_done(&r);
    }
    assert_int_equal(status, 503);
    assert_int_equal(ask_at(port, "GET", "/v2/health/ready", NULL, NULL, &r), 503);
    reply_done(&r);
    assert_int_equal(unlink(filler), 0);
    const int64_t until = clock_mono_ns() + 120 * NS_PER_S;
    while (status != 200 && clock_mono_ns() < until) {
        status = ask_at(port, "POST", INFER, it.caller, BODY, &r);
        if (status == 200) {
            json_decref(entry_of(&r, dir));
        }
        reply_done(&r);
    }
    assert_int_equal(status, 200);
    assert_int_equal(testing_stop(pid), 0);
    verify_copy(dir);
    testing_small_disk_done(disk);
}

static void
leaves_a_log_that_verifies(void **state)
{
    (void)state;
    const struct timespec published = {.tv_sec = 1, .tv_nsec = 200 * 1000 * 1000};
    (void)nanosleep(&published, NULL);
    assert_steward("audit", "verify");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_and_records_each_refusal),
        cmocka_unit_test(says_which_method_and_how_to_authenticate),
        cmocka_unit_test(limits_rows_and_body),
        cmocka_unit_test(keeps_no_long_body_of_who_may_not_send_it),
        cmocka_unit_test(refuses_a_body_whose_values_do_not_fit_the_memory_of_a_call),
        cmocka_unit_test(refuses_a_second_server_and_a_port_in_use),
        cmocka_unit_test(tells_health_and_metadata),
        cmocka_unit_test(predicts_as_the_library_does),
        cmocka_unit_test(counts_calls_for_prometheus),
        cmocka_unit_test(ends_with_a_sentence_when_it_cannot_start),
        cmocka_unit_test(ends_in_order_after_a_few_requests),
        cmocka_unit_test(drops_what_strangers_send_beyond_their_room),
        cmocka_unit_test(fails_closed_while_the_log_cannot_be_written),
        cmocka_unit_test(answers_each_call_once_and_logs_exactly_those),
        cmocka_unit_test(takes_a_new_version_in_and_keeps_the_old_one),
        cmocka_unit_test(a_version_with_thresholds_by_group_needs_the_group_and_decides_by_it),
        cmocka_unit_test(a_version_behind_a_remover_answers_as_off_line),
        cmocka_unit_test(a_version_that_draws_decides_as_off_line_each_time),
        cmocka_unit_test(leaves_a_log_that_verifies),
    };
    return cmocka_run_group_tests_name("serve/serve", tests, set_up, tear_down);
}
