/* access_issuer: who may issue tokens, and what a token's claims are here. Part of access. */
#ifndef STEWARD_PROTECT_ACCESS_ISSUER_H
#define STEWARD_PROTECT_ACCESS_ISSUER_H

#include "base/arena.h"
#include "protect/access_token.h"
#include "protect/jwt.h"

struct access_group_map {
    const char *value, *group;
};

struct access_issuer {
    const char *name;
    const char *id; /* of this adding of it: another once it was removed and added again */
    struct jwt_rules rules;
    const char *groups_claim;
    const struct access_group_map *groups;
    size_t group_count;
    bool discover;
    const char *ca;    /* PEM; NULL: the system's */
    struct jwks *keys; /* given with it; NULL when discovered. The snapshot's */
};

/* Of a record. A sentence without a place; strings on the arena. */
struct status access_issuer_read(const json_t *o, struct arena *arena, struct diag *diag,
                                 struct access_issuer *ret_issuer);
/* The groups that the claims name and the issuer maps. NULL, or why the token is refused. */
const char *access_issuer_groups(const struct access_issuer *i, const json_t *claims,
                                 struct access_caller *caller);
/* "issuer:subject" as principal; false when the subject cannot be one. */
bool access_issuer_principal(const struct access_issuer *i, const char *subject,
                             char ret_principal[static ACCESS_NAME_MAX]);

#endif
