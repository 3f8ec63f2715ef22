/* The workspace held against a catalogue: what fails, what mends it, and the proof of it. */
#include "cli/run.h"

#include "base/embedded.h"
#include "govern/catalogue.h"
#include "workspace/policies.h"

static void
every_check_is_a_policy_of_the_program(void **state)
{
    (void)state;
    for (const struct embedded *e = embedded_catalogues; e->name != NULL; e++) {
        DEFER(catalogue_freep) struct catalogue *k = NULL;
        assert_ok(catalogue_built_in(e->name, NULL, &k));
        for (size_t i = 0; i < k->count; i++) {
            for (size_t c = 0; c < k->controls[i].check_count; c++) {
                if (policy_built_in(k->controls[i].checks[c]) == NULL) {
                    print_error("%s %s: %s\n", k->name, k->controls[i].id,
                                k->controls[i].checks[c]);
                    fail();
                }
            }
        }
    }
}

static const char *
outcome_of(const json_t *d, const char *id)
{
    size_t i;
    json_t *control = NULL;
    const char *found = NULL;
    json_array_foreach(json_object_get(d, "controls"), i, control)
    {
        if (strcmp(json_string_value(json_object_get(control, "id")), id) == 0) {
            found = json_string_value(json_object_get(control, "outcome"));
        }
    }
    assert_non_null(found);
    return found;
}

static json_t *
report_on(struct room *m, int code, const char *framework)
{
    RUN(m, code, "comply", "report", "--framework", framework, "--json");
    return out_json(m);
}

static void
write_answers(struct room *m, const char *form)
{
    DEFER(buf_done) struct buf yaml;
    buf_init(&yaml, 1u << 20);
    RUN(m, 0, "record", "questions", form);
    /* Each question, "  name:", gets an answer. */
    for (const char *at = buf_str(&m->r.out); *at != '\0';) {
        const size_t n = strcspn(at, "\n");
        const bool asks = n > 3 && strncmp(at, "  ", 2) == 0 && at[2] != '#' && at[n - 1] == ':';
        buf_printf(&yaml, "%.*s%s\n", (int)n, at, asks ? " yes" : "");
        at += n + (at[n] == '\n');
    }
    testing_write(in(m, "answers.yaml"), buf_view(&yaml));
}

static void
what_is_mended_passes(void **state)
{
    struct room *m = *state;
    DEFER(js_freep) json_t *before = report_on(m, 7, "gdpr");
    assert_string_equal(outcome_of(before, "art-30"), "fails");
    assert_string_equal(outcome_of(before, "art-35"), "fails");
    assert_string_equal(outcome_of(before, "art-6"), "by-hand");
    write_answers(m, "processing");
    RUN(m, 0, "record", "answer", "processing", "--from", in(m, "answers.yaml"));
    OUT_HAS(m, "0 of its questions are open");
    write_answers(m, "impact");
    RUN(m, 0, "record", "answer", "impact", "mortgage", "--from", in(m, "answers.yaml"));
    DEFER(js_freep) json_t *after = report_on(m, 7, "gdpr");
    assert_string_equal(outcome_of(after, "art-30"), "passes");
    assert_string_equal(outcome_of(after, "art-35"), "passes");
}

static void
an_assigned_policy_is_held_as_it_is_assigned(void **state)
{
    struct room *m = *state;
    DEFER(js_freep) json_t *before = report_on(m, 7, "gdpr");
    assert_string_equal(outcome_of(before, "art-24"), "fails");
    RUN(m, 0, "policy", "assign", "api-key-lifetime");
    DEFER(js_freep) json_t *after = report_on(m, 7, "gdpr");
    assert_string_equal(outcome_of(after, "art-24"), "passes");
}

static void
the_receipt_proves_what_was_found(void **state)
{
    struct room *m = *state;
    char receipt[512], oscal[512], page[512], vkey[512];
    DEFER(buf_done) struct buf key;
    (void)snprintf(receipt, sizeof receipt, "%s", in(m, "r.tlog-proof"));
    (void)snprintf(oscal, sizeof oscal, "%s", in(m, "oscal.json"));
    (void)snprintf(page, sizeof page, "%s", in(m, "page.html"));
    RUN(m, 7, "comply", "report", "--framework", "ai-act", "--receipt", receipt, "--oscal", oscal,
        "--report", page, "--json");
    DEFER(js_freep) json_t *d = out_json(m);
    const char *sha256 =
        json_string_value(json_object_get(json_object_get(d, "evidence"), "findings_sha256"));
    testing_read(in(m, "w/audit/vkey"), &key);
    (void)snprintf(vkey, sizeof vkey, "%.*s", (int)strcspn(buf_str(&key), "\n"), buf_str(&key));
    RUN(m, 0, "audit", "prove", "--check", receipt, "--vkey", vkey);
    OUT_HAS(m, sha256);
    OUT_HAS(m, "\"action\":\"comply.report\"");
    DEFER(js_freep) json_t *o = testing_read_json(oscal);
    assert_non_null(json_object_get(o, "assessment-results"));
    DEFER(buf_done) struct buf html;
    testing_read(page, &html);
    assert_text_has(buf_str(&html), "Artificial Intelligence Act");
}

/* A policy that needs a parameter cannot be held against the state unassigned: not decided. */
static void
every_catalogue_reports(void **state)
{
    struct room *m = *state;
    for (const struct embedded *e = embedded_catalogues; e->name != NULL; e++) {
        DEFER(js_freep) json_t *d = report_on(m, 7, e->name);
        assert_true(json_array_size(json_object_get(d, "controls")) > 10);
    }
    DEFER(js_freep) json_t *before = report_on(m, 7, "nist-ai-rmf");
    assert_string_equal(outcome_of(before, "mg-1.1"), "undecided");
    OUT_HAS(m, "needs parameter \\\"models\\\"");
    RUN(m, 0, "policy", "assign", "model-approved", "--set", "models=mortgage");
    DEFER(js_freep) json_t *after = report_on(m, 7, "nist-ai-rmf");
    assert_string_equal(outcome_of(after, "mg-1.1"), "passes");
}

static void
an_unknown_catalogue_is_refused(void **state)
{
    struct room *m = *state;
    RUN(m, 4, "comply", "report", "--framework", "gdprr");
    ERR_HAS(m, "there are ai-act, aisvs, gdpr");
    RUN(m, 2, "comply", "report");
    ERR_HAS(m, "--framework CATALOGUE");
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        BARE(every_check_is_a_policy_of_the_program),
        MODEL(what_is_mended_passes),
        MODEL(an_assigned_policy_is_held_as_it_is_assigned),
        MODEL(the_receipt_proves_what_was_found),
        MODEL(every_catalogue_reports),
        MODEL(an_unknown_catalogue_is_refused),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
