#include "num/student.h"

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
