/* Models of other libraries in the registry (data/added.json: LightGBM, XGBoost and scikit-learn on
 * the lending example): what is refused, and that what is loaded again answers as they did. */
#include "testing/testing.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/json.h"
#include "base/secret.h"
#include "base/text.h"
#include "serve/infer.h"
#include "workspace/assessments.h"
#include "workspace/models.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS 60u

struct room {
    char *dir;
    struct workspace *w;
    json_t *pinned;
};

static void
add_dataset(struct room *r, const char *name, const char *path, const char *label)
{
    const struct import_options o = {.label = label, .positive = label == NULL ? NULL : "yes"};
    struct dataset_info info;
    struct diag diag = {0};
    assert_ok(dataset_add(r->w, name, path, &o, &diag, &info));
}

static int
set_up(void **state)
{
    struct room *r = calloc(1, sizeof *r);
    DEFER(secret_done) struct secret passphrase = {0};
    DEFER(file_freep) char *csv = testing_source("examples/lending/hmda.csv");
    DEFER(file_freep) char *pinned = testing_source("tests/workspace/data/added.json");
    char path[512];
    r->dir = testing_dir();
    r->pinned = testing_read_json(pinned);
    (void)snprintf(path, sizeof path, "%s/home", r->dir);
    assert_ok(secret_from(view_str("a passphrase"), &passphrase));
    const struct workspace_init_options init = {.passphrase = &passphrase};
    const struct workspace_open_options open = {.passphrase = &passphrase};
    assert_ok(workspace_init(path, &init, NULL));
    assert_ok(workspace_open(path, &open, NULL, &r->w));
    add_dataset(r, "lending", csv, "deny");
    (void)snprintf(path, sizeof path, "%s/other.csv", r->dir);
    testing_write(path, view_str("pirat,lvrat,chist,phist,insurance\n1,2,a,no,1\n2,3,b,yes,2\n"));
    add_dataset(r, "other", path, NULL);
    *state = r;
    return 0;
}

static int
tear_down(void **state)
{
    struct room *r = *state;
    workspace_close(r->w);
    js_freep(&r->pinned);
    testing_dirp(&r->dir);
    free(r);
    return 0;
}

static const json_t *
model_of(const struct room *r, const char *name)
{
    size_t i;
    json_t *m, *found = NULL;
    json_array_foreach(json_object_get(r->pinned, "models"), i, m)
    {
        found = strcmp(json_string_value(json_object_get(m, "name")), name) == 0 ? m : found;
    }
    assert_non_null(found);
    return found;
}

static struct view
file_of(const struct room *r, const char *name)
{
    return view_str(json_string_value(json_object_get(model_of(r, name), "file")));
}

static struct status
add(struct room *r, const char *name, const struct model_add_options *o, struct diag *diag,
    struct model **ret_model)
{
    *diag = (struct diag){0};
    return model_add(r->w, name, o, diag, ret_model);
}

/* ---- what is refused ---- */

static void
refuses_what_is_no_model(void **state)
{
    struct room *r = *state;
    struct model *m = NULL;
    struct diag diag;
    struct model_add_options o = {.file_name = "m", .threshold = 0.5, .label = "deny"};
    o.file = view_str("tree\nversion=v4\nTree=0\n");
    assert_status(add(r, "credit", &o, &diag, &m), INPUT);
    o.file = view_str("{\"learner\":{}}");
    assert_status(add(r, "credit", &o, &diag, &m), INPUT);
    o.file = view_str("");
    assert_int_not_equal(add(r, "credit", &o, &diag, &m).code, STATUS_OK);
    o.file = file_of(r, "linear");
    assert_status(add(r, "no such/name", &o, &diag, &m), INPUT);
    assert_null(m);
}

