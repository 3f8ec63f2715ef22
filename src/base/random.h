/* random: bytes from the kernel. Seeded generators for statistics are in num/rng.h. */
#ifndef STEWARD_BASE_RANDOM_H
#define STEWARD_BASE_RANDOM_H

#include "base/status.h"

/* Aborts if the kernel gives none: nothing may go on with predictable keys. */
void random_bytes(void *ret_bytes, size_t n);
/* The same, fetched many at once and kept for the thread: for names that must not meet, not for
 * keys. n is at most 256. */
void random_name_bytes(void *ret_bytes, size_t n);

#endif
