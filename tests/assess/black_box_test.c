/* Profiles, accumulated local effects, permutation importance and surrogates of black boxes,
 * against scikit-learn and PyALE (versions in data/black_box.json) and closed forms. */
#include "black_box_functions.h"

#include "assess/ale.h"
#include "assess/permutation_importance.h"
#include "assess/profile.h"
#include "assess/surrogate.h"
#include "num/rng.h"

#define ROWS 160u

static json_t *vectors;
static double *x;
static struct functions wavy_box = {.of = {wavy}, .features = 5, .outputs = 1},
                        both_box = {.of = {wavy, logistic}, .features = 5, .outputs = 2},
                        logistic_box = {.of = {logistic}, .features = 5, .outputs = 1};

static int
load(void **state)
{
    (void)state;
    vectors = black_box_vectors();
    x = numbers_of(vectors, "x", ROWS * 5);
    return 0;
}

static int
unload(void **state)
{
    (void)state;
    js_freep(&vectors);
    free(x);
    return 0;
}

static double
not_a_number(const double *row)
{
    return row[0] > 2 ? (double)NAN : row[1];
}

static double
seven(const double *row)
{
    (void)row;
    return 7;
}

static double
two_x_less_y(const double *row)
{
    return 2 * row[0] - row[1];
}

/* ---- grids and profiles ---- */

static void
grid_of(const double *v, size_t n, size_t most, double *ret_grid, size_t *ret_points, bool *ret_all)
{
    DEFER(counted_done) struct counted values = {0};
    assert_ok(counted_add(&values, v, n, 1));
    assert_ok(counted_settle(&values));
    profile_grid(&values, most, ret_grid, ret_points, ret_all);
}

static void
a_grid_leaves_missing_values_out_and_names_what_is_all(void **state)
{
    (void)state;
    const double v[] = {3, 1, (double)NAN, 2, 2, 1};
    double grid[8];
    size_t points = 9;
    bool all = false;
    grid_of(v, 6, 8, grid, &points, &all);
    assert_true(points == 3 && all && grid[0] == 1 && grid[1] == 2 && grid[2] == 3);
    grid_of(v, 6, 2, grid, &points, &all);
    assert_true(points == 2 && !all && grid[0] == 1 && grid[1] == 3);
    grid_of(v + 2, 1, 8, grid, &points, &all);
    assert_true(points == 0);
    grid_of(v, 0, 8, grid, &points, &all);
    assert_true(points == 0);
    double many_values[1000];
    for (size_t i = 0; i < 1000; i++) {
        many_values[i] = (double)((i * 389) % 1000);
    }
    grid_of(many_values, 1000, 5, grid, &points, &all);
    assert_true(points == 5 && !all && grid[0] == 0 && grid[1] == 249 && grid[4] == 999);
}

static void
profiles_are_scikit_learns(void **state)
{
    (void)state;
    const json_t *list = json_object_get(vectors, "profiles");
    assert_int_equal(json_array_size(list), 3);
    static const size_t curve[] = {0, 1, 2, 3, 4};
    for (size_t k = 0; k < 3; k++) {
        const json_t *v = json_array_get(list, k);
        const size_t points = json_array_size(json_object_get(v, "grid"));
        DEFER(memory_freep) double *grid = numbers_of(v, "grid", points);
        DEFER(memory_freep) double *mean = numbers_of(v, "average", points);
        DEFER(memory_freep) double *individual = numbers_of(v, "individual", 5 * points);
        double mine[2 * 8], error[2 * 8], curves[2 * 5 * 8];
        const struct black_box_rows all = {x, ROWS};
        const struct black_box box = box_of(&both_box, 50);
        const struct profile_input in = {
            &all, 1, (size_t)json_integer_value(json_object_get(v, "feature")), grid, points, curve,
            5,    2};
        assert_ok(profile_feature(&box, &in, NULL, mine, error, curves));
        for (size_t i = 0; i < points; i++) {
            assert_near(mine[i], mean[i], 1e-12);
            assert_true(error[i] > 0);
        }
        for (size_t i = 0; i < 5 * points; i++) {
            assert_near(curves[i], individual[i], 1e-12);
        }
    }
}

