/* What stands at an object's path when the disk is full, and when the writer is killed. */
#include "testing/testing.h"

#include "testing/cut.h"

#include "base/file.h"
#include "testing/vault.h"
#include "vault/seal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct seal_id ID = {"dataset", "lending", 1};

static char *dir, *disk, *path;
static struct vault *vault;

static int
set_up(void **state)
{
    (void)state;
    dir = testing_dir();
    vault = testing_vault(dir);
    disk = file_join(dir, "disk");
    path = file_join(disk, "1.sealed");
    assert_ok(file_mkdirs(disk, 0700, NULL));
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    vault_free(vault);
    free(disk);
    free(path);
    testing_dirp(&dir);
    return 0;
}

/* An object of version `number`: the number, over and over. */
static void
put_numbered(struct buf *b, uint32_t number, size_t n)
{
    buf_init(b, n + 4);
    while (b->len < n) {
        buf_put_u32be(b, number);
    }
}

static size_t
files_in(const char *at, const char *part)
{
    DIR *d = opendir(at);
    size_t n = 0;
    assert_non_null(d);
    for (const struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        n += e->d_name[0] != '.' && strstr(e->d_name, part) != NULL;
    }
    (void)closedir(d);
    return n;
}

static void
assert_holds(struct view right)
{
    DEFER(buf_wipe) struct buf plain;
    struct diag diag = {0};
    buf_init(&plain, 1u << 20);
    const struct status s = seal_open_file(vault, path, ID, 1u << 20, &diag, &plain);
    if (!status_ok(s)) {
        print_error("%s\n", diag.text);
    }
    assert_ok(s);
    assert_true(view_equal(buf_view(&plain), right));
}

/* ---- full disk ---- */

#define DISK_BYTES ((size_t)400 << 10)
#define NEW_BYTES ((size_t)150 << 10)

static void
keeps_the_old_object_when_the_disk_is_full(void **state)
{
    (void)state;
    testing_need_small_disk();
    assert_true(testing_small_disk(disk, DISK_BYTES));
    DEFER(buf_done) struct buf old;
    DEFER(buf_done) struct buf new;
    size_t refused = 0, written = 0;
    put_numbered(&old, 1, 70000);
    put_numbered(&new, 2, NEW_BYTES);
    for (size_t free_bytes = 0; free_bytes < NEW_BYTES + 16384; free_bytes += 4096) {
        struct diag diag = {0};
        (void)unlink(path);
        testing_leave_free(disk, DISK_BYTES);
        assert_ok(seal_file(vault, path, ID, buf_view(&old), &diag));
        testing_leave_free(disk, free_bytes);
        const struct status s = seal_file(vault, path, ID, buf_view(&new), &diag);
        assert_int_equal(files_in(disk, ".tmp"), 0);
        if (status_ok(s)) {
            written++;
            assert_holds(buf_view(&new));
        } else {
            refused++;
            assert_int_equal(s.code, STATUS_IO);
            assert_int_equal(s.os, ENOSPC);
            assert_says(&diag, "1.sealed: No space left on device");
            assert_holds(buf_view(&old));
        }
    }
    testing_small_disk_done(disk);
    assert_true(refused >= NEW_BYTES / 4096 && written >= 1);
}

/* A caller that goes on after a failed put must not get a hole in the middle accepted. */
static void
never_finishes_what_failed_once(void **state)
{
    (void)state;
    testing_need_small_disk();
    assert_true(testing_small_disk(disk, DISK_BYTES));
    DEFER(buf_done) struct buf old;
    DEFER(buf_done) struct buf new;
    DEFER(file_freep) char *filler = file_join(disk, "filler");
    struct seal_writer *w = NULL;
    struct diag diag = {0};
    put_numbered(&old, 1, 70000);
    put_numbered(&new, 2, NEW_BYTES);
    assert_ok(seal_file(vault, path, ID, buf_view(&old), &diag));
    testing_leave_free(disk, 8192);
    assert_ok(seal_writer_open(vault, path, ID, &diag, &w));
    assert_status(seal_writer_put(w, buf_view(&new), &diag), IO);
    assert_int_equal(unlink(filler), 0); /* now there is room again */
    assert_status(seal_writer_put(w, buf_view(&new), &diag), IO);
    assert_status(seal_writer_finish(w, &diag), IO);
    assert_holds(buf_view(&old));
    assert_int_equal(files_in(disk, ".tmp"), 0);
    testing_small_disk_done(disk);
}

