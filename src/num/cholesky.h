/* cholesky: symmetric positive definite systems of a few hundred unknowns, plain. Golub and Van
 * Loan, "Matrix Computations", 4.2: backward stable without pivoting. n^3 / 3 multiplications; no
 * library is linked for so little. */
#ifndef STEWARD_NUM_CHOLESKY_H
#define STEWARD_NUM_CHOLESKY_H

#include <stdbool.h>
#include <stddef.h>

/* a[n * n], row-major, lower triangle read: becomes L with a = L L', in place. False when a is not
 * positive definite to working precision (a pivot below n * eps of its own diagonal). */
bool cholesky_factor(double *a, size_t n);
/* Solves L L' x = b in place: x[n] holds b, then x. */
void cholesky_solve(const double *l, size_t n, double *x);

#endif
