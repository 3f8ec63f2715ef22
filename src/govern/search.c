#include "govern/search.h"

#include "govern/bundle.h"
#include "govern/index.h"
#include "govern/standing.h"

#include <stdlib.h>
#include <string.h>

#define ENTRY_ARENA (1u << 20)

struct searching {
    const char *dir;
    const struct query *q;
    const struct search_options *o;
    struct status (*each)(void *ctx, uint64_t index, struct view entry);
    void *ctx;
    struct diag *diag;
    struct search_stats *stats;
    struct standing standing;
    struct bundle *bundle;
    struct arena *arena;
    int64_t from_ns, to_ns; /* the query's */
    uint64_t from, to;      /* the entries that are asked for */
    bool *fits;             /* a segment each */
    uint64_t segments;
};

static void
searching_free(struct searching *s)
{
    if (s != NULL) {
        standing_done(&s->standing);
        arena_free(s->arena);
        bundle_free(s->bundle);
        free(s->fits);
        free(s);
    }
}

DEFINE_FREEP(searching_free, struct searching)

/* ---- entries ---- */

static struct status
go_on(const struct searching *s)
{
    const atomic_bool *stop = s->o->stop;
    CHECK(stop == NULL || !atomic_load_explicit(stop, memory_order_relaxed), BUSY);
    return OK;
}

static bool
is_full(const struct searching *s)
{
    return s->o->most > 0 && s->stats->found == s->o->most;
}

static struct status
try_entry(struct searching *s, uint64_t index, struct view entry)
{
    const struct js_node *root = NULL;
    TRY(go_on(s));
    bool holds = s->q->count == 0;
    s->stats->looked_at++;
    if (!holds) {
        arena_reset(s->arena);
        if (!status_ok(js_flat(entry, NULL, s->arena, NULL, &root)) || root->kind != JS_OBJECT) {
            s->stats->unreadable++;
            return OK;
        }
        holds = query_holds(s->q, root);
    }
    s->stats->found += holds;
    return holds ? s->each(s->ctx, index, entry) : OK;
}

/* ---- what is in the tree ---- */

/* The candidates of entries [first, first + count); set NULL: all. */
static struct status
try_window(struct searching *s, uint64_t first, uint64_t count, const uint8_t *set)
{
    for (uint64_t k = 0; k < count && !is_full(s); k++) {
        const uint64_t i = s->o->newest_first ? count - 1 - k : k, at = first + i;
        if (at < s->from || at >= s->to || (set != NULL && (set[i / 8] >> i % 8 & 1) == 0)) {
            continue;
        }
        struct view entry;
        TRY(bundle_entry(s->bundle, at, &entry));
        TRY(try_entry(s, at, entry));
    }
    return OK;
}

/* *ret_fit false: the segment's own bytes do not fit; its entries are read. A list may be as long
 * as a segment, and a query has one for each term. */
static struct status
narrow(struct searching *s, const struct index_head *h, uint8_t *set, bool *ret_fit)
{
    *ret_fit = true;
    memset(set, 0xff, INDEX_SET_BYTES);
    for (size_t i = 0; i < s->q->count && *ret_fit; i++) {
        const struct query_term *t = &s->q->term[i];
        const enum query_list list = query_term_list(t);
        TRY(go_on(s));
        *ret_fit = list == QUERY_LISTS ||
                   status_ok(index_keep(s->dir, h, list, view_str(t->text), set, &s->stats->bytes));
    }
    return OK;
}

static struct status
try_segment(struct searching *s, uint64_t number)
{
    struct index_head h;
    uint8_t set[INDEX_SET_BYTES];
    bool fit = false;
    const uint64_t first = number << INDEX_LEVEL;
    TRY(go_on(s));
    if (first >= s->to || first + INDEX_ENTRIES <= s->from) {
        return OK;
    }
    if (s->fits[number] && status_ok(index_head_read(s->dir, number, &h, &s->stats->bytes))) {
        if (h.last_ns < s->from_ns || h.first_ns > s->to_ns) {
            return OK;
        }
        TRY(narrow(s, &h, set, &fit));
        if (fit) {
            return try_window(s, first, INDEX_ENTRIES, set);
        }
        s->stats->refused++;
    }
    s->stats->unindexed += INDEX_ENTRIES;
    return try_window(s, first, INDEX_ENTRIES, NULL);
}

