/* hypergeometric: how likely a sample without replacement holds so many of a kind. */
#ifndef STEWARD_NUM_HYPERGEOMETRIC_H
#define STEWARD_NUM_HYPERGEOMETRIC_H

#include <stdint.h>

/* P(X >= x) for X of the kind among `draws` out of `population`, which holds `kind` of them: the
 * one-sided exact test of Fisher (1935). Relative error under 1e-9 for populations up to 1e8, by
 * the ratios of neighbouring terms. draws and kind at most population. */
double hypergeometric_upper(uint64_t x, uint64_t draws, uint64_t kind, uint64_t population);

#endif
