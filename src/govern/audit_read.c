/* Reading needs no key but the public one: it works on a copy, read-only, by whoever holds one. It
 * takes no lock while what it sees fits together. Where it does not, a writer may be at work: the
 * second look is under the shared lock, and final. */
#include "govern/audit.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "govern/journal.h"
#include "govern/note.h"
#include "govern/tile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

#define LOCK_TRIES 80
#define TIME_LETTERS 27u
#define ENTRY_START "{\"v\":1,\"time\":\""
#define DURATION_KEY ",\"duration_ns\":"
/* Entries of one moment are not written in the order of their ends. */
#define CLOCK_SLACK NS_PER_S

/* The log as it stands at one moment. */
struct standing {
    const char *dir;
    struct note_key key;
    struct buf note; /* the signed checkpoint, verbatim */
    struct checkpoint checkpoint;
    struct buf journal;
    struct view records; /* of the journal, those that are not in the tree: */
    uint64_t pending;
    struct journal_header header;
    struct journal_scan scan;
};

static void
standing_done(struct standing *s)
{
    buf_done(&s->note);
    buf_done(&s->journal);
}

static void
pause_shortly(void)
{
    const struct timespec t = {.tv_nsec = 25 * 1000 * 1000};
    (void)nanosleep(&t, NULL);
}

static struct status
read_key(const char *dir, const char *vkey, struct diag *diag, struct note_key *ret_key)
{
    DEFER(buf_done) struct buf text;
    buf_init(&text, 4096);
    if (vkey != NULL) {
        buf_put_str(&text, vkey);
    } else {
        DEFER(file_freep) char *path = file_join(dir, "vkey");
        TRY(file_read(path, 4096, diag, &text));
    }
    TRY(buf_status(&text));
    while (text.len > 0 && text.ptr[text.len - 1] == '\n') {
        text.len--;
    }
    const struct status s = note_parse_vkey(buf_view(&text), diag, ret_key);
    if (!status_ok(s)) {
        diag_prefix(diag, vkey == NULL ? "vkey" : "--vkey");
    }
    return vkey == NULL && s.code == STATUS_INPUT ? FAILURE(INTEGRITY) : s;
}

static struct status
read_note(struct standing *s, struct diag *diag)
{
    DEFER(file_freep) char *path = file_join(s->dir, "checkpoint");
    buf_reset(&s->note);
    TRY(file_read(path, NOTE_MAX, diag, &s->note));
    const struct status opened = checkpoint_open(buf_view(&s->note), &s->key, diag, &s->checkpoint);
    if (!status_ok(opened)) {
        diag_prefix(diag, "checkpoint");
        FAIL(INTEGRITY);
    }
    return OK;
}

static struct status
read_journal(struct standing *s, struct diag *diag)
{
    DEFER(file_freep) char *path = file_join(s->dir, "journal");
    buf_reset(&s->journal);
    const struct status read = file_read(path, JOURNAL_MAX, diag, &s->journal);
    if (read.code == STATUS_NOT_FOUND) {
        diag_set(diag, "journal: byte 0: the file is missing");
        FAIL(INTEGRITY);
    }
    TRY(read);
    const struct status head = journal_read_header(buf_view(&s->journal), diag, &s->header);
    if (!status_ok(head)) {
        diag_prefix(diag, "journal");
        FAIL(INTEGRITY);
    }
    s->records =
        view_of(s->journal.ptr + JOURNAL_HEADER_BYTES, s->journal.len - JOURNAL_HEADER_BYTES);
    journal_scan(s->records, 0, &s->header.chain, &s->scan);
    return OK;
}

/* Checkpoint and journal must fit. A writer that has published but not yet begun its new journal
 * leaves one that begins before the checkpoint: its first entries are in the tree. */