static void
refuses_columns_that_do_not_fit(void **state)
{
    struct room *r = *state;
    struct model *m = NULL;
    struct diag diag;
    struct model_add_options o = {.file = file_of(r, "lightgbm"),
                                  .file_name = "m",
                                  .threshold = 0.5,
                                  .label = "deny",
                                  .dataset = "other"};
    assert_status(add(r, "credit", &o, &diag, &m), INPUT);
    assert_says(&diag, "column \"chist\" is category; the model reads numbers there");
    o.file = file_of(r, "linear");
    assert_status(add(r, "credit", &o, &diag, &m), INPUT);
    assert_says(&diag, "chist");
    o.dataset = "nothing";
    assert_status(add(r, "credit", &o, &diag, &m), NOT_FOUND);
    o.dataset = "lending";
    o.file = view_str("{\"format\":\"steward-linear\",\"version\":1,\"link\":\"logistic\","
                      "\"features\":[\"pirat\",\"lvrad\"],\"intercept\":[0],\"coefficients\":[[1,"
                      "2]]}");
    assert_status(add(r, "credit", &o, &diag, &m), INPUT);
    assert_says(&diag, "no column \"lvrad\"; did you mean \"lvrat\"?");
    o.dataset = NULL;
    o.label = NULL;
    assert_status(add(r, "credit", &o, &diag, &m), INPUT);
    assert_says(&diag, "say what the model predicts: --label COLUMN");
    o.label = "deny";
    o.positive = o.negative = "yes";
    assert_status(add(r, "credit", &o, &diag, &m), INPUT);
    assert_says(&diag, "both \"yes\"");
    assert_null(m);
}

/* An array's model names nothing: only a dataset tells what it reads. */
static void
unnamed_features_need_a_dataset(void **state)
{
    struct room *r = *state;
    DEFER(file_freep) char *path = testing_source("tests/model/data/xgboost-3.2.0.json");
    DEFER(js_freep) json_t *arrays = testing_read_json(path);
    DEFER(buf_done) struct buf bytes;
    struct model *m = NULL;
    struct diag diag;
    buf_init(&bytes, 1u << 20);
    assert_ok(text_from_hex(view_str(json_string_value(json_object_get(
                                json_array_get(json_object_get(arrays, "models"), 0), "file"))),
                            &bytes));
    struct model_add_options o = {
        .file = buf_view(&bytes), .file_name = "m", .threshold = 0.5, .label = "deny"};
    assert_status(add(r, "credit", &o, &diag, &m), INPUT);
    assert_says(&diag, "names no features: --data DATASET");
    o.dataset = "lending";
    assert_status(add(r, "credit", &o, &diag, &m), INPUT);
    assert_says(&diag, "feature columns; the model file reads");
    assert_null(m);
}

/* ---- what it answers ---- */

static void
answers_as_the_library_did(struct room *r, const char *name, const struct model *m)
{
    struct dataset_info info;
    DEFER(table_freep) struct table *whole = NULL;
    DEFER(table_freep) struct table *t = NULL;
    DEFER(arena_freep) struct arena *arena = arena_new(1u << 26);
    DEFER(buf_done) struct buf body;
    struct infer_request q = {0};
    struct diag diag = {0};
    uint64_t rows[ROWS];
    double out[ROWS];
    DEFER(memory_freep) float *x = calloc((size_t)ROWS * m->features.count, sizeof *x);
    assert_ok(dataset_load(r->w, "lending", 0, &diag, &whole, &info));
    for (size_t i = 0; i < ROWS; i++) {
        rows[i] = i;
    }
    assert_ok(table_select(whole, rows, ROWS, &t));
    assert_ok(matrix_from_table(t, &m->features, NULL, &diag, x));
    buf_init(&body, 1u << 20);
    assert_ok(infer_put_request(m, t, &diag, &body));
    const char *rule = NULL;
    assert_ok(infer_parse(buf_view(&body), m, ROWS, arena, &diag, &rule, &q));
    assert_memory_equal(q.x, x, (size_t)ROWS * m->features.count * sizeof *x);
    model_predict(m, x, ROWS, 1, out);
    const json_t *theirs = json_object_get(model_of(r, name), "probability");
    for (size_t i = 0; i < ROWS; i++) {
        assert_near(out[i], json_number_value(json_array_get(theirs, i)), 2e-7);
    }
}

static void
added_models_answer_as_their_library_did(void **state)
{
    struct room *r = *state;
    static const char *const names[] = {"lightgbm", "xgboost", "linear"};
    for (size_t i = 0; i < 3; i++) {
        for (int checked = 0; checked < 2; checked++) {
            const struct model_add_options o = {.file = file_of(r, names[i]),
                                                .file_name = "model.bin",
                                                .threshold = 0.4,
                                                .label = checked ? NULL : "deny",
                                                .positive = checked ? NULL : "yes",
                                                .dataset = checked ? "lending" : NULL};
            DEFER(model_freep) struct model *m = NULL;
            DEFER(model_freep) struct model *again = NULL;
            struct diag diag;
            assert_ok(add(r, names[i], &o, &diag, &m));
            assert_ok(model_load(r->w, names[i], 0, &diag, &again));
            assert_int_equal(again->version, 1 + checked);
            assert_string_equal(again->file->format, names[i]);
            assert_string_equal(again->label, "deny");
            assert_string_equal(again->positive, "yes");
            assert_true(again->threshold == 0.4 && model_is_added(again));
            answers_as_the_library_did(r, names[i], again);
        }
    }
}

