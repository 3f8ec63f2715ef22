#include "protect/jwks.h"

#include "protect/jwt.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#define RSA_LEAST_BITS 2048
#define RSA_MOST_BITS 8192
#define EXPONENT_MOST_BYTES 8u
#define TREE_MAX (16u << 20)

/* ---- algorithms ---- */

static const struct algorithm {
    const char *word, *kty, *crv, *hash;
    bool pss;
    size_t half; /* bytes of r and of s */
} algorithms[JWKS_ALGORITHMS] = {
    [JWKS_RS256] = {"RS256", "RSA", NULL, "SHA256", false, 0},
    [JWKS_RS384] = {"RS384", "RSA", NULL, "SHA384", false, 0},
    [JWKS_RS512] = {"RS512", "RSA", NULL, "SHA512", false, 0},
    [JWKS_PS256] = {"PS256", "RSA", NULL, "SHA256", true, 0},
    [JWKS_PS384] = {"PS384", "RSA", NULL, "SHA384", true, 0},
    [JWKS_PS512] = {"PS512", "RSA", NULL, "SHA512", true, 0},
    [JWKS_ES256] = {"ES256", "EC", "P-256", "SHA256", false, 32},
    [JWKS_ES384] = {"ES384", "EC", "P-384", "SHA384", false, 48},
    [JWKS_ES512] = {"ES512", "EC", "P-521", "SHA512", false, 66},
    [JWKS_EDDSA] = {"EdDSA", "OKP", "Ed25519", NULL, false, 0},
};

bool
jwks_algorithm_from_word(const char *word, enum jwks_algorithm *ret_algorithm)
{
    for (unsigned i = 0; i < JWKS_ALGORITHMS; i++) {
        if (strcmp(algorithms[i].word, word) == 0) {
            *ret_algorithm = (enum jwks_algorithm)i;
            return true;
        }
    }
    return false;
}

/* ---- keys ---- */

struct key {
    char kid[JWKS_KID_MAX + 1];
    bool named;
    uint32_t fits; /* algorithms */
    EVP_PKEY *pkey;
};

struct jwks {
    size_t count;
    struct key keys[JWKS_MAX_KEYS];
};

void
jwks_free(struct jwks *s)
{
    for (size_t i = 0; s != NULL && i < s->count; i++) {
        EVP_PKEY_free(s->keys[i].pkey);
    }
    free(s);
}

size_t
jwks_count(const struct jwks *s)
{
    return s->count;
}

static bool
is(const json_t *o, const char *member, const char *text)
{
    const char *value = json_string_value(json_object_get(o, member));
    return value != NULL && text != NULL && strcmp(value, text) == 0;
}

/* Signatures are what it is for. */
static bool
for_signatures(const json_t *o)
{
    const json_t *use = json_object_get(o, "use"), *ops = json_object_get(o, "key_ops");
    bool verifies = ops == NULL;
    for (size_t i = 0; i < json_array_size(ops); i++) {
        const char *op = json_string_value(json_array_get(ops, i));
        verifies = verifies || (op != NULL && strcmp(op, "verify") == 0);
    }
    return (use == NULL || is(o, "use", "sig")) && verifies;
}

/* Which algorithms a key may be used with: what it says, and what its kind can. */
static uint32_t
fitting(const json_t *o)
{
    uint32_t fits = 0;
    for (unsigned i = 0; i < JWKS_ALGORITHMS; i++) {
        const struct algorithm *a = &algorithms[i];
        const bool can = is(o, "kty", a->kty) && (a->crv == NULL || is(o, "crv", a->crv));
        const bool may = json_object_get(o, "alg") == NULL || is(o, "alg", a->word);
        fits |= can && may ? 1u << i : 0;
    }
    return fits;
}

static struct status
refuse(struct diag *diag, size_t i, const char *what)
{
    diag_set(diag, "key %zu of the set: %s", i + 1, what);
    FAIL(INPUT);
}

/* A member of base64url. */
static bool
take_bytes(const json_t *o, const char *member, size_t most, struct buf *ret_bytes)
{
    const char *text = json_string_value(json_object_get(o, member));
    buf_init(ret_bytes, most);
    return text != NULL && jwt_base64url(view_str(text), ret_bytes) && ret_bytes->len > 0;
}

static void
free_bignum(BIGNUM **n)
{
    BN_free(*n);
}

static void
free_build(OSSL_PARAM_BLD **b)
{
    OSSL_PARAM_BLD_free(*b);
}

static void
free_params(OSSL_PARAM **p)
{
    OSSL_PARAM_free(*p);
}

static void
free_context(EVP_PKEY_CTX **c)
{
    EVP_PKEY_CTX_free(*c);
}

static EVP_PKEY *
key_from(const char *kind, OSSL_PARAM_BLD *build)
{
    DEFER(free_params) OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    DEFER(free_context) EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, kind, NULL);
    EVP_PKEY *key = NULL;
    if (params == NULL || c == NULL || EVP_PKEY_fromdata_init(c) != 1 ||
        EVP_PKEY_fromdata(c, &key, EVP_PKEY_PUBLIC_KEY, params) != 1) {
        return NULL;
    }
    return key;
}