static struct status
check_fit(const struct standing *s, struct diag *diag)
{
    if (s->header.base == s->checkpoint.size) {
        if (!merkle_equal(&s->header.root, &s->checkpoint.root)) {
            diag_set(diag, "journal: byte 24: its root is not the checkpoint's");
            FAIL(INTEGRITY);
        }
    } else if (s->header.base > s->checkpoint.size) {
        diag_set(diag,
                 "checkpoint: byte 0: it has %llu entries, the journal begins after %llu: an old "
                 "checkpoint was put back",
                 (unsigned long long)s->checkpoint.size, (unsigned long long)s->header.base);
        FAIL(INTEGRITY);
    } else if (s->checkpoint.size - s->header.base > s->scan.count) {
        diag_set(diag, "journal: byte %zu: it ends before the checkpoint (%llu entries) does",
                 JOURNAL_HEADER_BYTES + s->scan.end, (unsigned long long)s->checkpoint.size);
        FAIL(INTEGRITY);
    }
    if (s->scan.state != JOURNAL_WHOLE) {
        diag_set(diag, "journal: byte %zu: the record here does not verify: %s",
                 JOURNAL_HEADER_BYTES + s->scan.end,
                 s->scan.state == JOURNAL_TAMPERED ? "it was changed"
                                                   : "it was changed, or a write was cut off here "
                                                     "(the next start drops it and says so)");
        FAIL(INTEGRITY);
    }
    return OK;
}

static struct status
look(struct standing *s, struct diag *diag)
{
    TRY(read_note(s, diag));
    TRY(read_journal(s, diag));
    TRY(check_fit(s, diag));
    const uint64_t in_tree = s->checkpoint.size - s->header.base;
    const size_t skipped = journal_skip(s->records, in_tree);
    s->records = view_of(s->records.ptr + skipped, s->records.len - skipped);
    s->pending = s->scan.count - in_tree;
    return OK;
}

/* Of a copy there may be no lock, and then no writer either. One that holds it for seconds is
 * not waited for. */
static void
share_lock(const char *dir, int *ret_fd)
{
    DEFER(file_freep) char *path = file_join(dir, "lock");
    *ret_fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    for (int i = 0; *ret_fd >= 0 && i < LOCK_TRIES && flock(*ret_fd, LOCK_SH | LOCK_NB) != 0; i++) {
        pause_shortly();
    }
}

static struct status
stand(const char *dir, const char *vkey, struct diag *diag, struct standing *s)
{
    s->dir = dir;
    buf_init(&s->note, NOTE_MAX);
    buf_init(&s->journal, JOURNAL_MAX);
    TRY(read_key(dir, vkey, diag, &s->key));
    const struct status seen = look(s, NULL);
    if (status_ok(seen)) {
        return seen;
    }
    DEFER(file_closep) int lock = -1;
    share_lock(dir, &lock);
    return look(s, diag);
}

/* ---- entries ---- */

struct status
audit_count(const char *dir, uint64_t *ret_entries, struct diag *diag)
{
    DEFER(standing_done) struct standing s = {0};
    TRY(stand(dir, NULL, diag, &s));
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
    TRY(stand(dir, NULL, diag, &s));
    const uint64_t in_tree = to < s.checkpoint.size ? to : s.checkpoint.size;
    if (from < in_tree) {
        TRY(each_in_tree(&s, from, in_tree, each, ctx, diag));
    }
    return each_in_journal(&s, from, to, each, ctx);
}

/* ---- verification ---- */

struct verifier {
    const struct standing *s;
    struct diag *diag;
    struct merkle_edge *edge;
    struct audit_report *report;
    struct digest base_root;        /* of the first header.base entries */
    int64_t last_end;               /* wall time */
    size_t bundle_at[MERKLE_WIDTH]; /* byte of each entry in the bundle that is being read */
};

/* Where the tile's bytes differ from what the entries give. A tile of level 0 names the entry as
 * well. */
static struct status
compare_tile(const struct verifier *v, unsigned level, uint64_t index, unsigned width,
             const struct digest *hashes)
{
    const struct tile_id id = {level, index, width};
    char path[TILE_PATH_MAX], entries[TILE_PATH_MAX];
    DEFER(buf_done) struct buf bytes;
    buf_init(&bytes, TILE_BYTES);
    tile_put_path(&id, path);
    TRY(tile_read(v->s->dir, &id, v->diag, &bytes));
    for (unsigned i = 0; i < width; i++) {
        if (memcmp(bytes.ptr + (size_t)i * DIGEST_BYTES, hashes[i].bytes, DIGEST_BYTES) == 0) {
            continue;
        }
        if (level > 0) {
            diag_set(v->diag, "%s: byte %u: this hash is not that of the tile below", path,
                     i * DIGEST_BYTES);
            FAIL(INTEGRITY);
        }
        const struct tile_id bundle = {TILE_ENTRIES, index, width};
        tile_put_path(&bundle, entries);
        diag_set(v->diag,
                 "%s: byte %zu: entry %llu does not have the hash at %s byte %u: one of the two "
                 "was changed",
                 entries, v->bundle_at[i], (unsigned long long)(index * MERKLE_WIDTH + i), path,
                 i * DIGEST_BYTES);
        FAIL(INTEGRITY);
    }
    return OK;
}

