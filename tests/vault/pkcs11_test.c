/* Against SoftHSM2, a token in software; skipped where its module is not installed. */
#include "testing/softhsm.h"

#include "base/file.h"
#include "vault/pkcs11_uri.h"
#include "vault/provider.h"
#include "vault/rotation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MODULE SOFTHSM_MODULE
#define PIN SOFTHSM_PIN
#define URI SOFTHSM_URI

static char *dir; /* tokens/, conf, keys/ */

/* ---- URIs ---- */

static void
refuses_uris_with_a_sentence(void **state)
{
    static const char *const refused[][2] = {
        {"pkcs11:", "not a PKCS#11 URI"},
        {"pkcs11:token=a", "names no key"},
        {"pkcs11:object=a", "names no token"},
        {"pkcs11:token=a;object=b;", "is not an attribute"},
        {"pkcs11:token=a;token=a;object=b", "\"token\" stands there twice"},
        {"pkcs11:token=a;object=", "\"object\" has no value"},
        {"pkcs11:token=a;object=b;colour=c", "\"colour\""},
        {"pkcs11:token=a;object=%4", "\"object\" has a byte"},
        {"pkcs11:token=a;object=a b", "\"object\" has a byte"},
        {"pkcs11:token=a;object=%00", "\"object\" is not text"},
        {"pkcs11:token=a;object=%FF", "\"object\" is not text"},
        {"pkcs11:token=123456789012345678901234567890123;object=b", "\"token\" is too long"},
        {"pkcs11:token=a;object=b;type=private", "secret-key"},
        {"pkcs11:slot-id=x;object=b", "not a number"},
        {"pkcs11:token=a;object=b?module-path=m.so", "absolute path"},
        {"pkcs11:token=a;object=b?pin-source=|program", "absolute path"},
        {"pkcs11:token=a;object=b?pin-value=1234", "pin-source=file:PATH"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct pkcs11_uri u;
        struct diag diag = {0};
        assert_status(pkcs11_uri_parse(view_str(refused[i][0]), &diag, &u), INPUT);
        assert_says(&diag, refused[i][1]);
        assert_null(strstr(diag.text, "1234"));
    }
}

static void
reads_what_a_uri_says(void **state)
{
    struct pkcs11_uri u;
    (void)state;
    assert_ok(pkcs11_uri_parse(view_str("pkcs11:token=My%20token;serial=12;object=k;id=%01b;"
                                        "type=secret-key?module-path=/m.so&pin-source=file:///p"),
                               NULL, &u));
    assert_string_equal(u.token, "My token");
    assert_string_equal(u.serial, "12");
    assert_string_equal(u.object, "k");
    assert_int_equal(u.id_len, 2);
    assert_memory_equal(u.id, "\001b", 2);
    assert_string_equal(u.module_path, "/m.so");
    assert_string_equal(u.pin_source, "/p");
}

static int
set_up(void **state)
{
    (void)state;
    dir = testing_dir();
    if (softhsm_is_there()) {
        softhsm_make(dir);
    }
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    testing_dirp(&dir);
    return 0;
}

#define NEEDS_TOKEN                                                                                \
    if (!softhsm_is_there()) {                                                                     \
        skip();                                                                                    \
    }

/* ---- the provider ---- */

static struct status
provider_of(const char *uri, const char *pin, struct diag *diag, struct provider **ret_provider)
{
    DEFER(secret_done) struct secret credential = {0};
    if (*pin != '\0') {
        assert_ok(secret_from(view_str(pin), &credential));
    }
    const struct provider_means means = {.credential = &credential};
    return provider_new(uri, &means, diag, ret_provider);
}

static struct status
wrap_with(const char *uri, const char *pin, struct diag *diag, struct buf *ret_state)
{
    DEFER(provider_freep) struct provider *p = NULL;
    DEFER(secret_done) struct secret key = {0};
    assert_ok(secret_new(VAULT_KEY_BYTES, &key));
    memset(key.ptr, 7, key.len);
    TRY(provider_of(uri, pin, diag, &p));
    return provider_table(p)->wrap(provider_table(p)->ctx, &key, ret_state, diag);
}

static void
refuses_what_cannot_hold_a_key(void **state)
{
    static const struct {
        const char *uri, *pin;
        int32_t code;
        const char *says;
    } refused[] = {
        {URI("object=gcm"), "", STATUS_AUTH, "STEWARD_PKCS11_PIN"},
        {URI("object=gcm"), "9999", STATUS_AUTH, "locks itself"},
        {URI("object=absent"), PIN, STATUS_NOT_FOUND, "no such secret key"},
        {"pkcs11:token=absent;object=gcm?module-path=" MODULE, PIN, STATUS_NOT_FOUND,
         "no such token"},
        {URI("object=twin"), PIN, STATUS_NOT_FOUND, "several keys"},
        {URI("object=open"), PIN, STATUS_DENIED, "CKA_EXTRACTABLE"},
        {URI("object=none"), PIN, STATUS_UNSUPPORTED, "CKM_AES_KEY_WRAP"},
        {"pkcs11:token=house;object=gcm", PIN, STATUS_NOT_FOUND, "module-path"},
        {"pkcs11:token=house;object=gcm?module-path=/nonexistent.so", PIN, STATUS_NOT_FOUND,
         "/nonexistent.so"},
        {"pkcs11:token=house;object=gcm?module-path=/bin/true", PIN, STATUS_UNSUPPORTED,
         "not a PKCS#11 module"},
    };
    (void)state;
    NEEDS_TOKEN
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct diag diag = {0};
        DEFER(buf_done) struct buf text;
        buf_init(&text, 4096);
        const struct status s = wrap_with(refused[i].uri, refused[i].pin, &diag, &text);
        testing_status(s, refused[i].code, refused[i].uri, __FILE__, __LINE__);
        assert_says(&diag, refused[i].says);
    }
}

