/* Somebody takes the gateway over: a process with the gateway's socket, in the gateway's sandbox,
 * that runs whatever it likes. What it can get, and what it cannot. The keeper is the real program.
 */
#include "testing/testing.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/random.h"
#include "serve/confine.h"
#include "serve/fetcher.h"
#include "vault/keeper.h"
#include "vault/seal.h"
#include "workspace/datasets.h"
#include "workspace/models.h"
#include "workspace/workspace.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PASSPHRASE "correct horse battery staple"
#define ROOT "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

/* ---- the house that is broken into ---- */

static struct {
    char *root, *dir, *keeper;
    struct secret passphrase;
} it;

static int
set_up(void **state)
{
    (void)state;
    it.root = testing_dir();
    it.dir = file_join(it.root, "ws");
    it.keeper = malloc(4096);
    (void)snprintf(it.keeper, 4096, "%s-keeper", testing_binary());
    DEFER(file_freep) char *csv = file_join(it.root, "loans.csv");
    DEFER(buf_done) struct buf rows;
    buf_init(&rows, 1 << 16);
    buf_put_str(&rows, "income,sex,paid\n");
    for (int i = 0; i < 200; i++) {
        buf_printf(&rows, "%d,%s,%s\n", i, i % 3 == 0 ? "f" : "m", i % 2 == 0 ? "yes" : "no");
    }
    testing_write(csv, buf_view(&rows));
    (void)setenv("STEWARD_WORKSPACE", it.dir, 1);
    (void)setenv("STEWARD_PASSPHRASE", PASSPHRASE, 1);
    assert_steward("init", it.dir);
    assert_steward("dataset", "add", "loans", csv, "--label", "paid", "--positive", "yes",
                   "--sensitive", "sex");
    assert_steward("dataset", "add", "people", csv, "--label", "paid", "--positive", "yes",
                   "--subject", "income");
    assert_steward("model", "train", "loans", "--data", "loans", "--rounds", "3");
    return status_ok(secret_from(view_str(PASSPHRASE), &it.passphrase)) ? 0 : -1;
}

static int
tear_down(void **state)
{
    (void)state;
    secret_done(&it.passphrase);
    free(it.keeper);
    free(it.dir);
    testing_dirp(&it.root);
    return 0;
}

struct loot {
    struct keeper_client *keeper;
    pid_t keeper_pid;
};

static struct status
start_keeper(const char *at, const struct secret *passphrase, struct diag *diag, pid_t *ret_pid,
             struct keeper_client **ret_client)
{
    const struct keeper_options o = {.program = it.keeper, .dir = at, .passphrase = passphrase};
    return keeper_start(&o, diag, ret_pid, ret_client);
}

/* Runs `attempt` where the gateway would run, and gives what it returned; 128 + signal when it was
 * killed for trying. */
static int
break_in(int (*attempt)(struct loot *l))
{
    int ended = 0;
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct loot l = {0};
        struct diag diag = {0};
        struct sandbox_told told = {0};
        if (!status_ok(start_keeper(it.dir, &it.passphrase, &diag, &l.keeper_pid, &l.keeper)) ||
            !status_ok(confine_gateway(it.dir, &diag, &told)) ||
            !status_ok(confine_listening(&diag))) {
            (void)fprintf(stderr, "%s\n", diag.text);
            _exit(99);
        }
        _exit(attempt(&l));
    }
    assert_int_equal(waitpid(pid, &ended, 0), pid);
    return WIFSIGNALED(ended) ? 128 + WTERMSIG(ended) : WEXITSTATUS(ended);
}

#define KILLED (128 + SIGSYS)

/* ---- what it can get ---- */

static int
open_a_model(struct loot *l)
{
    struct diag diag = {0};
    struct workspace *w = NULL;
    struct model *m = NULL;
    const struct workspace_open_options o = {.keeper = l->keeper, .principal = "local:intruder"};
    if (!status_ok(workspace_open(it.dir, &o, &diag, &w)) ||
        !status_ok(model_load(w, "loans", 0, &diag, &m))) {
        (void)fprintf(stderr, "%s\n", diag.text);
        return 1;
    }
    return 0;
}

static int
shake_a_hand(struct loot *l)
{
    struct tls_signer s;
    uint8_t signature[TLS_SIGNATURE_MAX], digest[32] = {1};
    size_t n = 0;
    if (!status_ok(keeper_client_tls(l->keeper, NULL, &s)) ||
        !status_ok(
            s.sign(s.ctx, s.key.slot, TLS_ECDSA_P256_SHA256, view_of(digest, 32), signature, &n))) {
        return 1;
    }
    return n > 60 ? 0 : 2;
}

static bool
signs(struct loot *l, unsigned kind, const char *text)
{
    struct keeper_request q = {
        .operation = KEEPER_SIGN, .detail = (uint16_t)kind, .length = (uint32_t)strlen(text)};
    struct keeper_reply r;
    memcpy(q.bytes, text, strlen(text));
    return status_ok(keeper_client_ask(l->keeper, &q, NULL, &r));
}

