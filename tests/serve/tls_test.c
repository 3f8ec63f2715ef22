/* Certificates of clients, and changing the server's own while it serves. The authorities and
 * certificates are made here, with OpenSSL; GnuTLS judges them. */
#include "client.h"
#include "own_identity.h"

#include "base/clock.h"
#include "serve/client_name.h"
#include "serve/http.h"
#include "workspace/certificate.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY 86400L
#define GET "GET / HTTP/1.1\r\nhost: a\r\n\r\n"

/* ---- certificates ---- */

struct party {
    EVP_PKEY *key;
    X509 *cert;
};

struct wish {
    const char *name;  /* common name; NULL: an empty subject */
    const char *san;   /* as OpenSSL's configuration has it; NULL: none */
    const char *use;   /* extended key usage; NULL: clientAuth */
    const char *usage; /* key usage; NULL: digitalSignature */
    bool authority;
    long from, to; /* days from now; both 0: -1 to 30 */
    long seconds;  /* it lasts from now on; 0: to */
};

static void
extend_below(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    assert_non_null(e);
    assert_int_equal(X509_add_ext(cert, e, -1), 1);
    X509_EXTENSION_free(e);
}

static void
extend(X509 *cert, int nid, const char *value)
{
    extend_below(cert, cert, nid, value);
}

/* Signed by issuer, or by itself. key NULL: a new one. */
static struct party
make(const struct wish *w, const struct party *issuer, EVP_PKEY *key)
{
    static long serial;
    struct party p = {key == NULL ? EVP_EC_gen("P-256") : key, X509_new()};
    const bool plain = w->from == 0 && w->to == 0;
    assert_int_equal(X509_set_version(p.cert, 2), 1);
    (void)ASN1_INTEGER_set(X509_get_serialNumber(p.cert), ++serial);
    (void)X509_gmtime_adj(X509_getm_notBefore(p.cert), (plain ? -1 : w->from) * DAY);
    (void)X509_gmtime_adj(X509_getm_notAfter(p.cert), (plain ? 30 : w->to) * DAY);
    if (w->seconds > 0) {
        (void)X509_gmtime_adj(X509_getm_notAfter(p.cert), w->seconds);
    }
    (void)X509_set_pubkey(p.cert, p.key);
    if (w->name != NULL) {
        (void)X509_NAME_add_entry_by_txt(X509_get_subject_name(p.cert), "CN", MBSTRING_UTF8,
                                         (const unsigned char *)w->name, -1, -1, 0);
    }
    (void)X509_set_issuer_name(p.cert,
                               X509_get_subject_name(issuer == NULL ? p.cert : issuer->cert));
    extend(p.cert, NID_basic_constraints, w->authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
    extend(p.cert, NID_key_usage,
           w->usage != NULL ? w->usage
           : w->authority   ? "keyCertSign,cRLSign"
                            : "digitalSignature");
    if (!w->authority) {
        extend(p.cert, NID_ext_key_usage, w->use == NULL ? "clientAuth" : w->use);
    }
    extend(p.cert, NID_subject_key_identifier, "hash");
    if (issuer != NULL) {
        extend_below(p.cert, issuer->cert, NID_authority_key_identifier, "keyid");
    }
    if (w->san != NULL) {
        extend(p.cert, NID_subject_alt_name, w->san);
    }
    assert_true(X509_sign(p.cert, issuer == NULL ? p.key : issuer->key, EVP_sha256()) > 0);
    return p;
}

static void
party_done(struct party *p)
{
    X509_free(p->cert);
    EVP_PKEY_free(p->key);
}

static void
put_pem(const struct party *p, struct buf *b)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    assert_int_equal(PEM_write_bio_X509(bio, p->cert), 1);
    const long n = BIO_get_mem_data(bio, &text);
    buf_put(b, view_of(text, (size_t)n));
    (void)BIO_free(bio);
}