static void
a_profile_of_one_row_has_no_error_and_nan_is_refused(void **state)
{
    (void)state;
    struct functions f = {.of = {not_a_number}, .features = 2, .outputs = 1};
    const struct black_box box = box_of(&f, 50);
    const double row[] = {0, 4}, grid[] = {1, 2, 3};
    double mean[3], error[3];
    struct diag diag = {0};
    const struct black_box_rows one = {row, 1};
    struct profile_input in = {&one, 1, 0, grid, 2, NULL, 0, 1};
    assert_ok(profile_feature(&box, &in, &diag, mean, error, NULL));
    assert_true(mean[0] == 4 && mean[1] == 4 && isnan(error[0]));
    in.points = 3;
    assert_status(profile_feature(&box, &in, &diag, mean, error, NULL), INPUT);
    assert_says(&diag, "NaN");
}

/* ---- accumulated local effects ---- */

static void
effects_are_pyales(void **state)
{
    (void)state;
    static const size_t order[] = {0, 1, 2, 3};
    const json_t *list = json_object_get(vectors, "ale");
    assert_int_equal(json_array_size(list), 4);
    for (size_t k = 0; k < 4; k++) {
        const json_t *v = json_array_get(list, k);
        const size_t points = json_array_size(json_object_get(v, "at"));
        DEFER(memory_freep) double *at = numbers_of(v, "at", points);
        DEFER(memory_freep) double *effect = numbers_of(v, "effect", points);
        DEFER(memory_freep) double *size = numbers_of(v, "size", points);
        const size_t bins = (size_t)json_integer_value(json_object_get(v, "bins"));
        const struct black_box box = box_of(&both_box, 33);
        const struct black_box_rows all = {x, ROWS};
        const struct ale_input in = {&all,
                                     1,
                                     (size_t)json_integer_value(json_object_get(v, "feature")),
                                     bins,
                                     bins == 0 ? order : NULL,
                                     4,
                                     2};
        DEFER(ale_done) struct ale a = {0};
        assert_ok(ale_feature(&box, &in, NULL, &a));
        assert_int_equal(a.points, points);
        assert_true(a.rows == ROWS && a.missing == 0);
        for (size_t i = 0; i < points; i++) {
            assert_near(a.at[i], at[i], 0);
            assert_near(a.effect[i], effect[i], 1e-12);
            assert_near((double)a.count[i], size[i], 0);
            assert_true(a.error[i] > 0);
        }
    }
}

static void
effects_of_a_linear_model_are_its_lines(void **state)
{
    (void)state;
    struct functions f = {.of = {two_x_less_y}, .features = 2, .outputs = 1};
    const struct black_box box = box_of(&f, 64);
    double rows[2 * 1000];
    struct rng r;
    rng_init(&r, 8, "test");
    for (size_t i = 0; i < 1000;
         i++) { /* strongly dependent: partial dependence would leave them */
        rows[2 * i] = rng_normal(&r);
        rows[2 * i + 1] = rows[2 * i] + 0.01 * rng_normal(&r);
    }
    rows[0] = (double)NAN; /* left out, and told */
    const struct black_box_rows all = {rows, 1000};
    const struct ale_input in = {&all, 1, 0, 20, NULL, 0, 1};
    DEFER(ale_done) struct ale a = {0};
    assert_ok(ale_feature(&box, &in, NULL, &a));
    assert_true(a.points == 21 && a.rows == 999 && a.missing == 1);
    for (size_t i = 1; i < a.points; i++) {
        assert_near(a.effect[i] - a.effect[0], 2 * (a.at[i] - a.at[0]), 1e-12);
        assert_near(a.error[i], 0, 1e-10);
    }
}

static void
one_value_has_no_effect(void **state)
{
    (void)state;
    static const size_t order[] = {2, 1, 0};
    const double rows[] = {1, 5, 1, 6, (double)NAN, 7};
    struct functions f = {.of = {two_x_less_y}, .features = 2, .outputs = 1};
    const struct black_box box = box_of(&f, 64);
    const struct black_box_rows all = {rows, 3};
    struct ale_input in = {&all, 1, 0, 20, NULL, 0, 1};
    for (int k = 0; k < 2; k++) {
        DEFER(ale_done) struct ale a = {0};
        assert_ok(ale_feature(&box, &in, NULL, &a));
        assert_true(a.points == 1 && a.rows == 2 && a.missing == 1);
        assert_true(a.at[0] == 1 && a.effect[0] == 0 && a.count[0] == 2);
        in.order = order;
        in.levels = 3;
    }
    const double missing[] = {(double)NAN, 1};
    DEFER(ale_done) struct ale none = {0};
    const struct black_box_rows gone = {missing, 1};
    in = (struct ale_input){&gone, 1, 0, 20, NULL, 0, 1};
    assert_ok(ale_feature(&box, &in, NULL, &none));
    assert_true(none.points == 0 && none.missing == 1);
}

