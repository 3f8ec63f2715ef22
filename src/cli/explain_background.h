/* explain_background: the background of `steward explain` of models that explain themselves:
 * --background FILE, --output-space. */
#ifndef STEWARD_CLI_EXPLAIN_BACKGROUND_H
#define STEWARD_CLI_EXPLAIN_BACKGROUND_H

#include "cli/cli.h"
#include "cli/plain_files.h"

struct explain_background {
    const char *path; /* NULL: there is none */
    bool probability;
    float *x; /* of the rows */
    size_t rows;
    uint64_t of; /* rows in the file */
};

/* What the options ask for, before files are read. INPUT: they do not go together. */
struct status explain_background_asked(struct cli *c, struct explain_background *ret_background);
/* Reads the file's rows: all, or where answers take coalitions (assess/attribution.h) so many as
 * --background-rows says, drawn from --seed. INPUT: that option where all are taken. */
struct status explain_background_load(struct cli *c, const struct model_file *m,
                                      const struct remover *remover, json_t *remarks,
                                      struct explain_background *b);
void explain_background_done(struct explain_background *b); /* zeroed is fine */

#endif
