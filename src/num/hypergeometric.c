#include "num/hypergeometric.h"

#include <math.h>

static long double
log_choose(uint64_t n, uint64_t k)
{
    return lgammal((long double)n + 1) - lgammal((long double)k + 1) -
           lgammal((long double)(n - k) + 1);
}

/* The sum of terms from x away from the mode, in units of the term at x: each is the one before
 * times a ratio below one that falls. */
static long double
tail_up(uint64_t x, uint64_t draws, uint64_t kind, uint64_t population)
{
    const uint64_t top = draws < kind ? draws : kind;
    long double sum = 0, term = 1;
    for (uint64_t i = x; i <= top && term > sum * 1e-18L; i++) {
        sum += term;
        term *= (long double)(kind - i) * (long double)(draws - i) /
                ((long double)(i + 1) * (long double)(population + i + 1 - kind - draws));
    }
    return sum;
}

static long double
tail_down(uint64_t x, uint64_t draws, uint64_t kind, uint64_t population)
{
    const uint64_t bottom = draws + kind > population ? draws + kind - population : 0;
    long double sum = 0, term = 1;
    for (uint64_t i = x; i > bottom && term > sum * 1e-18L; i--) {
        term *= (long double)i * (long double)(population + i - kind - draws) /
                ((long double)(kind - i + 1) * (long double)(draws - i + 1));
        sum += term;
    }
    return sum;
}

double
hypergeometric_upper(uint64_t x, uint64_t draws, uint64_t kind, uint64_t population)
{
    const uint64_t top = draws < kind ? draws : kind;
    const uint64_t bottom = draws + kind > population ? draws + kind - population : 0;
    if (x <= bottom) {
        return 1.0;
    }
    if (x > top) {
        return 0.0;
    }
    const long double at = expl(log_choose(kind, x) + log_choose(population - kind, draws - x) -
                                log_choose(population, draws));
    /* From the side that does not cross the mode, where the ratios would rise. */
    const long double mean = (long double)draws * (long double)kind / (long double)population;
    const long double p = (long double)x >= mean ? at * tail_up(x, draws, kind, population)
                                                 : 1 - at * tail_down(x, draws, kind, population);
    return (double)fminl(1, fmaxl(0, p));
}
