#include "go.h"

#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>

static char *program, *folder;

static bool
go(const char *name, const char *verb, const char *option, const char *value)
{
    char relative[128];
    (void)snprintf(relative, sizeof relative, "tests/govern/%s", name);
    DEFER(file_freep) char *source = testing_source(relative);
    char *argv[] = {
        (char *)(uintptr_t) "go",  (char *)(uintptr_t) "-C", source, (char *)(uintptr_t)verb,
        (char *)(uintptr_t)option, (char *)(uintptr_t)value, NULL};
    struct testing_run r;
    testing_run(argv, &r);
    const bool good = r.exit_code == 0;
    if (!good) {
        print_message("# go %s: %s\n", verb, buf_str(&r.err));
    }
    testing_run_done(&r);
    return good;
}

const char *
go_build(const char *name)
{
    assert_int_equal(setenv("GOTOOLCHAIN", "local", 1), 0);
    assert_int_equal(setenv("GOFLAGS", "-mod=readonly", 1), 0);
    if (!go(name, "mod", "download", NULL)) {
        print_message("# skipped: no Go here, or the modules of %s cannot be fetched\n", name);
        return NULL;
    }
    folder = testing_dir();
    program = file_join(folder, name);
    assert_true(go(name, "build", "-o", program));
    return program;
}

void
go_done(void)
{
    free(program);
    program = NULL;
    testing_dirp(&folder);
}
