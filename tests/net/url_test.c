#include "testing/testing.h"

#include "net/url.h"

#include <stdlib.h>
#include <string.h>

static void
check_refused(const char *text, const char *says)
{
    struct diag diag = {0};
    struct url u;
    const struct status s = url_parse(view_str(text), &diag, &u);
    if (s.code != STATUS_INPUT) {
        print_error("taken: %s\n", text);
    }
    assert_int_equal(s.code, STATUS_INPUT);
    assert_says(&diag, says);
}

static void
refuses_what_two_readers_could_read_in_two_ways(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", "must begin with https://"},
        {"//host/", "must begin"},
        {"https:/host/", "must begin"},
        {"https:host", "must begin"},
        {"ftp://host/", "must begin"},
        {"file:///etc/passwd", "must begin"},
        {"gopher://127.0.0.1:25/", "must begin"},
        {"javascript:alert(1)", "must begin"},
        {" https://host/", "blanks"},
        {"https://host/ ", "blanks"},
        {"https://ho\tst/", "control"},
        {"https://host/\r\nHost: evil", "control"},
        {"https://h\xc3\xb6st/", "beyond ASCII"},
        {"https://host\x7f/", "control"},
        {"https://good.example\\@evil.example/", "backslash"},
        {"https://good.example#@evil.example/", "fragment"},
        {"https://host/#f", "fragment"},
        {"https://", "no host"},
        {"https:///path", "no host"},
        {"https://?q", "no host"},
        {"https://:443/", "no host"},
        {"https://host:/", "port"},
        {"https://host:0/", "port"},
        {"https://host:0443/", "port"},
        {"https://host:65536/", "port"},
        {"https://host:-1/", "port"},
        {"https://host:+1/", "port"},
        {"https://host:0x50/", "port"},
        {"https://host:80:80/", "port"},
        {"https://host%2eexample/", "no name"},
        {"https://host.example./", "no name"},
        {"https://.example/", "no name"},
        {"https://a..example/", "no name"},
        {"https://-a.example/", "no name"},
        {"https://a-.example/", "no name"},
        {"https://a,b.example/", "no name"},
        {"https://a;b.example/", "no name"},
        {"https://a'b.example/", "no name"},
        {"https://*.example/", "no name"},
        {"https://::1/", "port"},
        {"https://[::1/", "port"},
        {"https://[]/", "IPv6"},
        {"https://[127.0.0.1]/", "IPv6"},
        {"https://[::1%25lo]/", "no address"},
        {"https://[::1]evil/", "IPv6"},
        {"https://[::1]:/", "port"},
        {"https://[v1.a:b]/", "no address"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check_refused(cases[i].text, cases[i].says);
    }
}

static void
refuses_users_and_passwords_and_does_not_show_them(void **state)
{
    (void)state;
    static const char *const cases[] = {"https://user@evil.example/",
                                        "https://user:secret@evil.example/",
                                        "https://good.example@evil.example/",
                                        "https://good.example:443@evil.example:80/x",
                                        "https://@evil.example/",
                                        "https://a@b@evil.example/",
                                        "https://[::1]@evil.example/"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct diag diag = {0};
        struct url u;
        assert_status(url_parse(view_str(cases[i]), &diag, &u), INPUT);
        assert_says(&diag, "has no place");
        assert_null(strstr(diag.text, "secret"));
        assert_null(strstr(diag.text, "good"));
    }
}

