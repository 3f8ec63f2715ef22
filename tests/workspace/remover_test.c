/* The correlation remover before a model: what a manifest may say, what it is fitted on, what it
 * changes, and that a model with it is sealed, signed and assessed as any other. */
#include "testing/testing.h"

#include "base/secret.h"
#include "workspace/assessments.h"
#include "workspace/decisions.h"
#include "workspace/forge.h"
#include "workspace/mitigation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ROWS 600

struct room {
    char *dir;
    struct workspace *w;
    struct model *old, *new;
};

/* x and z follow the group and the age; some rows have no group, some no "hole". */
static void
put_rows(struct buf *csv)
{
    uint64_t s = 88172645463325252u;
    buf_init(csv, 1u << 20);
    buf_put_str(csv, "x,z,hole,kind,group,age,one,note,answer\n");
    for (int i = 0; i < ROWS; i++) {
        s ^= s << 13;
        s ^= s >> 7;
        s ^= s << 17;
        const unsigned noise = (unsigned)(s >> 40) % 100, more = (unsigned)(s >> 20) % 60;
        const unsigned g = (unsigned)i % 3, age = 20 + more / 2 + 10 * g;
        const unsigned x = noise + 30 * g, z = more + age;
        buf_printf(csv, "%u,%u.5,%s,k%u,%s,%u,same,n%d,%s\n", x, z, i % 10 == 0 ? "" : "3",
                   noise % 4,
                   i % 20 == 0 ? ""
                   : g == 0    ? "a"
                   : g == 1    ? "b"
                               : "c",
                   age, i, x + more > 100 ? "yes" : "no");
    }
}

static void
add_and_train(struct room *r, const char *csv)
{
    static const char *const sensitive[] = {"group", "age", "one"};
    const struct import_override text[] = {
        {.column = "note", .has_type = true, .type = COLUMN_TEXT}};
    const struct import_options data = {.label = "answer",
                                        .positive = "yes",
                                        .sensitive = sensitive,
                                        .sensitive_count = 3,
                                        .overrides = text,
                                        .override_count = 1};
    struct model_train_options o = {.dataset = "people", .split = 0.7, .seed = 7};
    struct dataset_info info;
    struct diag diag = {0};
    train_defaults(&o.train);
    o.train.rounds = 10;
    o.train.threads = 1;
    assert_ok(dataset_add(r->w, "people", csv, &data, &diag, &info));
    assert_ok(model_train(r->w, "answers", &o, &diag, &r->old));
}

static struct status
mitigate(const struct room *r, const char *const *columns, size_t n, double alpha,
         struct diag *diag, struct model **ret_model)
{
    const struct mitigation m = {.method = MITIGATION_CORRELATION_REMOVER,
                                 .sensitive = columns,
                                 .sensitive_count = n,
                                 .alpha = alpha,
                                 .based_on = 1};
    struct model_train_options o = {0};
    assert_ok(model_training(r->old, diag, &o));
    o.train.threads = 1;
    o.mitigation = &m;
    return model_train(r->w, "answers", &o, diag, ret_model);
}

static int
set_up(void **state)
{
    static const char *const columns[] = {"group", "age"};
    struct room *r = calloc(1, sizeof *r);
    struct diag diag = {0};
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
    add_and_train(r, path);
    assert_ok(mitigate(r, columns, 2, 1, &diag, &r->new));
    *state = r;
    return 0;
}

static int
tear_down(void **state)
{
    struct room *r = *state;
    model_free(r->old);
    model_free(r->new);
    workspace_close(r->w);
    testing_dirp(&r->dir);
    free(r);
    return 0;
}

/* ---- what a manifest may say ---- */

