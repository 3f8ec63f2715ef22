#include "base/outputs.h"

#include "base/apart.h"
#include "base/file.h"
#include "base/passed.h"
#include "base/sandbox.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAME "steward-output"
#define DEEP_MODE 0700
#define PLAIN_MODE 0666u /* who asks may be somebody else by then: nothing that runs */

static struct {
    char *path[OUTPUTS_MAX];
    char *folder[OUTPUTS_MAX]; /* beside it, once it is made */
    size_t n;
    pid_t pid; /* 0: there is none */
    int fd;
} it;

enum act {
    DRAFT = OUTPUTS_DRAFT,
    DEEP = OUTPUTS_DEEP,
    APPEND = OUTPUTS_APPEND,
    KEEP,
    DROP,
    FOLDER,
    TAKE,
    MAKE
};

/* Both ends are one program: as they lie in memory. */
struct question {
    uint32_t act, which, mode;
};
struct answer {
    int32_t code, os;
    struct diag diag;
    char folder[PATH_MAX];
};

/* ---- the process ---- */

static struct file_draft drafts[OUTPUTS_MAX];

static struct status
make_parents(const char *path, struct diag *diag)
{
    DEFER(file_freep) char *parent = file_parent(path);
    return file_exists(parent) ? OK : file_mkdirs(parent, DEEP_MODE, diag);
}

/* An appended file is closed when its descriptor is sent; a draft when it is kept or dropped. */
static struct status
open_one(const struct question *q, struct diag *diag, int *ret_fd)
{
    const char *path = it.path[q->which];
    struct file_draft *d = &drafts[q->which];
    if (q->act == APPEND) {
        const int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
        *ret_fd = open(path, flags, q->mode & PLAIN_MODE);
        return *ret_fd < 0 ? file_refuse_os(path, errno, diag) : OK;
    }
    file_draft_done(d);
    if (file_is_written_at_once(path)) { /* of this process: /dev/stdout is /dev/null here */
        diag_set(diag, "%s: no file that can be replaced", path);
        FAIL(INPUT);
    }
    TRY(q->act == DEEP ? make_parents(path, diag) : OK);
    TRY(file_draft_open(path, q->mode & PLAIN_MODE, diag, d));
    *ret_fd = d->fd;
    return OK;
}

/* Nothing is left of a draft afterwards, kept or not. */
static struct status
keep_one(size_t which, struct diag *diag)
{
    struct file_draft *d = &drafts[which];
    CHECK(d->path != NULL, INPUT);
    const struct status s = file_draft_keep(d, diag);
    file_draft_done(d);
    return s;
}

static struct status
make_folder(size_t which, struct diag *diag)
{
    char *path = NULL;
    ASSERT(asprintf(&path, "%s.new-XXXXXX", it.path[which]) > 0);
    CHECK(it.folder[which] == NULL && strlen(path) < PATH_MAX, LIMIT);
    if (mkdtemp(path) == NULL) {
        const int err = errno;
        free(path);
        return file_refuse_os(it.path[which], err, diag);
    }
    it.folder[which] = path;
    return OK;
}

static struct status
make_itself(size_t which, struct diag *diag)
{
    if (file_exists(it.path[which])) {
        return OK;
    }
    TRY(file_mkdirs(it.path[which], DEEP_MODE, diag));
    it.folder[which] = strdup(it.path[which]);
    CHECK(it.folder[which] != NULL, MEMORY);
    return OK;
}

static struct status
take_folder(size_t which, struct diag *diag)
{
    CHECK(it.folder[which] != NULL, INPUT);
    if (rename(it.folder[which], it.path[which]) != 0) {
        FAIL_OS(errno);
    }
    file_freep(&it.folder[which]);
    return file_sync_dir(it.path[which], diag);
}

static struct status
act(const struct question *q, struct diag *diag, int *ret_fd)
{
    CHECK(q->which < it.n, INPUT);
    switch ((enum act)q->act) {
    case DRAFT:
    case DEEP:
    case APPEND:
        return open_one(q, diag, ret_fd);
    case KEEP:
        return keep_one(q->which, diag);
    case DROP:
        file_draft_done(&drafts[q->which]);
        return OK;
    case FOLDER:
        return make_folder(q->which, diag);
    case TAKE:
        return take_folder(q->which, diag);
    case MAKE:
        return make_itself(q->which, diag);
    }
    FAIL(INPUT);
}

static void
answer(const struct question *q)
{
    static struct answer a;
    int fd = -1;
    memset(&a, 0, sizeof a);
    const struct status s = act(q, &a.diag, &fd);
    a.code = s.code;
    a.os = s.os;
    if (status_ok(s) && q->act == FOLDER) {
        text_copy(a.folder, sizeof a.folder, it.folder[q->which]);
    }
    (void)status_ok(passed_put(APART_FD, &a, sizeof a, fd));
    if (q->act == APPEND && fd >= 0) {
        (void)close(fd);
    }
}

/* Until the other end is closed. Of a folder that was not taken, who filled it removes what is in
 * it. */
static void
serve(void)
{
    struct question q;
    while (recv(APART_FD, &q, sizeof q, 0) == (ssize_t)sizeof q) {
        answer(&q);
    }
    for (size_t i = 0; i < it.n; i++) {
        file_draft_done(&drafts[i]);
        if (it.folder[i] != NULL) {
            (void)rmdir(it.folder[i]);
        }
    }
}

/* The folders in which it makes something, or makes those. */
static struct status
confine(void)
{
    struct sandbox_path list[OUTPUTS_MAX];
    struct sandbox_told told;
    for (size_t i = 0; i < it.n; i++) {
        list[i] = (struct sandbox_path){file_ancestor(it.path[i]), SANDBOX_KEEP};
    }
    TRY(sandbox_files(list, it.n, false, NULL, &told));
    return sandbox_calls(SANDBOX_VERB, NULL);
}

