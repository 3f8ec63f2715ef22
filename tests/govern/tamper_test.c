/* Whoever changes, cuts, swaps or puts back anything of a log is found out, and where. */
#include "fixture.h"

#include "base/file.h"
#include "govern/ledger.h"
#include "govern/tile.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PADDING 100

static const char *const untouched = "";

/* "" when the log verifies, else what is wrong; the log's numbers must not have changed. */
static const char *
fault_of(const char *dir, const char *vkey, uint64_t entries, uint64_t pending)
{
    static struct audit_fault fault;
    struct audit_report r = {0};
    fault.text[0] = '\0';
    const struct status s = audit_verify(dir, vkey, &fault, &r);
    if (status_ok(s)) {
        assert_int_equal(r.entries, entries);
        assert_int_equal(r.pending, pending);
        return untouched;
    }
    assert_int_equal(s.code, STATUS_INTEGRITY);
    return fault.text;
}

/* The number after "name: byte " or "name byte ". */
static size_t
byte_named(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    if (at == NULL || strstr(at, "byte ") == NULL) {
        print_error("\"%s\" does not name %s\n", text, name);
        fail();
    }
    return strtoull(strstr(at, "byte ") + 5, NULL, 10);
}

static bool
starts(const char *text, const char *word)
{
    return strncmp(text, word, strlen(word)) == 0;
}

static void
check_flip(const char *dir, const char *name, struct view bytes, size_t at, uint8_t mask)
{
    DEFER(buf_done) struct buf changed;
    buf_init(&changed, bytes.len);
    buf_put(&changed, bytes);
    changed.ptr[at] ^= mask;
    fixture_overwrite(dir, name, buf_view(&changed));
    const char *text = fault_of(dir, NULL, 5, 3);
    const size_t byte = byte_named(text, name);
    if (starts(name, "tree") || strcmp(name, "journal") == 0) {
        assert_true(byte <= at); /* the record or hash that holds it, or an earlier one */
        assert_true(at - byte < 128);
    }
}

static void
make_small_log(const char *dir)
{
    fixture_append(dir, 0, 3);
    fixture_append(dir, 3, 5);
    const struct audit_signer signer = fixture_signer();
    struct diag diag = {0};
    DEFER(ledger_freep) struct ledger *l = NULL;
    assert_ok(ledger_open(dir, &signer, &diag, &l));
    assert_ok(ledger_lock(l));
    for (uint64_t i = 5; i < 8; i++) {
        assert_ok(fixture_ledger_append(l, i, &diag));
    }
    ledger_unlock(l);
    fixture_pad(dir, PADDING);
}

static void
finds_every_flipped_byte_of_every_file(void **state)
{
    (void)state;
    static const uint8_t masks[] = {0x01, 0x80};
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(fixture_files_done) struct fixture_files files;
    make_small_log(dir);
    fixture_verify(dir, 5, 3);
    fixture_files(dir, &files);
    assert_int_equal(files.n, 6); /* checkpoint, journal, lock, vkey; hashes.0, entries */
    for (size_t f = 0; f < files.n; f++) {
        DEFER(buf_done) struct buf bytes;
        DEFER(file_freep) char *path = file_join(dir, files.path[f]);
        testing_read(path, &bytes);
        for (size_t i = 0; i < bytes.len; i++) {
            for (size_t m = 0; m < sizeof masks; m++) {
                check_flip(dir, files.path[f], buf_view(&bytes), i, masks[m]);
            }
        }
        fixture_overwrite(dir, files.path[f], buf_view(&bytes));
    }
    fixture_verify(dir, 5, 3);
}

/* The journal ends at a record's end or in its padding, or the key's file before its newline:
 * nothing is wrong with what is left. Whoever held those entries durable is the one to say that
 * they are gone: the writer, or a witness. */
