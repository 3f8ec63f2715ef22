/* Verbs: which files the process that runs one can reach, also when somebody else has taken it
 * over. What tries them is loaded into the program (testing/taken.c). */
#include "testing/testing.h"

#include "base/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_WORDS 16

static struct {
    char *root;
} it;

static const char rows[] = "sex,paid,score,income\nf,yes,0.2,1\nm,no,0.9,2\nf,no,0.1,3\n"
                           "m,yes,0.8,4\nf,yes,0.7,5\nm,no,0.3,6\n";
static const char model[] = "{\"format\": \"steward-linear\", \"version\": 1, \"link\": "
                            "\"logistic\", \"features\": [\"income\"], \"intercept\": [-1], "
                            "\"coefficients\": [[0.5]]}";

static int
set_up(void **state)
{
    (void)state;
    it.root = testing_dir();
    (void)unsetenv("STEWARD_WORKSPACE");
    (void)setenv("STEWARD_PASSPHRASE", "a passphrase of the tests", 1);
    if (getenv("STEWARD_TEST_TAKEN") == NULL || chdir(it.root) != 0) {
        return -1;
    }
    testing_write("rows.csv", view_str(rows));
    testing_write("linear.json", view_str(model));
    assert_ok(file_mkdirs("outside", 0700, NULL));
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    testing_dirp(&it.root);
    return 0;
}

/* What an intruder could do to that file when the program had ended, as one word. */
static void
take_over(char *const argv[], const char *file, int *ret_code, char *ret_could, size_t max)
{
    struct testing_run r;
    char told[256];
    (void)setenv("LD_PRELOAD", getenv("STEWARD_TEST_TAKEN"), 1);
    (void)setenv("STEWARD_TEST_FILES", file, 1);
    testing_run(argv, &r);
    (void)unsetenv("LD_PRELOAD");
    (void)snprintf(told, sizeof told, "taken over: %s:", file);
    const char *at = strstr(buf_str(&r.err), told);
    if (at == NULL) {
        fail_msg("%s %s: %s", argv[1], argv[2] == NULL ? "" : argv[2], buf_str(&r.err));
    }
    at += strlen(told);
    (void)snprintf(ret_could, max, "%.*s", (int)strcspn(at, "\n"), at);
    *ret_code = r.exit_code;
    testing_run_done(&r);
}

/* So that the other tests can fail: without a verb the program is not confined. */
static void
without_a_verb_an_intruder_does_what_he_likes(void **state)
{
    (void)state;
    char *argv[] = {(char *)(uintptr_t)testing_binary(), "--version", NULL};
    char could[256];
    int code = 0;
    testing_write("outside/secret", view_str("secret"));
    take_over(argv, "outside/secret", &code, could, sizeof could);
    assert_string_equal(could, " read write read-and-empty empty mode time mode-by-descriptor"
                               " owner-by-descriptor make folder link symlink replace move"
                               " remove");
}

/* ---- the rule ---- */

/* A line of the help, "  dataset add NAME FILE     import ...": the verb's words and one for each
 * operand that it must have. False: it is none. */
static bool
take_verb(char *line, char *ret_words[static MOST_WORDS], size_t *ret_count)
{
    size_t n = 0;
    if (strncmp(line, "  ", 2) != 0 || line[2] < 'a' || line[2] > 'z') {
        return false;
    }
    char *about = strstr(line + 2, "  ");
    if (about != NULL) {
        *about = '\0';
    }
    for (char *word = strtok(line, " "); word != NULL && n + 3 < MOST_WORDS;
         word = strtok(NULL, " ")) {
        if (*word != '[') {
            ret_words[n++] = *word >= 'a' ? word : (char *)(uintptr_t) "nowhere";
        }
    }
    *ret_count = n;
    return true;
}

static bool
becomes_another_program(char *const *words)
{
    return strcmp(words[0], "serve") == 0 ||
           (strcmp(words[0], "witness") == 0 && strcmp(words[1], "serve") == 0);
}

/* Every verb that the program has, also one that is new: it is asked which there are. Gives how
 * many it has looked at: what an intruder could do to the file, which is made anew each time, is
 * told. */
static size_t
look_at_each(const char *file, void (*look)(const char *verb, const char *could))
{
    struct testing_run help;
    size_t seen = 0;
    testing_steward(&help, "help", NULL);
    assert_int_equal(help.exit_code, 0);
    char *rest = (char *)help.out.ptr;
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
        char *argv[MOST_WORDS + 2] = {(char *)(uintptr_t)testing_binary()};
        char could[256], verb[64];
        size_t n = 0;
        int code = 0;
        if (!take_verb(line, argv + 1, &n) || becomes_another_program(argv + 1)) {
            continue;
        }
        const bool two = n > 1 && strcmp(argv[2], "nowhere") != 0;
        (void)snprintf(verb, sizeof verb, "%s%s%s", argv[1], two ? " " : "", two ? argv[2] : "");
        testing_write(file, view_str("secret"));
        take_over(argv, file, &code, could, sizeof could);
        look(verb, could);
        seen++;
    }
    testing_run_done(&help);
    return seen;
}