static void
stated_errors_of_effects_cover(void **state)
{
    (void)state;
    struct functions f = {.of = {wavy}, .features = 5, .outputs = 1};
    const struct black_box box = box_of(&f, 1000);
    struct rng r;
    rng_init(&r, 11, "test");
    size_t covered = 0;
    for (int sample = 0; sample < 200;
         sample++) {                /* x1 = 0: sin and a half of the other: truth is */
        double rows[200 * 5] = {0}; /* E of x0 (x1 - 1/2): slope E(x1) - 1/2 = -1/2 */
        for (size_t i = 0; i < 200; i++) {
            rows[i * 5] = (double)i / 199;
            rows[i * 5 + 1] = rng_normal(&r);
        }
        const struct black_box_rows all = {rows, 200};
        const struct ale_input in = {&all, 1, 0, 10, NULL, 0, 1};
        DEFER(ale_done) struct ale a = {0};
        assert_ok(ale_feature(&box, &in, NULL, &a));
        const double truth = -0.5 * (a.at[10] - 0.5);
        covered +=
            fabs(a.effect[10] - truth) < 1.96 * a.error[10] + 0.0015; /* centre: half a step */
    }
    assert_true(covered > 178 && covered < 199);
}

static void
levels_alike_stand_beside_each_other(void **state)
{
    (void)state;
    static const double place[] = {5, 1, 4, 2, 3}; /* of the levels on the hidden line */
    double rows[500 * 3];
    const uint32_t levels[] = {6, 0, 5};
    size_t order[6];
    struct rng r;
    rng_init(&r, 2, "test");
    for (size_t i = 0; i < 500; i++) { /* level 5 of 6 never occurs; one row has none */
        rows[3 * i] = (double)(i % 5);
        rows[3 * i + 1] = place[i % 5] + rng_normal(&r);
        rows[3 * i + 2] = floor(fmin(4, fmax(0, place[i % 5] - 1 + 0.7 * rng_normal(&r))));
    }
    rows[0] = (double)NAN;
    const struct black_box_rows all = {rows, 500};
    assert_ok(ale_order(&all, 1, 3, 0, levels, order));
    static const size_t expected[] = {0, 2, 4, 3, 1, 5};
    assert_memory_equal(order, expected, sizeof expected);
}

/* ---- permutation importance ---- */

static void
refuses_metrics_that_cannot_be_taken(void **state)
{
    (void)state;
    const double score[] = {0.2, 0.7}, classes[] = {0.1, 0.9, 0.4, 0.6}, wild[] = {0.2, 1.7};
    const double y[] = {0, 1}, same[] = {1, 1}, half[] = {0, 0.5}, missing[] = {0, (double)NAN};
    struct diag d = {0};
    double v = 0;
    assert_null(metric_find("acuracy"));
    assert_ok(metric_of(metric_find("roc_auc"), y, score, 2, 1, &d, &v));
    assert_status(metric_of(metric_find("roc_auc"), same, score, 2, 1, &d, &v), INPUT);
    assert_says(&d, "two different ones");
    assert_status(metric_of(metric_find("r2"), same, score, 2, 1, &d, &v), INPUT);
    assert_status(metric_of(metric_find("roc_auc"), y, classes, 2, 2, &d, &v), INPUT);
    assert_says(&d, "the model has 2");
    assert_status(metric_of(metric_find("accuracy"), half, score, 2, 1, &d, &v), INPUT);
    assert_says(&d, "row 2 is 0.5");
    assert_status(metric_of(metric_find("rmse"), missing, score, 2, 1, &d, &v), INPUT);
    assert_says(&d, "row 2 has no label");
    assert_status(metric_of(metric_find("log_loss"), y, wild, 2, 1, &d, &v), INPUT);
    assert_says(&d, "1.7");
    assert_ok(metric_of(metric_find("rmse"), y, wild, 2, 1, &d, &v));
    assert_status(metric_of(metric_find("mae"), y, score, 0, 1, &d, &v), INPUT);
}

static double
metric_value(const char *name, const double *y, const double *score, size_t rows, size_t outputs)
{
    double v = 0;
    assert_ok(metric_of(metric_find(name), y, score, rows, outputs, NULL, &v));
    return v;
}

