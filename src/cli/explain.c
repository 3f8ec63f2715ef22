#include "cli/cli.h"

struct status
cli_explain(struct cli *c)
{
    if (cli_value(c, "method") != NULL || cli_value(c, "endpoint") != NULL) {
        return cli_explain_black_box(c);
    }
    return cli_explain_exact(c);
}