static int
sign_checkpoints(struct loot *l)
{
    char name[VAULT_NAME_MAX], text[256];
    struct vault *v = NULL;
    if (!status_ok(keeper_client_vault(l->keeper, &v))) {
        return 1;
    }
    vault_name(v, name);
    (void)snprintf(text, sizeof text, "%s\n0\n%s\n", name, ROOT);
    if (signs(l, VAULT_SIGN_CHECKPOINT, text)) {
        return 2; /* smaller than what the log has */
    }
    (void)snprintf(text, sizeof text, "%s\n1000000\n%s\n", name, ROOT);
    if (!signs(l, VAULT_SIGN_CHECKPOINT, text)) {
        return 3;
    }
    (void)snprintf(text, sizeof text, "%s\n999999\n%s\n", name, ROOT);
    if (signs(l, VAULT_SIGN_CHECKPOINT, text)) {
        return 4;
    }
    /* One that the log never reaches, so that none is signed after it. */
    (void)snprintf(text, sizeof text, "%s\n18446744073709551615\n%s\n", name, ROOT);
    return signs(l, VAULT_SIGN_CHECKPOINT, text) ? 5 : 0;
}

static void
gets_models_handshakes_and_checkpoints_that_grow(void **state)
{
    (void)state;
    assert_int_equal(break_in(open_a_model), 0);
    assert_int_equal(break_in(shake_a_hand), 0);
    assert_int_equal(break_in(sign_checkpoints), 0);
}

/* ---- what it cannot ---- */

static int
open_a_dataset(struct loot *l)
{
    struct diag diag = {0};
    struct workspace *w = NULL;
    struct table *t = NULL;
    struct dataset_info info;
    const struct workspace_open_options o = {.keeper = l->keeper, .principal = "local:intruder"};
    if (!status_ok(workspace_open(it.dir, &o, &diag, &w))) {
        return 1;
    }
    return dataset_load(w, "loans", 0, &diag, &t, &info).code;
}

/* The bytes on their way past the rights of files: still sealed, and the keeper says no. */
static int
unwrap_a_dataset(struct loot *l)
{
    static const char *const purposes[] = {
        "object/dataset", "store/dataset", "object/assessment", "object/capture", "tls",
        "signing",        "mac",           "subjects",          "store/subjects"};
    for (size_t i = 0; i < sizeof purposes / sizeof *purposes; i++) {
        struct keeper_request q = {.operation = KEEPER_UNWRAP, .length = VAULT_WRAPPED_BYTES};
        struct keeper_reply r;
        memcpy(q.purpose, purposes[i], strlen(purposes[i]));
        if (keeper_client_ask(l->keeper, &q, NULL, &r).code != STATUS_DENIED) {
            return 1;
        }
    }
    return 0;
}

/* Nor can it find out whether somebody is in a dataset. */
static int
hash_a_person(struct loot *l)
{
    struct keeper_request q = {.operation = KEEPER_MAC, .purpose = "subject", .length = 32};
    struct keeper_reply r;
    return keeper_client_ask(l->keeper, &q, NULL, &r).code == STATUS_DENIED ? 0 : 1;
}

static int
sign_other_texts(struct loot *l)
{
    static const char *const texts[] = {"", "hello", "steward model manifest v2\n{}",
                                        "steward/0000000000000000\n1000000\n" ROOT "\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (signs(l, VAULT_SIGN_CHECKPOINT, texts[i]) || signs(l, VAULT_SIGN_MODEL, texts[i])) {
            return 1;
        }
    }
    return 0;
}

/* No reply to anything holds a key: of every operation, with every purpose that there is. */
static int
ask_for_keys(struct loot *l)
{
    for (unsigned operation = 0; operation < 64; operation++) {
        struct keeper_request q = {.operation = (uint16_t)operation};
        struct keeper_reply r;
        const struct status s = keeper_client_ask(l->keeper, &q, NULL, &r);
        const bool plain = operation == KEEPER_HELLO || operation == KEEPER_TLS_LOAD ||
                           (operation == KEEPER_USABLE && r.length == 0);
        if (status_ok(s) && !plain) {
            return 1;
        }
    }
    return 0;
}

static void
gets_no_dataset_no_key_and_no_other_signature(void **state)
{
    (void)state;
    const int code = break_in(open_a_dataset);
    assert_true(code == STATUS_DENIED || code == STATUS_IO); /* the keeper's no, or Landlock's */
    assert_int_equal(break_in(unwrap_a_dataset), 0);
    assert_int_equal(break_in(hash_a_person), 0);
    assert_int_equal(break_in(sign_other_texts), 0);
    assert_int_equal(break_in(ask_for_keys), 0);
}

