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
 * while there is more, sign, shorten. */
struct growth;
struct growth *growth_new(const struct ledger *l); /* NULL when memory is out */
/* Not locked: closes the old journal, which is when its blocks are given back. */
void growth_free(struct growth *g);
DEFINE_FREEP(growth_free, struct growth)
/* Locked: some of what is pending and was not gathered yet. ret_more: much is left. */
struct status ledger_gather(const struct ledger *l, struct growth *g, bool *ret_more);
/* Not locked, touches no ledger: writes the tiles. last: no more is gathered, even if there is
 * more.
 */
struct status growth_write(struct growth *g, bool last, struct diag *diag);
/* Locked: signs the checkpoint, which is durable then. If another process has published meanwhile,
 * nothing is done and that is OK. ret_signed: how many entries it covers; 0: nothing was done. */
struct status ledger_sign(struct ledger *l, struct growth *g, struct diag *diag,
                          uint64_t *ret_signed);
/* Locked as well, with nothing between them: lets the journal begin after what was signed. */
struct status ledger_shorten(struct ledger *l, struct growth *g, struct diag *diag);

uint64_t ledger_size(const struct ledger *l);
uint64_t ledger_pending(const struct ledger *l); /* entries in the journal only */
uint64_t ledger_pending_bytes(const struct ledger *l);
/* By one thread at a time, as the locked ones: nothing is written for a while. */
void ledger_rest(struct ledger *l);

#endif
