#include "testing/testing.h"

#include "assess/slices.h"
#include "num/bits.h"
#include "num/hypergeometric.h"
#include "num/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FEATURES_MAX 6u
#define ROWS_MAX 1200u

struct data {
    size_t rows;
    uint32_t features;
    uint32_t levels[FEATURES_MAX];
    uint32_t code[FEATURES_MAX][ROWS_MAX];
    double loss[ROWS_MAX];
};

static const struct slices_options plain = {.alpha = 0.95,
                                            .level = 3,
                                            .found = 8,
                                            .confidence = 0.95,
                                            .threads = 1,
                                            .pair_bytes = 1u << 20};

static struct slices_table *
table_of(const struct data *d, uint64_t min_rows)
{
    struct slices_table *t = NULL;
    assert_ok(slices_table_new(d->rows, d->features, min_rows, &t));
    for (uint32_t f = 0; f < d->features; f++) {
        assert_ok(slices_table_add(t, d->code[f], d->levels[f]));
    }
    return t;
}

static struct slices_result *
find(const struct data *d, uint64_t min_rows, const struct slices_options *o)
{
    struct slices_result *r = calloc(1, sizeof *r);
    assert_non_null(r);
    DEFER(slices_table_freep) struct slices_table *t = table_of(d, min_rows);
    assert_ok(slices_find(t, d->loss, o, r));
    return r;
}

/* Few levels, so that scores tie; the last column repeats the first under other codes; the one
 * before it is a coarser first. planted: losses follow two conditions. */
static void
make_data(uint64_t seed, size_t rows, bool binary, bool planted, struct data *d)
{
    struct rng g;
    rng_init(&g, seed, "slices");
    *d = (struct data){.rows = rows, .features = FEATURES_MAX, .levels = {4, 3, 2, 5, 2, 4}};
    for (size_t i = 0; i < rows; i++) {
        for (uint32_t f = 0; f < 4; f++) {
            d->code[f][i] = (uint32_t)rng_below(&g, d->levels[f]);
        }
        d->code[4][i] = d->code[0][i] / 2;
        d->code[5][i] = 3 - d->code[0][i];
        const bool bad = planted && d->code[0][i] == 1 && d->code[1][i] == 2;
        const double u = rng_unit(&g);
        d->loss[i] = binary ? u < (bad ? 0.6 : 0.15) : u < 0.3 ? 0 : (bad ? 4 : 1) * u;
    }
}

/* ---- misuse and limits ---- */

static void
refuses_losses_that_are_not_finite_or_below_zero(void **state)
{
    (void)state;
    static struct data d;
    static struct slices_result r;
    const double bad[] = {-0.5, NAN, INFINITY};
    make_data(1, 100, true, true, &d);
    DEFER(slices_table_freep) struct slices_table *t = table_of(&d, 5);
    for (size_t i = 0; i < 3; i++) {
        d.loss[50] = bad[i];
        assert_status(slices_find(t, d.loss, &plain, &r), INPUT);
    }
}

static void
refuses_options_out_of_range(void **state)
{
    (void)state;
    static struct data d;
    static struct slices_result r;
    make_data(1, 100, true, true, &d);
    DEFER(slices_table_freep) struct slices_table *t = table_of(&d, 5);
    struct slices_options o = plain;
    o.level = SLICES_MAX_LEVEL + 1;
    assert_status(slices_find(t, d.loss, &o, &r), LIMIT);
    o = plain;
    o.found = 0;
    assert_status(slices_find(t, d.loss, &o, &r), LIMIT);
    o = plain;
    o.alpha = 0;
    assert_status(slices_find(t, d.loss, &o, &r), INPUT);
    o.alpha = NAN;
    assert_status(slices_find(t, d.loss, &o, &r), INPUT);
}

