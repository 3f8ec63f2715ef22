/* Certificates: the server's for each handshake, and the client's. A connection keeps the identity
 * that it began with, so that another one can take its place at any time. */
#include "serve/http_loop.h"

#include "base/log.h"

#include <string.h>

#define REFUSALS_TOLD_NS (NS_PER_S / 10) /* apart, on one loop */

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

int
http_on_certificate(gnutls_session_t tls, const gnutls_datum_t *authorities, int count,
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

void
http_tls_attach(struct conn *c)
{
    c->identity = http_identity(c->loop->server);
    identity_ask(c->identity, c->tls);
    gnutls_session_set_verify_function(c->tls, on_client_certificate);
}

void
http_tls_detach(struct conn *c)
{
    identity_free(c->identity);
}
