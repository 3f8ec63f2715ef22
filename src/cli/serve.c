/* serve: the program steward-gateway, which this one becomes: the server's process carries no
 * engine of the analyses (docs/decisions/0016-gateway.md). */
#include "cli/cli.h"

#include "base/file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* argv wants char *, and changes none. */
static char *
argument(const char *text)
{
    return (char *)(uintptr_t)(text == NULL ? "" : text);
}

struct status
cli_serve(struct cli *c)
{
    DEFER(file_freep) char *program = file_program("steward-gateway");
    CHECK(program != NULL, IO);
    char *const argv[] = {program,
                          argument(c->dir),
                          argument(cli_value(c, "config")),
                          argument(cli_value(c, "listen")),
                          argument(cli_value(c, "port-file")),
                          argument(cli_value(c, "passphrase-file")),
                          NULL};
    (void)fflush(NULL);
    (void)execv(program, argv);
    const int err = errno;
    diag_set(&c->diag, "%s: %s; is it installed with this steward?", program, strerror(err));
    FAIL_OS(err);
}
