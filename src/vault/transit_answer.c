#include "vault/transit_answer.h"

#include "base/json.h"
#include "base/text.h"

#include <ctype.h>
#include <string.h>

#define PREFIX "vault:v"
#define VERSION_DIGITS 9u

/* ---- a refusal ---- */

/* The first that fits is meant. says: a part of the service's sentence, "" of any. */
static const struct {
    unsigned status;
    const char *says;
    int32_t code;
    const char *sentence;
} refusals[] = {
    {400, "key not found", STATUS_NOT_FOUND,
     "the transit service has no such key: was it deleted, and is the URI right?"},
    {400, "too old", STATUS_DENIED,
     "the transit service no longer decrypts what this version of its key wrapped "
     "(min_decryption_version)"},
    {400, "non-aead", STATUS_UNSUPPORTED,
     "the transit service's key is of a kind that does not tell a changed byte; make one of type "
     "aes256-gcm96"},
    {400, "invalid ciphertext", STATUS_INTEGRITY,
     "this key of the transit service did not wrap it, or the file was changed"},
    {400, "message authentication failed", STATUS_INTEGRITY,
     "this key of the transit service did not wrap it, or the file was changed"},
    {400, "", STATUS_DENIED, "the transit service refuses to do this with its key (HTTP 400)"},
    {401, "", STATUS_AUTH, "the transit service does not know the token (HTTP 401)"},
    {403, "", STATUS_AUTH,
     "the transit service does not let the token do this (HTTP 403): was it revoked, has it "
     "expired, or does its policy not say update for encrypt/KEY and decrypt/KEY?"},
    {404, "", STATUS_NOT_FOUND,
     "the transit service has nothing at this path (HTTP 404): is the mount or its key gone?"},
    {405, "", STATUS_NOT_FOUND,
     "what the transit URI names is no transit engine (HTTP 405): is the mount right?"},
    {503, "sealed", STATUS_DENIED, "the transit service is sealed"},
};

/* Whether one of the list's texts has that part, in letters of any case. */
static bool
says(const json_t *errors, const char *part)
{
    const json_t *one;
    size_t i;
    json_array_foreach(errors, i, one)
    {
        const char *text = json_string_value(one);
        if (text != NULL && strcasestr(text, part) != NULL) {
            return true;
        }
    }
    return *part == '\0';
}

/* A refusal is the service's own only when it comes as one: a proxy before it has pages. */
static struct status
read_refusal(unsigned status, const json_t *o, struct diag *diag)
{
    const json_t *errors = json_object_get(o, "errors");
    for (size_t i = 0; json_is_array(errors) && i < sizeof refusals / sizeof *refusals; i++) {
        if (refusals[i].status == status && says(errors, refusals[i].says)) {
            diag_set(diag, "%s", refusals[i].sentence);
            return (struct status){STATUS_HERE, refusals[i].code, 0};
        }
    }
    if (status == 429) {
        diag_set(diag, "the transit service is asked too often (HTTP 429)");
        FAIL(BUSY);
    }
    if (status >= 300 && status < 400) {
        diag_set(diag,
                 "the transit service answers with a redirect (HTTP %u), and no token is taken "
                 "elsewhere; let the URI name the node that answers",
                 status);
        FAIL(IO);
    }
    diag_set(diag, "the transit service failed (HTTP %u)", status);
    FAIL(IO);
}

/* ---- an answer ---- */

static struct status
is_none(struct diag *diag)
{
    diag_set(diag, "the transit service's answer is none");
    FAIL(IO);
}

/* The member of "data"; borrowed from *ret_whole. */
static struct status
read_member(unsigned status, struct view body, const char *name, struct diag *diag,
            json_t **ret_whole, const char **ret_text)
{
    const struct status s = js_parse(body, NULL, NULL, ret_whole);
    if (status != 200) {
        return read_refusal(status, *ret_whole, diag);
    }
    *ret_text = json_string_value(json_object_get(json_object_get(*ret_whole, "data"), name));
    return status_ok(s) && *ret_text != NULL ? OK : is_none(diag);
}

bool
transit_is_wrapped(const char *text)
{
    const size_t prefix = sizeof PREFIX - 1;
    if (strncmp(text, PREFIX, prefix) != 0 || text[prefix] < '1' || text[prefix] > '9') {
        return false;
    }
    const char *rest = text + prefix;
    const size_t digits = strspn(rest, "0123456789");
    if (digits > VERSION_DIGITS || rest[digits] != ':') {
        return false;
    }
    DEFER(buf_done) struct buf bytes;
    buf_init(&bytes, TRANSIT_TEXT_MAX);
    return status_ok(text_from_base64(view_str(rest + digits + 1), &bytes)) &&
           bytes.len > VAULT_KEY_BYTES;
}

struct status
transit_read_wrapped(unsigned status, struct view body, struct diag *diag,
                     char ret_text[static TRANSIT_TEXT_MAX])
{
    DEFER(js_freep) json_t *whole = NULL;
    const char *text = NULL;
    TRY(read_member(status, body, "ciphertext", diag, &whole, &text));
    if (strlen(text) >= TRANSIT_TEXT_MAX || !transit_is_wrapped(text)) {
        return is_none(diag);
    }
    text_copy(ret_text, TRANSIT_TEXT_MAX, text);
    return OK;
}

struct status
transit_read_key(unsigned status, struct view body, struct diag *diag,
                 uint8_t ret_key[static VAULT_KEY_BYTES])
{
    DEFER(js_freep) json_t *whole = NULL;
    DEFER(buf_wipe) struct buf bytes;
    const char *text = NULL;
    buf_init(&bytes, VAULT_KEY_BYTES);
    TRY(read_member(status, body, "plaintext", diag, &whole, &text));
    if (!status_ok(text_from_base64(view_str(text), &bytes)) || bytes.len != VAULT_KEY_BYTES) {
        return is_none(diag);
    }
    memcpy(ret_key, bytes.ptr, VAULT_KEY_BYTES);
    return OK;
}