/* A folder that others than root may change: whoever writes workspace.json must not get code run.
 */
static void
loads_no_module_that_others_can_write(void **state)
{
    DEFER(file_freep) char *module = file_join(dir, "m.so");
    DEFER(buf_done) struct buf bytes;
    DEFER(buf_done) struct buf text;
    char uri[PKCS11_URI_MAX];
    struct diag diag = {0};
    (void)state;
    NEEDS_TOKEN
    buf_init(&bytes, 16 << 20);
    buf_init(&text, 4096);
    testing_read(MODULE, &bytes);
    testing_write(module, buf_view(&bytes));
    assert_int_equal(chmod(module, 0666), 0);
    (void)snprintf(uri, sizeof uri, "pkcs11:token=house;object=gcm?module-path=%s", module);
    assert_status(wrap_with(uri, PIN, &diag, &text), DENIED);
    assert_says(&diag, "STEWARD_PKCS11_MODULE");
    assert_int_equal(setenv("STEWARD_PKCS11_MODULE", module, 1), 0);
    const struct status trusted = wrap_with(uri, PIN, &diag, &text);
    assert_int_equal(unsetenv("STEWARD_PKCS11_MODULE"), 0);
    assert_ok(trusted);
}

static void
takes_a_wrong_pin_once_only(void **state)
{
    DEFER(provider_freep) struct provider *p = NULL;
    DEFER(secret_done) struct secret key = {0};
    struct diag diag = {0};
    (void)state;
    NEEDS_TOKEN
    assert_ok(secret_new(VAULT_KEY_BYTES, &key));
    assert_ok(provider_of(URI("object=gcm"), "9999", &diag, &p));
    for (unsigned i = 0; i < 3; i++) {
        DEFER(buf_done) struct buf text;
        buf_init(&text, 4096);
        assert_status(provider_table(p)->wrap(provider_table(p)->ctx, &key, &text, &diag), AUTH);
        assert_says(&diag, i == 0 ? "C_Login" : "wrong before");
    }
}

static struct status
unwrap_with(const char *uri, struct view text, struct diag *diag)
{
    DEFER(provider_freep) struct provider *p = NULL;
    DEFER(secret_done) struct secret key = {0};
    uint8_t right[VAULT_KEY_BYTES];
    memset(right, 7, sizeof right);
    assert_ok(provider_of(uri, PIN, diag, &p));
    TRY(provider_table(p)->unwrap(provider_table(p)->ctx, text, &key, diag));
    assert_int_equal(key.len, sizeof right);
    assert_memory_equal(key.ptr, right, sizeof right);
    return OK;
}

/* Letters of what the token made, one after the other. */
static void
opens_what_it_wrapped_and_no_flipped_byte(const char *uri, const char *mechanism)
{
    DEFER(buf_done) struct buf text;
    struct diag diag = {0};
    buf_init(&text, 4096);
    assert_ok(wrap_with(uri, PIN, &diag, &text));
    assert_text_has(buf_str(&text), mechanism);
    assert_ok(unwrap_with(uri, buf_view(&text), &diag));
    char *wrapped = strstr((char *)text.ptr, "\"wrapped\":\"") + 11;
    for (size_t i = 0; i < 52; i += 3) {
        const char was = wrapped[i];
        wrapped[i] = was == 'A' ? 'B' : 'A';
        assert_status(unwrap_with(uri, buf_view(&text), &diag), INTEGRITY);
        wrapped[i] = was;
    }
}

static void
wraps_by_either_mechanism(void **state)
{
    (void)state;
    NEEDS_TOKEN
    opens_what_it_wrapped_and_no_flipped_byte(URI("object=gcm"), "CKM_AES_GCM");
    opens_what_it_wrapped_and_no_flipped_byte(URI("object=wrap"), "CKM_AES_KEY_WRAP");
}

