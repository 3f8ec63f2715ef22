#include "data/import.h"

#include "base/text.h"
#include "data/csv_scan.h"
#include "data/duck.h"
#include "data/import_infer.h"
#include "data/import_roles.h"
#include "data/importer.h"
#include "data/json_scan.h"
#include "data/table_build.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of DuckDB's reader: it must be over the longest line; its own default is 16 times that. */
#define CSV_BUFFER (CSV_MAX_RECORD + (1u << 20))
#define SQL_MAX ((size_t)1 << 20)
#define TEXT_MAX ((size_t)16 << 30)
#define IMPORT_MEMORY_MIB 4096u

enum source_format { SOURCE_CSV, SOURCE_PARQUET, SOURCE_JSON };

static const struct {
    const char *ending;
    enum source_format format;
    const char *compression;
} endings[] = {
    {".csv", SOURCE_CSV, "none"},     {".tsv", SOURCE_CSV, "none"},
    {".csv.gz", SOURCE_CSV, "gzip"},  {".tsv.gz", SOURCE_CSV, "gzip"},
    {".parquet", SOURCE_PARQUET, ""}, {".json", SOURCE_JSON, "none"},
    {".jsonl", SOURCE_JSON, "none"},  {".ndjson", SOURCE_JSON, "none"},
};

/* CSV says nothing; JSON and Parquet have types of their own. */
enum source_kind {
    KIND_UNKNOWN, /* numbers, times and truth values are looked for */
    KIND_NUMBER,
    KIND_TEXT, /* numbers are not looked for */
    KIND_MIXED /* JSON values of several kinds: text */
};

/* One import under way. */
struct import {
    const struct import_options *o;
    struct diag *diag;
    const char *shown; /* the path as the user wrote it */
    int fd;
    char path[64]; /* /proc/self/fd/N: the file that was opened, whatever the name now points to */
    size_t ending;
    struct csv_shape csv;
    struct duck duck;
    uint32_t columns;
    char **names;
    enum source_kind *kinds; /* of each column: the source's own type */
    uint64_t rows;
};

static void
import_done(struct import *m)
{
    duck_close(&m->duck);
    csv_shape_done(&m->csv);
    for (uint32_t i = 0; m->names != NULL && i < m->columns; i++) {
        free(m->names[i]);
    }
    free(m->names);
    free(m->kinds);
    if (m->fd >= 0) {
        (void)close(m->fd);
    }
}

/* ---- opening the file ---- */

static struct status
find_ending(struct import *m)
{
    const size_t n = strlen(m->shown);
    size_t best = 0;
    bool found = false;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        const size_t k = strlen(endings[i].ending);
        if (n > k && strcmp(m->shown + n - k, endings[i].ending) == 0) {
            best = i;
            found = true;
        }
    }
    if (!found) {
        diag_set(m->diag,
                 "%s: the format is told from the name's end: .csv .tsv .csv.gz .parquet .json "
                 ".jsonl .ndjson",
                 m->shown);
        FAIL(INPUT);
    }
    m->ending = best;
    return OK;
}

