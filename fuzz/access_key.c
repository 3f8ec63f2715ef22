/* API keys as clients send them: what is taken for a key has its form, and no letter of it can be
 * changed. */
#include "protect/access_key.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char id[ACCESS_KEY_ID_LETTERS + 1] = "untouched";
    if (!access_key_read(view_of(data, size), id)) {
        ASSERT(strcmp(id, "untouched") == 0);
        return 0;
    }
    uint8_t changed[ACCESS_KEY_LETTERS];
    ASSERT(size == ACCESS_KEY_LETTERS && memcmp(data, "sw_", 3) == 0);
    ASSERT(strlen(id) == ACCESS_KEY_ID_LETTERS && memcmp(data + 3, id, ACCESS_KEY_ID_LETTERS) == 0);
    for (size_t i = 0; i < size; i++) {
        memcpy(changed, data, size);
        changed[i] ^= 1;
        ASSERT(!access_key_read(view_of(changed, size), id));
    }
    return 0;
}
