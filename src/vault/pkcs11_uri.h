/* pkcs11_uri: which key of which token, as an RFC 7512 URI says it:
 * pkcs11:token=T;object=O;id=%01?module-path=/usr/lib/m.so&pin-source=file:/etc/pin
 *
 * Strict: what is unknown, written twice, empty or escaped wrongly is refused, and a PIN in the URI
 * (pin-value) is, too. A token is named by token, manufacturer, model, serial or slot-id, a key by
 * object or id, or both. Fuzzed. */
#ifndef STEWARD_VAULT_PKCS11_URI_H
#define STEWARD_VAULT_PKCS11_URI_H

#include "base/bytes.h"

#define PKCS11_URI_MAX 1000u /* bytes of its text */
#define PKCS11_VALUE_MAX 256u
#define PKCS11_ID_MAX 64u
#define PKCS11_PATH_MAX 512u

/* "": not named. The sizes of token, manufacturer, model and serial are the standard's, and one. */
struct pkcs11_uri {
    char token[33], manufacturer[33], model[17], serial[17];
    char object[PKCS11_VALUE_MAX];
    uint8_t id[PKCS11_ID_MAX];
    size_t id_len;
    bool has_slot;
    uint64_t slot;
    char module_path[PKCS11_PATH_MAX]; /* absolute */
    char pin_source[PKCS11_PATH_MAX];  /* absolute, without "file:" */
};

/* Whether text begins as one. */
bool pkcs11_uri_is(const char *text);
/* STATUS_INPUT with a sentence, which never shows what may be a PIN. */
struct status pkcs11_uri_parse(struct view text, struct diag *diag, struct pkcs11_uri *ret_uri);
/* Always the same text for the same URI; parsed, it gives the same. */
void pkcs11_uri_put(const struct pkcs11_uri *u, struct buf *b);

#endif
