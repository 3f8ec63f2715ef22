/* Truth from another implementation: data/sealed.json (made by data/make_vectors.py), and
 * data/open_sealed.py, which opens what we sealed with Python's standard library alone. */
#include "testing/testing.h"

#include "base/digest.h"
#include "base/file.h"
#include "base/text.h"
#include "testing/vault.h"
#include "vault/seal.h"

#include <stdlib.h>
#include <string.h>

static struct {
    json_t *o;
    char *dir;
    struct vault *vault;
} given;

static const char *
text_of(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    assert_non_null(text);
    return text;
}

static void
base64_of(const json_t *o, const char *key, struct buf *ret_bytes)
{
    buf_init(ret_bytes, 1u << 20);
    assert_ok(text_from_base64(view_str(text_of(o, key)), ret_bytes));
}

static void
write_given(const char *name, struct view bytes)
{
    DEFER(file_freep) char *path = file_join(given.dir, name);
    testing_write(path, bytes);
}

static int
set_up(void **state)
{
    (void)state;
    DEFER(file_freep) char *path = testing_source("tests/vault/data/sealed.json");
    DEFER(buf_done) struct buf sealed;
    given.o = testing_read_json(path);
    given.dir = testing_dir();
    base64_of(given.o, "signing.sealed", &sealed);
    write_given("workspace.json", view_str(text_of(given.o, "workspace.json")));
    write_given("signing.sealed", buf_view(&sealed));
    buf_done(&sealed);
    base64_of(given.o, "mac.sealed", &sealed);
    write_given("mac.sealed", buf_view(&sealed));
    write_given("signing.pub", view_str(text_of(given.o, "signing.pub")));
    assert_string_equal(text_of(given.o, "passphrase"), TESTING_PASSPHRASE);
    given.vault = testing_vault_again(given.dir);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    vault_free(given.vault);
    testing_dirp(&given.dir);
    json_decref(given.o);
    return 0;
}

static void
put_pattern(struct buf *b, size_t n)
{
    buf_init(b, n);
    uint8_t *at = buf_extend(b, n);
    for (size_t i = 0; i < n; i++) {
        at[i] = (uint8_t)(i * 7 + i / 256);
    }
}

static void
opens_the_objects_of_another_implementation(void **state)
{
    (void)state;
    size_t i = 0;
    json_t *o = NULL;
    assert_int_equal(json_array_size(json_object_get(given.o, "objects")), 4);
    json_array_foreach(json_object_get(given.o, "objects"), i, o)
    {
        DEFER(buf_done) struct buf sealed;
        DEFER(buf_done) struct buf plain;
        DEFER(buf_done) struct buf right;
        DEFER(file_freep) char *path = file_join(given.dir, "object");
        struct diag diag = {0};
        struct seal_id id = {text_of(o, "kind"), text_of(o, "name"), 0};
        assert_ok(text_to_u64(view_str(text_of(o, "version")), &id.version));
        base64_of(o, "sealed", &sealed);
        put_pattern(&right, (size_t)json_integer_value(json_object_get(o, "size")));
        testing_write(path, buf_view(&sealed));
        buf_init(&plain, right.len);
        assert_ok(seal_open_file(given.vault, path, id, right.len, &diag, &plain));
        assert_true(view_equal(buf_view(&plain), buf_view(&right)));
    }
}

static void
opens_the_record_and_agrees_on_mac_and_signature(void **state)
{
    (void)state;
    const json_t *r = json_object_get(given.o, "record"), *m = json_object_get(given.o, "mac");
    const json_t *s = json_object_get(given.o, "signature");
    DEFER(buf_done) struct buf sealed;
    DEFER(buf_done) struct buf plain;
    DEFER(buf_done) struct buf hex;
    uint8_t mac[32], signature[64];
    buf_init(&plain, 100);
    buf_init(&hex, 256);
    base64_of(r, "sealed", &sealed);
    assert_ok(vault_open_record(given.vault, text_of(r, "purpose"), view_str(text_of(r, "context")),
                                buf_view(&sealed), &plain));
    assert_string_equal(buf_str(&plain), text_of(r, "plain"));
    assert_ok(vault_mac(given.vault, text_of(m, "purpose"), view_str(text_of(m, "message")), mac));
    text_put_hex(&hex, view_of(mac, 32));
    assert_string_equal(buf_str(&hex), text_of(m, "mac"));
    buf_reset(&hex);
    assert_ok(
        vault_sign(given.vault, VAULT_SIGN_MODEL, view_str(text_of(s, "message")), signature));
    text_put_hex(&hex, view_of(signature, 64));
    assert_string_equal(buf_str(&hex), text_of(s, "signature"));
}

/* The vectors' signing key is that of RFC 8032, section 7.1, test 2. */
static void
signs_as_rfc_8032_says(void **state)
{
    (void)state;
    uint8_t signature[64];
    DEFER(buf_done) struct buf hex;
    buf_init(&hex, 256);
    assert_ok(vault_sign(given.vault, VAULT_SIGN_MODEL, view_str("\x72"), signature));
    text_put_hex(&hex, view_of(signature, 64));
    assert_string_equal(
        buf_str(&hex),
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e"
        "458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
}

static void
check_with_python(char *script, char *path, size_t n)
{
    DEFER(buf_done) struct buf plain;
    DEFER(buf_done) struct buf hex;
    struct digest d;
    struct testing_run run;
    put_pattern(&plain, n);
    buf_init(&hex, 128);
    digest_of(buf_view(&plain), &d);
    digest_put_hex(&hex, &d);
    buf_put_str(&hex, "\n");
    assert_ok(
        seal_file(given.vault, path, (struct seal_id){"model", "ours", n}, buf_view(&plain), NULL));
    char version[24];
    (void)snprintf(version, sizeof version, "%zu", n);
    char python[] = "python3", passphrase[] = TESTING_PASSPHRASE, kind[] = "model", name[] = "ours";
    char *argv[] = {python, script, given.dir, passphrase, path, kind, name, version, NULL};
    testing_run(argv, &run);
    if (run.exit_code != 0) {
        print_error("%s\n", buf_str(&run.err));
    }
    assert_int_equal(run.exit_code, 0);
    assert_string_equal(buf_str(&run.out), buf_str(&hex));
    testing_run_done(&run);
}

static void
is_opened_by_another_implementation(void **state)
{
    (void)state;
    if (system("python3 -c 'import hashlib; hashlib.scrypt' 2>/dev/null") != 0) {
        print_message("# SKIP: no python3 with scrypt here\n");
        skip();
    }
    static const size_t sizes[] = {0, 1, 16, 1000, 65536, 65537};
    DEFER(file_freep) char *script = testing_source("tests/vault/data/open_sealed.py");
    DEFER(file_freep) char *path = file_join(given.dir, "ours");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        check_with_python(script, path, sizes[i]);
    }
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(opens_the_objects_of_another_implementation),
        cmocka_unit_test(opens_the_record_and_agrees_on_mac_and_signature),
        cmocka_unit_test(signs_as_rfc_8032_says),
        cmocka_unit_test(is_opened_by_another_implementation),
    };
    return cmocka_run_group_tests(cases, set_up, tear_down);
}
