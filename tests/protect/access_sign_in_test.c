/* Who is it: tokens of issuers, their keys as they come and go, certificates, keys that are
 * rotated, and who fails too often. */
#include "testing/testing.h"

#include "base/clock.h"
#include "base/file.h"
#include "protect/access_key.h"
#include "protect/access_slow.h"
#include "protect/access_token.h"
#include "protect/jwt.h"
#include "testing/vault.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOUR (3600 * NS_PER_S)
#define DAY (24 * HOUR)

static char *keys_dir, *dir, *path;
static struct vault *vault;
static struct store *store;
static struct access *access_;
static json_t *all; /* tokens.json */
static int64_t now;
static uint64_t peer; /* another in each test */

static int
make_keys(void **state)
{
    (void)state;
    DEFER(file_freep) char *tokens = testing_source("tests/protect/data/tokens.json");
    keys_dir = testing_dir();
    vault = testing_vault(keys_dir);
    all = testing_read_json(tokens);
    now = json_integer_value(json_object_get(all, "now")) * NS_PER_S;
    return 0;
}

static int
remove_keys(void **state)
{
    (void)state;
    json_decref(all);
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
    peer++;
    assert_ok(store_open(path, vault, NULL, &store));
    assert_ok(access_open(store, vault, &access_));
    assert_ok(access_principal_add(access_, "ann", "caller", NULL, now, NULL));
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

static const char *
text(const json_t *o, const char *member)
{
    return json_string_value(json_object_get(o, member));
}

static const char *
token(const char *name)
{
    size_t i = 0;
    const json_t *one = NULL;
    json_array_foreach(json_object_get(all, "cases"), i, one)
    {
        if (strcmp(text(one, "name"), name) == 0) {
            return text(one, "token");
        }
    }
    fail_msg("%s", name);
    return NULL;
}

static json_t *
issuer(bool discover)
{
    json_t *o = json_pack("{s:s, s:s, s:s, s:[s,s,s], s:i}", "name", "corp", "issuer",
                          text(all, "issuer"), "audience", text(all, "audience"), "algorithms",
                          "ES256", "EdDSA", "RS256", "skew_s", 30);
    assert_non_null(o);
    if (discover) {
        (void)json_object_set_new(o, "discover", json_true());
    } else {
        (void)json_object_set(o, "jwks", json_object_get(all, "jwks"));
    }
    return o;
}

static void
add_issuer(bool discover, const char *member, json_t *value)
{
    struct diag diag = {0};
    DEFER(js_freep) json_t *o = issuer(discover);
    if (member != NULL) {
        assert_int_equal(json_object_set_new(o, member, value), 0);
    }
    if (!status_ok(access_issuer_add(access_, "corp", o, &diag))) {
        fail_msg("%s", diag.text);
    }
}

static struct access_sign_in in;

static struct status
sign_in(const char *bearer, const char *certificate)
{
    const struct access_credential c = {.bearer = bearer,
                                        .certificate = certificate,
                                        .fingerprint = certificate == NULL ? NULL : "0a1b",
                                        .peer = peer,
                                        .now_ns = now};
    return access_authenticate(access_, &c, &in);
}

static void
assert_refused(const char *bearer, const char *why)
{
    assert_status(sign_in(bearer, NULL), AUTH);
    assert_string_equal(in.caller.principal, "");
    assert_int_equal(in.caller.group_count, 0);
    assert_text_has(in.reason, why);
}

/* ---- misuse ---- */

static void
refuses_issuers_that_are_none(void **state)
{
    (void)state;
    static const struct {
        const char *member, *value, *says;
    } wrong[] = {
        {"issuer", "\"http://id.example\"", "write its https URL"},
        {"issuer", "\"https://a@id.example\"", "write its https URL"},
        {"issuer", "\"https://id.example/?x\"", "write its https URL"},
        {"issuer", "7", "write its https URL"},
        {"audience", "\"\"", "needs the audience"},
        {"algorithms", "[]", "needs the algorithms"},
        {"algorithms", "[\"HS256\"]", "algorithm \"HS256\": there are RS256"},
        {"algorithms", "[\"none\"]", "algorithm \"none\": there are RS256"},
        {"skew_s", "61", "the skew is at most 60 s"},
        {"skew_s", "-1", "the skew is at most 60 s"},
        {"typ", "\"JWT\"", "typ is at+jwt or not given"},
        {"groups", "{\"x\":\"No Group\"}", "group name"},
        {"discover", "true", "either given (--jwks FILE) or found"},
        {"jwks", "{\"keys\":[]}", "no public key for signatures"},
        {"ca", "\"/etc/ssl/corp.pem\"", "(--ca) are certificates in PEM"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct diag diag = {0};
        DEFER(js_freep) json_t *o = issuer(false);
        json_t *value = json_loads(wrong[i].value, JSON_DECODE_ANY, NULL);
        assert_non_null(value);
        assert_int_equal(json_object_set_new(o, wrong[i].member, value), 0);
        assert_status(access_issuer_add(access_, "corp", o, &diag), INPUT);
        assert_says(&diag, wrong[i].says);
    }
    struct diag diag = {0};
    DEFER(js_freep) json_t *o = issuer(false);
    assert_status(access_issuer_add(access_, "No Name", o, &diag), INPUT);
    assert_ok(access_issuer_add(access_, "corp", o, &diag));
    assert_status(access_issuer_add(access_, "corp", o, &diag), EXISTS);
    assert_status(access_issuer_remove(access_, "none", &diag), NOT_FOUND);
    assert_status(access_link_add(access_, "certificate:", "ann", &diag), INPUT);
    assert_status(access_link_add(access_, "ann", "ann", &diag), INPUT);
    assert_status(access_link_add(access_, "token:corp:x", "zed", &diag), NOT_FOUND);
    assert_status(access_link_remove(access_, "token:corp:x", &diag), NOT_FOUND);
}

static void
refuses_what_is_neither_key_nor_token(void **state)
{
    (void)state;
    add_issuer(false, NULL, NULL);
    assert_status(sign_in(NULL, NULL), AUTH);
    assert_string_equal(in.reason, "no key");
    assert_refused("", "not a key");
    assert_refused("abc", "not a key");
    assert_refused("a.b", "not a token");
    assert_refused("sw_a.b.c", "not a key");
}

/* ---- tokens ---- */

static void
takes_a_token_as_a_principal_of_its_issuer(void **state)
{
    (void)state;
    assert_refused(token("signed with ES256"), "an issuer that is not known here");
    add_issuer(false, NULL, NULL);
    for (int i = 0; i < 3; i++) { /* from the second on out of memory */
        assert_ok(sign_in(token("signed with ES256"), NULL));
        assert_string_equal(in.caller.principal, "corp:ann"); /* not the principal ann */
        assert_string_equal(in.proof, "token corp p256");
        assert_int_equal(in.caller.group_count, 0);
    }
    assert_ok(sign_in(token("signed with EdDSA"), NULL));
    assert_refused(token("signed with PS256"), "not one of its issuer's");
    assert_refused(token("claims changed"), "signature is wrong");
    assert_string_equal(in.proof, "");
    assert_refused(token("none"), "none of ours");
    assert_refused(token("kid of nobody"), "the token's key is unknown");
    assert_ok(access_issuer_remove(access_, "corp", NULL));
    assert_refused(token("signed with ES256"), "an issuer that is not known here");
}

static void
forgets_a_token_when_it_expires_or_the_clock_goes_back(void **state)
{
    (void)state;
    const int64_t then = now;
    add_issuer(false, NULL, NULL);
    assert_ok(sign_in(token("signed with ES256"), NULL));
    now = then + 330 * NS_PER_S - 1;
    assert_ok(sign_in(token("signed with ES256"), NULL));
    now = then + 330 * NS_PER_S;
    assert_refused(token("signed with ES256"), "token expired");
    now = then - HOUR;
    assert_refused(token("signed with ES256"), "issued in the future");
    now = then;
}

static void
links_a_subject_to_a_principal(void **state)
{
    (void)state;
    add_issuer(false, NULL, NULL);
    assert_ok(sign_in(token("signed with ES256"), NULL));
    assert_ok(access_link_add(access_, "token:corp:ann", "ann", NULL));
    assert_ok(sign_in(token("signed with ES256"), NULL));
    assert_string_equal(in.caller.principal, "ann");
    assert_status(access_link_add(access_, "token:corp:ann", "ann", NULL), EXISTS);
    assert_ok(access_principal_remove(access_, "ann", NULL)); /* its links go with it */
    assert_ok(sign_in(token("signed with ES256"), NULL));
    assert_string_equal(in.caller.principal, "corp:ann");
    assert_ok(access_principal_add(access_, "ann", "caller", NULL, now, NULL));
    assert_ok(access_link_add(access_, "token:corp:ann", "ann", NULL));
    assert_ok(access_link_remove(access_, "token:corp:ann", NULL));
    assert_ok(sign_in(token("signed with ES256"), NULL));
    assert_string_equal(in.caller.principal, "corp:ann");
}

/* Nobody but their names and what they mean here. */
static void
takes_groups_that_are_mapped_and_no_others(void **state)
{
    (void)state;
    add_issuer(false, "groups", json_pack("{s:s, s:s}", "Claims Team", "claims", "x", "other"));
    assert_ok(sign_in(token("groups"), NULL));
    assert_int_equal(in.caller.group_count, 1);
    assert_string_equal(in.caller.groups[0], "claims");
    assert_ok(sign_in(token("groups"), NULL)); /* as remembered */
    assert_int_equal(in.caller.group_count, 1);
    assert_string_equal(in.caller.groups[0], "claims");
    assert_ok(sign_in(token("signed with ES256"), NULL));
    assert_int_equal(in.caller.group_count, 0);
    assert_refused(token("groups elsewhere"), "does not hold its groups");
    assert_refused(token("groups of numbers"), "groups are none");
    assert_ok(access_issuer_remove(access_, "corp", NULL));
    add_issuer(false, "groups_claim", json_string("realm_access.roles"));
    assert_ok(sign_in(token("groups"), NULL)); /* nothing is mapped */
    assert_int_equal(in.caller.group_count, 0);
}

static void
takes_groups_from_a_claim_within_a_claim(void **state)
{
    (void)state;
    struct diag diag = {0};
    DEFER(js_freep) json_t *o = issuer(false);
    (void)json_object_set_new(o, "groups", json_pack("{s:s}", "Claims Team", "claims"));
    (void)json_object_set_new(o, "groups_claim", json_string("realm_access.roles"));
    assert_ok(access_issuer_add(access_, "corp", o, &diag));
    assert_ok(sign_in(token("groups within"), NULL));
    assert_int_equal(in.caller.group_count, 1);
    assert_string_equal(in.caller.groups[0], "claims");
}

static void
refuses_subjects_that_cannot_be_names_unless_linked(void **state)
{
    (void)state;
    add_issuer(false, NULL, NULL);
    assert_refused(token("a subject with blanks"), "cannot be a name");
    assert_ok(access_link_add(access_, "token:corp:ann smith", "ann", NULL));
    assert_ok(sign_in(token("a subject with blanks"), NULL));
    assert_string_equal(in.caller.principal, "ann");
}

/* ---- keys that are fetched ---- */

static struct {
    const char *document;
    json_t *keys;
    unsigned gets, told;
    struct status last;
    char sentence[256];
} web;

static struct status
get(void *ctx, const char *url, struct view ca_pem, size_t max, struct diag *diag,
    struct buf *ret_body)
{
    (void)ctx;
    assert_int_equal(ca_pem.len, 0);
    web.gets++;
    if (strcmp(url, "https://id.example/realm/.well-known/openid-configuration") == 0) {
        assert_true(max <= 1 << 16);
        buf_put_str(ret_body, web.document);
        return OK;
    }
    if (strcmp(url, "https://keys.example/jwks") == 0 && web.keys != NULL) {
        assert_int_equal(max, JWKS_MAX_BYTES);
        return js_put(ret_body, web.keys);
    }
    diag_set(diag, "%s: not reached", url);
    FAIL(IO);
}

static void
told(void *ctx, const char *name, struct status s, const char *sentence)
{
    (void)ctx;
    assert_string_equal(name, "corp");
    web.told++;
    web.last = s;
    (void)snprintf(web.sentence, sizeof web.sentence, "%s", sentence);
}

static void
refresh(int64_t at)
{
    const struct access_fetcher f = {.get = get, .told = told};
    access_issuers_refresh(access_, &f, at);
}

#define DOCUMENT                                                                                   \
    "{\"issuer\":\"https://id.example/realm\",\"jwks_uri\":\"https://keys.example/jwks\"}"

static void
fetches_keys_when_they_are_due_and_not_oftener(void **state)
{
    (void)state;
    const int64_t start = clock_mono_ns();
    memset(&web, 0, sizeof web);
    web.document = DOCUMENT;
    web.keys = json_object_get(all, "jwks");
    add_issuer(true, NULL, NULL);
    assert_refused(token("signed with ES256"), "key is unknown"); /* nobody fetches here */
    refresh(start);
    assert_int_equal(web.gets, 2);
    assert_ok(web.last);
    assert_ok(sign_in(token("signed with ES256"), NULL));
    refresh(start + NS_PER_S);
    refresh(start + HOUR - 1);
    assert_int_equal(web.gets, 2);
    refresh(start + HOUR);
    assert_int_equal(web.gets, 4);
    web.keys = NULL; /* not reached: what is there stays, and it is tried again after a minute */
    refresh(start + 2 * HOUR);
    assert_int_equal(web.gets, 6);
    assert_false(status_ok(web.last));
    refresh(start + 2 * HOUR + 59 * NS_PER_S);
    assert_int_equal(web.gets, 6);
    refresh(start + 2 * HOUR + 60 * NS_PER_S);
    assert_int_equal(web.gets, 8);
    assert_ok(sign_in(token("signed with ES256"), NULL));
    refresh(start + 26 * HOUR); /* a day old: trusted no more */
    assert_status(sign_in(token("signed with ES256"), NULL), AUTH);
}

/* An issuer that was removed takes its keys with it, and what its subjects were linked to. */
static void
an_issuer_that_is_added_again_is_another(void **state)
{
    (void)state;
    const int64_t start = clock_mono_ns() - HOUR;
    memset(&web, 0, sizeof web);
    web.document = DOCUMENT;
    web.keys = json_object_get(all, "jwks");
    add_issuer(true, NULL, NULL);
    refresh(start);
    assert_ok(access_link_add(access_, "token:corp:ann", "ann", NULL));
    assert_ok(access_link_add(access_, "token:corporate:ann", "ann", NULL));
    assert_ok(sign_in(token("signed with ES256"), NULL));
    assert_ok(access_issuer_remove(access_, "corp", NULL));
    assert_status(sign_in(token("signed with ES256"), NULL), AUTH);
    assert_status(access_link_remove(access_, "token:corp:ann", NULL), NOT_FOUND);
    assert_ok(access_link_remove(access_, "token:corporate:ann", NULL)); /* another issuer's */
    web.keys = NULL; /* and now it says nothing */
    add_issuer(true, NULL, NULL);
    assert_false(status_ok(sign_in(token("signed with ES256"), NULL)));
    refresh(start + NS_PER_S);
    assert_int_equal(web.gets, 4); /* asked at once, although the other was asked just now */
    assert_false(status_ok(sign_in(token("signed with ES256"), NULL)));
}

/* A kid that is not there asks for newer keys, at most once a minute, whoever asks how often. */
static void
asks_for_newer_keys_when_a_kid_is_missing(void **state)
{
    (void)state;
    const int64_t start = clock_mono_ns() - HOUR; /* the last try was long ago */
    memset(&web, 0, sizeof web);
    web.document = DOCUMENT;
    DEFER(js_freep) json_t *old = json_deep_copy(json_object_get(all, "jwks"));
    (void)json_array_remove(json_object_get(old, "keys"), 1); /* without p256 */
    web.keys = old;
    add_issuer(true, NULL, NULL);
    refresh(start);
    assert_ok(sign_in(token("signed with EdDSA"), NULL));
    for (int i = 0; i < 5; i++) {
        assert_status(sign_in(token("signed with ES256"), NULL), BUSY);
        assert_true(in.retry_after_s > 0);
        assert_text_has(in.reason, "being fetched");
    }
    web.keys = json_object_get(all, "jwks");
    refresh(clock_mono_ns());
    assert_int_equal(web.gets, 4);
    assert_ok(sign_in(token("signed with ES256"), NULL));
    assert_refused(token("kid of nobody"), "key is unknown"); /* just asked: it has said all */
    refresh(clock_mono_ns());
    assert_int_equal(web.gets, 4);
    /* A key that the issuer took back serves no more, remembered token or not. */
    web.keys = old;
    refresh(clock_mono_ns() + HOUR + NS_PER_S);
    assert_int_equal(web.gets, 6);
    assert_false(status_ok(sign_in(token("signed with ES256"), NULL)));
}

static void
believes_no_discovery_document_of_another(void **state)
{
    (void)state;
    static const struct {
        const char *document, *says;
    } wrong[] = {
        {"{\"issuer\":\"https://id.example/realm/\",\"jwks_uri\":\"https://keys.example/jwks\"}",
         "the discovery document is of issuer"},
        {"{\"issuer\":\"https://id.example/realm\",\"jwks_uri\":\"http://keys.example/jwks\"}",
         "jwks_uri must be an https URL"},
        {"{\"issuer\":\"https://id.example/realm\"}", "jwks_uri"},
        {"{\"issuer\":7}", "issuer"},
        {"[]", ""},
        {"", "line 1"},
        {"{\"issuer\":\"a\",\"issuer\":\"b\"}", "duplicate"},
    };
    add_issuer(true, NULL, NULL);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        memset(&web, 0, sizeof web);
        web.document = wrong[i].document;
        web.keys = json_object_get(all, "jwks");
        refresh(clock_mono_ns() + (int64_t)i * HOUR);
        assert_int_equal(web.told, 1);
        assert_false(status_ok(web.last));
        assert_text_has(web.sentence, wrong[i].says);
        assert_false(status_ok(sign_in(token("signed with ES256"), NULL)));
    }
}

/* ---- certificates ---- */

static void
maps_certificates_to_principals(void **state)
{
    (void)state;
    char key[ACCESS_KEY_TEXT_MAX], proof[64];
    assert_status(sign_in(NULL, "spiffe://corp/desk"), AUTH);
    assert_text_has(in.reason, "not linked");
    assert_ok(access_link_add(access_, "certificate:spiffe://corp/desk", "ann", NULL));
    assert_ok(sign_in(NULL, "spiffe://corp/desk"));
    assert_string_equal(in.caller.principal, "ann");
    assert_string_equal(in.proof, "certificate 0a1b");
    assert_status(sign_in(NULL, "spiffe://corp/desk/x"), AUTH);
    assert_string_equal(in.proof, "");
    /* A name is somebody's only with the authority that says so. */
    assert_status(access_link_add(access_, "certificate:subject:CN=bob", "ann", NULL), INPUT);
    assert_ok(access_link_add(access_, "certificate:subject:CN=bob,O=Corp;issuer:CN=Corp CA", "ann",
                              NULL));
    assert_ok(sign_in(NULL, "subject:CN=bob,O=Corp;issuer:CN=Corp CA"));
    assert_status(sign_in(NULL, "subject:CN=bob,O=Corp;issuer:CN=Other CA"), AUTH);
    /* A bearer alone counts: a wrong one is not made good by the certificate. */
    assert_status(sign_in("sw_nonsense", "spiffe://corp/desk"), AUTH);
    assert_ok(access_principal_add(access_, "bob", "caller", NULL, now, NULL));
    assert_ok(access_key_issue(access_, "bob", now, now + DAY, key, NULL));
    assert_ok(sign_in(key, "spiffe://corp/desk"));
    assert_string_equal(in.caller.principal, "bob");
    /* One's own, or nobody's, counts beside a key; somebody else's does not. */
    assert_false(in.certificate);
    (void)snprintf(proof, sizeof proof, "api-key %.10s", key + 3);
    assert_string_equal(in.proof, proof);
    assert_ok(sign_in(key, "spiffe://corp/unlinked"));
    assert_true(in.certificate);
    (void)snprintf(proof, sizeof proof, "api-key %.10s, certificate 0a1b", key + 3);
    assert_string_equal(in.proof, proof);
    assert_ok(access_link_add(access_, "certificate:spiffe://corp/bob", "bob", NULL));
    assert_ok(sign_in(key, "spiffe://corp/bob"));
    assert_true(in.certificate);
    assert_ok(sign_in(NULL, "spiffe://corp/desk"));
    assert_true(in.certificate);
    assert_ok(sign_in(key, ""));
    assert_false(in.certificate);
    assert_status(sign_in("sw_nonsense", "spiffe://corp/desk"), AUTH);
    assert_false(in.certificate);
}

/* ---- keys that are rotated ---- */

static void
id_of(const char *key, char ret_id[static 11])
{
    assert_true(access_key_read(view_str(key), ret_id));
}

static void
rotates_a_key_with_an_overlap(void **state)
{
    (void)state;
    char first[ACCESS_KEY_TEXT_MAX], second[ACCESS_KEY_TEXT_MAX], id[11], other[11];
    const int64_t then = now;
    struct diag diag = {0};
    assert_ok(access_key_issue(access_, "ann", now, now + 30 * DAY, first, NULL));
    id_of(first, id);
    struct access_rotation r = {now, now + HOUR, now + 90 * DAY};
    assert_status(access_key_rotate(access_, "AAAAAAAAAA", &r, second, &diag), NOT_FOUND);
    assert_ok(access_key_rotate(access_, id, &r, second, NULL));
    assert_ok(sign_in(first, NULL));
    assert_ok(sign_in(second, NULL));
    assert_string_equal(in.caller.principal, "ann");
    now = then + HOUR;
    assert_refused(first, "key expired");
    assert_ok(sign_in(second, NULL));
    r.now_ns = now;
    assert_status(access_key_rotate(access_, id, &r, second, &diag), INPUT);
    assert_says(&diag, "holds no more");
    now = then;
    /* The overlap does not lengthen what would have ended before. */
    id_of(second, other);
    r = (struct access_rotation){now, now + 365 * DAY, now + 400 * DAY};
    assert_ok(access_key_rotate(access_, other, &r, first, NULL));
    now = then + 90 * DAY;
    assert_refused(second, "key expired");
    assert_ok(sign_in(first, NULL));
    now = then;
}

static void
lets_a_key_end_earlier_and_never_later(void **state)
{
    (void)state;
    char key[ACCESS_KEY_TEXT_MAX], id[11];
    struct diag diag = {0};
    assert_ok(access_key_issue(access_, "ann", now, now + DAY, key, NULL));
    id_of(key, id);
    assert_status(access_key_expire(access_, id, now + 2 * DAY, &diag), INPUT);
    assert_says(&diag, "a key's time is not made longer");
    assert_ok(sign_in(key, NULL));
    assert_ok(access_key_expire(access_, id, now, NULL));
    assert_refused(key, "key expired");
}

static json_t *
last_used(const char *id)
{
    DEFER(buf_done) struct buf list;
    json_t *keys = NULL, *one = NULL, *found = NULL;
    size_t i = 0;
    buf_init(&list, 1 << 20);
    assert_ok(access_put_keys(access_, &list));
    assert_ok(js_parse(buf_view(&list), NULL, NULL, &keys));
    json_array_foreach(keys, i, one)
    {
        found = strcmp(text(one, "id"), id) == 0 ? json_incref(json_object_get(one, "last_used"))
                                                 : found;
    }
    json_decref(keys);
    assert_non_null(found);
    return found;
}

static void
assert_used(const char *id, int64_t at)
{
    json_t *value = last_used(id);
    int64_t ns = 0;
    if (json_is_string(value)) {
        assert_ok(clock_from_rfc3339(view_str(json_string_value(value)), &ns));
    }
    assert_int_equal(ns, at);
    json_decref(value);
}

/* Exact to the hour, and not a write for each call. */
static void
notes_when_a_key_was_used(void **state)
{
    (void)state;
    char key[ACCESS_KEY_TEXT_MAX], idle[ACCESS_KEY_TEXT_MAX], id[11], other[11];
    const int64_t then = now;
    assert_ok(access_key_issue(access_, "ann", now, now + DAY, key, NULL));
    assert_ok(access_key_issue(access_, "ann", now, now + DAY, idle, NULL));
    id_of(key, id);
    id_of(idle, other);
    assert_ok(sign_in(key, NULL));
    assert_used(id, 0);
    assert_ok(access_keys_note_uses(access_, NULL));
    assert_used(id, then);
    assert_used(other, 0);
    const uint64_t change = store_change(store);
    now = then + HOUR - 1;
    assert_ok(sign_in(key, NULL));
    assert_ok(access_keys_note_uses(access_, NULL));
    assert_used(id, then);
    assert_int_equal(store_change(store), change);
    now = then + HOUR;
    assert_ok(sign_in(key, NULL));
    /* A change of the records does not lose it. */
    assert_ok(access_principal_add(access_, "bob", "caller", NULL, now, NULL));
    assert_ok(sign_in(idle, NULL));
    assert_ok(access_keys_note_uses(access_, NULL));
    assert_used(id, then + HOUR);
    assert_used(other, then + HOUR);
    now = then;
    assert_ok(access_principal_remove(access_, "ann", NULL));
}

/* ---- who fails too often ---- */

#define S NS_PER_S

/* When its tries of that second are used up. */
static unsigned
wait_of(struct slow *s, uint64_t from, struct view id, int64_t t)
{
    bool known = false;
    unsigned wait = 0;
    for (unsigned i = 0; i <= SLOW_TRIES; i++) {
        wait = slow_wait_s(s, from, id, t, &known);
        assert_true(known || wait == 0);
    }
    return wait;
}

static void
slows_down_a_pair_and_nobody_else(void **state)
{
    (void)state;
    struct slow *s = slow_new();
    int64_t t = 1000 * S;
    const struct view id = view_str("id"), other = view_str("other");
    assert_non_null(s);
    for (unsigned i = 0; i < SLOW_FREE; i++) {
        assert_int_equal(wait_of(s, 1, id, t), 0);
        assert_int_equal(slow_failed(s, 1, id, t), 0);
    }
    static const unsigned waits[] = {1, 2, 4, 8, 16, 32, 60, 60, 60};
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        assert_int_equal(slow_failed(s, 1, id, t), waits[i]);
        assert_int_equal(wait_of(s, 1, id, t), waits[i]);
        assert_int_equal(wait_of(s, 1, id, t + waits[i] * S - 1), 1);
        assert_int_equal(wait_of(s, 1, other, t), 0); /* another key from there */
        assert_int_equal(wait_of(s, 2, id, t), 0);    /* that key from elsewhere */
        t += waits[i] * S;
        assert_int_equal(wait_of(s, 1, id, t), 0);
    }
    slow_succeeded(s, 1, id, t);
    assert_int_equal(slow_failed(s, 1, id, t), 0);
    for (unsigned i = 0; i < SLOW_FREE; i++) {
        (void)slow_failed(s, 1, id, t);
    }
    assert_true(wait_of(s, 1, id, t) > 0);
    t += (SLOW_FORGET_S + 1) * S;
    assert_int_equal(slow_failed(s, 1, id, t), 0); /* forgotten */
    slow_free(s);
}

