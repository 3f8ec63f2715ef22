#include "vault/token.h"

#include "base/random.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <p11-kit/pkcs11.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SLOTS_MAX 64u
#define BOUND "steward pkcs11 v1" /* CKM_AES_GCM's additional data */
#define TAG_BYTES 16u
#define KEY_WRAP_BYTES (VAULT_KEY_BYTES + 8u)

struct token {
    const struct pkcs11_uri *uri;
    const struct secret *pin;
    void *module;
    CK_FUNCTION_LIST *call;
};

/* ---- mechanisms ---- */

static const struct {
    const char *name;
    CK_MECHANISM_TYPE type;
    CK_FLAGS needs;
    CK_ATTRIBUTE_TYPE there, back; /* what the key must be allowed */
    size_t bytes;
} mechanisms[TOKEN_MECHANISMS] = {
    [TOKEN_AES_GCM] = {"CKM_AES_GCM", CKM_AES_GCM, CKF_ENCRYPT | CKF_DECRYPT, CKA_ENCRYPT,
                       CKA_DECRYPT, VAULT_KEY_BYTES + TAG_BYTES},
    [TOKEN_AES_KEY_WRAP] = {"CKM_AES_KEY_WRAP", CKM_AES_KEY_WRAP, CKF_WRAP | CKF_UNWRAP, CKA_WRAP,
                            CKA_UNWRAP, KEY_WRAP_BYTES},
};

const char *
token_mechanism_name(uint32_t mechanism)
{
    return mechanism < TOKEN_MECHANISMS ? mechanisms[mechanism].name : "?";
}

size_t
token_wrapped_bytes(uint32_t mechanism)
{
    return mechanism < TOKEN_MECHANISMS ? mechanisms[mechanism].bytes : 0;
}

/* ---- what a module answers ---- */

#define AGAIN "; is the token there and in order?"
static const struct {
    CK_RV rv;
    int32_t code;
    const char *name, *sentence;
} answers[] = {
    {CKR_DEVICE_REMOVED, STATUS_NOT_FOUND, "CKR_DEVICE_REMOVED", "the token was taken out"},
    {CKR_TOKEN_NOT_PRESENT, STATUS_NOT_FOUND, "CKR_TOKEN_NOT_PRESENT", "the token was taken out"},
    {CKR_TOKEN_NOT_RECOGNIZED, STATUS_NOT_FOUND, "CKR_TOKEN_NOT_RECOGNIZED",
     "the module does not know this token"},
    {CKR_PIN_INCORRECT, STATUS_AUTH, "CKR_PIN_INCORRECT",
     "wrong PIN; it is not tried again: a token locks itself after a few wrong ones"},
    {CKR_PIN_LEN_RANGE, STATUS_AUTH, "CKR_PIN_LEN_RANGE",
     "wrong PIN: too short or too long for this token; it is not tried again: a token locks itself "
     "after a few wrong ones"},
    {CKR_PIN_INVALID, STATUS_AUTH, "CKR_PIN_INVALID", "wrong PIN: it has characters that none has"},
    {CKR_PIN_EXPIRED, STATUS_DENIED, "CKR_PIN_EXPIRED", "the PIN has expired; set another one"},
    {CKR_PIN_LOCKED, STATUS_DENIED, "CKR_PIN_LOCKED",
     "the token has locked itself after wrong PINs; its security officer unlocks it"},
    {CKR_USER_PIN_NOT_INITIALIZED, STATUS_DENIED, "CKR_USER_PIN_NOT_INITIALIZED",
     "the token has no user PIN yet; its security officer sets one"},
    {CKR_ENCRYPTED_DATA_INVALID, STATUS_INTEGRITY, "CKR_ENCRYPTED_DATA_INVALID", NULL},
    {CKR_ENCRYPTED_DATA_LEN_RANGE, STATUS_INTEGRITY, "CKR_ENCRYPTED_DATA_LEN_RANGE", NULL},
    {CKR_WRAPPED_KEY_INVALID, STATUS_INTEGRITY, "CKR_WRAPPED_KEY_INVALID", NULL},
    {CKR_WRAPPED_KEY_LEN_RANGE, STATUS_INTEGRITY, "CKR_WRAPPED_KEY_LEN_RANGE", NULL},
    {CKR_MECHANISM_INVALID, STATUS_UNSUPPORTED, "CKR_MECHANISM_INVALID",
     "the token does not have this mechanism"},
    {CKR_MECHANISM_PARAM_INVALID, STATUS_UNSUPPORTED, "CKR_MECHANISM_PARAM_INVALID",
     "the token does not take this mechanism's parameters"},
    {CKR_FUNCTION_NOT_SUPPORTED, STATUS_UNSUPPORTED, "CKR_FUNCTION_NOT_SUPPORTED",
     "the module cannot do this"},
    {CKR_KEY_FUNCTION_NOT_PERMITTED, STATUS_DENIED, "CKR_KEY_FUNCTION_NOT_PERMITTED",
     "the key may not be used for this"},
    {CKR_HOST_MEMORY, STATUS_MEMORY, "CKR_HOST_MEMORY", "no memory"},
    {CKR_DEVICE_MEMORY, STATUS_BUSY, "CKR_DEVICE_MEMORY", "the token has no memory left"},
    {CKR_DEVICE_ERROR, STATUS_IO, "CKR_DEVICE_ERROR", "the token has failed" AGAIN},
    {CKR_GENERAL_ERROR, STATUS_IO, "CKR_GENERAL_ERROR", "the module has failed" AGAIN},
    {CKR_FUNCTION_FAILED, STATUS_IO, "CKR_FUNCTION_FAILED", "the module has failed" AGAIN},
    {CKR_SESSION_COUNT, STATUS_BUSY, "CKR_SESSION_COUNT", "the token has no session left"},
};

