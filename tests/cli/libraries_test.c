/* Models of several classes and of numbers that other libraries trained, through predict and
 * explain on files, then registered and through the workspace's verbs: what they answer is what the
 * library answered. */
#include "cli/run.h"

#include "base/text.h"

#include <math.h>

struct trained {
    const char *file, *name;
    size_t outputs;
    bool paths;           /* the file tells covers */
    const char *task;     /* of its assessment */
    const char *words[3]; /* the classes' labels, in the outputs' order */
};

static const struct trained all[] = {
    {"xgboost-3.2.0", "three classes", 3, true, "classes", {"ash", "birch", "cedar"}},
    {"xgboost-3.2.0", "squared error", 1, true, "numeric", {NULL}},
    {"lightgbm-4.7.0", "three classes", 3, true, "classes", {"ash", "birch", "cedar"}},
    {"lightgbm-4.7.0", "squared error", 1, true, "numeric", {NULL}},
    {"onnx-1.32.0",
     "RandomForestClassifier, words",
     3,
     false,
     "classes",
     {"high", "low", "middle"}},
    {"onnx-1.32.0", "GradientBoostingRegressor", 1, false, "numeric", {NULL}},
};
#define ALL (sizeof all / sizeof *all)

struct pinned {
    json_t *document;
    const json_t *model, *rows;
    char path[512], data[512];
};

static void
pinned_done(struct pinned *p)
{
    js_freep(&p->document);
}

static double
at(const json_t *rows, size_t row, size_t k)
{
    return json_number_value(json_array_get(json_array_get(rows, row), k));
}

/* The label is the likeliest class, or the answer itself. */
static void
put_label(const struct trained *t, const json_t *answer, size_t row, struct buf *b)
{
    size_t best = 0;
    for (size_t k = 1; k < t->outputs; k++) {
        best = at(answer, row, k) > at(answer, row, best) ? k : best;
    }
    if (t->outputs > 1) {
        buf_put_str(b, t->words[best]);
    } else {
        text_put_f64(b, at(answer, row, 0) + 0.25);
    }
}

/* LightGBM cuts a category's fraction, which is refused here: whole ones mean the same to it. */
static void
put_rows(struct room *m, const struct trained *t, struct pinned *p)
{
    DEFER(buf_done) struct buf b;
    const size_t width = json_array_size(json_array_get(p->rows, 0));
    buf_init(&b, 1u << 20);
    for (size_t j = 0; j < width; j++) {
        buf_printf(&b, "x%zu,", j);
    }
    buf_put_str(&b, "y");
    for (size_t i = 0; i < json_array_size(p->rows); i++) {
        buf_put_str(&b, "\n");
        for (size_t j = 0; j < width; j++) {
            const json_t *v = json_array_get(json_array_get(p->rows, i), j);
            const double x = json_number_value(v);
            if (!json_is_null(v)) {
                text_put_f64(&b, j == 0 && strncmp(t->file, "light", 5) == 0 ? trunc(x) : x);
            }
            buf_put_str(&b, ",");
        }
        put_label(t, json_object_get(p->model, "answer"), i, &b);
    }
    buf_put_str(&b, "\n");
    testing_write(in(m, "rows.csv"), buf_view(&b));
    (void)strcpy(p->data, in(m, "rows.csv"));
}

static void
pinned_open(struct room *m, const struct trained *t, struct pinned *p)
{
    char name[96];
    size_t i;
    json_t *one;
    (void)snprintf(name, sizeof name, "tests/model/data/%s.json", t->file);
    DEFER(file_freep) char *path = testing_source(name);
    DEFER(buf_done) struct buf bytes;
    buf_init(&bytes, 1u << 20);
    p->document = testing_read_json(path);
    json_array_foreach(json_object_get(p->document, "models"), i, one)
    {
        p->model =
            strcmp(json_string_value(json_object_get(one, "name")), t->name) == 0 ? one : p->model;
    }
    assert_non_null(p->model);
    const char *file = json_string_value(json_object_get(p->model, "file"));
    if (strncmp(file, "tree\n", 5) == 0) {
        buf_put_str(&bytes, file);
    } else {
        assert_ok(text_from_hex(view_str(file), &bytes));
    }
    testing_write(in(m, "model"), buf_view(&bytes));
    (void)strcpy(p->path, in(m, "model"));
    p->rows = json_object_get(p->model, "rows");
    p->rows = p->rows != NULL ? p->rows : json_object_get(p->document, "rows");
    put_rows(m, t, p);
}

/* The numbers of a CSV file, line after line: the caller's. */
static double *
numbers(const char *path, size_t *ret_count)
{
    DEFER(buf_done) struct buf text;
    testing_read(path, &text);
    double *v = calloc(text.len, sizeof *v);
    size_t count = 0;
    for (const char *p = strchr(buf_str(&text), '\n') + 1; *p != '\0';) {
        const size_t n = strcspn(p, ",\n");
        assert_ok(text_to_f64(view_of(p, n), &v[count++]));
        p += n + 1;
    }
    *ret_count = count;
    return v;
}

