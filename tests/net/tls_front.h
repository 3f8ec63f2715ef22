/* tls_front: TLS in front of a broker of Kafka, which names itself by the port of the front. */
#ifndef STEWARD_TESTS_NET_TLS_FRONT_H
#define STEWARD_TESTS_NET_TLS_FRONT_H

#include "testing/testing.h"

struct tls_front;

/* Before 127.0.0.1:port, with a certificate of its own for 127.0.0.1, whose PEM comes back. */
struct tls_front *tls_front_start(uint16_t port, struct buf *ret_ca);
uint16_t tls_front_port(const struct tls_front *f);
/* Connections whose handshake came about. */
unsigned tls_front_connections(const struct tls_front *f);
void tls_front_stop(struct tls_front *f);

#endif
