#include "data/importer.h"

#include "base/apart.h"
#include "base/file.h"
#include "base/sandbox.h"
#include "base/text.h"
#include "data/table_build.h"
#include "data/table_wire.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAME "steward-import"
#define QUESTION_MAX (8u << 20)            /* what a command line can be, and more */
#define ADDRESSES_MAX (UINT64_C(64) << 30) /* 4 GiB of DuckDB, a table of 2^30 cells, its texts */
#define PROMPT_MS 2000                     /* to end, for one that has hung up */

static struct {
    bool begun;
    pid_t pid; /* 0: there is none, or none any more */
    int fd;
} it;

/* ---- the question, of one program to itself ---- */

static void
put_text(struct buf *b, const char *text)
{
    buf_put_u32le(b, (uint32_t)strlen(text));
    buf_put_str(b, text);
}

static void
put_type(struct buf *b, const char *column, enum column_type type)
{
    buf_put_u8(b, (uint8_t)type);
    put_text(b, column);
}

/* Of what is asked for only the types matter here, and a subject's is text; the last one holds. */
static void
put_types(struct buf *b, const struct import_options *o)
{
    uint32_t n = o->subject != NULL;
    for (size_t i = 0; i < o->override_count; i++) {
        const struct import_override *v = &o->overrides[i];
        n += (uint32_t)v->has_type + (v->has_role && v->role == ROLE_SUBJECT);
    }
    buf_put_u32le(b, n);
    for (size_t i = 0; i < o->override_count; i++) {
        if (o->overrides[i].has_type) {
            put_type(b, o->overrides[i].column, o->overrides[i].type);
        }
    }
    for (size_t i = 0; i < o->override_count; i++) {
        if (o->overrides[i].has_role && o->overrides[i].role == ROLE_SUBJECT) {
            put_type(b, o->overrides[i].column, COLUMN_TEXT);
        }
    }
    if (o->subject != NULL) {
        put_type(b, o->subject, COLUMN_TEXT);
    }
}

static struct status
put_question(const char *path, const struct import_options *o, struct buf *ret_bytes)
{
    put_text(ret_bytes, path);
    buf_put_u8(ret_bytes, (uint8_t)o->delimiter);
    buf_put_u8(ret_bytes, o->missing_only);
    buf_put_u32le(ret_bytes, o->threads);
    buf_put_u32le(ret_bytes, (uint32_t)o->missing_count);
    for (size_t i = 0; i < o->missing_count; i++) {
        put_text(ret_bytes, o->missing[i]);
    }
    put_types(ret_bytes, o);
    return buf_status(ret_bytes);
}

struct question {
    char *path;
    char **missing;
    struct import_override *types;
    struct import_options o;
};

static void
question_done(struct question *q)
{
    for (size_t i = 0; i < q->o.missing_count; i++) {
        free(q->missing[i]);
    }
    for (size_t i = 0; i < q->o.override_count; i++) {
        free((char *)(uintptr_t)q->types[i].column);
    }
    free(q->path);
    free(q->missing);
    free(q->types);
}

static char *
take_text(struct reader *r)
{
    const uint32_t n = reader_u32le(r);
    return build_strdup(reader_bytes(r, n));
}

static struct status
take_missing(struct reader *r, struct question *q)
{
    const uint32_t n = reader_u32le(r);
    CHECK(n <= reader_left(r), INTEGRITY);
    q->missing = build_alloc(n, sizeof *q->missing);
    CHECK(q->missing != NULL, MEMORY);
    q->o.missing = (const char *const *)q->missing;
    for (; q->o.missing_count < n; q->o.missing_count++) {
        q->missing[q->o.missing_count] = take_text(r);
        CHECK(q->missing[q->o.missing_count] != NULL, MEMORY);
    }
    return OK;
}

static struct status
take_types(struct reader *r, struct question *q)
{
    const uint32_t n = reader_u32le(r);
    CHECK(n <= reader_left(r), INTEGRITY);
    q->types = build_alloc(n, sizeof *q->types);
    CHECK(q->types != NULL, MEMORY);
    q->o.overrides = q->types;
    for (; q->o.override_count < n; q->o.override_count++) {
        const enum column_type type = reader_u8(r);
        const char *column = take_text(r);
        CHECK(column != NULL, MEMORY);
        q->types[q->o.override_count] =
            (struct import_override){.column = column, .has_type = true, .type = type};
    }
    return OK;
}

