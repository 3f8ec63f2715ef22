/* A crash at any point loses nothing that was acknowledged: a writer is killed before each of its
 * system calls that change a file, and in the middle of each write; and threads are killed while
 * they commit. */
#include "fixture.h"

#include "base/file.h"
#include "govern/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define ENTRIES 9 /* of one run of the writer */

/* ---- the writer that is killed ---- */

static bool
write_entry(struct ledger *l, uint64_t i, int acknowledge)
{
    const uint8_t one = 1;
    return status_ok(fixture_ledger_append(l, i, NULL)) && write(acknowledge, &one, 1) == 1;
}

/* Every step that a log can take, on one thread, so that the n-th system call is always the same.
 */
static void
run_writer(const char *dir, uint64_t first, int acknowledge)
{
    const struct audit_signer signer = fixture_signer();
    struct ledger *l = NULL;
    bool good = status_ok(ledger_open(dir, &signer, NULL, &l)) && status_ok(ledger_lock(l));
    for (uint64_t i = 0; i < ENTRIES && good; i++) {
        good = status_ok(ledger_sync(l, NULL)) && write_entry(l, first + i, acknowledge);
        if (good && i % 4 == 2) { /* with entries that come while the tiles are written */
            struct growth *g = growth_new(l);
            bool more = false;
            good = status_ok(ledger_gather(l, g, &more)) &&
                   status_ok(growth_write(g, true, NULL)) &&
                   write_entry(l, first + ++i, acknowledge) && status_ok(fixture_adopt(l, g, NULL));
            growth_free(g);
        }
    }
    _exit(good ? 0 : 1);
}

/* ---- the one who kills ---- */

static const long changing[] = {
    SYS_write,     SYS_pwrite64, SYS_fsync,     SYS_fdatasync, SYS_syncfs,
    SYS_ftruncate, SYS_renameat, SYS_renameat2, SYS_unlinkat,  SYS_mkdirat,
#ifdef SYS_rename
    SYS_rename,    SYS_unlink,   SYS_mkdir,
#endif
};

static bool
changes_files(const struct __ptrace_syscall_info *info)
{
    const long nr = (long)info->entry.nr;
    for (size_t i = 0; i < sizeof changing / sizeof changing[0]; i++) {
        if (nr == changing[i]) {
            return true;
        }
    }
    return nr == SYS_openat && (info->entry.args[2] & O_CREAT) != 0;
}

/* Does the first half of the write that the stopped process is about to do. */
static void
write_half(pid_t pid, const struct __ptrace_syscall_info *info)
{
    static uint8_t bytes[1 << 16];
    const size_t n =
        info->entry.args[2] / 2 < sizeof bytes ? info->entry.args[2] / 2 : sizeof bytes;
    char name[64];
    const struct iovec to = {bytes, n};
    const struct iovec from = {(void *)(uintptr_t)info->entry.args[1], n};
    assert_int_equal(process_vm_readv(pid, &to, 1, &from, 1, 0), n);
    (void)snprintf(name, sizeof name, "/proc/%d/fdinfo/%d", (int)pid, (int)info->entry.args[0]);
    DEFER(buf_done) struct buf text;
    testing_read(name, &text);
    const off_t pos = (off_t)strtoll(strstr(buf_str(&text), "pos:") + 4, NULL, 10);
    const off_t at = info->entry.nr == SYS_pwrite64 ? (off_t)info->entry.args[3] : pos;
    (void)snprintf(name, sizeof name, "/proc/%d/fd/%d", (int)pid, (int)info->entry.args[0]);
    const int fd = open(name, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, n, at), n);
    assert_int_equal(close(fd), 0);
}

struct death {
    long at;   /* kill before the at-th call that changes a file, */
    bool half; /* or in the middle of the at-th write to a file */
    int acknowledge;
};

static bool
is_counted(const struct death *d, const struct __ptrace_syscall_info *info)
{
    if (info->op != PTRACE_SYSCALL_INFO_ENTRY) {
        return false;
    }
    return d->half ? (info->entry.nr == SYS_write || info->entry.nr == SYS_pwrite64) &&
                         (int)info->entry.args[0] != d->acknowledge
                   : changes_files(info);
}

/* True when the process was killed; false when it ended by itself, with exit code 0. */
static bool
run_until(pid_t pid, const struct death *d)
{
    int status = 0;
    long seen = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSTOPPED(status));
    assert_int_equal(
        ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL), 0);
    while (ptrace(PTRACE_SYSCALL, pid, NULL, NULL) == 0 && waitpid(pid, &status, 0) == pid &&
           WIFSTOPPED(status)) {
        struct __ptrace_syscall_info info;
        if (WSTOPSIG(status) != (SIGTRAP | 0x80) ||
            ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof info, &info) <= 0 ||
            !is_counted(d, &info) || ++seen < d->at) {
            continue;
        }
        if (d->half) {
            write_half(pid, &info);
        }
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        return true;
    }
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    return false;
}

