#include "govern/tile.h"

#include "base/file.h"
#include "base/random.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GROUPS_MAX 7 /* 3-digit groups of a 64-bit index */
#define TMP ".tmp-"

void
tile_put_path(const struct tile_id *id, char ret_path[static TILE_PATH_MAX])
{
    char part[16];
    unsigned groups[GROUPS_MAX];
    int n = 0;
    uint64_t rest = id->index;
    do {
        groups[n++] = (unsigned)(rest % 1000);
        rest /= 1000;
    } while (rest != 0);
    (void)snprintf(part, sizeof part, id->level == TILE_ENTRIES ? "entries" : "%u", id->level);
    int at = snprintf(ret_path, TILE_PATH_MAX, "tile/%s", part);
    while (n-- > 0) {
        at += snprintf(ret_path + at, TILE_PATH_MAX - (size_t)at, n > 0 ? "/x%03u" : "/%03u",
                       groups[n]);
    }
    if (id->width < MERKLE_WIDTH) {
        (void)snprintf(ret_path + at, TILE_PATH_MAX - (size_t)at, ".p/%u", id->width);
    }
}

static uint64_t
digits(struct reader *r, size_t most)
{
    uint64_t v = 0;
    size_t n = 0;
    while (reader_left(r) > 0 && n < most) {
        const uint8_t c = r->v.ptr[r->pos];
        if (c < '0' || c > '9') {
            break;
        }
        v = v * 10 + (uint64_t)(c - '0');
        r->pos++;
        n++;
    }
    r->bad = r->bad || n == 0;
    return v;
}

static bool
take(struct reader *r, const char *word)
{
    const size_t n = strlen(word);
    if (r->bad || reader_left(r) < n || memcmp(r->v.ptr + r->pos, word, n) != 0) {
        return false;
    }
    r->pos += n;
    return true;
}

static uint64_t
parse_index(struct reader *r)
{
    uint64_t index = 0;
    for (int group = 0; group < GROUPS_MAX; group++) {
        const bool more = take(r, "x");
        const uint64_t v = digits(r, 3);
        if (index > (UINT64_MAX - v) / 1000) {
            break;
        }
        index = index * 1000 + v;
        if (!more) {
            return index;
        }
        r->bad = r->bad || !take(r, "/");
    }
    r->bad = true;
    return 0;
}

/* Reads leniently, then compares with the one canonical spelling of what was read. */
struct status
tile_parse_path(struct view path, struct tile_id *ret_id)
{
    char canonical[TILE_PATH_MAX];
    struct tile_id id = {.width = MERKLE_WIDTH};
    struct reader r = reader_of(path);
    CHECK(take(&r, "tile/"), INPUT);
    if (take(&r, "entries")) {
        id.level = TILE_ENTRIES;
    } else {
        id.level = (unsigned)digits(&r, 2);
        CHECK(id.level < MERKLE_LEVELS, INPUT);
    }
    CHECK(take(&r, "/"), INPUT);
    id.index = parse_index(&r);
    if (take(&r, ".p/")) {
        id.width = (unsigned)digits(&r, 3);
        CHECK(id.width >= 1 && id.width < MERKLE_WIDTH, INPUT);
    }
    CHECK(!r.bad, INPUT);
    tile_put_path(&id, canonical);
    CHECK(view_equal_str(path, canonical), INPUT);
    *ret_id = id;
    return OK;
}

struct tile_id
tile_holding(unsigned level, uint64_t at, uint64_t size)
{
    const uint64_t count = level == TILE_ENTRIES ? size : size >> (8 * level);
    struct tile_id id = {.level = level, .index = at >> 8, .width = MERKLE_WIDTH};
    if (id.index == count >> 8) {
        id.width = (unsigned)(count & 255);
    }
    return id;
}

