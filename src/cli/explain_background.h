/* explain_background: the background of `steward explain` of trees: --background FILE,
 * --output-space.
 */
#ifndef STEWARD_CLI_EXPLAIN_BACKGROUND_H
#define STEWARD_CLI_EXPLAIN_BACKGROUND_H

#include "assess/interventional.h"
#include "cli/cli.h"
#include "cli/plain_files.h"

struct explain_background {
    const char *path; /* NULL: there is none */
    bool probability;
    float *x; /* all rows of the file */
    size_t rows;
    struct interventional *explainer;
};

/* What the options ask for, before files are read. INPUT: they do not go together. */
struct status explain_background_asked(struct cli *c, struct explain_background *ret_background);
/* Reads the file and makes the explainer, for `rows` rows; remarks say how the values are got. */
struct status explain_background_load(struct cli *c, const struct model_file *m, bool record,
                                      unsigned threads, size_t rows, json_t *remarks,
                                      struct explain_background *b);
void explain_background_done(struct explain_background *b); /* zeroed is fine */

#endif
