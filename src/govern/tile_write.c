#include "govern/tile_files.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void
tile_writer_init(struct tile_writer *w, const char *dir, bool *named)
{
    *w = (struct tile_writer){.dir = dir, .folder = TILE_FOLDER, .named = named};
    for (unsigned i = 0; i < TILE_FILES; i++) {
        w->fd[i] = -1;
    }
}

void
tile_writer_done(struct tile_writer *w)
{
    for (unsigned i = 0; i < TILE_FILES; i++) {
        file_closep(&w->fd[i]);
    }
}

static char *
path_of(const struct tile_writer *w, unsigned level)
{
    char name[TILE_PATH_MAX];
    tile_put_file(w->folder, level, name);
    return file_join(w->dir, name);
}

static struct status
make_file(const struct tile_writer *w, const char *path, struct diag *diag, int *ret_fd)
{
    DEFER(file_freep) char *folder = file_join(w->dir, w->folder);
    TRY(file_mkdirs(folder, 0700, diag));
    *ret_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    return *ret_fd < 0 ? file_refuse_os(path, errno, diag) : OK;
}

/* For writing from `at` on: what stands before was there, and covered, or there is nothing yet. */
static struct status
open_to_write(struct tile_writer *w, unsigned level, const char *path, uint64_t at,
              struct diag *diag)
{
    int *fd = &w->fd[level];
    struct stat st;
    if (*fd >= 0) {
        return OK;
    }
    *fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (*fd < 0 && errno == ENOENT && at == 0) {
        return make_file(w, path, diag, fd);
    }
    if (*fd < 0 || fstat(*fd, &st) != 0) {
        return file_refuse_os(path, errno, diag);
    }
    if ((uint64_t)st.st_size < at) {
        diag_set(diag, "%s: byte %lld: the file was cut short", path, (long long)st.st_size);
        FAIL(INTEGRITY);
    }
    return OK;
}

static struct status
write_at(struct tile_writer *w, unsigned level, uint64_t at, struct view bytes, struct diag *diag)
{
    DEFER(file_freep) char *path = path_of(w, level);
    TRY(open_to_write(w, level, path, at, diag));
    w->wet[level] = true;
    return file_write_at(w->fd[level], bytes, at, path, diag);
}

struct status
tile_write_hashes(struct tile_writer *w, const struct tile_id *id, struct view bytes, size_t kept,
                  struct diag *diag)
{
    ASSERT(id->level < MERKLE_LEVELS && kept <= bytes.len);
    return write_at(w, id->level, id->index * TILE_BYTES + kept,
                    view_of(bytes.ptr + kept, bytes.len - kept), diag);
}

/* Many full ones may follow, and a call's sync waits for what is on its way before it. */
static struct status
end_bundle(struct tile_writer *w, uint64_t index, uint64_t begin, uint64_t end, struct diag *diag)
{
    DEFER(file_freep) char *path = path_of(w, TILE_ENTRIES);
    DEFER(buf_done) struct buf b;
    buf_init(&b, sizeof end);
    buf_put_u64be(&b, end);
    TRY(buf_status(&b));
    TRY(file_trickle(w->fd[TILE_ENTRIES], begin, end - begin, path, diag));
    return write_at(w, TILE_ENDS, index * sizeof end, buf_view(&b), diag);
}

struct status
tile_write_bundle(struct tile_writer *w, const struct tile_id *id, uint64_t begin,
                  struct view bytes, size_t kept, struct diag *diag)
{
    ASSERT(id->level == TILE_ENTRIES && kept <= bytes.len);
    TRY(write_at(w, TILE_ENTRIES, begin + kept, view_of(bytes.ptr + kept, bytes.len - kept), diag));
    return id->width == MERKLE_WIDTH ? end_bundle(w, id->index, begin, begin + bytes.len, diag)
                                     : OK;
}

static struct status
sync_names(const struct tile_writer *w, struct diag *diag)
{
    char inside[TILE_PATH_MAX];
    (void)snprintf(inside, sizeof inside, "%s/.", w->folder);
    DEFER(file_freep) char *files = file_join(w->dir, inside);
    DEFER(file_freep) char *folder = file_join(w->dir, w->folder);
    TRY(file_sync_dir(files, diag)); /* it syncs the folder that holds the path */
    return file_sync_dir(folder, diag);
}