static struct status
full_tile(void *ctx, unsigned level, uint64_t index, const struct digest *hashes)
{
    return compare_tile(ctx, level, index, MERKLE_WIDTH, hashes);
}

/* The number at the end of an entry whose last key is the duration; 0 without. */
static int64_t
duration_of(struct view entry)
{
    const size_t key = sizeof DURATION_KEY - 1;
    size_t at = entry.len - 1; /* of the closing brace */
    while (at > 0 && entry.ptr[at - 1] >= '0' && entry.ptr[at - 1] <= '9') {
        at--;
    }
    uint64_t ns = 0;
    if (at < key || memcmp(entry.ptr + at - key, DURATION_KEY, key) != 0 ||
        !status_ok(text_to_u64(view_of(entry.ptr + at, entry.len - 1 - at), &ns)) ||
        ns > (uint64_t)(INT64_MAX / 4)) {
        return 0;
    }
    return (int64_t)ns;
}

static void
note_time(struct verifier *v, uint64_t index, struct view entry)
{
    const size_t start = sizeof ENTRY_START - 1;
    int64_t time = 0;
    if (entry.len < start + TIME_LETTERS || memcmp(entry.ptr, ENTRY_START, start) != 0 ||
        !status_ok(clock_from_rfc3339(view_of(entry.ptr + start, TIME_LETTERS), &time)) ||
        time < 0 || time > INT64_MAX / 2) {
        return;
    }
    const int64_t end = time + duration_of(entry);
    if (end < v->last_end - CLOCK_SLACK && v->report->clock_back++ == 0) {
        v->report->first_clock_back = index;
    }
    v->last_end = end;
}

/* Inside a JSON string the quotes would be escaped: the key can stand nowhere else. */
static bool
has_action(struct view entry, const char *action)
{
    char key[64];
    const int n = snprintf(key, sizeof key, ",\"action\":\"%s\"", action);
    return memmem(entry.ptr, entry.len, key, (size_t)n) != NULL;
}

static void
note_entry(struct verifier *v, uint64_t index, struct view entry)
{
    note_time(v, index, entry);
    v->report->gaps += has_action(entry, AUDIT_GAP);
    v->report->repairs += has_action(entry, AUDIT_REPAIR);
}

/* The journal's header says what the root was when it began. */
static struct status
check_base(const struct verifier *v)
{
    if (!merkle_equal(&v->base_root, &v->s->header.root)) {
        diag_set(v->diag, "journal: byte 24: its root is not that of the first %llu entries",
                 (unsigned long long)v->s->header.base);
        FAIL(INTEGRITY);
    }
    return OK;
}

static struct status
grow(struct verifier *v, struct view entry)
{
    struct digest leaf;
    merkle_leaf(entry, &leaf);
    TRY(merkle_edge_push(v->edge, &leaf, (struct merkle_sink){full_tile, v}));
    if (v->edge->size == v->s->header.base) {
        merkle_edge_root(v->edge, &v->base_root);
    }
    return OK;
}

/* A bundle whose lengths do not add up: the first entry that is not the one its tile's hash is of.
 * Without one, the failure stays as it was. */
static struct status
locate_bad_entry(const struct verifier *v, const struct tile_id *id, struct status failure)
{
    const struct tile_id tile = {0, id->index, id->width};
    char path[TILE_PATH_MAX];
    DEFER(buf_done) struct buf bytes;
    DEFER(buf_done) struct buf hashes;
    buf_init(&bytes, TILE_BUNDLE_MAX + 1);
    buf_init(&hashes, TILE_BYTES);
    if (!status_ok(tile_read_raw(v->s->dir, id, NULL, &bytes)) ||
        !status_ok(tile_read(v->s->dir, &tile, NULL, &hashes))) {
        return failure;
    }
    struct reader r = reader_of(buf_view(&bytes));
    for (unsigned i = 0; i < id->width; i++) {
        const size_t at = r.pos;
        struct view entry = {0};
        struct digest leaf = {0};
        if (tile_next_entry(&r, &entry)) {
            merkle_leaf(entry, &leaf);
        }
        if (memcmp(hashes.ptr + (size_t)i * DIGEST_BYTES, leaf.bytes, DIGEST_BYTES) != 0) {
            tile_put_path(id, path);
            diag_set(v->diag, "%s: byte %zu: entry %llu was changed or cut short", path, at,
                     (unsigned long long)(id->index * MERKLE_WIDTH + i));
            FAIL(INTEGRITY);
        }
    }
    return failure;
}

