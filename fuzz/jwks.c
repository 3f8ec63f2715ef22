/* A key set as an issuer gives it: refused with a sentence, or with keys that verify nothing that
 * nobody signed. */
#include "protect/jwks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t nothing[512];
    struct diag diag = {0};
    struct jwks *s = NULL;
    const struct status read = jwks_read(view_of(data, size), &diag, &s);
    if (!status_ok(read)) {
        ASSERT(read.code == STATUS_INPUT || read.code == STATUS_LIMIT);
        ASSERT(diag.text[0] != '\0' && s == NULL);
        return 0;
    }
    ASSERT(size <= JWKS_MAX_BYTES && jwks_count(s) >= 1 && jwks_count(s) <= JWKS_MAX_KEYS);
    for (unsigned a = 0; a < JWKS_ALGORITHMS; a++) {
        static const size_t bytes[] = {64, 96, 132, 256, 512};
        for (size_t i = 0; i < 5; i++) {
            ASSERT(jwks_verify(s, (enum jwks_algorithm)a, NULL, view_str("message"),
                               view_of(nothing, bytes[i])) != JWKS_GOOD);
        }
    }
    jwks_free(s);
    return 0;
}
