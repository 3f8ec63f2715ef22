#include "testing/cut.h"
#include "testing/testing.h"

#include "base/file.h"
#include "base/random.h"
#include "base/secret.h"
#include "govern/note.h"
#include "govern/tree.h"
#include "vault/seal.h"
#include "workspace/backup.h"
#include "workspace/backup_parts.h"
#include "workspace/datasets.h"
#include "workspace/keys.h"
#include "workspace/registry.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PASSPHRASE "a passphrase"
#define MODELS 11u /* 10 is before 2 among paths */
#define BYTES 70000u

static struct backup_erasures nobody;           /* no dataset has persons */
static char *dir, *model, *home, *file, *place; /* model: what each test gets a copy of */
static struct secret passphrase;

/* ---- a workspace with something in it ---- */

static struct workspace *
open_at(const char *at)
{
    struct workspace *w = NULL;
    struct diag diag = {0};
    const struct workspace_open_options o = {.passphrase = &passphrase};
    const struct status s = workspace_open(at, &o, &diag, &w);
    if (!status_ok(s)) {
        print_error("%s\n", diag.text);
    }
    assert_ok(s);
    return w;
}

static void
put_text(struct buf *b, unsigned which)
{
    buf_init(b, BYTES);
    while (b->len + 4 <= BYTES / (which % 3 + 1)) {
        buf_put_u32be(b, which * 7919u + (uint32_t)b->len);
    }
}

static void
add_model(struct workspace *w, unsigned version)
{
    struct digest d;
    DEFER(buf_done) struct buf text;
    DEFER(js_freep) json_t *record = NULL;
    const struct workspace_act act = {.action = "model.write", .resource = "models/m"};
    put_text(&text, version);
    digest_of(buf_view(&text), &d);
    assert_ok(workspace_seal(w, "model", "m", version, buf_view(&text), NULL));
    assert_ok(registry_record_new("m", version, &d, &record));
    assert_ok(registry_put(w, "model", "m", version, record, &act, NULL));
}

static void
fill(struct workspace *w)
{
    DEFER(file_freep) char *csv = file_join(dir, "data.csv");
    const struct import_options o = {0};
    struct dataset_info info;
    testing_write(csv, view_str("a,b\n1,x\n2,y\n3,x\n"));
    assert_ok(dataset_add(w, "d", csv, &o, NULL, &info));
    for (unsigned i = 1; i <= MODELS; i++) {
        add_model(w, i);
    }
    assert_ok(store_put(w->store, "principal", "anneliese", view_str("{}"), 0, NULL));
}

static void
assert_whole(struct workspace *w)
{
    struct dataset_info info;
    DEFER(table_freep) struct table *t = NULL;
    DEFER(buf_done) struct buf cert;
    DEFER(buf_done) struct buf ann;
    struct tls_signer signer;
    buf_init(&cert, 1u << 16);
    buf_init(&ann, 100);
    assert_ok(dataset_load(w, "d", 0, NULL, &t, &info));
    assert_int_equal(t->rows, 3);
    for (unsigned i = 1; i <= MODELS; i++) {
        DEFER(buf_done) struct buf right;
        DEFER(buf_done) struct buf text;
        DEFER(file_freep) char *path = workspace_object_path(w, "model", "m", i);
        put_text(&right, i);
        buf_init(&text, BYTES);
        assert_ok(
            seal_open_file(w->vault, path, (struct seal_id){"model", "m", i}, BYTES, NULL, &text));
        assert_true(view_equal(buf_view(&text), buf_view(&right)));
    }
    assert_ok(store_get(w->store, "principal", "anneliese", NULL, &ann, NULL));
    assert_ok(workspace_tls(w, NULL, &cert, &signer));
}

static void
assert_log(const char *at, uint64_t least)
{
    struct audit_fault fault = {0};
    struct audit_report report = {0};
    DEFER(file_freep) char *log = file_join(at, "audit");
    const struct status s = audit_verify(log, NULL, &fault, &report);
    if (!status_ok(s)) {
        print_error("%s\n", fault.text);
    }
    assert_ok(s);
    assert_true(report.entries + report.pending >= least);
}