struct status
tile_read_raw(const char *dir, const struct tile_id *id, struct diag *diag, struct buf *ret_bytes)
{
    char name[TILE_PATH_MAX];
    tile_put_path(id, name);
    DEFER(file_freep) char *path = file_join(dir, name);
    const size_t max = id->level == TILE_ENTRIES ? TILE_BUNDLE_MAX : TILE_BYTES;
    const struct status s = file_read(path, max, NULL, ret_bytes);
    if (s.code == STATUS_NOT_FOUND) {
        diag_set(diag, "%s: byte 0: the file is missing", name);
    } else if (s.code == STATUS_LIMIT) {
        diag_set(diag, "%s: byte %zu: longer than any such file can be", name, max);
        FAIL(INTEGRITY);
    } else if (!status_ok(s)) {
        diag_set(diag, "%s: %s", name, strerror(s.os));
    }
    return s;
}

bool
tile_next_entry(struct reader *r, struct view *ret_entry)
{
    if (reader_left(r) == 0) {
        return false;
    }
    const size_t n = reader_u16be(r);
    const struct view entry = reader_bytes(r, n);
    if (r->bad) {
        return false;
    }
    *ret_entry = entry;
    return true;
}

/* How many bytes the first `width` entries take; more than there are when they end early. */
static size_t
bundle_length(struct view bytes, unsigned width)
{
    struct reader r = reader_of(bytes);
    struct view entry;
    for (unsigned i = 0; i < width; i++) {
        if (!tile_next_entry(&r, &entry)) {
            return bytes.len + 1;
        }
    }
    return r.pos;
}

struct status
tile_read(const char *dir, const struct tile_id *id, struct diag *diag, struct buf *ret_bytes)
{
    DEFER(buf_done) struct buf b;
    char name[TILE_PATH_MAX];
    struct tile_id from = *id;
    buf_init(&b, TILE_BUNDLE_MAX);
    struct status s = tile_read_raw(dir, &from, diag, &b);
    if (s.code == STATUS_NOT_FOUND && id->width < MERKLE_WIDTH) {
        from.width = MERKLE_WIDTH;
        s = tile_read_raw(dir, &from, NULL, &b);
    }
    if (s.code == STATUS_NOT_FOUND) {
        FAIL(INTEGRITY);
    }
    TRY(s);
    const size_t want = id->level == TILE_ENTRIES ? bundle_length(buf_view(&b), id->width)
                                                  : (size_t)id->width * DIGEST_BYTES;
    if (b.len < want || (from.width == id->width && b.len != want)) {
        tile_put_path(&from, name);
        diag_set(diag, "%s: byte %zu: %s", name, b.len < want ? b.len : want,
                 b.len < want ? "the file was cut short" : "bytes after the end");
        FAIL(INTEGRITY);
    }
    buf_put(ret_bytes, view_of(b.ptr, want));
    return buf_status(ret_bytes);
}

void
tile_writer_init(struct tile_writer *w, const char *dir)
{
    *w = (struct tile_writer){.dir = dir};
    buf_init(&w->folders, 1u << 20);
    buf_init(&w->waiting, 64u << 20);
}

/* Next of the files that wait for their names; NULL behind the last. */
static const char *
next_waiting(const struct tile_writer *w, size_t *at)
{
    const char *name = *at < w->waiting.len ? (const char *)w->waiting.ptr + *at : NULL;
    *at += name == NULL ? 0 : strlen(name) + 1;
    return name;
}

void
tile_writer_done(struct tile_writer *w)
{
    size_t at = 0;
    for (const char *tmp = next_waiting(w, &at); tmp != NULL; tmp = next_waiting(w, &at)) {
        DEFER(file_freep) char *path = file_join(w->dir, tmp);
        (void)unlink(path);
    }
    buf_done(&w->folders);
    buf_done(&w->waiting);
}

static bool
has_folder(const struct buf *folders, const char *path)
{
    for (size_t at = 0; at < folders->len; at += strlen((const char *)folders->ptr + at) + 1) {
        if (strcmp((const char *)folders->ptr + at, path) == 0) {
            return true;
        }
    }
    return false;
}

