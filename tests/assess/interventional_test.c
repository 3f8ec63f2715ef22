#include "../model/made.h"

#include "assess/interventional.h"

#include "base/file.h"
#include "base/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RECORD 1e-10 /* over the largest |phi| of the row */
#define FAST 2e-6

/* ---- the Shapley value by its definition ---- */

/* v(S) = the mean margin of the background rows with the features in S taken from x. */
static double
mixed_margin(const struct forest *f, uint32_t output, const float *x, const float *background,
             size_t rows, uint32_t known)
{
    float mixed[MADE_FEATURES];
    double margin[MADE_OUTPUTS], sum = 0;
    for (size_t b = 0; b < rows; b++) {
        for (uint32_t i = 0; i < f->features; i++) {
            mixed[i] = (known >> i & 1) != 0 ? x[i] : background[b * f->features + i];
        }
        forest_margin_ref(f, mixed, 1, margin);
        sum += margin[output];
    }
    return sum / (double)rows;
}

static void
shapley(const struct forest *f, uint32_t output, const float *x, const float *background,
        size_t rows, double *ret_phi)
{
    const uint32_t m = f->features, subsets = UINT32_C(1) << m;
    DEFER(memory_freep) double *v = calloc(subsets, sizeof *v);
    assert_non_null(v);
    for (uint32_t s = 0; s < subsets; s++) {
        v[s] = mixed_margin(f, output, x, background, rows, s);
    }
    for (uint32_t i = 0; i < m; i++) {
        ret_phi[i] = 0.0;
        for (uint32_t s = 0; s < subsets; s++) {
            const double size = (double)__builtin_popcount(s);
            if ((s >> i & 1) == 0) {
                ret_phi[i] += exp(lgamma(size + 1) + lgamma(m - size) - lgamma(m + 1.0)) *
                              (v[s | UINT32_C(1) << i] - v[s]);
            }
        }
    }
}

/* ---- helpers ---- */

struct sample {
    struct made *m;
    size_t rows, background_rows;
    float *x, *background;
};

static void
sample_make(const struct made_recipe *r, uint64_t seed, size_t rows, size_t background_rows,
            struct sample *s)
{
    struct rng g;
    rng_init(&g, seed, "interventional");
    *s = (struct sample){.m = made_new(r, &g), .rows = rows, .background_rows = background_rows};
    s->x = calloc(rows * r->features, sizeof *s->x);
    s->background = calloc(background_rows * r->features, sizeof *s->background);
    assert_true(s->x != NULL && s->background != NULL);
    for (size_t i = 0; i < rows; i++) {
        made_row(r, &g, s->x + i * r->features);
    }
    for (size_t i = 0; i < background_rows; i++) {
        made_row(r, &g, s->background + i * r->features);
    }
}

static void
sample_done(struct sample *s)
{
    free(s->m);
    free(s->x);
    free(s->background);
}

static enum interventional_space space; /* of the explainers to be made */

static struct interventional *
explainer(const struct sample *s, enum interventional_engine engine,
          enum explain_precision precision, unsigned threads, bool portable)
{
    struct interventional *e = NULL;
    struct interventional_options o;
    interventional_defaults(&o);
    o.space = space;
    o.engine = engine;
    o.precision = precision;
    o.threads = threads;
    o.portable = portable;
    assert_ok(interventional_new(&s->m->f, s->background, s->background_rows, &o, &e));
    return e;
}

static double *
phi_of(const struct sample *s, enum interventional_engine engine, enum explain_precision precision,
       unsigned threads, bool portable)
{
    const struct forest *f = &s->m->f;
    DEFER(interventional_freep)
    struct interventional *e = explainer(s, engine, precision, threads, portable);
    double *phi = calloc(s->rows * f->features * f->outputs, sizeof *phi);
    assert_non_null(phi);
    assert_ok(interventional_rows(e, s->x, s->rows, threads, phi));
    return phi;
}

static void
close_rows(const struct sample *s, const double *a, const double *b, double tolerance)
{
    const size_t width = (size_t)s->m->f.features * s->m->f.outputs;
    for (size_t i = 0; i < s->rows; i++) {
        double most = 1e-3;
        for (size_t k = 0; k < width; k++) {
            most = fmax(most, fabs(b[i * width + k]));
        }
        for (size_t k = 0; k < width; k++) {
            assert_near(a[i * width + k], b[i * width + k], tolerance * most);
        }
    }
}

