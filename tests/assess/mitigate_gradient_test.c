#include "testing/testing.h"

#include "assess/mitigate_gradient.h"
#include "model/forest.h"

#include <math.h>

#define ROWS 600u
#define FEATURES 3u

struct sample {
    json_t *file;
    float x[ROWS * FEATURES], y[ROWS];
    int32_t group[ROWS];
};

static int
load(void **state)
{
    struct sample *s = calloc(1, sizeof *s);
    assert_non_null(s);
    DEFER(memory_freep) char *path = testing_source("tests/assess/data/gradient.json");
    s->file = testing_read_json(path);
    for (size_t i = 0; i < ROWS; i++) {
        s->y[i] = (float)json_number_value(json_array_get(json_object_get(s->file, "y"), i));
        s->group[i] =
            (int32_t)json_integer_value(json_array_get(json_object_get(s->file, "group"), i));
        for (size_t f = 0; f < FEATURES; f++) {
            const json_t *v = json_array_get(json_object_get(s->file, "x"), i * FEATURES + f);
            s->x[i * FEATURES + f] = (float)json_number_value(v);
        }
    }
    *state = s;
    return 0;
}

static int
done(void **state)
{
    struct sample *s = *state;
    json_decref(s->file);
    free(s);
    return 0;
}

static struct gradient_options
options(bool odds)
{
    struct gradient_options o = {.equalized_odds = odds, .eps = 0.02, .iterations = 50, .eta = 2};
    train_defaults(&o.train);
    o.train.rounds = 15;
    o.train.max_depth = 3;
    o.train.learning_rate = 0.3;
    o.train.threads = 1;
    return o;
}

static struct status
run(const struct sample *s, const struct gradient_options *o, uint32_t groups, struct diag *diag,
    struct buf *model, struct gradient_result *r)
{
    return gradient_mitigate(s->x, ROWS, FEATURES, s->y, s->group, groups, o, diag, model, r);
}

static void
options_and_groups_out_of_range_are_refused(void **state)
{
    struct sample *s = *state;
    struct diag diag = {0};
    static struct gradient_result r;
    DEFER(buf_done) struct buf model;
    buf_init(&model, 1u << 24);
    struct gradient_options o = options(false);
    assert_status(run(s, &o, 1, &diag, &model, &r), INPUT);
    assert_status(run(s, &o, GRADIENT_MAX_GROUPS + 1, &diag, &model, &r), INPUT);
    assert_status(run(s, &o, 3, &diag, &model, &r), INPUT);
    assert_says(&diag, "group 2: no rows to train on");
    const double bad[] = {0, -1, 1, NAN};
    for (size_t i = 0; i < 4; i++) {
        o.eps = bad[i];
        assert_status(run(s, &o, 2, &diag, &model, &r), INPUT);
        assert_says(&diag, "out of range");
    }
    o = options(false);
    o.iterations = 0;
    assert_status(run(s, &o, 2, &diag, &model, &r), INPUT);
    o.iterations = GRADIENT_MAX_ITERATIONS + 1;
    assert_status(run(s, &o, 2, &diag, &model, &r), INPUT);
    o = options(true);
    for (size_t i = 0; i < ROWS; i++) {
        s->y[i] = s->group[i] == 1 ? 1 : s->y[i];
    }
    assert_status(run(s, &o, 2, &diag, &model, &r), INPUT);
    assert_says(&diag, "group 1: no rows with the negative label");
    assert_int_equal(model.len, 0);
}

static double
level(const struct sample *s, const char *key, const char *what)
{
    const json_t *v = json_object_get(json_object_get(s->file, key), what);
    assert_true(json_is_number(v));
    return json_number_value(v);
}

/* The mixture's error and gap, against Fairlearn's with another version of the booster. */
static void
the_mixture_is_as_fair_and_as_good_as_fairlearns(void **state)
{
    const struct sample *s = *state;
    for (unsigned odds = 0; odds < 2; odds++) {
        const char *key = odds ? "equalized_odds" : "demographic_parity";
        const char *gap = odds ? "odds_gap" : "parity_gap";
        const struct gradient_options o = options(odds == 1);
        struct diag diag = {0};
        static struct gradient_result r;
        DEFER(buf_done) struct buf model;
        buf_init(&model, 1u << 24);
        assert_ok(run(s, &o, 2, &diag, &model, &r));
        assert_true(level(s, "plain", gap) > 0.15);
        assert_true(r.game_gap < 0.05);
        assert_true(r.mixture.violation <= o.eps + (1 + 2 * fabs(r.game_gap)) * o.eps);
        assert_true(r.mixture.gap < level(s, key, gap) + 0.03);
        assert_true(r.mixture.error < level(s, key, "error") + 0.03);
        assert_true(r.answer[r.chosen].gap < level(s, "plain", gap) / 2);
        /* What is kept decides as it is reported. */
        DEFER(forest_freep) struct forest *f = NULL;
        DEFER(memory_freep) double *margin = calloc(ROWS, sizeof *margin);
        assert_non_null(margin);
        assert_ok(forest_load(buf_view(&model), &diag, &f));
        forest_margin_ref(f, s->x, ROWS, margin);
        double wrong = 0;
        for (size_t i = 0; i < ROWS; i++) {
            wrong += (margin[i] >= 0) != (s->y[i] > 0);
        }
        assert_near(wrong / ROWS, r.answer[r.chosen].error, 1e-12);
    }
}

static void
the_same_seed_gives_the_same_trees(void **state)
{
    const struct sample *s = *state;
    struct gradient_options o = options(false);
    struct diag diag = {0};
    static struct gradient_result r;
    DEFER(buf_done) struct buf one;
    DEFER(buf_done) struct buf two;
    buf_init(&one, 1u << 24);
    buf_init(&two, 1u << 24);
    o.iterations = 6;
    assert_ok(run(s, &o, 2, &diag, &one, &r));
    o.train.threads = 2;
    assert_ok(run(s, &o, 2, &diag, &two, &r));
    assert_true(view_equal(buf_view(&one), buf_view(&two)));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(options_and_groups_out_of_range_are_refused, load, done),
        cmocka_unit_test_setup_teardown(the_mixture_is_as_fair_and_as_good_as_fairlearns, load,
                                        done),
        cmocka_unit_test_setup_teardown(the_same_seed_gives_the_same_trees, load, done),
    };
    return cmocka_run_group_tests_name("assess/mitigate_gradient", tests, NULL, NULL);
}
