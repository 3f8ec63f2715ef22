/* provider: the key providers by name, and which of them a workspace has. One owns what its table
 * (struct vault_provider) borrows.
 *
 * A target says where a key is: "passphrase", or a key in a token as a URI of RFC 7512,
 * "pkcs11:token=...;object=...", or one of a transit service, "transit:https://...". The credential
 * is what opens it: the passphrase; the token's PIN, which is empty when the URI names a file that
 * has it (pin-source); a letter that says where the service may be asked (vault/transit.h). */
#ifndef STEWARD_VAULT_PROVIDER_H
#define STEWARD_VAULT_PROVIDER_H

#include "base/json.h"
#include "vault/holder.h"

#define PROVIDER_TARGET_MAX 1024u

struct provider;
struct transit_source;

/* What a provider needs besides its target. */
struct provider_means {
    const struct secret *credential; /* copied; a PIN into another process only (vault/holder.h) */
    int holder; /* socket of such a process that runs already, taken over; 0: there is none */
    bool token_network; /* a token's driver may connect over IP, past network.egress (pkcs11.h) */
    const struct holder_kind *transit; /* &transit_kind (vault/transit_ask.h); NULL: holder only */
    /* For a process that runs on: where it takes its rules anew (vault/transit.h); NULL: nowhere.
     */
    const struct transit_source *transit_source;
};

/* STATUS_INPUT with a sentence when target is none of these. */
struct status provider_check(const char *target, struct diag *diag);
/* What holds the keys in dir (keys/). */
struct status provider_open(const char *dir, const struct provider_means *m, struct diag *diag,
                            struct provider **ret_provider);
/* For new wraps. As provider_check. */
struct status provider_new(const char *target, const struct provider_means *m, struct diag *diag,
                           struct provider **ret_provider);
/* Appends the target of what holds the keys in dir, as the file says: not yet to be believed. */
struct status provider_look(const char *dir, struct diag *diag, struct buf *ret_target);
/* The same of such a file's text; name: for sentences. */
struct status provider_look_at(struct view text, const char *name, struct diag *diag,
                               struct buf *ret_target);
/* What opens that target. */
enum provider_credential {
    PROVIDER_PASSPHRASE,
    PROVIDER_PIN,
    PROVIDER_PIN_IN_FILE,
    PROVIDER_LETTER
};
enum provider_credential provider_asks(const char *target);
void provider_free(struct provider *p);
DEFINE_FREEP(provider_free, struct provider)
/* Borrowed until provider_free. */
const struct vault_provider *provider_table(const struct provider *p);
/* The process that asks the holder, borrowed; NULL: the provider needs none. */
struct holder *provider_holder(const struct provider *p);
/* The target, in words for people: never the credential. */
const char *provider_target(const struct provider *p);

#endif
