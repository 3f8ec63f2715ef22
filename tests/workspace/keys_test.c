#include "testing/cut.h"
#include "testing/testing.h"
#include "workspace/log_says.h"

#include "base/file.h"
#include "base/secret.h"
#include "vault/provider.h"
#include "vault/rotation.h"
#include "vault/seal.h"
#include "workspace/keys.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PASSPHRASE "a passphrase"
#define OBJECTS 3u
#define OBJECT_BYTES 70000u

/* ---- a workspace with something in it ---- */

static char *dir, *model; /* model: what each test gets a copy of */
static char *home;

static struct workspace *
open_as(const char *at, const char *text, bool even_revoked)
{
    struct secret passphrase = {0};
    struct workspace *w = NULL;
    struct diag diag = {0};
    assert_ok(secret_from(view_str(text), &passphrase));
    const struct workspace_open_options o = {.passphrase = &passphrase,
                                             .even_revoked = even_revoked};
    const struct status s = workspace_open(at, &o, &diag, &w);
    if (!status_ok(s)) {
        print_error("%s\n", diag.text);
    }
    assert_ok(s);
    secret_done(&passphrase);
    return w;
}

static struct status
try_open(const char *at, const char *text, struct diag *diag)
{
    DEFER(secret_done) struct secret passphrase = {0};
    struct workspace *w = NULL;
    assert_ok(secret_from(view_str(text), &passphrase));
    const struct workspace_open_options o = {.passphrase = &passphrase};
    const struct status s = workspace_open(at, &o, diag, &w);
    workspace_close(w);
    return s;
}

static void
put_text(struct buf *b, unsigned which)
{
    buf_init(b, OBJECT_BYTES);
    while (b->len + 4 <= OBJECT_BYTES) {
        buf_put_u32be(b, which * 7919u + (uint32_t)b->len);
    }
}

static void
fill(struct workspace *w, unsigned records)
{
    for (unsigned i = 1; i <= OBJECTS; i++) {
        DEFER(buf_done) struct buf text;
        put_text(&text, i);
        assert_ok(
            workspace_seal(w, i == 1 ? "dataset" : "model", "lending", i, buf_view(&text), NULL));
    }
    for (unsigned i = 0; i < records; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "%u", i);
        assert_ok(store_put(w->store, i % 2 == 0 ? "even" : "odd", id, view_str(id), 0, NULL));
    }
}

/* Everything that fill wrote is there; nothing else was lost for it. */
static void
assert_whole(struct workspace *w, unsigned records)
{
    DEFER(buf_done) struct buf cert;
    struct tls_signer signer;
    buf_init(&cert, 1u << 16);
    assert_ok(workspace_tls(w, NULL, &cert, &signer));
    for (unsigned i = 1; i <= OBJECTS; i++) {
        DEFER(buf_done) struct buf right;
        DEFER(buf_done) struct buf text;
        const char *kind = i == 1 ? "dataset" : "model";
        DEFER(file_freep) char *path = workspace_object_path(w, kind, "lending", i);
        put_text(&right, i);
        buf_init(&text, OBJECT_BYTES);
        assert_ok(seal_open_file(w->vault, path, (struct seal_id){kind, "lending", i}, OBJECT_BYTES,
                                 NULL, &text));
        assert_true(view_equal(buf_view(&text), buf_view(&right)));
    }
    for (unsigned i = 0; i < records; i++) {
        char id[16];
        DEFER(buf_done) struct buf value;
        uint64_t revision = 0;
        buf_init(&value, 16);
        (void)snprintf(id, sizeof id, "%u", i);
        assert_ok(store_get(w->store, i % 2 == 0 ? "even" : "odd", id, NULL, &value, &revision));
        assert_string_equal(buf_str(&value), id);
        assert_int_equal(revision, 1);
    }
}

#define FEW 5u

