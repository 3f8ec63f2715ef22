/* The log as other implementations read it: a file for each tile, under the paths of C2SP
 * tlog-tiles. */
#include "govern/audit.h"

#include "base/file.h"
#include "govern/standing.h"
#include "govern/tile.h"

#include <string.h>

static struct status
write_new(const char *to, const char *name, struct view bytes, struct diag *diag)
{
    DEFER(file_freep) char *path = file_join(to, name);
    DEFER(file_freep) char *folder = file_parent(path);
    TRY(file_mkdirs(folder, 0700, diag));
    return file_replace(path, bytes, 0600, diag);
}

/* A tile never changes: what is there already stays. */
static struct status
copy_tile(const struct standing *s, const char *to, const struct tile_id *id, struct diag *diag)
{
    char name[TILE_PATH_MAX];
    tile_put_path(id, name);
    DEFER(file_freep) char *path = file_join(to, name);
    DEFER(buf_done) struct buf bytes;
    buf_init(&bytes, TILE_BUNDLE_MAX);
    if (file_exists(path)) {
        return OK;
    }
    TRY(tile_read(s->dir, id, diag, &bytes));
    return write_new(to, name, buf_view(&bytes), diag);
}

static struct status
copy_level(const struct standing *s, const char *to, unsigned level, struct diag *diag)
{
    const uint64_t size = s->checkpoint.size;
    for (uint64_t at = 0; at < tile_level_count(level, size); at += MERKLE_WIDTH) {
        const struct tile_id id = tile_holding(level, at, size);
        TRY(copy_tile(s, to, &id, diag));
    }
    return OK;
}

/* A folder that somebody writes a log in has a lock. */
static struct status
check_target(const char *to, struct view vkey, const struct checkpoint *c, struct diag *diag)
{
    DEFER(file_freep) char *lock = file_join(to, "lock");
    DEFER(file_freep) char *theirs = file_join(to, "vkey");
    DEFER(standing_done) struct standing s = {0};
    DEFER(buf_done) struct buf key;
    buf_init(&key, 4096);
    if (file_exists(lock)) {
        diag_set(diag, "%s: it is a log, not the copy of one", to);
        FAIL(EXISTS);
    }
    if (!file_exists(theirs)) {
        return OK;
    }
    TRY(file_read(theirs, 4096, diag, &key));
    if (!view_equal(buf_view(&key), vkey)) {
        diag_set(diag, "%s: it is the copy of another log", to);
        FAIL(EXISTS);
    }
    const struct status read = standing_signed(to, NULL, &s);
    if (status_ok(read) && s.checkpoint.size > c->size) {
        diag_set(diag, "%s: it has %llu entries, the log has %llu", to,
                 (unsigned long long)s.checkpoint.size, (unsigned long long)c->size);
        FAIL(INTEGRITY);
    }
    return OK;
}

/* Of no entries: whoever verifies the copy looks for it. */
static struct status
write_journal(const char *to, const struct checkpoint *c, struct diag *diag)
{
    DEFER(buf_done) struct buf journal;
    buf_init(&journal, JOURNAL_HEADER_BYTES);
    journal_put_header(&journal, c->size, &c->root);
    TRY(buf_status(&journal));
    return write_new(to, "journal", buf_view(&journal), diag);
}

struct status
audit_copy(const char *dir, const char *to, struct diag *diag, uint64_t *ret_entries)
{
    DEFER(standing_done) struct standing s = {0};
    DEFER(buf_done) struct buf vkey;
    DEFER(file_freep) char *path = file_join(dir, "vkey");
    buf_init(&vkey, 4096);
    TRY(standing_signed(dir, diag, &s));
    TRY(file_read(path, 4096, diag, &vkey));
    TRY(check_target(to, buf_view(&vkey), &s.checkpoint, diag));
    for (unsigned level = 0; level <= TILE_ENTRIES; level++) {
        TRY(copy_level(&s, to, level, diag));
    }
    TRY(write_new(to, "vkey", buf_view(&vkey), diag));
    TRY(write_new(to, "checkpoint", buf_view(&s.note), diag)); /* what it needs is there */
    TRY(write_journal(to, &s.checkpoint, diag));
    *ret_entries = s.checkpoint.size;
    return OK;
}
