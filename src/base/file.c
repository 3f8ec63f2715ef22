#include "base/file.h"

#include "base/outputs.h"
#include "base/random.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define TRICKLE_BYTES (64 << 10)

void
file_closep(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
        *fd = -1;
    }
}

void
file_freep(char **text)
{
    free(*text);
    *text = NULL;
}

char *
file_join(const char *dir, const char *name)
{
    char *path = NULL;
    ASSERT(asprintf(&path, "%s/%s", dir, name) > 0);
    return path;
}

bool
file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

bool
file_is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

struct status
file_refuse_os(const char *path, int err, struct diag *diag)
{
    diag_set(diag, "%s: %s", path, strerror(err));
    FAIL_OS(err);
}

struct status
file_refuse(const char *path, int err, struct diag *diag)
{
    const struct status s = file_refuse_os(path, err, diag);
    CHECK(err != ENOENT && err != ENOTDIR, NOT_FOUND);
    return s;
}

static struct status
read_some(int fd, const char *path, struct diag *diag, struct buf *b, bool *ret_end)
{
    uint8_t block[65536];
    const ssize_t n = read(fd, block, sizeof block);
    if (n < 0) {
        *ret_end = false;
        return errno == EINTR ? OK : file_refuse(path, errno, diag);
    }
    buf_put(b, view_of(block, (size_t)n));
    secret_wipe(block, (size_t)n); /* it may be a passphrase */
    *ret_end = n == 0;
    return OK;
}

struct status
file_read(const char *path, size_t max, struct diag *diag, struct buf *ret_bytes)
{
    DEFER(file_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return file_refuse(path, errno, diag);
    }
    struct stat st;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
        (uint64_t)st.st_size <= max) {
        (void)buf_reserve(ret_bytes, (size_t)st.st_size);
    }
    const size_t before = ret_bytes->len;
    bool end = false;
    while (!end) {
        TRY(read_some(fd, path, diag, ret_bytes, &end));
        if (ret_bytes->failed == STATUS_LIMIT || ret_bytes->len - before > max) {
            diag_set(diag, "%s: longer than %zu bytes", path, max);
            FAIL(LIMIT);
        }
        TRY(buf_status(ret_bytes));
    }
    return OK;
}

struct status
file_read_secret(const char *path, size_t max, const char *called, struct diag *diag,
                 struct secret *ret_secret)
{
    struct stat st;
    if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 0027) != 0) {
        diag_set(diag, "%s: mode %03o lets others read or change %s; chmod 600 it first", path,
                 (unsigned)st.st_mode & 0777, called);
        FAIL(INPUT);
    }
    DEFER(buf_wipe) struct buf text;
    buf_init(&text, max);
    TRY(file_read(path, max, diag, &text));
    const struct view line = text_first_line(buf_view(&text));
    if (line.len == 0) {
        diag_set(diag, "%s: %s is empty", path, called);
        FAIL(INPUT);
    }
    return secret_from(line, ret_secret);
}

struct status
file_write_all(int fd, struct view bytes, const char *path, struct diag *diag)
{
    while (bytes.len > 0) {
        const ssize_t n = write(fd, bytes.ptr, bytes.len);
        if (n < 0) {
            if (errno == EINTR) {
                continue;
            }
            return file_refuse_os(path, errno, diag);
        }
        bytes = view_of(bytes.ptr + n, bytes.len - (size_t)n);
    }
    return OK;
}

struct status
file_write_at(int fd, struct view bytes, uint64_t at, const char *path, struct diag *diag)
{
    while (bytes.len > 0) {
        const ssize_t n = pwrite(fd, bytes.ptr, bytes.len, (off_t)at);
        if (n == 0 || (n < 0 && errno != EINTR)) {
            return file_refuse_os(path, n == 0 ? ENOSPC : errno, diag);
        }
        const size_t done = n < 0 ? 0 : (size_t)n;
        bytes = view_of(bytes.ptr + done, bytes.len - done);
        at += done;
    }
    return OK;
}

