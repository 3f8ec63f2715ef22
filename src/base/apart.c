#include "base/apart.h"

#include "base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

struct status
apart_fork(int type, const char *what, void (*live)(int fd, void *ctx), void *ctx,
           struct diag *diag, pid_t *ret_pid, int *ret_fd)
{
    int ends[2];
    if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) != 0) {
        FAIL_OS(errno);
    }
    const pid_t pid = fork();
    if (pid == 0) {
        live(ends[1], ctx);
        _exit(0);
    }
    const int err = errno;
    (void)close(ends[1]);
    if (pid < 0) {
        (void)close(ends[0]);
        diag_set(diag, "%s: %s", what, strerror(err));
        FAIL_OS(err);
    }
    *ret_pid = pid;
    *ret_fd = ends[0];
    return OK;
}

void
apart_ignore_signals(void)
{
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) {
        (void)signal(ignored[i], SIG_IGN);
    }
}

bool
apart_settle(const char *name)
{
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    apart_ignore_signals();
    (void)prctl(PR_SET_NAME, name);
    return null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(null, STDOUT_FILENO) >= 0;
}

bool
apart_leave(const char *name, int fd)
{
    sandbox_wipe_environment();
    return apart_settle(name) && (fd == APART_FD || dup2(fd, APART_FD) >= 0) &&
           close_range(APART_FD + 1, ~0u, 0) == 0;
}
