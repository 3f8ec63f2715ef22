#include "num/rng.h"

#include <math.h>

/* Vigna's SplitMix64 (public domain), as it seeds xoshiro. */
static uint64_t
splitmix(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static uint64_t
fnv1a(const char *text)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (; *text != '\0'; text++) {
        h = (h ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
    }
    return h;
}

static void
fill(struct rng *r, uint64_t state)
{
    for (int i = 0; i < 4; i++) {
        r->s[i] = splitmix(&state);
    }
}

void
rng_init(struct rng *r, uint64_t seed, const char *stream)
{
    uint64_t state = seed;
    fill(r, splitmix(&state) ^ fnv1a(stream));
}

void
rng_init_at(struct rng *r, uint64_t seed, const char *stream, uint64_t index)
{
    uint64_t state = seed, place = index ^ UINT64_C(0x5851f42d4c957f2d);
    const uint64_t keyed = splitmix(&state) ^ fnv1a(stream);
    fill(r, keyed + splitmix(&place));
}

static uint64_t
rotate(uint64_t x, int k)
{
    return x << k | x >> (64 - k);
}

uint64_t
rng_u64(struct rng *r)
{
    const uint64_t result = rotate(r->s[1] * 5, 7) * 9, t = r->s[1] << 17;
    r->s[2] ^= r->s[0];
    r->s[3] ^= r->s[1];
    r->s[1] ^= r->s[2];
    r->s[0] ^= r->s[3];
    r->s[2] ^= t;
    r->s[3] = rotate(r->s[3], 45);
    return result;
}

double
rng_unit(struct rng *r)
{
    return (double)(rng_u64(r) >> 11) * 0x1p-53;
}

uint64_t
rng_below(struct rng *r, uint64_t bound)
{
    /* Draws below 2^64 mod bound would make the first values likelier. */
    const uint64_t unfair = (0 - bound) % bound;
    uint64_t v = rng_u64(r);
    while (v < unfair) {
        v = rng_u64(r);
    }
    return v % bound;
}

double
rng_normal(struct rng *r)
{
    /* Marsaglia's polar method; the second value is not kept, so that the state is the four words
     * alone. */
    double u, v, s;
    do {
        u = 2 * rng_unit(r) - 1;
        v = 2 * rng_unit(r) - 1;
        s = u * u + v * v;
    } while (s >= 1 || s == 0);
    return u * sqrt(-2 * log(s) / s);
}

void
rng_shuffle(struct rng *r, size_t *items, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        const size_t k = (size_t)rng_below(r, i);
        const size_t t = items[i - 1];
        items[i - 1] = items[k];
        items[k] = t;
    }
}

void
rng_subset(struct rng *r, uint64_t n, uint64_t want, uint64_t *ret)
{
    for (uint64_t i = 0, kept = 0; i < n; i++) {
        if (rng_below(r, n - i) < want - kept) {
            ret[kept++] = i;
        }
    }
}
