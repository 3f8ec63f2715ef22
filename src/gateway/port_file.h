/* port_file: the file that says on which port the server listens: anywhere in the file system,
 * where the server's own process cannot write any more once it knows its port. A child waits for
 * the port, writes the file at once, and ends. */
#ifndef STEWARD_GATEWAY_PORT_FILE_H
#define STEWARD_GATEWAY_PORT_FILE_H

#include "base/status.h"

#include <sys/types.h>

struct port_file {
    pid_t pid; /* 0: none is wanted, or it is written */
    int fd;
    const char *path;
};

/* path: borrowed; NULL for none. Before the sandbox, and before there are threads. */
struct status port_file_open(const char *path, struct port_file *ret_file);
struct status port_file_write(struct port_file *f, uint16_t port, struct diag *diag);
void port_file_done(struct port_file *f); /* without a port: nothing is written */

#endif