static void
without_rows_features_or_mistakes_nothing_is_found(void **state)
{
    (void)state;
    static struct data d;
    static struct slices_result r;
    make_data(1, 100, true, true, &d);
    memset(d.loss, 0, sizeof d.loss);
    DEFER(memory_freep) struct slices_result *none = find(&d, 5, &plain);
    assert_int_equal(none->found, 0);
    assert_int_equal(none->mistakes, 0);
    d.features = 0;
    d.loss[3] = 1;
    DEFER(memory_freep) struct slices_result *bare = find(&d, 5, &plain);
    assert_int_equal(bare->found, 0);
    assert_near(bare->candidates, 0, 0);
    d.rows = 0;
    DEFER(slices_table_freep) struct slices_table *empty = table_of(&d, 5);
    assert_status(slices_find(empty, d.loss, &plain, &r), INPUT);
}

static void
all_rows_wrong_or_all_rows_in_one_level_find_nothing_worse_than_the_whole(void **state)
{
    (void)state;
    static struct data d;
    make_data(1, 100, true, true, &d);
    for (size_t i = 0; i < d.rows; i++) {
        d.loss[i] = 1;
    }
    DEFER(memory_freep) struct slices_result *r = find(&d, 5, &plain);
    assert_int_equal(r->found, 0);
    make_data(1, 100, true, true, &d);
    memset(d.code, 0, sizeof d.code);
    DEFER(memory_freep) struct slices_result *one = find(&d, 5, &plain);
    assert_int_equal(one->found, 0);
}

static void
a_million_levels_leave_those_with_rows_enough(void **state)
{
    (void)state;
    enum { ROWS = 1200 };
    static struct data d;
    static uint32_t code[ROWS];
    static struct slices_result r;
    make_data(1, ROWS, true, true, &d);
    for (uint32_t i = 0; i < ROWS; i++) {
        code[i] = i < 100 ? 999999 : 7 * i;
        d.loss[i] = i < 100 && i % 2 == 0;
    }
    DEFER(slices_table_freep) struct slices_table *t = NULL;
    assert_ok(slices_table_new(ROWS, 1, 32, &t));
    assert_ok(slices_table_add(t, code, 1000000));
    assert_ok(slices_find(t, d.loss, &plain, &r));
    assert_int_equal(r.basic, 1);
    assert_int_equal(r.found, 1);
    assert_int_equal(r.slice[0].condition[0].level, 999999);
    assert_int_equal(r.slice[0].rows, 100);
    assert_near(r.slice[0].coverage, 1, 0);
}

/* ---- exhaustive search ---- */

struct candidate {
    struct slice slice;
    uint8_t in[ROWS_MAX];
};

static int
compare_slices(const struct slice *a, const struct slice *b)
{
    if (a->score > b->score || a->score < b->score) {
        return a->score > b->score ? -1 : 1;
    }
    if (a->conditions != b->conditions) {
        return a->conditions < b->conditions ? -1 : 1;
    }
    for (uint32_t i = 0; i < a->conditions; i++) {
        const struct slices_condition *x = &a->condition[i], *y = &b->condition[i];
        if (x->feature != y->feature) {
            return x->feature < y->feature ? -1 : 1;
        }
        if (x->level != y->level) {
            return x->level < y->level ? -1 : 1;
        }
    }
    return 0;
}

static int
compare_candidates(const void *a, const void *b)
{
    return compare_slices(&((const struct candidate *)a)->slice,
                          &((const struct candidate *)b)->slice);
}

static bool
fulfils(const struct data *d, const struct slice *s, size_t row)
{
    for (uint32_t c = 0; c < s->conditions; c++) {
        if (d->code[s->condition[c].feature][row] != s->condition[c].level) {
            return false;
        }
    }
    return true;
}

