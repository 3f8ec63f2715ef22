/* Roles, groups, explanations and emergencies through the program. */
#include "cli/run.h"

#include "base/clock.h"
#include "testing/schema.h"

static int
set_up(void **state)
{
    const int failed = room_with_workspace(state);
    struct room *m = *state;
    RUN(m, 0, "principal", "add", "ann", "--role", "auditor");
    return failed;
}

static int
tear_down(void **state)
{
    struct room *m = *state;
    DEFER(js_freep) json_t *actions = json_object();
    assert_true(schema_check_log(in(m, "w/audit"), actions) > 0);
    assert_non_null(json_object_get(actions, "principal.write"));
    return room_done(state);
}

/* The newest entry of the log is a refusal, and says so. */
#define LOG_HAS(M, TEXT)                                                                           \
    do {                                                                                           \
        RUN(M, 0, "audit", "show", "--last", "1");                                                 \
        OUT_HAS(M, "deny");                                                                        \
        OUT_HAS(M, "principal.write");                                                             \
        RUN(M, 0, "audit", "show", "--last", "1", "--json");                                       \
        OUT_HAS(M, TEXT);                                                                          \
    } while (0)

static void
a_key_set_of_a_million_keys_makes_no_issuer(void **state)
{
    struct room *m = *state;
    DEFER(buf_done) struct buf keys;
    buf_init(&keys, 1u << 26);
    buf_put_str(&keys, "{\"keys\":[{}");
    for (unsigned i = 1; i < 1000000; i++) {
        buf_put_str(&keys, ",{}");
    }
    buf_put_str(&keys, "]}");
    testing_write(in(m, "keys.json"), buf_view(&keys));
    RUN(m, 2, "issuer", "add", "many", "--url", "https://a.example", "--audience", "x",
        "--algorithm", "ES256", "--jwks", in(m, "keys.json"));
    ERR_HAS(m, "keys.json");
    LOG_HAS(m, "keys.json");
    RUN(m, 0, "issuer", "list", "--json");
    assert_string_equal(buf_str(&m->r.out), "[]\n");
}

static void
refuses_what_it_cannot_read(void **state)
{
    struct room *m = *state;
    RUN(m, 4, "role", "import", in(m, "none.yaml"));
    testing_write(in(m, "r.yaml"), view_str("roles: [{name: x, rules: [{actions: [fly]}]}]"));
    RUN(m, 2, "role", "import", in(m, "r.yaml"));
    ERR_HAS(m, "r.yaml line 1: there is no action \"fly\"");
    LOG_HAS(m, "there is no action");
    testing_write(in(m, "r.yaml"),
                  view_str("roles:\n- name: x\n  rules:\n  - actions: [model.read]\n    when: "
                           "{address: [10.0.0.1/8]}\n"));
    RUN(m, 2, "role", "import", in(m, "r.yaml"));
    ERR_HAS(m, "r.yaml line 4: address \"10.0.0.1/8\": bits stand behind the 8 that count");
    LOG_HAS(m, "bits stand behind the 8 that count");
    testing_write(in(m, "r.yaml"),
                  view_str("grants: [{to: ann, role: caller, resource: models/x}]"));
    RUN(m, 2, "role", "import", in(m, "r.yaml"));
    ERR_HAS(m, "resource \"models/x\" refers to nothing");
    LOG_HAS(m, "refers to nothing");
    RUN(m, 3, "access", "explain", "ann", "model.infer", "models/x"); /* nobody has it */
    RUN(m, 2, "access", "explain", "ann", "model.fly", "models/x");
    ERR_HAS(m, "there is no action \"model.fly\"");
    RUN(m, 2, "access", "explain", "ann", "model.read", "models/x", "--at", "noon");
    ERR_HAS(m, "--at noon");
    RUN(m, 2, "access", "break-glass", "ann", "--role", "admin");
    ERR_HAS(m, "--reason TEXT");
    RUN(m, 2, "access", "break-glass", "ann", "--role", "admin", "--reason", "a long enough one",
        "--for", "25h");
    RUN(m, 4, "access", "break-glass", "zed", "--role", "admin", "--reason", "a long enough one");
    RUN(m, 2, "principal", "grant", "ann", "--role", "caller", "--from", "10.0.0.0/99");
    ERR_HAS(m, "write a network such as");
    RUN(m, 2, "role", "remove", "caller");
    RUN(m, 4, "group", "remove", "none");
}

static void
explains_with_exit_code_and_reason(void **state)
{
    struct room *m = *state;
    RUN(m, 0, "principal", "grant", "ann", "--role", "caller", "--resource", "models/x", "--from",
        "10.0.0.0/8", "--purpose", "claims", "--hours", "08:00-18:00", "--days", "mon-fri",
        "--until", "2030-01-01T00:00:00Z");
    RUN(m, 3, "access", "explain", "ann", "model.infer", "models/x", "--at", "2026-11-25T09:00:00Z",
        "--purpose", "claims");
    OUT_HAS(m, "denied: default deny");
    OUT_HAS(m, "from outside its addresses");
    RUN(m, 0, "access", "explain", "ann", "model.infer", "models/x", "--from", "10.1.1.1",
        "--purpose", "claims", "--at", "2026-11-25T09:00:00Z");
    OUT_HAS(m, "allowed: role caller on models/x");
    OUT_HAS(m, "output: full");
    RUN(m, 3, "access", "explain", "ann", "model.infer", "models/x", "--from", "10.1.1.1",
        "--purpose", "claims", "--at", "2030-01-01T09:00:00Z", "--json");
    json_t *o = out_json(m);
    assert_true(json_is_false(json_object_get(o, "allow")));
    assert_string_equal(json_string_value(json_object_get(
                            json_array_get(json_object_get(o, "considered"), 0), "why")),
                        "its time is over");
    json_decref(o);
    RUN(m, 3, "access", "explain", "nobody", "model.infer", "models/x");
    OUT_HAS(m, "no grant has this action there");
    RUN(m, 0, "principal", "list");
    OUT_HAS(m, "caller on models/x (under conditions)");
}