/* Numbers, categories, classes, weights, repeated features: few features, so that they repeat. */
static struct made_recipe
recipe(uint32_t i)
{
    return (struct made_recipe){.features = 2 + i % 6,
                                .outputs = 1 + i % 3,
                                .trees = 3,
                                .depth = 1 + i % 6,
                                .with_categories = i % 2 == 1,
                                .dart = i % 4 >= 2};
}
#define RECIPES 24u

/* ---- limits ---- */

static void
refuses_tables_for_too_many_thresholds_and_for_too_much_memory(void **state)
{
    (void)state;
    struct interventional *e = NULL;
    struct interventional_options o;
    const struct made_recipe one = {.features = 1, .outputs = 1, .trees = 1, .depth = 10};
    DEFER(sample_done) struct sample s;
    sample_make(&one, 1, 3, 4, &s);
    interventional_defaults(&o);
    o.engine = INTERVENTIONAL_TABLES;
    assert_status(interventional_new(&s.m->f, s.background, 4, &o, &e), UNSUPPORTED);
    o.engine = INTERVENTIONAL_CHOOSE;
    assert_ok(interventional_new(&s.m->f, s.background, 4, &o, &e));
    assert_int_equal(interventional_engine(e), INTERVENTIONAL_PAIRS);
    interventional_free(e);
    const struct made_recipe flat = {.features = 5, .outputs = 1, .trees = 4, .depth = 4};
    const struct made_recipe deep = {.features = 60, .outputs = 1, .trees = 1, .depth = 11};
    DEFER(sample_done) struct sample small;
    DEFER(sample_done) struct sample tall;
    sample_make(&flat, 1, 3, 4, &small);
    sample_make(&deep, 1, 3, 2000, &tall);
    o.engine = INTERVENTIONAL_TABLES;
    o.table_bytes_max = 100;
    assert_status(interventional_new(&small.m->f, small.background, 4, &o, &e), LIMIT);
    o.table_bytes_max = 1500000; /* enough for the units, not for the deep leaves' sets */
    assert_status(interventional_new(&tall.m->f, tall.background, 2000, &o, &e), LIMIT);
    o.engine = INTERVENTIONAL_CHOOSE;
    assert_ok(interventional_new(&tall.m->f, tall.background, 2000, &o, &e));
    assert_int_equal(interventional_engine(e), INTERVENTIONAL_PAIRS);
    interventional_free(e);
}

static void
chooses_pairs_for_few_and_tables_for_many(void **state)
{
    (void)state;
    struct interventional_options o;
    const struct made_recipe r = {.features = 7, .outputs = 1, .trees = 8, .depth = 6};
    DEFER(sample_done) struct sample s;
    sample_make(&r, 1, 1, 50, &s);
    interventional_defaults(&o);
    for (int many = 0; many < 2; many++) {
        DEFER(interventional_freep) struct interventional *e = NULL;
        o.expected_rows = many == 1 ? 100000 : 1;
        assert_ok(interventional_new(&s.m->f, s.background, many == 1 ? 50 : 1, &o, &e));
        assert_int_equal(interventional_engine(e),
                         many == 1 ? INTERVENTIONAL_TABLES : INTERVENTIONAL_PAIRS);
    }
}

/* ---- truth ---- */

static void
equals_the_definition_over_all_subsets(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < RECIPES; i++) {
        const struct made_recipe r = recipe(i);
        DEFER(sample_done) struct sample s;
        sample_make(&r, i, 3, 1 + i % 5, &s);
        DEFER(memory_freep) double *pairs = phi_of(&s, INTERVENTIONAL_PAIRS, EXPLAIN_RECORD, 1, 0);
        DEFER(memory_freep)
        double *record = phi_of(&s, INTERVENTIONAL_TABLES, EXPLAIN_RECORD, 1, 0);
        const size_t width = (size_t)r.features * r.outputs;
        double defined[MADE_FEATURES];
        for (size_t row = 0; row < s.rows; row++) {
            for (uint32_t k = 0; k < r.outputs; k++) {
                shapley(&s.m->f, k, s.x + row * r.features, s.background, s.background_rows,
                        defined);
                for (uint32_t j = 0; j < r.features; j++) {
                    const size_t at = row * width + k * r.features + j;
                    assert_near(pairs[at], defined[j], 1e-11);
                    assert_near(record[at], defined[j], 1e-11);
                }
            }
        }
    }
}

