/* access_slow: who fails to sign in again and again waits. What is counted is a pair: the address
 * and what was presented (a key's id, a token's issuer and subject), so that neither others at that
 * address nor the same key from elsewhere are locked out. The first SLOW_FREE failures of a pair
 * cost nothing; then each doubles the wait, from 1 s to SLOW_MOST_S. While it lasts, SLOW_TRIES a
 * second of that pair are still looked at, so that the owner of a key is not kept out by who fails
 * for it beside him, and a key that was right before is not asked to wait at all
 * (access_sign_in.c); what fails meanwhile waits longer. An address as a whole has
 * SLOW_FREE_ADDRESS free ones; after that its failures, and only those, are answered with a wait.
 * Forgotten after SLOW_FORGET_S without failure, and with the first success. A table of fixed size:
 * full, it forgets what is oldest. Thread-safe. */
#ifndef STEWARD_PROTECT_ACCESS_SLOW_H
#define STEWARD_PROTECT_ACCESS_SLOW_H

#include "base/bytes.h"

#define SLOW_FREE 4u
#define SLOW_FREE_ADDRESS 30u
#define SLOW_MOST_S 60u
#define SLOW_TRIES 8u
#define SLOW_FORGET_S 900u

struct slow;

struct slow *slow_new(void); /* NULL: no memory */
void slow_free(struct slow *s);
/* Seconds that this pair still waits; 0: none, or one of its tries is taken. *ret_known: it has
 * failed before. now_ns: clock_mono_ns. */
unsigned slow_wait_s(struct slow *s, uint64_t peer, struct view id, int64_t now_ns,
                     bool *ret_known);
/* Counts a failure. Seconds that its address is asked to wait; 0: none. */
unsigned slow_failed(struct slow *s, uint64_t peer, struct view id, int64_t now_ns);
void slow_succeeded(struct slow *s, uint64_t peer, struct view id, int64_t now_ns);

#endif
