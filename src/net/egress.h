/* egress: the rules on what may be connected to, one line each:
 *
 *     PURPOSE HOST PORTS [http] [at BLOCK[,BLOCK...]]
 *
 *     jwks      login.example.com  443
 *     transit   vault.internal     8200      at 10.20.0.0/16
 *     black-box 10.3.0.0/16        8000-8100,9443 http
 *
 * PURPOSE is one of egress_purposes. HOST is a name, "*.example.com" (its sub-domains, not itself),
 * "*" (every name), an address or a block of addresses (for URLs that write an address: a name
 * never matches it). https only, unless the line says http too. A name's addresses must all be
 * public, or, when the line says where it is (at), all within those blocks. A block may not
 * hold private and public addresses alike (0.0.0.0/0). What no line allows is refused. Fuzzed. */
#ifndef STEWARD_NET_EGRESS_H
#define STEWARD_NET_EGRESS_H

#include "net/url.h"

#define EGRESS_MOST_RULES 4096u
#define EGRESS_MOST_PORTS 16u
#define EGRESS_MOST_LINE 1024u

extern const char *const egress_purposes[]; /* ends with NULL */

struct egress;

struct egress *egress_new(void); /* no rule: nothing is allowed; NULL when memory is out */
void egress_free(struct egress *e);
DEFINE_FREEP(egress_free, struct egress)
/* INPUT with a sentence, LIMIT. */
struct status egress_add(struct egress *e, struct view line, struct diag *diag);
/* Whether a line is for that purpose, host, port and scheme. address: and for that address of the
 * host; NULL: whatever the name may have. An address in the URL is checked by itself. */
bool egress_allows(const struct egress *e, const char *purpose, const struct url *u,
                   const struct sockaddr *address);

#endif
