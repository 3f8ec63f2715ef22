#include "num/interval.h"

#include "num/normal.h"
#include "num/student.h"

#include <math.h>

static double
critical(double level)
{
    return -normal_quantile((1 - level) / 2);
}

struct interval
interval_wilson(double successes, double n, double level)
{
    if (!(n > 0)) {
        return (struct interval){0, 1};
    }
    const double z = critical(level), z2 = z * z, p = successes / n;
    const double middle = (p + z2 / (2 * n)) / (1 + z2 / n);
    const double half = z / (1 + z2 / n) * sqrt(p * (1 - p) / n + z2 / (4 * n * n));
    /* The ends are exact where nothing or everything succeeded. */
    return (struct interval){successes <= 0 ? 0 : fmax(0, middle - half),
                             successes >= n ? 1 : fmin(1, middle + half)};
}

struct interval
interval_newcombe(double x1, double n1, double x2, double n2, double level)
{
    if (!(n1 > 0 && n2 > 0)) {
        return (struct interval){-1, 1};
    }
    const struct interval a = interval_wilson(x1, n1, level), b = interval_wilson(x2, n2, level);
    const double p1 = x1 / n1, p2 = x2 / n2;
    return (struct interval){p1 - p2 - hypot(p1 - a.low, b.high - p2),
                             p1 - p2 + hypot(a.high - p1, p2 - b.low)};
}

struct interval
interval_mean(double mean, double squares, double n, double level)
{
    const double half =
        n >= 2 ? student_critical(1 - level, n - 1) * sqrt(squares / (n - 1) / n) : (double)NAN;
    return (struct interval){mean - half, mean + half};
}
