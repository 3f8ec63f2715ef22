/* ML-DSA-44 against signatures of another implementation (mldsa_vectors.mjs), and what a
 * cosignature of that kind is to a note. */
#include "cosigner.h"
#include "fixture.h"

#include "base/file.h"
#include "base/text.h"
#include "govern/mldsa.h"
#include "govern/note.h"
#include "govern/quorum.h"
#include "govern/witness_key.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define VECTORS 4

static struct vector {
    struct buf key, message, signature;
} vectors[VECTORS];

static struct {
    char vkey[4096], text[256], line[8192], log[256], log_line[256];
} witness;

static struct view
next_field(struct view *line)
{
    return text_next_word(line);
}

static void
decode(struct view *line, struct buf *ret)
{
    const struct view word = next_field(line);
    buf_init(ret, 8192);
    if (!view_equal_str(word, "-")) {
        assert_ok(text_from_base64(word, ret));
    }
}

static void
decode_text(struct view *line, char *ret, size_t size)
{
    DEFER(buf_done) struct buf b;
    decode(line, &b);
    assert_true(b.len < size);
    memcpy(ret, b.ptr, b.len);
    ret[b.len] = '\0';
}

static int
set_up(void **state)
{
    (void)state;
    struct buf text;
    DEFER(file_freep) char *path = testing_source("tests/govern/mldsa.txt");
    testing_read(path, &text);
    struct view rest = buf_view(&text);
    for (size_t i = 0; i <= VECTORS; i++) {
        const uint8_t *end = memchr(rest.ptr, '\n', rest.len);
        assert_non_null(end);
        struct view line = view_of(rest.ptr, (size_t)(end - rest.ptr));
        rest = view_of(end + 1, rest.len - line.len - 1);
        if (i < VECTORS) {
            decode(&line, &vectors[i].key);
            decode(&line, &vectors[i].message);
            decode(&line, &vectors[i].signature);
            assert_int_equal(vectors[i].key.len, MLDSA_PUBLIC_BYTES);
            assert_int_equal(vectors[i].signature.len, MLDSA_SIGNATURE_BYTES);
        } else {
            assert_true(view_equal_str(next_field(&line), "cosignature"));
            decode_text(&line, witness.vkey, sizeof witness.vkey);
            decode_text(&line, witness.text, sizeof witness.text);
            decode_text(&line, witness.line, sizeof witness.line);
            decode_text(&line, witness.log, sizeof witness.log);
            decode_text(&line, witness.log_line, sizeof witness.log_line);
        }
    }
    buf_done(&text);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < VECTORS; i++) {
        buf_done(&vectors[i].key);
        buf_done(&vectors[i].message);
        buf_done(&vectors[i].signature);
    }
    return 0;
}

static bool
verifies(const struct vector *key, const struct vector *message, const uint8_t *signature)
{
    return mldsa_verifies(key->key.ptr, buf_view(&message->message), signature);
}

static void
verifies_what_another_implementation_signed(void **state)
{
    (void)state;
    for (size_t i = 0; i < VECTORS; i++) {
        for (size_t k = 0; k < VECTORS; k++) {
            const struct vector *v = &vectors[i];
            assert_int_equal(verifies(&vectors[k], v, v->signature.ptr), i == k);
            assert_int_equal(verifies(v, &vectors[k], v->signature.ptr), i == k);
        }
    }
}

/* Any bit of a signature: challenge, response, hints. */
static void
refuses_a_signature_that_was_changed(void **state)
{
    (void)state;
    const struct vector *v = &vectors[2];
    uint8_t bad[MLDSA_SIGNATURE_BYTES];
    for (size_t at = 0; at < MLDSA_SIGNATURE_BYTES; at += at < 32 || at >= 2336 ? 1 : 23) {
        memcpy(bad, v->signature.ptr, sizeof bad);
        bad[at] ^= (uint8_t)(1u << at % 8);
        assert_false(verifies(v, v, bad));
    }
    uint8_t key[MLDSA_PUBLIC_BYTES];
    for (size_t at = 0; at < MLDSA_PUBLIC_BYTES; at += 41) {
        memcpy(key, v->key.ptr, sizeof key);
        key[at] ^= 1;
        assert_false(mldsa_verifies(key, buf_view(&v->message), v->signature.ptr));
    }
}

