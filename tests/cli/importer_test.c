/* Verbs: what reads a foreign file has none of the keys that the verb has at the same time. */
#include "testing/testing.h"

#include "base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROWS 400000u
#define KEY 32u
#define KEYS_MOST 4096u
#define PATIENCE_MS 120000u
#if defined(__SANITIZE_ADDRESS__)
#define SHADOWED true /* memory to look through without end */
#else
#define SHADOWED false
#endif
static const char passphrase[] = "a passphrase that stands nowhere else 4711";

static struct {
    char *dir, *csv, *workspace, *log;
} it;

static void
write_rows(void)
{
    DEFER(buf_done) struct buf text;
    buf_init(&text, 64u << 20);
    buf_put_str(&text, "name,number,label\n");
    for (unsigned i = 0; i < ROWS; i++) {
        buf_printf(&text, "person %u of the tests,%u,%u\n", i * 7919u % ROWS, i, i & 1u);
    }
    assert_ok(buf_status(&text));
    testing_write(it.csv, buf_view(&text));
}

static int
set_up(void **state)
{
    (void)state;
    it.dir = testing_dir();
    it.csv = file_join(it.dir, "rows.csv");
    it.workspace = file_join(it.dir, "workspace");
    it.log = file_join(it.dir, "log");
    write_rows();
    (void)setenv("STEWARD_PASSPHRASE", passphrase, 1);
    (void)setenv("STEWARD_WORKSPACE", it.workspace, 1);
    assert_steward("init", it.workspace);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    free(it.csv);
    free(it.workspace);
    free(it.log);
    testing_dirp(&it.dir);
    return 0;
}

/* ---- the processes ---- */

static pid_t
child_of(pid_t pid)
{
    char path[64], text[32] = "";
    (void)snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        (void)!read(fd, text, sizeof text - 1);
        (void)close(fd);
    }
    return (pid_t)strtol(text, NULL, 10);
}

/* Whether it has that file open: then it was asked for it, by a verb that has opened its keys. */
static bool
has_open(pid_t pid, const char *file)
{
    char path[64], to[1024];
    bool has = false;
    (void)snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *d = opendir(path);
    for (const struct dirent *e = d == NULL ? NULL : readdir(d); e != NULL; e = readdir(d)) {
        const ssize_t n = readlinkat(dirfd(d), e->d_name, to, sizeof to - 1);
        to[n < 0 ? 0 : n] = '\0';
        has = has || strcmp(to, file) == 0;
    }
    if (d != NULL) {
        (void)closedir(d);
    }
    return has;
}

static pid_t
start(void)
{
    char *argv[] = {(char *)(uintptr_t)testing_binary(),
                    "dataset",
                    "add",
                    "rows",
                    it.csv,
                    "--label",
                    "label",
                    NULL};
    return testing_start(argv, it.log);
}

/* The importer, stopped while it reads. */
static pid_t
stopped_importer(pid_t verb)
{
    const struct timespec pause = {.tv_nsec = 1000 * 1000};
    for (unsigned ms = 0; ms < PATIENCE_MS; ms++) {
        const pid_t pid = child_of(verb);
        if (pid > 0 && has_open(pid, it.csv) && kill(pid, SIGSTOP) == 0) {
            return pid;
        }
        (void)nanosleep(&pause, NULL);
    }
    fail_msg("no process reads %s", it.csv);
    return 0;
}

/* ---- memory ---- */

struct range {
    unsigned long from, to;
};

/* The readable memory of a process; kept: only what it has kept out of dumps, which is where
 * secrets are, whether or not they could be locked. */
static size_t
ranges_of(pid_t pid, bool kept, struct range *ret_ranges, size_t most)
{
    char path[64], line[512], rights[8];
    size_t n = 0;
    struct range r = {0};
    (void)snprintf(path, sizeof path, "/proc/%d/smaps", (int)pid);
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    while (fgets(line, sizeof line, f) != NULL && n < most) {
        struct range next;
        if (sscanf(line, "%lx-%lx %7s", &next.from, &next.to, rights) == 3) {
            r = next;
            if (!kept && rights[0] == 'r') {
                ret_ranges[n++] = r;
            }
        } else if (kept && strncmp(line, "VmFlags:", 8) == 0 && strstr(line, " dd ") != NULL) {
            ret_ranges[n++] = r;
        }
    }
    (void)fclose(f);
    return n;
}

