/* JSON as one array of nodes: the same texts are read and refused as by js_parse, which has
 * jansson behind it, and to the same values. */
#include "testing/testing.h"

#include "base/json.h"
#include "base/json_flat.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static struct arena *arena;

static struct status
flat(struct view text, struct diag *diag, const struct js_node **ret_root)
{
    arena_reset(arena);
    *diag = (struct diag){0};
    return js_flat(text, "body", arena, diag, ret_root);
}

/* Where both agree, or the path to where they do not. */
static void
assert_same(const struct js_node *n, const json_t *v)
{
    const struct js_node *at = n + 1;
    size_t i = 0;
    const char *key = NULL;
    json_t *element = NULL;
    switch (n->kind) {
    case JS_NULL:
        assert_true(json_is_null(v));
        break;
    case JS_FALSE:
    case JS_TRUE:
        assert_true(n->kind == JS_TRUE ? json_is_true(v) : json_is_false(v));
        break;
    case JS_INTEGER:
        assert_true(json_is_integer(v) && json_integer_value(v) == n->integer);
        assert_true(js_flat_number(n) == json_number_value(v));
        break;
    case JS_REAL:
        assert_true(json_is_real(v));
        assert_true(memcmp(&n->real, &(double){json_real_value(v)}, sizeof(double)) == 0);
        break;
    case JS_STRING:
        assert_true(json_is_string(v));
        assert_string_equal(n->text, json_string_value(v));
        break;
    case JS_ARRAY:
        assert_true(json_is_array(v) && json_array_size(v) == n->size);
        json_array_foreach((json_t *)(uintptr_t)v, i, element)
        {
            assert_same(at, element);
            at = js_flat_next(at);
        }
        assert_ptr_equal(at, js_flat_next(n));
        break;
    case JS_OBJECT:
        assert_true(json_is_object(v) && json_object_size(v) == n->size);
        json_object_foreach((json_t *)(uintptr_t)v, key, element)
        {
            const struct js_node *member = js_flat_member(n, key);
            assert_non_null(member);
            assert_same(member, element);
        }
        break;
    }
}

static void
check(struct view text)
{
    const struct js_node *root = NULL;
    struct diag diag;
    DEFER(js_freep) json_t *value = NULL;
    const struct status s = flat(text, &diag, &root);
    const struct status expected = js_parse(text, "body", NULL, &value);
    if (s.code != expected.code) {
        print_error("%.*s: %s, and %s\n", (int)(text.len < 200 ? text.len : 200),
                    (const char *)text.ptr, status_word(s.code), status_word(expected.code));
        fail();
    }
    if (status_ok(s)) {
        assert_same(root, value);
    }
}

static const char *const texts[] = {
    "",
    " ",
    "[",
    "]",
    "{",
    "}",
    "[]",
    "{}",
    " [ ] ",
    "{ }",
    "[,]",
    "[1,]",
    "[,1]",
    "[1 2]",
    "{\"a\"}",
    "{\"a\":}",
    "{\"a\":1,}",
    "{,}",
    "{1:2}",
    "{\"a\":1 \"b\":2}",
    "[1]]",
    "[1] x",
    "{\"a\":1,\"a\":2}",
    "{\"a\":{\"a\":1},\"b\":[{\"a\":2}]}",
    "[[],[[]],{}]",
    "[}",
    "{]",
    "nul",
    "null",
    "true",
    "false",
    "tru",
    "nullx",
    "[null,true,false]",
    "NaN",
    "[Infinity]",
    "0",
    "-0",
    "-0.0",
    "00",
    "01",
    "-",
    "--1",
    "+1",
    "1.",
    ".5",
    "1.e3",
    "1e",
    "1e+",
    "1e+5",
    "1E-5",
    "0.1",
    "0.30000000000000004",
    "123456789012345",
    "1234567890123456.5",
    "0.000000000000001",
    "9007199254740993.0",
    "1e22",
    "1e23",
    "4.9e-324",
    "2.2250738585072011e-308",
    "1e-400",
    "1e308",
    "1e309",
    "-1e309",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "-9223372036854775809",
    "1.7976931348623157e308",
    "\"\"",
    "\"a",
    "\"",
    "\"\\\"",
    "\"\\\"\"",
    "\"\\n\\t\\b\\f\\r\\/\\\\\"",
    "\"\\x\"",
    "\"\\u00e4\"",
    "\"\\u00E4\"",
    "\"\\u00g4\"",
    "\"\\u00\"",
    "\"\\u0000\"",
    "\"\\ud83d\\ude00\"",
    "\"\\ud83d\"",
    "\"\\ud83dx\"",
    "\"\\ud83d\\u0041\"",
    "\"\\ude00\"",
    "\"\xc3\xa4\"",
    "\"\xf0\x9f\x98\x80\"",
    "\"\xc3\"",
    "\"\xed\xa0\x80\"",
    "\"\x01\"",
    "\"\n\"",
    "\"\x7f\"",
    "\xef\xbb\xbf[]",
    "[1]\n\t\r ",
    "{\"\":1}",
    "{\"a\\u0062\":1,\"ab\":2}",
    "[\"a\",\"b\\\\\",{\"c\":[1.5,null]}]",
    "[1//c\n]",
};

