/* ingress: who may connect to a listener: its allow and deny blocks. Deny beats allow; no address
 * is allowed that no allow block holds, once there is one. An IPv4-mapped IPv6 address is the IPv4
 * address. */
#ifndef STEWARD_NET_INGRESS_H
#define STEWARD_NET_INGRESS_H

#include "net/cidr.h"

struct ingress {
    struct cidr_set allow, deny;
};

void ingress_done(struct ingress *rules);
bool ingress_admits(const struct ingress *rules, const struct sockaddr *address);

#endif
