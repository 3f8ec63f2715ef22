/* The keeper's answers, one message at a time, in this process; tests/serve/takeover_test.c has the
 * process itself. */
#include "testing/testing.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/random.h"
#include "testing/vault.h"
#include "vault/keeper.h"
#include "vault/keeper_tree.h"
#include "vault/rotation.h"
#include "workspace/certificate.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROOT_A "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define ROOT_B "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="

/* ---- what the tests share ---- */

struct house {
    char *dir;
    struct vault *vault;
    struct keeper *keeper;
    struct keeper_reply reply;
    char name[VAULT_NAME_MAX];
};

static void
put_in(const char *dir, const char *name, struct view bytes)
{
    DEFER(file_freep) char *path = file_join(dir, name);
    testing_write(path, bytes);
}

/* A new TLS key, sealed where the workspace keeps it; its certificate. */
static void
seal_key(struct house *h, struct buf *ret_cert)
{
    static const char *const hosts[] = {"localhost"};
    DEFER(buf_wipe) struct buf key;
    DEFER(buf_done) struct buf sealed;
    struct diag diag = {0};
    buf_init(&key, 1 << 16);
    buf_init(&sealed, 1 << 16);
    buf_init(ret_cert, 1 << 16);
    assert_ok(certificate_make(hosts, 1, &diag, ret_cert, &key));
    assert_ok(vault_seal_record(h->vault, TLS_KEY_PURPOSE, view_str(TLS_KEY_CONTEXT),
                                buf_view(&key), &sealed));
    put_in(h->dir, TLS_KEY_CONTEXT, buf_view(&sealed));
}

static void
build(struct house *h)
{
    struct diag diag = {0};
    *h = (struct house){.dir = testing_dir()};
    DEFER(file_freep)
    char *keys = file_join(h->dir, "keys"), *tls = file_join(h->dir, "tls"),
         *audit = file_join(h->dir, "audit");
    assert_ok(file_mkdirs(keys, 0700, &diag));
    assert_ok(file_mkdirs(tls, 0700, &diag));
    assert_ok(file_mkdirs(audit, 0700, &diag));
    h->vault = testing_vault(keys);
    h->keeper = keeper_new(h->vault, h->dir);
    assert_non_null(h->keeper);
    vault_name(h->vault, h->name);
}

static void
pull_down(struct house *h)
{
    keeper_free(h->keeper);
    vault_free(h->vault);
    testing_dirp(&h->dir);
}

static struct keeper_request
request(unsigned operation, const char *purpose, struct view bytes)
{
    struct keeper_request q = {.version = KEEPER_VERSION,
                               .serial = 7,
                               .operation = (uint16_t)operation,
                               .length = (uint32_t)bytes.len};
    memcpy(q.purpose, purpose, strlen(purpose));
    memcpy(q.bytes, bytes.ptr, bytes.len);
    return q;
}

static int
answer(struct house *h, const struct keeper_request *q)
{
    keeper_answer(h->keeper, q, &h->reply);
    assert_int_equal(h->reply.version, KEEPER_VERSION);
    assert_int_equal(h->reply.serial, q->serial);
    assert_true(h->reply.length <= sizeof h->reply.bytes);
    return h->reply.code;
}

static int
ask(struct house *h, unsigned operation, const char *purpose, struct view bytes)
{
    const struct keeper_request q = request(operation, purpose, bytes);
    return answer(h, &q);
}

static int
ask_to_sign(struct house *h, unsigned long long size, const char *root)
{
    char text[256];
    (void)snprintf(text, sizeof text, "%s\n%llu\n%s\n", h->name, size, root);
    return ask(h, KEEPER_SIGN, "", view_str(text));
}

/* ---- form ---- */

