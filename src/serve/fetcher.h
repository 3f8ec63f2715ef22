/* fetcher: a process that fetches issuers' keys, or asks witnesses, for a gateway that may connect
 * to nothing. It is started before the gateway opens its keeper's door to calls, holds no key,
 * reads no client, and answers one question: GET or POST of an https URL through net/door, under
 * the egress rules of the one purpose that it was started for, over a socket pair. The gateway
 * believes its answers no more than the network's.
 *
 * It only waits: each question is read, fetched and answered by a process of its own in a sandbox
 * (serve/confine.h), which ends with it. */
#ifndef STEWARD_SERVE_FETCHER_H
#define STEWARD_SERVE_FETCHER_H

#include "net/egress.h"

#include <sys/types.h>

#define FETCHER_CA_MAX (64u << 10)
#define FETCHER_BODY_MAX (512u << 10) /* of what is posted */

struct fetcher;

/* Where the process gets its rules, at first and when it is told that they have changed: its own
 * reading, since who asks it to connect must not say where to. Asked in that process; NULL: what
 * was, stays. */
struct fetcher_rules {
    struct egress *(*read)(void *ctx);
    void *ctx;
};

/* Forks: before there are threads. purpose: static, of egress_purposes. */
struct status fetcher_start(const struct fetcher_rules *rules, const char *purpose,
                            struct diag *diag, struct fetcher **ret_fetcher);
/* Ends the process. NULL is nothing. */
void fetcher_stop(struct fetcher *f);
DEFINE_FREEP(fetcher_stop, struct fetcher)
pid_t fetcher_pid(const struct fetcher *f);
/* The rules are read anew, and hold for every question from now on: waits for one under way. False
 * when they are wrong, or the process is gone. Any thread, as fetcher_get. */
bool fetcher_reread(struct fetcher *f);
/* ca_pem: the authorities, of at most FETCHER_CA_MAX bytes; empty: the system's. STATUS_IO when the
 * process is gone. */
struct status fetcher_get(struct fetcher *f, const char *url, struct view ca_pem, size_t max,
                          struct diag *diag, struct buf *ret_body);
/* The same with a body, and an answer of any status. timeout_ns: a minute at most. */
struct status fetcher_post(struct fetcher *f, const char *url, struct view ca_pem, struct view body,
                           int64_t timeout_ns, struct diag *diag, unsigned *ret_status,
                           struct buf *ret_body);

#endif
