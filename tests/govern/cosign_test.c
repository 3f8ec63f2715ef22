/* A log's side of its witnesses: asked over a way of the test's own, which leads to a real witness,
 * or to one that lies. */
#include "cosigner.h"
#include "fixture.h"

#include "base/clock.h"
#include "base/file.h"
#include "govern/cosign.h"
#include "govern/witness.h"
#include "govern/witnessed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct stand {
    char *dir, *log; /* a witness's folder, a log's */
    struct witness *witness;
    struct cosign_witness asked;
    unsigned questions;
    uint64_t known;
    struct diag diag;
    struct buf line;
};

static int
begin(void **state)
{
    struct stand *s = calloc(1, sizeof *s);
    struct note_key log;
    s->dir = testing_dir();
    s->log = testing_dir();
    assert_ok(witness_make(s->dir, NOTE_COSIGNATURE, "witness.example/a", NULL, &s->asked.key));
    assert_ok(note_parse_vkey(view_str(cosign_log_vkey()), NULL, &log));
    assert_ok(witness_open(s->dir, &log, 1, NULL, &s->witness));
    buf_init(&s->line, COSIGN_LINES_MAX);
    *state = s;
    return 0;
}

static int
end(void **state)
{
    struct stand *s = *state;
    witness_free(s->witness);
    buf_done(&s->line);
    testing_dirp(&s->dir);
    testing_dirp(&s->log);
    free(s);
    return 0;
}

static struct status
to_witness(void *ctx, const struct cosign_witness *w, struct view body, struct diag *diag,
           unsigned *ret_status, struct buf *ret_answer)
{
    struct stand *s = ctx;
    struct witness_answer a;
    (void)w, (void)diag;
    s->questions++;
    witness_add(s->witness, body, &a);
    *ret_status = a.status;
    buf_put(ret_answer, buf_view(&a.body));
    buf_done(&a.body);
    return OK;
}

static enum cosign_outcome
ask_by(struct stand *s, const char *log,
       struct status (*post)(void *, const struct cosign_witness *, struct view, struct diag *,
                             unsigned *, struct buf *))
{
    const struct cosign_post way = {post, s};
    struct view text;
    DEFER(buf_done) struct buf note;
    buf_init(&note, NOTE_MAX);
    buf_reset(&s->line);
    s->diag = (struct diag){0};
    s->questions = 0;
    assert_ok(cosign_checkpoint(log, NULL, &note, &text));
    return cosign_ask(log, &s->asked, buf_view(&note), &way, &s->known, &s->diag, &s->line);
}

static enum cosign_outcome
ask(struct stand *s)
{
    return ask_by(s, s->log, to_witness);
}

/* ---- a real witness ---- */

static void
a_growing_log_is_cosigned_at_every_size(void **state)
{
    struct stand *s = *state;
    static const uint64_t sizes[] = {1, 2, 3, 100, 255, 256, 257, 300, 511, 513, 600};
    uint64_t have = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        fixture_append(s->log, have, sizes[i]);
        have = sizes[i];
        assert_int_equal(ask(s), COSIGN_SIGNED);
        assert_int_equal(s->questions, 1); /* from the size that it is known to have */
        assert_int_equal(s->known, have);
        assert_int_equal(ask(s), COSIGN_SIGNED);
    }
    s->known = 0; /* after a restart it tells */
    fixture_append(s->log, have, have + 7);
    assert_int_equal(ask(s), COSIGN_SIGNED);
    assert_int_equal(s->questions, 2);
}

