#include "workspace/dataset_subjects.h"

#include "base/file.h"
#include "base/text.h"
#include "data/subject_table.h"
#include "data/table_build.h"
#include "workspace/key_use.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAC_PURPOSE "subject"
#define SHOWN_ROWS 10u

void
dataset_subjects_done(struct dataset_subjects *s)
{
    subjects_free(s->keys);
    free(s->erased);
    js_freep(&s->rows);
    *s = (struct dataset_subjects){0};
}

char *
dataset_subjects_base(const struct workspace *w, const char *name)
{
    DEFER(file_freep) char *folder = file_join(w->dir, "subjects");
    return file_join(folder, name);
}

/* At most 64 bytes are hashed with the key: the digest stands for name and person. */
struct status
dataset_subjects_hash(struct workspace *w, const char *name, struct view subject,
                      struct digest *ret_hash)
{
    struct digest d;
    struct digest_run *run = digest_run_new();
    CHECK(run != NULL, MEMORY);
    digest_run_add(run, view_str(name));
    digest_run_add(run, view_str("\n"));
    digest_run_add(run, subject);
    digest_run_end(run, &d);
    digest_run_free(run);
    return vault_mac(w->vault, MAC_PURPOSE, view_of(d.bytes, DIGEST_BYTES), ret_hash->bytes);
}

/* ---- the store's record ---- */

static struct status
read_record(struct workspace *w, const char *name, struct diag *diag, json_t **ret_record)
{
    DEFER(buf_done) struct buf value;
    buf_init(&value, DATASET_SUBJECTS_RECORD_MAX);
    TRY(store_get(w->store, DATASET_SUBJECTS_COLLECTION, name, diag, &value, NULL));
    return js_parse(buf_view(&value), name, diag, ret_record);
}

struct status
dataset_subjects_exist(struct workspace *w, const char *name, bool *ret_exist)
{
    DEFER(buf_done) struct buf value;
    buf_init(&value, DATASET_SUBJECTS_RECORD_MAX);
    const struct status s =
        store_get(w->store, DATASET_SUBJECTS_COLLECTION, name, NULL, &value, NULL);
    *ret_exist = status_ok(s);
    return s.code == STATUS_NOT_FOUND ? OK : s;
}

static struct status
take_erased(const json_t *record, struct diag *diag, struct dataset_subjects *s)
{
    const size_t n = ((size_t)s->slots + 7) / 8;
    DEFER(memory_freep) uint8_t *bits = calloc(n + 1, 1);
    s->erased = calloc((size_t)s->slots + 1, 1);
    CHECK(bits != NULL && s->erased != NULL, MEMORY);
    TRY(js_need_base64(record, "erased", n, diag, bits));
    for (uint32_t i = 0; i < s->slots; i++) {
        s->erased[i] = bits[i / 8] >> (i % 8) & 1;
        s->gone += s->erased[i];
    }
    return OK;
}

/* Counts and who was erased are the store's; the list must have the persons that it had. */
static struct status
take_record(const json_t *record, struct diag *diag, struct dataset_subjects *s)
{
    int64_t slots = 0;
    json_t *rows = NULL;
    uint8_t told[DIGEST_BYTES];
    struct digest found;
    TRY(js_need_i64(record, "slots", diag, &slots));
    TRY(js_need_object(record, "rows_erased", diag, &rows));
    TRY(js_need_base64(record, "hashes_sha256", DIGEST_BYTES, diag, told));
    CHECK(slots >= 0 && slots <= SUBJECTS_MOST, INTEGRITY);
    if ((uint64_t)slots > subjects_count(s->keys)) {
        diag_set(diag, "subjects/%s.slots: cut short: the keys of %lld persons, and it has %u",
                 s->name, (long long)slots, subjects_count(s->keys));
        FAIL(INTEGRITY);
    }
    s->slots = (uint32_t)slots;
    s->rows = json_deep_copy(rows);
    CHECK(s->rows != NULL, MEMORY);
    subjects_digest(s->keys, s->slots, &found);
    if (memcmp(found.bytes, told, DIGEST_BYTES) != 0) {
        diag_set(diag, "subjects/%s.slots: not the list of persons that the store has", s->name);
        FAIL(INTEGRITY);
    }
    return take_erased(record, diag, s);
}