/* Of the hints there is one way to write them: their places rise, what is left over is zero, their
 * numbers do not fall. (FIPS 204, algorithm 21: without that a signature could be changed.) */
static void
refuses_another_writing_of_the_same_hints(void **state)
{
    (void)state;
    enum { HINTS = 2420 - 84, OMEGA = 80, K = 4 };
    size_t tried = 0;
    for (size_t i = 0; i < VECTORS; i++) {
        const struct vector *v = &vectors[i];
        uint8_t bad[MLDSA_SIGNATURE_BYTES];
        const uint8_t *ends = v->signature.ptr + HINTS + OMEGA;
        memcpy(bad, v->signature.ptr, sizeof bad);
        if (ends[0] >= 2) { /* two places of one polynomial change places: the same set */
            bad[HINTS] = v->signature.ptr[HINTS + 1];
            bad[HINTS + 1] = v->signature.ptr[HINTS];
            assert_false(verifies(v, v, bad));
            tried++;
        }
        memcpy(bad, v->signature.ptr, sizeof bad);
        if (ends[K - 1] < OMEGA) { /* something behind the last */
            bad[HINTS + OMEGA - 1] = 1;
            assert_false(verifies(v, v, bad));
            tried++;
        }
        memcpy(bad, v->signature.ptr, sizeof bad);
        if (ends[0] >= 1) { /* one twice */
            memmove(bad + HINTS + 1, bad + HINTS, OMEGA - 1);
            for (size_t k = 0; k < K; k++) {
                bad[HINTS + OMEGA + k]++;
            }
            assert_false(verifies(v, v, bad));
            tried++;
        }
        memcpy(bad, v->signature.ptr, sizeof bad);
        bad[HINTS + OMEGA + K - 1] = OMEGA + 1;
        assert_false(verifies(v, v, bad));
        memset(bad + HINTS, 0xff, OMEGA + K);
        assert_false(verifies(v, v, bad));
    }
    assert_true(tried >= VECTORS);
}

/* ---- notes ---- */

static struct status
open_note(const char *vkey, const char *text, const char *line, struct diag *diag,
          struct note_signed *ret_signed)
{
    struct note_key key;
    struct view opened;
    DEFER(buf_done) struct buf note;
    buf_init(&note, NOTE_MAX);
    buf_put_str(&note, text);
    buf_put_u8(&note, '\n');
    buf_put_str(&note, line);
    assert_ok(note_parse_cosigner(view_str(vkey), diag, &key));
    return note_open_any(buf_view(&note), &key, 1, diag, ret_signed, &opened);
}

static void
takes_a_cosignature_and_its_time(void **state)
{
    (void)state;
    struct note_signed s;
    struct diag diag = {0};
    struct note_key key;
    DEFER(buf_done) struct buf again;
    char extended[512];
    buf_init(&again, 4096);
    assert_ok(open_note(witness.vkey, witness.text, witness.line, &diag, &s));
    assert_true(s.found);
    assert_int_equal(s.time, 1790000000);
    assert_ok(note_parse_cosigner(view_str(witness.vkey), &diag, &key));
    assert_int_equal(key.type, NOTE_COSIGNATURE_MLDSA);
    note_put_vkey(&key, &again);
    assert_string_equal(buf_str(&again), witness.vkey);
    /* Lines behind the third are not what is signed. */
    (void)snprintf(extended, sizeof extended, "%sanother line\n", witness.text);
    assert_ok(open_note(witness.vkey, extended, witness.line, &diag, &s));
}

/* blob of the line, changed at a byte (key id 0 to 3, time 4 to 11), in a line again */
static void
change(size_t at, uint8_t by, size_t cut, char ret_line[static 8192])
{
    DEFER(buf_done) struct buf blob;
    DEFER(buf_done) struct buf line;
    buf_init(&blob, 8192);
    buf_init(&line, 8192);
    const char *space = strrchr(witness.line, ' ');
    assert_ok(text_from_base64(view_of(space + 1, strlen(space) - 2), &blob));
    assert_int_equal(blob.len, 4 + 8 + MLDSA_SIGNATURE_BYTES);
    blob.ptr[at] ^= by;
    buf_put(&line, view_of(witness.line, (size_t)(space + 1 - witness.line)));
    text_put_base64(&line, view_of(blob.ptr, blob.len - cut));
    buf_put_u8(&line, '\n');
    (void)snprintf(ret_line, 8192, "%s", buf_str(&line));
}

