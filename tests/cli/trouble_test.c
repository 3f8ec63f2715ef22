/* What goes wrong: passphrases, changed bytes, a full disk, two at once, killed half-way. Each is
 * refused with its reason and exit code, and loses nothing. */
#include "cli/run.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void
a_wrong_passphrase_is_exit_code_3(void **state)
{
    struct room *m = *state;
    DEFER(file_freep) char *right = strdup(getenv("STEWARD_PASSPHRASE"));
    (void)setenv("STEWARD_PASSPHRASE", "wrong horse", 1);
    RUN(m, 3, "dataset", "list");
    ERR_HAS(m, "passphrase");
    assert_int_equal(m->r.out.len, 0);
    RUN(m, 0, "audit", "verify"); /* needs none */
    RUN(m, 0, "audit", "show", "--last", "1");
    OUT_HAS(m, "deny");
    OUT_HAS(m, "not opened for=\"dataset list\": ");
    OUT_HAS(m, "wrong passphrase");
    (void)setenv("STEWARD_PASSPHRASE", right, 1); /* what was told stays, and is signed now */
    RUN(m, 0, "dataset", "list");
    RUN(m, 0, "audit", "verify");
    RUN(m, 0, "audit", "show", "--last", "2");
    OUT_HAS(m, "not opened for=\"dataset list\": ");
    (void)unsetenv("STEWARD_PASSPHRASE");
    RUN(m, 3, "dataset", "list");
    ERR_HAS(m, "no passphrase: give --passphrase-file FILE, or set STEWARD_PASSPHRASE_FILE");
}

static void
a_backup_is_verified_and_its_restore_asks_who_was_erased_since(void **state)
{
    struct room *m = *state;
    DEFER(file_freep) char *backup = strdup(in(m, "backup")), *place = strdup(in(m, "place"));
    DEFER(file_freep) char *log = strdup(in(m, "w/audit"));
    testing_write(in(m, "p.csv"), view_str("who,age,paid\nann,30,yes\nbob,41,no\nann,52,yes\n"));
    RUN(m, 0, "dataset", "add", "people", in(m, "p.csv"), "--label", "paid", "--positive", "yes",
        "--subject", "who");
    RUN(m, 0, "backup", "create", backup);
    RUN(m, 0, "backup", "verify", backup);
    RUN(m, 0, "dataset", "erase", "people", "--subject", "ann");
    RUN(m, 2, "backup", "restore", backup, place);
    ERR_HAS(m, "--erasures LOG");
    RUN(m, 2, "backup", "restore", backup, place, "--erasures", log, "--without-erasures");
    ERR_HAS(m, "one of them");
    RUN(m, 0, "backup", "restore", backup, place, "--without-erasures");
    RUN(m, 0, "dataset", "subjects", "people", "--workspace", place);
    OUT_HAS(m, "of whom 0 were erased");
    RUN(m, 0, "backup", "erase-again", log, "--workspace", place);
    OUT_HAS(m, "1 of 1 persons");
    RUN(m, 0, "dataset", "subjects", "people", "--workspace", place);
    OUT_HAS(m, "of whom 1 were erased");
}

static void
write_passphrase(struct room *m, const char *text, unsigned mode)
{
    testing_write(in(m, "pass"), view_str(text));
    assert_int_equal(chmod(in(m, "pass"), mode), 0);
}

static void
a_passphrase_file_is_its_first_line_and_closed_to_others(void **state)
{
    struct room *m = *state;
    (void)setenv("STEWARD_PASSPHRASE", "wrong horse", 1); /* the file goes before it */
    static const char *const good[] = {"correct horse", "correct horse\n", "correct horse\r\n",
                                       "correct horse\nsecond line\n"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        write_passphrase(m, good[i], i % 2 == 0 ? 0600 : 0640);
        RUN(m, 0, "dataset", "list", "--passphrase-file", in(m, "pass"));
    }
    static const char *const empty[] = {"", "\n", "\r\ncorrect horse\n"};
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++) {
        write_passphrase(m, empty[i], 0600);
        RUN(m, 2, "dataset", "list", "--passphrase-file", in(m, "pass"));
        ERR_HAS(m, "pass: the passphrase is empty");
    }
    static const unsigned open_modes[] = {0644, 0660, 0602, 0601};
    for (size_t i = 0; i < sizeof open_modes / sizeof *open_modes; i++) {
        write_passphrase(m, "correct horse\n", open_modes[i]);
        RUN(m, 2, "dataset", "list", "--passphrase-file", in(m, "pass"));
        ERR_HAS(m, "lets others read or change the passphrase; chmod 600 it first");
    }
    RUN(m, 4, "dataset", "list", "--passphrase-file", in(m, "absent"));
    ERR_HAS(m, "absent: No such file");
    RUN(m, 1, "dataset", "list", "--passphrase-file", m->dir);
    ERR_HAS(m, "Is a directory");
}

