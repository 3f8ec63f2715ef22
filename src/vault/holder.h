/* holder: a process of its own that asks who holds a workspace's key: a token's module, a service
 * on the network. It has the credential and runs what others wrote or reads what others send; who
 * opened the provider has neither, may shut itself in afterwards, and can go on asking over a
 * socket. It shuts itself in as its kind says before it is asked anything. Each act is done in a
 * child of that process, so that one that hangs or crashes is ended, and the next one begins anew.
 * What it was given may be renewed while it runs, by who started it: an act under way then begins
 * again.
 *
 * Forks without exec: before other threads are started. Part of vault; linked where it is. */
#ifndef STEWARD_VAULT_HOLDER_H
#define STEWARD_VAULT_HOLDER_H

#include "vault/vault.h"

#include <sys/types.h>

#define HOLDER_WRAPPED_MAX 1024u

/* What the holder made of a key, as its kind has it. */
struct holder_wrapped {
    uint32_t len;
    uint8_t bytes[HOLDER_WRAPPED_MAX];
};

/* Static. wrap and unwrap run in the child: what they change is gone afterwards. */
struct holder_kind {
    const char *process; /* its name in the system's list: at most 15 letters */
    const char *called;  /* in sentences: "the token" */
    unsigned patience_s; /* how long an act may take; then it is STATUS_BUSY */
    /* A sentence for every act after a credential was refused once (STATUS_AUTH); NULL: it may be
     * tried again. */
    const char *refused;
    /* In the process, before it is asked anything: what it gives up (base/sandbox.h). */
    struct status (*confine)(const void *ctx, struct diag *diag);
    void (*lock)(const void *ctx); /* credentials in memory, after a fork; NULL: there are none */
    struct status (*wrap)(const void *ctx, const uint8_t key[static VAULT_KEY_BYTES],
                          struct diag *diag, struct holder_wrapped *ret_wrapped);
    struct status (*unwrap)(const void *ctx, const struct holder_wrapped *w, struct diag *diag,
                            uint8_t ret_key[static VAULT_KEY_BYTES]);
    /* In the process itself: takes anew what may change of ctx, or leaves all as it was and says
     * why. NULL: nothing may. */
    struct status (*renew)(void *ctx, struct diag *diag);
};

struct holder;
/* ctx is copied with the rest of this process; the caller may release its own. */
struct status holder_start(const struct holder_kind *kind, void *ctx, struct diag *diag,
                           struct holder **ret_holder);
/* One that another process has started; fd is taken over. NULL when memory is out. */
struct holder *holder_over(const struct holder_kind *kind, int fd);
/* Ends the process once nobody else has its socket, and waits for that if this one started it. */
void holder_free(struct holder *h);
DEFINE_FREEP(holder_free, struct holder)
int holder_fd(const struct holder *h);
/* For a process that only passes the socket on: closes it here. The process is still waited for. */
void holder_let_go(struct holder *h);
pid_t holder_pid(const struct holder *h); /* 0: another's child */
/* Has what it was given renewed, also after holder_let_go: what the kind's renew says. For acts
 * that are asked for from now on, and those under way. UNSUPPORTED: none of its things may change,
 * or another started it. */
struct status holder_renew(struct holder *h, struct diag *diag);

/* Any thread; one act at a time. What the kind says; BUSY when it took too long; IO when its code
 * crashed or the process is gone. */
struct status holder_wrap(struct holder *h, const struct secret *key, struct diag *diag,
                          struct holder_wrapped *ret_wrapped);
struct status holder_unwrap(struct holder *h, const struct holder_wrapped *w, struct diag *diag,
                            struct secret *ret_key);

#endif