/* Sums in falling order of the loss, as the finder does, so that ties are ties. */
static void
measure(const struct data *d, double alpha, const uint32_t *by_loss, struct candidate *k)
{
    double all = 0;
    for (size_t q = 0; q < d->rows; q++) {
        const size_t i = by_loss[q];
        const bool in = fulfils(d, &k->slice, i);
        k->in[i] = in;
        all += d->loss[i];
        k->slice.rows += in;
        k->slice.error += in ? d->loss[i] : 0;
        k->slice.error_max = in ? fmax(k->slice.error_max, d->loss[i]) : k->slice.error_max;
    }
    k->slice.score =
        slices_score(alpha, (double)k->slice.rows, k->slice.error, (double)d->rows, all);
}

struct every {
    const struct data *d;
    const struct slices_options *o;
    uint64_t min_rows;
    uint32_t by_loss[ROWS_MAX];
    struct candidate *list;
    size_t n;
};

static void
enumerate(struct every *e, const struct slice *from, uint32_t feature)
{
    for (uint32_t f = feature; f < e->d->features && from->conditions < e->o->level; f++) {
        for (uint32_t l = 0; l < e->d->levels[f]; l++) {
            struct slice s = *from;
            s.condition[s.conditions++] = (struct slices_condition){f, l};
            struct candidate *k = &e->list[e->n];
            *k = (struct candidate){.slice = s};
            measure(e->d, e->o->alpha, e->by_loss, k);
            e->n += k->slice.rows >= e->min_rows && k->slice.score > 0;
            enumerate(e, &s, f + 1);
        }
    }
}

static void
order_by_loss(struct every *e)
{
    for (uint32_t i = 0; i < e->d->rows; i++) {
        uint32_t at = i;
        for (; at > 0 && e->d->loss[e->by_loss[at - 1]] < e->d->loss[i]; at--) {
            e->by_loss[at] = e->by_loss[at - 1];
        }
        e->by_loss[at] = i;
    }
}

/* The first of each set of equal rows. */
static size_t
drop_same_rows(struct candidate *list, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        bool known = false;
        for (size_t j = 0; j < kept && !known; j++) {
            known = memcmp(list[j].in, list[i].in, sizeof list[i].in) == 0;
        }
        if (!known) {
            list[kept++] = list[i];
        }
    }
    return kept;
}

static void
check_against_all(const struct data *d, uint64_t min_rows, const struct slices_options *o)
{
    static struct every e;
    e = (struct every){.d = d, .o = o, .min_rows = min_rows};
    e.list = calloc(6000, sizeof *e.list);
    assert_non_null(e.list);
    order_by_loss(&e);
    enumerate(&e, &(struct slice){0}, 0);
    qsort(e.list, e.n, sizeof *e.list, compare_candidates);
    const size_t n = o->same_rows ? e.n : drop_same_rows(e.list, e.n);
    DEFER(memory_freep) struct slices_result *r = find(d, min_rows, o);
    assert_int_equal(r->found, n < o->found ? n : o->found);
    for (uint32_t i = 0; i < r->found; i++) {
        assert_int_equal(compare_slices(&r->slice[i], &e.list[i].slice), 0);
        assert_int_equal(r->slice[i].rows, e.list[i].slice.rows);
        assert_near(r->slice[i].error, e.list[i].slice.error, 0);
        assert_near(r->slice[i].error_max, e.list[i].slice.error_max, 0);
    }
    free(e.list);
}

static void
finds_what_exhaustive_search_finds(void **state)
{
    (void)state;
    static struct data d;
    unsigned checked = 0;
    for (uint64_t seed = 0; seed < 12; seed++) {
        make_data(seed, 60 + 40 * seed, seed % 2 == 0, seed % 3 != 0, &d);
        for (uint32_t level = 1; level <= SLICES_MAX_LEVEL; level++) {
            struct slices_options o = plain;
            o.level = level;
            o.found = 1 + (uint32_t)(seed * 7 + level * 5) % 30;
            o.alpha = seed % 4 == 0 ? 0.6 : seed % 4 == 1 ? 1 : 0.95;
            o.same_rows = (seed + level) % 3 == 0;
            o.pair_bytes = (seed + level) % 4 == 0 ? 0 : 1u << 20;
            check_against_all(&d, 1 + seed % 3 * 6, &o);
            checked++;
        }
    }
    assert_int_equal(checked, 48);
}

