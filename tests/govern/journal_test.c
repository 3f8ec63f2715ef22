#include "fixture.h"

#include "base/file.h"
#include "govern/journal_file.h"
#include "govern/ledger.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROOT_7 ((struct digest){{7}})
#define ENTRIES 7

/* Batches of 1, 2, 1, 3 entries of growing lengths. */
static const bool first[ENTRIES] = {true, true, false, true, true, false, false};
static const size_t batch_of[ENTRIES] = {0, 1, 1, 2, 3, 3, 3};

struct sample {
    struct buf bytes; /* after the header */
    struct digest start;
    size_t end[ENTRIES + 1]; /* of each record; [0]: 0 */
};

static void
make_sample(struct sample *s)
{
    DEFER(buf_done) struct buf head;
    struct journal_header h;
    buf_init(&head, 128);
    buf_init(&s->bytes, 1 << 16);
    journal_put_header(&head, 5, &ROOT_7);
    assert_int_equal(head.len, JOURNAL_HEADER_BYTES);
    assert_ok(journal_read_header(buf_view(&head), NULL, &h));
    s->start = h.chain;
    struct digest chain = h.chain;
    s->end[0] = 0;
    for (size_t i = 0; i < ENTRIES; i++) {
        char entry[64];
        const int n = snprintf(entry, sizeof entry, "{\"n\":%zu%.*s}", i, (int)i, "          ");
        journal_put_record(&s->bytes, view_of(entry, (size_t)n), first[i], &chain);
        s->end[i + 1] = s->bytes.len;
    }
}

static size_t
record_holding(const struct sample *s, size_t byte)
{
    size_t i = 0;
    while (s->end[i + 1] <= byte) {
        i++;
    }
    return i;
}

static void
refuses_a_header_with_any_byte_flipped_or_cut(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf head;
    struct journal_header h;
    struct diag diag = {0};
    buf_init(&head, 128);
    journal_put_header(&head, UINT64_MAX, &ROOT_7);
    for (size_t i = 0; i < head.len; i++) {
        head.ptr[i] ^= 0x10;
        assert_status(journal_read_header(buf_view(&head), &diag, &h), INTEGRITY);
        assert_says(&diag, i < 16 ? "byte 0: not a journal" : "byte 16: the header was changed");
        head.ptr[i] ^= 0x10;
        assert_status(journal_read_header(view_of(head.ptr, i), &diag, &h), INTEGRITY);
    }
    assert_says(&diag, "byte 87: ends inside its header");
    assert_ok(journal_read_header(buf_view(&head), NULL, &h));
    assert_true(h.base == UINT64_MAX && h.padded);
}

/* A changed byte is never passed over; and where a later batch was written behind it, it is told
 * from a torn write. */
static void
tells_tampering_from_a_torn_write_at_every_bit(void **state)
{
    (void)state;
    struct sample s;
    make_sample(&s);
    DEFER(buf_done) struct buf bytes = s.bytes;
    for (size_t i = 0; i < bytes.len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            struct journal_scan scan;
            const size_t bad = record_holding(&s, i);
            bytes.ptr[i] = (uint8_t)(bytes.ptr[i] ^ (1 << bit));
            journal_scan(buf_view(&bytes), &s.start, true, &scan);
            bytes.ptr[i] = (uint8_t)(bytes.ptr[i] ^ (1 << bit));
            assert_int_equal(scan.end, s.end[bad]);
            assert_int_equal(scan.count, bad);
            assert_int_equal(scan.state, batch_of[bad] == 3 ? JOURNAL_TORN : JOURNAL_TAMPERED);
        }
    }
}

static void
a_cut_at_every_byte_is_a_torn_write(void **state)
{
    (void)state;
    struct sample s;
    make_sample(&s);
    DEFER(buf_done) struct buf bytes = s.bytes;
    for (size_t cut = 0; cut < bytes.len; cut++) {
        struct journal_scan scan;
        const size_t whole = record_holding(&s, cut);
        const size_t left = cut - s.end[whole];
        journal_scan(view_of(bytes.ptr, cut), &s.start, false, &scan);
        assert_int_equal(scan.count, whole);
        assert_int_equal(scan.end, s.end[whole]);
        assert_int_equal(scan.state, left == 0 ? JOURNAL_WHOLE : JOURNAL_TORN);
        assert_int_equal(scan.torn, left);
        journal_scan(view_of(bytes.ptr, cut), &s.start, true, &scan);
        assert_int_equal(scan.count, whole);
        assert_int_equal(scan.end, s.end[whole]);
        /* Of a record that is not its batch's first, nothing but the zeros it begins with is left.
         */
        const bool nothing = left == 0 || (!first[whole] && left < 4);
        assert_int_equal(scan.state, nothing ? JOURNAL_WHOLE : JOURNAL_TORN);
    }
}