static void
refuses_what_is_no_request(void **state)
{
    (void)state;
    DEFER(pull_down) struct house h;
    build(&h);
    const struct keeper_request good = request(KEEPER_MAC, "api-key", view_str("sw_key"));
    assert_int_equal(answer(&h, &good), STATUS_OK);
    struct keeper_request q = good;
    q.version++;
    assert_int_equal(answer(&h, &q), STATUS_INPUT);
    q = good;
    q.operation = KEEPER_OPERATIONS;
    assert_int_equal(answer(&h, &q), STATUS_INPUT);
    q.operation = 0;
    assert_int_equal(answer(&h, &q), STATUS_INPUT);
    q.operation = UINT16_MAX;
    assert_int_equal(answer(&h, &q), STATUS_INPUT);
    q = good;
    q.length = KEEPER_REQUEST_BYTES + 1;
    assert_int_equal(answer(&h, &q), STATUS_INPUT);
    q.length = UINT32_MAX;
    assert_int_equal(answer(&h, &q), STATUS_INPUT);
    q = good;
    q.bytes[KEEPER_REQUEST_BYTES - 1] = 1; /* after its length */
    assert_int_equal(answer(&h, &q), STATUS_INPUT);
    q = good;
    q.purpose[sizeof q.purpose - 1] = 'x'; /* after its end */
    assert_int_equal(answer(&h, &q), STATUS_INPUT);
    memset(q.purpose, 'x', sizeof q.purpose); /* without an end */
    assert_int_equal(answer(&h, &q), STATUS_INPUT);
    assert_int_equal(ask(&h, KEEPER_UNWRAP, "store/key", view_str("short")), STATUS_INPUT);
    assert_int_equal(ask(&h, KEEPER_HELLO, "", view_str("x")), STATUS_INPUT);
}

/* ---- rights ---- */

static void
unwraps_what_is_served_and_nothing_else(void **state)
{
    (void)state;
    static const struct {
        const char *purpose;
        int code;
    } cases[] = {
        {"object/model", STATUS_OK},
        {"store/model", STATUS_OK},
        {"store/principal", STATUS_OK},
        {"store/key", STATUS_OK},
        {"store/policy", STATUS_OK},
        {"store/policy-state", STATUS_OK},
        {"object/dataset", STATUS_DENIED},
        {"object/assessment", STATUS_DENIED},
        {"store/dataset", STATUS_DENIED},
        {"store/assessment", STATUS_DENIED},
        {"tls", STATUS_DENIED},
        {"signing", STATUS_DENIED},
        {"mac", STATUS_DENIED},
        {"", STATUS_DENIED},
        {"object/model/x", STATUS_DENIED},
        {"object/mode", STATUS_DENIED},
        {"store/", STATUS_DENIED},
        {"store", STATUS_DENIED},
        {"OBJECT/MODEL", STATUS_DENIED},
        {"object/model ", STATUS_DENIED},
    };
    DEFER(pull_down) struct house h;
    build(&h);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t key[VAULT_KEY_BYTES], wrapped[VAULT_WRAPPED_BYTES] = {0};
        struct keeper_request q;
        random_bytes(key, sizeof key);
        q = request(KEEPER_UNWRAP, cases[i].purpose, view_of(wrapped, sizeof wrapped));
        random_bytes(q.bound, sizeof q.bound);
        assert_ok(vault_wrap(h.vault, cases[i].purpose, q.bound, key, q.bytes));
        assert_int_equal(answer(&h, &q), cases[i].code);
        if (cases[i].code == STATUS_OK) {
            assert_int_equal(h.reply.length, sizeof key);
            assert_memory_equal(h.reply.bytes, key, sizeof key);
        } else {
            assert_null(memmem(&h.reply, sizeof h.reply, key, sizeof key));
            assert_non_null(memmem(h.reply.bytes, h.reply.length, "may not have that done", 22));
        }
    }
}