static bool
may_end_at(const char *name, struct view bytes, size_t cut)
{
    if (strcmp(name, "vkey") == 0) {
        return cut == bytes.len - 1;
    }
    size_t end = 88;
    while (strcmp(name, "journal") == 0 && end < cut && end < bytes.len - PADDING) {
        end += 36 + (((size_t)bytes.ptr[end + 2] << 8) | bytes.ptr[end + 3]);
    }
    return strcmp(name, "journal") == 0 && end <= cut && (end == cut || end == bytes.len - PADDING);
}

static void
finds_every_cut_of_every_file(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(fixture_files_done) struct fixture_files files;
    make_small_log(dir);
    fixture_files(dir, &files);
    for (size_t f = 0; f < files.n; f++) {
        const char *name = files.path[f];
        DEFER(buf_done) struct buf bytes;
        DEFER(file_freep) char *path = file_join(dir, name);
        testing_read(path, &bytes);
        for (size_t cut = 0; cut < bytes.len; cut++) {
            struct audit_fault fault = {0};
            struct audit_report r = {0};
            fixture_overwrite(dir, name, view_of(bytes.ptr, cut));
            const struct status s = audit_verify(dir, NULL, &fault, &r);
            if (may_end_at(name, buf_view(&bytes), cut)) {
                assert_ok(s);
                assert_int_equal(r.entries, 5);
                continue;
            }
            assert_status(s, INTEGRITY);
            (void)byte_named(fault.text, name);
        }
        if (bytes.len > 0) {
            buf_put_u8(&bytes, 'x');
            fixture_overwrite(dir, name, buf_view(&bytes));
            const char *text = fault_of(dir, NULL, 5, 3);
            if (starts(name, "tree")) {
                assert_string_equal(text, untouched); /* what no checkpoint covers means nothing */
            } else {
                (void)byte_named(text, name);
            }
            bytes.len--;
        }
        fixture_overwrite(dir, name, buf_view(&bytes));
    }
    fixture_verify(dir, 5, 3);
}

static void
finds_every_missing_file(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(fixture_files_done) struct fixture_files files;
    make_small_log(dir);
    fixture_files(dir, &files);
    for (size_t f = 0; f < files.n; f++) {
        const char *name = files.path[f];
        DEFER(buf_done) struct buf bytes;
        DEFER(file_freep) char *path = file_join(dir, name);
        struct audit_fault fault = {0};
        struct audit_report r = {0};
        testing_read(path, &bytes);
        assert_int_equal(unlink(path), 0);
        const struct status s = audit_verify(dir, NULL, &fault, &r);
        if (strcmp(name, "lock") == 0) {
            assert_ok(s);
        } else {
            assert_false(status_ok(s));
            assert_text_has(fault.text, name);
        }
        fixture_overwrite(dir, name, buf_view(&bytes));
    }
}

/* 300 entries: full tiles, a bundle, a second level; every 61st byte of each. */
static void
finds_flipped_bytes_of_a_larger_log(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(fixture_files_done) struct fixture_files files;
    fixture_append(dir, 0, 300);
    fixture_files(dir, &files);
    size_t tiles = 0;
    for (size_t f = 0; f < files.n; f++) {
        DEFER(buf_done) struct buf bytes;
        DEFER(file_freep) char *path = file_join(dir, files.path[f]);
        testing_read(path, &bytes);
        tiles += starts(files.path[f], "tree/");
        for (size_t i = starts(files.path[f], "tree/") ? 0 : bytes.len; i < bytes.len; i += 61) {
            bytes.ptr[i] ^= 4;
            fixture_overwrite(dir, files.path[f], buf_view(&bytes));
            bytes.ptr[i] ^= 4;
            assert_true(byte_named(fault_of(dir, NULL, 300, 0), files.path[f]) <= i);
        }
        fixture_overwrite(dir, files.path[f], buf_view(&bytes));
    }
    assert_int_equal(tiles, 4); /* two levels of hashes, entries, ends */
    fixture_verify(dir, 300, 0);
}

