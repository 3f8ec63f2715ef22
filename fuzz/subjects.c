/* A dataset's bytes person by person, as if every seal had been broken: what is taken is a table
 * that can be written again and is the same. Sealing is here a copy; slots over 200 are erased. */
#include "data/subject_table.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ERASED_FROM 200u

static struct status
open_as_it_is(void *ctx, uint32_t slot, struct view sealed, struct buf *ret_plain, bool *ret_erased)
{
    (void)ctx;
    *ret_erased = slot >= ERASED_FROM;
    if (!*ret_erased) {
        buf_put(ret_plain, sealed);
    }
    return buf_status(ret_plain);
}

static struct status
seal_as_it_is(void *ctx, uint32_t slot, struct view plain, struct buf *ret_sealed)
{
    (void)ctx, (void)slot;
    buf_put(ret_sealed, plain);
    return buf_status(ret_sealed);
}

/* Two persons of one name became one: slots are counted anew. */
static struct status
next_slot(void *ctx, struct view subject, uint32_t *ret_slot)
{
    (void)subject;
    *ret_slot = (*(uint32_t *)ctx)++;
    return OK;
}

static struct status
count(void *ctx, uint32_t slot, uint32_t rows)
{
    (void)slot;
    *(uint64_t *)ctx += rows;
    return OK;
}

static void
check_again(const struct table *t)
{
    uint32_t slots = 0;
    DEFER(table_freep) struct table *back = NULL;
    DEFER(buf_done) struct buf bytes;
    DEFER(buf_done) struct buf one;
    DEFER(buf_done) struct buf other;
    buf_init(&bytes, 64u << 20);
    buf_init(&one, 64u << 20);
    buf_init(&other, 64u << 20);
    const struct subject_sealer sealer = {next_slot, seal_as_it_is, &slots};
    const struct subject_opener opener = {open_as_it_is, NULL};
    ASSERT(status_ok(subject_table_encode(t, &sealer, &bytes)));
    if (slots > ERASED_FROM) {
        return;
    }
    ASSERT(status_ok(subject_table_decode(buf_view(&bytes), &opener, NULL, &back)));
    ASSERT(back->rows == t->rows && back->erased == 0);
    ASSERT(status_ok(table_put_schema(t, &one)) && status_ok(table_put_schema(back, &other)));
    for (uint32_t i = 0; i < t->column_count; i++) {
        for (uint64_t row = 0; row < t->rows; row++) {
            column_put_text(&t->columns[i], row, &one);
            column_put_text(&back->columns[i], row, &other);
        }
    }
    ASSERT(view_equal(buf_view(&one), buf_view(&other)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    DEFER(table_freep) struct table *t = NULL;
    const struct subject_opener by = {open_as_it_is, NULL};
    struct diag diag = {0};
    uint64_t counted = 0, rows = 0;
    const struct view bytes = view_of(data, size);
    const struct status s = subject_table_decode(bytes, &by, &diag, &t);
    ASSERT(status_ok(s) == (t != NULL));
    if (t == NULL) {
        ASSERT(diag.text[0] != '\0' || s.code == STATUS_MEMORY || s.code == STATUS_LIMIT);
        return 0;
    }
    ASSERT(status_ok(subject_table_each(bytes, count, &counted, NULL, &rows)));
    ASSERT(counted == rows && rows == t->rows + t->erased);
    if (t->erased == 0) {
        free(t->number); /* all are there: they are numbered by their place */
        t->number = NULL;
        check_again(t);
    }
    return 0;
}