/* Under a purpose that is granted, a key of another purpose does not open. */
static void
another_purpose_s_key_does_not_open_under_a_granted_one(void **state)
{
    (void)state;
    DEFER(pull_down) struct house h;
    build(&h);
    uint8_t key[VAULT_KEY_BYTES], room[VAULT_WRAPPED_BYTES] = {0};
    struct keeper_request q = request(KEEPER_UNWRAP, "object/model", view_of(room, sizeof room));
    random_bytes(key, sizeof key);
    assert_ok(vault_wrap(h.vault, "object/dataset", q.bound, key, q.bytes));
    assert_int_equal(answer(&h, &q), STATUS_INTEGRITY);
    assert_ok(vault_wrap(h.vault, "object/model", q.bound, key, q.bytes));
    q.bound[3] ^= 1;
    assert_int_equal(answer(&h, &q), STATUS_INTEGRITY);
    assert_null(memmem(&h.reply, sizeof h.reply, key, sizeof key));
}

static void
wraps_nothing_and_hashes_keys_of_callers_only(void **state)
{
    (void)state;
    DEFER(pull_down) struct house h;
    build(&h);
    uint8_t key[VAULT_KEY_BYTES] = {1}, mac[32];
    static const char *const all[] = {"object/model", "store/key", "tls", "signing", ""};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        assert_int_equal(ask(&h, KEEPER_WRAP, all[i], view_of(key, sizeof key)), STATUS_DENIED);
    }
    assert_int_equal(ask(&h, KEEPER_MAC, "other", view_str("text")), STATUS_DENIED);
    assert_int_equal(ask(&h, KEEPER_MAC, "api-key", view_str("text")), STATUS_OK);
    assert_ok(vault_mac(h.vault, "api-key", view_str("text"), mac));
    assert_int_equal(h.reply.length, sizeof mac);
    assert_memory_equal(h.reply.bytes, mac, sizeof mac);
    uint8_t longer[VAULT_MAC_MESSAGE_MAX + 1] = {0};
    assert_int_equal(ask(&h, KEEPER_MAC, "api-key", view_of(longer, sizeof longer)), STATUS_LIMIT);
}

/* ---- the log's signature ---- */

static void
signs_checkpoints_that_grow_and_no_other_text(void **state)
{
    (void)state;
    DEFER(pull_down) struct house h;
    build(&h);
    uint8_t public_key[VAULT_PUBLIC_BYTES];
    char text[256];
    vault_public_key(h.vault, public_key);
    assert_int_equal(ask_to_sign(&h, 5, ROOT_A), STATUS_OK);
    (void)snprintf(text, sizeof text, "%s\n5\n%s\n", h.name, ROOT_A);
    assert_int_equal(h.reply.length, VAULT_SIGNATURE_BYTES);
    assert_ok(vault_verify(public_key, view_str(text), h.reply.bytes));
    assert_int_equal(ask_to_sign(&h, 5, ROOT_A), STATUS_OK); /* the same again */
    assert_int_equal(ask_to_sign(&h, 5, ROOT_B), STATUS_DENIED);
    assert_int_equal(ask_to_sign(&h, 4, ROOT_A), STATUS_DENIED);
    assert_non_null(memmem(h.reply.bytes, h.reply.length, "rolled back", 11));
    assert_int_equal(ask_to_sign(&h, 0, ROOT_A), STATUS_DENIED);
    assert_int_equal(ask_to_sign(&h, 6, ROOT_B), STATUS_OK);
    assert_int_equal(ask_to_sign(&h, 5, ROOT_A), STATUS_DENIED);
    static const char *const others[] = {
        "",
        "\n",
        "hello",
        "steward/0123456789abcdef\n9\n" ROOT_A "\n",
        "NAME\n9\n" ROOT_A,
        "NAME\n9\n" ROOT_A "\nmore\n",
        "NAME\n09\n" ROOT_A "\n",
        "NAME\n-9\n" ROOT_A "\n",
        "NAME\n99999999999999999999\n" ROOT_A "\n",
        "NAME\n9\nAAAA\n",
        "NAME\n9\n" ROOT_A "\n\n",
        "NAME \n9\n" ROOT_A "\n",
        "NAME\r\n9\r\n" ROOT_A "\r\n",
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        const bool named = strncmp(others[i], "NAME", 4) == 0;
        (void)snprintf(text, sizeof text, "%s%s", named ? h.name : "", others[i] + (named ? 4 : 0));
        assert_int_equal(ask(&h, KEEPER_SIGN, "", view_str(text)), STATUS_DENIED);
    }
    (void)snprintf(text, sizeof text, "%s\n9\n%s\n", h.name, ROOT_A);
    struct keeper_request q = request(KEEPER_SIGN, "", view_str(text));
    q.detail = VAULT_SIGN_MODEL;
    assert_int_equal(answer(&h, &q), STATUS_DENIED);
    q.detail = VAULT_SIGN_CHECKPOINT;
    assert_int_equal(answer(&h, &q), STATUS_OK);
}