static void
agrees_with_js_parse_on_hand_picked_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        check(view_str(texts[i]));
    }
    check(view_of("[\"a\0b\"]", 7));
    check(view_of("[1]\0", 4));
}

/* Each text with one byte replaced, and each cut short. */
static void
agrees_with_js_parse_on_texts_with_a_wrong_byte(void **state)
{
    (void)state;
    static const char bytes[] = "[]{},:\"\\0e.-nt \x01\xc3";
    static const char text[] =
        "{\"a\": [1, -2.5e3, \"x\\u00e4\\n\"], \"b\": {\"c\": null, \"d\": [true, {}]}}";
    char changed[sizeof text];
    for (size_t at = 0; at < sizeof text - 1; at++) {
        check(view_of(text, at));
        for (size_t k = 0; k < sizeof bytes - 1; k++) {
            memcpy(changed, text, sizeof text);
            changed[at] = bytes[k];
            check(view_of(changed, sizeof text - 1));
        }
    }
}

static void
agrees_with_js_parse_at_the_greatest_depth(void **state)
{
    (void)state;
    for (int depth = JS_MAX_DEPTH - 1; depth <= JS_MAX_DEPTH + 1; depth++) {
        char text[3 * JS_MAX_DEPTH];
        const int n = depth * 2;
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        check(view_of(text, (size_t)n));
    }
}

/* The nearest double, also where the short way is taken. */
static void
reads_short_decimals_exactly(void **state)
{
    (void)state;
    char text[40];
    for (unsigned i = 0; i < 20000; i++) {
        const unsigned long long digits = (i * 2654435761ull * 40503ull) % 1000000000000000ull;
        const int places = (int)(i % 17);
        char whole[24];
        const int n = snprintf(whole, sizeof whole, "%017llu", digits);
        (void)snprintf(text, sizeof text, "[%s%llu.%s]", i % 2 == 0 ? "" : "-", digits % 7,
                       whole + (n - 1 - places));
        check(view_str(text));
    }
}

static void
says_where_and_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"[1,\n 2,\n  x]", "body line 3 column 3: invalid token"},
        {"[\"\xc3\xa4\xc3\xa4\" 1]", "body line 1 column 7: ']' expected"},
        {"{\"a\":1,\"a\":2}", "duplicate object key"},
        {"[1", "premature end of input"},
        {"\"\\u0000\"", "\\u0000 is not allowed"},
        {"[] []", "end of file expected"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct js_node *root = NULL;
        struct diag diag;
        assert_status(flat(view_str(cases[i].text), &diag, &root), INPUT);
        assert_says(&diag, cases[i].says);
        assert_null(root);
    }
}

static void
limits_members_and_memory(void **state)
{
    (void)state;
    struct diag diag;
    const struct js_node *root = NULL;
    DEFER(buf_done) struct buf text;
    buf_init(&text, 1 << 20);
    buf_put_str(&text, "{\"k\":0");
    for (unsigned i = 1; i < JS_FLAT_MEMBERS; i++) {
        buf_printf(&text, ",\"%u\":%u", i, i);
    }
    const size_t len = text.len;
    buf_put_str(&text, "}");
    check(buf_view(&text));
    text.len = len;
    buf_put_str(&text, ",\"more\":1}");
    assert_status(flat(buf_view(&text), &diag, &root), INPUT);
    assert_says(&diag, "an object with more than 256 members");
    struct arena *small = arena_new(1024);
    assert_status(js_flat(view_str("[[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],"
                                   "[],[],[],[],[],[],[],[],[],[],[],[],[],[],[]]"),
                          "body", small, &diag, &root),
                  LIMIT);
    assert_says(&diag, "its values would take more memory than a call may have");
    arena_free(small);
}

static int
set_up(void **state)
{
    (void)state;
    arena = arena_new(1 << 20);
    return arena == NULL ? -1 : 0;
}

static int
tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_members_and_memory),
        cmocka_unit_test(says_where_and_what_is_wrong),
        cmocka_unit_test(agrees_with_js_parse_on_hand_picked_texts),
        cmocka_unit_test(agrees_with_js_parse_on_texts_with_a_wrong_byte),
        cmocka_unit_test(agrees_with_js_parse_at_the_greatest_depth),
        cmocka_unit_test(reads_short_decimals_exactly),
    };
    return cmocka_run_group_tests_name("base/json_flat", tests, set_up, tear_down);
}