static void
assert_nothing(const char *verb, const char *could)
{
    if (*could != '\0') {
        fail_msg("%s:%s", verb, could);
    }
}

static void
no_verb_reaches_a_file_that_nobody_named(void **state)
{
    (void)state;
    testing_need_landlock();
    assert_true(look_at_each("outside/secret", assert_nothing) > 80);
}

/* By their names here, so that one that is renamed, or new, is not on more by chance. */
static const char *const without_workspace[] = {
    "audit check", "audit copy",   "audit cosign",   "audit export",
    "audit index", "audit prove",  "audit search",   "audit show",
    "audit tail",  "audit verify", "backup restore", "backup verify",
    "bias",        "certify",      "completion",     "comply list",
    "comply show", "config check", "config example", "errors",
    "explain",     "fairness",     "help",           "incident rules",
    "init",        "man",          "mitigate",       "policy fields",
    "policy show", "policy test",  "predict",        "usage",
    "witness key",
};
#define WITHOUT (sizeof without_workspace / sizeof *without_workspace)
static size_t had_none;

static bool
is_one_of(const char *const *verbs, size_t n, const char *verb)
{
    bool is = false;
    for (size_t i = 0; i < n; i++) {
        is = is || strcmp(verbs[i], verb) == 0;
    }
    return is;
}

static void
assert_reaches_its_workspace(const char *verb, const char *could)
{
    const bool none = is_one_of(without_workspace, WITHOUT, verb);
    had_none += none;
    if (none != (*could == '\0')) {
        fail_msg("%s is to be on %s workspace, and could:%s", verb, none ? "no" : "a", could);
    }
}

static void
a_verb_has_a_workspace_when_its_row_says_so(void **state)
{
    (void)state;
    testing_need_landlock();
    assert_steward("init", "rows");
    (void)setenv("STEWARD_WORKSPACE", "rows", 1);
    had_none = 0;
    assert_true(look_at_each("rows/secret", assert_reaches_its_workspace) > 80);
    assert_int_equal(had_none, WITHOUT);
}

static void
assert_reads_a_credential(const char *verb, const char *could)
{
    static const char *const take[] = {"init", "backup verify", "backup restore"};
    const bool none = is_one_of(without_workspace, WITHOUT, verb) &&
                      !is_one_of(take, sizeof take / sizeof *take, verb);
    if (strcmp(could, none ? "" : " read") != 0) {
        fail_msg("%s is to read %s credential, and could:%s", verb, none ? "no" : "a", could);
    }
}

static void
a_verb_reads_a_credential_when_it_takes_one(void **state)
{
    (void)state;
    testing_need_landlock();
    (void)setenv("STEWARD_PASSPHRASE_FILE", "outside/secret", 1);
    assert_true(look_at_each("outside/secret", assert_reads_a_credential) > 80);
}

static int
forget_workspace(void **state)
{
    (void)state;
    return unsetenv("STEWARD_WORKSPACE") | unsetenv("STEWARD_PASSPHRASE_FILE");
}

/* ---- what it was given ---- */

static void
assert_file(const char *path, const char *text)
{
    DEFER(buf_done) struct buf bytes;
    testing_read(path, &bytes);
    assert_string_equal(buf_str(&bytes), text);
}

#define TAKE(COULD, FILE, CODE, ...)                                                               \
    take_verb_over((const char *const[]){__VA_ARGS__, NULL}, FILE, CODE, COULD, __LINE__)

static void
take_verb_over(const char *const *words, const char *file, int expected, const char *could,
               int line)
{
    char *argv[MOST_WORDS + 2] = {(char *)(uintptr_t)testing_binary()};
    char did[256];
    int code = 0;
    for (size_t i = 0; words[i] != NULL && i < MOST_WORDS; i++) {
        argv[1 + i] = (char *)(uintptr_t)words[i];
    }
    take_over(argv, file, &code, did, sizeof did);
    if (strcmp(did, could) != 0 || code != expected) {
        fail_msg("line %d: %s of %s:%s (exit code %d)", line, words[0], file, did, code);
    }
}

