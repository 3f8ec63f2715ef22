#include "vault/transit_ask.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/random.h"
#include "base/sandbox.h"
#include "net/door.h"
#include "vault/transit.h"

#include <stdlib.h>
#include <string.h>

#define ANSWER_NS (10 * NS_PER_S) /* less than the process is waited for */
#define REQUEST_MAX 4096u

/* ---- the door ---- */

static struct status
open_door(const struct transit_access *a, struct diag *diag, struct door **ret_door)
{
    DEFER(egress_freep) struct egress *rules = egress_new();
    CHECK(rules != NULL, MEMORY);
    for (const char *line = a->rules; *line != '\0';) {
        const size_t n = strcspn(line, "\n");
        TRY(egress_add(rules, view_of(line, n), diag));
        line += n + (line[n] == '\n');
    }
    return door_new(MOVE(rules), NULL, ret_door);
}

/* What cannot be told from no credential at all is none. */
static struct status
find_token(const struct transit_access *a, struct diag *diag, struct secret *ret_token)
{
    if (a->token.len > 0) {
        return secret_from(secret_view(&a->token), ret_token);
    }
    const struct status s =
        file_read_secret(a->uri.token_file, TRANSIT_TOKEN_MAX, "the token", diag, ret_token);
    CHECK(status_ok(s) || s.code == STATUS_MEMORY, AUTH);
    return s;
}

/* What the service is or says: the door's own word for an unknown certificate is no answer of it.
 */
static struct status
as_unreachable(struct status s)
{
    return s.code == STATUS_LIMIT || s.code == STATUS_AUTH ? FAILURE(IO) : s;
}

static struct status
post(const struct transit_access *a, const char *act, struct view body, struct diag *diag,
     struct door_answer *ret_answer)
{
    DEFER(door_freep) struct door *door = NULL;
    DEFER(secret_done) struct secret token = {0};
    DEFER(buf_done) struct buf url;
    const int mount = (int)(a->uri.key - a->uri.at.target) - 1;
    buf_init(&url, URL_MOST_TEXT);
    (void)clearenv(); /* this process is for one question: SSLKEYLOGFILE has no say in it */
    TRY(open_door(a, diag, &door));
    TRY(find_token(a, diag, &token));
    url_put_origin(&a->uri.at, &url);
    buf_printf(&url, "/v1%.*s/%s/%s", mount, a->uri.at.target, act, a->uri.key);
    TRY(buf_status(&url));
    const struct door_header header[] = {{"X-Vault-Token", secret_view(&token)},
                                         {"X-Vault-Request", view_str("true")},
                                         {"Content-Type", view_str("application/json")},
                                         {"X-Vault-Namespace", view_str(a->uri.namespace)}};
    const struct door_request q = {.purpose = "transit",
                                   .url = buf_str(&url),
                                   .header = header,
                                   .headers = *a->uri.namespace == '\0' ? 3 : 4,
                                   .body = body,
                                   .ca_file = *a->uri.ca_file == '\0' ? NULL : a->uri.ca_file,
                                   .timeout_ns = ANSWER_NS,
                                   .max_bytes = TRANSIT_ANSWER_MAX};
    return as_unreachable(door_fetch(door, &q, diag, ret_answer));
}

/* ---- the two questions; what is in memory here goes with the process ---- */

/* {"associated_data": bound, "context": bound, name: text}. A key of the kind "derived" needs the
 * context, others pass it over; both must come back the same to decrypt. */
static struct status
ask(const struct transit_access *a, const char *act, const uint8_t *bound, const char *name,
    json_t *text, struct diag *diag, struct door_answer *ret_answer)
{
    TRY(sandbox_calls(SANDBOX_FETCHER, diag)); /* before an answer is read: no more processes */
    DEFER(js_freep) json_t *o = json_object();
    DEFER(buf_wipe) struct buf body;
    buf_init(&body, REQUEST_MAX);
    TRY(js_set(o, name, text));
    TRY(js_set(o, "associated_data", js_base64(view_of(bound, TRANSIT_BOUND_BYTES))));
    TRY(js_set(o, "context", js_base64(view_of(bound, TRANSIT_BOUND_BYTES))));
    TRY(js_put(&body, o));
    return post(a, act, buf_view(&body), diag, ret_answer);
}

static struct status
wrap(const void *ctx, const uint8_t key[static VAULT_KEY_BYTES], struct diag *diag,
     struct holder_wrapped *ret_wrapped)
{
    DEFER(door_answer_done) struct door_answer got = {0};
    struct transit_wrapped w = {0};
    random_bytes(w.bound, sizeof w.bound);
    TRY(ask(ctx, "encrypt", w.bound, "plaintext", js_base64(view_of(key, VAULT_KEY_BYTES)), diag,
            &got));
    TRY(transit_read_wrapped(got.status, buf_view(&got.body), diag, w.text));
    ret_wrapped->len = sizeof w;
    memcpy(ret_wrapped->bytes, &w, sizeof w);
    return OK;
}

static struct status
unwrap(const void *ctx, const struct holder_wrapped *wrapped, struct diag *diag,
       uint8_t ret_key[static VAULT_KEY_BYTES])
{
    DEFER(door_answer_done) struct door_answer got = {0};
    struct transit_wrapped w;
    CHECK(wrapped->len == sizeof w, INTEGRITY);
    memcpy(&w, wrapped->bytes, sizeof w);
    w.text[sizeof w.text - 1] = '\0';
    TRY(ask(ctx, "decrypt", w.bound, "ciphertext", json_string(w.text), diag, &got));
    return transit_read_key(got.status, buf_view(&got.body), diag, ret_key);
}

static void
lock(const void *ctx)
{
    const struct transit_access *a = ctx;
    secret_relock(&a->token);
}

static struct status
confine(const void *ctx, struct diag *diag)
{
    (void)ctx;
    return sandbox_calls(SANDBOX_HOUSE, diag);
}

const struct holder_kind transit_kind = {TRANSIT_KIND, .confine = confine, .lock = lock,
                                         .wrap = wrap, .unwrap = unwrap,   .renew = transit_renew};