/* After a loss of power, blocks of the last batch may be missing in the middle. */
static void
a_hole_in_the_last_batch_is_a_torn_write(void **state)
{
    (void)state;
    struct sample s;
    make_sample(&s);
    DEFER(buf_done) struct buf bytes = s.bytes;
    const size_t from = s.end[4];
    for (size_t i = from; i < bytes.len; i++) {
        struct journal_scan scan;
        const uint8_t was = bytes.ptr[i];
        bytes.ptr[i] = 0;
        journal_scan(buf_view(&bytes), &s.start, true, &scan);
        bytes.ptr[i] = was;
        assert_true(scan.state == JOURNAL_TORN || was == 0);
        assert_true(scan.count >= 4);
    }
    memset(bytes.ptr + from, 0, bytes.len - from);
    struct journal_scan scan;
    journal_scan(buf_view(&bytes), &s.start, false, &scan);
    assert_int_equal(scan.state, JOURNAL_TORN);
    assert_int_equal(scan.count, 4);
    assert_int_equal(scan.torn, bytes.len - from);
    journal_scan(buf_view(&bytes), &s.start, true, &scan); /* nothing of it was written */
    assert_int_equal(scan.state, JOURNAL_WHOLE);
    assert_int_equal(scan.count, 4);
    assert_int_equal(scan.torn, 0);
}

/* Zeros end a journal that has them, and no other; what stands in them is an unfinished write. */
static void
padding_is_zeros_and_nothing_else(void **state)
{
    (void)state;
    struct sample s;
    make_sample(&s);
    DEFER(buf_done) struct buf bytes = s.bytes;
    struct journal_scan scan;
    const size_t end = bytes.len, zeros = 100;
    memset(buf_extend(&bytes, zeros), 0, zeros);
    for (size_t n = 1; n <= zeros; n++) {
        const struct view some = view_of(bytes.ptr, end + n);
        journal_scan(some, &s.start, true, &scan);
        assert_int_equal(scan.state, JOURNAL_WHOLE);
        assert_int_equal(scan.count, ENTRIES);
        assert_int_equal(scan.end, end);
        journal_scan(some, &s.start, false, &scan);
        assert_int_equal(scan.state, JOURNAL_TORN);
        assert_int_equal(scan.torn, n);
        bytes.ptr[end + n - 1] = 1;
        journal_scan(buf_view(&bytes), &s.start, true, &scan);
        bytes.ptr[end + n - 1] = 0;
        assert_int_equal(scan.state, JOURNAL_TORN);
        assert_int_equal(scan.end, end);
        assert_int_equal(scan.torn, n);
    }
}

static void
swapped_and_removed_records_are_tampering(void **state)
{
    (void)state;
    struct sample s;
    make_sample(&s);
    DEFER(buf_done) struct buf bytes = s.bytes;
    DEFER(buf_done) struct buf other;
    struct journal_scan scan;
    buf_init(&other, 1 << 16);
    buf_put(&other, view_of(bytes.ptr + s.end[1], s.end[3] - s.end[1]));
    buf_put(&other, view_of(bytes.ptr, s.end[1]));
    buf_put(&other, view_of(bytes.ptr + s.end[3], bytes.len - s.end[3]));
    journal_scan(buf_view(&other), &s.start, true, &scan);
    assert_int_equal(scan.state, JOURNAL_TAMPERED);
    assert_int_equal(scan.count, 0);
    buf_reset(&other);
    buf_put(&other, view_of(bytes.ptr + s.end[1], bytes.len - s.end[1]));
    journal_scan(buf_view(&other), &s.start, true, &scan);
    assert_int_equal(scan.state, JOURNAL_TAMPERED);
}

/* A file of any length is searched within a budget; past it, nothing is cut on a guess. */
static void
damage_too_costly_to_search_counts_as_tampering(void **state)
{
    (void)state;
    const size_t n = 8 << 20;
    struct digest start = ROOT_7;
    struct journal_scan scan;
    DEFER(buf_done) struct buf bytes;
    buf_init(&bytes, n);
    uint8_t *p = buf_extend(&bytes, n);
    memset(p, 0, n);
    for (size_t i = 0; i < n; i += 4) {
        p[i] = 0x80;
        p[i + 2] = 0xff;
    }
    journal_scan(buf_view(&bytes), &start, true, &scan);
    assert_int_equal(scan.state, JOURNAL_TAMPERED);
}

