/* normal: the standard normal distribution. */
#ifndef STEWARD_NUM_NORMAL_H
#define STEWARD_NUM_NORMAL_H

double normal_cdf(double z);
/* p in (0,1): |error| < 1e-14 relative (Acklam's start, two Newton-Halley steps on erfc); outside:
 * -inf, inf, NaN. */
double normal_quantile(double p);

#endif
