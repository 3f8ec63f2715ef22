/* url: the web addresses that may be connected to, read by one strict parser of our own, since two
 * readers of a URL that differ are how filters are passed: scheme, host, port and target, and
 * nothing of user, password, fragment, escapes in the host, backslash, control or foreign byte.
 *
 * A host whose last label is a number is an IPv4 address in four decimals without leading zeros, or
 * it is refused: what inet_aton reads beyond that (0x7f.1, 0177.0.0.1, 2130706433) is nobody's
 * name. Fuzzed. */
#ifndef STEWARD_NET_URL_H
#define STEWARD_NET_URL_H

#include "net/address.h"

#define URL_MOST_HOST 253u
#define URL_MOST_TARGET 2047u
#define URL_MOST_TEXT (URL_MOST_HOST + URL_MOST_TARGET + 64)

struct url {
    bool https; /* else http */
    bool numeric;
    char host[URL_MOST_HOST + 1]; /* lower case; of IPv6 without brackets, as inet_ntop writes it */
    struct address address;       /* numeric: with the port */
    uint16_t port;
    char target[URL_MOST_TARGET + 1]; /* path and query; begins with '/' */
};

/* INPUT with a sentence, which shows scheme, host and port at most: a path or what stands before an
 * '@' may be a secret. */
struct status url_parse(struct view text, struct diag *diag, struct url *ret_url);
/* Always the same text for the same URL, with its port; parsed, it gives the same. */
void url_put(const struct url *u, struct buf *b);
/* scheme://host:port: for telling. */
void url_put_origin(const struct url *u, struct buf *b);
/* A DNS name in lower case: labels of letters, digits, '-' and '_', the last no number. */
bool url_is_name(const char *text);

#endif