static void
metrics_of_classes_are_by_hand(void **state)
{
    (void)state;
    const double score[] = {0.5, 0.3, 0.2, 0.1, 0.1, 0.8, 0.2, 0.6, 0.2}, y[] = {0, 1, 1};
    assert_near(metric_value("accuracy", y, score, 3, 3), 2.0 / 3, 1e-15);
    assert_near(metric_value("log_loss", y, score, 3, 3), -(log(0.5) + log(0.1) + log(0.6)) / 3,
                1e-15);
    const double one[] = {0.3, 0.3, 0.9}, label[] = {0, 1, 1};
    assert_near(metric_value("roc_auc", label, one, 3, 1), 0.75, 0); /* a tie is half */
}

static void
importance_is_scikit_learns(const char *family, const char *name, struct functions *f,
                            const double *y)
{
    const json_t *v =
        json_object_get(json_object_get(json_object_get(vectors, "importance"), family), name);
    DEFER(memory_freep) double *mean = numbers_of(v, "mean", 5);
    DEFER(memory_freep) double *sd = numbers_of(v, "sd", 5);
    const struct black_box box = box_of(f, 1000);
    struct permutation_importance p[5];
    double baseline = 0;
    const struct permutation_rows all = {x, y, ROWS};
    const struct permutation_input in = {&all, 1, metric_find(name), 200, 0.95, 3, 2};
    assert_ok(permutation_importance(&box, &in, NULL, &baseline, p));
    assert_near(baseline, json_number_value(json_object_get(v, "baseline")), 1e-12);
    for (size_t i = 0; i < 5; i++) { /* their thousands of repeats are as good as the truth */
        assert_near(p[i].mean, mean[i], 4 * sd[i] / sqrt(200) + 1e-12);
        assert_near(p[i].sd, sd[i], 0.25 * sd[i] + 1e-12);
        assert_true(p[i].interval.low <= p[i].mean && p[i].mean <= p[i].interval.high);
        assert_near(p[i].interval.high - p[i].mean, 1.97196 * p[i].sd / sqrt(200),
                    1e-4 * p[i].sd + 1e-15); /* t, 199 degrees */
    }
}

static void
importances_are_scikit_learns_within_their_error(void **state)
{
    (void)state;
    const json_t *v = json_object_get(vectors, "importance");
    DEFER(memory_freep) double *y = numbers_of(v, "y", ROWS);
    DEFER(memory_freep) double *label = numbers_of(v, "label", ROWS);
    importance_is_scikit_learns("regression", "rmse", &wavy_box, y);
    importance_is_scikit_learns("regression", "mae", &wavy_box, y);
    importance_is_scikit_learns("regression", "r2", &wavy_box, y);
    importance_is_scikit_learns("binary", "accuracy", &logistic_box, label);
    importance_is_scikit_learns("binary", "log_loss", &logistic_box, label);
    importance_is_scikit_learns("binary", "roc_auc", &logistic_box, label);
    importance_is_scikit_learns("binary", "brier_score", &logistic_box, label);
}

static void
importance_is_the_same_for_any_threads_and_nothing_for_the_unread(void **state)
{
    (void)state;
    const json_t *v = json_object_get(vectors, "importance");
    DEFER(memory_freep) double *label = numbers_of(v, "label", ROWS);
    struct black_box box = box_of(&logistic_box, 1000);
    struct permutation_importance one[5], other[5];
    double baseline = 0;
    struct permutation_rows all = {x, label, ROWS};
    struct permutation_input in = {&all, 1, metric_find("log_loss"), 5, 0.9, 3, 1};
    assert_ok(permutation_importance(&box, &in, NULL, &baseline, one));
    in.threads = 4;
    box.batch = 7;
    assert_ok(permutation_importance(&box, &in, NULL, &baseline, other));
    assert_memory_equal(one, other, sizeof one);
    assert_true(one[4].mean == 0 && one[4].sd == 0 && one[4].interval.high == 0);
    assert_true(one[0].mean > 0.05);
    in.seed = 4;
    assert_ok(permutation_importance(&box, &in, NULL, &baseline, other));
    assert_memory_not_equal(one, other, sizeof one);
}

