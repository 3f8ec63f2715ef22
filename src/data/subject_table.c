/* Layout: docs/spec/subjects.md. Little-endian; text is u32 length and UTF-8 without NUL.
 *
 *   "sw-subj1", u64 rows, u32 columns, u8 has positive, its text
 *   a column: text name, u8 type, u8 role, u8 is feature, u64 nulls; boolean: two texts
 *   u32 persons; of each, by slot: u32 slot, u32 rows, u64 length; then their sealed bytes
 *
 * A person's plain bytes: their rows in order: u64 number, a bitmap of nulls over the columns (from
 * the lowest bit), then each value that is there: float f64, integer and time i64, boolean u8,
 * category and text a text. Levels of categories are in no open part: they are values. */
#include "data/subject_table.h"

#include "base/random.h"
#include "base/text.h"
#include "data/import.h"
#include "data/import_infer.h"
#include "data/table_build.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PERSON_BYTES 16u
#define COLUMN_MIN_BYTES 16u
#define ROWS_MAX ((size_t)16 << 30)

static const char magic[8] = {'s', 'w', '-', 's', 'u', 'b', 'j', '1'};

const struct column *
table_subject(const struct table *t)
{
    for (uint32_t i = 0; i < t->column_count; i++) {
        if (t->columns[i].role == ROLE_SUBJECT) {
            return &t->columns[i];
        }
    }
    return NULL;
}

bool
subject_table_is(struct view bytes)
{
    return bytes.len >= sizeof magic && memcmp(bytes.ptr, magic, sizeof magic) == 0;
}

static void
put_text(struct buf *b, struct view text)
{
    buf_put_u32le(b, (uint32_t)text.len);
    buf_put(b, text);
}

/* ---- writing ---- */

/* Rows from..to of `row` are one person's. */
struct person {
    size_t from, to;
    uint32_t slot;
    uint64_t length; /* sealed */
};

struct persons {
    struct person *items;
    size_t count;
    size_t *row; /* grouped */
};

static void
persons_done(struct persons *p)
{
    free(p->items);
    free(p->row);
}

static int
by_subject(const void *a, const void *b, void *ctx)
{
    const struct column *c = ctx;
    const size_t i = *(const size_t *)a, j = *(const size_t *)b;
    const int order = view_compare(column_text(c, i), column_text(c, j));
    return order != 0 ? order : i < j ? -1 : i > j;
}

static int
by_slot(const void *a, const void *b)
{
    const struct person *x = a, *y = b;
    return x->slot < y->slot ? -1 : x->slot > y->slot;
}

static struct status
group(const struct table *t, const struct column *c, struct persons *ret)
{
    const size_t rows = (size_t)t->rows;
    ret->row = build_alloc(rows, sizeof *ret->row);
    ret->items = build_alloc(rows, sizeof *ret->items);
    CHECK(ret->row != NULL && ret->items != NULL, MEMORY);
    for (size_t i = 0; i < rows; i++) {
        ret->row[i] = i;
    }
    qsort_r(ret->row, rows, sizeof *ret->row, by_subject, (void *)(uintptr_t)c);
    for (size_t i = 0; i < rows; i++) {
        if (i == 0 || !view_equal(column_text(c, ret->row[i - 1]), column_text(c, ret->row[i]))) {
            ret->items[ret->count++] = (struct person){.from = i};
        }
        ret->items[ret->count - 1].to = i + 1;
    }
    return OK;
}

/* Slots are given in an order that tells nothing of names. */
static void
shuffle(struct persons *p)
{
    for (size_t i = p->count; i > 1; i--) {
        uint64_t draw = 0;
        random_bytes(&draw, sizeof draw);
        const size_t k = (size_t)(draw % i);
        const struct person other = p->items[k];
        p->items[k] = p->items[i - 1];
        p->items[i - 1] = other;
    }
}