static void
a_journal_that_begins_later_holds_the_same_entries(void **state)
{
    (void)state;
    struct sample s;
    make_sample(&s);
    DEFER(buf_done) struct buf bytes = s.bytes;
    for (size_t skip = 0; skip <= ENTRIES; skip++) {
        DEFER(buf_done) struct buf later;
        struct journal_scan scan;
        struct digest chain = {{9}};
        const struct digest start = chain;
        const size_t at = journal_skip(buf_view(&bytes), skip);
        assert_int_equal(at, s.end[skip]);
        buf_init(&later, 1 << 16);
        journal_rechain(view_of(bytes.ptr + at, bytes.len - at), &chain, &later);
        journal_scan(buf_view(&later), &start, true, &scan);
        assert_int_equal(scan.state, JOURNAL_WHOLE);
        assert_int_equal(scan.count, ENTRIES - skip);
        assert_memory_equal(&scan.chain, &chain, sizeof chain);
        size_t a = at, b = 0;
        struct view old, new;
        while (journal_entry(buf_view(&later), &b, &new)) {
            assert_true(journal_entry(buf_view(&bytes), &a, &old));
            assert_true(view_equal(old, new));
        }
        assert_int_equal(a, bytes.len);
    }
}

/* What waits in memory between two publications is as much as came; a log that once took a burst,
 * or could not publish for a while, must not keep that. */
static void
gives_back_the_memory_of_a_burst(void **state)
{
    (void)state;
    enum { BATCH = 64, BATCHES = 1024, ENTRY = 512 };
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(buf_done) struct buf batch;
    struct journal_file j;
    struct diag diag = {0};
    uint8_t entry[ENTRY] = {0};
    int old = -1;
    bool lost = false;
    memset(entry, 'x', sizeof entry);
    buf_init(&batch, 1 << 20);
    for (int i = 0; i < BATCH; i++) {
        buf_put_u32be(&batch, ENTRY);
        buf_put(&batch, view_of(entry, ENTRY));
    }
    journal_file_init(&j, dir);
    assert_ok(journal_file_restart(&j, 0, &ROOT_7, view_of(NULL, 0), &diag, &old));
    for (int i = 0; i < BATCHES; i++) {
        assert_ok(journal_file_append(&j, buf_view(&batch), BATCH, &diag, &lost));
    }
    assert_true(j.records.cap >= (size_t)BATCHES * BATCH * ENTRY);
    const size_t kept = j.records.len / BATCHES; /* the last batch stays */
    const struct view rest = view_of(j.records.ptr + j.records.len - kept, kept);
    assert_ok(
        journal_file_restart(&j, (uint64_t)BATCH * (BATCHES - 1), &ROOT_7, rest, &diag, &old));
    file_closep(&old);
    assert_int_equal(j.count, BATCH);
    assert_int_equal(j.records.len, kept);
    assert_true(j.records.cap < 1 << 20);
    assert_ok(journal_file_append(&j, buf_view(&batch), BATCH, &diag, &lost));
    assert_int_equal(j.records.len, 2 * kept);
    journal_file_done(&j);
}

static struct view
batch_of_one(struct buf *b)
{
    buf_reset(b);
    buf_put_u32be(b, 7);
    buf_put_str(b, "{\"n\":1}");
    return buf_view(b);
}

static off_t
length_of(const char *dir)
{
    DEFER(file_freep) char *path = file_join(dir, "journal");
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_size;
}

/* A batch into the padding leaves the file as long as it was; and who has the file open besides
 * finds it there, after asking in vain. */
