/* findings_parts: what the sources of findings share. Not for other folders. */
#ifndef STEWARD_REPORT_FINDINGS_PARTS_H
#define STEWARD_REPORT_FINDINGS_PARTS_H

#include "report/document.h"

struct finding {
    const char *kind;
    bool is_finding; /* otherwise one of the summary's sentences */
    double size, p_adjusted;
    struct buf headline, text;
};

/* Appends the finding and empties it for the next. */
struct status findings_add(json_t *list, struct finding *f);
double findings_percent(const json_t *o, const char *key);
/* What is said whatever was found: how good it is, what drives it, one decision. */
struct status findings_say_performance(const json_t *d, json_t *list, struct finding *f);
struct status findings_say_explanation(const json_t *d, json_t *list, struct finding *f);
struct status findings_say_example(const json_t *d, json_t *list, struct finding *f);

#endif