static struct status
give_slots(const struct column *c, const struct subject_sealer *by, struct persons *p)
{
    shuffle(p);
    for (size_t k = 0; k < p->count; k++) {
        TRY(by->slot(by->ctx, column_text(c, p->row[p->items[k].from]), &p->items[k].slot));
    }
    qsort(p->items, p->count, sizeof *p->items, by_slot);
    return OK;
}

static void
put_value(const struct column *c, size_t row, struct buf *b)
{
    switch (c->type) {
    case COLUMN_FLOAT:
        buf_put_f64le(b, c->f[row]);
        break;
    case COLUMN_INTEGER:
    case COLUMN_TIME:
        buf_put_u64le(b, (uint64_t)c->i[row]);
        break;
    case COLUMN_BOOLEAN:
        buf_put_u8(b, (uint8_t)c->code[row]);
        break;
    case COLUMN_CATEGORY:
        put_text(b, view_str(c->levels[c->code[row]]));
        break;
    default:
        put_text(b, column_text(c, row));
        break;
    }
}

static void
put_row(const struct table *t, size_t row, struct buf *b)
{
    const uint64_t number = t->number == NULL ? row : t->number[row];
    buf_put_u64le(b, number);
    for (uint32_t i = 0; i < t->column_count; i += 8) {
        unsigned byte = 0;
        for (uint32_t k = i; k < t->column_count && k < i + 8; k++) {
            byte |= (unsigned)column_is_null(&t->columns[k], row) << (k - i);
        }
        buf_put_u8(b, (uint8_t)byte);
    }
    for (uint32_t i = 0; i < t->column_count; i++) {
        if (!column_is_null(&t->columns[i], row)) {
            put_value(&t->columns[i], row, b);
        }
    }
}

static void
put_schema(const struct table *t, struct buf *b)
{
    buf_put(b, view_of(magic, sizeof magic));
    buf_put_u64le(b, t->rows);
    buf_put_u32le(b, t->column_count);
    buf_put_u8(b, t->positive != NULL);
    if (t->positive != NULL) {
        put_text(b, view_str(t->positive));
    }
    for (uint32_t i = 0; i < t->column_count; i++) {
        const struct column *c = &t->columns[i];
        put_text(b, view_str(c->name));
        buf_put_u8(b, (uint8_t)c->type);
        buf_put_u8(b, (uint8_t)c->role);
        buf_put_u8(b, c->is_feature);
        buf_put_u64le(b, c->nulls);
        for (uint32_t k = 0; k < c->level_count && c->type == COLUMN_BOOLEAN; k++) {
            put_text(b, view_str(c->levels[k]));
        }
    }
}

static struct status
seal_persons(const struct table *t, const struct subject_sealer *by, struct persons *p,
             struct buf *ret_sealed)
{
    DEFER(buf_wipe) struct buf plain;
    buf_init(&plain, ROWS_MAX);
    for (size_t k = 0; k < p->count; k++) {
        const size_t before = ret_sealed->len;
        buf_cut(&plain, 0);
        for (size_t i = p->items[k].from; i < p->items[k].to; i++) {
            put_row(t, p->row[i], &plain);
        }
        TRY(buf_status(&plain));
        TRY(by->seal(by->ctx, p->items[k].slot, buf_view(&plain), ret_sealed));
        TRY(buf_status(ret_sealed));
        p->items[k].length = ret_sealed->len - before;
    }
    return OK;
}

