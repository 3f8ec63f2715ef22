/* import: CSV, Parquet and JSON into a table through DuckDB, with inference that can be overridden.
 * Untrusted bytes: DuckDB runs in memory, with extensions, external access other than this one
 * file, and attaching switched off; limits below. Errors name file, line and column where DuckDB or
 * our checks know them. */
#ifndef STEWARD_DATA_IMPORT_H
#define STEWARD_DATA_IMPORT_H

#include "data/table.h"

#define IMPORT_MAX_COLUMNS 10000u
#define IMPORT_MAX_LEVELS 1024u /* more distinct values than that are text, not a category */
#define IMPORT_MAX_BYTES (UINT64_C(8) << 30) /* CSV: unpacked */
#define IMPORT_MAX_CELLS (UINT64_C(1) << 30) /* rows times columns */

struct import_override {
    const char *column;
    bool has_type;
    enum column_type type;
    bool has_role;
    enum column_role role;
};

struct import_options {
    const char *label;    /* column name; NULL for none */
    const char *subject;  /* names whom a row is about: kept as text, in every row; NULL for none */
    const char *positive; /* its positive level; NULL: inferred for yes/no, true/false, 0/1 only */
    const char *const *sensitive; /* names */
    size_t sensitive_count;
    bool sensitive_as_features; /* default false */
    const struct import_override *overrides;
    size_t override_count;
    /* Spellings of null beside "", NA, N/A, NULL, null, NaN, nan and "?"; may be NULL. */
    const char *const *missing;
    size_t missing_count;
    bool missing_only; /* beside "" only: NA (Namibia) or "null" (a name) are values */
    char delimiter;    /* CSV; 0: found out */
    unsigned threads;  /* 0: DuckDB's own choice */
};

/* Format from the name's end: .csv .tsv .csv.gz, .parquet, .json .jsonl .ndjson. Read by another
 * process where there is one for it (data/importer.h), else by this one. */
struct status import_file(const char *path, const struct import_options *options, struct diag *diag,
                          struct table **ret_table);
/* The same without what the options say about roles, label and positive value, and by this process:
 * each column is a feature. */
struct status import_columns(const char *path, const struct import_options *options,
                             struct diag *diag, struct table **ret_table);
/* Whether the name's end tells a format. */
bool import_reads(const char *path);

#endif
