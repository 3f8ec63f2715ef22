#include "testing/testing.h"

#include "base/file.h"
#include "base/text.h"
#include "testing/vault.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- what the tests share ---- */

struct house {
    char *dir;
    struct vault *vault;
};

static struct house
build(void)
{
    char *dir = testing_dir();
    return (struct house){dir, testing_vault(dir)};
}

static void
pull_down(struct house *h)
{
    vault_free(h->vault);
    testing_dirp(&h->dir);
}

static struct status
open_with(const char *dir, const char *passphrase, struct diag *diag)
{
    struct secret p = {0};
    struct vault *v = NULL;
    assert_ok(secret_from(view_str(passphrase), &p));
    const struct vault_provider provider = vault_passphrase_provider(&p);
    const struct status s = vault_open(dir, &provider, diag, &v);
    vault_free(v);
    secret_done(&p);
    return s;
}

static struct status
create_with(const char *dir, const char *passphrase, struct diag *diag)
{
    struct secret p = {0};
    struct vault *v = NULL;
    assert_ok(secret_from(view_str(passphrase), &p));
    const struct vault_provider provider = vault_passphrase_provider(&p);
    const struct status s = vault_create(dir, &provider, diag, &v);
    vault_free(v);
    secret_done(&p);
    return s;
}

/* Both variables for one scrypt cost; NULL unsets. The tests run with 10 and 1. */
static void
set_cost(const char *log2n, const char *insecure)
{
    (void)(log2n == NULL ? unsetenv("STEWARD_SCRYPT_LOG2N")
                         : setenv("STEWARD_SCRYPT_LOG2N", log2n, 1));
    (void)(insecure == NULL ? unsetenv("STEWARD_INSECURE_TEST_KEYS")
                            : setenv("STEWARD_INSECURE_TEST_KEYS", insecure, 1));
}

static void
write_in(const char *dir, const char *name, struct view bytes)
{
    DEFER(file_freep) char *path = file_join(dir, name);
    testing_write(path, bytes);
}

static void
read_in(const char *dir, const char *name, struct buf *ret_bytes)
{
    DEFER(file_freep) char *path = file_join(dir, name);
    testing_read(path, ret_bytes);
}

/* ---- new keys ---- */

static void
refuses_a_short_passphrase(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    struct diag diag = {0};
    assert_status(create_with(dir, "seven77", &diag), INPUT);
    assert_says(&diag, "the passphrase is 7 bytes long; take at least 8");
    assert_ok(create_with(dir, "eight888", &diag));
}

