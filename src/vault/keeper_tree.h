/* keeper_tree: which checkpoints of the audit log the keeper signs: of this workspace's own log,
 * and of a tree that has neither become smaller than the last one that was signed, nor grown faster
 * than a log can: whoever took the gateway over would else have a size signed that no log ever
 * reaches, and after which none is signed. Part of vault; not locked.
 *
 * How fast that is: what is not under a checkpoint lies in the journal, which holds 256 MiB in
 * records of at least 36 bytes (docs/spec/audit.md): less than 2^23 entries. And what is to be
 * written, hashed twice and synced for an entry of the shortest kind takes more than a millionth of
 * a second. So KEEPER_TREE_BURST at once, and KEEPER_TREE_RATE a second in the long run: 2^64 would
 * take half a million years. */
#ifndef STEWARD_VAULT_KEEPER_TREE_H
#define STEWARD_VAULT_KEEPER_TREE_H

#include "vault/vault.h"

#define KEEPER_ROOT_TEXT 44 /* 32 bytes in base64 */
#define KEEPER_TREE_BURST (UINT64_C(1) << 23)
#define KEEPER_TREE_RATE (UINT64_C(1) << 20)

struct keeper_tree {
    const struct vault *vault;
    const char *dir; /* the workspace's */
    uint64_t room;   /* entries by which it may grow, at counted_ns */
    int64_t counted_ns;
    char name[VAULT_NAME_MAX];
    uint64_t size;
    char root[KEEPER_ROOT_TEXT + 1]; /* "" before the first */
};

/* Begins with dir/audit/checkpoint when its signature is the vault's; else with an empty tree.
 * Borrows v and dir. now_ns: clock_mono_ns. */
void keeper_tree_open(struct keeper_tree *t, const struct vault *v, const char *dir,
                      int64_t now_ns);
/* Takes a checkpoint's text (three lines: name, size, root) as the newest, or STATUS_DENIED and
 * why. One that seems to have grown too fast is compared with dir/audit/checkpoint once more:
 * another process may have signed that. Untrusted. */
struct status keeper_tree_grow(struct keeper_tree *t, struct view text, int64_t now_ns,
                               struct diag *diag);

#endif
