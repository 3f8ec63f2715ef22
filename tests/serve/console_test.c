/* The console: who signs in, from where and how; what is shown to whom; that each view is in the
 * log; that no other site and no other program speaks for who is signed in. */
#include "client.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/secret.h"
#include "base/text.h"
#include "protect/access.h"
#include "serve/console_form.h"
#include "serve/console_session.h"
#include "serve/server.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PASSPHRASE "correct horse battery staple"
#define OWN "origin: https://localhost\r\nsec-fetch-site: same-origin\r\n"

static struct {
    char *root, *dir;
    struct workspace *workspace;
    struct server *server;
    char auditor[128], desk[128], gone[128];
    struct buf certificate, key; /* of "ann"'s browser, in PEM */
} it;

#define CERTIFIED "subject:CN=browser;issuer:CN=browser"

static void
add_extension(X509 *cert, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    assert_int_equal(X509_add_ext(cert, e, -1), 1);
    X509_EXTENSION_free(e);
}

/* Signed by itself: trusted as it is, when it is. */
static void
make_certificate(struct buf *ret_certificate, struct buf *ret_key)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    BIO *bio[2] = {BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem())};
    struct buf *to[2] = {ret_certificate, ret_key};
    (void)X509_set_version(cert, 2);
    (void)ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    (void)X509_gmtime_adj(X509_getm_notBefore(cert), -86400);
    (void)X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
    (void)X509_set_pubkey(cert, key);
    (void)X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_UTF8,
                                     (const unsigned char *)"browser", -1, -1, 0);
    (void)X509_set_issuer_name(cert, X509_get_subject_name(cert));
    add_extension(cert, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(cert, NID_key_usage, "digitalSignature,keyCertSign");
    add_extension(cert, NID_ext_key_usage, "clientAuth");
    assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
    assert_int_equal(PEM_write_bio_X509(bio[0], cert), 1);
    assert_int_equal(PEM_write_bio_PrivateKey(bio[1], key, NULL, NULL, 0, NULL, NULL), 1);
    for (size_t i = 0; i < 2; i++) {
        char *text = NULL;
        const long n = BIO_get_mem_data(bio[i], &text);
        buf_init(to[i], 1 << 16);
        buf_put(to[i], view_of(text, (size_t)n));
        (void)BIO_free(bio[i]);
    }
    X509_free(cert);
    EVP_PKEY_free(key);
}

static int
set_up(void **state)
{
    (void)state;
    struct diag diag = {0};
    const int64_t s = NS_PER_S;
    (void)signal(SIGPIPE, SIG_IGN);
    it.root = testing_dir();
    it.dir = file_join(it.root, "ws");
    DEFER(file_freep) char *csv = file_join(it.root, "loans.csv");
    testing_write(csv, view_str("age,paid\n30,yes\n41,no\n52,yes\n23,no\n37,yes\n61,no\n"));
    (void)setenv("STEWARD_WORKSPACE", it.dir, 1);
    (void)setenv("STEWARD_PASSPHRASE", PASSPHRASE, 1);
    assert_steward("init", it.dir);
    assert_steward("dataset", "add", "loans", csv, "--label", "paid", "--positive", "yes");
    assert_steward("model", "train", "loans", "--data", "loans", "--rounds", "2", "--split", "1");
    assert_steward("model", "train", "secret-one", "--data", "loans", "--rounds", "2", "--split",
                   "1");
    assert_steward("principal", "add", "ann", "--role", "auditor");
    assert_steward("principal", "add", "desk", "--role", "caller", "--resource", "models/loans");
    assert_steward("principal", "add", "gone", "--role", "auditor");
    testing_issue_key((char *)(uintptr_t) "ann", it.auditor);
    testing_issue_key((char *)(uintptr_t) "desk", it.desk);
    testing_issue_key((char *)(uintptr_t) "gone", it.gone);
    assert_steward("principal", "link", "ann", "--certificate", CERTIFIED);
    make_certificate(&it.certificate, &it.key);
    DEFER(file_freep) char *ca = file_join(it.root, "ca.pem");
    testing_write(ca, buf_view(&it.certificate));
    DEFER(secret_done) struct secret passphrase = {0};
    assert_ok(secret_from(view_str(PASSPHRASE), &passphrase));
    const struct workspace_open_options w = {.passphrase = &passphrase};
    assert_ok(workspace_open(it.dir, &w, &diag, &it.workspace));
    struct server_options o = {
        .tls = {.clients = IDENTITY_CLIENTS_ASKED},
        .http = {.address = "127.0.0.1",
                 .third = {"127.0.0.1", 0, 64, 64},
                 .loops = 2,
                 .limits = {16384, 64, 1 << 20, 60 * s, 60 * s, 60 * s, 60 * s, 60 * s, 64, 64},
                 .arena_bytes = 8 << 20},
        .max_rows = 10,
        .grace_ns = s};
    text_copy(o.tls.client_ca, sizeof o.tls.client_ca, ca);
    assert_ok(server_start(it.workspace, &o, &diag, &it.server));
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    server_stop(it.server);
    workspace_close(it.workspace);
    testing_dirp(&it.root);
    buf_done(&it.certificate);
    buf_done(&it.key);
    free(it.dir);
    return 0;
}

