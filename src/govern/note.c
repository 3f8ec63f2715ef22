#include "govern/note.h"

#include "base/text.h"
#include "govern/mldsa.h"

#include <openssl/evp.h>
#include <string.h>

#define SIGNATURES_MAX 128u
#define DASH "\xe2\x80\x94 "

/* Unicode White_Space outside ASCII, in UTF-8. */
static bool
is_wide_space(const uint8_t *p, size_t left)
{
    if (left >= 2 && p[0] == 0xc2) {
        return p[1] == 0x85 || p[1] == 0xa0;
    }
    if (left < 3) {
        return false;
    }
    if (p[0] == 0xe2 && p[1] == 0x80) {
        return p[2] <= 0x8a || p[2] == 0xa8 || p[2] == 0xa9 || p[2] == 0xaf;
    }
    return (p[0] == 0xe1 && p[1] == 0x9a && p[2] == 0x80) ||
           (p[0] == 0xe2 && p[1] == 0x81 && p[2] == 0x9f) ||
           (p[0] == 0xe3 && p[1] == 0x80 && p[2] == 0x80);
}

static bool
is_key_name(struct view name)
{
    if (name.len == 0 || name.len > NOTE_NAME_MAX || !text_is_utf8(name)) {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        const uint8_t c = name.ptr[i];
        if (c <= ' ' || c == 0x7f || c == '+' || is_wide_space(name.ptr + i, name.len - i)) {
            return false;
        }
    }
    return true;
}

_Static_assert(NOTE_PUBLIC_MAX == MLDSA_PUBLIC_BYTES, "the longest key there is");

static struct view
public_of(enum note_type type, const uint8_t *public_key)
{
    return view_of(public_key,
                   type == NOTE_COSIGNATURE_MLDSA ? MLDSA_PUBLIC_BYTES : NOTE_PUBLIC_BYTES);
}

static size_t
signature_bytes(enum note_type type)
{
    return type == NOTE_COSIGNATURE_MLDSA ? MLDSA_SIGNATURE_BYTES : NOTE_SIGNATURE_BYTES;
}

static uint32_t
key_id(enum note_type type, struct view name, const uint8_t *public_key)
{
    DEFER(buf_done) struct buf b;
    struct digest d;
    buf_init(&b, NOTE_NAME_MAX + 2 + NOTE_PUBLIC_MAX);
    buf_put(&b, name);
    buf_put_u8(&b, '\n');
    buf_put_u8(&b, (uint8_t)type);
    buf_put(&b, public_of(type, public_key));
    digest_of(buf_view(&b), &d);
    struct reader r = reader_of(view_of(d.bytes, DIGEST_BYTES));
    return reader_u32be(&r);
}

static void
key_fill(enum note_type type, struct view name, const uint8_t *public_key, struct note_key *ret_key)
{
    struct note_key k = {.type = type, .id = key_id(type, name, public_key)};
    memcpy(k.name, name.ptr, name.len);
    memcpy(k.public_key, public_key, public_of(type, public_key).len);
    *ret_key = k;
}

static struct status
key_make(enum note_type type, const char *name, const uint8_t *public_key, struct diag *diag,
         struct note_key *ret_key)
{
    if (!is_key_name(view_str(name))) {
        diag_set(diag,
                 "%s name \"%.255s\": must be 1 to 255 bytes without whitespace, '+' or control "
                 "characters",
                 type == NOTE_ED25519 ? "log" : "witness", name);
        FAIL(INPUT);
    }
    key_fill(type, view_str(name), public_key, ret_key);
    return OK;
}

struct status
note_key_make(const char *name, const uint8_t public_key[static NOTE_PUBLIC_BYTES],
              struct diag *diag, struct note_key *ret_key)
{
    return key_make(NOTE_ED25519, name, public_key, diag, ret_key);
}

struct status
note_cosigner_make(enum note_type type, const char *name, const uint8_t *public_key,
                   struct diag *diag, struct note_key *ret_key)
{
    ASSERT(type != NOTE_ED25519);
    return key_make(type, name, public_key, diag, ret_key);
}

