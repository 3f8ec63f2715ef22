/* server: the stages of a call as a table, the routes as a table, over http. */
#ifndef STEWARD_SERVE_SERVER_H
#define STEWARD_SERVE_SERVER_H

#include "govern/quota.h"
#include "net/ingress.h"
#include "serve/capture.h"
#include "serve/exports.h"
#include "serve/fetcher.h"
#include "serve/http.h"
#include "serve/identity.h"
#include "serve/witnesses.h"
#include "workspace/workspace.h"

#define SERVER_PATH_MAX 1024

struct server_tls {
    enum identity_clients clients;
    char client_ca[SERVER_PATH_MAX];  /* PEM; "" with OFF only */
    char client_crl[SERVER_PATH_MAX]; /* PEM; "" for none */
    /* Reads them, as they are when it is asked; NULL: the server does. */
    struct status (*read)(void *ctx, const char *path, struct diag *diag, struct buf *ret_text);
    void *read_ctx;
};

/* What of the audit log everybody may read, without a key; each holds what stands before it. */
enum server_log_part {
    SERVER_LOG_CLOSED,
    SERVER_LOG_HASHES,   /* checkpoint and tiles: how many entries there are, and their hashes */
    SERVER_LOG_ENTRIES,  /* and the entries, which name principals */
    SERVER_LOG_RECEIPTS, /* never open */
};

struct server_options {
    struct http_options http; /* identity is filled from the workspace */
    struct server_tls tls;
    unsigned max_rows;       /* rows per infer call: 413 */
    unsigned explained_rows; /* of those, when contributions are asked for: 413; 0: 100 */
    /* Without a valid key, of one address: recorded and answered; further ones are closed. 0: no
     * limit. */
    unsigned refusals_per_minute;
    int64_t grace_ns;
    int64_t key_check_ns;       /* within which a revoked key stops calls to models; 0: never */
    int64_t key_unreachable_ns; /* and one whose holder cannot be asked */
    struct ingress *ingress;    /* who may connect, by listener; taken over; NULL: everybody */
    struct fetcher *fetcher;    /* of issuers' keys; borrowed; NULL: none are fetched */
    enum server_log_part log_open;
    /* Borrowed; NULL: the log's checkpoints go to no witness. */
    const struct witnesses_options *witnesses;
    struct fetcher *messenger; /* to them */
    /* Borrowed; NULL: no call is captured, and nothing expires. */
    const struct capture_rules *captures;
    struct exports *exports;    /* borrowed; NULL: the log's events are sent to nobody */
    const struct quota *quotas; /* quota_count of them; borrowed until the server has started */
    size_t quota_count;
    json_t *policy_state; /* cli/config_state.h; borrowed; NULL: policies see no server */
};

/* The listeners: for calls, and, when they are configured, for metrics and management, and for
 * people who look (serve/console.h). */
#define SERVER_DATA 0u
#define SERVER_MANAGEMENT 1u
#define SERVER_CONSOLE 2u
const char *server_listener_name(unsigned listener); /* "data" */

struct server;
/* Takes serve.lock: STATUS_BUSY with a sentence when another server has this workspace. Loads every
 * model. */
struct status server_start(struct workspace *w, const struct server_options *o, struct diag *diag,
                           struct server **ret_server);
uint16_t server_port(const struct server *s, unsigned listener); /* 0: there is none */
/* Who may connect from now on, by listener; taken over. Open connections of
 * addresses that may not any more are ended at once, whatever they wait for. */
void server_set_ingress(struct server *s, struct ingress rules[HTTP_LISTENERS]);
/* The quotas that hold from now on. On failure those from before do. */
struct status server_set_quotas(struct server *s, const struct quota *list, size_t count,
                                struct diag *diag);
/* Who cosigns the log from now on; taken over. The server has a messenger. */
void server_set_witnesses(struct server *s, struct witnesses_options *o);
/* The configuration as policies see it from now on. */
void server_set_policy_state(struct server *s, json_t *state);
/* Takes the workspace's certificate and key, and the clients' authorities, as they are now, for
 * connections from now on. On failure everything stays as it was. */
struct status server_reload(struct server *s, struct diag *diag);
void server_stop(struct server *s); /* graceful; frees */

#endif
