/* syslog: a receiver of syslog over TLS (RFC 5425) on 127.0.0.1, over GnuTLS: one connection after
 * the other; it may take a part and die. */
#ifndef STEWARD_TESTS_NET_SYSLOG_H
#define STEWARD_TESTS_NET_SYSLOG_H

#include "testing/testing.h"

#define SYSLOG_CONNECTIONS 32u

struct syslog;

/* A certificate of its own for localhost and 127.0.0.1, whose PEM goes to ca_path. */
struct syslog *syslog_new(const char *ca_path);
void syslog_free(struct syslog *s); /* stopped */
/* At the port that it had before, or any. takes: bytes of its next connection, then it closes it;
 * 0: all. dies: and goes itself, with its port. */
void syslog_start(struct syslog *s, size_t takes, bool dies);
void syslog_stop(struct syslog *s); /* breaks off what is open */
uint16_t syslog_port(const struct syslog *s);
/* Connections that brought anything, and the "index" of each whole message of one, in turn. */
unsigned syslog_connections(struct syslog *s);
size_t syslog_read(struct syslog *s, unsigned connection, int64_t *ret_index, size_t most);
/* The entries of all connections: the test fails where one is missing or out of turn, or where a
 * connection begins behind what those before it had. How many there are from 0 on. */
int64_t syslog_whole(struct syslog *s);

#endif
