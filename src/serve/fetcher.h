/* fetcher: a process that fetches issuers' keys for a gateway that may connect to nothing. It is
 * started before the gateway opens its keeper's door to calls, holds no key, reads no client, and
 * answers one question: GET of an https URL through net/door, under the egress rules (purpose
 * jwks), over a socket pair. The gateway believes its answers no more than the network's. */
#ifndef STEWARD_SERVE_FETCHER_H
#define STEWARD_SERVE_FETCHER_H

#include "net/egress.h"

#include <sys/types.h>

struct fetcher;

/* Forks: before there are threads. rules are taken over, also on failure. */
struct status fetcher_start(struct egress *rules, struct diag *diag, struct fetcher **ret_fetcher);
/* Ends the process. NULL is nothing. */
void fetcher_stop(struct fetcher *f);
DEFINE_FREEP(fetcher_stop, struct fetcher)
pid_t fetcher_pid(const struct fetcher *f);
/* ca_file may be NULL. One at a time. STATUS_IO when the process is gone. */
struct status fetcher_get(struct fetcher *f, const char *url, const char *ca_file, size_t max,
                          struct diag *diag, struct buf *ret_body);

#endif
