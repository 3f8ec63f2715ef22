/* Proofs: c2sp.org/tlog-proof@v1, made from the tiles and checked without them. */
#include "govern/audit.h"

#include "base/file.h"
#include "base/text.h"
#include "govern/standing.h"
#include "govern/tile.h"

#include <stdlib.h>
#include <string.h>

static void
put_hash_line(struct buf *b, const struct digest *d)
{
    text_put_base64(b, view_of(d->bytes, DIGEST_BYTES));
    buf_put_u8(b, '\n');
}

static struct status
refuse_uncovered(const char *dir, uint64_t index, struct diag *diag)
{
    DEFER(standing_done) struct standing s = {0};
    TRY(standing_take(dir, NULL, diag, &s));
    diag_set(diag, "entry %llu is %s", (unsigned long long)index,
             index < s.checkpoint.size + s.pending
                 ? "durable, but not yet under a checkpoint; ask again in a second or two"
                 : "not in the log");
    FAIL(NOT_FOUND);
}

static struct status
read_entry(const struct standing *s, uint64_t index, struct diag *diag, struct buf *ret_entry)
{
    const struct tile_id id = tile_holding(TILE_ENTRIES, index, s->checkpoint.size);
    DEFER(buf_done) struct buf bundle;
    struct view entry = {0};
    buf_init(&bundle, TILE_BUNDLE_MAX);
    TRY(tile_read(s->dir, &id, diag, &bundle));
    struct reader r = reader_of(buf_view(&bundle));
    for (uint64_t i = id.index * MERKLE_WIDTH; i <= index; i++) {
        ASSERT(tile_next_entry(&r, &entry)); /* tile_read has counted them */
    }
    buf_put(ret_entry, entry);
    return buf_status(ret_entry);
}

static struct status
find_path(const struct standing *s, uint64_t index, struct view entry, struct diag *diag,
          struct digest ret_path[static MERKLE_PATH_MAX], size_t *ret_n)
{
    DEFER(memory_freep) struct tile_source *tiles = calloc(1, sizeof *tiles);
    CHECK(tiles != NULL, MEMORY);
    *tiles = (struct tile_source){.dir = s->dir, .size = s->checkpoint.size, .diag = diag};
    const struct merkle_source source = {tile_node, tiles};
    struct digest leaf;
    TRY(merkle_prove(source, index, s->checkpoint.size, ret_path, ret_n));
    merkle_leaf(entry, &leaf);
    if (!merkle_check(&leaf, index, s->checkpoint.size, ret_path, *ret_n, &s->checkpoint.root)) {
        diag_set(diag, "tree: the tiles do not give the checkpoint's root; run \"audit verify\"");
        FAIL(INTEGRITY);
    }
    return OK;
}

static struct status
put_proof(const struct standing *s, uint64_t index, struct view entry, struct diag *diag,
          struct buf *ret_proof)
{
    struct digest path[MERKLE_PATH_MAX];
    size_t n = 0;
    TRY(find_path(s, index, entry, diag, path, &n));
    buf_put_str(ret_proof, "c2sp.org/tlog-proof@v1\nextra ");
    text_put_base64(ret_proof, entry);
    buf_printf(ret_proof, "\nindex %llu\n", (unsigned long long)index);
    for (size_t i = 0; i < n; i++) {
        put_hash_line(ret_proof, &path[i]);
    }
    buf_put_u8(ret_proof, '\n');
    buf_put(ret_proof, buf_view(&s->note));
    return buf_status(ret_proof);
}

static struct status
prove_under(const struct standing *s, uint64_t index, struct diag *diag, struct buf *entry,
            struct buf *proof)
{
    buf_reset(entry);
    buf_reset(proof);
    TRY(read_entry(s, index, diag, entry));
    return put_proof(s, index, buf_view(entry), diag, proof);
}

/* Under the newest checkpoint that had a quorum of witnesses, where that covers the entry and is of
 * this tree: whoever asks for witnesses takes the receipt. False: not so. */
static bool
prove_witnessed(const char *dir, uint64_t index, struct buf *entry, struct buf *proof)
{
    DEFER(standing_done) struct standing s = {0};
    return status_ok(standing_witnessed(dir, NULL, &s)) && index < s.checkpoint.size &&
           status_ok(prove_under(&s, index, NULL, entry, proof));
}

static struct status
prove_signed(const char *dir, uint64_t index, struct diag *diag, struct buf *entry,
             struct buf *proof)
{
    DEFER(standing_done) struct standing s = {0};
    TRY(standing_signed(dir, diag, &s));
    return index < s.checkpoint.size ? prove_under(&s, index, diag, entry, proof)
                                     : refuse_uncovered(dir, index, diag);
}

struct status
audit_prove(const char *dir, uint64_t index, struct buf *ret_entry, struct buf *ret_proof,
            struct diag *diag)
{
    DEFER(buf_done) struct buf entry;
    DEFER(buf_done) struct buf proof;
    buf_init(&entry, AUDIT_MAX_ENTRY);
    buf_init(&proof, 2 * NOTE_MAX);
    if (!prove_witnessed(dir, index, &entry, &proof)) {
        TRY(prove_signed(dir, index, diag, &entry, &proof));
    }
    buf_put(ret_proof, buf_view(&proof));
    TRY(buf_status(ret_proof));
    if (ret_entry != NULL) {
        buf_put(ret_entry, buf_view(&entry));
        TRY(buf_status(ret_entry));
    }
    return OK;
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
    struct view extra; /* in base64; ptr NULL: there is none */
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
        p->extra = view_of(line.ptr + 6, line.len - 6);
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

static struct status
read_proof(struct view text, struct diag *diag, struct proof *ret_proof)
{
    *ret_proof = (struct proof){0};
    if (!status_ok(parse_proof(text, ret_proof))) {
        diag_set(diag, "not a proof in the form c2sp.org/tlog-proof@v1");
        FAIL(INPUT);
    }
    return OK;
}

struct status
audit_check_proof(const char *vkey, struct view entry, struct view text, struct diag *diag)
{
    struct note_key key;
    struct proof p;
    struct checkpoint c;
    TRY(standing_key("", vkey, diag, &key));
    TRY(read_proof(text, diag, &p));
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

struct status
audit_receipt_entry(struct view receipt, struct diag *diag, uint64_t *ret_index,
                    struct buf *ret_entry)
{
    struct proof p;
    DEFER(buf_done) struct buf entry;
    buf_init(&entry, AUDIT_MAX_ENTRY);
    TRY(read_proof(receipt, diag, &p));
    if (p.extra.ptr == NULL) {
        diag_set(diag, "the proof has no entry in it; give the entry's bytes in a file");
        FAIL(INPUT);
    }
    if (!status_ok(text_from_base64(p.extra, &entry))) {
        diag_set(diag, "the proof's extra data is no entry in base64");
        FAIL(INPUT);
    }
    buf_put(ret_entry, buf_view(&entry));
    TRY(buf_status(ret_entry));
    *ret_index = p.index;
    return OK;
}
