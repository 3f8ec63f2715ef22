#include "testing/testing.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "num/rng.h"
#include "protect/access_key.h"
#include "protect/access_roles.h"
#include "testing/vault.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOW (INT64_C(1700000000) * NS_PER_S)
#define DAY (86400 * NS_PER_S)

static char *keys_dir, *dir, *path;
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
    path = file_join(dir, "state.db");
    assert_ok(store_open(path, vault, NULL, &store));
    assert_ok(access_open(store, vault, &access_));
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    access_free(access_);
    store_free(store);
    free(path);
    testing_dirp(&dir);
    return 0;
}

static void
add(const char *name, const char *role, const char *resource)
{
    assert_ok(access_principal_add(access_, name, role, resource, NOW, NULL));
}

static void
grant(const char *name, const char *role, const char *resource, bool allow)
{
    assert_ok(access_grant_add(access_, name, role, resource, allow, NULL));
}

static void
decide(const char *name, enum access_action action, const char *resource,
       struct access_decision *ret_decision)
{
    struct access_caller caller = {0};
    text_copy(caller.principal, sizeof caller.principal, name);
    access_decide(access_,
                  &(struct access_request){
                      .caller = &caller, .action = action, .resource = resource, .now_ns = NOW},
                  ret_decision);
}

static bool
may(const char *name, enum access_action action, const char *resource)
{
    struct access_decision d;
    decide(name, action, resource, &d);
    return d.allow;
}

static void
assert_rule(const char *name, enum access_action action, const char *resource, bool allow,
            const char *rule)
{
    struct access_decision d;
    decide(name, action, resource, &d);
    assert_int_equal(d.allow, allow);
    assert_string_equal(d.rule, rule);
}

static void
issue(const char *name, int64_t expires_ns, char ret_key[static ACCESS_KEY_TEXT_MAX])
{
    assert_ok(access_key_issue(access_, name, NOW, expires_ns, ret_key, NULL));
}

/* Each try is from another address: who fails too often from one is another test's. */
static struct status
sign_in(struct access *a, const char *key, int64_t now_ns, struct access_sign_in *ret_sign_in)
{
    static _Atomic uint64_t peer;
    const struct access_credential c = {
        .bearer = key, .peer = atomic_fetch_add(&peer, 1), .now_ns = now_ns};
    return access_authenticate(a, &c, ret_sign_in);
}

/* NULL when it is known; otherwise the reason for the log. */
static const char *
try_key(struct access *a, struct view key, int64_t now_ns)
{
    struct access_sign_in in;
    char text[128];
    /* A header has no NUL in it. */
    (void)snprintf(text, sizeof text, "%.*s", (int)key.len, (const char *)key.ptr);
    const struct status s = sign_in(a, text, now_ns, &in);
    if (status_ok(s)) {
        assert_string_equal(in.caller.principal, "ann");
        assert_int_equal(in.caller.group_count, 0);
        return NULL;
    }
    /* One and the same outside, whatever is wrong with the key. */
    const bool later = strcmp(in.reason, "the list of keys cannot be opened now") == 0;
    assert_int_equal(s.code, later ? STATUS_BUSY : STATUS_AUTH);
    assert_int_equal(s.os, 0);
    assert_string_equal(in.caller.principal, "");
    assert_non_null(in.reason);
    return in.reason;
}

static const char *
try_text(const char *key)
{
    return try_key(access_, view_str(key), NOW);
}

/* ---- misuse ---- */

