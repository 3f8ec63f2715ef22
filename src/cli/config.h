/* config: steward.yaml. One table gives every key, its default, its sentence; the parser (over
 * libyaml), the example file and the documentation come from it. Wrong keys are refused with line
 * number and the nearest right one. */
#ifndef STEWARD_CLI_CONFIG_H
#define STEWARD_CLI_CONFIG_H

#include "base/json.h"
#include "net/egress.h"
#include "serve/server.h"

#define CONFIG_MAX_THREADS 1024u
#define CONFIG_LIST_BYTES 32768u /* of a list's items, each ending with a line break */

struct config {
    struct server_options server;
    char listen_address[ADDRESS_TEXT_MAX];
    uint16_t listen_port; /* 8443 */
    unsigned threads;     /* for analysis; 0: one per core */
    int64_t audit_publish_ns;
    int log_level;
    char egress[CONFIG_LIST_BYTES]; /* net/egress.h */
};

/* [{"key": "limits.rows", "value": "10000", "default": "10000"}]: every key, as it is written. */
struct status config_to_json(const struct config *c, json_t **ret_rows);
void config_defaults(struct config *ret_config);
/* path missing: STATUS_NOT_FOUND. Untrusted text; fuzzed. */
struct status config_load(const char *path, struct diag *diag, struct config *config);
struct status config_parse(struct view yaml, const char *name, struct diag *diag,
                           struct config *config);
/* The rules of network.egress; egress_free. MEMORY: the lines were read before. */
struct status config_egress(const struct config *c, struct egress **ret_rules);
void config_put_example(struct buf *ret_yaml); /* steward.example.yaml, byte for byte */

#endif