/* Trees with subtrees of many units, and rows over several blocks. */
static void
tables_equal_pairs_in_both_precisions(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 12; i++) {
        const struct made_recipe r = {.features = 8,
                                      .outputs = 1 + i % 2,
                                      .trees = 8,
                                      .depth = 5 + i % 3,
                                      .with_categories = i % 3 == 1,
                                      .zero_covers = i % 2 == 1};
        DEFER(sample_done) struct sample s;
        sample_make(&r, 50 + i, i == 0 ? 1700 : 60, i == 1 ? 9000 : 20, &s);
        s.rows = i == 1 ? 3 : s.rows;
        DEFER(memory_freep) double *pairs = phi_of(&s, INTERVENTIONAL_PAIRS, EXPLAIN_RECORD, 0, 0);
        for (int portable = 0; portable < 2; portable++) {
            DEFER(memory_freep)
            double *record = phi_of(&s, INTERVENTIONAL_TABLES, EXPLAIN_RECORD, 1, portable);
            DEFER(memory_freep)
            double *fast = phi_of(&s, INTERVENTIONAL_TABLES, EXPLAIN_FAST, 1, portable);
            close_rows(&s, record, pairs, RECORD);
            close_rows(&s, fast, pairs, FAST);
        }
    }
}

/* Paths with up to eleven distinct features: units above, deep leaves below. */
static void
leaves_below_long_paths_equal_pairs(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 6; i++) {
        const struct made_recipe r = {.features = i < 3 ? 14 : 60,
                                      .outputs = 1 + i % 2,
                                      .trees = 2,
                                      .depth = 9 + i % 2,
                                      .with_categories = i % 3 == 1,
                                      .dart = i == 2};
        DEFER(sample_done) struct sample s;
        sample_make(&r, 70 + i, 40, 1 + 12 * i, &s);
        s.m->f.link = FOREST_LOGISTIC;
        s.m->f.link_scale = 1;
        const size_t n = s.rows * r.features * r.outputs;
        for (int probability = 0; probability < (r.outputs == 1 ? 2 : 1); probability++) {
            space = probability == 1 ? INTERVENTIONAL_PROBABILITY : INTERVENTIONAL_MARGIN;
            DEFER(memory_freep)
            double *pairs = phi_of(&s, INTERVENTIONAL_PAIRS, EXPLAIN_RECORD, 1, false);
            DEFER(memory_freep)
            double *record = phi_of(&s, INTERVENTIONAL_TABLES, EXPLAIN_RECORD, 1, false);
            DEFER(memory_freep)
            double *threads = phi_of(&s, INTERVENTIONAL_TABLES, EXPLAIN_RECORD, 3, true);
            close_rows(&s, record, pairs, probability == 1 ? 1e-9 : RECORD);
            assert_memory_equal(record, threads, n * sizeof *record);
        }
        space = INTERVENTIONAL_MARGIN;
    }
}

/* ---- interactions ---- */

static size_t bytes_max; /* of the explainers to be made; 0: the default */

static double *
interactions_of(const struct sample *s, enum interventional_engine engine, unsigned threads,
                bool portable)
{
    const struct forest *f = &s->m->f;
    DEFER(interventional_freep) struct interventional *e = NULL;
    struct interventional_options o;
    interventional_defaults(&o);
    o.space = space;
    o.engine = engine;
    o.interactions = true;
    o.threads = threads;
    o.portable = portable;
    o.table_bytes_max = bytes_max > 0 ? bytes_max : o.table_bytes_max;
    assert_ok(interventional_new(f, s->background, s->background_rows, &o, &e));
    double *pairs = calloc(s->rows * f->features * f->features * f->outputs, sizeof *pairs);
    assert_non_null(pairs);
    assert_ok(interventional_interactions(e, s->x, s->rows, threads, pairs));
    return pairs;
}

/* Half the index of features i and j by its definition; of i and i, its Shapley value. */
static double
interaction(const double *v, uint32_t m, uint32_t i, uint32_t j)
{
    const uint32_t bi = UINT32_C(1) << i, bj = UINT32_C(1) << j;
    double sum = 0;
    for (uint32_t s = 0; s < UINT32_C(1) << m; s++) {
        const double size = (double)__builtin_popcount(s);
        if ((s & (bi | bj)) != 0) {
            continue;
        }
        if (i == j) {
            sum += exp(lgamma(size + 1) + lgamma(m - size) - lgamma(m + 1.0)) * (v[s | bi] - v[s]);
        } else {
            sum += exp(lgamma(size + 1) + lgamma(m - size - 1) - lgamma((double)m)) / 2 *
                   (v[s | bi | bj] - v[s | bi] - v[s | bj] + v[s]);
        }
    }
    return sum;
}

