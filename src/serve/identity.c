#include "serve/identity.h"

#include "base/digest.h"
#include "base/text.h"
#include "serve/client_name.h"

#include <gnutls/x509.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define KEY_ID_BYTES 32u

struct authority {
    gnutls_datum_t name; /* RFC 4514 */
    uint8_t key[KEY_ID_BYTES];
};

struct identity {
    atomic_uint count;
    struct tls_signer signer;
    gnutls_pcert_st chain[IDENTITY_CHAIN_MAX + 1]; /* one more, to see that there are more */
    unsigned length;
    gnutls_privkey_t key;
    int64_t begins, ends;
    enum identity_clients clients;
    gnutls_x509_trust_list_t authorities;
    struct authority *doubtful; /* whose name another key has, too; sorted by name */
    size_t doubtful_count;
};

static struct status
refuse(struct diag *diag, int rc, const char *what)
{
    diag_set(diag, "%s: %s", what, gnutls_strerror(rc));
    CHECK(rc != GNUTLS_E_MEMORY_ERROR, MEMORY);
    FAIL(INPUT);
}

/* ---- signatures from elsewhere ---- */

static const struct {
    gnutls_sign_algorithm_t algorithm;
    unsigned scheme;
} algorithms[] = {
    {GNUTLS_SIGN_ECDSA_SECP256R1_SHA256, TLS_ECDSA_P256_SHA256},
    {GNUTLS_SIGN_ECDSA_SHA256, TLS_ECDSA_P256_SHA256},
    {GNUTLS_SIGN_ECDSA_SECP384R1_SHA384, TLS_ECDSA_P384_SHA384},
    {GNUTLS_SIGN_ECDSA_SHA384, TLS_ECDSA_P384_SHA384},
    {GNUTLS_SIGN_RSA_PSS_RSAE_SHA256, TLS_RSA_PSS_SHA256},
    {GNUTLS_SIGN_RSA_PSS_RSAE_SHA384, TLS_RSA_PSS_SHA384},
    {GNUTLS_SIGN_RSA_PSS_RSAE_SHA512, TLS_RSA_PSS_SHA512},
    {GNUTLS_SIGN_RSA_SHA256, TLS_RSA_SHA256},
    {GNUTLS_SIGN_RSA_SHA384, TLS_RSA_SHA384},
    {GNUTLS_SIGN_RSA_SHA512, TLS_RSA_SHA512},
};

static unsigned
scheme_of(gnutls_sign_algorithm_t algorithm)
{
    for (size_t i = 0; i < sizeof algorithms / sizeof *algorithms; i++) {
        if (algorithms[i].algorithm == algorithm) {
            return algorithms[i].scheme;
        }
    }
    return 0;
}

/* GnuTLS gives the digest, for RSA with PKCS #1 wrapped in what names the algorithm. */
static int
sign_hash(gnutls_privkey_t key, gnutls_sign_algorithm_t algorithm, void *ctx, unsigned flags,
          const gnutls_datum_t *hash, gnutls_datum_t *ret_signature)
{
    (void)key, (void)flags;
    const struct identity *i = ctx;
    uint8_t signature[TLS_SIGNATURE_MAX];
    const unsigned scheme = scheme_of(algorithm);
    const size_t length = tls_kind_digest(i->signer.key.kind, scheme);
    size_t n = 0;
    if (length == 0 || hash->size < length) {
        return GNUTLS_E_UNSUPPORTED_SIGNATURE_ALGORITHM;
    }
    const struct view digest = view_of(hash->data + hash->size - length, length);
    if (!status_ok(
            i->signer.sign(i->signer.ctx, i->signer.key.slot, scheme, digest, signature, &n))) {
        return GNUTLS_E_PK_SIGN_FAILED;
    }
    ret_signature->data = gnutls_malloc(n);
    if (ret_signature->data == NULL) {
        return GNUTLS_E_MEMORY_ERROR;
    }
    memcpy(ret_signature->data, signature, n);
    ret_signature->size = (unsigned)n;
    return 0;
}

static int
key_info(gnutls_privkey_t key, unsigned flags, void *ctx)
{
    (void)key;
    const struct identity *i = ctx;
    const struct tls_key_info *k = &i->signer.key;
    if ((flags & GNUTLS_PRIVKEY_INFO_PK_ALGO) != 0) {
        return k->kind == TLS_KEY_RSA ? GNUTLS_PK_RSA : GNUTLS_PK_ECDSA;
    }
    if ((flags & GNUTLS_PRIVKEY_INFO_PK_ALGO_BITS) != 0) {
        return (int)k->bits;
    }
    if ((flags & GNUTLS_PRIVKEY_INFO_HAVE_SIGN_ALGO) != 0) {
        return tls_kind_digest(k->kind, scheme_of(GNUTLS_FLAGS_TO_SIGN_ALGO(flags))) > 0;
    }
    return -1;
}

