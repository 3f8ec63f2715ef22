/* exports: the log's events to the receivers of audit.export, while the server runs.
 *
 * The gateway connects to nothing. A process that is forked before it has a keeper starts one more
 * for each receiver, in a sandbox (confine_sender): that one reads the log as anybody does,
 * connects through net/door under its own reading of network.egress, and keeps where it stands
 * (govern/exporter.h). Up come reports of one size, which are believed no more than the network:
 * they become numbers of /metrics and entries of the log. Down goes one number, with which the
 * configuration is read anew: how long the log is. docs/spec/audit-export.md, docs/decisions/0027.
 */
#ifndef STEWARD_SERVE_EXPORTS_H
#define STEWARD_SERVE_EXPORTS_H

#include "govern/audit.h"
#include "govern/receiver.h"
#include "net/egress.h"

#include <sys/types.h>

/* What the configuration says, as the process reads it itself. */
struct exports_plan {
    char log_dir[4096];
    struct receiver receiver[RECEIVERS];
    size_t count;
    uint64_t from;        /* set by who reads: where those of alerts only begin that are new */
    struct egress *rules; /* taken over */
};

struct exports_source {
    bool (*read)(void *ctx, struct exports_plan *ret_plan); /* in the process; zeroed before */
    void *ctx;
};

struct exports;
/* Forks: before there are threads. It sends nothing before exports_apply. */
struct status exports_start(const struct exports_source *source, struct diag *diag,
                            struct exports **ret_exports);
/* The process ends: what is under way is finished, for two seconds; what is not comes again. */
void exports_stop(struct exports *e);
void exports_free(struct exports *e); /* stops it; NULL is nothing */
pid_t exports_pid(const struct exports *e);
/* These are the receivers from now on, and the process reads the configuration, with the files that
 * it names, anew: each is tried at once. from: who is new and gets alerts only begins behind so
 * many entries. False when it is wrong there, or the process is gone. */
bool exports_apply(struct exports *e, const struct receiver *receiver, size_t count, uint64_t from);
/* How many entries the receiver has confirmed; 0 when it is none. */
uint64_t exports_confirmed(struct exports *e, const char *name);
/* Reports are read, and what changes is told in the server's log and in this one, until unwatch. */
struct status exports_watch(struct exports *e, struct audit *a);
void exports_unwatch(struct exports *e); /* NULL is nothing */
bool exports_ready(struct exports *e);   /* every receiver has taken what it was sent last */
void exports_put_metrics(struct exports *e, struct buf *ret_text); /* NULL: nothing */

#endif
