/* CSV that a stranger gives. The first byte chooses the delimiter and how far: our scanner alone,
 * thousands of times a second, or with 0xf0 the whole way of `steward dataset add`, through DuckDB.
 * The file lives in memory. */
#include "data/csv_scan.h"
#include "data/import.h"
#include "round_trip.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
scan(int fd, char delimiter)
{
    struct diag diag = {0};
    struct csv_shape shape = {0};
    const struct status s =
        csv_scan(fd, "fuzz.csv", false, delimiter, 100, 1u << 20, &diag, &shape);
    ASSERT(status_ok(s) || diag.text[0] != '\0');
    ASSERT(!status_ok(s) || (shape.columns > 0 && shape.columns <= 100 && shape.rows > 0));
    csv_shape_done(&shape);
}

/* The format is told from the name's end, so the file in memory gets a name. */
static void
import(int fd, char delimiter)
{
    char path[64], link[80];
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    (void)snprintf(link, sizeof link, "/dev/shm/fuzz-%d.csv", (int)getpid());
    (void)unlink(link);
    ASSERT(symlink(path, link) == 0);
    const struct import_options o = {.delimiter = delimiter, .threads = 1};
    struct diag diag = {0};
    struct table *t = NULL;
    const struct status s = import_file(link, &o, &diag, &t);
    ASSERT(status_ok(s) == (t != NULL));
    ASSERT(status_ok(s) || diag.text[0] != '\0'); /* a refusal always has its sentence */
    if (t != NULL) {
        check_round_trip(t);
    }
    table_free(t);
    (void)unlink(link);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char delimiters[] = {'\0', ',', ';', '\t', '|'};
    const int fd = size < 2 ? -1 : memfd_create("csv", MFD_CLOEXEC);
    if (fd >= 0 && write(fd, data + 1, size - 1) == (ssize_t)(size - 1)) {
        const char delimiter = delimiters[(data[0] & 0x0f) % sizeof delimiters];
        (data[0] >= 0xf0 ? import : scan)(fd, delimiter);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return 0;
}