/* Mistakes are exactly the rows of two or three conjunctions: what bounds a slice is then what it
 * has, so that a bound that is a little too low leaves out the best. */
static void
finds_them_where_bounds_are_tight(void **state)
{
    (void)state;
    static struct data d;
    for (uint64_t seed = 0; seed < 150; seed++) {
        struct rng g;
        rng_init(&g, seed, "slices.tight");
        make_data(seed, 150, true, false, &d);
        memset(d.loss, 0, sizeof d.loss);
        for (uint64_t k = 0; k < 2 + seed % 2; k++) {
            struct slice s = {.conditions = (uint32_t)(2 + (seed + k) % 2)};
            for (uint32_t c = 0; c < s.conditions; c++) {
                s.condition[c].feature = c == 0 ? 0 : 2 * c - (uint32_t)rng_below(&g, 2);
                s.condition[c].level = (uint32_t)rng_below(&g, d.levels[s.condition[c].feature]);
            }
            for (size_t i = 0; i < d.rows; i++) {
                d.loss[i] = fulfils(&d, &s, i) ? (seed % 3 == 0 ? 2 + (double)k : 1) : d.loss[i];
            }
        }
        struct slices_options o = plain;
        o.level = 3 + seed % 2;
        o.found = 1 + (uint32_t)seed % 3;
        o.pair_bytes = seed % 5 == 0 ? 0 : 1u << 20;
        check_against_all(&d, 2, &o);
    }
}

/* ---- laws ---- */

static void
assert_same(const struct slices_result *a, const struct slices_result *b)
{
    assert_int_equal(a->found, b->found);
    assert_memory_equal(a->counted, b->counted, sizeof a->counted);
    for (uint32_t i = 0; i < a->found; i++) {
        assert_memory_equal(&a->slice[i].condition, &b->slice[i].condition,
                            sizeof a->slice[i].condition);
        assert_memory_equal(&a->slice[i].score, &b->slice[i].score, sizeof a->slice[i].score);
        assert_near(a->slice[i].p_permutation, b->slice[i].p_permutation, 0);
    }
}

static void
any_number_of_threads_gives_the_same_digits(void **state)
{
    (void)state;
    static struct data d;
    for (uint64_t seed = 0; seed < 4; seed++) {
        make_data(seed, 1100, seed < 2, true, &d);
        struct slices_options o = plain;
        o.level = 4;
        o.found = 20;
        o.permutations = 30;
        DEFER(memory_freep) struct slices_result *one = find(&d, 11, &o);
        o.threads = 5;
        DEFER(memory_freep) struct slices_result *five = find(&d, 11, &o);
        assert_same(one, five);
        assert_int_equal(one->permutations, five->permutations);
    }
}

static void
the_order_of_rows_changes_nothing(void **state)
{
    (void)state;
    static struct data d, back;
    make_data(3, 900, true, true, &d);
    back = d;
    for (size_t i = 0; i < d.rows; i++) {
        const size_t k = d.rows - 1 - i;
        back.loss[i] = d.loss[k];
        for (uint32_t f = 0; f < d.features; f++) {
            back.code[f][i] = d.code[f][k];
        }
    }
    DEFER(memory_freep) struct slices_result *a = find(&d, 9, &plain);
    DEFER(memory_freep) struct slices_result *b = find(&back, 9, &plain);
    assert_same(a, b);
    assert_true(a->found > 0);
}

