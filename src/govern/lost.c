#include "govern/lost.h"

#include <string.h>

void
lost_add(struct lost *l, uint64_t from, uint64_t upto)
{
    if (l->count > 0 && l->range[l->count - 1].upto + 1 == from) {
        l->range[l->count - 1].upto = upto;
        return;
    }
    if (l->count == LOST_MAX) {
        l->before = l->range[0].upto;
        memmove(l->range, l->range + 1, (LOST_MAX - 1) * sizeof l->range[0]);
        l->count--;
    }
    l->range[l->count].from = from;
    l->range[l->count++].upto = upto;
}

bool
lost_has(const struct lost *l, uint64_t ticket)
{
    if (ticket <= l->before) {
        return true;
    }
    for (size_t i = l->count; i-- > 0 && l->range[i].upto >= ticket;) {
        if (l->range[i].from <= ticket) {
            return true;
        }
    }
    return false;
}