static int
set_up_all(void **state)
{
    (void)state;
    DEFER(secret_done) struct secret passphrase = {0};
    if (access("/dev/shm", W_OK) == 0) {
        (void)setenv("TMPDIR", "/dev/shm", 1); /* hundreds of syncs, and nobody pulls the plug */
    }
    dir = testing_dir();
    model = file_join(dir, "model");
    home = file_join(dir, "home");
    assert_ok(secret_from(view_str(PASSPHRASE), &passphrase));
    const struct workspace_init_options init = {.passphrase = &passphrase};
    assert_ok(workspace_init(model, &init, NULL));
    struct workspace *w = open_as(model, PASSPHRASE, false);
    fill(w, FEW);
    workspace_close(w);
    return 0;
}

static int
tear_down_all(void **state)
{
    (void)state;
    free(model);
    free(home);
    testing_dirp(&dir);
    return 0;
}

static int
set_up(void **state)
{
    (void)state;
    testing_copy_dir(model, home);
    return 0;
}

static size_t
generations(const struct workspace *w, uint32_t *ret_newest)
{
    struct vault_generation all[VAULT_GENERATIONS];
    const size_t n = vault_generations(w->vault, all);
    *ret_newest = all[0].number;
    return n;
}

static void
read_file(const char *relative, struct buf *ret_bytes)
{
    DEFER(file_freep) char *path = file_join(home, relative);
    testing_read(path, ret_bytes);
}

/* ---- misuse ---- */

static void
refuses_a_reason_that_is_none(void **state)
{
    (void)state;
    static char much[202];
    struct workspace *w = open_as(home, PASSPHRASE, false);
    memset(much, 'a', 201);
    const char *const reasons[] = {"", "a\nb", "\x1b[2J", "\xff", much};
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        struct diag diag = {0};
        assert_status(keys_revoke(w, reasons[i], &diag), INPUT);
        assert_says(&diag, "a reason is 1 to 200 bytes of text");
    }
    struct diag diag = {0};
    assert_status(keys_restore(w, &diag), INPUT);
    assert_says(&diag, "the key is not revoked");
    workspace_close(w);
}

static struct status
lose(const void *ctx, const struct secret *key, struct buf *ret_state, struct diag *diag)
{
    (void)ctx, (void)key, (void)diag;
    buf_put_str(ret_state, "{}");
    return OK;
}

static struct status
give_another(const void *ctx, struct view state, struct secret *ret_key, struct diag *diag)
{
    (void)ctx, (void)state, (void)diag;
    return secret_new(VAULT_KEY_BYTES, ret_key);
}

/* A holder that would lose the key is found out while the old copy is still there. */
static void
keeps_the_holder_when_the_new_one_loses_the_key(void **state)
{
    (void)state;
    struct workspace *w = open_as(home, PASSPHRASE, false);
    const struct vault_provider liar = {.name = "liar", .wrap = lose, .unwrap = give_another};
    struct diag diag = {0};
    assert_status(vault_set_provider(w->vault, &liar, &diag), INTEGRITY);
    assert_says(&diag, "gave back another key than it was given; nothing was changed");
    workspace_close(w);
    w = open_as(home, PASSPHRASE, false);
    assert_whole(w, FEW);
    workspace_close(w);
}

static void
refuses_to_rotate_over_a_changed_record(void **state)
{
    (void)state;
    struct workspace *w = open_as(home, PASSPHRASE, false);
    DEFER(file_freep) char *path = workspace_object_path(w, "model", "lending", 2);
    DEFER(buf_done) struct buf bytes;
    struct keys_result r;
    struct diag diag = {0};
    uint32_t newest = 0;
    testing_read(path, &bytes);
    bytes.ptr[30] ^= 1; /* in its wrapped key */
    testing_write(path, buf_view(&bytes));
    assert_status(keys_rotate(w, NULL, &diag, &r), INTEGRITY);
    assert_says(&diag, "2.sealed: not sealed by this workspace as model/lending/2");
    assert_int_equal(generations(w, &newest), 2); /* the older one is not destroyed */
    bytes.ptr[30] ^= 1;
    testing_write(path, buf_view(&bytes));
    assert_ok(keys_rotate(w, NULL, &diag, &r));
    assert_true(r.resumed);
    assert_whole(w, FEW);
    workspace_close(w);
}

