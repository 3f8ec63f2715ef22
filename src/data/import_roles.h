/* import_roles: what each column of an imported table is for, as its options say: the label and its
 * positive value, the sensitive ones, whom a row is about. Not for other folders. */
#ifndef STEWARD_DATA_IMPORT_ROLES_H
#define STEWARD_DATA_IMPORT_ROLES_H

#include "data/import.h"

/* The roles that t has are forgotten. shown: the file's name in messages. */
struct status import_roles(const char *shown, const struct import_options *options,
                           struct diag *diag, struct table *t);

#endif