static void
put_key(const struct party *p, struct buf *b)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    assert_int_equal(PEM_write_bio_PrivateKey(bio, p->key, NULL, NULL, 0, NULL, NULL), 1);
    const long n = BIO_get_mem_data(bio, &text);
    buf_put(b, view_of(text, (size_t)n));
    (void)BIO_free(bio);
}

/* The issuer's list with that certificate in it. */
static void
put_revoked(const struct party *p, const struct party *issuer, struct buf *b)
{
    X509_CRL *list = X509_CRL_new();
    X509_REVOKED *entry = X509_REVOKED_new();
    ASN1_TIME *from = X509_gmtime_adj(NULL, -DAY), *to = X509_gmtime_adj(NULL, DAY);
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    (void)X509_CRL_set_version(list, 1);
    (void)X509_CRL_set_issuer_name(list, X509_get_subject_name(issuer->cert));
    (void)X509_CRL_set1_lastUpdate(list, from);
    (void)X509_CRL_set1_nextUpdate(list, to);
    (void)X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(p->cert));
    (void)X509_REVOKED_set_revocationDate(entry, from);
    assert_int_equal(X509_CRL_add0_revoked(list, entry), 1);
    assert_true(X509_CRL_sign(list, issuer->key, EVP_sha256()) > 0);
    assert_int_equal(PEM_write_bio_X509_CRL(bio, list), 1);
    const long n = BIO_get_mem_data(bio, &text);
    buf_put(b, view_of(text, (size_t)n));
    (void)BIO_free(bio);
    ASN1_TIME_free(from);
    ASN1_TIME_free(to);
    X509_CRL_free(list);
}

/* ---- the server's side ---- */

static struct {
    struct party root, second, twins[2]; /* the authorities that are trusted */
    struct own_identity own;
    struct http_server *server;
    uint16_t port;
    char seen[256]; /* client_identity of the newest call */
} it;

static struct identity *
identity_with(enum identity_clients clients, struct tls_key *key, struct view chain,
              struct view revoked)
{
    struct diag diag = {0};
    struct identity *i = NULL;
    DEFER(buf_done) struct buf ca;
    buf_init(&ca, 1 << 16);
    put_pem(&it.root, &ca);
    put_pem(&it.second, &ca);
    put_pem(&it.twins[0], &ca);
    put_pem(&it.twins[1], &ca);
    const struct identity_options o = {.chain_pem = chain,
                                       .chain_name = "chain",
                                       .signer = own_identity_signer(key),
                                       .clients = clients,
                                       .client_ca_pem = buf_view(&ca),
                                       .client_crl_pem = revoked};
    assert_ok(identity_new(&o, &diag, &i));
    return i;
}

/* A new certificate of the server's own, and a list of revoked ones. */
static struct identity *
fresh_with(enum identity_clients clients, struct view revoked, struct tls_key **ret_key)
{
    static const char *const hosts[] = {"localhost", "127.0.0.1"};
    struct diag diag = {0};
    DEFER(buf_done) struct buf cert;
    DEFER(buf_wipe) struct buf key;
    buf_init(&cert, 1 << 16);
    buf_init(&key, 1 << 16);
    assert_ok(certificate_make(hosts, 2, &diag, &cert, &key));
    assert_ok(tls_key_new(buf_view(&key), &diag, ret_key));
    return identity_with(clients, *ret_key, buf_view(&cert), revoked);
}

static struct identity *
fresh(enum identity_clients clients, struct tls_key **ret_key)
{
    return fresh_with(clients, view_str(""), ret_key);
}

/* ---- the names ---- */

/* What the certificate of that wish, signed by the root, is called: "" and the reason when it is
 * refused. */
