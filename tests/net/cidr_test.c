#include "testing/testing.h"

#include "net/cidr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static const struct sockaddr *
at(const char *text, struct address *a)
{
    assert_ok(address_parse(view_str(text), 0, a));
    return (const struct sockaddr *)(const void *)&a->storage;
}

static struct cidr
block(const char *text)
{
    struct cidr b;
    struct diag diag = {0};
    if (!status_ok(cidr_parse(view_str(text), &diag, &b))) {
        fail_msg("%s", diag.text);
    }
    return b;
}

static void
refuses_typos_with_what_would_be_right(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"10.0.0.1/8", "write 10.0.0.0/8 for that block, or the address alone"},
        {"192.168.1.77/24", "write 192.168.1.0/24"},
        {"2001:db8::1/32", "write 2001:db8::/32"},
        {"::ffff:10.0.0.1/104", "write ::ffff:10.0.0.0/104"},
        {"128.0.0.0/0", "write 0.0.0.0/0"},
        {"10.0.0.0/33", "from /0 to /32"},
        {"10.0.0.0/08", "from /0 to /32"},
        {"10.0.0.0/", "from /0 to /32"},
        {"10.0.0.0/-1", "from /0 to /32"},
        {"10.0.0.0/+8", "from /0 to /32"},
        {"10.0.0.0/8/8", "from /0 to /32"},
        {"10.0.0.0/255.0.0.0", "from /0 to /32"},
        {"::/129", "from /0 to /128"},
        {"::ffff:0.0.0.0/95", "from /96"},
        {"::ffff:0:0/0", "from /96"},
        {"", "no block of addresses"},
        {"/8", "no block of addresses"},
        {"10.0.0/8", "no block of addresses"},
        {"010.0.0.0/8", "no block of addresses"},
        {"10.0.0.0 /8", "no block of addresses"},
        {" 10.0.0.0/8", "no block of addresses"},
        {"0x0a.0.0.0/8", "no block of addresses"},
        {"fe80::1%eth0", "no block of addresses"},
        {"[::1]/128", "no block of addresses"},
        {"localhost", "no block of addresses"},
        {"10.0.0.\x1b[31m", "?[31m"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct diag diag = {0};
        struct cidr b;
        assert_status(cidr_parse(view_str(cases[i].text), &diag, &b), INPUT);
        assert_says(&diag, cases[i].says);
    }
}

static void
an_ipv4_mapped_address_is_the_ipv4_address(void **state)
{
    (void)state;
    struct address a;
    const struct cidr four = block("10.0.0.0/8"), mapped = block("::ffff:10.0.0.0/104"),
                      six = block("::/0");
    assert_memory_equal(&four, &mapped, sizeof four);
    assert_true(cidr_has(&four, at("::ffff:10.1.2.3", &a)));
    assert_true(cidr_has(&mapped, at("10.1.2.3", &a)));
    assert_false(cidr_has(&six, at("::ffff:10.1.2.3", &a)));
    assert_false(cidr_has(&six, at("10.1.2.3", &a)));
    assert_true(cidr_has(&six, at("::10.1.2.3", &a))); /* the old "compatible" form is IPv6 */
    const struct sockaddr_un {
        sa_family_t family;
        char path[100];
    } other = {.family = AF_UNIX};
    const struct cidr all = block("0.0.0.0/0");
    assert_false(cidr_has(&all, (const struct sockaddr *)(const void *)&other));
}

