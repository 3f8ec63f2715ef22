/* Verifying what was added since: it finds what the whole finds in what it reads, counts the same,
 * and takes no log that does not begin with what was seen. */
#include "fixture.h"

#include "base/file.h"
#include "govern/tile.h"

#include <stdlib.h>
#include <string.h>

static const struct audit_seen nothing;

struct result {
    struct status s;
    struct audit_fault fault;
    struct audit_report report;
    struct audit_seen seen;
};

static struct result
verify(const char *dir, const struct audit_seen *seen, bool full)
{
    struct result r = {.s = OK};
    DEFER(buf_done) struct buf note;
    DEFER(buf_done) struct buf there = {0};
    DEFER(file_freep) char *path = file_join(dir, "checkpoint");
    buf_init(&note, 1 << 16);
    r.s = audit_verify_since(dir, NULL, seen, full, &r.fault, &r.report, &r.seen, &note);
    if (status_ok(r.s)) {
        testing_read(path, &there);
        assert_true(view_equal(buf_view(&note), buf_view(&there)));
    }
    return r;
}

static void
assert_fault(const struct result *r, const char *says)
{
    assert_int_equal(r->s.code, STATUS_INTEGRITY);
    assert_text_has(r->fault.text, says);
}

static void
assert_alike(const struct result *a, const struct result *b)
{
    assert_ok(a->s);
    assert_ok(b->s);
    assert_true(merkle_equal(&a->report.root, &b->report.root));
    assert_int_equal(a->report.entries, b->report.entries);
    assert_int_equal(a->report.pending, b->report.pending);
    assert_int_equal(a->report.clock_back, b->report.clock_back);
    assert_int_equal(a->report.first_clock_back, b->report.first_clock_back);
    assert_int_equal(a->report.gaps, b->report.gaps);
    assert_int_equal(a->report.repairs, b->report.repairs);
    assert_memory_equal(&a->seen, &b->seen, sizeof a->seen);
}

static const uint64_t sizes[] = {0, 1, 2, 255, 256, 257, 300, 511, 512, 513, 700};
#define SIZES (sizeof sizes / sizeof sizes[0])

static void
goes_on_from_every_size_to_every_later_one(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    struct audit_seen seen[SIZES];
    uint64_t have = 0;
    for (size_t i = 0; i < SIZES; i++) {
        fixture_append(dir, have, sizes[i]);
        have = sizes[i];
        const struct result whole = verify(dir, &nothing, false);
        assert_ok(whole.s);
        assert_int_equal(whole.report.from, 0);
        assert_int_equal(whole.seen.size, have);
        seen[i] = whole.seen;
        for (size_t k = 0; k <= i; k++) {
            const struct result part = verify(dir, &seen[k], false);
            const struct result full = verify(dir, &seen[k], true);
            assert_alike(&part, &whole);
            assert_alike(&full, &whole);
            assert_int_equal(part.report.from, sizes[k] / 256 * 256);
            assert_int_equal(full.report.from, 0);
        }
    }
}

static void
append(struct audit *a, int64_t at_s, const char *action)
{
    DEFER(buf_done) struct buf entry;
    buf_init(&entry, 4096);
    audit_event_put(&(struct audit_event){.time_ns = (1760000000 + at_s) * 1000000000,
                                          .action = action,
                                          .allow = true},
                    &entry);
    assert_ok(audit_append(a, buf_view(&entry), NULL));
}

/* A clock set back across the border is counted once, as are gaps and repairs on both sides. */
static void
counts_troubles_as_the_whole_does(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    struct audit_seen seen = {0};
    for (int64_t part = 0; part < 4; part++) {
        struct audit *a = fixture_open(dir, 0);
        for (int64_t i = 0; i < 150; i++) {
            append(a, 10000 - part * 1000 + i,
                   i % 50 == 7   ? AUDIT_GAP
                   : i % 60 == 9 ? AUDIT_REPAIR
                                 : "x");
        }
        assert_ok(audit_close(a, NULL));
        const struct result whole = verify(dir, &nothing, false),
                            part_of = verify(dir, &seen, false);
        assert_alike(&part_of, &whole);
        assert_int_equal(whole.report.clock_back, part);
        seen = part_of.seen;
    }
    assert_int_equal(seen.first_clock_back, 150);
    assert_int_equal(seen.gaps, 12);
    assert_int_equal(seen.repairs, 12);
}

