/* Catalogues: those that come with the program, and what a file may get wrong. */
#include "testing/testing.h"

#include "base/embedded.h"
#include "govern/catalogue.h"

#include <string.h>

static void
every_catalogue_of_the_program_reads(void **state)
{
    (void)state;
    /* As the editions count them. */
    static const struct {
        const char *name;
        size_t controls;
    } expected[] = {{"aisvs", 191}, {"iso-42001", 38}, {"nist-ai-rmf", 72}, {"soc2", 61}};
    size_t seen = 0;
    for (const struct embedded *e = embedded_catalogues; e->name != NULL; e++) {
        DEFER(catalogue_freep) struct catalogue *c = NULL;
        struct diag diag = {0};
        const struct status s = catalogue_built_in(e->name, &diag, &c);
        assert_string_equal(diag.text, "");
        assert_ok(s);
        assert_string_equal(c->name, e->name);
        for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
            const bool it = strcmp(expected[i].name, e->name) == 0;
            assert_true(!it || c->count == expected[i].controls);
            seen += it;
        }
    }
    assert_int_equal(seen, sizeof expected / sizeof *expected);
}

static void
a_control_is_found_with_all_that_it_says(void **state)
{
    (void)state;
    DEFER(catalogue_freep) struct catalogue *c = NULL;
    assert_ok(catalogue_built_in("gdpr", NULL, &c));
    const struct catalogue_control *k = catalogue_find(c, "art-32.1.a");
    assert_non_null(k);
    assert_string_equal(k->title, "Pseudonymisation and encryption");
    assert_string_equal(k->applies_from, "2018-05-25");
    assert_true(k->check_count > 1);
    assert_null(catalogue_find(c, "art-99"));
}

static void
days_of_a_control_stand_over_the_catalogues(void **state)
{
    (void)state;
    DEFER(catalogue_freep) struct catalogue *c = NULL;
    assert_ok(catalogue_built_in("ai-act", NULL, &c));
    assert_string_equal(catalogue_find(c, "art-12.1")->applies_from, "2027-12-02");
    assert_string_equal(catalogue_find(c, "art-50.1")->applies_from, "2026-08-02");
}

static void
an_unknown_catalogue_names_those_there_are(void **state)
{
    (void)state;
    struct diag diag = {0};
    struct catalogue *c = NULL;
    assert_status(catalogue_built_in("gpdr", &diag, &c), NOT_FOUND);
    assert_says(&diag, "there is no catalogue \"gpdr\"; there are ai-act, aisvs, gdpr");
}

#define HEAD "catalogue: mine\ntitle: T\nedition: E\napplies_from: 2020-01-31\n"
#define CONTROL(ID, MORE)                                                                          \
    "  - id: " ID "\n    title: T\n    text: X\n    by_hand: B\n    checks: []\n" MORE

static void
mistakes_are_told_with_their_line(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *says;
    } cases[] = {
        {"", "mine.yaml line 1: \"catalogue\" must be a text"},
        {"- a\n", "a catalogue holds members"},
        {"catalogue: A B\ntitle: T\n", "line 1: \"A B\": catalogue are small letters"},
        {HEAD, "a catalogue needs \"controls\", a list"},
        {HEAD "controls: []\n", "line 5: a catalogue needs \"controls\", a list"},
        {HEAD "control: []\n", "line 5: a catalogue has no \"control\""},
        {"catalogue: mine\ntitle: T\nedition: E\napplies_from: 2020-02-30\n",
         "line 4: \"2020-02-30\" is no day"},
        {HEAD "controls:\n" CONTROL("a-1", "") CONTROL("a-1", ""),
         "line 11: control \"a-1\" stands twice"},
        {HEAD "controls:\n" CONTROL("a-1", "    level: 0\n"), "line 11: \"level\" must be 1 to 9"},
        {HEAD "controls:\n" CONTROL("a-1", "    applies_from: soon\n"),
         "line 11: \"soon\" is no day"},
        {HEAD "controls:\n" CONTROL("a-1", "    satisfied: yes\n"),
         "line 11: a control has no \"satisfied\""},
        {HEAD "controls:\n  - id: a\n    title: T\n    text: X\n    by_hand: B\n"
              "    checks: [one, one]\n",
         "line 10: check \"one\" stands twice"},
        {HEAD "controls:\n  - id: a\n    title: T\n    text: X\n    checks: []\n",
         "line 6: \"by_hand\" must be a text"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct diag diag = {0};
        struct catalogue *c = NULL;
        assert_status(catalogue_read(view_str(cases[i].yaml), "mine.yaml", &diag, &c), INPUT);
        assert_says(&diag, cases[i].says);
        assert_null(c);
    }
}

static void
a_text_that_is_too_long_is_refused(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf text;
    struct catalogue *c = NULL;
    buf_init(&text, 2u << 20);
    memset(buf_extend(&text, CATALOGUE_TEXT_MAX + 1), '#', CATALOGUE_TEXT_MAX + 1);
    assert_status(catalogue_read(buf_view(&text), "mine.yaml", NULL, &c), LIMIT);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_catalogue_of_the_program_reads),
        cmocka_unit_test(a_control_is_found_with_all_that_it_says),
        cmocka_unit_test(days_of_a_control_stand_over_the_catalogues),
        cmocka_unit_test(an_unknown_catalogue_names_those_there_are),
        cmocka_unit_test(mistakes_are_told_with_their_line),
        cmocka_unit_test(a_text_that_is_too_long_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
