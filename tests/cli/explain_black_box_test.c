/* steward explain of a model file as a black box: what it writes adds up, every method, bad input.
 * A model behind a URL that we play; against our own server: endpoint_test.c. */
#include "cli/run.h"

#include "base/text.h"
#include "net/fake.h"

#include <math.h>
#include <sys/stat.h>

#define KEYS "format method model rows rows_in_data level seed features outputs remarks"

static char model[512], data[512];

/* A pinned XGBoost model and its rows; columns x0, x1, ... and a label y. */
static json_t *
pinned(struct room *m, const char *name)
{
    DEFER(file_freep) char *path = testing_source("tests/model/data/xgboost-3.2.0.json");
    DEFER(js_freep) json_t *file = testing_read_json(path);
    DEFER(buf_done) struct buf bytes;
    DEFER(buf_done) struct buf text;
    size_t i = 0;
    json_t *v = NULL, *found = NULL;
    buf_init(&bytes, 1u << 22);
    buf_init(&text, 1u << 22);
    json_array_foreach(json_object_get(file, "models"), i, v)
    {
        found = strcmp(json_string_value(json_object_get(v, "name")), name) == 0 ? v : found;
    }
    assert_non_null(found);
    assert_ok(text_from_hex(view_str(json_string_value(json_object_get(found, "file"))), &bytes));
    testing_write(in(m, "model.json"), buf_view(&bytes));
    (void)strcpy(model, in(m, "model.json"));
    const json_t *rows = json_object_get(file, "rows");
    const size_t width = json_array_size(json_array_get(rows, 0));
    for (size_t j = 0; j < width; j++) {
        buf_printf(&text, "x%zu,", j);
    }
    buf_put_str(&text, "y\n");
    for (i = 0; i < 4 * json_array_size(rows); i++) { /* four times over: a surrogate needs 20 */
        v = json_array_get(rows, i % json_array_size(rows));
        for (size_t j = 0; j < width; j++) {
            const json_t *x = json_array_get(v, j);
            if (json_is_number(x)) {
                text_put_f64(&text, json_number_value(x));
            }
            buf_put_str(&text, ",");
        }
        buf_put_str(&text, i % 7 == 6 ? "\n" : i % 2 == 0 ? "no\n" : "yes\n");
    }
    testing_write(in(m, "rows.csv"), buf_view(&text));
    (void)strcpy(data, in(m, "rows.csv"));
    return json_incref(found);
}

#define EXPLAIN(M, CODE, ...)                                                                      \
    RUN(M, CODE, "explain", "--model", model, "--data", data, "--role", "y=ignored", __VA_ARGS__)

static void
pin(struct room *m, const char *name)
{
    json_decref(pinned(m, name));
}

/* ---- misuse ---- */

static void
refuses_what_makes_no_sense(void **state)
{
    struct room *m = *state;
    pin(m, "binary");
    RUN(m, 2, "explain", "--model", model, "--method", "kernel");
    ERR_HAS(m, "--data FILE is needed");
    RUN(m, 2, "explain", "--data", data, "--method", "kernel");
    ERR_HAS(m, "either --model FILE or --endpoint URL");
    EXPLAIN(m, 2, "--endpoint", "https://h/v2/models/m");
    ERR_HAS(m, "either --model FILE or --endpoint URL");
    EXPLAIN(m, 2, "--method", "kernal");
    ERR_HAS(m, "did you mean \"kernel\"?");
    EXPLAIN(m, 2, "--method", "ale", "--features", "x77");
    ERR_HAS(m, "the model reads no \"x77\"");
    EXPLAIN(m, 2, "--method", "ale", "--points", "1");
    ERR_HAS(m, "--points 1: a whole number from 2");
    EXPLAIN(m, 2, "--method", "kernel", "--level", "1");
    ERR_HAS(m, "--level 1");
    EXPLAIN(m, 2, "--method", "permutation-importance");
    ERR_HAS(m, "needs --label COLUMN");
    EXPLAIN(m, 2, "--method", "permutation-importance", "--label", "y", "--metric", "auc");
    ERR_HAS(m, "it is accuracy");
    EXPLAIN(m, 2, "--method", "permutation-importance", "--label", "y", "--metric", "rmse");
    ERR_HAS(m, "rmse cannot be taken of it");
    EXPLAIN(m, 2, "--method", "permutation-importance", "--label", "y", "--positive", "maybe");
    ERR_HAS(m, "no value is the one of --positive");
    EXPLAIN(m, 2, "--method", "ale", "--output", in(m, "out.csv"));
    ERR_HAS(m, "only kernel and permutation");
    EXPLAIN(m, 2, "--method", "kernel", "--evaluations", "3", "--rows", "1");
    ERR_HAS(m, "too few");
    RUN(m, 3, "explain", "--endpoint", "http://example.org/v2/models/m", "--data", data);
    ERR_HAS(m, "no line of network.egress allows it");
}

