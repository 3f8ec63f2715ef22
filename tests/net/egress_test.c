#include "testing/testing.h"

#include "net/egress.h"

#include <stdlib.h>
#include <string.h>

static void
refuses_lines_that_are_no_rule(void **state)
{
    (void)state;
    static const struct {
        const char *line, *says;
    } cases[] = {
        {"", "a rule is PURPOSE HOST PORTS"},
        {"jwks", "a rule is PURPOSE HOST PORTS"},
        {"jwks host.example", "a rule is PURPOSE HOST PORTS"},
        {"jwk host.example 443", "did you mean \"jwks\"?"},
        {"* host.example 443", "no purpose"},
        {"jwks https://host.example 443", "no block"},
        {"jwks host.example:443 443", "no block"},
        {"jwks user@host.example 443", "no host"},
        {"jwks *.*.example 443", "no host"},
        {"jwks *example 443", "no host"},
        {"jwks *. 443", "no host"},
        {"jwks host.example. 443", "no host"},
        {"jwks h\xc3\xb6st.example 443", "no host"},
        {"jwks 10.0.0.1/8 443", "write 10.0.0.0/8"},
        {"jwks 10.0.0 443", "no host"},
        {"jwks 0x7f000001 443", "no host"},
        {"jwks 0.0.0.0/0 443", "private and public addresses alike"},
        {"jwks ::/0 443", "private and public addresses alike"},
        {"jwks host.example https", "ports are numbers"},
        {"jwks host.example 0", "ports are numbers"},
        {"jwks host.example 65536", "ports are numbers"},
        {"jwks host.example 443,", "ports are numbers"},
        {"jwks host.example 443-", "ports are numbers"},
        {"jwks host.example 443-80", "runs upwards"},
        {"jwks host.example 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17", "at most 16"},
        {"jwks host.example 443 https", "after its ports"},
        {"jwks host.example 443 http http", "after its ports"},
        {"jwks host.example 443 at", "no block"},
        {"jwks host.example 443 at 10.0.0.0/8,", "no block"},
        {"jwks host.example 443 at 10.0.0.1/8", "write 10.0.0.0/8"},
        {"jwks host.example 443 at 0.0.0.0/0", "alike"},
        {"jwks 10.0.0.1 443 at 10.0.0.0/8", "is for names"},
        {"jwks host.example 443 at 10.0.0.0/8 http", "after its ports"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        DEFER(egress_freep) struct egress *e = egress_new();
        struct diag diag = {0};
        const struct status s = egress_add(e, view_str(cases[i].line), &diag);
        if (s.code != STATUS_INPUT) {
            print_error("taken: %s\n", cases[i].line);
        }
        assert_int_equal(s.code, STATUS_INPUT);
        assert_says(&diag, cases[i].says);
    }
}

static bool
allowed(const struct egress *e, const char *purpose, const char *text, const char *address)
{
    struct url u;
    struct address a;
    assert_ok(url_parse(view_str(text), NULL, &u));
    if (address != NULL) {
        assert_ok(address_parse(view_str(address), u.port, &a));
    }
    return egress_allows(
        e, purpose, &u, address == NULL ? NULL : (const struct sockaddr *)(const void *)&a.storage);
}

static void
nothing_is_allowed_that_no_line_allows(void **state)
{
    (void)state;
    DEFER(egress_freep) struct egress *e = egress_new();
    assert_false(allowed(e, "jwks", "https://login.example.com/keys", NULL));
    assert_ok(egress_add(e, view_str("jwks Login.example.com 443"), NULL));
    assert_ok(egress_add(e, view_str("jwks *.idp.example 443"), NULL));
    assert_true(allowed(e, "jwks", "https://login.example.com/keys", NULL));
    assert_true(allowed(e, "jwks", "https://a.b.idp.example/", NULL));
    assert_false(allowed(e, "transit", "https://login.example.com/keys", NULL));
    assert_false(allowed(e, "jwks", "http://login.example.com:443/", NULL));
    assert_false(allowed(e, "jwks", "https://login.example.com:444/", NULL));
    assert_false(allowed(e, "jwks", "https://login.example.com.evil.example/", NULL));
    assert_false(allowed(e, "jwks", "https://evil-login.example.com/", NULL));
    assert_false(allowed(e, "jwks", "https://idp.example/", NULL));
    assert_false(allowed(e, "jwks", "https://evilidp.example/", NULL));
    assert_false(allowed(e, "jwks", "https://127.0.0.1/", NULL));
}

static void
a_name_is_at_public_addresses_or_where_its_line_says(void **state)
{
    (void)state;
    DEFER(egress_freep) struct egress *e = egress_new();
    assert_ok(egress_add(e, view_str("jwks open.example 443"), NULL));
    assert_ok(egress_add(e, view_str("jwks inner.example 443 at 10.2.0.0/16,fd00:1::/32"), NULL));
    assert_ok(egress_add(e, view_str("jwks 10.2.0.0/16 443"), NULL)); /* for addresses, not names */
    static const char *const private[] = {"127.0.0.1",     "10.2.0.1",        "169.254.169.254",
                                          "::1",           "::ffff:10.2.0.1", "64:ff9b::a02:1",
                                          "2002:a02:1::1", "fe80::1",         "fd00:1::1"};
    for (size_t i = 0; i < sizeof private / sizeof *private; i++) {
        assert_false(allowed(e, "jwks", "https://open.example/", private[i]));
    }
    assert_true(allowed(e, "jwks", "https://open.example/", "8.8.8.8"));
    assert_true(allowed(e, "jwks", "https://open.example/", "2606:4700::1"));
    assert_true(allowed(e, "jwks", "https://inner.example/", "10.2.255.255"));
    assert_true(allowed(e, "jwks", "https://inner.example/", "fd00:1::1"));
    assert_false(allowed(e, "jwks", "https://inner.example/", "10.3.0.1"));
    assert_false(allowed(e, "jwks", "https://inner.example/", "8.8.8.8"));
    assert_false(allowed(e, "jwks", "https://inner.example/", "127.0.0.1"));
}

static void
an_address_in_a_url_must_be_listed_itself(void **state)
{
    (void)state;
    DEFER(egress_freep) struct egress *e = egress_new();
    assert_ok(egress_add(e, view_str("black-box * 1-65535 http"), NULL));
    assert_false(allowed(e, "black-box", "https://8.8.8.8/", NULL));
    assert_false(allowed(e, "black-box", "https://[::1]/", NULL));
    assert_true(allowed(e, "black-box", "https://any.example/", NULL));
    assert_ok(egress_add(e, view_str("black-box 10.3.0.0/16 8000-8100,9443 http"), NULL));
    assert_true(allowed(e, "black-box", "http://10.3.0.1:8000/", "10.3.0.1"));
    assert_true(allowed(e, "black-box", "https://10.3.0.1:9443/", "10.3.0.1"));
    assert_true(allowed(e, "black-box", "https://[::ffff:10.3.0.1]:9443/", NULL));
    assert_false(allowed(e, "black-box", "http://10.3.0.1:8101/", NULL));
    assert_false(allowed(e, "black-box", "http://10.4.0.1:8000/", NULL));
    assert_false(allowed(e, "black-box", "https://[::10.3.0.1]:9443/", NULL));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_lines_that_are_no_rule),
        cmocka_unit_test(nothing_is_allowed_that_no_line_allows),
        cmocka_unit_test(a_name_is_at_public_addresses_or_where_its_line_says),
        cmocka_unit_test(an_address_in_a_url_must_be_listed_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
