/* student: quantiles of Student's t, for intervals of a mean. */
#ifndef STEWARD_NUM_STUDENT_H
#define STEWARD_NUM_STUDENT_H

/* p in (0,1), df > 0; outside: NaN. As exact as num/tail.h's tail, which is bisected. */
double student_quantile(double p, double df);

/* The t that |T| exceeds with probability `outside`: G. W. Hill's algorithm 396 (CACM 13, 1970) and
 * one Newton step on tail_student. Relative error below 1e-6 for df >= 2 and outside >= 1e-15.
 * outside in (0,1], df >= 1; else NaN. */
double student_critical(double outside, double df);

#endif
