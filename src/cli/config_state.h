/* config_state: a configuration as policies look at it: the server and its listeners, in the form
 * that govern/policy.h has. */
#ifndef STEWARD_CLI_CONFIG_STATE_H
#define STEWARD_CLI_CONFIG_STATE_H

#include "base/json.h"
#include "cli/config.h"

/* user: whose process serves. {"holds": ["server", "listener"], "resources": [...]} */
struct status config_state(const struct config *c, const char *user, json_t **ret_document);

#endif
