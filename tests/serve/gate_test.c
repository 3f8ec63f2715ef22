/* The header gate alone: every head that two parsers could read in two ways is refused. */
#include "testing/testing.h"

#include "serve/gate.h"

#include <string.h>

static const struct gate_limits limits = {16384, 64, GATE_TARGET_BYTES, 1000, true};

static struct gate_field
field(const char *name, const char *value)
{
    return (struct gate_field){view_str(name), view_str(value)};
}

static struct gate_verdict
check_line(const char *method, const char *target, const char *version)
{
    const struct gate_field host = field("host", "a");
    const struct gate_head head = {
        view_str(method), view_str(target), view_str(version), &host, 1, 0};
    struct gate_verdict v;
    gate_check(&head, &limits, &v);
    return v;
}

/* A POST with a host and these further fields; NULL ends. */
static struct gate_verdict
check_fields(const char *const *pairs, const char *version, const struct gate_limits *l)
{
    struct gate_field fields[16] = {field("Host", "a.example:8443")};
    size_t n = 1;
    for (; *pairs != NULL; pairs += 2) {
        fields[n++] = field(pairs[0], pairs[1]);
    }
    const struct gate_head head = {
        view_str("POST"), view_str("/v2"), view_str(version), fields, n, 0};
    struct gate_verdict v;
    gate_check(&head, l, &v);
    return v;
}

#define FIELDS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define assert_refused(V, STATUS)                                                                  \
    do {                                                                                           \
        const struct gate_verdict v_ = (V);                                                        \
        assert_int_equal(v_.status, (STATUS));                                                     \
        assert_non_null(v_.reason);                                                                \
    } while (0)

static void
refuses_lengths_that_two_parsers_read_in_two_ways(void **state)
{
    (void)state;
    static const char *const bad[] = {"+5",
                                      "-5",
                                      "0x10",
                                      "5 5",
                                      "5,5",
                                      "",
                                      "5a",
                                      " ",
                                      "1e2",
                                      "9223372036854775808",
                                      "5\t6",
                                      "٥",
                                      "18446744073709551617",
                                      "99999999999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_refused(check_fields(FIELDS("Content-Length", bad[i]), "HTTP/1.1", &limits), 400);
    }
    assert_refused(
        check_fields(FIELDS("content-length", "5", "Content-Length", "5"), "HTTP/1.1", &limits),
        400);
    assert_refused(
        check_fields(FIELDS("content-length", "5", "Content-Length", "6"), "HTTP/1.1", &limits),
        400);
    assert_refused(check_fields(FIELDS("content-length", "5", "transfer-encoding", "chunked"),
                                "HTTP/1.1", &limits),
                   400);
    assert_refused(check_fields(FIELDS("Content-Length ", "5"), "HTTP/1.1", &limits), 400);
    assert_refused(check_fields(FIELDS("content-length", "1001"), "HTTP/1.1", &limits), 413);
}

/* Who asks, and why, is said once. */
static void
refuses_two_credentials_and_two_purposes(void **state)
{
    (void)state;
    static const char *const names[] = {"Authorization", "Steward-Purpose"};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(check_fields(FIELDS(names[i], "a"), "HTTP/1.1", &limits).status, 0);
        assert_refused(check_fields(FIELDS(names[i], "a", names[i], "a"), "HTTP/1.1", &limits),
                       400);
        assert_refused(
            check_fields(FIELDS(i == 0 ? "authorization" : "steward-purpose", "a", names[i], "b"),
                         "HTTP/1.1", &limits),
            400);
    }
}

static void
refuses_codings_other_than_chunked(void **state)
{
    (void)state;
    static const char *const bad[] = {"xchunked",      "chunked, chunked", "gzip, chunked",
                                      "chunked, gzip", "identity",         "",
                                      "chunked;q=1",   "\"chunked\""};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_refused(check_fields(FIELDS("Transfer-Encoding", bad[i]), "HTTP/1.1", &limits), 400);
    }
    assert_refused(
        check_fields(FIELDS("transfer-encoding", "chunked", "transfer-encoding", "chunked"),
                     "HTTP/1.1", &limits),
        400);
    assert_refused(check_fields(FIELDS("transfer-encoding", "chunked"), "HTTP/1.0", &limits), 400);
    struct gate_limits old = limits;
    old.chunked = false;
    assert_refused(check_fields(FIELDS("transfer-encoding", "chunked"), "HTTP/1.1", &old), 411);
}

static void
refuses_fields_that_are_not_fields(void **state)
{
    (void)state;
    static const char *const bad[] = {"", " x", "x y", "x:", "x\x01", "(x)", "x\xff", "x\t"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_refused(check_fields(FIELDS(bad[i], "1"), "HTTP/1.1", &limits), 400);
    }
    static const char *const values[] = {"a\x01", "a\nb: c", "a\rb", "\x7f", "\x1b[0m"};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        assert_refused(check_fields(FIELDS("x", values[i]), "HTTP/1.1", &limits), 400);
    }
    const struct gate_field nul[] = {field("host", "a"), {view_of("x\0y", 3), view_str("1")}};
    const struct gate_field nul_value[] = {field("host", "a"), {view_str("x"), view_of("1\0", 2)}};
    struct gate_head head = {view_str("GET"), view_str("/"), view_str("HTTP/1.1"), nul, 2, 0};
    struct gate_verdict v;
    gate_check(&head, &limits, &v);
    assert_refused(v, 400);
    head.fields = nul_value;
    gate_check(&head, &limits, &v);
    assert_refused(v, 400);
}

