#include "num/moments.h"

#include <math.h>

void
moments_add(struct moments *m, double x)
{
    moments_add_times(m, x, 1);
}

void
moments_add_times(struct moments *m, double x, uint64_t times)
{
    const double square = x * x;
    m->n += times;
    sum_add_times(&m->sum, x, times);
    sum_add_times(&m->squares, square, times);
    if (isfinite(square)) {
        sum_add_times(&m->squares, fma(x, x, -square), times);
    }
}

void
moments_merge(struct moments *m, const struct moments *other)
{
    m->n += other->n;
    sum_merge(&m->sum, &other->sum);
    sum_merge(&m->squares, &other->squares);
}

double
moments_mean(const struct moments *m)
{
    return sum_value(&m->sum) / (double)m->n;
}

/* Of x - c, c the mean as a double, and s the sum of x in two doubles: squares - 2 c s + n c^2,
 * less (s - n c)^2 / n for what c is off. */
double
moments_squares(const struct moments *m)
{
    const double n = (double)m->n, c = m->n == 0 ? 0 : moments_mean(m);
    struct sum rest = m->sum, off = m->sum, squares = m->squares;
    if (!isfinite(c) || !isfinite(sum_value(&m->squares))) {
        return isfinite(c) ? (double)INFINITY : (double)NAN;
    }
    const double s = sum_value(&m->sum), all = n * c;
    sum_add(&rest, -s);
    sum_add_product(&squares, -2 * c, s);
    sum_add_product(&squares, -2 * c, sum_value(&rest));
    sum_add_product(&squares, all, c);
    sum_add_product(&squares, fma(n, c, -all), c);
    sum_add_product(&off, -n, c);
    const double wide = sum_value(&off);
    sum_add_product(&squares, m->n == 0 ? 0 : -wide / n, wide);
    return fmax(0, sum_value(&squares));
}

double
moments_variance(const struct moments *m)
{
    return m->n < 2 ? (double)NAN : moments_squares(m) / (double)(m->n - 1);
}

double
moments_error(const struct moments *m)
{
    return sqrt(moments_variance(m) / (double)m->n);
}