/* ---- the server's own chain ---- */

static gnutls_datum_t
datum(struct view v)
{
    return (gnutls_datum_t){(unsigned char *)(uintptr_t)v.ptr, (unsigned)v.len};
}

/* Two authorities that have signed each other are sorted, round and round. */
static struct status
check_once(const struct identity *i, struct diag *diag)
{
    for (unsigned a = 0; a < i->length; a++) {
        for (unsigned b = 0; b < a; b++) {
            const gnutls_datum_t *x = &i->chain[a].cert, *y = &i->chain[b].cert;
            if (view_equal(view_of(x->data, x->size), view_of(y->data, y->size))) {
                diag_set(diag, "certificates %u and %u of the chain are the same", b + 1, a + 1);
                FAIL(INPUT);
            }
        }
    }
    return OK;
}

static struct status
read_chain(struct identity *i, struct view pem, struct diag *diag)
{
    const gnutls_datum_t text = datum(pem);
    unsigned n = IDENTITY_CHAIN_MAX + 1;
    const int rc = gnutls_pcert_list_import_x509_raw(i->chain, &n, &text, GNUTLS_X509_FMT_PEM,
                                                     GNUTLS_X509_CRT_LIST_FAIL_IF_UNSORTED);
    if (rc == GNUTLS_E_CERTIFICATE_LIST_UNSORTED) {
        diag_set(diag, "the server's certificate comes first, and after each the one that signed "
                       "it, once");
        FAIL(INPUT);
    }
    if (rc < 0) {
        return refuse(diag, rc, "not certificates in PEM");
    }
    i->length = n;
    if (n > IDENTITY_CHAIN_MAX) {
        diag_set(diag, "more than %u certificates in a chain", IDENTITY_CHAIN_MAX);
        FAIL(INPUT);
    }
    return check_once(i, diag);
}

static struct status
check_key(const struct identity *i, struct diag *diag)
{
    gnutls_datum_t der = {0};
    struct digest name;
    CHECK(gnutls_pubkey_export2(i->chain[0].pubkey, GNUTLS_X509_FMT_DER, &der) == 0, MEMORY);
    digest_of(view_of(der.data, der.size), &name);
    gnutls_free(der.data);
    if (memcmp(&name, &i->signer.key.name, sizeof name) != 0) {
        diag_set(diag, "not the certificate of the key that this workspace sealed");
        FAIL(INTEGRITY);
    }
    return OK;
}

static struct status
read_times(struct identity *i, struct diag *diag)
{
    gnutls_x509_crt_t own = NULL;
    const int rc = gnutls_pcert_export_x509(&i->chain[0], &own);
    if (rc < 0) {
        return refuse(diag, rc, "the server's certificate");
    }
    i->begins = (int64_t)gnutls_x509_crt_get_activation_time(own);
    i->ends = (int64_t)gnutls_x509_crt_get_expiration_time(own);
    gnutls_x509_crt_deinit(own);
    return OK;
}

static struct status
read_own(struct identity *i, struct view pem, struct diag *diag)
{
    TRY(read_chain(i, pem, diag));
    TRY(check_key(i, diag));
    return read_times(i, diag);
}

static struct status
make_key(struct identity *i, struct diag *diag)
{
    int rc = gnutls_privkey_init(&i->key);
    if (rc == 0) {
        rc = gnutls_privkey_import_ext4(i->key, i, NULL, sign_hash, NULL, NULL, key_info, 0);
    }
    return rc < 0 ? refuse(diag, rc, "the TLS key") : OK;
}

/* ---- clients' authorities ---- */

static int
by_name(const void *a, const void *b)
{
    const gnutls_datum_t *x = &((const struct authority *)a)->name,
                         *y = &((const struct authority *)b)->name;
    const int order = memcmp(x->data, y->data, x->size < y->size ? x->size : y->size);
    return order != 0 ? order : (x->size > y->size) - (x->size < y->size);
}

/* By name, those of one name by key. */
static int
by_name_and_key(const void *a, const void *b)
{
    const int order = by_name(a, b);
    return order != 0 ? order
                      : memcmp(((const struct authority *)a)->key,
                               ((const struct authority *)b)->key, KEY_ID_BYTES);
}

