/* Tokens of a second implementation, one rule of RFC 8725 after the other; key sets. */
#include "testing/testing.h"

#include "base/clock.h"
#include "base/file.h"
#include "protect/jwt.h"

#include <stdio.h>
#include <string.h>

#define SKEW (30 * NS_PER_S)

/* ---- one token ---- */

/* NULL: taken. */
static const char *
try_token(const struct jwks *set, struct view text, const struct jwt_rules *rules, int64_t now_ns)
{
    struct jwt t;
    const char *why = NULL;
    int64_t expires = 0;
    const struct status s = jwt_read(text, &t, &why);
    if (!status_ok(s)) {
        assert_int_equal(s.code, STATUS_AUTH);
        return why;
    }
    why = jwt_check(&t, rules, now_ns, &expires);
    if (why == NULL) {
        assert_true(expires > now_ns);
        static const char *const outcomes[] = {
            [JWKS_GOOD] = NULL, [JWKS_NO_KEY] = "unknown", [JWKS_BAD] = "signature is wrong"};
        why = outcomes[jwks_verify(set, t.algorithm, t.kid, t.message,
                                   view_of(t.signature, t.signature_bytes))];
    }
    jwt_done(&t);
    return why;
}

static const char *
text_of(const json_t *o, const char *member)
{
    const char *text = json_string_value(json_object_get(o, member));
    assert_non_null(text);
    return text;
}

static struct jwt_rules
rules_of(const json_t *all, const json_t *one)
{
    struct jwt_rules r = {.issuer = text_of(all, "issuer"),
                          .audience = text_of(all, "audience"),
                          .access_only = json_is_true(json_object_get(one, "access_only")),
                          .skew_ns = SKEW};
    const json_t *words = json_object_get(one, "algorithms");
    for (size_t i = 0; i < json_array_size(words); i++) {
        enum jwks_algorithm a;
        assert_true(jwks_algorithm_from_word(json_string_value(json_array_get(words, i)), &a));
        r.algorithms |= 1u << a;
    }
    r.algorithms = r.algorithms == 0 ? (1u << JWKS_ALGORITHMS) - 1 : r.algorithms;
    return r;
}

static struct jwks *
set_of(const json_t *o)
{
    DEFER(buf_done) struct buf text;
    struct diag diag = {0};
    struct jwks *set = NULL;
    buf_init(&text, 1 << 20);
    assert_ok(js_put(&text, o));
    if (!status_ok(jwks_read(buf_view(&text), &diag, &set))) {
        fail_msg("%s", diag.text);
    }
    return set;
}

static void
check_cases(const json_t *all)
{
    DEFER(jwks_freep) struct jwks *set = set_of(json_object_get(all, "jwks"));
    const int64_t now = json_integer_value(json_object_get(all, "now")) * NS_PER_S;
    size_t i = 0, taken = 0;
    const json_t *one = NULL;
    assert_int_equal(jwks_count(set), 5);
    json_array_foreach(json_object_get(all, "cases"), i, one)
    {
        const char *says = text_of(one, "says");
        const struct jwt_rules rules = rules_of(all, one);
        const char *why = try_token(set, view_str(text_of(one, "token")), &rules, now);
        if (*says == '\0' ? why != NULL : why == NULL || strstr(why, says) == NULL) {
            fail_msg("%s: %s, not \"%s\"", text_of(one, "name"), why == NULL ? "taken" : why, says);
        }
        taken += why == NULL;
    }
    assert_int_equal(taken, 31);
    assert_true(i > 75);
}

static void
holds_pinned_tokens_to_every_rule(void **state)
{
    (void)state;
    DEFER(file_freep) char *path = testing_source("tests/protect/data/tokens.json");
    DEFER(js_freep) json_t *all = testing_read_json(path);
    check_cases(all);
}