struct status
subject_table_encode(const struct table *t, const struct subject_sealer *by, struct buf *ret_bytes)
{
    DEFER(persons_done) struct persons p = {0};
    DEFER(buf_done) struct buf sealed;
    const struct column *c = table_subject(t);
    ASSERT(c != NULL && c->type == COLUMN_TEXT && c->nulls == 0 && t->erased == 0);
    buf_init(&sealed, ROWS_MAX);
    CHECK(t->rows <= UINT32_MAX, LIMIT);
    TRY(group(t, c, &p));
    TRY(give_slots(c, by, &p));
    TRY(seal_persons(t, by, &p, &sealed));
    put_schema(t, ret_bytes);
    buf_put_u32le(ret_bytes, (uint32_t)p.count);
    for (size_t k = 0; k < p.count; k++) {
        buf_put_u32le(ret_bytes, p.items[k].slot);
        buf_put_u32le(ret_bytes, (uint32_t)(p.items[k].to - p.items[k].from));
        buf_put_u64le(ret_bytes, p.items[k].length);
    }
    buf_put(ret_bytes, buf_view(&sealed));
    return buf_status(ret_bytes);
}

/* ---- reading what lies open ---- */

struct schema {
    uint64_t rows;
    uint32_t persons;
    struct table *t; /* columns without values */
    struct reader index, sealed;
};

static void
schema_done(struct schema *s)
{
    table_free(s->t);
}

static struct status
take_text(struct reader *r, size_t max, struct view *ret_text)
{
    const uint32_t n = reader_u32le(r);
    CHECK(!r->bad && n <= max, INTEGRITY);
    *ret_text = reader_bytes(r, n);
    CHECK(!r->bad && text_is_utf8(*ret_text), INTEGRITY);
    CHECK(n == 0 || memchr(ret_text->ptr, 0, n) == NULL, INTEGRITY);
    return OK;
}

static struct status
take_copy(struct reader *r, size_t max, char **ret_text)
{
    struct view text = {0};
    TRY(take_text(r, max, &text));
    *ret_text = build_strdup(text);
    CHECK(*ret_text != NULL, MEMORY);
    return OK;
}

static struct status
take_spellings(struct reader *r, struct column *c)
{
    c->levels = build_alloc(2, sizeof *c->levels);
    CHECK(c->levels != NULL, MEMORY);
    for (uint32_t k = 0; k < 2; k++) {
        c->level_count = k + 1;
        TRY(take_copy(r, UINT32_MAX, &c->levels[k]));
    }
    CHECK(strcmp(c->levels[0], c->levels[1]) != 0, INTEGRITY);
    return OK;
}

static struct status
take_column(struct reader *r, uint64_t rows, struct column *c)
{
    TRY(take_copy(r, TABLE_MAX_NAME, &c->name));
    const uint8_t type = reader_u8(r), role = reader_u8(r), feature = reader_u8(r);
    const uint64_t nulls = reader_u64le(r);
    CHECK(!r->bad && c->name[0] != '\0' && type < COLUMN_TYPES && role < COLUMN_ROLES, INTEGRITY);
    CHECK(feature <= 1 && nulls <= rows, INTEGRITY);
    CHECK(role == ROLE_SENSITIVE || feature == (role == ROLE_FEATURE), INTEGRITY);
    CHECK(role != ROLE_SUBJECT || (type == COLUMN_TEXT && nulls == 0), INTEGRITY);
    c->type = (enum column_type)type;
    c->role = (enum column_role)role;
    c->is_feature = feature;
    return type == COLUMN_BOOLEAN ? take_spellings(r, c) : OK;
}

/* Slots ascend; rows and lengths add up to what there is. */
static struct status
check_index(const struct schema *s)
{
    struct reader r = s->index;
    uint64_t rows = 0, length = 0, before = 0;
    for (uint32_t i = 0; i < s->persons; i++) {
        const uint32_t slot = reader_u32le(&r), n = reader_u32le(&r);
        const uint64_t bytes = reader_u64le(&r);
        CHECK(n > 0 && (i == 0 || slot > before) && bytes <= reader_left(&s->sealed) - length,
              INTEGRITY);
        before = slot;
        rows += n;
        length += bytes;
    }
    CHECK(!r.bad && rows == s->rows && length == reader_left(&s->sealed), INTEGRITY);
    return OK;
}