/* ---- asking ---- */

static unsigned
send_to(unsigned listener, const char *text, struct reply *ret_reply)
{
    return client_ask(server_port(it.server, listener), text, ret_reply);
}

static unsigned
post(const char *path, const char *fields, const char *body, struct reply *ret_reply)
{
    char text[2048];
    (void)snprintf(text, sizeof text,
                   "POST %s HTTP/1.1\r\nhost: localhost\r\n%scontent-length: %zu\r\n\r\n%s", path,
                   fields, strlen(body), body);
    return send_to(SERVER_CONSOLE, text, ret_reply);
}

static unsigned
get_from(const char *from, const char *path, const char *cookie, struct reply *ret_reply)
{
    char text[1024];
    struct client c;
    (void)snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nhost: localhost\r\ncookie: %s\r\n\r\n",
                   path, cookie);
    assert_true(client_open_between(from, "127.0.0.1", server_port(it.server, SERVER_CONSOLE), &c));
    (void)client_send_text(&c, text);
    client_take(&c, ret_reply);
    client_close(&c);
    return ret_reply->status;
}

static unsigned
get(const char *path, const char *cookie, struct reply *ret_reply)
{
    return get_from("127.0.0.1", path, cookie, ret_reply);
}

static unsigned
status_of(const char *path, const char *cookie)
{
    struct reply r;
    const unsigned status = get(path, cookie, &r);
    reply_done(&r);
    return status;
}

/* "__Host-steward=..." of who signs in with that key. */
static void
sign_in(const char *key, char ret_cookie[static 256])
{
    char body[256];
    struct reply r;
    (void)snprintf(body, sizeof body, "key=%s", key);
    assert_int_equal(post("/sign-in", OWN, body, &r), 303);
    reply_header(&r, "set-cookie", ret_cookie);
    assert_text_has(ret_cookie, "; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=14400");
    ret_cookie[strcspn(ret_cookie, ";")] = '\0';
    reply_done(&r);
}

static void
assert_entry(const struct reply *r, const char *principal, const char *action, bool allow,
             const char *reason)
{
    DEFER(js_freep) json_t *e = entry_of(r, it.dir);
    const char *who = json_string_value(json_object_get(e, "principal"));
    assert_string_equal(who == NULL ? "" : who, principal);
    assert_string_equal(json_string_value(json_object_get(e, "action")), action);
    assert_string_equal(json_string_value(json_object_get(e, "decision")),
                        allow ? "allow" : "deny");
    assert_text_has(json_string_value(json_object_get(e, "reason")), reason);
}

/* ---- signing in ---- */