static void
refuses_cheap_scrypt_unless_told_that_it_is_a_test(void **state)
{
    (void)state;
    static const struct {
        const char *log2n, *insecure, *says;
    } cases[] = {
        {"10", NULL, "STEWARD_SCRYPT_LOG2N=10: too cheap to guess against; unset it or take 17"},
        {"16", NULL, "STEWARD_INSECURE_TEST_KEYS=1 allows it"},
        {"16", "", "too cheap"},
        {"16", "0", "too cheap"},
        {"16", "yes", "too cheap"},
        {"9", "1", "a number from 17 to 20"},
        {"0", "1", "a number from 17 to 20"},
        {"21", "1", "a number from 17 to 20"},
        {"18446744073709551616", "1", "a number from 17 to 20"},
        {"", "1", "a number from 17 to 20"},
        {"-10", "1", "a number from 17 to 20"},
        {"1e1", "1", "STEWARD_SCRYPT_LOG2N=1e1: scrypt's cost is a number"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        DEFER(testing_dirp) char *dir = testing_dir();
        DEFER(file_freep) char *path = file_join(dir, "workspace.json");
        struct diag diag = {0};
        set_cost(cases[i].log2n, cases[i].insecure);
        assert_status(create_with(dir, TESTING_PASSPHRASE, &diag), INPUT);
        assert_says(&diag, cases[i].says);
        assert_false(file_exists(path));
    }
    set_cost("10", "1");
}

static void
refuses_to_replace_a_workspace_key(void **state)
{
    (void)state;
    DEFER(pull_down) struct house h = build();
    struct diag diag = {0};
    assert_status(create_with(h.dir, TESTING_PASSPHRASE, &diag), EXISTS);
    assert_says(&diag, "workspace.json: exists already");
    assert_ok(open_with(h.dir, TESTING_PASSPHRASE, &diag));
}

static int64_t
cost_in_file(const char *dir)
{
    DEFER(file_freep) char *path = file_join(dir, "workspace.json");
    DEFER(js_freep) json_t *o = testing_read_json(path);
    return json_integer_value(json_object_get(json_object_get(o, "state"), "log2n"));
}

static void
writes_down_the_cost_and_warns_of_a_cheap_one(void **state)
{
    (void)state;
    static const struct {
        const char *log2n, *insecure;
        int64_t used;
        bool warns;
    } cases[] = {{"10", "1", 10, true}, {"16", "1", 16, true}, {NULL, NULL, 17, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        set_cost(cases[i].log2n, cases[i].insecure);
        DEFER(pull_down) struct house h = build();
        assert_int_equal(cost_in_file(h.dir), cases[i].used);
        struct vault *again = testing_vault_again(h.dir);
        const char *warning = vault_warning(again);
        assert_int_equal(warning != NULL, cases[i].warns);
        if (warning != NULL) {
            assert_text_has(warning, "cheap to guess");
        }
        vault_free(again);
    }
    set_cost("10", "1");
}

static void
never_lets_the_environment_touch_opening(void **state)
{
    (void)state;
    static const char *const values[] = {"17", "12", "junk", NULL};
    DEFER(pull_down) struct house h = build();
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct diag diag = {0};
        set_cost(values[i], NULL);
        assert_ok(open_with(h.dir, TESTING_PASSPHRASE, &diag));
    }
    set_cost("10", "1");
}

/* ---- opening ---- */

static void
refuses_a_wrong_passphrase(void **state)
{
    (void)state;
    static const char *const wrong[] = {"correct horse battery stapl",
                                        "correct horse battery staple ",
                                        "Correct horse battery staple", "x"};
    DEFER(pull_down) struct house h = build();
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct diag diag = {0};
        assert_status(open_with(h.dir, wrong[i], &diag), AUTH);
        assert_says(&diag, "workspace.json: wrong passphrase");
    }
}

static void
tells_a_wrong_passphrase_from_the_command_line(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(file_freep) char *home = file_join(dir, "home");
    DEFER(file_freep) char *right = file_join(dir, "right");
    DEFER(file_freep) char *wrong = file_join(dir, "wrong");
    struct testing_run run;
    testing_write(right, view_str("right passphrase\n"));
    testing_write(wrong, view_str("wrong passphrase\n"));
    testing_steward(&run, "init", home, "--passphrase-file", right, NULL);
    assert_int_equal(run.exit_code, 0);
    testing_run_done(&run);
    testing_steward(&run, "principal", "list", "--workspace", home, "--passphrase-file", wrong,
                    NULL);
    assert_int_equal(run.exit_code, 3);
    assert_text_has(buf_str(&run.err), "keys/workspace.json: wrong passphrase");
    assert_int_equal(run.out.len, 0);
    testing_run_done(&run);
    testing_steward(&run, "principal", "list", "--workspace", home, "--passphrase-file", right,
                    NULL);
    assert_int_equal(run.exit_code, 0);
    testing_run_done(&run);
}

static void
refuses_cheap_scrypt_from_the_command_line(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(file_freep) char *home = file_join(dir, "home");
    DEFER(file_freep) char *file = file_join(dir, "passphrase");
    struct testing_run run;
    testing_write(file, view_str(TESTING_PASSPHRASE));
    set_cost("10", NULL);
    testing_steward(&run, "init", home, "--passphrase-file", file, NULL);
    set_cost("10", "1");
    assert_int_equal(run.exit_code, 2);
    assert_text_has(buf_str(&run.err), "STEWARD_SCRYPT_LOG2N=10: too cheap to guess against");
    assert_false(file_exists(home));
    testing_run_done(&run);
}