static void
refuses_names_that_are_none(void **state)
{
    (void)state;
    char large[80];
    memset(large, 'a', sizeof large);
    large[64] = '\0';
    const char *const wrong[] = {"",      "Ann",         "ann smith", "-ann",
                                 ".ann",  "a/b",         "..",        "a..b",
                                 "ann\n", "\x1b[31mann", "ann\x7f",   "\xc3\xa9",
                                 "\xff",  "local:root",  large,       "a'; DROP TABLE record; --"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct diag diag = {0};
        char key[ACCESS_KEY_TEXT_MAX];
        assert_status(access_principal_add(access_, wrong[i], "caller", NULL, NOW, &diag), INPUT);
        assert_says(&diag, "a name is 1 to 63 of a-z, 0-9");
        assert_status(access_grant_add(access_, wrong[i], "caller", NULL, true, &diag), INPUT);
        assert_status(access_key_issue(access_, wrong[i], NOW, NOW + DAY, key, &diag), INPUT);
        assert_status(access_principal_remove(access_, wrong[i], &diag), INPUT);
    }
    large[63] = '\0';
    add(large, "caller", NULL);
    assert_true(may(large, ACCESS_MODEL_INFER, "models/m"));
}

static void
refuses_roles_and_resources_that_are_none(void **state)
{
    (void)state;
    struct diag diag = {0};
    assert_status(access_principal_add(access_, "ann", "root", NULL, NOW, &diag), INPUT);
    assert_says(&diag, "role \"root\" is not there: there are admin, data-scientist, operator, "
                       "caller and auditor");
    assert_status(access_principal_add(access_, "ann", "caller", "models/m*", NOW, &diag), INPUT);
    assert_says(&diag, "resource \"models/m*\": write a path such as models/mortgage, with *");
    assert_status(access_principal_add(access_, "ann", "caller", "", NOW, &diag), INPUT);
    assert_false(may("ann", ACCESS_MODEL_INFER, "models/m"));
    add("ann", "caller", NULL);
    assert_status(access_grant_add(access_, "ann", "Admin", NULL, true, &diag), INPUT);
    assert_status(access_grant_add(access_, "ann", "admin", "/", true, &diag), INPUT);
    assert_false(may("ann", ACCESS_KEY_ISSUE, "principals/ann"));
}

static void
refuses_principals_that_are_there_or_are_not(void **state)
{
    (void)state;
    struct diag diag = {0};
    char key[ACCESS_KEY_TEXT_MAX] = "untouched";
    assert_status(access_grant_add(access_, "ann", "caller", NULL, true, &diag), NOT_FOUND);
    assert_says(&diag, "no principal \"ann\"; \"steward principal add ann --role ROLE\" adds it");
    assert_status(access_principal_remove(access_, "ann", &diag), NOT_FOUND);
    assert_status(access_key_issue(access_, "ann", NOW, NOW + DAY, key, &diag), NOT_FOUND);
    assert_string_equal(key, "untouched");
    add("ann", "caller", NULL);
    assert_status(access_principal_add(access_, "ann", "admin", NULL, NOW, &diag), EXISTS);
    assert_says(&diag, "principal ann exists already; \"steward principal grant\"");
    assert_false(may("ann", ACCESS_KEY_ISSUE, "principals/ann"));
}

static void
refuses_keys_that_would_never_work_and_ids_that_are_none(void **state)
{
    (void)state;
    struct diag diag = {0};
    char key[ACCESS_KEY_TEXT_MAX];
    add("ann", "caller", NULL);
    assert_status(access_key_issue(access_, "ann", NOW, NOW, key, &diag), INPUT);
    assert_says(&diag, "a key must expire after it is issued");
    assert_status(access_key_issue(access_, "ann", NOW, NOW - DAY, key, &diag), INPUT);
    issue("ann", NOW + DAY, key);
    diag = (struct diag){0};
    assert_status(access_key_revoke(access_, key, &diag), INPUT);
    assert_says(&diag, "a key is named by its id");
    assert_null(strstr(diag.text, key + 3)); /* nothing of the key in the message */
    assert_status(access_key_revoke(access_, "AAAAAAAAAA", &diag), NOT_FOUND);
    assert_says(&diag, "no key \"AAAAAAAAAA\"");
    assert_null(try_text(key));
}

/* ---- decisions ---- */

