/* round_trip: what the targets that make tables hold of the sealed form. */
#ifndef STEWARD_FUZZ_ROUND_TRIP_H
#define STEWARD_FUZZ_ROUND_TRIP_H

#include "data/table.h"

/* What was imported is written, read back and written again as the same bytes. */
static inline void
check_round_trip(const struct table *t)
{
    DEFER(buf_done) struct buf first;
    DEFER(buf_done) struct buf again;
    DEFER(table_freep) struct table *back = NULL;
    buf_init(&first, 64u << 20);
    buf_init(&again, 64u << 20);
    ASSERT(status_ok(table_encode(t, &first)));
    ASSERT(status_ok(table_decode(buf_view(&first), NULL, &back)));
    ASSERT(status_ok(table_encode(back, &again)));
    ASSERT(view_equal(buf_view(&first), buf_view(&again)));
}

#endif
