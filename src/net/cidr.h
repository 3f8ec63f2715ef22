/* cidr: blocks of addresses ("10.0.0.0/8", "2001:db8::/32", "192.0.2.7") and sets of them. An
 * IPv4-mapped IPv6 address (::ffff:192.0.2.7) is the IPv4 address, in blocks and when asked; an
 * IPv6 block holds no IPv4 address. Typos are errors: bits beyond the prefix, a prefix that is too
 * long, leading zeros, zones. Fuzzed. */
#ifndef STEWARD_NET_CIDR_H
#define STEWARD_NET_CIDR_H

#include "net/address.h"

#define CIDR_MOST_BLOCKS 65536u /* of a set */

__extension__ typedef unsigned __int128 cidr_bits;

/* Addresses low to high, both included. */
struct cidr {
    bool v6;
    cidr_bits low, high; /* of IPv4: 32 bits */
};

struct status cidr_parse(struct view text, struct diag *diag, struct cidr *ret_block);
bool cidr_has(const struct cidr *block, const struct sockaddr *address);
/* Every address of the block is for everybody: none of it lies in IANA's special-purpose blocks
 * (private, loopback, link-local, shared, multicast, documentation, reserved, and IPv6 forms with
 * an IPv4 address in them: mapped, 6to4, Teredo, NAT64), or in Azure's platform address
 * 168.63.129.16. Sources: the IANA IPv4 and IPv6 Special-Purpose Address Registries, RFC 6890. */
bool cidr_is_public(const struct cidr *block);
/* Of one such special block or within it, wholly. */
bool cidr_is_special(const struct cidr *block);
/* The same of one address, as it is written: a mapped one is no public one. */
bool cidr_address_is_public(const struct sockaddr *address);

/* Disjoint, ordered; an answer takes a binary search. */
struct cidr_set {
    struct cidr *block;
    size_t count, room;
};

void cidr_set_done(struct cidr_set *s);
/* LIMIT past CIDR_MOST_BLOCKS. */
struct status cidr_set_add(struct cidr_set *s, const struct cidr *block);
bool cidr_set_has(const struct cidr_set *s, const struct sockaddr *address);

#endif