/* A size that no log reaches would be the last that is ever signed. */
static void
signs_no_checkpoint_of_a_log_that_grew_too_fast(void **state)
{
    (void)state;
    DEFER(pull_down) struct house h;
    build(&h);
    assert_int_equal(ask_to_sign(&h, 100, ROOT_A), STATUS_OK);
    assert_int_equal(ask_to_sign(&h, UINT64_MAX, ROOT_B), STATUS_DENIED);
    assert_non_null(memmem(h.reply.bytes, h.reply.length, "no log grows so fast", 20));
    assert_int_equal(ask_to_sign(&h, 2 * KEEPER_TREE_BURST, ROOT_B), STATUS_DENIED);
    assert_int_equal(ask_to_sign(&h, 101, ROOT_A), STATUS_OK);
}

static struct status
grow(struct keeper_tree *t, uint64_t size, int64_t at_ns)
{
    char text[256];
    (void)snprintf(text, sizeof text, "%s\n%llu\n%s\n", t->name, (unsigned long long)size, ROOT_A);
    return keeper_tree_grow(t, view_str(text), at_ns, NULL);
}

static void
lets_a_log_grow_as_fast_as_one_can(void **state)
{
    (void)state;
    DEFER(pull_down) struct house h;
    build(&h);
    struct keeper_tree t;
    const int64_t s = NS_PER_S, start = 1000 * s;
    const uint64_t burst = KEEPER_TREE_BURST, rate = KEEPER_TREE_RATE;
    keeper_tree_open(&t, h.vault, h.dir, start);
    assert_status(grow(&t, burst + 1, start), DENIED);
    assert_ok(grow(&t, burst, start)); /* a journal that is full */
    assert_status(grow(&t, burst + 1, start), DENIED);
    assert_ok(grow(&t, burst + rate, start + s));
    assert_status(grow(&t, burst + rate + 2, start + s), DENIED);
    assert_ok(grow(&t, burst + rate + 2, start + s + 2000));
    /* Rest gathers no more than a journal. */
    assert_status(grow(&t, 2 * burst + rate + 3, start + 3600 * s), DENIED);
    assert_ok(grow(&t, 2 * burst + rate + 2, start + 3600 * s));
    /* A clock that goes back gives nothing. */
    assert_status(grow(&t, 2 * burst + rate + 3, start), DENIED);
    assert_int_equal(t.size, 2 * burst + rate + 2);
}

/* Puts a checkpoint of that size into the log, with a signature that is good or not. */
static void
put_checkpoint(struct house *h, uint64_t size, bool forged)
{
    char text[256], line[256];
    uint8_t signature[4 + VAULT_SIGNATURE_BYTES] = {1, 2, 3, 4};
    DEFER(buf_done) struct buf note;
    buf_init(&note, 4096);
    (void)snprintf(text, sizeof text, "%s\n%llu\n%s\n", h->name, (unsigned long long)size, ROOT_A);
    assert_ok(vault_sign(h->vault, VAULT_SIGN_CHECKPOINT, view_str(text), signature + 4));
    signature[10] ^= (uint8_t)forged;
    (void)EVP_EncodeBlock((unsigned char *)line, signature, sizeof signature);
    buf_printf(&note, "%s\n\u2014 %s %s\n", text, h->name, line);
    put_in(h->dir, "audit/checkpoint", buf_view(&note));
}

