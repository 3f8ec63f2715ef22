/* findings: what the numbers of an assessment say, in plain sentences, each with its interval.
 * Reads the document; adds "findings": [{kind, headline, text, size, p_adjusted}], the ones that
 * hold at the false-discovery rate, worst first, and "summary": [{kind, headline, text}], what else
 * a reader wants to know first. */
#ifndef STEWARD_REPORT_FINDINGS_H
#define STEWARD_REPORT_FINDINGS_H

#include "base/json.h"

struct status findings_put(json_t *document);

#endif