/* ---- swapping, replacing, putting back ---- */

static void
swap_parts(const char *dir, const char *name, size_t a, size_t b, size_t n)
{
    uint8_t part[256];
    DEFER(buf_done) struct buf bytes;
    DEFER(file_freep) char *path = file_join(dir, name);
    testing_read(path, &bytes);
    assert_true(n <= sizeof part && b + n <= bytes.len);
    memcpy(part, bytes.ptr + a, n);
    memcpy(bytes.ptr + a, bytes.ptr + b, n);
    memcpy(bytes.ptr + b, part, n);
    fixture_overwrite(dir, name, buf_view(&bytes));
}

static void
finds_swapped_entries_even_with_their_hashes_swapped(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(buf_done) struct buf entry;
    fixture_append(dir, 0, 5);
    buf_init(&entry, 4096);
    fixture_entry(1, &entry);
    const size_t one = entry.len + 2;
    swap_parts(dir, "tree/entries", one, 3 * one, one);
    const char *text = fault_of(dir, NULL, 5, 0);
    assert_int_equal(byte_named(text, "tree/entries"), one);
    assert_text_has(text, "entry 1 does not have the hash at tree/hashes.0 byte 32");
    swap_parts(dir, "tree/hashes.0", 32, 96, 32);
    text = fault_of(dir, NULL, 5, 0);
    assert_text_has(text, "checkpoint: byte 0: its root is not that of the 5 entries");
    const struct audit_options o = {.signer = fixture_signer()};
    struct audit *a = NULL;
    struct diag diag = {0};
    assert_status(audit_open(dir, &o, &diag, &a), INTEGRITY);
    assert_says(&diag, "the unfinished tiles do not give the checkpoint's root");
}

static void
keep_copy(const char *dir, const char *name, struct buf *ret_bytes)
{
    DEFER(file_freep) char *path = file_join(dir, name);
    testing_read(path, ret_bytes);
}

static void
refuses_an_old_checkpoint_put_back(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(buf_done) struct buf old;
    struct audit *a = NULL;
    struct diag diag = {0};
    fixture_append(dir, 0, 4);
    keep_copy(dir, "checkpoint", &old);
    fixture_append(dir, 4, 9);
    fixture_overwrite(dir, "checkpoint", buf_view(&old));
    assert_text_has(fault_of(dir, NULL, 0, 0),
                    "checkpoint: byte 0: it has 4 entries, the journal begins after 9: an old "
                    "checkpoint was put back");
    const struct audit_options o = {.signer = fixture_signer()};
    assert_status(audit_open(dir, &o, &diag, &a), INTEGRITY);
    assert_says(&diag, "checkpoint: byte 0: it covers 4 entries, but the journal begins after 9");
}

static void
a_running_writer_refuses_a_log_rolled_back_whole(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(buf_done) struct buf checkpoint;
    DEFER(buf_done) struct buf journal;
    const struct audit_signer signer = fixture_signer();
    struct diag diag = {0};
    DEFER(ledger_freep) struct ledger *l = NULL;
    fixture_append(dir, 0, 4);
    keep_copy(dir, "checkpoint", &checkpoint);
    keep_copy(dir, "journal", &journal);
    fixture_append(dir, 4, 9);
    assert_ok(ledger_open(dir, &signer, &diag, &l));
    DEFER(file_freep) char *path = file_join(dir, "journal");
    fixture_overwrite(dir, "checkpoint", buf_view(&checkpoint));
    testing_write(path, buf_view(&journal)); /* another file in its place, as a copy back makes */
    assert_ok(ledger_lock(l));
    assert_status(ledger_sync(l, &diag), INTEGRITY);
    assert_says(&diag, "checkpoint: byte 0: the log was rolled back from 9 entries to 4");
    ledger_unlock(l);
}

