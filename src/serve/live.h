/* live: the models that a server holds ready. Each is loaded once (seal, signature and digest
 * verified), shared by the loops and counted; what the registry has gained is taken in within a
 * second. */
#ifndef STEWARD_SERVE_LIVE_H
#define STEWARD_SERVE_LIVE_H

#include "workspace/models.h"

struct live;
struct attribution;

/* Loads the newest version of every model; one that does not open is told in the log and is not
 * ready. */
struct status live_open(struct workspace *w, struct live **ret_live);
void live_free(struct live *l);
/* A reference to a model; version 0: the newest. STATUS_NOT_FOUND; STATUS_INTEGRITY when it did not
 * open. */
struct status live_take(struct live *l, const char *name, uint64_t version,
                        const struct model **ret_model);
/* What explains that model, made when it is first asked for; it stays as long as the reference.
 * STATUS_MEMORY, as contributions_new. */
struct status live_attribution(struct live *l, const struct model *m,
                               const struct attribution **ret_attribution);
void live_give_back(struct live *l, const struct model *m);
/* Frees every model, those in use when they are given back, and loads none until live_resume, which
 * loads them anew: live_take is STATUS_DENIED. */
void live_suspend(struct live *l);
void live_resume(struct live *l);
/* Every newest model is loaded. */
bool live_ready(struct live *l);
unsigned live_count(struct live *l);

#endif
