/* query: what is looked for in the log, as a person writes it, and whether an entry is it.
 *
 *     principal=loan-desk decision=deny time>=2026-11-01 "wrong key"
 *
 * Terms with blanks between them, all of which must hold: FIELD=VALUE, FIELD!=VALUE, and of times
 * and numbers also < <= > >=; or a text alone, which stands somewhere in a value (small and capital
 * letters alike). A value with blanks is put in double quotes; in those, \" and \\ are a quote and
 * a backslash. Fields are those of docs/spec/audit-entry.md, and "subject". Fuzzed. */
#ifndef STEWARD_GOVERN_QUERY_H
#define STEWARD_GOVERN_QUERY_H

#include "base/json_flat.h"

#define QUERY_MOST_TERMS 16u
#define QUERY_MOST_BYTES 4096u

/* What the index has a list for (govern/index.h), in the order of its sections. */
enum query_list {
    QUERY_PRINCIPAL,
    QUERY_MODEL,
    QUERY_DECISION,
    QUERY_ACTION,
    QUERY_RESOURCE,
    QUERY_ID,
    QUERY_SUBJECT,
    QUERY_LISTS /* also: none */
};

enum query_compare { QUERY_IS, QUERY_IS_NOT, QUERY_LESS, QUERY_MOST, QUERY_MORE, QUERY_LEAST };

struct query_field;

struct query_term {
    const struct query_field *field; /* NULL: a text anywhere */
    enum query_compare compare;
    const char *text;
    int64_t number; /* of times: nanoseconds since 1970 */
};

struct query {
    struct query_term term[QUERY_MOST_TERMS];
    size_t count;
    struct arena *arena; /* of the texts */
};

void query_done(struct query *q); /* safe on a zeroed struct */
/* now_ns: what "time>=7d" counts back from. STATUS_INPUT with the place and a sentence. An empty
 * text finds every entry. */
struct status query_parse(struct view text, int64_t now_ns, struct diag *diag,
                          struct query *ret_query);
/* The list that has the term's entries; QUERY_LISTS: none has. */
enum query_list query_term_list(const struct query_term *t);
/* The times that terms leave: at least *ret_from, at most *ret_to. */
void query_times(const struct query *q, int64_t *ret_from, int64_t *ret_to);
/* root: the entry, read; an object. */
bool query_holds(const struct query *q, const struct js_node *root);
/* Calls each(ctx, value) for every value that an entry has in a list. */
void query_values(const struct js_node *root, enum query_list list,
                  void (*each)(void *ctx, struct view value), void *ctx);

#endif
