/* access_roles: actions and the built-in roles as tables, and the patterns they are written in.
 * Part of access. */
#ifndef STEWARD_PROTECT_ACCESS_ROLES_H
#define STEWARD_PROTECT_ACCESS_ROLES_H

#include "protect/access_rule.h"

struct access_role {
    const char *name;
    const char *about;
    enum access_output output; /* of its model.infer, if it has that */
    bool explanations, all_columns;
};

/* admin, data-scientist, operator, caller, auditor */
const struct access_role *access_roles(size_t *ret_count);
/* NULL: none of the built-in ones. */
const struct access_role *access_role_built_in(const char *role);
/* The built-in role as one rule: its actions everywhere. */
void access_role_rule_of(const struct access_role *role, struct access_role_rule *ret_rule);
/* Whether a built-in role holds the action (its rows say so); resources are the grant's. */
bool access_role_allows(const char *role, const char *action);
/* Who may call is not who may configure: STATUS_INPUT when the actions of a role are both. */
struct status access_actions_separate(uint32_t actions, struct diag *diag);
/* Whether a resource that the pattern matches can have the action: model.infer happens on models.
 */
bool access_action_fits(enum access_action a, const char *pattern);
/* Segment by segment at '.' for actions and '/' for resources: '*' is one segment, '**' the rest
 * (also none). */
bool access_pattern_matches(const char *pattern, const char *text, char separator);
/* 1 to 127 of a-z 0-9 . _ - / *, no empty segment, '**' only at the end. */
bool access_pattern_valid(const char *pattern);

#endif
