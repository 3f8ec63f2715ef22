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
refuses_a_model_of_several_numbers(void **state)
{
    (void)state;
    DEFER(sample_done) struct sample s;
    struct diag diag = {0};
    json_t *document = NULL;
    sample_make(&sample_plain, 200, &s);
    struct model_file other = *s.file;
    other.link = FOREST_IDENTITY;
    other.outputs = 2;
    other.objective = "reg:squarederror";
    s.in.file = &other;
    assert_status(assessment_run(&s.in, &diag, &document), UNSUPPORTED);
    assert_says(&diag, "model mortgage: objective reg:squarederror answers with 2 numbers; an "
                       "assessment needs one number, or classes");
    assert_null(document);
}

static void
refuses_sensitive_columns_of_too_many_levels(void **state)
{
    (void)state;
    DEFER(sample_done) struct sample s;
    struct diag diag = {0};
    json_t *document = NULL;
    sample_make(&sample_plain, 200, &s);
    s.factors[0].level_count = 1u << 20;
    assert_status(assessment_run(&s.in, &diag, &document), LIMIT);
    assert_says(&diag, "combinations of levels, over the limit");
    assert_null(document);
}

static void
no_sensitive_column_is_said_to_be_so(void **state)
{
    (void)state;
    DEFER(sample_done) struct sample s;
    sample_make(&sample_plain, 200, &s);
    s.in.factor_count = 0;
    DEFER(js_freep) json_t *d = sample_assess(&s);
    assert_true(json_is_null(at(d, "fairness")));
    assert_true(json_is_null(at(d, "bias")));
    const char *text = json_string_value(at(json_array_get(at(d, "summary"), 1), "text"));
    assert_text_has(text, "No sensitive column of the dataset makes groups.");
    s.in.without_groups = NULL;
    DEFER(js_freep) json_t *none = sample_assess(&s);
    text = json_string_value(at(json_array_get(at(none, "summary"), 1), "text"));
    assert_text_has(text, "No column of the dataset is marked as sensitive");
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
    const json_t *example = at(none, "example");
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

/* The members that have pages of their own. */
static bool
is_a_document(const char *path)
{
    static const char *const members[] = {"fairness", "errors", "explanation", "bias"};
    bool is = false;
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        is |= strcmp(members[i], path) == 0;
    }
    return is;
}

