/* Interactions of linear models: on the margin none, of a softmax's answers those of the definition
 * over all 2^M subsets, written out here once more. */
#include "assess/attribution.h"

#include "testing/testing.h"

#include <math.h>
#include <string.h>

#define FEATURES 6u
#define SETS (1u << FEATURES)
#define CELLS (FEATURES * FEATURES)
#define OUTPUTS 3u
#define BACKGROUND 3u
#define ROWS 4u

static const float background[BACKGROUND * FEATURES] = {0.5f, -1, 2, 0.25f, 3, 7,      -1, 0.5f, 1,
                                                        1.5f, -2, 7, 0,     2, -0.75f, 1,  0.5f, 7};
/* The last feature is that of the background in all rows but the last. */
static const float x[ROWS * FEATURES] = {1,    0.5f,  -1,    2,    1.25f, 7,  -0.5f, 1,
                                         0,    0.75f, -1,    7,    2.5f,  -2, 1,     0,
                                         0.5f, 7,     0.25f, 1.5f, 0.5f,  -1, 2,     5};

#define COEFFICIENTS                                                                               \
    "\"coefficients\":[[0.5,-0.25,0.75,1,-0.5,0.3],[-1,0.5,0.25,-0.75,0.4,-0.2],[0.1,0.9,-0.6,"    \
    "0.2,0.35,0.15]]"
#define FEATURE_NAMES "\"features\":[\"a\",\"b\",\"c\",\"d\",\"e\",\"f\"]"
#define SOFTMAX                                                                                    \
    "{\"format\":\"steward-linear\",\"version\":1,\"link\":\"softmax\"," FEATURE_NAMES             \
    ",\"intercept\":[0.1,-0.2,0.3]," COEFFICIENTS "}"
#define OF_ONE(LINK)                                                                               \
    "{\"format\":\"steward-linear\",\"version\":1,\"link\":\"" LINK "\"," FEATURE_NAMES            \
    ",\"intercept\":[0.4],\"coefficients\":[[0.5,-0.25,0.75,1,-0.5,0.3]]}"

static struct model_file *
load(const char *text)
{
    struct diag diag = {0};
    struct model_file *m = NULL;
    assert_ok(model_file_load(view_str(text), &diag, &m));
    return m;
}

static struct attribution *
make(const struct model_file *m, bool probability, bool pairs)
{
    const struct attribution_options o = {.precision = EXPLAIN_RECORD,
                                          .background = background,
                                          .background_rows = BACKGROUND,
                                          .probability = probability,
                                          .pairs = pairs,
                                          .expected_rows = ROWS,
                                          .threads = 1};
    struct attribution *a = NULL;
    assert_ok(attribution_new(m, &o, &a));
    return a;
}

/* v(S): the mean answer over the background rows, the features of the set from the row. */
static void
value(const struct model_file *m, const float *row, uint32_t set, double *ret)
{
    memset(ret, 0, m->outputs * sizeof *ret);
    for (size_t b = 0; b < BACKGROUND; b++) {
        float mixed[FEATURES];
        double p[OUTPUTS];
        for (uint32_t i = 0; i < FEATURES; i++) {
            mixed[i] = (set >> i & 1) != 0 ? row[i] : background[b * FEATURES + i];
        }
        model_file_margin(m, mixed, 1, 1, p);
        model_file_link_apply(m, p, 1);
        for (uint32_t k = 0; k < m->outputs; k++) {
            ret[k] += p[k] / BACKGROUND;
        }
    }
}

static double
factorials(uint32_t a, uint32_t b, uint32_t c)
{
    return exp(lgamma(a + 1.0) + lgamma(b + 1.0) - lgamma(c + 1.0));
}

/* v[SETS]; of one output. */
static double
definition(const double *v, uint32_t i, uint32_t j)
{
    const uint32_t a = 1u << i, b = 1u << j;
    double sum = 0;
    for (uint32_t set = 0; set < SETS; set++) {
        const uint32_t size = (uint32_t)__builtin_popcount(set);
        if (i == j && (set & a) == 0) {
            sum += factorials(size, FEATURES - size - 1, FEATURES) * (v[set | a] - v[set]);
        } else if (i != j && (set & (a | b)) == 0) {
            sum += factorials(size, FEATURES - size - 2, FEATURES - 1) *
                   (v[set | a | b] - v[set | a] - v[set | b] + v[set]);
        }
    }
    return sum;
}

static void
check_matrix(const double *v, const double *pairs)
{
    for (uint32_t i = 0; i < FEATURES; i++) {
        double line = 0;
        for (uint32_t j = 0; j < FEATURES; j++) {
            line += pairs[i * FEATURES + j];
            if (i != j) {
                assert_near(pairs[i * FEATURES + j], definition(v, i, j) / 2, 1e-12);
            }
        }
        assert_near(line, definition(v, i, i), 1e-12);
    }
}

