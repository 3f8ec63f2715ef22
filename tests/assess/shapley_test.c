/* Attributions of black boxes: against shap (versions in data/black_box.json), against Shapley's
 * own formula, and the laws: efficiency, symmetry, dummy; errors that cover. */
#include "black_box_functions.h"

#include "assess/shapley.h"
#include "num/rng.h"

static json_t *vectors;

static int
load(void **state)
{
    (void)state;
    vectors = black_box_vectors();
    return 0;
}

static int
unload(void **state)
{
    (void)state;
    js_freep(&vectors);
    return 0;
}

/* One row's attributions with its base. */
struct told {
    double base[3], phi[3 * 256], error[3 * 256];
    struct shapley_told told;
    struct diag diag;
};

static struct status
explain(const struct black_box *box, const double *row, const double *background, size_t rows,
        const struct shapley_options *o, struct told *t)
{
    memset(t, 0, sizeof *t);
    TRY(shapley_base(box, background, rows, o->threads, &t->diag, t->base));
    return shapley_row(box, row, background, rows, t->base, o, &t->diag, t->phi, t->error,
                       &t->told);
}

static double
answer_less_base(const struct black_box *box, const double *row, const struct told *t, size_t o)
{
    double score[3];
    assert_ok(black_box_predict(box, row, 1, NULL, score));
    return score[o] - t->base[o];
}

static double
sum_phi(const struct told *t, size_t features, size_t o)
{
    double sum = 0;
    for (size_t i = 0; i < features; i++) {
        sum += t->phi[o * features + i];
    }
    return sum;
}

/* ---- misuse and limits ---- */

static double
not_a_number(const double *x)
{
    return x[0] > 0 ? (double)NAN : x[0];
}

static double
without_end(const double *x)
{
    return x[0] > 0 ? (double)INFINITY : x[0];
}

static void
refuses_answers_that_are_no_numbers(void **state)
{
    (void)state;
    struct functions f = {.of = {not_a_number}, .features = 2, .outputs = 1};
    const double background[] = {-1, 0, -2, 1}, row[] = {1, 1};
    const struct shapley_options o = {.threads = 2};
    struct black_box box = box_of(&f, 100);
    struct told t;
    assert_status(explain(&box, row, background, 2, &o, &t), INPUT);
    assert_says(&t.diag, "NaN");
    f.of[0] = without_end;
    assert_status(explain(&box, row, background, 2, &o, &t), INPUT);
    assert_says(&t.diag, "infinity");
}

static void
refuses_too_few_and_too_many_evaluations(void **state)
{
    (void)state;
    struct functions f = {.of = {many}, .features = 14, .outputs = 1};
    const struct black_box box = box_of(&f, 1000);
    double background[14] = {0}, row[14];
    struct told t;
    for (int i = 0; i < 14; i++) {
        row[i] = i + 1;
    }
    struct shapley_options o = {.threads = 1, .evaluations = 55};
    assert_status(explain(&box, row, background, 1, &o, &t), INPUT);
    assert_says(&t.diag, "56 at least");
    o.evaluations = 56;
    assert_ok(explain(&box, row, background, 1, &o, &t));
    assert_true(t.told.evaluations <= 56 && !t.told.exact);
    o.method = SHAPLEY_PERMUTATION;
    o.evaluations = 51;
    assert_status(explain(&box, row, background, 1, &o, &t), INPUT);
    o.evaluations = 52;
    assert_ok(explain(&box, row, background, 1, &o, &t));
    assert_int_equal(t.told.pairs, 2);
    o.evaluations = SHAPLEY_MOST + 1;
    assert_status(explain(&box, row, background, 1, &o, &t), LIMIT);
    static double wide[40000], nothing[40000];
    struct functions g = {.of = {wavy}, .features = 4097, .outputs = 1};
    struct black_box wide_box = box_of(&g, 1000);
    for (size_t i = 0; i < 40000; i++) {
        wide[i] = 1;
    }
    o = (struct shapley_options){.threads = 1};
    assert_status(explain(&wide_box, wide, nothing, 1, &o, &t), LIMIT);
    assert_says(&t.diag, "4097 features");
    o.method = SHAPLEY_PERMUTATION;
    g.features = wide_box.features = 40000;
    assert_status(explain(&wide_box, wide, nothing, 1, &o, &t), LIMIT);
}

