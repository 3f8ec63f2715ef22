#include "num/poisson_bootstrap.h"

#include "num/poisson_bootstrap_parts.h"
#include "num/quantile.h"
#include "num/rng.h"

#include <math.h>
#include <stdbool.h>

const uint32_t poisson_threshold[12] = {1580030168U, 3160060337U, 3950075421U, 4213413783U,
                                        4279248373U, 4292415291U, 4294609777U, 4294923276U,
                                        4294962463U, 4294966817U, 4294967252U, 4294967292U};

static struct poisson_key
key_of(uint64_t seed, uint64_t replicate, uint64_t high)
{
    struct rng r;
    rng_init_at(&r, seed, "poisson.weights", replicate << 32 | high);
    const uint64_t a = rng_u64(&r), b = rng_u64(&r);
    return (struct poisson_key){{(uint32_t)a, (uint32_t)(a >> 32), (uint32_t)b}};
}

static uint32_t
hash(const struct poisson_key *key, uint32_t row)
{
    uint32_t x = row + key->word[0];
    x ^= x >> 16;
    x = x * POISSON_MULTIPLIER_1 + key->word[1];
    x ^= x >> 15;
    x = x * POISSON_MULTIPLIER_2 + key->word[2];
    return x ^ x >> 16;
}

void
poisson_weights_plain(const struct poisson_key *key, uint32_t first, size_t n, uint8_t *ret_weight)
{
    for (size_t i = 0; i < n; i++) {
        const uint32_t u = hash(key, first + (uint32_t)i);
        uint8_t w = 0;
        while (w < POISSON_BOOTSTRAP_MOST && u >= poisson_threshold[w]) {
            w++;
        }
        ret_weight[i] = w;
    }
}

static bool
has_avx2(void)
{
#ifdef __x86_64__
    return __builtin_cpu_supports("avx2") != 0;
#else
    return false;
#endif
}

static void
weights(uint64_t seed, uint64_t replicate, uint64_t first, size_t n, bool fast, uint8_t *ret_weight)
{
    while (n > 0) {
        const uint64_t left = (UINT64_C(1) << 32) - (uint32_t)first;
        const size_t run = left < n ? (size_t)left : n;
        const struct poisson_key key = key_of(seed, replicate, first >> 32);
        const size_t done = fast ? poisson_weights_avx2(&key, (uint32_t)first, run, ret_weight) : 0;
        poisson_weights_plain(&key, (uint32_t)(first + done), run - done, ret_weight + done);
        first += run;
        ret_weight += run;
        n -= run;
    }
}

void
poisson_bootstrap_weights(uint64_t seed, uint64_t replicate, uint64_t first, size_t n,
                          uint8_t *ret_weight)
{
    weights(seed, replicate, first, n, has_avx2(), ret_weight);
}

void
poisson_bootstrap_weights_ref(uint64_t seed, uint64_t replicate, uint64_t first, size_t n,
                              uint8_t *ret_weight)
{
    weights(seed, replicate, first, n, false, ret_weight);
}

/* ---- cells ---- */

static uint64_t
count_by_multiplication(struct rng *r, double mean)
{
    const double end = exp(-mean);
    double product = rng_unit(r);
    uint64_t k = 0;
    for (; product > end; k++) {
        product *= rng_unit(r);
    }
    return k;
}

static uint64_t
count_by_rejection(struct rng *r, double mean)
{
    const double log_mean = log(mean);
    const double b = 0.931 + 2.53 * sqrt(mean), a = -0.059 + 0.02483 * b;
    const double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4), v_r = 0.9277 - 3.6224 / (b - 2);
    for (;;) {
        const double u = rng_unit(r) - 0.5, v = rng_unit(r), us = 0.5 - fabs(u);
        const double k = floor((2 * a / us + b) * u + mean + 0.43);
        if (us >= 0.07 && v <= v_r) {
            return (uint64_t)k;
        }
        if (k < 0 || (us < 0.013 && v > us)) {
            continue;
        }
        int sign = 0;
        if (log(v) + log(inverse_alpha) - log(a / (us * us) + b) <=
            k * log_mean - mean - lgamma_r(k + 1, &sign)) {
            return (uint64_t)k;
        }
    }
}

uint64_t
poisson_bootstrap_count(uint64_t seed, uint64_t replicate, uint64_t cell, uint64_t rows)
{
    struct rng place, r;
    if (rows == 0) {
        return 0;
    }
    rng_init_at(&place, seed, "poisson.cells", replicate);
    rng_init_at(&r, rng_u64(&place), "poisson.cell", cell);
    return rows < 10 ? count_by_multiplication(&r, (double)rows)
                     : count_by_rejection(&r, (double)rows);
}

struct interval
poisson_bootstrap_interval(double *values, size_t n, double level, size_t *ret_kept)
{
    const size_t kept = quantile_sort(values, n);
    *ret_kept = kept;
    if (kept < 2) {
        return (struct interval){NAN, NAN};
    }
    return (struct interval){quantile_sorted(values, kept, (1 - level) / 2),
                             quantile_sorted(values, kept, (1 + level) / 2)};
}
