#include "testing/testing.h"

#include "fixture.h"

#include "base/file.h"
#include "testing/vault.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a stranger with a database tool does to the file. */
static void
meddle(const char *sql)
{
    sqlite3 *db = NULL;
    char *message = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK) {
        fail_msg("%s: %s", sql, message);
    }
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void
assert_refused_at_open(int32_t code, const char *why)
{
    struct store *s = NULL;
    struct diag diag = {0};
    testing_status(store_open(path, vault, &diag, &s), code, "store_open", __FILE__, __LINE__);
    assert_null(s);
    assert_says(&diag, "state.db: ");
    assert_says(&diag, why);
}

/* ---- files that are not ours ---- */

static void
refuses_what_is_no_database(void **state)
{
    (void)state;
    static char noise[9000];
    memset(noise, 'x', sizeof noise);
    testing_write(path, view_of(noise, sizeof noise));
    assert_refused_at_open(STATUS_INTEGRITY, "damaged, or not a store of steward; restore it");
    testing_write(path, view_str("short"));
    assert_refused_at_open(STATUS_INTEGRITY, "damaged");
}

static void
refuses_another_programs_database(void **state)
{
    (void)state;
    meddle("CREATE TABLE bookmarks (url TEXT); PRAGMA user_version = 1");
    assert_refused_at_open(STATUS_INTEGRITY, "not a store of steward");
}

static void
refuses_a_newer_schema(void **state)
{
    (void)state;
    store_free(open_store());
    meddle("PRAGMA user_version = 2");
    assert_refused_at_open(STATUS_UNSUPPORTED,
                           "schema version 2; this steward reads version 1: use a newer one");
    meddle("PRAGMA user_version = 1");
    store_free(open_store());
}

static void
refuses_a_schema_that_somebody_changed(void **state)
{
    (void)state;
    static const char *const changes[] = {
        "CREATE TRIGGER t AFTER INSERT ON record BEGIN DELETE FROM record; END",
        "CREATE VIEW v AS SELECT * FROM record",
        "CREATE TABLE more (x)",
        "CREATE INDEX i ON record (revision)",
        "ALTER TABLE record ADD COLUMN more TEXT",
        "DROP TABLE record; CREATE TABLE record (collection, id, revision, value)",
        "DROP TABLE record; CREATE VIEW record AS SELECT 1 AS collection, 2 AS id, 3 AS revision, "
        "4 AS "
        "value",
        "PRAGMA user_version = 0",
        "PRAGMA application_id = 0",
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        (void)unlink(path);
        store_free(open_store());
        meddle(changes[i]);
        assert_refused_at_open(STATUS_INTEGRITY, "damaged");
    }
}

static void
says_why_a_file_cannot_be_opened(void **state)
{
    (void)state;
    struct store *s = NULL;
    struct diag diag = {0};
    DEFER(file_freep) char *below = file_join(dir, "none/state.db");
    assert_status(store_open(below, vault, &diag, &s), IO);
    assert_says(&diag, "none/state.db: unable to open database file");
    assert_status(store_open(dir, vault, &diag, &s), IO);
    assert_says(&diag, dir);
}

static void
opens_below_a_linked_folder(void **state)
{
    (void)state;
    DEFER(file_freep) char *home = file_join(dir, "home");
    DEFER(file_freep) char *link = file_join(dir, "link");
    DEFER(file_freep) char *below = file_join(link, "state.db");
    struct store *s = NULL;
    struct diag diag = {0};
    assert_ok(file_mkdirs(home, 0700, NULL));
    assert_int_equal(symlink("home", link), 0);
    assert_ok(store_open(below, vault, &diag, &s));
    store_free(s);
}

/* ---- names ---- */