/* Eight a second, whatever the wait: then none until the next second. */
static void
looks_at_a_few_tries_of_who_waits(void **state)
{
    (void)state;
    struct slow *s = slow_new();
    const struct view id = view_str("id");
    int64_t t = 1000 * S;
    bool known = false;
    assert_non_null(s);
    for (unsigned i = 0; i < SLOW_FREE + 8; i++) {
        (void)slow_failed(s, 1, id, t);
    }
    for (unsigned second = 0; second < 3; second++, t += S) {
        for (unsigned i = 0; i < SLOW_TRIES; i++) {
            assert_int_equal(slow_wait_s(s, 1, id, t, &known), 0);
        }
        assert_int_equal(slow_wait_s(s, 1, id, t, &known), SLOW_MOST_S - second);
        assert_int_equal(slow_wait_s(s, 1, id, t + S - 1, &known), SLOW_MOST_S - second);
    }
    slow_free(s);
}

/* Ever other names from one address: its failures wait, and no pair is locked out by them. */
static void
slows_down_an_address_that_guesses(void **state)
{
    (void)state;
    struct slow *s = slow_new();
    char id[16];
    const int64_t t = 1000 * S;
    unsigned waited = 0;
    assert_non_null(s);
    for (unsigned i = 0; i < SLOW_FREE_ADDRESS + 3; i++) {
        (void)snprintf(id, sizeof id, "%u", i);
        waited = slow_failed(s, 1, view_str(id), t);
        assert_int_equal(waited > 0, i >= SLOW_FREE_ADDRESS);
    }
    assert_int_equal(wait_of(s, 1, view_str("good"), t), 0);
    /* A flood of names does not grow it. */
    for (unsigned i = 0; i < 100000; i++) {
        (void)snprintf(id, sizeof id, "%u", i);
        (void)slow_failed(s, i, view_str(id), t + i);
    }
    slow_free(s);
}

