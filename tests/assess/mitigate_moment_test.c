#include "testing/testing.h"

#include "assess/mitigate_moment.h"

#include <math.h>

#define ROWS 90u
#define GROUPS 3u

struct sample {
    json_t *file;
    float y[ROWS];
    int32_t group[ROWS];
    double chance[ROWS];
};

static int
load(void **state)
{
    struct sample *s = calloc(1, sizeof *s);
    assert_non_null(s);
    DEFER(memory_freep) char *path = testing_source("tests/assess/data/moment.json");
    s->file = testing_read_json(path);
    assert_int_equal(json_array_size(json_object_get(s->file, "y")), ROWS);
    for (size_t i = 0; i < ROWS; i++) {
        s->y[i] = (float)json_number_value(json_array_get(json_object_get(s->file, "y"), i));
        s->group[i] =
            (int32_t)json_integer_value(json_array_get(json_object_get(s->file, "group"), i));
        s->chance[i] = json_number_value(json_array_get(json_object_get(s->file, "chance"), i));
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

static struct status
init(const struct sample *s, enum moment_constraint c, const struct moment_bounds *b,
     uint32_t groups, struct diag *diag, struct moment *m)
{
    return moment_init(m, c, b, s->y, s->group, ROWS, groups, diag);
}

/* ---- bad input ---- */

static void
bounds_out_of_range_are_refused(void **state)
{
    const struct sample *s = *state;
    const double bad[] = {-0.1, 1.5, (double)NAN};
    struct diag diag = {0};
    struct moment m;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const struct moment_bounds all[] = {
            {.difference = bad[i]}, {.ratio = bad[i]}, {.ratio = 0.8, .slack = bad[i]}};
        for (size_t k = 0; k < 3; k++) {
            assert_status(init(s, MOMENT_ERROR_RATE_PARITY, &all[k], GROUPS, &diag, &m), INPUT);
            assert_says(&diag, "out of range");
        }
        const struct moment_bounds loss = {.loss = bad[i]};
        assert_status(init(s, MOMENT_BOUNDED_GROUP_LOSS, &loss, GROUPS, &diag, &m), INPUT);
        assert_says(&diag, "needs a loss bound");
    }
    const struct moment_bounds none = {.difference = 0.1}, both = {.ratio = 0.8, .loss = 0.2};
    assert_status(init(s, MOMENT_BOUNDED_GROUP_LOSS, &none, GROUPS, &diag, &m), INPUT);
    assert_says(&diag, "needs a loss bound");
    assert_status(init(s, MOMENT_BOUNDED_GROUP_LOSS, &both, GROUPS, &diag, &m), INPUT);
    assert_says(&diag, "compares no groups");
    enum moment_constraint c = MOMENT_EQUALIZED_ODDS;
    assert_status(moment_constraint_from_word("true_negative_rate_parity", &c), INPUT);
    assert_int_equal(c, MOMENT_EQUALIZED_ODDS);
}

static void
a_group_without_rows_of_the_label_is_refused(void **state)
{
    struct sample *s = *state;
    const struct moment_bounds b = {.difference = 0.1, .loss = 0.2};
    struct diag diag = {0};
    struct moment m;
    for (size_t i = 0; i < ROWS; i++) {
        s->y[i] = s->group[i] == 1 ? 1 : s->y[i];
    }
    assert_status(init(s, MOMENT_FALSE_POSITIVE_RATE_PARITY, &b, GROUPS, &diag, &m), INPUT);
    assert_says(&diag, "group 1: no rows with the negative label");
    assert_status(init(s, MOMENT_EQUALIZED_ODDS, &b, GROUPS, &diag, &m), INPUT);
    assert_says(&diag, "group 1: no rows with the negative label");
    assert_ok(init(s, MOMENT_TRUE_POSITIVE_RATE_PARITY, &b, GROUPS, &diag, &m));
    assert_ok(init(s, MOMENT_ERROR_RATE_PARITY, &b, GROUPS, &diag, &m));
    for (size_t i = 0; i < ROWS; i++) {
        s->y[i] = s->group[i] == 1 ? 0 : s->y[i];
    }
    assert_status(init(s, MOMENT_TRUE_POSITIVE_RATE_PARITY, &b, GROUPS, &diag, &m), INPUT);
    assert_says(&diag, "group 1: no rows with the positive label");
    assert_status(init(s, MOMENT_BOUNDED_GROUP_LOSS, &b, GROUPS + 1, &diag, &m), INPUT);
    assert_says(&diag, "group 3: no rows to train on");
}

/* ---- against Fairlearn ---- */

static double
at(const json_t *o, const char *key, size_t i)
{
    const json_t *v = json_array_get(json_object_get(o, key), i);
    assert_true(json_is_number(v));
    return json_number_value(v);
}

static void
take_case(const struct sample *s, const json_t *v, struct moment *m)
{
    struct diag diag = {0};
    enum moment_constraint c = MOMENT_DEMOGRAPHIC_PARITY;
    const struct moment_bounds b = {
        json_number_value(json_object_get(v, "difference_bound")),
        json_number_value(json_object_get(v, "ratio_bound")),
        json_number_value(json_object_get(v, "ratio_bound_slack")),
        json_number_value(json_object_get(v, "loss_bound")),
    };
    assert_ok(moment_constraint_from_word(json_string_value(json_object_get(v, "constraint")), &c));
    assert_ok(init(s, c, &b, GROUPS, &diag, m));
}

static void
gammas_bounds_and_weights_equal_fairlearns(void **state)
{
    const struct sample *s = *state;
    const json_t *cases = json_object_get(s->file, "cases");
    assert_int_equal(json_array_size(cases), 16);
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *v = json_array_get(cases, i);
        struct moment m;
        double price[MOMENT_MAX], worth[ROWS];
        take_case(s, v, &m);
        const struct moment_rates r = moment_rates_of(&m, s->y, s->group, ROWS, s->chance, 1);
        assert_near(r.error, json_number_value(json_object_get(s->file, "error")), 1e-14);
        assert_near(m.bound, json_number_value(json_object_get(v, "bound")), 0);
        assert_int_equal(json_array_size(json_object_get(v, "gamma")), moment_count(&m));
        for (uint32_t e = 0, n = 0; e < m.events; e++) {
            for (uint32_t k = 0; k < m.groups; k++) {
                for (uint32_t side = 0; side < m.sides; side++, n++) {
                    assert_int_equal(moment_index(&m, e, k, side), n);
                    assert_near(moment_gamma(&m, &r, e, k, side), at(v, "gamma", n), 1e-13);
                    price[n] = at(v, "price", n);
                }
            }
        }
        moment_worth(&m, price, s->y, s->group, ROWS, worth);
        for (size_t row = 0; row < ROWS; row++) {
            assert_near(worth[row], at(v, "worth", row), 1e-11);
        }
    }
}