static void
every_answer_has_the_headers_of_the_console(void **state)
{
    (void)state;
    static const char *const asks[] = {
        "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n",
        "GET /style.css HTTP/1.1\r\nhost: localhost\r\n\r\n",
        "GET /v2 HTTP/1.1\r\nhost: localhost\r\n\r\n",
        "PUT / HTTP/1.1\r\nhost: localhost\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: localhost\r\nhost: other\r\n\r\n",
    };
    static const char *const wanted[][2] = {
        {"strict-transport-security", "max-age=31536000"},
        {"content-security-policy", "default-src 'none'; style-src 'self'; form-action 'self'; "
                                    "base-uri 'none'; frame-ancestors 'none'"},
        {"x-content-type-options", "nosniff"},
        {"cache-control", "no-store"},
        {"referrer-policy", "same-origin"},
        {"x-frame-options", "DENY"},
    };
    for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) {
        struct reply r;
        char value[256];
        (void)send_to(SERVER_CONSOLE, asks[i], &r);
        for (size_t k = 0; k < sizeof wanted / sizeof *wanted; k++) {
            reply_header(&r, wanted[k][0], value);
            assert_string_equal(value, wanted[k][1]);
        }
        assert_null(strstr(buf_str(&r.body), "<script"));
        assert_null(strstr(buf_str(&r.body), "//")); /* nothing from elsewhere */
        reply_done(&r);
        (void)send_to(SERVER_DATA, asks[i], &r);
        reply_header(&r, wanted[0][0], value);
        assert_string_equal(value, "");
        reply_done(&r);
    }
}

static void
pages_are_on_their_listener_and_calls_on_theirs(void **state)
{
    (void)state;
    char text[512];
    struct reply r;
    assert_int_equal(send_to(SERVER_DATA, "GET /audit HTTP/1.1\r\nhost: a\r\n\r\n", &r), 404);
    reply_done(&r);
    static const char *const calls[] = {"/v2", "/metrics", "/v2/models/loans", "/v2/health/live"};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        (void)snprintf(text, sizeof text,
                       "GET %s HTTP/1.1\r\nhost: a\r\nauthorization: Bearer %s\r\n\r\n", calls[i],
                       it.auditor);
        assert_int_equal(send_to(SERVER_CONSOLE, text, &r), 404);
        reply_done(&r);
    }
    /* A key alone is no session. */
    (void)snprintf(text, sizeof text,
                   "GET /audit HTTP/1.1\r\nhost: a\r\nauthorization: Bearer %s\r\n\r\n",
                   it.auditor);
    assert_int_equal(send_to(SERVER_CONSOLE, text, &r), 401);
    assert_entry(&r, "", "audit.read", false, "not signed in");
    reply_done(&r);
}

static void
a_key_signs_in_and_each_view_is_in_the_log(void **state)
{
    (void)state;
    char cookie[256];
    struct reply r;
    sign_in(it.auditor, cookie);
    static const struct {
        const char *path, *action, *shows;
    } views[] = {
        {"/", "console.read", "Audit log"},
        {"/models", "model.read", "secret-one"},
        {"/access", "principal.read", "data-scientist"},
        {"/access/explain?principal=desk&action=model.infer&resource=models%2Floans",
         "principal.read", "role caller on models/loans"},
        {"/audit", "audit.read", "Checkpoint"},
        {"/audit?before=3", "audit.read", "workspace"},
    };
    for (size_t i = 0; i < sizeof views / sizeof *views; i++) {
        assert_int_equal(get(views[i].path, cookie, &r), 200);
        assert_text_has(buf_str(&r.body), views[i].shows);
        assert_null(strstr(buf_str(&r.body), it.auditor)); /* no key, no cookie */
        assert_null(strstr(buf_str(&r.body), cookie + strlen("__Host-steward=")));
        assert_entry(&r, "ann", views[i].action, true, "");
        reply_done(&r);
    }
}

