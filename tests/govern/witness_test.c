/* The witness: requests, good and hostile, each answer of C2SP tlog-witness, what it remembers
 * across restarts, and that nothing that happens to it makes it sign two trees. */
#include "fixture.h"
#include "testing/cut.h"

#include "base/file.h"
#include "govern/witness.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define LEAVES 64
#define NAME "witness.example/a"

/* ---- two trees that part at leaf FORK ---- */

#define FORK 10

static struct digest trunk[LEAVES], branch[LEAVES];

static int
make_trees(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEAVES; i++) {
        const size_t other = i >= FORK ? i + 1000 : i;
        merkle_leaf(view_of(&i, sizeof i), &trunk[i]);
        merkle_leaf(view_of(&other, sizeof other), &branch[i]);
    }
    fixture_in_memory();
    return 0;
}

static struct status
node(void *ctx, unsigned level, uint64_t index, struct digest *ret_hash)
{
    const struct digest *leaves = ctx;
    fixture_mth(leaves + (index << level), (size_t)1 << level, ret_hash);
    return OK;
}

static void
put_note(const struct digest *leaves, uint64_t size, const struct audit_signer *signer,
         struct buf *ret_note)
{
    struct note_key key;
    struct checkpoint c = {.size = size};
    uint8_t raw[NOTE_SIGNATURE_BYTES];
    DEFER(buf_done) struct buf text;
    buf_init(&text, NOTE_MAX);
    (void)snprintf(c.origin, sizeof c.origin, "%s", signer->origin);
    fixture_mth(leaves, size, &c.root);
    checkpoint_put(&text, &c);
    assert_ok(note_key_make(signer->origin, signer->public_key, NULL, &key));
    assert_ok(signer->sign(signer->ctx, buf_view(&text), raw));
    note_put(ret_note, buf_view(&text), &key, raw);
}

/* The request that leads from old to size of that tree; note: kept for the request. */
static void
make_request(struct digest *leaves, uint64_t old, uint64_t size, struct buf *ret_body)
{
    struct digest path[MERKLE_PATH_MAX];
    struct witness_request q = {.old = old};
    const struct audit_signer signer = fixture_signer();
    DEFER(buf_done) struct buf note;
    buf_init(&note, NOTE_MAX);
    put_note(leaves, size, &signer, &note);
    if (old <= size) {
        assert_ok(
            merkle_prove_consistency((struct merkle_source){node, leaves}, old, size, path, &q.n));
    }
    memcpy(q.path, path, q.n * sizeof *path);
    q.note = buf_view(&note);
    buf_init(ret_body, WITNESS_REQUEST_MAX);
    witness_put_request(ret_body, &q);
}

/* ---- a witness ---- */

struct stand {
    char *dir;
    struct witness *witness;
    struct note_key key, log;
};

static struct witness *
open_witness(const struct stand *s)
{
    struct witness *w = NULL;
    struct diag diag = {0};
    assert_ok(witness_open(s->dir, &s->log, 1, &diag, &w));
    return w;
}

static int
begin(void **state)
{
    struct stand *s = calloc(1, sizeof *s);
    const struct audit_signer signer = fixture_signer();
    s->dir = testing_dir();
    assert_ok(witness_make(s->dir, NOTE_COSIGNATURE, NAME, NULL, &s->key));
    assert_ok(note_key_make(signer.origin, signer.public_key, NULL, &s->log));
    s->witness = open_witness(s);
    *state = s;
    return 0;
}

static int
end(void **state)
{
    struct stand *s = *state;
    witness_free(s->witness);
    testing_dirp(&s->dir);
    free(s);
    return 0;
}

static void
reopen(struct stand *s)
{
    witness_free(s->witness);
    s->witness = NULL;
    s->witness = open_witness(s);
}

/* The answer's status; its body must hold that text. */
static unsigned
ask(struct stand *s, struct view body, const char *says)
{
    struct witness_answer a;
    witness_add(s->witness, body, &a);
    assert_text_has(buf_str(&a.body), says);
    buf_done(&a.body);
    return a.status;
}

static unsigned
ask_for(struct stand *s, struct digest *leaves, uint64_t old, uint64_t size, const char *says)
{
    DEFER(buf_done) struct buf body;
    make_request(leaves, old, size, &body);
    return ask(s, buf_view(&body), says);
}

/* ---- requests ---- */

#define HASH "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n"

