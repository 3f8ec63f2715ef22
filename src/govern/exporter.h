/* exporter: entries of the log to a destination, in order, each at least once. Only what a
 * checkpoint covers is sent. Where a destination stands is kept under its name (dir/export/NAME),
 * durably, after the destination has confirmed; it names the log and the entry before, so that
 * another log, or one that was rolled back, is not gone on with. docs/spec/audit-export.md. */
#ifndef STEWARD_GOVERN_EXPORTER_H
#define STEWARD_GOVERN_EXPORTER_H

#include "govern/export_event.h"

/* Where events go. */
struct export_sink {
    /* The destination has them when confirm says so; whole events, in order. */
    struct status (*send)(void *ctx, struct view events, struct diag *diag);
    /* In place of it, each by itself; NULL: send gets them. log: the origin. */
    struct status (*event)(void *ctx, const char *log, uint64_t index, struct view event,
                           struct diag *diag);
    struct status (*confirm)(void *ctx, struct diag *diag);
    /* Of a file: how long it is now. NULL: no file. */
    uint64_t (*length)(void *ctx);
    void *ctx;
};

struct export_position {
    uint64_t next;  /* the first entry that was not confirmed */
    uint64_t bytes; /* length of the file then */
};

struct exporter {
    const char *dir;         /* the log's; borrowed */
    const char *destination; /* name of the position; NULL: none is kept */
    enum export_format format;
    const char *host; /* messages of syslog from that host; NULL: lines */
    unsigned batch;   /* entries between two confirmations; 0: 256 */
    bool alerts_only; /* of the entries those that raise or clear an alert */
    bool one_by_one;  /* a confirmation behind each event */
    struct export_sink sink;
    struct export_position at;
    /* After each batch that was confirmed; false ends the run there. NULL: to the end. */
    bool (*goes_on)(void *ctx);
    void *ctx;
    uint64_t size; /* of the log, as its checkpoint had it in the last run */
};

/* Where the destination stands; {0} when it has never got anything. STATUS_INTEGRITY with the
 * reason when it is of another log; NAME: as text_is_name. */
struct status exporter_position(const char *dir, const char *destination, struct diag *diag,
                                struct export_position *ret_position);
/* One that has none yet begins behind the first `from` entries, or those under the checkpoint where
 * these are fewer; durable. */
struct status exporter_begin(const char *dir, const char *destination, uint64_t from,
                             struct diag *diag);
/* So that a destination has one position: held by whoever sends to it, until file_closep. BUSY with
 * a sentence. */
struct status exporter_lock(const char *dir, const char *destination, struct diag *diag,
                            int *ret_fd);
/* When the first entry that was not confirmed began (wall); 0: there is none under the checkpoint.
 */
int64_t exporter_oldest_ns(const struct exporter *e);
/* Sends what is there, and keeps the position after each batch. After a failure e->at is what was
 * confirmed: the same call goes on from there. */
struct status exporter_run(struct exporter *e, struct diag *diag);

#endif
