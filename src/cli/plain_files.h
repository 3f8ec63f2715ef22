/* plain_files: what the verbs share that work on files alone, without a workspace: a data file as a
 * table (data/import.h), a model file, the model's rows out of the table, columns by name
 * (table_need_column), and CSV files out. Data and models are untrusted.
 *
 * Remarks are what a person should know beside a result: an array of sentences (JSON strings),
 * which the verbs print or put into their document. */
#ifndef STEWARD_CLI_PLAIN_FILES_H
#define STEWARD_CLI_PLAIN_FILES_H

#include "base/file.h"
#include "base/json.h"
#include "data/table.h"
#include "model/model_file.h"
#include "workspace/remover.h"

struct status plain_remark(json_t *remarks, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* On stderr, "note: ..." each. */
void plain_print_remarks(const json_t *remarks);

/* Reads any model file. The diag begins with its path. */
struct status plain_model(const char *path, struct diag *diag, struct model_file **ret_model);

/* How a model's features are read from a table: by name; a model that names none takes the table's
 * feature columns (is_feature) in their order, with a remark. Numbers are rounded to float32 as the
 * model's own library does; booleans are 0 and 1; a null is NaN. Where the model splits by
 * category, whole numbers are its category numbers. */
struct plain_rows;
/* INPUT with a sentence naming the columns, of the file `data`, that are missing or of a type that
 * the model does not read, or that a remover before it needs. Borrows t, m and the
 * remover, which may be empty, and of which a remark tells. */
struct status plain_rows_new(const struct table *t, const struct model_file *m,
                             const struct remover *remover, const char *data, json_t *remarks,
                             struct diag *diag, struct plain_rows **ret_rows);
void plain_rows_free(struct plain_rows *r);
DEFINE_FREEP(plain_rows_free, struct plain_rows)
/* The column that feature i is read from. */
const struct column *plain_rows_column(const struct plain_rows *r, uint32_t i);
/* ret_x[n * features], row-major, as the model reads them: rows first to first + n of the table.
 * Any thread. */
void plain_rows_fill(const struct plain_rows *r, uint64_t first, size_t n, float *ret_x);
/* All of them, on malloc. */
struct status plain_rows_all(const struct plain_rows *r, float **ret_x);

/* A CSV file (RFC 4180) being written in blocks; it appears whole or not at all. Failures are kept
 * and told by plain_csv_keep. */
struct plain_csv {
    struct file_draft draft; /* empty for stdout */
    struct buf block;
    const char *path;
    int digits;
    bool in_row;
    struct status failed;
    struct diag *diag;
};
/* path NULL or "-": stdout. digits: significant ones of each number, 1 to 17. Borrows path, diag.
 */
struct status plain_csv_open(const char *path, int digits, struct diag *diag,
                             struct plain_csv *ret_csv);
void plain_csv_done(struct plain_csv *w); /* without keep, nothing is left; zeroed is fine */
void plain_csv_text(struct plain_csv *w, const char *text);
void plain_csv_number(struct plain_csv *w, double v); /* NaN: an empty cell */
void plain_csv_end_row(struct plain_csv *w);
struct status plain_csv_keep(struct plain_csv *w);

#endif