/* The files lie side by side: what is written there is put there by another process. */
static void
a_verb_on_files_writes_over_no_input(void **state)
{
    (void)state;
    testing_need_landlock();
    TAKE(" read", "linear.json", 0, "predict", "--model", "linear.json", "--data", "rows.csv",
         "--output", "predictions.csv");
    TAKE("", "rows.csv", 0, "predict", "--model", "linear.json", "--data", "rows.csv", "--output",
         "predictions.csv");
    TAKE("", "predictions.csv", 0, "predict", "--model", "linear.json", "--data", "rows.csv",
         "--output", "predictions.csv");
    TAKE("", "rows.csv", 0, "explain", "--model", "linear.json", "--data", "rows.csv",
         "--background", "rows.csv", "--report", "page.html", "--output", "contributions.csv");
    TAKE("", "rows.csv", 0, "mitigate", "--method", "reweighing", "--data", "rows.csv", "--label",
         "paid", "--positive", "yes", "--sensitive", "sex", "--output", "weights.csv");
    assert_file("rows.csv", rows);
    assert_file("linear.json", model);
    assert_true(file_exists("predictions.csv") && file_exists("page.html") &&
                file_exists("contributions.csv") && file_exists("weights.csv"));
}

/* A workspace beside, which the verb does not work on, is as closed as the rest. */
static void
a_verb_on_files_has_no_workspace(void **state)
{
    (void)state;
    testing_need_landlock();
    if (!file_exists("steward")) {
        assert_steward("init", "steward");
    }
    TAKE("", "steward/keys/workspace.json", 0, "predict", "--model", "linear.json", "--data",
         "rows.csv", "--output", "predictions.csv");
    TAKE(" read", "steward/steward.yaml", 0, "predict", "--model", "linear.json", "--data",
         "rows.csv", "--output", "predictions.csv");
    assert_steward("principal", "list");
}

static void
a_verb_on_a_workspace_reaches_that_and_what_it_was_given(void **state)
{
    (void)state;
    testing_need_landlock();
    if (!file_exists("steward")) {
        assert_steward("init", "steward");
    }
    testing_write("outside/secret", view_str("secret"));
    TAKE("", "rows.csv", 0, "dataset", "add", "rows", "rows.csv", "--label", "paid");
    TAKE(" read", "linear.json", 0, "model", "add", "linear", "--file", "linear.json", "--data",
         "rows", "--positive", "yes");
    TAKE("", "outside/secret", 0, "model", "add", "linear", "--file", "linear.json", "--data",
         "rows", "--positive", "yes");
    TAKE("", "house.backup", 0, "backup", "create", "house.backup");
    assert_steward("backup", "verify", "house.backup");
    TAKE(" read", "house.backup", 0, "backup", "verify", "house.backup");
    TAKE(" read", "house.backup", 0, "backup", "restore", "house.backup", "house-again");
    TAKE("", "outside/secret", 0, "backup", "restore", "house.backup", "house-once-more");
    assert_steward("principal", "list", "--workspace", "house-again");
    assert_file("outside/secret", "secret");
    assert_file("rows.csv", rows);
}

static void
in_shell(const char *command)
{
    char *argv[] = {"/bin/sh", "-c", (char *)(uintptr_t)command, NULL};
    struct testing_run r;
    testing_run(argv, &r);
    testing_ran(&r, __FILE__, __LINE__);
    testing_run_done(&r);
}

/* What is named is reached by whatever way: a link, a path from elsewhere, a pipe, a device. */
static void
what_is_named_is_reached(void **state)
{
    (void)state;
    testing_write("outside/model.json", view_str(model));
    (void)unlink("link.json");
    assert_int_equal(symlink("outside/model.json", "link.json"), 0);
    assert_steward("predict", "--model", "link.json", "--data", "rows.csv", "--output", "out.csv");
    assert_steward("predict", "--model", "outside/../outside/model.json", "--data", "./rows.csv",
                   "--output", "outside/out.csv");
    assert_true(file_exists("outside/out.csv"));
    assert_steward("predict", "--model", "link.json", "--data", "rows.csv", "--output",
                   "/dev/stdout");
    assert_steward("predict", "--model", "link.json", "--data", "rows.csv", "--output",
                   "/dev/null");
    in_shell("\"$STEWARD_BIN\" predict --model /dev/stdin --data rows.csv < linear.json");
    in_shell("cat linear.json | \"$STEWARD_BIN\" predict --model /dev/stdin --data rows.csv");
    in_shell("\"$STEWARD_BIN\" predict --model linear.json --data rows.csv --output /dev/stdout | "
             "grep margin");
    in_shell("\"$STEWARD_BIN\" predict --model linear.json --data rows.csv --output /dev/stdout > "
             "told.csv && grep margin told.csv");
    in_shell("\"$STEWARD_BIN\" predict --model linear.json --data rows.csv --output here.csv <&- "
             ">&- && grep margin here.csv");
}

