/* Every process of a running server, of a witness and of verbs, as the system tells of it: none is
 * without a filter of its calls, none gets privileges, and of root's none keeps those over the
 * system. Which processes there are is asked of the system, so that one that is new is seen. */
#include "net/syslog.h"
#include "room.h"

#include "base/clock.h"
#include "base/file.h"
#include "testing/transit.h"

#include <dirent.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WAIT_NS (120 * NS_PER_S)
#define MOST 256u
/* Gateway, keeper, the reader of the configuration, what asks issuers, what asks witnesses, what
 * starts senders, a sender, what asks the transit service. */
#define OF_A_SERVER 8u

static struct {
    struct room room;
    struct transit_service *service;
    struct syslog *siem;
    char *uri, *ca, *vkey;
} it;

static void
rest(void)
{
    const struct timespec pause = {.tv_nsec = 50 * 1000 * 1000};
    (void)nanosleep(&pause, NULL);
}

/* ---- what the system tells ---- */

/* The numbers under a folder of /proc. */
static size_t
numbers_in(const char *path, pid_t ret_numbers[static MOST * 64], size_t most)
{
    size_t n = 0;
    DIR *d = opendir(path);
    for (const struct dirent *e = d == NULL ? NULL : readdir(d); e != NULL; e = readdir(d)) {
        const pid_t number = (pid_t)strtol(e->d_name, NULL, 10);
        if (number > 0 && n < most) {
            ret_numbers[n++] = number;
        }
    }
    if (d != NULL) {
        (void)closedir(d);
    }
    return n;
}

/* A process and all that it and its own have started. */
static size_t
processes_of(pid_t first, pid_t ret_pids[static MOST])
{
    static pid_t all[MOST * 64], above[MOST * 64];
    const size_t count = numbers_in("/proc", all, MOST * 64);
    size_t n = 1;
    ret_pids[0] = first;
    for (size_t i = 0; i < count; i++) {
        char parent[64];
        room_field(all[i], "PPid", parent);
        above[i] = (pid_t)strtol(parent, NULL, 10);
    }
    for (size_t known = 0; known < n; known++) {
        for (size_t i = 0; i < count && n < MOST; i++) {
            if (above[i] == ret_pids[known]) {
                ret_pids[n++] = all[i];
            }
        }
    }
    return n;
}

/* Of a thread's status; "" when the thread is gone. */
static void
field_of(const char *status, const char *name, char ret_value[static 64])
{
    char line[256];
    FILE *f = fopen(status, "re");
    *ret_value = '\0';
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':') {
            (void)sscanf(line + strlen(name) + 1, " %63[^\n]", ret_value);
        }
    }
    if (f != NULL) {
        (void)fclose(f);
    }
}

/* A thread that is gone meanwhile, or one that has ended and is waited for, can do nothing. */
static bool
thread_is_confined(pid_t pid, pid_t thread, struct buf *why)
{
    static const unsigned long long kept = 1ull << CAP_CHOWN | 1ull << CAP_DAC_OVERRIDE |
                                           1ull << CAP_DAC_READ_SEARCH | 1ull << CAP_FOWNER |
                                           1ull << CAP_NET_BIND_SERVICE | 1ull << CAP_IPC_LOCK;
    char path[96], state[64], filter[64], privs[64], may[64], effective[64];
    (void)snprintf(path, sizeof path, "/proc/%d/task/%d/status", (int)pid, (int)thread);
    field_of(path, "Seccomp", filter);
    field_of(path, "NoNewPrivs", privs);
    field_of(path, "CapPrm", may);
    field_of(path, "CapEff", effective);
    field_of(path, "State", state);
    if (*state == '\0' || state[0] == 'Z' || state[0] == 'X') {
        return true;
    }
    const bool good = strcmp(filter, "2") == 0 && strcmp(privs, "1") == 0 &&
                      (strtoull(may, NULL, 16) & ~kept) == 0 &&
                      (strtoull(effective, NULL, 16) & ~kept) == 0;
    if (!good) {
        char name[64];
        field_of(path, "Name", name);
        buf_printf(why, "%s (process %d, thread %d): Seccomp %s, NoNewPrivs %s, CapPrm %s\n", name,
                   (int)pid, (int)thread, filter, privs, may);
    }
    return good;
}

