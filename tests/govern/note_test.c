#include "fixture.h"

#include "base/text.h"
#include "govern/note.h"

#include <string.h>

/* The test vector of C2SP signed-note. */
static const char vkey[] = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
static const char text[] = "This is an example message.\n";
static const char signature[] = "\xe2\x80\x94 example.com/foo "
                                "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOB"
                                "H3mFXmRKuwHjG1Yu72IneyaQM=\n";
static const char foreign[] = "\xe2\x80\x94 other.example AAAAAGFiY2Q=\n";

static struct note_key
vector_key(void)
{
    struct note_key key;
    assert_ok(note_parse_vkey(view_str(vkey), NULL, &key));
    return key;
}

static void
expect(const char *note, const char *says)
{
    const struct note_key key = vector_key();
    struct diag diag = {0};
    struct view opened = {0};
    assert_status(note_open(view_str(note), &key, &diag, &opened), INTEGRITY);
    assert_says(&diag, says);
    assert_null(opened.ptr);
}

static char *
together(const char *a, const char *b, const char *c, const char *d)
{
    static char all[4096];
    (void)snprintf(all, sizeof all, "%s%s%s%s", a, b, c, d);
    return all;
}

static void
refuses_hostile_notes(void **state)
{
    (void)state;
    expect("", "byte 0: a signed note must end in a newline");
    expect("\n", "must end in a newline");
    expect("\n\n", "must end in a newline");
    expect("\n\n\n", "malformed signature line");
    expect(text, "no empty line followed by signatures");
    expect(together(text, "\n", "", ""), "no empty line followed by signatures");
    expect(together(text, signature, "", ""), "no empty line followed by signatures");
    expect(together(text, "\n", foreign, ""), "no signature by example.com/foo+530d903a");
    expect(together(text, "\n", signature, "\n"), "malformed signature line");
    expect(together(text, "\n", signature, "not a signature\n"), "malformed signature line");
    expect(together(text, "\n", "\xe2\x80\x94 example.com/foo UQ==\n", signature),
           "malformed signature line");
    expect(together("x", text, "\n", signature), "the signature does not verify");
    expect(together(text, "\n", text, "\n"), "malformed signature line");
    expect(together("tab\there\n", "\n", signature, ""), "byte 3: control character");
    expect(together("bad \xff byte\n", "\n", signature, ""), "must be UTF-8");
    /* The known name and id with a signature that is too short, and one with a byte more. */
    expect(together(text, "\n", "\xe2\x80\x94 example.com/foo Uw2QOgA=\n", ""), "does not verify");
    /* A right one does not make up for a wrong one. */
    expect(together(text, "\n", signature, "\xe2\x80\x94 example.com/foo Uw2QOgA=\n"),
           "byte 142: the signature does not verify");
}

static void
opens_the_vector_of_the_specification(void **state)
{
    (void)state;
    const struct note_key key = vector_key();
    struct view opened;
    assert_string_equal(key.name, "example.com/foo");
    assert_int_equal(key.id, 0x530d903a);
    const char *note = together(text, "\n", signature, "");
    assert_ok(note_open(view_str(note), &key, NULL, &opened));
    assert_true(view_equal_str(opened, text));
    note = together(text, "\n", foreign, signature);
    assert_ok(note_open(view_str(note), &key, NULL, &opened));
    DEFER(buf_done) struct buf again;
    buf_init(&again, 256);
    note_put_vkey(&key, &again);
    assert_string_equal(buf_str(&again), vkey);
}

static void
refuses_a_flipped_byte_of_a_note(void **state)
{
    (void)state;
    const struct note_key key = vector_key();
    char note[512];
    (void)snprintf(note, sizeof note, "%s\n%s", text, signature);
    const size_t n = strlen(note);
    for (size_t i = 0; i < n; i++) {
        for (int bit = 0; bit < 8; bit++) {
            struct view opened;
            note[i] = (char)(note[i] ^ (1 << bit));
            assert_status(note_open(view_of(note, n), &key, NULL, &opened), INTEGRITY);
            note[i] = (char)(note[i] ^ (1 << bit));
        }
    }
    for (size_t cut = 0; cut < n; cut++) {
        struct view opened;
        assert_status(note_open(view_of(note, cut), &key, NULL, &opened), INTEGRITY);
    }
}

