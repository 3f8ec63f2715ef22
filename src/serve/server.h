/* server: the stages of a call as a table, the routes as a table, over http. */
#ifndef STEWARD_SERVE_SERVER_H
#define STEWARD_SERVE_SERVER_H

#include "net/ingress.h"
#include "serve/http.h"
#include "workspace/workspace.h"

struct server_options {
    struct http_options http; /* cert_pem, key_pem are filled from the workspace */
    unsigned max_rows;        /* rows per infer call: 413 */
    /* Without a valid key, of one address: recorded and answered; further ones are closed. 0: no
     * limit. */
    unsigned refusals_per_minute;
    int64_t grace_ns;
    struct ingress *ingress; /* who may connect, by listener; taken over; NULL: everybody */
};

/* The listeners: for calls, and, when it is configured, for metrics and management. */
#define SERVER_DATA 0u
#define SERVER_MANAGEMENT 1u

struct server;
/* Takes serve.lock: STATUS_BUSY with a sentence when another server has this workspace. Loads every
 * model. */
struct status server_start(struct workspace *w, const struct server_options *o, struct diag *diag,
                           struct server **ret_server);
uint16_t server_port(const struct server *s, unsigned listener); /* 0: there is none */
/* Who may connect from now on, by listener; taken over. Open connections of
 * addresses that may not any more are ended at once, whatever they wait for. */
void server_set_ingress(struct server *s, struct ingress rules[HTTP_LISTENERS]);
void server_stop(struct server *s); /* graceful; frees */

#endif