/* Of a process that is gone meanwhile there is nothing to read, and none. */
static bool
leaves_no_core(pid_t pid, struct buf *why)
{
    static const char name[] = "Max core file size";
    char path[64], line[256], soft[32] = "0", hard[32] = "0";
    (void)snprintf(path, sizeof path, "/proc/%d/limits", (int)pid);
    FILE *f = fopen(path, "re");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        if (strncmp(line, name, sizeof name - 1) == 0) {
            (void)sscanf(line + sizeof name - 1, "%31s %31s", soft, hard);
        }
    }
    if (f != NULL) {
        (void)fclose(f);
    }
    const bool none = strcmp(soft, "0") == 0 && strcmp(hard, "0") == 0;
    if (!none) {
        buf_printf(why, "process %d: core files of %s, %s\n", (int)pid, soft, hard);
    }
    return none;
}

static bool
is_confined(pid_t pid, struct buf *why)
{
    static pid_t threads[MOST * 64];
    char path[64];
    bool good = leaves_no_core(pid, why);
    (void)snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    const size_t n = numbers_in(path, threads, MOST * 64);
    for (size_t i = 0; i < n; i++) {
        good = thread_is_confined(pid, threads[i], why) && good;
    }
    return good;
}

/* Until there are so many and each is confined: one may have been started a moment ago. */
static void
await_confined(pid_t first, size_t least)
{
    const int64_t until = clock_mono_ns() + WAIT_NS;
    pid_t pids[MOST];
    DEFER(buf_done) struct buf why;
    buf_init(&why, 1 << 16);
    size_t n = 0;
    bool good = false;
    while (!good && clock_mono_ns() < until) {
        rest();
        buf_reset(&why);
        n = processes_of(first, pids);
        good = n >= least;
        for (size_t i = 0; i < n; i++) {
            good = is_confined(pids[i], &why) && good;
        }
    }
    if (!good) {
        fail_msg("%zu processes; not confined:\n%s", n, buf_str(&why));
    }
}

/* ---- the server ---- */

static int
set_up(void **state)
{
    (void)state;
    char config[2000];
    room_init(&it.room);
    it.service = transit_service_start(it.room.root);
    it.uri = transit_service_uri(it.service, it.room.root, "");
    it.ca = file_join(it.room.root, "siem.pem");
    it.vkey = file_join(it.room.dir, "audit/vkey");
    it.siem = syslog_new(it.ca);
    syslog_start(it.siem, 0, false);
    (void)snprintf(
        config, sizeof config,
        "keys:\n  transit: %s\naudit:\n  export:\n    - \"siem "
        "syslog://127.0.0.1:%u jsonl ca-file=%s\"\nnetwork:\n  egress:\n    - transit "
        "127.0.0.1 %u\n    - export 127.0.0.1 1-65535\n    - witness 127.0.0.1 1-65535\n",
        it.uri, syslog_port(it.siem), it.ca, it.service->port);
    (void)setenv("STEWARD_TRANSIT_TOKEN", TRANSIT_TOKEN, 1);
    room_make(&it.room, it.uri, config);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    const int ended = room_done(&it.room);
    transit_service_stop(it.service);
    syslog_stop(it.siem);
    syslog_free(it.siem);
    free(it.uri);
    free(it.ca);
    free(it.vkey);
    return ended;
}

/* ---- the tests ---- */

/* So that the others can fail. */
static void
a_process_that_gave_nothing_up_is_seen(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf why;
    buf_init(&why, 1 << 16);
    assert_false(is_confined(getpid(), &why));
    assert_text_has(buf_str(&why), "Seccomp 0");
}

/* Started, held still at a file that nobody writes. */
static void
await_confined_verb(char *const *words)
{
    DEFER(file_freep) char *log = file_join(it.room.root, "verb.log");
    char *argv[14] = {(char *)(uintptr_t)testing_binary()};
    for (size_t i = 0; words[i] != NULL; i++) {
        argv[1 + i] = words[i];
    }
    const pid_t pid = testing_start(argv, log);
    int ended = 0;
    await_confined(pid, 1);
    assert_int_equal(waitpid(pid, &ended, WNOHANG), 0); /* it is still there */
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &ended, 0), pid);
}