struct status
dataset_subjects_put(const struct dataset_subjects *s, struct buf *ret_record)
{
    const size_t n = ((size_t)s->slots + 7) / 8;
    DEFER(memory_freep) uint8_t *bits = calloc(n + 1, 1);
    DEFER(js_freep) json_t *o = json_object();
    struct digest hashes;
    CHECK(bits != NULL && o != NULL, MEMORY);
    for (uint32_t i = 0; i < s->slots; i++) {
        bits[i / 8] |= (uint8_t)(s->erased[i] << (i % 8));
    }
    subjects_digest(s->keys, s->slots, &hashes);
    TRY(js_set(o, "slots", json_integer((json_int_t)s->slots)));
    TRY(js_set(o, "hashes_sha256", js_base64(view_of(hashes.bytes, DIGEST_BYTES))));
    TRY(js_set(o, "erased", js_base64(view_of(bits, n))));
    TRY(js_set(o, "erased_persons", json_integer((json_int_t)s->gone)));
    TRY(js_set(o, "rows_erased", json_deep_copy(s->rows)));
    return js_put(ret_record, o);
}

struct status
dataset_subjects_describe(struct workspace *w, const char *name, struct diag *diag,
                          json_t **ret_object)
{
    DEFER(js_freep) json_t *record = NULL;
    DEFER(js_freep) json_t *o = json_object();
    json_t *rows = NULL;
    int64_t slots = 0, gone = 0;
    CHECK(o != NULL, MEMORY);
    TRY(read_record(w, name, diag, &record));
    TRY(js_need_i64(record, "slots", diag, &slots));
    TRY(js_need_i64(record, "erased_persons", diag, &gone));
    TRY(js_need_object(record, "rows_erased", diag, &rows));
    TRY(js_set(o, "persons", json_integer(slots)));
    TRY(js_set(o, "erased", json_integer(gone)));
    TRY(js_set(o, "rows_erased", json_deep_copy(rows)));
    *ret_object = MOVE(o);
    return OK;
}

/* ---- opening ---- */

static struct status
tell_opened(const struct dataset_subjects *s, struct diag *diag)
{
    struct seal_key key;
    char resource[80];
    subjects_key(s->keys, &key);
    (void)snprintf(resource, sizeof resource, "datasets/%s", s->name);
    const struct key_use use = {.resource = resource,
                                .act = "open",
                                .key = key.id,
                                .generation = key.generation,
                                .purpose = "subjects"};
    return key_use_tell(s->w, &use, diag);
}

static struct status
as_damage(const struct dataset_subjects *s, struct status opened, struct diag *diag)
{
    if (opened.code == STATUS_NOT_FOUND) {
        diag_set(diag,
                 "subjects/%s: the keys of its persons are missing; without them nothing of "
                 "the dataset can be read",
                 s->name);
        FAIL(INTEGRITY);
    }
    return opened;
}

static struct status
open_list(struct dataset_subjects *s, const json_t *record, struct diag *diag)
{
    DEFER(file_freep) char *base = dataset_subjects_base(s->w, s->name);
    const struct status opened = subjects_open(s->w->vault, base, s->name, diag, &s->keys);
    TRY(workspace_tell_failure(s->w, "key.use", "subjects", as_damage(s, opened, diag), diag));
    TRY(take_record(record, diag, s));
    return tell_opened(s, diag);
}

/* The store first: a list only grows, so it has what the store says. */
struct status
dataset_subjects_open(struct workspace *w, const char *name, struct diag *diag,
                      struct dataset_subjects *ret)
{
    DEFER(js_freep) json_t *record = NULL;
    DEFER(dataset_subjects_done) struct dataset_subjects s = {.w = w};
    text_copy(s.name, sizeof s.name, name);
    TRY(read_record(w, name, diag, &record));
    TRY(open_list(&s, record, diag));
    *ret = s;
    s = (struct dataset_subjects){0};
    return OK;
}

