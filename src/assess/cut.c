#include "assess/cut.h"

#include <math.h>

#define EXACT_POWER 22 /* 10^22 is the last power of ten that a double holds exactly */

struct gap {
    double low, high;
    bool take_low;
};

static bool
inside(const struct gap *g, double t)
{
    return g->take_low ? g->low <= t && t < g->high : g->low < t && t <= g->high;
}

/* whole / 10^decimals; one rounding, so it is the double that the decimal's text reads as. */
static double
decimal(double whole, int decimals)
{
    return decimals < 0 ? whole * pow(10, -decimals) : whole / pow(10, decimals);
}

static bool
try_decimals(const struct gap *g, double middle, int decimals, double *ret_cut)
{
    const double scaled = decimals < 0 ? middle / pow(10, -decimals) : middle * pow(10, decimals);
    const double whole[] = {nearbyint(scaled), floor(scaled), ceil(scaled)};
    for (int i = 0; i < 3; i++) {
        const double t = decimal(whole[i], decimals);
        if (inside(g, t)) {
            *ret_cut = t;
            return true;
        }
    }
    return false;
}

double
cut_between(double low, double high, bool take_low)
{
    const struct gap g = {low, high, take_low};
    if (inside(&g, 0)) {
        return 0;
    }
    double cut = low + (high - low) / 2; /* NaN and infinity where an end is infinite */
    if (isfinite(cut)) {
        const int first = -(int)floor(log10(fabs(cut)));
        for (int d = first; d <= first + 17; d++) {
            if (d >= -EXACT_POWER && d <= EXACT_POWER && try_decimals(&g, cut, d, &cut)) {
                return cut;
            }
        }
    }
    return inside(&g, cut) ? cut : take_low ? low : high;
}
