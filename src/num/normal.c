#include "num/normal.h"

#include <math.h>

double
normal_cdf(double z)
{
    return 0.5 * erfc(-z * M_SQRT1_2);
}

static double
polynomial(const double *c, int n, double x)
{
    double v = c[0];
    for (int i = 1; i < n; i++) {
        v = v * x + c[i];
    }
    return v;
}

/* P. J. Acklam (2003), relative error below 1.2e-9. */
static double
start(double p)
{
    static const double a[] = {-3.969683028665376e+01, 2.209460984245205e+02,
                               -2.759285104469687e+02, 1.383577518672690e+02,
                               -3.066479806614716e+01, 2.506628277459239e+00};
    static const double b[] = {-5.447609879822406e+01, 1.615858368580409e+02,
                               -1.556989798598866e+02, 6.680131188771972e+01,
                               -1.328068155288572e+01, 1};
    static const double c[] = {-7.784894002430293e-03, -3.223964580411365e-01,
                               -2.400758277161838e+00, -2.549732539343734e+00,
                               4.374664141464968e+00,  2.938163982698783e+00};
    static const double d[] = {7.784695709041462e-03, 3.224671290700398e-01, 2.445134137142996e+00,
                               3.754408661907416e+00, 1};
    if (p < 0.02425) {
        const double q = sqrt(-2 * log(p));
        return polynomial(c, 6, q) / polynomial(d, 5, q);
    }
    const double q = p - 0.5;
    return polynomial(a, 6, q * q) * q / polynomial(b, 6, q * q);
}

double
normal_quantile(double p)
{
    if (!(p > 0 && p < 1)) {
        return p == 0 ? (double)-INFINITY : p == 1 ? (double)INFINITY : (double)NAN;
    }
    /* The lower half only: there erfc keeps its digits. */
    if (p > 0.5) {
        return -normal_quantile(1 - p);
    }
    double z = start(p);
    for (int i = 0; i < 2; i++) {
        const double root = exp(z * z / 4); /* its square overflows for the smallest p */
        const double e = (normal_cdf(z) - p) * sqrt(2 * M_PI) * root * root;
        z -= e / (1 + z * e / 2);
    }
    return z;
}
