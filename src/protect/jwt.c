#include "protect/jwt.h"

#include "base/clock.h"

#include <math.h>
#include <strings.h>

#define LATEST_S 9e9 /* the year 2255, which nanoseconds in 64 bits still hold */
#define AUDIENCES_MAX 64u

/* ---- form ---- */

static int
digit(uint8_t c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

bool
jwt_base64url(struct view text, struct buf *ret_bytes)
{
    uint32_t bits = 0;
    unsigned held = 0;
    for (size_t i = 0; i < text.len; i++) {
        const int d = digit(text.ptr[i]);
        if (d < 0) {
            return false;
        }
        bits = bits << 6 | (uint32_t)d;
        held += 6;
        if (held >= 8) {
            held -= 8;
            buf_put_u8(ret_bytes, (uint8_t)(bits >> held));
        }
    }
    /* One letter alone says nothing; bits behind the last byte must be zero. */
    return text.len % 4 != 1 && (bits & ((1u << held) - 1)) == 0 &&
           status_ok(buf_status(ret_bytes));
}

/* An object in base64url, with no member twice (js_parse) and no byte that is no text. */
static json_t *
take_object(struct view part)
{
    DEFER(buf_wipe) struct buf text;
    json_t *o = NULL;
    buf_init(&text, JWT_MAX_BYTES);
    if (!jwt_base64url(part, &text) || !status_ok(js_parse(buf_view(&text), NULL, NULL, &o))) {
        return NULL;
    }
    if (!json_is_object(o)) {
        json_decref(o);
        return NULL;
    }
    return o;
}

/* Header, claims, signature. */
static bool
split(struct view text, struct view ret_parts[static 3])
{
    size_t n = 0, from = 0;
    for (size_t i = 0; i <= text.len; i++) {
        if (i < text.len && text.ptr[i] != '.') {
            continue;
        }
        if (n == 3) {
            return false;
        }
        ret_parts[n++] = view_of(text.ptr + from, i - from);
        from = i + 1;
    }
    return n == 3 && ret_parts[0].len > 0 && ret_parts[1].len > 0 && ret_parts[2].len > 0;
}

/* ---- header ---- */

static const char *
check_header(struct jwt *t)
{
    static const char *const keys[] = {"jku", "x5u", "x5c", "jwk"};
    const json_t *alg = json_object_get(t->header, "alg"), *kid = json_object_get(t->header, "kid");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (json_object_get(t->header, keys[i]) != NULL) {
            return "the token brings its own key, or says where it is";
        }
    }
    if (json_object_get(t->header, "crit") != NULL) {
        return "the token has a critical extension";
    }
    if (json_object_get(t->header, "zip") != NULL || json_object_get(t->header, "enc") != NULL ||
        json_object_get(t->header, "cty") != NULL) {
        return "the token is packed, encrypted or nested";
    }
    if (!json_is_string(alg) || !jwks_algorithm_from_word(json_string_value(alg), &t->algorithm)) {
        return "the token's algorithm is none of ours";
    }
    if (kid != NULL && (!json_is_string(kid) || json_string_length(kid) > JWKS_KID_MAX)) {
        return "the token's kid is none";
    }
    t->kid = json_string_value(kid);
    return NULL;
}

static const char *
read_token(struct view text, struct jwt *t)
{
    struct view parts[3];
    DEFER(buf_done) struct buf signature;
    buf_init(&signature, JWKS_SIGNATURE_MAX);
    if (text.len > JWT_MAX_BYTES || !split(text, parts)) {
        return "not a token";
    }
    t->header = take_object(parts[0]);
    t->claims = take_object(parts[1]);
    if (t->header == NULL || t->claims == NULL) {
        return "the token is not JSON in base64url, or has a member twice";
    }
    if (!jwt_base64url(parts[2], &signature) || signature.len == 0) {
        return "the token's signature is not base64url";
    }
    memcpy(t->signature, signature.ptr, signature.len);
    t->signature_bytes = signature.len;
    t->message = view_of(text.ptr, parts[0].len + 1 + parts[1].len);
    return check_header(t);
}

struct status
jwt_read(struct view text, struct jwt *ret_token, const char **ret_reason)
{
    struct jwt t = {0};
    const char *why = read_token(text, &t);
    if (why != NULL) {
        jwt_done(&t);
        *ret_reason = why;
        FAIL(AUTH);
    }
    *ret_token = t;
    return OK;
}

void
jwt_done(struct jwt *t)
{
    json_decref(t->header);
    json_decref(t->claims);
    *t = (struct jwt){0};
}

