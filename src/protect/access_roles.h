/* access_roles: the built-in roles as rows, and the patterns they are written in. Part of access.
 */
#ifndef STEWARD_PROTECT_ACCESS_ROLES_H
#define STEWARD_PROTECT_ACCESS_ROLES_H

#include "protect/access.h"

bool access_role_known(const char *role);
/* Whether the role holds the action (its rows say so); resources are the grant's. */
bool access_role_allows(const char *role, const char *action);
/* Segment by segment at '.' for actions and '/' for resources: '*' is one segment, '**' the rest
 * (also none). */
bool access_pattern_matches(const char *pattern, const char *text, char separator);
/* 1 to 127 of a-z 0-9 . _ - / *, no empty segment, '**' only at the end. */
bool access_pattern_valid(const char *pattern);

#endif
