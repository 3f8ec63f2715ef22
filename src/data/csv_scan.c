#include "data/csv_scan.h"

#include "base/file.h"
#include "base/text.h"
#include "data/encoding.h"
#include "data/table_build.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <zlib.h>

#define BLOCK (256u << 10)

struct scan {
    const char *shown;
    struct diag *diag;
    uint32_t max_columns;
    char delimiter;             /* 0 until the header line is in */
    uint64_t line, record_line; /* from 1; where the record began */
    uint64_t records;           /* finished ones, header included */
    uint64_t fields;            /* in this record so far */
    size_t cell;                /* bytes of this field so far */
    uint64_t record_bytes;      /* bytes of this record so far */
    bool quoted, quote_seen;    /* inside quotes; just after a quote inside quotes */
    bool cr;                    /* just after a carriage return outside quotes */
    char line_end;              /* of the first line: 'n', 'r' for both; 0 until then */
    bool at_start;              /* of a field */
    bool lines_are_rows;
    struct buf header; /* the header record's bytes */
    struct csv_shape shape;
    struct encoding encoding;
};

void
csv_shape_done(struct csv_shape *s)
{
    for (uint32_t i = 0; s->names != NULL && i < s->columns; i++) {
        free(s->names[i]);
    }
    free(s->names);
    *s = (struct csv_shape){0};
}

static struct status
refuse(const struct scan *s, uint64_t line, const char *what)
{
    diag_set(s->diag, "%s line %llu: %s", s->shown, (unsigned long long)line, what);
    FAIL(INPUT);
}

/* ---- header ---- */

static char
find_delimiter(struct view line)
{
    static const char candidates[] = ",;\t|";
    size_t counts[4] = {0}, best = 0;
    bool quoted = false;
    for (size_t i = 0; i < line.len; i++) {
        quoted ^= line.ptr[i] == '"';
        const char *at = quoted ? NULL : memchr(candidates, line.ptr[i], 4);
        if (at != NULL) {
            counts[at - candidates]++;
        }
    }
    for (size_t i = 1; i < 4; i++) {
        best = counts[i] > counts[best] ? i : best;
    }
    return candidates[best];
}

static struct status
add_name(struct scan *s, struct view name)
{
    struct csv_shape *h = &s->shape;
    if (h->columns == s->max_columns) {
        diag_set(s->diag, "%s line 1: more than %u columns", s->shown, s->max_columns);
        FAIL(LIMIT);
    }
    if (name.len > TABLE_MAX_NAME) {
        return refuse(s, 1, "a column's name is longer than 1024 bytes");
    }
    if ((h->columns & (h->columns - 1)) == 0) { /* full at every power of two */
        char **grown =
            realloc(h->names, (h->columns == 0 ? 1 : 2 * (size_t)h->columns) * sizeof *grown);
        CHECK(grown != NULL, MEMORY);
        h->names = grown;
    }
    char made[32];
    (void)snprintf(made, sizeof made, "column%u",
                   h->columns + 1); /* as R and pandas leave the first name empty */
    h->names[h->columns] = build_strdup(name.len == 0 ? view_str(made) : name);
    CHECK(h->names[h->columns] != NULL, MEMORY);
    h->columns++;
    return OK;
}

/* One name, from line.ptr[*at]; *at is left at the delimiter or the end. */
static struct status
take_name(struct scan *s, struct view line, size_t *at, struct buf *name)
{
    const bool quoted = *at < line.len && line.ptr[*at] == '"';
    size_t i = *at + quoted;
    bool open = quoted;
    buf_reset(name);
    for (; i < line.len && (open || line.ptr[i] != (uint8_t)s->delimiter); i++) {
        const bool quote = line.ptr[i] == '"';
        if (quote && open && i + 1 < line.len && line.ptr[i + 1] == '"') {
            i++; /* doubled */
        } else if (quote && open) {
            open = false;
            continue;
        } else if (quote || quoted != open) {
            return refuse(s, 1,
                          "a name is quoted in part; quote the whole name, its quotes doubled");
        }
        buf_put_u8(name, line.ptr[i]);
    }
    *at = i;
    return buf_status(name);
}

