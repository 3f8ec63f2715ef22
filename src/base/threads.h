/* threads: work over blocks that gives the same digits for any number of threads: the caller makes
 * per-block state, blocks are fixed by the data, and merging is done by the caller in block order.
 */
#ifndef STEWARD_BASE_THREADS_H
#define STEWARD_BASE_THREADS_H

#include "base/status.h"

#include <stdatomic.h>

/* Runs work(ctx, block) for block 0..blocks-1 on up to `threads` threads (0: one per core). Returns
 * when all are done. Falls back to the calling thread when none can be started. */
void threads_for(size_t blocks, unsigned threads, void (*work)(void *ctx, size_t block), void *ctx);
unsigned threads_cores(void);

/* Waiting for a word to change, without a lock (futex(2)). Returns when *word is not `seen`, when
 * it is woken, or for no reason: the caller looks again. */
void threads_wait_while(_Atomic uint32_t *word, uint32_t seen);
void threads_wake_all(_Atomic uint32_t *word); /* after changing it */

#endif
