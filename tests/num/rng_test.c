/* Named streams: pinned outputs (made by the generators' definitions in Python integers), and the
 * laws of what they are for. */
#include "testing/testing.h"

#include "num/rng.h"

#include <math.h>
#include <string.h>

/* The values that Vigna's reference gives from state 1, 2, 3, 4. */
static void
the_generator_is_xoshiro256_starstar(void **state)
{
    (void)state;
    static const uint64_t want[] = {11520, 0, 1509978240, UINT64_C(1215971899390074240),
                                    UINT64_C(1216172134540287360)};
    struct rng r = {{1, 2, 3, 4}};
    for (size_t i = 0; i < 5; i++) {
        assert_true(rng_u64(&r) == want[i]);
    }
}

/* Splits, models and assessments are named by seed and stream: these may never change. */
static void
named_streams_are_pinned(void **state)
{
    (void)state;
    static const struct {
        uint64_t seed;
        const char *name;
        uint64_t first, second, third;
    } want[] = {
        {0, "split", UINT64_C(0x931e8b53459f086f), UINT64_C(0xcc80c8e7a05eaefc),
         UINT64_C(0xc781b862b15d26bd)},
        {7, "split", UINT64_C(0xab33fda1bdde9748), UINT64_C(0x274390da91c53613),
         UINT64_C(0xc1d462e0fcc6b2ca)},
        {7, "train", UINT64_C(0x1a5c231b33fdca1e), UINT64_C(0x11c08ecc3ae005fe),
         UINT64_C(0x85968fbdb2987c2a)},
        {UINT64_MAX, "", UINT64_C(0x0a81060806085bc9), UINT64_C(0x4c4d2f08a4e15404),
         UINT64_C(0x23e8d455470ca233)},
    };
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        struct rng r;
        rng_init(&r, want[i].seed, want[i].name);
        assert_true(rng_u64(&r) == want[i].first);
        assert_true(rng_u64(&r) == want[i].second);
        assert_true(rng_u64(&r) == want[i].third);
    }
    static const uint64_t at[][3] = {
        {0, UINT64_C(0x1a895e73c8fe4090), UINT64_C(0xf11d53cc1c965a29)},
        {1, UINT64_C(0xc8a1722334c763be), UINT64_C(0xdffbfb54020b9bc6)},
        {UINT64_MAX, UINT64_C(0xe9926b53a212fb99), UINT64_C(0x0a46e3c44baba923)},
    };
    for (size_t i = 0; i < 3; i++) {
        struct rng r;
        rng_init_at(&r, 7, "split", at[i][0]);
        assert_true(rng_u64(&r) == at[i][1]);
        assert_true(rng_u64(&r) == at[i][2]);
    }
}

static double
correlation(struct rng *a, struct rng *b, unsigned n)
{
    double ab = 0, aa = 0, bb = 0;
    for (unsigned i = 0; i < n; i++) {
        const double x = rng_unit(a) - 0.5, y = rng_unit(b) - 0.5;
        ab += x * y;
        aa += x * x;
        bb += y * y;
    }
    return ab / sqrt(aa * bb);
}

static void
streams_of_other_names_seeds_and_places_are_independent(void **state)
{
    (void)state;
    enum { N = 20000 };
    static const struct {
        uint64_t seed[2];
        const char *name[2];
        uint64_t index[2];
    } pairs[] = {
        {{7, 7}, {"split", "train"}, {0, 0}}, {{7, 8}, {"split", "split"}, {0, 0}},
        {{0, 1}, {"a", "a"}, {0, 0}},         {{7, 7}, {"a", "b"}, {0, 0}},
        {{7, 7}, {"row", "row"}, {0, 1}},     {{7, 7}, {"row", "row"}, {1, UINT64_C(1) << 63}},
        {{7, 7}, {"", "a"}, {0, 0}},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct rng a, b;
        rng_init_at(&a, pairs[i].seed[0], pairs[i].name[0], pairs[i].index[0]);
        rng_init_at(&b, pairs[i].seed[1], pairs[i].name[1], pairs[i].index[1]);
        assert_true(memcmp(&a, &b, sizeof a) != 0);
        assert_true(fabs(correlation(&a, &b, N)) < 4 / sqrt(N)); /* four standard deviations */
    }
    struct rng a, at;
    rng_init(&a, 7, "split");
    rng_init_at(&at, 7, "split", 0);
    assert_true(rng_u64(&a) != rng_u64(&at));
    struct rng r; /* the first draws at neighbouring rows are a sample as well */
    double mean = 0;
    for (uint64_t i = 0; i < N; i++) {
        rng_init_at(&r, 7, "split", i);
        mean += rng_unit(&r) / N;
    }
    assert_near(mean, 0.5, 4 * sqrt(1.0 / 12 / N));
}