/* Whether it was made from these entries, and stands behind the segment before. */
static struct status
judge_segment(struct searching *s, uint64_t number, struct digest *chain, bool *ret_fits)
{
    struct index_head h;
    struct digest root;
    TRY(go_on(s));
    const struct status read = index_head_read(s->dir, number, &h, &s->stats->bytes);
    if (!status_ok(read)) {
        s->stats->refused += read.code != STATUS_NOT_FOUND;
        *ret_fits = false;
        return OK;
    }
    TRY(tile_node(&s->bundle->tiles, INDEX_LEVEL, number, &root));
    *ret_fits = merkle_equal(&h.root, &root) && merkle_equal(&h.before, chain);
    s->stats->refused += !*ret_fits;
    *chain = h.digest;
    return OK;
}

static struct status
judge_segments(struct searching *s)
{
    struct digest chain = {0};
    s->segments = s->standing.checkpoint.size >> INDEX_LEVEL;
    s->fits = calloc((size_t)s->segments + 1, sizeof *s->fits);
    CHECK(s->fits != NULL, MEMORY);
    bool whole = !s->o->scan;
    for (uint64_t i = 0; i < s->segments && whole; i++) {
        TRY(judge_segment(s, i, &chain, &s->fits[i]));
        whole = s->fits[i]; /* a chain ends at its first hole */
    }
    return OK;
}

static struct status
try_tree(struct searching *s)
{
    const uint64_t covered = s->segments << INDEX_LEVEL, size = s->standing.checkpoint.size;
    s->stats->unindexed += size - covered;
    if (s->o->newest_first) {
        TRY(try_window(s, covered, size - covered, NULL));
    }
    for (uint64_t i = 0; i < s->segments && !is_full(s); i++) {
        TRY(try_segment(s, s->o->newest_first ? s->segments - 1 - i : i));
    }
    return s->o->newest_first ? OK : try_window(s, covered, size - covered, NULL);
}

/* ---- what is in the journal ---- */

static struct status
try_journal(struct searching *s)
{
    const uint64_t first = s->standing.checkpoint.size, count = s->standing.pending;
    DEFER(memory_freep) struct view *entries = calloc((size_t)count + 1, sizeof *entries);
    size_t pos = 0;
    CHECK(entries != NULL, MEMORY);
    for (uint64_t i = 0; i < count; i++) {
        ASSERT(journal_entry(s->standing.records, &pos, &entries[i]));
    }
    for (uint64_t k = 0; k < count && !is_full(s); k++) {
        const uint64_t i = s->o->newest_first ? count - 1 - k : k;
        if (first + i >= s->from && first + i < s->to) {
            TRY(try_entry(s, first + i, entries[i]));
        }
    }
    return OK;
}

/* ---- one search ---- */

static struct status
begin(struct searching *s)
{
    s->arena = arena_new(ENTRY_ARENA);
    CHECK(s->arena != NULL, MEMORY);
    TRY(standing_take(s->dir, NULL, s->diag, &s->standing));
    const uint64_t size = s->standing.checkpoint.size;
    s->bundle = bundle_new(s->dir, size, s->diag);
    CHECK(s->bundle != NULL, MEMORY);
    s->stats->entries = size + s->standing.pending;
    s->stats->bytes += s->standing.journal.len;
    s->stats->unindexed += s->standing.pending;
    s->from = s->o->from;
    s->to = s->o->to == 0 || s->o->to > s->stats->entries ? s->stats->entries : s->o->to;
    query_times(s->q, &s->from_ns, &s->to_ns);
    return judge_segments(s);
}

struct status
search_run(const char *dir, const struct query *q, const struct search_options *o,
           struct status (*each)(void *ctx, uint64_t index, struct view entry), void *ctx,
           struct diag *diag, struct search_stats *ret_stats)
{
    DEFER(searching_freep) struct searching *s = calloc(1, sizeof *s);
    CHECK(s != NULL, MEMORY);
    *ret_stats = (struct search_stats){0};
    s->dir = dir;
    s->q = q;
    s->o = o;
    s->each = each;
    s->ctx = ctx;
    s->diag = diag;
    s->stats = ret_stats;
    TRY(begin(s));
    struct status done = o->newest_first ? try_journal(s) : try_tree(s);
    if (status_ok(done)) {
        done = o->newest_first ? try_tree(s) : try_journal(s);
    }
    ret_stats->bytes += s->bundle->read;
    return done;
}
