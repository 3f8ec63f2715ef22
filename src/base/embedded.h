/* embedded: files of the source tree that are in the program itself (tools/embed). */
#ifndef STEWARD_BASE_EMBEDDED_H
#define STEWARD_BASE_EMBEDDED_H

#include "base/bytes.h"

struct embedded {
    const char *name; /* of the file, without what follows its dot; NULL ends the table */
    struct view text;
};

/* Of catalogues/ and forms/, in order of their names. */
extern const struct embedded embedded_catalogues[], embedded_forms[];

#endif