static int
outside_files(struct loot *l)
{
    (void)l;
    static const char *const paths[] = {"/etc/passwd",        "/etc/shadow", "/proc/self/maps",
                                        "/proc/self/environ", "/",           "/tmp"};
    static const char *const inside[] = {"keys/workspace.json",   "keys/signing.sealed",
                                         "steward.yaml",          "objects/dataset/loans/1.sealed",
                                         "subjects/people.slots", "subjects/people.key"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        if (open(paths[i], O_RDONLY) >= 0) {
            return 1 + (int)i;
        }
    }
    for (size_t i = 0; i < sizeof inside / sizeof *inside; i++) {
        DEFER(file_freep) char *path = file_join(it.dir, inside[i]);
        if (open(path, O_RDONLY) >= 0 || unlink(path) == 0 || open(path, O_WRONLY) >= 0) {
            return 11 + (int)i;
        }
    }
    DEFER(file_freep) char *fresh = file_join(it.dir, "keys/fresh");
    DEFER(file_freep) char *model = file_join(it.dir, "objects/model/loans/1.sealed");
    if (open(fresh, O_WRONLY | O_CREAT, 0600) >= 0) {
        return 21;
    }
    return open(model, O_RDONLY) < 0 ? 22 : open(model, O_WRONLY) >= 0 ? 23 : 0;
}

static int
new_socket(struct loot *l)
{
    (void)l;
    static const int families[] = {AF_INET, AF_INET6, AF_UNIX, AF_NETLINK, AF_PACKET};
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        const int fd = socket(families[i], SOCK_STREAM, 0);
        if (fd >= 0 || errno != EPERM) {
            return 1 + (int)i;
        }
    }
    return 0;
}

/* Sockets that were open before: the gateway's listener, and somebody else's. */
static struct {
    int own, outside;
    struct sockaddr_in there;
} sockets;

static int
listener(struct sockaddr_in *ret_address)
{
    socklen_t n = sizeof *ret_address;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    *ret_address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(bind(fd, (const struct sockaddr *)ret_address, n), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)ret_address, &n), 0);
    return fd;
}

/* A listener that was shut down connects anywhere without connect(2): TCP Fast Open. */
static int
connect_a_listener(struct loot *l)
{
    (void)l;
    struct iovec word = {(void *)(uintptr_t) "x", 1};
    struct mmsghdr m = {.msg_hdr = {.msg_name = &sockets.there,
                                    .msg_namelen = sizeof sockets.there,
                                    .msg_iov = &word,
                                    .msg_iovlen = 1}};
    if (shutdown(sockets.own, SHUT_RDWR) != 0) {
        return 1;
    }
    if (sendto(sockets.own, "x", 1, MSG_FASTOPEN, (const struct sockaddr *)&sockets.there,
               sizeof sockets.there) >= 0 ||
        errno != EPERM) {
        return 2;
    }
    if (sendmsg(sockets.own, &m.msg_hdr, MSG_FASTOPEN) >= 0 || errno != EPERM) {
        return 3;
    }
    return sendmmsg(sockets.own, &m, 1, MSG_FASTOPEN) >= 0 || errno != EPERM ? 4 : 0;
}

static void
makes_no_connection_of_a_socket_that_it_has(void **state)
{
    (void)state;
    struct sockaddr_in here;
    sockets.own = listener(&here);
    sockets.outside = listener(&sockets.there);
    const int code = break_in(connect_a_listener);
    struct pollfd p = {sockets.outside, POLLIN, 0};
    assert_int_equal(poll(&p, 1, 0), 0);
    assert_int_equal(code, 0);
    (void)close(sockets.own);
    (void)close(sockets.outside);
}

/* What connects for it, which has read its one rule by itself. */
static struct {
    struct fetcher *fetcher;
    char rule[64], named[64], others[4][64];
} outward;

static struct egress *
one_rule(void *ctx)
{
    DEFER(egress_freep) struct egress *e = egress_new();
    return e != NULL && status_ok(egress_add(e, view_str(ctx), NULL)) ? MOVE(e) : NULL;
}

static bool
is_fetched(const char *url, struct diag *diag)
{
    DEFER(buf_done) struct buf body;
    unsigned code = 0;
    buf_init(&body, 1000);
    *diag = (struct diag){0};
    return status_ok(fetcher_post(outward.fetcher, url, (struct view){0}, view_str("a secret"),
                                  NS_PER_S / 2, diag, &code, &body));
}

static int
have_it_connect(struct loot *l)
{
    struct diag diag;
    (void)l;
    for (size_t i = 0; i < sizeof outward.others / sizeof *outward.others; i++) {
        if (is_fetched(outward.others[i], &diag) ||
            strstr(diag.text, "no line of network.egress") == NULL) {
            (void)fprintf(stderr, "%s: %s\n", outward.others[i], diag.text);
            return 1 + (int)i;
        }
    }
    return is_fetched(outward.named, &diag) ? 11 : 0; /* nobody there speaks TLS */
}

