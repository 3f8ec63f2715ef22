/* tail: tail probabilities of the chi-square and Student distributions, for p-values. Relative
 * error below 1e-9 down to 1e-280, for df up to 10^6 (the logarithms of Gamma cancel). */
#ifndef STEWARD_NUM_TAIL_H
#define STEWARD_NUM_TAIL_H

/* P(X > x) of chi-square with df > 0 degrees of freedom: the upper regularised incomplete gamma
 * function Q(df/2, x/2), by its series or its continued fraction (Abramowitz and Stegun 6.5.29,
 * 6.5.31). x infinite: 0. NaN, or df not over 0: NaN. */
double tail_chi_square(double x, double df);
/* P(|T| > |t|) of Student's t: the regularised incomplete beta function of df/(df + t^2)
 * (Abramowitz and Stegun 26.5.8). NaN, or df not over 0: NaN. */
double tail_student(double t, double df);

#endif