/* What is not known of it is told where it would be needed. */
static void
training_rows_are_not_known(void **state)
{
    struct room *r = *state;
    const struct model_add_options o = {
        .file = file_of(r, "linear"), .file_name = "m", .threshold = 0.5, .dataset = "lending"};
    DEFER(model_freep) struct model *m = NULL;
    struct model_train_options how;
    struct model *made = NULL;
    struct assess_options a;
    struct diag diag;
    json_t *document = NULL;
    assert_ok(add(r, "credit", &o, &diag, &m));
    assert_string_equal(m->negative, "no"); /* the file's own classes */
    assert_status(model_training(m, &diag, &how), INPUT);
    assert_says(&diag, "credit version 1 was added from a file");
    const struct thresholds_wish wish = {.column = "afam"};
    diag = (struct diag){0};
    assert_status(model_set_thresholds(r->w, m, &wish, 1, &diag, &made), INPUT);
    assert_says(&diag, "not known here");
    assess_defaults(&a);
    a.model = "credit";
    a.dataset = "lending";
    a.part = PART_TEST;
    diag = (struct diag){0};
    assert_status(assessment_make(r->w, &a, &diag, &document), INPUT);
    assert_says(&diag, "added from a file");
    assert_null(document);
}

static void
added_models_are_assessed(void **state)
{
    struct room *r = *state;
    static const char *const names[] = {"lightgbm", "linear"}, *const methods[] = {
                                                                   "exact path-dependent TreeSHAP",
                                                                   "exact SHAP of a linear model"};
    for (size_t i = 0; i < 2; i++) {
        const struct model_add_options o = {
            .file = file_of(r, names[i]), .file_name = "m", .threshold = 0.5, .dataset = "lending"};
        DEFER(model_freep) struct model *m = NULL;
        DEFER(js_freep) json_t *d = NULL;
        struct assess_options a;
        struct diag diag;
        assert_ok(add(r, names[i], &o, &diag, &m));
        assess_defaults(&a);
        a.model = names[i];
        a.dataset = "lending";
        a.settings.replicates = 20;
        a.settings.slices = 0;
        a.threads = 1;
        assert_ok(assessment_make(r->w, &a, &diag, &d));
        const json_t *e = json_object_get(d, "explanation"),
                     *output = json_array_get(json_object_get(e, "outputs"), 0),
                     *local = json_array_get(
                         json_object_get(json_array_get(json_object_get(e, "local"), 0), "outputs"),
                         0),
                     *phi = json_object_get(local, "phi");
        assert_string_equal(json_string_value(json_object_get(e, "method")), methods[i]);
        double sum = json_number_value(json_object_get(output, "base"));
        for (size_t f = 0; f < json_array_size(phi); f++) {
            sum += json_number_value(json_array_get(phi, f));
        }
        assert_near(sum, json_number_value(json_object_get(local, "margin")), 1e-9);
    }
}

/* Values of the file's categories are shown by their names, whose order is the model's. */
static void
categories_keep_their_names(void **state)
{
    struct room *r = *state;
    const struct model_add_options o = {
        .file = file_of(r, "lightgbm"), .file_name = "m", .threshold = 0.5, .dataset = "lending"};
    DEFER(model_freep) struct model *m = NULL;
    struct diag diag;
    assert_ok(add(r, "credit", &o, &diag, &m));
    const struct feature *phist = &m->features.items[3], *insurance = &m->features.items[4];
    assert_string_equal(phist->name, "phist");
    assert_int_equal(feature_level(phist, "yes"), 0);
    assert_int_equal(feature_level(phist, "no"), 1);
    assert_int_equal(feature_level(insurance, "yes"), 1);
    assert_int_equal(feature_level(insurance, "maybe"), -1);
}

/* ---- several classes ---- */

#define SOFTMAX(CLASSES)                                                                           \
    "{\"format\":\"steward-linear\",\"version\":1,\"link\":\"softmax\",\"features\":[\"a\"]"       \
    "," CLASSES "\"intercept\":[0,0,0],\"coefficients\":[[1],[2],[-3]]}"

