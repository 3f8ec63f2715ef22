#include "num/whole.h"

#include <math.h>

#define BITS 62 /* of a sum */

int
whole_shift(double most, uint64_t rows)
{
    int of_most = 0, of_rows = 0; /* most < 2^of_most */
    (void)frexp(most, &of_most);
    (void)frexp((double)rows, &of_rows);
    return BITS - of_rows - of_most;
}

int64_t
whole_of(double x, int shift)
{
    return llrint(ldexp(x, shift));
}

double
whole_value(int64_t sum, int shift)
{
    return ldexp((double)sum, -shift);
}
