#include "govern/journal.h"

#include "govern/audit.h"

#include <string.h>

static const char magic[17] = "steward-journal2";
static const char unpadded[17] = "steward-journal1";

#define BATCH_BIT 0x80000000u
#define CHAIN_PREFIX 0x02
#define SEARCH_BUDGET (64u << 20) /* bytes hashed while looking for a batch after a bad record */

void
journal_put_header(struct buf *b, uint64_t base, const struct digest *root)
{
    const size_t at = b->len;
    struct digest sum;
    buf_put(b, view_of(magic, 16));
    buf_put_u64be(b, base);
    buf_put(b, view_of(root->bytes, DIGEST_BYTES));
    if (b->failed != 0) {
        return;
    }
    digest_of(view_of(b->ptr + at, b->len - at), &sum);
    buf_put(b, view_of(sum.bytes, DIGEST_BYTES));
}

struct status
journal_read_header(struct view bytes, struct diag *diag, struct journal_header *ret_header)
{
    struct reader r = reader_of(bytes);
    struct journal_header h;
    struct digest sum;
    const struct view start = reader_bytes(&r, 16);
    h.base = reader_u64be(&r);
    const struct view root = reader_bytes(&r, DIGEST_BYTES);
    const struct view chain = reader_bytes(&r, DIGEST_BYTES);
    if (r.bad) {
        diag_set(diag, "byte %zu: ends inside its header", bytes.len);
        FAIL(INTEGRITY);
    }
    h.padded = view_equal_str(start, magic);
    if (!h.padded && !view_equal_str(start, unpadded)) {
        diag_set(diag, "byte 0: not a journal");
        FAIL(INTEGRITY);
    }
    digest_of(view_of(bytes.ptr, JOURNAL_HEADER_BYTES - DIGEST_BYTES), &sum);
    if (!view_equal(chain, view_of(sum.bytes, DIGEST_BYTES))) {
        diag_set(diag, "byte 16: the header was changed: its hash differs");
        FAIL(INTEGRITY);
    }
    memcpy(h.root.bytes, root.ptr, DIGEST_BYTES);
    h.chain = sum;
    *ret_header = h;
    return OK;
}

/* word_and_entry: the record without its hash. */
static void
chain_on(struct digest *chain, struct view word_and_entry)
{
    struct digest next;
    digest_prefixed(CHAIN_PREFIX, view_of(chain->bytes, DIGEST_BYTES), word_and_entry, &next);
    *chain = next;
}

void
journal_put_record(struct buf *b, struct view entry, bool first, struct digest *chain)
{
    ASSERT(entry.len > 0 && entry.len <= AUDIT_MAX_ENTRY);
    const size_t at = b->len;
    buf_put_u32be(b, (uint32_t)entry.len | (first ? BATCH_BIT : 0));
    buf_put(b, entry);
    if (b->failed == 0) {
        chain_on(chain, view_of(b->ptr + at, b->len - at));
        buf_put(b, view_of(chain->bytes, DIGEST_BYTES));
    }
}

/* The record that would begin at pos, with its hash not looked at yet. */
static bool
record_at(struct view bytes, size_t pos, uint32_t *ret_word, struct view *ret_entry)
{
    if (pos > bytes.len || bytes.len - pos < JOURNAL_RECORD_BYTES) {
        return false;
    }
    struct reader r = reader_of(view_of(bytes.ptr + pos, bytes.len - pos));
    *ret_word = reader_u32be(&r);
    const uint32_t length = *ret_word & ~BATCH_BIT;
    if (length == 0 || length > AUDIT_MAX_ENTRY ||
        reader_left(&r) < (size_t)length + DIGEST_BYTES) {
        return false;
    }
    *ret_entry = view_of(bytes.ptr + pos + 4, length);
    return true;
}

/* entry as record_at gives it: in its record. */
static bool
record_valid(struct view entry, struct digest *chain)
{
    struct digest next = *chain;
    chain_on(&next, view_of(entry.ptr - 4, entry.len + 4));
    if (memcmp(entry.ptr + entry.len, next.bytes, DIGEST_BYTES) != 0) {
        return false;
    }
    *chain = next;
    return true;
}

