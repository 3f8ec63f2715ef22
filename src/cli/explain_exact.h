/* explain_exact: what the sources of `steward explain` of models that explain themselves share. */
#ifndef STEWARD_CLI_EXPLAIN_EXACT_H
#define STEWARD_CLI_EXPLAIN_EXACT_H

#include "cli/cli.h"

/* The document (docs/spec/assessment-explain.md) as text; all features whose dependence it has when
 * they were named, else the first. */
void cli_print_explanation(const json_t *document, bool named);

#endif