/* Another process has published what it wrote, and signed it itself. */
static void
follows_a_log_that_others_let_grow(void **state)
{
    (void)state;
    DEFER(pull_down) struct house h;
    build(&h);
    const uint64_t much = 3 * KEEPER_TREE_BURST;
    assert_int_equal(ask_to_sign(&h, 100, ROOT_A), STATUS_OK);
    put_checkpoint(&h, much, true);
    assert_int_equal(ask_to_sign(&h, much + 1, ROOT_B), STATUS_DENIED);
    put_checkpoint(&h, much, false);
    assert_int_equal(ask_to_sign(&h, 2 * much, ROOT_B), STATUS_DENIED);
    assert_int_equal(ask_to_sign(&h, much + 1, ROOT_B), STATUS_OK);
    assert_int_equal(ask_to_sign(&h, 101, ROOT_A), STATUS_DENIED);
}

static void
begins_with_the_checkpoint_that_the_log_has(void **state)
{
    (void)state;
    DEFER(pull_down) struct house h;
    build(&h);
    for (int forged = 1; forged >= 0; forged--) {
        put_checkpoint(&h, 1000, forged == 1);
        keeper_free(h.keeper);
        h.keeper = keeper_new(h.vault, h.dir);
        assert_int_equal(ask_to_sign(&h, 999, ROOT_B), forged ? STATUS_OK : STATUS_DENIED);
    }
    assert_int_equal(ask_to_sign(&h, 1000, ROOT_B), STATUS_DENIED);
    assert_int_equal(ask_to_sign(&h, 1001, ROOT_B), STATUS_OK);
}

/* ---- TLS ---- */

static int
ask_to_shake(struct house *h, uint32_t slot, unsigned scheme, struct view digest)
{
    struct keeper_request q = request(KEEPER_TLS_SIGN, "", digest);
    q.slot = slot;
    q.detail = (uint16_t)scheme;
    return answer(h, &q);
}

static void
assert_signed_by(const struct buf *cert, struct view digest, struct view signature)
{
    BIO *bio = BIO_new_mem_buf(cert->ptr, (int)cert->len);
    X509 *x = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(X509_get0_pubkey(x), NULL);
    assert_int_equal(EVP_PKEY_verify_init(ctx), 1);
    assert_int_equal(EVP_PKEY_verify(ctx, signature.ptr, signature.len, digest.ptr, digest.len), 1);
    EVP_PKEY_CTX_free(ctx);
    X509_free(x);
    (void)BIO_free(bio);
}

