#include "govern/journal_file.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PENDING_MAX (256u << 20) /* journal bytes that may wait for integration */
#define PADDING_LEAST (64u << 10)
#define PADDING_MOST (1u << 20)
#define KEPT_BYTES (256u << 10) /* of the records' memory, in any case */
#define KEPT_MOST (32u << 20)   /* while it is in use, until nothing is written for a while */

void
journal_file_init(struct journal_file *j, const char *dir)
{
    *j = (struct journal_file){.path = file_join(dir, "journal"), .fd = -1};
    buf_init(&j->records, JOURNAL_MAX);
}

void
journal_file_done(struct journal_file *j)
{
    file_closep(&j->fd);
    buf_done(&j->records);
    free(j->path);
}

static struct status
os_failure(const struct journal_file *j, int error, struct diag *diag)
{
    diag_set(diag, "%s: %s", j->path, strerror(error));
    FAIL_OS(error);
}

static off_t
known_length(const struct journal_file *j)
{
    return (off_t)(JOURNAL_HEADER_BYTES + j->records.len);
}

/* ---- reading ---- */

static struct status
check_length(off_t length, struct diag *diag)
{
    if (length > (off_t)JOURNAL_MAX) {
        diag_set(diag, "journal: byte %u: longer than a journal can be", JOURNAL_MAX);
        FAIL(INTEGRITY);
    }
    return OK;
}

static struct status
attach(struct journal_file *j, struct diag *diag, off_t *ret_length)
{
    struct stat st;
    file_closep(&j->fd);
    j->fd = open(j->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (j->fd < 0 && errno == ENOENT) {
        diag_set(diag, "journal: byte 0: the file is missing");
        FAIL(INTEGRITY);
    }
    if (j->fd < 0 || fstat(j->fd, &st) != 0) {
        return os_failure(j, errno, diag);
    }
    TRY(check_length(st.st_size, diag));
    j->device = st.st_dev;
    j->inode = st.st_ino;
    j->length = st.st_size;
    *ret_length = st.st_size;
    return OK;
}

static struct status
read_range(const struct journal_file *j, off_t from, off_t to, struct diag *diag,
           struct buf *ret_bytes)
{
    uint8_t *p = buf_extend(ret_bytes, (size_t)(to - from));
    TRY(buf_status(ret_bytes));
    while (from < to) {
        const ssize_t n = pread(j->fd, p, (size_t)(to - from), from);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return os_failure(j, n < 0 ? errno : EIO, diag);
        }
        p += n;
        from += n;
    }
    return OK;
}

/* What a burst, or a time without publications, has taken is given back. Under load the same is
 * needed again at once, and new pages cost more than writing to them. */
static void
empty(struct buf *b)
{
    if (b->cap > KEPT_MOST || (b->cap > KEPT_BYTES && b->len < b->cap / 8)) {
        buf_done(b);
        buf_init(b, JOURNAL_MAX);
    } else {
        buf_reset(b);
    }
}

static void
begin_empty(struct journal_file *j, const struct digest *chain)
{
    j->chain = *chain;
    j->count = 0;
    empty(&j->records);
}

void
journal_file_rest(struct journal_file *j)
{
    if (j->records.len == 0) {
        empty(&j->records);
    }
}

struct status
journal_file_load(struct journal_file *j, struct diag *diag, struct journal_header *ret_header,
                  struct buf *ret_records)
{
    DEFER(buf_done) struct buf head;
    struct journal_header h;
    off_t length = 0;
    buf_init(&head, JOURNAL_HEADER_BYTES);
    TRY(attach(j, diag, &length));
    const off_t split = length < (off_t)JOURNAL_HEADER_BYTES ? length : (off_t)JOURNAL_HEADER_BYTES;
    TRY(read_range(j, 0, split, diag, &head));
    const struct status s = journal_read_header(buf_view(&head), diag, &h);
    if (!status_ok(s)) {
        diag_prefix(diag, "journal");
        return s;
    }
    TRY(read_range(j, split, length, diag, ret_records));
    begin_empty(j, &h.chain);
    j->padded = h.padded;
    *ret_header = h;
    return OK;
}

bool
journal_file_same(const struct journal_file *j)
{
    struct stat st;
    return stat(j->path, &st) == 0 && st.st_ino == j->inode && st.st_dev == j->device;
}

/* A batch begins with no zero: its first record says that it is the first. */
static struct status
ends_here(const struct journal_file *j, struct diag *diag, bool *ret_ends)
{
    DEFER(buf_done) struct buf byte;
    const off_t at = known_length(j);
    buf_init(&byte, 1);
    *ret_ends = j->length == at;
    if (j->padded && j->length > at) {
        TRY(read_range(j, at, at + 1, diag, &byte));
        *ret_ends = byte.ptr[0] == 0;
    }
    return OK;
}

struct status
journal_file_tail(struct journal_file *j, struct diag *diag, struct buf *ret_records)
{
    struct stat st;
    bool ends = false;
    if (fstat(j->fd, &st) != 0) {
        return os_failure(j, errno, diag);
    }
    if (st.st_size < known_length(j)) {
        diag_set(diag, "journal: byte %lld: durable entries were cut off", (long long)st.st_size);
        FAIL(INTEGRITY);
    }
    TRY(check_length(st.st_size, diag));
    j->length = st.st_size;
    TRY(ends_here(j, diag, &ends));
    return ends ? OK : read_range(j, known_length(j), j->length, diag, ret_records);
}