static int
memory_of(pid_t pid)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
    return open(path, O_RDONLY | O_CLOEXEC);
}

static unsigned
different(const uint8_t *bytes)
{
    bool seen[256] = {false};
    unsigned n = 0;
    for (size_t i = 0; i < KEY; i++) {
        n += !seen[bytes[i]];
        seen[bytes[i]] = true;
    }
    return n;
}

/* What may be a key among the secrets of the verb: 32 bytes as random ones are. */
static size_t
keys_of(pid_t verb, uint8_t (*ret_keys)[KEY])
{
    static struct range list[1024];
    static uint8_t page[4096];
    size_t n = 0;
    const int fd = memory_of(verb);
    const size_t count = ranges_of(verb, true, list, 1024);
    for (size_t i = 0; i < count; i++) {
        for (unsigned long at = list[i].from; at < list[i].to; at += sizeof page) {
            const ssize_t got = pread(fd, page, sizeof page, (off_t)at);
            for (size_t k = 0; got == (ssize_t)sizeof page && k < sizeof page && n < KEYS_MOST;
                 k += KEY) {
                if (different(page + k) >= 24) {
                    memcpy(ret_keys[n++], page + k, KEY);
                }
            }
        }
    }
    (void)close(fd);
    return n;
}

/* All memory of a process in one piece after another; what stands across two is found too. */
static bool
holds(pid_t pid, const void *what, size_t len)
{
    static struct range list[8192];
    static uint8_t block[(1u << 20) + 64];
    bool found = false;
    const int fd = memory_of(pid);
    const size_t count = ranges_of(pid, false, list, 8192);
    for (size_t i = 0; i < count && !found; i++) {
        for (unsigned long at = list[i].from; at < list[i].to && !found; at += 1u << 20) {
            const unsigned long left = list[i].to - at;
            const ssize_t got =
                pread(fd, block, left < sizeof block ? left : sizeof block, (off_t)at);
            found = got > 0 && memmem(block, (size_t)got, what, len) != NULL;
        }
    }
    (void)close(fd);
    return found;
}

static void
what_reads_a_file_has_no_key_of_the_verb(void **state)
{
    (void)state;
    static uint8_t keys[KEYS_MOST][KEY];
    if (geteuid() != 0 || SHADOWED) {
        print_message("# skipped: another process's memory cannot be looked through here\n");
        return;
    }
    const pid_t verb = start(), importer = stopped_importer(verb);
    const size_t n = keys_of(verb, keys);
    assert_true(n >= 1);
    assert_true(holds(verb, keys[0], KEY)); /* one that is there is found */
    for (size_t i = 0; i < n; i++) {
        assert_false(holds(importer, keys[i], KEY));
    }
    assert_false(holds(importer, passphrase, strlen(passphrase)));
    assert_int_equal(kill(importer, SIGCONT), 0);
    int ended = 0;
    assert_int_equal(waitpid(verb, &ended, 0), verb);
    assert_true(WIFEXITED(ended) && WEXITSTATUS(ended) == 0);
}

/* Whoever kills it, the verb says so, and nothing of the file is kept. */
static void
a_verb_whose_reader_is_killed_says_so_and_adds_nothing(void **state)
{
    (void)state;
    struct testing_run list;
    int ended = 0;
    DEFER(buf_done) struct buf log;
    buf_init(&log, 1u << 20);
    testing_steward(&list, "dataset", "list", "--json", NULL);
    const pid_t verb = start(), importer = stopped_importer(verb);
    assert_int_equal(kill(importer, SIGKILL), 0);
    assert_int_equal(waitpid(verb, &ended, 0), verb);
    assert_true(WIFEXITED(ended) && WEXITSTATUS(ended) == 1);
    testing_read(it.log, &log);
    assert_text_has(buf_str(&log),
                    "the process that reads it was killed; did the machine run out of");
    struct testing_run after;
    testing_steward(&after, "dataset", "list", "--json", NULL);
    assert_string_equal(buf_str(&after.out), buf_str(&list.out));
    testing_run_done(&list);
    testing_run_done(&after);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_reads_a_file_has_no_key_of_the_verb),
        cmocka_unit_test(a_verb_whose_reader_is_killed_says_so_and_adds_nothing),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
