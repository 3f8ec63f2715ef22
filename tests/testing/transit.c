#include "testing/transit.h"

#include "base/digest.h"
#include "base/file.h"
#include "base/random.h"
#include "base/text.h"
#include "vault/aead.h"
#include "workspace/certificate.h"

#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOUNT "/v1/team/transit/"
#define KEY_NAME "steward"
#define REQUEST_MAX 65536u

/* ---- the answers ---- */

struct exchange {
    struct transit_service *s;
    gnutls_session_t tls;
    char path[512], body[REQUEST_MAX], token[512];
    bool asked_as_vault; /* X-Vault-Request */
    enum transit_trouble trouble;
    struct buf answer;
};

static void
put(struct exchange *x, unsigned status, const char *type, const char *body)
{
    buf_printf(&x->answer,
               "HTTP/1.1 %u Said\r\nContent-Type: %s\r\nCache-Control: no-store\r\n"
               "Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
               status, type, strlen(body), body);
}

static void
put_error(struct exchange *x, unsigned status, const char *sentence)
{
    char body[1024];
    (void)snprintf(body, sizeof body,
                   *sentence == '\0' ? "{\"errors\":[]}\n" : "{\"errors\":[\"%s\"]}\n", sentence);
    put(x, status, "application/json", body);
}

static void
put_data(struct exchange *x, const char *member, const char *text, unsigned version)
{
    char body[2048], more[64] = "";
    if (version > 0) {
        (void)snprintf(more, sizeof more, ",\"key_version\":%u", version);
    }
    (void)snprintf(body, sizeof body,
                   "{\"request_id\":\"5c1b0b0f-7d3c-2f19-9a0a-0d5d7a3d3f5a\",\"lease_id\":\"\","
                   "\"renewable\":false,\"lease_duration\":0,\"data\":{\"%s\":\"%s\"%s},"
                   "\"wrap_info\":null,\"warnings\":null,\"auth\":null}\n",
                   member, text, more);
    put(x, 200, "application/json", body);
}

/* ---- the key ---- */

/* Of the key's version, or derived from it (policy.go, Kdf_hkdf_sha256). */
static void
key_of(const struct transit_service *s, unsigned version, const struct buf *context,
       uint8_t ret_key[static 32])
{
    memcpy(ret_key, s->key[version], 32);
    if (s->derived) {
        char digest[] = "SHA256";
        EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
        EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
        const OSSL_PARAM params[] = {
            OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
            OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY,
                                              (void *)(uintptr_t)s->key[version], 32),
            OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, context->ptr, context->len),
            OSSL_PARAM_construct_end()};
        assert_int_equal(EVP_KDF_derive(ctx, ret_key, 32, params), 1);
        EVP_KDF_CTX_free(ctx);
        EVP_KDF_free(kdf);
    }
}

static void
put_wrapped(struct exchange *x, const struct buf *plain, const struct buf *bound,
            const struct buf *context)
{
    struct transit_service *s = x->s;
    const unsigned version = s->version;
    uint8_t key[32];
    DEFER(buf_done) struct buf made;
    DEFER(buf_done) struct buf text;
    buf_init(&made, 4096);
    buf_init(&text, 4096);
    key_of(s, version, context, key);
    DEFER(aead_freep) struct aead *a = aead_new(key, true);
    uint8_t *to = buf_extend(&made, AEAD_NONCE_BYTES + plain->len + AEAD_TAG_BYTES);
    random_bytes(to, AEAD_NONCE_BYTES);
    assert_ok(aead_seal(a, to, buf_view(bound), buf_view(plain), to + AEAD_NONCE_BYTES));
    buf_printf(&text, "vault:v%u:", version);
    text_put_base64(&text, buf_view(&made));
    s->encrypted++;
    put_data(x, "ciphertext", buf_str(&text), version);
}

static void
put_plain(struct exchange *x, struct buf *plain)
{
    DEFER(buf_done) struct buf text;
    buf_init(&text, 4096);
    if (x->trouble == TRANSIT_OTHER) {
        plain->ptr[0] ^= 1;
    }
    if (x->trouble == TRANSIT_SHORT) {
        plain->len--;
    }
    text_put_base64(&text, buf_view(plain));
    x->s->decrypted++;
    put_data(x, "plaintext", buf_str(&text), 0);
}

