/* JSON that a stranger gives. The first byte chooses: the whole way of `steward dataset add`,
 * through DuckDB; a document for our own parser; or the scanner of tables alone. The file lives in
 * memory. */
#include "base/json.h"
#include "base/text.h"
#include "data/import.h"
#include "data/json_scan.h"
#include "round_trip.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* js_parse: what it takes is UTF-8 text, and comes back the same through our own writer. */
static void
check_document(struct view text)
{
    DEFER(js_freep) json_t *value = NULL;
    DEFER(js_freep) json_t *again = NULL;
    DEFER(buf_done) struct buf written;
    struct diag diag = {0};
    buf_init(&written, 64u << 20);
    if (!status_ok(js_parse(text, "body", &diag, &value))) {
        ASSERT(diag.text[0] != '\0');
        return;
    }
    ASSERT(text_is_utf8(text));
    ASSERT(status_ok(js_put(&written, value)));
    ASSERT(status_ok(js_parse(buf_view(&written), NULL, &diag, &again)));
    ASSERT(json_equal(value, again) == 1);
}

static void
scan(int fd)
{
    struct diag diag = {0};
    const struct status s = json_scan(fd, "fuzz.json", 100, &diag);
    ASSERT(status_ok(s) || diag.text[0] != '\0');
}

/* The format is told from the name's end, so the file in memory gets a name. */
static void
import(int fd)
{
    char path[64], link[80];
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    (void)snprintf(link, sizeof link, "/dev/shm/fuzz-%d.json", (int)getpid());
    (void)unlink(link);
    ASSERT(symlink(path, link) == 0);
    const struct import_options o = {.threads = 1};
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
    if (size > 0 && data[0] % 4 == 1) {
        check_document(view_of(data + 1, size - 1));
        return 0;
    }
    const int fd = size < 2 ? -1 : memfd_create("json", MFD_CLOEXEC);
    if (fd >= 0 && write(fd, data + 1, size - 1) == (ssize_t)(size - 1)) {
        (data[0] == 0 ? import : scan)(fd);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return 0;
}