static void
bounds_leave_most_candidates_uncounted(void **state)
{
    (void)state;
    static struct data d;
    make_data(2, 1200, true, true, &d);
    struct slices_options o = plain;
    o.found = 1;
    DEFER(memory_freep) struct slices_result *r = find(&d, 12, &o);
    const double counted = (double)(r->counted[0] + r->counted[1] + r->counted[2]);
    assert_true(counted < 0.6 * r->candidates);
    assert_true(r->counted[1] > 0);
}

/* ---- sliceline ---- */

static void
read_table(const json_t *table, struct data *d)
{
    size_t f = 0;
    json_t *column = NULL;
    const json_t *loss = json_object_get(table, "loss");
    *d = (struct data){.rows = json_array_size(loss), .features = 5};
    json_array_foreach(json_object_get(table, "x"), f, column)
    {
        for (size_t i = 0; i < d->rows; i++) {
            d->code[f][i] = (uint32_t)(json_string_value(column)[i] - '0');
        }
        d->levels[f] = 10;
    }
    for (size_t i = 0; i < d->rows; i++) {
        d->loss[i] = json_number_value(json_array_get(loss, i));
    }
}

/* Those with equal scores come in no order there. */
static const json_t *
find_slice(const json_t *found, const struct slice *s)
{
    size_t i = 0;
    json_t *item = NULL;
    json_array_foreach((json_t *)(uintptr_t)found, i, item)
    {
        const json_t *conditions = json_object_get(item, "conditions");
        bool same = json_array_size(conditions) == s->conditions;
        for (uint32_t c = 0; same && c < s->conditions; c++) {
            const json_t *pair = json_array_get(conditions, c);
            same = json_integer_value(json_array_get(pair, 0)) == s->condition[c].feature &&
                   json_integer_value(json_array_get(pair, 1)) == s->condition[c].level;
        }
        if (same) {
            return item;
        }
    }
    return NULL;
}

static void
finds_what_sliceline_finds(void **state)
{
    (void)state;
    DEFER(memory_freep) char *path = testing_source("tests/assess/data/slices.json");
    DEFER(js_freep) json_t *all = testing_read_json(path);
    static struct data d;
    size_t i = 0, compared = 0;
    json_t *c = NULL;
    json_array_foreach(json_object_get(all, "cases"), i, c)
    {
        char key[8];
        (void)snprintf(key, sizeof key, "%d", (int)json_integer_value(json_object_get(c, "table")));
        read_table(json_object_get(json_object_get(all, "tables"), key), &d);
        struct slices_options o = plain;
        o.same_rows = true;
        o.alpha = json_number_value(json_object_get(c, "alpha"));
        o.level = (uint32_t)json_integer_value(json_object_get(c, "level"));
        o.found = (uint32_t)json_integer_value(json_object_get(c, "k"));
        const json_t *found = json_object_get(c, "found");
        DEFER(memory_freep)
        struct slices_result *r =
            find(&d, (uint64_t)json_integer_value(json_object_get(c, "min_rows")), &o);
        const size_t theirs_n = json_array_size(found); /* more when some tie with the last */
        assert_int_equal(r->found, theirs_n < o.found ? theirs_n : o.found);
        for (uint32_t k = 0; k < r->found; k++) {
            const json_t *theirs = find_slice(found, &r->slice[k]);
            assert_non_null(theirs);
            assert_near(r->slice[k].score, json_number_value(json_object_get(theirs, "score")),
                        1e-9);
            assert_int_equal(r->slice[k].rows, json_integer_value(json_object_get(theirs, "rows")));
            assert_near(r->slice[k].error, json_number_value(json_object_get(theirs, "error")),
                        1e-9);
            assert_near(r->slice[k].error_max, json_number_value(json_object_get(theirs, "max")),
                        1e-12);
            compared++;
        }
    }
    assert_true(compared > 50);
}

/* ---- confidence ---- */