static struct status
open_source(struct import *m)
{
    struct stat st;
    m->fd = open(m->shown, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (m->fd < 0 || fstat(m->fd, &st) != 0) {
        const int err = errno;
        diag_set(m->diag, "%s: %s", m->shown, strerror(err));
        CHECK(err != ENOENT, NOT_FOUND);
        FAIL_OS(err);
    }
    if (!S_ISREG(st.st_mode)) {
        diag_set(m->diag, "%s: not a regular file", m->shown);
        FAIL(INPUT);
    }
    if ((uint64_t)st.st_size > IMPORT_MAX_BYTES) {
        diag_set(m->diag, "%s: larger than 8 GiB", m->shown);
        FAIL(LIMIT);
    }
    if (st.st_size == 0) {
        diag_set(m->diag, "%s: empty", m->shown);
        FAIL(INPUT);
    }
    (void)snprintf(m->path, sizeof m->path, "/proc/self/fd/%d", m->fd);
    return OK;
}

/* ---- into DuckDB ---- */

static void
put_csv_reader(const struct import *m, struct buf *sql)
{
    const char delimiter[2] = {m->csv.delimiter, '\0'};
    buf_put_str(sql, "CREATE TABLE t AS SELECT * FROM read_csv(");
    duck_put_literal(sql, m->path);
    buf_printf(sql,
               ", auto_detect=false, header=true, strict_mode=true, quote='\"', escape='\"', "
               "compression='%s', ",
               endings[m->ending].compression);
    buf_printf(sql, "max_line_size=%u, buffer_size=%u, delim=", CSV_MAX_RECORD + 2, CSV_BUFFER);
    duck_put_literal(sql, delimiter);
    buf_put_str(sql, ", columns={");
    for (uint32_t i = 0; i < m->csv.columns; i++) {
        buf_printf(sql, "%sc%u: 'VARCHAR'", i == 0 ? "" : ", ", i);
    }
    buf_put_str(sql, "})");
}

/* Dates are looked for by our own rule, not by guessing between day and month. */
static void
put_reader(const struct import *m, struct buf *sql)
{
    if (endings[m->ending].format == SOURCE_CSV) {
        put_csv_reader(m, sql);
        return;
    }
    const bool parquet = endings[m->ending].format == SOURCE_PARQUET;
    buf_put_str(sql, "CREATE TABLE t AS SELECT * FROM ");
    buf_put_str(sql, parquet ? "read_parquet(" : "read_json(");
    duck_put_literal(sql, m->path);
    buf_put_str(sql, parquet ? ", hive_partitioning=false)"
                             : ", sample_size=-1, map_inference_threshold=-1, records='true', "
                               "hive_partitioning=false, dateformat='%Y-%m-%d', "
                               "timestampformat='%Y-%m-%dT%H:%M:%SZ')");
}

/* The engine's sentence names /proc/self/fd/N; the user knows the file by its own name. */
static void
tell_engine(struct import *m, const struct buf *words)
{
    char place[96];
    (void)snprintf(place, sizeof place, " in file \"%s\",", m->path);
    const char *text = buf_str(words), *found = place, *at = strstr(text, place);
    if (at == NULL) {
        found = m->path;
        at = strstr(text, found);
    }
    if (at == NULL) {
        diag_set(m->diag, "%s: %s", m->shown, text);
    } else {
        diag_set(m->diag, "%s: %.*s%s", m->shown, (int)(at - text), text, at + strlen(found));
    }
}

static struct status
scan_source(struct import *m)
{
    if (endings[m->ending].format == SOURCE_CSV) {
        const bool tab = strncmp(endings[m->ending].ending, ".tsv", 4) == 0;
        const bool gzip = strcmp(endings[m->ending].compression, "gzip") == 0;
        const char delimiter = m->o->delimiter != 0 ? m->o->delimiter : tab ? '\t' : '\0';
        return csv_scan(m->fd, m->shown, gzip, delimiter, IMPORT_MAX_COLUMNS, IMPORT_MAX_BYTES,
                        m->diag, &m->csv);
    }
    return endings[m->ending].format == SOURCE_JSON
               ? json_scan(m->fd, m->shown, IMPORT_MAX_COLUMNS, m->diag)
               : OK;
}

static struct status
read_source(struct import *m)
{
    TRY(scan_source(m));
    DEFER(buf_done) struct buf sql;
    DEFER(buf_done) struct buf words;
    buf_init(&sql, SQL_MAX);
    buf_init(&words, 4096);
    put_reader(m, &sql);
    TRY(buf_status(&sql));
    TRY(duck_open(m->path, IMPORT_MEMORY_MIB, m->o->threads, &m->duck));
    const struct status s = duck_execute(&m->duck, buf_str(&sql), &words);
    if (!status_ok(s)) {
        tell_engine(m, &words);
    }
    return s;
}

/* ---- columns ---- */

static struct status
refuse_nested(struct import *m, const char *name)
{
    char shown[64];
    diag_set(
        m->diag,
        "%s: column \"%s\" is a list, a structure or binary; a table's columns are plain values",
        m->shown, name_shown(view_str(name), shown));
    FAIL(INPUT);
}

static void
type_done(duckdb_logical_type *type)
{
    duckdb_destroy_logical_type(type);
}

static bool
is_json(duckdb_result *r, idx_t column)
{
    DEFER(type_done) duckdb_logical_type type = duckdb_column_logical_type(r, column);
    char *alias = duckdb_logical_type_get_alias(type);
    const bool json = alias != NULL && strcmp(alias, "JSON") == 0;
    duckdb_free(alias);
    return json;
}

static struct status
kind_of(struct import *m, duckdb_result *r, idx_t column, enum source_kind *ret_kind)
{
    *ret_kind = KIND_UNKNOWN;
    if (endings[m->ending].format == SOURCE_CSV) {
        return OK;
    }
    switch (duckdb_column_type(r, column)) {
    case DUCKDB_TYPE_LIST:
    case DUCKDB_TYPE_STRUCT:
    case DUCKDB_TYPE_MAP:
    case DUCKDB_TYPE_ARRAY:
    case DUCKDB_TYPE_UNION:
    case DUCKDB_TYPE_BLOB:
    case DUCKDB_TYPE_BIT:
        return refuse_nested(m, duckdb_column_name(r, column));
    case DUCKDB_TYPE_FLOAT:
    case DUCKDB_TYPE_DOUBLE:
        *ret_kind = KIND_NUMBER;
        return OK;
    case DUCKDB_TYPE_VARCHAR:
        *ret_kind = is_json(r, column) ? KIND_MIXED : KIND_TEXT;
        return OK;
    case DUCKDB_TYPE_ENUM:
        *ret_kind = KIND_TEXT;
        return OK;
    default:
        return OK;
    }
}

static struct status
describe_column(struct import *m, duckdb_result *r, idx_t i)
{
    const char *name =
        endings[m->ending].format == SOURCE_CSV ? m->csv.names[i] : duckdb_column_name(r, i);
    if (*name == '\0' || strlen(name) > TABLE_MAX_NAME) {
        diag_set(m->diag, "%s: column %llu has no name, or one longer than %u bytes", m->shown,
                 (unsigned long long)i + 1, TABLE_MAX_NAME);
        FAIL(INPUT);
    }
    TRY(kind_of(m, r, i, &m->kinds[i]));
    m->names[i] = build_strdup(view_str(name));
    CHECK(m->names[i] != NULL, MEMORY);
    m->columns++;
    return OK;
}

static struct status
describe(struct import *m)
{
    DEFER(duck_result_done) duckdb_result r = {0};
    TRY(duck_run(&m->duck, "SELECT * FROM t LIMIT 0", NULL, &r));
    const idx_t n = duckdb_column_count(&r);
    if (n > IMPORT_MAX_COLUMNS) {
        diag_set(m->diag, "%s: %llu columns; at most %u", m->shown, (unsigned long long)n,
                 IMPORT_MAX_COLUMNS);
        FAIL(LIMIT);
    }
    CHECK(endings[m->ending].format != SOURCE_CSV || n == m->csv.columns, INTEGRITY);
    m->names = build_alloc(n, sizeof *m->names);
    m->kinds = build_alloc(n, sizeof *m->kinds);
    CHECK(m->names != NULL && m->kinds != NULL, MEMORY);
    for (idx_t i = 0; i < n; i++) {
        TRY(describe_column(m, &r, i));
    }
    return OK;
}

static struct status
take_count(void *ctx, uint64_t row, bool null, struct view value)
{
    (void)row, (void)null;
    return text_to_u64(value, ctx);
}

static struct status
count_rows(struct import *m)
{
    DEFER(duck_result_done) duckdb_result r = {0};
    TRY(duck_run(&m->duck, "SELECT count(*)::VARCHAR FROM t", NULL, &r));
    TRY(duck_each_text(&r, take_count, &m->rows));
    if (m->rows == 0) {
        diag_set(m->diag, "%s: no rows", m->shown);
        FAIL(INPUT);
    }
    if (m->rows > IMPORT_MAX_CELLS / m->columns) {
        diag_set(m->diag, "%s: %llu rows of %u columns are more than %llu cells", m->shown,
                 (unsigned long long)m->rows, m->columns, (unsigned long long)IMPORT_MAX_CELLS);
        FAIL(LIMIT);
    }
    /* Two readers of one file must see the same rows, or a value may have gone unnoticed. */
    if (endings[m->ending].format == SOURCE_CSV && m->rows != m->csv.rows) {
        diag_set(m->diag, "%s: %llu rows by its quotes and line ends, but DuckDB reads %llu",
                 m->shown, (unsigned long long)m->csv.rows, (unsigned long long)m->rows);
        FAIL(INPUT);
    }
    return OK;
}

/* A column's texts while they are gathered. */
struct gathered {
    const struct import *m;
    uint8_t *null;
    uint64_t *offset;
    struct buf bytes;
};

static void
gathered_done(struct gathered *g)
{
    free(g->null);
    free(g->offset);
    buf_done(&g->bytes);
}

static bool
is_missing(const struct import_options *o, struct view v)
{
    static const char *const known[] = {"", "NA", "N/A", "NULL", "null", "NaN", "nan", "?"};
    const size_t n = o->missing_only ? 1 : sizeof known / sizeof *known;
    for (size_t i = 0; i < n; i++) {
        if (view_equal_str(v, known[i])) {
            return true;
        }
    }
    for (size_t i = 0; i < o->missing_count; i++) {
        if (view_equal_str(v, o->missing[i])) {
            return true;
        }
    }
    return false;
}

static struct status
gather_value(void *ctx, uint64_t row, bool null, struct view value)
{
    struct gathered *g = ctx;
    CHECK(row < g->m->rows, INTEGRITY);
    const struct view v = view_trimmed(value);
    const bool missing = null || is_missing(g->m->o, v);
    if (!missing && (memchr(v.ptr, 0, v.len) != NULL || !text_is_utf8(v))) {
        diag_set(g->m->diag, "%s row %llu: a value holds a zero byte or is not UTF-8 text",
                 g->m->shown, (unsigned long long)row + 1);
        FAIL(INPUT);
    }
    g->null[row] = missing;
    buf_put(&g->bytes, missing ? (struct view){0} : v);
    g->offset[row + 1] = g->bytes.len;
    return buf_status(&g->bytes);
}

static struct status
gather(struct import *m, uint32_t column, struct gathered *g)
{
    g->m = m;
    g->null = build_alloc(m->rows, 1);
    g->offset = build_alloc(m->rows + 1, sizeof *g->offset);
    buf_init(&g->bytes, TEXT_MAX);
    CHECK(g->null != NULL && g->offset != NULL, MEMORY);
    DEFER(buf_done) struct buf sql;
    DEFER(duck_result_done) duckdb_result r = {0};
    buf_init(&sql, 256);
    /* By position, so that no name is taken for something else; in the order of the file, which the
     * engine keeps (preserve_insertion_order). */
    buf_printf(&sql,
               m->kinds[column] == KIND_MIXED ? "SELECT json_extract_string(#%u, '$') FROM t"
                                              : "SELECT CAST(#%u AS VARCHAR) FROM t",
               column + 1);
    TRY(buf_status(&sql));
    TRY(duck_run(&m->duck, buf_str(&sql), NULL, &r));
    return duck_each_text(&r, gather_value, g);
}

static const struct import_override *
override_of(const struct import_options *o, const char *column, bool role)
{
    const struct import_override *found = NULL;
    for (size_t i = 0; i < o->override_count; i++) {
        if (strcmp(o->overrides[i].column, column) == 0 &&
            (role ? o->overrides[i].has_role : o->overrides[i].has_type)) {
            found = &o->overrides[i];
        }
    }
    return found;
}

/* Names are kept as they are written: "007" is not 7. */
static bool
is_subject(const struct import_options *o, const char *column)
{
    const struct import_override *role = override_of(o, column, true);
    return (o->subject != NULL && strcmp(o->subject, column) == 0) ||
           (role != NULL && role->role == ROLE_SUBJECT);
}

static struct status
fill_column(struct import *m, uint32_t i, struct column *c)
{
    DEFER(gathered_done) struct gathered g = {0};
    TRY(gather(m, i, &g));
    const bool subject = is_subject(m->o, m->names[i]);
    const struct import_override *type = override_of(m->o, m->names[i], false);
    const struct texts texts = {m->rows, g.null, g.offset,
                                g.bytes.ptr == NULL ? "" : (const char *)g.bytes.ptr};
    const struct infer_request q = {.shown = m->shown,
                                    .column = m->names[i],
                                    .has_type = subject || type != NULL,
                                    .type = subject || type == NULL ? COLUMN_TEXT : type->type,
                                    .is_text = m->kinds[i] >= KIND_TEXT,
                                    .is_number = m->kinds[i] == KIND_NUMBER,
                                    .lines_are_rows = endings[m->ending].format == SOURCE_CSV &&
                                                      m->csv.lines_are_rows,
                                    .max_levels = IMPORT_MAX_LEVELS};
    TRY(infer_column(&texts, &q, m->diag, c));
    c->name = build_strdup(view_str(m->names[i]));
    CHECK(c->name != NULL, MEMORY);
    return OK;
}

/* Each is a feature until it is told otherwise. */
static struct status
build(struct import *m, struct table **ret_table)
{
    TRY(describe(m));
    TRY(count_rows(m));
    DEFER(table_freep) struct table *t = table_new(m->rows, m->columns);
    CHECK(t != NULL, MEMORY);
    for (uint32_t i = 0; i < m->columns; i++) {
        TRY(fill_column(m, i, &t->columns[i]));
        t->columns[i].is_feature = true;
    }
    *ret_table = MOVE(t);
    return OK;
}

struct status
import_columns(const char *path, const struct import_options *options, struct diag *diag,
               struct table **ret_table)
{
    DEFER(import_done) struct import m = {.o = options, .diag = diag, .shown = path, .fd = -1};
    TRY(find_ending(&m));
    TRY(open_source(&m));
    TRY(read_source(&m));
    return build(&m, ret_table);
}

bool
import_reads(const char *path)
{
    struct import m = {.shown = path};
    return status_ok(find_ending(&m));
}

struct status
import_file(const char *path, const struct import_options *options, struct diag *diag,
            struct table **ret_table)
{
    DEFER(table_freep) struct table *t = NULL;
    TRY(importer_is_there() ? importer_ask(path, options, diag, &t)
                            : import_columns(path, options, diag, &t));
    TRY(import_roles(path, options, diag, t));
    *ret_table = MOVE(t);
    return OK;
}
