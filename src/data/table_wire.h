/* table_wire: a table, or why there is none, from the process that reads foreign files to the one
 * that asked it (data/importer.h). Layout: docs/spec/importer.md. Not for other folders. */
#ifndef STEWARD_DATA_TABLE_WIRE_H
#define STEWARD_DATA_TABLE_WIRE_H

#include "data/table.h"

/* Writes what became of an import: its sentence, if it failed, else t, of which each column is
 * freed as soon as it is written. A failure: nobody reads, or memory is out. */
struct status table_wire_put(int fd, struct status said, const struct diag *diag, struct table *t);
/* Reads it. The bytes are untrusted: INTEGRITY when they are no answer, IO when they end before it
 * does. Else *ret_said is what became of the import, with its sentence in diag, and *ret_table,
 * when it went well, a table of at least one row and one column, each a feature. */
struct status table_wire_take(int fd, struct diag *diag, struct status *ret_said,
                              struct table **ret_table);

#endif
