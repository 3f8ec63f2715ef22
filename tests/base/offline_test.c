/* What a process that runs a verb has given up: the network, processes, code of others. */
#include "testing/testing.h"

#include "base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define CALL_OF_TOMORROW 1000

static const int families[] = {AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_VSOCK, AF_UNIX};

/* A bit for each family of which a socket can be had. */
static int
sockets_to_be_had(void)
{
    int had = 0;
    for (unsigned i = 0; i < sizeof families / sizeof *families; i++) {
        const int type = families[i] == AF_NETLINK ? SOCK_RAW : SOCK_DGRAM;
        const int fd = socket(families[i], type | SOCK_CLOEXEC, 0);
        had |= fd >= 0 ? 1 << i : 0;
        (void)close(fd);
    }
    return had;
}

static void *
try_in_thread(void *ret_had)
{
    *(int *)ret_had = sockets_to_be_had();
    return NULL;
}

static int
in_a_worker(void)
{
    int in_thread = 0;
    pthread_t thread;
    struct diag diag = {0};
    if (!status_ok(sandbox_calls(SANDBOX_VERB, &diag))) {
        return 100;
    }
    if (pthread_create(&thread, NULL, try_in_thread, &in_thread) != 0) {
        return 101;
    }
    (void)pthread_join(thread, NULL);
    return sockets_to_be_had() | in_thread;
}

/* ---- calls ---- */

/* How a call of the system's ended: killed, or with what error. */
enum end { KILLED, REFUSED, UNKNOWN, MADE };

static const struct call {
    long number;
    long first;
    enum end end;
} calls[] = {
    {SYS_socket, AF_UNIX, REFUSED},
    {SYS_connect, -1, REFUSED},
    {SYS_bind, -1, REFUSED},
    {SYS_listen, -1, REFUSED},
    {SYS_clone, SIGCHLD, REFUSED}, /* a process */
    {SYS_pidfd_open, 1, REFUSED},
    {SYS_memfd_create, 0, REFUSED},
    {SYS_setuid, 65534, REFUSED},
    {SYS_mknodat, -1, REFUSED},
    {SYS_truncate, 0, REFUSED}, /* by a path: no rule for files reaches these everywhere */
    {SYS_fchmodat, -1, REFUSED},
    {SYS_fchmod, -1, REFUSED}, /* nor of what is open to read */
    {SYS_fchown, -1, REFUSED},
    {SYS_utimensat, -1, REFUSED},
    {SYS_symlinkat, 0, REFUSED},
    {SYS_clone3, 0, UNKNOWN},
    {CALL_OF_TOMORROW, 0, UNKNOWN},
    {SYS_execve, 0, KILLED},
    {SYS_execveat, -1, KILLED},
    {SYS_io_uring_setup, 1, KILLED},
    {SYS_io_uring_enter, -1, KILLED},
    {SYS_io_uring_register, -1, KILLED},
    {SYS_process_vm_readv, 1, KILLED},
    {SYS_process_vm_writev, 1, KILLED},
    {SYS_pidfd_getfd, -1, KILLED},
    {SYS_bpf, 0, KILLED},
    {SYS_userfaultfd, 0, KILLED},
    {SYS_perf_event_open, 0, KILLED},
    {SYS_keyctl, 0, KILLED},
    {SYS_add_key, 0, KILLED},
    {SYS_request_key, 0, KILLED},
    {SYS_mount, 0, KILLED},
    {SYS_umount2, 0, KILLED},
    {SYS_move_mount, -1, KILLED},
    {SYS_open_tree, -1, KILLED},
    {SYS_fsopen, 0, KILLED},
    {SYS_fsmount, -1, KILLED},
    {SYS_mount_setattr, -1, KILLED},
    {SYS_pivot_root, 0, KILLED},
    {SYS_chroot, 0, KILLED},
    {SYS_unshare, CLONE_NEWUSER, KILLED},
    {SYS_setns, -1, KILLED},
    {SYS_kexec_load, 0, KILLED},
    {SYS_kexec_file_load, -1, KILLED},
    {SYS_finit_module, -1, KILLED},
    {SYS_open_by_handle_at, -1, KILLED},
    {SYS_ptrace, 0, KILLED},
};

#define UNCONFINED (-1)

