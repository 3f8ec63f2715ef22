#include "net/ingress.h"

void
ingress_done(struct ingress *rules)
{
    cidr_set_done(&rules->allow);
    cidr_set_done(&rules->deny);
}

bool
ingress_admits(const struct ingress *rules, const struct sockaddr *address)
{
    return !cidr_set_has(&rules->deny, address) &&
           (rules->allow.count == 0 || cidr_set_has(&rules->allow, address));
}
