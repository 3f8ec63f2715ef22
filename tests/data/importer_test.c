/* Foreign files are read by a process that is forked before there is a key, and believed nothing.
 */
#include "testing/testing.h"

#include "base/file.h"
#include "base/sandbox.h"
#include "data/import_roles.h"
#include "data/importer.h"
#include "data/table_wire.h"
#include "sample.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static struct {
    char *dir, *csv, *other, *folder;
} it;

static int
set_up(void **state)
{
    (void)state;
    it.dir = testing_dir();
    it.csv = file_join(it.dir, "rows.csv");
    it.other = file_join(it.dir, "other.csv");
    it.folder = file_join(it.dir, "folder.csv");
    testing_write(it.csv, view_str("who,age,paid,when,note,label\n007,41,yes,2024-02-29,a,1\n"
                                   "008,,no,2024-03-01,b,0\n009,39.5,?,2024-03-02,,1\n"));
    testing_write(it.other, view_str("a,b\n1,2\n3,4\n"));
    assert_ok(file_mkdirs(it.folder, 0700, NULL));
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    free(it.csv);
    free(it.other);
    free(it.folder);
    testing_dirp(&it.dir);
    return 0;
}

/* The only child of this process. */
static pid_t
child(void)
{
    char path[64];
    int pid = 0;
    (void)snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    DEFER(buf_done) struct buf text;
    buf_init(&text, 4096);
    testing_read(path, &text);
    assert_int_equal(sscanf(buf_str(&text), "%d", &pid), 1);
    return pid;
}

static void
begin(const char *const *paths, size_t n)
{
    assert_ok(importer_begin(paths, n, NULL));
    assert_true(importer_is_there());
}

static void
end(pid_t pid)
{
    importer_end();
    assert_false(importer_is_there());
    assert_true(pid == 0 || waitpid(pid, NULL, 0) == pid || errno == ECHILD);
}

static void
assert_same(const struct table *a, const struct table *b)
{
    DEFER(buf_done) struct buf one;
    DEFER(buf_done) struct buf other;
    buf_init(&one, 1u << 20);
    buf_init(&other, 1u << 20);
    assert_ok(table_encode(a, &one));
    assert_ok(table_encode(b, &other));
    assert_true(view_equal(buf_view(&one), buf_view(&other)));
    for (uint32_t i = 0; i < a->column_count; i++) {
        assert_int_equal(a->columns[i].levels == NULL, b->columns[i].levels == NULL);
        assert_int_equal(a->columns[i].null == NULL, b->columns[i].null == NULL);
    }
}

/* By a process of the test's own: the engine's threads must not be there when an importer is
 * forked.
 */
static int32_t
import_here(const char *path, const struct import_options *o, struct diag *diag,
            struct table **ret_table)
{
    struct status said = OK;
    const int fd = memfd_create("answer", MFD_CLOEXEC);
    const pid_t pid = fork();
    assert_true(fd >= 0 && pid >= 0);
    if (pid == 0) {
        struct diag why = {0};
        DEFER(table_freep) struct table *t = NULL;
        const struct status s = import_columns(path, o, &why, &t);
        _exit(status_ok(table_wire_put(fd, s, &why, t)) ? 0 : 1);
    }
    int ended = 0;
    assert_int_equal(waitpid(pid, &ended, 0), pid);
    assert_int_equal(ended, 0);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    assert_ok(table_wire_take(fd, diag, &said, ret_table));
    (void)close(fd);
    if (status_ok(said)) {
        assert_ok(import_roles(path, o, diag, *ret_table));
    }
    return said.code;
}