static struct status
answered(CK_RV rv, const char *function, struct diag *diag)
{
    if (rv == CKR_OK) {
        return OK;
    }
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        if (answers[i].rv == rv) {
            diag_set(diag, "%s (%s: %s)",
                     answers[i].sentence != NULL
                         ? answers[i].sentence
                         : "this key of the token did not wrap it, or the file was changed",
                     function, answers[i].name);
            return (struct status){STATUS_HERE, answers[i].code, 0};
        }
    }
    diag_set(diag, "the PKCS#11 module refused %s with 0x%lx", function, (unsigned long)rv);
    FAIL(IO);
}

/* ---- the module ---- */

/* What names a module may be a file that somebody else could write. */
static struct status
check_owners(char *path, struct diag *diag)
{
    struct stat st;
    for (char *end = path + strlen(path); end != NULL; end = strrchr(path, '/')) {
        *end = '\0';
        const char *at = *path == '\0' ? "/" : path;
        if (stat(at, &st) != 0) {
            FAIL_OS(errno);
        }
        if (st.st_uid != 0 || (st.st_mode & 022) != 0) {
            diag_set(diag,
                     "%s: others than root may change it, so the PKCS#11 module is not loaded from "
                     "there; set STEWARD_PKCS11_MODULE to the module's path if you trust it",
                     at);
            FAIL(DENIED);
        }
    }
    return OK;
}

static struct status
find_module(const struct pkcs11_uri *u, struct diag *diag, char **ret_path)
{
    const char *own = getenv("STEWARD_PKCS11_MODULE");
    const bool trusted = own != NULL && *own != '\0';
    const char *named = trusted ? own : u->module_path;
    if (*named == '\0') {
        diag_set(diag, "no PKCS#11 module: add ?module-path=PATH to the URI or set "
                       "STEWARD_PKCS11_MODULE");
        FAIL(NOT_FOUND);
    }
    DEFER(memory_freep) char *whole = realpath(named, NULL);
    if (whole == NULL) {
        diag_set(diag, "%s: the PKCS#11 module cannot be read: %s", named, strerror(errno));
        FAIL(NOT_FOUND);
    }
    DEFER(memory_freep) char *copy = strdup(whole);
    CHECK(copy != NULL, MEMORY);
    if (!trusted) {
        TRY(check_owners(copy, diag));
    }
    *ret_path = MOVE(whole);
    return OK;
}

