/* starter: a process that starts the holders of keys (vault/holder.h) for one that has no sockets
 * and starts no processes any more: it is forked before that gives them up, and before it takes a
 * credential. provider_new asks it, where there is one. One for tokens, whose list of calls is
 * their drivers' (base/sandbox.h, sandbox_driver), and another for transit services: a list is
 * inherited. What asks them is this program alone. Once in a process; part of vault. */
#ifndef STEWARD_VAULT_STARTER_H
#define STEWARD_VAULT_STARTER_H

#include "vault/provider.h"

struct starter_means {
    const struct holder_kind *transit; /* &transit_kind (vault/transit_ask.h) */
    bool token_network;                /* as struct provider_means */
};

/* One that it may start a holder for. What a credential says of where to ask is no more believed
 * than the target: who takes the program over later would have the token, or any file that the URI
 * names as one, sent where he likes. */
struct starter_target {
    const char *target;
    const struct secret *letter; /* of a transit service: the one that is to come, without token */
};

/* targets[n]: all that it starts holders for. LIMIT past eight. Before other threads are started.
 */
struct status starter_begin(const struct starter_means *m, const struct starter_target *targets,
                            size_t n, struct diag *diag);
bool starter_is_there(void);
/* What provider_new says there, which knows that target. *ret_holder is the socket of the holder's
 * process, the caller's; ret_target as provider_target has it. */
struct status starter_ask(const char *target, const struct secret *credential, struct diag *diag,
                          char ret_target[static PROVIDER_TARGET_MAX], int *ret_holder);
/* Waits for it and all that it has started: when no provider is left. Nothing if there is none. */
void starter_end(void);

#endif
