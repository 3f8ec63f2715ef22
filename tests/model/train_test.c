#include "testing/testing.h"

#include "base/text.h"
#include "model/forest.h"
#include "model/peer.h"
#include "model/train.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Trains and must be refused; the sentence is in diag. */
#define assert_refused(R, OPTIONS, CODE, SENTENCE)                                                 \
    do {                                                                                           \
        struct diag diag_ = {0};                                                                   \
        DEFER(buf_done) struct buf none_;                                                          \
        buf_init(&none_, 1u << 20);                                                                \
        assert_status(train_xgboost((R)->x, (R)->count, (R)->features, (R)->y, NULL, (OPTIONS),    \
                                    &diag_, &none_),                                               \
                      CODE);                                                                       \
        assert_says(&diag_, SENTENCE);                                                             \
        assert_int_equal(none_.len, 0);                                                            \
    } while (0)

static void
train(const struct rows *r, const struct train_options *o, struct buf *ret_model)
{
    struct diag diag = {0};
    buf_init(ret_model, (size_t)1 << 28);
    const struct status s =
        train_xgboost(r->x, r->count, r->features, r->y, NULL, o, &diag, ret_model);
    if (!status_ok(s)) {
        print_error("%s\n", diag.text);
    }
    assert_ok(s);
}

static void
refuses_no_rows_and_no_features(void **state)
{
    (void)state;
    float one = 1;
    struct train_options o;
    train_defaults(&o);
    const struct rows no_rows = {.count = 0, .features = 1, .x = &one, .y = &one};
    const struct rows no_features = {.count = 1, .features = 0, .x = &one, .y = &one};
    assert_refused(&no_rows, &o, INPUT, "there are 0 and 1");
    assert_refused(&no_features, &o, INPUT, "there are 1 and 0");
}

static void
refuses_options_out_of_range(void **state)
{
    (void)state;
    DEFER(rows_done) struct rows r;
    rows_make(&r, 20, 4, 1);
    struct train_options good, o;
    train_defaults(&good);
#define WITH(FIELD, VALUE, SENTENCE)                                                               \
    o = good;                                                                                      \
    o.FIELD = (VALUE);                                                                             \
    assert_refused(&r, &o, INPUT, SENTENCE)
    WITH(rounds, 0, "rounds: 1 to 100000");
    WITH(rounds, 100001, "asked for 100001");
    WITH(max_depth, 0, "depth: 1 to 32; asked for 0");
    WITH(max_depth, 33, "asked for 33");
    WITH(learning_rate, 0, "over 0, at most 1; asked for 0 and 1");
    WITH(learning_rate, (double)NAN, "asked for nan");
    WITH(subsample, 1.5, "asked for 0.1 and 1.5");
    WITH(threads, 1025, "threads: 0 to 1024; asked for 1025");
    WITH(lambda, -1, "from 0; asked for 1 and -1");
    WITH(min_child_weight, (double)INFINITY, "asked for inf");
    WITH(classes, 3, "objective binary:logistic with 3 classes: it has none");
    WITH(classes, 2000, "asked for 100 with 2000 classes");
    WITH(objective, "multi:softprob", "multi:softprob with 0 classes: it needs 2 or more");
#undef WITH
    o = good;
    o.objective = "survival:cox";
    assert_refused(&r, &o, UNSUPPORTED, "objective \"survival:cox\": binary:logistic");
}

static void
refuses_a_label_with_one_class(void **state)
{
    (void)state;
    DEFER(rows_done) struct rows r;
    rows_make(&r, 20, 4, 1);
    memset(r.y, 0, r.count * sizeof *r.y);
    struct train_options o;
    train_defaults(&o);
    assert_refused(&r, &o, INPUT,
                   "the label is the same, 0, in all 20 rows: there is nothing to tell apart");
}

static void
refuses_labels_that_do_not_fit_the_objective(void **state)
{
    (void)state;
    DEFER(rows_done) struct rows r;
    rows_make(&r, 20, 4, 1);
    struct train_options o;
    train_defaults(&o);
    r.y[7] = 0.5f;
    assert_refused(&r, &o, INPUT,
                   "row 7: its label is 0.5; binary:logistic needs a class, counted from 0");
    r.y[7] = 2;
    assert_refused(&r, &o, INPUT, "row 7: its label is 2");
    r.y[7] = NAN;
    assert_refused(&r, &o, INPUT, "row 7: its label is nan");
    o.objective = "count:poisson";
    r.y[7] = -1;
    assert_refused(&r, &o, INPUT, "count:poisson needs a finite number from 0");
    o.objective = "reg:squarederror";
    r.y[7] = INFINITY;
    assert_refused(&r, &o, INPUT, "reg:squarederror needs a finite number");
    o.objective = "multi:softprob";
    o.classes = 3;
    r.y[7] = 3;
    assert_refused(&r, &o, INPUT, "row 7: its label is 3; multi:softprob needs a class");
}

