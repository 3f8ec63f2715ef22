/* The file is as Go's signers have it: PRIVATE+KEY+name+hash+base64(type, seed). Of both types the
 * seed is 32 bytes: RFC 8032's private key, and FIPS 204's xi. */
#include "govern/witness_key.h"

#include "base/file.h"
#include "base/random.h"
#include "base/secret.h"
#include "base/text.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_MAX 4096u
#define KEY_HEAD "PRIVATE+KEY+"
#define SEED_BYTES 32u
#define SIGNATURE_MAX 4096u
#define MLDSA "ML-DSA-44"

struct witness_key {
    struct note_key public;
    EVP_PKEY *private_key;
};

/* ---- of a seed ---- */

/* By names alone, which the headers of an older OpenSSL lack. NULL where the library does. */
static EVP_PKEY *
mldsa_of_seed(const uint8_t seed[static SEED_BYTES])
{
    EVP_PKEY *pkey = NULL;
    uint8_t bytes[SEED_BYTES];
    memcpy(bytes, seed, sizeof bytes);
    const OSSL_PARAM params[] = {OSSL_PARAM_construct_octet_string("seed", bytes, sizeof bytes),
                                 OSSL_PARAM_construct_end()};
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, MLDSA, NULL);
    if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_KEYPAIR, (OSSL_PARAM *)(uintptr_t)params) != 1) {
        pkey = NULL;
    }
    EVP_PKEY_CTX_free(ctx);
    secret_wipe(bytes, sizeof bytes);
    return pkey;
}

bool
witness_key_type_ok(enum note_type type)
{
    EVP_SIGNATURE *s =
        type == NOTE_COSIGNATURE_MLDSA ? EVP_SIGNATURE_fetch(NULL, MLDSA, NULL) : NULL;
    const bool has = s != NULL || type == NOTE_COSIGNATURE;
    EVP_SIGNATURE_free(s);
    return has;
}

static struct status
key_of_seed(enum note_type type, const char *name, const uint8_t seed[static SEED_BYTES],
            struct diag *diag, struct witness_key *ret_key)
{
    uint8_t bytes[NOTE_PUBLIC_MAX];
    size_t n = sizeof bytes;
    if (!witness_key_type_ok(type)) {
        diag_set(diag,
                 "an " MLDSA " key needs OpenSSL 3.5 or newer (Debian 13), and this is %s: use "
                 "Ed25519 here",
                 OpenSSL_version(OPENSSL_VERSION));
        FAIL(UNSUPPORTED);
    }
    ret_key->private_key =
        type == NOTE_COSIGNATURE_MLDSA
            ? mldsa_of_seed(seed)
            : EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, SEED_BYTES);
    CHECK(ret_key->private_key != NULL &&
              EVP_PKEY_get_raw_public_key(ret_key->private_key, bytes, &n) == 1,
          MEMORY);
    return note_cosigner_make(type, name, bytes, diag, &ret_key->public);
}

/* ---- its file ---- */

static struct status
write_key(const char *dir, const struct note_key *key, const uint8_t seed[static SEED_BYTES],
          struct diag *diag)
{
    DEFER(file_freep) char *path = file_join(dir, "key");
    DEFER(file_freep) char *vkey_path = file_join(dir, "vkey");
    DEFER(buf_wipe) struct buf text;
    DEFER(buf_done) struct buf vkey;
    uint8_t blob[1 + SEED_BYTES] = {(uint8_t)key->type};
    buf_init(&text, KEY_MAX);
    buf_init(&vkey, KEY_MAX);
    memcpy(blob + 1, seed, SEED_BYTES);
    buf_printf(&text, KEY_HEAD "%s+%08x+", key->name, key->id);
    text_put_base64(&text, view_of(blob, sizeof blob));
    secret_wipe(blob, sizeof blob);
    buf_put_u8(&text, '\n');
    note_put_vkey(key, &vkey);
    buf_put_u8(&vkey, '\n');
    TRY(buf_status(&text));
    TRY(buf_status(&vkey));
    TRY(file_replace(vkey_path, buf_view(&vkey), 0644, diag));
    return file_replace(path, buf_view(&text), 0600, diag);
}

