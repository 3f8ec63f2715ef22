/* What the process answers that reads foreign files, as if one of them had taken it over: an answer
 * that is taken is written as the same bytes. */
#include "data/table_wire.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_again(struct table *t, const uint8_t *data, size_t used)
{
    DEFER(memory_freep) uint8_t *bytes = malloc(used + 1);
    const int fd = memfd_create("again", MFD_CLOEXEC);
    ASSERT(fd >= 0 && bytes != NULL && t->rows > 0 && t->column_count > 0);
    ASSERT(status_ok(table_wire_put(fd, OK, NULL, t)));
    ASSERT(lseek(fd, 0, SEEK_CUR) == (off_t)used && pread(fd, bytes, used, 0) == (ssize_t)used);
    ASSERT(memcmp(bytes, data, used) == 0);
    (void)close(fd);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    DEFER(table_freep) struct table *t = NULL;
    struct status said = OK;
    struct diag diag = {0};
    const int fd = memfd_create("answer", MFD_CLOEXEC);
    ASSERT(fd >= 0 && write(fd, data, size) == (ssize_t)size && lseek(fd, 0, SEEK_SET) == 0);
    const struct status s = table_wire_take(fd, &diag, &said, &t);
    ASSERT(t == NULL || (status_ok(s) && status_ok(said)));
    ASSERT(t != NULL || !status_ok(s) || !status_ok(said));
    ASSERT(status_ok(s) || s.code == STATUS_INTEGRITY || s.code == STATUS_IO ||
           s.code == STATUS_MEMORY);
    if (t != NULL) {
        check_again(t, data, (size_t)lseek(fd, 0, SEEK_CUR));
    }
    (void)close(fd);
    return 0;
}
