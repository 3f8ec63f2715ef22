#include "num/tail.h"

#include <math.h>

#define MOST_TERMS 20000
#define TINY 1e-300
#define CLOSE 1e-16

/* A term's common factor x^a e^-x / Gamma(a). */
static double
gamma_factor(double a, double x)
{
    return exp(a * log(x) - x - lgamma(a));
}

/* The lower one's series, for x < a + 1. */
static double
gamma_lower(double a, double x)
{
    double term = 1 / a, total = term;
    for (int n = 1; n < MOST_TERMS && term > total * CLOSE; n++) {
        term *= x / (a + n);
        total += term;
    }
    return total * gamma_factor(a, x);
}

/* The upper one's continued fraction, by Lentz's method, for x >= a + 1. */
static double
gamma_upper(double a, double x)
{
    double b = x + 1 - a, c = 1 / TINY, d = 1 / b, h = d;
    for (int n = 1; n < MOST_TERMS; n++) {
        const double an = -n * (n - a);
        b += 2;
        d = an * d + b;
        d = fabs(d) < TINY ? TINY : d;
        c = b + an / c;
        c = fabs(c) < TINY ? TINY : c;
        d = 1 / d;
        h *= d * c;
        if (fabs(d * c - 1) < CLOSE) {
            break;
        }
    }
    return h * gamma_factor(a, x);
}

double
tail_chi_square(double x, double df)
{
    if (isnan(x) || !(df > 0)) {
        return NAN;
    }
    if (x <= 0) {
        return 1;
    }
    if (isinf(x)) {
        return 0;
    }
    const double a = df / 2, half = x / 2;
    return half < a + 1 ? 1 - gamma_lower(a, half) : gamma_upper(a, half);
}

/* Continued fraction of the incomplete beta function, by Lentz's method. */
static double
beta_fraction(double a, double b, double x)
{
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < TINY ? TINY : d);
    double h = d;
    for (int n = 1; n < MOST_TERMS; n++) {
        const double even = n * (b - n) * x / ((a + 2 * n - 1) * (a + 2 * n));
        d = 1 + even * d;
        d = 1 / (fabs(d) < TINY ? TINY : d);
        c = 1 + even / c;
        c = fabs(c) < TINY ? TINY : c;
        h *= d * c;
        const double odd = -(a + n) * (a + b + n) * x / ((a + 2 * n) * (a + 2 * n + 1));
        d = 1 + odd * d;
        d = 1 / (fabs(d) < TINY ? TINY : d);
        c = 1 + odd / c;
        c = fabs(c) < TINY ? TINY : c;
        h *= d * c;
        if (fabs(d * c - 1) < CLOSE) {
            break;
        }
    }
    return h;
}

/* I_x(a, b), with y = 1 - x given apart: it keeps its digits where x is near 1. */
static double
beta_regularised(double a, double b, double x, double y)
{
    if (x <= 0 || y <= 0) {
        return x <= 0 ? 0 : 1;
    }
    const double factor = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log(y));
    return x < (a + 1) / (a + b + 2) ? factor * beta_fraction(a, b, x) / a
                                     : 1 - factor * beta_fraction(b, a, y) / b;
}

double
tail_student(double t, double df)
{
    if (isnan(t) || !(df > 0)) {
        return NAN;
    }
    if (isinf(t)) {
        return 0;
    }
    const double sum = df + t * t;
    return beta_regularised(df / 2, 0.5, df / sum, t * t / sum);
}