#define G "{\"name\":\"g\",\"type\":\"category\",\"levels\":[\"a\",\"b\",\"c\"]}"
#define S "{\"name\":\"s\",\"type\":\"integer\"}"
#define REMOVER(FORMAT, COLUMNS, MEANS, FEATURES, WEIGHTS, ALPHA)                                  \
    "{\"format\":\"" FORMAT "\",\"columns\":" COLUMNS ",\"means\":" MEANS                          \
    ",\"features\":" FEATURES ",\"weights\":" WEIGHTS ",\"alpha\":" ALPHA "}"
#define KNOWN "steward-remover-1"
#define GOOD REMOVER(KNOWN, "[" G "," S "]", "[0.25,0.5,40]", "[\"x\"]", "[[1],[2],[3]]", "0.5")

static char x_name[] = "x", k_name[] = "k", z_name[] = "z", level[] = "l";
static char *levels[] = {level};
static struct feature features[] = {{x_name, COLUMN_FLOAT, NULL, 0, NULL},
                                    {k_name, COLUMN_CATEGORY, levels, 1, NULL},
                                    {z_name, COLUMN_INTEGER, NULL, 0, NULL}};
static const struct feature_list read_features = {features, 3};

static struct status
read_text(const char *text, struct diag *diag, struct remover *r)
{
    DEFER(js_freep) json_t *o = NULL;
    assert_ok(js_parse(view_str(text), "text", NULL, &o));
    return remover_from_json(o, &read_features, "answer", diag, r);
}

static void
refuses_a_manifest_that_is_not_exactly_one_of_a_remover(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"{}", "format"},
        {REMOVER("steward-remover-2", "[" S "]", "[0]", "[\"x\"]", "[[1]]", "1"), "the format"},
        {REMOVER(KNOWN, "[" S "]", "[0]", "[\"x\"]", "[[1]]", "1,\"more\":1"), "the format"},
        {REMOVER(KNOWN, "[]", "[0]", "[\"x\"]", "[[1]]", "1"), "from 1 to 4"},
        {REMOVER(KNOWN, "[" S "," S "]", "[0,0]", "[\"x\"]", "[[1],[1]]", "1"), "twice"},
        {REMOVER(KNOWN, "[{\"name\":\"x\",\"type\":\"float\"}]", "[0]", "[\"x\"]", "[[1]]", "1"),
         "reads or predicts"},
        {REMOVER(KNOWN, "[{\"name\":\"answer\",\"type\":\"float\"}]", "[0]", "[\"x\"]", "[[1]]",
                 "1"),
         "reads or predicts"},
        {REMOVER(KNOWN, "[{\"name\":\"t\",\"type\":\"time\"}]", "[0]", "[\"x\"]", "[[1]]", "1"),
         "of numbers or has levels"},
        {REMOVER(KNOWN, "[{\"name\":\"t\",\"type\":\"category\",\"levels\":[]}]", "[]", "[\"x\"]",
                 "[]", "1"),
         "of numbers or has levels"},
        {REMOVER(KNOWN, "[{\"name\":\"t\",\"type\":\"category\",\"levels\":[\"a\"]}]", "[]",
                 "[\"x\"]", "[]", "1"),
         "have one level each in the training rows"},
        {REMOVER(KNOWN, "[" G "]", "[0]", "[\"x\"]", "[[1]]", "1"), "a mean and weights for each"},
        {REMOVER(KNOWN, "[" G "]", "[0,0]", "[\"x\"]", "[[1]]", "1"),
         "a mean and weights for each"},
        {REMOVER(KNOWN, "[" S "]", "[0]", "[\"x\"]", "[[1,2]]", "1"), "a weight for each feature"},
        {REMOVER(KNOWN, "[" S "]", "[0]", "[\"x\"]", "[7]", "1"), "a weight for each feature"},
        {REMOVER(KNOWN, "[" S "]", "[0]", "[\"x\"]", "[[null]]", "1"), "finite numbers"},
        {REMOVER(KNOWN, "[" S "]", "[0]", "[\"x\"]", "[[1e39]]", "1"), "finite numbers"},
        {REMOVER(KNOWN, "[" S "]", "[\"NaN\"]", "[\"x\"]", "[[1]]", "1"), "finite numbers"},
        {REMOVER(KNOWN, "[" S "]", "[0]", "[]", "[[]]", "1"), "from 1 to all"},
        {REMOVER(KNOWN, "[" S "]", "[0]", "[\"y\"]", "[[1]]", "1"), "numbers that the model reads"},
        {REMOVER(KNOWN, "[" S "]", "[0]", "[\"k\"]", "[[1]]", "1"), "numbers that the model reads"},
        {REMOVER(KNOWN, "[" S "]", "[0]", "[7]", "[[1]]", "1"), "numbers that the model reads"},
        {REMOVER(KNOWN, "[" S "]", "[0]", "[\"x\",\"x\"]", "[[1,1]]", "1"), "model's order, once"},
        {REMOVER(KNOWN, "[" S "]", "[0]", "[\"z\",\"x\"]", "[[1,1]]", "1"), "model's order, once"},
        {REMOVER(KNOWN, "[" S "]", "[0]", "[\"x\"]", "[[1]]", "1.01"), "from 0 to 1"},
        {REMOVER(KNOWN, "[" S "]", "[0]", "[\"x\"]", "[[1]]", "-0.1"), "from 0 to 1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct remover r = {0};
        struct diag diag = {0};
        const struct status s = read_text(cases[i].text, &diag, &r);
        if (s.code != STATUS_INPUT || strstr(diag.text, cases[i].says) == NULL) {
            print_error("%s\n: %s: %s\n", cases[i].text, status_word(s.code), diag.text);
            fail();
        }
        assert_null(r.w);
    }
}