/* The rows in another order: the very importances, and the very tree. */
static void
the_order_of_rows_changes_no_importance_and_no_surrogate(void **state)
{
    (void)state;
    const json_t *v = json_object_get(vectors, "importance");
    DEFER(memory_freep) double *label = numbers_of(v, "label", ROWS);
    static double rows[5 * ROWS], labels[ROWS];
    static size_t item[ROWS];
    static const uint32_t levels[5];
    struct black_box box = box_of(&logistic_box, 1000);
    struct permutation_importance one[5], other[5];
    double baseline = 0, again = 0;
    struct rng r;
    rng_init(&r, 8, "order");
    for (size_t i = 0; i < ROWS; i++) {
        item[i] = i;
    }
    rng_shuffle(&r, item, ROWS);
    for (size_t i = 0; i < ROWS; i++) {
        memcpy(rows + 5 * i, x + 5 * item[i], 5 * sizeof *rows);
        labels[i] = label[item[i]];
    }
    struct permutation_rows all = {x, label, ROWS};
    struct permutation_input in = {&all, 1, metric_find("log_loss"), 5, 0.9, 3, 1};
    assert_ok(permutation_importance(&box, &in, NULL, &baseline, one));
    all = (struct permutation_rows){rows, labels, ROWS};
    assert_ok(permutation_importance(&box, &in, NULL, &again, other));
    assert_true(baseline == again);
    assert_memory_equal(one, other, sizeof one);
    const struct surrogate_options tree = {.level_count = levels,
                                           .leaves = 6,
                                           .depth = 3,
                                           .least = 5,
                                           .held_out = 0.3,
                                           .threshold = 0.5,
                                           .seed = 5,
                                           .threads = 1};
    DEFER(surrogate_done) struct surrogate s = {0}, t = {0};
    assert_ok(surrogate_grow(&box, x, ROWS, 0, &tree, NULL, &s));
    assert_ok(surrogate_grow(&box, rows, ROWS, 0, &tree, NULL, &t));
    assert_int_equal(s.nodes, t.nodes);
    assert_near(s.fidelity, t.fidelity, 1e-12);
    for (size_t i = 0; i < s.nodes; i++) {
        assert_int_equal(s.node[i].rows, t.node[i].rows);
        assert_near(s.node[i].value, t.node[i].value, 1e-12);
    }
}

/* ---- surrogates ---- */

static const uint32_t numeric[5];

static struct surrogate_options
all_rows(void)
{
    return (struct surrogate_options){.level_count = numeric,
                                      .leaves = 6,
                                      .depth = 3,
                                      .least = 5,
                                      .floor = -1,
                                      .threshold = (double)NAN,
                                      .seed = 1,
                                      .threads = 2};
}

static void
surrogates_are_scikit_learns_trees(void **state)
{
    (void)state;
    const json_t *list = json_object_get(vectors, "trees");
    assert_int_equal(json_array_size(list), 3);
    for (size_t k = 0; k < 3; k++) {
        const json_t *v = json_array_get(list, k);
        struct functions *f = k == 1 ? &logistic_box : &wavy_box;
        const struct black_box box = box_of(f, 77);
        struct surrogate_options in = all_rows();
        in.leaves = (size_t)json_integer_value(json_object_get(v, "leaves"));
        in.depth = (size_t)json_integer_value(json_object_get(v, "depth"));
        in.least = (size_t)json_integer_value(json_object_get(v, "least"));
        DEFER(memory_freep) double *theirs = numbers_of(v, "predictions", 30);
        DEFER(surrogate_done) struct surrogate s = {0};
        assert_ok(surrogate_grow(&box, x, ROWS, 0, &in, NULL, &s));
        assert_int_equal(s.leaves, json_integer_value(json_object_get(v, "leaf_count")));
        assert_near(s.fidelity, json_number_value(json_object_get(v, "r2")), 1e-12);
        assert_int_equal(s.node[0].feature, json_integer_value(json_object_get(v, "root_feature")));
        for (size_t i = 0; i < 30; i++) {
            assert_near(surrogate_answer(&s, x + i * 5), theirs[i], 1e-10);
        }
    }
}

static void
a_tree_that_does_not_imitate_is_refused(void **state)
{
    (void)state;
    const struct black_box box = box_of(&wavy_box, 77);
    struct surrogate_options in = all_rows();
    struct diag diag = {0};
    in.floor = SURROGATE_FLOOR;
    in.held_out = 0.3;
    DEFER(surrogate_done) struct surrogate s = {0};
    assert_ok(surrogate_grow(&box, x, ROWS, 0, &in, &diag, &s));
    assert_true(s.refused && s.node == NULL && s.nodes == 0);
    assert_true(s.fidelity < 0.8 && s.measured_on == 48 && s.grown_on == 112);
    assert_status(surrogate_grow(&box, x, SURROGATE_LEAST_ROWS - 1, 0, &in, &diag, &s), INPUT);
    assert_says(&diag, "needs 20");
}