/* Apart: a skip jumps over what its caller would release. */
static void
need_python_jwt(void)
{
    char python[] = "/usr/bin/python3", flag[] = "-c", words[] = "import jwt, cryptography";
    struct testing_run r;
    if (!file_exists(python)) {
        print_message("no /usr/bin/python3 here\n");
        skip();
    }
    testing_run((char *const[]){python, flag, words, NULL}, &r);
    const bool there = r.exit_code == 0;
    testing_run_done(&r);
    if (!there) {
        print_message("python3-jwt and python3-cryptography are not here\n");
        skip();
    }
}

static void
holds_tokens_that_are_made_now_to_every_rule(void **state)
{
    (void)state;
    need_python_jwt();
    DEFER(file_freep) char *script = testing_source("tests/protect/data/tokens.py");
    char python[] = "/usr/bin/python3";
    struct testing_run r;
    testing_run((char *const[]){python, script, NULL}, &r);
    assert_int_equal(r.exit_code, 0);
    DEFER(js_freep) json_t *all = NULL;
    assert_ok(js_parse(buf_view(&r.out), NULL, NULL, &all));
    testing_run_done(&r);
    check_cases(all);
}

/* Each letter of a token that is taken counts. */
static void
refuses_every_changed_letter(void **state)
{
    (void)state;
    DEFER(file_freep) char *path = testing_source("tests/protect/data/tokens.json");
    DEFER(js_freep) json_t *all = testing_read_json(path);
    DEFER(jwks_freep) struct jwks *set = set_of(json_object_get(all, "jwks"));
    const int64_t now = json_integer_value(json_object_get(all, "now")) * NS_PER_S;
    const json_t *one = json_array_get(json_object_get(all, "cases"), 12); /* ES256 */
    const struct jwt_rules rules = rules_of(all, one);
    char *text = strdup(text_of(one, "token"));
    const size_t n = strlen(text);
    assert_null(try_token(set, view_of(text, n), &rules, now));
    for (size_t i = 0; i < n; i++) {
        const char kept = text[i];
        text[i] = kept == 'A' ? 'B' : 'A';
        assert_non_null(try_token(set, view_of(text, n), &rules, now));
        text[i] = kept;
        assert_non_null(try_token(set, view_of(text, i), &rules, now));
    }
    free(text);
}

/* The clock: before iat, and after exp, by more than the skew. */
static void
holds_only_between_its_times(void **state)
{
    (void)state;
    DEFER(file_freep) char *path = testing_source("tests/protect/data/tokens.json");
    DEFER(js_freep) json_t *all = testing_read_json(path);
    DEFER(jwks_freep) struct jwks *set = set_of(json_object_get(all, "jwks"));
    const int64_t now = json_integer_value(json_object_get(all, "now")) * NS_PER_S;
    const json_t *one = json_array_get(json_object_get(all, "cases"), 12);
    const struct jwt_rules rules = rules_of(all, one);
    const struct view token = view_str(text_of(one, "token")); /* iat -10 s, exp +300 s */
    assert_null(try_token(set, token, &rules, now - 40 * NS_PER_S));
    assert_non_null(try_token(set, token, &rules, now - 40 * NS_PER_S - 1));
    assert_null(try_token(set, token, &rules, now + 330 * NS_PER_S - 1));
    assert_string_equal(try_token(set, token, &rules, now + 330 * NS_PER_S), "token expired");
    assert_string_equal(try_token(set, token, &rules, INT64_MAX - 100 * NS_PER_S), "token expired");
    assert_non_null(try_token(set, token, &rules, 0));
}

/* ---- key sets ---- */

#define X "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"" /* RFC 8037, A.2 */
#define OKP "{\"kty\":\"OKP\",\"crv\":\"Ed25519\"," X "}"

