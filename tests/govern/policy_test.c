/* Configuration policies: what is refused and where, what holds, what is not known. */
#include "testing/testing.h"

#include "base/clock.h"
#include "govern/policy_parts.h"
#include "num/rng.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 2026-11-25T09:30:00Z */
#define NOW (INT64_C(1795599000) * NS_PER_S)

static void
assert_refused(const char *yaml, const char *sentence)
{
    struct diag diag = {0};
    struct policy *p = NULL;
    const struct status s = policy_read(view_str(yaml), "p.yaml", &diag, &p);
    assert_int_equal(s.code, STATUS_INPUT);
    if (strstr(diag.text, sentence) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", sentence, diag.text);
    }
}

static struct policy *
read_policy(const char *yaml)
{
    struct diag diag = {0};
    struct policy *p = NULL;
    if (!status_ok(policy_read(view_str(yaml), "p.yaml", &diag, &p))) {
        fail_msg("%s", diag.text);
    }
    return p;
}

#define HEAD(RESOURCE)                                                                             \
    "id: p\nversion: 1.0\ntitle: t\ncategory: c\nseverity: high\nresource: " RESOURCE "\n"
#define THEN "then: {effect: audit, message: m}\n"

/* ---- what is refused ---- */

static void
test_a_wrong_policy_is_refused_with_line_and_column(void **state)
{
    (void)state;
    assert_refused("", "p.yaml line 1 column 1: \"id\" is needed");
    assert_refused("- a\n", "a policy holds members");
    assert_refused("id: p\nversion: 1.0\ntitel: t\n",
                   "p.yaml line 3 column 1: a policy has no \"titel\"; did you mean \"title\"?");
    assert_refused("id: P\n", "line 1 column 5: an id is 1 to 63");
    assert_refused("id: p\nversion: one\n", "line 2 column 10: needed is a version such as 1.0");
    assert_refused("id: p\nversion: 1.0\ntitle: t\ncategory: c\nseverity: hihg\n",
                   "line 5 column 11: there is no severity \"hihg\"; did you mean \"high\"?");
    assert_refused(HEAD("modle"), "line 6 column 11: there is no resource \"modle\"");
    assert_refused(HEAD("model") THEN, "\"if\" is needed");
    assert_refused(HEAD("model") "if: {field: signed, equals: false}\n", "\"then\" is needed");
    assert_refused(
        HEAD("model") "if: {field: signd, equals: false}\n" THEN,
        "p.yaml line 7 column 13: model has no field \"signd\"; did you mean \"signed\"?");
    assert_refused(HEAD("model") "if: {field: signed, equals: maybe}\n" THEN,
                   "line 7 column 29: \"maybe\": needed is true or false");
    assert_refused(HEAD("model") "if: {field: signed, less: true}\n" THEN,
                   "line 7 column 21: less is not for a field that is boolean");
    assert_refused(HEAD("model") "if: {field: signed}\n" THEN, "a condition needs an operator");
    assert_refused(HEAD("model") "if: {field: name, equals: a, like: b}\n" THEN,
                   "has one operator");
    assert_refused(HEAD("model") "if: {field: name, equls: a}\n" THEN, "did you mean \"equals\"?");
    assert_refused(HEAD("model") "if: {all: {field: name}}\n" THEN, "must be a list of conditions");
    assert_refused(HEAD("model") "if: {all: []}\n" THEN, "must be a list of conditions");
    assert_refused(HEAD("model") "if: {some: []}\n" THEN, "a condition is {field");
    assert_refused(HEAD("model") "if: {count: {of: name}, less: 1}\n" THEN, "\"name\" is no list");
    assert_refused(HEAD("principal") "if: {field: grants.role, equals: admin}\n" THEN,
                   "write count: {of: grants, where: ...}");
    assert_refused(HEAD("principal") "if: {count: {of: grants, where: {field: rol, equals: a}}, "
                                     "less: 1}\n" THEN,
                   "grants has no field \"rol\"; did you mean \"role\"?");
    assert_refused(
        HEAD("model") "if: {field: name, equals: a}\nthen: {effect: forbid, message: m}\n",
        "line 8 column 16: there is no effect \"forbid\"");
    assert_refused(
        HEAD("model") "if: {field: name, equals: a}\nthen: {effect: modify, message: m}\n",
        "modify needs \"set\"");
    assert_refused(HEAD("model") "if: {field: name, equals: a}\nthen: {effect: modify, message: m, "
                                 "set: [{field: name, to: b}]}\n",
                   "of a model \"name\" cannot be set");
}

static void
test_impossible_durations_and_bombs_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"90", "-1d", "90 d", "90days", "999999999999d", "1e3d", ""};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char yaml[512];
        (void)snprintf(yaml, sizeof yaml,
                       HEAD("model") "if: {field: assessed, olderThan: \"%s\"}\n" THEN, bad[i]);
        assert_refused(yaml, "needed is a duration such as 90d");
    }
    assert_refused("a: &a [x]\nb: [*a, *a]\n", "anchors and tags are not used here");
    assert_refused("id: !!str p\n", "anchors and tags are not used here");
    assert_refused("id: p\nid: q\n", "\"id\" stands twice");
    char deep[256] = "a: ";
    memset(deep + 3, '[', 200);
    assert_refused(deep, "nested too deeply");
    DEFER(memory_freep) char *long_text = calloc(1, POLICY_TEXT_MAX + 2);
    memset(long_text, ' ', POLICY_TEXT_MAX + 1);
    assert_refused(long_text, "a policy has at most 65536 bytes");
}

