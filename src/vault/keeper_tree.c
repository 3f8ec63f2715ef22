#include "vault/keeper_tree.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"

#include <string.h>

#define NOTE_MAX (64u << 10)
#define KEY_ID_BYTES 4u

struct claim {
    struct view name, size, root;
};

static struct view
take_line(struct view *text)
{
    const uint8_t *end = text->len == 0 ? NULL : memchr(text->ptr, '\n', text->len);
    if (end == NULL) {
        return view_of(NULL, 0);
    }
    const struct view line = view_of(text->ptr, (size_t)(end - text->ptr));
    *text = view_of(end + 1, text->len - line.len - 1);
    return line;
}

/* Exactly three lines, in the one form that a checkpoint is written in. */
static struct status
read_claim(struct view text, struct claim *ret_claim, uint64_t *ret_size)
{
    DEFER(buf_done) struct buf root;
    struct claim c;
    buf_init(&root, 64);
    c.name = take_line(&text);
    c.size = take_line(&text);
    c.root = take_line(&text);
    CHECK(text.len == 0 && c.root.len == KEEPER_ROOT_TEXT, INPUT);
    CHECK(status_ok(text_to_u64(c.size, ret_size)) && (c.size.len == 1 || *c.size.ptr != '0'),
          INPUT);
    CHECK(status_ok(text_from_base64(c.root, &root)) && root.len == 32, INPUT);
    *ret_claim = c;
    return OK;
}

static struct status
check(const struct keeper_tree *t, const struct claim *c, uint64_t size, struct diag *diag)
{
    if (!view_equal_str(c->name, t->name)) {
        diag_set(diag, "a checkpoint of another log than %s is not signed", t->name);
        FAIL(DENIED);
    }
    if (size < t->size) {
        diag_set(diag,
                 "a checkpoint of %llu entries is not signed: one of %llu was signed before; the "
                 "log was rolled back",
                 (unsigned long long)size, (unsigned long long)t->size);
        FAIL(DENIED);
    }
    if (size == t->size && *t->root != '\0' && !view_equal_str(c->root, t->root)) {
        diag_set(diag, "a second checkpoint of %llu entries with another root is not signed",
                 (unsigned long long)size);
        FAIL(DENIED);
    }
    return OK;
}

/* The signature that stands last on a note's line: key id (4 bytes) and signature, in base64. */
static bool
is_signed(const struct vault *v, struct view text, struct view signatures)
{
    uint8_t public_key[VAULT_PUBLIC_BYTES];
    vault_public_key(v, public_key);
    for (struct view line = take_line(&signatures); line.len > 0; line = take_line(&signatures)) {
        DEFER(buf_done) struct buf bytes;
        buf_init(&bytes, 256);
        const uint8_t *blank = memrchr(line.ptr, ' ', line.len);
        const size_t head = blank == NULL ? line.len : (size_t)(blank - line.ptr) + 1;
        if (status_ok(text_from_base64(view_of(line.ptr + head, line.len - head), &bytes)) &&
            bytes.len == KEY_ID_BYTES + VAULT_SIGNATURE_BYTES &&
            status_ok(vault_verify(public_key, text, bytes.ptr + KEY_ID_BYTES))) {
            return true;
        }
    }
    return false;
}

static void
take(struct keeper_tree *t, const struct claim *c, uint64_t size)
{
    t->size = size;
    memcpy(t->root, c->root.ptr, KEEPER_ROOT_TEXT);
}

/* The checkpoint on disk, when it is signed and larger. */
static void
take_from_disk(struct keeper_tree *t)
{
    DEFER(file_freep) char *path = file_join(t->dir, "audit/checkpoint");
    DEFER(buf_done) struct buf note;
    struct claim c;
    uint64_t size = 0;
    buf_init(&note, NOTE_MAX);
    if (path == NULL || !status_ok(file_read(path, NOTE_MAX, NULL, &note))) {
        return;
    }
    const uint8_t *gap = memmem(note.ptr, note.len, "\n\n", 2);
    if (gap == NULL) {
        return;
    }
    const struct view text = view_of(note.ptr, (size_t)(gap - note.ptr) + 1);
    const struct view rest = view_of(gap + 2, note.len - text.len - 1);
    if (is_signed(t->vault, text, rest) && status_ok(read_claim(text, &c, &size)) &&
        view_equal_str(c.name, t->name) && size >= t->size) {
        take(t, &c, size);
    }
}

static void
make_room(struct keeper_tree *t, int64_t now_ns)
{
    const int64_t full_ns = (int64_t)(KEEPER_TREE_BURST / KEEPER_TREE_RATE) * NS_PER_S;
    const int64_t gone = now_ns - t->counted_ns;
    const uint64_t more = gone >= full_ns
                              ? KEEPER_TREE_BURST
                              : (uint64_t)(gone > 0 ? gone : 0) * KEEPER_TREE_RATE / NS_PER_S;
    t->room = more >= KEEPER_TREE_BURST - t->room ? KEEPER_TREE_BURST : t->room + more;
    t->counted_ns = now_ns;
}

struct status
keeper_tree_grow(struct keeper_tree *t, struct view text, int64_t now_ns, struct diag *diag)
{
    struct claim c;
    uint64_t size = 0;
    if (!status_ok(read_claim(text, &c, &size))) {
        diag_set(diag, "the signing key signs checkpoints only: a name, a size and a root");
        FAIL(DENIED);
    }
    make_room(t, now_ns);
    if (size > t->size && size - t->size > t->room) {
        take_from_disk(t);
    }
    TRY(check(t, &c, size, diag));
    if (size - t->size > t->room) {
        diag_set(diag,
                 "a checkpoint of %llu entries is not signed: one of %llu was signed before, and "
                 "no log grows so fast",
                 (unsigned long long)size, (unsigned long long)t->size);
        FAIL(DENIED);
    }
    t->room -= size - t->size;
    take(t, &c, size);
    return OK;
}

void
keeper_tree_open(struct keeper_tree *t, const struct vault *v, const char *dir, int64_t now_ns)
{
    *t = (struct keeper_tree){
        .vault = v, .dir = dir, .room = KEEPER_TREE_BURST, .counted_ns = now_ns};
    vault_name(v, t->name);
    take_from_disk(t);
}