/* Nothing refers to what an addition that was cut off may have left. */
static struct status
make_list(struct dataset_subjects *s, struct diag *diag)
{
    static const char *const ends[] = {"slots", "key"};
    DEFER(file_freep) char *folder = file_join(s->w->dir, "subjects");
    DEFER(file_freep) char *base = dataset_subjects_base(s->w, s->name);
    TRY(file_mkdirs(folder, 0700, diag));
    for (size_t i = 0; i < 2; i++) {
        char *path = NULL;
        ASSERT(asprintf(&path, "%s.%s", base, ends[i]) > 0);
        (void)unlink(path);
        free(path);
    }
    TRY(subjects_open_new(s->w->vault, base, s->name, diag, &s->keys));
    s->erased = calloc(1, 1);
    s->rows = json_object();
    CHECK(s->erased != NULL && s->rows != NULL, MEMORY);
    return tell_opened(s, diag);
}

/* An erasure that was cut off between the store's word and the key. */
static struct status
settle(struct dataset_subjects *s, struct diag *diag)
{
    bool any = false;
    for (uint32_t i = 0; i < s->slots; i++) {
        if (s->erased[i] && !subjects_is_destroyed(s->keys, i)) {
            TRY(subjects_destroy(s->keys, i, diag));
            any = true;
        }
    }
    return any ? subjects_sync(s->keys, diag) : OK;
}

struct status
dataset_subjects_change(struct workspace *w, const char *name, bool anew, struct diag *diag,
                        struct dataset_subjects *ret)
{
    DEFER(dataset_subjects_done) struct dataset_subjects s = {.w = w};
    if (anew) {
        text_copy(s.name, sizeof s.name, name);
        TRY(make_list(&s, diag));
    } else {
        TRY(dataset_subjects_open(w, name, diag, &s));
        TRY(subjects_cut(s.keys, s.slots));
        TRY(settle(&s, diag));
    }
    *ret = s;
    s = (struct dataset_subjects){0};
    return OK;
}

/* ---- sealing and opening rows ---- */

static void
put_bound(const struct dataset_subjects *s, uint32_t slot, struct buf *ret_bound)
{
    buf_init(ret_bound, 256);
    buf_printf(ret_bound, "steward subject rows v1\n%s\n%llu\n%u", s->name,
               (unsigned long long)s->version, slot);
}

static struct status
give_slot(void *ctx, struct view subject, uint32_t *ret_slot)
{
    struct dataset_subjects *s = ctx;
    struct digest hash;
    TRY(dataset_subjects_hash(s->w, s->name, subject, &hash));
    if (subjects_find(s->keys, &hash, ret_slot)) {
        return OK;
    }
    return subjects_add(s->keys, &hash, ret_slot);
}

static struct status
seal_rows(void *ctx, uint32_t slot, struct view plain, struct buf *ret_sealed)
{
    const struct dataset_subjects *s = ctx;
    DEFER(buf_done) struct buf bound = {0};
    put_bound(s, slot, &bound);
    return subjects_seal(s->keys, slot, buf_view(&bound), plain, ret_sealed);
}

static struct status
open_rows(void *ctx, uint32_t slot, struct view sealed, struct buf *ret_plain, bool *ret_erased)
{
    const struct dataset_subjects *s = ctx;
    DEFER(buf_done) struct buf bound = {0};
    CHECK(slot < s->slots, INTEGRITY);
    if (s->erased[slot]) {
        *ret_erased = true;
        return OK;
    }
    put_bound(s, slot, &bound);
    return subjects_unseal(s->keys, slot, buf_view(&bound), sealed, ret_plain);
}

/* Whose data was to be gone does not come back by an old file. */
static struct status
refuse_erased(const struct dataset_subjects *s, const struct table *t, struct diag *diag)
{
    const struct column *c = table_subject(t);
    DEFER(buf_done) struct buf rows;
    uint64_t count = 0;
    buf_init(&rows, 256);
    for (uint64_t i = 0; s->gone > 0 && i < t->rows; i++) {
        struct digest hash;
        uint32_t slot = 0;
        TRY(dataset_subjects_hash(s->w, s->name, column_text(c, i), &hash));
        if (subjects_find(s->keys, &hash, &slot) && s->erased[slot]) {
            if (count++ < SHOWN_ROWS) {
                buf_printf(&rows, "%s%llu", rows.len > 0 ? ", " : "", (unsigned long long)i + 1);
            }
        }
    }
    if (count == 0) {
        return OK;
    }
    diag_set(diag,
             "%llu rows are of persons whose data was erased from dataset %s: rows %s%s; leave "
             "them out of the file, or use another name if they have come back",
             (unsigned long long)count, s->name, buf_str(&rows), count > SHOWN_ROWS ? ", ..." : "");
    FAIL(INPUT);
}

