/* Roles, groups and grants from YAML, their conditions and rights, and the explanation. */
#include "testing/testing.h"

#include "base/clock.h"
#include "base/file.h"
#include "num/rng.h"
#include "protect/access_policy.h"
#include "testing/vault.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 2026-11-25, a Wednesday, 09:30 UTC. */
#define NOW (INT64_C(1795599000) * NS_PER_S)
#define HOUR (3600 * NS_PER_S)

static char *keys_dir, *dir;
static struct vault *vault;
static struct store *store;
static struct access *access_;

static int
make_keys(void **state)
{
    (void)state;
    keys_dir = testing_dir();
    vault = testing_vault(keys_dir);
    return 0;
}

static int
remove_keys(void **state)
{
    (void)state;
    vault_free(vault);
    testing_dirp(&keys_dir);
    return 0;
}

static int
set_up(void **state)
{
    (void)state;
    dir = testing_dir();
    DEFER(file_freep) char *path = file_join(dir, "state.db");
    assert_ok(store_open(path, vault, NULL, &store));
    assert_ok(access_open(store, vault, &access_));
    assert_ok(access_principal_add(access_, "ann", "auditor", NULL, NOW, NULL));
    assert_ok(access_principal_add(access_, "bob", "auditor", NULL, NOW, NULL));
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    access_free(access_);
    store_free(store);
    testing_dirp(&dir);
    return 0;
}

/* There are models/claims and datasets/lending. */
static bool
exists(void *ctx, const char *resource)
{
    (void)ctx;
    return strcmp(resource, "models/claims") == 0 || strcmp(resource, "datasets/lending") == 0;
}

static struct status
import(const char *yaml, struct diag *diag)
{
    const struct access_policy p = {
        .yaml = view_str(yaml), .file = "r.yaml", .now_ns = NOW, .exists = exists};
    struct access_policy_counts counts = {0};
    *diag = (struct diag){0};
    assert_ok(store_begin(store, NULL));
    const struct status s = access_policy_import(access_, &p, diag, &counts);
    if (!status_ok(s)) {
        store_rollback(store);
        assert_true(diag->text[0] != '\0');
        return s;
    }
    assert_ok(store_commit(store, NULL));
    return s;
}

static void
take(const char *yaml)
{
    struct diag diag;
    const struct status s = import(yaml, &diag);
    if (!status_ok(s)) {
        fail_msg("%s", diag.text);
    }
}

static struct access_caller caller;

static struct access_request
ask(const char *who, enum access_action action, const char *resource)
{
    caller = (struct access_caller){0};
    (void)snprintf(caller.principal, sizeof caller.principal, "%s", who);
    return (struct access_request){
        .caller = &caller, .action = action, .resource = resource, .now_ns = NOW};
}

static bool
allows(const struct access_request *q)
{
    struct access_decision d;
    access_decide(access_, q, &d);
    return d.allow;
}

#define INFERS "roles: [{name: desk, rules: [{actions: [model.infer], output: full"

/* ---- what is refused ---- */