static void
check_matrix(const struct sample *s, size_t row, uint32_t output, const double *got)
{
    const struct forest *f = &s->m->f;
    const uint32_t m = f->features;
    DEFER(memory_freep) double *v = calloc(UINT32_C(1) << m, sizeof *v);
    for (uint32_t set = 0; set < UINT32_C(1) << m; set++) {
        v[set] = mixed_margin(f, output, s->x + row * m, s->background, s->background_rows, set);
    }
    for (uint32_t i = 0; i < m; i++) {
        double line = 0;
        for (uint32_t j = 0; j < m; j++) {
            line += got[i * m + j];
            assert_true(got[i * m + j] == got[j * m + i]);
            if (i != j) {
                assert_near(got[i * m + j], interaction(v, m, i, j), 1e-11);
            }
        }
        assert_near(line, interaction(v, m, i, i), 1e-11);
    }
}

/* Repeated features, categories, missing values, several outputs. */
static void
interactions_equal_the_definition_over_all_subsets(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < RECIPES; i++) {
        const struct made_recipe r = recipe(i);
        const size_t square = (size_t)r.features * r.features;
        DEFER(sample_done) struct sample s;
        sample_make(&r, 400 + i, 2, 1 + i % 5, &s);
        DEFER(memory_freep) double *pairs = interactions_of(&s, INTERVENTIONAL_PAIRS, 1, false);
        DEFER(memory_freep) double *tables = interactions_of(&s, INTERVENTIONAL_TABLES, 1, false);
        for (size_t row = 0; row < s.rows; row++) {
            for (uint32_t k = 0; k < r.outputs; k++) {
                check_matrix(&s, row, k, pairs + (row * r.outputs + k) * square);
                check_matrix(&s, row, k, tables + (row * r.outputs + k) * square);
            }
        }
    }
}

/* Units and leaves below long paths; on the margin and on probability: lines are attributions, the
 * engines agree, and threads, vectors and little memory change no digit. */
static void
lines_of_interactions_sum_to_attributions(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 6; i++) {
        const struct made_recipe r = {.features = i < 3 ? 12 : 20,
                                      .outputs = 1 + i % 2,
                                      .trees = 3,
                                      .depth = i == 0 ? 5 : 7 + i % 3,
                                      .with_categories = i % 3 == 1,
                                      .dart = i == 2};
        DEFER(sample_done) struct sample s;
        sample_make(&r, 470 + i, i == 0 ? 300 : 6, 1 + 4 * i, &s);
        s.m->f.link = FOREST_LOGISTIC;
        s.m->f.link_scale = 1;
        const size_t n = s.rows * r.features * r.outputs, cells = n * r.features;
        for (int probability = 0; probability < (r.outputs == 1 ? 2 : 1); probability++) {
            space = probability == 1 ? INTERVENTIONAL_PROBABILITY : INTERVENTIONAL_MARGIN;
            DEFER(memory_freep)
            double *phi = phi_of(&s, INTERVENTIONAL_PAIRS, EXPLAIN_RECORD, 1, false);
            DEFER(memory_freep) double *pairs = interactions_of(&s, INTERVENTIONAL_PAIRS, 2, 0);
            DEFER(memory_freep) double *tables = interactions_of(&s, INTERVENTIONAL_TABLES, 1, 0);
            DEFER(memory_freep) double *threads = interactions_of(&s, INTERVENTIONAL_TABLES, 3, 1);
            bytes_max = i < 3 ? 60000 : 0;
            DEFER(memory_freep)
            double *little =
                i % 3 == 0 ? interactions_of(&s, INTERVENTIONAL_TABLES, 2, false) : NULL;
            bytes_max = 0;
            assert_memory_equal(tables, threads, cells * sizeof *tables);
            if (little != NULL) {
                assert_memory_equal(tables, little, cells * sizeof *tables);
            }
            DEFER(memory_freep) double *line = calloc(n, sizeof *line);
            for (size_t k = 0; k < cells; k++) {
                assert_near(tables[k], pairs[k], 1e-9);
                line[k / r.features] += tables[k];
            }
            close_rows(&s, line, phi, 1e-8);
        }
        space = INTERVENTIONAL_MARGIN;
    }
}

/* ---- laws ---- */

