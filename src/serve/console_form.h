/* console_form: what a browser sends of a form: "a=b&c=d" with %XX and '+', of a query or a body.
 * Untrusted; fuzzed. */
#ifndef STEWARD_SERVE_CONSOLE_FORM_H
#define STEWARD_SERVE_CONSOLE_FORM_H

#include "base/bytes.h"

/* The value of a field, decoded; "" when the field is not there. False: the field is there twice,
 * or its value is longer than size - 1, written wrongly, or no printable ASCII. */
bool form_field(struct view form, const char *name, char *ret_value, size_t size);
/* Whether there is a field of another name than these; the first one's, cut and with '?' for what
 * is no printable ASCII. */
bool form_stray(struct view form, const char *const *names, size_t n, char ret_stray[static 32]);
/* The value of a cookie of that name in a Cookie field: borrowed. False: none, or more than one. */
bool form_cookie(const char *field, const char *name, struct view *ret_value);

#endif
