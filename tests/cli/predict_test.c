/* steward predict on plain files: what it writes is what the model's own library answers. */
#include "cli/run.h"

#include "base/text.h"

#include <math.h>

static void
write_hex(struct room *m, const char *name, const char *hex)
{
    DEFER(buf_done) struct buf bytes;
    buf_init(&bytes, 1u << 20);
    assert_ok(text_from_hex(view_str(hex), &bytes));
    testing_write(in(m, name), buf_view(&bytes));
}

static void
write_rows(struct room *m, const char *name, const json_t *rows)
{
    DEFER(buf_done) struct buf text;
    buf_init(&text, 1u << 20);
    const size_t width = json_array_size(json_array_get(rows, 0));
    for (size_t j = 0; j < width; j++) {
        buf_printf(&text, "%sx%zu", j == 0 ? "" : ",", j);
    }
    for (size_t i = 0; i < json_array_size(rows); i++) {
        buf_put_str(&text, "\n");
        for (size_t j = 0; j < width; j++) {
            const json_t *v = json_array_get(json_array_get(rows, i), j);
            buf_put_str(&text, j == 0 ? "" : ",");
            if (!json_is_null(v)) {
                text_put_f64(&text, json_number_value(v));
            }
        }
    }
    buf_put_str(&text, "\n");
    testing_write(in(m, name), buf_view(&text));
}

/* Of the text after *at: the number to the next ',' or line end, and on. */
static double
next_number(const char **at)
{
    const size_t n = strcspn(*at, ",\n");
    double v = 0;
    assert_ok(text_to_f64(view_of(*at, n), &v));
    *at += n + 1;
    return v;
}

/* The text holds margin and answer in turn, a pair for each output. */
static void
is_their_answer(const char *text, const json_t *model)
{
    const json_t *margins = json_object_get(model, "margin"),
                 *answers = json_object_get(model, "answer");
    const char *at = strchr(text, '\n') + 1;
    for (size_t i = 0; i < json_array_size(margins); i++) {
        const json_t *margin = json_array_get(margins, i), *answer = json_array_get(answers, i);
        for (size_t k = 0; k < json_array_size(margin); k++) {
            const double a = json_number_value(json_array_get(margin, k)),
                         b = json_number_value(json_array_get(answer, k));
            assert_near(next_number(&at), a, 1e-6 * fmax(1, fabs(a)));
            assert_near(next_number(&at), b, 1e-6 * fmax(1, fabs(b)));
        }
    }
    assert_string_equal(at, "");
}

static void
predict_pinned(struct room *m, const json_t *file, const char *name, const char *header)
{
    size_t i;
    json_t *model;
    bool found = false;
    json_array_foreach(json_object_get(file, "models"), i, model)
    {
        if (strcmp(json_string_value(json_object_get(model, "name")), name) != 0) {
            continue;
        }
        found = true;
        char model_path[512], out_path[512];
        write_hex(m, "model", json_string_value(json_object_get(model, "file")));
        (void)strcpy(model_path, in(m, "model"));
        (void)strcpy(out_path, in(m, "out.csv"));
        RUN(m, 0, "predict", "--model", model_path, "--data", in(m, "rows.csv"), "--output",
            out_path);
        assert_string_equal(buf_str(&m->r.out), "");
        ERR_HAS(m, "note: the model names no features: the columns are taken in order");
        DEFER(buf_done) struct buf text;
        testing_read(out_path, &text);
        assert_int_equal(strncmp(buf_str(&text), header, strlen(header)), 0);
        is_their_answer(buf_str(&text), model);
        RUN(m, 0, "predict", "--model", model_path, "--data", in(m, "rows.csv"), "--threads", "1");
        assert_string_equal(buf_str(&m->r.out), buf_str(&text));
    }
    assert_true(found);
}

static void
predictions_are_xgboosts(void **state)
{
    struct room *m = *state;
    DEFER(file_freep) char *path = testing_source("tests/model/data/xgboost-3.2.0.json");
    DEFER(js_freep) json_t *file = testing_read_json(path);
    write_rows(m, "rows.csv", json_object_get(file, "rows"));
    predict_pinned(m, file, "binary", "margin,prediction\n");
    predict_pinned(m, file, "categories", "margin,prediction\n");
    predict_pinned(m, file, "counts", "margin,prediction\n");
    predict_pinned(m, file, "three classes",
                   "0:margin,0:prediction,1:margin,1:prediction,2:margin,2:prediction\n");
}

/* Words of a CSV file are the categories that pandas had; one that the model never saw is missing.
 */
static void
the_words_of_pandas_are_matched(void **state)
{
    struct room *m = *state;
    DEFER(file_freep) char *path = testing_source("tests/model/data/lightgbm-4.7.0.json");
    DEFER(js_freep) json_t *file = testing_read_json(path);
    const json_t *pandas = json_object_get(file, "pandas"),
                 *answer = json_object_get(pandas, "answer");
    char model[512];
    testing_write(in(m, "model.txt"), view_str(json_string_value(json_object_get(pandas, "file"))));
    (void)strcpy(model, in(m, "model.txt"));
    testing_write(in(m, "rows.csv"), view_str(json_string_value(json_object_get(pandas, "csv"))));
    RUN(m, 0, "predict", "--model", model, "--data", in(m, "rows.csv"));
    ERR_HAS(
        m, "note: column \"the word\": the model does not know \"e\": 2 rows, the first is 2; read "
           "as missing");
    ERR_HAS(m,
            "note: column \"size\": the model does not know \"30\": 1 row, the first is 4; read as "
            "missing");
    const char *at = strchr(buf_str(&m->r.out), '\n') + 1;
    for (size_t i = 0; i < json_array_size(answer); i++) {
        (void)next_number(&at);
        assert_near(next_number(&at), json_number_value(json_array_get(answer, i)), 1e-8);
    }
    assert_string_equal(at, "");
}

