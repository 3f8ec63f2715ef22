#include "base/json.h"

#include "base/clock.h"

#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void
js_freep(json_t **value)
{
    json_decref(*value);
    *value = NULL;
}

/* What the parser will build, told before it does: brackets, members and values outside strings. */
struct shape {
    size_t depth, deepest;
    size_t arrays, objects, members, commas, strings;
    size_t longest; /* run of bytes without a bracket, colon, comma or quote: token at most */
};

/* True for a byte that no token but a string holds. */
static bool
note_byte(struct shape *s, uint8_t c)
{
    if (c == '{' || c == '[') {
        s->arrays += c == '[';
        s->objects += c == '{';
        s->depth++;
        s->deepest = s->depth > s->deepest ? s->depth : s->deepest;
    } else if (c == '}' || c == ']') {
        s->depth -= s->depth > 0;
    } else {
        s->strings += c == '"';
        s->members += c == ':';
        s->commas += c == ',';
        return c == '"' || c == ':' || c == ',';
    }
    return true;
}

static struct shape
shape_of(struct view text)
{
    struct shape s = {0};
    bool in_string = false;
    size_t from = 0;
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = text.ptr[i];
        if (in_string) {
            i += c == '\\';
            in_string = c != '"';
            from = in_string ? from : i;
        } else if (note_byte(&s, c)) {
            in_string = c == '"';
            from = i;
        }
        s.longest = i - from > s.longest ? i - from : s.longest;
    }
    return s;
}

/* Upper bound of what jansson 2.14 takes for it from a 64-bit malloc: header and first table of an
 * array or object, a member's pair and bucket, a number and its place in a table that doubles, a
 * string and its bytes, and the lexer's token, whose buffer doubles and is copied for it. */
static size_t
memory_of(const struct shape *s, size_t length)
{
    const size_t values = s->commas + s->arrays + s->objects + 1;
    return s->arrays * 128 + s->objects * 224 + s->members * 128 + values * 56 + s->strings * 80 +
           length + (s->longest + 32) * 4;
}

struct status
js_parse(struct view text, const char *name, struct diag *diag, json_t **ret_value)
{
    return js_parse_within(text, SIZE_MAX, name, diag, ret_value);
}

