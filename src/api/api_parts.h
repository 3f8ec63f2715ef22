/* api_parts: what the sources of libsteward share. */
#ifndef STEWARD_API_PARTS_H
#define STEWARD_API_PARTS_H

#include "base/json.h"

#include <steward/steward.h>

/* The code for the caller, and the sentence. error may be NULL. */
int api_result(struct status s, const struct diag *diag, struct sw_error *error);
/* A pointer that must not be NULL. */
struct status api_need(const void *pointer, const char *what, struct diag *diag);
/* A document as text; the caller's to free. */
struct status api_text(const json_t *document, char **ret_text);

#endif
