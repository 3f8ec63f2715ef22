/* One request is under way at a time: a keeper answers in some tens of microseconds, and has one
 * thread. */
#include "vault/keeper.h"

#include "base/secret.h"
#include "vault/backend.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_MS 30000 /* scrypt takes most of a second; then it is stuck */

struct keeper_client {
    pthread_mutex_t lock;
    int fd;
    bool gone;
    uint32_t serial;
    uint8_t public_key[VAULT_PUBLIC_BYTES];
    char warning[KEEPER_REPLY_BYTES];
};

void
keeper_client_free(struct keeper_client *c)
{
    if (c != NULL) {
        (void)close(c->fd);
        (void)pthread_mutex_destroy(&c->lock);
        free(c);
    }
}

/* ---- one request ---- */

static void
wipe_request(struct keeper_request *q)
{
    secret_wipe(q, sizeof *q);
}

static void
wipe_reply(struct keeper_reply *r)
{
    secret_wipe(r, sizeof *r);
}

static struct status
receive(int fd, struct keeper_reply *r)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int ready = 0;
    do {
        ready = poll(&p, 1, WAIT_MS);
    } while (ready < 0 && errno == EINTR);
    CHECK(ready == 1, IO);
    const ssize_t n = recv(fd, r, sizeof *r, MSG_TRUNC);
    CHECK(n == (ssize_t)sizeof *r && r->version == KEEPER_VERSION && r->length <= sizeof r->bytes,
          IO);
    return OK;
}

static struct status
exchange(struct keeper_client *c, struct keeper_request *q, struct keeper_reply *r)
{
    CHECK(!c->gone, IO);
    q->version = KEEPER_VERSION;
    q->serial = ++c->serial;
    struct status s = OK;
    if (send(c->fd, q, sizeof *q, MSG_NOSIGNAL) != (ssize_t)sizeof *q) {
        s = FAILURE(IO);
    } else {
        s = receive(c->fd, r);
    }
    /* An answer to another question: nothing that comes after it can be trusted. */
    if (status_ok(s) && (r->serial != q->serial || r->operation != q->operation)) {
        s = FAILURE(IO);
    }
    c->gone = !status_ok(s);
    return s;
}

/* What the keeper said: its status, with its sentence. */
static struct status
said(const struct keeper_reply *r, struct diag *diag)
{
    if (r->code == STATUS_OK) {
        return OK;
    }
    CHECK(r->code < STATUS_CODES, IO);
    if (r->length > 0) {
        diag_set(diag, "%.*s", (int)r->length, (const char *)r->bytes);
    }
    return (struct status){STATUS_HERE, r->code, r->os};
}

struct status
keeper_client_ask(struct keeper_client *c, struct keeper_request *q, struct diag *diag,
                  struct keeper_reply *ret_reply)
{
    (void)pthread_mutex_lock(&c->lock);
    const struct status s = exchange(c, q, ret_reply);
    (void)pthread_mutex_unlock(&c->lock);
    if (!status_ok(s)) {
        diag_set(diag, "the keeper, which holds the keys, has ended or does not answer");
        return s;
    }
    return said(ret_reply, diag);
}

/* Asks for exactly n bytes. */
static struct status
ask_bytes(struct keeper_client *c, struct keeper_request *q, uint8_t *ret_bytes, size_t n)
{
    DEFER(wipe_reply) struct keeper_reply r = {0};
    TRY(keeper_client_ask(c, q, NULL, &r));
    CHECK(r.length == n, IO);
    memcpy(ret_bytes, r.bytes, n);
    return OK;
}

static void
fill(struct keeper_request *q, unsigned operation, const char *purpose, struct view bytes)
{
    ASSERT(bytes.len <= sizeof q->bytes && strlen(purpose) < sizeof q->purpose);
    *q = (struct keeper_request){.operation = (uint16_t)operation, .length = (uint32_t)bytes.len};
    memcpy(q->purpose, purpose, strlen(purpose));
    memcpy(q->bytes, bytes.ptr, bytes.len);
}

/* ---- the vault's table ---- */

static struct status
client_wrap(void *ctx, const char *purpose, const uint8_t bound[static VAULT_BOUND_BYTES],
            const uint8_t key[static VAULT_KEY_BYTES],
            uint8_t ret_wrapped[static VAULT_WRAPPED_BYTES])
{
    DEFER(wipe_request) struct keeper_request q = {0};
    fill(&q, KEEPER_WRAP, purpose, view_of(key, VAULT_KEY_BYTES));
    memcpy(q.bound, bound, sizeof q.bound);
    return ask_bytes(ctx, &q, ret_wrapped, VAULT_WRAPPED_BYTES);
}

