/* The door over TLS: who is believed, and whom it shows a certificate. The server is GnuTLS with
 * certificates made here. */
#include "testing/testing.h"

#include "base/file.h"
#include "net/door.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static struct {
    char *root, *cert, *key, *other, *other_key; /* PEM files */
    int fd;
    uint16_t port;
    pthread_t thread;
    _Atomic bool stopping;
    gnutls_certificate_credentials_t own;
    const char *priorities; /* of the next connections */
    const char *answer;
    bool ask_client;
    _Atomic bool client_came;
} it;

/* ---- certificates ---- */

static void
put_pem(const char *path, const gnutls_datum_t *pem)
{
    testing_write(path, view_of(pem->data, pem->size));
}

/* Self-signed, for localhost and for clients. */
static void
make_certificate(const char *cert_path, const char *key_path)
{
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t cert;
    gnutls_datum_t pem;
    const time_t now = time(NULL);
    assert_int_equal(gnutls_x509_privkey_init(&key), 0);
    assert_int_equal(gnutls_x509_privkey_generate(
                         key, GNUTLS_PK_EC, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
                     0);
    assert_int_equal(gnutls_x509_crt_init(&cert), 0);
    (void)gnutls_x509_crt_set_version(cert, 3);
    (void)gnutls_x509_crt_set_serial(cert, "\1", 1);
    (void)gnutls_x509_crt_set_activation_time(cert, now - 3600);
    (void)gnutls_x509_crt_set_expiration_time(cert, now + 3600);
    (void)gnutls_x509_crt_set_dn(cert, "CN=localhost", NULL);
    (void)gnutls_x509_crt_set_subject_alt_name(cert, GNUTLS_SAN_DNSNAME, "localhost", 9,
                                               GNUTLS_FSAN_SET);
    (void)gnutls_x509_crt_set_basic_constraints(cert, 1, -1);
    (void)gnutls_x509_crt_set_key_usage(cert,
                                        GNUTLS_KEY_DIGITAL_SIGNATURE | GNUTLS_KEY_KEY_CERT_SIGN);
    assert_int_equal(gnutls_x509_crt_set_key(cert, key), 0);
    assert_int_equal(gnutls_x509_crt_sign2(cert, cert, key, GNUTLS_DIG_SHA256, 0), 0);
    assert_int_equal(gnutls_x509_crt_export2(cert, GNUTLS_X509_FMT_PEM, &pem), 0);
    put_pem(cert_path, &pem);
    gnutls_free(pem.data);
    assert_int_equal(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &pem), 0);
    put_pem(key_path, &pem);
    gnutls_free(pem.data);
    gnutls_x509_crt_deinit(cert);
    gnutls_x509_privkey_deinit(key);
}

/* ---- the server ---- */

static void
serve(int fd)
{
    char request[4096];
    gnutls_session_t tls;
    assert_int_equal(gnutls_init(&tls, GNUTLS_SERVER | GNUTLS_NO_SIGNAL), 0);
    assert_int_equal(gnutls_priority_set_direct(tls, it.priorities, NULL), 0);
    (void)gnutls_credentials_set(tls, GNUTLS_CRD_CERTIFICATE, it.own);
    gnutls_certificate_server_set_request(tls,
                                          it.ask_client ? GNUTLS_CERT_REQUIRE : GNUTLS_CERT_IGNORE);
    gnutls_transport_set_int(tls, fd);
    gnutls_handshake_set_timeout(tls, 60000);
    int rc = GNUTLS_E_AGAIN;
    while (rc < 0 && gnutls_error_is_fatal(rc) == 0) {
        rc = gnutls_handshake(tls);
    }
    if (rc == 0 && gnutls_record_recv(tls, request, sizeof request) > 0) {
        unsigned n = 0;
        it.client_came = gnutls_certificate_get_peers(tls, &n) != NULL;
        (void)gnutls_record_send(tls, it.answer, strlen(it.answer));
        (void)gnutls_bye(tls, GNUTLS_SHUT_WR);
    }
    gnutls_deinit(tls);
}

static void *
run(void *arg)
{
    (void)arg;
    while (!it.stopping) {
        const int fd = accept(it.fd, NULL, NULL);
        if (fd >= 0 && !it.stopping) {
            serve(fd);
        }
        (void)close(fd);
    }
    return NULL;
}