void
note_put_vkey(const struct note_key *key, struct buf *b)
{
    uint8_t blob[1 + NOTE_PUBLIC_MAX] = {(uint8_t)key->type};
    const struct view public = public_of(key->type, key->public_key);
    memcpy(blob + 1, public.ptr, public.len);
    buf_printf(b, "%s+%08x+", key->name, key->id);
    text_put_base64(b, view_of(blob, 1 + public.len));
}

static struct status
bad(struct diag *diag, size_t at, const char *why)
{
    diag_set(diag, "byte %zu: %s", at, why);
    FAIL(INTEGRITY);
}

/* Offset of c in v from `from` on, or v.len. */
static size_t
find(struct view v, size_t from, uint8_t c)
{
    const uint8_t *p = from < v.len ? memchr(v.ptr + from, c, v.len - from) : NULL;
    return p == NULL ? v.len : (size_t)(p - v.ptr);
}

/* Of a log's keys or of the witnesses'. */
static struct status
bad_key(bool of_log, int have, size_t at, struct diag *diag)
{
    if (of_log && (have == NOTE_COSIGNATURE || have == NOTE_COSIGNATURE_MLDSA)) {
        return bad(diag, at, "this is a witness's key; a log's is needed");
    }
    if (!of_log && have == NOTE_ED25519) {
        return bad(diag, at, "this is a log's key; a witness's is needed (it begins with 4 or 6)");
    }
    return bad(diag, at,
               of_log ? "not a base64 Ed25519 key (33 bytes that begin with 1)"
                      : "not a base64 Ed25519 key (33 bytes that begin with 4), nor one of "
                        "ML-DSA-44 (1313 that begin with 6)");
}

/* The first byte of a blob that is as long as a key of its type is; 0: none. */
static int
type_of(struct view blob)
{
    const int type = blob.len == 0 ? 0 : blob.ptr[0];
    const bool known =
        type == NOTE_ED25519 || type == NOTE_COSIGNATURE || type == NOTE_COSIGNATURE_MLDSA;
    return known && blob.len == 1 + public_of((enum note_type)type, blob.ptr).len ? type : 0;
}

static struct status
parse_key(bool of_log, struct view text, struct diag *diag, struct note_key *ret_key)
{
    DEFER(buf_done) struct buf blob;
    DEFER(buf_done) struct buf hex;
    buf_init(&blob, 4096);
    buf_init(&hex, 16);
    const size_t first = find(text, 0, '+');
    if (first == text.len || !is_key_name(view_of(text.ptr, first))) {
        return bad(diag, 0, "not a verifier key (name+hash+base64)");
    }
    if (text.len < first + 10 || text.ptr[first + 9] != '+') {
        return bad(diag, first + 1, "the key hash must be 8 hex digits between two '+'");
    }
    const struct view key = view_of(text.ptr + first + 10, text.len - first - 10);
    const int type = status_ok(text_from_base64(key, &blob)) ? type_of(buf_view(&blob)) : 0;
    if (type == 0 || (type == NOTE_ED25519) != of_log) {
        return bad_key(of_log, type, first + 10, diag);
    }
    struct note_key k;
    key_fill((enum note_type)type, view_of(text.ptr, first), blob.ptr + 1, &k);
    buf_printf(&hex, "%08x", k.id);
    if (memcmp(hex.ptr, text.ptr + first + 1, 8) != 0) {
        return bad(diag, first + 1, "the key hash is not that of this name and key");
    }
    *ret_key = k;
    return OK;
}

struct status
note_parse_vkey(struct view text, struct diag *diag, struct note_key *ret_key)
{
    return parse_key(true, text, diag, ret_key);
}

struct status
note_parse_cosigner(struct view text, struct diag *diag, struct note_key *ret_key)
{
    return parse_key(false, text, diag, ret_key);
}