static struct status
take_question(struct view bytes, struct question *q)
{
    struct reader r = reader_of(bytes);
    q->path = take_text(&r);
    CHECK(q->path != NULL, MEMORY);
    q->o.delimiter = (char)reader_u8(&r);
    q->o.missing_only = reader_u8(&r) != 0;
    q->o.threads = reader_u32le(&r);
    TRY(take_missing(&r, q));
    TRY(take_types(&r, q));
    CHECK(!r.bad && reader_left(&r) == 0, INTEGRITY);
    return OK;
}

/* ---- the process ---- */

static bool
hear(struct buf *question)
{
    uint32_t n = 0;
    buf_reset(question);
    if (recv(APART_FD, &n, sizeof n, MSG_WAITALL) != (ssize_t)sizeof n) {
        return false;
    }
    uint8_t *at = n > QUESTION_MAX ? NULL : buf_extend(question, n);
    return at != NULL && recv(APART_FD, at, n, MSG_WAITALL) == (ssize_t)n;
}

static struct status
answer(struct view bytes, const char *const *paths, size_t n)
{
    DEFER(question_done) struct question q = {0};
    DEFER(table_freep) struct table *t = NULL;
    struct diag diag = {0};
    bool foreseen = false;
    TRY(take_question(bytes, &q));
    for (size_t i = 0; i < n; i++) {
        foreseen = foreseen || strcmp(q.path, paths[i]) == 0;
    }
    CHECK(foreseen, DENIED);
    const struct status said = import_columns(q.path, &q.o, &diag, &t);
    return table_wire_put(APART_FD, said, &diag, t);
}

static void
serve(const char *const *paths, size_t n)
{
    DEFER(buf_done) struct buf question;
    buf_init(&question, QUESTION_MAX);
    while (hear(&question) && status_ok(answer(buf_view(&question), paths, n))) {
        (void)malloc_trim(0); /* who asked goes on, perhaps for long */
    }
}

#if defined(__SANITIZE_ADDRESS__)
#define SHADOWED true /* its shadow is larger than any limit */
#else
#define SHADOWED false
#endif

static struct status
limit_memory(void)
{
    struct rlimit most;
    if (getrlimit(RLIMIT_AS, &most) != 0) {
        FAIL_OS(errno);
    }
    if (!SHADOWED && most.rlim_cur > ADDRESSES_MAX) {
        most.rlim_cur = ADDRESSES_MAX;
        most.rlim_max = ADDRESSES_MAX;
        if (setrlimit(RLIMIT_AS, &most) != 0) {
            FAIL_OS(errno);
        }
    }
    return OK;
}

/* Its files, and what DuckDB asks about memory and processors. */
static struct status
confine(const char *const *paths, size_t n)
{
    static const char *const asked[] = {"/proc/self", "/proc/meminfo", "/sys/fs/cgroup",
                                        "/sys/devices/system/cpu"};
    const size_t more = sizeof asked / sizeof *asked;
    struct sandbox_path list[IMPORTER_FILES + sizeof asked / sizeof *asked];
    struct sandbox_told told;
    for (size_t i = 0; i < n; i++) {
        list[i] =
            (struct sandbox_path){paths[i], file_is_folder(paths[i]) ? SANDBOX_LIST : SANDBOX_READ};
    }
    for (size_t i = 0; i < more; i++) {
        list[n + i] = (struct sandbox_path){asked[i], SANDBOX_READ};
    }
    TRY(limit_memory());
    TRY(sandbox_files(list, n + more, false, NULL, &told));
    return sandbox_calls(SANDBOX_IMPORTER, NULL);
}

struct life {
    pid_t parent;
    const char *const *paths;
    size_t n;
};

/* It does not outlive who asks. */
static void
live(int fd, void *ctx)
{
    const struct life *l = ctx;
    if (apart_leave(NAME, fd) && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == l->parent &&
        status_ok(confine(l->paths, l->n))) {
        serve(l->paths, l->n);
    }
}

/* ---- this end ---- */