static void
refuses_malformed_requests_with_the_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", "line 1: it must be \"old\""},
        {"old 0", "line 1:"},
        {"old\n\nx\n", "line 1:"},
        {"old \n\nx\n", "line 1:"},
        {"old 00\n\nx\n", "line 1:"},
        {"old 01\n\nx\n", "line 1:"},
        {"old +1\n\nx\n", "line 1:"},
        {"old -1\n\nx\n", "line 1:"},
        {"old  1\n\nx\n", "line 1:"},
        {"old 1 \n\nx\n", "line 1:"},
        {"old 1\r\n\r\nx\n", "line 1:"},
        {"Old 1\n\nx\n", "line 1:"},
        {"old 18446744073709551616\n\nx\n", "line 1:"},
        {"old 1\n", "line 2: no empty line"},
        {"old 1\n" HASH, "line 3: no empty line"},
        {"old 1\n" HASH "AAAA\n\nx\n", "line 3: a proof's hash is 32 bytes"},
        {"old 1\n " HASH "\nx\n", "line 2: a proof's hash"},
        {"old 1\nPlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw\n\nx\n", "line 2: a proof's hash"},
    };
    struct witness_request q;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct diag diag = {0};
        assert_status(witness_parse_request(view_str(cases[i].text), &diag, &q), INPUT);
        assert_says(&diag, cases[i].says);
    }
    DEFER(buf_done) struct buf many;
    buf_init(&many, 8192);
    buf_put_str(&many, "old 18446744073709551615\n");
    for (int i = 0; i < 63; i++) {
        buf_put_str(&many, HASH);
    }
    const size_t before = many.len;
    buf_put_str(&many, "\nthe note\n");
    assert_ok(witness_parse_request(buf_view(&many), NULL, &q));
    assert_true(q.old == UINT64_MAX && q.n == 63 && view_equal_str(q.note, "the note\n"));
    buf_cut(&many, before);
    buf_put_str(&many, HASH "\nthe note\n");
    struct diag diag = {0};
    assert_status(witness_parse_request(buf_view(&many), &diag, &q), INPUT);
    assert_says(&diag, "line 65: more than 63 hashes");
}

static void
each_answer_is_that_of_the_specification(void **state)
{
    struct stand *s = *state;
    DEFER(buf_done) struct buf body;
    assert_int_equal(ask(s, view_str("old 0\n\nnothing\n"), "no empty line followed by signatures"),
                     400);
    assert_int_equal(ask(s, view_str("nothing"), "line 1"), 400);
    assert_int_equal(ask_for(s, trunk, 3, 2, "the old size is larger"), 400);
    assert_int_equal(ask_for(s, trunk, 3, 5, "0\n"), 409);
    assert_int_equal(ask_for(s, trunk, 0, 5, NAME), 200);
    assert_int_equal(ask_for(s, trunk, 0, 5, "5\n"), 409);
    assert_int_equal(ask_for(s, trunk, 3, 20, "5\n"), 409);
    assert_int_equal(ask_for(s, trunk, 5, 20, NAME), 200);
    assert_int_equal(ask_for(s, trunk, 20, 20, NAME), 200); /* the same again */
    assert_int_equal(ask_for(s, branch, 20, 20, "not the tree of that size"), 422);
    assert_int_equal(ask_for(s, branch, 20, 40, "the proof does not lead"), 422);
    assert_int_equal(ask_for(s, trunk, 5, 19, "20\n"), 409); /* rolled back */
    assert_int_equal(ask_for(s, trunk, 20, 19, "the old size is larger"), 400);
    assert_int_equal(ask_for(s, trunk, 20, 40, NAME), 200);
    /* A proof where none may be, and none where one must be. */
    DEFER(testing_dirp) char *other = testing_dir();
    struct stand fresh = {.dir = other, .log = s->log};
    assert_ok(witness_make(other, NOTE_COSIGNATURE, "other", NULL, &fresh.key));
    fresh.witness = open_witness(&fresh);
    make_request(trunk, 5, 20, &body);
    memcpy(body.ptr + 4, "0", 1);
    assert_int_equal(ask(&fresh, buf_view(&body), "the proof does not lead"), 422);
    assert_int_equal(ask_for(&fresh, trunk, 0, 0, "other"), 200);
    assert_int_equal(ask_for(&fresh, trunk, 0, 7, "other"), 200);
    witness_free(fresh.witness);
}