/* Also when nobody reads the pipe: who is interrupted leaves no process behind. */
static void
what_grows_may_be_a_pipe(void **state)
{
    (void)state;
    struct testing_run r;
    assert_steward("init", "piped");
    in_shell("mkfifo pipe; cat pipe > from-pipe & \"$STEWARD_BIN\" audit export piped/audit "
             "--output pipe && wait && grep -q workspace from-pipe");
    in_shell("mkfifo dry; \"$STEWARD_BIN\" audit export piped/audit --output dry & sleep 0.5; "
             "kill $!; wait; ! timeout 1 cat dry"); /* a writer that waits would be met */
    testing_steward(&r, "audit", "export", "piped/audit", "--output", "", NULL);
    assert_int_equal(r.exit_code, 1);
    testing_run_done(&r);
}

/* Of the folders in a workspace, some may lie elsewhere. */
static void
folders_of_a_workspace_may_be_links(void **state)
{
    (void)state;
    static const char *const moved[] = {"audit", "keys", "steward.yaml"};
    assert_steward("init", "house");
    assert_ok(file_mkdirs("elsewhere", 0700, NULL));
    for (size_t i = 0; i < sizeof moved / sizeof *moved; i++) {
        DEFER(file_freep) char *from = file_join("house", moved[i]);
        DEFER(file_freep) char *to = file_join("elsewhere", moved[i]);
        DEFER(file_freep) char *link = file_join("..", to);
        assert_int_equal(rename(from, to), 0);
        assert_int_equal(symlink(link, from), 0);
    }
    assert_steward("dataset", "add", "rows", "rows.csv", "--workspace", "house");
    assert_steward("key", "rotate", "--workspace", "house");
    assert_steward("audit", "verify", "--workspace", "house");
    assert_steward("config", "check", "--workspace", "house");
}

static void
what_fails_leaves_nothing_beside(void **state)
{
    (void)state;
    struct testing_run r;
    testing_steward(&r, "predict", "--model", "rows.csv", "--data", "rows.csv", "--output",
                    "fails/out.csv", NULL);
    assert_int_not_equal(r.exit_code, 0);
    testing_run_done(&r);
    testing_steward(&r, "predict", "--model", "linear.json", "--data", "rows.csv", "--output",
                    "fails/out.csv", NULL);
    assert_int_equal(r.exit_code, 4);
    assert_text_has(buf_str(&r.err), "fails/out.csv: No such file or directory");
    testing_run_done(&r);
    assert_false(file_exists("fails"));
    testing_steward(&r, "init", "fails", "--provider", "nobody", NULL);
    assert_int_not_equal(r.exit_code, 0);
    testing_run_done(&r);
    testing_steward(&r, "witness", "key", "fails", NULL);
    assert_int_not_equal(r.exit_code, 0);
    testing_run_done(&r);
    assert_false(file_exists("fails"));
    assert_int_equal(system("ls -d fails* 2>/dev/null | grep ."), 256);
}

/* They would write over one another. */
static void
two_outputs_do_not_go_to_one_place(void **state)
{
    (void)state;
    static const char *const again[] = {"twice.out", "./twice.out", "outside/../twice.out"};
    for (size_t i = 0; i < sizeof again / sizeof *again; i++) {
        struct testing_run r;
        testing_steward(&r, "explain", "--model", "linear.json", "--data", "rows.csv",
                        "--background", "rows.csv", "--report", "twice.out", "--output", again[i],
                        NULL);
        assert_int_equal(r.exit_code, 2);
        assert_text_has(buf_str(&r.err), "twice.out: two outputs are to go there; each needs a "
                                         "file of its own");
        testing_run_done(&r);
        assert_false(file_exists("twice.out"));
    }
    assert_steward("explain", "--model", "linear.json", "--data", "rows.csv", "--background",
                   "rows.csv", "--report", "/dev/null", "--output", "/dev/null");
}

int
main(void)
{
#ifdef __SANITIZE_ADDRESS__
    const bool may_preload = false;
#else
    const bool may_preload = true;
#endif
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_verb_an_intruder_does_what_he_likes),
        cmocka_unit_test(no_verb_reaches_a_file_that_nobody_named),
        cmocka_unit_test_teardown(a_verb_has_a_workspace_when_its_row_says_so, forget_workspace),
        cmocka_unit_test_teardown(a_verb_reads_a_credential_when_it_takes_one, forget_workspace),
        cmocka_unit_test(a_verb_on_files_writes_over_no_input),
        cmocka_unit_test(a_verb_on_files_has_no_workspace),
        cmocka_unit_test(a_verb_on_a_workspace_reaches_that_and_what_it_was_given),
        cmocka_unit_test(what_is_named_is_reached),
        cmocka_unit_test(folders_of_a_workspace_may_be_links),
        cmocka_unit_test(what_grows_may_be_a_pipe),
        cmocka_unit_test(two_outputs_do_not_go_to_one_place),
        cmocka_unit_test(what_fails_leaves_nothing_beside),
    };
    if (!may_preload) {
        (void)printf("1..0 # SKIP the sanitizer must be loaded first, nothing can be before it\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
