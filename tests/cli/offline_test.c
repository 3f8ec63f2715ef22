/* Verbs: the process that runs one can have no socket, unless it is one of the few that connect. */
#include "testing/testing.h"

#include "base/file.h"
#include "testing/softhsm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST_WORDS 16

static struct {
    char *root, *csv, *model;
} it;

static int
set_up(void **state)
{
    (void)state;
    const char *sockets = getenv("STEWARD_TEST_SOCKETS");
    it.root = testing_dir();
    it.csv = file_join(it.root, "rows.csv");
    it.model = file_join(it.root, "linear.json");
    testing_write(it.csv, view_str("sex,paid,score,income\nf,yes,0.2,1\nm,no,0.9,2\nf,no,0.1,3\n"
                                   "m,yes,0.8,4\nf,yes,0.7,5\nm,no,0.3,6\n"));
    testing_write(it.model, view_str("{\"format\": \"steward-linear\", \"version\": 1, \"link\": "
                                     "\"logistic\", \"features\": [\"income\"], "
                                     "\"intercept\": [-1], \"coefficients\": [[0.5]]}"));
    (void)unsetenv("STEWARD_WORKSPACE");
    (void)setenv("STEWARD_PASSPHRASE", "a passphrase of the tests", 1);
    return sockets == NULL || chdir(it.root) != 0 ? -1 : 0;
}

static int
tear_down(void **state)
{
    (void)state;
    free(it.csv);
    free(it.model);
    testing_dirp(&it.root);
    return 0;
}

/* What it said in the end: the letter of how many sockets it could have, and whether the system has
 * a filter on it that it cannot get out of. */
struct end {
    char sockets;
    bool confined;
    int exit_code;
};

static struct end
end_of(char *const argv[])
{
    static const char had[] = "sockets had at the end: ";
    struct testing_run r;
    (void)setenv("LD_PRELOAD", getenv("STEWARD_TEST_SOCKETS"), 1);
    testing_run(argv, &r);
    (void)unsetenv("LD_PRELOAD");
    const char *told = strstr(buf_str(&r.err), had);
    if (told == NULL) {
        fail_msg("%s %s: %s", argv[1], argv[2] == NULL ? "" : argv[2], buf_str(&r.err));
    }
    const struct end end = {told[strlen(had)],
                            strstr(told, "no new privileges: 1, filter: 2") != NULL, r.exit_code};
    testing_run_done(&r);
    return end;
}

static struct end
end_of_words(const char *const *words)
{
    char *argv[MOST_WORDS + 2] = {(char *)(uintptr_t)testing_binary()};
    for (size_t i = 0; words[i] != NULL && i < MOST_WORDS; i++) {
        argv[1 + i] = (char *)(uintptr_t)(strcmp(words[i], "CSV") == 0     ? it.csv
                                          : strcmp(words[i], "MODEL") == 0 ? it.model
                                                                           : words[i]);
    }
    return end_of(argv);
}

static void
verbs_on_files_can_have_no_socket(void **state)
{
    (void)state;
    static const struct {
        const char *words[MOST_WORDS];
        int exit_code;
    } verbs[] = {
        {{"predict", "--model", "MODEL", "--data", "CSV"}, 0},
        {{"explain", "--model", "MODEL", "--data", "CSV", "--background", "CSV"}, 0},
        {{"explain", "--model", "MODEL", "--data", "CSV", "--method", "kernel"}, 0},
        {{"bias", "--data", "CSV"}, 2},
        {{"fairness", "--data", "CSV"}, 2},
        {{"errors", "--data", "CSV"}, 2},
        {{"certify", "--model", "MODEL", "--data", "CSV", "--sensitive", "income"}, 2},
        {{"mitigate", "--method", "reweighing", "--data", "CSV", "--label", "paid", "--positive",
          "yes", "--sensitive", "sex", "--output", "weights.csv"},
         0},
        {{"audit", "verify", "nowhere"}, 4},
        {{"audit", "check", "CSV", "CSV"}, 2},
        {{"config", "check", "CSV"}, 2},
    };
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        const struct end end = end_of_words(verbs[i].words);
        assert_int_equal(end.sockets, '0');
        assert_true(end.confined);
        if (verbs[i].exit_code == 0) {
            assert_int_equal(end.exit_code, 0);
        }
    }
}

