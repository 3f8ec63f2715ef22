/* matrix: the float32 feature matrix that models read, from a table, by a fixed feature list (the
 * model's manifest). */
#ifndef STEWARD_DATA_MATRIX_H
#define STEWARD_DATA_MATRIX_H

#include "base/json.h"
#include "data/table.h"

struct feature {
    char *name;
    enum column_type type; /* float, integer, boolean, category, time */
    char **levels;         /* category (sorted) and boolean: as at training */
    uint32_t level_count;
    uint32_t *code; /* category: the number that the model reads for each level; NULL: its place */
    bool whole;     /* a number that stands for a category: not of the manifest, but of the file */
};

struct feature_list {
    struct feature *items;
    uint32_t count;
};

void feature_list_done(struct feature_list *l);
/* Named and typed as the column, with its levels. */
struct status feature_from_column(const struct column *c, struct feature *ret_feature);
/* The table's columns with is_feature, in table order (text columns are left out). */
struct status feature_list_from_table(const struct table *t, struct feature_list *ret_list);
struct status feature_list_to_json(const struct feature_list *l, struct buf *ret_json);
struct status feature_list_from_json(struct view json, struct diag *diag,
                                     struct feature_list *ret_list);
/* What the model reads for a level, by its spelling; -1 when the feature has none such.
 * Logarithmic. */
int32_t feature_level(const struct feature *f, const char *level);
/* A category's levels in the model's order, distinct: sorted, with their codes. Takes copies. */
struct status feature_set_levels(struct feature *f, const char *const *names, uint32_t n,
                                 struct diag *diag);
/* Whether the table's column can be read as that feature: integer and float stand for each other,
 * and so do category and boolean, whose levels are matched by spelling: which of the two a column
 * became depends on the values that happened to be in the file. A column without any value fits
 * every feature. */
bool feature_fits(const struct table *t, const struct column *c, const struct feature *f);
/* Values of a column that a model does not know: how many rows, and the first that differ. */
#define UNKNOWN_SHOWN 3u
struct unknown {
    uint64_t rows, first; /* from 0 */
    uint32_t shown;
    bool more; /* others than those shown */
    char value[UNKNOWN_SHOWN][48];
};
void unknown_add(struct unknown *u, uint64_t row, struct view value);
/* Appends the sentence that tells of them, and that they are read as missing, to the list of
 * remarks; nothing when there are none. MEMORY. */
struct status unknown_remark(const struct unknown *u, const char *column, json_t *remarks);

/* Why no model can read v, a category's number (whole) or another: what follows it in a sentence.
 * NULL: it can; NaN is a missing value. */
const char *matrix_refuses(double v, bool whole);

/* ret_x[rows * list->count], row-major; NaN where null; categories as the list's level index. A
 * level that the list does not know is read as missing, with a sentence in `remarks`; without those
 * it fails. Fails when a feature's column is absent or of another type, or where matrix_refuses a
 * number. */
struct status matrix_from_table(const struct table *t, const struct feature_list *list,
                                json_t *remarks, struct diag *diag, float *ret_x);

#endif