static void
a_table_is_the_same_whoever_reads_it(void **state)
{
    (void)state;
    static const char *const missing[] = {"b"};
    const char *const sensitive[] = {"paid"};
    const struct import_override types[] = {
        {.column = "age", .has_type = true, .type = COLUMN_TEXT},
        {.column = "who", .has_role = true, .role = ROLE_IDENTIFIER}};
    const struct import_options o = {.label = "label",
                                     .sensitive = sensitive,
                                     .sensitive_count = 1,
                                     .overrides = types,
                                     .override_count = 2,
                                     .missing = missing,
                                     .missing_count = 1,
                                     .delimiter = ',',
                                     .threads = 1};
    const char *const paths[] = {it.csv, it.other};
    DEFER(table_freep) struct table *here = NULL;
    DEFER(table_freep) struct table *there = NULL;
    DEFER(table_freep) struct table *second = NULL;
    begin(paths, 2);
    const pid_t pid = child();
    assert_ok(import_file(it.csv, &o, NULL, &there));
    assert_ok(import_file(it.other, &(struct import_options){0}, NULL, &second));
    assert_int_equal(second->rows, 2);
    end(pid);
    assert_int_equal(import_here(it.csv, &o, NULL, &here), STATUS_OK);
    assert_same(here, there);
    assert_cell(there, "age", 2, "39.5");
    assert_int_equal(sample_column(there, "paid")->role, ROLE_SENSITIVE);
    assert_int_equal(sample_column(there, "note")->nulls, 2);
}

static void
a_subject_is_kept_as_it_is_written(void **state)
{
    (void)state;
    const struct import_options o = {.subject = "who"};
    const struct import_override role = {.column = "who", .has_role = true, .role = ROLE_SUBJECT};
    const struct import_options same = {.overrides = &role, .override_count = 1};
    const char *const paths[] = {it.csv};
    DEFER(table_freep) struct table *t = NULL;
    DEFER(table_freep) struct table *u = NULL;
    begin(paths, 1);
    const pid_t pid = child();
    assert_ok(import_file(it.csv, &o, NULL, &t));
    assert_ok(import_file(it.csv, &same, NULL, &u));
    end(pid);
    assert_cell(t, "who", 0, "007");
    assert_int_equal(sample_column(t, "who")->role, ROLE_SUBJECT);
    assert_cell(u, "who", 2, "009");
    assert_int_equal(sample_column(u, "who")->role, ROLE_SUBJECT);
}

/* Sentences and codes are those of a reading here, and it goes on after them. */
static void
what_is_wrong_with_a_file_is_said_as_ever(void **state)
{
    (void)state;
    DEFER(file_freep) char *bad = file_join(it.dir, "bad.csv");
    DEFER(file_freep) char *none = file_join(it.dir, "none.csv");
    testing_write(bad, view_str("a,b\n1\n"));
    const char *const paths[] = {bad, none, it.folder, it.csv};
    const struct import_options o = {0}, absent = {.label = "absent"};
    DEFER(table_freep) struct table *t = NULL;
    struct diag here[3] = {0}, there = {0};
    int32_t code[3];
    for (size_t i = 0; i < 3; i++) {
        code[i] = import_here(paths[i], &o, &here[i], &t);
        assert_null(t);
    }
    begin(paths, 4);
    const pid_t pid = child();
    for (size_t i = 0; i < 3; i++) {
        there = (struct diag){0};
        assert_int_equal(import_file(paths[i], &o, &there, &t).code, code[i]);
        assert_string_equal(there.text, here[i].text);
        assert_true(code[i] != STATUS_OK && here[i].text[0] != '\0');
    }
    assert_status(import_file(it.csv, &absent, &there, &t), INPUT);
    assert_says(&there, "no column \"absent\"");
    assert_ok(import_file(it.csv, &o, NULL, &t));
    end(pid);
}

static void
only_what_the_command_named_is_read(void **state)
{
    (void)state;
    const char *const paths[] = {it.csv};
    const struct import_options o = {0};
    DEFER(table_freep) struct table *t = NULL;
    struct diag diag = {0};
    begin(paths, 1);
    const pid_t pid = child();
    assert_status(import_file(it.other, &o, &diag, &t), INPUT);
    assert_says(&diag, "the process that reads it has ended");
    assert_status(import_file(it.csv, &o, &diag, &t), DENIED);
    end(pid);
    begin(NULL, 0);
    assert_status(import_file(it.csv, &o, &diag, &t), DENIED);
    assert_says(&diag, "the command did not begin with it");
    end(0);
    assert_null(t);
}

