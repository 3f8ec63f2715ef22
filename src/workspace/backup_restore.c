/* Restoring, in this order: (1) the files of keys/ from the head, into "keys.restoring": without
 * keys/workspace.json a folder is no workspace; (2) the stream, file by file; (3) everything is
 * opened and compared; (4) the log says so, and who was erased since is erased again; (5) the keys'
 * folder gets its name; (6) all is synced; (7) the folder gets its place, by one rename. A cut
 * before 5 leaves a folder beside the place that nothing takes for a workspace. */
#include "workspace/backup.h"

#include "base/file.h"
#include "vault/provider.h"
#include "vault/transit_ask.h"
#include "workspace/backup_parts.h"
#include "workspace/dataset_subjects.h"
#include "workspace/erasure_replay.h"
#include "workspace/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEYS_APART "keys.restoring"
#define ACTION "backup.restore"

/* ---- the head ---- */

static struct status
refuse_head(const char *path, struct diag *diag)
{
    diag_set(diag, "%s: not a backup of steward, or its first bytes were changed or cut", path);
    FAIL(INTEGRITY);
}

static struct status
read_some_of(const char *path, size_t max, struct diag *diag, struct buf *ret_bytes)
{
    DEFER(file_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        return file_refuse(path, errno, diag);
    }
    if (!S_ISREG(st.st_mode)) {
        return refuse_head(path, diag);
    }
    uint8_t *at = buf_extend(ret_bytes, max);
    CHECK(at != NULL, MEMORY);
    const ssize_t n = pread(fd, at, max, 0);
    if (n < 0) {
        return file_refuse_os(path, errno, diag);
    }
    buf_cut(ret_bytes, (size_t)n);
    return OK;
}

/* The head's own bytes, and where each file of keys/ is in them. */
static struct status
read_head(const char *path, struct diag *diag, struct buf *ret_head,
          struct view ret_files[static BACKUP_KEY_FILES])
{
    buf_init(ret_head, BACKUP_HEAD_MAX);
    TRY(read_some_of(path, BACKUP_HEAD_MAX, diag, ret_head));
    struct reader r = reader_of(buf_view(ret_head));
    const bool ours = view_equal_str(reader_bytes(&r, strlen(BACKUP_MAGIC)), BACKUP_MAGIC);
    for (size_t i = 0; i < BACKUP_KEY_FILES && ours; i++) {
        ret_files[i] = reader_bytes(&r, reader_u32be(&r));
    }
    if (!ours || r.bad) {
        return refuse_head(path, diag);
    }
    buf_cut(ret_head, r.pos);
    return OK;
}

struct status
backup_look(const char *path, struct diag *diag, struct buf *ret_target)
{
    DEFER(buf_done) struct buf head = {0};
    struct view files[BACKUP_KEY_FILES];
    TRY(read_head(path, diag, &head, files));
    return provider_look_at(files[0], path, diag, ret_target);
}

static struct status
write_keys(const char *folder, const struct view files[static BACKUP_KEY_FILES], struct diag *diag)
{
    TRY(file_mkdirs(folder, 0700, diag));
    for (size_t i = 0; i < BACKUP_KEY_FILES; i++) {
        DEFER(file_freep) char *path = file_join(folder, backup_key_files[i]);
        TRY(file_replace(path, files[i], 0600, diag));
    }
    return OK;
}

/* ---- the stream ---- */

struct restoring {
    const char *path; /* of the backup */
    struct backup_erasures *erasures;
    const struct backup_progress *progress;
    const char *root; /* where the files go; NULL: nowhere */
    int fd;           /* of the file that is under way */
    uint64_t objects;
    struct seal_reader *seal;
    char current[BACKUP_PATH_MAX + 1]; /* file */
};

static void
restoring_done(struct restoring *r)
{
    file_closep(&r->fd);
    seal_reader_free(r->seal);
}

static struct status
make_file(struct restoring *r, const char *path, struct diag *diag)
{
    DEFER(file_freep) char *to = file_join(r->root, path);
    DEFER(file_freep) char *parent = strdup(to);
    CHECK(parent != NULL, MEMORY);
    *strrchr(parent, '/') = '\0';
    TRY(file_mkdirs(parent, 0700, diag));
    const bool open_to_all = strcmp(path, "tls/cert.pem") == 0 || strcmp(path, "steward.yaml") == 0;
    r->fd = file_make(to, open_to_all ? 0644 : 0600);
    if (r->fd < 0) {
        return file_refuse_os(to, errno, diag);
    }
    return OK;
}

static struct status
begin_file(void *ctx, const char *path, uint64_t size, struct diag *diag)
{
    struct restoring *r = ctx;
    (void)size;
    TRY(backup_step(r->progress, path, diag));
    (void)snprintf(r->current, sizeof r->current, "%s", path);
    r->objects += backup_path_is_object(path);
    return r->root == NULL ? OK : make_file(r, path, diag);
}

