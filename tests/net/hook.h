/* hook: a receiver of webhooks over TLS on 127.0.0.1, over GnuTLS: one request in each connection.
 * It may refuse, or break off what it was sent. */
#ifndef STEWARD_TESTS_NET_HOOK_H
#define STEWARD_TESTS_NET_HOOK_H

#include "testing/testing.h"

#define HOOK_MESSAGES 256u
#define HOOK_BREAKS 1u /* no status: the connection ends without an answer */

struct hook;

struct hook_message {
    char line[256], id[128], time[32], signature[128], type[128];
    struct buf body;
};

/* A certificate of its own for localhost and 127.0.0.1, whose PEM goes to ca_path. */
struct hook *hook_new(const char *ca_path);
void hook_free(struct hook *h); /* stopped */
/* At the port that it had before, or any. */
void hook_start(struct hook *h);
void hook_stop(struct hook *h); /* breaks off what is open */
uint16_t hook_port(const struct hook *h);
/* The next so many requests are answered with that status, and not taken; then 204 again. */
void hook_answer(struct hook *h, unsigned status, unsigned times);
size_t hook_refused(struct hook *h); /* requests that were not taken, in all */
/* Requests that were taken, in turn; a message stays where it is. */
size_t hook_taken(struct hook *h);
const struct hook_message *hook_message(struct hook *h, size_t i);

#endif