static void
refuses_what_refers_to_nothing_or_is_written_wrongly(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *says;
    } wrong[] = {
        {"rolls: []", "r.yaml line 1: the file has no \"rolls\"; did you mean \"roles\"?"},
        {"[]", "the file holds members"},
        {"roles: 7", "\"roles\" must be a list"},
        {"roles: [7]", "a role holds members"},
        {"roles:\n - about: x", "line 2: a role needs a \"name\""},
        {"roles: [{name: 'A b'}]", "role name \"A b\""},
        {"roles: [{name: desk}]", "a role needs \"rules\""},
        {"roles: [{name: desk, rules: []}]", "a role needs \"rules\""},
        {"roles: [{name: caller, rules: [{actions: [audit.read]}]}]", "role caller is built in"},
        {"roles: [{name: desk, rules: [{output: full}]}]", "a rule needs \"actions\""},
        {"roles: [{name: d, rules: [{actions: [model.infr], output: full}]}]",
         "no action \"model.infr\"; did you mean \"model.infer\"?"},
        {"roles: [{name: d, rules: [{actions: [fly], output: full}]}]",
         "there is no action \"fly\"; there are workspace.configure, "},
        {"roles: [{name: d, rules: [{actions: [model.infer]}]}]", "needs \"output\""},
        {"roles: [{name: d, rules: [{actions: [model.infer], output: some}]}]",
         "output \"some\": there are none, class, rounded and full"},
        {INFERS ", digits: 2}]}]", "\"digits\" must be 1 to 6, and stands with output: rounded"},
        {"roles: [{name: d, rules: [{actions: [audit.read], output: full}]}]",
         "\"output\" and \"explanations\" stand in a rule with model.infer"},
        {INFERS ", ressources: [models/**]}]}]", "did you mean \"resources\"?"},
        {INFERS ", resources: [models/c*]}]}]", "resource \"models/c*\": write a path"},
        {INFERS ", resources: [datasets/**]}]}]", "model.infer refers to nothing"},
        {INFERS ", resources: [models/claims, audit]}]}]", "\"audit\" refers to nothing"},
        {INFERS ", resources: [models/none]}]}]", "\"models/none\" refers to nothing"},
        {"roles: [{name: d, rules: [{actions: [model.infer], output: full}, {actions: [key.*]}]}]",
         "who may call is not who may configure"},
        {INFERS ", when: {addres: 1.2.3.4}}]}]", "did you mean \"address\"?"},
        {INFERS ", when: {address: [10.1.0.0/8]}}]}]", "bits stand behind the 8 that count"},
        {INFERS ", when: {address: [10.0.0.0/33]}}]}]", "write a network such as"},
        {INFERS ", when: {address: [10.0.0]}}]}]", "write a network such as"},
        {INFERS ", when: {address: [\"::1/129\"]}}]}]", "write a network such as"},
        {INFERS ", when: {address: []}}]}]", "\"address\" must be a list of 1"},
        {INFERS ", when: {days: [monday]}}]}]", "day \"monday\""},
        {INFERS ", when: {hours: 8-18}}]}]", "hours \"8-18\""},
        {INFERS ", when: {hours: \"08:00-25:00\"}}]}]", "hours \"08:00-25:00\""},
        {INFERS ", when: {hours: \"08:60-18:00\"}}]}]", "hours"},
        {INFERS ", when: {hours: \"08:00-08:00\"}}]}]", "hours"},
        {INFERS ", when: {zone: \"+01:00\"}}]}]", "\"zone\" says nothing"},
        {INFERS ", when: {hours: \"08:00-09:00\", zone: CET}}]}]", "zone \"CET\""},
        {INFERS ", when: {until: tomorrow}}]}]", "until \"tomorrow\": write a time in UTC"},
        {INFERS ", when: {after: \"2026-01-02T00:00:00Z\", until: \"2026-01-01T00:00:00Z\"}}]}]",
         "\"until\" must be later"},
        {INFERS ", when: {certificate: perhaps}}]}]", "\"certificate\" must be true or false"},
        {INFERS ", when: 7}]}]", "\"when\" must hold conditions"},
        {"groups: [{name: g, members: [zed]}]", "no principal \"zed\""},
        {"groups: [{name: g, members: ann}]", "\"members\" must be a list"},
        {"grants: [{role: caller}]", "a grant needs \"to\""},
        {"grants: [{to: ann}]", "a grant needs a \"role\""},
        {"grants: [{to: zed, role: caller}]", "no principal \"zed\""},
        {"grants: [{to: 'group:none', role: caller}]", "no group \"none\""},
        {"grants: [{to: ann, role: callr}]", "role \"callr\" is not there: there are admin, "},
        {"grants: [{to: ann, role: caller, resource: audit}]", "it has no action there"},
        {"grants: [{to: ann, role: caller, resource: models/none}]", "there is no such thing"},
        {"grants: [{to: ann, role: caller, deny: maybe}]", "\"deny\" must be true or false"},
        {"grants: [{to: ann, role: caller, role: caller}]", "\"role\" stands twice"},
        {"grants: [*x]", "r.yaml line 1: "},
        {"a: &x 1", "anchors and tags"},
        {"roles: [", "r.yaml line 2: "},
        {"--- {}\n--- {}", "a second document"},
        {"[[[[[[[[[[[[[]]]]]]]]]]]]]", "nested too deeply"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct diag diag;
        assert_false(status_ok(import(wrong[i].yaml, &diag)));
        assert_says(&diag, "r.yaml line ");
        assert_says(&diag, wrong[i].says);
    }
}

