#include "num/moments.h"

#include <math.h>

void
moments_add(struct moments *m, double x)
{
    const double off = x - m->mean;
    m->n++;
    m->mean += off / (double)m->n;
    m->m2 += off * (x - m->mean);
}

void
moments_merge(struct moments *m, const struct moments *other)
{
    if (other->n == 0) {
        return;
    }
    const double n = (double)(m->n + other->n), off = other->mean - m->mean;
    m->m2 += other->m2 + off * off * (double)m->n * (double)other->n / n;
    m->mean += off * (double)other->n / n;
    m->n += other->n;
}

double
moments_variance(const struct moments *m)
{
    return m->n < 2 ? (double)NAN : m->m2 / (double)(m->n - 1);
}

double
moments_error(const struct moments *m)
{
    return sqrt(moments_variance(m) / (double)m->n);
}