static void
denies_what_nobody_granted(void **state)
{
    (void)state;
    assert_rule("ann", ACCESS_MODEL_INFER, "models/m", false, "default deny");
    assert_rule("", ACCESS_MODEL_READ, "models/m", false, "default deny");
    add("ann", "caller", "models/m");
    add("anna", "admin", NULL);
    assert_rule("ann", ACCESS_MODEL_INFER, "models/m", true, "role caller on models/m");
    assert_rule("ann", ACCESS_MODEL_INFER, "models/n", false, "default deny");
    assert_rule("ann", ACCESS_MODEL_WRITE, "models/m", false, "default deny");
    assert_rule("ann", ACCESS_KEY_ISSUE, "principals/ann", false, "default deny");
    assert_rule("an", ACCESS_MODEL_INFER, "models/m", false, "default deny");
    assert_rule("annb", ACCESS_MODEL_INFER, "models/m", false, "default deny");
    assert_rule("anna", ACCESS_MODEL_INFER, "models/m", false, "default deny");
}

static void
lets_a_denial_beat_every_grant_in_any_order(void **state)
{
    (void)state;
    add("ann", "data-scientist", NULL);
    grant("ann", "caller", "models/m", true);
    grant("ann", "caller", "models/m", false);
    grant("ann", "caller", "models/m", true);
    grant("ann", "data-scientist", "models/m", true);
    assert_rule("ann", ACCESS_MODEL_INFER, "models/m", false, "deny role caller on models/m");
    assert_rule("ann", ACCESS_MODEL_READ, "models/m", false, "deny role caller on models/m");
    /* The denied role's actions there, and nothing else. */
    assert_rule("ann", ACCESS_MODEL_WRITE, "models/m", true, "role data-scientist on **");
    assert_rule("ann", ACCESS_MODEL_INFER, "models/n", true, "role data-scientist on **");
    add("bob", "caller", "models/m");
    assert_true(may("bob", ACCESS_MODEL_INFER, "models/m"));
    grant("ann", "data-scientist", "**", false);
    for (int a = 0; a < ACCESS_ACTIONS; a++) {
        assert_false(may("ann", (enum access_action)a, "models/n"));
    }
}

static void
names_the_whole_rule(void **state)
{
    (void)state;
    char resource[128], rule[200];
    memset(resource, 'r', 127);
    resource[127] = '\0';
    add("ann", "data-scientist", NULL);
    grant("ann", "data-scientist", resource, false);
    (void)snprintf(rule, sizeof rule, "deny role data-scientist on %s", resource);
    assert_rule("ann", ACCESS_MODEL_INFER, resource, false, rule);
}

struct naive_grant {
    char name[8], resource[16];
    const char *role;
    bool allow;
};

/* The rule in its own words: some grant gives it, and none takes it. */
static bool
naive(const struct naive_grant *g, size_t n, const char *name, const char *action,
      const char *resource)
{
    bool given = false, taken = false;
    for (size_t i = 0; i < n; i++) {
        const bool meant = strcmp(g[i].name, name) == 0 && access_role_allows(g[i].role, action) &&
                           access_pattern_matches(g[i].resource, resource, '/');
        given = given || (meant && g[i].allow);
        taken = taken || (meant && !g[i].allow);
    }
    return given && !taken;
}

#define GRANTS 40

static void
decides_as_the_naive_rule_does(void **state)
{
    (void)state;
    static const char *const names[] = {"a", "ab", "b", "b-1"};
    static const char *const patterns[] = {"**",        "*",   "models/*", "models/m",
                                           "models/**", "*/m", "audit"};
    static const char *const resources[] = {"models/m", "models/n", "models",
                                            "audit",    "x/m",      "models/m/1"};
    struct rng r;
    struct naive_grant g[GRANTS] = {0};
    size_t n = 0, allowed = 0, role_count = 0, decided = 0;
    const struct access_role *roles = access_roles(&role_count);
    rng_init(&r, 11, "grants");
    while (n < GRANTS) {
        struct naive_grant *new = &g[n];
        const char *name = names[n < 4 ? n : rng_below(&r, 4)];
        new->role = roles[rng_below(&r, role_count)].name;
        new->allow = n < 4 || rng_below(&r, 4) != 0;
        (void)snprintf(new->name, sizeof new->name, "%s", name);
        (void)snprintf(new->resource, sizeof new->resource, "%s", patterns[rng_below(&r, 7)]);
        if (n < 4) {
            add(name, new->role, new->resource);
        } else {
            grant(name, new->role, new->resource, new->allow);
        }
        n++;
        for (size_t k = 0; k < 4 * ACCESS_ACTIONS * 6; k++) {
            const enum access_action action = (enum access_action)(k / 4 % ACCESS_ACTIONS);
            const char *who = names[k % 4], *what = resources[k / 4 / ACCESS_ACTIONS];
            const bool right = naive(g, n, who, access_action_word(action), what);
            allowed += right;
            decided++;
            if (may(who, action, what) != right) {
                fail_msg("%zu grants: %s %s %s", n, who, access_action_word(action), what);
            }
        }
    }
    assert_true(allowed > 500 && allowed < decided - 500);
}