static void
takes_a_file_whole_or_not_at_all(void **state)
{
    (void)state;
    struct diag diag;
    DEFER(buf_done) struct buf roles;
    buf_init(&roles, 1 << 20);
    assert_status(import("roles: [{name: desk, rules: [{actions: [audit.read]}]}]\n"
                         "grants: [{to: ann, role: desk}, {to: ann, role: nothing}]",
                         &diag),
                  INPUT);
    assert_says(&diag, "line 2");
    assert_ok(access_put_roles(access_, &roles));
    assert_null(strstr(buf_str(&roles), "desk"));
    struct access_request q = ask("ann", ACCESS_PRINCIPAL_READ, "principals/bob");
    assert_true(allows(&q)); /* as before */
    take("");
    take("roles:\ngroups:\ngrants:\n");
    assert_true(allows(&q));
}

static void
keeps_a_role_that_somebody_has(void **state)
{
    (void)state;
    struct diag diag = {0};
    take("roles: [{name: desk, rules: [{actions: [audit.read]}]}]\n"
         "groups: [{name: g, members: [ann]}]\n"
         "grants: [{to: 'group:g', role: desk}]");
    assert_status(access_role_remove(access_, "desk", &diag), EXISTS);
    assert_says(&diag, "role desk is granted to g; take it from them first");
    assert_status(access_role_remove(access_, "caller", &diag), INPUT);
    assert_status(access_role_remove(access_, "nothing", &diag), NOT_FOUND);
    assert_status(access_group_remove(access_, "nothing", &diag), NOT_FOUND);
    assert_ok(access_group_remove(access_, "g", &diag));
    assert_ok(access_role_remove(access_, "desk", &diag));
}

/* ---- groups ---- */

static void
gives_a_group_s_grants_to_its_members_and_to_tokens_that_name_it(void **state)
{
    (void)state;
    struct access_request q = ask("ann", ACCESS_MODEL_INFER, "models/claims");
    assert_false(allows(&q));
    take("groups: [{name: claims, members: [ann]}]\n"
         "grants: [{to: 'group:claims', role: caller, resource: models/claims}]");
    assert_true(allows(&q));
    q = ask("bob", ACCESS_MODEL_INFER, "models/claims");
    assert_false(allows(&q));
    q = ask("corp:carl", ACCESS_MODEL_INFER, "models/claims");
    assert_false(allows(&q));
    (void)strcpy(caller.groups[0], "claims");
    caller.group_count = 1;
    assert_true(allows(&q));
    /* A principal of that name is no group. */
    q = ask("claims", ACCESS_MODEL_INFER, "models/claims");
    assert_false(allows(&q));
    take("grants: [{to: ann, role: caller, deny: true}]");
    q = ask("ann", ACCESS_MODEL_INFER, "models/claims");
    assert_false(allows(&q)); /* her denial beats the group's grant */
    assert_ok(access_principal_remove(access_, "ann", NULL));
    assert_ok(access_principal_add(access_, "ann", "auditor", NULL, NOW, NULL));
    assert_false(allows(&q)); /* she left her groups */
    take("groups: [{name: claims, members: [bob]}]");
    q = ask("bob", ACCESS_MODEL_INFER, "models/claims");
    assert_true(allows(&q)); /* the group kept its grants */
}