static void
reads_back_every_digit(void **state)
{
    (void)state;
    struct diag diag = {0};
    DEFER(remover_done) struct remover r = {0};
    DEFER(remover_done) struct remover again = {0};
    DEFER(js_freep) json_t *o = NULL;
    DEFER(buf_done) struct buf text;
    buf_init(&text, 1 << 16);
    assert_ok(read_text(GOOD, &diag, &r));
    r.w[1] = nextafter(0.1, 1);
    r.mean[2] = nextafter(1.0 / 3, 1);
    r.alpha = nextafter(1, 0);
    assert_ok(remover_to_json(&r, &read_features, &o));
    assert_ok(js_put(&text, o));
    assert_ok(read_text(buf_str(&text), &diag, &again));
    assert_int_equal(again.terms, 3);
    assert_memory_equal(again.w, r.w, 3 * sizeof *r.w);
    assert_memory_equal(again.mean, r.mean, 3 * sizeof *r.mean);
    assert_true(again.alpha == r.alpha);
}

static void
subtracts_what_the_columns_say(void **state)
{
    (void)state;
    struct diag diag = {0};
    DEFER(remover_done) struct remover r = {0};
    /* g, s: c and 42; a and missing; missing and 40; b and 3.4e38. */
    const float s[] = {2, 42, 0, NAN, NAN, 40, 1, 3.4e38f};
    float x[] = {10, 1, 7, 10, 1, 7, NAN, 1, 7, 1, 1, 7};
    assert_ok(read_text(GOOD, &diag, &r));
    remover_apply(&r, s, 2, 4, 3, x);
    assert_near(x[0], 10 - 0.5 * (-0.25 * 1 + 0.5 * 2 + 2 * 3), 1e-6);
    assert_near(x[3], 10 - 0.5 * (-0.25 * 1 - 0.5 * 2), 1e-6);
    assert_true(isnan(x[6]));
    assert_true(x[9] < -3.3e38f && isfinite(x[9])); /* past a float: its end */
    for (size_t i = 0; i < 4; i++) {
        assert_near(x[i * 3 + 1], 1, 0);
        assert_near(x[i * 3 + 2], 7, 0);
    }
}

static void
put_both(json_t *manifest, const void *ctx)
{
    (void)ctx;
    (void)json_object_set(manifest, "features", json_object_get(manifest, "inputs"));
}