static void
an_empty_tree_with_a_root_is_refused(void **state)
{
    struct stand *s = *state;
    const struct audit_signer signer = fixture_signer();
    struct checkpoint c = {.size = 0, .root = {{1}}};
    uint8_t raw[NOTE_SIGNATURE_BYTES];
    DEFER(buf_done) struct buf text;
    DEFER(buf_done) struct buf body;
    buf_init(&text, NOTE_MAX);
    buf_init(&body, NOTE_MAX);
    (void)snprintf(c.origin, sizeof c.origin, "%s", signer.origin);
    checkpoint_put(&text, &c);
    assert_ok(signer.sign(signer.ctx, buf_view(&text), raw));
    buf_put_str(&body, "old 0\n\n");
    note_put(&body, buf_view(&text), &s->log, raw);
    assert_int_equal(ask(s, buf_view(&body), "not the tree"), 422);
}

static void
unknown_logs_and_keys_are_told_apart(void **state)
{
    struct stand *s = *state;
    struct audit_signer stranger = fixture_other_signer();
    DEFER(buf_done) struct buf body;
    buf_init(&body, WITNESS_REQUEST_MAX);
    buf_put_str(&body, "old 0\n\n");
    put_note(trunk, 5, &stranger, &body); /* of our log's name, by another key */
    assert_int_equal(ask(s, buf_view(&body), "no signature by"), 403);
    buf_done(&body);
    make_request(trunk, 0, 5, &body);
    body.ptr[body.len - 5] ^= 1; /* our log's name and key id, a wrong signature */
    assert_int_equal(ask(s, buf_view(&body), "does not verify"), 403);
    buf_reset(&body);
    buf_put_str(&body, "old 0\n\n");
    stranger.origin = "another.example/log";
    put_note(trunk, 5, &stranger, &body);
    assert_int_equal(ask(s, buf_view(&body), "does not know that log"), 404);
    assert_int_equal(ask_for(s, trunk, 0, 5, NAME), 200); /* none of them was remembered */
}

/* What is answered is a cosignature, and the checkpoint is read back with it. */
static void
its_line_verifies_and_is_read_back(void **state)
{
    struct stand *s = *state;
    DEFER(buf_done) struct buf body;
    struct witness_answer a;
    struct witness_request q;
    make_request(trunk, 0, 33, &body);
    witness_add(s->witness, buf_view(&body), &a);
    assert_int_equal(a.status, 200);
    assert_ok(witness_parse_request(buf_view(&body), NULL, &q));
    DEFER(buf_done) struct buf note;
    buf_init(&note, NOTE_MAX);
    buf_put(&note, q.note);
    buf_put(&note, buf_view(&a.body));
    const struct note_key keys[2] = {s->log, s->key};
    struct note_signed found[2];
    struct view text;
    assert_ok(note_open_any(buf_view(&note), keys, 2, NULL, found, &text));
    assert_true(found[0].found && found[1].found && found[1].time > 1600000000);
    buf_done(&a.body);

    struct digest d;
    DEFER(buf_done) struct buf hex;
    buf_init(&hex, 128);
    digest_of(view_str(s->log.name), &d);
    digest_put_hex(&hex, &d);
    for (int start = 0; start < 2; start++) {
        witness_read(s->witness, buf_view(&hex), &a);
        assert_int_equal(a.status, 200);
        assert_ok(note_open_any(buf_view(&a.body), keys, 2, NULL, found, &text));
        assert_true(found[0].found && found[1].found);
        buf_done(&a.body);
        reopen(s);
    }
    hex.ptr[0] = 'g';
    witness_read(s->witness, buf_view(&hex), &a);
    assert_int_equal(a.status, 404);
    buf_done(&a.body);
}

/* ---- what it remembers ---- */

static void
it_remembers_across_restarts(void **state)
{
    struct stand *s = *state;
    assert_int_equal(ask_for(s, trunk, 0, 20, NAME), 200);
    reopen(s);
    assert_int_equal(ask_for(s, trunk, 0, 5, "20\n"), 409);
    assert_int_equal(ask_for(s, branch, 20, 20, "not the tree"), 422);
    assert_int_equal(ask_for(s, trunk, 20, 30, NAME), 200);
}

