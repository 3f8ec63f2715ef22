#include "cli/facet_options.h"

#include "assess/bins.h"

#include <string.h>

_Static_assert(FACETS_MAX >= CLI_MAX_REPEATS, "every text of the command has room");

struct status
cli_facets(struct cli *c, struct facets *ret_facets)
{
    struct facets f = {0};
    TRY(cli_whole32(c, "bins", 2, BINS_MOST, &f.bins));
    for (size_t i = 0; i < c->givens; i++) {
        const char *option = c->given[i].option->name;
        if (strcmp(option, "intervals") == 0) {
            f.interval[f.intervals++] = c->given[i].value;
        } else if (strcmp(option, "facet") == 0) {
            f.facet[f.facets++] = c->given[i].value;
        }
    }
    *ret_facets = f;
    return OK;
}