/* It outlives who asks, to tidy up. */
static void
live(int fd, void *ctx)
{
    (void)ctx;
    if (apart_leave(NAME, fd) && status_ok(confine())) {
        serve();
    }
}

/* ---- this end ---- */

static void
forget(void)
{
    for (size_t i = 0; i < it.n; i++) {
        free(it.path[i]);
        free(it.folder[i]);
        it.path[i] = NULL;
        it.folder[i] = NULL;
    }
    it.n = 0;
}

/* A name of the same folder, whichever way leads there; a link is replaced, not followed. */
static bool
is_same(const char *a, const char *b)
{
    DEFER(file_freep) char *above_a = file_parent(a);
    DEFER(file_freep) char *above_b = file_parent(b);
    struct stat at_a, at_b;
    const char *last_a = strrchr(a, '/'), *last_b = strrchr(b, '/');
    if (strcmp(last_a == NULL ? a : last_a + 1, last_b == NULL ? b : last_b + 1) != 0) {
        return false;
    }
    return strcmp(a, b) == 0 || (stat(above_a, &at_a) == 0 && stat(above_b, &at_b) == 0 &&
                                 at_a.st_dev == at_b.st_dev && at_a.st_ino == at_b.st_ino);
}

static struct status
check_each_is_another(const char *const *paths, size_t n, struct diag *diag)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < i; k++) {
            if (is_same(paths[i], paths[k])) {
                diag_set(diag, "%s: two outputs are to go there; each needs a file of its own",
                         paths[i]);
                FAIL(INPUT);
            }
        }
    }
    return OK;
}

struct status
outputs_begin(const char *const *paths, size_t n, struct diag *diag)
{
    ASSERT(it.pid == 0);
    CHECK(n <= OUTPUTS_MAX, LIMIT);
    TRY(check_each_is_another(paths, n, diag));
    for (size_t i = 0; i < n; i++) {
        it.path[it.n] = strdup(paths[i]);
        CHECK(it.path[it.n++] != NULL, MEMORY);
    }
    struct status s = OK;
    if (n > 0) {
        s = apart_fork(SOCK_SEQPACKET, "the process that puts files in their place", live, NULL,
                       diag, &it.pid, &it.fd);
    }
    if (!status_ok(s)) {
        forget();
    }
    return s;
}

/* it.n: none of them. */
static size_t
find(const char *path)
{
    size_t i = 0;
    while (i < it.n && strcmp(it.path[i], path) != 0) {
        i++;
    }
    return i;
}

bool
outputs_has(const char *path)
{
    return it.pid != 0 && find(path) < it.n;
}

/* ret_fd NULL: none is to come. */
static struct status
ask(enum act what, size_t which, unsigned mode, struct diag *diag, struct answer *ret_answer,
    int *ret_fd)
{
    const struct question q = {what, (uint32_t)which, mode};
    int fd = -1;
    struct status s = passed_put(it.fd, &q, sizeof q, -1);
    s = status_ok(s) ? passed_take(it.fd, ret_answer, sizeof *ret_answer, &fd) : s;
    if (!status_ok(s)) {
        diag_set(diag, "%s: the process that puts files in their place has ended; start again",
                 it.path[which]);
        return s;
    }
    if (ret_answer->code != STATUS_OK) {
        diag_set(diag, "%s", ret_answer->diag.text);
        return (struct status){STATUS_HERE, ret_answer->code, ret_answer->os};
    }
    if (ret_fd == NULL) {
        file_closep(&fd);
        return OK;
    }
    if (fd < 0) { /* this one has none free: the kernel drops it */
        return file_refuse_os(it.path[which], EMFILE, diag);
    }
    *ret_fd = fd;
    return OK;
}

struct status
outputs_open(const char *path, enum outputs_how how, unsigned mode, struct diag *diag, int *ret_fd)
{
    struct answer a;
    ASSERT(outputs_has(path));
    return ask((enum act)how, find(path), mode, diag, &a, ret_fd);
}

/* What there is no more to hear of than how it went. */
static struct status
tell(enum act what, const char *path, struct diag *diag)
{
    struct answer a;
    ASSERT(outputs_has(path));
    return ask(what, find(path), 0, diag, &a, NULL);
}

struct status
outputs_keep(const char *path, struct diag *diag)
{
    return tell(KEEP, path, diag);
}

void
outputs_drop(const char *path)
{
    if (outputs_has(path)) {
        (void)status_ok(tell(DROP, path, NULL));
    }
}

struct status
outputs_folder(const char *place, struct diag *diag, char **ret_path)
{
    struct answer a;
    const size_t i = find(place);
    ASSERT(outputs_has(place));
    if (it.folder[i] == NULL) {
        TRY(ask(FOLDER, i, 0, diag, &a, NULL));
        a.folder[sizeof a.folder - 1] = '\0';
        it.folder[i] = strdup(a.folder);
        CHECK(it.folder[i] != NULL, MEMORY);
    }
    *ret_path = strdup(it.folder[i]);
    CHECK(*ret_path != NULL, MEMORY);
    return OK;
}

struct status
outputs_take(const char *place, struct diag *diag)
{
    return tell(TAKE, place, diag);
}

struct status
outputs_make(const char *folder, struct diag *diag)
{
    return tell(MAKE, folder, diag);
}

void
outputs_end(void)
{
    if (it.pid != 0) {
        (void)close(it.fd);
        while (waitpid(it.pid, NULL, 0) < 0 && errno == EINTR) {
        }
        it.pid = 0;
    }
    forget();
}
