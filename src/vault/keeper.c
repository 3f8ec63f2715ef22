#include "vault/keeper.h"

#include "base/clock.h"
#include "base/secret.h"
#include "vault/keeper_tree.h"
#include "vault/rotation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(struct keeper_request) == 4 + 4 + 2 + 2 + 4 + 4 + VAULT_PURPOSE_MAX +
                                                    VAULT_BOUND_BYTES + KEEPER_REQUEST_BYTES,
               "a message has no holes");
_Static_assert(sizeof(struct keeper_reply) == 4 + 4 + 2 + 2 + 4 + 4 + KEEPER_REPLY_BYTES,
               "a message has no holes");
_Static_assert(TLS_SIGNATURE_MAX <= KEEPER_REPLY_BYTES, "every signature fits");
_Static_assert(VAULT_SIGN_MESSAGE_MAX <= KEEPER_REQUEST_BYTES, "every text to sign fits");

struct keeper {
    struct vault *vault;
    char *dir;
    struct tls_keys *tls;
    struct keeper_tree tree;
    int64_t checked_ns;
    bool checked;
};

/* ---- what the gateway may have done ---- */

/* Of the operations that name a purpose, or a kind of text (detail), these and no others.
 * Everything that a call needs: who calls, what it may, which models there are, and the models. No
 * dataset, no assessment, and nothing of keys/. */
static const struct right {
    enum keeper_operation operation;
    const char *purpose;
    int detail;
} rights[] = {
    {KEEPER_UNWRAP, "store/principal", 0},
    {KEEPER_UNWRAP, "store/group", 0},
    {KEEPER_UNWRAP, "store/role", 0},
    {KEEPER_UNWRAP, "store/key", 0},
    {KEEPER_UNWRAP, "store/issuer", 0},
    {KEEPER_UNWRAP, "store/link", 0},
    {KEEPER_UNWRAP, "store/key-use", 0},
    {KEEPER_WRAP, "store/key-use", 0}, /* when keys were last used */
    {KEEPER_UNWRAP, "store/policy", 0},
    {KEEPER_UNWRAP, "store/policy-exemption", 0},
    {KEEPER_UNWRAP, "store/policy-state", 0},
    {KEEPER_WRAP, "store/policy-state", 0}, /* what did not comply when it last looked */
    {KEEPER_UNWRAP, "store/policy-note", 0},
    {KEEPER_UNWRAP, "store/model", 0},
    {KEEPER_UNWRAP, "object/model", 0},
    {KEEPER_WRAP, "object/capture", 0}, /* which it then cannot open */
    {KEEPER_MAC, "api-key", 0},
    {KEEPER_SIGN, "", VAULT_SIGN_CHECKPOINT},
};

