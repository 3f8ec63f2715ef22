/* A request's bytes alone: where heads end, of what lines they are, what chunks carry; in pieces of
 * any size. */
#include "testing/testing.h"

#include "serve/http_head.h"

#include <string.h>

#define TEXT(T)                                                                                    \
    {                                                                                              \
        (const uint8_t *)(T), sizeof(T) - 1                                                        \
    }

/* As it comes in pieces of that size. */
static enum http_found
find(struct view bytes, size_t piece, size_t *ret_len)
{
    size_t scanned = 0;
    enum http_found found = HTTP_PART;
    for (size_t have = 0; found == HTTP_PART && have < bytes.len;) {
        have = bytes.len - have < piece ? bytes.len : have + piece;
        found = http_head_find(view_of(bytes.ptr, have), &scanned, ret_len);
    }
    return found;
}

static void
finds_the_end_of_a_head_however_it_comes(void **state)
{
    (void)state;
    static const struct {
        struct view bytes;
        enum http_found found;
        size_t len;
    } cases[] = {
        {TEXT("GET / HTTP/1.1\r\nhost: a\r\n\r\nGET"), HTTP_WHOLE, 27},
        {TEXT("GET / HTTP/1.1\r\nhost: a\r\n\r"), HTTP_PART, 0},
        {TEXT("GET / HTTP/1.1\r\nhost: a\r\n"), HTTP_PART, 0},
        {TEXT("a\r\n\r\n\r\n"), HTTP_WHOLE, 5},
        {TEXT("\r\n"), HTTP_WHOLE, 2},
        {TEXT("GET / HTTP/1.1\nhost: a\r\n\r\n"), HTTP_BAD, 0},
        {TEXT("GET / HTTP/1.1\r\nhost: a\n\r\n"), HTTP_BAD, 0},
        {TEXT("\n"), HTTP_BAD, 0},
        {TEXT("a\r\n\n"), HTTP_BAD, 0},
        {TEXT("a\r\r\n\r\r\n"), HTTP_PART, 0},
        {TEXT("a\r\n\r\r\n\r\n"), HTTP_WHOLE, 8},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t piece = 1; piece <= cases[i].bytes.len; piece++) {
            size_t len = 0;
            assert_int_equal(find(cases[i].bytes, piece, &len), cases[i].found);
            assert_int_equal(len, cases[i].len);
        }
    }
}

static void
splits_a_head_into_its_words_and_fields(void **state)
{
    (void)state;
    struct gate_field fields[2];
    struct gate_head h;
    assert_true(http_head_split(
        (struct view)TEXT("POST /a?b=c HTTP/1.1\r\nHost: a:1\r\nx:\r\ny : \t 1 2\t \r\n\r\n"),
        fields, 2, &h));
    assert_true(view_equal_str(h.method, "POST") && view_equal_str(h.target, "/a?b=c") &&
                view_equal_str(h.version, "HTTP/1.1"));
    assert_int_equal(h.count, 3); /* one more than there is room for */
    assert_true(view_equal_str(fields[0].name, "Host") && view_equal_str(fields[0].value, "a:1"));
    assert_true(view_equal_str(fields[1].name, "x") && fields[1].value.len == 0);
    struct gate_field one[3];
    assert_true(http_head_split((struct view)TEXT("A / B\r\ny : \t 1 2\t \r\n\r\n"), one, 3, &h));
    assert_true(view_equal_str(one[0].name, "y ") && view_equal_str(one[0].value, "1 2"));
}

static void
refuses_what_is_not_lines_of_a_head(void **state)
{
    (void)state;
    static const struct view bad[] = {
        TEXT("\r\n"),
        TEXT("GET\r\n\r\n"),
        TEXT("GET /\r\n\r\n"),
        TEXT("GET / x HTTP/1.1\r\n\r\n"),
        TEXT("GET  / HTTP/1.1\r\n\r\n"),
        TEXT("GET / HTTP/1.1 \r\n\r\n"),
        TEXT("GET / HTTP/1.1\r\nhost\r\n\r\n"),
        TEXT("GET / HTTP/1.1\r\nhost: a\r\n folded\r\n\r\n"),
    };
    struct gate_field fields[4];
    struct gate_head h;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(http_head_split(bad[i], fields, 4, &h));
        assert_non_null(h.method.ptr);
        assert_non_null(h.target.ptr);
    }
}