static void
unwrap(struct exchange *x, const char *text, const struct buf *bound, const struct buf *context)
{
    struct transit_service *s = x->s;
    unsigned version = 0;
    int skip = 0;
    uint8_t key[32];
    DEFER(buf_done) struct buf made;
    DEFER(buf_done) struct buf plain;
    buf_init(&made, 4096);
    buf_init(&plain, 4096);
    if (sscanf(text, "vault:v%u:%n", &version, &skip) != 1 || skip == 0) {
        put_error(x, 400, "invalid ciphertext: no prefix");
    } else if (version < 1 || version > s->version) {
        put_error(x, 400, "invalid ciphertext: version is too new");
    } else if (version < s->least) {
        put_error(x, 400, "ciphertext or signature version is disallowed by policy (too old)");
    } else if (!status_ok(text_from_base64(view_str(text + skip), &made)) || made.len < 28) {
        put_error(x, 400, "invalid ciphertext: could not decode base64");
    } else {
        key_of(s, version, context, key);
        DEFER(aead_freep) struct aead *a = aead_new(key, false);
        const struct view sealed =
            view_of(made.ptr + AEAD_NONCE_BYTES, made.len - AEAD_NONCE_BYTES);
        uint8_t *to = buf_extend(&plain, sealed.len - AEAD_TAG_BYTES);
        if (status_ok(aead_open(a, made.ptr, buf_view(bound), sealed, to))) {
            put_plain(x, &plain);
        } else {
            put_error(x, 400, "invalid ciphertext: unable to decrypt");
        }
    }
}

/* ---- the engine ---- */

static void
take(const json_t *o, const char *name, struct buf *ret_bytes)
{
    const char *text = json_string_value(json_object_get(o, name));
    buf_init(ret_bytes, 4096);
    assert_ok(text_from_base64(view_str(text == NULL ? "" : text), ret_bytes));
}

static void
use_key(struct exchange *x, bool encrypt, const json_t *o)
{
    const char *text = json_string_value(json_object_get(o, encrypt ? "plaintext" : "ciphertext"));
    DEFER(buf_done) struct buf bound = {0};
    DEFER(buf_done) struct buf context = {0};
    DEFER(buf_done) struct buf plain = {0};
    take(o, "associated_data", &bound);
    take(o, "context", &context);
    if (text == NULL) {
        put_error(x, 400,
                  encrypt ? "missing plaintext to encrypt" : "missing ciphertext to decrypt");
    } else if (x->s->rsa && bound.len > 0) {
        put_error(x, 400, "'[0].associated_data' provided for non-AEAD cipher suite rsa-2048");
    } else if (x->s->derived && context.len == 0) {
        put_error(x, 400,
                  "missing 'context' for key derivation; the key was created using a "
                  "derived key");
    } else if (encrypt) {
        take(o, "plaintext", &plain);
        put_wrapped(x, &plain, &bound, &context);
    } else {
        unwrap(x, text, &bound, &context);
    }
}

/* As an unmounted path, a policy without create, and a deleted key are answered. */
static void
route(struct exchange *x)
{
    const bool encrypt = strcmp(x->path, MOUNT "encrypt/" KEY_NAME) == 0;
    const bool decrypt = strcmp(x->path, MOUNT "decrypt/" KEY_NAME) == 0;
    json_t *o = json_loads(x->body, 0, NULL);
    if (strncmp(x->path, MOUNT, strlen(MOUNT)) != 0) {
        put_error(x, 404, "no handler for route. route entry not found.");
    } else if (!encrypt && !decrypt) {
        put_error(x, 403, "1 error occurred:\\n\\t* permission denied\\n\\n");
    } else if (x->s->deleted) {
        put_error(x, encrypt ? 403 : 400,
                  encrypt ? "1 error occurred:\\n\\t* permission denied\\n\\n"
                          : "encryption key not found");
    } else if (o == NULL) {
        put_error(x, 400, "failed to parse JSON input");
    } else {
        use_key(x, encrypt, o);
    }
    json_decref(o);
}

static void
put_redirect(struct exchange *x)
{
    buf_printf(&x->answer,
               "HTTP/1.1 307 Elsewhere\r\nLocation: https://%s:%u/elsewhere\r\n"
               "Content-Length: 0\r\nConnection: close\r\n\r\n",
               x->trouble == TRANSIT_METADATA ? "[::ffff:169.254.169.254]" : "127.0.0.1",
               x->trouble == TRANSIT_METADATA ? 443 : x->s->port);
}

