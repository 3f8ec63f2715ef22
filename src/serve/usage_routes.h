/* usage_routes: who called how much, and what quotas leave, as `steward usage --json` tells it.
 * Rows of the table in routes.c. */
#ifndef STEWARD_SERVE_USAGE_ROUTES_H
#define STEWARD_SERVE_USAGE_ROUTES_H

#include "serve/call.h"

/* Reads the question of the query, and waits for its answer (call_park). */
void usage_inspect(struct call *c);
void usage_inspect_quotas(struct call *c);
void usage_inspect_again(struct call *c); /* for that of the one which the path numbers */
/* 200 with the answer, or 202 with where it will be. */
void usage_act(struct call *c);

#endif
