#include "serve/client_name.h"

#include <stdio.h>
#include <string.h>

#define SCHEME "spiffe://"
#define NAMES_MAX 1024u /* of one certificate: further ones are not looked at, and refused */
#define DOMAIN_LETTERS "abcdefghijklmnopqrstuvwxyz0123456789.-_"
#define PATH_LETTERS DOMAIN_LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

bool
client_name_is_spiffe(const char *text)
{
    if (strncmp(text, SCHEME, strlen(SCHEME)) != 0) {
        return false;
    }
    text += strlen(SCHEME);
    const size_t domain = strspn(text, DOMAIN_LETTERS);
    if (domain == 0 || domain > 255 || (text[domain] != '/' && text[domain] != '\0')) {
        return false;
    }
    for (text += domain; *text == '/';) {
        const char *segment = ++text;
        const size_t n = strspn(segment, PATH_LETTERS);
        if (n == 0 || (n == 1 && *segment == '.') || (n == 2 && strncmp(segment, "..", 2) == 0)) {
            return false;
        }
        text += n;
    }
    return *text == '\0';
}

/* The certificate's URIs: how many, and the first. */
struct uris {
    unsigned count;
    bool spiffe; /* one of them begins as one, in any case of letters */
    char first[CLIENT_NAME_MAX];
    bool fits; /* the first does, without a NUL in it */
};

static struct status
read_uris(gnutls_x509_crt_t c, struct uris *ret_uris)
{
    struct uris u = {0};
    for (unsigned i = 0;; i++) {
        char text[CLIENT_NAME_MAX];
        size_t n = sizeof text;
        const int type = gnutls_x509_crt_get_subject_alt_name(c, i, text, &n, NULL);
        if (type == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE) {
            *ret_uris = u;
            return OK;
        }
        CHECK(i < NAMES_MAX && (type >= 0 || type == GNUTLS_E_SHORT_MEMORY_BUFFER), AUTH);
        if (type == GNUTLS_E_SHORT_MEMORY_BUFFER) {
            /* Longer than a name may be: whether it is a URI does not matter, but it might be. */
            u.count++;
            u.spiffe = true;
            continue;
        }
        if (type != GNUTLS_SAN_URI) {
            continue;
        }
        u.spiffe =
            u.spiffe || (n >= strlen(SCHEME) && strncasecmp(text, SCHEME, strlen(SCHEME)) == 0);
        if (u.count++ == 0 && n < sizeof u.first && memchr(text, 0, n) == NULL) {
            memcpy(u.first, text, n);
            u.fits = true;
        }
    }
}

static bool
may_sign(gnutls_x509_crt_t c)
{
    unsigned usage = 0, critical = 0;
    return gnutls_x509_crt_get_key_usage(c, &usage, &critical) == 0 &&
           (usage & GNUTLS_KEY_DIGITAL_SIGNATURE) != 0 &&
           (usage & (GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN)) == 0;
}

static bool
is_authority(gnutls_x509_crt_t c)
{
    unsigned critical = 0, authority = 0;
    int depth = 0;
    return gnutls_x509_crt_get_basic_constraints(c, &critical, &authority, &depth) == 0 &&
           authority != 0;
}

static struct status
check_svid(gnutls_x509_crt_t c, const struct uris *u, struct diag *diag)
{
    const char *wrong = u->count != 1 ? "a SPIFFE certificate has exactly one URI"
                        : !u->fits || !client_name_is_spiffe(u->first)
                            ? "its URI is no SPIFFE ID, or longer than 255 bytes"
                        : is_authority(c) ? "a SPIFFE certificate of a client is no authority"
                        : !may_sign(c)
                            ? "a SPIFFE certificate may sign (digitalSignature), but not "
                              "certificates"
                            : NULL;
    if (wrong != NULL) {
        diag_set(diag, "%s", wrong);
        FAIL(AUTH);
    }
    return OK;
}

/* Appends before and the certificate's subject; false: it has none, or it does not fit. */
static bool
put_name(gnutls_x509_crt_t c, const char *before, char ret_name[static CLIENT_NAME_MAX])
{
    gnutls_datum_t dn = {0};
    const size_t at = strlen(ret_name);
    const size_t n = gnutls_x509_crt_get_dn3(c, &dn, 0) == 0 ? dn.size : 0;
    const bool fits =
        n > 0 && at + strlen(before) + n < CLIENT_NAME_MAX && memchr(dn.data, 0, n) == NULL;
    if (fits) {
        (void)snprintf(ret_name + at, CLIENT_NAME_MAX - at, "%s%.*s", before, (int)n,
                       (const char *)dn.data);
    }
    gnutls_free(dn.data);
    return fits;
}

static struct status
put_subject(gnutls_x509_crt_t c, gnutls_x509_crt_t authority, struct diag *diag,
            char ret_name[static CLIENT_NAME_MAX])
{
    ret_name[0] = '\0';
    if (!put_name(c, "subject:", ret_name) || !put_name(authority, ";issuer:", ret_name)) {
        ret_name[0] = '\0';
        diag_set(diag,
                 "a certificate without a subject, or with one that has, with its authority's, "
                 "more than %zu bytes, names nobody",
                 CLIENT_NAME_MAX - strlen("subject:;issuer:") - 1);
        FAIL(AUTH);
    }
    return OK;
}

struct status
client_name(gnutls_x509_crt_t certificate, gnutls_x509_crt_t authority, struct diag *diag,
            char ret_name[static CLIENT_NAME_MAX])
{
    struct uris u;
    if (!status_ok(read_uris(certificate, &u))) {
        diag_set(diag, "its alternative names cannot be read, or are more than %u", NAMES_MAX);
        FAIL(AUTH);
    }
    if (!u.spiffe) {
        return put_subject(certificate, authority, diag, ret_name);
    }
    TRY(check_svid(certificate, &u, diag));
    memcpy(ret_name, u.first, sizeof u.first);
    return OK;
}