struct status
witness_key_make(const char *dir, enum note_type type, const char *name, struct diag *diag,
                 struct note_key *ret_key)
{
    uint8_t seed[SEED_BYTES];
    struct witness_key k = {.private_key = NULL};
    random_bytes(seed, sizeof seed);
    struct status s = key_of_seed(type, name, seed, diag, &k);
    EVP_PKEY_free(k.private_key);
    s = status_ok(s) ? write_key(dir, &k.public, seed, diag) : s;
    secret_wipe(seed, sizeof seed);
    TRY(s);
    *ret_key = k.public;
    return OK;
}

static struct status
refuse_key(const char *path, struct diag *diag)
{
    diag_set(diag,
             "%s: not a witness's key (PRIVATE+KEY+name+hash+base64) as \"witness key\" makes "
             "it",
             path);
    FAIL(INTEGRITY);
}

/* The name and the seed of a key's text; whether the hash between them is right is seen when the
 * key is made of them. */
static struct status
split_key(struct view text, char ret_name[static NOTE_NAME_MAX + 1], char ret_hash[static 9],
          struct buf *ret_blob)
{
    const size_t head = sizeof KEY_HEAD - 1;
    CHECK(text.len > head && memcmp(text.ptr, KEY_HEAD, head) == 0, INTEGRITY);
    const struct view rest = view_of(text.ptr + head, text.len - head);
    const uint8_t *plus = memchr(rest.ptr, '+', rest.len);
    const size_t n = plus == NULL ? 0 : (size_t)(plus - rest.ptr);
    CHECK(n > 0 && n <= NOTE_NAME_MAX && memchr(rest.ptr, '\0', n) == NULL, INTEGRITY);
    CHECK(rest.len > n + 10 && rest.ptr[n + 9] == '+', INTEGRITY);
    TRY(text_from_base64(view_of(rest.ptr + n + 10, rest.len - n - 10), ret_blob));
    CHECK(ret_blob->len == 1 + SEED_BYTES &&
              (ret_blob->ptr[0] == NOTE_COSIGNATURE || ret_blob->ptr[0] == NOTE_COSIGNATURE_MLDSA),
          INTEGRITY);
    memcpy(ret_name, rest.ptr, n);
    ret_name[n] = '\0';
    memcpy(ret_hash, rest.ptr + n + 1, 8);
    ret_hash[8] = '\0';
    return OK;
}

static struct status
read_key(const char *dir, struct diag *diag, struct witness_key *k)
{
    DEFER(file_freep) char *path = file_join(dir, "key");
    DEFER(secret_done) struct secret text = {0};
    DEFER(buf_wipe) struct buf blob;
    char name[NOTE_NAME_MAX + 1], hash[9], id[9];
    buf_init(&blob, KEY_MAX);
    TRY(file_read_secret(path, KEY_MAX, "the witness's key", diag, &text));
    if (!status_ok(split_key(secret_view(&text), name, hash, &blob))) {
        return refuse_key(path, diag);
    }
    TRY(key_of_seed((enum note_type)blob.ptr[0], name, blob.ptr + 1, diag, k));
    (void)snprintf(id, sizeof id, "%08x", k->public.id);
    return strcmp(hash, id) == 0 ? OK : refuse_key(path, diag);
}

struct status
witness_key_read(const char *dir, struct diag *diag, struct witness_key **ret_key)
{
    struct witness_key *k = calloc(1, sizeof *k);
    CHECK(k != NULL, MEMORY);
    const struct status s = read_key(dir, diag, k);
    if (!status_ok(s)) {
        witness_key_free(k);
        return s;
    }
    *ret_key = k;
    return OK;
}

void
witness_key_free(struct witness_key *k)
{
    if (k != NULL) {
        EVP_PKEY_free(k->private_key);
        free(k);
    }
}

const struct note_key *
witness_key_public(const struct witness_key *k)
{
    return &k->public;
}

/* ---- signing ---- */

struct status
witness_key_cosign(const struct witness_key *k, struct view text, uint64_t time_s, struct buf *b)
{
    DEFER(buf_done) struct buf message;
    uint8_t signature[SIGNATURE_MAX];
    size_t n = sizeof signature;
    buf_init(&message, NOTE_MAX + 64);
    TRY(note_put_to_sign(&message, &k->public, text, time_s));
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    const bool signs = ctx != NULL &&
                       EVP_DigestSignInit(ctx, NULL, NULL, NULL, k->private_key) == 1 &&
                       EVP_DigestSign(ctx, signature, &n, message.ptr, message.len) == 1;
    EVP_MD_CTX_free(ctx);
    CHECK(signs, MEMORY);
    note_put_cosignature(b, &k->public, time_s, view_of(signature, n));
    return buf_status(b);
}
