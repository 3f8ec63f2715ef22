/* vault: a real vault in a folder, for the tests of the rooms that stand on it. */
#ifndef STEWARD_TESTING_VAULT_H
#define STEWARD_TESTING_VAULT_H

#include "vault/vault.h"

#define TESTING_PASSPHRASE "correct horse battery staple"

/* Makes dir (and dir/workspace.json ...) under TESTING_PASSPHRASE; or opens what is there. The test
 * fails when that fails. vault_free it. */
struct vault *testing_vault(const char *dir);
struct vault *testing_vault_again(const char *dir);

#endif