static void
put_giant(struct exchange *x)
{
    char *body = calloc(1, (4u << 20) + 1);
    memset(body, ' ', 4u << 20);
    put(x, 200, "application/json", body);
    free(body);
}

/* What comes in place of what is right; false: nothing does. */
static bool
misbehave(struct exchange *x)
{
    static const char page[] =
        "<html><body>The service behind this proxy said nothing</body></html>";
    char said[600];
    switch (x->trouble) {
    case TRANSIT_BUSY:
        put_error(x, 429, "request path \\\"x\\\": rate limit quota exceeded");
        return true;
    case TRANSIT_FAILS:
        put_error(x, 500, "internal error");
        return true;
    case TRANSIT_PAGE_502:
        put(x, 502, "text/html", page);
        return true;
    case TRANSIT_PAGE_503:
        put(x, 503, "text/html", page);
        return true;
    case TRANSIT_PAGE_403:
        put(x, 403, "text/html", page);
        return true;
    case TRANSIT_GARBAGE:
        put(x, 200, "application/json", "{\"data\":{\"plaintext\":\"AAAA");
        return true;
    case TRANSIT_EMPTY:
        put(x, 200, "application/json", "{\"data\":{\"plaintext\":7,\"ciphertext\":[]}}");
        return true;
    case TRANSIT_GIANT:
        put_giant(x);
        return true;
    case TRANSIT_REDIRECT:
    case TRANSIT_METADATA:
        put_redirect(x);
        return true;
    case TRANSIT_ECHO:
        (void)snprintf(said, sizeof said, "token %.400s is not of this house", x->token);
        put_error(x, 400, said);
        return true;
    default:
        return false;
    }
}

static void
answer(struct exchange *x)
{
    struct transit_service *s = x->s;
    const bool right = strcmp(x->token, TRANSIT_TOKEN) == 0;
    s->asked++;
    s->tokens += right;
    s->strayed += !x->asked_as_vault || strcmp(x->path, "/elsewhere") == 0;
    if (misbehave(x)) {
        return;
    }
    if (s->sealed) {
        put_error(x, 503, "Vault is sealed");
    } else if (!right || s->revoked) {
        put_error(x, 403, "permission denied");
    } else {
        route(x);
    }
}

/* ---- HTTP over TLS ---- */

static void
take_field(const char *head, const char *name, char *ret_value, size_t size)
{
    const char *at = strcasestr(head, name);
    *ret_value = '\0';
    if (at != NULL) {
        at += strlen(name);
        (void)snprintf(ret_value, size, "%.*s", (int)strcspn(at, "\r"), at);
    }
}

static bool
read_request(struct exchange *x)
{
    static _Thread_local char text[REQUEST_MAX];
    size_t n = 0;
    char length[32], as_vault[32];
    for (;;) {
        const ssize_t got = gnutls_record_recv(x->tls, text + n, sizeof text - 1 - n);
        if (got <= 0) {
            return false;
        }
        n += (size_t)got;
        text[n] = '\0';
        const char *end = strstr(text, "\r\n\r\n");
        if (end == NULL) {
            continue;
        }
        take_field(text, "\r\ncontent-length: ", length, sizeof length);
        if (n >= (size_t)(end + 4 - text) + strtoul(length, NULL, 10)) {
            (void)sscanf(text, "%*15s %511s", x->path);
            (void)snprintf(x->body, sizeof x->body, "%s", end + 4);
            take_field(text, "\r\nx-vault-token: ", x->token, sizeof x->token);
            take_field(text, "\r\nx-vault-request: ", as_vault, sizeof as_vault);
            x->asked_as_vault = strcmp(as_vault, "true") == 0 && strncmp(text, "POST ", 5) == 0;
            return true;
        }
    }
}

static void
send_answer(struct exchange *x)
{
    const struct view all = buf_view(&x->answer);
    const enum transit_trouble t = x->trouble;
    const size_t n = t == TRANSIT_NO_HEAD ? 9 : t == TRANSIT_HALF ? all.len - 40 : all.len;
    for (size_t at = 0; at < n;) {
        const ssize_t sent = gnutls_record_send(x->tls, all.ptr + at, n - at);
        if (sent <= 0) {
            return;
        }
        at += (size_t)sent;
    }
}

struct connection {
    struct transit_service *s;
    gnutls_certificate_credentials_t own;
    int fd;
};