static void
refuses_all_but_one_host(void **state)
{
    (void)state;
    struct gate_head head = {view_str("GET"), view_str("/"), view_str("HTTP/1.1"), NULL, 0, 0};
    struct gate_verdict v;
    gate_check(&head, &limits, &v);
    assert_refused(v, 400);
    static const char *const bad[] = {"", "a b", "a/b", "a@b", "a,b", "a\xc3\xa4"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const struct gate_field host = field("host", bad[i]);
        head.fields = &host;
        head.count = 1;
        gate_check(&head, &limits, &v);
        assert_refused(v, 400);
    }
    assert_refused(check_fields(FIELDS("HOST", "b"), "HTTP/1.1", &limits), 400);
}

static void
refuses_targets_that_are_not_plain_paths(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",       "*",     "v2",      "http://a/v2", "a:443", "//",      "//v2",
        "/v2//x", "/../x", "/v2/..",  "/v2/../x",    "/./x",  "/v2/.",   "/v2\\x",
        "/v2#x",  "/v 2",  "/v2\x7f", "/v\xc3\xa4",  "/v2\t", "/v2/..?x"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_refused(check_line("GET", bad[i], "HTTP/1.1"), 400);
        assert_false(gate_path_ok(view_str(bad[i])));
    }
    static const char *const good[] = {"/", "/v2", "/v2/", "/v2?x=//../", "/a..b", "/...", "/%2e"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(check_line("GET", good[i], "HTTP/1.1").status, 0);
    }
    char lengthy[GATE_TARGET_BYTES + 2];
    memset(lengthy, 'a', sizeof lengthy);
    lengthy[0] = '/';
    lengthy[GATE_TARGET_BYTES + 1] = '\0';
    assert_refused(check_line("GET", lengthy, "HTTP/1.1"), 414);
    lengthy[GATE_TARGET_BYTES] = '\0';
    assert_int_equal(check_line("GET", lengthy, "HTTP/1.1").status, 0);
}

static void
refuses_unknown_methods_and_versions(void **state)
{
    (void)state;
    assert_refused(check_line("BREW", "/", "HTTP/1.1"), 501);
    assert_refused(check_line("get", "/", "HTTP/1.1"), 501);
    assert_refused(check_line("CONNECT", "/", "HTTP/1.1"), 501);
    assert_refused(check_line("G ET", "/", "HTTP/1.1"), 400);
    assert_refused(check_line("", "/", "HTTP/1.1"), 400);
    assert_refused(check_line("GET", "/", "HTTP/2.0"), 505);
    assert_refused(check_line("GET", "/", "HTTP/1.2"), 505);
    assert_refused(check_line("GET", "/", ""), 505);
    assert_refused(check_line("GET", "/", "http/1.1"), 505);
}

static void
limits_count_and_bytes_of_the_head(void **state)
{
    (void)state;
    struct gate_limits small = limits;
    small.header_count = 2;
    assert_int_equal(check_fields(FIELDS("a", "1"), "HTTP/1.1", &small).status, 0);
    assert_refused(check_fields(FIELDS("a", "1", "b", "2"), "HTTP/1.1", &small), 431);
    small = limits;
    small.header_bytes = 40; /* host: a.example:8443 with its separators is 22 */
    assert_int_equal(check_fields(FIELDS("abcd", "0123456789"), "HTTP/1.1", &small).status, 0);
    assert_refused(check_fields(FIELDS("abcd", "01234567890"), "HTTP/1.1", &small), 431);
    const struct gate_field host = field("host", "a");
    const struct gate_head head = {
        view_str("GET"), view_str("/"), view_str("HTTP/1.1"), &host, 1, 41};
    struct gate_verdict v;
    gate_check(&head, &small, &v);
    assert_refused(v, 431);
}

static void
lets_plain_requests_through_and_says_where_they_end(void **state)
{
    (void)state;
    struct gate_verdict v = check_fields(
        FIELDS("Content-Length", " 1000\t", "x", "tab\there \xc3\xa4"), "HTTP/1.1", &limits);
    assert_int_equal(v.status, 0);
    assert_int_equal(v.length, 1000);
    assert_false(v.chunked);
    v = check_fields(FIELDS("Transfer-Encoding", "Chunked"), "HTTP/1.1", &limits);
    assert_int_equal(v.status, 0);
    assert_true(v.chunked);
    assert_int_equal(v.length, 0);
    assert_int_equal(check_line("GET", "/v2/health/live", "HTTP/1.0").status, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_lengths_that_two_parsers_read_in_two_ways),
        cmocka_unit_test(refuses_two_credentials_and_two_purposes),
        cmocka_unit_test(refuses_codings_other_than_chunked),
        cmocka_unit_test(refuses_fields_that_are_not_fields),
        cmocka_unit_test(refuses_all_but_one_host),
        cmocka_unit_test(refuses_targets_that_are_not_plain_paths),
        cmocka_unit_test(refuses_unknown_methods_and_versions),
        cmocka_unit_test(limits_count_and_bytes_of_the_head),
        cmocka_unit_test(lets_plain_requests_through_and_says_where_they_end),
    };
    return cmocka_run_group_tests_name("serve/gate", tests, NULL, NULL);
}
