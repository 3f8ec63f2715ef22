/* Layout (docs/spec/sealed.md): magic "SWSEAL02", u32be chunk size (65536), two places for the
 * wrapped data key of 64 bytes each (purpose "object/<kind>"; zeros: empty), then chunks:
 * ciphertext of 65536 bytes and a tag of 16, the last one of 0 to 65536 bytes. Data key and chunks
 * are bound to the SHA-256 of magic, chunk size and "kind/name/version". Chunk i has the nonce: 7
 * zero bytes, u32be i, 1 for the last and 0 otherwise (STREAM, Hoang, Reyhanitabar, Rogaway, Vizár
 * 2015; the key is used for this object alone). Valid: a place opens, and every chunk opens in its
 * place and exactly the last one is marked so.
 * Crash: written beside, synced, renamed: a reader sees the old object, the new, or none. */
#include "vault/seal.h"

#include "base/digest.h"
#include "base/file.h"
#include "base/outputs.h"
#include "base/random.h"
#include "base/text.h"
#include "vault/aead.h"
#include "vault/rotation.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "SWSEAL02"
#define MAGIC_BYTES 8u
#define PLACES 2u
#define FIXED_HEAD_BYTES (MAGIC_BYTES + 4u)
#define PLACES_BYTES (PLACES * VAULT_WRAPPED_BYTES)
#define HEAD_BYTES (FIXED_HEAD_BYTES + PLACES_BYTES)
#define SEALED_CHUNK (SEAL_CHUNK_BYTES + AEAD_TAG_BYTES)

/* A '/' inside a part would let two objects share one context. */
static struct status
put_context(struct seal_id id, struct diag *diag, struct buf *ret_context)
{
    if (!text_is_name(id.kind) || !text_is_name(id.name)) {
        diag_set(diag,
                 "object \"%s/%s\": kind and name are 1 to 63 of a-z, 0-9, '.', '_', '-' each",
                 id.kind, id.name);
        FAIL(INPUT);
    }
    buf_printf(ret_context, "%s/%s/%llu", id.kind, id.name, (unsigned long long)id.version);
    return buf_status(ret_context);
}

static void
put_fixed_head(struct buf *b)
{
    buf_put_str(b, MAGIC);
    buf_put_u32be(b, SEAL_CHUNK_BYTES);
}

/* What data key and chunks are bound to. Not the wrapped keys: re-wrapping leaves the chunks. */
static struct status
bind(struct view context, struct digest *ret_bound)
{
    DEFER(buf_done) struct buf text;
    buf_init(&text, 1024);
    put_fixed_head(&text);
    buf_put(&text, context);
    TRY(buf_status(&text));
    digest_of(buf_view(&text), ret_bound);
    return OK;
}

static struct vault_purpose
purpose_of(const char *kind)
{
    return vault_purpose("object/", kind);
}

static void
set_nonce(uint32_t index, bool last, uint8_t ret_nonce[static AEAD_NONCE_BYTES])
{
    memset(ret_nonce, 0, AEAD_NONCE_BYTES);
    for (int i = 0; i < 4; i++) {
        ret_nonce[7 + i] = (uint8_t)(index >> (24 - 8 * i));
    }
    ret_nonce[11] = last ? 1 : 0;
}

/* ---- writing ---- */

struct seal_writer {
    char *path, *tmp;
    int fd;
    struct aead *aead;
    struct digest bound;
    uint32_t index;
    size_t filled;
    struct status failed; /* sticky: what failed once is never finished */
    bool unsynced;
    bool elsewhere; /* base/outputs made it: tmp is NULL */
    uint8_t plain[SEAL_CHUNK_BYTES];
    uint8_t sealed[SEALED_CHUNK];
};

static void
writer_free(struct seal_writer *w)
{
    file_closep(&w->fd);
    aead_free(w->aead);
    secret_wipe(w->plain, sizeof w->plain);
    free(w->path);
    free(w->tmp);
    free(w);
}

void
seal_writer_abandon(struct seal_writer *w)
{
    if (w != NULL) {
        if (w->elsewhere) {
            outputs_drop(w->path);
        } else if (w->fd >= 0) {
            (void)unlink(w->tmp);
        }
        writer_free(w);
    }
}

