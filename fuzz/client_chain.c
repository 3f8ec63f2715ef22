/* A client's certificate: first byte 0 mod 3: a text that may be a SPIFFE ID; 1 mod 3: a
 * certificate and its authority, as if the signature had been right; 2 mod 3: a chain, as it comes
 * in a handshake. Certificates are in DER, each after its length in two bytes. */
#include "serve/client_name.h"
#include "serve/identity.h"
#include "workspace/certificate.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST 10u /* more than a chain may have */

/* The authority that is trusted; its key is nowhere. */
static const char root[] = "-----BEGIN CERTIFICATE-----\n"
                           "MIIBjjCCATWgAwIBAgIUGrX+J/d6pkqnyt0IHPxb37Zx2zQwCgYIKoZIzj0EAwIw\n"
                           "FDESMBAGA1UEAwwJZnV6eiByb290MCAXDTI2MTEyNTE5MzUwOFoYDzIxMjYxMTAx\n"
                           "MTkzNTA4WjAUMRIwEAYDVQQDDAlmdXp6IHJvb3QwWTATBgcqhkjOPQIBBggqhkjO\n"
                           "PQMBBwNCAAQkjQHdOb7eFNBsUkhB6K6Eh4fdrbsQxA4OvfKn+ZcnOJx+DDdk6MGb\n"
                           "sFFm7iRUV5SfKDR0R6r05RZV1sekvfQVo2MwYTAdBgNVHQ4EFgQUTBEkRuLV1+Ro\n"
                           "3OGdSTjW1qu3LgcwHwYDVR0jBBgwFoAUTBEkRuLV1+Ro3OGdSTjW1qu3LgcwDwYD\n"
                           "VR0TAQH/BAUwAwEB/zAOBgNVHQ8BAf8EBAMCAQYwCgYIKoZIzj0EAwIDRwAwRAIg\n"
                           "fxdvZyNd8ddrIYvwD3G59vsPVDqQ5F+AtpA2VoRZ47cCIBt7qk68jh11yg2Cg9u2\n"
                           "hC6WqEfzhABScp+4Mjl3bna0\n"
                           "-----END CERTIFICATE-----\n";

/* ---- names ---- */

