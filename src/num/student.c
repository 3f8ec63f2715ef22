#include "num/student.h"

#include "num/normal.h"
#include "num/tail.h"

#include <math.h>

double
student_quantile(double p, double df)
{
    if (!(p > 0 && p < 1) || !(df > 0)) {
        return (double)NAN;
    }
    const double outside = 2 * fmin(p, 1 - p);
    double low = 0, high = 1;
    while (tail_student(high, df) > outside && high < 1e300) {
        low = high;
        high *= 2;
    }
    for (int i = 0; i < 100 && low < high; i++) {
        const double mid = low + (high - low) / 2;
        if (tail_student(mid, df) > outside) {
            low = mid;
        } else {
            high = mid;
        }
    }
    return p < 0.5 ? -high : high;
}

/* Hill's approximation of t^2 / df. */
static double
hill(double outside, double n)
{
    const double a = 1 / (n - 0.5), b = 48 / (a * a);
    double c = ((20700 * a / b - 98) * a - 16) * a + 96.36;
    const double d = ((94.5 / (b + c) - 3) / b + 1) * sqrt(a * M_PI / 2) * n;
    const double y = pow(d * outside, 2 / n);
    if (y <= 0.05 + a) {
        const double r = 1 / (((n + 6) / (n * y) - 0.089 * d - 0.822) * (n + 2) * 3);
        return ((r + 0.5 / (n + 4)) * y - 1) * (n + 1) / (n + 2) + 1 / y;
    }
    const double x = normal_quantile(outside / 2), x2 = x * x;
    c += n < 5 ? 0.3 * (n - 4.5) * (x + 0.6) : 0;
    c = (((0.05 * d * x - 5) * x - 7) * x - 2) * x + b + c;
    const double z = (((((0.4 * x2 + 6.3) * x2 + 36) * x2 + 94.5) / c - x2 - 3) / b + 1) * x;
    return expm1(a * z * z);
}

double
student_critical(double outside, double df)
{
    if (!(outside > 0 && outside <= 1) || !(df >= 1)) {
        return (double)NAN;
    }
    const double t = sqrt(df * hill(outside, df));
    if (df > 1e4) { /* there the first is exact, and the logarithms of Gamma cancel */
        return t;
    }
    const double density =
        exp(lgamma((df + 1) / 2) - lgamma(df / 2) - (df + 1) / 2 * log1p(t * t / df)) /
        sqrt(df * M_PI);
    const double step = (tail_student(t, df) - outside) / (2 * density);
    return isfinite(step) && fabs(step) < 0.1 * t ? t + step : t;
}