static void
says_why_a_folder_cannot_be_made(void **state)
{
    (void)state;
    struct diag diag = {0};
    DEFER(file_freep) char *file = file_join(disk, "file");
    DEFER(file_freep) char *below = file_join(disk, "file/1.sealed");
    testing_write(file, view_str("x"));
    assert_false(status_ok(seal_file(vault, below, ID, view_str("x"), &diag)));
    assert_says(&diag, "disk/file: Not a directory");
}

/* ---- kill ---- */

/* The child: writes version after version, and says each that is finished. */
static void
write_for_ever(int said, size_t n)
{
    for (uint32_t number = 2;; number++) {
        struct buf plain;
        put_numbered(&plain, number, n);
        if (!status_ok(seal_file(vault, path, ID, buf_view(&plain), NULL)) ||
            write(said, &number, sizeof number) != sizeof number) {
            _exit(1);
        }
        buf_done(&plain);
    }
}

/* Starts the child, lets it finish one object and go on for so long, kills it. Returns the last
 * that it said was finished. */
static uint32_t
run_and_kill(size_t n, useconds_t us)
{
    int said[2];
    uint32_t number = 0, last = 0;
    assert_int_equal(pipe2(said, O_CLOEXEC), 0);
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)close(said[0]);
        write_for_ever(said[1], n);
    }
    (void)close(said[1]);
    assert_int_equal(read(said[0], &last, sizeof last), sizeof last);
    (void)usleep(us);
    assert_int_equal(kill(pid, SIGKILL), 0);
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    while (read(said[0], &number, sizeof number) == sizeof number) {
        last = number;
    }
    (void)close(said[0]);
    return last;
}

static void
leaves_old_or_new_when_the_writer_is_killed(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 40; round++) {
        DEFER(buf_wipe) struct buf plain;
        DEFER(buf_done) struct buf right;
        struct diag diag = {0};
        const size_t n = round % 2 == 0 ? 300000 : 50000;
        const uint32_t last = run_and_kill(n, round * 137 % 3000);
        buf_init(&plain, 1u << 20);
        assert_ok(seal_open_file(vault, path, ID, 1u << 20, &diag, &plain));
        const uint32_t found = (uint32_t)plain.ptr[2] << 8 | plain.ptr[3];
        /* What was said to be finished stands; at most the one after it may stand already. */
        assert_true(found == last || found == last + 1);
        put_numbered(&right, found, n);
        assert_true(view_equal(buf_view(&plain), buf_view(&right)));
    }
    assert_int_equal(files_in(disk, "1.sealed"), 1 + files_in(disk, "1.sealed.tmp-"));
    assert_ok(seal_file(vault, path, ID, view_str("after"), NULL));
    assert_holds(view_str("after"));
}

/* Killed before the first one is finished: none, never a part. */
static void
leaves_nothing_or_all_where_there_was_nothing(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf right;
    put_numbered(&right, 7, 900000);
    for (unsigned round = 0; round < 30; round++) {
        (void)unlink(path);
        const pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            _exit(status_ok(seal_file(vault, path, ID, buf_view(&right), NULL)) ? 0 : 1);
        }
        (void)usleep(round * 211 % 4000);
        (void)kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        if (file_exists(path)) {
            assert_holds(buf_view(&right));
        }
    }
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(keeps_the_old_object_when_the_disk_is_full),
        cmocka_unit_test(never_finishes_what_failed_once),
        cmocka_unit_test(says_why_a_folder_cannot_be_made),
        cmocka_unit_test(leaves_old_or_new_when_the_writer_is_killed),
        cmocka_unit_test(leaves_nothing_or_all_where_there_was_nothing),
    };
    return cmocka_run_group_tests(cases, set_up, tear_down);
}
