#include "testing/testing.h"

#include "base/digest.h"
#include "testing/vault.h"
#include "workspace/bundle.h"

#include <stdlib.h>
#include <string.h>

#define MODEL "{\"learner\":\"stands for a model file\"}"

struct room {
    char *dir;
    struct vault *vault;
    uint8_t key[VAULT_PUBLIC_BYTES];
    struct buf bundle;
    json_t *manifest;
};

static int
set_up(void **state)
{
    struct room *r = calloc(1, sizeof *r);
    r->dir = testing_dir();
    r->vault = testing_vault(r->dir);
    vault_public_key(r->vault, r->key);
    r->manifest = json_pack("{s:s, s:i}", "name", "mortgage", "version", 3);
    buf_init(&r->bundle, 65536);
    assert_ok(bundle_put(r->vault, r->manifest, view_str(MODEL), &r->bundle));
    *state = r;
    return 0;
}

static int
tear_down(void **state)
{
    struct room *r = *state;
    json_decref(r->manifest);
    buf_done(&r->bundle);
    vault_free(r->vault);
    testing_dirp(&r->dir);
    free(r);
    return 0;
}

static void
refuse(const struct room *r, struct view bytes, struct diag *ret_diag)
{
    json_t *manifest = NULL;
    struct view model = {0};
    *ret_diag = (struct diag){0};
    assert_status(bundle_open(r->key, bytes, ret_diag, &manifest, &model), INTEGRITY);
    assert_null(manifest);
    assert_null(model.ptr);
    assert_says(ret_diag, "model bundle: ");
}

static void
refuses_every_flipped_bit(void **state)
{
    struct room *r = *state;
    struct diag diag;
    for (size_t i = 0; i < r->bundle.len * 8; i++) {
        r->bundle.ptr[i / 8] ^= (uint8_t)(1u << i % 8);
        refuse(r, buf_view(&r->bundle), &diag);
        r->bundle.ptr[i / 8] ^= (uint8_t)(1u << i % 8);
    }
}

static void
refuses_every_cut_and_an_appended_byte(void **state)
{
    struct room *r = *state;
    struct diag diag;
    for (size_t n = 0; n < r->bundle.len; n++) {
        refuse(r, view_of(r->bundle.ptr, n), &diag);
    }
    buf_put_u8(&r->bundle, '\n');
    refuse(r, buf_view(&r->bundle), &diag);
    assert_says(&diag, "the model file is not the one that was signed (SHA-256 differs)");
}

static void
says_which_part_was_changed(void **state)
{
    struct room *r = *state;
    struct diag diag;
    const size_t manifest = 8 + 4, model = r->bundle.len - strlen(MODEL);
    r->bundle.ptr[0] ^= 1;
    refuse(r, buf_view(&r->bundle), &diag);
    assert_says(&diag, "not a bundle of this format");
    r->bundle.ptr[0] ^= 1;
    r->bundle.ptr[manifest + 5] ^= 1;
    refuse(r, buf_view(&r->bundle), &diag);
    assert_says(&diag, "the signature does not verify with this workspace's key");
    r->bundle.ptr[manifest + 5] ^= 1;
    r->bundle.ptr[model - 1] ^= 1;
    refuse(r, buf_view(&r->bundle), &diag);
    assert_says(&diag, "the signature does not verify");
    r->bundle.ptr[model - 1] ^= 1;
    r->bundle.ptr[model] ^= 1;
    refuse(r, buf_view(&r->bundle), &diag);
    assert_says(&diag, "SHA-256 differs");
}

static void
refuses_a_manifest_length_beyond_the_bundle(void **state)
{
    struct room *r = *state;
    struct diag diag;
    static const uint8_t lengths[][4] = {{0xff, 0xff, 0xff, 0xff}, {0, 0xff, 0xff, 0xff}};
    for (size_t i = 0; i < 2; i++) {
        memcpy(r->bundle.ptr + 8, lengths[i], 4);
        refuse(r, buf_view(&r->bundle), &diag);
        assert_says(&diag, i == 0 ? "not a bundle of this format" : "cut short");
    }
}

static void
refuses_what_another_workspace_signed(void **state)
{
    struct room *r = *state;
    struct diag diag;
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(vault_freep) struct vault *other = NULL;
    DEFER(buf_done) struct buf bundle;
    buf_init(&bundle, 65536);
    other = testing_vault(dir);
    assert_ok(bundle_put(other, r->manifest, view_str(MODEL), &bundle));
    refuse(r, buf_view(&bundle), &diag);
    assert_says(&diag, "the signature does not verify with this workspace's key");
}

/* What is signed for another purpose is no manifest: the prefix keeps the purposes apart. */
static void
refuses_a_signature_without_the_purpose(void **state)
{
    struct room *r = *state;
    struct diag diag;
    uint8_t signature[VAULT_SIGNATURE_BYTES];
    const size_t model = r->bundle.len - strlen(MODEL), at = model - sizeof signature;
    DEFER(buf_done) struct buf hex;
    struct digest d;
    buf_init(&hex, 128);
    digest_of(view_of(r->bundle.ptr + 12, at - 12), &d);
    digest_put_hex(&hex, &d);
    buf_put_str(&hex, "\n");
    assert_ok(vault_sign(r->vault, VAULT_SIGN_MODEL, buf_view(&hex), signature));
    memcpy(r->bundle.ptr + at, signature, sizeof signature);
    refuse(r, buf_view(&r->bundle), &diag);
    assert_says(&diag, "the signature does not verify");
}

static void
gives_back_what_was_put_in(void **state)
{
    struct room *r = *state;
    DEFER(js_freep) json_t *manifest = NULL;
    struct view model = {0};
    struct diag diag = {0};
    assert_ok(bundle_open(r->key, buf_view(&r->bundle), &diag, &manifest, &model));
    assert_true(view_equal_str(model, MODEL));
    assert_true(json_equal(manifest, r->manifest));
    assert_int_equal(json_string_length(json_object_get(manifest, "model_sha256")), 64);
}

int
main(void)
{
#define CASE(NAME) cmocka_unit_test_setup_teardown(NAME, set_up, tear_down)
    const struct CMUnitTest cases[] = {
        CASE(refuses_every_flipped_bit),
        CASE(refuses_every_cut_and_an_appended_byte),
        CASE(says_which_part_was_changed),
        CASE(refuses_a_manifest_length_beyond_the_bundle),
        CASE(refuses_what_another_workspace_signed),
        CASE(refuses_a_signature_without_the_purpose),
        CASE(gives_back_what_was_put_in),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
