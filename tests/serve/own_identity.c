#include "own_identity.h"

#include "workspace/certificate.h"

static struct status
sign(void *ctx, uint32_t slot, unsigned scheme, struct view digest,
     uint8_t ret_signature[static TLS_SIGNATURE_MAX], size_t *ret_len)
{
    (void)slot;
    return tls_key_sign(ctx, scheme, digest, ret_signature, ret_len);
}

struct tls_signer
own_identity_signer(struct tls_key *key)
{
    struct tls_signer s = {
        .sign = sign, .ctx = key, .key = {1, tls_key_kind(key), tls_key_bits(key), {{0}}}};
    tls_key_name(key, &s.key.name);
    return s;
}

void
own_identity_make(struct own_identity *ret_own)
{
    static const char *const hosts[] = {"localhost", "127.0.0.1"};
    struct diag diag = {0};
    DEFER(buf_done) struct buf cert;
    DEFER(buf_wipe) struct buf key;
    buf_init(&cert, 1 << 16);
    buf_init(&key, 1 << 16);
    assert_ok(certificate_make(hosts, 2, &diag, &cert, &key));
    assert_ok(tls_key_new(buf_view(&key), &diag, &ret_own->key));
    const struct identity_options o = {.chain_pem = buf_view(&cert),
                                       .chain_name = "cert.pem",
                                       .signer = own_identity_signer(ret_own->key)};
    assert_ok(identity_new(&o, &diag, &ret_own->identity));
}

void
own_identity_done(struct own_identity *own)
{
    identity_free(own->identity);
    tls_key_free(own->key);
}
