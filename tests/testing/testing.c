#include "testing/testing.h"

#include "base/file.h"

#include <duckdb.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define RUN_BYTES (4u << 20)
#define LANDLOCK_VERSION 1u /* landlock_create_ruleset: only tells it */

/* ---- assertions ---- */

void
testing_status(struct status s, int32_t code, const char *expression, const char *file, int line)
{
    if (s.code != code) {
        print_error("%s gave %s (%s, errno %d), not %s\n", expression, status_word(s.code),
                    s.where == NULL ? "-" : s.where, s.os, status_word(code));
        _fail(file, line);
    }
}

void
testing_says(const char *text, const char *part, const char *file, int line)
{
    if (text == NULL || strstr(text, part) == NULL) {
        print_error("\"%s\" does not hold \"%s\"\n", text == NULL ? "(null)" : text, part);
        _fail(file, line);
    }
}

void
testing_near(double a, double b, double tolerance, const char *expression, const char *file,
             int line)
{
    const bool same = (isnan(a) && isnan(b)) || a == b || fabs(a - b) <= tolerance;
    if (!same) {
        print_error("%s: %.17g is not within %g of %.17g\n", expression, a, tolerance, b);
        _fail(file, line);
    }
}

/* ---- skips ---- */

/* In place of cmocka's own: before 1.1.6 it tells of a skip as "not ok 3 # SKIP name", which
 * whoever reads TAP takes for a failure. */
__attribute__((visibility("default"))) void
print_message(const char *const format, ...)
{
    static const char fault[] = "not ok %u # SKIP";
    const bool skips = strncmp(format, fault, strlen(fault)) == 0;
    va_list args;
    va_start(args, format);
    vprint_message(format + (skips ? strlen("not ") : 0), args);
    va_end(args);
}

void
testing_need_landlock(void)
{
    if (syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_VERSION) <= 0) {
        print_message("# SKIP: no Landlock here\n");
        skip();
    }
}

/* ---- files ---- */

char *
testing_dir(void)
{
    const char *base = getenv("TMPDIR");
    char *path = file_join(base == NULL ? "/tmp" : base, "steward-test-XXXXXX");
    assert_non_null(mkdtemp(path));
    return path;
}

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *at)
{
    (void)st, (void)flag, (void)at;
    return remove(path);
}