/* So that the other tests can fail. */
static void
verbs_that_connect_can(void **state)
{
    (void)state;
    static const char *const verbs[][MOST_WORDS] = {
        {"explain", "--endpoint", "https://127.0.0.1:1/v2/models/m", "--data", "CSV"},
        {"audit", "export", "nowhere", "--to", "127.0.0.1:1"},
        {"audit", "cosign", "nowhere"},
    };
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        const struct end end = end_of_words(verbs[i]);
        assert_true(end.sockets > '0');
        assert_true(end.confined);
    }
}

/* What asks a token cannot be confined so: it is another process, started by another one. */
static void
a_verb_on_a_workspace_whose_key_is_in_a_token_is_no_other(void **state)
{
    (void)state;
    static const char *const verbs[][MOST_WORDS] = {
        {"init", "house", "--provider", SOFTHSM_URI("object=gcm")},
        {"principal", "list", "--workspace", "house"},
        {"key", "rotate", "--workspace", "house"},
        {"backup", "create", "house.backup", "--workspace", "house"},
        {"backup", "verify", "house.backup"},
        {"backup", "restore", "house.backup", "house-again"},
        {"key", "rewrap", "--workspace", "house", "--to", SOFTHSM_URI("object=wrap")},
        {"key", "revoke", "--workspace", "house"},
        {"key", "restore", "--workspace", "house"},
    };
    if (!softhsm_is_there()) {
        skip();
    }
    softhsm_make(it.root);
    (void)setenv("STEWARD_PKCS11_PIN", SOFTHSM_PIN, 1);
    (void)setenv("STEWARD_NEW_PKCS11_PIN", SOFTHSM_PIN, 1);
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        const struct end end = end_of_words(verbs[i]);
        if (end.sockets != '0' || !end.confined || end.exit_code != 0) {
            fail_msg("%s %s: sockets %c, confined %d, exit code %d", verbs[i][0], verbs[i][1],
                     end.sockets, (int)end.confined, end.exit_code);
        }
    }
    (void)setenv("STEWARD_PKCS11_PIN", "4321", 1);
    const struct end wrong = end_of_words(verbs[1]);
    assert_int_equal(wrong.exit_code, 3);
    assert_int_equal(wrong.sockets, '0');
    assert_true(wrong.confined);
    (void)unsetenv("STEWARD_PKCS11_PIN");
    (void)unsetenv("STEWARD_NEW_PKCS11_PIN");
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
is_verb(char *const *words, const char *first, const char *second)
{
    return strcmp(words[0], first) == 0 && (second == NULL || strcmp(words[1], second) == 0);
}

/* Every verb that the program has, also one that is new: it is asked which there are. */
static void
every_verb_is_confined_and_only_these_connect(void **state)
{
    (void)state;
    struct testing_run help;
    size_t seen = 0, becoming = 0, connecting = 0;
    testing_steward(&help, "help", NULL);
    assert_int_equal(help.exit_code, 0);
    char *rest = (char *)help.out.ptr;
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
        char *argv[MOST_WORDS + 2] = {(char *)(uintptr_t)testing_binary()};
        size_t n = 0;
        if (!take_verb(line, argv + 1, &n)) {
            continue;
        }
        if (is_verb(argv + 1, "serve", NULL) || is_verb(argv + 1, "witness", "serve")) {
            becoming++; /* other programs: serve/processes */
            continue;
        }
        const bool connects = is_verb(argv + 1, "audit", "cosign");
        const struct end end = end_of(argv);
        if (!end.confined || (end.sockets != '0') != connects) {
            fail_msg("%s %s: sockets %c, confined %d", argv[1], argv[2] == NULL ? "" : argv[2],
                     end.sockets, (int)end.confined);
        }
        connecting += connects;
        seen++;
    }
    testing_run_done(&help);
    assert_true(seen > 80);
    assert_int_equal(becoming, 2);
    assert_int_equal(connecting, 1);
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
        cmocka_unit_test(verbs_that_connect_can),
        cmocka_unit_test(a_verb_on_a_workspace_whose_key_is_in_a_token_is_no_other),
        cmocka_unit_test(every_verb_is_confined_and_only_these_connect),
        cmocka_unit_test(verbs_on_files_can_have_no_socket),
    };
    if (!may_preload) {
        (void)printf("1..0 # SKIP the sanitizer must be loaded first, nothing can be before it\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
