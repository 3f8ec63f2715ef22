#include "vault/pkcs11.h"

#include "base/file.h"
#include "base/json.h"
#include "base/sandbox.h"
#include "base/text.h"
#include "vault/token.h"

#include <stdlib.h>
#include <string.h>

#define PIN_MAX 255u
#define PATIENCE_S 30 /* how long a token may think */

struct pkcs11 {
    char uri[PKCS11_URI_MAX + 1];
    struct holder *holder;
};

/* ---- in the process with the token ---- */

struct access {
    struct pkcs11_uri uri;
    struct secret pin;
    bool network;
};

static void
access_done(struct access *a)
{
    secret_done(&a->pin);
}

static struct status
confine(const void *ctx, struct diag *diag)
{
    const struct access *a = ctx;
    return sandbox_driver(a->network, diag);
}

static void
lock(const void *ctx)
{
    const struct access *a = ctx;
    secret_relock(&a->pin);
}

static struct status
wrap(const void *ctx, const uint8_t key[static VAULT_KEY_BYTES], struct diag *diag,
     struct holder_wrapped *ret_wrapped)
{
    const struct access *a = ctx;
    DEFER(token_freep) struct token *t = NULL;
    struct token_wrapped w;
    TRY(token_new(&a->uri, &a->pin, diag, &t));
    TRY(token_wrap(t, key, diag, &w));
    ret_wrapped->len = sizeof w;
    memcpy(ret_wrapped->bytes, &w, sizeof w);
    return OK;
}

static struct status
unwrap(const void *ctx, const struct holder_wrapped *wrapped, struct diag *diag,
       uint8_t ret_key[static VAULT_KEY_BYTES])
{
    const struct access *a = ctx;
    DEFER(token_freep) struct token *t = NULL;
    struct token_wrapped w;
    CHECK(wrapped->len == sizeof w, INTEGRITY);
    memcpy(&w, wrapped->bytes, sizeof w);
    TRY(token_new(&a->uri, &a->pin, diag, &t));
    return token_unwrap(t, &w, diag, ret_key);
}

_Static_assert(sizeof(struct token_wrapped) <= HOLDER_WRAPPED_MAX, "fits");

static const struct holder_kind kind = {
    .process = "steward-token",
    .called = "the token",
    .patience_s = PATIENCE_S,
    .refused =
        "the PIN was wrong before; it is not tried again, since a token locks itself after a "
        "few wrong ones; start again with the right one",
    .confine = confine,
    .lock = lock,
    .wrap = wrap,
    .unwrap = unwrap};

/* ---- the PIN ---- */

static struct status
take_pin(const struct pkcs11_uri *u, const struct secret *pin, struct diag *diag,
         struct secret *ret_pin)
{
    if (pin->len > PIN_MAX) {
        diag_set(diag, "a PIN has at most %u bytes", PIN_MAX);
        FAIL(INPUT);
    }
    if (pin->len > 0) {
        return secret_from(secret_view(pin), ret_pin);
    }
    if (*u->pin_source != '\0') {
        return file_read_secret(u->pin_source, PIN_MAX + 2, "the PIN", diag, ret_pin);
    }
    diag_set(diag, "no PIN: set STEWARD_PKCS11_PIN, or add ?pin-source=file:PATH to the URI");
    FAIL(AUTH);
}

bool
pkcs11_has_pin(const char *uri)
{
    struct pkcs11_uri u;
    return status_ok(pkcs11_uri_parse(view_str(uri), NULL, &u)) && *u.pin_source != '\0';
}

static struct status
start(const char *text, const struct pkcs11_means *m, struct diag *diag, struct holder **ret_holder)
{
    DEFER(access_done) struct access a = {.network = m->network};
    TRY(pkcs11_uri_parse(view_str(text), diag, &a.uri));
    TRY(take_pin(&a.uri, m->pin, diag, &a.pin));
    return holder_start(&kind, &a, diag, ret_holder);
}

