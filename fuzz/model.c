/* Bytes as a model file, XGBoost's JSON or UBJSON: loads or is refused with a sentence; what loads
 * passes forest_checks.h. */
#include "forest_checks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_forest_bytes(data, size);
    return 0;
}
