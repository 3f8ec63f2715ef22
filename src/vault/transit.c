#include "vault/transit.h"

#include "base/json.h"
#include "base/random.h"
#include "base/text.h"
#include "vault/aead.h"

#include <stdlib.h>
#include <string.h>

#define SEALED_BYTES (VAULT_KEY_BYTES + AEAD_TAG_BYTES)
#define BOUND "steward transit v1\n" /* of the sealed key: this, bound, the wrapped key's text */

struct transit {
    char uri[TRANSIT_URI_MAX + 1];
    struct transit_uri parsed;
    struct holder *holder;
};

/* ---- the letter: the URI, the rules, an empty line, the token ---- */

struct status
transit_write_letter(const char *uri, struct view rules, const struct secret *token,
                     struct secret *ret_letter)
{
    DEFER(buf_wipe) struct buf text;
    buf_init(&text, TRANSIT_LETTER_MAX);
    buf_printf(&text, "%s\n", uri);
    buf_put(&text, rules);
    buf_put_str(&text, "\n");
    buf_put(&text, secret_view(token));
    TRY(buf_status(&text));
    return secret_from(buf_view(&text), ret_letter);
}

/* Up to that mark; *letter is what follows it. */
static struct status
take_until(const char *mark, struct view *letter, struct diag *diag, struct buf *ret_text)
{
    const size_t n = strlen(mark);
    const uint8_t *end = letter->len == 0 ? NULL : memmem(letter->ptr, letter->len, mark, n);
    if (end == NULL) {
        diag_set(diag, "a transit service holds the key, and it is only asked where whoever runs "
                       "Steward says so: name its URI in steward.yaml (keys.transit) or in "
                       "STEWARD_TRANSIT");
        FAIL(AUTH);
    }
    const size_t len = (size_t)(end - letter->ptr);
    buf_put(ret_text, view_of(letter->ptr, len));
    *letter = view_of(end + n, letter->len - len - n);
    return buf_status(ret_text);
}

static void
access_done(struct transit_access *a)
{
    secret_done(&a->token);
    free(a->rules);
}

static struct status
take_token(struct view token, struct diag *diag, struct transit_access *a)
{
    if (token.len > TRANSIT_TOKEN_MAX) {
        diag_set(diag, "the transit service's token has at most %u bytes", TRANSIT_TOKEN_MAX);
        FAIL(INPUT);
    }
    if (token.len == 0 && *a->uri.token_file == '\0') {
        diag_set(diag, "no token: set STEWARD_TRANSIT_TOKEN, or add ?token-file=/PATH to the URI");
        FAIL(AUTH);
    }
    return token.len == 0 ? OK : secret_from(token, &a->token);
}

static struct status
check_same_key(const struct transit_uri *file, const struct transit_uri *named, struct diag *diag)
{
    if (!transit_uri_same_key(file, named)) {
        diag_set(diag,
                 "%s%s%s of a transit service holds the key, and keys.transit in steward.yaml (or "
                 "STEWARD_TRANSIT) names another one: %s",
                 file->at.target, *file->namespace == '\0' ? "" : " in namespace ", file->namespace,
                 named->at.target);
        FAIL(AUTH);
    }
    return OK;
}

struct status
transit_check_key(const char *uri, const char *configured, struct diag *diag)
{
    struct transit_uri file, named;
    TRY(transit_uri_parse(view_str(uri), diag, &file));
    TRY(transit_uri_parse(view_str(configured), diag, &named));
    return check_same_key(&file, &named, diag);
}

static struct status
start(struct transit *t, const struct transit_means *m, struct diag *diag)
{
    DEFER(access_done) struct transit_access a = {.source = m->source};
    DEFER(buf_done) struct buf uri;
    DEFER(buf_done) struct buf rules;
    struct view rest = secret_view(m->letter);
    buf_init(&uri, TRANSIT_URI_MAX);
    buf_init(&rules, TRANSIT_LETTER_MAX);
    TRY(take_until("\n", &rest, diag, &uri));
    if (rest.len > 0 && *rest.ptr != '\n') { /* there are rules: with the last one's line break */
        TRY(take_until("\n\n", &rest, diag, &rules));
        buf_put_str(&rules, "\n");
    } else {
        TRY(take_until("\n", &rest, diag, &rules));
    }
    TRY(buf_status(&rules));
    TRY(transit_uri_parse(buf_view(&uri), diag, &a.uri));
    TRY(check_same_key(&t->parsed, &a.uri, diag));
    TRY(take_token(rest, diag, &a));
    a.rules = strdup(buf_str(&rules));
    CHECK(a.rules != NULL, MEMORY);
    text_copy(t->uri, sizeof t->uri, buf_str(&uri));
    return holder_start(m->kind, &a, diag, &t->holder);
}

