/* Making a backup, in this order, all under change.lock: (1) the log says that it begins; (2) the
 * store is copied at one moment, the registry's objects are listed and checked; (3) a checkpoint is
 * published and read: the log in the backup says all that the store in it knows; (4) all is written
 * beside the file and renamed onto its place; (5) the log says that it is done. Objects and tiles
 * never change but for an object's wrapped key, which takes the lock. */
#include "workspace/backup.h"

#include "base/clock.h"
#include "base/file.h"
#include "govern/tile.h"
#include "vault/rotation.h"
#include "workspace/backup_parts.h"
#include "workspace/dataset_subjects.h"
#include "workspace/key_use.h"
#include "workspace/policies.h"
#include "workspace/policy_gather.h"
#include "workspace/registry.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STORE_MAX ((size_t)2 << 30)
#define SMALL_MAX (4u << 20)
#define ACTION "backup.create"

const char *const backup_key_files[BACKUP_KEY_FILES] = {"workspace.json", "mac.sealed",
                                                        "signing.pub", "signing.sealed"};

void
backup_id_of(struct view head, struct backup_id *ret_id)
{
    struct digest d;
    DEFER(buf_done) struct buf hex;
    buf_init(&hex, 128);
    digest_of(head, &d);
    digest_put_hex(&hex, &d);
    (void)snprintf(ret_id->name, sizeof ret_id->name, "%.63s", buf_str(&hex));
    ret_id->id = (struct seal_id){"backup", ret_id->name, 1};
}

struct status
backup_step(const struct backup_progress *p, const char *path, struct diag *diag)
{
    if (p != NULL && p->interrupted != NULL && p->interrupted()) {
        diag_set(diag, "interrupted; nothing was made");
        FAIL(BUSY);
    }
    if (p != NULL && p->step != NULL) {
        p->step(p->ctx, path);
    }
    return OK;
}

struct status
backup_audit(struct workspace *w, const char *action, const char *reason, struct diag *diag)
{
    const struct workspace_act act = {.action = action, .resource = "workspace", .reason = reason};
    return workspace_audit(w, &act, diag);
}

/* ---- what goes in ---- */

void
backup_plan_done(struct backup_plan *p)
{
    for (size_t i = 0; i < p->count; i++) {
        free(p->items[i].path);
        buf_done(&p->items[i].bytes);
    }
    free(p->items);
}

struct backup_item *
backup_plan_add(struct backup_plan *p, const char *path)
{
    if (p->count == p->room) {
        const size_t room = p->room == 0 ? 64 : 2 * p->room;
        struct backup_item *more = realloc(p->items, room * sizeof *more);
        if (more == NULL) {
            return NULL;
        }
        p->items = more;
        p->room = room;
    }
    char *copy = strdup(path);
    if (copy == NULL) {
        return NULL;
    }
    p->items[p->count] = (struct backup_item){.path = copy};
    return &p->items[p->count++];
}

struct status
backup_plan_file(struct backup_plan *p, const struct workspace *w, const char *path, size_t max,
                 struct diag *diag)
{
    DEFER(file_freep) char *from = file_join(w->dir, path);
    struct backup_item *item = backup_plan_add(p, path);
    CHECK(item != NULL, MEMORY);
    buf_init(&item->bytes, max);
    item->given = true;
    return file_read(from, max, diag, &item->bytes);
}

/* ---- objects ---- */

struct checking {
    struct workspace *w;
    const char *kind;
    struct status (*each)(void *ctx, const char *path);
    void *ctx;
    struct diag *diag;
};

static struct status
digest_object(const struct checking *k, struct seal_id id, struct digest *ret_digest)
{
    DEFER(seal_reader_freep) struct seal_reader *r = NULL;
    DEFER(digest_run_freep) struct digest_run *run = digest_run_new();
    struct view plain = {.len = 1};
    CHECK(run != NULL, MEMORY);
    TRY(key_use_open(k->w, id, k->diag, &r));
    while (plain.len > 0) {
        TRY(seal_reader_next(r, k->diag, &plain));
        digest_run_add(run, plain);
    }
    digest_run_end(run, ret_digest);
    return OK;
}