static void
refuses_key_sets_that_are_none(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } wrong[] = {
        {"", "line 1"},
        {"[]", "an object with \"keys\""},
        {"{}", "keys"},
        {"{\"keys\":{}}", "keys"},
        {"{\"keys\":[]}", "no public key for signatures"},
        {"{\"keys\":[7]}", "not an object"},
        {"{\"keys\":[" OKP "],\"keys\":[]}", "duplicate"},
        {"{\"keys\":[{\"kty\":\"oct\",\"k\":\"AA\"}]}", "no public key for signatures"},
        {"{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"use\":\"enc\"," X "}]}",
         "no public key for signatures"},
        {"{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"alg\":\"ES256\"," X "}]}",
         "no public key for signatures"},
        {"{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"d\":\"AA\"," X "}]}", "a private key"},
        {"{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AA\"}]}", "x of 32 bytes"},
        {"{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":7," X "}]}", "kid"},
        {"{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}", "fewer than 2048 bits"},
        {"{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\"}]}", "RSA needs n"},
        {"{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQ==\",\"e\":\"AQAB\"}]}", "RSA needs n"},
        {"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AQ\",\"y\":\"AQ\"}]}", "EC needs x"},
        {"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\","
         "\"x\":\"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE\","
         "\"y\":\"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE\"}]}",
         "not on its curve"},
        {"{\"keys\":[{\"kid\":\"a\",\"kty\":\"OKP\",\"crv\":\"Ed25519\"," X
         "},{\"kid\":\"a\",\"kty\":\"OKP\",\"crv\":\"Ed25519\"," X "}]}",
         "key 2 of the set: its kid is that of a key before it"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct diag diag = {0};
        struct jwks *set = NULL;
        assert_status(jwks_read(view_str(wrong[i].text), &diag, &set), INPUT);
        assert_says(&diag, wrong[i].says);
        assert_null(set);
    }
}

/* By its length, before it is parsed; and by the number of keys, before one is made. */
static void
refuses_a_set_of_a_million_keys(void **state)
{
    (void)state;
    struct diag diag = {0};
    struct jwks *set = NULL;
    DEFER(buf_done) struct buf text;
    buf_init(&text, (size_t)128 << 20);
    buf_put_str(&text, "{\"keys\":[" OKP);
    for (int i = 1; i < 1000000; i++) {
        buf_put_str(&text, "," OKP);
    }
    buf_put_str(&text, "]}");
    assert_ok(buf_status(&text));
    assert_status(jwks_read(buf_view(&text), &diag, &set), LIMIT);
    assert_says(&diag, "more than 256 KiB");
    buf_reset(&text);
    buf_put_str(&text, "{\"keys\":[{}");
    for (int i = 1; i < 65; i++) {
        buf_put_str(&text, ",{}");
    }
    buf_put_str(&text, "]}");
    assert_status(jwks_read(buf_view(&text), &diag, &set), LIMIT);
    assert_says(&diag, "a key set of 65 keys; at most 64 are taken");
}

/* Without a kid, which of two keys is not guessed. */
static void
does_not_guess_between_two_keys(void **state)
{
    (void)state;
    DEFER(jwks_freep) struct jwks *set = NULL;
    assert_ok(jwks_read(view_str("{\"keys\":[" OKP "," OKP "]}"), NULL, &set));
    assert_int_equal(jwks_count(set), 2);
    assert_int_equal(jwks_verify(set, JWKS_EDDSA, NULL, view_str("x"), view_str("y")), JWKS_NO_KEY);
}

static void
reads_base64url_in_its_one_form(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool good;
    } texts[] = {{"", true},     {"AA", true},   {"AB", false},    {"AAA", true},   {"AAB", false},
                 {"AAAA", true}, {"A", false},   {"AAAAA", false}, {"AA==", false}, {"A A", false},
                 {"-_8", true},  {"+/8", false}, {"AA\n", false}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        DEFER(buf_done) struct buf b;
        buf_init(&b, 64);
        assert_int_equal(jwt_base64url(view_str(texts[i].text), &b), texts[i].good);
    }
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(refuses_key_sets_that_are_none),
        cmocka_unit_test(refuses_a_set_of_a_million_keys),
        cmocka_unit_test(does_not_guess_between_two_keys),
        cmocka_unit_test(reads_base64url_in_its_one_form),
        cmocka_unit_test(holds_pinned_tokens_to_every_rule),
        cmocka_unit_test(holds_tokens_that_are_made_now_to_every_rule),
        cmocka_unit_test(refuses_every_changed_letter),
        cmocka_unit_test(holds_only_between_its_times),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