void
testing_remove(const char *dir)
{
    (void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void
testing_dirp(char **dir)
{
    if (*dir != NULL) {
        testing_remove(*dir);
        free(*dir);
        *dir = NULL;
    }
}

void
testing_copy_dir(const char *from, const char *to)
{
    char cp[] = "cp", all[] = "-a";
    char *argv[] = {cp, all, (char *)(uintptr_t)from, (char *)(uintptr_t)to, NULL};
    struct testing_run run;
    testing_remove(to);
    testing_run(argv, &run);
    assert_int_equal(run.exit_code, 0);
    testing_run_done(&run);
}

char *
testing_source(const char *relative)
{
    const char *root = getenv("STEWARD_SOURCE");
    return file_join(root == NULL ? "." : root, relative);
}

void
testing_read(const char *path, struct buf *ret_bytes)
{
    struct diag diag = {0};
    buf_init(ret_bytes, (size_t)1 << 30);
    const struct status s = file_read(path, (size_t)1 << 30, &diag, ret_bytes);
    if (!status_ok(s)) {
        print_error("%s\n", diag.text);
    }
    assert_ok(s);
}

void
testing_write(const char *path, struct view bytes)
{
    assert_ok(file_replace(path, bytes, 0600, NULL));
}

void
testing_parquet(const char *path, const char *query)
{
    duckdb_database db = NULL;
    duckdb_connection con = NULL;
    duckdb_result r;
    DEFER(buf_done) struct buf sql;
    buf_init(&sql, 8192);
    buf_printf(&sql, "COPY (%s) TO '%s' (FORMAT parquet)", query, path);
    assert_int_equal(duckdb_open(NULL, &db), DuckDBSuccess);
    assert_int_equal(duckdb_connect(db, &con), DuckDBSuccess);
    assert_int_equal(duckdb_query(con, buf_str(&sql), &r), DuckDBSuccess);
    duckdb_destroy_result(&r);
    duckdb_disconnect(&con);
    duckdb_close(&db);
}

json_t *
testing_read_json(const char *path)
{
    struct buf bytes;
    json_t *value = NULL;
    struct diag diag = {0};
    testing_read(path, &bytes);
    const struct status s = js_parse(buf_view(&bytes), path, &diag, &value);
    buf_done(&bytes);
    if (!status_ok(s)) {
        print_error("%s\n", diag.text);
    }
    assert_ok(s);
    return value;
}

bool
testing_small_disk(const char *path, size_t bytes)
{
    char options[64];
    (void)snprintf(options, sizeof options, "size=%zu", bytes);
    return mount("tmpfs", path, "tmpfs", 0, options) == 0;
}

void
testing_small_disk_done(const char *path)
{
    (void)umount2(path, MNT_DETACH);
}

void
testing_need_small_disk(void)
{
    char *dir = testing_dir();
    const bool there = testing_small_disk(dir, 64 << 10);
    if (there) {
        testing_small_disk_done(dir);
    }
    testing_dirp(&dir);
    if (!there) {
        print_message("# SKIP: no small disk can be mounted here\n");
        skip();
    }
}

/* ---- programs ---- */

const char *
testing_binary(void)
{
    const char *path = getenv("STEWARD_BIN");
    assert_non_null(path);
    return path;
}

static void
child(char *const argv[], int out, int err)
{
    const int nothing = open("/dev/null", O_RDONLY);
    (void)dup2(nothing, 0);
    (void)dup2(out, 1);
    (void)dup2(err, 2);
    (void)execvp(argv[0], argv);
    _exit(127);
}

static int
exit_code_of(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0) {
        assert_int_equal(errno, EINTR);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* False when that end is closed. */
static bool
take(int fd, struct buf *b)
{
    uint8_t part[65536];
    const ssize_t n = read(fd, part, sizeof part);
    if (n > 0 && b->len + (size_t)n <= RUN_BYTES) {
        buf_put(b, view_of(part, (size_t)n));
    }
    return n > 0 || (n < 0 && errno == EINTR);
}

static void
drain(int out, int err, struct testing_run *r)
{
    struct pollfd p[2] = {{.fd = out, .events = POLLIN}, {.fd = err, .events = POLLIN}};
    struct buf *to[2] = {&r->out, &r->err};
    while (p[0].fd >= 0 || p[1].fd >= 0) {
        if (poll(p, 2, -1) < 0) {
            continue;
        }
        for (int i = 0; i < 2; i++) {
            if (p[i].fd >= 0 && p[i].revents != 0 && !take(p[i].fd, to[i])) {
                p[i].fd = -1;
            }
        }
    }
}

void
testing_run(char *const argv[], struct testing_run *ret_run)
{
    int out[2], err[2];
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(pipe2(err, O_CLOEXEC), 0);
    buf_init(&ret_run->out, RUN_BYTES + 1);
    buf_init(&ret_run->err, RUN_BYTES + 1);
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        child(argv, out[1], err[1]);
    }
    (void)close(out[1]);
    (void)close(err[1]);
    drain(out[0], err[0], ret_run);
    (void)close(out[0]);
    (void)close(err[0]);
    ret_run->exit_code = exit_code_of(pid);
}

void
testing_run_done(struct testing_run *r)
{
    buf_done(&r->out);
    buf_done(&r->err);
}

void
testing_steward(struct testing_run *ret_run, ...)
{
    char *argv[64] = {(char *)(uintptr_t)testing_binary()};
    va_list args;
    va_start(args, ret_run);
    size_t n = 1;
    for (char *a = va_arg(args, char *); a != NULL; a = va_arg(args, char *)) {
        assert_true(n + 1 < 64);
        argv[n++] = a;
    }
    va_end(args);
    testing_run(argv, ret_run);
}

void
testing_ran(const struct testing_run *r, const char *file, int line)
{
    if (r->exit_code != 0) {
        print_error("%s:%d: steward: exit %d: %s\n", file, line, r->exit_code, buf_str(&r->err));
        fail();
    }
}

void
testing_issue_key(char *principal, char ret_key[static 128])
{
    struct testing_run r;
    testing_steward(&r, "api-key", "issue", principal, NULL);
    testing_ran(&r, __FILE__, __LINE__);
    const char *key = strstr(buf_str(&r.out), "sw_");
    assert_non_null(key);
    (void)snprintf(ret_key, 128, "%.*s", (int)strcspn(key, " \n"), key);
    testing_run_done(&r);
}

pid_t
testing_start(char *const argv[], const char *log)
{
    const int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        child(argv, fd, fd);
    }
    (void)close(fd);
    return pid;
}

int
testing_stop(pid_t pid)
{
    (void)kill(pid, SIGTERM);
    return exit_code_of(pid);
}
