/* Crash argument and formats: docs/spec/audit.md. */
#include "govern/ledger.h"

#include "base/clock.h"
#include "base/file.h"
#include "govern/journal_file.h"
#include "govern/note.h"
#include "govern/tile.h"
#include "govern/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define KEPT_NAME_MAX 64
/* At once: the lock is held while they are copied; and less than what is mapped anew each time. */
#define GATHER_BYTES (240u << 10)
#define GATHER_REST (256u << 10) /* few enough to be left to the next journal */

struct ledger {
    char *dir;
    struct audit_signer signer;
    struct note_key key;
    int lock_fd;
    bool loaded;                  /* false: read everything anew at the next sync */
    struct checkpoint checkpoint; /* the newest that we have seen; origin "": none yet */
    struct tree *tree;            /* of the checkpoint */
    bool named[TILE_FILES];       /* of its files: the name is known to be on disk */
    struct journal_file journal;
};

uint64_t
ledger_size(const struct ledger *l)
{
    return l->checkpoint.size + l->journal.count;
}

uint64_t
ledger_pending(const struct ledger *l)
{
    return l->journal.count;
}

uint64_t
ledger_pending_bytes(const struct ledger *l)
{
    return l->journal.records.len;
}

void
ledger_rest(struct ledger *l)
{
    journal_file_rest(&l->journal);
}

struct status
ledger_lock(struct ledger *l)
{
    while (flock(l->lock_fd, LOCK_EX) != 0) {
        if (errno != EINTR) {
            FAIL_OS(errno);
        }
    }
    return OK;
}

void
ledger_unlock(struct ledger *l)
{
    (void)flock(l->lock_fd, LOCK_UN);
}

/* ---- taking in what is on disk ---- */

/* The cut is itself an entry: what was there is kept beside the journal, and nobody can say it was
 * not. */
static struct status
record_repair(struct ledger *l, struct view torn, const char *kept, struct diag *diag)
{
    DEFER(buf_done) struct buf entries;
    DEFER(buf_done) struct buf entry;
    DEFER(buf_done) struct buf reason;
    struct digest sum;
    char id[64];
    buf_init(&entries, AUDIT_MAX_ENTRY + 4);
    buf_init(&entry, AUDIT_MAX_ENTRY);
    buf_init(&reason, 512);
    digest_of(torn, &sum);
    (void)snprintf(id, sizeof id, "audit-repair-%llu", (unsigned long long)ledger_size(l));
    buf_printf(&reason, "the last write was unfinished: %zu bytes moved to %s, SHA-256 ", torn.len,
               kept);
    digest_put_hex(&reason, &sum);
    const struct audit_event e = {.time_ns = clock_wall_ns(),
                                  .id = id,
                                  .action = AUDIT_REPAIR,
                                  .resource = "audit/journal",
                                  .allow = true,
                                  .reason = buf_str(&reason)};
    audit_event_put(&e, &entry);
    TRY(buf_status(&entry));
    buf_put_u32be(&entries, (uint32_t)entry.len);
    buf_put(&entries, buf_view(&entry));
    TRY(buf_status(&entries));
    return ledger_append(l, buf_view(&entries), 1, diag);
}

static struct status
keep_torn(const struct ledger *l, uint64_t size, struct view torn, struct diag *diag,
          char ret_name[static KEPT_NAME_MAX])
{
    (void)snprintf(ret_name, KEPT_NAME_MAX, "journal.cut-%llu", (unsigned long long)size);
    DEFER(file_freep) char *path = file_join(l->dir, ret_name);
    return file_replace(path, torn, 0600, diag);
}

/* Cuts an unfinished last batch off, after keeping its bytes. */
static struct status
repair(struct ledger *l, struct view torn, struct diag *diag)
{
    char kept[KEPT_NAME_MAX];
    TRY(keep_torn(l, ledger_size(l), torn, diag, kept));
    TRY(journal_file_cut(&l->journal, diag));
    return record_repair(l, torn, kept, diag);
}

static struct status
accept_or_repair(struct ledger *l, struct view bytes, struct diag *diag)
{
    struct journal_scan scan;
    const size_t at = JOURNAL_HEADER_BYTES + l->journal.records.len;
    journal_scan(bytes, &l->journal.chain, l->journal.padded, &scan);
    if (scan.state == JOURNAL_TAMPERED) {
        diag_set(diag, "journal: byte %zu: entry %llu was changed after it was written",
                 at + scan.end, (unsigned long long)(ledger_size(l) + scan.count));
        FAIL(INTEGRITY);
    }
    TRY(journal_file_accept(&l->journal, bytes, &scan, diag));
    if (scan.state == JOURNAL_TORN) {
        return repair(l, view_of(bytes.ptr + scan.end, scan.torn), diag);
    }
    return OK;
}

