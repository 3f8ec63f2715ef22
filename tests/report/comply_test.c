/* What findings make of controls, as a document, as a page and as OSCAL. */
#include "testing/testing.h"

#include "report/comply_document.h"

#include <ctype.h>
#include <string.h>

#define NOW INT64_C(1795000000000000000) /* 2026-11-18 */

static const char yaml[] =
    "catalogue: mine\ntitle: My <rules>\nedition: First\napplies_from: 2026-01-01\ncontrols:\n"
    "  - {id: a.1, title: A, text: Is asked., checks: [good, bad], by_hand: The rest.}\n"
    "  - {id: a.2, title: B, text: Is asked., checks: [good, exempt], by_hand: The rest.}\n"
    "  - {id: a.3, title: C, text: Is asked., checks: [good, unknown], by_hand: The rest.}\n"
    "  - {id: a.4, title: D, text: Is asked., checks: [absent], by_hand: The rest.}\n"
    "  - {id: a.5, title: E, text: Is asked., checks: [idle], by_hand: The rest.}\n"
    "  - {id: a.6, title: F, text: Is asked., checks: [], always: [tls-only], by_hand: The rest.}\n"
    "  - {id: a.7, title: G, text: Is asked., checks: [], by_hand: All., applies_from: "
    "2027-12-02}\n"
    "  - {id: a.8, title: H, text: Is asked., checks: [idle], always: [limits], by_hand: x.}\n";

static const char findings_text[] =
    "[{\"policy\": \"good\", \"title\": \"Good\", \"severity\": \"low\", \"assigned\": true,"
    "  \"outcome\": \"compliant\", \"resource\": \"model/m@1\"},"
    " {\"policy\": \"bad\", \"title\": \"Bad\", \"severity\": \"high\", \"assigned\": false,"
    "  \"remedy\": \"Mend it.\", \"outcome\": \"compliant\", \"resource\": \"model/a@1\"},"
    " {\"policy\": \"bad\", \"title\": \"Bad\", \"severity\": \"high\", \"assigned\": false,"
    "  \"remedy\": \"Mend it.\", \"outcome\": \"non-compliant\", \"resource\": \"model/<b>@1\","
    "  \"message\": \"it is bad\", \"fields\": {\"x\": 1}},"
    " {\"policy\": \"exempt\", \"title\": \"Exempt\", \"outcome\": \"exempt\","
    "  \"until\": \"2027-01-01T00:00:00Z\", \"resource\": \"model/m@1\"},"
    " {\"policy\": \"unknown\", \"title\": \"Unknown\", \"outcome\": \"not-evaluable\","
    "  \"missing\": [\"y\"]},"
    " {\"policy\": \"idle\", \"title\": \"Idle\", \"outcome\": \"not-applicable\"}]";

static json_t *
make_document(const char *text)
{
    json_t *d = NULL;
    DEFER(catalogue_freep) struct catalogue *k = NULL;
    DEFER(js_freep) json_t *findings = NULL;
    assert_ok(catalogue_read(view_str(yaml), "mine.yaml", NULL, &k));
    assert_ok(js_parse(view_str(text), NULL, NULL, &findings));
    const struct comply_input in = {
        .catalogue = k,
        .findings = findings,
        .origin = "steward/here",
        .now_ns = NOW,
        .evidence = {.entry = 7,
                     .findings = view_str(text),
                     .receipt = view_str("c2sp.org/tlog-proof@v1\nindex 7\n<x>\n"),
                     .vkey = "steward/here+0123+KEY"}};
    assert_ok(comply_document(&in, &d));
    return d;
}

static const json_t *
control(const json_t *d, size_t i)
{
    return json_array_get(json_object_get(d, "controls"), i);
}

static const char *
text_of(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text == NULL ? "" : text;
}

static void
the_worst_of_the_checks_decides(void **state)
{
    (void)state;
    static const char *const expected[] = {"fails",          "passes", "undecided", "undecided",
                                           "not-applicable", "always", "by-hand",   "always"};
    DEFER(js_freep) json_t *d = make_document(findings_text);
    for (size_t i = 0; i < 8; i++) {
        assert_string_equal(text_of(control(d, i), "outcome"), expected[i]);
    }
    const json_t *counts = json_object_get(d, "counts");
    assert_int_equal(json_integer_value(json_object_get(counts, "undecided")), 2);
    assert_int_equal(json_integer_value(json_object_get(counts, "always")), 2);
    assert_true(json_is_true(json_object_get(control(d, 0), "in_force")));
    assert_true(json_is_false(json_object_get(control(d, 6), "in_force")));
    const json_t *bad = json_array_get(json_object_get(control(d, 0), "checks"), 1);
    assert_int_equal(json_array_size(json_object_get(bad, "findings")), 2);
    assert_string_equal(text_of(bad, "remedy"), "Mend it.");
}

static void
the_evidence_has_the_digest_of_its_bytes(void **state)
{
    (void)state;
    struct digest digest;
    DEFER(buf_done) struct buf hex;
    DEFER(js_freep) json_t *d = make_document(findings_text);
    buf_init(&hex, 128);
    digest_of(view_str(findings_text), &digest);
    digest_put_hex(&hex, &digest);
    const json_t *e = json_object_get(d, "evidence");
    assert_string_equal(text_of(e, "findings_sha256"), buf_str(&hex));
    uint8_t bytes[sizeof findings_text - 1];
    assert_ok(js_need_base64(e, "findings", sizeof bytes, NULL, bytes));
    assert_memory_equal(bytes, findings_text, sizeof bytes);
}