static void
a_constant_model_is_one_leaf_without_fidelity(void **state)
{
    (void)state;
    struct functions f = {.of = {seven}, .features = 5, .outputs = 1};
    const struct black_box box = box_of(&f, 77);
    struct surrogate_options in = all_rows();
    in.floor = 0.8;
    DEFER(surrogate_done) struct surrogate s = {0};
    assert_ok(surrogate_grow(&box, x, ROWS, 0, &in, NULL, &s));
    assert_true(s.leaves == 1 && s.nodes == 1 && isnan(s.fidelity) && !s.refused);
    assert_true(surrogate_answer(&s, x) == 7);
}

/* A tree: a category of 300 levels, a number with missing values. */
static double
a_tree(const double *row)
{
    if (row[0] == 3 || row[0] == 7 || row[0] == 11) {
        return 0.9;
    }
    return isnan(row[1]) || row[1] > 0.25 ? 0.6 : 0.1;
}

static void
a_tree_is_found_again(void **state)
{
    (void)state;
    struct functions f = {.of = {a_tree}, .features = 2, .outputs = 1};
    const struct black_box box = box_of(&f, 500);
    static double rows[2 * 6000];
    const uint32_t levels[] = {300, 0};
    struct rng r;
    rng_init(&r, 12, "test");
    for (size_t i = 0; i < 6000; i++) {
        rows[2 * i] = (double)(i % 2 == 0 ? rng_below(&r, 15) : rng_below(&r, 300));
        rows[2 * i + 1] = i % 10 == 0 ? (double)NAN : rng_normal(&r);
    }
    rows[1] = (double)NAN;
    rows[0] = 3;
    struct surrogate_options in = {.level_count = levels,
                                   .leaves = 8,
                                   .depth = 3,
                                   .least = 10,
                                   .held_out = 0.3,
                                   .floor = 0.8,
                                   .threshold = 0.5,
                                   .seed = 5,
                                   .threads = 1};
    DEFER(surrogate_done) struct surrogate s = {0}, t = {0};
    assert_ok(surrogate_grow(&box, rows, 6000, 0, &in, NULL, &s));
    assert_true(s.fidelity > 0.97 && s.agreement > 0.99 && !s.refused);
    in.threads = 3;
    assert_ok(surrogate_grow(&box, rows, 6000, 0, &in, NULL, &t));
    for (size_t i = 0; i < 200; i++) {
        const bool at_the_cut = fabs(rows[2 * i + 1] - 0.25) < 0.03; /* bins are that fine */
        assert_near(surrogate_answer(&s, rows + 2 * i), a_tree(rows + 2 * i),
                    at_the_cut ? 1 : 0.03);
        assert_true(surrogate_answer(&s, rows + 2 * i) == surrogate_answer(&t, rows + 2 * i));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_grid_leaves_missing_values_out_and_names_what_is_all),
        cmocka_unit_test(profiles_are_scikit_learns),
        cmocka_unit_test(a_profile_of_one_row_has_no_error_and_nan_is_refused),
        cmocka_unit_test(effects_are_pyales),
        cmocka_unit_test(effects_of_a_linear_model_are_its_lines),
        cmocka_unit_test(one_value_has_no_effect),
        cmocka_unit_test(stated_errors_of_effects_cover),
        cmocka_unit_test(levels_alike_stand_beside_each_other),
        cmocka_unit_test(refuses_metrics_that_cannot_be_taken),
        cmocka_unit_test(metrics_of_classes_are_by_hand),
        cmocka_unit_test(importances_are_scikit_learns_within_their_error),
        cmocka_unit_test(importance_is_the_same_for_any_threads_and_nothing_for_the_unread),
        cmocka_unit_test(the_order_of_rows_changes_no_importance_and_no_surrogate),
        cmocka_unit_test(surrogates_are_scikit_learns_trees),
        cmocka_unit_test(a_tree_that_does_not_imitate_is_refused),
        cmocka_unit_test(a_constant_model_is_one_leaf_without_fidelity),
        cmocka_unit_test(a_tree_is_found_again),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