/* A crash, or a full disk, between the checkpoint and the new journal: the first records are in the
 * tree by now. Another process may have gone on appending to the old journal, and may have crashed
 * as well. */
static struct status
finish_publish(struct ledger *l, const struct journal_header *h, struct view bytes,
               struct diag *diag)
{
    const struct checkpoint *c = &l->checkpoint;
    struct journal_scan scan;
    journal_scan(bytes, &h->chain, h->padded, &scan);
    if (scan.state == JOURNAL_TAMPERED || c->size - h->base > scan.count) {
        diag_set(diag, "journal: byte %zu: it ends before the checkpoint (%llu entries) does",
                 JOURNAL_HEADER_BYTES + scan.end, (unsigned long long)c->size);
        FAIL(INTEGRITY);
    }
    const struct view records = view_of(bytes.ptr, scan.end);
    const struct view torn = view_of(bytes.ptr + scan.end, scan.torn);
    const size_t pos = journal_skip(records, c->size - h->base);
    char kept[KEPT_NAME_MAX];
    if (torn.len > 0) {
        TRY(keep_torn(l, h->base + scan.count, torn, diag, kept));
    }
    DEFER(file_closep) int old = -1;
    TRY(journal_file_restart(&l->journal, c->size, &c->root,
                             view_of(records.ptr + pos, records.len - pos), diag, &old));
    return torn.len == 0 ? OK : record_repair(l, torn, kept, diag);
}

static struct status
check_header(const struct ledger *l, const struct journal_header *h, struct diag *diag)
{
    const struct checkpoint *c = &l->checkpoint;
    struct digest root;
    if (h->base > c->size) {
        diag_set(diag,
                 "checkpoint: byte 0: it covers %llu entries, but the journal begins after %llu",
                 (unsigned long long)c->size, (unsigned long long)h->base);
        FAIL(INTEGRITY);
    }
    TRY(tree_root_at(l->dir, c, h->base, diag, &root));
    if (!merkle_equal(&h->root, &root)) {
        diag_set(diag, "journal: byte 24: it belongs to another log");
        FAIL(INTEGRITY);
    }
    return OK;
}

static struct status
load_journal(struct ledger *l, struct diag *diag)
{
    DEFER(buf_done) struct buf records;
    struct journal_header h;
    buf_init(&records, JOURNAL_MAX);
    TRY(journal_file_load(&l->journal, diag, &h, &records));
    TRY(check_header(l, &h, diag));
    if (h.base < l->checkpoint.size) {
        return finish_publish(l, &h, buf_view(&records), diag);
    }
    return accept_or_repair(l, buf_view(&records), diag);
}

/* What we knew must be a prefix of what is there now: a log that was swapped or rolled back is
 * refused. */
static struct status
load(struct ledger *l, struct diag *diag)
{
    struct checkpoint c;
    l->loaded = false;
    memset(l->named, 0, sizeof l->named);
    TRY(tree_read_checkpoint(l->dir, &l->key, diag, &c));
    TRY(tile_take_over(l->dir, c.size, diag));
    if (l->checkpoint.origin[0] != '\0') {
        TRY(tree_check_extends(l->dir, &l->checkpoint, &c, diag));
    }
    TRY(tree_load(l->tree, &c, diag));
    l->checkpoint = c;
    TRY(load_journal(l, diag));
    l->loaded = true;
    return OK;
}

struct status
ledger_sync(struct ledger *l, struct diag *diag)
{
    DEFER(buf_done) struct buf bytes;
    buf_init(&bytes, JOURNAL_MAX);
    if (!l->loaded || !journal_file_same(&l->journal)) {
        return load(l, diag);
    }
    TRY(journal_file_tail(&l->journal, diag, &bytes));
    return bytes.len == 0 ? OK : accept_or_repair(l, buf_view(&bytes), diag);
}

struct status
ledger_append(struct ledger *l, struct view entries, uint64_t count, struct diag *diag)
{
    bool lost = false;
    const struct status s = journal_file_append(&l->journal, entries, count, diag, &lost);
    l->loaded = l->loaded && !lost;
    return s;
}

/* ---- publishing ---- */

struct growth {
    struct tree *tree;
    struct tile_writer writer;
    bool named[TILE_FILES];    /* as the ledger's */
    struct buf records;        /* gathered last */
    uint64_t from;             /* size of the tree that it grows */
    size_t taken;              /* bytes of the journal's records that were gathered in all */
    struct digest chain;       /* of the last of them: of all of them */
    bool overtaken;            /* another process has published: nothing of this counts */
    struct checkpoint adopted; /* that was signed; size 0: none */
    int old_journal;           /* to be closed: giving a long file back takes its time */
};

