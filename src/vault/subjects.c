/* Layout (docs/spec/subjects.md). base.key: a record (vault.c) of the list's key, 32 random bytes;
 * purpose "subjects", context "subjects/NAME". base.slots: "SWSUBJ01" and zeros up to 128 bytes,
 * then slots of 128: keyed hash of the person 32, nonce 12, the person's key sealed with the list's
 * key 48 (AES-256-GCM; bound: "steward subject v1", LF, NAME, LF, slot u32be, hash), zeros 36. A
 * destroyed slot has its hash, then zeros. Slots begin at multiples of 128: none crosses a sector.
 *
 * Crash: slots are appended and synced before anything is sealed under them; who opens the list
 * knows from elsewhere how many count. A destroyed slot is one write of 96 zeros; what it leaves
 * when cut off opens no more or is destroyed again by whoever knows that it was to be. */
#include "vault/subjects.h"

#include "base/file.h"
#include "base/random.h"
#include "vault/aead.h"
#include "vault/rotation.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "SWSUBJ01"
#define SLOT_BYTES 128u
#define HEAD_BYTES SLOT_BYTES
#define KEY_AT (DIGEST_BYTES + AEAD_NONCE_BYTES)
#define USED_BYTES (KEY_AT + AEAD_KEY_BYTES + AEAD_TAG_BYTES)
#define PURPOSE "subjects"
#define FILE_MAX (HEAD_BYTES + (size_t)SUBJECTS_MOST * SLOT_BYTES)
#define EMPTY UINT32_MAX

struct subjects {
    char *path, *name; /* base.slots */
    int fd;            /* written to by keep and destroy; opened when that is asked for */
    struct buf bytes;  /* the whole file */
    size_t on_disk;    /* of it */
    struct seal_key key;
    struct aead *sealing, *opening;
    uint32_t *table; /* open addressing by hash: slot, or EMPTY */
    size_t table_size;
};

void
subjects_free(struct subjects *s)
{
    if (s != NULL) {
        file_closep(&s->fd);
        buf_wipe(&s->bytes);
        aead_free(s->sealing);
        aead_free(s->opening);
        free(s->table);
        free(s->path);
        free(s->name);
        free(s);
    }
}

static uint8_t *
slot_at(const struct subjects *s, uint32_t slot)
{
    ASSERT(slot < subjects_count(s));
    return s->bytes.ptr + HEAD_BYTES + (size_t)slot * SLOT_BYTES;
}

uint32_t
subjects_count(const struct subjects *s)
{
    return (uint32_t)((s->bytes.len - HEAD_BYTES) / SLOT_BYTES);
}

void
subjects_key(const struct subjects *s, struct seal_key *ret_key)
{
    *ret_key = s->key;
}

static struct status
refuse(const struct subjects *s, const char *why, struct diag *diag)
{
    diag_set(diag, "%s: %s", s->path, why);
    FAIL(INTEGRITY);
}

/* ---- finding by hash; hashes are keyed, so their first bytes are as good as any ---- */

static size_t
place_of(const struct subjects *s, const uint8_t *hash)
{
    uint64_t h = 0;
    memcpy(&h, hash, sizeof h);
    return (size_t)(h % s->table_size);
}

static void
put_in_table(struct subjects *s, uint32_t slot)
{
    size_t at = place_of(s, slot_at(s, slot));
    while (s->table[at] != EMPTY) {
        at = (at + 1) % s->table_size;
    }
    s->table[at] = slot;
}

static struct status
make_table(struct subjects *s)
{
    const uint32_t n = subjects_count(s);
    const size_t size = 4 * ((size_t)n + 16);
    uint32_t *table = malloc(size * sizeof *table);
    CHECK(table != NULL, MEMORY);
    memset(table, 0xff, size * sizeof *table);
    free(s->table);
    s->table = table;
    s->table_size = size;
    for (uint32_t i = 0; i < n; i++) {
        put_in_table(s, i);
    }
    return OK;
}

bool
subjects_find(const struct subjects *s, const struct digest *subject, uint32_t *ret_slot)
{
    for (size_t at = place_of(s, subject->bytes); s->table[at] != EMPTY;
         at = (at + 1) % s->table_size) {
        if (memcmp(slot_at(s, s->table[at]), subject->bytes, DIGEST_BYTES) == 0) {
            *ret_slot = s->table[at];
            return true;
        }
    }
    return false;
}

