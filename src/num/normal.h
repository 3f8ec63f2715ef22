/* normal: the standard normal distribution. */
#ifndef STEWARD_NUM_NORMAL_H
#define STEWARD_NUM_NORMAL_H

double normal_cdf(double z);
/* p in (0,1): |error| < 1e-13 relative, 1e-15 near zero (Acklam's start, two Newton-Halley steps on
 * erfc), and 1e-8 for p so small that it is subnormal; 0 and 1: -inf and inf; outside: NaN. */
double normal_quantile(double p);

#endif
