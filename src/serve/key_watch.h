/* key_watch: stops calls to models while the workspace's key may not be used, and lets them in
 * again when it may (docs/spec/keys.md). On a thread of its own it asks who holds the key; a call
 * reads one flag. */
#ifndef STEWARD_SERVE_KEY_WATCH_H
#define STEWARD_SERVE_KEY_WATCH_H

#include "serve/live.h"

#define KEY_WATCH_REASON_MAX 512u

struct key_watch;

/* check_ns: within which a revocation must hold (steward.yaml, keys.check). Watches until
 * key_watch_stop. Both are borrowed. STATUS_MEMORY. */
struct status key_watch_start(struct workspace *w, struct live *live, int64_t check_ns,
                              struct key_watch **ret_watch);
void key_watch_stop(struct key_watch *k); /* NULL is nothing */
/* How often the keeper looks, so that its check, the watch's question and the time that a provider
 * takes stay within check_ns. */
int64_t key_watch_every(int64_t check_ns);

/* For each call, any thread; true for NULL. */
bool key_watch_usable(const struct key_watch *k);
/* Why not, and since when, in a sentence; how many seconds until it is looked at anew. */
unsigned key_watch_reason(struct key_watch *k, char ret_reason[static KEY_WATCH_REASON_MAX]);

#endif
