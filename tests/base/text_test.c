/* Strict conversions, words, and JSON. */
#include "testing/testing.h"

#include "base/text.h"

#include <float.h>
#include <malloc.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- numbers ---- */

static void
refuses_all_but_the_whole_number(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        " 1",
        "1 ",
        "+1",
        "--1",
        "-",
        "1.0",
        "1e3",
        "0x10",
        "1_000",
        "\xd9\xa1",
        "9223372036854775808",
        "-9223372036854775809",
        "99999999999999999999999999",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t value = 77;
        assert_status(text_to_i64(view_str(bad[i]), &value), INPUT);
        assert_int_equal(value, 77);
    }
    int64_t value = 0;
    assert_status(text_to_i64(view_of("1\0", 2), &value), INPUT);
    assert_ok(text_to_i64(view_str("-9223372036854775808"), &value));
    assert_true(value == INT64_MIN);
    assert_ok(text_to_i64(view_str("9223372036854775807"), &value));
    assert_true(value == INT64_MAX);
    uint64_t size = 77;
    assert_status(text_to_u64(view_str("-1"), &size), INPUT);
    assert_status(text_to_u64(view_str("18446744073709551616"), &size), INPUT);
    assert_int_equal(size, 77);
    assert_ok(text_to_u64(view_str("18446744073709551615"), &size));
    assert_true(size == UINT64_MAX);
}

static void
refuses_all_but_the_decimal(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",       ".",     "+",   "e5",        "1e",    "1e+", " 1",
        "1 ",     "nan",   "inf", "-infinity", "0x1p3", "1,5", "1e999",
        "-1e999", "1.2.3", "1d5", "1e5.0",     "--1",   "+-1", "1f",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        double value = 77;
        if (status_ok(text_to_f64(view_str(bad[i]), &value))) {
            print_error("%s was taken\n", bad[i]);
        }
        assert_true(value == 77);
    }
    static const struct {
        const char *text;
        double value;
    } good[] = {{"1.", 1},
                {".5", 0.5},
                {"+5", 5},
                {"-0", 0},
                {"1e3", 1000},
                {"1E-3", 0.001},
                {"1.7976931348623157e308", DBL_MAX},
                {"5e-324", 5e-324},
                {"1e-999", 0},
                {"9007199254740993", 9007199254740992.0}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        double value = 77;
        assert_ok(text_to_f64(view_str(good[i].text), &value));
        assert_true(value == good[i].value);
    }
    char digits[600];
    memset(digits, '1', sizeof digits);
    double value = 0;
    assert_ok(text_to_f64(view_of(digits, 300), &value));
    assert_status(text_to_f64(view_of(digits, 600), &value), INPUT);
}

static void
decimals_come_back_as_the_same_double(void **state)
{
    (void)state;
    static const double values[] = {0,         0.1,     1.0 / 3, 1e21, 1e22,
                                    DBL_MAX,   DBL_MIN, 5e-324,  -2.5, 1.2345678901234568e17,
                                    0.1 + 0.2, 4.35,    1e-7};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        DEFER(buf_done) struct buf b;
        double back = 0;
        buf_init(&b, 64);
        text_put_f64(&b, values[i]);
        assert_ok(text_to_f64(buf_view(&b), &back));
        assert_true(back == values[i]);
    }
    DEFER(buf_done) struct buf b;
    buf_init(&b, 64);
    text_put_f64(&b, 0.1);
    assert_string_equal(buf_str(&b), "0.1");
}

static void
assert_as_printf(double v)
{
    char expected[40];
    DEFER(buf_done) struct buf b;
    buf_init(&b, 64);
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(expected, sizeof expected, "%.*g", digits, v);
        if (digits == 17 || strtod(expected, NULL) == v) {
            break;
        }
    }
    text_put_f64(&b, v);
    if (strcmp(buf_str(&b), expected) != 0) {
        print_error("%a\n", v);
    }
    assert_string_equal(buf_str(&b), expected);
}

/* Its neighbours too, and both signs. */
static void
assert_as_printf_around(double v)
{
    assert_as_printf(v);
    assert_as_printf(-v);
    assert_as_printf(nextafter(v, 0));
    assert_as_printf(nextafter(v, (double)INFINITY));
}

/* Exact whole numbers take printf's place where they can: powers of two have unequal neighbours,
 * dyadic fractions give ties, short decimals and powers of ten carry. */
