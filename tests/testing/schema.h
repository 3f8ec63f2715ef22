/* schema: holds JSON to the part of JSON Schema (2020-12) that this repository's schemas use: type,
 * enum, pattern, minimum, minLength, properties, required, additionalProperties, items. Another
 * keyword fails the test: what is not checked is not claimed. */
#ifndef STEWARD_TESTS_SCHEMA_H
#define STEWARD_TESTS_SCHEMA_H

#include "testing/testing.h"

/* False, and what is wrong where. */
bool schema_holds(const json_t *schema, const json_t *value, struct diag *diag);
/* The first 500 entries of each action in that log follow docs/spec/audit-entry.schema.json; how
 * many there are of each is put into `actions`, of all is given back. */
uint64_t schema_check_log(const char *audit, json_t *actions);

#endif