static void
killed_with(int signal, int32_t code, const char *words)
{
    const char *const paths[] = {it.csv};
    const struct import_options o = {0};
    DEFER(table_freep) struct table *t = NULL;
    struct diag diag = {0};
    begin(paths, 1);
    const pid_t pid = child();
    assert_int_equal(kill(pid, signal), 0);
    assert_int_equal(import_file(it.csv, &o, &diag, &t).code, code);
    assert_says(&diag, words);
    assert_says(&diag, it.csv);
    assert_null(t);
    end(pid);
}

static void
one_that_is_killed_or_crashes_is_an_error_and_no_table(void **state)
{
    (void)state;
    killed_with(SIGKILL, STATUS_MEMORY, "was killed; did the machine run out of memory?");
    killed_with(SIGABRT, STATUS_INPUT, "ended by signal 6 (Aborted)");
}

/* ---- what it can do ---- */

static void
field(pid_t pid, const char *name, char ret_text[static 64])
{
    char path[64];
    DEFER(buf_done) struct buf text;
    buf_init(&text, 65536);
    (void)snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    testing_read(path, &text);
    const char *at = strstr(buf_str(&text), name);
    assert_non_null(at);
    assert_int_equal(sscanf(at + strlen(name), "%63s", ret_text), 1);
}

static void
it_has_a_filter_and_no_privileges(void **state)
{
    (void)state;
    const char *const paths[] = {it.csv};
    char text[64];
    DEFER(table_freep) struct table *t = NULL;
    begin(paths, 1);
    const pid_t pid = child();
    assert_ok(import_file(it.csv, &(struct import_options){0}, NULL, &t)); /* it has begun */
    field(pid, "\nSeccomp:", text);
    assert_string_equal(text, "2");
    field(pid, "\nNoNewPrivs:", text);
    assert_string_equal(text, "1");
    field(pid, "\nCapInh:", text);
    assert_int_equal(strtoull(text, NULL, 16), 0);
    field(pid, "Name:", text);
    assert_string_equal(text, "steward-import");
    end(pid);
}

/* Letters of what one could do that has taken it over. */
static void
try_all(char *at)
{
    const struct sandbox_path path = {it.csv, SANDBOX_READ};
    struct sandbox_told told = {0};
    const int before = open(it.dir, O_RDONLY | O_DIRECTORY), own = open(it.csv, O_RDONLY);
    if (!status_ok(sandbox_files(&path, 1, false, NULL, &told)) ||
        !status_ok(sandbox_calls(SANDBOX_IMPORTER, NULL))) {
        *at++ = '?';
    }
    *at++ = open(it.csv, O_RDONLY) >= 0 ? 'r' : '-';
    *at++ = open(it.csv, O_RDWR) >= 0 ? 'w' : '-';
    *at++ = open(it.csv, O_RDONLY | O_TRUNC) >= 0 ? 't' : '-';
    *at++ = openat(before, "new", O_CREAT | O_WRONLY, 0600) >= 0 ? 'c' : '-';
    *at++ = unlink(it.other) == 0 ? 'u' : '-';
    *at++ = rename(it.other, "/tmp/x") == 0 ? 'm' : '-';
    *at++ = socket(AF_INET, SOCK_STREAM, 0) >= 0 ? 's' : '-';
    *at++ = socket(AF_UNIX, SOCK_STREAM, 0) >= 0 ? 'x' : '-';
    *at++ = kill(getppid(), 0) == 0 ? 'k' : '-';
    *at++ =
        mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED
            ? 'e'
            : '-';
    *at++ = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, own, 0) != MAP_FAILED ? 'l' : '-';
    *at++ = fcntl(0, F_SETOWN, getppid()) == 0 ? 'o' : '-';
    *at++ = told.landlock == 0 ? '-' : open(it.other, O_RDONLY) >= 0 ? 'f' : '-';
    *at = '\0';
}

static void
taken_over_it_reads_its_file_and_that_is_all(void **state)
{
    (void)state;
    char *said = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(said != MAP_FAILED);
    int ended = 0;
    const pid_t pid = fork();
    if (pid == 0) {
        (void)close(STDERR_FILENO);
        try_all(said);
        (void)syscall(SYS_execve, "/bin/true", NULL, NULL); /* kills */
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &ended, 0), pid);
    assert_string_equal(said, "r------------");
    assert_true(WIFSIGNALED(ended) && WTERMSIG(ended) == SIGSYS);
    (void)munmap(said, 4096);
}

