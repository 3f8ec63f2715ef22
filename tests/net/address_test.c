#include "testing/testing.h"

#include "net/address.h"
#include "net/peers.h"

#include <netinet/in.h>

static struct address
parsed(const char *text, uint16_t port)
{
    struct address a;
    assert_ok(address_parse(view_str(text), port, &a));
    return a;
}

static const struct sockaddr *
of(const struct address *a)
{
    return (const struct sockaddr *)(const void *)&a->storage;
}

static void
refuses_all_but_numeric_addresses(void **state)
{
    static const char *const wrong[] = {"",
                                        "localhost",
                                        "127.1",
                                        "0x7f.0.0.1",
                                        "127.0.0.1:80",
                                        "[::1]",
                                        "::1%lo",
                                        " ::1",
                                        "1.2.3.400",
                                        "1.2.3.4 ",
                                        "::ffff:1.2.3.4.5",
                                        "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0001"};
    struct address a;
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_status(address_parse(view_str(wrong[i]), 1, &a), INPUT);
    }
    assert_status(address_parse(view_of("::1\0", 4), 1, &a), INPUT);
}

static void
an_address_comes_back_as_text_and_port(void **state)
{
    static const char *const right[] = {"127.0.0.1", "0.0.0.0", "::1", "2001:db8::7", "::"};
    char text[ADDRESS_TEXT_MAX];
    (void)state;
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        const struct address a = parsed(right[i], 8443);
        address_put_text(of(&a), text);
        assert_string_equal(text, right[i]);
        assert_int_equal(address_port(of(&a)), 8443);
    }
    const struct sockaddr other = {.sa_family = AF_UNIX};
    address_put_text(&other, text);
    assert_string_equal(text, "");
    assert_int_equal(address_port(&other), 0);
}

static uint64_t
key_of(const char *text)
{
    const struct address a = parsed(text, 1);
    return peers_key(of(&a));
}

static void
one_client_is_one_ipv4_or_one_ipv6_64(void **state)
{
    (void)state;
    assert_true(key_of("10.0.0.1") != key_of("10.0.0.2"));
    assert_true(key_of("::ffff:10.0.0.1") == key_of("10.0.0.1"));
    assert_true(key_of("2001:db8:0:1::1") == key_of("2001:db8:0:1:ffff::2"));
    assert_true(key_of("2001:db8:0:1::1") != key_of("2001:db8:0:2::1"));
    assert_true(key_of("::1") != key_of("0.0.0.0"));
}

static void
an_address_has_its_limit_and_gives_places_back(void **state)
{
    (void)state;
    struct peers *p = peers_new(2);
    assert_non_null(p);
    assert_true(peers_enter(p, 7) && peers_enter(p, 7));
    assert_false(peers_enter(p, 7));
    assert_true(peers_enter(p, 8));
    peers_leave(p, 7);
    assert_true(peers_enter(p, 7));
    for (uint64_t key = 100; key < 20000; key++) {
        assert_true(peers_enter(p, key)); /* many in each bucket */
    }
    for (uint64_t key = 100; key < 20000; key++) {
        peers_leave(p, key);
    }
    assert_false(peers_enter(p, 7));
    peers_free(p);
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(refuses_all_but_numeric_addresses),
        cmocka_unit_test(an_address_comes_back_as_text_and_port),
        cmocka_unit_test(one_client_is_one_ipv4_or_one_ipv6_64),
        cmocka_unit_test(an_address_has_its_limit_and_gives_places_back),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