static struct status
check_object(void *ctx, const char *name, uint64_t version, const json_t *record)
{
    const struct checking *k = ctx;
    char path[BACKUP_PATH_MAX + 1];
    struct digest found;
    DEFER(file_freep) char *object = workspace_object_path(k->w, k->kind, name, version);
    (void)snprintf(path, sizeof path, "objects/%s/%s/%llu.sealed", k->kind, name,
                   (unsigned long long)version);
    if (k->each != NULL) {
        TRY(k->each(k->ctx, path));
    }
    struct status s = digest_object(k, (struct seal_id){k->kind, name, version}, &found);
    if (s.code == STATUS_NOT_FOUND) {
        diag_set(k->diag, "%s: missing, and the registry has it", object);
        s = FAILURE(INTEGRITY);
    }
    TRY(s);
    s = registry_check_digest(record, &found, k->diag);
    if (!status_ok(s)) {
        diag_prefix(k->diag, "%s", object);
    }
    return s;
}

struct status
backup_check_objects(struct workspace *w, struct status (*each)(void *ctx, const char *path),
                     void *ctx, struct diag *diag)
{
    for (size_t i = 0; i < BACKUP_KINDS; i++) {
        struct checking k = {w, backup_kinds[i], each, ctx, diag};
        TRY(registry_each(w, backup_kinds[i], check_object, &k));
    }
    return OK;
}

/* ---- writing ---- */

struct making {
    struct workspace *w;
    const struct backup_progress *progress;
    struct backup_plan plan;
    struct buf head;
    struct seal_writer *seal;
    struct backup_writer *writer;
    uint64_t persons; /* whose keys go in */
    struct diag *diag;
};

static void
making_done(struct making *m)
{
    backup_plan_done(&m->plan);
    buf_done(&m->head);
    seal_writer_abandon(m->seal);
    backup_writer_free(m->writer);
}

static struct status
make_head(struct making *m)
{
    buf_init(&m->head, BACKUP_HEAD_MAX);
    buf_put_str(&m->head, BACKUP_MAGIC);
    for (size_t i = 0; i < BACKUP_KEY_FILES; i++) {
        DEFER(file_freep) char *keys = file_join(m->w->dir, "keys");
        DEFER(file_freep) char *path = file_join(keys, backup_key_files[i]);
        DEFER(buf_done) struct buf bytes;
        buf_init(&bytes, BACKUP_HEAD_MAX / BACKUP_KEY_FILES - 8);
        TRY(file_read(path, bytes.max, m->diag, &bytes));
        buf_put_u32be(&m->head, (uint32_t)bytes.len);
        buf_put(&m->head, buf_view(&bytes));
    }
    return buf_status(&m->head);
}

static struct status
list_object(void *ctx, const char *path)
{
    struct making *m = ctx;
    TRY(backup_step(m->progress, path, m->diag));
    CHECK(backup_plan_add(&m->plan, path) != NULL, MEMORY);
    return OK;
}

static struct status
add_store(struct making *m)
{
    TRY(store_verify(m->w->store, m->diag));
    struct backup_item *item = backup_plan_add(&m->plan, "state.db");
    CHECK(item != NULL, MEMORY);
    buf_init(&item->bytes, STORE_MAX);
    item->given = true;
    return store_copy(m->w->store, m->diag, &item->bytes);
}

static int
by_path(const void *a, const void *b)
{
    const struct backup_item *x = a, *y = b;
    return strcmp(x->path, y->path);
}

