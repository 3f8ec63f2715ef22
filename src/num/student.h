/* student: quantiles of Student's t, for intervals of a mean. */
#ifndef STEWARD_NUM_STUDENT_H
#define STEWARD_NUM_STUDENT_H

/* p in (0,1), df > 0; outside: NaN. As exact as num/tail.h's tail, which is bisected. */
double student_quantile(double p, double df);

#endif