struct status
pkcs11_new(const char *uri, const struct pkcs11_means *m, struct diag *diag,
           struct pkcs11 **ret_pkcs11)
{
    DEFER(pkcs11_freep) struct pkcs11 *p = calloc(1, sizeof *p);
    CHECK(p != NULL, MEMORY);
    text_copy(p->uri, sizeof p->uri, uri);
    if (m->fd == 0) {
        TRY(start(uri, m, diag, &p->holder));
    } else {
        p->holder = holder_over(&kind, m->fd);
        CHECK(p->holder != NULL, MEMORY);
    }
    *ret_pkcs11 = MOVE(p);
    return OK;
}

void
pkcs11_free(struct pkcs11 *p)
{
    if (p != NULL) {
        holder_free(p->holder);
        free(p);
    }
}

struct holder *
pkcs11_holder(struct pkcs11 *p)
{
    return p->holder;
}

/* ---- the provider ---- */

static struct status
pkcs11_wrap(const void *ctx, const struct secret *key, struct buf *ret_state, struct diag *diag)
{
    const struct pkcs11 *p = ctx;
    struct holder_wrapped wrapped;
    struct token_wrapped w;
    TRY(holder_wrap(p->holder, key, diag, &wrapped));
    CHECK(wrapped.len == sizeof w, IO);
    memcpy(&w, wrapped.bytes, sizeof w);
    DEFER(js_freep) json_t *o = json_object();
    TRY(js_set(o, "uri", json_string(p->uri)));
    TRY(js_set(o, "mechanism", json_string(token_mechanism_name(w.mechanism))));
    if (w.mechanism == TOKEN_AES_GCM) {
        TRY(js_set(o, "iv", js_base64(view_of(w.iv, sizeof w.iv))));
    }
    TRY(js_set(o, "wrapped", js_base64(view_of(w.bytes, token_wrapped_bytes(w.mechanism)))));
    return js_put(ret_state, o);
}

static struct status
read_mechanism(const json_t *o, struct diag *diag, struct token_wrapped *w)
{
    const char *name = NULL;
    TRY(js_need_string(o, "mechanism", diag, &name));
    for (w->mechanism = 0; w->mechanism < TOKEN_MECHANISMS; w->mechanism++) {
        if (strcmp(name, token_mechanism_name(w->mechanism)) == 0) {
            w->len = (uint32_t)token_wrapped_bytes(w->mechanism);
            return OK;
        }
    }
    diag_set(diag, "mechanism \"%.40s\": this steward takes CKM_AES_GCM and CKM_AES_KEY_WRAP",
             name);
    FAIL(UNSUPPORTED);
}

static struct status
read_state(const struct pkcs11 *p, struct view text, struct diag *diag, struct token_wrapped *w)
{
    DEFER(js_freep) json_t *o = NULL;
    const char *uri = NULL;
    TRY(js_parse(text, NULL, diag, &o));
    TRY(js_need_string(o, "uri", diag, &uri));
    if (strcmp(uri, p->uri) != 0) {
        diag_set(diag, "another key of a token holds it by now (%.300s); start again", uri);
        FAIL(AUTH);
    }
    TRY(read_mechanism(o, diag, w));
    if (w->mechanism == TOKEN_AES_GCM) {
        TRY(js_need_base64(o, "iv", sizeof w->iv, diag, w->iv));
    }
    return js_need_base64(o, "wrapped", w->len, diag, w->bytes);
}

static struct status
pkcs11_unwrap(const void *ctx, struct view state, struct secret *ret_key, struct diag *diag)
{
    const struct pkcs11 *p = ctx;
    struct token_wrapped w = {0};
    struct holder_wrapped wrapped = {.len = sizeof w};
    TRY(read_state(p, state, diag, &w));
    memcpy(wrapped.bytes, &w, sizeof w);
    return holder_unwrap(p->holder, &wrapped, diag, ret_key);
}

struct vault_provider
pkcs11_provider(struct pkcs11 *p)
{
    return (struct vault_provider){
        .name = "pkcs11", .wrap = pkcs11_wrap, .unwrap = pkcs11_unwrap, .ctx = p};
}
