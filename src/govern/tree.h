/* tree: the signed half of the log as a writer has it: the unfinished tiles in memory, all tiles
 * and the checkpoint on disk. Not thread-safe; two trees may be written in one folder at once as
 * long as both grow from the same entries. */
#ifndef STEWARD_GOVERN_TREE_H
#define STEWARD_GOVERN_TREE_H

#include "govern/merkle.h"
#include "govern/note.h"

struct audit_signer;
struct tile_writer;
struct tree;

/* NULL when memory is out. */
struct tree *tree_new(const char *dir);
void tree_free(struct tree *t);
DEFINE_FREEP(tree_free, struct tree)

/* The tree that checkpoint c signs, from its unfinished tiles; STATUS_INTEGRITY when they do not
 * give its root or the unfinished bundle's entries are not those. On failure the tree must be
 * loaded again before use. */
struct status tree_load(struct tree *t, const struct checkpoint *c, struct diag *diag);
/* STATUS_MEMORY: `to` must be copied or loaded again before use. */
struct status tree_copy(struct tree *to, const struct tree *from);
uint64_t tree_size(const struct tree *t);
void tree_root(const struct tree *t, struct digest *ret_root);
/* Adds the entries of journal records: full tiles and bundles go to the writer, which is one of the
 * tree's folder. Where these are the last of what it grows by, all that it needs is durable on
 * return: the unfinished ones, too, but for those that it has written before and that are as they
 * were. On failure the tree must be copied or loaded again before use; what was written does no
 * harm. */
struct status tree_grow(struct tree *t, struct tile_writer *w, struct view records, bool last,
                        struct diag *diag);
/* Root of the first `size` entries of the tree that c signs, out of its tiles; size <= c->size. */
struct status tree_root_at(const char *dir, const struct checkpoint *c, uint64_t size,
                           struct diag *diag, struct digest *ret_root);
/* Does the tree that `now` signs begin with the one that `before` signs? STATUS_INTEGRITY when not.
 */
struct status tree_check_extends(const char *dir, const struct checkpoint *before,
                                 const struct checkpoint *now, struct diag *diag);

/* The signed checkpoint's file. A wrong one is STATUS_INTEGRITY with "checkpoint: byte N: why". */
struct status tree_read_checkpoint(const char *dir, const struct note_key *key, struct diag *diag,
                                   struct checkpoint *ret_checkpoint);
struct status tree_write_checkpoint(const char *dir, const struct audit_signer *signer,
                                    const struct note_key *key, const struct checkpoint *c,
                                    struct diag *diag);

#endif
