/* Catalogues, records and incidents from the command line. */
#include "cli/run.h"

static void
catalogues_are_listed_and_shown(void **state)
{
    struct room *m = *state;
    RUN(m, 0, "comply", "list", "--json");
    DEFER(js_freep) json_t *list = out_json(m);
    assert_int_equal(json_array_size(list), 7);
    RUN(m, 0, "comply", "show", "gdpr", "art-32.1.a");
    OUT_HAS(m, "art-32.1.a  Pseudonymisation and encryption\n");
    OUT_HAS(m, "    checks: customer-key, key-rotated, tls-minimum");
    OUT_HAS(m, "    by hand: Whether columns");
    RUN(m, 4, "comply", "show", "gdpr", "art-99");
    ERR_HAS(m, "steward comply show gdpr lists them");
    RUN(m, 4, "comply", "show", "gdprr");
}

static void
a_record_is_asked_answered_and_shown(void **state)
{
    struct room *m = *state;
    DEFER(buf_done) struct buf page;
    RUN(m, 0, "record", "questions", "processing");
    OUT_HAS(m, "form: processing\nanswers:\n");
    testing_write(in(m, "a.yaml"), view_str("form: processing\nanswers:\n  purposes: |-\n"
                                            "    To decide <applications>.\n    And no more.\n"));
    RUN(m, 0, "record", "answer", "processing", "--from", in(m, "a.yaml"));
    OUT_HAS(m, "Record of processing activities: version 1 kept; 9 of its questions are open");
    RUN(m, 0, "record", "show", "processing", "--report", in(m, "r.html"));
    OUT_HAS(m, "    To decide <applications>.\n    And no more.\n");
    OUT_HAS(m, "OPEN: Name and contact of the controller");
    testing_read(in(m, "r.html"), &page);
    assert_text_has(buf_str(&page), "To decide &lt;applications&gt;.<br>And no more.");
    assert_text_has(buf_str(&page), "<strong>9 questions are open.</strong>");
    RUN(m, 0, "record", "questions", "processing", "--filled");
    OUT_HAS(m, "  purposes: |2-\n    To decide <applications>.\n    And no more.\n");
    RUN(m, 0, "record", "list");
    OUT_HAS(m, "processing  workspace  1        9");
}

/* What turns the direction of writing is replaced, wherever it stands in a long line. */
static void
no_place_in_a_long_line_turns_the_writing(void **state)
{
    struct room *m = *state;
    for (size_t n = 1020; n < 1026; n++) {
        DEFER(buf_done) struct buf yaml;
        DEFER(buf_done) struct buf page;
        buf_init(&yaml, 1u << 16);
        buf_put_str(&yaml, "form: processing\nanswers:\n  purposes: ");
        memset(buf_extend(&yaml, n), 'a', n);
        buf_put_str(&yaml, "\xe2\x80\xae"
                           "b\n");
        testing_write(in(m, "a.yaml"), buf_view(&yaml));
        RUN(m, 0, "record", "answer", "processing", "--from", in(m, "a.yaml"));
        RUN(m, 0, "record", "show", "processing", "--report", in(m, "r.html"));
        testing_read(in(m, "r.html"), &page);
        assert_null(strstr(buf_str(&page), "\xe2\x80\xae"));
        assert_non_null(strstr(buf_str(&page), "aaa\xef\xbf\xbd"
                                               "b"));
    }
}

static void
forms_are_about_what_they_are_about(void **state)
{
    struct room *m = *state;
    RUN(m, 2, "record", "show", "processing", "mortgage");
    ERR_HAS(m, "form processing is about the workspace; leave the model out");
    RUN(m, 2, "record", "show", "impact");
    ERR_HAS(m, "form impact is about a model; name one");
    RUN(m, 4, "record", "show", "impact", "nothing");
    ERR_HAS(m, "nothing");
    RUN(m, 4, "record", "show", "imapct", "mortgage");
    ERR_HAS(m, "there are impact, instructions, processing, technical-documentation");
    testing_write(in(m, "a.yaml"), view_str("form: impact\nanswers:\n  purpose: x\n"));
    RUN(m, 4, "record", "answer", "impact", "nothing", "--from", in(m, "a.yaml"));
    RUN(m, 2, "record", "answer", "processing", "--from", in(m, "a.yaml"));
    ERR_HAS(m, "line 1: these are answers to form \"impact\", not to processing");
}

static void
a_models_record_has_what_its_assessment_found(void **state)
{
    struct room *m = *state;
    RUN(m, 0, "record", "show", "instructions", "mortgage");
    OUT_HAS(m, "Not assessed yet: steward assess mortgage.");
    RUN(m, 0, "assess", "mortgage", "--data", "lending", "--bootstrap", "0");
    RUN(m, 0, "record", "show", "instructions", "mortgage");
    OUT_HAS(m, "The model's decision is right for");
    OUT_HAS(m, "    - Feature: pirat; Type: float");
}

static void
an_overdue_report_rings(void **state)
{
    struct room *m = *state;
    RUN(m, 0, "incident", "open", "leak", "--title", "A key in a log", "--under", "gdpr-33",
        "--aware", "2020-01-01T00:00:00Z");
    OUT_HAS(m, "due 2020-01-04T00:00:00.000000Z: overdue, ");
    RUN(m, 7, "incident", "list");
    OUT_HAS(m, "leak  gdpr-33  overdue");
    RUN(m, 0, "incident", "reported", "leak", "to the authority", "--at", "2020-01-02T00:00:00Z");
    OUT_HAS(m, "in time, 2 d 0 h left");
    RUN(m, 0, "incident", "list");
    RUN(m, 0, "incident", "close", "leak", "key revoked");
    OUT_HAS(m, "closed: key revoked");
    RUN(m, 2, "incident", "open", "other", "--title", "x", "--under", "gdpr-33", "--aware", "soon");
    ERR_HAS(m, "--aware soon: a time in UTC");
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        BARE(catalogues_are_listed_and_shown),
        MODEL(a_record_is_asked_answered_and_shown),
        MODEL(no_place_in_a_long_line_turns_the_writing),
        MODEL(forms_are_about_what_they_are_about),
        MODEL(a_models_record_has_what_its_assessment_found),
        MODEL(an_overdue_report_rings),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