static struct status
load(struct token *t, const char *path, struct diag *diag)
{
    CK_C_GetFunctionList list = NULL;
    t->module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    void *symbol = t->module == NULL ? NULL : dlsym(t->module, "C_GetFunctionList");
    if (symbol == NULL) {
        diag_set(diag, "%s: not a PKCS#11 module: %.300s", path, dlerror());
        FAIL(UNSUPPORTED);
    }
    memcpy(&list, &symbol, sizeof list);
    const CK_RV rv = list(&t->call);
    if (rv != CKR_OK || t->call == NULL) {
        diag_set(diag, "%s: gives no list of functions (0x%lx)", path, (unsigned long)rv);
        FAIL(UNSUPPORTED);
    }
    return OK;
}

struct status
token_new(const struct pkcs11_uri *u, const struct secret *pin, struct diag *diag,
          struct token **ret_token)
{
    DEFER(memory_freep) char *path = NULL;
    TRY(find_module(u, diag, &path));
    DEFER(token_freep) struct token *t = calloc(1, sizeof *t);
    CHECK(t != NULL, MEMORY);
    t->uri = u;
    t->pin = pin;
    TRY(load(t, path, diag));
    *ret_token = MOVE(t);
    return OK;
}

void
token_free(struct token *t)
{
    if (t != NULL) {
        if (t->module != NULL) {
            (void)dlclose(t->module);
        }
        free(t);
    }
}

/* ---- which token ---- */

/* The standard pads with blanks. */
static bool
is_padded(const unsigned char *field, size_t size, const char *text)
{
    size_t n = size;
    while (n > 0 && (field[n - 1] == ' ' || field[n - 1] == '\0')) {
        n--;
    }
    return *text == '\0' || view_equal_str(view_of(field, n), text);
}

static bool
is_ours(const struct pkcs11_uri *u, CK_SLOT_ID slot, const CK_TOKEN_INFO *i)
{
    return (!u->has_slot || u->slot == slot) && (i->flags & CKF_TOKEN_INITIALIZED) != 0 &&
           is_padded(i->label, sizeof i->label, u->token) &&
           is_padded(i->manufacturerID, sizeof i->manufacturerID, u->manufacturer) &&
           is_padded(i->model, sizeof i->model, u->model) &&
           is_padded(i->serialNumber, sizeof i->serialNumber, u->serial);
}

struct session {
    CK_FUNCTION_LIST *call;
    CK_SLOT_ID slot;
    CK_TOKEN_INFO info;
    CK_SESSION_HANDLE handle;
    CK_OBJECT_HANDLE key;
    bool begun, open;
};

static struct status
find_token(const struct token *t, struct session *s, struct diag *diag)
{
    CK_SLOT_ID slots[SLOTS_MAX];
    CK_ULONG n = SLOTS_MAX;
    size_t found = 0;
    const CK_RV rv = t->call->C_GetSlotList(CK_TRUE, slots, &n);
    if (rv == CKR_BUFFER_TOO_SMALL) {
        diag_set(diag, "the PKCS#11 module has more than %u tokens", SLOTS_MAX);
        FAIL(UNSUPPORTED);
    }
    TRY(answered(rv, "C_GetSlotList", diag));
    for (CK_ULONG i = 0; i < n; i++) {
        CK_TOKEN_INFO info;
        if (t->call->C_GetTokenInfo(slots[i], &info) == CKR_OK &&
            is_ours(t->uri, slots[i], &info)) {
            s->slot = slots[i];
            s->info = info;
            found++;
        }
    }
    if (found != 1) {
        diag_set(diag,
                 found == 0 ? "no such token among the %lu that the PKCS#11 module shows: is it "
                              "plugged in, and is the URI right?"
                            : "several of the %lu tokens match: add serial=NUMBER to the URI",
                 (unsigned long)n);
        FAIL(NOT_FOUND);
    }
    return OK;
}