/* ---- claims ---- */

/* typ says what kind of token it is; "application/" may be left out (RFC 7515, 4.1.9). */
static bool
typ_is(const char *typ, const char *word)
{
    if (strncasecmp(typ, "application/", 12) == 0) {
        typ += 12;
    }
    return strcasecmp(typ, word) == 0;
}

static const char *
check_typ(const struct jwt *t, bool access_only)
{
    const json_t *member = json_object_get(t->header, "typ");
    const char *typ = json_string_value(member);
    if (member != NULL && typ == NULL) {
        return "the token's typ is none";
    }
    if (access_only) {
        return typ != NULL && typ_is(typ, "at+jwt") ? NULL : "the token is no at+jwt";
    }
    /* An ID token tells who signed in somewhere else; it is no key to here (RFC 8725, 3.12). */
    static const char *const of_id_tokens[] = {"nonce", "at_hash", "c_hash", "s_hash"};
    for (size_t i = 0; i < sizeof of_id_tokens / sizeof *of_id_tokens; i++) {
        if (json_object_get(t->claims, of_id_tokens[i]) != NULL) {
            return "an ID token is no access token";
        }
    }
    return typ == NULL || typ_is(typ, "JWT") || typ_is(typ, "at+jwt")
               ? NULL
               : "the token is of another kind";
}

static const char *
check_audience(const struct jwt *t, const char *audience)
{
    const json_t *aud = json_object_get(t->claims, "aud");
    const size_t n = json_is_string(aud) ? 1 : json_array_size(aud);
    bool found = false;
    if (n == 0 || n > AUDIENCES_MAX) {
        return "the token names no audience";
    }
    for (size_t i = 0; i < n; i++) {
        const char *one = json_string_value(json_is_string(aud) ? aud : json_array_get(aud, i));
        if (one == NULL) {
            return "the token's audience is none";
        }
        found = found || strcmp(one, audience) == 0;
    }
    return found ? NULL : "the token is for another audience";
}

/* Seconds since 1970, also with a fraction (RFC 7519, 2). */
static bool
read_time(const struct jwt *t, const char *name, int64_t *ret_ns)
{
    const json_t *v = json_object_get(t->claims, name);
    const double s = json_number_value(v);
    if (!json_is_number(v) || !isfinite(s) || s < 0 || s > LATEST_S) {
        return false;
    }
    *ret_ns = (int64_t)(s * 1e6) * 1000;
    return true;
}

static const char *
check_times(const struct jwt *t, int64_t skew_ns, int64_t now_ns, int64_t *ret_expires_ns)
{
    int64_t exp = 0, nbf = 0, iat = 0;
    if (!read_time(t, "exp", &exp)) {
        return "the token has no time at which it expires";
    }
    if (now_ns >= exp + skew_ns) {
        return "token expired";
    }
    if (json_object_get(t->claims, "nbf") != NULL &&
        (!read_time(t, "nbf", &nbf) || now_ns < nbf - skew_ns)) {
        return "the token does not hold yet";
    }
    if (json_object_get(t->claims, "iat") != NULL &&
        (!read_time(t, "iat", &iat) || now_ns < iat - skew_ns || iat > exp)) {
        return "the token was issued in the future";
    }
    *ret_expires_ns = exp + skew_ns;
    return NULL;
}

const char *
jwt_check(const struct jwt *t, const struct jwt_rules *rules, int64_t now_ns,
          int64_t *ret_expires_ns)
{
    const char *iss = json_string_value(json_object_get(t->claims, "iss"));
    const char *sub = json_string_value(json_object_get(t->claims, "sub"));
    if ((rules->algorithms >> t->algorithm & 1) == 0) {
        return "the token's algorithm is not one of its issuer's";
    }
    if (iss == NULL || strcmp(iss, rules->issuer) != 0) {
        return "the token is of another issuer";
    }
    if (sub == NULL || *sub == '\0' || strlen(sub) > 255) {
        return "the token has no subject";
    }
    /* Bound to a certificate or a key (RFC 8705, RFC 9449), which is not looked at here: as a plain
     * bearer's it would be worth less than its issuer meant. */
    if (json_object_get(t->claims, "cnf") != NULL) {
        return "the token is bound to a key";
    }
    const char *why = check_typ(t, rules->access_only);
    why = why != NULL ? why : check_audience(t, rules->audience);
    return why != NULL ? why : check_times(t, rules->skew_ns, now_ns, ret_expires_ns);
}