static void
makes_nobody_connect_where_the_configuration_names_nobody(void **state)
{
    (void)state;
    struct sockaddr_in here;
    struct diag diag = {0};
    sockets.own = listener(&here);
    sockets.outside = listener(&sockets.there);
    const unsigned own = ntohs(here.sin_port), outside = ntohs(sockets.there.sin_port);
    (void)snprintf(outward.rule, 64, "jwks 127.0.0.0/8 %u", own);
    (void)snprintf(outward.named, 64, "https://127.0.0.1:%u/", own);
    (void)snprintf(outward.others[0], 64, "https://127.0.0.1:%u/", outside);
    (void)snprintf(outward.others[1], 64, "https://localhost:%u/", own);
    (void)snprintf(outward.others[2], 64, "http://127.0.0.1:%u/", own);
    (void)snprintf(outward.others[3], 64, "https://169.254.169.254/");
    const struct fetcher_rules rules = {one_rule, outward.rule};
    assert_ok(fetcher_start(&rules, "jwks", &diag, &outward.fetcher));
    const int code = break_in(have_it_connect);
    struct pollfd p[] = {{sockets.own, POLLIN, 0}, {sockets.outside, POLLIN, 0}};
    assert_true(poll(p, 2, 0) >= 0);
    assert_int_equal(code, 0);
    assert_true(p[0].revents != 0 && p[1].revents == 0);
    fetcher_stop(outward.fetcher);
    (void)close(sockets.own);
    (void)close(sockets.outside);
}

/* Landlock knows no right for modes: a key that everybody may read needs no intruder. */
static int
open_the_doors(struct loot *l)
{
    (void)l;
    DEFER(file_freep) char *path = file_join(it.dir, "keys/workspace.json");
    if (chmod(path, 0644) == 0 || fchmodat(AT_FDCWD, path, 0644, 0) == 0) {
        return 1;
    }
    return utimensat(AT_FDCWD, path, NULL, 0) == 0 ? 2 : 0;
}

/* Of a file that it has open: to read, which is enough for either, and to write. */
static int
change_by_descriptor(const char *name, int flags)
{
    DEFER(file_freep) char *path = file_join(it.dir, name);
    DEFER(file_closep) int fd = open(path, flags | O_CLOEXEC);
    if (fd < 0) {
        return 1;
    }
    if (fchmod(fd, 0644) == 0 || errno != EPERM) {
        return 2;
    }
    if (fchown(fd, getuid(), getgid()) == 0 || errno != EPERM) {
        return 3;
    }
    return futimens(fd, NULL) == 0 ? 4 : 0;
}

static int
open_them_by_descriptor(struct loot *l)
{
    (void)l;
    const int model = change_by_descriptor("objects/model/loans/1.sealed", O_RDONLY);
    const int log = change_by_descriptor("audit/vkey", O_RDONLY);
    const int store = change_by_descriptor("state.db", O_RDWR);
    return model != 0 ? model : log != 0 ? 10 + log : store != 0 ? 20 + store : 0;
}

static void
changes_no_mode_or_owner_of_a_file(void **state)
{
    (void)state;
    assert_int_equal(break_in(open_the_doors), 0);
    assert_int_equal(break_in(open_them_by_descriptor), 0);
}

static int
new_code(struct loot *l)
{
    (void)l;
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED || mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0) {
        return 1;
    }
    return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
               ? 0
               : 2;
}

static int
new_process(struct loot *l)
{
    (void)l;
    return fork() < 0 ? 0 : 1;
}

static int
run_a_program(struct loot *l)
{
    (void)l;
    char *const argv[] = {(char *)(uintptr_t) "/bin/true", NULL};
    (void)execv("/bin/true", argv);
    return 1;
}

static int
trace_the_keeper(struct loot *l)
{
    (void)ptrace(PTRACE_ATTACH, l->keeper_pid, NULL, NULL);
    return 1;
}

static int
read_the_keeper(struct loot *l)
{
    uint8_t byte = 0;
    const struct iovec to = {&byte, 1}, from = {(void *)(uintptr_t)&it, 1};
    (void)process_vm_readv(l->keeper_pid, &to, 1, &from, 1, 0);
    return 1;
}

static int
open_the_keeper(struct loot *l)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/mem", (int)l->keeper_pid);
    return open(path, O_RDONLY) < 0 && kill(l->keeper_pid, SIGKILL) != 0 ? 0 : 1;
}

static int
gain_privileges(struct loot *l)
{
    (void)l;
    return setuid(0) != 0 && unshare(0) != 0 ? 0 : 1;
}

static void
opens_no_file_socket_or_process_outside(void **state)
{
    (void)state;
    const int files = break_in(outside_files);
    if (files == 0) {
        assert_int_equal(break_in(open_the_keeper), 0);
    } else if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1) <= 0) {
        print_message("this kernel has no Landlock: files are not confined here\n");
    } else {
        fail_msg("file %d could be opened", files);
    }
    assert_int_equal(break_in(new_socket), 0);
    assert_int_equal(break_in(new_code), 0);
    /* Refused, or killed: glibc 2.41 blocks all signals around its clone, also the sandbox's. */
    const int forked = break_in(new_process);
    assert_true(forked == 0 || forked == KILLED);
    assert_int_equal(break_in(run_a_program), KILLED);
    assert_int_equal(break_in(trace_the_keeper), KILLED);
    assert_int_equal(break_in(read_the_keeper), KILLED);
    assert_int_equal(break_in(gain_privileges), KILLED);
}