struct status
js_parse_within(struct view text, size_t max_memory, const char *name, struct diag *diag,
                json_t **ret_value)
{
    const char *place = name == NULL ? "" : name, *sep = name == NULL ? "" : " ";
    const struct shape shape = shape_of(text);
    if (shape.deepest > JS_MAX_DEPTH) {
        diag_set(diag, "%s%snested deeper than %d", place, sep, JS_MAX_DEPTH);
        FAIL(INPUT);
    }
    if (memory_of(&shape, text.len) > max_memory) {
        diag_set(diag, "%s%sits values would take more than %zu bytes of memory", place, sep,
                 max_memory);
        FAIL(LIMIT);
    }
    json_error_t error;
    json_t *value = json_loadb(text.len == 0 ? "" : (const char *)text.ptr, text.len,
                               JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (value == NULL) {
        /* Without letters of the input: they may be personal data or control bytes. */
        const char *words = error.text;
        const char *cut = strstr(words, " near '");
        diag_set(diag, "%s%sline %d column %d: %.*s", place, sep, error.line, error.column,
                 (int)(cut == NULL ? strlen(words) : (size_t)(cut - words)), words);
        FAIL(INPUT);
    }
    *ret_value = value;
    return OK;
}

static struct status
need(const json_t *o, const char *key, bool (*is)(const json_t *), const char *what,
     struct diag *diag, json_t **ret_value)
{
    json_t *value = json_object_get(o, key);
    if (value == NULL) {
        diag_set(diag, "\"%s\" is missing", key);
        FAIL(INPUT);
    }
    if (!is(value)) {
        diag_set(diag, "\"%s\" must be %s", key, what);
        FAIL(INPUT);
    }
    *ret_value = value;
    return OK;
}

static bool
is_object(const json_t *v)
{
    return json_is_object(v);
}

static bool
is_array(const json_t *v)
{
    return json_is_array(v);
}

static bool
is_string(const json_t *v)
{
    return json_is_string(v);
}

static bool
is_integer(const json_t *v)
{
    return json_is_integer(v);
}

static bool
is_number(const json_t *v)
{
    return json_is_number(v);
}

struct status
js_need_object(const json_t *o, const char *key, struct diag *diag, json_t **ret_value)
{
    return need(o, key, is_object, "an object", diag, ret_value);
}

struct status
js_need_array(const json_t *o, const char *key, struct diag *diag, json_t **ret_value)
{
    return need(o, key, is_array, "an array", diag, ret_value);
}

struct status
js_need_string(const json_t *o, const char *key, struct diag *diag, const char **ret_text)
{
    json_t *value = NULL;
    TRY(need(o, key, is_string, "a string", diag, &value));
    *ret_text = json_string_value(value);
    return OK;
}

json_t *
js_base64(struct view bytes)
{
    DEFER(buf_done) struct buf text;
    buf_init(&text, 4 * bytes.len / 3 + 8);
    text_put_base64(&text, bytes);
    return status_ok(buf_status(&text)) ? json_string(buf_str(&text)) : NULL;
}

struct status
js_need_base64(const json_t *o, const char *key, size_t n, struct diag *diag, uint8_t *ret_bytes)
{
    const char *text = NULL;
    DEFER(buf_done) struct buf raw;
    buf_init(&raw, n);
    TRY(js_need_string(o, key, diag, &text));
    if (!status_ok(text_from_base64(view_str(text), &raw)) || raw.len != n) {
        diag_set(diag, "\"%s\" is not the base64 of %zu bytes", key, n);
        FAIL(INTEGRITY);
    }
    memcpy(ret_bytes, raw.ptr, n);
    return OK;
}

struct status
js_need_i64(const json_t *o, const char *key, struct diag *diag, int64_t *ret_value)
{
    json_t *value = NULL;
    TRY(need(o, key, is_integer, "an integer", diag, &value));
    *ret_value = json_integer_value(value);
    return OK;
}

struct status
js_need_f64(const json_t *o, const char *key, struct diag *diag, double *ret_value)
{
    json_t *value = NULL;
    TRY(need(o, key, is_number, "a number", diag, &value));
    *ret_value = json_number_value(value);
    return OK;
}

json_t *
js_sentence(const char *text)
{
    DEFER(buf_done) struct buf whole;
    buf_init(&whole, SIZE_MAX / 2);
    for (size_t n = 0; *text != '\0'; text += n) {
        n = 1;
        while (n < 4 && ((unsigned char)text[n] & 0xc0) == 0x80) {
            n++;
        }
        if (text_is_utf8(view_of(text, n))) {
            buf_put(&whole, view_of(text, n));
        }
    }
    return status_ok(buf_status(&whole)) ? json_string(buf_str(&whole)) : NULL;
}

struct status
js_set(json_t *o, const char *key, json_t *value)
{
    CHECK(value != NULL && json_object_set_new(o, key, value) == 0, MEMORY);
    return OK;
}

static int
append(const char *bytes, size_t n, void *b)
{
    buf_put(b, view_of(bytes, n));
    return ((const struct buf *)b)->failed == 0 ? 0 : -1;
}

static struct status
dump(struct buf *b, const json_t *value, size_t flags)
{
    const int failed =
        json_dump_callback(value, append, b, flags | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
    TRY(buf_status(b));
    CHECK(failed == 0, MEMORY);
    return OK;
}

struct status
js_put(struct buf *b, const json_t *value)
{
    return dump(b, value, JSON_COMPACT | JSON_SORT_KEYS);
}

struct status
js_put_pretty(struct buf *b, const json_t *value)
{
    return dump(b, value, JSON_INDENT(2));
}

static void
put_escaped(struct buf *b, uint8_t c)
{
    if (c == '"' || c == '\\') {
        buf_put_u8(b, '\\');
        buf_put_u8(b, c);
    } else {
        buf_printf(b, "\\u%04x", c);
    }
}

void
js_put_string(struct buf *b, struct view text)
{
    size_t from = 0;
    buf_put_u8(b, '"');
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = text.ptr[i];
        if (c == '"' || c == '\\' || c < 0x20 || c == 0x7f) {
            buf_put(b, view_of(text.ptr + from, i - from));
            put_escaped(b, c);
            from = i + 1;
        }
    }
    buf_put(b, view_of(text.ptr + from, text.len - from));
    buf_put_u8(b, '"');
}

void
js_put_f64(struct buf *b, double v)
{
    if (isfinite(v)) {
        text_put_f64(b, v);
    } else {
        buf_put_str(b, "null");
    }
}

json_t *
js_real(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

json_t *
js_time(int64_t wall_ns)
{
    DEFER(buf_done) struct buf text;
    buf_init(&text, 64);
    clock_put_rfc3339(&text, wall_ns);
    return json_string(buf_str(&text));
}