char *
file_parent(const char *path)
{
    char *copy = strdup(path);
    ASSERT(copy != NULL);
    size_t n = strlen(copy);
    while (n > 1 && copy[n - 1] == '/') {
        copy[--n] = '\0';
    }
    char *slash = strrchr(copy, '/');
    if (slash == NULL) {
        (void)strcpy(copy, n > 0 ? "." : "");
    } else {
        slash[slash == copy ? 1 : 0] = '\0';
    }
    return copy;
}

char *
file_ancestor(const char *path)
{
    char *at = file_parent(path);
    while (!file_exists(at) && strcmp(at, ".") != 0 && strcmp(at, "/") != 0) {
        char *above = file_parent(at);
        free(at);
        at = above;
    }
    return at;
}

struct status
file_sync_dir(const char *path, struct diag *diag)
{
    DEFER(file_freep) char *dir = file_parent(path);
    DEFER(file_closep) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return file_refuse(dir, errno, diag);
    }
    if (fsync(fd) != 0 && errno != EINVAL) {
        return file_refuse(dir, errno, diag);
    }
    return OK;
}

struct status
file_trickle(int fd, uint64_t at, uint64_t length, const char *path, struct diag *diag)
{
    const unsigned how = SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
    const uint64_t end = at + length;
    for (; at < end; at += TRICKLE_BYTES) {
        const uint64_t n = end - at < TRICKLE_BYTES ? end - at : TRICKLE_BYTES;
        if (sync_file_range(fd, (off_t)at, (off_t)n, how) == 0) {
            continue;
        }
        if (errno == EIO || errno == ENOSPC || errno == EDQUOT) {
            return file_refuse(path, errno, diag);
        }
        break; /* not to be had here */
    }
    return OK;
}

void
file_fill_standard(void)
{
    int fd = 0;
    while (fd >= 0 && fd <= STDERR_FILENO) {
        fd = open("/dev/null", O_RDONLY); /* the lowest that is free */
    }
    file_closep(&fd);
}

/* The descriptor of standard output or error of which path is a name (/dev/stdout), where that goes
 * into a file: nobody puts another one in its place. -1: it is none. */
static int
standard_of(const char *path)
{
    struct stat link, at, of;
    if (lstat(path, &link) != 0 || !S_ISLNK(link.st_mode) || stat(path, &at) != 0) {
        return -1;
    }
    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fstat(fd, &of) == 0 && of.st_dev == at.st_dev && of.st_ino == at.st_ino) {
            return fd;
        }
    }
    return -1;
}

/* A pipe or a device. */
static bool
is_special(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
}

bool
file_is_written_at_once(const char *path)
{
    return is_special(path) || standard_of(path) >= 0;
}

int
file_make(const char *path, unsigned mode)
{
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
    if ((mode & 077) == 0) {
        return open(path, flags, mode);
    }
    const mode_t before = umask(0);
    const int fd = open(path, flags, mode);
    const int err = errno;
    (void)umask(before);
    errno = err;
    return fd;
}

void
file_draft_done(struct file_draft *d)
{
    if (d->path == NULL) {
        return;
    }
    file_closep(&d->fd);
    if (d->elsewhere) {
        outputs_drop(d->path);
    } else if (d->tmp != NULL) {
        (void)unlink(d->tmp);
    }
    free(d->tmp);
    free(d->path);
    *d = (struct file_draft){0};
}

