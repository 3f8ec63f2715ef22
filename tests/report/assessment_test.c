#include "testing/testing.h"

#include "base/file.h"
#include "data/cohort.h"
#include "data/import.h"
#include "report/sample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ROWS 1500u

static const json_t *
at(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    assert_non_null(v);
    return v;
}

static double
number(const json_t *o, const char *key)
{
    assert_true(json_is_number(json_object_get(o, key)));
    return json_number_value(json_object_get(o, key));
}

/* ---- misuse and limits ---- */

static void
refuses_a_model_that_is_no_binary_classifier(void **state)
{
    (void)state;
    DEFER(sample_done) struct sample s;
    struct diag diag = {0};
    json_t *document = NULL;
    sample_make(&sample_plain, 200, &s);
    struct forest other = *s.forest;
    other.link = FOREST_IDENTITY;
    other.objective = "reg:squarederror";
    s.in.forest = &other;
    assert_status(assessment_run(&s.in, &diag, &document), UNSUPPORTED);
    assert_says(&diag, "model mortgage: objective reg:squarederror; an assessment needs a binary "
                       "classifier");
    assert_null(document);
}

static void
refuses_a_sensitive_column_of_too_many_levels(void **state)
{
    (void)state;
    DEFER(sample_done) struct sample s;
    struct diag diag = {0};
    json_t *document = NULL;
    sample_make(&sample_plain, 200, &s);
    s.factors[0].level_count = 4097;
    assert_status(assessment_run(&s.in, &diag, &document), LIMIT);
    assert_says(&diag, "sensitive column \"origin\" has 4097 levels; groups of at most 4096");
}

static void
no_sensitive_column_is_said_to_be_so(void **state)
{
    (void)state;
    DEFER(sample_done) struct sample s;
    sample_make(&sample_plain, 200, &s);
    s.in.factor_count = 0;
    DEFER(js_freep) json_t *d = sample_assess(&s);
    assert_int_equal(json_array_size(at(d, "fairness")), 0);
    const char *text = json_string_value(at(json_array_get(at(d, "findings"), 1), "text"));
    assert_text_has(text, "No column of the dataset is marked as sensitive");
}

static void
pairs_of_sensitive_columns_over_six_are_counted(void **state)
{
    (void)state;
    DEFER(sample_done) struct sample s;
    sample_make(&sample_plain, 200, &s);
    s.in.factor_count = 5;
    DEFER(js_freep) json_t *d = sample_assess(&s);
    assert_int_equal(json_array_size(at(d, "fairness")), 5 + 6);
    assert_int_equal(json_integer_value(at(d, "intersections_left_out")), 10 - 6);
}

static void
one_class_one_row_and_one_decision_are_assessed(void **state)
{
    (void)state;
    DEFER(sample_done) struct sample s;
    sample_make(&sample_plain, 200, &s);
    s.in.rows = 1;
    DEFER(js_freep) json_t *one = sample_assess(&s);
    assert_true(json_is_null(at(at(one, "performance"), "roc_auc")));
    assert_int_equal(json_array_size(at(at(one, "performance"), "roc")), 0);
    s.in.rows = 200;
    s.in.threshold = 1;
    DEFER(js_freep) json_t *none = sample_assess(&s);
    const json_t *example = at(at(none, "explanation"), "example");
    assert_true(json_is_false(at(example, "decided")));
    for (size_t i = 0; i < 200; i++) {
        assert_true(s.score[i] <= number(example, "score"));
    }
}

/* ---- the document and its page ---- */

#define PATHS_MAX 512u
#define PATH_MAX_BYTES 160u

struct paths {
    char path[PATHS_MAX][PATH_MAX_BYTES];
    unsigned types[PATHS_MAX]; /* bits of json_type */
    size_t count;
};

static unsigned *
types_of(struct paths *p, const char *path)
{
    for (size_t i = 0; i < p->count; i++) {
        if (strcmp(p->path[i], path) == 0) {
            return &p->types[i];
        }
    }
    assert_true(p->count < PATHS_MAX && strlen(path) < PATH_MAX_BYTES);
    (void)strcpy(p->path[p->count], path);
    return &p->types[p->count++];
}