static void
keeps_any_text_as_a_name_and_runs_none(void **state)
{
    (void)state;
    static const char *const names[] = {"x'; DROP TABLE record; --",
                                        "\"; DELETE FROM record; --",
                                        "%",
                                        "_",
                                        "?1",
                                        "NULL",
                                        "a/b/../c",
                                        " ",
                                        "\xc3\xa9t\xc3\xa9",
                                        "A"};
    const size_t n = sizeof names / sizeof *names;
    struct store *s = open_store();
    for (size_t i = 0; i < n; i++) {
        assert_ok(put(s, names[i], names[n - 1 - i], names[i], 0));
    }
    for (size_t i = 0; i < n; i++) {
        assert_value(s, names[i], names[n - 1 - i], names[i], 1);
        assert_absent(s, names[i], names[(n - i) % n]);
    }
    assert_absent(s, "a", "a"); /* case counts */
    for (size_t i = 0; i < n; i++) {
        assert_ok(store_delete(s, names[i], names[n - 1 - i], NULL));
    }
    store_free(s);
}

static void
refuses_names_that_could_be_taken_for_others(void **state)
{
    (void)state;
    char large[300];
    memset(large, 'a', sizeof large);
    large[256] = '\0';
    const char *const names[] = {"", "a\n1", "\n", "\t", "a\x7f", "\xff", "a\x1b[31m", large};
    struct store *s = open_store();
    DEFER(buf_done) struct buf value;
    buf_init(&value, 100);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct diag diag = {0};
        assert_status(store_put(s, names[i], "id", view_str("v"), 0, &diag), INPUT);
        assert_says(&diag, "an id is 1 to 255 bytes of text without control characters");
        assert_status(store_put(s, "c", names[i], view_str("v"), STORE_ANY, &diag), INPUT);
        assert_status(store_get(s, "c", names[i], &diag, &value, NULL), NOT_FOUND);
        assert_status(store_delete(s, names[i], "id", &diag), NOT_FOUND);
    }
    large[255] = '\0';
    assert_ok(put(s, large, large, "v", 0));
    store_free(s);
}

static void
refuses_a_value_without_end(void **state)
{
    (void)state;
    struct store *s = open_store();
    const size_t n = ((size_t)16 << 20) + 1024;
    char *much = calloc(1, n);
    assert_non_null(much);
    assert_status(store_put(s, "c", "id", view_of(much, n), 0, NULL), LIMIT);
    assert_absent(s, "c", "id");
    free(much);
    store_free(s);
}

/* ---- tampering with rows ---- */

static void
refuses_every_flip_of_a_value(void **state)
{
    (void)state;
    struct store *s = open_store();
    DEFER(buf_done) struct buf value;
    buf_init(&value, 100);
    assert_ok(put(s, "c", "id", "a value", 0));
    const size_t n = 1 + 24 + 7 + 16;
    for (size_t i = 0; i < n; i++) {
        char sql[300];
        struct diag diag = {0};
        /* The byte's last bit, as hex text: SQLite has no exclusive or for blobs. */
        (void)snprintf(
            sql, sizeof sql,
            "UPDATE record SET value = CAST(substr(value, 1, %zu) || CASE substr(value, "
            "%zu, 1) WHEN x'00' THEN x'01' ELSE x'00' END || substr(value, %zu) AS BLOB)",
            i, i + 1, i + 2);
        meddle(sql);
        assert_status(store_get(s, "c", "id", &diag, &value, NULL), INTEGRITY);
        assert_says(&diag, "state.db: c \"id\": not what this workspace wrote: changed or moved");
        assert_ok(put(s, "c", "id", "a value", STORE_ANY));
    }
    store_free(s);
}

static struct status
count(void *ctx, const char *id, struct view value)
{
    (void)id, (void)value;
    ++*(size_t *)ctx;
    return OK;
}