static void
gives_whom_a_file_names_these_grants_and_no_others(void **state)
{
    (void)state;
    assert_ok(access_emergency_grant(access_, "ann", "operator", "**", "disk is full, really",
                                     NOW + HOUR, NULL));
    take("grants: [{to: ann, role: caller}]");
    struct access_request q = ask("ann", ACCESS_AUDIT_READ, "audit");
    assert_false(allows(&q));
    q.action = ACCESS_MODEL_INFER;
    q.resource = "models/x";
    assert_true(allows(&q));
    q.action = ACCESS_SERVER_OPERATE; /* the emergency's is not the file's to take */
    q.resource = "server";
    assert_true(allows(&q));
    q = ask("bob", ACCESS_AUDIT_READ, "audit");
    assert_true(allows(&q));
}

/* ---- conditions ---- */

static void
holds_addresses_to_their_networks(void **state)
{
    (void)state;
    static const struct {
        const char *address;
        bool inside;
    } from[] = {
        {"10.0.0.1", true},
        {"10.255.255.255", true},
        {"11.0.0.0", false},
        {"9.255.255.255", false},
        {"192.168.1.7", true},
        {"192.168.1.8", false},
        {"::ffff:10.1.2.3", true},
        {"::ffff:a01:203", true},
        {"2001:db8::1", true},
        {"2001:db9::1", false},
        {"2001:db7:ffff::", false},
        {"::1", false},
        {"::10.0.0.1", false},
        {"", false},
        {NULL, false},
        {"10.0.0.1:80", false},
        {"010.0.0.1", false},
        {"localhost", false},
    };
    take("roles: [{name: desk, rules: [{actions: [model.infer], output: full, when: {address: "
         "[10.0.0.0/8, 192.168.1.7, \"2001:db8::/32\"]}}]}]\n"
         "grants: [{to: ann, role: desk}]");
    for (size_t i = 0; i < sizeof from / sizeof *from; i++) {
        struct access_request q = ask("ann", ACCESS_MODEL_INFER, "models/claims");
        q.address = from[i].address;
        if (allows(&q) != from[i].inside) {
            fail_msg("%s", from[i].address == NULL ? "NULL" : from[i].address);
        }
    }
}

/* Prefixes against a comparison bit by bit. */
static void
matches_prefixes_as_bit_by_bit(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 5, "prefixes");
    for (int round = 0; round < 60; round++) {
        const unsigned bits = (unsigned)rng_below(&r, 33);
        const uint32_t net =
            (uint32_t)rng_below(&r, UINT64_C(1) << 32) & (bits == 0 ? 0 : ~0u << (32 - bits));
        char yaml[300], address[32];
        (void)snprintf(yaml, sizeof yaml,
                       "grants: [{to: ann, role: caller, when: {address: %u.%u.%u.%u/%u}}]",
                       net >> 24, net >> 16 & 255, net >> 8 & 255, net & 255, bits);
        take(yaml);
        for (int k = 0; k < 40; k++) {
            const uint32_t near = net ^ (UINT32_C(1) << rng_below(&r, 32)),
                           from = k % 2 == 0 ? near : (uint32_t)rng_below(&r, UINT64_C(1) << 32);
            bool same = true;
            for (unsigned b = 0; b < bits; b++) {
                same = same && (net >> (31 - b) & 1) == (from >> (31 - b) & 1);
            }
            struct access_request q = ask("ann", ACCESS_MODEL_INFER, "models/claims");
            (void)snprintf(address, sizeof address, "%u.%u.%u.%u", from >> 24, from >> 16 & 255,
                           from >> 8 & 255, from & 255);
            q.address = address;
            assert_int_equal(allows(&q), same);
        }
    }
}

static bool
at(const char *time)
{
    struct access_request q = ask("ann", ACCESS_MODEL_INFER, "models/claims");
    assert_ok(clock_from_rfc3339(view_str(time), &q.now_ns));
    return allows(&q);
}