/* ---- what it says ---- */

static struct status
take(struct view bytes, struct diag *diag, struct status *ret_said, struct table **ret_table)
{
    const int fd = memfd_create("answer", MFD_CLOEXEC);
    assert_true(fd >= 0 && write(fd, bytes.ptr, bytes.len) == (ssize_t)bytes.len);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    const struct status s = table_wire_take(fd, diag, ret_said, ret_table);
    (void)close(fd);
    return s;
}

static void
put(struct status said, const char *sentence, struct table *t, struct buf *ret_bytes)
{
    struct diag diag = {0};
    const int fd = memfd_create("answer", MFD_CLOEXEC);
    diag_set(&diag, "%s", sentence);
    assert_ok(table_wire_put(fd, said, &diag, t));
    const size_t n = (size_t)lseek(fd, 0, SEEK_CUR);
    uint8_t *at = buf_extend(ret_bytes, n);
    assert_non_null(at);
    assert_int_equal(pread(fd, at, n, 0), n);
    (void)close(fd);
}

static void
a_cut_answer_is_none_and_a_changed_one_is_a_table_or_none(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf bytes;
    buf_init(&bytes, 1u << 20);
    DEFER(table_freep) struct table *t = NULL;
    DEFER(table_freep) struct table *none = NULL;
    struct status said = OK;
    assert_int_equal(import_here(it.csv, &(struct import_options){0}, NULL, &t), STATUS_OK);
    for (uint32_t i = 0; i < t->column_count; i++) { /* as it was answered */
        t->columns[i].role = ROLE_FEATURE;
        t->columns[i].is_feature = true;
    }
    put(OK, "", t, &bytes);
    for (size_t n = 0; n < bytes.len; n++) {
        assert_status(take(view_of(bytes.ptr, n), NULL, &said, &none), IO);
    }
    for (size_t i = 0; i < bytes.len; i++) {
        DEFER(table_freep) struct table *other = NULL;
        bytes.ptr[i] ^= 0x81;
        const struct status s = take(buf_view(&bytes), NULL, &said, &other);
        assert_true(other == NULL || (status_ok(s) && other->rows > 0 && other->column_count > 0));
        bytes.ptr[i] ^= 0x81;
    }
    assert_ok(take(buf_view(&bytes), NULL, &said, &none));
    assert_int_equal(none->rows, 3);
}

static void
a_sentence_has_no_control_codes_and_no_strange_code(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf bytes;
    buf_init(&bytes, 1u << 20);
    DEFER(table_freep) struct table *none = NULL;
    struct status said = OK;
    struct diag diag = {0};
    put(FAILURE(LIMIT), "bad\x1b[2Jfile", NULL, &bytes);
    assert_ok(take(buf_view(&bytes), &diag, &said, &none));
    assert_int_equal(said.code, STATUS_LIMIT);
    assert_string_equal(diag.text, "bad?[2Jfile");
    bytes.ptr[0] = STATUS_CODES;
    assert_status(take(buf_view(&bytes), &diag, &said, &none), INTEGRITY);
    bytes.ptr[0] = STATUS_LIMIT;
    bytes.ptr[12] = 0xff;
    assert_status(take(buf_view(&bytes), &diag, &said, &none), INTEGRITY);
    assert_null(none);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_is_the_same_whoever_reads_it),
        cmocka_unit_test(a_subject_is_kept_as_it_is_written),
        cmocka_unit_test(what_is_wrong_with_a_file_is_said_as_ever),
        cmocka_unit_test(only_what_the_command_named_is_read),
        cmocka_unit_test(one_that_is_killed_or_crashes_is_an_error_and_no_table),
        cmocka_unit_test(it_has_a_filter_and_no_privileges),
        cmocka_unit_test(taken_over_it_reads_its_file_and_that_is_all),
        cmocka_unit_test(a_cut_answer_is_none_and_a_changed_one_is_a_table_or_none),
        cmocka_unit_test(a_sentence_has_no_control_codes_and_no_strange_code),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