/* The leaves of a document: "performance.roc[][]" and the types seen there. */
static void
walk(const json_t *v, const char *path, struct paths *p)
{
    char below[PATH_MAX_BYTES];
    const char *key = NULL;
    json_t *child = NULL;
    size_t i = 0;
    if (json_is_object(v) && !is_a_document(path)) {
        json_object_foreach((json_t *)(uintptr_t)v, key, child)
        {
            (void)snprintf(below, sizeof below, "%s%s%s", path, *path == '\0' ? "" : ".", key);
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
        {"object", 1u << JSON_OBJECT},
        {"object or null", 1u << JSON_OBJECT | 1u << JSON_NULL},
        {"null", 1u << JSON_NULL},
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
    assert_true(p->count > 50);
}

/* A bias document as far as findings are read from it: one that holds, one that does not. */
static json_t *
bias_sample(void)
{
    json_t *d =
        json_pack("{s:s, s:[{s:s, s:s, s:s, s:b, s:f, s:f}, {s:s, s:s, s:s, s:b, s:f, s:f}]}",
                  "format", "steward-bias-1", "findings", "kind", "label", "factor", "sex", "text",
                  "chance", "holds", 0, "p_adjusted", 0.4, "size", 0.99, "kind", "proxy", "factor",
                  "origin", "text", "income tells", "holds", 1, "p_adjusted", 0.001, "size", 0.98);
    assert_non_null(d);
    return d;
}

/* Of several classes, with probabilities and with scores that are none; of numbers, of many rows
 * and of one. */
static void
walk_other_kinds(struct paths *seen)
{
    DEFER(sample_done) struct sample classes;
    DEFER(sample_done) struct sample numbers;
    sample_classes(ROWS, &classes);
    DEFER(js_freep) json_t *several = sample_assess(&classes);
    walk(several, "", seen);
    classes.in.rows = 15; /* none of the class that only the label has */
    classes.score[0] = 1.5;
    DEFER(js_freep) json_t *scores = sample_assess(&classes);
    walk(scores, "", seen);
    sample_numbers(ROWS, &numbers);
    DEFER(js_freep) json_t *many = sample_assess(&numbers);
    walk(many, "", seen);
    numbers.in.rows = 1;
    DEFER(js_freep) json_t *one = sample_assess(&numbers);
    walk(one, "", seen);
}

static void
has_exactly_the_fields_of_its_page(void **state)
{
    (void)state;
    static struct paths page, seen;
    DEFER(sample_done) struct sample s;
    DEFER(js_freep) json_t *bias = bias_sample();
    DEFER(js_freep)
    json_t *by = json_pack(
        "{s:s, s:[{s:s, s:f}, {s:s, s:f, s:f, s:[f, f, f]}], s:f, s:i, s:i, s:i, s:i, s:f}",
        "column", "sex", "groups", "group", "f", "threshold", 0.25, "group", "m", "low", 0.25,
        "high", 0.75, "chances", 0.0, 0.5, 1.0, "default", 0.5, "rows_without_group", 3,
        "rows_of_other_groups", 0, "rows_drawn", 2, "drawn_positive", 1, "expected_positive", 1.0);
    assert_non_null(by);
    read_page(&page);
    sample_make(&sample_plain, ROWS, &s);
    s.in.bias = bias;
    s.in.thresholds = by;
    assert_int_equal(json_array_append_new(s.remarks, json_string("left out")), 0);
    DEFER(js_freep) json_t *full = sample_assess(&s);
    walk(full, "", &seen);
    s.in.bias = NULL;
    s.in.thresholds = NULL;
    s.in.factor_count = 0;
    s.in.rows = 1; /* most things do not exist */
    DEFER(js_freep) json_t *bare = sample_assess(&s);
    walk(bare, "", &seen);
    walk_other_kinds(&seen);
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
its_members_are_the_documents_of_the_modules_over_the_same_rows(void **state)
{
    (void)state;
    DEFER(sample_done) struct sample s;
    sample_make(&sample_plain, ROWS, &s);
    DEFER(js_freep) json_t *d = sample_assess(&s);
    static const char *const formats[][2] = {{"fairness", "steward-fairness-1"},
                                             {"errors", "steward-errors-1"},
                                             {"explanation", "steward-explain-1"}};
    const double wrong = number(at(at(d, "performance"), "counts"), "fp") +
                         number(at(at(d, "performance"), "counts"), "fn");
    for (size_t i = 0; i < 3; i++) {
        const json_t *o = at(d, formats[i][0]);
        assert_string_equal(json_string_value(at(o, "format")), formats[i][1]);
        assert_true(number(o, "rows") == ROWS);
    }
    assert_true(number(at(d, "errors"), "rows_wrong") == wrong);
    const json_t *all = at(at(d, "fairness"), "overall");
    assert_near(number(at(at(all, "metrics"), "accuracy_score"), "value"), 1 - wrong / ROWS, 1e-12);
}

static void
the_explained_row_was_decided_positive_and_its_parts_add_up(void **state)
{
    (void)state;
    DEFER(sample_done) struct sample s;
    sample_make(&sample_plain, ROWS, &s);
    DEFER(js_freep) json_t *d = sample_assess(&s);
    const json_t *explanation = at(d, "explanation"), *example = at(d, "example");
    const json_t *local = json_array_get(at(explanation, "local"), 0);
    const json_t *output = json_array_get(at(local, "outputs"), 0);
    const size_t row = ((size_t)number(example, "row") - 7) / 3;
    double sum = number(json_array_get(at(explanation, "outputs"), 0), "base"), margin = 0;
    assert_true(json_is_true(at(example, "decided")) && s.score[row] >= 0.5);
    assert_near(number(example, "score"), s.score[row], 0);
    assert_true(number(local, "row") == number(example, "row"));
    for (size_t i = 0; i < SAMPLE_FEATURES; i++) {
        sum += json_number_value(json_array_get(at(output, "phi"), i));
    }
    model_file_margin(s.file, s.x + row * SAMPLE_FEATURES, 1, 1, &margin);
    assert_near(sum, margin, 1e-9);
    assert_near(number(output, "margin"), margin, 1e-9);
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
        s.x[i * SAMPLE_FEATURES] = 0.3665f; /* 0.366499990224838 */
        s.x[i * SAMPLE_FEATURES + 2] = NAN;
    }
    DEFER(js_freep) json_t *d = sample_assess(&s);
    const json_t *local = json_array_get(at(at(d, "explanation"), "local"), 0);
    assert_near(json_number_value(json_array_get(at(local, "values"), 0)), (double)0.3665f, 0);
    assert_true(json_is_null(json_array_get(at(local, "values"), 2)));
    const json_t *list = at(d, "summary");
    bool told = false;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *f = json_array_get(list, i);
        told |= strcmp(json_string_value(at(f, "kind")), "example") == 0 &&
                strstr(json_string_value(at(f, "text")), "income = 0.3665 (") != NULL;
    }
    assert_true(told);
}

/* ---- several classes, and numbers ---- */

static void
assert_task(const json_t *d, const char *task)
{
    static const char *const members[] = {"fairness", "errors"};
    assert_string_equal(json_string_value(at(d, "task")), task);
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(json_string_value(at(at(d, members[i]), "task")), task);
    }
}