static void
draws_below_a_bound_are_even(void **state)
{
    (void)state;
    enum { N = 60000 };
    static const uint64_t bounds[] = {1, 2, 3, 6, 10};
    for (size_t k = 0; k < sizeof bounds / sizeof *bounds; k++) {
        struct rng r;
        unsigned counts[10] = {0};
        rng_init(&r, 5, "below");
        for (unsigned i = 0; i < N; i++) {
            const uint64_t v = rng_below(&r, bounds[k]);
            assert_true(v < bounds[k]);
            counts[v]++;
        }
        const double p = 1 / (double)bounds[k], deviation = sqrt(N * p * (1 - p));
        for (uint64_t v = 0; v < bounds[k]; v++) {
            assert_near(counts[v], N * p, 4.5 * deviation + 1e-9);
        }
    }
    /* With a bound of 3 * 2^62 plain remainders would fall below 2^62 half of the time. */
    struct rng r;
    rng_init(&r, 5, "large");
    unsigned low = 0;
    for (unsigned i = 0; i < N; i++) {
        low += rng_below(&r, UINT64_C(3) << 62) < UINT64_C(1) << 62;
    }
    assert_near(low, N / 3.0, 4.5 * sqrt(N * 2.0 / 9));
}

static void
normal_draws_have_their_moments(void **state)
{
    (void)state;
    enum { N = 200000 };
    struct rng r;
    rng_init(&r, 5, "normal");
    double m[5] = {0};
    for (unsigned i = 0; i < N; i++) {
        const double z = rng_normal(&r);
        for (int k = 1; k < 5; k++) {
            m[k] += pow(z, k) / N;
        }
    }
    assert_near(m[1], 0, 4.5 * sqrt(1.0 / N));
    assert_near(m[2], 1, 4.5 * sqrt(2.0 / N));
    assert_near(m[3], 0, 4.5 * sqrt(15.0 / N));
    assert_near(m[4], 3, 4.5 * sqrt(96.0 / N));
}

static void
a_shuffle_is_a_permutation_and_every_one_is_as_likely(void **state)
{
    (void)state;
    enum { N = 24000 };
    unsigned counts[24] = {0};
    struct rng r;
    rng_init(&r, 5, "shuffle");
    rng_shuffle(&r, NULL, 0);
    for (unsigned i = 0; i < N; i++) {
        size_t x[4] = {0, 1, 2, 3};
        rng_shuffle(&r, x, 4);
        unsigned rank = 0, seen = 0;
        for (unsigned k = 0; k < 4; k++) {
            unsigned smaller = 0;
            for (unsigned j = k + 1; j < 4; j++) {
                smaller += x[j] < x[k];
            }
            rank = rank * (4 - k) + smaller;
            seen |= 1u << x[k];
        }
        assert_int_equal(seen, 15);
        counts[rank]++;
    }
    for (unsigned k = 0; k < 24; k++) {
        assert_near(counts[k], N / 24.0, 4.5 * sqrt(N / 24.0));
    }
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(the_generator_is_xoshiro256_starstar),
        cmocka_unit_test(named_streams_are_pinned),
        cmocka_unit_test(streams_of_other_names_seeds_and_places_are_independent),
        cmocka_unit_test(draws_below_a_bound_are_even),
        cmocka_unit_test(normal_draws_have_their_moments),
        cmocka_unit_test(a_shuffle_is_a_permutation_and_every_one_is_as_likely),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
