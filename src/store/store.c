/* SQLite in WAL mode with synchronous=FULL: a committed record survives power loss. One table:
 *   record(collection TEXT, id TEXT, revision INTEGER, value BLOB), value sealed (vault record,
 * purpose "store/<collection>") and bound to "collection\nid\nrevision". application_id and
 * user_version tell whose it is and which schema. One connection a handle, behind a mutex: control
 * state is small, and caches stand before it. docs/spec/store.md. */
#include "store/store.h"

#include "base/text.h"
#include "vault/rotation.h"

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_MAX (16u << 20)
#define NAME_MAX_BYTES 255u
#define BUSY_MS 5000
#define WAL_RETRY_MS 5
#define REWRAP_ROWS 256
#define APPLICATION_ID 0x53745764 /* "StWd" */
#define SCHEMA_VERSION 1

struct store {
    sqlite3 *db;
    const struct vault *vault;
    char *path;
    pthread_mutex_t lock; /* recursive: begin holds it until commit */
    bool lock_made;
    unsigned depth;       /* of begins; SQLite may have rolled back by itself */
    bool broken;          /* an inner transaction was rolled back */
    uint64_t own_changes; /* data_version does not count this connection's own commits */
    uint64_t unreadable;  /* times that data_version could not be read */
};

static struct status
status_of(sqlite3 *db, int rc)
{
    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        FAIL(BUSY);
    case SQLITE_FULL:
        FAIL_OS(ENOSPC);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        FAIL(INTEGRITY);
    case SQLITE_NOMEM:
        FAIL(MEMORY);
    default:
        FAIL_OS(db == NULL ? 0 : sqlite3_system_errno(db));
    }
}

static const char damaged[] = "damaged, or not a store of steward; restore it from a backup";

/* The status for SQLite's code, with the path and what to do. */
static struct status
refuse(const struct store *s, int rc, struct diag *diag)
{
    const struct status failed = status_of(s->db, rc);
    const char *why = failed.code == STATUS_BUSY        ? "held by another process; try again later"
                      : failed.code == STATUS_INTEGRITY ? damaged
                      : failed.os == ENOSPC             ? strerror(ENOSPC)
                      : s->db == NULL                   ? "out of memory"
                                                        : sqlite3_errmsg(s->db);
    diag_set(diag, "%s: %s", s->path, why);
    return failed;
}

static struct status
execute(struct store *s, const char *sql, struct diag *diag)
{
    const int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? OK : refuse(s, rc, diag);
}

