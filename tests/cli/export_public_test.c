/* key export-public: what it prints checks the log's signature, by OpenSSL alone; no passphrase, no
 * key that is there is needed, and no other word is taken. */
#include "cli/run.h"

#include "base/text.h"

#include <openssl/evp.h>
#include <unistd.h>

#define KEY_BYTES 32u
#define SIGNATURE_BYTES 64u

static int
room_with_log(void **state)
{
    assert_int_equal(room_bare(state), 0);
    struct room *m = *state;
    RUN(m, 0, "init", in(m, "w"));
    RUN(m, 0, "principal", "add", "ann", "--role", "caller");
    return 0;
}

/* Bytes of base64 that begin there, up to a blank or the line's end. */
static void
bytes_at(const char *text, struct buf *ret_bytes)
{
    buf_init(ret_bytes, 1024);
    assert_ok(text_from_base64(view_of((const uint8_t *)text, strcspn(text, " \n")), ret_bytes));
}

/* The checkpoint's first part under its signature (c2sp.org/signed-note): four bytes of the key's
 * hash, then Ed25519. flip: a bit of that part is another. */
static bool
verifies(struct room *m, const uint8_t key[static KEY_BYTES], bool flip)
{
    static const char mark[] = "\n\n\xe2\x80\x94 ";
    DEFER(buf_done) struct buf note;
    DEFER(buf_done) struct buf signature;
    testing_read(in(m, "w/audit/checkpoint"), &note);
    const char *end = strstr(buf_str(&note), mark);
    assert_non_null(end);
    const size_t len = (size_t)(end - buf_str(&note)) + 1;
    const char *name = end + strlen(mark), *after = strchr(name, ' ');
    assert_non_null(after);
    bytes_at(after + 1, &signature);
    assert_int_equal(signature.len, 4 + SIGNATURE_BYTES);
    note.ptr[len / 2] ^= flip ? 1 : 0;
    EVP_PKEY *with = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, KEY_BYTES);
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    assert_non_null(with);
    assert_int_equal(EVP_DigestVerifyInit(c, NULL, NULL, NULL, with), 1);
    const int rc = EVP_DigestVerify(c, signature.ptr + 4, SIGNATURE_BYTES, note.ptr, len);
    EVP_MD_CTX_free(c);
    EVP_PKEY_free(with);
    return rc == 1;
}

/* Both keys as they are printed, in --json and without. */
static void
exported(struct room *m, uint8_t ret_signing[static KEY_BYTES], char ret_vkey[static 256])
{
    RUN(m, 0, "key", "export-public", "--json");
    DEFER(js_freep) json_t *o = out_json(m);
    DEFER(buf_done) struct buf key;
    DEFER(buf_done) struct buf of_log;
    has_keys(o, "algorithm public_key log_vkey");
    assert_int_equal(json_object_size(o), 3);
    assert_string_equal(json_string_value(json_object_get(o, "algorithm")), "Ed25519");
    const char *text = json_string_value(json_object_get(o, "public_key"));
    (void)snprintf(ret_vkey, 256, "%s", json_string_value(json_object_get(o, "log_vkey")));
    bytes_at(text, &key);
    assert_int_equal(key.len, KEY_BYTES);
    memcpy(ret_signing, key.ptr, KEY_BYTES);
    /* origin+hash+base64 of the kind of key (1) and the key. */
    const char *hash = strchr(ret_vkey, '+'), *base = strchr(hash == NULL ? "" : hash + 1, '+');
    assert_non_null(base);
    bytes_at(base + 1, &of_log);
    assert_int_equal(of_log.len, 1 + KEY_BYTES);
    assert_int_equal(of_log.ptr[0], 1);
    assert_memory_equal(of_log.ptr + 1, ret_signing, KEY_BYTES);
    RUN(m, 0, "key", "export-public");
    OUT_HAS(m, text);
    OUT_HAS(m, ret_vkey);
}

static void
what_is_exported_checks_the_log(void **state)
{
    struct room *m = *state;
    uint8_t key[KEY_BYTES], other[KEY_BYTES];
    char vkey[256];
    exported(m, key, vkey);
    assert_true(verifies(m, key, false));
    assert_false(verifies(m, key, true));
    memcpy(other, key, sizeof other);
    other[0] ^= 1;
    assert_false(verifies(m, other, false));
    RUN(m, 0, "audit", "verify", "--vkey", vkey);
    RUN(m, 0, "key", "rotate"); /* of the workspace's key: signatures stay what they are */
    uint8_t after[KEY_BYTES];
    char vkey_after[256];
    exported(m, after, vkey_after);
    assert_memory_equal(after, key, sizeof key);
    assert_string_equal(vkey_after, vkey);
    assert_true(verifies(m, after, false));
}

/* Public keys are no secret, and old signatures are to be checked still. */
static void
needs_no_passphrase_and_no_key_that_may_be_used(void **state)
{
    struct room *m = *state;
    uint8_t key[KEY_BYTES], revoked[KEY_BYTES], without[KEY_BYTES];
    char vkey[256];
    exported(m, key, vkey);
    RUN(m, 0, "key", "revoke", "--reason", "leaked");
    RUN(m, 3, "principal", "list"); /* nothing opens */
    exported(m, revoked, vkey);
    assert_memory_equal(revoked, key, sizeof key);
    assert_true(verifies(m, revoked, false));
    (void)unsetenv("STEWARD_PASSPHRASE");
    exported(m, without, vkey);
    (void)setenv("STEWARD_PASSPHRASE", "correct horse", 1);
    assert_memory_equal(without, key, sizeof key);
    RUN(m, 0, "key", "restore");
}

static void
takes_no_other_word_and_says_what_is_missing(void **state)
{
    struct room *m = *state;
    RUN(m, 2, "key", "export-public", "keys.pem");
    ERR_HAS(m, "key export-public: too many words");
    RUN(m, 2, "key", "export-public", "--private");
    ERR_HAS(m, "no option --private");
    RUN(m, 2, "key", "export-public", "--reason", "x");
    ERR_HAS(m, "no option --reason");
    RUN(m, 4, "key", "export-public", "--workspace", in(m, "nowhere"));
    ERR_HAS(m, "nowhere");
    assert_int_equal(m->r.out.len, 0);
    assert_int_equal(unlink(in(m, "w/keys/signing.pub")), 0);
    RUN(m, 4, "key", "export-public");
    ERR_HAS(m, "signing.pub");
    assert_int_equal(m->r.out.len, 0);
}

int
main(void)
{
#define TEST(F) cmocka_unit_test_setup_teardown(F, room_with_log, room_done)
    const struct CMUnitTest tests[] = {
        TEST(what_is_exported_checks_the_log),
        TEST(needs_no_passphrase_and_no_key_that_may_be_used),
        TEST(takes_no_other_word_and_says_what_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
