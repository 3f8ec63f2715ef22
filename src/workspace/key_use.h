/* key_use: every use of a key is an entry of the audit log ("key.use", docs/spec/audit.md), durable
 * before what the key opens is read: when it cannot be written, the key is not used. One entry for
 * each key and open workspace, so that a verb that opens an object ten times writes one; a server
 * (whose keys a keeper has) writes one whenever it opens something. */
#ifndef STEWARD_WORKSPACE_KEY_USE_H
#define STEWARD_WORKSPACE_KEY_USE_H

#include "vault/seal.h"
#include "workspace/workspace.h"

void key_uses_done(struct key_uses *u);

/* act: "open", "sign"; key: vault_key_id's, or a word for a key of which there is one; generation
 * 0: not known here; purpose: what the key is for; which: "version 2", or NULL. */
struct key_use {
    const char *resource, *act, *key, *purpose, *which;
    uint32_t generation;
};
struct status key_use_tell(struct workspace *w, const struct key_use *u, struct diag *diag);

/* As seal_reader_open of the workspace's object of that id, told. A refusal is an entry, too. */
struct status key_use_open(struct workspace *w, struct seal_id id, struct diag *diag,
                           struct seal_reader **ret_reader);
/* As seal_open_file, told. */
struct status key_use_read(struct workspace *w, struct seal_id id, size_t max, struct diag *diag,
                           struct buf *ret_plain);

#endif