static struct status
make_rsa(const json_t *o, size_t i, struct diag *diag, EVP_PKEY **ret_key)
{
    DEFER(buf_done) struct buf n = {0};
    DEFER(buf_done) struct buf e = {0};
    if (!take_bytes(o, "n", RSA_MOST_BITS / 8, &n) ||
        !take_bytes(o, "e", EXPONENT_MOST_BYTES, &e)) {
        return refuse(diag, i, "RSA needs n of at most 8192 bits and e, in base64url");
    }
    DEFER(free_bignum) BIGNUM *modulus = BN_bin2bn(n.ptr, (int)n.len, NULL);
    DEFER(free_bignum) BIGNUM *exponent = BN_bin2bn(e.ptr, (int)e.len, NULL);
    DEFER(free_build) OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    CHECK(modulus != NULL && exponent != NULL && build != NULL, MEMORY);
    if (BN_num_bits(modulus) < RSA_LEAST_BITS || !BN_is_odd(modulus)) {
        return refuse(diag, i, "an RSA key of fewer than 2048 bits");
    }
    if (BN_num_bits(exponent) < 2 || !BN_is_odd(exponent)) {
        return refuse(diag, i, "an RSA exponent that is none");
    }
    CHECK(OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus) == 1, MEMORY);
    CHECK(OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent) == 1, MEMORY);
    *ret_key = key_from("RSA", build);
    return *ret_key == NULL ? refuse(diag, i, "not an RSA key") : OK;
}

static size_t
half_of(const json_t *o)
{
    for (unsigned i = 0; i < JWKS_ALGORITHMS; i++) {
        if (algorithms[i].half > 0 && is(o, "crv", algorithms[i].crv)) {
            return algorithms[i].half;
        }
    }
    return 0;
}

static struct status
make_ec(const json_t *o, size_t i, struct diag *diag, EVP_PKEY **ret_key)
{
    DEFER(buf_done) struct buf x = {0};
    DEFER(buf_done) struct buf y = {0};
    const size_t half = half_of(o);
    uint8_t point[1 + 2 * 66] = {4}; /* uncompressed */
    if (!take_bytes(o, "x", 66, &x) || !take_bytes(o, "y", 66, &y) || x.len != half ||
        y.len != half) {
        return refuse(diag, i, "EC needs x and y, each as long as its curve's");
    }
    memcpy(point + 1, x.ptr, half);
    memcpy(point + 1 + half, y.ptr, half);
    DEFER(free_build) OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    CHECK(build != NULL, MEMORY);
    CHECK(OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME,
                                          json_string_value(json_object_get(o, "crv")), 0) == 1,
          MEMORY);
    CHECK(OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * half) ==
              1,
          MEMORY);
    EVP_PKEY *key = key_from("EC", build);
    DEFER(free_context) EVP_PKEY_CTX *c = key == NULL ? NULL : EVP_PKEY_CTX_new(key, NULL);
    if (c == NULL || EVP_PKEY_public_check(c) != 1) {
        EVP_PKEY_free(key);
        return refuse(diag, i, "a point that is not on its curve");
    }
    *ret_key = key;
    return OK;
}

static struct status
make_okp(const json_t *o, size_t i, struct diag *diag, EVP_PKEY **ret_key)
{
    DEFER(buf_done) struct buf x = {0};
    if (!take_bytes(o, "x", 32, &x) || x.len != 32) {
        return refuse(diag, i, "Ed25519 needs x of 32 bytes");
    }
    *ret_key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x.ptr, x.len);
    return *ret_key == NULL ? refuse(diag, i, "not an Ed25519 key") : OK;
}

/* Which of two keys was meant must never be a question. */
static struct status
check_new(const struct jwks *s, const struct key *k, size_t i, struct diag *diag)
{
    for (size_t j = 0; j < s->count; j++) {
        const struct key *other = &s->keys[j];
        if (k->named && other->named && strcmp(other->kid, k->kid) == 0 &&
            (other->fits & k->fits) != 0) {
            return refuse(diag, i, "its kid is that of a key before it");
        }
    }
    return OK;
}

static struct status
add_key(struct jwks *s, const json_t *o, size_t i, struct diag *diag)
{
    struct key *k = &s->keys[s->count];
    const json_t *kid = json_object_get(o, "kid");
    *k = (struct key){.fits = fitting(o), .named = kid != NULL};
    if (!json_is_object(o)) {
        return refuse(diag, i, "not an object");
    }
    if (k->fits == 0 || !for_signatures(o)) {
        return OK; /* of another kind, or for something else: passed over (RFC 7517, 5) */
    }
    if (json_object_get(o, "d") != NULL) {
        return refuse(diag, i, "a private key; it must be made anew, and its public part be given");
    }
    if (kid != NULL && (!json_is_string(kid) || json_string_length(kid) > JWKS_KID_MAX)) {
        return refuse(diag, i, "kid must be a string of at most 256 bytes");
    }
    (void)memcpy(k->kid, kid == NULL ? "" : json_string_value(kid),
                 kid == NULL ? 1 : json_string_length(kid) + 1);
    TRY(check_new(s, k, i, diag));
    TRY(is(o, "kty", "RSA")  ? make_rsa(o, i, diag, &k->pkey)
        : is(o, "kty", "EC") ? make_ec(o, i, diag, &k->pkey)
                             : make_okp(o, i, diag, &k->pkey));
    s->count++;
    return OK;
}

