/* journal: the bytes that make entries durable before they are in the tree. Layout, validity rule
 * and crash argument: docs/spec/audit.md.
 *
 * header: "steward-journal2", u64 base (entries in the tree when it began), 32 root (of those), 32
 * SHA-256 of these 56.
 * record: u32 (bit 31: first of its batch; low bits: length, not 0), entry, 32 SHA-256(0x02,
 * previous hash, u32, entry).
 * padding: zeros. "steward-journal1", which is read only, has none.
 *
 * All integers are big-endian; the hash before the first record is the header's. Pure: bytes in,
 * bytes out. */
#ifndef STEWARD_GOVERN_JOURNAL_H
#define STEWARD_GOVERN_JOURNAL_H

#include "base/digest.h"

#define JOURNAL_HEADER_BYTES 88u
#define JOURNAL_RECORD_BYTES 36u /* without the entry */
#define JOURNAL_MAX (384u << 20)

struct journal_header {
    uint64_t base;
    struct digest root;
    struct digest chain;
    bool padded; /* zeros may follow the last record */
};

void journal_put_header(struct buf *b, uint64_t base, const struct digest *root);
/* STATUS_INTEGRITY with "byte N: why". */
struct status journal_read_header(struct view bytes, struct diag *diag,
                                  struct journal_header *ret_header);
void journal_put_record(struct buf *b, struct view entry, bool first, struct digest *chain);
/* Entry of the next record at *pos in records that are known to be valid; false at the end. */
bool journal_entry(struct view records, size_t *pos, struct view *ret_entry);
/* Where the record after the first `count` begins; there are that many. */
size_t journal_skip(struct view records, uint64_t count);
/* Appends the same entries in the same batches, chained on *chain: for a journal that begins later.
 * How many. */
uint64_t journal_rechain(struct view records, struct digest *chain, struct buf *b);
/* Next record at *pos: moves *pos and *chain on; false at the end or at bytes that are no valid
 * record. */
bool journal_next(struct view bytes, size_t *pos, struct digest *chain, struct view *ret_entry);

enum journal_state {
    JOURNAL_WHOLE,
    JOURNAL_TORN,    /* the bytes from `end` on can be an unfinished last batch */
    JOURNAL_TAMPERED /* a bad record, and a later batch after it: no crash does that */
};

struct journal_scan {
    enum journal_state state;
    size_t end;     /* first byte that is no valid record */
    size_t torn;    /* bytes from there on, without padding; 0: it is whole */
    uint64_t count; /* records before it */
    struct digest chain;
};

/* Reads records and what follows them; the hash before them is `chain`. */
void journal_scan(struct view bytes, const struct digest *chain, bool padded,
                  struct journal_scan *ret_scan);

#endif
