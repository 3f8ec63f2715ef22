/* Sessions and certificates: the server's for each handshake, and the client's. A connection keeps
 * the identity that it began with, so that another one can take its place at any time. */
#include "serve/http_loop.h"

#include "base/log.h"

#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>

#define REFUSALS_TOLD_NS (NS_PER_S / 10) /* apart, on one loop */
/* docs/serving.md states them. Forward secrecy and authenticated ciphers only; the signatures are
 * those that the keeper makes, and those that clients' certificates may have. */
#define PRIORITIES                                                                                 \
    "NONE:+VERS-TLS1.3:+VERS-TLS1.2:+AES-256-GCM:+AES-128-GCM:+CHACHA20-POLY1305:+AEAD:+"          \
    "ECDHE-ECDSA:+ECDHE-RSA:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:+SIGN-ECDSA-"          \
    "SECP256R1-SHA256:+SIGN-ECDSA-SECP384R1-SHA384:+SIGN-ECDSA-SHA256:+SIGN-ECDSA-SHA384:+SIGN-"   \
    "EDDSA-ED25519:+SIGN-RSA-PSS-RSAE-SHA256:+SIGN-RSA-PSS-RSAE-SHA384:+SIGN-RSA-PSS-RSAE-"        \
    "SHA512:+SIGN-RSA-SHA256:+SIGN-RSA-SHA384:+SIGN-RSA-SHA512:+CTYPE-X509"

/* What all sessions share. */
struct http_tls {
    gnutls_priority_t priorities;
    gnutls_certificate_credentials_t credentials;
};

struct identity *
http_identity(struct http_server *s)
{
    (void)pthread_mutex_lock(&s->identity_lock);
    struct identity *i = identity_take(s->identity);
    (void)pthread_mutex_unlock(&s->identity_lock);
    return i;
}

void
http_set_identity(struct http_server *s, struct identity *identity)
{
    (void)pthread_mutex_lock(&s->identity_lock);
    struct identity *old = s->identity;
    s->identity = identity_take(identity);
    (void)pthread_mutex_unlock(&s->identity_lock);
    identity_free(old);
    http_recheck(s);
}

static int
on_certificate(gnutls_session_t tls, const gnutls_datum_t *authorities, int count,
               const gnutls_pk_algorithm_t *kinds, int kind_count, gnutls_pcert_st **ret_chain,
               unsigned *ret_length, gnutls_privkey_t *ret_key)
{
    (void)authorities, (void)count, (void)kinds, (void)kind_count;
    const struct conn *c = gnutls_transport_get_ptr(tls);
    identity_give(c->identity, ret_chain, ret_length, ret_key);
    return 0;
}

static void
tell_refused(struct conn *c, const char *reason)
{
    struct http_loop *loop = c->loop;
    const int64_t now = clock_mono_ns();
    const struct http_handler *h = &loop->server->handler;
    if (h->client_refused != NULL) {
        h->client_refused(h->ctx, c->listener, c->address, c->peer, reason);
    }
    loop->clients_refused++;
    if (now - loop->client_told_ns > REFUSALS_TOLD_NS) {
        log_event(LOG_WARN, "tls.client-refused", "address=%s refused=%llu reason=\"%s\"",
                  c->address, loop->clients_refused, reason);
        loop->client_told_ns = now;
        loop->clients_refused = 0;
    }
}

static bool
is_client_good(struct conn *c, const struct identity *now)
{
    struct diag diag = {0};
    char name[IDENTITY_NAME_MAX] = "";
    const struct status s = identity_check_client(now, c->tls, &diag, name);
    if (!status_ok(s)) {
        char text[1024];
        diag_describe(&diag, s, text, sizeof text);
        tell_refused(c, text);
        return false;
    }
    memcpy(c->client_identity, name, sizeof name);
    identity_client_fingerprint(c->tls, c->client_fingerprint);
    return true;
}

/* Against the authorities and the list of revoked ones as they are now, not as they were when the
 * connection began. Nonzero ends the handshake. */
static int
on_client_certificate(gnutls_session_t tls)
{
    struct conn *c = gnutls_transport_get_ptr(tls);
    DEFER(identity_freep) struct identity *now = http_identity(c->loop->server);
    if (!is_client_good(c, now)) {
        return GNUTLS_E_CERTIFICATE_ERROR;
    }
    c->client_ends_s = identity_client_ends(tls);
    return 0;
}

bool
http_tls_stands(struct conn *c)
{
    DEFER(identity_freep) struct identity *now = http_identity(c->loop->server);
    return c->client_identity[0] == '\0' || c->identity == now || is_client_good(c, now);
}

bool
http_tls_expired(const struct conn *c)
{
    return c->client_identity[0] != '\0' && clock_wall_ns() / NS_PER_S > c->client_ends_s;
}

/* ---- sessions ---- */

void
http_tls_free(struct http_tls *t)
{
    if (t != NULL) {
        gnutls_priority_deinit(t->priorities);
        gnutls_certificate_free_credentials(t->credentials);
        free(t);
    }
}

struct status
http_tls_new(struct diag *diag, struct http_tls **ret_tls)
{
    struct http_tls *t = calloc(1, sizeof *t);
    CHECK(t != NULL, MEMORY);
    int rc = gnutls_priority_init(&t->priorities, PRIORITIES, NULL);
    if (rc == 0) {
        rc = gnutls_certificate_allocate_credentials(&t->credentials);
    }
    if (rc < 0) {
        diag_set(diag, "GnuTLS: %s", gnutls_strerror(rc));
        http_tls_free(t);
        FAIL(UNSUPPORTED);
    }
    gnutls_certificate_set_retrieve_function2(t->credentials, on_certificate);
    *ret_tls = t;
    return OK;
}

static int
begin(struct conn *c)
{
    static const gnutls_datum_t protocol = {(unsigned char *)(uintptr_t) "http/1.1", 8};
    const struct http_tls *shared = c->loop->server->tls;
    int rc = gnutls_init(&c->tls, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL);
    if (rc == 0) {
        rc = gnutls_priority_set(c->tls, shared->priorities);
    }
    if (rc == 0) {
        rc = gnutls_credentials_set(c->tls, GNUTLS_CRD_CERTIFICATE, shared->credentials);
    }
    return rc == 0 ? gnutls_alpn_set_protocols(c->tls, &protocol, 1, 0) : rc;
}

bool
http_tls_begin(struct conn *c)
{
    c->identity = http_identity(c->loop->server);
    if (begin(c) < 0) {
        return false;
    }
    http_transport_attach(c);
    identity_ask(c->identity, c->tls);
    gnutls_session_set_verify_function(c->tls, on_client_certificate);
    return true;
}

enum http_shake
http_tls_shake(struct conn *c)
{
    c->dry = false;
    const int rc = gnutls_handshake(c->tls);
    if (rc == 0) {
        return HTTP_SHAKE_DONE;
    }
    if (gnutls_error_is_fatal(rc) == 0) {
        return HTTP_SHAKE_WAITS;
    }
    (void)gnutls_alert_send_appropriate(c->tls, rc);
    return HTTP_SHAKE_FAILED;
}

void
http_tls_end(struct conn *c)
{
    gnutls_deinit(c->tls);
    identity_free(c->identity);
}