static void
a_file_without_rows_is_told(void **state)
{
    struct room *m = *state;
    pin(m, "binary");
    testing_write(in(m, "rows.csv"), view_str("x0,x1,x2,x3,y\n"));
    EXPLAIN(m, 2, "--method", "kernel");
    assert_true(m->r.err.len > 20);
}

/* ---- attributions ---- */

static double
sum_of(const json_t *list)
{
    double sum = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        sum += json_number_value(json_array_get(list, i));
    }
    return sum;
}

static void
attributions_add_up(struct room *m, const char *method, bool margin)
{
    DEFER(js_freep) json_t *found = pinned(m, "binary");
    const json_t *answers = json_object_get(found, margin ? "margin" : "answer");
    EXPLAIN(m, 0, "--method", method, "--rows", "4", "--background-rows", "7", "--json",
            margin ? "--margin" : "--seed", margin ? "--seed" : "3", margin ? "3" : "--threads",
            margin ? "--threads" : "2", margin ? "2" : "--level", margin ? "--level" : "0.9",
            margin ? "0.9" : NULL);
    DEFER(js_freep) json_t *d = out_json(m);
    has_keys(d, KEYS " attributions background_rows background_of");
    const json_t *a = json_object_get(d, "attributions"), *rows = json_object_get(a, "rows");
    has_keys(a,
             "rows base exact_rows evaluations largest_standard_error largest_residual features");
    assert_int_equal(json_array_size(rows), 4);
    for (size_t i = 0; i < 4; i++) {
        const json_t *row = json_array_get(rows, i),
                     *o = json_array_get(json_object_get(row, "outputs"), 0);
        has_keys(row, "row exact features_that_vary evaluations outputs");
        has_keys(o, "prediction phi standard_error");
        const size_t number = (size_t)json_integer_value(json_object_get(row, "row"));
        const double theirs = json_number_value(
            json_array_get(json_array_get(answers, (number - 1) % json_array_size(answers)), 0));
        const double base = json_number_value(json_array_get(json_object_get(a, "base"), 0));
        assert_near(base + sum_of(json_object_get(o, "phi")), theirs, 1e-6);
        assert_near(json_number_value(json_object_get(o, "prediction")), theirs, 1e-6);
    }
}

static void
attributions_add_up_to_xgboosts_answers(void **state)
{
    struct room *m = *state;
    attributions_add_up(m, "kernel", false);
    attributions_add_up(m, "kernel", true);
    attributions_add_up(m, "permutation", true);
}

static void
contributions_are_written_in_the_models_order(void **state)
{
    struct room *m = *state;
    pin(m, "three classes");
    char out[512];
    (void)strcpy(out, in(m, "contributions.csv"));
    EXPLAIN(m, 0, "--method", "kernel", "--rows", "0", "--background-rows", "3", "--output", out);
    OUT_HAS(m, "mean |phi|");
    DEFER(buf_done) struct buf text;
    testing_read(out, &text);
    assert_int_equal(strncmp(buf_str(&text), "prediction:0:x0,prediction:0:x1,", 32), 0);
    assert_null(strstr(buf_str(&text), ",row"));
    assert_non_null(strstr(buf_str(&text), "prediction:1:base"));
    EXPLAIN(m, 0, "--method", "kernel", "--rows", "2", "--background-rows", "3", "--output", out);
    DEFER(buf_done) struct buf some;
    testing_read(out, &some);
    assert_text_has(buf_str(&some), ",prediction:2:base,row\n");
}