struct status
importer_begin(const char *const *paths, size_t n, struct diag *diag)
{
    struct life l = {getpid(), paths, n};
    ASSERT(!it.begun);
    CHECK(n <= IMPORTER_FILES, LIMIT);
    if (n > 0) {
        TRY(apart_fork(SOCK_STREAM, "the process that reads files", live, &l, diag, &it.pid,
                       &it.fd));
    }
    it.begun = true;
    return OK;
}

bool
importer_is_there(void)
{
    return it.begun;
}

static void
hang_up(void)
{
    if (it.pid != 0) {
        (void)close(it.fd);
        it.pid = 0;
    }
}

void
importer_end(void)
{
    hang_up();
    it.begun = false;
}

static struct status
ask(const char *path, const struct import_options *options)
{
    DEFER(buf_done) struct buf b;
    buf_init(&b, QUESTION_MAX);
    TRY(put_question(path, options, &b));
    const uint32_t n = (uint32_t)b.len;
    CHECK(send(it.fd, &n, sizeof n, MSG_NOSIGNAL) == (ssize_t)sizeof n, IO);
    for (size_t at = 0; at < b.len;) {
        const ssize_t sent = send(it.fd, b.ptr + at, b.len - at, MSG_NOSIGNAL);
        CHECK(sent > 0 || (sent < 0 && errno == EINTR), IO);
        at += sent > 0 ? (size_t)sent : 0;
    }
    return OK;
}

/* It has hung up, and may not have ended for all that. */
static int
how_it_ended(void)
{
    int ended = 0;
    for (unsigned ms = 0; waitpid(it.pid, &ended, WNOHANG) == 0 && ms < PROMPT_MS; ms += 10) {
        (void)poll(NULL, 0, 10);
    }
    return ended;
}

static struct status
refuse_end(const char *path, struct diag *diag)
{
    const int ended = how_it_ended();
    hang_up();
    if (WIFSIGNALED(ended) && WTERMSIG(ended) == SIGKILL) {
        diag_set(diag,
                 "%s: the process that reads it was killed; did the machine run out of memory?",
                 path);
        FAIL(MEMORY);
    }
    if (WIFSIGNALED(ended)) {
        diag_set(diag, "%s: the process that reads it ended by signal %d (%s); nothing is taken",
                 path, WTERMSIG(ended), strsignal(WTERMSIG(ended)));
        FAIL(INPUT);
    }
    diag_set(diag, "%s: the process that reads it has ended; nothing is taken", path);
    FAIL(INPUT);
}

/* Whom a row is about is text. */
static bool
has_types(const struct import_options *o, const struct table *t)
{
    bool has = true;
    for (size_t i = 0; i < o->override_count; i++) {
        const struct import_override *v = &o->overrides[i];
        const struct column *c = table_column(t, v->column);
        const bool subject = v->has_role && v->role == ROLE_SUBJECT;
        has = has && (!subject || c == NULL || c->type == COLUMN_TEXT);
    }
    const struct column *c = o->subject == NULL ? NULL : table_column(t, o->subject);
    return has && (c == NULL || c->type == COLUMN_TEXT);
}

static struct status
take_answer(const char *path, const struct import_options *options, struct diag *diag,
            struct table **ret_table)
{
    DEFER(table_freep) struct table *t = NULL;
    struct status said = OK, s = ask(path, options);
    s = status_ok(s) ? table_wire_take(it.fd, diag, &said, &t) : s;
    if (s.code == STATUS_IO) {
        return refuse_end(path, diag);
    }
    if (s.code == STATUS_INTEGRITY || (t != NULL && !has_types(options, t))) {
        hang_up();
        diag_set(diag, "%s: what the process that reads it answers is no table; nothing is taken",
                 path);
        FAIL(INPUT);
    }
    TRY(s);
    TRY(said);
    *ret_table = MOVE(t);
    return OK;
}

struct status
importer_ask(const char *path, const struct import_options *options, struct diag *diag,
             struct table **ret_table)
{
    if (it.pid == 0) {
        diag_set(diag, "%s: not read: the command did not begin with it, or its reader has ended",
                 path);
        FAIL(DENIED);
    }
    return take_answer(path, options, diag, ret_table);
}