static void
is_withdrawn_while_the_token_is_out(void **state)
{
    DEFER(file_freep) char *keys = file_join(dir, "keys");
    DEFER(provider_freep) struct provider *p = NULL;
    DEFER(vault_freep) struct vault *v = NULL;
    struct diag diag = {0};
    (void)state;
    NEEDS_TOKEN
    assert_ok(file_mkdirs(keys, 0700, &diag));
    assert_ok(provider_of(URI("object=gcm"), PIN, &diag, &p));
    assert_ok(vault_create(keys, provider_table(p), &diag, &v));
    vault_hold(v, provider_table(p));
    assert_ok(vault_check(v, &diag));
    softhsm_pull(dir);
    assert_status(vault_check(v, &diag), NOT_FOUND);
    assert_says(&diag, "no such token");
    assert_status(vault_usable(v, &diag), DENIED);
    softhsm_put_back(dir);
    assert_ok(vault_check(v, &diag));
    assert_ok(vault_usable(v, &diag));
}

/* ---- the verbs ---- */

#define STEWARD(CODE, ...)                                                                         \
    do {                                                                                           \
        testing_run_done(&r);                                                                      \
        testing_steward(&r, __VA_ARGS__, NULL);                                                    \
        if (r.exit_code != (CODE)) {                                                               \
            print_error("%s\n", buf_str(&r.err));                                                  \
        }                                                                                          \
        assert_int_equal(r.exit_code, CODE);                                                       \
    } while (0)

static void
a_workspace_changes_hands(void **state)
{
    DEFER(file_freep) char *w = file_join(dir, "w");
    DEFER(testing_run_done) struct testing_run r = {0};
    (void)state;
    NEEDS_TOKEN
    assert_int_equal(setenv("STEWARD_PKCS11_PIN", PIN, 1), 0);
    STEWARD(0, "init", w, "--provider", URI("object=gcm"));
    STEWARD(0, "key", "list", "--workspace", w);
    assert_text_has(buf_str(&r.out), "pkcs11:token=house");
    STEWARD(0, "key", "rotate", "--workspace", w);
    assert_int_equal(setenv("STEWARD_NEW_PASSPHRASE", "a new passphrase", 1), 0);
    STEWARD(0, "key", "rewrap", "--workspace", w);
    assert_int_equal(unsetenv("STEWARD_NEW_PASSPHRASE"), 0);
    assert_int_equal(setenv("STEWARD_PASSPHRASE", "a new passphrase", 1), 0);
    STEWARD(0, "key", "rewrap", "--to", URI("object=wrap"), "--workspace", w);
    assert_int_equal(setenv("STEWARD_PKCS11_PIN", "9999", 1), 0);
    STEWARD(3, "key", "list", "--workspace", w);
    assert_text_has(buf_str(&r.err), "wrong PIN");
    assert_int_equal(setenv("STEWARD_PKCS11_PIN", PIN, 1), 0);
    STEWARD(0, "key", "list", "--workspace", w);
}

static void
a_backup_is_verified_and_restored_with_the_token(void **state)
{
    DEFER(file_freep) char *w = file_join(dir, "kept");
    DEFER(file_freep) char *file = file_join(dir, "kept.backup");
    DEFER(file_freep) char *again = file_join(dir, "again");
    DEFER(testing_run_done) struct testing_run r = {0};
    (void)state;
    NEEDS_TOKEN
    assert_int_equal(setenv("STEWARD_PKCS11_PIN", PIN, 1), 0);
    STEWARD(0, "init", w, "--provider", URI("object=gcm"));
    STEWARD(0, "backup", "create", file, "--workspace", w);
    assert_int_equal(setenv("STEWARD_PKCS11_PIN", "9999", 1), 0);
    STEWARD(3, "backup", "restore", file, again);
    assert_text_has(buf_str(&r.err), "wrong PIN");
    assert_false(file_exists(again));
    assert_int_equal(setenv("STEWARD_PKCS11_PIN", PIN, 1), 0);
    STEWARD(0, "backup", "verify", file);
    softhsm_pull(dir);
    STEWARD(4, "backup", "restore", file, again);
    softhsm_put_back(dir);
    assert_false(file_exists(again));
    STEWARD(0, "backup", "restore", file, again);
    STEWARD(0, "key", "list", "--workspace", again);
    assert_text_has(buf_str(&r.out), "pkcs11:token=house");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_uris_with_a_sentence),
        cmocka_unit_test(refuses_what_cannot_hold_a_key),
        cmocka_unit_test(loads_no_module_that_others_can_write),
        cmocka_unit_test(takes_a_wrong_pin_once_only),
        cmocka_unit_test(reads_what_a_uri_says),
        cmocka_unit_test(wraps_by_either_mechanism),
        cmocka_unit_test(is_withdrawn_while_the_token_is_out),
        cmocka_unit_test(a_workspace_changes_hands),
        cmocka_unit_test(a_backup_is_verified_and_restored_with_the_token),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
