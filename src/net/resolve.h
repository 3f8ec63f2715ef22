/* resolve: the addresses of a name, from the system's resolver, in limited time. Only net/door asks
 * it: once for a connection, and what it says is checked and then pinned. */
#ifndef STEWARD_NET_RESOLVE_H
#define STEWARD_NET_RESOLVE_H

#include "net/address.h"

#define RESOLVE_MOST 16u /* further addresses of a name are not looked at */

/* IO with a sentence: no such name, no answer in time (ETIMEDOUT; the resolver's thread then ends
 * by itself, later). */
struct status resolve_name(const char *host, uint16_t port, int64_t timeout_ns, struct diag *diag,
                           struct address ret_address[static RESOLVE_MOST], size_t *ret_count);

#endif
