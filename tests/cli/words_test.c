/* What is typed: verbs, options, help, versions, the manual page, completion. */
#include "cli/run.h"

static void
refuses_a_wrong_verb_and_names_the_nearest(void **state)
{
    struct room *m = *state;
    static const struct {
        const char *first, *second, *says;
    } wrong[] = {
        {"foo", NULL, "steward: \"foo\" is not a verb; \"steward help\" shows them\n"},
        {"datset", "add", "\"datset add\" is not a verb; did you mean \"dataset add\"?"},
        {"dataset", "lst", "did you mean \"dataset list\"?"},
        {"asess", "mortgage", "did you mean \"assess\"?"},
        {"dataset", NULL, "there is: \"dataset add\", \"dataset list\", \"dataset show\""},
        {"api-key", "destroy",
         "there is: \"api-key issue\", \"api-key rotate\", \"api-key expire\", "},
        {"--workspace", "x", "the verb stands first"},
        {"-x", NULL, "the verb stands first"},
        {"", NULL, "is not a verb"},
        {"\x1b]0;x\x07", NULL, "\"?]0;x?\" is not a verb"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        RUN(m, 2, wrong[i].first, wrong[i].second);
        ERR_HAS(m, wrong[i].says);
        assert_int_equal(m->r.out.len, 0);
    }
    RUN(m, 2, NULL);
    ERR_HAS(m, "usage: steward VERB");
}

static void
refuses_wrong_options_and_names_the_nearest(void **state)
{
    struct room *m = *state;
    RUN(m, 2, "model", "train", "m", "--sed", "1");
    ERR_HAS(m, "model train: no option --sed; did you mean --seed?");
    RUN(m, 2, "model", "train", "m", "--sed=1");
    ERR_HAS(m, "no option --sed; did you mean --seed?");
    RUN(m, 2, "model", "train", "m", "--frobnicate");
    ERR_HAS(m, "no option --frobnicate; \"steward model train --help\" shows them");
    RUN(m, 2, "model", "train", "m", "--seed");
    ERR_HAS(m, "model train: --seed needs N");
    RUN(m, 2, "model", "train", "m", "--seed", "1", "--seed", "2");
    ERR_HAS(m, "--seed is given twice");
    RUN(m, 2, "model", "list", "--json=yes");
    ERR_HAS(m, "--json takes no value");
    RUN(m, 2, "model", "list", "-j");
    ERR_HAS(m, "no option -j");
    RUN(m, 2, "serve", "--json");
    ERR_HAS(m, "serve: no option --json");
    RUN(m, 2, "model", "list", "extra");
    ERR_HAS(m, "model list: too many words; it is: steward model list [options]");
    RUN(m, 2, "dataset", "add", "x");
    ERR_HAS(m, "dataset add: too few words; it is: steward dataset add NAME FILE [options]");
    RUN(m, 2, "audit", "check");
    ERR_HAS(m, "steward audit check PROOF-FILE [ENTRY-FILE] [options]");
}

static void
refuses_values_that_no_option_takes(void **state)
{
    struct room *m = *state;
    static const struct {
        const char *option, *value, *says;
    } wrong[] = {
        {"--seed", "-1", "--seed -1: not a whole number from 0"},
        {"--seed", "1.5", "--seed 1.5: not a whole number"},
        {"--split", "x", "--split x: not a number"},
        {"--split", "0", "--split 0: a share over 0, at most 1"},
        {"--split", "1.01", "a share over 0, at most 1"},
        {"--split", "nan", "--split nan: not a number"},
        {"--rounds", "0", "1 to 100000"},
        {"--rounds", "4294967296", "--rounds 4294967296: too large"},
        {"--depth", "0", "1 to 32"},
        {"--depth", "1000", "1 to 32"},
        {"--learning-rate", "0", "learning"},
        {"--learning-rate", "-1", "learning"},
        {"--learning-rate", "inf", "not a number"},
        {"--threads", "100000", "--threads 100000: at most 1024"},
        {"--data", "a@0", "write NAME, or NAME@VERSION with a version from 1"},
        {"--data", "a@x", "write NAME, or NAME@VERSION"},
        {"--data", "", "write NAME, or NAME@VERSION"},
    };
    RUN(m, 0, "dataset", "add", "lending", m->csv, CSV_OPTIONS);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const bool data = strcmp(wrong[i].option, "--data") == 0;
        RUN(m, 2, "model", "train", "m", wrong[i].option, wrong[i].value, data ? NULL : "--data",
            "lending");
        ERR_HAS(m, wrong[i].says);
    }
    RUN(m, 2, "model", "train", "m");
    ERR_HAS(m, "model train: --data DATASET is needed");
    RUN(m, 2, "principal", "add", "x");
    ERR_HAS(m, "--role ROLE is needed: admin, data-scientist, operator, caller, auditor");
    RUN(m, 2, "api-key", "issue", "x", "--expires", "soon");
    ERR_HAS(m, "--expires soon: a duration such as 12h or 30d");
    RUN(m, 2, "serve", "--listen", "8443");
    ERR_HAS(m, "--listen 8443: write ADDRESS:PORT");
    RUN(m, 2, "serve", "--listen", "127.0.0.1:65536");
    ERR_HAS(m, "write ADDRESS:PORT");
}

