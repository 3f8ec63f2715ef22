/* Layout: docs/spec/table.md. Everything little-endian; text is u32 length and UTF-8 without NUL.
 *
 * Validity: decode accepts exactly what encode writes (one form per table: nulls hold zero, bitmaps
 * pad with zero, categories are sorted), so equal tables have equal bytes. Allocations follow the
 * bytes that are there: before an array of n values is made, the reader holds at least n / 8 bytes
 * for it. The bytes are sealed as one object, so a torn write is the seal's matter; here a cut is a
 * failed read. */
#include "data/import.h"
#include "data/table_build.h"

#include "base/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_VERSION 1u
#define COLUMN_MIN_BYTES 21u /* name length and one byte, four flags, nulls, level count */

static const char table_magic[8] = {'s', 'w', '-', 't', 'a', 'b', 'l', 'e'};

static void
put_text(struct buf *b, const char *text)
{
    buf_put_u32le(b, (uint32_t)strlen(text));
    buf_put_str(b, text);
}

static void
put_bitmap(struct buf *b, const uint8_t *null, uint64_t rows)
{
    for (uint64_t i = 0; i < rows; i += 8) {
        unsigned byte = 0;
        for (uint64_t k = i; k < rows && k < i + 8; k++) {
            byte |= (unsigned)(null[k] != 0) << (k - i);
        }
        buf_put_u8(b, (uint8_t)byte);
    }
}

static void
put_values(struct buf *b, const struct column *c, uint64_t rows)
{
    for (uint64_t i = 0; i < rows; i++) {
        const bool null = column_is_null(c, i);
        if (c->f != NULL) {
            buf_put_f64le(b, null ? 0.0 : c->f[i]);
        } else if (c->i != NULL) {
            buf_put_u64le(b, null ? 0 : (uint64_t)c->i[i]);
        } else if (c->code != NULL) {
            buf_put_u32le(b, null ? UINT32_MAX : (uint32_t)c->code[i]);
        } else {
            buf_put_u64le(b, c->offset[i + 1] - c->offset[0]);
        }
    }
    if (c->type == COLUMN_TEXT) {
        buf_put(b, view_of(c->bytes, (size_t)c->offset[rows]));
    }
}

void
table_put_column(const struct table *t, uint32_t i, struct buf *b)
{
    const struct column *c = &t->columns[i];
    const uint64_t rows = t->rows;
    put_text(b, c->name);
    buf_put_u8(b, (uint8_t)c->type);
    buf_put_u8(b, (uint8_t)c->role);
    buf_put_u8(b, c->is_feature);
    buf_put_u8(b, c->nulls > 0);
    buf_put_u64le(b, c->nulls);
    buf_put_u32le(b, c->level_count);
    for (uint32_t k = 0; k < c->level_count; k++) {
        put_text(b, c->levels[k]);
    }
    if (c->nulls > 0) {
        put_bitmap(b, c->null, rows);
    }
    put_values(b, c, rows);
}

void
table_put_head(const struct table *t, struct buf *b)
{
    buf_put(b, view_of(table_magic, sizeof table_magic));
    buf_put_u32le(b, TABLE_VERSION);
    buf_put_u64le(b, t->rows);
    buf_put_u32le(b, t->column_count);
    buf_put_u8(b, t->positive != NULL);
    if (t->positive != NULL) {
        put_text(b, t->positive);
    }
}

struct status
table_encode(const struct table *t, struct buf *ret_bytes)
{
    table_put_head(t, ret_bytes);
    for (uint32_t i = 0; i < t->column_count; i++) {
        table_put_column(t, i, ret_bytes);
    }
    return buf_status(ret_bytes);
}

static struct status
take_text(struct reader *r, uint32_t max, char **ret_text)
{
    const uint32_t n = reader_u32le(r);
    CHECK(!r->bad && n <= max, INTEGRITY);
    const struct view v = reader_bytes(r, n);
    CHECK(!r->bad && text_is_utf8(v), INTEGRITY);
    CHECK(n == 0 || memchr(v.ptr, 0, n) == NULL, INTEGRITY);
    *ret_text = build_strdup(v);
    CHECK(*ret_text != NULL, MEMORY);
    return OK;
}

