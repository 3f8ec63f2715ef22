/* ticker: a thread that does one thing again and again. */
#ifndef STEWARD_SERVE_TICKER_H
#define STEWARD_SERVE_TICKER_H

#include "base/status.h"

struct ticker;

/* tick runs at once and every_ns after each time it has ended. STATUS_MEMORY. */
struct status ticker_start(int64_t every_ns, void (*tick)(void *ctx), void *ctx,
                           struct ticker **ret_ticker);
/* Waits for a tick that runs; frees. NULL is nothing. */
void ticker_stop(struct ticker *t);

#endif
