/* peers: how many connections each address holds. IPv6 counts by /64, since that is what one client
 * owns. Thread-safe; touched once when a connection opens and once when it closes. */
#ifndef STEWARD_NET_PEERS_H
#define STEWARD_NET_PEERS_H

#include "base/status.h"

#include <sys/socket.h>

struct peers;

struct peers *peers_new(unsigned max_per_address); /* NULL when memory is out */
void peers_free(struct peers *p);
DEFINE_FREEP(peers_free, struct peers)
/* The counted address as a key; v4-mapped IPv6 is IPv4. */
uint64_t peers_key(const struct sockaddr *address);
/* Counts one more; false, counting nothing, when the address is at its limit or memory is out. */
bool peers_enter(struct peers *p, uint64_t key);
void peers_leave(struct peers *p, uint64_t key);

#endif