/* Whoever else made a file that was written here may not have synced its name yet. */
struct status
tile_flush(struct tile_writer *w, struct diag *diag)
{
    bool all_named = true;
    for (unsigned i = 0; i < TILE_FILES; i++) {
        if (w->wet[i] && fdatasync(w->fd[i]) != 0) {
            const int error = errno;
            DEFER(file_freep) char *path = path_of(w, i);
            return file_refuse_os(path, error, diag);
        }
        all_named = all_named && (!w->wet[i] || w->named[i]);
    }
    if (!all_named) {
        TRY(sync_names(w, diag));
    }
    for (unsigned i = 0; i < TILE_FILES; i++) {
        w->named[i] = w->named[i] || w->wet[i];
        w->wet[i] = false;
    }
    return OK;
}

/* ---- taking over ---- */

static struct status
copy_hashes(struct tile_writer *w, unsigned level, uint64_t size, struct diag *diag)
{
    DEFER(buf_done) struct buf bytes;
    buf_init(&bytes, TILE_BYTES);
    for (uint64_t at = 0; at < tile_level_count(level, size); at += MERKLE_WIDTH) {
        const struct tile_id id = tile_holding(level, at, size);
        buf_reset(&bytes);
        TRY(tile_read(w->dir, &id, diag, &bytes));
        TRY(tile_write_hashes(w, &id, buf_view(&bytes), 0, diag));
    }
    return OK;
}

static struct status
copy_bundles(struct tile_writer *w, uint64_t size, struct diag *diag)
{
    DEFER(buf_done) struct buf bytes;
    uint64_t begin = 0;
    buf_init(&bytes, TILE_BUNDLE_MAX);
    for (uint64_t at = 0; at < size; at += MERKLE_WIDTH) {
        const struct tile_id id = tile_holding(TILE_ENTRIES, at, size);
        buf_reset(&bytes);
        TRY(tile_read(w->dir, &id, diag, &bytes));
        TRY(tile_write_bundle(w, &id, begin, buf_view(&bytes), 0, diag));
        begin += bytes.len;
    }
    return OK;
}

static struct status
copy_all(struct tile_writer *w, uint64_t size, struct diag *diag)
{
    TRY(copy_bundles(w, size, diag));
    for (unsigned level = 0; level < MERKLE_LEVELS; level++) {
        TRY(copy_hashes(w, level, size, diag));
    }
    return tile_flush(w, diag);
}

static void
remove_copy(const struct tile_writer *w)
{
    DEFER(file_freep) char *folder = file_join(w->dir, w->folder);
    for (unsigned i = 0; i < TILE_FILES; i++) {
        DEFER(file_freep) char *path = path_of(w, i);
        (void)unlink(path);
    }
    (void)rmdir(folder);
}

/* Under another name first, so that whoever reads sees all of it or none. Whoever was killed in it
 * has left a part. */
static struct status
copy_beside(const char *dir, const char *tree, uint64_t size, struct diag *diag)
{
    bool named[TILE_FILES] = {false};
    DEFER(file_freep) char *beside = file_join(dir, TILE_FOLDER ".tmp");
    DEFER(tile_writer_done) struct tile_writer w;
    tile_writer_init(&w, dir, named);
    w.folder = TILE_FOLDER ".tmp";
    remove_copy(&w);
    struct status s = copy_all(&w, size, diag);
    if (status_ok(s) && rename(beside, tree) != 0) {
        s = file_refuse_os(tree, errno, diag);
    }
    if (!status_ok(s)) {
        remove_copy(&w);
        diag_prefix(diag, "taking over a file for each tile");
        return s;
    }
    return file_sync_dir(tree, diag);
}

struct status
tile_take_over(const char *dir, uint64_t size, struct diag *diag)
{
    DEFER(file_freep) char *tree = file_join(dir, TILE_FOLDER);
    DEFER(file_freep) char *own = file_join(dir, "tile");
    return size == 0 || file_exists(tree) || !file_exists(own) ? OK
                                                               : copy_beside(dir, tree, size, diag);
}