/* ---- rotation ---- */

static void
rotates_without_touching_data(void **state)
{
    (void)state;
    struct workspace *w = open_as(home, PASSPHRASE, false);
    DEFER(buf_done) struct buf before;
    DEFER(buf_done) struct buf after;
    struct keys_result r;
    uint32_t newest = 0;
    read_file("objects/model/lending/2.sealed", &before);
    assert_ok(keys_rotate(w, NULL, NULL, &r));
    assert_false(r.resumed);
    assert_int_equal(r.generation, 2);
    assert_int_equal(r.objects, OBJECTS);
    assert_int_equal(r.records, FEW);
    assert_int_equal(generations(w, &newest), 1);
    assert_int_equal(newest, 2);
    read_file("objects/model/lending/2.sealed", &after);
    assert_int_equal(before.len, after.len);
    assert_memory_equal(before.ptr, after.ptr, 76); /* the first place stands */
    assert_memory_equal(after.ptr + 76, "\2\0\0\0", 4);
    assert_memory_equal(before.ptr + 140, after.ptr + 140, before.len - 140);
    assert_whole(w, FEW);
    workspace_close(w);
    w = open_as(home, PASSPHRASE, false);
    assert_whole(w, FEW);
    assert_ok(keys_rotate(w, NULL, NULL, &r)); /* back into the first place */
    assert_int_equal(r.generation, 3);
    assert_whole(w, FEW);
    workspace_close(w);
}

/* The generation that was destroyed opens nothing, whatever copy of its file somebody kept. */
static void
leaves_nothing_under_the_destroyed_generation(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf old_keys;
    struct keys_result r;
    struct workspace *w = open_as(home, PASSPHRASE, false);
    DEFER(file_freep) char *key_path = file_join(home, "keys/workspace.json");
    read_file("keys/workspace.json", &old_keys);
    assert_ok(keys_rotate(w, NULL, NULL, &r));
    assert_ok(keys_rotate(w, NULL, NULL, &r)); /* both places of each object written anew */
    workspace_close(w);
    testing_write(key_path, buf_view(&old_keys));
    struct diag diag = {0};
    assert_status(try_open(home, PASSPHRASE, &diag), INTEGRITY);
    assert_says(&diag, "mac.sealed: not the key of keyed hashes that this workspace sealed");
}

static void
rotates_more_records_than_it_takes_at_once(void **state)
{
    (void)state;
    struct workspace *w = open_as(home, PASSPHRASE, false);
    struct keys_result r;
    for (unsigned i = FEW; i < 600; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "%u", i);
        assert_ok(store_put(w->store, i % 2 == 0 ? "even" : "odd", id, view_str(id), 0, NULL));
    }
    assert_ok(keys_rotate(w, NULL, NULL, &r));
    assert_int_equal(r.records, 600);
    assert_whole(w, 600);
    workspace_close(w);
}