static void
refuses_one_of_another_time_text_or_length(void **state)
{
    (void)state;
    static const char says[] = "the signature does not verify";
    struct note_signed s;
    struct diag diag = {0};
    char text[256], line[8192];
    const struct {
        size_t at, cut;
        uint8_t by;
        const char *says;
    } bad[] = {
        {11, 0, 1, says},             /* a second earlier or later */
        {4, 0, 0x80, says},           /* a time past 2^63 - 1 */
        {12, 0, 1, says},             /* the signature */
        {0, 0, 1, "no signature by"}, /* another key's id */
        {12, 1, 0, says},
        {12, 2420, 0, says},
        {12, 2424, 0, says},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        change(bad[i].at, bad[i].by, bad[i].cut, line);
        assert_status(open_note(witness.vkey, witness.text, line, &diag, &s), INTEGRITY);
        assert_says(&diag, bad[i].says);
        assert_false(s.found);
    }
    for (size_t i = 0; witness.text[i] != '\0'; i++) {
        (void)snprintf(text, sizeof text, "%s", witness.text);
        text[i] = text[i] == '5' ? '6' : '5';
        assert_status(open_note(witness.vkey, text, witness.line, &diag, &s), INTEGRITY);
    }
}

static void
keys_are_of_one_length_and_of_a_witness(void **state)
{
    (void)state;
    struct note_key key;
    struct diag diag = {0};
    char text[4096];
    assert_status(note_parse_vkey(view_str(witness.vkey), &diag, &key), INTEGRITY);
    assert_says(&diag, "this is a witness's key; a log's is needed");
    (void)snprintf(text, sizeof text, "%.*s", (int)strlen(witness.vkey) - 4, witness.vkey);
    assert_status(note_parse_cosigner(view_str(text), &diag, &key), INTEGRITY);
    assert_says(&diag, "nor one of ML-DSA-44 (1313 that begin with 6)");
    (void)snprintf(text, sizeof text, "%s", witness.vkey);
    text[strlen(text) / 2] ^= 1;
    assert_status(note_parse_cosigner(view_str(text), &diag, &key), INTEGRITY);
}

/* A policy counts both kinds, and each only when it is there and verifies. */
static void
a_quorum_has_witnesses_of_both_kinds(void **state)
{
    (void)state;
    DEFER(quorum_freep) struct quorum *q = NULL;
    DEFER(buf_done) struct buf policy;
    DEFER(buf_done) struct buf note;
    struct cosigner other;
    struct quorum_verdict v;
    struct diag diag = {0};
    char bad[8192];
    buf_init(&policy, QUORUM_MAX);
    buf_init(&note, NOTE_MAX);
    cosigner_make(&other, "witness.example/other", 3);
    buf_printf(&policy,
               "log %s\nwitness pq %s\nwitness other %s\ngroup both all pq other\n"
               "quorum both\n",
               witness.log, witness.vkey, other.vkey);
    assert_ok(quorum_parse(buf_view(&policy), "policy", &diag, &q));
    buf_printf(&note, "%s\n%s", witness.text, witness.log_line);
    cosigner_put(&other, &note, 1790000005);
    assert_ok(quorum_check(q, NULL, buf_view(&note), &diag, &v));
    assert_false(v.met);
    assert_int_equal(v.cosigned, 1);
    assert_string_equal(v.missing, "pq");
    const size_t without = note.len;
    buf_put_str(&note, witness.line);
    assert_ok(quorum_check(q, NULL, buf_view(&note), &diag, &v));
    assert_true(v.met);
    assert_int_equal(v.cosigned, 2);
    assert_int_equal(v.time_s, 1790000000);
    assert_int_equal(v.checkpoint.size, 5);
    change(700, 4, 0, bad);
    buf_cut(&note, without);
    buf_put_str(&note, bad);
    assert_status(quorum_check(q, NULL, buf_view(&note), &diag, &v), INTEGRITY);
}