struct growth *
growth_new(const struct ledger *l)
{
    struct growth *g = calloc(1, sizeof *g);
    if (g == NULL) {
        return NULL;
    }
    *g = (struct growth){.old_journal = -1};
    buf_init(&g->records, JOURNAL_MAX);
    tile_writer_init(&g->writer, l->dir, g->named);
    g->tree = tree_new(l->dir);
    if (g->tree == NULL) {
        free(g);
        return NULL;
    }
    return g;
}

void
growth_free(struct growth *g)
{
    if (g != NULL) {
        file_closep(&g->old_journal);
        tree_free(g->tree);
        tile_writer_done(&g->writer);
        buf_done(&g->records);
        free(g);
    }
}

/* Are the first records of the journal still those that were gathered? */
static bool
still_holds(const struct ledger *l, const struct growth *g)
{
    const struct view all = buf_view(&l->journal.records);
    return l->checkpoint.size == g->from && all.len >= g->taken &&
           (g->taken == 0 ||
            memcmp(all.ptr + g->taken - DIGEST_BYTES, g->chain.bytes, DIGEST_BYTES) == 0);
}

/* Whole records from bytes on, one at least where there is one. */
static size_t
length_of_some(struct view records)
{
    size_t end = 0, pos = 0;
    struct view entry;
    while (end < GATHER_BYTES && journal_entry(records, &pos, &entry)) {
        end = pos;
    }
    return end;
}

struct status
ledger_gather(const struct ledger *l, struct growth *g, bool *ret_more)
{
    const struct view all = buf_view(&l->journal.records);
    if (g->taken == 0) {
        g->from = l->checkpoint.size;
        memcpy(g->named, l->named, sizeof g->named);
        TRY(tree_copy(g->tree, l->tree));
    }
    *ret_more = false;
    buf_reset(&g->records);
    g->overtaken = !still_holds(l, g);
    if (g->overtaken) {
        return OK;
    }
    const struct view rest = view_of(all.ptr + g->taken, all.len - g->taken);
    const size_t n = length_of_some(rest);
    buf_put(&g->records, view_of(rest.ptr, n));
    TRY(buf_status(&g->records));
    if (n > 0) {
        g->taken += n;
        memcpy(g->chain.bytes, rest.ptr + n - DIGEST_BYTES, DIGEST_BYTES);
    }
    *ret_more = rest.len - n > GATHER_REST;
    return OK;
}

struct status
growth_write(struct growth *g, bool last, struct diag *diag)
{
    if (g->taken == 0 || g->overtaken) {
        return OK;
    }
    return tree_grow(g->tree, &g->writer, buf_view(&g->records), last, diag);
}

/* The last look before signing: what stands on disk is what our tree grew from. If not, a process
 * died between its checkpoint and its journal, and we take in what it left; whatever else it may
 * be, load refuses. */
static struct status
stands_still(struct ledger *l, struct diag *diag, bool *ret_still)
{
    struct checkpoint c;
    TRY(tree_read_checkpoint(l->dir, &l->key, diag, &c));
    *ret_still = c.size == l->checkpoint.size && merkle_equal(&c.root, &l->checkpoint.root);
    return *ret_still ? OK : load(l, diag);
}

struct status
ledger_sign(struct ledger *l, struct growth *g, struct diag *diag, uint64_t *ret_signed)
{
    bool still = false;
    *ret_signed = 0;
    if (g->overtaken || g->taken == 0 || !still_holds(l, g)) {
        return OK;
    }
    TRY(stands_still(l, diag, &still));
    if (!still || !still_holds(l, g)) {
        return OK;
    }
    struct checkpoint c = l->checkpoint;
    c.size = tree_size(g->tree);
    tree_root(g->tree, &c.root);
    l->loaded = false; /* until the journal has followed, only a reload may go on */
    TRY(tree_write_checkpoint(l->dir, &l->signer, &l->key, &c, diag));
    g->adopted = c;
    *ret_signed = c.size;
    return OK;
}

struct status
ledger_shorten(struct ledger *l, struct growth *g, struct diag *diag)
{
    const struct checkpoint *c = &g->adopted;
    if (c->size == 0) {
        return OK;
    }
    const struct view all = buf_view(&l->journal.records);
    const struct view rest = view_of(all.ptr + g->taken, all.len - g->taken);
    TRY(journal_file_restart(&l->journal, c->size, &c->root, rest, diag, &g->old_journal));
    TRY(tree_copy(l->tree, g->tree));
    for (unsigned i = 0; i < TILE_FILES; i++) {
        l->named[i] = l->named[i] || g->named[i];
    }
    l->checkpoint = *c;
    l->loaded = true;
    return OK;
}

