#include "assess/group_auc.h"

#include <math.h>

#define DIGIT_BITS 11u
#define DIGITS (1u << DIGIT_BITS)

struct keyed {
    uint64_t key;
    uint32_t row;
};

/* Unsigned order of the keys is the numbers' order; -0 and 0 are one. */
static uint64_t
key_of(double v)
{
    uint64_t bits = 0;
    v = v == 0 ? 0 : v;
    memcpy(&bits, &v, sizeof bits);
    return (bits >> 63) != 0 ? ~bits : bits | UINT64_C(1) << 63;
}

/* One stable pass; false when all have the same digit. */
static bool
sort_by_digit(const struct keyed *from, size_t n, unsigned shift, struct keyed *to)
{
    size_t start[DIGITS] = {0}, sum = 0;
    for (size_t i = 0; i < n; i++) {
        start[from[i].key >> shift & (DIGITS - 1)]++;
    }
    if (start[from[0].key >> shift & (DIGITS - 1)] == n) {
        return false;
    }
    for (size_t d = 0; d < DIGITS; d++) {
        const size_t count = start[d];
        start[d] = sum;
        sum += count;
    }
    for (size_t i = 0; i < n; i++) {
        to[start[from[i].key >> shift & (DIGITS - 1)]++] = from[i];
    }
    return true;
}

struct status
group_auc_order(const double *score, size_t rows, uint32_t *ret_order)
{
    DEFER(memory_freep) struct keyed *room = calloc(2 * rows + 1, sizeof *room);
    CHECK(room != NULL && rows <= UINT32_MAX, MEMORY);
    struct keyed *from = room, *to = room + rows;
    for (size_t i = 0; i < rows; i++) {
        from[i] = (struct keyed){key_of(score[i]), (uint32_t)i};
    }
    for (unsigned shift = 0; shift < 64 && rows > 0; shift += DIGIT_BITS) {
        if (sort_by_digit(from, rows, shift, to)) {
            struct keyed *t = from;
            from = to;
            to = t;
        }
    }
    for (size_t i = 0; i < rows; i++) {
        ret_order[i] = from[i].row;
    }
    return OK;
}

struct state {
    double positives, negatives; /* in all */
    double positives_below, negatives_below;
    double tied_positives, tied_negatives;
    double sum10, square10, sum01, square01; /* of placements of positives and of negatives */
};

/* The rows tied at one score, of one group, take their places. */
static void
settle(struct state *s)
{
    const double v10 = s->negatives_below + s->tied_negatives / 2;
    const double v01 = s->positives - s->positives_below - s->tied_positives / 2;
    s->sum10 += s->tied_positives * v10;
    s->square10 += s->tied_positives * v10 * v10;
    s->sum01 += s->tied_negatives * v01;
    s->square01 += s->tied_negatives * v01 * v01;
    s->positives_below += s->tied_positives;
    s->negatives_below += s->tied_negatives;
    s->tied_positives = s->tied_negatives = 0;
}

static double
variance_of(double sum, double square, double n, double scale)
{
    const double mean = sum / n;
    return fmax(0, square / n - mean * mean) * n / (n - 1) / (scale * scale);
}

static void
finish(const struct state *s, struct group_tally *t)
{
    const double p = s->positives, n = s->negatives;
    t->auc = t->auc_se = NAN;
    if (p > 0 && n > 0) {
        t->auc = s->sum10 / (p * n);
        t->auc_se = p > 1 && n > 1 ? sqrt(variance_of(s->sum10, s->square10, p, n) / p +
                                          variance_of(s->sum01, s->square01, n, p) / n)
                                   : (double)NAN;
    }
}

struct status
group_auc(const uint32_t *order, const double *score, const uint8_t *y, const int32_t *group,
          size_t rows, uint32_t groups, struct group_tally *tally)
{
    DEFER(memory_freep) struct state *state = calloc((size_t)groups + 1, sizeof *state);
    CHECK(state != NULL, MEMORY);
    for (size_t i = 0; i < rows; i++) {
        if (group[i] >= 0 && y[i] <= 1) {
            *(y[i] == 1 ? &state[group[i]].positives : &state[group[i]].negatives) += 1;
        }
    }
    for (size_t i = 0, from = 0; i < rows; i++) {
        const uint32_t row = order[i];
        if (group[row] >= 0 && y[row] <= 1) {
            struct state *s = &state[group[row]];
            *(y[row] == 1 ? &s->tied_positives : &s->tied_negatives) += 1;
        }
        if (i + 1 == rows || score[order[i + 1]] > score[row]) {
            for (; from <= i; from++) {
                if (group[order[from]] >= 0) {
                    settle(&state[group[order[from]]]);
                }
            }
        }
    }
    for (uint32_t g = 0; g < groups; g++) {
        finish(&state[g], &tally[g]);
    }
    return OK;
}