/* The leaves of a document: "fairness[].gaps.{metric}.ratio" and the types seen there. */
static void
walk(const json_t *v, const char *path, struct paths *p)
{
    char below[PATH_MAX_BYTES];
    const char *key = NULL;
    json_t *child = NULL;
    size_t i = 0;
    if (json_is_object(v)) {
        const size_t n = strlen(path);
        const bool metrics = n > 5 && (strcmp(path + n - 5, ".gaps") == 0 ||
                                       (n > 8 && strcmp(path + n - 8, ".metrics") == 0));
        json_object_foreach((json_t *)(uintptr_t)v, key, child)
        {
            (void)snprintf(below, sizeof below, "%s%s%s", path, n == 0 ? "" : ".",
                           metrics ? "{metric}" : key);
            walk(child, below, p);
        }
    } else if (json_is_array(v)) {
        (void)snprintf(below, sizeof below, "%s[]", path);
        json_array_foreach((json_t *)(uintptr_t)v, i, child)
        {
            walk(child, below, p);
        }
    } else {
        *types_of(p, path) |= 1u << (json_is_true(v) ? JSON_FALSE : json_typeof(v));
    }
}

static unsigned
types_named(const char *words)
{
    static const struct {
        const char *words;
        unsigned types;
    } known[] = {
        {"string", 1u << JSON_STRING},
        {"integer", 1u << JSON_INTEGER},
        {"number", 1u << JSON_REAL},
        {"boolean", 1u << JSON_FALSE},
        {"number or null", 1u << JSON_REAL | 1u << JSON_NULL},
        {"string or null", 1u << JSON_STRING | 1u << JSON_NULL},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(known[i].words, words) == 0) {
            return known[i].types;
        }
    }
    fail_msg("the page has the type \"%s\"", words);
    return 0;
}