/* Answers so many times, then never again. */
static struct status
tired(void *ctx, const double *x, size_t rows, struct diag *diag, double *ret_score)
{
    _Atomic int *left = ctx;
    (void)x;
    memset(ret_score, 0, rows * sizeof *ret_score);
    if ((*left)-- > 0) {
        return OK;
    }
    diag_set(diag, "tired");
    FAIL(BUSY);
}

static void
a_model_that_fails_is_not_asked_further(void **state)
{
    (void)state;
    _Atomic int left = 10;
    const struct black_box box = {tired, &left, 14, 1, 3};
    double background[14] = {0}, row[14];
    const struct shapley_options o = {.threads = 2};
    struct told t;
    for (int i = 0; i < 14; i++) {
        row[i] = i + 1;
    }
    assert_status(explain(&box, row, background, 1, &o, &t), BUSY);
    assert_says(&t.diag, "tired");
    assert_true(left >= -3); /* hundreds of batches were left */
}

static double
constant(const double *x)
{
    (void)x;
    return 7;
}

static void
a_constant_model_has_no_attributions(void **state)
{
    (void)state;
    struct functions f = {.of = {constant}, .features = 14, .outputs = 1};
    const struct black_box box = box_of(&f, 1000);
    double background[14] = {0}, row[14];
    for (int i = 0; i < 14; i++) {
        row[i] = i + 1;
    }
    for (int method = SHAPLEY_KERNEL; method <= SHAPLEY_PERMUTATION; method++) {
        const struct shapley_options o = {
            .method = (enum shapley_method)method, .threads = 1, .evaluations = 500};
        struct told t;
        assert_ok(explain(&box, row, background, 1, &o, &t));
        for (int i = 0; i < 14; i++) {
            assert_near(t.phi[i], 0, 1e-14);
            assert_near(t.error[i], 0, 1e-14);
        }
        assert_true(t.base[0] == 7);
    }
}

static void
a_row_like_its_background_has_no_players(void **state)
{
    (void)state;
    struct functions f = {.of = {wavy}, .features = 5, .outputs = 1};
    const struct black_box box = box_of(&f, 10);
    const double row[] = {1, (double)NAN, 3, 4, 5};
    const struct shapley_options o = {.threads = 1};
    struct told t;
    f.of[0] = constant; /* of a missing value */
    assert_ok(explain(&box, row, row, 1, &o, &t));
    assert_int_equal(t.told.players, 0);
    assert_true(t.told.exact && t.told.evaluations == 0 && t.phi[0] == 0 && t.phi[4] == 0);
}

static void
one_feature_that_varies_has_all_of_it(void **state)
{
    (void)state;
    struct functions f = {.of = {wavy, logistic}, .features = 5, .outputs = 2};
    const struct black_box box = box_of(&f, 10);
    const double row[] = {1, 2, 3, 4, 5}, background[] = {1, 2, -3, 4, 5};
    const struct shapley_options o = {.threads = 1};
    struct told t;
    assert_ok(explain(&box, row, background, 1, &o, &t));
    assert_int_equal(t.told.players, 1);
    for (size_t k = 0; k < 2; k++) {
        assert_near(t.phi[k * 5 + 2], answer_less_base(&box, row, &t, k), 1e-15);
        assert_true(t.phi[k * 5] == 0 && t.phi[k * 5 + 4] == 0);
    }
}

/* ---- against shap ---- */