static void
holds_times_to_their_windows(void **state)
{
    (void)state;
    take("grants: [{to: ann, role: caller, when: {days: [mon-fri], hours: \"08:00-18:00\", zone: "
         "\"+01:00\"}}]");
    assert_true(at("2026-11-25T07:00:00Z")); /* Wednesday, 08:00 there */
    assert_false(at("2026-11-25T06:59:59.999999Z"));
    assert_true(at("2026-11-25T16:59:59Z"));
    assert_false(at("2026-11-25T17:00:00Z"));
    assert_false(at("2026-11-28T10:00:00Z")); /* Saturday */
    assert_true(at("2026-11-30T10:00:00Z"));
    assert_true(at("1969-12-29T10:00:00Z")); /* a Monday before the epoch */
    assert_false(at("1969-12-28T10:00:00Z"));
    /* Over midnight: the night of Friday ends on Saturday morning. */
    take("grants: [{to: ann, role: caller, when: {days: [fri], hours: \"22:00-06:00\"}}]");
    assert_true(at("2026-11-27T22:00:00Z"));
    assert_true(at("2026-11-28T05:59:00Z"));
    assert_false(at("2026-11-28T06:00:00Z"));
    assert_false(at("2026-11-28T22:30:00Z"));
    assert_false(at("2026-11-27T05:00:00Z")); /* the night of Thursday */
    take("grants: [{to: ann, role: caller, when: {days: [sat-mon], zone: \"-11:00\"}}]");
    assert_false(at("2026-11-28T10:59:00Z"));
    assert_true(at("2026-11-28T11:00:00Z"));
    assert_true(at("2026-12-01T10:59:00Z"));
    assert_false(at("2026-12-01T11:00:00Z"));
    take("grants: [{to: ann, role: caller, when: {after: \"2026-11-25T10:00:00Z\", until: "
         "\"2026-11-25T11:00:00Z\"}}]");
    assert_false(at("2026-11-25T09:59:59Z"));
    assert_true(at("2026-11-25T10:00:00Z"));
    assert_false(at("2026-11-25T11:00:00Z"));
}

static void
asks_for_certificate_and_purpose(void **state)
{
    (void)state;
    take("roles: [{name: desk, rules: [{actions: [model.infer], output: full, when: {certificate: "
         "true}}]}]\n"
         "grants: [{to: ann, role: desk, when: {purpose: [claims, fraud review]}}]");
    struct access_request q = ask("ann", ACCESS_MODEL_INFER, "models/claims");
    q.certificate = true;
    assert_false(allows(&q));
    q.purpose = "claims";
    assert_true(allows(&q));
    q.purpose = "fraud review";
    assert_true(allows(&q));
    q.purpose = "Claims";
    assert_false(allows(&q));
    q.purpose = "claims";
    q.certificate = false; /* the role's condition and the grant's must both hold */
    assert_false(allows(&q));
}

/* What a purpose says is in doubt decided against the caller. */
static void
a_denial_is_not_dodged_by_what_is_said_or_not_said(void **state)
{
    (void)state;
    static const struct {
        const char *when, *stated;
        bool allow, deny;
    } of[] = {
        {"purpose: claims", NULL, false, true},
        {"purpose: claims", "", false, true},
        {"purpose: claims", "claims", true, true},
        {"purpose: claims", "CLAIMS", false, true},
        {"purpose: claims", "fun", false, false},
        {"purpose_not: claims", NULL, false, true},
        {"purpose_not: claims", "", false, true},
        {"purpose_not: claims", "claims", false, false},
        {"purpose_not: claims", "CLAIMS", false, true},
        {"purpose_not: claims", "fun", true, true},
        {"purpose: [claims, fun], purpose_not: [fun]", "fun", false, false},
        {"purpose: [claims, fun], purpose_not: [fun]", "claims", true, true},
        {"purpose: [claims, fun], purpose_not: [fun]", NULL, false, true},
    };
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        char yaml[400];
        (void)snprintf(yaml, sizeof yaml,
                       "grants:\n- {to: ann, role: caller, when: {%s}}\n"
                       "- {to: bob, role: caller}\n"
                       "- {to: bob, role: caller, deny: true, when: {%s}}\n",
                       of[i].when, of[i].when);
        take(yaml);
        struct access_request q = ask("ann", ACCESS_MODEL_INFER, "models/claims");
        q.purpose = of[i].stated;
        const bool allowed = allows(&q);
        q = ask("bob", ACCESS_MODEL_INFER, "models/claims");
        q.purpose = of[i].stated;
        if (allowed != of[i].allow || allows(&q) == of[i].deny) {
            fail_msg("%s, stated %s", of[i].when, of[i].stated == NULL ? "none" : of[i].stated);
        }
    }
}