static void
refuses_moved_renamed_and_renumbered_rows(void **state)
{
    (void)state;
    static const char *const changes[] = {
        "UPDATE record SET id = 'eve' WHERE id = 'ann'",
        "UPDATE record SET revision = revision + 1 WHERE id = 'ann'",
        "UPDATE record SET revision = -1 WHERE id = 'ann'",
        "UPDATE record SET value = (SELECT value FROM record WHERE id = 'bob') WHERE id = 'ann'",
        "UPDATE record SET value = x'' WHERE id = 'ann'",
        "UPDATE record SET value = 'text' WHERE id = 'ann'",
        "UPDATE record SET value = 17 WHERE id = 'ann'",
        "INSERT INTO record SELECT collection, 'eve', revision, value FROM record WHERE id = 'ann'",
        "INSERT INTO record SELECT collection, CAST('ann' AS BLOB), revision, value FROM record "
        "WHERE "
        "id = 'ann'",
        "INSERT INTO record SELECT collection, 'ann' || char(0) || 'x', revision, value FROM "
        "record "
        "WHERE id = 'ann'",
        "INSERT INTO record SELECT 'principal', id, revision, value FROM record WHERE id = 'k'",
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        (void)unlink(path);
        struct store *s = open_store();
        size_t n = 0;
        struct diag diag = {0};
        assert_ok(put(s, "principal", "ann", "first", 0));
        assert_ok(put(s, "principal", "bob", "second", 0));
        assert_ok(put(s, "key", "k", "third", 0));
        store_free(s);
        meddle(changes[i]);
        s = open_store();
        if (store_each(s, "principal", count, &n, &diag).code != STATUS_INTEGRITY) {
            fail_msg("%s: was not noticed", changes[i]);
        }
        assert_says(&diag, "this workspace ");
        store_free(s);
    }
}

static void
refuses_another_workspaces_rows(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *elsewhere = testing_dir();
    struct vault *stranger = testing_vault(elsewhere);
    struct store *s = open_store();
    struct diag diag = {0};
    DEFER(buf_done) struct buf value;
    buf_init(&value, 100);
    assert_ok(put(s, "c", "id", "v", 0));
    store_free(s);
    assert_ok(store_open(path, stranger, &diag, &s));
    assert_status(store_get(s, "c", "id", &diag, &value, NULL), INTEGRITY);
    store_free(s);
    vault_free(stranger);
}

static void
shows_no_value_in_the_file(void **state)
{
    (void)state;
    struct store *s = open_store();
    struct buf bytes;
    assert_ok(put(s, "principal", "ann", "Jane Roe, 7 Elm Street", 0));
    store_free(s);
    testing_read(path, &bytes);
    assert_non_null(memmem(bytes.ptr, bytes.len, "ann", 3)); /* names are told to be visible */
    assert_null(memmem(bytes.ptr, bytes.len, "Jane", 4));
    assert_null(memmem(bytes.ptr, bytes.len, "Elm", 3));
    buf_done(&bytes);
}

/* ---- damage ---- */

static void
fill(struct store *s, int n)
{
    char id[16];
    assert_ok(store_begin(s, NULL));
    for (int i = 0; i < n; i++) {
        (void)snprintf(id, sizeof id, "id%05d", i);
        assert_ok(put(s, "c", id, "a value of some length, so that there are pages", 0));
    }
    assert_ok(store_commit(s, NULL));
}

/* Pages overwritten one by one, and cuts: each is refused at the open or when read, as integrity;
 * never a crash, and never fewer rows without a word. */
static void
tells_a_damaged_file(void **state)
{
    (void)state;
    struct store *s = open_store();
    struct buf whole;
    fill(s, 400);
    store_free(s);
    testing_read(path, &whole);
    const size_t pages = whole.len / 4096;
    assert_true(pages > 10);
    for (size_t page = 0; page < pages * 2; page++) {
        DEFER(buf_done) struct buf hurt;
        struct diag diag = {0};
        size_t n = 0;
        buf_init(&hurt, whole.len);
        buf_put(&hurt, view_of(whole.ptr, page < pages ? whole.len : (page - pages) * 4096 + 2048));
        if (page < pages) {
            memset(hurt.ptr + page * 4096, page % 2 == 0 ? 0xa5 : 0, 4096);
        }
        testing_write(path, buf_view(&hurt));
        struct status got = store_open(path, vault, &diag, &s);
        if (status_ok(got)) {
            got = store_each(s, "c", count, &n, &diag);
            store_free(s);
        }
        if (got.code != STATUS_INTEGRITY) {
            fail_msg("page %zu of %zu: %s after %zu rows: %s", page, pages, status_word(got.code),
                     n, diag.text);
        }
        assert_says(&diag, "state.db: damaged");
    }
    testing_write(path, buf_view(&whole));
    size_t n = 0;
    s = open_store();
    assert_ok(store_each(s, "c", count, &n, NULL));
    assert_int_equal(n, 400);
    store_free(s);
    buf_done(&whole);
}