/* As text, since a name has several encodings. */
static struct status
add_authority(struct identity *i, gnutls_x509_crt_t c)
{
    struct authority a = {0};
    size_t n = sizeof a.key;
    struct authority *more = realloc(i->doubtful, (i->doubtful_count + 1) * sizeof *more);
    CHECK(more != NULL, MEMORY);
    i->doubtful = more;
    CHECK(gnutls_x509_crt_get_key_id(c, GNUTLS_KEYID_USE_SHA256, a.key, &n) == 0, INPUT);
    if (gnutls_x509_crt_get_dn3(c, &a.name, 0) == 0) { /* one without a name names nobody */
        i->doubtful[i->doubtful_count++] = a;
    }
    return OK;
}

static struct status
list_authorities(struct identity *i)
{
    gnutls_x509_trust_list_iter_t at = NULL;
    gnutls_x509_crt_t one = NULL;
    struct status s = OK;
    /* To the end in any case, which frees the iterator. */
    while (gnutls_x509_trust_list_iter_get_ca(i->authorities, &at, &one) == 0) {
        s = status_ok(s) ? add_authority(i, one) : s;
        gnutls_x509_crt_deinit(one);
    }
    return s;
}

/* Of the list of all, the names that have several keys, once each. */
static struct status
find_namesakes(struct identity *i, struct diag *diag)
{
    const struct status s = list_authorities(i);
    if (!status_ok(s)) {
        diag_set(diag, "tls.client_ca: the key of an authority cannot be read");
        return s;
    }
    size_t kept = 0;
    const size_t n = i->doubtful_count;
    if (n > 0) {
        qsort(i->doubtful, n, sizeof *i->doubtful, by_name_and_key);
    }
    for (size_t first = 0, next = 0; first < n; first = next) {
        struct authority *a = i->doubtful;
        const struct authority one = a[first];
        for (next = first + 1; next < n && by_name(&one, &a[next]) == 0; next++) {
        }
        const bool several = memcmp(one.key, a[next - 1].key, KEY_ID_BYTES) != 0;
        for (size_t k = first + several; k < next; k++) {
            gnutls_free(a[k].name.data);
        }
        if (several) {
            a[kept++] = one;
        }
    }
    i->doubtful_count = kept;
    return OK;
}

static struct status
read_authorities(struct identity *i, const struct identity_options *o, struct diag *diag)
{
    const gnutls_datum_t ca = datum(o->client_ca_pem), crl = datum(o->client_crl_pem);
    int rc = gnutls_x509_trust_list_init(&i->authorities, 0);
    if (rc < 0) {
        return refuse(diag, rc, "the clients' authorities");
    }
    rc = gnutls_x509_trust_list_add_trust_mem(i->authorities, &ca, NULL, GNUTLS_X509_FMT_PEM, 0, 0);
    if (rc <= 0) {
        diag_set(diag, "tls.client_ca: no certificate in PEM that could be read");
        FAIL(INPUT);
    }
    TRY(find_namesakes(i, diag));
    if (crl.size == 0) {
        return OK;
    }
    rc = gnutls_x509_trust_list_add_trust_mem(i->authorities, NULL, &crl, GNUTLS_X509_FMT_PEM,
                                              GNUTLS_TL_VERIFY_CRL, 0);
    if (rc <= 0) {
        diag_set(diag, "tls.client_crl: no list of revoked certificates that an authority of "
                       "tls.client_ca signed");
        FAIL(INPUT);
    }
    return OK;
}

/* ---- one identity ---- */

struct status
identity_new(const struct identity_options *o, struct diag *diag, struct identity **ret_identity)
{
    DEFER(identity_freep) struct identity *i = calloc(1, sizeof *i);
    CHECK(i != NULL, MEMORY);
    atomic_init(&i->count, 1);
    i->signer = o->signer;
    i->clients = o->clients;
    const struct status own = read_own(i, o->chain_pem, diag);
    if (!status_ok(own)) {
        diag_prefix(diag, "%s", o->chain_name);
        return own;
    }
    TRY(make_key(i, diag));
    if (o->clients != IDENTITY_CLIENTS_OFF) {
        TRY(read_authorities(i, o, diag));
    }
    *ret_identity = MOVE(i);
    return OK;
}

struct identity *
identity_take(struct identity *i)
{
    (void)atomic_fetch_add(&i->count, 1);
    return i;
}

void
identity_free(struct identity *i)
{
    if (i == NULL || atomic_fetch_sub(&i->count, 1) > 1) {
        return;
    }
    for (unsigned n = 0; n < i->length; n++) {
        gnutls_pcert_deinit(&i->chain[n]);
    }
    gnutls_privkey_deinit(i->key);
    gnutls_x509_trust_list_deinit(i->authorities, 1);
    for (size_t n = 0; n < i->doubtful_count; n++) {
        gnutls_free(i->doubtful[n].name.data);
    }
    free(i->doubtful);
    free(i);
}