static void
values_and_the_background_mean_sum_to_the_margin(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < RECIPES; i++) {
        const struct made_recipe r = recipe(i);
        DEFER(sample_done) struct sample s;
        sample_make(&r, 200 + i, 20, 30, &s);
        DEFER(interventional_freep)
        struct interventional *e = explainer(&s, INTERVENTIONAL_TABLES, EXPLAIN_RECORD, 1, false);
        DEFER(memory_freep)
        double *phi = phi_of(&s, INTERVENTIONAL_TABLES, EXPLAIN_RECORD, 1, false);
        double expected[MADE_OUTPUTS], margin[MADE_OUTPUTS];
        interventional_expected(e, expected);
        for (size_t row = 0; row < s.rows; row++) {
            forest_margin_ref(&s.m->f, s.x + row * r.features, 1, margin);
            for (uint32_t k = 0; k < r.outputs; k++) {
                double sum = expected[k];
                for (uint32_t j = 0; j < r.features; j++) {
                    sum += phi[(row * r.outputs + k) * r.features + j];
                }
                assert_near(sum, margin[k], 1e-9);
            }
        }
    }
}

/* Dummy, and null: the row against itself. */
static void
a_feature_that_changes_nothing_gets_nothing(void **state)
{
    (void)state;
    struct made_recipe r = {.features = 5, .outputs = 1, .trees = 6, .depth = 5};
    DEFER(sample_done) struct sample s;
    sample_make(&r, 7, 40, 40, &s);
    for (uint32_t n = 0; n < s.m->f.nodes; n++) {
        s.m->feature[n] = s.m->feature[n] == 3 ? 2 : s.m->feature[n];
    }
    memcpy(s.background, s.x, 40 * 5 * sizeof *s.x);
    DEFER(memory_freep) double *fast = phi_of(&s, INTERVENTIONAL_TABLES, EXPLAIN_FAST, 1, false);
    for (size_t row = 0; row < s.rows; row++) {
        assert_true(fast[row * 5 + 3] == 0);
    }
    s.background_rows = s.rows = 1;
    DEFER(memory_freep) double *self = phi_of(&s, INTERVENTIONAL_TABLES, EXPLAIN_RECORD, 1, false);
    for (size_t j = 0; j < 5; j++) {
        assert_near(self[j], 0, 1e-13);
    }
}

/* Symmetry: renaming two features in model and rows renames them in the answer. */
static void
features_that_change_places_change_values(void **state)
{
    (void)state;
    const struct made_recipe r = {.features = 6, .outputs = 1, .trees = 8, .depth = 5};
    DEFER(sample_done) struct sample s;
    sample_make(&r, 8, 30, 25, &s);
    DEFER(memory_freep) double *a = phi_of(&s, INTERVENTIONAL_TABLES, EXPLAIN_RECORD, 1, false);
    for (uint32_t n = 0; n < s.m->f.nodes; n++) {
        const uint32_t k = s.m->feature[n];
        s.m->feature[n] = k == 1 ? 4 : k == 4 ? 1 : k;
    }
    for (size_t i = 0; i < 30 + 25; i++) {
        float *row = i < 30 ? s.x + i * 6 : s.background + (i - 30) * 6;
        const float kept = row[1];
        row[1] = row[4];
        row[4] = kept;
    }
    DEFER(memory_freep) double *b = phi_of(&s, INTERVENTIONAL_TABLES, EXPLAIN_RECORD, 1, false);
    for (size_t i = 0; i < s.rows * 6; i++) {
        const size_t k = i % 6, other = k == 1 ? 4 : k == 4 ? 1 : k;
        assert_near(b[i], a[i - k + other], 1e-12);
    }
}

/* The mean over the background: of one row, of all, and with every row twice. */
static void
a_background_counts_by_its_shares(void **state)
{
    (void)state;
    const struct made_recipe r = {.features = 5, .outputs = 2, .trees = 6, .depth = 4};
    DEFER(sample_done) struct sample s;
    sample_make(&r, 9, 10, 8, &s);
    const size_t n = s.rows * 10;
    DEFER(memory_freep) double *all = phi_of(&s, INTERVENTIONAL_TABLES, EXPLAIN_RECORD, 1, false);
    DEFER(memory_freep) double *sum = calloc(n, sizeof *sum);
    float *first = s.background;
    s.background_rows = 1;
    for (size_t b = 0; b < 8; b++, s.background += 5) {
        DEFER(memory_freep)
        double *one = phi_of(&s, INTERVENTIONAL_TABLES, EXPLAIN_RECORD, 1, false);
        DEFER(memory_freep)
        double *pair = phi_of(&s, INTERVENTIONAL_PAIRS, EXPLAIN_RECORD, 1, false);
        close_rows(&s, one, pair, RECORD);
        for (size_t i = 0; i < n; i++) {
            sum[i] += one[i] / 8;
        }
    }
    close_rows(&s, sum, all, RECORD);
    DEFER(memory_freep) float *twice = calloc((size_t)16 * 5, sizeof *twice);
    memcpy(twice, first, 8 * 5 * sizeof *twice);
    memcpy(twice + 8 * 5, first, 8 * 5 * sizeof *twice);
    s.background = twice;
    s.background_rows = 16;
    DEFER(memory_freep)
    double *doubled = phi_of(&s, INTERVENTIONAL_TABLES, EXPLAIN_RECORD, 1, false);
    close_rows(&s, doubled, all, RECORD);
    s.background = first;
}