static void
signs_handshakes_with_the_two_newest_keys(void **state)
{
    (void)state;
    DEFER(pull_down) struct house h;
    DEFER(buf_done) struct buf first;
    DEFER(buf_done) struct buf second;
    DEFER(buf_done) struct buf third;
    struct keeper_tls told;
    uint8_t digest[48] = {9};
    const struct view d = view_of(digest, 32);
    build(&h);
    assert_int_equal(ask_to_shake(&h, 0, TLS_ECDSA_P256_SHA256, d), STATUS_NOT_FOUND);
    assert_int_equal(ask(&h, KEEPER_TLS_LOAD, "", view_of("", 0)), STATUS_NOT_FOUND);
    seal_key(&h, &first);
    for (int again = 0; again < 3; again++) { /* the same key keeps its slot */
        assert_int_equal(ask(&h, KEEPER_TLS_LOAD, "", view_of("", 0)), STATUS_OK);
        assert_int_equal(h.reply.length, sizeof told);
        memcpy(&told, h.reply.bytes, sizeof told);
        assert_int_equal(told.slot, 1);
        assert_int_equal(told.kind, TLS_KEY_P256);
        assert_int_equal(told.bits, 256);
    }
    assert_int_equal(ask_to_shake(&h, 1, TLS_ECDSA_P256_SHA256, d), STATUS_OK);
    assert_signed_by(&first, d, view_of(h.reply.bytes, h.reply.length));
    assert_int_equal(ask_to_shake(&h, 1, TLS_RSA_PSS_SHA256, d), STATUS_UNSUPPORTED);
    assert_int_equal(ask_to_shake(&h, 1, 0, d), STATUS_UNSUPPORTED);
    assert_int_equal(ask_to_shake(&h, 1, TLS_ECDSA_P256_SHA256, view_of(digest, 48)), STATUS_INPUT);
    assert_int_equal(ask_to_shake(&h, 1, TLS_ECDSA_P256_SHA256, view_of("", 0)), STATUS_INPUT);
    assert_int_equal(ask_to_shake(&h, 2, TLS_ECDSA_P256_SHA256, d), STATUS_NOT_FOUND);
    assert_int_equal(ask_to_shake(&h, UINT32_MAX, TLS_ECDSA_P256_SHA256, d), STATUS_NOT_FOUND);
    seal_key(&h, &second);
    assert_int_equal(ask(&h, KEEPER_TLS_LOAD, "", view_of("", 0)), STATUS_OK);
    assert_int_equal(ask_to_shake(&h, 1, TLS_ECDSA_P256_SHA256, d), STATUS_OK);
    assert_signed_by(&first, d, view_of(h.reply.bytes, h.reply.length));
    assert_int_equal(ask_to_shake(&h, 2, TLS_ECDSA_P256_SHA256, d), STATUS_OK);
    assert_signed_by(&second, d, view_of(h.reply.bytes, h.reply.length));
    seal_key(&h, &third);
    assert_int_equal(ask(&h, KEEPER_TLS_LOAD, "", view_of("", 0)), STATUS_OK);
    assert_int_equal(ask_to_shake(&h, 1, TLS_ECDSA_P256_SHA256, d), STATUS_NOT_FOUND);
    assert_int_equal(ask_to_shake(&h, 3, TLS_ECDSA_P256_SHA256, d), STATUS_OK);
    put_in(h.dir, TLS_KEY_CONTEXT, view_str("damaged"));
    assert_int_equal(ask(&h, KEEPER_TLS_LOAD, "", view_of("", 0)), STATUS_INTEGRITY);
    assert_int_equal(ask_to_shake(&h, 3, TLS_ECDSA_P256_SHA256, d), STATUS_OK);
}

/* ---- the client ---- */

static void
a_client_is_told_that_its_keeper_is_gone(void **state)
{
    (void)state;
    struct diag diag = {0};
    struct keeper_client *c = NULL;
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    assert_int_equal(close(ends[1]), 0);
    assert_status(keeper_client_new(ends[0], &diag, &c), IO);
    assert_says(&diag, "the keeper, which holds the keys, has ended");
    assert_null(c);
}

static void
a_program_that_is_no_keeper_is_told_by_name(void **state)
{
    (void)state;
    static const char *const programs[] = {"/bin/true", "/no/such/program"};
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(secret_done) struct secret p = {0};
    assert_ok(secret_from(view_str(TESTING_PASSPHRASE), &p));
    for (size_t i = 0; i < 2; i++) {
        struct diag diag = {0};
        struct keeper_client *c = NULL;
        pid_t pid = 0;
        const struct keeper_options o = {.program = programs[i], .dir = dir, .passphrase = &p};
        assert_status(keeper_start(&o, &diag, &pid, &c), IO);
        assert_says(&diag, programs[i]);
        assert_says(&diag, "is it installed with this steward?");
    }
}

/* ---- a key that its holder gives and takes ---- */

struct holder {
    uint8_t key[VAULT_KEY_BYTES];
    struct status says;
    unsigned asked;
};

static struct status
holder_wrap(const void *ctx, const struct secret *key, struct buf *ret_state, struct diag *diag)
{
    struct holder *h = *(struct holder *const *)ctx;
    (void)diag;
    memcpy(h->key, key->ptr, sizeof h->key);
    buf_put_str(ret_state, "{}");
    return buf_status(ret_state);
}

