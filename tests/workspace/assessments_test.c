#include "testing/testing.h"

#include "base/secret.h"
#include "workspace/assessments.h"

#include <stdlib.h>
#include <string.h>

#define ROWS 200

struct room {
    char *dir;
    struct workspace *w;
};

/* The positive answer follows x; two sensitive columns have no value at all, one has two groups. */
static void
put_rows(struct buf *csv)
{
    buf_init(csv, 1u << 20);
    buf_put_str(csv, "x,z,group,age,income,answer\n");
    for (int i = 0; i < ROWS; i++) {
        buf_printf(csv, "%d.5,%d,%s,,,%s\n", i, i * 7 % 13, i % 2 == 0 ? "a" : "b",
                   (i >= ROWS / 2) != (i % 13 == 0 && i > 120) ? "yes" : "no");
    }
}

static void
add_and_train(struct workspace *w, const char *csv)
{
    static const char *const sensitive[] = {"group", "age", "income"};
    const struct import_options data = {
        .label = "answer", .positive = "yes", .sensitive = sensitive, .sensitive_count = 3};
    struct model_train_options o = {.dataset = "people", .split = 0.7, .seed = 7};
    struct dataset_info info;
    DEFER(model_freep) struct model *m = NULL;
    train_defaults(&o.train);
    o.train.rounds = 5;
    assert_ok(dataset_add(w, "people", csv, &data, NULL, &info));
    assert_ok(model_train(w, "answers", &o, NULL, &m));
}

static int
set_up(void **state)
{
    struct room *r = calloc(1, sizeof *r);
    DEFER(secret_done) struct secret passphrase = {0};
    DEFER(buf_done) struct buf csv;
    r->dir = testing_dir();
    char home[512], path[512];
    (void)snprintf(home, sizeof home, "%s/home", r->dir);
    (void)snprintf(path, sizeof path, "%s/people.csv", r->dir);
    put_rows(&csv);
    testing_write(path, buf_view(&csv));
    assert_ok(secret_from(view_str("a passphrase"), &passphrase));
    const struct workspace_init_options init = {.passphrase = &passphrase};
    const struct workspace_open_options open = {.passphrase = &passphrase};
    assert_ok(workspace_init(home, &init, NULL));
    assert_ok(workspace_open(home, &open, NULL, &r->w));
    add_and_train(r->w, path);
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

static struct assess_options
options(enum model_part part)
{
    struct assess_options o;
    assess_defaults(&o);
    o.model = "answers";
    o.dataset = "people";
    o.part = part;
    o.settings.replicates = 50;
    return o;
}

static void
refuses_an_assessment_that_is_not_there(void **state)
{
    const struct room *r = *state;
    struct diag diag = {0};
    json_t *document = NULL;
    assert_status(assessment_load(r->w, "answers", 99, &diag, &document), NOT_FOUND);
    assert_says(&diag, "answers");
    assert_null(document);
}

static void
refuses_a_cohort_without_rows(void **state)
{
    const struct room *r = *state;
    struct diag diag = {0};
    json_t *document = NULL;
    struct assess_options o = options(PART_ALL);
    o.cohort = "x < 0";
    assert_status(assessment_make(r->w, &o, &diag, &document), INPUT);
    assert_says(&diag, "no row to assess");
    assert_null(document);
}

static void
keeps_what_it_says_sealed_and_reads_it_back(void **state)
{
    const struct room *r = *state;
    const struct assess_options o = options(PART_TEST);
    DEFER(js_freep) json_t *made = NULL;
    DEFER(js_freep) json_t *newest = NULL;
    DEFER(js_freep) json_t *first = NULL;
    DEFER(js_freep) json_t *other = NULL;
    assert_ok(assessment_make(r->w, &o, NULL, &made));
    assert_ok(assessment_load(r->w, "answers", 0, NULL, &newest));
    assert_true(json_equal(made, newest));
    const struct assess_options all = options(PART_ALL);
    assert_ok(assessment_make(r->w, &all, NULL, &other));
    assert_false(json_equal(made, other));
    assert_ok(assessment_load(r->w, "answers", 1, NULL, &first));
    assert_true(json_equal(made, first));
}

static void
sensitive_columns_without_a_value_have_no_groups(void **state)
{
    const struct room *r = *state;
    const struct assess_options o = options(PART_ALL);
    DEFER(js_freep) json_t *document = NULL;
    assert_ok(assessment_make(r->w, &o, NULL, &document));
    const json_t *list = json_object_get(json_object_get(document, "fairness"), "groupings");
    assert_int_equal(json_array_size(list), 1);
    const json_t *group = json_array_get(list, 0);
    assert_int_equal(json_array_size(json_object_get(group, "groups")), 2);
    assert_int_equal(json_integer_value(json_object_get(group, "rows_without_group")), 0);
    size_t i = 0, said = 0;
    json_t *remark = NULL;
    json_array_foreach(json_object_get(document, "remarks"), i, remark)
    {
        said += strstr(json_string_value(remark), "has no value in any row: it makes no groups") !=
                NULL;
    }
    assert_int_equal(said, 2); /* age, income */
    assert_int_equal(json_array_size(json_object_get(document, "without_groups")), 2);
    assert_true(json_is_object(json_object_get(document, "bias")));
}

/* ---- cohorts by name ---- */

static const json_t *
first_slice(const json_t *document)
{
    const json_t *slices = json_object_get(json_object_get(document, "errors"), "slices");
    return json_array_get(json_object_get(slices, "found"), 0);
}

static void
refuses_a_slice_that_no_assessment_has(void **state)
{
    const struct room *r = *state;
    struct diag diag = {0};
    json_t *document = NULL;
    struct assess_options o = options(PART_ALL);
    o.cohort = "slice-999";
    assert_status(assessment_make(r->w, &o, &diag, &document), INPUT);
    assert_says(&diag, "the assessment of answers has no \"slice-999\"");
    o.cohort = "slice-1@99";
    assert_status(assessment_make(r->w, &o, &diag, &document), NOT_FOUND);
    o.cohort = "slice-1@";
    assert_status(assessment_make(r->w, &o, &diag, &document), INPUT); /* a predicate, then */
    assert_null(document);
}

static void
a_slice_by_its_name_is_its_rows(void **state)
{
    const struct room *r = *state;
    struct assess_options o = options(PART_ALL);
    DEFER(js_freep) json_t *whole = NULL;
    DEFER(js_freep) json_t *slice = NULL;
    assert_ok(assessment_make(r->w, &o, NULL, &whole));
    const json_t *found = first_slice(whole);
    assert_non_null(found);
    o.cohort = json_string_value(json_object_get(found, "name"));
    assert_string_equal(o.cohort, "slice-1");
    assert_ok(assessment_make(r->w, &o, NULL, &slice));
    assert_int_equal(json_integer_value(json_object_get(slice, "rows")),
                     json_integer_value(json_object_get(found, "rows")));
    assert_text_has(json_string_value(json_object_get(slice, "selection")),
                    json_string_value(json_object_get(found, "cohort")));
    assert_text_has(json_string_value(json_object_get(slice, "selection")), "(slice-1)");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_an_assessment_that_is_not_there),
        cmocka_unit_test(refuses_a_cohort_without_rows),
        cmocka_unit_test(keeps_what_it_says_sealed_and_reads_it_back),
        cmocka_unit_test(sensitive_columns_without_a_value_have_no_groups),
        cmocka_unit_test(refuses_a_slice_that_no_assessment_has),
        cmocka_unit_test(a_slice_by_its_name_is_its_rows),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
