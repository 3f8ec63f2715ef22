/* csv_scan: the shape of a CSV file, read once from end to end before DuckDB sees it, so that what
 * is wrong is told with line and column: encoding, delimiter, names, fields in each record. RFC
 * 4180 with any of , ; tab |. Not for other folders. */
#ifndef STEWARD_DATA_CSV_SCAN_H
#define STEWARD_DATA_CSV_SCAN_H

#include "base/bytes.h"

#define CSV_MAX_CELL (16u << 20)
#define CSV_MAX_RECORD (64u << 20)

struct csv_shape {
    char delimiter;
    uint32_t columns;
    char **names;        /* columns; unquoted, without spaces around them */
    uint64_t rows;       /* records after the header */
    bool lines_are_rows; /* row i (from 0) stands on line i + 2 */
};

void csv_shape_done(struct csv_shape *s);
/* fd is read from its start (unpacked when gzip) and left at its end. delimiter 0: found from the
 * header line. shown: the file's name in messages. max_bytes: unpacked. */
struct status csv_scan(int fd, const char *shown, bool gzip, char delimiter, uint32_t max_columns,
                       uint64_t max_bytes, struct diag *diag, struct csv_shape *ret_shape);

#endif
