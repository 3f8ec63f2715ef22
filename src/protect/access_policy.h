/* access_policy: roles, groups and grants from a YAML file (docs/spec/access.md): checked whole,
 * and taken whole or not at all when it runs in the caller's transaction. Untrusted text; fuzzed.
 */
#ifndef STEWARD_PROTECT_ACCESS_POLICY_H
#define STEWARD_PROTECT_ACCESS_POLICY_H

#include "protect/access.h"

#define ACCESS_POLICY_MAX (1u << 20) /* bytes of a file */

struct access_policy {
    struct view yaml;
    const char *file; /* for sentences */
    int64_t now_ns;
    /* Whether there is such a thing as "models/mortgage"; NULL: not asked. Asked of patterns
     * without stars under models and datasets. */
    bool (*exists)(void *ctx, const char *resource);
    void *ctx;
};

struct access_policy_counts {
    size_t roles, groups, grants;
};

/* A role or group that is there already becomes what the file says; whoever is named under "grants"
 * has these afterwards and no others (an emergency's stays until its time is over). What refers to
 * nothing is STATUS_INPUT: an unknown action, role, principal, group, column list, resource. */
struct status access_policy_import(struct access *a, const struct access_policy *p,
                                   struct diag *diag, struct access_policy_counts *ret_counts);

#endif