static void
what_it_cosigned_is_kept_beside_the_logs_signature(void **state)
{
    struct stand *s = *state;
    struct view text, again;
    DEFER(buf_done) struct buf note;
    DEFER(buf_done) struct buf later;
    buf_init(&note, NOTE_MAX);
    buf_init(&later, NOTE_MAX);
    fixture_append(s->log, 0, 9);
    assert_int_equal(ask(s), COSIGN_SIGNED);
    assert_ok(cosign_checkpoint(s->log, NULL, &note, &text));
    assert_ok(cosign_add(s->log, text, buf_view(&s->line), NULL));
    assert_ok(cosign_checkpoint(s->log, NULL, &later, &again));
    assert_true(view_equal(text, again));
    assert_int_equal(later.len, note.len + s->line.len);
    assert_ok(cosign_keep(s->log, buf_view(&later), NULL));
    fixture_verify(s->log, 9, 0); /* readers pass it over */
    /* The log has gone on: a late line is not put under another checkpoint. */
    fixture_append(s->log, 9, 12);
    assert_ok(cosign_add(s->log, text, buf_view(&s->line), NULL));
    buf_reset(&later);
    assert_ok(cosign_checkpoint(s->log, NULL, &later, &again));
    assert_null(strstr(buf_str(&later), "witness.example/a"));
    /* What is witnessed never goes back. */
    DEFER(file_freep) char *path = file_join(s->log, WITNESSED_FILE);
    DEFER(buf_done) struct buf before;
    testing_read(path, &before);
    DEFER(testing_dirp) char *shorter = testing_dir();
    fixture_append(shorter, 0, 5);
    buf_reset(&later);
    assert_ok(cosign_checkpoint(shorter, NULL, &later, &again));
    assert_ok(cosign_keep(s->log, buf_view(&later), NULL));
    DEFER(buf_done) struct buf after;
    testing_read(path, &after);
    assert_true(view_equal(buf_view(&before), buf_view(&after)));
}

/* A log whose checkpoint had too many lines could not be read by its own writer. */
static void
lines_are_not_heaped_up(void **state)
{
    struct stand *s = *state;
    struct view text;
    unsigned added = 0;
    struct status done = OK;
    fixture_append(s->log, 0, 9);
    while (status_ok(done) && added < 200) {
        DEFER(buf_done) struct buf note;
        buf_init(&note, NOTE_MAX);
        assert_int_equal(ask(s), COSIGN_SIGNED);
        assert_ok(cosign_checkpoint(s->log, NULL, &note, &text));
        done = cosign_add(s->log, text, buf_view(&s->line), &s->diag);
        added += status_ok(done);
    }
    assert_int_equal(done.code, STATUS_LIMIT);
    assert_says(&s->diag, "more than 64 signatures");
    assert_int_equal(added, 63);
    fixture_append(s->log, 9, 12);
    fixture_verify(s->log, 12, 0);
}

static void
a_shorter_log_and_another_one_are_told_with_both_sizes(void **state)
{
    struct stand *s = *state;
    fixture_append(s->log, 0, 300);
    assert_int_equal(ask(s), COSIGN_SIGNED);
    DEFER(testing_dirp) char *old = testing_dir();
    fixture_append(old, 0, 280);
    assert_int_equal(ask_by(s, old, to_witness), COSIGN_ROLLED);
    assert_says(&s->diag, "it has cosigned 300 entries of this log, which has 280 now");
    fixture_append(old, 500, 600); /* and on, with other entries */
    assert_int_equal(ask_by(s, old, to_witness), COSIGN_FORKED);
    assert_says(&s->diag, "it has cosigned another tree than this log's first 300 entries");
    s->known = 0;
    assert_int_equal(ask(s), COSIGN_SIGNED); /* the honest one goes on */
    assert_true(cosign_is_grave(COSIGN_ROLLED) && cosign_is_grave(COSIGN_FORKED) &&
                cosign_is_grave(COSIGN_LIED) && !cosign_is_grave(COSIGN_ABSENT) &&
                !cosign_is_grave(COSIGN_REFUSED));
}

static void
a_witness_that_does_not_know_the_log_refuses(void **state)
{
    struct stand *s = *state;
    struct note_key other;
    fixture_append(s->log, 0, 3);
    witness_free(s->witness);
    s->witness = NULL;
    assert_ok(note_parse_vkey(view_str("example.com/foo+530d903a+"
                                       "AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"),
                              NULL, &other));
    assert_ok(witness_open(s->dir, &other, 1, NULL, &s->witness));
    assert_int_equal(ask(s), COSIGN_REFUSED);
    assert_says(&s->diag, "it answered 404: this witness does not know that log");
}

/* ---- others ---- */