/* The store before the log: what a record says, the log has said. */
static struct status
make_plan(struct making *m, struct checkpoint *ret_checkpoint)
{
    DEFER(file_freep) char *config = file_join(m->w->dir, "steward.yaml");
    TRY(make_head(m));
    TRY(add_store(m));
    TRY(backup_check_objects(m->w, list_object, m, m->diag));
    TRY(dataset_subjects_check_all(m->w, list_object, m, m->diag, &m->persons));
    TRY(backup_plan_file(&m->plan, m->w, "tls/cert.pem", SMALL_MAX, m->diag));
    TRY(backup_plan_file(&m->plan, m->w, "tls/key.sealed", SMALL_MAX, m->diag));
    if (file_exists(config)) {
        TRY(backup_plan_file(&m->plan, m->w, "steward.yaml", SMALL_MAX, m->diag));
    }
    TRY(backup_plan_log(&m->plan, m->w, m->diag, ret_checkpoint));
    qsort(m->plan.items, m->plan.count, sizeof *m->plan.items, by_path);
    return OK;
}

static struct status
write_given(struct making *m, const char *path, struct view bytes)
{
    TRY(backup_writer_begin(m->writer, path, bytes.len, m->diag));
    TRY(backup_writer_bytes(m->writer, bytes, m->diag));
    return backup_writer_end(m->writer, m->diag);
}

static struct status
write_tile(struct making *m, const char *path)
{
    DEFER(file_freep) char *audit = file_join(m->w->dir, "audit");
    DEFER(buf_done) struct buf bytes;
    struct tile_id id;
    buf_init(&bytes, TILE_BUNDLE_MAX);
    TRY(tile_parse_path(view_str(strchr(path, '/') + 1), &id));
    TRY(tile_read(audit, &id, m->diag, &bytes));
    return write_given(m, path, buf_view(&bytes));
}

static struct status
copy_bytes(struct making *m, const char *path, int fd, uint64_t size)
{
    uint8_t block[SEAL_CHUNK_BYTES];
    while (size > 0) {
        const ssize_t n = read(fd, block, size < sizeof block ? (size_t)size : sizeof block);
        if (n == 0) {
            diag_set(m->diag, "%s: became shorter while it was read", path);
            FAIL(INTEGRITY);
        }
        if (n < 0 && errno != EINTR) {
            return file_refuse_os(path, errno, m->diag);
        }
        if (n > 0) {
            TRY(backup_writer_bytes(m->writer, view_of(block, (size_t)n), m->diag));
            size -= (uint64_t)n;
        }
    }
    return OK;
}

static struct status
write_file(struct making *m, const char *path)
{
    DEFER(file_freep) char *from = file_join(m->w->dir, path);
    DEFER(file_closep) int fd = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        return file_refuse_os(from, errno, m->diag);
    }
    if (!S_ISREG(st.st_mode)) {
        diag_set(m->diag, "%s: not a regular file", from);
        FAIL(INTEGRITY);
    }
    TRY(backup_writer_begin(m->writer, path, (uint64_t)st.st_size, m->diag));
    TRY(copy_bytes(m, from, fd, (uint64_t)st.st_size));
    return backup_writer_end(m->writer, m->diag);
}

static struct status
write_item(struct making *m, const struct backup_item *item)
{
    TRY(backup_step(m->progress, item->path, m->diag));
    if (item->given) {
        return write_given(m, item->path, buf_view(&item->bytes));
    }
    return strncmp(item->path, "audit/tile/", 11) == 0 ? write_tile(m, item->path)
                                                       : write_file(m, item->path);
}

static struct status
put_sealed(void *ctx, struct view bytes, struct diag *diag)
{
    return seal_writer_put(ctx, bytes, diag);
}