static struct status
take_persons(struct reader *r, struct schema *s)
{
    s->persons = reader_u32le(r);
    CHECK(!r->bad && s->persons <= s->rows && s->persons <= reader_left(r) / PERSON_BYTES,
          INTEGRITY);
    s->index = reader_of(reader_bytes(r, (size_t)s->persons * PERSON_BYTES));
    s->sealed = reader_of(reader_bytes(r, reader_left(r)));
    return check_index(s);
}

static struct status
take_schema(struct view bytes, struct schema *s)
{
    struct reader r = reader_of(bytes);
    const struct view begins = reader_bytes(&r, sizeof magic);
    CHECK(view_equal(begins, view_of(magic, sizeof magic)), INTEGRITY);
    s->rows = reader_u64le(&r);
    const uint32_t columns = reader_u32le(&r);
    const uint8_t has_positive = reader_u8(&r);
    CHECK(!r.bad && columns <= IMPORT_MAX_COLUMNS && has_positive <= 1, INTEGRITY);
    CHECK(columns > 0 && columns <= reader_left(&r) / COLUMN_MIN_BYTES, INTEGRITY);
    CHECK(s->rows <= reader_left(&r) / 8, INTEGRITY);
    s->t = table_new(0, columns);
    CHECK(s->t != NULL, MEMORY);
    if (has_positive) {
        TRY(take_copy(&r, UINT32_MAX, &s->t->positive));
    }
    for (uint32_t i = 0; i < columns; i++) {
        TRY(take_column(&r, s->rows, &s->t->columns[i]));
    }
    TRY(take_persons(&r, s));
    CHECK(table_subject(s->t) != NULL, INTEGRITY);
    return table_check_names(s->t);
}

static struct status
tell(struct status s, struct diag *diag)
{
    if (s.code == STATUS_INTEGRITY) {
        diag_set(diag, "the table's bytes are not what was written: damaged or cut short");
    }
    return s;
}

struct status
subject_table_each(struct view bytes,
                   struct status (*each)(void *ctx, uint32_t slot, uint32_t rows), void *ctx,
                   struct diag *diag, uint64_t *ret_rows)
{
    DEFER(schema_done) struct schema s = {0};
    TRY(tell(take_schema(bytes, &s), diag));
    for (uint32_t i = 0; i < s.persons; i++) {
        const uint32_t slot = reader_u32le(&s.index), n = reader_u32le(&s.index);
        (void)reader_u64le(&s.index);
        TRY(each(ctx, slot, n));
    }
    if (ret_rows != NULL) {
        *ret_rows = s.rows;
    }
    return OK;
}

/* ---- reading rows ---- */

/* All opened rows, and where each begins. */
struct rows {
    struct buf plain;
    uint64_t *at; /* by number: 1 + where its bitmap is in plain; 0: not there */
    uint64_t count;
};

static void
rows_done(struct rows *r)
{
    buf_wipe(&r->plain);
    free(r->at);
}

static struct status
skip_value(struct reader *r, const struct column *c)
{
    struct view text = {0};
    switch (c->type) {
    case COLUMN_CATEGORY:
    case COLUMN_TEXT:
        return take_text(r, UINT32_MAX, &text);
    case COLUMN_BOOLEAN:
        CHECK(reader_u8(r) <= 1, INTEGRITY);
        break;
    case COLUMN_FLOAT: {
        const double v = reader_f64le(r);
        CHECK(isfinite(v), INTEGRITY);
        break;
    }
    default: {
        const int64_t v = (int64_t)reader_u64le(r);
        CHECK(c->type != COLUMN_TIME || (v >= TIME_MIN_US && v <= TIME_MAX_US), INTEGRITY);
        break;
    }
    }
    CHECK(!r->bad, INTEGRITY);
    return OK;
}

static bool
is_null(struct view bitmap, uint32_t column)
{
    return (bitmap.ptr[column / 8] >> (column % 8) & 1) != 0;
}