static bool
is_known(const struct tile_folders *known, const char *path)
{
    for (unsigned i = 0; known != NULL && i < TILE_FOLDERS_MAX; i++) {
        if (strcmp(known->path[i], path) == 0) {
            return true;
        }
    }
    return false;
}

/* Of a folder that was synced, those above it were too, or were known to be on disk. */
static void
learn_folder(struct tile_folders *known, const char *path)
{
    if (known != NULL && !is_known(known, path)) {
        text_copy(known->path[known->next], TILE_PATH_MAX, path);
        known->next = (known->next + 1) % TILE_FOLDERS_MAX;
    }
}

/* Remembers the folder of name (relative to the log's) and every one above it, so that flush makes
 * new folders durable too; of one that is known to be, that one alone. */
static void
touch_folders(struct tile_writer *w, const char *name, bool made)
{
    char path[TILE_PATH_MAX];
    bool known = false;
    (void)snprintf(path, sizeof path, "%s", name);
    for (char *slash = strrchr(path, '/'); slash != NULL && !known; slash = strrchr(path, '/')) {
        *slash = '\0';
        known = !made && is_known(w->known, path);
        made = false; /* those above it were there, or nobody knows them */
        if (!has_folder(&w->folders, path)) {
            buf_put(&w->folders, view_of(path, strlen(path) + 1));
        }
    }
    if (known) {
        return;
    }
    if (!has_folder(&w->folders, ".")) {
        buf_put(&w->folders, view_of(".", 2));
    }
}

static struct status
open_tmp(const char *path, struct diag *diag, int *ret_fd, bool *ret_made)
{
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
    int fd = open(path, flags, 0600);
    *ret_made = fd < 0 && errno == ENOENT;
    if (*ret_made) {
        DEFER(file_freep) char *folder = strdup(path);
        CHECK(folder != NULL, MEMORY);
        *strrchr(folder, '/') = '\0';
        TRY(file_mkdirs(folder, 0700, diag));
        fd = open(path, flags, 0600);
    }
    if (fd < 0) {
        const int error = errno;
        diag_set(diag, "%s: %s", path, strerror(error));
        FAIL_OS(error);
    }
    *ret_fd = fd;
    return OK;
}

static struct status
os_failure(const char *path, struct diag *diag)
{
    const int error = errno;
    diag_set(diag, "%s: %s", path, strerror(error));
    FAIL_OS(error);
}

/* full: many of them may follow, and a call's sync waits for what is on its way before it. */
static struct status
write_file(const char *path, struct view bytes, bool full, struct diag *diag, bool *ret_made)
{
    DEFER(file_closep) int fd = -1;
    TRY(open_tmp(path, diag, &fd, ret_made));
    TRY(file_write_all(fd, bytes, path, diag));
    return full ? file_trickle(fd, bytes.len, path, diag) : OK;
}

struct status
tile_write(struct tile_writer *w, const struct tile_id *id, struct view bytes, struct diag *diag)
{
    char name[TILE_PATH_MAX];
    char tmp[TILE_PATH_MAX + 32];
    uint64_t unique = 0; /* another process may be writing the same tile */
    bool made = false;
    random_name_bytes(&unique, sizeof unique);
    tile_put_path(id, name);
    (void)snprintf(tmp, sizeof tmp, "%s" TMP "%016llx", name, (unsigned long long)unique);
    DEFER(file_freep) char *path = file_join(w->dir, tmp);
    buf_put(&w->waiting, view_of(tmp, strlen(tmp) + 1));
    TRY(buf_status(&w->waiting));
    TRY(write_file(path, bytes, id->width == MERKLE_WIDTH, diag, &made));
    touch_folders(w, name, made);
    return buf_status(&w->folders);
}

