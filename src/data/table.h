/* table: typed columns with nulls, in memory. A table is immutable once built; rows keep their
 * order of import. Import is in data/import.h, cohorts in data/cohort.h, splits in data/split.h,
 * the sealed form in docs/spec/table.md. */
#ifndef STEWARD_DATA_TABLE_H
#define STEWARD_DATA_TABLE_H

#include "base/bytes.h"

enum column_type {
    COLUMN_FLOAT,    /* f: double */
    COLUMN_INTEGER,  /* i: int64 */
    COLUMN_CATEGORY, /* code: index into levels */
    COLUMN_BOOLEAN,  /* code: 0 or 1; levels holds the two spellings, false first ("no","yes") */
    COLUMN_TIME,     /* i: microseconds since 1970 UTC */
    COLUMN_TEXT,     /* text: offsets[rows+1] into bytes */
    COLUMN_TYPES
};

enum column_role {
    ROLE_FEATURE,
    ROLE_LABEL,
    ROLE_SENSITIVE,
    ROLE_IDENTIFIER,
    ROLE_IGNORED,
    ROLE_TIME,
    ROLE_SUBJECT, /* names the person whom the row is about */
    COLUMN_ROLES
};

struct column {
    char *name;
    enum column_type type;
    enum column_role role;
    bool is_feature; /* models read it: ROLE_FEATURE, and ROLE_SENSITIVE when asked for */
    uint64_t nulls;
    uint8_t *null; /* rows bytes, 1 = null; NULL when the column has none */
    double *f;
    int64_t *i;
    int32_t *code; /* -1 where null */
    uint64_t *offset;
    char *bytes;
    char **levels; /* category: sorted bytewise; boolean: the two spellings */
    uint32_t level_count;
};

struct table {
    uint64_t rows;
    uint32_t column_count;
    struct column *columns;
    char *positive;   /* the label's positive level, or number as text; NULL without a label */
    uint64_t erased;  /* rows that were there when it was sealed, of persons who have been erased */
    uint64_t *number; /* of each row among rows + erased; NULL: its place. Not of a selection */
};

struct table *table_new(uint64_t rows, uint32_t columns); /* zeroed; NULL when memory is out */
void table_free(struct table *t);
DEFINE_FREEP(table_free, struct table)
const struct column *table_column(const struct table *t, const char *name); /* NULL when absent */
/* As table_column, or the first column whose name differs in case only: as SQL finds it. */
const struct column *table_column_folded(const struct table *t, const char *name);
/* As table_column, or the column whose spaces the name writes as '_', as LightGBM does. */
const struct column *table_column_spaced(const struct table *t, const char *name);
/* As table_column; INPUT with 'no column "pirta"; did you mean "pirat"?' when absent, place before
 * it when not NULL. */
struct status table_need_column(const struct table *t, const char *place, const char *name,
                                struct diag *diag, const struct column **ret_column);
const struct column *table_label(const struct table *t); /* NULL when absent */
bool column_is_null(const struct column *c, uint64_t row);
/* The value as number: float, integer, boolean 0/1, category code; NaN where null. ASSERTs on text.
 */
double column_number(const struct column *c, uint64_t row);
/* The value as a person reads it ("" where null), appended. */
void column_put_text(const struct column *c, uint64_t row, struct buf *b);
const char *column_type_word(enum column_type type); /* "float", "integer", ... */
const char *column_role_word(enum column_role role);
struct status column_type_from_word(const char *word, enum column_type *ret_type);
struct status column_role_from_word(const char *word, enum column_role *ret_role);
/* New table with the given rows in the given order. */
struct status table_select(const struct table *t, const uint64_t *rows, uint64_t n,
                           struct table **ret_table);
/* ret_train[rows]: as split_assign of all rows, the erased ones too: who is left stays in the part
 * that they were in. */
struct status table_split(const struct table *t, double fraction, uint64_t seed,
                          uint8_t *ret_train);
/* The number of a row as people count, from 1, the erased ones too. */
uint64_t table_row_number(const struct table *t, uint64_t row);
/* The rows whose mark[rows] is that value, in their order. */
struct status table_select_marked(const struct table *t, const uint8_t *mark, uint8_t value,
                                  struct table **ret_table);
/* ret_y[rows]: 1 positive, 0 negative, 2 missing label. Fails with a sentence when the label has
 * one class only, more than two and no `positive`, or is absent. */
struct status table_binary_label(const struct table *t, struct diag *diag, uint8_t *ret_y);
/* The bytes that are sealed, and back. Decoding checks everything: it is untrusted until then. */
struct status table_encode(const struct table *t, struct buf *ret_bytes);
struct status table_decode(struct view bytes, struct diag *diag, struct table **ret_table);
/* Schema as JSON text (names, types, roles, levels, null counts; no row). */
struct status table_put_schema(const struct table *t, struct buf *ret_json);

#endif