#define HEAD "{\"format\":\"steward-keys-2\",\"generation\":1,\"made\":\"2026-11-25T01:00:00Z\","
#define STATE_OF(LOG2N, R, P)                                                                      \
    HEAD "\"provider\":\"passphrase\",\"state\":{\"kdf\":\"scrypt\","                              \
         "\"log2n\":" LOG2N ",\"r\":" R ",\"p\":" P ",\"salt\":\"AAAAAAAAAAAAAAAAAAAAAA==\","      \
         "\"sealed\":\"\"}}"

static void
refuses_costs_that_a_stranger_chose(void **state)
{
    (void)state;
    static const char *const texts[] = {
        STATE_OF("9", "8", "1"),  STATE_OF("0", "8", "1"),
        STATE_OF("-1", "8", "1"), STATE_OF("21", "8", "1"),
        STATE_OF("63", "8", "1"), STATE_OF("9223372036854775807", "8", "1"),
        STATE_OF("10", "1", "1"), STATE_OF("10", "1073741824", "1"),
        STATE_OF("10", "8", "0"), STATE_OF("10", "8", "1000000")};
    DEFER(pull_down) struct house h = build();
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct diag diag = {0};
        write_in(h.dir, "workspace.json", view_str(texts[i]));
        assert_status(open_with(h.dir, TESTING_PASSPHRASE, &diag), INTEGRITY);
        assert_says(&diag, "this steward takes scrypt with log2n 10 to 20, r 8, p 1");
    }
}

static void
refuses_a_damaged_key_file_with_the_reason(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int32_t code;
        const char *says;
    } cases[] = {
        {"", STATUS_INTEGRITY, "workspace.json: "},
        {"\x7f"
         "ELF",
         STATUS_INTEGRITY, "workspace.json: "},
        {"[]", STATUS_INTEGRITY, "\"format\""},
        {HEAD "\"x\":1}", STATUS_INTEGRITY, "\"provider\""},
        {HEAD "\"provider\":\"passphrase\"}", STATUS_INTEGRITY, "\"state\""},
        {HEAD "\"provider\":\"passphrase\",\"state\":[]}", STATUS_INTEGRITY, "\"state\""},
        {HEAD "\"provider\":\"passphrase\",\"state\":{}}", STATUS_INTEGRITY, "\"kdf\""},
        {STATE_OF("10", "8", "1"), STATUS_INTEGRITY, "\"sealed\" is not the base64 of 60 bytes"},
        {STATE_OF("\"10\"", "8", "1"), STATUS_INTEGRITY, "\"log2n\""},
        {"{\"format\":\"steward-keys-1\",\"provider\":\"passphrase\",\"state\":{}}",
         STATUS_UNSUPPORTED,
         "format \"steward-keys-1\" with provider \"passphrase\"; this steward"},
        {HEAD "\"provider\":\"pkcs11\",\"state\":{}}", STATUS_UNSUPPORTED,
         "with provider \"pkcs11\""},
    };
    DEFER(pull_down) struct house h = build();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct diag diag = {0};
        write_in(h.dir, "workspace.json", view_str(cases[i].text));
        testing_status(open_with(h.dir, TESTING_PASSPHRASE, &diag), cases[i].code, cases[i].text,
                       __FILE__, __LINE__);
        assert_says(&diag, cases[i].says);
    }
}

static void
refuses_a_key_file_without_end(void **state)
{
    (void)state;
    DEFER(pull_down) struct house h = build();
    static char much[100000];
    struct diag diag = {0};
    memset(much, ' ', sizeof much);
    write_in(h.dir, "workspace.json", view_of(much, sizeof much));
    assert_status(open_with(h.dir, TESTING_PASSPHRASE, &diag), INTEGRITY);
    assert_says(&diag, "workspace.json: longer than 65536 bytes");
}