/* ---- what fetches issuers' keys is taken over ---- */

static struct status
confine_for_keys(struct diag *diag)
{
    struct sandbox_told told = {0};
    return confine_fetcher(diag, &told);
}

static struct status
confine_for_events(struct diag *diag)
{
    DEFER(file_freep) char *log = file_join(it.dir, "audit");
    return confine_sender(log, diag);
}

static int
break_out_of(struct status (*confine)(struct diag *diag), int (*attempt)(void))
{
    int ended = 0;
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct diag diag = {0};
        if (!status_ok(sandbox_calls(SANDBOX_HOUSE, &diag)) || !status_ok(confine(&diag))) {
            (void)fprintf(stderr, "%s\n", diag.text);
            _exit(99);
        }
        _exit(attempt());
    }
    assert_int_equal(waitpid(pid, &ended, 0), pid);
    return WIFSIGNALED(ended) ? 128 + WTERMSIG(ended) : WEXITSTATUS(ended);
}

static int
break_into_fetcher(int (*attempt)(void))
{
    return break_out_of(confine_for_keys, attempt);
}

static int
fetcher_files(void)
{
    static const char *const paths[] = {"/etc/passwd", "/etc/shadow", "/proc/self/environ", "/",
                                        "/tmp"};
    static const char *const inside[] = {"",         "keys/workspace.json", "steward.yaml",
                                         "state.db", "audit/vkey",          "tls/cert.pem"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        if (open(paths[i], O_RDONLY) >= 0) {
            return 1 + (int)i;
        }
    }
    for (size_t i = 0; i < sizeof inside / sizeof *inside; i++) {
        DEFER(file_freep) char *path = file_join(it.dir, inside[i]);
        if (open(path, O_RDONLY) >= 0 || unlink(path) == 0 || open(path, O_WRONLY) >= 0) {
            return 11 + (int)i;
        }
    }
    DEFER(file_freep) char *fresh = file_join(it.root, "fresh");
    return open(fresh, O_WRONLY | O_CREAT, 0600) >= 0 ? 21 : open("/etc/hosts", O_WRONLY) >= 0;
}

static int
fetcher_sockets(void)
{
    static const int families[] = {AF_PACKET, AF_ALG, AF_VSOCK, AF_BLUETOOTH};
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        if (socket(families[i], SOCK_STREAM, 0) >= 0 || errno != EPERM) {
            return 1 + (int)i;
        }
    }
    if (socket(AF_INET, SOCK_RAW, IPPROTO_ICMP) >= 0 || errno != EPERM) {
        return 11;
    }
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); /* it connects */
    return fd < 0 ? 12 : listen(fd, 1) == 0 || errno != EPERM ? 13 : 0;
}

static int
fetcher_code(void)
{
    return new_code(NULL);
}

static int
fetcher_process(void)
{
    return new_process(NULL);
}

static int
fetcher_program(void)
{
    return run_a_program(NULL);
}

static int
fetcher_trace(void)
{
    (void)ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
    return 1;
}

static int
fetcher_kill(void)
{
    return kill(getppid(), 0) == 0 ? 1 : 0;
}

static void
what_fetches_keys_has_no_files_no_programs_and_no_listener(void **state)
{
    (void)state;
    if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1) <= 0) {
        print_message("this kernel has no Landlock: files are not confined here\n");
    } else {
        assert_int_equal(break_into_fetcher(fetcher_files), 0);
    }
    assert_int_equal(break_into_fetcher(fetcher_sockets), 0);
    assert_int_equal(break_into_fetcher(fetcher_code), 0);
    const int forked = break_into_fetcher(fetcher_process);
    assert_true(forked == 0 || forked == KILLED);
    assert_int_equal(break_into_fetcher(fetcher_program), KILLED);
    assert_int_equal(break_into_fetcher(fetcher_trace), KILLED);
    assert_int_equal(break_into_fetcher(fetcher_kill), 0);
}

static int
break_into_sender(int (*attempt)(void))
{
    return break_out_of(confine_for_events, attempt);
}