static void
doubles_are_printed_as_printf_and_strtod_agree(void **state)
{
    (void)state;
    assert_as_printf(0);
    assert_as_printf(-0.0);
    assert_as_printf((double)INFINITY);
    for (int e = -1074; e < 1024; e++) {
        assert_as_printf_around(ldexp(1, e));
        assert_as_printf_around(ldexp(3, e > 1000 ? 1000 : e));
    }
    for (int e = -20; e <= 20; e++) {
        assert_as_printf_around(pow(10, e));
        assert_as_printf_around(9.99999999999999 * pow(10, e));
        assert_as_printf_around(5 * pow(10, e));
    }
    uint64_t bits = 88172645463325252u;
    for (int i = 0; i < 60000; i++) {
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        const int e = (int)(bits % 64) - 14;
        double any;
        memcpy(&any, &bits, sizeof any);
        assert_as_printf(isnan(any) ? 1 : any);
        assert_as_printf(ldexp((double)(bits >> 11 | (uint64_t)1 << 52), e - 52)); /* in range */
        assert_as_printf((double)(bits % 1000000) / 1e3);                          /* short */
        assert_as_printf((double)(bits >> 4 & 0xffffff) * ldexp(1, -(int)(bits & 15) - 8));
        assert_as_printf((double)(bits % 900000000000000) + 0.5); /* halves */
    }
}

/* The fast way must give printf's digits, at powers of ten, halves and everywhere else. */
static void
digits_are_those_of_printf(void **state)
{
    (void)state;
    static const double edges[] = {0,
                                   -0.0,
                                   0.5,
                                   2.5e-4,
                                   0.00099999999951,
                                   1e-5,
                                   9.9999999e-5,
                                   1e-4,
                                   0.1,
                                   99999999.95,
                                   1e9,
                                   999999999.5,
                                   999999999.4,
                                   123456789.5,
                                   1000000000.5,
                                   1e300,
                                   5e-324,
                                   -1.5,
                                   0.30000000000000004,
                                   1.0 / 3,
                                   1e8,
                                   0.999999999501,
                                   0.9999999995,
                                   100,
                                   1234500000,
                                   12.5,
                                   (double)INFINITY,
                                   (double)NAN};
    DEFER(buf_done) struct buf b;
    buf_init(&b, 64);
    uint64_t bits = 88172645463325252u;
    for (size_t i = 0; i < 40000; i++) {
        double v = 0;
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        const int digits = i < 10000 ? (int)(i % 17) + 1 : 9;
        if (i < 17 * sizeof edges / sizeof *edges) {
            v = edges[i / 17];
        } else if (i % 3 == 0) {
            memcpy(&v, &bits, sizeof v);
        } else if (i % 3 == 1) {
            v = ((double)(bits >> 11) / 0x1p53 - 0.5) * pow(10, (double)(bits % 15) - 5);
        } else {
            v = (double)(bits % 2000000) / 2048; /* ends in a half often */
        }
        char expected[64];
        (void)snprintf(expected, sizeof expected, "%.*g", digits, v);
        buf_reset(&b);
        text_put_digits(&b, v, digits);
        if (strcmp(buf_str(&b), expected) != 0) {
            print_error("%d digits of %.17g\n", digits, v);
        }
        assert_string_equal(buf_str(&b), expected);
    }
}

static void
durations_and_sizes_need_their_exact_unit(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ns;
    } durations[] = {{"1ns", 1},
                     {"2us", 2000},
                     {"500ms", 500000000},
                     {"10s", INT64_C(10000000000)},
                     {"5m", INT64_C(300000000000)},
                     {"2h", INT64_C(7200000000000)},
                     {"30d", INT64_C(2592000000000000)},
                     {"0s", 0}};
    static const char *const bad[] = {"",
                                      "10",
                                      "s",
                                      "10 s",
                                      "1.5h",
                                      "-1s",
                                      "10S",
                                      "10sec",
                                      "1h30m",
                                      "106752d",
                                      "18446744073709551616ns",
                                      "9223372036855s"};
    int64_t ns = 77;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (status_ok(text_to_duration_ns(view_str(bad[i]), &ns))) {
            print_error("%s was taken\n", bad[i]);
        }
        assert_true(ns == 77);
    }
    for (size_t i = 0; i < sizeof durations / sizeof *durations; i++) {
        assert_ok(text_to_duration_ns(view_str(durations[i].text), &ns));
        assert_true(ns == durations[i].ns);
    }
    static const char *const bad_sizes[] = {"",       "KiB", "1KB",  "1kib",          "1 MiB",
                                            "1.5MiB", "-1",  "1TiB", "17179869184GiB"};
    uint64_t size = 77;
    for (size_t i = 0; i < sizeof bad_sizes / sizeof *bad_sizes; i++) {
        assert_status(text_to_size(view_str(bad_sizes[i]), &size), INPUT);
        assert_int_equal(size, 77);
    }
    assert_ok(text_to_size(view_str("64KiB"), &size));
    assert_int_equal(size, 65536);
    assert_ok(text_to_size(view_str("123"), &size));
    assert_int_equal(size, 123);
    assert_ok(text_to_size(view_str("3GiB"), &size));
    assert_true(size == UINT64_C(3221225472));
}

