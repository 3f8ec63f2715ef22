/* Replays a corpus folder through a fuzz target, one TAP line a file: what `make check` runs where
 * there is no clang. */
#include "base/file.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
is_file(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

int
main(int argc, char **argv)
{
    struct dirent **entries = NULL;
    const int count = argc == 2 ? scandir(argv[1], &entries, is_file, alphasort) : -1;
    if (count <= 0) {
        printf("Bail out! usage: replay FOLDER-WITH-FILES\n");
        return 1;
    }
    printf("1..%d\n", count);
    for (int i = 0; i < count; i++) {
        DEFER(file_freep) char *path = file_join(argv[1], entries[i]->d_name);
        DEFER(buf_done) struct buf bytes;
        buf_init(&bytes, 64u << 20);
        const struct status s = file_read(path, 64u << 20, NULL, &bytes);
        if (status_ok(s)) {
            LLVMFuzzerTestOneInput(bytes.ptr, bytes.len);
        }
        printf("%s %d - %s\n", status_ok(s) ? "ok" : "not ok", i + 1, entries[i]->d_name);
        fflush(stdout);
        free(entries[i]);
    }
    free(entries);
    return 0;
}
