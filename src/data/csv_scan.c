#include "data/csv_scan.h"

#include "base/text.h"
#include "data/table_build.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
    uint64_t column_bytes;      /* bytes of this record so far */
    bool quoted, quote_seen;    /* inside quotes; just after a quote inside quotes */
    bool at_start;              /* of a field */
    bool lines_are_rows;
    struct buf header; /* the header record's bytes */
    struct csv_shape shape;
    uint8_t tail[4]; /* an unfinished UTF-8 sequence between blocks */
    size_t tail_len;
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

/* ---- encoding ---- */

static struct status
check_bytes(const struct scan *s, const uint8_t *bytes, size_t n)
{
    const bool utf16 = n >= 2 && ((bytes[0] == 0xff && bytes[1] == 0xfe) ||
                                  (bytes[0] == 0xfe && bytes[1] == 0xff));
    if (s->records == 0 && s->column_bytes == 0 && utf16) {
        return refuse(s, 1, "the file is UTF-16; save it as UTF-8");
    }
    const uint8_t *zero = memchr(bytes, 0, n);
    if (zero != NULL) {
        uint64_t line = s->line;
        for (const uint8_t *p = bytes; p < zero; p++) {
            line += *p == '\n';
        }
        return refuse(s, line,
                      "a zero byte: the file is binary, or UTF-16; save it as CSV in UTF-8");
    }
    return OK;
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
add_name(struct scan *s, const struct buf *name)
{
    struct csv_shape *h = &s->shape;
    if (h->columns == s->max_columns) {
        diag_set(s->diag, "%s line 1: more than %u columns", s->shown, s->max_columns);
        FAIL(LIMIT);
    }
    if (name->len > TABLE_MAX_NAME) {
        return refuse(s, 1, "a column's name is longer than 1024 bytes");
    }
    char **grown = realloc(h->names, ((size_t)h->columns + 1) * sizeof *grown);
    CHECK(grown != NULL, MEMORY);
    h->names = grown;
    char made[32];
    (void)snprintf(made, sizeof made, "column%u",
                   h->columns + 1); /* as R and pandas leave the first name empty */
    h->names[h->columns] = build_strdup(name->len == 0 ? view_str(made) : buf_view(name));
    CHECK(h->names[h->columns] != NULL, MEMORY);
    h->columns++;
    return OK;
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
    bool quoted = false;
    for (size_t i = 0; i < line.len; i++) {
        const char c = (char)line.ptr[i];
        if (c == '"') {
            const bool twice = quoted && i + 1 < line.len && line.ptr[i + 1] == '"';
            quoted = twice ? quoted : !quoted;
            if (twice) {
                buf_put_u8(&name, '"');
                i++;
            }
        } else if (c == s->delimiter && !quoted) {
            TRY(add_name(s, &name));
            buf_reset(&name);
        } else {
            buf_put_u8(&name, (uint8_t)c);
        }
    }
    return add_name(s, &name);
}

static int
compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void
free_list(const char ***list)
{
    free(*list);
}

static struct status
check_names(const struct scan *s)
{
    const struct csv_shape *h = &s->shape;
    DEFER(free_list) const char **sorted = build_alloc(h->columns, sizeof *sorted);
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
        if (strcmp(sorted[i], sorted[i - 1]) == 0) {
            char shown[64];
            diag_set(s->diag, "%s line 1: two columns are called \"%s\"", s->shown,
                     name_shown(view_str(sorted[i]), shown));
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
    s->column_bytes = 0;
    s->at_start = true;
    s->quoted = s->quote_seen = false;
    s->record_line = s->line;
}

/* A line end outside quotes. Empty lines are skipped, as DuckDB does, unless the table has one
 * column. */
static struct status
take_line_end(struct scan *s)
{
    const bool empty = s->column_bytes == 0 && s->fields == 0;
    if (empty && (s->records == 0 || s->shape.columns != 1)) {
        s->lines_are_rows = false;
    } else {
        s->lines_are_rows = s->lines_are_rows && s->line == s->record_line;
        TRY(end_record(s));
    }
    s->line++;
    begin_record(s);
    return OK;
}

static struct status
take_plain(struct scan *s, uint8_t c)
{
    if (c == '\n') {
        return take_line_end(s);
    }
    if (c == '\r') {
        return OK;
    }
    s->column_bytes++;
    if (s->delimiter != 0 && c == (uint8_t)s->delimiter && s->records > 0) {
        s->fields++;
        s->cell = 0;
        s->at_start = true;
        return OK;
    }
    if (s->records == 0 && c == '"') {
        s->quoted = true; /* the header's delimiter is not known yet: a quote opens anywhere */
    } else if (c == '"' && s->at_start) {
        s->quoted = true;
    } else if (s->records > 0 && c == '"') {
        diag_set(s->diag,
                 "%s line %llu: field %llu has a quote inside; a field with quotes is quoted, its "
                 "quotes doubled",
                 s->shown, (unsigned long long)s->line, (unsigned long long)(s->fields + 1));
        FAIL(INPUT);
    } else if (s->records > 0 && s->quote_seen) {
        diag_set(s->diag, "%s line %llu: field %llu goes on after its closing quote", s->shown,
                 (unsigned long long)s->line, (unsigned long long)(s->fields + 1));
        FAIL(INPUT);
    }
    s->at_start = false;
    s->cell++;
    return OK;
}

static struct status
take_byte(struct scan *s, uint8_t c)
{
    if (s->records == 0 && (c != '\n' || s->quoted) && c != '\r') {
        buf_put_u8(&s->header, c);
    }
    if (!s->quoted) {
        const bool was_quote = s->quote_seen;
        if (was_quote && c == '"') {
            s->quoted = true; /* a doubled quote */
            s->quote_seen = false;
            return OK;
        }
        TRY(take_plain(s, c));
        s->quote_seen = false;
        return OK;
    }
    s->column_bytes++;
    s->cell++;
    s->line += c == '\n';
    if (c == '"') {
        s->quoted = false;
        s->quote_seen = true;
    }
    if (s->cell > CSV_MAX_CELL) {
        diag_set(s->diag,
                 "%s line %llu: field %llu is longer than %u bytes; is a closing quote missing?",
                 s->shown, (unsigned long long)s->record_line, (unsigned long long)(s->fields + 1),
                 CSV_MAX_CELL);
        FAIL(LIMIT);
    }
    return OK;
}

/* Whole sequences of a block are checked; what is unfinished at its end waits for the next block.
 */
static struct status
check_utf8(struct scan *s, const uint8_t *bytes, size_t n, bool last)
{
    uint64_t line = s->line;
    size_t from = 0;
    for (size_t i = 0; i <= n; i++) {
        const bool end = i == n;
        if (!end && bytes[i] != '\n') {
            continue;
        }
        struct view part = view_of(bytes + from, i - from);
        if (end && !last) {
            size_t keep = 0; /* at most three bytes of a sequence that has begun */
            while (keep < 3 && keep < part.len && (part.ptr[part.len - 1 - keep] & 0xc0) == 0x80) {
                keep++;
            }
            keep += keep < part.len && part.ptr[part.len - 1 - keep] >= 0xc0;
            part.len -= keep <= part.len ? keep : 0;
            s->tail_len = keep;
            memcpy(s->tail, part.ptr + part.len, keep);
        }
        if (!text_is_utf8(part)) {
            return refuse(s, line, "not UTF-8 (is it Latin-1 or Windows-1252? save it as UTF-8)");
        }
        from = i + 1;
        line++;
    }
    return OK;
}

static struct status
take_block(struct scan *s, uint8_t *bytes, size_t n, bool last)
{
    TRY(check_bytes(s, bytes + 4, n));
    uint8_t *start = bytes + 4 - s->tail_len;
    memcpy(start, s->tail, s->tail_len);
    const size_t len = n + s->tail_len;
    s->tail_len = 0;
    TRY(check_utf8(s, start, len, last));
    for (size_t i = 0; i < n; i++) {
        TRY(take_byte(s, bytes[4 + i]));
    }
    if (s->records == 0 && s->header.len > CSV_MAX_CELL / 2) {
        return refuse(s, 1, "the header is longer than 8 MiB; is it CSV?");
    }
    return OK;
}

static struct status
finish(struct scan *s)
{
    if (s->quoted) {
        return refuse(s, s->record_line, "a quote opens here and is never closed");
    }
    if (s->column_bytes > 0 || s->fields > 0) {
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

static struct status
scan_all(struct scan *s, gzFile in, uint64_t max_bytes)
{
    DEFER(buf_done) struct buf block;
    uint64_t total = 0;
    buf_init(&block, BLOCK + 4);
    uint8_t *bytes =
        buf_extend(&block, BLOCK + 4); /* 4 bytes of room before, for an unfinished sequence */
    CHECK(bytes != NULL, MEMORY);
    for (;;) {
        const int n = gzread(in, bytes + 4, BLOCK);
        if (n < 0) {
            diag_set(s->diag, "%s: the compressed file is damaged or cut short", s->shown);
            FAIL(INPUT);
        }
        TRY(take_block(s, bytes, (size_t)n, n == 0));
        total += (uint64_t)n;
        if (n == 0) {
            return finish(s);
        }
        if (total > max_bytes) {
            diag_set(s->diag, "%s: more than %llu GiB", s->shown,
                     (unsigned long long)(max_bytes >> 30));
            FAIL(LIMIT);
        }
    }
}

struct status
csv_scan(int fd, const char *shown, char delimiter, uint32_t max_columns, uint64_t max_bytes,
         struct diag *diag, struct csv_shape *ret_shape)
{
    struct scan s = {.shown = shown,
                     .diag = diag,
                     .max_columns = max_columns,
                     .delimiter = delimiter,
                     .line = 1,
                     .lines_are_rows = true};
    const int copy = dup(fd);
    DEFER(close_gzip)
    gzFile in = copy < 0 || lseek(copy, 0, SEEK_SET) < 0 ? NULL : gzdopen(copy, "rb");
    CHECK(in != NULL, IO);
    buf_init(&s.header, CSV_MAX_CELL);
    begin_record(&s);
    const struct status done = scan_all(&s, in, max_bytes);
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
