/* confine: what the gateway can reach once it has given up the rest: of the workspace, the models,
 * the log, the store and what it captures, not the keys, the datasets or the configuration; outside it, nothing: what
 * it is to know of other files somebody else reads for it (server_tls.read). And what fetches
 * issuers' keys, and what sends events. docs/threat-model.md. */
#ifndef STEWARD_SERVE_CONFINE_H
#define STEWARD_SERVE_CONFINE_H

#include "base/sandbox.h"
#include "serve/server.h"

/* Before the workspace at dir is opened, and before there are threads. Makes the files that
 * Landlock could not name otherwise (the store's journal, serve.lock). */
struct status confine_gateway(const char *dir, struct diag *diag, struct sandbox_told *ret_told);
/* For what fetches issuers' keys: reads what a name's resolution and the verification of a server
 * need of the system's files, and nothing else; connects. */
struct status confine_fetcher(struct diag *diag, struct sandbox_told *ret_told);
/* For what sends the log's events to one receiver: the same, the log, and of that the folder in
 * which it keeps where it stands. */
struct status confine_sender(const char *log_dir, struct diag *diag);
/* Once it listens. */
struct status confine_listening(struct diag *diag);

#endif
