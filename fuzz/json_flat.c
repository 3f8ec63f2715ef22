/* A JSON text as nodes: read or refused as jansson does it, to the same values. */
#include "base/json_flat.h"
#include "base/json.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_container(const struct js_node *n, json_t *v);

static void
check(const struct js_node *n, json_t *v)
{
    switch (n->kind) {
    case JS_NULL:
        ASSERT(json_is_null(v));
        break;
    case JS_FALSE:
        ASSERT(json_is_false(v));
        break;
    case JS_TRUE:
        ASSERT(json_is_true(v));
        break;
    case JS_INTEGER:
        ASSERT(json_is_integer(v) && json_integer_value(v) == n->integer);
        break;
    case JS_REAL:
        ASSERT(json_is_real(v) && json_real_value(v) == n->real);
        break;
    case JS_STRING:
        ASSERT(json_is_string(v) && strcmp(json_string_value(v), n->text) == 0);
        break;
    default:
        check_container(n, v);
    }
}

static void
check_container(const struct js_node *n, json_t *v)
{
    const struct js_node *at = n + 1;
    const bool is_array = n->kind == JS_ARRAY;
    ASSERT(is_array ? json_is_array(v) : json_is_object(v));
    ASSERT(n->size == (is_array ? json_array_size(v) : json_object_size(v)));
    for (uint32_t i = 0; i < n->size; i++) {
        const struct js_node *value = is_array ? at : at + 1;
        check(value, is_array ? json_array_get(v, i) : json_object_get(v, at->text));
        at = js_flat_next(value);
    }
    ASSERT(at == js_flat_next(n));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    DEFER(arena_freep) struct arena *arena = arena_new(1 << 22);
    DEFER(js_freep) json_t *value = NULL;
    const struct js_node *root = NULL;
    struct diag diag = {0};
    ASSERT(arena != NULL);
    const struct status s = js_flat(view_of(data, size), NULL, arena, &diag, &root);
    const struct status other = js_parse(view_of(data, size), NULL, NULL, &value);
    /* jansson overlooks a NUL behind a number. */
    if ((size > 0 && memchr(data, 0, size) != NULL) || s.code == STATUS_LIMIT ||
        strstr(diag.text, "members") != NULL || strstr(diag.text, "511") != NULL) {
        return 0;
    }
    ASSERT(s.code == other.code);
    if (status_ok(s)) {
        check(root, value);
    }
    return 0;
}
