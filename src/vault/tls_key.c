#include "vault/tls_key.h"

#include "base/secret.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#define RSA_BITS_LEAST 2048
#define RSA_BITS_MOST 4096

struct tls_key {
    EVP_PKEY *key;
    enum tls_key_kind kind;
    struct digest name;
};

static const struct scheme {
    unsigned scheme;
    enum tls_key_kind kind;
    const char *digest;
    size_t digest_bytes;
    bool pss;
} schemes[] = {
    {TLS_ECDSA_P256_SHA256, TLS_KEY_P256, "SHA256", 32, false},
    {TLS_ECDSA_P384_SHA384, TLS_KEY_P384, "SHA384", 48, false},
    {TLS_RSA_PSS_SHA256, TLS_KEY_RSA, "SHA256", 32, true},
    {TLS_RSA_PSS_SHA384, TLS_KEY_RSA, "SHA384", 48, true},
    {TLS_RSA_PSS_SHA512, TLS_KEY_RSA, "SHA512", 64, true},
    {TLS_RSA_SHA256, TLS_KEY_RSA, "SHA256", 32, false},
    {TLS_RSA_SHA384, TLS_KEY_RSA, "SHA384", 48, false},
    {TLS_RSA_SHA512, TLS_KEY_RSA, "SHA512", 64, false},
};

static const struct scheme *
find_scheme(enum tls_key_kind kind, unsigned scheme)
{
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        if (schemes[i].kind == kind && schemes[i].scheme == scheme) {
            return &schemes[i];
        }
    }
    return NULL;
}

size_t
tls_kind_digest(enum tls_key_kind kind, unsigned scheme)
{
    const struct scheme *s = find_scheme(kind, scheme);
    return s == NULL ? 0 : s->digest_bytes;
}

/* ---- one key ---- */

void
tls_key_free(struct tls_key *k)
{
    if (k != NULL) {
        EVP_PKEY_free(k->key);
        free(k);
    }
}

static bool
is_curve(const EVP_PKEY *key, const char *name)
{
    char group[64] = "";
    size_t n = 0;
    return EVP_PKEY_get_group_name(key, group, sizeof group, &n) == 1 && strcmp(group, name) == 0;
}

static enum tls_key_kind
kind_of(const EVP_PKEY *key)
{
    const int bits = EVP_PKEY_get_bits(key);
    if (EVP_PKEY_is_a(key, "RSA")) {
        return bits >= RSA_BITS_LEAST && bits <= RSA_BITS_MOST ? TLS_KEY_RSA : 0;
    }
    if (!EVP_PKEY_is_a(key, "EC")) {
        return 0;
    }
    return is_curve(key, "prime256v1")  ? TLS_KEY_P256
           : is_curve(key, "secp384r1") ? TLS_KEY_P384
                                        : 0;
}

static struct status
name_key(struct tls_key *k)
{
    unsigned char *der = NULL;
    const int n = i2d_PUBKEY(k->key, &der);
    CHECK(n > 0, MEMORY);
    digest_of(view_of(der, (size_t)n), &k->name);
    OPENSSL_free(der);
    return OK;
}

/* No prompt on a terminal for a key under a passphrase. */
static int
no_passphrase(char *text, int size, int writing, void *ctx)
{
    (void)text, (void)size, (void)writing, (void)ctx;
    return -1;
}

static EVP_PKEY *
read_key(struct view pem)
{
    BIO *bio = pem.len > INT_MAX ? NULL : BIO_new_mem_buf(pem.ptr, (int)pem.len);
    EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    (void)BIO_free(bio);
    ERR_clear_error();
    return key;
}

struct status
tls_key_new(struct view pem, struct diag *diag, struct tls_key **ret_key)
{
    DEFER(tls_key_freep) struct tls_key *k = calloc(1, sizeof *k);
    CHECK(k != NULL, MEMORY);
    k->key = read_key(pem);
    if (k->key == NULL) {
        diag_set(diag, "not a private key in PEM without a passphrase");
        FAIL(INPUT);
    }
    k->kind = kind_of(k->key);
    if (k->kind == 0) {
        diag_set(diag,
                 "a key of this kind is not taken: EC on P-256 or P-384, or RSA with %d to %d "
                 "bits",
                 RSA_BITS_LEAST, RSA_BITS_MOST);
        FAIL(UNSUPPORTED);
    }
    TRY(name_key(k));
    *ret_key = MOVE(k);
    return OK;
}

enum tls_key_kind
tls_key_kind(const struct tls_key *k)
{
    return k->kind;
}

unsigned
tls_key_bits(const struct tls_key *k)
{
    return (unsigned)EVP_PKEY_get_bits(k->key);
}

void
tls_key_name(const struct tls_key *k, struct digest *ret_name)
{
    *ret_name = k->name;
}

/* ---- signing ---- */

static void
free_context(EVP_PKEY_CTX **ctx)
{
    EVP_PKEY_CTX_free(*ctx);
}

static bool
set_padding(EVP_PKEY_CTX *ctx, const struct scheme *s)
{
    return s->kind != TLS_KEY_RSA ||
           (EVP_PKEY_CTX_set_rsa_padding(ctx, s->pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING) ==
                1 &&
            (!s->pss || EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1));
}

struct status
tls_key_sign(const struct tls_key *k, unsigned scheme, struct view digest,
             uint8_t ret_signature[static TLS_SIGNATURE_MAX], size_t *ret_len)
{
    const struct scheme *s = find_scheme(k->kind, scheme);
    size_t n = TLS_SIGNATURE_MAX;
    CHECK(s != NULL, UNSUPPORTED);
    CHECK(digest.len == s->digest_bytes, INPUT);
    DEFER(free_context) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(k->key, NULL);
    CHECK(ctx != NULL, MEMORY);
    CHECK(EVP_PKEY_sign_init(ctx) == 1 && set_padding(ctx, s) &&
              EVP_PKEY_CTX_set_signature_md(ctx, EVP_get_digestbyname(s->digest)) == 1,
          UNSUPPORTED);
    CHECK(EVP_PKEY_sign(ctx, ret_signature, &n, digest.ptr, digest.len) == 1, MEMORY);
    *ret_len = n;
    return OK;
}