int64_t
identity_begins(const struct identity *i)
{
    return i->begins;
}

int64_t
identity_ends(const struct identity *i)
{
    return i->ends;
}

void
identity_give(const struct identity *i, gnutls_pcert_st **ret_chain, unsigned *ret_length,
              gnutls_privkey_t *ret_key)
{
    *ret_chain = (gnutls_pcert_st *)(uintptr_t)i->chain;
    *ret_length = i->length;
    *ret_key = i->key;
}

/* ---- clients ---- */

void
identity_ask(const struct identity *i, gnutls_session_t tls)
{
    static const gnutls_certificate_request_t wish[] = {
        [IDENTITY_CLIENTS_OFF] = GNUTLS_CERT_IGNORE,
        [IDENTITY_CLIENTS_ASKED] = GNUTLS_CERT_REQUEST,
        [IDENTITY_CLIENTS_REQUIRED] = GNUTLS_CERT_REQUIRE,
    };
    gnutls_certificate_server_set_request(tls, wish[i->clients]);
}

struct certificates {
    gnutls_x509_crt_t of[IDENTITY_CHAIN_MAX];
    unsigned count;
};

static void
free_certificates(struct certificates *c)
{
    for (unsigned n = 0; n < c->count; n++) {
        gnutls_x509_crt_deinit(c->of[n]);
    }
}

static struct status
import(const gnutls_datum_t *chain, unsigned count, struct diag *diag, struct certificates *certs)
{
    if (count > IDENTITY_CHAIN_MAX) {
        diag_set(diag, "a chain of %u certificates; %u are followed", count, IDENTITY_CHAIN_MAX);
        FAIL(AUTH);
    }
    for (unsigned n = 0; n < count; n++) {
        CHECK(gnutls_x509_crt_init(&certs->of[n]) == 0, MEMORY);
        certs->count = n + 1;
        if (gnutls_x509_crt_import(certs->of[n], &chain[n], GNUTLS_X509_FMT_DER) < 0) {
            diag_set(diag, "certificate %u of the chain is none", n + 1);
            FAIL(AUTH);
        }
    }
    return OK;
}

static void
put_day(time_t at, char ret_text[static 24])
{
    struct tm day = {0};
    (void)gmtime_r(&at, &day);
    (void)strftime(ret_text, 24, "%Y-%m-%dT%H:%M:%SZ", &day);
}

/* What a clock that is wrong looks like: both clocks are told. */
static void
say_times(gnutls_x509_crt_t own, struct diag *diag)
{
    char from[24], to[24], now[24];
    put_day(gnutls_x509_crt_get_activation_time(own), from);
    put_day(gnutls_x509_crt_get_expiration_time(own), to);
    put_day(time(NULL), now);
    diag_set(diag,
             "the certificate is for %s to %s and this machine's clock says %s; if the "
             "certificate is in use elsewhere, one of the clocks is wrong",
             from, to, now);
}

static struct status
refuse_status(unsigned status, gnutls_x509_crt_t own, struct diag *diag)
{
    gnutls_datum_t words = {0};
    const time_t now = time(NULL);
    if ((status & (GNUTLS_CERT_NOT_ACTIVATED | GNUTLS_CERT_EXPIRED)) != 0 &&
        (now < gnutls_x509_crt_get_activation_time(own) ||
         now > gnutls_x509_crt_get_expiration_time(own))) {
        say_times(own, diag);
    } else if (gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &words, 0) ==
               0) {
        diag_set(diag, "%.*s", (int)words.size, (const char *)words.data);
        gnutls_free(words.data);
    }
    FAIL(AUTH);
}

static bool
has_signed(gnutls_x509_crt_t authority, gnutls_x509_crt_t c)
{
    unsigned status = 0;
    return gnutls_x509_crt_check_issuer(c, authority) != 0 &&
           gnutls_x509_crt_verify(c, &authority, 1, GNUTLS_VERIFY_DISABLE_CRL_CHECKS, &status) ==
               0 &&
           status == 0; /* one that is no authority has signed nothing that counts */
}

/* One of our authorities that has signed that certificate, or is it; borrowed. */
static bool
authority_of(const struct identity *i, gnutls_x509_crt_t c, gnutls_x509_crt_t *ret_authority)
{
    gnutls_x509_crt_t found = NULL;
    if (gnutls_x509_trust_list_get_issuer(i->authorities, c, &found, 0) != 0 ||
        (!gnutls_x509_crt_equals(found, c) && !has_signed(found, c))) {
        return false;
    }
    *ret_authority = found;
    return true;
}

