/* import_infer: one column of texts into typed values. Not for other folders. */
#ifndef STEWARD_DATA_IMPORT_INFER_H
#define STEWARD_DATA_IMPORT_INFER_H

#include "data/table.h"

/* A column as texts, nulls already told apart from values. */
struct texts {
    uint64_t rows;
    const uint8_t *null;    /* rows */
    const uint64_t *offset; /* rows + 1 */
    const char *bytes;
};

struct infer_request {
    const char *shown; /* the file's name in messages */
    const char *column;
    bool has_type; /* asked for by the user */
    enum column_type type;
    bool is_text;        /* the source says that its values are text: numbers are not looked for */
    bool is_number;      /* the source says that they are numbers */
    bool lines_are_rows; /* messages say "line row + 2", otherwise "row row + 1" */
    uint32_t max_levels; /* more distinct values than this are text, not a category */
};

/* Fills ret_column's type, values, nulls and levels; its name and role are the caller's. */
struct status infer_column(const struct texts *t, const struct infer_request *q, struct diag *diag,
                           struct column *ret_column);

#endif