/* margin and prediction of each output, in turn. */
static void
answers_as_the_library(const struct trained *t, const struct pinned *p, const double *v, size_t n)
{
    const json_t *margin = json_object_get(p->model, "margin"),
                 *answer = json_object_get(p->model, "answer");
    const size_t rows = json_array_size(answer);
    assert_int_equal(n, rows * t->outputs * 2);
    for (size_t i = 0; i < rows; i++) {
        for (size_t k = 0; k < t->outputs; k++) {
            const double *pair = v + (i * t->outputs + k) * 2;
            assert_near(pair[1], at(answer, i, k), 1e-6 * fmax(1, fabs(pair[1])));
            assert_true(margin == NULL ||
                        fabs(pair[0] - at(margin, i, k)) < 1e-6 * fmax(1, fabs(pair[0])));
        }
    }
}

/* A row's attributions and base, class after class, sum to its margins; LightGBM's own values. */
static void
explains_as_the_library(const struct trained *t, const struct pinned *p, const double *v, size_t n,
                        const double *predicted, bool own)
{
    const json_t *theirs = json_object_get(p->model, "contributions");
    const size_t rows = json_array_size(p->rows);
    const size_t width = json_array_size(json_array_get(p->rows, 0)) + 1;
    assert_int_equal(n, rows * t->outputs * width);
    for (size_t i = 0; i < rows * t->outputs; i++) {
        double sum = 0;
        for (size_t j = 0; j < width; j++) {
            const double phi = v[i * width + j];
            sum += phi;
            if (own && theirs != NULL) {
                assert_near(phi, at(theirs, i / t->outputs, i % t->outputs * width + j), 2e-6);
            }
        }
        assert_near(sum, predicted[2 * i], 3e-6 * fmax(1, fabs(sum)));
    }
}

static void
one_through_the_files(struct room *m, const struct trained *t, const struct pinned *p)
{
    size_t n = 0, many = 0;
    char out[512];
    (void)strcpy(out, in(m, "out.csv"));
    RUN(m, 0, "predict", "--model", p->path, "--data", p->data, "--role", "y=label", "--output",
        out);
    DEFER(memory_freep) double *predicted = numbers(out, &n);
    answers_as_the_library(t, p, predicted, n);
    RUN(m, t->paths ? 0 : 2, "explain", "--model", p->path, "--data", p->data, "--role", "y=label",
        "--output", out);
    if (t->paths) {
        DEFER(memory_freep) double *phi = numbers(out, &many);
        explains_as_the_library(t, p, phi, many, predicted, true);
    } else {
        ERR_HAS(m, "give --background FILE");
    }
    RUN(m, 0, "explain", "--model", p->path, "--data", p->data, "--role", "y=label", "--background",
        p->data, "--output", out);
    DEFER(memory_freep) double *phi = numbers(out, &many);
    explains_as_the_library(t, p, phi, many, predicted, false);
}

static void
files_answer_and_explain_as_the_libraries(void **state)
{
    struct room *m = *state;
    for (size_t i = 0; i < ALL; i++) {
        DEFER(pinned_done) struct pinned p = {0};
        pinned_open(m, &all[i], &p);
        one_through_the_files(m, &all[i], &p);
    }
}

/* Registered beside its rows: the same answers by name, attributions of them, an assessment. */
static void
one_through_the_workspace(struct room *m, const struct trained *t, const struct pinned *p)
{
    size_t n = 0, many = 0;
    char out[512];
    (void)strcpy(out, in(m, "out.csv"));
    RUN(m, 0, "dataset", "add", "rows", p->data, "--label", "y");
    RUN(m, 0, "model", "add", "theirs", "--file", p->path, "--data", "rows");
    RUN(m, 0, "predict", "--model", "workspace:theirs", "--data", "workspace:rows", "--output",
        out);
    DEFER(memory_freep) double *predicted = numbers(out, &n);
    answers_as_the_library(t, p, predicted, n);
    RUN(m, 0, "explain", "--model", "workspace:theirs", "--data", "workspace:rows", "--background",
        "workspace:rows", "--output", out);
    DEFER(memory_freep) double *phi = numbers(out, &many);
    explains_as_the_library(t, p, phi, many, predicted, false);
    RUN(m, 0, "assess", "theirs", "--data", "rows", "--bootstrap", "0", "--slices", "0", "--output",
        out);
    DEFER(js_freep) json_t *d = testing_read_json(out);
    assert_string_equal(json_string_value(json_object_get(d, "task")), t->task);
}

static void
registered_they_answer_and_explain_the_same(void **state)
{
    struct room *m = *state;
    for (size_t i = 0; i < ALL; i++) {
        DEFER(pinned_done) struct pinned p = {0};
        pinned_open(m, &all[i], &p);
        one_through_the_workspace(m, &all[i], &p);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        BARE(files_answer_and_explain_as_the_libraries),
        WORKSPACE(registered_they_answer_and_explain_the_same),
    };
    return cmocka_run_group_tests_name("cli/libraries", tests, NULL, NULL);
}
