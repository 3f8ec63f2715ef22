/* config: steward.yaml. One table gives every key, its default, its sentence; the parser (over
 * libyaml), the example file and the documentation come from it. Wrong keys are refused with line
 * number and the nearest right one. */
#ifndef STEWARD_CLI_CONFIG_H
#define STEWARD_CLI_CONFIG_H

#include "base/json.h"
#include "net/egress.h"
#include "serve/server.h"
#include "vault/transit_uri.h"

#define CONFIG_MAX_THREADS 1024u
#define CONFIG_LISTEN_BYTES (ADDRESS_TEXT_MAX + 16)
#define CONFIG_LIST_BYTES 32768u /* of a list's items, each ending with a line break */

struct config {
    struct server_options server;
    char listen_address[ADDRESS_TEXT_MAX];
    uint16_t listen_port; /* 8443 */
    unsigned threads;     /* for analysis; 0: one per core */
    int64_t audit_publish_ns;
    char witnesses[CONFIG_LIST_BYTES]; /* govern/cosign.h */
    unsigned quorum;                   /* of them; 0: all */
    char exports[CONFIG_LIST_BYTES];   /* govern/receiver.h */
    char captures[CONFIG_LIST_BYTES];  /* serve/capture.h */
    int64_t capture_keep_ns;
    int log_level;
    char quotas[CONFIG_LIST_BYTES];    /* govern/quota.h */
    char transit[TRANSIT_URI_MAX + 1]; /* keys.transit; "": none */
    unsigned token_network;            /* keys.token_network; 1: open */
    /* network: */
    struct config_listener {
        char text[CONFIG_LISTEN_BYTES];
        char address[ADDRESS_TEXT_MAX]; /* "": there is no such listener */
    } management, console;
    char allow[HTTP_LISTENERS][CONFIG_LIST_BYTES], deny[HTTP_LISTENERS][CONFIG_LIST_BYTES];
    char egress[CONFIG_LIST_BYTES]; /* net/egress.h */
};

/* [{"key": "limits.rows", "value": "10000", "default": "10000"}]: every key, as it is written. */
struct status config_to_json(const struct config *c, json_t **ret_rows);
void config_defaults(struct config *ret_config);
/* path missing: STATUS_NOT_FOUND. Untrusted text; fuzzed. */
struct status config_load(const char *path, struct diag *diag, struct config *config);
/* path, or steward.yaml of that workspace when NULL; without that file the defaults hold. */
struct status config_of_workspace(const char *dir, const char *path, struct diag *diag,
                                  struct config *ret_config);
struct status config_parse(struct view yaml, const char *name, struct diag *diag,
                           struct config *config);
/* The rules of network.egress; egress_free. MEMORY: the lines were read before. */
struct status config_egress(const struct config *c, struct egress **ret_rules);
/* Those lines of network.egress that are of that purpose, each with its line break. */
void config_egress_of(const struct config *c, const char *purpose, struct buf *ret_lines);
/* audit.witnesses; witnesses_options_free. MEMORY. */
struct status config_witnesses(const struct config *c, struct witnesses_options **ret_options);
/* Whether an item may stand behind those of the list: INPUT with a sentence. */
struct status config_check_witness(const char *list, struct view item, struct diag *diag);
struct status config_check_receiver(const char *list, struct view item, struct diag *diag);
struct status config_check_capture(const char *list, struct view item, struct diag *diag);
/* capture, which was read before. */
void config_captures(const struct config *c, struct capture_rules *ret_rules);
struct status config_check_quota(const char *list, struct view item, struct diag *diag);
/* limits.quotas, which was read before: how many. */
size_t config_quotas(const struct config *c, struct quota ret_quota[static QUOTAS]);
/* audit.export, which was read before: how many. */
size_t config_receivers(const struct config *c, struct receiver ret_receiver[static RECEIVERS]);
/* Who may connect to a listener; ingress_done. MEMORY. */
struct status config_ingress(const struct config *c, unsigned listener, struct ingress *ret_rules);
/* The next item of a list's text; false at its end. */
bool config_next_item(const char **text, struct view *ret_item);
/* "127.0.0.1:8443" or "none" */
struct status config_set_listener(struct view text, struct config_listener *ret_listener,
                                  struct http_listener *ret_http);
/* "127.0.0.1:8443", "[::1]:0" */
struct status config_read_listen(const char *text, char ret_address[static ADDRESS_TEXT_MAX],
                                 uint16_t *ret_port);
void config_put_example(struct buf *ret_yaml); /* steward.example.yaml, byte for byte */
/* The same, of a workspace whose key a transit service holds: keys.transit is that, and these lines
 * stand in network.egress, too. */
void config_put_for_transit(const char *uri, const char *rules, struct buf *ret_yaml);

#endif