/* ---- laws ---- */

static double
penalty(const struct sample *s, const struct moment *m, const double *price, const double *chance)
{
    const struct moment_rates r = moment_rates_of(m, s->y, s->group, ROWS, chance, 1);
    double sum = r.error;
    for (uint32_t e = 0; e < m->events; e++) {
        for (uint32_t k = 0; k < m->groups; k++) {
            for (uint32_t side = 0; side < m->sides; side++) {
                sum += price[moment_index(m, e, k, side)] * moment_gamma(m, &r, e, k, side);
            }
        }
    }
    return sum;
}

/* What a row's decision is worth is what turning it changes of the Lagrangian, times the rows. */
static void
a_row_is_worth_what_turning_it_changes(void **state)
{
    struct sample *s = *state;
    const json_t *cases = json_object_get(s->file, "cases");
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *v = json_array_get(cases, i);
        struct moment m;
        double price[MOMENT_MAX], worth[ROWS];
        take_case(s, v, &m);
        for (size_t n = 0; n < moment_count(&m); n++) {
            price[n] = at(v, "price", n);
        }
        moment_worth(&m, price, s->y, s->group, ROWS, worth);
        for (size_t row = 0; row < ROWS; row += 7) {
            const double was = s->chance[row];
            s->chance[row] = 0;
            const double no = penalty(s, &m, price, s->chance);
            s->chance[row] = 1;
            const double yes = penalty(s, &m, price, s->chance);
            s->chance[row] = was;
            assert_near((no - yes) * ROWS, worth[row], 1e-10);
        }
    }
}