/* ---- keys ---- */

static void
refuses_what_is_no_key(void **state)
{
    (void)state;
    char key[ACCESS_KEY_TEXT_MAX], changed[ACCESS_KEY_TEXT_MAX];
    add("ann", "caller", NULL);
    issue("ann", NOW + DAY, key);
    const size_t n = strlen(key);
    assert_int_equal(n, 3 + 10 + 1 + 32 + 6);
    for (size_t i = 0; i < n; i++) {
        static const uint8_t others[] = {1, ' ', '\n', '0', 'A', 'a', 'z', '_', '/', 0x80, 0xff};
        for (size_t k = 0; k < sizeof others; k++) {
            memcpy(changed, key, sizeof key);
            if ((uint8_t)changed[i] != others[k]) {
                changed[i] = (char)others[k];
                assert_string_equal(try_key(access_, view_of(changed, n), NOW), "not a key");
            }
        }
        assert_string_equal(try_key(access_, view_of(key, i), NOW), "not a key");
        if (i > 0 && key[i] != key[i - 1]) { /* a typing error: two letters in the wrong order */
            memcpy(changed, key, sizeof key);
            changed[i] = key[i - 1];
            changed[i - 1] = key[i];
            assert_string_equal(try_text(changed), "not a key");
        }
    }
    assert_null(try_text(key));
}

/* As docs/spec/access.md has it, by a table instead of bit by bit. */
static void
put_checksum(char *key)
{
    static const char letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    uint32_t table[256], crc = 0xffffffffu;
    for (uint32_t i = 0; i < 256; i++) {
        table[i] = i;
        for (int k = 0; k < 8; k++) {
            table[i] = (table[i] & 1) != 0 ? 0xedb88320u ^ table[i] >> 1 : table[i] >> 1;
        }
    }
    for (size_t i = 0; i < 46; i++) {
        crc = table[(crc ^ (uint8_t)key[i]) & 0xff] ^ crc >> 8;
    }
    crc ^= 0xffffffffu;
    for (size_t i = 6; i > 0; i--, crc /= 62) {
        key[46 + i - 1] = letters[crc % 62];
    }
}

static void
has_the_form_that_scanners_know(void **state)
{
    (void)state;
    /* CRC-32 from Python 3.11.7, zlib.crc32(b"sw_0123456789_" + b"A" * 32) = 1025164051 */
    char known[ACCESS_KEY_TEXT_MAX] = "sw_0123456789_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA17NU03",
         id[11] = "";
    char key[ACCESS_KEY_TEXT_MAX], again[ACCESS_KEY_TEXT_MAX], other[ACCESS_KEY_TEXT_MAX];
    assert_true(access_key_read(view_str(known), id));
    assert_string_equal(id, "0123456789");
    add("ann", "caller", NULL);
    issue("ann", NOW + DAY, key);
    issue("ann", NOW + DAY, other);
    assert_memory_equal(key, "sw_", 3);
    assert_int_equal(key[13], '_');
    memcpy(again, key, sizeof key);
    put_checksum(again);
    assert_string_equal(again, key);
    assert_memory_not_equal(key + 3, other + 3, 10);
    assert_memory_not_equal(key + 14, other + 14, 32);
}

