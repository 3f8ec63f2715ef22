/* tend: what a server does beside its calls, on a thread of its own: keys of issuers of tokens are
 * fetched when they are due, and last uses of API keys written down. */
#ifndef STEWARD_SERVE_TEND_H
#define STEWARD_SERVE_TEND_H

#include "protect/access_token.h"
#include "serve/fetcher.h"
#include "workspace/workspace.h"

struct tend;

/* fetcher NULL: nothing is fetched. Both are borrowed until tend_stop. STATUS_MEMORY. */
struct status tend_start(struct workspace *w, struct fetcher *fetcher, struct tend **ret_tend);
/* Writes down what is left; frees. NULL is nothing. */
void tend_stop(struct tend *t);

#endif
