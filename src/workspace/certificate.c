#include "workspace/certificate.h"

#include "base/clock.h"
#include "base/random.h"
#include "base/secret.h"
#include "net/address.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>

static void
bio_freep(BIO **bio)
{
    (void)BIO_free(*bio);
}

static void
pkey_freep(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}

static void
x509_freep(X509 **cert)
{
    X509_free(*cert);
}

static void
extension_freep(X509_EXTENSION **extension)
{
    X509_EXTENSION_free(*extension);
}

#define LABEL_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-"

/* RFC 1123: labels of 1 to 63 letters, digits and inner hyphens; "*" may stand for the first; the
 * last is not a number, or the name would be a mistyped address. A host goes into the certificate's
 * alternative names, whose syntax has separators, so nothing else gets through. */
static bool
host_is_name(const char *host)
{
    bool number = true;
    if (strlen(host) > 253) {
        return false;
    }
    host += strncmp(host, "*.", 2) == 0 ? 2 : 0;
    for (const char *label = host;; label++) {
        const size_t n = strspn(label, LABEL_LETTERS);
        if (n == 0 || n > 63 || *label == '-' || label[n - 1] == '-') {
            return false;
        }
        number = strspn(label, "0123456789") == n;
        label += n;
        if (*label != '.') {
            return *label == '\0' && !number;
        }
    }
}

static bool
host_is_address(const char *host)
{
    struct address parsed;
    return status_ok(address_parse(view_str(host), 0, &parsed));
}

static struct status
put_names(const char *const *hosts, size_t count, struct diag *diag, struct buf *ret_names)
{
    for (size_t i = 0; i < count; i++) {
        const bool address = host_is_address(hosts[i]);
        if (!address && !host_is_name(hosts[i])) {
            diag_set(diag, "\"%s\" is not a host name or address (without port)", hosts[i]);
            FAIL(INPUT);
        }
        buf_printf(ret_names, "%s%s:%s", i == 0 ? "" : ",", address ? "IP" : "DNS", hosts[i]);
    }
    return buf_status(ret_names);
}

static struct status
add_extension(X509 *cert, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
    DEFER(extension_freep) X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    CHECK(extension != NULL, INPUT);
    CHECK(X509_add_ext(cert, extension, -1) == 1, MEMORY);
    return OK;
}

static struct status
set_serial(X509 *cert)
{
    uint8_t raw[16];
    random_bytes(raw, sizeof raw);
    raw[0] = (uint8_t)((raw[0] & 0x7f) | 0x40); /* positive, never short */
    BIGNUM *number = BN_bin2bn(raw, sizeof raw, NULL);
    CHECK(number != NULL, MEMORY);
    const bool done = BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)) != NULL;
    BN_free(number);
    CHECK(done, MEMORY);
    return OK;
}

static struct status
set_subject(X509 *cert, const char *common_name)
{
    X509_NAME *name = X509_get_subject_name(cert);
    CHECK(X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC, (const unsigned char *)"Steward", -1,
                                     -1, 0) == 1,
          MEMORY);
    /* A common name holds 64 letters at most; the alternative names are what clients read. */
    if (strlen(common_name) <= 64) {
        CHECK(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                         (const unsigned char *)common_name, -1, -1, 0) == 1,
              MEMORY);
    }
    CHECK(X509_set_issuer_name(cert, name) == 1, MEMORY);
    return OK;
}