/* Through the whole way in: the fifth wrong one for an id waits; with another key, or from another
 * address, nobody does. */
static void
makes_who_guesses_wait(void **state)
{
    (void)state;
    char key[ACCESS_KEY_TEXT_MAX], other[ACCESS_KEY_TEXT_MAX];
    assert_ok(access_key_issue(access_, "ann", now, now + DAY, key, NULL));
    assert_ok(access_key_issue(access_, "ann", now, now + DAY, other, NULL));
    for (unsigned i = 0; i < SLOW_FREE; i++) {
        assert_refused("sw_0123456789_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA17NU03", "key unknown");
    }
    assert_status(sign_in("sw_0123456789_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA17NU03", NULL), LIMIT);
    assert_int_equal(in.retry_after_s, 1);
    for (unsigned i = 0; i <= 2 * SLOW_TRIES; i++) { /* of a second, or of two */
        assert_status(sign_in("sw_0123456789_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA17NU03", NULL), LIMIT);
    }
    assert_string_equal(in.reason, "too many failed sign-ins");
    assert_ok(sign_in(key, NULL));
    assert_ok(sign_in(other, NULL));
    peer++;
    assert_refused("sw_0123456789_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA17NU03", "key unknown");
}

/* Another secret under the id of a key, its checksum made right. */
static void
guess_of(const char *key, char ret_guess[static ACCESS_KEY_TEXT_MAX])
{
    uint8_t secret[32];
    memset(secret, 'A', sizeof secret);
    (void)snprintf(ret_guess, ACCESS_KEY_TEXT_MAX, "%.14s%.32s", key, (const char *)secret);
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; ret_guess[i] != '\0'; i++) {
        crc ^= (uint8_t)ret_guess[i];
        for (int k = 0; k < 8; k++) {
            crc = crc >> 1 ^ ((crc & 1) != 0 ? 0xedb88320 : 0);
        }
    }
    crc = ~crc;
    for (int i = 5; i >= 0; i--) {
        ret_guess[46 + i] =
            "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"[crc % 62];
        crc /= 62;
    }
    ret_guess[52] = '\0';
}