/* ---- tests ---- */

static void
answers_of_a_softmax_have_the_pairs_of_the_definition(void **state)
{
    (void)state;
    DEFER(model_file_freep) struct model_file *m = load(SOFTMAX);
    DEFER(attribution_freep) struct attribution *a = make(m, true, true);
    double pairs[ROWS * OUTPUTS * CELLS], all[SETS * OUTPUTS], v[SETS], largest = 0;
    assert_ok(attribution_pairs(a, x, ROWS, 2, pairs));
    assert_true(attribution_tell(a).coalitions && !attribution_tell(a).no_pairs);
    for (size_t row = 0; row < ROWS; row++) {
        for (uint32_t set = 0; set < SETS; set++) {
            value(m, x + row * FEATURES, set, all + (size_t)set * OUTPUTS);
        }
        for (size_t k = 0; k < OUTPUTS; k++) {
            const double *matrix = pairs + (row * OUTPUTS + k) * CELLS;
            for (uint32_t set = 0; set < SETS; set++) {
                v[set] = all[set * OUTPUTS + k];
            }
            check_matrix(v, matrix);
            largest = fmax(largest, fabs(matrix[1]));
        }
    }
    assert_true(largest > 1e-3); /* there is something to be found */
}

/* Whatever is explained: a line of the matrix is its feature's attribution. */
static void
lines_sum_to_the_attributions(void **state)
{
    (void)state;
    static const char *const models[] = {SOFTMAX, OF_ONE("logistic"), OF_ONE("exp")};
    for (size_t n = 0; n < 2 * sizeof models / sizeof *models; n++) {
        DEFER(model_file_freep) struct model_file *m = load(models[n / 2]);
        DEFER(attribution_freep) struct attribution *a = make(m, n % 2 == 0, true);
        const size_t lines = (size_t)ROWS * m->outputs * FEATURES;
        double phi[ROWS * OUTPUTS * FEATURES], pairs[ROWS * OUTPUTS * CELLS];
        assert_ok(attribution_rows(a, x, ROWS, 1, phi, NULL));
        assert_ok(attribution_pairs(a, x, ROWS, 1, pairs));
        for (size_t i = 0; i < lines; i++) {
            double sum = 0;
            for (size_t j = 0; j < FEATURES; j++) {
                sum += pairs[i * FEATURES + j];
            }
            assert_near(sum, phi[i], 1e-12);
        }
    }
}

/* On margins, and where attributions of answers are those of the margin, scaled: exactly 0 beside
 * the diagonal. */
static void
a_linear_margin_has_no_pairs(void **state)
{
    (void)state;
    static const char *const models[] = {SOFTMAX, OF_ONE("identity"), OF_ONE("logistic"),
                                         OF_ONE("exp")};
    for (size_t n = 0; n < sizeof models / sizeof *models; n++) {
        DEFER(model_file_freep) struct model_file *m = load(models[n]);
        DEFER(attribution_freep) struct attribution *a = make(m, n > 0, true);
        const size_t lines = (size_t)ROWS * m->outputs * FEATURES;
        double phi[ROWS * OUTPUTS * FEATURES], pairs[ROWS * OUTPUTS * CELLS];
        assert_ok(attribution_rows(a, x, ROWS, 1, phi, NULL));
        assert_ok(attribution_pairs(a, x, ROWS, 1, pairs));
        assert_true(attribution_tell(a).no_pairs);
        for (size_t i = 0; i < lines; i++) {
            for (size_t j = 0; j < FEATURES; j++) {
                assert_true(pairs[i * FEATURES + j] == (j == i % FEATURES ? phi[i] : 0));
            }
        }
        assert_true(fabs(phi[0]) > 0.01);
    }
}

static void
a_row_without_a_margin_has_no_pairs_at_all(void **state)
{
    (void)state;
    float missing[FEATURES];
    memcpy(missing, x, sizeof missing);
    missing[2] = NAN;
    DEFER(model_file_freep) struct model_file *m = load(SOFTMAX);
    for (int probability = 0; probability < 2; probability++) {
        DEFER(attribution_freep) struct attribution *a = make(m, probability != 0, true);
        double pairs[OUTPUTS * CELLS];
        assert_ok(attribution_pairs(a, missing, 1, 1, pairs));
        for (size_t i = 0; i < OUTPUTS * CELLS; i++) {
            assert_true(isnan(pairs[i]));
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_without_a_margin_has_no_pairs_at_all),
        cmocka_unit_test(a_linear_margin_has_no_pairs),
        cmocka_unit_test(answers_of_a_softmax_have_the_pairs_of_the_definition),
        cmocka_unit_test(lines_sum_to_the_attributions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
