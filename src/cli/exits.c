/* exits: how a run ends that failed. */
#include "cli/cli.h"

#include <stdio.h>

const struct cli_exit cli_exits[] = {
    {0, "done"},
    {1, "the system failed: disk, memory, network"},
    {2, "wrong input: arguments, data, configuration, or a limit passed"},
    {3, "not known or not allowed: wrong passphrase, missing right"},
    {4, "not found"},
    {5, "exists already, or held by another process"},
    {6, "integrity: sealed data, a signature or the audit log are not what was written"},
    {CLI_EXIT_NO,
     "the answer is no: an incident's report is overdue, something does not comply with a "
     "policy, a policy's example failed"},
    {0},
};

static const struct {
    int32_t status;
    int exit;
} exit_codes[] = {
    {STATUS_OK, 0},        {STATUS_INPUT, 2},  {STATUS_AUTH, 3},   {STATUS_DENIED, 3},
    {STATUS_NOT_FOUND, 4}, {STATUS_EXISTS, 5}, {STATUS_BUSY, 5},   {STATUS_LIMIT, 2},
    {STATUS_INTEGRITY, 6}, {STATUS_IO, 1},     {STATUS_MEMORY, 1}, {STATUS_UNSUPPORTED, 1},
};

int
cli_exit_code(int32_t status_code)
{
    for (size_t i = 0; i < sizeof exit_codes / sizeof *exit_codes; i++) {
        if (exit_codes[i].status == status_code) {
            return exit_codes[i].exit;
        }
    }
    return 1;
}

int
cli_tell(struct status s, const struct diag *diag)
{
    char text[1024];
    diag_describe(diag, s, text, sizeof text);
    (void)fputs("steward: ", stderr);
    cli_put_clean(stderr, text);
    (void)fputc('\n', stderr);
    return cli_exit_code(s.code);
}

struct status
cli_flush(struct diag *diag)
{
    if (fflush(stdout) != 0 || ferror(stdout) != 0) {
        diag_set(diag, "standard output: cannot be written");
        FAIL(IO);
    }
    return OK;
}