static void
assert_workspace(const char *at)
{
    struct workspace *w = open_at(at);
    assert_whole(w);
    workspace_close(w);
    assert_log(at, MODELS + 2);
}

static int
set_up_all(void **state)
{
    (void)state;
    if (access("/dev/shm", W_OK) == 0) {
        (void)setenv("TMPDIR", "/dev/shm", 1); /* hundreds of syncs, and nobody pulls the plug */
    }
    dir = testing_dir();
    model = file_join(dir, "model");
    home = file_join(dir, "home");
    file = file_join(dir, "backup");
    place = file_join(dir, "place");
    assert_ok(secret_from(view_str(PASSPHRASE), &passphrase));
    const struct workspace_init_options init = {.passphrase = &passphrase,
                                                .config = view_str("# none\n")};
    assert_ok(workspace_init(model, &init, NULL));
    struct workspace *w = open_at(model);
    fill(w);
    workspace_close(w);
    return 0;
}

static int
tear_down_all(void **state)
{
    (void)state;
    secret_done(&passphrase);
    free(model);
    free(home);
    free(file);
    free(place);
    testing_dirp(&dir);
    return 0;
}

static int
set_up(void **state)
{
    (void)state;
    testing_copy_dir(model, home);
    (void)unlink(file);
    testing_remove(place);
    return 0;
}

static struct status
create_at(const char *at, const char *to, struct diag *diag)
{
    DEFER(js_freep) json_t *manifest = NULL;
    struct workspace *w = open_at(at);
    const struct status s = backup_create(w, to, NULL, diag, &manifest);
    workspace_close(w);
    return s;
}

static struct status
restore_to(const char *from, const char *to, struct diag *diag)
{
    DEFER(js_freep) json_t *manifest = NULL;
    return backup_restore(from, to, &passphrase, &nobody, NULL, diag, &manifest);
}

static struct status
verify(struct diag *diag)
{
    DEFER(js_freep) json_t *manifest = NULL;
    return backup_verify(file, &passphrase, NULL, diag, &manifest);
}

/* Entries of dir that begin so. */
static unsigned
count_entries(const char *start)
{
    unsigned n = 0;
    DIR *d = opendir(dir);
    assert_non_null(d);
    for (const struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        n += strncmp(e->d_name, start, strlen(start)) == 0;
    }
    (void)closedir(d);
    return n;
}

static void
assert_nothing_left(void)
{
    assert_int_equal(count_entries("place"), 0);
}

/* ---- misuse ---- */

static void
refuses_places_that_are_taken(void **state)
{
    (void)state;
    struct diag diag = {0};
    testing_write(file, view_str("mine"));
    assert_status(create_at(home, file, &diag), EXISTS);
    assert_says(&diag, "is there already");
    (void)unlink(file);
    assert_ok(create_at(home, file, &diag));
    assert_status(restore_to(file, home, &diag), EXISTS);
    assert_says(&diag, "not empty");
    assert_status(restore_to(file, file, &diag), EXISTS);
    assert_int_equal(count_entries("home."), 0);
    assert_workspace(home);
}

static void
refuses_what_is_no_backup(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "SWBACK0",
                                        "SWBACK01",
                                        "SWBACK02\0\0\0\0",
                                        "SWBACK01\xff\xff\xff\xff",
                                        "SWSEAL02 and more"};
    struct diag diag = {0};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        testing_write(file, view_of(texts[i], i == 3 ? 12 : strlen(texts[i])));
        assert_status(restore_to(file, place, &diag), INTEGRITY);
        assert_says(&diag, "not a backup of steward");
        assert_status(verify(&diag), INTEGRITY);
    }
    assert_status(restore_to(dir, place, &diag), INTEGRITY);
    (void)unlink(file);
    assert_status(restore_to(file, place, &diag), NOT_FOUND);
    assert_nothing_left();
}

