/* steward-witness: a witness of logs over HTTPS. `steward witness serve` becomes it. It has no
 * workspace: a folder with its key, its certificate, and what it remembers of each log
 * (docs/spec/witness.md). */
#include "gateway/port_file.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "base/secret.h"
#include "cli/cli.h"
#include "cli/config.h"
#include "govern/witness.h"
#include "serve/confine.h"
#include "serve/http.h"
#include "serve/identity.h"

#include <openssl/crypto.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define ARGUMENTS 4 /* the program, then: */
#define PEM_MAX (64u << 10)
#define GRACE_NS (5 * NS_PER_S)
#define HASH_LETTERS 64u

struct house {
    const char *dir, *port_path; /* port_path NULL: none */
    char address[ADDRESS_TEXT_MAX];
    uint16_t port;
    struct note_key log[WITNESS_LOGS];
    size_t logs;
    struct witness *witness;
    struct tls_key *tls_key;
    struct identity *identity;
    struct port_file port_file;
    struct sandbox_told sandbox;
    struct diag diag;
    sigset_t signals;
};

/* ---- what it answers ---- */

static void
tell(const struct http_exchange *x, const struct witness_answer *a)
{
    log_event(a->status == 200 || a->status == 409 ? LOG_INFO : LOG_WARN, "witness.answer",
              "status=%u log=%s size=%llu known=%llu address=%s", a->status, a->origin,
              (unsigned long long)a->size, (unsigned long long)a->known, x->address);
}

static void
give(struct http_exchange *x, struct witness_answer *a)
{
    x->status = a->status;
    x->content_type = a->type;
    buf_put(&x->answer, buf_view(&a->body));
    buf_done(&a->body);
}

static void
refuse(struct http_exchange *x, unsigned status, const char *sentence)
{
    x->status = status;
    x->content_type = "text/plain; charset=utf-8";
    buf_printf(&x->answer, "%s\n", sentence);
}

static bool
is_of_checkpoint(const char *path, struct view *ret_hash)
{
    if (strlen(path) != 1 + HASH_LETTERS + strlen("/checkpoint") ||
        strcmp(path + 1 + HASH_LETTERS, "/checkpoint") != 0) {
        return false;
    }
    *ret_hash = view_of(path + 1, HASH_LETTERS);
    return true;
}

static void
handle(void *ctx, struct http_exchange *x)
{
    struct house *h = ctx;
    struct witness_answer a;
    struct view hash;
    const bool is_add = strcmp(x->path, "/add-checkpoint") == 0;
    if (is_add && strcmp(x->method, "POST") == 0) {
        witness_add(h->witness, x->body, &a);
        tell(x, &a);
        give(x, &a);
    } else if (is_of_checkpoint(x->path, &hash) && strcmp(x->method, "GET") == 0) {
        witness_read(h->witness, hash, &a);
        give(x, &a);
    } else if (is_add) {
        http_set_header(x, "allow", "POST");
        refuse(x, 405, "add-checkpoint is asked with POST");
    } else {
        refuse(x, 404, "there are /add-checkpoint and /HASH-OF-ORIGIN/checkpoint");
    }
}

static void
refused(void *ctx, struct http_exchange *x, const char *reason)
{
    (void)ctx;
    log_event(LOG_WARN, "witness.refused", "status=%u address=%s reason=\"%s\"", x->status,
              x->address, reason);
}

static enum http_fate
fate(void *ctx, uint64_t ticket)
{
    (void)ctx, (void)ticket; /* none is ever asked for */
    return HTTP_DURABLE;
}

static void
nothing(void *ctx, struct http_exchange *x)
{
    (void)ctx, (void)x;
}

/* ---- its life ---- */

static struct status
sign_handshake(void *ctx, uint32_t slot, unsigned scheme, struct view digest,
               uint8_t ret_signature[static TLS_SIGNATURE_MAX], size_t *ret_len)
{
    (void)slot;
    return tls_key_sign(ctx, scheme, digest, ret_signature, ret_len);
}

static struct status
read_identity(struct house *h)
{
    DEFER(file_freep) char *cert_path = file_join(h->dir, "tls/cert.pem");
    DEFER(file_freep) char *key_path = file_join(h->dir, "tls/key.pem");
    DEFER(buf_done) struct buf cert;
    DEFER(buf_wipe) struct buf key;
    buf_init(&cert, PEM_MAX);
    buf_init(&key, PEM_MAX);
    TRY(file_read(cert_path, PEM_MAX, &h->diag, &cert));
    TRY(file_read(key_path, PEM_MAX, &h->diag, &key));
    TRY(tls_key_new(buf_view(&key), &h->diag, &h->tls_key));
    struct identity_options o = {
        .chain_pem = buf_view(&cert),
        .chain_name = cert_path,
        .signer = {sign_handshake,
                   h->tls_key,
                   {1, tls_key_kind(h->tls_key), tls_key_bits(h->tls_key), {{0}}}}};
    tls_key_name(h->tls_key, &o.signer.key.name);
    return identity_new(&o, &h->diag, &h->identity);
}