/* Another process, with the keys of before in its memory, reads and writes on. */
static void
lets_a_running_process_follow(void **state)
{
    (void)state;
    struct workspace *running = open_as(home, PASSPHRASE, false);
    struct workspace *w = open_as(home, PASSPHRASE, false);
    struct keys_result r;
    uint32_t newest = 0;
    DEFER(buf_done) struct buf text;
    put_text(&text, 9);
    assert_ok(keys_rotate(w, NULL, NULL, &r));
    assert_whole(running, FEW); /* reads: what it does not know yet, it looks up */
    assert_int_equal(generations(running, &newest), 1);
    assert_int_equal(newest, 2);
    assert_ok(keys_rotate(w, NULL, NULL, &r));
    /* Writes before it has read anything of the new one. */
    assert_ok(workspace_seal(running, "model", "other", 1, buf_view(&text), NULL));
    assert_ok(store_put(running->store, "even", "new", view_str("v"), 0, NULL));
    workspace_close(running);
    workspace_close(w);
    w = open_as(home, PASSPHRASE, false);
    DEFER(buf_done) struct buf found;
    DEFER(file_freep) char *path = workspace_object_path(w, "model", "other", 1);
    buf_init(&found, OBJECT_BYTES);
    assert_ok(seal_open_file(w->vault, path, (struct seal_id){"model", "other", 1}, OBJECT_BYTES,
                             NULL, &found));
    buf_reset(&found);
    assert_ok(store_get(w->store, "even", "new", NULL, &found, NULL));
    assert_whole(w, FEW);
    workspace_close(w);
}

/* ---- passphrase ---- */

static struct provider *
passphrase_provider(const char *text)
{
    DEFER(secret_done) struct secret passphrase = {0};
    struct provider *p = NULL;
    assert_ok(secret_from(view_str(text), &passphrase));
    const struct provider_means means = {.credential = &passphrase};
    assert_ok(provider_new("passphrase", &means, NULL, &p));
    return p;
}

static void
changes_the_passphrase(void **state)
{
    (void)state;
    struct workspace *w = open_as(home, PASSPHRASE, false);
    struct provider *to = passphrase_provider("another passphrase");
    struct keys_result r;
    struct diag diag = {0};
    assert_ok(keys_rewrap(w, &to, NULL, NULL, &r));
    assert_null(to);
    assert_int_equal(r.objects, 0);
    assert_ok(keys_rotate(w, NULL, NULL, &r)); /* with the new one */
    workspace_close(w);
    assert_status(try_open(home, PASSPHRASE, &diag), AUTH);
    w = open_as(home, "another passphrase", false);
    assert_whole(w, FEW);
    workspace_close(w);
}

static void
leaves_the_passphrase_when_the_new_one_is_too_short(void **state)
{
    (void)state;
    struct workspace *w = open_as(home, PASSPHRASE, false);
    DEFER(provider_freep) struct provider *to = passphrase_provider("short");
    struct keys_result r;
    struct diag diag = {0};
    assert_status(keys_rewrap(w, &to, NULL, &diag, &r), INPUT);
    assert_says(&diag, "take at least 8");
    assert_non_null(to);
    workspace_close(w);
    w = open_as(home, PASSPHRASE, false);
    assert_whole(w, FEW);
    workspace_close(w);
}

/* ---- revocation ---- */

static void
opens_nothing_while_revoked_and_all_of_it_after(void **state)
{
    (void)state;
    struct workspace *running = open_as(home, PASSPHRASE, false);
    struct workspace *w = open_as(home, PASSPHRASE, false);
    struct diag diag = {0};
    DEFER(buf_done) struct buf value;
    uint8_t mac[32], signature[VAULT_SIGNATURE_BYTES];
    buf_init(&value, 100);
    assert_ok(vault_check(running->vault, &diag));
    assert_ok(keys_revoke(w, "the laptop was stolen", &diag));
    workspace_close(w);
    assert_status(try_open(home, PASSPHRASE, &diag), DENIED);
    assert_says(&diag, "the key was revoked: the laptop was stolen");
    /* The one that runs learns of it when it looks, and opens nothing from then on. */
    assert_ok(vault_usable(running->vault, &diag));
    assert_status(vault_check(running->vault, &diag), DENIED);
    assert_status(vault_usable(running->vault, &diag), DENIED);
    assert_says(&diag, "the key was revoked: the laptop was stolen");
    assert_status(store_get(running->store, "even", "0", &diag, &value, NULL), DENIED);
    assert_status(store_put(running->store, "even", "x", view_str("x"), 0, &diag), DENIED);
    /* The audit log goes on. */
    assert_ok(vault_mac(running->vault, "p", view_str("m"), mac));
    assert_ok(vault_sign(running->vault, VAULT_SIGN_CHECKPOINT, view_str("m"), signature));
    w = open_as(home, PASSPHRASE, true);
    assert_ok(keys_restore(w, &diag));
    workspace_close(w);
    assert_ok(vault_check(running->vault, &diag));
    assert_whole(running, FEW);
    workspace_close(running);
    w = open_as(home, PASSPHRASE, false);
    assert_whole(w, FEW);
    workspace_close(w);
}