static struct status
count_new(struct dataset_subjects *s)
{
    const uint32_t n = subjects_count(s->keys);
    uint8_t *erased = realloc(s->erased, (size_t)n + 1);
    CHECK(erased != NULL, MEMORY);
    memset(erased + s->slots, 0, (size_t)n + 1 - s->slots);
    s->erased = erased;
    s->slots = n;
    return OK;
}

struct status
dataset_subjects_encode(struct dataset_subjects *s, uint64_t version, const struct table *t,
                        struct diag *diag, struct buf *ret_bytes)
{
    const struct subject_sealer by = {give_slot, seal_rows, s};
    s->version = version;
    TRY(refuse_erased(s, t, diag));
    const struct status encoded = subject_table_encode(t, &by, ret_bytes);
    if (encoded.code == STATUS_LIMIT && subjects_count(s->keys) >= SUBJECTS_MOST) {
        diag_set(diag, "dataset %s: more than %u persons", s->name, SUBJECTS_MOST);
    }
    TRY(encoded);
    TRY(count_new(s));
    return subjects_keep(s->keys, diag);
}

struct status
dataset_subjects_decode(struct dataset_subjects *s, uint64_t version, struct view bytes,
                        struct diag *diag, struct table **ret_table)
{
    const struct subject_opener by = {open_rows, s};
    s->version = version;
    const struct status decoded = subject_table_decode(bytes, &by, diag, ret_table);
    if (decoded.code == STATUS_INTEGRITY) {
        diag_set(diag,
                 "dataset %s version %llu: rows or keys of persons are not what was written: "
                 "damaged, or keys that no erasure destroyed are gone",
                 s->name, (unsigned long long)version);
    }
    return decoded;
}

/* ---- all lists ---- */

struct names {
    char (*items)[64];
    size_t count;
};

static struct status
add_name(void *ctx, const char *id, struct view value)
{
    (void)value;
    struct names *n = ctx;
    char(*more)[64] = realloc(n->items, (n->count + 1) * sizeof *more);
    CHECK(more != NULL, MEMORY);
    n->items = more;
    text_copy(n->items[n->count++], 64, id);
    return OK;
}

static struct status
check_one(struct workspace *w, const char *name, struct status (*each)(void *ctx, const char *path),
          void *ctx, struct diag *diag, uint64_t *ret_persons)
{
    DEFER(dataset_subjects_done) struct dataset_subjects s = {0};
    char path[100];
    TRY(dataset_subjects_change(w, name, false, diag, &s));
    TRY(subjects_verify(s.keys, diag));
    for (uint32_t i = 0; i < s.slots; i++) {
        if (!s.erased[i] && subjects_is_destroyed(s.keys, i)) {
            diag_set(diag, "subjects/%s.slots: slot %u is empty, and no erasure emptied it", name,
                     i);
            FAIL(INTEGRITY);
        }
    }
    *ret_persons += s.slots - s.gone;
    for (size_t i = 0; i < 2 && each != NULL; i++) {
        (void)snprintf(path, sizeof path, "subjects/%s.%s", name, i == 0 ? "key" : "slots");
        TRY(each(ctx, path));
    }
    return OK;
}

struct status
dataset_subjects_check_all(struct workspace *w, struct status (*each)(void *ctx, const char *path),
                           void *ctx, struct diag *diag, uint64_t *ret_persons)
{
    struct names n = {0};
    *ret_persons = 0;
    struct status s = store_each(w->store, DATASET_SUBJECTS_COLLECTION, add_name, &n, diag);
    for (size_t i = 0; status_ok(s) && i < n.count; i++) {
        s = check_one(w, n.items[i], each, ctx, diag, ret_persons);
    }
    free(n.items);
    return s;
}
