/* Verbs on files of strangers: the process that reads them can have no socket. */
#include "testing/testing.h"

#include "base/file.h"

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

/* What it said in the end: the letter of how many sockets it could have. */
static char
sockets_of(const char *const *words, int *ret_exit)
{
    struct testing_run r;
    char *argv[MOST_WORDS + 2] = {(char *)(uintptr_t)testing_binary()};
    for (size_t i = 0; words[i] != NULL && i < MOST_WORDS; i++) {
        argv[1 + i] = (char *)(uintptr_t)(strcmp(words[i], "CSV") == 0     ? it.csv
                                          : strcmp(words[i], "MODEL") == 0 ? it.model
                                                                           : words[i]);
    }
    (void)setenv("LD_PRELOAD", getenv("STEWARD_TEST_SOCKETS"), 1);
    testing_run(argv, &r);
    (void)unsetenv("LD_PRELOAD");
    const char *told = strstr(buf_str(&r.err), "sockets had at the end: ");
    if (told == NULL) {
        fail_msg("%s: %s", words[0], buf_str(&r.err));
    }
    const char had = told[strlen("sockets had at the end: ")];
    *ret_exit = r.exit_code;
    testing_run_done(&r);
    return had;
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
    int ended = 0;
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        assert_int_equal(sockets_of(verbs[i].words, &ended), '0');
        if (verbs[i].exit_code == 0) {
            assert_int_equal(ended, 0);
        }
    }
}

/* So that the other test can fail. */
static void
a_verb_that_reads_no_file_of_strangers_could(void **state)
{
    (void)state;
    int ended = 0;
    assert_true(sockets_of((const char *const[]){"config", "example", NULL}, &ended) > '0');
    assert_int_equal(ended, 0);
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
        cmocka_unit_test(a_verb_that_reads_no_file_of_strangers_could),
        cmocka_unit_test(verbs_on_files_can_have_no_socket),
    };
    if (!may_preload) {
        (void)printf("1..0 # SKIP the sanitizer must be loaded first, nothing can be before it\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
