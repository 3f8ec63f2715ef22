/* Who must cosign: policies of C2SP tlog-policy, good and bad, and checkpoints held against them,
 * in the library and through `audit verify` and `audit check`. */
#include "cli/run.h"

#include "govern/cosigner.h"
#include "govern/fixture.h"

#include "base/clock.h"
#include "govern/witnessed.h"

static struct cosigner who[3];

static int
make_witnesses(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "w%zu.example", i + 1);
        cosigner_make(&who[i], name, (uint8_t)(i + 1));
    }
    return 0;
}

/* "log VKEY", the witnesses A, B and C, and these lines. */
static const char *
policy(const char *lines)
{
    static char text[4096];
    (void)snprintf(text, sizeof text,
                   "log %s\nwitness A %s\nwitness B %s https://b.example/\n"
                   "\t witness\tC  %s \n%s",
                   cosign_log_vkey(), who[0].vkey, who[1].vkey, who[2].vkey, lines);
    return text;
}

static void
refuse(const char *text, const char *says)
{
    struct diag diag = {0};
    struct quorum *q = NULL;
    assert_status(quorum_parse(view_str(text), "p", &diag, &q), INPUT);
    assert_says(&diag, says);
    assert_null(q);
}

static void
refuses_bad_policies_with_the_line(void **state)
{
    (void)state;
    static const struct {
        const char *lines, *says;
    } cases[] = {
        {"", "p: no quorum line"},
        {"quorum A", "p line 5: the last line has no end"},
        {"quorum\n", "p line 5: the quorum is written"},
        {"quorum A B\n", "p line 5: the quorum is written"},
        {"quorum A\nquorum A\n", "p line 6: a second quorum"},
        {"quorum none\nquorum A\n", "p line 6: a second quorum"},
        {"quorum D\n", "p line 5: the name \"D\" is that of no witness or group before"},
        {"quorum a\n", "\"a\" is that of no witness"},
        {"quorum G\ngroup G any A\n", "p line 5: the name \"G\""},
        {"group G any\nquorum G\n", "p line 5: a group is written"},
        {"group G any G\nquorum G\n", "p line 5: the name \"G\" is that of no witness or group"},
        {"group G any H\ngroup H any G\nquorum G\n", "p line 5: the name \"H\""},
        {"group G any none\nquorum G\n", "the name \"none\" is that of no witness"},
        {"group none any A\nquorum none\n", "group \"none\" has a name that stands for no quorum"},
        {"group A any B\nquorum A\n", "p line 5: group \"A\" has a name that stands in a line"},
        {"group G any A A\nquorum G\n", "p line 5: the name \"A\" is in a group already"},
        {"group G any A\ngroup H any A\nquorum H\n", "p line 6: the name \"A\" is in a group"},
        {"group G 0 A\nquorum G\n", "p line 5: the threshold \"0\" must be"},
        {"group G 2 A\nquorum G\n", "the threshold \"2\" must be"},
        {"group G 01 A\nquorum G\n", "the threshold \"01\" must be"},
        {"group G -1 A\nquorum G\n", "the threshold \"-1\" must be"},
        {"group G most A\nquorum G\n", "the threshold \"most\" must be"},
        {"group G 99999999999999999999 A\nquorum G\n", "the threshold"},
        {"quorums A\n", "p line 5: a line begins with log, witness, group or quorum; not with"},
        {"quorum A\r\n", "p line 5: a carriage return"},
        {"quorum A\x01\n", "p line 5: a control character"},
        {"quorum A # B\n", "the quorum is written"},
        {"witness D key\n", "p line 5: the key: byte 0: not a verifier key"},
        {"witness D\n", "p line 5: a witness is written"},
        {"log\n", "p line 5: a log is written"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        refuse(policy(cases[i].lines), cases[i].says);
    }
    refuse("", "p: no quorum line");
}

static void
refuses_keys_of_the_wrong_kind_and_twice(void **state)
{
    (void)state;
    char line[1024];
    (void)snprintf(line, sizeof line, "witness D %s\nquorum D\n", cosign_log_vkey());
    refuse(policy(line), "p line 5: the key: byte 26: this is a log's key; a witness's is needed");
    (void)snprintf(line, sizeof line, "log %s\nquorum A\n", who[0].vkey);
    refuse(policy(line), "this is a witness's key; a log's is needed");
    (void)snprintf(line, sizeof line, "log %s\nquorum A\n", cosign_log_vkey());
    refuse(policy(line), "p line 5: this log's key stands in a line before");
    struct cosigner other_name;
    cosigner_make(&other_name, "another.example", 1); /* the key of w1 */
    (void)snprintf(line, sizeof line, "witness D %s\nquorum A\n", other_name.vkey);
    refuse(policy(line), "p line 5: this witness's key stands in a line before");
}

static void
has_room_for_what_the_specification_asks_and_no_more(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf text;
    buf_init(&text, QUORUM_MAX);
    for (unsigned i = 0; i < 32; i++) {
        struct cosigner w;
        char name[32];
        (void)snprintf(name, sizeof name, "w%u", i);
        cosigner_make(&w, name, (uint8_t)i);
        buf_printf(&text, "witness W%u %s\ngroup G%u any W%u\n", i, w.vkey, i, i);
    }
    buf_put_str(&text, "group all 20");
    for (unsigned i = 0; i < 32; i++) {
        buf_printf(&text, " G%u", i);
    }
    buf_put_str(&text, "\nquorum all\n");
    struct quorum *q = NULL;
    struct diag diag = {0};
    assert_ok(quorum_parse(buf_view(&text), "p", &diag, &q));
    quorum_free(q);
    buf_reset(&text);
    for (unsigned i = 0; i < 70; i++) {
        struct cosigner w;
        cosigner_make(&w, "w", (uint8_t)i);
        buf_printf(&text, "witness W%u %s\n", i, w.vkey);
    }
    refuse(buf_str(&text), "p line 65: more than 64 witnesses");
}

/* ---- checkpoints ---- */

static struct quorum_verdict
verdict(const char *lines, struct view note)
{
    struct quorum *q = NULL;
    struct quorum_verdict v;
    struct diag diag = {0};
    assert_ok(quorum_parse(view_str(policy(lines)), "p", &diag, &q));
    assert_ok(quorum_check(q, NULL, note, &diag, &v));
    quorum_free(q);
    return v;
}

/* Every subset of three witnesses against each form of rule. */
static void
each_rule_is_met_by_the_subsets_that_it_says(void **state)
{
    (void)state;
    static const struct {
        const char *lines;
        bool met[8]; /* bit i: witness i has cosigned */
    } rules[] = {
        {"quorum none\n", {1, 1, 1, 1, 1, 1, 1, 1}},
        {"quorum B\n", {0, 0, 1, 1, 0, 0, 1, 1}},
        {"group G any A B C\nquorum G\n", {0, 1, 1, 1, 1, 1, 1, 1}},
        {"group G all A B C\nquorum G\n", {0, 0, 0, 0, 0, 0, 0, 1}},
        {"group G 2 A B C\nquorum G\n", {0, 0, 0, 1, 0, 1, 1, 1}},
        {"group G any A B\ngroup H all G C\nquorum H\n", {0, 0, 0, 0, 0, 1, 1, 1}},
        {"group G all A B\ngroup H any G C\nquorum H\n", {0, 0, 0, 1, 1, 1, 1, 1}},
        {"group G all A B\n# comment\n\n\tquorum \t C\n", {0, 0, 0, 0, 1, 1, 1, 1}},
    };
    for (unsigned set = 0; set < 8; set++) {
        DEFER(buf_done) struct buf note;
        cosigned_checkpoint(5, &note);
        for (unsigned i = 0; i < 3; i++) {
            if ((set >> i & 1) != 0) {
                cosigner_put(&who[i], &note, 1000 + i);
            }
        }
        for (size_t r = 0; r < sizeof rules / sizeof *rules; r++) {
            const struct quorum_verdict v = verdict(rules[r].lines, buf_view(&note));
            assert_int_equal(v.met, rules[r].met[set]);
            assert_int_equal(v.cosigned, __builtin_popcount(set));
            assert_int_equal(v.witnesses, 3);
            assert_int_equal(v.checkpoint.size, 5);
            assert_true(v.met || v.time_s == 0);
        }
    }
}

static void
the_time_is_that_since_which_the_quorum_is_met(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf note;
    cosigned_checkpoint(5, &note);
    cosigner_put(&who[0], &note, 300);
    cosigner_put(&who[1], &note, 100);
    cosigner_put(&who[2], &note, 200);
    assert_int_equal(verdict("group G all A B C\nquorum G\n", buf_view(&note)).time_s, 100);
    assert_int_equal(verdict("group G 2 A B C\nquorum G\n", buf_view(&note)).time_s, 200);
    assert_int_equal(verdict("group G any A B C\nquorum G\n", buf_view(&note)).time_s, 300);
    cosigner_put(&who[1], &note, 400); /* the same witness, later */
    assert_int_equal(verdict("group G all A B C\nquorum G\n", buf_view(&note)).time_s, 200);
}

static void
refuses_checkpoints_of_no_log_of_the_policy_and_lies(void **state)
{
    (void)state;
    struct quorum *q = NULL;
    struct quorum_verdict v;
    struct diag diag = {0};
    DEFER(buf_done) struct buf note;
    assert_ok(quorum_parse(view_str(policy("quorum A\n")), "p", &diag, &q));
    cosigned_checkpoint(5, &note);
    cosigner_put(&who[0], &note, 300);
    assert_ok(quorum_check(q, NULL, buf_view(&note), &diag, &v));
    assert_true(v.met);
    const size_t size_at = strlen(FIXTURE_ORIGIN) + 1;
    note.ptr[size_at] = '6';
    assert_status(quorum_check(q, NULL, buf_view(&note), &diag, &v), INTEGRITY);
    assert_says(&diag, "the signature does not verify");
    note.ptr[size_at] = '5';
    /* Of another tree, under the witness's own name and key. */
    DEFER(buf_done) struct buf other;
    cosigned_checkpoint(6, &other);
    const size_t honest = note.len;
    cosigner_put_of(&who[1], buf_view(&other), &note, 300);
    assert_status(quorum_check(q, NULL, buf_view(&note), &diag, &v), INTEGRITY);
    buf_cut(&note, honest);
    /* Cosigned by all, signed by no log. */
    DEFER(buf_done) struct buf unsigned_note;
    struct view text, lines;
    assert_ok(note_split(buf_view(&note), &diag, &text, &lines));
    buf_init(&unsigned_note, NOTE_MAX);
    buf_put(&unsigned_note, text);
    buf_put_str(&unsigned_note, "\n");
    cosigner_put_of(&who[0], buf_view(&note), &unsigned_note, 300);
    assert_status(quorum_check(q, NULL, buf_view(&unsigned_note), &diag, &v), INTEGRITY);
    assert_says(&diag, "is not signed by a log that the policy names");
    quorum_free(q);
}

/* ---- through the program ---- */

static void
cosign_file(struct room *m, const char *name, const char *as, const struct cosigner *w,
            uint64_t time_s)
{
    DEFER(buf_done) struct buf note;
    DEFER(buf_done) struct buf grown;
    testing_read(in(m, name), &note);
    buf_init(&grown, NOTE_MAX);
    buf_put(&grown, buf_view(&note));
    if (w != NULL) {
        cosigner_put(w, &grown, time_s);
    }
    testing_write(in(m, as), buf_view(&grown));
}

static const char *
kept(struct room *m, const char *name)
{
    return strdup(in(m, name));
}

static void
verify_and_check_ask_for_the_quorum(void **state)
{
    struct room *m = *state;
    const uint64_t now = (uint64_t)(clock_wall_ns() / NS_PER_S);
    fixture_append(m->dir, 0, 300);
    testing_write(in(m, "all"), view_str(policy("group G all A B\nquorum G\n")));
    DEFER(memory_freep) const char *all = kept(m, "all");
    DEFER(memory_freep) const char *proof = kept(m, "proof");
    DEFER(memory_freep) const char *entry = kept(m, "entry");
    DEFER(buf_done) struct buf bytes;
    buf_init(&bytes, AUDIT_MAX_ENTRY);
    fixture_entry(7, &bytes);
    testing_write(entry, buf_view(&bytes));

    RUN(m, 6, "audit", "verify", m->dir, "--policy", all);
    OUT_HAS(m, "verified: 300 entries");
    OUT_HAS(m, "  NOT witnessed: 0 of 3 witnesses have cosigned this checkpoint\n"
               "    without: A, B, C\n");
    cosign_file(m, "checkpoint", "checkpoint", &who[0], now - 1000);
    RUN(m, 6, "audit", "verify", m->dir, "--policy", all);
    OUT_HAS(m, "NOT witnessed: 1 of 3");
    RUN(m, 0, "audit", "prove", "7", m->dir, "--output", proof);
    RUN(m, 6, "audit", "check", proof, entry, "--policy", all);
    ERR_HAS(m, "cosigned by 1 of the policy's 3 witnesses, which is no quorum; missing: B, C");

    cosign_file(m, "checkpoint", "checkpoint", &who[1], now - 100);
    RUN(m, 0, "audit", "verify", m->dir, "--policy", all);
    OUT_HAS(m, "  witnessed: 2 of 3 witnesses, a quorum of them since 20");
    RUN(m, 6, "audit", "verify", m->dir, "--policy", all, "--within", "10m");
    OUT_HAS(m, "NOT witnessed as lately as --within asks");
    RUN(m, 0, "audit", "verify", m->dir, "--policy", all, "--within", "1h", "--json");
    DEFER(js_freep) json_t *o = out_json(m);
    has_keys(json_object_get(o, "witnessed"), "met good entries behind time_s witnesses cosigned");
    RUN(m, 2, "audit", "verify", m->dir, "--policy", all, "--within", "soon");
    cosign_file(m, "checkpoint", "ahead", &who[0], now + 100000);
    cosign_file(m, "ahead", "ahead", &who[1], now + 100000);
    DEFER(buf_done) struct buf honest;
    DEFER(buf_done) struct buf ahead;
    testing_read(in(m, "checkpoint"), &honest);
    testing_read(in(m, "ahead"), &ahead);
    testing_write(in(m, "checkpoint"), buf_view(&ahead)); /* a time that has not come yet */
    RUN(m, 6, "audit", "verify", m->dir, "--policy", all, "--within", "1h");
    RUN(m, 0, "audit", "verify", m->dir, "--policy", all);
    testing_write(in(m, "checkpoint"), buf_view(&honest));
    RUN(m, 0, "audit", "prove", "7", m->dir, "--output", proof);
    RUN(m, 0, "audit", "check", proof, entry, "--policy", all);
    OUT_HAS(m, "proved: the entry is in the log that this key signs\n  witnessed: 2 of 3");
    RUN(m, 0, "audit", "check", proof, entry, "--policy", all, "--vkey", cosign_log_vkey());

    /* The log goes on, the witnesses lag: what they have seen counts, and how far it is. */
    cosign_file(m, "checkpoint", WITNESSED_FILE, NULL, 0);
    fixture_append(m->dir, 300, 520);
    RUN(m, 0, "audit", "verify", m->dir, "--policy", all);
    OUT_HAS(m, "verified: 520 entries");
    OUT_HAS(m, "  note: the newest 220 entries are not witnessed yet; 300 are\n");
    cosign_file(m, "checkpoint", "checkpoint", &who[2], now);
    RUN(m, 0, "audit", "verify", m->dir, "--policy", all);
}

/* What was witnessed is no part of the log that stands there now. */
static void
a_fork_of_what_was_witnessed_is_refused(void **state)
{
    struct room *m = *state;
    fixture_append(m->dir, 0, 10);
    cosign_file(m, "checkpoint", "checkpoint", &who[0], 100);
    DEFER(buf_done) struct buf kept_note;
    testing_read(in(m, "checkpoint"), &kept_note);
    testing_write(in(m, "one"), view_str(policy("quorum A\n")));
    DEFER(memory_freep) const char *one = kept(m, "one");
    RUN(m, 0, "audit", "verify", m->dir, "--policy", one);
    DEFER(testing_dirp) char *fork = testing_dir();
    fixture_append(fork, 5, 25); /* other entries */
    fixture_overwrite(fork, WITNESSED_FILE, buf_view(&kept_note));
    /* By somebody who has never seen it. */
    DEFER(memory_freep) const char *nothing = kept(m, "seen-1");
    DEFER(memory_freep) const char *nothing_more = kept(m, "seen-2");
    RUN(m, 6, "audit", "verify", fork, "--policy", one, "--state", nothing);
    ERR_HAS(m, "its first 10 entries are not those signed before");
    /* And a log that is shorter than what was witnessed. */
    DEFER(testing_dirp) char *old = testing_dir();
    fixture_append(old, 0, 5);
    fixture_overwrite(old, WITNESSED_FILE, buf_view(&kept_note));
    RUN(m, 6, "audit", "verify", old, "--policy", one, "--state", nothing_more);
    ERR_HAS(m, "the log was rolled back from 10 entries to 5");
}

static void
a_policy_of_another_log_or_none_is_told(void **state)
{
    struct room *m = *state;
    struct cosigner other;
    char text[1024];
    cosigner_make(&other, "w", 9);
    fixture_append(m->dir, 0, 3);
    (void)snprintf(text, sizeof text, "witness W %s\nquorum none\n", other.vkey);
    testing_write(in(m, "p"), view_str(text));
    DEFER(memory_freep) const char *p = kept(m, "p");
    RUN(m, 4, "audit", "verify", m->dir, "--policy", p);
    ERR_HAS(m, "the policy names no log: give its key, too (--vkey)");
    RUN(m, 0, "audit", "verify", m->dir, "--policy", p, "--vkey", cosign_log_vkey());
    OUT_HAS(m, "witnessed: 0 of 1 witnesses");
    testing_write(p, view_str("log example.com/foo+530d903a+"
                              "AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k\nquorum none\n"));
    RUN(m, 6, "audit", "verify", m->dir, "--policy", p);
    ERR_HAS(m, "the policy names no log \"log.example/test\"");
    testing_write(p, view_str("quorum\n"));
    RUN(m, 2, "audit", "verify", m->dir, "--policy", p);
    ERR_HAS(m, "line 1: the quorum is written");
    RUN(m, 2, "audit", "check", p, p);
    ERR_HAS(m, "--vkey KEY is needed, or --policy FILE");
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(refuses_bad_policies_with_the_line),
        cmocka_unit_test(refuses_keys_of_the_wrong_kind_and_twice),
        cmocka_unit_test(has_room_for_what_the_specification_asks_and_no_more),
        cmocka_unit_test(refuses_checkpoints_of_no_log_of_the_policy_and_lies),
        cmocka_unit_test(each_rule_is_met_by_the_subsets_that_it_says),
        cmocka_unit_test(the_time_is_that_since_which_the_quorum_is_met),
        BARE(verify_and_check_ask_for_the_quorum),
        BARE(a_fork_of_what_was_witnessed_is_refused),
        BARE(a_policy_of_another_log_or_none_is_told),
    };
    return cmocka_run_group_tests(cases, make_witnesses, NULL);
}