/* Rows of the page's tables: "| `path` | type | meaning |". */
static void
read_page(struct paths *p)
{
    DEFER(buf_done) struct buf page;
    char *path = testing_source("docs/spec/assessment.md");
    testing_read(path, &page);
    free(path);
    char *rest = NULL;
    for (char *line = strtok_r((char *)page.ptr, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        char field[PATH_MAX_BYTES], type[64];
        if (sscanf(line, "| `%150[^`]` | %60[^|]", field, type) == 2) {
            type[strcspn(type, "|")] = '\0';
            while (type[0] != '\0' && type[strlen(type) - 1] == ' ') {
                type[strlen(type) - 1] = '\0';
            }
            const size_t before = p->count;
            *types_of(p, field) = types_named(type);
            assert_int_equal(p->count, before + 1); /* once each */
        }
    }
    assert_true(p->count > 80);
}

static void
has_exactly_the_fields_of_its_page(void **state)
{
    (void)state;
    static struct paths page, seen;
    DEFER(sample_done) struct sample s;
    read_page(&page);
    sample_make(&sample_plain, ROWS, &s);
    DEFER(js_freep) json_t *full = sample_assess(&s);
    walk(full, "", &seen);
    s.in.rows = 1; /* most things do not exist */
    DEFER(js_freep) json_t *bare = sample_assess(&s);
    walk(bare, "", &seen);
    s.in.min_group = 1;
    DEFER(js_freep) json_t *one_group = sample_assess(&s);
    walk(one_group, "", &seen);
    for (size_t i = 0; i < seen.count; i++) {
        const size_t known = page.count;
        const unsigned allowed = *types_of(&page, seen.path[i]);
        if (page.count != known || (seen.types[i] & ~allowed) != 0) {
            fail_msg("%s is not on the page, or of another type", seen.path[i]);
        }
    }
    size_t lacking = 0;
    for (size_t i = 0; i < page.count; i++) {
        const size_t known = seen.count;
        const unsigned types = *types_of(&seen, page.path[i]);
        if (seen.count != known || types != page.types[i]) {
            print_error("%s: on the page, but not in the documents, or not of each type\n",
                        page.path[i]);
            lacking++;
        }
    }
    assert_int_equal(lacking, 0);
}

static void
reads_back_as_what_was_written(void **state)
{
    (void)state;
    DEFER(sample_done) struct sample s;
    DEFER(buf_done) struct buf first;
    DEFER(buf_done) struct buf second;
    DEFER(js_freep) json_t *again = NULL;
    struct diag diag = {0};
    sample_make(&sample_plain, ROWS, &s);
    DEFER(js_freep) json_t *d = sample_assess(&s);
    buf_init(&first, 1u << 24);
    buf_init(&second, 1u << 24);
    assert_ok(js_put_pretty(&first, d));
    assert_ok(js_parse(buf_view(&first), "document", &diag, &again));
    assert_true(json_equal(d, again));
    assert_ok(js_put_pretty(&second, again));
    assert_true(view_equal(buf_view(&first), buf_view(&second)));
}

static void
has_the_same_digits_for_any_number_of_threads(void **state)
{
    (void)state;
    DEFER(sample_done) struct sample s;
    sample_make(&sample_plain, ROWS, &s);
    DEFER(js_freep) json_t *one = sample_assess(&s);
    s.in.threads = 5;
    DEFER(js_freep) json_t *five = sample_assess(&s);
    assert_true(json_equal(one, five));
}

/* ---- what it says ---- */

static void
small_groups_are_shown_and_not_judged(void **state)
{
    (void)state;
    DEFER(sample_done) struct sample s;
    sample_make(&sample_plain, ROWS, &s);
    DEFER(js_freep) json_t *d = sample_assess(&s);
    const json_t *origin = json_array_get(at(d, "fairness"), 0), *groups = at(origin, "groups");
    assert_int_equal(json_array_size(groups), 3);
    const json_t *few = json_array_get(groups, 2);
    assert_true(number(few, "n") > 0 && number(few, "n") < 30);
    assert_true(json_is_false(at(few, "judged")));
    assert_int_equal(json_integer_value(at(origin, "groups_judged")), 2);
    const char *name = NULL;
    json_t *gap = NULL;
    json_object_foreach((json_t *)(uintptr_t)at(origin, "gaps"), name, gap)
    {
        assert_string_not_equal(json_string_value(at(gap, "high")), "c");
        assert_string_not_equal(json_string_value(at(gap, "low")), "c");
    }
}

static void
rows_without_a_group_are_counted_and_left_out(void **state)
{
    (void)state;
    DEFER(sample_done) struct sample s;
    sample_make(&sample_plain, ROWS, &s);
    DEFER(js_freep) json_t *d = sample_assess(&s);
    const json_t *sex = json_array_get(at(d, "fairness"), 1);
    double missing = 0, rows = 0;
    for (size_t i = 0; i < ROWS; i++) {
        missing += s.code[1][i] < 0;
    }
    for (size_t i = 0; i < json_array_size(at(sex, "groups")); i++) {
        rows += number(json_array_get(at(sex, "groups"), i), "n");
    }
    assert_true(missing > 0 && number(sex, "rows_without_group") == missing);
    assert_true(rows + missing == ROWS);
}

static void
the_explained_row_was_decided_positive_and_its_parts_add_up(void **state)
{
    (void)state;
    DEFER(sample_done) struct sample s;
    sample_make(&sample_plain, ROWS, &s);
    DEFER(js_freep) json_t *d = sample_assess(&s);
    const json_t *explanation = at(d, "explanation"), *example = at(explanation, "example");
    const size_t row = ((size_t)number(example, "row") - 7) / 3;
    double sum = number(explanation, "expected"), margin = 0;
    assert_true(json_is_true(at(example, "decided")) && s.score[row] >= 0.5);
    assert_near(number(example, "score"), s.score[row], 0);
    for (size_t i = 0; i < SAMPLE_FEATURES; i++) {
        sum += number(json_array_get(at(example, "attributions"), i), "phi");
    }
    forest_margin(s.forest, s.x + row * SAMPLE_FEATURES, 1, 1, &margin);
    assert_near(sum, margin, 1e-9);
    assert_near(number(example, "margin"), margin, 1e-9);
    size_t above = 0, below = 0;
    for (size_t i = 0; i < ROWS; i++) {
        above += s.score[i] > s.score[row];
        below += s.score[i] >= 0.5 && s.score[i] < s.score[row];
    }
    assert_true(above > 0 && below > 0);
}

static void
values_read_as_the_model_read_them(void **state)
{
    (void)state;
    DEFER(sample_done) struct sample s;
    sample_make(&sample_plain, 200, &s);
    for (size_t i = 0; i < 200; i++) {
        s.value[0][i] = (double)0.3665f; /* 0.366499990224838 */
        s.value[2][i] = NAN;
    }
    DEFER(js_freep) json_t *d = sample_assess(&s);
    const json_t *list = at(at(at(d, "explanation"), "example"), "attributions");
    assert_string_equal(json_string_value(at(json_array_get(list, 0), "value")), "0.3665");
    assert_string_equal(json_string_value(at(json_array_get(list, 2), "value")), "missing");
}

/* ---- cohorts, given back to the engine that evaluates them ---- */

struct cohorts {
    struct table *table;
    uint8_t *in; /* the rows that were selected last */
};

static void
cohorts_done(struct cohorts *c)
{
    table_free(c->table);
    free(c->in);
}

static void
cohorts_open(const struct sample *s, struct cohorts *c)
{
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(memory_freep) char *path = file_join(dir, "sample.csv");
    DEFER(buf_done) struct buf csv;
    struct diag diag = {0};
    const struct import_options options = {0};
    buf_init(&csv, 1u << 24);
    sample_put_csv(s, &csv);
    testing_write(path, buf_view(&csv));
    const struct status done = import_file(path, &options, &diag, &c->table);
    if (!status_ok(done)) {
        print_error("%s\n", diag.text);
    }
    assert_ok(done);
    assert_int_equal(c->table->rows, s->rows);
    c->in = calloc(s->rows, 1);
    assert_non_null(c->in);
}

static void
select_cohort(const struct cohorts *c, const char *cohort)
{
    struct diag diag = {0};
    const struct status s = cohort_select(c->table, cohort, &diag, c->in);
    if (!status_ok(s)) {
        print_error("%s: %s\n", cohort, diag.text);
    }
    assert_ok(s);
}

static void
check_counts(const struct cohorts *c, const uint8_t *error, double rows, double errors)
{
    double n = 0, wrong = 0;
    for (size_t i = 0; i < c->table->rows; i++) {
        n += c->in[i];
        wrong += c->in[i] != 0 && error[i] != 0;
    }
    assert_true(n == rows && wrong == errors);
}

static void
check_nodes(const struct cohorts *c, const uint8_t *error, const json_t *tree)
{
    assert_true(json_array_size(tree) >= 5);
    for (size_t k = 1; k < json_array_size(tree); k++) {
        const json_t *n = json_array_get(tree, k);
        select_cohort(c, json_string_value(at(n, "cohort")));
        check_counts(c, error, number(n, "rows"), number(n, "errors"));
    }
}

static void
check_cells(const struct cohorts *c, const uint8_t *error, const json_t *map)
{
    const json_t *xs = at(at(map, "x"), "bins"), *ys = at(at(map, "y"), "bins");
    for (size_t y = 0; y < json_array_size(ys); y++) {
        for (size_t x = 0; x < json_array_size(xs); x++) {
            const json_t *cell = json_array_get(json_array_get(at(map, "cells"), y), x);
            DEFER(buf_done) struct buf both;
            buf_init(&both, 1u << 20);
            buf_printf(&both, "(%s) and (%s)",
                       json_string_value(at(json_array_get(xs, x), "cohort")),
                       json_string_value(at(json_array_get(ys, y), "cohort")));
            select_cohort(c, buf_str(&both));
            check_counts(c, error, json_number_value(json_array_get(cell, 0)),
                         json_number_value(json_array_get(cell, 1)));
        }
    }
}

static void
check_cohorts(const struct sample_names *names)
{
    DEFER(sample_done) struct sample s;
    DEFER(cohorts_done) struct cohorts c = {0};
    sample_make(names, ROWS, &s);
    DEFER(js_freep) json_t *d = sample_assess(&s);
    DEFER(memory_freep) uint8_t *error = calloc(ROWS, 1);
    assert_non_null(error);
    for (size_t i = 0; i < ROWS; i++) {
        error[i] = (s.score[i] >= 0.5) != s.y[i];
    }
    cohorts_open(&s, &c);
    check_nodes(&c, error, at(at(d, "errors"), "tree"));
    check_cells(&c, error, at(at(d, "errors"), "map"));
}

static void
a_cohort_given_back_selects_exactly_its_rows(void **state)
{
    (void)state;
    check_cohorts(&sample_plain);
}

static void
a_cohort_with_hostile_names_selects_exactly_its_rows(void **state)
{
    (void)state;
    struct sample_names names = sample_plain;
    names.feature[0] = "order";
    names.feature[1] = "History \"of\" loans; drop table rows";
    names.feature[2] = "\xd7\xa9\xd7\x9d <script>";
    names.feature[3] = "it's";
    names.purpose[0] = "' or 1=1 --";
    names.purpose[1] = "<b>\"x\"</b>";
    names.purpose[2] = "\xd7\x90\xd7\x97\xd7\xa8";
    check_cohorts(&names);
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(refuses_a_model_that_is_no_binary_classifier),
        cmocka_unit_test(refuses_a_sensitive_column_of_too_many_levels),
        cmocka_unit_test(no_sensitive_column_is_said_to_be_so),
        cmocka_unit_test(pairs_of_sensitive_columns_over_six_are_counted),
        cmocka_unit_test(one_class_one_row_and_one_decision_are_assessed),
        cmocka_unit_test(has_exactly_the_fields_of_its_page),
        cmocka_unit_test(reads_back_as_what_was_written),
        cmocka_unit_test(has_the_same_digits_for_any_number_of_threads),
        cmocka_unit_test(small_groups_are_shown_and_not_judged),
        cmocka_unit_test(rows_without_a_group_are_counted_and_left_out),
        cmocka_unit_test(the_explained_row_was_decided_positive_and_its_parts_add_up),
        cmocka_unit_test(values_read_as_the_model_read_them),
        cmocka_unit_test(a_cohort_given_back_selects_exactly_its_rows),
        cmocka_unit_test(a_cohort_with_hostile_names_selects_exactly_its_rows),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
