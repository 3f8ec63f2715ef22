#include "base/passed.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

union passed {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
};

struct status
passed_put(int socket, const void *message, size_t n, int fd)
{
    struct iovec part = {(void *)(uintptr_t)message, n};
    union passed with = {0};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd >= 0) {
        m.msg_control = with.bytes;
        m.msg_controllen = sizeof with.bytes;
        with.header.cmsg_level = SOL_SOCKET;
        with.header.cmsg_type = SCM_RIGHTS;
        with.header.cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(&with.header), &fd, sizeof fd);
    }
    ssize_t sent = 0;
    do {
        sent = sendmsg(socket, &m, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    CHECK(sent == (ssize_t)n, IO);
    return OK;
}

struct status
passed_take(int socket, void *ret_message, size_t n, int *ret_fd)
{
    struct iovec part = {ret_message, n};
    union passed with = {0};
    struct msghdr m = {.msg_iov = &part,
                       .msg_iovlen = 1,
                       .msg_control = with.bytes,
                       .msg_controllen = sizeof with.bytes};
    ssize_t got = 0;
    do {
        got = recvmsg(socket, &m, MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    const struct cmsghdr *h = got < 0 ? NULL : CMSG_FIRSTHDR(&m);
    int fd = -1;
    if (h != NULL && h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS) {
        memcpy(&fd, CMSG_DATA(h), sizeof fd);
    }
    if (got != (ssize_t)n) {
        if (fd >= 0) {
            (void)close(fd);
        }
        FAIL(IO);
    }
    *ret_fd = fd;
    return OK;
}
