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

struct status
audit_prove(const char *dir, uint64_t index, struct buf *ret_proof, struct diag *diag)
{
    DEFER(standing_done) struct standing s = {0};
    TRY(standing_take(dir, NULL, diag, &s));
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
    TRY(standing_key("", vkey, diag, &key));
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