/* A webhook's path is its secret, and a line with a typing error is told in a log. */
static void
shows_of_what_is_no_url_its_scheme_host_and_port_at_most(void **state)
{
    (void)state;
    static const struct {
        const char *text, *shown;
    } cases[] = {
        {"https://hooks.example.com/T0/s3cret#", "URL https://hooks.example.com...: "},
        {"https://hooks.example.com:99999/s3cret", "URL https://hooks.example.com:99999...: "},
        {"https://hooks.example.com#s3cret", "URL https://hooks.example.com...: "},
        {"https://hooks.example.com?s3cret\\", "URL https://hooks.example.com...: "},
        {"https://hooks.example.com,s3cret", "URL https://hooks.example.com...: "},
        {"https:/hooks.example.com/s3cret", "URL https:...: "},
        {"https//hooks.example.com/s3cret", "URL https...: "},
        {"hooks.example.com/s3cret/https://", "URL hooks.example.com...: "},
        {"/s3cret/https://hooks.example.com", "URL ...: "},
        {"https:://hooks.example.com/s3cret", "URL https::...: "},
        {"https://hooks.example.com/a@s3cret.example#", "URL https://...: "},
        {"https://x:/s3cret@hooks.example.com", "URL https://...: "},
        {"https://.example.com", "URL https://.example.com: "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct diag diag = {0};
        struct url u;
        assert_status(url_parse(view_str(cases[i].text), &diag, &u), INPUT);
        assert_null(strstr(diag.text, "s3cret"));
        assert_memory_equal(diag.text, cases[i].shown, strlen(cases[i].shown));
    }
}

static void
refuses_numbers_that_only_some_take_for_addresses(void **state)
{
    (void)state;
    static const char *const cases[] = {"2130706433",
                                        "0x7f000001",
                                        "017700000001",
                                        "127.1",
                                        "127.0.1",
                                        "0177.0.0.1",
                                        "0x7f.0.0.1",
                                        "127.0.0.01",
                                        "127.0.0.256",
                                        "1.2.3.4.5",
                                        "127.0.0.0x1",
                                        "0x",
                                        "0",
                                        "00",
                                        "1.2.3.08",
                                        "example.0x7f",
                                        "example.1",
                                        "169.254.43518",
                                        "0xa9fea9fe",
                                        "0251.0376.0251.0376",
                                        "127.0.0.1.0x0",
                                        "3232235777"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[128];
        (void)snprintf(text, sizeof text, "https://%s/", cases[i]);
        check_refused(text, "no address in the usual form");
    }
}

static void
refuses_what_is_too_long(void **state)
{
    (void)state;
    char text[4096] = "https://";
    for (size_t i = 0; i < 64; i++) {
        (void)strcat(text, "a");
    }
    check_refused(text, "no name"); /* a label of 64 */
    (void)strcpy(text, "https://");
    for (size_t i = 0; i < 127; i++) {
        (void)strcat(text, "a.");
    }
    (void)strcat(text, "a"); /* 255 */
    check_refused(text, "too long");
    (void)strcpy(text, "https://host/");
    memset(text + 13, 'a', 2047);
    text[13 + 2047] = '\0';
    check_refused(text, "too long");
    text[13 + 2046] = '\0';
    struct url u;
    assert_ok(url_parse(view_str(text), NULL, &u));
}

static void
one_url_has_one_text(void **state)
{
    (void)state;
    static const struct {
        const char *text, *put;
        bool numeric;
    } cases[] = {
        {"https://host", "https://host:443/", false},
        {"HTTPS://Host.Example:8443/A?b=C", "https://host.example:8443/A?b=C", false},
        {"http://host?q=1", "http://host:80/?q=1", false},
        {"https://xn--bcher-kva.example/a@b/../c", "https://xn--bcher-kva.example:443/a@b/../c",
         false},
        {"https://my_service/%2e%2e", "https://my_service:443/%2e%2e", false},
        {"https://1a.2b/", "https://1a.2b:443/", false},
        {"https://127.0.0.1", "https://127.0.0.1:443/", true},
        {"https://[0:0:0:0:0:0:0:1]:1/x", "https://[::1]:1/x", true},
        {"https://[2001:DB8::A]/", "https://[2001:db8::a]:443/", true},
        {"https://[::ffff:10.0.0.1]/", "https://[::ffff:10.0.0.1]:443/", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct diag diag = {0};
        struct url u, again;
        DEFER(buf_done) struct buf put;
        buf_init(&put, URL_MOST_TEXT);
        assert_ok(url_parse(view_str(cases[i].text), &diag, &u));
        url_put(&u, &put);
        assert_string_equal(buf_str(&put), cases[i].put);
        assert_int_equal(u.numeric, cases[i].numeric);
        assert_ok(url_parse(buf_view(&put), &diag, &again));
        assert_memory_equal(&u, &again, sizeof u);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_two_readers_could_read_in_two_ways),
        cmocka_unit_test(refuses_users_and_passwords_and_does_not_show_them),
        cmocka_unit_test(shows_of_what_is_no_url_its_scheme_host_and_port_at_most),
        cmocka_unit_test(refuses_numbers_that_only_some_take_for_addresses),
        cmocka_unit_test(refuses_what_is_too_long),
        cmocka_unit_test(one_url_has_one_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
