#include "govern/tile_files.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUNDLE_STEP (128u << 10) /* read at once of a bundle whose end is not known */
#define GROUPS_MAX 7             /* 3-digit groups of a 64-bit index */

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

uint64_t
tile_level_count(unsigned level, uint64_t size)
{
    return level == TILE_ENTRIES ? size : size >> (8 * level);
}

struct tile_id
tile_holding(unsigned level, uint64_t at, uint64_t size)
{
    const uint64_t count = tile_level_count(level, size);
    struct tile_id id = {.level = level, .index = at >> 8, .width = MERKLE_WIDTH};
    if (id.index == count >> 8) {
        id.width = (unsigned)(count & 255);
    }
    return id;
}

bool
tile_is_within(const struct tile_id *id, uint64_t size)
{
    const uint64_t count = tile_level_count(id->level, size);
    return id->index < count >> 8 || (id->index == count >> 8 && id->width <= (count & 255));
}

/* Where it was found. */
struct found {
    struct tile_place place;
    size_t length; /* that it must have; 0: its own entries tell */
    bool own;      /* in a file of its own */
};

/* ---- a file for each tile ---- */

static struct status
read_own_file(const char *dir, const struct tile_id *id, struct diag *diag, struct buf *ret_bytes)
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

/* A partial one that is gone is the beginning of the full one. */
static struct status
read_own(const char *dir, const struct tile_id *id, struct diag *diag, struct found *ret_found,
         struct buf *ret_bytes)
{
    struct tile_id from = *id;
    struct status s = read_own_file(dir, &from, diag, ret_bytes);
    if (s.code == STATUS_NOT_FOUND && id->width < MERKLE_WIDTH) {
        from.width = MERKLE_WIDTH;
        s = read_own_file(dir, &from, NULL, ret_bytes);
    }
    *ret_found = (struct found){.own = true};
    ret_found->length = from.width == id->width ? ret_bytes->len : 0;
    tile_put_path(&from, ret_found->place.file);
    return s;
}

/* ---- the files of the tree ---- */

void
tile_put_file(const char *folder, unsigned level, char ret_name[static TILE_PATH_MAX])
{
    if (level < MERKLE_LEVELS) {
        (void)snprintf(ret_name, TILE_PATH_MAX, "%s/hashes.%u", folder, level);
    } else {
        (void)snprintf(ret_name, TILE_PATH_MAX, "%s/%s", folder,
                       level == TILE_ENTRIES ? "entries" : "ends");
    }
}

/* At most n bytes from `at` on, fewer at the file's end. */
static struct status
read_at(int fd, const char *name, uint64_t at, size_t n, struct diag *diag, struct buf *ret_bytes)
{
    const size_t before = ret_bytes->len;
    uint8_t *p = buf_extend(ret_bytes, n);
    size_t got = 0;
    ssize_t more = 1;
    TRY(buf_status(ret_bytes));
    while (got < n && more != 0) {
        more = pread(fd, p + got, n - got, (off_t)(at + got));
        if (more < 0 && errno != EINTR) {
            const int error = errno;
            buf_cut(ret_bytes, before);
            diag_set(diag, "%s: %s", name, strerror(error));
            FAIL_OS(error);
        }
        got += more > 0 ? (size_t)more : 0;
    }
    buf_cut(ret_bytes, before + got);
    return OK;
}

static struct status
cut_short(const char *name, uint64_t at, struct diag *diag)
{
    diag_set(diag, "%s: byte %llu: the file was cut short", name, (unsigned long long)at);
    FAIL(INTEGRITY);
}

static struct status
read_end(int ends, const char *name, uint64_t index, struct diag *diag, uint64_t *ret_end)
{
    DEFER(buf_done) struct buf b;
    buf_init(&b, sizeof *ret_end);
    TRY(read_at(ends, name, index * sizeof *ret_end, sizeof *ret_end, diag, &b));
    if (b.len < sizeof *ret_end) {
        return cut_short(name, index * sizeof *ret_end + b.len, diag);
    }
    struct reader r = reader_of(buf_view(&b));
    *ret_end = reader_u64be(&r);
    if (*ret_end > INT64_MAX - 2ull * TILE_BUNDLE_MAX) {
        diag_set(diag, "%s: byte %llu: no bundle can end there", name,
                 (unsigned long long)(index * sizeof *ret_end));
        FAIL(INTEGRITY);
    }
    return OK;
}