static size_t
entries_of(const char *dir)
{
    size_t n = 0;
    DIR *d = opendir(dir);
    assert_non_null(d);
    for (const struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    }
    (void)closedir(d);
    return n;
}

static void
init_refuses_what_is_not_new_or_empty_and_leaves_nothing(void **state)
{
    struct room *m = *state;
    RUN(m, 0, "init", in(m, "w"));
    RUN(m, 5, "init", in(m, "w"));
    ERR_HAS(m, "w: not empty; a workspace is made in a new or empty directory");
    RUN(m, 5, "init", in(m, "w/steward.yaml"));
    ERR_HAS(m, "a file; a workspace is made in a new or empty directory");
    RUN(m, 2, "init", in(m, "x"), "--host", "localhost:8443");
    ERR_HAS(m, "\"localhost:8443\" is not a host name or address (without port)");
    RUN(m, 1, "init", "/proc/steward");
    assert_int_equal(entries_of(m->dir), 1);
    RUN(m, 0, "init", in(m, "deep/er/y/"));
    assert_int_equal(mkdir(in(m, "empty"), 0755), 0);
    RUN(m, 0, "init", in(m, "empty"));
    RUN(m, 0, "dataset", "list", "--workspace", in(m, "empty"));
}

static pid_t
start(struct room *m, const char *const *words)
{
    char *argv[32] = {(char *)(uintptr_t)testing_binary()};
    for (size_t i = 0; words[i] != NULL; i++) {
        argv[i + 1] = (char *)(uintptr_t)words[i];
    }
    return testing_start(argv, in(m, "log"));
}
#define START(M, ...) start(M, (const char *const[]){__VA_ARGS__, NULL})

