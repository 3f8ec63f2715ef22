/* Markers that are read: Z null, T F booleans, i U I l L integers (int8, uint8, int16, int32,
 * int64), d D floats, S string with a length, [ array, { object. Numbers are big-endian. Arrays may
 * be counted, "[#L<count>", and typed, "[$d#L<count>". XGBoost writes no others: C, H, N and
 * counted objects are refused. */
#include "model/ubjson.h"

#include "base/text.h"

#include <string.h>

struct parser {
    struct reader in;
    struct diag *diag;
    int depth;
    size_t values, max_values;
};

static struct status
refuse(const struct parser *p, const char *why)
{
    diag_set(p->diag, "UBJSON byte %zu: %s", p->in.pos, why);
    FAIL(INPUT);
}

static struct status parse_value(struct parser *p, uint8_t marker, json_t **ret_value);

static size_t
number_bytes(uint8_t marker)
{
    switch (marker) {
    case 'i':
    case 'U':
        return 1;
    case 'I':
        return 2;
    case 'l':
    case 'd':
        return 4;
    case 'L':
    case 'D':
        return 8;
    default:
        return 0;
    }
}

static struct status
parse_integer(struct parser *p, uint8_t marker, int64_t *ret_value)
{
    switch (marker) {
    case 'i':
        *ret_value = (int8_t)reader_u8(&p->in);
        break;
    case 'U':
        *ret_value = reader_u8(&p->in);
        break;
    case 'I':
        *ret_value = (int16_t)reader_u16be(&p->in);
        break;
    case 'l':
        *ret_value = (int32_t)reader_u32be(&p->in);
        break;
    case 'L':
        *ret_value = (int64_t)reader_u64be(&p->in);
        break;
    default:
        return refuse(p, "an integer is needed here");
    }
    return p->in.bad ? refuse(p, "cut short") : OK;
}

static struct status
parse_number(struct parser *p, uint8_t marker, json_t **ret_value)
{
    if (marker == 'd' || marker == 'D') {
        double v = 0;
        if (marker == 'd') {
            const uint32_t bits = reader_u32be(&p->in);
            float f;
            memcpy(&f, &bits, sizeof f);
            v = (double)f;
        } else {
            const uint64_t bits = reader_u64be(&p->in);
            memcpy(&v, &bits, sizeof v);
        }
        if (p->in.bad) {
            return refuse(p, "cut short");
        }
        *ret_value = js_real(v);
    } else {
        int64_t v = 0;
        TRY(parse_integer(p, marker, &v));
        *ret_value = json_integer(v);
    }
    CHECK(*ret_value != NULL, MEMORY);
    return OK;
}

/* A length: marker of an integer, then it. Never more than the bytes that are left. */
static struct status
parse_length(struct parser *p, size_t least_bytes_each, size_t *ret_length)
{
    int64_t n = 0;
    TRY(parse_integer(p, reader_u8(&p->in), &n));
    const size_t left = reader_left(&p->in);
    if (n < 0 || (uint64_t)n > left / (least_bytes_each == 0 ? 1 : least_bytes_each)) {
        return refuse(p, "a length is past the end");
    }
    *ret_length = (size_t)n;
    return OK;
}

static struct status
parse_string(struct parser *p, struct view *ret_text)
{
    size_t n = 0;
    TRY(parse_length(p, 1, &n));
    const struct view text = reader_bytes(&p->in, n);
    if (p->in.bad || !text_is_utf8(text) || (n > 0 && memchr(text.ptr, 0, n) != NULL)) {
        return refuse(p, "a string is cut short or not UTF-8");
    }
    *ret_text = text;
    return OK;
}

static uint8_t
peek(const struct parser *p)
{
    return reader_left(&p->in) == 0 ? 0 : p->in.v.ptr[p->in.pos];
}

static struct status
spend(struct parser *p, size_t values)
{
    p->values += values;
    if (p->values > p->max_values) {
        diag_set(p->diag, "UBJSON byte %zu: more than %zu values", p->in.pos, p->max_values);
        FAIL(LIMIT);
    }
    return OK;
}

static struct status
append(struct parser *p, uint8_t marker, json_t *array)
{
    json_t *value = NULL;
    TRY(parse_value(p, marker, &value));
    CHECK(json_array_append_new(array, value) == 0, MEMORY);
    return OK;
}