static void
what_is_shown_is_what_the_roles_allow(void **state)
{
    (void)state;
    char cookie[256];
    struct reply r;
    sign_in(it.desk, cookie);
    assert_int_equal(get("/", cookie, &r), 200);
    assert_null(strstr(buf_str(&r.body), "Since the start"));
    assert_text_has(buf_str(&r.body), "default deny");
    assert_entry(&r, "desk", "console.read", true, "not shown");
    reply_done(&r);
    assert_int_equal(get("/models", cookie, &r), 200);
    assert_text_has(buf_str(&r.body), "loans");
    assert_null(strstr(buf_str(&r.body), "secret-one"));
    assert_entry(&r, "desk", "model.read", true, "1 of 2 versions");
    reply_done(&r);
    static const char *const denied[][2] = {
        {"/access", "principal.read"},
        {"/access/explain?principal=ann&action=audit.read&resource=audit", "principal.read"},
        {"/audit", "audit.read"},
    };
    for (size_t i = 0; i < sizeof denied / sizeof *denied; i++) {
        assert_int_equal(get(denied[i][0], cookie, &r), 403);
        assert_text_has(buf_str(&r.body), "Not allowed: ");
        assert_entry(&r, "desk", denied[i][1], false, "default deny");
        reply_done(&r);
    }
}

static void
who_guesses_is_refused_and_what_was_typed_is_nowhere(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "key=sw_0000000000_00000000000000000000000000000000000000",
        "key=correct+horse+battery+staple",
        "key=",
        "",
        "certificate=yes",
        "key=a&key=b",
        "key=%zz",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        struct reply r;
        char value[256];
        const unsigned status = post("/sign-in", OWN, bodies[i], &r);
        assert_true(status == 401 || status == 429); /* they wait after a few */
        reply_header(&r, "set-cookie", value);
        assert_string_equal(value, "");
        assert_text_has(buf_str(&r.body), "name=\"key\"");
        assert_null(strstr(buf_str(&r.body), "horse"));
        DEFER(js_freep) json_t *e = entry_of(&r, it.dir);
        assert_string_equal(json_string_value(json_object_get(e, "action")), "console.sign-in");
        assert_string_equal(json_string_value(json_object_get(e, "decision")), "deny");
        assert_null(json_object_get(e, "request_sha256")); /* nor its digest */
        reply_done(&r);
    }
}

static void
no_other_site_signs_in_or_out(void **state)
{
    (void)state;
    static const char *const elsewhere[] = {
        "",
        "origin: https://evil.example\r\n",
        "origin: null\r\n",
        "origin: http://localhost\r\n",
        "origin: https://localhost:1\r\n",
        "origin: https://localhost\r\nsec-fetch-site: cross-site\r\n",
        "origin: https://localhost\r\nsec-fetch-site: same-site\r\n",
        "origin: https://evil.example\r\nsec-fetch-site: same-origin\r\n",
        "sec-fetch-site: none\r\n",
    };
    char cookie[256], fields[512], body[256], value[256];
    struct reply r;
    sign_in(it.auditor, cookie);
    (void)snprintf(body, sizeof body, "key=%s", it.auditor);
    for (size_t i = 0; i < sizeof elsewhere / sizeof *elsewhere; i++) {
        assert_int_equal(post("/sign-in", elsewhere[i], body, &r), 403);
        reply_header(&r, "set-cookie", value);
        assert_string_equal(value, "");
        assert_entry(&r, "", "console.sign-in", false, "a form of another site");
        reply_done(&r);
        (void)snprintf(fields, sizeof fields, "%scookie: %s\r\n", elsewhere[i], cookie);
        assert_int_equal(post("/sign-out", fields, "", &r), 403);
        reply_done(&r);
    }
    assert_int_equal(status_of("/audit", cookie), 200);
    (void)snprintf(fields, sizeof fields, OWN "cookie: %s\r\n", cookie);
    assert_int_equal(post("/sign-out", fields, "", &r), 303);
    assert_entry(&r, "ann", "console.sign-out", true, "signed out");
    reply_done(&r);
    assert_int_equal(status_of("/audit", cookie), 401);
}

