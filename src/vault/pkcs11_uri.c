#include "vault/pkcs11_uri.h"

#include "base/text.h"

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>

#define SCHEME "pkcs11:"
#define NAME_MAX_BYTES 32u
#define UNRESERVED "-._~"
#define PATH_MARKS UNRESERVED ":[]@!$'()*+,=&"    /* RFC 7512 section 2.3, pk11-pchar */
#define QUERY_MARKS UNRESERVED ":[]@!$'()*+,=/?|" /* pk11-qchar */

/* ---- the attributes ---- */

enum kind { KIND_TEXT, KIND_ID, KIND_SLOT, KIND_TYPE, KIND_PATH, KIND_FILE };

struct attribute {
    const char *name;
    bool query;
    enum kind kind;
    size_t at, size; /* of the field, for text and paths */
};

#define FIELD(F) offsetof(struct pkcs11_uri, F), sizeof((struct pkcs11_uri *)NULL)->F
static const struct attribute attributes[] = {
    {"token", false, KIND_TEXT, FIELD(token)},
    {"manufacturer", false, KIND_TEXT, FIELD(manufacturer)},
    {"model", false, KIND_TEXT, FIELD(model)},
    {"serial", false, KIND_TEXT, FIELD(serial)},
    {"slot-id", false, KIND_SLOT, 0, 0},
    {"object", false, KIND_TEXT, FIELD(object)},
    {"id", false, KIND_ID, 0, 0},
    {"type", false, KIND_TYPE, 0, 0},
    {"module-path", true, KIND_PATH, FIELD(module_path)},
    {"pin-source", true, KIND_FILE, FIELD(pin_source)},
};
#define ATTRIBUTES (sizeof attributes / sizeof *attributes)

/* ---- reading ---- */

static struct status
refuse(struct diag *diag, const char *name, const char *why)
{
    diag_set(diag, "the PKCS#11 URI: \"%s\" %s", name, why);
    FAIL(INPUT);
}

static int
hex_of(uint8_t c)
{
    return isdigit(c) ? c - '0' : isxdigit(c) ? tolower(c) - 'a' + 10 : -1;
}

/* Bytes of an escaped value; false for a byte or an escape that may not be there. */
static bool
decode(struct view text, bool query, struct buf *ret_bytes)
{
    const char *marks = query ? QUERY_MARKS : PATH_MARKS;
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = text.ptr[i];
        if (c == '%') {
            const int high = i + 2 < text.len ? hex_of(text.ptr[i + 1]) : -1;
            const int low = i + 2 < text.len ? hex_of(text.ptr[i + 2]) : -1;
            if (high < 0 || low < 0) {
                return false;
            }
            buf_put_u8(ret_bytes, (uint8_t)(high << 4 | low));
            i += 2;
        } else if (c < 0x80 && c != 0 && (isalnum(c) || strchr(marks, c) != NULL)) {
            buf_put_u8(ret_bytes, c);
        } else {
            return false;
        }
    }
    return status_ok(buf_status(ret_bytes));
}

static struct status
take_text(const struct attribute *a, struct view bytes, struct diag *diag, struct pkcs11_uri *u)
{
    if (bytes.len >= a->size) {
        return refuse(diag, a->name, "is too long");
    }
    if (memchr(bytes.ptr, 0, bytes.len) != NULL || !text_is_utf8(bytes)) {
        return refuse(diag, a->name, "is not text in UTF-8");
    }
    memcpy((char *)u + a->at, bytes.ptr, bytes.len);
    return OK;
}

static struct status
take_path(const struct attribute *a, struct view bytes, struct diag *diag, struct pkcs11_uri *u)
{
    struct view path = bytes;
    if (a->kind == KIND_FILE && path.len > 5 && memcmp(path.ptr, "file:", 5) == 0) {
        path = view_of(path.ptr + 5, path.len - 5);
        if (path.len > 3 && memcmp(path.ptr, "///", 3) == 0) {
            path = view_of(path.ptr + 2, path.len - 2);
        }
    }
    if (path.len < 2 || path.ptr[0] != '/' || path.ptr[1] == '/') {
        return refuse(diag, a->name,
                      a->kind == KIND_FILE ? "must be file: and an absolute path"
                                           : "must be an absolute path");
    }
    return take_text(a, path, diag, u);
}

static struct status
take(const struct attribute *a, struct view bytes, struct diag *diag, struct pkcs11_uri *u)
{
    switch (a->kind) {
    case KIND_TEXT:
        return take_text(a, bytes, diag, u);
    case KIND_PATH:
    case KIND_FILE:
        return take_path(a, bytes, diag, u);
    case KIND_TYPE:
        return view_equal_str(bytes, "secret-key")
                   ? OK
                   : refuse(diag, a->name, "must be secret-key: the key is an AES key");
    case KIND_SLOT:
        u->has_slot = true;
        return status_ok(text_to_u64(bytes, &u->slot)) ? OK
                                                       : refuse(diag, a->name, "is not a number");
    case KIND_ID:
        break;
    }
    if (bytes.len > sizeof u->id) {
        return refuse(diag, a->name, "is too long");
    }
    memcpy(u->id, bytes.ptr, bytes.len);
    u->id_len = bytes.len;
    return OK;
}

static const struct attribute *
find(struct view name, bool query)
{
    for (size_t i = 0; i < ATTRIBUTES; i++) {
        if (attributes[i].query == query && view_equal_str(name, attributes[i].name)) {
            return &attributes[i];
        }
    }
    return NULL;
}

