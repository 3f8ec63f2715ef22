/* Bytes as an ONNX model: loads or is refused with a sentence; what loads passes forest_checks.h.
 */
#include "forest_checks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    DEFER(buf_done) struct buf bytes;
    buf_init(&bytes, SIZE_MAX / 2);
    buf_put(&bytes, view_of("\x08\x09", 2)); /* what tells the format */
    buf_put(&bytes, view_of(data, size));
    need(status_ok(buf_status(&bytes)));
    check_forest_bytes(bytes.ptr, bytes.len);
    return 0;
}