/* ---- sessions ---- */

static void
a_session_is_its_cookie_whole_once_and_from_where_it_began(void **state)
{
    (void)state;
    char cookie[256], other[600];
    struct reply r;
    sign_in(it.auditor, cookie);
    assert_int_equal(status_of("/audit", cookie), 200);
    (void)snprintf(other, sizeof other, "a=b; %s; c=d", cookie);
    assert_int_equal(status_of("/audit", other), 200);
    (void)snprintf(other, sizeof other, "%s; %s", cookie, cookie); /* which one? */
    assert_int_equal(status_of("/audit", other), 401);
    (void)snprintf(other, sizeof other, "%s0", cookie);
    assert_int_equal(status_of("/audit", other), 401);
    (void)snprintf(other, sizeof other, "%s", cookie);
    other[strlen(other) - 1] = other[strlen(other) - 1] == '0' ? '1' : '0';
    assert_int_equal(status_of("/audit", other), 401);
    assert_int_equal(status_of("/audit", cookie + strlen("__Host-")), 401);
    assert_int_equal(get_from("127.0.0.2", "/audit", cookie, &r), 401);
    reply_done(&r);
    assert_int_equal(status_of("/audit", cookie), 200);
    /* Who signs in anew has another one, and not the old one. */
    char body[256], fields[512], fresh[256];
    (void)snprintf(body, sizeof body, "key=%s", it.auditor);
    (void)snprintf(fields, sizeof fields, OWN "cookie: %s\r\n", cookie);
    assert_int_equal(post("/sign-in", fields, body, &r), 303);
    reply_header(&r, "set-cookie", fresh);
    fresh[strcspn(fresh, ";")] = '\0';
    reply_done(&r);
    assert_string_not_equal(fresh, cookie);
    assert_int_equal(status_of("/audit", cookie), 401);
    assert_int_equal(status_of("/audit", fresh), 200);
}

static void
a_session_ends_with_the_key_that_it_began_with(void **state)
{
    (void)state;
    char cookie[256], id[16];
    struct reply r;
    sign_in(it.gone, cookie);
    assert_int_equal(status_of("/audit", cookie), 200);
    text_copy(id, sizeof id, it.gone + 3);
    id[10] = '\0';
    assert_ok(access_key_revoke(it.workspace->access, id, NULL));
    assert_int_equal(get("/audit", cookie, &r), 401);
    assert_entry(&r, "", "audit.read", false, "key revoked");
    reply_done(&r);
    assert_int_equal(get("/audit", cookie, &r), 401);
    assert_entry(&r, "", "audit.read", false, "not signed in"); /* it is gone */
    reply_done(&r);
}

/* With the certificate, on a connection of its own. */
static unsigned
as_certified(const char *text, struct reply *ret_reply)
{
    struct client c;
    assert_true(client_open_as(server_port(it.server, SERVER_CONSOLE), buf_view(&it.certificate),
                               buf_view(&it.key), &c));
    (void)client_send_text(&c, text);
    client_take(&c, ret_reply);
    client_close(&c);
    return ret_reply->status;
}