static const json_t *
pinned_model(const json_t *file, const char *name)
{
    size_t i;
    json_t *model;
    json_array_foreach(json_object_get(file, "models"), i, model)
    {
        if (strcmp(json_string_value(json_object_get(model, "name")), name) == 0) {
            return model;
        }
    }
    fail_msg("no model %s", name);
    return NULL;
}

/* A class's columns have its label. */
static void
classes_of_an_onnx_model_are_named(void **state)
{
    struct room *m = *state;
    DEFER(file_freep) char *path = testing_source("tests/model/data/onnx-1.32.0.json");
    DEFER(js_freep) json_t *file = testing_read_json(path);
    const json_t *model = pinned_model(file, "RandomForestClassifier, words");
    char model_path[512];
    write_hex(m, "model.onnx", json_string_value(json_object_get(model, "file")));
    (void)strcpy(model_path, in(m, "model.onnx"));
    write_rows(m, "rows.csv", json_object_get(model, "rows"));
    RUN(m, 0, "predict", "--model", model_path, "--data", in(m, "rows.csv"));
    OUT_HAS(m, "high:margin,high:prediction,low:margin,low:prediction,middle:margin,");
    const json_t *answers = json_object_get(model, "answer");
    const char *at = strchr(buf_str(&m->r.out), '\n') + 1;
    for (size_t i = 0; i < 3 * json_array_size(answers); i++) {
        (void)next_number(&at);
        const json_t *row = json_array_get(answers, i / 3);
        assert_near(next_number(&at), json_number_value(json_array_get(row, i % 3)), 1e-6);
    }
    assert_string_equal(at, "");
}

/* A row that has no answer has no number, and is counted. */
static void
rows_without_an_answer_are_empty_and_counted(void **state)
{
    struct room *m = *state;
    char model[512];
    testing_write(in(m, "m.json"),
                  view_str("{\"format\":\"steward-linear\",\"version\":1,\"link\":\"identity\","
                           "\"features\":[\"a\",\"b\"],\"intercept\":[1],"
                           "\"coefficients\":[[1,2]]}"));
    (void)strcpy(model, in(m, "m.json"));
    testing_write(in(m, "rows.csv"), view_str("b,a\n1,2\n,3\n2,\n0,0.5\n"));
    RUN(m, 0, "predict", "--model", model, "--data", in(m, "rows.csv"));
    assert_string_equal(buf_str(&m->r.out), "margin,prediction\n5,5\n,\n,\n1.5,1.5\n");
    ERR_HAS(m, "note: no prediction for 2 rows: the model has no value for what is missing there");
}

static void
what_is_wrong_with_the_files_is_told(void **state)
{
    struct room *m = *state;
    char model[512], data[512];
    DEFER(file_freep) char *path = testing_source("tests/model/data/xgboost-3.2.0.json");
    DEFER(js_freep) json_t *file = testing_read_json(path);
    write_hex(m, "model",
              json_string_value(
                  json_object_get(json_array_get(json_object_get(file, "models"), 0), "file")));
    (void)strcpy(model, in(m, "model"));
    (void)strcpy(data, in(m, "rows.csv"));
    RUN(m, 2, "predict", "--data", data);
    ERR_HAS(m, "predict: --model FILE is needed");
    RUN(m, 2, "predict", "--model", model);
    ERR_HAS(m, "predict: --data FILE is needed");
    RUN(m, 4, "predict", "--model", model, "--data", data);
    ERR_HAS(m, "rows.csv: No such file");
    testing_write(data, view_str(""));
    RUN(m, 2, "predict", "--model", model, "--data", data);
    ERR_HAS(m, "rows.csv: empty");
    testing_write(data, view_str("a,b\n"));
    RUN(m, 2, "predict", "--model", model, "--data", data);
    ERR_HAS(m, "rows.csv: names but no rows");
    testing_write(data, view_str("a,b\n1,2\n"));
    RUN(m, 2, "predict", "--model", model, "--data", data, "--output", in(m, "out.csv"));
    ERR_HAS(m, "has 2 columns that can be features; the model reads 4");
    assert_false(file_exists(in(m, "out.csv")));
    RUN(m, 2, "predict", "--model", data, "--data", data);
    ERR_HAS(m, "rows.csv: model: ");
    testing_write(data, view_str("a,b,c,d\n1,2,3,4\n"));
    RUN(m, 1, "predict", "--model", model, "--data", data, "--output", "/dev/full");
    ERR_HAS(m, "/dev/full: No space left on device");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        BARE(what_is_wrong_with_the_files_is_told),
        BARE(predictions_are_xgboosts),
        BARE(the_words_of_pandas_are_matched),
        BARE(classes_of_an_onnx_model_are_named),
        BARE(rows_without_an_answer_are_empty_and_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