static struct status
write_bytes(void *ctx, struct view bytes, struct diag *diag)
{
    struct restoring *r = ctx;
    return r->root == NULL ? OK : file_write_all(r->fd, bytes, r->root, diag);
}

static struct status
end_file(void *ctx, const char *path, const struct digest *digest, struct diag *diag)
{
    struct restoring *r = ctx;
    const int fd = r->fd;
    (void)digest;
    r->fd = -1;
    if (fd >= 0 && close(fd) != 0) {
        return file_refuse_os(path, errno, diag);
    }
    return OK;
}

static struct status
next_bytes(void *ctx, struct diag *diag, struct view *ret_bytes)
{
    struct restoring *r = ctx;
    return seal_reader_next(r->seal, diag, ret_bytes);
}

static struct status
read_stream(struct restoring *r, const struct vault *v, struct view head, struct diag *diag,
            json_t **ret_manifest)
{
    struct backup_id id;
    const struct backup_sink sink = {begin_file, write_bytes, end_file, r};
    backup_id_of(head, &id);
    TRY(seal_reader_open_behind(v, r->path, id.id, head.len, diag, &r->seal));
    return backup_stream_read((struct backup_in){next_bytes, r}, head, &sink, diag, ret_manifest);
}

/* Opens what is in the folder of keys, and reads the stream with it. */
static struct status
open_and_read(struct restoring *r, const char *keys, struct view head,
              const struct secret *credential, struct diag *diag, json_t **ret_manifest)
{
    DEFER(provider_freep) struct provider *provider = NULL;
    DEFER(vault_freep) struct vault *vault = NULL;
    const struct provider_means means = {.credential = credential, .transit = &transit_kind};
    TRY(provider_open(keys, &means, diag, &provider));
    TRY(vault_open(keys, provider_table(provider), diag, &vault));
    return read_stream(r, vault, head, diag, ret_manifest);
}

char *
backup_verify_place(void)
{
    const char *base = getenv("TMPDIR");
    return file_join(base == NULL ? "/tmp" : base, "steward-verify");
}

struct status
backup_verify(const char *path, const struct secret *credential, const struct backup_progress *p,
              struct diag *diag, json_t **ret_manifest)
{
    DEFER(file_freep) char *place = backup_verify_place();
    DEFER(place_remove) char *keys = NULL;
    DEFER(buf_done) struct buf head = {0};
    DEFER(restoring_done) struct restoring r = {.path = path, .progress = p, .fd = -1};
    struct view files[BACKUP_KEY_FILES];
    TRY(read_head(path, diag, &head, files));
    TRY(place_beside(place, diag, &keys));
    TRY(write_keys(keys, files, diag));
    return open_and_read(&r, keys, buf_view(&head), credential, diag, ret_manifest);
}

/* ---- checking what was written ---- */

static struct status
check_log(const struct workspace *w, const json_t *manifest, struct diag *diag)
{
    struct audit_report report = {0};
    DEFER(buf_done) struct buf root;
    DEFER(file_freep) char *folder = file_join(w->dir, "audit");
    const json_t *log = json_object_get(manifest, "log");
    const char *told = json_string_value(json_object_get(log, "root_sha256"));
    buf_init(&root, 128);
    TRY(backup_verify_log(folder, diag, &report));
    digest_put_hex(&root, &report.root);
    if (told == NULL || strcmp(told, buf_str(&root)) != 0 || report.pending != 0 ||
        json_integer_value(json_object_get(log, "entries")) != (json_int_t)report.entries) {
        diag_set(diag, "audit/checkpoint: not the log that the manifest tells of");
        FAIL(INTEGRITY);
    }
    return OK;
}

struct counting {
    const struct backup_progress *progress;
    struct diag *diag;
    uint64_t objects;
};

static struct status
count_object(void *ctx, const char *path)
{
    struct counting *c = ctx;
    c->objects++;
    return backup_step(c->progress, path, c->diag);
}

static struct status
check_all(struct workspace *w, const struct restoring *r, const json_t *manifest, struct diag *diag)
{
    DEFER(buf_done) struct buf chain;
    struct tls_signer signer;
    uint64_t persons = 0;
    struct counting c = {.progress = r->progress, .diag = diag};
    buf_init(&chain, 1u << 20);
    TRY(check_log(w, manifest, diag));
    TRY(store_verify(w->store, diag));
    TRY(backup_check_objects(w, count_object, &c, diag));
    if (c.objects != r->objects) {
        diag_set(diag, "%s: %llu objects, and the registry in it has %llu", r->path,
                 (unsigned long long)r->objects, (unsigned long long)c.objects);
        FAIL(INTEGRITY);
    }
    TRY(dataset_subjects_check_all(w, NULL, NULL, diag, &persons));
    return workspace_tls(w, diag, &chain, &signer);
}

