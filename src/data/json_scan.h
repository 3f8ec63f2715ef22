/* json_scan: the shape of a JSON file of records, read once from end to end before DuckDB sees it:
 * a list of objects, or objects one after another, with plain values. What DuckDB would take deep
 * recursion or a million columns for is refused here, with its line. Whether it is JSON at all is
 * left to DuckDB. Not for other folders. */
#ifndef STEWARD_DATA_JSON_SCAN_H
#define STEWARD_DATA_JSON_SCAN_H

#include "base/bytes.h"

/* fd is read from its start and left at its end. max_columns: distinct member names in the file. */
struct status json_scan(int fd, const char *shown, uint32_t max_columns, struct diag *diag);

#endif
