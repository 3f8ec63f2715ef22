/* credential: what opens a workspace's key, as its holder asks for it (vault/provider.h): a
 * passphrase (cli/passphrase.h); a token's PIN, from a variable that is wiped or from the terminal;
 * nothing (len 0) when the PIN stands in a file that the target names; of a transit service a
 * letter (vault/transit.h): where it may be asked, as STEWARD_TRANSIT or steward.yaml
 * (keys.transit) says, never what lies in keys/ or a backup, and the token of STEWARD_TRANSIT_TOKEN
 * (wiped) or the terminal, unless the URI names its file. */
#ifndef STEWARD_CLI_CREDENTIAL_H
#define STEWARD_CLI_CREDENTIAL_H

#include "base/secret.h"

/* For the holder of the workspace at dir. file: --passphrase-file or NULL. config: --config or
 * NULL. The PIN's variable is STEWARD_PKCS11_PIN. */
struct status credential_of(const char *dir, const char *config, const char *file,
                            struct diag *diag, struct secret *ret_credential);
/* For the holder that a backup names: there is no steward.yaml yet. */
struct status credential_of_backup(const char *target, const char *file, struct diag *diag,
                                   struct secret *ret_credential);
/* For one that whoever runs this names, of a workspace that is made: a passphrase is asked twice.
 */
struct status credential_first(const char *target, const char *file, struct diag *diag,
                               struct secret *ret_credential);
/* For one that whoever runs this names, which is to hold the key of the workspace at dir from now
 * on: STEWARD_NEW_PKCS11_PIN and STEWARD_NEW_TRANSIT_TOKEN, or the variables without NEW when the
 * holder of before has not taken them. */
struct status credential_read_new(const char *target, const char *dir, const char *file,
                                  struct diag *diag, struct secret *ret_credential);
/* Whose holder a target is: of the workspace at dir; of a backup; that whoever runs this names, of
 * a workspace that is made, or for the one at dir from now on. */
enum credential_whose {
    CREDENTIAL_OF_WORKSPACE,
    CREDENTIAL_OF_BACKUP,
    CREDENTIAL_FIRST,
    CREDENTIAL_NEW
};
/* How the credential of that one will begin, before it is asked for: of a transit service the
 * letter without its token (vault/starter.h); of any other nothing. */
struct status credential_foresee(enum credential_whose whose, const char *target, const char *dir,
                                 struct diag *diag, struct secret *ret_letter);
/* The URI under which the transit service is asked that holds the key: STEWARD_TRANSIT, or what
 * keys.transit says. in_file: what keys/ says, for the sentence. STATUS_AUTH: neither says one. */
struct status credential_transit_uri(const char *configured, const char *in_file, struct diag *diag,
                                     const char **ret_uri);
/* That, and the lines of network.egress for it, as steward.yaml says now: for vault/transit.h's
 * source. */
struct status credential_transit_now(const char *dir, const char *config, struct diag *diag,
                                     struct buf *ret_uri, struct buf *ret_rules);
/* Whether a token's driver may connect over the network, past network.egress: STEWARD_TOKEN_NETWORK
 * ("open", or anything else for no), or what keys.token_network of that workspace says (NULL: of
 * none). No, where neither says it. config: --config or NULL. */
bool credential_token_network(const char *dir, const char *config);
/* What it then is told as, in the program's log and on stderr. */
#define CREDENTIAL_TOKEN_OPEN                                                                      \
    "the token's driver may connect anywhere, past network.egress (keys.token_network)"
/* The lines of network.egress that let the transit service of that URI be asked: of an address the
 * one, of a name wherever it is, publicly or in private blocks. */
struct status credential_transit_rules(const char *uri, struct diag *diag, struct buf *ret_rules);

#endif