static void
needs_the_passphrase_of_its_time(void **state)
{
    (void)state;
    struct diag diag = {0};
    DEFER(js_freep) json_t *manifest = NULL;
    DEFER(secret_done) struct secret wrong = {0};
    assert_ok(secret_from(view_str("another passphrase"), &wrong));
    assert_ok(create_at(home, file, &diag));
    assert_status(backup_restore(file, place, &wrong, &nobody, NULL, &diag, &manifest), AUTH);
    assert_status(backup_verify(file, &wrong, NULL, &diag, &manifest), AUTH);
    assert_says(&diag, "wrong passphrase");
    assert_nothing_left();
    assert_int_equal(count_entries("steward-verify"), 0);
}

/* ---- there and back ---- */

static void
restores_everything_and_the_log_goes_on(void **state)
{
    (void)state;
    struct diag diag = {0};
    struct stat st;
    DEFER(js_freep) json_t *manifest = NULL;
    DEFER(file_freep) char *config = file_join(place, "steward.yaml");
    DEFER(file_freep) char *key = file_join(place, "tls/key.sealed");
    DEFER(buf_done) struct buf text;
    struct workspace *w = open_at(home);
    assert_ok(backup_create(w, file, NULL, &diag, &manifest));
    assert_ok(verify(&diag));
    workspace_close(w);
    assert_ok(restore_to(file, place, &diag));
    assert_workspace(place);
    testing_read(config, &text);
    assert_string_equal(buf_str(&text), "# none\n");
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(stat(key, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(stat(place, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    const json_int_t entries =
        json_integer_value(json_object_get(json_object_get(manifest, "log"), "entries"));
    assert_log(place, (uint64_t)entries + 1);
    w = open_at(place); /* and takes more */
    add_model(w, MODELS + 1);
    assert_ok(keys_rotate(w, NULL, NULL, &(struct keys_result){0}));
    assert_whole(w);
    workspace_close(w);
    assert_log(place, (uint64_t)entries + 4);
}

static void
is_taken_into_an_empty_folder(void **state)
{
    (void)state;
    struct diag diag = {0};
    assert_ok(create_at(home, file, &diag));
    assert_ok(file_mkdirs(place, 0755, NULL));
    assert_ok(restore_to(file, place, &diag));
    assert_workspace(place);
}

static bool
holds(const struct buf *b, const char *text)
{
    return memmem(b->ptr, b->len, text, strlen(text)) != NULL;
}

/* Only the wrapped keys are open: no name, no configuration, no entry, no value. */
static void
shows_nothing_but_the_wrapped_keys(void **state)
{
    (void)state;
    struct diag diag = {0};
    DEFER(buf_done) struct buf bytes;
    assert_ok(create_at(home, file, &diag));
    testing_read(file, &bytes);
    static const char *const secrets[] = {
        "# none", "model",  "lending",           "anneliese",           "objects",
        "audit",  "SQLite", "BEGIN CERTIFICATE", "\"principal\"", "workspace.init"};
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) {
        assert_false(holds(&bytes, secrets[i]));
    }
    assert_true(holds(&bytes, "scrypt"));
}

static void
opens_after_the_workspace_has_other_keys(void **state)
{
    (void)state;
    struct diag diag = {0};
    struct keys_result r;
    assert_ok(create_at(home, file, &diag));
    struct workspace *w = open_at(home);
    assert_ok(keys_rotate(w, NULL, NULL, &r));
    assert_ok(keys_revoke(w, "stolen", NULL));
    workspace_close(w);
    assert_ok(restore_to(file, place, &diag));
    assert_workspace(place);
}

static void
take_checkpoint(const char *at, struct checkpoint *ret_checkpoint)
{
    struct note_key key;
    DEFER(buf_done) struct buf vkey;
    DEFER(file_freep) char *log = file_join(at, "audit");
    DEFER(file_freep) char *path = file_join(log, "vkey");
    testing_read(path, &vkey);
    assert_ok(note_parse_vkey(view_of(vkey.ptr, vkey.len - 1), NULL, &key));
    assert_ok(tree_read_checkpoint(log, &key, NULL, ret_checkpoint));
}

/* Two copies that both go on sign two trees: who kept a checkpoint of one sees it in the other. */
static void
a_copy_that_went_on_elsewhere_is_told(void **state)
{
    (void)state;
    struct diag diag = {0};
    struct checkpoint before, there, here;
    DEFER(file_freep) char *log = file_join(place, "audit");
    assert_ok(create_at(home, file, &diag));
    assert_ok(restore_to(file, place, &diag));
    struct workspace *w = open_at(place);
    add_model(w, MODELS + 1);
    add_model(w, MODELS + 2);
    workspace_close(w);
    take_checkpoint(model, &before); /* kept from before the backup */
    take_checkpoint(home, &there);
    take_checkpoint(place, &here);
    assert_true(here.size >= there.size);
    assert_ok(tree_check_extends(log, &before, &here, &diag));
    assert_status(tree_check_extends(log, &there, &here, &diag), INTEGRITY);
}

static bool stop_now;

static bool
is_stopped(void)
{
    return stop_now;
}

static void
leaves_nothing_when_it_is_interrupted(void **state)
{
    (void)state;
    struct diag diag = {0};
    DEFER(js_freep) json_t *manifest = NULL;
    const struct backup_progress p = {.interrupted = is_stopped};
    struct workspace *w = open_at(home);
    stop_now = true;
    assert_status(backup_create(w, file, &p, &diag, &manifest), BUSY);
    assert_says(&diag, "interrupted");
    assert_int_equal(count_entries("backup"), 0);
    workspace_close(w);
    assert_ok(create_at(home, file, &diag));
    assert_status(backup_restore(file, place, &passphrase, &nobody, &p, &diag, &manifest), BUSY);
    assert_nothing_left();
    stop_now = false;
}

/* ---- changed ---- */

static void
refuses_every_byte_that_was_changed(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf bytes;
    struct diag diag = {0};
    assert_ok(create_at(home, file, &diag));
    testing_read(file, &bytes);
    for (size_t i = 0; i < bytes.len; i += i < 1200 ? 13 : 4999) {
        bytes.ptr[i] ^= 0x20;
        testing_write(file, buf_view(&bytes));
        const struct status s = verify(&diag);
        /* What is wrong in the wrapped key cannot be told from a wrong passphrase. One of the two
         * places of the wrapped data key is empty. */
        const bool ok = status_ok(s);
        if (ok ||
            (s.code != STATUS_INTEGRITY && s.code != STATUS_AUTH && s.code != STATUS_UNSUPPORTED)) {
            const uint8_t *magic = memmem(bytes.ptr, bytes.len, "SWSEAL02", 8);
            const size_t second = (size_t)(magic - bytes.ptr) + 76;
            assert_non_null(magic);
            if (!ok) {
                print_error("byte %zu: %s: %s\n", i, status_word(s.code), diag.text);
            }
            assert_true(ok && i >= second && i < second + 64);
        }
        bytes.ptr[i] ^= 0x20;
    }
    bytes.ptr[bytes.len - 30000] ^= 1; /* in a chunk that is all of one file */
    testing_write(file, buf_view(&bytes));
    assert_status(restore_to(file, place, &diag), INTEGRITY);
    assert_says(&diag, "objects/model/m/");
    assert_says(&diag, "does not verify");
    assert_nothing_left();
}

static void
refuses_every_cut_and_what_is_behind_the_end(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf bytes;
    struct diag diag = {0};
    assert_ok(create_at(home, file, &diag));
    testing_read(file, &bytes);
    for (size_t n = 0; n < bytes.len; n += n < 1100 ? 97 : 9973) {
        testing_write(file, view_of(bytes.ptr, n));
        assert_status(verify(&diag), INTEGRITY);
    }
    testing_write(file, view_of(bytes.ptr, bytes.len - 1));
    assert_status(restore_to(file, place, &diag), INTEGRITY);
    buf_put_str(&bytes, "x");
    testing_write(file, buf_view(&bytes));
    assert_status(restore_to(file, place, &diag), INTEGRITY);
    assert_nothing_left();
}

/* The head of one backup before the body of another, of the same workspace. */
static void
refuses_the_head_of_another_backup(void **state)
{
    (void)state;
    struct diag diag = {0};
    struct keys_result r;
    DEFER(buf_done) struct buf one;
    DEFER(buf_done) struct buf two;
    struct provider *to = NULL;
    assert_ok(create_at(home, file, &diag));
    testing_read(file, &one);
    (void)unlink(file);
    struct workspace *w = open_at(home);
    assert_ok(keys_rewrap(w, &to, NULL, &diag, &r)); /* another salt, the same keys */
    workspace_close(w);
    assert_ok(create_at(home, file, &diag));
    testing_read(file, &two);
    const size_t a = (size_t)((uint8_t *)memmem(one.ptr, one.len, "SWSEAL02", 8) - one.ptr);
    const size_t b = (size_t)((uint8_t *)memmem(two.ptr, two.len, "SWSEAL02", 8) - two.ptr);
    one.len = a;
    buf_put(&one, view_of(two.ptr + b, two.len - b));
    testing_write(file, buf_view(&one));
    assert_status(restore_to(file, place, &diag), INTEGRITY);
    assert_says(&diag, "its header was changed");
    assert_nothing_left();
}

/* ---- from somebody with the key ---- */

/* A backup of home's key with a stream of one's own: each file is "path=text". */
struct forged {
    struct buf head, stream;
};

static void
forged_file(struct forged *f, const char *path, const char *text, uint64_t size)
{
    struct digest d;
    buf_put_u16be(&f->stream, (uint16_t)strlen(path));
    buf_put_str(&f->stream, path);
    buf_put_u64be(&f->stream, size);
    buf_put_str(&f->stream, text);
    digest_of(view_str(text), &d);
    buf_put(&f->stream, view_of(d.bytes, DIGEST_BYTES));
}

static struct status
restore_forged(struct forged *f, struct diag *diag)
{
    struct backup_id id;
    struct seal_writer *seal = NULL;
    struct workspace *w = open_at(home);
    backup_id_of(buf_view(&f->head), &id);
    (void)unlink(file);
    assert_ok(seal_writer_open_behind(w->vault, file, id.id, buf_view(&f->head), NULL, &seal));
    assert_ok(seal_writer_put(seal, buf_view(&f->stream), NULL));
    assert_ok(seal_writer_finish(seal, NULL));
    workspace_close(w);
    diag->text[0] = '\0';
    const struct status s = restore_to(file, place, diag);
    assert_nothing_left();
    buf_reset(&f->stream);
    return s;
}

static void
read_head_of(struct buf *ret_head)
{
    DEFER(buf_done) struct buf bytes;
    testing_read(file, &bytes);
    buf_init(ret_head, 1u << 20);
    const uint8_t *magic = memmem(bytes.ptr, bytes.len, "SWSEAL02", 8);
    buf_put(ret_head, view_of(bytes.ptr, (size_t)(magic - bytes.ptr)));
}

static void
refuses_every_path_that_is_not_a_workspaces(void **state)
{
    (void)state;
    static const char *const paths[] = {"../x",
                                        "/etc/passwd",
                                        "objects/../x",
                                        "objects/model/../../x/1.sealed",
                                        ".",
                                        "objects/model/m/1.sealed/",
                                        "objects/model/m/01.sealed",
                                        "objects/model/m/0.sealed",
                                        "objects/model/M/1.sealed",
                                        "objects/models/m/1.sealed",
                                        "objects/model//1.sealed",
                                        "objects/model/m/1.sealed.tmp-0000000000000000",
                                        "keys/workspace.json",
                                        "keys",
                                        "audit/tile/0/0",
                                        "audit/tile/9/000",
                                        "audit/../state.db",
                                        "audit/lock",
                                        "audit/journal.cut-",
                                        "audit/journal.cut-01",
                                        "audit/journal.cut-../x",
                                        "state.db-wal",
                                        "steward.yaml/x",
                                        "serve.lock",
                                        "a\nb",
                                        "\xff",
                                        "tls/../tls/key.sealed",
                                        "STATE.DB"};
    struct diag diag = {0};
    DEFER(buf_done) struct buf a;
    struct forged f;
    assert_ok(create_at(home, file, &diag));
    read_head_of(&a);
    f.head = a;
    buf_init(&f.stream, 1u << 20);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        forged_file(&f, paths[i], "x", 1);
        assert_status(restore_forged(&f, &diag), INTEGRITY);
        assert_says(&diag, "no file of a workspace");
    }
    buf_done(&f.stream);
}

static void
refuses_wrong_lengths_orders_and_counts(void **state)
{
    (void)state;
    struct diag diag = {0};
    DEFER(buf_done) struct buf a;
    struct forged f;
    assert_ok(create_at(home, file, &diag));
    read_head_of(&a);
    f.head = a;
    buf_init(&f.stream, 1u << 20);
    forged_file(&f, "state.db", "x", 1);
    forged_file(&f, "state.db", "x", 1);
    assert_status(restore_forged(&f, &diag), INTEGRITY);
    assert_says(&diag, "twice, or not in order");
    forged_file(&f, "tls/cert.pem", "x", 1);
    forged_file(&f, "state.db", "x", 1);
    assert_status(restore_forged(&f, &diag), INTEGRITY);
    assert_says(&diag, "state.db: twice, or not in order: after tls/cert.pem");
    forged_file(&f, "state.db", "xyz", 1); /* its digest is of other bytes */
    assert_status(restore_forged(&f, &diag), INTEGRITY);
    assert_says(&diag, "state.db: not the bytes that its SHA-256 is of");
    forged_file(&f, "state.db", "xyz", UINT64_MAX);
    assert_status(restore_forged(&f, &diag), INTEGRITY);
    assert_says(&diag, "state.db: cut short");
    buf_put_u16be(&f.stream, 0); /* nothing, and a manifest without end */
    buf_put_u32be(&f.stream, UINT32_MAX);
    assert_status(restore_forged(&f, &diag), INTEGRITY);
    assert_says(&diag, "manifest: 4294967295 bytes");
    forged_file(&f, "state.db", "x", 1);
    buf_put_u16be(&f.stream, 0);
    buf_put_u32be(&f.stream, 2);
    buf_put_str(&f.stream, "{}");
    assert_status(restore_forged(&f, &diag), INTEGRITY);
    assert_says(&diag, "manifest: its \"format\"");
    buf_done(&f.stream);
}

/* ---- a workspace that is not whole ---- */

static void
refuses_a_workspace_that_is_damaged(void **state)
{
    (void)state;
    struct diag diag = {0};
    DEFER(file_freep) char *object = file_join(home, "objects/model/m/3.sealed");
    DEFER(file_freep) char *other = file_join(home, "objects/model/m/4.sealed");
    DEFER(buf_done) struct buf bytes;
    testing_read(object, &bytes);
    bytes.ptr[500] ^= 1;
    testing_write(object, buf_view(&bytes));
    assert_status(create_at(home, file, &diag), INTEGRITY);
    assert_says(&diag, "3.sealed: byte 140: the chunk that begins here does not verify");
    bytes.ptr[500] ^= 1;
    testing_write(object, buf_view(&bytes));
    assert_int_equal(rename(other, place), 0);
    assert_status(create_at(home, file, &diag), INTEGRITY);
    assert_says(&diag, "4.sealed: missing, and the registry has it");
    assert_int_equal(rename(place, other), 0);
    assert_int_equal(count_entries("backup"), 0);
    assert_ok(create_at(home, file, &diag)); /* and the log has the two that failed */
    assert_log(home, MODELS + 8);
}

/* ---- while others work ---- */

/* Appends to the log and changes the store until it is killed: first what the log says, then what
 * the store has. */
static void
work(const char *at)
{
    struct workspace *w = open_at(at);
    for (unsigned i = 0;; i++) {
        char reason[32];
        (void)snprintf(reason, sizeof reason, "n=%u", i);
        const struct workspace_act act = {
            .action = "test.work", .resource = "test", .reason = reason};
        if (!status_ok(store_begin(w->store, NULL)) ||
            !status_ok(store_put(w->store, "work", "n", view_str(reason), STORE_ANY, NULL)) ||
            !status_ok(workspace_commit(w, &act, NULL))) {
            _exit(1);
        }
    }
}

struct seen {
    char newest[32];
    bool found;
};

static struct status
look_for(void *ctx, uint64_t index, struct view entry)
{
    struct seen *s = ctx;
    char quoted[48];
    (void)index;
    (void)snprintf(quoted, sizeof quoted, "\"%s\"", s->newest);
    s->found = s->found || memmem(entry.ptr, entry.len, quoted, strlen(quoted)) != NULL;
    return OK;
}

static void
is_of_one_moment_while_others_write(void **state)
{
    (void)state;
    struct diag diag = {0};
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        work(home);
    }
    for (int i = 0; i < 5; i++) {
        DEFER(buf_done) struct buf value;
        DEFER(file_freep) char *log = file_join(place, "audit");
        struct seen s = {0};
        buf_init(&value, 64);
        (void)unlink(file);
        testing_remove(place);
        assert_ok(create_at(home, file, &diag));
        assert_ok(restore_to(file, place, &diag));
        assert_workspace(place);
        struct workspace *w = open_at(place);
        const struct status got = store_get(w->store, "work", "n", NULL, &value, NULL);
        workspace_close(w);
        if (status_ok(got)) {
            (void)snprintf(s.newest, sizeof s.newest, "%s", buf_str(&value));
            assert_ok(audit_each(log, 0, UINT64_MAX, look_for, &s, &diag));
            assert_true(s.found); /* what the store has, the log has said */
        }
    }
    (void)kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* ---- cut off ---- */

static void
create_here(void *ctx)
{
    DEFER(js_freep) json_t *manifest = NULL;
    struct workspace *w = NULL;
    const struct workspace_open_options o = {.passphrase = &passphrase};
    (void)ctx;
    if (!status_ok(workspace_open(home, &o, NULL, &w)) || raise(SIGUSR1) != 0 ||
        !status_ok(backup_create(w, file, NULL, NULL, &manifest))) {
        _exit(1);
    }
}

static void
is_whole_or_not_there_wherever_it_was_cut_off(void **state)
{
    (void)state;
    unsigned n = 1;
    for (bool cut = true, traced = true; cut; n++) {
        struct diag diag = {0};
        testing_copy_dir(model, home);
        (void)unlink(file);
        cut = testing_cut_before(n, create_here, NULL, &traced);
        if (!traced) {
            print_message("# SKIP: no process can be traced here\n");
            skip();
        }
        if (file_exists(file)) {
            assert_ok(verify(&diag));
            (void)unlink(file);
        }
        assert_workspace(home);
    }
    assert_true(n > 20);
}

static void
restore_here(void *ctx)
{
    DEFER(js_freep) json_t *manifest = NULL;
    (void)ctx;
    if (raise(SIGUSR1) != 0 ||
        !status_ok(backup_restore(file, place, &passphrase, &nobody, NULL, NULL, &manifest))) {
        _exit(1);
    }
}

/* What a killed restore leaves beside the place is no workspace, or a whole one. */
static void
assert_no_half_workspace(unsigned n)
{
    DIR *d = opendir(dir);
    assert_non_null(d);
    for (const struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        DEFER(file_freep) char *path = file_join(dir, e->d_name);
        struct diag diag = {0};
        if (strncmp(e->d_name, "place", 5) == 0) {
            if (status_ok(workspace_check(path, &diag))) {
                assert_workspace(path);
            } else if (strcmp(e->d_name, "place") == 0) {
                print_error("cut before call %u: a part is in the place\n", n);
                fail();
            }
            testing_remove(path);
        }
    }
    (void)closedir(d);
}

static void
restores_all_or_nothing_wherever_it_was_cut_off(void **state)
{
    (void)state;
    unsigned n = 1;
    struct diag diag = {0};
    assert_ok(create_at(home, file, &diag));
    for (bool cut = true, traced = true; cut; n++) {
        cut = testing_cut_before(n, restore_here, NULL, &traced);
        if (!traced) {
            print_message("# SKIP: no process can be traced here\n");
            skip();
        }
        assert_no_half_workspace(n);
    }
    assert_true(n > 80); /* calls: two dozen files, each opened and written */
}

/* ---- full disk ---- */

static void
says_that_the_disk_is_full_and_leaves_nothing(void **state)
{
    (void)state;
    testing_need_small_disk();
    DEFER(file_freep) char *disk = file_join(dir, "disk");
    DEFER(file_freep) char *to = file_join(disk, "backup");
    DEFER(file_freep) char *there = file_join(disk, "place");
    DEFER(file_freep) char *filler = file_join(disk, "filler");
    unsigned refused = 0;
    struct diag diag = {0};
    assert_ok(file_mkdirs(disk, 0700, NULL));
    assert_true(testing_small_disk(disk, (size_t)4 << 20));
    assert_ok(create_at(home, file, &diag));
    for (size_t left = 0; left < (size_t)1200 << 10; left += 96 << 10) {
        testing_leave_free(disk, left);
        const struct status created = create_at(home, to, &diag);
        refused += !status_ok(created);
        assert_true(status_ok(created) == file_exists(to));
        if (!status_ok(created)) {
            assert_int_equal(created.code, STATUS_IO);
            assert_says(&diag, "No space left on device");
        }
        (void)unlink(to);
        const struct status restored = restore_to(file, there, &diag);
        refused += !status_ok(restored);
        assert_true(status_ok(restored) == file_exists(there));
        if (status_ok(restored)) {
            (void)unlink(filler);
            assert_workspace(there);
        } else {
            assert_int_equal(restored.code, STATUS_IO);
        }
        testing_remove(there);
        DIR *d = opendir(disk);
        unsigned entries = 0;
        while (readdir(d) != NULL) {
            entries++;
        }
        (void)closedir(d);
        assert_true(entries <= 3); /* ".", "..", the filler */
    }
    testing_small_disk_done(disk);
    assert_true(refused > 4);
}

int
main(void)
{
#define CASE(NAME) cmocka_unit_test_setup(NAME, set_up)
    const struct CMUnitTest cases[] = {
        CASE(refuses_places_that_are_taken),
        CASE(refuses_what_is_no_backup),
        CASE(needs_the_passphrase_of_its_time),
        CASE(refuses_every_byte_that_was_changed),
        CASE(refuses_every_cut_and_what_is_behind_the_end),
        CASE(refuses_the_head_of_another_backup),
        CASE(refuses_every_path_that_is_not_a_workspaces),
        CASE(refuses_wrong_lengths_orders_and_counts),
        CASE(refuses_a_workspace_that_is_damaged),
        CASE(restores_everything_and_the_log_goes_on),
        CASE(is_taken_into_an_empty_folder),
        CASE(shows_nothing_but_the_wrapped_keys),
        CASE(opens_after_the_workspace_has_other_keys),
        CASE(a_copy_that_went_on_elsewhere_is_told),
        CASE(leaves_nothing_when_it_is_interrupted),
        CASE(is_of_one_moment_while_others_write),
        CASE(is_whole_or_not_there_wherever_it_was_cut_off),
        CASE(restores_all_or_nothing_wherever_it_was_cut_off),
        CASE(says_that_the_disk_is_full_and_leaves_nothing),
    };
    return cmocka_run_group_tests(cases, set_up_all, tear_down_all);
}