static struct status
write_header(struct seal_writer *w, const struct vault *v, struct seal_id id, struct view before,
             struct diag *diag)
{
    uint8_t key[AEAD_KEY_BYTES], wrapped[PLACES_BYTES] = {0};
    DEFER(buf_done) struct buf context;
    DEFER(buf_done) struct buf header;
    buf_init(&context, 512);
    buf_init(&header, HEAD_BYTES);
    TRY(put_context(id, diag, &context));
    TRY(bind(buf_view(&context), &w->bound));
    random_bytes(key, sizeof key);
    const struct status s = vault_wrap(v, purpose_of(id.kind).text, w->bound.bytes, key, wrapped);
    w->aead = aead_new(key, true);
    secret_wipe(key, sizeof key);
    TRY(s);
    CHECK(w->aead != NULL, MEMORY);
    put_fixed_head(&header);
    buf_put(&header, view_of(wrapped, sizeof wrapped));
    TRY(buf_status(&header));
    TRY(file_write_all(w->fd, before, w->path, diag));
    return file_write_all(w->fd, buf_view(&header), w->path, diag);
}

static struct status
make_parent(const char *path, struct diag *diag)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL || slash == path) {
        return OK;
    }
    DEFER(file_freep) char *parent = strndup(path, (size_t)(slash - path));
    CHECK(parent != NULL, MEMORY);
    return file_mkdirs(parent, 0700, diag);
}

