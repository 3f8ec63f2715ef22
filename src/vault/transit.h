/* transit: the provider whose wrapping key stays in a transit service (the REST API of OpenBao and
 * Vault). The service wraps a random key, and that key seals the workspace's: the service never
 * sees the latter. State, a JSON object: uri, wrapped ("vault:vN:..."), bound (base64, 32 bytes),
 * sealed (base64, 48 bytes).
 *
 * Where the service is, whom to believe there and the token come from whoever runs Steward and from
 * nothing that lies in a workspace: they are in the letter. A process of its own has it and asks
 * the service, through net/door (vault/holder.h, vault/transit_ask.h). */
#ifndef STEWARD_VAULT_TRANSIT_H
#define STEWARD_VAULT_TRANSIT_H

#include "vault/holder.h"
#include "vault/transit_answer.h"
#include "vault/transit_uri.h"

#define TRANSIT_LETTER_MAX 65536u
#define TRANSIT_TOKEN_MAX 4096u
#define TRANSIT_BOUND_BYTES 32u

/* What both ends of the process say of themselves. */
#define TRANSIT_KIND .process = "steward-transit", .called = "the transit service", .patience_s = 20

/* Where the process takes URI and rules anew; its own copy of ctx. */
struct transit_source {
    struct status (*read)(void *ctx, struct diag *diag, struct buf *ret_uri, struct buf *ret_rules);
    void *ctx;
};

/* What the process is given. */
struct transit_access {
    struct transit_uri uri;
    char *rules;                         /* lines of net/egress.h, each ending with a line break */
    struct secret token;                 /* empty: in uri.token_file, read for every question */
    const struct transit_source *source; /* NULL: nothing changes while it runs */
};

/* What the service made of a key. */
struct transit_wrapped {
    uint8_t bound[TRANSIT_BOUND_BYTES]; /* random: associated data, and context */
    char text[TRANSIT_TEXT_MAX];
};
_Static_assert(sizeof(struct transit_wrapped) <= HOLDER_WRAPPED_MAX, "fits");

/* The credential of a transit service: which URI is asked, under which rules, with which token
 * (empty: the URI names a file). LIMIT. */
struct status transit_write_letter(const char *uri, struct view rules, const struct secret *token,
                                   struct secret *ret_letter);

/* The process takes URI (of the same key, else STATUS_AUTH) and rules of its source: the one that
 * holder_renew asks for. ctx: struct transit_access. The token stays, unless the URI names a file.
 */
struct status transit_renew(void *ctx, struct diag *diag);
/* STATUS_AUTH with a sentence when that URI (as it is configured) names another key than `uri`. */
struct status transit_check_key(const char *uri, const char *configured, struct diag *diag);

struct transit;
struct transit_means {
    const struct secret *letter;
    const struct holder_kind *kind; /* of the process that is started */
    const struct transit_source *source;
    int fd; /* of a process that asks already, taken over; 0: one is started */
};

/* uri: as a file says it; the letter, which is copied into the process, must name the same key.
 * STATUS_INPUT for either URI, STATUS_AUTH without a letter or token; the service is asked later.
 */
struct status transit_new(const char *uri, const struct transit_means *m, struct diag *diag,
                          struct transit **ret_transit);
void transit_free(struct transit *t);
DEFINE_FREEP(transit_free, struct transit)
struct holder *transit_holder(struct transit *t); /* borrowed */
const char *transit_target(const struct transit *t);
/* Borrows t. */
struct vault_provider transit_provider(struct transit *t);

#endif