/* Of a role that is denied, its own conditions are read as a denial's, too. */
static void
a_denied_role_keeps_its_doubts(void **state)
{
    (void)state;
    take("roles: [{name: fun, rules: [{actions: [model.infer], output: full, when: {purpose: "
         "fun}}]}]\n"
         "grants:\n- {to: ann, role: caller}\n- {to: ann, role: fun, deny: true}\n");
    struct access_request q = ask("ann", ACCESS_MODEL_INFER, "models/claims");
    assert_false(allows(&q));
    q.purpose = "claims";
    assert_true(allows(&q));
}

/* A denial under conditions denies only then. */
static void
denies_under_conditions(void **state)
{
    (void)state;
    take("grants:\n"
         "- {to: ann, role: caller}\n"
         "- {to: ann, role: caller, deny: true, when: {hours: \"00:00-06:00\"}}");
    assert_true(at("2026-11-25T09:00:00Z"));
    assert_false(at("2026-11-25T05:00:00Z"));
}

/* ---- rights ---- */

static void
adds_up_what_is_told_of_a_prediction(void **state)
{
    (void)state;
    struct access_decision d;
    take("roles:\n"
         "- {name: one, rules: [{actions: [model.infer], output: class}]}\n"
         "- {name: two, rules: [{actions: [model.infer], output: rounded, explanations: true}]}\n"
         "- {name: three, rules: [{actions: [model.infer], output: rounded, digits: 3}]}\n"
         "- {name: four, rules: [{actions: [model.infer], output: none}]}\n"
         "grants:\n"
         "- {to: ann, role: four}\n"
         "- {to: bob, role: four}\n"
         "- {to: bob, role: one, resource: models/*}\n"
         "- {to: bob, role: two, resource: models/claims}\n"
         "- {to: bob, role: three, resource: models/claims, when: {purpose: audit}}");
    struct access_request q = ask("ann", ACCESS_MODEL_INFER, "models/claims");
    access_decide(access_, &q, &d);
    assert_true(d.allow);
    assert_int_equal(d.output, ACCESS_OUTPUT_NONE);
    q = ask("bob", ACCESS_MODEL_INFER, "models/other");
    access_decide(access_, &q, &d);
    assert_int_equal(d.output, ACCESS_OUTPUT_CLASS);
    assert_false(d.explanations);
    q = ask("bob", ACCESS_MODEL_INFER, "models/claims");
    access_decide(access_, &q, &d);
    assert_int_equal(d.output, ACCESS_OUTPUT_ROUNDED);
    assert_int_equal(d.digits, 2);
    assert_true(d.explanations);
    q.purpose = "audit";
    access_decide(access_, &q, &d);
    assert_int_equal(d.digits, 3);
}