/* ---- opening a list ---- */

static void
put_context(struct buf *b, const char *name)
{
    buf_init(b, 256);
    buf_printf(b, "subjects/%s", name);
}

static struct status
make_key(const struct vault *v, const char *path, const char *name, struct diag *diag)
{
    uint8_t key[AEAD_KEY_BYTES];
    DEFER(buf_done) struct buf context = {0};
    DEFER(buf_done) struct buf sealed;
    buf_init(&sealed, 4096);
    put_context(&context, name);
    random_bytes(key, sizeof key);
    const struct status s =
        vault_seal_record(v, PURPOSE, buf_view(&context), view_of(key, sizeof key), &sealed);
    secret_wipe(key, sizeof key);
    TRY(s);
    return file_replace(path, buf_view(&sealed), 0600, diag);
}

static struct status
take_key(struct subjects *s, const struct vault *v, const char *path, struct diag *diag)
{
    DEFER(buf_done) struct buf context = {0};
    DEFER(buf_done) struct buf sealed;
    DEFER(buf_wipe) struct buf key;
    buf_init(&sealed, 4096);
    buf_init(&key, 4096);
    put_context(&context, s->name);
    TRY(file_read(path, 4096, diag, &sealed));
    const struct status opened =
        vault_open_record(v, PURPOSE, buf_view(&context), buf_view(&sealed), &key);
    if (opened.code == STATUS_INTEGRITY || (status_ok(opened) && key.len != AEAD_KEY_BYTES)) {
        diag_set(diag, "%s: not the key that this workspace sealed", path);
        FAIL(INTEGRITY);
    }
    TRY(opened);
    vault_key_id(key.ptr, s->key.id);
    s->key.generation = vault_generation_of(sealed.ptr + 1);
    s->sealing = aead_new(key.ptr, true);
    s->opening = aead_new(key.ptr, false);
    CHECK(s->sealing != NULL && s->opening != NULL, MEMORY);
    return OK;
}

/* What follows the last whole slot is what an addition left that was cut off. */
static struct status
take_slots(struct subjects *s, struct diag *diag)
{
    static const uint8_t zeros[HEAD_BYTES];
    TRY(file_read(s->path, FILE_MAX, diag, &s->bytes));
    if (s->bytes.len < HEAD_BYTES || memcmp(s->bytes.ptr, MAGIC, sizeof MAGIC - 1) != 0 ||
        memcmp(s->bytes.ptr + sizeof MAGIC - 1, zeros, HEAD_BYTES - (sizeof MAGIC - 1)) != 0) {
        return refuse(s, "no list of persons' keys", diag);
    }
    buf_cut(&s->bytes, s->bytes.len - s->bytes.len % SLOT_BYTES);
    s->on_disk = s->bytes.len;
    return make_table(s);
}

static struct status
new_list(const char *base, const char *name, struct subjects **ret_subjects)
{
    DEFER(subjects_freep) struct subjects *s = calloc(1, sizeof *s);
    CHECK(s != NULL, MEMORY);
    s->fd = -1;
    buf_init(&s->bytes, FILE_MAX);
    s->name = strdup(name);
    CHECK(s->name != NULL, MEMORY);
    if (asprintf(&s->path, "%s.slots", base) < 0) {
        s->path = NULL;
        FAIL(MEMORY);
    }
    *ret_subjects = MOVE(s);
    return OK;
}

static char *
key_path(const char *base)
{
    char *path = NULL;
    ASSERT(asprintf(&path, "%s.key", base) > 0);
    return path;
}

struct status
subjects_open(const struct vault *v, const char *base, const char *name, struct diag *diag,
              struct subjects **ret_subjects)
{
    DEFER(subjects_freep) struct subjects *s = NULL;
    DEFER(file_freep) char *key = key_path(base);
    TRY(new_list(base, name, &s));
    TRY(take_key(s, v, key, diag));
    TRY(take_slots(s, diag));
    *ret_subjects = MOVE(s);
    return OK;
}

static struct status
make_slots(const char *base, struct diag *diag)
{
    uint8_t head[HEAD_BYTES] = MAGIC;
    DEFER(file_freep) char *path = NULL;
    ASSERT(asprintf(&path, "%s.slots", base) > 0);
    return file_replace(path, view_of(head, sizeof head), 0600, diag);
}

