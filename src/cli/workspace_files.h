/* workspace_files: models and rows that verbs on plain files take from files, or from the workspace
 * when they are named "workspace:NAME[@VERSION]"; of a dataset also ":test" or ":train", that part
 * of the split of the workspace's model that --model names. */
#ifndef STEWARD_CLI_WORKSPACE_FILES_H
#define STEWARD_CLI_WORKSPACE_FILES_H

#include "cli/cli.h"
#include "workspace/models.h"
#include "workspace/remover.h"

#define CLI_WORKSPACE "workspace:"

bool cli_is_of_workspace(const char *path);
/* One of the workspace, which path names. */
struct status cli_load_model(struct cli *c, const char *path, struct model **ret_model);
/* What is read knows the names of features and categories that the manifest tells. *ret_remover:
 * what stands before it; empty for a file's. */
struct status cli_read_model(struct cli *c, const char *path, struct model_file **ret_model,
                             struct remover *ret_remover);
/* Options of import hold for files. Rows leave the workspace in clear: the read is audited. */
struct status cli_read_rows(struct cli *c, const char *path, const struct import_options *o,
                            struct table **ret_table);
/* What a --cohort stands for: with a model of the workspace the predicate of "slice-1" or "node-3"
 * of its newest assessment ("slice-1@2": of its second), else itself. model may be NULL. */
struct status cli_resolve_cohort(struct cli *c, const char *model, const char *cohort,
                                 struct buf *ret_predicate);

#endif