static void
takes_the_last_empty_line_as_the_border(void **state)
{
    (void)state;
    struct audit_signer signer = fixture_signer();
    struct note_key key;
    uint8_t raw[NOTE_SIGNATURE_BYTES];
    static const char inner[] = "one\n\n\xe2\x80\x94 not.mine AAAAAGFiY2Q=\n";
    struct view opened;
    DEFER(buf_done) struct buf note;
    buf_init(&note, NOTE_MAX);
    assert_ok(note_key_make(signer.origin, signer.public_key, NULL, &key));
    assert_ok(signer.sign(signer.ctx, view_str(inner), raw));
    note_put(&note, view_str(inner), &key, raw);
    assert_ok(note_open(buf_view(&note), &key, NULL, &opened));
    assert_true(view_equal_str(opened, inner));
}

static void
accepts_sixteen_and_refuses_a_flood_of_signatures(void **state)
{
    (void)state;
    const struct note_key key = vector_key();
    struct view opened;
    DEFER(buf_done) struct buf note;
    buf_init(&note, NOTE_MAX);
    buf_printf(&note, "%s\n", text);
    for (int i = 0; i < 100; i++) {
        buf_put_str(&note, foreign);
    }
    buf_put_str(&note, signature);
    assert_ok(note_open(buf_view(&note), &key, NULL, &opened));
    for (int i = 0; i < 100; i++) {
        buf_put_str(&note, foreign);
    }
    struct diag diag = {0};
    assert_status(note_open(buf_view(&note), &key, &diag, &opened), INTEGRITY);
    assert_says(&diag, "too many signatures");
}

static void
refuses_names_that_no_key_may_have(void **state)
{
    (void)state;
    static const char *const names[] = {
        "",      " ",    "a b",       "a+b",           "a\tb",         "a\nb",
        "a\x7f", "\xff", "a\xc2\xa0", "a\xe3\x80\x80", "\xe1\x9a\x80", "a\xe2\x80\xa8"};
    const uint8_t public_key[NOTE_PUBLIC_BYTES] = {0};
    struct note_key key;
    struct diag diag = {0};
    char longest[NOTE_NAME_MAX + 2];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_status(note_key_make(names[i], public_key, &diag, &key), INPUT);
        assert_says(&diag, "must be 1 to 255 bytes without whitespace");
    }
    memset(longest, 'n', sizeof longest);
    longest[NOTE_NAME_MAX + 1] = '\0';
    assert_status(note_key_make(longest, public_key, &diag, &key), INPUT);
    longest[NOTE_NAME_MAX] = '\0';
    assert_ok(note_key_make(longest, public_key, &diag, &key));
    assert_ok(note_key_make("l\xc3\xb6g.example", public_key, &diag, &key));
}

static void
refuses_a_flipped_byte_of_a_verifier_key(void **state)
{
    (void)state;
    struct note_key key;
    struct diag diag = {0};
    char copy[sizeof vkey];
    memcpy(copy, vkey, sizeof vkey);
    for (size_t i = 0; i < sizeof vkey - 1; i++) {
        for (int bit = 0; bit < 8; bit++) {
            copy[i] = (char)(copy[i] ^ (1 << bit));
            assert_status(note_parse_vkey(view_of(copy, sizeof vkey - 1), &diag, &key), INTEGRITY);
            copy[i] = (char)(copy[i] ^ (1 << bit));
        }
        assert_status(note_parse_vkey(view_of(copy, i), &diag, &key), INTEGRITY);
    }
    assert_status(note_parse_vkey(view_str("example.com/foo"), &diag, &key), INTEGRITY);
    assert_says(&diag, "byte 0: not a verifier key (name+hash+base64)");
    assert_status(note_parse_vkey(view_str("example.com/foo+530d903a"), &diag, &key), INTEGRITY);
    assert_says(&diag, "byte 16: the key hash must be 8 hex digits");
}

static void
refuses_malformed_checkpoints(void **state)
{
    (void)state;
#define ROOT "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", "must end in a newline"},
        {"\n0\n" ROOT, "byte 0: the first line must be the log's name"},
        {"o\n\n" ROOT, "byte 2: the second line must be the number of entries"},
        {"o\n00\n" ROOT, "the number of entries"},
        {"o\n01\n" ROOT, "the number of entries"},
        {"o\n-1\n" ROOT, "the number of entries"},
        {"o\n18446744073709551616\n" ROOT, "the number of entries"},
        {"o\n0\n", "byte 4: the third line must be the root hash"},
        {"o\n0\nAAAA\n", "the root hash, 32 bytes"},
        {"o\n0\n" ROOT "\n", "empty line in a checkpoint"},
        {"o\n0\n" ROOT "extension\n\n", "empty line in a checkpoint"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct checkpoint c;
        struct diag diag = {0};
        assert_status(checkpoint_parse(view_str(cases[i].text), &diag, &c), INTEGRITY);
        assert_says(&diag, cases[i].says);
    }
    struct checkpoint c;
    assert_ok(checkpoint_parse(view_str("o\n18446744073709551615\n" ROOT "ext one\n"), NULL, &c));
    assert_true(c.size == UINT64_MAX);
}

