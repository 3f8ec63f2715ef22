#include "fixture.h"

#include "cosigner.h"

#include <openssl/evp.h>

static EVP_PKEY *
key_of(const struct cosigner *w)
{
    EVP_PKEY *pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, w->seed, sizeof w->seed);
    assert_non_null(pkey);
    return pkey;
}

void
cosigner_make(struct cosigner *w, const char *name, uint8_t seed)
{
    uint8_t public_key[NOTE_PUBLIC_BYTES];
    size_t n = sizeof public_key;
    DEFER(buf_done) struct buf text;
    memset(w, 0, sizeof *w);
    memset(w->seed, 0x40 ^ seed, sizeof w->seed);
    w->seed[0] = 0x77; /* nobody's of the fixture */
    EVP_PKEY *pkey = key_of(w);
    assert_int_equal(EVP_PKEY_get_raw_public_key(pkey, public_key, &n), 1);
    EVP_PKEY_free(pkey);
    assert_ok(note_cosigner_make(NOTE_COSIGNATURE, name, public_key, NULL, &w->key));
    buf_init(&text, sizeof w->vkey);
    note_put_vkey(&w->key, &text);
    (void)snprintf(w->vkey, sizeof w->vkey, "%s", buf_str(&text));
}

void
cosigner_put_of(const struct cosigner *w, struct view other, struct buf *note, uint64_t time_s)
{
    struct view text, lines;
    uint8_t raw[NOTE_SIGNATURE_BYTES];
    size_t n = sizeof raw;
    DEFER(buf_done) struct buf message;
    buf_init(&message, NOTE_MAX);
    assert_ok(note_split(other, NULL, &text, &lines));
    assert_ok(note_put_to_sign(&message, &w->key, text, time_s));
    EVP_PKEY *pkey = key_of(w);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, NULL, NULL, pkey), 1);
    assert_int_equal(EVP_DigestSign(ctx, raw, &n, message.ptr, message.len), 1);
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    note_put_cosignature(note, &w->key, time_s, view_of(raw, sizeof raw));
}

void
cosigner_put(const struct cosigner *w, struct buf *note, uint64_t time_s)
{
    cosigner_put_of(w, buf_view(note), note, time_s);
}

const char *
cosign_log_vkey(void)
{
    static char vkey[512];
    struct audit_signer signer = fixture_signer();
    struct note_key key;
    DEFER(buf_done) struct buf text;
    assert_ok(note_key_make(signer.origin, signer.public_key, NULL, &key));
    buf_init(&text, sizeof vkey);
    note_put_vkey(&key, &text);
    (void)snprintf(vkey, sizeof vkey, "%s", buf_str(&text));
    return vkey;
}

void
cosigned_checkpoint(uint64_t size, struct buf *ret_note)
{
    struct audit_signer signer = fixture_signer();
    struct note_key key;
    struct checkpoint c = {.origin = FIXTURE_ORIGIN, .size = size, .root = {{1, 2, 3}}};
    uint8_t raw[NOTE_SIGNATURE_BYTES];
    DEFER(buf_done) struct buf text;
    buf_init(&text, NOTE_MAX);
    buf_init(ret_note, NOTE_MAX);
    assert_ok(note_key_make(signer.origin, signer.public_key, NULL, &key));
    checkpoint_put(&text, &c);
    assert_ok(signer.sign(signer.ctx, buf_view(&text), raw));
    note_put(ret_note, buf_view(&text), &key, raw);
}
