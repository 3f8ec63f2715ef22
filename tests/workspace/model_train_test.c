/* Training of classes and numbers: what is refused, what is kept, and that the kept metrics are
 * those of the rows. */
#include "testing/houses.h"
#include "testing/testing.h"

#include "base/file.h"
#include "base/json.h"
#include "base/secret.h"
#include "data/label.h"
#include "workspace/mitigation.h"
#include "workspace/models.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS 1200u

struct room {
    char *dir;
    struct workspace *w;
};

static void
add_dataset(struct room *r, const char *label)
{
    const char *sensitive[] = {"owner"};
    const struct import_override other = {.column = strcmp(label, "price") == 0 ? "kind" : "price",
                                          .has_role = true,
                                          .role = ROLE_IGNORED};
    const struct import_options o = {.label = label,
                                     .sensitive = sensitive,
                                     .sensitive_count = 1,
                                     .overrides = &other,
                                     .override_count = 1};
    struct dataset_info info;
    struct diag diag = {0};
    char path[512];
    (void)snprintf(path, sizeof path, "%s/houses.csv", r->dir);
    assert_ok(dataset_add(r->w, label, path, &o, &diag, &info));
}

static int
set_up(void **state)
{
    struct room *r = calloc(1, sizeof *r);
    DEFER(secret_done) struct secret passphrase = {0};
    DEFER(buf_done) struct buf csv;
    char path[512];
    buf_init(&csv, 1u << 20);
    r->dir = testing_dir();
    assert_ok(secret_from(view_str("a passphrase"), &passphrase));
    const struct workspace_init_options init = {.passphrase = &passphrase};
    const struct workspace_open_options open = {.passphrase = &passphrase};
    (void)snprintf(path, sizeof path, "%s/home", r->dir);
    assert_ok(workspace_init(path, &init, NULL));
    assert_ok(workspace_open(path, &open, NULL, &r->w));
    houses_put(ROWS, &csv);
    (void)snprintf(path, sizeof path, "%s/houses.csv", r->dir);
    testing_write(path, buf_view(&csv));
    add_dataset(r, "price");
    add_dataset(r, "kind");
    *state = r;
    return 0;
}

static int
tear_down(void **state)
{
    struct room *r = *state;
    workspace_close(r->w);
    testing_dirp(&r->dir);
    free(r);
    return 0;
}

static struct status
train(struct room *r, const char *label, const char *objective, struct diag *diag,
      struct model **ret_model)
{
    struct model_train_options o = {.dataset = label, .split = 0.7, .seed = 3};
    train_defaults(&o.train);
    o.train.objective = objective;
    o.train.rounds = 20;
    *diag = (struct diag){0};
    return model_train(r->w, label, &o, diag, ret_model);
}

/* ---- what is refused ---- */

static void
refuses_objectives_that_do_not_fit_the_label(void **state)
{
    struct room *r = *state;
    struct model *m = NULL;
    struct diag diag;
    assert_status(train(r, "kind", "reg:squarederror", &diag, &m), INPUT);
    assert_says(&diag, "label \"kind\" is a category column; the model answers with a number");
    assert_status(train(r, "price", "multi:softprob", &diag, &m), INPUT);
    assert_says(&diag, "label \"price\" has too many values");
    assert_status(train(r, "price", "binary:logistic", &diag, &m), INPUT);
    assert_says(&diag, "which value is the positive one is not known");
    assert_status(train(r, "price", "survival:cox", &diag, &m), UNSUPPORTED);
    assert_null(m);
}

static void
refuses_to_reweigh_numbers(void **state)
{
    struct room *r = *state;
    struct model *m = NULL;
    struct diag diag = {0};
    const char *sensitive[] = {"owner"};
    const struct mitigation mitigation = {.sensitive = sensitive, .sensitive_count = 1};
    struct model_train_options o = {.dataset = "price", .split = 0.7, .mitigation = &mitigation};
    train_defaults(&o.train);
    o.train.objective = NULL;
    assert_status(model_train(r->w, "price", &o, &diag, &m), UNSUPPORTED);
    assert_says(&diag, "which numbers do not have; a model of numbers is mitigated by "
                       "exponentiated-gradient");
}

/* ---- what is kept ---- */

static const json_t *
manifest_of(struct room *r, const struct model *m, json_t **ret_record)
{
    struct diag diag = {0};
    assert_ok(model_describe(r->w, m->name, m->version, &diag, ret_record));
    return json_object_get(*ret_record, "manifest");
}

/* The rows of a part, as the model answers them. */
static size_t
answers_of(struct room *r, const struct model *m, enum model_part part, double *answer,
           struct table **ret_table)
{
    struct diag diag = {0};
    DEFER(memory_freep) float *x = calloc((size_t)ROWS * m->features.count, sizeof *x);
    assert_ok(model_export(r->w, m, m->label, 0, part, &diag, ret_table));
    assert_ok(matrix_from_table(*ret_table, &m->features, NULL, &diag, x));
    model_predict(m, x, (*ret_table)->rows, 1, answer);
    return (size_t)(*ret_table)->rows;
}