static struct status
take_levels(struct reader *r, struct column *c)
{
    const uint32_t n = reader_u32le(r);
    const bool has = c->type == COLUMN_CATEGORY || c->type == COLUMN_BOOLEAN;
    CHECK(!r->bad && (has || n == 0) && (c->type != COLUMN_BOOLEAN || n == 2), INTEGRITY);
    CHECK(n <= TABLE_MAX_LEVELS && n <= reader_left(r) / 4, INTEGRITY);
    if (!has) {
        return OK; /* none, as of a column that was imported */
    }
    c->levels = build_alloc(n, sizeof *c->levels);
    CHECK(c->levels != NULL, MEMORY);
    for (uint32_t k = 0; k < n; k++) {
        c->level_count = k + 1;
        TRY(take_text(r, UINT32_MAX, &c->levels[k]));
        const int order = k == 0 ? -1 : strcmp(c->levels[k - 1], c->levels[k]);
        CHECK(order < 0 || (c->type == COLUMN_BOOLEAN && order != 0), INTEGRITY);
    }
    return OK;
}

static struct status
take_nulls(struct reader *r, struct column *c, uint64_t rows, uint64_t nulls)
{
    if (nulls == 0) {
        return OK;
    }
    CHECK(reader_left(r) >= (rows + 7) / 8, INTEGRITY);
    c->null = build_alloc(rows, 1);
    CHECK(c->null != NULL, MEMORY);
    for (uint64_t i = 0; i < rows; i += 8) {
        const unsigned byte = reader_u8(r);
        CHECK(rows - i >= 8 || byte >> (rows - i) == 0, INTEGRITY);
        for (uint64_t k = i; k < rows && k < i + 8; k++) {
            c->null[k] = byte >> (k - i) & 1;
            c->nulls += c->null[k];
        }
    }
    CHECK(c->nulls == nulls, INTEGRITY);
    return OK;
}

static bool
take_value(struct reader *r, struct column *c, uint64_t row)
{
    const bool null = column_is_null(c, row);
    if (c->f != NULL) {
        c->f[row] = reader_f64le(r);
        return null ? c->f[row] == 0 && !signbit(c->f[row]) : isfinite(c->f[row]);
    }
    if (c->i != NULL) {
        c->i[row] = (int64_t)reader_u64le(r);
        const bool in =
            c->type != COLUMN_TIME || (c->i[row] >= TIME_MIN_US && c->i[row] <= TIME_MAX_US);
        return null ? c->i[row] == 0 : in;
    }
    if (c->code != NULL) {
        const uint32_t code = reader_u32le(r);
        c->code[row] = (int32_t)code;
        return null ? code == UINT32_MAX : code < c->level_count;
    }
    c->offset[row + 1] = reader_u64le(r);
    return c->offset[row + 1] >= c->offset[row] && (!null || c->offset[row + 1] == c->offset[row]);
}

static struct status
take_text_bytes(struct reader *r, struct column *c, uint64_t rows)
{
    const uint64_t n = c->offset[rows];
    CHECK(n <= reader_left(r), INTEGRITY);
    const struct view v = reader_bytes(r, (size_t)n);
    c->bytes = build_strdup(v);
    CHECK(c->bytes != NULL, MEMORY);
    for (uint64_t i = 0; i < rows; i++) {
        const struct view one = column_text(c, i);
        CHECK(text_is_utf8(one), INTEGRITY);
        CHECK(one.len == 0 || memchr(one.ptr, 0, one.len) == NULL, INTEGRITY);
    }
    return OK;
}