struct status
transit_renew(void *ctx, struct diag *diag)
{
    struct transit_access *a = ctx;
    struct transit_uri now;
    DEFER(buf_done) struct buf uri;
    DEFER(buf_done) struct buf rules;
    buf_init(&uri, TRANSIT_URI_MAX);
    buf_init(&rules, TRANSIT_LETTER_MAX);
    CHECK(a->source != NULL, UNSUPPORTED);
    TRY(a->source->read(a->source->ctx, diag, &uri, &rules));
    TRY(transit_uri_parse(buf_view(&uri), diag, &now));
    TRY(check_same_key(&a->uri, &now, diag));
    if (a->token.len == 0 && *now.token_file == '\0') {
        diag_set(diag, "the URI names no token-file any more, and a token is asked for at a start "
                       "only: restart");
        FAIL(AUTH);
    }
    char *lines = strdup(buf_str(&rules));
    CHECK(lines != NULL, MEMORY);
    free(a->rules);
    a->rules = lines;
    if (*now.token_file != '\0') {
        secret_done(&a->token);
    }
    return transit_uri_parse(buf_view(&uri), diag, &a->uri); /* as before, in its place */
}

/* ---- the provider ---- */

/* Of a process that runs already: what it does is not this one's. */
static const struct holder_kind asked = {TRANSIT_KIND};

struct status
transit_new(const char *uri, const struct transit_means *m, struct diag *diag,
            struct transit **ret_transit)
{
    DEFER(transit_freep) struct transit *t = calloc(1, sizeof *t);
    CHECK(t != NULL, MEMORY);
    text_copy(t->uri, sizeof t->uri, uri);
    TRY(transit_uri_parse(view_str(uri), diag, &t->parsed));
    if (m->fd == 0) {
        CHECK(m->kind != NULL, UNSUPPORTED);
        TRY(start(t, m, diag));
    } else {
        t->holder = holder_over(&asked, m->fd);
        CHECK(t->holder != NULL, MEMORY);
    }
    *ret_transit = MOVE(t);
    return OK;
}

void
transit_free(struct transit *t)
{
    if (t != NULL) {
        holder_free(t->holder);
        free(t);
    }
}

struct holder *
transit_holder(struct transit *t)
{
    return t->holder;
}

const char *
transit_target(const struct transit *t)
{
    return t->uri;
}

static struct status
put_bound(const struct transit_wrapped *w, struct buf *ret_bound)
{
    buf_init(ret_bound, sizeof BOUND + sizeof *w);
    buf_put_str(ret_bound, BOUND);
    buf_put(ret_bound, view_of(w->bound, sizeof w->bound));
    buf_put_str(ret_bound, w->text);
    return buf_status(ret_bound);
}

static const uint8_t no_nonce[AEAD_NONCE_BYTES]; /* a wrapped key seals one workspace's */

static struct status
seal(const struct secret *wrapping, const struct transit_wrapped *w, const struct secret *key,
     uint8_t ret_sealed[static SEALED_BYTES])
{
    DEFER(aead_freep) struct aead *a = aead_new(wrapping->ptr, true);
    DEFER(buf_done) struct buf bound = {0};
    TRY(put_bound(w, &bound));
    CHECK(a != NULL, MEMORY);
    return aead_seal(a, no_nonce, buf_view(&bound), secret_view(key), ret_sealed);
}