static void
gives_the_same_digits_for_any_threads_and_rows_at_once(void **state)
{
    (void)state;
    const struct made_recipe r = {.features = 8, .outputs = 2, .trees = 8, .depth = 6};
    DEFER(sample_done) struct sample s;
    sample_make(&r, 10, 1000, 100, &s);
    const size_t width = 16;
    for (int engine = 0; engine < 3; engine++) {
        const enum interventional_engine kind =
            engine == 0 ? INTERVENTIONAL_PAIRS : INTERVENTIONAL_TABLES;
        const enum explain_precision precision = engine == 1 ? EXPLAIN_FAST : EXPLAIN_RECORD;
        s.rows = engine == 0 ? 50 : 1000;
        DEFER(memory_freep) double *one = phi_of(&s, kind, precision, 1, false);
        DEFER(memory_freep) double *three = phi_of(&s, kind, precision, 3, false);
        DEFER(memory_freep) double *portable = phi_of(&s, kind, precision, 2, true);
        assert_memory_equal(one, three, s.rows * width * sizeof *one);
        assert_memory_equal(one, portable, s.rows * width * sizeof *one);
        DEFER(interventional_freep)
        struct interventional *e = explainer(&s, kind, precision, 1, false);
        double alone[16];
        assert_ok(interventional_rows(e, s.x + 41 * 8, 1, 1, alone));
        assert_memory_equal(alone, one + 41 * width, sizeof alone);
    }
}

/* ---- probability ---- */

static void
sample_make_logistic(double scale, uint64_t seed, size_t rows, size_t background_rows,
                     struct sample *s)
{
    const struct made_recipe r = {.features = 6, .outputs = 1, .trees = 8, .depth = 5};
    sample_make(&r, seed, rows, background_rows, s);
    s->m->f.link = FOREST_LOGISTIC;
    s->m->f.link_scale = scale;
    space = INTERVENTIONAL_PROBABILITY;
}

static void
refuses_probabilities_of_classes(void **state)
{
    (void)state;
    struct interventional *e = NULL;
    struct interventional_options o;
    const struct made_recipe r = {.features = 4, .outputs = 3, .trees = 3, .depth = 3};
    DEFER(sample_done) struct sample s;
    sample_make(&r, 1, 2, 2, &s);
    interventional_defaults(&o);
    o.space = INTERVENTIONAL_PROBABILITY;
    s.m->f.link = FOREST_SOFTMAX;
    assert_status(interventional_new(&s.m->f, s.background, 2, &o, &e), UNSUPPORTED);
}

/* By the definition: each pair's margins scaled, against one background row after another. */
static void
scales_each_pair_by_the_mean_slope(void **state)
{
    (void)state;
    DEFER(sample_done) struct sample s;
    sample_make_logistic(0.7, 31, 12, 9, &s);
    const size_t n = s.rows * 6;
    DEFER(memory_freep) double *got = phi_of(&s, INTERVENTIONAL_PAIRS, EXPLAIN_RECORD, 1, false);
    DEFER(memory_freep) double *want = calloc(n, sizeof *want);
    float *first = s.background;
    space = INTERVENTIONAL_MARGIN;
    s.background_rows = 1;
    for (size_t b = 0; b < 9; b++, s.background += 6) {
        DEFER(memory_freep)
        double *one = phi_of(&s, INTERVENTIONAL_PAIRS, EXPLAIN_RECORD, 1, false);
        for (size_t i = 0; i < s.rows; i++) {
            double m[2], p[2];
            forest_margin_ref(&s.m->f, s.x + i * 6, 1, m);
            forest_margin_ref(&s.m->f, s.background, 1, m + 1);
            memcpy(p, m, sizeof p);
            forest_link_apply(&s.m->f, p, 2);
            for (size_t k = 0; k < 6; k++) {
                want[i * 6 + k] += one[i * 6 + k] * (p[0] - p[1]) / (m[0] - m[1]) / 9;
            }
        }
    }
    s.background = first;
    close_rows(&s, got, want, 1e-9);
}