static void
shows_the_columns_of_every_rule_that_holds(void **state)
{
    (void)state;
    static const char *const columns[] = {"age", "income", "sex"};
    bool seen[3];
    take("roles:\n"
         "- {name: one, rules: [{actions: [dataset.read], unmasked: [age]}]}\n"
         "- {name: two, rules: [{actions: [dataset.read], unmasked: [income, age]}]}\n"
         "- {name: all, rules: [{actions: [dataset.read], unmasked: ['*']}]}\n"
         "grants:\n"
         "- {to: ann, role: one}\n"
         "- {to: ann, role: two, when: {purpose: audit}}\n"
         "- {to: bob, role: all, resource: datasets/lending}\n"
         "- {to: bob, role: auditor}");
    struct access_request q = ask("ann", ACCESS_DATASET_READ, "datasets/lending");
    access_columns(access_, &q, columns, 3, seen);
    assert_true(seen[0] && !seen[1] && !seen[2]);
    q.purpose = "audit";
    access_columns(access_, &q, columns, 3, seen);
    assert_true(seen[0] && seen[1] && !seen[2]);
    q = ask("bob", ACCESS_DATASET_READ, "datasets/lending");
    access_columns(access_, &q, columns, 3, seen);
    assert_true(seen[0] && seen[1] && seen[2]);
    q.resource = "datasets/other"; /* an auditor reads no values */
    access_columns(access_, &q, columns, 3, seen);
    assert_false(seen[0] || seen[1] || seen[2]);
    q = ask("zed", ACCESS_DATASET_READ, "datasets/lending");
    access_columns(access_, &q, columns, 3, seen);
    assert_false(seen[0] || seen[1] || seen[2]);
}

/* ---- emergencies ---- */

static void
breaks_the_glass_loudly_and_for_a_time(void **state)
{
    (void)state;
    struct access_decision d;
    size_t ended = 0;
    struct access_request q = ask("ann", ACCESS_KEY_ISSUE, "principals/ann");
    assert_false(allows(&q));
    assert_ok(access_emergency_grant(access_, "ann", "admin", "**", "the admins are all away",
                                     NOW + HOUR, NULL));
    access_decide(access_, &q, &d);
    assert_true(d.allow && d.break_glass);
    assert_string_equal(d.rule, "BREAK-GLASS role admin on **: the admins are all away");
    q.action = ACCESS_AUDIT_READ; /* what she has anyway does not rest on it */
    q.resource = "audit";
    access_decide(access_, &q, &d);
    assert_true(d.allow && !d.break_glass);
    q = ask("ann", ACCESS_KEY_ISSUE, "principals/ann");
    q.now_ns = NOW + HOUR;
    assert_false(allows(&q));
    q.now_ns = NOW;
    assert_ok(access_grant_add(access_, "ann", "admin", "principals/**", false, NULL));
    assert_false(allows(&q)); /* a denial beats it */
    assert_ok(access_emergency_end(access_, "ann", NULL, &ended));
    assert_int_equal(ended, 1);
    q.resource = "keys/x";
    assert_false(allows(&q));
}

/* What is seen beyond one's own role rests on the emergency, even where the call itself does not.
 */
static void
seeing_more_by_broken_glass_is_loud(void **state)
{
    (void)state;
    struct access_decision d;
    take("roles: [{name: desk, rules: [{actions: [model.infer], output: class}]}]\n"
         "grants: [{to: ann, role: desk}]");
    struct access_request q = ask("ann", ACCESS_MODEL_INFER, "models/claims");
    assert_ok(access_emergency_grant(access_, "ann", "caller", "**", "the desk is on fire",
                                     NOW + HOUR, NULL));
    access_decide(access_, &q, &d);
    assert_true(d.allow && d.output == ACCESS_OUTPUT_FULL);
    assert_true(d.break_glass);
    assert_string_equal(d.rule, "BREAK-GLASS role caller on **: the desk is on fire");
    take("grants: [{to: ann, role: caller}]"); /* her own role shows as much */
    access_decide(access_, &q, &d);
    assert_true(d.allow && d.output == ACCESS_OUTPUT_FULL && !d.break_glass);
    q.now_ns = NOW + HOUR;
    access_decide(access_, &q, &d);
    assert_true(d.allow && !d.break_glass);
}

/* ---- the explanation ---- */

