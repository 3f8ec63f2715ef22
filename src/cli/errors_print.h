/* errors_print: the errors document as text tables with small bars, in 80 columns. */
#ifndef STEWARD_CLI_ERRORS_PRINT_H
#define STEWARD_CLI_ERRORS_PRINT_H

#include <jansson.h>

void errors_print(const json_t *document);

#endif