static void
take_remover(json_t *manifest, const void *ctx)
{
    (void)ctx;
    (void)json_object_del(manifest, "remover");
}

static void
change_alpha(json_t *manifest, const void *ctx)
{
    (void)json_object_set_new(json_object_get(manifest, "remover"), "alpha",
                              json_real(*(const double *)ctx));
}

static void
a_signed_manifest_that_is_wrong_makes_no_model(void **state)
{
    const struct room *r = *state;
    static const double wrong = 1.5, right = 0.5;
    struct diag diag = {0};
    assert_status(forge_model(r->w, "answers", 2, put_both, NULL, &diag), INTEGRITY);
    assert_says(&diag, "features before a remover");
    /* As a program that knows no remover reads one that has one: nothing is decided. */
    assert_status(forge_model(r->w, "answers", 2, take_remover, NULL, &diag), INTEGRITY);
    assert_says(&diag, "inputs without one");
    assert_status(forge_model(r->w, "answers", 2, change_alpha, &wrong, &diag), INPUT);
    assert_says(&diag, "alpha is a number from 0 to 1");
    assert_ok(forge_model(r->w, "answers", 2, change_alpha, &right, &diag));
}

/* A byte of a weight, changed in the bundle. */
static void
a_weight_that_was_changed_breaks_the_signature(void **state)
{
    const struct room *r = *state;
    uint8_t public_key[VAULT_PUBLIC_BYTES];
    DEFER(buf_done) struct buf bytes;
    buf_init(&bytes, 1 << 24);
    DEFER(file_freep) char *path = workspace_object_path(r->w, "model", "answers", 2);
    const struct seal_id id = {"model", "answers", 2};
    assert_ok(seal_open_file(r->w->vault, path, id, 1 << 24, NULL, &bytes));
    vault_public_key(r->w->vault, public_key);
    char *weights = memmem(bytes.ptr, bytes.len, "\"weights\":[[", 12);
    assert_non_null(weights);
    char *digit = strpbrk(weights, "123456789");
    *digit = *digit == '9' ? '8' : (char)(*digit + 1);
    struct diag diag = {0};
    json_t *manifest = NULL;
    struct view file = {0};
    assert_status(bundle_open(public_key, buf_view(&bytes), &diag, &manifest, &file), INTEGRITY);
}

/* ---- fitting ---- */

static void
refuses_columns_that_it_cannot_read(void **state)
{
    const struct room *r = *state;
    static const struct {
        const char *columns[5];
        size_t n;
        double alpha;
        const char *says;
    } cases[] = {
        {{"grup"}, 1, 1, "did you mean \"group\"?"},
        {{"answer"}, 1, 1, "is the label"},
        {{"note"}, 1, 1, "is of type text"},
        {{"one"}, 1, 1, "have one level each in the training rows"},
        {{"group", "group"}, 2, 1, "named twice"},
        {{"group", "age", "one", "x", "z"}, 5, 1, "from 1 to 4 sensitive columns"},
        {{"group"}, 0, 1, "from 1 to 4 sensitive columns"},
        {{"group"}, 1, NAN, "alpha is a number from 0 to 1"},
        {{"x", "z", "group"}, 3, 1, "no feature is of numbers"},
    };
    uint64_t before = 0, after = 0;
    assert_ok(registry_newest(r->w, "model", "answers", &before));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct diag diag = {0};
        struct model *m = NULL;
        assert_status(mitigate(r, cases[i].columns, cases[i].n, cases[i].alpha, &diag, &m), INPUT);
        assert_says(&diag, cases[i].says);
        assert_null(m);
    }
    assert_ok(registry_newest(r->w, "model", "answers", &after));
    assert_int_equal(before, after);
}

struct rows {
    struct table *t;
    float *x;
    uint8_t *train;
    uint64_t missing;
};

