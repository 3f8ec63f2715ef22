/* subjects: the keys of persons: one list for a dataset's name, in two files that are never copied
 * by Steward but into backups (docs/spec/subjects.md). A person is told by a keyed hash. Destroying
 * a person's key makes what it sealed unreadable, wherever copies of that lie. Not thread-safe;
 * whoever changes a list keeps others away (workspace_lock). */
#ifndef STEWARD_VAULT_SUBJECTS_H
#define STEWARD_VAULT_SUBJECTS_H

#include "base/digest.h"
#include "vault/seal.h"

#define SUBJECTS_MOST (UINT32_C(1) << 22) /* of one list */

struct subjects;

/* Where a list lies: base + ".key" and ".slots"; name: whose list it is. */
/* Makes the list when there is none; STATUS_INTEGRITY when half of it is there. */
struct status subjects_open_new(const struct vault *v, const char *base, const char *name,
                                struct diag *diag, struct subjects **ret_subjects);
struct status subjects_open(const struct vault *v, const char *base, const char *name,
                            struct diag *diag, struct subjects **ret_subjects);
void subjects_free(struct subjects *s);
DEFINE_FREEP(subjects_free, struct subjects)

/* The key that the list's own keys are sealed with, for whoever keeps account. */
void subjects_key(const struct subjects *s, struct seal_key *ret_key);
uint32_t subjects_count(const struct subjects *s);
/* Only the first n from now on: what stands behind was never used. Not on disk before the next
 * subjects_keep. STATUS_INTEGRITY when there are fewer. */
struct status subjects_cut(struct subjects *s, uint32_t n);
/* SHA-256 of the hashes of the first n, n at most subjects_count. */
void subjects_digest(const struct subjects *s, uint32_t n, struct digest *ret_digest);
/* False when there is none. */
bool subjects_find(const struct subjects *s, const struct digest *subject, uint32_t *ret_slot);
/* The slot's key is destroyed. */
bool subjects_is_destroyed(const struct subjects *s, uint32_t slot);
/* One more, with a fresh key; durable with subjects_keep. STATUS_LIMIT. */
struct status subjects_add(struct subjects *s, const struct digest *subject, uint32_t *ret_slot);
struct status subjects_keep(struct subjects *s, struct diag *diag);
/* Overwrites the key in its place; durable with subjects_sync. Again does nothing. */
struct status subjects_destroy(struct subjects *s, uint32_t slot, struct diag *diag);
struct status subjects_sync(struct subjects *s, struct diag *diag);

/* Appends nonce, ciphertext and tag of plain, bound to what it is. */
struct status subjects_seal(const struct subjects *s, uint32_t slot, struct view bound,
                            struct view plain, struct buf *ret_sealed);
/* STATUS_INTEGRITY when anything differs, or the key is destroyed. */
struct status subjects_unseal(const struct subjects *s, uint32_t slot, struct view bound,
                              struct view sealed, struct buf *ret_plain);
/* Opens every key that is there. */
struct status subjects_verify(const struct subjects *s, struct diag *diag);
/* The list's key under the newest generation of the workspace key. */
struct status subjects_rewrap(const struct vault *v, const char *base, const char *name,
                              struct diag *diag);

#endif
