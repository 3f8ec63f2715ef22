#include "serve/log_routes.h"

#include "base/file.h"
#include "base/json.h"
#include "govern/note.h"
#include "govern/tile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECEIPT_MAX (1u << 20)

static const enum server_log_part parts[] = {
    [LOG_NO_READ] = SERVER_LOG_CLOSED,    [LOG_CHECKPOINT] = SERVER_LOG_HASHES,
    [LOG_TILES] = SERVER_LOG_HASHES,      [LOG_ENTRIES] = SERVER_LOG_ENTRIES,
    [LOG_RECEIPTS] = SERVER_LOG_RECEIPTS,
};

bool
log_is_open(const struct server *s, const struct route *r)
{
    return r->read != LOG_NO_READ && parts[r->read] <= s->options.log_open;
}

static char *
log_folder(const struct call *c)
{
    return file_join(c->server->workspace->dir, "audit");
}

/* What was let in without asking who reads may be kept by caches that others share. */
static void
set_kept(struct call *c, unsigned seconds, const char *more)
{
    char value[96];
    (void)snprintf(value, sizeof value, "%s, max-age=%u%s",
                   log_is_open(c->server, c->route) ? "public" : "private", seconds, more);
    http_set_header(c->x, "cache-control", value);
}

/* ---- checkpoint and tiles ---- */

void
log_act_checkpoint(struct call *c)
{
    DEFER(file_freep) char *dir = log_folder(c);
    DEFER(file_freep) char *path = file_join(dir, "checkpoint");
    if (!status_ok(file_read(path, NOTE_MAX, NULL, &c->x->answer))) {
        call_refuse(c, 503, "the checkpoint cannot be read now; try again",
                    "the checkpoint cannot be read");
        return;
    }
    c->x->content_type = "text/plain; charset=utf-8";
    set_kept(c, 1, "");
}

/* Entries under the checkpoint that is on disk, whoever signed it. */
static struct status
read_covered(const char *dir, uint64_t *ret_size)
{
    DEFER(file_freep) char *path = file_join(dir, "checkpoint");
    DEFER(buf_done) struct buf note;
    struct view text, signatures;
    struct checkpoint c;
    buf_init(&note, NOTE_MAX);
    TRY(file_read(path, NOTE_MAX, NULL, &note));
    TRY(note_split(buf_view(&note), NULL, &text, &signatures));
    TRY(checkpoint_parse(text, NULL, &c));
    *ret_size = c.size;
    return OK;
}

/* Only what a checkpoint covers: behind that stands what may still come to nothing. */
static struct status
read_tile(const struct call *c, const char *dir, const struct tile_id *id, struct buf *ret_bytes)
{
    uint64_t size = audit_published(c->server->workspace->audit);
    if (!tile_is_within(id, size)) {
        TRY(read_covered(dir, &size));
        CHECK(tile_is_within(id, size), NOT_FOUND);
    }
    return tile_read(dir, id, NULL, ret_bytes);
}

void
log_act_tile(struct call *c)
{
    struct tile_id id;
    DEFER(file_freep) char *dir = log_folder(c);
    struct status s = tile_parse_path(view_str(c->x->path + sizeof LOG_PREFIX - 1), &id);
    s = status_ok(s) ? read_tile(c, dir, &id, &c->x->answer) : FAILURE(NOT_FOUND);
    if (s.code == STATUS_NOT_FOUND) {
        call_refuse(c, 404, "the log has no such tile", "no such tile");
    } else if (!status_ok(s)) {
        call_refuse(c, 503, "the tile cannot be read", "the tile cannot be read");
    } else {
        c->x->content_type = "application/octet-stream";
        set_kept(c, 365u * 24 * 3600, ", immutable");
    }
}

/* ---- receipts ---- */

static void
refuse_receipt(struct call *c, struct status s)
{
    if (s.code == STATUS_NOT_FOUND) {
        call_refuse(c, 404, "the log has no such entry", "no such entry");
    } else {
        call_refuse(c, 503, "the receipt cannot be made now; try again",
                    "the receipt cannot be made");
    }
}

void
log_inspect_receipt(struct call *c)
{
    struct audit *a = c->server->workspace->audit;
    if (c->at.index >= audit_size(a)) {
        refuse_receipt(c, FAILURE(NOT_FOUND));
        return;
    }
    const enum audit_fate fate = audit_covered(a, c->at.index + 1);
    if (fate == AUDIT_FAILED && c->parked_once) {
        refuse_receipt(c, FAILURE(IO));
    } else if (fate != AUDIT_DURABLE) {
        audit_cover(a, c->at.index + 1);
        call_park(c, SERVER_COVER_TICKET | (c->at.index + 1));
    }
}

/* Whoever made the call; a call of nobody known is nobody's. */
static bool
is_own(const struct call *c, struct view entry)
{
    DEFER(js_freep) json_t *e = NULL;
    if (!status_ok(js_parse(entry, "entry", NULL, &e))) {
        return false;
    }
    const char *principal = json_string_value(json_object_get(e, "principal"));
    return principal != NULL && strcmp(principal, c->caller.principal) == 0;
}

void
log_act_receipt(struct call *c)
{
    DEFER(file_freep) char *dir = log_folder(c);
    DEFER(buf_done) struct buf entry;
    char value[80];
    buf_init(&entry, AUDIT_MAX_ENTRY);
    const struct status s = audit_prove(dir, c->at.index, &entry, &c->x->answer, NULL);
    if (!status_ok(s)) {
        refuse_receipt(c, s);
        return;
    }
    if (c->own_only && !is_own(c, buf_view(&entry))) {
        call_refuse(c, 403, "not allowed: the receipt of another's call needs audit.read",
                    "the call is another's");
        return;
    }
    c->x->content_type = "text/plain; charset=utf-8";
    (void)snprintf(value, sizeof value, "attachment; filename=\"%llu.tlog-proof\"",
                   (unsigned long long)c->at.index);
    http_set_header(c->x, "content-disposition", value);
}