static void
serve(const struct connection *c)
{
    struct exchange *x = calloc(1, sizeof *x);
    char byte;
    x->s = c->s;
    buf_init(&x->answer, 8u << 20);
    (void)gnutls_init(&x->tls, GNUTLS_SERVER | GNUTLS_NO_SIGNAL);
    (void)gnutls_set_default_priority(x->tls);
    (void)gnutls_credentials_set(x->tls, GNUTLS_CRD_CERTIFICATE, c->own);
    gnutls_transport_set_int(x->tls, c->fd);
    int rc = GNUTLS_E_AGAIN;
    while (rc < 0 && gnutls_error_is_fatal(rc) == 0) {
        rc = gnutls_handshake(x->tls);
    }
    if (rc == 0 && read_request(x)) {
        x->trouble = c->s->asked >= c->s->after ? c->s->trouble : TRANSIT_WELL;
        if (x->trouble == TRANSIT_SILENT) {
            (void)!gnutls_record_recv(x->tls, &byte, 1); /* until the client goes */
        } else {
            answer(x);
            send_answer(x);
            (void)gnutls_bye(x->tls, GNUTLS_SHUT_WR);
        }
    }
    gnutls_deinit(x->tls);
    buf_done(&x->answer);
    free(x);
}

static void *
run(void *arg)
{
    struct connection *c = arg;
    static const char plain[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
    if (c->s->trouble == TRANSIT_PLAIN) {
        (void)!send(c->fd, plain, sizeof plain - 1, MSG_NOSIGNAL);
    } else {
        serve(c);
    }
    (void)close(c->fd);
    free(c);
    return NULL;
}

__attribute__((noreturn)) static void
live(struct transit_service *s, int fd, const char *cert, const char *key)
{
    gnutls_certificate_credentials_t own;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)signal(SIGTERM, SIG_DFL);
    (void)signal(SIGPIPE, SIG_IGN);
    assert_int_equal(gnutls_certificate_allocate_credentials(&own), 0);
    assert_int_equal(gnutls_certificate_set_x509_key_file(own, cert, key, GNUTLS_X509_FMT_PEM), 0);
    for (;;) {
        pthread_t thread;
        struct connection *c = malloc(sizeof *c);
        *c = (struct connection){s, own, accept(fd, NULL, NULL)};
        if (c->fd < 0 || pthread_create(&thread, NULL, run, c) != 0) {
            _exit(1);
        }
        (void)pthread_detach(thread);
    }
}

/* ---- from the test ---- */

static void
make_certificate(const char *cert_path, const char *key_path)
{
    static const char *const hosts[] = {"localhost", "127.0.0.1"};
    DEFER(buf_done) struct buf cert;
    DEFER(buf_done) struct buf key;
    buf_init(&cert, 1 << 16);
    buf_init(&key, 1 << 16);
    assert_ok(certificate_make(hosts, 2, NULL, &cert, &key));
    testing_write(cert_path, buf_view(&cert));
    testing_write(key_path, buf_view(&key));
}

struct transit_service *
transit_service_start(const char *dir)
{
    DEFER(file_freep) char *cert = file_join(dir, "ca.pem");
    DEFER(file_freep) char *key = file_join(dir, "service-key.pem");
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t n = sizeof a;
    struct transit_service *s =
        mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(s != MAP_FAILED);
    make_certificate(cert, key);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && listen(fd, 64) == 0 &&
                getsockname(fd, (struct sockaddr *)&a, &n) == 0);
    s->port = ntohs(a.sin_port);
    s->version = s->least = 1;
    random_bytes(&s->key, sizeof s->key);
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        live(s, fd, cert, key);
    }
    s->pid = pid;
    (void)close(fd);
    return s;
}

void
transit_service_stop(struct transit_service *s)
{
    if (s != NULL) {
        (void)kill(s->pid, SIGKILL);
        (void)waitpid(s->pid, NULL, 0);
        (void)munmap(s, sizeof *s);
    }
}

void
transit_service_heal(struct transit_service *s)
{
    s->trouble = TRANSIT_WELL;
    s->after = 0;
    s->sealed = s->deleted = s->revoked = s->derived = s->rsa = false;
    s->least = 1;
}

char *
transit_service_uri(const struct transit_service *s, const char *dir, const char *more)
{
    char text[1000];
    (void)snprintf(text, sizeof text,
                   "transit:https://127.0.0.1:%u/team/transit/" KEY_NAME "?ca-file=%s/ca.pem%s",
                   s->port, dir, more);
    return strdup(text);
}