/* kind: enum sandbox_kind, or UNCONFINED. */
static enum end
end_of_call(const struct call *c, int kind)
{
    int ended = -1;
    const pid_t pid = fork();
    if (pid == 0) {
        if (kind != UNCONFINED && !status_ok(sandbox_calls((enum sandbox_kind)kind, NULL))) {
            _exit(MADE);
        }
        const long made = syscall(c->number, c->first, 0, 0, 0, 0, 0);
        _exit(made >= 0 ? MADE : errno == EPERM ? REFUSED : UNKNOWN);
    }
    assert_int_equal(waitpid(pid, &ended, 0), pid);
    assert_true(WIFEXITED(ended) || WTERMSIG(ended) == SIGSYS);
    return WIFEXITED(ended) ? (enum end)WEXITSTATUS(ended) : KILLED;
}

static void
no_call_leads_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        const enum end end = end_of_call(&calls[i], SANDBOX_VERB);
        if (end != calls[i].end) {
            fail_msg("system call %ld: %d", calls[i].number, (int)end);
        }
    }
    const struct call own = {SYS_pidfd_open, getpid(), REFUSED};
    assert_int_equal(end_of_call(&own, SANDBOX_VERB), REFUSED);
    assert_int_equal(end_of_call(&own, UNCONFINED), MADE); /* so that this test can fail */
}

/* Of a verb that connects, and of what starts processes that do. */
static void
who_connects_and_who_starts_those_make_the_calls_of_a_list(void **state)
{
    static const struct {
        struct call call;
        enum end of_client, of_house;
    } rows[] = {
        {{SYS_socket, AF_INET, 0}, UNKNOWN, UNKNOWN}, /* of no type that there is, but asked for */
        {{SYS_socket, AF_PACKET, 0}, REFUSED, REFUSED},
        {{SYS_socket, AF_ALG, 0}, REFUSED, REFUSED},
        {{SYS_socketpair, AF_UNIX, 0}, UNKNOWN, UNKNOWN},
        {{SYS_socketpair, AF_TIPC, 0}, REFUSED, REFUSED},
        {{SYS_socketpair, AF_INET, 0}, REFUSED, REFUSED},
        {{SYS_listen, -1, 0}, REFUSED, REFUSED},
        {{SYS_accept4, -1, 0}, REFUSED, REFUSED},
        {{SYS_clone, SIGCHLD, 0}, REFUSED, MADE},
        {{SYS_clone, CLONE_NEWUSER | SIGCHLD, 0}, REFUSED, REFUSED},
        {{SYS_clone, CLONE_PARENT | SIGCHLD, 0}, REFUSED, REFUSED},
        {{SYS_kill, 0, 0}, REFUSED, REFUSED}, /* to a group, and to look who is there */
        {{SYS_setuid, 65534, 0}, REFUSED, REFUSED},
        {{SYS_mknodat, -1, 0}, REFUSED, REFUSED},
        {{SYS_fchmod, -1, 0}, REFUSED, REFUSED},
        {{SYS_fchown, -1, 0}, REFUSED, REFUSED},
        {{SYS_process_mrelease, -1, 0}, REFUSED, REFUSED},
        {{SYS_fanotify_init, 0, 0}, REFUSED, REFUSED},
        {{SYS_clone3, 0, 0}, UNKNOWN, UNKNOWN},
        {{CALL_OF_TOMORROW, 0, 0}, UNKNOWN, UNKNOWN},
        {{SYS_execve, 0, 0}, KILLED, KILLED},
        {{SYS_ptrace, 0, 0}, KILLED, KILLED},
        {{SYS_process_vm_readv, 1, 0}, KILLED, KILLED},
        {{SYS_unshare, CLONE_NEWUSER, 0}, KILLED, KILLED},
        {{SYS_io_uring_setup, 1, 0}, KILLED, KILLED},
        {{SYS_bpf, 0, 0}, KILLED, KILLED},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const enum end client = end_of_call(&rows[i].call, SANDBOX_CLIENT),
                       house = end_of_call(&rows[i].call, SANDBOX_HOUSE);
        if (client != rows[i].of_client || house != rows[i].of_house) {
            fail_msg("row %zu, system call %ld: %d, %d", i, rows[i].call.number, (int)client,
                     (int)house);
        }
    }
}

/* ---- memory, the terminal, root's capabilities ---- */

