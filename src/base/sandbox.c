#include "base/sandbox.h"

#include "base/bytes.h"
#include "base/sandbox_lists.h"
#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sockios.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <termios.h>
#include <ucontext.h>
#include <unistd.h>

/* ---- a leak check traces its own process, which a sandbox forbids ---- */

#if defined(__SANITIZE_ADDRESS__)
static bool sandboxed;
int __lsan_is_turned_off(void);
__attribute__((visibility("default"))) int
__lsan_is_turned_off(void)
{
    return sandboxed;
}
static void
note_sandboxed(void)
{
    sandboxed = true;
}
#else
static void
note_sandboxed(void)
{
}
#endif

/* ---- telling of refused calls ---- */

#define CALLS_MAX 1024
/* set_mempolicy_home_node, of Linux 5.17: the numbers are the same for every processor from 424 on.
 * A newer call is one that this kernel does not have, so that a newer library does without it. */
#define NEWEST_CALL 450
static atomic_bool told[CALLS_MAX];

/* The kernel leaves the call's number where its result belongs. */
#if defined(__x86_64__)
static void
set_result(ucontext_t *u, long value)
{
    u->uc_mcontext.gregs[REG_RAX] = value;
}
#elif defined(__aarch64__)
static void
set_result(ucontext_t *u, long value)
{
    u->uc_mcontext.regs[0] = (unsigned long)value;
}
#else
static void
set_result(ucontext_t *u, long value)
{
    (void)u, (void)value;
    _exit(128 + SIGSYS);
}
#endif

/* In a signal's handler: no printf. */
static size_t
put_text(char *at, const char *text)
{
    const size_t n = strlen(text);
    memcpy(at, text, n);
    return n;
}

static size_t
put_number(char *at, unsigned number)
{
    char digits[12];
    size_t n = 0, k = 0;
    do {
        digits[n++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    while (n > 0) {
        at[k++] = digits[--n];
    }
    return k;
}

static void
on_refused(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    char line[128];
    const int call = info->si_syscall, before = errno;
    if (call > NEWEST_CALL) {
        set_result(context, -ENOSYS);
        return;
    }
    if (call >= 0 && call < CALLS_MAX && !atomic_exchange(&told[call], true)) {
        size_t n = put_text(line, "steward: sandbox: system call ");
        n += put_number(line + n, (unsigned)call);
        n += put_text(line + n, " refused; it is told once\n");
        (void)!write(STDERR_FILENO, line, n);
    }
    errno = before;
    set_result(context, -EPERM);
}

static struct status
tell_of_refused(void)
{
    const struct sigaction act = {.sa_sigaction = on_refused,
                                  .sa_flags = SA_SIGINFO | SA_NODEFER | SA_RESTART};
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGSYS);
    if (sigaction(SIGSYS, &act, NULL) != 0 || sigprocmask(SIG_UNBLOCK, &set, NULL) != 0) {
        FAIL_OS(errno);
    }
    return OK;
}

/* ---- what root may ---- */

/* About files and ports, which its owner may not be; nothing of the system. */
#define KEPT_CAPABILITIES                                                                          \
    (1u << CAP_CHOWN | 1u << CAP_DAC_OVERRIDE | 1u << CAP_DAC_READ_SEARCH | 1u << CAP_FOWNER |     \
     1u << CAP_NET_BIND_SERVICE | 1u << CAP_IPC_LOCK)

struct status
sandbox_capabilities(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct of[_LINUX_CAPABILITY_U32S_3] = {0};
    if (syscall(SYS_capget, &head, of) != 0) {
        FAIL_OS(errno);
    }
    for (size_t i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
        of[i].effective &= i == 0 ? KEPT_CAPABILITIES : 0;
        of[i].permitted &= i == 0 ? KEPT_CAPABILITIES : 0;
        of[i].inheritable = 0;
    }
    if (syscall(SYS_capset, &head, of) != 0) {
        FAIL_OS(errno);
    }
    return OK;
}

/* ---- system calls ---- */

static void
free_filter(scmp_filter_ctx *filter)
{
    seccomp_release(*filter);
}

static struct status
refuse_filter(struct diag *diag, int rc, const char *what)
{
    diag_set(diag, "the sandbox's %s: %s", what, strerror(-rc));
    FAIL_OS(-rc);
}

/* A call that this processor does not have is passed over. */
static int
add_calls(scmp_filter_ctx filter, uint32_t action, const char *const *names)
{
    for (; *names != NULL; names++) {
        const int call = seccomp_syscall_resolve_name(*names);
        const int rc = call < 0 ? 0 : seccomp_rule_add(filter, action, call, 0);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

/* One call, when its argument is so. */
static int
add_call(scmp_filter_ctx filter, uint32_t action, const char *name, struct scmp_arg_cmp when)
{
    const int call = seccomp_syscall_resolve_name(name);
    return call < 0 ? 0 : seccomp_rule_add(filter, action, call, 1, when);
}

#define FIRST(ERROR, CALL) ((ERROR) != 0 ? (ERROR) : (CALL))

/* All but F_SETOWN, F_SETSIG, leases and notices, which have the kernel send signals to others. */
static int
add_descriptors(scmp_filter_ctx f)
{
    static const int commands[] = {F_DUPFD,      F_DUPFD_CLOEXEC, F_GETFD,     F_SETFD,
                                   F_GETFL,      F_SETFL,         F_GETLK,     F_SETLK,
                                   F_SETLKW,     F_OFD_GETLK,     F_OFD_SETLK, F_OFD_SETLKW,
                                   F_GETPIPE_SZ, F_SETPIPE_SZ,    F_GET_SEALS, F_ADD_SEALS};
    int rc = 0;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        const struct scmp_arg_cmp is = SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)commands[i]);
        rc = FIRST(rc, add_call(f, SCMP_ACT_ALLOW, "fcntl", is));
    }
    return rc;
}