static void
assert_regression_metrics(struct room *r, const struct model *m, enum model_part part,
                          const json_t *metrics)
{
    static double answer[ROWS], y[ROWS];
    DEFER(table_freep) struct table *t = NULL;
    struct diag diag = {0};
    const size_t rows = answers_of(r, m, part, answer, &t);
    double squares = 0, absolute = 0, n = 0;
    assert_ok(label_as_numbers(t, table_label(t), &diag, y));
    for (size_t i = 0; i < rows; i++) {
        if (!isnan(y[i])) {
            squares += (y[i] - answer[i]) * (y[i] - answer[i]);
            absolute += fabs(y[i] - answer[i]);
            n++;
        }
    }
    const json_t *o = json_object_get(metrics, model_part_word(part));
    assert_near(json_number_value(json_object_get(o, "rows")), n, 0);
    assert_near(json_number_value(json_object_get(o, "mse")), squares / n, 1e-9 * squares);
    assert_near(json_number_value(json_object_get(o, "mae")), absolute / n, 1e-9 * absolute);
}

static void
a_number_is_regressed_on_and_its_metrics_are_kept(void **state)
{
    struct room *r = *state;
    DEFER(model_freep) struct model *m = NULL;
    DEFER(js_freep) json_t *record = NULL;
    struct diag diag;
    assert_ok(train(r, "price", NULL, &diag, &m));
    assert_string_equal(m->file->objective, "reg:squarederror");
    assert_null(m->positive);
    const json_t *manifest = manifest_of(r, m, &record);
    assert_null(json_object_get(manifest, "threshold"));
    assert_text_has(m->params_json, "\"base_score\":\"");
    assert_regression_metrics(r, m, PART_TRAIN, json_object_get(manifest, "metrics"));
    assert_regression_metrics(r, m, PART_TEST, json_object_get(manifest, "metrics"));
}

static void
several_classes_are_told_apart_by_their_names(void **state)
{
    struct room *r = *state;
    static double answer[3 * ROWS];
    static uint32_t class[ROWS];
    DEFER(model_freep) struct model *m = NULL;
    DEFER(js_freep) json_t *record = NULL;
    DEFER(table_freep) struct table *t = NULL;
    struct diag diag;
    assert_ok(train(r, "kind", NULL, &diag, &m));
    assert_int_equal(m->file->outputs, 3);
    assert_string_equal(m->file->output_names[0], "cheap");
    assert_string_equal(m->file->output_names[1], "dear");
    assert_string_equal(m->file->output_names[2], "mid");
    const size_t rows = answers_of(r, m, PART_TEST, answer, &t);
    double right = 0, n = 0;
    assert_ok(label_as_classes(t, table_label(t), m->file->output_names, 3, &diag, class));
    for (size_t i = 0; i < rows; i++) {
        const double *p = answer + 3 * i;
        const uint32_t best = p[1] > p[0] ? (p[2] > p[1] ? 2 : 1) : p[2] > p[0] ? 2 : 0;
        n += class[i] != LABEL_MISSING;
        right += class[i] == best;
    }
    const json_t *kept = json_object_get(
        json_object_get(json_object_get(manifest_of(r, m, &record), "metrics"), "test"),
        "accuracy");
    assert_near(json_number_value(kept), right / n, 1e-12);
    assert_true(right / n > 0.7);
}

static void
the_options_that_are_kept_make_the_same_model(void **state)
{
    struct room *r = *state;
    DEFER(model_freep) struct model *first = NULL;
    DEFER(model_freep) struct model *again = NULL;
    DEFER(js_freep) json_t *a = NULL;
    DEFER(js_freep) json_t *b = NULL;
    struct diag diag;
    struct model_train_options o;
    assert_ok(train(r, "kind", NULL, &diag, &first));
    assert_ok(model_training(first, &diag, &o));
    assert_string_equal(o.train.objective, "multi:softprob");
    assert_ok(model_train(r->w, "kind", &o, &diag, &again));
    assert_string_equal(
        json_string_value(json_object_get(manifest_of(r, first, &a), "model_sha256")),
        json_string_value(json_object_get(manifest_of(r, again, &b), "model_sha256")));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_objectives_that_do_not_fit_the_label),
        cmocka_unit_test(refuses_to_reweigh_numbers),
        cmocka_unit_test(a_number_is_regressed_on_and_its_metrics_are_kept),
        cmocka_unit_test(several_classes_are_told_apart_by_their_names),
        cmocka_unit_test(the_options_that_are_kept_make_the_same_model),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
