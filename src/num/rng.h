/* rng: seeded generators with named streams. The same (seed, name) gives the same numbers on every
 * machine and for any number of threads. xoshiro256** seeded by SplitMix64 over (seed, FNV-1a of
 * name). */
#ifndef STEWARD_NUM_RNG_H
#define STEWARD_NUM_RNG_H

#include <stddef.h>
#include <stdint.h>

struct rng {
    uint64_t s[4];
};

void rng_init(struct rng *r, uint64_t seed, const char *stream);
/* As rng_init, further keyed by an index (a row, a block), so that work splits without order. */
void rng_init_at(struct rng *r, uint64_t seed, const char *stream, uint64_t index);
uint64_t rng_u64(struct rng *r);
double rng_unit(struct rng *r);                    /* [0,1), 53 bits */
uint64_t rng_below(struct rng *r, uint64_t bound); /* [0,bound), no modulo bias; bound > 0 */
double rng_normal(struct rng *r);
void rng_shuffle(struct rng *r, size_t *items, size_t n); /* Fisher-Yates */

/* `want` of 0 to n - 1, ascending, each set as likely (Knuth 3.4.2, algorithm S): ret[want]. */
void rng_subset(struct rng *r, uint64_t n, uint64_t want, uint64_t *ret);

#endif
