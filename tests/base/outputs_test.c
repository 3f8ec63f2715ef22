/* Files that another process opens and puts in their place, for one that may not. */
#include "testing/testing.h"

#include "base/file.h"
#include "base/outputs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 20000u

static struct {
    char *dir, *file, *deep, *grown, *place, *folder;
} it;

static int
set_up(void **state)
{
    (void)state;
    it.dir = testing_dir();
    it.file = file_join(it.dir, "page.html");
    it.deep = file_join(it.dir, "a/b/backup");
    it.grown = file_join(it.dir, "events");
    it.place = file_join(it.dir, "place");
    it.folder = file_join(it.dir, "folder");
    const char *const paths[] = {it.file, it.deep, it.grown, it.place, it.folder};
    assert_ok(outputs_begin(paths, sizeof paths / sizeof *paths, NULL));
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    outputs_end();
    free(it.file);
    free(it.deep);
    free(it.grown);
    free(it.place);
    free(it.folder);
    testing_dirp(&it.dir);
    return 0;
}

/* How many names the folder has. */
static size_t
names_in(const char *folder)
{
    DIR *d = opendir(folder);
    size_t n = 0;
    assert_non_null(d);
    while (readdir(d) != NULL) {
        n++;
    }
    (void)closedir(d);
    return n - 2;
}

static void
assert_file(const char *path, const char *text)
{
    DEFER(buf_done) struct buf bytes;
    testing_read(path, &bytes);
    assert_string_equal(buf_str(&bytes), text);
}

static void
a_file_is_there_when_it_is_kept(void **state)
{
    (void)state;
    struct stat st;
    testing_write(it.file, view_str("before"));
    DEFER(file_draft_done) struct file_draft d = {0};
    assert_ok(file_draft_open(it.file, 0644, NULL, &d));
    assert_ok(file_write_all(d.fd, view_str("after"), it.file, NULL));
    assert_file(it.file, "before");
    assert_int_equal(names_in(it.dir), 2);
    assert_ok(file_draft_keep(&d, NULL));
    assert_file(it.file, "after");
    assert_int_equal(names_in(it.dir), 1);
    assert_int_equal(stat(it.file, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0644);
    assert_status(outputs_keep(it.file, NULL), INPUT);
}

static int32_t
begin_with(const char *const *paths, size_t n)
{
    const struct status s = outputs_begin(paths, n, NULL);
    outputs_end();
    return s.code;
}

static void
two_outputs_are_two_places(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(file_freep) char *page = file_join(dir, "page");
    DEFER(file_freep) char *other = file_join(dir, "other/page");
    DEFER(file_freep) char *around = file_join(dir, "around/page");
    DEFER(file_freep) char *way = file_join(dir, "around");
    DEFER(file_freep) char *back = file_join(dir, "./page");
    DEFER(file_freep) char *nowhere = file_join(dir, "no/page");
    assert_int_equal(symlink(".", way), 0);
    assert_int_equal(begin_with((const char *const[]){page, other, nowhere}, 3), STATUS_OK);
    assert_int_equal(begin_with((const char *const[]){page, other, page}, 3), STATUS_INPUT);
    assert_int_equal(begin_with((const char *const[]){page, around}, 2), STATUS_INPUT);
    assert_int_equal(begin_with((const char *const[]){back, page}, 2), STATUS_INPUT);
    assert_int_equal(begin_with((const char *const[]){nowhere, nowhere}, 2), STATUS_INPUT);
    assert_int_equal(begin_with((const char *const[]){"page", "./page"}, 2), STATUS_INPUT);
}

static void
nothing_is_made_that_runs(void **state)
{
    (void)state;
    struct stat st;
    int fd = -1;
    assert_ok(outputs_open(it.file, OUTPUTS_DRAFT, 04755, NULL, &fd));
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0644);
    assert_int_equal(close(fd), 0);
}

static void
what_is_dropped_is_gone(void **state)
{
    (void)state;
    struct file_draft d = {0};
    assert_ok(file_draft_open(it.file, 0600, NULL, &d));
    assert_int_equal(names_in(it.dir), 1);
    file_draft_done(&d);
    assert_int_equal(names_in(it.dir), 0);
    assert_status(outputs_keep(it.file, NULL), INPUT);
}

static void
folders_above_are_made_where_that_is_asked(void **state)
{
    (void)state;
    struct diag diag = {0};
    int fd = -1;
    assert_status(outputs_open(it.deep, OUTPUTS_DRAFT, 0600, &diag, &fd), NOT_FOUND);
    assert_says(&diag, it.deep);
    assert_ok(outputs_open(it.deep, OUTPUTS_DEEP, 0600, NULL, &fd));
    assert_ok(file_write_all(fd, view_str("bytes"), it.deep, NULL));
    assert_int_equal(close(fd), 0);
    assert_ok(outputs_keep(it.deep, NULL));
    assert_file(it.deep, "bytes");
}

