/* quotas: what models may be asked for in a time (govern/quota.h), counted by all loops together
 * before the model is run. Where there are none, one load of an atomic. Thread-safe. */
#ifndef STEWARD_SERVE_QUOTAS_H
#define STEWARD_SERVE_QUOTAS_H

#include "govern/quota.h"
#include "workspace/workspace.h"

/* So many entries later the counts are written beside the log again: a start reads at most those,
 * and what came while they were written. */
#define QUOTAS_KEPT_EVERY 16384u

/* Counts that were believed at the start are held against the log's entries in the background, so
 * many of them a second. */
#define QUOTAS_RECOUNTED_AT_ONCE 65536u

struct quotas;

/* Of the log in that folder, which is borrowed. NULL when memory is out. */
struct quotas *quotas_new(const char *log_dir);
void quotas_free(struct quotas *q);
/* Keeps the counts beside the log of that workspace, which is borrowed, on a thread of its own. */
struct status quotas_watch(struct quotas *q, struct workspace *w, struct diag *diag);
/* These hold from now on. What was used of them is read from the log when there are some for the
 * first time; on failure nothing changes. */
struct status quotas_set(struct quotas *q, const struct quota *list, size_t count,
                         struct diag *diag);
bool quotas_any(const struct quotas *q);

struct quotas_call {
    const char *principal, *model;
    uint64_t rows;
    int64_t now_ns; /* clock_wall_ns */
    /* Whether it is of that group, or that role lets it call. */
    bool (*is_of)(void *ctx, const struct quota *q);
    void *ctx;
};
/* What a call was counted in. */
struct quotas_charge {
    uint64_t rows, tokens;
    size_t count;
    struct quotas_part {
        struct quota_count *of;
        enum quota_unit unit;
        char window[QUOTA_WINDOW_MAX];
    } part[QUOTAS];
};
enum quotas_answer {
    QUOTAS_ROOM,
    QUOTAS_FULL,  /* until the window is over */
    QUOTAS_NEVER, /* it asks for more than a whole window has */
    QUOTAS_FAILED /* memory is out */
};
struct quotas_refusal {
    char name[QUOTA_NAME_MAX];
    char sentence[320];
    uint64_t retry_after_s;
};
/* Counted in all that it falls under, or in none: then the first without room is told. */
enum quotas_answer quotas_take(struct quotas *q, const struct quotas_call *c,
                               struct quotas_charge *ret_charge,
                               struct quotas_refusal *ret_refusal);
/* It took so many tokens, which its entry tells: known when it is answered. */
void quotas_add_tokens(struct quotas *q, struct quotas_charge *c, uint64_t tokens);
/* It was not answered after all. */
void quotas_give_back(struct quotas *q, const struct quotas_charge *c);
/* For its entry (audit_event.quotas). */
void quotas_put_charge(const struct quotas_charge *c, struct buf *ret_lines);
/* quota_book_json of what holds now, made of a copy: calls wait for a part of the counts at most.
 */
struct status quotas_json(struct quotas *q, int64_t now_ns, json_t **ret_left);
/* Counts that lay beside the log were not those of its entries (docs/spec/quota.md): whether that
 * alert is open, written or not yet, and as alert_json has it; NULL where there are no quotas and
 * never was one. */
bool quotas_alarmed(struct quotas *q);
json_t *quotas_alert(struct quotas *q);
/* steward_quota_* for Prometheus, where there are quotas. */
void quotas_put_metrics(struct quotas *q, struct buf *ret_text);

#endif
