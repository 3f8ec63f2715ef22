#include "num/sum.h"

#include <math.h>
#include <string.h>

#define BITS 32             /* of a digit */
#define FRACTION 52         /* bits of a double's fraction */
#define SUBNORMAL_LOG2 1074 /* the smallest subnormal is 2^-1074 */

/* The digits of one value go to three neighbouring places at most. */
struct placed {
    int64_t top; /* of part[0] */
    int64_t part[3];
};

static struct placed
place(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    const uint64_t exponent = bits >> FRACTION & 0x7ff, fraction = bits & ((1ull << FRACTION) - 1);
    const uint64_t mantissa = exponent == 0 ? fraction : fraction | 1ull << FRACTION;
    const uint64_t at = exponent == 0 ? 0 : exponent - 1;
    const unsigned __int128 wide = (unsigned __int128)mantissa << at % BITS;
    const int64_t sign = bits >> 63 ? -1 : 1;
    return (struct placed){(int64_t)(at / BITS) + 2,
                           {sign * (int64_t)(uint32_t)(wide >> 2 * BITS),
                            sign * (int64_t)(uint32_t)(wide >> BITS),
                            sign * (int64_t)(uint32_t)wide}};
}

/* Makes `top` the highest place; what falls off the other end is gone. */
static void
raise_to(struct sum *s, int64_t top)
{
    const size_t by = top - s->top < SUM_DIGITS ? (size_t)(top - s->top) : SUM_DIGITS;
    memmove(s->digit + by, s->digit, (SUM_DIGITS - by) * sizeof *s->digit);
    memset(s->digit, 0, by * sizeof *s->digit);
    s->top = top;
}

static inline void
add(struct sum *s, double x, int64_t times)
{
    if (!isfinite(x)) {
        s->special += x;
        return;
    }
    const struct placed p = place(x);
    if (p.top > s->top) {
        raise_to(s, p.top);
    }
    const size_t first = s->top - p.top < SUM_DIGITS ? (size_t)(s->top - p.top) : SUM_DIGITS;
    for (size_t k = 0; k < 3 && first + k < SUM_DIGITS; k++) {
        s->digit[first + k] += p.part[k] * times;
    }
}

void
sum_add(struct sum *s, double x)
{
    add(s, x, 1);
}

void
sum_add_times(struct sum *s, double x, uint64_t times)
{
    if (times > 0) {
        add(s, x, (int64_t)times);
    }
}

void
sum_add_product(struct sum *s, double x, double y)
{
    const double product = x * y;
    sum_add(s, product);
    if (isfinite(product)) {
        sum_add(s, fma(x, y, -product));
    }
}

void
sum_merge(struct sum *s, const struct sum *other)
{
    s->special += other->special;
    if (other->top > s->top) {
        raise_to(s, other->top);
    }
    const size_t by = s->top - other->top < SUM_DIGITS ? (size_t)(s->top - other->top) : SUM_DIGITS;
    for (size_t k = by; k < SUM_DIGITS; k++) {
        s->digit[k] += other->digit[k - by];
    }
}

/* Carries upwards: every digit but the highest becomes 0 .. 2^32 - 1. */
static void
carry(int64_t digit[static SUM_DIGITS])
{
    for (size_t k = SUM_DIGITS - 1; k > 0; k--) {
        digit[k - 1] += digit[k] >> BITS;
        digit[k] &= UINT32_MAX;
    }
}

/* From the first digit that is not 0, three of them, and a bit for the rest: a double's 53 bits
 * end well above it, so that one rounding is the only one. */
static double
round_digits(const int64_t digit[static SUM_DIGITS], int64_t top)
{
    size_t first = 0;
    while (first < SUM_DIGITS - 1 && digit[first] == 0) {
        first++;
    }
    unsigned __int128 value = (unsigned __int128)digit[first];
    int taken = 1;
    for (; taken < 3 && first + (size_t)taken < SUM_DIGITS; taken++) {
        value = value << BITS | (uint64_t)digit[first + (size_t)taken];
    }
    for (size_t k = first + (size_t)taken; k < SUM_DIGITS; k++) {
        value |= digit[k] != 0;
    }
    const int64_t place = top - (int64_t)first - taken + 1;
    return ldexp((double)value, (int)(place * BITS) - SUBNORMAL_LOG2);
}

double
sum_value(const struct sum *s)
{
    if (s->special != 0) { /* NaN, too */
        return s->special;
    }
    int64_t digit[SUM_DIGITS];
    memcpy(digit, s->digit, sizeof digit);
    carry(digit);
    const double sign = digit[0] < 0 ? -1.0 : 1.0;
    if (digit[0] < 0) {
        for (size_t k = 0; k < SUM_DIGITS; k++) {
            digit[k] = -digit[k];
        }
        carry(digit);
    }
    return sign * round_digits(digit, s->top);
}

double
sum_of(const double *x, size_t n)
{
    struct sum s = {0};
    for (size_t i = 0; i < n; i++) {
        sum_add(&s, x[i]);
    }
    return sum_value(&s);
}
