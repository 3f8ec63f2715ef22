/* Reading entries needs no key but the public one: it works on a copy, read-only, by whoever holds
 * one. */
#include "govern/audit.h"

#include "govern/standing.h"
#include "govern/tile.h"

struct status
audit_count(const char *dir, uint64_t *ret_entries, struct diag *diag)
{
    DEFER(standing_done) struct standing s = {0};
    TRY(standing_take(dir, NULL, diag, &s));
    *ret_entries = s.checkpoint.size + s.pending;
    return OK;
}

typedef struct status (*entry_visitor)(void *ctx, uint64_t index, struct view entry);

static struct status
each_in_tree(const struct standing *s, uint64_t from, uint64_t to, entry_visitor each, void *ctx,
             struct diag *diag)
{
    DEFER(buf_done) struct buf bundle;
    buf_init(&bundle, TILE_BUNDLE_MAX);
    for (uint64_t at = from; at < to;) {
        const struct tile_id id = tile_holding(TILE_ENTRIES, at, s->checkpoint.size);
        const uint64_t first = id.index * MERKLE_WIDTH;
        buf_reset(&bundle);
        TRY(tile_read(s->dir, &id, diag, &bundle));
        struct reader r = reader_of(buf_view(&bundle));
        struct view entry = {0};
        for (uint64_t i = first; i < first + id.width && tile_next_entry(&r, &entry); i++) {
            if (i >= from && i < to) {
                TRY(each(ctx, i, entry));
            }
        }
        at = first + id.width;
    }
    return OK;
}

static struct status
each_in_journal(const struct standing *s, uint64_t from, uint64_t to, entry_visitor each, void *ctx)
{
    size_t pos = 0;
    struct view entry = {0};
    for (uint64_t i = s->checkpoint.size; i < to && journal_entry(s->records, &pos, &entry); i++) {
        if (i >= from) {
            TRY(each(ctx, i, entry));
        }
    }
    return OK;
}

struct status
audit_each(const char *dir, uint64_t from, uint64_t to, entry_visitor each, void *ctx,
           struct diag *diag)
{
    DEFER(standing_done) struct standing s = {0};
    TRY(standing_take(dir, NULL, diag, &s));
    const uint64_t in_tree = to < s.checkpoint.size ? to : s.checkpoint.size;
    if (from < in_tree) {
        TRY(each_in_tree(&s, from, in_tree, each, ctx, diag));
    }
    return each_in_journal(&s, from, to, each, ctx);
}
