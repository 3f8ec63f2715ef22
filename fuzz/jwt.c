/* A token as a bearer presents it: what is read has the form of one and an algorithm of ours, and
 * is not taken, since nobody can sign it. */
#include "protect/jwt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char set[] = "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"ed\",\"x\":"
                          "\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}";

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct jwt_rules rules = {.issuer = "https://id.example/realm",
                                           .audience = "https://steward.example",
                                           .algorithms = (1u << JWKS_ALGORITHMS) - 1,
                                           .skew_ns = 30};
    static struct jwks *keys;
    struct jwt t;
    const char *why = NULL;
    int64_t expires = 0;
    ASSERT(keys != NULL || status_ok(jwks_read(view_str(set), NULL, &keys)));
    if (!status_ok(jwt_read(view_of(data, size), &t, &why))) {
        ASSERT(why != NULL);
        return 0;
    }
    ASSERT(size <= JWT_MAX_BYTES && (unsigned)t.algorithm < JWKS_ALGORITHMS);
    ASSERT(t.signature_bytes > 0 && t.message.len < size && json_is_object(t.claims));
    ASSERT(json_object_get(t.header, "crit") == NULL && json_object_get(t.header, "jku") == NULL);
    why = jwt_check(&t, &rules, INT64_C(1700000000000000000), &expires);
    ASSERT(why != NULL || expires > INT64_C(1700000000000000000));
    ASSERT(jwks_verify(keys, t.algorithm, t.kid, t.message,
                       view_of(t.signature, t.signature_bytes)) != JWKS_GOOD);
    jwt_done(&t);
    return 0;
}
