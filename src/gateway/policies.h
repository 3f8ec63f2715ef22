/* policies: what the workspace's policies say of a configuration, before it holds. */
#ifndef STEWARD_GATEWAY_POLICIES_H
#define STEWARD_GATEWAY_POLICIES_H

#include "cli/config.h"
#include "workspace/workspace.h"

/* Settings that a policy modifies or deploys are set in config, each told in the server's log and
 * the audit log. STATUS_DENIED, with the policy's name, where one denies what then holds.
 * ret_state: the configuration as policies see it (cli/config_state.h); the caller's. */
struct status gateway_policies(struct workspace *w, struct config *config, struct diag *diag,
                               json_t **ret_state);

#endif