/* A file is emptied by who may write it, and not by opening it to read, which older rules for files
 * let pass. */
static int
add_changing(scmp_filter_ctx f, const char *name, unsigned flags)
{
    const scmp_datum_t how[][2] = {{O_TRUNC, 0}, {O_ACCMODE, O_WRONLY}, {O_ACCMODE, O_RDWR}};
    int rc = 0;
    for (size_t i = 0; i < sizeof how / sizeof *how; i++) {
        const struct scmp_arg_cmp is = SCMP_CMP(flags, SCMP_CMP_MASKED_EQ, how[i][0], how[i][1]);
        rc = FIRST(rc, add_call(f, SCMP_ACT_ALLOW, name, is));
    }
    return rc;
}

/* Files: an importer's to read alone, and none is made. */
static int
add_opening(scmp_filter_ctx f, enum sandbox_kind kind)
{
    static const uint64_t writes = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | O_APPEND | __O_TMPFILE;
    if (kind != SANDBOX_IMPORTER) {
        return FIRST(add_changing(f, "openat", 2), add_changing(f, "open", 1));
    }
    const int rc = add_call(f, SCMP_ACT_ALLOW, "open", SCMP_A1(SCMP_CMP_MASKED_EQ, writes, 0));
    return FIRST(rc, add_call(f, SCMP_ACT_ALLOW, "openat", SCMP_A2(SCMP_CMP_MASKED_EQ, writes, 0)));
}

/* A file's bytes as code that cannot be written: a library is loaded. */
static int
add_libraries(scmp_filter_ctx filter)
{
    const struct scmp_arg_cmp fixed = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_WRITE, 0);
    const struct scmp_arg_cmp of_file = SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS, 0);
    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2, fixed, of_file);
}

/* Memory that is no code; the gateway's, until it is settled, may be. */
static int
add_memory(scmp_filter_ctx filter, enum sandbox_kind kind)
{
    const struct scmp_arg_cmp plain = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
    static const char *const names[] = {"mmap", "mprotect", NULL};
    if (kind == SANDBOX_GATEWAY) {
        return add_calls(filter, SCMP_ACT_ALLOW, names);
    }
    int rc = add_call(filter, SCMP_ACT_ALLOW, "mmap", plain);
    rc = FIRST(rc, kind >= SANDBOX_FETCHER ? add_libraries(filter) : 0);
    return FIRST(rc, add_call(filter, SCMP_ACT_ALLOW, "mprotect", plain));
}

static int
add_sockets(scmp_filter_ctx f, const int *families, size_t count)
{
    int rc = 0;
    for (size_t i = 0; i < count; i++) {
        const struct scmp_arg_cmp is = SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i]);
        rc = FIRST(rc, add_call(f, SCMP_ACT_ALLOW, "socket", is));
    }
    return rc;
}

/* clone3's arguments cannot be looked at, and glibc falls back on clone. */
static int
hide_clone3(scmp_filter_ctx f)
{
    return seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
}