static int
wait_for(pid_t pid)
{
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void
of_two_inits_on_one_directory_one_wins(void **state)
{
    struct room *m = *state;
    char dir[600];
    (void)snprintf(dir, sizeof dir, "%s", in(m, "w"));
    const pid_t a = START(m, "init", dir), b = START(m, "init", dir);
    const int one = wait_for(a), two = wait_for(b);
    assert_true((one == 0 && two == 5) || (one == 5 && two == 0));
    RUN(m, 0, "dataset", "list");
    assert_int_equal(entries_of(m->dir), 2); /* w, log */
}

/* Whenever it is killed, there is a whole workspace or none; and a signal that it can catch leaves
 * not even a scratch directory. */
static void
an_init_that_is_killed_leaves_all_or_nothing(void **state)
{
    struct room *m = *state;
    for (unsigned i = 0; i < 12; i++) {
        char name[16], dir[600];
        (void)snprintf(name, sizeof name, "k%u/w", i);
        (void)snprintf(dir, sizeof dir, "%s", in(m, name));
        const int how = i % 2 == 0 ? SIGKILL : SIGTERM;
        const pid_t pid = START(m, "init", dir);
        (void)usleep(20000 * i);
        (void)kill(pid, how);
        (void)wait_for(pid);
        if (file_exists(dir)) {
            RUN(m, 0, "dataset", "list", "--workspace", dir);
            RUN(m, 0, "audit", "verify", "--workspace", dir);
        }
        (void)snprintf(name, sizeof name, "k%u", i);
        if (how == SIGTERM && file_exists(in(m, name))) {
            assert_int_equal(entries_of(in(m, name)), file_exists(dir) ? 1 : 0);
        }
    }
}

static void
two_that_add_at_once_get_versions_1_and_2(void **state)
{
    struct room *m = *state;
    const pid_t a = START(m, "dataset", "add", "lending", m->csv, CSV_OPTIONS),
                b = START(m, "dataset", "add", "lending", m->csv, CSV_OPTIONS);
    assert_int_equal(wait_for(a), 0);
    assert_int_equal(wait_for(b), 0);
    RUN(m, 0, "dataset", "list", "--json");
    DEFER(js_freep) json_t *list = out_json(m);
    assert_int_equal(json_array_size(list), 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(json_integer_value(json_object_get(json_array_get(list, i), "version")),
                         i + 1);
    }
    RUN(m, 0, "dataset", "show", "lending@1");
    RUN(m, 0, "audit", "verify");
    OUT_HAS(m, "verified: 7 entries"); /* init; four verbs, two versions */
}

static void
flip(const char *path, off_t at)
{
    const int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    uint8_t byte = 0;
    const off_t size = lseek(fd, 0, SEEK_END);
    at = at < 0 ? size + at : at;
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    (void)close(fd);
}

static void
changed_objects_are_exit_code_6_with_the_reason(void **state)
{
    struct room *m = *state;
    static const char *const objects[] = {"w/objects/model/mortgage/1.sealed",
                                          "w/objects/dataset/lending/1.sealed"};
    for (size_t i = 0; i < 2; i++) {
        static const off_t places[] = {0, 70, 2000, -1};
        for (size_t k = 0; k < 4; k++) {
            flip(in(m, objects[i]), places[k]);
            RUN(m, 6, "assess", "mortgage", "--data", "lending");
            ERR_HAS(m, "1.sealed");
            flip(in(m, objects[i]), places[k]);
        }
    }
    RUN(m, 0, "assess", "mortgage", "--data", "lending");
    /* An object in another's place is whole, and still refused. */
    DEFER(buf_done) struct buf first;
    RUN(m, 0, "model", "train", "mortgage", "--data", "lending", "--rounds", "3");
    testing_read(in(m, objects[0]), &first);
    testing_write(in(m, "w/objects/model/mortgage/2.sealed"), buf_view(&first));
    RUN(m, 6, "assess", "mortgage", "--data", "lending");
    ERR_HAS(m, "2.sealed");
    assert_int_equal(unlink(in(m, "w/objects/model/mortgage/2.sealed")), 0);
    RUN(m, 4, "assess", "mortgage", "--data", "lending");
    ERR_HAS(m, "2.sealed");
    RUN(m, 0, "assess", "mortgage@1", "--data", "lending");
}

static void
sql(struct room *m, const char *statement)
{
    sqlite3 *db = NULL;
    char *error = NULL;
    assert_int_equal(sqlite3_open(in(m, "w/state.db"), &db), SQLITE_OK);
    const int rc = sqlite3_exec(db, statement, NULL, NULL, &error);
    if (rc != SQLITE_OK) {
        print_error("%s\n", error);
    }
    assert_int_equal(rc, SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void
a_changed_registry_is_exit_code_6(void **state)
{
    struct room *m = *state;
    sql(m,
        "UPDATE record SET value = substr(value, 1, length(value) - 1) || "
        "CASE substr(value, -1) WHEN x'00' THEN x'01' ELSE x'00' END WHERE collection = 'model'");
    RUN(m, 6, "model", "list");
    RUN(m, 6, "assess", "mortgage", "--data", "lending");
    RUN(m, 0, "dataset", "list");
    sql(m, "UPDATE record SET id = 'other/0000000001' WHERE collection = 'dataset'");
    RUN(m, 6, "dataset", "list");
}

/* Else principals and versions would begin again as if nothing had been. */
static void
a_missing_or_emptied_store_is_not_made_anew(void **state)
{
    struct room *m = *state;
    DEFER(file_freep) char *path = file_join(m->dir, "w/state.db");
    DEFER(buf_done) struct buf before;
    testing_read(path, &before);
    assert_int_equal(unlink(path), 0);
    RUN(m, 6, "principal", "list");
    ERR_HAS(m, "w/state.db: missing or empty; restore it from a backup");
    assert_false(file_exists(path));
    testing_write(path, view_str(""));
    RUN(m, 6, "principal", "add", "eve", "--role", "admin");
    ERR_HAS(m, "w/state.db: missing or empty");
    testing_write(path, buf_view(&before));
    RUN(m, 0, "principal", "list");
}

static void
a_changed_certificate_or_tls_key_stops_the_server(void **state)
{
    struct room *m = *state;
    DEFER(buf_done) struct buf own;
    DEFER(buf_done) struct buf other;
    RUN(m, 0, "init", in(m, "v"));
    testing_read(in(m, "w/tls/cert.pem"), &own);
    testing_read(in(m, "v/tls/cert.pem"), &other);
    testing_write(in(m, "w/tls/cert.pem"), buf_view(&other));
    RUN(m, 6, "serve", "--listen", "127.0.0.1:0");
    ERR_HAS(m, "tls/cert.pem: not the certificate of the key that this workspace sealed");
    testing_write(in(m, "w/tls/cert.pem"), buf_view(&own));
    flip(in(m, "w/tls/key.sealed"), -1);
    RUN(m, 6, "serve", "--listen", "127.0.0.1:0");
    ERR_HAS(m, "tls/key.sealed: not the key that this workspace sealed");
}

static void
shows_proves_and_checks_entries(void **state)
{
    struct room *m = *state;
    char proof[600], entry[600], vkey[256] = "";
    (void)snprintf(proof, sizeof proof, "%s", in(m, "proof"));
    (void)snprintf(entry, sizeof entry, "%s", in(m, "entry"));
    DEFER(buf_done) struct buf key;
    testing_read(in(m, "w/audit/vkey"), &key);
    assert_int_equal(sscanf(buf_str(&key), "%255s", vkey), 1);
    RUN(m, 0, "audit", "show", "--from", "2", "--last", "1", "--json");
    DEFER(js_freep) json_t *shown = out_json(m);
    assert_int_equal(json_array_size(shown), 1);
    has_keys(json_array_get(shown, 0), "index entry raw");
    const char *raw = json_string_value(json_object_get(json_array_get(shown, 0), "raw"));
    assert_text_has(raw, "dataset added: version 1, sha256 ");
    testing_write(entry, view_str(raw));
    RUN(m, 0, "audit", "prove", "2", "--output", proof);
    RUN(m, 2, "audit", "check", proof, entry);
    ERR_HAS(m, "--vkey KEY is needed");
    RUN(m, 0, "audit", "check", proof, entry, "--vkey", vkey);
    OUT_HAS(m, "proved: the entry is in the log that this key signs");
    RUN(m, 0, "audit", "check", proof, entry, "--vkey", vkey, "--json");
    DEFER(js_freep) json_t *proved = out_json(m);
    assert_true(json_is_true(json_object_get(proved, "proved")));
    flip(entry, 20);
    RUN(m, 6, "audit", "check", proof, entry, "--vkey", vkey);
    RUN(m, 2, "audit", "prove", "x");
    ERR_HAS(m, "x: an entry's index is a whole number from 0");
    RUN(m, 4, "audit", "prove", "99");
    RUN(m, 0, "audit", "show", "--last", "2");
    OUT_HAS(m, "model.write  models/mortgage  version 1\n");
    RUN(m, 0, "audit", "verify", "--json");
    DEFER(js_freep) json_t *verified = out_json(m);
    has_keys(verified, "verified origin entries pending root_sha256");
}

static void
copies_the_log_for_other_programs(void **state)
{
    struct room *m = *state;
    char copy[600];
    (void)snprintf(copy, sizeof copy, "%s", in(m, "copy"));
    RUN(m, 2, "audit", "copy", copy);
    ERR_HAS(m, "copy: there is no such folder; make it first");
    assert_ok(file_mkdirs(copy, 0700, NULL));
    RUN(m, 0, "audit", "copy", copy);
    OUT_HAS(m, " entries, as their checkpoint has them");
    RUN(m, 0, "audit", "copy", copy, "--json");
    DEFER(js_freep) json_t *copied = out_json(m);
    has_keys(copied, "copy entries");
    assert_true(file_exists(in(m, "copy/tile/0/000.p/1")) ||
                file_exists(in(m, "copy/tile/entries")));
    RUN(m, 0, "audit", "verify", copy);
    OUT_HAS(m, "verified: ");
    RUN(m, 5, "audit", "copy", in(m, "w/audit"));
    ERR_HAS(m, "it is a log, not the copy of one");
}

static void
a_changed_log_is_exit_code_6_and_says_where(void **state)
{
    struct room *m = *state;
    char command[1200];
    (void)snprintf(command, sizeof command,
                   "printf X | dd of='%s/w/audit/tree/entries' bs=1 seek=40 conv=notrunc", m->dir);
    char *argv[] = {"sh", "-c", command, NULL};
    testing_run_done(&m->r);
    testing_run(argv, &m->r);
    assert_int_equal(m->r.exit_code, 0);
    RUN(m, 6, "audit", "verify");
    OUT_HAS(m, "NOT verified: ");
    RUN(m, 6, "audit", "verify", "--json");
    DEFER(js_freep) json_t *o = out_json(m);
    assert_true(json_is_false(json_object_get(o, "verified")));
    has_keys(o, "fault");
}

static void
fill_disk(const char *path)
{
    static const uint8_t block[4096];
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    while (write(fd, block, sizeof block) > 0) {
    }
    (void)close(fd);
}

/* Room of `spare` bytes: from none at all to nearly enough, so that each step fails once. */
static void
a_full_disk_registers_nothing_and_the_next_run_works(void **state)
{
    testing_need_small_disk();
    struct room *m = *state;
    char filler[600];
    assert_int_equal(mkdir(in(m, "disk"), 0700), 0);
    assert_true(testing_small_disk(in(m, "disk"), 3u << 20));
    (void)setenv("STEWARD_WORKSPACE", in(m, "disk/w"), 1);
    RUN(m, 0, "init", in(m, "disk/w"));
    (void)snprintf(filler, sizeof filler, "%s", in(m, "disk/filler"));
    static const off_t spares[] = {0, 100 << 10, 180 << 10, 200 << 10};
    unsigned failed = 0;
    for (size_t i = 0; i < sizeof spares / sizeof *spares; i++) {
        struct stat st;
        fill_disk(filler);
        assert_int_equal(stat(filler, &st), 0);
        assert_int_equal(truncate(filler, st.st_size - spares[i]), 0);
        const pid_t pid = START(m, "dataset", "add", "lending", m->csv, CSV_OPTIONS);
        const int code = wait_for(pid);
        failed += code != 0;
        assert_true(code == 0 || code == 1);
        assert_int_equal(unlink(filler), 0);
        RUN(m, 0, "dataset", "list", "--json");
        DEFER(js_freep) json_t *list = out_json(m);
        assert_int_equal(json_array_size(list), i + 1 - failed);
        RUN(m, 0, "audit", "verify");
    }
    assert_true(failed > 0);
    DEFER(buf_done) struct buf said;
    testing_read(in(m, "log"), &said);
    assert_text_has(buf_str(&said), "No space left on device");
    RUN(m, 0, "dataset", "add", "lending", m->csv, CSV_OPTIONS);
    RUN(m, 0, "dataset", "show", "lending");
    fill_disk(filler);
    RUN(m, 1, "model", "train", "mortgage", "--data", "lending", "--rounds", "5");
    ERR_HAS(m, "No space left on device");
    RUN(m, 1, "principal", "add", "desk", "--role", "caller");
    assert_int_equal(unlink(filler), 0);
    RUN(m, 0, "model", "train", "mortgage", "--data", "lending", "--rounds", "5");
    OUT_HAS(m, "mortgage version 1");
    RUN(m, 0, "principal", "add", "desk", "--role", "caller");
    RUN(m, 0, "audit", "verify");
    testing_small_disk_done(in(m, "disk"));
}

static void
a_full_standard_output_is_not_success(void **state)
{
    struct room *m = *state;
    char command[700];
    (void)snprintf(command, sizeof command, "'%s' help >/dev/full", testing_binary());
    char *argv[] = {"sh", "-c", command, NULL};
    testing_run_done(&m->r);
    testing_run(argv, &m->r);
    assert_int_equal(m->r.exit_code, 1);
    ERR_HAS(m, "standard output: cannot be written");
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        WORKSPACE(a_wrong_passphrase_is_exit_code_3),
        WORKSPACE(a_backup_is_verified_and_its_restore_asks_who_was_erased_since),
        WORKSPACE(a_passphrase_file_is_its_first_line_and_closed_to_others),
        BARE(init_refuses_what_is_not_new_or_empty_and_leaves_nothing),
        BARE(of_two_inits_on_one_directory_one_wins),
        BARE(an_init_that_is_killed_leaves_all_or_nothing),
        WORKSPACE(two_that_add_at_once_get_versions_1_and_2),
        MODEL(changed_objects_are_exit_code_6_with_the_reason),
        MODEL(a_changed_registry_is_exit_code_6),
        WORKSPACE(a_missing_or_emptied_store_is_not_made_anew),
        WORKSPACE(a_changed_certificate_or_tls_key_stops_the_server),
        MODEL(shows_proves_and_checks_entries),
        MODEL(copies_the_log_for_other_programs),
        MODEL(a_changed_log_is_exit_code_6_and_says_where),
        BARE(a_full_disk_registers_nothing_and_the_next_run_works),
        BARE(a_full_standard_output_is_not_success),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
