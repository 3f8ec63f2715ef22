#include "black_box_functions.h"

#include "assess/metric.h"
#include "num/rng.h"

#include <math.h>

#define ROWS 240u
#define PARTS 5u

static json_t *vectors;

static int
load(void **state)
{
    (void)state;
    DEFER(file_freep) char *path = testing_source("tests/assess/data/metrics.json");
    vectors = testing_read_json(path);
    return 0;
}

static int
unload(void **state)
{
    (void)state;
    js_freep(&vectors);
    return 0;
}

/* Rows of one of the three kinds of answers. */
struct answers {
    double *y, *score;
    size_t outputs;
    const json_t *metrics;
};

static void
answers_done(struct answers *a)
{
    free(a->y);
    free(a->score);
}

static struct answers
answers_of(const char *kind)
{
    const json_t *v = json_object_get(vectors, kind);
    struct answers a = {.metrics = json_object_get(v, "metrics")};
    a.outputs = (size_t)json_integer_value(json_object_get(v, "outputs"));
    a.y = numbers_of(v, "y", ROWS);
    a.score = numbers_of(v, "score", ROWS * a.outputs);
    return a;
}

static double
value_of(const struct metric *m, const struct answers *a)
{
    double v = 0;
    assert_ok(metric_of(m, a->y, a->score, ROWS, a->outputs, NULL, &v));
    return v;
}

static bool
fits(const struct metric *m, const char *kind)
{
    return m->family == METRIC_CLASSES  ? kind[0] != 'n'
           : m->family == METRIC_BINARY ? kind[0] == 'b'
                                        : kind[0] == 'n';
}

static const char *const kinds[] = {"binary", "classes", "numbers"};

static void
every_metric_is_scikit_learns(void **state)
{
    (void)state;
    for (size_t k = 0; k < 3; k++) {
        DEFER(answers_done) struct answers a = answers_of(kinds[k]);
        size_t seen = 0;
        for (const struct metric *m = metrics; m->name != NULL; m++) {
            const json_t *theirs = json_object_get(a.metrics, m->name);
            assert_true((theirs != NULL) == fits(m, kinds[k]));
            if (theirs != NULL) {
                const double v = json_number_value(theirs);
                assert_near(value_of(m, &a), v, 1e-12 * fmax(1, fabs(v)));
                seen++;
            }
        }
        assert_int_equal(seen, json_object_size(a.metrics));
    }
}

/* Rows in any order, shared out over parts that merge in any order: the same bits. */
static double
in_parts(const struct metric *m, const struct answers *a, struct rng *g)
{
    struct metric_state part[PARTS] = {0};
    size_t row[ROWS];
    double v = 0;
    for (size_t i = 0; i < ROWS; i++) {
        row[i] = i;
    }
    rng_shuffle(g, row, ROWS);
    for (size_t i = 0; i < ROWS; i++) {
        struct metric_state *s = &part[rng_below(g, 1 + rng_below(g, PARTS))];
        assert_ok(
            metric_add(m, s, &a->y[row[i]], &a->score[row[i] * a->outputs], 1, a->outputs, NULL));
    }
    for (size_t p = PARTS; p-- > 1;) {
        assert_ok(metric_merge(&part[rng_below(g, p)], &part[p]));
    }
    assert_ok(metric_finish(m, &part[0], NULL, &v));
    for (size_t p = 0; p < PARTS; p++) {
        metric_done(&part[p]);
    }
    return v;
}

static void
parts_merge_to_the_same_bits(void **state)
{
    (void)state;
    struct rng g;
    rng_init(&g, 4, "parts");
    for (size_t k = 0; k < 3; k++) {
        DEFER(answers_done) struct answers a = answers_of(kinds[k]);
        for (const struct metric *m = metrics; m->name != NULL; m++) {
            const double whole = fits(m, kinds[k]) ? value_of(m, &a) : 0;
            for (unsigned round = 0; fits(m, kinds[k]) && round < 20; round++) {
                const double v = in_parts(m, &a, &g);
                assert_memory_equal(&v, &whole, sizeof v);
            }
        }
    }
}

static void
nothing_divided_by_nothing_is_nothing(void **state)
{
    static const char *const zero[] = {"precision", "f1", "precision_macro"};
    (void)state;
    const double y[] = {1, 1, 0}, never[] = {0.1, 0.2, 0.3}, no[] = {0, 0, 0};
    double v = 1;
    assert_ok(metric_of(metric_find("precision"), y, never, 3, 1, NULL, &v));
    assert_true(v == 0);
    assert_ok(metric_of(metric_find("recall"), no, never, 3, 1, NULL, &v));
    assert_true(v == 0);
    for (size_t i = 0; i < 3; i++) {
        assert_ok(metric_of(metric_find(zero[i]), no, never, 3, 1, NULL, &v));
        assert_true(v == (i == 2 ? 1 : 0)); /* of the one class that occurs */
    }
}

static void
the_names_are_listed(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf b;
    buf_init(&b, 1024);
    metric_put_names(&b);
    const char *names = buf_str(&b);
    for (const struct metric *m = metrics; m->name != NULL; m++) {
        assert_text_has(names, m->name);
        assert_ptr_equal(metric_find(m->name), m);
    }
    assert_text_has(names, "accuracy, balanced_accuracy");
    assert_text_has(names, "r2 or explained_variance");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_metric_is_scikit_learns),
        cmocka_unit_test(parts_merge_to_the_same_bits),
        cmocka_unit_test(nothing_divided_by_nothing_is_nothing),
        cmocka_unit_test(the_names_are_listed),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