/* ---- making them, where OpenSSL can ---- */

/* The key's file, of the vectors' last seed. */
static void
write_key(const char *dir)
{
    DEFER(file_freep) char *path = file_join(dir, "key");
    DEFER(buf_done) struct buf text;
    struct note_key key;
    uint8_t blob[33];
    buf_init(&text, 4096);
    memset(blob, 6, sizeof blob); /* the type and the seed */
    assert_ok(note_parse_cosigner(view_str(witness.vkey), NULL, &key));
    buf_printf(&text, "PRIVATE+KEY+%s+%08x+", key.name, key.id);
    text_put_base64(&text, view_of(blob, sizeof blob));
    buf_put_u8(&text, '\n');
    testing_write(path, buf_view(&text));
    assert_int_equal(chmod(path, 0600), 0);
}

static void
assert_cosigns(const struct witness_key *k, const char *vkey)
{
    struct note_signed s;
    struct diag diag = {0};
    DEFER(buf_done) struct buf line;
    buf_init(&line, 8192);
    assert_ok(witness_key_cosign(k, view_str(witness.text), 1790000001, &line));
    assert_ok(open_note(vkey, witness.text, buf_str(&line), &diag, &s));
    assert_true(s.found);
    assert_int_equal(s.time, 1790000001);
    assert_status(open_note(vkey,
                            "another.example\n5\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
                            "\n",
                            buf_str(&line), &diag, &s),
                  INTEGRITY);
    buf_reset(&line);
    assert_status(witness_key_cosign(k, view_str("no checkpoint\n"), 1790000001, &line), INTEGRITY);
}

static void
a_witness_cosigns_where_openssl_can_and_is_refused_elsewhere(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *given = testing_dir();
    DEFER(testing_dirp) char *fresh = testing_dir();
    DEFER(file_freep) char *path = file_join(fresh, "key");
    DEFER(buf_done) struct buf vkey;
    struct witness_key *k = NULL;
    struct note_key made;
    struct diag diag = {0};
    const bool can = witness_key_type_ok(NOTE_COSIGNATURE_MLDSA);
    assert_int_equal(can, OpenSSL_version_num() >= 0x30500000L);
    assert_true(witness_key_type_ok(NOTE_COSIGNATURE));
    assert_false(witness_key_type_ok(NOTE_ED25519));
    write_key(given);
    buf_init(&vkey, 4096);
    if (!can) {
        assert_status(witness_key_read(given, &diag, &k), UNSUPPORTED);
        assert_says(&diag, "an ML-DSA-44 key needs OpenSSL 3.5 or newer");
        assert_status(witness_key_make(fresh, NOTE_COSIGNATURE_MLDSA, "w", &diag, &made),
                      UNSUPPORTED);
        assert_false(file_exists(path));
        return;
    }
    assert_ok(witness_key_read(given, &diag, &k)); /* the other implementation's public key */
    note_put_vkey(witness_key_public(k), &vkey);
    assert_string_equal(buf_str(&vkey), witness.vkey);
    assert_cosigns(k, witness.vkey);
    witness_key_free(k);
    assert_ok(witness_key_make(fresh, NOTE_COSIGNATURE_MLDSA, "w.example/pq", &diag, &made));
    assert_ok(witness_key_read(fresh, &diag, &k));
    buf_reset(&vkey);
    note_put_vkey(&made, &vkey);
    assert_cosigns(k, buf_str(&vkey));
    witness_key_free(k);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verifies_what_another_implementation_signed),
        cmocka_unit_test(refuses_a_signature_that_was_changed),
        cmocka_unit_test(refuses_another_writing_of_the_same_hints),
        cmocka_unit_test(takes_a_cosignature_and_its_time),
        cmocka_unit_test(refuses_one_of_another_time_text_or_length),
        cmocka_unit_test(keys_are_of_one_length_and_of_a_witness),
        cmocka_unit_test(a_quorum_has_witnesses_of_both_kinds),
        cmocka_unit_test(a_witness_cosigns_where_openssl_can_and_is_refused_elsewhere),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