static void
loses_nothing_when_the_disk_is_full(void **state)
{
    (void)state;
    testing_need_small_disk();
    DEFER(file_freep) char *disk = file_join(dir, "disk");
    assert_ok(file_mkdirs(disk, 0700, NULL));
    assert_true(testing_small_disk(disk, (size_t)1 << 20));
    free(path);
    path = file_join(disk, "state.db");
    struct store *s = open_store();
    char id[16];
    static char text[20001];
    int kept = 0;
    struct diag diag = {0};
    struct status got = OK;
    memset(text, 'v', sizeof text - 1);
    for (; status_ok(got); kept += status_ok(got)) {
        (void)snprintf(id, sizeof id, "id%05d", kept);
        got = store_put(s, "c", id, view_str(text), 0, &diag);
    }
    assert_int_equal(got.code, STATUS_IO);
    assert_int_equal(got.os, ENOSPC);
    assert_says(&diag, "state.db: No space left on device");
    /* In a transaction: the first that does not fit ends it all. */
    assert_ok(store_begin(s, NULL));
    got = OK;
    for (int i = 0; status_ok(got) && i < 400; i++) {
        (void)snprintf(id, sizeof id, "t%05d", i);
        got = put(s, "c", id, text, 0);
    }
    (void)put(s, "c", "after", "small", 0);
    assert_false(status_ok(store_commit(s, &diag)));
    assert_absent(s, "c", "t00000");
    assert_absent(s, "c", "after");
    store_free(s);
    s = open_store();
    for (int i = 0; i < kept; i++) {
        (void)snprintf(id, sizeof id, "id%05d", i);
        assert_value(s, "c", id, text, 1);
    }
    store_free(s);
    testing_small_disk_done(disk);
    assert_true(kept > 5);
}

/* ---- round trip ---- */

static void
counts_revisions_and_holds_to_what_is_expected(void **state)
{
    (void)state;
    struct store *s = open_store();
    struct diag diag = {0};
    assert_absent(s, "c", "id");
    assert_status(put(s, "c", "id", "x", 1), BUSY);
    assert_ok(put(s, "c", "id", "one", 0));
    assert_value(s, "c", "id", "one", 1);
    assert_status(put(s, "c", "id", "x", 0), EXISTS);
    assert_ok(put(s, "c", "id", "two", 1));
    assert_status(store_put(s, "c", "id", view_str("x"), 1, &diag), BUSY);
    assert_says(&diag, "\"id\" was changed by another at the same time; try again");
    assert_ok(put(s, "c", "id", "", STORE_ANY));
    assert_value(s, "c", "id", "", 3);
    assert_ok(store_delete(s, "c", "id", NULL));
    assert_status(store_delete(s, "c", "id", NULL), NOT_FOUND);
    assert_absent(s, "c", "id");
    assert_ok(put(s, "c", "id", "again", 0));
    store_free(s);
    s = open_store();
    assert_value(s, "c", "id", "again", 1);
    store_free(s);
}

static struct status
append_id(void *ctx, const char *id, struct view value)
{
    buf_printf(ctx, "%s=%.*s ", id, (int)value.len, (const char *)value.ptr);
    return OK;
}

static struct status
stop_at_b(void *ctx, const char *id, struct view value)
{
    (void)value;
    ++*(size_t *)ctx;
    CHECK(strcmp(id, "b") != 0, DENIED);
    return OK;
}

static void
goes_through_one_collection_in_order(void **state)
{
    (void)state;
    struct store *s = open_store();
    DEFER(buf_done) struct buf ids;
    size_t n = 0;
    buf_init(&ids, 1000);
    assert_ok(put(s, "c", "b", "2", 0));
    assert_ok(put(s, "d", "a", "9", 0));
    assert_ok(put(s, "c", "a", "1", 0));
    assert_ok(put(s, "c", "c", "3", 0));
    assert_ok(store_each(s, "c", append_id, &ids, NULL));
    assert_string_equal(buf_str(&ids), "a=1 b=2 c=3 ");
    assert_status(store_each(s, "c", stop_at_b, &n, NULL), DENIED);
    assert_int_equal(n, 2);
    buf_reset(&ids);
    assert_ok(store_each(s, "none", append_id, &ids, NULL));
    assert_int_equal(ids.len, 0);
    store_free(s);
}