/* Of the workspace, the log alone, and of that it writes where it stands and nothing else. */
static int
sender_files(void)
{
    static const char *const inside[] = {
        "", "keys/workspace.json", "steward.yaml", "state.db", "objects", "tls/cert.pem"};
    static const char *const log[] = {"audit/checkpoint", "audit/journal", "audit/vkey"};
    for (size_t i = 0; i < sizeof inside / sizeof *inside; i++) {
        DEFER(file_freep) char *path = file_join(it.dir, inside[i]);
        if (open(path, O_RDONLY) >= 0 || unlink(path) == 0 || open(path, O_WRONLY) >= 0) {
            return 1 + (int)i;
        }
    }
    for (size_t i = 0; i < sizeof log / sizeof *log; i++) {
        DEFER(file_freep) char *path = file_join(it.dir, log[i]);
        if (open(path, O_RDONLY) < 0 || open(path, O_WRONLY) >= 0 || unlink(path) == 0) {
            return 11 + (int)i;
        }
    }
    DEFER(file_freep) char *beside = file_join(it.dir, "audit/siem");
    DEFER(file_freep) char *position = file_join(it.dir, "audit/export/siem");
    return open(beside, O_WRONLY | O_CREAT, 0600) >= 0 ? 21
           : !status_ok(file_replace(position, view_str("{}"), 0600, NULL)) || unlink(position) != 0
               ? 22
               : open("/etc/passwd", O_RDONLY) >= 0;
}

/* Neither of what it reads, nor of what it keeps. */
static int
sender_modes(void)
{
    DEFER(file_freep) char *position = file_join(it.dir, "audit/export/siem");
    if (!status_ok(file_replace(position, view_str("{}"), 0600, NULL))) {
        return 31;
    }
    const int log = change_by_descriptor("audit/vkey", O_RDONLY);
    const int own = change_by_descriptor("audit/export/siem", O_RDWR);
    return log != 0 ? log : own != 0 ? 10 + own : unlink(position);
}

static void
what_sends_events_reads_the_log_and_no_key(void **state)
{
    (void)state;
    if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1) <= 0) {
        print_message("this kernel has no Landlock: files are not confined here\n");
    } else {
        assert_int_equal(break_into_sender(sender_files), 0);
    }
    assert_int_equal(break_into_sender(sender_modes), 0);
    assert_int_equal(break_into_sender(fetcher_sockets), 0);
    assert_int_equal(break_into_sender(fetcher_code), 0);
    assert_int_equal(break_into_sender(fetcher_program), KILLED);
    assert_int_equal(break_into_sender(fetcher_trace), KILLED);
    assert_int_equal(break_into_sender(fetcher_kill), 0);
}

/* ---- the keeper, from outside ---- */

static void
the_keeper_ends_with_the_gateway(void **state)
{
    (void)state;
    struct diag diag = {0};
    struct keeper_client *c = NULL;
    pid_t pid = 0;
    int ended = 0;
    assert_ok(start_keeper(it.dir, &it.passphrase, &diag, &pid, &c));
    keeper_client_free(c); /* as when the gateway has ended */
    assert_int_equal(waitpid(pid, &ended, 0), pid);
    assert_true(WIFEXITED(ended) && WEXITSTATUS(ended) == 0);
}

/* The program with a socket of the test's own, which says what it likes. */
static pid_t
raw_keeper(int *ret_fd)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char *const argv[] = {it.keeper, NULL};
        if (dup2(ends[1], 3) == 3 && fcntl(3, F_SETFD, 0) == 0) {
            (void)execv(it.keeper, argv);
        }
        _exit(127);
    }
    (void)close(ends[1]);
    *ret_fd = ends[0];
    return pid;
}

static int
code_of(pid_t pid)
{
    int ended = 0;
    assert_int_equal(waitpid(pid, &ended, 0), pid);
    return WIFEXITED(ended) ? WEXITSTATUS(ended) : 128 + WTERMSIG(ended);
}

/* The first message, then one of `size` bytes: its end. */
static int
end_after(size_t size)
{
    static struct keeper_setup setup;
    static uint8_t message[sizeof setup + 1];
    struct keeper_reply r;
    int fd = -1;
    const pid_t pid = raw_keeper(&fd);
    setup = (struct keeper_setup){.version = KEEPER_VERSION,
                                  .passphrase_len = (uint32_t)strlen(PASSPHRASE)};
    (void)snprintf(setup.dir, sizeof setup.dir, "%s", it.dir);
    memcpy(setup.passphrase, PASSPHRASE, strlen(PASSPHRASE));
    assert_int_equal(send(fd, &setup, sizeof setup, 0), sizeof setup);
    assert_int_equal(recv(fd, &r, sizeof r, 0), sizeof r);
    assert_int_equal(r.code, STATUS_OK);
    assert_int_equal(send(fd, message, size, 0), (ssize_t)size);
    assert_int_equal(recv(fd, &r, sizeof r, 0),
                     size == sizeof(struct keeper_request) ? sizeof r : 0);
    (void)close(fd);
    return code_of(pid);
}

static void
a_message_of_another_size_ends_the_keeper(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, sizeof(struct keeper_request) - 1,
                                   sizeof(struct keeper_request) + 1, sizeof(struct keeper_setup)};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_int_equal(end_after(sizes[i]), 1);
    }
    assert_int_equal(end_after(sizeof(struct keeper_request)), 0); /* zeros: refused, not fatal */
    int fd = -1;
    struct keeper_reply r;
    const pid_t pid = raw_keeper(&fd);
    assert_int_equal(send(fd, "hello", 5, 0), 5);
    assert_int_equal(recv(fd, &r, sizeof r, 0), sizeof r);
    assert_int_equal(r.code, STATUS_INPUT);
    (void)close(fd);
    assert_int_equal(code_of(pid), 1);
}