static void
interpolated_probabilities_equal_pairs_and_sum_up(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 6; i++) {
        static const double scales[] = {1, 2, 5};
        DEFER(sample_done) struct sample s;
        sample_make_logistic(scales[i % 3], 300 + i, 40, 1 + 30 * i, &s);
        s.m->f.link = i == 5 ? FOREST_EXP : FOREST_LOGISTIC;
        DEFER(memory_freep) double *pairs = phi_of(&s, INTERVENTIONAL_PAIRS, EXPLAIN_RECORD, 1, 0);
        DEFER(memory_freep) double *fast = phi_of(&s, INTERVENTIONAL_TABLES, EXPLAIN_FAST, 1, 0);
        DEFER(memory_freep)
        double *record = phi_of(&s, INTERVENTIONAL_TABLES, EXPLAIN_RECORD, 1, 0);
        DEFER(memory_freep)
        double *threads = phi_of(&s, INTERVENTIONAL_TABLES, EXPLAIN_RECORD, 3, 1);
        close_rows(&s, fast, pairs, 2e-5);
        close_rows(&s, record, pairs, 1e-9);
        assert_memory_equal(record, threads, s.rows * 6 * sizeof *record);
        DEFER(interventional_freep)
        struct interventional *e = explainer(&s, INTERVENTIONAL_TABLES, EXPLAIN_RECORD, 1, false);
        double expected = 0, error = 1;
        interventional_expected(e, &expected);
        assert_true(interventional_nodes(e, &error) >= 1 && error <= 1e-11);
        for (size_t row = 0; row < s.rows; row++) {
            double margin = 0, sum = expected;
            forest_margin_ref(&s.m->f, s.x + row * 6, 1, &margin);
            forest_link_apply(&s.m->f, &margin, 1);
            for (size_t k = 0; k < 6; k++) {
                sum += record[row * 6 + k];
            }
            assert_near(sum, margin, 1e-9);
        }
    }
    space = INTERVENTIONAL_MARGIN;
}

/* ---- shap ---- */

static float *
pinned_rows(const json_t *rows, size_t *ret_count)
{
    const size_t n = json_array_size(rows), width = json_array_size(json_array_get(rows, 0));
    float *x = calloc(n * width, sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < n * width; i++) {
        const json_t *v = json_array_get(json_array_get(rows, i / width), i % width);
        x[i] = json_is_null(v) ? NAN : (float)json_number_value(v);
    }
    *ret_count = n;
    return x;
}

static struct forest *
pinned_forest(const char *hex)
{
    struct diag diag = {0};
    struct forest *f = NULL;
    DEFER(buf_done) struct buf bytes;
    buf_init(&bytes, strlen(hex));
    for (; *hex != '\0'; hex += 2) {
        const char byte[3] = {hex[0], hex[1], 0};
        const uint8_t b = (uint8_t)strtoul(byte, NULL, 16);
        buf_put(&bytes, view_of(&b, 1));
    }
    assert_ok(forest_load(buf_view(&bytes), &diag, &f));
    return f;
}

/* shap's weights are floats. */
static void
check_pinned(const struct forest *f, const float *x, size_t rows, const float *background,
             size_t background_rows, const struct interventional_options *o, const json_t *expected,
             const json_t *values)
{
    DEFER(interventional_freep) struct interventional *e = NULL;
    const size_t width = (size_t)f->features * f->outputs;
    DEFER(memory_freep) double *phi = calloc(rows * width, sizeof *phi);
    double mean[8];
    assert_non_null(phi);
    assert_ok(interventional_new(f, background, background_rows, o, &e));
    assert_ok(interventional_rows(e, x, rows, 1, phi));
    interventional_expected(e, mean);
    for (uint32_t k = 0; k < f->outputs; k++) {
        const json_t *v = json_is_array(expected) ? json_array_get(expected, k) : expected;
        assert_near(mean[k], json_number_value(v), 2e-6);
    }
    assert_int_equal(json_array_size(values), rows);
    for (size_t i = 0; i < rows * width; i++) {
        const json_t *v = json_array_get(json_array_get(values, i / width), i % width);
        assert_near(phi[i], json_number_value(v), 3e-6);
    }
}

static void
read_pins(const char *name, json_t **ret_pins)
{
    DEFER(memory_freep) char *path = testing_source(name);
    DEFER(buf_done) struct buf text;
    buf_init(&text, 1u << 20);
    assert_ok(file_read(path, 1u << 20, NULL, &text));
    assert_ok(js_parse(buf_view(&text), NULL, NULL, ret_pins));
}