static void
test_parameters_must_fit_where_they_stand(void **state)
{
    (void)state;
    assert_refused(HEAD("model") "parameters: {d: {type: durations}}\n", "a type is boolean");
    assert_refused(HEAD("model") "parameters: {d: {type: duration, default: 9}}\n",
                   "needed is a duration");
    assert_refused(HEAD("model") "parameters: {d: {type: text, allowed: [a], default: b}}\n",
                   "the default is not allowed");
    assert_refused(HEAD("model") "parameters: {d: {type: text, default: b}}\n"
                                 "if: {field: assessed, olderThan: {parameter: d}}\n" THEN,
                   "parameter \"d\" is text; here stands duration");
    assert_refused(HEAD("model") "parameters: {d: {type: text, default: b}}\n"
                                 "if: {field: name, in: {parameter: d}}\n" THEN,
                   "here stands a list of text");
    assert_refused(HEAD("model") "if: {field: name, equals: {parameter: d}}\n" THEN,
                   "there is no parameter \"d\"");
    assert_refused(HEAD("model") "parameters: {e: {type: text, allowed: [audit, ask], default: "
                                 "audit}}\nif: {field: name, equals: a}\n"
                                 "then: {effect: {parameter: e}, message: m}\n",
                   "must have \"allowed\": effects");
}

/* ---- what holds ---- */

/* The outcome of one resource of the policy's type with those fields. */
static enum policy_outcome
outcome_of(const char *condition, const char *type, const char *fields)
{
    char yaml[1024], text[1024];
    struct diag diag = {0};
    DEFER(arena_freep) struct arena *arena = arena_new(1u << 20);
    DEFER(js_freep) json_t *document = NULL;
    DEFER(policy_state_freep) struct policy_state *s = NULL;
    DEFER(memory_freep) struct policy_finding *f = NULL;
    struct policy_assignment a;
    size_t n = 0;
    (void)snprintf(yaml, sizeof yaml,
                   "id: p\nversion: 1.0\ntitle: t\ncategory: c\nseverity: high\nresource: %s\n"
                   "if: %s\n" THEN,
                   type, condition);
    DEFER(policy_freep) struct policy *p = read_policy(yaml);
    (void)snprintf(text, sizeof text,
                   "{\"holds\": [\"%s\"], \"resources\": [{\"type\": \"%s\", \"name\": \"x\", "
                   "\"scope\": [], \"fields\": %s}]}",
                   type, type, fields);
    assert_ok(js_parse(view_str(text), NULL, &diag, &document));
    assert_ok(policy_assign(p, "a", "workspace", NULL, arena, &diag, &a));
    const struct policy_question q = {.assignments = &a, .assignment_count = 1, .now_ns = NOW};
    if (!status_ok(policy_state_read(document, &diag, &s))) {
        fail_msg("%s", diag.text);
    }
    assert_ok(policy_evaluate(&q, s, &f, &n));
    assert_int_equal(n, 1);
    return f[0].outcome;
}