static struct status
verify_bundle(struct verifier *v, const struct tile_id *id)
{
    DEFER(buf_done) struct buf bytes;
    buf_init(&bytes, TILE_BUNDLE_MAX);
    const struct status read = tile_read(v->s->dir, id, v->diag, &bytes);
    if (!status_ok(read)) {
        return locate_bad_entry(v, id, read);
    }
    struct reader r = reader_of(buf_view(&bytes));
    for (unsigned i = 0; i < id->width; i++) {
        struct view entry = {0};
        v->bundle_at[i] = r.pos;
        ASSERT(tile_next_entry(&r, &entry)); /* tile_read has counted them */
        note_entry(v, id->index * MERKLE_WIDTH + i, entry);
        TRY(grow(v, entry));
    }
    return OK;
}

static struct status
verify_tree(struct verifier *v)
{
    const uint64_t size = v->s->checkpoint.size;
    merkle_edge_root(v->edge, &v->base_root);
    for (uint64_t at = 0; at < size;) {
        const struct tile_id id = tile_holding(TILE_ENTRIES, at, size);
        TRY(verify_bundle(v, &id));
        at = id.index * MERKLE_WIDTH + id.width;
    }
    for (unsigned level = 0; level < MERKLE_LEVELS; level++) {
        const unsigned width = merkle_width(size, level);
        if (width > 0) {
            TRY(compare_tile(v, level, merkle_index(size, level), width, v->edge->tiles[level]));
        }
    }
    merkle_edge_root(v->edge, &v->report->root);
    if (!merkle_equal(&v->report->root, &v->s->checkpoint.root)) {
        diag_set(v->diag,
                 "checkpoint: byte 0: its root is not that of the %llu entries: they were "
                 "replaced, tiles and all",
                 (unsigned long long)size);
        FAIL(INTEGRITY);
    }
    return check_base(v);
}

static struct status
note_pending(void *ctx, uint64_t index, struct view entry)
{
    note_entry(ctx, index, entry);
    return OK;
}

static struct status
verify(const char *dir, const char *vkey, struct diag *diag, struct audit_report *ret_report)
{
    struct audit_report r = {0};
    DEFER(standing_done) struct standing s = {0};
    DEFER(memory_freep) struct merkle_edge *edge = calloc(1, sizeof *edge);
    CHECK(edge != NULL, MEMORY);
    TRY(stand(dir, vkey, diag, &s));
    struct verifier v = {.s = &s, .diag = diag, .edge = edge, .report = &r};
    TRY(verify_tree(&v));
    TRY(each_in_journal(&s, s.checkpoint.size, UINT64_MAX, note_pending, &v));
    r.entries = s.checkpoint.size;
    r.pending = s.pending;
    (void)snprintf(r.origin, sizeof r.origin, "%s", s.checkpoint.origin);
    *ret_report = r;
    return OK;
}

struct status
audit_verify(const char *dir, const char *vkey, struct audit_fault *ret_fault,
             struct audit_report *ret_report)
{
    struct diag diag = {0};
    const struct status s = verify(dir, vkey, &diag, ret_report);
    if (!status_ok(s)) {
        (void)snprintf(ret_fault->text, sizeof ret_fault->text, "%.500s", diag.text);
    }
    return s;
}

/* ---- proofs ---- */

static void
put_hash_line(struct buf *b, const struct digest *d)
{
    text_put_base64(b, view_of(d->bytes, DIGEST_BYTES));
    buf_put_u8(b, '\n');
}

