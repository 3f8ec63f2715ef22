/* mitigate_document: thresholds by group as one JSON object (docs/spec/mitigation.md), and its
 * page. Pure: arrays in, JSON out. */
#ifndef STEWARD_REPORT_MITIGATE_DOCUMENT_H
#define STEWARD_REPORT_MITIGATE_DOCUMENT_H

#include "assess/mitigate.h"
#include "base/json.h"

#define MITIGATE_FORMAT "steward-mitigation-1"

struct mitigate_input {
    size_t rows;
    const double *score;      /* rows */
    const uint8_t *y;         /* rows: 0, 1; 2 missing */
    const int32_t *group;     /* rows: -1 missing */
    const char *const *names; /* groups */
    uint32_t groups;
    const char *label, *positive, *sensitive; /* as people read them */
    double before; /* threshold that decides now: positive when score >= before */
    struct threshold_options options;
};

/* ret_fixed, ret_random: rules of the groups (groups of each), deterministic and at random. */
struct status mitigate_document(const struct mitigate_input *in, struct diag *diag,
                                struct threshold_rule *ret_fixed, struct threshold_rule *ret_random,
                                json_t **ret_document);
struct status html_mitigate_page(const json_t *document, struct buf *ret_html);

#endif
