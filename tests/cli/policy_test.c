/* Policies through the program: what is denied, modified, deployed, exempt, and found. */
#include "cli/run.h"

#include "base/clock.h"

#include <unistd.h>

static int
set_up(void **state)
{
    const int failed = room_with_workspace(state);
    struct room *m = *state;
    RUN(m, 0, "principal", "add", "ann", "--role", "caller");
    return failed;
}

static void
every_built_in_policy_says_what_its_examples_say(void **state)
{
    struct room *m = *state;
    RUN(m, 0, "policy", "test");
    OUT_HAS(m, " examples, 0 failed");
    testing_write(in(m, "p.yaml"),
                  view_str("id: p\nversion: 1.0\ntitle: t\ncategory: c\nseverity: low\n"
                           "resource: api-key\nif: {field: lifetime, greater: 1d}\n"
                           "then: {effect: audit, message: m}\n"
                           "examples: [{name: a, outcome: compliant, fields: {lifetime: 2d}}]\n"));
    RUN(m, 7, "policy", "test", in(m, "p.yaml"));
    OUT_HAS(m, "example \"a\" is non-compliant, and should be compliant");
    RUN(m, 4, "policy", "assign", "api-key-lifetim");
    RUN(m, 2, "policy", "assign", "api-key-lifetime", "--set", "longest=soon");
    ERR_HAS(m, "\"soon\" is not a duration");
}

static void
a_change_is_refused_by_name_and_leaves_nothing(void **state)
{
    struct room *m = *state;
    RUN(m, 0, "api-key", "issue", "ann", "--expires", "200d");
    RUN(m, 0, "policy", "assign", "api-key-lifetime", "--set", "effect=deny", "--name", "short");
    RUN(m, 3, "api-key", "issue", "ann", "--expires", "100d");
    ERR_HAS(m, "denied by policy api-key-lifetime (assignment short)");
    ERR_HAS(m, "lifetime 8640000");
    RUN(m, 0, "api-key", "list", "--json");
    json_t *keys = out_json(m);
    assert_int_equal(json_array_size(keys),
                     1); /* the one that was there is not the change's doing */
    json_decref(keys);
    RUN(m, 0, "api-key", "issue", "ann", "--expires", "30d");
    RUN(m, 0, "audit", "show", "--action", "key.issue", "--json");
    OUT_HAS(m, "denied by policy api-key-lifetime");
    RUN(m, 7, "policy", "check");
    OUT_HAS(m, "short: non-compliant: api-key/");
    RUN(m, 2, "policy", "exempt", "short", "--until", "2099-01-01T00:00:00Z", "--why", "no");
    RUN(m, 0, "policy", "exempt", "short", "--until", "2030-01-01T00:00:00Z", "--why",
        "the partner changes over in 2029");
    RUN(m, 0, "policy", "check");
    OUT_HAS(m, "exempt until 2030-01-01");
    RUN(m, 0, "api-key", "issue", "ann", "--expires", "100d");
    RUN(m, 0, "policy", "unassign", "short");
    RUN(m, 4, "policy", "unassign", "short");
}

static void
grants_and_removals_are_looked_at_too(void **state)
{
    struct room *m = *state;
    RUN(m, 0, "policy", "assign", "administrators-few", "--set", "effect=deny", "--set", "most=1");
    RUN(m, 0, "principal", "add", "bob", "--role", "admin");
    RUN(m, 3, "principal", "add", "eve", "--role", "admin");
    ERR_HAS(m, "policy administrators-few");
    RUN(m, 3, "principal", "grant", "ann", "--role", "admin");
    RUN(m, 0, "principal", "remove", "bob");
    RUN(m, 0, "principal", "add", "eve", "--role", "admin");
    testing_write(in(m, "none.yaml"),
                  view_str("id: keep\nversion: 1.0\ntitle: t\ncategory: c\nseverity: low\n"
                           "resource: workspace\nif: {count: {of: administrators}, less: 1}\n"
                           "then: {effect: deny, message: there must be one}\n"));
    RUN(m, 0, "policy", "assign", in(m, "none.yaml"));
    RUN(m, 3, "principal", "remove", "eve");
    ERR_HAS(m, "there must be one");
    RUN(m, 0, "principal", "list");
    OUT_HAS(m, "eve");
}