/* Every verb of the overview: its help names it and its --help, and no line passes 80 columns. */
static void
help_fits_in_80_columns(void **state)
{
    struct room *m = *state;
    DEFER(buf_done) struct buf overview;
    buf_init(&overview, 65536);
    RUN(m, 0, "help");
    buf_put(&overview, buf_view(&m->r.out));
    RUN(m, 0, "--help");
    assert_string_equal(buf_str(&m->r.out), buf_str(&overview));
    size_t verbs = 0;
    char *rest = (char *)overview.ptr;
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
        assert_true(strlen(line) <= 80);
        char first[32] = "", second[32] = "", usage[96];
        if (strncmp(line, "  ", 2) != 0 || line[2] == ' ' || line[2] == '-' ||
            (line[2] >= '0' && line[2] <= '9')) {
            continue;
        }
        (void)sscanf(line, " %31[a-z-] %31[a-z-]", first, second);
        const bool two = second[0] != '\0' && line[2 + strlen(first)] == ' ' &&
                         line[3 + strlen(first)] == second[0];
        RUN(m, 0, first, two ? second : "--help", two ? "--help" : NULL);
        (void)snprintf(usage, sizeof usage, "usage: steward %s%s%s", first, two ? " " : "",
                       two ? second : "");
        OUT_HAS(m, usage);
        OUT_HAS(m, "--help");
        assert_int_equal(m->r.err.len, 0);
        for (const char *p = buf_str(&m->r.out); *p != '\0'; p += strcspn(p, "\n") + 1) {
            assert_true(strcspn(p, "\n") <= 80);
        }
        verbs++;
    }
    assert_true(verbs >= 24);
}

static void
help_knows_families_and_minus_h(void **state)
{
    struct room *m = *state;
    RUN(m, 0, "help", "api-key");
    OUT_HAS(m, "api-key issue PRINCIPAL");
    OUT_HAS(m, "api-key revoke KEY-ID");
    RUN(m, 0, "api-key", "--help");
    OUT_HAS(m, "api-key list");
    RUN(m, 0, "api-key", "issue", "-h");
    OUT_HAS(m, "usage: steward api-key issue PRINCIPAL");
    RUN(m, 0, "help", "api-key", "issue");
    OUT_HAS(m, "(default: 90d)");
    RUN(m, 2, "help", "api-key", "isue");
    ERR_HAS(m, "did you mean \"api-key issue\"?");
}

static void
version_names_the_libraries(void **state)
{
    struct room *m = *state;
    static const char *const parts[] = {"steward 0.", "GnuTLS ",    "OpenSSL 3",
                                        "DuckDB v",   "XGBoost ",   "SQLite 3",
                                        "jansson ",   "libyaml 0.", "zlib 1."};
    RUN(m, 0, "--version");
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        OUT_HAS(m, parts[i]);
    }
}

static void
the_manual_page_has_every_verb_option_and_exit_code(void **state)
{
    struct room *m = *state;
    DEFER(buf_done) struct buf page;
    buf_init(&page, 1u << 20);
    RUN(m, 0, "man");
    buf_put(&page, buf_view(&m->r.out));
    assert_int_equal(strncmp(buf_str(&page), ".TH STEWARD 1", 13), 0);
    static const char *const parts[] = {".SS steward dataset add NAME FILE",
                                        "\\-\\-sensitive",
                                        "\\-\\-passphrase\\-file",
                                        "STEWARD_WORKSPACE",
                                        ".SH EXIT CODES",
                                        ".B 6\nintegrity"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        assert_text_has(buf_str(&page), parts[i]);
    }
    /* troff would swallow a line that begins with one of these */
    for (const char *p = buf_str(&page); *p != '\0'; p += strcspn(p, "\n") + 1) {
        static const char *const requests[] = {".TH ",  ".SH ", ".SS ", ".TP\n",
                                               ".TQ\n", ".B ",  ".I "};
        bool known = *p != '.' && *p != '\'';
        for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
            known = known || strncmp(p, requests[i], strlen(requests[i])) == 0;
        }
        assert_true(known);
    }
}

/* What bash offers for those words, the last one being completed. */
static void
offers(struct room *m, const char *words, const char *all, const char *never)
{
    char script[1024];
    (void)snprintf(script, sizeof script,
                   "source <('%s' completion) && COMP_WORDS=(%s) && "
                   "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) && _steward && "
                   "printf '%%s ' \"${COMPREPLY[@]}\"",
                   testing_binary(), words);
    char *argv[] = {"bash", "-c", script, NULL};
    testing_run_done(&m->r);
    testing_run(argv, &m->r);
    assert_int_equal(m->r.exit_code, 0);
    assert_string_equal(buf_str(&m->r.err), "");
    char out[4096];
    (void)snprintf(out, sizeof out, " %s", buf_str(&m->r.out));
    assert_text_has(out, all);
    assert_true(never == NULL || strstr(out, never) == NULL);
}

static void
bash_completes_verbs_options_and_values(void **state)
{
    struct room *m = *state;
    offers(m, "steward da", " dataset ", " audit ");
    offers(m, "steward dataset ''", " add list show ", " init ");
    offers(m, "steward dataset add --sens", " --sensitive --sensitive-as-features ", NULL);
    offers(m, "steward principal add x --role a", " admin auditor ", " caller ");
    offers(m, "steward dataset add x --role a", " ", " admin ");
    offers(m, "steward serve --", " --config --listen ", " --json ");
    offers(m, "steward model train m --seed ''", " ", "/");
    char words[700];
    (void)snprintf(words, sizeof words, "steward init '%s'", m->dir);
    offers(m, words, m->dir, NULL);
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        BARE(refuses_a_wrong_verb_and_names_the_nearest),
        BARE(refuses_wrong_options_and_names_the_nearest),
        WORKSPACE(refuses_values_that_no_option_takes),
        BARE(help_fits_in_80_columns),
        BARE(help_knows_families_and_minus_h),
        BARE(version_names_the_libraries),
        BARE(the_manual_page_has_every_verb_option_and_exit_code),
        BARE(bash_completes_verbs_options_and_values),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
