/* SQLite in WAL mode with synchronous=FULL: a committed record survives power loss. One table:
 *   record(collection TEXT, id TEXT, revision INTEGER, value BLOB), value sealed (vault record,
 * purpose "store") and bound to "collection\nid\nrevision". One connection a handle, behind a
 * mutex: control state is small, and caches stand before it. */
#include "store/store.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PURPOSE "store"
#define VALUE_MAX (16u << 20)
#define BUSY_MS 10000

struct store {
    sqlite3 *db;
    const struct vault *vault;
    pthread_mutex_t lock; /* recursive: begin holds it until commit */
    bool lock_made;
    uint64_t own_changes; /* data_version does not count this connection's own commits */
};

static struct status
failure_of(sqlite3 *db, int rc)
{
    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        FAIL(BUSY);
    case SQLITE_FULL:
    case SQLITE_IOERR:
        return (struct status){STATUS_HERE, STATUS_IO, db == NULL ? 0 : sqlite3_system_errno(db)};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        FAIL(INTEGRITY);
    case SQLITE_NOMEM:
        FAIL(MEMORY);
    default:
        FAIL(IO);
    }
}

static struct status
execute(struct store *s, const char *sql)
{
    const int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? OK : failure_of(s->db, rc);
}

void
store_free(struct store *s)
{
    if (s != NULL) {
        (void)sqlite3_close(s->db);
        if (s->lock_made) {
            (void)pthread_mutex_destroy(&s->lock);
        }
        free(s);
    }
}

static bool
make_lock(struct store *s)
{
    pthread_mutexattr_t kind;
    if (pthread_mutexattr_init(&kind) != 0) {
        return false;
    }
    s->lock_made = pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_RECURSIVE) == 0 &&
                   pthread_mutex_init(&s->lock, &kind) == 0;
    (void)pthread_mutexattr_destroy(&kind);
    return s->lock_made;
}