/* A file that nobody sees before it is kept. */
static struct status
open_draft(struct seal_writer *w, struct diag *diag)
{
    uint64_t unique = 0;
    if (outputs_has(w->path)) {
        w->elsewhere = true;
        return outputs_open(w->path, OUTPUTS_DEEP, 0600, diag, &w->fd);
    }
    TRY(make_parent(w->path, diag));
    random_bytes(&unique, sizeof unique);
    if (asprintf(&w->tmp, "%s.tmp-%016llx", w->path, (unsigned long long)unique) < 0) {
        w->tmp = NULL; /* asprintf leaves it undefined */
        FAIL(MEMORY);
    }
    w->fd = open(w->tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    return w->fd < 0 ? file_refuse_os(w->path, errno, diag) : OK;
}

struct status
seal_writer_open_behind(const struct vault *v, const char *path, struct seal_id id,
                        struct view before, struct diag *diag, struct seal_writer **ret_writer)
{
    DEFER(seal_writer_abandonp) struct seal_writer *w = calloc(1, sizeof *w);
    CHECK(w != NULL, MEMORY);
    w->fd = -1;
    w->path = strdup(path);
    CHECK(w->path != NULL, MEMORY);
    TRY(open_draft(w, diag));
    TRY(write_header(w, v, id, before, diag));
    *ret_writer = MOVE(w);
    return OK;
}

struct status
seal_writer_open(const struct vault *v, const char *path, struct seal_id id, struct diag *diag,
                 struct seal_writer **ret_writer)
{
    return seal_writer_open_behind(v, path, id, view_of(NULL, 0), diag, ret_writer);
}

static struct status
write_chunk(struct seal_writer *w, struct view plain, bool last, struct diag *diag)
{
    uint8_t nonce[AEAD_NONCE_BYTES];
    CHECK(w->index < UINT32_MAX, LIMIT);
    set_nonce(w->index++, last, nonce);
    const struct view bound = view_of(w->bound.bytes, DIGEST_BYTES);
    TRY(aead_seal(w->aead, nonce, bound, plain, w->sealed));
    return file_write_all(w->fd, view_of(w->sealed, plain.len + AEAD_TAG_BYTES), w->path, diag);
}

/* A full chunk is written when more comes: the last one is known only at the end. */
static struct status
write_full(struct seal_writer *w, struct view *plain, struct diag *diag)
{
    if (w->filled == SEAL_CHUNK_BYTES) {
        w->filled = 0;
        TRY(write_chunk(w, view_of(w->plain, SEAL_CHUNK_BYTES), false, diag));
    }
    /* Straight from the caller's bytes where they are whole chunks. */
    while (w->filled == 0 && plain->len > SEAL_CHUNK_BYTES) {
        TRY(write_chunk(w, view_of(plain->ptr, SEAL_CHUNK_BYTES), false, diag));
        *plain = view_of(plain->ptr + SEAL_CHUNK_BYTES, plain->len - SEAL_CHUNK_BYTES);
    }
    return OK;
}

struct status
seal_writer_put(struct seal_writer *w, struct view plain, struct diag *diag)
{
    while (plain.len > 0) {
        if (status_ok(w->failed)) {
            w->failed = write_full(w, &plain, diag);
        }
        TRY(w->failed);
        const size_t room = SEAL_CHUNK_BYTES - w->filled, n = plain.len < room ? plain.len : room;
        memcpy(w->plain + w->filled, plain.ptr, n);
        w->filled += n;
        plain = view_of(plain.ptr + n, plain.len - n);
    }
    return OK;
}

static struct status
finish(struct seal_writer *w, struct diag *diag)
{
    TRY(w->failed);
    TRY(write_chunk(w, view_of(w->plain, w->filled), true, diag));
    if (w->elsewhere) {
        TRY(outputs_keep(w->path, diag));
        w->elsewhere = false;
        return OK;
    }
    if ((!w->unsynced && fsync(w->fd) != 0) || rename(w->tmp, w->path) != 0) {
        return file_refuse_os(w->path, errno, diag);
    }
    return OK;
}

struct status
seal_writer_finish(struct seal_writer *w, struct diag *diag)
{
    struct status s = finish(w, diag);
    if (!status_ok(s)) {
        seal_writer_abandon(w);
        return s;
    }
    s = w->unsynced || w->tmp == NULL ? OK : file_sync_dir(w->path, diag);
    writer_free(w);
    return s;
}

/* ---- reading ---- */

struct seal_reader {
    char *path;
    int fd;
    struct aead *aead;
    struct digest bound;
    struct seal_key key;
    uint64_t offset, size;
    uint32_t index;
    bool ended;
    uint8_t sealed[SEALED_CHUNK];
    uint8_t plain[SEAL_CHUNK_BYTES];
};

void
seal_reader_free(struct seal_reader *r)
{
    if (r != NULL) {
        file_closep(&r->fd);
        aead_free(r->aead);
        secret_wipe(r->plain, sizeof r->plain);
        free(r->path);
        free(r);
    }
}

static struct status
refuse(const struct seal_reader *r, const char *why, struct diag *diag)
{
    diag_set(diag, "%s: byte %llu: %s", r->path, (unsigned long long)r->offset, why);
    FAIL(INTEGRITY);
}

/* Exactly n bytes from the reader's place on. */
static struct status
read_exactly(struct seal_reader *r, uint8_t *bytes, size_t n, struct diag *diag)
{
    size_t got = 0;
    while (got < n) {
        const ssize_t k = pread(r->fd, bytes + got, n - got, (off_t)(r->offset + got));
        if (k < 0 && errno == EINTR) {
            continue;
        }
        if (k < 0) {
            return file_refuse_os(r->path, errno, diag);
        }
        if (k == 0) {
            return refuse(r, "cut short", diag);
        }
        got += (size_t)k;
    }
    return OK;
}

/* From the newest place that opens: a place that a rotation has just written, perhaps not to its
 * end, does not lose the object. */
static struct status
unwrap_key(struct seal_reader *r, const struct vault *v, const char *kind, const uint8_t *places,
           struct secret *ret_key)
{
    struct status s = FAILURE(INTEGRITY);
    for (unsigned i = 0; i < PLACES && s.code == STATUS_INTEGRITY; i++) {
        const uint8_t *wrapped = places + i * VAULT_WRAPPED_BYTES;
        s = vault_unwrap(v, purpose_of(kind).text, r->bound.bytes, wrapped, ret_key);
        r->key.generation = vault_generation_of(wrapped);
    }
    return s;
}

static struct status
bind_id(struct seal_reader *r, struct seal_id id, struct diag *diag, struct buf *ret_context)
{
    buf_init(ret_context, 512);
    TRY(put_context(id, diag, ret_context));
    return bind(buf_view(ret_context), &r->bound);
}

static struct status
refuse_key(const struct seal_reader *r, const struct buf *context, struct diag *diag)
{
    diag_set(diag, "%s: not sealed by this workspace as %s, or its header was changed", r->path,
             buf_str(context));
    FAIL(INTEGRITY);
}

static struct status
take_key(struct seal_reader *r, const struct vault *v, struct seal_id id, const uint8_t *places,
         struct diag *diag)
{
    DEFER(buf_done) struct buf context = {0};
    DEFER(secret_done) struct secret key = {0};
    TRY(bind_id(r, id, diag, &context));
    const struct status s = unwrap_key(r, v, id.kind, places, &key);
    if (s.code == STATUS_INTEGRITY) {
        return refuse_key(r, &context, diag);
    }
    TRY(s);
    vault_key_id(key.ptr, r->key.id);
    r->aead = aead_new(key.ptr, false);
    CHECK(r->aead != NULL, MEMORY);
    return OK;
}

void
seal_reader_key(const struct seal_reader *r, struct seal_key *ret_key)
{
    *ret_key = r->key;
}

static struct status
read_places(struct seal_reader *r, struct diag *diag, uint8_t ret_places[static PLACES_BYTES])
{
    uint8_t head[HEAD_BYTES];
    TRY(read_exactly(r, head, FIXED_HEAD_BYTES, diag));
    struct reader in = reader_of(view_of(head, FIXED_HEAD_BYTES));
    const struct view magic = reader_bytes(&in, MAGIC_BYTES);
    if (!view_equal_str(magic, MAGIC) || reader_u32be(&in) != SEAL_CHUNK_BYTES) {
        return refuse(r, "not a sealed object of this format", diag);
    }
    TRY(read_exactly(r, head, HEAD_BYTES, diag));
    r->offset += HEAD_BYTES;
    memcpy(ret_places, head + FIXED_HEAD_BYTES, PLACES_BYTES);
    return OK;
}

static struct status
open_file(const char *path, int flags, struct diag *diag, struct seal_reader **ret_reader)
{
    DEFER(seal_reader_freep) struct seal_reader *r = calloc(1, sizeof *r);
    CHECK(r != NULL, MEMORY);
    r->fd = -1;
    r->path = strdup(path);
    CHECK(r->path != NULL, MEMORY);
    /* Not blocking: a pipe put in the object's place must not hold us. */
    r->fd = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;
    if (r->fd < 0 || fstat(r->fd, &st) != 0) {
        return file_refuse(path, errno, diag);
    }
    if (!S_ISREG(st.st_mode)) {
        return refuse(r, "not a file", diag);
    }
    r->size = (uint64_t)st.st_size;
    *ret_reader = MOVE(r);
    return OK;
}

struct status
seal_reader_open_behind(const struct vault *v, const char *path, struct seal_id id, uint64_t before,
                        struct diag *diag, struct seal_reader **ret_reader)
{
    DEFER(seal_reader_freep) struct seal_reader *r = NULL;
    uint8_t places[PLACES_BYTES];
    TRY(open_file(path, O_RDONLY, diag, &r));
    r->offset = before;
    TRY(read_places(r, diag, places));
    TRY(take_key(r, v, id, places, diag));
    *ret_reader = MOVE(r);
    return OK;
}

struct status
seal_reader_open(const struct vault *v, const char *path, struct seal_id id, struct diag *diag,
                 struct seal_reader **ret_reader)
{
    return seal_reader_open_behind(v, path, id, 0, diag, ret_reader);
}

/* The next chunk into ret_plain[SEAL_CHUNK_BYTES]. */
static struct status
open_chunk(struct seal_reader *r, struct diag *diag, uint8_t *ret_plain, size_t *ret_len)
{
    const uint64_t left = r->size > r->offset ? r->size - r->offset : 0;
    const bool last = left <= SEALED_CHUNK;
    const size_t n = last ? (size_t)left : SEALED_CHUNK;
    if (n < AEAD_TAG_BYTES) {
        return refuse(r, "cut short or extended: no chunk ends where the file ends", diag);
    }
    TRY(read_exactly(r, r->sealed, n, diag));
    uint8_t nonce[AEAD_NONCE_BYTES];
    CHECK(r->index < UINT32_MAX, LIMIT);
    set_nonce(r->index, last, nonce);
    const struct view bound = view_of(r->bound.bytes, DIGEST_BYTES);
    const struct status s = aead_open(r->aead, nonce, bound, view_of(r->sealed, n), ret_plain);
    if (s.code == STATUS_INTEGRITY) {
        return refuse(
            r, "the chunk that begins here does not verify: changed, moved, cut or extended", diag);
    }
    TRY(s);
    r->index++;
    r->offset += n;
    r->ended = last;
    *ret_len = n - AEAD_TAG_BYTES;
    return OK;
}

struct status
seal_reader_next(struct seal_reader *r, struct diag *diag, struct view *ret_plain)
{
    size_t n = 0;
    if (!r->ended) {
        TRY(open_chunk(r, diag, r->plain, &n));
    }
    *ret_plain = view_of(r->plain, n);
    return OK;
}

/* ---- another generation ---- */

static struct status
write_place(const struct seal_reader *r, unsigned place, const uint8_t *wrapped, struct diag *diag)
{
    const off_t at = (off_t)(FIXED_HEAD_BYTES + place * VAULT_WRAPPED_BYTES);
    const ssize_t n = pwrite(r->fd, wrapped, VAULT_WRAPPED_BYTES, at);
    if (n != VAULT_WRAPPED_BYTES || fdatasync(r->fd) != 0) {
        const int err = n < 0 || n == VAULT_WRAPPED_BYTES ? errno : ENOSPC;
        return file_refuse_os(r->path, err, diag);
    }
    return OK;
}

/* The first place that opens, PLACES when none does, and its key wrapped anew, unless it is under
 * the newest generation. */
static struct status
rewrap_place(const struct seal_reader *r, const struct vault *v, const char *kind,
             const uint8_t *places, uint8_t *ret_wrapped, bool *ret_older, unsigned *ret_place)
{
    for (*ret_place = 0; *ret_place < PLACES; ++*ret_place) {
        memcpy(ret_wrapped, places + *ret_place * VAULT_WRAPPED_BYTES, VAULT_WRAPPED_BYTES);
        const struct status s =
            vault_rewrap(v, purpose_of(kind).text, r->bound.bytes, ret_wrapped, ret_older);
        if (s.code != STATUS_INTEGRITY) {
            return s;
        }
    }
    return OK;
}

struct status
seal_rewrap(const struct vault *v, const char *path, struct seal_id id, struct diag *diag,
            bool *ret_changed)
{
    DEFER(seal_reader_freep) struct seal_reader *r = NULL;
    DEFER(buf_done) struct buf context = {0};
    uint8_t places[PLACES_BYTES], wrapped[VAULT_WRAPPED_BYTES];
    bool older = false;
    unsigned place = 0;
    TRY(open_file(path, O_RDWR, diag, &r));
    TRY(read_places(r, diag, places));
    TRY(bind_id(r, id, diag, &context));
    TRY(rewrap_place(r, v, id.kind, places, wrapped, &older, &place));
    if (place == PLACES) {
        return refuse_key(r, &context, diag);
    }
    if (older) {
        TRY(write_place(r, 1 - place, wrapped, diag));
    }
    *ret_changed = older;
    return OK;
}

/* ---- whole objects ---- */

static struct status
write_whole(const struct vault *v, const char *path, struct seal_id id, struct view plain,
            bool unsynced, struct diag *diag)
{
    struct seal_writer *w = NULL;
    TRY(seal_writer_open(v, path, id, diag, &w));
    w->unsynced = unsynced;
    const struct status s = seal_writer_put(w, plain, diag);
    if (!status_ok(s)) {
        seal_writer_abandon(w);
        return s;
    }
    return seal_writer_finish(w, diag);
}

struct status
seal_file(const struct vault *v, const char *path, struct seal_id id, struct view plain,
          struct diag *diag)
{
    return write_whole(v, path, id, plain, false, diag);
}

struct status
seal_file_unsynced(const struct vault *v, const char *path, struct seal_id id, struct view plain,
                   struct diag *diag)
{
    return write_whole(v, path, id, plain, true, diag);
}

/* The plaintext's length, from the file's: nothing is read or believed yet. */
static struct status
plain_length(struct seal_reader *r, struct diag *diag, uint64_t *ret_length)
{
    const uint64_t body = r->size > r->offset ? r->size - r->offset : 0;
    const uint64_t whole = body == 0 ? 0 : (body - 1) / SEALED_CHUNK;
    const uint64_t rest = body - whole * SEALED_CHUNK;
    if (rest < AEAD_TAG_BYTES) {
        return refuse(r, "cut short or extended: no chunk ends where the file ends", diag);
    }
    *ret_length = whole * SEAL_CHUNK_BYTES + rest - AEAD_TAG_BYTES;
    return OK;
}

/* Straight into the caller's buffer. */
static struct status
read_whole(struct seal_reader *r, struct diag *diag, struct buf *ret_plain)
{
    while (!r->ended) {
        const uint64_t left = r->size > r->offset ? r->size - r->offset : 0;
        const size_t room = left > SEALED_CHUNK     ? SEAL_CHUNK_BYTES
                            : left > AEAD_TAG_BYTES ? (size_t)left - AEAD_TAG_BYTES
                                                    : 0;
        size_t n = 0;
        uint8_t *at = buf_reserve(ret_plain, room);
        TRY(buf_status(ret_plain));
        TRY(open_chunk(r, diag, at, &n));
        (void)buf_extend(ret_plain, n);
    }
    return OK;
}

struct status
seal_reader_rest(struct seal_reader *r, size_t max, struct diag *diag, struct buf *ret_plain)
{
    uint64_t length = 0;
    TRY(plain_length(r, diag, &length));
    if (length > max) {
        diag_set(diag, "%s: %llu bytes, more than the %zu that are read at once", r->path,
                 (unsigned long long)length, max);
        FAIL(LIMIT);
    }
    (void)buf_reserve(ret_plain, (size_t)length);
    TRY(buf_status(ret_plain));
    const size_t before = ret_plain->len;
    const struct status s = read_whole(r, diag, ret_plain);
    if (!status_ok(s)) {
        /* Nobody gets the verified beginning of an object that does not verify as a whole. */
        secret_wipe(ret_plain->ptr + before, ret_plain->len - before);
        ret_plain->len = before;
    }
    return s;
}

struct status
seal_open_file(const struct vault *v, const char *path, struct seal_id id, size_t max,
               struct diag *diag, struct buf *ret_plain)
{
    DEFER(seal_reader_freep) struct seal_reader *r = NULL;
    TRY(seal_reader_open(v, path, id, diag, &r));
    return seal_reader_rest(r, max, diag, ret_plain);
}

/* ---- destroying ---- */

static struct status
overwrite_places(const char *path, struct diag *diag)
{
    static const uint8_t zeros[PLACES_BYTES];
    DEFER(file_closep) int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st = {0};
    if (fd < 0 || fstat(fd, &st) != 0) {
        return file_refuse(path, errno, diag);
    }
    /* A draft may not have come so far. */
    const bool has = S_ISREG(st.st_mode) && st.st_size >= (off_t)HEAD_BYTES;
    if (has && (pwrite(fd, zeros, sizeof zeros, FIXED_HEAD_BYTES) != (ssize_t)sizeof zeros ||
                fdatasync(fd) != 0)) {
        return file_refuse_os(path, errno, diag);
    }
    return OK;
}

struct status
seal_destroy(const char *path, struct diag *diag)
{
    DEFER(file_freep) char *going = NULL;
    const char *slash = strrchr(path, '/');
    const int folder = slash == NULL ? 0 : (int)(slash + 1 - path);
    const char *name = path + folder;
    if (asprintf(&going, "%.*s%s%s", folder, path, *name == '.' ? "" : ".", name) < 0) {
        going = NULL;
        FAIL(MEMORY);
    }
    if (rename(path, going) != 0) {
        return file_refuse(path, errno, diag);
    }
    TRY(overwrite_places(going, diag));
    return unlink(going) == 0 ? OK : file_refuse(going, errno, diag);
}