struct status
audit_prove(const char *dir, uint64_t index, struct buf *ret_proof, struct diag *diag)
{
    DEFER(standing_done) struct standing s = {0};
    TRY(stand(dir, NULL, diag, &s));
    if (index >= s.checkpoint.size) {
        diag_set(diag, "entry %llu is %s", (unsigned long long)index,
                 index < s.checkpoint.size + s.pending
                     ? "durable, but not yet under a checkpoint; ask again in a second or two"
                     : "not in the log");
        FAIL(NOT_FOUND);
    }
    struct digest path[MERKLE_PATH_MAX];
    size_t n = 0;
    DEFER(memory_freep) struct tile_source *tiles = calloc(1, sizeof *tiles);
    CHECK(tiles != NULL, MEMORY);
    *tiles = (struct tile_source){.dir = dir, .size = s.checkpoint.size, .diag = diag};
    const struct merkle_source source = {tile_node, tiles};
    struct digest leaf;
    TRY(merkle_prove(source, index, s.checkpoint.size, path, &n));
    TRY(tile_node(tiles, 0, index, &leaf));
    if (!merkle_check(&leaf, index, s.checkpoint.size, path, n, &s.checkpoint.root)) {
        diag_set(diag, "tile: the tiles do not give the checkpoint's root; run \"audit verify\"");
        FAIL(INTEGRITY);
    }
    buf_printf(ret_proof, "c2sp.org/tlog-proof@v1\nindex %llu\n", (unsigned long long)index);
    for (size_t i = 0; i < n; i++) {
        put_hash_line(ret_proof, &path[i]);
    }
    buf_put_u8(ret_proof, '\n');
    buf_put(ret_proof, buf_view(&s.note));
    return buf_status(ret_proof);
}

/* A line without its end; *at moves behind it. */
static struct view
next_line(struct view text, size_t *at)
{
    const uint8_t *end = *at < text.len ? memchr(text.ptr + *at, '\n', text.len - *at) : NULL;
    if (end == NULL) {
        *at = text.len;
        return (struct view){0};
    }
    const struct view line = view_of(text.ptr + *at, (size_t)(end - text.ptr) - *at);
    *at += line.len + 1;
    return line;
}

static bool
starts_with(struct view line, const char *word)
{
    return line.len >= strlen(word) && memcmp(line.ptr, word, strlen(word)) == 0;
}

struct proof {
    uint64_t index;
    struct digest path[MERKLE_PATH_MAX];
    size_t n;
    struct view note;
};

static struct status
take_hash(struct proof *p, struct view line)
{
    DEFER(buf_done) struct buf raw;
    buf_init(&raw, 64);
    CHECK(p->n < MERKLE_PATH_MAX, INPUT);
    TRY(text_from_base64(line, &raw));
    CHECK(raw.len == DIGEST_BYTES, INPUT);
    memcpy(p->path[p->n++].bytes, raw.ptr, DIGEST_BYTES);
    return OK;
}

static struct status
parse_proof(struct view text, struct proof *p)
{
    size_t at = 0;
    CHECK(view_equal_str(next_line(text, &at), "c2sp.org/tlog-proof@v1"), INPUT);
    struct view line = next_line(text, &at);
    if (starts_with(line, "extra ")) {
        line = next_line(text, &at);
    }
    CHECK(starts_with(line, "index "), INPUT);
    const struct view index = view_of(line.ptr + 6, line.len - 6);
    CHECK(index.len == 1 || !starts_with(index, "0"), INPUT);
    TRY(text_to_u64(index, &p->index));
    for (line = next_line(text, &at); line.len > 0; line = next_line(text, &at)) {
        TRY(take_hash(p, line));
    }
    p->note = view_of(text.ptr + at, text.len - at);
    CHECK(p->note.len > 0, INPUT);
    return OK;
}

struct status
audit_check_proof(const char *vkey, struct view entry, struct view text, struct diag *diag)
{
    struct note_key key;
    struct proof p = {0};
    struct checkpoint c;
    TRY(read_key("", vkey, diag, &key));
    if (!status_ok(parse_proof(text, &p))) {
        diag_set(diag, "not a proof in the form c2sp.org/tlog-proof@v1");
        FAIL(INPUT);
    }
    const struct status opened = checkpoint_open(p.note, &key, diag, &c);
    if (!status_ok(opened)) {
        diag_prefix(diag, "the proof's checkpoint");
        FAIL(INTEGRITY);
    }
    struct digest leaf;
    merkle_leaf(entry, &leaf);
    if (!merkle_check(&leaf, p.index, c.size, p.path, p.n, &c.root)) {
        diag_set(diag, "not proved: these bytes are not entry %llu of the log with %llu entries",
                 (unsigned long long)p.index, (unsigned long long)c.size);
        FAIL(INTEGRITY);
    }
    return OK;
}
