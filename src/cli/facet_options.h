/* facet_options: the options that say how sensitive columns make groups, of every verb that
 * compares them: --bins, --intervals and --facet (workspace/facets.h). */
#ifndef STEWARD_CLI_FACET_OPTIONS_H
#define STEWARD_CLI_FACET_OPTIONS_H

#include "cli/cli.h"
#include "workspace/facets.h"

#define CLI_FACET_OPTIONS                                                                          \
    {"bins",                                                                                       \
     "N",                                                                                          \
     "a sensitive number of many values is cut into N intervals of about as many rows",            \
     "4",                                                                                          \
     CLI_ONCE,                                                                                     \
     NULL},                                                                                        \
        {"intervals",                                                                              \
         "COLUMN=A,B",                                                                             \
         "cut a sensitive number at these numbers instead; may be repeated",                       \
         NULL,                                                                                     \
         CLI_REPEATED,                                                                             \
         NULL},                                                                                    \
    {                                                                                              \
        "facet", "COLUMN=V,W",                                                                     \
            "these values of a sensitive column are one group; may be repeated", NULL,             \
            CLI_REPEATED, NULL                                                                     \
    }

/* Borrows from c. */
struct status cli_facets(struct cli *c, struct facets *ret_facets);

#endif
