/* Signing in and out. docs/decisions/0022-console.md. */
#include "serve/console_parts.h"

#include "base/clock.h"
#include "base/secret.h"
#include "base/text.h"
#include "serve/console_form.h"
#include "serve/console_session.h"

#include <stdio.h>
#include <string.h>

#define COOKIE "__Host-steward"
#define COOKIE_ATTRIBUTES "; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age="
#define FORM_MAX 4096u

static bool
cookie_of(const struct call *c, struct view *ret_token)
{
    return form_cookie(http_header(c->x, "cookie"), COOKIE, ret_token);
}

/* Of a page of this console, and of no other site: browsers say so, and no page can make them say
 * otherwise. */
static bool
is_own_form(const struct call *c)
{
    const char *site = http_header(c->x, "sec-fetch-site"), *origin = http_header(c->x, "origin");
    const char *host = http_header(c->x, "host");
    char own[300];
    (void)snprintf(own, sizeof own, "https://%.280s", host == NULL ? "" : host);
    return (site != NULL || origin != NULL) && (site == NULL || strcmp(site, "same-origin") == 0) &&
           (origin == NULL || strcmp(origin, own) == 0);
}

/* ---- in ---- */

/* What the form has: a key, "" for the certificate, or a text that is no key. The body is wiped:
 * the log would have its digest, and it may be anything that somebody pasted. */
static void
take_key(struct call *c, char ret_key[static ACCESS_KEY_TEXT_MAX])
{
    char id[ACCESS_KEY_ID_LETTERS + 1], certificate[8];
    const struct view form = c->x->body;
    const bool read = form.len <= FORM_MAX &&
                      form_field(form, "key", ret_key, ACCESS_KEY_TEXT_MAX) &&
                      form_field(form, "certificate", certificate, sizeof certificate);
    const bool by_certificate = read && *ret_key == '\0' && strcmp(certificate, "yes") == 0;
    if (!by_certificate && (!read || !access_key_read(view_str(ret_key), id))) {
        text_copy(ret_key, ACCESS_KEY_TEXT_MAX, "?");
    }
    secret_wipe((void *)(uintptr_t)form.ptr, form.len);
    c->x->body = (struct view){0};
}

static void
begin_session(struct call *c, const char *key)
{
    struct session_of of = {.peer = c->x->peer};
    char token[SESSION_TOKEN_LETTERS + 1], cookie[256];
    struct view old;
    text_copy(of.principal, sizeof of.principal, c->caller.principal);
    (void)access_key_read(view_str(key), of.key_id);
    if (cookie_of(c, &old)) {
        session_end(c->server->sessions, old);
    }
    if (!status_ok(session_begin(c->server->sessions, &of, clock_mono_ns(), token))) {
        call_refuse(c, 503, "as many people as may be are signed in; try again later",
                    "no room for a further session");
        return;
    }
    (void)snprintf(cookie, sizeof cookie, COOKIE "=%s" COOKIE_ATTRIBUTES "%lld", token,
                   (long long)(SESSION_MOST_NS / NS_PER_S));
    http_set_header(c->x, "set-cookie", cookie);
    secret_wipe(token, sizeof token);
    secret_wipe(cookie, sizeof cookie);
}

static struct status
authenticate(struct call *c, const struct access_credential *given, struct access_sign_in *ret_in)
{
    struct access_credential all = *given;
    all.certificate = c->x->client_identity;
    all.peer = c->x->peer;
    all.now_ns = clock_wall_ns();
    TRY(access_authenticate(c->server->workspace->access, &all, ret_in));
    c->certificate = ret_in->certificate;
    text_copy(c->caller.principal, sizeof c->caller.principal, ret_in->caller.principal);
    return OK;
}

static void
sign_in(struct call *c)
{
    struct access_sign_in in;
    char key[ACCESS_KEY_TEXT_MAX] = "";
    take_key(c, key);
    const struct access_credential given = {.bearer = *key == '\0' ? NULL : key};
    const struct status s = authenticate(c, &given, &in);
    if (status_ok(s)) {
        begin_session(c, key);
    } else {
        call_refuse_sign_in(c, s, &in,
                            *key == '\0'
                                ? "this certificate is not linked to a principal; "
                                  "\"steward principal link\" does it"
                                : "this is no key that holds: it may be mistyped, unknown, "
                                  "expired or revoked");
    }
    secret_wipe(key, sizeof key);
}

/* ---- a session goes on ---- */

static void
go_on(struct call *c)
{
    struct session_of of = {0};
    struct access_sign_in in;
    struct view token;
    if (!cookie_of(c, &token) ||
        !session_find(c->server->sessions, token, c->x->peer, clock_mono_ns(), &of)) {
        call_refuse(c, 401, "sign in to go on", "not signed in to the console");
        return;
    }
    const struct access_credential given = {.key_id = of.key_id[0] == '\0' ? NULL : of.key_id};
    const struct status s = authenticate(c, &given, &in);
    if (status_ok(s) && strcmp(c->caller.principal, of.principal) == 0) {
        return;
    }
    c->caller.principal[0] = '\0';
    if (s.code == STATUS_BUSY) {
        call_refuse_sign_in(c, s, &in, "");
        return;
    }
    session_end(c->server->sessions, token);
    call_refuse(c, 401, "the key or certificate that this session began with holds no more",
                status_ok(s) ? "the certificate is another principal's" : in.reason);
}

void
console_authenticate(struct call *c)
{
    if (strcmp(c->x->method, "POST") == 0 && !is_own_form(c)) {
        c->x->body = (struct view){0};
        call_refuse(c, 403, "this form was not sent by a page of this console; sign in here",
                    "a form of another site");
    } else if (c->route->act == console_sign_in) {
        sign_in(c);
    } else {
        go_on(c);
    }
}

static void
go_home(struct call *c)
{
    c->x->status = 303;
    http_set_header(c->x, "location", "/");
    buf_put_str(&c->x->answer, "<!doctype html><title>Steward</title><a href=\"/\">Go on</a>\n");
    c->x->content_type = "text/html; charset=utf-8";
}

void
console_sign_in(struct call *c)
{
    text_copy(c->reason, sizeof c->reason, "signed in to the console");
    go_home(c);
}

void
console_sign_out(struct call *c)
{
    struct view token;
    if (cookie_of(c, &token)) {
        session_end(c->server->sessions, token);
    }
    text_copy(c->reason, sizeof c->reason, "signed out of the console");
    http_set_header(c->x, "set-cookie", COOKIE "=" COOKIE_ATTRIBUTES "0");
    go_home(c);
}
