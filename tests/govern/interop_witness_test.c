/* Our cosignatures, requests and proofs of consistency in the eyes of filippo.io/torchwood and
 * golang.org/x/mod/sumdb: interop-witness/main.go. Skipped where there is no Go that knows them, or
 * where its modules are not here and cannot be fetched. */
#include "cosigner.h"
#include "fixture.h"
#include "go.h"

#include "base/file.h"
#include "govern/cosign.h"
#include "govern/witness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *checker; /* the built Go program; NULL: skipped */

static int
build_checker(void **state)
{
    (void)state;
    checker = go_build("interop-witness");
    fixture_in_memory(); /* the logs only: programs may not run there */
    return 0;
}

static int
remove_checker(void **state)
{
    (void)state;
    go_done();
    return 0;
}

static void
ask_go(const char *mode, const char *a, const char *b, const char *c, int exit_code,
       struct testing_run *ret_run)
{
    char *argv[] = {(char *)(uintptr_t)checker, (char *)(uintptr_t)mode, (char *)(uintptr_t)a,
                    (char *)(uintptr_t)b,       (char *)(uintptr_t)c,    NULL};
    testing_run(argv, ret_run);
    if (ret_run->exit_code != exit_code) {
        print_error("%s\n%s\n", buf_str(&ret_run->out), buf_str(&ret_run->err));
    }
    assert_int_equal(ret_run->exit_code, exit_code);
}

static struct status
keep_request(void *ctx, const struct cosign_witness *w, struct view body, struct diag *diag,
             unsigned *ret_status, struct buf *ret_answer)
{
    (void)w, (void)diag, (void)ret_answer;
    buf_put(ctx, body);
    *ret_status = 500;
    return OK;
}

/* That we would send the same. */
static void
expect_request(const char *log, uint64_t old, struct view theirs)
{
    struct cosign_witness w = {0};
    struct diag diag = {0};
    struct view text;
    uint64_t known = old;
    DEFER(buf_done) struct buf note;
    DEFER(buf_done) struct buf ours;
    DEFER(buf_done) struct buf line;
    buf_init(&note, NOTE_MAX);
    buf_init(&ours, WITNESS_REQUEST_MAX);
    buf_init(&line, COSIGN_LINES_MAX);
    const struct cosign_post way = {keep_request, &ours};
    assert_ok(cosign_checkpoint(log, NULL, &note, &text));
    assert_int_equal(cosign_ask(log, &w, buf_view(&note), &way, &known, &diag, &line),
                     COSIGN_ABSENT);
    assert_true(view_equal(buf_view(&ours), theirs));
}

/* Go's request is ours, byte for byte, from every size; our witness takes it, and Go takes what it
 * answers. */
static void
go_makes_our_requests_and_accepts_our_cosignatures(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {1, 2, 3, 7, 100, 255, 256, 257, 300, 511, 512, 700};
    if (checker == NULL) {
        skip();
    }
    DEFER(testing_dirp) char *log = testing_dir();
    DEFER(testing_dirp) char *copy = testing_dir();
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(file_freep) char *key_file = file_join(dir, "key");
    DEFER(file_freep) char *cosigned = file_join(dir, "cosigned");
    DEFER(witness_freep) struct witness *w = NULL;
    struct note_key key, log_key;
    uint64_t have = 0, copied = 0;
    assert_ok(witness_make(dir, NOTE_COSIGNATURE, "witness.example/go", NULL, &key));
    assert_ok(note_parse_vkey(view_str(cosign_log_vkey()), NULL, &log_key));
    assert_ok(witness_open(dir, &log_key, 1, NULL, &w));
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct testing_run r;
        struct witness_answer a;
        struct view text;
        char old[32];
        DEFER(buf_done) struct buf note;
        buf_init(&note, NOTE_MAX);
        fixture_append(log, have, sizes[i]);
        (void)snprintf(old, sizeof old, "%llu", (unsigned long long)have);
        assert_ok(audit_copy(log, copy, NULL, &copied));
        ask_go("request", old, copy, NULL, 0, &r);
        expect_request(log, have, buf_view(&r.out));
        witness_add(w, buf_view(&r.out), &a);
        assert_int_equal(a.status, 200);
        assert_ok(cosign_checkpoint(log, NULL, &note, &text));
        buf_put(&note, buf_view(&a.body));
        testing_write(cosigned, buf_view(&note));
        testing_run_done(&r);
        ask_go("verify", cosign_log_vkey(), key_file, cosigned, 0, &r);
        assert_text_has(buf_str(&r.out), "accepted: time ");
        testing_run_done(&r);
        buf_done(&a.body);
        have = sizes[i];
    }
}

static void
go_refuses_a_cosignature_that_was_changed(void **state)
{
    (void)state;
    if (checker == NULL) {
        skip();
    }
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(file_freep) char *key_file = file_join(dir, "key");
    DEFER(file_freep) char *path = file_join(dir, "cosigned");
    DEFER(buf_done) struct buf note;
    struct note_key key;
    struct testing_run r;
    assert_ok(witness_make(dir, NOTE_COSIGNATURE, "witness.example/go", NULL, &key));
    cosigned_checkpoint(5, &note);
    testing_write(path, buf_view(&note));
    ask_go("sign", key_file, path, NULL, 0, &r);
    const char *line = strchr(buf_str(&r.out), '\n') + 1;
    buf_put_str(&note, line);
    testing_run_done(&r);
    note.ptr[note.len - 10] = note.ptr[note.len - 10] == 'A' ? 'B' : 'A';
    testing_write(path, buf_view(&note));
    ask_go("verify", cosign_log_vkey(), key_file, path, 1, &r);
    assert_text_has(buf_str(&r.out), "not accepted: ");
    testing_run_done(&r);
}

static void
we_accept_what_go_has_cosigned(void **state)
{
    (void)state;
    if (checker == NULL) {
        skip();
    }
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(file_freep) char *key_file = file_join(dir, "key");
    DEFER(file_freep) char *path = file_join(dir, "note");
    DEFER(buf_done) struct buf note;
    DEFER(buf_done) struct buf vkey;
    struct note_key key;
    struct note_signed found;
    struct view text;
    struct testing_run r;
    buf_init(&vkey, 1024);
    assert_ok(witness_make(dir, NOTE_COSIGNATURE, "witness.example/go", NULL, &key));
    cosigned_checkpoint(5, &note);
    testing_write(path, buf_view(&note));
    ask_go("sign", key_file, path, NULL, 0, &r);
    note_put_vkey(&key, &vkey);
    assert_memory_equal(r.out.ptr, vkey.ptr, vkey.len); /* the same verifier key */
    buf_put_str(&note, strchr(buf_str(&r.out), '\n') + 1);
    testing_run_done(&r);
    assert_ok(note_open_any(buf_view(&note), &key, 1, NULL, &found, &text));
    assert_true(found.found && found.time > 1600000000);
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(go_refuses_a_cosignature_that_was_changed),
        cmocka_unit_test(we_accept_what_go_has_cosigned),
        cmocka_unit_test(go_makes_our_requests_and_accepts_our_cosignatures),
    };
    return cmocka_run_group_tests(cases, build_checker, remove_checker);
}
