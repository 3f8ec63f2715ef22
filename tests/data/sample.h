/* sample: small files imported through the real path, for the tests of this folder. */
#ifndef STEWARD_TESTS_DATA_SAMPLE_H
#define STEWARD_TESTS_DATA_SAMPLE_H

#include "testing/testing.h"

#include "data/import.h"

/* Writes text to a file of that name in a fresh folder and imports it; the folder is gone when it
 * returns. In the diag the folder's path is cut, so that it begins with the name. o may be NULL. */
struct status sample_import(const char *name, struct view bytes, const struct import_options *o,
                            struct diag *diag, struct table **ret_table);
/* As sample_import of a CSV text that must be good. */
struct table *sample_csv(const char *text, const struct import_options *o);
/* The import must fail with that code and a sentence that holds `part`. */
#define assert_refused(NAME, BYTES, O, CODE, PART)                                                 \
    sample_refused((NAME), (BYTES), (O), STATUS_##CODE, (PART), __FILE__, __LINE__)
void sample_refused(const char *name, struct view bytes, const struct import_options *o,
                    int32_t code, const char *part, const char *file, int line);
const struct column *sample_column(const struct table *t, const char *name); /* must be there */
/* The cell as a person reads it must be `text`; NULL: it must be null. */
#define assert_cell(T, NAME, ROW, TEXT) sample_cell((T), (NAME), (ROW), (TEXT), __FILE__, __LINE__)
void sample_cell(const struct table *t, const char *name, uint64_t row, const char *text,
                 const char *file, int line);

#endif