static void
reads_chunks_however_they_come(void **state)
{
    (void)state;
    static const struct {
        struct view bytes;
        enum http_found found;
        const char *body;
    } cases[] = {
        {TEXT("5\r\nabcde\r\n0\r\n\r\n"), HTTP_WHOLE, "abcde"},
        {TEXT("0\r\n\r\n"), HTTP_WHOLE, ""},
        {TEXT("1\r\na\r\n02\r\nbc\r\n00000000\r\n\r\n"), HTTP_WHOLE, "abc"},
        {TEXT("A;name=\"value\"\r\n0123456789\r\n0;x\r\nt: 1\r\nu: 2\r\n\r\n"), HTTP_WHOLE,
         "0123456789"},
        {TEXT("2\r\n\r\n\r\n0\r\n\r\n"), HTTP_WHOLE, "\r\n"},
        {TEXT("5\r\nabc"), HTTP_PART, "abc"},
        {TEXT("5\r\nabcde\r\n0\r\n"), HTTP_PART, "abcde"},
        {TEXT("5\r\nabcdef\r\n"), HTTP_BAD, "abcde"},
        {TEXT("5\nabcde\r\n"), HTTP_BAD, ""},
        {TEXT("5\r\nabcde\n"), HTTP_BAD, "abcde"},
        {TEXT("5 \r\nabcde\r\n"), HTTP_BAD, ""},
        {TEXT(" 5\r\nabcde\r\n"), HTTP_BAD, ""},
        {TEXT("+5\r\nabcde\r\n"), HTTP_BAD, ""},
        {TEXT("0x5\r\nabcde\r\n"), HTTP_BAD, ""},
        {TEXT("\r\nabcde\r\n"), HTTP_BAD, ""},
        {TEXT(";x\r\n"), HTTP_BAD, ""},
        {TEXT("123456789\r\n"), HTTP_BAD, ""},
        {TEXT("1;\x01\r\na\r\n"), HTTP_BAD, ""},
        {TEXT("1;\n\r\na\r\n"), HTTP_BAD, ""},
        {TEXT("0\r\nt: 1\n\r\n"), HTTP_BAD, ""},
        {TEXT("0\r\n\rx"), HTTP_BAD, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t piece = 1; piece <= cases[i].bytes.len; piece++) {
            DEFER(buf_done) struct buf body;
            struct http_chunks c = {0};
            struct view rest = cases[i].bytes;
            enum http_found found = HTTP_PART;
            buf_init(&body, 64);
            while (found == HTTP_PART && rest.len > 0) {
                struct view part = view_of(rest.ptr, rest.len < piece ? rest.len : piece);
                const size_t n = part.len;
                found = http_chunks_take(&c, &part, &body);
                rest = view_of(rest.ptr + n, rest.len - n);
            }
            assert_int_equal(found, cases[i].found);
            assert_string_equal(buf_str(&body), cases[i].body);
        }
    }
}

static void
leaves_what_follows_the_last_chunk(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf body;
    struct http_chunks c = {0};
    struct view bytes = TEXT("1\r\na\r\n0\r\n\r\nGET /");
    buf_init(&body, 64);
    assert_int_equal(http_chunks_take(&c, &bytes, &body), HTTP_WHOLE);
    assert_true(view_equal_str(bytes, "GET /"));
}

/* Extensions and trailers carry nothing: of those there may be little. */
static void
limits_what_is_passed_over(void **state)
{
    (void)state;
    static const char *const starts[] = {"1;", "0\r\nt: "};
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        DEFER(buf_done) struct buf body;
        struct http_chunks c = {0};
        struct view bytes = view_str(starts[i]);
        enum http_found found = http_chunks_take(&c, &bytes, (buf_init(&body, 64), &body));
        size_t passed = 0;
        while (found == HTTP_PART && passed < 100000) {
            bytes = view_str("x");
            found = http_chunks_take(&c, &bytes, &body);
            passed++;
        }
        assert_int_equal(found, HTTP_BAD);
        assert_in_range(passed, 1000, 10000);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_end_of_a_head_however_it_comes),
        cmocka_unit_test(splits_a_head_into_its_words_and_fields),
        cmocka_unit_test(refuses_what_is_not_lines_of_a_head),
        cmocka_unit_test(reads_chunks_however_they_come),
        cmocka_unit_test(leaves_what_follows_the_last_chunk),
        cmocka_unit_test(limits_what_is_passed_over),
    };
    return cmocka_run_group_tests_name("serve/http_head", tests, NULL, NULL);
}
