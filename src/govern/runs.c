#include "govern/runs.h"

#include <string.h>

/* A reader that sees the same first ticket before and after has seen its shift: both only change
 * together, and no ticket begins two runs. */
static void
show_newest(struct runs *r, const struct run *row)
{
    atomic_store(&r->newest, 0);
    atomic_store(&r->shift, row->first - row->from);
    atomic_store(&r->newest, row->from);
}

void
runs_add(struct runs *r, uint64_t from, uint64_t upto, uint64_t first)
{
    struct run *last = r->count > 0 ? &r->rows[r->count - 1] : NULL;
    if (last != NULL && last->upto + 1 == from && last->first + (from - last->from) == first) {
        last->upto = upto;
        return;
    }
    if (r->count == RUNS_MAX) {
        memmove(r->rows, r->rows + 1, (RUNS_MAX - 1) * sizeof *r->rows);
        r->count--;
    }
    r->rows[r->count++] = (struct run){from, upto, first};
    show_newest(r, &r->rows[r->count - 1]);
}

bool
runs_find_newest(const struct runs *r, uint64_t ticket, uint64_t *ret_index)
{
    const uint64_t newest = atomic_load(&r->newest), shift = atomic_load(&r->shift);
    if (newest == 0 || ticket < newest || atomic_load(&r->newest) != newest) {
        return false;
    }
    *ret_index = ticket + shift;
    return true;
}

bool
runs_find(const struct runs *r, uint64_t ticket, uint64_t *ret_index)
{
    for (size_t i = r->count; i-- > 0 && r->rows[i].upto >= ticket;) {
        if (r->rows[i].from <= ticket) {
            *ret_index = r->rows[i].first + (ticket - r->rows[i].from);
            return true;
        }
    }
    return false;
}