/* Somebody behind the owner's address who knows the id of its key keeps nobody out but himself. */
static void
who_guesses_beside_the_owner_delays_himself_alone(void **state)
{
    (void)state;
    char key[ACCESS_KEY_TEXT_MAX], guess[ACCESS_KEY_TEXT_MAX];
    assert_ok(access_key_issue(access_, "ann", now, now + DAY, key, NULL));
    guess_of(key, guess);
    for (unsigned i = 0; i < SLOW_FREE; i++) {
        assert_refused(guess, "its id is known, its secret is not");
    }
    /* The owner comes for the first time, and is let in among the tries of a pair that waits. */
    assert_status(sign_in(guess, NULL), LIMIT);
    assert_ok(sign_in(key, NULL));
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < SLOW_FREE + 3 * SLOW_TRIES; i++) {
            (void)sign_in(guess, NULL);
        }
        assert_status(sign_in(guess, NULL), LIMIT);
        assert_true(in.retry_after_s > 0);
        assert_ok(sign_in(key, NULL)); /* at any time, once it was right */
    }
    /* That it was right once is no use when it is revoked, and then it waits, too. */
    char id[11];
    id_of(key, id);
    assert_ok(access_key_revoke(access_, id, NULL));
    for (unsigned i = 0; i < SLOW_FREE; i++) {
        assert_false(status_ok(sign_in(key, NULL)));
    }
    assert_status(sign_in(key, NULL), LIMIT);
}

