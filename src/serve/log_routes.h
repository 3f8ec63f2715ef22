/* log_routes: the audit log as anybody's monitor reads it (C2SP tlog-tiles), and receipts. Rows of
 * the table in routes.c. */
#ifndef STEWARD_SERVE_LOG_ROUTES_H
#define STEWARD_SERVE_LOG_ROUTES_H

#include "serve/call.h"

/* Under this the files of the log's folder have their own paths. */
#define LOG_PREFIX "/audit/"

/* Whether the configuration lets everybody read what this route gives. */
bool log_is_open(const struct server *s, const struct route *r);
void log_act_checkpoint(struct call *c);
void log_act_tile(struct call *c); /* entry bundles, too */
/* Waits for a checkpoint over the entry (call_park), then answers or refuses. */
void log_inspect_receipt(struct call *c);
void log_act_receipt(struct call *c);

#endif