static void
two_processes_on_one_folder_are_refused(void **state)
{
    struct stand *s = *state;
    struct witness *second = NULL;
    struct note_key key;
    struct diag diag = {0};
    assert_status(witness_open(s->dir, &s->log, 1, &diag, &second), BUSY);
    assert_says(&diag, "another process is this witness; stop it first");
    assert_status(witness_make(s->dir, NOTE_COSIGNATURE, NAME, &diag, &key), BUSY);
    witness_free(s->witness);
    s->witness = NULL;
    assert_status(witness_make(s->dir, NOTE_COSIGNATURE, NAME, &diag, &key), EXISTS);
    s->witness = open_witness(s);
}

/* What cannot be kept is not cosigned, and nothing has changed afterwards. */
static void
a_disk_that_takes_nothing_stops_the_signature(void **state)
{
    struct stand *s = *state;
    DEFER(file_freep) char *logs = file_join(s->dir, "logs");
    DEFER(file_freep) char *away = file_join(s->dir, "away");
    assert_int_equal(ask_for(s, trunk, 0, 5, NAME), 200);
    assert_int_equal(rename(logs, away), 0);
    assert_int_equal(ask_for(s, trunk, 5, 20, "it was not cosigned"), 500);
    assert_int_equal(rename(away, logs), 0);
    assert_int_equal(ask_for(s, trunk, 0, 20, "5\n"), 409);
    assert_int_equal(ask_for(s, trunk, 5, 20, NAME), 200);
}

static char *
only_state(const struct stand *s)
{
    struct digest d;
    DEFER(buf_done) struct buf name;
    buf_init(&name, 128);
    buf_put_str(&name, "logs/");
    digest_of(view_str(s->log.name), &d);
    digest_put_hex(&name, &d);
    return file_join(s->dir, buf_str(&name));
}

/* It never begins anew because something is damaged or gone. */
static void
damage_stops_it(void **state)
{
    struct stand *s = *state;
    struct witness *w = NULL;
    assert_int_equal(ask_for(s, trunk, 0, 20, NAME), 200);
    witness_free(s->witness);
    s->witness = NULL;
    DEFER(file_freep) char *path = only_state(s);
    DEFER(buf_done) struct buf whole;
    testing_read(path, &whole);
    for (size_t i = 0; i < whole.len; i += 3) {
        struct diag diag = {0};
        whole.ptr[i] ^= 1;
        testing_write(path, buf_view(&whole));
        assert_status(witness_open(s->dir, &s->log, 1, &diag, &w), INTEGRITY);
        whole.ptr[i] ^= 1;
    }
    for (size_t n = 0; n < whole.len; n += 7) {
        testing_write(path, view_of(whole.ptr, n));
        assert_status(witness_open(s->dir, &s->log, 1, NULL, &w), INTEGRITY);
    }
    testing_write(path, buf_view(&whole));
    s->witness = open_witness(s);
    assert_int_equal(ask_for(s, trunk, 0, 5, "20\n"), 409);
}

static void
a_folder_without_key_or_memory_is_no_witness(void **state)
{
    struct stand *s = *state;
    struct witness *w = NULL;
    struct diag diag = {0};
    witness_free(s->witness);
    s->witness = NULL;
    DEFER(file_freep) char *key = file_join(s->dir, "key");
    DEFER(file_freep) char *logs = file_join(s->dir, "logs");
    DEFER(buf_done) struct buf text;
    testing_read(key, &text);
    for (size_t i = 0; i < text.len; i += 5) {
        text.ptr[i] ^= 1;
        testing_write(key, buf_view(&text));
        assert_int_equal(chmod(key, 0600), 0);
        assert_false(status_ok(witness_open(s->dir, &s->log, 1, &diag, &w)) &&
                     witness_key(w)->id == s->key.id);
        witness_free(w);
        w = NULL;
        text.ptr[i] ^= 1;
    }
    testing_write(key, buf_view(&text));
    assert_int_equal(chmod(key, 0644), 0);
    assert_status(witness_open(s->dir, &s->log, 1, &diag, &w), INPUT); /* others may read it */
    assert_int_equal(chmod(key, 0600), 0);
    assert_int_equal(rmdir(logs), 0);
    assert_status(witness_open(s->dir, &s->log, 1, &diag, &w), NOT_FOUND);
    assert_says(&diag, "what it remembered is gone");
    assert_int_equal(mkdir(logs, 0700), 0);
    s->witness = open_witness(s);
}

/* ---- never two trees ---- */