static void
says_which_key_file_is_missing(void **state)
{
    (void)state;
    static const char *const names[] = {"workspace.json", "mac.sealed", "signing.sealed",
                                        "signing.pub"};
    for (size_t i = 0; i < 4; i++) {
        DEFER(pull_down) struct house h = build();
        DEFER(file_freep) char *path = file_join(h.dir, names[i]);
        struct diag diag = {0};
        assert_int_equal(unlink(path), 0);
        assert_status(open_with(h.dir, TESTING_PASSPHRASE, &diag), NOT_FOUND);
        assert_says(&diag, names[i]);
    }
}

/* Flips a bit of each byte of a file in turn: none of the copies may open. */
static void
refuse_every_flip_of(const char *name)
{
    DEFER(pull_down) struct house h = build();
    struct buf bytes;
    read_in(h.dir, name, &bytes);
    for (size_t i = 0; i < bytes.len; i++) {
        struct diag diag = {0};
        bytes.ptr[i] ^= 1;
        write_in(h.dir, name, buf_view(&bytes));
        const struct status s = open_with(h.dir, TESTING_PASSPHRASE, &diag);
        bytes.ptr[i] ^= 1;
        if (s.code != STATUS_INTEGRITY && s.code != STATUS_AUTH && s.code != STATUS_UNSUPPORTED) {
            fail_msg("%s: byte %zu flipped gave %s", name, i, status_word(s.code));
        }
        assert_says(&diag, name);
    }
    write_in(h.dir, name, buf_view(&bytes));
    assert_ok(open_with(h.dir, TESTING_PASSPHRASE, NULL));
    buf_done(&bytes);
}

static void
refuses_every_flipped_byte_of_the_key_files(void **state)
{
    (void)state;
    refuse_every_flip_of("workspace.json");
    refuse_every_flip_of("mac.sealed");
    refuse_every_flip_of("signing.sealed");
    refuse_every_flip_of("signing.pub");
}

/* The cost is bound: a cheaper or dearer one in the file does not open, right passphrase or not. */
static void
refuses_a_changed_cost(void **state)
{
    (void)state;
    DEFER(pull_down) struct house h = build();
    struct buf bytes;
    read_in(h.dir, "workspace.json", &bytes);
    char *at = strstr((char *)bytes.ptr, "\"log2n\":10");
    assert_non_null(at);
    at[9] = '1';
    write_in(h.dir, "workspace.json", buf_view(&bytes));
    assert_status(open_with(h.dir, TESTING_PASSPHRASE, NULL), AUTH);
    buf_done(&bytes);
}

static void
refuses_another_workspaces_signing_key(void **state)
{
    (void)state;
    DEFER(pull_down) struct house h = build();
    DEFER(pull_down) struct house other = build();
    struct buf bytes;
    struct diag diag = {0};
    read_in(other.dir, "signing.pub", &bytes);
    write_in(h.dir, "signing.pub", buf_view(&bytes));
    assert_status(open_with(h.dir, TESTING_PASSPHRASE, &diag), INTEGRITY);
    assert_says(&diag, "signing.pub: not this workspace's public key, which is ");
    buf_done(&bytes);
    read_in(other.dir, "signing.sealed", &bytes);
    write_in(h.dir, "signing.sealed", buf_view(&bytes));
    assert_status(open_with(h.dir, TESTING_PASSPHRASE, &diag), INTEGRITY);
    assert_says(&diag, "signing.sealed: not the signing key that this workspace sealed");
    buf_done(&bytes);
}

static void
keeps_no_key_in_the_clear(void **state)
{
    (void)state;
    static const char *const names[] = {"workspace.json", "signing.sealed", "signing.pub"};
    DEFER(pull_down) struct house h = build();
    for (size_t i = 0; i < 3; i++) {
        struct buf bytes;
        read_in(h.dir, names[i], &bytes);
        assert_null(memmem(bytes.ptr, bytes.len, "horse", 5));
        buf_done(&bytes);
    }
}

/* ---- data keys ---- */

static const uint8_t bound[VAULT_BOUND_BYTES] = "what it belongs to",
                     data_key[VAULT_KEY_BYTES] = "key";