static struct {
    unsigned status;
    const char *body;
    struct status failure;
} said;

static struct status
to_script(void *ctx, const struct cosign_witness *w, struct view body, struct diag *diag,
          unsigned *ret_status, struct buf *ret_answer)
{
    struct stand *s = ctx;
    (void)w, (void)body, (void)diag;
    s->questions++;
    *ret_status = said.status;
    buf_put_str(ret_answer, said.body);
    return said.failure;
}

static void
what_is_no_answer_is_told_for_what_it_is(void **state)
{
    struct stand *s = *state;
    static const struct {
        unsigned status;
        const char *body;
        enum cosign_outcome outcome;
        const char *says;
    } cases[] = {
        {200, "", COSIGN_LIED, "no cosignature of the checkpoint with 9 entries"},
        {200, "thanks\n", COSIGN_LIED, "no cosignature"},
        {200, "\xe2\x80\x94 other.example AAAAAGFiY2Q=\n", COSIGN_LIED, "no signature by"},
        {409, "", COSIGN_LIED, "409 without the size"},
        {409, "9", COSIGN_LIED, "409 without the size"},
        {409, "nine\n", COSIGN_LIED, "409 without the size"},
        {409, "-9\n", COSIGN_LIED, "409 without the size"},
        {409, "0\n", COSIGN_LIED, "409 with the size that it was asked from"},
        {409, "10\n", COSIGN_ROLLED, "it has cosigned 10 entries"},
        {409, "18446744073709551615\n", COSIGN_ROLLED, "18446744073709551615"},
        {422, "no", COSIGN_FORKED, "another tree"},
        {400, "no", COSIGN_REFUSED, "it answered 400: no"},
        {403, "no", COSIGN_REFUSED, "it answered 403"},
        {404, "", COSIGN_REFUSED, "it answered 404"},
        {429, "later", COSIGN_ABSENT, "it answered 429: later"},
        {500, "", COSIGN_ABSENT, "it answered 500"},
        {301, "", COSIGN_ABSENT, "it answered 301"},
    };
    fixture_append(s->log, 0, 9);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        said.status = cases[i].status;
        said.body = cases[i].body;
        s->known = 0;
        assert_int_equal(ask_by(s, s->log, to_script), cases[i].outcome);
        assert_says(&s->diag, cases[i].says);
        assert_int_equal(s->line.len, 0);
        assert_int_equal(s->known, 0);
    }
    said.failure = FAILURE(IO);
    assert_int_equal(ask_by(s, s->log, to_script), COSIGN_ABSENT);
    assert_true(s->diag.text[0] != '\0');
    said.failure = OK;
}

/* A size that moves for ever is not followed for ever. */
static struct status
to_runner(void *ctx, const struct cosign_witness *w, struct view body, struct diag *diag,
          unsigned *ret_status, struct buf *ret_answer)
{
    struct stand *s = ctx;
    (void)w, (void)body, (void)diag;
    *ret_status = 409;
    buf_printf(ret_answer, "%u\n", ++s->questions);
    return OK;
}

static void
a_witness_that_runs_away_is_left_for_now(void **state)
{
    struct stand *s = *state;
    fixture_append(s->log, 0, 9);
    assert_int_equal(ask_by(s, s->log, to_runner), COSIGN_ABSENT);
    assert_int_equal(s->questions, 3);
}

