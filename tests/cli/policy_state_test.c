/* What policies can look at is what is gathered, field by field, of a workspace that has one of
 * everything: a field that nothing gathers makes policies that can never be evaluated. */
#include "cli/run.h"

#define KEYS                                                                                       \
    "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"a\","                                  \
    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","                                       \
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}"

static int
set_up(void **state)
{
    const int failed = room_with_workspace(state);
    struct room *m = *state;
    RUN(m, 0, "principal", "add", "ann", "--role", "caller");
    RUN(m, 0, "api-key", "issue", "ann", "--expires", "30d");
    testing_write(in(m, "keys.json"), view_str(KEYS));
    RUN(m, 0, "issuer", "add", "id", "--url", "https://a.example", "--audience", "x", "--algorithm",
        "ES256", "--jwks", in(m, "keys.json"));
    RUN(m, 0, "dataset", "add", "lending", m->csv, CSV_OPTIONS, "--subject", "hirat");
    RUN(m, 0, "model", "train", "mortgage", "--data", "lending", "--rounds", "3");
    testing_write(
        in(m, "w/steward.yaml"),
        view_str("limits:\n  quotas: [fair 600 calls/minute model=mortgage each, "
                 "desk 9 rows/day group=desk model=other, all 5 calls/day]\n"
                 "network:\n  management_listen: 127.0.0.1:1\n  egress: [export a.example 6514]\n"
                 "capture:\n  endpoints: [\"mortgage 5% keep=3d\", \"mortgage@2 full\", "
                 "\"* full fail=open\"]\n"
                 "audit:\n  export: [siem syslog://a.example:6514 ocsf]\n"));
    return failed;
}

/* Whether one of the resources of that type has the field; of a list's objects, one of them. */
static bool
has(const json_t *resources, const char *type, const char *field)
{
    const json_t *r = NULL, *o = NULL;
    size_t i = 0, k = 0;
    json_array_foreach(resources, i, r)
    {
        const json_t *fields = json_object_get(r, "fields");
        if (strcmp(json_string_value(json_object_get(r, "type")), type) != 0) {
            continue;
        }
        if (json_object_get(fields, field) != NULL) {
            return true;
        }
        for (const char *dot = strchr(field, '.'); dot != NULL; dot = strchr(dot + 1, '.')) {
            char list[64];
            (void)snprintf(list, sizeof list, "%.*s", (int)(dot - field), field);
            json_array_foreach(json_object_get(fields, list), k, o)
            {
                if (json_object_get(o, dot + 1) != NULL) {
                    return true;
                }
            }
        }
    }
    return false;
}

static void
every_field_is_gathered(void **state)
{
    struct room *m = *state;
    RUN(m, 0, "policy", "state", "--json");
    json_t *document = out_json(m);
    RUN(m, 0, "policy", "fields", "--json");
    json_t *fields = out_json(m), *f = NULL;
    size_t i = 0, missing = 0;
    json_array_foreach(fields, i, f)
    {
        const char *type = json_string_value(json_object_get(f, "type")),
                   *field = json_string_value(json_object_get(f, "field"));
        if (!has(json_object_get(document, "resources"), type, field)) {
            print_error("%s: nothing gathers \"%s\"\n", type, field);
            missing++;
        }
    }
    assert_true(i > 100);
    assert_int_equal(missing, 0);
    json_decref(fields);
    json_decref(document);
}

static void
what_the_configuration_says_of_an_endpoint_is_its_field(void **state)
{
    struct room *m = *state;
    RUN(m, 0, "policy", "state", "--type", "endpoint", "--json");
    json_t *document = out_json(m);
    const json_t *list = json_object_get(document, "resources");
    assert_int_equal(json_array_size(list), 1);
    const json_t *fields = json_object_get(json_array_get(list, 0), "fields");
    assert_string_equal(json_string_value(json_object_get(fields, "capture")),
                        "full"); /* of version 2 */
    assert_string_equal(json_string_value(json_object_get(fields, "capture.least")),
                        "sampled"); /* of the newest, and of every version but 2 */
    assert_true(json_number_value(json_object_get(fields, "capture.keep")) == 3 * 86400.0);
    const json_t *quotas = json_object_get(fields, "quotas");
    assert_int_equal(json_array_size(quotas), 2);
    assert_string_equal(json_string_value(json_array_get(quotas, 0)), "fair");
    assert_string_equal(json_string_value(json_array_get(quotas, 1)), "all");
    json_decref(document);
    RUN(m, 2, "policy", "state", "--type", "monitor");
    ERR_HAS(m, "there is no type \"monitor\"");
}

static void
exports_captures_and_quotas_are_policies_own(void **state)
{
    struct room *m = *state;
    RUN(m, 0, "policy", "assign", "log-exported");
    RUN(m, 0, "policy", "assign", "endpoint-quota");
    RUN(m, 0, "policy", "assign", "capture-retention", "--set", "longest=10d");
    RUN(m, 7, "policy", "check", "--all");
    OUT_HAS(m, "log-exported: compliant: server/server");
    OUT_HAS(m, "endpoint-quota: compliant: endpoint/mortgage");
    OUT_HAS(m, "capture-retention: non-compliant: server/server"); /* capture.keep is 30d */
    testing_write(in(m, "none.yaml"), view_str("audit:\n  publish: 1s\n"));
    RUN(m, 7, "policy", "check", "--config", in(m, "none.yaml"));
    OUT_HAS(m, "log-exported: non-compliant: server/server");
    OUT_HAS(m, "endpoint-quota: non-compliant: endpoint/mortgage");
    RUN(m, 0, "policy", "assign", "log-exported", "--set", "effect=deny");
    RUN(m, 3, "serve", "--config", in(m, "none.yaml"), "--listen", "127.0.0.1:0");
    ERR_HAS(m, "denied by policy log-exported");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, set_up, room_done)
        TEST(every_field_is_gathered),
        TEST(what_the_configuration_says_of_an_endpoint_is_its_field),
        TEST(exports_captures_and_quotas_are_policies_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