static void
a_key_that_would_hold_too_long_is_shortened(void **state)
{
    struct room *m = *state;
    RUN(m, 0, "policy", "assign", "api-key-lifetime", "--set", "effect=modify", "--set",
        "longest=10d");
    RUN(m, 0, "api-key", "issue", "ann", "--expires", "100d");
    ERR_HAS(m, "expires of api-key/");
    RUN(m, 0, "policy", "check");
    RUN(m, 0, "audit", "show", "--action", "policy.modify", "--json");
    OUT_HAS(m, "set to 10d");
}

/* Assigns, under the name "no", what denies a state of which the condition is true. */
static void
deny(struct room *m, const char *type, const char *condition)
{
    char yaml[512], file[600];
    (void)snprintf(file, sizeof file, "%s/no.yaml", m->dir);
    (void)snprintf(yaml, sizeof yaml,
                   "id: no\nversion: 1.0\ntitle: t\ncategory: c\nseverity: low\nresource: %s\n"
                   "if: %s\nthen: {effect: deny, message: not here}\n",
                   type, condition);
    testing_write(file, view_str(yaml));
    RUN(m, 0, "policy", "assign", file);
}

static void
assert_logged(struct room *m, const char *action)
{
    RUN(m, 0, "audit", "show", "--action", action, "--json");
    OUT_HAS(m, "denied by policy no (assignment no)");
}

/* The verb that ran last was refused by that policy, and the log says so. */
static void
assert_denied(struct room *m, const char *action)
{
    ERR_HAS(m, "denied by policy no (assignment no): not here");
    assert_logged(m, action);
}

/* Until it is refused: a certificate that is renewed in the second of the one before ends with it.
 */
static void
renew_until_denied(struct room *m)
{
    const int64_t until = clock_mono_ns() + 60 * NS_PER_S;
    do {
        testing_run_done(&m->r);
        testing_steward(&m->r, "certificate", "renew", NULL);
    } while (m->r.exit_code == 0 && clock_mono_ns() < until);
    assert_int_equal(m->r.exit_code, 3);
}

static void
keys_and_certificates_are_foreseen(void **state)
{
    struct room *m = *state;
    char condition[128];
    deny(m, "workspace", "{field: key.generation, greater: 1}");
    RUN(m, 3, "key", "rotate");
    assert_denied(m, "key.rotate");
    RUN(m, 0, "policy", "state", "--type", "workspace", "--json");
    json_t *o = out_json(m);
    const json_t *fields =
        json_object_get(json_array_get(json_object_get(o, "resources"), 0), "fields");
    assert_int_equal(json_integer_value(json_object_get(fields, "key.generation")), 1);
    (void)snprintf(condition, sizeof condition, "{field: certificate.expires, greater: %s}",
                   json_string_value(json_object_get(fields, "certificate.expires")));
    json_decref(o);
    deny(m, "workspace", condition);
    renew_until_denied(m);
    assert_denied(m, "tls.configure");
    deny(m, "workspace", "{field: backup.made, exists: true}");
    RUN(m, 3, "backup", "create", in(m, "b"));
    assert_denied(m, "backup.create");
    assert_int_not_equal(access(in(m, "b"), F_OK), 0);
}

static void
a_revoked_key_is_foreseen_and_what_denies_it_can_be_undone(void **state)
{
    struct room *m = *state;
    deny(m, "workspace", "{field: key.revoked, equals: true}");
    RUN(m, 3, "key", "revoke");
    assert_denied(m, "key.revoke");
    deny(m, "workspace", "{field: key.revoked, equals: false}");
    RUN(m, 0, "key", "revoke");
    RUN(m, 3, "key", "restore");
    ERR_HAS(m, "denied by policy no (assignment no): not here");
    RUN(m, 3, "policy", "check"); /* it is revoked still */
    RUN(m, 0, "policy", "unassign", "no");
    RUN(m, 0, "key", "restore");
    assert_logged(m, "key.restore");
}

static void
an_erasure_is_foreseen(void **state)
{
    struct room *m = *state;
    testing_write(in(m, "p.csv"), view_str("who,deny,x\nann,yes,1\nbob,no,2\neve,no,3\n"));
    RUN(m, 0, "dataset", "add", "people", in(m, "p.csv"), "--label", "deny", "--subject", "who");
    RUN(m, 0, "dataset", "erase", "people", "--subject", "bob");
    /* What the law holds may not be erased. */
    deny(m, "dataset", "{all: [{field: name, equals: people}, {field: erased, greater: 1}]}");
    RUN(m, 3, "dataset", "erase", "people", "--subject", "ann");
    assert_denied(m, "dataset.erase");
    RUN(m, 0, "dataset", "erase", "people", "--subject", "bob"); /* already */
    RUN(m, 0, "policy", "unassign", "no");
    RUN(m, 0, "dataset", "erase", "people", "--subject", "ann");
    OUT_HAS(m, "1");
}

