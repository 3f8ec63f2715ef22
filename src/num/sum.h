/* sum: adding many doubles without losing digits. Neumaier's compensated sum (Zeitschrift für
 * Angewandte Mathematik und Mechanik 54, 1974): error at most 2 eps |sum| + O(n eps^2) sum |x|,
 * whatever the order of sizes. Merging two sums keeps that bound; callers merge blocks in block
 * order, so that any number of threads gives the same digits. */
#ifndef STEWARD_NUM_SUM_H
#define STEWARD_NUM_SUM_H

#include <stddef.h>

struct sum {
    double total, lost;
};

void sum_add(struct sum *s, double x);
void sum_merge(struct sum *s, const struct sum *other);
double sum_value(const struct sum *s);
double sum_of(const double *x, size_t n);

#endif