static void
a_wrong_passphrase_is_told_as_by_every_verb(void **state)
{
    (void)state;
    struct diag diag = {0};
    struct keeper_client *c = NULL;
    pid_t pid = 0;
    DEFER(secret_done) struct secret wrong = {0};
    assert_ok(secret_from(view_str("wrong horse battery"), &wrong));
    assert_status(start_keeper(it.dir, &wrong, &diag, &pid, &c), AUTH);
    assert_says(&diag, "wrong passphrase");
    assert_status(start_keeper(it.root, &it.passphrase, &diag, &pid, &c), NOT_FOUND);
}

/* The program's libraries are some, and none of others. */
static void
assert_linked(const char *program, const char *present, const char *const *absent, size_t n)
{
    struct testing_run r;
    char *const argv[] = {(char *)(uintptr_t) "ldd", (char *)(uintptr_t)program, NULL};
    testing_run(argv, &r);
    if (r.exit_code != 0) {
        testing_run_done(&r);
        skip();
    }
    for (size_t i = 0; i < n; i++) {
        assert_null(strstr(buf_str(&r.out), absent[i]));
    }
    assert_text_has(buf_str(&r.out), present);
    testing_run_done(&r);
}

/* Linked with base, net and vault: none of the server's or the engines'. */
static void
the_keeper_is_linked_with_little(void **state)
{
    (void)state;
    static const char *const absent[] = {"duckdb", "xgboost", "sqlite", "yaml"};
    assert_linked(it.keeper, "libcrypto", absent, sizeof absent / sizeof *absent);
}

static void
the_gateway_is_linked_with_no_engine(void **state)
{
    (void)state;
    static const char *const absent[] = {"duckdb", "xgboost"};
    char gateway[4096];
    (void)snprintf(gateway, sizeof gateway, "%s-gateway", testing_binary());
    assert_linked(gateway, "libgnutls", absent, sizeof absent / sizeof *absent);
}

static void
the_gateway_is_not_started_by_hand(void **state)
{
    (void)state;
    struct testing_run r;
    char gateway[4096];
    (void)snprintf(gateway, sizeof gateway, "%s-gateway", testing_binary());
    char *const argv[] = {gateway, (char *)(uintptr_t) "serve", NULL};
    testing_run(argv, &r);
    assert_int_equal(r.exit_code, 2);
    assert_text_has(buf_str(&r.err), "steward serve");
    testing_run_done(&r);
}

/* ---- the two together ---- */

/* Until the log has that text: where it stands. */
static const char *
await_log(const char *log, const char *part, struct buf *ret_text)
{
    const int64_t until = clock_mono_ns() + 60 * NS_PER_S;
    const char *found = NULL;
    while (found == NULL && clock_mono_ns() < until) {
        const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
        (void)nanosleep(&pause, NULL);
        buf_done(ret_text);
        testing_read(log, ret_text);
        found = strstr(buf_str(ret_text), part);
    }
    assert_non_null(found);
    return found;
}

static struct egress *
localhost_only(void *ctx)
{
    struct egress *e = ctx == NULL ? egress_new() : NULL;
    const char *rule = "jwks localhost 1-65535 at 127.0.0.0/8,::1";
    return e != NULL && status_ok(egress_add(e, view_str(rule), NULL)) ? e : NULL;
}

/* Over TLS, as keys of an issuer are: a server that the certificate vouches for. */
static void
fetch_from(const char *port_file)
{
    DEFER(fetcher_stopp) struct fetcher *f = NULL;
    DEFER(file_freep) char *certificate = file_join(it.dir, "tls/cert.pem");
    DEFER(buf_done) struct buf port;
    DEFER(buf_done) struct buf pem;
    DEFER(buf_done) struct buf body;
    const struct fetcher_rules rules = {localhost_only, NULL};
    struct diag diag = {0};
    char url[128];
    buf_init(&port, 64);
    buf_init(&pem, 1 << 16);
    buf_init(&body, 1 << 12);
    testing_read(port_file, &port);
    testing_read(certificate, &pem);
    (void)snprintf(url, sizeof url, "https://localhost:%lu/v2/health/live",
                   strtoul(buf_str(&port), NULL, 10));
    assert_ok(fetcher_start(&rules, "jwks", &diag, &f));
    assert_status(fetcher_get(f, url, (struct view){0}, 1000, &diag, &body), IO);
    const struct status s = fetcher_get(f, url, buf_view(&pem), 1000, &diag, &body);
    assert_string_equal(status_ok(s) ? "" : diag.text, "");
    assert_text_has(buf_str(&body), "live");
}