static void
what_is_missing_is_deployed(void **state)
{
    struct room *m = *state;
    RUN(m, 0, "policy", "assign", "key-policies-assigned");
    RUN(m, 0, "policy", "list");
    OUT_HAS(m, "api-key-lifetime");
    RUN(m, 0, "audit", "show", "--action", "policy.deploy", "--json");
    OUT_HAS(m, "policy api-key-lifetime assigned on workspace");
}

static void
what_is_not_known_is_not_compliant(void **state)
{
    struct room *m = *state;
    char none[600];
    (void)snprintf(none, sizeof none, "%s/none.yaml", m->dir);
    testing_write(none, view_str("id: none\nversion: 1.0\ntitle: t\ncategory: c\nseverity: low\n"
                                 "resource: monitor\nif: {field: model, exists: true}\n"
                                 "then: {effect: audit, message: m}\n"));
    RUN(m, 2, "policy", "assign", none); /* nothing gathers that */
    ERR_HAS(m, "there is no resource \"monitor\"");
    /* A certificate that cannot be read has no end that is known. */
    testing_write(none, view_str("id: none\nversion: 1.0\ntitle: t\ncategory: c\nseverity: low\n"
                                 "resource: workspace\n"
                                 "if: {field: certificate.expires, exists: false}\n"
                                 "then: {effect: audit, message: m}\n"));
    RUN(m, 0, "policy", "assign", none);
    assert_int_equal(unlink(in(m, "w/tls/cert.pem")), 0);
    RUN(m, 0, "policy", "check", "--json");
    json_t *o = out_json(m);
    json_t *counts = json_object_get(o, "counts");
    assert_int_equal(json_integer_value(json_object_get(counts, "not-evaluable")), 1);
    assert_int_equal(json_integer_value(json_object_get(counts, "compliant")), 0);
    json_decref(o);
}

static void
drift_is_told_once(void **state)
{
    struct room *m = *state;
    RUN(m, 0, "policy", "assign", "client-certificates");
    RUN(m, 7, "policy", "check");
    RUN(m, 0, "audit", "show", "--action", "policy.state", "--json");
    OUT_HAS(m, "server/server: non-compliant, before not looked at");
    testing_write(in(m, "good.yaml"),
                  view_str("tls:\n  client_certificates: require\n  client_ca: /none.pem\n"));
    RUN(m, 0, "policy", "check", "--config", in(m, "good.yaml"));
    ERR_HAS(m, "server/server: compliant, before non-compliant");
    RUN(m, 7, "policy", "check");
    ERR_HAS(m, "policy drift: server/server: non-compliant, before compliant");
    RUN(m, 7, "policy", "check");
    assert_int_equal(m->r.err.len, 0);
}

/* How many alerts of that action the log has, and that each is of that subject. */
static size_t
alerts(struct room *m, const char *action, const char *subject)
{
    size_t n = 0, i = 0;
    json_t *entry = NULL;
    RUN(m, 0, "audit", "show", "--action", action, "--json");
    json_t *list = out_json(m);
    json_array_foreach(list, i, entry)
    {
        const json_t *a = json_object_get(json_object_get(entry, "entry"), "alert");
        has_keys(a, "severity policy policy_version");
        n += strcmp(json_string_value(json_object_get(a, "subject")), subject) == 0;
    }
    json_decref(list);
    return n;
}

static void
assert_alerts(struct room *m, const char *subject, size_t raised, size_t cleared)
{
    assert_int_equal(alerts(m, "alert.raise", subject), raised);
    assert_int_equal(alerts(m, "alert.clear", subject), cleared);
}

/* The one finding has that outcome, since a time that is over, with an alert or without; twice the
 * same. */
static void
assert_since(struct room *m, const char *config, int code, const char *outcome, bool alert)
{
    char before[64] = "";
    for (int i = 0; i < 2; i++) {
        int64_t since_ns = 0;
        RUN(m, code, "policy", "check", "--json", config == NULL ? NULL : "--config", config);
        json_t *o = out_json(m);
        const json_t *f = json_array_get(json_object_get(o, "findings"), 0);
        const char *since = json_string_value(json_object_get(f, "since"));
        assert_string_equal(json_string_value(json_object_get(f, "outcome")), outcome);
        assert_non_null(since);
        assert_ok(clock_from_rfc3339(view_str(since), &since_ns));
        assert_true(since_ns <= clock_wall_ns());
        assert_int_equal(json_is_true(json_object_get(f, "alert")), alert);
        assert_true(i == 0 || strcmp(before, since) == 0);
        (void)snprintf(before, sizeof before, "%s", since);
        json_decref(o);
    }
}

