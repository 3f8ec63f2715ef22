#include "num/counted.h"

#include "num/quantile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ROOM_LEAST 64u

void
counted_done(struct counted *c)
{
    free(c->at);
    free(c->waiting);
    *c = (struct counted){0};
}

uint64_t
counted_rows(const struct counted *c)
{
    return c->n == 0 ? 0 : c->at[c->n - 1].upto;
}

uint64_t
counted_times(const struct counted *c, size_t k)
{
    return c->at[k].upto - (k == 0 ? 0 : c->at[k - 1].upto);
}

/* Equal ones in one; returns how many there are. */
static size_t
count_runs(const double *sorted, size_t n, struct counted_value *ret_at)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (kept == 0 || sorted[i] > ret_at[kept - 1].value) {
            ret_at[kept++].value = sorted[i];
        }
        ret_at[kept - 1].upto = i + 1;
    }
    return kept;
}

/* Takes the other list in. */
static struct status
merge_lists(struct counted *c, const struct counted_value *other, size_t n)
{
    struct counted_value *both = malloc((c->n + n + 1) * sizeof *both);
    CHECK(both != NULL, MEMORY);
    size_t i = 0, k = 0, kept = 0;
    while (i < c->n || k < n) {
        const bool mine = k == n || (i < c->n && c->at[i].value <= other[k].value);
        const bool theirs = i == c->n || (k < n && other[k].value <= c->at[i].value);
        both[kept].value = mine ? c->at[i].value : other[k].value;
        i += mine;
        k += theirs;
        both[kept++].upto = (i == 0 ? 0 : c->at[i - 1].upto) + (k == 0 ? 0 : other[k - 1].upto);
    }
    free(c->at);
    c->at = both;
    c->n = kept;
    return OK;
}

struct status
counted_settle(struct counted *c)
{
    if (c->waiting_n == 0) {
        return OK;
    }
    DEFER(memory_freep) struct counted_value *runs = malloc(c->waiting_n * sizeof *runs);
    CHECK(runs != NULL, MEMORY);
    const size_t n = count_runs(c->waiting, quantile_sort(c->waiting, c->waiting_n), runs);
    c->waiting_n = 0;
    return merge_lists(c, runs, n);
}

/* Room for one more at least: what waits is counted when it is as much as what was. */
static struct status
make_room(struct counted *c, size_t wanted)
{
    const size_t most = c->n > COUNTED_WAITING ? c->n : COUNTED_WAITING;
    if (c->waiting_n >= most) {
        TRY(counted_settle(c));
    }
    if (c->waiting_n < c->room) {
        return OK;
    }
    size_t room = 2 * c->room > wanted ? 2 * c->room : wanted;
    room = room < ROOM_LEAST ? ROOM_LEAST : room < most ? room : most;
    double *larger = realloc(c->waiting, room * sizeof *larger);
    CHECK(larger != NULL, MEMORY);
    c->waiting = larger;
    c->room = room;
    return OK;
}

struct status
counted_add(struct counted *c, const double *x, size_t n, size_t stride)
{
    for (size_t i = 0; i < n; i++) {
        if (isnan(x[i * stride])) {
            c->missing++;
            continue;
        }
        if (c->waiting_n == c->room) {
            TRY(make_room(c, n - i));
        }
        c->waiting[c->waiting_n++] = x[i * stride] + 0.0; /* -0 is 0 */
    }
    return OK;
}

struct status
counted_merge(struct counted *c, const struct counted *other)
{
    c->missing += other->missing;
    if (other->n > 0) {
        TRY(merge_lists(c, other->at, other->n));
    }
    return counted_add(c, other->waiting, other->waiting_n, 1);
}

size_t
counted_place(const struct counted *c, uint64_t rank)
{
    size_t low = 0, high = c->n - 1;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (c->at[middle].upto > rank) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

double
counted_quantile(const struct counted *c, double p)
{
    if (c->n == 0) {
        return (double)NAN;
    }
    const double last = (double)(counted_rows(c) - 1), at = p * last;
    const uint64_t below = at >= last ? counted_rows(c) - 1 : (uint64_t)at;
    const size_t k = counted_place(c, below);
    const double part = at - (double)below;
    /* Within a value nothing lies between: infinity minus infinity has no value. */
    if (part <= 0 || below + 1 < c->at[k].upto) {
        return c->at[k].value;
    }
    return c->at[k].value + part * (c->at[k + 1].value - c->at[k].value);
}