static struct status
split_header(struct scan *s)
{
    struct view line = buf_view(&s->header);
    if (line.len >= 3 && memcmp(line.ptr, "\xef\xbb\xbf", 3) == 0) {
        line = view_of(line.ptr + 3, line.len - 3);
    }
    if (s->delimiter == 0) {
        s->delimiter = find_delimiter(line);
    }
    DEFER(buf_done) struct buf name;
    buf_init(&name, CSV_MAX_CELL);
    for (size_t at = 0; at <= line.len; at++) {
        TRY(take_name(s, line, &at, &name));
        TRY(add_name(s, view_trimmed(buf_view(&name))));
    }
    return OK;
}

static int
compare_names(const void *a, const void *b)
{
    return strcasecmp(*(const char *const *)a, *(const char *const *)b);
}

static struct status
check_names(const struct scan *s)
{
    const struct csv_shape *h = &s->shape;
    DEFER(memory_freep) const char **sorted = build_alloc(h->columns, sizeof *sorted);
    CHECK(sorted != NULL, MEMORY);
    bool all_numbers = true;
    for (uint32_t i = 0; i < h->columns; i++) {
        double ignored = 0;
        sorted[i] = h->names[i];
        all_numbers = all_numbers && status_ok(text_to_f64(view_str(h->names[i]), &ignored));
    }
    if (all_numbers) {
        return refuse(s, 1,
                      "every column's name is a number: the first line must be names, not data");
    }
    qsort(sorted, h->columns, sizeof *sorted, compare_names);
    for (uint32_t i = 1; i < h->columns; i++) {
        if (strcasecmp(sorted[i], sorted[i - 1]) == 0) {
            const bool same = strcmp(sorted[i], sorted[i - 1]) == 0;
            char shown[64];
            diag_set(s->diag, "%s line 1: two columns are called \"%s\"%s", s->shown,
                     name_shown(view_str(sorted[i]), shown),
                     same ? "" : " (SQL does not tell capitals from small letters)");
            FAIL(INPUT);
        }
    }
    return OK;
}

/* ---- records ---- */

static struct status
check_field_count(const struct scan *s)
{
    if (s->fields == s->shape.columns) {
        return OK;
    }
    diag_set(s->diag, "%s line %llu: %llu fields; the header on line 1 has %u", s->shown,
             (unsigned long long)s->record_line, (unsigned long long)s->fields, s->shape.columns);
    FAIL(INPUT);
}

static struct status
end_record(struct scan *s)
{
    s->fields++;
    if (s->records == 0) {
        TRY(buf_status(&s->header));
        TRY(split_header(s));
        TRY(check_names(s));
    } else {
        TRY(check_field_count(s));
        s->shape.rows++;
    }
    s->records++;
    return OK;
}

static void
begin_record(struct scan *s)
{
    s->fields = 0;
    s->cell = 0;
    s->record_bytes = 0;
    s->at_start = true;
    s->quoted = s->quote_seen = false;
    s->record_line = s->line;
}

static struct status
check_sizes(const struct scan *s)
{
    if (s->cell <= CSV_MAX_CELL && s->record_bytes <= CSV_MAX_RECORD) {
        return OK;
    }
    const bool cell = s->cell > CSV_MAX_CELL;
    diag_set(s->diag,
             "%s line %llu: field %llu%s is longer than %u MiB; is a closing quote missing?",
             s->shown, (unsigned long long)s->record_line, (unsigned long long)(s->fields + 1),
             cell ? "" : " ends a record that", (cell ? CSV_MAX_CELL : CSV_MAX_RECORD) >> 20);
    FAIL(LIMIT);
}