void
store_free(struct store *s)
{
    if (s != NULL) {
        (void)sqlite3_close(s->db);
        if (s->lock_made) {
            (void)pthread_mutex_destroy(&s->lock);
        }
        free(s->path);
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

/* One number that a statement gives. */
static struct status
read_number(struct store *s, const char *sql, struct diag *diag, int64_t *ret_number)
{
    sqlite3_stmt *q = NULL;
    int rc = sqlite3_prepare_v2(s->db, sql, -1, &q, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(q);
    }
    if (rc == SQLITE_ROW) {
        *ret_number = sqlite3_column_int64(q, 0);
    }
    const struct status s_read = rc == SQLITE_ROW ? OK : refuse(s, rc, diag);
    (void)sqlite3_finalize(q);
    return s_read;
}

#define TABLE                                                                                      \
    "CREATE TABLE record (collection TEXT NOT NULL, id TEXT NOT NULL, revision INTEGER NOT NULL, " \
    "value BLOB NOT NULL, PRIMARY KEY (collection, id)) WITHOUT ROWID"

/* The schema is ours to the letter: no view, trigger or index that somebody added. */
static struct status
check_schema(struct store *s, struct diag *diag)
{
    int64_t application = 0, version = 0, ours = 0, all = 0;
    TRY(read_number(s, "PRAGMA application_id", diag, &application));
    TRY(read_number(s, "PRAGMA user_version", diag, &version));
    if (application == APPLICATION_ID && version > SCHEMA_VERSION) {
        diag_set(diag, "%s: schema version %lld; this steward reads version %d: use a newer one",
                 s->path, (long long)version, SCHEMA_VERSION);
        FAIL(UNSUPPORTED);
    }
    TRY(read_number(s, "SELECT count(*) FROM sqlite_schema", diag, &all));
    TRY(read_number(s, "SELECT count(*) FROM sqlite_schema WHERE sql = '" TABLE "'", diag, &ours));
    if (application != APPLICATION_ID || version != SCHEMA_VERSION || all != 1 || ours != 1) {
        diag_set(diag, "%s: %s", s->path, damaged);
        FAIL(INTEGRITY);
    }
    return OK;
}

static struct status
is_empty(struct store *s, struct diag *diag, bool *ret_empty)
{
    int64_t version = 0, things = 0;
    TRY(read_number(s, "PRAGMA user_version", diag, &version));
    TRY(read_number(s, "SELECT count(*) FROM sqlite_schema", diag, &things));
    *ret_empty = version == 0 && things == 0;
    return OK;
}

static struct status
make_tables(struct store *s, struct diag *diag)
{
    bool empty = false;
    char sql[1024];
    (void)snprintf(sql, sizeof sql, "%s; PRAGMA application_id = %d; PRAGMA user_version = %d",
                   TABLE, APPLICATION_ID, SCHEMA_VERSION);
    TRY(is_empty(s, diag, &empty));
    return empty ? execute(s, sql, diag) : OK;
}

/* A new, empty file gets the schema. Two processes that make it at once agree behind the lock,
 * which nobody takes for a file that has one: a reader never waits. */
static struct status
make_schema(struct store *s, struct diag *diag)
{
    bool empty = false;
    TRY(is_empty(s, diag, &empty));
    if (!empty) {
        return OK;
    }
    TRY(execute(s, "BEGIN IMMEDIATE", diag));
    struct status made = make_tables(s, diag);
    if (status_ok(made)) {
        made = execute(s, "COMMIT", diag);
    }
    if (!status_ok(made)) {
        (void)sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    }
    return made;
}

/* Values are sealed one by one, so what damage loses is rows: the tree is checked at the open. */
static struct status
check_pages(struct store *s, struct diag *diag)
{
    int64_t good = 0;
    TRY(read_number(s, "SELECT quick_check = 'ok' FROM pragma_quick_check LIMIT 1", diag, &good));
    if (good != 1) {
        diag_set(diag, "%s: %s", s->path, damaged);
        FAIL(INTEGRITY);
    }
    return OK;
}

/* SQLite does not wait for the lock that the change to WAL needs, nor for the one that the last
 * connection holds while it removes its log: several processes may make or leave the file at
 * once. */
static struct status
change_to_wal(struct store *s, struct diag *diag)
{
    const char *const sql = "PRAGMA journal_mode=WAL";
    int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
    for (int waited = 0; (rc & 0xff) == SQLITE_BUSY && waited < BUSY_MS; waited += WAL_RETRY_MS) {
        (void)sqlite3_sleep(WAL_RETRY_MS);
        rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
    }
    return rc == SQLITE_OK ? OK : refuse(s, rc, diag);
}

static struct status
prepare_database(struct store *s, struct diag *diag)
{
    (void)sqlite3_extended_result_codes(s->db, 1);
    (void)sqlite3_busy_timeout(s->db, BUSY_MS);
    (void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    TRY(change_to_wal(s, diag));
    /* A confined process has no folder for temporary files. */
    TRY(execute(s, "PRAGMA synchronous=FULL; PRAGMA cell_size_check=ON; PRAGMA temp_store=MEMORY",
                diag));
    TRY(make_schema(s, diag));
    TRY(check_schema(s, diag));
    return check_pages(s, diag);
}

struct status
store_open(const char *path, const struct vault *v, struct diag *diag, struct store **ret_store)
{
    DEFER(store_freep) struct store *s = calloc(1, sizeof *s);
    CHECK(s != NULL && make_lock(s), MEMORY);
    s->vault = v;
    s->path = strdup(path);
    CHECK(s->path != NULL, MEMORY);
    const int rc = sqlite3_open_v2(
        path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc != SQLITE_OK) {
        return refuse(s, rc, diag);
    }
    TRY(prepare_database(s, diag));
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

/* What stands between newlines in the bound context; also what an error message may show. */
static bool
is_name(const char *text)
{
    const size_t n = strlen(text);
    bool printable = n > 0 && n <= NAME_MAX_BYTES && text_is_utf8(view_of(text, n));
    for (const char *p = text; *p != '\0'; p++) {
        printable = printable && (unsigned char)*p >= 0x20 && *p != 0x7f;
    }
    return printable;
}

static struct status
prepare(struct store *s, const char *sql, const char *collection, const char *id, struct diag *diag,
        sqlite3_stmt **ret_statement)
{
    int rc = sqlite3_prepare_v2(s->db, sql, -1, ret_statement, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_bind_text(*ret_statement, 1, collection, -1, SQLITE_TRANSIENT);
    }
    if (rc == SQLITE_OK && id != NULL) {
        rc = sqlite3_bind_text(*ret_statement, 2, id, -1, SQLITE_TRANSIENT);
    }
    return rc == SQLITE_OK ? OK : refuse(s, rc, diag);
}

static struct status
put_context(const char *collection, const char *id, uint64_t revision, struct buf *b)
{
    buf_printf(b, "%s\n%s\n%llu", collection, id, (unsigned long long)revision);
    return buf_status(b);
}

/* Who holds the keys may give one collection's and not another's. A long name is cut: the context
 * has it whole. */
static struct vault_purpose
purpose_of(const char *collection)
{
    return vault_purpose("store/", collection);
}

static struct status
open_value(struct store *s, const char *collection, const char *id, uint64_t revision,
           struct view sealed, struct diag *diag, struct buf *ret_value)
{
    DEFER(buf_done) struct buf context;
    buf_init(&context, 4096);
    TRY(put_context(collection, id, revision, &context));
    const struct status opened = vault_open_record(s->vault, purpose_of(collection).text,
                                                   buf_view(&context), sealed, ret_value);
    if (opened.code == STATUS_INTEGRITY) {
        diag_set(diag, "%s: %s \"%s\": not what this workspace wrote: changed or moved", s->path,
                 collection, id);
    }
    return opened;
}

static struct view
column_bytes(sqlite3_stmt *statement, int column)
{
    const void *bytes = sqlite3_column_blob(statement, column);
    return view_of(bytes, (size_t)sqlite3_column_bytes(statement, column));
}

/* Revision of a record, 0 when there is none. */
static struct status
revision_of(struct store *s, const char *collection, const char *id, struct diag *diag,
            uint64_t *ret_revision)
{
    DEFER(finalize) sqlite3_stmt *q = NULL;
    TRY(prepare(s, "SELECT revision FROM record WHERE collection = ?1 AND id = ?2", collection, id,
                diag, &q));
    const int rc = sqlite3_step(q);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        return refuse(s, rc, diag);
    }
    *ret_revision = rc == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(q, 0) : 0;
    return OK;
}

/* ---- reading ---- */

struct status
store_get(struct store *s, const char *collection, const char *id, struct diag *diag,
          struct buf *ret_value, uint64_t *ret_revision)
{
    CHECK(is_name(collection) && is_name(id), NOT_FOUND);
    LOCKED(s);
    DEFER(finalize) sqlite3_stmt *q = NULL;
    TRY(prepare(s, "SELECT revision, value FROM record WHERE collection = ?1 AND id = ?2",
                collection, id, diag, &q));
    const int rc = sqlite3_step(q);
    CHECK(rc != SQLITE_DONE, NOT_FOUND);
    if (rc != SQLITE_ROW) {
        return refuse(s, rc, diag);
    }
    const uint64_t revision = (uint64_t)sqlite3_column_int64(q, 0);
    TRY(open_value(s, collection, id, revision, column_bytes(q, 1), diag, ret_value));
    if (ret_revision != NULL) {
        *ret_revision = revision;
    }
    return OK;
}

/* The id of a row that store_each stands on. Only rows that store_put could have written have one:
 * the same record must not come twice, under an id of another type or with a NUL behind it. */
static const char *
row_id(sqlite3_stmt *q)
{
    const char *id =
        sqlite3_column_type(q, 0) == SQLITE_TEXT ? (const char *)sqlite3_column_text(q, 0) : NULL;
    return id != NULL && strlen(id) == (size_t)sqlite3_column_bytes(q, 0) && is_name(id) ? id
                                                                                         : NULL;
}

struct status
store_each(struct store *s, const char *collection,
           struct status (*each)(void *ctx, const char *id, struct view value), void *ctx,
           struct diag *diag)
{
    LOCKED(s);
    DEFER(finalize) sqlite3_stmt *q = NULL;
    DEFER(buf_wipe) struct buf value;
    buf_init(&value, VALUE_MAX);
    TRY(prepare(s, "SELECT id, revision, value FROM record WHERE collection = ?1 ORDER BY id",
                collection, NULL, diag, &q));
    int rc = sqlite3_step(q);
    for (; rc == SQLITE_ROW; rc = sqlite3_step(q)) {
        const char *id = row_id(q);
        if (id == NULL) {
            diag_set(diag, "%s: %s: a row that this workspace did not write", s->path, collection);
            FAIL(INTEGRITY);
        }
        buf_reset(&value);
        TRY(open_value(s, collection, id, (uint64_t)sqlite3_column_int64(q, 1), column_bytes(q, 2),
                       diag, &value));
        TRY(each(ctx, id, buf_view(&value)));
    }
    return rc == SQLITE_DONE ? OK : refuse(s, rc, diag);
}

uint64_t
store_change(struct store *s)
{
    LOCKED(s);
    int64_t version = 0;
    if (!status_ok(read_number(s, "PRAGMA data_version", NULL, &version))) {
        /* Unreadable is a change each time: a cache must look, and find what is wrong. */
        return UINT64_MAX << 32 | (++s->unreadable & 0xffffffffu);
    }
    return (uint64_t)version << 32 | (s->own_changes & 0xffffffffu);
}

/* ---- writing ---- */

static struct status
check_expected(uint64_t expect, uint64_t found, const char *id, struct diag *diag)
{
    if (expect == STORE_ANY || expect == found) {
        return OK;
    }
    CHECK(expect != 0, EXISTS);
    diag_set(diag, "\"%s\" was changed by another at the same time; try again", id);
    FAIL(BUSY);
}

static struct status
write_record(struct store *s, const char *collection, const char *id, uint64_t revision,
             struct view sealed, struct diag *diag)
{
    DEFER(finalize) sqlite3_stmt *q = NULL;
    TRY(prepare(s,
                "INSERT INTO record (collection, id, revision, value) VALUES (?1, ?2, ?3, ?4) "
                "ON CONFLICT (collection, id) DO UPDATE SET revision = ?3, value = ?4",
                collection, id, diag, &q));
    int rc = sqlite3_bind_int64(q, 3, (sqlite3_int64)revision);
    if (rc == SQLITE_OK) {
        rc = sqlite3_bind_blob64(q, 4, sealed.ptr, sealed.len, SQLITE_STATIC);
    }
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(q);
    }
    return rc == SQLITE_DONE ? OK : refuse(s, rc, diag);
}

/* SQLite ends a transaction by itself when the disk is full: what follows must not stand alone. */
static struct status
check_begun(const struct store *s)
{
    CHECK(s->depth > 0 && !s->broken && sqlite3_get_autocommit(s->db) == 0, IO);
    return OK;
}

static struct status
put_locked(struct store *s, const char *collection, const char *id, struct view value,
           uint64_t expect, struct diag *diag)
{
    uint64_t revision = 0;
    DEFER(buf_done) struct buf context;
    DEFER(buf_done) struct buf sealed;
    buf_init(&context, 4096);
    buf_init(&sealed, VALUE_MAX + 256);
    TRY(check_begun(s));
    TRY(revision_of(s, collection, id, diag, &revision));
    TRY(check_expected(expect, revision, id, diag));
    revision++;
    TRY(put_context(collection, id, revision, &context));
    TRY(vault_seal_record(s->vault, purpose_of(collection).text, buf_view(&context), value,
                          &sealed));
    return write_record(s, collection, id, revision, buf_view(&sealed), diag);
}

static struct status
delete_locked(struct store *s, const char *collection, const char *id, struct diag *diag)
{
    DEFER(finalize) sqlite3_stmt *q = NULL;
    TRY(check_begun(s));
    TRY(prepare(s, "DELETE FROM record WHERE collection = ?1 AND id = ?2", collection, id, diag,
                &q));
    const int rc = sqlite3_step(q);
    if (rc != SQLITE_DONE) {
        return refuse(s, rc, diag);
    }
    CHECK(sqlite3_changes(s->db) == 1, NOT_FOUND);
    return OK;
}

struct status
store_begin(struct store *s, struct diag *diag)
{
    (void)pthread_mutex_lock(&s->lock);
    const struct status begun = s->depth > 0 ? check_begun(s) : execute(s, "BEGIN IMMEDIATE", diag);
    if (!status_ok(begun)) {
        (void)pthread_mutex_unlock(&s->lock);
        return begun;
    }
    s->depth++;
    return OK;
}

struct status
store_commit(struct store *s, struct diag *diag)
{
    ASSERT(s->depth > 0);
    struct status done = check_begun(s);
    if (status_ok(done) && s->depth == 1) {
        done = execute(s, "COMMIT", diag);
    }
    if (!status_ok(done)) {
        store_rollback(s);
        return done;
    }
    s->own_changes += s->depth == 1;
    s->depth--;
    (void)pthread_mutex_unlock(&s->lock);
    return OK;
}

void
store_rollback(struct store *s)
{
    ASSERT(s->depth > 0);
    s->broken = true;
    if (s->depth == 1) {
        if (sqlite3_get_autocommit(s->db) == 0) {
            (void)sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
        }
        s->broken = false;
        s->own_changes++; /* a cache filled in between has seen what never was */
    }
    s->depth--;
    (void)pthread_mutex_unlock(&s->lock);
}

/* Ends the transaction that a single put or delete opened for itself. */
static struct status
end(struct store *s, bool own, struct status done, struct diag *diag)
{
    if (!own) {
        return done;
    }
    if (!status_ok(done)) {
        store_rollback(s);
        return done;
    }
    return store_commit(s, diag);
}

/* In a transaction of its own, or inside the caller's. */
struct status
store_put(struct store *s, const char *collection, const char *id, struct view value,
          uint64_t expect, struct diag *diag)
{
    if (!is_name(collection) || !is_name(id)) {
        diag_set(diag, "%s: an id is 1 to %u bytes of text without control characters", s->path,
                 NAME_MAX_BYTES);
        FAIL(INPUT);
    }
    LOCKED(s);
    const bool own = s->depth == 0;
    if (own) {
        TRY(store_begin(s, diag));
    }
    return end(s, own, put_locked(s, collection, id, value, expect, diag), diag);
}

struct status
store_delete(struct store *s, const char *collection, const char *id, struct diag *diag)
{
    CHECK(is_name(collection) && is_name(id), NOT_FOUND);
    LOCKED(s);
    const bool own = s->depth == 0;
    if (own) {
        TRY(store_begin(s, diag));
    }
    return end(s, own, delete_locked(s, collection, id, diag), diag);
}

/* ---- row by row ---- */

/* One record as it stands in the table. */
struct row {
    char collection[NAME_MAX_BYTES + 1], id[NAME_MAX_BYTES + 1];
    uint64_t revision;
    struct buf sealed;
};

static void
row_done(struct row *r)
{
    buf_done(&r->sealed);
}

/* The row after that of r, in order of collection and id; false at the end. */
static struct status
next_row(struct store *s, struct diag *diag, struct row *r, bool *ret_found)
{
    DEFER(finalize) sqlite3_stmt *q = NULL;
    TRY(prepare(s,
                "SELECT collection, id, revision, value FROM record WHERE (collection, id) > (?1, "
                "?2) ORDER BY collection, id LIMIT 1",
                r->collection, r->id, diag, &q));
    const int rc = sqlite3_step(q);
    *ret_found = rc == SQLITE_ROW;
    if (rc != SQLITE_ROW) {
        return rc == SQLITE_DONE ? OK : refuse(s, rc, diag);
    }
    (void)snprintf(r->collection, sizeof r->collection, "%s",
                   (const char *)sqlite3_column_text(q, 0));
    (void)snprintf(r->id, sizeof r->id, "%s", (const char *)sqlite3_column_text(q, 1));
    r->revision = (uint64_t)sqlite3_column_int64(q, 2);
    buf_reset(&r->sealed);
    buf_put(&r->sealed, column_bytes(q, 3));
    return buf_status(&r->sealed);
}

struct status
store_verify(struct store *s, struct diag *diag)
{
    DEFER(row_done) struct row r = {0};
    DEFER(buf_wipe) struct buf value;
    buf_init(&r.sealed, VALUE_MAX + 256);
    buf_init(&value, VALUE_MAX);
    LOCKED(s);
    for (bool more = true; more;) {
        TRY(next_row(s, diag, &r, &more));
        buf_reset(&value);
        if (more) {
            TRY(open_value(s, r.collection, r.id, r.revision, buf_view(&r.sealed), diag, &value));
        }
    }
    return OK;
}

/* Inside a transaction, so that all pages are of one moment. */
static struct status
copy_pages(struct store *s, struct diag *diag, struct buf *ret_file)
{
    int64_t pages = 0;
    sqlite3_int64 n = 0;
    TRY(read_number(s, "PRAGMA page_count", diag, &pages));
    unsigned char *bytes = sqlite3_serialize(s->db, "main", &n, 0);
    if (bytes == NULL) {
        return refuse(s, SQLITE_NOMEM, diag);
    }
    buf_put(ret_file, view_of(bytes, (size_t)n));
    sqlite3_free(bytes);
    return buf_status(ret_file);
}

struct status
store_copy(struct store *s, struct diag *diag, struct buf *ret_file)
{
    LOCKED(s);
    ASSERT(s->depth == 0);
    TRY(execute(s, "BEGIN", diag));
    const struct status done = copy_pages(s, diag, ret_file);
    (void)sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    return done;
}

/* ---- another generation of the workspace's key ---- */

static struct status
rewrap_row(struct store *s, struct row *r, struct diag *diag, uint64_t *ret_changed)
{
    DEFER(buf_done) struct buf context;
    bool changed = false;
    buf_init(&context, 4096);
    TRY(put_context(r->collection, r->id, r->revision, &context));
    const struct status done =
        vault_rewrap_record(s->vault, purpose_of(r->collection).text, buf_view(&context),
                            r->sealed.ptr, r->sealed.len, &changed);
    if (!status_ok(done)) {
        diag_set(diag, "%s: %s \"%s\": not what this workspace wrote: changed or moved", s->path,
                 r->collection, r->id);
        return done;
    }
    if (changed) {
        TRY(write_record(s, r->collection, r->id, r->revision, buf_view(&r->sealed), diag));
        ++*ret_changed;
    }
    return OK;
}

static struct status
rewrap_some(struct store *s, struct row *r, struct diag *diag, uint64_t *ret_changed,
            bool *ret_more)
{
    *ret_more = true;
    for (int i = 0; i < REWRAP_ROWS && *ret_more; i++) {
        TRY(next_row(s, diag, r, ret_more));
        if (*ret_more) {
            TRY(rewrap_row(s, r, diag, ret_changed));
        }
    }
    return OK;
}

struct status
store_rewrap(struct store *s, struct diag *diag, uint64_t *ret_changed)
{
    DEFER(row_done) struct row r = {0};
    buf_init(&r.sealed, VALUE_MAX + 256);
    uint64_t changed = 0;
    for (bool more = true; more;) {
        LOCKED(s);
        TRY(store_begin(s, diag));
        TRY(end(s, true, rewrap_some(s, &r, diag, &changed, &more), diag));
    }
    *ret_changed += changed;
    return OK;
}