static void
read_rows(const struct room *r, const struct model *m, struct rows *ret_rows)
{
    struct dataset_info info;
    struct diag diag = {0};
    assert_ok(dataset_load(r->w, "people", 1, &diag, &ret_rows->t, &info));
    ret_rows->x = calloc((size_t)ROWS * m->features.count, sizeof *ret_rows->x);
    ret_rows->train = calloc(ROWS, 1);
    assert_ok(model_select(m, &info, ret_rows->t, PART_TRAIN, &diag, ret_rows->train));
    assert_ok(model_matrix(m, ret_rows->t, NULL, &diag, ret_rows->x, &ret_rows->missing));
}

static void
rows_done(struct rows *r)
{
    table_free(r->t);
    free(r->x);
    free(r->train);
}

/* Covariance of a feature with an indicator of the group, or with the age, over the rows trained
 * on; a missing group counts as the mean. */
static double
trace(const struct rows *r, uint32_t width, uint32_t feature, int group)
{
    const struct column *g = table_column(r->t, "group"), *age = table_column(r->t, "age");
    double n = 0, known = 0, ms = 0, mx = 0, sum = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < ROWS; i++) {
            const bool none = group >= 0 && column_is_null(g, i);
            const double s = group >= 0 ? g->code[i] == group : column_number(age, i);
            const double x = (double)r->x[i * width + feature];
            if (r->train[i] != 0 && pass == 0) {
                n++;
                mx += x;
                known += none ? 0 : 1;
                ms += none ? 0 : s;
            } else if (r->train[i] != 0 && !none) {
                sum += (s - ms / known) * (x - mx / n) / n;
            }
        }
    }
    return sum;
}

static void
features_lose_their_linear_trace_of_all_columns(void **state)
{
    const struct room *r = *state;
    DEFER(rows_done) struct rows was = {0};
    DEFER(rows_done) struct rows is = {0};
    const uint32_t width = r->new->features.count;
    assert_int_equal(width, 4); /* x z hole kind */
    assert_int_equal(r->new->remover.features, 2);
    assert_int_equal(r->new->remover.terms, 3);
    read_rows(r, r->old, &was);
    read_rows(r, r->new, &is);
    assert_int_equal(was.missing, 0);
    assert_int_equal(is.missing, ROWS / 20);
    for (uint32_t f = 0; f < 2; f++) {
        assert_true(fabs(trace(&was, width, f, 2)) > 1 && fabs(trace(&was, width, f, -1)) > 1);
        for (int s = -1; s < 3; s++) {
            assert_near(trace(&is, width, f, s), 0, 1e-4);
        }
    }
    for (size_t i = 0; i < ROWS; i++) {
        assert_true(isnan(is.x[i * width + 2]) == (i % 10 == 0));
        assert_near(is.x[i * width + 3], was.x[i * width + 3], 0);
    }
}

/* ---- a model with it ---- */

static void
a_loaded_model_answers_as_the_one_that_was_made(void **state)
{
    const struct room *r = *state;
    struct diag diag = {0};
    DEFER(model_freep) struct model *again = NULL;
    DEFER(rows_done) struct rows one = {0};
    DEFER(rows_done) struct rows two = {0};
    double p[ROWS], q[ROWS], old[ROWS];
    assert_ok(model_load(r->w, "answers", 2, &diag, &again));
    read_rows(r, r->new, &one);
    read_rows(r, again, &two);
    model_predict(r->new, one.x, ROWS, 1, p);
    model_predict(again, two.x, ROWS, 1, q);
    assert_memory_equal(p, q, sizeof p);
    DEFER(rows_done) struct rows raw = {0};
    read_rows(r, r->old, &raw);
    model_predict(r->new, raw.x, ROWS, 1, old);
    assert_true(memcmp(p, old, sizeof p) != 0); /* without the remover it answers otherwise */
    assert_int_equal(model_besides(again), 2);
    assert_string_equal(model_beside(again, 1)->name, "age");
}