/* DuckDB takes one kind of line end in a file, and so do we. */
static struct status
check_line_end(struct scan *s)
{
    const char kind = s->cr ? 'r' : 'n';
    s->cr = false;
    if (s->line_end == 0) {
        s->line_end = kind;
    }
    if (s->line_end != kind) {
        return refuse(s, s->line,
                      kind == 'r'
                          ? "ends with CR LF, the lines before it with LF; use one of them"
                          : "ends with LF, the lines before it with CR LF; use one of them");
    }
    return OK;
}

/* A line end outside quotes. Empty lines are skipped, as DuckDB does, unless the table has one
 * column. */
static struct status
take_line_end(struct scan *s)
{
    TRY(check_line_end(s));
    const bool empty = s->record_bytes == 0 && s->fields == 0;
    if (empty && s->records == 0) {
        return refuse(s, s->line, "empty: the first line must be the columns' names");
    }
    if (empty && s->shape.columns != 1) {
        s->lines_are_rows = false;
    } else {
        s->lines_are_rows = s->lines_are_rows && s->line == s->record_line;
        TRY(end_record(s));
    }
    s->line++;
    begin_record(s);
    return OK;
}

/* A byte of a field, outside quotes and no delimiter. */
static struct status
take_letter(struct scan *s, uint8_t c)
{
    const char *wrong = NULL;
    if (c == '"' && (s->at_start || s->records == 0)) {
        s->quoted = true; /* the header's delimiter is not known yet: a quote opens anywhere */
    } else if (s->records > 0 && c == '"') {
        wrong = "has a quote inside; a field with quotes is quoted, its quotes doubled";
    } else if (s->records > 0 && s->quote_seen) {
        wrong = "goes on after its closing quote";
    }
    if (wrong != NULL) {
        diag_set(s->diag, "%s line %llu: field %llu %s", s->shown, (unsigned long long)s->line,
                 (unsigned long long)(s->fields + 1), wrong);
        FAIL(INPUT);
    }
    s->at_start = false;
    s->cell++;
    return check_sizes(s);
}

static struct status
take_plain(struct scan *s, uint8_t c)
{
    if (c == '\n') {
        return take_line_end(s);
    }
    if (s->cr) {
        return refuse(s, s->line,
                      "a carriage return without a line feed; end lines with LF or CR LF");
    }
    if (c == '\r') {
        s->cr = true;
        return OK;
    }
    s->record_bytes++;
    if (s->records > 0 && c == (uint8_t)s->delimiter) {
        s->fields++;
        s->cell = 0;
        s->at_start = true;
        return check_sizes(s);
    }
    return take_letter(s, c);
}

static struct status
take_byte(struct scan *s, uint8_t c)
{
    if (s->records == 0 && (s->quoted || (c != '\n' && c != '\r'))) {
        buf_put_u8(&s->header, c);
    }
    if (s->quoted) {
        s->record_bytes++;
        s->cell++;
        s->line += c == '\n';
        s->quote_seen = c == '"';
        s->quoted = !s->quote_seen;
        return check_sizes(s);
    }
    if (s->quote_seen && c == '"') { /* a doubled quote */
        s->quoted = true;
        s->quote_seen = false;
        return OK;
    }
    TRY(take_plain(s, c));
    s->quote_seen = false;
    return OK;
}

/* A header that long is not one; when it has too many columns, that is the better reason. */
static struct status
refuse_long_header(struct scan *s)
{
    TRY(split_header(s));
    return refuse(s, 1, "the header is longer than 8 MiB; is it CSV?");
}

static struct status
take_block(struct scan *s, uint8_t *bytes, size_t n, bool last)
{
    TRY(encoding_check(&s->encoding, s->shown, s->diag, bytes, n, last));
    for (size_t i = 0; i < n; i++) {
        TRY(take_byte(s, bytes[ENCODING_ROOM + i]));
    }
    return s->records == 0 && s->header.len > CSV_MAX_CELL / 2 ? refuse_long_header(s) : OK;
}