static void
tells_only_the_log_why_a_key_is_refused(void **state)
{
    (void)state;
    char key[ACCESS_KEY_TEXT_MAX], other[ACCESS_KEY_TEXT_MAX], forged[ACCESS_KEY_TEXT_MAX];
    add("ann", "caller", NULL);
    issue("ann", NOW + DAY, key);
    issue("ann", NOW + DAY, other);
    memcpy(forged, key, sizeof key); /* a known id with another's secret */
    memcpy(forged + 14, other + 14, 32);
    put_checksum(forged);
    assert_string_equal(try_text(forged), "key unknown (its id is known, its secret is not)");
    memcpy(forged, key, sizeof key);
    forged[3] = forged[3] == 'x' ? 'y' : 'x'; /* an unknown id */
    put_checksum(forged);
    assert_string_equal(try_text(forged), "key unknown");
    assert_null(try_key(access_, view_str(key), NOW + DAY - 1));
    assert_string_equal(try_key(access_, view_str(key), NOW + DAY), "key expired");
    char id[11] = "";
    assert_true(access_key_read(view_str(key), id));
    assert_ok(access_key_revoke(access_, id, NULL));
    assert_string_equal(try_text(key), "key revoked");
    assert_string_equal(try_key(access_, view_str(key), NOW + 2 * DAY), "key revoked");
    assert_null(try_text(other));
}

static void
stops_a_revoked_key_at_once(void **state)
{
    (void)state;
    char key[ACCESS_KEY_TEXT_MAX], id[11] = "";
    add("ann", "caller", NULL);
    for (int i = 0; i < 20; i++) {
        issue("ann", NOW + DAY, key);
        assert_null(try_text(key));
        assert_true(access_key_read(view_str(key), id));
        assert_ok(access_key_revoke(access_, id, NULL));
        assert_string_equal(try_text(key), "key revoked");
    }
    assert_ok(access_key_revoke(access_, id, NULL)); /* once more is no failure */
}

/* Another process sees the store through a handle of its own. */
static void
stops_a_revoked_key_in_every_process_soon(void **state)
{
    (void)state;
    char key[ACCESS_KEY_TEXT_MAX], id[11] = "";
    struct store *s = NULL;
    struct access *elsewhere = NULL;
    assert_ok(store_open(path, vault, NULL, &s));
    assert_ok(access_open(s, vault, &elsewhere));
    add("ann", "caller", NULL);
    issue("ann", NOW + DAY, key);
    assert_null(try_key(elsewhere, view_str(key), NOW));
    assert_true(access_key_read(view_str(key), id));
    assert_ok(access_key_revoke(access_, id, NULL));
    const int64_t since = clock_mono_ns();
    while (try_key(elsewhere, view_str(key), NOW) == NULL) {
        /* 250 ms are promised; a loaded machine gets more. */
        assert_true(clock_mono_ns() - since < 20 * NS_PER_S);
        (void)usleep(1000);
    }
    assert_string_equal(try_key(elsewhere, view_str(key), NOW), "key revoked");
    access_free(elsewhere);
    store_free(s);
}

static void
removes_a_principal_with_its_keys_for_ever(void **state)
{
    (void)state;
    char key[ACCESS_KEY_TEXT_MAX], bobs[ACCESS_KEY_TEXT_MAX];
    add("ann", "caller", NULL);
    add("bob", "caller", NULL);
    issue("ann", NOW + DAY, key);
    issue("bob", NOW + DAY, bobs);
    assert_true(may("ann", ACCESS_MODEL_INFER, "models/m"));
    assert_ok(access_principal_remove(access_, "ann", NULL));
    assert_false(may("ann", ACCESS_MODEL_INFER, "models/m"));
    assert_string_equal(try_text(key), "key unknown");
    add("ann", "caller", NULL);
    assert_string_equal(try_text(key), "key unknown");
    struct access_sign_in in;
    assert_ok(sign_in(access_, bobs, NOW, &in));
    assert_string_equal(in.caller.principal, "bob");
}