static void
lies_are_not_taken(void **state)
{
    struct stand *s = *state;
    struct cosigner w;
    struct view text;
    const uint64_t now = (uint64_t)(clock_wall_ns() / NS_PER_S);
    DEFER(buf_done) struct buf note;
    DEFER(buf_done) struct buf other;
    DEFER(buf_done) struct buf line;
    buf_init(&note, NOTE_MAX);
    buf_init(&line, NOTE_MAX);
    cosigner_make(&w, "liar.example", 3);
    s->asked.key = w.key;
    fixture_append(s->log, 0, 9);
    assert_ok(cosign_checkpoint(s->log, NULL, &note, &text));
    said.status = 200;
    /* Another tree; of this tree, with a time that is none: then the right one. */
    cosigned_checkpoint(9, &other);
    cosigner_put_of(&w, buf_view(&other), &line, now);
    said.body = buf_str(&line);
    assert_int_equal(ask_by(s, s->log, to_script), COSIGN_LIED);
    assert_says(&s->diag, "the signature does not verify");
    static const int64_t off[] = {-3600, 3600, -301, 302};
    for (size_t i = 0; i < sizeof off / sizeof *off; i++) {
        buf_reset(&line);
        cosigner_put_of(&w, buf_view(&note), &line, (uint64_t)((int64_t)now + off[i]));
        said.body = buf_str(&line);
        assert_int_equal(ask_by(s, s->log, to_script), COSIGN_LIED);
        assert_says(&s->diag, "one of the two clocks is wrong");
    }
    buf_reset(&line);
    buf_put_str(&line, "\xe2\x80\x94 somebody.else AAAAAGFiY2Q=\n");
    cosigner_put_of(&w, buf_view(&note), &line, now);
    said.body = buf_str(&line);
    assert_int_equal(ask_by(s, s->log, to_script), COSIGN_SIGNED);
    assert_null(strstr(buf_str(&s->line), "somebody.else")); /* its own line, and no other */
    assert_non_null(strstr(buf_str(&s->line), "liar.example"));
    /* A right line does not make up for a wrong one of the same key. */
    buf_reset(&line);
    cosigner_put_of(&w, buf_view(&note), &line, now);
    cosigner_put_of(&w, buf_view(&other), &line, now);
    said.body = buf_str(&line);
    assert_int_equal(ask_by(s, s->log, to_script), COSIGN_LIED);
}

static void
lines_of_the_configuration_are_read_or_refused(void **state)
{
    (void)state;
    struct cosigner w;
    struct cosign_witness got;
    struct diag diag = {0};
    char line[4096];
    cosigner_make(&w, "w.example", 3);
    (void)snprintf(line, sizeof line, "https://w.example/a/ %s 250ms ca-file=/x/y.pem", w.vkey);
    assert_ok(cosign_parse(view_str(line), &diag, &got));
    assert_string_equal(got.url, "https://w.example/a/add-checkpoint");
    assert_string_equal(got.ca_file, "/x/y.pem");
    assert_true(got.timeout_ns == NS_PER_S / 4 && got.key.id == w.key.id);
    (void)snprintf(line, sizeof line, "https://w.example %s", w.vkey);
    assert_ok(cosign_parse(view_str(line), &diag, &got));
    assert_true(got.timeout_ns == 5 * NS_PER_S && got.ca_file[0] == '\0');
    static const char *const bad[] = {"", "https://w.example", "https://w.example key"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_status(cosign_parse(view_str(bad[i]), &diag, &got), INPUT);
        assert_says(&diag, "a witness is written: URL VKEY");
    }
    (void)snprintf(line, sizeof line, "https://w.example %s 2h", w.vkey);
    assert_status(cosign_parse(view_str(line), &diag, &got), INPUT);
    assert_says(&diag, "from 100ms to 60s");
    (void)snprintf(line, sizeof line, "https://l.example %s", cosign_log_vkey());
    assert_status(cosign_parse(view_str(line), &diag, &got), INPUT);
    assert_says(&diag, "this is a log's key");
}

int
main(void)
{
#define STAND(NAME) cmocka_unit_test_setup_teardown(NAME, begin, end)
    const struct CMUnitTest cases[] = {
        STAND(what_is_no_answer_is_told_for_what_it_is),
        STAND(a_witness_that_runs_away_is_left_for_now),
        STAND(lies_are_not_taken),
        STAND(a_shorter_log_and_another_one_are_told_with_both_sizes),
        STAND(a_witness_that_does_not_know_the_log_refuses),
        STAND(lines_are_not_heaped_up),
        STAND(a_growing_log_is_cosigned_at_every_size),
        STAND(what_it_cosigned_is_kept_beside_the_logs_signature),
        cmocka_unit_test(lines_of_the_configuration_are_read_or_refused),
    };
    fixture_in_memory();
    return cmocka_run_group_tests(cases, NULL, NULL);
}
