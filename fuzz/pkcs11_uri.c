/* A PKCS#11 URI: any bytes are refused with a sentence, or read as one that has a text of its own,
 * which is read as the same; what is read names a token and a key, and paths that are absolute. */
#include "vault/pkcs11_uri.h"

#define TEXT_MAX (3 * PKCS11_URI_MAX + 256)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pkcs11_uri u, again;
    struct diag diag = {0};
    DEFER(buf_done) struct buf text;
    buf_init(&text, TEXT_MAX);
    if (!status_ok(pkcs11_uri_parse(view_of(data, size), &diag, &u))) {
        ASSERT(diag.text[0] != '\0');
        return 0;
    }
    ASSERT(size <= PKCS11_URI_MAX && (*u.object != '\0' || u.id_len > 0));
    ASSERT(*u.token != '\0' || *u.serial != '\0' || u.has_slot);
    ASSERT(*u.module_path == '\0' || u.module_path[0] == '/');
    ASSERT(*u.pin_source == '\0' || u.pin_source[0] == '/');
    pkcs11_uri_put(&u, &text);
    ASSERT(status_ok(buf_status(&text)));
    if (text.len <= PKCS11_URI_MAX) {
        ASSERT(status_ok(pkcs11_uri_parse(buf_view(&text), &diag, &again)));
        ASSERT(memcmp(&u, &again, sizeof u) == 0);
    }
    return 0;
}