static struct status
holder_unwrap(const void *ctx, struct view state, struct secret *ret_key, struct diag *diag)
{
    struct holder *h = *(struct holder *const *)ctx;
    (void)state;
    h->asked++;
    if (!status_ok(h->says)) {
        diag_set(diag, "the holder says no");
        return h->says;
    }
    return secret_from(view_of(h->key, sizeof h->key), ret_key);
}

static void
says_that_the_key_may_not_be_used_while_its_holder_keeps_it(void **state)
{
    (void)state;
    static const struct {
        struct status says;
        bool usable;
    } steps[] = {
        {{.code = STATUS_OK}, true},         {{.code = STATUS_DENIED}, false},
        {{.code = STATUS_IO}, false}, /* who cannot be asked changes nothing */
        {{.code = STATUS_OK}, true},         {{.code = STATUS_BUSY}, true},
        {{.code = STATUS_IO}, true},         {{.code = STATUS_AUTH}, false},
        {{.code = STATUS_NOT_FOUND}, false}, {{.code = STATUS_OK}, true},
    };
    struct holder holder = {0}, *const at = &holder;
    const struct vault_provider p = {
        .name = "test", .wrap = holder_wrap, .unwrap = holder_unwrap, .ctx = &at};
    DEFER(testing_dirp) char *dir = testing_dir();
    struct house h = {0};
    int64_t now = 1000, left = 0;
    assert_ok(vault_create(dir, &p, NULL, &h.vault));
    vault_hold(h.vault, &p);
    h.keeper = keeper_new(h.vault, dir);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        struct status found = OK;
        struct diag diag = {0};
        holder.says = steps[i].says;
        const unsigned asked = holder.asked;
        assert_true(keeper_check(h.keeper, 50, now, &diag, &found, &left));
        assert_int_equal(left, 50);
        assert_int_equal(found.code, steps[i].says.code);
        assert_int_equal(holder.asked, asked + 1);
        /* Asking does not make it look, and it does not look before its time. */
        assert_int_equal(ask(&h, KEEPER_USABLE, "", view_str("")), STATUS_OK);
        assert_int_equal(h.reply.length == 0, steps[i].usable);
        assert_false(keeper_check(h.keeper, 50, now + 49, &diag, &found, &left));
        assert_int_equal(left, 1);
        assert_int_equal(holder.asked, asked + 1);
        now += 50;
    }
    assert_int_equal(ask(&h, KEEPER_USABLE, "", view_str("x")), STATUS_INPUT);
    keeper_free(h.keeper);
    vault_free(h.vault);
}

static void
never_looks_when_it_is_told_no_time(void **state)
{
    (void)state;
    DEFER(pull_down) struct house h;
    struct status found = OK;
    int64_t left = 0;
    build(&h);
    assert_false(keeper_check(h.keeper, 0, INT64_MAX, NULL, &found, &left));
    assert_true(left == INT64_MAX);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_is_no_request),
        cmocka_unit_test(unwraps_what_is_served_and_nothing_else),
        cmocka_unit_test(another_purpose_s_key_does_not_open_under_a_granted_one),
        cmocka_unit_test(wraps_nothing_and_hashes_keys_of_callers_only),
        cmocka_unit_test(signs_checkpoints_that_grow_and_no_other_text),
        cmocka_unit_test(begins_with_the_checkpoint_that_the_log_has),
        cmocka_unit_test(signs_no_checkpoint_of_a_log_that_grew_too_fast),
        cmocka_unit_test(lets_a_log_grow_as_fast_as_one_can),
        cmocka_unit_test(follows_a_log_that_others_let_grow),
        cmocka_unit_test(signs_handshakes_with_the_two_newest_keys),
        cmocka_unit_test(says_that_the_key_may_not_be_used_while_its_holder_keeps_it),
        cmocka_unit_test(never_looks_when_it_is_told_no_time),
        cmocka_unit_test(a_client_is_told_that_its_keeper_is_gone),
        cmocka_unit_test(a_program_that_is_no_keeper_is_told_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
