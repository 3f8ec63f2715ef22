#include "testing/testing.h"

#include "model/ubjson_write.h"

#include <math.h>
#include <string.h>

static void
put_length(struct buf *b, size_t n)
{
    buf_put_u8(b, 'L');
    buf_put_u64be(b, n);
}

static void
put_real(struct buf *b, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    buf_put_u8(b, 'D');
    buf_put_u64be(b, bits);
}

static void put_value(struct buf *b, const json_t *v);

static void
put_array(struct buf *b, const json_t *v)
{
    buf_put_str(b, "[#");
    put_length(b, json_array_size(v));
    for (size_t i = 0; i < json_array_size(v); i++) {
        put_value(b, json_array_get(v, i));
    }
}

static void
put_object(struct buf *b, json_t *v)
{
    const char *key = NULL;
    json_t *member = NULL;
    buf_put_u8(b, '{');
    json_object_foreach(v, key, member)
    {
        put_length(b, strlen(key));
        buf_put_str(b, key);
        put_value(b, member);
    }
    buf_put_u8(b, '}');
}

static void
put_value(struct buf *b, const json_t *v)
{
    if (json_is_array(v)) {
        put_array(b, v);
    } else if (json_is_object(v)) {
        put_object(b, (json_t *)(uintptr_t)v);
    } else if (json_is_string(v)) {
        buf_put_u8(b, 'S');
        put_length(b, json_string_length(v));
        buf_put_str(b, json_string_value(v));
    } else if (json_is_integer(v)) {
        put_length(b, (size_t)json_integer_value(v));
    } else if (json_is_boolean(v)) {
        buf_put_u8(b, json_is_true(v) ? 'T' : 'F');
    } else {
        put_real(b, json_is_null(v) ? (double)NAN : json_real_value(v));
    }
}

void
ubjson_write(const json_t *document, struct buf *ret_bytes)
{
    buf_init(ret_bytes, 1u << 24);
    put_value(ret_bytes, document);
    assert_ok(buf_status(ret_bytes));
}
