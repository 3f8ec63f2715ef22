/* Layout (docs/spec/backup.md), integers big-endian. A file: u16 length of its path (1 to 255),
 * path, u64 size, its bytes, SHA-256 of them. The end: u16 0, u32 length of the manifest, manifest
 * (JSON), and nothing behind it. The manifest's "sha256" is that of: the head's SHA-256, then for
 * each file the u16, path, u64 and SHA-256 as they stand. */
#include "workspace/backup_stream.h"

#include "base/text.h"
#include "govern/tile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const backup_kinds[BACKUP_KINDS] = {"assessment", "dataset", "model"};
static const char *const singles[] = {"audit/checkpoint", "audit/journal", "audit/vkey",
                                      "state.db",         "steward.yaml",  "tls/cert.pem",
                                      "tls/key.sealed"};
/* Without these there is no workspace. */
static const char *const needed[] = {"audit/checkpoint", "audit/journal", "audit/vkey",
                                     "state.db",         "tls/cert.pem",  "tls/key.sealed"};
#define COUNT(LIST) (sizeof(LIST) / sizeof *(LIST))

/* ---- paths ---- */

/* Whether text begins with that; then the rest. */
static bool
skip(const char **text, const char *start)
{
    const size_t n = strlen(start);
    const bool has = strncmp(*text, start, n) == 0;
    *text += has ? n : 0;
    return has;
}

/* A name, then "/". */
static bool
skip_name(const char **text)
{
    char name[64];
    const char *slash = strchr(*text, '/');
    if (slash == NULL || (size_t)(slash - *text) >= sizeof name) {
        return false;
    }
    (void)snprintf(name, sizeof name, "%.*s", (int)(slash - *text), *text);
    *text = slash + 1;
    return text_is_name(name);
}

/* "7.sealed", in the one spelling of 7. */
static bool
is_version(const char *text)
{
    uint64_t version = 0;
    char again[32];
    const char *dot = strchr(text, '.');
    if (dot == NULL || !status_ok(text_to_u64(view_of(text, (size_t)(dot - text)), &version))) {
        return false;
    }
    (void)snprintf(again, sizeof again, "%llu.sealed", (unsigned long long)version);
    return version > 0 && strcmp(text, again) == 0;
}

bool
backup_path_is_object(const char *path)
{
    const char *rest = path;
    bool known = false;
    if (!skip(&rest, "objects/")) {
        return false;
    }
    for (size_t i = 0; i < BACKUP_KINDS && !known; i++) {
        const char *after = rest;
        if (skip(&after, backup_kinds[i]) && *after == '/') {
            rest = after + 1;
            known = true;
        }
    }
    return known && skip_name(&rest) && is_version(rest);
}

