#include "testing/testing.h"

#include "base/file.h"
#include "workspace/certificate.h"

#include <stdio.h>
#include <string.h>

static const char *const local[] = {"localhost", "127.0.0.1", "::1", "*.example.org"};

static void
refuses_hosts_that_are_neither_name_nor_address(void **state)
{
    (void)state;
    char long_name[300], long_label[70];
    memset(long_name, 'a', sizeof long_name - 1);
    memset(long_label, 'a', sizeof long_label - 1);
    for (size_t i = 60; i < sizeof long_name - 1; i += 60) {
        long_name[i] = '.';
    }
    long_name[sizeof long_name - 1] = long_label[sizeof long_label - 1] = '\0';
    const char *const wrong[] = {
        "",          "localhost:8443",
        "1.2.3.400", "a b",
        "a..b",      ".a",
        "a.",        "-a",
        "a-",        "*",
        "*.",        "a.*",
        "a,IP:::",   "DNS:a",
        "a\nb",      "\xc3\xa9.fr",
        "[::1]",     "::1%",
        "a_b.c",     "a/b",
        "1.2.3",     long_name,
        long_label,
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct diag diag = {0};
        DEFER(buf_done) struct buf cert;
        DEFER(buf_wipe) struct buf key;
        buf_init(&cert, 65536);
        buf_init(&key, 65536);
        const char *const hosts[] = {"localhost", wrong[i]};
        assert_status(certificate_make(hosts, 2, &diag, &cert, &key), INPUT);
        assert_says(&diag, "is not a host name or address (without port)");
        assert_int_equal(cert.len + key.len, 0);
    }
}

/* What the openssl command prints for arguments with %s standing for dir; its exit code. */
static int
openssl(const char *dir, const char *arguments, struct buf *ret_out)
{
    struct testing_run r;
    char command[1024], filled[900];
    (void)snprintf(filled, sizeof filled, arguments, dir, dir);
    (void)snprintf(command, sizeof command, "openssl %s", filled);
    char *argv[] = {"sh", "-c", command, NULL};
    testing_run(argv, &r);
    buf_init(ret_out, 1u << 20);
    buf_put(ret_out, buf_view(&r.out));
    const int code = r.exit_code;
    testing_run_done(&r);
    return code;
}

static void
check_output(const char *dir, const char *arguments, const char *const *parts, size_t n)
{
    DEFER(buf_done) struct buf out;
    assert_int_equal(openssl(dir, arguments, &out), 0);
    for (size_t i = 0; i < n; i++) {
        assert_text_has(buf_str(&out), parts[i]);
    }
}

static void
make(const char *dir, const char *const *hosts, size_t n)
{
    DEFER(buf_done) struct buf cert;
    DEFER(buf_wipe) struct buf key;
    struct diag diag = {0};
    DEFER(file_freep) char *cert_path = file_join(dir, "cert.pem");
    DEFER(file_freep) char *key_path = file_join(dir, "key.pem");
    buf_init(&cert, 65536);
    buf_init(&key, 65536);
    assert_ok(certificate_make(hosts, n, &diag, &cert, &key));
    testing_write(cert_path, buf_view(&cert));
    testing_write(key_path, buf_view(&key));
}

static void
openssl_reads_names_curve_and_purposes(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    make(dir, local, 4);
    static const char *const parts[] = {
        "Version: 3",
        "prime256v1",
        "ecdsa-with-SHA256",
        "O = Steward, CN = localhost",
        "DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1, DNS:*.example.org",
        "CA:FALSE",
        "TLS Web Server Authentication",
    };
    check_output(dir, "x509 -in %s/cert.pem -noout -text -nameopt oneline", parts,
                 sizeof parts / sizeof *parts);
    static const char *const verified[] = {"cert.pem: OK"};
    check_output(dir, "verify -purpose sslserver -x509_strict -CAfile %s/cert.pem %s/cert.pem",
                 verified, 1);
}

static void
it_holds_397_days_less_the_hour_it_starts_back(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    make(dir, local, 1);
    DEFER(buf_done) struct buf out;
    DEFER(buf_done) struct buf later;
    char arguments[128];
    const long end = CERTIFICATE_DAYS * 86400L - 3600;
    (void)snprintf(arguments, sizeof arguments, "x509 -noout -in %%s/cert.pem -checkend %ld",
                   end - 600);
    assert_int_equal(openssl(dir, arguments, &out), 0);
    (void)snprintf(arguments, sizeof arguments, "x509 -noout -in %%s/cert.pem -checkend %ld", end);
    assert_int_equal(openssl(dir, arguments, &later), 1);
}

static void
two_certificates_share_neither_serial_nor_key(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *a = testing_dir();
    DEFER(testing_dirp) char *b = testing_dir();
    make(a, local, 1);
    make(b, local, 1);
    DEFER(buf_done) struct buf one;
    DEFER(buf_done) struct buf two;
    assert_int_equal(openssl(a, "x509 -in %s/cert.pem -noout -serial -pubkey", &one), 0);
    assert_int_equal(openssl(b, "x509 -in %s/cert.pem -noout -serial -pubkey", &two), 0);
    assert_true(one.len > 200 && two.len > 200);
    assert_memory_not_equal(one.ptr, two.ptr, 40);
    assert_string_not_equal(strstr(buf_str(&one), "-----BEGIN"),
                            strstr(buf_str(&two), "-----BEGIN"));
}

static void
only_its_own_key_fits(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf cert;
    DEFER(buf_wipe) struct buf key;
    DEFER(buf_done) struct buf cert2;
    DEFER(buf_wipe) struct buf key2;
    struct diag diag = {0};
    buf_init(&cert, 65536);
    buf_init(&key, 65536);
    buf_init(&cert2, 65536);
    buf_init(&key2, 65536);
    assert_ok(certificate_make(local, 1, &diag, &cert, &key));
    assert_ok(certificate_make(local, 1, &diag, &cert2, &key2));
    assert_ok(certificate_check(buf_view(&cert), buf_view(&key), &diag));
    assert_status(certificate_check(buf_view(&cert2), buf_view(&key), &diag), INTEGRITY);
    assert_says(&diag, "not the certificate of the key that this workspace sealed");
    assert_status(certificate_check(view_str("x"), buf_view(&key), &diag), INTEGRITY);
    assert_says(&diag, "not a certificate in PEM");
    assert_status(certificate_check(view_of("", 0), buf_view(&key), &diag), INTEGRITY);
    assert_status(certificate_check(buf_view(&cert), view_str("x"), &diag), INTEGRITY);
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(refuses_hosts_that_are_neither_name_nor_address),
        cmocka_unit_test(openssl_reads_names_curve_and_purposes),
        cmocka_unit_test(it_holds_397_days_less_the_hour_it_starts_back),
        cmocka_unit_test(two_certificates_share_neither_serial_nor_key),
        cmocka_unit_test(only_its_own_key_fits),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