static void
a_certificate_signs_in_and_its_session_needs_it(void **state)
{
    (void)state;
    char cookie[256], text[512];
    struct reply r;
    assert_int_equal(as_certified("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n", &r), 401);
    assert_text_has(buf_str(&r.body), "Sign in with the certificate");
    reply_done(&r);
    assert_int_equal(as_certified("POST /sign-in HTTP/1.1\r\nhost: localhost\r\n" OWN
                                  "content-length: 15\r\n\r\ncertificate=yes",
                                  &r),
                     303);
    assert_entry(&r, "ann", "console.sign-in", true, "signed in");
    reply_header(&r, "set-cookie", cookie);
    cookie[strcspn(cookie, ";")] = '\0';
    reply_done(&r);
    (void)snprintf(text, sizeof text,
                   "GET /audit HTTP/1.1\r\nhost: localhost\r\ncookie: %s\r\n\r\n", cookie);
    assert_int_equal(as_certified(text, &r), 200);
    assert_entry(&r, "ann", "audit.read", true, "role auditor");
    reply_done(&r);
    assert_int_equal(get("/audit", cookie, &r), 401); /* the cookie without the certificate */
    assert_entry(&r, "", "audit.read", false, "no key");
    reply_done(&r);
    assert_int_equal(as_certified(text, &r), 401); /* and it has ended */
    reply_done(&r);
}

struct refused {
    unsigned count;
};

static struct status
count_refused(void *ctx, uint64_t index, struct view entry)
{
    struct refused *r = ctx;
    (void)index;
    const bool is_one = memmem(entry.ptr, entry.len, "\"tls.client\"", 12) != NULL;
    r->count += is_one;
    if (is_one) {
        assert_non_null(memmem(entry.ptr, entry.len, "\"deny\"", 6));
        assert_non_null(memmem(entry.ptr, entry.len, "listeners/data", 14));
        assert_non_null(memmem(entry.ptr, entry.len, "certificate is not taken: ", 26));
    }
    return OK;
}

/* One of the same name and another key. */
static void
a_certificate_that_is_not_taken_ends_its_connection_and_is_in_the_log(void **state)
{
    (void)state;
    struct client c;
    struct reply r = {0};
    struct refused seen = {0};
    DEFER(buf_done) struct buf certificate = {0};
    DEFER(buf_done) struct buf key = {0};
    DEFER(file_freep) char *audit = file_join(it.dir, "audit");
    make_certificate(&certificate, &key);
    if (client_open_as(server_port(it.server, SERVER_DATA), buf_view(&certificate), buf_view(&key),
                       &c)) { /* with TLS 1.3 a client is ready before it is looked at */
        (void)client_send_text(&c, "GET /v2/health/live HTTP/1.1\r\nhost: a\r\n\r\n");
        client_take(&c, &r);
    }
    assert_int_equal(r.status, 0);
    reply_done(&r);
    client_close(&c);
    const int64_t until = clock_mono_ns() + 120 * NS_PER_S;
    while (seen.count == 0 && clock_mono_ns() < until) {
        const struct timespec pause = {.tv_nsec = 5 * 1000 * 1000}; /* a commit, not a time */
        (void)nanosleep(&pause, NULL);
        assert_ok(audit_each(audit, 0, UINT64_MAX, count_refused, &seen, NULL));
    }
    assert_int_equal(seen.count, 1);
}

static void
sessions_end_in_time_and_are_few(void **state)
{
    (void)state;
    struct sessions *s = sessions_new();
    char token[SESSION_TOKEN_LETTERS + 1], first[SESSION_TOKEN_LETTERS + 1];
    struct session_of of = {.principal = "ann", .key_id = "0123456789", .peer = 7}, found;
    assert_non_null(s);
    assert_ok(session_begin(s, &of, 0, token));
    assert_false(session_find(s, view_str(token), 8, 1, &found));
    assert_true(session_find(s, view_str(token), 7, SESSION_IDLE_NS - 1, &found));
    assert_string_equal(found.principal, "ann");
    assert_string_equal(found.key_id, "0123456789");
    assert_false(session_find(s, view_str(token), 7, 2 * SESSION_IDLE_NS - 1, &found));
    assert_ok(session_begin(s, &of, 0, token));
    for (int64_t t = 0; t < SESSION_MOST_NS; t += SESSION_IDLE_NS / 2) {
        assert_true(session_find(s, view_str(token), 7, t, &found));
    }
    assert_false(session_find(s, view_str(token), 7, SESSION_MOST_NS, &found));
    /* One principal's further sessions end its own; others have the places. */
    for (unsigned i = 0; i < SESSIONS_OF_ONE; i++) {
        assert_ok(session_begin(s, &of, i, i == 0 ? first : token));
    }
    assert_ok(session_begin(s, &of, 100, token));
    assert_false(session_find(s, view_str(first), 7, 101, &found));
    for (unsigned i = 0; i < SESSIONS_MAX - SESSIONS_OF_ONE; i++) {
        (void)snprintf(of.principal, sizeof of.principal, "p%u", i);
        assert_ok(session_begin(s, &of, 100, first));
    }
    text_copy(of.principal, sizeof of.principal, "late");
    assert_status(session_begin(s, &of, 101, first), BUSY);
    assert_true(session_find(s, view_str(token), 7, 102, &found));
    session_end(s, view_str(token));
    assert_false(session_find(s, view_str(token), 7, 103, &found));
    assert_ok(session_begin(s, &of, 104, first));
    sessions_free(s);
}

