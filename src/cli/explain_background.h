/* explain_background: the background of `steward explain` of models that explain themselves:
 * --background FILE, --output-space. */
#ifndef STEWARD_CLI_EXPLAIN_BACKGROUND_H
#define STEWARD_CLI_EXPLAIN_BACKGROUND_H

#include "cli/cli.h"
#include "cli/plain_files.h"

struct explain_background {
    const char *path; /* NULL: there is none */
    bool probability;
    float *x; /* all rows of the file */
    size_t rows;
};

/* What the options ask for, before files are read. INPUT: they do not go together. */
struct status explain_background_asked(struct cli *c, struct explain_background *ret_background);
/* Reads the file's rows. */
struct status explain_background_load(struct cli *c, const struct model_file *m,
                                      const struct remover *remover, json_t *remarks,
                                      struct explain_background *b);
void explain_background_done(struct explain_background *b); /* zeroed is fine */

#endif