static void
undoes_what_the_callers_transaction_undoes(void **state)
{
    (void)state;
    char key[ACCESS_KEY_TEXT_MAX];
    add("ann", "caller", "models/m");
    assert_ok(store_begin(store, NULL));
    issue("ann", NOW + DAY, key);
    grant("ann", "admin", NULL, true);
    assert_null(try_text(key)); /* the cache has seen it now */
    store_rollback(store);
    const int64_t since = clock_mono_ns();
    while (try_text(key) == NULL) {
        assert_true(clock_mono_ns() - since < 20 * NS_PER_S);
        (void)usleep(1000);
    }
    assert_string_equal(try_text(key), "key unknown");
    assert_false(may("ann", ACCESS_KEY_ISSUE, "principals/ann"));
}

static void
assert_nowhere_in(const char *file, const char *secret, size_t n)
{
    DEFER(file_freep) char *at = file_join(dir, file);
    struct buf bytes;
    if (file_exists(at)) {
        testing_read(at, &bytes);
        assert_true(bytes.len > 0);
        assert_null(memmem(bytes.ptr, bytes.len, secret, n));
        buf_done(&bytes);
    }
}

static void
keeps_and_lists_no_key(void **state)
{
    (void)state;
    char key[ACCESS_KEY_TEXT_MAX], id[11] = "";
    DEFER(buf_done) struct buf list;
    buf_init(&list, 1u << 20);
    add("ann", "caller", NULL);
    issue("ann", NOW + DAY, key);
    assert_true(access_key_read(view_str(key), id));
    assert_ok(access_put_keys(access_, &list));
    assert_text_has(buf_str(&list), id);
    assert_text_has(buf_str(&list), "\"principal\": \"ann\"");
    assert_text_has(buf_str(&list), "\"revoked\": false");
    assert_null(strstr(buf_str(&list), "mac"));
    assert_null(memmem(list.ptr, list.len, key + 14, 8));
    assert_nowhere_in("state.db-wal", key + 14, 8);
    access_free(access_);
    store_free(store); /* the write-ahead log goes into the file */
    assert_nowhere_in("state.db", key + 14, 8);
    assert_nowhere_in("state.db-wal", key + 14, 8);
    assert_ok(store_open(path, vault, NULL, &store));
    assert_ok(access_open(store, vault, &access_));
    assert_null(try_text(key));
}

static void
lists_principals_with_their_grants(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf text;
    DEFER(js_freep) json_t *list = NULL;
    buf_init(&text, 1u << 20);
    add("bob", "auditor", NULL);
    add("ann", "caller", "models/m");
    grant("ann", "operator", NULL, false);
    assert_ok(access_put_principals(access_, &text));
    assert_ok(js_parse(buf_view(&text), NULL, NULL, &list));
    assert_int_equal(json_array_size(list), 2);
    const json_t *ann = json_array_get(list, 0), *grants = json_object_get(ann, "grants");
    assert_string_equal(json_string_value(json_object_get(ann, "name")), "ann");
    assert_int_equal(json_array_size(grants), 2);
    assert_true(json_is_false(json_object_get(json_array_get(grants, 1), "allow")));
}

/* ---- when the records cannot be trusted ---- */

static void
meddle(const char *sql)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void
denies_everybody_when_a_record_was_changed(void **state)
{
    (void)state;
    char key[ACCESS_KEY_TEXT_MAX];
    add("ann", "caller", NULL);
    add("bob", "admin", NULL);
    issue("ann", NOW + DAY, key);
    assert_null(try_text(key));
    meddle(
        "UPDATE record SET value = (SELECT value FROM record WHERE id = 'bob') WHERE id = 'ann'");
    const int64_t since = clock_mono_ns();
    while (may("ann", ACCESS_MODEL_INFER, "models/m")) {
        assert_true(clock_mono_ns() - since < 20 * NS_PER_S);
        (void)usleep(1000);
    }
    assert_rule("ann", ACCESS_MODEL_INFER, "models/m", false,
                "default deny: the grants cannot be read");
    assert_rule("bob", ACCESS_KEY_ISSUE, "principals/ann", false,
                "default deny: the grants cannot be read");
    assert_string_equal(try_text(key), "the list of keys cannot be read");
    assert_ok(store_delete(store, "principal", "ann", NULL));
    const int64_t mended = clock_mono_ns();
    while (!may("bob", ACCESS_KEY_ISSUE, "principals/ann")) {
        assert_true(clock_mono_ns() - mended < 20 * NS_PER_S);
        (void)usleep(1000);
    }
}