static bool
is_granted(const struct keeper_request *q)
{
    for (size_t i = 0; i < sizeof rights / sizeof *rights; i++) {
        const struct right *r = &rights[i];
        if (r->operation == q->operation && r->detail == q->detail &&
            strcmp(r->purpose, q->purpose) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- the operations ---- */

static void
put(struct keeper_reply *r, const void *bytes, size_t n)
{
    ASSERT(n <= KEEPER_REPLY_BYTES - r->length);
    memcpy(r->bytes + r->length, bytes, n);
    r->length += (uint32_t)n;
}

static struct status
hello(struct keeper *k, const struct keeper_request *q, struct diag *diag, struct keeper_reply *r)
{
    (void)q, (void)diag;
    uint8_t public_key[VAULT_PUBLIC_BYTES];
    const char *warning = vault_warning(k->vault);
    const size_t n = warning == NULL ? 0 : strnlen(warning, KEEPER_REPLY_BYTES - sizeof public_key);
    vault_public_key(k->vault, public_key);
    put(r, public_key, sizeof public_key);
    put(r, n == 0 ? "" : warning, n);
    return OK;
}

static struct status
wrap(struct keeper *k, const struct keeper_request *q, struct diag *diag, struct keeper_reply *r)
{
    (void)diag;
    uint8_t wrapped[VAULT_WRAPPED_BYTES];
    TRY(vault_wrap(k->vault, q->purpose, q->bound, q->bytes, wrapped));
    put(r, wrapped, sizeof wrapped);
    return OK;
}

static struct status
unwrap(struct keeper *k, const struct keeper_request *q, struct diag *diag, struct keeper_reply *r)
{
    (void)diag;
    DEFER(secret_done) struct secret key = {0};
    TRY(vault_unwrap(k->vault, q->purpose, q->bound, q->bytes, &key));
    put(r, key.ptr, key.len);
    return OK;
}

static struct status
mac(struct keeper *k, const struct keeper_request *q, struct diag *diag, struct keeper_reply *r)
{
    (void)diag;
    uint8_t made[32];
    TRY(vault_mac(k->vault, q->purpose, view_of(q->bytes, q->length), made));
    put(r, made, sizeof made);
    return OK;
}

/* Only checkpoints get here: the table has no other kind. */
static struct status
sign(struct keeper *k, const struct keeper_request *q, struct diag *diag, struct keeper_reply *r)
{
    uint8_t signature[VAULT_SIGNATURE_BYTES];
    const struct view text = view_of(q->bytes, q->length);
    TRY(keeper_tree_grow(&k->tree, text, clock_mono_ns(), diag));
    TRY(vault_sign(k->vault, VAULT_SIGN_CHECKPOINT, text, signature));
    put(r, signature, sizeof signature);
    return OK;
}

static struct status
tls_load(struct keeper *k, const struct keeper_request *q, struct diag *diag,
         struct keeper_reply *r)
{
    (void)q;
    struct tls_key_info info;
    TRY(tls_keys_load(k->tls, k->vault, k->dir, diag, &info));
    struct keeper_tls told = {info.slot, info.kind, info.bits, {0}};
    memcpy(told.name, info.name.bytes, sizeof told.name);
    put(r, &told, sizeof told);
    return OK;
}

static struct status
tls_sign(struct keeper *k, const struct keeper_request *q, struct diag *diag,
         struct keeper_reply *r)
{
    uint8_t signature[TLS_SIGNATURE_MAX];
    size_t n = 0;
    (void)diag;
    TRY(tls_keys_sign(k->tls, q->slot, q->detail, view_of(q->bytes, q->length), signature, &n));
    put(r, signature, n);
    return OK;
}

/* What the last check found: no message makes the keeper look. */
static struct status
usable(struct keeper *k, const struct keeper_request *q, struct diag *diag, struct keeper_reply *r)
{
    (void)q, (void)diag;
    struct diag why = {0};
    if (!status_ok(vault_usable(k->vault, &why))) {
        put(r, why.text, strnlen(why.text, KEEPER_REPLY_BYTES));
    }
    return OK;
}

#define ANY_LENGTH UINT32_MAX

static const struct {
    const char *name;
    struct status (*run)(struct keeper *k, const struct keeper_request *q, struct diag *diag,
                         struct keeper_reply *r);
    uint32_t length; /* of the request's bytes */
    bool listed;     /* the table of rights decides; else everybody with the socket may */
} operations[KEEPER_OPERATIONS] = {
    [KEEPER_HELLO] = {"hello", hello, 0, false},
    [KEEPER_WRAP] = {"wrap", wrap, VAULT_KEY_BYTES, true},
    [KEEPER_UNWRAP] = {"unwrap", unwrap, VAULT_WRAPPED_BYTES, true},
    [KEEPER_MAC] = {"mac", mac, ANY_LENGTH, true},
    [KEEPER_SIGN] = {"sign", sign, ANY_LENGTH, true},
    [KEEPER_TLS_LOAD] = {"tls-load", tls_load, 0, false},
    [KEEPER_TLS_SIGN] = {"tls-sign", tls_sign, ANY_LENGTH, false},
    [KEEPER_USABLE] = {"usable", usable, 0, false},
};

const char *
keeper_operation_name(unsigned operation)
{
    return operation < KEEPER_OPERATIONS && operations[operation].run != NULL
               ? operations[operation].name
               : "?";
}

/* ---- one message ---- */

static bool
is_zero(const void *bytes, size_t n)
{
    const uint8_t *b = bytes;
    uint8_t any = 0;
    for (size_t i = 0; i < n; i++) {
        any |= b[i];
    }
    return any == 0;
}

static struct status
check_form(const struct keeper_request *q, struct diag *diag)
{
    const size_t n = strnlen(q->purpose, sizeof q->purpose);
    if (q->version != KEEPER_VERSION || *keeper_operation_name(q->operation) == '?' ||
        q->length > sizeof q->bytes || n == sizeof q->purpose ||
        !is_zero(q->purpose + n, sizeof q->purpose - n) ||
        !is_zero(q->bytes + q->length, sizeof q->bytes - q->length) ||
        (operations[q->operation].length != ANY_LENGTH &&
         operations[q->operation].length != q->length)) {
        diag_set(diag, "no request of the keeper's protocol");
        FAIL(INPUT);
    }
    return OK;
}

static struct status
answer(struct keeper *k, const struct keeper_request *q, struct diag *diag, struct keeper_reply *r)
{
    TRY(check_form(q, diag));
    if (operations[q->operation].listed && !is_granted(q)) {
        diag_set(diag, "the gateway may not have that done: %s %s",
                 keeper_operation_name(q->operation),
                 q->operation == KEEPER_SIGN ? "another text than a checkpoint" : q->purpose);
        FAIL(DENIED);
    }
    return operations[q->operation].run(k, q, diag, r);
}

void
keeper_answer(struct keeper *k, const struct keeper_request *q, struct keeper_reply *ret_reply)
{
    struct diag diag = {0};
    *ret_reply = (struct keeper_reply){
        .version = KEEPER_VERSION, .serial = q->serial, .operation = q->operation};
    const struct status s = answer(k, q, &diag, ret_reply);
    if (!status_ok(s)) {
        ret_reply->code = (uint16_t)s.code;
        ret_reply->os = s.os;
        secret_wipe(ret_reply->bytes, sizeof ret_reply->bytes);
        ret_reply->length = (uint32_t)strnlen(diag.text, KEEPER_REPLY_BYTES);
        memcpy(ret_reply->bytes, diag.text, ret_reply->length);
    }
}

/* ---- is the key still there? ---- */

bool
keeper_check(struct keeper *k, int64_t every_ns, int64_t now_ns, struct diag *diag,
             struct status *ret_checked, int64_t *ret_left_ns)
{
    const int64_t gone = now_ns - k->checked_ns;
    const bool due = every_ns > 0 && (!k->checked || gone >= every_ns);
    if (due) {
        k->checked = true;
        k->checked_ns = now_ns;
        *ret_checked = vault_check(k->vault, diag);
    }
    *ret_left_ns = every_ns == 0 ? INT64_MAX : due ? every_ns : every_ns - gone;
    return due;
}

/* ---- one keeper ---- */

struct keeper *
keeper_new(struct vault *v, const char *dir)
{
    struct keeper *k = calloc(1, sizeof *k);
    if (k == NULL) {
        return NULL;
    }
    k->vault = v;
    k->dir = strdup(dir);
    k->tls = tls_keys_new();
    if (k->dir == NULL || k->tls == NULL) {
        keeper_free(k);
        return NULL;
    }
    keeper_tree_open(&k->tree, v, k->dir, clock_mono_ns());
    return k;
}

void
keeper_free(struct keeper *k)
{
    if (k != NULL) {
        tls_keys_free(k->tls);
        free(k->dir);
        free(k);
    }
}
