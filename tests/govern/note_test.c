#include "fixture.h"

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
        cmocka_unit_test(refuses_a_checkpoint_of_another_log),
        cmocka_unit_test(opens_the_vector_of_the_specification),
        cmocka_unit_test(takes_the_last_empty_line_as_the_border),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
