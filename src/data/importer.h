/* importer: a process that reads foreign tabular files (CSV, Parquet, JSON: DuckDB) for one that
 * goes on to open keys. It is forked before that takes a credential, knows then which files it may
 * be asked for, and can do nothing but read them and answer: base/sandbox.h, SANDBOX_IMPORTER, and
 * Landlock where the kernel has it. import_file asks it where there is one. One in a process. */
#ifndef STEWARD_DATA_IMPORTER_H
#define STEWARD_DATA_IMPORTER_H

#include "data/import.h"

#define IMPORTER_FILES 72u

/* paths[n]: all that it may be asked for, borrowed. With n = 0 no process is started, and from here
 * on no file is imported: DENIED. LIMIT past IMPORTER_FILES. Before other threads are started. */
struct status importer_begin(const char *const *paths, size_t n, struct diag *diag);
bool importer_is_there(void); /* begun, with or without a process */
/* As import_columns. What it answers is checked as a sealed table is; INPUT when it is none, or
 * when the process ends instead; it is not asked again then. */
struct status importer_ask(const char *path, const struct import_options *options,
                           struct diag *diag, struct table **ret_table);
/* As before importer_begin. The process ends by itself when nobody can ask it any more. */
void importer_end(void);

#endif
