/* cut: where to part two neighbouring values so that the number reads well. */
#ifndef STEWARD_ASSESS_CUT_H
#define STEWARD_ASSESS_CUT_H

#include <stdbool.h>

/* The decimal with the fewest significant digits, nearest the middle among those, in [low, high)
 * when take_low, in (low, high] otherwise. low < high, neither NaN. Any number in there parts the
 * two values alike; where no decimal of 17 digits does, the middle. */
double cut_between(double low, double high, bool take_low);

#endif