static struct status
make_manifest(const struct workspace *w, const struct checkpoint *c, json_t **ret_manifest)
{
    struct vault_generation all[VAULT_GENERATIONS];
    DEFER(buf_done) struct buf time;
    DEFER(buf_done) struct buf root;
    buf_init(&time, 64);
    buf_init(&root, 128);
    clock_put_rfc3339(&time, clock_wall_ns());
    digest_put_hex(&root, &c->root);
    const size_t n = vault_generations(w->vault, all);
    ASSERT(n > 0);
    json_t *o =
        json_pack("{s:s, s:s, s:s, s:I, s:{s:I, s:s}}", "made", buf_str(&time), "steward",
                  STEWARD_VERSION, "workspace", w->origin, "generation", (json_int_t)all[0].number,
                  "log", "entries", (json_int_t)c->size, "root_sha256", buf_str(&root));
    CHECK(o != NULL, MEMORY);
    *ret_manifest = o;
    return OK;
}

static struct status
write_all(struct making *m, const char *path, const struct checkpoint *c, json_t **ret_manifest)
{
    struct backup_id id;
    DEFER(js_freep) json_t *manifest = NULL;
    const struct view head = buf_view(&m->head);
    backup_id_of(head, &id);
    TRY(seal_writer_open_behind(m->w->vault, path, id.id, head, m->diag, &m->seal));
    TRY(backup_writer_new((struct backup_out){put_sealed, m->seal}, head, &m->writer));
    for (size_t i = 0; i < m->plan.count; i++) {
        TRY(write_item(m, &m->plan.items[i]));
    }
    TRY(make_manifest(m->w, c, &manifest));
    TRY(js_set(manifest, "persons", json_integer((json_int_t)m->persons)));
    TRY(backup_writer_finish(m->writer, manifest, m->diag));
    TRY(seal_writer_finish(MOVE(m->seal), m->diag));
    *ret_manifest = MOVE(manifest);
    return OK;
}

/* ---- the act ---- */

static struct status
make_all(struct making *m, const char *path, json_t **ret_manifest)
{
    struct checkpoint c = {0};
    char reason[256];
    TRY(backup_audit(m->w, ACTION, "a backup begins", m->diag));
    TRY(make_plan(m, &c));
    TRY(write_all(m, path, &c, ret_manifest));
    (void)snprintf(
        reason, sizeof reason,
        "backup made: %lld files, keys of %llu persons, the log up to entry %llu; sha256 %s",
        (long long)json_integer_value(json_object_get(*ret_manifest, "files")),
        (unsigned long long)m->persons, (unsigned long long)c.size,
        json_string_value(json_object_get(*ret_manifest, "sha256")));
    TRY(backup_audit(m->w, ACTION, reason, m->diag));
    /* A store that is busy keeps the older note: policies then think the backup older than it is.
     */
    const struct status noted = policy_note_backup(m->w, NULL);
    (void)noted;
    return OK;
}

/* The policies see the workspace as it will be. */
static struct status
foresee(struct workspace *w, struct diag *diag)
{
    const struct workspace_act act = {.action = ACTION, .resource = "workspace"};
    DEFER(js_freep) json_t *fields = json_pack("{s:o}", "backup.made", js_time(clock_wall_ns()));
    CHECK(fields != NULL, MEMORY);
    return policies_foresee(w, "workspace", "workspace", fields, &act, diag);
}

struct status
backup_create(struct workspace *w, const char *path, const struct backup_progress *p,
              struct diag *diag, json_t **ret_manifest)
{
    DEFER(file_closep) int lock = -1;
    DEFER(making_done) struct making m = {.w = w, .progress = p, .diag = diag};
    DEFER(js_freep) json_t *manifest = NULL;
    struct stat st;
    if (lstat(path, &st) == 0) {
        diag_set(diag, "%s: is there already; a backup is a new file", path);
        FAIL(EXISTS);
    }
    TRY(workspace_lock(w, diag, &lock));
    TRY(foresee(w, diag));
    TRY(workspace_tell_failure(w, ACTION, "workspace", make_all(&m, path, &manifest), diag));
    *ret_manifest = MOVE(manifest);
    return OK;
}
