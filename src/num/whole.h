/* whole: numbers as whole multiples of a power of two, so small that little is lost and so large
 * that 64 bits hold the sum of all: histograms of such sums merge exactly, and cost no more than
 * plain ones. Rounding, of each number: at most rows 2^-61 of the largest. Whole numbers are kept as
 * they are, while their sum stays below 2^60. */
#ifndef STEWARD_NUM_WHOLE_H
#define STEWARD_NUM_WHOLE_H

#include <stdint.h>

/* most: the largest size of `rows` finite numbers, over 0. The number x becomes x 2^shift. */
int whole_shift(double most, uint64_t rows);
int64_t whole_of(double x, int shift);
double whole_value(int64_t sum, int shift);

#endif