static void
refuses_a_log_that_another_key_has_signed(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(testing_dirp) char *forged = testing_dir();
    DEFER(buf_done) struct buf vkey;
    const struct audit_options o = {.signer = fixture_other_signer()};
    struct audit *a = NULL;
    fixture_append(dir, 0, 2);
    keep_copy(dir, "vkey", &vkey);
    assert_ok(audit_open(forged, &o, NULL, &a));
    assert_ok(audit_append(a, view_str("{}"), NULL));
    assert_ok(audit_close(a, NULL));
    fixture_verify(forged, 1, 0); /* with the key that lies beside it */
    assert_text_has(fault_of(forged, buf_str(&vkey), 0, 0), "checkpoint: byte ");
    assert_text_has(fault_of(forged, buf_str(&vkey), 0, 0), "no signature by log.example/test+");
}

/* ---- proofs ---- */

/* Does the receipt prove the entry that is in it, and that it is the one with this index? */
static bool
checks(const char *vkey, struct view receipt, uint64_t index)
{
    uint64_t found = UINT64_MAX;
    struct diag diag = {0};
    DEFER(buf_done) struct buf entry;
    DEFER(buf_done) struct buf wanted;
    buf_init(&entry, AUDIT_MAX_ENTRY);
    buf_init(&wanted, 4096);
    fixture_entry(index, &wanted);
    const bool good = status_ok(audit_receipt_entry(receipt, &diag, &found, &entry)) &&
                      status_ok(audit_check_proof(vkey, buf_view(&entry), receipt, &diag));
    assert_true(good || diag.text[0] != '\0');
    return good && found == index && view_equal(buf_view(&entry), buf_view(&wanted));
}

static void
proves_every_entry(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {1, 2, 3, 7, 8, 255, 256, 257, 300};
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(buf_done) struct buf vkey = {0};
    uint64_t have = 0;
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        fixture_append(dir, have, sizes[s]);
        have = sizes[s];
        buf_done(&vkey);
        keep_copy(dir, "vkey", &vkey);
        for (uint64_t i = 0; i < have; i++) {
            DEFER(buf_done) struct buf proof;
            DEFER(buf_done) struct buf entry;
            struct diag diag = {0};
            buf_init(&proof, 1 << 16);
            buf_init(&entry, 4096);
            assert_ok(audit_prove(dir, i, NULL, &proof, &diag));
            fixture_entry(i, &entry);
            assert_true(checks(buf_str(&vkey), buf_view(&proof), i));
            assert_ok(audit_check_proof(buf_str(&vkey), buf_view(&entry), buf_view(&proof), &diag));
            entry.ptr[entry.len - 3] ^= 1;
            assert_status(
                audit_check_proof(buf_str(&vkey), buf_view(&entry), buf_view(&proof), &diag),
                INTEGRITY);
            assert_says(&diag, "not proved: these bytes are not entry ");
        }
    }
}

static void
refuses_a_proof_with_any_bit_flipped_or_cut(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(buf_done) struct buf vkey;
    DEFER(buf_done) struct buf proof;
    DEFER(buf_done) struct buf entry;
    DEFER(buf_done) struct buf made;
    struct diag diag = {0};
    buf_init(&proof, 1 << 16);
    buf_init(&entry, 4096);
    buf_init(&made, 4096);
    fixture_append(dir, 0, 13);
    keep_copy(dir, "vkey", &vkey);
    fixture_entry(9, &entry);
    assert_ok(audit_prove(dir, 9, &made, &proof, &diag));
    assert_true(view_equal(buf_view(&made), buf_view(&entry)));
    for (size_t i = 0; i < proof.len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            proof.ptr[i] = (uint8_t)(proof.ptr[i] ^ (1 << bit));
            assert_false(checks(buf_str(&vkey), buf_view(&proof), 9));
            proof.ptr[i] = (uint8_t)(proof.ptr[i] ^ (1 << bit));
        }
        assert_false(checks(buf_str(&vkey), view_of(proof.ptr, i), 9));
    }
    assert_true(checks(buf_str(&vkey), buf_view(&proof), 9));
    assert_ok(audit_check_proof(buf_str(&vkey), buf_view(&entry), buf_view(&proof), &diag));
}

