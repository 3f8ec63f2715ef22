/* keeper_tree: which checkpoints of the audit log the keeper signs: of this workspace's own log,
 * and of a tree that has not become smaller than the last one it signed. Part of vault; not locked.
 */
#ifndef STEWARD_VAULT_KEEPER_TREE_H
#define STEWARD_VAULT_KEEPER_TREE_H

#include "vault/vault.h"

#define KEEPER_ROOT_TEXT 44 /* 32 bytes in base64 */

struct keeper_tree {
    char name[VAULT_NAME_MAX];
    uint64_t size;
    char root[KEEPER_ROOT_TEXT + 1]; /* "" before the first */
};

/* Begins with dir/audit/checkpoint when its signature is the vault's; else with an empty tree. */
void keeper_tree_open(struct keeper_tree *t, const struct vault *v, const char *dir);
/* Takes a checkpoint's text (three lines: name, size, root) as the newest, or STATUS_DENIED and
 * why. Untrusted. */
struct status keeper_tree_grow(struct keeper_tree *t, struct view text, struct diag *diag);

#endif