/* ---- a session in which the key may be used ---- */

static struct status
log_in(const struct token *t, struct session *s, struct diag *diag)
{
    if ((s->info.flags & CKF_USER_PIN_LOCKED) != 0) {
        return answered(CKR_PIN_LOCKED, "C_GetTokenInfo", diag);
    }
    const CK_RV rv = s->call->C_Login(s->handle, CKU_USER, t->pin->ptr, t->pin->len);
    return rv == CKR_USER_ALREADY_LOGGED_IN ? OK : answered(rv, "C_Login", diag);
}

static struct status
find_key(const struct token *t, struct session *s, struct diag *diag)
{
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_ATTRIBUTE wanted[3] = {{CKA_CLASS, &class, sizeof class}};
    CK_OBJECT_HANDLE found[2];
    CK_ULONG n = 0, k = 1;
    if (*t->uri->object != '\0') {
        wanted[k++] =
            (CK_ATTRIBUTE){CKA_LABEL, (void *)(uintptr_t)t->uri->object, strlen(t->uri->object)};
    }
    if (t->uri->id_len > 0) {
        wanted[k++] = (CK_ATTRIBUTE){CKA_ID, (void *)(uintptr_t)t->uri->id, t->uri->id_len};
    }
    TRY(answered(s->call->C_FindObjectsInit(s->handle, wanted, k), "C_FindObjectsInit", diag));
    const CK_RV rv = s->call->C_FindObjects(s->handle, found, 2, &n);
    (void)s->call->C_FindObjectsFinal(s->handle);
    TRY(answered(rv, "C_FindObjects", diag));
    if (n != 1) {
        diag_set(diag, "%s",
                 n == 0 ? "the token has no such secret key: is the URI right?"
                        : "several keys of the token match: add object=LABEL or "
                          "id=%01 to the URI");
        FAIL(NOT_FOUND);
    }
    s->key = found[0];
    return OK;
}

static struct status
open_session(struct token *t, struct session *s, struct diag *diag)
{
    CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};
    s->call = t->call;
    TRY(answered(t->call->C_Initialize(&args), "C_Initialize", diag));
    s->begun = true;
    TRY(find_token(t, s, diag));
    TRY(answered(t->call->C_OpenSession(s->slot, CKF_SERIAL_SESSION, NULL, NULL, &s->handle),
                 "C_OpenSession", diag));
    s->open = true;
    if ((s->info.flags & CKF_LOGIN_REQUIRED) != 0) {
        TRY(log_in(t, s, diag));
    }
    return find_key(t, s, diag);
}

static void
close_session(struct session *s)
{
    if (s->open) {
        (void)s->call->C_Logout(s->handle);
        (void)s->call->C_CloseSession(s->handle);
    }
    if (s->begun) {
        (void)s->call->C_Finalize(NULL);
    }
}

/* ---- what the key is and may do ---- */

static bool
is_true(const struct session *s, CK_ATTRIBUTE_TYPE type)
{
    CK_BBOOL value = CK_FALSE;
    CK_ATTRIBUTE a = {type, &value, sizeof value};
    return s->call->C_GetAttributeValue(s->handle, s->key, &a, 1) == CKR_OK && value == CK_TRUE;
}

static struct status
check_key(const struct session *s, struct diag *diag)
{
    CK_KEY_TYPE type = 0;
    CK_ATTRIBUTE a = {CKA_KEY_TYPE, &type, sizeof type};
    TRY(answered(s->call->C_GetAttributeValue(s->handle, s->key, &a, 1), "C_GetAttributeValue",
                 diag));
    if (type != CKK_AES) {
        diag_set(diag, "the token's key is no AES key");
        FAIL(UNSUPPORTED);
    }
    if (is_true(s, CKA_EXTRACTABLE)) {
        diag_set(diag, "the token gives this key out (CKA_EXTRACTABLE), so it "
                       "would not be the token that holds it; make one that stays inside");
        FAIL(DENIED);
    }
    return OK;
}

