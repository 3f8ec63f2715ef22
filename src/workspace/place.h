/* place: where a workspace appears: all of it at once, or nothing. It is made in a folder beside
 * its place, which is then renamed onto it. Part of workspace. */
#ifndef STEWARD_WORKSPACE_PLACE_H
#define STEWARD_WORKSPACE_PLACE_H

#include "base/status.h"

/* An existing empty directory by its real path (rename does not follow links), otherwise dir
 * without trailing slashes, its parents made. STATUS_EXISTS and a sentence when something is there.
 * *ret_path is malloc'd. */
struct status place_choose(const char *dir, struct diag *diag, char **ret_path);
/* Makes "<place>.new-XXXXXX": on the same file system, so that rename is one step. */
struct status place_beside(const char *place, struct diag *diag, char **ret_path);
/* The one step by which the workspace appears; what is in made is on disk already. Frees *made on
 * success. */
struct status place_take(char **made, const char *place, struct diag *diag);
void place_remove(char **path); /* for DEFER: with all that is in it; frees */

#endif
