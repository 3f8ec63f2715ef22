#include "num/sum.h"

#include <math.h>

void
sum_add(struct sum *s, double x)
{
    const double total = s->total + x;
    if (!isfinite(total)) {
        s->total = total;
        return;
    }
    s->lost += fabs(s->total) >= fabs(x) ? (s->total - total) + x : (x - total) + s->total;
    s->total = total;
}

void
sum_merge(struct sum *s, const struct sum *other)
{
    sum_add(s, other->total);
    s->lost += other->lost;
}

double
sum_value(const struct sum *s)
{
    return isfinite(s->total) ? s->total + s->lost : s->total;
}

double
sum_of(const double *x, size_t n)
{
    struct sum s = {0};
    for (size_t i = 0; i < n; i++) {
        sum_add(&s, x[i]);
    }
    return sum_value(&s);
}