static void
refuses_a_checkpoint_of_another_log(void **state)
{
    (void)state;
    struct audit_signer signer = fixture_signer();
    struct note_key key;
    struct checkpoint c = {.origin = "another.example", .size = 3}, opened;
    uint8_t raw[NOTE_SIGNATURE_BYTES];
    struct diag diag = {0};
    DEFER(buf_done) struct buf body;
    DEFER(buf_done) struct buf note;
    buf_init(&body, NOTE_MAX);
    buf_init(&note, NOTE_MAX);
    assert_ok(note_key_make(signer.origin, signer.public_key, NULL, &key));
    checkpoint_put(&body, &c);
    assert_ok(signer.sign(signer.ctx, buf_view(&body), raw));
    note_put(&note, buf_view(&body), &key, raw);
    assert_status(checkpoint_open(buf_view(&note), &key, &diag, &opened), INTEGRITY);
    assert_says(&diag, "the checkpoint is of another log than its key");
}

/* ---- cosignatures ---- */

static struct note_key
witness_key(const struct audit_signer *signer, const char *name)
{
    struct note_key key;
    assert_ok(note_cosigner_make(NOTE_COSIGNATURE, name, signer->public_key, NULL, &key));
    return key;
}

static void
put_cosigned(struct buf *note, const struct audit_signer *signer, const struct note_key *key,
             struct view body, uint64_t time_s)
{
    uint8_t raw[NOTE_SIGNATURE_BYTES];
    DEFER(buf_done) struct buf message;
    buf_init(&message, NOTE_MAX);
    assert_ok(note_put_to_sign(&message, key, body, time_s));
    assert_ok(signer->sign(signer->ctx, buf_view(&message), raw));
    note_put_cosignature(note, key, time_s, view_of(raw, sizeof raw));
}

/* A note of our log that a witness of another key has cosigned twice. */
static void
make_cosigned(struct note_key ret_keys[static 2], struct buf *note)
{
    struct audit_signer log = fixture_signer(), witness = fixture_other_signer();
    uint8_t raw[NOTE_SIGNATURE_BYTES];
    assert_ok(note_key_make(log.origin, log.public_key, NULL, &ret_keys[0]));
    ret_keys[1] = witness_key(&witness, "witness.example");
    assert_ok(log.sign(log.ctx, view_str(text), raw));
    buf_init(note, NOTE_MAX);
    note_put(note, view_str(text), &ret_keys[0], raw);
    put_cosigned(note, &witness, &ret_keys[1], view_str(text), 1700000000);
    put_cosigned(note, &witness, &ret_keys[1], view_str(text), 1600000000);
}

static void
opens_a_note_with_several_keys(void **state)
{
    (void)state;
    struct note_key keys[3];
    struct note_signed found[3];
    struct view opened;
    DEFER(buf_done) struct buf note;
    make_cosigned(keys, &note);
    keys[2] = vector_key();
    assert_ok(note_open_any(buf_view(&note), keys, 3, NULL, found, &opened));
    assert_true(view_equal_str(opened, text));
    assert_true(found[0].found && found[0].time == 0);
    assert_true(found[1].found && found[1].time == 1700000000);
    assert_false(found[2].found);
    assert_ok(note_open(buf_view(&note), &keys[0], NULL, &opened));
    assert_ok(note_open(buf_view(&note), &keys[1], NULL, &opened));
    struct diag diag = {0};
    assert_status(note_open_any(buf_view(&note), &keys[2], 1, &diag, found, &opened), INTEGRITY);
    assert_status(note_open_any(buf_view(&note), keys, 0, &diag, found, &opened), INTEGRITY);
    assert_says(&diag, "no signature by any of the keys");
}

/* Of whatever line: a known key's wrong signature refuses the whole note. */
static void
refuses_a_flipped_byte_of_a_cosigned_note(void **state)
{
    (void)state;
    struct note_key keys[2];
    struct note_signed found[2];
    DEFER(buf_done) struct buf note;
    make_cosigned(keys, &note);
    for (size_t i = 0; i < note.len; i++) {
        struct view opened;
        note.ptr[i] ^= 1;
        const struct status s = note_open_any(buf_view(&note), keys, 2, NULL, found, &opened);
        /* A name or an id that is nobody's any more is passed over. */
        assert_true(!status_ok(s) || !(found[0].found && found[1].found) ||
                    found[1].time != 1700000000 || i > note.len / 2);
        note.ptr[i] ^= 1;
    }
}