static void
takes_a_changed_passphrase_for_withdrawal(void **state)
{
    (void)state;
    struct workspace *running = open_as(home, PASSPHRASE, false);
    struct workspace *w = open_as(home, PASSPHRASE, false);
    DEFER(provider_freep) struct provider *to = passphrase_provider("another passphrase");
    struct keys_result r;
    struct diag diag = {0};
    assert_ok(keys_rewrap(w, &to, NULL, NULL, &r));
    assert_status(vault_check(running->vault, &diag), AUTH);
    assert_says(&diag, "wrong passphrase");
    assert_status(vault_usable(running->vault, &diag), DENIED);
    workspace_close(running);
    workspace_close(w);
}

/* ---- cut off ---- */

static void
rotate_here(void *at)
{
    struct workspace *w = NULL;
    struct keys_result r;
    DEFER(secret_done) struct secret passphrase = {0};
    const struct workspace_open_options o = {.passphrase = &passphrase};
    if (!status_ok(secret_from(view_str(PASSPHRASE), &passphrase)) ||
        !status_ok(workspace_open(at, &o, NULL, &w)) || raise(SIGUSR1) != 0 ||
        !status_ok(keys_rotate(w, NULL, NULL, &r))) {
        _exit(1);
    }
    _exit(0);
}

/* What is left of it opens, whole, and the same command finishes it. */
static bool
verified_log_says(const char *at, const char *part)
{
    struct audit_fault fault;
    struct audit_report report;
    DEFER(file_freep) char *log = file_join(at, "audit");
    assert_ok(audit_verify(log, NULL, &fault, &report));
    return log_says(log, part);
}

static void
assert_goes_on(unsigned n)
{
    struct keys_result r;
    struct diag diag = {0};
    uint32_t newest = 0;
    struct workspace *w = open_as(home, PASSPHRASE, false);
    assert_whole(w, FEW);
    const struct status s = keys_rotate(w, NULL, &diag, &r);
    if (!status_ok(s)) {
        print_error("cut before call %u: %s\n", n, diag.text);
    }
    assert_ok(s);
    assert_int_equal(generations(w, &newest), 1);
    assert_true(newest == 2 || newest == 3);
    workspace_close(w);
    w = open_as(home, PASSPHRASE, false);
    assert_whole(w, FEW);
    workspace_close(w);
    assert_true(verified_log_says(home, r.resumed ? "rotation goes on" : "rotation begins"));
    assert_true(verified_log_says(home, "the generation before is destroyed"));
}

static void
goes_on_wherever_it_was_cut_off(void **state)
{
    (void)state;
    unsigned n = 1;
    for (bool cut = true, traced = true; cut; n++) {
        testing_copy_dir(model, home);
        cut = testing_cut_before(n, rotate_here, home, &traced);
        if (!traced) {
            print_message("# SKIP: no process can be traced here\n");
            skip();
        }
        assert_goes_on(n);
    }
    assert_true(n > 40); /* calls: a dozen files, each written, synced and renamed */
}