struct status
table_take_column(struct reader *r, struct table *t, uint32_t i)
{
    struct column *c = &t->columns[i];
    const uint64_t rows = t->rows;
    TRY(take_text(r, TABLE_MAX_NAME, &c->name));
    const uint8_t type = reader_u8(r);
    const uint8_t role = reader_u8(r);
    const uint8_t feature = reader_u8(r);
    const uint8_t has_null = reader_u8(r);
    const uint64_t nulls = reader_u64le(r);
    CHECK(!r->bad && c->name[0] != '\0' && type < COLUMN_TYPES && role < ROLE_SUBJECT, INTEGRITY);
    CHECK(feature <= 1 && has_null == (nulls > 0) && nulls <= rows, INTEGRITY);
    CHECK(role == ROLE_SENSITIVE || feature == (role == ROLE_FEATURE), INTEGRITY);
    c->type = (enum column_type)type;
    c->role = (enum column_role)role;
    c->is_feature = feature;
    TRY(take_levels(r, c));
    TRY(take_nulls(r, c, rows, nulls));
    CHECK(rows <= reader_left(r) / 4, INTEGRITY);
    TRY(column_alloc(c, c->type, rows));
    for (uint64_t row = 0; row < rows; row++) {
        const bool valid = take_value(r, c, row);
        CHECK(valid && !r->bad, INTEGRITY);
    }
    return c->type == COLUMN_TEXT ? take_text_bytes(r, c, rows) : OK;
}

static int
compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

struct status
table_check_names(const struct table *t)
{
    DEFER(memory_freep) const char **names = build_alloc(t->column_count, sizeof *names);
    CHECK(names != NULL, MEMORY);
    unsigned labels = 0;
    for (uint32_t i = 0; i < t->column_count; i++) {
        names[i] = t->columns[i].name;
        labels += t->columns[i].role == ROLE_LABEL;
    }
    qsort(names, t->column_count, sizeof *names, compare_names);
    for (uint32_t i = 1; i < t->column_count; i++) {
        CHECK(strcmp(names[i - 1], names[i]) != 0, INTEGRITY);
    }
    CHECK(labels <= 1 && (t->positive == NULL || labels == 1), INTEGRITY);
    return OK;
}

struct status
table_take_head(struct reader *r, struct table **ret_table)
{
    const struct view magic = reader_bytes(r, sizeof table_magic);
    CHECK(view_equal(magic, view_of(table_magic, sizeof table_magic)), INTEGRITY);
    const uint32_t version = reader_u32le(r);
    CHECK(!r->bad, INTEGRITY);
    CHECK(version == TABLE_VERSION, UNSUPPORTED);
    const uint64_t rows = reader_u64le(r);
    const uint32_t columns = reader_u32le(r);
    const uint8_t has_positive = reader_u8(r);
    CHECK(!r->bad && columns <= IMPORT_MAX_COLUMNS && has_positive <= 1, INTEGRITY);
    CHECK(columns > 0 || rows == 0, INTEGRITY);
    DEFER(table_freep) struct table *t = table_new(rows, columns);
    CHECK(t != NULL, MEMORY);
    if (has_positive) {
        TRY(take_text(r, UINT32_MAX, &t->positive));
    }
    *ret_table = MOVE(t);
    return OK;
}

static struct status
decode(struct view bytes, struct table **ret_table)
{
    struct reader r = reader_of(bytes);
    DEFER(table_freep) struct table *t = NULL;
    TRY(table_take_head(&r, &t));
    CHECK(t->column_count <= reader_left(&r) / COLUMN_MIN_BYTES, INTEGRITY);
    for (uint32_t i = 0; i < t->column_count; i++) {
        TRY(table_take_column(&r, t, i));
    }
    CHECK(!r.bad && reader_left(&r) == 0, INTEGRITY);
    TRY(table_check_names(t));
    *ret_table = MOVE(t);
    return OK;
}

struct status
table_decode(struct view bytes, struct diag *diag, struct table **ret_table)
{
    const struct status s = decode(bytes, ret_table);
    if (s.code == STATUS_INTEGRITY) {
        diag_set(diag, "the table's bytes are not what was written: damaged or cut short");
    } else if (s.code == STATUS_UNSUPPORTED) {
        diag_set(diag, "the table was written in a format version this program does not read");
    }
    return s;
}