static void
threads_change_no_digit(void **state)
{
    struct room *m = *state;
    pin(m, "binary");
    DEFER(buf_done) struct buf one;
    buf_init(&one, 8u << 20);
    static const char *const methods[] = {"kernel", "ale", "ice", "surrogate"};
    for (size_t i = 0; i < 4; i++) {
        EXPLAIN(m, 0, "--method", methods[i], "--rows", "30", "--background-rows", "5", "--floor",
                "-9", "--json", "--threads", "1");
        buf_reset(&one);
        buf_put(&one, buf_view(&m->r.out));
        EXPLAIN(m, 0, "--method", methods[i], "--rows", "30", "--background-rows", "5", "--floor",
                "-9", "--json", "--threads", "3");
        assert_string_equal(buf_str(&m->r.out), buf_str(&one));
    }
}

/* ---- the other methods ---- */

static void
every_method_has_its_fields_its_text_and_its_page(void **state)
{
    struct room *m = *state;
    pin(m, "binary");
    static const struct {
        const char *method, *key, *fields, *text;
    } methods[] = {
        {"partial-dependence", "profiles", "feature kind at all_values missing outputs", "x0"},
        {"ice", "profiles", "feature kind at all_values missing outputs curves", "x0"},
        {"ale", "effects", "feature kind at order rows missing count outputs", "x0"},
    };
    char page[512];
    (void)strcpy(page, in(m, "page.html"));
    for (size_t i = 0; i < 3; i++) {
        EXPLAIN(m, 0, "--method", methods[i].method, "--json", "--report", page);
        DEFER(js_freep) json_t *d = out_json(m);
        has_keys(d, KEYS);
        const json_t *first = json_array_get(json_object_get(d, methods[i].key), 0);
        has_keys(first, methods[i].fields);
        has_keys(json_array_get(json_object_get(first, "outputs"), 0), "output low high");
        struct stat st;
        assert_int_equal(stat(page, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600); /* rows are persons */
        DEFER(buf_done) struct buf html;
        testing_read(page, &html);
        assert_text_has(buf_str(&html), "<svg");
        assert_text_has(buf_str(&html), "<title>The model&#39;s answer along x0");
        assert_text_has(buf_str(&html), "<summary>Numbers</summary>");
        assert_true(html.len < 1u << 20);
        EXPLAIN(m, 0, "--method", methods[i].method);
        OUT_HAS(m, methods[i].text);
    }
}

static void
importance_drops_rows_without_a_label_and_tells(void **state)
{
    struct room *m = *state;
    pin(m, "binary");
    char page[512];
    (void)strcpy(page, in(m, "page.html"));
    EXPLAIN(m, 0, "--method", "permutation-importance", "--label", "y", "--json", "--report", page);
    DEFER(js_freep) json_t *d = out_json(m);
    const json_t *p = json_object_get(d, "permutation_importance");
    has_keys(p, "metric larger_is_better baseline repeats features");
    has_keys(json_array_get(json_object_get(p, "features"), 0), "feature importance sd ci");
    assert_string_equal(json_string_value(json_object_get(p, "metric")), "roc_auc");
    OUT_HAS(m, "have no label and are left out");
    EXPLAIN(m, 0, "--method", "permutation-importance", "--label", "y", "--metric", "log_loss");
    OUT_HAS(m, "log_loss");
    OUT_HAS(m, "have no label and are left out");
}

static void
a_surrogate_has_its_fidelity_beside_it_or_is_refused(void **state)
{
    struct room *m = *state;
    pin(m, "binary");
    char page[512];
    (void)strcpy(page, in(m, "page.html"));
    EXPLAIN(m, 0, "--method", "surrogate", "--floor", "-99", "--json", "--report", page);
    DEFER(js_freep) json_t *d = out_json(m);
    const json_t *s = json_object_get(d, "surrogate");
    has_keys(s, "output fidelity_r2 same_decisions floor refused answers_sd grown_on measured_on "
                "leaves nodes");
    has_keys(json_array_get(json_object_get(s, "nodes"), 0), "id rows value");
    assert_true(json_is_false(json_object_get(s, "refused")));
    DEFER(buf_done) struct buf html;
    testing_read(page, &html);
    assert_text_has(buf_str(&html), "fidelity: R&sup2; against the model&rsquo;s answers");
    EXPLAIN(m, 0, "--method", "surrogate", "--floor", "0.999", "--features", "x0");
    assert_text_has(buf_str(&m->r.out), "--features is for partial-dependence, ice and ale: ");
    EXPLAIN(m, 0, "--method", "surrogate", "--floor", "0.999", "--report", page);
    OUT_HAS(m, "refused: under the floor of 1.00");
    DEFER(buf_done) struct buf refused;
    testing_read(page, &refused);
    assert_text_has(buf_str(&refused), "<b>Refused.</b>");
    assert_null(strstr(buf_str(&refused), "answer <b>"));
}

/* ---- behind a URL ---- */

#define MATRIX                                                                                     \
    "{\"name\":\"m\",\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP64\",\"shape\":[-1,-1]}],"       \
    "\"outputs\":[{\"name\":\"y\",\"datatype\":\"FP64\",\"shape\":[-1]}]}"
#define WORDS                                                                                      \
    "{\"name\":\"m\",\"inputs\":[{\"name\":\"colour\",\"datatype\":\"BYTES\",\"shape\":[-1]},"     \
    "{\"name\":\"size\",\"datatype\":\"INT64\",\"shape\":[-1]}],"                                  \
    "\"outputs\":[{\"name\":\"y\",\"datatype\":\"FP64\",\"shape\":[-1]}]}"

/* Answers 2 a - 3 b to a matrix of two columns; 1 to red, else 0, to words; or nonsense. */
struct player {
    const char *metadata, *nonsense;
};

static void
play(void *ctx, const struct fake_request *q, struct buf *out)
{
    const struct player *p = ctx;
    DEFER(js_freep) json_t *body = NULL;
    DEFER(buf_done) struct buf answer;
    buf_init(&answer, 1u << 20);
    if (strcmp(q->method, "GET") == 0) {
        fake_put(out, 200, "", p->metadata);
        return;
    }
    assert_ok(js_parse(view_str(q->body), NULL, NULL, &body));
    const json_t *input = json_array_get(json_object_get(body, "inputs"), 0),
                 *values = json_object_get(input, "data");
    const bool words = json_is_string(json_array_get(values, 0));
    const size_t rows =
        (size_t)json_integer_value(json_array_get(json_object_get(input, "shape"), 0));
    buf_printf(&answer, "{\"outputs\":[{\"name\":\"y\",\"shape\":[%zu],\"data\":[", rows);
    for (size_t i = 0; i < rows; i++) {
        const char *word = json_string_value(json_array_get(values, i));
        const double v = words ? strcmp(word, "red") == 0
                               : 2 * json_number_value(json_array_get(values, 2 * i)) -
                                     3 * json_number_value(json_array_get(values, 2 * i + 1));
        buf_printf(&answer, "%s%.17g", i == 0 ? "" : ",", v);
    }
    buf_put_str(&answer, "]}]}");
    fake_put(out, 200, "", rows > 1 && p->nonsense != NULL ? p->nonsense : buf_str(&answer));
}

static struct fake *
start(struct player *p, char ret_url[static 128])
{
    struct fake *f = fake_start(play, p);
    (void)snprintf(ret_url, 128, "http://127.0.0.1:%u/v2/models/m", fake_port(f));
    return f;
}

/* phi of the i-th explained row. */
static double
phi_of(const json_t *d, size_t i, size_t feature)
{
    const json_t *row =
        json_array_get(json_object_get(json_object_get(d, "attributions"), "rows"), i);
    const json_t *o = json_array_get(json_object_get(row, "outputs"), 0);
    return json_number_value(json_array_get(json_object_get(o, "phi"), feature));
}

static void
an_endpoint_of_one_matrix_takes_the_datas_columns(void **state)
{
    struct room *m = *state;
    char url[128], rows[512];
    struct player p = {.metadata = MATRIX};
    struct fake *f = start(&p, url);
    (void)strcpy(rows, in(m, "rows.csv"));
    testing_write(rows, view_str("a,name,b\n1,x,4\n2,y,0\n6,z,5.5\n"));
    RUN(m, 0, "explain", "--endpoint", url, "--data", rows, "--role", "name=ignored", "--rows", "0",
        "--batch", "2", "--json");
    DEFER(js_freep) json_t *d = out_json(m);
    static const double a[] = {1, 2, 6}, b[] = {4, 0, 5.5};
    for (size_t i = 0; i < 3; i++) { /* a linear model: w (x - mean) */
        assert_near(phi_of(d, i, 0), 2 * (a[i] - 3), 1e-12);
        assert_near(phi_of(d, i, 1), -3 * (b[i] - 9.5 / 3), 1e-12);
    }
    RUN(m, 2, "explain", "--endpoint", url, "--data", rows); /* a word is no number */
    ERR_HAS(m, "\"name\" is of categories");
    fake_stop(f);
}

static void
a_background_with_other_categories_is_the_same_colours(void **state)
{
    struct room *m = *state;
    char url[128], rows[512], background[512];
    struct player p = {.metadata = WORDS};
    struct fake *f = start(&p, url);
    (void)strcpy(rows, in(m, "rows.csv"));
    (void)strcpy(background, in(m, "background.csv"));
    testing_write(rows, view_str("size,colour\n1,red\n2,yellow\n3,red\n"));
    testing_write(background, view_str("colour,size\nblue,1\ngreen,2\nred,3\nblue,4\nazure,5\n"));
    RUN(m, 0, "explain", "--endpoint", url, "--data", rows, "--background", background, "--rows",
        "0", "--json");
    DEFER(js_freep) json_t *d = out_json(m);
    assert_near(phi_of(d, 0, 0), 1 - 0.2, 1e-12); /* one in five is red */
    assert_near(phi_of(d, 1, 0), 0 - 0.2, 1e-12);
    assert_near(phi_of(d, 2, 0), 1 - 0.2, 1e-12);
    assert_near(phi_of(d, 0, 1), 0, 1e-12);
    testing_write(background, view_str("colour,size\n1,1\n2,2\n"));
    RUN(m, 2, "explain", "--endpoint", url, "--data", rows, "--background", background);
    ERR_HAS(m, "\"colour\" is of numbers in one");
    fake_stop(f);
}

static void
nonsense_from_an_endpoint_ends_the_run(void **state)
{
    struct room *m = *state;
    static const char *const nonsense[] = {
        "{\"outputs\":[{\"name\":\"y\",\"shape\":[1],\"data\":[1]}]}",
        "{\"outputs\":[{\"name\":\"y\",\"shape\":[2],\"data\":[1,null]}]}", "nothing"};
    char rows[512], out[512];
    (void)strcpy(rows, in(m, "rows.csv"));
    (void)strcpy(out, in(m, "out.csv"));
    testing_write(rows, view_str("a,b\n1,4\n2,0\n"));
    for (size_t i = 0; i < 3; i++) {
        char url[128];
        struct player p = {.metadata = MATRIX, .nonsense = nonsense[i]};
        struct fake *f = start(&p, url);
        RUN(m, 1, "explain", "--endpoint", url, "--data", rows, "--output", out);
        ERR_HAS(m, "the endpoint's answer");
        assert_false(file_exists(out)); /* whole or not at all */
        fake_stop(f);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        BARE(refuses_what_makes_no_sense),
        BARE(a_file_without_rows_is_told),
        BARE(attributions_add_up_to_xgboosts_answers),
        BARE(contributions_are_written_in_the_models_order),
        BARE(threads_change_no_digit),
        BARE(every_method_has_its_fields_its_text_and_its_page),
        BARE(importance_drops_rows_without_a_label_and_tells),
        BARE(a_surrogate_has_its_fidelity_beside_it_or_is_refused),
        BARE(an_endpoint_of_one_matrix_takes_the_datas_columns),
        BARE(a_background_with_other_categories_is_the_same_colours),
        BARE(nonsense_from_an_endpoint_ends_the_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