struct status
journal_file_accept(struct journal_file *j, struct view bytes, const struct journal_scan *scan,
                    struct diag *diag)
{
    if (scan->count == 0) {
        return OK;
    }
    if (fdatasync(j->fd) != 0) {
        return os_failure(j, errno, diag);
    }
    if (buf_reserve(&j->records, scan->end) == NULL) {
        j->records.failed = 0;
        diag_set(diag, "journal: more waits for integration than fits into memory");
        FAIL(MEMORY);
    }
    buf_put(&j->records, view_of(bytes.ptr, scan->end));
    j->count += scan->count;
    j->chain = scan->chain;
    return OK;
}

/* ---- writing ---- */

struct status
journal_file_cut(struct journal_file *j, struct diag *diag)
{
    if (ftruncate(j->fd, known_length(j)) != 0 || fdatasync(j->fd) != 0) {
        return os_failure(j, errno, diag);
    }
    j->length = known_length(j);
    return OK;
}

/* Behind the records that are there; there is room. */
static void
encode(struct journal_file *j, struct view entries, uint64_t count, struct digest *chain)
{
    struct reader r = reader_of(entries);
    for (uint64_t i = 0; i < count; i++) {
        const uint32_t n = reader_u32be(&r);
        journal_put_record(&j->records, reader_bytes(&r, n), i == 0, chain);
    }
    ASSERT(!r.bad && reader_left(&r) == 0 && j->records.failed == 0);
}

/* Zeros behind a batch that has just been written, as many again as there are records, so that most
 * batches change neither the file's length nor where it lies, and a sync has only their bytes to
 * write. Where there is no room for zeros, there was for the batch. A journal's first entry, which
 * is mostly the only one of its process, does without. */
static void
pad(struct journal_file *j)
{
    static const uint8_t zeros[PADDING_MOST];
    const off_t end = known_length(j);
    const size_t n = j->records.len < PADDING_LEAST  ? PADDING_LEAST
                     : j->records.len > PADDING_MOST ? PADDING_MOST
                                                     : j->records.len;
    if (j->padded && j->count > 0 && end > j->length &&
        status_ok(file_write_all(j->fd, view_of(zeros, n), j->path, NULL))) {
        j->length = end + (off_t)n;
    }
}

/* The records from byte `from` on. */
static struct status
write_batch(struct journal_file *j, size_t from, struct diag *diag)
{
    const struct view batch = view_of(j->records.ptr + from, j->records.len - from);
    if (lseek(j->fd, known_length(j) - (off_t)batch.len, SEEK_SET) < 0) {
        return os_failure(j, errno, diag);
    }
    TRY(file_write_all(j->fd, batch, j->path, diag));
    pad(j);
    if (fdatasync(j->fd) != 0) {
        return os_failure(j, errno, diag);
    }
    return OK;
}

struct status
journal_file_append(struct journal_file *j, struct view entries, uint64_t count, struct diag *diag,
                    bool *ret_lost)
{
    const size_t before = j->records.len, most = entries.len + count * JOURNAL_RECORD_BYTES;
    struct digest chain = j->chain;
    if (before + most > PENDING_MAX) {
        diag_set(diag, "journal: %u MiB wait for integration, which fails or is too slow",
                 PENDING_MAX >> 20);
        FAIL(LIMIT);
    }
    if (buf_reserve(&j->records, most) == NULL) {
        j->records.failed = 0;
        FAIL(MEMORY);
    }
    encode(j, entries, count, &chain);
    const struct status s = write_batch(j, before, diag);
    if (!status_ok(s)) {
        buf_cut(&j->records, before);
        *ret_lost = !status_ok(journal_file_cut(j, NULL));
        return s;
    }
    j->count += count;
    j->chain = chain;
    return OK;
}

struct status
journal_file_restart(struct journal_file *j, uint64_t base, const struct digest *root,
                     struct view records, struct diag *diag, int *ret_old)
{
    DEFER(buf_done) struct buf file;
    struct journal_header h;
    off_t length = 0;
    buf_init(&file, JOURNAL_MAX);
    (void)buf_reserve(&file, JOURNAL_HEADER_BYTES + records.len);
    journal_put_header(&file, base, root);
    TRY(buf_status(&file));
    TRY(journal_read_header(buf_view(&file), diag, &h));
    struct digest chain = h.chain;
    const uint64_t count = journal_rechain(records, &chain, &file);
    TRY(buf_status(&file));
    TRY(file_replace(j->path, buf_view(&file), 0600, diag));
    *ret_old = j->fd;
    j->fd = -1;
    TRY(attach(j, diag, &length));
    begin_empty(j, &chain);
    j->padded = true;
    buf_put(&j->records, view_of(file.ptr + JOURNAL_HEADER_BYTES, file.len - JOURNAL_HEADER_BYTES));
    j->count = count;
    return buf_status(&j->records);
}