static void
put_line(struct buf *b, const struct note_key *key, struct view blob)
{
    buf_printf(b, DASH "%s ", key->name);
    text_put_base64(b, blob);
    buf_put_u8(b, '\n');
}

void
note_put(struct buf *b, struct view text, const struct note_key *key,
         const uint8_t signature[static NOTE_SIGNATURE_BYTES])
{
    ASSERT(key->type == NOTE_ED25519 && text.len > 0 && text.ptr[text.len - 1] == '\n');
    DEFER(buf_done) struct buf blob;
    buf_init(&blob, 128);
    buf_put_u32be(&blob, key->id);
    buf_put(&blob, view_of(signature, NOTE_SIGNATURE_BYTES));
    buf_put(b, text);
    buf_put_u8(b, '\n');
    put_line(b, key, buf_view(&blob));
}

static void
put_short(struct buf *b, struct view text)
{
    buf_put_u8(b, (uint8_t)text.len);
    buf_put(b, text);
}

/* What an ML-DSA-44 cosignature signs: a subtree that is all of the tree. */
static struct status
put_subtree(const struct note_key *key, struct view text, uint64_t time_s, struct buf *b)
{
    struct checkpoint c;
    TRY(checkpoint_parse(text, NULL, &c));
    buf_put(b, view_of("subtree/v1\n", 12)); /* with its NUL */
    put_short(b, view_str(key->name));
    buf_put_u64be(b, time_s);
    put_short(b, view_str(c.origin));
    buf_put_u64be(b, 0);
    buf_put_u64be(b, c.size);
    buf_put(b, view_of(c.root.bytes, DIGEST_BYTES));
    return buf_status(b);
}

struct status
note_put_to_sign(struct buf *b, const struct note_key *key, struct view text, uint64_t time_s)
{
    if (key->type == NOTE_COSIGNATURE_MLDSA) {
        return put_subtree(key, text, time_s, b);
    }
    buf_printf(b, "cosignature/v1\ntime %llu\n", (unsigned long long)time_s);
    buf_put(b, text);
    return buf_status(b);
}

void
note_put_cosignature(struct buf *b, const struct note_key *key, uint64_t time_s,
                     struct view signature)
{
    ASSERT(signature_bytes(key->type) == signature.len && time_s > 0 && time_s <= INT64_MAX);
    DEFER(buf_done) struct buf blob;
    buf_init(&blob, 16 + MLDSA_SIGNATURE_BYTES);
    buf_put_u32be(&blob, key->id);
    buf_put_u64be(&blob, time_s);
    buf_put(&blob, signature);
    put_line(b, key, buf_view(&blob));
}

static bool
ed25519_verifies(const struct note_key *key, struct view text, const uint8_t *signature)
{
    EVP_PKEY *pkey =
        EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key->public_key, NOTE_PUBLIC_BYTES);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    const bool good =
        pkey != NULL && ctx != NULL && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) == 1 &&
        EVP_DigestVerify(ctx, signature, NOTE_SIGNATURE_BYTES, text.ptr, text.len) == 1;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    return good;
}

/* One line "DASH name SPACE base64" without its newline: whose it is and the signature blob (key id
 * first). */
static struct status
parse_signature(struct view line, struct view *ret_name, struct buf *ret_blob)
{
    const size_t dash = sizeof DASH - 1;
    CHECK(line.len > dash && memcmp(line.ptr, DASH, dash) == 0, INTEGRITY);
    const size_t space = find(line, dash, ' ');
    CHECK(space < line.len && is_key_name(view_of(line.ptr + dash, space - dash)), INTEGRITY);
    CHECK(
        status_ok(text_from_base64(view_of(line.ptr + space + 1, line.len - space - 1), ret_blob)),
        INTEGRITY);
    CHECK(ret_blob->len >= 5, INTEGRITY);
    *ret_name = view_of(line.ptr + dash, space - dash);
    return OK;
}