static void
the_attributions_of_every_class_add_up_to_its_margin(void **state)
{
    (void)state;
    DEFER(sample_done) struct sample s;
    sample_classes(ROWS, &s);
    DEFER(js_freep) json_t *d = sample_assess(&s);
    const json_t *explanation = at(d, "explanation"), *example = at(d, "example");
    const json_t *local = json_array_get(at(explanation, "local"), 0);
    const size_t row = ((size_t)number(example, "row") - 7) / 3;
    double margin[3];
    assert_task(d, "classes");
    assert_int_equal(json_array_size(at(explanation, "outputs")), 3);
    model_file_margin(s.file, s.x + row * SAMPLE_FEATURES, 1, 1, margin);
    for (size_t k = 0; k < 3; k++) {
        const json_t *output = json_array_get(at(local, "outputs"), k);
        double sum = number(json_array_get(at(explanation, "outputs"), k), "base");
        for (size_t i = 0; i < SAMPLE_FEATURES; i++) {
            sum += json_number_value(json_array_get(at(output, "phi"), i));
        }
        assert_near(sum, margin[k], 1e-9);
        assert_near(number(output, "prediction"), s.score[3 * row + k], 0);
        assert_string_equal(json_string_value(at(output, "output")), s.in.classes[k]);
        assert_true(s.score[3 * row + k] <= number(example, "score"));
    }
}

/* The class that only the label has is always wrong, has the probability 0 and is told. */
static void
a_class_that_the_model_does_not_know_is_wrong_and_told(void **state)
{
    (void)state;
    DEFER(sample_done) struct sample s;
    sample_classes(ROWS, &s);
    DEFER(js_freep) json_t *d = sample_assess(&s);
    const json_t *p = at(d, "performance"), *classes = at(p, "classes"),
                 *never = json_array_get(classes, 3);
    uint64_t right = 0;
    for (size_t i = 0; i < ROWS; i++) {
        const double *score = s.score + 3 * i;
        const size_t first = score[1] > score[0], best = score[2] > score[first] ? 2 : first;
        right += best == s.truth_class[i];
    }
    assert_true(number(at(p, "accuracy"), "x") == (double)right);
    assert_int_equal(json_array_size(classes), 4);
    assert_string_equal(json_string_value(at(never, "class")), "never");
    assert_true(number(never, "rows") == 5 && number(never, "decided") == 0);
    assert_true(number(at(never, "recall"), "value") == 0);
    assert_true(json_is_null(at(at(never, "precision"), "value")));
    const char *remark = json_string_value(json_array_get(at(d, "remarks"), 0));
    assert_text_has(remark, "class \"never\" is none of the model's");
}

static void
the_gap_of_groups_is_found_among_numbers(void **state)
{
    (void)state;
    DEFER(sample_done) struct sample s;
    sample_numbers(3000, &s);
    DEFER(js_freep) json_t *d = sample_assess(&s);
    const json_t *p = at(d, "performance"), *found = at(d, "findings");
    bool gap = false;
    double off = 0;
    for (size_t i = 0; i < 3000; i++) {
        off += fabs(s.truth[i] - s.score[i]) / 3000;
    }
    assert_task(d, "numeric");
    assert_near(number(at(p, "mean_absolute_error"), "value"), off, 1e-9);
    assert_true(number(at(p, "baseline"), "mean_absolute_error") > off);
    for (size_t i = 0; i < json_array_size(found); i++) {
        const json_t *f = json_array_get(found, i);
        gap |= strstr(json_string_value(at(f, "headline")), "origin = a: mean prediction ") != NULL;
        assert_true(number(f, "size") >= 0 && number(f, "p_adjusted") <= 0.05);
    }
    assert_true(gap); /* with more income */
}

/* ---- findings ---- */

static void
what_holds_is_found_worst_first_and_what_may_be_chance_is_not(void **state)
{
    (void)state;
    DEFER(sample_done) struct sample s;
    DEFER(js_freep) json_t *bias = bias_sample();
    sample_make(&sample_plain, 3000, &s);
    s.in.bias = bias;
    DEFER(js_freep) json_t *d = sample_assess(&s);
    const json_t *found = at(d, "findings");
    assert_true(json_array_size(found) >= 3);
    assert_string_equal(json_string_value(at(json_array_get(found, 0), "text")), "income tells");
    bool fairness = false, errors = false;
    double last = 1;
    for (size_t i = 0; i < json_array_size(found); i++) {
        const json_t *f = json_array_get(found, i);
        const char *kind = json_string_value(at(f, "kind"));
        assert_true(number(f, "size") <= last && number(f, "p_adjusted") <= 0.05);
        assert_string_not_equal(json_string_value(at(f, "text")), "chance");
        last = number(f, "size");
        fairness |= strcmp(kind, "fairness") == 0;
        errors |= strcmp(kind, "errors") == 0 &&
                  strstr(json_string_value(at(f, "text")), "purpose: other") != NULL;
    }
    assert_true(fairness && errors); /* the coin of "other" was found */
}

