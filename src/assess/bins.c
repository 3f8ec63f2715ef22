#include "assess/bins.h"

#include "assess/cut.h"
#include "base/status.h"

#include <math.h>

/* How many values from `from` on are equal to the first. */
static size_t
run_length(const double *sorted, size_t n, size_t from)
{
    size_t to = from + 1;
    while (to < n && sorted[to] == sorted[from]) {
        to++;
    }
    return to - from;
}

static uint32_t
distinct(const double *sorted, size_t n, uint32_t most)
{
    uint32_t found = 0;
    for (size_t i = 0; i < n && found <= most; i += run_length(sorted, n, i)) {
        found++;
    }
    return found;
}

static void
add_bin(struct bins *b, double least, double most)
{
    if (b->count > 0) {
        b->cut[b->count - 1] = cut_between(b->most[b->count - 1], least, true);
    }
    b->least[b->count] = least;
    b->most[b->count++] = most;
}

void
bins_make(const double *sorted, size_t n, uint32_t most, struct bins *ret_bins)
{
    struct bins b = {0};
    ASSERT(most > 0 && most <= BINS_MOST);
    const bool each = distinct(sorted, n, most) <= most;
    size_t from = 0;
    while (from < n) {
        /* Up to the next k/most of all rows, and on to the end of that value. */
        const size_t want = each ? from + 1 : (size_t)(((double)b.count + 1) * (double)n / most);
        size_t to = from + 1 > want ? from + 1 : want;
        to = to > n || b.count + 1 == most ? n : to;
        while (to < n && sorted[to] == sorted[to - 1]) {
            to++;
        }
        add_bin(&b, sorted[from], sorted[to - 1]);
        from = to;
    }
    *ret_bins = b;
}

int32_t
bins_code(const struct bins *b, double v)
{
    if (isnan(v) || b->count == 0) {
        return -1;
    }
    uint32_t low = 0, high = b->count - 1;
    while (low < high) {
        const uint32_t middle = (low + high) / 2;
        if (v <= b->cut[middle]) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return (int32_t)low;
}