static void
add_kinds(struct room *r)
{
    const struct import_options o = {.label = "kind"};
    struct dataset_info info;
    struct diag diag = {0};
    char path[512];
    (void)snprintf(path, sizeof path, "%s/kinds.csv", r->dir);
    testing_write(path, view_str("a,kind\n1,mid\n2,cheap\n3,dear\n4,mid\n"));
    assert_ok(dataset_add(r->w, "kinds", path, &o, &diag, &info));
}

static void
assert_classes(struct room *r, const struct model_add_options *o, const char *a, const char *b,
               const char *c)
{
    DEFER(model_freep) struct model *m = NULL;
    DEFER(model_freep) struct model *again = NULL;
    struct diag diag;
    assert_ok(add(r, "kinds", o, &diag, &m));
    assert_ok(model_load(r->w, "kinds", m->version, &diag, &again));
    assert_string_equal(again->file->output_names[0], a);
    assert_string_equal(again->file->output_names[1], b);
    assert_string_equal(again->file->output_names[2], c);
    assert_null(again->positive);
}

static void
classes_have_the_names_that_are_told_the_files_or_the_labels(void **state)
{
    struct room *r = *state;
    static const char *const told[] = {"x", "y", "z"};
    struct model_add_options o = {.file_name = "m", .threshold = 0.5};
    struct model *m = NULL;
    struct diag diag;
    add_kinds(r);
    o.file = view_str(SOFTMAX(""));
    o.classes = told;
    o.class_count = 2;
    assert_status(add(r, "kinds", &o, &diag, &m), INPUT);
    assert_says(&diag, "2 classes are named; the model has 3 outputs");
    o.class_count = 0;
    assert_classes(r, &o, "0", "1", "2");
    o.dataset = "kinds";
    assert_classes(r, &o, "cheap", "dear", "mid");
    o.class_count = 3;
    assert_classes(r, &o, "x", "y", "z");
    o.class_count = 0;
    o.file = view_str(SOFTMAX("\"classes\":[\"p\",\"q\",\"s\"],"));
    assert_classes(r, &o, "p", "q", "s");
}

/* As many as its label has: an assessment reads both by these names. */
static void
an_added_models_classes_are_assessed(void **state)
{
    struct room *r = *state;
    struct model_add_options o = {.file_name = "m", .threshold = 0.5, .dataset = "kinds"};
    DEFER(model_freep) struct model *m = NULL;
    DEFER(js_freep) json_t *document = NULL;
    struct assess_options a;
    struct diag diag;
    add_kinds(r);
    o.file = view_str(SOFTMAX(""));
    assert_ok(add(r, "kinds", &o, &diag, &m));
    assess_defaults(&a);
    a.model = a.dataset = "kinds";
    assert_ok(assessment_make(r->w, &a, &diag, &document));
    const json_t *label = json_object_get(document, "label");
    assert_int_equal(json_array_size(json_object_get(label, "classes")), 3);
    assert_int_equal(json_integer_value(json_object_get(document, "rows")), 4);
}

/* Those that the model was given are none of the label's: nothing could be right. */
static void
classes_that_the_label_has_none_of_are_refused(void **state)
{
    struct room *r = *state;
    static const char *const told[] = {"x", "y", "z"};
    struct model_add_options o = {
        .file_name = "m", .threshold = 0.5, .dataset = "kinds", .classes = told, .class_count = 3};
    DEFER(model_freep) struct model *m = NULL;
    DEFER(js_freep) json_t *document = NULL;
    struct assess_options a;
    struct diag diag;
    add_kinds(r);
    o.file = view_str(SOFTMAX(""));
    assert_ok(add(r, "kinds", &o, &diag, &m));
    assess_defaults(&a);
    a.model = a.dataset = "kinds";
    assert_status(assessment_make(r->w, &a, &diag, &document), INPUT);
    assert_says(&diag, "has none of the classes of model kinds");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(refuses_what_is_no_model, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_columns_that_do_not_fit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(unnamed_features_need_a_dataset, set_up, tear_down),
        cmocka_unit_test_setup_teardown(added_models_answer_as_their_library_did, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(training_rows_are_not_known, set_up, tear_down),
        cmocka_unit_test_setup_teardown(added_models_are_assessed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(categories_keep_their_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            classes_have_the_names_that_are_told_the_files_or_the_labels, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_added_models_classes_are_assessed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(classes_that_the_label_has_none_of_are_refused, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
