/* Landlock by its system calls (landlock(7)): libc has no wrappers, and the headers of Debian 12
 * know only the first versions. */
#include "base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CREATE_VERSION 1u /* landlock_create_ruleset: only tells the version */
#define RULE_PATH_BENEATH 1

#define FS_WRITE_FILE (UINT64_C(1) << 1)
#define FS_READ_FILE (UINT64_C(1) << 2)
#define FS_READ_DIR (UINT64_C(1) << 3)
#define FS_REMOVE_DIR (UINT64_C(1) << 4)
#define FS_REMOVE_FILE (UINT64_C(1) << 5)
#define FS_MAKE_DIR (UINT64_C(1) << 7)
#define FS_MAKE_REG (UINT64_C(1) << 8)
#define FS_REFER (UINT64_C(1) << 13)
#define FS_TRUNCATE (UINT64_C(1) << 14)
#define NET_CONNECT_TCP (UINT64_C(1) << 1)
#define SCOPE_ALL UINT64_C(3) /* abstract sockets, signals */

const struct sandbox_path sandbox_outward[SANDBOX_OUTWARD] = {
    {"/etc/gai.conf", SANDBOX_READ},
    {"/etc/gnutls", SANDBOX_READ},
    {"/etc/host.conf", SANDBOX_READ},
    {"/etc/hosts", SANDBOX_READ},
    {"/etc/ld.so.cache", SANDBOX_READ},
    {"/etc/nsswitch.conf", SANDBOX_READ},
    {"/etc/pki/tls/certs", SANDBOX_READ},
    {"/etc/resolv.conf", SANDBOX_READ},
    {"/etc/services", SANDBOX_READ},
    {"/etc/ssl/certs", SANDBOX_READ},
    {"/etc/ssl/openssl.cnf", SANDBOX_READ},
    {"/lib", SANDBOX_READ},
    {"/lib64", SANDBOX_READ},
    {"/usr/lib", SANDBOX_READ},
    {"/usr/lib64", SANDBOX_READ},
    {"/usr/share/ca-certificates", SANDBOX_READ},
    {"/usr/local/share/ca-certificates", SANDBOX_READ},
};

struct ruleset {
    uint64_t fs, net, scoped;
};

struct beneath {
    uint64_t allowed;
    int32_t parent;
} __attribute__((packed));

static uint64_t
known_rights(int version)
{
    static const uint64_t bits[] = {0, 13, 14, 15, 15, 16};
    const int newest = (int)(sizeof bits / sizeof *bits) - 1;
    return (UINT64_C(1) << bits[version > newest ? newest : version]) - 1;
}

static uint64_t
rights_of(enum sandbox_access access, bool folder)
{
    const bool reads = access == SANDBOX_READ || access == SANDBOX_KEEP;
    const uint64_t read = reads ? FS_READ_FILE : 0, change = FS_WRITE_FILE | FS_TRUNCATE;
    const uint64_t names = access == SANDBOX_WRITE ? 0 : FS_READ_DIR;
    const uint64_t make = FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_DIR | FS_MAKE_REG | FS_REFER;
    const bool keep = access == SANDBOX_KEEP;
    return read | (keep || access == SANDBOX_WRITE ? change : 0) | (folder ? names : 0) |
           (folder && keep ? make : 0);
}

static bool
is_out_of_reach(int err)
{
    return err == ENOENT || err == ENOTDIR || err == EACCES || err == ELOOP || err == ENAMETOOLONG;
}

static struct status
allow(int ruleset, const struct sandbox_path *p, uint64_t known, struct diag *diag)
{
    struct stat st;
    const int fd = open(p->path, O_PATH | O_CLOEXEC);
    if (fd < 0 && is_out_of_reach(errno)) {
        return OK;
    }
    const bool there = fd >= 0 && fstat(fd, &st) == 0;
    struct beneath rule = {.parent = fd};
    if (there) {
        rule.allowed = rights_of(p->access, S_ISDIR(st.st_mode)) & known;
    }
    bool done = there && syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0) == 0;
    const int err = errno;
    done = done || (there && err == EBADFD); /* of no file system */
    if (fd >= 0) {
        (void)close(fd);
    }
    if (!done) {
        diag_set(diag, "the sandbox's rule for %s: %s", p->path, strerror(err));
        FAIL_OS(err);
    }
    return OK;
}

static struct status
enter(int ruleset, struct diag *diag)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        syscall(SYS_landlock_restrict_self, ruleset, 0) != 0) {
        const int err = errno;
        diag_set(diag, "the sandbox's rules for files: %s", strerror(err));
        FAIL_OS(err);
    }
    return OK;
}

struct status
sandbox_files(const struct sandbox_path *paths, size_t count, bool outward, struct diag *diag,
              struct sandbox_told *ret_told)
{
    TRY(sandbox_capabilities());
    const long version = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_VERSION);
    if (version <= 0) {
        ret_told->landlock = 0;
        return OK;
    }
    const uint64_t known = known_rights((int)version);
    const struct ruleset rules = {.fs = known,
                                  .net = version >= 4 && !outward ? NET_CONNECT_TCP : 0,
                                  .scoped = version >= 6 ? SCOPE_ALL : 0};
    const size_t size = version >= 6 ? 24 : version >= 4 ? 16 : 8;
    const int ruleset = (int)syscall(SYS_landlock_create_ruleset, &rules, size, 0);
    if (ruleset < 0) {
        FAIL_OS(errno);
    }
    struct status s = OK;
    for (size_t i = 0; i < count && status_ok(s); i++) {
        s = allow(ruleset, &paths[i], known, diag);
    }
    if (status_ok(s)) {
        s = enter(ruleset, diag);
    }
    (void)close(ruleset);
    TRY(s);
    ret_told->landlock = (int)version;
    return OK;
}
