#include "gateway/port_file.h"

#include "base/file.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

__attribute__((noreturn)) static void
write_port(const char *path, int fd)
{
    char text[16];
    struct diag diag = {0};
    const ssize_t n = read(fd, text, sizeof text);
    if (n <= 0) {
        _exit(0);
    }
    const struct status s = file_replace(path, view_of(text, (size_t)n), 0644, &diag);
    if (!status_ok(s)) {
        log_event(LOG_ERROR, "serve.port-file", "reason=\"%s\"", diag.text);
    }
    _exit(status_ok(s) ? 0 : 1);
}

struct status
port_file_open(const char *path, struct port_file *ret_file)
{
    int ends[2];
    if (path == NULL) {
        return OK;
    }
    if (pipe2(ends, O_CLOEXEC) != 0) {
        FAIL_OS(errno);
    }
    ret_file->path = path;
    ret_file->pid = fork();
    if (ret_file->pid == 0) {
        (void)close(ends[1]);
        write_port(path, ends[0]);
    }
    (void)close(ends[0]);
    ret_file->fd = ends[1];
    CHECK(ret_file->pid > 0, IO);
    return OK;
}

void
port_file_done(struct port_file *f)
{
    if (f->pid > 0) {
        (void)close(f->fd);
        (void)waitpid(f->pid, NULL, 0);
        f->pid = 0;
    }
}

struct status
port_file_write(struct port_file *f, uint16_t port, struct diag *diag)
{
    int ended = 1;
    char text[16];
    if (f->pid == 0) {
        return OK;
    }
    const int n = snprintf(text, sizeof text, "%u\n", port);
    (void)!write(f->fd, text, (size_t)n);
    (void)close(f->fd);
    const bool waited = waitpid(f->pid, &ended, 0) == f->pid;
    f->pid = 0;
    if (!waited || ended != 0) {
        diag_set(diag, "%s: cannot be written", f->path);
        FAIL(IO);
    }
    return OK;
}