static void
agrees_with_shap_on_a_row(const struct black_box *box, const double *x, size_t row,
                          const struct shapley_options *o, const double *kernel,
                          const double *exact)
{
    struct told t;
    assert_ok(explain(box, x + (20 + row) * 5, x, 20, o, &t));
    assert_true(t.told.exact && t.told.evaluations == 30 && t.told.pairs == 0);
    assert_true(t.told.residual < 1e-12);
    for (size_t i = 0; i < 10; i++) {
        assert_near(t.phi[i], exact[row * 10 + i], 1e-12);
        assert_near(t.phi[i], kernel[row * 10 + i], 1e-9); /* shap solves its system less exactly */
        assert_true(t.error[i] == 0);
    }
}

static void
few_features_are_exact_as_shap_has_them(void **state)
{
    (void)state;
    const json_t *s = json_object_get(vectors, "shapley");
    DEFER(memory_freep) double *x = numbers_of(vectors, "x", 160 * 5);
    DEFER(memory_freep) double *kernel = numbers_of(s, "kernel", 6 * 10);
    DEFER(memory_freep) double *exact = numbers_of(s, "exact", 6 * 10);
    DEFER(memory_freep) double *base = numbers_of(s, "base", 2);
    struct functions f = {.of = {wavy, logistic}, .features = 5, .outputs = 2};
    for (size_t batch = 1; batch < 1000; batch = batch * 3 + 4) {
        const struct black_box box = box_of(&f, batch);
        double mine[2];
        assert_ok(shapley_base(&box, x, 20, 1, NULL, mine));
        assert_near(mine[0], base[0], 1e-13);
        assert_near(mine[1], base[1], 1e-13);
        for (size_t row = 0; row < 6; row++) {
            const struct shapley_options o = {.threads = 1 + (unsigned)(row % 2)};
            agrees_with_shap_on_a_row(&box, x, row, &o, kernel, exact);
        }
    }
}

static void
permutations_agree_with_shaps_within_the_error(void **state)
{
    (void)state;
    const json_t *s = json_object_get(vectors, "shapley");
    DEFER(memory_freep) double *x = numbers_of(vectors, "x", 160 * 5);
    DEFER(memory_freep) double *theirs = numbers_of(s, "permutation", 6 * 5);
    struct functions f = {.of = {wavy}, .features = 5, .outputs = 1};
    const struct black_box box = box_of(&f, 500);
    for (size_t row = 0; row < 6; row++) {
        const struct shapley_options o = {
            .method = SHAPLEY_PERMUTATION, .threads = 1, .evaluations = 29}; /* all would be 30 */
        struct told t;
        assert_ok(explain(&box, x + (20 + row) * 5, x, 20, &o, &t));
        assert_true(!t.told.exact && t.told.pairs == 3 && t.told.residual < 1e-12);
        for (size_t i = 0; i < 5; i++) { /* three pairs: t with two degrees of freedom, 0.9999 */
            assert_near(t.phi[i], theirs[row * 5 + i], 71 * t.error[i] + 2e-2);
        }
    }
}

static void
fourteen_features_are_within_the_stated_error(void **state)
{
    (void)state;
    const json_t *s = json_object_get(vectors, "wide");
    DEFER(memory_freep) double *x = numbers_of(s, "x", 9 * 14);
    DEFER(memory_freep) double *exact = numbers_of(s, "exact", 14);
    struct functions f = {.of = {many}, .features = 14, .outputs = 1};
    const struct black_box box = box_of(&f, 500);
    struct shapley_options o = {.threads = 2};
    struct told t;
    for (int method = SHAPLEY_KERNEL; method <= SHAPLEY_PERMUTATION; method++) {
        o.method = (enum shapley_method)method;
        o.evaluations = 0;
        assert_ok(explain(&box, x + 8 * 14, x, 8, &o, &t));
        assert_true(!t.told.exact && t.told.pairs > 70 && t.told.evaluations <= 2048 + 28);
        assert_near(sum_phi(&t, 14, 0), answer_less_base(&box, x + 8 * 14, &t, 0), 1e-11);
        for (size_t i = 0; i < 14; i++) {
            assert_near(t.phi[i], exact[i], 4 * t.error[i] + 1e-12);
            assert_true(t.error[i] < 0.2);
        }
        o.evaluations = 1 << 14; /* all of them, by either method */
        assert_ok(explain(&box, x + 8 * 14, x, 8, &o, &t));
        assert_true(t.told.exact);
        for (size_t i = 0; i < 14; i++) {
            assert_near(t.phi[i], exact[i], 1e-11);
        }
    }
}

