/* Forms: those that come with the program, the file of questions, and what answers may get wrong.
 */
#include "testing/testing.h"

#include "base/embedded.h"
#include "govern/form.h"

#include <string.h>

static struct form *
built_in(const char *name)
{
    struct form *f = NULL;
    struct diag diag = {0};
    const struct status s = form_built_in(name, &diag, &f);
    assert_string_equal(diag.text, "");
    assert_ok(s);
    return f;
}

static void
every_form_of_the_program_reads(void **state)
{
    (void)state;
    size_t n = 0;
    for (const struct embedded *e = embedded_forms; e->name != NULL; e++, n++) {
        DEFER(form_freep) struct form *f = built_in(e->name);
        assert_string_equal(f->name, e->name);
        assert_true(form_open(f, NULL) > 3 && form_open(f, NULL) < f->count);
    }
    assert_int_equal(n, 4);
}

static void
answers_come_back_from_the_file_they_were_written_to(void **state)
{
    (void)state;
    static const char text[] = "  One: \"two\" # three\n\n\tindented\n- a list\n: %x &y *z";
    DEFER(form_freep) struct form *f = built_in("impact");
    DEFER(js_freep) json_t *answers = json_pack("{s:s, s:s}", "purpose", text, "benefit", "no");
    DEFER(js_freep) json_t *again = NULL;
    DEFER(buf_done) struct buf yaml;
    buf_init(&yaml, 1u << 20);
    form_put_template(f, answers, &yaml);
    assert_ok(form_take_answers(f, buf_view(&yaml), "a.yaml", NULL, &again));
    assert_true(json_equal(answers, again));
    assert_int_equal(form_open(f, again), form_open(f, NULL) - 2);
}

static void
an_empty_file_of_questions_answers_nothing(void **state)
{
    (void)state;
    for (const struct embedded *e = embedded_forms; e->name != NULL; e++) {
        DEFER(form_freep) struct form *f = built_in(e->name);
        DEFER(js_freep) json_t *answers = NULL;
        DEFER(buf_done) struct buf yaml;
        buf_init(&yaml, 1u << 20);
        form_put_template(f, NULL, &yaml);
        assert_ok(form_take_answers(f, buf_view(&yaml), "a.yaml", NULL, &answers));
        assert_int_equal(json_object_size(answers), 0);
    }
}

static void
mistakes_are_told_with_their_line(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *says;
    } cases[] = {
        {"", "a.yaml line 1: \"form\" must be a text"},
        {"- form\n", "answers are \"form: impact\" and \"answers:\""},
        {"form: processing\nanswers: {}\n", "line 1: these are answers to form \"processing\""},
        {"form: impact\n", "\"answers\" must be a mapping"},
        {"form: impact\nanswers: [a]\n", "line 2: \"answers\" must be a mapping"},
        {"form: impact\nanswers:\n  purpose: a\n  nothing: b\n",
         "line 4: form impact does not ask for \"nothing\""},
        {"form: impact\nanswers:\n  performance: fine\n",
         "line 3: form impact does not ask for \"performance\""},
        {"form: impact\nanswers:\n  purpose: [a, b]\n", "line 3: an answer is a text"},
        {"form: impact\nanswers:\n  purpose: \"a\\u2028b\"\n", "without control characters"},
        {"form: impact\nanswers:\n  purpose: \"a\\eb\"\n", "without control characters"},
    };
    DEFER(form_freep) struct form *f = built_in("impact");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct diag diag = {0};
        json_t *answers = NULL;
        assert_status(form_take_answers(f, view_str(cases[i].yaml), "a.yaml", &diag, &answers),
                      INPUT);
        assert_says(&diag, cases[i].says);
        assert_null(answers);
    }
}

static void
an_answer_that_is_too_long_is_refused(void **state)
{
    (void)state;
    DEFER(form_freep) struct form *f = built_in("impact");
    DEFER(buf_done) struct buf yaml;
    struct diag diag = {0};
    json_t *answers = NULL;
    buf_init(&yaml, 1u << 20);
    buf_put_str(&yaml, "form: impact\nanswers:\n  purpose: ");
    memset(buf_extend(&yaml, FORM_ANSWER_MAX + 1), 'a', FORM_ANSWER_MAX + 1);
    assert_status(form_take_answers(f, buf_view(&yaml), "a.yaml", &diag, &answers), INPUT);
    assert_says(&diag, "at most 16 KiB");
}

static void
forms_of_ones_own_are_held_to_the_same(void **state)
{
    (void)state;
#define FORM "form: f\ntitle: T\nlaw: L\nabout: model\nsections:\n  - title: S\n    items:\n"
    static const struct {
        const char *yaml, *says;
    } cases[] = {
        {"form: f\ntitle: T\nlaw: L\nabout: house\n", "\"about\" is model or workspace"},
        {"form: f\ntitle: T\nlaw: L\nabout: model\nsections: []\n", "\"sections\" must be a list"},
        {FORM "      - {id: a, title: A}\n", "an item has \"ask\" or \"state\""},
        {FORM "      - {id: a, title: A, ask: B, state: C}\n", "an item has \"ask\" or \"state\""},
        {FORM "      - {id: a, title: A, ask: B}\n      - {id: a, title: A, ask: B}\n",
         "line 9: \"a\" is no name, or stands twice"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct diag diag = {0};
        struct form *f = NULL;
        assert_status(form_read(view_str(cases[i].yaml), "f.yaml", &diag, &f), INPUT);
        assert_says(&diag, cases[i].says);
        assert_null(f);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_of_the_program_reads),
        cmocka_unit_test(answers_come_back_from_the_file_they_were_written_to),
        cmocka_unit_test(an_empty_file_of_questions_answers_nothing),
        cmocka_unit_test(mistakes_are_told_with_their_line),
        cmocka_unit_test(an_answer_that_is_too_long_is_refused),
        cmocka_unit_test(forms_of_ones_own_are_held_to_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