/* A write of a place that was cut off at any byte, or went wrong: the other place holds. */
static void
lives_with_a_place_that_was_half_written(void **state)
{
    (void)state;
    struct workspace *w = open_as(home, PASSPHRASE, false);
    DEFER(file_freep) char *path = workspace_object_path(w, "model", "lending", 2);
    DEFER(buf_done) struct buf before;
    DEFER(buf_done) struct buf after;
    bool changed = false;
    const struct seal_id id = {"model", "lending", 2};
    testing_read(path, &before);
    assert_ok(vault_advance(w->vault, NULL));
    assert_ok(seal_rewrap(w->vault, path, id, NULL, &changed));
    assert_true(changed);
    testing_read(path, &after);
    for (size_t n = 0; n < VAULT_WRAPPED_BYTES; n++) {
        memcpy(before.ptr + 76, after.ptr + 76, n);
        testing_write(path, buf_view(&before));
        assert_whole(w, FEW);
    }
    assert_ok(seal_rewrap(w->vault, path, id, NULL, &changed));
    assert_true(changed);
    assert_ok(seal_rewrap(w->vault, path, id, NULL, &changed)); /* now it has both */
    assert_whole(w, FEW);
    workspace_close(w);
}

/* ---- full disk ---- */

#define DISK_BYTES ((size_t)3 << 20)

static void
goes_on_after_the_disk_was_full(void **state)
{
    (void)state;
    testing_need_small_disk();
    DEFER(file_freep) char *disk = file_join(dir, "disk");
    DEFER(file_freep) char *at = file_join(disk, "home");
    assert_ok(file_mkdirs(disk, 0700, NULL));
    assert_true(testing_small_disk(disk, DISK_BYTES));
    size_t refused = 0, told = 0;
    for (size_t left = 0; left <= 160 << 10; left += 8 << 10) {
        struct keys_result r;
        struct diag diag = {0};
        DEFER(file_freep) char *filler = file_join(disk, "filler");
        (void)unlink(filler);
        testing_copy_dir(model, at);
        struct workspace *w = open_as(at, PASSPHRASE, false);
        testing_leave_free(disk, left);
        const struct status s = keys_rotate(w, NULL, &diag, &r);
        refused += !status_ok(s);
        if (!status_ok(s)) {
            assert_int_equal(s.code, STATUS_IO);
            assert_says(&diag, "No space left on device");
        }
        (void)unlink(filler);
        workspace_close(w);
        w = open_as(at, PASSPHRASE, false);
        assert_whole(w, FEW);
        assert_ok(keys_rotate(w, NULL, &diag, &r));
        assert_whole(w, FEW);
        workspace_close(w);
        /* Where the log had no room either, what begins afterwards is what it has. */
        told += verified_log_says(at, "No space left on device");
        assert_true(verified_log_says(at, "the generation before is destroyed"));
    }
    testing_small_disk_done(disk);
    assert_true(refused > 0);
    assert_true(told > 0);
}

int
main(void)
{
#define CASE(NAME) cmocka_unit_test_setup(NAME, set_up)
    const struct CMUnitTest cases[] = {
        CASE(refuses_a_reason_that_is_none),
        CASE(keeps_the_holder_when_the_new_one_loses_the_key),
        CASE(refuses_to_rotate_over_a_changed_record),
        CASE(leaves_the_passphrase_when_the_new_one_is_too_short),
        CASE(rotates_without_touching_data),
        CASE(leaves_nothing_under_the_destroyed_generation),
        CASE(rotates_more_records_than_it_takes_at_once),
        CASE(lets_a_running_process_follow),
        CASE(changes_the_passphrase),
        CASE(opens_nothing_while_revoked_and_all_of_it_after),
        CASE(takes_a_changed_passphrase_for_withdrawal),
        CASE(goes_on_wherever_it_was_cut_off),
        CASE(lives_with_a_place_that_was_half_written),
        CASE(goes_on_after_the_disk_was_full),
    };
    return cmocka_run_group_tests(cases, set_up_all, tear_down_all);
}