/* ---- laws ---- */

/* Sums by column are those of the features; the error of a column is that of its sum: one column of
 * all features has none. */
static void
columns_have_the_sums_of_their_features(void **state)
{
    (void)state;
    static const uint32_t pairs[14] = {0, 1, 0, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 1}, one[14] = {0};
    struct functions f = {.of = {many}, .features = 14, .outputs = 1};
    const struct black_box box = box_of(&f, 1000);
    double background[14] = {0}, row[14];
    for (int i = 0; i < 14; i++) {
        row[i] = i % 5 + 1;
    }
    for (int method = SHAPLEY_KERNEL; method <= SHAPLEY_PERMUTATION; method++) {
        struct shapley_options o = {
            .method = (enum shapley_method)method, .threads = 1, .evaluations = 300, .seed = 3};
        struct told apart, together;
        double sum[7] = {0}, bound[7] = {0}, told = 0;
        assert_ok(explain(&box, row, background, 1, &o, &apart));
        o.column = pairs;
        o.columns = 7;
        assert_ok(explain(&box, row, background, 1, &o, &together));
        for (int i = 0; i < 14; i++) {
            sum[pairs[i]] += apart.phi[i];
            bound[pairs[i]] += apart.error[i];
        }
        for (int k = 0; k < 7; k++) {
            assert_near(together.phi[k], sum[k], 1e-12);
            assert_true(together.error[k] <= bound[k] + 1e-12);
            told += together.error[k];
        }
        assert_true(told > 1e-3); /* errors, not nothing */
        assert_true(together.told.residual < 1e-12);
        o.column = one;
        o.columns = 1;
        assert_ok(explain(&box, row, background, 1, &o, &together));
        assert_near(together.phi[0], answer_less_base(&box, row, &together, 0), 1e-11);
        assert_near(together.error[0], 0, 1e-11);
    }
}

/* Shapley's own formula over all coalitions, values in double. */
static void
brute_force(double (*f)(const double *), const double *row, const double *background, size_t rows,
            size_t players, double *ret_phi)
{
    double value[1 << 8], x[8], factorial[9] = {1};
    for (size_t i = 1; i < 9; i++) {
        factorial[i] = factorial[i - 1] * (double)i;
    }
    for (size_t s = 0; s < (size_t)1 << players; s++) {
        value[s] = 0;
        for (size_t b = 0; b < rows; b++) {
            for (size_t i = 0; i < players; i++) {
                x[i] = (s >> i & 1) != 0 ? row[i] : background[b * players + i];
            }
            value[s] += f(x) / (double)rows;
        }
    }
    for (size_t i = 0; i < players; i++) {
        ret_phi[i] = 0;
        for (size_t s = 0; s < (size_t)1 << players; s++) {
            const size_t n = (size_t)__builtin_popcountll(s);
            if ((s >> i & 1) == 0) {
                ret_phi[i] += factorial[n] * factorial[players - n - 1] / factorial[players] *
                              (value[s | (size_t)1 << i] - value[s]);
            }
        }
    }
}

static double
cut_up(const double *x)
{
    return x[0] > x[1] ? x[2] * x[3] : x[4] > 0 ? x[5] : x[6] * x[0];
}

