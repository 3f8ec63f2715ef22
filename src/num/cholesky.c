#include "num/cholesky.h"

#include <float.h>
#include <math.h>

bool
cholesky_factor(double *a, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double *row = a + i * n;
        for (size_t j = 0; j <= i; j++) {
            const double *other = a + j * n;
            double left = row[j];
            for (size_t k = 0; k < j; k++) {
                left -= row[k] * other[k];
            }
            if (j < i) {
                row[j] = left / other[j];
            } else if (!(left > (double)n * DBL_EPSILON * row[i])) {
                return false;
            } else {
                row[i] = sqrt(left);
            }
        }
    }
    return true;
}

void
cholesky_solve(const double *l, size_t n, double *x)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < i; k++) {
            x[i] -= l[i * n + k] * x[k];
        }
        x[i] /= l[i * n + i];
    }
    for (size_t i = n; i-- > 0;) {
        for (size_t k = i + 1; k < n; k++) {
            x[i] -= l[k * n + i] * x[k];
        }
        x[i] /= l[i * n + i];
    }
}