/* Up the signatures of a chain that was verified, to the authority among ours. */
static struct status
find_authority(const struct identity *i, const struct certificates *certs, struct diag *diag,
               gnutls_x509_crt_t *ret_authority)
{
    gnutls_x509_crt_t at = certs->of[0];
    for (unsigned step = 0; step < certs->count; step++) {
        if (authority_of(i, at, ret_authority)) {
            return OK;
        }
        unsigned n = 1;
        while (n < certs->count && (certs->of[n] == at || !has_signed(certs->of[n], at))) {
            n++;
        }
        if (n == certs->count) {
            break;
        }
        at = certs->of[n];
    }
    diag_set(diag, "no authority of tls.client_ca is found above the certificate");
    FAIL(AUTH);
}

static bool
has_namesake(const struct identity *i, gnutls_x509_crt_t c)
{
    struct authority a = {0};
    if (i->doubtful_count == 0) {
        return false;
    }
    const bool found =
        gnutls_x509_crt_get_dn3(c, &a.name, 0) < 0 ||
        bsearch(&a, i->doubtful, i->doubtful_count, sizeof *i->doubtful, by_name) != NULL;
    gnutls_free(a.name.data);
    return found;
}

struct status
identity_check_chain(const struct identity *i, const gnutls_datum_t *chain, unsigned count,
                     struct diag *diag, char ret_name[static IDENTITY_NAME_MAX])
{
    DEFER(free_certificates) struct certificates certs = {0};
    unsigned status = 0;
    gnutls_typed_vdata_st use = {.type = GNUTLS_DT_KEY_PURPOSE_OID,
                                 .data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT};
    TRY(import(chain, count, diag, &certs));
    CHECK(certs.count > 0, AUTH);
    const int rc = gnutls_x509_trust_list_verify_crt2(
        i->authorities, certs.of, certs.count, &use, 1,
        GNUTLS_PROFILE_TO_VFLAGS(GNUTLS_PROFILE_MEDIUM), &status, NULL);
    if (rc < 0) {
        diag_set(diag, "the certificate cannot be checked: %s", gnutls_strerror(rc));
        FAIL(AUTH);
    }
    if (status != 0) {
        return refuse_status(status, certs.of[0], diag);
    }
    gnutls_x509_crt_t authority = NULL;
    char name[IDENTITY_NAME_MAX];
    TRY(find_authority(i, &certs, diag, &authority));
    TRY(client_name(certs.of[0], authority, diag, name));
    if (!client_name_is_spiffe(name) && has_namesake(i, authority)) {
        diag_set(diag, "two authorities of tls.client_ca have the same name and different keys: "
                       "a subject does not say of which it is");
        FAIL(AUTH);
    }
    memcpy(ret_name, name, sizeof name);
    return OK;
}

struct status
identity_check_client(const struct identity *i, gnutls_session_t tls, struct diag *diag,
                      char ret_name[static IDENTITY_NAME_MAX])
{
    unsigned count = 0;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(tls, &count);
    ret_name[0] = '\0';
    if (i->clients == IDENTITY_CLIENTS_OFF ||
        (count == 0 && i->clients == IDENTITY_CLIENTS_ASKED)) {
        return OK;
    }
    if (chain == NULL || count == 0) {
        diag_set(diag, "no certificate came, and tls.client_certificates is \"require\"");
        FAIL(AUTH);
    }
    return identity_check_chain(i, chain, count, diag, ret_name);
}

void
identity_client_fingerprint(gnutls_session_t tls, char ret_hex[static IDENTITY_FINGERPRINT_MAX])
{
    unsigned count = 0;
    struct digest d;
    DEFER(buf_done) struct buf hex;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(tls, &count);
    buf_init(&hex, IDENTITY_FINGERPRINT_MAX);
    if (chain != NULL && count > 0) {
        digest_of(view_of(chain[0].data, chain[0].size), &d);
        digest_put_hex(&hex, &d);
    }
    text_copy(ret_hex, IDENTITY_FINGERPRINT_MAX, buf_str(&hex));
}

int64_t
identity_client_ends(gnutls_session_t tls)
{
    unsigned count = 0;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(tls, &count);
    DEFER(free_certificates) struct certificates certs = {0};
    if (chain == NULL || count == 0 || !status_ok(import(chain, 1, NULL, &certs))) {
        return INT64_MAX;
    }
    return (int64_t)gnutls_x509_crt_get_expiration_time(certs.of[0]);
}