/* ends: may be closed (-1) for the first. */
static struct status
read_begin(int ends, const char *name, uint64_t index, struct diag *diag, uint64_t *ret_at)
{
    *ret_at = 0;
    return index == 0 ? OK : read_end(ends, name, index - 1, diag, ret_at);
}

/* Where a bundle lies; its length, or 0 for a partial one's, which nothing tells but its entries.
 */
static struct status
bundle_range(int ends, const struct tile_id *id, struct diag *diag, uint64_t *ret_at,
             size_t *ret_length)
{
    char name[TILE_PATH_MAX];
    uint64_t end = 0;
    tile_put_file(TILE_FOLDER, TILE_ENDS, name);
    *ret_length = 0;
    TRY(read_begin(ends, name, id->index, diag, ret_at));
    if (id->width < MERKLE_WIDTH) {
        return OK;
    }
    TRY(read_end(ends, name, id->index, diag, &end));
    if (end <= *ret_at || end - *ret_at > TILE_BUNDLE_MAX) {
        diag_set(diag, "%s: byte %llu: no bundle can end there", name,
                 (unsigned long long)(id->index * sizeof end));
        FAIL(INTEGRITY);
    }
    *ret_length = (size_t)(end - *ret_at);
    return OK;
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

/* Only a file: somebody else's folder may have a pipe there, which nobody writes to. */
static struct status
open_to_read(const char *dir, unsigned level, struct diag *diag, int *ret_fd)
{
    char name[TILE_PATH_MAX];
    struct stat st;
    tile_put_file(TILE_FOLDER, level, name);
    DEFER(file_freep) char *path = file_join(dir, name);
    const bool found = lstat(path, &st) == 0;
    if (found && !S_ISREG(st.st_mode)) {
        diag_set(diag, "%s: byte 0: it is no file", name);
        FAIL(INTEGRITY);
    }
    *ret_fd = found ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
    const int error = errno;
    if (*ret_fd >= 0) {
        return OK;
    }
    if (error == ENOENT) {
        diag_set(diag, "%s: byte 0: the file is missing", name);
        FAIL(NOT_FOUND);
    }
    diag_set(diag, "%s: %s", name, strerror(error));
    FAIL_OS(error);
}

struct status
tile_bundle_begins(const char *dir, uint64_t index, struct diag *diag, uint64_t *ret_at)
{
    char name[TILE_PATH_MAX];
    DEFER(file_closep) int ends = -1;
    tile_put_file(TILE_FOLDER, TILE_ENDS, name);
    if (index > 0) {
        TRY(open_to_read(dir, TILE_ENDS, diag, &ends));
    }
    return read_begin(ends, name, index, diag, ret_at);
}

/* Until it has the entries, or the file ends. ret_bytes: empty. */
static struct status
read_entries(int fd, const char *name, uint64_t at, unsigned width, struct diag *diag,
             struct buf *ret_bytes)
{
    size_t before = 0;
    do {
        before = ret_bytes->len;
        TRY(read_at(fd, name, at + before, BUNDLE_STEP, diag, ret_bytes));
    } while (ret_bytes->len == before + BUNDLE_STEP &&
             bundle_length(buf_view(ret_bytes), width) > ret_bytes->len);
    return OK;
}

static struct status
read_bundle(const char *dir, const struct tile_id *id, bool to_its_end, struct diag *diag,
            struct found *ret_found, struct buf *ret_bytes)
{
    struct tile_place *place = &ret_found->place;
    DEFER(file_closep) int ends = -1;
    DEFER(file_closep) int fd = -1;
    TRY(open_to_read(dir, TILE_ENTRIES, diag, &fd));
    if (id->index > 0 || id->width == MERKLE_WIDTH) {
        TRY(open_to_read(dir, TILE_ENDS, diag, &ends));
    }
    TRY(bundle_range(ends, id, diag, &place->at, &ret_found->length));
    if (to_its_end && ret_found->length > 0) {
        return read_at(fd, place->file, place->at, ret_found->length, diag, ret_bytes);
    }
    return read_entries(fd, place->file, place->at, id->width, diag, ret_bytes);
}

static struct status
read_from_tree(const char *dir, const struct tile_id *id, bool to_its_end, struct diag *diag,
               struct found *ret_found, struct buf *ret_bytes)
{
    *ret_found = (struct found){.own = false};
    tile_put_file(TILE_FOLDER, id->level, ret_found->place.file);
    if (id->level == TILE_ENTRIES) {
        return read_bundle(dir, id, to_its_end, diag, ret_found, ret_bytes);
    }
    DEFER(file_closep) int fd = -1;
    ret_found->place.at = id->index * TILE_BYTES;
    ret_found->length = (size_t)id->width * DIGEST_BYTES;
    TRY(open_to_read(dir, id->level, diag, &fd));
    return read_at(fd, ret_found->place.file, ret_found->place.at, ret_found->length, diag,
                   ret_bytes);
}

/* ---- either ---- */

static bool
has(const char *dir, const char *name)
{
    DEFER(file_freep) char *path = file_join(dir, name);
    return file_exists(path);
}

static bool
has_own_files(const char *dir)
{
    return !has(dir, TILE_FOLDER) && has(dir, "tile");
}

static struct status
read_either(const char *dir, const struct tile_id *id, bool to_its_end, struct diag *diag,
            struct found *ret_found, struct buf *ret_bytes)
{
    return has_own_files(dir) ? read_own(dir, id, diag, ret_found, ret_bytes)
                              : read_from_tree(dir, id, to_its_end, diag, ret_found, ret_bytes);
}

void
tile_find(const char *dir, const struct tile_id *id, struct tile_place *ret_place)
{
    DEFER(buf_done) struct buf b;
    struct found found;
    buf_init(&b, TILE_BUNDLE_MAX);
    const struct status s = read_either(dir, id, true, NULL, &found, &b);
    (void)s.code; /* the place is told as far as it is known */
    *ret_place = found.place;
}

struct status
tile_read_raw(const char *dir, const struct tile_id *id, struct diag *diag, struct buf *ret_bytes)
{
    struct found found;
    return read_either(dir, id, false, diag, &found, ret_bytes);
}

/* What was found, and is there as far as `length`, has `want` bytes by its own account. */
static struct status
refuse_length(const struct found *f, const struct tile_id *id, size_t want, struct diag *diag)
{
    char ends[TILE_PATH_MAX];
    if (f->own) {
        diag_set(diag, "%s: byte %zu: bytes after the end", f->place.file, want);
        FAIL(INTEGRITY);
    }
    tile_put_file(TILE_FOLDER, TILE_ENDS, ends);
    diag_set(diag, "%s: byte %llu: the bundle's entries do not end where %s byte %llu says",
             f->place.file, (unsigned long long)f->place.at, ends,
             (unsigned long long)(id->index * sizeof(uint64_t)));
    FAIL(INTEGRITY);
}

struct status
tile_read(const char *dir, const struct tile_id *id, struct diag *diag, struct buf *ret_bytes)
{
    DEFER(buf_done) struct buf b;
    struct found f;
    buf_init(&b, TILE_BUNDLE_MAX + BUNDLE_STEP);
    const struct status s = read_either(dir, id, true, diag, &f, &b);
    if (s.code == STATUS_NOT_FOUND) {
        FAIL(INTEGRITY);
    }
    TRY(s);
    const size_t want = id->level == TILE_ENTRIES ? bundle_length(buf_view(&b), id->width)
                                                  : (size_t)id->width * DIGEST_BYTES;
    if (b.len < want && (f.own || f.length == 0 || b.len != f.length)) {
        return cut_short(f.place.file, f.place.at + b.len, diag);
    }
    if (f.length != 0 && f.length != want) {
        return refuse_length(&f, id, want, diag);
    }
    buf_put(ret_bytes, view_of(b.ptr, want));
    return buf_status(ret_bytes);
}

/* ---- nodes ---- */

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