static void
verbs_are_confined_while_they_read(void **state)
{
    (void)state;
    DEFER(file_freep) char *pipe = file_join(it.room.root, "pipe.json");
    DEFER(file_freep) char *csv = file_join(it.room.root, "loans.csv");
    char *const verbs[][12] = {
        {"predict", "--model", pipe, "--data", csv, NULL},
        {"config", "check", pipe, NULL},
        {"role", "import", pipe, NULL},
        {"issuer", "add", "idp", "--url", "https://idp.example", "--audience", "steward",
         "--algorithm", "ES256", "--jwks", pipe, NULL},
        {"policy", "assign", pipe, NULL},
        {"certificate", "install", pipe, pipe, NULL},
    };
    assert_int_equal(mkfifo(pipe, 0600), 0);
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        await_confined_verb(verbs[i]);
    }
    assert_int_equal(unlink(pipe), 0);
}

static void
put_witness(void)
{
    DEFER(file_freep) char *file = file_join(it.room.dir, "steward.yaml");
    DEFER(file_freep) char *dir = file_join(it.room.root, "witness");
    DEFER(file_freep) char *vkey = file_join(dir, "vkey");
    DEFER(buf_done) struct buf yaml;
    DEFER(buf_done) struct buf key;
    DEFER(buf_done) struct buf now;
    buf_init(&now, 1 << 16);
    assert_steward("witness", "key", dir, "--name", "w1.example/t");
    testing_read(vkey, &key);
    testing_read(file, &yaml);
    buf_printf(&now,
               "audit:\n  witnesses:\n    - \"https://127.0.0.1:9/ %.*s 2s "
               "ca-file=%s/tls/cert.pem\"\n",
               (int)strcspn(buf_str(&key), "\n"), buf_str(&key), dir);
    const char *export = strstr(buf_str(&yaml), "  export:\n");
    const char *audit = strstr(buf_str(&yaml), "audit:\n");
    assert_non_null(export);
    assert_non_null(audit);
    buf_put_str(&now, export);
    buf_put(&now, view_of((const uint8_t *)buf_str(&yaml), (size_t)(audit - buf_str(&yaml))));
    testing_write(file, buf_view(&now));
}

static void
no_process_of_a_server_is_without_a_filter(void **state)
{
    (void)state;
    struct reply r;
    put_witness();
    room_start(&it.room);
    await_confined(it.room.pid, OF_A_SERVER);
    room_answers(&it.room, "POST", ROOM_INFER, it.room.caller, 200, "\"outputs\"");
    assert_int_equal(
        client_ask(it.room.port, "GET /v2/health/live HTTP/1.1\r\nhost: a\r\n\r\n", &r), 200);
    reply_done(&r);
    /* After a reload, too. */
    assert_int_equal(kill(it.room.pid, SIGHUP), 0);
    await_confined(it.room.pid, OF_A_SERVER);
}

static void
a_witness_is_confined(void **state)
{
    (void)state;
    DEFER(file_freep) char *dir = file_join(it.room.root, "other-witness");
    DEFER(file_freep) char *log = file_join(it.room.root, "witness.log");
    DEFER(file_freep) char *port = file_join(it.room.root, "witness.port");
    DEFER(buf_done) struct buf key;
    assert_steward("witness", "key", dir, "--name", "w2.example/t");
    testing_read(it.vkey, &key);
    key.ptr[strcspn((char *)key.ptr, "\n")] = '\0';
    char *const argv[] = {(char *)(uintptr_t)testing_binary(),
                          "witness",
                          "serve",
                          dir,
                          "--log",
                          (char *)key.ptr,
                          "--listen",
                          "127.0.0.1:0",
                          "--port-file",
                          port,
                          NULL};
    const int64_t until = clock_mono_ns() + WAIT_NS;
    const pid_t pid = testing_start(argv, log);
    while (!file_exists(port) && clock_mono_ns() < until) {
        rest();
    }
    assert_true(file_exists(port));
    await_confined(pid, 1);
    assert_int_equal(testing_stop(pid), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_that_gave_nothing_up_is_seen),
        cmocka_unit_test(verbs_are_confined_while_they_read),
        cmocka_unit_test(a_witness_is_confined),
        cmocka_unit_test(no_process_of_a_server_is_without_a_filter),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