/* ---- transactions ---- */

static void
does_all_of_a_transaction_or_nothing(void **state)
{
    (void)state;
    struct store *s = open_store();
    assert_ok(put(s, "c", "old", "1", 0));
    assert_ok(store_begin(s, NULL));
    assert_ok(put(s, "c", "a", "1", 0));
    assert_ok(put(s, "c", "old", "2", 1));
    assert_ok(store_delete(s, "c", "old", NULL));
    assert_status(store_delete(s, "c", "none", NULL), NOT_FOUND);
    assert_value(s, "c", "a", "1", 1);
    store_rollback(s);
    assert_absent(s, "c", "a");
    assert_value(s, "c", "old", "1", 1);
    assert_ok(store_begin(s, NULL));
    assert_ok(put(s, "c", "a", "1", 0));
    assert_status(put(s, "c", "old", "x", 0), EXISTS); /* did nothing: the rest stands */
    assert_ok(store_delete(s, "c", "old", NULL));
    assert_ok(store_commit(s, NULL));
    assert_value(s, "c", "a", "1", 1);
    assert_absent(s, "c", "old");
    store_free(s);
}

static void
joins_a_transaction_inside_another(void **state)
{
    (void)state;
    struct store *s = open_store();
    assert_ok(store_begin(s, NULL));
    assert_ok(store_begin(s, NULL));
    assert_ok(put(s, "c", "a", "1", 0));
    assert_ok(store_commit(s, NULL));
    assert_ok(put(s, "c", "b", "1", 0));
    store_rollback(s);
    assert_absent(s, "c", "a");
    assert_ok(store_begin(s, NULL));
    assert_ok(put(s, "c", "a", "1", 0));
    assert_ok(store_begin(s, NULL));
    store_rollback(s);
    assert_false(status_ok(put(s, "c", "b", "1", 0)));
    assert_false(status_ok(store_begin(s, NULL)));
    assert_false(status_ok(store_commit(s, NULL)));
    assert_absent(s, "c", "a");
    assert_ok(put(s, "c", "a", "after", 0));
    store_free(s);
}

static void
tells_caches_that_something_changed(void **state)
{
    (void)state;
    struct store *s = open_store();
    struct store *t = open_store();
    uint64_t was = store_change(s);
    assert_true(store_change(s) == was);
    assert_ok(put(s, "c", "a", "1", 0));
    assert_true(store_change(s) != was);
    was = store_change(s);
    assert_ok(put(t, "c", "b", "1", 0));
    assert_true(store_change(s) != was);
    was = store_change(s);
    assert_ok(store_delete(s, "c", "b", NULL));
    assert_true(store_change(s) != was);
    was = store_change(s);
    assert_ok(store_begin(s, NULL));
    assert_ok(put(s, "c", "b", "1", 0));
    store_rollback(s);
    assert_true(store_change(s) != was);
    store_free(t);
    store_free(s);
}

#define TEST(F) cmocka_unit_test_setup_teardown(F, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest cases[] = {
        TEST(refuses_what_is_no_database),
        TEST(refuses_another_programs_database),
        TEST(refuses_a_newer_schema),
        TEST(refuses_a_schema_that_somebody_changed),
        TEST(says_why_a_file_cannot_be_opened),
        TEST(refuses_names_that_could_be_taken_for_others),
        TEST(refuses_a_value_without_end),
        TEST(refuses_every_flip_of_a_value),
        TEST(refuses_moved_renamed_and_renumbered_rows),
        TEST(refuses_another_workspaces_rows),
        TEST(tells_a_damaged_file),
        TEST(loses_nothing_when_the_disk_is_full),
        TEST(keeps_any_text_as_a_name_and_runs_none),
        TEST(opens_below_a_linked_folder),
        TEST(shows_no_value_in_the_file),
        TEST(counts_revisions_and_holds_to_what_is_expected),
        TEST(goes_through_one_collection_in_order),
        TEST(does_all_of_a_transaction_or_nothing),
        TEST(joins_a_transaction_inside_another),
        TEST(tells_caches_that_something_changed),
    };
    return cmocka_run_group_tests(cases, make_keys, remove_keys);
}
