/* ledger: the log's files as one writer sees them: the journal (durable, not yet signed) and the
 * tree (signed). Calls marked "locked" are made under ledger_lock, by one thread at a time, and
 * begin with ledger_sync, which takes in what other processes did. */
#ifndef STEWARD_GOVERN_LEDGER_H
#define STEWARD_GOVERN_LEDGER_H

#include "govern/audit.h"

struct ledger;

/* Makes the folder and an empty, signed log when there is none. Takes and releases the lock. */
struct status ledger_open(const char *dir, const struct audit_signer *signer, struct diag *diag,
                          struct ledger **ret_ledger);
void ledger_free(struct ledger *l);
DEFINE_FREEP(ledger_free, struct ledger)

/* Keeps other processes out; threads of this one need a mutex besides. */
struct status ledger_lock(struct ledger *l);
void ledger_unlock(struct ledger *l);
struct status ledger_sync(struct ledger *l, struct diag *diag); /* locked */
/* Locked. One batch: entries are u32be length + bytes, `count` of them. One write, one fdatasync.
 * On failure nothing of it is in the log. */
struct status ledger_append(struct ledger *l, struct view entries, uint64_t count,
                            struct diag *diag);

/* Publishing in steps, so that appending goes on during the long ones: gather and write in turn
 * while there is more; turn, claim, sign; copy, prepare, shorten; tidy. What is marked "locked" is
 * made as above, the rest without the lock. */
struct growth;
struct growth *growth_new(const struct ledger *l); /* borrows l; NULL when memory is out */
void growth_free(struct growth *g);
DEFINE_FREEP(growth_free, struct growth)
void growth_reset(struct growth *g); /* for the next publication: its memory stays */
/* Locked: some of what is pending and was not gathered yet. ret_more: much is left. */
struct status ledger_gather(const struct ledger *l, struct growth *g, bool *ret_more);
/* The tiles; all are durable with the last. last: no more is gathered, even if there is more. */
struct status growth_write(struct growth *g, bool last, struct diag *diag);
/* Waits until no other process signs, and keeps them from it until tidy. */
struct status growth_turn(struct growth *g, struct diag *diag);
/* Locked: may this be signed? If another process has published meanwhile, it is not, and that is
 * OK. */
struct status ledger_claim(struct ledger *l, struct growth *g, struct diag *diag);
/* The checkpoint, which is durable then. ret_signed: how many entries it covers; 0: nothing was
 * done. */
struct status growth_sign(struct growth *g, struct diag *diag, uint64_t *ret_signed);
/* Locked: what came meanwhile, for the next journal; and without the lock: most of that journal.
 * Both may be left out. */
struct status ledger_copy(const struct ledger *l, struct growth *g);
struct status growth_prepare(struct growth *g, struct diag *diag);
/* Locked, also after a failure: lets the journal begin after what was signed. */
struct status ledger_shorten(struct ledger *l, struct growth *g, struct diag *diag);
/* Gives back what the new checkpoint has made needless. */
void growth_tidy(struct growth *g);

uint64_t ledger_size(const struct ledger *l);
uint64_t ledger_pending(const struct ledger *l); /* entries in the journal only */
uint64_t ledger_pending_bytes(const struct ledger *l);
/* By one thread at a time, as the locked ones: nothing is written for a while. */
void ledger_rest(struct ledger *l);

#endif
