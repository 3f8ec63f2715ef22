/* client: a small TLS client over GnuTLS that sends exactly the bytes it is given: the raw side of
 * the server's tests. Blocking, with a time limit on each read. */
#ifndef STEWARD_TESTS_SERVE_CLIENT_H
#define STEWARD_TESTS_SERVE_CLIENT_H

#include "testing/testing.h"

#include <gnutls/gnutls.h>

#define CLIENT_WAIT_MS 90000 /* ends early; long, since a disk may stall */

struct client {
    int fd;
    gnutls_session_t tls;
    gnutls_certificate_credentials_t trust;
    struct buf in; /* read, not yet taken as a reply */
};

struct reply {
    unsigned status; /* 0: the connection ended without a whole answer */
    char head[4096]; /* status line and fields, NUL-terminated */
    struct buf body;
    bool closes; /* it says "connection: close" */
};

/* A plain TCP connection to 127.0.0.1:port; -1 when refused. */
int client_socket(uint16_t port);
/* priorities NULL: the library's. False when the handshake did not come about; close it either way.
 */
bool client_open(uint16_t port, const char *priorities, struct client *ret_client);
/* The same between numeric addresses, IPv4 or IPv6. */
bool client_open_between(const char *from, const char *to, uint16_t port,
                         struct client *ret_client);
/* With a certificate and its key, in PEM. */
bool client_open_as(uint16_t port, struct view certificate, struct view key,
                    struct client *ret_client);
void client_close(struct client *c);
/* False when the connection is gone. */
bool client_send(struct client *c, struct view bytes);
bool client_send_text(struct client *c, const char *text);
/* One whole answer, from what is left over and from the connection. */
void client_take(struct client *c, struct reply *ret_reply);
void reply_done(struct reply *r);
/* True when the server ends the connection within `ms` (what it sends before is kept in c->in). */
bool client_ended(struct client *c, int ms);
/* Value of an answer's header; "" when absent. */
void reply_header(const struct reply *r, const char *name, char ret_value[static 256]);
/* One request on a connection of its own: text as sent, the answer's status. */
unsigned client_ask(uint16_t port, const char *text, struct reply *ret_reply);
/* The entry of an answer in the log of the workspace at dir, read at once, from disk, as anybody
 * would. json_decref. */
json_t *entry_of(const struct reply *r, const char *dir);

#endif