static void
the_page_says_what_to_do_and_escapes(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf page;
    DEFER(js_freep) json_t *d = make_document(findings_text);
    buf_init(&page, 1u << 20);
    assert_ok(html_comply_page(d, &page));
    assert_text_has(buf_str(&page), "My &lt;rules&gt;");
    assert_text_has(buf_str(&page), "<b>What to do:</b> Mend it.");
    assert_text_has(buf_str(&page), "model/&lt;b&gt;@1: non-compliant; it is bad");
    assert_text_has(buf_str(&page), "exempt until 2027-01-01T00:00:00Z");
    assert_text_has(buf_str(&page), "There is no such policy");
    assert_text_has(buf_str(&page), "Applies from 2027-12-02");
    assert_null(strstr(buf_str(&page), "<x>"));
}

/* ---- OSCAL ---- */

static void
assert_uuid(const char *text)
{
    assert_int_equal(strlen(text), 36);
    for (size_t i = 0; i < 36; i++) {
        const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        assert_true(dash ? text[i] == '-' : isxdigit((unsigned char)text[i]) != 0);
    }
    assert_int_equal(text[14], '4');
    assert_true(strchr("89ab", text[19]) != NULL);
}

/* What is referred to, "#UUID" or a member, is there. */
static bool
is_among(const json_t *list, const char *uuid)
{
    size_t i;
    json_t *o = NULL;
    bool found = false;
    json_array_foreach((json_t *)(uintptr_t)list, i, o)
    {
        found = found || strcmp(text_of(o, "uuid"), uuid) == 0;
    }
    return found;
}

static void
assert_observations(const json_t *result, const json_t *resources)
{
    size_t i, k;
    json_t *o = NULL, *e = NULL;
    const json_t *all = json_object_get(result, "observations");
    json_array_foreach((json_t *)(uintptr_t)all, i, o)
    {
        assert_uuid(text_of(o, "uuid"));
        assert_true(*text_of(o, "description") != '\0' && *text_of(o, "collected") != '\0');
        assert_string_equal(json_string_value(json_array_get(json_object_get(o, "methods"), 0)),
                            "TEST");
        json_array_foreach(json_object_get(o, "relevant-evidence"), k, e)
        {
            assert_int_equal(*text_of(e, "href"), '#');
            assert_true(is_among(resources, text_of(e, "href") + 1));
        }
        assert_int_equal(k, 2);
    }
    assert_true(i > 0);
}

static void
oscal_has_what_was_decided_and_nothing_else(void **state)
{
    (void)state;
    DEFER(js_freep) json_t *d = make_document(findings_text);
    DEFER(js_freep) json_t *all = NULL;
    assert_ok(comply_oscal(d, &all));
    const json_t *r = json_object_get(all, "assessment-results");
    const json_t *one = json_array_get(json_object_get(r, "results"), 0);
    const json_t *resources = json_object_get(json_object_get(r, "back-matter"), "resources");
    const json_t *found = json_object_get(one, "findings");
    assert_uuid(text_of(r, "uuid"));
    assert_string_equal(text_of(json_object_get(r, "metadata"), "oscal-version"), "1.1.2");
    assert_true(is_among(resources, text_of(json_object_get(r, "import-ap"), "href") + 1));
    assert_int_equal(json_array_size(found), 2);
    static const char *const states[] = {"not-satisfied", "satisfied"};
    static const size_t related[] = {3, 2};
    for (size_t i = 0; i < 2; i++) {
        const json_t *f = json_array_get(found, i), *target = json_object_get(f, "target");
        assert_uuid(text_of(f, "uuid"));
        assert_string_equal(text_of(target, "type"), "objective-id");
        assert_string_equal(text_of(target, "target-id"), i == 0 ? "a.1" : "a.2");
        assert_string_equal(text_of(json_object_get(target, "status"), "state"), states[i]);
        assert_int_equal(json_array_size(json_object_get(f, "related-observations")), related[i]);
    }
    assert_text_has(text_of(json_array_get(found, 0), "description"), "Mend it.");
    assert_observations(one, resources);
}

static void
oscal_without_anything_decided_has_no_empty_lists(void **state)
{
    (void)state;
    DEFER(js_freep) json_t *d = make_document("[]");
    DEFER(js_freep) json_t *all = NULL;
    assert_ok(comply_oscal(d, &all));
    const json_t *one =
        json_array_get(json_object_get(json_object_get(all, "assessment-results"), "results"), 0);
    assert_null(json_object_get(one, "findings"));
    assert_null(json_object_get(one, "observations"));
    assert_non_null(json_object_get(one, "reviewed-controls"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_worst_of_the_checks_decides),
        cmocka_unit_test(the_evidence_has_the_digest_of_its_bytes),
        cmocka_unit_test(the_page_says_what_to_do_and_escapes),
        cmocka_unit_test(oscal_has_what_was_decided_and_nothing_else),
        cmocka_unit_test(oscal_without_anything_decided_has_no_empty_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
