/* reads: who has read what of the audit log in the last minute. Who follows a log asks for it again
 * and again, and each entry would make it longer: one a minute, reader and kind is written. Exact
 * for as many as fit; one that another has pushed out is written again. Thread-safe. */
#ifndef STEWARD_SERVE_READS_H
#define STEWARD_SERVE_READS_H

#include "base/status.h"

struct reads;

struct reads *reads_new(void); /* NULL when memory is out */
void reads_free(struct reads *r);
/* Whether this is the first read of that kind by that principal within a minute. now_ns:
 * clock_mono_ns. */
bool reads_first(struct reads *r, const char *principal, const char *kind, int64_t now_ns);

#endif