static void
drift_raises_an_alert_that_is_cleared_when_it_is_over(void **state)
{
    struct room *m = *state;
    char good[600];
    (void)snprintf(good, sizeof good, "%s/good.yaml", m->dir);
    testing_write(good, view_str("tls:\n  client_certificates: require\n  client_ca: /x.pem\n"));
    RUN(m, 0, "policy", "assign", "client-certificates");
    RUN(m, 7, "policy", "check"); /* it never complied: nothing has drifted */
    assert_alerts(m, "server/server", 0, 0);
    RUN(m, 0, "policy", "check", "--config", good);
    assert_alerts(m, "server/server", 0, 0);
    assert_since(m, good, 0, "compliant", false);
    RUN(m, 7, "policy", "check");
    OUT_HAS(m, "; an alert is open");
    RUN(m, 7, "policy", "check");
    assert_since(m, NULL, 7, "non-compliant", true);
    assert_alerts(m, "server/server", 1, 0);
    RUN(m, 0, "policy", "exempt", "client-certificates", "--until", "2030-01-01T00:00:00Z", "--why",
        "nobody calls it yet");
    RUN(m, 0, "policy", "check");
    assert_alerts(m, "server/server", 1, 1);
    RUN(m, 0, "policy", "check", "--config", good);
    RUN(m, 0, "policy", "exempt", "client-certificates", "--until", "2020-01-01T00:00:00Z", "--why",
        "it is called now, after all");
    RUN(m, 7, "policy", "check");
    assert_alerts(m, "server/server", 2, 1);
    RUN(m, 0, "policy", "unassign", "client-certificates");
    assert_alerts(m, "server/server", 2, 2);
}

static void
an_alert_goes_with_what_it_is_about(void **state)
{
    struct room *m = *state;
    RUN(m, 0, "policy", "assign", "grants-bounded");
    RUN(m, 7, "policy", "check"); /* for ann's, which was there */
    RUN(m, 0, "principal", "add", "bob", "--role", "caller");
    ERR_HAS(m, "policy drift: grant/bob/caller/**: non-compliant, before compliant");
    assert_alerts(m, "grant/bob/caller/**", 1, 0);
    RUN(m, 7, "policy", "check");
    assert_alerts(m, "grant/bob/caller/**", 1, 0);
    RUN(m, 0, "principal", "remove", "bob");
    assert_alerts(m, "grant/bob/caller/**", 1, 1);
    RUN(m, 0, "principal", "add", "bob", "--role", "caller");
    assert_alerts(m, "grant/bob/caller/**", 2, 1);
    RUN(m, 0, "policy", "assign", "grants-bounded", "--why", "anew");
    RUN(m, 7, "policy", "check");
    assert_alerts(m, "grant/bob/caller/**", 2, 2);
    assert_alerts(m, "grant/ann/caller/**", 0, 0);
}

static void
a_server_that_a_policy_denies_does_not_start(void **state)
{
    struct room *m = *state;
    RUN(m, 0, "policy", "assign", "public-network", "--set", "effect=deny");
    RUN(m, 0, "policy", "assign", "idle-connections", "--set", "effect=modify", "--set",
        "longest=30s");
    RUN(m, 3, "serve", "--listen", "0.0.0.0:0");
    ERR_HAS(m, "denied by policy public-network (assignment public-network)");
    ERR_HAS(m, "limits.idle set to 30s: policy idle-connections");
    RUN(m, 0, "audit", "show", "--action", "policy.modify", "--json");
    OUT_HAS(m, "limits.idle set to 30s");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, set_up, room_done)
        TEST(every_built_in_policy_says_what_its_examples_say),
        TEST(a_change_is_refused_by_name_and_leaves_nothing),
        TEST(grants_and_removals_are_looked_at_too),
        TEST(a_key_that_would_hold_too_long_is_shortened),
        TEST(keys_and_certificates_are_foreseen),
        TEST(a_revoked_key_is_foreseen_and_what_denies_it_can_be_undone),
        TEST(an_erasure_is_foreseen),
        TEST(what_is_missing_is_deployed),
        TEST(what_is_not_known_is_not_compliant),
        TEST(drift_is_told_once),
        TEST(drift_raises_an_alert_that_is_cleared_when_it_is_over),
        TEST(an_alert_goes_with_what_it_is_about),
        TEST(a_server_that_a_policy_denies_does_not_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
