/* Bytes as a LightGBM text model, without its first line: loads or is refused with a sentence; what
 * loads passes forest_checks.h. */
#include "forest_checks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    DEFER(buf_done) struct buf text;
    buf_init(&text, SIZE_MAX / 2);
    buf_put_str(&text, "tree\n");
    buf_put(&text, view_of(data, size));
    need(status_ok(buf_status(&text)));
    check_forest_bytes(text.ptr, text.len);
    return 0;
}
