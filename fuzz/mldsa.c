/* A public key, a signature and a message of ML-DSA-44, as they come. */
#include "govern/mldsa.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const size_t head = MLDSA_PUBLIC_BYTES + MLDSA_SIGNATURE_BYTES;
    if (size >= head) {
        const bool good =
            mldsa_verifies(data, view_of(data + head, size - head), data + MLDSA_PUBLIC_BYTES);
        (void)good;
    }
    return 0;
}
