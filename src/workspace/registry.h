/* registry: the versioned records of the workspace's objects: one JSON record for each (collection,
 * name, version), in the store. Versions start at 1 and are never reused. Callers that write hold
 * workspace_lock. */
#ifndef STEWARD_WORKSPACE_REGISTRY_H
#define STEWARD_WORKSPACE_REGISTRY_H

#include "base/json.h"
#include "workspace/workspace.h"

/* STATUS_INPUT with a sentence unless text_is_name. kind: "dataset", for the sentence. */
struct status registry_check_name(const char *kind, const char *name, struct diag *diag);
/* A record with what each has: name, version, sha256 of the object's plaintext, time of creation.
 */
struct status registry_record_new(const char *name, uint64_t version, const struct digest *digest,
                                  json_t **ret_record);
/* STATUS_INTEGRITY unless the record's sha256 is `found`. */
struct status registry_check_digest(const json_t *record, const struct digest *found,
                                    struct diag *diag);
/* Newest version; 0 when the name is unknown. */
struct status registry_newest(struct workspace *w, const char *collection, const char *name,
                              uint64_t *ret_version);
/* What stands sealed at (collection, name, version) becomes part of the registry, and the act of
 * the log, together; on failure neither is there and the object's file is removed. */
struct status registry_put(struct workspace *w, const char *collection, const char *name,
                           uint64_t version, const json_t *record, const struct workspace_act *act,
                           struct diag *diag);
/* The same, and in the same transaction another record. */
struct registry_also {
    const char *collection, *id;
    struct view value;
};
struct status registry_put_with(struct workspace *w, const char *collection, const char *name,
                                uint64_t version, const json_t *record,
                                const struct registry_also *also, const struct workspace_act *act,
                                struct diag *diag);
/* version 0: the newest. STATUS_NOT_FOUND with a sentence that names what there is. */
struct status registry_get(struct workspace *w, const char *collection, const char *name,
                           uint64_t version, struct diag *diag, json_t **ret_record);
/* In order of name, then version. The record is borrowed. */
struct status registry_each(struct workspace *w, const char *collection,
                            struct status (*each)(void *ctx, const char *name, uint64_t version,
                                                  const json_t *record),
                            void *ctx);
/* Appends all records as one JSON array. */
struct status registry_put_list(struct workspace *w, const char *collection, struct buf *ret_json);

#endif
