#include "process.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define OUTPUT_MAX (4u << 20)
#define PROC_MAX 65536u
#define STOP_MS 20000
#define PEER_ARGUMENTS_MAX 16u

int
process_cpu(unsigned which)
{
    cpu_set_t set;
    size_t last = 0;
    if (sched_getaffinity(0, sizeof set, &set) != 0) {
        return PROCESS_ANY_CPU;
    }
    for (size_t i = 0; i < CPU_SETSIZE; i++) {
        if (CPU_ISSET(i, &set)) {
            last = i;
            if (which-- == 0) {
                break;
            }
        }
    }
    return (int)last;
}

static void
become(char *const argv[], int cpu, int out, int err)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (cpu != PROCESS_ANY_CPU) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET((size_t)cpu, &set);
        (void)sched_setaffinity(0, sizeof set, &set);
    }
    (void)dup2(out, STDOUT_FILENO);
    (void)dup2(err, STDERR_FILENO);
    (void)execvp(argv[0], argv);
    (void)dprintf(err, "%s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

static struct status
spawn(char *const argv[], int cpu, int out, int err, pid_t *ret_pid)
{
    const pid_t pid = fork();
    if (pid < 0) {
        FAIL_OS(errno);
    }
    if (pid == 0) {
        become(argv, cpu, out, err);
    }
    *ret_pid = pid;
    return OK;
}

static int
scratch(void)
{
    return memfd_create("bench", MFD_CLOEXEC);
}

static struct status
read_back(int fd, struct buf *b)
{
    char block[4096];
    ssize_t n = 0;
    for (off_t at = 0; (n = pread(fd, block, sizeof block, at)) > 0; at += n) {
        buf_put(b, view_of(block, (size_t)n));
    }
    return buf_status(b);
}

static struct status
refuse_exit(const char *program, int status, int err, struct diag *diag)
{
    DEFER(buf_done) struct buf said;
    buf_init(&said, OUTPUT_MAX);
    TRY(read_back(err, &said));
    const size_t from = said.len > 500 ? said.len - 500 : 0;
    if (WIFSIGNALED(status)) {
        diag_set(diag, "%s: ended by signal %d: %s", program, WTERMSIG(status),
                 buf_str(&said) + from);
    } else {
        diag_set(diag, "%s: exit code %d: %s", program, WEXITSTATUS(status), buf_str(&said) + from);
    }
    FAIL_OS(ECHILD);
}

struct status
process_run(char *const argv[], int cpu, struct diag *diag, struct buf *ret_out)
{
    DEFER(file_closep) int out = scratch();
    DEFER(file_closep) int err = scratch();
    pid_t pid = 0;
    int status = 0;
    if (out < 0 || err < 0) {
        FAIL_OS(errno);
    }
    TRY(spawn(argv, cpu, out, err, &pid));
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (status != 0) {
        return refuse_exit(argv[0], status, err, diag);
    }
    return read_back(out, ret_out);
}

/* ret_python: path of the interpreter. */
static struct status
make_peers(const struct bench_context *c, const char *requirements, struct buf *ret_python)
{
    DEFER(file_freep) char *tool = file_join(c->source, "tools/bench-peers");
    DEFER(file_freep) char *peers = file_join(c->source, "bench/peers");
    DEFER(file_freep) char *pins = file_join(peers, requirements);
    DEFER(file_freep) char *place = file_join(c->work, "../peers");
    DEFER(file_freep) char *folder = file_join(place, requirements);
    char *argv[] = {tool, folder, pins, NULL};
    const struct status made = process_run(argv, PROCESS_ANY_CPU, c->diag, ret_python);
    if (!status_ok(made)) {
        diag_prefix(c->diag, "no Python environment for the peer");
        FAIL(UNSUPPORTED);
    }
    while (ret_python->len > 0 && ret_python->ptr[ret_python->len - 1] == '\n') {
        buf_cut(ret_python, ret_python->len - 1);
    }
    return OK;
}

struct status
process_steward(const struct bench_context *c, const char *passphrase_file, char *const words[],
                struct buf *ret_out)
{
    char *argv[32] = {(char *)(uintptr_t)c->steward}; /* argv wants char *, and changes none */
    size_t n = 1;
    for (; *words != NULL; words++) {
        ASSERT(n < 29);
        argv[n++] = *words;
    }
    argv[n++] = (char *)(uintptr_t) "--passphrase-file";
    argv[n++] = (char *)(uintptr_t)passphrase_file;
    argv[n] = NULL;
    return process_run(argv, PROCESS_ANY_CPU, c->diag, ret_out);
}

struct status
process_run_peer(const struct bench_context *c, const char *requirements, char *const argv[],
                 int cpu, struct buf *ret_out)
{
    DEFER(buf_done) struct buf python;
    DEFER(file_freep) char *peers = file_join(c->source, "bench/peers");
    DEFER(file_freep) char *script = file_join(peers, argv[0]);
    char *full[PEER_ARGUMENTS_MAX + 3] = {NULL};
    size_t n = 0;
    buf_init(&python, 4096);
    TRY(make_peers(c, requirements, &python));
    full[n++] = (char *)python.ptr;
    full[n++] = script;
    for (size_t i = 1; argv[i] != NULL; i++) {
        ASSERT(n < PEER_ARGUMENTS_MAX + 2);
        full[n++] = argv[i];
    }
    return process_run(full, cpu, c->diag, ret_out);
}

struct status
process_start(char *const argv[], int cpu, const char *log, struct diag *diag, pid_t *ret_pid)
{
    DEFER(file_closep) int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) {
        diag_set(diag, "%s: %s", log, strerror(errno));
        FAIL_OS(errno);
    }
    return spawn(argv, cpu, fd, fd, ret_pid);
}