/* One by one: syncfs would wait for whatever else is written on this disk. */
static struct status
sync_waiting(const struct tile_writer *w, struct diag *diag)
{
    size_t at = 0;
    for (const char *tmp = next_waiting(w, &at); tmp != NULL; tmp = next_waiting(w, &at)) {
        DEFER(file_freep) char *path = file_join(w->dir, tmp);
        DEFER(file_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0 || fdatasync(fd) != 0) {
            return os_failure(path, diag);
        }
    }
    return OK;
}

static struct status
name_waiting(struct tile_writer *w, struct diag *diag)
{
    size_t at = 0;
    for (const char *tmp = next_waiting(w, &at); tmp != NULL; tmp = next_waiting(w, &at)) {
        DEFER(file_freep) char *from = file_join(w->dir, tmp);
        DEFER(file_freep) char *to = file_join(w->dir, tmp);
        *strstr(to + strlen(w->dir), TMP) = '\0';
        if (rename(from, to) != 0) {
            return os_failure(to, diag);
        }
    }
    buf_reset(&w->waiting);
    return OK;
}

struct status
tile_flush(struct tile_writer *w, struct diag *diag)
{
    const struct buf *f = &w->folders;
    TRY(sync_waiting(w, diag));
    TRY(name_waiting(w, diag));
    for (size_t at = 0; at < f->len; at += strlen((const char *)f->ptr + at) + 1) {
        DEFER(file_freep) char *folder = file_join(w->dir, (const char *)f->ptr + at);
        DEFER(file_freep) char *inside = file_join(folder, ".");
        TRY(file_sync_dir(inside, diag)); /* it syncs the folder that holds the path */
    }
    for (size_t at = 0; at < f->len; at += strlen((const char *)f->ptr + at) + 1) {
        learn_folder(w->known, (const char *)f->ptr + at);
    }
    buf_reset(&w->folders);
    return OK;
}

/* The folder of a tile's partial versions: "...p". */
static char *
partials_folder(const char *dir, unsigned level, uint64_t index)
{
    const struct tile_id id = {.level = level, .index = index, .width = 1};
    char name[TILE_PATH_MAX];
    tile_put_path(&id, name);
    *strrchr(name, '/') = '\0';
    return file_join(dir, name);
}

static void
remove_folder(const char *path)
{
    DIR *folder = opendir(path);
    if (folder == NULL) {
        return;
    }
    for (const struct dirent *d = readdir(folder); d != NULL; d = readdir(folder)) {
        if (d->d_name[0] != '.') {
            (void)unlinkat(dirfd(folder), d->d_name, 0);
        }
    }
    (void)closedir(folder);
    (void)rmdir(path);
}

void
tile_prune(const char *dir, uint64_t old, uint64_t now)
{
    for (unsigned level = 0; level <= TILE_ENTRIES; level++) {
        const unsigned l = level == TILE_ENTRIES ? 0 : level;
        if (merkle_index(old, l) != merkle_index(now, l)) {
            DEFER(file_freep) char *path = partials_folder(dir, level, merkle_index(old, l));
            remove_folder(path);
        }
    }
}

static struct status
load_tile(struct tile_source *s, const struct tile_id *id)
{
    DEFER(buf_done) struct buf b;
    buf_init(&b, TILE_BYTES);
    s->have[id->level].width = 0;
    TRY(tile_read(s->dir, id, s->diag, &b));
    memcpy(s->tiles[id->level], b.ptr, b.len);
    s->have[id->level] = *id;
    return OK;
}

struct status
tile_node(void *source, unsigned level, uint64_t index, struct digest *ret_hash)
{
    struct tile_source *s = source;
    const unsigned step = level % 8;
    const uint64_t first = index << step;
    const struct tile_id id = tile_holding(level / 8, first, s->size);
    const struct tile_id *have = &s->have[id.level];
    if (have->width != id.width || have->index != id.index) {
        TRY(load_tile(s, &id));
    }
    merkle_root(&s->tiles[id.level][first & 255], (size_t)1 << step, ret_hash);
    return OK;
}