static void
takes_a_file_and_says_what_was_taken(void **state)
{
    struct room *m = *state;
    testing_write(in(m, "r.yaml"),
                  view_str("roles:\n"
                           "- name: desk\n"
                           "  rules: [{actions: [model.infer], resources: [models/x], output: "
                           "class}]\n"
                           "groups: [{name: claims, members: [ann]}]\n"
                           "grants: [{to: 'group:claims', role: desk}]\n"));
    RUN(m, 2, "role", "import", in(m, "r.yaml"));
    RUN(m, 0, "role", "import", in(m, "r.yaml"), "--yet-to-come");
    OUT_HAS(m, "taken: roles 1, groups 1, grants 1");
    RUN(m, 0, "role", "list");
    OUT_HAS(m, "model.infer on models/x, output class");
    RUN(m, 0, "group", "list");
    OUT_HAS(m, "ann");
    RUN(m, 0, "access", "explain", "ann", "model.infer", "models/x");
    OUT_HAS(m, "allowed: role desk on ** (group claims)");
    RUN(m, 5, "role", "remove", "desk");
    RUN(m, 0, "group", "remove", "claims");
    RUN(m, 0, "role", "remove", "desk");
    RUN(m, 0, "audit", "show");
    OUT_HAS(m, "roles 1, groups 1, grants 1 from a file, sha256 ");
}

static void
breaks_the_glass_and_puts_it_back(void **state)
{
    struct room *m = *state;
    RUN(m, 0, "access", "break-glass", "ann", "--role", "admin", "--for", "30m", "--reason",
        "all admins are away");
    ERR_HAS(m, "BREAK-GLASS: ann has role admin on **");
    RUN(m, 0, "access", "explain", "ann", "key.issue", "principals/ann");
    OUT_HAS(m, "allowed: BREAK-GLASS role admin on **: all admins are away");
    RUN(m, 0, "principal", "list");
    OUT_HAS(m, "BREAK-GLASS admin on **");
    RUN(m, 0, "access", "break-glass", "ann", "--end", "--json");
    OUT_HAS(m, "\"ended\": 1");
    RUN(m, 3, "access", "explain", "ann", "key.issue", "principals/ann");
    RUN(m, 0, "audit", "show");
    OUT_HAS(m, "BREAK-GLASS role admin on ** for 30m: all admins are away");
    OUT_HAS(m, "BREAK-GLASS ended");
}

/* What a role may not see unmasked is missing: values, and the words of a category. */
static void
shows_what_a_principal_may_see(void **state)
{
    struct room *m = *state;
    testing_write(in(m, "d.csv"), view_str("age,city,paid\n31,north,yes\n32,south,no\n"
                                           "33,north,yes\n34,south,no\n"));
    RUN(m, 0, "dataset", "add", "d", in(m, "d.csv"), "--label", "paid");
    RUN(m, 0, "model", "train", "m", "--data", "d", "--split", "1", "--rounds", "1");
    testing_write(in(m, "r.yaml"),
                  view_str("roles: [{name: ages, rules: [{actions: [dataset.read], unmasked: "
                           "[age]}]}]\ngrants: [{to: ann, role: ages, resource: datasets/d}]\n"));
    RUN(m, 0, "role", "import", in(m, "r.yaml"));
    RUN(m, 0, "dataset", "show", "d", "--json");
    OUT_HAS(m, "south");
    RUN(m, 0, "dataset", "show", "d", "--json", "--as", "ann");
    assert_null(strstr(buf_str(&m->r.out), "south"));
    OUT_HAS(m, "\"masked\": true");
    RUN(m, 0, "model", "request", "m", "--data", "d", "--as", "ann");
    OUT_HAS(m, "[31,32,33,34]");
    OUT_HAS(m, "[null,null,null,null]");
    assert_null(strstr(buf_str(&m->r.out), "north"));
    RUN(m, 0, "model", "request", "m", "--data", "d");
    OUT_HAS(m, "north");
    RUN(m, 3, "model", "request", "m", "--data", "d", "--as", "nobody");
    ERR_HAS(m, "nobody may not read datasets/d: default deny");
}

#define TEST(F) cmocka_unit_test_setup_teardown(F, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest cases[] = {
        TEST(a_key_set_of_a_million_keys_makes_no_issuer),
        TEST(refuses_what_it_cannot_read),
        TEST(explains_with_exit_code_and_reason),
        TEST(takes_a_file_and_says_what_was_taken),
        TEST(breaks_the_glass_and_puts_it_back),
        TEST(shows_what_a_principal_may_see),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
