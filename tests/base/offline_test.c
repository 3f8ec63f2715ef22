/* What a worker (import, training, assessment) has given up: the network. */
#include "testing/testing.h"

#include "base/sandbox.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

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
    if (!status_ok(sandbox_offline(&diag))) {
        return 100;
    }
    if (pthread_create(&thread, NULL, try_in_thread, &in_thread) != 0) {
        return 101;
    }
    (void)pthread_join(thread, NULL);
    return sockets_to_be_had() | in_thread;
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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_worker_gets_no_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