/* Threads, but no processes. */
static int
add_threads(scmp_filter_ctx f)
{
    int rc = hide_clone3(f);
    rc = FIRST(rc, add_call(f, SCMP_ACT_ALLOW, "clone",
                            SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD)));
    return FIRST(rc, add_call(f, SCMP_ACT_ALLOW, "prctl", SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME)));
}

static int
add_connecting(scmp_filter_ctx f)
{
    static const int families[] = {AF_INET, AF_INET6, AF_NETLINK};
    static const size_t count = sizeof families / sizeof *families;
    int rc = add_calls(f, SCMP_ACT_ALLOW, sandbox_fetcher_calls);
    rc = FIRST(rc, add_call(f, SCMP_ACT_ALLOW, "socketpair", SCMP_A0(SCMP_CMP_EQ, AF_UNIX)));
    return FIRST(rc, add_sockets(f, families, count));
}

static int
add_fetcher(scmp_filter_ctx f)
{
    int rc = add_connecting(f);
    rc = FIRST(rc, add_call(f, SCMP_ACT_ALLOW, "socket", SCMP_A0(SCMP_CMP_EQ, AF_UNIX)));
    rc = FIRST(rc, add_threads(f));
    rc = FIRST(rc, add_call(f, SCMP_ACT_ALLOW, "prlimit64", SCMP_A2(SCMP_CMP_EQ, 0)));
    rc = FIRST(rc, add_call(f, SCMP_ACT_ALLOW, "ioctl", SCMP_A1(SCMP_CMP_EQ, FIONREAD)));
    return FIRST(rc, add_call(f, SCMP_ACT_ALLOW, "ioctl", SCMP_A1(SCMP_CMP_EQ, FIONBIO)));
}

static int
add_sender(scmp_filter_ctx f)
{
    const int rc = FIRST(add_fetcher(f), add_calls(f, SCMP_ACT_ALLOW, sandbox_sender_calls));
    return FIRST(rc, add_call(f, SCMP_ACT_ALLOW, "ioctl", SCMP_A1(SCMP_CMP_EQ, SIOCOUTQ)));
}

/* SQLite tries to give files that it makes the mode and owner of the database, and does without. */
static int
refuse_modes(scmp_filter_ctx f)
{
    static const char *const modes[] = {"fchmod", "fchown", NULL};
    return add_calls(f, SCMP_ACT_ERRNO(EPERM), modes);
}

static int
add_gateway(scmp_filter_ctx f)
{
    static const int families[] = {AF_INET, AF_INET6};
    int rc = FIRST(refuse_modes(f), add_calls(f, SCMP_ACT_ALLOW, sandbox_gateway_calls));
    rc = FIRST(rc, add_threads(f));
    rc = FIRST(rc, add_sockets(f, families, sizeof families / sizeof *families));
    rc = FIRST(rc, add_call(f, SCMP_ACT_ALLOW, "prlimit64", SCMP_A2(SCMP_CMP_EQ, 0)));
    rc = FIRST(rc, add_call(f, SCMP_ACT_ALLOW, "prctl", SCMP_A0(SCMP_CMP_EQ, PR_SET_NO_NEW_PRIVS)));
    rc = FIRST(rc, add_call(f, SCMP_ACT_ALLOW, "ioctl", SCMP_A1(SCMP_CMP_EQ, TCGETS)));
    rc = FIRST(rc, add_call(f, SCMP_ACT_ALLOW, "ioctl", SCMP_A1(SCMP_CMP_EQ, FIONREAD)));
    return FIRST(rc, add_call(f, SCMP_ACT_ALLOW, "ioctl", SCMP_A1(SCMP_CMP_EQ, FIONBIO)));
}

static int
add_importer(scmp_filter_ctx f)
{
    int rc = add_calls(f, SCMP_ACT_ALLOW, sandbox_importer_calls);
    rc = FIRST(rc, add_threads(f));
    rc = FIRST(rc, add_call(f, SCMP_ACT_ALLOW, "prctl", SCMP_A0(SCMP_CMP_EQ, PR_GET_NAME)));
    rc = FIRST(rc, add_call(f, SCMP_ACT_ALLOW, "prctl", SCMP_A0(SCMP_CMP_EQ, PR_SET_VMA)));
    return FIRST(rc, add_call(f, SCMP_ACT_ALLOW, "prlimit64", SCMP_A2(SCMP_CMP_EQ, 0)));
}