bool
process_alive(pid_t pid)
{
    return waitpid(pid, NULL, WNOHANG) == 0;
}

void
process_stop(pid_t *pid)
{
    if (*pid <= 0) {
        return;
    }
    (void)kill(*pid, SIGTERM);
    for (int ms = 0; ms < STOP_MS && waitpid(*pid, NULL, WNOHANG) == 0; ms += 10) {
        const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
        (void)nanosleep(&pause, NULL);
    }
    if (kill(*pid, 0) == 0) {
        (void)kill(*pid, SIGKILL);
        (void)waitpid(*pid, NULL, 0);
    }
    *pid = 0;
}

/* ---- /proc ---- */

static struct status
read_proc(pid_t pid, const char *name, struct buf *b)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    return file_read(path, PROC_MAX, NULL, b);
}

static double
status_bytes(pid_t pid, const char *field)
{
    DEFER(buf_done) struct buf b;
    buf_init(&b, PROC_MAX);
    if (!status_ok(read_proc(pid, "status", &b))) {
        return 0;
    }
    const char *line = strstr(buf_str(&b), field);
    return line == NULL ? 0 : strtod(line + strlen(field), NULL) * 1024;
}

static double
peak_of_one(pid_t pid)
{
    return status_bytes(pid, "VmHWM:");
}

double
process_resident(pid_t pid)
{
    return status_bytes(pid, "VmRSS:");
}

/* Calls visit for a process and those that it started. */
static double
each_process(pid_t pid, double (*visit)(pid_t pid))
{
    DEFER(buf_done) struct buf b;
    char name[48];
    double sum = visit(pid);
    buf_init(&b, PROC_MAX);
    (void)snprintf(name, sizeof name, "task/%d/children", (int)pid);
    if (!status_ok(read_proc(pid, name, &b))) {
        return sum;
    }
    const char *at = buf_str(&b);
    char *end = NULL;
    for (long child = strtol(at, &end, 10); end != at; child = strtol(at, &end, 10)) {
        sum += visit((pid_t)child);
        at = end;
    }
    return sum;
}

double
process_peak(pid_t pid)
{
    return each_process(pid, peak_of_one);
}

static double
reset_one(pid_t pid)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/clear_refs", (int)pid);
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        (void)!write(fd, "5", 1);
        (void)close(fd);
    }
    return 0;
}

void
process_peak_reset(pid_t pid)
{
    (void)each_process(pid, reset_one);
}

/* "+F:22:AES-256-GCM:3213557760.00": bytes a second. */
struct status
process_openssl_speed(const struct bench_context *c, const char *algorithm, const char *bytes,
                      bool decrypt, double *ret_figure)
{
    char *argv[] = {"openssl",
                    "speed",
                    "-mr",
                    "-evp",
                    (char *)(uintptr_t)algorithm,
                    "-bytes",
                    (char *)(uintptr_t)bytes,
                    "-seconds",
                    "1",
                    decrypt ? "-decrypt" : NULL,
                    NULL};
    DEFER(buf_done) struct buf out;
    buf_init(&out, 65536);
    TRY(process_run(argv, PROCESS_ANY_CPU, c->diag, &out));
    const char *line = strstr(buf_str(&out), "+F:"),
               *last = line == NULL ? NULL : strrchr(line, ':');
    const double figure = last == NULL ? 0 : strtod(last + 1, NULL);
    if (!(figure > 0)) {
        diag_set(c->diag, "openssl speed said: %.300s", buf_str(&out));
        FAIL(UNSUPPORTED);
    }
    *ret_figure = figure / 1e6;
    return OK;
}
