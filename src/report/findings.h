/* findings: what the numbers of an assessment say, in plain sentences, each with its interval.
 * Reads the document, adds "findings": [{kind, headline, text}], in the order in which they are
 * read. */
#ifndef STEWARD_REPORT_FINDINGS_H
#define STEWARD_REPORT_FINDINGS_H

#include "base/json.h"

struct status findings_put(json_t *document);

#endif