static struct status
tell_log(struct workspace *w, const json_t *manifest, struct diag *diag)
{
    char reason[384];
    const json_t *log = json_object_get(manifest, "log");
    (void)snprintf(
        reason, sizeof reason,
        "restored from the backup of %.40s, sha256 %.64s: this log goes on after its %lld entries; "
        "what another copy wrote behind them is not in it",
        json_string_value(json_object_get(manifest, "made")),
        json_string_value(json_object_get(manifest, "sha256")),
        (long long)json_integer_value(json_object_get(log, "entries")));
    return backup_audit(w, ACTION, reason, diag);
}

/* ---- who was erased since ---- */

static long long
persons_of(const json_t *manifest)
{
    return (long long)json_integer_value(json_object_get(manifest, "persons"));
}

static struct status
check_erasures(const struct restoring *r, const json_t *manifest, struct diag *diag)
{
    if (persons_of(manifest) > 0 && r->erasures->log == NULL && !r->erasures->forgone) {
        diag_set(diag,
                 "%s has the keys of %lld persons: who was erased after it was made would be back. "
                 "--erasures LOG erases them again, by the log of the workspace as it went on (its "
                 "folder audit, or a copy); without one, --without-erasures",
                 r->path, persons_of(manifest));
        FAIL(INPUT);
    }
    return OK;
}

static struct status
erase_again(struct workspace *w, const struct restoring *r, const json_t *manifest,
            struct diag *diag)
{
    const json_t *entries = json_object_get(json_object_get(manifest, "log"), "entries");
    struct erasures done = {0};
    if (r->erasures->log != NULL) {
        TRY(erasure_replay(w, r->erasures->log, (uint64_t)json_integer_value(entries), diag,
                           &done));
        r->erasures->named = done.named;
        r->erasures->erased = done.erased;
        return OK;
    }
    return persons_of(manifest) == 0
               ? OK
               : backup_audit(w, ACTION,
                              "WITHOUT ERASURES: who was erased after the backup was made can be "
                              "read again, until they are erased again",
                              diag);
}

/* Its members that people read. */
static struct status
check_texts(const json_t *manifest, struct diag *diag)
{
    static const char *const texts[] = {"made", "steward", "workspace"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (!json_is_string(json_object_get(manifest, texts[i]))) {
            diag_set(diag, "manifest: no \"%s\"", texts[i]);
            FAIL(INTEGRITY);
        }
    }
    return OK;
}

static struct status
check_and_tell(const struct restoring *r, const struct secret *credential, const json_t *manifest,
               struct diag *diag)
{
    DEFER(workspace_closep) struct workspace *w = NULL;
    const struct workspace_open_options o = {
        .passphrase = credential, .keys = KEYS_APART, .reason = "backup restore", .told = true};
    TRY(check_texts(manifest, diag));
    TRY(check_erasures(r, manifest, diag));
    TRY(workspace_open(r->root, &o, diag, &w));
    TRY(check_all(w, r, manifest, diag));
    TRY(tell_log(w, manifest, diag));
    return erase_again(w, r, manifest, diag);
}

/* ---- the act ---- */

static struct status
sync_all(const char *made, struct diag *diag)
{
    DEFER(file_closep) int fd = open(made, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || syncfs(fd) != 0) {
        return file_refuse_os(made, errno, diag);
    }
    return OK;
}

static struct status
name_keys(const char *made, struct diag *diag)
{
    DEFER(file_freep) char *apart = file_join(made, KEYS_APART);
    DEFER(file_freep) char *keys = file_join(made, "keys");
    if (rename(apart, keys) != 0) {
        return file_refuse_os(keys, errno, diag);
    }
    return sync_all(made, diag);
}

static struct status
fill(struct restoring *r, const struct secret *credential, struct diag *diag, json_t **ret_manifest)
{
    DEFER(buf_done) struct buf head = {0};
    DEFER(file_freep) char *keys = file_join(r->root, KEYS_APART);
    struct view files[BACKUP_KEY_FILES];
    TRY(read_head(r->path, diag, &head, files));
    TRY(write_keys(keys, files, diag));
    TRY(open_and_read(r, keys, buf_view(&head), credential, diag, ret_manifest));
    TRY(sync_all(r->root, diag));
    TRY(check_and_tell(r, credential, *ret_manifest, diag));
    TRY(backup_step(r->progress, "", diag));
    return name_keys(r->root, diag);
}

struct status
backup_restore(const char *path, const char *dir, const struct secret *credential,
               struct backup_erasures *erasures, const struct backup_progress *p, struct diag *diag,
               json_t **ret_manifest)
{
    DEFER(file_freep) char *place = NULL;
    DEFER(place_remove) char *made = NULL;
    DEFER(js_freep) json_t *manifest = NULL;
    TRY(place_choose(dir, diag, &place));
    TRY(place_beside(place, diag, &made));
    DEFER(restoring_done)
    struct restoring r = {
        .path = path, .erasures = erasures, .progress = p, .root = made, .fd = -1};
    TRY(fill(&r, credential, diag, &manifest));
    TRY(place_take(&made, place, diag));
    *ret_manifest = MOVE(manifest);
    return OK;
}