/* ---- letters ---- */

/* Every sequence of one to three bytes, and the borders of four, against the definition: what the
 * encoding of each code point gives, and nothing else. */
static void
utf8_is_what_the_encoder_writes(void **state)
{
    (void)state;
    unsigned valid = 0;
    for (uint32_t raw = 0; raw < 1u << 24; raw += raw % 7 == 0 ? 1 : 3) {
        const uint8_t b[3] = {(uint8_t)(raw >> 16), (uint8_t)(raw >> 8), (uint8_t)raw};
        const uint32_t code = (b[0] & 15u) << 12 | (b[1] & 63u) << 6 | (b[2] & 63u);
        const bool three = b[0] >> 4 == 14 && b[1] >> 6 == 2 && b[2] >> 6 == 2 && code >= 0x800 &&
                           (code < 0xd800 || code > 0xdfff);
        if (b[0] >= 0xe0 && b[0] < 0xf0) { /* others split into shorter ones */
            assert_int_equal(text_is_utf8(view_of(b, 3)), three);
            valid += three;
        }
    }
    assert_true(valid > 10000);
    for (uint32_t raw = 0; raw < 1u << 16; raw++) {
        const uint8_t b[2] = {(uint8_t)(raw >> 8), (uint8_t)raw};
        const bool two =
            (b[0] < 0x80 && b[1] < 0x80) || (b[0] >= 0xc2 && b[0] < 0xe0 && b[1] >> 6 == 2);
        assert_int_equal(text_is_utf8(view_of(b, 2)), two);
    }
    static const struct {
        const char *text;
        bool valid;
    } four[] = {{"\xf0\x90\x80\x80", true},     {"\xf0\x8f\xbf\xbf", false},
                {"\xf4\x8f\xbf\xbf", true},     {"\xf4\x90\x80\x80", false},
                {"\xf5\x80\x80\x80", false},    {"\xf0\x9f\x98", false},
                {"\xf0\x9f\x98\x80\x80", false}};
    for (size_t i = 0; i < sizeof four / sizeof *four; i++) {
        assert_int_equal(text_is_utf8(view_str(four[i].text)), four[i].valid);
    }
    assert_true(text_is_utf8((struct view){0}));
}

static void
names_cannot_leave_their_folder(void **state)
{
    (void)state;
    static const char *const bad[] = {"",    ".",  "..", ".a",  "a..b", "a/b",         "../a",
                                      "-a",  "_a", "A",  "a b", "a\n",  "caf\xc3\xa9", "a\\b",
                                      "a:b", "%2e"};
    static const char *const good[] = {"a", "0", "mortgage", "a.b-c_d", "a.", "1-2"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(text_is_name(bad[i]));
    }
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(text_is_name(good[i]));
    }
    char name[65];
    memset(name, 'a', 64);
    name[64] = '\0';
    assert_false(text_is_name(name));
    name[63] = '\0';
    assert_true(text_is_name(name));
}

static void
html_is_escaped_everywhere(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf b;
    buf_init(&b, 256);
    text_put_html(&b, "<a href=\"x\" id='y'>&amp;</a>");
    assert_string_equal(buf_str(&b),
                        "&lt;a href=&quot;x&quot; id=&#39;y&#39;&gt;&amp;amp;&lt;/a&gt;");
}

/* ---- hex and base64 ---- */