static const char *
name_of(const struct wish *w, struct diag *diag)
{
    static char name[IDENTITY_NAME_MAX];
    DEFER(party_done) struct party p = make(w, &it.root, NULL);
    unsigned char *der = NULL;
    const int n = i2d_X509(p.cert, &der);
    struct tls_key *key = NULL;
    struct identity *i = fresh(IDENTITY_CLIENTS_REQUIRED, &key);
    const gnutls_datum_t chain = {der, (unsigned)n};
    *diag = (struct diag){0};
    name[0] = '\0';
    const struct status s = identity_check_chain(i, &chain, 1, diag, name);
    assert_true(status_ok(s) || s.code == STATUS_AUTH);
    identity_free(i);
    tls_key_free(key);
    OPENSSL_free(der);
    return status_ok(s) ? name : "";
}

static void
refuses_certificates_that_break_a_rule(void **state)
{
    (void)state;
    static const struct {
        struct wish wish;
        const char *says;
    } cases[] = {
        {{.name = "a", .san = "URI:spiffe://x.org/a,URI:spiffe://x.org/b"}, "exactly one URI"},
        {{.name = "a", .san = "URI:spiffe://x.org/a,URI:https://x.org/"}, "exactly one URI"},
        {{.name = "a", .san = "URI:https://x.org/,URI:spiffe://x.org/a"}, "exactly one URI"},
        {{.name = "a", .san = "URI:SPIFFE://x.org/a"}, "no SPIFFE ID"},
        {{.name = "a", .san = "URI:spiffe://X.org/a"}, "no SPIFFE ID"},
        {{.name = "a", .san = "URI:spiffe://x.org/a/"}, "no SPIFFE ID"},
        {{.name = "a", .san = "URI:spiffe://x.org:1/a"}, "no SPIFFE ID"},
        {{.name = "a", .san = "URI:spiffe://x.org/a?b"}, "no SPIFFE ID"},
        {{.name = "a", .san = "URI:spiffe://x.org/../a"}, "no SPIFFE ID"},
        {{.name = "a", .san = "URI:spiffe://x.org/a", .usage = "keyEncipherment"}, "may sign"},
        {{.name = NULL}, "names nobody"},
        {{.name = "a", .use = "serverAuth"}, "purpose"},
        {{.name = "a", .from = -10, .to = -1}, "one of the clocks is wrong"},
        {{.name = "a", .from = 1, .to = 10}, "one of the clocks is wrong"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct diag diag;
        assert_string_equal(name_of(&cases[i].wish, &diag), "");
        assert_says(&diag, cases[i].says);
    }
}

static void
names_a_client_by_its_spiffe_id_or_its_subject(void **state)
{
    (void)state;
    static const struct {
        struct wish wish;
        const char *name;
    } cases[] = {
        {{.name = "loan-desk"}, "subject:CN=loan-desk;issuer:CN=root"},
        {{.name = "a,b+c=\"d\""}, "subject:CN=a\\,b\\+c\\=\\\"d\\\";issuer:CN=root"},
        {{.name = "a", .san = "DNS:host.x.org,URI:https://x.org/"}, "subject:CN=a;issuer:CN=root"},
        {{.name = "a", .san = "URI:spiffe://x.org/loans/desk"}, "spiffe://x.org/loans/desk"},
        {{.name = NULL, .san = "critical,URI:spiffe://x.org"}, "spiffe://x.org"},
        {{.name = "a", .san = "DNS:b,URI:spiffe://x.org/a_B.9-"}, "spiffe://x.org/a_B.9-"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct diag diag;
        const char *name = name_of(&cases[i].wish, &diag);
        if (strchr(cases[i].name, '\\') == NULL) {
            assert_string_equal(name, cases[i].name);
        } else { /* RFC 4514 escapes, in one of its two forms */
            assert_int_equal(strncmp(name, "subject:CN=a\\,b", 15), 0);
        }
    }
    assert_true(client_name_is_spiffe("spiffe://a/b"));
    assert_false(client_name_is_spiffe("spiffe:///b"));
    assert_false(client_name_is_spiffe("spiffe://"));
    assert_false(client_name_is_spiffe("spiffe://a//b"));
    assert_false(client_name_is_spiffe("spiffe://a/."));
    assert_false(client_name_is_spiffe("spiffe://a/b%41"));
}

static struct status
check_chain(const struct party *parties, unsigned count, struct diag *diag,
            char ret_name[static IDENTITY_NAME_MAX])
{
    gnutls_datum_t chain[32] = {0};
    struct tls_key *key = NULL;
    struct identity *i = fresh(IDENTITY_CLIENTS_REQUIRED, &key);
    for (unsigned n = 0; n < count; n++) {
        const int size = i2d_X509(parties[n].cert, &chain[n].data);
        assert_true(size > 0);
        chain[n].size = (unsigned)size;
    }
    *diag = (struct diag){0};
    const struct status s = identity_check_chain(i, chain, count, diag, ret_name);
    for (unsigned n = 0; n < count; n++) {
        OPENSSL_free(chain[n].data);
    }
    identity_free(i);
    tls_key_free(key);
    return s;
}

/* Authorities that have signed each other, and a chain without end. */
static void
refuses_chains_that_loop_or_are_long(void **state)
{
    (void)state;
    struct diag diag;
    char name[IDENTITY_NAME_MAX];
    const struct wish a_wish = {.name = "A", .authority = true}, leaf = {.name = "leaf"};
    const struct wish b_wish = {.name = "B", .authority = true};
    DEFER(party_done) struct party b = make(&b_wish, NULL, NULL);
    DEFER(party_done) struct party a = make(&a_wish, &b, NULL);
    (void)EVP_PKEY_up_ref(b.key);
    DEFER(party_done) struct party b_by_a = make(&b_wish, &a, b.key);
    DEFER(party_done) struct party end = make(&leaf, &a, NULL);
    const struct party loop[] = {end, a, b_by_a, a, b_by_a, a, b_by_a};
    assert_status(check_chain(loop, 7, &diag, name), AUTH);
    const struct party longer[] = {end, a, b_by_a, a, b_by_a, a, b_by_a, a, b_by_a};
    assert_status(check_chain(longer, 9, &diag, name), AUTH);
    assert_says(&diag, "a chain of 9 certificates; 8 are followed");
    assert_status(check_chain(&end, 1, &diag, name), AUTH);
    assert_says(&diag, "issuer is unknown");
    assert_status(check_chain(loop, 0, &diag, name), AUTH);
}

/* The authority that counts is the one of ours, not one that calls itself so below it. */
static void
names_the_authority_that_is_trusted(void **state)
{
    (void)state;
    struct diag diag;
    char name[IDENTITY_NAME_MAX];
    const struct wish between = {.name = "between", .authority = true}, leaf = {.name = "desk"};
    DEFER(party_done) struct party middle = make(&between, &it.root, NULL);
    DEFER(party_done) struct party end = make(&leaf, &middle, NULL);
    DEFER(party_done) struct party stray = make(&between, NULL, NULL);
    const struct party chain[] = {end, middle}, whole[] = {end, middle, it.root},
                       strays[] = {end, middle, stray};
    assert_ok(check_chain(chain, 2, &diag, name));
    assert_string_equal(name, "subject:CN=desk;issuer:CN=root");
    assert_ok(check_chain(whole, 3, &diag, name));
    assert_string_equal(name, "subject:CN=desk;issuer:CN=root");
    const struct status s = check_chain(strays, 3, &diag, name);
    assert_true(s.code == STATUS_AUTH || strcmp(name, "subject:CN=desk;issuer:CN=root") == 0);
    /* As if a second authority were called "x;issuer:CN=root". */
    const struct wish sly = {.name = "desk;issuer:CN=root"};
    DEFER(party_done) struct party liar = make(&sly, &middle, NULL);
    const struct party lies[] = {liar, middle};
    assert_ok(check_chain(lies, 2, &diag, name));
    assert_string_equal(name, "subject:CN=desk\\;issuer:CN=root;issuer:CN=root");
}

/* The second authority makes an authority of a client's key of the first: what that signs is the
 * second's word, whatever else of the same name and key comes along. */
static void
an_authority_does_not_speak_for_another(void **state)
{
    (void)state;
    const struct wish client = {.name = "between"}, above = {.name = "between", .authority = true},
                      leaf = {.name = "desk"};
    DEFER(party_done) struct party by_root = make(&client, &it.root, NULL);
    (void)EVP_PKEY_up_ref(by_root.key);
    DEFER(party_done) struct party by_second = make(&above, &it.second, by_root.key);
    DEFER(party_done) struct party end = make(&leaf, &by_second, NULL);
    const struct party orders[][4] = {{end, by_second, by_root, it.second},
                                      {end, by_root, by_second, it.second},
                                      {end, by_second, it.root, by_root},
                                      {end, by_root, it.root, by_second}};
    unsigned taken = 0;
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        for (unsigned count = 2; count <= 4; count++) {
            struct diag diag;
            char name[IDENTITY_NAME_MAX] = "";
            if (status_ok(check_chain(orders[i], count, &diag, name))) {
                assert_string_equal(name, "subject:CN=desk;issuer:CN=second");
                taken++;
            }
        }
    }
    assert_true(taken > 0);
}

/* Two keys under one name: a subject would be somebody of either. SPIFFE bundles have such. */
static void
a_subject_of_two_authorities_of_one_name_is_nobody(void **state)
{
    (void)state;
    const struct wish leaf = {.name = "desk"}, svid = {.san = "URI:spiffe://x.org/desk"};
    for (unsigned i = 0; i < 2; i++) {
        struct diag diag;
        char name[IDENTITY_NAME_MAX] = "";
        DEFER(party_done) struct party end = make(&leaf, &it.twins[i], NULL);
        DEFER(party_done) struct party workload = make(&svid, &it.twins[i], NULL);
        assert_status(check_chain(&end, 1, &diag, name), AUTH);
        assert_says(&diag, "the same name and different keys");
        assert_string_equal(name, "");
        assert_ok(check_chain(&workload, 1, &diag, name));
        assert_string_equal(name, "spiffe://x.org/desk");
    }
}

/* Every byte of a client's certificate changed, and every length of it cut off: refused, or still
 * the same name. */
static void
a_changed_certificate_names_nobody_else(void **state)
{
    (void)state;
    static const uint8_t changes[] = {0x01, 0x80, 0xff};
    const struct wish leaf = {.name = "desk", .san = "URI:https://x.org/,DNS:a"},
                      svid = {.san = "URI:spiffe://x.org/desk"};
    struct tls_key *key = NULL;
    struct identity *i = fresh(IDENTITY_CLIENTS_REQUIRED, &key);
    DEFER(party_done) struct party end = make(&leaf, &it.root, NULL);
    DEFER(party_done) struct party workload = make(&svid, &it.root, NULL);
    const struct party *const parties[] = {&end, &workload};
    for (size_t p = 0; p < 2; p++) {
        struct diag diag = {0};
        char right[IDENTITY_NAME_MAX], name[IDENTITY_NAME_MAX];
        unsigned char *der = NULL;
        const int n = i2d_X509(parties[p]->cert, &der);
        gnutls_datum_t chain = {der, (unsigned)n};
        assert_ok(identity_check_chain(i, &chain, 1, &diag, right));
        for (int at = 0; at < n; at++) {
            for (size_t c = 0; c < sizeof changes; c++) {
                der[at] ^= changes[c];
                const struct status s = identity_check_chain(i, &chain, 1, &diag, name);
                assert_true(s.code == STATUS_AUTH || (status_ok(s) && strcmp(name, right) == 0));
                der[at] ^= changes[c];
            }
            chain.size = (unsigned)at;
            assert_status(identity_check_chain(i, &chain, 1, &diag, name), AUTH);
            chain.size = (unsigned)n;
        }
        OPENSSL_free(der);
    }
    identity_free(i);
    tls_key_free(key);
}

/* ---- handshakes ---- */

static void
handle(void *ctx, struct http_exchange *x)
{
    (void)ctx;
    x->status = 200;
    (void)snprintf(it.seen, sizeof it.seen, "%s", x->client_identity);
    buf_put_str(&x->answer, "{}");
}

static enum http_fate
fate(void *ctx, uint64_t ticket)
{
    (void)ctx, (void)ticket;
    return HTTP_DURABLE;
}

static void
start(struct identity *identity)
{
    const struct http_handler h = {.handle = handle, .fate = fate};
    const struct http_options o = {.address = "127.0.0.1",
                                   .identity = identity,
                                   .loops = 1,
                                   .limits = {.header_bytes = 16384,
                                              .header_count = 64,
                                              .body_bytes = 100000,
                                              .handshake_ns = 30 * NS_PER_S,
                                              .header_ns = 30 * NS_PER_S,
                                              .body_ns = 30 * NS_PER_S,
                                              .request_ns = 30 * NS_PER_S,
                                              .idle_ns = 30 * NS_PER_S,
                                              .connections = 128,
                                              .connections_per_address = 128},
                                   .arena_bytes = 1 << 20};
    struct diag diag = {0};
    assert_ok(http_start(&o, &h, &diag, &it.server));
    it.port = http_port(it.server, 0);
}

static bool
open_as(const struct party *p, struct client *ret_client)
{
    DEFER(buf_done) struct buf cert;
    DEFER(buf_done) struct buf key;
    buf_init(&cert, 1 << 16);
    buf_init(&key, 1 << 16);
    if (p != NULL) {
        put_pem(p, &cert);
        put_key(p, &key);
    }
    return client_open_as(it.port, buf_view(&cert), buf_view(&key), ret_client);
}

/* Its status, 0 when the connection is over. */
static unsigned
call_on(struct client *c)
{
    struct reply r = {0};
    it.seen[0] = '\0';
    if (client_send_text(c, GET)) {
        client_take(c, &r);
    }
    const unsigned status = r.status;
    reply_done(&r);
    return status;
}

/* One call with that certificate (NULL: none): its status, 0 when the server ended the handshake.
 */
static unsigned
call_as(const struct party *p)
{
    struct client c;
    const unsigned status = open_as(p, &c) ? call_on(&c) : 0;
    client_close(&c);
    return status;
}

static void
asks_for_certificates_as_it_is_told(void **state)
{
    (void)state;
    const struct wish other_wish = {.name = "other", .authority = true},
                      wish = {.name = "loan-desk"}, svid = {.san = "URI:spiffe://x.org/desk"};
    DEFER(party_done) struct party other = make(&other_wish, NULL, NULL);
    DEFER(party_done) struct party good = make(&wish, &it.root, NULL);
    DEFER(party_done) struct party workload = make(&svid, &it.root, NULL);
    DEFER(party_done) struct party stranger = make(&wish, &other, NULL);
    for (int clients = IDENTITY_CLIENTS_OFF; clients <= IDENTITY_CLIENTS_REQUIRED; clients++) {
        const bool off = clients == IDENTITY_CLIENTS_OFF;
        struct tls_key *key = NULL;
        struct identity *i = fresh((enum identity_clients)clients, &key);
        start(i);
        assert_int_equal(call_as(NULL), clients == IDENTITY_CLIENTS_REQUIRED ? 0 : 200);
        assert_string_equal(it.seen, "");
        assert_int_equal(call_as(&good), 200);
        assert_string_equal(it.seen, off ? "" : "subject:CN=loan-desk;issuer:CN=root");
        assert_int_equal(call_as(&workload), 200);
        assert_string_equal(it.seen, off ? "" : "spiffe://x.org/desk");
        assert_int_equal(call_as(&stranger), off ? 200 : 0);
        http_stop(it.server, 0);
        identity_free(i);
        tls_key_free(key);
    }
}

/* ---- another certificate while it serves ---- */

static void
take_peer(struct client *c, struct buf *ret_der)
{
    unsigned n = 0;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(c->tls, &n);
    assert_int_equal(n, 1);
    buf_init(ret_der, 1 << 16);
    buf_put(ret_der, view_of(chain->data, chain->size));
}

static void
takes_another_certificate_without_ending_calls(void **state)
{
    (void)state;
    struct client before, after;
    struct reply r;
    DEFER(buf_done) struct buf old;
    DEFER(buf_done) struct buf new;
    struct tls_key *key = NULL;
    start(it.own.identity);
    assert_true(client_open(it.port, NULL, &before));
    assert_true(client_send_text(&before, GET));
    client_take(&before, &r);
    assert_int_equal(r.status, 200);
    reply_done(&r);
    struct identity *i = fresh(IDENTITY_CLIENTS_OFF, &key);
    http_set_identity(it.server, i);
    identity_free(i); /* the server has counted it */
    assert_true(client_send_text(&before, GET));
    client_take(&before, &r);
    assert_int_equal(r.status, 200);
    reply_done(&r);
    assert_true(client_open(it.port, NULL, &after));
    take_peer(&before, &old);
    take_peer(&after, &new);
    assert_false(view_equal(buf_view(&old), buf_view(&new)));
    assert_true(client_send_text(&after, GET));
    client_take(&after, &r);
    assert_int_equal(r.status, 200);
    reply_done(&r);
    client_close(&before);
    client_close(&after);
    http_stop(it.server, 0);
    tls_key_free(key);
}

/* The list of revoked ones comes while they are connected. */
static void
a_revoked_certificate_ends_its_connection_and_no_other(void **state)
{
    (void)state;
    const struct wish one = {.name = "one"}, two = {.name = "two"};
    struct client revoked, kept, nameless;
    struct tls_key *key = NULL, *next_key = NULL;
    DEFER(buf_done) struct buf list;
    DEFER(party_done) struct party bad = make(&one, &it.root, NULL);
    DEFER(party_done) struct party good = make(&two, &it.root, NULL);
    buf_init(&list, 1 << 16);
    put_revoked(&bad, &it.root, &list);
    struct identity *before = fresh(IDENTITY_CLIENTS_ASKED, &key);
    start(before);
    assert_true(open_as(&bad, &revoked) && open_as(&good, &kept) && open_as(NULL, &nameless));
    assert_int_equal(call_on(&revoked), 200);
    assert_string_equal(it.seen, "subject:CN=one;issuer:CN=root");
    assert_int_equal(call_on(&kept), 200);
    assert_int_equal(call_on(&nameless), 200);
    struct identity *after = fresh_with(IDENTITY_CLIENTS_ASKED, buf_view(&list), &next_key);
    http_set_identity(it.server, after);
    assert_true(client_ended(&revoked, CLIENT_WAIT_MS));
    assert_int_equal(call_on(&kept), 200);
    assert_string_equal(it.seen, "subject:CN=two;issuer:CN=root");
    assert_int_equal(call_on(&nameless), 200);
    assert_int_equal(call_as(&bad), 0);
    client_close(&revoked);
    client_close(&kept);
    client_close(&nameless);
    http_stop(it.server, 0);
    identity_free(before);
    identity_free(after);
    tls_key_free(key);
    tls_key_free(next_key);
}

static void
a_certificate_whose_time_is_over_ends_its_connection(void **state)
{
    (void)state;
    const struct wish brief = {.name = "brief", .seconds = 3}, lasting = {.name = "lasting"};
    struct client ends, kept;
    struct tls_key *key = NULL;
    DEFER(party_done) struct party short_one = make(&brief, &it.root, NULL);
    DEFER(party_done) struct party long_one = make(&lasting, &it.root, NULL);
    struct identity *i = fresh(IDENTITY_CLIENTS_REQUIRED, &key);
    start(i);
    assert_true(open_as(&short_one, &ends) && open_as(&long_one, &kept));
    assert_int_equal(call_on(&ends), 200);
    assert_true(client_ended(&ends, CLIENT_WAIT_MS));
    assert_true(X509_cmp_current_time(X509_get0_notAfter(short_one.cert)) < 0);
    assert_int_equal(call_on(&kept), 200);
    client_close(&ends);
    client_close(&kept);
    http_stop(it.server, 0);
    identity_free(i);
    tls_key_free(key);
}

static void
refuses_a_chain_of_its_own_that_is_wrong(void **state)
{
    (void)state;
    struct diag diag = {0};
    struct identity *none = NULL;
    const struct wish a_wish = {.name = "A", .authority = true};
    DEFER(party_done) struct party a = make(&a_wish, NULL, NULL);
    DEFER(buf_done) struct buf twice;
    DEFER(buf_done) struct buf many;
    buf_init(&twice, 1 << 16);
    buf_init(&many, 1 << 16);
    put_pem(&a, &twice);
    put_pem(&a, &twice);
    for (unsigned i = 0; i < IDENTITY_CHAIN_MAX + 1; i++) {
        put_pem(&a, &many);
    }
    const struct {
        struct view pem;
        int code;
        const char *says;
    } cases[] = {
        {view_str("no certificate"), STATUS_INPUT, "chain: not certificates in PEM"},
        {view_str(""), STATUS_INPUT, "chain: not certificates in PEM"},
        {buf_view(&twice), STATUS_INPUT, "are the same"},
        {buf_view(&many), STATUS_INPUT, "more than 8 certificates"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct identity_options o = {.chain_pem = cases[i].pem,
                                           .chain_name = "chain",
                                           .signer = own_identity_signer(it.own.key)};
        const struct status s = identity_new(&o, &diag, &none);
        assert_int_equal(s.code, cases[i].code);
        assert_says(&diag, cases[i].says);
    }
    buf_reset(&twice);
    put_pem(&a, &twice);
    const struct identity_options o = {.chain_pem = buf_view(&twice),
                                       .chain_name = "chain",
                                       .signer = own_identity_signer(it.own.key)};
    assert_status(identity_new(&o, &diag, &none), INTEGRITY);
    assert_says(&diag, "chain: not the certificate of the key");
    assert_null(none);
}

static int
set_up(void **state)
{
    (void)state;
    const struct wish root = {.name = "root", .authority = true};
    const struct wish second = {.name = "second", .authority = true};
    const struct wish twin = {.name = "twin", .authority = true};
    it.root = make(&root, NULL, NULL);
    it.second = make(&second, NULL, NULL);
    it.twins[0] = make(&twin, NULL, NULL);
    it.twins[1] = make(&twin, NULL, NULL);
    own_identity_make(&it.own);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    own_identity_done(&it.own);
    party_done(&it.root);
    party_done(&it.second);
    party_done(&it.twins[0]);
    party_done(&it.twins[1]);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_a_chain_of_its_own_that_is_wrong),
        cmocka_unit_test(refuses_certificates_that_break_a_rule),
        cmocka_unit_test(refuses_chains_that_loop_or_are_long),
        cmocka_unit_test(names_the_authority_that_is_trusted),
        cmocka_unit_test(an_authority_does_not_speak_for_another),
        cmocka_unit_test(a_subject_of_two_authorities_of_one_name_is_nobody),
        cmocka_unit_test(a_changed_certificate_names_nobody_else),
        cmocka_unit_test(names_a_client_by_its_spiffe_id_or_its_subject),
        cmocka_unit_test(asks_for_certificates_as_it_is_told),
        cmocka_unit_test(takes_another_certificate_without_ending_calls),
        cmocka_unit_test(a_revoked_certificate_ends_its_connection_and_no_other),
        cmocka_unit_test(a_certificate_whose_time_is_over_ends_its_connection),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
