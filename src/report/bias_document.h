/* bias_document: what is uneven in a table, as one JSON object (docs/spec/assessment-bias.md), and
 * the same in the form of SageMaker Clarify's analysis.json. Pure: coded columns in, JSON out. */
#ifndef STEWARD_REPORT_BIAS_DOCUMENT_H
#define STEWARD_REPORT_BIAS_DOCUMENT_H

#include "base/json.h"

#define BIAS_FORMAT "steward-bias-1"
#define BIAS_MAX_GROUPS 1024u
#define BIAS_MAX_STRATA 1024u
#define BIAS_MAX_LEVELS 1026u /* of a column looked at as a proxy, missing being one */
#define BIAS_STRATA_SHOWN 50u /* with their groups' rates: the largest */
#define BIAS_PAIRS_SHOWN 200u /* of groups */
#define BIAS_PAIR_COLUMNS 40u /* columns looked at two by two: the strongest */
#define BIAS_PAIR_LEVELS 12u  /* of each of them there: rarer ones are one */

struct bias_column {
    const char *name;
    const int32_t *codes;     /* rows: 0..levels-1, or -1: missing */
    const char *const *names; /* of the levels */
    uint32_t levels; /* 0: too many values for anything but being missing; codes are 0 or -1 */
    bool ordered;    /* levels are intervals or numbers, in order */
};

struct bias_input {
    size_t rows;
    struct bias_column label;
    uint32_t positive; /* level of the label */
    const struct bias_column *sensitive;
    size_t sensitives;
    const struct bias_column *strata;  /* NULL: none */
    const struct bias_column *columns; /* all others, and the strata column */
    size_t column_count;
    const json_t *reference; /* NULL, or {"sex": {"female": 0.51, ...}, ...}: shares or counts */
    double level;            /* of the intervals */
    double fdr;              /* what an adjusted p must be under to be called a finding */
    uint32_t replicates;
    uint32_t min_group; /* smaller groups are shown, not judged, and not looked for by proxies */
    uint64_t seed;
    unsigned threads;
    void (*progress)(void *ctx, const char *stage); /* may be NULL */
    void *progress_ctx;
};

/* INPUT with a sentence: no sensitive column, a label with one class, too many groups or strata, a
 * reference that names what is not there or does not fit. */
struct status bias_document(const struct bias_input *in, struct diag *diag, json_t **ret_document);
/* Clarify's analysis.json out of such a document. */
struct status bias_clarify(const json_t *document, json_t **ret_analysis);
/* A section of a page, and a page of its own. */
struct status html_bias(const json_t *document, struct buf *b);
struct status html_bias_page(const json_t *document, struct buf *ret_html);

#endif
