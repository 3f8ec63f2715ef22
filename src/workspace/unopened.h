/* unopened: a workspace that did not open (a wrong passphrase or PIN, a token that is out, a
 * service that refuses) says so in its log. Needs no key. */
#ifndef STEWARD_WORKSPACE_UNOPENED_H
#define STEWARD_WORKSPACE_UNOPENED_H

#include "workspace/workspace.h"

/* An act of somebody's, on a workspace that is not open. principal NULL: workspace_user. Where
 * nothing can be written, nothing is; the entry is durable on return otherwise, and under a
 * checkpoint once somebody has opened the workspace. */
void workspace_audit_unopened(const char *dir, const char *principal,
                              const struct workspace_act *act);
/* Gives s back; what failed is told so. principal NULL: workspace_user. for_what: the verb. */
struct status workspace_tell_unopened(const char *dir, const char *principal, const char *for_what,
                                      struct status s, const struct diag *diag);

#endif