/* The same bytes under a key of the other type are no signature of it. */
static void
a_cosignature_is_no_signature_of_a_log(void **state)
{
    (void)state;
    struct audit_signer witness = fixture_other_signer();
    struct note_key log, key = witness_key(&witness, "witness.example");
    struct diag diag = {0};
    DEFER(buf_done) struct buf vkey_text;
    buf_init(&vkey_text, 512);
    note_put_vkey(&key, &vkey_text);
    assert_status(note_parse_vkey(buf_view(&vkey_text), &diag, &log), INTEGRITY);
    assert_says(&diag, "this is a witness's key; a log's is needed");
    assert_ok(note_parse_cosigner(buf_view(&vkey_text), NULL, &log));
    assert_int_equal(log.id, key.id);
    assert_status(note_parse_cosigner(view_str(vkey), &diag, &log), INTEGRITY);
    assert_says(&diag, "this is a log's key; a witness's is needed");
    assert_ok(note_key_make(key.name, key.public_key, NULL, &log));
    assert_int_not_equal(log.id, key.id);
}

/* The time is signed, and no other blob is a cosignature: short, long, of no time. */
static void
refuses_a_cosignature_of_another_time_or_length(void **state)
{
    (void)state;
    struct note_key keys[2];
    struct audit_signer witness = fixture_other_signer();
    uint8_t raw[NOTE_SIGNATURE_BYTES];
    struct diag diag = {0};
    struct view opened;
    struct note_signed found[2];
    DEFER(buf_done) struct buf note;
    DEFER(buf_done) struct buf message;
    make_cosigned(keys, &note);
    buf_init(&message, NOTE_MAX);
    assert_ok(note_put_to_sign(&message, &keys[1], view_str(text), 7));
    assert_ok(witness.sign(witness.ctx, buf_view(&message), raw));
    const size_t before = note.len;
    note_put_cosignature(&note, &keys[1], 8, view_of(raw, sizeof raw));
    assert_status(note_open_any(buf_view(&note), keys, 2, &diag, found, &opened), INTEGRITY);
    assert_says(&diag, "the signature does not verify");
    buf_cut(&note, before);
    note_put_cosignature(&note, &keys[1], 7, view_of(raw, sizeof raw));
    assert_ok(note_open_any(buf_view(&note), keys, 2, NULL, found, &opened));
    buf_cut(&note, before);
    buf_printf(&note, "\xe2\x80\x94 %s ", keys[1].name);
    const uint8_t id[4] = {(uint8_t)(keys[1].id >> 24), (uint8_t)(keys[1].id >> 16),
                           (uint8_t)(keys[1].id >> 8), (uint8_t)keys[1].id};
    DEFER(buf_done) struct buf blob;
    buf_init(&blob, 256);
    buf_put(&blob, view_of(id, 4));
    buf_put(&blob, view_of(raw, sizeof raw)); /* as a log's would be: no time */
    text_put_base64(&note, buf_view(&blob));
    buf_put_u8(&note, '\n');
    assert_status(note_open_any(buf_view(&note), keys, 2, &diag, found, &opened), INTEGRITY);
}

/* The example of C2SP tlog-cosignature, made again: the message that is signed. */
static void
the_signed_message_is_that_of_the_specification(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf message;
    buf_init(&message, 1024);
    const struct note_key key = {.name = "any", .type = NOTE_COSIGNATURE};
    assert_ok(note_put_to_sign(&message, &key,
                               view_str("example.com/behind-the-sofa\n20852163\n"
                                        "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"),
                               1679315147));
    assert_string_equal(buf_str(&message),
                        "cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n20852163\n"
                        "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n");
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(refuses_hostile_notes),
        cmocka_unit_test(refuses_a_flipped_byte_of_a_note),
        cmocka_unit_test(accepts_sixteen_and_refuses_a_flood_of_signatures),
        cmocka_unit_test(refuses_names_that_no_key_may_have),
        cmocka_unit_test(refuses_a_flipped_byte_of_a_verifier_key),
        cmocka_unit_test(refuses_malformed_checkpoints),
        cmocka_unit_test(refuses_a_flipped_byte_of_a_cosigned_note),
        cmocka_unit_test(refuses_a_cosignature_of_another_time_or_length),
        cmocka_unit_test(a_cosignature_is_no_signature_of_a_log),
        cmocka_unit_test(the_signed_message_is_that_of_the_specification),
        cmocka_unit_test(opens_a_note_with_several_keys),
        cmocka_unit_test(refuses_a_checkpoint_of_another_log),
        cmocka_unit_test(opens_the_vector_of_the_specification),
        cmocka_unit_test(takes_the_last_empty_line_as_the_border),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