static void
check_spiffe(const char *text)
{
    static const char path[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_/";
    if (!client_name_is_spiffe(text)) {
        return;
    }
    const char *rest = text + strlen("spiffe://");
    const size_t n = strlen(rest);
    ASSERT(strncmp(text, "spiffe://", 9) == 0 && n > 0 && strspn(rest, path) == n);
    ASSERT(rest[0] != '/' && rest[n - 1] != '/' && strstr(rest, "//") == NULL);
    for (const char *at = strchr(rest, '/'); at != NULL; at = strchr(at + 1, '/')) {
        const size_t len = strcspn(at + 1, "/");
        ASSERT(!(len <= 2 && strncmp(at + 1, "..", len) == 0));
    }
}

static void
check_name(const char name[static CLIENT_NAME_MAX])
{
    const char *issuer = strstr(name, ";issuer:");
    ASSERT(memchr(name, '\0', CLIENT_NAME_MAX) != NULL);
    ASSERT(client_name_is_spiffe(name) ||
           (strncmp(name, "subject:", 8) == 0 && issuer != NULL && issuer > name + 8 &&
            strlen(issuer) > strlen(";issuer:")));
    check_spiffe(name);
}

/* ---- certificates ---- */

static unsigned
split(struct view from, gnutls_datum_t ret_certs[static MOST])
{
    struct reader r = reader_of(from);
    unsigned n = 0;
    while (n < MOST && reader_left(&r) >= 2) {
        const size_t len = reader_u16be(&r);
        const struct view v = reader_bytes(&r, len < reader_left(&r) ? len : reader_left(&r));
        ret_certs[n++] = (gnutls_datum_t){(unsigned char *)(uintptr_t)v.ptr, (unsigned)v.len};
    }
    return n;
}

static gnutls_x509_crt_t
import(const gnutls_datum_t *der)
{
    gnutls_x509_crt_t c = NULL;
    ASSERT(gnutls_x509_crt_init(&c) == 0);
    if (gnutls_x509_crt_import(c, der, GNUTLS_X509_FMT_DER) < 0) {
        gnutls_x509_crt_deinit(c);
        return NULL;
    }
    return c;
}

static void
check_pair(const gnutls_datum_t *certs)
{
    gnutls_x509_crt_t c = import(&certs[0]), authority = import(&certs[1]);
    if (c != NULL && authority != NULL) {
        char name[CLIENT_NAME_MAX];
        struct diag diag = {0};
        const struct status s = client_name(c, authority, &diag, name);
        ASSERT(status_ok(s) || (s.code == STATUS_AUTH && diag.text[0] != '\0'));
        if (status_ok(s)) {
            check_name(name);
        }
    }
    gnutls_x509_crt_deinit(c);
    gnutls_x509_crt_deinit(authority);
}

static struct status
sign(void *ctx, uint32_t slot, unsigned scheme, struct view digest,
     uint8_t ret_signature[static TLS_SIGNATURE_MAX], size_t *ret_len)
{
    (void)slot;
    return tls_key_sign(ctx, scheme, digest, ret_signature, ret_len);
}

static struct identity *
make_identity(void)
{
    static const char *const hosts[] = {"localhost"};
    struct tls_key *key = NULL;
    struct identity *i = NULL;
    DEFER(buf_done) struct buf cert;
    DEFER(buf_wipe) struct buf pem;
    buf_init(&cert, 1 << 16);
    buf_init(&pem, 1 << 16);
    ASSERT(status_ok(certificate_make(hosts, 1, NULL, &cert, &pem)));
    ASSERT(status_ok(tls_key_new(buf_view(&pem), NULL, &key)));
    struct identity_options o = {
        .chain_pem = buf_view(&cert),
        .chain_name = "chain",
        .clients = IDENTITY_CLIENTS_ASKED,
        .client_ca_pem = view_str(root),
        .signer = {
            .sign = sign, .ctx = key, .key = {1, tls_key_kind(key), tls_key_bits(key), {{0}}}}};
    tls_key_name(key, &o.signer.key.name);
    ASSERT(status_ok(identity_new(&o, NULL, &i)));
    return i;
}

/* Whom the authority has named, in the corpus: nobody else is. */
static bool
is_named(const char *name)
{
    static const char *const named[] = {
        "spiffe://house.example/ns/a/sa/fuzz",
        "subject:CN=fuzz,O=House;issuer:CN=fuzz root",
        "subject:CN=below;issuer:CN=fuzz root",
        "subject:CN=dns;issuer:CN=fuzz root",
        "subject:CN=a;issuer:CN=fuzz root",
        "subject:CN=fuzz inter;issuer:CN=fuzz root",
    };
    for (size_t i = 0; i < sizeof named / sizeof *named; i++) {
        if (strcmp(name, named[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void
check_chain(const gnutls_datum_t *certs, unsigned count)
{
    static struct identity *i;
    char name[IDENTITY_NAME_MAX] = "untouched";
    struct diag diag = {0};
    i = i == NULL ? make_identity() : i;
    const struct status s = identity_check_chain(i, certs, count, &diag, name);
    ASSERT(status_ok(s) ? is_named(name) : strcmp(name, "untouched") == 0);
    ASSERT(status_ok(s) || s.code == STATUS_AUTH);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gnutls_datum_t certs[MOST] = {0};
    if (size == 0) {
        return 0;
    }
    const struct view rest = view_of(data + 1, size - 1);
    const unsigned count = split(rest, certs);
    if (data[0] % 3 == 0) {
        char *text = strndup((const char *)rest.ptr, rest.len);
        ASSERT(text != NULL);
        check_spiffe(text);
        free(text);
    } else if (data[0] % 3 == 2) {
        check_chain(certs, count);
    } else if (count >= 2) {
        check_pair(certs);
    }
    return 0;
}