static void
a_batch_in_the_padding_is_found_by_others(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(buf_done) struct buf batch;
    struct journal_file ours, theirs;
    struct journal_header h;
    int old = -1;
    bool lost = false;
    buf_init(&batch, 64);
    journal_file_init(&ours, dir);
    journal_file_init(&theirs, dir);
    assert_ok(journal_file_restart(&ours, 0, &ROOT_7, view_of(NULL, 0), NULL, &old));
    assert_ok(journal_file_append(&ours, batch_of_one(&batch), 1, NULL, &lost));
    assert_int_equal(length_of(dir), JOURNAL_HEADER_BYTES + JOURNAL_RECORD_BYTES + 7);
    assert_ok(journal_file_append(&ours, batch_of_one(&batch), 1, NULL, &lost));
    const off_t padded = length_of(dir);
    assert_true(padded > (off_t)(JOURNAL_HEADER_BYTES + ours.records.len));
    for (uint64_t i = 0; i < 9; i++) {
        DEFER(buf_done) struct buf found;
        struct journal_scan scan;
        buf_init(&found, JOURNAL_MAX);
        if (i == 0) {
            assert_ok(journal_file_load(&theirs, NULL, &h, &found));
        } else {
            assert_ok(journal_file_tail(&theirs, NULL, &found));
        }
        journal_scan(buf_view(&found), &theirs.chain, theirs.padded, &scan);
        assert_int_equal(scan.state, JOURNAL_WHOLE);
        assert_int_equal(scan.count, i == 0 ? 2 : 1);
        assert_ok(journal_file_accept(&theirs, buf_view(&found), &scan, NULL));
        assert_memory_equal(&theirs.chain, &ours.chain, sizeof ours.chain);
        buf_reset(&found);
        assert_ok(journal_file_tail(&theirs, NULL, &found));
        assert_int_equal(found.len, 0);
        assert_ok(journal_file_append(&ours, batch_of_one(&batch), 1, NULL, &lost));
        assert_int_equal(length_of(dir), padded);
    }
    assert_int_equal(truncate(ours.path, (off_t)JOURNAL_HEADER_BYTES), 0);
    buf_reset(&batch);
    assert_status(journal_file_tail(&theirs, NULL, &batch), INTEGRITY);
    journal_file_done(&ours);
    journal_file_done(&theirs);
}

/* The same records under a header of the first version, which has no padding. */
static void
make_first_version(const char *dir)
{
    DEFER(file_freep) char *path = file_join(dir, "journal");
    DEFER(buf_done) struct buf bytes;
    DEFER(buf_done) struct buf old;
    struct journal_header h;
    fixture_pad(dir, 0);
    testing_read(path, &bytes);
    buf_init(&old, JOURNAL_MAX);
    buf_put_str(&old, "steward-journal1");
    buf_put(&old, view_of(bytes.ptr + 16, 8 + DIGEST_BYTES));
    struct digest chain;
    digest_of(buf_view(&old), &chain);
    buf_put(&old, view_of(chain.bytes, DIGEST_BYTES));
    assert_ok(journal_read_header(buf_view(&old), NULL, &h));
    assert_false(h.padded);
    journal_rechain(view_of(bytes.ptr + JOURNAL_HEADER_BYTES, bytes.len - JOURNAL_HEADER_BYTES),
                    &chain, &old);
    testing_write(path, buf_view(&old));
}

static void
a_journal_of_the_first_version_is_read_and_gets_no_padding(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    const struct audit_signer signer = fixture_signer();
    struct ledger *l = NULL;
    fixture_log(dir, 5, 3);
    make_first_version(dir);
    fixture_verify(dir, 5, 3);
    const off_t before = length_of(dir);
    assert_ok(ledger_open(dir, &signer, NULL, &l));
    assert_ok(ledger_lock(l));
    assert_int_equal(ledger_size(l), 8);
    for (uint64_t i = 8; i < 12; i++) {
        assert_ok(fixture_ledger_append(l, i, NULL));
    }
    assert_true(length_of(dir) < before + 4 * 200);
    ledger_unlock(l);
    ledger_free(l);
    fixture_verify(dir, 5, 7);
    fixture_append(dir, 12, 13); /* publishes: a journal of today's version follows */
    fixture_verify(dir, 13, 0);
    DEFER(file_freep) char *path = file_join(dir, "journal");
    DEFER(buf_done) struct buf bytes;
    testing_read(path, &bytes);
    assert_memory_equal(bytes.ptr, "steward-journal2", 16);
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(refuses_a_header_with_any_byte_flipped_or_cut),
        cmocka_unit_test(tells_tampering_from_a_torn_write_at_every_bit),
        cmocka_unit_test(swapped_and_removed_records_are_tampering),
        cmocka_unit_test(damage_too_costly_to_search_counts_as_tampering),
        cmocka_unit_test(a_cut_at_every_byte_is_a_torn_write),
        cmocka_unit_test(a_hole_in_the_last_batch_is_a_torn_write),
        cmocka_unit_test(a_journal_that_begins_later_holds_the_same_entries),
        cmocka_unit_test(padding_is_zeros_and_nothing_else),
        cmocka_unit_test(a_batch_in_the_padding_is_found_by_others),
        cmocka_unit_test(a_journal_of_the_first_version_is_read_and_gets_no_padding),
        cmocka_unit_test(gives_back_the_memory_of_a_burst),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
