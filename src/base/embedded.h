/* embedded: files of the source tree that are in the program itself (tools/embed). */
#ifndef STEWARD_BASE_EMBEDDED_H
#define STEWARD_BASE_EMBEDDED_H

#include "base/bytes.h"

struct embedded {
    const char *name; /* of the file, without what follows its dot; NULL ends the table */
    struct view text; /* a zero stands behind it */
};

/* Of catalogues/, forms/ and policies/, in order of their names; catalogues/always.yaml. */
extern const struct embedded embedded_catalogues[], embedded_forms[], embedded_policies[],
    embedded_always[];

/* The text of that name. STATUS_NOT_FOUND: there is no such `what`, and which there are. */
struct status embedded_find(const struct embedded *table, const char *what, const char *name,
                            struct diag *diag, struct view *ret_text);

#endif