static bool
is_one_of(const char *path, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(path, list[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* What a crash left behind, and the log names: "journal.cut-17". */
static bool
is_cut(const char *text)
{
    uint64_t entry = 0;
    char again[40];
    if (!skip(&text, "journal.cut-") || !status_ok(text_to_u64(view_str(text), &entry))) {
        return false;
    }
    (void)snprintf(again, sizeof again, "%llu", (unsigned long long)entry);
    return strcmp(text, again) == 0;
}

/* "subjects/NAME.key", "subjects/NAME.slots". */
static bool
is_of_subjects(const char *path)
{
    char name[64];
    const char *dot = strrchr(path, '.');
    if (!skip(&path, "subjects/") || dot == NULL || dot < path ||
        (size_t)(dot - path) >= sizeof name ||
        (strcmp(dot, ".key") != 0 && strcmp(dot, ".slots") != 0)) {
        return false;
    }
    text_copy(name, (size_t)(dot - path) + 1, path);
    return text_is_name(name);
}

bool
backup_path_is_known(const char *path)
{
    struct tile_id tile;
    const char *rest = path;
    return is_one_of(path, singles, COUNT(singles)) || backup_path_is_object(path) ||
           is_of_subjects(path) ||
           (skip(&rest, "audit/") &&
            (is_cut(rest) || status_ok(tile_parse_path(view_str(rest), &tile))));
}

/* ---- what writer and reader both count ---- */

struct tally {
    struct digest_run *list, *file; /* of the manifest; of the file that is under way */
    uint64_t files, bytes;
    uint64_t left; /* of the file that is under way */
    uint32_t needed;
    char path[BACKUP_PATH_MAX + 1]; /* the last one; "": none yet */
};

static void
tally_done(struct tally *t)
{
    digest_run_free(t->list);
    digest_run_free(t->file);
}

static struct status
tally_init(struct tally *t, struct view head)
{
    struct digest d;
    *t = (struct tally){.list = digest_run_new(), .file = digest_run_new()};
    if (t->list == NULL || t->file == NULL) {
        tally_done(t);
        *t = (struct tally){0};
        FAIL(MEMORY);
    }
    digest_of(head, &d);
    digest_run_add(t->list, view_of(d.bytes, DIGEST_BYTES));
    return OK;
}

static void
put_file_head(struct buf *b, const char *path, uint64_t size)
{
    buf_put_u16be(b, (uint16_t)strlen(path));
    buf_put_str(b, path);
    buf_put_u64be(b, size);
}

/* The next file. */
static struct status
tally_begin(struct tally *t, const char *path, uint64_t size, struct diag *diag)
{
    DEFER(buf_done) struct buf head = {0};
    if (!backup_path_is_known(path)) {
        diag_set(diag, "\"%.*s\": no file of a workspace", (int)BACKUP_PATH_MAX, path);
        FAIL(INTEGRITY);
    }
    if (strcmp(path, t->path) <= 0) {
        diag_set(diag, "%s: twice, or not in order: after %s", path, t->path);
        FAIL(INTEGRITY);
    }
    buf_init(&head, BACKUP_PATH_MAX + 10);
    put_file_head(&head, path, size);
    digest_run_add(t->list, buf_view(&head));
    (void)snprintf(t->path, sizeof t->path, "%s", path);
    t->needed += is_one_of(path, needed, COUNT(needed));
    t->files++;
    t->left = size;
    return OK;
}

static void
tally_bytes(struct tally *t, struct view bytes)
{
    digest_run_add(t->file, bytes);
    t->left -= bytes.len;
    t->bytes += bytes.len;
}

static void
tally_end(struct tally *t, struct digest *ret_digest)
{
    digest_run_end(t->file, ret_digest);
    digest_run_add(t->list, view_of(ret_digest->bytes, DIGEST_BYTES));
}

/* What the manifest says of it: {"files", "bytes", "sha256"}. */
static struct status
tally_set(struct tally *t, json_t *manifest)
{
    struct digest d;
    DEFER(buf_done) struct buf hex;
    buf_init(&hex, 128);
    digest_run_end(t->list, &d);
    digest_put_hex(&hex, &d);
    TRY(js_set(manifest, "format", json_string(BACKUP_FORMAT)));
    TRY(js_set(manifest, "files", json_integer((json_int_t)t->files)));
    TRY(js_set(manifest, "bytes", json_integer((json_int_t)t->bytes)));
    return js_set(manifest, "sha256", json_string(buf_str(&hex)));
}

/* ---- writing ---- */

struct backup_writer {
    struct backup_out out;
    struct tally tally;
};

struct status
backup_writer_new(struct backup_out out, struct view head, struct backup_writer **ret_writer)
{
    DEFER(backup_writer_freep) struct backup_writer *w = calloc(1, sizeof *w);
    CHECK(w != NULL, MEMORY);
    w->out = out;
    TRY(tally_init(&w->tally, head));
    *ret_writer = MOVE(w);
    return OK;
}

void
backup_writer_free(struct backup_writer *w)
{
    if (w != NULL) {
        tally_done(&w->tally);
        free(w);
    }
}

struct status
backup_writer_begin(struct backup_writer *w, const char *path, uint64_t size, struct diag *diag)
{
    DEFER(buf_done) struct buf head;
    buf_init(&head, BACKUP_PATH_MAX + 10);
    TRY(tally_begin(&w->tally, path, size, diag));
    put_file_head(&head, path, size);
    TRY(buf_status(&head));
    return w->out.put(w->out.ctx, buf_view(&head), diag);
}

struct status
backup_writer_bytes(struct backup_writer *w, struct view bytes, struct diag *diag)
{
    ASSERT(bytes.len <= w->tally.left);
    tally_bytes(&w->tally, bytes);
    return w->out.put(w->out.ctx, bytes, diag);
}

struct status
backup_writer_end(struct backup_writer *w, struct diag *diag)
{
    struct digest d;
    ASSERT(w->tally.left == 0);
    tally_end(&w->tally, &d);
    return w->out.put(w->out.ctx, view_of(d.bytes, DIGEST_BYTES), diag);
}

struct status
backup_writer_finish(struct backup_writer *w, json_t *manifest, struct diag *diag)
{
    DEFER(buf_done) struct buf text;
    DEFER(buf_done) struct buf end;
    buf_init(&text, BACKUP_MANIFEST_MAX);
    buf_init(&end, BACKUP_MANIFEST_MAX + 6);
    TRY(tally_set(&w->tally, manifest));
    TRY(js_put(&text, manifest));
    buf_put_u16be(&end, 0);
    buf_put_u32be(&end, (uint32_t)text.len);
    buf_put(&end, buf_view(&text));
    TRY(buf_status(&end));
    return w->out.put(w->out.ctx, buf_view(&end), diag);
}

/* ---- reading ---- */

struct source {
    struct backup_in in;
    struct view rest; /* of what came last */
    struct tally tally;
    const struct backup_sink *sink;
};

static void
source_done(struct source *s)
{
    tally_done(&s->tally);
}

/* At most n bytes, and some unless n is 0. */
static struct status
take_some(struct source *s, uint64_t n, struct diag *diag, struct view *ret_bytes)
{
    if (s->rest.len == 0 && n > 0) {
        TRY(s->in.next(s->in.ctx, diag, &s->rest));
        if (s->rest.len == 0) {
            diag_set(diag, "cut short");
            FAIL(INTEGRITY);
        }
    }
    const size_t k = n < s->rest.len ? (size_t)n : s->rest.len;
    *ret_bytes = view_of(s->rest.ptr, k);
    s->rest = view_of(s->rest.ptr + k, s->rest.len - k);
    return OK;
}

static struct status
take(struct source *s, size_t n, struct diag *diag, uint8_t *ret_bytes)
{
    for (size_t got = 0; got < n;) {
        struct view some;
        TRY(take_some(s, n - got, diag, &some));
        memcpy(ret_bytes + got, some.ptr, some.len);
        got += some.len;
    }
    return OK;
}

static struct status
take_number(struct source *s, size_t n, struct diag *diag, uint64_t *ret_number)
{
    uint8_t bytes[8];
    uint64_t v = 0;
    TRY(take(s, n, diag, bytes));
    for (size_t i = 0; i < n; i++) {
        v = v << 8 | bytes[i];
    }
    *ret_number = v;
    return OK;
}

static struct status
read_content(struct source *s, struct diag *diag)
{
    const struct backup_sink *to = s->sink;
    uint8_t told[DIGEST_BYTES];
    struct digest found;
    while (s->tally.left > 0) {
        struct view some;
        TRY(take_some(s, s->tally.left, diag, &some));
        tally_bytes(&s->tally, some);
        if (to->bytes != NULL) {
            TRY(to->bytes(to->ctx, some, diag));
        }
    }
    tally_end(&s->tally, &found);
    TRY(take(s, DIGEST_BYTES, diag, told));
    if (memcmp(told, found.bytes, DIGEST_BYTES) != 0) {
        diag_set(diag, "not the bytes that its SHA-256 is of");
        FAIL(INTEGRITY);
    }
    return to->end == NULL ? OK : to->end(to->ctx, s->tally.path, &found, diag);
}

static struct status
read_file(struct source *s, size_t length, struct diag *diag)
{
    char path[BACKUP_PATH_MAX + 1] = "";
    uint64_t size = 0;
    if (length > BACKUP_PATH_MAX) {
        diag_set(diag, "after \"%s\": a path of %zu bytes", s->tally.path, length);
        FAIL(INTEGRITY);
    }
    TRY(take(s, length, diag, (uint8_t *)path));
    TRY(take_number(s, 8, diag, &size));
    if (strlen(path) != length) {
        diag_set(diag, "\"%s\": no file of a workspace", path);
        FAIL(INTEGRITY);
    }
    TRY(tally_begin(&s->tally, path, size, diag));
    struct status done =
        s->sink->begin == NULL ? OK : s->sink->begin(s->sink->ctx, path, size, diag);
    done = status_ok(done) ? read_content(s, diag) : done;
    if (!status_ok(done)) {
        diag_prefix(diag, "%s", path);
    }
    return done;
}

/* What the reader counted is what the manifest says, and the other members are there. */
static struct status
check_manifest(struct source *s, const json_t *manifest, struct diag *diag)
{
    static const char *const same[] = {"format", "files", "bytes", "sha256"};
    DEFER(js_freep) json_t *counted = json_object();
    CHECK(counted != NULL, MEMORY);
    TRY(tally_set(&s->tally, counted));
    for (size_t i = 0; i < COUNT(same); i++) {
        if (json_equal(json_object_get(manifest, same[i]), json_object_get(counted, same[i])) ==
            0) {
            diag_set(diag,
                     "manifest: its \"%s\" is not that of the files before it: one was "
                     "added, left out or exchanged",
                     same[i]);
            FAIL(INTEGRITY);
        }
    }
    return OK;
}

static struct status
read_manifest(struct source *s, struct diag *diag, json_t **ret_manifest)
{
    DEFER(buf_done) struct buf text;
    DEFER(js_freep) json_t *manifest = NULL;
    uint64_t length = 0;
    struct view more = {0};
    buf_init(&text, BACKUP_MANIFEST_MAX);
    TRY(take_number(s, 4, diag, &length));
    uint8_t *bytes = length <= BACKUP_MANIFEST_MAX ? buf_extend(&text, (size_t)length) : NULL;
    if (length == 0 || bytes == NULL) {
        diag_set(diag, "manifest: %llu bytes", (unsigned long long)length);
        FAIL(INTEGRITY);
    }
    TRY(take(s, (size_t)length, diag, bytes));
    if (s->rest.len == 0) {
        TRY(s->in.next(s->in.ctx, diag, &more));
    }
    if (s->rest.len + more.len > 0) {
        diag_set(diag, "manifest: more bytes behind it");
        FAIL(INTEGRITY);
    }
    const struct status parsed = js_parse(buf_view(&text), "manifest", diag, &manifest);
    CHECK(status_ok(parsed), INTEGRITY);
    if (!json_is_object(manifest)) {
        diag_set(diag, "manifest: not an object");
        FAIL(INTEGRITY);
    }
    TRY(check_manifest(s, manifest, diag));
    *ret_manifest = MOVE(manifest);
    return OK;
}

struct status
backup_stream_read(struct backup_in in, struct view head, const struct backup_sink *sink,
                   struct diag *diag, json_t **ret_manifest)
{
    DEFER(source_done) struct source s = {.in = in, .sink = sink};
    DEFER(js_freep) json_t *manifest = NULL;
    uint64_t length = 1;
    TRY(tally_init(&s.tally, head));
    while (length > 0) {
        TRY(take_number(&s, 2, diag, &length));
        TRY(length > 0 ? read_file(&s, (size_t)length, diag) : read_manifest(&s, diag, &manifest));
    }
    if (s.tally.needed != COUNT(needed)) {
        diag_set(diag, "a file that every workspace has is missing: log, store or certificate");
        FAIL(INTEGRITY);
    }
    *ret_manifest = MOVE(manifest);
    return OK;
}