static void
knows_which_addresses_are_for_everybody(void **state)
{
    (void)state;
    static const char *const private[] = {"0.0.0.0",
                                          "10.0.0.1",
                                          "100.64.0.1",
                                          "127.0.0.1",
                                          "127.255.255.255",
                                          "169.254.169.254",
                                          "172.16.0.1",
                                          "172.31.255.255",
                                          "192.168.0.1",
                                          "192.0.2.1",
                                          "198.18.0.1",
                                          "224.0.0.1",
                                          "255.255.255.255",
                                          "168.63.129.16",
                                          "::",
                                          "::1",
                                          "::ffff:8.8.8.8",
                                          "::8.8.8.8",
                                          "64:ff9b::808:808",
                                          "64:ff9b:1::1",
                                          "2002:808:808::1",
                                          "2001:0:808:808::1",
                                          "fe80::1",
                                          "fc00::1",
                                          "fd00:ec2::254",
                                          "fec0::1",
                                          "ff02::1",
                                          "2001:db8::1",
                                          "100::1",
                                          "3fff::1",
                                          "5f00::1"};
    static const char *const open[] = {"1.1.1.1",      "8.8.8.8",         "172.15.255.255",
                                       "172.32.0.0",   "100.63.255.255",  "100.128.0.0",
                                       "11.0.0.0",     "223.255.255.255", "2606:4700::1111",
                                       "2a00:1450::1", "2001:4860::8888", "3ffe::1"};
    struct address a;
    for (size_t i = 0; i < sizeof private / sizeof *private; i++) {
        if (cidr_address_is_public(at(private[i], &a))) {
            fail_msg("%s", private[i]);
        }
    }
    for (size_t i = 0; i < sizeof open / sizeof *open; i++) {
        if (!cidr_address_is_public(at(open[i], &a))) {
            fail_msg("%s", open[i]);
        }
    }
    const struct cidr mixed[] = {block("0.0.0.0/0"), block("::/0"), block("2000::/3"),
                                 block("172.0.0.0/8")};
    for (size_t i = 0; i < 4; i++) {
        assert_false(cidr_is_public(&mixed[i]) || cidr_is_special(&mixed[i]));
    }
}

/* The simplest set there is: a list that is asked one by one. */
static void
a_set_answers_as_its_blocks_do(void **state)
{
    (void)state;
    uint64_t seed = 7;
    for (unsigned round = 0; round < 200; round++) {
        DEFER(cidr_set_done) struct cidr_set s = {0};
        struct cidr list[40];
        const size_t n = round % 40;
        for (size_t i = 0; i < n; i++) {
            /* small space, so that blocks touch, overlap and repeat */
            seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            const bool v6 = (seed >> 33 & 1) != 0;
            const unsigned bits = (unsigned)(seed >> 40) % 10;
            const cidr_bits low = (cidr_bits)(seed >> 50) << bits & 0x3ff;
            list[i] = (struct cidr){v6, low, low | (((cidr_bits)1 << bits) - 1)};
            assert_ok(cidr_set_add(&s, &list[i]));
        }
        for (unsigned v = 0; v < 1100; v++) {
            struct sockaddr_in four = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(v)};
            struct sockaddr_in6 six = {.sin6_family = AF_INET6};
            six.sin6_addr.s6_addr[14] = (uint8_t)(v >> 8);
            six.sin6_addr.s6_addr[15] = (uint8_t)v;
            bool in4 = false, in6 = false;
            for (size_t i = 0; i < n; i++) {
                in4 = in4 || (!list[i].v6 && v >= list[i].low && v <= list[i].high);
                in6 = in6 || (list[i].v6 && v >= list[i].low && v <= list[i].high);
            }
            assert_int_equal(cidr_set_has(&s, (struct sockaddr *)&four), in4);
            assert_int_equal(cidr_set_has(&s, (struct sockaddr *)&six), in6);
        }
        for (size_t i = 1; i < s.count; i++) {
            assert_true(s.block[i - 1].v6 < s.block[i].v6 || s.block[i - 1].high < s.block[i].low);
        }
    }
}

static void
a_set_holds_the_whole_space_and_its_ends(void **state)
{
    (void)state;
    DEFER(cidr_set_done) struct cidr_set s = {0};
    struct address a;
    assert_false(cidr_set_has(&s, at("0.0.0.0", &a)));
    const struct cidr six = block("::/0"), four = block("0.0.0.0/0"), last = block("ff00::/8");
    assert_ok(cidr_set_add(&s, &last));
    assert_ok(cidr_set_add(&s, &six));
    assert_true(cidr_set_has(&s, at("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", &a)));
    assert_true(cidr_set_has(&s, at("::", &a)));
    assert_false(cidr_set_has(&s, at("255.255.255.255", &a)));
    assert_ok(cidr_set_add(&s, &four));
    assert_true(cidr_set_has(&s, at("255.255.255.255", &a)));
    assert_true(cidr_set_has(&s, at("0.0.0.0", &a)));
    assert_int_equal(s.count, 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_typos_with_what_would_be_right),
        cmocka_unit_test(an_ipv4_mapped_address_is_the_ipv4_address),
        cmocka_unit_test(knows_which_addresses_are_for_everybody),
        cmocka_unit_test(a_set_answers_as_its_blocks_do),
        cmocka_unit_test(a_set_holds_the_whole_space_and_its_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