struct status
jwks_read(struct view text, struct diag *diag, struct jwks **ret_set)
{
    DEFER(js_freep) json_t *o = NULL;
    DEFER(jwks_freep) struct jwks *s = NULL;
    json_t *list = NULL;
    if (text.len > JWKS_MAX_BYTES) {
        diag_set(diag, "a key set of more than %u KiB", JWKS_MAX_BYTES >> 10);
        FAIL(LIMIT);
    }
    TRY(js_parse_within(text, TREE_MAX, "key set", diag, &o));
    if (!json_is_object(o)) {
        diag_set(diag, "a key set is an object with \"keys\"");
        FAIL(INPUT);
    }
    TRY(js_need_array(o, "keys", diag, &list));
    if (json_array_size(list) > JWKS_MAX_KEYS) {
        diag_set(diag, "a key set of %zu keys; at most %u are taken: keep those that sign now",
                 json_array_size(list), JWKS_MAX_KEYS);
        FAIL(LIMIT);
    }
    s = calloc(1, sizeof *s);
    CHECK(s != NULL, MEMORY);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const struct status added = add_key(s, json_array_get(list, i), i, diag);
        ERR_clear_error();
        TRY(added);
    }
    if (s->count == 0) {
        diag_set(diag, "the key set has no public key for signatures of ours");
        FAIL(INPUT);
    }
    *ret_set = MOVE(s);
    return OK;
}

/* ---- verifying ---- */

static const struct key *
find_key(const struct jwks *s, enum jwks_algorithm a, const char *kid)
{
    const struct key *found = NULL;
    for (size_t i = 0; i < s->count; i++) {
        const struct key *k = &s->keys[i];
        if ((k->fits >> a & 1) == 0 || (kid != NULL && (!k->named || strcmp(k->kid, kid) != 0))) {
            continue;
        }
        if (found != NULL) {
            return NULL; /* without a kid: which one is not for us to guess */
        }
        found = k;
    }
    return found;
}

/* r and s one behind the other (RFC 7518, 3.4) -> what OpenSSL reads. *ret_der: OPENSSL_free. */
static int
der_of(struct view signature, size_t half, uint8_t **ret_der)
{
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(signature.ptr, (int)half, NULL);
    BIGNUM *s = BN_bin2bn(signature.ptr + half, (int)half, NULL);
    if (sig == NULL || r == NULL || s == NULL || ECDSA_SIG_set0(sig, r, s) != 1) {
        BN_free(r);
        BN_free(s);
        ECDSA_SIG_free(sig);
        return -1;
    }
    *ret_der = NULL;
    const int n = i2d_ECDSA_SIG(sig, ret_der);
    ECDSA_SIG_free(sig);
    return n;
}

static void
free_digest(EVP_MD_CTX **c)
{
    EVP_MD_CTX_free(*c);
}

static bool
verify_with(const struct key *k, const struct algorithm *a, struct view message, const uint8_t *sig,
            size_t bytes)
{
    DEFER(free_digest) EVP_MD_CTX *c = EVP_MD_CTX_new();
    EVP_PKEY_CTX *p = NULL; /* c's */
    if (c == NULL || EVP_DigestVerifyInit_ex(c, &p, a->hash, NULL, NULL, k->pkey, NULL) != 1) {
        return false;
    }
    if (a->pss && (EVP_PKEY_CTX_set_rsa_padding(p, RSA_PKCS1_PSS_PADDING) != 1 ||
                   EVP_PKEY_CTX_set_rsa_pss_saltlen(p, RSA_PSS_SALTLEN_DIGEST) != 1)) {
        return false;
    }
    return EVP_DigestVerify(c, sig, bytes, message.ptr, message.len) == 1;
}

enum jwks_outcome
jwks_verify(const struct jwks *s, enum jwks_algorithm a, const char *kid, struct view message,
            struct view signature)
{
    const struct algorithm *alg = &algorithms[a];
    const struct key *k = find_key(s, a, kid);
    bool good = false;
    if (k == NULL) {
        return JWKS_NO_KEY;
    }
    if (alg->half == 0) {
        good = verify_with(k, alg, message, signature.ptr, signature.len);
    } else if (signature.len == 2 * alg->half) {
        uint8_t *der = NULL;
        const int n = der_of(signature, alg->half, &der);
        good = n > 0 && verify_with(k, alg, message, der, (size_t)n);
        OPENSSL_free(der);
    }
    ERR_clear_error();
    return good ? JWKS_GOOD : JWKS_BAD;
}
