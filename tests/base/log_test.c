/* Lines of the log, with values from people who would like to write other ones. */
#include "testing/testing.h"

#include "base/log.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- what was written ---- */

static int kept = -1;
static FILE *file;

static void
begin(void)
{
    (void)fflush(stderr);
    kept = dup(STDERR_FILENO);
    file = tmpfile();
    assert_non_null(file);
    assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
}

/* The one line since begin, without its end and without time, level and event. */
static void
end(char ret_values[static 32768])
{
    (void)fflush(stderr);
    (void)dup2(kept, STDERR_FILENO);
    (void)close(kept);
    const long n = (rewind(file), (long)fread(ret_values, 1, 32767, file));
    (void)fclose(file);
    assert_true(n > 0);
    ret_values[n] = '\0';
    assert_int_equal(strlen(ret_values), n);
    assert_ptr_equal(strchr(ret_values, '\n'), ret_values + n - 1);
    ret_values[n - 1] = '\0';
    const char *at = ret_values;
    for (int i = 0; i < 3; i++) {
        at = strchr(at, ' ');
        assert_non_null(at);
        at++;
    }
    memmove(ret_values, at, strlen(at) + 1);
}

/* A reader of such lines: key=value or key="value", apart by blanks; \xHH is a byte. Returns what
 * follows; NULL when it is no field. */
static const char *
take_field(const char *at, char ret_key[static 64], struct buf *ret_value)
{
    const size_t key = strcspn(at, "= \"\\");
    buf_reset(ret_value);
    if (key == 0 || key >= 64 || at[key] != '=') {
        return NULL;
    }
    (void)snprintf(ret_key, 64, "%.*s", (int)key, at);
    at += key + 1;
    const bool quoted = *at == '"';
    at += quoted;
    while (*at != '\0' && (quoted ? *at != '"' : *at != ' ')) {
        if (*at == '\\') {
            char digits[3] = {at[2], at[3], '\0'};
            if (at[1] != 'x' || strspn(digits, "0123456789abcdef") != 2) {
                return NULL;
            }
            buf_put_u8(ret_value, (uint8_t)strtoul(digits, NULL, 16));
            at += 4;
        } else {
            buf_put_u8(ret_value, (uint8_t)*at++);
        }
    }
    if (quoted && *at++ != '"') {
        return NULL;
    }
    return *at == ' ' ? at + 1 : *at == '\0' ? at : NULL;
}

/* Three fields and no other come back, each with what was put in. */
static void
check_fields(const char *text)
{
    static char line[32768];
    static const char *const keys[] = {"alone", "quoted", "last"};
    const char *const values[] = {text, text, "7"};
    char key[64];
    DEFER(buf_done) struct buf value;
    buf_init(&value, 1 << 16);
    begin();
    log_event(LOG_WARN, "test.event", "alone=%s quoted=\"%s\" last=%d", text, text, 7);
    end(line);
    const char *at = line;
    for (size_t i = 0; i < 3; i++) {
        at = take_field(at, key, &value);
        assert_non_null(at);
        assert_string_equal(key, keys[i]);
        assert_true(view_equal_str(buf_view(&value), values[i]));
    }
    assert_string_equal(at, "");
}

static void
hostile_bytes_make_no_line_and_no_field(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "a",
        "a b",
        "x\" principal=\"root",
        "x principal=root",
        "x\\\" principal=root",
        "\\",
        "\"",
        "\\x22",
        "a\n2026-11-25T00:00:00Z info access.break-glass principal=root",
        "\r\x1b[2K\x1b[A",
        "\xc2\x9b"
        "31m",
        "a\xe2\x80\xa8z",
        "\xe2\x80\xae"
        "nimda",
        "\xff\xfe",
        "half of \xc3",
        "M\xc3\xbcller",
        "==\t=",
        " ",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        check_fields(texts[i]);
    }
    for (unsigned a = 1; a < 256; a++) {
        const char pairs[][4] = {{(char)a, 0}, {(char)a, '"', ' ', 0}, {' ', (char)a, '=', 0}};
        for (size_t i = 0; i < 3; i++) {
            check_fields(pairs[i]);
        }
    }
}

static void
check_line(const char *text, const char *line_wanted)
{
    static char line[32768];
    begin();
    log_event(LOG_WARN, "test.event", "it says %s; n=%llu", text, 18446744073709551615ULL);
    end(line);
    assert_string_equal(line, line_wanted);
}

static void
a_text_among_words_makes_no_field(void **state)
{
    (void)state;
    check_line("yes, M\xc3\xbcller", "it says yes, M\xc3\xbcller; n=18446744073709551615");
    check_line("a principal=root", "it says a principal\\x3droot; n=18446744073709551615");
    check_line("\"\n", "it says \\x22\\x0a; n=18446744073709551615");
    check_line("\xc2\x85", "it says \\xc2\\x85; n=18446744073709551615");
    check_line("\xe2\x80\xa9", "it says \\xe2\\x80\\xa9; n=18446744073709551615");
    check_line("\xe2\x81\xa7", "it says \\xe2\\x81\\xa7; n=18446744073709551615");
}

static void
a_value_that_is_part_of_one_and_a_cut_one_are_escaped(void **state)
{
    (void)state;
    static char line[32768];
    const char name[4] = {'a', ' ', '"', 'z'};
    begin();
    log_event(LOG_WARN, "test.event", "at=%s/%u name=%.*s%s n=%lld", "h x=y", 7U, (int)sizeof name,
              name, "; x", -5LL);
    end(line);
    assert_string_equal(line, "at=h\\x20x=y/7 name=a\\x20\\x22z; x n=-5");
}

static void
a_line_that_is_too_long_says_so(void **state)
{
    (void)state;
    static char line[32768];
    char *much = malloc(40001);
    memset(much, 'a', 40000);
    much[40000] = '\0';
    begin();
    log_event(LOG_WARN, "test.event", "reason=\"%s\"", much);
    end(line);
    assert_string_equal(line, "values=too-long");
    free(much);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_bytes_make_no_line_and_no_field),
        cmocka_unit_test(a_text_among_words_makes_no_field),
        cmocka_unit_test(a_value_that_is_part_of_one_and_a_cut_one_are_escaped),
        cmocka_unit_test(a_line_that_is_too_long_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