static bool
allows(const struct session *s, uint32_t mechanism)
{
    CK_MECHANISM_INFO info = {0};
    return s->call->C_GetMechanismInfo(s->slot, mechanisms[mechanism].type, &info) == CKR_OK &&
           (info.flags & mechanisms[mechanism].needs) == mechanisms[mechanism].needs &&
           is_true(s, mechanisms[mechanism].there) && is_true(s, mechanisms[mechanism].back);
}

static struct status
choose(const struct session *s, struct diag *diag, uint32_t *ret_mechanism)
{
    for (uint32_t m = 0; m < TOKEN_MECHANISMS; m++) {
        if (allows(s, m)) {
            *ret_mechanism = m;
            return OK;
        }
    }
    diag_set(diag, "the token's key may neither encrypt and decrypt with CKM_AES_GCM nor wrap and "
                   "unwrap with CKM_AES_KEY_WRAP; other mechanisms are not taken, since a changed "
                   "byte would not be seen");
    FAIL(UNSUPPORTED);
}

/* ---- CKM_AES_GCM ---- */

struct gcm {
    CK_GCM_PARAMS params;
    CK_MECHANISM mechanism;
};

static void
gcm_init(struct gcm *g, const uint8_t *iv)
{
    /* By place: releases of the header name the members differently. */
    g->params = (CK_GCM_PARAMS){(uint8_t *)(uintptr_t)iv,    TOKEN_IV_BYTES,   TOKEN_IV_BYTES * 8,
                                (uint8_t *)(uintptr_t)BOUND, sizeof BOUND - 1, TAG_BYTES * 8};
    g->mechanism = (CK_MECHANISM){CKM_AES_GCM, &g->params, sizeof g->params};
}

static struct status
gcm_wrap(const struct session *s, const uint8_t *key, struct diag *diag, struct token_wrapped *w)
{
    struct gcm g;
    CK_ULONG n = sizeof w->bytes;
    random_bytes(w->iv, sizeof w->iv);
    gcm_init(&g, w->iv);
    TRY(answered(s->call->C_EncryptInit(s->handle, &g.mechanism, s->key), "C_EncryptInit", diag));
    TRY(answered(
        s->call->C_Encrypt(s->handle, (uint8_t *)(uintptr_t)key, VAULT_KEY_BYTES, w->bytes, &n),
        "C_Encrypt", diag));
    w->len = (uint32_t)n;
    return OK;
}

static struct status
gcm_unwrap(const struct session *s, const struct token_wrapped *w, struct diag *diag,
           uint8_t *ret_key)
{
    struct gcm g;
    uint8_t plain[TOKEN_WRAPPED_MAX];
    CK_ULONG n = sizeof plain;
    gcm_init(&g, w->iv);
    TRY(answered(s->call->C_DecryptInit(s->handle, &g.mechanism, s->key), "C_DecryptInit", diag));
    const CK_RV rv =
        s->call->C_Decrypt(s->handle, (uint8_t *)(uintptr_t)w->bytes, w->len, plain, &n);
    /* SoftHSM's word for a wrong tag; a token that fails has failed before. */
    TRY(answered(rv == CKR_GENERAL_ERROR ? CKR_ENCRYPTED_DATA_INVALID : rv, "C_Decrypt", diag));
    if (n == VAULT_KEY_BYTES) {
        memcpy(ret_key, plain, VAULT_KEY_BYTES);
    }
    secret_wipe(plain, sizeof plain);
    return n == VAULT_KEY_BYTES ? OK : answered(CKR_ENCRYPTED_DATA_INVALID, "C_Decrypt", diag);
}

/* ---- CKM_AES_KEY_WRAP: the workspace's key is an object of the session meanwhile ---- */

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
static CK_OBJECT_CLASS secret_class = CKO_SECRET_KEY;
static CK_KEY_TYPE generic = CKK_GENERIC_SECRET;
/* One of the session, which its value may be read from. */
#define SESSION_KEY                                                                                \
    {CKA_CLASS, &secret_class, sizeof secret_class}, {CKA_KEY_TYPE, &generic, sizeof generic},     \
        {CKA_TOKEN, &no, sizeof no}, {CKA_SENSITIVE, &no, sizeof no},                              \
    {                                                                                              \
        CKA_EXTRACTABLE, &yes, sizeof yes                                                          \
    }