/* r stands behind the key id. */
static bool
signature_verifies(const struct note_key *key, struct view text, struct reader *r,
                   uint64_t *ret_time)
{
    DEFER(buf_done) struct buf cosigned;
    buf_init(&cosigned, NOTE_MAX + 64);
    *ret_time = key->type == NOTE_ED25519 ? 0 : reader_u64be(r);
    if (*ret_time > INT64_MAX) {
        return false;
    }
    if (key->type != NOTE_ED25519) {
        if (!status_ok(note_put_to_sign(&cosigned, key, text, *ret_time))) {
            return false;
        }
        text = buf_view(&cosigned);
    }
    const struct view signature = reader_bytes(r, signature_bytes(key->type));
    if (r->bad || reader_left(r) > 0) {
        return false;
    }
    return key->type == NOTE_COSIGNATURE_MLDSA
               ? mldsa_verifies(key->public_key, text, signature.ptr)
               : ed25519_verifies(key, text, signature.ptr);
}

static const struct note_key *
find_key(const struct note_key *keys, size_t n, struct view name, uint32_t id)
{
    for (size_t i = 0; i < n; i++) {
        if (keys[i].id == id && view_equal_str(name, keys[i].name)) {
            return &keys[i];
        }
    }
    return NULL;
}

/* Does this line hold a signature of one of the keys? A wrong one is a failure. */
static struct status
check_signature(struct view text, struct view line, size_t at, const struct note_key *keys,
                size_t n, struct diag *diag, struct note_signed *found)
{
    DEFER(buf_done) struct buf blob;
    struct view name;
    uint64_t time = 0;
    buf_init(&blob, 16384);
    if (!status_ok(parse_signature(line, &name, &blob))) {
        return bad(diag, at, "malformed signature line");
    }
    struct reader r = reader_of(buf_view(&blob));
    const struct note_key *key = find_key(keys, n, name, reader_u32be(&r));
    if (key == NULL) {
        return OK;
    }
    if (!signature_verifies(key, text, &r, &time)) {
        return bad(
            diag, at,
            "the signature does not verify: the text before it was changed, or the signature was");
    }
    struct note_signed *s = &found[key - keys];
    s->time = s->time < time ? time : s->time;
    s->found = true;
    return OK;
}

static struct status
check_characters(struct view note, struct diag *diag)
{
    for (size_t i = 0; i < note.len; i++) {
        if (note.ptr[i] < 0x20 && note.ptr[i] != '\n') {
            return bad(diag, i, "control character in a signed note");
        }
    }
    if (!text_is_utf8(note)) {
        return bad(diag, 0, "a signed note must be UTF-8");
    }
    return OK;
}

/* Offset of the first signature: just after the last empty line. */
static struct status
find_signatures(struct view note, struct diag *diag, size_t *ret_at)
{
    if (note.len < 3 || note.len > NOTE_MAX || note.ptr[note.len - 1] != '\n') {
        return bad(diag, note.len, "a signed note must end in a newline (and be at most 256 KiB)");
    }
    for (size_t at = note.len - 1; at >= 2; at--) {
        if (note.ptr[at - 1] == '\n' && note.ptr[at - 2] == '\n') {
            *ret_at = at;
            return OK;
        }
    }
    return bad(diag, note.len, "no empty line followed by signatures");
}

struct status
note_split(struct view note, struct diag *diag, struct view *ret_text, struct view *ret_lines)
{
    size_t at = 0;
    TRY(find_signatures(note, diag, &at));
    TRY(check_characters(note, diag));
    *ret_text = view_of(note.ptr, at - 1);
    *ret_lines = view_of(note.ptr + at, note.len - at);
    return OK;
}

static struct status
check_signatures(struct view note, struct view text, const struct note_key *keys, size_t n,
                 struct diag *diag, struct note_signed *found)
{
    size_t at = text.len + 1;
    for (size_t lines = 0; at < note.len; lines++) {
        const size_t end = find(note, at, '\n');
        if (lines == SIGNATURES_MAX) {
            return bad(diag, at, "too many signatures");
        }
        TRY(check_signature(text, view_of(note.ptr + at, end - at), at, keys, n, diag, found));
        at = end + 1;
    }
    return OK;
}