/* The key before the slots: with slots, there is their key. */
struct status
subjects_open_new(const struct vault *v, const char *base, const char *name, struct diag *diag,
                  struct subjects **ret_subjects)
{
    DEFER(subjects_freep) struct subjects *s = NULL;
    DEFER(file_freep) char *key = key_path(base);
    TRY(new_list(base, name, &s));
    if (!file_exists(s->path)) {
        TRY(make_key(v, key, name, diag));
        TRY(make_slots(base, diag));
    }
    return subjects_open(v, base, name, diag, ret_subjects);
}

/* ---- what is in it ---- */

struct status
subjects_cut(struct subjects *s, uint32_t n)
{
    CHECK(n <= subjects_count(s), INTEGRITY);
    buf_cut(&s->bytes, HEAD_BYTES + (size_t)n * SLOT_BYTES);
    return make_table(s);
}

void
subjects_digest(const struct subjects *s, uint32_t n, struct digest *ret_digest)
{
    struct digest_run *run = digest_run_new();
    ASSERT(run != NULL);
    for (uint32_t i = 0; i < n; i++) {
        digest_run_add(run, view_of(slot_at(s, i), DIGEST_BYTES));
    }
    digest_run_end(run, ret_digest);
    digest_run_free(run);
}

bool
subjects_is_destroyed(const struct subjects *s, uint32_t slot)
{
    static const uint8_t zeros[SLOT_BYTES - DIGEST_BYTES];
    return memcmp(slot_at(s, slot) + DIGEST_BYTES, zeros, sizeof zeros) == 0;
}

/* What a slot's key is bound to. */
static void
put_bound(const struct subjects *s, uint32_t slot, struct buf *ret_bound)
{
    buf_init(ret_bound, 512);
    buf_printf(ret_bound, "steward subject v1\n%s\n", s->name);
    buf_put_u32be(ret_bound, slot);
    buf_put(ret_bound, view_of(slot_at(s, slot), DIGEST_BYTES));
}

struct status
subjects_add(struct subjects *s, const struct digest *subject, uint32_t *ret_slot)
{
    const uint32_t slot = subjects_count(s);
    uint8_t key[AEAD_KEY_BYTES];
    DEFER(buf_done) struct buf bound = {0};
    CHECK(slot < SUBJECTS_MOST, LIMIT);
    uint8_t *at = buf_extend(&s->bytes, SLOT_BYTES);
    CHECK(at != NULL, MEMORY);
    memset(at, 0, SLOT_BYTES);
    memcpy(at, subject->bytes, DIGEST_BYTES);
    random_bytes(at + DIGEST_BYTES, AEAD_NONCE_BYTES);
    random_bytes(key, sizeof key);
    put_bound(s, slot, &bound);
    const struct status sealed = aead_seal(s->sealing, at + DIGEST_BYTES, buf_view(&bound),
                                           view_of(key, sizeof key), at + KEY_AT);
    secret_wipe(key, sizeof key);
    TRY(sealed);
    if (subjects_count(s) > s->table_size / 2) {
        TRY(make_table(s));
    } else {
        put_in_table(s, slot);
    }
    *ret_slot = slot;
    return OK;
}

/* ---- on disk ---- */

