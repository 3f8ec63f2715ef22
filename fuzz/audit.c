/* What a stranger may hand us as a log: the first byte chooses what the rest is taken for. What is
 * accepted must come out again as it went in. */
#include "govern/audit.h"
#include "base/file.h"
#include "govern/journal.h"
#include "govern/note.h"
#include "govern/tile.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The test vector of C2SP signed-note. */
static const char vkey[] = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";

static void
as_note(struct view bytes)
{
    struct note_key key;
    struct view text;
    struct diag diag = {0};
    ASSERT(status_ok(note_parse_vkey(view_str(vkey), &diag, &key)));
    if (status_ok(note_open(bytes, &key, &diag, &text))) {
        ASSERT(text.len < bytes.len && text.ptr[text.len - 1] == '\n');
    }
}

static void
as_checkpoint(struct view bytes)
{
    struct checkpoint c, again;
    struct diag diag = {0};
    DEFER(buf_done) struct buf b;
    buf_init(&b, NOTE_MAX);
    if (status_ok(checkpoint_parse(bytes, &diag, &c))) {
        checkpoint_put(&b, &c);
        ASSERT(b.len <= bytes.len && memcmp(b.ptr, bytes.ptr, b.len) == 0);
        ASSERT(status_ok(checkpoint_parse(buf_view(&b), &diag, &again)));
    }
}

static void
as_vkey(struct view bytes)
{
    struct note_key key;
    struct diag diag = {0};
    DEFER(buf_done) struct buf b;
    buf_init(&b, 4096);
    if (status_ok(note_parse_vkey(bytes, &diag, &key))) {
        note_put_vkey(&key, &b);
        ASSERT(view_equal(buf_view(&b), bytes));
    }
}

/* The example of C2SP tlog-policy and tlog-witness has such keys. */
static void
as_cosigner(struct view bytes)
{
    struct note_key key;
    struct diag diag = {0};
    DEFER(buf_done) struct buf b;
    buf_init(&b, 4096);
    if (status_ok(note_parse_cosigner(bytes, &diag, &key))) {
        note_put_vkey(&key, &b);
        ASSERT(view_equal(buf_view(&b), bytes));
    }
}

/* With a key of each kind, of the same name and bytes. */
static void
as_cosigned(struct view bytes)
{
    struct note_key keys[2];
    struct note_signed found[2];
    struct view text, split, lines;
    struct diag diag = {0};
    ASSERT(status_ok(note_parse_vkey(view_str(vkey), &diag, &keys[0])));
    ASSERT(status_ok(
        note_cosigner_make(NOTE_COSIGNATURE, keys[0].name, keys[0].public_key, &diag, &keys[1])));
    if (status_ok(note_open_any(bytes, keys, 2, &diag, found, &text))) {
        ASSERT(found[0].found || found[1].found);
        ASSERT(status_ok(note_split(bytes, &diag, &split, &lines)));
        ASSERT(view_equal(text, split) && text.len + 1 + lines.len == bytes.len);
    }
}

/* Valid records, encoded again, are the same bytes. */
static void
as_journal(struct view bytes)
{
    struct journal_header h;
    struct journal_scan scan;
    struct diag diag = {0};
    DEFER(buf_done) struct buf again;
    buf_init(&again, JOURNAL_MAX);
    if (!status_ok(journal_read_header(bytes, &diag, &h))) {
        return;
    }
    const struct view records =
        view_of(bytes.ptr + JOURNAL_HEADER_BYTES, bytes.len - JOURNAL_HEADER_BYTES);
    journal_scan(records, &h.chain, h.padded, &scan);
    ASSERT(scan.end + scan.torn <= records.len &&
           (scan.state == JOURNAL_WHOLE) == (scan.torn == 0));
    ASSERT(h.padded || scan.end + scan.torn == records.len);
    for (size_t i = scan.end + scan.torn; i < records.len; i++) {
        ASSERT(records.ptr[i] == 0);
    }
    ASSERT(journal_skip(records, scan.count) == scan.end);
    struct digest chain = h.chain;
    journal_rechain(view_of(records.ptr, scan.end), &chain, &again);
    ASSERT(view_equal(buf_view(&again), view_of(records.ptr, scan.end)));
    ASSERT(memcmp(chain.bytes, scan.chain.bytes, DIGEST_BYTES) == 0);
}