struct status
note_open_any(struct view note, const struct note_key *keys, size_t n, struct diag *diag,
              struct note_signed *ret_signed, struct view *ret_text)
{
    struct view text, lines;
    bool any = false;
    memset(ret_signed, 0, n * sizeof *ret_signed);
    TRY(note_split(note, diag, &text, &lines));
    TRY(check_signatures(note, text, keys, n, diag, ret_signed));
    for (size_t i = 0; i < n; i++) {
        any = any || ret_signed[i].found;
    }
    if (!any && n == 1) {
        diag_set(diag, "byte %zu: no signature by %s+%08x", text.len + 1, keys->name, keys->id);
        FAIL(INTEGRITY);
    }
    if (!any) {
        return bad(diag, text.len + 1, "no signature by any of the keys");
    }
    *ret_text = text;
    return OK;
}

struct status
note_open(struct view note, const struct note_key *key, struct diag *diag, struct view *ret_text)
{
    struct note_signed found;
    return note_open_any(note, key, 1, diag, &found, ret_text);
}

void
checkpoint_put(struct buf *b, const struct checkpoint *c)
{
    buf_printf(b, "%s\n%llu\n", c->origin, (unsigned long long)c->size);
    text_put_base64(b, view_of(c->root.bytes, DIGEST_BYTES));
    buf_put_u8(b, '\n');
}

static struct view
next_line(struct view text, size_t *at)
{
    const size_t end = find(text, *at, '\n');
    const struct view line = view_of(text.ptr + *at, end - *at);
    *at = end < text.len ? end + 1 : text.len;
    return line;
}

static struct status
check_extensions(struct view text, size_t at, struct diag *diag)
{
    while (at < text.len) {
        const size_t line = at;
        if (next_line(text, &at).len == 0) {
            return bad(diag, line, "empty line in a checkpoint");
        }
    }
    return OK;
}

struct status
checkpoint_parse(struct view text, struct diag *diag, struct checkpoint *ret_checkpoint)
{
    DEFER(buf_done) struct buf root;
    struct checkpoint c = {0};
    size_t at = 0;
    buf_init(&root, 64);
    if (text.len == 0 || text.ptr[text.len - 1] != '\n') {
        return bad(diag, text.len, "a checkpoint must end in a newline");
    }
    const struct view origin = next_line(text, &at);
    if (origin.len == 0 || origin.len > NOTE_NAME_MAX ||
        memchr(origin.ptr, 0, origin.len) != NULL) {
        return bad(diag, 0, "the first line must be the log's name, 1 to 255 bytes");
    }
    const size_t size_at = at;
    const struct view size = next_line(text, &at);
    if (!status_ok(text_to_u64(size, &c.size)) || (size.len > 1 && size.ptr[0] == '0')) {
        return bad(diag, size_at, "the second line must be the number of entries");
    }
    const size_t root_at = at;
    if (!status_ok(text_from_base64(next_line(text, &at), &root)) || root.len != DIGEST_BYTES) {
        return bad(diag, root_at, "the third line must be the root hash, 32 bytes in base64");
    }
    TRY(check_extensions(text, at, diag));
    memcpy(c.origin, origin.ptr, origin.len);
    memcpy(c.root.bytes, root.ptr, DIGEST_BYTES);
    *ret_checkpoint = c;
    return OK;
}

struct status
checkpoint_open(struct view note, const struct note_key *key, struct diag *diag,
                struct checkpoint *ret_checkpoint)
{
    struct view text;
    struct checkpoint c;
    TRY(note_open(note, key, diag, &text));
    TRY(checkpoint_parse(text, diag, &c));
    if (strcmp(c.origin, key->name) != 0) {
        return bad(diag, 0, "the checkpoint is of another log than its key");
    }
    *ret_checkpoint = c;
    return OK;
}