static void
explains_as_it_decides(void **state)
{
    (void)state;
    DEFER(js_freep) json_t *o = NULL;
    take("groups: [{name: claims, members: [ann]}]\n"
         "grants:\n"
         "- {to: ann, role: caller, when: {address: 10.0.0.0/8}}\n"
         "- {to: 'group:claims', role: caller, resource: models/claims, deny: true, when: "
         "{purpose: fun}}\n"
         "- {to: ann, role: auditor}");
    struct access_request q = ask("ann", ACCESS_MODEL_INFER, "models/claims");
    q.purpose = "work";
    assert_ok(access_explain(access_, &q, &o));
    assert_true(json_is_false(json_object_get(o, "allow")));
    assert_string_equal(json_string_value(json_object_get(o, "rule")), "default deny");
    const json_t *considered = json_object_get(o, "considered");
    assert_int_equal(json_array_size(considered), 2); /* the auditor's has not that action */
    const json_t *first = json_array_get(considered, 0);
    assert_string_equal(json_string_value(json_object_get(first, "why")),
                        "from outside its addresses");
    const json_t *second = json_array_get(considered, 1);
    assert_string_equal(json_string_value(json_object_get(second, "effect")), "deny");
    assert_string_equal(json_string_value(json_object_get(second, "of")), "claims");
    assert_string_equal(json_string_value(json_object_get(second, "why")), "not for its purpose");
    json_decref(o);
    q.address = "10.1.1.1";
    assert_ok(access_explain(access_, &q, &o));
    assert_true(json_is_true(json_object_get(o, "allow")));
    assert_string_equal(json_string_value(json_object_get(o, "output")), "full");
    json_decref(o);
    q.purpose = "fun";
    assert_ok(access_explain(access_, &q, &o));
    assert_string_equal(json_string_value(json_object_get(o, "rule")),
                        "deny role caller on models/claims (group claims)");
}

/* A role whose record is gone (or that this version cannot read) gives nothing, and where it is
 * forbidden everything is. */
static void
fails_closed_when_a_role_is_gone(void **state)
{
    (void)state;
    take("roles: [{name: desk, rules: [{actions: [model.infer], output: full}]}]\n"
         "grants: [{to: ann, role: desk}, {to: bob, role: caller},\n"
         "         {to: bob, role: desk, resource: models/claims, deny: true}]");
    struct access_request q = ask("ann", ACCESS_MODEL_INFER, "models/claims");
    assert_true(allows(&q));
    assert_ok(store_delete(store, "role", "desk", NULL));
    access_free(access_);
    assert_ok(access_open(store, vault, &access_));
    assert_false(allows(&q));
    q = ask("bob", ACCESS_MODEL_READ, "models/claims");
    assert_false(allows(&q));
    q.resource = "models/other";
    assert_true(allows(&q));
}

#define TEST(F) cmocka_unit_test_setup_teardown(F, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest cases[] = {
        TEST(refuses_what_refers_to_nothing_or_is_written_wrongly),
        TEST(takes_a_file_whole_or_not_at_all),
        TEST(keeps_a_role_that_somebody_has),
        TEST(gives_a_group_s_grants_to_its_members_and_to_tokens_that_name_it),
        TEST(gives_whom_a_file_names_these_grants_and_no_others),
        TEST(holds_addresses_to_their_networks),
        TEST(matches_prefixes_as_bit_by_bit),
        TEST(holds_times_to_their_windows),
        TEST(asks_for_certificate_and_purpose),
        TEST(a_denial_is_not_dodged_by_what_is_said_or_not_said),
        TEST(a_denied_role_keeps_its_doubts),
        TEST(denies_under_conditions),
        TEST(adds_up_what_is_told_of_a_prediction),
        TEST(shows_the_columns_of_every_rule_that_holds),
        TEST(breaks_the_glass_loudly_and_for_a_time),
        TEST(seeing_more_by_broken_glass_is_loud),
        TEST(explains_as_it_decides),
        TEST(fails_closed_when_a_role_is_gone),
    };
    return cmocka_run_group_tests(cases, make_keys, remove_keys);
}