static struct status
prepare_database(struct store *s)
{
    (void)sqlite3_extended_result_codes(s->db, 1);
    (void)sqlite3_busy_timeout(s->db, BUSY_MS);
    (void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    TRY(execute(s, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cell_size_check=ON;"));
    return execute(s,
                   "CREATE TABLE IF NOT EXISTS record (collection TEXT NOT NULL, id TEXT NOT NULL, "
                   "revision INTEGER NOT NULL, value BLOB NOT NULL, PRIMARY KEY (collection, id)) "
                   "WITHOUT ROWID");
}

struct status
store_open(const char *path, const struct vault *v, struct diag *diag, struct store **ret_store)
{
    DEFER(store_freep) struct store *s = calloc(1, sizeof *s);
    CHECK(s != NULL && make_lock(s), MEMORY);
    s->vault = v;
    const int rc = sqlite3_open_v2(path, &s->db,
                                   SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
                                       SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW,
                                   NULL);
    const struct status opened = rc == SQLITE_OK ? prepare_database(s) : failure_of(s->db, rc);
    if (!status_ok(opened)) {
        diag_set(diag, "%s: %s", path, s->db == NULL ? "out of memory" : sqlite3_errmsg(s->db));
        return opened;
    }
    *ret_store = MOVE(s);
    return OK;
}

/* ---- one statement ---- */

static void
finalize(sqlite3_stmt **statement)
{
    (void)sqlite3_finalize(*statement);
}

static void
unlock(struct store **s)
{
    (void)pthread_mutex_unlock(&(*s)->lock);
}

#define LOCKED(S)                                                                                  \
    DEFER(unlock) struct store *locked_ = (S);                                                     \
    (void)pthread_mutex_lock(&locked_->lock)

static struct status
prepare(struct store *s, const char *sql, const char *collection, const char *id,
        sqlite3_stmt **ret_statement)
{
    int rc = sqlite3_prepare_v2(s->db, sql, -1, ret_statement, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_bind_text(*ret_statement, 1, collection, -1, SQLITE_TRANSIENT);
    }
    if (rc == SQLITE_OK && id != NULL) {
        rc = sqlite3_bind_text(*ret_statement, 2, id, -1, SQLITE_TRANSIENT);
    }
    return rc == SQLITE_OK ? OK : failure_of(s->db, rc);
}

static struct status
put_context(const char *collection, const char *id, uint64_t revision, struct buf *b)
{
    buf_printf(b, "%s\n%s\n%llu", collection, id, (unsigned long long)revision);
    return buf_status(b);
}

static struct status
open_value(struct store *s, const char *collection, const char *id, uint64_t revision,
           struct view sealed, struct buf *ret_value)
{
    DEFER(buf_done) struct buf context;
    buf_init(&context, 4096);
    TRY(put_context(collection, id, revision, &context));
    return vault_open_record(s->vault, PURPOSE, buf_view(&context), sealed, ret_value);
}

static struct view
column_bytes(sqlite3_stmt *statement, int column)
{
    const void *bytes = sqlite3_column_blob(statement, column);
    return view_of(bytes, (size_t)sqlite3_column_bytes(statement, column));
}

/* Revision of a record, 0 when there is none. */
static struct status
revision_of(struct store *s, const char *collection, const char *id, uint64_t *ret_revision)
{
    DEFER(finalize) sqlite3_stmt *q = NULL;
    TRY(prepare(s, "SELECT revision FROM record WHERE collection = ?1 AND id = ?2", collection, id,
                &q));
    const int rc = sqlite3_step(q);
    CHECK(rc == SQLITE_ROW || rc == SQLITE_DONE, IO);
    *ret_revision = rc == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(q, 0) : 0;
    return OK;
}

/* ---- reading ---- */

struct status
store_get(struct store *s, const char *collection, const char *id, struct buf *ret_value,
          uint64_t *ret_revision)
{
    LOCKED(s);
    DEFER(finalize) sqlite3_stmt *q = NULL;
    TRY(prepare(s, "SELECT revision, value FROM record WHERE collection = ?1 AND id = ?2",
                collection, id, &q));
    const int rc = sqlite3_step(q);
    CHECK(rc != SQLITE_DONE, NOT_FOUND);
    if (rc != SQLITE_ROW) {
        return failure_of(s->db, rc);
    }
    const uint64_t revision = (uint64_t)sqlite3_column_int64(q, 0);
    TRY(open_value(s, collection, id, revision, column_bytes(q, 1), ret_value));
    if (ret_revision != NULL) {
        *ret_revision = revision;
    }
    return OK;
}

struct status
store_each(struct store *s, const char *collection,
           struct status (*each)(void *ctx, const char *id, struct view value), void *ctx)
{
    LOCKED(s);
    DEFER(finalize) sqlite3_stmt *q = NULL;
    DEFER(buf_wipe) struct buf value;
    buf_init(&value, VALUE_MAX);
    TRY(prepare(s, "SELECT id, revision, value FROM record WHERE collection = ?1 ORDER BY id",
                collection, NULL, &q));
    int rc = sqlite3_step(q);
    for (; rc == SQLITE_ROW; rc = sqlite3_step(q)) {
        const char *id = (const char *)sqlite3_column_text(q, 0);
        CHECK(id != NULL, MEMORY);
        buf_reset(&value);
        TRY(open_value(s, collection, id, (uint64_t)sqlite3_column_int64(q, 1), column_bytes(q, 2),
                       &value));
        TRY(each(ctx, id, buf_view(&value)));
    }
    return rc == SQLITE_DONE ? OK : failure_of(s->db, rc);
}

uint64_t
store_change(struct store *s)
{
    LOCKED(s);
    DEFER(finalize) sqlite3_stmt *q = NULL;
    uint64_t version = 0;
    if (sqlite3_prepare_v2(s->db, "PRAGMA data_version", -1, &q, NULL) == SQLITE_OK &&
        sqlite3_step(q) == SQLITE_ROW) {
        version = (uint64_t)sqlite3_column_int64(q, 0);
    }
    return version << 32 | (s->own_changes & 0xffffffffu);
}

/* ---- writing ---- */

static struct status
check_expected(uint64_t expect, uint64_t found)
{
    if (expect == STORE_ANY || expect == found) {
        return OK;
    }
    CHECK(expect != 0, EXISTS);
    FAIL(BUSY);
}

static struct status
write_record(struct store *s, const char *collection, const char *id, uint64_t revision,
             struct view sealed)
{
    DEFER(finalize) sqlite3_stmt *q = NULL;
    TRY(prepare(s,
                "INSERT INTO record (collection, id, revision, value) VALUES (?1, ?2, ?3, ?4) "
                "ON CONFLICT (collection, id) DO UPDATE SET revision = ?3, value = ?4",
                collection, id, &q));
    int rc = sqlite3_bind_int64(q, 3, (sqlite3_int64)revision);
    if (rc == SQLITE_OK) {
        rc = sqlite3_bind_blob64(q, 4, sealed.ptr, sealed.len, SQLITE_STATIC);
    }
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(q);
    }
    return rc == SQLITE_DONE ? OK : failure_of(s->db, rc);
}

static struct status
put_locked(struct store *s, const char *collection, const char *id, struct view value,
           uint64_t expect)
{
    uint64_t revision = 0;
    DEFER(buf_done) struct buf context;
    DEFER(buf_done) struct buf sealed;
    buf_init(&context, 4096);
    buf_init(&sealed, VALUE_MAX + 256);
    TRY(revision_of(s, collection, id, &revision));
    TRY(check_expected(expect, revision));
    revision++;
    TRY(put_context(collection, id, revision, &context));
    TRY(vault_seal_record(s->vault, PURPOSE, buf_view(&context), value, &sealed));
    return write_record(s, collection, id, revision, buf_view(&sealed));
}

struct status
store_begin(struct store *s)
{
    (void)pthread_mutex_lock(&s->lock);
    const struct status begun =
        sqlite3_get_autocommit(s->db) != 0 ? execute(s, "BEGIN IMMEDIATE") : FAILURE(BUSY);
    if (!status_ok(begun)) {
        (void)pthread_mutex_unlock(&s->lock);
    }
    return begun;
}

struct status
store_commit(struct store *s)
{
    const struct status done = execute(s, "COMMIT");
    if (!status_ok(done)) {
        store_rollback(s);
        return done;
    }
    s->own_changes++;
    (void)pthread_mutex_unlock(&s->lock);
    return OK;
}

void
store_rollback(struct store *s)
{
    if (sqlite3_get_autocommit(s->db) == 0) {
        const struct status ignored = execute(s, "ROLLBACK");
        (void)ignored;
    }
    (void)pthread_mutex_unlock(&s->lock);
}

/* In a transaction of its own, or inside the caller's. */
struct status
store_put(struct store *s, const char *collection, const char *id, struct view value,
          uint64_t expect)
{
    LOCKED(s);
    if (sqlite3_get_autocommit(s->db) == 0) {
        return put_locked(s, collection, id, value, expect);
    }
    TRY(store_begin(s));
    const struct status put = put_locked(s, collection, id, value, expect);
    if (!status_ok(put)) {
        store_rollback(s);
        return put;
    }
    return store_commit(s);
}

struct status
store_delete(struct store *s, const char *collection, const char *id)
{
    LOCKED(s);
    DEFER(finalize) sqlite3_stmt *q = NULL;
    TRY(prepare(s, "DELETE FROM record WHERE collection = ?1 AND id = ?2", collection, id, &q));
    const int rc = sqlite3_step(q);
    if (rc != SQLITE_DONE) {
        return failure_of(s->db, rc);
    }
    CHECK(sqlite3_changes(s->db) == 1, NOT_FOUND);
    s->own_changes++;
    return OK;
}
