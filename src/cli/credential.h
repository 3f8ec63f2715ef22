/* credential: what opens a workspace's key, as its holder asks for it (vault/provider.h): a
 * passphrase (cli/passphrase.h); a token's PIN, from a variable that is wiped or from the terminal;
 * nothing (len 0) when the PIN stands in a file that the target names. */
#ifndef STEWARD_CLI_CREDENTIAL_H
#define STEWARD_CLI_CREDENTIAL_H

#include "base/secret.h"

/* For a holder that there is. file: --passphrase-file or NULL. confirm: a passphrase is asked
 * twice, since a workspace is made with it. The PIN's variable is STEWARD_PKCS11_PIN. */
struct status credential_read(const char *target, const char *file, bool confirm, struct diag *diag,
                              struct secret *ret_credential);
/* For the holder of the workspace at dir. */
struct status credential_of(const char *dir, const char *file, struct diag *diag,
                            struct secret *ret_credential);
/* For one that is to hold the key from now on: STEWARD_NEW_PKCS11_PIN, or
 * STEWARD_PKCS11_PIN when the holder of before has not taken it. */
struct status credential_read_new(const char *target, const char *file, struct diag *diag,
                                  struct secret *ret_credential);

#endif
