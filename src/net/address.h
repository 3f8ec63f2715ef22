/* address: numeric IPv4 and IPv6 addresses, as text and as the kernel has them. Names are never
 * resolved here. */
#ifndef STEWARD_NET_ADDRESS_H
#define STEWARD_NET_ADDRESS_H

#include "base/bytes.h"

#include <sys/socket.h>

#define ADDRESS_TEXT_MAX 64u

struct address {
    struct sockaddr_storage storage;
    socklen_t len;
};

/* "127.0.0.1" or "::1" (no brackets, no zone): STATUS_INPUT otherwise. */
struct status address_parse(struct view text, uint16_t port, struct address *ret_address);
uint16_t address_port(const struct sockaddr *address); /* 0 for what is neither */
/* Without port; "" for what is neither IPv4 nor IPv6. */
void address_put_text(const struct sockaddr *address, char ret_text[static ADDRESS_TEXT_MAX]);

#endif
