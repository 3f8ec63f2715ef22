/* Layout: magic "SWMODEL2", u32be length of the manifest, manifest, 64 bytes of signature over
 * "steward model manifest v2\n" + SHA-256 of the manifest in hexadecimal + "\n", then the model
 * file to the end. Valid: signature verifies, SHA-256 of the model file is the manifest's
 * model_sha256. Crash: written whole through seal_file, which replaces or does nothing. */
#include "workspace/bundle.h"

#include "base/digest.h"

#include <string.h>

#define MAGIC "SWMODEL2"
#define MAGIC_BYTES 8u
#define SIGNED_PREFIX "steward model manifest v2\n"
#define MANIFEST_MAX (16u << 20)

static struct status
digest_hex(struct view bytes, struct buf *ret_hex)
{
    struct digest d;
    digest_of(bytes, &d);
    digest_put_hex(ret_hex, &d);
    return buf_status(ret_hex);
}

/* Short, so that who signs can look at it: the keeper takes no more. */
static struct status
put_signed(struct view manifest, struct buf *b)
{
    buf_init(b, VAULT_SIGN_MESSAGE_MAX);
    buf_put_str(b, SIGNED_PREFIX);
    TRY(digest_hex(manifest, b));
    buf_put_str(b, "\n");
    return buf_status(b);
}

struct status
bundle_put(const struct vault *v, json_t *manifest, struct view model, struct buf *ret_bundle)
{
    DEFER(buf_done) struct buf hex;
    DEFER(buf_done) struct buf text;
    DEFER(buf_done) struct buf to_sign = {0};
    buf_init(&hex, 128);
    buf_init(&text, MANIFEST_MAX);
    TRY(digest_hex(model, &hex));
    CHECK(json_object_set_new(manifest, "model_sha256", json_string(buf_str(&hex))) == 0, MEMORY);
    TRY(js_put(&text, manifest));
    TRY(put_signed(buf_view(&text), &to_sign));
    uint8_t signature[VAULT_SIGNATURE_BYTES];
    TRY(vault_sign(v, VAULT_SIGN_MODEL, buf_view(&to_sign), signature));
    buf_put_str(ret_bundle, MAGIC);
    buf_put_u32be(ret_bundle, (uint32_t)text.len);
    buf_put(ret_bundle, buf_view(&text));
    buf_put(ret_bundle, view_of(signature, sizeof signature));
    buf_put(ret_bundle, model);
    return buf_status(ret_bundle);
}

static struct status
refuse(struct diag *diag, const char *why)
{
    diag_set(diag, "model bundle: %s", why);
    FAIL(INTEGRITY);
}

static struct status
check_signature(const uint8_t *public_key, struct view manifest, struct view signature,
                struct diag *diag)
{
    DEFER(buf_done) struct buf to_check = {0};
    TRY(put_signed(manifest, &to_check));
    if (!status_ok(vault_verify(public_key, buf_view(&to_check), signature.ptr))) {
        return refuse(diag, "the signature does not verify with this workspace's key");
    }
    return OK;
}

struct status
bundle_open(const uint8_t public_key[static VAULT_PUBLIC_BYTES], struct view bytes,
            struct diag *diag, json_t **ret_manifest, struct view *ret_model)
{
    struct reader r = reader_of(bytes);
    const struct view magic = reader_bytes(&r, MAGIC_BYTES);
    const uint32_t manifest_len = reader_u32be(&r);
    if (r.bad || !view_equal_str(magic, MAGIC) || manifest_len > MANIFEST_MAX) {
        return refuse(diag, "not a bundle of this format");
    }
    const struct view manifest = reader_bytes(&r, manifest_len);
    const struct view signature = reader_bytes(&r, VAULT_SIGNATURE_BYTES);
    const struct view model = reader_bytes(&r, reader_left(&r));
    if (r.bad) {
        return refuse(diag, "cut short");
    }
    TRY(check_signature(public_key, manifest, signature, diag));
    DEFER(js_freep) json_t *o = NULL;
    TRY(js_parse(manifest, "manifest", diag, &o));
    const char *expected = NULL;
    TRY(js_need_string(o, "model_sha256", diag, &expected));
    DEFER(buf_done) struct buf hex;
    buf_init(&hex, 128);
    TRY(digest_hex(model, &hex));
    if (strcmp(expected, buf_str(&hex)) != 0) {
        return refuse(diag, "the model file is not the one that was signed (SHA-256 differs)");
    }
    *ret_manifest = MOVE(o);
    *ret_model = model;
    return OK;
}