static void
test_operators_hold(void **state)
{
    (void)state;
    static const struct {
        const char *type, *condition, *fields;
        enum policy_outcome outcome;
    } cases[] = {
#define HOLDS POLICY_NON_COMPLIANT
#define FAILS POLICY_COMPLIANT
#define OPEN POLICY_NOT_EVALUABLE
        {"model", "{field: name, equals: a}", "{\"name\": \"a\"}", HOLDS},
        {"model", "{field: name, equals: a}", "{\"name\": \"b\"}", FAILS},
        {"model", "{field: name, equals: a}", "{\"name\": null}", FAILS},
        {"model", "{field: name, equals: a}", "{}", OPEN},
        {"model", "{field: name, notEquals: a}", "{\"name\": null}", HOLDS},
        {"model", "{field: name, in: [a, b]}", "{\"name\": \"b\"}", HOLDS},
        {"model", "{field: name, notIn: [a, b]}", "{\"name\": \"c\"}", HOLDS},
        {"model", "{field: name, notIn: [a, b]}", "{\"name\": \"a\"}", FAILS},
        {"model", "{field: name, like: 'mort*-*'}", "{\"name\": \"mortgage-eu\"}", HOLDS},
        {"model", "{field: name, like: 'mort*-'}", "{\"name\": \"mortgage-eu\"}", FAILS},
        {"model", "{field: name, notLike: '*'}", "{\"name\": \"\"}", FAILS},
        {"model", "{field: name, match: '??_##'}", "{\"name\": \"eu_07\"}", HOLDS},
        {"model", "{field: name, match: '??_##'}", "{\"name\": \"e7_07\"}", FAILS},
        {"model", "{field: name, notMatch: '??.'}", "{\"name\": \"ab\"}", HOLDS},
        {"model", "{field: assessed, exists: false}", "{\"assessed\": null}", HOLDS},
        {"model", "{field: assessed, exists: false}", "{}", OPEN},
        {"model", "{field: version, less: 3}", "{\"version\": 2}", HOLDS},
        {"model", "{field: version, less: 2}", "{\"version\": 2}", FAILS},
        {"model", "{field: version, greaterOrEquals: 2}", "{\"version\": 2}", HOLDS},
        {"model", "{field: version, greater: 2}", "{\"version\": 2}", FAILS},
        {"model", "{field: version, lessOrEquals: 2}", "{\"version\": 2}", HOLDS},
        {"model", "{field: version, greater: 2}", "{\"version\": null}", FAILS},
        {"model", "{field: version, lessOrEquals: 2}", "{\"version\": null}", FAILS},
        {"model", "{field: features, contains: age}", "{\"features\": [\"a\", \"age\"]}", HOLDS},
        {"model", "{field: features, notContains: age}", "{\"features\": []}", HOLDS},
        {"server", "{field: tls.minimum, less: 1.10}", "{\"tls.minimum\": \"1.9\"}", HOLDS},
        {"server", "{field: tls.minimum, equals: 1.2}", "{\"tls.minimum\": \"1.2.0\"}", HOLDS},
        {"server", "{field: limits.idle, greater: 1m}", "{\"limits.idle\": 60.5}", HOLDS},
        {"model", "{field: assessed, olderThan: 1d}", "{\"assessed\": \"2026-11-24T09:29:59Z\"}",
         HOLDS},
        {"model", "{field: assessed, olderThan: 1d}", "{\"assessed\": \"2026-11-24T09:30:01Z\"}",
         FAILS},
        {"model", "{field: assessed, youngerThan: 1d}", "{\"assessed\": null}", FAILS},
        {"api-key", "{field: expires, endsAfter: 90d}", "{\"expires\": \"2027-03-01T00:00:00Z\"}",
         HOLDS},
        {"api-key", "{field: expires, endsWithin: 7d}", "{\"expires\": \"2026-11-30T00:00:00Z\"}",
         HOLDS},
        {"api-key", "{field: expires, less: 2027-01-01T00:00:00Z}",
         "{\"expires\": \"2026-11-30T00:00:00Z\"}", HOLDS},
        {"model", "{count: {of: features}, greater: 1}", "{\"features\": [\"a\", \"b\"]}", HOLDS},
        {"model", "{count: {of: features}, equals: 0}", "{\"features\": null}", HOLDS},
        {"model", "{count: {of: features}, equals: 0}", "{}", OPEN},
        {"model", "{count: {of: features, where: {field: value, like: 'a*'}}, equals: 2}",
         "{\"features\": [\"ab\", \"b\", \"a\"]}", HOLDS},
        {"principal",
         "{count: {of: grants, where: {all: [{field: role, equals: admin}, {field: allow, equals: "
         "true}]}}, greaterOrEquals: 1}",
         "{\"grants\": [{\"role\": \"admin\", \"resource\": \"**\", \"allow\": false}, {\"role\": "
         "\"admin\", \"resource\": \"**\", \"allow\": true}]}",
         HOLDS},
        {"principal", "{count: {of: grants, where: {field: role, equals: admin}}, equals: 0}",
         "{\"grants\": [{\"allow\": true}]}", OPEN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const enum policy_outcome o =
            outcome_of(cases[i].condition, cases[i].type, cases[i].fields);
        if (o != cases[i].outcome) {
            fail_msg("%s of %s: %s", cases[i].condition, cases[i].fields, policy_outcome_word(o));
        }
    }
}

/* Kleene's tables, by fields that are true, false and not held. */
static void
test_what_is_not_known_is_compliant_only_where_it_does_not_matter(void **state)
{
    (void)state;
    static const char *const fields = "{\"signed\": true, \"newest\": false}";
#define T "{field: signed, equals: true}"
#define F "{field: newest, equals: true}"
#define U "{field: thresholds_by_group, equals: true}"
    static const struct {
        const char *condition;
        enum policy_outcome outcome;
    } cases[] = {
        {"{all: [" T ", " U "]}", OPEN},
        {"{all: [" F ", " U "]}", FAILS},
        {"{all: [" U ", " F "]}", FAILS},
        {"{any: [" U ", " T "]}", HOLDS},
        {"{any: [" U ", " F "]}", OPEN},
        {"{not: " U "}", OPEN},
        {"{not: " F "}", HOLDS},
        {"{not: {any: [" F ", " U "]}}", OPEN},
        {"{not: {all: [" F ", " U "]}}", HOLDS},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(outcome_of(cases[i].condition, "model", fields), cases[i].outcome);
    }
}

/* ---- scopes, exemptions, types ---- */

static const char two_models[] =
    "{\"holds\": [\"model\"], \"resources\": ["
    "{\"type\": \"model\", \"name\": \"a@1\", \"scope\": [\"model/a\"], \"fields\": {\"signed\": "
    "false}},"
    "{\"type\": \"model\", \"name\": \"b@1\", \"scope\": [\"model/b\"], \"fields\": {\"signed\": "
    "false}}]}";

static void
check_findings(const struct policy_question *q, const char *document, const char *expected)
{
    DEFER(js_freep) json_t *o = NULL;
    DEFER(policy_state_freep) struct policy_state *s = NULL;
    DEFER(memory_freep) struct policy_finding *f = NULL;
    DEFER(buf_done) struct buf text;
    struct diag diag = {0};
    size_t n = 0;
    buf_init(&text, 4096);
    assert_ok(js_parse(view_str(document), NULL, &diag, &o));
    assert_ok(policy_state_read(o, &diag, &s));
    assert_ok(policy_evaluate(q, s, &f, &n));
    for (size_t i = 0; i < n; i++) {
        DEFER(js_freep) json_t *j = NULL;
        assert_ok(policy_finding_to_json(&f[i], &j));
        const char *resource = json_string_value(json_object_get(j, "resource"));
        buf_printf(&text, "%s %s;", resource == NULL ? "-" : resource,
                   json_string_value(json_object_get(j, "outcome")));
    }
    assert_string_equal(buf_str(&text), expected);
}

static void
test_scopes_exemptions_and_types_decide_what_is_found(void **state)
{
    (void)state;
    DEFER(policy_freep)
    struct policy *p = read_policy(HEAD("model") "if: {field: signed, equals: false}\n" THEN);
    DEFER(arena_freep) struct arena *arena = arena_new(1u << 20);
    struct policy_assignment a;
    struct policy_question q = {.assignments = &a, .assignment_count = 1, .now_ns = NOW};
    assert_ok(policy_assign(p, "all", "workspace", NULL, arena, NULL, &a));
    check_findings(&q, two_models, "model/a@1 non-compliant;model/b@1 non-compliant;");
    assert_ok(policy_assign(p, "all", "model/b", NULL, arena, NULL, &a));
    check_findings(&q, two_models, "model/b@1 non-compliant;");
    const struct policy_exemption later = {"all", "model/b@1", NOW + 1},
                                  over = {"all", "model/b", NOW},
                                  other = {"some", "workspace", NOW + 1};
    q.exemption_count = 1;
    q.exemptions = &later;
    check_findings(&q, two_models, "model/b@1 exempt;");
    q.exemptions = &over;
    check_findings(&q, two_models, "model/b@1 non-compliant;");
    q.exemptions = &other;
    check_findings(&q, two_models, "model/b@1 non-compliant;");
    check_findings(&q, "{\"holds\": [\"model\"], \"resources\": []}", "- not-applicable;");
    check_findings(&q, "{\"holds\": [], \"resources\": []}", "- not-evaluable;");
    assert_int_equal(policy_assign(p, "all", "models/b", NULL, arena, NULL, &a).code, STATUS_INPUT);
}

static void
test_a_finding_says_what_was_seen_and_what_is_missing(void **state)
{
    (void)state;
    DEFER(policy_freep)
    struct policy *p =
        read_policy(HEAD("model") "if: {any: [{field: signed, equals: false}, "
                                  "{field: thresholds_by_group, equals: false}]}\n" THEN);
    DEFER(arena_freep) struct arena *arena = arena_new(1u << 20);
    DEFER(js_freep) json_t *o = NULL;
    DEFER(js_freep) json_t *j = NULL;
    DEFER(policy_state_freep) struct policy_state *s = NULL;
    DEFER(memory_freep) struct policy_finding *f = NULL;
    DEFER(buf_done) struct buf text;
    struct policy_assignment a;
    size_t n = 0;
    buf_init(&text, 4096);
    assert_ok(policy_assign(p, "all", "workspace", NULL, arena, NULL, &a));
    const struct policy_question q = {.assignments = &a, .assignment_count = 1, .now_ns = NOW};
    assert_ok(js_parse(view_str(two_models), NULL, NULL, &o));
    assert_ok(policy_state_read(o, NULL, &s));
    assert_ok(policy_evaluate(&q, s, &f, &n));
    assert_ok(policy_finding_to_json(&f[0], &j));
    assert_true(json_is_false(json_object_get(json_object_get(j, "fields"), "signed")));
    assert_string_equal(json_string_value(json_array_get(json_object_get(j, "missing"), 0)),
                        "thresholds_by_group");
    assert_int_equal(strlen(json_string_value(json_object_get(j, "policy_digest"))), 64);
    policy_finding_put(&f[0], &text);
    assert_string_equal(buf_str(&text), "policy p (assignment all): m; model/a@1 has signed false");
}

static void
test_a_state_is_checked_against_the_table(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{\"resources\": []}",
        "{\"holds\": [\"nothing\"], \"resources\": []}",
        "{\"holds\": [], \"resources\": [{\"type\": \"model\", \"name\": \"a\", \"scope\": [], "
        "\"fields\": {}}]}",
        "{\"holds\": [\"model\"], \"resources\": [{\"type\": \"model\", \"name\": \"a\", "
        "\"scope\": "
        "[], \"fields\": {\"signed\": 1}}]}",
        "{\"holds\": [\"model\"], \"resources\": [{\"type\": \"model\", \"name\": \"a\", "
        "\"scope\": "
        "[], \"fields\": {\"signd\": true}}]}",
        "{\"holds\": [\"principal\"], \"resources\": [{\"type\": \"principal\", \"name\": \"a\", "
        "\"scope\": [], \"fields\": {\"grants.role\": \"x\"}}]}",
        "{\"holds\": [\"model\"], \"resources\": [{\"type\": \"model\", \"name\": \"a\", "
        "\"scope\": "
        "[], \"fields\": {\"created\": \"yesterday\"}}]}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        DEFER(js_freep) json_t *o = NULL;
        struct diag diag = {0};
        struct policy_state *s = NULL;
        assert_ok(js_parse(view_str(bad[i]), NULL, NULL, &o));
        assert_int_equal(policy_state_read(o, &diag, &s).code, STATUS_INPUT);
        assert_true(diag.text[0] != '\0');
    }
}

/* ---- parameters of an assignment ---- */

static const char with_parameters[] =
    HEAD("api-key") "parameters:\n  days: {type: duration, default: 90d, about: how long}\n"
                    "  effect: {type: text, allowed: [audit, deny], default: audit}\n"
                    "  who: {type: text, list: true}\n"
                    "if: {all: [{field: expires, endsAfter: {parameter: days}}, {field: principal, "
                    "notIn: {parameter: who}}]}\n"
                    "then: {effect: {parameter: effect}, message: m}\n";

static void
check_assign(const struct policy *p, const char *parameters, const char *sentence,
             enum policy_effect effect)
{
    DEFER(arena_freep) struct arena *arena = arena_new(1u << 20);
    DEFER(js_freep) json_t *o = NULL;
    struct diag diag = {0};
    struct policy_assignment a;
    assert_ok(js_parse(view_str(parameters), NULL, NULL, &o));
    const struct status s = policy_assign(p, "a", "workspace", o, arena, &diag, &a);
    if (sentence == NULL) {
        assert_ok(s);
        assert_int_equal(a.effect, effect);
    } else if (s.code != STATUS_INPUT || strstr(diag.text, sentence) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", sentence, diag.text);
    }
}

static void
test_parameters_are_bound_and_checked(void **state)
{
    (void)state;
    DEFER(policy_freep) struct policy *p = read_policy(with_parameters);
    DEFER(js_freep) json_t *o = NULL;
    check_assign(p, "{}", "policy p needs parameter \"who\"", POLICY_AUDIT);
    check_assign(p, "{\"who\": \"ann\"}", NULL, POLICY_AUDIT);
    check_assign(p, "{\"who\": [\"ann\", \"bob\"], \"effect\": \"deny\"}", NULL, POLICY_DENY);
    check_assign(p, "{\"who\": \"ann\", \"effect\": \"modify\"}", "is not allowed; there is: audit",
                 POLICY_AUDIT);
    check_assign(p, "{\"who\": \"ann\", \"days\": \"90\"}", "is not a duration", POLICY_AUDIT);
    check_assign(p, "{\"who\": \"ann\", \"day\": \"9d\"}", "did you mean \"days\"?", POLICY_AUDIT);
    assert_ok(policy_describe(p, &o));
    assert_string_equal(json_string_value(json_object_get(
                            json_object_get(json_object_get(o, "parameters"), "days"), "default")),
                        "90d");
}

/* ---- cycles ---- */

#define SETS(ID, IF, FIELD, TO)                                                                    \
    "id: " ID "\nversion: 1.0\ntitle: t\ncategory: c\nseverity: low\nresource: server\nif: " IF    \
    "\nthen: {effect: modify, message: m, set: [{field: " FIELD ", to: " TO "}]}\n"

static struct status
cycles_of(const char *a, const char *b, const char *scope_b, struct diag *diag)
{
    DEFER(arena_freep) struct arena *arena = arena_new(1u << 20);
    DEFER(policy_freep) struct policy *p = read_policy(a);
    DEFER(policy_freep) struct policy *q = read_policy(b);
    struct policy_assignment all[2];
    assert_ok(policy_assign(p, "one", "model/x", NULL, arena, NULL, &all[0]));
    assert_ok(policy_assign(q, "two", scope_b, NULL, arena, NULL, &all[1]));
    return policy_check_cycles(all, 2, diag);
}

static void
test_policies_that_set_each_other_off_are_refused(void **state)
{
    (void)state;
    struct diag diag = {0};
    static const char rows[] =
        SETS("a", "{field: limits.rows, greater: 100}", "limits.connections", "5");
    static const char connections[] =
        SETS("b", "{field: limits.connections, less: 10}", "limits.rows", "200");
    static const char own[] = SETS("c", "{field: limits.rows, greater: 50}", "limits.rows", "50");
    static const char other[] = SETS("d", "{field: limits.rows, less: 70}", "limits.rows", "70");
    assert_int_equal(cycles_of(rows, connections, "workspace", &diag).code, STATUS_INPUT);
    assert_non_null(strstr(diag.text, "assignments one and two set each other off"));
    assert_ok(cycles_of(rows, connections, "model/y", &diag));
    assert_ok(cycles_of(rows, own, "workspace", &diag));
    assert_ok(cycles_of(own, own, "workspace", &diag));
    assert_int_equal(cycles_of(own, other, "workspace", &diag).code, STATUS_INPUT);
    assert_non_null(strstr(diag.text, "set \"limits.rows\" of a server to two values"));
}

/* ---- examples ---- */

static void
test_examples_are_evaluated_as_they_say(void **state)
{
    (void)state;
    DEFER(policy_freep)
    struct policy *p = read_policy(HEAD(
        "api-key") "if: {field: expires, endsAfter: 90d}\n" THEN "examples:\n"
                   "  - {name: short, outcome: compliant, time: 2026-01-01T00:00:00Z, fields: "
                   "{expires: 2026-02-01T00:00:00Z}}\n"
                   "  - {name: long, outcome: non-compliant, time: 2026-01-01T00:00:00Z, fields: "
                   "{expires: 2027-02-01T00:00:00Z}}\n"
                   "  - {name: unknown, outcome: not-evaluable, fields: {}}\n"
                   "  - {name: wrong, outcome: compliant, time: 2026-01-01T00:00:00Z, fields: "
                   "{expires: 2027-02-01T00:00:00Z}}\n");
    struct policy_example_result r[POLICY_EXAMPLES_MAX];
    size_t n = 0;
    assert_ok(policy_examples_run(p, NOW, NULL, r, &n));
    assert_int_equal(n, 4);
    assert_true(r[0].passed && r[1].passed && r[2].passed && !r[3].passed);
    assert_refused(HEAD("api-key") "if: {field: expires, endsAfter: 90d}\n" THEN
                                   "examples: [{name: a, outcome: good, fields: {}}]\n",
                   "there is no outcome \"good\"");
    assert_refused(
        HEAD("api-key") "if: {field: expires, endsAfter: 90d}\n" THEN
                        "examples: [{name: a, outcome: compliant, fields: {expire: 1}}]\n",
        "api-key has no field \"expire\"");
}

static void
test_the_table_of_fields_is_in_order(void **state)
{
    (void)state;
    size_t n = 0;
    const struct policy_field *f = policy_fields(&n);
    for (size_t i = 0; i < n; i++) {
        assert_ptr_equal(policy_field_find(f[i].type, f[i].name), &f[i]); /* none twice */
        for (size_t k = i + 1; k < n && strcmp(f[i].type, f[i + 1].type) != 0; k++) {
            assert_string_not_equal(f[i].type, f[k].type);
        }
    }
    assert_string_equal(policy_kind_word(POLICY_TEXTS), "texts");
}

/* ---- many at once, as each alone ---- */

#define MANY 75

static const char *const alone_policies[] = {
    HEAD("model") "if: {field: signed, equals: false}\n" THEN,
    HEAD("model") "where: {field: version, greater: 2}\nif: {field: thresholds_by_group, equals: "
                  "false}\n" THEN,
    HEAD("endpoint") "if: {any: [{field: model.version, exists: false}, {field: model.version, "
                     "less: 5}]}\n" THEN,
    HEAD("dataset") "if: {field: rows, greater: 10}\n" THEN,
    HEAD("model") "if: {field: format, in: [a, b]}\nthen: {effect: disabled, message: m}\n",
};
static const char *const alone_scopes[] = {"workspace", "model/m-1", "endpoint/m-1", "model/none"};

/* Fields are set, null or absent by the number. */
static json_t *
resource_of(unsigned i)
{
    char name[16], scope[32];
    const bool model = i % 5 < 3;
    (void)snprintf(name, sizeof name, "m-%u", i % 4);
    (void)snprintf(scope, sizeof scope, "%s/%s", i % 7 == 0 ? "endpoint" : "model", name);
    json_t *fields = json_object();
    if (model && i % 3 != 0) {
        assert_ok(js_set(fields, "signed", i % 11 == 0 ? json_null() : json_boolean(i % 2)));
        assert_ok(js_set(fields, "version", json_integer(i % 6)));
    } else if (!model) {
        assert_ok(js_set(fields, "model.version", i % 2 == 0 ? json_integer(i % 9) : json_null()));
    }
    if (model && i % 4 == 1) {
        assert_ok(js_set(fields, "thresholds_by_group", json_boolean(i % 8 == 1)));
    }
    return json_pack("{s:s, s:s, s:[s], s:o}", "type", model ? "model" : "endpoint", "name", name,
                     "scope", scope, "fields", fields);
}

/* What one assignment finds of one resource, which is all that there is. */
static void
assert_as_alone(const struct policy_question *q, const struct policy_finding *found)
{
    const struct policy_question one = {.assignments = found->assignment,
                                        .assignment_count = 1,
                                        .exemptions = q->exemptions,
                                        .exemption_count = q->exemption_count,
                                        .now_ns = q->now_ns};
    DEFER(js_freep)
    json_t *d = json_pack("{s:[s,s], s:[O]}", "holds", "model", "endpoint", "resources",
                          (json_t *)(uintptr_t)found->resource);
    DEFER(policy_state_freep) struct policy_state *s = NULL;
    DEFER(memory_freep) struct policy_finding *f = NULL;
    size_t n = 0;
    assert_ok(policy_state_read(d, NULL, &s));
    assert_ok(policy_evaluate(&one, s, &f, &n));
    assert_int_equal(n, 1);
    assert_ptr_equal(f->resource, found->resource);
    assert_int_equal(f->outcome, found->outcome);
    assert_true(f->until_ns == found->until_ns);
}

/* Of that assignment, resources that its policy is about and its scope has, in their order. */
static size_t
assert_run(const struct policy_question *q, const struct policy_assignment *a,
           const json_t *resources, const struct policy_finding *f)
{
    size_t n = 0, i;
    json_t *r = NULL;
    json_array_foreach((json_t *)(uintptr_t)resources, i, r)
    {
        const char *scope = json_string_value(json_array_get(json_object_get(r, "scope"), 0));
        if (strcmp(json_string_value(json_object_get(r, "type")), a->policy->type) != 0 ||
            (strcmp(a->scope, "workspace") != 0 && strcmp(a->scope, scope) != 0)) {
            continue;
        }
        assert_ptr_equal(f[n].assignment, a);
        assert_ptr_equal(f[n].resource, r);
        assert_as_alone(q, &f[n++]);
    }
    if (n == 0) {
        const bool held = strcmp(a->policy->type, "dataset") != 0;
        assert_ptr_equal(f->assignment, a);
        assert_null(f->resource);
        assert_int_equal(f->outcome, held ? POLICY_NOT_APPLICABLE : POLICY_NOT_EVALUABLE);
    }
    return n == 0 ? 1 : n;
}

static void
test_many_are_found_as_each_alone_and_in_order(void **state)
{
    (void)state;
    enum { POLICIES = 5, SCOPES = 4 };
    struct policy *policies[POLICIES];
    struct policy_assignment all[POLICIES * SCOPES];
    size_t assigned = 0, n = 0, at = 0;
    DEFER(arena_freep) struct arena *arena = arena_new(1u << 20);
    json_t *resources = json_array();
    DEFER(js_freep)
    json_t *d = json_pack("{s:[s,s], s:o}", "holds", "model", "endpoint", "resources", resources);
    DEFER(policy_state_freep) struct policy_state *s = NULL;
    DEFER(memory_freep) struct policy_finding *f = NULL;
    for (unsigned i = 0; i < MANY; i++) {
        assert_int_equal(json_array_append_new(resources, resource_of(i)), 0);
    }
    for (unsigned p = 0; p < POLICIES; p++) {
        policies[p] = read_policy(alone_policies[p]);
        for (unsigned k = 0; k < SCOPES; k++) {
            char name[16];
            (void)snprintf(name, sizeof name, "a-%u-%u", p, k);
            assert_ok(policy_assign(policies[p], name, alone_scopes[k], NULL, arena, NULL,
                                    &all[assigned++]));
        }
    }
    const struct policy_exemption exemptions[] = {
        {.assignment = "a-0-0", .resource = "model/m-2", .until_ns = NOW + NS_PER_S},
        {.assignment = "a-0-0", .resource = "model/m-3", .until_ns = NOW},
        {.assignment = "a-2-0", .resource = "workspace", .until_ns = NOW + 2 * NS_PER_S}};
    const struct policy_question q = {.assignments = all,
                                      .assignment_count = assigned,
                                      .exemptions = exemptions,
                                      .exemption_count = 3,
                                      .now_ns = NOW};
    assert_ok(policy_state_read(d, NULL, &s));
    assert_ok(policy_evaluate(&q, s, &f, &n));
    size_t seen[POLICY_OUTCOMES] = {0};
    for (size_t i = 0; i < n; i++) {
        seen[f[i].outcome]++;
    }
    for (size_t o = 0; o < POLICY_OUTCOMES; o++) {
        assert_true(seen[o] > 0);
    }
    for (size_t i = 0; i < assigned; i++) {
        at += all[i].effect == POLICY_DISABLED ? 0 : assert_run(&q, &all[i], resources, f + at);
    }
    assert_int_equal(at, n);
    for (unsigned p = 0; p < POLICIES; p++) {
        policy_free(policies[p]);
    }
}

/* ---- conditions of many at once, and of each ---- */

static const char *const leaves[2][12] = {
    {"field: key.provider, equals: kms", "field: key.provider, notEquals: kms",
     "field: key.provider, in: [file, kms]", "field: key.provider, like: k*",
     "field: key.generation, less: 3", "field: key.generation, lessOrEquals: 3",
     "field: key.made, olderThan: 90d", "field: key.made, endsWithin: 90d",
     "field: key.revoked, equals: true", "field: key.revoked, exists: false",
     "field: administrators, contains: kim", "count: {of: administrators}, greater: 1"},
    {"field: tls.minimum, less: 1.3", "field: tls.minimum, greaterOrEquals: 1.3",
     "field: limits.idle, greater: 30s", "field: limits.idle, equals: 30s",
     "field: network.data_allow, notContains: kim", "field: network.data_allow, exists: true",
     "count: {of: network.egress}, greater: 1",
     "count: {of: network.egress, where: {field: plain, equals: true}}, less: 1",
     "count: {of: network.egress, where: {field: host, notEquals: kim}}, equals: 1",
     "field: tls.client_ca, match: k?m", "field: tls.client_ca, notIn: [kms, kim]",
     "field: limits.rows, greater: 2"}};

static void
put_condition(struct rng *r, unsigned type, unsigned depth, struct buf *b)
{
    static const char *const several[] = {"all", "any", "not"};
    const uint64_t shape = depth == 0 ? 3 : rng_u64(r) % 4;
    if (shape == 3) {
        buf_printf(b, "{%s}", leaves[type][rng_u64(r) % 12]);
        return;
    }
    buf_printf(b, shape == 2 ? "{%s: " : "{%s: [", several[shape]);
    for (uint64_t i = 0, n = shape == 2 ? 1 : 1 + rng_u64(r) % 3; i < n; i++) {
        buf_put_str(b, i > 0 ? ", " : "");
        put_condition(r, type, depth - 1, b);
    }
    buf_put_str(b, shape == 2 ? "}" : "]}");
}

/* Absent, null or one of the values, which are separated by '|'. */
static void
put_field(struct rng *r, const char *name, const char *values, struct buf *b)
{
    uint64_t n = rng_u64(r) % 6;
    if (n > 1) {
        for (n -= 2; n > 0 && strchr(values, '|') != NULL; n--) {
            values = strchr(values, '|') + 1;
        }
        buf_printf(b, ", \"%s\": %.*s", name, (int)strcspn(values, "|"), values);
    } else if (n == 1) {
        buf_printf(b, ", \"%s\": null", name);
    }
}

static void
put_fields(struct rng *r, unsigned type, struct buf *b)
{
    buf_put_str(b, type == 0 ? "{\"models\": []" : "{\"audit.quorum\": 1");
    if (type == 0) {
        put_field(r, "key.provider", "\"kms\"|\"file\"|\"kim\"|\"\"", b);
        put_field(r, "key.generation", "2|3|4|2.5", b);
        put_field(r, "key.made",
                  "\"2026-11-25T09:30:00Z\"|\"2026-01-01T00:00:00Z\"|\"2027-01-01T00:00:00Z\"", b);
        put_field(r, "key.revoked", "true|false", b);
        put_field(r, "administrators", "[]|[\"kim\"]|[\"lee\", \"kim\"]", b);
    } else {
        put_field(r, "tls.minimum", "\"1.2\"|\"1.3\"|\"1.10\"", b);
        put_field(r, "limits.idle", "30|29|31", b);
        put_field(r, "limits.rows", "2|3", b);
        put_field(r, "network.data_allow", "[]|[\"kim\"]|[\"lee\", \"kim\"]", b);
        put_field(r, "tls.client_ca", "\"kim\"|\"kms\"|\"k1m\"", b);
        put_field(r, "network.egress",
                  "[]|[{\"host\": \"kim\", \"plain\": true}]|[{\"host\": \"lee\", \"plain\": "
                  "false}, {\"host\": null}]",
                  b);
    }
    buf_put_str(b, "}");
}

/* A condition of `type`, and of up to 64 resources at once what it is of each of them. */
static void
check_condition(struct rng *r, unsigned type, const struct policy_cell *const *cells,
                unsigned ret_seen[static 3])
{
    DEFER(buf_done) struct buf yaml;
    buf_init(&yaml, 1 << 16);
    buf_printf(&yaml, "%sif: ", type == 0 ? HEAD("workspace") : HEAD("server"));
    put_condition(r, type, 3, &yaml);
    buf_put_str(&yaml, "\n" THEN);
    DEFER(policy_freep) struct policy *p = read_policy(buf_str(&yaml));
    const uint64_t open = rng_u64(r) % 4 == 0 ? UINT64_MAX : rng_u64(r) & rng_u64(r);
    const struct policy_truths all = policy_condition_holds_of(p->when, NULL, cells, open, NOW);
    for (unsigned i = 0; i < 64; i++) {
        const uint64_t bit = UINT64_C(1) << i;
        const enum policy_truth t = policy_condition_holds(p->when, NULL, cells[i], NOW);
        const bool asked = (open & bit) != 0;
        assert_int_equal((all.yes & bit) != 0, asked && t == POLICY_TRUE);
        assert_int_equal((all.no & bit) != 0, asked && t == POLICY_FALSE);
        ret_seen[t] += asked;
    }
}

static void
test_a_condition_holds_of_many_as_of_each(void **state)
{
    (void)state;
    DEFER(arena_freep) struct arena *arena = arena_new(1u << 24);
    struct rng r;
    unsigned seen[3] = {0};
    rng_init(&r, 7, "conditions");
    for (unsigned type = 0; type < 2; type++) {
        json_t *documents[64];
        const struct policy_cell *cells[64];
        struct policy_type t;
        assert_true(policy_type_find(type == 0 ? "workspace" : "server", &t));
        for (unsigned i = 0; i < 64; i++) {
            DEFER(buf_done) struct buf text;
            struct diag diag = {0};
            buf_init(&text, 4096);
            put_fields(&r, type, &text);
            assert_ok(js_parse(buf_view(&text), NULL, &diag, &documents[i]));
            if (!status_ok(policy_cells_read(&t, documents[i], arena, &diag, &cells[i]))) {
                fail_msg("%s: %s", diag.text, buf_str(&text));
            }
        }
        for (unsigned i = 0; i < 500; i++) {
            check_condition(&r, type, cells, seen);
        }
        for (unsigned i = 0; i < 64; i++) {
            json_decref(documents[i]);
        }
    }
    assert_true(seen[POLICY_TRUE] > 1000 && seen[POLICY_FALSE] > 1000);
    assert_true(seen[POLICY_UNKNOWN] > 1000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_are_found_as_each_alone_and_in_order),
        cmocka_unit_test(test_a_condition_holds_of_many_as_of_each),
        cmocka_unit_test(test_a_wrong_policy_is_refused_with_line_and_column),
        cmocka_unit_test(test_impossible_durations_and_bombs_are_refused),
        cmocka_unit_test(test_parameters_must_fit_where_they_stand),
        cmocka_unit_test(test_operators_hold),
        cmocka_unit_test(test_what_is_not_known_is_compliant_only_where_it_does_not_matter),
        cmocka_unit_test(test_scopes_exemptions_and_types_decide_what_is_found),
        cmocka_unit_test(test_a_finding_says_what_was_seen_and_what_is_missing),
        cmocka_unit_test(test_a_state_is_checked_against_the_table),
        cmocka_unit_test(test_parameters_are_bound_and_checked),
        cmocka_unit_test(test_policies_that_set_each_other_off_are_refused),
        cmocka_unit_test(test_examples_are_evaluated_as_they_say),
        cmocka_unit_test(test_the_table_of_fields_is_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
