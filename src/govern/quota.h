/* quota: how much may be asked of models in a minute, an hour, a day or a month of UTC, one line
 * each of limits.quotas (docs/spec/quota.md):
 *
 *     NAME MOST calls|rows|tokens/minute|hour|day|month [principal=P | group=G | role=R]
 *          [model=M] [each]
 *
 *     desk 10000 rows/day principal=desk
 *     fair 600 calls/minute model=mortgage each
 *
 * Without a principal, group or role it is of everybody, without a model of all. Its count is of
 * all those together, or, each, one of each principal. Pure but for what is under "of a log". */
#ifndef STEWARD_GOVERN_QUOTA_H
#define STEWARD_GOVERN_QUOTA_H

#include "base/digest.h"
#include "base/json.h"

#define QUOTAS 32u
#define QUOTA_NAME_MAX 64u
#define QUOTA_MOST UINT64_C(1000000000000000)
#define QUOTA_COUNT_MAX 96u
#define QUOTA_WINDOW_MAX 17u
#define QUOTA_TOLD 1000u /* counts of one quota that quota_book_json tells */

enum quota_unit { QUOTA_CALLS, QUOTA_ROWS, QUOTA_TOKENS };
enum quota_span { QUOTA_MINUTE, QUOTA_HOUR, QUOTA_DAY, QUOTA_MONTH };
enum quota_of { QUOTA_OF_ALL, QUOTA_OF_PRINCIPAL, QUOTA_OF_GROUP, QUOTA_OF_ROLE };

struct quota {
    char name[QUOTA_NAME_MAX];
    uint64_t most;
    enum quota_unit unit;
    enum quota_span span;
    enum quota_of of;
    char who[QUOTA_NAME_MAX];
    char model[QUOTA_NAME_MAX]; /* "": all */
    bool each;
    /* What its count is called in entries: "fair calls/minute/each". A quota of another span or
     * unit has another count. */
    char count[QUOTA_COUNT_MAX];
};

/* INPUT with a sentence. */
struct status quota_parse(struct view item, struct diag *diag, struct quota *ret_quota);
/* "10000 rows/day of principal desk on model m, each" */
void quota_put(const struct quota *q, struct buf *ret_text);
/* {"name", "most", "unit", "span", "model" (null: all), "of" ("principal:desk"; null: everybody),
 * "each"}; the caller's. NULL when memory is out. */
json_t *quota_to_json(const struct quota *q);
/* The window of a time: "2026-11-26T00:13", "2026-11-26T00", "2026-11-26" or "2026-11". A later one
 * is greater as text. */
void quota_window(enum quota_span span, int64_t wall_ns, char ret_window[static QUOTA_WINDOW_MAX]);
/* When it is over. */
int64_t quota_window_end(const char *window);

/* ---- what was used ---- */

/* Of one window, which only moves on: what a clock that went back says changes nothing. */
struct quota_count {
    struct quota_count *next;
    char of[QUOTA_COUNT_MAX];
    char principal[QUOTA_NAME_MAX]; /* "": of all together */
    char window[QUOTA_WINDOW_MAX];
    uint64_t used;
};

struct quota_book;
struct quota_book *quota_book_new(void); /* NULL when memory is out */
void quota_book_free(struct quota_book *b);
DEFINE_FREEP(quota_book_free, struct quota_book)
struct quota_book *quota_book_copy(const struct quota_book *b); /* NULL when memory is out */
/* A part of its counts, 0 to QUOTA_BOOK_PARTS - 1, into one that has none of them: nobody who
 * shares the book waits for all of them. STATUS_MEMORY. */
#define QUOTA_BOOK_PARTS 256u
struct status quota_book_copy_part(const struct quota_book *b, size_t part,
                                   struct quota_book *into);
/* That count; an empty one is made. It stays where it is. NULL: memory is out. */
struct quota_count *quota_book_count(struct quota_book *b, const char *of, const char *principal);
/* Of that quota, the next behind last (NULL: the first); NULL: there is none. */
struct quota_count *quota_book_next(const struct quota_book *b, const struct quota *q,
                                    const struct quota_count *last);
/* It moves on to that window, if it is a later one. */
void quota_count_turn(struct quota_count *c, const char *window);
/* An entry of the log: what it says it was counted in. The same entries in any order of one
 * window's give the same book. */
struct status quota_book_add(struct quota_book *b, struct view entry);
/* How many counts of `believed` are not those of `counted`, which has the same entries; in `live`,
 * which has what `believed` has and calls since, they are made right. live NULL: nothing is. */
struct status quota_book_correct(struct quota_book *live, const struct quota_book *believed,
                                 const struct quota_book *counted, size_t *ret_differing);
/* Every count, in any order; the array is malloc'd. */
struct status quota_book_all(const struct quota_book *b, const struct quota_count ***ret_counts,
                             size_t *ret_n);
/* Of how many entries of the log, from the first on, it has the counts; said by who adds them. */
uint64_t quota_book_entries(const struct quota_book *b);
void quota_book_reach(struct quota_book *b, uint64_t entries);

/* ---- of a log (quota_kept.c) ---- */

#define QUOTA_KEPT_FILE "quotas" /* in the log's folder */
#define QUOTA_KEPT_ACTION "limits.counted"

/* All entries of a log. They are read from ret_from on: what those before used is taken from the
 * file beside the log, if an entry of the log names that; else from 0. */
struct status quota_book_read(const char *log_dir, struct diag *diag, struct quota_book **ret_book,
                              uint64_t *ret_from);
/* The next entries, up to `to` of them. */
struct status quota_book_follow(struct quota_book *b, const char *log_dir, uint64_t to,
                                struct diag *diag);
/* Makes that file. tell writes the entry QUOTA_KEPT_ACTION with that reason, durably, before.
 * STATUS_BUSY while no checkpoint covers the book's entries. */
struct status quota_book_keep(const struct quota_book *b, const char *log_dir,
                              struct status (*tell)(void *ctx, const char *reason,
                                                    struct diag *diag),
                              void *ctx, struct diag *diag);
/* Its bytes, of a book and the root hash of its entries; the other way round into an empty book,
 * STATUS_INTEGRITY when they are none. */
struct status quota_kept_put(const struct quota_book *b, uint64_t entries,
                             const struct digest *root, struct buf *ret_bytes);
struct status quota_kept_read(struct view bytes, struct quota_book *b, uint64_t *ret_entries,
                              struct digest *ret_root);

/* ---- what is left (quota_left.c) ---- */

/* Of each quota what was used of the window that is now, what is left and when it is renewed, as
 * docs/spec/quota.md has it. */
struct status quota_book_json(const struct quota_book *b, const struct quota *list, size_t count,
                              int64_t now_ns, json_t **ret_left);

#endif
