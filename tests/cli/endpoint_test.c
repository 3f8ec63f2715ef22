/* steward explain against steward serve over TLS: what is told about the model behind the URL is
 * what the model itself answers. */
#include "cli/run.h"

#include "assess/shapley.h"
#include "base/clock.h"
#include "base/secret.h"
#include "workspace/models.h"

#include <math.h>
#include <time.h>

#define ROWS_OF_DATA 60
#define LIMIT_S 60

static struct {
    char url[128], key[512], ca[512], data[512];
    pid_t server;
} it;

static void
write_key(struct room *m)
{
    RUN(m, 0, "principal", "add", "desk", "--role", "caller");
    RUN(m, 0, "api-key", "issue", "desk");
    const char *key = strstr(buf_str(&m->r.out), "sw_");
    assert_non_null(key);
    (void)strcpy(it.key, in(m, "key"));
    testing_write(it.key, view_of(key, strcspn(key, " \n")));
}

/* The first rows of the data, as a file of its own. */
static void
write_rows(struct room *m)
{
    DEFER(buf_done) struct buf text;
    testing_read(m->csv, &text);
    size_t n = 0, lines = 0;
    for (; n < text.len && lines <= ROWS_OF_DATA; n++) {
        lines += text.ptr[n] == '\n';
    }
    (void)strcpy(it.data, in(m, "rows.csv"));
    testing_write(it.data, view_of(text.ptr, n));
}

