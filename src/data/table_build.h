/* table_build: what the sources of this folder share while a table is being made. Not for other
 * folders. */
#ifndef STEWARD_DATA_TABLE_BUILD_H
#define STEWARD_DATA_TABLE_BUILD_H

#include "data/table.h"

#define TABLE_MAX_LEVELS (UINT32_C(1) << 20)
#define TABLE_MAX_NAME 1024u
#define TIME_MIN_US INT64_C(-62135596800000000) /* 0001-01-01 */
#define TIME_MAX_US INT64_C(253402300799999999) /* 9999-12-31T23:59:59.999999 */

/* Zeroed memory of n items, never NULL for n = 0; NULL when memory is out or n * size overflows. */
void *build_alloc(uint64_t n, size_t size);
char *build_strdup(struct view text); /* NULL when memory is out */
/* The value array that the type needs (text: the offsets only); codes start as -1. */
struct status column_alloc(struct column *c, enum column_type type, uint64_t rows);
void column_done(struct column *c); /* frees what it holds; the struct is zeroed */
struct status column_set_null(struct column *c, uint64_t rows, uint64_t row);
struct view column_text(const struct column *c, uint64_t row); /* COLUMN_TEXT only */
/* "2024-02-29", "2024-02-29 10:20[:30[.123456]][Z|+01|+01:00]", T or space; no zone means UTC.
 */
bool time_parse(struct view text, int64_t *ret_us);
void time_put(struct buf *b, int64_t us);
/* 'no column "pirta"; did you mean "pirat"?' with place before it when not NULL. */
void names_absent(struct diag *diag, const char *place, const char *word, const struct table *t);
/* Names that are distinct, one label at most, and that of the positive value: what decoding needs.
 */
struct status table_check_names(const struct table *t);
/* The parts of what table_encode writes and table_decode takes: what stands before the columns, and
 * each of them. A taken head makes a table of columns without anything, one after the other to be
 * taken; INTEGRITY for what is not a part, UNSUPPORTED for another version. Of all columns together
 * table_check_names. */
void table_put_head(const struct table *t, struct buf *b);
void table_put_column(const struct table *t, uint32_t i, struct buf *b);
struct status table_take_head(struct reader *r, struct table **ret_table);
struct status table_take_column(struct reader *r, struct table *t, uint32_t i);
/* Without the spaces and tabs around it. */
struct view view_trimmed(struct view v);
/* The name as an error shows it: at most 60 bytes, control characters as '?'. */
const char *name_shown(struct view name, char ret_text[static 64]);

#endif