/* For its threads, its own memory and the terminal, but no letters typed into that (TIOCSTI). */
static int
add_verb(scmp_filter_ctx f)
{
    static const uint64_t asked[] = {TCGETS,     TCSETS,   TCSETSW,   TCSETSF,
                                     TIOCGWINSZ, FIONREAD, TIOCGPGRP, FIONBIO};
    static const int own[] = {PR_GET_NAME, PR_GET_DUMPABLE, PR_SET_VMA};
    int rc = FIRST(refuse_modes(f), add_calls(f, SCMP_ACT_ALLOW, sandbox_verb_calls));
    rc = FIRST(rc, add_threads(f));
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        const struct scmp_arg_cmp is = SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)own[i]);
        rc = FIRST(rc, add_call(f, SCMP_ACT_ALLOW, "prctl", is));
    }
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        rc = FIRST(rc, add_call(f, SCMP_ACT_ALLOW, "ioctl", SCMP_A1(SCMP_CMP_EQ, asked[i])));
    }
    return FIRST(rc, add_call(f, SCMP_ACT_ALLOW, "prlimit64", SCMP_A0(SCMP_CMP_EQ, 0)));
}

/* A verb's, and sockets to connect. */
static int
add_client(scmp_filter_ctx f)
{
    /* An agent's or a daemon's socket is a file that nobody named; resolving does without. */
    int rc = FIRST(add_verb(f), add_connecting(f));
    rc = FIRST(rc,
               add_call(f, SCMP_ACT_ERRNO(EAFNOSUPPORT), "socket", SCMP_A0(SCMP_CMP_EQ, AF_UNIX)));
    return FIRST(rc, add_call(f, SCMP_ACT_ALLOW, "ioctl", SCMP_A1(SCMP_CMP_EQ, SIOCOUTQ)));
}

/* A copy of itself, with nothing of its own that is shared or new. */
static int
add_processes(scmp_filter_ctx f)
{
    static const uint64_t others = ~(uint64_t)(CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | CSIGNAL);
    static const int own[] = {PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS};
    int rc = add_call(f, SCMP_ACT_ALLOW, "clone", SCMP_A0(SCMP_CMP_MASKED_EQ, others, 0));
    rc = FIRST(rc, add_call(f, SCMP_ACT_ALLOW, "kill", SCMP_A1(SCMP_CMP_EQ, SIGKILL)));
    /* What it starts ends itself by abort, under another number than this one's. */
    rc = FIRST(rc, add_call(f, SCMP_ACT_ALLOW, "tgkill", SCMP_A2(SCMP_CMP_EQ, SIGABRT)));
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        const struct scmp_arg_cmp is = SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)own[i]);
        rc = FIRST(rc, add_call(f, SCMP_ACT_ALLOW, "prctl", is));
    }
    return rc;
}

static int
add_house(scmp_filter_ctx f)
{
    int rc = FIRST(add_sender(f), add_calls(f, SCMP_ACT_ALLOW, sandbox_house_calls));
    return FIRST(rc, add_processes(f));
}

static int
load(scmp_filter_ctx filter)
{
    const int rc = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    note_sandboxed();
    return FIRST(rc, seccomp_load(filter));
}

struct status
sandbox_calls(enum sandbox_kind kind, struct diag *diag)
{
    TRY(tell_of_refused());
    TRY(sandbox_capabilities());
    DEFER(free_filter) scmp_filter_ctx f = seccomp_init(SCMP_ACT_TRAP);
    CHECK(f != NULL, MEMORY);
    int rc = add_calls(f, SCMP_ACT_ALLOW, sandbox_common_calls);
    rc = FIRST(rc, add_calls(f, SCMP_ACT_KILL_PROCESS, sandbox_hostile_calls));
    rc = FIRST(rc, add_descriptors(f));
    rc = FIRST(rc, add_opening(f, kind));
    rc = FIRST(rc, add_memory(f, kind));
    rc = FIRST(rc,
               add_call(f, SCMP_ACT_ALLOW, "tgkill", SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid())));
    rc = FIRST(rc, kind == SANDBOX_GATEWAY ? add_gateway(f) : 0);
    rc = FIRST(rc, kind == SANDBOX_IMPORTER ? add_importer(f) : 0);
    rc = FIRST(rc, kind == SANDBOX_FETCHER ? add_fetcher(f) : 0);
    rc = FIRST(rc, kind == SANDBOX_SENDER ? add_sender(f) : 0);
    rc = FIRST(rc, kind == SANDBOX_VERB ? add_verb(f) : 0);
    rc = FIRST(rc, kind == SANDBOX_CLIENT ? add_client(f) : 0);
    rc = FIRST(rc, kind == SANDBOX_HOUSE ? add_house(f) : 0);
    rc = FIRST(rc, load(f));
    return rc == 0 ? OK : refuse_filter(diag, rc, "list of system calls");
}

