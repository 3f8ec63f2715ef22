/* transit_ask: the questions to a transit service, through the one door, by the process that has
 * the token (vault/holder.h). Brings libcurl: for whoever starts that process, not for the keeper.
 * Part of vault. */
#ifndef STEWARD_VAULT_TRANSIT_ASK_H
#define STEWARD_VAULT_TRANSIT_ASK_H

#include "vault/holder.h"

/* Its ctx is a struct transit_access. */
extern const struct holder_kind transit_kind;

#endif