static void
refuses_a_feature_without_any_value(void **state)
{
    (void)state;
    static const char *const names[] = {"a", "b", "income", "d"};
    DEFER(rows_done) struct rows r;
    rows_make(&r, 20, 4, 1);
    for (size_t i = 0; i < r.count; i++) {
        r.x[i * 4 + 2] = NAN;
    }
    struct train_options o;
    train_defaults(&o);
    o.feature_names = names;
    assert_refused(&r, &o, INPUT,
                   "feature 2 (income): its value is missing in all 20 rows; leave it out");
}

static void
refuses_infinities_and_categories_that_are_none(void **state)
{
    (void)state;
    static const uint8_t category[] = {1, 0, 0, 0};
    DEFER(rows_done) struct rows r;
    rows_make(&r, 20, 4, 1);
    struct train_options o;
    train_defaults(&o);
    o.feature_is_category = category;
    r.x[5 * 4 + 3] = INFINITY;
    assert_refused(&r, &o, INPUT, "feature 3, row 5: inf is not a finite number");
    r.x[5 * 4 + 3] = 0;
    r.x[6 * 4] = 0.5f;
    assert_refused(&r, &o, INPUT, "feature 0, row 6: 0.5 is not a category's number");
    r.x[6 * 4] = -1;
    assert_refused(&r, &o, INPUT, "feature 0, row 6: -1 is not a category's number");
    r.x[6 * 4] = 16777216;
    assert_refused(&r, &o, INPUT, "is not a category's number");
}

static void
refuses_weights_below_zero_and_all_zero(void **state)
{
    (void)state;
    DEFER(rows_done) struct rows r;
    rows_make(&r, 20, 4, 1);
    struct train_options o;
    struct diag diag = {0};
    float weight[20] = {0};
    DEFER(buf_done) struct buf none;
    buf_init(&none, 1u << 20);
    train_defaults(&o);
    assert_status(train_xgboost(r.x, 20, 4, r.y, weight, &o, &diag, &none), INPUT);
    assert_says(&diag, "every row has weight 0");
    weight[3] = -1;
    assert_status(train_xgboost(r.x, 20, 4, r.y, weight, &o, &diag, &none), INPUT);
    assert_says(&diag, "row 3: its weight is -1; it must be a finite number from 0");
}

/* A buffer too small for the model: the failure is told, not swallowed. */
static void
tells_when_the_model_does_not_fit_the_buffer(void **state)
{
    (void)state;
    DEFER(rows_done) struct rows r;
    rows_make(&r, 200, 4, 1);
    struct train_options o;
    DEFER(buf_done) struct buf small;
    buf_init(&small, 100);
    train_defaults(&o);
    o.rounds = 2;
    assert_status(train_xgboost(r.x, r.count, 4, r.y, NULL, &o, NULL, &small), LIMIT);
}

static void
a_seed_gives_one_model_for_any_number_of_threads(void **state)
{
    (void)state;
    static const uint8_t category[] = {1, 0, 0, 0, 0, 0};
    DEFER(rows_done) struct rows r;
    rows_make(&r, 80000, 6, 42); /* enough for five threads to be used */
    struct train_options o;
    train_defaults(&o);
    o.rounds = 10;
    o.max_depth = 6;
    o.subsample = 0.7;
    o.feature_is_category = category;
    DEFER(buf_done) struct buf one = {0};
    o.threads = 1;
    train(&r, &o, &one);
    for (unsigned threads = 1; threads <= 5; threads += 2) {
        DEFER(buf_done) struct buf again = {0};
        o.threads = threads;
        train(&r, &o, &again);
        assert_true(view_equal(buf_view(&one), buf_view(&again)));
    }
    DEFER(buf_done) struct buf other = {0};
    o.seed = 2;
    train(&r, &o, &other);
    assert_false(view_equal(buf_view(&one), buf_view(&other)));
}