struct status
sandbox_settle(bool outward, struct diag *diag)
{
    static const char *const closed[] = {"socket", "bind", "listen", "connect", NULL};
    static const char *const late[] = {"seccomp", NULL};
    /* TCP Fast Open connects, and a listener that is shut down can be its socket. */
    const struct scmp_arg_cmp to = SCMP_A3(SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, MSG_FASTOPEN);
    const struct scmp_arg_cmp message = SCMP_A2(SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, MSG_FASTOPEN);
    const struct scmp_arg_cmp code = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC);
    DEFER(free_filter) scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);
    CHECK(f != NULL, MEMORY);
    int rc = outward ? 0 : add_calls(f, SCMP_ACT_TRAP, closed);
    rc = FIRST(rc, add_call(f, SCMP_ACT_TRAP, "sendto", to));
    rc = FIRST(rc, add_call(f, SCMP_ACT_TRAP, "sendmmsg", to));
    rc = FIRST(rc, add_call(f, SCMP_ACT_TRAP, "sendmsg", message));
    rc = FIRST(rc, add_calls(f, SCMP_ACT_TRAP, late));
    rc = FIRST(rc, add_call(f, SCMP_ACT_TRAP, "mmap", code));
    rc = FIRST(rc, add_call(f, SCMP_ACT_TRAP, "mprotect", code));
    rc = FIRST(rc, load(f));
    return rc == 0 ? OK : refuse_filter(diag, rc, "second list of system calls");
}

/* Sockets of these families only: a list of allowed ones cannot be said of one argument, gaps
 * between them can. Pairs are of one. */
static int
refuse_other_sockets(scmp_filter_ctx f, bool network)
{
    static const char *const closed[] = {"listen", "accept", "accept4", NULL};
    static const int allowed[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
    int rc = add_calls(f, SCMP_ACT_TRAP, closed);
    for (int family = 0; family < AF_MAX; family++) {
        bool known = false;
        for (size_t i = 0; i < (network ? sizeof allowed / sizeof *allowed : 1); i++) {
            known = known || allowed[i] == family;
        }
        const struct scmp_arg_cmp is = SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)family);
        rc = FIRST(rc, known ? 0 : add_call(f, SCMP_ACT_TRAP, "socket", is));
    }
    rc = FIRST(rc, add_call(f, SCMP_ACT_TRAP, "socket", SCMP_A0(SCMP_CMP_GE, AF_MAX)));
    rc = FIRST(rc, add_call(f, SCMP_ACT_TRAP, "socketpair", SCMP_A0(SCMP_CMP_NE, AF_UNIX)));
    const struct scmp_arg_cmp raw = SCMP_A1(SCMP_CMP_MASKED_EQ, 0xf, SOCK_RAW);
    for (size_t i = 1; network && i < 3; i++) { /* of netlink every socket is raw */
        const struct scmp_arg_cmp ip = SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)allowed[i]);
        rc = FIRST(rc, seccomp_rule_add(f, SCMP_ACT_TRAP, SCMP_SYS(socket), 2, ip, raw));
    }
    return rc;
}

struct status
sandbox_driver(bool network, struct diag *diag)
{
    TRY(tell_of_refused());
    TRY(sandbox_capabilities());
    DEFER(free_filter) scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);
    CHECK(f != NULL, MEMORY);
    const struct scmp_arg_cmp own = SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_NEWUSER, CLONE_NEWUSER);
    int rc = add_calls(f, SCMP_ACT_KILL_PROCESS, sandbox_hostile_calls);
    rc = FIRST(rc, hide_clone3(f));
    rc = FIRST(rc, add_call(f, SCMP_ACT_KILL_PROCESS, "clone", own));
    rc = FIRST(rc, refuse_other_sockets(f, network));
    rc = FIRST(rc, load(f));
    return rc == 0 ? OK : refuse_filter(diag, rc, "list of system calls");
}

void
sandbox_wipe_environment(void)
{
    static const char *const names[] = {"STEWARD_PASSPHRASE",    "STEWARD_NEW_PASSPHRASE",
                                        "STEWARD_PKCS11_PIN",    "STEWARD_NEW_PKCS11_PIN",
                                        "STEWARD_TRANSIT_TOKEN", "STEWARD_NEW_TRANSIT_TOKEN"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *text = getenv(names[i]);
        if (text != NULL) {
            secret_wipe(text, strlen(text));
        }
    }
}
