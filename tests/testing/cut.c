#include "testing/cut.h"

#include "testing/testing.h"

#include "base/file.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static bool
changes_the_disk(uint64_t number)
{
    static const int those[] = {
        SYS_write,     SYS_pwrite64, SYS_rename, SYS_renameat, SYS_fsync,     SYS_fdatasync,
        SYS_ftruncate, SYS_unlink,   SYS_openat, SYS_unlinkat, SYS_renameat2, SYS_writev,
        SYS_mkdir,     SYS_mkdirat,  SYS_syncfs, SYS_fchmod,   SYS_rmdir};
    for (size_t i = 0; i < sizeof those / sizeof *those; i++) {
        if (number == (uint64_t)those[i]) {
            return true;
        }
    }
    return false;
}

/* One stop of a traced thread. Counts the system calls that change the disk once SIGUSR1 has come;
 * returns the signal to hand on. */
static int
look(pid_t thread, int status, bool *counting, unsigned *count)
{
    const int signal = WSTOPSIG(status);
    if (signal == (SIGTRAP | 0x80)) {
        struct __ptrace_syscall_info info = {0};
        if (*counting && ptrace(PTRACE_GET_SYSCALL_INFO, thread, (void *)sizeof info, &info) > 0 &&
            info.op == PTRACE_SYSCALL_INFO_ENTRY && changes_the_disk(info.entry.nr)) {
            ++*count;
        }
        return 0;
    }
    *counting = *counting || signal == SIGUSR1;
    return signal == SIGUSR1 || signal == SIGSTOP || signal == SIGTRAP ? 0 : signal;
}

bool
testing_cut_before(unsigned n, void (*act)(void *ctx), void *ctx, bool *ret_traced)
{
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0) {
            _exit(2);
        }
        (void)raise(SIGSTOP);
        act(ctx);
        _exit(0);
    }
    int status = 0;
    bool counting = false, cut = false;
    unsigned count = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    *ret_traced = WIFSTOPPED(status);
    if (!*ret_traced) {
        return false;
    }
    const uintptr_t options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;
    assert_int_equal(ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)options), 0);
    (void)ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
    for (pid_t t = waitpid(-1, &status, __WALL); t > 0; t = waitpid(-1, &status, __WALL)) {
        if (!WIFSTOPPED(status)) {
            if (t == pid) {
                break;
            }
            continue;
        }
        const int signal = look(t, status, &counting, &count);
        if (count == n && !cut) {
            cut = true;
            assert_int_equal(kill(pid, SIGKILL), 0);
        } else {
            (void)ptrace(PTRACE_SYSCALL, t, NULL, (void *)(intptr_t)signal);
        }
    }
    while (waitpid(-1, &status, __WALL | WNOHANG) > 0) { /* other children of the test go on */
    }
    return cut;
}

void
testing_leave_free(const char *disk, size_t bytes)
{
    DEFER(file_freep) char *filler = file_join(disk, "filler");
    struct statvfs st;
    (void)unlink(filler);
    assert_int_equal(statvfs(disk, &st), 0);
    const size_t available = (size_t)st.f_bavail * st.f_frsize;
    const int fd = open(filler, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    if (available > bytes) {
        assert_int_equal(posix_fallocate(fd, 0, (off_t)(available - bytes)), 0);
    }
    (void)close(fd);
}