static void
start_server(struct room *m)
{
    DEFER(file_freep) char *port_file = file_join(m->dir, "port");
    DEFER(file_freep) char *log = file_join(m->dir, "serve.log");
    char *const argv[] = {(char *)(uintptr_t)testing_binary(),
                          "serve",
                          "--listen",
                          "127.0.0.1:0",
                          "--port-file",
                          port_file,
                          NULL};
    it.server = testing_start(argv, log);
    const int64_t end = clock_mono_ns() + (int64_t)LIMIT_S * NS_PER_S;
    while (!file_exists(port_file) && clock_mono_ns() < end) {
        (void)nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
    DEFER(buf_done) struct buf port;
    testing_read(port_file, &port);
    (void)snprintf(it.url, sizeof it.url, "https://localhost:%d/v2/models/mortgage",
                   atoi(buf_str(&port)));
}

static int
set_up(void **state)
{
    (void)room_with_model(state);
    struct room *m = *state;
    write_key(m);
    write_rows(m);
    (void)snprintf(it.ca, sizeof it.ca, "%s/w/tls/cert.pem", m->dir);
    start_server(m);
    return 0;
}

static int
tear_down(void **state)
{
    (void)testing_stop(it.server);
    return room_done(state);
}

#define EXPLAIN(M, CODE, ...)                                                                      \
    RUN(M, CODE, "explain", "--endpoint", it.url, "--endpoint-key", it.key, "--endpoint-ca",       \
        it.ca, "--data", it.data, __VA_ARGS__)

/* ---- refusals ---- */

static void
strangers_are_not_believed(void **state)
{
    struct room *m = *state;
    char other[512];
    RUN(m, 3, "explain", "--endpoint", it.url, "--endpoint-key", it.key, "--data", it.data);
    ERR_HAS(m, "certificate"); /* of an authority that the system does not know */
    RUN(m, 3, "explain", "--endpoint", it.url, "--endpoint-ca", it.ca, "--data", it.data);
    ERR_HAS(m, "answered 401");
    (void)strcpy(other, in(m, "other"));
    testing_write(other, view_str("sw_nobody\n"));
    RUN(m, 3, "explain", "--endpoint", it.url, "--endpoint-ca", it.ca, "--endpoint-key", other,
        "--data", it.data);
    RUN(m, 4, "explain", "--endpoint", it.url, "--endpoint-ca", it.ca, "--endpoint-key",
        in(m, "absent"), "--data", it.data);
}

static void
columns_and_outputs_that_are_not_there_are_named(void **state)
{
    struct room *m = *state;
    char few[512], url[160];
    (void)strcpy(few, in(m, "few.csv"));
    testing_write(few, view_str("pirat,hirat,lvrat,chist,mhist,phist,unemp,selfem,insurance,"
                                "condomin,hschool\n.1,.1,.1,1,1,no,1,no,no,no,no\n"
                                ".2,.2,.2,2,2,yes,2,yes,yes,yes,yes\n"));
    RUN(m, 2, "explain", "--endpoint", it.url, "--endpoint-key", it.key, "--endpoint-ca", it.ca,
        "--data", few);
    ERR_HAS(m, "lacks a column that the endpoint's model reads");
    ERR_HAS(m, "selfem");
    EXPLAIN(m, 2, "--endpoint-output", "decision");
    ERR_HAS(m, "numbers can be explained");
    EXPLAIN(m, 2, "--endpoint-output", "nothing");
    ERR_HAS(m, "no output \"nothing\"");
    (void)snprintf(url, sizeof url, "%.100sx", it.url);
    RUN(m, 4, "explain", "--endpoint", url, "--endpoint-key", it.key, "--endpoint-ca", it.ca,
        "--data", it.data);
    ERR_HAS(m, "answered 404");
}

/* ---- the model itself, asked in process ---- */

static struct status
ask_model(void *ctx, const double *x, size_t rows, struct diag *diag, double *ret_score)
{
    const struct model *model = ctx;
    (void)diag;
    float *narrow = calloc(rows * model->features.count, sizeof *narrow);
    assert_non_null(narrow);
    for (size_t i = 0; i < rows * model->features.count; i++) {
        narrow[i] = (float)x[i];
    }
    model_predict(model, narrow, rows, 1, ret_score);
    free(narrow);
    return OK;
}

struct truth {
    struct workspace *w;
    struct model *model;
    struct black_box box;
    double x[ROWS_OF_DATA * 32];
    size_t rows;
};

static void
truth_done(struct truth *t)
{
    model_free(t->model);
    workspace_close(t->w);
}

static void
truth_of(struct room *m, struct truth *t)
{
    DEFER(secret_done) struct secret passphrase = {0};
    DEFER(table_freep) struct table *table = NULL;
    struct diag diag = {0};
    const struct import_options io = {.missing_count = 0};
    float x[ROWS_OF_DATA * 32];
    assert_ok(secret_from(view_str("correct horse"), &passphrase));
    const struct workspace_open_options o = {.passphrase = &passphrase};
    assert_ok(workspace_open(in(m, "w"), &o, &diag, &t->w));
    assert_ok(model_load(t->w, "mortgage", 0, &diag, &t->model));
    assert_ok(import_file(it.data, &io, &diag, &table));
    t->rows = (size_t)table->rows;
    assert_true(t->rows == ROWS_OF_DATA && t->model->features.count <= 32);
    assert_ok(matrix_from_table(table, &t->model->features, NULL, &diag, x));
    for (size_t i = 0; i < t->rows * t->model->features.count; i++) {
        t->x[i] = (double)x[i];
    }
    t->box = (struct black_box){ask_model, t->model, t->model->features.count, 1, 1000};
}

static void
attributions_are_those_of_the_model_itself(void **state)
{
    struct room *m = *state;
    DEFER(truth_done) struct truth t = {0};
    truth_of(m, &t);
    EXPLAIN(m, 0, "--rows", "2", "--background", it.data, "--background-rows", "0", "--batch",
            "5000", "--json");
    DEFER(js_freep) json_t *d = out_json(m);
    const json_t *rows = json_object_get(json_object_get(d, "attributions"), "rows");
    assert_int_equal(json_array_size(rows), 2);
    for (size_t i = 0; i < 2; i++) {
        double base = 0, phi[32], error[32];
        struct shapley_told told;
        const json_t *row = json_array_get(rows, i),
                     *of =
                         json_object_get(json_array_get(json_object_get(row, "outputs"), 0), "phi");
        const size_t at = (size_t)json_integer_value(json_object_get(row, "row")) - 1;
        const struct shapley_options o = {.threads = 2};
        assert_ok(shapley_base(&t.box, t.x, t.rows, 2, NULL, &base));
        assert_ok(shapley_row(&t.box, t.x + at * t.box.features, t.x, t.rows, &base, &o, NULL, phi,
                              error, &told));
        assert_true(told.exact && json_is_true(json_object_get(row, "exact")));
        assert_int_equal(json_array_size(of), t.box.features);
        for (size_t f = 0; f < t.box.features; f++) {
            assert_near(json_number_value(json_array_get(of, f)), phi[f],
                        1e-7); /* sent as floats */
        }
    }
}

static void
profiles_are_those_of_the_model_itself(void **state)
{
    struct room *m = *state;
    DEFER(truth_done) struct truth t = {0};
    truth_of(m, &t);
    EXPLAIN(m, 0, "--method", "partial-dependence", "--features", "insurance,lvrat", "--json",
            "--batch", "7");
    DEFER(js_freep) json_t *d = out_json(m);
    const json_t *p = json_array_get(json_object_get(d, "profiles"), 0),
                 *mean = json_object_get(json_array_get(json_object_get(p, "outputs"), 0), "mean");
    size_t feature = 0;
    while (strcmp(t.model->features.items[feature].name, "insurance") != 0) {
        feature++;
    }
    assert_string_equal(json_string_value(json_array_get(json_object_get(p, "at"), 1)), "yes");
    for (size_t level = 0; level < 2; level++) {
        double score[ROWS_OF_DATA], sum = 0;
        for (size_t i = 0; i < t.rows; i++) {
            t.x[i * t.box.features + feature] = (double)level;
        }
        assert_ok(black_box_predict(&t.box, t.x, t.rows, NULL, score));
        for (size_t i = 0; i < t.rows; i++) {
            sum += score[i];
        }
        assert_near(json_number_value(json_array_get(mean, level)), sum / (double)t.rows, 1e-7);
    }
}

/* The workspace whose network.egress lets it out says so, also when it does not let it. */
static void
every_connection_is_in_the_log_of_its_workspace(void **state)
{
    struct room *m = *state;
    EXPLAIN(m, 0, "--method", "ale", "--features", "lvrat", "--rows", "20");
    RUN(m, 0, "audit", "show", "--last", "20", "--json");
    OUT_HAS(m, "network.connect");
    OUT_HAS(m, "egress/black-box/localhost:");
    OUT_HAS(m, "sends rows to a model behind a URL");
    RUN(m, 3, "explain", "--endpoint", "https://169.254.169.254/v2/models/x", "--data", it.data);
    ERR_HAS(m, "no line of network.egress");
    RUN(m, 0, "audit", "show", "--last", "20", "--json");
    OUT_HAS(m, "egress/black-box/169.254.169.254:443");
    OUT_HAS(m, "no line of network.egress allows it");
}

static void
every_call_is_in_the_servers_log(void **state)
{
    struct room *m = *state;
    EXPLAIN(m, 0, "--method", "ale", "--features", "lvrat", "--rows", "20");
    RUN(m, 0, "audit", "show", "--last", "3", "--json");
    OUT_HAS(m, "mortgage");
    OUT_HAS(m, "desk");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strangers_are_not_believed),
        cmocka_unit_test(columns_and_outputs_that_are_not_there_are_named),
        cmocka_unit_test(attributions_are_those_of_the_model_itself),
        cmocka_unit_test(profiles_are_those_of_the_model_itself),
        cmocka_unit_test(every_call_is_in_the_servers_log),
        cmocka_unit_test(every_connection_is_in_the_log_of_its_workspace),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