/* "$type#count" after "[": only numbers may be typed, as XGBoost writes them. */
static struct status
parse_typed_array(struct parser *p, json_t *array)
{
    (void)reader_u8(&p->in);
    const uint8_t type = reader_u8(&p->in);
    const size_t bytes = number_bytes(type);
    if (bytes == 0 || reader_u8(&p->in) != '#') {
        return refuse(p, "a typed array holds numbers and has a count");
    }
    size_t n = 0;
    TRY(parse_length(p, bytes, &n));
    for (size_t i = 0; i < n; i++) {
        TRY(append(p, type, array));
    }
    return OK;
}

static struct status
fill_array(struct parser *p, json_t *array)
{
    if (peek(p) == '$') {
        return parse_typed_array(p, array);
    }
    if (peek(p) == '#') {
        size_t n = 0;
        (void)reader_u8(&p->in);
        TRY(parse_length(p, 1, &n));
        for (size_t i = 0; i < n; i++) {
            TRY(append(p, reader_u8(&p->in), array));
        }
        return OK;
    }
    for (uint8_t marker = reader_u8(&p->in); marker != ']'; marker = reader_u8(&p->in)) {
        if (p->in.bad) {
            return refuse(p, "an array does not end");
        }
        TRY(append(p, marker, array));
    }
    return OK;
}

static struct status
parse_array(struct parser *p, json_t **ret_value)
{
    DEFER(js_freep) json_t *array = json_array();
    CHECK(array != NULL, MEMORY);
    TRY(fill_array(p, array));
    *ret_value = MOVE(array);
    return OK;
}

static struct status
parse_member(struct parser *p, json_t *object)
{
    struct view key = {0};
    json_t *value = NULL;
    TRY(spend(p, UBJSON_MEMBER_VALUES));
    TRY(parse_string(p, &key));
    TRY(parse_value(p, reader_u8(&p->in), &value));
    char name[256];
    if (key.len >= sizeof name) {
        json_decref(value);
        return refuse(p, "a name is longer than 255 bytes");
    }
    memcpy(name, key.ptr, key.len);
    name[key.len] = '\0';
    if (json_object_get(object, name) != NULL) {
        json_decref(value);
        return refuse(p, "a name stands twice in one object");
    }
    CHECK(json_object_set_new(object, name, value) == 0, MEMORY);
    return OK;
}

static struct status
parse_object(struct parser *p, json_t **ret_value)
{
    DEFER(js_freep) json_t *object = json_object();
    CHECK(object != NULL, MEMORY);
    while (peek(p) != '}') {
        if (reader_left(&p->in) == 0) {
            return refuse(p, "an object does not end");
        }
        TRY(parse_member(p, object));
    }
    (void)reader_u8(&p->in);
    *ret_value = MOVE(object);
    return OK;
}

static struct status
parse_text_value(struct parser *p, json_t **ret_value)
{
    struct view text = {0};
    TRY(parse_string(p, &text));
    *ret_value = json_stringn_nocheck(text.len == 0 ? "" : (const char *)text.ptr, text.len);
    CHECK(*ret_value != NULL, MEMORY);
    return OK;
}

static struct status
parse_nested(struct parser *p, uint8_t marker, json_t **ret_value)
{
    if (p->depth == JS_MAX_DEPTH) {
        return refuse(p, "nested too deeply");
    }
    TRY(spend(p, UBJSON_CONTAINER_VALUES));
    p->depth++;
    const struct status s = marker == '[' ? parse_array(p, ret_value) : parse_object(p, ret_value);
    p->depth--;
    return s;
}

static struct status
parse_value(struct parser *p, uint8_t marker, json_t **ret_value)
{
    TRY(spend(p, 1));
    switch (marker) {
    case '[':
    case '{':
        return parse_nested(p, marker, ret_value);
    case 'S':
        return parse_text_value(p, ret_value);
    case 'T':
    case 'F':
        *ret_value = json_boolean(marker == 'T');
        return OK;
    case 'Z':
        *ret_value = json_null();
        return OK;
    default:
        if (number_bytes(marker) == 0) {
            return refuse(p, p->in.bad ? "cut short" : "an unknown marker");
        }
        return parse_number(p, marker, ret_value);
    }
}

struct status
ubjson_parse(struct view bytes, size_t max_values, struct diag *diag, json_t **ret_value)
{
    struct parser p = {.in = reader_of(bytes), .diag = diag, .max_values = max_values};
    DEFER(js_freep) json_t *value = NULL;
    TRY(parse_value(&p, reader_u8(&p.in), &value));
    if (reader_left(&p.in) != 0) {
        return refuse(&p, "bytes after the end");
    }
    *ret_value = MOVE(value);
    return OK;
}