static void
exact_is_shapleys_formula(void **state)
{
    (void)state;
    struct functions f = {.of = {cut_up}, .features = 7, .outputs = 1};
    struct rng r;
    rng_init(&r, 5, "test");
    for (int game = 0; game < 30; game++) {
        double x[5 * 7], phi[8];
        struct told t;
        for (size_t i = 0; i < 35; i++) {
            x[i] = rng_normal(&r);
        }
        const struct black_box box = box_of(&f, 33);
        const struct shapley_options o = {.threads = 1};
        assert_ok(explain(&box, x, x + 7, 4, &o, &t));
        brute_force(cut_up, x, x + 7, 4, 7, phi);
        for (size_t i = 0; i < 7; i++) {
            assert_near(t.phi[i], phi[i], 1e-12);
        }
    }
}

static double
symmetric(const double *x)
{
    return fabs(x[0] + x[1]) * x[2] + x[3] - x[4] * x[5] + x[6] * x[7] * x[8];
}

static void
symmetric_features_share_and_dummies_have_nothing(void **state)
{
    (void)state;
    struct functions f = {.of = {symmetric}, .features = 12, .outputs = 1};
    const struct black_box box = box_of(&f, 1000);
    double row[12], background[12] = {0};
    for (size_t i = 0; i < 12; i++) {
        row[i] = 1.5;
    }
    background[10] = row[10]; /* does not vary at all; 9 and 11 vary but are not read */
    struct shapley_options o = {.threads = 1};
    struct told t;
    assert_ok(explain(&box, row, background, 1, &o, &t));
    assert_true(t.told.exact && t.told.players == 11);
    assert_near(t.phi[0], t.phi[1], 1e-13);
    assert_near(t.phi[6], t.phi[7], 1e-13);
    assert_near(t.phi[6], 1.5 * 1.5 * 1.5 / 3, 1e-13);
    assert_near(t.phi[3], 1.5, 1e-13);
    assert_near(t.phi[9], 0, 1e-13);
    assert_true(t.phi[10] == 0);
    o.method = SHAPLEY_PERMUTATION;
    o.evaluations = 400;
    assert_ok(explain(&box, row, background, 1, &o, &t));
    assert_true(!t.told.exact);
    assert_true(t.phi[9] == 0 && t.error[9] == 0 && t.phi[10] == 0); /* along every order */
    assert_near(t.phi[3], 1.5, 1e-13);
}

static double weight_of(size_t i);

static double
weighted(const double *x)
{
    double v = 3;
    for (size_t i = 0; i < 200; i++) {
        v += weight_of(i) * x[i];
    }
    return v;
}

static double
weight_of(size_t i)
{
    return (double)((i * 7) % 11) - 4;
}

static void
a_linear_model_of_200_features_is_exact_without_enumeration(void **state)
{
    (void)state;
    struct functions f = {.of = {weighted}, .features = 200, .outputs = 1};
    const struct black_box box = box_of(&f, 256);
    double x[3 * 200];
    struct rng r;
    rng_init(&r, 9, "test");
    for (size_t i = 0; i < 600; i++) {
        x[i] = rng_normal(&r);
    }
    for (int method = SHAPLEY_KERNEL; method <= SHAPLEY_PERMUTATION; method++) {
        const struct shapley_options o = {.method = (enum shapley_method)method, .threads = 2};
        struct told t;
        assert_ok(explain(&box, x, x + 200, 2, &o, &t));
        assert_true(t.told.players == 200 && !t.told.exact);
        for (size_t i = 0; i < 200; i++) { /* w (x - mean of the background), for every feature */
            const double phi = weight_of(i) * (x[i] - (x[200 + i] + x[400 + i]) / 2);
            assert_near(t.phi[i], phi, 1e-10);
            assert_near(t.error[i], 0, 1e-10);
        }
    }
}

