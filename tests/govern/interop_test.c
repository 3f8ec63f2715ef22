/* Our logs and proofs in the eyes of golang.org/x/mod/sumdb/note and tlog: interop/main.go. Skipped
 * where there is no Go, or where its module is not here and cannot be fetched. */
#include "fixture.h"
#include "go.h"

#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>

static const char *checker; /* the built Go program; NULL: skipped */

static int
build_checker(void **state)
{
    (void)state;
    checker = go_build("interop");
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
write_proofs(const char *dir, const char *to, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        char name[64];
        DEFER(buf_done) struct buf proof;
        buf_init(&proof, 1 << 16);
        assert_ok(audit_prove(dir, i, NULL, &proof, NULL));
        (void)snprintf(name, sizeof name, "%llu.tlog-proof", (unsigned long long)i);
        fixture_overwrite(to, name, buf_view(&proof));
    }
}

static void
check_with_go(const char *dir, const char *proofs, int exit_code, const char *says)
{
    DEFER(buf_done) struct buf vkey;
    DEFER(file_freep) char *path = file_join(dir, "vkey");
    testing_read(path, &vkey);
    vkey.ptr[vkey.len - 1] = '\0'; /* its newline */
    char *argv[] = {(char *)(uintptr_t)checker, (char *)vkey.ptr, (char *)(uintptr_t)dir,
                    (char *)(uintptr_t)proofs, NULL};
    struct testing_run r;
    testing_run(argv, &r);
    assert_text_has(buf_str(&r.out), says);
    assert_int_equal(r.exit_code, exit_code);
    testing_run_done(&r);
}

static void
go_accepts_checkpoints_tiles_and_proofs_of_every_size(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {1, 2, 3, 100, 255, 256, 257, 511, 512, 600};
    if (checker == NULL) {
        skip();
    }
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(testing_dirp) char *proofs = testing_dir();
    DEFER(testing_dirp) char *copy = testing_dir();
    uint64_t have = 0, copied = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char says[64];
        fixture_append(dir, have, sizes[i]);
        have = sizes[i];
        write_proofs(dir, proofs, have);
        assert_ok(audit_copy(dir, copy, NULL, &copied));
        assert_int_equal(copied, have);
        (void)snprintf(says, sizeof says, "accepted: %llu entries\n", (unsigned long long)have);
        check_with_go(copy, proofs, 0, says);
    }
}

static void
go_refuses_what_was_changed(void **state)
{
    (void)state;
    if (checker == NULL) {
        skip();
    }
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(testing_dirp) char *proofs = testing_dir();
    DEFER(testing_dirp) char *copy = testing_dir();
    DEFER(buf_done) struct buf bytes;
    DEFER(file_freep) char *path = file_join(copy, "tile/entries/000.p/5");
    uint64_t copied = 0;
    fixture_append(dir, 0, 5);
    write_proofs(dir, proofs, 5);
    assert_ok(audit_copy(dir, copy, NULL, &copied));
    testing_read(path, &bytes);
    bytes.ptr[40] ^= 1;
    fixture_overwrite(copy, "tile/entries/000.p/5", buf_view(&bytes));
    check_with_go(copy, proofs, 1, "not accepted: ");
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(go_refuses_what_was_changed),
        cmocka_unit_test(go_accepts_checkpoints_tiles_and_proofs_of_every_size),
    };
    return cmocka_run_group_tests(cases, build_checker, remove_checker);
}