static struct status
client_unwrap(void *ctx, const char *purpose, const uint8_t bound[static VAULT_BOUND_BYTES],
              const uint8_t wrapped[static VAULT_WRAPPED_BYTES],
              uint8_t ret_key[static VAULT_KEY_BYTES])
{
    struct keeper_request q;
    fill(&q, KEEPER_UNWRAP, purpose, view_of(wrapped, VAULT_WRAPPED_BYTES));
    memcpy(q.bound, bound, sizeof q.bound);
    return ask_bytes(ctx, &q, ret_key, VAULT_KEY_BYTES);
}

static struct status
client_mac(void *ctx, const char *purpose, struct view message, uint8_t ret_mac[static 32])
{
    DEFER(wipe_request) struct keeper_request q = {0};
    fill(&q, KEEPER_MAC, purpose, message);
    return ask_bytes(ctx, &q, ret_mac, 32);
}

static struct status
client_sign(void *ctx, enum vault_signing kind, struct view message,
            uint8_t ret_signature[static VAULT_SIGNATURE_BYTES])
{
    struct keeper_request q;
    fill(&q, KEEPER_SIGN, "", message);
    q.detail = (uint16_t)kind;
    return ask_bytes(ctx, &q, ret_signature, VAULT_SIGNATURE_BYTES);
}

static struct status
client_usable(void *ctx, struct diag *diag)
{
    struct keeper_request q;
    struct keeper_reply r;
    fill(&q, KEEPER_USABLE, "", view_of("", 0));
    TRY(keeper_client_ask(ctx, &q, diag, &r));
    if (r.length > 0) {
        diag_set(diag, "%.*s", (int)r.length, (const char *)r.bytes);
        FAIL(DENIED);
    }
    return OK;
}

static void
client_free(void *ctx)
{
    keeper_client_free(ctx);
}

static const struct vault_backend backend = {.wrap = client_wrap,
                                             .unwrap = client_unwrap,
                                             .mac = client_mac,
                                             .sign = client_sign,
                                             .usable = client_usable,
                                             .free = client_free};

struct status
keeper_client_vault(struct keeper_client *c, struct vault **ret_vault)
{
    return vault_over(&backend, c, c->public_key, *c->warning == '\0' ? NULL : c->warning,
                      ret_vault);
}

/* ---- TLS ---- */

static struct status
tls_sign(void *ctx, uint32_t slot, unsigned scheme, struct view digest,
         uint8_t ret_signature[static TLS_SIGNATURE_MAX], size_t *ret_len)
{
    struct keeper_request q;
    struct keeper_reply r;
    CHECK(digest.len <= TLS_DIGEST_MAX, LIMIT);
    fill(&q, KEEPER_TLS_SIGN, "", digest);
    q.detail = (uint16_t)scheme;
    q.slot = slot;
    TRY(keeper_client_ask(ctx, &q, NULL, &r));
    memcpy(ret_signature, r.bytes, r.length);
    *ret_len = r.length;
    return OK;
}

struct status
keeper_client_tls(struct keeper_client *c, struct diag *diag, struct tls_signer *ret_signer)
{
    struct keeper_request q;
    struct keeper_reply r;
    struct keeper_tls told;
    fill(&q, KEEPER_TLS_LOAD, "", view_of("", 0));
    TRY(keeper_client_ask(c, &q, diag, &r));
    CHECK(r.length == sizeof told, IO);
    memcpy(&told, r.bytes, sizeof told);
    struct tls_signer s = {.sign = tls_sign,
                           .ctx = c,
                           .key = {told.slot, (enum tls_key_kind)told.kind, told.bits, {{0}}}};
    memcpy(s.key.name.bytes, told.name, sizeof told.name);
    *ret_signer = s;
    return OK;
}

/* ---- one client ---- */

static struct status
greet(struct keeper_client *c, struct diag *diag)
{
    struct keeper_request q;
    struct keeper_reply r;
    fill(&q, KEEPER_HELLO, "", view_of("", 0));
    TRY(keeper_client_ask(c, &q, diag, &r));
    CHECK(r.length >= sizeof c->public_key, IO);
    memcpy(c->public_key, r.bytes, sizeof c->public_key);
    (void)snprintf(c->warning, sizeof c->warning, "%.*s", (int)(r.length - sizeof c->public_key),
                   (const char *)r.bytes + sizeof c->public_key);
    return OK;
}

struct status
keeper_client_new(int fd, struct diag *diag, struct keeper_client **ret_client)
{
    struct keeper_client *c = calloc(1, sizeof *c);
    if (c == NULL || pthread_mutex_init(&c->lock, NULL) != 0) {
        free(c);
        (void)close(fd);
        FAIL(MEMORY);
    }
    c->fd = fd;
    const struct status s = greet(c, diag);
    if (!status_ok(s)) {
        keeper_client_free(c);
        return s;
    }
    *ret_client = c;
    return OK;
}
