/* The sealed table's bytes, as if their seal had been broken: what is taken is written as it was.
 */
#include "data/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    DEFER(table_freep) struct table *t = NULL;
    DEFER(table_freep) struct table *some = NULL;
    DEFER(buf_done) struct buf text;
    DEFER(buf_done) struct buf again;
    struct diag diag = {0};
    buf_init(&text, 64u << 20);
    buf_init(&again, 64u << 20);
    const struct status s = table_decode(view_of(data, size), &diag, &t);
    ASSERT(status_ok(s) == (t != NULL));
    if (t == NULL) {
        ASSERT(diag.text[0] != '\0' || s.code == STATUS_MEMORY);
        return 0;
    }
    ASSERT(status_ok(table_encode(t, &again)));
    ASSERT(view_equal(buf_view(&again), view_of(data, size)));
    ASSERT(status_ok(table_put_schema(t, &text)));
    for (uint32_t i = 0; i < t->column_count; i++) {
        for (uint64_t row = 0; row < t->rows; row++) {
            column_put_text(&t->columns[i], row, &text);
        }
    }
    const uint64_t last = t->rows == 0 ? 0 : t->rows - 1;
    ASSERT(status_ok(table_select(t, &last, t->rows > 0, &some)));
    return 0;
}