static void
a_planted_slice_holds_and_noise_does_not(void **state)
{
    (void)state;
    static struct data d;
    struct slices_options o = plain;
    o.permutations = 99;
    o.found = 5;
    make_data(5, 1200, true, true, &d);
    DEFER(memory_freep) struct slices_result *planted = find(&d, 32, &o);
    assert_true(planted->found > 0);
    assert_near(planted->slice[0].p_permutation, 0.01, 1e-12);
    assert_true(planted->slice[0].p_bonferroni < 1e-6);
    assert_true(planted->slice[0].ci_all.low > planted->mean);
    assert_true(planted->slice[0].ci_all.low < planted->slice[0].ci.low);
    assert_int_equal(planted->permutations, 99);
    make_data(6, 1200, true, false, &d);
    DEFER(memory_freep) struct slices_result *noise = find(&d, 32, &o);
    assert_true(noise->found > 0);
    assert_true(noise->slice[0].p_permutation > 0.05);
    assert_true(noise->permutations < 99); /* they settle early */
}

/* Under no effect at all, "the best slice is real" is said in at most 5 % of the tables, by either
 * p: 300 tables, and a bound that chance passes once in a thousand. */
static void
the_worst_of_many_by_luck_is_rarely_called_real(void **state)
{
    (void)state;
    static struct data d;
    struct slices_options o = plain;
    unsigned by_permutation = 0, by_bonferroni = 0, by_p = 0, missed = 0;
    o.permutations = 39;
    o.level = 2;
    o.found = 1;
    for (uint64_t seed = 0; seed < 300; seed++) {
        make_data(1000 + seed, 250, seed % 2 == 0, false, &d);
        o.seed = seed;
        DEFER(memory_freep) struct slices_result *r = find(&d, 10, &o);
        const struct slice *s = &r->slice[0];
        by_permutation += r->found > 0 && s->p_permutation <= 0.05;
        by_bonferroni += r->found > 0 && s->p_bonferroni <= 0.05;
        by_p += r->found > 0 && s->p <= 0.05;
        if (seed % 2 == 0) {
            missed += r->found > 0 && (s->ci_all.low > 0.15 || s->ci_all.high < 0.15);
        }
    }
    assert_true(by_permutation <= 28);
    assert_true(by_bonferroni <= 28);
    assert_true(missed <= 15);
    assert_true(by_p > 60); /* without allowing for the search it would be */
}

/* Features of three even levels; where the first is 0 the loss is `bad` as likely, else `base`. */
static void
make_mixture(uint64_t seed, double base, double bad, struct data *d)
{
    struct rng g;
    rng_init(&g, seed, "slices.mixture");
    *d = (struct data){.rows = 240, .features = 6};
    for (uint32_t f = 0; f < d->features; f++) {
        d->levels[f] = 3;
    }
    for (size_t i = 0; i < d->rows; i++) {
        for (uint32_t f = 0; f < d->features; f++) {
            d->code[f][i] = (uint32_t)rng_below(&g, 3);
        }
        d->loss[i] = rng_unit(&g) < (d->code[0][i] == 0 ? bad : base);
    }
}

static bool
is_false(const struct slice *s)
{
    bool real = false;
    for (uint32_t c = 0; c < s->conditions; c++) {
        real = real || (s->condition[c].feature == 0 && s->condition[c].level == 0);
    }
    return !real;
}

struct rates {
    double any, share, found; /* of tables with a false one; mean share of false ones; slices */
};

static struct rates
false_among_found(double base, double bad, uint32_t permutations, double q)
{
    enum { TABLES = 160 };
    static struct data d;
    struct slices_options o = plain;
    struct rates r = {0};
    o.permutations = permutations;
    o.level = 2;
    o.found = 20;
    for (uint64_t seed = 0; seed < TABLES; seed++) {
        make_mixture(seed, base, bad, &d);
        o.seed = seed;
        DEFER(memory_freep) struct slices_result *x = find(&d, 12, &o);
        double found = 0, wrong = 0;
        for (uint32_t i = 0; i < x->found; i++) {
            assert_true(i == 0 || x->slice[i].q >= x->slice[i - 1].q || permutations == 0);
            found += x->slice[i].q <= q;
            wrong += x->slice[i].q <= q && is_false(&x->slice[i]);
        }
        r.any += (wrong > 0) / (double)TABLES;
        r.share += found > 0 ? wrong / found / TABLES : 0;
        r.found += found / TABLES;
    }
    return r;
}

