/* backend: who holds the keys behind a struct vault. Two answer: local.c, with the keys in this
 * process (the command line, the keeper itself), and the client of a keeper process. Part of
 * vault. */
#ifndef STEWARD_VAULT_BACKEND_H
#define STEWARD_VAULT_BACKEND_H

#include "vault/vault.h"

/* purpose: at most VAULT_PURPOSE_MAX with its terminator; message: within vault.h's limits, which
 * vault.c has checked. Called by any thread at once. Errors as vault.h has them. */
struct vault_backend {
    struct status (*wrap)(void *ctx, const char *purpose,
                          const uint8_t bound[static VAULT_BOUND_BYTES],
                          const uint8_t key[static VAULT_KEY_BYTES],
                          uint8_t ret_wrapped[static VAULT_WRAPPED_BYTES]);
    struct status (*unwrap)(void *ctx, const char *purpose,
                            const uint8_t bound[static VAULT_BOUND_BYTES],
                            const uint8_t wrapped[static VAULT_WRAPPED_BYTES],
                            uint8_t ret_key[static VAULT_KEY_BYTES]);
    struct status (*mac)(void *ctx, const char *purpose, struct view message,
                         uint8_t ret_mac[static 32]);
    struct status (*sign)(void *ctx, enum vault_signing kind, struct view message,
                          uint8_t ret_signature[static VAULT_SIGNATURE_BYTES]);
    /* As vault_usable; NULL: always. */
    struct status (*usable)(void *ctx, struct diag *diag);
    void (*free)(void *ctx);
};

/* A vault over that backend; b is static. On success ctx is the vault's, which frees it. warning:
 * as vault_warning gives it, static. */
struct status vault_over(const struct vault_backend *b, void *ctx,
                         const uint8_t public_key[static VAULT_PUBLIC_BYTES], const char *warning,
                         struct vault **ret_vault);
/* The ctx of a vault over that backend, NULL of another's. */
void *vault_ctx(const struct vault *v, const struct vault_backend *b);

#endif