#define SESSION_KEY_ATTRIBUTES 5u

static struct status
key_wrap(const struct session *s, const uint8_t *key, struct diag *diag, struct token_wrapped *w)
{
    CK_ATTRIBUTE made[] = {SESSION_KEY, {CKA_VALUE, (void *)(uintptr_t)key, VAULT_KEY_BYTES}};
    CK_MECHANISM mechanism = {CKM_AES_KEY_WRAP, NULL, 0};
    CK_OBJECT_HANDLE object = 0;
    CK_ULONG n = sizeof w->bytes;
    memset(w->iv, 0, sizeof w->iv);
    TRY(answered(s->call->C_CreateObject(s->handle, made, SESSION_KEY_ATTRIBUTES + 1, &object),
                 "C_CreateObject", diag));
    const CK_RV rv = s->call->C_WrapKey(s->handle, &mechanism, s->key, object, w->bytes, &n);
    (void)s->call->C_DestroyObject(s->handle, object);
    w->len = (uint32_t)n;
    return answered(rv, "C_WrapKey", diag);
}

static struct status
key_unwrap(const struct session *s, const struct token_wrapped *w, struct diag *diag,
           uint8_t *ret_key)
{
    CK_ATTRIBUTE made[] = {SESSION_KEY};
    CK_MECHANISM mechanism = {CKM_AES_KEY_WRAP, NULL, 0};
    CK_OBJECT_HANDLE object = 0;
    CK_ATTRIBUTE value = {CKA_VALUE, ret_key, VAULT_KEY_BYTES};
    const CK_RV rv =
        s->call->C_UnwrapKey(s->handle, &mechanism, s->key, (uint8_t *)(uintptr_t)w->bytes, w->len,
                             made, SESSION_KEY_ATTRIBUTES, &object);
    TRY(answered(rv == CKR_GENERAL_ERROR ? CKR_WRAPPED_KEY_INVALID : rv, "C_UnwrapKey", diag));
    const CK_RV read = s->call->C_GetAttributeValue(s->handle, object, &value, 1);
    (void)s->call->C_DestroyObject(s->handle, object);
    TRY(answered(read, "C_GetAttributeValue", diag));
    return answered(value.ulValueLen == VAULT_KEY_BYTES ? CKR_OK : CKR_WRAPPED_KEY_INVALID,
                    "C_UnwrapKey", diag);
}

/* ---- both ---- */

struct status
token_wrap(struct token *t, const uint8_t key[static VAULT_KEY_BYTES], struct diag *diag,
           struct token_wrapped *ret_wrapped)
{
    DEFER(close_session) struct session s = {0};
    struct token_wrapped w = {0};
    TRY(open_session(t, &s, diag));
    TRY(check_key(&s, diag));
    TRY(choose(&s, diag, &w.mechanism));
    TRY((w.mechanism == TOKEN_AES_GCM ? gcm_wrap : key_wrap)(&s, key, diag, &w));
    if (w.len != token_wrapped_bytes(w.mechanism)) {
        diag_set(diag, "the token's %s made %u bytes and not %zu",
                 token_mechanism_name(w.mechanism), w.len, token_wrapped_bytes(w.mechanism));
        FAIL(UNSUPPORTED);
    }
    *ret_wrapped = w;
    return OK;
}

struct status
token_unwrap(struct token *t, const struct token_wrapped *w, struct diag *diag,
             uint8_t ret_key[static VAULT_KEY_BYTES])
{
    DEFER(close_session) struct session s = {0};
    CHECK(w->mechanism < TOKEN_MECHANISMS && w->len == token_wrapped_bytes(w->mechanism),
          INTEGRITY);
    TRY(open_session(t, &s, diag));
    return (w->mechanism == TOKEN_AES_GCM ? gcm_unwrap : key_unwrap)(&s, w, diag, ret_key);
}