static void
an_appended_file_grows_and_is_no_link(void **state)
{
    (void)state;
    struct diag diag = {0};
    for (int i = 0; i < 2; i++) {
        int fd = -1;
        assert_ok(outputs_open(it.grown, OUTPUTS_APPEND, 0600, NULL, &fd));
        assert_ok(file_write_all(fd, view_str("line\n"), it.grown, NULL));
        assert_int_equal(close(fd), 0);
    }
    assert_file(it.grown, "line\nline\n");
    int fd = -1;
    assert_int_equal(unlink(it.grown), 0);
    assert_int_equal(symlink("/dev/null", it.grown), 0);
    const struct status s = outputs_open(it.grown, OUTPUTS_APPEND, 0600, &diag, &fd);
    assert_int_equal(s.code, STATUS_IO);
    assert_int_equal(s.os, ELOOP);
}

static void
a_folder_is_made_beside_and_takes_its_place(void **state)
{
    (void)state;
    DEFER(file_freep) char *made = NULL;
    DEFER(file_freep) char *again = NULL;
    assert_ok(outputs_folder(it.place, NULL, &made));
    assert_ok(outputs_folder(it.place, NULL, &again));
    assert_string_equal(made, again);
    DEFER(file_freep) char *inside = file_join(made, "file");
    testing_write(inside, view_str("bytes"));
    assert_ok(outputs_take(it.place, NULL));
    DEFER(file_freep) char *there = file_join(it.place, "file");
    assert_file(there, "bytes");
    outputs_end();
    assert_int_equal(names_in(it.dir), 1);
}

static void
a_place_that_is_taken_says_so(void **state)
{
    (void)state;
    DEFER(file_freep) char *made = NULL;
    DEFER(file_freep) char *there = file_join(it.place, "file");
    assert_ok(outputs_folder(it.place, NULL, &made));
    assert_ok(file_mkdirs(it.place, 0700, NULL));
    testing_write(there, view_str("somebody else's"));
    assert_int_equal(outputs_take(it.place, NULL).os, ENOTEMPTY);
    assert_file(there, "somebody else's");
}

static void
only_what_was_named_is_asked_for(void **state)
{
    (void)state;
    DEFER(file_freep) char *other = file_join(it.dir, "./page.html");
    assert_true(outputs_has(it.file));
    assert_false(outputs_has(other));
    assert_false(outputs_has(it.dir));
}

/* A process like this one, killed when it has begun all of it: its end is seen by the pipe. */
static void
of_who_is_killed_nothing_is_left(void **state)
{
    (void)state;
    int ready[2];
    char byte = 0;
    outputs_end();
    assert_int_equal(pipe(ready), 0);
    const pid_t pid = fork();
    if (pid == 0) {
        const char *const paths[] = {it.file, it.place, it.folder};
        char *made = NULL;
        int fd = -1;
        const bool begun = status_ok(outputs_begin(paths, 3, NULL)) &&
                           status_ok(outputs_open(it.file, OUTPUTS_DRAFT, 0600, NULL, &fd)) &&
                           status_ok(outputs_folder(it.place, NULL, &made)) &&
                           status_ok(outputs_make(it.folder, NULL));
        (void)!write(ready[1], begun ? "y" : "n", 1);
        (void)pause();
        _exit(0);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(byte, 'y');
    assert_int_equal(names_in(it.dir), 3);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    const struct timespec pause = {.tv_nsec = 1000 * 1000};
    for (unsigned ms = 0; names_in(it.dir) > 0 && ms < PATIENCE_MS; ms++) {
        (void)nanosleep(&pause, NULL);
    }
    assert_int_equal(names_in(it.dir), 0);
    (void)close(ready[0]);
    (void)close(ready[1]);
}

#define EACH(NAME) cmocka_unit_test_setup_teardown(NAME, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(only_what_was_named_is_asked_for),
        cmocka_unit_test(two_outputs_are_two_places),
        EACH(a_file_is_there_when_it_is_kept),
        EACH(nothing_is_made_that_runs),
        EACH(what_is_dropped_is_gone),
        EACH(folders_above_are_made_where_that_is_asked),
        EACH(an_appended_file_grows_and_is_no_link),
        EACH(a_folder_is_made_beside_and_takes_its_place),
        EACH(a_place_that_is_taken_says_so),
        EACH(of_who_is_killed_nothing_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