static void
the_same_digits_for_any_threads_and_batch(void **state)
{
    (void)state;
    const json_t *s = json_object_get(vectors, "wide");
    DEFER(memory_freep) double *x = numbers_of(s, "x", 9 * 14);
    struct functions f = {.of = {many}, .features = 14, .outputs = 1};
    for (int method = SHAPLEY_KERNEL; method <= SHAPLEY_PERMUTATION; method++) {
        struct shapley_options o = {
            .method = (enum shapley_method)method, .threads = 1, .evaluations = 600};
        struct black_box box = box_of(&f, 37);
        struct told one, other;
        assert_ok(explain(&box, x + 8 * 14, x, 8, &o, &one));
        box.batch = 5;
        o.threads = 4;
        assert_ok(explain(&box, x + 8 * 14, x, 8, &o, &other));
        assert_memory_equal(one.phi, other.phi, sizeof one.phi);
        assert_memory_equal(one.error, other.error, sizeof one.error);
        o.row = 1; /* another row draws other coalitions */
        assert_ok(explain(&box, x + 8 * 14, x, 8, &o, &other));
        assert_memory_not_equal(one.phi, other.phi, sizeof one.phi);
    }
}

/* Share of (draw, feature) whose truth is within 1.96 errors; and the mean of z^2. */
static void
coverage(enum shapley_method method, size_t evaluations, double *ret_within, double *ret_square)
{
    const json_t *s = json_object_get(vectors, "wide");
    DEFER(memory_freep) double *x = numbers_of(s, "x", 9 * 14);
    DEFER(memory_freep) double *exact = numbers_of(s, "exact", 14);
    struct functions f = {.of = {many}, .features = 14, .outputs = 1};
    const struct black_box box = box_of(&f, 1000);
    size_t within = 0, n = 0;
    double square = 0;
    for (uint64_t seed = 0; seed < 100; seed++) {
        const struct shapley_options o = {
            .method = method, .threads = 1, .evaluations = evaluations, .seed = seed};
        struct told t;
        assert_ok(explain(&box, x + 8 * 14, x, 8, &o, &t));
        for (size_t i = 0; i < 14; i++) {
            const double z = (t.phi[i] - exact[i]) / t.error[i];
            if (t.error[i] < 1e-12) { /* orders with their reverse are exact on pairs of features */
                assert_near(t.phi[i], exact[i], 1e-12);
                continue;
            }
            n++;
            within += fabs(z) <= 1.96;
            square += z * z;
        }
    }
    assert_true(n >= 3 * 100);
    *ret_within = (double)within / (double)n;
    *ret_square = square / (double)n;
}

static void
stated_errors_cover_the_truth(void **state)
{
    (void)state;
    double within = 0, square = 0;
    coverage(SHAPLEY_KERNEL, 600, &within, &square);
    assert_true(within > 0.92 && within < 0.98 && square > 0.8 && square < 1.25);
    coverage(SHAPLEY_KERNEL, 120, &within, &square);
    assert_true(within > 0.88 && within < 0.99);
    coverage(SHAPLEY_PERMUTATION, 600, &within, &square);
    assert_true(within > 0.90 && within < 0.98 && square > 0.8 && square < 1.5);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_answers_that_are_no_numbers),
        cmocka_unit_test(refuses_too_few_and_too_many_evaluations),
        cmocka_unit_test(a_model_that_fails_is_not_asked_further),
        cmocka_unit_test(a_constant_model_has_no_attributions),
        cmocka_unit_test(columns_have_the_sums_of_their_features),
        cmocka_unit_test(a_row_like_its_background_has_no_players),
        cmocka_unit_test(one_feature_that_varies_has_all_of_it),
        cmocka_unit_test(few_features_are_exact_as_shap_has_them),
        cmocka_unit_test(permutations_agree_with_shaps_within_the_error),
        cmocka_unit_test(fourteen_features_are_within_the_stated_error),
        cmocka_unit_test(exact_is_shapleys_formula),
        cmocka_unit_test(symmetric_features_share_and_dummies_have_nothing),
        cmocka_unit_test(a_linear_model_of_200_features_is_exact_without_enumeration),
        cmocka_unit_test(the_same_digits_for_any_threads_and_batch),
        cmocka_unit_test(stated_errors_cover_the_truth),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