static void
thresholds_by_group_stand_after_it(void **state)
{
    const struct room *r = *state;
    const struct thresholds_wish wish = {
        .column = "group",
        .options = {.constraint = THRESHOLD_DEMOGRAPHIC_PARITY, .tolerance = 0.02}};
    struct diag diag = {0};
    DEFER(model_freep) struct model *m = NULL;
    DEFER(rows_done) struct rows rows = {0};
    DEFER(js_freep) json_t *by = NULL;
    DEFER(js_freep) json_t *record = NULL;
    double p[ROWS];
    uint8_t decision[ROWS];
    assert_ok(model_set_thresholds(r->w, r->new, &wish, 1, &diag, &m));
    assert_int_equal(m->remover.features, 2);
    assert_int_equal(model_besides(m), 2); /* the group is one of them */
    read_rows(r, m, &rows);
    model_predict(m, rows.x, ROWS, 1, p);
    assert_ok(decisions_make(m, rows.t, rows.x, p, &diag, decision, &by));
    /* Rows that were sent fare as rows of a table. */
    DEFER(rows_done) struct rows raw = {0};
    read_rows(r, r->old, &raw);
    float beside[ROWS * 2], group[ROWS];
    const struct column *g = table_column(raw.t, "group"), *age = table_column(raw.t, "age");
    for (size_t i = 0; i < ROWS; i++) {
        beside[i * 2] = column_is_null(g, i) ? NAN : (float)g->code[i];
        beside[i * 2 + 1] = (float)column_number(age, i);
    }
    model_prepare(m, beside, ROWS, raw.x, group);
    for (size_t i = 0; i < ROWS; i++) {
        for (size_t f = 0; f < 4; f++) {
            const float a = raw.x[i * 4 + f], b = rows.x[i * 4 + f];
            assert_true((isnan(a) && isnan(b)) || a == b);
        }
        assert_int_equal(decision[i], model_decide(m, group[i], raw.x + i * 4, p[i]).positive);
    }
    assert_ok(model_describe(r->w, "answers", m->version, &diag, &record));
    const json_t *note = json_object_get(json_object_get(record, "manifest"), "mitigation");
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(note, "earlier"), "method")),
        "correlation-remover");
}

static void
an_assessment_tells_of_it(void **state)
{
    const struct room *r = *state;
    struct diag diag = {0};
    struct assess_options o;
    DEFER(js_freep) json_t *d = NULL;
    DEFER(buf_done) struct buf text;
    buf_init(&text, 1 << 24);
    assess_defaults(&o);
    o.model = "answers";
    o.model_version = 2;
    o.dataset = "people";
    o.part = PART_TEST;
    o.threads = 1;
    o.settings.replicates = 20;
    assert_ok(assessment_make(r->w, &o, &diag, &d));
    assert_ok(js_put(&text, json_object_get(d, "remarks")));
    assert_text_has(buf_str(&text), "a correlation remover changes \\\"x\\\", \\\"z\\\" by "
                                    "\\\"group\\\", \\\"age\\\" (alpha 1)");
    assert_text_has(buf_str(&text), "count as the mean");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_a_manifest_that_is_not_exactly_one_of_a_remover),
        cmocka_unit_test(reads_back_every_digit),
        cmocka_unit_test(subtracts_what_the_columns_say),
        cmocka_unit_test(refuses_columns_that_it_cannot_read),
        cmocka_unit_test(a_signed_manifest_that_is_wrong_makes_no_model),
        cmocka_unit_test(a_weight_that_was_changed_breaks_the_signature),
        cmocka_unit_test(features_lose_their_linear_trace_of_all_columns),
        cmocka_unit_test(a_loaded_model_answers_as_the_one_that_was_made),
        cmocka_unit_test(thresholds_by_group_stand_after_it),
        cmocka_unit_test(an_assessment_tells_of_it),
    };
    return cmocka_run_group_tests_name("workspace/remover", tests, set_up, tear_down);
}