static struct status
take_bitmap(struct reader *r, uint32_t columns, struct view *ret_bitmap)
{
    *ret_bitmap = reader_bytes(r, (columns + 7) / 8);
    CHECK(!r->bad, INTEGRITY);
    CHECK(columns % 8 == 0 || ret_bitmap->ptr[columns / 8] >> columns % 8 == 0, INTEGRITY);
    return OK;
}

static struct status
check_row(struct reader *r, const struct table *t)
{
    struct view bitmap = {0};
    TRY(take_bitmap(r, t->column_count, &bitmap));
    for (uint32_t i = 0; i < t->column_count; i++) {
        const bool null = is_null(bitmap, i);
        CHECK(!null || t->columns[i].role != ROLE_SUBJECT, INTEGRITY);
        TRY(null ? OK : skip_value(r, &t->columns[i]));
    }
    return OK;
}

/* n rows of one person, which begin at `from` in the plain bytes and end where those end. */
static struct status
place_rows(const struct schema *s, size_t from, uint32_t n, struct rows *rows)
{
    struct reader r = reader_of(view_of(rows->plain.ptr + from, rows->plain.len - from));
    uint64_t before = 0;
    for (uint32_t i = 0; i < n; i++) {
        const uint64_t number = reader_u64le(&r);
        CHECK(!r.bad && number < s->rows && (i == 0 || number > before), INTEGRITY);
        CHECK(rows->at[number] == 0, INTEGRITY);
        rows->at[number] = 1 + from + r.pos;
        before = number;
        TRY(check_row(&r, s->t));
    }
    CHECK(reader_left(&r) == 0, INTEGRITY);
    rows->count += n;
    return OK;
}

static struct status
open_persons(struct schema *s, const struct subject_opener *by, struct rows *rows)
{
    for (uint32_t i = 0; i < s->persons; i++) {
        const uint32_t slot = reader_u32le(&s->index), n = reader_u32le(&s->index);
        const struct view sealed = reader_bytes(&s->sealed, (size_t)reader_u64le(&s->index));
        const size_t from = rows->plain.len;
        bool erased = false;
        TRY(by->open(by->ctx, slot, sealed, &rows->plain, &erased));
        TRY(buf_status(&rows->plain));
        TRY(erased ? OK : place_rows(s, from, n, rows));
    }
    return OK;
}

/* ---- from rows to columns ---- */

/* Texts of a category or a text column, as an import gathers them. */
struct gathered_texts {
    uint8_t *null;
    uint64_t *offset;
    struct buf bytes;
};

static void
gathered_done(struct gathered_texts *g)
{
    free(g->null);
    free(g->offset);
    buf_wipe(&g->bytes);
}

static struct status
fill_texts(struct column *c, uint64_t rows, struct gathered_texts *g)
{
    struct column filled = {0};
    const struct texts texts = {rows, g->null, g->offset,
                                g->bytes.ptr == NULL ? "" : (const char *)g->bytes.ptr};
    const struct infer_request q = {.shown = "dataset",
                                    .column = c->name,
                                    .has_type = true,
                                    .type = c->type,
                                    .is_text = true,
                                    .max_levels = TABLE_MAX_LEVELS};
    TRY(infer_column(&texts, &q, NULL, &filled));
    filled.name = MOVE(c->name);
    filled.role = c->role;
    filled.is_feature = c->is_feature;
    column_done(c);
    *c = filled;
    return OK;
}

static struct status
take_value(struct reader *r, struct column *c, uint64_t row, struct gathered_texts *g)
{
    struct view text = {0};
    switch (c->type) {
    case COLUMN_FLOAT:
        c->f[row] = reader_f64le(r);
        return OK;
    case COLUMN_BOOLEAN:
        c->code[row] = reader_u8(r);
        return OK;
    case COLUMN_CATEGORY:
    case COLUMN_TEXT:
        TRY(take_text(r, UINT32_MAX, &text));
        buf_put(&g->bytes, text);
        return buf_status(&g->bytes);
    default:
        c->i[row] = (int64_t)reader_u64le(r);
        return OK;
    }
}