/* A name that may be shown: of small letters and '-'. */
static struct status
refuse_unknown(struct view name, struct diag *diag)
{
    char shown[NAME_MAX_BYTES + 1] = "";
    const char *hint = "is not an attribute that is known here";
    for (size_t i = 0; i < name.len && i < NAME_MAX_BYTES; i++) {
        const uint8_t c = name.ptr[i];
        shown[i] = (char)(islower(c) || c == '-' ? c : '?');
    }
    if (view_equal_str(name, "pin-value")) {
        hint = "would be kept in a file and shown in lists: write the PIN into a file that only "
               "you read and name it with pin-source=file:PATH, or set STEWARD_PKCS11_PIN";
    }
    return refuse(diag, shown, hint);
}

static struct status
take_attribute(struct view text, bool query, unsigned *seen, struct diag *diag,
               struct pkcs11_uri *u)
{
    const uint8_t *equals = text.len == 0 ? NULL : memchr(text.ptr, '=', text.len);
    const size_t n = equals == NULL ? text.len : (size_t)(equals - text.ptr);
    const struct attribute *a = find(view_of(text.ptr, n), query);
    DEFER(buf_done) struct buf bytes;
    buf_init(&bytes, PKCS11_URI_MAX);
    if (a == NULL) {
        return refuse_unknown(view_of(text.ptr, n), diag);
    }
    const unsigned bit = 1u << (a - attributes);
    if ((*seen & bit) != 0) {
        return refuse(diag, a->name, "stands there twice");
    }
    *seen |= bit;
    if (equals == NULL || n + 1 == text.len) {
        return refuse(diag, a->name, "has no value");
    }
    if (!decode(view_of(equals + 1, text.len - n - 1), query, &bytes)) {
        return refuse(diag, a->name, "has a byte that must be written as % and two hex digits");
    }
    return take(a, buf_view(&bytes), diag, u);
}

static struct status
take_part(struct view text, char between, unsigned *seen, struct diag *diag, struct pkcs11_uri *u)
{
    for (size_t at = 0; at <= text.len;) {
        const uint8_t *end = at == text.len ? NULL : memchr(text.ptr + at, between, text.len - at);
        const size_t n = end == NULL ? text.len - at : (size_t)(end - text.ptr) - at;
        TRY(take_attribute(view_of(text.ptr + at, n), between == '&', seen, diag, u));
        at += n + 1;
    }
    return OK;
}

static struct status
check(const struct pkcs11_uri *u, struct diag *diag)
{
    if (*u->object == '\0' && u->id_len == 0) {
        diag_set(diag, "the PKCS#11 URI names no key: add object=LABEL or id=%%01");
        FAIL(INPUT);
    }
    if (*u->token == '\0' && *u->serial == '\0' && !u->has_slot) {
        diag_set(diag, "the PKCS#11 URI names no token: add token=LABEL or serial=NUMBER");
        FAIL(INPUT);
    }
    return OK;
}

bool
pkcs11_uri_is(const char *text)
{
    return strncmp(text, SCHEME, sizeof SCHEME - 1) == 0;
}

struct status
pkcs11_uri_parse(struct view text, struct diag *diag, struct pkcs11_uri *ret_uri)
{
    struct pkcs11_uri u = {0};
    unsigned seen = 0;
    const size_t scheme = sizeof SCHEME - 1;
    if (text.len <= scheme || text.len > PKCS11_URI_MAX || memcmp(text.ptr, SCHEME, scheme) != 0) {
        diag_set(diag, "not a PKCS#11 URI of at most %u bytes, as pkcs11:token=T;object=O",
                 PKCS11_URI_MAX);
        FAIL(INPUT);
    }
    const struct view rest = view_of(text.ptr + scheme, text.len - scheme);
    const uint8_t *mark = memchr(rest.ptr, '?', rest.len);
    const size_t n = mark == NULL ? rest.len : (size_t)(mark - rest.ptr);
    TRY(take_part(view_of(rest.ptr, n), ';', &seen, diag, &u));
    if (mark != NULL) {
        TRY(take_part(view_of(mark + 1, rest.len - n - 1), '&', &seen, diag, &u));
    }
    TRY(check(&u, diag));
    *ret_uri = u;
    return OK;
}

/* ---- writing ---- */

static void
put_escaped(struct buf *b, const char *text, const char *marks)
{
    for (; *text != '\0'; text++) {
        const uint8_t c = (uint8_t)*text;
        const bool plain = c < 0x80 && (isalnum(c) || strchr(marks, c) != NULL);
        buf_printf(b, plain ? "%c" : "%%%02X", c);
    }
}

static void
put_field(struct buf *b, const struct attribute *a, const struct pkcs11_uri *u, const char *before)
{
    const char *text = (const char *)u + a->at;
    if (a->kind == KIND_SLOT && u->has_slot) {
        buf_printf(b, "%s%s=%llu", before, a->name, (unsigned long long)u->slot);
    } else if (a->kind == KIND_ID && u->id_len > 0) {
        buf_printf(b, "%s%s=", before, a->name);
        for (size_t i = 0; i < u->id_len; i++) {
            buf_printf(b, "%%%02X", u->id[i]);
        }
    } else if (a->size > 0 && *text != '\0') {
        buf_printf(b, "%s%s=%s", before, a->name, a->kind == KIND_FILE ? "file:" : "");
        put_escaped(b, text, a->query ? UNRESERVED ":/" : UNRESERVED);
    }
}

void
pkcs11_uri_put(const struct pkcs11_uri *u, struct buf *b)
{
    size_t first = 0;
    buf_put_str(b, SCHEME);
    for (size_t pass = 0; pass < 2; pass++) {
        first = b->len;
        for (size_t i = 0; i < ATTRIBUTES; i++) {
            const char *before = b->len > first ? (pass == 0 ? ";" : "&") : pass == 0 ? "" : "?";
            if (attributes[i].query == (pass == 1)) {
                put_field(b, &attributes[i], u, before);
            }
        }
    }
}
