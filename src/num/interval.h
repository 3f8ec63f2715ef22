/* interval: confidence intervals for proportions and their differences, and for means. Level in
 * (0,1), e.g. 0.95. */
#ifndef STEWARD_NUM_INTERVAL_H
#define STEWARD_NUM_INTERVAL_H

struct interval {
    double low;
    double high;
};

/* Wilson score (1927), no continuity correction; statsmodels proportion_confint(method="wilson"). n
 * = 0: [0,1]. */
struct interval interval_wilson(double successes, double n, double level);
/* Newcombe (1998) hybrid score for p1 - p2 (method 10); statsmodels
 * confint_proportions_2indep(method="newcomb"). n1 or n2 = 0: [-1,1]. */
struct interval interval_newcombe(double x1, double n1, double x2, double n2, double level);
/* Student's t of a mean of n independent values, `squares` the sum of their squared distances from
 * it. Fewer than two: NaN. */
struct interval interval_mean(double mean, double squares, double n, double level);

#endif