static void
equal_rates_break_no_parity(void **state)
{
    struct sample *s = *state;
    for (unsigned c = 0; c < MOMENT_BOUNDED_GROUP_LOSS; c++) {
        const struct moment_bounds b = {.ratio = 0.8};
        struct diag diag = {0};
        struct moment m;
        for (size_t i = 0; i < ROWS; i++) { /* wrong, and for, of all alike */
            s->chance[i] = c == MOMENT_ERROR_RATE_PARITY && s->y[i] > 0 ? 0.75 : 0.25;
        }
        assert_ok(init(s, (enum moment_constraint)c, &b, GROUPS, &diag, &m));
        const struct moment_rates r = moment_rates_of(&m, s->y, s->group, ROWS, s->chance, 1);
        for (uint32_t k = 0; k < GROUPS; k++) {
            assert_near(r.rate[0][k], 0.25, 1e-12);
            assert_near(moment_gamma(&m, &r, 0, k, 0), -0.05, 1e-12);
            assert_near(moment_gamma(&m, &r, 0, k, 1), -0.05, 1e-12);
        }
    }
}

/* ---- losses of numbers ---- */

#define NUMBERS 240u

struct numbers {
    json_t *file;
    float y[NUMBERS];
    int32_t group[NUMBERS];
};

static int
load_numbers(void **state)
{
    struct numbers *s = calloc(1, sizeof *s);
    assert_non_null(s);
    DEFER(memory_freep) char *path = testing_source("tests/assess/data/loss.json");
    s->file = testing_read_json(path);
    assert_int_equal(json_array_size(json_object_get(s->file, "y")), NUMBERS);
    for (size_t i = 0; i < NUMBERS; i++) {
        s->y[i] = (float)json_number_value(json_array_get(json_object_get(s->file, "y"), i));
        s->group[i] =
            (int32_t)json_integer_value(json_array_get(json_object_get(s->file, "group"), i));
    }
    *state = s;
    return 0;
}

static int
numbers_done(void **state)
{
    struct numbers *s = *state;
    json_decref(s->file);
    free(s);
    return 0;
}

static struct status
init_numbers(const struct numbers *s, enum moment_constraint c, const struct moment_bounds *b,
             struct diag *diag, struct moment *m)
{
    return moment_init(m, c, b, s->y, s->group, NUMBERS, 2, diag);
}

static void
what_is_no_loss_of_numbers_is_refused(void **state)
{
    struct numbers *s = *state;
    const double inf = (double)INFINITY, nan = (double)NAN;
    const double bad_loss[] = {0, -1, inf, nan};
    const double bad_range[][2] = {{1, 0}, {-inf, 0}, {0, inf}, {nan, 1}};
    struct diag diag = {0};
    struct moment m;
    for (size_t i = 0; i < 4; i++) {
        const struct moment_bounds b = {
            .loss = bad_loss[i], .numbers = true, .kind = MOMENT_SQUARE_LOSS};
        assert_status(init_numbers(s, MOMENT_BOUNDED_GROUP_LOSS, &b, &diag, &m), INPUT);
        assert_says(&diag, "needs a loss bound over 0");
        const struct moment_bounds r = {.loss = 1,
                                        .numbers = true,
                                        .kind = MOMENT_SQUARE_LOSS,
                                        .low = bad_range[i][0],
                                        .high = bad_range[i][1]};
        assert_status(init_numbers(s, MOMENT_BOUNDED_GROUP_LOSS, &r, &diag, &m), INPUT);
        assert_says(&diag, "out of range");
    }
    const struct moment_bounds parity = {.difference = 0.1, .numbers = true},
                               decisions = {.loss = 0.2, .kind = MOMENT_SQUARE_LOSS},
                               above = {.loss = 1,
                                        .numbers = true,
                                        .kind = MOMENT_ABSOLUTE_LOSS,
                                        .low = 1000,
                                        .high = 2000};
    assert_status(init_numbers(s, MOMENT_DEMOGRAPHIC_PARITY, &parity, &diag, &m), INPUT);
    assert_says(&diag, "of numbers the exponentiated gradient has bounded_group_loss");
    assert_status(init_numbers(s, MOMENT_BOUNDED_GROUP_LOSS, &decisions, &diag, &m), INPUT);
    assert_says(&diag, "have the zero_one loss");
    assert_status(init_numbers(s, MOMENT_BOUNDED_GROUP_LOSS, &above, &diag, &m), INPUT);
    assert_says(&diag, "the label is the same in all 240 rows");
    enum moment_loss loss = MOMENT_SQUARE_LOSS;
    assert_status(moment_loss_from_word("huber", &loss), INPUT);
    assert_int_equal(loss, MOMENT_SQUARE_LOSS);
}