static bool
can_trace(void)
{
    const pid_t pid = fork();
    if (pid == 0) {
        _exit(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0 ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status == 0;
}

/* How many entries the writer has acknowledged before it died. */
static uint64_t
die_once(const char *dir, uint64_t first, struct death d, bool *ret_killed)
{
    int ends[2];
    uint8_t all[64];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    d.acknowledge = ends[1];
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0 || raise(SIGSTOP) != 0) {
            _exit(9);
        }
        run_writer(dir, first, ends[1]);
    }
    (void)close(ends[1]);
    *ret_killed = run_until(pid, &d);
    const ssize_t n = read(ends[0], all, sizeof all);
    assert_true(n >= 0);
    (void)close(ends[0]);
    return (uint64_t)n;
}

struct expected {
    uint64_t next;
    uint64_t repairs;
};

static struct status
expect_next(void *ctx, uint64_t index, struct view entry)
{
    struct expected *e = ctx;
    assert_int_equal(index, e->next + e->repairs);
    if (memmem(entry.ptr, entry.len, "audit.repair", 12) != NULL) {
        e->repairs++;
        return OK;
    }
    assert_int_equal(fixture_entry_number(entry), e->next++);
    return OK;
}

/* Opened again, the log has what was acknowledged, in order and once, and at most the one that was
 * being written besides. Returns how many. */
static uint64_t
check_after_death(const char *dir, uint64_t acknowledged)
{
    struct expected e = {0};
    struct diag diag = {0};
    fixture_append(dir, 0, 0);
    assert_ok(audit_each(dir, 0, UINT64_MAX, expect_next, &e, &diag));
    assert_in_range(e.next, acknowledged, acknowledged + 1);
    fixture_verify(dir, e.next + e.repairs, 0);
    return e.next;
}

/* Before it is opened again: it verifies, or says that a write was cut off. */
static void
check_unopened(const char *dir)
{
    struct audit_fault fault = {0};
    struct audit_report report;
    if (!status_ok(audit_verify(dir, NULL, &fault, &report))) {
        assert_text_has(fault.text, "a write was cut off here");
    }
}

/* `before` entries are there when the writer begins; 0: no log. own: each tile in its own file. */
static void
die_everywhere(bool half, uint64_t before, bool own, long least)
{
    bool killed = true;
    long at = 0;
    while (killed) {
        DEFER(testing_dirp) char *dir = testing_dir();
        if (before > 0) {
            fixture_append(dir, 0, before);
        }
        if (own) {
            fixture_own_files(dir);
        }
        const struct death d = {.at = ++at, .half = half};
        const uint64_t n = die_once(dir, before, d, &killed);
        if (before + n > 0) {
            check_unopened(dir);
        }
        const uint64_t have = check_after_death(dir, before + n);
        fixture_append(dir, have, have + 2);
        (void)check_after_death(dir, have + 2);
    }
    print_message("# killed at %ld places\n", at - 1);
    assert_true(at - 1 >= least);
}

static void
killed_before_any_change_to_a_file_loses_nothing(void **state)
{
    (void)state;
    if (!can_trace()) {
        print_message("# skipped: processes cannot be traced here\n");
        skip();
    }
    die_everywhere(false, 0, false, 80);
    die_everywhere(false, 3, false, 60);
    die_everywhere(false, 254, false, 70);
    die_everywhere(false, 3, true, 70);
}

static void
killed_in_the_middle_of_any_write_loses_nothing(void **state)
{
    (void)state;
    if (!can_trace()) {
        print_message("# skipped: processes cannot be traced here\n");
        skip();
    }
    die_everywhere(true, 0, false, 16);
    die_everywhere(true, 3, false, 15);
}

/* ---- threads ---- */

static void
run_threads(const char *dir, uint64_t first, int acknowledge)
{
    const struct audit_options o = {.signer = fixture_signer(), .publish_ns = 1000 * 1000};
    struct audit *a = NULL;
    if (!status_ok(audit_open(dir, &o, NULL, &a))) {
        _exit(1);
    }
    for (uint64_t i = first;; i++) {
        struct buf entry;
        buf_init(&entry, 4096);
        fixture_entry(i, &entry);
        const uint8_t one = 1;
        if (!status_ok(audit_append(a, buf_view(&entry), NULL)) ||
            write(acknowledge, &one, 1) != 1) {
            _exit(2);
        }
        buf_done(&entry);
    }
}

/* Reads `n` acknowledgements, kills, and counts those that had come by then. */
static uint64_t
kill_after(const char *dir, uint64_t first, uint64_t n)
{
    int ends[2], status = 0;
    uint8_t byte;
    uint64_t count = 0;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        run_threads(dir, first, ends[1]);
    }
    (void)close(ends[1]);
    while (count < n && read(ends[0], &byte, 1) == 1) {
        count++;
    }
    assert_int_equal(count, n);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    while (read(ends[0], &byte, 1) == 1) {
        count++;
    }
    (void)close(ends[0]);
    return count;
}

static void
killed_while_threads_commit_and_publish_loses_nothing(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    uint64_t have = 0;
    for (uint64_t round = 0; round < 12; round++) {
        const uint64_t n = kill_after(dir, have, 1 + round * 7 % 23);
        have = check_after_death(dir, have + n);
    }
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(killed_before_any_change_to_a_file_loses_nothing),
        cmocka_unit_test(killed_in_the_middle_of_any_write_loses_nothing),
        cmocka_unit_test(killed_while_threads_commit_and_publish_loses_nothing),
    };
    fixture_in_memory();
    return cmocka_run_group_tests(cases, NULL, NULL);
}