static void
equals_shap(void **state)
{
    (void)state;
    DEFER(js_freep) json_t *pins = NULL;
    read_pins("tests/assess/data/interventional.json", &pins);
    size_t rows = 0, background_rows = 0, i = 0;
    DEFER(memory_freep) float *x = pinned_rows(json_object_get(pins, "rows"), &rows);
    DEFER(memory_freep)
    float *background = pinned_rows(json_object_get(pins, "background"), &background_rows);
    json_t *one = NULL;
    assert_int_equal(json_array_size(json_object_get(pins, "cases")), 4);
    json_array_foreach(json_object_get(pins, "cases"), i, one)
    {
        DEFER(forest_freep)
        struct forest *f = pinned_forest(json_string_value(json_object_get(one, "model")));
        struct interventional_options o;
        interventional_defaults(&o);
        for (int engine = 0; engine < 2; engine++) {
            o.engine = engine == 0 ? INTERVENTIONAL_PAIRS : INTERVENTIONAL_TABLES;
            o.space = INTERVENTIONAL_MARGIN;
            check_pinned(f, x, rows, background, background_rows, &o,
                         json_object_get(one, "expected"), json_object_get(one, "values"));
            const json_t *p = json_object_get(one, "probability_values");
            if (p != NULL) {
                o.space = INTERVENTIONAL_PROBABILITY;
                check_pinned(f, x, rows, background, background_rows, &o,
                             json_object_get(one, "probability_expected"), p);
            }
        }
    }
}

static const json_t *
case_named(const json_t *pins, const char *name)
{
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(pins, "cases"), i, one)
    {
        if (strcmp(json_string_value(json_object_get(one, "name")), name) == 0) {
            return one;
        }
    }
    fail_msg("no case %s", name);
    return NULL;
}

static void
interactions_equal_woodelf(void **state)
{
    (void)state;
    DEFER(js_freep) json_t *pins = NULL;
    DEFER(js_freep) json_t *pairs = NULL;
    read_pins("tests/assess/data/interventional.json", &pins);
    read_pins("tests/assess/data/interactions.json", &pairs);
    struct sample s = {0};
    DEFER(memory_freep) float *x = pinned_rows(json_object_get(pins, "rows"), &s.rows);
    DEFER(memory_freep)
    float *background = pinned_rows(json_object_get(pins, "background"), &s.background_rows);
    size_t i;
    json_t *one;
    assert_int_equal(json_array_size(json_object_get(pairs, "cases")), 3);
    json_array_foreach(json_object_get(pairs, "cases"), i, one)
    {
        const char *name = json_string_value(json_object_get(one, "name"));
        DEFER(forest_freep)
        struct forest *f =
            pinned_forest(json_string_value(json_object_get(case_named(pins, name), "model")));
        const size_t square = (size_t)f->features * f->features;
        DEFER(interventional_freep) struct interventional *e = NULL;
        DEFER(memory_freep) double *got = calloc(s.rows * square, sizeof *got);
        struct interventional_options o;
        interventional_defaults(&o);
        o.interactions = true;
        assert_ok(interventional_new(f, background, s.background_rows, &o, &e));
        assert_ok(interventional_interactions(e, x, s.rows, 1, got));
        for (size_t k = 0; k < s.rows * square; k++) {
            const json_t *want = json_array_get(
                json_array_get(json_object_get(one, "pairs"), k / square), k % square);
            assert_near(got[k], json_number_value(want), 2e-6);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_tables_for_too_many_thresholds_and_for_too_much_memory),
        cmocka_unit_test(chooses_pairs_for_few_and_tables_for_many),
        cmocka_unit_test(equals_the_definition_over_all_subsets),
        cmocka_unit_test(tables_equal_pairs_in_both_precisions),
        cmocka_unit_test(leaves_below_long_paths_equal_pairs),
        cmocka_unit_test(interactions_equal_the_definition_over_all_subsets),
        cmocka_unit_test(lines_of_interactions_sum_to_attributions),
        cmocka_unit_test(values_and_the_background_mean_sum_to_the_margin),
        cmocka_unit_test(a_feature_that_changes_nothing_gets_nothing),
        cmocka_unit_test(features_that_change_places_change_values),
        cmocka_unit_test(a_background_counts_by_its_shares),
        cmocka_unit_test(gives_the_same_digits_for_any_threads_and_rows_at_once),
        cmocka_unit_test(refuses_probabilities_of_classes),
        cmocka_unit_test(scales_each_pair_by_the_mean_slope),
        cmocka_unit_test(interpolated_probabilities_equal_pairs_and_sum_up),
        cmocka_unit_test(equals_shap),
        cmocka_unit_test(interactions_equal_woodelf),
    };
    return cmocka_run_group_tests_name("assess/interventional", tests, NULL, NULL);
}
