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
options(enum moment_constraint constraint)
{
    struct gradient_options o = {.constraint = constraint, .eps = 0.02, .iterations = 50, .eta = 2};
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
    struct gradient_options o = options(MOMENT_DEMOGRAPHIC_PARITY);
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
    o = options(MOMENT_DEMOGRAPHIC_PARITY);
    o.iterations = 0;
    assert_status(run(s, &o, 2, &diag, &model, &r), INPUT);
    o.iterations = GRADIENT_MAX_ITERATIONS + 1;
    assert_status(run(s, &o, 2, &diag, &model, &r), INPUT);
    o = options(MOMENT_EQUALIZED_ODDS);
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

/* What is kept decides as it is reported. */
static void
assert_kept(const struct sample *s, const struct buf *model, const struct gradient_answer *kept)
{
    struct diag diag = {0};
    DEFER(forest_freep) struct forest *f = NULL;
    DEFER(memory_freep) double *margin = calloc(ROWS, sizeof *margin);
    double wrong = 0;
    assert_non_null(margin);
    assert_ok(forest_load(buf_view(model), &diag, &f));
    forest_margin_ref(f, s->x, ROWS, margin);
    for (size_t i = 0; i < ROWS; i++) {
        wrong += (margin[i] >= 0) != (s->y[i] > 0);
    }
    assert_near(wrong / ROWS, kept->error, 1e-12);
}

/* The mixture's error and gap, against Fairlearn's with another version of the booster. */
static void
the_mixture_is_as_fair_and_as_good_as_fairlearns(void **state)
{
    static const char *const gaps[] = {"parity_gap", "odds_gap", "positive_gap", "negative_gap",
                                       "error_gap"};
    const struct sample *s = *state;
    for (unsigned c = 0; c < MOMENT_BOUNDED_GROUP_LOSS; c++) {
        const char *key = moment_constraint_word((enum moment_constraint)c);
        const struct gradient_options o = options((enum moment_constraint)c);
        const double was = level(s, "plain", gaps[c]);
        struct diag diag = {0};
        static struct gradient_result r;
        DEFER(buf_done) struct buf model;
        buf_init(&model, 1u << 24);
        assert_ok(run(s, &o, 2, &diag, &model, &r));
        assert_true(r.game_gap < 0.05);
        assert_true(r.mixture.violation <= o.eps + (1 + 2 * fabs(r.game_gap)) * o.eps);
        assert_true(r.mixture.gap < level(s, key, gaps[c]) + 0.03);
        assert_true(r.mixture.error < level(s, key, "error") + 0.03);
        /* Without the constraint all but the error rates are far apart. */
        assert_true(c == MOMENT_ERROR_RATE_PARITY || was > 0.15);
        assert_true(r.answer[r.chosen].gap < fmax(was / 2, 2 * o.eps));
        assert_kept(s, &model, &r.answer[r.chosen]);
    }
}

static void
a_ratio_bound_brings_the_rates_as_near_as_fairlearns(void **state)
{
    const struct sample *s = *state;
    const char *key = "demographic_parity_ratio";
    struct gradient_options o = options(MOMENT_DEMOGRAPHIC_PARITY);
    struct diag diag = {0};
    static struct gradient_result r;
    DEFER(buf_done) struct buf model;
    buf_init(&model, 1u << 24);
    o.ratio_bound = 0.9;
    o.ratio_bound_slack = 0.01;
    assert_ok(run(s, &o, 2, &diag, &model, &r));
    assert_true(level(s, "plain", "parity_ratio") < 0.6);
    assert_true(r.mixture.violation <= o.ratio_bound_slack + (1 + 2 * fabs(r.game_gap)) * o.eps);
    assert_true(r.mixture.ratio > level(s, key, "parity_ratio") - 0.05);
    assert_true(r.mixture.error < level(s, key, "error") + 0.03);
    assert_true(r.answer[r.chosen].ratio > 0.75);
    assert_kept(s, &model, &r.answer[r.chosen]);
}

/* 0.17 is under what these trees, and Fairlearn's mixture of them, reach; 0.205 is not, but the
 * plain ones break it. */
static void
a_bounded_group_loss_is_as_low_as_fairlearns(void **state)
{
    const struct sample *s = *state;
    struct gradient_options o = options(MOMENT_BOUNDED_GROUP_LOSS);
    const double bounds[] = {0.17, 0.205};
    struct diag diag = {0};
    static struct gradient_result r;
    DEFER(buf_done) struct buf model;
    buf_init(&model, 1u << 24);
    assert_status(run(s, &o, 2, &diag, &model, &r), INPUT);
    assert_says(&diag, "needs a loss bound");
    assert_true(level(s, "plain", "greatest_loss") > bounds[1]);
    for (size_t i = 0; i < 2; i++) {
        const struct gradient_answer *kept = NULL;
        o.loss_bound = bounds[i];
        buf_reset(&model);
        assert_ok(run(s, &o, 2, &diag, &model, &r));
        kept = &r.answer[r.chosen];
        assert_true(i == 1 ||
                    kept->violation < level(s, "bounded_group_loss", "greatest_loss") + 0.01);
        assert_true(kept->error < level(s, "bounded_group_loss", "error") + 0.01);
        assert_true(r.mixture.violation < level(s, "plain", "greatest_loss"));
        assert_true((kept->violation <= bounds[i]) == (i == 1));
        assert_kept(s, &model, kept);
    }
}

static void
the_same_seed_gives_the_same_trees(void **state)
{
    const struct sample *s = *state;
    struct gradient_options o = options(MOMENT_DEMOGRAPHIC_PARITY);
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
        cmocka_unit_test_setup_teardown(a_ratio_bound_brings_the_rates_as_near_as_fairlearns, load,
                                        done),
        cmocka_unit_test_setup_teardown(a_bounded_group_loss_is_as_low_as_fairlearns, load, done),
        cmocka_unit_test_setup_teardown(the_same_seed_gives_the_same_trees, load, done),
    };
    return cmocka_run_group_tests_name("assess/mitigate_gradient", tests, NULL, NULL);
}