/* ---- bytes ---- */

static void
forms_are_read_whole_or_not(void **state)
{
    (void)state;
    static const struct {
        const char *form;
        bool good;
        const char *value;
    } forms[] = {
        {"", true, ""},
        {"b=1", true, ""},
        {"a=1", true, "1"},
        {"b=2&a=x%2Fy+z", true, "x/y z"},
        {"a", true, ""},
        {"a=1&a=2", false, ""},
        {"a=%2", false, ""},
        {"a=%", false, ""},
        {"a=%g0", false, ""},
        {"a=%00", false, ""},
        {"a=\x01", false, ""},
        {"a=\xc3\xa9", false, ""},
        {"a=1234567", true, "1234567"},
        {"a=12345678", false, ""},
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        char value[8];
        const bool good = form_field(view_str(forms[i].form), "a", value, sizeof value);
        if (good != forms[i].good || strcmp(value, forms[i].value) != 0) {
            fail_msg("%s: %d \"%s\"", forms[i].form, good, value);
        }
    }
}

static void
hostile_words_stay_text(void **state)
{
    (void)state;
    char cookie[256];
    struct reply r;
    sign_in(it.auditor, cookie);
    assert_int_equal(
        get("/access/explain?principal=%3Cb%3E%22%27&action=%3Ci%3E&resource=a%3C", cookie, &r),
        200);
    assert_text_has(buf_str(&r.body), "value=\"&lt;b&gt;&quot;&#39;\"");
    assert_null(strstr(buf_str(&r.body), "<i>"));
    reply_done(&r);
    assert_int_equal(status_of("/access/explain?principal=%1b", cookie), 400);
    assert_int_equal(status_of("/audit?before=x", cookie), 400);
    assert_int_equal(status_of("/audit?before=18446744073709551615", cookie), 200);
    assert_int_equal(status_of("/audit?before=0", cookie), 200);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_answer_has_the_headers_of_the_console),
        cmocka_unit_test(pages_are_on_their_listener_and_calls_on_theirs),
        cmocka_unit_test(a_key_signs_in_and_each_view_is_in_the_log),
        cmocka_unit_test(what_is_shown_is_what_the_roles_allow),
        cmocka_unit_test(no_other_site_signs_in_or_out),
        cmocka_unit_test(a_session_is_its_cookie_whole_once_and_from_where_it_began),
        cmocka_unit_test(a_session_ends_with_the_key_that_it_began_with),
        cmocka_unit_test(a_certificate_signs_in_and_its_session_needs_it),
        cmocka_unit_test(a_certificate_that_is_not_taken_ends_its_connection_and_is_in_the_log),
        cmocka_unit_test(sessions_end_in_time_and_are_few),
        cmocka_unit_test(forms_are_read_whole_or_not),
        cmocka_unit_test(hostile_words_stay_text),
        cmocka_unit_test(who_guesses_is_refused_and_what_was_typed_is_nowhere), /* last: it waits */
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