static int
set_up(void **state)
{
    (void)state;
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t n = sizeof a;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    it.root = testing_dir();
    it.cert = file_join(it.root, "cert.pem");
    it.key = file_join(it.root, "key.pem");
    it.other = file_join(it.root, "other.pem");
    it.other_key = file_join(it.root, "other-key.pem");
    make_certificate(it.cert, it.key);
    make_certificate(it.other, it.other_key);
    assert_int_equal(gnutls_certificate_allocate_credentials(&it.own), 0);
    assert_int_equal(
        gnutls_certificate_set_x509_key_file(it.own, it.cert, it.key, GNUTLS_X509_FMT_PEM), 0);
    it.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(bind(it.fd, (struct sockaddr *)&a, sizeof a) == 0 && listen(it.fd, 16) == 0 &&
                getsockname(it.fd, (struct sockaddr *)&a, &n) == 0);
    it.port = ntohs(a.sin_port);
    assert_int_equal(pthread_create(&it.thread, NULL, run, NULL), 0);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    it.stopping = true;
    (void)shutdown(it.fd, SHUT_RDWR); /* wakes accept */
    (void)pthread_join(it.thread, NULL);
    (void)close(it.fd);
    gnutls_certificate_free_credentials(it.own);
    char *paths[] = {it.cert, it.key, it.other, it.other_key};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        free(paths[i]);
    }
    testing_dirp(&it.root);
    return 0;
}

/* ---- the door ---- */

#define GOOD "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nyes"

static int
begin(void **state)
{
    (void)state;
    it.priorities = "NORMAL";
    it.answer = GOOD;
    it.ask_client = it.client_came = false;
    return 0;
}

static struct status
fetch(const char *host, const char *ca, const char *cert, const char *key, struct diag *diag)
{
    char url[128];
    struct egress *rules = egress_new();
    DEFER(door_freep) struct door *d = NULL;
    DEFER(door_answer_done) struct door_answer a = {0};
    assert_ok(
        egress_add(rules, view_str("transit localhost 1-65535 http at 127.0.0.0/8,::1"), NULL));
    assert_ok(egress_add(rules, view_str("transit 127.0.0.1 1-65535"), NULL));
    assert_ok(door_new(rules, NULL, &d));
    (void)snprintf(url, sizeof url, "https://%s:%u/v1/transit", host, it.port);
    const struct door_request q = {.purpose = "transit",
                                   .url = url,
                                   .ca_file = ca,
                                   .client_cert = cert,
                                   .client_key = key,
                                   .redirects = 1,
                                   .timeout_ns = (int64_t)60 * 1000000000,
                                   .max_bytes = 1000};
    *diag = (struct diag){0};
    const struct status s = door_fetch(d, &q, diag, &a);
    if (status_ok(s)) {
        assert_int_equal(a.status, 200);
        assert_true(view_equal_str(buf_view(&a.body), "yes"));
    }
    return s;
}

static void
nobody_is_believed_whom_the_authorities_do_not_vouch_for(void **state)
{
    (void)state;
    struct diag diag;
    assert_status(fetch("localhost", NULL, NULL, NULL, &diag), AUTH); /* the system's */
    assert_status(fetch("localhost", it.other, NULL, NULL, &diag), AUTH);
    assert_status(fetch("localhost", "/nowhere.pem", NULL, NULL, &diag), AUTH);
    assert_status(fetch("127.0.0.1", it.cert, NULL, NULL, &diag), AUTH); /* another name */
    assert_ok(fetch("localhost", it.cert, NULL, NULL, &diag));
}

static void
old_tls_is_not_spoken(void **state)
{
    (void)state;
    struct diag diag;
    it.priorities = "NORMAL:-VERS-ALL:+VERS-TLS1.1:+SHA1:%COMPAT";
    assert_status(fetch("localhost", it.cert, NULL, NULL, &diag), IO);
    it.priorities = "NORMAL:-VERS-ALL:+VERS-TLS1.2";
    assert_ok(fetch("localhost", it.cert, NULL, NULL, &diag));
    it.priorities = "NORMAL:-VERS-ALL:+VERS-TLS1.3";
    assert_ok(fetch("localhost", it.cert, NULL, NULL, &diag));
}

static void
a_certificate_is_shown_where_it_is_asked_for(void **state)
{
    (void)state;
    struct diag diag;
    it.ask_client = true;
    assert_false(status_ok(fetch("localhost", it.cert, NULL, NULL, &diag)));
    assert_false(it.client_came);
    assert_ok(fetch("localhost", it.cert, it.other, it.other_key, &diag));
    assert_true(it.client_came);
    assert_false(status_ok(fetch("localhost", it.cert, it.other, it.key, &diag))); /* no pair */
}

static void
a_redirect_to_plain_http_is_refused(void **state)
{
    (void)state;
    struct diag diag;
    it.answer = "HTTP/1.1 302 Found\r\nLocation: http://localhost:1/\r\nContent-Length: 0\r\n"
                "Connection: close\r\n\r\n";
    assert_status(fetch("localhost", it.cert, NULL, NULL, &diag), DENIED);
    assert_says(&diag, "from https to http");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nobody_is_believed_whom_the_authorities_do_not_vouch_for, begin),
        cmocka_unit_test_setup(old_tls_is_not_spoken, begin),
        cmocka_unit_test_setup(a_certificate_is_shown_where_it_is_asked_for, begin),
        cmocka_unit_test_setup(a_redirect_to_plain_http_is_refused, begin),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