/* What cannot be read now may be in a moment: that is no word against the key. */
static void
says_later_while_the_store_cannot_be_read(void **state)
{
    (void)state;
    char key[ACCESS_KEY_TEXT_MAX];
    const char *why = NULL;
    add("ann", "caller", NULL);
    issue("ann", NOW + DAY, key);
    assert_null(try_text(key));
    meddle("ALTER TABLE record RENAME TO hidden");
    const int64_t since = clock_mono_ns();
    for (why = try_text(key); why == NULL; why = try_text(key)) {
        assert_true(clock_mono_ns() - since < 20 * NS_PER_S);
        (void)usleep(1000);
    }
    assert_string_equal(why, "the list of keys cannot be opened now");
    meddle("ALTER TABLE hidden RENAME TO record");
    const int64_t mended = clock_mono_ns();
    while (try_text(key) != NULL) {
        assert_true(clock_mono_ns() - mended < 20 * NS_PER_S);
        (void)usleep(1000);
    }
}

/* ---- threads ---- */

static _Atomic bool stop;

static void *
ask_for_ever(void *key)
{
    size_t asked = 0;
    while (!atomic_load(&stop) || asked == 0) {
        (void)may("ann", ACCESS_MODEL_INFER, "models/m");
        (void)try_text(key);
        asked++;
    }
    return key;
}

/* A change inside a transaction while others decide: neither waits for what the other holds. */
static void
decides_in_threads_while_grants_change(void **state)
{
    (void)state;
    pthread_t thread[3];
    char key[ACCESS_KEY_TEXT_MAX];
    add("ann", "caller", NULL);
    issue("ann", NOW + DAY, key);
    atomic_store(&stop, false);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_create(&thread[i], NULL, ask_for_ever, key), 0);
    }
    for (int i = 0; i < 100; i++) {
        assert_ok(store_begin(store, NULL));
        grant("ann", "operator", "models/m", i % 2 == 0);
        if (i % 3 == 0) {
            store_rollback(store);
        } else {
            assert_ok(store_commit(store, NULL));
        }
    }
    atomic_store(&stop, true);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(thread[i], NULL), 0);
    }
    assert_true(may("ann", ACCESS_MODEL_INFER, "models/m"));
    assert_null(try_text(key));
}

#define TEST(F) cmocka_unit_test_setup_teardown(F, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest cases[] = {
        TEST(refuses_names_that_are_none),
        TEST(refuses_roles_and_resources_that_are_none),
        TEST(refuses_principals_that_are_there_or_are_not),
        TEST(refuses_keys_that_would_never_work_and_ids_that_are_none),
        TEST(refuses_what_is_no_key),
        TEST(denies_what_nobody_granted),
        TEST(denies_everybody_when_a_record_was_changed),
        TEST(says_later_while_the_store_cannot_be_read),
        TEST(lets_a_denial_beat_every_grant_in_any_order),
        TEST(names_the_whole_rule),
        TEST(decides_as_the_naive_rule_does),
        TEST(has_the_form_that_scanners_know),
        TEST(tells_only_the_log_why_a_key_is_refused),
        TEST(stops_a_revoked_key_at_once),
        TEST(stops_a_revoked_key_in_every_process_soon),
        TEST(removes_a_principal_with_its_keys_for_ever),
        TEST(undoes_what_the_callers_transaction_undoes),
        TEST(keeps_and_lists_no_key),
        TEST(lists_principals_with_their_grants),
        TEST(decides_in_threads_while_grants_change),
    };
    return cmocka_run_group_tests(cases, make_keys, remove_keys);
}