static struct status
unwrap(const struct vault *v, const char *purpose, const uint8_t *at, const uint8_t *wrapped)
{
    DEFER(secret_done) struct secret found = {0};
    const struct status s = vault_unwrap(v, purpose, at, wrapped, &found);
    if (status_ok(s)) {
        assert_int_equal(found.len, VAULT_KEY_BYTES);
        assert_memory_equal(found.ptr, data_key, VAULT_KEY_BYTES);
    } else {
        assert_null(found.ptr);
    }
    return s;
}

static void
refuses_a_wrapped_key_out_of_its_place(void **state)
{
    (void)state;
    DEFER(pull_down) struct house h = build();
    DEFER(pull_down) struct house other = build();
    uint8_t wrapped[VAULT_WRAPPED_BYTES], elsewhere[VAULT_BOUND_BYTES] = "what it belongs tp";
    assert_ok(vault_wrap(h.vault, "object/model", bound, data_key, wrapped));
    assert_ok(unwrap(h.vault, "object/model", bound, wrapped));
    assert_status(unwrap(h.vault, "object/mode", bound, wrapped), INTEGRITY);
    assert_status(unwrap(h.vault, "object/dataset", bound, wrapped), INTEGRITY);
    assert_status(unwrap(h.vault, "object/model", elsewhere, wrapped), INTEGRITY);
    assert_status(unwrap(other.vault, "object/model", bound, wrapped), INTEGRITY);
    for (size_t bit = 0; bit < sizeof wrapped * 8; bit++) {
        wrapped[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_status(unwrap(h.vault, "object/model", bound, wrapped), INTEGRITY);
        wrapped[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void
never_wraps_twice_alike_and_names_the_generation(void **state)
{
    (void)state;
    DEFER(pull_down) struct house h = build();
    uint8_t a[VAULT_WRAPPED_BYTES], b[VAULT_WRAPPED_BYTES];
    assert_ok(vault_wrap(h.vault, "p", bound, data_key, a));
    assert_ok(vault_wrap(h.vault, "p", bound, data_key, b));
    assert_memory_equal(a, "\1\0\0\0", 4);
    assert_memory_equal(b, "\1\0\0\0", 4);
    assert_memory_not_equal(a + 4, b + 4, 12);
    assert_memory_not_equal(a + 16, b + 16, 32);
}

/* A name of any length: what is cut off its end is in the context, too. */
static void
cuts_a_long_purpose(void **state)
{
    (void)state;
    DEFER(pull_down) struct house h = build();
    char text[300];
    uint8_t wrapped[VAULT_WRAPPED_BYTES];
    memset(text, 'p', sizeof text);
    text[sizeof text - 1] = '\0';
    assert_ok(vault_wrap(h.vault, text, bound, data_key, wrapped));
    assert_ok(unwrap(h.vault, text, bound, wrapped));
    text[VAULT_PURPOSE_MAX - 1] = '\0';
    assert_ok(unwrap(h.vault, text, bound, wrapped));
    text[VAULT_PURPOSE_MAX - 2] = '\0';
    assert_status(unwrap(h.vault, text, bound, wrapped), INTEGRITY);
}

static void
refuses_messages_that_are_too_long(void **state)
{
    (void)state;
    DEFER(pull_down) struct house h = build();
    static const char text[VAULT_SIGN_MESSAGE_MAX + 1];
    uint8_t mac[32], signature[VAULT_SIGNATURE_BYTES];
    assert_ok(vault_mac(h.vault, "p", view_of(text, VAULT_MAC_MESSAGE_MAX), mac));
    assert_status(vault_mac(h.vault, "p", view_of(text, VAULT_MAC_MESSAGE_MAX + 1), mac), LIMIT);
    assert_ok(
        vault_sign(h.vault, VAULT_SIGN_MODEL, view_of(text, VAULT_SIGN_MESSAGE_MAX), signature));
    assert_status(vault_sign(h.vault, VAULT_SIGN_MODEL, view_of(text, sizeof text), signature),
                  LIMIT);
}

/* ---- another provider behind the same interface ---- */

static struct status
lend(const void *ctx, const struct secret *key, struct buf *ret_state, struct diag *diag)
{
    (void)ctx, (void)diag;
    buf_put_str(ret_state, "{\"key\":\"");
    text_put_hex(ret_state, secret_view(key));
    buf_put_str(ret_state, "\"}");
    return buf_status(ret_state);
}

static struct status
give_back(const void *ctx, struct view text, struct secret *ret_key, struct diag *diag)
{
    DEFER(js_freep) json_t *o = NULL;
    DEFER(buf_wipe) struct buf raw;
    const char *hex = NULL;
    buf_init(&raw, 64);
    CHECK(*(const bool *)ctx, AUTH);
    TRY(js_parse(text, NULL, diag, &o));
    TRY(js_need_string(o, "key", diag, &hex));
    TRY(text_from_hex(view_str(hex), &raw));
    return secret_from(buf_view(&raw), ret_key);
}

static void
takes_any_provider_behind_the_interface(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    bool lets = true;
    const struct vault_provider p = {
        .name = "plain", .wrap = lend, .unwrap = give_back, .ctx = &lets};
    struct vault *v = NULL;
    struct diag diag = {0};
    DEFER(buf_done) struct buf sealed;
    DEFER(buf_done) struct buf plain;
    buf_init(&sealed, 1024);
    buf_init(&plain, 1024);
    assert_ok(vault_create(dir, &p, &diag, &v));
    assert_ok(vault_seal_record(v, "p", view_str("c"), view_str("text"), &sealed));
    vault_free(v);
    v = NULL;
    assert_status(open_with(dir, TESTING_PASSPHRASE, &diag), UNSUPPORTED);
    assert_says(&diag, "with provider \"plain\"; this steward opens");
    assert_ok(vault_open(dir, &p, &diag, &v));
    assert_null(vault_warning(v));
    assert_ok(vault_open_record(v, "p", view_str("c"), buf_view(&sealed), &plain));
    assert_string_equal(buf_str(&plain), "text");
    vault_free(v);
    lets = false;
    assert_status(vault_open(dir, &p, &diag, &v), AUTH);
    /* A provider that gives a key of another length gives none. */
    lets = true;
    write_in(dir, "workspace.json",
             view_str(HEAD "\"provider\":\"plain\",\"state\":{\"key\":\"00\"}}"));
    assert_status(vault_open(dir, &p, &diag, &v), INTEGRITY);
}

/* ---- records ---- */

static void
seal(const struct vault *v, const char *purpose, const char *context, const char *plain,
     struct buf *ret_sealed)
{
    buf_init(ret_sealed, 4096);
    assert_ok(vault_seal_record(v, purpose, view_str(context), view_str(plain), ret_sealed));
}

static struct status
try_open(const struct vault *v, const char *purpose, const char *context, struct view sealed)
{
    DEFER(buf_wipe) struct buf plain;
    buf_init(&plain, 4096);
    buf_put_str(&plain, "before");
    const struct status s = vault_open_record(v, purpose, view_str(context), sealed, &plain);
    if (!status_ok(s)) {
        assert_string_equal(buf_str(&plain), "before");
    }
    return s;
}

static void
refuses_a_record_out_of_its_place(void **state)
{
    (void)state;
    DEFER(pull_down) struct house h = build();
    DEFER(pull_down) struct house other = build();
    DEFER(buf_done) struct buf sealed;
    seal(h.vault, "store", "key\nann\n1", "value", &sealed);
    assert_status(try_open(h.vault, "stor", "key\nann\n1", buf_view(&sealed)), INTEGRITY);
    assert_status(try_open(h.vault, "store ", "key\nann\n1", buf_view(&sealed)), INTEGRITY);
    assert_status(try_open(h.vault, "object/model", "key\nann\n1", buf_view(&sealed)), INTEGRITY);
    assert_status(try_open(h.vault, "store", "key\nann\n2", buf_view(&sealed)), INTEGRITY);
    assert_status(try_open(h.vault, "store", "", buf_view(&sealed)), INTEGRITY);
    assert_status(try_open(other.vault, "store", "key\nann\n1", buf_view(&sealed)), INTEGRITY);
    assert_ok(try_open(h.vault, "store", "key\nann\n1", buf_view(&sealed)));
}

static void
refuses_every_flip_and_every_cut_of_a_record(void **state)
{
    (void)state;
    DEFER(pull_down) struct house h = build();
    DEFER(buf_done) struct buf sealed;
    seal(h.vault, "store", "c", "a value", &sealed);
    assert_int_equal(sealed.len, 1 + VAULT_WRAPPED_BYTES + 7 + 16);
    for (size_t i = 0; i < sealed.len * 8; i++) {
        sealed.ptr[i / 8] ^= (uint8_t)(1u << i % 8);
        assert_status(try_open(h.vault, "store", "c", buf_view(&sealed)), INTEGRITY);
        sealed.ptr[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    for (size_t n = 0; n < sealed.len; n++) {
        assert_status(try_open(h.vault, "store", "c", view_of(sealed.ptr, n)), INTEGRITY);
        assert_status(try_open(h.vault, "store", "c", view_of(sealed.ptr + n, sealed.len - n - 1)),
                      INTEGRITY);
    }
    buf_put_u8(&sealed, 0);
    assert_status(try_open(h.vault, "store", "c", buf_view(&sealed)), INTEGRITY);
}

static void
refuses_a_record_larger_than_the_buffer(void **state)
{
    (void)state;
    DEFER(pull_down) struct house h = build();
    DEFER(buf_done) struct buf sealed;
    DEFER(buf_done) struct buf small;
    seal(h.vault, "store", "c", "four", &sealed);
    buf_init(&small, 3);
    assert_status(vault_open_record(h.vault, "store", view_str("c"), buf_view(&sealed), &small),
                  LIMIT);
    buf_init(&small, 84);
    assert_status(vault_seal_record(h.vault, "store", view_str("c"), view_str("four"), &small),
                  LIMIT);
    assert_int_equal(small.len, 0);
}

static void
never_seals_twice_alike(void **state)
{
    (void)state;
    DEFER(pull_down) struct house h = build();
    DEFER(buf_done) struct buf a;
    DEFER(buf_done) struct buf b;
    seal(h.vault, "store", "c", "", &a);
    seal(h.vault, "store", "c", "", &b);
    assert_int_equal(a.len, b.len);
    assert_memory_not_equal(a.ptr + 5, b.ptr + 5, 12);
    assert_memory_not_equal(a.ptr + 17, b.ptr + 17, 32);
    assert_memory_not_equal(a.ptr + 65, b.ptr + 65, 16);
    assert_ok(try_open(h.vault, "store", "c", buf_view(&a)));
}

static void
mac_of(const struct vault *v, const char *purpose, const char *message, uint8_t *ret_mac)
{
    assert_ok(vault_mac(v, purpose, view_str(message), ret_mac));
}

static void
separates_macs_by_purpose_and_workspace(void **state)
{
    (void)state;
    DEFER(pull_down) struct house h = build();
    DEFER(pull_down) struct house other = build();
    uint8_t mac[5][32];
    mac_of(h.vault, "api-key", "m", mac[0]);
    mac_of(h.vault, "api-kez", "m", mac[1]);
    mac_of(h.vault, "api-key", "n", mac[2]);
    mac_of(other.vault, "api-key", "m", mac[3]);
    struct vault *again = testing_vault_again(h.dir);
    mac_of(again, "api-key", "m", mac[4]);
    vault_free(again);
    for (int i = 1; i < 4; i++) {
        assert_memory_not_equal(mac[0], mac[i], 32);
    }
    assert_memory_equal(mac[0], mac[4], 32);
}

/* ---- signatures ---- */

static void
from_hex(const char *hex, uint8_t *ret_bytes, size_t n)
{
    DEFER(buf_done) struct buf b;
    buf_init(&b, n);
    assert_ok(text_from_hex(view_str(hex), &b));
    assert_int_equal(b.len, n);
    memcpy(ret_bytes, b.ptr, n);
}

static const struct {
    const char *public_key, *message, *signature;
} rfc8032[] = {
    /* RFC 8032, section 7.1, tests 1 to 3 */
    {"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b"
     "4"
     "6bd25bf5f0595bbe24655141438e7a100b"},
    {"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11"
     "d8"
     "c387b2eaeb4302aeeb00d291612bb0c00"},
    {"fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc"
     "65"
     "94a7c15e9716ed28dc027beceea1ec40a"},
};

static void
verifies_the_signatures_of_rfc_8032_and_none_changed(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        uint8_t public_key[32], signature[64], message[2] = {0};
        const size_t n = strlen(rfc8032[i].message) / 2;
        from_hex(rfc8032[i].public_key, public_key, 32);
        from_hex(rfc8032[i].signature, signature, 64);
        if (n > 0) {
            from_hex(rfc8032[i].message, message, n);
        }
        assert_ok(vault_verify(public_key, view_of(message, n), signature));
        for (size_t bit = 0; bit < 512; bit++) {
            signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_status(vault_verify(public_key, view_of(message, n), signature), INTEGRITY);
            signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        assert_status(vault_verify(public_key, view_str("other"), signature), INTEGRITY);
        public_key[0] ^= 1;
        assert_status(vault_verify(public_key, view_of(message, n), signature), INTEGRITY);
    }
}

static void
signs_with_the_key_that_it_publishes(void **state)
{
    (void)state;
    DEFER(pull_down) struct house h = build();
    uint8_t public_key[32], again_key[32], signature[64];
    vault_public_key(h.vault, public_key);
    assert_ok(vault_sign(h.vault, VAULT_SIGN_MODEL, view_str("message"), signature));
    assert_ok(vault_verify(public_key, view_str("message"), signature));
    assert_status(vault_verify(public_key, view_str("massage"), signature), INTEGRITY);
    assert_ok(vault_sign(h.vault, VAULT_SIGN_MODEL, view_of(NULL, 0), signature));
    assert_ok(vault_verify(public_key, view_of(NULL, 0), signature));
    struct vault *again = testing_vault_again(h.dir);
    vault_public_key(again, again_key);
    vault_free(again);
    assert_memory_equal(public_key, again_key, 32);
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(refuses_a_short_passphrase),
        cmocka_unit_test(refuses_cheap_scrypt_unless_told_that_it_is_a_test),
        cmocka_unit_test(refuses_to_replace_a_workspace_key),
        cmocka_unit_test(refuses_a_wrong_passphrase),
        cmocka_unit_test(refuses_cheap_scrypt_from_the_command_line),
        cmocka_unit_test(tells_a_wrong_passphrase_from_the_command_line),
        cmocka_unit_test(refuses_costs_that_a_stranger_chose),
        cmocka_unit_test(refuses_a_changed_cost),
        cmocka_unit_test(refuses_a_damaged_key_file_with_the_reason),
        cmocka_unit_test(refuses_a_key_file_without_end),
        cmocka_unit_test(says_which_key_file_is_missing),
        cmocka_unit_test(refuses_every_flipped_byte_of_the_key_files),
        cmocka_unit_test(refuses_another_workspaces_signing_key),
        cmocka_unit_test(refuses_a_wrapped_key_out_of_its_place),
        cmocka_unit_test(refuses_messages_that_are_too_long),
        cmocka_unit_test(cuts_a_long_purpose),
        cmocka_unit_test(never_wraps_twice_alike_and_names_the_generation),
        cmocka_unit_test(refuses_a_record_out_of_its_place),
        cmocka_unit_test(refuses_every_flip_and_every_cut_of_a_record),
        cmocka_unit_test(refuses_a_record_larger_than_the_buffer),
        cmocka_unit_test(keeps_no_key_in_the_clear),
        cmocka_unit_test(writes_down_the_cost_and_warns_of_a_cheap_one),
        cmocka_unit_test(never_lets_the_environment_touch_opening),
        cmocka_unit_test(takes_any_provider_behind_the_interface),
        cmocka_unit_test(never_seals_twice_alike),
        cmocka_unit_test(separates_macs_by_purpose_and_workspace),
        cmocka_unit_test(verifies_the_signatures_of_rfc_8032_and_none_changed),
        cmocka_unit_test(signs_with_the_key_that_it_publishes),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