static struct status
transit_wrap(const void *ctx, const struct secret *key, struct buf *ret_state, struct diag *diag)
{
    const struct transit *t = ctx;
    struct holder_wrapped wrapped;
    struct transit_wrapped w;
    uint8_t sealed[SEALED_BYTES];
    DEFER(secret_done) struct secret wrapping = {0};
    ASSERT(key->len == VAULT_KEY_BYTES);
    TRY(secret_new(VAULT_KEY_BYTES, &wrapping));
    random_bytes(wrapping.ptr, wrapping.len);
    TRY(holder_wrap(t->holder, &wrapping, diag, &wrapped));
    CHECK(wrapped.len == sizeof w, IO);
    memcpy(&w, wrapped.bytes, sizeof w);
    w.text[sizeof w.text - 1] = '\0';
    TRY(seal(&wrapping, &w, key, sealed));
    DEFER(js_freep) json_t *o = json_object();
    TRY(js_set(o, "uri", json_string(t->uri)));
    TRY(js_set(o, "wrapped", json_string(w.text)));
    TRY(js_set(o, "bound", js_base64(view_of(w.bound, sizeof w.bound))));
    TRY(js_set(o, "sealed", js_base64(view_of(sealed, sizeof sealed))));
    return js_put(ret_state, o);
}

/* A URI that leads to the same key in another way is no other key. */
static struct status
read_uri(const struct transit *t, const json_t *o, struct diag *diag)
{
    struct transit_uri u;
    const char *uri = NULL;
    TRY(js_need_string(o, "uri", diag, &uri));
    TRY(transit_uri_parse(view_str(uri), diag, &u));
    if (!transit_uri_same_key(&t->parsed, &u)) {
        diag_set(diag, "another key of a transit service holds it by now (%.300s); start again",
                 uri);
        FAIL(AUTH);
    }
    return OK;
}

static struct status
read_state(const struct transit *t, struct view text, struct diag *diag, struct transit_wrapped *w,
           uint8_t ret_sealed[static SEALED_BYTES])
{
    DEFER(js_freep) json_t *o = NULL;
    const char *wrapped = NULL;
    TRY(js_parse(text, NULL, diag, &o));
    TRY(read_uri(t, o, diag));
    TRY(js_need_string(o, "wrapped", diag, &wrapped));
    if (strlen(wrapped) >= sizeof w->text || !transit_is_wrapped(wrapped)) {
        diag_set(diag, "wrapped: not what a transit service makes of a key");
        FAIL(INTEGRITY);
    }
    text_copy(w->text, sizeof w->text, wrapped);
    TRY(js_need_base64(o, "bound", sizeof w->bound, diag, w->bound));
    return js_need_base64(o, "sealed", SEALED_BYTES, diag, ret_sealed);
}

static struct status
unseal(const struct secret *wrapping, const struct transit_wrapped *w,
       const uint8_t sealed[static SEALED_BYTES], struct diag *diag, struct secret *ret_key)
{
    DEFER(aead_freep) struct aead *a = aead_new(wrapping->ptr, false);
    DEFER(secret_done) struct secret key = {0};
    DEFER(buf_done) struct buf bound = {0};
    TRY(put_bound(w, &bound));
    CHECK(a != NULL, MEMORY);
    TRY(secret_new(VAULT_KEY_BYTES, &key));
    if (!status_ok(
            aead_open(a, no_nonce, buf_view(&bound), view_of(sealed, SEALED_BYTES), key.ptr))) {
        diag_set(diag, "what the transit service unwrapped is not the key that it was given, or "
                       "the file was changed");
        FAIL(INTEGRITY);
    }
    *ret_key = key;
    key = (struct secret){0};
    return OK;
}

static struct status
transit_unwrap(const void *ctx, struct view state, struct secret *ret_key, struct diag *diag)
{
    const struct transit *t = ctx;
    struct transit_wrapped w = {0};
    struct holder_wrapped wrapped = {.len = sizeof w};
    uint8_t sealed[SEALED_BYTES];
    DEFER(secret_done) struct secret wrapping = {0};
    TRY(read_state(t, state, diag, &w, sealed));
    memcpy(wrapped.bytes, &w, sizeof w);
    TRY(holder_unwrap(t->holder, &wrapped, diag, &wrapping));
    return unseal(&wrapping, &w, sealed, diag, ret_key);
}

struct vault_provider
transit_provider(struct transit *t)
{
    return (struct vault_provider){
        .name = "transit", .wrap = transit_wrap, .unwrap = transit_unwrap, .ctx = t};
}