static void
take_numbers(const struct numbers *s, const json_t *v, struct moment *m)
{
    struct diag diag = {0};
    struct moment_bounds b = {.loss = json_number_value(json_object_get(v, "bound")),
                              .numbers = true,
                              .low = json_number_value(json_object_get(v, "low")),
                              .high = json_number_value(json_object_get(v, "high"))};
    assert_ok(moment_loss_from_word(json_string_value(json_object_get(v, "loss")), &b.kind));
    assert_ok(init_numbers(s, MOMENT_BOUNDED_GROUP_LOSS, &b, &diag, m));
}

static void
losses_of_numbers_equal_fairlearns(void **state)
{
    const struct numbers *s = *state;
    const json_t *cases = json_object_get(s->file, "moments");
    assert_int_equal(json_array_size(cases), 5);
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *v = json_array_get(cases, i);
        struct moment m;
        double loss[NUMBERS], price[2], worth[NUMBERS];
        take_numbers(s, v, &m);
        for (size_t row = 0; row < NUMBERS; row++) {
            loss[row] = moment_loss_of(&m, (double)s->y[row], at(s->file, "answer", row));
        }
        const struct moment_rates r = moment_rates_of(&m, s->y, s->group, NUMBERS, loss, 1);
        assert_near(m.bound * m.unit, json_number_value(json_object_get(v, "bound")), 1e-14);
        assert_near(r.error * m.unit, json_number_value(json_object_get(v, "error")), 1e-6);
        assert_int_equal(moment_count(&m), 2);
        for (uint32_t k = 0; k < 2; k++) {
            assert_near(moment_gamma(&m, &r, 0, k, 0) * m.unit, at(v, "gamma", k), 1e-6);
            price[k] = at(v, "price", k);
        }
        moment_worth(&m, price, s->y, s->group, NUMBERS, worth);
        for (size_t row = 0; row < NUMBERS; row++) {
            assert_near(worth[row], at(v, "weight", row), 1e-12);
        }
    }
}

/* Of the mean label the mean loss is 1, in any unit of the label. */
static void
the_mean_labels_loss_is_the_unit(void **state)
{
    struct numbers *s = *state;
    const double units[] = {1, 1e6, 1e-6};
    double first = 0;
    for (size_t u = 0; u < 3; u++) {
        struct diag diag = {0};
        struct moment m;
        double loss[NUMBERS], mean = 0;
        for (size_t i = 0; i < NUMBERS; i++) {
            s->y[i] = (float)(at(s->file, "y", i) * units[u]);
            mean += (double)s->y[i] / NUMBERS;
        }
        const struct moment_bounds b = {
            .loss = units[u] * units[u], .numbers = true, .kind = MOMENT_SQUARE_LOSS};
        assert_ok(init_numbers(s, MOMENT_BOUNDED_GROUP_LOSS, &b, &diag, &m));
        for (size_t i = 0; i < NUMBERS; i++) {
            loss[i] = moment_loss_of(&m, (double)s->y[i], mean);
        }
        const struct moment_rates r = moment_rates_of(&m, s->y, s->group, NUMBERS, loss, 1);
        assert_near(r.error, 1, 1e-12);
        first = u == 0 ? m.bound : first;
        assert_near(m.bound, first, 1e-6);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bounds_out_of_range_are_refused, load, done),
        cmocka_unit_test_setup_teardown(a_group_without_rows_of_the_label_is_refused, load, done),
        cmocka_unit_test_setup_teardown(gammas_bounds_and_weights_equal_fairlearns, load, done),
        cmocka_unit_test_setup_teardown(a_row_is_worth_what_turning_it_changes, load, done),
        cmocka_unit_test_setup_teardown(equal_rates_break_no_parity, load, done),
        cmocka_unit_test_setup_teardown(what_is_no_loss_of_numbers_is_refused, load_numbers,
                                        numbers_done),
        cmocka_unit_test_setup_teardown(losses_of_numbers_equal_fairlearns, load_numbers,
                                        numbers_done),
        cmocka_unit_test_setup_teardown(the_mean_labels_loss_is_the_unit, load_numbers,
                                        numbers_done),
    };
    return cmocka_run_group_tests_name("assess/mitigate_moment", tests, NULL, NULL);
}
