/* passed: a message of a fixed size between two processes of one program, and with it a descriptor.
 * Over a local socket that keeps messages apart. */
#ifndef STEWARD_BASE_PASSED_H
#define STEWARD_BASE_PASSED_H

#include "base/status.h"

/* fd -1: without one; it stays the caller's. IO when nobody listens. */
struct status passed_put(int socket, const void *message, size_t n, int fd);
/* Waits for it. *ret_fd: the caller's, or -1 when none came. IO when another size came, or the
 * other end is closed. */
struct status passed_take(int socket, void *ret_message, size_t n, int *ret_fd);

#endif
