/* policy_settings: what the server's configuration says of each endpoint, as fields of the
 * endpoint. Part of policy_gather. */
#ifndef STEWARD_WORKSPACE_POLICY_SETTINGS_H
#define STEWARD_WORKSPACE_POLICY_SETTINGS_H

#include "base/json.h"

/* Adds "capture", "capture.keep" and "quotas" to the endpoints among `resources`, where the
 * resources of the configuration's document have the server's; without, they are not known. */
struct status policy_settings_put(json_t *resources, const json_t *configuration);

#endif