static struct status
fill(X509 *cert, EVP_PKEY *key, const char *names, const char *common_name)
{
    CHECK(X509_set_version(cert, 2) == 1, MEMORY);
    TRY(set_serial(cert));
    /* An hour back: a client whose clock is a little behind must not see "not yet valid". */
    CHECK(X509_gmtime_adj(X509_getm_notBefore(cert), -3600) != NULL, MEMORY);
    CHECK(X509_time_adj_ex(X509_getm_notAfter(cert), CERTIFICATE_DAYS, -3600, NULL) != NULL,
          MEMORY);
    CHECK(X509_set_pubkey(cert, key) == 1, MEMORY);
    TRY(set_subject(cert, common_name));
    TRY(add_extension(cert, NID_subject_alt_name, names));
    /* Not an authority: who trusts this certificate trusts this server and nothing it could sign.
     */
    TRY(add_extension(cert, NID_basic_constraints, "critical,CA:FALSE"));
    TRY(add_extension(cert, NID_key_usage, "critical,digitalSignature"));
    TRY(add_extension(cert, NID_ext_key_usage, "serverAuth"));
    TRY(add_extension(cert, NID_subject_key_identifier, "hash"));
    CHECK(X509_sign(cert, key, EVP_sha256()) > 0, UNSUPPORTED);
    return OK;
}

static struct status
take_pem(BIO *bio, struct buf *ret_pem)
{
    char *text = NULL;
    const long n = BIO_get_mem_data(bio, &text);
    CHECK(n > 0, MEMORY);
    buf_put(ret_pem, view_of(text, (size_t)n));
    secret_wipe(text, (size_t)n);
    return buf_status(ret_pem);
}

struct status
certificate_make(const char *const *hosts, size_t host_count, struct diag *diag,
                 struct buf *ret_cert_pem, struct buf *ret_key_pem)
{
    ASSERT(host_count > 0);
    DEFER(buf_done) struct buf names;
    buf_init(&names, 16384);
    TRY(put_names(hosts, host_count, diag, &names));
    DEFER(pkey_freep) EVP_PKEY *key = EVP_EC_gen("P-256");
    DEFER(x509_freep) X509 *cert = X509_new();
    CHECK(key != NULL && cert != NULL, MEMORY);
    TRY(fill(cert, key, buf_str(&names), hosts[0]));
    DEFER(bio_freep) BIO *cert_bio = BIO_new(BIO_s_mem());
    DEFER(bio_freep) BIO *key_bio = BIO_new(BIO_s_secmem());
    CHECK(cert_bio != NULL && key_bio != NULL, MEMORY);
    CHECK(PEM_write_bio_X509(cert_bio, cert) == 1, MEMORY);
    CHECK(PEM_write_bio_PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL) == 1, MEMORY);
    TRY(take_pem(cert_bio, ret_cert_pem));
    return take_pem(key_bio, ret_key_pem);
}

static BIO *
read_from(struct view pem)
{
    return pem.len > INT_MAX ? NULL : BIO_new_mem_buf(pem.ptr, (int)pem.len);
}

struct status
certificate_check(struct view cert_pem, struct view key_pem, struct diag *diag)
{
    DEFER(bio_freep) BIO *cert_bio = read_from(cert_pem);
    DEFER(bio_freep) BIO *key_bio = read_from(key_pem);
    CHECK(cert_bio != NULL && key_bio != NULL, MEMORY);
    DEFER(x509_freep) X509 *cert = PEM_read_bio_X509(cert_bio, NULL, NULL, NULL);
    DEFER(pkey_freep) EVP_PKEY *key = PEM_read_bio_PrivateKey(key_bio, NULL, NULL, NULL);
    if (cert == NULL || key == NULL || X509_check_private_key(cert, key) != 1) {
        ERR_clear_error();
        diag_set(diag, cert == NULL ? "not a certificate in PEM"
                                    : "not the certificate of the key that this workspace sealed");
        FAIL(INTEGRITY);
    }
    return OK;
}

struct status
certificate_expires(struct view cert_pem, int64_t *ret_wall_ns)
{
    struct tm end;
    DEFER(bio_freep) BIO *bio = read_from(cert_pem);
    CHECK(bio != NULL, MEMORY);
    DEFER(x509_freep) X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    if (cert == NULL || ASN1_TIME_to_tm(X509_get0_notAfter(cert), &end) != 1) {
        ERR_clear_error();
        FAIL(INPUT);
    }
    *ret_wall_ns = (int64_t)timegm(&end) * NS_PER_S;
    return OK;
}
