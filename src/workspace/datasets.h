/* datasets: versioned tables of a workspace, sealed. */
#ifndef STEWARD_WORKSPACE_DATASETS_H
#define STEWARD_WORKSPACE_DATASETS_H

#include "data/import.h"
#include "workspace/workspace.h"

#include <jansson.h>

struct dataset_info {
    char name[64];
    uint64_t version;
    uint64_t rows;        /* that can be read */
    uint64_t erased_rows; /* of persons who were erased */
    uint32_t columns;
    struct digest digest; /* of the encoded table */
};

/* Imports, seals, records, audits; a name that exists gets the next version. */
struct status dataset_add(struct workspace *w, const char *name, const char *path,
                          const struct import_options *o, struct diag *diag,
                          struct dataset_info *ret_info);
/* version 0: the newest. */
struct status dataset_load(struct workspace *w, const char *name, uint64_t version,
                           struct diag *diag, struct table **ret_table,
                           struct dataset_info *ret_info);
/* The plain bytes of a version, as they were sealed and as the record has them; ret_bytes is the
 * caller's to buf_wipe, also on failure. */
struct status dataset_open_bytes(struct workspace *w, const char *name, uint64_t version,
                                 struct diag *diag, struct buf *ret_bytes);
/* The record with the schema: what `dataset show` prints. */
struct status dataset_describe(struct workspace *w, const char *name, uint64_t version,
                               struct diag *diag, json_t **ret_record);
/* JSON array of records. */
struct status dataset_put_list(struct workspace *w, struct buf *ret_json);

#endif
