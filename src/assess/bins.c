#include "assess/bins.h"

#include "assess/cut.h"

#include <math.h>

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
bins_of(const struct counted *values, uint32_t most, struct bins *ret_bins)
{
    struct bins b = {0};
    ASSERT(most > 0 && most <= BINS_MOST);
    const bool each = values->n <= most;
    const uint64_t n = counted_rows(values);
    size_t k = 0;
    for (uint64_t from = 0; from < n; from = values->at[k - 1].upto) {
        /* Up to the next k/most of all rows, and on to the end of that value. */
        const uint64_t want =
            each ? from + 1 : (uint64_t)(((double)b.count + 1) * (double)n / most);
        const uint64_t to = from + 1 > want ? from + 1 : want;
        const size_t last =
            to > n || b.count + 1 == most ? values->n - 1 : counted_place(values, to - 1);
        add_bin(&b, values->at[k].value, values->at[last].value);
        k = last + 1;
    }
    *ret_bins = b;
}

struct status
bins_make(const double *value, size_t n, uint32_t most, struct bins *ret_bins)
{
    DEFER(counted_done) struct counted values = {0};
    TRY(counted_add(&values, value, n, 1));
    TRY(counted_settle(&values));
    bins_of(&values, most, ret_bins);
    return OK;
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