/* ---- open ---- */

static struct status
check_vkey(const char *path, struct view ours, struct diag *diag)
{
    DEFER(buf_done) struct buf theirs;
    buf_init(&theirs, 4096);
    TRY(file_read(path, 4096, diag, &theirs));
    if (!view_equal(buf_view(&theirs), ours)) {
        diag_set(diag, "vkey: byte 0: the log was begun with another name or key");
        FAIL(INTEGRITY);
    }
    return OK;
}

static bool
has(const struct ledger *l, const char *name)
{
    DEFER(file_freep) char *path = file_join(l->dir, name);
    return file_exists(path);
}

static bool
has_tiles(const struct ledger *l)
{
    return has(l, "tree") || has(l, "tile");
}

static struct status
missing(const char *name, struct diag *diag)
{
    diag_set(diag, "%s: byte 0: the file is missing", name);
    FAIL(INTEGRITY);
}

static struct status
keep_vkey(const struct ledger *l, struct diag *diag)
{
    DEFER(file_freep) char *path = file_join(l->dir, "vkey");
    DEFER(buf_done) struct buf text;
    buf_init(&text, 4096);
    note_put_vkey(&l->key, &text);
    buf_put_u8(&text, '\n');
    TRY(buf_status(&text));
    if (file_exists(path)) {
        return check_vkey(path, buf_view(&text), diag);
    }
    if (has(l, "checkpoint") || has(l, "journal") || has_tiles(l)) {
        return missing("vkey", diag);
    }
    return file_replace(path, buf_view(&text), 0600, diag);
}

/* The first checkpoint and journal. Each step is repeated by the next open if a crash comes
 * between. */
static struct status
keep_beginning(struct ledger *l, struct diag *diag)
{
    struct checkpoint c = {.size = 0};
    (void)snprintf(c.origin, sizeof c.origin, "%s", l->key.name);
    merkle_root(NULL, 0, &c.root);
    const bool begun = has(l, "journal") || has_tiles(l);
    if (!has(l, "checkpoint")) {
        if (begun) {
            return missing("checkpoint", diag);
        }
        TRY(tree_write_checkpoint(l->dir, &l->signer, &l->key, &c, diag));
    }
    DEFER(file_closep) int old = -1;
    return begun ? OK : journal_file_restart(&l->journal, 0, &c.root, view_of(NULL, 0), diag, &old);
}

static struct status
open_locked(struct ledger *l, struct diag *diag)
{
    TRY(keep_vkey(l, diag));
    TRY(keep_beginning(l, diag));
    return load(l, diag);
}

static struct ledger *
ledger_new(const char *dir, const struct audit_signer *signer)
{
    struct ledger *l = calloc(1, sizeof *l);
    if (l == NULL) {
        return NULL;
    }
    l->dir = strdup(dir);
    l->signer = *signer;
    l->lock_fd = -1;
    l->tree = tree_new(dir);
    journal_file_init(&l->journal, dir);
    return l;
}

void
ledger_free(struct ledger *l)
{
    if (l == NULL) {
        return;
    }
    file_closep(&l->lock_fd);
    journal_file_done(&l->journal);
    tree_free(l->tree);
    free(l->dir);
    free(l);
}

static struct status
open_lock(struct ledger *l, struct diag *diag)
{
    DEFER(file_freep) char *path = file_join(l->dir, "lock");
    l->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (l->lock_fd < 0) {
        const int error = errno;
        diag_set(diag, "%s: %s", path, strerror(error));
        FAIL_OS(error);
    }
    return OK;
}

struct status
ledger_open(const char *dir, const struct audit_signer *signer, struct diag *diag,
            struct ledger **ret_ledger)
{
    DEFER(ledger_freep) struct ledger *l = ledger_new(dir, signer);
    CHECK(l != NULL && l->dir != NULL && l->tree != NULL, MEMORY);
    TRY(note_key_make(signer->origin, signer->public_key, diag, &l->key));
    l->signer.origin = l->key.name;
    TRY(file_mkdirs(dir, 0700, diag));
    TRY(file_sync_dir(dir, diag));
    TRY(open_lock(l, diag));
    TRY(ledger_lock(l));
    const struct status s = open_locked(l, diag);
    ledger_unlock(l);
    TRY(s);
    *ret_ledger = MOVE(l);
    return OK;
}