static int
code_to_be_had(void)
{
    char page = 0;
    const size_t n = 4096;
    void *all =
        mmap(NULL, n, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    void *plain = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int had = all != MAP_FAILED ? 1 : 0;
    had |= plain == MAP_FAILED || mprotect(plain, n, PROT_READ | PROT_EXEC) == 0 ? 2 : 0;
    had |= ioctl(STDIN_FILENO, TIOCSTI, &page) == 0 || errno != EPERM ? 4 : 0;
    had |= fcntl(STDIN_FILENO, F_SETOWN, getpid()) == 0 || errno != EPERM ? 8 : 0;
    return had;
}

static int
in_a_verb(void)
{
    return status_ok(sandbox_calls(SANDBOX_VERB, NULL)) ? code_to_be_had() : 100;
}

static int
in_a_client(void)
{
    return status_ok(sandbox_calls(SANDBOX_CLIENT, NULL)) ? code_to_be_had() : 100;
}

static int
in_a_house(void)
{
    return status_ok(sandbox_calls(SANDBOX_HOUSE, NULL)) ? code_to_be_had() : 100;
}

static int
capabilities_of_a_verb(void)
{
    const int further[] = {CAP_SYS_ADMIN, CAP_SYS_PTRACE, CAP_NET_ADMIN, CAP_NET_RAW,
                           CAP_SETUID,    CAP_SYS_MODULE, CAP_BPF,       CAP_MKNOD};
    FILE *f = NULL;
    char line[256];
    unsigned long long has = ~0ull;
    if (!status_ok(sandbox_calls(SANDBOX_VERB, NULL)) ||
        (f = fopen("/proc/self/status", "re")) == NULL) {
        return 100;
    }
    while (fgets(line, sizeof line, f) != NULL) {
        (void)sscanf(line, "CapPrm: %llx", &has);
    }
    (void)fclose(f);
    for (size_t i = 0; i < sizeof further / sizeof *further; i++) {
        if ((has >> further[i] & 1) != 0) {
            return 1 + (int)i;
        }
    }
    return 0;
}

static int
code_of(int (*run)(void))
{
    int ended = -1;
    const pid_t pid = fork();
    if (pid == 0) {
        _exit(run());
    }
    assert_int_equal(waitpid(pid, &ended, 0), pid);
    assert_true(WIFEXITED(ended));
    return WEXITSTATUS(ended);
}

static void
a_worker_gets_no_socket(void **state)
{
    (void)state;
    assert_true((code_of(sockets_to_be_had) & 3) != 0); /* this test could have one */
    assert_int_equal(code_of(in_a_worker), 0);
}

static void
no_code_is_made_and_root_is_no_more_than_an_owner(void **state)
{
    (void)state;
    assert_int_not_equal(code_of(code_to_be_had), 0); /* this test could have some */
    assert_int_equal(code_of(in_a_verb), 0);
    assert_int_equal(code_of(in_a_client), 0);
    assert_int_equal(code_of(in_a_house), 0);
    assert_int_equal(code_of(capabilities_of_a_verb), 0);
}

/* With which of these he gets the file: a letter's bit each. */
static int
ways_to_empty(enum sandbox_kind kind)
{
    static const int flags[] = {O_RDONLY | O_TRUNC, O_RDONLY, O_WRONLY | O_TRUNC, O_RDWR | O_TRUNC};
    int had = 0;
    if (!status_ok(sandbox_calls(kind, NULL))) {
        return 100;
    }
    for (unsigned i = 0; i < sizeof flags / sizeof *flags; i++) {
        const int fd = open("emptied", flags[i] | O_CLOEXEC);
        had |= fd >= 0 ? 1 << i : 0;
        (void)close(fd);
    }
    return had;
}

static void
no_file_is_emptied_by_who_opens_it_to_read(void **state)
{
    static const enum sandbox_kind kinds[] = {SANDBOX_KEEPER, SANDBOX_GATEWAY, SANDBOX_SENDER,
                                              SANDBOX_VERB, SANDBOX_CLIENT};
    (void)state;
    char *dir = testing_dir();
    assert_int_equal(chdir(dir), 0);
    testing_write("emptied", view_str("text"));
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        int ended = -1;
        const pid_t pid = fork();
        if (pid == 0) {
            _exit(ways_to_empty(kinds[i]));
        }
        assert_int_equal(waitpid(pid, &ended, 0), pid);
        assert_true(WIFEXITED(ended));
        assert_int_equal(WEXITSTATUS(ended), 2 | 4 | 8);
    }
    assert_int_equal(chdir("/"), 0);
    testing_dirp(&dir);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_worker_gets_no_socket),
        cmocka_unit_test(no_call_leads_out),
        cmocka_unit_test(who_connects_and_who_starts_those_make_the_calls_of_a_list),
        cmocka_unit_test(no_file_is_emptied_by_who_opens_it_to_read),
        cmocka_unit_test(no_code_is_made_and_root_is_no_more_than_an_owner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