/* The peer, given nothing but what was kept, trains the same bytes. */
static void
the_kept_parameters_make_the_same_model(void **state)
{
    (void)state;
    static const uint8_t category[] = {1, 0, 0, 0, 0, 0};
    DEFER(rows_done) struct rows r;
    rows_make(&r, 500, 6, 3);
    struct train_options o;
    train_defaults(&o);
    o.rounds = 7;
    o.max_depth = 3;
    o.learning_rate = 0.3;
    o.subsample = 0.8;
    o.min_child_weight = 2;
    o.lambda = 0.5;
    o.seed = UINT64_MAX;
    o.feature_is_category = category;
    DEFER(buf_done) struct buf ours = {0};
    DEFER(buf_done) struct buf kept = {0};
    DEFER(buf_done) struct buf theirs = {0};
    train(&r, &o, &ours);
    buf_init(&kept, 4096);
    assert_ok(train_params_json(&o, &kept));
    DEFER(js_freep) json_t *document = NULL;
    assert_ok(js_parse(buf_view(&kept), NULL, NULL, &document));
    assert_string_equal(json_string_value(json_object_get(document, "library")), "xgboost");
    assert_non_null(json_string_value(json_object_get(document, "library_version")));
    const char *list[40] = {NULL}, *key = NULL;
    json_t *value = NULL;
    size_t n = 0;
    json_object_foreach(json_object_get(document, "parameters"), key, value)
    {
        assert_true(n + 2 < 40);
        list[n++] = key;
        list[n++] = json_string_value(value);
    }
    const unsigned rounds = (unsigned)json_integer_value(json_object_get(document, "rounds"));
    DEFER(peer_freep) struct peer *peer = peer_train(&r, true, rounds, list);
    peer_save(peer, "ubj", &theirs);
    assert_true(view_equal(buf_view(&ours), buf_view(&theirs)));
}

static void
every_option_is_kept(void **state)
{
    (void)state;
    const struct train_options o = {
        .objective = "multi:softprob",
        .classes = 3,
        .base_score = 0.25,
        .rounds = 7,
        .max_depth = 5,
        .learning_rate = 0.25,
        .subsample = 0.5,
        .min_child_weight = 2,
        .lambda = 0.75,
        .seed = 9,
        .threads = 3,
    };
    DEFER(buf_done) struct buf kept;
    buf_init(&kept, 4096);
    assert_ok(train_params_json(&o, &kept));
    assert_text_has(buf_str(&kept),
                    "\"parameters\":{\"base_score\":\"0.25\",\"eta\":\"0.25\",\"lambda\":\"0.75\","
                    "\"max_cat_to_onehot\":\"4\",\"max_depth\":\"5\",\"min_child_weight\":\"2\","
                    "\"num_class\":\"3\",\"objective\":\"multi:softprob\",\"seed\":\"9\","
                    "\"subsample\":\"0.5\",\"tree_method\":\"hist\"},\"rounds\":7}");
    assert_text_has(buf_str(&kept), "{\"library\":\"xgboost\",\"library_version\":\"");
}

static void
count_round(void *ctx, uint32_t round, uint32_t rounds)
{
    uint32_t *seen = ctx;
    assert_int_equal(round, *seen);
    assert_int_equal(rounds, 5);
    *seen += 1;
}

static void
every_objective_trains_and_loads(void **state)
{
    (void)state;
    static const struct {
        const char *objective;
        uint32_t classes;
        enum forest_link link;
    } kinds[] = {{"binary:logistic", 0, FOREST_LOGISTIC},
                 {"multi:softprob", 3, FOREST_SOFTMAX},
                 {"reg:squarederror", 0, FOREST_IDENTITY},
                 {"count:poisson", 0, FOREST_EXP}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        DEFER(rows_done) struct rows r;
        rows_make(&r, 300, 5, 9);
        struct train_options o;
        uint32_t seen = 0;
        train_defaults(&o);
        o.objective = kinds[i].objective;
        o.classes = kinds[i].classes;
        o.rounds = 5;
        o.progress = count_round;
        o.progress_ctx = &seen;
        DEFER(buf_done) struct buf model = {0};
        DEFER(forest_freep) struct forest *f = NULL;
        train(&r, &o, &model);
        assert_int_equal(seen, 5);
        assert_ok(forest_load(buf_view(&model), NULL, &f));
        assert_string_equal(f->objective, kinds[i].objective);
        assert_int_equal(f->link, kinds[i].link);
        const uint32_t outputs = kinds[i].classes == 0 ? 1 : kinds[i].classes;
        assert_int_equal(f->outputs, outputs);
        assert_int_equal(f->trees, 5 * outputs);
        assert_int_equal(f->features, 5);
    }
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(refuses_no_rows_and_no_features),
        cmocka_unit_test(refuses_options_out_of_range),
        cmocka_unit_test(refuses_a_label_with_one_class),
        cmocka_unit_test(refuses_labels_that_do_not_fit_the_objective),
        cmocka_unit_test(refuses_a_feature_without_any_value),
        cmocka_unit_test(refuses_infinities_and_categories_that_are_none),
        cmocka_unit_test(refuses_weights_below_zero_and_all_zero),
        cmocka_unit_test(tells_when_the_model_does_not_fit_the_buffer),
        cmocka_unit_test(a_seed_gives_one_model_for_any_number_of_threads),
        cmocka_unit_test(every_option_is_kept),
        cmocka_unit_test(the_kept_parameters_make_the_same_model),
        cmocka_unit_test(every_objective_trains_and_loads),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