static struct status
finish(struct scan *s)
{
    if (s->quoted) {
        return refuse(s, s->record_line, "a quote opens here and is never closed");
    }
    if (s->cr) {
        return refuse(s, s->line,
                      "a carriage return without a line feed; end lines with LF or CR LF");
    }
    if (s->record_bytes > 0 || s->fields > 0) {
        TRY(end_record(s));
    }
    if (s->records == 0) {
        diag_set(s->diag, "%s: empty: the first line must be the columns' names", s->shown);
        FAIL(INPUT);
    }
    if (s->shape.rows == 0) {
        diag_set(s->diag, "%s: names but no rows", s->shown);
        FAIL(INPUT);
    }
    return OK;
}

static void
close_gzip(gzFile *in)
{
    if (*in != NULL) {
        (void)gzclose(*in);
    }
}

/* A reader of its own: closing it leaves fd open. */
static struct status
open_gzip(int fd, gzFile *ret_in)
{
    DEFER(file_closep) int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0 || lseek(copy, 0, SEEK_SET) < 0) {
        FAIL_OS(errno);
    }
    *ret_in = gzdopen(copy, "rb");
    CHECK(*ret_in != NULL, MEMORY);
    copy = -1; /* the reader's now */
    return OK;
}

static struct status
refuse_damaged(const struct scan *s)
{
    diag_set(s->diag, "%s: the compressed file is damaged or cut short", s->shown);
    FAIL(INPUT);
}

/* The end of a stream that was cut reads like any other; only gzerror tells. */
static struct status
check_end(const struct scan *s, gzFile in)
{
    int code = Z_OK;
    (void)gzerror(in, &code);
    return code == Z_OK || code == Z_STREAM_END ? OK : refuse_damaged(s);
}

static struct status
scan_all(struct scan *s, gzFile in, uint64_t max_bytes)
{
    DEFER(buf_done) struct buf block;
    uint64_t total = 0;
    buf_init(&block, BLOCK + ENCODING_ROOM);
    uint8_t *bytes = buf_extend(&block, BLOCK + ENCODING_ROOM);
    CHECK(bytes != NULL, MEMORY);
    for (;;) {
        const int n = gzread(in, bytes + ENCODING_ROOM, BLOCK);
        if (n < 0) {
            return refuse_damaged(s);
        }
        TRY(take_block(s, bytes, (size_t)n, n == 0));
        if (n == 0) {
            TRY(check_end(s, in));
            return finish(s);
        }
        total += (uint64_t)n;
        if (total > max_bytes) {
            diag_set(s->diag, "%s: more than %llu GiB", s->shown,
                     (unsigned long long)(max_bytes >> 30));
            FAIL(LIMIT);
        }
    }
}

static struct status
check_gzip(const struct scan *s, gzFile in, bool gzip)
{
    const bool packed = gzdirect(in) == 0;
    if (packed != gzip) {
        diag_set(s->diag, "%s: %s", s->shown,
                 packed ? "is gzip-compressed; its name must end in .gz"
                        : "is not gzip-compressed; its name must not end in .gz");
        FAIL(INPUT);
    }
    return OK;
}

struct status
csv_scan(int fd, const char *shown, bool gzip, char delimiter, uint32_t max_columns,
         uint64_t max_bytes, struct diag *diag, struct csv_shape *ret_shape)
{
    struct scan s = {.shown = shown,
                     .diag = diag,
                     .max_columns = max_columns,
                     .delimiter = delimiter,
                     .line = 1,
                     .lines_are_rows = true};
    DEFER(close_gzip) gzFile in = NULL;
    TRY(open_gzip(fd, &in));
    buf_init(&s.header, CSV_MAX_CELL);
    begin_record(&s);
    struct status done = check_gzip(&s, in, gzip);
    if (status_ok(done)) {
        done = scan_all(&s, in, max_bytes);
    }
    buf_done(&s.header);
    if (!status_ok(done)) {
        csv_shape_done(&s.shape);
        return done;
    }
    s.shape.delimiter = s.delimiter;
    s.shape.lines_are_rows = s.lines_are_rows;
    *ret_shape = s.shape;
    return OK;
}
