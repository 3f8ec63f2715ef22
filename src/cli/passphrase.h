/* passphrase: from a file, the environment, or asked on the terminal; a token's PIN and a
 * transit service's token likewise. */
#ifndef STEWARD_CLI_PASSPHRASE_H
#define STEWARD_CLI_PASSPHRASE_H

#include "base/secret.h"

/* From path (NULL: none was given), STEWARD_PASSPHRASE_FILE, STEWARD_PASSPHRASE, which is wiped, or
 * the terminal, without echo; confirm: asked twice there (a new workspace). A file that others can
 * read is STATUS_INPUT, none at all STATUS_AUTH. */
struct status passphrase_read(const char *path, bool confirm, struct diag *diag,
                              struct secret *ret_passphrase);
/* Another one for the workspace: STEWARD_NEW_PASSPHRASE_FILE, STEWARD_NEW_PASSPHRASE, asked twice.
 */
struct status passphrase_read_new(const char *path, struct diag *diag,
                                  struct secret *ret_passphrase);
/* From that variable, which is wiped, or the terminal. STATUS_AUTH when there is none. */
struct status passphrase_read_pin(const char *variable, struct diag *diag, struct secret *ret_pin);
/* The same, of a transit service. */
struct status passphrase_read_token(const char *variable, struct diag *diag,
                                    struct secret *ret_token);

#endif