/* Nothing is wrong: whatever is found is false, and seldom found. Something is wrong: the share of
 * false ones is held, and more than the family's best is found. 160 tables, four standard errors.
 */
static void
the_share_of_false_slices_is_held(void **state)
{
    (void)state;
    const double q = 0.1, error = 4 * sqrt(q * (1 - q) / 160);
    const struct rates none = false_among_found(0.2, 0.2, 59, q);
    assert_true(none.any <= q + error && none.share <= q + error);
    const struct rates some = false_among_found(0.15, 0.45, 59, q);
    assert_true(some.share <= q + error);
    assert_true(some.found > 3);
    const struct rates plain_none = false_among_found(0.2, 0.2, 0, q),
                       plain_some = false_among_found(0.15, 0.45, 0, q);
    assert_true(plain_none.any <= q + error && plain_some.share <= q + error);
    assert_true(plain_some.found > 0.5);
}

static void
the_order_of_rows_changes_no_digit(void **state)
{
    (void)state;
    static struct data d, e;
    struct slices_options o = plain;
    struct rng g;
    static size_t item[ROWS_MAX];
    o.permutations = 49;
    o.found = 10;
    for (int k = 0; k < 2; k++) {
        make_data(11, 600, k == 0, true, &d);
        rng_init(&g, 3, "shuffle");
        for (size_t i = 0; i < d.rows; i++) {
            item[i] = i;
            d.loss[i] = k == 0 ? d.loss[i] : floor(d.loss[i] * 64) / 64; /* sums are exact */
        }
        rng_shuffle(&g, item, d.rows);
        e = d;
        for (size_t i = 0; i < d.rows; i++) {
            for (uint32_t f = 0; f < d.features; f++) {
                e.code[f][i] = d.code[f][item[i]];
            }
            e.loss[i] = d.loss[item[i]];
        }
        DEFER(memory_freep) struct slices_result *a = find(&d, 20, &o);
        DEFER(memory_freep) struct slices_result *b = find(&e, 20, &o);
        assert_true(a->found > 1 && a->found == b->found);
        assert_int_equal(a->permutations, b->permutations);
        for (uint32_t i = 0; i < a->found; i++) {
            assert_memory_equal(a->slice[i].condition, b->slice[i].condition,
                                sizeof a->slice[i].condition);
            assert_near(a->slice[i].q, b->slice[i].q, 0);
            assert_near(a->slice[i].p_permutation, b->slice[i].p_permutation, 0);
            assert_near(a->slice[i].ci.low, b->slice[i].ci.low, 1e-12);
        }
    }
}

static void
losses_of_zero_and_one_and_their_multiples_agree(void **state)
{
    (void)state;
    static struct data d;
    make_data(7, 1000, true, true, &d);
    DEFER(memory_freep) struct slices_result *a = find(&d, 20, &plain);
    for (size_t i = 0; i < d.rows; i++) {
        d.loss[i] *= 2;
    }
    DEFER(memory_freep) struct slices_result *b = find(&d, 20, &plain);
    assert_true(a->is_binary && !b->is_binary && a->found == b->found && a->found > 2);
    for (uint32_t i = 0; i < a->found; i++) {
        assert_memory_equal(a->slice[i].condition, b->slice[i].condition,
                            sizeof a->slice[i].condition);
        assert_near(a->slice[i].score, b->slice[i].score, 1e-12);
        assert_near(2 * a->slice[i].error, b->slice[i].error, 1e-9);
        assert_near(a->slice[i].coverage, b->slice[i].coverage, 1e-12);
    }
}