struct status
file_draft_open(const char *path, unsigned mode, struct diag *diag, struct file_draft *ret_draft)
{
    DEFER(file_draft_done) struct file_draft d = {.fd = -1, .path = strdup(path)};
    CHECK(d.path != NULL, MEMORY);
    const int standard = standard_of(path);
    if (standard >= 0) {
        d.fd = fcntl(standard, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    } else if (is_special(path)) {
        d.fd = open(path, O_WRONLY | O_CLOEXEC);
    } else if (outputs_has(path)) {
        d.elsewhere = true;
        TRY(outputs_open(path, OUTPUTS_DRAFT, mode, diag, &d.fd));
    } else {
        uint64_t unique = 0;
        random_bytes(&unique, sizeof unique);
        ASSERT(asprintf(&d.tmp, "%s.tmp-%016llx", path, (unsigned long long)unique) > 0);
        d.fd = file_make(d.tmp, mode);
    }
    if (d.fd < 0) {
        return file_refuse(path, errno, diag);
    }
    *ret_draft = d;
    d = (struct file_draft){0};
    return OK;
}

struct status
file_draft_keep(struct file_draft *d, struct diag *diag)
{
    if (d->tmp != NULL && fsync(d->fd) != 0) {
        return file_refuse(d->path, errno, diag);
    }
    const int closing = d->fd;
    d->fd = -1;
    if (close(closing) != 0) {
        return file_refuse(d->path, errno, diag);
    }
    if (d->elsewhere) {
        d->elsewhere = false;
        return outputs_keep(d->path, diag);
    }
    if (d->tmp == NULL) {
        return OK;
    }
    if (rename(d->tmp, d->path) != 0) {
        return file_refuse(d->path, errno, diag);
    }
    free(d->tmp);
    d->tmp = NULL;
    return file_sync_dir(d->path, diag);
}

struct status
file_replace(const char *path, struct view bytes, unsigned mode, struct diag *diag)
{
    DEFER(file_draft_done) struct file_draft d = {0};
    TRY(file_draft_open(path, mode, diag, &d));
    TRY(file_write_all(d.fd, bytes, path, diag));
    return file_draft_keep(&d, diag);
}

struct status
file_mkdirs(const char *path, unsigned mode, struct diag *diag)
{
    if (*path == '\0') {
        return file_refuse("\"\"", ENOENT, diag);
    }
    DEFER(file_freep) char *copy = strdup(path);
    CHECK(copy != NULL, MEMORY);
    for (char *p = copy + 1;; p++) {
        if (*p != '/' && *p != '\0') {
            continue;
        }
        const char was = *p;
        *p = '\0';
        struct stat st;
        if (mkdir(copy, mode) != 0 && errno != EEXIST) {
            return file_refuse(copy, errno, diag);
        }
        if (stat(copy, &st) != 0 || !S_ISDIR(st.st_mode)) {
            return file_refuse(copy, ENOTDIR, diag);
        }
        *p = was;
        if (was == '\0') {
            return OK;
        }
    }
}

struct status
file_lock(const char *path, bool wait, struct diag *diag, int *ret_fd)
{
    DEFER(file_closep) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return file_refuse(path, errno, diag);
    }
    while (flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB)) != 0) {
        if (errno == EWOULDBLOCK) {
            diag_set(diag, "%s: held by another process", path);
            FAIL(BUSY);
        }
        if (errno != EINTR) {
            return file_refuse(path, errno, diag);
        }
    }
    *ret_fd = fd;
    fd = -1;
    return OK;
}

bool
file_is_locked(const char *path)
{
    DEFER(file_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

struct status
file_memory(const char *name, struct view bytes, struct diag *diag, char ret_path[static 32])
{
    const int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    const bool made = fd >= 0 && write(fd, bytes.ptr, bytes.len) == (ssize_t)bytes.len &&
                      fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK) == 0;
    (void)snprintf(ret_path, 32, "/proc/self/fd/%d", fd);
    if (!made || access(ret_path, R_OK) != 0) {
        diag_set(diag, "%s cannot be kept in memory: %s", name, strerror(errno));
        FAIL(IO);
    }
    return OK;
}

char *
file_program(const char *name)
{
    char self[PATH_MAX];
    const ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0) {
        return NULL;
    }
    self[n] = '\0';
    *strrchr(self, '/') = '\0';
    char *beside = file_join(self, name);
    if (access(beside, X_OK) == 0) {
        return beside;
    }
    free(beside);
    DEFER(file_freep) char *installed = file_join("../libexec/steward", name);
    return file_join(self, installed);
}
