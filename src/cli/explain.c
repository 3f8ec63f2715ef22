#include "cli/cli.h"

struct status
cli_explain(struct cli *c)
{
    if (cli_value(c, "method") == NULL && cli_value(c, "endpoint") == NULL) {
        diag_set(&c->diag, "explain: --method is needed; see steward explain --help");
        FAIL(INPUT);
    }
    return cli_explain_black_box(c);
}