/* What it can reach from here on: its folder. */
static struct status
confine(struct house *h)
{
    const struct sandbox_path paths[] = {{h->dir, SANDBOX_KEEP}, {"/dev/null", SANDBOX_READ}};
    (void)OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL);
    TRY(sandbox_files(paths, sizeof paths / sizeof *paths, false, &h->diag, &h->sandbox));
    return sandbox_calls(SANDBOX_GATEWAY, &h->diag);
}

static struct status
listen_on(struct house *h, struct http_server **ret_server)
{
    const struct http_options o = {.address = h->address,
                                   .port = h->port,
                                   .identity = h->identity,
                                   .loops = 1,
                                   .limits = {.header_bytes = 10240,
                                              .header_count = 64,
                                              .body_bytes = WITNESS_REQUEST_MAX,
                                              .handshake_ns = 10 * NS_PER_S,
                                              .header_ns = 10 * NS_PER_S,
                                              .body_ns = 10 * NS_PER_S,
                                              .request_ns = 30 * NS_PER_S,
                                              .idle_ns = 60 * NS_PER_S,
                                              .connections = 256,
                                              .connections_per_address = 64},
                                   .arena_bytes = 1u << 20};
    const struct http_handler handler = {.handle = handle,
                                         .refused = refused,
                                         .fate = fate,
                                         .failed = nothing,
                                         .done = nothing,
                                         .ctx = h};
    return http_start(&o, &handler, &h->diag, ret_server);
}

static void
tell_started(const struct house *h, uint16_t port)
{
    DEFER(buf_done) struct buf vkey;
    buf_init(&vkey, 4096);
    note_put_vkey(witness_key(h->witness), &vkey);
    log_event(LOG_INFO, "witness.started",
              "address=%s port=%u folder=%s vkey=%s logs=%llu version=%s seccomp=on landlock=%d",
              h->address, port, h->dir, buf_str(&vkey), (unsigned long long)h->logs,
              STEWARD_VERSION, h->sandbox.landlock);
}

static struct status
run(struct house *h)
{
    struct http_server *server = NULL;
    int got = 0;
    TRY(listen_on(h, &server));
    struct status s = confine_listening(&h->diag);
    s = status_ok(s) ? port_file_write(&h->port_file, http_port(server, 0), &h->diag) : s;
    if (status_ok(s)) {
        tell_started(h, http_port(server, 0));
        (void)sigwait(&h->signals, &got);
        log_event(LOG_INFO, "witness.stopping", "signal=%d", got);
    }
    http_stop(server, GRACE_NS);
    return s;
}

static void
block_signals(sigset_t *ret_set)
{
    (void)sigemptyset(ret_set);
    (void)sigaddset(ret_set, SIGINT);
    (void)sigaddset(ret_set, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, ret_set, NULL);
}

static struct status
serve(struct house *h)
{
    block_signals(&h->signals);
    TRY(witness_open(h->dir, h->log, h->logs, &h->diag, &h->witness));
    TRY(read_identity(h));
    TRY(port_file_open(h->port_path, &h->port_file));
    TRY(confine(h));
    return run(h);
}

static struct status
read_arguments(int argc, char **argv, struct house *h)
{
    h->dir = argv[1];
    h->port_path = *argv[3] == '\0' ? NULL : argv[3];
    if (!status_ok(config_read_listen(argv[2], h->address, &h->port))) {
        diag_set(&h->diag, "--listen %s: write ADDRESS:PORT, such as 127.0.0.1:8444 or [::1]:8444",
                 argv[2]);
        FAIL(INPUT);
    }
    for (int i = ARGUMENTS; i < argc; i++) {
        CHECK(h->logs < WITNESS_LOGS, LIMIT);
        struct status s = note_parse_vkey(view_str(argv[i]), &h->diag, &h->log[h->logs++]);
        if (!status_ok(s)) {
            diag_prefix(&h->diag, "--log %s", argv[i]);
            FAIL(INPUT);
        }
    }
    return OK;
}

static void
house_done(struct house *h)
{
    identity_free(h->identity);
    tls_key_free(h->tls_key);
    witness_free(h->witness);
    port_file_done(&h->port_file);
}

int
main(int argc, char **argv)
{
    static struct house h;
    if (argc <= ARGUMENTS) {
        (void)fputs("steward-witness: started by \"steward witness serve\", not by hand\n", stderr);
        return 2;
    }
    secret_shield_process();
    (void)umask(077);
    (void)signal(SIGPIPE, SIG_IGN);
    struct status s = read_arguments(argc, argv, &h);
    s = status_ok(s) ? serve(&h) : s;
    house_done(&h);
    return status_ok(s) ? 0 : cli_tell(s, &h.diag);
}