static struct status
open_to_write(struct subjects *s, struct diag *diag)
{
    if (s->fd < 0) {
        s->fd = open(s->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    }
    return s->fd < 0 ? file_refuse_os(s->path, errno, diag) : OK;
}

struct status
subjects_sync(struct subjects *s, struct diag *diag)
{
    TRY(open_to_write(s, diag));
    return fdatasync(s->fd) == 0 ? OK : file_refuse_os(s->path, errno, diag);
}

struct status
subjects_keep(struct subjects *s, struct diag *diag)
{
    struct stat st;
    TRY(open_to_write(s, diag));
    const size_t before = s->on_disk < s->bytes.len ? s->on_disk : s->bytes.len;
    /* What was cut off, and what an addition left, is gone before there is more. */
    if (fstat(s->fd, &st) != 0 ||
        ((size_t)st.st_size != before && ftruncate(s->fd, (off_t)before) != 0)) {
        return file_refuse_os(s->path, errno, diag);
    }
    s->on_disk = before;
    TRY(file_write_at(s->fd, view_of(s->bytes.ptr + before, s->bytes.len - before), before, s->path,
                      diag));
    TRY(subjects_sync(s, diag));
    s->on_disk = s->bytes.len;
    return OK;
}

struct status
subjects_destroy(struct subjects *s, uint32_t slot, struct diag *diag)
{
    uint8_t *at = slot_at(s, slot);
    const size_t place = HEAD_BYTES + (size_t)slot * SLOT_BYTES + DIGEST_BYTES;
    if (subjects_is_destroyed(s, slot)) {
        return OK;
    }
    TRY(open_to_write(s, diag));
    secret_wipe(at + DIGEST_BYTES, SLOT_BYTES - DIGEST_BYTES);
    return file_write_at(s->fd, view_of(at + DIGEST_BYTES, SLOT_BYTES - DIGEST_BYTES), place,
                         s->path, diag);
}

/* ---- a person's key ---- */

static struct status
person_key(const struct subjects *s, uint32_t slot, uint8_t ret_key[static AEAD_KEY_BYTES])
{
    DEFER(buf_done) struct buf bound = {0};
    const uint8_t *at = slot_at(s, slot);
    put_bound(s, slot, &bound);
    return aead_open(s->opening, at + DIGEST_BYTES, buf_view(&bound),
                     view_of(at + KEY_AT, USED_BYTES - KEY_AT), ret_key);
}

static struct status
person_cipher(const struct subjects *s, uint32_t slot, bool seal, struct aead **ret_aead)
{
    uint8_t key[AEAD_KEY_BYTES];
    const struct status opened = person_key(s, slot, key);
    if (status_ok(opened)) {
        *ret_aead = aead_new(key, seal);
    }
    secret_wipe(key, sizeof key);
    TRY(opened);
    CHECK(*ret_aead != NULL, MEMORY);
    return OK;
}

struct status
subjects_seal(const struct subjects *s, uint32_t slot, struct view bound, struct view plain,
              struct buf *ret_sealed)
{
    DEFER(aead_freep) struct aead *a = NULL;
    const size_t n = AEAD_NONCE_BYTES + plain.len + AEAD_TAG_BYTES;
    TRY(person_cipher(s, slot, true, &a));
    uint8_t *at = buf_reserve(ret_sealed, n);
    TRY(buf_status(ret_sealed));
    random_bytes(at, AEAD_NONCE_BYTES);
    TRY(aead_seal(a, at, bound, plain, at + AEAD_NONCE_BYTES));
    (void)buf_extend(ret_sealed, n);
    return OK;
}

struct status
subjects_unseal(const struct subjects *s, uint32_t slot, struct view bound, struct view sealed,
                struct buf *ret_plain)
{
    DEFER(aead_freep) struct aead *a = NULL;
    CHECK(slot < subjects_count(s) && sealed.len >= AEAD_NONCE_BYTES + AEAD_TAG_BYTES, INTEGRITY);
    const size_t n = sealed.len - AEAD_NONCE_BYTES - AEAD_TAG_BYTES;
    TRY(person_cipher(s, slot, false, &a));
    uint8_t *at = buf_reserve(ret_plain, n);
    TRY(buf_status(ret_plain));
    TRY(aead_open(a, sealed.ptr, bound,
                  view_of(sealed.ptr + AEAD_NONCE_BYTES, sealed.len - AEAD_NONCE_BYTES), at));
    (void)buf_extend(ret_plain, n);
    return OK;
}

struct status
subjects_verify(const struct subjects *s, struct diag *diag)
{
    uint8_t key[AEAD_KEY_BYTES];
    for (uint32_t i = 0; i < subjects_count(s); i++) {
        const struct status opened = subjects_is_destroyed(s, i) ? OK : person_key(s, i, key);
        secret_wipe(key, sizeof key);
        if (opened.code == STATUS_INTEGRITY) {
            diag_set(diag, "%s: slot %u: not the key that was sealed there", s->path, i);
        }
        TRY(opened);
    }
    return OK;
}

struct status
subjects_rewrap(const struct vault *v, const char *base, const char *name, struct diag *diag)
{
    DEFER(file_freep) char *path = key_path(base);
    DEFER(buf_done) struct buf context = {0};
    put_context(&context, name);
    return vault_rewrap_file(v, path, PURPOSE, buf_str(&context), diag);
}