/* A proof of somebody else's, whose extra data is not the entry, proves an entry that is given. */
static void
a_proof_needs_no_entry_in_it(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(buf_done) struct buf vkey;
    DEFER(buf_done) struct buf proof;
    DEFER(buf_done) struct buf bare;
    DEFER(buf_done) struct buf entry;
    struct diag diag = {0};
    uint64_t index = 0;
    buf_init(&proof, 1 << 16);
    buf_init(&bare, 1 << 16);
    buf_init(&entry, 4096);
    fixture_append(dir, 0, 5);
    keep_copy(dir, "vkey", &vkey);
    fixture_entry(4, &entry);
    assert_ok(audit_prove(dir, 4, NULL, &proof, &diag));
    buf_put_str(&bare, "c2sp.org/tlog-proof@v1\n");
    buf_put_str(&bare, strstr(buf_str(&proof), "index "));
    assert_ok(audit_check_proof(buf_str(&vkey), buf_view(&entry), buf_view(&bare), &diag));
    buf_reset(&entry);
    assert_status(audit_receipt_entry(buf_view(&bare), &diag, &index, &entry), INPUT);
    assert_says(&diag, "the proof has no entry in it");
    assert_int_equal(entry.len, 0);
    buf_reset(&bare);
    buf_put_str(&bare, "c2sp.org/tlog-proof@v1\nextra e30=\n");
    buf_put_str(&bare, strstr(buf_str(&proof), "index "));
    assert_false(checks(buf_str(&vkey), buf_view(&bare), 4));
    buf_put_str(&entry, "{}");
    assert_status(audit_check_proof(buf_str(&vkey), buf_view(&entry), buf_view(&bare), &diag),
                  INTEGRITY);
    assert_says(&diag, "not proved: these bytes are not entry 4 of the log with 5 entries");
}

static void
says_why_an_entry_has_no_proof(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(buf_done) struct buf proof;
    struct diag diag = {0};
    buf_init(&proof, 1 << 16);
    fixture_log(dir, 2, 1);
    assert_status(audit_prove(dir, 2, NULL, &proof, &diag), NOT_FOUND);
    assert_says(&diag, "entry 2 is durable, but not yet under a checkpoint");
    assert_status(audit_prove(dir, 3, NULL, &proof, &diag), NOT_FOUND);
    assert_says(&diag, "entry 3 is not in the log");
    assert_status(audit_check_proof("x", view_str("{}"), view_str(""), &diag), INTEGRITY);
    assert_says(&diag, "--vkey: byte 0: not a verifier key");
    assert_int_equal(proof.len, 0);
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(finds_every_flipped_byte_of_every_file),
        cmocka_unit_test(finds_every_cut_of_every_file),
        cmocka_unit_test(finds_every_missing_file),
        cmocka_unit_test(finds_flipped_bytes_of_a_larger_log),
        cmocka_unit_test(finds_swapped_entries_even_with_their_hashes_swapped),
        cmocka_unit_test(refuses_an_old_checkpoint_put_back),
        cmocka_unit_test(a_running_writer_refuses_a_log_rolled_back_whole),
        cmocka_unit_test(refuses_a_log_that_another_key_has_signed),
        cmocka_unit_test(says_why_an_entry_has_no_proof),
        cmocka_unit_test(refuses_a_proof_with_any_bit_flipped_or_cut),
        cmocka_unit_test(a_proof_needs_no_entry_in_it),
        cmocka_unit_test(proves_every_entry),
    };
    fixture_in_memory();
    return cmocka_run_group_tests(cases, NULL, NULL);
}