static void
groups_that_are_treated_alike_are_no_finding(void **state)
{
    (void)state;
    DEFER(sample_done) struct sample s;
    sample_make(&sample_plain, 3000, &s);
    for (size_t i = 0; i < 3000; i++) {
        s.code[0][i] = (int32_t)(i % 3);
        s.code[1][i] = (int32_t)(i / 3 % 2);
    }
    DEFER(js_freep) json_t *d = sample_assess(&s);
    const json_t *found = at(d, "findings"), *summary = at(d, "summary");
    for (size_t i = 0; i < json_array_size(found); i++) {
        assert_string_not_equal(json_string_value(at(json_array_get(found, i), "kind")),
                                "fairness");
    }
    const json_t *said = json_array_get(summary, 1);
    assert_string_equal(json_string_value(at(said, "headline")), "No settled difference");
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
    const struct status s = cohort_select(c->table, NULL, cohort, &diag, c->in, NULL);
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
check_slices(const struct cohorts *c, const uint8_t *error, const json_t *found)
{
    assert_true(json_array_size(found) >= 3);
    for (size_t k = 0; k < json_array_size(found); k++) {
        const json_t *n = json_array_get(found, k);
        select_cohort(c, json_string_value(at(n, "cohort")));
        check_counts(c, error, number(n, "rows"), number(n, "mistakes"));
    }
}

/* The slices that hold are explained beside the rest. */
static void
check_explained(const json_t *d)
{
    const json_t *found = at(at(at(d, "errors"), "slices"), "found");
    const json_t *cohorts = at(at(d, "explanation"), "cohorts");
    assert_true(json_array_size(cohorts) >= 1);
    for (size_t k = 0; k < json_array_size(cohorts); k++) {
        const json_t *c = json_array_get(cohorts, k), *slice = json_array_get(found, k);
        assert_true(json_is_true(at(slice, "holds")));
        assert_true(number(c, "rows") == number(slice, "rows"));
        assert_string_equal(json_string_value(at(c, "cohort")),
                            json_string_value(at(slice, "cohort")));
    }
}

static struct status
select_of_table(void *ctx, const char *cohort, struct diag *diag, uint8_t *ret_in)
{
    const struct cohorts *c = ctx;
    return cohort_select(c->table, NULL, cohort, diag, ret_in, NULL);
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
    cohorts_open(&s, &c);
    s.in.select = select_of_table;
    s.in.select_ctx = &c;
    DEFER(js_freep) json_t *d = sample_assess(&s);
    DEFER(memory_freep) uint8_t *error = calloc(ROWS, 1);
    assert_non_null(error);
    for (size_t i = 0; i < ROWS; i++) {
        error[i] = (s.score[i] >= 0.5) != s.y[i];
    }
    check_nodes(&c, error, at(at(d, "errors"), "tree"));
    check_slices(&c, error, at(at(at(d, "errors"), "slices"), "found"));
    check_explained(d);
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
        cmocka_unit_test(refuses_a_model_of_several_numbers),
        cmocka_unit_test(refuses_sensitive_columns_of_too_many_levels),
        cmocka_unit_test(no_sensitive_column_is_said_to_be_so),
        cmocka_unit_test(one_class_one_row_and_one_decision_are_assessed),
        cmocka_unit_test(has_exactly_the_fields_of_its_page),
        cmocka_unit_test(reads_back_as_what_was_written),
        cmocka_unit_test(has_the_same_digits_for_any_number_of_threads),
        cmocka_unit_test(its_members_are_the_documents_of_the_modules_over_the_same_rows),
        cmocka_unit_test(the_explained_row_was_decided_positive_and_its_parts_add_up),
        cmocka_unit_test(values_read_as_the_model_read_them),
        cmocka_unit_test(the_attributions_of_every_class_add_up_to_its_margin),
        cmocka_unit_test(a_class_that_the_model_does_not_know_is_wrong_and_told),
        cmocka_unit_test(the_gap_of_groups_is_found_among_numbers),
        cmocka_unit_test(what_holds_is_found_worst_first_and_what_may_be_chance_is_not),
        cmocka_unit_test(groups_that_are_treated_alike_are_no_finding),
        cmocka_unit_test(a_cohort_given_back_selects_exactly_its_rows),
        cmocka_unit_test(a_cohort_with_hostile_names_selects_exactly_its_rows),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
