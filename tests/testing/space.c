#include "testing/space.h"

#include "base/file.h"
#include "net/address.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

static bool
raise_loopback(void)
{
    struct ifreq r = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING | IFF_LOOPBACK};
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const bool raised = fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &r) == 0;
    (void)close(fd);
    return raised;
}

bool
space_enter(void)
{
    const int user = geteuid() == 0 ? 0 : CLONE_NEWUSER;
    if (unshare(user | CLONE_NEWNET | CLONE_NEWNS) != 0 || !raise_loopback() ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) {
        print_error("no network namespace here: %s\n", strerror(errno));
        return false;
    }
    return true;
}

void
space_take(const char *text)
{
    struct address a;
    assert_ok(address_parse(view_str(text), 0, &a));
    const bool v6 = a.storage.ss_family == AF_INET6;
    const void *bytes =
        v6 ? (const void *)&((const struct sockaddr_in6 *)(const void *)&a.storage)->sin6_addr
           : (const void *)&((const struct sockaddr_in *)(const void *)&a.storage)->sin_addr;
    const size_t n = v6 ? 16 : 4;
    struct {
        struct nlmsghdr head;
        struct ifaddrmsg address;
        struct rtattr attribute;
        uint8_t bytes[16];
    } q = {.head = {.nlmsg_len = (uint32_t)(NLMSG_LENGTH(sizeof q.address) + RTA_LENGTH(n)),
                    .nlmsg_type = RTM_NEWADDR,
                    .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE},
           .address = {.ifa_family = v6 ? AF_INET6 : AF_INET,
                       .ifa_prefixlen = v6 ? 128 : 32,
                       .ifa_flags = IFA_F_NODAD,
                       .ifa_index = if_nametoindex("lo")},
           .attribute = {.rta_len = (unsigned short)RTA_LENGTH(n), .rta_type = IFA_LOCAL}};
    struct {
        struct nlmsghdr head;
        struct nlmsgerr error;
        uint8_t rest[256];
    } answer = {0};
    memcpy(q.bytes, bytes, n);
    const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    assert_true(send(fd, &q, q.head.nlmsg_len, 0) == (ssize_t)q.head.nlmsg_len);
    assert_true(recv(fd, &answer, sizeof answer, 0) > 0);
    assert_int_equal(answer.head.nlmsg_type, NLMSG_ERROR);
    assert_int_equal(answer.error.error, 0);
    (void)close(fd);
}

bool
space_name_server(const char *dir)
{
    DEFER(file_freep) char *resolver = file_join(dir, "resolv.conf");
    DEFER(file_freep) char *hosts = file_join(dir, "hosts");
    testing_write(resolver, view_str("nameserver 127.0.0.1\noptions timeout:2 attempts:1\n"));
    testing_write(hosts, view_str("127.0.0.1 localhost\n"));
    return mount(resolver, "/etc/resolv.conf", NULL, MS_BIND, NULL) == 0 &&
           mount(hosts, "/etc/hosts", NULL, MS_BIND, NULL) == 0;
}
