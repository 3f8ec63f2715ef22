/* usage: calls of the log added up by who, which model, version and day: the same for the command
 * line and the management API. Memory depends on the number of groups alone, and that has a limit:
 * what comes behind it is one group, "other". docs/spec/usage.md. */
#ifndef STEWARD_GOVERN_USAGE_H
#define STEWARD_GOVERN_USAGE_H

#include "base/json.h"
#include "base/json_flat.h"

#include <stdatomic.h>

enum usage_key { USAGE_PRINCIPAL, USAGE_MODEL, USAGE_VERSION, USAGE_DAY, USAGE_KEYS };

#define USAGE_MOST_GROUPS 1000u

struct usage;

/* by[k]: groups differ in that. most: groups, 1 to USAGE_MOST_GROUPS. NULL: memory is out. */
struct usage *usage_new(const bool by[static USAGE_KEYS], size_t most);
void usage_free(struct usage *u);
DEFINE_FREEP(usage_free, struct usage)
/* The next entry, an object; one that is no call (it has no http_status) is passed over. */
struct status usage_add(struct usage *u, const struct js_node *entry);

/* Of an entry: its sum, or that of its parts. False: it tells none, or not as numbers above 0. */
bool usage_tokens(const struct js_node *entry, uint64_t *ret_tokens);

struct usage_row {
    const char *key[USAGE_KEYS]; /* "" where it is not known, or not asked for */
    bool other;                  /* of all groups behind the limit */
    uint64_t calls, rows;
    uint64_t refused; /* decision deny, status under 500 */
    uint64_t errors;  /* status from 500, or from 400 of a call that was allowed */
    uint64_t timed;   /* calls that tell how long they took */
    uint64_t told;    /* calls that tell tokens */
    uint64_t tokens;  /* of those: prompt and completion */
    double mean_ns;   /* exact; the next three are at most 1/64 off */
    double p50_ns, p95_ns, p99_ns;
};
size_t usage_count(const struct usage *u); /* groups, with "other" */
/* In the order of the keys, "other" last; i under usage_count. Borrows from u, which takes no more
 * entries then. */
void usage_row(struct usage *u, size_t i, struct usage_row *ret_row);
/* Groups, what was unreadable and, of a log, as of how many entries and when it was read: as --json
 * and the API give them. */
struct status usage_json(struct usage *u, json_t **ret_usage);

/* ---- of a log ---- */

/* Texts as a person writes them; NULL: all. */
struct usage_question {
    bool by[USAGE_KEYS];       /* none: principal and model */
    const char *since, *until; /* 2026-11-23, 2026-11-23T10:20:30Z, or 7d for so long ago */
    const char *principal, *model;
};
/* "day": groups differ in that, too. */
struct status usage_word(const char *word, struct diag *diag, bool by[static USAGE_KEYS]);
/* now_ns: the time it is, which "7d" counts back from, too. Ends with BUSY soon after *stop has
 * become true; stop may be NULL. */
struct status usage_read(const char *log_dir, const struct usage_question *q, int64_t now_ns,
                         const atomic_bool *stop, struct diag *diag, struct usage **ret_usage);
const bool *usage_by(const struct usage *u); /* [USAGE_KEYS] */

#endif