/* What the killed process has let out. */
struct outside {
    struct stand *stand;
    struct digest *leaves;
    atomic_uint signed_; /* requests answered with 200 */
};

static void
ask_once(void *ctx)
{
    struct outside *o = ctx;
    struct witness *w = open_witness(o->stand);
    struct witness_answer a;
    DEFER(buf_done) struct buf body;
    make_request(o->leaves, 5, 20, &body);
    (void)raise(SIGUSR1);
    witness_add(w, buf_view(&body), &a);
    if (a.status == 200) {
        (void)atomic_fetch_add(&o->signed_, 1);
    }
    buf_done(&a.body);
    witness_free(w);
}

/* Killed before each system call that changes the disk: what it signed before, it stays with. */
static void
killed_anywhere_it_never_signs_two_trees(void **state)
{
    struct stand *s = *state;
    struct outside *o =
        mmap(NULL, sizeof *o, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(o != MAP_FAILED);
    bool traced = true, killed = true;
    unsigned n = 0, kept = 0, forgot = 0;
    while (killed && traced) {
        testing_remove(s->dir);
        assert_int_equal(mkdir(s->dir, 0700), 0);
        witness_free(s->witness);
        assert_ok(witness_make(s->dir, NOTE_COSIGNATURE, NAME, NULL, &s->key));
        s->witness = open_witness(s);
        assert_int_equal(ask_for(s, trunk, 0, 5, NAME), 200);
        witness_free(s->witness);
        s->witness = NULL;
        *o = (struct outside){.stand = s, .leaves = trunk};
        killed = testing_cut_before(++n, ask_once, o, &traced);
        s->witness = open_witness(s);
        DEFER(buf_done) struct buf body;
        struct witness_answer a;
        make_request(branch, 5, 20, &body);
        witness_add(s->witness, buf_view(&body), &a);
        assert_true(a.status == 200 || a.status == 409);
        assert_true(o->signed_ == 0 || a.status != 200);
        forgot += a.status == 200;
        kept += a.status == 409;
        buf_done(&a.body);
    }
    (void)munmap(o, sizeof *o);
    if (traced) {
        assert_true(n > 3 && kept > 0 && forgot > 0);
    }
}

struct racer {
    struct stand *stand;
    struct digest *leaves;
    unsigned status;
};

static void *
race(void *ctx)
{
    struct racer *r = ctx;
    DEFER(buf_done) struct buf body;
    struct witness_answer a;
    make_request(r->leaves, 5, 20, &body);
    witness_add(r->stand->witness, buf_view(&body), &a);
    r->status = a.status;
    buf_done(&a.body);
    return NULL;
}

static void
of_requests_at_once_one_tree_is_signed(void **state)
{
    struct stand *s = *state;
    assert_int_equal(ask_for(s, trunk, 0, 5, NAME), 200);
    struct racer racers[8];
    pthread_t thread[8];
    unsigned won[2] = {0};
    for (size_t i = 0; i < 8; i++) {
        racers[i] = (struct racer){s, i % 2 == 0 ? trunk : branch, 0};
        assert_int_equal(pthread_create(&thread[i], NULL, race, &racers[i]), 0);
    }
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(pthread_join(thread[i], NULL), 0);
        won[i % 2] += racers[i].status == 200;
        assert_true(racers[i].status == 200 || racers[i].status == 409);
    }
    assert_int_equal(won[0] + won[1], 1);
}

int
main(void)
{
#define WITNESS(NAME) cmocka_unit_test_setup_teardown(NAME, begin, end)
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(refuses_malformed_requests_with_the_line),
        WITNESS(each_answer_is_that_of_the_specification),
        WITNESS(an_empty_tree_with_a_root_is_refused),
        WITNESS(unknown_logs_and_keys_are_told_apart),
        WITNESS(its_line_verifies_and_is_read_back),
        WITNESS(it_remembers_across_restarts),
        WITNESS(two_processes_on_one_folder_are_refused),
        WITNESS(damage_stops_it),
        WITNESS(a_disk_that_takes_nothing_stops_the_signature),
        WITNESS(a_folder_without_key_or_memory_is_no_witness),
        WITNESS(killed_anywhere_it_never_signs_two_trees),
        WITNESS(of_requests_at_once_one_tree_is_signed),
    };
    return cmocka_run_group_tests(cases, make_trees, NULL);
}
