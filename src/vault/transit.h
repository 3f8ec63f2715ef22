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

/* What the process is given. */
struct transit_access {
    struct transit_uri uri;
    const char *rules;   /* lines of net/egress.h, each ending with a line break */
    struct secret token; /* empty: in uri.token_file, read for every question */
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

struct transit;

/* uri: as a file says it; the letter must name the same key. fd: of a process that asks already,
 * taken over; 0: one is started, of that kind, and the letter copied into it. STATUS_INPUT for
 * either URI, STATUS_AUTH without a letter or token; the service is asked later. */
struct status transit_new(const char *uri, const struct secret *letter,
                          const struct holder_kind *kind, int fd, struct diag *diag,
                          struct transit **ret_transit);
void transit_free(struct transit *t);
DEFINE_FREEP(transit_free, struct transit)
struct holder *transit_holder(struct transit *t); /* borrowed */
const char *transit_target(const struct transit *t);
/* Borrows t. */
struct vault_provider transit_provider(struct transit *t);

#endif