/* The header given, so that the records are reached. */
static void
as_records(struct view bytes)
{
    struct journal_scan scan;
    const struct digest start = {{0}};
    journal_scan(bytes, &start, true, &scan);
    ASSERT(journal_skip(bytes, scan.count) == scan.end);
}

static void
as_path(struct view bytes)
{
    struct tile_id id;
    char path[TILE_PATH_MAX];
    if (status_ok(tile_parse_path(bytes, &id))) {
        tile_put_path(&id, path);
        ASSERT(view_equal_str(bytes, path));
    }
}

static void
as_bundle(struct view bytes)
{
    struct reader r = reader_of(bytes);
    struct view entry;
    size_t total = 0;
    while (tile_next_entry(&r, &entry)) {
        total += 2 + entry.len;
    }
    ASSERT(total <= bytes.len && (r.bad || total == bytes.len));
}

/* A folder of one's own for the files of `tree/`. */
static const char *
tree_folder(void)
{
    static char dir[] = "/dev/shm/steward-fuzz-XXXXXX";
    static bool made;
    if (!made) {
        DEFER(file_freep) char *tree = NULL;
        ASSERT(mkdtemp(dir) != NULL);
        tree = file_join(dir, "tree");
        ASSERT(status_ok(file_mkdirs(tree, 0700, NULL)));
        made = true;
    }
    return dir;
}

static void
put_file(const char *dir, const char *name, struct view bytes)
{
    DEFER(file_freep) char *path = file_join(dir, name);
    DEFER(file_closep) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ASSERT(fd >= 0 && status_ok(file_write_all(fd, bytes, path, NULL)));
}

/* What is read has so many entries, and no more. */
static void
read_tree_bundle(const char *dir, const struct tile_id *id)
{
    struct diag diag = {0};
    struct view entry;
    struct tile_place place;
    unsigned n = 0;
    DEFER(buf_done) struct buf b;
    buf_init(&b, TILE_BUNDLE_MAX);
    const struct status s = tile_read(dir, id, &diag, &b);
    ASSERT(status_ok(s) || diag.text[0] != '\0');
    tile_find(dir, id, &place);
    struct reader r = reader_of(buf_view(&b));
    while (tile_next_entry(&r, &entry)) {
        n++;
    }
    ASSERT(!r.bad && n == (status_ok(s) ? id->width : 0));
}

/* Three ends, then entries; the same bytes as hashes. */
static void
as_tree(struct view bytes)
{
    const char *dir = tree_folder();
    const size_t ends = bytes.len < 24 ? bytes.len : 24;
    put_file(dir, "tree/ends", view_of(bytes.ptr, ends));
    put_file(dir, "tree/entries", view_of(bytes.ptr + ends, bytes.len - ends));
    put_file(dir, "tree/hashes.0", bytes);
    for (uint64_t index = 0; index < 4; index++) {
        DEFER(buf_done) struct buf b;
        buf_init(&b, TILE_BYTES);
        read_tree_bundle(dir, &(struct tile_id){TILE_ENTRIES, index, 256});
        read_tree_bundle(dir, &(struct tile_id){TILE_ENTRIES, index, 3});
        const struct status s = tile_read(dir, &(struct tile_id){0, index, 2}, NULL, &b);
        ASSERT(b.len == (status_ok(s) ? 2u * DIGEST_BYTES : 0));
    }
}

static void
as_proof(struct view bytes)
{
    struct diag diag = {0};
    const struct status s = audit_check_proof(vkey, view_str("{}"), bytes, &diag);
    ASSERT(status_ok(s) || diag.text[0] != '\0');
}

static void
as_receipt(struct view bytes)
{
    struct diag diag = {0};
    uint64_t index = 0;
    DEFER(buf_done) struct buf entry;
    buf_init(&entry, AUDIT_MAX_ENTRY);
    const struct status s = audit_receipt_entry(bytes, &diag, &index, &entry);
    ASSERT(status_ok(s) || (diag.text[0] != '\0' && entry.len == 0));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const as[])(struct view) = {
        as_note,   as_checkpoint, as_vkey,     as_journal,  as_records, as_path,
        as_bundle, as_proof,      as_cosigned, as_cosigner, as_receipt, as_tree,
    };
    if (size > 0) {
        as[(data[0] & 0x0f) % (sizeof as / sizeof as[0])](view_of(data + 1, size - 1));
    }
    return 0;
}