static void
a_server_takes_a_new_certificate_and_stops_when_its_keeper_ends(void **state)
{
    (void)state;
    DEFER(file_freep) char *log = file_join(it.root, "serve.log");
    DEFER(file_freep) char *port_file = file_join(it.root, "port");
    DEFER(buf_done) struct buf text;
    char *const argv[] = {(char *)(uintptr_t)testing_binary(),
                          (char *)(uintptr_t) "serve",
                          (char *)(uintptr_t) "--listen",
                          (char *)(uintptr_t) "127.0.0.1:0",
                          (char *)(uintptr_t) "--port-file",
                          port_file,
                          NULL};
    int ended = 0;
    buf_init(&text, 1 << 20);
    const pid_t server = testing_start(argv, log);
    const char *at = await_log(log, " keeper=", &text);
    const pid_t keeper = (pid_t)strtol(at + strlen(" keeper="), NULL, 10);
    assert_true(keeper > 1);
    assert_steward("certificate", "renew", "--host", "localhost");
    assert_int_equal(kill(server, SIGHUP), 0);
    (void)await_log(log, "tls.reloaded", &text);
    fetch_from(port_file);
    assert_null(strstr(buf_str(&text), "sandbox: system call"));
    assert_int_equal(kill(keeper, SIGKILL), 0);
    assert_int_equal(waitpid(server, &ended, 0), server);
    assert_true(WIFEXITED(ended) && WEXITSTATUS(ended) == 1);
    (void)await_log(log, "keeper.gone", &text);
    assert_text_has(buf_str(&text), "has ended: the server has stopped");
}

static void
replace(const char *path, struct view text)
{
    assert_ok(file_replace(path, text, 0600, NULL)); /* by rename */
}

/* Outside of the workspace, which Landlock does not open. */
static void
replaced_authorities_are_read_from_where_the_gateway_reads_nothing(void **state)
{
    (void)state;
    DEFER(file_freep) char *log = file_join(it.root, "authorities.log");
    DEFER(file_freep) char *ca = file_join(it.root, "clients.pem");
    DEFER(file_freep) char *own = file_join(it.dir, "tls/cert.pem");
    DEFER(file_freep) char *yaml = file_join(it.dir, "steward.yaml");
    DEFER(buf_done) struct buf text;
    DEFER(buf_done) struct buf pem;
    DEFER(buf_done) struct buf before;
    DEFER(buf_done) struct buf config;
    buf_init(&text, 1 << 20);
    buf_init(&pem, 1 << 16);
    buf_init(&before, 1 << 16);
    buf_init(&config, 1 << 16);
    testing_read(own, &pem);
    testing_read(yaml, &before);
    buf_printf(&config, "tls:\n  client_certificates: ask\n  client_ca: %s\n", ca);
    replace(yaml, buf_view(&config));
    replace(ca, buf_view(&pem));
    char *const argv[] = {(char *)(uintptr_t)testing_binary(), (char *)(uintptr_t) "serve",
                          (char *)(uintptr_t) "--listen", (char *)(uintptr_t) "127.0.0.1:0", NULL};
    const pid_t server = testing_start(argv, log);
    (void)await_log(log, "serve.started", &text);
    replace(ca, view_str("nobody\n"));
    assert_int_equal(kill(server, SIGHUP), 0);
    (void)await_log(log, "no certificate in PEM that could be read", &text);
    assert_int_equal(unlink(ca), 0);
    assert_int_equal(kill(server, SIGHUP), 0);
    (void)await_log(log, "No such file", &text);
    replace(ca, buf_view(&pem));
    assert_int_equal(kill(server, SIGHUP), 0);
    (void)await_log(log, "tls.reloaded", &text);
    assert_null(strstr(buf_str(&text), "sandbox: system call"));
    assert_int_equal(testing_stop(server), 0);
    replace(yaml, buf_view(&before));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wrong_passphrase_is_told_as_by_every_verb),
        cmocka_unit_test(the_gateway_is_not_started_by_hand),
        cmocka_unit_test(the_gateway_is_linked_with_no_engine),
        cmocka_unit_test(the_keeper_is_linked_with_little),
        cmocka_unit_test(the_keeper_ends_with_the_gateway),
        cmocka_unit_test(a_message_of_another_size_ends_the_keeper),
        cmocka_unit_test(gets_models_handshakes_and_checkpoints_that_grow),
        cmocka_unit_test(gets_no_dataset_no_key_and_no_other_signature),
        cmocka_unit_test(opens_no_file_socket_or_process_outside),
        cmocka_unit_test(replaced_authorities_are_read_from_where_the_gateway_reads_nothing),
        cmocka_unit_test(makes_no_connection_of_a_socket_that_it_has),
        cmocka_unit_test(makes_nobody_connect_where_the_configuration_names_nobody),
        cmocka_unit_test(changes_no_mode_or_owner_of_a_file),
        cmocka_unit_test(what_fetches_keys_has_no_files_no_programs_and_no_listener),
        cmocka_unit_test(what_sends_events_reads_the_log_and_no_key),
        cmocka_unit_test(a_server_takes_a_new_certificate_and_stops_when_its_keeper_ends),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
