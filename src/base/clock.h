/* clock: time of day and steady time, both int64 nanoseconds. */
#ifndef STEWARD_BASE_CLOCK_H
#define STEWARD_BASE_CLOCK_H

#include "base/bytes.h"

#define NS_PER_S INT64_C(1000000000)

int64_t clock_wall_ns(void); /* since 1970-01-01T00:00:00Z; may go backwards */
int64_t clock_mono_ns(void); /* never goes backwards */
/* Processor time of this thread, of the process. A system call each. */
int64_t clock_thread_ns(void);
int64_t clock_process_ns(void);
/* "2026-11-23T10:20:30.123456Z" (microseconds, UTC). */
void clock_put_rfc3339(struct buf *b, int64_t wall_ns);
/* That form, with 0 to 9 digits of a second; UTC (Z) only, no leap second; 1678 to 2261. */
struct status clock_from_rfc3339(struct view text, int64_t *ret_wall_ns);

#endif