bool
journal_next(struct view bytes, size_t *pos, struct digest *chain, struct view *ret_entry)
{
    uint32_t word;
    struct view entry;
    if (!record_at(bytes, *pos, &word, &entry) || !record_valid(entry, chain)) {
        return false;
    }
    *pos += JOURNAL_RECORD_BYTES + entry.len;
    *ret_entry = entry;
    return true;
}

bool
journal_entry(struct view records, size_t *pos, struct view *ret_entry)
{
    uint32_t word;
    if (!record_at(records, *pos, &word, ret_entry)) {
        return false;
    }
    *pos += JOURNAL_RECORD_BYTES + ret_entry->len;
    return true;
}

size_t
journal_skip(struct view records, uint64_t count)
{
    size_t pos = 0;
    struct view entry;
    for (uint64_t i = 0; i < count; i++) {
        const bool found = journal_entry(records, &pos, &entry);
        ASSERT(found);
    }
    return pos;
}

uint64_t
journal_rechain(struct view records, struct digest *chain, struct buf *b)
{
    uint64_t count = 0;
    uint32_t word;
    struct view entry;
    for (size_t pos = 0; record_at(records, pos, &word, &entry);
         pos += JOURNAL_RECORD_BYTES + entry.len) {
        journal_put_record(b, entry, (word & BATCH_BIT) != 0, chain);
        count++;
    }
    return count;
}

/* Is only the hash of the record at `bad` wrong? Then what follows it builds on the right one. */
static bool
batch_follows_right_hash(struct view bytes, size_t bad, const struct digest *before)
{
    uint32_t word;
    struct view entry;
    struct digest chain = *before;
    if (!record_at(bytes, bad, &word, &entry)) {
        return false;
    }
    chain_on(&chain, view_of(entry.ptr - 4, entry.len + 4));
    bad += JOURNAL_RECORD_BYTES + entry.len;
    return record_at(bytes, bad, &word, &entry) && (word & BATCH_BIT) != 0 &&
           record_valid(entry, &chain);
}

/* A batch is written only after the one before it was synced. So a valid first-of-batch record
 * after a bad one proves that the bad one had been whole. Each record's hash needs only the 32
 * bytes before it, so it is found wherever the damage ends. Damage that would cost too much to
 * search counts as tampering: nothing is cut on a guess. */
static bool
batch_follows(struct view bytes, size_t bad)
{
    size_t budget = SEARCH_BUDGET;
    for (size_t pos = bad + JOURNAL_RECORD_BYTES; pos < bytes.len; pos++) {
        uint32_t word;
        struct view entry;
        struct digest chain;
        if (!record_at(bytes, pos, &word, &entry) || (word & BATCH_BIT) == 0) {
            continue;
        }
        if (budget < entry.len + DIGEST_BYTES) {
            return true;
        }
        budget -= entry.len + DIGEST_BYTES;
        memcpy(chain.bytes, bytes.ptr + pos - DIGEST_BYTES, DIGEST_BYTES);
        if (record_valid(entry, &chain)) {
            return true;
        }
    }
    return false;
}

static struct view
without_padding(struct view bytes)
{
    size_t n = bytes.len;
    while (n > 0 && bytes.ptr[n - 1] == 0) {
        n--;
    }
    return view_of(bytes.ptr, n);
}

/* A record may end with zeros: the padding is what follows the last valid one. */
void
journal_scan(struct view bytes, const struct digest *chain, bool padded,
             struct journal_scan *ret_scan)
{
    struct journal_scan s = {.chain = *chain};
    struct view entry;
    while (journal_next(bytes, &s.end, &s.chain, &entry)) {
        s.count++;
    }
    bytes = padded ? without_padding(bytes) : bytes;
    s.torn = s.end < bytes.len ? bytes.len - s.end : 0;
    if (s.torn > 0) {
        const bool follows =
            batch_follows_right_hash(bytes, s.end, &s.chain) || batch_follows(bytes, s.end);
        s.state = follows ? JOURNAL_TAMPERED : JOURNAL_TORN;
    }
    *ret_scan = s;
}