#define TEST(F) cmocka_unit_test_setup_teardown(F, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest cases[] = {
        TEST(refuses_issuers_that_are_none),
        TEST(refuses_what_is_neither_key_nor_token),
        TEST(takes_a_token_as_a_principal_of_its_issuer),
        TEST(forgets_a_token_when_it_expires_or_the_clock_goes_back),
        TEST(links_a_subject_to_a_principal),
        TEST(takes_groups_that_are_mapped_and_no_others),
        TEST(takes_groups_from_a_claim_within_a_claim),
        TEST(refuses_subjects_that_cannot_be_names_unless_linked),
        TEST(fetches_keys_when_they_are_due_and_not_oftener),
        TEST(an_issuer_that_is_added_again_is_another),
        TEST(asks_for_newer_keys_when_a_kid_is_missing),
        TEST(believes_no_discovery_document_of_another),
        TEST(maps_certificates_to_principals),
        TEST(rotates_a_key_with_an_overlap),
        TEST(lets_a_key_end_earlier_and_never_later),
        TEST(notes_when_a_key_was_used),
        TEST(slows_down_a_pair_and_nobody_else),
        TEST(looks_at_a_few_tries_of_who_waits),
        TEST(slows_down_an_address_that_guesses),
        TEST(who_guesses_beside_the_owner_delays_himself_alone),
        TEST(makes_who_guesses_wait),
    };
    return cmocka_run_group_tests(cases, make_keys, remove_keys);
}