static void
finds_a_log_that_was_rolled_back_or_forked(void **state)
{
    (void)state;
    static const uint64_t shared[] = {0, 1, 200, 256, 299};
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(testing_dirp) char *old = testing_dir();
    fixture_append(dir, 0, 299);
    testing_copy_dir(dir, old);
    fixture_append(dir, 299, 300);
    const struct audit_seen seen = verify(dir, &nothing, false).seen;
    for (int full = 0; full < 2; full++) {
        const struct result r = verify(old, &seen, full == 1);
        assert_fault(&r, "the log was rolled back: it has 299 entries, and 300 were seen before");
    }
    for (size_t i = 0; i < sizeof shared / sizeof shared[0]; i++) {
        DEFER(testing_dirp) char *fork = testing_dir();
        fixture_append(fork, 0, shared[i]);
        fixture_append(fork, 1000, 1000 + 600 - shared[i]);
        fixture_verify(fork, 600, 0);
        for (int full = 0; full < 2; full++) {
            const struct result r = verify(fork, &seen, full == 1);
            assert_int_equal(r.s.code, STATUS_INTEGRITY);
            if (full == 1 || shared[i] >= 256) {
                assert_fault(&r, "the log was replaced: its first 300 entries are not those");
            }
        }
    }
}

static void
flip(const char *dir, const char *name, size_t at)
{
    DEFER(file_freep) char *path = file_join(dir, name);
    DEFER(buf_done) struct buf bytes;
    testing_read(path, &bytes);
    bytes.ptr[at] ^= 1;
    fixture_overwrite(dir, name, buf_view(&bytes));
}

static void
finds_every_change_in_what_it_reads_and_leaves_the_rest_to_the_whole(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    fixture_append(dir, 0, 270);
    const struct audit_seen seen = verify(dir, &nothing, false).seen;
    fixture_append(dir, 270, 300);
    uint64_t begin = 0;
    char second[64];
    assert_ok(tile_bundle_begins(dir, 1, NULL, &begin));
    (void)snprintf(second, sizeof second, "tree/entries: byte %llu: entry 256 does not",
                   (unsigned long long)begin);
    const struct {
        const char *name;
        size_t at;
        bool part; /* found by reading what came since */
        const char *says;
    } flips[] = {
        {"tree/entries", begin + 20, true, second},
        {"tree/entries", begin + 1500, true, "tree/entries: byte "},
        {"tree/ends", 7, true, "tree/entries: byte "},
        {"tree/hashes.0", 8192 + 5 * 32, true, "tree/hashes.0 byte 8352"},
        {"tree/hashes.1", 3, true, ""},
        {"checkpoint", 30, true, "checkpoint: byte "},
        {"tree/entries", 20, false, "tree/entries: byte 0: entry 0 does not"},
        {"tree/hashes.0", 40, false, "tree/hashes.0 byte 32"},
    };
    for (size_t i = 0; i < sizeof flips / sizeof flips[0]; i++) {
        flip(dir, flips[i].name, flips[i].at);
        const struct result part = verify(dir, &seen, false), full = verify(dir, &seen, true);
        assert_fault(&full, flips[i].says);
        if (flips[i].part) {
            assert_fault(&part, flips[i].says);
        } else {
            assert_ok(part.s);
        }
        flip(dir, flips[i].name, flips[i].at);
    }
    assert_ok(verify(dir, &seen, false).s);
}

/* A writer that died between its checkpoint and its journal: the journal begins far before what is
 * read. */
static void
reads_a_journal_that_begins_before_what_was_seen(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(file_freep) char *path = file_join(dir, "journal");
    DEFER(buf_done) struct buf journal;
    DEFER(buf_done) struct buf newer;
    fixture_log(dir, 300, 400);
    testing_read(path, &journal);
    fixture_append(dir, 700, 700);
    fixture_verify(dir, 700, 0);
    const struct audit_seen seen = verify(dir, &nothing, false).seen;
    testing_read(path, &newer);
    testing_write(path, buf_view(&journal));
    const struct result part = verify(dir, &seen, false), whole = verify(dir, &nothing, false);
    assert_alike(&part, &whole);
    assert_int_equal(part.report.from, 512);
    testing_write(path, buf_view(&newer));
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(finds_a_log_that_was_rolled_back_or_forked),
        cmocka_unit_test(finds_every_change_in_what_it_reads_and_leaves_the_rest_to_the_whole),
        cmocka_unit_test(reads_a_journal_that_begins_before_what_was_seen),
        cmocka_unit_test(counts_troubles_as_the_whole_does),
        cmocka_unit_test(goes_on_from_every_size_to_every_later_one),
    };
    fixture_in_memory();
    return cmocka_run_group_tests(cases, NULL, NULL);
}
