#include "cli/credential.h"

#include "base/file.h"
#include "cli/passphrase.h"
#include "vault/provider.h"

#include <stdlib.h>

struct status
credential_read(const char *target, const char *file, bool confirm, struct diag *diag,
                struct secret *ret_credential)
{
    switch (provider_asks(target)) {
    case PROVIDER_PASSPHRASE:
        return passphrase_read(file, confirm, diag, ret_credential);
    case PROVIDER_PIN:
        return passphrase_read_pin("STEWARD_PKCS11_PIN", diag, ret_credential);
    case PROVIDER_PIN_IN_FILE:
        break;
    }
    return OK;
}

struct status
credential_of(const char *dir, const char *file, struct diag *diag, struct secret *ret_credential)
{
    DEFER(file_freep) char *keys = file_join(dir, "keys");
    DEFER(buf_done) struct buf target;
    buf_init(&target, PROVIDER_TARGET_MAX - 1);
    TRY(provider_look(keys, diag, &target));
    return credential_read(buf_str(&target), file, false, diag, ret_credential);
}

/* One that was read is wiped. */
static bool
is_set(const char *variable)
{
    const char *text = getenv(variable);
    return text != NULL && *text != '\0';
}

struct status
credential_read_new(const char *target, const char *file, struct diag *diag,
                    struct secret *ret_credential)
{
    switch (provider_asks(target)) {
    case PROVIDER_PASSPHRASE:
        return passphrase_read_new(file, diag, ret_credential);
    case PROVIDER_PIN:
        return passphrase_read_pin(is_set("STEWARD_PKCS11_PIN") && !is_set("STEWARD_NEW_PKCS11_PIN")
                                       ? "STEWARD_PKCS11_PIN"
                                       : "STEWARD_NEW_PKCS11_PIN",
                                   diag, ret_credential);
    case PROVIDER_PIN_IN_FILE:
        break;
    }
    return OK;
}
