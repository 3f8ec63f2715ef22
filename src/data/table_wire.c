/* Layout: docs/spec/importer.md. u32 code, u32 errno, u32 n and n bytes of a sentence; of an import
 * that went well then pieces, u64 length and bytes each: what a sealed table (docs/spec/table.md)
 * has before its columns, and each column.
 *
 * Validity: what is taken is a table that a sealed one could be, of features alone, without a
 * positive value, and of a row at least; each piece is used up. A length makes no memory: bytes are
 * kept as they come. A process that ends in the middle leaves a cut, which is no answer. */
#include "data/table_wire.h"

#include "base/file.h"
#include "base/text.h"
#include "data/import.h"
#include "data/table_build.h"

#include <errno.h>
#include <unistd.h>

#define PIECE_MAX ((size_t)24 << 30) /* the texts of a column, 16 GiB, and where each ends */
#define STEP ((size_t)1 << 20)

/* ---- writing ---- */

static struct status
write_all(int fd, const struct buf *b)
{
    TRY(buf_status(b));
    return file_write_all(fd, buf_view(b), "the answer", NULL);
}

static struct status
write_piece(int fd, const struct buf *piece)
{
    DEFER(buf_done) struct buf length;
    buf_init(&length, 8);
    buf_put_u64le(&length, piece->len);
    TRY(buf_status(piece));
    TRY(write_all(fd, &length));
    return write_all(fd, piece);
}

static struct status
write_said(int fd, struct status said, const struct diag *diag)
{
    DEFER(buf_done) struct buf head;
    buf_init(&head, 4096);
    const struct view sentence = view_str(status_ok(said) ? "" : diag->text);
    buf_put_u32le(&head, (uint32_t)said.code);
    buf_put_u32le(&head, (uint32_t)said.os);
    buf_put_u32le(&head, (uint32_t)sentence.len);
    buf_put(&head, sentence);
    return write_all(fd, &head);
}

static struct status
write_column(int fd, struct table *t, uint32_t i)
{
    DEFER(buf_done) struct buf piece;
    buf_init(&piece, PIECE_MAX);
    table_put_column(t, i, &piece);
    column_done(&t->columns[i]);
    return write_piece(fd, &piece);
}

struct status
table_wire_put(int fd, struct status said, const struct diag *diag, struct table *t)
{
    TRY(write_said(fd, said, diag));
    if (!status_ok(said)) {
        return OK;
    }
    DEFER(buf_done) struct buf head;
    buf_init(&head, 4096);
    table_put_head(t, &head);
    TRY(write_piece(fd, &head));
    for (uint32_t i = 0; i < t->column_count; i++) {
        TRY(write_column(fd, t, i));
    }
    return OK;
}

/* ---- reading ---- */

/* Appends n bytes, as they come. */
static struct status
read_more(int fd, uint64_t n, struct buf *b)
{
    while (n > 0) {
        uint8_t *at = buf_reserve(b, n < STEP ? (size_t)n : STEP);
        TRY(buf_status(b));
        const ssize_t got = read(fd, at, n < STEP ? (size_t)n : STEP);
        if (got < 0 && errno != EINTR) {
            FAIL_OS(errno);
        }
        CHECK(got != 0, IO);
        if (got > 0) {
            (void)buf_extend(b, (size_t)got);
            n -= (uint64_t)got;
        }
    }
    return OK;
}

static struct status
read_piece(int fd, struct buf *piece)
{
    buf_reset(piece);
    TRY(read_more(fd, 8, piece));
    struct reader r = reader_of(buf_view(piece));
    const uint64_t n = reader_u64le(&r);
    CHECK(n <= PIECE_MAX, INTEGRITY);
    buf_reset(piece);
    return read_more(fd, n, piece);
}

/* A sentence goes to a terminal, and into the log. */
static struct status
take_sentence(struct view v, struct diag *diag)
{
    struct diag clean = {0};
    CHECK(text_is_utf8(v), INTEGRITY);
    for (size_t i = 0; i < v.len; i++) {
        clean.text[i] = v.ptr[i] < 0x20 || v.ptr[i] == 0x7f ? '?' : (char)v.ptr[i];
    }
    diag_set(diag, "%s", clean.text);
    return OK;
}

static struct status
read_said(int fd, struct diag *diag, struct status *ret_said)
{
    DEFER(buf_done) struct buf b;
    buf_init(&b, sizeof diag->text);
    TRY(read_more(fd, 12, &b));
    struct reader r = reader_of(buf_view(&b));
    const uint32_t code = reader_u32le(&r), os = reader_u32le(&r), n = reader_u32le(&r);
    CHECK(code < STATUS_CODES && os < 4096 && n < sizeof diag->text, INTEGRITY);
    CHECK(code != STATUS_OK || (os == 0 && n == 0), INTEGRITY);
    buf_reset(&b);
    TRY(read_more(fd, n, &b));
    TRY(take_sentence(buf_view(&b), diag));
    *ret_said = (struct status){STATUS_HERE, (int32_t)code, (int32_t)os};
    return OK;
}

static struct status
read_head(int fd, struct buf *piece, struct table **ret_table)
{
    DEFER(table_freep) struct table *t = NULL;
    TRY(read_piece(fd, piece));
    struct reader r = reader_of(buf_view(piece));
    TRY(table_take_head(&r, &t));
    CHECK(reader_left(&r) == 0 && t->positive == NULL && t->rows > 0, INTEGRITY);
    CHECK(t->rows <= IMPORT_MAX_CELLS / t->column_count, INTEGRITY);
    *ret_table = MOVE(t);
    return OK;
}

static struct status
read_column(int fd, struct buf *piece, struct table *t, uint32_t i)
{
    TRY(read_piece(fd, piece));
    struct reader r = reader_of(buf_view(piece));
    TRY(table_take_column(&r, t, i));
    CHECK(reader_left(&r) == 0 && t->columns[i].role == ROLE_FEATURE, INTEGRITY);
    return OK;
}

static struct status
read_table(int fd, struct table **ret_table)
{
    DEFER(buf_done) struct buf piece;
    DEFER(table_freep) struct table *t = NULL;
    buf_init(&piece, PIECE_MAX);
    TRY(read_head(fd, &piece, &t));
    for (uint32_t i = 0; i < t->column_count; i++) {
        TRY(read_column(fd, &piece, t, i));
    }
    TRY(table_check_names(t));
    *ret_table = MOVE(t);
    return OK;
}

struct status
table_wire_take(int fd, struct diag *diag, struct status *ret_said, struct table **ret_table)
{
    TRY(read_said(fd, diag, ret_said));
    if (!status_ok(*ret_said)) {
        return OK;
    }
    const struct status s = read_table(fd, ret_table);
    CHECK(s.code != STATUS_UNSUPPORTED, INTEGRITY);
    return s;
}