static void
refuses_bad_hex_and_base64_and_appends_nothing(void **state)
{
    (void)state;
    static const char *const bad_hex[] = {"a", "0g", "0 ", "0x10", "abc", "\xff\xff"};
    static const char *const bad_base64[] = {
        "A",      "AA",     "AAA",  "A===", "====",     "AA=A",         "AB==",    "AAB=",
        "AAAA\n", "AA AA=", "AAA-", "AA_=", "AAAA====", "AAAAAA==AAAA", "QUJD!UJD"};
    DEFER(buf_done) struct buf b;
    buf_init(&b, 64);
    buf_put_str(&b, "kept");
    for (size_t i = 0; i < sizeof bad_hex / sizeof *bad_hex; i++) {
        assert_status(text_from_hex(view_str(bad_hex[i]), &b), INPUT);
        assert_string_equal(buf_str(&b), "kept");
    }
    for (size_t i = 0; i < sizeof bad_base64 / sizeof *bad_base64; i++) {
        assert_status(text_from_base64(view_str(bad_base64[i]), &b), INPUT);
        assert_string_equal(buf_str(&b), "kept");
    }
}

/* RFC 4648, section 10. */
static void
base64_and_hex_are_those_of_the_rfc(void **state)
{
    (void)state;
    static const char *const pairs[][3] = {
        {"", "", ""},
        {"f", "Zg==", "66"},
        {"fo", "Zm8=", "666f"},
        {"foo", "Zm9v", "666f6f"},
        {"foob", "Zm9vYg==", "666f6f62"},
        {"fooba", "Zm9vYmE=", "666f6f6261"},
        {"foobar", "Zm9vYmFy", "666f6f626172"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        DEFER(buf_done) struct buf b;
        buf_init(&b, 64);
        text_put_base64(&b, view_str(pairs[i][0]));
        assert_string_equal(buf_str(&b), pairs[i][1]);
        buf_reset(&b);
        assert_ok(text_from_base64(view_str(pairs[i][1]), &b));
        assert_string_equal(buf_str(&b), pairs[i][0]);
        buf_reset(&b);
        text_put_hex(&b, view_str(pairs[i][0]));
        assert_string_equal(buf_str(&b), pairs[i][2]);
        buf_reset(&b);
        assert_ok(text_from_hex(view_str(pairs[i][2]), &b));
        assert_string_equal(buf_str(&b), pairs[i][0]);
    }
}

/* ---- nearest word ---- */

static void
the_nearest_word_is_near(void **state)
{
    (void)state;
    static const char *const words[] = {"deny", "pirat", "afam", "single", "x"};
    static const struct {
        const char *word, *nearest;
    } cases[] = {{"afma", "afam"},     {"pirta", "pirat"}, {"Deny", "deny"}, {"denied", "deny"},
                 {"sinlge", "single"}, {"y", NULL},        {"", NULL},       {"something", NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *near = text_nearest(cases[i].word, words, 5);
        if (cases[i].nearest == NULL) {
            assert_null(near);
        } else {
            assert_non_null(near);
            assert_string_equal(near, cases[i].nearest);
        }
    }
    char long_word[200];
    memset(long_word, 'a', sizeof long_word - 1);
    long_word[sizeof long_word - 1] = '\0';
    assert_null(text_nearest(long_word, words, 5));
    assert_null(text_nearest("deny", NULL, 0));
}

/* ---- json ---- */

static void
not_json(struct view text, const char *part)
{
    json_t *value = NULL;
    struct diag diag = {0};
    assert_status(js_parse(text, "body", &diag, &value), INPUT);
    assert_says(&diag, part);
    assert_null(value);
}

static void
refuses_json_that_two_readers_could_read_differently(void **state)
{
    (void)state;
    not_json(view_str(""), "body line 1 column");
    not_json((struct view){0}, "body line 1");
    not_json(view_str("{\"a\":1,\"a\":2}"), "body line 1 column 10: duplicate object key");
    not_json(view_str("{\"a\":1}x"), "end of file expected");
    not_json(view_str("{\"a\":1} {\"b\":2}"), "end of file expected");
    not_json(view_of("{}\0", 3), "body line 1");
    not_json(view_str("{\n\"a\":\n\"\\u0000\"}"), "body line 3");
    not_json(view_str("{\"\\u0000\":1}"), "body line 1");
    not_json(view_of("\"a\0b\"", 5), "body line 1");
    not_json(view_str("\"\xff\""), "body line 1");
    not_json(view_str("\"\xc0\x80\""), "body line 1");
    not_json(view_str("\"\\ud800\""), "body line 1");
    not_json(view_str("[1,]"), "body line 1");
    not_json(view_str("{a:1}"), "body line 1");
    not_json(view_str("NaN"), "body line 1");
    not_json(view_str("[1e999]"), "body line 1");
    not_json(view_str("[9223372036854775808]"), "body line 1");
    not_json(view_str("/* x */ 1"), "body line 1");
    not_json(view_str("01"), "body line 1");
}

static void
refuses_json_that_is_nested_too_deeply(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf b;
    buf_init(&b, 8u << 20);
    for (unsigned i = 0; i < JS_MAX_DEPTH; i++) {
        buf_put_str(&b, "[");
    }
    buf_put_str(&b, "\"[[[\\\"[[\"");
    for (unsigned i = 0; i < JS_MAX_DEPTH; i++) {
        buf_put_str(&b, "]");
    }
    DEFER(js_freep) json_t *value = NULL;
    assert_ok(js_parse(buf_view(&b), NULL, NULL, &value)); /* brackets in a string do not count */
    buf_reset(&b);
    for (unsigned i = 0; i <= JS_MAX_DEPTH; i++) {
        buf_put_str(&b, "{\"a\":");
    }
    not_json(buf_view(&b), "body nested deeper than 64");
    buf_reset(&b);
    for (unsigned i = 0; i < 4u << 20; i++) {
        buf_put_u8(&b, '[');
    }
    not_json(buf_view(&b), "body nested deeper than 64");
}

/* What a stranger sent may be personal data. */
/* What jansson holds at a time, with malloc's own bytes before each piece. */
static size_t held, most_held;

static void *
counting_malloc(size_t n)
{
    void *p = malloc(n);
    held += malloc_usable_size(p) + 16;
    most_held = held > most_held ? held : most_held;
    return p;
}

static void
counting_free(void *p)
{
    held -= p == NULL ? 0 : malloc_usable_size(p) + 16;
    free(p);
}

/* The least limit within which the text is read, found by halving. */
static size_t
told_memory(struct view text)
{
    size_t low = 0, high = (size_t)1 << 32;
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        DEFER(js_freep) json_t *value = NULL;
        const struct status s = js_parse_within(text, middle, "body", NULL, &value);
        if (s.code == STATUS_LIMIT) {
            low = middle;
        } else {
            assert_ok(s);
            high = middle;
        }
    }
    return high;
}

static void
json_takes_no_more_memory_than_is_told_before_it_is_read(void **state)
{
    (void)state;
    static const char *const shapes[][3] = {
        {"[", "[],", "[]]"},
        {"[", "{},", "{}]"},
        {"[", "1,", "1]"},
        {"[", "1.5,", "1]"},
        {"[", "null,", "1]"},
        {"[", "\"\",", "1]"},
        {"[", "\"a\\\"[{:,\",", "1]"},
        {"[", "{\"a\":{\"b\":[1]}},", "1]"},
        {"\"", "0123456789", "\""},
        {"[", "[[[[[[[1]]]]]]],", "1]"},
        {"[", "                ", "1]"},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        DEFER(buf_done) struct buf text;
        buf_init(&text, 1 << 20);
        buf_put_str(&text, shapes[i][0]);
        for (int k = 0; k < 3000; k++) {
            buf_put_str(&text, shapes[i][1]);
        }
        buf_put_str(&text, shapes[i][2]);
        struct diag diag = {0};
        DEFER(js_freep) json_t *value = NULL;
        const size_t told = told_memory(buf_view(&text));
        assert_status(js_parse_within(buf_view(&text), told - 1, "body", &diag, &value), LIMIT);
        assert_says(&diag, "body its values would take more than ");
        held = most_held = 0;
        json_set_alloc_funcs(counting_malloc, counting_free);
        const struct status s = js_parse_within(buf_view(&text), told, "body", &diag, &value);
        js_freep(&value);
        json_set_alloc_funcs(malloc, free);
        assert_ok(s);
        assert_int_equal(held, 0);
        if (most_held > told) {
            print_error("%s...: %zu bytes told, %zu held\n", shapes[i][1], told, most_held);
        }
        assert_true(most_held <= told);
    }
}

static void
json_errors_quote_nothing(void **state)
{
    (void)state;
    json_t *value = NULL;
    struct diag diag = {0};
    assert_status(js_parse(view_str("{\"name\": \"Ada\" Lovelace}"), NULL, &diag, &value), INPUT);
    assert_null(strstr(diag.text, "Lovelace"));
    assert_null(strstr(diag.text, "Ada"));
    assert_says(&diag, "line 1 column");
}

static void
members_are_asked_for_by_type(void **state)
{
    (void)state;
    DEFER(js_freep) json_t *o = NULL;
    struct diag diag = {0};
    assert_ok(js_parse(view_str("{\"s\":\"x\",\"i\":3,\"f\":1.5,\"o\":{},\"a\":[],\"n\":null}"),
                       NULL, &diag, &o));
    const char *text = NULL;
    int64_t i = 0;
    double f = 0;
    json_t *v = NULL;
    assert_ok(js_need_string(o, "s", &diag, &text));
    assert_string_equal(text, "x");
    assert_ok(js_need_i64(o, "i", &diag, &i));
    assert_int_equal(i, 3);
    assert_ok(js_need_f64(o, "i", &diag, &f)); /* 3 is a number too */
    assert_ok(js_need_object(o, "o", &diag, &v));
    assert_ok(js_need_array(o, "a", &diag, &v));
    assert_status(js_need_string(o, "n", &diag, &text), INPUT);
    assert_says(&diag, "\"n\" must be a string");
    assert_status(js_need_i64(o, "f", &diag, &i), INPUT);
    assert_says(&diag, "\"f\" must be an integer");
    assert_status(js_need_object(o, "gone", &diag, &v), INPUT);
    assert_says(&diag, "\"gone\" is missing");
    assert_status(js_need_array(json_object_get(o, "s"), "a", &diag, &v), INPUT);
}

static void
json_is_written_in_one_form(void **state)
{
    (void)state;
    DEFER(js_freep) json_t *v = NULL;
    DEFER(buf_done) struct buf b;
    buf_init(&b, 4096);
    assert_ok(js_parse(view_str("{\"b\" : [1, 2.5 ], \"a\":\"\\u00e9\\n\"}"), NULL, NULL, &v));
    assert_ok(js_put(&b, v));
    assert_string_equal(buf_str(&b), "{\"a\":\"\xc3\xa9\\n\",\"b\":[1,2.5]}");
    buf_reset(&b);
    js_put_string(&b, view_of("a\"\\\n\0\x7f\xc3\xa9", 8));
    assert_string_equal(buf_str(&b), "\"a\\\"\\\\\\u000a\\u0000\\u007f\xc3\xa9\"");
    buf_reset(&b);
    js_put_f64(&b, (double)NAN);
    js_put_f64(&b, -(double)INFINITY);
    js_put_f64(&b, 0.25);
    assert_string_equal(buf_str(&b), "nullnull0.25");
    DEFER(buf_done) struct buf small;
    buf_init(&small, 5);
    assert_status(js_put(&small, v), LIMIT);
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(refuses_all_but_the_whole_number),
        cmocka_unit_test(doubles_are_printed_as_printf_and_strtod_agree),
        cmocka_unit_test(digits_are_those_of_printf),
        cmocka_unit_test(refuses_all_but_the_decimal),
        cmocka_unit_test(decimals_come_back_as_the_same_double),
        cmocka_unit_test(durations_and_sizes_need_their_exact_unit),
        cmocka_unit_test(utf8_is_what_the_encoder_writes),
        cmocka_unit_test(names_cannot_leave_their_folder),
        cmocka_unit_test(html_is_escaped_everywhere),
        cmocka_unit_test(refuses_bad_hex_and_base64_and_appends_nothing),
        cmocka_unit_test(base64_and_hex_are_those_of_the_rfc),
        cmocka_unit_test(the_nearest_word_is_near),
        cmocka_unit_test(refuses_json_that_two_readers_could_read_differently),
        cmocka_unit_test(refuses_json_that_is_nested_too_deeply),
        cmocka_unit_test(json_takes_no_more_memory_than_is_told_before_it_is_read),
        cmocka_unit_test(json_errors_quote_nothing),
        cmocka_unit_test(members_are_asked_for_by_type),
        cmocka_unit_test(json_is_written_in_one_form),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