static bool
is_gathered(const struct column *c)
{
    return c->type == COLUMN_CATEGORY || c->type == COLUMN_TEXT;
}

static struct status
take_row(struct reader *r, struct table *t, uint64_t row, struct gathered_texts *g)
{
    struct view bitmap = {0};
    TRY(take_bitmap(r, t->column_count, &bitmap));
    for (uint32_t i = 0; i < t->column_count; i++) {
        struct column *c = &t->columns[i];
        const bool null = is_null(bitmap, i);
        if (!null) {
            TRY(take_value(r, c, row, &g[i]));
        } else if (is_gathered(c)) {
            g[i].null[row] = 1;
        } else {
            TRY(column_set_null(c, t->rows, row));
        }
        if (is_gathered(c)) {
            g[i].offset[row + 1] = g[i].bytes.len;
        }
    }
    return OK;
}

static struct status
allocate(struct table *t, struct gathered_texts *g)
{
    for (uint32_t i = 0; i < t->column_count; i++) {
        if (!is_gathered(&t->columns[i])) {
            TRY(column_alloc(&t->columns[i], t->columns[i].type, t->rows));
            continue;
        }
        buf_init(&g[i].bytes, ROWS_MAX);
        g[i].null = build_alloc(t->rows, 1);
        g[i].offset = build_alloc(t->rows + 1, sizeof *g[i].offset);
        CHECK(g[i].null != NULL && g[i].offset != NULL, MEMORY);
    }
    t->number = build_alloc(t->rows, sizeof *t->number);
    CHECK(t->number != NULL, MEMORY);
    return OK;
}

static struct status
fill(const struct schema *s, const struct rows *rows, struct gathered_texts *g)
{
    struct table *t = s->t;
    uint64_t row = 0;
    TRY(allocate(t, g));
    for (uint64_t number = 0; number < s->rows; number++) {
        if (rows->at[number] == 0) {
            continue;
        }
        const size_t from = (size_t)rows->at[number] - 1;
        struct reader r = reader_of(view_of(rows->plain.ptr + from, rows->plain.len - from));
        t->number[row] = number;
        TRY(take_row(&r, t, row, g));
        row++;
    }
    for (uint32_t i = 0; i < t->column_count; i++) {
        TRY(is_gathered(&t->columns[i]) ? fill_texts(&t->columns[i], t->rows, &g[i]) : OK);
    }
    return OK;
}

static struct status
build(struct schema *s, const struct rows *rows)
{
    const uint32_t columns = s->t->column_count;
    struct gathered_texts *g = build_alloc(columns, sizeof *g);
    CHECK(g != NULL, MEMORY);
    s->t->rows = rows->count;
    s->t->erased = s->rows - rows->count;
    const struct status filled = fill(s, rows, g);
    for (uint32_t i = 0; i < columns; i++) {
        gathered_done(&g[i]);
    }
    free(g);
    return filled;
}

static struct status
decode(struct view bytes, const struct subject_opener *by, struct table **ret_table)
{
    DEFER(schema_done) struct schema s = {0};
    DEFER(rows_done) struct rows rows = {0};
    buf_init(&rows.plain, bytes.len);
    TRY(take_schema(bytes, &s));
    rows.at = build_alloc(s.rows, sizeof *rows.at);
    CHECK(rows.at != NULL, MEMORY);
    TRY(open_persons(&s, by, &rows));
    TRY(build(&s, &rows));
    *ret_table = MOVE(s.t);
    return OK;
}

struct status
subject_table_decode(struct view bytes, const struct subject_opener *by, struct diag *diag,
                     struct table **ret_table)
{
    return tell(decode(bytes, by, ret_table), diag);
}