/* ---- the parts ---- */

static void
counts_bits_as_the_reference_does(void **state)
{
    (void)state;
    enum { WORDS = 1000 };
    static uint64_t a[WORDS], b[WORDS], c[WORDS];
    struct rng g;
    rng_init(&g, 1, "bits");
    for (size_t i = 0; i < WORDS; i++) {
        a[i] = i < 500 ? rng_u64(&g) : ~UINT64_C(0);
        b[i] = i < 300 || i > 700 ? rng_u64(&g) : ~UINT64_C(0);
    }
    for (size_t words = 0; words <= WORDS; words += BITS_STEP) {
        const uint64_t expected = bits_and_count_ref(a, b, words);
        assert_int_equal(bits_and_count(a, b, words), expected);
        if (__builtin_cpu_supports("avx2")) {
            assert_int_equal(bits_and_count_avx2(a, b, words), expected);
        }
        bits_and(a, b, words, c);
        assert_int_equal(bits_and_count_ref(c, c, words), expected);
    }
    assert_int_equal(bits_words(0), 0);
    assert_int_equal(bits_words(1), BITS_STEP);
    assert_int_equal(bits_words(64 * BITS_STEP + 1), 2 * BITS_STEP);
}

/* SciPy 1.17.1: hypergeom.sf(x - 1, population, kind, draws). */
static void
upper_tails_are_those_of_scipy(void **state)
{
    (void)state;
    static const struct {
        uint64_t x, draws, kind, population;
        double p;
    } cases[] = {
        {7, 20, 30, 100, 0.384920143766301},
        {30, 50, 300, 1000, 6.07884384068046e-06},
        {10, 50, 300, 1000, 0.963424777572983},
        {1, 5, 3, 10, 0.916666666666667},
        {120, 1000, 5000, 50000, 0.0209154099987023},
        {95, 1000, 5000, 50000, 0.71789904023231},
        {130000, 1000000, 1200000, 10000000, 2.01195908396139e-226},
        {20, 20, 25, 40, 3.85428639043767e-07},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const double p =
            hypergeometric_upper(cases[i].x, cases[i].draws, cases[i].kind, cases[i].population);
        assert_near(p / cases[i].p, 1, 1e-8);
    }
    assert_near(hypergeometric_upper(0, 5, 3, 10), 1, 0);
    assert_near(hypergeometric_upper(4, 5, 3, 10), 0, 0);
    assert_near(hypergeometric_upper(3, 10, 3, 10), 1, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_losses_that_are_not_finite_or_below_zero),
        cmocka_unit_test(refuses_options_out_of_range),
        cmocka_unit_test(without_rows_features_or_mistakes_nothing_is_found),
        cmocka_unit_test(all_rows_wrong_or_all_rows_in_one_level_find_nothing_worse_than_the_whole),
        cmocka_unit_test(a_million_levels_leave_those_with_rows_enough),
        cmocka_unit_test(finds_what_exhaustive_search_finds),
        cmocka_unit_test(finds_them_where_bounds_are_tight),
        cmocka_unit_test(any_number_of_threads_gives_the_same_digits),
        cmocka_unit_test(the_order_of_rows_changes_nothing),
        cmocka_unit_test(bounds_leave_most_candidates_uncounted),
        cmocka_unit_test(finds_what_sliceline_finds),
        cmocka_unit_test(a_planted_slice_holds_and_noise_does_not),
        cmocka_unit_test(the_worst_of_many_by_luck_is_rarely_called_real),
        cmocka_unit_test(the_share_of_false_slices_is_held),
        cmocka_unit_test(the_order_of_rows_changes_no_digit),
        cmocka_unit_test(losses_of_zero_and_one_and_their_multiples_agree),
        cmocka_unit_test(counts_bits_as_the_reference_does),
        cmocka_unit_test(upper_tails_are_those_of_scipy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
